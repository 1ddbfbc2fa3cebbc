/*
 * libelementd: each of its calls, and what they make of answers and errors.
 */

#include "ipc/client/elementd.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "tests/unit/client_server.h"

#define TOKEN_REPLY "{\"parameters\":{\"token\":\"abc=\",\"id\":7,\"verifiedUSec\":5}}"
#define OTHER_REPLY "{\"parameters\":{\"token\":\"def=\",\"id\":8}}"

/* ---- tokens ---- */

static void test_token(void **state)
{
    static const ClientTurn turns[] = {
        {.reply = TOKEN_REPLY}, {.reply = OTHER_REPLY}, {.reply = OTHER_REPLY}};
    ClientServer *server = *state;
    elementd *daemon = client_server_open(server, turns, N_ELEMENTS(turns));
    uint64_t verified_usec = 1;
    char *token = NULL;
    int64_t id = 0;

    assert_int_equal(elementd_get_token(daemon, "helpdesk", 0, &token, &id, &verified_usec), 0);
    assert_string_equal(token, "abc=");
    assert_int_equal(id, 7);
    assert_int_equal(verified_usec, 5);
    elementd_free_secret(token);
    assert_int_equal(elementd_get_token(daemon, "\"é", 1500, &token, &id, &verified_usec), 0);
    assert_string_equal(token, "def=");
    assert_int_equal(verified_usec, 0);
    elementd_free_secret(token);
    assert_int_equal(elementd_get_token(daemon, "x", WAIT_MAX_USEC + 1, NULL, NULL, NULL), 0);
    client_server_close(server, daemon);

    assert_int_equal(server->n_connections, 1);
    assert_string_equal(
        server->requests[0],
        "{\"method\":\"io.elementd.GetToken\",\"parameters\":{\"instance\":\"helpdesk\"}}");
    assert_string_equal(
        server->requests[1],
        "{\"method\":\"io.elementd.GetToken\",\"parameters\":{\"instance\":\"\\\"é\",\"timeoutUSec\":1500}}");
    /* No more than the daemon grants. */
    assert_string_equal(
        server->requests[2],
        "{\"method\":\"io.elementd.GetToken\",\"parameters\":{\"instance\":\"x\",\"timeoutUSec\":3600000000}}");
}

static void test_authorization(void **state)
{
    static const ClientTurn turns[] = {
        {.reply =
             "{\"parameters\":{\"authorization\":\"User a, Organization b, Element c\",\"new\":[1]}}"}};
    ClientServer *server = *state;
    elementd *daemon = client_server_open(server, turns, N_ELEMENTS(turns));
    char *authorization = NULL;

    assert_int_equal(elementd_get_authorization(daemon, "x", 0, &authorization), 0);
    assert_string_equal(authorization, "User a, Organization b, Element c");
    elementd_free_secret(authorization);
    client_server_close(server, daemon);
    assert_string_equal(
        server->requests[0],
        "{\"method\":\"io.elementd.GetAuthorization\",\"parameters\":{\"instance\":\"x\"}}");
}

static void test_bad_arguments(void **state)
{
    static const ClientTurn turns[] = {
        {.reply = "{\"error\":\"io.elementd.Failed\",\"parameters\":{\"problem\":\"p\"}}"}};
    ClientServer *server = *state;
    elementd *daemon = client_server_open(server, turns, N_ELEMENTS(turns));
    char *token = (char *)1;

    assert_int_equal(elementd_open(server->path, NULL), -EINVAL);
    assert_int_equal(elementd_open_root("/", NULL), -EINVAL);
    assert_int_equal(elementd_get_token(daemon, "x", 0, &token, NULL, NULL), ELEMENTD_E_FAILED);
    assert_string_equal(elementd_last_error(daemon)->problem, "p");
    /* What the call before it met is forgotten. */
    assert_int_equal(elementd_get_token(daemon, NULL, 0, &token, NULL, NULL), -EINVAL);
    assert_null(elementd_last_error(daemon)->name);
    assert_null(elementd_last_error(daemon)->problem);
    assert_int_equal(elementd_get_token(daemon, "\xff", 0, &token, NULL, NULL), -EINVAL);
    assert_int_equal(elementd_list_instances(daemon, NULL), -EINVAL);
    assert_int_equal(elementd_call(daemon, NULL, NULL, 0, NULL), -EINVAL);
    assert_ptr_equal(token, (char *)1);
    elementd_close(NULL);
    elementd_free_secret(NULL);
    elementd_instances_free(NULL);
    client_server_close(server, daemon);
    assert_int_equal(server->n_requests, 1);
}

/* ---- errors ---- */

static void test_errors(void **state)
{
    static const struct {
        const char *reply;
        int outcome;
        elementd_error error;
    } rows[] = {
        {"{\"error\":\"io.elementd.NoSuchInstance\",\"parameters\":{\"instance\":\"x\"}}",
         ELEMENTD_E_NO_SUCH_INSTANCE,
         {.name = "io.elementd.NoSuchInstance", .instance = "x"}},
        {"{\"error\":\"io.elementd.NotReady\",\"parameters\":{\"instance\":\"x\",\"state\":\"waiting\",\"retryUSec\":99,\"problem\":\"no network\"}}",
         ELEMENTD_E_NOT_READY,
         {.name = "io.elementd.NotReady",
          .instance = "x",
          .state = "waiting",
          .problem = "no network",
          .retry_usec = 99}},
        {"{\"error\":\"io.elementd.NotReady\",\"parameters\":{\"instance\":\"x\",\"state\":\"creating\",\"retryUSec\":null,\"problem\":null}}",
         ELEMENTD_E_NOT_READY,
         {.name = "io.elementd.NotReady", .instance = "x", .state = "creating"}},
        {"{\"error\":\"io.elementd.NotReady\"}",
         ELEMENTD_E_NOT_READY,
         {.name = "io.elementd.NotReady"}},
        {"{\"error\":\"io.elementd.NotReady\",\"parameters\":{\"instance\":1,\"state\":[],\"retryUSec\":\"soon\",\"problem\":\"p\"}}",
         ELEMENTD_E_NOT_READY,
         {.name = "io.elementd.NotReady", .problem = "p"}},
        {"{\"error\":\"io.elementd.Failed\",\"parameters\":{\"instance\":\"x\",\"problem\":\"bad\"}}",
         ELEMENTD_E_FAILED,
         {.name = "io.elementd.Failed", .instance = "x", .problem = "bad"}},
        {"{\"error\":\"org.varlink.service.PermissionDenied\",\"parameters\":{}}",
         ELEMENTD_E_DENIED,
         {.name = "org.varlink.service.PermissionDenied"}},
        {"{\"error\":\"org.varlink.service.MethodNotFound\",\"parameters\":{\"method\":\"m\"}}",
         ELEMENTD_E_REMOTE,
         {.name = "org.varlink.service.MethodNotFound"}},
    };
    ClientServer *server = *state;
    ClientTurn turns[N_ELEMENTS(rows) + 1] = {[N_ELEMENTS(rows)] = {.reply = TOKEN_REPLY}};
    elementd *daemon;

    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        turns[i].reply = rows[i].reply;
    daemon = client_server_open(server, turns, N_ELEMENTS(turns));
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        const elementd_error *error = elementd_last_error(daemon);

        assert_int_equal(elementd_get_token(daemon, "x", 0, NULL, NULL, NULL), rows[i].outcome);
        assert_string_equal(error->name, rows[i].error.name);
        assert_string_equal(error->instance ? error->instance : "-",
                            rows[i].error.instance ? rows[i].error.instance : "-");
        assert_string_equal(error->state ? error->state : "-",
                            rows[i].error.state ? rows[i].error.state : "-");
        assert_string_equal(error->problem ? error->problem : "-",
                            rows[i].error.problem ? rows[i].error.problem : "-");
        assert_int_equal(error->retry_usec, rows[i].error.retry_usec);
    }
    client_server_assert_token(daemon, "abc=");
    assert_null(elementd_last_error(daemon)->name);
    client_server_close(server, daemon);
    /* An error is an answer: the connection stays. */
    assert_int_equal(server->n_connections, 1);
}

/* The problems of a reload that failed, those that can be read; they go with the next call. */
static void test_problems(void **state)
{
    static const ClientTurn turns[] = {
        {.reply = "{\"error\":\"io.elementd.InvalidConfiguration\",\"parameters\":{\"problems\":["
                  "{\"file\":\"a.json\",\"line\":3,\"column\":7,\"message\":\"bad\",\"more\":1},"
                  "{\"file\":\"b.json\"},7,"
                  "{\"file\":\"c.json\",\"line\":1,\"column\":1,\"message\":\"\"}]}}"},
        {.reply =
             "{\"error\":\"io.elementd.InvalidConfiguration\",\"parameters\":{\"problems\":[]}}"},
        {.reply =
             "{\"error\":\"io.elementd.InvalidConfiguration\",\"parameters\":{\"problems\":1}}"},
    };
    ClientServer *server = *state;
    elementd *daemon = client_server_open(server, turns, N_ELEMENTS(turns));
    const elementd_error *error = elementd_last_error(daemon);

    assert_int_equal(elementd_call(daemon, "a.b.C", NULL, 0, NULL), ELEMENTD_E_REMOTE);
    assert_int_equal(error->n_problems, 2);
    assert_string_equal(error->problems[0].file, "a.json");
    assert_int_equal(error->problems[0].line, 3);
    assert_int_equal(error->problems[0].column, 7);
    assert_string_equal(error->problems[0].message, "bad");
    assert_string_equal(error->problems[1].file, "c.json");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(elementd_call(daemon, "a.b.C", NULL, 0, NULL), ELEMENTD_E_REMOTE);
        assert_int_equal(error->n_problems, 0);
        assert_null(error->problems);
    }
    client_server_close(server, daemon);
}

static void test_report_rejected(void **state)
{
    static const ClientTurn turns[] = {
        {.reply = "{\"parameters\":{}}"},
        {.reply = "{\"error\":\"io.elementd.NoSuchInstance\",\"parameters\":{}}"},
    };
    ClientServer *server = *state;
    elementd *daemon = client_server_open(server, turns, N_ELEMENTS(turns));

    assert_int_equal(elementd_report_rejected(daemon, NULL, "t"), -EINVAL);
    assert_int_equal(elementd_report_rejected(daemon, "x", NULL), -EINVAL);
    assert_int_equal(elementd_report_rejected(daemon, "x", "\xff"), -EINVAL);
    assert_int_equal(elementd_report_rejected(daemon, "x", "t\"="), 0);
    assert_int_equal(elementd_report_rejected(daemon, "x", "t"), ELEMENTD_E_NO_SUCH_INSTANCE);
    client_server_close(server, daemon);
    assert_int_equal(server->n_requests, 2);
    assert_string_equal(server->requests[0],
                        "{\"method\":\"io.elementd.ReportRejected\",\"parameters\":{"
                        "\"instance\":\"x\",\"token\":\"t\\\"=\"}}");
}

static void test_strerror(void **state)
{
    (void)state;
    assert_string_equal(elementd_strerror(0), "done");
    for (int i = ELEMENTD_E_NO_DAEMON; i <= ELEMENTD_E_REMOTE; i++)
        assert_string_not_equal(elementd_strerror(i), "unknown outcome");
    assert_string_equal(elementd_strerror(ELEMENTD_E_REMOTE + 1), "unknown outcome");
    assert_string_equal(elementd_strerror(-ENOMEM), "Cannot allocate memory");
    assert_non_null(elementd_strerror(-1000000));
}

/* ---- anything else ---- */

static void test_call(void **state)
{
    static const ClientTurn turns[] = {
        {.reply = "{\"parameters\":{\"a\": [1.50, \"x\\u0000y\"]}}"},
        {.reply = "{}"},
        {.reply = "{\"error\":\"io.elementd.NotReady\"}"},
    };
    ClientServer *server = *state;
    elementd *daemon = client_server_open(server, turns, N_ELEMENTS(turns));
    char *reply = NULL;

    assert_int_equal(elementd_call(daemon, "a.b.C", "{\"n\": 1.0, \"s\":\"t\"}", 0, &reply), 0);
    assert_string_equal(reply, "{\"a\":[1.50,\"x\\u0000y\"]}");
    elementd_free_secret(reply);
    assert_int_equal(elementd_call(daemon, "a.b.D", NULL, 0, &reply), 0);
    assert_string_equal(reply, "{}");
    elementd_free_secret(reply);
    assert_int_equal(elementd_call(daemon, "a.b.E", "{}", 0, NULL), ELEMENTD_E_NOT_READY);
    assert_int_equal(elementd_call(daemon, "a.b.F", "[]", 0, &reply), -EINVAL);
    assert_int_equal(elementd_call(daemon, "a.b.F", "{\"a\":", 0, &reply), -EINVAL);
    client_server_close(server, daemon);
    assert_int_equal(server->n_requests, 3);
    assert_string_equal(server->requests[0],
                        "{\"method\":\"a.b.C\",\"parameters\":{\"n\":1.0,\"s\":\"t\"}}");
    assert_string_equal(server->requests[1], "{\"method\":\"a.b.D\",\"parameters\":{}}");
}

/* The longest request, with its NUL, and one byte more. */
static void test_long_call(void **state)
{
    static const char around[] = "{\"method\":\"a.b.C\",\"parameters\":{\"s\":\"\"}}";
    static const ClientTurn turns[] = {{.reply = "{}"}};
    ClientServer *server = *state;
    elementd *daemon = client_server_open(server, turns, N_ELEMENTS(turns));
    size_t size = REQUEST_BYTES_MAX - sizeof(around);
    _cleanup_(freep) char *parameters = malloc(size + 10);

    assert_non_null(parameters);
    (void)snprintf(parameters, size + 10, "{\"s\":\"%0*d\"}", (int)size + 1, 0);
    assert_int_equal(elementd_call(daemon, "a.b.C", parameters, 0, NULL), -EMSGSIZE);
    (void)snprintf(parameters, size + 10, "{\"s\":\"%0*d\"}", (int)size, 0);
    assert_int_equal(elementd_call(daemon, "a.b.C", parameters, 0, NULL), 0);
    client_server_close(server, daemon);
}

#define TEST(function)                                                                             \
    cmocka_unit_test_setup_teardown(function, client_server_setup, client_server_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_token),
        TEST(test_authorization),
        TEST(test_bad_arguments),
        TEST(test_errors),
        TEST(test_problems),
        TEST(test_report_rejected),
        cmocka_unit_test(test_strerror),
        TEST(test_call),
        TEST(test_long_call),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
