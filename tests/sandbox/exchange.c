#include "tests/sandbox/exchange.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <event2/event.h>

#include "base/error.h"
#include "base/json_value.h"
#include "tests/sandbox/api.h"
#include "tests/sandbox/api_error.h"

typedef void (*ExchangeStep)(Exchange *exchange);

struct Exchange {
    Exchange *next;
    Exchange *previous;
    Sandbox *sandbox;    /* borrowed */
    HistoryEntry *entry; /* a reference; holds the request */
    Arena arena;         /* of the document */
    ApiRequest api;
    FaultPlan plan;
    HttpAnswer answer;
    struct event *timer; /* NULL until it is first needed */
    ExchangeStep then;   /* what follows when the timer fires */
};

/* ---- life ---- */

static void exchange_free(Exchange *exchange)
{
    Sandbox *sandbox = exchange->sandbox;

    if (exchange->previous)
        exchange->previous->next = exchange->next;
    else
        sandbox->exchanges = exchange->next;
    if (exchange->next)
        exchange->next->previous = exchange->previous;
    sandbox->n_exchanges--;
    if (exchange->timer)
        event_free(exchange->timer);
    fault_plan_deinit(&exchange->plan);
    http_answer_deinit(&exchange->answer);
    arena_deinit(&exchange->arena);
    (void)history_unref(exchange->entry);
    free(exchange);
}

void exchange_stop_all(Sandbox *sandbox)
{
    while (sandbox->exchanges)
        exchange_free(sandbox->exchanges);
}

/* One line, without anything that a header or a body holds. */
static void exchange_log(const Exchange *exchange)
{
    const HistoryEntry *entry = exchange->entry;
    FILE *log = exchange->sandbox->log;
    time_t now = time(NULL);
    char date[32] = "";
    struct tm tm;

    if (!log)
        return;
    if (gmtime_r(&now, &tm))
        (void)strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", &tm);
    (void)fprintf(log, "%s %s %s%s%s %u %s %llu ms, connection %llu", date, entry->request->method,
                  entry->path, *entry->request->query ? "?" : "", entry->request->query,
                  entry->status, entry->outcome,
                  (unsigned long long)((clock_realtime() - entry->request->started) / 1000),
                  (unsigned long long)entry->request->connection);
    if (entry->instance != 0)
        (void)fprintf(log, ", instance %lld", (long long)entry->instance);
    (void)fputc('\n', log);
    (void)fflush(log);
}

static void exchange_finish(Exchange *exchange, const char *outcome)
{
    exchange->entry->outcome = outcome;
    exchange->entry->finished = clock_realtime();
    exchange_log(exchange);
    exchange_free(exchange);
}

/* ---- waiting ---- */

static void exchange_on_timer(evutil_socket_t fd, short events, void *userdata)
{
    Exchange *exchange = userdata;

    (void)fd;
    (void)events;
    exchange->then(exchange);
}

/* Goes on with `then` after `delay`; at once where there is none. */
static void exchange_wait(Exchange *exchange, usec_t delay, ExchangeStep then)
{
    struct timeval timeout = {.tv_sec = (time_t)(delay / USEC_PER_SEC),
                              .tv_usec = (suseconds_t)(delay % USEC_PER_SEC)};

    exchange->then = then;
    if (delay > 0 && !exchange->timer)
        exchange->timer = evtimer_new(exchange->sandbox->base, exchange_on_timer, exchange);
    if (delay == 0 || !exchange->timer || evtimer_add(exchange->timer, &timeout) < 0)
        then(exchange);
}

/* ---- the steps ---- */

/* Ends the connection without an answer; says what happened to it. */
static const char *exchange_cut(Exchange *exchange, FaultEnd end)
{
    HttpRequest *request = exchange->entry->request;

    switch (end) {
    case FAULT_END_NONE:
        break;
    case FAULT_END_HANG:
        return "hang";
    case FAULT_END_RESET:
        return http_conn_abort(request, HTTP_ABORT_RESET) ? "reset" : "gone";
    case FAULT_END_CLOSE:
        return http_conn_abort(request, HTTP_ABORT_CLOSE) ? "close" : "gone";
    }
    assert(false);
    return NULL;
}

/* What the plan says of the content instead of what the platform would answer. 0 or -errno. */
static int exchange_replace(Exchange *exchange)
{
    const FaultPlan *plan = &exchange->plan;
    HttpAnswer *answer = &exchange->answer;
    bool is_success = plan->status >= 200 && plan->status <= 299;

    if (plan->status > 0 && !plan->body && (plan->is_refused || !is_success))
        return api_error_fill(answer, plan->status, plan->message, plan->provider_message);
    if (plan->status > 0)
        answer->status = plan->status;
    if (!plan->body)
        return 0;
    buffer_clear(&answer->body);
    return buffer_append(&answer->body, buffer_data(plan->body), buffer_size(plan->body)) == 0
               ? 0
               : -ENOMEM;
}

static void exchange_answer(Exchange *exchange)
{
    HttpAnswer *answer = &exchange->answer;
    const HttpAnswer *delivery = &exchange->plan.delivery;
    HttpAnswer sent;

    if (exchange_replace(exchange) < 0)
        answer->status = 500;
    (void)buffer_append(&answer->headers, buffer_data(&delivery->headers),
                        buffer_size(&delivery->headers));
    sent = *delivery; /* how it is sent; what is sent is the answer's */
    sent.status = answer->status;
    sent.headers = answer->headers;
    sent.body = answer->body;
    exchange->entry->status = sent.is_raw ? 0 : sent.status;
    exchange_finish(exchange,
                    http_conn_answer(exchange->entry->request, &sent) ? "answered" : "gone");
}

static void exchange_after(Exchange *exchange)
{
    if (exchange->plan.after != FAULT_END_NONE)
        exchange_finish(exchange, exchange_cut(exchange, exchange->plan.after));
    else
        exchange_answer(exchange);
}

static void exchange_carry_out(Exchange *exchange)
{
    Sandbox *sandbox = exchange->sandbox;
    int r = 0;

    if (!exchange->plan.is_refused)
        r = api_handle(&sandbox->world, &exchange->api, &exchange->plan.view, &exchange->answer,
                       &exchange->entry->instance);
    if (r < 0)
        (void)api_error_fill(&exchange->answer, 500, error_text(r), NULL);
    if (exchange->plan.late != FAULT_END_NONE)
        exchange_finish(exchange, "late-commit");
    else
        exchange_wait(exchange, exchange->plan.delay_after, exchange_after);
}

static void exchange_before(Exchange *exchange)
{
    if (exchange->plan.before != FAULT_END_NONE)
        exchange_finish(exchange, exchange_cut(exchange, exchange->plan.before));
    else
        exchange_carry_out(exchange);
}

static void exchange_begin(Exchange *exchange)
{
    const FaultPlan *plan = &exchange->plan;
    usec_t delay = plan->delay;

    if (api_is_create(&exchange->api))
        delay += exchange->sandbox->world.settings.create_delay;
    if (plan->late != FAULT_END_NONE) {
        exchange->entry->outcome = exchange_cut(exchange, plan->late);
        exchange_wait(exchange, delay + plan->late_delay, exchange_carry_out);
    } else {
        exchange_wait(exchange, delay, exchange_before);
    }
}

/* ---- arriving ---- */

/* A string below the body's root, or NULL. */
static const char *exchange_body_text(const JsonValue *object, const char *key)
{
    const JsonValue *value = json_value_find(object, key);

    return json_value_is_text(value) ? value->text : NULL;
}

static void exchange_read_body(Exchange *exchange, const HttpRequest *request)
{
    size_t size = buffer_size(&request->body);
    JsonValue *document;

    arena_init(&exchange->arena, json_value_arena_max(size));
    if (size > 0 && json_value_parse(&exchange->arena, buffer_data(&request->body), size, 0,
                                     &document, NULL) == 0)
        exchange->api.document = document;
}

static void exchange_plan(Exchange *exchange)
{
    const ApiRequest *api = &exchange->api;
    FaultSubject subject = {
        .method = api->method,
        .path = api->path,
        .query = api->query,
        .element = exchange_body_text(json_value_find(api->document, "element"), "key"),
        .name = exchange_body_text(api->document, "name"),
    };

    fault_plan(&exchange->sandbox->faults, &subject, &exchange->plan);
    exchange->plan.view.is_tags_as_objects |= exchange->sandbox->world.settings.is_tags_as_objects;
}

static int exchange_new(Sandbox *sandbox, HttpRequest *request, const char *path,
                        Exchange **ret_exchange)
{
    Exchange *exchange = calloc(1, sizeof(*exchange));
    int r;

    if (!exchange)
        return -ENOMEM;
    *exchange = (Exchange){
        .sandbox = sandbox,
        .plan = FAULT_PLAN_INIT,
        .answer = HTTP_ANSWER_INIT,
        .api =
            {
                .method = request->method,
                .path = path,
                .query = request->query,
                .authorization = http_request_find_header(request, "Authorization"),
                .content_type = http_request_find_header(request, "Content-Type"),
            },
    };
    r = history_add(&sandbox->history, request, path, &exchange->entry);
    if (r < 0) {
        free(exchange);
        return r;
    }
    exchange->next = sandbox->exchanges;
    if (exchange->next)
        exchange->next->previous = exchange;
    sandbox->exchanges = exchange;
    sandbox->n_requests++;
    sandbox->n_exchanges++;
    if (sandbox->n_exchanges > sandbox->max_exchanges)
        sandbox->max_exchanges = sandbox->n_exchanges;
    *ret_exchange = exchange;
    return 0;
}

void exchange_start(Sandbox *sandbox, HttpRequest *request, const char *path)
{
    Exchange *exchange;

    if (exchange_new(sandbox, request, path, &exchange) < 0) {
        (void)http_conn_abort(request, HTTP_ABORT_CLOSE);
        (void)http_request_free(request);
        return;
    }
    exchange_read_body(exchange, request);
    exchange_plan(exchange);
    exchange_begin(exchange);
    /* The exchange may be gone. */
}
