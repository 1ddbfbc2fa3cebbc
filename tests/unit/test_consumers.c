/*
 * Units that load a credential of elementd and would not notice that they get none: where they are, and which file counts.
 */

#include "config/consumers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "tests/unit/told.h"
#include "tests/unit/tree.h"

#define ETC "etc/systemd/system/"
#define RUN "run/systemd/system/"
#define LIB "usr/lib/systemd/system/"

#define START  "[Service]\nExecStart=/x\n"
#define LOADS  "LoadCredential=a:/run/elementd/credentials\n"
#define SIMPLE START LOADS
#define EXEC   "[Service]\nType=exec\n"

/* At its line 3, or 2 where it is a drop-in. */
#define TOLD(file, line, unit)                                                                     \
    "ROOT/" file ":" line ":1: warning: " unit                                                     \
    " loads a credential of elementd and is of Type=simple: with systemd before 256 it counts as " \
    "started while it still waits for that, and hangs if it gets none in time; say Type=exec (or " \
    "notify) in its [Service]\n"

static void assert_told(const Tree *tree, const char *expected)
{
    Problems problems = {};

    assert_int_equal(consumers_check(tree->path, &problems), 0);
    told_assert_all(&problems, tree->path, expected);
    problems_deinit(&problems);
}

static void test_nothing(void **state)
{
    const Tree *tree = *state;

    assert_told(tree, "");
    tree_put(tree, LIB "a.service", START, 0644);
    tree_put(tree, LIB "a.socket", SIMPLE, 0644);
    tree_put(tree, LIB ".service", SIMPLE, 0644);
    tree_put(tree, LIB "b.service/x", SIMPLE, 0644);
    tree_put(tree, LIB "c.service.d/x.conf", SIMPLE, 0644); /* of a unit that is not there */
    assert_told(tree, "");
}

static void test_each_folder(void **state)
{
    const Tree *tree = *state;

    tree_put(tree, ETC "d.service", SIMPLE, 0644);
    tree_put(tree, RUN "c.service", SIMPLE, 0644);
    tree_put(tree, "usr/local/lib/systemd/system/b.service", SIMPLE, 0644);
    tree_put(tree, LIB "a.service", SIMPLE, 0644);
    assert_told(tree, TOLD(LIB "a.service", "3", "a.service")
                          TOLD("usr/local/lib/systemd/system/b.service", "3", "b.service")
                              TOLD(RUN "c.service", "3", "c.service")
                                  TOLD(ETC "d.service", "3", "d.service"));
}

static void test_the_first_folder_wins(void **state)
{
    const Tree *tree = *state;

    tree_put(tree, LIB "a.service", SIMPLE, 0644);
    tree_put(tree, ETC "a.service", EXEC LOADS, 0644);
    tree_put(tree, LIB "b.service", SIMPLE, 0644);
    tree_link(tree, ETC "b.service", "/dev/null");
    tree_put(tree, LIB "c.service", SIMPLE, 0644);
    tree_put(tree, RUN "c.service", "", 0644);
    /* An alias is the same unit, and told once. */
    tree_put(tree, LIB "d.service", SIMPLE, 0644);
    tree_link(tree, ETC "alias.service", "../../../" LIB "d.service");
    tree_link(tree, ETC "linked.service", "../../../opt/linked.service");
    tree_put(tree, "opt/linked.service", SIMPLE, 0644);
    assert_told(tree, TOLD(LIB "d.service", "3", "d.service")
                          TOLD(ETC "linked.service", "3", "linked.service"));
}

static void test_drop_ins(void **state)
{
    const Tree *tree = *state;

    /* One loads it, one mends it, and one of that name in a folder that wins. */
    tree_put(tree, LIB "a.service", START, 0644);
    tree_put(tree, ETC "a.service.d/token.conf", "[Service]\n" LOADS, 0644);
    tree_put(tree, ETC "a.service.d/token.conf~", "[Service]\nType=exec\n", 0644);
    tree_put(tree, LIB "b.service", SIMPLE, 0644);
    tree_put(tree, RUN "b.service.d/type.conf", EXEC, 0644);
    tree_put(tree, LIB "c.service", SIMPLE, 0644);
    tree_put(tree, LIB "c.service.d/type.conf", EXEC, 0644);
    tree_put(tree, ETC "c.service.d/type.conf", "[Service]\n", 0644);
    /* By their names, whatever folder they are in: 20 is the last word. */
    tree_put(tree, LIB "d.service", SIMPLE, 0644);
    tree_put(tree, ETC "d.service.d/10.conf", EXEC, 0644);
    tree_put(tree, LIB "d.service.d/20.conf", "[Service]\nType=simple\n", 0644);
    assert_told(tree, TOLD(ETC "a.service.d/token.conf", "2", "a.service")
                          TOLD(LIB "c.service", "3", "c.service")
                              TOLD(LIB "d.service", "3", "d.service"));
}

static void test_drop_ins_for_several(void **state)
{
    const Tree *tree = *state;

    tree_put(tree, LIB "foo-bar-baz.service", SIMPLE, 0644);
    tree_put(tree, LIB "foo-other.service", SIMPLE, 0644);
    tree_put(tree, LIB "other.service", SIMPLE, 0644);
    tree_put(tree, ETC "foo-bar-.service.d/x.conf", EXEC, 0644);
    assert_told(tree, TOLD(LIB "foo-other.service", "3", "foo-other.service")
                          TOLD(LIB "other.service", "3", "other.service"));
    tree_put(tree, ETC "foo-.service.d/y.conf", EXEC, 0644);
    assert_told(tree, TOLD(LIB "other.service", "3", "other.service"));
    tree_put(tree, ETC "service.d/z.conf", EXEC, 0644);
    assert_told(tree, "");
    /* The most special of one name hides the others. */
    tree_put(tree, ETC "other.service.d/z.conf", "[Service]\n", 0644);
    assert_told(tree, TOLD(LIB "other.service", "3", "other.service"));
}

static void test_templates(void **state)
{
    const Tree *tree = *state;

    tree_put(tree, LIB "web@.service", SIMPLE, 0644);
    assert_told(tree, TOLD(LIB "web@.service", "3", "web@.service"));
    tree_put(tree, LIB "web@.service.d/x.conf", EXEC, 0644);
    assert_told(tree, "");
    tree_put(tree, ETC "web@1.service.d/y.conf", "[Service]\nType=simple\n", 0644);
    assert_told(tree, TOLD(LIB "web@.service", "3", "web@1.service"));
    tree_put(tree, ETC "web@2.service", EXEC, 0644);
    assert_told(tree, TOLD(LIB "web@.service", "3", "web@1.service"));
}

static void test_versions(void **state)
{
    const Tree *tree = *state;

    tree_put(tree, LIB "a.service", SIMPLE, 0644);
    tree_put(tree, "usr/lib/systemd/libsystemd-shared-255.so", "", 0644);
    assert_told(tree, TOLD(LIB "a.service", "3", "a.service"));
}

static void test_later_versions(void **state)
{
    const Tree *tree = *state;

    tree_put(tree, LIB "a.service", SIMPLE, 0644);
    tree_put(tree, "usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-256.4-1.so", "", 0644);
    assert_told(tree, "");
}

/* One past what is read, which says nothing then; and what is no file. */
static void test_file_ceiling(void **state)
{
    const Tree *tree = *state;
    char *text = malloc(CONFIG_FILE_BYTES_MAX + 1);
    size_t size = strlen(SIMPLE);

    assert_non_null(text);
    memset(text, '\n', CONFIG_FILE_BYTES_MAX + 1);
    memcpy(text, SIMPLE, size);
    tree_put_bytes(tree, LIB "a.service", text, CONFIG_FILE_BYTES_MAX, 0644);
    tree_put_bytes(tree, LIB "b.service", text, CONFIG_FILE_BYTES_MAX + 1, 0644);
    assert_int_equal(mkfifo(tree_path(tree, LIB "c.service"), 0644), 0);
    tree_put(tree, LIB "d.service", SIMPLE, 0644);
    tree_put(tree, LIB "d.service.d/x.conf", "", 0644);
    assert_int_equal(mkfifo(tree_path(tree, LIB "d.service.d/y.conf"), 0644), 0);
    assert_told(tree,
                TOLD(LIB "a.service", "3", "a.service") TOLD(LIB "d.service", "3", "d.service"));
    free(text);
}

static void test_drop_in_ceiling(void **state)
{
    const Tree *tree = *state;

    tree_put(tree, LIB "a.service", SIMPLE, 0644);
    for (int i = 0; i < CONSUMER_FILES_MAX; i++) {
        char name[64];

        (void)snprintf(name, sizeof(name), ETC "a.service.d/%03d.conf", i);
        tree_put(tree, name, "[Service]\n", 0644);
    }
    assert_told(tree, TOLD(LIB "a.service", "3", "a.service"));
    /* One more, of a folder that comes later, is not looked at. */
    tree_put(tree, LIB "a.service.d/999.conf", EXEC, 0644);
    assert_told(tree, TOLD(LIB "a.service", "3", "a.service"));
}

static void test_unit_ceiling(void **state)
{
    const Tree *tree = *state;

    tree_put(tree, ETC "unit.service", START, 0644);
    for (int i = 1; i < CONSUMERS_MAX; i++) {
        char name[64];

        (void)snprintf(name, sizeof(name), ETC "unit-%04d.service", i);
        tree_put_again(tree, name, ETC "unit.service");
    }
    tree_put(tree, LIB "last.service", SIMPLE, 0644);
    assert_told(tree, "");
    assert_int_equal(remove(tree_path(tree, ETC "unit-0001.service")), 0);
    assert_told(tree, TOLD(LIB "last.service", "3", "last.service"));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, tree_setup, tree_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_nothing),
        TEST(test_each_folder),
        TEST(test_the_first_folder_wins),
        TEST(test_drop_ins),
        TEST(test_drop_ins_for_several),
        TEST(test_templates),
        TEST(test_versions),
        TEST(test_later_versions),
        TEST(test_file_ceiling),
        TEST(test_drop_in_ceiling),
        TEST(test_unit_ceiling),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
