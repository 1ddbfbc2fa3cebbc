#include "config/dropin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "tests/unit/told.h"
#include "tests/unit/tree.h"

#define NOBODY 65534

/* Of its name alone, the same file is found as among all. */
static void assert_found_alone(const Paths *paths, const Dropin *dropin)
{
    Problems problems = {};
    Dropins dropins;

    assert_int_equal(dropins_find_one(&dropins, paths, "x.d", dropin->name, &problems), 0);
    assert_int_equal(dropins.n_items, 1);
    assert_string_equal(dropins.items[0].name, dropin->name);
    assert_string_equal(dropins.items[0].file, dropin->file);
    dropins_deinit(&dropins);
    problems_deinit(&problems);
}

/*
 * Finds and reads all drop-ins of "x.d" below the tree, and asserts the files that are used, each with its text
 * ("/etc/elementd/x.d/a.json=TEXT\n"), and what is told.
 */
static void assert_found(const Tree *tree, size_t max, const char *found, const char *told,
                         bool is_incomplete)
{
    Problems problems = {};
    Dropins dropins;
    Paths paths;
    char *lines = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&lines, &size);

    assert_non_null(stream);
    assert_int_equal(paths_init(&paths, tree->path), 0);
    assert_int_equal(dropins_find(&dropins, &paths, "x.d", max, &problems), 0);
    for (size_t i = 0; i < dropins.n_items; i++) {
        Buffer text = BUFFER_INIT(CONFIG_FILE_BYTES_MAX);
        bool is_world_readable;

        assert_found_alone(&paths, &dropins.items[i]);
        if (dropin_read(&dropins.items[i], &text, &problems, &is_world_readable) == 0)
            (void)fprintf(stream, "%s=%.*s\n", dropins.items[i].file + strlen(tree->path),
                          (int)buffer_size(&text), buffer_data(&text));
        buffer_deinit(&text);
    }
    assert_int_equal(fclose(stream), 0);
    assert_string_equal(lines, found);
    told_assert_all(&problems, tree->path, told);
    assert_int_equal(dropins.is_incomplete, is_incomplete);
    free(lines);
    dropins_deinit(&dropins);
    paths_deinit(&paths);
}

static void test_absent(void **state)
{
    assert_found(*state, 10, "", "", false);
}

static void test_override(void **state)
{
    const Tree *tree = *state;

    tree_put(tree, "usr/lib/elementd/x.d/a.json", "usr", 0644);
    assert_found(tree, 10, "/usr/lib/elementd/x.d/a.json=usr\n", "", false);
    tree_put(tree, "run/elementd/x.d/a.json", "run", 0644);
    assert_found(tree, 10, "/run/elementd/x.d/a.json=run\n", "", false);
    tree_put(tree, "etc/elementd/x.d/a.json", "etc", 0644);
    assert_found(tree, 10, "/etc/elementd/x.d/a.json=etc\n", "", false);
    /* Another name hides nothing; all come in the order of their names, without the suffix. */
    tree_put(tree, "usr/lib/elementd/x.d/a-b.json", "1", 0644);
    tree_put(tree, "run/elementd/x.d/B.json", "2", 0644);
    tree_put(tree, "etc/elementd/x.d/a.b.json", "3", 0644);
    assert_found(tree, 10,
                 "/run/elementd/x.d/B.json=2\n"
                 "/etc/elementd/x.d/a.json=etc\n"
                 "/usr/lib/elementd/x.d/a-b.json=1\n"
                 "/etc/elementd/x.d/a.b.json=3\n",
                 "", false);
}

static void test_mask(void **state)
{
    const Tree *tree = *state;

    tree_put(tree, "usr/lib/elementd/x.d/a.json", "usr", 0644);
    tree_put(tree, "usr/lib/elementd/x.d/b.json", "usr", 0644);
    tree_put(tree, "usr/lib/elementd/x.d/c.json", "usr", 0644);
    tree_link(tree, "run/elementd/x.d/a.json", "/dev/null");
    tree_put(tree, "run/elementd/x.d/b.json", "", 0644);
    /* What is masked in a lower tree comes back by a higher one. */
    tree_link(tree, "run/elementd/x.d/c.json", "/dev/null");
    tree_put(tree, "etc/elementd/x.d/c.json", "etc", 0644);
    assert_found(tree, 10, "/etc/elementd/x.d/c.json=etc\n", "", false);
}

static void test_ignored(void **state)
{
    static const char *const names[] = {
        ".hidden.json",  ".json",       "a.json~",    "a.json.dpkg-old", "a.json.dpkg-new",
        "a.json.rpmnew", "#a.json#",    "a.json.bak", "README",          "a.jsonc",
        "json",          ".a.json.swp", ".#a.json",
    };
    const Tree *tree = *state;

    for (size_t i = 0; i < N_ELEMENTS(names); i++) {
        char path[128];

        (void)snprintf(path, sizeof(path), "etc/elementd/x.d/%s", names[i]);
        tree_put(tree, path, "x", 0644);
    }
    assert_found(tree, 10, "", "", false);
}

#define BAD_NAME                                                                                    \
    ":1:1: not used, since its name is not valid: before \".json\" there must be 1 to 64 letters, " \
    "digits, \".\", \"_\" and \"-\", the first of them a letter or digit\n"

static void test_bad_names(void **state)
{
    char good[128] = "etc/elementd/x.d/", bad[128] = "etc/elementd/x.d/", found[160];
    const Tree *tree = *state;

    tree_put(tree, "etc/elementd/x.d/a b.json", "x", 0644);
    tree_put(tree, "etc/elementd/x.d/-a.json", "x", 0644);
    tree_put(tree, "etc/elementd/x.d/_.json", "x", 0644);
    tree_put(tree, "etc/elementd/x.d/\xC3\xA9\xFF\n.json", "x", 0644);
    /* Hidden or masked, there is nothing to be told of them. */
    tree_put(tree, "run/elementd/x.d/a b.json", "x", 0644);
    tree_link(tree, "etc/elementd/x.d/c d.json", "/dev/null");
    tree_put(tree, "etc/elementd/x.d/e f.json", "", 0644);
    tree_put(tree, "run/elementd/x.d/e f.json", "x", 0644);
    /* 64 characters are a name, 65 none. */
    memset(good + strlen(good), 'n', 64);
    memset(bad + strlen(bad), 'n', 65);
    (void)strncat(good, ".json", 6);
    (void)strncat(bad, ".json", 6);
    tree_put(tree, good, "x", 0644);
    tree_put(tree, bad, "x", 0644);
    (void)snprintf(found, sizeof(found), "/%s=x\n", good);
    assert_found(
        tree, 10, found,
        "ROOT/etc/elementd/x.d/-a.json" BAD_NAME "ROOT/etc/elementd/x.d/_.json" BAD_NAME
        "ROOT/etc/elementd/x.d/a b.json" BAD_NAME
        "ROOT/etc/elementd/x.d/nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
        ".json" BAD_NAME "ROOT/etc/elementd/x.d/\xC3\xA9??.json" BAD_NAME,
        false);
}

static void test_refused(void **state)
{
    const Tree *tree = *state;

    tree_put(tree, "etc/elementd/x.d/group.json", "x", 0664);
    tree_put(tree, "etc/elementd/x.d/others.json", "x", 0646);
    tree_put(tree, "etc/elementd/x.d/unmask.json", "", 0666);
    tree_link(tree, "etc/elementd/x.d/nowhere.json", "/nonexistent/file");
    tree_link(tree, "etc/elementd/x.d/link.json", "../good");
    tree_put(tree, "etc/elementd/good", "good", 0644);
    assert_int_equal(mkdir(tree_path(tree, "etc/elementd/x.d/dir.json"), 0755), 0);
    assert_int_equal(mkfifo(tree_path(tree, "etc/elementd/x.d/pipe.json"), 0644), 0);
    tree_link(tree, "etc/elementd/x.d/zero.json", "/dev/zero");
    /* A refused file still hides the lower one, which may allow more. */
    tree_put(tree, "run/elementd/x.d/group.json", "lower", 0644);
    assert_found(
        tree, 10, "/etc/elementd/x.d/link.json=good\n",
        "ROOT/etc/elementd/x.d/dir.json:1:1: not a regular file, nor a link to one\n"
        "ROOT/etc/elementd/x.d/group.json:1:1: not used, since others than its owner may write it: "
        "chmod go-w it\n"
        "ROOT/etc/elementd/x.d/nowhere.json:1:1: cannot be read: it is gone, or a link that leads "
        "nowhere\n"
        "ROOT/etc/elementd/x.d/others.json:1:1: not used, since others than its owner may write it: "
        "chmod go-w it\n"
        "ROOT/etc/elementd/x.d/pipe.json:1:1: not a regular file, nor a link to one\n"
        "ROOT/etc/elementd/x.d/unmask.json:1:1: not used, since others than its owner may write it: "
        "chmod go-w it\n"
        "ROOT/etc/elementd/x.d/zero.json:1:1: not a regular file, nor a link to one\n",
        false);
}

/* As a user who is not root, who must be told of what is closed to them. */
static void test_unreadable(void **state)
{
    const Tree *tree = *state;

    tree_put(tree, "etc/elementd/x.d/a.json", "x", 0600);
    tree_put(tree, "run/elementd/x.d/b.json", "x", 0644);
    if (geteuid() != 0) {
        print_message("only root can become another user\n");
        skip();
    }
    assert_int_equal(chmod(tree_path(tree, "run/elementd/x.d"), 0700), 0);
    assert_int_equal(seteuid(NOBODY), 0);
    assert_found(
        tree, 10, "",
        "ROOT/run/elementd/x.d:1:1: cannot be opened: Permission denied\n"
        "ROOT/etc/elementd/x.d/a.json:1:1: cannot be read: Permission denied: the service's user "
        "must be able to read it\n",
        true);
    assert_int_equal(seteuid(0), 0);
}

static void test_of_another(void **state)
{
    const Tree *tree = *state;

    if (geteuid() != 0) {
        print_message("only root can give a file away\n");
        skip();
    }
    tree_put(tree, "etc/elementd/x.d/a.json", "x", 0600);
    assert_int_equal(chown(tree_path(tree, "etc/elementd/x.d/a.json"), NOBODY, NOBODY), 0);
    assert_found(
        tree, 10, "",
        "ROOT/etc/elementd/x.d/a.json:1:1: not used, since it belongs to neither root nor the "
        "service's user: chown it to root\n",
        false);
}

static void test_directories(void **state)
{
    const Tree *tree = *state;

    tree_put(tree, "etc/elementd/x.d/a.json", "x", 0644);
    tree_put(tree, "run/elementd/x.d", "a file", 0644);
    assert_int_equal(chmod(tree_path(tree, "etc/elementd/x.d"), 0777), 0);
    assert_found(
        tree, 10, "/etc/elementd/x.d/a.json=x\n",
        "ROOT/etc/elementd/x.d:1:1: warning: who may write this directory decides what is declared, "
        "and others than its owner may write it: chmod go-w it\n"
        "ROOT/run/elementd/x.d:1:1: cannot be opened: Not a directory\n",
        true);
}

/* One file of the largest size, and one that is larger by a byte. */
static void test_file_limit(void **state)
{
    _cleanup_(freep) char *text = malloc(CONFIG_FILE_BYTES_MAX + 1);
    _cleanup_(freep) char *found = malloc(CONFIG_FILE_BYTES_MAX + 64);
    const Tree *tree = *state;

    assert_non_null(text);
    assert_non_null(found);
    memset(text, 'x', CONFIG_FILE_BYTES_MAX + 1);
    tree_put_bytes(tree, "etc/elementd/x.d/a.json", text, CONFIG_FILE_BYTES_MAX, 0644);
    tree_put_bytes(tree, "etc/elementd/x.d/b.json", text, CONFIG_FILE_BYTES_MAX + 1, 0644);
    (void)snprintf(found, CONFIG_FILE_BYTES_MAX + 64, "/etc/elementd/x.d/a.json=%.*s\n",
                   CONFIG_FILE_BYTES_MAX, text);
    assert_found(tree, 10, found, "ROOT/etc/elementd/x.d/b.json:1:1: larger than 262144 bytes\n",
                 false);
}

/* Files that are looked at: four times those that may be loaded, and one more. */
static void test_files_limit(void **state)
{
    const Tree *tree = *state;

    tree_put(tree, "etc/elementd/x.d/a.json", "1", 0644);
    tree_put(tree, "etc/elementd/x.d/b.json", "2", 0644);
    tree_put(tree, "etc/elementd/x.d/c.json", "3", 0644);
    tree_put(tree, "run/elementd/x.d/a.json", "4", 0644);
    assert_found(tree, 1,
                 "/etc/elementd/x.d/a.json=1\n"
                 "/etc/elementd/x.d/b.json=2\n"
                 "/etc/elementd/x.d/c.json=3\n",
                 "", false);
    tree_put(tree, "usr/lib/elementd/x.d/d.json", "5", 0644);
    assert_found(
        tree, 1,
        "/etc/elementd/x.d/a.json=1\n"
        "/etc/elementd/x.d/b.json=2\n"
        "/etc/elementd/x.d/c.json=3\n",
        "ROOT/usr/lib/elementd/x.d:1:1: more than 4 files: not all of them are looked at\n", true);
}

static void test_one_file(void **state)
{
    static const char *const files[] = {
        NULL,
        "usr/lib/elementd/s.json",
        "run/elementd/s.json",
        "etc/elementd/s.json",
    };
    const Tree *tree = *state;
    Paths paths;

    assert_int_equal(paths_init(&paths, tree->path), 0);
    for (size_t i = 0; i < N_ELEMENTS(files); i++) {
        Problems problems = {};
        Dropins dropins;

        if (files[i])
            tree_put(tree, files[i], "x", 0644);
        assert_int_equal(dropins_find_file(&dropins, &paths, "s.json", &problems), 0);
        assert_int_equal(dropins.n_items, files[i] ? 1 : 0);
        if (files[i]) {
            assert_string_equal(dropins.items[0].name, "s");
            assert_string_equal(dropins.items[0].file, tree_path(tree, files[i]));
        }
        told_assert_all(&problems, NULL, "");
        dropins_deinit(&dropins);
    }
    paths_deinit(&paths);
}

/* The names of others, in the same tree or another, are not looked at. */
static void test_none_of_a_name(void **state)
{
    const Tree *tree = *state;
    Problems problems = {};
    Dropins dropins;
    Paths paths;

    assert_int_equal(paths_init(&paths, tree->path), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(dropins_find_one(&dropins, &paths, "x.d", "a", &problems), 0);
        assert_int_equal(dropins.n_items, 0);
        assert_false(dropins.is_incomplete);
        told_assert_all(&problems, NULL, "");
        dropins_deinit(&dropins);
        tree_put(tree, "etc/elementd/x.d/a", "x", 0644);
        tree_put(tree, "run/elementd/x.d/a.json.json", "x", 0644);
        tree_put(tree, "usr/lib/elementd/x.d/.a.json", "x", 0644);
    }
    paths_deinit(&paths);
}

static void assert_has_folder(const Tree *tree, bool expected)
{
    Problems problems = {};
    Dropins dropins;
    Paths paths;

    assert_int_equal(paths_init(&paths, tree->path), 0);
    assert_int_equal(dropins_find(&dropins, &paths, "x.d", 10, &problems), 0);
    assert_int_equal(dropins_has_folder(&dropins), expected);
    dropins_deinit(&dropins);
    assert_false(dropins_has_folder(&dropins));
    problems_deinit(&problems);
    paths_deinit(&paths);
}

/* In any of the trees, and be it empty; a tree without it, or a file in its place, is none. */
static void test_has_folder(void **state)
{
    static const char *const folders[] = {"etc/elementd", "run/elementd", "usr/lib/elementd"};
    const Tree *tree = *state;
    char name[64];

    assert_has_folder(tree, false);
    for (size_t i = 0; i < N_ELEMENTS(folders); i++) {
        (void)snprintf(name, sizeof(name), "%s/y.d/a.json", folders[i]);
        tree_put(tree, name, "{}", 0644);
    }
    assert_has_folder(tree, false);
    tree_put(tree, "etc/elementd/x.d", "a file", 0644);
    assert_has_folder(tree, false);
    assert_int_equal(unlink(tree_path(tree, "etc/elementd/x.d")), 0);
    for (size_t i = 0; i < N_ELEMENTS(folders); i++) {
        const char *path;

        (void)snprintf(name, sizeof(name), "%s/x.d", folders[i]);
        path = tree_path(tree, name);
        assert_int_equal(mkdir(path, 0755), 0);
        assert_has_folder(tree, true);
        assert_int_equal(rmdir(path), 0);
        assert_has_folder(tree, false);
    }
}

static void assert_may_have_any(const Tree *tree, bool expected)
{
    Paths paths;

    assert_int_equal(paths_init(&paths, tree->path), 0);
    assert_int_equal(dropins_may_have_any(&paths, "x.d"), expected);
    paths_deinit(&paths);
}

/* In any of the trees; what can be no drop-in does not count, and what is in one is not looked at. */
static void test_may_have_any(void **state)
{
    static const char *const names[] = {"etc/elementd/x.d/a.json", "run/elementd/x.d/a.json",
                                        "usr/lib/elementd/x.d/not valid.json"};
    const Tree *tree = *state;

    assert_may_have_any(tree, false);
    tree_put(tree, "etc/elementd/y.d/a.json", "{}", 0644);
    tree_put(tree, "etc/elementd/x.d/a.json~", "{}", 0644);
    tree_put(tree, "etc/elementd/x.d/.a.json", "{}", 0644);
    assert_may_have_any(tree, false);
    for (size_t i = 0; i < N_ELEMENTS(names); i++) {
        tree_put(tree, names[i], "{", 0000);
        assert_may_have_any(tree, true);
        assert_int_equal(unlink(tree_path(tree, names[i])), 0);
        assert_may_have_any(tree, false);
    }
}

#define test(name) cmocka_unit_test_setup_teardown(name, tree_setup, tree_teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        test(test_absent),         test(test_override),    test(test_mask),
        test(test_ignored),        test(test_bad_names),   test(test_refused),
        test(test_unreadable),     test(test_of_another),  test(test_directories),
        test(test_file_limit),     test(test_files_limit), test(test_one_file),
        test(test_none_of_a_name), test(test_has_folder),  test(test_may_have_any),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
