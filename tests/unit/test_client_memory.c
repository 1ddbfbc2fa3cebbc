/*
 * libelementd without memory, and what it leaves in the memory that it gives back.
 *
 * As test_memory.c: this program's own malloc() fails at the n-th call, and its free() looks for a marker. Each
 * call is made with the first allocation failing, then the second and so on, until it gets through; every
 * failure must be -ENOMEM, and the next call with the same handle must be as good as ever.
 *
 * Sanitizers and valgrind bring their own malloc(); there the program says so and skips.
 */

#include "ipc/client/elementd.h"

#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "tests/unit/client_server.h"

#define MARKER "s3cr3t-m4rk3r"

/* volatile: compilers take it for granted that malloc() neither reads nor writes a program's variables. */
static volatile struct {
    bool is_armed;
    size_t n_calls;  /* allocations since it was armed */
    size_t fail_at;  /* the one that fails, from 1; 0: none */
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

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void __libc_free(void *memory);

static bool heap_fails(void)
{
    if (!heap.is_armed)
        return false;
    if (++heap.n_calls == heap.fail_at) {
        errno = ENOMEM;
        return true;
    }
    heap.n_live++;
    return false;
}

/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): glibc's names are reserved */
HEAP_EXPORT void *malloc(size_t size)
{
    return heap_fails() ? NULL : __libc_malloc(size);
}

HEAP_EXPORT void *calloc(size_t n, size_t size)
{
    return heap_fails() ? NULL : __libc_calloc(n, size);
}

HEAP_EXPORT void free(void *memory)
{
    if (heap.is_armed && memory) {
        heap.n_live--;
        if (memmem(memory, malloc_usable_size(memory), MARKER, strlen(MARKER)))
            heap.n_marked++;
    }
    __libc_free(memory);
}
/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */

#endif

/* Whether the allocations above are the ones in use: valgrind replaces them at run time. */
static bool heap_works(void)
{
    void *volatile memory;
    bool works;

    heap.n_calls = 0;
    heap.fail_at = 1;
    heap.is_armed = true;
    memory = malloc(1);
    works = !memory;
    heap.is_armed = false;
    free(memory);
    return works;
}

static void heap_arm(size_t fail_at)
{
    heap.n_calls = heap.n_live = heap.n_marked = 0;
    heap.fail_at = fail_at;
    heap.is_armed = true;
}

/* ---- calls: each releases what it got ---- */

static int call_token(elementd **daemon)
{
    char *token = NULL;
    int r = elementd_get_token(*daemon, "x", 0, &token, NULL, NULL);

    elementd_free_secret(token);
    return r;
}

static int call_authorization(elementd **daemon)
{
    char *authorization = NULL;
    int r = elementd_get_authorization(*daemon, "x", 0, &authorization);

    elementd_free_secret(authorization);
    return r;
}

static int call_rejected(elementd **daemon)
{
    return elementd_report_rejected(*daemon, "x", MARKER);
}

static int call_any(elementd **daemon)
{
    char *reply = NULL;
    int r = elementd_call(*daemon, "a.b.C", "{\"token\":\"" MARKER "\"}", 0, &reply);

    elementd_free_secret(reply);
    return r;
}

static int call_list(elementd **daemon)
{
    elementd_instances *instances = NULL;
    int r = elementd_list_instances(*daemon, &instances);

    elementd_instances_free(instances);
    return r;
}

/* The stand-in serves one connection after another. */
static void make_way(elementd **daemon)
{
    elementd_close(*daemon);
    *daemon = NULL;
}

static int call_watch_token(elementd **daemon)
{
    elementd_watch *watch = NULL;
    char *token = NULL;
    int r = elementd_watch_token(*daemon, "x", &watch);

    make_way(daemon);
    if (r == 0)
        r = elementd_watch_next_token(watch, UINT64_MAX, &token, NULL);
    elementd_free_secret(token);
    elementd_watch_close(watch);
    return r;
}

static int call_watch_instances(elementd **daemon)
{
    elementd_watch *watch = NULL;
    int r = elementd_watch_instances(*daemon, &watch);

    make_way(daemon);
    if (r == 0)
        r = elementd_watch_next_instance(watch, UINT64_MAX, NULL);
    elementd_watch_close(watch);
    return r;
}

static const struct {
    int (*call)(elementd **daemon);
    const char *reply;
    int outcome;
} calls[] = {
    {call_token, "{\"parameters\":{\"token\":\"" MARKER "\",\"id\":1}}", 0},
    {call_token, "{\"parameters\":{\"token\":\"" MARKER "\"}}", ELEMENTD_E_PROTOCOL},
    {call_token, "{\"parameters\":{\"token\":\"" MARKER "\"", ELEMENTD_E_PROTOCOL},
    {call_token, "{\"error\":\"io.elementd.Failed\",\"parameters\":{\"problem\":\"" MARKER "\"}}",
     ELEMENTD_E_FAILED},
    {call_authorization, "{\"parameters\":{\"authorization\":\"User " MARKER "\"}}", 0},
    {call_rejected, "{\"parameters\":{}}", 0},
    {call_any, "{\"parameters\":{\"a\":\"" MARKER "\"}}", 0},
    {call_any,
     "{\"error\":\"io.elementd.InvalidConfiguration\",\"parameters\":{\"problems\":["
     "{\"file\":\"a\",\"line\":1,\"column\":1,\"message\":\"" MARKER "\"}]}}",
     ELEMENTD_E_REMOTE},
    {call_watch_token, "{\"parameters\":{\"token\":\"" MARKER "\",\"id\":1},\"continues\":true}",
     0},
    {call_watch_token, "{\"error\":\"io.elementd.NoSuchInstance\"}", ELEMENTD_E_NO_SUCH_INSTANCE},
    {call_watch_instances,
     "{\"parameters\":{\"instance\":{\"name\":\"" MARKER "\",\"element\":\"\",\"account\":\"\","
     "\"state\":\"ready\",\"hasToken\":true,\"sinceUSec\":1,\"attempts\":0}},\"continues\":true}",
     0},
    {call_list,
     "{\"parameters\":{\"instances\":[{\"name\":\"" MARKER "\",\"element\":\"\",\"account\":\"\","
     "\"state\":\"ready\",\"hasToken\":true,\"sinceUSec\":1,\"attempts\":0}]}}",
     0},
};

#define ALLOCATIONS_MAX 60

static void test_calls(void **state)
{
    ClientServer *server = *state;
    ClientTurn turns[ALLOCATIONS_MAX];

    if (!heap_works()) {
        print_message("its malloc() is not in use here\n");
        skip();
    }
    for (size_t i = 0; i < N_ELEMENTS(calls); i++) {
        elementd *daemon = NULL;
        size_t fail_at = 0;
        int r;

        for (size_t k = 0; k < ALLOCATIONS_MAX; k++)
            turns[k] = (ClientTurn){.reply = calls[i].reply};
        client_server_start(server, turns, ALLOCATIONS_MAX);
        do {
            heap_arm(++fail_at);
            r = elementd_open(server->path, &daemon);
            if (r == 0)
                r = calls[i].call(&daemon);
            elementd_close(daemon);
            daemon = NULL;
            heap.is_armed = false;
            assert_int_equal(heap.n_live, 0);
            assert_int_equal(heap.n_marked, 0);
            assert_true(r == -ENOMEM || r == calls[i].outcome);
        } while (heap.n_calls >= fail_at && fail_at < ALLOCATIONS_MAX);
        assert_int_equal(r, calls[i].outcome);
        assert_in_range(fail_at, 5, ALLOCATIONS_MAX - 1);
        client_server_stop(server);
        (void)remove(server->path);
    }
}

/* A call that failed does no harm to the one after it. */
static void test_call_after(void **state)
{
    ClientServer *server = *state;
    ClientTurn turns[2 * ALLOCATIONS_MAX];
    elementd *daemon = NULL;
    size_t fail_at = 0;
    int r;

    if (!heap_works()) {
        print_message("its malloc() is not in use here\n");
        skip();
    }
    for (size_t k = 0; k < N_ELEMENTS(turns); k++)
        turns[k] = (ClientTurn){.reply = calls[0].reply};
    client_server_start(server, turns, N_ELEMENTS(turns));
    assert_int_equal(elementd_open(server->path, &daemon), 0);
    do {
        heap_arm(++fail_at);
        r = call_token(&daemon);
        heap.is_armed = false;
        assert_int_equal(call_token(&daemon), 0);
    } while (r == -ENOMEM && fail_at < ALLOCATIONS_MAX);
    assert_int_equal(r, 0);
    assert_in_range(fail_at, 4, ALLOCATIONS_MAX - 1);
    elementd_close(daemon);
    client_server_stop(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_calls, client_server_setup, client_server_teardown),
        cmocka_unit_test_setup_teardown(test_call_after, client_server_setup,
                                        client_server_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
