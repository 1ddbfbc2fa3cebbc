#include "daemon/entry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "tests/unit/declared.h"

#define NOW 1000

static Entry *make_entry(const char *name)
{
    const char *shared = declared_text(name);
    Entry *entry;

    assert_int_equal(entry_new(shared, NOW, &entry), 0);
    shared_unref(shared);
    return entry;
}

static void test_new(void **state)
{
    _cleanup_(entry_freep) Entry *entry = make_entry("a");

    (void)state;
    assert_string_equal(entry->served.name, "a");
    assert_ptr_equal(entry->served.terms, &terms_none);
    assert_int_equal(entry->wanted, NOW);
    assert_int_equal(entry->due, NOW);
    assert_null(entry_free(NULL));
}

/* All entries at rest have the same work, by which no POST is over. */
static void test_work(void **state)
{
    _cleanup_(entry_freep) Entry *a = make_entry("a");
    _cleanup_(entry_freep) Entry *b = make_entry("b");
    EntryWork *work;

    (void)state;
    assert_ptr_equal(a->work, b->work);
    assert_null(a->work->task);
    assert_null(a->work->problem);
    assert_false(a->work->is_found);
    assert_int_equal(a->work->intent_until, USEC_INFINITY);
    entry_forget_found(a);
    entry_set_problem(a, TROUBLE_NONE, NULL);
    entry_rest(a, NOW);
    assert_ptr_equal(a->work, b->work);

    work = entry_work(a);
    assert_ptr_equal(a->work, work);
    assert_ptr_not_equal(a->work, b->work);
    assert_int_equal(work->intent_until, USEC_INFINITY);
    assert_ptr_equal(entry_work(a), work);
    entry_rest(a, NOW);
    assert_ptr_equal(a->work, b->work);
}

/* Each thing that it has to be kept for, and no longer than that. */
static void test_rest(void **state)
{
    _cleanup_(entry_freep) Entry *entry = make_entry("a");
    EntryWork *at_rest = entry->work, *work;

    (void)state;
    work = entry_work(entry);
    work->is_found = true;
    work->found.token = declared_secret("t");
    entry_rest(entry, NOW);
    assert_ptr_equal(entry->work, work);
    entry_forget_found(entry);
    assert_null(work->found.token);
    entry_rest(entry, NOW);
    assert_ptr_equal(entry->work, at_rest);

    work = entry_work(entry);
    work->duplicates = strdup("7");
    entry_rest(entry, NOW);
    assert_ptr_equal(entry->work, work);
    free(work->duplicates);
    work->duplicates = NULL;
    work->reported = NOW;
    entry_rest(entry, NOW + REPORT_PAUSE_USEC - 1);
    assert_ptr_equal(entry->work, work);
    entry_rest(entry, NOW + REPORT_PAUSE_USEC);
    assert_ptr_equal(entry->work, at_rest);

    /* A POST of which nothing is known; of one that has not gone out all is known. */
    assert_int_equal(record_new("a", &entry->record), 0);
    entry->record->rare->intent = 1;
    work = entry_work(entry);
    work->intent_until = NOW + 5;
    entry_rest(entry, NOW + 10);
    assert_ptr_equal(entry->work, work);
    entry->is_post_unsent = true;
    entry_rest(entry, NOW);
    assert_ptr_equal(entry->work, at_rest);
}

static void test_problem(void **state)
{
    _cleanup_(entry_freep) Entry *entry = make_entry("a");
    char words[] = "no";
    usec_t since;

    (void)state;
    entry_set_problem(entry, TROUBLE_UNREACHABLE, words);
    words[0] = 'g';
    assert_string_equal(entry->work->problem, "no");
    assert_int_equal(entry->work->trouble, TROUBLE_UNREACHABLE);
    assert_true(entry->work->troubled > 0);
    entry_rest(entry, NOW);
    assert_string_equal(entry->work->problem, "no");

    /* The same kind goes on since it began. */
    entry->work->troubled = since = 7;
    entry_set_problem(entry, TROUBLE_UNREACHABLE, words);
    assert_string_equal(entry->work->problem, "go");
    assert_int_equal(entry->work->troubled, since);
    entry_set_problem(entry, TROUBLE_REFUSED, words);
    assert_true(entry->work->troubled > since);

    entry_set_problem(entry, TROUBLE_REFUSED, NULL);
    assert_null(entry->work->problem);
    assert_int_equal(entry->work->trouble, TROUBLE_NONE);
    assert_int_equal(entry->work->troubled, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new),
        cmocka_unit_test(test_work),
        cmocka_unit_test(test_rest),
        cmocka_unit_test(test_problem),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
