#include "base/json_plain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Each byte at each place of texts of each length, among others that are plain; against what the RFC says of one byte. */
static void test_each_byte(void **state)
{
    enum { MAX = 3 * sizeof(uint64_t) };

    (void)state;
    for (unsigned byte = 0; byte < 256; byte++)
        for (size_t size = 1; size <= MAX; size++)
            for (size_t at = 0; at < size; at++) {
                bool is_plain = byte >= 0x20 && byte != '"' && byte != '\\';
                char *text = malloc(
                    size); /* of just that size, for a sanitizer to see what is read */
                bool is_ascii;

                memset(text, at % 2 == 0 ? ' ' : '~', size);
                text[at] = (char)byte;
                assert_int_equal(json_plain_size(text, size, &is_ascii), is_plain ? size : at);
                assert_int_equal(is_ascii, !is_plain || byte < 0x80);
                assert_int_equal(json_plain_size(text, size, NULL), is_plain ? size : at);
                free(text);
            }
}

/* Neighbours must not hide each other: what a subtraction takes from the next byte. */
static void test_neighbours(void **state)
{
    static const char bytes[] = {0,   1,    0x1F, 0x20, '!',        '"',       '#',
                                 '[', '\\', ']',  0x7F, (char)0x80, (char)0xFF};

    (void)state;
    for (size_t a = 0; a < sizeof(bytes); a++)
        for (size_t b = 0; b < sizeof(bytes); b++)
            for (size_t c = 0; c < sizeof(bytes); c++) {
                char text[] = "xxxxxxxx";
                size_t expected = 0;
                bool is_ascii = true, told;

                text[2] = bytes[a];
                text[3] = bytes[b];
                text[4] = bytes[c];
                while (expected < 8 && (unsigned char)text[expected] >= 0x20 &&
                       text[expected] != '"' && text[expected] != '\\')
                    is_ascii = (unsigned char)text[expected++] < 0x80 && is_ascii;
                assert_int_equal(json_plain_size(text, 8, &told), expected);
                assert_int_equal(told, is_ascii);
            }
}

static void test_empty(void **state)
{
    bool is_ascii = false;

    (void)state;
    assert_int_equal(json_plain_size("", 0, &is_ascii), 0);
    assert_true(is_ascii);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_byte),
        cmocka_unit_test(test_neighbours),
        cmocka_unit_test(test_empty),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
