/*
 * HTTP: the bytes of a request on the wire, and answers of all kinds, whole, broken and too large.
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
#include "base/utf8.h"
#include "tests/unit/http_call.h"

/* ---- the request ---- */

#define HOST "Host: 127.0.0.1:%u\r\n"

static void test_get(void **state)
{
    HttpFixture *fixture = *state;
    char expected[512];
    HttpCall call = {};

    origin_answer(fixture->origin, OK_ANSWER);
    http_call_start_url(fixture, &call, origin_url(fixture->origin, "a%20b?tags%5B%5D=x&y=%2F"),
                        NULL, ORIGIN_PATIENCE_USEC);
    http_call_await(fixture, &call);
    (void)snprintf(expected, sizeof(expected),
                   "GET /a%%20b?tags%%5B%%5D=x&y=%%2F HTTP/1.1\r\n" HOST
                   "User-Agent: elementd/" ELEMENTD_VERSION "\r\n"
                   "Authorization: User u, Organization o\r\nAccept: application/json\r\n\r\n",
                   fixture->origin->port);
    assert_string_equal(origin_request(fixture->origin, 0), expected);
    assert_int_equal(call.status, 200);
    assert_true(call.is_complete);
    assert_true(call.is_sent); /* there was no body to be held back */
    assert_string_equal(call.body, "{}");
    http_call_deinit(&call);
}

static void test_post(void **state)
{
    HttpFixture *fixture = *state;
    char expected[512];
    HttpCall call;

    origin_answer(fixture->origin, OK_ANSWER);
    call = http_call_post(fixture, 5);
    (void)snprintf(expected, sizeof(expected),
                   "POST /x HTTP/1.1\r\n" HOST "User-Agent: elementd/" ELEMENTD_VERSION "\r\n"
                   "Authorization: User u, Organization o\r\nAccept: application/json\r\n"
                   "Content-Type: application/json\r\nContent-Length: 5\r\n\r\nbbbbb",
                   fixture->origin->port);
    assert_string_equal(origin_request(fixture->origin, 0), expected);
    assert_int_equal(call.status, 200);
    assert_true(call.is_sent);
    http_call_deinit(&call);
}

/* Above 1 MiB libcurl would ask first whether it may: old gateways never answer that. */
static void test_large_post(void **state)
{
    HttpFixture *fixture = *state;
    const char *request;
    HttpCall call;

    origin_answer(fixture->origin, OK_ANSWER);
    call = http_call_post(fixture, BODY_BYTES_MAX + 1);
    request = origin_request(fixture->origin, 0);
    assert_non_null(strstr(request, "\r\nContent-Length: 1048577\r\n"));
    assert_null(strcasestr(request, "\r\nExpect:"));
    assert_null(strcasestr(request, "\r\nTransfer-Encoding:"));
    assert_int_equal(strlen(strstr(request, "\r\n\r\n") + 4), BODY_BYTES_MAX + 1);
    assert_true(call.is_complete);
    http_call_deinit(&call);
}

/* Connections are reused, and nothing of one answer goes into the next request. */
static void test_reuse(void **state)
{
    HttpFixture *fixture = *state;
    HttpCall call;

    origin_answer(fixture->origin, HEAD("Set-Cookie: a=b; Path=/\r\nContent-Length: 0\r\n"));
    origin_answer(fixture->origin, OK_ANSWER);
    for (int i = 0; i < 2; i++) {
        call = http_call_get(fixture);
        assert_int_equal(call.status, 200);
        http_call_deinit(&call);
    }
    assert_string_equal(origin_request(fixture->origin, 0), origin_request(fixture->origin, 1));
    assert_int_equal(fixture->origin->n_accepted, 1);
    fixture->http = http_free(fixture->http);
    origin_await(fixture->origin, &fixture->origin->n_ended, 1);
}

/* A loopback address is asked itself: its secrets must not go to a proxy. */
static void test_no_proxy(void **state)
{
    HttpFixture *fixture = *state;
    HttpCall call;

    (void)setenv("http_proxy", "http://127.0.0.1:1", 1);
    (void)setenv("all_proxy", "http://127.0.0.1:1", 1);
    origin_answer(fixture->origin, OK_ANSWER);
    call = http_call_get(fixture);
    (void)unsetenv("http_proxy");
    (void)unsetenv("all_proxy");
    assert_int_equal(call.status, 200);
    http_call_deinit(&call);
}

static void on_no_answer(void *userdata, HttpAnswer *answer)
{
    (void)userdata;
    (void)answer;
    fail_msg("nothing was asked");
}

/* An authorization larger than any header: refused before anything is sent. */
static void test_authorization_is_too_long(void **state)
{
    HttpFixture *fixture = *state;
    _cleanup_(secret_unrefp) Secret *long_one = http_call_body(HTTP_HEADER_BYTES_MAX);
    const HttpRequest request = {
        .method = "GET",
        .url = origin_url(fixture->origin, "x"),
        .authorization = long_one,
        .timeout = USEC_PER_SEC,
    };
    HttpSlot *slot = NULL;

    assert_true(http_start(fixture->http, &request, on_no_answer, NULL, &slot) < 0);
    assert_null(slot);
    origin_idle(fixture->origin, 10 * USEC_PER_MSEC);
    assert_int_equal(fixture->origin->n_accepted, 0);
}

/* ---- the answer ---- */

static void test_statuses(void **state)
{
    static const int statuses[] = {200, 204, 301, 302, 307, 308, 400, 401,
                                   403, 404, 407, 417, 429, 500, 503, 999};
    HttpFixture *fixture = *state;
    char answers[N_ELEMENTS(statuses)][256];

    for (size_t i = 0; i < N_ELEMENTS(statuses); i++) {
        bool has_body = statuses[i] != 204;
        HttpCall call;

        (void)snprintf(answers[i], sizeof(answers[i]),
                       "HTTP/1.1 %d X\r\nLocation: /elsewhere\r\nWWW-Authenticate: Basic\r\n"
                       "Proxy-Authenticate: Basic\r\n%s\r\n%s",
                       statuses[i], has_body ? "Content-Length: 2\r\n" : "", has_body ? "{}" : "");
        origin_answer(fixture->origin, answers[i]);
        call = http_call_post(fixture, 5);
        assert_int_equal(call.status, statuses[i]);
        assert_true(call.is_complete);
        assert_string_equal(call.body, has_body ? "{}" : "");
        http_call_deinit(&call);
    }
    /* None was followed, none was tried again. */
    assert_int_equal(fixture->origin->n_requests, N_ELEMENTS(statuses));
    for (size_t i = 0; i < N_ELEMENTS(statuses); i++)
        assert_int_equal(strncmp(origin_request(fixture->origin, i), "POST /x ", 8), 0);
}

static void test_interim_answers(void **state)
{
    HttpFixture *fixture = *state;
    HttpCall call;

    origin_answer(fixture->origin,
                  "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nRetry-After: "
                  "7\r\nElements-Next-Page-Token: no\r\n\r\n" OK_ANSWER);
    call = http_call_post(fixture, 5);
    assert_int_equal(call.status, 200);
    assert_string_equal(call.body, "{}");
    assert_null(call.next_page);
    http_call_deinit(&call);
}

static void test_headers(void **state)
{
    static const struct {
        const char *lines;
        const char *next_page;
        usec_t retry_after;
    } rows[] = {
        {"", NULL, 0},
        {"Elements-Next-Page-Token: p+/=\r\n", "p+/=", 0},
        {"elements-next-page-token:   p  \r\n", "p", 0},
        {"Elements-Next-Page-Token:\r\n", NULL, 0},
        {"X-Elements-Next-Page-Token: p\r\n", NULL, 0},
        {"Retry-After: 7\r\n", NULL, 7 * USEC_PER_SEC},
        {"Retry-After: 3600\r\n", NULL, RETRY_AFTER_MAX_USEC},
        {"Retry-After: 3601\r\n", NULL, RETRY_AFTER_MAX_USEC},
        {"Retry-After: 9999999999\r\n", NULL, RETRY_AFTER_MAX_USEC},
        {"Retry-After: Fri, 31 Dec 2100 23:59:59 GMT\r\n", NULL, RETRY_AFTER_MAX_USEC},
        {"Retry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n", NULL, 0},
        {"Retry-After: 0\r\n", NULL, 0},
        {"Retry-After: -7\r\n", NULL, 0},
        {"Retry-After: soon\r\n", NULL, 0},
        {"Retry-After:\r\n", NULL, 0},
    };
    HttpFixture *fixture = *state;
    char answers[N_ELEMENTS(rows)][256];

    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        HttpCall call;

        (void)snprintf(answers[i], sizeof(answers[i]), HEAD("%sContent-Length: 0\r\n"),
                       rows[i].lines);
        origin_answer(fixture->origin, answers[i]);
        call = http_call_get(fixture);
        assert_int_equal(call.status, 200);
        if (!call.next_page != !rows[i].next_page || call.retry_after != rows[i].retry_after)
            fail_msg("%s: page %s, %llu µs", rows[i].lines, call.next_page ? call.next_page : "",
                     (unsigned long long)call.retry_after);
        if (rows[i].next_page)
            assert_string_equal(call.next_page, rows[i].next_page);
        http_call_deinit(&call);
    }
}

/* A body ends as it is announced, or with the connection. */
static void test_bodies(void **state)
{
    static const struct {
        OriginTurn turn;
        const char *body;
        bool is_complete;
    } rows[] = {
        {{.answer = HEAD("Content-Length: 5\r\n") "12345"}, "12345", true},
        {{.answer = HEAD("Transfer-Encoding: chunked\r\n") "2\r\n12\r\n3\r\n345\r\n0\r\n\r\n"},
         "12345",
         true},
        {{.answer = HEAD("") "12345", .end = ORIGIN_CLOSE}, "12345", true},
        {{.answer = HEAD("Connection: close\r\n"), .end = ORIGIN_CLOSE}, "", true},
        {{.answer = HEAD("Content-Length: 5\r\n") "1234", .end = ORIGIN_CLOSE}, "1234", false},
        {{.answer = HEAD("Content-Length: 5\r\n"), .end = ORIGIN_CLOSE}, "", false},
        {{.answer = HEAD("Transfer-Encoding: chunked\r\n") "5\r\n1234", .end = ORIGIN_CLOSE},
         "1234",
         false},
        {{.answer = HEAD("Transfer-Encoding: chunked\r\n") "5\r\n12345\r\n", .end = ORIGIN_CLOSE},
         "12345",
         false},
        {{.answer = HEAD("Transfer-Encoding: chunked\r\n") "x\r\n12345\r\n", .end = ORIGIN_CLOSE},
         "",
         false},
        {{.answer = HEAD("Content-Length: 5\r\n") "1234", .end = ORIGIN_RESET}, "1234", false},
    };
    HttpFixture *fixture = *state;

    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        HttpCall call;

        origin_add(fixture->origin, &rows[i].turn);
        call = http_call_get(fixture);
        assert_int_equal(call.status, 200);
        if (call.is_complete != rows[i].is_complete || strcmp(call.body, rows[i].body) != 0)
            fail_msg("%s: %scomplete, body %s", rows[i].turn.answer, call.is_complete ? "" : "in",
                     call.body);
        http_call_deinit(&call);
    }
}

/* At the ceiling and one past it, announced and not announced. */
static void test_body_ceiling(void **state)
{
    HttpFixture *fixture = *state;
    size_t room = HTTP_BODY_BYTES_MAX + 256;
    _cleanup_(freep) char *answer = malloc(room);

    for (int n_over = 0; n_over < 2; n_over++)
        for (int is_announced = 0; is_announced < 2; is_announced++) {
            size_t size = HTTP_BODY_BYTES_MAX + (size_t)n_over;
            int head;
            HttpCall call;

            head = is_announced ? snprintf(answer, room, HEAD("Content-Length: %zu\r\n"), size)
                                : snprintf(answer, room, HEAD("X: y\r\n"));
            memset(answer + head, 'x', size);
            origin_add(
                fixture->origin,
                &(OriginTurn){.answer = answer, .size = (size_t)head + size, .end = ORIGIN_CLOSE});
            call = http_call_get(fixture);
            assert_int_equal(call.status, 200);
            assert_int_equal(call.is_complete, n_over == 0);
            if (n_over > 0)
                assert_string_equal(call.problem, "the answer is larger than 16 MiB");
            else
                assert_int_equal(call.size, size);
            http_call_deinit(&call);
        }
}

/* Headers without end end the request, not our memory. */
static void test_header_bomb(void **state)
{
    static const char line[] =
        "X-Padding: 0123456789012345678901234567890123456789012345678901\r\n";
    HttpFixture *fixture = *state;
    size_t size = 8 * 1024 * 1024;
    _cleanup_(freep) char *answer = malloc(size);

    for (int is_one_line = 0; is_one_line < 2; is_one_line++) {
        HttpCall call;

        for (size_t i = 0; i < size; i++)
            answer[i] = is_one_line ? 'x' : line[i % strlen(line)];
        memcpy(answer, "HTTP/1.1 200 OK\r\nX: ", 20);
        if (!is_one_line)
            memcpy(answer + 20, "\r\n", 2);
        origin_add(fixture->origin,
                   &(OriginTurn){.answer = answer, .size = size, .end = ORIGIN_CLOSE});
        call = http_call_get(fixture);
        assert_false(call.is_complete);
        assert_int_equal(call.size, 0);
        http_call_deinit(&call);
    }
}

static void test_garbage(void **state)
{
    static const char *const answers[] = {
        "garbage",
        "garbage\r\n\r\n",
        "<html></html>",
        "{\"id\":42,\"token\":\"t\"}",
        "HTTP/1.1 abc\r\n\r\n",
        "HTTP/1.1 99 X\r\nContent-Length: 0\r\n\r\n",
        "HTTP/7.3 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP",
        "\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01",
        "ICY 200 OK\r\n\r\n",
    };
    HttpFixture *fixture = *state;

    for (size_t i = 0; i < N_ELEMENTS(answers); i++) {
        HttpCall call;

        origin_add(fixture->origin, &(OriginTurn){.answer = answers[i], .end = ORIGIN_CLOSE});
        call = http_call_post(fixture, 5);
        if (call.is_complete || call.size > 0 || (call.status >= 200 && call.status < 300))
            fail_msg("%s: status %d", answers[i], call.status);
        assert_true(call.is_sent);
        assert_true(utf8_is_valid(call.problem, strlen(call.problem)));
        http_call_deinit(&call);
    }
    assert_int_equal(http_call_count_posts(fixture->origin), N_ELEMENTS(answers));
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, http_call_setup, http_call_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_get),          TEST(test_post),
        TEST(test_large_post),   TEST(test_reuse),
        TEST(test_no_proxy),     TEST(test_authorization_is_too_long),
        TEST(test_statuses),     TEST(test_interim_answers),
        TEST(test_headers),      TEST(test_bodies),
        TEST(test_body_ceiling), TEST(test_header_bomb),
        TEST(test_garbage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
