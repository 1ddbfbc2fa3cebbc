/*
 * What came of a reload: names in order, problems that are errors, and nothing of it borrowed.
 */

#include "daemon/reload.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"

/* ---- pieces ---- */

typedef struct Fixture {
    Reload reload;
    Entry entries[16];
    char *names[16];
    Entry *pointers[16];
    Registry registry; /* of these entries */
    Problems problems;
} Fixture;

static int setup(void **state)
{
    Fixture *fixture = calloc(1, sizeof(*fixture));

    reload_init(&fixture->reload);
    fixture->registry.entries = fixture->pointers;
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    Fixture *fixture = *state;

    for (size_t i = 0; i < fixture->registry.n_entries; i++)
        free(fixture->names[i]);
    problems_deinit(&fixture->problems);
    reload_deinit(&fixture->reload);
    free(fixture);
    return 0;
}

static void add(Fixture *fixture, const char *name, EntryChange change)
{
    size_t n = fixture->registry.n_entries++;

    fixture->names[n] = strdup(name);
    fixture->entries[n] = (Entry){.served.name = fixture->names[n], .change = change};
    fixture->pointers[n] = &fixture->entries[n];
}

static void assert_names(const char *const *names, const char *expected)
{
    char text[256] = "";

    assert_non_null(names);
    for (; *names; names++) {
        size_t n = strlen(text);

        (void)snprintf(text + n, sizeof(text) - n, "%s%s", n > 0 ? " " : "", *names);
    }
    assert_string_equal(text, expected);
}

/* Of reload `number`; all lists are there, be they empty. */
static void assert_applied(const Fixture *fixture, uint64_t number, const char *added,
                           const char *changed, const char *removed)
{
    const ServedReload *served = reload_find(&fixture->reload, number);

    assert_non_null(served);
    assert_true(served->is_applied);
    assert_names(served->added, added);
    assert_names(served->changed, changed);
    assert_names(served->removed, removed);
    assert_int_equal(served->n_problems, 0);
}

static const ServedReload *find_refused(const Fixture *fixture, uint64_t number, size_t n_problems)
{
    const ServedReload *served = reload_find(&fixture->reload, number);

    assert_non_null(served);
    assert_false(served->is_applied);
    assert_names(served->added, "");
    assert_names(served->changed, "");
    assert_names(served->removed, "");
    assert_non_null(served->problems);
    assert_int_equal(served->n_problems, n_problems);
    return served;
}

static void assert_problem(const ServedProblem *problem, const char *file, unsigned line,
                           unsigned column, const char *message)
{
    assert_string_equal(problem->file, file);
    assert_int_equal(problem->line, line);
    assert_int_equal(problem->column, column);
    assert_string_equal(problem->message, message);
}

/* ---- tests ---- */

static void test_none(void **state)
{
    const Fixture *fixture = *state;

    assert_null(reload_find(&fixture->reload, 1));
    assert_null(reload_find(&fixture->reload, UINT64_MAX));
}

static void test_applied(void **state)
{
    Fixture *fixture = *state;

    reload_set_applied(&fixture->reload, 1, &fixture->registry);
    assert_applied(fixture, 1, "", "", "");
    add(fixture, "a", ENTRY_CHANGED);
    add(fixture, "b", ENTRY_ADDED);
    add(fixture, "c", ENTRY_SAME);
    add(fixture, "d", ENTRY_REMOVED);
    add(fixture, "e", ENTRY_ADDED);
    add(fixture, "f", ENTRY_CHANGED);
    add(fixture, "g", ENTRY_CHANGED);
    add(fixture, "h", ENTRY_REMOVED);
    reload_set_applied(&fixture->reload, 2, &fixture->registry);
    assert_applied(fixture, 2, "b e", "a f g", "d h");
    /* By copies: entries go, and what came of it stays. */
    for (size_t i = 0; i < fixture->registry.n_entries; i++)
        memset(fixture->names[i], 'x', 1);
    assert_applied(fixture, 2, "b e", "a f g", "d h");
    /* Each is told anew, and nothing is left of the one before. */
    for (size_t i = 0; i < fixture->registry.n_entries; i++)
        fixture->entries[i].change = ENTRY_SAME;
    reload_set_applied(&fixture->reload, 3, &fixture->registry);
    assert_applied(fixture, 3, "", "", "");
}

/* Whose turn is over is told of the newest, and whose is not, of none. */
static void test_numbers(void **state)
{
    Fixture *fixture = *state;

    add(fixture, "a", ENTRY_ADDED);
    reload_set_applied(&fixture->reload, 3, &fixture->registry);
    for (uint64_t number = 1; number <= 3; number++)
        assert_applied(fixture, number, "a", "", "");
    assert_null(reload_find(&fixture->reload, 4));
    reload_set_failed(&fixture->reload, 4, "f", "m");
    assert_non_null(reload_find(&fixture->reload, 4));
    assert_ptr_equal(reload_find(&fixture->reload, 3), reload_find(&fixture->reload, 4));
    assert_null(reload_find(&fixture->reload, 5));
    reload_deinit(&fixture->reload);
    assert_null(reload_find(&fixture->reload, 1));
}

/* Warnings are for the log: a configuration is not refused for them. */
static void test_refused(void **state)
{
    Fixture *fixture = *state;
    const ServedReload *served;

    add(fixture, "a", ENTRY_ADDED);
    reload_set_applied(&fixture->reload, 1, &fixture->registry);
    problems_add(&fixture->problems, PROBLEM_WARNING, "/a", (JsonPosition){1, 2}, "warning");
    problems_add(&fixture->problems, PROBLEM_ERROR, "/b", (JsonPosition){3, 4}, "first");
    problems_add(&fixture->problems, PROBLEM_WARNING, "/c", (JsonPosition){5, 6}, "warning");
    problems_add(&fixture->problems, PROBLEM_ERROR, "/d", (JsonPosition){}, "second");
    reload_set_refused(&fixture->reload, 2, &fixture->problems);
    problems_deinit(&fixture->problems);
    served = find_refused(fixture, 2, 2);
    assert_problem(&served->problems[0], "/b", 3, 4, "first");
    assert_problem(&served->problems[1], "/d", 1, 1, "second");
    reload_set_applied(&fixture->reload, 3, &fixture->registry);
    assert_applied(fixture, 3, "a", "", "");
}

static void test_failed(void **state)
{
    Fixture *fixture = *state;
    char file[] = "/etc/elementd", message[] = "cannot be read";
    const ServedReload *served;

    reload_set_failed(&fixture->reload, 1, file, message);
    file[0] = message[0] = 'x';
    served = find_refused(fixture, 1, 1);
    assert_problem(&served->problems[0], "/etc/elementd", 1, 1, "cannot be read");
}

/* As many problems as one load keeps, each of them as long as it may be. */
static void test_largest(void **state)
{
    Fixture *fixture = *state;
    char file[4096];
    char message[PROBLEM_BYTES_MAX + 1];
    const ServedReload *served;

    memset(file, 'f', sizeof(file) - 1);
    file[sizeof(file) - 1] = '\0';
    memset(message, 'm', sizeof(message) - 1);
    message[sizeof(message) - 1] = '\0';
    for (int i = 0; i <= PROBLEMS_MAX; i++)
        problems_add(&fixture->problems, PROBLEM_ERROR, file, (JsonPosition){1, 1}, "%s", message);
    reload_set_refused(&fixture->reload, 1, &fixture->problems);
    served = find_refused(fixture, 1, PROBLEMS_MAX);
    for (size_t i = 0; i < PROBLEMS_MAX; i++)
        assert_problem(&served->problems[i], file, 1, 1, fixture->problems.items[i].message);
}

/* As many names as there may be, as long as they may be, in one list. */
static void test_most_names(void **state)
{
    Fixture *fixture = *state;
    Entry *entries = calloc(2 * INSTANCES_MAX, sizeof(*entries));
    Entry **pointers = calloc(2 * INSTANCES_MAX, sizeof(*pointers));
    static char name[NAME_BYTES_MAX + 1];
    size_t n = 0;

    memset(name, 'n', NAME_BYTES_MAX);
    for (size_t i = 0; i < 2 * INSTANCES_MAX; i++) {
        entries[i] = (Entry){.served.name = name,
                             .change = i % 2 == 0 ? ENTRY_ADDED : ENTRY_REMOVED};
        pointers[i] = &entries[i];
    }
    reload_set_applied(&fixture->reload, 1,
                       &(Registry){.entries = pointers, .n_entries = 2 * INSTANCES_MAX});
    while (reload_find(&fixture->reload, 1)->added[n])
        n++;
    assert_int_equal(n, INSTANCES_MAX);
    for (n = 0; reload_find(&fixture->reload, 1)->removed[n];)
        n++;
    assert_int_equal(n, INSTANCES_MAX);
    free(entries);
    free(pointers);
}

/* ---- without memory ---- */

/* With each amount of memory that it may have: names are missing from the end on, and none is made up. */
static void test_applied_without_memory(void **state)
{
    Fixture *fixture = *state;
    size_t most = 0;

    add(fixture, "a", ENTRY_ADDED);
    add(fixture, "b", ENTRY_ADDED);
    add(fixture, "c", ENTRY_REMOVED);
    for (size_t max = 0; max <= 256; max++) {
        const ServedReload *served;
        size_t n = 0;

        arena_deinit(&fixture->reload.arena);
        fixture->reload.arena = ARENA_INIT(max);
        reload_set_applied(&fixture->reload, 1, &fixture->registry);
        served = reload_find(&fixture->reload, 1);
        assert_true(served->is_applied);
        for (; served->added[n]; n++)
            assert_string_equal(served->added[n], n == 0 ? "a" : "b");
        assert_in_range(n, most, 2);
        most = n;
        assert_names(served->changed, "");
        if (served->removed[0])
            assert_names(served->removed, "c");
    }
    assert_applied(fixture, 1, "a b", "", "c");
}

/* One that was not applied has a problem at least, be it that there was no memory for it. */
static void test_refused_without_memory(void **state)
{
    Fixture *fixture = *state;

    problems_add(&fixture->problems, PROBLEM_ERROR, "/b", (JsonPosition){3, 4}, "first");
    for (size_t max = 0; max <= 256; max++)
        for (int is_failed = 0; is_failed < 2; is_failed++) {
            const ServedProblem *problem;

            arena_deinit(&fixture->reload.arena);
            fixture->reload.arena = ARENA_INIT(max);
            if (is_failed)
                reload_set_failed(&fixture->reload, 1, "/b", "first");
            else
                reload_set_refused(&fixture->reload, 1, &fixture->problems);
            problem = find_refused(fixture, 1, 1)->problems;
            assert_true(problem->line > 0 && problem->column > 0);
            assert_true(strcmp(problem->file, "/b") == 0 || strcmp(problem->file, "") == 0 ||
                        strcmp(problem->file, "out of memory") == 0);
            assert_true(strcmp(problem->message, max == 256 ? "first" : "out of memory") == 0 ||
                        strcmp(problem->message, "first") == 0);
        }
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_none),
        TEST(test_applied),
        TEST(test_numbers),
        TEST(test_refused),
        TEST(test_failed),
        TEST(test_largest),
        TEST(test_most_names),
        TEST(test_applied_without_memory),
        TEST(test_refused_without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
