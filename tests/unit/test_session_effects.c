/*
 * Calls that have something done, and those that tell of the daemon rather than of an instance.
 */

#include "ipc/session.h"

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
#include "tests/unit/talk.h"

/* ---- effects ---- */

#define ONEWAY(method, parameters)                                                                 \
    "{\"method\":\"" method "\",\"oneway\":true,\"parameters\":{" parameters "}}"

static void test_effects(void **state)
{
    Served *x = backend_add(&talk.backend, "x", "user:1000", NULL);

    (void)state;
    talk_say(CALL("io.elementd.ReportRejected", "\"token\":\"t/+=\",\"instance\":\"x\""));
    talk_expect(DONE);
    assert_ptr_equal(talk.backend.rejected, x);
    assert_string_equal(talk.backend.rejected_token, "t/+=");
    talk_say(CALL("io.elementd.Retry", "\"instance\":\"x\""));
    talk_expect(DENIED);
    assert_int_equal(talk.backend.n_retried, 0);
    talk.peer.uid = 0;
    talk_say(CALL("io.elementd.Retry", "\"instance\":\"x\""));
    talk_expect(DONE);
    assert_ptr_equal(talk.backend.retried, x);
    assert_int_equal(talk.backend.n_rejected, 1);
    assert_int_equal(talk.backend.n_retried, 1);
}

/* Nobody reads what came of it, but it is carried out: for those who may. */
static void test_oneway_effects(void **state)
{
    static const char *const calls[] = {
        ONEWAY("io.elementd.ReportRejected", "\"instance\":\"x\",\"token\":\"t\""),
        ONEWAY("io.elementd.Retry", "\"instance\":\"x\""),
        ONEWAY("io.elementd.Reload", ""),
    };

    (void)state;
    (void)backend_add(&talk.backend, "x", NULL, NULL);
    for (unsigned round = 0; round < 2; round++) {
        talk.peer.uid = round == 0 ? 1000 : 0;
        for (size_t i = 0; i < N_ELEMENTS(calls); i++)
            talk_say(calls[i]);
        talk_expect_nothing();
        assert_int_equal(talk.backend.n_rejected, round);
        assert_int_equal(talk.backend.n_retried, round);
        assert_int_equal(talk.backend.n_reloads, round);
    }
    assert_int_equal(session_need(&talk.session), SESSION_NEEDS_BYTES);
}

static void test_orphans(void **state)
{
    static const ServedOrphan orphans[] = {
        {.id = 7,
         .url = "https://a",
         .account = "default",
         .element = "jira",
         .instance = "x",
         .reason = SERVED_ORPHAN_REMOVED,
         .since = 5,
         .is_deleting = true,
         .problem = "no \"network\""},
        {.id = 8, .url = "https://b", .reason = SERVED_ORPHAN_REPLACED},
        {.id = 9, .url = "https://b", .reason = SERVED_ORPHAN_DUPLICATE},
        {.id = 10, .url = "https://b", .reason = SERVED_ORPHAN_UNCLAIMED},
    };

    (void)state;
    talk.backend.orphans = orphans;
    talk.backend.n_orphans = N_ELEMENTS(orphans);
    talk.peer.uid = 0;
    talk_say(CALL("io.elementd.ListOrphans", ""));
#define ORPHAN(id, reason)                                                                         \
    "{\"id\":" id ",\"url\":\"https://b\",\"reason\":\"" reason                                    \
    "\",\"sinceUSec\":0,\"isDeleting\":false}"
    talk_expect(
        "{\"parameters\":{\"orphans\":[{\"id\":7,\"url\":\"https://a\",\"account\":\"default\","
        "\"element\":\"jira\",\"instance\":\"x\",\"reason\":\"removed\",\"sinceUSec\":5,"
        "\"isDeleting\":true,\"problem\":\"no \\\"network\\\"\"}," ORPHAN(
            "8", "replaced") "," ORPHAN("9", "duplicate") "," ORPHAN("10", "unclaimed") "]}}");
}

/* One message was written with a unit that waits since about `since`, for `span`. */
static void expect_unit(const char *head, usec_t since, usec_t span)
{
    const char *text = buffer_data(&talk.session.unsent);
    unsigned long long told_since, told_until;

    assert_int_equal(strncmp(text, head, strlen(head)), 0);
    assert_int_equal(sscanf(text + strlen(head), "\"sinceUSec\":%llu,\"untilUSec\":%llu}]}}",
                            &told_since, &told_until),
                     2);
    assert_in_range(told_since, since, since + 10 * USEC_PER_SEC);
    assert_in_range(told_until - told_since, span - 1000, span + 1000);
    buffer_consume(&talk.session.unsent, strlen(text) + 1);
    talk_expect_nothing();
}

/* Of accounts and settings root alone is told, and of units whoever may see the instance. */
static void test_status(void **state)
{
    static const ServedTrouble troubles[] = {
        {},
        {.trouble = TROUBLE_DISK_FULL, .problem = "full", .since = 5, .retry = 6},
        {.trouble = TROUBLE_SECRETS_REFUSED,
         .account = "default",
         .problem = "no",
         .is_private = true},
    };
    const usec_t begin = clock_boottime() - USEC_PER_SEC;
    Wait waits[3] = {
        {.unit = "a.service", .credential = "x", .begin = begin, .end = begin + 60 * USEC_PER_SEC},
        {.unit = "b.service", .credential = "y", .begin = begin, .end = begin},
        {.unit = NULL},
    };
    Served *x = backend_add(&talk.backend, "x", "user:1000", NULL);
    Served *y = backend_add(&talk.backend, "y", "user:2000", NULL);

    (void)state;
    talk.backend.troubles = troubles;
    talk.backend.n_troubles = N_ELEMENTS(troubles);
    talk_say(CALL("io.elementd.GetStatus", ""));
#define FULL "{\"kind\":\"diskFull\",\"problem\":\"full\",\"sinceUSec\":5,\"retryUSec\":6}"
    talk_expect("{\"parameters\":{\"troubles\":[" FULL "],\"waitingUnits\":[]}}");
    TAILQ_INSERT_TAIL(&x->waits, &waits[0], link);
    TAILQ_INSERT_TAIL(&x->waits, &waits[2], link);
    TAILQ_INSERT_TAIL(&y->waits, &waits[1], link);
    talk_say(CALL("io.elementd.GetStatus", ""));
    expect_unit(
        "{\"parameters\":{\"troubles\":[" FULL
        "],\"waitingUnits\":[{\"unit\":\"a.service\",\"credential\":\"x\",\"instance\":\"x\",",
        clock_realtime() - 2 * USEC_PER_SEC, 60 * USEC_PER_SEC);
    TAILQ_REMOVE(&x->waits, &waits[0], link);
    TAILQ_REMOVE(&x->waits, &waits[2], link);
    TAILQ_REMOVE(&y->waits, &waits[1], link);
    talk.peer.uid = 0;
    talk_say(CALL("io.elementd.GetStatus", ""));
    talk_expect("{\"parameters\":{\"troubles\":[" FULL
                ",{\"kind\":\"secretsRefused\",\"account\":\"default\",\"problem\":\"no\"}],"
                "\"waitingUnits\":[]}}");
}

/* ---- reloading ---- */

#define RELOAD   CALL("io.elementd.Reload", "")
#define RELOADED "{\"parameters\":{\"added\":[\"a\",\"b\"],\"changed\":[],\"removed\":[\"c\"]}}"

static void end_reload(uint64_t number)
{
    static const char *const added[] = {"a", "b", NULL}, *const none[] = {NULL},
                             *const removed[] = {"c", NULL};

    talk.backend.reload = (ServedReload){
        .is_applied = true, .added = added, .changed = none, .removed = removed};
    talk.backend.n_reloads_over = number;
    wait_tell_all(&talk.shared.calls.reloads);
}

static void test_reload(void **state)
{
    (void)state;
    (void)backend_add(&talk.backend, "x", "any", NULL);
    talk.peer.uid = 0;
    talk_say(RELOAD);
    assert_int_equal(talk.backend.n_reloads, 1);
    assert_int_equal(session_need(&talk.session), SESSION_NEEDS_CHANGE);
    assert_int_equal(talk.session.wait.deadline, TALK_NOW + RELOAD_WAIT_USEC);
    /* One that began before is over. */
    end_reload(0);
    assert_int_equal(talk.n_changes, 1);
    talk_expect_nothing();
    end_reload(1);
    talk_expect(RELOADED);
    assert_int_equal(talk.backend.n_reloads, 1);
    end_reload(1);
    assert_int_equal(talk.n_changes, 2);
    /* The next one is another reload. */
    talk_say(RELOAD);
    assert_int_equal(talk.backend.n_reloads, 2);
    talk_expect_nothing();
    end_reload(2);
    talk_expect(RELOADED);
}

static void test_reload_fails(void **state)
{
    static const ServedProblem problems[] = {
        {"/etc/elementd/a.json", 3, 7, "unexpected \"x\""},
        {"/etc/elementd/b.json", 1, 1, "cannot be read"},
    };

    (void)state;
    talk.peer.uid = 0;
    talk_say(RELOAD);
    talk.backend.reload = (ServedReload){.problems = problems, .n_problems = 2};
    talk.backend.n_reloads_over = 1;
    wait_tell_all(&talk.shared.calls.reloads);
    talk_expect(ERROR("io.elementd.InvalidConfiguration",
                      "\"problems\":[{\"file\":\"/etc/elementd/a.json\",\"line\":3,\"column\":7,"
                      "\"message\":\"unexpected \\\"x\\\"\"},{\"file\":\"/etc/elementd/b.json\","
                      "\"line\":1,\"column\":1,\"message\":\"cannot be read\"}]"));
}

#define TOO_LATE                                                                                   \
    ERROR("io.elementd.InvalidConfiguration",                                                      \
          "\"problems\":[{\"file\":\"/etc/elementd\",\"line\":1,\"column\":1,\"message\":"         \
          "\"the reload was not over in time, or elementd was stopped before it was; "             \
          "what came of it: journalctl -u elementd\"}]")

/* At the deadline, and when all stops: nothing waits for ever, and nobody is told that it was applied. */
static void test_reload_not_over(void **state)
{
    static const char *const replies[] = {TOO_LATE, TOO_LATE};
    static const char calls[] = RELOAD "\0" RELOAD;

    (void)state;
    talk.peer.uid = 0;
    talk_say(RELOAD);
    session_answer_again(&talk.session, true);
    talk_expect(TOO_LATE);
    talk_say_bytes(calls, sizeof(calls));
    session_stop(&talk.session, TALK_NOW);
    talk_expect_all(replies, 2);
}

/* ---- what the platform says of elements ---- */

#define JIRA                    DESCRIBE("\"element\":\"jira\"")
#define UNAVAILABLE(parameters) ERROR("io.elementd.PlatformUnavailable", parameters)
#define NOT_IN_TIME                                                                                \
    UNAVAILABLE("\"problem\":\"it did not answer in time, or elementd was stopped before it did\"")

static const ServedElementKey jira_keys[] = {
    {"jira.username", true, false, NULL},
    {"jira.password", true, true, NULL},
    {"x \"y\"", false, false, "a\\b"},
};

#define JIRA_REPLY                                                                                    \
    "{\"parameters\":{\"keys\":[{\"name\":\"jira.username\",\"isRequired\":true,\"isSecret\":false}," \
    "{\"name\":\"jira.password\",\"isRequired\":true,\"isSecret\":true},"                             \
    "{\"name\":\"x \\\"y\\\"\",\"isRequired\":false,\"isSecret\":false,\"default\":\"a\\\\b\"}]}}"

static void end_descriptions(uint64_t number)
{
    talk.backend.n_descriptions_there = number;
    wait_tell_all(&talk.shared.calls.descriptions);
}

static void test_describe(void **state)
{
    (void)state;
    talk.peer.uid = 0;
    talk.backend.description = (ServedDescription){
        .result = SERVED_DESCRIBED, .keys = jira_keys, .n_keys = N_ELEMENTS(jira_keys)};
    talk_say(JIRA);
    assert_string_equal(talk.backend.described, "jira of default");
    assert_int_equal(session_need(&talk.session), SESSION_NEEDS_CHANGE);
    assert_int_equal(talk.session.wait.deadline, TALK_NOW + DESCRIBE_WAIT_USEC);
    /* Another one is there. */
    end_descriptions(0);
    assert_int_equal(talk.n_changes, 1);
    talk_expect_nothing();
    assert_int_equal(talk.backend.n_forgotten, 0);
    end_descriptions(1);
    talk_expect(JIRA_REPLY);
    assert_int_equal(talk.backend.n_forgotten, 1);
    assert_int_equal(session_need(&talk.session), SESSION_NEEDS_BYTES);
    /* One that is there at once, and has nothing to say. */
    talk.backend.description.n_keys = 0;
    talk.backend.n_descriptions_there = 2;
    talk_say(DESCRIBE("\"account\":\"b\",\"element\":\"a/b\""));
    assert_string_equal(talk.backend.described, "a/b of b");
    talk_expect("{\"parameters\":{\"keys\":[]}}");
    assert_int_equal(talk.backend.n_forgotten, 2);
    /* Nobody would be told. */
    talk_say(ONEWAY("io.elementd.DescribeElement", "\"element\":\"jira\""));
    talk_expect_nothing();
    assert_int_equal(talk.backend.n_descriptions, 2);
}

/* Of an element and of an account; not given, it is "default". */
static void test_describe_longest_names(void **state)
{
    char name[DESCRIBE_NAME_BYTES_MAX + 2];

    (void)state;
    talk.peer.uid = 0;
    talk.backend.description = (ServedDescription){.result = SERVED_DESCRIBED};
    talk.backend.n_descriptions_there = UINT64_MAX;
    memset(name, 'n', sizeof(name));
    for (int i = 0; i < 4; i++) {
        _cleanup_(freep) char *call = NULL;
        bool is_longer = i % 2 == 1, is_account = i >= 2;

        name[DESCRIBE_NAME_BYTES_MAX + is_longer] = '\0';
        name[DESCRIBE_NAME_BYTES_MAX] = is_longer ? 'n' : '\0';
        assert_true(asprintf(&call, DESCRIBE("\"element\":\"%s\",\"account\":\"%s\""),
                             is_account ? "e" : name, is_account ? name : "a") > 0);
        talk_say(call);
        if (!is_longer)
            talk_expect("{\"parameters\":{\"keys\":[]}}");
        else if (is_account)
            talk_expect(INVALID("account"));
        else
            talk_expect(INVALID("element"));
    }
    assert_int_equal(talk.backend.n_descriptions, 2);
}

static void test_describe_fails(void **state)
{
    static const struct {
        ServedDescription description;
        const char *reply;
    } cases[] = {
        {{.result = SERVED_DESCRIPTION_NO_ACCOUNT, .account = "b"},
         ERROR("io.elementd.NoSuchAccount", "\"account\":\"b\"")},
        {{.result = SERVED_DESCRIPTION_NO_ELEMENT, .element = "jira"},
         ERROR("io.elementd.NoSuchElement", "\"element\":\"jira\"")},
        {{.result = SERVED_DESCRIPTION_UNAVAILABLE, .problem = "no \"network\""},
         UNAVAILABLE("\"problem\":\"no \\\"network\\\"\"")},
        {{.result = SERVED_DESCRIPTION_UNAVAILABLE, .problem = "paused", .retry = 7},
         UNAVAILABLE("\"problem\":\"paused\",\"retryUSec\":7")},
    };

    (void)state;
    talk.peer.uid = 0;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        talk.backend.description = cases[i].description;
        talk_say(JIRA);
        talk_expect_nothing();
        end_descriptions(i + 1);
        talk_expect(cases[i].reply);
        assert_int_equal(talk.backend.n_forgotten, i + 1);
    }
    talk.backend.descriptions_max = N_ELEMENTS(cases);
    talk_say(JIRA);
    talk_expect(UNAVAILABLE(
        "\"problem\":\"too many questions about elements wait for an answer already\""));
    assert_int_equal(talk.backend.n_forgotten, N_ELEMENTS(cases));
}

/* At the deadline, when all stops, and when whoever asked goes, the question is let go of. */
static void test_describe_not_answered(void **state)
{
    static const char *const replies[] = {NOT_IN_TIME, NOT_IN_TIME};
    static const char calls[] = JIRA "\0" JIRA;

    (void)state;
    talk.peer.uid = 0;
    talk_say(JIRA);
    session_answer_again(&talk.session, true);
    talk_expect(NOT_IN_TIME);
    assert_int_equal(talk.backend.n_forgotten, 1);
    talk_say_bytes(calls, sizeof(calls));
    session_stop(&talk.session, TALK_NOW);
    talk_expect_all(replies, 2);
    assert_int_equal(talk.backend.n_forgotten, 3);
    talk_say(JIRA);
    session_deinit(&talk.session);
    assert_int_equal(talk.backend.n_forgotten, 4);
    assert_true(TAILQ_EMPTY(&talk.shared.calls.descriptions));
    session_init(&talk.session, &talk.shared, &talk.peer, talk_on_change);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, talk_setup, talk_teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_effects),
        TEST(test_oneway_effects),
        TEST(test_orphans),
        TEST(test_status),
        TEST(test_reload),
        TEST(test_reload_fails),
        TEST(test_reload_not_over),
        TEST(test_describe),
        TEST(test_describe_longest_names),
        TEST(test_describe_fails),
        TEST(test_describe_not_answered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
