/*
 * The server on a real loop: calls in their order, calls that wait, ends of all kinds, and stopping.
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

/* ---- calls ---- */

static void test_call(void **state)
{
    int fd;

    (void)state;
    (void)wire_add_ready("x", "t");
    fd = wire_connect(1000);
    for (int i = 0; i < 3; i++) {
        wire_say(fd, GET("x"));
        wire_expect(fd, TOKEN("t"));
    }
    wire_expect_connections(1);
    close(fd);
    wire_expect_connections(0);
}

/* What has been sent before the wire_server looks at the connection is answered at once, without the loop. */
static void test_reads_at_once(void **state)
{
    int fds[2];
    char reply[64];

    (void)state;
    (void)wire_add_ready("x", "t");
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    wire_say(fds[0], GET("x"));
    wire_serve(fds[1], 1000);
    assert_int_equal(recv(fds[0], reply, sizeof(reply), 0), sizeof(TOKEN("t")));
    close(fds[0]);
}

static void test_byte_by_byte(void **state)
{
    static const char calls[] = GET("x") "\0" GET("nobody") "\0" GET("x");
    int fd;

    (void)state;
    (void)wire_add_ready("x", "t");
    fd = wire_connect(1000);
    for (size_t i = 0; i < sizeof(calls); i++) {
        wire_say_bytes(fd, calls + i, 1);
        (void)event_base_loop(wire_loop, EVLOOP_NONBLOCK);
    }
    wire_expect(fd, TOKEN("t"));
    wire_expect(fd, NO_SUCH("nobody"));
    wire_expect(fd, TOKEN("t"));
    close(fd);
}

static void test_pipelining_behind_a_wait(void **state)
{
    static const char calls[] = GET("y") "\0" WAIT_FOR("x") "\0" GET("y") "\0" GET("nobody");
    Served *x = backend_add(&wire_backend, "x", "any", NULL);
    int fd;

    (void)state;
    (void)wire_add_ready("y", "ty");
    fd = wire_connect(1000);
    wire_say_bytes(fd, calls, sizeof(calls));
    wire_expect(fd, TOKEN("ty"));
    wire_expect_nothing(fd);
    wire_say(fd, GET("y")); /* stays in the socket */
    wire_expect_nothing(fd);
    backend_set_token(&wire_backend, x, "tx");
    server_changed(wire_server, x);
    wire_expect(fd, TOKEN("tx"));
    wire_expect(fd, TOKEN("ty"));
    wire_expect(fd, NO_SUCH("nobody"));
    wire_expect(fd, TOKEN("ty"));
    close(fd);
}

static void test_deadline(void **state)
{
    usec_t begin, took;
    int fd;

    (void)state;
    (void)backend_add(&wire_backend, "x", "any", NULL);
    fd = wire_connect(1000);
    begin = clock_boottime();
    wire_say(fd, GET_TOKEN("\"instance\":\"x\",\"timeoutUSec\":50000"));
    wire_expect(fd, PENDING("x"));
    took = clock_boottime() - begin;
    assert_true(took >= 50 * USEC_PER_MSEC && took < WIRE_PATIENCE_USEC);
    wire_say(fd, GET_TOKEN("\"instance\":\"x\",\"timeoutUSec\":1"));
    wire_expect(fd, PENDING("x"));
    close(fd);
}

/* A peer that stirs while its call waits does not move the deadline. */
static void test_deadline_stays(void **state)
{
    usec_t begin;
    int fd;

    (void)state;
    (void)wire_add_ready("y", "ty");
    (void)backend_add(&wire_backend, "x", "any", NULL);
    fd = wire_connect(1000);
    wire_say(fd, GET("y"));
    wire_say(fd, GET_TOKEN("\"instance\":\"x\",\"timeoutUSec\":200000"));
    begin = clock_boottime();
    while (clock_boottime() < begin + 150 * USEC_PER_MSEC)
        (void)event_base_loop(wire_loop, EVLOOP_NONBLOCK);
    wire_expect(fd, TOKEN("ty")); /* reading makes room, which wakes the connection */
    wire_expect(fd, PENDING("x"));
    assert_true(clock_boottime() < begin + 340 * USEC_PER_MSEC);
    close(fd);
}

static void test_changes(void **state)
{
    Served *x = backend_add(&wire_backend, "x", "any", NULL);
    int a, b;

    (void)state;
    a = wire_connect(1000);
    b = wire_connect(1001);
    wire_say(a, WAIT_FOR("x"));
    wire_say(b, WAIT_FOR("x"));
    wire_settle();
    x->state = SERVED_CREATING;
    server_changed(wire_server, x);
    wire_expect_nothing(a);
    backend_set_allow(&wire_backend, x, "user:1001");
    backend_set_token(&wire_backend, x, "t");
    server_changed(wire_server, x);
    wire_expect(a, "{\"error\":\"org.varlink.service.PermissionDenied\",\"parameters\":{}}");
    wire_expect(b, TOKEN("t"));

    backend_set_token(&wire_backend, x, NULL);
    server_changed(wire_server, x);
    wire_say(b, WAIT_FOR("x"));
    wire_settle();
    x->state = SERVED_FAILED;
    backend_set_problem(&wire_backend, x, "no");
    server_changed(wire_server, x);
    wire_expect(
        b,
        "{\"error\":\"io.elementd.Failed\",\"parameters\":{\"instance\":\"x\",\"problem\":\"no\"}}");
    close(a);
    close(b);
}

/* The ready-made answer goes with the token that it was made of. */
static void test_token_changes(void **state)
{
    Served *x = wire_add_ready("x", "one");
    int fd;

    (void)state;
    fd = wire_connect(1000);
    wire_say(fd, GET("x"));
    wire_expect(fd, TOKEN("one"));
    backend_set_token(&wire_backend, x, "two");
    server_changed(wire_server, x);
    wire_say(fd, GET("x"));
    wire_expect(fd, TOKEN("two"));
    backend_set_token(&wire_backend, x, NULL);
    server_changed(wire_server, x);
    wire_say(fd, GET("x"));
    wire_expect(fd, PENDING("x"));
    close(fd);
}

static void test_removed(void **state)
{
    static const char calls[] = WAIT_FOR("x") "\0" WAIT_FOR("x");
    Served *x = backend_add(&wire_backend, "x", "any", NULL);
    int fds[3];

    (void)state;
    for (int i = 0; i < 3; i++) {
        fds[i] = wire_connect(1000);
        wire_say_bytes(fds[i], calls, sizeof(calls));
    }
    wire_settle();
    server_removed(wire_server, x);
    backend_deinit(&wire_backend); /* asserts that nobody waits */
    for (int i = 0; i < 3; i++) {
        wire_expect(fds[i], NO_SUCH("x"));
        wire_expect(fds[i], NO_SUCH("x"));
        close(fds[i]);
    }
}

#define RELOAD   CALL("io.elementd.Reload", "")
#define RELOADED "{\"parameters\":{\"added\":[],\"changed\":[],\"removed\":[]}}"

/* All who asked before it was over are told, and each waits for a reload that began after it asked. */
static void test_reload(void **state)
{
    static const char *const none[] = {NULL};
    int a, b;

    (void)state;
    wire_backend.reload = (ServedReload){
        .is_applied = true, .added = none, .changed = none, .removed = none};
    a = wire_connect(0);
    b = wire_connect(0);
    wire_say(a, RELOAD);
    wire_say(a, GET("nobody"));
    wire_expect_nothing(a);
    wire_say(b, RELOAD);
    wire_expect_nothing(b);
    wire_backend.n_reloads_over = 1;
    server_reloaded(wire_server);
    wire_expect(a, RELOADED);
    wire_expect(a, NO_SUCH("nobody"));
    wire_expect_nothing(b);
    wire_backend.n_reloads_over = 2;
    server_reloaded(wire_server);
    wire_expect(b, RELOADED);
    wire_say(b, RELOAD);
    wire_settle();
    close(b); /* who does not wait any more is forgotten */
    wire_expect_connections(1);
    server_reloaded(wire_server);
    close(a);
}

/* ---- watches ---- */

static void test_watch_token(void **state)
{
    Served *x = wire_add_ready("x", "one");
    int a, b;

    (void)state;
    a = wire_connect(1000);
    b = wire_connect(1001);
    wire_say(a, WATCH_TOKEN("x"));
    wire_expect(a, NEWS_TOKEN("one"));
    wire_say(b, WATCH_TOKEN("x"));
    wire_expect(b, NEWS_TOKEN("one"));
    backend_set_allow(&wire_backend, x, "user:1001");
    backend_set_token(&wire_backend, x, "two");
    server_changed(wire_server, x);
    wire_expect(a, "{\"error\":\"org.varlink.service.PermissionDenied\",\"parameters\":{}}");
    wire_expect(b, NEWS_TOKEN("two"));
    /* Whose watch has ended may ask again; a request behind a watch stays where it is. */
    wire_say(a, GET("nobody"));
    wire_expect(a, NO_SUCH("nobody"));
    wire_say(b, GET("nobody"));
    wire_expect_nothing(b);
    server_removed(wire_server, x);
    wire_expect(b, NO_SUCH("x"));
    wire_expect(b, NO_SUCH("nobody"));
    close(a);
    close(b);
}

/* A peer that goes is noticed, and one that only ends its sending goes on watching, quietly. */
static void test_gone_while_watching(void **state)
{
    Served *x = wire_add_ready("x", "t");
    int fd, n = 0;

    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        fd = wire_connect(1000);
        wire_say(fd, kind == 0 ? WATCH_INSTANCES : WATCH_TOKEN("x"));
        if (kind == 1)
            wire_say(fd, GET("x")); /* not read by the server */
        wire_settle();
        if (kind == 2) {
            assert_int_equal(shutdown(fd, SHUT_WR), 0);
            wire_expect(fd, NEWS_TOKEN("t"));
            for (usec_t end = clock_boottime() + 50 * USEC_PER_MSEC; clock_boottime() < end; n++)
                (void)event_base_loop(wire_loop, EVLOOP_NONBLOCK);
            backend_set_token(&wire_backend, x, "two");
            server_changed(wire_server, x);
            wire_expect(fd, NEWS_TOKEN("two"));
        }
        wire_expect_connections(1);
        close(fd);
        wire_expect_connections(0);
        assert_true(TAILQ_EMPTY(&x->waits));
    }
}

/* The deadline of a call that waited is not the one of the watch behind it. */
static void test_watch_behind_a_wait(void **state)
{
    static const char calls[] = GET_TOKEN(
        "\"instance\":\"y\",\"timeoutUSec\":30000") "\0" WATCH_TOKEN("x");
    int fd, n = 0;

    (void)state;
    (void)wire_add_ready("x", "t");
    (void)backend_add(&wire_backend, "y", "any", NULL);
    fd = wire_connect(1000);
    wire_say_bytes(fd, calls, sizeof(calls));
    wire_expect(fd, PENDING("y"));
    wire_expect(fd, NEWS_TOKEN("t"));
    wire_settle();
    for (usec_t end = clock_boottime() + 200 * USEC_PER_MSEC; clock_boottime() < end; n++) {
        const struct timeval pause = {.tv_usec = 100000};

        assert_int_equal(event_base_loopexit(wire_loop, &pause), 0);
        assert_true(event_base_loop(wire_loop, EVLOOP_ONCE) >= 0);
    }
    assert_true(n <= 3);
    wire_expect_nothing(fd);
    close(fd);
}

/* Reads what has come, and what is told meanwhile, until nothing more does; counts the messages. */
static size_t read_news(int fd, char *last, size_t size)
{
    size_t n = 0, at = 0;
    int n_quiet = 0;

    while (n_quiet < 3) {
        char news[65536];
        ssize_t r = recv(fd, news, sizeof(news), MSG_DONTWAIT);

        n_quiet = r > 0 ? 0 : n_quiet + 1;
        for (ssize_t i = 0; i < r; i++) {
            last[at] = news[i];
            if (news[i] == '\0')
                n++;
            at = news[i] == '\0' || at + 1 == size ? 0 : at + 1;
        }
        (void)event_base_loop(wire_loop, EVLOOP_NONBLOCK);
    }
    return n;
}

/* All of many instances are told in pieces, and who does not read costs nothing however often they change. */
static void test_watch_many(void **state)
{
    static char names[BACKEND_INSTANCES_MAX][16];
    char last[1024];
    int fd, other;

    (void)state;
    for (int i = 0; i < BACKEND_INSTANCES_MAX; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "i%d", i);
        (void)backend_add(&wire_backend, names[i], "any", NULL);
    }
    fd = wire_connect(1000);
    other = wire_connect(1001);
    wire_say(fd, WATCH_INSTANCES);
    /* One turn of the loop tells of no more than there is room for. */
    (void)event_base_loop(wire_loop, EVLOOP_ONCE);
    wire_say(other, GET("nobody"));
    (void)event_base_loop(wire_loop, EVLOOP_ONCE);
    assert_true(recv(other, last, sizeof(last), MSG_DONTWAIT) > 0);
    assert_int_equal(read_news(fd, last, sizeof(last)), BACKEND_INSTANCES_MAX);
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < BACKEND_INSTANCES_MAX; i++) {
            Served *served = &wire_backend.instances[i].served;

            served->attempts = (unsigned)round;
            server_changed(wire_server, served);
        }
        (void)event_base_loop(wire_loop, EVLOOP_NONBLOCK);
    }
    /* What the kernel holds was told as it was; the rest once, as it is now. */
    assert_in_range(read_news(fd, last, sizeof(last)), BACKEND_INSTANCES_MAX,
                    3 * BACKEND_INSTANCES_MAX);
    assert_non_null(strstr(last, "\"name\":\"i1999\""));
    assert_non_null(strstr(last, "\"attempts\":19"));
    assert_int_equal(read_news(fd, last, sizeof(last)), 0);
    close(fd);
    close(other);
}

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
        TEST(test_call),
        TEST(test_reads_at_once),
        TEST(test_byte_by_byte),
        TEST(test_pipelining_behind_a_wait),
        TEST(test_deadline),
        TEST(test_deadline_stays),
        TEST(test_changes),
        TEST(test_token_changes),
        TEST(test_removed),
        TEST(test_reload),
        TEST(test_watch_token),
        TEST(test_gone_while_watching),
        TEST(test_watch_behind_a_wait),
        TEST(test_watch_many),
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
