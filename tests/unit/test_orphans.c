/*
 * Orphans: kept in order, each once, as many as may be, and how many of them are to be deleted.
 */

#include "daemon/orphans.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"

#define URL   "https://b.example"
#define OTHER "https://a.example"

static Record *record_of(int64_t id, const char *url, bool is_doomed)
{
    Record *record;

    assert_int_equal(record_new(NULL, &record), 0);
    assert_int_equal(record_set_string(&record->url, url), 0);
    record->id = id;
    record->rare->orphan = RECORD_REMOVED;
    record->is_doomed = is_doomed;
    return record;
}

static void add(Orphans *orphans, int64_t id, const char *url, bool is_doomed)
{
    assert_int_equal(orphans_add(orphans, record_of(id, url, is_doomed), 1, 0), 0);
}

/* All of them are there, in order, each found; and so many are doomed. */
static void assert_holds(const Orphans *orphans, size_t n_items, size_t n_doomed)
{
    size_t n = 0;

    assert_int_equal(orphans->n_items, n_items);
    for (size_t i = 0; i < n_items; i++) {
        Orphan *orphan = orphans->items[i];

        n += orphan->record->is_doomed;
        assert_ptr_equal(orphans_find(orphans, orphan->record->id, orphan->record->url), orphan);
        if (i > 0) {
            const Record *before = orphans->items[i - 1]->record;

            assert_true(
                before->id < orphan->record->id ||
                (before->id == orphan->record->id && strcmp(before->url, orphan->record->url) < 0));
        }
    }
    assert_int_equal(n, n_doomed);
    assert_int_equal(orphans->n_doomed, n_doomed);
}

static void test_empty(void **state)
{
    Orphans orphans = {};

    (void)state;
    assert_null(orphans_find(&orphans, 1, URL));
    orphans_deinit(&orphans);
    orphans_deinit(&orphans);
    assert_int_equal(orphans.n_items, 0);
}

static void test_add(void **state)
{
    Record *record = record_of(7, URL, false);
    Orphans orphans = {};
    Orphan *orphan;

    (void)state;
    assert_int_equal(orphans_add(&orphans, record, 5, 9), 0);
    assert_holds(&orphans, 1, 0);
    orphan = orphans_find(&orphans, 7, URL);
    assert_ptr_equal(orphan->record, record);
    assert_int_equal(record->n_refs, 1);
    assert_int_equal(orphan->generation, 5);
    assert_int_equal(orphan->added, 9);
    assert_true(orphan->is_listed);
    assert_int_equal(orphan->retry, 0);
    assert_null(orphan->task);
    assert_null(orphan->problem);
    assert_null(orphans_find(&orphans, 6, URL));
    assert_null(orphans_find(&orphans, 8, URL));
    assert_null(orphans_find(&orphans, 7, OTHER));
    assert_null(orphans_find(&orphans, 7, "https://c.example"));
    assert_null(orphans_find(&orphans, 7, ""));
    orphans_deinit(&orphans);
    assert_int_equal(orphans.n_items, 0);
    assert_int_equal(orphans.n_doomed, 0);
    assert_null(orphans.items);
}

/* In whatever order they come, and go. */
static void test_order(void **state)
{
    static const int64_t ids[4] = {1, 2, 2, INT64_MAX};
    static const char *const urls[4] = {URL, OTHER, URL, OTHER};

    (void)state;
    for (unsigned order = 0; order < 256; order++) {
        unsigned places[4] = {order & 3, order >> 2 & 3, order >> 4 & 3, order >> 6 & 3};
        Orphans orphans = {};

        if ((1U << places[0] | 1U << places[1] | 1U << places[2] | 1U << places[3]) != 15)
            continue;
        for (size_t i = 0; i < 4; i++) {
            add(&orphans, ids[places[i]], urls[places[i]], places[i] % 2 == 0);
            assert_holds(&orphans, i + 1, orphans.n_doomed);
        }
        assert_holds(&orphans, 4, 2);
        for (size_t i = 0; i < 4; i++) {
            unsigned place = places[3 - i];

            orphans_remove(&orphans, orphans_find(&orphans, ids[place], urls[place]));
            assert_null(orphans_find(&orphans, ids[place], urls[place]));
            assert_holds(&orphans, 3 - i, orphans.n_doomed);
        }
        assert_int_equal(orphans.n_doomed, 0);
        orphans_deinit(&orphans);
    }
}

/* An id is one of a platform: of another one it is another instance. */
static void test_other_url(void **state)
{
    Orphans orphans = {};

    (void)state;
    add(&orphans, 7, URL, false);
    add(&orphans, 7, OTHER, true);
    assert_holds(&orphans, 2, 1);
    assert_string_equal(orphans.items[0]->record->url, OTHER);
    orphans_remove(&orphans, orphans_find(&orphans, 7, OTHER));
    assert_holds(&orphans, 1, 0);
    assert_null(orphans_find(&orphans, 7, OTHER));
    assert_non_null(orphans_find(&orphans, 7, URL));
    orphans_deinit(&orphans);
}

static void test_set(void **state)
{
    Orphans orphans = {};
    Record *record, *before;
    Orphan *orphan;

    (void)state;
    add(&orphans, 6, URL, true);
    add(&orphans, 7, URL, false);
    orphan = orphans_find(&orphans, 7, URL);
    before = record_ref(orphan->record);
    record = record_of(7, URL, true);
    orphans_set(&orphans, orphan, record, 3);
    assert_ptr_equal(orphan->record, record);
    assert_int_equal(record->n_refs, 1);
    assert_int_equal(before->n_refs, 1);
    assert_int_equal(orphan->generation, 3);
    assert_holds(&orphans, 2, 2);
    orphans_set(&orphans, orphan, record_of(7, URL, true), 4);
    assert_holds(&orphans, 2, 2);
    orphans_set(&orphans, orphan, record_of(7, URL, false), 5);
    assert_holds(&orphans, 2, 1);
    record_unref(before);
    orphans_deinit(&orphans);
}

/* One that is kept is what was said of it last: also that it is to be deleted. */
static void test_replace(void **state)
{
    (void)state;
    for (int is_doomed = 0; is_doomed < 2; is_doomed++) {
        Record *record = record_of(7, URL, is_doomed);
        Orphans orphans = {};
        Orphan *orphan;

        add(&orphans, 7, URL, false);
        orphan = orphans_find(&orphans, 7, URL);
        orphan->is_listed = false;
        record->rare->orphan = RECORD_DUPLICATE;
        assert_int_equal(orphans_add(&orphans, record, 2, 20), 0);
        assert_holds(&orphans, 1, (size_t)is_doomed);
        assert_ptr_equal(orphans_find(&orphans, 7, URL), orphan);
        assert_ptr_equal(orphan->record, record);
        assert_int_equal(record->n_refs, 1);
        assert_int_equal(orphan->generation, 2);
        assert_int_equal(orphan->added, 20);
        assert_true(orphan->is_listed);
        orphans_deinit(&orphans);
    }
}

/* One that is to be deleted stays so, whatever is said of it, and the reference is taken all the same. */
static void test_doomed_stays(void **state)
{
    (void)state;
    for (int is_doomed = 0; is_doomed < 2; is_doomed++) {
        Record *record = record_of(7, URL, is_doomed), *before;
        Orphans orphans = {};
        Orphan *orphan;

        add(&orphans, 7, URL, true);
        orphan = orphans_find(&orphans, 7, URL);
        before = orphan->record;
        orphan->retry = 5;
        record_ref(record);
        assert_int_equal(orphans_add(&orphans, record, 2, 20), 0);
        assert_holds(&orphans, 1, 1);
        assert_ptr_equal(orphan->record, before);
        assert_int_equal(record->n_refs, 1);
        assert_int_equal(orphan->generation, 1);
        assert_int_equal(orphan->added, 0);
        assert_int_equal(orphan->retry, 5);
        record_unref(record);
        orphans_deinit(&orphans);
    }
}

static void test_ceiling(void **state)
{
    Record *more = record_of(ORPHANS_MAX + 1, URL, true);
    Orphans orphans = {};

    (void)state;
    for (int64_t id = ORPHANS_MAX; id > 0; id--)
        add(&orphans, id, URL, false);
    assert_holds(&orphans, ORPHANS_MAX, 0);
    assert_int_equal(orphans_add(&orphans, more, 1, 0), ORPHANS_E_FULL);
    assert_int_equal(more->n_refs, 1); /* still ours */
    assert_holds(&orphans, ORPHANS_MAX, 0);
    assert_null(orphans_find(&orphans, more->id, URL));
    /* In place of one that is there it takes no room. */
    add(&orphans, 1, URL, true);
    assert_holds(&orphans, ORPHANS_MAX, 1);
    orphans_remove(&orphans, orphans_find(&orphans, 1, URL));
    assert_int_equal(orphans_add(&orphans, more, 1, 0), 0);
    assert_holds(&orphans, ORPHANS_MAX, 1);
    orphans_deinit(&orphans);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),        cmocka_unit_test(test_add),
        cmocka_unit_test(test_order),        cmocka_unit_test(test_other_url),
        cmocka_unit_test(test_set),          cmocka_unit_test(test_replace),
        cmocka_unit_test(test_doomed_stays), cmocka_unit_test(test_ceiling),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
