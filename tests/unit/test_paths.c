#include "base/paths.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static int clear_environment(void **state)
{
    (void)state;
    return unsetenv("CONFIGURATION_DIRECTORY") | unsetenv("STATE_DIRECTORY") |
           unsetenv("RUNTIME_DIRECTORY");
}

/* Checks the first configuration tree, the second, the third, state and runtime. */
static void assert_paths(const char *root, const char *const expected[5])
{
    Paths paths = {};

    assert_int_equal(paths_init(&paths, root), 0);
    for (size_t i = 0; i < PATHS_N_CONFIG; i++)
        assert_string_equal(paths.config[i], expected[i]);
    assert_string_equal(paths.state, expected[3]);
    assert_string_equal(paths.runtime, expected[4]);
    paths_deinit(&paths);
    assert_null(paths.config[0]);
    assert_null(paths.state);
    paths_deinit(&paths);
}

static const char *const compiled_in[5] = {
    "/etc/elementd", "/run/elementd", "/usr/lib/elementd", "/var/lib/elementd", "/run/elementd",
};

static void test_compiled_in(void **state)
{
    (void)state;
    assert_paths(NULL, compiled_in);
    assert_paths("", compiled_in);
}

static void test_root(void **state)
{
    static const char *const expected[5] = {
        "/srv/a/etc/elementd",     "/srv/a/run/elementd", "/srv/a/usr/lib/elementd",
        "/srv/a/var/lib/elementd", "/srv/a/run/elementd",
    };
    static const char *const relative[5] = {
        "a b/etc/elementd",     "a b/run/elementd", "a b/usr/lib/elementd",
        "a b/var/lib/elementd", "a b/run/elementd",
    };

    (void)state;
    assert_paths("/srv/a", expected);
    assert_paths("/srv/a/", expected);
    assert_paths("/srv/a//", expected);
    assert_paths("a b", relative);
}

/* What systemd passes wins over the compiled-in places, and the root over that, also when it is "/". */
static void test_environment(void **state)
{
    static const char *const expected[5] = {
        "/c", "/run/elementd", "/usr/lib/elementd", "/s", "/r",
    };
    static const char *const below[5] = {
        "/x/etc/elementd",     "/x/run/elementd", "/x/usr/lib/elementd",
        "/x/var/lib/elementd", "/x/run/elementd",
    };

    (void)state;
    assert_int_equal(setenv("CONFIGURATION_DIRECTORY", "/c", 1), 0);
    assert_int_equal(setenv("STATE_DIRECTORY", "/s", 1), 0);
    assert_int_equal(setenv("RUNTIME_DIRECTORY", "/r", 1), 0);
    assert_paths(NULL, expected);
    assert_paths("", expected);
    assert_paths("/x", below);
    assert_paths("/", compiled_in);
    assert_paths("//", compiled_in);
}

static void assert_state(const char *passed, const char *expected)
{
    Paths paths = {};

    assert_int_equal(setenv("STATE_DIRECTORY", passed, 1), 0);
    assert_int_equal(paths_init(&paths, NULL), 0);
    assert_string_equal(paths.state, expected);
    paths_deinit(&paths);
}

static void test_environment_lists(void **state)
{
    (void)state;
    assert_state("/first:/second", "/first");
    assert_state("/first:", "/first");
    assert_state("/first::relative", "/first");
    assert_state("/", "/");
    /* What is no absolute path is not believed. */
    assert_state("", "/var/lib/elementd");
    assert_state("relative", "/var/lib/elementd");
    assert_state("./relative:/second", "/var/lib/elementd");
    assert_state(":/second", "/var/lib/elementd");
}

static void test_join(void **state)
{
    char *path = paths_join("/a", "b");

    (void)state;
    assert_string_equal(path, "/a/b");
    free(path);
    path = paths_join("/a", PATHS_SOCKET);
    assert_string_equal(path, "/a/io.elementd");
    free(path);
}

static void test_copy(void **state)
{
    Paths paths = {}, copy = {};

    (void)state;
    assert_int_equal(paths_init(&paths, "/x"), 0);
    assert_int_equal(paths_copy(&paths, &copy), 0);
    paths_deinit(&paths); /* it holds nothing of it */
    assert_string_equal(copy.config[0], "/x/etc/elementd");
    assert_string_equal(copy.config[1], "/x/run/elementd");
    assert_string_equal(copy.config[2], "/x/usr/lib/elementd");
    assert_string_equal(copy.state, "/x/var/lib/elementd");
    assert_string_equal(copy.runtime, "/x/run/elementd");
    paths_deinit(&copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_compiled_in, clear_environment),
        cmocka_unit_test_setup(test_root, clear_environment),
        cmocka_unit_test_setup(test_environment, clear_environment),
        cmocka_unit_test_setup(test_environment_lists, clear_environment),
        cmocka_unit_test_setup(test_join, clear_environment),
        cmocka_unit_test_setup(test_copy, clear_environment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
