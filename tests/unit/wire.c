#include "tests/unit/wire.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct event_base *wire_loop;
Backend wire_backend;
Server *wire_server;

int wire_setup(void **state)
{
    (void)state;
    wire_loop = event_base_new();
    backend_init(&wire_backend);
    return server_new(wire_loop, &backend_operations, &wire_backend, &wire_server);
}

int wire_teardown(void **state)
{
    (void)state;
    wire_server = server_free(wire_server);
    backend_deinit(&wire_backend);
    event_base_free(wire_loop);
    return 0;
}

/* ---- clients ---- */

/* The loop until nothing more is to be done at once. */
void wire_settle(void)
{
    assert_true(event_base_loop(wire_loop, EVLOOP_NONBLOCK) >= 0);
}

void wire_serve(int fd, uid_t uid)
{
    Peer peer = {.fd = fd, .uid = uid, .gid = uid, .pid = 1, .has_groups = true};

    server_serve(wire_server, fd, &peer);
}

/* A client of `uid`; the fd of its end. */
int wire_connect(uid_t uid)
{
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    wire_serve(fds[1], uid);
    return fds[0];
}

void wire_say_bytes(int fd, const char *data, size_t size)
{
    assert_int_equal(send(fd, data, size, MSG_NOSIGNAL), size);
}

void wire_say(int fd, const char *text)
{
    wire_say_bytes(fd, text, strlen(text) + 1);
}

/* Just these bytes are read next, however long they take. */
void wire_expect_bytes(int fd, const char *data, size_t size)
{
    usec_t end = clock_boottime() + WIRE_PATIENCE_USEC;
    char read[4096];
    size_t n = 0;

    assert_true(size <= sizeof(read));
    while (n < size && clock_boottime() < end) {
        ssize_t r;

        (void)event_base_loop(wire_loop, EVLOOP_NONBLOCK);
        r = recv(fd, read + n, size - n, MSG_DONTWAIT);
        if (r == 0)
            fail_msg("end instead of \"%s\"", data);
        if (r > 0)
            n += (size_t)r;
        if (n > 0 && memcmp(read, data, n) != 0)
            fail_msg("\"%.*s\" instead of \"%s\"", (int)n, read, data);
    }
    assert_int_equal(n, size);
}

void wire_expect(int fd, const char *text)
{
    wire_expect_bytes(fd, text, strlen(text) + 1);
}

void wire_expect_nothing(int fd)
{
    char byte;

    wire_settle();
    assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
}

/* The wire_server has closed its end; what was sent before has been read. */
void wire_expect_end(int fd)
{
    ssize_t n = -1;
    char byte;

    errno = EAGAIN;
    for (usec_t end = clock_boottime() + WIRE_PATIENCE_USEC;
         n < 0 && errno == EAGAIN && clock_boottime() < end;) {
        (void)event_base_loop(wire_loop, EVLOOP_NONBLOCK);
        n = recv(fd, &byte, 1, MSG_DONTWAIT);
    }
    assert_true(n == 0 || (n < 0 && errno == ECONNRESET));
    close(fd);
}

void wire_expect_connections(unsigned n)
{
    wire_settle();
    assert_int_equal(server_n_connections(wire_server), n);
}

Served *wire_add_ready(const char *name, const char *token)
{
    Served *served = backend_add(&wire_backend, name, "any", NULL);

    backend_set_token(&wire_backend, served, token);
    return served;
}
