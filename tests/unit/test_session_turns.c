/*
 * Replies that are made in pieces, and how much of all that is asked for is answered in one turn.
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

/* `n` instances that anybody may see. */
static void add_many(int n)
{
    static char names[BACKEND_INSTANCES_MAX][16];

    for (int i = 0; i < n; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "i%04d", i);
        (void)backend_add(&talk.backend, names[i], "any", NULL);
    }
}

static unsigned count_in_unsent(const char *text)
{
    const Buffer *unsent = &talk.session.unsent;
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
    const Buffer *unsent = &talk.session.unsent;

    (void)state;
    add_many(TURN_LOOKS_MAX);
    talk_say(CALL("io.elementd.ListInstances", ""));
    assert_int_equal(session_need(&talk.session), SESSION_NEEDS_BYTES);
    assert_int_equal(count_in_unsent(ROW), TURN_LOOKS_MAX);
    buffer_clear(&talk.session.unsent);

    (void)backend_add(&talk.backend, "i9999", "any", NULL);
    talk_say(CALL("io.elementd.ListInstances", ""));
    assert_int_equal(session_need(&talk.session), SESSION_NEEDS_ROOM);
    assert_false(session_is_watching(&talk.session));
    assert_int_equal(count_in_unsent(ROW), TURN_LOOKS_MAX);
    assert_null(memchr(buffer_data(unsent), '\0', buffer_size(unsent)));
    session_advance(&talk.session, TALK_NOW);
    assert_int_equal(session_need(&talk.session), SESSION_NEEDS_BYTES);
    assert_int_equal(count_in_unsent(ROW), TURN_LOOKS_MAX + 1);
    assert_int_equal(count_in_unsent("},{"), TURN_LOOKS_MAX);
    assert_ptr_equal(memchr(buffer_data(unsent), '\0', buffer_size(unsent)),
                     buffer_data(unsent) + buffer_size(unsent) - 1);
    buffer_clear(&talk.session.unsent);
}

/* Who does not read a list has no more of it written than what fits. */
static void test_list_slowly(void **state)
{
    Buffer *unsent = &talk.session.unsent;
    size_t full;

    (void)state;
    add_many(BACKEND_INSTANCES_MAX);
    talk_say(CALL("io.elementd.ListInstances", ""));
    for (int i = 0; i < BACKEND_INSTANCES_MAX; i++)
        session_advance(&talk.session, TALK_NOW);
    full = buffer_size(unsent);
    assert_in_range(full, CONN_UNREAD_BYTES_MAX + 1, CONN_UNREAD_BYTES_MAX + TURN_BYTES_MAX);
    buffer_consume(unsent, full - CONN_UNREAD_BYTES_MAX - 1);
    session_advance(&talk.session, TALK_NOW);
    assert_int_equal(buffer_size(unsent), CONN_UNREAD_BYTES_MAX + 1);
    buffer_consume(unsent, 1);
    session_advance(&talk.session, TALK_NOW);
    assert_true(buffer_size(unsent) > CONN_UNREAD_BYTES_MAX);
    buffer_clear(unsent);
}

/* Those that go while a list is under way are not in it, and those behind them are. */
static void test_list_of_what_goes(void **state)
{
    (void)state;
    add_many(TURN_LOOKS_MAX + 3);
    talk_say(CALL("io.elementd.ListInstances", ""));
    talk_remove(&talk.backend.instances[TURN_LOOKS_MAX].served);
    talk_remove(&talk.backend.instances[TURN_LOOKS_MAX + 1].served);
    talk_remove(&talk.backend.instances[3].served);
    assert_ptr_equal(talk.session.wait.call.list.next,
                     &talk.backend.instances[TURN_LOOKS_MAX + 2].served);
    session_advance(&talk.session, TALK_NOW);
    assert_int_equal(session_need(&talk.session), SESSION_NEEDS_BYTES);
    assert_int_equal(count_in_unsent(ROW), TURN_LOOKS_MAX + 1);
    buffer_clear(&talk.session.unsent);
    /* The last one of all. */
    talk_say(CALL("io.elementd.ListInstances", ""));
    session_advance(&talk.session, TALK_NOW);
    buffer_clear(&talk.session.unsent);
}

static void test_stop_within_a_list(void **state)
{
    (void)state;
    add_many(3 * TURN_LOOKS_MAX);
    talk_say(CALL("io.elementd.ListInstances", ""));
    session_stop(&talk.session, TALK_NOW);
    assert_int_equal(session_need(&talk.session), SESSION_NEEDS_BYTES);
    assert_int_equal(count_in_unsent(ROW), 3 * TURN_LOOKS_MAX);
    buffer_clear(&talk.session.unsent);
}

/* `n` calls in one piece, as far as they are answered in one turn. */
static unsigned answer_in_a_turn(unsigned n, const char *text)
{
    size_t size = strlen(text) + 1;

    for (unsigned i = 0; i < n; i++) {
        size_t room;
        char *space;

        assert_int_equal(session_reserve(&talk.session, &space, &room), 0);
        assert_true(room >= size);
        memcpy(space, text, size);
        session_commit(&talk.session, size);
    }
    session_advance(&talk.session, TALK_NOW);
    return count_in_unsent("parameters");
}

static void test_requests_of_a_turn(void **state)
{
    static const char text[] = GET_TOKEN("\"instance\":\"y\"");

    (void)state;
    assert_int_equal(answer_in_a_turn(TURN_REQUESTS_MAX, text), TURN_REQUESTS_MAX);
    assert_int_equal(session_need(&talk.session), SESSION_NEEDS_BYTES);
    buffer_clear(&talk.session.unsent);
    assert_int_equal(answer_in_a_turn(TURN_REQUESTS_MAX + 1, text), TURN_REQUESTS_MAX);
    assert_int_equal(session_need(&talk.session), SESSION_NEEDS_ROOM);
    buffer_clear(&talk.session.unsent);
    session_advance(&talk.session, TALK_NOW);
    talk_expect(NO_SUCH("y"));
    assert_int_equal(session_need(&talk.session), SESSION_NEEDS_BYTES);
    /* Who stops answers all. */
    (void)answer_in_a_turn(3 * TURN_REQUESTS_MAX, text);
    session_stop(&talk.session, TALK_NOW);
    assert_int_equal(count_in_unsent("parameters"), 3 * TURN_REQUESTS_MAX);
    buffer_clear(&talk.session.unsent);
}

/* Replies up to the limit leave room for one more in the turn, and one byte more does not. */
static void test_bytes_of_a_turn(void **state)
{
    static const char text[] = CALL("io.elementd.ListInstances", "");
    static char problem[TURN_BYTES_MAX + 2];
    Served *x = backend_add(&talk.backend, "x", "any", NULL);
    size_t size;

    (void)state;
    backend_set_problem(&talk.backend, x, problem);
    talk_say(text);
    size = TURN_BYTES_MAX - buffer_size(&talk.session.unsent);
    buffer_clear(&talk.session.unsent);
    memset(problem, 'p', size);
    assert_int_equal(answer_in_a_turn(2, text), 2);
    assert_int_equal(session_need(&talk.session), SESSION_NEEDS_BYTES);
    buffer_clear(&talk.session.unsent);
    problem[size] = 'p';
    assert_int_equal(answer_in_a_turn(2, text), 1);
    assert_int_equal(session_need(&talk.session), SESSION_NEEDS_ROOM);
    session_advance(&talk.session, TALK_NOW);
    assert_int_equal(session_need(&talk.session), SESSION_NEEDS_BYTES);
    assert_int_equal(count_in_unsent("parameters"), 2);
    buffer_clear(&talk.session.unsent);
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
    Served *x = backend_add(&talk.backend, "x", "any", NULL);
    Buffer *unsent = &talk.session.unsent;
    size_t size;

    (void)state;
    backend_set_problem(&talk.backend, x, letters(problem, 1));
    talk_say(text);
    size = REPLY_BYTES_MAX - buffer_size(unsent) + 1;
    buffer_clear(unsent);
    backend_set_problem(&talk.backend, x, letters(problem, size));
    talk_say(text);
    assert_int_equal(buffer_size(unsent), REPLY_BYTES_MAX);
    assert_string_equal(talk.session.fault, "");
    buffer_clear(unsent);
    backend_set_problem(&talk.backend, x, letters(problem, size + 1));
    talk_say(text);
    assert_int_equal(session_need(&talk.session), SESSION_NEEDS_END);
    assert_string_equal(talk.session.fault, "a reply is longer than 16 MiB");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, talk_setup, talk_teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_longest_reply),     TEST(test_list_in_pieces),     TEST(test_list_slowly),
        TEST(test_list_of_what_goes), TEST(test_stop_within_a_list), TEST(test_requests_of_a_turn),
        TEST(test_bytes_of_a_turn),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
