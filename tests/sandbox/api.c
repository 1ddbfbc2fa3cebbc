#include "tests/sandbox/api.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "tests/sandbox/api_auth.h"
#include "tests/sandbox/api_error.h"
#include "tests/sandbox/api_instances.h"
#include "tests/sandbox/query.h"
#include "tests/sandbox/route.h"

/* ---- elements ---- */

static int api_find_element(ApiCall *call, const Element **ret_element)
{
    *ret_element = catalogue_find(&call->world->catalogue, call->segment);
    return *ret_element
               ? 0
               : api_call_refuse(call, 404, "No element found with key '%s'.", call->segment);
}

static int api_get_configuration(ApiCall *call)
{
    const Element *element;
    JsonWriter writer;
    int r;

    r = api_find_element(call, &element);
    if (r != 0)
        return r;
    json_writer_begin(&writer, &call->answer->body);
    catalogue_write_configuration(&writer, element);
    return api_call_end(&writer);
}

static int api_get_element(ApiCall *call)
{
    const Element *element;
    JsonWriter writer;
    int r;

    r = api_find_element(call, &element);
    if (r != 0)
        return r;
    json_writer_begin(&writer, &call->answer->body);
    json_writer_open_object(&writer);
    json_writer_key(&writer, "id");
    json_writer_int(&writer, element->id);
    json_writer_key(&writer, "name");
    json_writer_string(&writer, element->name);
    json_writer_key(&writer, "key");
    json_writer_string(&writer, element->key);
    json_writer_key(&writer, "active");
    json_writer_boolean(&writer, true);
    json_writer_key(&writer, "deleted");
    json_writer_boolean(&writer, false);
    json_writer_key(&writer, "configuration");
    catalogue_write_configuration(&writer, element);
    json_writer_close_object(&writer);
    return api_call_end(&writer);
}

static int api_ping(ApiCall *call)
{
    JsonWriter writer;
    char date[32] = "";
    time_t now = time(NULL);
    struct tm tm;

    if (gmtime_r(&now, &tm))
        (void)strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", &tm);
    json_writer_begin(&writer, &call->answer->body);
    json_writer_open_object(&writer);
    json_writer_key(&writer, "dateTime");
    json_writer_string(&writer, date);
    json_writer_key(&writer, "endpoint");
    json_writer_string(&writer, call->instance->element->key);
    json_writer_close_object(&writer);
    return api_call_end(&writer);
}

/* ---- routes ---- */

typedef enum ApiTarget {
    API_NO_INSTANCE,
    API_INSTANCE_BY_ID,
    API_INSTANCE_BY_TOKEN, /* the platform acts on that of the Element token */
} ApiTarget;

typedef struct ApiRoute {
    const char *method;
    const char *path; /* {} is any one segment */
    int (*handler)(ApiCall *call);
    ApiTarget target;
    bool has_body;
} ApiRoute;

static const ApiRoute api_routes[] = {
    {"GET", "/instances", api_instances_list, API_NO_INSTANCE, false},
    {"POST", "/instances", api_instances_create, API_NO_INSTANCE, true},
    {"PUT", "/instances", api_instances_replace, API_INSTANCE_BY_TOKEN, true},
    {"PATCH", "/instances", api_instances_update, API_INSTANCE_BY_TOKEN, true},
    {"DELETE", "/instances", api_instances_remove, API_INSTANCE_BY_TOKEN, false},
    {"PUT", "/instances/enabled", api_instances_enable, API_INSTANCE_BY_TOKEN, false},
    {"DELETE", "/instances/enabled", api_instances_disable, API_INSTANCE_BY_TOKEN, false},
    {"GET", "/instances/{}", api_instances_get, API_INSTANCE_BY_ID, false},
    {"PUT", "/instances/{}", api_instances_replace, API_INSTANCE_BY_ID, true},
    {"PATCH", "/instances/{}", api_instances_update, API_INSTANCE_BY_ID, true},
    {"DELETE", "/instances/{}", api_instances_remove, API_INSTANCE_BY_ID, false},
    {"PUT", "/instances/{}/enabled", api_instances_enable, API_INSTANCE_BY_ID, false},
    {"DELETE", "/instances/{}/enabled", api_instances_disable, API_INSTANCE_BY_ID, false},
    {"GET", "/elements/{}", api_get_element, API_NO_INSTANCE, false},
    {"GET", "/elements/{}/configuration", api_get_configuration, API_NO_INSTANCE, false},
    {"GET", "/ping", api_ping, API_INSTANCE_BY_TOKEN, false},
};

/* The route, or NULL with *ret_is_path_known: whether another method would have one. */
static const ApiRoute *api_find_route(const ApiRequest *request, const char **ret_segment,
                                      bool *ret_is_path_known)
{
    *ret_is_path_known = false;
    for (size_t i = 0; i < N_ELEMENTS(api_routes); i++) {
        const ApiRoute *route = &api_routes[i];
        const char *segment = "";

        if (!route_matches(route->path, request->path, &segment))
            continue;
        *ret_is_path_known = true;
        if (strcmp(route->method, request->method) == 0) {
            *ret_segment = segment;
            return route;
        }
    }
    return NULL;
}

bool api_is_create(const ApiRequest *request)
{
    const char *segment;
    bool is_path_known;
    const ApiRoute *route = api_find_route(request, &segment, &is_path_known);

    return route && route->handler == api_instances_create;
}

static bool api_is_json(const char *content_type)
{
    return content_type && strncasecmp(content_type, "application/json", 16) == 0;
}

static int api_find_instance(ApiCall *call, ApiTarget target)
{
    char *end;
    long long id;

    switch (target) {
    case API_NO_INSTANCE:
        return 0;
    case API_INSTANCE_BY_TOKEN:
        call->instance = call->caller;
        return call->instance ? 0 : api_call_refuse(call, 400, "An Element token is needed here.");
    case API_INSTANCE_BY_ID:
        errno = 0;
        id = strtoll(call->segment, &end, 10);
        call->instance = errno == 0 && !*end ? world_find_instance(call->world, id) : NULL;
        if (!call->instance || call->instance->account != call->account->id)
            return api_call_refuse(call, 404, "No element instance found with ID %s.",
                                   call->segment);
        return 0;
    }
    return 0;
}

static int api_run(ApiCall *call, const ApiRoute *route)
{
    int r;

    r = api_auth_check(call);
    if (r == 0)
        r = api_find_instance(call, route->target);
    if (r == 0 && route->has_body && !api_is_json(call->request->content_type))
        r = api_call_refuse(call, 415, NULL);
    if (r == 0 && route->has_body &&
        (!call->request->document || call->request->document->type != JSON_OBJECT))
        r = api_call_refuse(call, 400, "The request body is not a valid JSON object.");
    return r == 0 ? route->handler(call) : r;
}

int api_handle(World *world, const ApiRequest *request, const InstanceView *view,
               HttpAnswer *answer, int64_t *ret_instance)
{
    _cleanup_(freep) char *segment = NULL;
    const char *found = "";
    bool is_path_known;
    const ApiRoute *route = api_find_route(request, &found, &is_path_known);
    ApiCall call = {.world = world, .request = request, .view = view, .answer = answer};
    int r;

    *ret_instance = 0;
    if (!route)
        return api_error_fill(answer, is_path_known ? 405 : 404, NULL, NULL);
    segment = strndup(found, strcspn(found, "/"));
    if (!segment)
        return -ENOMEM;
    query_decode(segment, false);
    call.segment = segment;
    r = api_run(&call, route);
    *ret_instance = call.changed;
    return r == API_CALL_E_REFUSED ? 0 : r;
}
