/*
 * What a unit says about its start: a table of texts, and what follows from each.
 */

#include "config/unit_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"

#define LOADS "LoadCredential=a:/run/elementd/credentials\n"

static const struct {
    const char *text;
    unsigned line; /* 0: it loads none of ours */
    bool is_early;
} cases[] = {
    {"", 0, false},
    {"\n\n", 0, false},
    {"[Service]\nExecStart=/x\n" LOADS, 3, true},
    {"[Service]\nExecStart=/x\n" LOADS "LoadCredential=b:/run/elementd/credentials\n", 3, true},
    {"[Service]\nExecStart=/x\nLoadCredentialEncrypted=a:/run/elementd/credentials", 3, true},
    {"[Service]\nExecStart=/x\n LoadCredential = a.authorization:%t/elementd/credentials \r\n", 3,
     true},
    {"[Service]\nExecStart=/x\nLoadCredential=\"a:/run/elementd/credentials\"\n", 3, true},
    {"# x\n[Unit]\nDescription=x\n\n[Service]\n; y\nExecStart=/x\n" LOADS, 8, true},
    /* Of another path, and of none; in another section, in none, and in a comment. */
    {"[Service]\nExecStart=/x\nLoadCredential=a:/run/elementd/credentials2\n", 0, true},
    {"[Service]\nExecStart=/x\nLoadCredential=a:/run/elementd/credential\n", 0, true},
    {"[Service]\nExecStart=/x\nLoadCredential=a\nLoadCredential=:\nLoadCredential=\"\n", 0, true},
    {"[Unit]\nExecStart=/x\n" LOADS, 0, false},
    {"ExecStart=/x\n" LOADS "[Service]\n", 0, false},
    {"[Service]\n#" LOADS " ;" LOADS, 0, false},
    {"[Service]\nload" LOADS "LoadCredential\n=\n", 0, false},
    /* What it is. */
    {"[Service]\nType=simple\n" LOADS, 3, true},
    {"[Service]\nType=idle\n" LOADS, 3, true},
    {"[Service]\nType=exec\nExecStart=/x\n" LOADS, 4, false},
    {"[Service]\nType=notify\nExecStart=/x\n" LOADS, 4, false},
    {"[Service]\nType=oneshot\nExecStart=/x\n" LOADS, 4, false},
    {"[Service]\nType=forking\nExecStart=/x\n" LOADS, 4, false},
    {"[Service]\nBusName=x.y\nExecStart=/x\n" LOADS, 4, false},
    {"[Service]\n" LOADS, 2, false},
    /* The last word counts, and an empty one takes back. */
    {"[Service]\nType=exec\nType=simple\nExecStart=/x\n" LOADS, 5, true},
    {"[Service]\nType=simple\nType=exec\nExecStart=/x\n" LOADS, 5, false},
    {"[Service]\nType=exec\nType=\nExecStart=/x\n" LOADS, 5, true},
    {"[Service]\nBusName=x.y\nBusName=\nExecStart=/x\n" LOADS, 5, true},
    {"[Service]\nExecStart=/x\nExecStart=\n" LOADS, 4, false},
    {"[Service]\nExecStart=/x\n" LOADS "LoadCredential=\n", 0, true},
    {"[Service]\nExecStart=/x\n" LOADS "LoadCredential=\n" LOADS, 5, true},
    /* Lines that go on. */
    {"[Service]\nExecStart=/x \\\n  Type=exec\n" LOADS, 4, true},
    {"[Service]\nExecStart=/x \\\n# Type=exec\n  y\nType=exec\n" LOADS, 6, false},
    {"[Service]\nExecStart=/x\nLoadCredential=\\\na:/run/elementd/credentials\n", 3, true},
    {"[Service]\nExecStart=/x\n# \\\n" LOADS, 4, true},
    {"[Service]\nExecStart=/x\\", 0, true},
    {"[Service]\nExecStart=/x\\\n", 0, true},
    {"\\", 0, false},
    {"[Service", 0, false},
};

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        static const char name[] = "x.service";
        UnitFile unit = {};
        char text[512];

        assert_true(strlen(cases[i].text) < sizeof(text));
        memcpy(text, cases[i].text, strlen(cases[i].text) + 1);
        unit_file_parse(&unit, name, text, strlen(text));
        if (unit_file_is_early(&unit) != cases[i].is_early ||
            (unit.consumer != NULL) != (cases[i].line > 0))
            fail_msg("case %zu: %s", i, cases[i].text);
        if (unit.consumer) {
            assert_ptr_equal(unit.consumer, name);
            assert_int_equal(unit.at.line, cases[i].line);
            assert_int_equal(unit.at.column, 1);
        }
    }
}

static void test_a_drop_in_has_the_last_word(void **state)
{
    char first[] = "[Service]\nExecStart=/x\n" LOADS, second[] = "[Service]\nType=exec\n";
    char third[] = "Type=simple\n", fourth[] = "[Service]\nLoadCredential=\n";
    UnitFile unit = {};

    (void)state;
    unit_file_parse(&unit, "first", first, strlen(first));
    assert_true(unit_file_is_early(&unit));
    unit_file_parse(&unit, "second", second, strlen(second));
    assert_false(unit_file_is_early(&unit));
    assert_string_equal(unit.consumer, "first");
    /* The section is not that of the file before. */
    unit_file_parse(&unit, "third", third, strlen(third));
    assert_false(unit_file_is_early(&unit));
    unit_file_parse(&unit, "fourth", fourth, strlen(fourth));
    assert_null(unit.consumer);
}

static void test_a_nul_is_a_blank(void **state)
{
    char text[] = "[Service]\nType\0=\0simple\0\n\0" LOADS;
    UnitFile unit = {};

    (void)state;
    unit_file_parse(&unit, "x", text, sizeof(text) - 1);
    assert_true(unit_file_is_early(&unit));
    assert_int_equal(unit.at.line, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_a_drop_in_has_the_last_word),
        cmocka_unit_test(test_a_nul_is_a_blank),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
