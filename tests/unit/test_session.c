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
#include "tests/unit/talk.h"

/* ---- every call without anything to it ---- */

#define TOKEN_REPLY                                                                                \
    "{\"parameters\":{\"token\":\"s3cret/+=\",\"id\":42,\"verifiedUSec\":1700000000000000}}"

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
    Served *mine = backend_add(&talk.backend, "mine", "user:1000", NULL);

    assert_int_equal(secret_new("u=", 2, ret_user), 0);
    assert_int_equal(secret_new("o=", 2, ret_organization), 0);
    backend_set_token(&talk.backend, mine, "s3cret/+=");
    mine->verified = UINT64_C(1700000000000000);
    backend_terms(&talk.backend, mine)->user = *ret_user;
    backend_terms(&talk.backend, mine)->organization = *ret_organization;
    (void)backend_add(&talk.backend, "header", NULL, "user:1000");
    (void)backend_add(&talk.backend, "other", NULL, NULL);
}

static void test_answers(void **state)
{
    _cleanup_(secret_unrefp) Secret *user = NULL, *organization = NULL;

    (void)state;
    fill_backend(&user, &organization);
    for (int round = 0; round < 2; round++) { /* made once, ready-made then */
        for (size_t i = 0; i < N_ELEMENTS(answers); i++) {
            talk.peer.uid = answers[i].uid;
            talk_say(answers[i].call);
            if (session_need(&talk.session) != SESSION_NEEDS_BYTES)
                fail_msg("%s: not answered", answers[i].call);
            talk_expect(answers[i].reply);
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

        talk.peer.uid = answers[i].uid;
        for (size_t j = 0; j < strlen(call); j++) {
            talk_say_bytes(call + j, 1);
            talk_expect_nothing();
        }
        talk_say_bytes("", 1);
        talk_expect(answers[i].reply);
    }
}

static void test_oneway(void **state)
{
    _cleanup_(secret_unrefp) Secret *user = NULL, *organization = NULL;

    (void)state;
    fill_backend(&user, &organization);
    talk_say(
        "{\"method\":\"io.elementd.GetToken\",\"oneway\":true,\"parameters\":{\"instance\":\"mine\"}}");
    talk_say(
        "{\"method\":\"io.elementd.GetToken\",\"oneway\":true,\"parameters\":{\"instance\":\"nobody\"}}");
    talk_say("{\"method\":\"org.example.X\",\"oneway\":true}");
    talk.peer.uid = 0;
    talk_say("{\"method\":\"io.elementd.GetToken\",\"oneway\":true,"
             "\"parameters\":{\"instance\":\"other\",\"timeoutUSec\":1000000}}");
    /* A list that nobody reads is not made: a peer could have thousands of them in one message. */
    talk_say("{\"method\":\"io.elementd.ListInstances\",\"oneway\":true}");
    assert_int_equal(talk.backend.n_nexts, 0);
    talk_expect_nothing();
    talk_say(GET_TOKEN("\"instance\":\"mine\""));
    talk_expect(TOKEN_REPLY);
}

/* ---- a daemon that cannot do it ---- */

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
    (void)backend_add(&talk.backend, "x", "user:1000", NULL);
    talk.shared.calls.operations = &few;
    for (size_t i = 0; i < N_ELEMENTS(few_answers); i++) {
        talk.peer.uid = few_answers[i].uid;
        talk_say(few_answers[i].call);
        talk_expect(few_answers[i].reply);
    }
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
        talk_say(call);
        varlink_begin_reply(&writer, &expected, false);
        json_writer_key(&writer.json, "description");
        json_writer_string(&writer.json, interfaces[i].text);
        assert_int_equal(varlink_end(&writer), 0);
        talk_expect(buffer_data(&expected));
    }
}

/* Each method that is described answers something else than MethodNotFound. */
static void test_described_methods_are_known(void **state)
{
    unsigned n = 0;

    (void)state;
    talk.peer.uid = 0;
    for (size_t i = 0; i < interfaces_n; i++) {
        const char *p = interfaces[i].text;

        while ((p = strstr(p, "\nmethod "))) {
            _cleanup_(freep) char *call = NULL;

            p += strlen("\nmethod ");
            assert_true(asprintf(&call, CALL("%s.%.*s", "\"unknown\":1"), interfaces[i].name,
                                 (int)strcspn(p, "("), p) > 0);
            talk_say(call);
            talk_expect(INVALID("unknown"));
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
    broken = backend_add(&talk.backend, "broken", "any", NULL);
    broken->state = SERVED_FAILED;
    backend_terms(&talk.backend, broken)->element = NULL;
    broken->retry = 7;
    broken->attempts = 3;
    backend_set_problem(&talk.backend, broken, "bad \"quotes\"");
    broken->problem->trouble = TROUBLE_CONFIGURATION;
    broken->problem->since = 9;
    talk_say(CALL("io.elementd.ListInstances", ""));
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
    talk_expect("{\"parameters\":{\"instances\":[" MINE "," PENDING("header") "," BROKEN "]}}");
    talk.peer.uid = 0;
    talk_say(CALL("io.elementd.ListInstances", ""));
    talk_expect("{\"parameters\":{\"instances\":[" MINE
                "," PENDING("header") "," PENDING("other") "," BROKEN "]}}");
    talk.peer.uid = 1001;
    talk_say(CALL("io.elementd.ListInstances", ""));
    talk_expect("{\"parameters\":{\"instances\":[" BROKEN "]}}");
}

static void test_states(void **state)
{
    static const char *const names[SERVED_N_STATES] = {"pending", "lookingUp", "creating", "ready",
                                                       "waiting", "failed",    "disabled"};
    Served *served = backend_add(&talk.backend, "x", "any", NULL);

    (void)state;
    for (int i = 0; i < SERVED_N_STATES; i++) {
        _cleanup_(freep) char *expected = NULL;

        served->state = (ServedState)i;
        backend_set_problem(&talk.backend, served, "because");
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
        talk_say(GET_TOKEN("\"instance\":\"x\""));
        talk_expect(expected);
    }
}

/* Whatever state it is in, a token that is there is handed out. */
static void test_token_in_every_state(void **state)
{
    Served *served = backend_add(&talk.backend, "x", "any", NULL);

    (void)state;
    backend_set_token(&talk.backend, served, "t");
    for (int i = 0; i < SERVED_N_STATES; i++) {
        served->state = (ServedState)i;
        backend_set_problem(&talk.backend, served, "because");
        talk_say(GET_TOKEN("\"instance\":\"x\",\"timeoutUSec\":1"));
        talk_expect("{\"parameters\":{\"token\":\"t\",\"id\":42}}");
    }
}

static void test_failed_without_words(void **state)
{
    Served *served = backend_add(&talk.backend, "x", "any", NULL);

    (void)state;
    served->state = SERVED_FAILED;
    talk_say(GET_TOKEN("\"instance\":\"x\""));
    talk_expect(
        ERROR("io.elementd.Failed", "\"instance\":\"x\",\"problem\":\"the reason is not known\""));
}

/* Without the account's secrets there is no header, even where there is a token. */
static void test_authorization_needs_all_parts(void **state)
{
    _cleanup_(secret_unrefp) Secret *user = NULL, *organization = NULL;
    Served *mine;

    (void)state;
    fill_backend(&user, &organization);
    talk.peer.uid = 0;
    mine = &talk.backend.instances[0].served;
    for (int i = 0; i < 2; i++) {
        backend_terms(&talk.backend, mine)->user = i == 0 ? NULL : user;
        backend_terms(&talk.backend, mine)->organization = i == 0 ? organization : NULL;
        talk_say(CALL("io.elementd.GetAuthorization", "\"instance\":\"mine\""));
        talk_expect(ERROR("io.elementd.NotReady", "\"instance\":\"mine\",\"state\":\"ready\""));
    }
}

/* ---- rules ---- */

static void test_no_call_breaks_it(void **state)
{
    static const char *const texts[] = {"", "{}", "x", "{\"method\":\"a.B\",\"x\":1}"};

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
        (void)talk_teardown(NULL);
        (void)talk_setup(NULL);
        talk_say(GET_TOKEN("\"instance\":\"a\""));
        talk_say(texts[i]);
        assert_int_equal(session_need(&talk.session), SESSION_NEEDS_END);
        assert_string_equal(talk.session.fault, "what it sent is no Varlink call");
        session_advance(&talk.session, TALK_NOW);
        talk_expect(NO_SUCH("a"));
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
    for (size_t i = 0; i <= size && session_need(&talk.session) == SESSION_NEEDS_BYTES; i++)
        talk_say_bytes(text + i, 1);
}

static void test_largest_request(void **state)
{
    (void)state;
    feed_call_of(REQUEST_BYTES_MAX);
    talk_expect(NO_SUCH("a"));
    feed_call_of(REQUEST_BYTES_MAX + 1);
    assert_int_equal(session_need(&talk.session), SESSION_NEEDS_END);
    assert_string_equal(talk.session.fault, "a request is longer than 64 KiB");
    talk_expect_nothing();
}

/* The last call is answered at the limit of unsent bytes, and the next one a byte past it only when that is gone. */
static void test_unsent_bytes(void **state)
{
    static const char call[] = GET_TOKEN("\"instance\":\"a\"");
    Buffer *unsent = &talk.session.unsent;
    char *space;
    size_t room;

    (void)state;
    for (size_t over = 0; over < 2; over++) {
        while (buffer_size(unsent) < CONN_UNREAD_BYTES_MAX + over)
            assert_int_equal(buffer_append(unsent, "x", 1), 0);
        if (over == 0) {
            talk_say(call);
            assert_true(buffer_size(unsent) > CONN_UNREAD_BYTES_MAX);
            assert_int_equal(session_need(&talk.session), SESSION_NEEDS_ROOM);
            buffer_clear(unsent);
            assert_int_equal(session_need(&talk.session), SESSION_NEEDS_BYTES);
        } else {
            buffer_truncate(unsent, CONN_UNREAD_BYTES_MAX);
            assert_int_equal(session_reserve(&talk.session, &space, &room), 0);
            memcpy(space, call, sizeof(call));
            session_commit(&talk.session, sizeof(call));
            assert_int_equal(buffer_append(unsent, "x", 1), 0);
            session_advance(&talk.session, TALK_NOW);
            assert_int_equal(buffer_size(unsent), CONN_UNREAD_BYTES_MAX + 1);
            assert_int_equal(session_need(&talk.session), SESSION_NEEDS_ROOM);
            buffer_consume(unsent, 1);
            session_advance(&talk.session, TALK_NOW);
            assert_true(buffer_size(unsent) > CONN_UNREAD_BYTES_MAX);
        }
    }
}

static void test_request_begins(void **state)
{
    (void)state;
    assert_int_equal(talk.session.request_began, 0);
    talk_say_bytes("{", 1);
    assert_int_equal(talk.session.request_began, TALK_NOW);
    session_advance(&talk.session, TALK_NOW + 1); /* the first byte counts */
    assert_int_equal(talk.session.request_began, TALK_NOW);
    talk_say("\"method\":\"a.B\"}");
    assert_int_equal(talk.session.request_began, 0);
}

/* Nothing of a request or reply stays in the memory that is kept for the next. */
static void test_memory_is_wiped(void **state)
{
    _cleanup_(secret_unrefp) Secret *user = NULL, *organization = NULL;
    Buffer *buffers[] = {&talk.session.unsent, &talk.session.received.bytes};

    (void)state;
    fill_backend(&user, &organization);
    talk_say(GET_TOKEN("\"instance\":\"mine\""));
    talk_expect(TOKEN_REPLY);
    for (size_t i = 0; i < N_ELEMENTS(buffers); i++) {
        assert_non_null(buffers[i]->memory);
        assert_null(memmem(buffers[i]->memory, 64, "s3cret", 6));
        assert_null(memmem(buffers[i]->memory, 64, "mine", 4));
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, talk_setup, talk_teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_answers),
        TEST(test_answers_in_pieces),
        TEST(test_oneway),
        TEST(test_missing_operations),
        TEST(test_descriptions),
        TEST(test_described_methods_are_known),
        TEST(test_list),
        TEST(test_states),
        TEST(test_token_in_every_state),
        TEST(test_failed_without_words),
        TEST(test_authorization_needs_all_parts),
        TEST(test_no_call_breaks_it),
        TEST(test_largest_request),
        TEST(test_unsent_bytes),
        TEST(test_request_begins),
        TEST(test_memory_is_wiped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
