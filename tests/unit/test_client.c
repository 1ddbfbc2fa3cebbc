/*
 * libelementd against a daemon that answers well, badly, slowly, too much, or not at all.
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

static elementd *start(ClientServer *server, const ClientTurn *turns, size_t n_turns)
{
    elementd *daemon = NULL;

    client_server_start(server, turns, n_turns);
    assert_int_equal(elementd_open(server->path, &daemon), 0);
    return daemon;
}

static void stop(ClientServer *server, elementd *daemon)
{
    elementd_close(daemon);
    client_server_stop(server);
}

static void assert_token(elementd *daemon, const char *expected)
{
    char *token = NULL;

    assert_int_equal(elementd_get_token(daemon, "x", 0, &token, NULL, NULL), 0);
    assert_string_equal(token, expected);
    elementd_free_secret(token);
}

/* ---- tokens ---- */

static void test_token(void **state)
{
    static const ClientTurn turns[] = {
        {.reply = TOKEN_REPLY}, {.reply = OTHER_REPLY}, {.reply = OTHER_REPLY}};
    ClientServer *server = *state;
    elementd *daemon = start(server, turns, N_ELEMENTS(turns));
    uint64_t verified_usec = 1;
    char *token = NULL;
    int64_t id = 0;

    assert_int_equal(elementd_get_token(daemon, "helpdesk", 0, &token, &id, &verified_usec), 0);
    assert_string_equal(token, "abc=");
    assert_int_equal(id, 7);
    assert_int_equal(verified_usec, 5);
    elementd_free_secret(token);
    assert_int_equal(elementd_get_token(daemon, "\"é", 1500, &token, &id, &verified_usec), 0);
    assert_string_equal(token, "def=");
    assert_int_equal(verified_usec, 0);
    elementd_free_secret(token);
    assert_int_equal(elementd_get_token(daemon, "x", WAIT_MAX_USEC + 1, NULL, NULL, NULL), 0);
    stop(server, daemon);

    assert_int_equal(server->n_connections, 1);
    assert_string_equal(
        server->requests[0],
        "{\"method\":\"io.elementd.GetToken\",\"parameters\":{\"instance\":\"helpdesk\"}}");
    assert_string_equal(
        server->requests[1],
        "{\"method\":\"io.elementd.GetToken\",\"parameters\":{\"instance\":\"\\\"é\",\"timeoutUSec\":1500}}");
    /* No more than the daemon grants. */
    assert_string_equal(
        server->requests[2],
        "{\"method\":\"io.elementd.GetToken\",\"parameters\":{\"instance\":\"x\",\"timeoutUSec\":3600000000}}");
}

static void test_authorization(void **state)
{
    static const ClientTurn turns[] = {
        {.reply =
             "{\"parameters\":{\"authorization\":\"User a, Organization b, Element c\",\"new\":[1]}}"}};
    ClientServer *server = *state;
    elementd *daemon = start(server, turns, N_ELEMENTS(turns));
    char *authorization = NULL;

    assert_int_equal(elementd_get_authorization(daemon, "x", 0, &authorization), 0);
    assert_string_equal(authorization, "User a, Organization b, Element c");
    elementd_free_secret(authorization);
    stop(server, daemon);
    assert_string_equal(
        server->requests[0],
        "{\"method\":\"io.elementd.GetAuthorization\",\"parameters\":{\"instance\":\"x\"}}");
}

static void test_bad_arguments(void **state)
{
    static const ClientTurn turns[] = {
        {.reply = "{\"error\":\"io.elementd.Failed\",\"parameters\":{\"problem\":\"p\"}}"}};
    ClientServer *server = *state;
    elementd *daemon = start(server, turns, N_ELEMENTS(turns));
    char *token = (char *)1;

    assert_int_equal(elementd_open(server->path, NULL), -EINVAL);
    assert_int_equal(elementd_open_root("/", NULL), -EINVAL);
    assert_int_equal(elementd_get_token(daemon, "x", 0, &token, NULL, NULL), ELEMENTD_E_FAILED);
    assert_string_equal(elementd_last_error(daemon)->problem, "p");
    /* What the call before it met is forgotten. */
    assert_int_equal(elementd_get_token(daemon, NULL, 0, &token, NULL, NULL), -EINVAL);
    assert_null(elementd_last_error(daemon)->name);
    assert_null(elementd_last_error(daemon)->problem);
    assert_int_equal(elementd_get_token(daemon, "\xff", 0, &token, NULL, NULL), -EINVAL);
    assert_int_equal(elementd_list_instances(daemon, NULL), -EINVAL);
    assert_int_equal(elementd_call(daemon, NULL, NULL, 0, NULL), -EINVAL);
    assert_ptr_equal(token, (char *)1);
    elementd_close(NULL);
    elementd_free_secret(NULL);
    elementd_instances_free(NULL);
    stop(server, daemon);
    assert_int_equal(server->n_requests, 1);
}

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
    daemon = start(server, turns, N_ELEMENTS(turns));
    for (size_t i = 0; i < N_ELEMENTS(replies); i++) {
        char *token = (char *)1;

        if (elementd_get_token(daemon, "x", 0, &token, NULL, NULL) != ELEMENTD_E_PROTOCOL)
            fail_msg("taken for an answer: %s", replies[i]);
        assert_ptr_equal(token, (char *)1);
        assert_null(elementd_last_error(daemon)->name);
        assert_token(daemon, "abc=");
    }
    stop(server, daemon);
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
    elementd *daemon = start(server, turns, N_ELEMENTS(turns));

    assert_int_equal(elementd_get_token(daemon, "x", 0, NULL, NULL, NULL), ELEMENTD_E_PROTOCOL);
    assert_int_equal(elementd_get_token(daemon, "x", 0, NULL, NULL, NULL), ELEMENTD_E_PROTOCOL);
    assert_token(daemon, "abc=");
    stop(server, daemon);
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
    elementd *daemon = start(server, turns, N_ELEMENTS(turns));

    assert_token(daemon, "abc=");
    assert_token(daemon, "def=");
    stop(server, daemon);
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
    elementd *daemon = start(server, turns, N_ELEMENTS(turns));
    char *token = NULL;

    assert_int_equal(elementd_get_token(daemon, "x", 0, &token, NULL, NULL), 0);
    assert_int_equal(strlen(token),
                     REPLY_BYTES_MAX - strlen("{\"parameters\":{\"id\":1,\"token\":\"\"}}") - 1);
    elementd_free_secret(token);
    assert_int_equal(elementd_get_token(daemon, "x", 0, NULL, NULL, NULL), ELEMENTD_E_PROTOCOL);
    assert_token(daemon, "abc=");
    stop(server, daemon);
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
    elementd *daemon = start(server, turns, N_ELEMENTS(turns));

    assert_token(daemon, "abc=");
    assert_token(daemon, "abc=");
    assert_token(daemon, "def=");
    assert_int_equal(elementd_get_token(daemon, "x", 0, NULL, NULL, NULL), ELEMENTD_E_CLOSED);
    assert_int_equal(elementd_fd(daemon), -1);
    assert_token(daemon, "abc=");
    stop(server, daemon);
    assert_int_equal(server->n_connections, 6);
}

static void test_stopped(void **state)
{
    static const ClientTurn turns[] = {{.reply = TOKEN_REPLY, .is_last = true}};
    ClientServer *server = *state;
    elementd *daemon = start(server, turns, N_ELEMENTS(turns));

    assert_token(daemon, "abc=");
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
    elementd *daemon = start(server, turns, N_ELEMENTS(turns));
    usec_t begin = clock_boottime(), took;

    elementd_set_patience(daemon, 50 * USEC_PER_MSEC);
    assert_int_equal(elementd_get_token(daemon, "x", 0, NULL, NULL, NULL), ELEMENTD_E_TIMEOUT);
    took = clock_boottime() - begin;
    assert_in_range(took, 50 * USEC_PER_MSEC, 140 * USEC_PER_MSEC);
    assert_int_equal(elementd_fd(daemon), -1);

    /* The late answer is not taken for this one's. */
    elementd_set_patience(daemon, 10 * USEC_PER_SEC);
    assert_token(daemon, "abc=");
    /* Patience begins after the time that the call itself may take. */
    elementd_set_patience(daemon, 40 * USEC_PER_MSEC);
    assert_int_equal(elementd_get_token(daemon, "x", 5 * USEC_PER_SEC, NULL, NULL, NULL), 0);
    stop(server, daemon);
}

/* ---- errors ---- */

static void test_errors(void **state)
{
    static const struct {
        const char *reply;
        int outcome;
        elementd_error error;
    } rows[] = {
        {"{\"error\":\"io.elementd.NoSuchInstance\",\"parameters\":{\"instance\":\"x\"}}",
         ELEMENTD_E_NO_SUCH_INSTANCE,
         {.name = "io.elementd.NoSuchInstance", .instance = "x"}},
        {"{\"error\":\"io.elementd.NotReady\",\"parameters\":{\"instance\":\"x\",\"state\":\"waiting\",\"retryUSec\":99,\"problem\":\"no network\"}}",
         ELEMENTD_E_NOT_READY,
         {.name = "io.elementd.NotReady",
          .instance = "x",
          .state = "waiting",
          .problem = "no network",
          .retry_usec = 99}},
        {"{\"error\":\"io.elementd.NotReady\",\"parameters\":{\"instance\":\"x\",\"state\":\"creating\",\"retryUSec\":null,\"problem\":null}}",
         ELEMENTD_E_NOT_READY,
         {.name = "io.elementd.NotReady", .instance = "x", .state = "creating"}},
        {"{\"error\":\"io.elementd.NotReady\"}",
         ELEMENTD_E_NOT_READY,
         {.name = "io.elementd.NotReady"}},
        {"{\"error\":\"io.elementd.NotReady\",\"parameters\":{\"instance\":1,\"state\":[],\"retryUSec\":\"soon\",\"problem\":\"p\"}}",
         ELEMENTD_E_NOT_READY,
         {.name = "io.elementd.NotReady", .problem = "p"}},
        {"{\"error\":\"io.elementd.Failed\",\"parameters\":{\"instance\":\"x\",\"problem\":\"bad\"}}",
         ELEMENTD_E_FAILED,
         {.name = "io.elementd.Failed", .instance = "x", .problem = "bad"}},
        {"{\"error\":\"org.varlink.service.PermissionDenied\",\"parameters\":{}}",
         ELEMENTD_E_DENIED,
         {.name = "org.varlink.service.PermissionDenied"}},
        {"{\"error\":\"org.varlink.service.MethodNotFound\",\"parameters\":{\"method\":\"m\"}}",
         ELEMENTD_E_REMOTE,
         {.name = "org.varlink.service.MethodNotFound"}},
    };
    ClientServer *server = *state;
    ClientTurn turns[N_ELEMENTS(rows) + 1] = {[N_ELEMENTS(rows)] = {.reply = TOKEN_REPLY}};
    elementd *daemon;

    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        turns[i].reply = rows[i].reply;
    daemon = start(server, turns, N_ELEMENTS(turns));
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        const elementd_error *error = elementd_last_error(daemon);

        assert_int_equal(elementd_get_token(daemon, "x", 0, NULL, NULL, NULL), rows[i].outcome);
        assert_string_equal(error->name, rows[i].error.name);
        assert_string_equal(error->instance ? error->instance : "-",
                            rows[i].error.instance ? rows[i].error.instance : "-");
        assert_string_equal(error->state ? error->state : "-",
                            rows[i].error.state ? rows[i].error.state : "-");
        assert_string_equal(error->problem ? error->problem : "-",
                            rows[i].error.problem ? rows[i].error.problem : "-");
        assert_int_equal(error->retry_usec, rows[i].error.retry_usec);
    }
    assert_token(daemon, "abc=");
    assert_null(elementd_last_error(daemon)->name);
    stop(server, daemon);
    /* An error is an answer: the connection stays. */
    assert_int_equal(server->n_connections, 1);
}

/* The problems of a reload that failed, those that can be read; they go with the next call. */
static void test_problems(void **state)
{
    static const ClientTurn turns[] = {
        {.reply = "{\"error\":\"io.elementd.InvalidConfiguration\",\"parameters\":{\"problems\":["
                  "{\"file\":\"a.json\",\"line\":3,\"column\":7,\"message\":\"bad\",\"more\":1},"
                  "{\"file\":\"b.json\"},7,"
                  "{\"file\":\"c.json\",\"line\":1,\"column\":1,\"message\":\"\"}]}}"},
        {.reply =
             "{\"error\":\"io.elementd.InvalidConfiguration\",\"parameters\":{\"problems\":[]}}"},
        {.reply =
             "{\"error\":\"io.elementd.InvalidConfiguration\",\"parameters\":{\"problems\":1}}"},
    };
    ClientServer *server = *state;
    elementd *daemon = start(server, turns, N_ELEMENTS(turns));
    const elementd_error *error = elementd_last_error(daemon);

    assert_int_equal(elementd_call(daemon, "a.b.C", NULL, 0, NULL), ELEMENTD_E_REMOTE);
    assert_int_equal(error->n_problems, 2);
    assert_string_equal(error->problems[0].file, "a.json");
    assert_int_equal(error->problems[0].line, 3);
    assert_int_equal(error->problems[0].column, 7);
    assert_string_equal(error->problems[0].message, "bad");
    assert_string_equal(error->problems[1].file, "c.json");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(elementd_call(daemon, "a.b.C", NULL, 0, NULL), ELEMENTD_E_REMOTE);
        assert_int_equal(error->n_problems, 0);
        assert_null(error->problems);
    }
    stop(server, daemon);
}

static void test_report_rejected(void **state)
{
    static const ClientTurn turns[] = {
        {.reply = "{\"parameters\":{}}"},
        {.reply = "{\"error\":\"io.elementd.NoSuchInstance\",\"parameters\":{}}"},
    };
    ClientServer *server = *state;
    elementd *daemon = start(server, turns, N_ELEMENTS(turns));

    assert_int_equal(elementd_report_rejected(daemon, NULL, "t"), -EINVAL);
    assert_int_equal(elementd_report_rejected(daemon, "x", NULL), -EINVAL);
    assert_int_equal(elementd_report_rejected(daemon, "x", "\xff"), -EINVAL);
    assert_int_equal(elementd_report_rejected(daemon, "x", "t\"="), 0);
    assert_int_equal(elementd_report_rejected(daemon, "x", "t"), ELEMENTD_E_NO_SUCH_INSTANCE);
    stop(server, daemon);
    assert_int_equal(server->n_requests, 2);
    assert_string_equal(server->requests[0],
                        "{\"method\":\"io.elementd.ReportRejected\",\"parameters\":{"
                        "\"instance\":\"x\",\"token\":\"t\\\"=\"}}");
}

static void test_strerror(void **state)
{
    (void)state;
    assert_string_equal(elementd_strerror(0), "done");
    for (int i = ELEMENTD_E_NO_DAEMON; i <= ELEMENTD_E_REMOTE; i++)
        assert_string_not_equal(elementd_strerror(i), "unknown outcome");
    assert_string_equal(elementd_strerror(ELEMENTD_E_REMOTE + 1), "unknown outcome");
    assert_string_equal(elementd_strerror(-ENOMEM), "Cannot allocate memory");
    assert_non_null(elementd_strerror(-1000000));
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
    assert_token(daemon, "abc=");
    stop(server, daemon);
}

static void test_fd(void **state)
{
    static const ClientTurn turns[] = {{.reply = TOKEN_REPLY, .is_last = true}};
    ClientServer *server = *state;
    elementd *daemon = start(server, turns, N_ELEMENTS(turns));
    struct pollfd poll_fd = {.fd = elementd_fd(daemon), .events = POLLIN};

    assert_true(poll_fd.fd >= 0);
    assert_int_equal(fcntl(poll_fd.fd, F_GETFD), FD_CLOEXEC);
    assert_true(fcntl(poll_fd.fd, F_GETFL) & O_NONBLOCK);
    assert_int_equal(poll(&poll_fd, 1, 0), 0);
    assert_token(daemon, "abc=");
    assert_int_equal(elementd_fd(daemon), poll_fd.fd);
    assert_int_equal(poll(&poll_fd, 1, 10000), 1);
    stop(server, daemon);
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

/* ---- instances ---- */

#define FULL_ROW                                                                                   \
    "{\"name\":\"b\",\"element\":\"jira\",\"account\":\"default\",\"state\":\"ready\",\"id\":12,"  \
    "\"hasToken\":true,\"sinceUSec\":1,\"verifiedUSec\":2,\"retryUSec\":3,\"attempts\":4,"         \
    "\"problem\":\"p\",\"later\":{}}"
#define SHORT_ROW                                                                                  \
    "{\"name\":\"a\",\"element\":\"\",\"account\":\"\",\"state\":\"failed\",\"hasToken\":false,"   \
    "\"sinceUSec\":0,\"attempts\":0}"

static void test_list(void **state)
{
    static const ClientTurn turns[] = {
        {.reply = "{\"parameters\":{\"instances\":[" FULL_ROW "," SHORT_ROW "]}}"},
        {.reply = "{\"parameters\":{\"instances\":[]}}"},
    };
    ClientServer *server = *state;
    elementd *daemon = start(server, turns, N_ELEMENTS(turns));
    elementd_instances *instances = NULL, *none = NULL;
    const elementd_instance *row;

    assert_int_equal(elementd_list_instances(daemon, &instances), 0);
    assert_int_equal(elementd_list_instances(daemon, &none), 0);
    stop(server, daemon);
    assert_string_equal(server->requests[0],
                        "{\"method\":\"io.elementd.ListInstances\",\"parameters\":{}}");

    /* They outlive the handle. */
    assert_int_equal(elementd_instances_count(none), 0);
    assert_null(elementd_instances_get(none, 0));
    assert_int_equal(elementd_instances_count(instances), 2);
    row = elementd_instances_get(instances, 0);
    assert_string_equal(row->name, "b");
    assert_string_equal(row->element, "jira");
    assert_string_equal(row->account, "default");
    assert_string_equal(row->state, "ready");
    assert_int_equal(row->id, 12);
    assert_int_equal(row->has_token, 1);
    assert_int_equal(row->since_usec, 1);
    assert_int_equal(row->verified_usec, 2);
    assert_int_equal(row->retry_usec, 3);
    assert_int_equal(row->attempts, 4);
    assert_string_equal(row->problem, "p");
    row = elementd_instances_get(instances, 1);
    assert_string_equal(row->name, "a");
    assert_int_equal(row->id, 0);
    assert_int_equal(row->has_token, 0);
    assert_int_equal(row->verified_usec, 0);
    assert_null(row->problem);
    assert_null(elementd_instances_get(instances, 2));
    elementd_instances_free(instances);
    elementd_instances_free(none);
}

static void test_bad_lists(void **state)
{
    static const ClientTurn turns[] = {
        {.reply = "{\"parameters\":{}}"},
        {.reply = "{\"parameters\":{\"instances\":{}}}"},
        {.reply = "{\"parameters\":{\"instances\":[" SHORT_ROW ",1]}}"},
        {.reply = "{\"parameters\":{\"instances\":[{\"name\":\"a\"}]}}"},
    };
    ClientServer *server = *state;
    elementd *daemon = start(server, turns, N_ELEMENTS(turns));
    elementd_instances *instances = (elementd_instances *)1;

    for (size_t i = 0; i < N_ELEMENTS(turns); i++)
        assert_int_equal(elementd_list_instances(daemon, &instances), ELEMENTD_E_PROTOCOL);
    assert_ptr_equal(instances, (elementd_instances *)1);
    stop(server, daemon);
}

/* ---- watching ---- */

#define NEWS(parameters)      "{\"parameters\":{" parameters "},\"continues\":true}"
#define NEWS_TOKEN(token, id) NEWS("\"token\":\"" token "\",\"id\":" id)
/* Several messages, sent in one go. */
#define TURN(messages)                                                                             \
    {                                                                                              \
        .reply = messages, .size = sizeof(messages)                                                \
    }

static void expect_token(elementd_watch *watch, const char *expected, int64_t expected_id)
{
    char *token = (char *)1;
    int64_t id = -1;

    assert_int_equal(elementd_watch_next_token(watch, 10 * USEC_PER_SEC, &token, &id), 0);
    if (expected)
        assert_string_equal(token, expected);
    else
        assert_null(token);
    assert_int_equal(id, expected_id);
    elementd_free_secret(token);
}

static void test_watch_token(void **state)
{
    static const ClientTurn turns[] = {
        TURN(NEWS_TOKEN("one", "1") "\0" NEWS("") "\0" NEWS(
            "\"token\":null,\"id\":null") "\0" NEWS_TOKEN("two", "2")),
        {.reply = NEWS_TOKEN("six", "6"), .is_last = true},
        {.reply = NEWS_TOKEN("ten", "10"), .is_slow = true},
    };
    ClientServer *server = *state;
    elementd *daemon = start(server, turns, 1);
    struct pollfd poll_fd = {.events = POLLIN};
    elementd_watch *watch = NULL;
    char *token = (char *)1;

    assert_int_equal(elementd_watch_token(daemon, "x\"", &watch), 0);
    assert_int_not_equal(elementd_watch_fd(watch), elementd_fd(daemon));
    elementd_close(daemon);
    poll_fd.fd = elementd_watch_fd(watch);
    assert_int_equal(poll(&poll_fd, 1, 10000), 1);
    expect_token(watch, "one", 1);
    expect_token(watch, NULL, 0);
    expect_token(watch, NULL, 0);
    assert_int_equal(elementd_watch_next_token(watch, 0, NULL, NULL), 0); /* "two" */
    assert_int_equal(elementd_watch_next_token(watch, 0, &token, NULL), ELEMENTD_E_TIMEOUT);
    assert_int_equal(elementd_watch_next_token(watch, 20000, &token, NULL), ELEMENTD_E_TIMEOUT);
    assert_int_equal(elementd_watch_fd(watch), poll_fd.fd);
    assert_ptr_equal(token, (char *)1);
    client_server_stop(server);
    assert_int_equal(elementd_watch_next_token(watch, UINT64_MAX, &token, NULL), ELEMENTD_E_CLOSED);
    assert_int_equal(elementd_watch_fd(watch), -1);
    assert_int_equal(elementd_watch_next_token(watch, 0, &token, NULL), ELEMENTD_E_NO_DAEMON);
    assert_string_equal(server->requests[0], "{\"method\":\"io.elementd.WatchToken\",\"more\":true,"
                                             "\"parameters\":{\"instance\":\"x\\\"\"}}");

    /* It is back: the watch begins anew, and again after the next end, and takes what comes a byte at a time. */
    assert_int_equal(remove(server->path), 0);
    client_server_start(server, turns + 1, 2);
    expect_token(watch, "six", 6);
    assert_int_equal(elementd_watch_next_token(watch, UINT64_MAX, &token, NULL), ELEMENTD_E_CLOSED);
    while (elementd_watch_next_token(watch, 0, &token, NULL) == ELEMENTD_E_TIMEOUT)
        ;
    assert_string_equal(token, "ten");
    elementd_free_secret(token);
    elementd_watch_close(watch);
    client_server_stop(server);
}

static void test_watch_instances(void **state)
{
    static const ClientTurn turns[] = {
        TURN(NEWS("\"instance\":" FULL_ROW) "\0" NEWS(
            "\"instance\":" SHORT_ROW) "\0{\"error\":\"io.elementd.NoSuchInstance\",\"parameters\":{\"instance\":\"b\"}}"),
        {.reply = NEWS("\"instance\":" SHORT_ROW)},
    };
    ClientServer *server = *state;
    elementd *daemon = start(server, turns, N_ELEMENTS(turns));
    const elementd_instance *row = NULL;
    elementd_watch *watch = NULL;

    elementd_close(daemon);
    assert_int_equal(elementd_open(server->path, &daemon), 0);
    assert_int_equal(elementd_watch_instances(daemon, &watch), 0);
    elementd_close(daemon);
    assert_int_equal(elementd_watch_next_instance(watch, UINT64_MAX, &row), 0);
    assert_string_equal(row->name, "b");
    assert_int_equal(row->id, 12);
    assert_int_equal(elementd_watch_next_instance(watch, UINT64_MAX, &row), 0);
    assert_string_equal(row->name, "a");
    assert_null(row->problem);
    assert_int_equal(elementd_watch_next_instance(watch, UINT64_MAX, &row),
                     ELEMENTD_E_NO_SUCH_INSTANCE);
    assert_string_equal(elementd_watch_last_error(watch)->instance, "b");
    assert_int_equal(elementd_watch_fd(watch), -1);
    assert_int_equal(elementd_watch_next_instance(watch, UINT64_MAX, &row), 0);
    assert_null(elementd_watch_last_error(watch)->name);
    assert_string_equal(row->name, "a");
    elementd_watch_close(watch);
    client_server_stop(server);
    assert_string_equal(server->requests[0], "{\"method\":\"io.elementd.WatchInstances\","
                                             "\"more\":true,\"parameters\":{}}");
}

static void test_watch_errors(void **state)
{
    static const struct {
        const char *reply;
        int outcome;
    } rows[] = {
        {"garbage", ELEMENTD_E_PROTOCOL},
        {"{\"parameters\":{\"token\":\"a\",\"id\":1}}", ELEMENTD_E_PROTOCOL},
        {NEWS("\"token\":1"), ELEMENTD_E_PROTOCOL},
        {NEWS("\"id\":\"1\""), ELEMENTD_E_PROTOCOL},
        {"{\"error\":\"io.elementd.NoSuchInstance\",\"parameters\":{\"instance\":\"x\"}}",
         ELEMENTD_E_NO_SUCH_INSTANCE},
        {"{\"error\":\"org.varlink.service.PermissionDenied\"}", ELEMENTD_E_DENIED},
        {"{\"error\":\"io.elementd.TooManyWatches\"}", ELEMENTD_E_REMOTE},
    };
    ClientServer *server = *state;
    ClientTurn turns[N_ELEMENTS(rows)] = {};
    elementd_watch *watch = NULL, *none = (elementd_watch *)1;
    char *token = (char *)1;
    elementd *daemon;

    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        turns[i].reply = rows[i].reply;
    daemon = start(server, turns, N_ELEMENTS(turns));
    assert_int_equal(elementd_watch_token(daemon, NULL, &none), -EINVAL);
    assert_int_equal(elementd_watch_token(daemon, "\xff", &none), -EINVAL);
    assert_int_equal(elementd_watch_token(daemon, "x", NULL), -EINVAL);
    assert_int_equal(elementd_watch_instances(daemon, NULL), -EINVAL);
    assert_ptr_equal(none, (elementd_watch *)1);
    elementd_watch_close(NULL);
    elementd_close(daemon);

    assert_int_equal(elementd_open(server->path, &daemon), 0);
    assert_int_equal(elementd_watch_token(daemon, "x", &watch), 0);
    elementd_close(daemon);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        if (elementd_watch_next_token(watch, UINT64_MAX, &token, NULL) != rows[i].outcome)
            fail_msg("not what was expected of %s", rows[i].reply);
        assert_int_equal(elementd_watch_fd(watch), -1);
    }
    assert_ptr_equal(token, (char *)1);
    elementd_watch_close(watch);
    client_server_stop(server);
}

/* ---- anything else ---- */

static void test_call(void **state)
{
    static const ClientTurn turns[] = {
        {.reply = "{\"parameters\":{\"a\": [1.50, \"x\\u0000y\"]}}"},
        {.reply = "{}"},
        {.reply = "{\"error\":\"io.elementd.NotReady\"}"},
    };
    ClientServer *server = *state;
    elementd *daemon = start(server, turns, N_ELEMENTS(turns));
    char *reply = NULL;

    assert_int_equal(elementd_call(daemon, "a.b.C", "{\"n\": 1.0, \"s\":\"t\"}", 0, &reply), 0);
    assert_string_equal(reply, "{\"a\":[1.50,\"x\\u0000y\"]}");
    elementd_free_secret(reply);
    assert_int_equal(elementd_call(daemon, "a.b.D", NULL, 0, &reply), 0);
    assert_string_equal(reply, "{}");
    elementd_free_secret(reply);
    assert_int_equal(elementd_call(daemon, "a.b.E", "{}", 0, NULL), ELEMENTD_E_NOT_READY);
    assert_int_equal(elementd_call(daemon, "a.b.F", "[]", 0, &reply), -EINVAL);
    assert_int_equal(elementd_call(daemon, "a.b.F", "{\"a\":", 0, &reply), -EINVAL);
    stop(server, daemon);
    assert_int_equal(server->n_requests, 3);
    assert_string_equal(server->requests[0],
                        "{\"method\":\"a.b.C\",\"parameters\":{\"n\":1.0,\"s\":\"t\"}}");
    assert_string_equal(server->requests[1], "{\"method\":\"a.b.D\",\"parameters\":{}}");
}

/* The longest request, with its NUL, and one byte more. */
static void test_long_call(void **state)
{
    static const char around[] = "{\"method\":\"a.b.C\",\"parameters\":{\"s\":\"\"}}";
    static const ClientTurn turns[] = {{.reply = "{}"}};
    ClientServer *server = *state;
    elementd *daemon = start(server, turns, N_ELEMENTS(turns));
    size_t size = REQUEST_BYTES_MAX - sizeof(around);
    _cleanup_(freep) char *parameters = malloc(size + 10);

    assert_non_null(parameters);
    (void)snprintf(parameters, size + 10, "{\"s\":\"%0*d\"}", (int)size + 1, 0);
    assert_int_equal(elementd_call(daemon, "a.b.C", parameters, 0, NULL), -EMSGSIZE);
    (void)snprintf(parameters, size + 10, "{\"s\":\"%0*d\"}", (int)size, 0);
    assert_int_equal(elementd_call(daemon, "a.b.C", parameters, 0, NULL), 0);
    stop(server, daemon);
}

#define TEST(function)                                                                             \
    cmocka_unit_test_setup_teardown(function, client_server_setup, client_server_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_token),
        TEST(test_authorization),
        TEST(test_bad_arguments),
        TEST(test_garbage),
        TEST(test_unasked),
        TEST(test_unasked_late),
        TEST(test_broken_pipe),
        TEST(test_slow),
        TEST(test_long),
        TEST(test_closed),
        TEST(test_stopped),
        TEST(test_timeout),
        TEST(test_errors),
        TEST(test_problems),
        TEST(test_report_rejected),
        cmocka_unit_test(test_strerror),
        TEST(test_no_daemon),
        TEST(test_root),
        TEST(test_fd),
        TEST(test_full_queue),
        TEST(test_list),
        TEST(test_bad_lists),
        TEST(test_watch_token),
        TEST(test_watch_instances),
        TEST(test_watch_errors),
        TEST(test_call),
        TEST(test_long_call),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
