#include "config/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "tests/unit/told.h"

typedef struct Target {
    unsigned number;
    usec_t period;
    unsigned n_texts;
} Target;

static int set_text(const SchemaKey *key, Document *document, const JsonValue *value, void *target)
{
    (void)key;
    (void)document;
    assert_true(json_value_is_text(value));
    ((Target *)target)->n_texts++;
    return 0;
}

static const SchemaKey keys[] = {
    {"number", JSON_NUMBER, .min = 2, .max = 256, .set = schema_set_unsigned,
     .offset = offsetof(Target, number)},
    {"period-sec", JSON_NUMBER, .min = 1, .max = 3600, .set = schema_set_seconds,
     .offset = offsetof(Target, period)},
    {"text", JSON_STRING, .is_required = true, .set = set_text},
    {"flag", JSON_BOOLEAN, .set = NULL},
};

static const Schema schema = {.keys = keys, .n_keys = N_ELEMENTS(keys), .prefix = "p."};
static const Schema open_schema = {
    .keys = keys, .n_keys = N_ELEMENTS(keys), .prefix = "", .is_open = true};

/* What is told of `text`, and what it fills in. */
static Target check(const Schema *with, const char *text, const char *expected)
{
    DocumentSource source = {.name = "f", .file = "f", .text = text, .size = strlen(text)};
    Target target = {.number = 7, .period = 7};
    Problems problems = {};
    Document document;

    assert_int_equal(document_init(&document, &source, &problems), 0);
    assert_int_equal(schema_check(with, &document, document.root, &target), 0);
    told_assert_all(&problems, NULL, expected);
    document_deinit(&document);
    return target;
}

static void test_fine(void **state)
{
    Target target = check(
        &schema, "{\"text\": \"\", \"number\": 3, \"period-sec\": 1.5, \"flag\": false}", "");

    (void)state;
    assert_int_equal(target.number, 3);
    assert_int_equal(target.period, 1500 * USEC_PER_MSEC);
    assert_int_equal(target.n_texts, 1);
}

static void test_missing(void **state)
{
    (void)state;
    assert_int_equal(check(&schema, "\n {}", "f:2:2: \"p.text\" is missing\n").number, 7);
}

static void test_types(void **state)
{
    Target target = check(
        &schema, "{\"text\": [],\n\"number\": \"s3cr3t\",\n\"period-sec\": null,\n\"flag\": {}}",
        "f:2:11: \"p.number\" must be a number from 2 to 256, but is a string\n"
        "f:3:15: \"p.period-sec\" must be a number from 1 to 3600, but is null\n"
        "f:1:10: \"p.text\" must be a string, but is an array\n"
        "f:4:9: \"p.flag\" must be a boolean, but is an object\n");

    (void)state;
    assert_int_equal(target.number, 7);
    assert_int_equal(target.period, 7);
    assert_int_equal(target.n_texts, 0);
    check(&schema, "{\"text\": 1, \"flag\": 1, \"number\": true}",
          "f:1:34: \"p.number\" must be a number from 2 to 256, but is a boolean\n"
          "f:1:10: \"p.text\" must be a string, but is a number\n"
          "f:1:21: \"p.flag\" must be a boolean, but is a number\n");
}

static void test_texts(void **state)
{
    (void)state;
    assert_int_equal(check(&schema, "{\"text\": \"a\\u0000\"}",
                           "f:1:10: \"p.text\" must not hold a NUL character\n")
                         .n_texts,
                     0);
    /* One problem for a placeholder is enough. */
    assert_int_equal(check(&schema, "{\"text\": \"<INSERT_A>\"}",
                           "f:1:10: placeholder <INSERT_A> is left in: replace it by the value\n")
                         .n_texts,
                     0);
}

static void test_twice(void **state)
{
    Target target = check(&schema, "{\"text\": \"\", \"number\": 3, \"number\": 4}",
                          "f:1:27: duplicate key \"number\": it stands already at 1:14\n");

    (void)state;
    assert_int_equal(target.number, 7);
}

static void test_unknown(void **state)
{
#define ALL "there are \"p.number\", \"p.period-sec\", \"p.text\", \"p.flag\"\n"
    (void)state;
    check(&schema,
          "{\"text\": \"\",\n\"txet\": 1,\n\"Number\": 1,\n\"period_sec\": 1,\n\"perod-sec\": 1,\n"
          "\"something\": 1,\n\"\": 1,\n\"fla\\u001bg\": 1}",
          "f:2:1: unknown key \"p.txet\"; did you mean \"p.text\"?\n"
          "f:3:1: unknown key \"p.Number\"; did you mean \"p.number\"?\n"
          "f:4:1: unknown key \"p.period_sec\"; did you mean \"p.period-sec\"?\n"
          "f:5:1: unknown key \"p.perod-sec\"; did you mean \"p.period-sec\"?\n"
          "f:6:1: unknown key \"p.something\"; " ALL "f:7:1: unknown key \"p.\"; " ALL
          "f:8:1: unknown key \"p.fla?g\"; did you mean \"p.flag\"?\n");
    check(&open_schema, "{\"text\": \"\", \"txet\": 1, \"\": 2}", "");
    check(&open_schema, "{\"txet\": 1}", "f:1:1: \"text\" is missing\n");
#undef ALL
}

typedef struct NumberRow {
    const char *digits;
    bool is_fine;
    uint64_t value;
} NumberRow;

static void test_unsigned(void **state)
{
    static const NumberRow rows[] = {
        {"2", true, 2},    {"256", true, 256},       {"1", false, 0},
        {"257", false, 0}, {"0", false, 0},          {"-2", false, 0},
        {"2.0", false, 0}, {"2.5", false, 0},        {"1e1", false, 0},
        {"-0", false, 0},  {"4294967298", false, 0}, {"18446744073709551618", false, 0},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        char text[128];

        (void)snprintf(text, sizeof(text), "{\"text\": \"\", \"number\": %s}", rows[i].digits);
        assert_int_equal(check(&schema, text,
                               rows[i].is_fine
                                   ? ""
                                   : "f:1:24: \"number\" must be a whole number from 2 to 256\n")
                             .number,
                         rows[i].is_fine ? rows[i].value : 7);
    }
}

static void test_seconds(void **state)
{
    static const NumberRow rows[] = {
        {"1", true, 1000000},
        {"3600", true, 3600000000},
        {"1.000001", true, 1000001},
        {"1.0000019", true, 1000001}, /* finer than a microsecond */
        {"59.25", true, 59250000},
        {"3600.0", true, 3600000000},
        {"0.999999", false, 0},
        {"3600.000001", false, 0},
        {"0", false, 0},
        {"-1", false, 0},
        {"-1.5", false, 0},
        {"1e2", false, 0},
        {"1.5e0", false, 0},
        {"99999999999999999999", false, 0},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        char text[128];

        (void)snprintf(text, sizeof(text), "{\"text\": \"\", \"period-sec\": %s}", rows[i].digits);
        assert_int_equal(
            check(&schema, text,
                  rows[i].is_fine
                      ? ""
                      : "f:1:28: \"period-sec\" must be a number of seconds from 1 to 3600, "
                        "such as 60 or 0.5, without exponent\n")
                .period,
            rows[i].is_fine ? rows[i].value : 7);
    }
}

static void test_distance(void **state)
{
    static const struct {
        const char *a, *b;
        size_t distance;
    } rows[] = {
        {"", "", 0},         {"a", "", 1},
        {"abc", "abc", 0},   {"abc", "acb", 1},
        {"abc", "bc", 1},    {"abc", "abcd", 1},
        {"abc", "axc", 1},   {"kitten", "sitting", 3},
        {"ca", "abc", 3},    {"elementd", "element", 1},
        {"abcd", "dcba", 3}, {"abc", "xyz", 3},
    };
    char longest[66];

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        const char *a = rows[i].a, *b = rows[i].b;

        assert_int_equal(schema_distance(a, strlen(a), b, strlen(b)), rows[i].distance);
        assert_int_equal(schema_distance(b, strlen(b), a, strlen(a)), rows[i].distance);
    }
    memset(longest, 'a', sizeof(longest));
    assert_int_equal(schema_distance(longest, 64, "a", 1), 63);
    assert_int_equal(schema_distance("a", 1, longest, 64), 63);
    assert_int_equal(schema_distance(longest, 64, longest, 64), 0);
    assert_true(schema_distance(longest, 65, "a", 1) == SIZE_MAX);
    assert_true(schema_distance("a", 1, longest, 65) == SIZE_MAX);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fine),     cmocka_unit_test(test_missing),
        cmocka_unit_test(test_types),    cmocka_unit_test(test_texts),
        cmocka_unit_test(test_twice),    cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_unsigned), cmocka_unit_test(test_seconds),
        cmocka_unit_test(test_distance),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
