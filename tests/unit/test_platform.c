/*
 * Questions as requests, byte by byte; and answers of every status as outcomes.
 */

#include "daemon/platform.h"

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
#include "tests/unit/ask.h"

#define WORDS "{\"requestId\":\"56c5e8d5e4b0d8b7f3a1c9d2\",\"message\":\"Sorry.\"}"
#define TOKEN "AfYuaYxrBBbeSsE47JUwnOW/wYoBOx+rKoYh7rmd5lg="

typedef struct Fixture {
    Account account;
} Fixture;

static int setup(void **state)
{
    Fixture *fixture = calloc(1, sizeof(*fixture));

    fixture->account.name = "default";
    fixture->account.url = "https://example.com/elements/api-v2";
    assert_int_equal(secret_new("us+/=", 5, &fixture->account.user), 0);
    assert_int_equal(secret_new("os+/=", 5, &fixture->account.organization), 0);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    Fixture *fixture = *state;

    secret_unref(fixture->account.user);
    secret_unref(fixture->account.organization);
    free(fixture);
    return 0;
}

/* ---- requests ---- */

static void assert_request(const PlatformQuestion *question, const char *method, const char *url,
                           const Secret *body)
{
    _cleanup_(secret_unrefp) Secret *authorization = NULL;
    _cleanup_(freep) char *got_url = NULL;
    HttpRequest request;

    assert_int_equal(platform_format(question, &request, &got_url, &authorization), 0);
    assert_string_equal(request.method, method);
    assert_string_equal(request.url, url);
    assert_ptr_equal(request.url, got_url);
    /* In this order, and without Element, whatever is asked. */
    assert_string_equal(secret_reveal(request.authorization), "User us+/=, Organization os+/=");
    assert_ptr_equal(request.authorization, authorization);
    assert_ptr_equal(request.body, body);
    assert_ptr_equal(request.ca_file, question->account->ca_file);
    assert_int_equal(request.timeout, question->timeout);
}

static void test_requests(void **state)
{
    Fixture *fixture = *state;
    _cleanup_(secret_unrefp) Secret *body = NULL;
    PlatformQuestion question = {
        .account = &fixture->account,
        .owner = "o",
        .id = 42,
        .element = "jira",
        .timeout = 7 * USEC_PER_SEC,
    };

    assert_int_equal(secret_new("{}", 2, &body), 0);
    question.body = body;
    fixture->account.ca_file = (char *)"/ca.pem";
    question.method = PLATFORM_LIST;
    assert_request(
        &question, "GET",
        "https://example.com/elements/api-v2/instances?tags%5B%5D=elementd.o&pageSize=100", NULL);
    question.page = "p1";
    assert_request(
        &question, "GET",
        "https://example.com/elements/api-v2/instances?tags%5B%5D=elementd.o&pageSize=100"
        "&nextPage=p1",
        NULL);
    question.method = PLATFORM_READ;
    assert_request(&question, "GET", "https://example.com/elements/api-v2/instances/42", NULL);
    question.id = INT64_MAX;
    assert_request(&question, "GET",
                   "https://example.com/elements/api-v2/instances/9223372036854775807", NULL);
    question.method = PLATFORM_CREATE;
    assert_request(&question, "POST", "https://example.com/elements/api-v2/instances", body);
    question.id = 42;
    question.method = PLATFORM_UPDATE;
    assert_request(&question, "PUT", "https://example.com/elements/api-v2/instances/42", body);
    question.method = PLATFORM_RELABEL;
    assert_request(&question, "PATCH", "https://example.com/elements/api-v2/instances/42", body);
    question.method = PLATFORM_DELETE;
    assert_request(&question, "DELETE", "https://example.com/elements/api-v2/instances/42", NULL);
    question.method = PLATFORM_EXPLAIN;
    assert_request(&question, "GET",
                   "https://example.com/elements/api-v2/elements/jira/configuration", NULL);
}

/* Whatever stands in an owner, a page token or an element: it stays one value of one parameter. */
static void test_request_escapes(void **state)
{
    static const char hostile[] = "a b&c=d?e#f/g%41+\"<>\\^`{|}\r\n\t\x7F;:@,!$'()*[]\xC3\xA4-._~";
#define ESCAPED                                                                                    \
    "a%20b%26c%3Dd%3Fe%23f%2Fg%2541%2B%22%3C%3E%5C%5E%60%7B%7C%7D%0D%0A%09%7F%3B%3A%40%2C%21%24"   \
    "%27%28%29%2A%5B%5D%C3%A4-._~"
    Fixture *fixture = *state;
    PlatformQuestion question = {
        .method = PLATFORM_LIST,
        .account = &fixture->account,
        .owner = hostile,
        .page = hostile,
        .element = hostile,
    };

    assert_request(&question, "GET",
                   "https://example.com/elements/api-v2/instances?tags%5B%5D=elementd." ESCAPED
                   "&pageSize=100&nextPage=" ESCAPED,
                   NULL);
    question.method = PLATFORM_EXPLAIN;
    assert_request(&question, "GET",
                   "https://example.com/elements/api-v2/elements/" ESCAPED "/configuration", NULL);
}

/* A page token of a hostile platform that makes the URL larger than any: an error, not a cut URL. */
static void test_request_is_too_long(void **state)
{
    Fixture *fixture = *state;
    _cleanup_(freep) char *page = malloc(HTTP_HEADER_BYTES_MAX + 1);
    PlatformQuestion question = {
        .method = PLATFORM_LIST, .account = &fixture->account, .owner = "o", .page = page};
    Secret *authorization = NULL;
    HttpRequest request;
    char *url = NULL;

    memset(page, 'p', HTTP_HEADER_BYTES_MAX);
    page[HTTP_HEADER_BYTES_MAX] = '\0';
    assert_true(platform_format(&question, &request, &url, &authorization) < 0);
    assert_null(url);
    assert_null(authorization);
}

/* ---- statuses ---- */

/* What kind of body a row is about. */
typedef enum Body {
    ANY = 7,
    SIGNED = 1, /* the platform's own: words and request id */
    HALF = 2,   /* one of the two, as gateways have them too */
    OTHER = 4,  /* of a gateway, or none */
    SPOKEN = SIGNED | HALF,
    UNSIGNED = HALF | OTHER,
} Body;

typedef enum Retry {
    EITHER,
    WITH,
    WITHOUT,
} Retry;

/* clang-format off */
static const struct {
    int status;
    Body body;
    Retry retry_after;
    PlatformOutcome list, read, create, explain;
} statuses[] = {
    {100, ANY,   EITHER,  UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN},
    {199, ANY,   EITHER,  UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN},
    {300, SPOKEN, EITHER, REFUSED, REFUSED, REFUSED, REFUSED},
    {300, OTHER, EITHER,  BUSY,    BUSY,    UNKNOWN, BUSY},
    {301, SPOKEN, EITHER, REFUSED, REFUSED, REFUSED, REFUSED},
    {301, OTHER, EITHER,  BUSY,    BUSY,    UNKNOWN, BUSY},
    {302, SPOKEN, EITHER, REFUSED, REFUSED, REFUSED, REFUSED},
    {302, OTHER, EITHER,  BUSY,    BUSY,    UNKNOWN, BUSY},
    {304, SPOKEN, EITHER, REFUSED, REFUSED, REFUSED, REFUSED},
    {304, OTHER, EITHER,  BUSY,    BUSY,    UNKNOWN, BUSY},
    {307, SPOKEN, EITHER, REFUSED, REFUSED, REFUSED, REFUSED},
    {307, OTHER, EITHER,  BUSY,    BUSY,    UNKNOWN, BUSY},
    {308, SPOKEN, EITHER, REFUSED, REFUSED, REFUSED, REFUSED},
    {308, OTHER, EITHER,  BUSY,    BUSY,    UNKNOWN, BUSY},
    {399, SPOKEN, EITHER, REFUSED, REFUSED, REFUSED, REFUSED},
    {399, OTHER, EITHER,  BUSY,    BUSY,    UNKNOWN, BUSY},
    {400, SPOKEN, EITHER, REFUSED, REFUSED, REFUSED, REFUSED},
    {400, OTHER, EITHER,  BUSY,    BUSY,    UNKNOWN, BUSY},
    {401, ANY,   EITHER,  UNAUTHORIZED, UNAUTHORIZED, UNAUTHORIZED, UNAUTHORIZED},
    {402, SPOKEN, EITHER, FORBIDDEN, FORBIDDEN, FORBIDDEN, FORBIDDEN},
    {402, OTHER, EITHER,  BUSY,    BUSY,    UNKNOWN, BUSY},
    {403, SPOKEN, EITHER, FORBIDDEN, FORBIDDEN, FORBIDDEN, FORBIDDEN},
    {403, OTHER, EITHER,  BUSY,    BUSY,    UNKNOWN, BUSY},
    /* That there is none is believed in the platform's own words alone. */
    {404, SIGNED, EITHER, OK,      ABSENT,  REFUSED, ABSENT},
    {404, UNSIGNED, EITHER, BUSY,  BUSY,    UNKNOWN, BUSY},
    {405, SPOKEN, EITHER, REFUSED, REFUSED, REFUSED, REFUSED},
    {405, OTHER, EITHER,  BUSY,    BUSY,    UNKNOWN, BUSY},
    {406, SPOKEN, EITHER, REFUSED, REFUSED, REFUSED, REFUSED},
    {406, OTHER, EITHER,  BUSY,    BUSY,    UNKNOWN, BUSY},
    {407, SPOKEN, EITHER, REFUSED, REFUSED, REFUSED, REFUSED},
    {407, OTHER, EITHER,  BUSY,    BUSY,    UNKNOWN, BUSY},
    {408, ANY,   EITHER,  UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN},
    {409, ANY,   EITHER,  UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN},
    {410, SPOKEN, EITHER, REFUSED, REFUSED, REFUSED, REFUSED},
    {410, OTHER, EITHER,  BUSY,    BUSY,    UNKNOWN, BUSY},
    /* Also "took too long": without a time to come back, it may be at work. */
    {413, ANY,   WITHOUT, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN},
    {413, ANY,   WITH,    BUSY,    BUSY,    BUSY,    BUSY},
    {415, SPOKEN, EITHER, REFUSED, REFUSED, REFUSED, REFUSED},
    {415, OTHER, EITHER,  BUSY,    BUSY,    UNKNOWN, BUSY},
    {418, SPOKEN, EITHER, REFUSED, REFUSED, REFUSED, REFUSED},
    {418, OTHER, EITHER,  BUSY,    BUSY,    UNKNOWN, BUSY},
    {422, SPOKEN, EITHER, REFUSED, REFUSED, REFUSED, REFUSED},
    {422, OTHER, EITHER,  BUSY,    BUSY,    UNKNOWN, BUSY},
    {429, ANY,   WITHOUT, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN},
    {429, ANY,   WITH,    BUSY,    BUSY,    BUSY,    BUSY},
    {499, SPOKEN, EITHER, REFUSED, REFUSED, REFUSED, REFUSED},
    {499, OTHER, EITHER,  BUSY,    BUSY,    UNKNOWN, BUSY},
    {500, ANY,   EITHER,  UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN},
    {501, ANY,   EITHER,  UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN},
    {502, ANY,   EITHER,  UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN},
    {503, ANY,   WITHOUT, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN},
    {503, ANY,   WITH,    BUSY,    BUSY,    BUSY,    BUSY},
    {504, ANY,   EITHER,  UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN},
    {520, ANY,   EITHER,  UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN},
    {599, ANY,   EITHER,  UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN},
    {600, ANY,   EITHER,  UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN},
    {999, ANY,   EITHER,  UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN},
};
/* clang-format on */

static void test_statuses(void **state)
{
    /* An error that carries an instance, or a list, changes nothing: it is not an answer to the question. */
    static const struct {
        const char *text;
        Body body;
    } bodies[] = {
        {WORDS, SIGNED},
        {"{\"message\":\"Sorry.\"}", HALF},
        {"{\"requestId\":\"56c5e8d5e4b0d8b7f3a1c9d2\"}", HALF},
        {WORDS "<", SIGNED},
        {"<html><body>Sorry.</body></html>", OTHER},
        {"", OTHER},
        {"[]", OTHER},
        {"[{\"id\":42,\"token\":\"t\",\"tags\":[\"elementd.o\",\"elementd.o.i\"]}]", OTHER},
        {"{\"id\":42,\"token\":\"t\"}", OTHER},
        {"{\"message\":null}", OTHER},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(statuses); i++)
        for (size_t j = 0; j < N_ELEMENTS(bodies); j++)
            for (int is_retry = 0; is_retry < 2; is_retry++)
                for (int is_broken = 0; is_broken < 2; is_broken++) {
                    Ask question = {
                        .text = bodies[j].text,
                        .status = statuses[i].status,
                        .retry_after = is_retry ? 5 * USEC_PER_SEC : 0,
                        .is_broken = is_broken,
                    };

                    if (!(statuses[i].body & bodies[j].body) ||
                        (statuses[i].retry_after != EITHER &&
                         (statuses[i].retry_after == WITH) != is_retry))
                        continue;
                    question.method = PLATFORM_LIST;
                    ask_assert_outcome(&question, statuses[i].list);
                    question.method = PLATFORM_READ;
                    ask_assert_outcome(&question, statuses[i].read);
                    question.method = PLATFORM_CREATE;
                    ask_assert_outcome(&question, statuses[i].create);
                    question.method = PLATFORM_EXPLAIN;
                    ask_assert_outcome(&question, statuses[i].explain);
                }
}

/* No creation is ever taken for made, or for absent, by a status that is no success. */
static void test_no_status_creates(void **state)
{
    (void)state;
    for (int status = 100; status < 1000; status++) {
        PlatformAnswer answer;

        if (status >= 200 && status < 300)
            continue;
        answer = ask_read(&(Ask){
            .method = PLATFORM_CREATE, .status = status, .text = "{\"id\":42,\"token\":\"t\"}"});
        if (answer.outcome == PLATFORM_DONE || answer.outcome == PLATFORM_ABSENT)
            fail_msg("status %d made an instance", status);
        assert_int_equal(answer.n_instances, 0);
        platform_answer_deinit(&answer);
    }
}

static void test_error_words(void **state)
{
    PlatformAnswer answer = ask_read(&(Ask){
        .method = PLATFORM_CREATE,
        .status = 400,
        .text =
            "{\"requestId\":\"0123456789abcdefABCDEF01\",\"message\":\"Missing\\nfield\",\"providerMessage\":\"no\"}",
    });

    (void)state;
    assert_string_equal(answer.problem, "Missing field (HTTP 400); the vendor says: no");
    assert_string_equal(answer.request_id, "0123456789abcdefABCDEF01");
    platform_answer_deinit(&answer);
    answer = ask_read(&(Ask){.method = PLATFORM_LIST, .status = 502, .text = "<html>"});
    assert_string_equal(answer.problem, "bad gateway (HTTP 502)");
    assert_null(answer.request_id);
    platform_answer_deinit(&answer);
    /* A list that is empty is no problem. */
    answer = ask_read(&(Ask){.method = PLATFORM_LIST, .status = 404, .text = WORDS});
    assert_null(answer.problem);
    assert_int_equal(answer.n_instances, 0);
    assert_null(answer.next_page);
    platform_answer_deinit(&answer);
}

/* However long the platform's words: a record and a reply can hold what becomes of them. */
static void test_error_words_are_cut(void **state)
{
    (void)state;
    for (size_t n_before = 0; n_before < 8; n_before++) {
        char text[8192] = "{\"providerMessage\":\"";
        PlatformAnswer answer;

        memset(text + strlen(text), 'x', n_before);
        for (int i = 0; i < 500; i++)
            memcpy(text + strlen(text), "\xF0\x9F\x98\x80", 5);
        (void)snprintf(text + strlen(text), sizeof(text) - strlen(text),
                       "\",\"message\":\"%0300d\",\"requestId\":\"%0100d\"}", 0, 0);
        answer = ask_read(&(Ask){.method = PLATFORM_CREATE, .status = 400, .text = text});
        assert_in_range(strlen(answer.problem), 1, PROBLEM_BYTES_MAX + 128);
        assert_true(utf8_is_valid(answer.problem, strlen(answer.problem)));
        assert_null(answer.request_id);
        platform_answer_deinit(&answer);
    }
}

/* What was sent in confidence, and comes back in a message, is not shown. */
static void test_secrets_are_hidden(void **state)
{
    static const char body[] = "{\"name\":\"public\",\"configuration\":{\"a\":\"hunter2\","
                               "\"b\":\"abc\",\"c\":\"two words\",\"d\":\"\"}}";
    Fixture *fixture = *state;
    _cleanup_(secret_unrefp) Secret *secret_body = NULL;
    _cleanup_(secret_unrefp) Secret *token = NULL;
    PlatformQuestion question = {.method = PLATFORM_CREATE, .account = &fixture->account};
    HttpAnswer http = {.status = 400, .is_complete = true, .body = BUFFER_INIT(4096)};
    PlatformAnswer answer;

    assert_int_equal(secret_new(body, strlen(body), &secret_body), 0);
    assert_int_equal(secret_new(TOKEN, strlen(TOKEN), &token), 0);
    question.body = secret_body;
    question.token = token;
    assert_int_equal(
        buffer_append_string(&http.body,
                             "{\"message\":\"public: hunter2, hunter2hunter2 abc; two words\","
                             "\"providerMessage\":\"us+/= os+/=" TOKEN "\"}"),
        0);
    assert_int_equal(platform_read(&question, &http, &answer), 0);
    assert_string_equal(answer.problem,
                        "public: ***, *** abc; *** (HTTP 400); the vendor says: *** ***");
    platform_answer_deinit(&answer);
    buffer_deinit(&http.body);
}

static void test_transport(void **state)
{
    PlatformAnswer answer;

    (void)state;
    for (PlatformMethod method = PLATFORM_LIST; method < PLATFORM_N_METHODS; method++) {
        bool has_body = method == PLATFORM_CREATE || method == PLATFORM_UPDATE ||
                        method == PLATFORM_RELABEL;

        ask_assert_outcome(&(Ask){.method = method, .is_not_sent = true, .is_broken = true}, BUSY);
        ask_assert_outcome(&(Ask){.method = method, .is_broken = true}, has_body ? UNKNOWN : BUSY);
        /* Bytes that came without a status are nobody's answer. */
        ask_assert_outcome(&(Ask){.method = method, .text = "{\"id\":42,\"token\":\"t\"}"},
                           has_body ? UNKNOWN : BUSY);
    }
    answer = ask_read(&(Ask){.method = PLATFORM_READ, .problem = "Connection\nrefused by \xFF"});
    assert_string_equal(answer.problem, "cannot reach the platform: Connection refused by ?");
    platform_answer_deinit(&answer);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_requests),
        TEST(test_request_escapes),
        TEST(test_request_is_too_long),
        cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_no_status_creates),
        cmocka_unit_test(test_error_words),
        cmocka_unit_test(test_error_words_are_cut),
        TEST(test_secrets_are_hidden),
        cmocka_unit_test(test_transport),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
