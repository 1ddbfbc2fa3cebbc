#include "config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/limits.h"
#include "tests/unit/told.h"
#include "tests/unit/tree.h"

#define CANARY "s3cr3t-canary"

#define SETTINGS "etc/elementd/elementd.json"
#define DEFAULT  "etc/elementd/accounts.d/default.json"
#define ACCOUNT  "{\"url\": \"https://a.example\", \"user\": \"u\", \"organization\": \"o\"}"
#define ELEMENT  "\"element\": {\"key\": \"jira\"}"

static const DigestKey key = {.bytes = {7}};

static Config *load(const char *root, const char *tree, const char *told)
{
    Config *config = NULL;
    Paths paths;

    assert_int_equal(paths_init(&paths, root), 0);
    assert_int_equal(config_load(&paths, &key, &config), 0);
    told_assert(&config->problems, tree, told);
    paths_deinit(&paths);
    return config;
}

static Config *load_tree(const Tree *tree, const char *told)
{
    return load(tree->path, tree->path, told);
}

/* A tree that is fine: settings, one account, one instance. */
static void put_base(const Tree *tree)
{
    tree_put(tree, SETTINGS, "{\"owner\": \"me\", \"allow\": [\"user:0\"]}", 0644);
    tree_put(tree, DEFAULT, ACCOUNT, 0640);
    tree_put(tree, "etc/elementd/instances.d/one.json", "{" ELEMENT "}", 0644);
}

static void test_nothing(void **state)
{
    const Tree *tree = *state;
    _cleanup_(config_unrefp) Config *config = NULL;

    tree_put(tree, SETTINGS, "{\"owner\": \"me\"}", 0644);
    config = load_tree(tree, "");
    assert_int_equal(config->n_accounts, 0);
    assert_int_equal(config->n_instances, 0);
    assert_null(config_find_instance(config, "a"));
    assert_null(config_find_account(config, "default"));
    assert_false(config->is_incomplete);
    assert_true(config->is_bare);
}

static void test_all(void **state)
{
    const Tree *tree = *state;
    _cleanup_(config_unrefp) Config *config = NULL;
    const Instance *instance;

    put_base(tree);
    tree_put(tree, "run/elementd/accounts.d/eu.json", ACCOUNT, 0640);
    tree_put(tree, "usr/lib/elementd/instances.d/two.json",
             "{" ELEMENT ", \"elementd\": {\"account\": \"eu\"}}", 0644);
    tree_put(tree, "usr/lib/elementd/instances.d/one.json", "{", 0644);
    tree_put(tree, "etc/elementd/instances.d/a-b.json", "{" ELEMENT "}", 0644);
    tree_put(tree, "etc/elementd/instances.d/a.json", "{" ELEMENT "}", 0644);
    config = load_tree(tree, "");
    assert_string_equal(config->settings.owner, "me");
    assert_false(config->is_bare);
    assert_int_equal(config->n_accounts, 2);
    assert_int_equal(config->n_instances, 4);
    assert_string_equal(config->instances[0]->name, "a");
    assert_string_equal(config->instances[1]->name, "a-b");
    assert_string_equal(config->instances[2]->name, "one");
    assert_string_equal(config->instances[3]->name, "two");
    for (size_t i = 0; i < config->n_instances; i++)
        assert_ptr_equal(config_find_instance(config, config->instances[i]->name),
                         config->instances[i]);
    assert_null(config_find_instance(config, "b"));
    instance = config_find_instance(config, "two");
    assert_ptr_equal(instance->account, config_find_account(config, "eu"));
    assert_int_equal(instance->terms->allow.n_entries, 1);
    assert_true(instance->has_body);

    assert_ptr_equal(config_ref(config), config);
    assert_null(config_unref(config)); /* the second reference; the first is still there */
    assert_int_equal(config->n_instances, 4);
    assert_null(config_ref(NULL));
    assert_null(config_unref(NULL));
}

/* All problems of all files at once, by file and by position, and what is fine runs. */
static void test_all_problems(void **state)
{
    const Tree *tree = *state;
    _cleanup_(config_unrefp) Config *config = NULL;

    put_base(tree);
    tree_put(tree, SETTINGS, "{\"owner\": \"me\",\n\"parallel\": \"" CANARY "\",\n\"x\": 1}", 0644);
    tree_put(tree, "etc/elementd/accounts.d/bad.json",
             "{\"url\": \"http://" CANARY "\", \"user\": \"" CANARY "\"}", 0640);
    tree_put(tree, "etc/elementd/accounts.d/no good.json", "{}", 0640);
    tree_put(tree, "etc/elementd/instances.d/b.json",
             "{" ELEMENT ", \"elementd\": {\"account\": \"bad\"}}", 0644);
    tree_put(tree, "etc/elementd/instances.d/c.json",
             "{" ELEMENT ", \"elementd\": {\"account\": \"bad\"}}", 0644);
    tree_put(tree, "etc/elementd/instances.d/d.json",
             "{\"elementd\": {\"account\": \"" CANARY "\"},\n\"name\": \"<INSERT_NAME>\"}", 0644);
    tree_put(tree, "etc/elementd/instances.d/e.json", "{\"" CANARY "\": “" CANARY "”}", 0644);
    tree_put(tree, "etc/elementd/instances.d/f.json", "{" ELEMENT ", \"password\": \"" CANARY "\"}",
             0666);
    config = load_tree(
        tree,
        "ROOT/etc/elementd/elementd.json:2:13: \"parallel\" must be a number from 1 to 256, but is a "
        "string\n"
        "ROOT/etc/elementd/elementd.json:3:1: unknown key \"x\"; there are \"allow\", \"owner\", "
        "\"parallel\", \"request-timeout-sec\", \"verify-interval-sec\", \"credential-wait-sec\"\n"
        "ROOT/etc/elementd/accounts.d/no good.json:1:1: not used, since its name is not valid: before "
        "\".json\" there must be 1 to 64 letters, digits, \".\", \"_\" and \"-\", the first of them a "
        "letter or digit\n"
        "ROOT/etc/elementd/accounts.d/bad.json:1:1: \"organization\" is missing\n"
        "ROOT/etc/elementd/accounts.d/bad.json:1:9: \"url\" must begin with https://, since secrets are "
        "sent to it (http:// only to localhost, 127.0.0.0/8 and [::1])\n"
        "ROOT/etc/elementd/instances.d/d.json:1:1: \"element\" is missing\n"
        "ROOT/etc/elementd/instances.d/d.json:1:26: there is no such account; accounts.d declares "
        "\"bad\", \"default\"\n"
        "ROOT/etc/elementd/instances.d/d.json:2:9: placeholder <INSERT_NAME> is left in: replace it by "
        "the value\n"
        "ROOT/etc/elementd/instances.d/e.json:1:19: left curly quote U+201C: use the straight quote \"\n"
        "ROOT/etc/elementd/instances.d/f.json:1:1: not used, since others than its owner may write it: "
        "chmod go-w it\n");
    assert_int_equal(config->problems.n_errors, 10);
    assert_non_null(config->settings.problem);
    assert_int_equal(config->n_instances, 6);
    for (size_t i = 0; i < config->n_instances; i++) {
        const Instance *instance = config->instances[i];

        assert_int_equal(instance->problem == NULL, strcmp(instance->name, "one") == 0);
        if (instance->problem)
            assert_null(strstr(instance->problem, CANARY));
    }
    /* Both users of the broken account say so; its own problem is told of once. */
    assert_non_null(
        strstr(config_find_instance(config, "b")->problem, "accounts.d/bad.json:1:1: "));
    assert_string_equal(config_find_instance(config, "b")->problem,
                        config_find_instance(config, "c")->problem);
    /* The list of a file that others may write is not theirs to make. */
    assert_int_equal(config_find_instance(config, "f")->terms->allow.n_entries, 0);
}

static void test_masked(void **state)
{
    const Tree *tree = *state;
    _cleanup_(config_unrefp) Config *config = NULL;

    put_base(tree);
    tree_put(tree, "usr/lib/elementd/elementd.json", "{\"parallel\": 5}", 0644);
    tree_put(tree, "usr/lib/elementd/instances.d/two.json", "{", 0644);
    tree_put(tree, "usr/lib/elementd/instances.d/three.json", "{", 0644);
    tree_link(tree, "etc/elementd/instances.d/two.json", "/dev/null");
    tree_put(tree, "etc/elementd/instances.d/three.json", "", 0644);
    config = load_tree(tree, "");
    assert_int_equal(config->n_instances, 1);
    assert_int_equal(config->settings.parallel, 16);
}

/* Masked settings are the defaults, whatever stands below. */
static void test_masked_settings(void **state)
{
    const Tree *tree = *state;
    _cleanup_(config_unrefp) Config *config = NULL;
    Paths paths;

    tree_put(tree, "usr/lib/elementd/elementd.json", "{\"parallel\": 5, \"owner\": \"me\"}", 0644);
    tree_link(tree, SETTINGS, "/dev/null");
    assert_int_equal(paths_init(&paths, tree->path), 0);
    assert_int_equal(config_load(&paths, &key, &config), 0);
    assert_int_equal(config->settings.parallel, 16);
    if (config->settings.owner)
        assert_string_not_equal(config->settings.owner, "me");
    paths_deinit(&paths);
}

static void test_lower_settings(void **state)
{
    const Tree *tree = *state;
    _cleanup_(config_unrefp) Config *config = NULL;

    tree_put(tree, "usr/lib/elementd/elementd.json", "{\"parallel\": 5, \"owner\": \"me\"}", 0644);
    config = load_tree(tree, "");
    assert_int_equal(config->settings.parallel, 5);
}

/* Settings that others may write are not used: neither their list nor their owner. */
static void test_foreign_settings(void **state)
{
    const Tree *tree = *state;
    _cleanup_(config_unrefp) Config *config = NULL;

    put_base(tree);
    tree_put(tree, SETTINGS, "{\"owner\": \"me\", \"allow\": [\"any\"]}", 0664);
    config = load_tree(
        tree, "ROOT/etc/elementd/elementd.json:1:1: not used, since others than its owner may "
              "write it: chmod go-w it\n");
    assert_null(config->settings.owner);
    assert_int_equal(config->settings.allow.n_entries, 0);
    assert_non_null(config->settings.problem);
    assert_int_equal(config->instances[0]->terms->allow.n_entries, 0);
    assert_false(config->instances[0]->has_body);
    assert_non_null(strstr(config->instances[0]->problem, "the settings cannot be used: "));
}

/* Without a root, systemd's directory for the configuration stands for /etc/elementd. */
static void test_environment(void **state)
{
    const Tree *tree = *state;
    _cleanup_(config_unrefp) Config *config = NULL, *rooted = NULL;

    put_base(tree);
    tree_put(tree, "conf/elementd.json", "{\"owner\": \"other\"}", 0644);
    tree_put(tree, "conf/instances.d/elsewhere-test.json", "{" ELEMENT "}", 0644);
    tree_put(tree, "conf/accounts.d/default.json", ACCOUNT, 0640);
    (void)setenv("CONFIGURATION_DIRECTORY", tree_path(tree, "conf"), 1);
    config = load(NULL, tree->path, "");
    rooted = load_tree(tree, "");
    (void)unsetenv("CONFIGURATION_DIRECTORY");
    assert_non_null(config_find_instance(config, "elsewhere-test"));
    assert_string_equal(config->settings.owner, "other");
    /* The root wins. */
    assert_null(config_find_instance(rooted, "elsewhere-test"));
    assert_non_null(config_find_instance(rooted, "one"));
}

static void test_incomplete(void **state)
{
    const Tree *tree = *state;
    _cleanup_(config_unrefp) Config *config = NULL;

    put_base(tree);
    tree_put(tree, "run/elementd/instances.d", "not a directory", 0644);
    config = load_tree(tree,
                       "ROOT/run/elementd/instances.d:1:1: cannot be opened: Not a directory\n");
    assert_true(config->is_incomplete);
    assert_int_equal(config->n_instances, 1);
}

/* Without a folder of instances there is no word about any; an empty one says that there are none. */
static void test_bare(void **state)
{
    static const struct {
        const char *folder; /* made before */
        bool is_bare;
    } rows[] = {
        {NULL, true}, /* not even a tree */
        {"etc/elementd", true},
        {"etc/elementd/accounts.d", true},
        {"usr/lib/elementd", true},
        {"usr/lib/elementd/instances.d", false},
        {"etc/elementd/instances.d", false},
    };
    const Tree *tree = *state;

    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        _cleanup_(config_unrefp) Config *config = NULL;

        if (rows[i].folder) {
            char name[64];

            (void)snprintf(name, sizeof(name), "%s/x", rows[i].folder);
            tree_put(tree, name, "", 0644);
            assert_int_equal(unlink(tree_path(tree, name)), 0);
        }
        config = load_tree(tree, "");
        assert_int_equal(config->is_bare, rows[i].is_bare);
        assert_false(config->is_incomplete);
        assert_int_equal(config->n_instances, 0);
    }
}

/* As many accounts as may be, with masks that do not count, and one more. */
static void test_accounts_limit(void **state)
{
    const Tree *tree = *state;
    _cleanup_(config_unrefp) Config *config = NULL, *more = NULL;
    char name[64];

    tree_put(tree, SETTINGS, "{\"owner\": \"me\"}", 0644);
    for (int i = 0; i < ACCOUNTS_MAX; i++) {
        (void)snprintf(name, sizeof(name), "etc/elementd/accounts.d/a%03d.json", i);
        tree_put(tree, name, ACCOUNT, 0640);
    }
    for (int i = 0; i < 10; i++) {
        (void)snprintf(name, sizeof(name), "etc/elementd/accounts.d/M%03d.json", i);
        tree_link(tree, name, "/dev/null");
    }
    config = load_tree(tree, "");
    assert_int_equal(config->n_accounts, ACCOUNTS_MAX);
    assert_false(config->is_incomplete);

    tree_put(tree, "etc/elementd/accounts.d/b.json", ACCOUNT, 0640);
    tree_put(tree, "etc/elementd/accounts.d/c.json", ACCOUNT, 0640);
    more = load_tree(
        tree, "ROOT/etc/elementd/accounts.d/b.json:1:1: not used from this file on (2 in all): "
              "there may be 256 at most\n");
    assert_int_equal(more->n_accounts, ACCOUNTS_MAX);
    assert_null(config_find_account(more, "b"));
    assert_true(more->is_incomplete);
}

/* As many instances as may be, and one more. Also shows that so many load quickly. */
static void test_instances_limit(void **state)
{
    const Tree *tree = *state;
    _cleanup_(config_unrefp) Config *config = NULL, *more = NULL;
    static const char first[] = "etc/elementd/instances.d/i00001.json";
    char name[64];

    put_base(tree);
    tree_put(tree, first, "{" ELEMENT "}", 0644);
    for (int i = 2; i < INSTANCES_MAX; i++) {
        (void)snprintf(name, sizeof(name), "etc/elementd/instances.d/i%05d.json", i);
        tree_put_again(tree, name, first);
    }
    config = load_tree(tree, "");
    assert_int_equal(config->n_instances, INSTANCES_MAX);

    tree_put(tree, "run/elementd/instances.d/z.json", "{" ELEMENT "}", 0644);
    more = load_tree(
        tree, "ROOT/run/elementd/instances.d/z.json:1:1: not used from this file on (1 in all): "
              "there may be 16384 at most\n");
    assert_int_equal(more->n_instances, INSTANCES_MAX);
    assert_null(config_find_instance(more, "z"));
    assert_true(more->is_incomplete);
}

#define test(name) cmocka_unit_test_setup_teardown(name, tree_setup, tree_teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        test(test_nothing),          test(test_all),
        test(test_all_problems),     test(test_masked),
        test(test_masked_settings),  test(test_lower_settings),
        test(test_foreign_settings), test(test_environment),
        test(test_incomplete),       test(test_accounts_limit),
        test(test_instances_limit),  test(test_bare),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
