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
    record->account = strdup("default");
    record->url = strdup(fixture->account->url);
    record->id = id;
    record->orphan = reason;
    record->is_doomed = is_doomed;
    assert_int_equal(orphans_add(orphans, record, 1, 0), 0);
    return orphans_find(orphans, id, fixture->account->url);
}

static void assert_found(const Entry *entry, int64_t id, const char *duplicates)
{
    assert_int_equal(entry->is_found, id != 0);
    assert_int_equal(entry->found.id, id);
    if (!duplicates) {
        assert_null(entry->duplicates);
    } else {
        char words[256];

        (void)snprintf(words, sizeof(words),
                       "the platform has more than one instance with our tag: %lld is used; left "
                       "over, for you to delete there: %s",
                       (long long)id, duplicates);
        assert_non_null(entry->duplicates);
        assert_string_equal(entry->duplicates, words);
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
    match_rows(&fixture->registry, fixture->gate, NOW);
    assert_found(find(fixture, "a"), 0, NULL);
    assert_found(find(fixture, "a.b"), 7, NULL);
    assert_found(find(fixture, "b"), 3, NULL);
    assert_string_equal(secret_reveal(find(fixture, "b")->found.token), "t");
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
    match_rows(&fixture->registry, fixture->gate, NOW);
    assert_found(find(fixture, "a"), 2, "1");
    assert_found(find(fixture, "b"), 3, NULL);
    assert_found(find(fixture, "c"), 4, NULL);
    assert_null(find(fixture, "c")->found.token);
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
        match_rows(&fixture->registry, fixture->gate, NOW);
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
    match_rows(&fixture->registry, fixture->gate, NOW);
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
        match_rows(&fixture->registry, fixture->gate, NOW);
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
    match_rows(&fixture->registry, fixture->gate, NOW);
    assert_true(find(fixture, "a")->is_found);
    assert_null(find(fixture, "a")->found.token);
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
    match_rows(&fixture->registry, fixture->gate, NOW);
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
    match_rows(&fixture->registry, fixture->gate, NOW);
    assert_found(find(fixture, "a"), 1, "2");
    add_row(fixture->gates.items[1], "theirs", 9, "t", "jira");
    match_rows(&fixture->registry, fixture->gates.items[1], NOW);
    assert_found(find(fixture, "a"), 1, "2");
    assert_found(find(fixture, "theirs"), 9, NULL);
    for (size_t i = 0; i < fixture->gate->n_rows; i++)
        platform_instance_deinit(&fixture->gate->rows[i]);
    fixture->gate->n_rows = 0;
    match_rows(&fixture->registry, fixture->gate, NOW);
    assert_found(find(fixture, "a"), 0, NULL);
    assert_found(find(fixture, "theirs"), 9, NULL);
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
        TEST(test_who_needs_none),
        TEST(test_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
