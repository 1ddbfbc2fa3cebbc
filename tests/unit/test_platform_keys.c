/*
 * What is read out of the platform's JSON of what an element requires, and what a body does not set of that.
 */

#include "daemon/platform_reader.h"

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
#include "tests/unit/ask.h"

/* ---- what an element requires ---- */

/* `keys`: those that are required, joined by blanks. */
static void assert_required(const char *text, const char *keys)
{
    Buffer body = ask_body_of(text);
    PlatformKeys read;
    char joined[256] = "";

    assert_int_equal(platform_reader_read_keys(&body, &read), 0);
    for (size_t i = 0; i < read.n_items; i++)
        if (read.items[i].is_required)
            (void)snprintf(joined + strlen(joined), sizeof(joined) - strlen(joined), "%s%s",
                           *joined ? " " : "", read.items[i].name);
    if (strcmp(joined, keys) != 0)
        fail_msg("%s: \"%s\"", text, joined);
    platform_keys_deinit(&read);
    buffer_deinit(&body);
}

static void test_required(void **state)
{
    (void)state;
    assert_required("[{\"key\":\"a\",\"required\":true},{\"required\":true,\"key\":\"b\"}]", "a b");
    assert_required("{\"configuration\":[{\"key\":\"a\",\"required\":true}]}", "a");
    assert_required("[{\"key\":\"a\",\"mandatory\":true},{\"key\":\"b\",\"mandatory\":false}]",
                    "a");
    assert_required("[{\"key\":\"a\",\"required\":false,\"mandatory\":true}]", "a");
    assert_required("[{\"key\":\"a\",\"required\":false},{\"key\":\"b\"}]", "");
    /* A default makes it no matter; an empty one is none. */
    assert_required("[{\"key\":\"a\",\"required\":true,\"defaultValue\":\"x\"}]", "");
    assert_required("[{\"key\":\"a\",\"required\":true,\"defaultValue\":false}]", "");
    assert_required("[{\"key\":\"a\",\"required\":true,\"defaultValue\":0}]", "");
    assert_required("[{\"key\":\"a\",\"required\":true,\"defaultValue\":null}]", "a");
    assert_required("[{\"key\":\"a\",\"required\":true,\"defaultValue\":\"\"}]", "a");
    /* Nothing of one entry is taken for the next. */
    assert_required("[{\"required\":true},{\"key\":\"a\"},{\"key\":\"b\",\"required\":true,"
                    "\"defaultValue\":\"x\"},{\"key\":\"c\",\"required\":true}]",
                    "c");
    assert_required("[{\"key\":\"jira.api.url/x~y[z\",\"required\":true}]", "jira.api.url/x~y[z");
    assert_required("[{\"key\":7,\"required\":true},{\"key\":\"a\",\"required\":\"true\"},"
                    "{\"key\":\"b\",\"required\":1}]",
                    "");
    assert_required("{\"configurations\":[{\"key\":\"a\",\"required\":true}]}", "");
    assert_required("{\"x\":{\"configuration\":[{\"key\":\"a\",\"required\":true}]}}", "");
    assert_required("[[{\"key\":\"a\",\"required\":true}]]", "");
    assert_required("[{\"x\":{\"key\":\"a\",\"required\":true}}]", "");
    assert_required("[{\"key\":\"a\",\"required\":true},{\"key\":\"b\",\"required\":true", "a");
    assert_required("", "");
    assert_required("<html>", "");
    assert_required("null", "");
}

/* `keys`, each as "name", with "!" when it is required, "*" when it is secret and "=default"; joined by blanks. */
static void assert_keys(const char *text, bool is_whole, const char *keys)
{
    Buffer body = ask_body_of(text), joined = BUFFER_INIT(4096);
    PlatformKeys read;

    assert_int_equal(platform_reader_read_keys(&body, &read), 0);
    for (size_t i = 0; i < read.n_items; i++) {
        const PlatformKey *key = &read.items[i];

        assert_int_equal(buffer_printf(&joined, "%s%s%s%s%s%s", i > 0 ? " " : "", key->name,
                                       key->is_required ? "!" : "", key->is_secret ? "*" : "",
                                       key->default_value ? "=" : "",
                                       key->default_value ? key->default_value : ""),
                         0);
    }
    assert_int_equal(buffer_append(&joined, "", 1), 0);
    if (strcmp(buffer_data(&joined), keys) != 0 || read.is_whole != is_whole)
        fail_msg("%s: \"%s\", %s", text, buffer_data(&joined), read.is_whole ? "whole" : "cut");
    platform_keys_deinit(&read);
    buffer_deinit(&joined);
    buffer_deinit(&body);
}

static void test_keys(void **state)
{
    (void)state;
    assert_keys("[{\"key\":\"a\",\"required\":true},{\"key\":\"b\",\"defaultValue\":\"x\"}]", true,
                "a! b=x");
    assert_keys("{\"configuration\":[{\"key\":\"a\"}],\"x\":[{\"key\":\"b\"}]}", true, "a");
    assert_keys("[]", true, "");
    /* Secrets: by type or by name, and then without their defaults. */
    assert_keys(
        "[{\"key\":\"a\",\"type\":\"PASSWORD\",\"required\":true},"
        "{\"key\":\"oauth.api.key\",\"type\":\"TEXTFIELD_32\",\"defaultValue\":\"s3cret\"},"
        "{\"defaultValue\":\"s3cret\",\"key\":\"b\",\"required\":true,\"type\":\"PASSWORD\"},"
        "{\"key\":\"c\",\"type\":7},{\"key\":\"d\",\"type\":\"PASSWORDS\"}]",
        true, "a!* oauth.api.key* b* c d");
    /* Defaults that are a line, as the platform writes them. */
    assert_keys(
        "[{\"key\":\"a\",\"defaultValue\":false},{\"key\":\"b\",\"defaultValue\":1.50},"
        "{\"key\":\"c\",\"defaultValue\":\"x\\ny\"},{\"key\":\"d\",\"defaultValue\":[1]},"
        "{\"key\":\"e\",\"defaultValue\":null},{\"key\":\"f\",\"defaultValue\":\"\\u0000\"},"
        "{\"key\":\"g\",\"defaultValue\":\"\"},{\"key\":\"h\",\"defaultValue\":\"${x}\"}]",
        true, "a=false b=1.50 c d e f g h=${x}");
    /* Of one name the first counts, and an entry without one not at all. */
    assert_keys(
        "[{\"key\":\"a\"},{\"key\":\"a\",\"required\":true},{\"required\":true},{\"key\":\"\"},{\"key\":\"\\u0000x\"},"
        "{\"key\":\"b\",\"key\":\"c\"},7,[{\"key\":\"d\"}]]",
        true, "a c");
    assert_keys("[{\"key\":\"a\\u001b[2J\\nb\"}]", true, "a [2J b");
    /* No list, or not all of it. */
    for (size_t i = 0; i < 7; i++)
        assert_keys(((const char *const[]){"", "{}", "null", "<html>", "\"[]\"", "{\"x\":[]}",
                                           "{\"configuration\":{}}"})[i],
                    false, "");
    assert_keys("[{\"key\":\"a\"},{\"key\":\"b\"", false, "a");
    assert_keys("[{\"key\":\"a\"}]]", false, "a");
}

/* What is not cut is kept: a default of the longest, and none that is longer. */
static void test_longest_default(void **state)
{
    (void)state;
    for (size_t size = PLATFORM_DEFAULT_BYTES_MAX; size <= PLATFORM_DEFAULT_BYTES_MAX + 1; size++) {
        Buffer body = BUFFER_INIT(HTTP_BODY_BYTES_MAX);
        PlatformKeys keys;

        assert_int_equal(
            buffer_printf(&body, "[{\"key\":\"a\",\"required\":true,\"defaultValue\":\"%0*d\"}]",
                          (int)size, 0),
            0);
        assert_int_equal(platform_reader_read_keys(&body, &keys), 0);
        assert_int_equal(keys.n_items, 1);
        assert_int_equal(keys.items->default_value != NULL, size == PLATFORM_DEFAULT_BYTES_MAX);
        assert_false(keys.items->is_required);
        platform_keys_deinit(&keys);
        buffer_deinit(&body);
    }
}

/* So many keys are kept, and of more not all. */
static void test_keys_ceiling(void **state)
{
    (void)state;
    for (size_t max = PLATFORM_KEYS_MAX; max <= PLATFORM_KEYS_MAX + 1; max++) {
        Buffer body = BUFFER_INIT(HTTP_BODY_BYTES_MAX);
        PlatformKeys keys;

        assert_int_equal(buffer_append_string(&body, "["), 0);
        for (size_t i = 0; i < max; i++)
            assert_int_equal(buffer_printf(&body, "%s{\"key\":\"k%zu\"}", i > 0 ? "," : "", i), 0);
        assert_int_equal(buffer_append_string(&body, "]"), 0);
        assert_int_equal(platform_reader_read_keys(&body, &keys), 0);
        assert_int_equal(keys.n_items, PLATFORM_KEYS_MAX);
        assert_string_equal(keys.items[PLATFORM_KEYS_MAX - 1].name, "k255");
        assert_int_equal(keys.is_whole, max == PLATFORM_KEYS_MAX);
        platform_keys_deinit(&keys);
        buffer_deinit(&body);
    }
}

/* ---- which of them a body does not set ---- */

static char *find_missing(char *const *required, const char *body)
{
    PlatformKey items[PLATFORM_KEYS_MAX];
    PlatformKeys keys = {.items = items};
    Secret *secret;
    char *missing;

    assert_int_equal(secret_new(body, strlen(body), &secret), 0);
    for (; *required; required++)
        items[keys.n_items++] = (PlatformKey){.name = *required, .is_required = true};
    assert_int_equal(platform_find_missing(&keys, secret, &missing), 0);
    secret_unref(secret);
    return missing;
}

#define REQUIRED(...) ((char *const[]){__VA_ARGS__, NULL})

static void assert_missing(char *const *required, const char *body, const char *expected)
{
    _cleanup_(freep) char *missing = find_missing(required, body);

    if (!missing != !expected || (expected && strcmp(missing, expected) != 0))
        fail_msg("%s: \"%s\" is missing", body, missing ? missing : "");
}

static void test_missing(void **state)
{
    char *const *ab = REQUIRED((char *)"a", (char *)"b");
    char *const *odd = REQUIRED((char *)"a.b", (char *)"a/b", (char *)"a~b", (char *)"a[]",
                                (char *)"");

    (void)state;
    assert_missing((char *const[]){NULL}, "{}", NULL);
    assert_missing(ab, "{}", "a, b");
    assert_missing(ab, "{\"configuration\":{}}", "a, b");
    assert_missing(ab, "{\"configuration\":{\"a\":1}}", "b");
    assert_missing(ab, "{\"configuration\":{\"b\":null,\"a\":{\"x\":[]}}}", NULL);
    assert_missing(ab, "{\"configuration\":{\"A\":1,\"a \":1,\"aa\":1,\"\":1}}", "a, b");
    /* Elsewhere it does not count. */
    assert_missing(ab, "{\"a\":1,\"configuration\":{\"x\":{\"a\":1,\"b\":2}},\"b\":1}", "a, b");
    assert_missing(ab, "{\"configurations\":{\"a\":1},\"configuration2\":{\"b\":1}}", "a, b");
    assert_missing(ab, "{\"configuration/x\":{\"a\":1},\"x\":{\"configuration\":{\"b\":1}}}",
                   "a, b");
    assert_missing(ab, "{\"configuration\":[\"a\",\"b\"]}", "a, b");
    assert_missing(ab, "{\"configuration\":{\"a\":1},\"configuration\":{\"b\":1}}", NULL);
    /* Keys that a path would escape, and one that is longer than any path. */
    assert_missing(odd, "{\"configuration\":{\"a.b\":1,\"a/b\":1,\"a~b\":1,\"a[]\":1,\"\":1}}",
                   NULL);
    assert_missing(odd, "{\"configuration\":{\"a~1b\":1,\"a~0b\":1,\"a~2]\":1}}",
                   "a.b, a/b, a~b, a[], ");
}

static void test_missing_long_keys(void **state)
{
    char key[201], other[201], body[512];

    (void)state;
    memset(key, 'k', sizeof(key));
    memset(other, 'o', sizeof(other));
    key[200] = other[200] = '\0';
    (void)snprintf(body, sizeof(body), "{\"configuration\":{\"%s\":1}}", key);
    assert_missing(REQUIRED(key), body, NULL);
    assert_missing(REQUIRED(other), body, other);
}

/* What is shown and stored of them has a ceiling: a record with more could not be read again. */
static void test_missing_ceiling(void **state)
{
    char key[256 + 1], *required[256 + 1];
    _cleanup_(freep) char *missing = NULL;

    (void)state;
    memset(key, 'k', sizeof(key) - 1);
    key[sizeof(key) - 1] = '\0';
    for (int i = 0; i < 256; i++)
        required[i] = key;
    required[256] = NULL;
    missing = find_missing(required, "{}");
    assert_non_null(missing);
    assert_in_range(strlen(missing), 256, PROBLEM_BYTES_MAX);
    assert_string_equal(missing + strlen(missing) - strlen(", …"), ", …");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_required),        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_longest_default), cmocka_unit_test(test_keys_ceiling),
        cmocka_unit_test(test_missing),         cmocka_unit_test(test_missing_long_keys),
        cmocka_unit_test(test_missing_ceiling),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
