#include "tests/unit/http_call.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"

void http_call_setup_with(void **state, unsigned n_connections)
{
    HttpFixture *fixture = calloc(1, sizeof(*fixture));

    fixture->base = event_base_new();
    assert_non_null(fixture->base);
    assert_int_equal(http_new(fixture->base, n_connections, &fixture->http), 0);
    fixture->origin = origin_new(fixture->base);
    assert_int_equal(secret_new("User u, Organization o", 22, &fixture->authorization), 0);
    *state = fixture;
}

int http_call_setup(void **state)
{
    http_call_setup_with(state, 16);
    return 0;
}

int http_call_teardown(void **state)
{
    HttpFixture *fixture = *state;

    http_free(fixture->http);
    origin_free(fixture->origin);
    event_base_free(fixture->base);
    secret_unref(fixture->authorization);
    free(fixture);
    return 0;
}

static void http_call_on_answer(void *userdata, HttpAnswer *answer)
{
    HttpCall *call = userdata;

    call->slot = NULL;
    call->n_answers++;
    call->status = answer->status;
    call->is_complete = answer->is_complete;
    call->is_sent = answer->is_sent;
    call->size = buffer_size(&answer->body);
    call->body = strndup(call->size > 0 ? buffer_data(&answer->body) : "", call->size);
    call->retry_after = answer->retry_after;
    call->next_page = TAKE_PTR(answer->next_page);
    call->problem = TAKE_PTR(answer->problem);
    assert_int_equal(call->is_complete, !call->problem);
    if (call->cancels)
        call->cancels->slot = http_slot_free(call->cancels->slot);
}

void http_call_deinit(HttpCall *call)
{
    http_slot_free(call->slot);
    free(call->body);
    free(call->next_page);
    free(call->problem);
    *call = (HttpCall){};
}

void http_call_start_url(HttpFixture *fixture, HttpCall *call, const char *url, Secret *body,
                         usec_t timeout)
{
    const HttpRequest request = {
        .method = body ? "POST" : "GET",
        .url = url,
        .authorization = fixture->authorization,
        .body = body,
        .timeout = timeout,
    };

    assert_int_equal(http_start(fixture->http, &request, http_call_on_answer, call, &call->slot),
                     0);
    assert_int_equal(call->n_answers, 0); /* never before http_start() returns */
}

void http_call_start(HttpFixture *fixture, HttpCall *call, Secret *body)
{
    http_call_start_url(fixture, call, origin_url(fixture->origin, "x"), body,
                        ORIGIN_PATIENCE_USEC);
}

void http_call_await(HttpFixture *fixture, HttpCall *call)
{
    origin_await(fixture->origin, &call->n_answers, 1);
}

HttpCall http_call_get(HttpFixture *fixture)
{
    HttpCall call = {};

    http_call_start(fixture, &call, NULL);
    http_call_await(fixture, &call);
    return call;
}

Secret *http_call_body(size_t size)
{
    _cleanup_(freep) char *bytes = malloc(size);
    Secret *body;

    memset(bytes, 'b', size);
    assert_int_equal(secret_new(bytes, size, &body), 0);
    return body;
}

HttpCall http_call_post(HttpFixture *fixture, size_t size)
{
    _cleanup_(secret_unrefp) Secret *body = http_call_body(size);
    HttpCall call = {};

    http_call_start(fixture, &call, body);
    http_call_await(fixture, &call);
    return call;
}

unsigned http_call_count_posts(const Origin *origin)
{
    unsigned n = 0;

    for (size_t i = 0; i < origin->n_requests; i++)
        n += strncmp(origin_request(origin, i), "POST ", 5) == 0;
    return n;
}
