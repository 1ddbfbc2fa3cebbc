/*
 * The server on a real loop: calls in their order, calls that wait, and watches.
 */

#include "ipc/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
