/*
 * A configuration applied to a registry: what it makes of every entry, what must not be served from then on, and what is
 * over; and the orphans, which it leaves alone.
 */

#include "daemon/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "tests/unit/declared.h"
#include "tests/unit/filled.h"

#define YEAR     (365 * 24 * 3600 * USEC_PER_SEC)
#define PATIENCE USEC_PER_SEC /* what a test may take between two looks at the wall clock */

/* ---- what a reload makes of it ---- */

#define LATER     (2 * FILLED_NOW)
#define OTHER_URL "https://example.org/x"

/* How a name is declared: each differs from all others in what an EntryChange is about. */
typedef enum Way {
    WAY_NOT,
    WAY_BASE,
    WAY_LABELS,
    WAY_BODY,
    WAY_ELEMENT,
    WAY_ACCOUNT,
    WAY_URL,
    WAY_SECRETS,
    WAY_ORGANIZATION,
    WAY_ALLOW,
    WAY_ALLOW_AUTHORIZATION,
    WAY_REMOVAL,
    WAY_BROKEN,
    WAY_BROKEN_OTHERWISE,
} Way;

/* By which of the platforms that there are, and with which of the secrets; and whether the record is of it. */
static const struct {
    int platform;
    bool is_foreign;
} ways[] = {
    [WAY_NOT] = {0, false},
    [WAY_BASE] = {0, false},
    [WAY_LABELS] = {0, false},
    [WAY_BODY] = {0, false},
    [WAY_ELEMENT] = {0, true},
    [WAY_ACCOUNT] = {1, true},
    [WAY_URL] = {2, true},
    [WAY_SECRETS] = {3, false},
    [WAY_ORGANIZATION] = {4, false},
    [WAY_ALLOW] = {0, false},
    [WAY_ALLOW_AUTHORIZATION] = {0, false},
    [WAY_REMOVAL] = {0, false},
    [WAY_BROKEN] = {0, false},
    [WAY_BROKEN_OTHERWISE] = {0, false},
};

/* A configuration with the accounts "default" and "other", and "a" declared in this way. */
static Config *config_of(Way way)
{
    Config *config = declared_new();
    Account *account = declared_add_account(config, "default",
                                            way == WAY_URL ? OTHER_URL : FILLED_URL);
    Account *other = declared_add_account(config, "other", FILLED_URL);
    Instance *instance;

    if (way == WAY_SECRETS) {
        secret_unref(account->user);
        account->user = declared_secret("another user");
    }
    if (way == WAY_ORGANIZATION) {
        secret_unref(account->organization);
        account->organization = declared_secret("another organization");
    }
    if (way == WAY_NOT)
        return config;
    instance = declared_add_instance(config, "a", way == WAY_ELEMENT ? "github" : "jira",
                                     way == WAY_ACCOUNT ? other : account);
    instance->body_digest.bytes[0] = way == WAY_BODY;
    instance->body_digest.bytes[1] = way == WAY_ELEMENT;
    instance->labels_digest.bytes[0] = way == WAY_LABELS;
    instance->on_remove = way == WAY_REMOVAL ? INSTANCE_DELETE : INSTANCE_KEEP;
    if (way == WAY_ALLOW)
        assert_int_equal(acl_add(&instance->terms->allow, "any"), 0);
    if (way == WAY_ALLOW_AUTHORIZATION)
        assert_int_equal(acl_add(&instance->terms->allow_authorization, "any"), 0);
    if (way == WAY_BROKEN)
        instance->problem = strdup("a.json:1:1: broken");
    if (way == WAY_BROKEN_OTHERWISE)
        instance->problem = strdup("a.json:2:1: broken");
    return config;
}

static void apply_at(Filled *fixture, Config *config, usec_t now)
{
    assert_int_equal(registry_apply(&fixture->registry, config, &fixture->gates, now), 0);
}

static void apply(Filled *fixture, Config *config)
{
    apply_at(fixture, config, LATER);
    config_unref(config);
}

/* "a" as it was created in the way WAY_BASE, and declared in the way `way` now. */
static void fill_way(Filled *fixture, Way way)
{
    Record *record = filled_add_record(fixture, "a", "t");

    config_unref(fixture->config);
    fixture->config = config_of(way);
    fixture->account = fixture->config->accounts[0];
    assert_int_equal(record_set_string(&record->account, "default"), 0);
    assert_int_equal(record_set_string(&record->url, FILLED_URL), 0);
    assert_int_equal(record_set_string(&record->element, "jira"), 0);
    filled_fill(fixture);
}

/* As if a while had gone by: what a look-up and requests have left. */
static void live(Entry *entry)
{
    EntryWork *work = entry_work(entry);

    assert_non_null(work);
    entry->wanted = 1;
    entry->due = 2;
    entry->retry = 3;
    entry->verify = 4;
    entry->is_doubted = true;
    work->is_found = true;
    work->found.id = 9;
    work->found.token = declared_secret("found");
    entry->served.is_removed = true;
}

static EntryChange expected_change(Way before, Way after)
{
    if (before == after)
        return ENTRY_SAME;
    if (before == WAY_NOT)
        return ENTRY_ADDED;
    return after == WAY_NOT ? ENTRY_REMOVED : ENTRY_CHANGED;
}

/*
 * What was learned of an account that is another now, or by secrets of before, is forgotten; what was looked up for
 * another declaration has to be looked up anew; else nothing is lost.
 */
static void assert_renewed(const Entry *entry, bool is_renewed)
{
    bool is_looked_anew = is_renewed || entry->change == ENTRY_ADDED ||
                          entry->change == ENTRY_CHANGED;

    assert_non_null(entry->gate);
    if (entry->gate) /* clang's analyzer does not know that the line above does not return */
        assert_int_equal(entry->epoch, entry->gate->epoch);
    assert_int_equal(entry->wanted, is_looked_anew ? LATER : 1);
    assert_int_equal(entry->retry, is_renewed ? 0 : 3);
    assert_int_equal(entry->is_doubted, !is_renewed);
    assert_int_equal(entry->work->is_found, !is_looked_anew);
    assert_int_equal(entry->work->found.id, is_looked_anew ? 0 : 9);
    assert_int_equal(entry->work->found.token != NULL, !is_looked_anew);
    assert_int_equal(entry->due, LATER);
    assert_int_equal(entry->verify, 4);
}

static void assert_described(const Entry *entry, const Config *config, Way way)
{
    const Instance *want = way == WAY_NOT ? NULL : config->instances[0];

    assert_ptr_equal(entry->want, want);
    assert_ptr_equal(entry->served.name, entry->served.name);
    assert_string_equal(served_element(&entry->served), !want                ? ""
                                                        : way == WAY_ELEMENT ? "github"
                                                                             : "jira");
    assert_string_equal(entry->served.terms->account, !want                ? ""
                                                      : way == WAY_ACCOUNT ? "other"
                                                                           : "default");
    assert_ptr_equal(entry->gate->account, config->accounts[way == WAY_ACCOUNT]);
    if (want) {
        assert_ptr_equal(entry->served.terms, want->terms);
        assert_ptr_equal(entry->served.terms->user, entry->gate->account->user);
        assert_ptr_equal(entry->served.terms->organization, entry->gate->account->organization);
    } else {
        assert_ptr_equal(entry->served.terms, &terms_none);
    }
}

/* What could not be sent since its file had changed is tried at once, be it as it was; what else goes wrong waits on. */
static void test_apply_after_a_file_has_changed(void **state)
{
    static const Trouble troubles[] = {TROUBLE_FILE_CHANGED, TROUBLE_PLATFORM_FAILING};

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(troubles); i++) {
        bool is_changed = troubles[i] == TROUBLE_FILE_CHANGED;
        Config *config = config_of(WAY_BASE);
        Filled *fixture;
        Entry *entry;

        assert_int_equal(filled_setup((void **)&fixture), 0);
        fill_way(fixture, WAY_BASE);
        entry = filled_find(fixture, "a");
        live(entry);
        entry->work->trouble = troubles[i];
        entry->work->problem = strdup("words");
        apply_at(fixture, config, LATER);
        assert_int_equal(entry->change, ENTRY_SAME);
        assert_int_equal(entry->retry, is_changed ? 0 : 3);
        assert_int_equal(entry->wanted, is_changed ? LATER : 1);
        assert_int_equal(entry->work->trouble, is_changed ? TROUBLE_NONE : troubles[i]);
        assert_int_equal(!entry->work->problem, is_changed);
        assert_true(entry->is_doubted);
        config_unref(config);
        filled_teardown((void **)&fixture);
    }
}

/* Every way in which a name can be declared before and after. */
static void test_apply(void **state)
{
    (void)state;
    for (Way before = 0; before < N_ELEMENTS(ways); before++)
        for (Way after = 0; after < N_ELEMENTS(ways); after++) {
            Config *config = config_of(after);
            EntryChange change = expected_change(before, after);
            Filled *fixture;
            Entry *entry;

            assert_int_equal(filled_setup((void **)&fixture), 0);
            fill_way(fixture, before);
            entry = filled_find(fixture, "a");
            filled_assert_serves(entry, ways[before].is_foreign ? NULL : "t");
            live(entry);
            apply_at(fixture, config, LATER);
            if (entry->change != change)
                fail_msg("from %d to %d: %d, not %d", before, after, entry->change, change);
            assert_ptr_equal(filled_find(fixture, "a"), entry);
            assert_int_equal(fixture->registry.n_entries, 1);
            assert_int_equal(fixture->registry.n_declared, after != WAY_NOT);
            assert_ptr_equal(fixture->registry.config, config);
            assert_int_equal(config->n_refs, 2);
            assert_int_equal(fixture->config->n_refs, 1);
            assert_int_equal(entry->is_foreign, ways[after].is_foreign);
            filled_assert_serves(entry, ways[after].is_foreign ? NULL : "t");
            assert_renewed(entry, ways[before].platform != ways[after].platform);
            assert_described(entry, config, after);
            assert_int_equal(entry->served.is_removed, change != ENTRY_ADDED);
            assert_false(fixture->registry.has_changes);
            /* The same once more is no change, and renews nothing. */
            platform_instance_deinit(&entry->work->found);
            live(entry);
            apply_at(fixture, config, LATER);
            assert_int_equal(entry->change, ENTRY_SAME);
            assert_renewed(entry, false);
            assert_true(entry->served.is_removed);
            config_unref(config);
            filled_teardown((void **)&fixture);
        }
}

/* Names that come and go around those that stay: in order, each with its place, and no other at all. */
static void test_apply_names(void **state)
{
    static const char *const names[] = {"B", "a", "a.b", "ab"};

    (void)state;
    for (unsigned combination = 0; combination < 256; combination++) {
        Entry *entries[4] = {};
        Config *config = declared_new();
        const Account *account = declared_add_account(config, "default", FILLED_URL);
        Filled *fixture;
        unsigned n = 0, n_declared = 0;

        assert_int_equal(filled_setup((void **)&fixture), 0);
        for (size_t i = 0; i < 4; i++) {
            if (combination >> (2 * i) & 1)
                filled_declare(fixture, names[i]);
            if (combination >> (2 * i) & 2)
                declared_add_instance(config, names[i], "jira", account);
        }
        filled_fill(fixture);
        for (size_t i = 0; i < 4; i++) {
            entries[i] = filled_find(fixture, names[i]);
            assert_int_equal(entries[i] ? entries[i]->change : ENTRY_SAME,
                             entries[i] ? ENTRY_ADDED : ENTRY_SAME);
        }
        apply(fixture, config);
        for (size_t i = 0; i < 4; i++) {
            static const EntryChange changes[] = {ENTRY_SAME, ENTRY_REMOVED, ENTRY_ADDED,
                                                  ENTRY_SAME};
            unsigned bits = combination >> (2 * i) & 3;
            const Entry *entry = filled_find(fixture, names[i]);

            assert_int_equal(entry != NULL, bits != 0);
            if (!entry)
                continue;
            if (entries[i])
                assert_ptr_equal(entry, entries[i]);
            assert_int_equal(entry->change, changes[bits]);
            assert_int_equal(entry->index, n);
            assert_ptr_equal(fixture->registry.entries[n++], entry);
            assert_int_equal(entry->want != NULL, bits >> 1);
            assert_int_equal(entry->is_fresh, false);
            n_declared += bits >> 1;
        }
        assert_int_equal(fixture->registry.n_entries, n);
        assert_int_equal(fixture->registry.n_declared, n_declared);
        filled_teardown((void **)&fixture);
    }
}

/* What is recorded and not declared is asked about by the account by which it was made, while that is the same. */
static void test_undeclared_gate(void **state)
{
    static const struct {
        const char *account, *url; /* of the record */
        int gate;                  /* -1: none */
    } rows[] = {
        {"default", FILLED_URL, 0}, {"other", OTHER_URL, 1},    {"default", OTHER_URL, -1},
        {"other", FILLED_URL, -1},  {"gone", FILLED_URL, -1},   {NULL, FILLED_URL, -1},
        {"default", NULL, -1},      {"broken", FILLED_URL, -1},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        Filled *fixture;
        const Entry *entry;
        Record *record;

        assert_int_equal(filled_setup((void **)&fixture), 0);
        config_unref(fixture->config);
        fixture->config = declared_new();
        declared_add_account(fixture->config, "broken", FILLED_URL)->problem = strdup("broken");
        (void)declared_add_account(fixture->config, "default", FILLED_URL);
        (void)declared_add_account(fixture->config, "other", OTHER_URL);
        record = filled_add_record(fixture, "a", "t");
        assert_int_equal(record_set_string(&record->account, rows[i].account), 0);
        assert_int_equal(record_set_string(&record->url, rows[i].url), 0);
        filled_fill(fixture);
        entry = filled_find(fixture, "a");
        assert_ptr_equal(entry->gate, rows[i].gate < 0 ? NULL : fixture->gates.items[rows[i].gate]);
        assert_int_equal(entry->epoch, entry->gate ? entry->gate->epoch : 0);
        assert_false(entry->is_foreign);
        filled_teardown((void **)&fixture);
    }
}

/* An account that goes, or breaks, takes its gate with it; one that comes (back) brings a new one. */
static void test_account_goes(void **state)
{
    (void)state;
    for (int is_broken = 0; is_broken < 2; is_broken++) {
        Config *config = declared_new();
        Account *account = is_broken ? declared_add_account(config, "default", FILLED_URL) : NULL;
        Filled *fixture;
        uint64_t epoch;
        Entry *entry;

        if (is_broken)
            account->problem = strdup("broken");
        declared_add_instance(config, "a", "jira", account)->problem = strdup("no account");
        assert_int_equal(filled_setup((void **)&fixture), 0);
        fill_way(fixture, WAY_BASE);
        entry = filled_find(fixture, "a");
        epoch = entry->epoch;
        live(entry);
        apply(fixture, config);
        assert_int_equal(entry->change, ENTRY_CHANGED);
        assert_null(entry->gate);
        assert_int_equal(entry->epoch, 0);
        assert_false(entry->is_doubted);
        assert_false(entry->work->is_found);
        assert_null(entry->served.terms->user);
        filled_assert_serves(entry, "t"); /* nothing says that it is another's */
        live(entry);
        apply(fixture, config_of(WAY_BASE));
        assert_true(entry->epoch > epoch);
        assert_renewed(entry, true);
        filled_assert_serves(entry, "t");
        filled_teardown((void **)&fixture);
    }
}

static void test_removal_is_held(void **state)
{
    Filled *fixture = *state;

    filled_fill(fixture);
    assert_false(fixture->registry.is_removal_held);
    for (int i = 0; i < 8; i++) {
        Config *config = config_of(WAY_NOT);

        config->is_incomplete = i & 1;
        config->is_bare = i & 2; /* and back again */
        apply(fixture, config);
        assert_int_equal(fixture->registry.is_removal_held, (i & 3) != 0);
    }
}

/* ---- what an apply may serve ---- */

static void test_apply_serves_what_is_durable(void **state)
{
    Filled *fixture = *state;
    Registry *registry = &fixture->registry;
    Entry *entry;

    filled_declare(fixture, "a");
    filled_fill(fixture);
    entry = filled_find(fixture, "a");
    registry_put(registry, entry, filled_record("a", "t"), true);
    for (Way way = WAY_NOT; way < N_ELEMENTS(ways); way++) {
        apply(fixture, config_of(way));
        filled_assert_serves(entry, NULL);
    }
    apply(fixture, config_of(WAY_BASE));
    registry_committed(registry, filled_begin_commit(fixture));
    filled_assert_serves(entry, "t");
}

/* The old one goes on until the new one is durable, unless it must not be given out any more: then it does not come back. */
static void test_apply_while_a_token_changes(void **state)
{
    (void)state;
    for (int is_foreign = 0; is_foreign < 2; is_foreign++) {
        Filled *fixture;
        Record *record;
        Entry *entry;

        assert_int_equal(filled_setup((void **)&fixture), 0);
        fill_way(fixture, WAY_BASE);
        entry = filled_find(fixture, "a");
        assert_int_equal(record_copy(entry->record, &record), 0);
        secret_unref(record->token);
        record->token = declared_secret("new");
        registry_put(&fixture->registry, entry, record, true);
        apply(fixture, config_of(is_foreign ? WAY_URL : WAY_BODY));
        filled_assert_serves(entry, is_foreign ? NULL : "t");
        apply(fixture, config_of(WAY_BASE));
        filled_assert_serves(entry, is_foreign ? NULL : "t");
        registry_committed(&fixture->registry, filled_begin_commit(fixture));
        filled_assert_serves(entry, "new");
        filled_teardown((void **)&fixture);
    }
}

/* A commit makes a token durable that has become another platform's meanwhile. */
static void test_commit_of_a_foreign_token(void **state)
{
    Filled *fixture = *state;
    uint64_t generation;
    Record *record;
    Entry *entry;

    fill_way(fixture, WAY_BASE);
    entry = filled_find(fixture, "a");
    assert_int_equal(record_copy(entry->record, &record), 0);
    registry_put(&fixture->registry, entry, record, true);
    generation = filled_begin_commit(fixture);
    apply(fixture, config_of(WAY_URL));
    registry_committed(&fixture->registry, generation);
    filled_assert_serves(entry, NULL);
    assert_true(registry_is_durable(&fixture->registry, entry));
    apply(fixture, config_of(WAY_BASE));
    filled_assert_serves(entry, "t");
}

/* ---- what is over ---- */

static void test_reap(void **state)
{
    static const char *const names[] = {"a", "b", "c", "d", "e"};

    (void)state;
    for (unsigned over = 0; over < 32; over++) {
        Entry *entries[5];
        Filled *fixture;
        size_t n = 0;

        assert_int_equal(filled_setup((void **)&fixture), 0);
        for (size_t i = 0; i < 5; i++)
            filled_add_record(fixture, names[i], names[i]);
        filled_fill(fixture);
        for (size_t i = 0; i < 5; i++) {
            entries[i] = filled_find(fixture, names[i]);
            if (!(over >> i & 1))
                continue;
            registry_put(&fixture->registry, entries[i], NULL, true);
            entries[i]->is_over = true;
        }
        registry_reap(&fixture->registry);
        for (size_t i = 0; i < 5; i++) {
            if (over >> i & 1) {
                assert_null(filled_find(fixture, names[i]));
                continue;
            }
            assert_ptr_equal(filled_find(fixture, names[i]), entries[i]);
            assert_int_equal(entries[i]->index, n);
            assert_ptr_equal(fixture->registry.entries[n++], entries[i]);
            filled_assert_serves(entries[i], names[i]);
        }
        assert_int_equal(fixture->registry.n_entries, n);
        filled_teardown((void **)&fixture);
    }
}

/* Without a record and not declared, but nobody has said that it is over: waiters may still have to be told. */
static void test_reap_what_is_not_over(void **state)
{
    Filled *fixture = *state;

    filled_declare(fixture, "a");
    filled_fill(fixture);
    apply(fixture, config_of(WAY_NOT));
    registry_reap(&fixture->registry);
    assert_non_null(filled_find(fixture, "a"));
    assert_int_equal(fixture->registry.n_declared, 0);
}

/* Declared again before it was reaped: it is not over then, and what clients were told of its namesake does not hold. */
static void test_declared_again(void **state)
{
    Filled *fixture = *state;
    Entry *entry;

    filled_declare(fixture, "a");
    filled_fill(fixture);
    entry = filled_find(fixture, "a");
    apply(fixture, config_of(WAY_NOT));
    assert_int_equal(entry->change, ENTRY_REMOVED);
    entry->is_over = true;
    entry->served.is_removed = true;
    apply(fixture, config_of(WAY_NOT));
    assert_true(entry->is_over);
    assert_true(entry->served.is_removed);
    apply(fixture, config_of(WAY_BASE));
    assert_int_equal(entry->change, ENTRY_ADDED);
    assert_false(entry->is_over);
    assert_false(entry->served.is_removed);
    registry_reap(&fixture->registry);
    assert_ptr_equal(filled_find(fixture, "a"), entry);
}

/* ---- orphans ---- */

static Record *recorded_orphan(Filled *fixture, int64_t id, bool is_doomed)
{
    Snapshot *snapshot = &fixture->load.snapshot;
    Record *record = filled_record(NULL, NULL);

    record->id = id;
    record->rare->orphan = RECORD_REMOVED;
    record->is_doomed = is_doomed;
    assert_int_equal(record_set_string(&record->url, FILLED_URL), 0);
    snapshot->orphans = reallocarray(snapshot->orphans, snapshot->n_orphans + 1,
                                     sizeof(*snapshot->orphans));
    snapshot->orphans[snapshot->n_orphans++] = record;
    return record;
}

static void test_orphans_are_restored(void **state)
{
    Filled *fixture = *state;
    Registry *registry = &fixture->registry;
    usec_t realtime = clock_realtime();
    Record *record;

    recorded_orphan(fixture, 9, false);
    record = recorded_orphan(fixture, 7, true); /* due in 3 s */
    record->rare->delay = 5 * USEC_PER_SEC;
    record->rare->retry = realtime + 3 * USEC_PER_SEC;
    record = recorded_orphan(fixture, 8, true); /* the wall clock was set back by a year */
    record->rare->delay = 5 * USEC_PER_SEC;
    record->rare->retry = realtime + YEAR;
    recorded_orphan(fixture, 7, false); /* twice: what is to be deleted is */
    filled_fill(fixture);
    assert_int_equal(registry->orphans.n_items, 3);
    assert_int_equal(registry->orphans.n_doomed, 2);
    assert_in_range(orphans_find(&registry->orphans, 7, FILLED_URL)->retry,
                    FILLED_NOW + 3 * USEC_PER_SEC - PATIENCE, FILLED_NOW + 3 * USEC_PER_SEC);
    assert_int_equal(orphans_find(&registry->orphans, 8, FILLED_URL)->retry,
                     FILLED_NOW + 5 * USEC_PER_SEC);
    assert_int_equal(orphans_find(&registry->orphans, 9, FILLED_URL)->retry, 0);
    assert_int_equal(orphans_find(&registry->orphans, 9, FILLED_URL)->generation,
                     0); /* it is on disk */
    assert_false(registry->has_changes);
}

static void test_snapshot_of_orphans(void **state)
{
    Filled *fixture = *state;
    Registry *registry = &fixture->registry;
    Snapshot snapshot = {};
    Record *first, *second;

    second = recorded_orphan(fixture, 9, false);
    first = recorded_orphan(fixture, 7, true);
    filled_add_record(fixture, "a", "t");
    filled_fill(fixture);
    assert_int_equal(registry_snapshot(registry, &snapshot), 1);
    assert_int_equal(snapshot.n_records, 1);
    assert_int_equal(snapshot.n_orphans, 2);
    assert_ptr_equal(snapshot.orphans[0], first);
    assert_ptr_equal(snapshot.orphans[1], second);
    /* By references of its own: it stays as it was when it was made. */
    orphans_remove(&registry->orphans, orphans_find(&registry->orphans, 7, FILLED_URL));
    store_load_deinit(&fixture->load);
    assert_int_equal(snapshot.orphans[0]->id, 7);
    assert_int_equal(snapshot.orphans[0]->n_refs, 1);
    snapshot_deinit(&snapshot);
    /* An apply is no word about orphans. */
    apply(fixture, config_of(WAY_BASE));
    assert_int_equal(registry->orphans.n_items, 1);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, filled_setup, filled_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_apply),
        cmocka_unit_test(test_apply_after_a_file_has_changed),
        cmocka_unit_test(test_apply_names),
        cmocka_unit_test(test_undeclared_gate),
        cmocka_unit_test(test_account_goes),
        TEST(test_removal_is_held),
        TEST(test_apply_serves_what_is_durable),
        cmocka_unit_test(test_apply_while_a_token_changes),
        TEST(test_commit_of_a_foreign_token),
        cmocka_unit_test(test_reap),
        TEST(test_reap_what_is_not_over),
        TEST(test_declared_again),
        TEST(test_orphans_are_restored),
        TEST(test_snapshot_of_orphans),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
