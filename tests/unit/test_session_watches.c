/*
 * Watches: what is told of which change, how they end, and who does not read them.
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

#define NEWS_TOKEN(token, id) NEWS("\"token\":\"" token "\",\"id\":" id)
#define NEWS_OF(instance)     NEWS("\"instance\":" instance)

static void expect_watching(void)
{
    assert_true(session_is_watching(&talk.session));
    assert_int_equal(session_need(&talk.session), SESSION_NEEDS_CHANGE);
    talk_expect_nothing();
}

static void test_watch_token(void **state)
{
    Served *x = backend_add(&talk.backend, "x", "any", NULL);

    (void)state;
    backend_set_token(&talk.backend, x, "one");
    talk_say(WATCH_TOKEN("x"));
    talk_expect(NEWS_TOKEN("one", "42"));
    assert_int_equal(talk.session.wait.deadline, USEC_INFINITY);
    expect_watching();
    /* Whatever else changes is no news. */
    x->state = SERVED_WAITING;
    x->verified = 5;
    backend_set_problem(&talk.backend, x, "p");
    talk_change(x);
    expect_watching();
    backend_set_token(&talk.backend, x, "two");
    talk_change(x);
    talk_expect(NEWS_TOKEN("two", "42"));
    backend_set_token(&talk.backend, x, NULL);
    talk_change(x);
    talk_expect(NEWS(""));
    x->id = 0;
    talk_change(x);
    expect_watching();
    backend_set_token(&talk.backend, x, "two");
    talk_change(x);
    talk_expect(NEWS_TOKEN("two", "42"));
    /* The same token of another instance on the platform. */
    x->id = 43;
    talk_change(x);
    talk_expect(NEWS_TOKEN("two", "43"));
    expect_watching();
}

/* From nothing to a token; a failed instance is watched, too: somebody may mend it. */
static void test_watch_token_from_nothing(void **state)
{
    Served *x = backend_add(&talk.backend, "x", "any", NULL);

    (void)state;
    x->state = SERVED_FAILED;
    talk_say(WATCH_TOKEN("x"));
    talk_expect(NEWS(""));
    expect_watching();
    backend_set_token(&talk.backend, x, "t");
    talk_change(x);
    talk_expect(NEWS_TOKEN("t", "42"));
}

static void test_watch_token_ends(void **state)
{
    static const char calls[] = WATCH_TOKEN("x") "\0" GET_TOKEN("\"instance\":\"y\"");
    static const char *const denied[] = {DENIED, NO_SUCH("y")};
    static const char *const removed[] = {NO_SUCH("x"), NO_SUCH("y")};
    Served *x = backend_add(&talk.backend, "x", "user:1000", NULL);

    (void)state;
    talk_say_bytes(calls, sizeof(calls));
    talk_expect(NEWS("")); /* and what is behind it stays there */
    backend_set_allow(&talk.backend, x, "user:1001");
    backend_set_token(&talk.backend, x, "t");
    talk_change(x);
    talk_expect_all(denied, 2);
    assert_int_equal(session_need(&talk.session), SESSION_NEEDS_BYTES);
    backend_set_allow(&talk.backend, x, "any");
    talk_say_bytes(calls, sizeof(calls));
    talk_expect(NEWS_TOKEN("t", "42"));
    talk_remove(x);
    talk_expect_all(removed, 2);
}

/* Who does not read is told once there is room, of what is there by then. */
static void test_watch_token_slowly(void **state)
{
    Served *x = backend_add(&talk.backend, "x", "user:1000", NULL);
    Buffer *unsent = &talk.session.unsent;

    (void)state;
    for (unsigned over = 0; over < 2; over++) {
        if (over == 0)
            talk_say(WATCH_TOKEN("x"));
        buffer_clear(unsent);
        while (buffer_size(unsent) < CONN_UNREAD_BYTES_MAX + over)
            assert_int_equal(buffer_append(unsent, "x", 1), 0);
        for (int i = 0; i < 3; i++) {
            backend_set_token(&talk.backend, x, (const char *[]){"one", "two", "six"}[i]);
            talk_change(x);
        }
        assert_int_equal(session_need(&talk.session), SESSION_NEEDS_ROOM);
        session_advance(&talk.session, TALK_NOW);
        if (over == 0) {
            /* One was written at the limit, and one past it none. */
            buffer_consume(unsent, CONN_UNREAD_BYTES_MAX);
            talk_expect(NEWS_TOKEN("one", "42"));
        } else {
            assert_int_equal(buffer_size(unsent), CONN_UNREAD_BYTES_MAX + 1);
            buffer_clear(unsent);
        }
        session_advance(&talk.session, TALK_NOW);
        talk_expect(NEWS_TOKEN("six", "42"));
        expect_watching();
        backend_set_token(&talk.backend, x, NULL);
        talk_change(x);
        buffer_clear(unsent);
    }
    /* What was not told and went back is no news. */
    while (buffer_size(unsent) <= CONN_UNREAD_BYTES_MAX)
        assert_int_equal(buffer_append(unsent, "x", 1), 0);
    backend_set_token(&talk.backend, x, "t");
    talk_change(x);
    backend_set_token(&talk.backend, x, NULL);
    talk_change(x);
    buffer_clear(unsent);
    session_advance(&talk.session, TALK_NOW);
    expect_watching();
    /* The end is told in any case: the instance goes now. */
    while (buffer_size(unsent) <= CONN_UNREAD_BYTES_MAX)
        assert_int_equal(buffer_append(unsent, "x", 1), 0);
    talk_remove(x);
    buffer_consume(unsent, CONN_UNREAD_BYTES_MAX + 1);
    talk_expect(NO_SUCH("x"));
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
    Served *a = backend_add(&talk.backend, "a", "user:1000", NULL);
    Served *other = backend_add(&talk.backend, "other", NULL, NULL);
    Served *header = backend_add(&talk.backend, "header", NULL, "user:1000"), *c;

    (void)state;
    backend_set_token(&talk.backend, header, "s3cret");
    talk_say(WATCH_INSTANCES);
    talk_expect_all(first, 2);
    expect_watching();
    talk_change(other); /* is none of the caller's business */
    expect_watching();
    a->state = SERVED_CREATING;
    talk_change(a);
    talk_expect(NEWS_OF(WITHOUT("a", "creating")));
    backend_set_token(&talk.backend, a, "t");
    talk_change(a);
    talk_expect(NEWS_OF(WITH("a", "ready")));
    talk_remove(other);
    expect_watching();
    /* A new one, and one that may be seen from now on. */
    c = backend_add(&talk.backend, "c", "any", NULL);
    talk_change(c);
    talk_expect(NEWS_OF(WITHOUT("c", "pending")));
}

static void test_watch_instances_as_root(void **state)
{
    Served *other = backend_add(&talk.backend, "other", NULL, NULL);

    (void)state;
    talk.peer.uid = 0;
    talk_say(WATCH_INSTANCES);
    talk_expect(NEWS_OF(WITHOUT("other", "pending")));
    talk_change(other);
    talk_expect(NEWS_OF(WITHOUT("other", "pending")));
    talk_remove(other);
    talk_expect(NO_SUCH("other"));
}

/* A watch that told of one that goes, or that the caller loses, says so by its end; the next one begins anew. */
static void test_watch_instances_ends(void **state)
{
    static const char calls[] = WATCH_INSTANCES "\0" WATCH_INSTANCES;
    static const char *const again[] = {NO_SUCH("a"), NEWS_OF(WITHOUT("b", "pending"))};
    Served *a = backend_add(&talk.backend, "a", "user:1000", NULL);
    Served *b = backend_add(&talk.backend, "b", "user:1000", NULL);
    static const char *const both[] = {NEWS_OF(WITHOUT("a", "pending")),
                                       NEWS_OF(WITHOUT("b", "pending"))};

    (void)state;
    talk_say_bytes(calls, sizeof(calls));
    talk_expect_all(both, 2);
    backend_set_allow(&talk.backend, a, "user:1001");
    talk_change(a);
    talk_expect_all(again, 2);
    expect_watching();
    /* Of what the second one was not told it need not be told that it goes. */
    talk_change(a);
    talk_remove(a);
    expect_watching();
    talk_remove(b);
    talk_expect(NO_SUCH("b"));
    assert_int_equal(session_need(&talk.session), SESSION_NEEDS_BYTES);
}

/* Told as far as there is room, the rest as it is then; what goes meanwhile, and was not told, never. */
static void test_watch_instances_slowly(void **state)
{
    enum { SIZE = CONN_UNREAD_BYTES_MAX / 2 };
    _cleanup_(freep) char *problem = malloc(SIZE + 1);
    Buffer *unsent = &talk.session.unsent;
    Served *served[6];

    (void)state;
    memset(problem, 'p', SIZE);
    problem[SIZE] = '\0';
    for (int i = 0; i < 6; i++) {
        served[i] = backend_add(&talk.backend, (const char *[]){"a", "b", "c", "d", "e", "f"}[i],
                                "any", NULL);
        if (i < 2)
            backend_set_problem(&talk.backend, served[i], problem);
    }
    talk_say(WATCH_INSTANCES);
    /* Two of them pass the limit. */
    assert_in_range(buffer_size(unsent), CONN_UNREAD_BYTES_MAX + 1, CONN_UNREAD_BYTES_MAX + 1000);
    assert_int_equal(session_need(&talk.session), SESSION_NEEDS_ROOM);
    backend_set_problem(&talk.backend, served[0], NULL);
    for (int i = 0; i < 3; i++) {
        talk_change(served[3]);
        talk_change(served[0]);
    }
    talk_remove(served[4]);
    assert_in_range(buffer_size(unsent), CONN_UNREAD_BYTES_MAX + 1, CONN_UNREAD_BYTES_MAX + 1000);
    buffer_clear(unsent);
    session_advance(&talk.session, TALK_NOW);
    talk_expect_all(
        (const char *const[]){NEWS_OF(WITHOUT("c", "pending")), NEWS_OF(WITHOUT("f", "pending")),
                              NEWS_OF(WITHOUT("d", "pending")), NEWS_OF(WITHOUT("a", "pending"))},
        4);
    expect_watching();
    /* Of one that was told, even the slowest is told that it goes. */
    while (buffer_size(unsent) <= CONN_UNREAD_BYTES_MAX)
        assert_int_equal(buffer_append(unsent, "x", 1), 0);
    talk_change(served[5]);
    talk_remove(served[1]);
    buffer_consume(unsent, CONN_UNREAD_BYTES_MAX + 1);
    talk_expect(NO_SUCH("b"));
}

/* One that was removed, and is not gone yet, is not listed again: it would stay there when it goes. */
static void test_watch_instances_after_removal(void **state)
{
    Served *x = backend_add(&talk.backend, "x", "any", NULL);

    (void)state;
    talk_change(x);
    talk_remove(x);
    talk_say(WATCH_INSTANCES);
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
        (void)backend_add(&talk.backend, names[i],
                          i + 1 < BACKEND_INSTANCES_MAX ? "user:1001" : "any", NULL);
    }
    talk_say(WATCH_INSTANCES);
    for (; session_need(&talk.session) == SESSION_NEEDS_ROOM; n_rounds++) {
        talk_expect_nothing();
        session_advance(&talk.session, TALK_NOW);
    }
    assert_int_equal(n_rounds, (BACKEND_INSTANCES_MAX - 1) / TURN_LOOKS_MAX);
    assert_true(buffer_size(&talk.session.unsent) > 0);
    buffer_clear(&talk.session.unsent);
    expect_watching();
}

/* ---- stopping, and how many there may be ---- */

static void test_stop_while_watching(void **state)
{
    static const char calls[] = GET_TOKEN("\"instance\":\"y\"") "\0" WATCH_TOKEN(
        "x") "\0" GET_TOKEN("\"instance\":\"y\"");
    static const char *const replies[] = {NO_SUCH("y"), NEWS("")};

    (void)state;
    (void)backend_add(&talk.backend, "x", "any", NULL);
    talk_say_bytes(calls, sizeof(calls));
    session_stop(&talk.session, TALK_NOW);
    talk_expect_all(replies, 2);
}

/* The last that may watch watches, and one past it is told why not: of a user, and of all. */
static void watch_up_to(unsigned max, uid_t uid)
{
    static Session sessions[WATCHES_MAX];
    static const char calls[2][sizeof(WATCH_INSTANCES) + 32] = {WATCH_INSTANCES, WATCH_TOKEN("x")};

    talk.peer.uid = uid;
    for (unsigned i = 0; i < max; i++) {
        const char *call = calls[i % 2];
        char *space;
        size_t room;

        session_init(&sessions[i], &talk.shared, &talk.peer, talk_on_change);
        assert_int_equal(session_reserve(&sessions[i], &space, &room), 0);
        memcpy(space, call, strlen(call) + 1);
        session_commit(&sessions[i], strlen(call) + 1);
        session_advance(&sessions[i], TALK_NOW);
        assert_true(session_is_watching(&sessions[i]));
    }
    for (int i = 0; i < 2; i++) {
        talk_say(calls[i]);
        talk_expect(ERROR("io.elementd.TooManyWatches", ""));
    }
    /* Waiting is another thing. */
    talk_say(WAIT_FOR("x"));
    assert_int_equal(session_need(&talk.session), SESSION_NEEDS_CHANGE);
    session_answer_again(&talk.session, true);
    buffer_clear(&talk.session.unsent);
    session_deinit(&sessions[3]);
    talk_say(calls[1]);
    talk_expect(NEWS(""));
    expect_watching();
    for (unsigned i = 0; i < max; i++)
        session_deinit(&sessions[i]);
}

static void test_watches_of_a_user(void **state)
{
    (void)state;
    (void)backend_add(&talk.backend, "x", "any", NULL);
    watch_up_to(WATCHES_PER_UID_MAX, 1000);
}

static void test_watches_in_all(void **state)
{
    (void)state;
    (void)backend_add(&talk.backend, "x", "any", NULL);
    watch_up_to(WATCHES_MAX, 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, talk_setup, talk_teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
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
        TEST(test_stop_while_watching),
        TEST(test_watches_of_a_user),
        TEST(test_watches_in_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
