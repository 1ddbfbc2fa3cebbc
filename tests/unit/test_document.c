#include "config/document.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "tests/unit/told.h"

/* Checks `text` as the file "f". */
static void assert_told(const char *text, size_t size, int expected_r, const char *expected)
{
    DocumentSource source = {.name = "f", .file = "f", .text = text, .size = size};
    Problems problems = {};
    Document document;

    assert_int_equal(document_init(&document, &source, &problems), expected_r);
    told_assert_all(&problems, NULL, expected);
    document_deinit(&document);
}

typedef struct Row {
    const char *text;
    int r;
    const char *told;
} Row;

static void assert_rows(const Row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        assert_told(rows[i].text, strlen(rows[i].text), rows[i].r, rows[i].told);
}

static void test_shape(void **state)
{
    static const Row rows[] = {
        {"{}", 0, ""},
        {"// a\n/* b */ {\"a\": 1 /* c */ } // d\n", 0, ""},
        {"[]", DOCUMENT_E_BROKEN, "f:1:1: the document must be an object, but is an array\n"},
        {" 5 ", DOCUMENT_E_BROKEN, "f:1:2: the document must be an object, but is a number\n"},
        {"\n \"s3cr3t\"", DOCUMENT_E_BROKEN,
         "f:2:2: the document must be an object, but is a string\n"},
        {"null", DOCUMENT_E_BROKEN, "f:1:1: the document must be an object, but is null\n"},
    };

    (void)state;
    assert_rows(rows, N_ELEMENTS(rows));
}

/* The words are base/json.h's: here it counts that there are some, at the place, without the text. */
static void test_syntax(void **state)
{
    static const Row rows[] = {
        {"{\"a\": \n  “b”}", DOCUMENT_E_BROKEN,
         "f:2:3: left curly quote U+201C: use the straight quote \"\n"},
        {"{'a': 1}", DOCUMENT_E_BROKEN, "f:1:2: single quote: use the straight double quote \"\n"},
        {"{\"a\": 1", DOCUMENT_E_BROKEN, "f:1:8: the document ends before it is complete\n"},
        {"", DOCUMENT_E_BROKEN, "f:1:1: empty document\n"},
    };

    (void)state;
    assert_rows(rows, N_ELEMENTS(rows));
}

static void test_duplicates(void **state)
{
    static const Row rows[] = {
        {"{\"a\": 1, \"b\": 2, \"a\": 3}", 0,
         "f:1:18: duplicate key \"a\": it stands already at 1:2\n"},
        /* Each of them is told of, and each at its level. */
        {"{\"a\": 1,\n \"a\": 2,\n \"a\": [{\"x\": 1, \"x\": {\"y\": 0, \"y\": 0}}]}", 0,
         "f:2:2: duplicate key \"a\": it stands already at 1:2\n"
         "f:3:2: duplicate key \"a\": it stands already at 1:2\n"
         "f:3:17: duplicate key \"x\": it stands already at 3:9\n"
         "f:3:31: duplicate key \"y\": it stands already at 3:23\n"},
        /* The same key however it is written. */
        {"{\"a\": 1, \"\\u0061\": 2}", 0,
         "f:1:10: duplicate key \"a\": it stands already at 1:2\n"},
        {"{\"a\": {\"b\": 1}, \"c\": {\"b\": 1}, \"ab\": 1, \"A\": 1, \"a\\u0000\": 1}", 0, ""},
    };

    (void)state;
    assert_rows(rows, N_ELEMENTS(rows));
}

static void test_placeholders(void **state)
{
#define LEFT " is left in: replace it by the value\n"
    static const Row rows[] = {
        {"{\"a\": \"<INSERT_A>\"}", 0, "f:1:7: placeholder <INSERT_A>" LEFT},
        {"{\"a\": \"s3cr3t <INSERT_A_1> and <INSERT_B>\"}", 0,
         "f:1:7: placeholder <INSERT_A_1>" LEFT "f:1:7: placeholder <INSERT_B>" LEFT},
        {"{\"a\": [[{\"b\": \"<INSERT_B>\"}], \n\"<INSERT_C>\"]}", 0,
         "f:1:15: placeholder <INSERT_B>" LEFT "f:2:1: placeholder <INSERT_C>" LEFT},
        {"{\"a\": \"<INSERT_<INSERT_B>\"}", 0, "f:1:7: placeholder <INSERT_B>" LEFT},
        {"{\"a\": \"\\u0000<INSERT_B>\"}", 0, "f:1:7: placeholder <INSERT_B>" LEFT},
        /* None of these is one. */
        {"{\"<INSERT_KEY>\": 1}", 0, ""},
        {"{\"a\": [\"<INSERT_>\", \"<INSERT_a>\", \"<INSERT_A\", \"INSERT_A>\", \"<INSERT A>\", "
         "\"<insert_a>\", \"<INSERT_A\\u0000>\"]}",
         0, ""},
    };

    (void)state;
    assert_rows(rows, N_ELEMENTS(rows));
#undef LEFT
}

/* A text that the tree makes largest, at the ceiling of a file: it fits the arena. */
static void test_largest(void **state)
{
    static const char *const pieces[] = {"0,", "\"\",", "[],", "{},", "{\"\":0},"};

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(pieces); i++) {
        size_t n = strlen(pieces[i]), size = strlen("{\"a\":[");
        _cleanup_(freep) char *text = malloc(CONFIG_FILE_BYTES_MAX + 1);

        assert_non_null(text);
        memcpy(text, "{\"a\":[", size);
        for (; size + n + 3 <= CONFIG_FILE_BYTES_MAX; size += n)
            memcpy(text + size, pieces[i], n);
        memcpy(text + size, "0]}", 3);
        assert_told(text, size + 3, 0, "");
    }
}

/* 30,000 duplicates of one key are 30,000 problems, quickly. */
static void test_hostile_duplicates(void **state)
{
    enum { N = 30000 };
    _cleanup_(freep) char *text = malloc(7 * N + 3);
    DocumentSource source = {.name = "f", .file = "f", .text = text};
    Problems problems = {};
    Document document;

    (void)state;
    assert_non_null(text);
    text[0] = '{';
    for (size_t i = 0; i < N; i++)
        memcpy(text + 1 + 6 * i, "\"a\":0,", 6);
    text[6 * N] = '}';
    source.size = 6 * N + 1;
    assert_int_equal(document_init(&document, &source, &problems), 0);
    assert_int_equal(problems.n_errors, N - 1);
    assert_int_equal(problems.n_items, PROBLEMS_MAX);
    document_deinit(&document);
    problems_deinit(&problems);
}

/* Asked in any order, positions are what counting from the start makes them; also beyond what a file may be. */
static void test_locate(void **state)
{
    static const char piece[] =
        "é€😀\n\t{}\"x"; /* of a length that puts the marks into characters as well */
    enum { SIZE = CONFIG_FILE_BYTES_MAX + 10000 };
    static const size_t steps[] = {SIZE - 1009, 1009, 100003};
    _cleanup_(freep) char *text = malloc(SIZE);
    DocumentSource source = {.name = "f", .file = "f", .text = text, .size = SIZE};

    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < SIZE; i++)
        text[i] = piece[i % strlen(piece)];
    for (size_t i = 0; i < N_ELEMENTS(steps); i++) {
        /* Also without memory for it. */
        Document document = {.source = &source, .arena = ARENA_INIT(i < 2 ? 100000 : 0)};
        size_t offset = i == 0 ? SIZE : 0;

        for (int n = 0; n < 300; n++) {
            JsonPosition at = document_locate(&document, offset);
            JsonPosition expected = json_locate(text, 0, (JsonPosition){1, 1}, offset);

            assert_int_equal(at.line, expected.line);
            assert_int_equal(at.column, expected.column);
            offset = (offset + steps[i]) % SIZE;
        }
        document_deinit(&document);
    }
}

/* Pairs of one key each, whose first ones stand ever nearer to the start, at the end of the largest file. */
static void test_hostile_positions(void **state)
{
    enum { N = 10000, SIZE = CONFIG_FILE_BYTES_MAX };
    _cleanup_(freep) char *text = malloc(SIZE + 1);
    DocumentSource source = {.name = "f", .file = "f", .text = text, .size = SIZE};
    Problems problems = {};
    Document document;
    char *end = text + SIZE - 2 * N * strlen("\"00000\":0,");

    (void)state;
    assert_non_null(text);
    memset(text, ' ', SIZE);
    text[0] = '{';
    for (int i = 0; i < 2 * N; i++)
        end += snprintf(end, strlen("\"00000\":0,") + 1, "\"%05d\":0,", i < N ? N - i : i - N + 1);
    end[-1] = '}';
    assert_int_equal(document_init(&document, &source, &problems), 0);
    assert_int_equal(problems.n_errors, N);
    assert_int_equal(problems.items[0].at.line, 1);
    assert_int_equal(problems.items[0].at.column, SIZE - N * strlen("\"00000\":0,") + 1);
    assert_string_equal(problems.items[0].message,
                        "duplicate key \"00001\": it stands already at 1:162135");
    document_deinit(&document);
    problems_deinit(&problems);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shape),      cmocka_unit_test(test_syntax),
        cmocka_unit_test(test_duplicates), cmocka_unit_test(test_placeholders),
        cmocka_unit_test(test_largest),    cmocka_unit_test(test_hostile_duplicates),
        cmocka_unit_test(test_locate),     cmocka_unit_test(test_hostile_positions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
