#include "config/problem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "tests/unit/told.h"

static void test_format(void **state)
{
    Problems problems = {};

    (void)state;
    told_assert(&problems, NULL, "");
    problems_add(&problems, PROBLEM_ERROR, "/etc/a.json", (JsonPosition){3, 14}, "%s is %d", "it",
                 5);
    problems_add(&problems, PROBLEM_WARNING, "/etc/b.json", (JsonPosition){}, "whole file");
    assert_int_equal(problems.n_items, 2);
    assert_int_equal(problems.n_errors, 1);
    told_assert_all(&problems, NULL,
                    "/etc/a.json:3:14: it is 5\n"
                    "/etc/b.json:1:1: warning: whole file\n");
    assert_int_equal(problems.n_items, 0);
    assert_int_equal(problems.n_errors, 0);
}

/* Keys and names of files come from outside: they may not begin a line or move the cursor. */
static void test_clean(void **state)
{
    Problems problems = {};

    (void)state;
    problems_add(&problems, PROBLEM_ERROR, "/a\n\xFF\x1B[2J.json", (JsonPosition){1, 1},
                 "key \"%s\" \xE2\x80\xAE \xC2\x9B \xC3\xA9 %s", "a\r\nb", "\xC3");
    told_assert_all(&problems, NULL, "/a???[2J.json:1:1: key \"a??b\" ? ? \xC3\xA9 ?\n");
}

static void test_long_message(void **state)
{
    char text[PROBLEM_BYTES_MAX + 2];
    Problems problems = {};

    (void)state;
    memset(text, 'x', sizeof(text));
    text[PROBLEM_BYTES_MAX] = '\0';
    problems_add(&problems, PROBLEM_ERROR, "f", (JsonPosition){}, "%s", text);
    assert_string_equal(problems.items[0].message, text);
    text[PROBLEM_BYTES_MAX] = 'x';
    text[PROBLEM_BYTES_MAX + 1] = '\0';
    problems_add(&problems, PROBLEM_ERROR, "f", (JsonPosition){}, "%s", text);
    assert_int_equal(strlen(problems.items[1].message), PROBLEM_BYTES_MAX);
    assert_string_equal(problems.items[1].message + PROBLEM_BYTES_MAX - 4, "x…");
    /* Not in the middle of a character. */
    memcpy(text + PROBLEM_BYTES_MAX - 4, "\xC3\xA9", 2);
    problems_add(&problems, PROBLEM_ERROR, "f", (JsonPosition){}, "%s", text);
    assert_int_equal(strlen(problems.items[2].message), PROBLEM_BYTES_MAX - 1);
    assert_string_equal(problems.items[2].message + PROBLEM_BYTES_MAX - 5, "x…");
    problems_deinit(&problems);
}

static void test_close(void **state)
{
    static const JsonPosition order[] = {{9, 1}, {2, 7}, {2, 3}, {9, 1}, {1, 1}};
    Problems problems = {};
    char *error = NULL;
    Trouble trouble;

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(order); i++)
        problems_add(&problems, i < 3 ? PROBLEM_ERROR : PROBLEM_WARNING, "f", order[i], "%zu", i);
    assert_int_equal(problems_close(&problems, &error, &trouble), 0);
    assert_int_equal(trouble, TROUBLE_CONFIGURATION);
    assert_string_equal(error, "f:2:3: 2"); /* the first error, not the first problem */
    free(error);
    told_assert_all(&problems, NULL,
                    "f:1:1: warning: 4\n"
                    "f:2:3: 2\n"
                    "f:2:7: 1\n"
                    "f:9:1: 0\n"
                    "f:9:1: warning: 3\n");

    problems_add(&problems, PROBLEM_WARNING, "f", (JsonPosition){}, "only a warning");
    error = (char *)"";
    assert_int_equal(problems_close(&problems, &error, &trouble), 0);
    assert_null(error);
    assert_int_equal(trouble, TROUBLE_NONE);
    problems_deinit(&problems);
}

static void test_limit(void **state)
{
    Problems problems = {};
    char *error = NULL;
    Trouble trouble;

    (void)state;
    for (int i = 0; i < PROBLEMS_MAX; i++)
        problems_add(&problems, PROBLEM_WARNING, "f", (JsonPosition){1, (unsigned)i + 1}, "%d", i);
    assert_int_equal(problems.n_items, PROBLEMS_MAX);
    assert_int_equal(problems.n_dropped, 0);

    problems_add(&problems, PROBLEM_WARNING, "f", (JsonPosition){}, "one more");
    assert_int_equal(problems.n_items, PROBLEMS_MAX);
    assert_int_equal(problems.n_dropped, 1);
    assert_string_equal(problems.items[PROBLEMS_MAX - 1].message, "999");

    /* An error goes before a warning: the file must not pass for a good one. */
    problems_add(&problems, PROBLEM_ERROR, "f", (JsonPosition){9, 9}, "an error");
    assert_int_equal(problems.n_items, PROBLEMS_MAX);
    assert_int_equal(problems.n_dropped, 2);
    assert_string_equal(problems.items[PROBLEMS_MAX - 2].message, "998");
    assert_string_equal(problems.items[PROBLEMS_MAX - 1].message, "an error");
    assert_int_equal(problems_close(&problems, &error, &trouble), 0);
    assert_string_equal(error, "f:9:9: an error");
    free(error);
    problems_deinit(&problems);
}

static void test_all_errors(void **state)
{
    Problems problems = {};

    (void)state;
    for (int i = 0; i < PROBLEMS_MAX + 1; i++)
        problems_add(&problems, PROBLEM_ERROR, "f", (JsonPosition){}, "%d", i);
    assert_int_equal(problems.n_items, PROBLEMS_MAX);
    assert_int_equal(problems.n_dropped, 1);
    assert_int_equal(problems.n_errors, PROBLEMS_MAX + 1);
    assert_string_equal(problems.items[PROBLEMS_MAX - 1].message, "999");
    problems_deinit(&problems);
}

static void test_move(void **state)
{
    Problems all = {}, file = {};

    (void)state;
    problems_add(&all, PROBLEM_ERROR, "b", (JsonPosition){5, 5}, "first");
    problems_add(&file, PROBLEM_WARNING, "a", (JsonPosition){1, 1}, "second");
    problems_add(&file, PROBLEM_ERROR, "a", (JsonPosition){1, 2}, "third");
    file.is_out_of_memory = true;
    file.n_dropped = 3;
    problems_move(&all, &file);
    assert_int_equal(file.n_items, 0);
    assert_false(file.is_out_of_memory);
    assert_int_equal(all.n_errors, 2);
    assert_int_equal(all.n_dropped, 3);
    assert_true(all.is_out_of_memory);
    all.is_out_of_memory = false;
    told_assert_all(&all, NULL, "b:5:5: first\na:1:1: warning: second\na:1:2: third\n");

    for (int i = 0; i < PROBLEMS_MAX - 1; i++)
        problems_add(&all, PROBLEM_ERROR, "f", (JsonPosition){}, "%d", i);
    problems_add(&file, PROBLEM_ERROR, "f", (JsonPosition){}, "the last that fits");
    problems_add(&file, PROBLEM_ERROR, "f", (JsonPosition){}, "the first that does not");
    problems_move(&all, &file);
    assert_int_equal(all.n_items, PROBLEMS_MAX);
    assert_int_equal(all.n_dropped, 1);
    assert_string_equal(all.items[PROBLEMS_MAX - 1].message, "the last that fits");
    problems_deinit(&all);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_format),       cmocka_unit_test(test_clean),
        cmocka_unit_test(test_long_message), cmocka_unit_test(test_close),
        cmocka_unit_test(test_limit),        cmocka_unit_test(test_all_errors),
        cmocka_unit_test(test_move),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
