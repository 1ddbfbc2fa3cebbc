#include "base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/limits.h"

#define TRACE_BYTES_MAX (1024 * 1024)

/*
 * What the reader told, as text, so that a test can say it in one literal: an event a line, as
 *
 *     PATH {          opens, likewise [
 *     PATH }          closes, likewise ]
 *     PATH = VALUE    null, true, 12, "text" (bytes as they are, NUL as \0)
 *
 * with "KEY: " before it where there is a key and " @LINE:COLUMN" (and " key LINE:COLUMN") behind it where there are
 * positions. A path that is NULL is "?".
 */
typedef struct Trace {
    Buffer text;
    unsigned depth;
    size_t n_events;
    size_t stop_at; /* the event whose handler says no, from 1; 0: none */
} Trace;

static void trace_bytes(Trace *trace, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        assert_int_equal(bytes[i] ? buffer_append(&trace->text, bytes + i, 1)
                                  : buffer_append_string(&trace->text, "\\0"),
                         0);
}

static void trace_word(Trace *trace, const char *word)
{
    trace_bytes(trace, word, strlen(word));
}

static void trace_value(Trace *trace, const JsonEvent *event)
{
    switch (event->type) {
    case JSON_NULL:
        trace_word(trace, "= null");
        break;
    case JSON_BOOLEAN:
        trace_word(trace, event->boolean ? "= true" : "= false");
        break;
    case JSON_NUMBER:
        trace_word(trace, "= ");
        trace_bytes(trace, event->text, event->size);
        break;
    case JSON_STRING:
        trace_word(trace, "= \"");
        trace_bytes(trace, event->text, event->size);
        trace_word(trace, "\"");
        break;
    case JSON_ARRAY:
    case JSON_OBJECT:
        fail();
    }
}

static int trace_event(void *userdata, const JsonEvent *event)
{
    Trace *trace = userdata;
    bool is_object = event->type == JSON_OBJECT;

    if (event->kind == JSON_EVENT_CLOSE)
        trace->depth--;
    assert_int_equal(event->depth, trace->depth);
    if (event->key) {
        trace_bytes(trace, event->key, event->key_size);
        trace_word(trace, ": ");
    }
    trace_word(trace, event->path ? event->path : "?");
    trace_word(trace, event->path && !*event->path ? "" : " ");
    switch (event->kind) {
    case JSON_EVENT_OPEN:
        trace_word(trace, is_object ? "{" : "[");
        trace->depth++;
        break;
    case JSON_EVENT_CLOSE:
        trace_word(trace, is_object ? "}" : "]");
        break;
    case JSON_EVENT_VALUE:
        trace_value(trace, event);
        break;
    }
    if (event->at.line != 0)
        assert_int_equal(buffer_printf(&trace->text, " @%u:%u", event->at.line, event->at.column),
                         0);
    if (event->key_at.line != 0)
        assert_int_equal(
            buffer_printf(&trace->text, " key %u:%u", event->key_at.line, event->key_at.column), 0);
    trace_word(trace, "\n");
    trace->n_events++;
    return trace->n_events == trace->stop_at ? 1 : 0;
}

/* Reads a copy of its own, of exactly this size, so that a sanitizer sees each byte too far. */
static int trace_read(Trace *trace, const char *text, size_t size, unsigned flags,
                      JsonError *ret_error)
{
    _cleanup_(freep) char *copy = malloc(size > 0 ? size : 1);
    JsonError error;
    int r;

    *trace = (Trace){.text = BUFFER_INIT(TRACE_BYTES_MAX), .stop_at = trace->stop_at};
    assert_non_null(copy);
    if (size > 0)
        memcpy(copy, text, size);
    memset(&error, 0x55, sizeof(error));
    r = json_read(copy, size, flags, trace_event, trace, &error);
    assert_int_equal(buffer_append(&trace->text, "", 1), 0);
    if (r == JSON_E_SYNTAX) {
        /* One line of words, at a place in the document. */
        assert_in_range(strnlen(error.message, sizeof(error.message)), 5,
                        sizeof(error.message) - 1);
        assert_null(strpbrk(error.message, "\r\n"));
        assert_true(error.at.line >= 1 && error.at.line <= size + 1);
        assert_true(error.at.column >= 1 && error.at.column <= size + 1);
        if (ret_error)
            *ret_error = error;
    } else {
        assert_int_equal(error.message[0], 0x55); /* not touched */
        if (r == 0)
            assert_int_equal(trace->depth, 0);
    }
    return r;
}

static int ignore_event(void *userdata, const JsonEvent *event)
{
    (void)userdata;
    (void)event;
    return 0;
}

static void assert_events_of(const char *text, size_t size, unsigned flags, const char *expected)
{
    Trace trace = {};

    assert_int_equal(trace_read(&trace, text, size, flags, NULL), 0);
    assert_string_equal(buffer_data(&trace.text), expected);
    buffer_deinit(&trace.text);
}

static void assert_events(const char *text, const char *expected)
{
    assert_events_of(text, strlen(text), 0, expected);
}

static void assert_error_of(const char *text, size_t size, unsigned flags, unsigned line,
                            unsigned column, const char *words)
{
    static const unsigned positions[] = {0, JSON_POSITIONS};
    JsonError error = {};

    for (size_t i = 0; i < N_ELEMENTS(positions); i++) {
        Trace trace = {};

        assert_int_equal(trace_read(&trace, text, size, flags | positions[i], &error),
                         JSON_E_SYNTAX);
        if (error.at.line != line || error.at.column != column || !strstr(error.message, words))
            fail_msg("\"%s\": %u:%u: %s; expected %u:%u: %s", text, error.at.line, error.at.column,
                     error.message, line, column, words);
        buffer_deinit(&trace.text);
        /* Nobody has to want to know why. */
        assert_int_equal(json_read(text, size, flags, ignore_event, NULL, NULL), JSON_E_SYNTAX);
    }
}

static void assert_error(const char *text, unsigned line, unsigned column, const char *words)
{
    assert_error_of(text, strlen(text), 0, line, column, words);
}

/* The same with comments allowed. */
static void assert_commented_error(const char *text, unsigned line, unsigned column,
                                   const char *words)
{
    assert_error_of(text, strlen(text), JSON_COMMENTS, line, column, words);
}

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
    assert_events("null", "= null\n");
    assert_events("true", "= true\n");
    assert_events(" false ", "= false\n");
    assert_events("\"\"", "= \"\"\n");
    assert_events("\"text\"", "= \"text\"\n");
    assert_events("0", "= 0\n");
    assert_events("12", "= 12\n");
    assert_events("\n12\n", "= 12\n");
    assert_events("[]", "[\n]\n");
    assert_events("{}", "{\n}\n");
}

static void test_nesting(void **state)
{
    (void)state;
    assert_events("{\"a\":{\"b\":[1,[null],{\"c\":true}],\"d\":\"x\"},\"e\":[]}",
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
        assert_events(text, expected);
        (void)snprintf(expected, sizeof(expected), "= %s\n", numbers[i]);
        assert_events(numbers[i], expected);
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
    assert_events("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "= \"\"\\/\b\f\n\r\t\"\n");
    assert_events("\"\\u0041\\u00e9\\u20AC\\ud83d\\ude00\"", "= \"Aé€😀\"\n");
    assert_events("\"Aé€😀\"", "= \"Aé€😀\"\n");
    assert_events("\"\\u0000a\\u0000\"", "= \"\\0a\\0\"\n");
    assert_events("\"\x7f\"", "= \"\x7f\"\n");
    /* Half a pair that is only the text of one. */
    assert_events("\"\\\\ud800\"", "= \"\\ud800\"\n");
    assert_events("\"\\\\\\\\ud800 \\n\"", "= \"\\\\ud800 \n\"\n");
    /* Both ends of what a pair can say. */
    assert_events("\"\\ud800\\udc00\\uDBFF\\uDFFF\"", "= \"\xF0\x90\x80\x80\xF4\x8F\xBF\xBF\"\n");
    assert_events("\"\\ud7ff\\ue000\"", "= \"\xED\x9F\xBF\xEE\x80\x80\"\n");
}

static void test_strings_refused(void **state)
{
    (void)state;
    assert_error("[\"a\nb\"]", 1, 4, "invalid character inside string");
    assert_error("[\"a\tb\"]", 1, 4, "invalid character inside string");
    assert_error("[\"a\x1f\"]", 1, 4, "invalid character inside string");
    assert_error_of("[\"a\0\"]", 6, 0, 1, 4, "invalid character inside string");
    assert_error("[\"\\x\"]", 1, 4, "'\\' occurs before a character which it may not");
    assert_error("[\"\\u12G4\"]", 1, 7, "after '\\u'");
    assert_error("[\"\\u12\"]", 1, 7, "after '\\u'");
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
        assert_error(text, 1, 2, "surrogate");
        (void)snprintf(text, sizeof(text), "[\"x\\\"\", \"é\\\\%s\"]", halves[i]);
        assert_error(text, 1, 13, "surrogate");
        (void)snprintf(text, sizeof(text), "{\"é\\n%s\": 1}", halves[i]);
        assert_error(text, 1, 6, "surrogate");
    }
    /* The good half of two is not to blame. */
    assert_error("\"\\ud83d\\ude00\\ude00\"", 1, 14, "surrogate");
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
        assert_error(text, 1, 4, "UTF-8");
        (void)snprintf(text, sizeof(text), "[\"é\\n%s\"]", bad[i]);
        assert_error(text, 1, 6, "UTF-8");
        (void)snprintf(text, sizeof(text), "{\n \"é%s\": 1}", bad[i]);
        assert_error(text, 2, 4, "UTF-8");
    }
    for (size_t i = 0; i < N_ELEMENTS(good); i++) {
        char text[100], expected[100];

        (void)snprintf(text, sizeof(text), "[\"%s\"]", good[i]);
        (void)snprintf(expected, sizeof(expected), "[\n/[] = \"%s\"\n]\n", good[i]);
        assert_events(text, expected);
    }
    assert_error("\xFF", 1, 1, "invalid char");
}

static void test_keys(void **state)
{
    (void)state;
    /* Duplicates are the caller's business. */
    assert_events("{\"a\":1,\"a\":2}", "{\na: /a = 1\na: /a = 2\n}\n");
    assert_events("{\"\":1}", "{\n: / = 1\n}\n");
    assert_events("{\"a~b/c[d]\":{\"~1\":[0]}}",
                  "{\na~b/c[d]: /a~0b~1c~2d] {\n~1: /a~0b~1c~2d]/~01 [\n"
                  "/a~0b~1c~2d]/~01/[] = 0\n/a~0b~1c~2d]/~01 ]\n/a~0b~1c~2d] }\n}\n");
    /* A key that looks like any element of an array does not get its path. */
    assert_events("{\"[]\":1}", "{\n[]: /~2] = 1\n}\n");
}

/* yajl decodes each escaped string into the same place: a key must stay what it is until its value was told. */
static void test_escaped_keys(void **state)
{
    (void)state;
    assert_events("{\"a\\nb\":\"c\\td\"}", "{\na\nb: /a\nb = \"c\td\"\n}\n");
    assert_events(
        "{\"k\\u0041\":{\"l\\u0042\":[\"m\\u0043\",{\"n\\u0044\":\"o\\u0045\"}]},\"p\\u0046\":null}",
        "{\nkA: /kA {\nlB: /kA/lB [\n/kA/lB/[] = \"mC\"\n/kA/lB/[] {\n"
        "nD: /kA/lB/[]/nD = \"oE\"\n/kA/lB/[] }\n/kA/lB ]\n/kA }\npF: /pF = null\n}\n");
}

static void assert_readable(const Buffer *text)
{
    assert_int_equal(json_read(buffer_data(text), buffer_size(text), 0, ignore_event, NULL, NULL),
                     0);
    /* And cut off in its last string, of which yajl then keeps a copy too. */
    assert_int_equal(
        json_read(buffer_data(text), buffer_size(text) - 3, 0, ignore_event, NULL, NULL),
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
    assert_events("{\"id\\u0000x\":{\"id\":1},\"id\":2}",
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
    assert_events(text, expected);
    key[127] = 'k';
    key[128] = '\0';
    (void)snprintf(text, sizeof(text), "{\"%s\":{\"b\":[1]},\"c\":[2]}", key);
    (void)snprintf(expected, sizeof(expected),
                   "{\n%s: ? {\nb: ? [\n? = 1\n? ]\n? }\nc: /c [\n/c/[] = 2\n/c ]\n}\n", key);
    assert_events(text, expected);

    /* An escape counts twice, and half of one is never told. */
    key[126] = '~';
    key[127] = '\0';
    (void)snprintf(text, sizeof(text), "{\"%s\":1}", key);
    (void)snprintf(expected, sizeof(expected), "{\n%s: ? = 1\n}\n", key);
    assert_events(text, expected);
    key[125] = '~';
    key[126] = '\0';
    (void)snprintf(text, sizeof(text), "{\"%s\":1}", key);
    (void)snprintf(expected, sizeof(expected), "{\n%s: /%.125s~0 = 1\n}\n", key, key);
    assert_events(text, expected);
}

static void make_nested(char *text, size_t depth, bool is_closed)
{
    memset(text, '[', depth);
    memset(text + depth, is_closed ? ']' : '1', depth);
    text[2 * depth] = '\0';
}

static void test_depth(void **state)
{
    char text[8 * JSON_DEPTH_MAX];
    Trace trace = {};

    (void)state;
    make_nested(text, JSON_DEPTH_MAX, true);
    assert_int_equal(trace_read(&trace, text, strlen(text), 0, NULL), 0);
    assert_int_equal(trace.n_events, 2 * JSON_DEPTH_MAX);
    buffer_deinit(&trace.text);
    make_nested(text, JSON_DEPTH_MAX + 1, true);
    assert_int_equal(trace_read(&trace, text, strlen(text), 0, NULL), JSON_E_SYNTAX);
    assert_int_equal(trace.n_events, JSON_DEPTH_MAX); /* what stood before was told */
    buffer_deinit(&trace.text);
    assert_error(text, 1, JSON_DEPTH_MAX + 1, "nested deeper than 32 levels");

    /* A value may stand in the deepest, and siblings go no deeper. */
    make_nested(text, JSON_DEPTH_MAX, true);
    text[JSON_DEPTH_MAX] = '\0';
    (void)strcat(text, "1,2");
    memset(text + strlen(text), 0, 1);
    for (size_t i = 0, n = strlen(text); i < JSON_DEPTH_MAX; i++) {
        text[n + i] = ']';
        text[n + i + 1] = '\0';
    }
    assert_int_equal(trace_read(&trace, text, strlen(text), JSON_POSITIONS, NULL), 0);
    buffer_deinit(&trace.text);
    assert_error("\n[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[{\"a\":1}", 2, 33, "nested deeper");
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

/* ---- positions ---- */

static void test_positions(void **state)
{
    static const char text[] = "\n"
                               " {\"a\" : 1,\r\n"
                               "\t\"é😀\":\"€\" , \"c\": [ true\n"
                               "  ,\"x\\ny\" ,{} ]\n"
                               "}\n";

    (void)state;
    assert_events_of(text, strlen(text), JSON_POSITIONS,
                     "{ @2:2\n"
                     "a: /a = 1 @2:9 key 2:3\n"
                     "é😀: /é😀 = \"€\" @3:7 key 3:2\n"
                     "c: /c [ @3:18 key 3:13\n"
                     "/c/[] = true @3:20\n"
                     "/c/[] = \"x\ny\" @4:4\n"
                     "/c/[] { @4:12\n"
                     "/c/[] } @4:13\n"
                     "/c ] @4:15\n"
                     "} @5:1\n");
    assert_events_of("\n 12", 4, JSON_POSITIONS, "= 12 @2:2\n");
    assert_events_of("12 ", 3, JSON_POSITIONS, "= 12 @1:1\n");
}

static void test_positions_after_comments(void **state)
{
    static const char text[] = "// é: \"[{,\n"
                               "/* two\n"
                               " * lines */ { // here\r\n"
                               "/**/\"a\"/* : */:/*/ , \"*/ 1 /***/ , //\n"
                               "\"b\": \"// no /* comment\" /* é */ }\n"
                               "// no end of line";

    (void)state;
    assert_events_of(text, strlen(text), JSON_COMMENTS | JSON_POSITIONS,
                     "{ @3:13\n"
                     "a: /a = 1 @4:26 key 4:5\n"
                     "b: /b = \"// no /* comment\" @5:6 key 5:1\n"
                     "} @5:33\n");
}

/* ---- errors ---- */

static void test_error_positions(void **state)
{
    (void)state;
    assert_error("{\"a\": }", 1, 7, "unallowed token");
    assert_error("{\"a\": 1,}", 1, 9, "invalid object key");
    assert_error("[1,,2]", 1, 4, "unallowed token");
    assert_error("[1,]", 1, 4, "unallowed token");
    assert_error("[1 2]", 1, 4, "after array element");
    assert_error("[1 -22]", 1, 4, "after array element");
    assert_error("[\"a\" \"b\\\"c\"]", 1, 6, "after array element");
    assert_error("[\"a\"\n\"b\"]", 2, 1, "after array element");
    assert_error("{\"a\" 12}", 1, 6, "colon");
    assert_error("{\"a\": 1\n \"b\": 2}", 2, 2, "after key and value");
    assert_error("{12: 1}", 1, 2, "invalid object key");
    assert_error("{true: 1}", 1, 2, "invalid object key");
    assert_error("{null}", 1, 2, "invalid object key");
    assert_error("[true false]", 1, 7, "after array element");
    assert_error("[}", 1, 2, "unallowed token");
    assert_error("{]", 1, 2, "invalid object key");
    assert_error("]", 1, 1, "unallowed token");
    assert_error(":", 1, 1, "unallowed token");
    assert_error("[True]", 1, 2, "invalid char");
    assert_error("[troe]", 1, 2, "none of true, false and null");
    assert_error("[é]", 1, 2, "invalid char");
    assert_error("[1, @]", 1, 5, "invalid char");
    assert_error("[1.x]", 1, 4, "decimal point");
    assert_error("{\n  \"é\": \"é\" é\n}", 2, 12, "invalid char");
    assert_error_of("[\0]", 3, 0, 1, 2, "invalid char");
}

static void test_trailing_garbage(void **state)
{
    (void)state;
    assert_error("{} x", 1, 4, "");
    assert_error("{}\n}", 2, 1, "trailing garbage");
    assert_error("{} {}", 1, 4, "trailing garbage");
    assert_error("{},", 1, 3, "trailing garbage");
    assert_error("1 2", 1, 3, "trailing garbage");
    assert_error("1,", 1, 2, "trailing garbage");
    assert_error("null null", 1, 6, "trailing garbage");
    assert_error_of("{}\0", 3, 0, 1, 3, "");
    /* Beginnings of tokens, which yajl would wait for the rest of. */
    assert_error("{}12", 1, 3, "trailing garbage");
    assert_error("{}-", 1, 3, "trailing garbage");
    assert_error("{} tru", 1, 4, "trailing garbage");
    assert_error("{} n", 1, 4, "trailing garbage");
    assert_error("{} \"abc", 1, 4, "trailing garbage");
    assert_error("{}\"", 1, 3, "trailing garbage");
    assert_error("\"a\"\"", 1, 4, "trailing garbage");
    assert_commented_error("{}/", 1, 3, "trailing garbage");
    assert_commented_error("{} /x", 1, 4, "trailing garbage");
    assert_commented_error("{} // x\n/", 2, 1, "trailing garbage");
    assert_commented_error("12/", 1, 3, "trailing garbage");
    assert_events(" {} \r\n\t ", "{\n}\n");
}

static void test_empty_documents(void **state)
{
    (void)state;
    assert_error("", 1, 1, "empty document");
    assert_int_equal(json_read(NULL, 0, 0, ignore_event, NULL, NULL), JSON_E_SYNTAX);
    assert_error(" \r\n\t\n", 1, 1, "empty document");
    assert_commented_error("// nothing\n /* at all */", 1, 1, "empty document");
}

static void test_comments(void **state)
{
    Trace trace = {};

    (void)state;
    assert_error("// x\n{}", 1, 1, "comment");
    assert_error("{ /* x */ }", 1, 3, "comment");
    assert_error("{} // x", 1, 4, "");
    assert_commented_error("{ /x/ }", 1, 4, "invalid char");
    assert_commented_error("{ /", 1, 4, "ends before");
    assert_int_equal(trace_read(&trace, "{}//", 4, JSON_COMMENTS, NULL), 0);
    buffer_deinit(&trace.text);
    assert_int_equal(trace_read(&trace, "12/**/", 6, JSON_COMMENTS, NULL), 0);
    buffer_deinit(&trace.text);
    assert_int_equal(trace_read(&trace, "/**/12//", 8, JSON_COMMENTS, NULL), 0);
    buffer_deinit(&trace.text);
    /* Not closed: at the beginning, inside, behind the document. */
    assert_commented_error("/* x", 1, 1, "not closed");
    assert_commented_error("{\n  \"a\": /* x }", 2, 8, "not closed");
    assert_commented_error("{} /*", 1, 4, "not closed");
    assert_commented_error("{} /*/", 1, 4, "not closed");
    assert_commented_error("{} /* x *", 1, 4, "not closed");
    assert_commented_error("12 /* x", 1, 4, "not closed");
    assert_commented_error("{} /* x */ /* y", 1, 12, "not closed");
}

static void test_unfinished(void **state)
{
    (void)state;
    assert_error("{", 1, 2, "ends before");
    assert_error("{\"a\"", 1, 5, "ends before");
    assert_error("{\"a\": \"b\",\n", 2, 1, "ends before");
    assert_error("[1", 1, 3, "ends before");
    assert_error("[\"é", 1, 4, "ends before");
    assert_error("\"a", 1, 3, "ends before");
    assert_error("\"a\\", 1, 4, "ends before");
    assert_error("tru", 1, 4, "ends before");
    assert_error("-", 1, 2, "minus");
    assert_error("1.", 1, 3, "decimal");
    assert_error("1e", 1, 3, "exponent");
}

/* What a word processor made of a good document: where, and what to do. */
static void test_lookalikes(void **state)
{
    static const struct {
        const char *text;
        unsigned line, column;
        const char *words;
    } cases[] = {
        /* Both quotes, at a key and at a value. */
        {"{“a”: 1}", 1, 2, "left curly quote U+201C: use the straight quote \""},
        {"{\n  \"é\": “b”\n}", 2, 8, "left curly quote U+201C"},
        {"{„a“: 1}", 1, 2, "low quote U+201E: use the straight quote \""},
        {"{”a”: 1}", 1, 2, "right curly quote U+201D: use the straight quote \""},
        {"{«a»: 1}", 1, 2, "guillemet U+00AB: use the straight quote \""},
        {"[»a«]", 1, 2, "guillemet U+00BB: use the straight quote \""},
        {"{‘a’: 1}", 1, 2, "left single curly quote U+2018"},
        {"{’a’: 1}", 1, 2, "right single curly quote U+2019"},
        {"{'a': 1}", 1, 2, "single quote: use the straight double quote \""},
        {"{\"a\": 'b'}", 1, 7, "single quote: use the straight double quote \""},
        /* Only the second: the string runs on to the next straight quote, or to the end of its line. */
        {"{\"a”: \"b\"}", 1, 4, "right curly quote U+201D"},
        {"{\"a”: \"\"}", 1, 4, "right curly quote U+201D"},
        {"{\"a”: 1,\n\"b\": 2}", 1, 4, "right curly quote U+201D"},
        {"{\"é\": \"é”, \"c\": \"d\"}", 1, 9, "right curly quote U+201D"},
        {"{\"a\": \"b”,\n \"c\": 1}", 1, 9, "right curly quote U+201D"},
        {"{\"a\": \"b“}\n", 1, 9, "left curly quote U+201C"},
        {"{\"a\": \"b”}", 1, 9, "right curly quote U+201D"},
        {"{\"a\": \"b»}", 1, 9, "guillemet U+00BB"},
        {"{\"a\\\"”: \"true\"}", 1, 6, "right curly quote U+201D"},
        /* Blanks. */
        {"{\xC2\xA0\"a\": 1}", 1, 2, "no-break space U+00A0: use a plain space"},
        {"{\"a\":\xC2\xA0 1}", 1, 6, "no-break space U+00A0"},
        {"[1,\xE2\x80\x8B 2]", 1, 4, "zero-width space U+200B: remove it"},
        {"\xEF\xBB\xBF{}", 1, 1, "byte order mark U+FEFF: remove it"},
        {"{}\xC2\xA0", 1, 3, "no-break space U+00A0"},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++)
        assert_error(cases[i].text, cases[i].line, cases[i].column, cases[i].words);
}

/* Look-alikes that are a part of good strings and comments are not blamed for another mistake. */
static void test_lookalikes_elsewhere(void **state)
{
    (void)state;
    assert_events("[\"“it’s” «fine»\"]", "[\n/[] = \"“it’s” «fine»\"\n]\n");
    assert_error("{\"name\": \"“it’s” «fine»\"\n \"b\": 1}", 2, 2, "after key and value");
    assert_error("{\"name\": \"“it’s”\", \"b\": 1 2}", 1, 27, "after key and value");
    assert_error("{\"“name”\": x}", 1, 12, "invalid char");
    assert_error("{\"a\": \"it’s\n", 1, 12, "invalid character inside string");
    assert_error("[\"“a”\"", 1, 7, "ends before");
    assert_error("[\"“a”\" \"b\"]", 1, 8, "after array element");
    assert_commented_error("// “quoted”\n{\"a\": 1 /* ” */ 2}", 2, 17, "after key and value");
}

/* A message tells of one character of the document at most: what is wrong may be a secret. */
static void test_errors_tell_nothing(void **state)
{
    static const char text[] = "{\"password\": \"hunter2\" hunter2, \"x\": hunter2}";
    JsonError error;

    (void)state;
    for (size_t start = 0; start < strlen(text); start++)
        for (size_t size = 0; size <= strlen(text) - start; size++)
            if (json_read(text + start, size, 0, ignore_event, NULL, &error) == JSON_E_SYNTAX) {
                assert_null(strstr(error.message, "hunt"));
                assert_null(strstr(error.message, "pass"));
            }
}

/* ---- documents that break ---- */

static const char sample[] = "{\"id\": 1234, \"n\\u0061me\": \"é\\n\", \"token\": \"Af+/w=\",\n"
                             " \"list\": [1, -2.5e3, {\"a\\tb\": [true, false, null]}, \"€😀\"],\n"
                             " \"\\ud83d\\ude00\": {}, \"last\": 0.10}";

/*
 * Every beginning of a document: never a crash, and what is told is what the whole document tells, up to a point: in
 * particular no number that was cut off.
 */
static void test_prefixes(void **state)
{
    static const unsigned flags[] = {0, JSON_COMMENTS, JSON_POSITIONS,
                                     JSON_COMMENTS | JSON_POSITIONS};

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(flags); i++) {
        Trace whole = {}, part = {};
        size_t told = 0;

        assert_int_equal(trace_read(&whole, sample, strlen(sample), flags[i], NULL), 0);
        for (size_t size = 0; size < strlen(sample); size++) {
            assert_int_equal(trace_read(&part, sample, size, flags[i], NULL), JSON_E_SYNTAX);
            assert_true(part.n_events >= told); /* more text never tells less */
            told = part.n_events;
            assert_memory_equal(buffer_data(&part.text), buffer_data(&whole.text),
                                buffer_size(&part.text) - 1);
            buffer_deinit(&part.text);
        }
        assert_int_equal(told + 2,
                         whole.n_events); /* the last bracket shows that the number is whole */
        buffer_deinit(&whole.text);
    }
}

static void test_cut_off(void **state)
{
    static const struct {
        const char *text;
        const char *expected;
    } cases[] = {
        {"{\"id\": 12", "{\n"},
        {"{\"id\": 12 ", "{\nid: /id = 12\n"},
        {"{\"id\": 12,", "{\nid: /id = 12\n"},
        {"{\"id\": 12}", "{\nid: /id = 12\n}\n"},
        {"[1.5", "[\n"},
        {"[-0", "[\n"},
        {"[1,2", "[\n/[] = 1\n"},
        {"{\"token\": \"abc", "{\n"},
        {"{\"token\": \"abc\"", "{\ntoken: /token = \"abc\"\n"},
        {"{\"token\"", "{\n"},
        {"[tru", "[\n"},
        {"[true", "[\n/[] = true\n"},
        {"12", "= 12\n"}, /* nobody can tell */
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        Trace trace = {};

        (void)trace_read(&trace, cases[i].text, strlen(cases[i].text), 0, NULL);
        assert_string_equal(buffer_data(&trace.text), cases[i].expected);
        buffer_deinit(&trace.text);
    }
}

/* The answer that the platform's own documentation shows, with quotes in a description that are not escaped. */
static void test_invalid_answer(void **state)
{
    Buffer text = BUFFER_INIT(4096);
    JsonError error = {};
    Trace trace = {};

    (void)state;
    assert_int_equal(file_read(AT_FDCWD, "tests/data/answer-invalid.json", &text, NULL), 0);
    assert_int_equal(trace_read(&trace, buffer_data(&text), buffer_size(&text), 0, &error),
                     JSON_E_SYNTAX);
    assert_non_null(strstr(buffer_data(&trace.text),
                           "{\n"
                           "id: /id = 1234\n"
                           "name: /name = \"Test\"\n"
                           "token: /token = \"AfYuaYxrBBbeSsE47JUwnOW/wYoBOx+rKoYh7rmd5lg=\"\n"
                           "element: /element {\n"));
    assert_int_equal(error.at.line, 15);
    assert_int_equal(error.at.column, 98);
    buffer_deinit(&trace.text);
    buffer_deinit(&text);
}

static void test_instance_file(void **state)
{
    Buffer text = BUFFER_INIT(4096);
    Trace trace = {};

    (void)state;
    assert_int_equal(file_read(AT_FDCWD, "tests/data/instance.json", &text, NULL), 0);
    assert_int_equal(trace_read(&trace, buffer_data(&text), buffer_size(&text),
                                JSON_COMMENTS | JSON_POSITIONS, NULL),
                     0);
    assert_non_null(
        strstr(buffer_data(&trace.text), "key: /element/key = \"jira\" @3:12 key 3:5\n"));
    assert_non_null(strstr(buffer_data(&trace.text), "/tags/[] = \"<INSERT_TAGS>\" @11:5\n"));
    buffer_deinit(&trace.text);
    buffer_deinit(&text);
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
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_positions),
        cmocka_unit_test(test_positions_after_comments),
        cmocka_unit_test(test_error_positions),
        cmocka_unit_test(test_trailing_garbage),
        cmocka_unit_test(test_empty_documents),
        cmocka_unit_test(test_comments),
        cmocka_unit_test(test_unfinished),
        cmocka_unit_test(test_lookalikes),
        cmocka_unit_test(test_lookalikes_elsewhere),
        cmocka_unit_test(test_errors_tell_nothing),
        cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_cut_off),
        cmocka_unit_test(test_invalid_answer),
        cmocka_unit_test(test_instance_file),
        cmocka_unit_test(test_int64),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
