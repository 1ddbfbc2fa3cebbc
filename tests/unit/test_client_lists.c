/*
 * libelementd: lists of instances, and watches.
 */

#include "ipc/client/elementd.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "tests/unit/client_server.h"

/* ---- instances ---- */

#define FULL_ROW                                                                                   \
    "{\"name\":\"b\",\"element\":\"jira\",\"account\":\"default\",\"state\":\"ready\",\"id\":12,"  \
    "\"hasToken\":true,\"sinceUSec\":1,\"verifiedUSec\":2,\"retryUSec\":3,\"attempts\":4,"         \
    "\"problem\":\"p\",\"later\":{}}"
#define SHORT_ROW                                                                                  \
    "{\"name\":\"a\",\"element\":\"\",\"account\":\"\",\"state\":\"failed\",\"hasToken\":false,"   \
    "\"sinceUSec\":0,\"attempts\":0}"

static void test_list(void **state)
{
    static const ClientTurn turns[] = {
        {.reply = "{\"parameters\":{\"instances\":[" FULL_ROW "," SHORT_ROW "]}}"},
        {.reply = "{\"parameters\":{\"instances\":[]}}"},
    };
    ClientServer *server = *state;
    elementd *daemon = client_server_open(server, turns, N_ELEMENTS(turns));
    elementd_instances *instances = NULL, *none = NULL;
    const elementd_instance *row;

    assert_int_equal(elementd_list_instances(daemon, &instances), 0);
    assert_int_equal(elementd_list_instances(daemon, &none), 0);
    client_server_close(server, daemon);
    assert_string_equal(server->requests[0],
                        "{\"method\":\"io.elementd.ListInstances\",\"parameters\":{}}");

    /* They outlive the handle. */
    assert_int_equal(elementd_instances_count(none), 0);
    assert_null(elementd_instances_get(none, 0));
    assert_int_equal(elementd_instances_count(instances), 2);
    row = elementd_instances_get(instances, 0);
    assert_string_equal(row->name, "b");
    assert_string_equal(row->element, "jira");
    assert_string_equal(row->account, "default");
    assert_string_equal(row->state, "ready");
    assert_int_equal(row->id, 12);
    assert_int_equal(row->has_token, 1);
    assert_int_equal(row->since_usec, 1);
    assert_int_equal(row->verified_usec, 2);
    assert_int_equal(row->retry_usec, 3);
    assert_int_equal(row->attempts, 4);
    assert_string_equal(row->problem, "p");
    row = elementd_instances_get(instances, 1);
    assert_string_equal(row->name, "a");
    assert_int_equal(row->id, 0);
    assert_int_equal(row->has_token, 0);
    assert_int_equal(row->verified_usec, 0);
    assert_null(row->problem);
    assert_null(elementd_instances_get(instances, 2));
    elementd_instances_free(instances);
    elementd_instances_free(none);
}

static void test_bad_lists(void **state)
{
    static const ClientTurn turns[] = {
        {.reply = "{\"parameters\":{}}"},
        {.reply = "{\"parameters\":{\"instances\":{}}}"},
        {.reply = "{\"parameters\":{\"instances\":[" SHORT_ROW ",1]}}"},
        {.reply = "{\"parameters\":{\"instances\":[{\"name\":\"a\"}]}}"},
    };
    ClientServer *server = *state;
    elementd *daemon = client_server_open(server, turns, N_ELEMENTS(turns));
    elementd_instances *instances = (elementd_instances *)1;

    for (size_t i = 0; i < N_ELEMENTS(turns); i++)
        assert_int_equal(elementd_list_instances(daemon, &instances), ELEMENTD_E_PROTOCOL);
    assert_ptr_equal(instances, (elementd_instances *)1);
    client_server_close(server, daemon);
}

/* ---- watching ---- */

#define NEWS(parameters)      "{\"parameters\":{" parameters "},\"continues\":true}"
#define NEWS_TOKEN(token, id) NEWS("\"token\":\"" token "\",\"id\":" id)
/* Several messages, sent in one go. */
#define TURN(messages)                                                                             \
    {                                                                                              \
        .reply = messages, .size = sizeof(messages)                                                \
    }

static void expect_token(elementd_watch *watch, const char *expected, int64_t expected_id)
{
    char *token = (char *)1;
    int64_t id = -1;

    assert_int_equal(elementd_watch_next_token(watch, 10 * USEC_PER_SEC, &token, &id), 0);
    if (expected)
        assert_string_equal(token, expected);
    else
        assert_null(token);
    assert_int_equal(id, expected_id);
    elementd_free_secret(token);
}

static void test_watch_token(void **state)
{
    static const ClientTurn turns[] = {
        TURN(NEWS_TOKEN("one", "1") "\0" NEWS("") "\0" NEWS(
            "\"token\":null,\"id\":null") "\0" NEWS_TOKEN("two", "2")),
        {.reply = NEWS_TOKEN("six", "6"), .is_last = true},
        {.reply = NEWS_TOKEN("ten", "10"), .is_slow = true},
    };
    ClientServer *server = *state;
    elementd *daemon = client_server_open(server, turns, 1);
    struct pollfd poll_fd = {.events = POLLIN};
    elementd_watch *watch = NULL;
    char *token = (char *)1;

    assert_int_equal(elementd_watch_token(daemon, "x\"", &watch), 0);
    assert_int_not_equal(elementd_watch_fd(watch), elementd_fd(daemon));
    elementd_close(daemon);
    poll_fd.fd = elementd_watch_fd(watch);
    assert_int_equal(poll(&poll_fd, 1, 10000), 1);
    expect_token(watch, "one", 1);
    expect_token(watch, NULL, 0);
    expect_token(watch, NULL, 0);
    assert_int_equal(elementd_watch_next_token(watch, 0, NULL, NULL), 0); /* "two" */
    assert_int_equal(elementd_watch_next_token(watch, 0, &token, NULL), ELEMENTD_E_TIMEOUT);
    assert_int_equal(elementd_watch_next_token(watch, 20000, &token, NULL), ELEMENTD_E_TIMEOUT);
    assert_int_equal(elementd_watch_fd(watch), poll_fd.fd);
    assert_ptr_equal(token, (char *)1);
    client_server_stop(server);
    assert_int_equal(elementd_watch_next_token(watch, UINT64_MAX, &token, NULL), ELEMENTD_E_CLOSED);
    assert_int_equal(elementd_watch_fd(watch), -1);
    assert_int_equal(elementd_watch_next_token(watch, 0, &token, NULL), ELEMENTD_E_NO_DAEMON);
    assert_string_equal(server->requests[0], "{\"method\":\"io.elementd.WatchToken\",\"more\":true,"
                                             "\"parameters\":{\"instance\":\"x\\\"\"}}");

    /* It is back: the watch begins anew, and again after the next end, and takes what comes a byte at a time. */
    assert_int_equal(remove(server->path), 0);
    client_server_start(server, turns + 1, 2);
    expect_token(watch, "six", 6);
    assert_int_equal(elementd_watch_next_token(watch, UINT64_MAX, &token, NULL), ELEMENTD_E_CLOSED);
    while (elementd_watch_next_token(watch, 0, &token, NULL) == ELEMENTD_E_TIMEOUT)
        ;
    assert_string_equal(token, "ten");
    elementd_free_secret(token);
    elementd_watch_close(watch);
    client_server_stop(server);
}

static void test_watch_instances(void **state)
{
    static const ClientTurn turns[] = {
        TURN(NEWS("\"instance\":" FULL_ROW) "\0" NEWS(
            "\"instance\":" SHORT_ROW) "\0{\"error\":\"io.elementd.NoSuchInstance\",\"parameters\":{\"instance\":\"b\"}}"),
        {.reply = NEWS("\"instance\":" SHORT_ROW)},
    };
    ClientServer *server = *state;
    elementd *daemon = client_server_open(server, turns, N_ELEMENTS(turns));
    const elementd_instance *row = NULL;
    elementd_watch *watch = NULL;

    elementd_close(daemon);
    assert_int_equal(elementd_open(server->path, &daemon), 0);
    assert_int_equal(elementd_watch_instances(daemon, &watch), 0);
    elementd_close(daemon);
    assert_int_equal(elementd_watch_next_instance(watch, UINT64_MAX, &row), 0);
    assert_string_equal(row->name, "b");
    assert_int_equal(row->id, 12);
    assert_int_equal(elementd_watch_next_instance(watch, UINT64_MAX, &row), 0);
    assert_string_equal(row->name, "a");
    assert_null(row->problem);
    assert_int_equal(elementd_watch_next_instance(watch, UINT64_MAX, &row),
                     ELEMENTD_E_NO_SUCH_INSTANCE);
    assert_string_equal(elementd_watch_last_error(watch)->instance, "b");
    assert_int_equal(elementd_watch_fd(watch), -1);
    assert_int_equal(elementd_watch_next_instance(watch, UINT64_MAX, &row), 0);
    assert_null(elementd_watch_last_error(watch)->name);
    assert_string_equal(row->name, "a");
    elementd_watch_close(watch);
    client_server_stop(server);
    assert_string_equal(server->requests[0], "{\"method\":\"io.elementd.WatchInstances\","
                                             "\"more\":true,\"parameters\":{}}");
}

static void test_watch_errors(void **state)
{
    static const struct {
        const char *reply;
        int outcome;
    } rows[] = {
        {"garbage", ELEMENTD_E_PROTOCOL},
        {"{\"parameters\":{\"token\":\"a\",\"id\":1}}", ELEMENTD_E_PROTOCOL},
        {NEWS("\"token\":1"), ELEMENTD_E_PROTOCOL},
        {NEWS("\"id\":\"1\""), ELEMENTD_E_PROTOCOL},
        {"{\"error\":\"io.elementd.NoSuchInstance\",\"parameters\":{\"instance\":\"x\"}}",
         ELEMENTD_E_NO_SUCH_INSTANCE},
        {"{\"error\":\"org.varlink.service.PermissionDenied\"}", ELEMENTD_E_DENIED},
        {"{\"error\":\"io.elementd.TooManyWatches\"}", ELEMENTD_E_REMOTE},
    };
    ClientServer *server = *state;
    ClientTurn turns[N_ELEMENTS(rows)] = {};
    elementd_watch *watch = NULL, *none = (elementd_watch *)1;
    char *token = (char *)1;
    elementd *daemon;

    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        turns[i].reply = rows[i].reply;
    daemon = client_server_open(server, turns, N_ELEMENTS(turns));
    assert_int_equal(elementd_watch_token(daemon, NULL, &none), -EINVAL);
    assert_int_equal(elementd_watch_token(daemon, "\xff", &none), -EINVAL);
    assert_int_equal(elementd_watch_token(daemon, "x", NULL), -EINVAL);
    assert_int_equal(elementd_watch_instances(daemon, NULL), -EINVAL);
    assert_ptr_equal(none, (elementd_watch *)1);
    elementd_watch_close(NULL);
    elementd_close(daemon);

    assert_int_equal(elementd_open(server->path, &daemon), 0);
    assert_int_equal(elementd_watch_token(daemon, "x", &watch), 0);
    elementd_close(daemon);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        if (elementd_watch_next_token(watch, UINT64_MAX, &token, NULL) != rows[i].outcome)
            fail_msg("not what was expected of %s", rows[i].reply);
        assert_int_equal(elementd_watch_fd(watch), -1);
    }
    assert_ptr_equal(token, (char *)1);
    elementd_watch_close(watch);
    client_server_stop(server);
}

#define TEST(function)                                                                             \
    cmocka_unit_test_setup_teardown(function, client_server_setup, client_server_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_list),         TEST(test_bad_lists),
        TEST(test_watch_token),  TEST(test_watch_instances),
        TEST(test_watch_errors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
