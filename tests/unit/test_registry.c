/*
 * The registry: what is declared and what is recorded brought together; and no token served before it is durable.
 */

#include "daemon/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "tests/unit/declared.h"
#include "tests/unit/filled.h"

#define HOUR     (3600 * USEC_PER_SEC)
#define PATIENCE USEC_PER_SEC /* what a test may take between two looks at the wall clock */

/* ---- filling ---- */

static void test_nothing(void **state)
{
    Filled *fixture = *state;

    filled_fill(fixture);
    assert_int_equal(fixture->registry.n_entries, 0);
    assert_null(filled_find(fixture, "a"));
    assert_null(filled_find(fixture, ""));
}

static void test_declared_alone(void **state)
{
    Filled *fixture = *state;
    const Instance *want = filled_declare(fixture, "a");
    const Entry *entry;

    filled_fill(fixture);
    entry = filled_find(fixture, "a");
    assert_ptr_equal(entry->want, want);
    assert_ptr_equal(entry->gate, fixture->gates.items[0]);
    assert_null(entry->record);
    filled_assert_serves(entry, NULL);
    assert_int_equal(entry->wanted, 1);
    assert_int_equal(entry->due, FILLED_NOW);
    assert_string_equal(entry->served.name, "a");
    assert_string_equal(entry->served.terms->element, "jira");
    assert_string_equal(entry->served.terms->account, "default");
    assert_ptr_equal(entry->served.terms, want->terms);
    assert_ptr_equal(entry->served.terms->user, fixture->account->user);
    assert_null(entry->record);
}

/* Kept, and not shown: nobody may have it. */
static void test_recorded_alone(void **state)
{
    Filled *fixture = *state;
    Record *record = filled_add_record(fixture, "a", "t");
    const Entry *entry;

    filled_fill(fixture);
    entry = filled_find(fixture, "a");
    assert_null(entry->want);
    assert_null(entry->gate);
    assert_ptr_equal(entry->record, record);
    assert_ptr_equal(entry->served.terms, &terms_none);
}

/* Every way in which up to four names can be declared, recorded, both or neither; records in any order. */
static void test_merge(void **state)
{
    static const char *const names[] = {"B", "a", "a.b", "ab"};

    (void)state;
    for (unsigned combination = 0; combination < 256; combination++)
        for (int is_reversed = 0; is_reversed < 2; is_reversed++) {
            Filled *fixture;
            unsigned n = 0;

            assert_int_equal(filled_setup((void **)&fixture), 0);
            for (size_t i = 0; i < 4; i++)
                if (combination >> (2 * i) & 1)
                    filled_declare(fixture, names[i]);
            for (size_t i = 0; i < 4; i++) {
                size_t j = is_reversed ? 3 - i : i;

                if (combination >> (2 * j) & 2)
                    filled_add_record(fixture, names[j], names[j]);
            }
            filled_fill(fixture);
            for (size_t i = 0; i < 4; i++) {
                unsigned bits = combination >> (2 * i) & 3;
                const Entry *entry = filled_find(fixture, names[i]);

                assert_int_equal(entry != NULL, bits != 0);
                if (!entry)
                    continue;
                assert_int_equal(entry->index, n);
                assert_ptr_equal(fixture->registry.entries[n++], entry);
                assert_int_equal(entry->want != NULL, bits & 1);
                filled_assert_serves(entry, bits & 2 ? names[i] : NULL);
            }
            assert_int_equal(fixture->registry.n_entries, n);
            filled_teardown((void **)&fixture);
        }
}

/* A document that names one twice: one entry, and nothing is lost of the others. */
static void test_recorded_twice(void **state)
{
    Filled *fixture = *state;

    filled_declare(fixture, "b");
    filled_add_record(fixture, "b", "t");
    filled_add_record(fixture, "c", "u");
    filled_add_record(fixture, "b", "t");
    filled_add_record(fixture, "a", "s");
    filled_add_record(fixture, "b", "t");
    filled_fill(fixture);
    assert_int_equal(fixture->registry.n_entries, 3);
    filled_assert_serves(filled_find(fixture, "a"), "s");
    filled_assert_serves(filled_find(fixture, "b"), "t");
    filled_assert_serves(filled_find(fixture, "c"), "u");
}

/* An id and a token of another platform are no id and token of this one. */
static void test_other_url(void **state)
{
    Filled *fixture = *state;

    filled_declare(fixture, "none");
    filled_declare(fixture, "other");
    filled_declare(fixture, "same");
    filled_add_record(fixture, "none", "t"); /* written before it was kept */
    assert_int_equal(
        record_set_string(&filled_add_record(fixture, "other", "t")->url, "https://example.org/x"),
        0);
    assert_int_equal(record_set_string(&filled_add_record(fixture, "same", "t")->url, FILLED_URL),
                     0);
    assert_int_equal(record_set_string(&filled_add_record(fixture, "undeclared", "t")->url,
                                       "https://example.org/x"),
                     0);
    filled_fill(fixture);
    filled_assert_serves(filled_find(fixture, "none"), "t");
    filled_assert_serves(filled_find(fixture, "other"), NULL);
    assert_true(filled_find(fixture, "other")->is_foreign);
    assert_non_null(
        filled_find(fixture, "other")->record); /* for when the FILLED_URL is put right */
    assert_false(filled_find(fixture, "same")->is_foreign);
    filled_assert_serves(filled_find(fixture, "same"), "t");
    assert_non_null(filled_find(fixture, "undeclared")->record);
}

/* A broken account takes no token away. */
static void test_broken_account(void **state)
{
    Filled *fixture = *state;
    Account *account = declared_add_account(fixture->config, "other", "");

    account->problem = strdup("broken");
    declared_add_instance(fixture->config, "a", "jira", account);
    declared_add_instance(fixture->config, "b", NULL, NULL);
    assert_int_equal(record_set_string(&filled_add_record(fixture, "a", "t")->url, FILLED_URL), 0);
    filled_add_record(fixture, "b", "u");
    filled_fill(fixture);
    assert_null(filled_find(fixture, "a")->gate);
    assert_null(filled_find(fixture, "a")->served.terms->user);
    filled_assert_serves(filled_find(fixture, "a"), "t");
    assert_null(filled_find(fixture, "b")->gate);
    assert_string_equal(served_element(&filled_find(fixture, "b")->served), "");
    filled_assert_serves(filled_find(fixture, "b"), "u");
}

static bool has_intent(const Entry *entry)
{
    return entry->record && entry->record->rare->intent != 0;
}

/* The record may be missing because it was lost: a POST may have gone out for it, and the next run must know that too. */
static void test_recovered(void **state)
{
    static const struct {
        bool is_recovered;
        unsigned n_broken;
        bool new_is_suspect, known_is_suspect;
    } rows[] = {
        {false, 0, false, false},
        {true, 0, true, true}, /* an older document: what is in it may have changed since */
        {false, 1, true,
         false}, /* the newest, with a record that could not be read: whose is not known */
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        Filled *fixture;

        assert_int_equal(filled_setup((void **)&fixture), 0);
        fixture->load.is_recovered = rows[i].is_recovered;
        fixture->load.n_broken = rows[i].n_broken;
        filled_declare(fixture, "known");
        filled_declare(fixture, "new");
        filled_add_record(fixture, "known", "t");
        filled_fill(fixture);
        assert_int_equal(has_intent(filled_find(fixture, "new")), rows[i].new_is_suspect);
        assert_int_equal(has_intent(filled_find(fixture, "known")), rows[i].known_is_suspect);
        assert_int_equal(fixture->registry.has_changes,
                         rows[i].new_is_suspect || rows[i].known_is_suspect);
        filled_teardown((void **)&fixture);
    }
}

/* ---- times of an earlier run ---- */

static void test_retry_is_restored(void **state)
{
    Filled *fixture = *state;
    usec_t realtime = clock_realtime();
    Record *record;

    filled_declare(fixture, "a");
    record = filled_add_record(fixture, "a", NULL); /* due in 3 s */
    record->rare->delay = 5 * USEC_PER_SEC;
    record->rare->retry = realtime + 3 * USEC_PER_SEC;
    filled_declare(fixture, "b");
    record = filled_add_record(fixture, "b", NULL); /* the wall clock was set back by a year */
    record->rare->delay = 5 * USEC_PER_SEC;
    record->rare->retry = realtime + 365 * 24 * HOUR;
    filled_declare(fixture, "c");
    record = filled_add_record(fixture, "c", NULL); /* long over */
    record->rare->delay = 5 * USEC_PER_SEC;
    record->rare->retry = 1;
    filled_declare(fixture, "d");
    filled_add_record(fixture, "d", NULL);
    filled_fill(fixture);
    assert_in_range(filled_find(fixture, "a")->retry, FILLED_NOW + 3 * USEC_PER_SEC - PATIENCE,
                    FILLED_NOW + 3 * USEC_PER_SEC);
    assert_int_equal(filled_find(fixture, "b")->retry, FILLED_NOW + 5 * USEC_PER_SEC);
    /* The next run goes on with it instead of waiting for all of it again. */
    assert_in_range(filled_find(fixture, "b")->record->rare->retry, realtime + 5 * USEC_PER_SEC,
                    realtime + 5 * USEC_PER_SEC + PATIENCE);
    assert_int_equal(filled_find(fixture, "c")->retry, FILLED_NOW);
    assert_int_equal(filled_find(fixture, "d")->retry, 0);
}

static void test_verify_is_restored(void **state)
{
    Filled *fixture = *state;
    usec_t realtime = clock_realtime();

    filled_declare(fixture, "future");
    filled_declare(fixture, "just");
    filled_declare(fixture, "never");
    filled_declare(fixture, "overdue");
    filled_add_record(fixture, "future", "t")->verified = realtime + 365 * 24 * HOUR;
    filled_add_record(fixture, "just", "t")->verified = realtime - HOUR / 2;
    filled_add_record(fixture, "never", "t");
    filled_add_record(fixture, "overdue", "t")->verified = 1;
    filled_fill(fixture);
    /* As one that is overdue: with the whole interval again at each start it would never come. */
    assert_in_range(filled_find(fixture, "future")->verify, FILLED_NOW, FILLED_NOW + HOUR / 10);
    assert_in_range(filled_find(fixture, "just")->verify, FILLED_NOW + HOUR / 2 - PATIENCE,
                    FILLED_NOW + HOUR / 2);
    assert_int_equal(filled_find(fixture, "never")->verify, FILLED_NOW);
    assert_in_range(filled_find(fixture, "overdue")->verify, FILLED_NOW, FILLED_NOW + HOUR / 10);
}

/* ---- finding ---- */

static void test_find(void **state)
{
    static const char *const names[] = {"0", "A", "a", "a-b", "a.b", "ab", "abc", "b", "zz"};
    static const char *const others[] = {"", "1", "aa", "a.", "a.bc", "abcd", "B", "z", "zzz", "~"};
    Filled *fixture = *state;

    for (size_t i = 0; i < N_ELEMENTS(names); i++)
        filled_declare(fixture, names[i]);
    filled_fill(fixture);
    for (size_t i = 0; i < N_ELEMENTS(names); i++) {
        const Entry *entry = filled_find(fixture, names[i]);

        assert_non_null(entry);
        assert_string_equal(entry->served.name, names[i]);
    }
    for (size_t i = 0; i < N_ELEMENTS(others); i++)
        assert_null(filled_find(fixture, others[i]));
    /* By its size, not by a NUL that may not be there. */
    assert_string_equal(registry_find(&fixture->registry, "abcdef", 3)->served.name, "abc");
    assert_string_equal(registry_find(&fixture->registry, "abcdef", 1)->served.name, "a");
    assert_null(registry_find(&fixture->registry, "abcdef", 0));
    /* A NUL is no end of a name that somebody asks for. */
    assert_null(registry_find(&fixture->registry, "a\0", 2));
    assert_null(registry_find(&fixture->registry, "a\0b", 3));
    assert_null(registry_find(&fixture->registry, "zz\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20));
    assert_null(registry_find(&fixture->registry, "\0", 1));
}

/* ---- what is durable ---- */

static void test_token_waits_for_its_commit(void **state)
{
    Filled *fixture = *state;
    Registry *registry = &fixture->registry;
    uint64_t generation;
    Entry *entry;

    filled_declare(fixture, "a");
    filled_fill(fixture);
    entry = filled_find(fixture, "a");
    assert_true(registry_is_durable(registry, entry));
    assert_false(registry->has_changes);

    registry_put(registry, entry, filled_record("a", "t"), true);
    assert_true(registry->has_changes);
    assert_false(registry_is_durable(registry, entry));
    filled_assert_serves(entry, NULL);
    generation = filled_begin_commit(fixture);
    assert_false(registry->has_changes);
    filled_assert_serves(entry, NULL);
    registry_committed(registry, generation);
    assert_true(registry_is_durable(registry, entry));
    filled_assert_serves(entry, "t");
}

/* A token that came while a commit was under way is not in it. */
static void test_token_behind_a_commit(void **state)
{
    Filled *fixture = *state;
    Registry *registry = &fixture->registry;
    uint64_t first, second;
    Entry *entry;

    filled_declare(fixture, "a");
    filled_fill(fixture);
    entry = filled_find(fixture, "a");
    registry_put(registry, entry, filled_record("a", "t1"), true);
    first = filled_begin_commit(fixture);
    registry_put(registry, entry, filled_record("a", "t2"), true);
    assert_true(registry->has_changes);
    registry_committed(registry, first);
    assert_false(registry_is_durable(registry, entry));
    filled_assert_serves(entry, NULL);
    second = filled_begin_commit(fixture);
    assert_int_equal(second, first + 1);
    registry_committed(registry, second);
    assert_true(registry_is_durable(registry, entry));
    filled_assert_serves(entry, "t2");
}

/* The old one is served until the new one is durable. */
static void test_token_changes(void **state)
{
    Filled *fixture = *state;
    Registry *registry = &fixture->registry;
    Entry *entry;

    filled_declare(fixture, "a");
    filled_add_record(fixture, "a", "old");
    filled_fill(fixture);
    entry = filled_find(fixture, "a");
    filled_assert_serves(entry, "old");
    registry_put(registry, entry, filled_record("a", "new"), true);
    filled_assert_serves(entry, "old");
    registry_committed(registry, filled_begin_commit(fixture));
    filled_assert_serves(entry, "new");
}

/* A commit that failed makes nothing durable; the next one brings all of it. */
static void test_commit_fails(void **state)
{
    Filled *fixture = *state;
    Registry *registry = &fixture->registry;
    uint64_t generation;
    Entry *a, *b;

    filled_declare(fixture, "a");
    filled_declare(fixture, "b");
    filled_fill(fixture);
    a = filled_find(fixture, "a");
    b = filled_find(fixture, "b");
    registry_put(registry, a, filled_record("a", "ta"), true);
    (void)filled_begin_commit(fixture);
    registry_not_committed(registry);
    assert_true(registry->has_changes);
    assert_false(registry_is_durable(registry, a));
    filled_assert_serves(a, NULL);
    registry_put(registry, b, filled_record("b", "tb"), true);
    generation = filled_begin_commit(fixture);
    assert_int_equal(generation, 2);
    registry_committed(registry, generation);
    filled_assert_serves(a, "ta");
    filled_assert_serves(b, "tb");
}

/* A token that is gone is gone at once, and does not come back with a commit of before. */
static void test_token_goes(void **state)
{
    Filled *fixture = *state;
    Registry *registry = &fixture->registry;
    uint64_t first;
    Entry *entry;

    filled_declare(fixture, "a");
    filled_fill(fixture);
    entry = filled_find(fixture, "a");
    registry_put(registry, entry, filled_record("a", "t"), true);
    first = filled_begin_commit(fixture);
    registry_put(registry, entry, filled_record("a", NULL), true);
    registry_committed(registry, first);
    filled_assert_serves(entry, NULL);
    assert_false(registry_is_durable(registry, entry));
    registry_committed(registry, filled_begin_commit(fixture));
    filled_assert_serves(entry, NULL);
    assert_true(registry_is_durable(registry, entry));
    /* One that is served. */
    for (int is_record = 0; is_record < 2; is_record++) {
        registry_put(registry, entry, filled_record("a", "t"), true);
        registry_committed(registry, filled_begin_commit(fixture));
        filled_assert_serves(entry, "t");
        registry_put(registry, entry, is_record ? filled_record("a", NULL) : NULL, true);
        filled_assert_serves(entry, NULL);
    }
}

/* What need not be durable asks for no commit, and goes with the next. */
static void test_not_urgent(void **state)
{
    Filled *fixture = *state;
    Registry *registry = &fixture->registry;
    Snapshot snapshot = {};
    Record *record;
    Entry *entry;

    filled_declare(fixture, "a");
    filled_add_record(fixture, "a", "t");
    filled_fill(fixture);
    entry = filled_find(fixture, "a");
    record = filled_record("a", "t");
    record->verified = 7;
    registry_put(registry, entry, record, false);
    assert_false(registry->has_changes);
    assert_true(registry_is_durable(registry, entry));
    filled_assert_serves(entry, "t");
    assert_int_equal(registry_snapshot(registry, &snapshot), 1);
    assert_int_equal(snapshot.n_records, 1);
    assert_ptr_equal(snapshot.records[0], record);
    assert_int_equal(record->n_refs, 2);
    snapshot_deinit(&snapshot);
    /* Behind an urgent one it takes nothing of its urgency away. */
    registry_put(registry, entry, filled_record("a", "new"), true);
    registry_put(registry, entry, filled_record("a", "new"), false);
    assert_true(registry->has_changes);
    assert_false(registry_is_durable(registry, entry));
    filled_assert_serves(entry, "t");
}

/* Entries without a record are in no snapshot; those that are not declared are. */
static void test_snapshot(void **state)
{
    Filled *fixture = *state;
    Snapshot snapshot = {};

    filled_declare(fixture, "a");
    filled_add_record(fixture, "b", "t");
    filled_fill(fixture);
    assert_int_equal(registry_snapshot(&fixture->registry, &snapshot), 1);
    assert_int_equal(snapshot.n_records, 1);
    assert_string_equal(snapshot.records[0]->name, "b");
    snapshot_deinit(&snapshot);
}

/* ---- what clients see ---- */

static void test_publish(void **state)
{
    Filled *fixture = *state;
    Plan plan = {.state = SERVED_PENDING};
    char words[] = "no";
    const TroubleNote none = {}, problem = {TROUBLE_DISK_FULL, words, 0},
                      old = {TROUBLE_DISK_FULL, words, 7};
    Record *record;
    Entry *entry;
    usec_t since;

    filled_declare(fixture, "a");
    filled_fill(fixture);
    entry = filled_find(fixture, "a");
    assert_false(registry_publish(entry, &plan, &none, FILLED_NOW));

    /* A state, and since when. */
    entry->served.since = since = 1;
    plan.state = SERVED_LOOKING_UP;
    assert_true(registry_publish(entry, &plan, &none, FILLED_NOW));
    assert_int_equal(entry->served.state, SERVED_LOOKING_UP);
    assert_true(entry->served.since > since);
    since = entry->served.since;
    assert_false(registry_publish(entry, &plan, &none, FILLED_NOW));
    assert_int_equal(entry->served.since, since);

    /* A problem, of which it keeps a copy. */
    assert_true(registry_publish(entry, &plan, &problem, FILLED_NOW));
    assert_false(registry_publish(entry, &plan, &problem, FILLED_NOW));
    assert_in_range(entry->served.problem->since, since, clock_realtime());
    since = entry->served.problem->since;
    words[0] = 'g';
    assert_string_equal(entry->served.problem->words, "no");
    assert_true(registry_publish(entry, &plan, &problem, FILLED_NOW));
    assert_string_equal(entry->served.problem->words, "go");
    assert_int_equal(entry->served.problem->trouble, TROUBLE_DISK_FULL);
    assert_int_equal(entry->served.problem->since, since);
    assert_true(registry_publish(entry, &plan, &none, FILLED_NOW));
    assert_null(entry->served.problem);
    assert_true(registry_publish(entry, &plan, &old, FILLED_NOW));
    assert_int_equal(entry->served.problem->since, 7);
    assert_true(registry_publish(entry, &plan, &none, FILLED_NOW));

    /* A next try, on the wall clock; a time at which only to look again is none. */
    plan.due = FILLED_NOW + 5 * USEC_PER_SEC;
    assert_false(registry_publish(entry, &plan, &none, FILLED_NOW));
    assert_int_equal(entry->served.retry, 0);
    plan.is_retry = true;
    assert_true(registry_publish(entry, &plan, &none, FILLED_NOW));
    assert_in_range(entry->served.retry, clock_realtime() + 5 * USEC_PER_SEC - PATIENCE,
                    clock_realtime() + 5 * USEC_PER_SEC);
    plan.is_retry = false;
    assert_true(registry_publish(entry, &plan, &none, FILLED_NOW));

    /* A token, once. */
    registry_put(&fixture->registry, entry, filled_record("a", "t"), true);
    assert_false(registry_publish(entry, &plan, &none, FILLED_NOW));
    registry_committed(&fixture->registry, filled_begin_commit(fixture));
    assert_true(registry_publish(entry, &plan, &none, FILLED_NOW));
    assert_false(registry_publish(entry, &plan, &none, FILLED_NOW));

    /* What the record says. */
    record = filled_record("a", "t");
    record->verified = 7;
    record->rare->attempts = 3;
    registry_put(&fixture->registry, entry, record, false);
    assert_true(registry_publish(entry, &plan, &none, FILLED_NOW));
    assert_int_equal(entry->served.verified, 7);
    assert_int_equal(entry->served.attempts, 3);
    assert_false(registry_publish(entry, &plan, &none, FILLED_NOW));
}

static void test_count(void **state)
{
    Filled *fixture = *state;
    unsigned counts[SERVED_N_STATES];

    filled_declare(fixture, "a");
    filled_declare(fixture, "b");
    filled_add_record(fixture, "c", "t");
    filled_fill(fixture);
    filled_find(fixture, "b")->served.state = SERVED_READY;
    filled_find(fixture, "c")->served.state = SERVED_READY;
    registry_count(&fixture->registry, counts);
    for (size_t i = 0; i < SERVED_N_STATES; i++)
        assert_int_equal(counts[i], i == SERVED_PENDING || i == SERVED_READY ? 1 : 0);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, filled_setup, filled_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_nothing),
        TEST(test_declared_alone),
        TEST(test_recorded_alone),
        cmocka_unit_test(test_merge),
        TEST(test_recorded_twice),
        TEST(test_other_url),
        TEST(test_broken_account),
        cmocka_unit_test(test_recovered),
        TEST(test_retry_is_restored),
        TEST(test_verify_is_restored),
        TEST(test_find),
        TEST(test_token_waits_for_its_commit),
        TEST(test_token_behind_a_commit),
        TEST(test_token_changes),
        TEST(test_commit_fails),
        TEST(test_token_goes),
        TEST(test_not_urgent),
        TEST(test_snapshot),
        TEST(test_publish),
        TEST(test_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
