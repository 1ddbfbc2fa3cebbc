/*
 * The JSON reader: which events a document makes. And integers, out of their digits.
 */

#include "base/json.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "tests/unit/trace.h"

static void test_type_names(void **state)
{
    (void)state;
    assert_string_equal(json_type_name(JSON_NULL), "null");
    assert_string_equal(json_type_name(JSON_BOOLEAN), "boolean");
    assert_string_equal(json_type_name(JSON_NUMBER), "number");
    assert_string_equal(json_type_name(JSON_STRING), "string");
    assert_string_equal(json_type_name(JSON_ARRAY), "array");
    assert_string_equal(json_type_name(JSON_OBJECT), "object");
}

/* ---- events ---- */

static void test_scalars(void **state)
{
    (void)state;
    trace_assert_events("null", "= null\n");
    trace_assert_events("true", "= true\n");
    trace_assert_events(" false ", "= false\n");
    trace_assert_events("\"\"", "= \"\"\n");
    trace_assert_events("\"text\"", "= \"text\"\n");
    trace_assert_events("0", "= 0\n");
    trace_assert_events("12", "= 12\n");
    trace_assert_events("\n12\n", "= 12\n");
    trace_assert_events("[]", "[\n]\n");
    trace_assert_events("{}", "{\n}\n");
}

static void test_nesting(void **state)
{
    (void)state;
    trace_assert_events("{\"a\":{\"b\":[1,[null],{\"c\":true}],\"d\":\"x\"},\"e\":[]}",
                        "{\n"
                        "a: /a {\n"
                        "b: /a/b [\n"
                        "/a/b/[] = 1\n"
                        "/a/b/[] [\n"
                        "/a/b/[]/[] = null\n"
                        "/a/b/[] ]\n"
                        "/a/b/[] {\n"
                        "c: /a/b/[]/c = true\n"
                        "/a/b/[] }\n"
                        "/a/b ]\n"
                        "d: /a/d = \"x\"\n"
                        "/a }\n"
                        "e: /e [\n"
                        "/e ]\n"
                        "}\n");
}

static void test_numbers_keep_their_digits(void **state)
{
    static const char *const numbers[] = {
        "0",
        "-0",
        "0.10",
        "1e400",
        "-1E-400",
        "1.0",
        "100000000000000000000000000001",
        "1e+05",
        "0e0",
        "-0.0",
        "9223372036854775808",
        "0.1e1",
        "12345678901234567890.123456789",
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(numbers); i++) {
        char text[100], expected[100];

        (void)snprintf(text, sizeof(text), "[%s]", numbers[i]);
        (void)snprintf(expected, sizeof(expected), "[\n/[] = %s\n]\n", numbers[i]);
        trace_assert_events(text, expected);
        (void)snprintf(expected, sizeof(expected), "= %s\n", numbers[i]);
        trace_assert_events(numbers[i], expected);
    }
}

static void test_numbers_refused(void **state)
{
    static const char *const numbers[] = {
        "01",  "-01", "1.",    ".5",  "1.e5",     "1e",        "1e+",   "+1",    "0x10", "-",
        "--1", "1a",  "1.2.3", "NaN", "Infinity", "-Infinity", "1_000", "1e5.5", "00",   "١",
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(numbers); i++) {
        char text[100];
        Trace trace = {};

        (void)snprintf(text, sizeof(text), "[%s]", numbers[i]);
        assert_int_equal(trace_read(&trace, text, strlen(text), 0, NULL), JSON_E_SYNTAX);
        buffer_deinit(&trace.text);
        assert_int_equal(trace_read(&trace, numbers[i], strlen(numbers[i]), 0, NULL),
                         JSON_E_SYNTAX);
        buffer_deinit(&trace.text);
    }
}

static void test_strings(void **state)
{
    (void)state;
    trace_assert_events("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "= \"\"\\/\b\f\n\r\t\"\n");
    trace_assert_events("\"\\u0041\\u00e9\\u20AC\\ud83d\\ude00\"", "= \"Aé€😀\"\n");
    trace_assert_events("\"Aé€😀\"", "= \"Aé€😀\"\n");
    trace_assert_events("\"\\u0000a\\u0000\"", "= \"\\0a\\0\"\n");
    trace_assert_events("\"\x7f\"", "= \"\x7f\"\n");
    /* Half a pair that is only the text of one. */
    trace_assert_events("\"\\\\ud800\"", "= \"\\ud800\"\n");
    trace_assert_events("\"\\\\\\\\ud800 \\n\"", "= \"\\\\ud800 \n\"\n");
    /* Both ends of what a pair can say. */
    trace_assert_events("\"\\ud800\\udc00\\uDBFF\\uDFFF\"",
                        "= \"\xF0\x90\x80\x80\xF4\x8F\xBF\xBF\"\n");
    trace_assert_events("\"\\ud7ff\\ue000\"", "= \"\xED\x9F\xBF\xEE\x80\x80\"\n");
}

static void test_strings_refused(void **state)
{
    (void)state;
    trace_assert_error("[\"a\nb\"]", 1, 4, "invalid character inside string");
    trace_assert_error("[\"a\tb\"]", 1, 4, "invalid character inside string");
    trace_assert_error("[\"a\x1f\"]", 1, 4, "invalid character inside string");
    trace_assert_error_of("[\"a\0\"]", 6, 0, 1, 4, "invalid character inside string");
    trace_assert_error("[\"\\x\"]", 1, 4, "'\\' occurs before a character which it may not");
    trace_assert_error("[\"\\u12G4\"]", 1, 7, "after '\\u'");
    trace_assert_error("[\"\\u12\"]", 1, 7, "after '\\u'");
}

static void test_half_pairs(void **state)
{
    static const char *const halves[] = {
        "\\ud800",         "\\udc00",        "\\uDBFF",          "\\udfff",        "\\udc00\\ud800",
        "\\udc00\\udc00",  "\\ud800\\u0041", "\\ud800\\ud800",   "\\ud800\\ue000", "\\ud800\\n",
        "\\ud800 \\udc00", "\\ud800A",       "\\ud800\\\\udc00",
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(halves); i++) {
        char text[100];

        (void)snprintf(text, sizeof(text), "\"%s\"", halves[i]);
        trace_assert_error(text, 1, 2, "surrogate");
        (void)snprintf(text, sizeof(text), "[\"x\\\"\", \"é\\\\%s\"]", halves[i]);
        trace_assert_error(text, 1, 13, "surrogate");
        (void)snprintf(text, sizeof(text), "{\"é\\n%s\": 1}", halves[i]);
        trace_assert_error(text, 1, 6, "surrogate");
    }
    /* The good half of two is not to blame. */
    trace_assert_error("\"\\ud83d\\ude00\\ude00\"", 1, 14, "surrogate");
}

static void test_utf8(void **state)
{
    static const char *const bad[] = {
        "\x80", /* no beginning */
        "\xBF",
        "\xC3", /* no end */
        "\xC3(",
        "\xE2\x82",
        "\xE2\x82(",
        "\xF0\x9F\x98",
        "\xC0\x80", /* overlong */
        "\xC1\xBF",
        "\xE0\x80\x80",
        "\xE0\x9F\xBF",
        "\xF0\x80\x80\x80",
        "\xF0\x8F\xBF\xBF",
        "\xED\xA0\x80", /* surrogates */
        "\xED\xBF\xBF",
        "\xF4\x90\x80\x80", /* above U+10FFFF */
        "\xF5\x80\x80\x80",
        "\xF8\x88\x80\x80\x80",
        "\xFE",
        "\xFF",
    };
    static const char *const good[] = {
        "\x7f",         "\xC2\x80",     "\xDF\xBF",         "\xE0\xA0\x80",     "\xEF\xBF\xBF",
        "\xED\x9F\xBF", "\xEE\x80\x80", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF", "\xEF\xBB\xBF",
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
        char text[100];

        (void)snprintf(text, sizeof(text), "[\"é%s\"]", bad[i]);
        trace_assert_error(text, 1, 4, "UTF-8");
        (void)snprintf(text, sizeof(text), "[\"é\\n%s\"]", bad[i]);
        trace_assert_error(text, 1, 6, "UTF-8");
        (void)snprintf(text, sizeof(text), "{\n \"é%s\": 1}", bad[i]);
        trace_assert_error(text, 2, 4, "UTF-8");
    }
    for (size_t i = 0; i < N_ELEMENTS(good); i++) {
        char text[100], expected[100];

        (void)snprintf(text, sizeof(text), "[\"%s\"]", good[i]);
        (void)snprintf(expected, sizeof(expected), "[\n/[] = \"%s\"\n]\n", good[i]);
        trace_assert_events(text, expected);
    }
    trace_assert_error("\xFF", 1, 1, "invalid char");
}

static void test_keys(void **state)
{
    (void)state;
    /* Duplicates are the caller's business. */
    trace_assert_events("{\"a\":1,\"a\":2}", "{\na: /a = 1\na: /a = 2\n}\n");
    trace_assert_events("{\"\":1}", "{\n: / = 1\n}\n");
    trace_assert_events("{\"a~b/c[d]\":{\"~1\":[0]}}",
                        "{\na~b/c[d]: /a~0b~1c~2d] {\n~1: /a~0b~1c~2d]/~01 [\n"
                        "/a~0b~1c~2d]/~01/[] = 0\n/a~0b~1c~2d]/~01 ]\n/a~0b~1c~2d] }\n}\n");
    /* A key that looks like any element of an array does not get its path. */
    trace_assert_events("{\"[]\":1}", "{\n[]: /~2] = 1\n}\n");
}

/* yajl decodes each escaped string into the same place: a key must stay what it is until its value was told. */
static void test_escaped_keys(void **state)
{
    (void)state;
    trace_assert_events("{\"a\\nb\":\"c\\td\"}", "{\na\nb: /a\nb = \"c\td\"\n}\n");
    trace_assert_events(
        "{\"k\\u0041\":{\"l\\u0042\":[\"m\\u0043\",{\"n\\u0044\":\"o\\u0045\"}]},\"p\\u0046\":null}",
        "{\nkA: /kA {\nlB: /kA/lB [\n/kA/lB/[] = \"mC\"\n/kA/lB/[] {\n"
        "nD: /kA/lB/[]/nD = \"oE\"\n/kA/lB/[] }\n/kA/lB ]\n/kA }\npF: /pF = null\n}\n");
}

static void assert_readable(const Buffer *text)
{
    assert_int_equal(json_read(buffer_data(text), buffer_size(text), 0, trace_ignore, NULL, NULL),
                     0);
    /* And cut off in its last string, of which yajl then keeps a copy too. */
    assert_int_equal(
        json_read(buffer_data(text), buffer_size(text) - 3, 0, trace_ignore, NULL, NULL),
        JSON_E_SYNTAX);
}

/* What costs most must fit into the reader's own memory, whose ceiling is a multiple of the text. */
static void test_escapes_fit(void **state)
{
    enum { N = 16384, LINE = 64 };
    Buffer text = BUFFER_INIT(2 * N * LINE);

    (void)state;
    /* Short escaped keys, of each of which the reader keeps a copy. */
    assert_int_equal(buffer_append_string(&text, "{"), 0);
    for (int i = 0; i < N; i++)
        assert_int_equal(buffer_append_string(&text, "\"\\n\":0,"), 0);
    assert_int_equal(buffer_append_string(&text, "\"\\n\":\"xxx\"}"), 0);
    assert_readable(&text);

    /* A string of a little more than 1 MiB in many pieces, for which yajl doubles its buffer step by step. */
    buffer_clear(&text);
    assert_int_equal(buffer_append_string(&text, "[\""), 0);
    for (int i = 0; i < N; i++)
        assert_int_equal(buffer_printf(&text, "\\n%*s", LINE - 1, "x"), 0);
    assert_int_equal(buffer_append_string(&text, "xxx\\n\"]"), 0);
    assert_readable(&text);
    buffer_deinit(&text);
}

static void test_key_with_nul(void **state)
{
    (void)state;
    /* It must not pass for the key "id". */
    trace_assert_events("{\"id\\u0000x\":{\"id\":1},\"id\":2}",
                        "{\nid\\0x: ? {\nid: ? = 1\n? }\nid: /id = 2\n}\n");
}

/* A path of 128 bytes is told, one of 129 is not, nor any below it; then paths are back. */
static void test_long_paths(void **state)
{
    char key[130], text[600], expected[600];

    (void)state;
    memset(key, 'k', sizeof(key));
    key[127] = '\0';
    (void)snprintf(text, sizeof(text), "{\"%s\":{\"b\":1},\"c\":[2]}", key);
    (void)snprintf(expected, sizeof(expected),
                   "{\n%s: /%s {\nb: ? = 1\n/%s }\nc: /c [\n/c/[] = 2\n/c ]\n}\n", key, key, key);
    trace_assert_events(text, expected);
    key[127] = 'k';
    key[128] = '\0';
    (void)snprintf(text, sizeof(text), "{\"%s\":{\"b\":[1]},\"c\":[2]}", key);
    (void)snprintf(expected, sizeof(expected),
                   "{\n%s: ? {\nb: ? [\n? = 1\n? ]\n? }\nc: /c [\n/c/[] = 2\n/c ]\n}\n", key);
    trace_assert_events(text, expected);

    /* An escape counts twice, and half of one is never told. */
    key[126] = '~';
    key[127] = '\0';
    (void)snprintf(text, sizeof(text), "{\"%s\":1}", key);
    (void)snprintf(expected, sizeof(expected), "{\n%s: ? = 1\n}\n", key);
    trace_assert_events(text, expected);
    key[125] = '~';
    key[126] = '\0';
    (void)snprintf(text, sizeof(text), "{\"%s\":1}", key);
    (void)snprintf(expected, sizeof(expected), "{\n%s: /%.125s~0 = 1\n}\n", key, key);
    trace_assert_events(text, expected);
}

/* `inside`, in so many arrays. */
static void make_nested(char *text, size_t size, size_t depth, const char *inside)
{
    size_t n = strlen(inside);

    assert_true(2 * depth + n < size);
    memset(text, '[', depth);
    memcpy(text + depth, inside, n);
    memset(text + depth + n, ']', depth);
    text[2 * depth + n] = '\0';
}

static void test_depth(void **state)
{
    char text[8 * JSON_DEPTH_MAX];
    Trace trace = {};

    (void)state;
    make_nested(text, sizeof(text), JSON_DEPTH_MAX, "");
    assert_int_equal(trace_read(&trace, text, strlen(text), 0, NULL), 0);
    assert_int_equal(trace.n_events, 2 * JSON_DEPTH_MAX);
    buffer_deinit(&trace.text);
    make_nested(text, sizeof(text), JSON_DEPTH_MAX + 1, "");
    assert_int_equal(trace_read(&trace, text, strlen(text), 0, NULL), JSON_E_SYNTAX);
    assert_int_equal(trace.n_events, JSON_DEPTH_MAX); /* what stood before was told */
    buffer_deinit(&trace.text);
    trace_assert_error(text, 1, JSON_DEPTH_MAX + 1, "nested deeper than 32 levels");

    /* A value may stand in the deepest, and siblings go no deeper. */
    make_nested(text, sizeof(text), JSON_DEPTH_MAX, "1,2");
    assert_int_equal(trace_read(&trace, text, strlen(text), TRACE_POSITIONS, NULL), 0);
    buffer_deinit(&trace.text);
    trace_assert_error("\n[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[{\"a\":1}", 2, 33, "nested deeper");
}

/* Who does not look at paths gets none, and all else as ever. */
static void test_no_paths(void **state)
{
    static const char text[] = "{\"a\":[1,{\"b\":null}],\"c\":\"d\"}";

    (void)state;
    trace_assert_events_of(text, strlen(text), JSON_NO_PATHS,
                           "? {\n"
                           "a: ? [\n"
                           "? = 1\n"
                           "? {\n"
                           "b: ? = null\n"
                           "? }\n"
                           "? ]\n"
                           "c: ? = \"d\"\n"
                           "? }\n");
}

static void test_stop(void **state)
{
    static const char text[] = "{\"a\":[1,{\"b\":null}]}";
    Trace trace = {};
    size_t n_events;

    (void)state;
    assert_int_equal(trace_read(&trace, text, strlen(text), 0, NULL), 0);
    n_events = trace.n_events;
    assert_int_equal(n_events, 8);
    buffer_deinit(&trace.text);
    for (size_t i = 1; i <= n_events; i++) {
        trace.stop_at = i;
        assert_int_equal(trace_read(&trace, text, strlen(text), 0, NULL), JSON_E_STOPPED);
        assert_int_equal(trace.n_events, i); /* and not one more */
        buffer_deinit(&trace.text);
    }
    trace.stop_at = 1;
    assert_int_equal(trace_read(&trace, "12", 2, 0, NULL), JSON_E_STOPPED);
    buffer_deinit(&trace.text);
}

/* ---- integers ---- */

static void test_int64(void **state)
{
    static const struct {
        const char *digits;
        int64_t number;
    } good[] = {
        {"0", 0},
        {"-0", 0},
        {"1", 1},
        {"-1", -1},
        {"1234567890123", INT64_C(1234567890123)},
        {"9223372036854775806", INT64_MAX - 1},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775807", INT64_MIN + 1},
        {"-9223372036854775808", INT64_MIN},
    };
    static const char *const bad[] = {
        "9223372036854775808",
        "-9223372036854775809",
        "18446744073709551616",
        "18446744073709551617",
        "92233720368547758070",
        "-92233720368547758080",
        "100000000000000000000000000000000000000000",
        "1.0",
        "1.5",
        "-0.0",
        "1e0",
        "1E5",
        "1e400",
        "",
        "-",
        "+1",
        " 1",
        "1 ",
        "--1",
        "1-",
        "0x10",
        "abc",
    };
    int64_t number;

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(good); i++) {
        number = 77;
        assert_int_equal(json_parse_int64(good[i].digits, strlen(good[i].digits), &number), 0);
        assert_true(number == good[i].number);
    }
    number = 77;
    for (size_t i = 0; i < N_ELEMENTS(bad); i++)
        assert_int_equal(json_parse_int64(bad[i], strlen(bad[i]), &number), -ERANGE);
    assert_int_equal(json_parse_int64("1\0", 2, &number), -ERANGE);
    assert_int_equal(number, 77);                              /* written on success only */
    assert_int_equal(json_parse_int64("1234", 2, &number), 0); /* of so many bytes, no NUL */
    assert_int_equal(number, 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_type_names),
        cmocka_unit_test(test_scalars),
        cmocka_unit_test(test_nesting),
        cmocka_unit_test(test_numbers_keep_their_digits),
        cmocka_unit_test(test_numbers_refused),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_strings_refused),
        cmocka_unit_test(test_half_pairs),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_escaped_keys),
        cmocka_unit_test(test_escapes_fit),
        cmocka_unit_test(test_key_with_nul),
        cmocka_unit_test(test_long_paths),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_no_paths),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_int64),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
