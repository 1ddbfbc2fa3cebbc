#include "tests/sandbox/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "base/error.h"
#include "base/json_value.h"
#include "tests/sandbox/control_call.h"
#include "tests/sandbox/route.h"

/* ---- requests ---- */

static int control_get_requests(ControlCall *call)
{
    const char *after = query_find(&call->query, "after");
    HistoryFilter filter = {
        .method = query_find(&call->query, "method"),
        .path = query_find(&call->query, "path"),
        .after = after ? strtoull(after, NULL, 10) : 0,
    };
    JsonWriter writer;

    json_writer_begin(&writer, &call->answer->body);
    history_write(&writer, &call->sandbox->history, &filter);
    return control_call_end(&writer);
}

static int control_clear_requests(ControlCall *call)
{
    history_clear(&call->sandbox->history);
    return 0;
}

/* ---- faults ---- */

static int control_get_faults(ControlCall *call)
{
    JsonWriter writer;

    json_writer_begin(&writer, &call->answer->body);
    fault_write(&writer, &call->sandbox->faults);
    return control_call_end(&writer);
}

static int control_add_fault(ControlCall *call, const JsonValue *rule, JsonWriter *writer)
{
    FieldsError error = {};
    uint64_t id;
    int r;

    r = fault_add(&call->sandbox->faults, rule, &id, &error);
    if (r == FIELDS_E_INVALID)
        return control_call_refuse(call, 400, "%s", error.message);
    if (r == 0)
        json_writer_uint(writer, id);
    return r;
}

/* One rule or an array of them; those before one that is refused are in force. */
static int control_add_faults(ControlCall *call)
{
    Buffer ids = BUFFER_INIT(HTTP_ANSWER_BODY_MAX);
    JsonWriter writer;
    int r = 0, written;

    json_writer_begin(&writer, &ids);
    json_writer_open_array(&writer);
    if (call->document->type == JSON_ARRAY) {
        JSON_VALUE_FOREACH(rule, call->document)
            if (r == 0)
                r = control_add_fault(call, rule, &writer);
    } else {
        r = control_add_fault(call, call->document, &writer);
    }
    json_writer_close_array(&writer);
    written = control_call_end(&writer);
    if (r == 0)
        r = written;
    if (r == 0 && buffer_printf(&call->answer->body, "{\"ids\":%.*s}", (int)buffer_size(&ids),
                                buffer_data(&ids)) != 0)
        r = -ENOMEM;
    buffer_deinit(&ids);
    return r;
}

static int control_clear_faults(ControlCall *call)
{
    fault_clear(&call->sandbox->faults);
    return 0;
}

static int control_remove_fault(ControlCall *call)
{
    if (!fault_remove(&call->sandbox->faults, strtoull(call->segment, NULL, 10)))
        return control_call_refuse(call, 404, "There is no fault %s", call->segment);
    return 0;
}

/* ---- the rest ---- */

static int control_get_stats(ControlCall *call)
{
    const Sandbox *sandbox = call->sandbox;
    HttpServerStats http = http_server_stats(sandbox->server);
    const struct {
        const char *key;
        uint64_t value;
    } numbers[] = {
        {"connections", http.connections},         {"openConnections", http.n_open},
        {"tlsHandshakes", http.handshakes},        {"tlsResumptions", http.resumptions},
        {"requests", sandbox->n_requests},         {"underWay", sandbox->n_exchanges},
        {"maxConcurrent", sandbox->max_exchanges}, {"created", sandbox->world.n_created},
        {"instances", sandbox->world.n_instances},
    };
    JsonWriter writer;

    json_writer_begin(&writer, &call->answer->body);
    json_writer_open_object(&writer);
    for (size_t i = 0; i < N_ELEMENTS(numbers); i++) {
        json_writer_key(&writer, numbers[i].key);
        json_writer_uint(&writer, numbers[i].value);
    }
    json_writer_close_object(&writer);
    return control_call_end(&writer);
}

static int control_quit(ControlCall *call)
{
    struct timeval soon = {.tv_usec = 50000}; /* the answer goes out first */

    return event_base_loopexit(call->sandbox->base, &soon) < 0 ? -EIO : 0;
}

/* ---- routes ---- */

typedef struct ControlRoute {
    const char *method;
    const char *path;
    int (*handler)(ControlCall *call);
    bool has_body;
} ControlRoute;

static const ControlRoute control_routes[] = {
    {"GET", "/requests", control_get_requests, false},
    {"DELETE", "/requests", control_clear_requests, false},
    {"GET", "/instances", control_instances_list, false},
    {"POST", "/instances", control_instances_plant, true},
    {"DELETE", "/instances", control_instances_clear, false},
    {"GET", "/instances/{}", control_instances_get, false},
    {"DELETE", "/instances/{}", control_instances_remove, false},
    {"POST", "/instances/{}/token", control_instances_set_token, true},
    {"POST", "/instances/{}/disable", control_instances_disable, false},
    {"POST", "/instances/{}/enable", control_instances_enable, false},
    {"GET", "/faults", control_get_faults, false},
    {"POST", "/faults", control_add_faults, true},
    {"DELETE", "/faults", control_clear_faults, false},
    {"DELETE", "/faults/{}", control_remove_fault, false},
    {"GET", "/settings", control_settings_get, false},
    {"POST", "/settings", control_settings_set, true},
    {"GET", "/stats", control_get_stats, false},
    {"POST", "/quit", control_quit, false},
};

static const ControlRoute *control_find_route(const char *method, const char *path,
                                              const char **ret_segment)
{
    for (size_t i = 0; i < N_ELEMENTS(control_routes); i++)
        if (strcmp(control_routes[i].method, method) == 0 &&
            route_matches(control_routes[i].path, path, ret_segment))
            return &control_routes[i];
    return NULL;
}

/* With the body read into `arena` where the route wants one. An absent body is an empty object. */
static int control_run(ControlCall *call, const ControlRoute *route, Arena *arena)
{
    const Buffer *body = &call->request->body;
    bool is_empty = buffer_size(body) == 0;
    JsonValue *document;
    JsonError error;
    int r;

    if (route->has_body) {
        r = json_value_parse(arena, is_empty ? "{}" : buffer_data(body),
                             is_empty ? 2 : buffer_size(body), 0, &document, &error);
        if (r == JSON_E_SYNTAX)
            return control_call_refuse(call, 400, "%u:%u: %s", error.at.line, error.at.column,
                                       error.message);
        if (r < 0)
            return r;
        call->document = document;
    }
    return route->handler(call);
}

static int control_serve(ControlCall *call, const char *path)
{
    Arena arena = ARENA_INIT(json_value_arena_max(buffer_size(&call->request->body)));
    const char *found = "";
    const ControlRoute *route = control_find_route(call->request->method, path, &found);
    int r;

    if (!route)
        return control_call_refuse(call, 404, "There is no %s " CONTROL_PREFIX "%s",
                                   call->request->method, path);
    r = query_init(&call->query, call->request->query);
    if (r < 0)
        return r;
    call->segment = strndup(found, strcspn(found, "/"));
    if (!call->segment)
        return -ENOMEM;
    r = control_run(call, route, &arena);
    arena_deinit(&arena);
    return r;
}

void control_handle(Sandbox *sandbox, HttpRequest *request, const char *path)
{
    HttpAnswer answer = HTTP_ANSWER_INIT;
    ControlCall call = {.sandbox = sandbox, .request = request, .answer = &answer};
    int r;

    r = control_serve(&call, path);
    if (r < 0)
        (void)control_call_refuse(&call, 500, "%s", error_text(r));
    if (buffer_size(&answer.body) == 0)
        (void)buffer_append_string(&answer.body, "{}");
    (void)http_conn_answer(request, &answer);
    http_answer_deinit(&answer);
    query_deinit(&call.query);
    free(call.segment);
    (void)http_request_free(request);
}
