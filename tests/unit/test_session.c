/*
 * What is answered to which call, byte for byte. Who asks, and in what state the instances are, is set by each test.
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
#include "ipc/interface.h"
#include "tests/unit/backend.h"

#define NOW (5 * USEC_PER_SEC)

typedef struct Fixture {
    Backend backend;
    SessionShared shared;
    Peer peer;
    Session session;
    unsigned n_changes;
} Fixture;

static Fixture fixture;
static char fixture_unit[] = "a.service"; /* of whoever asks */

static void on_change(Wait *wait)
{
    assert_ptr_equal(session_of_wait(wait), &fixture.session);
    fixture.n_changes++;
    session_answer_again(&fixture.session, false);
    session_advance(&fixture.session, NOW);
}

static int setup(void **state)
{
    (void)state;
    fixture = (Fixture){.peer = {.fd = -1,
                                 .uid = 1000,
                                 .gid = 1000,
                                 .has_groups = true,
                                 .unit = fixture_unit,
                                 .has_unit = true}};
    backend_init(&fixture.backend);
    session_shared_init(&fixture.shared, &backend_operations, &fixture.backend);
    session_init(&fixture.session, &fixture.shared, &fixture.peer, on_change);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    session_deinit(&fixture.session);
    session_shared_deinit(&fixture.shared);
    backend_deinit(&fixture.backend);
    return 0;
}

static void feed_bytes(const char *data, size_t size)
{
    while (size > 0) {
        size_t room;
        char *space;

        assert_int_equal(session_need(&fixture.session), SESSION_NEEDS_BYTES);
        assert_int_equal(session_reserve(&fixture.session, &space, &room), 0);
        if (room > size)
            room = size;
        memcpy(space, data, room);
        session_commit(&fixture.session, room);
        data += room;
        size -= room;
        session_advance(&fixture.session, NOW);
    }
}

/* One message, with its NUL. */
static void feed(const char *text)
{
    feed_bytes(text, strlen(text) + 1);
}

/* Exactly these messages were written, each with its NUL. They are then taken. */
static void expect_all(const char *const *texts, size_t n)
{
    Buffer *unsent = &fixture.session.unsent;

    for (size_t i = 0; i < n; i++) {
        size_t size = strlen(texts[i]) + 1;

        if (buffer_size(unsent) < size || memcmp(buffer_data(unsent), texts[i], size) != 0)
            fail_msg("\"%.*s\" instead of \"%s\"", (int)buffer_size(unsent), buffer_data(unsent),
                     texts[i]);
        buffer_consume(unsent, size);
    }
    if (buffer_size(unsent) > 0)
        fail_msg("\"%.*s\" besides", (int)buffer_size(unsent), buffer_data(unsent));
}

static void expect(const char *text)
{
    expect_all(&text, 1);
}

static void expect_nothing(void)
{
    expect_all(NULL, 0);
}

/* ---- every call without anything to it ---- */

#define ERROR(name, parameters) "{\"error\":\"" name "\",\"parameters\":{" parameters "}}"
#define INVALID(parameter)                                                                         \
    ERROR("org.varlink.service.InvalidParameter", "\"parameter\":\"" parameter "\"")
#define DENIED ERROR("org.varlink.service.PermissionDenied", "")
#define DONE   "{\"parameters\":{}}"
#define UNIMPLEMENTED(method)                                                                      \
    ERROR("org.varlink.service.MethodNotImplemented", "\"method\":\"" method "\"")
#define NO_SUCH(instance)        ERROR("io.elementd.NoSuchInstance", "\"instance\":\"" instance "\"")
#define CALL(method, parameters) "{\"method\":\"" method "\",\"parameters\":{" parameters "}}"
#define GET_TOKEN(parameters)    CALL("io.elementd.GetToken", parameters)
#define TOKEN_REPLY                                                                                \
    "{\"parameters\":{\"token\":\"s3cret/+=\",\"id\":42,\"verifiedUSec\":1700000000000000}}"

#define WATCH_TOKEN(instance)                                                                       \
    "{\"method\":\"io.elementd.WatchToken\",\"more\":true,\"parameters\":{\"instance\":\"" instance \
    "\"}}"
#define WATCH_INSTANCES "{\"method\":\"io.elementd.WatchInstances\",\"more\":true}"

#define DESCRIBE(parameters) CALL("io.elementd.DescribeElement", parameters)

typedef struct AnswerCase {
    uid_t uid;
    const char *call;
    const char *reply;
} AnswerCase;

/* "mine" has a token and lets user 1000 in, "header" lets them have the header alone, "other" nobody. */
static const AnswerCase answers[] = {
    /* org.varlink.service */
    {1000, "{\"method\":\"org.varlink.service.GetInfo\"}",
     "{\"parameters\":{\"vendor\":\"elementd\",\"product\":\"elementd\",\"version\":\"" ELEMENTD_VERSION
     "\",\"url\":\"https://github.com/elementd/elementd\","
     "\"interfaces\":[\"io.elementd\",\"org.varlink.service\"]}}"},
    {1000, CALL("org.varlink.service.GetInfo", "\"x\":1"), INVALID("x")},
    {1000, CALL("org.varlink.service.GetInterfaceDescription", ""), INVALID("interface")},
    {1000, CALL("org.varlink.service.GetInterfaceDescription", "\"interface\":\"a.b\""),
     ERROR("org.varlink.service.InterfaceNotFound", "\"interface\":\"a.b\"")},
    {1000,
     CALL("org.varlink.service.GetInterfaceDescription", "\"interface\":\"io.elementd\\u0000\""),
     INVALID("interface")},

/* Explain */
#define EXPLAIN(parameters) CALL("io.elementd.Explain", parameters)
    {1000, EXPLAIN("\"instance\":\"mine\""),
     "{\"parameters\":{\"uid\":1000,\"unit\":\"a.service\","
     "\"token\":{\"isAllowed\":true,\"entry\":\"user:1000\"},"
     "\"authorization\":{\"isAllowed\":false}}}"},
    {1000, EXPLAIN("\"instance\":\"mine\",\"uid\":1000"), DENIED},
    {1000, EXPLAIN("\"instance\":\"mine\",\"groups\":[]"), DENIED},
    {1000, EXPLAIN("\"instance\":\"mine\",\"unit\":\"a.service\""), DENIED},
    {1000, EXPLAIN("\"instance\":\"nobody\""), NO_SUCH("nobody")},
    {0, EXPLAIN("\"instance\":\"mine\""),
     "{\"parameters\":{\"uid\":0,\"unit\":\"a.service\","
     "\"token\":{\"isAllowed\":true,\"list\":[\"user:1000\"]},"
     "\"authorization\":{\"isAllowed\":true,\"list\":[]}}}"},
    {0, EXPLAIN("\"instance\":\"header\",\"uid\":1000,\"groups\":[5,6]"),
     "{\"parameters\":{\"uid\":1000,\"token\":{\"isAllowed\":false,\"list\":[]},"
     "\"authorization\":{\"isAllowed\":true,\"entry\":\"user:1000\",\"list\":[\"user:1000\"]}}}"},
    {0, EXPLAIN("\"instance\":\"mine\",\"unit\":\"b.service\""),
     "{\"parameters\":{\"unit\":\"b.service\","
     "\"token\":{\"isAllowed\":false,\"list\":[\"user:1000\"]},"
     "\"authorization\":{\"isAllowed\":false,\"list\":[]}}}"},
    {0, EXPLAIN("\"instance\":\"mine\",\"uid\":-1"), INVALID("uid")},
    {0, EXPLAIN("\"instance\":\"mine\",\"uid\":4294967295"), INVALID("uid")},
    {0, EXPLAIN("\"instance\":\"mine\",\"uid\":1.5"), INVALID("uid")},
    {0, EXPLAIN("\"instance\":\"mine\",\"groups\":1"), INVALID("groups")},
    {0, EXPLAIN("\"instance\":\"mine\",\"groups\":[1,\"2\"]"), INVALID("groups")},
    {0, EXPLAIN("\"instance\":\"mine\",\"unit\":1"), INVALID("unit")},

    /* names */
    {1000, CALL("io.elementd.Nothing", ""),
     ERROR("org.varlink.service.MethodNotFound", "\"method\":\"io.elementd.Nothing\"")},
    {1000, CALL("io.elementd.gettoken", ""),
     ERROR("org.varlink.service.MethodNotFound", "\"method\":\"io.elementd.gettoken\"")},
    {1000, CALL("io.elementd.", ""),
     ERROR("org.varlink.service.MethodNotFound", "\"method\":\"io.elementd.\"")},
    {1000, CALL("org.example.Method", ""),
     ERROR("org.varlink.service.InterfaceNotFound", "\"interface\":\"org.example\"")},
    {1000, CALL(".GetToken", ""),
     ERROR("org.varlink.service.InterfaceNotFound", "\"interface\":\"\"")},
    {1000, CALL("GetToken", ""),
     ERROR("org.varlink.service.MethodNotFound", "\"method\":\"GetToken\"")},
    {1000, CALL("", ""), ERROR("org.varlink.service.MethodNotFound", "\"method\":\"\"")},

    /* parameters */
    {1000, "{\"method\":\"io.elementd.GetToken\"}", INVALID("instance")},
    {1000, "{\"method\":\"io.elementd.GetToken\",\"parameters\":null}", INVALID("instance")},
    {1000, GET_TOKEN(""), INVALID("instance")},
    {1000, GET_TOKEN("\"instance\":null"), INVALID("instance")},
    {1000, GET_TOKEN("\"instance\":1"), INVALID("instance")},
    {1000, GET_TOKEN("\"instance\":[\"mine\"]"), INVALID("instance")},
    {1000, GET_TOKEN("\"instance\":\"mine\\u0000\""), INVALID("instance")},
    {1000, GET_TOKEN("\"instance\":\"mine\",\"instance\":\"mine\""), INVALID("instance")},
    {1000, GET_TOKEN("\"instance\":\"mine\",\"Instance\":\"mine\""), INVALID("Instance")},
    {1000, GET_TOKEN("\"instance\":\"mine\",\"\":1"), INVALID("")},
    {1000, GET_TOKEN("\"instance\":\"mine\",\"a\\u0000b\":1"), INVALID("a\\u0000b")},
    {1000, GET_TOKEN("\"instance\":\"mine\",\"timeoutUSec\":\"1\""), INVALID("timeoutUSec")},
    {1000, GET_TOKEN("\"instance\":\"mine\",\"timeoutUSec\":-1"), INVALID("timeoutUSec")},
    {1000, GET_TOKEN("\"instance\":\"mine\",\"timeoutUSec\":1.0"), INVALID("timeoutUSec")},
    {1000, GET_TOKEN("\"instance\":\"mine\",\"timeoutUSec\":1e3"), INVALID("timeoutUSec")},
    {1000, GET_TOKEN("\"instance\":\"mine\",\"timeoutUSec\":9223372036854775808"),
     INVALID("timeoutUSec")},
    {1000, GET_TOKEN("\"instance\":\"mine\",\"timeoutUSec\":true"), INVALID("timeoutUSec")},
    {1000, GET_TOKEN("\"timeoutUSec\":null,\"instance\":\"mine\",\"timeoutUSec\":1"),
     INVALID("timeoutUSec")},
    {1000, GET_TOKEN("\"timeoutUSec\":0"), INVALID("instance")},

    /* GetToken */
    {1000, GET_TOKEN("\"instance\":\"mine\""), TOKEN_REPLY},
    {1000, GET_TOKEN("\"instance\":\"mine\",\"timeoutUSec\":null"), TOKEN_REPLY},
    {1000, GET_TOKEN("\"timeoutUSec\":0,\"instance\":\"mine\""), TOKEN_REPLY},
    {1000, GET_TOKEN("\"instance\":\"mine\",\"timeoutUSec\":9223372036854775807"), TOKEN_REPLY},
    {1000, GET_TOKEN("\"instance\":\"m\\u0069ne\""), TOKEN_REPLY},
    {1000,
     "{\"method\":\"io.elementd.GetToken\",\"parameters\":{\"instance\":\"mine\"},\"more\":true}",
     TOKEN_REPLY},
    {0, GET_TOKEN("\"instance\":\"mine\""), TOKEN_REPLY},
    {1001, GET_TOKEN("\"instance\":\"mine\""), DENIED},
    {1000, GET_TOKEN("\"instance\":\"header\""), DENIED},
    {1000, GET_TOKEN("\"instance\":\"other\""), DENIED},
    {1000, GET_TOKEN("\"instance\":\"other\",\"timeoutUSec\":1000000"), DENIED},
    {1000, GET_TOKEN("\"instance\":\"min\""), NO_SUCH("min")},
    {1000, GET_TOKEN("\"instance\":\"\""), NO_SUCH("")},
    {0, GET_TOKEN("\"instance\":\"nobody\""), NO_SUCH("nobody")},
    {0, GET_TOKEN("\"instance\":\"other\""),
     ERROR("io.elementd.NotReady", "\"instance\":\"other\",\"state\":\"pending\"")},
    {1000,
     "{\"method\":\"io.elementd.GetToken\",\"parameters\":{\"instance\":\"mine\"},\"upgrade\":true}",
     UNIMPLEMENTED("io.elementd.GetToken")},

    /* GetAuthorization */
    {1000, CALL("io.elementd.GetAuthorization", "\"instance\":\"mine\""), DENIED},
    {1000, CALL("io.elementd.GetAuthorization", "\"instance\":\"nobody\""), NO_SUCH("nobody")},
    {1000, CALL("io.elementd.GetAuthorization", "\"instance\":\"header\""),
     ERROR("io.elementd.NotReady", "\"instance\":\"header\",\"state\":\"pending\"")},
    {0, CALL("io.elementd.GetAuthorization", "\"instance\":\"mine\""),
     "{\"parameters\":{\"authorization\":\"User u=, Organization o=, Element s3cret/+=\"}}"},

    /* ListInstances */
    {1001, CALL("io.elementd.ListInstances", ""), "{\"parameters\":{\"instances\":[]}}"},
    {1001, CALL("io.elementd.ListInstances", "\"instance\":\"mine\""), INVALID("instance")},

    /* what has an effect; see below for that */
    {1000, CALL("io.elementd.ReportRejected", "\"instance\":\"mine\""), INVALID("token")},
    {1000, CALL("io.elementd.ReportRejected", "\"instance\":\"mine\",\"token\":\"a\\u0000\""),
     INVALID("token")},
    {1000, CALL("io.elementd.ReportRejected", "\"instance\":\"mine\",\"token\":\"x\""), DONE},
    {1000, CALL("io.elementd.ReportRejected", "\"instance\":\"other\",\"token\":\"x\""), DENIED},
    {1000, CALL("io.elementd.ReportRejected", "\"instance\":\"header\",\"token\":\"x\""), DENIED},
    {1000, CALL("io.elementd.ReportRejected", "\"instance\":\"nobody\",\"token\":\"x\""),
     NO_SUCH("nobody")},
    {1000, CALL("io.elementd.Reload", ""), DENIED},
    {1000, CALL("io.elementd.Reload", "\"x\":1"), DENIED},
    {0, CALL("io.elementd.Reload", "\"x\":1"), INVALID("x")},
    {1000, CALL("io.elementd.Retry", "\"instance\":\"mine\""), DENIED},
    {1000, CALL("io.elementd.Retry", "\"instance\":\"nobody\""), DENIED},
    {0, CALL("io.elementd.Retry", "\"instance\":\"nobody\""), NO_SUCH("nobody")},
    {0, CALL("io.elementd.Retry", "\"instance\":\"mine\""), DONE},
    {1000, CALL("io.elementd.ListOrphans", ""), DENIED},
    {0, CALL("io.elementd.ListOrphans", ""), "{\"parameters\":{\"orphans\":[]}}"},
    {1000, DESCRIBE("\"element\":\"jira\""), DENIED},
    {1000, DESCRIBE(""), DENIED},
    {0, DESCRIBE(""), INVALID("element")},
    {0, DESCRIBE("\"element\":1"), INVALID("element")},
    {0, DESCRIBE("\"element\":null"), INVALID("element")},
    {0, DESCRIBE("\"element\":\"\""), INVALID("element")},
    {0, DESCRIBE("\"element\":\".\""), INVALID("element")},
    {0, DESCRIBE("\"element\":\"..\""), INVALID("element")},
    {0, DESCRIBE("\"element\":\"a\\u0000\""), INVALID("element")},
    {0, DESCRIBE("\"element\":\"a\",\"account\":1"), INVALID("account")},
    {0, DESCRIBE("\"element\":\"a\",\"account\":\"\""), INVALID("account")},
    {0, DESCRIBE("\"element\":\"a\",\"instance\":\"b\""), INVALID("instance")},

    /* watches that are refused; see below for others */
    {1000, CALL("io.elementd.WatchToken", "\"instance\":\"mine\""),
     ERROR("org.varlink.service.ExpectedMore", "")},
    {1000, CALL("io.elementd.WatchToken", "\"instance\":\"other\""), DENIED},
    {1000, WATCH_TOKEN("other"), DENIED},
    {1000, WATCH_TOKEN("header"), DENIED},
    {1000, WATCH_TOKEN("nobody"), NO_SUCH("nobody")},
    {1000, CALL("io.elementd.WatchInstances", ""), ERROR("org.varlink.service.ExpectedMore", "")},
    {1000, "{\"method\":\"io.elementd.WatchInstances\",\"more\":true,\"parameters\":{\"x\":1}}",
     INVALID("x")},
};

static void fill_backend(Secret **ret_user, Secret **ret_organization)
{
    Served *mine = backend_add(&fixture.backend, "mine", "user:1000", NULL);

    assert_int_equal(secret_new("u=", 2, ret_user), 0);
    assert_int_equal(secret_new("o=", 2, ret_organization), 0);
    backend_set_token(&fixture.backend, mine, "s3cret/+=");
    mine->verified = UINT64_C(1700000000000000);
    backend_terms(&fixture.backend, mine)->user = *ret_user;
    backend_terms(&fixture.backend, mine)->organization = *ret_organization;
    (void)backend_add(&fixture.backend, "header", NULL, "user:1000");
    (void)backend_add(&fixture.backend, "other", NULL, NULL);
}

static void test_answers(void **state)
{
    _cleanup_(secret_unrefp) Secret *user = NULL, *organization = NULL;

    (void)state;
    fill_backend(&user, &organization);
    for (int round = 0; round < 2; round++) { /* made once, ready-made then */
        for (size_t i = 0; i < N_ELEMENTS(answers); i++) {
            fixture.peer.uid = answers[i].uid;
            feed(answers[i].call);
            if (session_need(&fixture.session) != SESSION_NEEDS_BYTES)
                fail_msg("%s: not answered", answers[i].call);
            expect(answers[i].reply);
        }
    }
}

/* The same stream in every way that a socket could cut it. */
static void test_answers_in_pieces(void **state)
{
    _cleanup_(secret_unrefp) Secret *user = NULL, *organization = NULL;

    (void)state;
    fill_backend(&user, &organization);
    for (size_t i = 0; i < N_ELEMENTS(answers); i++) {
        const char *call = answers[i].call;

        fixture.peer.uid = answers[i].uid;
        for (size_t j = 0; j < strlen(call); j++) {
            feed_bytes(call + j, 1);
            expect_nothing();
        }
        feed_bytes("", 1);
        expect(answers[i].reply);
    }
}

static void test_oneway(void **state)
{
    _cleanup_(secret_unrefp) Secret *user = NULL, *organization = NULL;

    (void)state;
    fill_backend(&user, &organization);
    feed(
        "{\"method\":\"io.elementd.GetToken\",\"oneway\":true,\"parameters\":{\"instance\":\"mine\"}}");
    feed(
        "{\"method\":\"io.elementd.GetToken\",\"oneway\":true,\"parameters\":{\"instance\":\"nobody\"}}");
    feed("{\"method\":\"org.example.X\",\"oneway\":true}");
    fixture.peer.uid = 0;
    feed("{\"method\":\"io.elementd.GetToken\",\"oneway\":true,"
         "\"parameters\":{\"instance\":\"other\",\"timeoutUSec\":1000000}}");
    /* A list that nobody reads is not made: a peer could have thousands of them in one message. */
    feed("{\"method\":\"io.elementd.ListInstances\",\"oneway\":true}");
    assert_int_equal(fixture.backend.n_nexts, 0);
    expect_nothing();
    feed(GET_TOKEN("\"instance\":\"mine\""));
    expect(TOKEN_REPLY);
}

/* ---- effects ---- */

#define ONEWAY(method, parameters)                                                                 \
    "{\"method\":\"" method "\",\"oneway\":true,\"parameters\":{" parameters "}}"

static void test_effects(void **state)
{
    Served *x = backend_add(&fixture.backend, "x", "user:1000", NULL);

    (void)state;
    feed(CALL("io.elementd.ReportRejected", "\"token\":\"t/+=\",\"instance\":\"x\""));
    expect(DONE);
    assert_ptr_equal(fixture.backend.rejected, x);
    assert_string_equal(fixture.backend.rejected_token, "t/+=");
    feed(CALL("io.elementd.Retry", "\"instance\":\"x\""));
    expect(DENIED);
    assert_int_equal(fixture.backend.n_retried, 0);
    fixture.peer.uid = 0;
    feed(CALL("io.elementd.Retry", "\"instance\":\"x\""));
    expect(DONE);
    assert_ptr_equal(fixture.backend.retried, x);
    assert_int_equal(fixture.backend.n_rejected, 1);
    assert_int_equal(fixture.backend.n_retried, 1);
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
    (void)backend_add(&fixture.backend, "x", NULL, NULL);
    for (unsigned round = 0; round < 2; round++) {
        fixture.peer.uid = round == 0 ? 1000 : 0;
        for (size_t i = 0; i < N_ELEMENTS(calls); i++)
            feed(calls[i]);
        expect_nothing();
        assert_int_equal(fixture.backend.n_rejected, round);
        assert_int_equal(fixture.backend.n_retried, round);
        assert_int_equal(fixture.backend.n_reloads, round);
    }
    assert_int_equal(session_need(&fixture.session), SESSION_NEEDS_BYTES);
}

/* A daemon that cannot do it says so, after all that the caller may have done wrong. */
static void test_missing_operations(void **state)
{
    static const AnswerCase few_answers[] = {
        {1000, CALL("io.elementd.ReportRejected", "\"instance\":\"x\",\"token\":\"t\""),
         UNIMPLEMENTED("io.elementd.ReportRejected")},
        {1001, CALL("io.elementd.ReportRejected", "\"instance\":\"x\",\"token\":\"t\""), DENIED},
        {0, CALL("io.elementd.Retry", "\"instance\":\"x\""), UNIMPLEMENTED("io.elementd.Retry")},
        {0, CALL("io.elementd.Retry", "\"instance\":\"y\""), NO_SUCH("y")},
        {0, CALL("io.elementd.Reload", ""), UNIMPLEMENTED("io.elementd.Reload")},
        {0, CALL("io.elementd.ListOrphans", ""), UNIMPLEMENTED("io.elementd.ListOrphans")},
        {0, DESCRIBE("\"element\":\"a\""), UNIMPLEMENTED("io.elementd.DescribeElement")},
    };
    const ServerOperations few = {.find = backend_operations.find, .next = backend_operations.next};

    (void)state;
    (void)backend_add(&fixture.backend, "x", "user:1000", NULL);
    fixture.shared.calls.operations = &few;
    for (size_t i = 0; i < N_ELEMENTS(few_answers); i++) {
        fixture.peer.uid = few_answers[i].uid;
        feed(few_answers[i].call);
        expect(few_answers[i].reply);
    }
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
    fixture.backend.orphans = orphans;
    fixture.backend.n_orphans = N_ELEMENTS(orphans);
    fixture.peer.uid = 0;
    feed(CALL("io.elementd.ListOrphans", ""));
#define ORPHAN(id, reason)                                                                         \
    "{\"id\":" id ",\"url\":\"https://b\",\"reason\":\"" reason                                    \
    "\",\"sinceUSec\":0,\"isDeleting\":false}"
    expect("{\"parameters\":{\"orphans\":[{\"id\":7,\"url\":\"https://a\",\"account\":\"default\","
           "\"element\":\"jira\",\"instance\":\"x\",\"reason\":\"removed\",\"sinceUSec\":5,"
           "\"isDeleting\":true,\"problem\":\"no \\\"network\\\"\"}," ORPHAN(
               "8", "replaced") "," ORPHAN("9", "duplicate") "," ORPHAN("10", "unclaimed") "]}}");
}

/* One message was written with a unit that waits since about `since`, for `span`. */
static void expect_unit(const char *head, usec_t since, usec_t span)
{
    const char *text = buffer_data(&fixture.session.unsent);
    unsigned long long told_since, told_until;

    assert_int_equal(strncmp(text, head, strlen(head)), 0);
    assert_int_equal(sscanf(text + strlen(head), "\"sinceUSec\":%llu,\"untilUSec\":%llu}]}}",
                            &told_since, &told_until),
                     2);
    assert_in_range(told_since, since, since + 10 * USEC_PER_SEC);
    assert_in_range(told_until - told_since, span - 1000, span + 1000);
    buffer_consume(&fixture.session.unsent, strlen(text) + 1);
    expect_nothing();
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
    Served *x = backend_add(&fixture.backend, "x", "user:1000", NULL);
    Served *y = backend_add(&fixture.backend, "y", "user:2000", NULL);

    (void)state;
    fixture.backend.troubles = troubles;
    fixture.backend.n_troubles = N_ELEMENTS(troubles);
    feed(CALL("io.elementd.GetStatus", ""));
#define FULL "{\"kind\":\"diskFull\",\"problem\":\"full\",\"sinceUSec\":5,\"retryUSec\":6}"
    expect("{\"parameters\":{\"troubles\":[" FULL "],\"waitingUnits\":[]}}");
    TAILQ_INSERT_TAIL(&x->waits, &waits[0], link);
    TAILQ_INSERT_TAIL(&x->waits, &waits[2], link);
    TAILQ_INSERT_TAIL(&y->waits, &waits[1], link);
    feed(CALL("io.elementd.GetStatus", ""));
    expect_unit(
        "{\"parameters\":{\"troubles\":[" FULL
        "],\"waitingUnits\":[{\"unit\":\"a.service\",\"credential\":\"x\",\"instance\":\"x\",",
        clock_realtime() - 2 * USEC_PER_SEC, 60 * USEC_PER_SEC);
    TAILQ_REMOVE(&x->waits, &waits[0], link);
    TAILQ_REMOVE(&x->waits, &waits[2], link);
    TAILQ_REMOVE(&y->waits, &waits[1], link);
    fixture.peer.uid = 0;
    feed(CALL("io.elementd.GetStatus", ""));
    expect("{\"parameters\":{\"troubles\":[" FULL
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

    fixture.backend.reload = (ServedReload){
        .is_applied = true, .added = added, .changed = none, .removed = removed};
    fixture.backend.n_reloads_over = number;
    wait_tell_all(&fixture.shared.calls.reloads);
}

static void test_reload(void **state)
{
    (void)state;
    (void)backend_add(&fixture.backend, "x", "any", NULL);
    fixture.peer.uid = 0;
    feed(RELOAD);
    assert_int_equal(fixture.backend.n_reloads, 1);
    assert_int_equal(session_need(&fixture.session), SESSION_NEEDS_CHANGE);
    assert_int_equal(fixture.session.wait.deadline, NOW + RELOAD_WAIT_USEC);
    /* One that began before is over. */
    end_reload(0);
    assert_int_equal(fixture.n_changes, 1);
    expect_nothing();
    end_reload(1);
    expect(RELOADED);
    assert_int_equal(fixture.backend.n_reloads, 1);
    end_reload(1);
    assert_int_equal(fixture.n_changes, 2);
    /* The next one is another reload. */
    feed(RELOAD);
    assert_int_equal(fixture.backend.n_reloads, 2);
    expect_nothing();
    end_reload(2);
    expect(RELOADED);
}

static void test_reload_fails(void **state)
{
    static const ServedProblem problems[] = {
        {"/etc/elementd/a.json", 3, 7, "unexpected \"x\""},
        {"/etc/elementd/b.json", 1, 1, "cannot be read"},
    };

    (void)state;
    fixture.peer.uid = 0;
    feed(RELOAD);
    fixture.backend.reload = (ServedReload){.problems = problems, .n_problems = 2};
    fixture.backend.n_reloads_over = 1;
    wait_tell_all(&fixture.shared.calls.reloads);
    expect(ERROR("io.elementd.InvalidConfiguration",
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
    fixture.peer.uid = 0;
    feed(RELOAD);
    session_answer_again(&fixture.session, true);
    expect(TOO_LATE);
    feed_bytes(calls, sizeof(calls));
    session_stop(&fixture.session, NOW);
    expect_all(replies, 2);
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
    fixture.backend.n_descriptions_there = number;
    wait_tell_all(&fixture.shared.calls.descriptions);
}

static void test_describe(void **state)
{
    (void)state;
    fixture.peer.uid = 0;
    fixture.backend.description = (ServedDescription){
        .result = SERVED_DESCRIBED, .keys = jira_keys, .n_keys = N_ELEMENTS(jira_keys)};
    feed(JIRA);
    assert_string_equal(fixture.backend.described, "jira of default");
    assert_int_equal(session_need(&fixture.session), SESSION_NEEDS_CHANGE);
    assert_int_equal(fixture.session.wait.deadline, NOW + DESCRIBE_WAIT_USEC);
    /* Another one is there. */
    end_descriptions(0);
    assert_int_equal(fixture.n_changes, 1);
    expect_nothing();
    assert_int_equal(fixture.backend.n_forgotten, 0);
    end_descriptions(1);
    expect(JIRA_REPLY);
    assert_int_equal(fixture.backend.n_forgotten, 1);
    assert_int_equal(session_need(&fixture.session), SESSION_NEEDS_BYTES);
    /* One that is there at once, and has nothing to say. */
    fixture.backend.description.n_keys = 0;
    fixture.backend.n_descriptions_there = 2;
    feed(DESCRIBE("\"account\":\"b\",\"element\":\"a/b\""));
    assert_string_equal(fixture.backend.described, "a/b of b");
    expect("{\"parameters\":{\"keys\":[]}}");
    assert_int_equal(fixture.backend.n_forgotten, 2);
    /* Nobody would be told. */
    feed(ONEWAY("io.elementd.DescribeElement", "\"element\":\"jira\""));
    expect_nothing();
    assert_int_equal(fixture.backend.n_descriptions, 2);
}

/* Of an element and of an account; not given, it is "default". */
static void test_describe_longest_names(void **state)
{
    char name[DESCRIBE_NAME_BYTES_MAX + 2];

    (void)state;
    fixture.peer.uid = 0;
    fixture.backend.description = (ServedDescription){.result = SERVED_DESCRIBED};
    fixture.backend.n_descriptions_there = UINT64_MAX;
    memset(name, 'n', sizeof(name));
    for (int i = 0; i < 4; i++) {
        _cleanup_(freep) char *call = NULL;
        bool is_longer = i % 2 == 1, is_account = i >= 2;

        name[DESCRIBE_NAME_BYTES_MAX + is_longer] = '\0';
        name[DESCRIBE_NAME_BYTES_MAX] = is_longer ? 'n' : '\0';
        assert_true(asprintf(&call, DESCRIBE("\"element\":\"%s\",\"account\":\"%s\""),
                             is_account ? "e" : name, is_account ? name : "a") > 0);
        feed(call);
        if (!is_longer)
            expect("{\"parameters\":{\"keys\":[]}}");
        else if (is_account)
            expect(INVALID("account"));
        else
            expect(INVALID("element"));
    }
    assert_int_equal(fixture.backend.n_descriptions, 2);
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
    fixture.peer.uid = 0;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        fixture.backend.description = cases[i].description;
        feed(JIRA);
        expect_nothing();
        end_descriptions(i + 1);
        expect(cases[i].reply);
        assert_int_equal(fixture.backend.n_forgotten, i + 1);
    }
    fixture.backend.descriptions_max = N_ELEMENTS(cases);
    feed(JIRA);
    expect(UNAVAILABLE(
        "\"problem\":\"too many questions about elements wait for an answer already\""));
    assert_int_equal(fixture.backend.n_forgotten, N_ELEMENTS(cases));
}

/* At the deadline, when all stops, and when whoever asked goes, the question is let go of. */
static void test_describe_not_answered(void **state)
{
    static const char *const replies[] = {NOT_IN_TIME, NOT_IN_TIME};
    static const char calls[] = JIRA "\0" JIRA;

    (void)state;
    fixture.peer.uid = 0;
    feed(JIRA);
    session_answer_again(&fixture.session, true);
    expect(NOT_IN_TIME);
    assert_int_equal(fixture.backend.n_forgotten, 1);
    feed_bytes(calls, sizeof(calls));
    session_stop(&fixture.session, NOW);
    expect_all(replies, 2);
    assert_int_equal(fixture.backend.n_forgotten, 3);
    feed(JIRA);
    session_deinit(&fixture.session);
    assert_int_equal(fixture.backend.n_forgotten, 4);
    assert_true(TAILQ_EMPTY(&fixture.shared.calls.descriptions));
    session_init(&fixture.session, &fixture.shared, &fixture.peer, on_change);
}

/* ---- descriptions ---- */

static void test_descriptions(void **state)
{
    (void)state;
    for (size_t i = 0; i < interfaces_n; i++) {
        _cleanup_(buffer_deinit) Buffer expected = BUFFER_INIT(REPLY_BYTES_MAX);
        _cleanup_(freep) char *call = NULL;
        VarlinkWriter writer;

        assert_true(
            asprintf(&call,
                     CALL("org.varlink.service.GetInterfaceDescription", "\"interface\":\"%s\""),
                     interfaces[i].name) > 0);
        feed(call);
        varlink_begin_reply(&writer, &expected, false);
        json_writer_key(&writer.json, "description");
        json_writer_string(&writer.json, interfaces[i].text);
        assert_int_equal(varlink_end(&writer), 0);
        expect(buffer_data(&expected));
    }
}

/* Each method that is described answers something else than MethodNotFound. */
static void test_described_methods_are_known(void **state)
{
    unsigned n = 0;

    (void)state;
    fixture.peer.uid = 0;
    for (size_t i = 0; i < interfaces_n; i++) {
        const char *p = interfaces[i].text;

        while ((p = strstr(p, "\nmethod "))) {
            _cleanup_(freep) char *call = NULL;

            p += strlen("\nmethod ");
            assert_true(asprintf(&call, CALL("%s.%.*s", "\"unknown\":1"), interfaces[i].name,
                                 (int)strcspn(p, "("), p) > 0);
            feed(call);
            expect(INVALID("unknown"));
            n++;
        }
    }
    assert_int_equal(n, 14);
}

/* ---- what is told of instances ---- */

static void test_list(void **state)
{
    _cleanup_(secret_unrefp) Secret *user = NULL, *organization = NULL;
    Served *broken;

    (void)state;
    fill_backend(&user, &organization);
    broken = backend_add(&fixture.backend, "broken", "any", NULL);
    broken->state = SERVED_FAILED;
    backend_terms(&fixture.backend, broken)->element = NULL;
    broken->retry = 7;
    broken->attempts = 3;
    backend_set_problem(&fixture.backend, broken, "bad \"quotes\"");
    broken->problem->trouble = TROUBLE_CONFIGURATION;
    broken->problem->since = 9;
    feed(CALL("io.elementd.ListInstances", ""));
#define MINE                                                                                         \
    "{\"name\":\"mine\",\"element\":\"jira\",\"account\":\"default\",\"state\":\"ready\",\"id\":42," \
    "\"hasToken\":true,\"sinceUSec\":1000,\"verifiedUSec\":1700000000000000,\"attempts\":0}"
#define PENDING(name)                                                                              \
    "{\"name\":\"" name "\",\"element\":\"jira\",\"account\":\"default\",\"state\":\"pending\","   \
    "\"hasToken\":false,\"sinceUSec\":1000,\"attempts\":0}"
#define BROKEN                                                                                               \
    "{\"name\":\"broken\",\"element\":\"\",\"account\":\"default\",\"state\":\"failed\",\"hasToken\":false," \
    "\"sinceUSec\":1000,\"retryUSec\":7,\"attempts\":3,\"problem\":\"bad \\\"quotes\\\"\","                  \
    "\"problemKind\":\"configuration\",\"problemSinceUSec\":9}"
    expect("{\"parameters\":{\"instances\":[" MINE "," PENDING("header") "," BROKEN "]}}");
    fixture.peer.uid = 0;
    feed(CALL("io.elementd.ListInstances", ""));
    expect("{\"parameters\":{\"instances\":[" MINE
           "," PENDING("header") "," PENDING("other") "," BROKEN "]}}");
    fixture.peer.uid = 1001;
    feed(CALL("io.elementd.ListInstances", ""));
    expect("{\"parameters\":{\"instances\":[" BROKEN "]}}");
}

static void test_states(void **state)
{
    static const char *const names[SERVED_N_STATES] = {"pending", "lookingUp", "creating", "ready",
                                                       "waiting", "failed",    "disabled"};
    Served *served = backend_add(&fixture.backend, "x", "any", NULL);

    (void)state;
    for (int i = 0; i < SERVED_N_STATES; i++) {
        _cleanup_(freep) char *expected = NULL;

        served->state = (ServedState)i;
        backend_set_problem(&fixture.backend, served, "because");
        served->retry = 99;
        if (i == SERVED_FAILED)
            expected = strdup(
                ERROR("io.elementd.Failed", "\"instance\":\"x\",\"problem\":\"because\""));
        else
            assert_true(
                asprintf(&expected,
                         ERROR("io.elementd.NotReady", "\"instance\":\"x\",\"state\":\"%s\","
                                                       "\"retryUSec\":99,\"problem\":\"because\""),
                         names[i]) > 0);
        feed(GET_TOKEN("\"instance\":\"x\""));
        expect(expected);
    }
}

/* Whatever state it is in, a token that is there is handed out. */
static void test_token_in_every_state(void **state)
{
    Served *served = backend_add(&fixture.backend, "x", "any", NULL);

    (void)state;
    backend_set_token(&fixture.backend, served, "t");
    for (int i = 0; i < SERVED_N_STATES; i++) {
        served->state = (ServedState)i;
        backend_set_problem(&fixture.backend, served, "because");
        feed(GET_TOKEN("\"instance\":\"x\",\"timeoutUSec\":1"));
        expect("{\"parameters\":{\"token\":\"t\",\"id\":42}}");
    }
}

static void test_failed_without_words(void **state)
{
    Served *served = backend_add(&fixture.backend, "x", "any", NULL);

    (void)state;
    served->state = SERVED_FAILED;
    feed(GET_TOKEN("\"instance\":\"x\""));
    expect(
        ERROR("io.elementd.Failed", "\"instance\":\"x\",\"problem\":\"the reason is not known\""));
}

/* Without the account's secrets there is no header, even where there is a token. */
static void test_authorization_needs_all_parts(void **state)
{
    _cleanup_(secret_unrefp) Secret *user = NULL, *organization = NULL;
    Served *mine;

    (void)state;
    fill_backend(&user, &organization);
    fixture.peer.uid = 0;
    mine = &fixture.backend.instances[0].served;
    for (int i = 0; i < 2; i++) {
        backend_terms(&fixture.backend, mine)->user = i == 0 ? NULL : user;
        backend_terms(&fixture.backend, mine)->organization = i == 0 ? organization : NULL;
        feed(CALL("io.elementd.GetAuthorization", "\"instance\":\"mine\""));
        expect(ERROR("io.elementd.NotReady", "\"instance\":\"mine\",\"state\":\"ready\""));
    }
}

/* ---- waiting ---- */

#define WAIT_FOR(name) GET_TOKEN("\"instance\":\"" name "\",\"timeoutUSec\":1000000")

static void change(Served *served)
{
    call_shared_changed(&fixture.shared.calls, served);
}

static void remove_served(Served *served)
{
    call_shared_removed(&fixture.shared.calls, served);
}

static void test_wait_for_token(void **state)
{
    Served *served = backend_add(&fixture.backend, "x", "any", NULL);

    (void)state;
    feed(WAIT_FOR("x"));
    assert_int_equal(session_need(&fixture.session), SESSION_NEEDS_CHANGE);
    assert_int_equal(fixture.session.wait.deadline, NOW + USEC_PER_SEC);
    served->state = SERVED_CREATING;
    change(served);
    assert_int_equal(fixture.n_changes, 1);
    assert_int_equal(session_need(&fixture.session), SESSION_NEEDS_CHANGE);
    expect_nothing();
    backend_set_token(&fixture.backend, served, "t");
    change(served);
    expect("{\"parameters\":{\"token\":\"t\",\"id\":42}}");
    assert_int_equal(session_need(&fixture.session), SESSION_NEEDS_BYTES);
    change(served);
    assert_int_equal(fixture.n_changes, 2);
}

static void test_wait_is_capped(void **state)
{
    (void)state;
    (void)backend_add(&fixture.backend, "x", "any", NULL);
    feed(GET_TOKEN("\"instance\":\"x\",\"timeoutUSec\":9223372036854775807"));
    assert_int_equal(fixture.session.wait.deadline, NOW + WAIT_MAX_USEC);
}

static void test_wait_for_failure(void **state)
{
    Served *served = backend_add(&fixture.backend, "x", "any", NULL);

    (void)state;
    feed(WAIT_FOR("x"));
    served->state = SERVED_FAILED;
    backend_set_problem(&fixture.backend, served, "no");
    change(served);
    expect(ERROR("io.elementd.Failed", "\"instance\":\"x\",\"problem\":\"no\""));
}

static void test_wait_until_deadline(void **state)
{
    Served *served = backend_add(&fixture.backend, "x", "any", NULL);

    (void)state;
    feed(WAIT_FOR("x"));
    served->state = SERVED_WAITING;
    served->retry = 8;
    session_answer_again(&fixture.session, true);
    expect(
        ERROR("io.elementd.NotReady", "\"instance\":\"x\",\"state\":\"waiting\",\"retryUSec\":8"));
}

/* Who lost permission while waiting gets nothing, whether the token comes or the time is over. */
static void test_permission_is_decided_again(void **state)
{
    Served *served = backend_add(&fixture.backend, "x", "user:1000", NULL);

    (void)state;
    feed(WAIT_FOR("x"));
    backend_set_allow(&fixture.backend, served, "user:1001");
    backend_set_token(&fixture.backend, served, "t");
    change(served);
    expect(DENIED);
}

/* Nor does the call behind it find what is about to go. */
static void test_removed_while_waiting(void **state)
{
    Served *served = backend_add(&fixture.backend, "x", "any", NULL);
    static const char calls[] = WAIT_FOR("x") "\0" WAIT_FOR("x") "\0" CALL(
        "io.elementd.ListInstances", "");
    static const char *const replies[] = {NO_SUCH("x"), NO_SUCH("x"),
                                          "{\"parameters\":{\"instances\":[]}}"};

    (void)state;
    feed_bytes(calls, sizeof(calls));
    remove_served(served);
    expect_all(replies, N_ELEMENTS(replies));
}

/* What waits holds up all behind it, in whatever order things become possible. */
static void test_answers_keep_their_order(void **state)
{
    Served *x = backend_add(&fixture.backend, "x", "any", NULL);
    Served *y = backend_add(&fixture.backend, "y", "any", NULL);
    static const char calls[] = GET_TOKEN("\"instance\":\"a\"") "\0" WAIT_FOR("x") "\0" GET_TOKEN(
        "\"instance\":\"b\"") "\0" WAIT_FOR("y") "\0" GET_TOKEN("\"instance\":\"c\"");
    static const char *const replies[] = {
        "{\"parameters\":{\"token\":\"tx\",\"id\":42}}", NO_SUCH("b"),
        "{\"parameters\":{\"token\":\"ty\",\"id\":42}}", NO_SUCH("c")};

    (void)state;
    feed_bytes(calls, sizeof(calls));
    expect(NO_SUCH("a"));
    backend_set_token(&fixture.backend, y, "ty");
    change(y);
    expect_nothing();
    backend_set_token(&fixture.backend, x, "tx");
    change(x);
    expect_all(replies, N_ELEMENTS(replies));
}

/* A token is made into an answer anew after each change. */
static void test_answer_is_renewed(void **state)
{
    Served *served = backend_add(&fixture.backend, "x", "any", NULL);

    (void)state;
    backend_set_token(&fixture.backend, served, "one");
    feed(GET_TOKEN("\"instance\":\"x\""));
    expect("{\"parameters\":{\"token\":\"one\",\"id\":42}}");
    backend_set_token(&fixture.backend, served, "two");
    served->verified = 5;
    change(served);
    feed(GET_TOKEN("\"instance\":\"x\""));
    expect("{\"parameters\":{\"token\":\"two\",\"id\":42,\"verifiedUSec\":5}}");
}

static void test_stop(void **state)
{
    static const char calls[] = WAIT_FOR("x") "\0" WAIT_FOR("x") "\0" GET_TOKEN(
        "\"instance\":\"c\"");
    static const char *const replies[] = {
        ERROR("io.elementd.NotReady", "\"instance\":\"x\",\"state\":\"pending\""),
        ERROR("io.elementd.NotReady", "\"instance\":\"x\",\"state\":\"pending\""), NO_SUCH("c")};

    (void)state;
    (void)backend_add(&fixture.backend, "x", "any", NULL);
    feed_bytes(calls, sizeof(calls));
    session_stop(&fixture.session, NOW);
    expect_all(replies, N_ELEMENTS(replies));
}

/* The last that may wait waits, and one past it is answered at once. */
static void test_waits_of_a_user(void **state)
{
    static Session sessions[WAITING_PER_UID_MAX];
    static const char call[] = WAIT_FOR("x");

    (void)state;
    (void)backend_add(&fixture.backend, "x", "any", NULL);
    for (unsigned i = 0; i < WAITING_PER_UID_MAX; i++) {
        char *space;
        size_t room;

        session_init(&sessions[i], &fixture.shared, &fixture.peer, on_change);
        assert_int_equal(session_reserve(&sessions[i], &space, &room), 0);
        memcpy(space, call, sizeof(call));
        session_commit(&sessions[i], sizeof(call));
        session_advance(&sessions[i], NOW);
        assert_int_equal(session_need(&sessions[i]), SESSION_NEEDS_CHANGE);
    }
    feed(call);
    expect(ERROR("io.elementd.NotReady", "\"instance\":\"x\",\"state\":\"pending\""));
    fixture.peer.uid = 0;
    feed(call);
    assert_int_equal(session_need(&fixture.session), SESSION_NEEDS_CHANGE);
    session_answer_again(&fixture.session, true);
    buffer_clear(&fixture.session.unsent);
    fixture.peer.uid = 1000;
    session_deinit(&sessions[3]);
    feed(call);
    assert_int_equal(session_need(&fixture.session), SESSION_NEEDS_CHANGE);
    for (unsigned i = 0; i < WAITING_PER_UID_MAX; i++)
        session_deinit(&sessions[i]);
}

/* ---- watches ---- */

#define NEWS(parameters)      "{\"parameters\":{" parameters "},\"continues\":true}"
#define NEWS_TOKEN(token, id) NEWS("\"token\":\"" token "\",\"id\":" id)
#define NEWS_OF(instance)     NEWS("\"instance\":" instance)

static void expect_watching(void)
{
    assert_true(session_is_watching(&fixture.session));
    assert_int_equal(session_need(&fixture.session), SESSION_NEEDS_CHANGE);
    expect_nothing();
}

static void test_watch_token(void **state)
{
    Served *x = backend_add(&fixture.backend, "x", "any", NULL);

    (void)state;
    backend_set_token(&fixture.backend, x, "one");
    feed(WATCH_TOKEN("x"));
    expect(NEWS_TOKEN("one", "42"));
    assert_int_equal(fixture.session.wait.deadline, USEC_INFINITY);
    expect_watching();
    /* Whatever else changes is no news. */
    x->state = SERVED_WAITING;
    x->verified = 5;
    backend_set_problem(&fixture.backend, x, "p");
    change(x);
    expect_watching();
    backend_set_token(&fixture.backend, x, "two");
    change(x);
    expect(NEWS_TOKEN("two", "42"));
    backend_set_token(&fixture.backend, x, NULL);
    change(x);
    expect(NEWS(""));
    x->id = 0;
    change(x);
    expect_watching();
    backend_set_token(&fixture.backend, x, "two");
    change(x);
    expect(NEWS_TOKEN("two", "42"));
    /* The same token of another instance on the platform. */
    x->id = 43;
    change(x);
    expect(NEWS_TOKEN("two", "43"));
    expect_watching();
}

/* From nothing to a token; a failed instance is watched, too: somebody may mend it. */
static void test_watch_token_from_nothing(void **state)
{
    Served *x = backend_add(&fixture.backend, "x", "any", NULL);

    (void)state;
    x->state = SERVED_FAILED;
    feed(WATCH_TOKEN("x"));
    expect(NEWS(""));
    expect_watching();
    backend_set_token(&fixture.backend, x, "t");
    change(x);
    expect(NEWS_TOKEN("t", "42"));
}

static void test_watch_token_ends(void **state)
{
    static const char calls[] = WATCH_TOKEN("x") "\0" GET_TOKEN("\"instance\":\"y\"");
    static const char *const denied[] = {DENIED, NO_SUCH("y")};
    static const char *const removed[] = {NO_SUCH("x"), NO_SUCH("y")};
    Served *x = backend_add(&fixture.backend, "x", "user:1000", NULL);

    (void)state;
    feed_bytes(calls, sizeof(calls));
    expect(NEWS("")); /* and what is behind it stays there */
    backend_set_allow(&fixture.backend, x, "user:1001");
    backend_set_token(&fixture.backend, x, "t");
    change(x);
    expect_all(denied, 2);
    assert_int_equal(session_need(&fixture.session), SESSION_NEEDS_BYTES);
    backend_set_allow(&fixture.backend, x, "any");
    feed_bytes(calls, sizeof(calls));
    expect(NEWS_TOKEN("t", "42"));
    remove_served(x);
    expect_all(removed, 2);
}

/* Who does not read is told once there is room, of what is there by then. */
static void test_watch_token_slowly(void **state)
{
    Served *x = backend_add(&fixture.backend, "x", "user:1000", NULL);
    Buffer *unsent = &fixture.session.unsent;

    (void)state;
    for (unsigned over = 0; over < 2; over++) {
        if (over == 0)
            feed(WATCH_TOKEN("x"));
        buffer_clear(unsent);
        while (buffer_size(unsent) < CONN_UNREAD_BYTES_MAX + over)
            assert_int_equal(buffer_append(unsent, "x", 1), 0);
        for (int i = 0; i < 3; i++) {
            backend_set_token(&fixture.backend, x, (const char *[]){"one", "two", "six"}[i]);
            change(x);
        }
        assert_int_equal(session_need(&fixture.session), SESSION_NEEDS_ROOM);
        session_advance(&fixture.session, NOW);
        if (over == 0) {
            /* One was written at the limit, and one past it none. */
            buffer_consume(unsent, CONN_UNREAD_BYTES_MAX);
            expect(NEWS_TOKEN("one", "42"));
        } else {
            assert_int_equal(buffer_size(unsent), CONN_UNREAD_BYTES_MAX + 1);
            buffer_clear(unsent);
        }
        session_advance(&fixture.session, NOW);
        expect(NEWS_TOKEN("six", "42"));
        expect_watching();
        backend_set_token(&fixture.backend, x, NULL);
        change(x);
        buffer_clear(unsent);
    }
    /* What was not told and went back is no news. */
    while (buffer_size(unsent) <= CONN_UNREAD_BYTES_MAX)
        assert_int_equal(buffer_append(unsent, "x", 1), 0);
    backend_set_token(&fixture.backend, x, "t");
    change(x);
    backend_set_token(&fixture.backend, x, NULL);
    change(x);
    buffer_clear(unsent);
    session_advance(&fixture.session, NOW);
    expect_watching();
    /* The end is told in any case: the instance goes now. */
    while (buffer_size(unsent) <= CONN_UNREAD_BYTES_MAX)
        assert_int_equal(buffer_append(unsent, "x", 1), 0);
    remove_served(x);
    buffer_consume(unsent, CONN_UNREAD_BYTES_MAX + 1);
    expect(NO_SUCH("x"));
}

#define HAS(name, state, token)                                                                    \
    "{\"name\":\"" name "\",\"element\":\"jira\",\"account\":\"default\",\"state\":\"" state       \
    "\"," token ",\"sinceUSec\":1000,\"attempts\":0}"
#define WITHOUT(name, state) HAS(name, state, "\"hasToken\":false")
#define WITH(name, state)    HAS(name, state, "\"id\":42,\"hasToken\":true")

static void test_watch_instances(void **state)
{
    static const char *const first[] = {NEWS_OF(WITHOUT("a", "pending")),
                                        NEWS_OF(WITH("header", "ready"))};
    Served *a = backend_add(&fixture.backend, "a", "user:1000", NULL);
    Served *other = backend_add(&fixture.backend, "other", NULL, NULL);
    Served *header = backend_add(&fixture.backend, "header", NULL, "user:1000"), *c;

    (void)state;
    backend_set_token(&fixture.backend, header, "s3cret");
    feed(WATCH_INSTANCES);
    expect_all(first, 2);
    expect_watching();
    change(other); /* is none of the caller's business */
    expect_watching();
    a->state = SERVED_CREATING;
    change(a);
    expect(NEWS_OF(WITHOUT("a", "creating")));
    backend_set_token(&fixture.backend, a, "t");
    change(a);
    expect(NEWS_OF(WITH("a", "ready")));
    remove_served(other);
    expect_watching();
    /* A new one, and one that may be seen from now on. */
    c = backend_add(&fixture.backend, "c", "any", NULL);
    change(c);
    expect(NEWS_OF(WITHOUT("c", "pending")));
}

static void test_watch_instances_as_root(void **state)
{
    Served *other = backend_add(&fixture.backend, "other", NULL, NULL);

    (void)state;
    fixture.peer.uid = 0;
    feed(WATCH_INSTANCES);
    expect(NEWS_OF(WITHOUT("other", "pending")));
    change(other);
    expect(NEWS_OF(WITHOUT("other", "pending")));
    remove_served(other);
    expect(NO_SUCH("other"));
}

/* A watch that told of one that goes, or that the caller loses, says so by its end; the next one begins anew. */
static void test_watch_instances_ends(void **state)
{
    static const char calls[] = WATCH_INSTANCES "\0" WATCH_INSTANCES;
    static const char *const again[] = {NO_SUCH("a"), NEWS_OF(WITHOUT("b", "pending"))};
    Served *a = backend_add(&fixture.backend, "a", "user:1000", NULL);
    Served *b = backend_add(&fixture.backend, "b", "user:1000", NULL);
    static const char *const both[] = {NEWS_OF(WITHOUT("a", "pending")),
                                       NEWS_OF(WITHOUT("b", "pending"))};

    (void)state;
    feed_bytes(calls, sizeof(calls));
    expect_all(both, 2);
    backend_set_allow(&fixture.backend, a, "user:1001");
    change(a);
    expect_all(again, 2);
    expect_watching();
    /* Of what the second one was not told it need not be told that it goes. */
    change(a);
    remove_served(a);
    expect_watching();
    remove_served(b);
    expect(NO_SUCH("b"));
    assert_int_equal(session_need(&fixture.session), SESSION_NEEDS_BYTES);
}

/* Told as far as there is room, the rest as it is then; what goes meanwhile, and was not told, never. */
static void test_watch_instances_slowly(void **state)
{
    enum { SIZE = CONN_UNREAD_BYTES_MAX / 2 };
    _cleanup_(freep) char *problem = malloc(SIZE + 1);
    Buffer *unsent = &fixture.session.unsent;
    Served *served[6];

    (void)state;
    memset(problem, 'p', SIZE);
    problem[SIZE] = '\0';
    for (int i = 0; i < 6; i++) {
        served[i] = backend_add(&fixture.backend, (const char *[]){"a", "b", "c", "d", "e", "f"}[i],
                                "any", NULL);
        if (i < 2)
            backend_set_problem(&fixture.backend, served[i], problem);
    }
    feed(WATCH_INSTANCES);
    /* Two of them pass the limit. */
    assert_in_range(buffer_size(unsent), CONN_UNREAD_BYTES_MAX + 1, CONN_UNREAD_BYTES_MAX + 1000);
    assert_int_equal(session_need(&fixture.session), SESSION_NEEDS_ROOM);
    backend_set_problem(&fixture.backend, served[0], NULL);
    for (int i = 0; i < 3; i++) {
        change(served[3]);
        change(served[0]);
    }
    remove_served(served[4]);
    assert_in_range(buffer_size(unsent), CONN_UNREAD_BYTES_MAX + 1, CONN_UNREAD_BYTES_MAX + 1000);
    buffer_clear(unsent);
    session_advance(&fixture.session, NOW);
    expect_all(
        (const char *const[]){NEWS_OF(WITHOUT("c", "pending")), NEWS_OF(WITHOUT("f", "pending")),
                              NEWS_OF(WITHOUT("d", "pending")), NEWS_OF(WITHOUT("a", "pending"))},
        4);
    expect_watching();
    /* Of one that was told, even the slowest is told that it goes. */
    while (buffer_size(unsent) <= CONN_UNREAD_BYTES_MAX)
        assert_int_equal(buffer_append(unsent, "x", 1), 0);
    change(served[5]);
    remove_served(served[1]);
    buffer_consume(unsent, CONN_UNREAD_BYTES_MAX + 1);
    expect(NO_SUCH("b"));
}

/* One that was removed, and is not gone yet, is not listed again: it would stay there when it goes. */
static void test_watch_instances_after_removal(void **state)
{
    Served *x = backend_add(&fixture.backend, "x", "any", NULL);

    (void)state;
    change(x);
    remove_served(x);
    feed(WATCH_INSTANCES);
    expect_watching();
    assert_int_equal(x->change, 0);
}

/* What is not for the caller is passed over in pieces as well. */
static void test_watch_instances_of_others(void **state)
{
    static char names[BACKEND_INSTANCES_MAX][16];
    unsigned n_rounds = 0;

    (void)state;
    for (int i = 0; i < BACKEND_INSTANCES_MAX; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "i%d", i);
        (void)backend_add(&fixture.backend, names[i],
                          i + 1 < BACKEND_INSTANCES_MAX ? "user:1001" : "any", NULL);
    }
    feed(WATCH_INSTANCES);
    for (; session_need(&fixture.session) == SESSION_NEEDS_ROOM; n_rounds++) {
        expect_nothing();
        session_advance(&fixture.session, NOW);
    }
    assert_int_equal(n_rounds, (BACKEND_INSTANCES_MAX - 1) / TURN_LOOKS_MAX);
    assert_true(buffer_size(&fixture.session.unsent) > 0);
    buffer_clear(&fixture.session.unsent);
    expect_watching();
}

/* ---- turns ---- */

/* `n` instances that anybody may see. */
static void add_many(int n)
{
    static char names[BACKEND_INSTANCES_MAX][16];

    for (int i = 0; i < n; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "i%04d", i);
        (void)backend_add(&fixture.backend, names[i], "any", NULL);
    }
}

static unsigned count_in_unsent(const char *text)
{
    const Buffer *unsent = &fixture.session.unsent;
    const char *at = buffer_data(unsent), *end = at + buffer_size(unsent);
    unsigned n = 0;

    while ((at = memmem(at, (size_t)(end - at), text, strlen(text)))) {
        at += strlen(text);
        n++;
    }
    return n;
}

/* A row of a list, as that of add_many(). */
#define ROW "\"name\":\"i"

static void test_list_in_pieces(void **state)
{
    const Buffer *unsent = &fixture.session.unsent;

    (void)state;
    add_many(TURN_LOOKS_MAX);
    feed(CALL("io.elementd.ListInstances", ""));
    assert_int_equal(session_need(&fixture.session), SESSION_NEEDS_BYTES);
    assert_int_equal(count_in_unsent(ROW), TURN_LOOKS_MAX);
    buffer_clear(&fixture.session.unsent);

    (void)backend_add(&fixture.backend, "i9999", "any", NULL);
    feed(CALL("io.elementd.ListInstances", ""));
    assert_int_equal(session_need(&fixture.session), SESSION_NEEDS_ROOM);
    assert_false(session_is_watching(&fixture.session));
    assert_int_equal(count_in_unsent(ROW), TURN_LOOKS_MAX);
    assert_null(memchr(buffer_data(unsent), '\0', buffer_size(unsent)));
    session_advance(&fixture.session, NOW);
    assert_int_equal(session_need(&fixture.session), SESSION_NEEDS_BYTES);
    assert_int_equal(count_in_unsent(ROW), TURN_LOOKS_MAX + 1);
    assert_int_equal(count_in_unsent("},{"), TURN_LOOKS_MAX);
    assert_ptr_equal(memchr(buffer_data(unsent), '\0', buffer_size(unsent)),
                     buffer_data(unsent) + buffer_size(unsent) - 1);
    buffer_clear(&fixture.session.unsent);
}

/* Who does not read a list has no more of it written than what fits. */
static void test_list_slowly(void **state)
{
    Buffer *unsent = &fixture.session.unsent;
    size_t full;

    (void)state;
    add_many(BACKEND_INSTANCES_MAX);
    feed(CALL("io.elementd.ListInstances", ""));
    for (int i = 0; i < BACKEND_INSTANCES_MAX; i++)
        session_advance(&fixture.session, NOW);
    full = buffer_size(unsent);
    assert_in_range(full, CONN_UNREAD_BYTES_MAX + 1, CONN_UNREAD_BYTES_MAX + TURN_BYTES_MAX);
    buffer_consume(unsent, full - CONN_UNREAD_BYTES_MAX - 1);
    session_advance(&fixture.session, NOW);
    assert_int_equal(buffer_size(unsent), CONN_UNREAD_BYTES_MAX + 1);
    buffer_consume(unsent, 1);
    session_advance(&fixture.session, NOW);
    assert_true(buffer_size(unsent) > CONN_UNREAD_BYTES_MAX);
    buffer_clear(unsent);
}

/* Those that go while a list is under way are not in it, and those behind them are. */
static void test_list_of_what_goes(void **state)
{
    (void)state;
    add_many(TURN_LOOKS_MAX + 3);
    feed(CALL("io.elementd.ListInstances", ""));
    remove_served(&fixture.backend.instances[TURN_LOOKS_MAX].served);
    remove_served(&fixture.backend.instances[TURN_LOOKS_MAX + 1].served);
    remove_served(&fixture.backend.instances[3].served);
    assert_ptr_equal(fixture.session.wait.call.list.next,
                     &fixture.backend.instances[TURN_LOOKS_MAX + 2].served);
    session_advance(&fixture.session, NOW);
    assert_int_equal(session_need(&fixture.session), SESSION_NEEDS_BYTES);
    assert_int_equal(count_in_unsent(ROW), TURN_LOOKS_MAX + 1);
    buffer_clear(&fixture.session.unsent);
    /* The last one of all. */
    feed(CALL("io.elementd.ListInstances", ""));
    session_advance(&fixture.session, NOW);
    buffer_clear(&fixture.session.unsent);
}

static void test_stop_within_a_list(void **state)
{
    (void)state;
    add_many(3 * TURN_LOOKS_MAX);
    feed(CALL("io.elementd.ListInstances", ""));
    session_stop(&fixture.session, NOW);
    assert_int_equal(session_need(&fixture.session), SESSION_NEEDS_BYTES);
    assert_int_equal(count_in_unsent(ROW), 3 * TURN_LOOKS_MAX);
    buffer_clear(&fixture.session.unsent);
}

/* `n` calls in one piece, as far as they are answered in one turn. */
static unsigned answer_in_a_turn(unsigned n, const char *text)
{
    size_t size = strlen(text) + 1;

    for (unsigned i = 0; i < n; i++) {
        size_t room;
        char *space;

        assert_int_equal(session_reserve(&fixture.session, &space, &room), 0);
        assert_true(room >= size);
        memcpy(space, text, size);
        session_commit(&fixture.session, size);
    }
    session_advance(&fixture.session, NOW);
    return count_in_unsent("parameters");
}

static void test_requests_of_a_turn(void **state)
{
    static const char text[] = GET_TOKEN("\"instance\":\"y\"");

    (void)state;
    assert_int_equal(answer_in_a_turn(TURN_REQUESTS_MAX, text), TURN_REQUESTS_MAX);
    assert_int_equal(session_need(&fixture.session), SESSION_NEEDS_BYTES);
    buffer_clear(&fixture.session.unsent);
    assert_int_equal(answer_in_a_turn(TURN_REQUESTS_MAX + 1, text), TURN_REQUESTS_MAX);
    assert_int_equal(session_need(&fixture.session), SESSION_NEEDS_ROOM);
    buffer_clear(&fixture.session.unsent);
    session_advance(&fixture.session, NOW);
    expect(NO_SUCH("y"));
    assert_int_equal(session_need(&fixture.session), SESSION_NEEDS_BYTES);
    /* Who stops answers all. */
    (void)answer_in_a_turn(3 * TURN_REQUESTS_MAX, text);
    session_stop(&fixture.session, NOW);
    assert_int_equal(count_in_unsent("parameters"), 3 * TURN_REQUESTS_MAX);
    buffer_clear(&fixture.session.unsent);
}

/* Replies up to the limit leave room for one more in the turn, and one byte more does not. */
static void test_bytes_of_a_turn(void **state)
{
    static const char text[] = CALL("io.elementd.ListInstances", "");
    static char problem[TURN_BYTES_MAX + 2];
    Served *x = backend_add(&fixture.backend, "x", "any", NULL);
    size_t size;

    (void)state;
    backend_set_problem(&fixture.backend, x, problem);
    feed(text);
    size = TURN_BYTES_MAX - buffer_size(&fixture.session.unsent);
    buffer_clear(&fixture.session.unsent);
    memset(problem, 'p', size);
    assert_int_equal(answer_in_a_turn(2, text), 2);
    assert_int_equal(session_need(&fixture.session), SESSION_NEEDS_BYTES);
    buffer_clear(&fixture.session.unsent);
    problem[size] = 'p';
    assert_int_equal(answer_in_a_turn(2, text), 1);
    assert_int_equal(session_need(&fixture.session), SESSION_NEEDS_ROOM);
    session_advance(&fixture.session, NOW);
    assert_int_equal(session_need(&fixture.session), SESSION_NEEDS_BYTES);
    assert_int_equal(count_in_unsent("parameters"), 2);
    buffer_clear(&fixture.session.unsent);
}

/* `size` letters in `text`. */
static const char *letters(char *text, size_t size)
{
    memset(text, 'p', size);
    text[size] = '\0';
    return text;
}

/* With its NUL: clients take no more, either. */
static void test_longest_reply(void **state)
{
    static const char text[] = CALL("io.elementd.ListInstances", "");
    _cleanup_(freep) char *problem = malloc(REPLY_BYTES_MAX + 1);
    Served *x = backend_add(&fixture.backend, "x", "any", NULL);
    Buffer *unsent = &fixture.session.unsent;
    size_t size;

    (void)state;
    backend_set_problem(&fixture.backend, x, letters(problem, 1));
    feed(text);
    size = REPLY_BYTES_MAX - buffer_size(unsent) + 1;
    buffer_clear(unsent);
    backend_set_problem(&fixture.backend, x, letters(problem, size));
    feed(text);
    assert_int_equal(buffer_size(unsent), REPLY_BYTES_MAX);
    assert_string_equal(fixture.session.fault, "");
    buffer_clear(unsent);
    backend_set_problem(&fixture.backend, x, letters(problem, size + 1));
    feed(text);
    assert_int_equal(session_need(&fixture.session), SESSION_NEEDS_END);
    assert_string_equal(fixture.session.fault, "a reply is longer than 16 MiB");
}

static void test_stop_while_watching(void **state)
{
    static const char calls[] = GET_TOKEN("\"instance\":\"y\"") "\0" WATCH_TOKEN(
        "x") "\0" GET_TOKEN("\"instance\":\"y\"");
    static const char *const replies[] = {NO_SUCH("y"), NEWS("")};

    (void)state;
    (void)backend_add(&fixture.backend, "x", "any", NULL);
    feed_bytes(calls, sizeof(calls));
    session_stop(&fixture.session, NOW);
    expect_all(replies, 2);
}

/* The last that may watch watches, and one past it is told why not: of a user, and of all. */
static void watch_up_to(unsigned max, uid_t uid)
{
    static Session sessions[WATCHES_MAX];
    static const char calls[2][sizeof(WATCH_INSTANCES) + 32] = {WATCH_INSTANCES, WATCH_TOKEN("x")};

    fixture.peer.uid = uid;
    for (unsigned i = 0; i < max; i++) {
        const char *call = calls[i % 2];
        char *space;
        size_t room;

        session_init(&sessions[i], &fixture.shared, &fixture.peer, on_change);
        assert_int_equal(session_reserve(&sessions[i], &space, &room), 0);
        memcpy(space, call, strlen(call) + 1);
        session_commit(&sessions[i], strlen(call) + 1);
        session_advance(&sessions[i], NOW);
        assert_true(session_is_watching(&sessions[i]));
    }
    for (int i = 0; i < 2; i++) {
        feed(calls[i]);
        expect(ERROR("io.elementd.TooManyWatches", ""));
    }
    /* Waiting is another thing. */
    feed(WAIT_FOR("x"));
    assert_int_equal(session_need(&fixture.session), SESSION_NEEDS_CHANGE);
    session_answer_again(&fixture.session, true);
    buffer_clear(&fixture.session.unsent);
    session_deinit(&sessions[3]);
    feed(calls[1]);
    expect(NEWS(""));
    expect_watching();
    for (unsigned i = 0; i < max; i++)
        session_deinit(&sessions[i]);
}

static void test_watches_of_a_user(void **state)
{
    (void)state;
    (void)backend_add(&fixture.backend, "x", "any", NULL);
    watch_up_to(WATCHES_PER_UID_MAX, 1000);
}

static void test_watches_in_all(void **state)
{
    (void)state;
    (void)backend_add(&fixture.backend, "x", "any", NULL);
    watch_up_to(WATCHES_MAX, 0);
}

/* ---- rules ---- */

static void test_no_call_breaks_it(void **state)
{
    static const char *const texts[] = {"", "{}", "x", "{\"method\":\"a.B\",\"x\":1}"};

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
        (void)teardown(NULL);
        (void)setup(NULL);
        feed(GET_TOKEN("\"instance\":\"a\""));
        feed(texts[i]);
        assert_int_equal(session_need(&fixture.session), SESSION_NEEDS_END);
        assert_string_equal(fixture.session.fault, "what it sent is no Varlink call");
        session_advance(&fixture.session, NOW);
        expect(NO_SUCH("a"));
    }
}

/* A call of exactly `size` bytes. */
static void feed_call_of(size_t size)
{
    static const char call[] = GET_TOKEN("\"instance\":\"a\"");
    _cleanup_(freep) char *text = malloc(size + 1);

    memset(text, ' ', size);
    memcpy(text, call, sizeof(call) - 1);
    text[size] = '\0';
    for (size_t i = 0; i <= size && session_need(&fixture.session) == SESSION_NEEDS_BYTES; i++)
        feed_bytes(text + i, 1);
}

static void test_largest_request(void **state)
{
    (void)state;
    feed_call_of(REQUEST_BYTES_MAX);
    expect(NO_SUCH("a"));
    feed_call_of(REQUEST_BYTES_MAX + 1);
    assert_int_equal(session_need(&fixture.session), SESSION_NEEDS_END);
    assert_string_equal(fixture.session.fault, "a request is longer than 64 KiB");
    expect_nothing();
}

/* The last call is answered at the limit of unsent bytes, and the next one a byte past it only when that is gone. */
static void test_unsent_bytes(void **state)
{
    static const char call[] = GET_TOKEN("\"instance\":\"a\"");
    Buffer *unsent = &fixture.session.unsent;
    char *space;
    size_t room;

    (void)state;
    for (size_t over = 0; over < 2; over++) {
        while (buffer_size(unsent) < CONN_UNREAD_BYTES_MAX + over)
            assert_int_equal(buffer_append(unsent, "x", 1), 0);
        if (over == 0) {
            feed(call);
            assert_true(buffer_size(unsent) > CONN_UNREAD_BYTES_MAX);
            assert_int_equal(session_need(&fixture.session), SESSION_NEEDS_ROOM);
            buffer_clear(unsent);
            assert_int_equal(session_need(&fixture.session), SESSION_NEEDS_BYTES);
        } else {
            buffer_truncate(unsent, CONN_UNREAD_BYTES_MAX);
            assert_int_equal(session_reserve(&fixture.session, &space, &room), 0);
            memcpy(space, call, sizeof(call));
            session_commit(&fixture.session, sizeof(call));
            assert_int_equal(buffer_append(unsent, "x", 1), 0);
            session_advance(&fixture.session, NOW);
            assert_int_equal(buffer_size(unsent), CONN_UNREAD_BYTES_MAX + 1);
            assert_int_equal(session_need(&fixture.session), SESSION_NEEDS_ROOM);
            buffer_consume(unsent, 1);
            session_advance(&fixture.session, NOW);
            assert_true(buffer_size(unsent) > CONN_UNREAD_BYTES_MAX);
        }
    }
}

static void test_request_begins(void **state)
{
    (void)state;
    assert_int_equal(fixture.session.request_began, 0);
    feed_bytes("{", 1);
    assert_int_equal(fixture.session.request_began, NOW);
    session_advance(&fixture.session, NOW + 1); /* the first byte counts */
    assert_int_equal(fixture.session.request_began, NOW);
    feed("\"method\":\"a.B\"}");
    assert_int_equal(fixture.session.request_began, 0);
}

/* Nothing of a request or reply stays in the memory that is kept for the next. */
static void test_memory_is_wiped(void **state)
{
    _cleanup_(secret_unrefp) Secret *user = NULL, *organization = NULL;
    Buffer *buffers[] = {&fixture.session.unsent, &fixture.session.received.bytes};

    (void)state;
    fill_backend(&user, &organization);
    feed(GET_TOKEN("\"instance\":\"mine\""));
    expect(TOKEN_REPLY);
    for (size_t i = 0; i < N_ELEMENTS(buffers); i++) {
        assert_non_null(buffers[i]->memory);
        assert_null(memmem(buffers[i]->memory, 64, "s3cret", 6));
        assert_null(memmem(buffers[i]->memory, 64, "mine", 4));
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_answers),
        TEST(test_answers_in_pieces),
        TEST(test_oneway),
        TEST(test_effects),
        TEST(test_oneway_effects),
        TEST(test_missing_operations),
        TEST(test_orphans),
        TEST(test_status),
        TEST(test_reload),
        TEST(test_reload_fails),
        TEST(test_reload_not_over),
        TEST(test_describe),
        TEST(test_describe_longest_names),
        TEST(test_describe_fails),
        TEST(test_describe_not_answered),
        TEST(test_descriptions),
        TEST(test_described_methods_are_known),
        TEST(test_list),
        TEST(test_states),
        TEST(test_token_in_every_state),
        TEST(test_failed_without_words),
        TEST(test_authorization_needs_all_parts),
        TEST(test_wait_for_token),
        TEST(test_wait_is_capped),
        TEST(test_wait_for_failure),
        TEST(test_wait_until_deadline),
        TEST(test_permission_is_decided_again),
        TEST(test_removed_while_waiting),
        TEST(test_answers_keep_their_order),
        TEST(test_answer_is_renewed),
        TEST(test_stop),
        TEST(test_waits_of_a_user),
        TEST(test_watch_token),
        TEST(test_watch_token_from_nothing),
        TEST(test_watch_token_ends),
        TEST(test_watch_token_slowly),
        TEST(test_watch_instances),
        TEST(test_watch_instances_as_root),
        TEST(test_watch_instances_ends),
        TEST(test_watch_instances_slowly),
        TEST(test_watch_instances_after_removal),
        TEST(test_watch_instances_of_others),
        TEST(test_longest_reply),
        TEST(test_stop_while_watching),
        TEST(test_list_in_pieces),
        TEST(test_list_slowly),
        TEST(test_list_of_what_goes),
        TEST(test_stop_within_a_list),
        TEST(test_requests_of_a_turn),
        TEST(test_bytes_of_a_turn),
        TEST(test_watches_of_a_user),
        TEST(test_watches_in_all),
        TEST(test_no_call_breaks_it),
        TEST(test_largest_request),
        TEST(test_unsent_bytes),
        TEST(test_request_begins),
        TEST(test_memory_is_wiped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
