#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"

static void test_valid(void **state)
{
    static const struct {
        const char *text;
        size_t size; /* of its first character */
        uint32_t character;
    } rows[] = {
        {"a", 1, 'a'},
        {"\x7F", 1, 0x7F},
        {"\xC2\x80", 2, 0x80},
        {"\xDF\xBF", 2, 0x7FF},
        {"\xE0\xA0\x80", 3, 0x800},
        {"\xED\x9F\xBF", 3, 0xD7FF},
        {"\xEE\x80\x80", 3, 0xE000},
        {"\xEF\xBB\xBF", 3, 0xFEFF},
        {"\xEF\xBF\xBF", 3, 0xFFFF},
        {"\xF0\x90\x80\x80", 4, 0x10000},
        {"\xF4\x8F\xBF\xBF", 4, 0x10FFFF},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        uint32_t character = 0;

        assert_int_equal(utf8_decode(rows[i].text, strlen(rows[i].text), &character), rows[i].size);
        assert_int_equal(character, rows[i].character);
        assert_true(utf8_is_valid(rows[i].text, strlen(rows[i].text)));
        /* Cut short it is none. */
        for (size_t size = 1; size < rows[i].size; size++) {
            assert_int_equal(utf8_decode(rows[i].text, size, &character), 0);
            assert_false(utf8_is_valid(rows[i].text, size));
        }
        assert_int_equal(utf8_decode(rows[i].text, 0, &character), 0);
    }
    assert_true(utf8_is_valid("", 0));
    assert_true(utf8_is_valid(NULL, 0));
    assert_true(utf8_is_valid("a\0b", 3));
}

static void test_invalid(void **state)
{
    static const char *const texts[] = {
        "\x80", /* begins with a continuation */
        "\xBF",
        "\xC0\x80",         /* overlong NUL */
        "\xC1\xBF",         /* overlong */
        "\xE0\x80\x80",     /* overlong */
        "\xE0\x9F\xBF",     /* overlong */
        "\xF0\x80\x80\x80", /* overlong */
        "\xF0\x8F\xBF\xBF", /* overlong */
        "\xED\xA0\x80",     /* surrogate */
        "\xED\xBF\xBF",     /* surrogate */
        "\xF4\x90\x80\x80", /* above U+10FFFF */
        "\xF5\x80\x80\x80",
        "\xF8\x88\x80\x80\x80",
        "\xFE",
        "\xFF",
        "\xC3", /* no end */
        "\xC3(",
        "\xE2\x82",
        "\xE2\x82(",
        "\xF0\x9F\x98",
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
        uint32_t character;

        assert_int_equal(utf8_decode(texts[i], strlen(texts[i]), &character), 0);
        assert_false(utf8_is_valid(texts[i], strlen(texts[i])));
    }
}

/* What is no character is found wherever it stands in the eight bytes that are looked at at once. */
static void test_prefix(void **state)
{
    static const char good[] = "\xC3\xA9";
    char text[32];

    (void)state;
    assert_int_equal(utf8_prefix(NULL, 0), 0);
    for (size_t size = 1; size <= sizeof(text); size++) {
        memset(text, 'a', sizeof(text));
        assert_int_equal(utf8_prefix(text, size), size);
        for (size_t at = 0; at < size; at++) {
            memset(text, 'a', sizeof(text));
            text[at] = '\0';
            assert_int_equal(utf8_prefix(text, size), size);
            text[at] = '\xFF';
            assert_int_equal(utf8_prefix(text, size), at);
            assert_false(utf8_is_valid(text, size));
            if (at + 2 > sizeof(text))
                continue;
            memcpy(text + at, good, 2);
            assert_int_equal(utf8_prefix(text, size), at + 2 <= size ? size : at);
        }
    }
}

static void test_control(void **state)
{
    static const uint32_t controls[] = {0,      '\n',   0x1B,   0x1F,   0x7F,   0x9B,   0x9F,
                                        0x200B, 0x200F, 0x2028, 0x202E, 0x2066, 0x2069, 0xFEFF};
    static const uint32_t others[] = {' ',    'a',    '~',    0xA0,   0xE9,
                                      0x200A, 0x2010, 0x2026, 0x202F, 0x1F600};

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(controls); i++)
        assert_true(utf8_is_control(controls[i]));
    for (size_t i = 0; i < N_ELEMENTS(others); i++)
        assert_false(utf8_is_control(others[i]));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid),
        cmocka_unit_test(test_invalid),
        cmocka_unit_test(test_prefix),
        cmocka_unit_test(test_control),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
