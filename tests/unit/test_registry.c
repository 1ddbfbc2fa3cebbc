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

#define NOW      (1000 * USEC_PER_SEC)
#define URL      "https://example.com/elements/api-v2"
#define HOUR     (3600 * USEC_PER_SEC)
#define PATIENCE USEC_PER_SEC /* what a test may take between two looks at the wall clock */

typedef struct Fixture {
    Config *config;
    const Account *account;
    StoreLoad load;
    Gates gates;
    Registry registry;
} Fixture;

static int setup(void **state)
{
    Fixture *fixture = calloc(1, sizeof(*fixture));

    fixture->config = declared_new();
    fixture->account = declared_add_account(fixture->config, "default", URL);
    registry_init(&fixture->registry);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    Fixture *fixture = *state;

    registry_deinit(&fixture->registry);
    gates_deinit(&fixture->gates);
    store_load_deinit(&fixture->load);
    config_unref(fixture->config);
    free(fixture);
    return 0;
}

/* ---- pieces ---- */

static Instance *declare(Fixture *fixture, const char *name)
{
    return declared_add_instance(fixture->config, name, "jira", fixture->account);
}

/* A record, with a token unless that is NULL; the caller may change it until it is handed over. */
static Record *record_of(const char *name, const char *token)
{
    Record *record;

    assert_int_equal(record_new(name, &record), 0);
    if (token) {
        record->id = 42;
        record->token = declared_secret(token);
    }
    return record;
}

static Record *recorded(Fixture *fixture, const char *name, const char *token)
{
    Snapshot *snapshot = &fixture->load.snapshot;
    Record *record = record_of(name, token);

    snapshot->records = reallocarray(snapshot->records, snapshot->n_records + 1,
                                     sizeof(*snapshot->records));
    snapshot->records[snapshot->n_records++] = record;
    return record;
}

static void fill(Fixture *fixture)
{
    assert_int_equal(gates_apply(&fixture->gates, fixture->config), 0);
    assert_int_equal(
        registry_fill(&fixture->registry, fixture->config, &fixture->load, &fixture->gates, NOW),
        0);
}

static Entry *find(const Fixture *fixture, const char *name)
{
    return registry_find(&fixture->registry, name, strlen(name));
}

static void assert_serves(const Entry *entry, const char *token)
{
    assert_ptr_equal(entry->served.token, entry->token);
    if (!token) {
        assert_null(entry->token);
        assert_int_equal(entry->served.id, 0);
        return;
    }
    assert_non_null(entry->token);
    assert_string_equal(secret_reveal(entry->token), token);
    assert_int_equal(entry->served.id, 42);
}

/* Ends a generation, as a commit does that begins. */
static uint64_t begin_commit(Fixture *fixture)
{
    Snapshot snapshot = {};
    uint64_t generation = registry_snapshot(&fixture->registry, &snapshot);

    assert_true(generation > 0);
    snapshot_deinit(&snapshot);
    return generation;
}

/* ---- filling ---- */

static void test_nothing(void **state)
{
    Fixture *fixture = *state;

    fill(fixture);
    assert_int_equal(fixture->registry.n_entries, 0);
    assert_null(find(fixture, "a"));
    assert_null(find(fixture, ""));
}

static void test_declared_alone(void **state)
{
    Fixture *fixture = *state;
    const Instance *want = declare(fixture, "a");
    const Entry *entry;

    fill(fixture);
    entry = find(fixture, "a");
    assert_ptr_equal(entry->want, want);
    assert_ptr_equal(entry->gate, fixture->gates.items[0]);
    assert_null(entry->record);
    assert_serves(entry, NULL);
    assert_int_equal(entry->wanted, NOW);
    assert_int_equal(entry->due, NOW);
    assert_int_equal(entry->intent_until, NOW + 120 * USEC_PER_SEC);
    assert_string_equal(entry->served.name, "a");
    assert_string_equal(entry->served.element, "jira");
    assert_string_equal(entry->served.account, "default");
    assert_ptr_equal(entry->served.allow, &want->allow);
    assert_ptr_equal(entry->served.user, fixture->account->user);
    assert_null(entry->record);
}

/* Kept, and not shown: nobody may have it. */
static void test_recorded_alone(void **state)
{
    Fixture *fixture = *state;
    Record *record = recorded(fixture, "a", "t");
    const Entry *entry;

    fill(fixture);
    entry = find(fixture, "a");
    assert_null(entry->want);
    assert_null(entry->gate);
    assert_ptr_equal(entry->record, record);
    assert_int_equal(entry->served.allow->n_entries, 0);
    assert_int_equal(entry->served.allow_authorization->n_entries, 0);
    assert_null(entry->served.user);
    assert_null(entry->served.organization);
}

/* Every way in which up to four names can be declared, recorded, both or neither; records in any order. */
static void test_merge(void **state)
{
    static const char *const names[] = {"B", "a", "a.b", "ab"};

    (void)state;
    for (unsigned combination = 0; combination < 256; combination++)
        for (int is_reversed = 0; is_reversed < 2; is_reversed++) {
            Fixture *fixture;
            unsigned n = 0;

            assert_int_equal(setup((void **)&fixture), 0);
            for (size_t i = 0; i < 4; i++)
                if (combination >> (2 * i) & 1)
                    declare(fixture, names[i]);
            for (size_t i = 0; i < 4; i++) {
                size_t j = is_reversed ? 3 - i : i;

                if (combination >> (2 * j) & 2)
                    recorded(fixture, names[j], names[j]);
            }
            fill(fixture);
            for (size_t i = 0; i < 4; i++) {
                unsigned bits = combination >> (2 * i) & 3;
                const Entry *entry = find(fixture, names[i]);

                assert_int_equal(entry != NULL, bits != 0);
                if (!entry)
                    continue;
                assert_int_equal(entry->index, n);
                assert_ptr_equal(fixture->registry.entries[n++], entry);
                assert_int_equal(entry->want != NULL, bits & 1);
                assert_serves(entry, bits & 2 ? names[i] : NULL);
            }
            assert_int_equal(fixture->registry.n_entries, n);
            teardown((void **)&fixture);
        }
}

/* A document that names one twice: one entry, and nothing is lost of the others. */
static void test_recorded_twice(void **state)
{
    Fixture *fixture = *state;

    declare(fixture, "b");
    recorded(fixture, "b", "t");
    recorded(fixture, "c", "u");
    recorded(fixture, "b", "t");
    recorded(fixture, "a", "s");
    recorded(fixture, "b", "t");
    fill(fixture);
    assert_int_equal(fixture->registry.n_entries, 3);
    assert_serves(find(fixture, "a"), "s");
    assert_serves(find(fixture, "b"), "t");
    assert_serves(find(fixture, "c"), "u");
}

/* An id and a token of another platform are no id and token of this one. */
static void test_other_url(void **state)
{
    Fixture *fixture = *state;

    declare(fixture, "none");
    declare(fixture, "other");
    declare(fixture, "same");
    recorded(fixture, "none", "t"); /* written before it was kept */
    assert_int_equal(
        record_set_string(&recorded(fixture, "other", "t")->url, "https://example.org/x"), 0);
    assert_int_equal(record_set_string(&recorded(fixture, "same", "t")->url, URL), 0);
    assert_int_equal(
        record_set_string(&recorded(fixture, "undeclared", "t")->url, "https://example.org/x"), 0);
    fill(fixture);
    assert_serves(find(fixture, "none"), "t");
    assert_serves(find(fixture, "other"), NULL);
    assert_true(find(fixture, "other")->is_foreign);
    assert_non_null(find(fixture, "other")->record); /* for when the URL is put right */
    assert_false(find(fixture, "same")->is_foreign);
    assert_serves(find(fixture, "same"), "t");
    assert_non_null(find(fixture, "undeclared")->record);
}

/* A broken account takes no token away. */
static void test_broken_account(void **state)
{
    Fixture *fixture = *state;
    Account *account = declared_add_account(fixture->config, "other", "");

    account->problem = strdup("broken");
    declared_add_instance(fixture->config, "a", "jira", account);
    declared_add_instance(fixture->config, "b", NULL, NULL);
    assert_int_equal(record_set_string(&recorded(fixture, "a", "t")->url, URL), 0);
    recorded(fixture, "b", "u");
    fill(fixture);
    assert_null(find(fixture, "a")->gate);
    assert_null(find(fixture, "a")->served.user);
    assert_serves(find(fixture, "a"), "t");
    assert_null(find(fixture, "b")->gate);
    assert_string_equal(find(fixture, "b")->served.element, "");
    assert_serves(find(fixture, "b"), "u");
}

static bool has_intent(const Entry *entry)
{
    return entry->record && entry->record->intent != 0;
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
        Fixture *fixture;

        assert_int_equal(setup((void **)&fixture), 0);
        fixture->load.is_recovered = rows[i].is_recovered;
        fixture->load.n_broken = rows[i].n_broken;
        declare(fixture, "known");
        declare(fixture, "new");
        recorded(fixture, "known", "t");
        fill(fixture);
        assert_int_equal(has_intent(find(fixture, "new")), rows[i].new_is_suspect);
        assert_int_equal(has_intent(find(fixture, "known")), rows[i].known_is_suspect);
        assert_int_equal(fixture->registry.has_changes,
                         rows[i].new_is_suspect || rows[i].known_is_suspect);
        teardown((void **)&fixture);
    }
}

/* ---- times of an earlier run ---- */

static void test_retry_is_restored(void **state)
{
    Fixture *fixture = *state;
    usec_t realtime = clock_realtime();
    Record *record;

    declare(fixture, "a");
    record = recorded(fixture, "a", NULL); /* due in 3 s */
    record->delay = 5 * USEC_PER_SEC;
    record->retry = realtime + 3 * USEC_PER_SEC;
    declare(fixture, "b");
    record = recorded(fixture, "b", NULL); /* the wall clock was set back by a year */
    record->delay = 5 * USEC_PER_SEC;
    record->retry = realtime + 365 * 24 * HOUR;
    declare(fixture, "c");
    record = recorded(fixture, "c", NULL); /* long over */
    record->delay = 5 * USEC_PER_SEC;
    record->retry = 1;
    declare(fixture, "d");
    recorded(fixture, "d", NULL);
    fill(fixture);
    assert_in_range(find(fixture, "a")->retry, NOW + 3 * USEC_PER_SEC - PATIENCE,
                    NOW + 3 * USEC_PER_SEC);
    assert_int_equal(find(fixture, "b")->retry, NOW + 5 * USEC_PER_SEC);
    /* The next run goes on with it instead of waiting for all of it again. */
    assert_in_range(find(fixture, "b")->record->retry, realtime + 5 * USEC_PER_SEC,
                    realtime + 5 * USEC_PER_SEC + PATIENCE);
    assert_int_equal(find(fixture, "c")->retry, NOW);
    assert_int_equal(find(fixture, "d")->retry, 0);
}

static void test_verify_is_restored(void **state)
{
    Fixture *fixture = *state;
    usec_t realtime = clock_realtime();

    declare(fixture, "future");
    declare(fixture, "just");
    declare(fixture, "never");
    declare(fixture, "overdue");
    recorded(fixture, "future", "t")->verified = realtime + 365 * 24 * HOUR;
    recorded(fixture, "just", "t")->verified = realtime - HOUR / 2;
    recorded(fixture, "never", "t");
    recorded(fixture, "overdue", "t")->verified = 1;
    fill(fixture);
    /* As one that is overdue: with the whole interval again at each start it would never come. */
    assert_in_range(find(fixture, "future")->verify, NOW, NOW + HOUR / 10);
    assert_in_range(find(fixture, "just")->verify, NOW + HOUR / 2 - PATIENCE, NOW + HOUR / 2);
    assert_int_equal(find(fixture, "never")->verify, NOW);
    assert_in_range(find(fixture, "overdue")->verify, NOW, NOW + HOUR / 10);
}

/* ---- finding ---- */

static void test_find(void **state)
{
    static const char *const names[] = {"0", "A", "a", "a-b", "a.b", "ab", "abc", "b", "zz"};
    static const char *const others[] = {"", "1", "aa", "a.", "a.bc", "abcd", "B", "z", "zzz", "~"};
    Fixture *fixture = *state;

    for (size_t i = 0; i < N_ELEMENTS(names); i++)
        declare(fixture, names[i]);
    fill(fixture);
    for (size_t i = 0; i < N_ELEMENTS(names); i++) {
        const Entry *entry = find(fixture, names[i]);

        assert_non_null(entry);
        assert_string_equal(entry->name, names[i]);
    }
    for (size_t i = 0; i < N_ELEMENTS(others); i++)
        assert_null(find(fixture, others[i]));
    /* By its size, not by a NUL that may not be there. */
    assert_string_equal(registry_find(&fixture->registry, "abcdef", 3)->name, "abc");
    assert_string_equal(registry_find(&fixture->registry, "abcdef", 1)->name, "a");
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
    Fixture *fixture = *state;
    Registry *registry = &fixture->registry;
    uint64_t generation;
    Entry *entry;

    declare(fixture, "a");
    fill(fixture);
    entry = find(fixture, "a");
    assert_true(registry_is_durable(registry, entry));
    assert_false(registry->has_changes);

    registry_put(registry, entry, record_of("a", "t"), true);
    assert_true(registry->has_changes);
    assert_false(registry_is_durable(registry, entry));
    assert_serves(entry, NULL);
    generation = begin_commit(fixture);
    assert_false(registry->has_changes);
    assert_serves(entry, NULL);
    registry_committed(registry, generation);
    assert_true(registry_is_durable(registry, entry));
    assert_serves(entry, "t");
}

/* A token that came while a commit was under way is not in it. */
static void test_token_behind_a_commit(void **state)
{
    Fixture *fixture = *state;
    Registry *registry = &fixture->registry;
    uint64_t first, second;
    Entry *entry;

    declare(fixture, "a");
    fill(fixture);
    entry = find(fixture, "a");
    registry_put(registry, entry, record_of("a", "t1"), true);
    first = begin_commit(fixture);
    registry_put(registry, entry, record_of("a", "t2"), true);
    assert_true(registry->has_changes);
    registry_committed(registry, first);
    assert_false(registry_is_durable(registry, entry));
    assert_serves(entry, NULL);
    second = begin_commit(fixture);
    assert_int_equal(second, first + 1);
    registry_committed(registry, second);
    assert_true(registry_is_durable(registry, entry));
    assert_serves(entry, "t2");
}

/* The old one is served until the new one is durable. */
static void test_token_changes(void **state)
{
    Fixture *fixture = *state;
    Registry *registry = &fixture->registry;
    Entry *entry;

    declare(fixture, "a");
    recorded(fixture, "a", "old");
    fill(fixture);
    entry = find(fixture, "a");
    assert_serves(entry, "old");
    registry_put(registry, entry, record_of("a", "new"), true);
    assert_serves(entry, "old");
    registry_committed(registry, begin_commit(fixture));
    assert_serves(entry, "new");
}

/* A commit that failed makes nothing durable; the next one brings all of it. */
static void test_commit_fails(void **state)
{
    Fixture *fixture = *state;
    Registry *registry = &fixture->registry;
    uint64_t generation;
    Entry *a, *b;

    declare(fixture, "a");
    declare(fixture, "b");
    fill(fixture);
    a = find(fixture, "a");
    b = find(fixture, "b");
    registry_put(registry, a, record_of("a", "ta"), true);
    (void)begin_commit(fixture);
    registry_not_committed(registry);
    assert_true(registry->has_changes);
    assert_false(registry_is_durable(registry, a));
    assert_serves(a, NULL);
    registry_put(registry, b, record_of("b", "tb"), true);
    generation = begin_commit(fixture);
    assert_int_equal(generation, 2);
    registry_committed(registry, generation);
    assert_serves(a, "ta");
    assert_serves(b, "tb");
}

/* A token that is gone is gone at once, and does not come back with a commit of before. */
static void test_token_goes(void **state)
{
    Fixture *fixture = *state;
    Registry *registry = &fixture->registry;
    uint64_t first;
    Entry *entry;

    declare(fixture, "a");
    fill(fixture);
    entry = find(fixture, "a");
    registry_put(registry, entry, record_of("a", "t"), true);
    first = begin_commit(fixture);
    registry_put(registry, entry, record_of("a", NULL), true);
    registry_committed(registry, first);
    assert_serves(entry, NULL);
    assert_false(registry_is_durable(registry, entry));
    registry_committed(registry, begin_commit(fixture));
    assert_serves(entry, NULL);
    assert_true(registry_is_durable(registry, entry));
    /* One that is served. */
    for (int is_record = 0; is_record < 2; is_record++) {
        registry_put(registry, entry, record_of("a", "t"), true);
        registry_committed(registry, begin_commit(fixture));
        assert_serves(entry, "t");
        registry_put(registry, entry, is_record ? record_of("a", NULL) : NULL, true);
        assert_serves(entry, NULL);
    }
}

/* What need not be durable asks for no commit, and goes with the next. */
static void test_not_urgent(void **state)
{
    Fixture *fixture = *state;
    Registry *registry = &fixture->registry;
    Snapshot snapshot = {};
    Record *record;
    Entry *entry;

    declare(fixture, "a");
    recorded(fixture, "a", "t");
    fill(fixture);
    entry = find(fixture, "a");
    record = record_of("a", "t");
    record->verified = 7;
    registry_put(registry, entry, record, false);
    assert_false(registry->has_changes);
    assert_true(registry_is_durable(registry, entry));
    assert_serves(entry, "t");
    assert_int_equal(registry_snapshot(registry, &snapshot), 1);
    assert_int_equal(snapshot.n_records, 1);
    assert_ptr_equal(snapshot.records[0], record);
    assert_int_equal(record->n_refs, 2);
    snapshot_deinit(&snapshot);
    /* Behind an urgent one it takes nothing of its urgency away. */
    registry_put(registry, entry, record_of("a", "new"), true);
    registry_put(registry, entry, record_of("a", "new"), false);
    assert_true(registry->has_changes);
    assert_false(registry_is_durable(registry, entry));
    assert_serves(entry, "t");
}

/* Entries without a record are in no snapshot; those that are not declared are. */
static void test_snapshot(void **state)
{
    Fixture *fixture = *state;
    Snapshot snapshot = {};

    declare(fixture, "a");
    recorded(fixture, "b", "t");
    fill(fixture);
    assert_int_equal(registry_snapshot(&fixture->registry, &snapshot), 1);
    assert_int_equal(snapshot.n_records, 1);
    assert_string_equal(snapshot.records[0]->name, "b");
    snapshot_deinit(&snapshot);
}

/* ---- what clients see ---- */

static void test_publish(void **state)
{
    Fixture *fixture = *state;
    Plan plan = {.state = SERVED_PENDING};
    char problem[] = "no";
    Record *record;
    Entry *entry;
    usec_t since;

    declare(fixture, "a");
    fill(fixture);
    entry = find(fixture, "a");
    assert_false(registry_publish(entry, &plan, NULL, NOW));

    /* A state, and since when. */
    entry->served.since = since = 1;
    plan.state = SERVED_LOOKING_UP;
    assert_true(registry_publish(entry, &plan, NULL, NOW));
    assert_int_equal(entry->served.state, SERVED_LOOKING_UP);
    assert_true(entry->served.since > since);
    since = entry->served.since;
    assert_false(registry_publish(entry, &plan, NULL, NOW));
    assert_int_equal(entry->served.since, since);

    /* A problem, of which it keeps a copy. */
    assert_true(registry_publish(entry, &plan, problem, NOW));
    assert_false(registry_publish(entry, &plan, problem, NOW));
    problem[0] = 'g';
    assert_string_equal(entry->served.problem, "no");
    assert_true(registry_publish(entry, &plan, problem, NOW));
    assert_string_equal(entry->served.problem, "go");
    assert_true(registry_publish(entry, &plan, NULL, NOW));
    assert_null(entry->served.problem);

    /* A next try, on the wall clock; a time at which only to look again is none. */
    plan.due = NOW + 5 * USEC_PER_SEC;
    assert_false(registry_publish(entry, &plan, NULL, NOW));
    assert_int_equal(entry->served.retry, 0);
    plan.is_retry = true;
    assert_true(registry_publish(entry, &plan, NULL, NOW));
    assert_in_range(entry->served.retry, clock_realtime() + 5 * USEC_PER_SEC - PATIENCE,
                    clock_realtime() + 5 * USEC_PER_SEC);
    plan.is_retry = false;
    assert_true(registry_publish(entry, &plan, NULL, NOW));

    /* A token, once. */
    registry_put(&fixture->registry, entry, record_of("a", "t"), true);
    assert_false(registry_publish(entry, &plan, NULL, NOW));
    registry_committed(&fixture->registry, begin_commit(fixture));
    assert_true(registry_publish(entry, &plan, NULL, NOW));
    assert_false(registry_publish(entry, &plan, NULL, NOW));

    /* What the record says. */
    record = record_of("a", "t");
    record->verified = 7;
    record->attempts = 3;
    registry_put(&fixture->registry, entry, record, false);
    assert_true(registry_publish(entry, &plan, NULL, NOW));
    assert_int_equal(entry->served.verified, 7);
    assert_int_equal(entry->served.attempts, 3);
    assert_false(registry_publish(entry, &plan, NULL, NOW));
}

static void test_count(void **state)
{
    Fixture *fixture = *state;
    unsigned counts[SERVED_N_STATES];

    declare(fixture, "a");
    declare(fixture, "b");
    recorded(fixture, "c", "t");
    fill(fixture);
    find(fixture, "b")->served.state = SERVED_READY;
    find(fixture, "c")->served.state = SERVED_READY;
    registry_count(&fixture->registry, counts);
    for (size_t i = 0; i < SERVED_N_STATES; i++)
        assert_int_equal(counts[i], i == SERVED_PENDING || i == SERVED_READY ? 1 : 0);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

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
