/*
 * Whose are the instances that a look-up has found: rows as the platform may show them, and what entries make of
 * them.
 */

#include "daemon/match.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "systemd/log.h"
#include "tests/unit/declared.h"

#define NOW (1000 * USEC_PER_SEC)

typedef struct Fixture {
    Config *config;
    const Account *account;
    StoreLoad load;
    Gates gates;
    Registry registry;
    Gate *gate;
} Fixture;

static int setup(void **state)
{
    Fixture *fixture = calloc(1, sizeof(*fixture));

    log_set_level(LOG_ERR); /* duplicates are told there, too */
    fixture->config = declared_new();
    fixture->account = declared_add_account(fixture->config, "default", "https://example.com");
    (void)declared_add_account(fixture->config, "other", "https://example.com");
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

static void declare(Fixture *fixture, const char *name)
{
    (void)declared_add_instance(fixture->config, name, "jira", fixture->account);
}

static void fill(Fixture *fixture)
{
    assert_int_equal(gates_apply(&fixture->gates, fixture->config), 0);
    assert_int_equal(
        registry_fill(&fixture->registry, fixture->config, &fixture->load, &fixture->gates, NOW),
        0);
    fixture->gate = fixture->gates.items[0];
}

static Entry *find(const Fixture *fixture, const char *name)
{
    return registry_find(&fixture->registry, name, strlen(name));
}

/* One row of the last look-up; NULL is what the platform does not say. */
static void add_row(Gate *gate, const char *name, int64_t id, const char *token,
                    const char *element)
{
    gate->rows = reallocarray(gate->rows, gate->n_rows + 1, sizeof(*gate->rows));
    gate->rows[gate->n_rows++] = (PlatformInstance){
        .id = id,
        .token = token ? declared_secret(token) : NULL,
        .element = element ? strdup(element) : NULL,
        .name = name ? strdup(name) : NULL,
        .is_owned = true,
    };
}

static void add(Fixture *fixture, const char *name, int64_t id)
{
    add_row(fixture->gate, name, id, "t", "jira");
}

/* What an earlier look-up, or a changed file, has left. */
static Orphan *add_orphan(Fixture *fixture, const char *name, int64_t id, RecordOrphan reason,
                          bool is_doomed)
{
    Orphans *orphans = &fixture->registry.orphans;
    Record *record;

    assert_int_equal(record_new(name, &record), 0);
    record->account = declared_text("default");
    record->url = declared_text(fixture->account->url);
    record->id = id;
    record->rare->orphan = reason;
    record->is_doomed = is_doomed;
    assert_int_equal(orphans_add(orphans, record, 1, 0), 0);
    return orphans_find(orphans, id, fixture->account->url);
}

static void assert_found(const Entry *entry, int64_t id, const char *duplicates)
{
    assert_int_equal(entry->work->is_found, id != 0);
    assert_int_equal(entry->work->found.id, id);
    if (!duplicates) {
        assert_null(entry->work->duplicates);
    } else {
        char words[256];

        (void)snprintf(words, sizeof(words),
                       "the platform has more than one instance with our tag: %lld is used; left "
                       "over, for you to delete there: %s",
                       (long long)id, duplicates);
        assert_non_null(entry->work->duplicates);
        assert_string_equal(entry->work->duplicates, words);
    }
}

static void test_by_name(void **state)
{
    Fixture *fixture = *state;

    declare(fixture, "a");
    declare(fixture, "a.b");
    declare(fixture, "b");
    fill(fixture);
    add(fixture, "b", 3);
    add(fixture, NULL, 4);
    add(fixture, "c", 5);
    add(fixture, "A", 6);
    add(fixture, "a.b", 7);
    add(fixture, "", 8);
    assert_int_equal(match_rows(&fixture->registry, fixture->gate, NOW), 0);
    assert_found(find(fixture, "a"), 0, NULL);
    assert_found(find(fixture, "a.b"), 7, NULL);
    assert_found(find(fixture, "b"), 3, NULL);
    assert_string_equal(secret_reveal(find(fixture, "b")->work->found.token), "t");
}

/*
 * The same tag on an instance of another element: the one from before the element was changed is passed over. Of any
 * other nobody knows what it is: it counts as there, and cannot be used.
 */
static void test_by_element(void **state)
{
    Fixture *fixture = *state;

    declare(fixture, "a");
    declare(fixture, "b");
    declare(fixture, "c");
    declare(fixture, "d");
    fill(fixture);
    add_row(fixture->gate, "a", 1, "t", "github");
    add_row(fixture->gate, "a", 2, "t", "JIRA"); /* however the platform spells it */
    add_row(fixture->gate, "b", 3, "t", NULL);   /* the platform does not say which */
    add_row(fixture->gate, "c", 4, "t", "github");
    add_row(fixture->gate, "d", 5, "t", "github");
    add_orphan(fixture, "d", 5, RECORD_REPLACED, false);
    assert_int_equal(match_rows(&fixture->registry, fixture->gate, NOW), 0);
    assert_found(find(fixture, "a"), 2, "1");
    assert_found(find(fixture, "b"), 3, NULL);
    assert_found(find(fixture, "c"), 4, NULL);
    assert_null(find(fixture, "c")->work->found.token);
    assert_found(find(fixture, "d"), 0, NULL);
    assert_null(fixture->gate->rows);
}

/* Of several the lowest id, in whatever order they are listed. */
static void test_duplicates(void **state)
{
    static const int64_t orders[][3] = {{1, 2, 3}, {1, 3, 2}, {2, 1, 3},
                                        {2, 3, 1}, {3, 1, 2}, {3, 2, 1}};
    static const char *const left_over[] = {"2, 3", "3, 2", "2, 3", "3, 2", "3, 2", "3, 2"};

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(orders); i++) {
        Fixture *fixture;

        assert_int_equal(setup((void **)&fixture), 0);
        declare(fixture, "a");
        fill(fixture);
        for (size_t j = 0; j < 3; j++)
            add(fixture, "a", orders[i][j]);
        assert_int_equal(match_rows(&fixture->registry, fixture->gate, NOW), 0);
        assert_found(find(fixture, "a"), 1, left_over[i]);
        teardown((void **)&fixture);
    }
}

/* Rows move from page to page while others come and go: one that is listed twice is no duplicate of itself. */
static void test_listed_twice(void **state)
{
    Fixture *fixture = *state;

    declare(fixture, "a");
    fill(fixture);
    add(fixture, "a", 7);
    add(fixture, "a", 7);
    assert_int_equal(match_rows(&fixture->registry, fixture->gate, NOW), 0);
    assert_found(find(fixture, "a"), 7, NULL);
}

/* One that cannot be used is not preferred to one that can. */
static void test_unusable(void **state)
{
    static const struct {
        int64_t ids[2];
        const char *tokens[2];
        int64_t found;
        const char *duplicates;
    } rows[] = {
        {{0, 5}, {"t", "t"}, 5, NULL}, /* without an id there is nothing to be deleted by */
        {{5, 0}, {"t", "t"}, 5, NULL},  {{4, 5}, {NULL, "t"}, 5, "4"},
        {{5, 4}, {"t", NULL}, 5, "4"},  {{4, 5}, {NULL, NULL}, 4, "5"},
        {{5, 4}, {NULL, NULL}, 4, "5"},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        Fixture *fixture;

        assert_int_equal(setup((void **)&fixture), 0);
        declare(fixture, "a");
        fill(fixture);
        for (size_t j = 0; j < 2; j++)
            add_row(fixture->gate, "a", rows[i].ids[j], rows[i].tokens[j], "jira");
        assert_int_equal(match_rows(&fixture->registry, fixture->gate, NOW), 0);
        assert_found(find(fixture, "a"), rows[i].found, rows[i].duplicates);
        teardown((void **)&fixture);
    }
}

/* The only one, without id or token: it is there, so none may be created. */
static void test_unusable_alone(void **state)
{
    Fixture *fixture = *state;

    declare(fixture, "a");
    fill(fixture);
    add_row(fixture->gate, "a", 0, NULL, "jira");
    assert_int_equal(match_rows(&fixture->registry, fixture->gate, NOW), 0);
    assert_true(find(fixture, "a")->work->is_found);
    assert_null(find(fixture, "a")->work->found.token);
}

/* It was about to be created, and what is there is of no use: once that is gone, no POST is waited for. */
static void test_unsent_and_unusable(void **state)
{
    Fixture *fixture = *state;
    Entry *entry;

    declare(fixture, "a");
    fill(fixture);
    entry = find(fixture, "a");
    entry->is_post_unsent = true;
    add_row(fixture->gate, "a", 7, NULL, "jira");
    assert_int_equal(match_rows(&fixture->registry, fixture->gate, NOW), 0);
    assert_false(entry->is_post_unsent);
    assert_int_equal(entry->work->intent_until, 0);
}

/* Only entries of this account that need one. */
static void test_who_needs_none(void **state)
{
    Fixture *fixture = *state;
    Snapshot *snapshot = &fixture->load.snapshot;

    declare(fixture, "doubted");
    declare(fixture, "has");
    (void)declared_add_instance(fixture->config, "theirs", "jira", fixture->config->accounts[1]);
    snapshot->records = calloc(3, sizeof(*snapshot->records));
    for (size_t i = 0; i < 3; i++) {
        static const char *const names[] = {"doubted", "has", "undeclared"};

        assert_int_equal(record_new(names[i], &snapshot->records[i]), 0);
        snapshot->records[i]->id = 42;
        snapshot->records[i]->token = declared_secret("old");
    }
    snapshot->n_records = 3;
    fill(fixture);
    find(fixture, "doubted")->is_doubted = true;
    add(fixture, "doubted", 1);
    add(fixture, "has", 2);
    add(fixture, "theirs", 3);
    add(fixture, "undeclared", 4);
    assert_int_equal(match_rows(&fixture->registry, fixture->gate, NOW), 0);
    assert_found(find(fixture, "doubted"), 1, NULL);
    assert_found(find(fixture, "has"), 0, NULL);
    assert_found(find(fixture, "theirs"), 0, NULL);
    assert_found(find(fixture, "undeclared"), 0, NULL);
}

/* What an earlier look-up had found, and this one does not, is gone; others' are left alone. */
static void test_again(void **state)
{
    Fixture *fixture = *state;

    declare(fixture, "a");
    (void)declared_add_instance(fixture->config, "theirs", "jira", fixture->config->accounts[1]);
    fill(fixture);
    add(fixture, "a", 1);
    add(fixture, "a", 2);
    assert_int_equal(match_rows(&fixture->registry, fixture->gate, NOW), 0);
    assert_found(find(fixture, "a"), 1, "2");
    add_row(fixture->gates.items[1], "theirs", 9, "t", "jira");
    match_rows(&fixture->registry, fixture->gates.items[1], NOW);
    assert_found(find(fixture, "a"), 1, "2");
    assert_found(find(fixture, "theirs"), 9, NULL);
    for (size_t i = 0; i < fixture->gate->n_rows; i++)
        platform_instance_deinit(&fixture->gate->rows[i]);
    fixture->gate->n_rows = 0;
    assert_int_equal(match_rows(&fixture->registry, fixture->gate, NOW), 0);
    assert_found(find(fixture, "a"), 0, NULL);
    assert_found(find(fixture, "theirs"), 9, NULL);
}

/* ---- orphans ---- */

#define URL "https://example.com"

static Record *add_record(Fixture *fixture, const char *name, int64_t id, const char *token)
{
    Snapshot *snapshot = &fixture->load.snapshot;
    Record *record;

    assert_int_equal(record_new(name, &record), 0);
    assert_int_equal(record_set_string(&record->account, "default"), 0);
    assert_int_equal(record_set_string(&record->url, URL), 0);
    assert_int_equal(record_set_string(&record->element, "jira"), 0);
    record->id = id;
    record->token = token ? declared_secret(token) : NULL;
    snapshot->records = reallocarray(snapshot->records, snapshot->n_records + 1,
                                     sizeof(*snapshot->records));
    snapshot->records[snapshot->n_records++] = record;
    return record;
}

static Orphan *find_orphan(const Fixture *fixture, int64_t id)
{
    return orphans_find(&fixture->registry.orphans, id, URL);
}

/* There is one for this reason, which this look-up has shown. */
static void assert_orphan(const Fixture *fixture, int64_t id, const char *name, RecordOrphan reason)
{
    const Orphan *orphan = find_orphan(fixture, id);

    assert_non_null(orphan);
    assert_int_equal(orphan->record->rare->orphan, reason);
    if (name)
        assert_string_equal(orphan->record->name, name);
    else
        assert_null(orphan->record->name);
    assert_true(orphan->is_listed);
}

/* Each look-up begins at some moment before its rows are matched. */
static void match_at(Fixture *fixture, Gate *gate, usec_t begin)
{
    gate->begin = begin;
    match_rows(&fixture->registry, gate, NOW);
    assert_null(gate->rows);
    assert_int_equal(gate->n_rows, 0);
}

static void match(Fixture *fixture)
{
    match_at(fixture, fixture->gate, NOW - 1);
}

/* With our tag, and nobody has declared it. Without an id it is nothing that could be told of. */
static void test_unclaimed(void **state)
{
    Fixture *fixture = *state;
    const Orphan *orphan;
    usec_t since = clock_realtime();

    declare(fixture, "a");
    fill(fixture);
    for (int again = 0; again < 2; again++) {
        add(fixture, "b", 7);
        add(fixture, NULL, 8);
        add(fixture, "not/a name", 9);
        add(fixture, "", 10);
        add_row(fixture->gate, "c", 11, NULL, NULL);
        add(fixture, "d", 0);
        add(fixture, NULL, 0);
        match(fixture);
        assert_int_equal(fixture->registry.orphans.n_items, 5);
        assert_orphan(fixture, 7, "b", RECORD_UNCLAIMED);
        assert_orphan(fixture, 8, NULL, RECORD_UNCLAIMED);
        assert_orphan(fixture, 9, NULL, RECORD_UNCLAIMED);
        assert_orphan(fixture, 10, NULL, RECORD_UNCLAIMED);
        assert_orphan(fixture, 11, "c", RECORD_UNCLAIMED);
        orphan = find_orphan(fixture, 7);
        assert_string_equal(orphan->record->account, "default");
        assert_string_equal(orphan->record->url, URL);
        assert_string_equal(orphan->record->element, "jira");
        assert_null(orphan->record->token);
        assert_false(orphan->record->is_doomed);
        assert_in_range(orphan->record->rare->since, since, clock_realtime());
        assert_int_equal(orphan->added, NOW);
        assert_int_equal(orphan->generation, fixture->registry.generation);
        assert_null(find_orphan(fixture, 11)->record->element);
        assert_found(find(fixture, "a"), 0, NULL);
        /* Told once: what is known already is no change. */
        assert_int_equal(fixture->registry.has_changes, !again);
        fixture->registry.has_changes = false;
    }
}

/* What is used is no orphan; whatever else carries its tag is one. */
static void test_left_over(void **state)
{
    static const int64_t orders[][3] = {{1, 2, 3}, {1, 3, 2}, {2, 1, 3},
                                        {2, 3, 1}, {3, 1, 2}, {3, 2, 1}};

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(orders); i++)
        for (int has_one = 0; has_one < 2; has_one++) {
            Fixture *fixture;

            assert_int_equal(setup((void **)&fixture), 0);
            declare(fixture, "a");
            if (has_one)
                add_record(fixture, "a", 2, "t");
            fill(fixture);
            for (size_t j = 0; j < 3; j++)
                add(fixture, "a", orders[i][j]);
            match(fixture);
            assert_int_equal(fixture->registry.orphans.n_items, 2);
            assert_null(find_orphan(fixture, has_one ? 2 : 1));
            assert_orphan(fixture, has_one ? 1 : 2, "a", RECORD_DUPLICATE);
            assert_orphan(fixture, 3, "a", RECORD_DUPLICATE);
            assert_true(fixture->registry.has_changes);
            teardown((void **)&fixture);
        }
}

/* Listed twice it is no duplicate of itself; nor is one that nobody could delete. */
static void test_not_left_over(void **state)
{
    Fixture *fixture = *state;

    declare(fixture, "a");
    fill(fixture);
    add(fixture, "a", 7);
    add(fixture, "a", 0);
    add(fixture, "a", 7);
    match(fixture);
    assert_found(find(fixture, "a"), 7, NULL);
    assert_int_equal(fixture->registry.orphans.n_items, 0);
    assert_false(fixture->registry.has_changes);
}

/* What is recorded is in use: also when its file is gone, and when the other account of that platform lists it. */
static void test_in_use(void **state)
{
    Fixture *fixture = *state;
    Gate *other;

    declare(fixture, "a");
    declare(fixture, "old");
    add_record(fixture, "a", 1, "t");
    add_record(fixture, "gone", 2, "t");
    assert_int_equal(record_set_string(&add_record(fixture, "old", 3, "t")->url, NULL), 0);
    fill(fixture);
    other = fixture->gates.items[1];
    add(fixture, "a", 1);
    add(fixture, "gone", 2);
    add(fixture, "old", 3); /* from before URLs were recorded */
    match(fixture);
    assert_int_equal(fixture->registry.orphans.n_items, 0);
    add_row(other, "a", 1, "t", "jira");
    add_row(other, "gone", 2, "t", "jira");
    match_at(fixture, other, NOW);
    assert_int_equal(fixture->registry.orphans.n_items, 0);
    assert_false(fixture->registry.has_changes);
    /* Another one with the tag of what is gone is nobody's. */
    add(fixture, "gone", 4);
    match(fixture);
    assert_orphan(fixture, 4, "gone", RECORD_UNCLAIMED);
}

/* An id is one of its platform: the same id on another is another instance. */
static void test_same_id_elsewhere(void **state)
{
    Fixture *fixture = *state;

    assert_int_equal(
        record_set_string(&add_record(fixture, "gone", 2, "t")->url, "https://example.org"), 0);
    fill(fixture);
    add(fixture, "gone", 2);
    match(fixture);
    assert_orphan(fixture, 2, "gone", RECORD_UNCLAIMED);
}

/* Of another account now: what is left on this one is what it was before. */
static void test_other_account(void **state)
{
    Fixture *fixture = *state;

    (void)declared_add_instance(fixture->config, "theirs", "jira", fixture->config->accounts[1]);
    fill(fixture);
    add(fixture, "theirs", 5);
    match(fixture);
    assert_found(find(fixture, "theirs"), 0, NULL);
    assert_orphan(fixture, 5, "theirs", RECORD_REPLACED);
}

/* What became of the last POST of one that is not declared any more. */
static void test_undeclared_with_an_intent(void **state)
{
    Fixture *fixture = *state;

    add_record(fixture, "gone", 0, NULL)->rare->intent = 1;
    add_record(fixture, "never", 0, NULL);
    fill(fixture);
    assert_ptr_equal(find(fixture, "gone")->gate, fixture->gate);
    add_row(fixture->gate, "gone", 7, "t", "JIRA");
    add(fixture, "gone", 8);
    add(fixture, "never", 9);
    match(fixture);
    assert_found(find(fixture, "gone"), 7, "8");
    assert_null(find_orphan(fixture, 7));
    assert_orphan(fixture, 8, "gone", RECORD_DUPLICATE);
    assert_found(find(fixture, "never"), 0, NULL); /* no POST can have brought it */
    assert_orphan(fixture, 9, "never", RECORD_UNCLAIMED);
}

/* Gone from the list is gone from the platform; but a list says nothing of what is not its own, or came after it. */
static void test_not_listed(void **state)
{
    static const struct {
        const char *account, *url;
        bool is_doomed;
        usec_t added;
        bool is_listed;
        bool stays;
    } rows[] = {
        {"default", URL, false, NOW - 11, false, false},
        {"default", URL, false, 0, false, false}, /* from before the start */
        {"default", URL, false, NOW - 11, true, true},
        {"default", URL, true, NOW - 11, false, true}, /* its removal finds that out */
        {"default", URL, true, NOW - 11, true, true},
        {"default", URL, false, NOW - 10, false, true}, /* as the look-up began */
        {"default", URL, false, NOW - 9, false, true},
        {"other", URL, false, NOW - 11, false, true},
        {"default", "https://example.org", false, NOW - 11, false, true},
        {NULL, URL, false, NOW - 11, false, true},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        Fixture *fixture;
        Record *record;
        bool is_there;

        assert_int_equal(setup((void **)&fixture), 0);
        fill(fixture);
        assert_int_equal(record_new(NULL, &record), 0);
        assert_int_equal(record_set_string(&record->account, rows[i].account), 0);
        assert_int_equal(record_set_string(&record->url, rows[i].url), 0);
        record->id = 7;
        record->rare->orphan = RECORD_UNCLAIMED;
        record->is_doomed = rows[i].is_doomed;
        assert_int_equal(orphans_add(&fixture->registry.orphans, record, 1, rows[i].added), 0);
        if (rows[i].is_listed)
            add(fixture, NULL, 7);
        match_at(fixture, fixture->gate, NOW - 10);
        is_there = orphans_find(&fixture->registry.orphans, 7, rows[i].url);
        if (is_there != rows[i].stays)
            fail_msg("row %zu: %s", i, is_there ? "stays" : "is dropped");
        assert_int_equal(fixture->registry.has_changes, !rows[i].stays);
        assert_int_equal(fixture->registry.orphans.n_doomed, rows[i].is_doomed);
        teardown((void **)&fixture);
    }
}

/* Several at once, and those between them stay. */
static void test_several_not_listed(void **state)
{
    Fixture *fixture = *state;

    fill(fixture);
    for (int64_t id = 1; id <= 7; id++)
        add_orphan(fixture, "x", id, RECORD_REMOVED, id == 4);
    add(fixture, "x", 2);
    add(fixture, "x", 6);
    match(fixture);
    assert_int_equal(fixture->registry.orphans.n_items, 3);
    assert_orphan(fixture, 2, "x", RECORD_REMOVED);
    assert_non_null(find_orphan(fixture, 4));
    assert_orphan(fixture, 6, "x", RECORD_REMOVED);
}

/* Declared again it is what is looked for, whyever nothing used it; unless it is being deleted. */
static void test_declared_again(void **state)
{
    (void)state;
    for (RecordOrphan reason = RECORD_REMOVED; reason <= RECORD_UNCLAIMED; reason++)
        for (int is_doomed = 0; is_doomed < 2; is_doomed++) {
            Fixture *fixture;
            Entry *entry;

            assert_int_equal(setup((void **)&fixture), 0);
            declare(fixture, "a");
            fill(fixture);
            add_orphan(fixture, "a", 7, reason, is_doomed);
            entry = find(fixture, "a");
            entry->is_post_unsent = true;
            add(fixture, "a", 7);
            match(fixture);
            assert_found(entry, is_doomed ? 0 : 7, NULL);
            /* What is there already must not be created; what goes is no reason not to create it. */
            assert_int_equal(entry->is_post_unsent, is_doomed);
            assert_orphan(fixture, 7, "a", reason); /* until it is adopted */
            /* Beside one that goes any other is used. */
            add(fixture, "a", 7);
            add(fixture, "a", 8);
            match(fixture);
            assert_found(entry, is_doomed ? 8 : 7, is_doomed ? NULL : "8");
            assert_int_equal(find_orphan(fixture, 8) != NULL, !is_doomed);
            teardown((void **)&fixture);
        }
}

/* Of another element than is declared: the one that was replaced by a change of the file, or one of which nobody knows. */
static void test_replaced(void **state)
{
    static const struct {
        RecordOrphan orphan; /* RECORD_IN_USE: it is none so far */
        const char *recorded, *listed;
        bool is_found, is_usable;
    } rows[] = {
        {RECORD_REPLACED, NULL, "github", false, false},
        {RECORD_REPLACED, NULL, "jira", true, true}, /* declared as it was before */
        {RECORD_REPLACED, NULL, NULL, true, true},
        {RECORD_REMOVED, NULL, "github", false, false}, /* its file was gone in between */
        {RECORD_UNCLAIMED, NULL, "github", true, false},
        {RECORD_IN_USE, NULL, "github", true, false},
        {RECORD_IN_USE, "github", "github", false, false}, /* until a successor is there */
        {RECORD_IN_USE, "github", "GitHub", false, false},
        {RECORD_IN_USE, "github", "jira", true, true}, /* that is it */
        {RECORD_IN_USE, "github", "sfdc", true, false},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        Fixture *fixture;
        const Entry *entry;

        assert_int_equal(setup((void **)&fixture), 0);
        declare(fixture, "a");
        if (rows[i].recorded)
            assert_int_equal(
                record_set_string(&add_record(fixture, "a", 7, "t")->element, rows[i].recorded), 0);
        fill(fixture);
        if (rows[i].orphan != RECORD_IN_USE)
            add_orphan(fixture, "a", 7, rows[i].orphan, false);
        entry = find(fixture, "a");
        assert_int_equal(entry->is_foreign, rows[i].recorded != NULL);
        add_row(fixture->gate, "a", 7, "t", rows[i].listed);
        match(fixture);
        if (entry->work->is_found != rows[i].is_found)
            fail_msg("row %zu: %s", i, entry->work->is_found ? "found" : "not found");
        assert_int_equal(entry->work->found.token != NULL, rows[i].is_usable);
        assert_int_equal(fixture->registry.orphans.n_items, rows[i].orphan != RECORD_IN_USE);
        teardown((void **)&fixture);
    }
}

/* Above the ceiling they are not told, and everything else goes on. */
static void test_full(void **state)
{
    Fixture *fixture = *state;

    declare(fixture, "a");
    fill(fixture);
    for (int64_t id = 1; id < ORPHANS_MAX; id++)
        add_orphan(fixture, "x", id, RECORD_REMOVED, true);
    add(fixture, "y", ORPHANS_MAX + 1);
    add(fixture, "y", ORPHANS_MAX + 2);
    add(fixture, "a", ORPHANS_MAX + 3);
    add(fixture, "a", ORPHANS_MAX + 4);
    match(fixture);
    assert_int_equal(fixture->registry.orphans.n_items, ORPHANS_MAX);
    assert_orphan(fixture, ORPHANS_MAX + 1, "y", RECORD_UNCLAIMED);
    assert_null(find_orphan(fixture, ORPHANS_MAX + 2));
    assert_found(find(fixture, "a"), ORPHANS_MAX + 3, "16388");
    assert_null(find_orphan(fixture, ORPHANS_MAX + 4));
    orphans_remove(&fixture->registry.orphans, find_orphan(fixture, 1));
    add(fixture, "y", ORPHANS_MAX + 1);
    add(fixture, "y", ORPHANS_MAX + 2);
    match(fixture);
    assert_orphan(fixture, ORPHANS_MAX + 2, "y", RECORD_UNCLAIMED);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_by_name),
        TEST(test_by_element),
        cmocka_unit_test(test_duplicates),
        TEST(test_listed_twice),
        cmocka_unit_test(test_unusable),
        TEST(test_unusable_alone),
        TEST(test_unsent_and_unusable),
        TEST(test_who_needs_none),
        TEST(test_again),
        TEST(test_unclaimed),
        cmocka_unit_test(test_left_over),
        TEST(test_not_left_over),
        TEST(test_in_use),
        TEST(test_same_id_elsewhere),
        TEST(test_other_account),
        TEST(test_undeclared_with_an_intent),
        cmocka_unit_test(test_not_listed),
        TEST(test_several_not_listed),
        cmocka_unit_test(test_declared_again),
        cmocka_unit_test(test_replaced),
        TEST(test_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
