/*
 * HTTP: connections that end at every stage, and above all that a POST is sent once; time, cancelling, and many at
 * once.
 */

#include "daemon/http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "tests/unit/http_call.h"

/* ---- ends ---- */

static void test_refused(void **state)
{
    HttpFixture *fixture = *state;
    HttpCall call;

    origin_refuse(fixture->origin);
    call = http_call_post(fixture, 5);
    assert_int_equal(call.status, 0);
    assert_false(call.is_sent);
    assert_non_null(strstr(call.problem, "connect"));
    http_call_deinit(&call);
}

/* What ends before an answer, on a fresh connection: whether the body can have been seen. */
static void test_ends(void **state)
{
    static const struct {
        OriginTurn turn;
        size_t size;
        unsigned n_requests; /* that have come whole */
    } rows[] = {
        {{.when = ORIGIN_AT_HEAD, .end = ORIGIN_RESET}, 1000000, 0},
        {{.when = ORIGIN_AT_HEAD, .end = ORIGIN_CLOSE}, 1000000, 0},
        {{.when = ORIGIN_AT_REQUEST, .end = ORIGIN_RESET}, 5, 1},
        {{.when = ORIGIN_AT_REQUEST, .end = ORIGIN_CLOSE}, 5, 2},
        {{.when = ORIGIN_AT_REQUEST, .end = ORIGIN_CLOSE}, 1000000, 3},
        {{.when = ORIGIN_AT_REQUEST,
          .answer = "HTTP/1.1 100 Continue\r\n\r\n",
          .end = ORIGIN_RESET},
         5,
         4},
        {{.when = ORIGIN_AT_REQUEST, .answer = "HTTP/1.1 2", .end = ORIGIN_RESET}, 5, 5},
    };
    HttpFixture *fixture = *state;

    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        HttpCall call;

        origin_add(fixture->origin, &rows[i].turn);
        call = http_call_post(fixture, rows[i].size);
        assert_false(call.is_complete);
        assert_true(call.status < 200);
        assert_true(call.is_sent);
        assert_int_equal(fixture->origin->n_requests, rows[i].n_requests);
        assert_int_equal(fixture->origin->n_accepted, i + 1); /* no second try */
        http_call_deinit(&call);
    }
}

/* Reset before a byte was read: all that is asked for is that it is not taken for an answer, nor tried again. */
static void test_reset_at_once(void **state)
{
    HttpFixture *fixture = *state;
    HttpCall call;

    origin_add(fixture->origin, &(OriginTurn){.when = ORIGIN_AT_ACCEPT, .end = ORIGIN_RESET});
    call = http_call_post(fixture, 5);
    assert_int_equal(call.status, 0);
    assert_false(call.is_complete);
    origin_idle(fixture->origin, 50 * USEC_PER_MSEC);
    assert_int_equal(fixture->origin->n_accepted, 1);
    assert_int_equal(fixture->origin->n_requests, 0);
    http_call_deinit(&call);
}

/* An answer that comes before all of the body has gone out: it counts, and the body was sent in part. */
static void test_early_answer(void **state)
{
    HttpFixture *fixture = *state;
    HttpCall call;

    origin_add(fixture->origin, &(OriginTurn){
                                    .when = ORIGIN_AT_HEAD,
                                    .answer = "HTTP/1.1 413 X\r\nContent-Length: 2\r\n\r\n{}",
                                    .end = ORIGIN_HANG,
                                });
    call = http_call_post(fixture, BODY_BYTES_MAX);
    assert_int_equal(call.status, 413);
    assert_true(call.is_sent);
    assert_string_equal(call.body, "{}");
    http_call_deinit(&call);
}

/*
 * The one case in which libcurl sends a request twice of its own accord: a connection that was kept, and ends when the
 * next request has been sent on it, without a byte of an answer. A POST may have been carried out by then.
 */
static void test_post_is_not_sent_twice(void **state)
{
    static const struct {
        OriginTurn turn;
        size_t size;
    } rows[] = {
        {{.when = ORIGIN_AT_REQUEST, .end = ORIGIN_CLOSE}, 5},
        {{.when = ORIGIN_AT_REQUEST, .end = ORIGIN_RESET}, 5},
        {{.when = ORIGIN_AT_REQUEST, .end = ORIGIN_CLOSE}, 1000000},
        {{.when = ORIGIN_AT_REQUEST, .end = ORIGIN_RESET}, 1000000},
        {{.when = ORIGIN_AT_HEAD, .end = ORIGIN_CLOSE}, 1000000},
        {{.when = ORIGIN_AT_HEAD, .end = ORIGIN_RESET}, 1000000},
        {{.when = ORIGIN_AT_HEAD, .end = ORIGIN_RESET}, 5},
        {{.when = ORIGIN_AT_HEAD, .end = ORIGIN_RESET}, 1},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        HttpFixture *fixture;
        HttpCall call;

        http_call_setup_with((void **)&fixture, 16);
        origin_answer(fixture->origin, OK_ANSWER);
        origin_add(fixture->origin, &rows[i].turn);
        origin_answer(fixture->origin, OK_ANSWER); /* for whoever comes again */
        call = http_call_get(fixture);
        http_call_deinit(&call);
        call = http_call_post(fixture, rows[i].size);
        origin_idle(fixture->origin, 50 * USEC_PER_MSEC);
        if (http_call_count_posts(fixture->origin) > (rows[i].turn.when == ORIGIN_AT_REQUEST) ||
            fixture->origin->n_taken != 2)
            fail_msg("row %zu: sent again", i);
        assert_int_equal(call.status, 0);
        assert_false(call.is_complete);
        assert_true(call.is_sent);
        http_call_deinit(&call);
        http_call_teardown((void **)&fixture);
    }
}

/* A GET does no harm the second time. */
static void test_get_is_sent_again(void **state)
{
    HttpFixture *fixture = *state;
    HttpCall call;

    origin_answer(fixture->origin, OK_ANSWER);
    origin_add(fixture->origin, &(OriginTurn){.end = ORIGIN_CLOSE});
    origin_answer(fixture->origin, HEAD("Content-Length: 5\r\n") "again");
    call = http_call_get(fixture);
    http_call_deinit(&call);
    call = http_call_get(fixture);
    assert_int_equal(call.status, 200);
    assert_string_equal(call.body, "again");
    assert_int_equal(fixture->origin->n_requests, 3);
    assert_int_equal(fixture->origin->n_accepted, 2);
    http_call_deinit(&call);
}

/* A kept connection that the server has closed meanwhile: the POST goes out once, on a fresh one. */
static void test_post_after_a_dead_connection(void **state)
{
    HttpFixture *fixture = *state;
    HttpCall call;

    origin_add(fixture->origin, &(OriginTurn){.answer = OK_ANSWER, .end = ORIGIN_CLOSE});
    origin_answer(fixture->origin, OK_ANSWER);
    call = http_call_get(fixture);
    http_call_deinit(&call);
    call = http_call_post(fixture, 5);
    assert_int_equal(call.status, 200);
    assert_int_equal(http_call_count_posts(fixture->origin), 1);
    assert_int_equal(fixture->origin->n_accepted, 2);
    http_call_deinit(&call);
}

/* ---- time ---- */

static void assert_times_out(HttpFixture *fixture, const OriginTurn *turn, Secret *body, int status)
{
    usec_t begin = clock_boottime(), took;
    HttpCall call = {};

    origin_add(fixture->origin, turn);
    http_call_start_url(fixture, &call, origin_url(fixture->origin, "x"), body,
                        200 * USEC_PER_MSEC);
    http_call_await(fixture, &call);
    took = clock_boottime() - begin;
    assert_true(took >= 190 * USEC_PER_MSEC && took < ORIGIN_PATIENCE_USEC);
    assert_int_equal(call.status, status);
    assert_false(call.is_complete);
    assert_true(call.is_sent);
    assert_non_null(strstr(call.problem, "timed out"));
    http_call_deinit(&call);
}

static void test_timeouts(void **state)
{
    HttpFixture *fixture = *state;
    _cleanup_(secret_unrefp) Secret *small = http_call_body(5);
    _cleanup_(secret_unrefp) Secret *large = http_call_body(BODY_BYTES_MAX);

    assert_times_out(fixture, &(OriginTurn){.end = ORIGIN_HANG}, NULL, 0);
    assert_times_out(fixture, &(OriginTurn){.end = ORIGIN_HANG}, small, 0);
    assert_times_out(fixture, &(OriginTurn){.answer = "HTTP/1.1 200 O", .end = ORIGIN_HANG}, small,
                     0);
    assert_times_out(
        fixture, &(OriginTurn){.answer = HEAD("Content-Length: 5\r\n") "1234", .end = ORIGIN_HANG},
        small, 200);
    assert_times_out(fixture, &(OriginTurn){.when = ORIGIN_AT_HEAD, .end = ORIGIN_HANG}, large, 0);
    assert_int_equal(http_call_count_posts(fixture->origin), 3);
}

/* ---- cancelling ---- */

static void test_cancel(void **state)
{
    static const OriginTurn turns[] = {
        {.end = ORIGIN_HANG},
        {.answer = HEAD("Content-Length: 5\r\n") "1234", .end = ORIGIN_HANG},
    };
    HttpFixture *fixture = *state;
    _cleanup_(secret_unrefp) Secret *body = http_call_body(5);
    HttpCall call = {};

    /* Before the loop has run: nothing goes out. */
    http_call_start(fixture, &call, body);
    http_call_deinit(&call);
    origin_idle(fixture->origin, 20 * USEC_PER_MSEC);
    assert_int_equal(fixture->origin->n_requests, 0);
    /* When it was sent, and in the middle of the answer: the connection ends. */
    for (size_t i = 0; i < N_ELEMENTS(turns); i++) {
        origin_add(fixture->origin, &turns[i]);
        http_call_start(fixture, &call, body);
        origin_await_requests(fixture->origin, i + 1);
        origin_idle(fixture->origin, 20 * USEC_PER_MSEC);
        assert_int_equal(call.n_answers, 0);
        http_call_deinit(&call);
        origin_await(fixture->origin, &fixture->origin->n_ended, fixture->origin->n_accepted);
        assert_int_equal(call.n_answers, 0);
    }
    /* The next one is as any other. */
    origin_answer(fixture->origin, OK_ANSWER);
    call = http_call_get(fixture);
    assert_int_equal(call.status, 200);
    http_call_deinit(&call);
    assert_null(http_slot_free(NULL));
}

/* Two that are answered in one turn of the loop, and each of them cancels the other: one handler is called. */
static void test_cancel_in_a_handler(void **state)
{
    HttpFixture *fixture = *state;
    HttpCall a = {}, b = {};

    a.cancels = &b;
    b.cancels = &a;
    http_call_start(fixture, &a, NULL);
    http_call_start(fixture, &b, NULL);
    origin_await_requests(fixture->origin, 2);
    origin_answer(fixture->origin, OK_ANSWER);
    origin_answer(fixture->origin, OK_ANSWER);
    origin_idle(fixture->origin, 50 * USEC_PER_MSEC);
    assert_int_equal(a.n_answers + b.n_answers, 1);
    http_call_deinit(&a);
    http_call_deinit(&b);
}

typedef struct Chain {
    HttpFixture *fixture;
    HttpSlot *slot;
    unsigned n;
} Chain;

static void on_link(void *userdata, HttpAnswer *answer)
{
    Chain *chain = userdata;
    const HttpRequest request = {
        .method = "GET",
        .url = origin_url(chain->fixture->origin, "x"),
        .authorization = chain->fixture->authorization,
        .timeout = ORIGIN_PATIENCE_USEC,
    };

    assert_int_equal(answer->status, 200);
    chain->slot = NULL;
    if (++chain->n < 10)
        assert_int_equal(http_start(chain->fixture->http, &request, on_link, chain, &chain->slot),
                         0);
}

/* A handler starts the next one. */
static void test_start_in_a_handler(void **state)
{
    Chain chain = {.fixture = *state};
    HttpAnswer begin = {.status = 200};

    for (int i = 0; i < 9; i++)
        origin_answer(chain.fixture->origin, OK_ANSWER);
    on_link(&chain, &begin);
    origin_await(chain.fixture->origin, &chain.n, 10);
    assert_int_equal(chain.fixture->origin->n_accepted, 1);
}

/* ---- many ---- */

/* A request that takes long holds up no other, also when it is the first of all. */
static void test_side_by_side(void **state)
{
    HttpFixture *fixture = *state;
    HttpCall calls[3] = {};

    for (size_t i = 0; i < N_ELEMENTS(calls); i++)
        http_call_start(fixture, &calls[i], NULL);
    origin_await_requests(fixture->origin, N_ELEMENTS(calls));
    for (size_t i = 0; i < N_ELEMENTS(calls); i++)
        origin_answer(fixture->origin, OK_ANSWER);
    for (size_t i = 0; i < N_ELEMENTS(calls); i++) {
        http_call_await(fixture, &calls[i]);
        http_call_deinit(&calls[i]);
    }
}

static void test_connection_ceiling(void **state)
{
    HttpCall calls[64] = {};
    HttpFixture *fixture;

    (void)state;
    http_call_setup_with((void **)&fixture, 4);
    for (size_t i = 0; i < N_ELEMENTS(calls); i++)
        http_call_start(fixture, &calls[i], NULL);
    origin_await_requests(fixture->origin, 4);
    origin_idle(fixture->origin, 20 * USEC_PER_MSEC);
    assert_int_equal(fixture->origin->n_requests, 4);
    for (size_t i = 0; i < N_ELEMENTS(calls); i++)
        origin_answer(fixture->origin, OK_ANSWER);
    for (size_t i = 0; i < N_ELEMENTS(calls); i++) {
        http_call_await(fixture, &calls[i]);
        assert_int_equal(calls[i].status, 200);
        assert_int_equal(calls[i].n_answers, 1);
        http_call_deinit(&calls[i]);
    }
    assert_int_equal(fixture->origin->n_requests, N_ELEMENTS(calls));
    assert_int_equal(fixture->origin->n_open_max, 4);
    http_call_teardown((void **)&fixture);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, http_call_setup, http_call_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_refused),
        TEST(test_ends),
        TEST(test_reset_at_once),
        TEST(test_early_answer),
        cmocka_unit_test(test_post_is_not_sent_twice),
        TEST(test_get_is_sent_again),
        TEST(test_post_after_a_dead_connection),
        TEST(test_timeouts),
        TEST(test_cancel),
        TEST(test_cancel_in_a_handler),
        TEST(test_start_in_a_handler),
        TEST(test_side_by_side),
        cmocka_unit_test(test_connection_ceiling),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
