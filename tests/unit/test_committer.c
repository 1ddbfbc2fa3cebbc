/*
 * When a commit begins: with a store on a real directory, and an engine that hands nothing over.
 */

#include "daemon/committer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/limits.h"
#include "tests/unit/filled.h"
#include "tests/unit/loop.h"
#include "tests/unit/tree.h"

typedef struct Fixture {
    Filled *filled;
    Tree *tree;
    struct event_base *base;
    Store *store;
    StoreLoad load;
    Engine *engine;
    EngineTask *task; /* what it is asked, or NULL */
    Entry *entry;
    Committer committer;
    unsigned n_told;
} Fixture;

static void on_commit(void *userdata, uint64_t generation, int error)
{
    Fixture *fixture = userdata;

    fixture->n_told++;
    committer_done(&fixture->committer, generation, error);
}

static int setup(void **state)
{
    Fixture *fixture = calloc(1, sizeof(*fixture));

    assert_int_equal(filled_setup((void **)&fixture->filled), 0);
    assert_int_equal(tree_setup((void **)&fixture->tree), 0);
    fixture->base = event_base_new();
    assert_non_null(fixture->base);
    assert_int_equal(store_new(tree_path(fixture->tree, "s"), fixture->base, on_commit, fixture,
                               &fixture->store, &fixture->load),
                     0);
    assert_int_equal(engine_new(fixture->base, 0, NULL, fixture, &fixture->engine), 0);
    filled_declare(fixture->filled, "a");
    filled_fill(fixture->filled);
    fixture->entry = filled_find(fixture->filled, "a");
    committer_init(&fixture->committer, fixture->store, &fixture->load.snapshot.key,
                   &fixture->filled->registry, &fixture->filled->gates, fixture->engine, "/s");
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    Fixture *fixture = *state;

    fixture->task = engine_task_free(fixture->task);
    engine_free(fixture->engine);
    store_free(fixture->store);
    store_load_deinit(&fixture->load);
    (void)filled_teardown((void **)&fixture->filled);
    event_base_free(fixture->base);
    (void)tree_teardown((void **)&fixture->tree);
    free(fixture);
    return 0;
}

static void change(Fixture *fixture)
{
    registry_put(&fixture->filled->registry, fixture->entry, filled_record("a", "t"), true);
}

static void on_answer(void *userdata, void *subject, PlatformAnswer *answer)
{
    (void)userdata;
    (void)subject;
    (void)answer;
    fail_msg("nothing is handed over");
}

/* Something that an answer is expected to. */
static void expect_answer(Fixture *fixture)
{
    const PlatformQuestion question = {
        .method = PLATFORM_LIST,
        .account = fixture->filled->account,
        .owner = "o",
        .timeout = USEC_PER_SEC,
    };

    assert_int_equal(engine_ask(fixture->engine, &question, NULL, on_answer, NULL, &fixture->task),
                     0);
}

static void test_nothing_changed(void **state)
{
    Fixture *fixture = *state;

    committer_run(&fixture->committer, FILLED_NOW);
    assert_false(store_is_busy(fixture->store));
    assert_true(committer_due(&fixture->committer, FILLED_NOW) == USEC_INFINITY);
}

/* It goes out at once, and one that comes meanwhile waits for its end. */
static void test_one_change(void **state)
{
    Fixture *fixture = *state;

    change(fixture);
    committer_run(&fixture->committer, clock_boottime());
    assert_true(store_is_busy(fixture->store));
    assert_false(registry_is_durable(&fixture->filled->registry, fixture->entry));
    change(fixture);
    committer_run(&fixture->committer, clock_boottime());
    assert_true(fixture->filled->registry.has_changes);
    loop_run_until(fixture->base, &fixture->n_told, 1);
    assert_false(registry_is_durable(&fixture->filled->registry, fixture->entry));
    committer_run(&fixture->committer, clock_boottime());
    loop_run_until(fixture->base, &fixture->n_told, 2);
    assert_true(registry_is_durable(&fixture->filled->registry, fixture->entry));
    filled_assert_serves(fixture->entry, "t");
}

/* What could not be written is tried again, but not at once, and is served by then only. */
static void test_failed(void **state)
{
    Fixture *fixture = *state;
    usec_t begin = clock_boottime(), due;

    change(fixture);
    committer_done(&fixture->committer, filled_begin_commit(fixture->filled), -EIO);
    due = committer_due(&fixture->committer, begin);
    assert_in_range(due, begin + STORE_RETRY_USEC, clock_boottime() + STORE_RETRY_USEC);
    committer_run(&fixture->committer, due - 1);
    assert_false(store_is_busy(fixture->store));
    filled_assert_serves(fixture->entry, NULL);
    assert_true(committer_due(&fixture->committer, due) == USEC_INFINITY);
    committer_run(&fixture->committer, due);
    loop_run_until(fixture->base, &fixture->n_told, 1);
    filled_assert_serves(fixture->entry, "t");
}

/* While answers are expected too. */
static void test_failed_meanwhile(void **state)
{
    Fixture *fixture = *state;
    usec_t begin = clock_boottime();

    expect_answer(fixture);
    fixture->committer.begin = begin - USEC_PER_SEC;
    change(fixture);
    committer_done(&fixture->committer, filled_begin_commit(fixture->filled), 0);
    change(fixture);
    committer_done(&fixture->committer, filled_begin_commit(fixture->filled), -EIO);
    assert_in_range(committer_due(&fixture->committer, begin), begin + STORE_RETRY_USEC,
                    clock_boottime() + STORE_RETRY_USEC);
}

static usec_t gather_time(usec_t took)
{
    return 3 * took < 50 * USEC_PER_MSEC ? 3 * took : 50 * USEC_PER_MSEC;
}

/* While answers are expected, the next one waits for them, three times as long as the last one took; but not for ever. */
static void test_gathering(void **state)
{
    static const usec_t rows[] = {10 * USEC_PER_MSEC, USEC_PER_SEC};
    Fixture *fixture = *state;

    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        usec_t before, after, due;

        change(fixture);
        expect_answer(fixture);
        before = clock_boottime();
        fixture->committer.begin = before - rows[i];
        committer_done(&fixture->committer, filled_begin_commit(fixture->filled), 0);
        after = clock_boottime();
        assert_true(committer_due(&fixture->committer, before) == USEC_INFINITY);
        change(fixture);
        due = committer_due(&fixture->committer, before);
        assert_in_range(due, before + gather_time(rows[i]),
                        after + gather_time(after - fixture->committer.begin));
        committer_run(&fixture->committer, due - 1);
        assert_false(store_is_busy(fixture->store));
        /* Nobody to wait for any more. */
        fixture->task = engine_task_free(fixture->task);
        committer_run(&fixture->committer, before);
        assert_true(store_is_busy(fixture->store));
        loop_run_until(fixture->base, &fixture->n_told, (unsigned)i + 1);
    }
}

/* At the end, also while a commit is under way, and without a turn of the loop. */
static void test_finish(void **state)
{
    Fixture *fixture = *state;
    StoreLoad load = {};

    change(fixture);
    committer_run(&fixture->committer, clock_boottime());
    registry_put(&fixture->filled->registry, fixture->entry, filled_record("a", "last"), true);
    committer_finish(&fixture->committer);
    fixture->store = store_free(fixture->store);
    assert_int_equal(store_new(tree_path(fixture->tree, "s"), fixture->base, on_commit, fixture,
                               &fixture->store, &load),
                     0);
    assert_int_equal(load.snapshot.n_records, 1);
    assert_string_equal(secret_reveal(load.snapshot.records[0]->token), "last");
    assert_memory_equal(&load.snapshot.key, &fixture->load.snapshot.key, sizeof(load.snapshot.key));
    store_load_deinit(&load);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nothing_changed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_change, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failed_meanwhile, setup, teardown),
        cmocka_unit_test_setup_teardown(test_gathering, setup, teardown),
        cmocka_unit_test_setup_teardown(test_finish, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
