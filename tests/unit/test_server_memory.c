/*
 * The server without memory: a day in the life of a few clients, with the first allocation failing, then with
 * the second and so on, until all get through. Whatever fails, only connections are lost, nothing leaks, nobody
 * is given what is not theirs; and no token stays in memory that is given back.
 *
 * By tests/unit/heap.h.
 */

#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "systemd/log.h"
#include "tests/unit/heap.h"
#include "tests/unit/wire.h"

/* ---- a day ---- */

static void say_what_fits(int fd, const char *text)
{
    (void)send(fd, text, strlen(text) + 1, MSG_NOSIGNAL);
    (void)event_base_loop(wire_loop, EVLOOP_NONBLOCK);
}

/* What is answered to `fd`: whole replies without a token, or with it if `may_have_it`. */
static void look_at_replies(int fd, bool may_have_it)
{
    char replies[8192];
    ssize_t n = recv(fd, replies, sizeof(replies), MSG_DONTWAIT);

    if (n <= 0)
        return;
    assert_int_equal(replies[n - 1], '\0');
    if (!may_have_it)
        assert_null(memmem(replies, (size_t)n, HEAP_MARKER, strlen(HEAP_MARKER)));
}

enum {
    CLIENTS = 3,               /* who ask and wait, of users 1000 and on */
    WATCHERS = 4,              /* two who watch a token, then two who watch all; 1000 and 1001 */
    ROOT = CLIENTS + WATCHERS, /* who does what root does */
    ENDS = CLIENTS + WATCHERS + 1,
};

static uid_t user_of(int i)
{
    return i == ROOT ? 0 : i < CLIENTS ? (uid_t)(1000 + i) : (uid_t)(1000 + (i - CLIENTS) % 2);
}

static void run_root(int fd)
{
    static const char *const names[] = {"x", NULL};
    static const ServedOrphan orphan = {.id = 1, .url = "https://a"};
    static const ServedElementKey key = {"k", true, false, "d"};

    wire_backend.orphans = &orphan;
    wire_backend.n_orphans = 1;
    say_what_fits(
        fd, CALL("io.elementd.ReportRejected", "\"instance\":\"x\",\"token\":\"" HEAP_MARKER "\""));
    say_what_fits(fd, CALL("io.elementd.Retry", "\"instance\":\"x\""));
    say_what_fits(fd, CALL("io.elementd.ListOrphans", ""));
    wire_backend.description = (ServedDescription){.keys = &key, .n_keys = 1};
    say_what_fits(fd, CALL("io.elementd.DescribeElement", "\"element\":\"e\""));
    wire_backend.n_descriptions_there = wire_backend.n_descriptions;
    server_described(wire_server);
    say_what_fits(fd, CALL("io.elementd.Reload", ""));
    wire_backend.reload = (ServedReload){
        .is_applied = true, .added = names, .changed = names, .removed = names};
    wire_backend.n_reloads_over = wire_backend.n_reloads;
    server_reloaded(wire_server);
    wire_backend.reload = (ServedReload){
        .problems = &(ServedProblem){"f", 1, 1, "m"},
        .n_problems = 1,
    };
    say_what_fits(fd, CALL("io.elementd.Reload", ""));
    wire_backend.n_reloads_over = wire_backend.n_reloads;
    server_reloaded(wire_server);
    /* And one that is still not there when all ends. */
    say_what_fits(fd, CALL("io.elementd.DescribeElement", "\"element\":\"e\""));
}

static void run_watchers(const int ends[ENDS][2], Served *x)
{
    Secret *token = x->token;

    for (int i = CLIENTS; i < ROOT; i++)
        say_what_fits(ends[i][0], i < CLIENTS + 2 ? WATCH_TOKEN("x") : WATCH_INSTANCES);
    x->token = NULL;
    server_changed(wire_server, x);
    x->token = token;
    server_changed(wire_server, x);
    for (int i = CLIENTS; i < ROOT; i++)
        look_at_replies(ends[i][0], i == CLIENTS);
}

static void run_clients(Served *x, Served *y, const int ends[ENDS][2])
{
    for (int i = 0; i < ENDS; i++)
        wire_serve(ends[i][1], user_of(i));
    run_root(ends[ROOT][0]);
    for (int i = 0; i < CLIENTS; i++) {
        say_what_fits(ends[i][0], GET("x"));
        say_what_fits(ends[i][0], CALL("io.elementd.ListInstances", ""));
        say_what_fits(ends[i][0], CALL("io.elementd.GetAuthorization", "\"instance\":\"x\""));
        say_what_fits(ends[i][0], CALL("org.varlink.service.GetInfo", ""));
        say_what_fits(ends[i][0], WAIT_FOR("y"));
    }
    run_watchers(ends, x);
    y->state = SERVED_FAILED;
    server_changed(wire_server, y);
    for (int i = 0; i < CLIENTS; i++) {
        say_what_fits(ends[i][0], GET("x"));
        look_at_replies(ends[i][0], i == 0);
    }
    y->state = SERVED_PENDING;
}

/* With the allocation `fail_at` failing; false when there were not so many. */
static bool run_day(Served *x, Served *y, size_t fail_at, bool fail_after)
{
    int ends[ENDS][2], fd;
    bool has_server;

    for (int i = 0; i < ENDS; i++)
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends[i]), 0);
    heap_arm(fail_at, !fail_after);
    wire_server = NULL;
    wire_loop = event_base_new();
    has_server = wire_loop &&
                 server_new(wire_loop, &backend_operations, &wire_backend, &wire_server) == 0;
    if (has_server)
        run_clients(x, y, ends);
    heap.fail_at = 0;
    if (has_server) {
        /* When there is memory again, all is well. */
        fd = wire_connect(1000);
        wire_say(fd, GET("x"));
        wire_expect(fd, TOKEN(HEAP_MARKER));
        close(fd);
    } else {
        for (int i = 0; i < ENDS; i++)
            close(ends[i][1]);
    }
    wire_server = server_free(wire_server);
    x->token_reply = secret_unref(x->token_reply);
    if (wire_loop)
        event_base_free(wire_loop);
    heap_disarm();
    for (int i = 0; i < ENDS; i++)
        close(ends[i][0]);
    assert_int_equal(heap.n_live, 0);
    assert_int_equal(heap.n_marked, 0);
    assert_int_equal(wire_backend.n_forgotten, wire_backend.n_descriptions);
    return heap.n_calls >= fail_at;
}

static void run_days(bool fail_after)
{
    Served *x, *y;
    size_t n = 1;

    heap_skip_others();
    log_set_level(LOG_EMERG);
    backend_init(&wire_backend);
    x = backend_add(&wire_backend, "x", "any", "user:1000");
    y = backend_add(&wire_backend, "y", "any", NULL);
    backend_set_token(&wire_backend, x, HEAP_MARKER);
    backend_terms(&wire_backend, x)->user = wire_backend.instances[0].token;
    backend_terms(&wire_backend, x)->organization = wire_backend.instances[0].token;
    backend_set_allow(&wire_backend, x, "user:1000");
    while (run_day(x, y, n, fail_after))
        n++;
    assert_true(n > 50);
    backend_deinit(&wire_backend);
}

static void test_one_fails(void **state)
{
    (void)state;
    run_days(false);
}

static void test_all_fail_from_there(void **state)
{
    (void)state;
    run_days(true);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_fails),
        cmocka_unit_test(test_all_fail_from_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
