/*
 * libelementd without memory, and what it leaves in the memory that it gives back.
 *
 * By tests/unit/heap.h. Each call is made with the first allocation failing, then the second and so on, until it gets through; every
 * failure must be -ENOMEM, and the next call with the same handle must be as good as ever.
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
#include "tests/unit/heap.h"

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
    return elementd_report_rejected(*daemon, "x", HEAP_MARKER);
}

static int call_any(elementd **daemon)
{
    char *reply = NULL;
    int r = elementd_call(*daemon, "a.b.C", "{\"token\":\"" HEAP_MARKER "\"}", 0, &reply);

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
    {call_token, "{\"parameters\":{\"token\":\"" HEAP_MARKER "\",\"id\":1}}", 0},
    {call_token, "{\"parameters\":{\"token\":\"" HEAP_MARKER "\"}}", ELEMENTD_E_PROTOCOL},
    {call_token, "{\"parameters\":{\"token\":\"" HEAP_MARKER "\"", ELEMENTD_E_PROTOCOL},
    {call_token,
     "{\"error\":\"io.elementd.Failed\",\"parameters\":{\"problem\":\"" HEAP_MARKER "\"}}",
     ELEMENTD_E_FAILED},
    {call_authorization, "{\"parameters\":{\"authorization\":\"User " HEAP_MARKER "\"}}", 0},
    {call_rejected, "{\"parameters\":{}}", 0},
    {call_any, "{\"parameters\":{\"a\":\"" HEAP_MARKER "\"}}", 0},
    {call_any,
     "{\"error\":\"io.elementd.InvalidConfiguration\",\"parameters\":{\"problems\":["
     "{\"file\":\"a\",\"line\":1,\"column\":1,\"message\":\"" HEAP_MARKER "\"}]}}",
     ELEMENTD_E_REMOTE},
    {call_watch_token,
     "{\"parameters\":{\"token\":\"" HEAP_MARKER "\",\"id\":1},\"continues\":true}", 0},
    {call_watch_token, "{\"error\":\"io.elementd.NoSuchInstance\"}", ELEMENTD_E_NO_SUCH_INSTANCE},
    {call_watch_instances,
     "{\"parameters\":{\"instance\":{\"name\":\"" HEAP_MARKER
     "\",\"element\":\"\",\"account\":\"\","
     "\"state\":\"ready\",\"hasToken\":true,\"sinceUSec\":1,\"attempts\":0}},\"continues\":true}",
     0},
    {call_list,
     "{\"parameters\":{\"instances\":[{\"name\":\"" HEAP_MARKER
     "\",\"element\":\"\",\"account\":\"\","
     "\"state\":\"ready\",\"hasToken\":true,\"sinceUSec\":1,\"attempts\":0}]}}",
     0},
};

#define ALLOCATIONS_MAX 60

static void test_calls(void **state)
{
    ClientServer *server = *state;
    ClientTurn turns[ALLOCATIONS_MAX];

    heap_skip_others();
    for (size_t i = 0; i < N_ELEMENTS(calls); i++) {
        elementd *daemon = NULL;
        size_t fail_at = 0;
        int r;

        for (size_t k = 0; k < ALLOCATIONS_MAX; k++)
            turns[k] = (ClientTurn){.reply = calls[i].reply};
        client_server_start(server, turns, ALLOCATIONS_MAX);
        do {
            heap_arm(++fail_at, true);
            r = elementd_open(server->path, &daemon);
            if (r == 0)
                r = calls[i].call(&daemon);
            elementd_close(daemon);
            daemon = NULL;
            heap_disarm();
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

    heap_skip_others();
    for (size_t k = 0; k < N_ELEMENTS(turns); k++)
        turns[k] = (ClientTurn){.reply = calls[0].reply};
    client_server_start(server, turns, N_ELEMENTS(turns));
    assert_int_equal(elementd_open(server->path, &daemon), 0);
    do {
        heap_arm(++fail_at, true);
        r = call_token(&daemon);
        heap_disarm();
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
