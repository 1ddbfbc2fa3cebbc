/*
 * The server on a real loop: connections that end in all ways, those that break a rule, and stopping.
 */

#include "ipc/server.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/limits.h"
#include "tests/unit/wire.h"

/* ---- ends ---- */

/* As `nc -N` and socat do: all calls, then the end of sending, then they read. */
static void test_half_close(void **state)
{
    static const char calls[] = GET("x") "\0" GET("nobody");
    int fd;

    (void)state;
    (void)wire_add_ready("x", "t");
    for (int settles = 0; settles < 2; settles++) {
        fd = wire_connect(1000);
        wire_say_bytes(fd, calls, sizeof(calls));
        if (settles)
            wire_settle();
        assert_int_equal(shutdown(fd, SHUT_WR), 0);
        wire_expect(fd, TOKEN("t"));
        wire_expect(fd, NO_SUCH("nobody"));
        wire_expect_end(fd);
        wire_expect_connections(0);
    }
}

static void test_half_close_while_waiting(void **state)
{
    static const char calls[] = WAIT_FOR("x") "\0" GET("nobody");
    Served *x = backend_add(&wire_backend, "x", "any", NULL);
    int fd;

    (void)state;
    fd = wire_connect(1000);
    wire_say_bytes(fd, calls, sizeof(calls));
    wire_settle();
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    wire_expect_nothing(fd);
    wire_expect_connections(1);
    backend_set_token(&wire_backend, x, "t");
    server_changed(wire_server, x);
    wire_expect(fd, TOKEN("t"));
    wire_expect(fd, NO_SUCH("nobody"));
    wire_expect_end(fd);
    wire_expect_connections(0);
}

/* A half-closed peer that waits must not keep the loop busy. */
static void test_half_close_is_quiet(void **state)
{
    int fd, n = 0;

    (void)state;
    (void)backend_add(&wire_backend, "x", "any", NULL);
    fd = wire_connect(1000);
    wire_say(fd, GET_TOKEN("\"instance\":\"x\",\"timeoutUSec\":300000"));
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    for (usec_t end = clock_boottime() + 250 * USEC_PER_MSEC; clock_boottime() < end; n++)
        assert_true(event_base_loop(wire_loop, EVLOOP_ONCE) >= 0);
    assert_true(n < 10);
    wire_expect(fd, PENDING("x"));
    wire_expect_end(fd);
}

/* Who goes frees its waiting call at once: nothing is left to be told of the change. */
static void test_gone_while_waiting(void **state)
{
    Served *x = backend_add(&wire_backend, "x", "any", NULL);
    int fd;

    (void)state;
    (void)wire_add_ready("y", "ty");
    for (int kind = 0; kind < 4; kind++) {
        fd = wire_connect(1000);
        if (kind == 1)
            wire_say(fd,
                     GET("y")); /* answered, and not read: the end is then an error (ECONNRESET) */
        wire_say(fd, WAIT_FOR("x"));
        if (kind == 2)
            wire_say(fd, GET("y")); /* not read by the wire_server */
        wire_expect_connections(1);
        if (kind == 3) {
            assert_int_equal(shutdown(fd, SHUT_WR), 0);
            wire_expect_connections(1);
        }
        assert_false(TAILQ_EMPTY(&x->waits));
        close(fd);
        wire_expect_connections(0);
        assert_true(TAILQ_EMPTY(&x->waits));
    }
}

static void test_gone_without_reading(void **state)
{
    static const char calls[] = GET("x") "\0" GET("x");
    int fd;

    (void)state;
    (void)wire_add_ready("x", "t");
    fd = wire_connect(1000);
    wire_say_bytes(fd, calls, sizeof(calls));
    close(fd);
    wire_expect_connections(0);
    fd = wire_connect(1000);
    wire_say_bytes(fd, calls, sizeof(calls));
    wire_settle();
    close(fd);
    wire_expect_connections(0);
}

static void test_end_within_a_request(void **state)
{
    int fd;

    (void)state;
    fd = wire_connect(1000);
    wire_say_bytes(fd, "{\"method", 8);
    wire_settle();
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    wire_expect_end(fd);
    wire_expect_connections(0);
}

/* ---- rules: who breaks one loses its own connection and nothing else ---- */

static void test_no_call(void **state)
{
    int good, bad;

    (void)state;
    (void)wire_add_ready("x", "t");
    good = wire_connect(1000);
    bad = wire_connect(1000);
    wire_say(bad, GET("x"));
    wire_say(bad, "{\"method\":1}");
    wire_expect(bad, TOKEN("t"));
    wire_expect_end(bad);
    wire_say(good, GET("x"));
    wire_expect(good, TOKEN("t"));
    close(good);
}

static void say_spaces(int fd, size_t size)
{
    static const char spaces[4096] = {[0 ... 4095] = ' '};

    while (size > 0) {
        size_t n = size < sizeof(spaces) ? size : sizeof(spaces);

        wire_say_bytes(fd, spaces, n);
        wire_settle();
        size -= n;
    }
}

static void test_largest_request(void **state)
{
    int good, bad;

    (void)state;
    (void)wire_add_ready("x", "t");
    good = wire_connect(1000);
    bad = wire_connect(1000);
    say_spaces(good, REQUEST_BYTES_MAX - strlen(GET("x")));
    wire_say(good, GET("x"));
    wire_expect(good, TOKEN("t"));
    say_spaces(bad, REQUEST_BYTES_MAX);
    wire_expect_connections(2);
    wire_say_bytes(bad, " ", 1);
    wire_expect_end(bad);
    wire_say(good, GET("x"));
    wire_expect(good, TOKEN("t"));
    close(good);
}

/*
 * Who sends and does not read is read from only until so much is unsent, and once it reads it gets all its
 * answers in order. The kernel's own buffers come on top, so the bound that is looked for is wide.
 */
static void test_slow_reader(void **state)
{
    static char name[1001];
    char call[1200], reply[1200];
    size_t n_said = 0, n_stuck = 0, n_read = 0;
    int fd;

    (void)state;
    memset(name, 'n', sizeof(name) - 1);
    (void)snprintf(call, sizeof(call), GET("%s"), name);
    (void)snprintf(reply, sizeof(reply), NO_SUCH("%s"), name);
    fd = wire_connect(1000);
    while (n_stuck < 100 && n_said < 100000) {
        if (send(fd, call, strlen(call) + 1, MSG_NOSIGNAL) == (ssize_t)strlen(call) + 1)
            n_said++, n_stuck = 0;
        else
            n_stuck++;
        (void)event_base_loop(wire_loop, EVLOOP_NONBLOCK);
    }
    assert_true(n_said > 64 && n_said < 5000);
    assert_true(wire_backend.n_finds < n_said);
    wire_expect_connections(1);
    for (; n_read < n_said; n_read++)
        wire_expect(fd, reply);
    assert_int_equal(wire_backend.n_finds, n_said);
    wire_expect_nothing(fd);
    wire_say(fd, call);
    wire_expect(fd, reply);
    close(fd);
}

/* A reply to ListInstances with a problem of `size` bytes, however often the socket is full meanwhile. */
static void expect_large_list(int fd, const char *problem, size_t size)
{
    _cleanup_(freep) char *reply = calloc(1, size + 4096);
    size_t n = 0;

    while (n == 0 || reply[n - 1] != '\0') {
        ssize_t r = recv(fd, reply + n, n < size ? size - n : 1, MSG_DONTWAIT);

        (void)event_base_loop(wire_loop, EVLOOP_NONBLOCK);
        assert_true(r > 0 || (r < 0 && errno == EAGAIN));
        n += r > 0 ? (size_t)r : 0;
        assert_true(n < size + 4096);
    }
    assert_non_null(memmem(reply, n, problem, size));
}

/* Replies that are far larger than what the socket takes at a time; also to one who has ended its sending. */
static void test_large_replies(void **state)
{
    enum { SIZE = 4 * 1024 * 1024 };
    _cleanup_(freep) char *problem = malloc(SIZE + 1);
    Served *x = wire_add_ready("x", "t");

    (void)state;
    memset(problem, 'p', SIZE);
    problem[SIZE] = '\0';
    backend_set_problem(&wire_backend, x, problem);
    for (int is_ended = 0; is_ended < 2; is_ended++) {
        int fd = wire_connect(1000);

        wire_say(fd, CALL("io.elementd.ListInstances", ""));
        wire_say(fd, CALL("io.elementd.ListInstances", ""));
        wire_say(fd, GET("nobody"));
        if (is_ended)
            assert_int_equal(shutdown(fd, SHUT_WR), 0);
        wire_settle();
        expect_large_list(fd, problem, SIZE);
        expect_large_list(fd, problem, SIZE);
        wire_expect(fd, NO_SUCH("nobody"));
        if (is_ended)
            wire_expect_end(fd);
        else
            close(fd);
        wire_expect_connections(0);
    }
}

/* The peer ends its sending while the socket is full and the rest of a reply, though a small one, unsent. */
static void test_half_close_within_a_reply(void **state)
{
    enum { SIZE = CONN_UNREAD_BYTES_MAX / 2 };
    _cleanup_(freep) char *problem = malloc(SIZE + 1);
    Served *x = wire_add_ready("x", "t");
    int fds[2], least = 1;

    (void)state;
    memset(problem, 'p', SIZE);
    problem[SIZE] = '\0';
    backend_set_problem(&wire_backend, x, problem);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    assert_int_equal(setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &least, sizeof(least)), 0);
    wire_serve(fds[1], 1000);
    wire_say(fds[0], CALL("io.elementd.ListInstances", ""));
    wire_settle();
    assert_int_equal(shutdown(fds[0], SHUT_WR), 0);
    wire_expect_connections(1);
    expect_large_list(fds[0], problem, SIZE);
    wire_expect_end(fds[0]);
    wire_expect_connections(0);
}

static void test_too_large_a_reply(void **state)
{
    _cleanup_(freep) char *problem = malloc(REPLY_BYTES_MAX + CONN_UNREAD_BYTES_MAX + 1);
    Served *x = wire_add_ready("x", "t");
    int good, bad;

    (void)state;
    memset(problem, 'p', REPLY_BYTES_MAX + CONN_UNREAD_BYTES_MAX);
    problem[REPLY_BYTES_MAX + CONN_UNREAD_BYTES_MAX] = '\0';
    backend_set_problem(&wire_backend, x, problem);
    good = wire_connect(1000);
    bad = wire_connect(1000);
    wire_say(bad, CALL("io.elementd.ListInstances", ""));
    wire_expect_end(bad);
    wire_say(good, GET("x"));
    wire_expect(good, TOKEN("t"));
    close(good);
}

/* ---- stopping ---- */

static void test_stop(void **state)
{
    static const char calls[] = WAIT_FOR("x") "\0" GET("nobody");
    int waiting, watching, idle;

    (void)state;
    (void)backend_add(&wire_backend, "x", "any", NULL);
    waiting = wire_connect(1000);
    idle = wire_connect(1000);
    wire_say_bytes(waiting, calls, sizeof(calls));
    watching = wire_connect(1000);
    wire_say(watching, WATCH_TOKEN("x"));
    wire_settle();
    for (int i = 0; i < 2; i++) {
        server_stop(wire_server);
        assert_int_equal(server_n_connections(wire_server), 0);
    }
    wire_expect(waiting, PENDING("x"));
    wire_expect(waiting, NO_SUCH("nobody"));
    wire_expect_end(waiting);
    wire_expect(watching, NEWS(""));
    wire_expect_end(watching);
    wire_expect_end(idle);
}

/* Sends a request in two pieces, each some time after the last thing that happened. */
static void *ask_late(void *userdata)
{
    static const char text[] = GET("x");
    const int *fd = userdata;

    usleep(20 * 1000);
    (void)send(*fd, text, 10, MSG_NOSIGNAL);
    usleep(20 * 1000);
    (void)send(*fd, text + 10, sizeof(text) - 10, MSG_NOSIGNAL);
    return NULL;
}

static void test_stop_hears_out(void **state)
{
    int early, late, again;
    usec_t start, taken;
    pthread_t thread;

    (void)state;
    (void)wire_add_ready("x", "t");
    again = wire_connect(1000);
    wire_say(again, GET("x"));
    wire_expect(again, TOKEN("t"));
    early = wire_connect(1000);
    late = wire_connect(1000);
    wire_settle();
    /* Both are there, and the server has not seen them. */
    wire_say(again, GET("x"));
    wire_say(early, GET("x"));
    assert_int_equal(pthread_create(&thread, NULL, ask_late, &late), 0);
    start = clock_boottime();
    server_stop(wire_server);
    taken = clock_boottime() - start;
    assert_int_equal(pthread_join(thread, NULL), 0);
    wire_expect(again, TOKEN("t"));
    wire_expect_end(again);
    wire_expect(early, TOKEN("t"));
    wire_expect_end(early);
    wire_expect(late, TOKEN("t"));
    wire_expect_end(late);
    /* Over when the last one has asked. */
    assert_true(taken >= 35 * USEC_PER_MSEC && taken < CONN_FAREWELL_USEC);
}

/* One that says nothing is waited for until it is so old, and not again from then on. */
static void test_stop_does_not_wait_for_the_silent(void **state)
{
    int old = wire_connect(1000), young;
    usec_t start;

    (void)state;
    wire_settle();
    usleep((useconds_t)CONN_FAREWELL_USEC);
    young = wire_connect(1000);
    start = clock_boottime();
    server_stop(wire_server);
    assert_true(clock_boottime() - start >= CONN_FAREWELL_USEC - 50 * USEC_PER_MSEC);
    assert_true(clock_boottime() - start < 2 * CONN_FAREWELL_USEC);
    wire_expect_end(old);
    wire_expect_end(young);
}

static void test_stop_at_once(void **state)
{
    int silent = wire_connect(1000), partial = wire_connect(1000);
    usec_t start;

    (void)state;
    wire_say_bytes(partial, "{", 1);
    wire_settle();
    usleep((useconds_t)CONN_FAREWELL_USEC);
    start = clock_boottime();
    server_stop(wire_server);
    assert_true(clock_boottime() - start < CONN_FAREWELL_USEC / 2);
    wire_expect_end(silent);
    wire_expect_end(partial);
}

/* With connections in every state. */
static void test_free_in_every_state(void **state)
{
    _cleanup_(freep) char *problem = malloc(1024 * 1024 + 1);
    Served *x = backend_add(&wire_backend, "x", "any", NULL);
    int fds[8];

    (void)state;
    memset(problem, 'p', 1024 * 1024);
    problem[1024 * 1024] = '\0';
    backend_set_problem(&wire_backend, x, problem);
    for (int i = 0; i < 8; i++)
        fds[i] = wire_connect(1000);
    wire_say_bytes(fds[1], "{", 1);
    wire_say(fds[2], WAIT_FOR("x"));
    wire_say(fds[3], CALL("io.elementd.ListInstances", "")); /* blocked */
    wire_say(fds[3], CALL("io.elementd.ListInstances", ""));
    wire_say(fds[4], CALL("io.elementd.ListInstances", "")); /* finishing */
    assert_int_equal(shutdown(fds[4], SHUT_WR), 0);
    wire_say(fds[6], WATCH_TOKEN("x"));
    wire_say(fds[7], WATCH_INSTANCES);
    wire_settle();
    wire_say(fds[5], GET("x")); /* not seen yet */
    wire_server = server_free(wire_server);
    assert_true(TAILQ_EMPTY(&x->waits));
    for (int i = 0; i < 8; i++)
        close(fds[i]);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, wire_setup, wire_teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_half_close),
        TEST(test_half_close_while_waiting),
        TEST(test_half_close_is_quiet),
        TEST(test_gone_while_waiting),
        TEST(test_gone_without_reading),
        TEST(test_end_within_a_request),
        TEST(test_no_call),
        TEST(test_largest_request),
        TEST(test_slow_reader),
        TEST(test_large_replies),
        TEST(test_half_close_within_a_reply),
        TEST(test_too_large_a_reply),
        TEST(test_stop),
        TEST(test_stop_hears_out),
        TEST(test_stop_does_not_wait_for_the_silent),
        TEST(test_stop_at_once),
        TEST(test_free_in_every_state),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
