#include "base/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void assert_holds(const Buffer *buffer, const char *expected)
{
    assert_int_equal(buffer_size(buffer), strlen(expected));
    assert_int_equal(buffer_room(buffer), buffer->max - strlen(expected));
    if (*expected)
        assert_memory_equal(buffer_data(buffer), expected, strlen(expected));
}

static void test_empty(void **state)
{
    Buffer buffer;
    char *space;

    (void)state;
    buffer_init(&buffer, 10);
    assert_null(buffer_data(&buffer));
    assert_holds(&buffer, "");
    assert_int_equal(buffer_append(&buffer, NULL, 0), 0);
    assert_int_equal(buffer_reserve(&buffer, 0, &space), 0);
    buffer_commit(&buffer, 0);
    buffer_consume(&buffer, 0);
    buffer_truncate(&buffer, 0);
    buffer_clear(&buffer);
    assert_holds(&buffer, "");
    buffer_deinit(&buffer);
    buffer_deinit(&buffer);
}

static void test_ceiling(void **state)
{
    Buffer buffer = BUFFER_INIT(10);

    (void)state;
    assert_int_equal(buffer_append(&buffer, "12345678901", 11), BUFFER_E_FULL);
    assert_holds(&buffer, "");
    assert_int_equal(buffer_append_string(&buffer, "123456789"), 0);
    assert_int_equal(buffer_append_string(&buffer, "ab"), BUFFER_E_FULL);
    assert_holds(&buffer, "123456789");
    assert_int_equal(buffer_append_string(&buffer, "a"), 0);
    assert_holds(&buffer, "123456789a");
    assert_int_equal(buffer_append(&buffer, "b", 1), BUFFER_E_FULL);
    assert_int_equal(buffer_append(&buffer, "b", 0), 0);
    assert_int_equal(buffer_append(&buffer, "b", SIZE_MAX), BUFFER_E_FULL);
    assert_holds(&buffer, "123456789a");

    /* What is consumed makes room again. */
    buffer_consume(&buffer, 4);
    assert_holds(&buffer, "56789a");
    assert_int_equal(buffer_append_string(&buffer, "vwxyz"), BUFFER_E_FULL);
    assert_int_equal(buffer_append_string(&buffer, "wxyz"), 0);
    assert_holds(&buffer, "56789awxyz");
    buffer_deinit(&buffer);
    assert_int_equal(buffer_append(&buffer, "12345678901", 11), BUFFER_E_FULL);
    assert_int_equal(buffer_append(&buffer, "1234567890", 10), 0);
    buffer_deinit(&buffer);
}

static void test_ceiling_zero(void **state)
{
    Buffer buffer = BUFFER_INIT(0);

    (void)state;
    assert_int_equal(buffer_append(&buffer, "x", 1), BUFFER_E_FULL);
    assert_int_equal(buffer_append(&buffer, "", 0), 0);
    assert_int_equal(buffer_printf(&buffer, "%s", ""), 0);
    assert_int_equal(buffer_printf(&buffer, "x"), BUFFER_E_FULL);
    assert_holds(&buffer, "");
    buffer_deinit(&buffer);
}

/* The ceiling is exact at sizes where doubling would pass it. */
static void test_ceiling_large(void **state)
{
    static char bytes[3000];
    Buffer buffer = BUFFER_INIT(2999);

    (void)state;
    memset(bytes, 'x', sizeof(bytes));
    for (size_t i = 0; i < 2999; i++)
        assert_int_equal(buffer_append(&buffer, bytes + i, 1), 0);
    assert_int_equal(buffer_append(&buffer, "y", 1), BUFFER_E_FULL);
    assert_int_equal(buffer_size(&buffer), 2999);
    assert_memory_equal(buffer_data(&buffer), bytes, 2999);
    assert_true(buffer.capacity <= 4096);
    buffer_deinit(&buffer);
}

static void test_printf(void **state)
{
    Buffer buffer = BUFFER_INIT(8);

    (void)state;
    assert_int_equal(buffer_printf(&buffer, "%s", "123456789"), BUFFER_E_FULL);
    assert_holds(&buffer, "");
    assert_int_equal(buffer_printf(&buffer, "%d-%s", 42, "abc"), 0);
    assert_holds(&buffer, "42-abc");
    assert_int_equal(buffer_printf(&buffer, "%03d", 7), BUFFER_E_FULL);
    assert_holds(&buffer, "42-abc");
    assert_int_equal(buffer_printf(&buffer, "%02d", 7), 0); /* the NUL does not count */
    assert_holds(&buffer, "42-abc07");
    assert_int_equal(buffer_printf(&buffer, "%s", ""), 0);
    assert_int_equal(buffer_append(&buffer, "x", 1), BUFFER_E_FULL);
    assert_holds(&buffer, "42-abc07");
    buffer_deinit(&buffer);

    /* Exactly as much as the least memory that is taken. */
    buffer_init(&buffer, 256);
    assert_int_equal(buffer_printf(&buffer, "%256s", "x"), 0);
    assert_int_equal(buffer_size(&buffer), 256);
    assert_int_equal(buffer_data(&buffer)[255], 'x');
    assert_int_equal(buffer_append(&buffer, "x", 1), BUFFER_E_FULL);
    buffer_deinit(&buffer);
}

static void test_reserve(void **state)
{
    Buffer buffer = BUFFER_INIT(1000);
    char *space = NULL;

    (void)state;
    assert_int_equal(buffer_append_string(&buffer, "head "), 0);
    assert_int_equal(buffer_reserve(&buffer, 996, &space), BUFFER_E_FULL);
    assert_null(space); /* written only on success */
    assert_int_equal(buffer_reserve(&buffer, 995, &space), 0);
    assert_holds(&buffer, "head ");
    memset(space, 'x', 995);
    buffer_commit(&buffer, 3); /* a short read */
    assert_holds(&buffer, "head xxx");
    assert_int_equal(buffer_reserve(&buffer, 993, &space), BUFFER_E_FULL);
    assert_int_equal(buffer_reserve(&buffer, 992, &space), 0);
    memset(space, 'y', 992);
    buffer_commit(&buffer, 992);
    assert_int_equal(buffer_size(&buffer), 1000);
    assert_memory_equal(buffer_data(&buffer), "head xxxyyy", 11);
    assert_int_equal(buffer_reserve(&buffer, 1, &space), BUFFER_E_FULL);
    assert_int_equal(buffer_reserve(&buffer, 0, &space), 0);
    buffer_deinit(&buffer);
}

/* Bytes keep their order however appending and consuming are mixed. */
static void test_queue(void **state)
{
    Buffer buffer = BUFFER_INIT(700);
    unsigned char in = 0, out = 0, piece[97];

    (void)state;
    for (unsigned round = 0; round < 5000; round++) {
        size_t n = round * 31 % sizeof(piece);
        size_t size = buffer_size(&buffer);

        for (size_t i = 0; i < n; i++)
            piece[i] = (unsigned char)(in + i);
        if (buffer_append(&buffer, piece, n) == 0) {
            in += (unsigned char)n;
            assert_int_equal(buffer_size(&buffer), size + n);
        } else {
            assert_true(size + n > 700);
            assert_int_equal(buffer_size(&buffer), size);
        }
        n = round * 17 % (buffer_size(&buffer) + 1);
        for (size_t i = 0; i < n; i++)
            assert_int_equal((unsigned char)buffer_data(&buffer)[i], (unsigned char)(out + i));
        buffer_consume(&buffer, n);
        out += (unsigned char)n;
        assert_true(buffer.capacity <= 1400);
    }
    buffer_deinit(&buffer);
}

static void test_consume_wipes(void **state)
{
    Buffer buffer = BUFFER_INIT(100);
    char *memory;

    (void)state;
    assert_int_equal(buffer_append_string(&buffer, "secret and more"), 0);
    memory = buffer_data(&buffer);
    buffer_consume(&buffer, 6);
    assert_memory_equal(memory, "\0\0\0\0\0\0 and more", 15);
    buffer_truncate(&buffer, 4);
    assert_holds(&buffer, " and");
    assert_memory_equal(memory, "\0\0\0\0\0\0 and\0\0\0\0\0", 15);
    buffer_truncate(&buffer, 4);
    assert_holds(&buffer, " and");
    buffer_consume(&buffer, 4);
    assert_memory_equal(memory, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 15);
    /* All consumed: the front is free again, without a new allocation. */
    assert_int_equal(buffer_append_string(&buffer, "x"), 0);
    assert_ptr_equal(buffer_data(&buffer), memory);
    buffer_truncate(&buffer, 0);
    assert_holds(&buffer, "");
    assert_int_equal(memory[0], 0);
    buffer_deinit(&buffer);
}

static void test_clear(void **state)
{
    static char bytes[10000];
    Buffer buffer = BUFFER_INIT(sizeof(bytes));
    char *memory;

    (void)state;
    assert_int_equal(buffer_append_string(&buffer, "small"), 0);
    memory = buffer_data(&buffer);
    buffer_clear(&buffer);
    assert_holds(&buffer, "");
    assert_ptr_equal(buffer.memory, memory); /* kept for the next */
    assert_memory_equal(memory, "\0\0\0\0\0", 5);

    assert_int_equal(buffer_append(&buffer, bytes, sizeof(bytes)), 0);
    buffer_clear(&buffer);
    assert_holds(&buffer, "");
    assert_null(buffer.memory); /* given back */
    assert_int_equal(buffer.max, sizeof(bytes));
    assert_int_equal(buffer_append_string(&buffer, "again"), 0);
    assert_holds(&buffer, "again");
    buffer_deinit(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),        cmocka_unit_test(test_ceiling),
        cmocka_unit_test(test_ceiling_zero), cmocka_unit_test(test_ceiling_large),
        cmocka_unit_test(test_printf),       cmocka_unit_test(test_reserve),
        cmocka_unit_test(test_queue),        cmocka_unit_test(test_consume_wipes),
        cmocka_unit_test(test_clear),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
