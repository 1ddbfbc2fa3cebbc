/*
 * Calls that wait for a token, and what becomes of those behind them.
 */

#include "ipc/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "tests/unit/talk.h"

static void test_wait_for_token(void **state)
{
    Served *served = backend_add(&talk.backend, "x", "any", NULL);

    (void)state;
    talk_say(WAIT_FOR("x"));
    assert_int_equal(session_need(&talk.session), SESSION_NEEDS_CHANGE);
    assert_int_equal(talk.session.wait.deadline, TALK_NOW + USEC_PER_SEC);
    served->state = SERVED_CREATING;
    talk_change(served);
    assert_int_equal(talk.n_changes, 1);
    assert_int_equal(session_need(&talk.session), SESSION_NEEDS_CHANGE);
    talk_expect_nothing();
    backend_set_token(&talk.backend, served, "t");
    talk_change(served);
    talk_expect("{\"parameters\":{\"token\":\"t\",\"id\":42}}");
    assert_int_equal(session_need(&talk.session), SESSION_NEEDS_BYTES);
    talk_change(served);
    assert_int_equal(talk.n_changes, 2);
}

static void test_wait_is_capped(void **state)
{
    (void)state;
    (void)backend_add(&talk.backend, "x", "any", NULL);
    talk_say(GET_TOKEN("\"instance\":\"x\",\"timeoutUSec\":9223372036854775807"));
    assert_int_equal(talk.session.wait.deadline, TALK_NOW + WAIT_MAX_USEC);
}

static void test_wait_for_failure(void **state)
{
    Served *served = backend_add(&talk.backend, "x", "any", NULL);

    (void)state;
    talk_say(WAIT_FOR("x"));
    served->state = SERVED_FAILED;
    backend_set_problem(&talk.backend, served, "no");
    talk_change(served);
    talk_expect(ERROR("io.elementd.Failed", "\"instance\":\"x\",\"problem\":\"no\""));
}

static void test_wait_until_deadline(void **state)
{
    Served *served = backend_add(&talk.backend, "x", "any", NULL);

    (void)state;
    talk_say(WAIT_FOR("x"));
    served->state = SERVED_WAITING;
    served->retry = 8;
    session_answer_again(&talk.session, true);
    talk_expect(
        ERROR("io.elementd.NotReady", "\"instance\":\"x\",\"state\":\"waiting\",\"retryUSec\":8"));
}

/* Who lost permission while waiting gets nothing, whether the token comes or the time is over. */
static void test_permission_is_decided_again(void **state)
{
    Served *served = backend_add(&talk.backend, "x", "user:1000", NULL);

    (void)state;
    talk_say(WAIT_FOR("x"));
    backend_set_allow(&talk.backend, served, "user:1001");
    backend_set_token(&talk.backend, served, "t");
    talk_change(served);
    talk_expect(DENIED);
}

/* Nor does the call behind it find what is about to go. */
static void test_removed_while_waiting(void **state)
{
    Served *served = backend_add(&talk.backend, "x", "any", NULL);
    static const char calls[] = WAIT_FOR("x") "\0" WAIT_FOR("x") "\0" CALL(
        "io.elementd.ListInstances", "");
    static const char *const replies[] = {NO_SUCH("x"), NO_SUCH("x"),
                                          "{\"parameters\":{\"instances\":[]}}"};

    (void)state;
    talk_say_bytes(calls, sizeof(calls));
    talk_remove(served);
    talk_expect_all(replies, N_ELEMENTS(replies));
}

/* What waits holds up all behind it, in whatever order things become possible. */
static void test_answers_keep_their_order(void **state)
{
    Served *x = backend_add(&talk.backend, "x", "any", NULL);
    Served *y = backend_add(&talk.backend, "y", "any", NULL);
    static const char calls[] = GET_TOKEN("\"instance\":\"a\"") "\0" WAIT_FOR("x") "\0" GET_TOKEN(
        "\"instance\":\"b\"") "\0" WAIT_FOR("y") "\0" GET_TOKEN("\"instance\":\"c\"");
    static const char *const replies[] = {
        "{\"parameters\":{\"token\":\"tx\",\"id\":42}}", NO_SUCH("b"),
        "{\"parameters\":{\"token\":\"ty\",\"id\":42}}", NO_SUCH("c")};

    (void)state;
    talk_say_bytes(calls, sizeof(calls));
    talk_expect(NO_SUCH("a"));
    backend_set_token(&talk.backend, y, "ty");
    talk_change(y);
    talk_expect_nothing();
    backend_set_token(&talk.backend, x, "tx");
    talk_change(x);
    talk_expect_all(replies, N_ELEMENTS(replies));
}

/* A token is made into an answer anew after each change. */
static void test_answer_is_renewed(void **state)
{
    Served *served = backend_add(&talk.backend, "x", "any", NULL);

    (void)state;
    backend_set_token(&talk.backend, served, "one");
    talk_say(GET_TOKEN("\"instance\":\"x\""));
    talk_expect("{\"parameters\":{\"token\":\"one\",\"id\":42}}");
    backend_set_token(&talk.backend, served, "two");
    served->verified = 5;
    talk_change(served);
    talk_say(GET_TOKEN("\"instance\":\"x\""));
    talk_expect("{\"parameters\":{\"token\":\"two\",\"id\":42,\"verifiedUSec\":5}}");
}

static void test_stop(void **state)
{
    static const char calls[] = WAIT_FOR("x") "\0" WAIT_FOR("x") "\0" GET_TOKEN(
        "\"instance\":\"c\"");
    static const char *const replies[] = {
        ERROR("io.elementd.NotReady", "\"instance\":\"x\",\"state\":\"pending\""),
        ERROR("io.elementd.NotReady", "\"instance\":\"x\",\"state\":\"pending\""), NO_SUCH("c")};

    (void)state;
    (void)backend_add(&talk.backend, "x", "any", NULL);
    talk_say_bytes(calls, sizeof(calls));
    session_stop(&talk.session, TALK_NOW);
    talk_expect_all(replies, N_ELEMENTS(replies));
}

/* The last that may wait waits, and one past it is answered at once. */
static void test_waits_of_a_user(void **state)
{
    static Session sessions[WAITING_PER_UID_MAX];
    static const char call[] = WAIT_FOR("x");

    (void)state;
    (void)backend_add(&talk.backend, "x", "any", NULL);
    for (unsigned i = 0; i < WAITING_PER_UID_MAX; i++) {
        char *space;
        size_t room;

        session_init(&sessions[i], &talk.shared, &talk.peer, talk_on_change);
        assert_int_equal(session_reserve(&sessions[i], &space, &room), 0);
        memcpy(space, call, sizeof(call));
        session_commit(&sessions[i], sizeof(call));
        session_advance(&sessions[i], TALK_NOW);
        assert_int_equal(session_need(&sessions[i]), SESSION_NEEDS_CHANGE);
    }
    talk_say(call);
    talk_expect(ERROR("io.elementd.NotReady", "\"instance\":\"x\",\"state\":\"pending\""));
    talk.peer.uid = 0;
    talk_say(call);
    assert_int_equal(session_need(&talk.session), SESSION_NEEDS_CHANGE);
    session_answer_again(&talk.session, true);
    buffer_clear(&talk.session.unsent);
    talk.peer.uid = 1000;
    session_deinit(&sessions[3]);
    talk_say(call);
    assert_int_equal(session_need(&talk.session), SESSION_NEEDS_CHANGE);
    for (unsigned i = 0; i < WAITING_PER_UID_MAX; i++)
        session_deinit(&sessions[i]);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, talk_setup, talk_teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
