/*
 * The alarm: called once, or again and again, never before its time, and not after it was cleared; a loop that has one has
 * no timeout. Without memory: test_server_memory.c, whose server has one.
 */

#include "ipc/alarm.h"
#include "ipc/server.h"
#include "tests/unit/loop.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define SHORT (20 * USEC_PER_MSEC)
#define LONG  (3600 * USEC_PER_SEC)

typedef struct Fixture {
    struct event_base *base;
    Alarm *alarm;
    unsigned n_calls;
    usec_t called_at;
    usec_t again; /* the handler sets it so far ahead; 0: it does not */
    bool is_freeing;
} Fixture;

static void fixture_on_alarm(void *userdata)
{
    Fixture *fixture = userdata;

    fixture->n_calls++;
    fixture->called_at = clock_boottime();
    if (fixture->again > 0)
        assert_int_equal(alarm_set(fixture->alarm, fixture->again, 0), 0);
    if (fixture->is_freeing)
        fixture->alarm = alarm_free(fixture->alarm);
}

static int set_up(void **state)
{
    static Fixture fixture;

    fixture = (Fixture){.base = event_base_new()};
    *state = &fixture;
    return fixture.base ? alarm_new(fixture.base, fixture_on_alarm, &fixture, &fixture.alarm) : -1;
}

static int tear_down(void **state)
{
    Fixture *fixture = *state;

    assert_null(alarm_free(fixture->alarm));
    event_base_free(fixture->base);
    return 0;
}

static void test_once_and_not_before_its_time(void **state)
{
    Fixture *fixture = *state;
    usec_t begin = clock_boottime();

    assert_false(alarm_is_set(fixture->alarm));
    assert_int_equal(alarm_set(fixture->alarm, SHORT, 0), 0);
    assert_true(alarm_is_set(fixture->alarm));
    loop_turn(fixture->base);
    loop_run_until(fixture->base, &fixture->n_calls, 1);
    assert_true(fixture->called_at >= begin + SHORT);
    assert_false(alarm_is_set(fixture->alarm));
    (void)usleep(2 * SHORT);
    loop_turn(fixture->base);
    assert_int_equal(fixture->n_calls, 1);
}

static void test_at_once(void **state)
{
    Fixture *fixture = *state;

    assert_int_equal(alarm_set(fixture->alarm, 0, 0), 0);
    loop_run_until(fixture->base, &fixture->n_calls, 1);
}

static void test_again_and_again(void **state)
{
    Fixture *fixture = *state;
    usec_t begin = clock_boottime();

    assert_int_equal(alarm_set(fixture->alarm, SHORT, SHORT), 0);
    for (unsigned n = 1; n <= 3; n++) {
        while (fixture->n_calls < n)
            (void)event_base_loop(fixture->base, EVLOOP_ONCE);
        assert_true(fixture->called_at >= begin + n * SHORT);
        assert_true(alarm_is_set(fixture->alarm));
    }
    (void)usleep(5 * SHORT); /* which are one */
    loop_turn(fixture->base);
    assert_int_equal(fixture->n_calls, 4);
    alarm_clear(fixture->alarm);
    (void)usleep(2 * SHORT);
    loop_turn(fixture->base);
    assert_int_equal(fixture->n_calls, 4);
}

static void test_the_last_word_counts(void **state)
{
    Fixture *fixture = *state;

    assert_int_equal(alarm_set(fixture->alarm, SHORT, SHORT), 0);
    (void)usleep(2 * SHORT); /* its time has come, but the loop does not know */
    assert_int_equal(alarm_set(fixture->alarm, LONG, 0), 0);
    loop_turn(fixture->base);
    assert_int_equal(fixture->n_calls, 0);
    assert_int_equal(alarm_set(fixture->alarm, SHORT, 0), 0);
    loop_run_until(fixture->base, &fixture->n_calls, 1);
    assert_false(alarm_is_set(fixture->alarm));
}

typedef struct Pair {
    Alarm *alarms[2];
    unsigned n_calls;
} Pair;

static void pair_on_alarm(void *userdata)
{
    Pair *pair = userdata;

    pair->n_calls++;
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(alarm_set(pair->alarms[i], LONG, 0), 0);
}

/* Of two that the loop has seen to be due, one puts the other off. */
static void test_put_off_when_it_was_next(void **state)
{
    Fixture *fixture = *state;
    Pair pair = {};

    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(alarm_new(fixture->base, pair_on_alarm, &pair, &pair.alarms[i]), 0);
        assert_int_equal(alarm_set(pair.alarms[i], 0, 0), 0);
    }
    (void)usleep(1000);
    loop_turn(fixture->base);
    assert_int_equal(pair.n_calls, 1);
    for (size_t i = 0; i < 2; i++) {
        assert_true(alarm_is_set(pair.alarms[i]));
        assert_null(alarm_free(pair.alarms[i]));
    }
}

static void test_cleared_when_its_time_had_come(void **state)
{
    Fixture *fixture = *state;

    alarm_clear(fixture->alarm); /* which it is */
    assert_int_equal(alarm_set(fixture->alarm, 0, 0), 0);
    (void)usleep(1000);
    alarm_clear(fixture->alarm);
    assert_false(alarm_is_set(fixture->alarm));
    loop_turn(fixture->base);
    assert_int_equal(fixture->n_calls, 0);
    /* Nothing is left for the loop to wait for. */
    assert_int_equal(event_base_loop(fixture->base, 0), 1);
}

static void test_the_handler_may_do_what_it_wants(void **state)
{
    Fixture *fixture = *state;

    fixture->again = SHORT;
    assert_int_equal(alarm_set(fixture->alarm, 0, 0), 0);
    while (fixture->n_calls < 3)
        (void)event_base_loop(fixture->base, EVLOOP_ONCE);
    fixture->again = 0;
    fixture->is_freeing = true;
    loop_run_until(fixture->base, &fixture->n_calls, 4);
    assert_null(fixture->alarm);
}

static void test_longer_than_anybody_lives(void **state)
{
    Fixture *fixture = *state;

    assert_int_equal(alarm_set(fixture->alarm, USEC_INFINITY, USEC_INFINITY), 0);
    assert_true(alarm_is_set(fixture->alarm));
    (void)usleep(1000);
    loop_turn(fixture->base);
    assert_int_equal(fixture->n_calls, 0);
}

static void test_no_descriptor(void **state)
{
    Fixture *fixture = *state;
    struct rlimit before, none;
    Alarm *alarm = NULL;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){0, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(alarm_new(fixture->base, fixture_on_alarm, fixture, &alarm), -EMFILE);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_null(alarm);
}

/* ---- what it is for ---- */

static int count_timeout(const struct event_base *base, const struct event *event, void *userdata)
{
    unsigned *n = userdata;

    (void)base;
    *n += event_pending(event, EV_TIMEOUT, NULL) != 0;
    return 0;
}

static void test_a_loop_that_serves_has_no_timeout(void **state)
{
    static const ServerOperations operations;
    Fixture *fixture = *state;
    Server *server;
    unsigned n_timeouts = 0;
    int fds[2];
    Peer peer;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    assert_int_equal(server_new(fixture->base, &operations, NULL, &server), 0);
    assert_int_equal(peer_init(&peer, fds[0]), 0);
    server_serve(server, fds[0], &peer);
    assert_int_equal(alarm_set(fixture->alarm, LONG, LONG), 0);
    loop_turn(fixture->base);
    assert_int_equal(server_n_connections(server), 1);
    assert_int_equal(event_base_foreach_event(fixture->base, count_timeout, &n_timeouts), 0);
    assert_int_equal(n_timeouts, 0);
    server = server_free(server);
    (void)close(fds[1]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_once_and_not_before_its_time),
        TEST(test_at_once),
        TEST(test_again_and_again),
        TEST(test_the_last_word_counts),
        TEST(test_put_off_when_it_was_next),
        TEST(test_cleared_when_its_time_had_come),
        TEST(test_the_handler_may_do_what_it_wants),
        TEST(test_longer_than_anybody_lives),
        TEST(test_no_descriptor),
        TEST(test_a_loop_that_serves_has_no_timeout),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
