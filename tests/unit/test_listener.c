/*
 * The listener, through the server and a path: what connects is taken up, and pauses are no end.
 */

#include "ipc/listener.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/limits.h"
#include "tests/unit/wire.h"

static int accept_error; /* what accept4() fails with; 0: it does not */
static bool accept_error_once;
static unsigned n_accepts;

/* In the place of the C library's. */
/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): glibc's parameters have other names */
int accept4(int fd, struct sockaddr *restrict peer, socklen_t *restrict size, int flags)
{
    n_accepts++;
    if (accept_error != 0) {
        errno = accept_error;
        if (accept_error_once)
            accept_error = 0;
        accept_error_once = false;
        return -1;
    }
    return (int)syscall(SYS_accept4, fd, peer, size, flags);
}

static char directory[] = "/tmp/test_listener.XXXXXX";
static struct sockaddr_un address = {.sun_family = AF_UNIX};

static int setup_directory(void **state)
{
    (void)state;
    if (!mkdtemp(directory))
        return -1;
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/io.elementd", directory);
    return 0;
}

static int teardown_directory(void **state)
{
    (void)state;
    (void)unlink(address.sun_path);
    return rmdir(directory);
}

static void listen_here(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC,
                    0); /* blocking, as it may be handed over */

    (void)unlink(address.sun_path);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 128), 0);
    assert_int_equal(server_listen(wire_server, fd), 0);
}

static int connect_there(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void test_listen(void **state)
{
    int fds[LISTENER_ACCEPTS_MAX + 1];

    (void)state;
    (void)wire_add_ready("x", "t");
    listen_here();
    for (int i = 0; i < LISTENER_ACCEPTS_MAX + 1; i++) {
        fds[i] = connect_there();
        wire_say(fds[i], GET("x"));
    }
    assert_true(event_base_loop(wire_loop, EVLOOP_ONCE | EVLOOP_NONBLOCK) >= 0);
    assert_int_equal(server_n_connections(wire_server), LISTENER_ACCEPTS_MAX);
    for (int i = 0; i < LISTENER_ACCEPTS_MAX + 1; i++) {
        wire_expect(fds[i], TOKEN("t"));
        close(fds[i]);
    }
    wire_expect_connections(0);
}

/* Who connects is who it is: nobody else is let in. */
static void test_listen_knows_its_peers(void **state)
{
    char entry[32];
    Served *x = wire_add_ready("x", "t");
    int fd;

    (void)state;
    listen_here();
    (void)snprintf(entry, sizeof(entry), "user:%u", (unsigned)getuid());
    backend_set_allow(&wire_backend, x, entry);
    fd = connect_there();
    wire_say(fd, GET("x"));
    wire_expect(fd, TOKEN("t"));
    if (getuid() != 0) {
        backend_set_allow(&wire_backend, x, "user:0");
        wire_say(fd, GET("x"));
        wire_expect(fd, "{\"error\":\"org.varlink.service.PermissionDenied\",\"parameters\":{}}");
    }
    close(fd);
}

/* Nothing can be taken up: the listener pauses instead of spinning, and goes on by itself. */
static void test_listen_pauses(void **state)
{
    static const int errors[] = {EMFILE, ENFILE, ENOBUFS, ENOMEM};

    (void)state;
    (void)wire_add_ready("x", "t");
    listen_here();
    for (size_t i = 0; i < N_ELEMENTS(errors); i++) {
        int fd = connect_there(), n = 0;

        wire_say(fd, GET("x"));
        accept_error = errors[i];
        n_accepts = 0;
        for (usec_t end = clock_boottime() + 2 * LISTENER_PAUSE_USEC; clock_boottime() < end; n++)
            assert_true(event_base_loop(wire_loop, EVLOOP_ONCE) >= 0);
        assert_true(n < 10);
        assert_in_range(n_accepts, 2, 3);
        assert_int_equal(server_n_connections(wire_server), 0);
        accept_error = 0;
        wire_expect(fd, TOKEN("t"));
        close(fd);
        wire_expect_connections(0);
    }
}

/* Who went before it was taken up costs the others nothing. */
static void test_listen_aborted(void **state)
{
    static const int errors[] = {ECONNABORTED, EINTR};

    (void)state;
    (void)wire_add_ready("x", "t");
    listen_here();
    for (size_t i = 0; i < N_ELEMENTS(errors); i++) {
        int fd = connect_there();

        wire_say(fd, GET("x"));
        accept_error = errors[i];
        accept_error_once = true;
        wire_settle();
        assert_int_equal(server_n_connections(wire_server), 1);
        wire_expect(fd, TOKEN("t"));
        close(fd);
        wire_expect_connections(0);
    }
}

static void test_listen_too_often(void **state)
{
    (void)state;
    for (int i = 0; i < SERVER_LISTENERS_MAX; i++)
        listen_here();
    assert_int_equal(server_listen(wire_server, socket(AF_UNIX, SOCK_STREAM, 0)), -EMFILE);
}

static void test_stop_listening(void **state)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)state;
    listen_here();
    server_stop(wire_server);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), -1);
    assert_int_equal(errno, ECONNREFUSED);
    close(fd);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, wire_setup, wire_teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_listen),         TEST(test_listen_knows_its_peers), TEST(test_listen_pauses),
        TEST(test_listen_aborted), TEST(test_listen_too_often),       TEST(test_stop_listening),
    };

    return cmocka_run_group_tests(tests, setup_directory, teardown_directory);
}
