/*
 * Reading a body anew: from the file and of the bytes that were loaded, whatever else of the configuration is wrong, and
 * that it says so when the file is gone or cannot be used any more.
 */

#include "config/instance_body.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/config.h"
#include "tests/unit/tree.h"

#define ETC     "etc/elementd/instances.d/one.json"
#define RUN     "run/elementd/instances.d/one.json"
#define USR     "usr/lib/elementd/instances.d/one.json"
#define ELEMENT "\"element\": {\"key\": \"jira\"}"
#define TAGS    "\"tags\":[\"elementd.me\",\"elementd.me.one\"]"
#define CANARY  "s3cr3t-canary"

static const DigestKey key = {.bytes = {7}};

/* Reads the body of "one", and asserts what it is, or what comes back instead ("ROOT" stands for the tree). */
static InstanceBody assert_read(const Tree *tree, int expected, const char *text)
{
    InstanceBody body = {};
    Trouble trouble = TROUBLE_NONE;
    char *problem = NULL, *root;
    Paths paths;

    assert_int_equal(paths_init(&paths, tree->path), 0);
    assert_int_equal(instance_body_read(&paths, "one", "me", &key, &body, &problem, &trouble),
                     expected);
    paths_deinit(&paths);
    assert_int_equal(body.body != NULL, expected == 0);
    assert_int_equal(problem != NULL, expected == INSTANCE_BODY_E_UNUSABLE);
    if (expected == 0)
        assert_string_equal(secret_reveal(body.body), text);
    if (problem) {
        assert_null(strstr(problem, CANARY));
        assert_int_not_equal(trouble, TROUBLE_NONE);
        root = strstr(problem, tree->path);
        assert_ptr_equal(root, problem);
        assert_string_equal(problem + strlen(tree->path), text);
    }
    free(problem);
    return body;
}

static void assert_body(const Tree *tree, const char *text)
{
    InstanceBody body = assert_read(tree, 0, text);

    instance_body_deinit(&body);
    instance_body_deinit(&body); /* zeroed by then */
}

static Config *load(const Tree *tree)
{
    Config *config;
    Paths paths;

    assert_int_equal(paths_init(&paths, tree->path), 0);
    assert_int_equal(config_load(&paths, &key, &config), 0);
    paths_deinit(&paths);
    return config;
}

/* ---- what was loaded ---- */

/* References and all: the digests are those of the loaded one, which tells a change of any of it. */
static void test_as_loaded(void **state)
{
    const Tree *tree = *state;
    _cleanup_(config_unrefp) Config *config = NULL;
    char text[512];
    InstanceBody body;

    tree_put(tree, "secret", "hunter2\n", 0600);
    tree_put(tree, "etc/elementd/elementd.json", "{\"owner\": \"me\"}", 0644);
    (void)snprintf(
        text, sizeof(text),
        "{" ELEMENT ", // words\n \"elementd\": {\"account\": \"none\"},"
        "\"configuration\": {\"a\": \"${file:%s/secret}\", \"b\": 1.50}, \"name\": \"n\"}",
        tree->path);
    tree_put(tree, ETC, text, 0600);
    config = load(tree);
    assert_int_equal(config->n_instances, 1);
    assert_false(config->instances[0]->has_body); /* for want of an account */
    tree_put(tree, "etc/elementd/accounts.d/none.json",
             "{\"url\": \"https://a.example\", \"user\": \"u\", \"organization\": \"o\"}", 0600);
    config_unref(config);
    config = load(tree);
    assert_true(config->instances[0]->has_body);
    body = assert_read(
        tree, 0,
        "{\"element\":{\"key\":\"jira\"},\"configuration\":{\"a\":\"hunter2\",\"b\":1.50},"
        "\"name\":\"n\"," TAGS "}");
    assert_true(digest_equal(&body.body_digest, &config->instances[0]->body_digest));
    assert_true(digest_equal(&body.labels_digest, &config->instances[0]->labels_digest));
    instance_body_deinit(&body);

    tree_put(tree, "secret", "hunter3\n", 0600);
    body = assert_read(
        tree, 0,
        "{\"element\":{\"key\":\"jira\"},\"configuration\":{\"a\":\"hunter3\",\"b\":1.50},"
        "\"name\":\"n\"," TAGS "}");
    assert_false(digest_equal(&body.body_digest, &config->instances[0]->body_digest));
    assert_true(digest_equal(&body.labels_digest, &config->instances[0]->labels_digest));
    instance_body_deinit(&body);
}

/* Who may have the token and by which account has nothing to do with it: no name is looked up. */
static void test_what_does_not_matter(void **state)
{
    const Tree *tree = *state;

    tree_put(tree, "etc/elementd/elementd.json", "{", 0666);
    tree_put(tree, ETC,
             "{" ELEMENT
             ", \"elementd\": {\"account\": 5, \"allow\": [\"user:no-such-user\"], \"x\": 1}}",
             0600);
    assert_body(tree, "{\"element\":{\"key\":\"jira\"}," TAGS "}");
}

/* ---- which file ---- */

static void test_trees(void **state)
{
    const Tree *tree = *state;

    instance_body_deinit(&(InstanceBody){});
    (void)assert_read(tree, INSTANCE_BODY_E_ABSENT, NULL);
    tree_put(tree, USR, "{" ELEMENT ", \"x\": \"usr\"}", 0600);
    assert_body(tree, "{\"element\":{\"key\":\"jira\"},\"x\":\"usr\"," TAGS "}");
    tree_put(tree, RUN, "{" ELEMENT ", \"x\": \"run\"}", 0600);
    assert_body(tree, "{\"element\":{\"key\":\"jira\"},\"x\":\"run\"," TAGS "}");
    tree_put(tree, ETC, "{" ELEMENT ", \"x\": \"etc\"}", 0600);
    assert_body(tree, "{\"element\":{\"key\":\"jira\"},\"x\":\"etc\"," TAGS "}");
    /* One that cannot be used hides the others all the same. */
    tree_put(tree, ETC, "[]", 0600);
    (void)assert_read(tree, INSTANCE_BODY_E_UNUSABLE,
                      "/" ETC ":1:1: the document must be an object, but is an array");
    /* And so does a mask. */
    tree_put(tree, ETC, "", 0600);
    (void)assert_read(tree, INSTANCE_BODY_E_ABSENT, NULL);
    assert_int_equal(unlink(tree_path(tree, ETC)), 0);
    assert_body(tree, "{\"element\":{\"key\":\"jira\"},\"x\":\"run\"," TAGS "}");
    tree_link(tree, ETC, "/dev/null");
    (void)assert_read(tree, INSTANCE_BODY_E_ABSENT, NULL);
    assert_int_equal(unlink(tree_path(tree, ETC)), 0);
    tree_link(tree, ETC, "nowhere");
    (void)assert_read(tree, INSTANCE_BODY_E_UNUSABLE,
                      "/" ETC ":1:1: cannot be read: it is gone, or a link that leads nowhere");
}

/* What is wrong with a folder is told where nothing was found, and else has been told. */
static void test_folder(void **state)
{
    const Tree *tree = *state;

    tree_put(tree, "etc/elementd/instances.d", "a file", 0600);
    (void)assert_read(tree, INSTANCE_BODY_E_UNUSABLE,
                      "/etc/elementd/instances.d:1:1: cannot be opened: Not a directory");
    tree_put(tree, USR, "{" ELEMENT "}", 0600);
    assert_body(tree, "{\"element\":{\"key\":\"jira\"}," TAGS "}");
}

/* ---- what cannot be used ---- */

static void test_unusable(void **state)
{
    static const struct {
        const char *text;
        mode_t mode;
        const char *problem;
    } rows[] = {
        {"{", 0600, ":1:2: the document ends before it is complete"},
        {"{" ELEMENT ",\n\"x\": \"${file:/nowhere/at/all}\"}", 0600,
         ":2:6: ${file:/nowhere/at/all}: cannot be read: No such file or directory"},
        {"{\"configuration\": {\"a\": \"" CANARY "\"}}", 0600, ":1:1: \"element\" is missing"},
        {"{" ELEMENT "}", 0620,
         ":1:1: not used, since others than its owner may write it: chmod go-w it"},
        {"{" ELEMENT ", \"tags\": [\"elementd.x\"]}", 0600,
         ":1:39: tags that begin with \"elementd.\" are added by elementd itself"},
    };
    const Tree *tree = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char problem[256];

        (void)snprintf(problem, sizeof(problem), "/" ETC "%s", rows[i].problem);
        tree_put(tree, ETC, rows[i].text, rows[i].mode);
        (void)assert_read(tree, INSTANCE_BODY_E_UNUSABLE, problem);
    }
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, tree_setup, tree_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_as_loaded), TEST(test_what_does_not_matter), TEST(test_trees), TEST(test_folder),
        TEST(test_unusable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
