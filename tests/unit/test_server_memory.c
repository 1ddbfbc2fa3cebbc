/*
 * The server without memory: a day in the life of a few clients, with the first allocation failing, then with
 * the second and so on, until all get through. Whatever fails, only connections are lost, nothing leaks, nobody
 * is given what is not theirs; and no token stays in memory that is given back.
 *
 * This program has a malloc() of its own, in front of glibc's. Sanitizers and valgrind bring theirs; there the
 * program says so and skips.
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
#include "tests/unit/wire.h"

#define MARKER "s3cr3t-m4rk3r"

/* volatile: compilers take it for granted that malloc() neither reads nor writes a program's variables. */
static volatile struct {
    bool is_armed;
    size_t n_calls;  /* allocations since it was armed */
    size_t fail_at;  /* the one that fails, from 1 */
    bool fail_after; /* and all after it */
    size_t n_live;   /* allocated less freed since it was armed */
    size_t n_marked; /* blocks freed with the marker in them */
} heap;

#if defined(__SANITIZE_ADDRESS__)
#define HEAP_IS_OURS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HEAP_IS_OURS 0
#endif
#endif
#ifndef HEAP_IS_OURS
#define HEAP_IS_OURS 1
#endif

#if HEAP_IS_OURS

#define HEAP_EXPORT __attribute__((visibility("default")))

/* glibc names the parameters in its own way. */
/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void __libc_free(void *memory);

static bool heap_fails(void)
{
    if (!heap.is_armed)
        return false;
    heap.n_calls++;
    if (heap.n_calls == heap.fail_at || (heap.fail_after && heap.n_calls > heap.fail_at)) {
        errno = ENOMEM;
        return true;
    }
    heap.n_live++;
    return false;
}

static void heap_look(void *memory)
{
    if (heap.is_armed && memory) {
        heap.n_live--;
        if (memmem(memory, malloc_usable_size(memory), MARKER, strlen(MARKER)))
            heap.n_marked++;
    }
}

HEAP_EXPORT void *malloc(size_t size)
{
    return heap_fails() ? NULL : __libc_malloc(size);
}

HEAP_EXPORT void *calloc(size_t n, size_t size)
{
    return heap_fails() ? NULL : __libc_calloc(n, size);
}

/* Always moves, so that what is left behind is looked at. */
HEAP_EXPORT void *realloc(void *memory, size_t size)
{
    size_t old = memory ? malloc_usable_size(memory) : 0;
    void *moved = heap_fails() ? NULL : __libc_malloc(size);

    if (moved && memory) {
        memcpy(moved, memory, old < size ? old : size);
        heap_look(memory);
        __libc_free(memory);
    }
    return moved;
}

HEAP_EXPORT void free(void *memory)
{
    heap_look(memory);
    __libc_free(memory);
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */

#endif

static void heap_arm(size_t fail_at, bool fail_after)
{
    heap.n_calls = heap.n_live = heap.n_marked = 0;
    heap.fail_at = fail_at;
    heap.fail_after = fail_after;
    heap.is_armed = true;
}

static void heap_disarm(void)
{
    heap.is_armed = false;
}

/* The functions above are the ones that are called, or cmocka, a sanitizer or valgrind has its own. */
static bool heap_is_ours(void)
{
    void *volatile memory;

    heap_arm(0, false);
    memory = malloc(1);
    heap_disarm();
    free(memory);
    return heap.n_calls == 1;
}

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
        assert_null(memmem(replies, (size_t)n, MARKER, strlen(MARKER)));
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
        fd, CALL("io.elementd.ReportRejected", "\"instance\":\"x\",\"token\":\"" MARKER "\""));
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
    heap_arm(fail_at, fail_after);
    wire_server = NULL;
    wire_loop = event_base_new();
    has_server = wire_loop &&
                 server_new(wire_loop, &backend_operations, &wire_backend, &wire_server) == 0;
    if (has_server)
        run_clients(x, y, ends);
    heap.fail_at = 0;
    heap.fail_after = false;
    if (has_server) {
        /* When there is memory again, all is well. */
        fd = wire_connect(1000);
        wire_say(fd, GET("x"));
        wire_expect(fd, TOKEN(MARKER));
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

    if (!heap_is_ours()) {
        print_message("malloc() is a sanitizer's or valgrind's: cannot make it fail\n");
        skip();
    }
    log_set_level(LOG_EMERG);
    backend_init(&wire_backend);
    x = backend_add(&wire_backend, "x", "any", "user:1000");
    y = backend_add(&wire_backend, "y", "any", NULL);
    backend_set_token(&wire_backend, x, MARKER);
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
