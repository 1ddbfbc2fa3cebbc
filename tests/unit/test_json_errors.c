/*
 * The JSON reader: where things stand, and what is said of documents that are none.
 */

#include "base/json.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "tests/unit/trace.h"

/* ---- positions ---- */

static void test_positions(void **state)
{
    static const char text[] = "\n"
                               " {\"a\" : 1,\r\n"
                               "\t\"é😀\":\"€\" , \"c\": [ true\n"
                               "  ,\"x\\ny\" ,{} ]\n"
                               "}\n";

    (void)state;
    trace_assert_events_of(text, strlen(text), TRACE_POSITIONS,
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
    trace_assert_events_of("\n 12", 4, TRACE_POSITIONS, "= 12 @2:2\n");
    trace_assert_events_of("12 ", 3, TRACE_POSITIONS, "= 12 @1:1\n");
}

/* Each kind of value, with nothing between and with blanks; strings in which there are quotes and backslashes. */
static void test_positions_of_kinds(void **state)
{
    static const char array[] = "[null,false ,\"\",\"\\\"\" , \"\\\\\",-1.5e3\n,0,true,[],{}]";
    static const char object[] = "{\"\\\"\" :\"\", \"\":null,\"\\\\\\\"\":\"[\\u005d\"}";

    (void)state;
    trace_assert_events_of(array, strlen(array), TRACE_POSITIONS,
                           "[ @1:1\n"
                           "/[] = null @1:2\n"
                           "/[] = false @1:7\n"
                           "/[] = \"\" @1:14\n"
                           "/[] = \"\"\" @1:17\n"
                           "/[] = \"\\\" @1:24\n"
                           "/[] = -1.5e3 @1:29\n"
                           "/[] = 0 @2:2\n"
                           "/[] = true @2:4\n"
                           "/[] [ @2:9\n"
                           "/[] ] @2:10\n"
                           "/[] { @2:12\n"
                           "/[] } @2:13\n"
                           "] @2:14\n");
    trace_assert_events_of(object, strlen(object), TRACE_POSITIONS,
                           "{ @1:1\n"
                           "\": /\" = \"\" @1:8 key 1:2\n"
                           ": / = null @1:15 key 1:12\n"
                           "\\\": /\\\" = \"[]\" @1:27 key 1:20\n"
                           "} @1:36\n");
    trace_assert_events_of(" true", 5, TRACE_POSITIONS, "= true @1:2\n");
    trace_assert_events_of("-0.5", 4, TRACE_POSITIONS, "= -0.5 @1:1\n");
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
    trace_assert_events_of(text, strlen(text), JSON_COMMENTS | TRACE_POSITIONS,
                           "{ @3:13\n"
                           "a: /a = 1 @4:26 key 4:5\n"
                           "b: /b = \"// no /* comment\" @5:6 key 5:1\n"
                           "} @5:33\n");
}

/* ---- errors ---- */

static void test_error_positions(void **state)
{
    (void)state;
    trace_assert_error("{\"a\": }", 1, 7, "unallowed token");
    trace_assert_error("{\"a\": 1,}", 1, 9, "invalid object key");
    trace_assert_error("[1,,2]", 1, 4, "unallowed token");
    trace_assert_error("[1,]", 1, 4, "unallowed token");
    trace_assert_error("[1 2]", 1, 4, "after array element");
    trace_assert_error("[1 -22]", 1, 4, "after array element");
    trace_assert_error("[\"a\" \"b\\\"c\"]", 1, 6, "after array element");
    trace_assert_error("[\"a\"\n\"b\"]", 2, 1, "after array element");
    trace_assert_error("{\"a\" 12}", 1, 6, "colon");
    trace_assert_error("{\"a\": 1\n \"b\": 2}", 2, 2, "after key and value");
    trace_assert_error("{12: 1}", 1, 2, "invalid object key");
    trace_assert_error("{true: 1}", 1, 2, "invalid object key");
    trace_assert_error("{null}", 1, 2, "invalid object key");
    trace_assert_error("[true false]", 1, 7, "after array element");
    trace_assert_error("[}", 1, 2, "unallowed token");
    trace_assert_error("{]", 1, 2, "invalid object key");
    trace_assert_error("]", 1, 1, "unallowed token");
    trace_assert_error(":", 1, 1, "unallowed token");
    trace_assert_error("[True]", 1, 2, "invalid char");
    trace_assert_error("[troe]", 1, 2, "none of true, false and null");
    trace_assert_error("[é]", 1, 2, "invalid char");
    trace_assert_error("[1, @]", 1, 5, "invalid char");
    trace_assert_error("[1.x]", 1, 4, "decimal point");
    trace_assert_error("{\n  \"é\": \"é\" é\n}", 2, 12, "invalid char");
    trace_assert_error_of("[\0]", 3, 0, 1, 2, "invalid char");
}

static void test_trailing_garbage(void **state)
{
    (void)state;
    trace_assert_error("{} x", 1, 4, "");
    trace_assert_error("{}\n}", 2, 1, "trailing garbage");
    trace_assert_error("{} {}", 1, 4, "trailing garbage");
    trace_assert_error("{},", 1, 3, "trailing garbage");
    trace_assert_error("1 2", 1, 3, "trailing garbage");
    trace_assert_error("1,", 1, 2, "trailing garbage");
    trace_assert_error("null null", 1, 6, "trailing garbage");
    trace_assert_error_of("{}\0", 3, 0, 1, 3, "");
    /* Beginnings of tokens, which yajl would wait for the rest of. */
    trace_assert_error("{}12", 1, 3, "trailing garbage");
    trace_assert_error("{}-", 1, 3, "trailing garbage");
    trace_assert_error("{} tru", 1, 4, "trailing garbage");
    trace_assert_error("{} n", 1, 4, "trailing garbage");
    trace_assert_error("{} \"abc", 1, 4, "trailing garbage");
    trace_assert_error("{}\"", 1, 3, "trailing garbage");
    trace_assert_error("\"a\"\"", 1, 4, "trailing garbage");
    trace_assert_commented_error("{}/", 1, 3, "trailing garbage");
    trace_assert_commented_error("{} /x", 1, 4, "trailing garbage");
    trace_assert_commented_error("{} // x\n/", 2, 1, "trailing garbage");
    trace_assert_commented_error("12/", 1, 3, "trailing garbage");
    trace_assert_events(" {} \r\n\t ", "{\n}\n");
}

static void test_empty_documents(void **state)
{
    (void)state;
    trace_assert_error("", 1, 1, "empty document");
    assert_int_equal(json_read(NULL, 0, 0, trace_ignore, NULL, NULL), JSON_E_SYNTAX);
    trace_assert_error(" \r\n\t\n", 1, 1, "empty document");
    trace_assert_commented_error("// nothing\n /* at all */", 1, 1, "empty document");
}

static void test_comments(void **state)
{
    Trace trace = {};

    (void)state;
    trace_assert_error("// x\n{}", 1, 1, "comment");
    trace_assert_error("{ /* x */ }", 1, 3, "comment");
    trace_assert_error("{} // x", 1, 4, "");
    trace_assert_commented_error("{ /x/ }", 1, 4, "invalid char");
    trace_assert_commented_error("{ /", 1, 4, "ends before");
    assert_int_equal(trace_read(&trace, "{}//", 4, JSON_COMMENTS, NULL), 0);
    buffer_deinit(&trace.text);
    assert_int_equal(trace_read(&trace, "12/**/", 6, JSON_COMMENTS, NULL), 0);
    buffer_deinit(&trace.text);
    assert_int_equal(trace_read(&trace, "/**/12//", 8, JSON_COMMENTS, NULL), 0);
    buffer_deinit(&trace.text);
    /* Not closed: at the beginning, inside, behind the document. */
    trace_assert_commented_error("/* x", 1, 1, "not closed");
    trace_assert_commented_error("{\n  \"a\": /* x }", 2, 8, "not closed");
    trace_assert_commented_error("{} /*", 1, 4, "not closed");
    trace_assert_commented_error("{} /*/", 1, 4, "not closed");
    trace_assert_commented_error("{} /* x *", 1, 4, "not closed");
    trace_assert_commented_error("12 /* x", 1, 4, "not closed");
    trace_assert_commented_error("{} /* x */ /* y", 1, 12, "not closed");
}

static void test_unfinished(void **state)
{
    (void)state;
    trace_assert_error("{", 1, 2, "ends before");
    trace_assert_error("{\"a\"", 1, 5, "ends before");
    trace_assert_error("{\"a\": \"b\",\n", 2, 1, "ends before");
    trace_assert_error("[1", 1, 3, "ends before");
    trace_assert_error("[\"é", 1, 4, "ends before");
    trace_assert_error("\"a", 1, 3, "ends before");
    trace_assert_error("\"a\\", 1, 4, "ends before");
    trace_assert_error("tru", 1, 4, "ends before");
    trace_assert_error("-", 1, 2, "minus");
    trace_assert_error("1.", 1, 3, "decimal");
    trace_assert_error("1e", 1, 3, "exponent");
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
        trace_assert_error(cases[i].text, cases[i].line, cases[i].column, cases[i].words);
}

/* Look-alikes that are a part of good strings and comments are not blamed for another mistake. */
static void test_lookalikes_elsewhere(void **state)
{
    (void)state;
    trace_assert_events("[\"“it’s” «fine»\"]", "[\n/[] = \"“it’s” «fine»\"\n]\n");
    trace_assert_error("{\"name\": \"“it’s” «fine»\"\n \"b\": 1}", 2, 2, "after key and value");
    trace_assert_error("{\"name\": \"“it’s”\", \"b\": 1 2}", 1, 27, "after key and value");
    trace_assert_error("{\"“name”\": x}", 1, 12, "invalid char");
    trace_assert_error("{\"a\": \"it’s\n", 1, 12, "invalid character inside string");
    trace_assert_error("[\"“a”\"", 1, 7, "ends before");
    trace_assert_error("[\"“a”\" \"b\"]", 1, 8, "after array element");
    trace_assert_commented_error("// “quoted”\n{\"a\": 1 /* ” */ 2}", 2, 17, "after key and value");
}

/* A message tells of one character of the document at most: what is wrong may be a secret. */
static void test_errors_tell_nothing(void **state)
{
    static const char text[] = "{\"password\": \"hunter2\" hunter2, \"x\": hunter2}";
    JsonError error;

    (void)state;
    for (size_t start = 0; start < strlen(text); start++)
        for (size_t size = 0; size <= strlen(text) - start; size++)
            if (json_read(text + start, size, 0, trace_ignore, NULL, &error) == JSON_E_SYNTAX) {
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
    static const unsigned flags[] = {0, JSON_COMMENTS, TRACE_POSITIONS,
                                     JSON_COMMENTS | TRACE_POSITIONS};

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
                                JSON_COMMENTS | TRACE_POSITIONS, NULL),
                     0);
    assert_non_null(
        strstr(buffer_data(&trace.text), "key: /element/key = \"jira\" @3:12 key 3:5\n"));
    assert_non_null(strstr(buffer_data(&trace.text), "/tags/[] = \"<INSERT_TAGS>\" @11:5\n"));
    buffer_deinit(&trace.text);
    buffer_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_positions),
        cmocka_unit_test(test_positions_of_kinds),
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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
