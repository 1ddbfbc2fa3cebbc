#include "ipc/changes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define N (CHANGES_SLOTS + 1)

static Changes changes;
static Served all[N];

static int setup(void **state)
{
    (void)state;
    changes_init(&changes);
    for (size_t i = 0; i < N; i++)
        served_init(&all[i]);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    changes_deinit(&changes);
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(all[i].change, 0);
        served_deinit(&all[i]);
    }
    return 0;
}

/* What came after `seen` is just these, by their numbers in `all`; -1 ends them. */
static void expect_after(uint64_t seen, const int *expected)
{
    const Served *served = changes_find(&changes, seen);

    for (; *expected >= 0; expected++, served = changes_next(served))
        assert_ptr_equal(served, &all[*expected]);
    assert_null(served);
}

static void test_order(void **state)
{
    (void)state;
    expect_after(0, (int[]){-1});
    for (int i = 0; i < 4; i++)
        changes_note(&changes, &all[i]);
    expect_after(0, (int[]){0, 1, 2, 3, -1});
    expect_after(2, (int[]){2, 3, -1});
    expect_after(4, (int[]){-1});
    /* Each stands there once, however often it has changed. */
    changes_note(&changes, &all[1]);
    changes_note(&changes, &all[3]);
    changes_note(&changes, &all[1]);
    expect_after(0, (int[]){0, 2, 3, 1, -1});
    expect_after(4, (int[]){3, 1, -1});
    expect_after(6, (int[]){1, -1});
    expect_after(7, (int[]){-1});
    changes_remove(&changes, &all[3]);
    changes_remove(&changes, &all[3]);
    expect_after(4, (int[]){1, -1});
    changes_note(&changes, &all[3]);
    expect_after(7, (int[]){3, -1});
}

static void test_sets(void **state)
{
    static ChangesSet set;

    (void)state;
    for (int i = 0; i < 130; i++)
        changes_note(&changes, &all[i]);
    for (int i = 0; i < 130; i += 3)
        changes_set_add(&set, &all[i]);
    for (int i = 0; i < 130; i++)
        assert_int_equal(changes_set_has(&set, &all[i]), i % 3 == 0);
    /* One that is not listed is in no set, whatever slot it had. */
    changes_remove(&changes, &all[3]);
    assert_false(changes_set_has(&set, &all[3]));
}

/* As many as there are slots, and one more when one has gone. */
static void test_slots(void **state)
{
    static ChangesSet set;

    (void)state;
    for (size_t i = 0; i < CHANGES_SLOTS; i++) {
        changes_note(&changes, &all[i]);
        assert_true(all[i].change > 0 && !changes_set_has(&set, &all[i]));
        changes_set_add(&set, &all[i]); /* so each has its own */
    }
    changes_note(&changes, &all[CHANGES_SLOTS]);
    assert_int_equal(all[CHANGES_SLOTS].change, 0);
    assert_ptr_equal(changes_find(&changes, CHANGES_SLOTS), NULL);
    changes_note(&changes, &all[5]);
    changes_remove(&changes, &all[7]);
    changes_note(&changes, &all[CHANGES_SLOTS]);
    assert_int_equal(all[CHANGES_SLOTS].slot, all[7].slot);
    expect_after(CHANGES_SLOTS, (int[]){5, CHANGES_SLOTS, -1});
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sets, setup, teardown),
        cmocka_unit_test_setup_teardown(test_slots, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
