/*
 * libelementd against a daemon that answers badly, slowly, too much, or not at all.
 */

#include "ipc/client/elementd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/limits.h"
#include "tests/unit/client_server.h"

#define TOKEN_REPLY "{\"parameters\":{\"token\":\"abc=\",\"id\":7,\"verifiedUSec\":5}}"
#define OTHER_REPLY "{\"parameters\":{\"token\":\"def=\",\"id\":8}}"

/* ---- answers that are none ---- */

static void test_garbage(void **state)
{
    static const char *const replies[] = {
        "garbage",
        "",
        "[]",
        "{}",
        "{\"parameters\":{}}",
        "{\"parameters\":[]}",
        "{\"parameters\":null}",
        "{\"parameters\":{\"token\":\"a\",\"id\":1},\"more\":true}",
        "{\"parameters\":{\"token\":\"a\",\"id\":1},\"continues\":true}",
        "{\"parameters\":{\"token\":\"a\"}}",
        "{\"parameters\":{\"token\":\"a\",\"id\":null}}",
        "{\"parameters\":{\"token\":\"a\",\"id\":\"1\"}}",
        "{\"parameters\":{\"token\":\"a\",\"id\":1.5}}",
        "{\"parameters\":{\"token\":\"a\",\"id\":9223372036854775808}}",
        "{\"parameters\":{\"token\":1,\"id\":1}}",
        "{\"parameters\":{\"token\":null,\"id\":1}}",
        "{\"parameters\":{\"token\":\"a\\u0000b\",\"id\":1}}",
        "{\"parameters\":{\"token\":\"a\xff\",\"id\":1}}",
        "{\"parameters\":{\"token\":\"a\",\"id\":1,\"verifiedUSec\":-1}}",
        "{\"parameters\":{\"token\":\"a\",\"id\":1,\"verifiedUSec\":true}}",
        "{\"error\":1}",
        "{\"error\":\"io.elementd.Failed\"",
    };
    ClientServer *server = *state;
    ClientTurn turns[2 * N_ELEMENTS(replies)] = {};
    elementd *daemon;

    for (size_t i = 0; i < N_ELEMENTS(replies); i++) {
        turns[2 * i].reply = replies[i];
        turns[2 * i + 1].reply = TOKEN_REPLY;
    }
    daemon = client_server_open(server, turns, N_ELEMENTS(turns));
    for (size_t i = 0; i < N_ELEMENTS(replies); i++) {
        char *token = (char *)1;

        if (elementd_get_token(daemon, "x", 0, &token, NULL, NULL) != ELEMENTD_E_PROTOCOL)
            fail_msg("taken for an answer: %s", replies[i]);
        assert_ptr_equal(token, (char *)1);
        assert_null(elementd_last_error(daemon)->name);
        client_server_assert_token(daemon, "abc=");
    }
    client_server_close(server, daemon);
}

/* Bytes behind the answer belong to no call, and must not become the next one's answer. */
static void test_unasked(void **state)
{
    static const ClientTurn turns[] = {
        {.reply = TOKEN_REPLY "\0" OTHER_REPLY, .size = sizeof(TOKEN_REPLY) + sizeof(OTHER_REPLY)},
        {.reply = TOKEN_REPLY "\0{", .size = sizeof(TOKEN_REPLY) + 1},
        {.reply = TOKEN_REPLY},
    };
    ClientServer *server = *state;
    elementd *daemon = client_server_open(server, turns, N_ELEMENTS(turns));

    assert_int_equal(elementd_get_token(daemon, "x", 0, NULL, NULL, NULL), ELEMENTD_E_PROTOCOL);
    assert_int_equal(elementd_get_token(daemon, "x", 0, NULL, NULL, NULL), ELEMENTD_E_PROTOCOL);
    client_server_assert_token(daemon, "abc=");
    client_server_close(server, daemon);
    assert_int_equal(server->n_connections, 3);
}

/* A socket that listens without a thread, and one handle connected to it. */
static int start_by_hand(ClientServer *server, int backlog, elementd **ret_daemon, int *ret_fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int listen_fd;

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", server->path);
    listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listen_fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(listen_fd, backlog), 0);
    assert_int_equal(elementd_open(server->path, ret_daemon), 0);
    *ret_fd = accept(listen_fd, NULL, NULL);
    assert_true(*ret_fd >= 0);
    return listen_fd;
}

/* The same, when they come after the answer was taken. */
static void test_unasked_late(void **state)
{
    struct pollfd poll_fd = {.events = POLLIN};
    elementd *daemon;
    int listen_fd, fd;
    char byte;

    listen_fd = start_by_hand(*state, 8, &daemon, &fd);
    poll_fd.fd = elementd_fd(daemon);
    assert_int_equal(poll(&poll_fd, 1, 0), 0);
    assert_int_equal(send(fd, OTHER_REPLY, sizeof(OTHER_REPLY), 0), sizeof(OTHER_REPLY));
    assert_int_equal(poll(&poll_fd, 1, 0), 1);
    elementd_set_patience(daemon, 20 * USEC_PER_MSEC);
    assert_int_equal(elementd_get_token(daemon, "x", 0, NULL, NULL, NULL), ELEMENTD_E_TIMEOUT);
    /* It has left that connection without asking on it. */
    assert_true(recv(fd, &byte, 1, MSG_DONTWAIT) <= 0);
    assert_int_equal(elementd_fd(daemon), -1);
    elementd_close(daemon);
    (void)close(fd);
    (void)close(listen_fd);
}

/* The daemon goes between our look at the connection and our request: no SIGPIPE, and a second try. */
static void test_broken_pipe(void **state)
{
    elementd *daemon;
    int listen_fd, fd, second_fd;

    listen_fd = start_by_hand(*state, 8, &daemon, &fd);
    assert_int_equal(shutdown(fd, SHUT_RD), 0);
    elementd_set_patience(daemon, 20 * USEC_PER_MSEC);
    assert_int_equal(elementd_get_token(daemon, "x", 0, NULL, NULL, NULL), ELEMENTD_E_TIMEOUT);
    second_fd = accept(listen_fd, NULL, NULL);
    assert_true(second_fd >= 0);
    elementd_close(daemon);
    (void)close(second_fd);
    (void)close(fd);
    (void)close(listen_fd);
}

/* ---- slow, long, broken off ---- */

static void test_slow(void **state)
{
    static const ClientTurn turns[] = {{.reply = TOKEN_REPLY, .is_slow = true, .delay_ms = 20},
                                       {.reply = OTHER_REPLY, .is_slow = true}};
    ClientServer *server = *state;
    elementd *daemon = client_server_open(server, turns, N_ELEMENTS(turns));

    client_server_assert_token(daemon, "abc=");
    client_server_assert_token(daemon, "def=");
    client_server_close(server, daemon);
    assert_int_equal(server->n_connections, 1);
}

/* An answer of `size` bytes with its NUL; the caller frees. */
static char *long_reply(size_t size)
{
    static const char begin[] = "{\"parameters\":{\"id\":1,\"token\":\"";
    static const char end[] = "\"}}";
    char *reply = malloc(size);

    assert_non_null(reply);
    memset(reply, 'a', size);
    memcpy(reply, begin, sizeof(begin) - 1);
    memcpy(reply + size - sizeof(end), end, sizeof(end));
    return reply;
}

static void test_long(void **state)
{
    _cleanup_(freep) char *longest = long_reply(REPLY_BYTES_MAX);
    _cleanup_(freep) char *too_long = long_reply(REPLY_BYTES_MAX + 1);
    const ClientTurn turns[] = {
        {.reply = longest, .size = REPLY_BYTES_MAX},
        {.reply = too_long, .size = REPLY_BYTES_MAX + 1},
        {.reply = TOKEN_REPLY},
    };
    ClientServer *server = *state;
    elementd *daemon = client_server_open(server, turns, N_ELEMENTS(turns));
    char *token = NULL;

    assert_int_equal(elementd_get_token(daemon, "x", 0, &token, NULL, NULL), 0);
    assert_int_equal(strlen(token),
                     REPLY_BYTES_MAX - strlen("{\"parameters\":{\"id\":1,\"token\":\"\"}}") - 1);
    elementd_free_secret(token);
    assert_int_equal(elementd_get_token(daemon, "x", 0, NULL, NULL, NULL), ELEMENTD_E_PROTOCOL);
    client_server_assert_token(daemon, "abc=");
    client_server_close(server, daemon);
}

/* A daemon that restarts is asked once more; one that closes again is not. */
static void test_closed(void **state)
{
    static const ClientTurn turns[] = {
        {.is_last = true},
        {.reply = TOKEN_REPLY},
        {.reply = "{\"parameters\":", .size = 5, .is_last = true},
        {.reply = TOKEN_REPLY, .is_last = true},
        {.reply = OTHER_REPLY},
        {.is_last = true},
        {.reply = "{", .size = 1, .is_last = true},
        {.reply = TOKEN_REPLY},
    };
    ClientServer *server = *state;
    elementd *daemon = client_server_open(server, turns, N_ELEMENTS(turns));

    client_server_assert_token(daemon, "abc=");
    client_server_assert_token(daemon, "abc=");
    client_server_assert_token(daemon, "def=");
    assert_int_equal(elementd_get_token(daemon, "x", 0, NULL, NULL, NULL), ELEMENTD_E_CLOSED);
    assert_int_equal(elementd_fd(daemon), -1);
    client_server_assert_token(daemon, "abc=");
    client_server_close(server, daemon);
    assert_int_equal(server->n_connections, 6);
}

static void test_stopped(void **state)
{
    static const ClientTurn turns[] = {{.reply = TOKEN_REPLY, .is_last = true}};
    ClientServer *server = *state;
    elementd *daemon = client_server_open(server, turns, N_ELEMENTS(turns));

    client_server_assert_token(daemon, "abc=");
    client_server_stop(server);
    /* The socket's file is still there. */
    assert_int_equal(elementd_get_token(daemon, "x", 0, NULL, NULL, NULL), ELEMENTD_E_NO_DAEMON);
    elementd_close(daemon);
}

static void test_timeout(void **state)
{
    static const ClientTurn turns[] = {{.reply = OTHER_REPLY, .delay_ms = 150},
                                       {.reply = TOKEN_REPLY},
                                       {.reply = OTHER_REPLY, .delay_ms = 60}};
    ClientServer *server = *state;
    elementd *daemon = client_server_open(server, turns, N_ELEMENTS(turns));
    usec_t begin = clock_boottime(), took;

    elementd_set_patience(daemon, 50 * USEC_PER_MSEC);
    assert_int_equal(elementd_get_token(daemon, "x", 0, NULL, NULL, NULL), ELEMENTD_E_TIMEOUT);
    took = clock_boottime() - begin;
    assert_in_range(took, 50 * USEC_PER_MSEC, 140 * USEC_PER_MSEC);
    assert_int_equal(elementd_fd(daemon), -1);

    /* The late answer is not taken for this one's. */
    elementd_set_patience(daemon, 10 * USEC_PER_SEC);
    client_server_assert_token(daemon, "abc=");
    /* Patience begins after the time that the call itself may take. */
    elementd_set_patience(daemon, 40 * USEC_PER_MSEC);
    assert_int_equal(elementd_get_token(daemon, "x", 5 * USEC_PER_SEC, NULL, NULL, NULL), 0);
    client_server_close(server, daemon);
}

/* ---- connecting ---- */

static void test_no_daemon(void **state)
{
    ClientServer *server = *state;
    elementd *daemon = (elementd *)1;
    char long_path[200];

    assert_int_equal(elementd_open(server->path, &daemon), ELEMENTD_E_NO_DAEMON);
    assert_int_equal(elementd_open_root(server->tree->path, &daemon), ELEMENTD_E_NO_DAEMON);
    tree_put(server->tree, "file", "", 0600);
    assert_int_equal(elementd_open(tree_path(server->tree, "file"), &daemon), ELEMENTD_E_NO_DAEMON);
    assert_int_equal(elementd_open(tree_path(server->tree, "file/s"), &daemon),
                     ELEMENTD_E_NO_DAEMON);
    client_server_start(server, NULL, 0);
    client_server_stop(server);
    assert_int_equal(elementd_open(server->path, &daemon), ELEMENTD_E_NO_DAEMON);

    /* sun_path has 108 bytes, of which the last is the NUL. */
    memset(long_path, '/', sizeof(long_path));
    long_path[107] = '\0';
    assert_int_not_equal(elementd_open(long_path, &daemon), -ENAMETOOLONG);
    long_path[107] = '/';
    long_path[108] = '\0';
    assert_int_equal(elementd_open(long_path, &daemon), -ENAMETOOLONG);
    assert_ptr_equal(daemon, (elementd *)1);
}

static void test_root(void **state)
{
    static const ClientTurn turns[] = {{.reply = TOKEN_REPLY}};
    ClientServer *server = *state;
    elementd *daemon = NULL;

    tree_put(server->tree, "run/elementd/x", "", 0600);
    (void)snprintf(server->path, sizeof(server->path), "%s/run/elementd/io.elementd",
                   server->tree->path);
    client_server_start(server, turns, N_ELEMENTS(turns));
    /* This is what systemd tells the user's service of its own folder. */
    assert_int_equal(setenv("RUNTIME_DIRECTORY", "/run/helpdesk", 1), 0);
    assert_int_equal(elementd_open_root(server->tree->path, &daemon), 0);
    assert_int_equal(unsetenv("RUNTIME_DIRECTORY"), 0);
    client_server_assert_token(daemon, "abc=");
    client_server_close(server, daemon);
}

static void test_fd(void **state)
{
    static const ClientTurn turns[] = {{.reply = TOKEN_REPLY, .is_last = true}};
    ClientServer *server = *state;
    elementd *daemon = client_server_open(server, turns, N_ELEMENTS(turns));
    struct pollfd poll_fd = {.fd = elementd_fd(daemon), .events = POLLIN};

    assert_true(poll_fd.fd >= 0);
    assert_int_equal(fcntl(poll_fd.fd, F_GETFD), FD_CLOEXEC);
    assert_true(fcntl(poll_fd.fd, F_GETFL) & O_NONBLOCK);
    assert_int_equal(poll(&poll_fd, 1, 0), 0);
    client_server_assert_token(daemon, "abc=");
    assert_int_equal(elementd_fd(daemon), poll_fd.fd);
    assert_int_equal(poll(&poll_fd, 1, 10000), 1);
    client_server_close(server, daemon);
}

/* A listener's queue that is full: connecting ends with the patience. */
static void test_full_queue(void **state)
{
    ClientServer *server = *state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    elementd *daemon;
    usec_t begin, took;
    int listen_fd, fd, queued_fd;

    listen_fd = start_by_hand(server, 0, &daemon, &fd);
    assert_int_equal(close(fd), 0);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", server->path);
    queued_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(connect(queued_fd, (struct sockaddr *)&address, sizeof(address)), 0);

    elementd_set_patience(daemon, 50 * USEC_PER_MSEC);
    begin = clock_boottime();
    assert_int_equal(elementd_get_token(daemon, "x", 0, NULL, NULL, NULL), ELEMENTD_E_TIMEOUT);
    took = clock_boottime() - begin;
    assert_in_range(took, 50 * USEC_PER_MSEC, USEC_PER_SEC);
    elementd_set_patience(daemon, 0);
    assert_int_equal(elementd_get_token(daemon, "x", 0, NULL, NULL, NULL), ELEMENTD_E_TIMEOUT);
    elementd_close(daemon);
    (void)close(queued_fd);
    (void)close(listen_fd);
}

#define TEST(function)                                                                             \
    cmocka_unit_test_setup_teardown(function, client_server_setup, client_server_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_garbage),     TEST(test_unasked), TEST(test_unasked_late),
        TEST(test_broken_pipe), TEST(test_slow),    TEST(test_long),
        TEST(test_closed),      TEST(test_stopped), TEST(test_timeout),
        TEST(test_no_daemon),   TEST(test_root),    TEST(test_fd),
        TEST(test_full_queue),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
