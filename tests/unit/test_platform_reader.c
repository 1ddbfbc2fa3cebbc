/*
 * What is read out of the platform's JSON of instances and of errors, and out of what is none.
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
#include "base/utf8.h"
#include "tests/unit/ask.h"

static PlatformInstances read_bytes(const char *text, size_t size, const char *owner)
{
    Buffer body = ask_body_of_bytes(text, size);
    PlatformInstances instances;

    assert_int_equal(platform_reader_read_instances(&body, owner, &instances), 0);
    buffer_deinit(&body);
    return instances;
}

static PlatformInstances read_text(const char *text, const char *owner)
{
    return read_bytes(text, strlen(text), owner);
}

static void drop(PlatformInstances *instances)
{
    for (size_t i = 0; i < instances->n_items; i++)
        platform_instance_deinit(&instances->items[i]);
    free(instances->items);
    *instances = (PlatformInstances){};
}

/* ---- one instance ---- */

static void test_instance(void **state)
{
    PlatformInstances got = read_text(
        "{\"id\":42,\"name\":\"n\",\"token\":\"t+/=\",\"element\":{\"id\":7,\"key\":\"jira\","
        "\"token\":\"no\"},\"tags\":[\"x\",\"elementd.o\",\"elementd.o.i\"],\"disabled\":true,"
        "\"configuration\":{\"id\":1,\"token\":\"no\",\"key\":\"no\",\"disabled\":false}}",
        "o");

    (void)state;
    assert_int_equal(got.n_items, 1);
    assert_true(got.is_whole);
    assert_false(got.is_array);
    assert_int_equal(got.items[0].id, 42);
    assert_string_equal(secret_reveal(got.items[0].token), "t+/=");
    assert_string_equal(got.items[0].element, "jira");
    assert_string_equal(got.items[0].name, "i");
    assert_true(got.items[0].is_owned);
    assert_true(got.items[0].is_disabled);
    drop(&got);
}

/* An id that cannot be one is none. */
static void test_ids(void **state)
{
    static const struct {
        const char *json;
        int64_t id;
    } rows[] = {
        {"1", 1},
        {"9223372036854775807", INT64_MAX},
        {"9223372036854775808", 0},  /* 2^63 */
        {"18446744073709551617", 0}, /* 2^64 + 1 */
        {"0", 0},
        {"-0", 0},
        {"-1", 0},
        {"1.0", 0},
        {"1.5", 0},
        {"1e3", 0},
        {"\"42\"", 0},
        {"null", 0},
        {"true", 0},
        {"[42]", 0},
        {"{\"id\":42}", 0},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        char text[128];
        PlatformInstances got;

        (void)snprintf(text, sizeof(text), "{\"id\":%s,\"token\":\"t\"}", rows[i].json);
        got = read_text(text, NULL);
        assert_int_equal(got.n_items, 1);
        if (got.items[0].id != rows[i].id)
            fail_msg("id %s was read as %lld", rows[i].json, (long long)got.items[0].id);
        assert_non_null(got.items[0].token);
        drop(&got);
    }
}

/* A token goes into a header line of programs: nothing that could end the line or the list in it. */
static void test_tokens(void **state)
{
    static const struct {
        const char *json;
        const char *token; /* NULL: not usable */
    } rows[] = {
        {"\"AfYuaYxrBBbeSsE47JUwnOW/wYoBOx+rKoYh7rmd5lg=\"",
         "AfYuaYxrBBbeSsE47JUwnOW/wYoBOx+rKoYh7rmd5lg="},
        {"\"0123456789abcdef0123456789abcdef0\"", "0123456789abcdef0123456789abcdef0"},
        {"\"a\\/b\"", "a/b"},
        {"\"\\u0041\"", "A"},
        {"\"!~\"", "!~"},
        {"\"\"", NULL},
        {"\"a b\"", NULL},
        {"\" a\"", NULL},
        {"\"a,b\"", NULL},
        {"\"a\\u0000b\"", NULL},
        {"\"a\\r\\nX: y\"", NULL},
        {"\"a\\u001fb\"", NULL},
        {"\"a\\u007fb\"", NULL},
        {"\"a\\u00e4\"", NULL},
        {"\"a\\ud83d\\ude00\"", NULL},
        {"17", NULL},
        {"null", NULL},
        {"true", NULL},
        {"[\"t\"]", NULL},
        {"{\"token\":\"t\"}", NULL},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        char text[256];
        PlatformInstances got;

        (void)snprintf(text, sizeof(text), "{\"token\":%s,\"id\":1}", rows[i].json);
        got = read_text(text, NULL);
        assert_int_equal(got.n_items, 1);
        assert_true(got.is_whole);
        if (!rows[i].token != !got.items[0].token)
            fail_msg("token %s was%s read", rows[i].json, rows[i].token ? " not" : "");
        if (rows[i].token)
            assert_string_equal(secret_reveal(got.items[0].token), rows[i].token);
        assert_int_equal(got.items[0].id, 1);
        drop(&got);
    }
}

static void test_token_is_not_utf8(void **state)
{
    static const char text[] = "{\"id\":1,\"token\":\"a\xFF\"}";
    PlatformInstances got = read_text(text, NULL);

    (void)state;
    assert_false(got.is_whole);
    assert_int_equal(got.n_items, 1);
    assert_null(got.items[0].token);
    drop(&got);
}

/* At the ceiling and one past it. */
static void test_token_size(void **state)
{
    (void)state;
    for (size_t size = TOKEN_BYTES_MAX; size <= TOKEN_BYTES_MAX + 1; size++) {
        static char text[TOKEN_BYTES_MAX + 64];
        int begin = snprintf(text, sizeof(text), "{\"id\":1,\"token\":\"");
        PlatformInstances got;

        memset(text + begin, 'x', size);
        (void)snprintf(text + begin + size, sizeof(text) - (size_t)begin - size, "\"}");
        got = read_text(text, NULL);
        assert_true(got.is_whole);
        assert_int_equal(secret_size(got.items[0].token), size <= TOKEN_BYTES_MAX ? size : 0);
        drop(&got);
    }
}

/* What comes later counts; what cannot be used does not undo what could. */
static void test_repeated_keys(void **state)
{
    PlatformInstances got = read_text(
        "{\"id\":1,\"token\":\"a\",\"element\":{\"key\":\"k\",\"key\":\"l\"},\"id\":2,\"token\":\"b\","
        "\"id\":\"x\",\"token\":\"\",\"disabled\":true,\"disabled\":\"yes\"}",
        NULL);

    (void)state;
    assert_int_equal(got.n_items, 1);
    assert_int_equal(got.items[0].id, 2);
    assert_string_equal(secret_reveal(got.items[0].token), "b");
    assert_string_equal(got.items[0].element, "l");
    assert_false(got.items[0].is_disabled);
    drop(&got);
}

/* Keys that look like the paths of others. */
static void test_keys_that_look_like_paths(void **state)
{
    static const char *const texts[] = {
        "{\"element/key\":\"k\",\"/id\":1,\"[]\":{\"id\":1,\"token\":\"t\"},\"id/\":1}",
        "{\"element\":{\"element\":{\"key\":\"k\"}},\"x\":{\"id\":1,\"token\":\"t\"},\"\":{\"id\":1}}",
        ("{\"element\":[{\"key\":\"k\"}],\"id\\u0000\":1,\"token\\u0000x\":\"t\",\"tags\":{\"[]\":"
         "\"elementd.o\",\"name\":\"elementd.o\"}}"),
        "{\"ID\":1,\"Token\":\"t\",\"Id\":1,\"tag\":[\"elementd.o\"],\"tags\":\"elementd.o\"}",
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
        PlatformInstances got = read_text(texts[i], "o");

        assert_true(got.is_whole);
        assert_int_equal(got.n_items, 1);
        assert_int_equal(got.items[0].id, 0);
        assert_null(got.items[0].token);
        assert_null(got.items[0].element);
        assert_null(got.items[0].name);
        assert_false(got.items[0].is_owned);
        drop(&got);
    }
}

/* ---- tags ---- */

static void test_tags(void **state)
{
    static const struct {
        const char *owner;
        const char *tags;
        bool is_owned;
        const char *name;
    } rows[] = {
        {"o", "[]", false, NULL},
        {"o", "[\"elementd.o\"]", true, NULL},
        {"o", "[\"elementd.o.i\"]", false, "i"},
        {"o", "[\"elementd.o\",\"elementd.o.i\"]", true, "i"},
        {"o", "[\"elementd.o.i\",\"elementd.o\"]", true, "i"},
        {"o", "[\"elementd.o.i\",\"elementd.o.j\"]", false, "j"}, /* ours stands last */
        {"o", "[{\"id\":1,\"name\":\"elementd.o\"},{\"id\":2,\"name\":\"elementd.o.i\"}]", true,
         "i"},
        {"o", "[{\"name\":\"elementd.o\"},\"elementd.o.i\",null,7,[\"elementd.o.x\"]]", true, "i"},
        {"o", "[{\"tag\":\"elementd.o\"},{\"name\":{\"name\":\"elementd.o\"}}]", false, NULL},
        {"o", "\"elementd.o\"", false, NULL},
        {"o", "{\"name\":\"elementd.o\"}", false, NULL},
        {"o", "[\"production\",\"elementd\",\"elementd.\",\"elementd.p\",\"Elementd.o\"]", false,
         NULL},
        {"o", "[\"xelementd.o\",\" elementd.o\",\"elementd.o \",\"elementd.oo\"]", false, NULL},
        {"o", "[\"elementd.o.\"]", false, NULL},
        {"o", "[\"elementd.o..\"]", false, "."},
        {"o", "[\"elementd.o\\u0000\",\"elementd.o.i\\u0000j\",\"elementd.o.\\u0000\"]", false,
         NULL},
        /* An owner whose name begins with that of another. */
        {"a", "[\"elementd.a.b\",\"elementd.a.b.i\"]", false, "b.i"},
        {"a.b", "[\"elementd.a\",\"elementd.a.b\"]", true, NULL},
        {"a.b", "[\"elementd.a\",\"elementd.a.b.i\"]", false, "i"},
        {"a", "[\"elementd.ab\",\"elementd.ab.i\"]", false, NULL},
        {"ab", "[\"elementd.a\",\"elementd.a.b\"]", false, NULL},
        {"%s%n", "[\"elementd.%s%n\",\"elementd.%s%n.i\"]", true, "i"},
        {NULL, "[\"elementd.o\",\"elementd.\",\"elementd..i\",\"elementd.(null)\"]", false, NULL},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        char text[256];
        PlatformInstances got;

        assert_in_range(snprintf(text, sizeof(text), "{\"tags\":%s}", rows[i].tags), 1,
                        sizeof(text) - 1);
        got = read_text(text, rows[i].owner);
        assert_true(got.is_whole);
        assert_int_equal(got.n_items, 1);
        if (got.items[0].is_owned != rows[i].is_owned)
            fail_msg("%s: owned %d", rows[i].tags, got.items[0].is_owned);
        if (!got.items[0].name != !rows[i].name ||
            (rows[i].name && strcmp(got.items[0].name, rows[i].name) != 0))
            fail_msg("%s: name \"%s\"", rows[i].tags, got.items[0].name ? got.items[0].name : "");
        drop(&got);
    }
}

/* The longest owner and the longest name. */
static void test_longest_tags(void **state)
{
    char owner[NAME_BYTES_MAX + 1], name[NAME_BYTES_MAX + 1], text[1024];
    PlatformInstances got;

    (void)state;
    memset(owner, 'o', NAME_BYTES_MAX);
    memset(name, 'n', NAME_BYTES_MAX);
    owner[NAME_BYTES_MAX] = name[NAME_BYTES_MAX] = '\0';
    (void)snprintf(text, sizeof(text), "{\"tags\":[\"elementd.%s\",\"elementd.%s.%s\"]}", owner,
                   owner, name);
    got = read_text(text, owner);
    assert_true(got.items[0].is_owned);
    assert_string_equal(got.items[0].name, name);
    drop(&got);
}

/* ---- lists, and what is none ---- */

static void test_lists(void **state)
{
    static const struct {
        const char *text;
        size_t n;
        bool is_whole, is_array;
    } rows[] = {
        {"[]", 0, true, true},
        {" [ ] \n", 0, true, true},
        {"[{}]", 1, true, true},
        {"[{},{\"id\":1}]", 2, true, true},
        {"[1,\"x\",null,true,[{\"id\":1}],[[]]]", 0, true, true},
        {"[1,{\"id\":1},\"x\"]", 1, true, true},
        {"{\"id\":1}", 1, true, false},
        {"{\"instances\":[{\"id\":1}]}", 1, true, false},
        {"{}", 1, true, false},
        {"\"[]\"", 0, true, false},
        {"null", 0, true, false},
        {"true", 0, true, false},
        {"42", 0, true, false},
        {"", 0, false, false},
        {" ", 0, false, false},
        {"[", 0, false, true},
        {"[]]", 0, false, true},
        {"[{\"id\":1}", 1, false, true},
        {"[{\"id\":1},{\"id\":2", 1, false, true},
        {"[{\"id\":1}]x", 1, false, true},
        {"[{\"id\":1}][{\"id\":2}]", 1, false, true},
        {"{\"id\":1}{\"id\":2}", 1, false, false},
        {"{", 1, false, false},
        {"<html>[]</html>", 0, false, false},
        {"\xEF\xBB\xBF[]", 0, false, false}, /* a byte order mark */
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        PlatformInstances got = read_text(rows[i].text, "o");

        if (got.n_items != rows[i].n || got.is_whole != rows[i].is_whole ||
            got.is_array != rows[i].is_array)
            fail_msg("%s: %zu items, whole %d, array %d", rows[i].text, got.n_items, got.is_whole,
                     got.is_array);
        drop(&got);
    }
}

/* Nothing of one row is taken for the next. */
static void test_rows_are_apart(void **state)
{
    PlatformInstances got = read_text(
        "[{\"id\":1,\"token\":\"a\",\"element\":{\"key\":\"k\"},\"tags\":[\"elementd.o\","
        "\"elementd.o.i\"],\"disabled\":true},{},{\"token\":\"c\"}]",
        "o");

    (void)state;
    assert_int_equal(got.n_items, 3);
    assert_true(got.items[0].id == 1 && got.items[0].is_owned && got.items[0].is_disabled);
    assert_int_equal(got.items[1].id, 0);
    assert_null(got.items[1].token);
    assert_null(got.items[1].element);
    assert_null(got.items[1].name);
    assert_false(got.items[1].is_owned);
    assert_false(got.items[1].is_disabled);
    assert_int_equal(got.items[2].id, 0);
    assert_string_equal(secret_reveal(got.items[2].token), "c");
    drop(&got);
}

/* Deeper than is allowed: a break like any other. */
static void test_depth(void **state)
{
    char text[256] = "{\"id\":1,\"token\":\"t\",\"x\":";
    PlatformInstances got;

    (void)state;
    memset(text + strlen(text), '[', JSON_DEPTH_MAX + 1);
    got = read_text(text, "o");
    assert_false(got.is_whole);
    assert_int_equal(got.n_items, 1);
    assert_int_equal(got.items[0].id, 1);
    assert_string_equal(secret_reveal(got.items[0].token), "t");
    drop(&got);
}

/* ---- errors ---- */

static PlatformError read_error(const char *text)
{
    Buffer body = ask_body_of(text);
    PlatformError error;

    assert_int_equal(platform_reader_read_error(&body, &error), 0);
    buffer_deinit(&body);
    return error;
}

static void test_error(void **state)
{
    PlatformError error = read_error(
        "{\"requestId\":\"5d41402abc4b2a76b9719d91\",\"message\":"
        "\"Bad\\nthings \\u007f\\u009b\\u202ehappen\",\"providerMessage\":\"no\"}");

    (void)state;
    assert_string_equal(error.request_id, "5d41402abc4b2a76b9719d91");
    /* As it came: what is hidden in it may have line ends. */
    assert_string_equal(error.message, "Bad\nthings \x7F\xC2\x9B\xE2\x80\xAEhappen");
    assert_string_equal(error.provider_message, "no");
    platform_error_deinit(&error);
}

static void test_error_is_none(void **state)
{
    static const char *const texts[] = {
        "",
        "<html><body>Bad gateway</body></html>",
        "{}",
        "[]",
        "null",
        "\"message\"",
        "[{\"message\":\"x\"}]",
        "{\"message\":null,\"requestId\":7}",
        "{\"message\":\"\"}",
        "{\"message\":{\"message\":\"x\"}}",
        "{\"error\":{\"message\":\"x\"}}",
        "{\"message\":\"cut o",
        "{\"message",
        "{\"requestId\":\"0123456789abcdef0123456\"}",
        "{\"requestId\":\"0123456789abcdef012345678\"}",
        "{\"requestId\":\"0123456789abcdef0123456g\"}",
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
        PlatformError error = read_error(texts[i]);

        if (error.message || error.request_id || error.provider_message)
            fail_msg("%s was taken for an error of the platform", texts[i]);
        platform_error_deinit(&error);
    }
}

/* Before a break it has been said. */
static void test_error_breaks(void **state)
{
    PlatformError error = read_error(
        "{\"message\":\"said\",\"requestId\":\"0123456789abcdef01234567\" \"x");

    (void)state;
    assert_string_equal(error.message, "said");
    assert_string_equal(error.request_id, "0123456789abcdef01234567");
    platform_error_deinit(&error);
}

/* Shortened between characters: half a character would be no UTF-8, and could be neither stored nor served. */
static void test_error_is_cut(void **state)
{
    (void)state;
    for (size_t n_before = 0; n_before < 8; n_before++) {
        char text[16384] = "{\"message\":\"";
        PlatformError error;

        memset(text + strlen(text), 'x', n_before);
        for (int i = 0; i < 3000; i++)
            memcpy(text + strlen(text), "\xF0\x9F\x98\x80", 5);
        memcpy(text + strlen(text), "\"}", 3);
        error = read_error(text);
        assert_non_null(error.message);
        assert_in_range(strlen(error.message), 16 * PROBLEM_BYTES_MAX - 3, 16 * PROBLEM_BYTES_MAX);
        assert_true(utf8_is_valid(error.message, strlen(error.message)));
        assert_int_equal((strlen(error.message) - n_before) % 4, 0);
        assert_null(strchr(error.message, '?'));
        platform_error_deinit(&error);
    }
}

static void test_trim(void **state)
{
    static const struct {
        const char *text, *trimmed;
    } rows[] = {
        {"", ""},
        {"plain", "plain"},
        {"\t\r\n\x1B[31m\x7F", "    [31m "},
        {"sch\xC3\xB6n", "sch\xC3\xB6n"},
        {"\xC2\x9B"
         "31m",
         "  31m"},                              /* an escape sequence, in C1 */
        {"\xE2\x80\xA8\xE2\x80\xAE", "      "}, /* a line's end, and a change of direction */
        {"a\xFF\xFE"
         "b",
         "a??b"},
        {"a\xC3", "a?"},
        {"a\xF0\x9F\x98", "a???"},
        {"\xC0\x80", "??"}, /* a NUL, written too long */
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        char text[64];

        (void)snprintf(text, sizeof(text), "%s", rows[i].text);
        platform_reader_trim(text);
        assert_string_equal(text, rows[i].trimmed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_instance),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_token_is_not_utf8),
        cmocka_unit_test(test_token_size),
        cmocka_unit_test(test_repeated_keys),
        cmocka_unit_test(test_keys_that_look_like_paths),
        cmocka_unit_test(test_tags),
        cmocka_unit_test(test_longest_tags),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_rows_are_apart),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_error),
        cmocka_unit_test(test_error_is_none),
        cmocka_unit_test(test_error_breaks),
        cmocka_unit_test(test_error_is_cut),
        cmocka_unit_test(test_trim),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
