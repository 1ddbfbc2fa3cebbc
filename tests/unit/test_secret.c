#include "base/secret.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/*
 * That a secret cannot be printed or copied by accident is proved by compile-fail/, that it is
 * wiped when it is freed by test_memory.c.
 */

static void test_new(void **state)
{
    _cleanup_(secret_unrefp) Secret *secret = NULL;
    char text[] = "a\0secret";

    (void)state;
    assert_int_equal(secret_new(text, 8, &secret), 0);
    memset(text, 'x', sizeof(text)); /* a copy of its own */
    assert_int_equal(secret_size(secret), 8);
    assert_memory_equal(secret_reveal(secret), "a\0secret", 9); /* with the NUL behind it */
}

static void test_empty(void **state)
{
    _cleanup_(secret_unrefp) Secret *empty = NULL, *other = NULL;

    (void)state;
    assert_int_equal(secret_new(NULL, 0, &empty), 0);
    assert_int_equal(secret_new("x", 0, &other), 0);
    assert_non_null(empty);
    assert_int_equal(secret_size(empty), 0);
    assert_string_equal(secret_reveal(empty), "");
    assert_true(secret_equal(empty, other));
    assert_true(secret_equal_bytes(empty, "", 0));
    assert_true(secret_equal_bytes(empty, NULL, 0));
    assert_false(secret_equal(empty, NULL));
    assert_false(secret_equal(NULL, empty));
}

static void test_huge(void **state)
{
    Secret *secret = NULL;

    (void)state;
    /* Sizes whose sum with the header would wrap round. */
    for (size_t less = 0; less <= 2 * sizeof(size_t); less++)
        assert_int_equal(secret_new("x", SIZE_MAX - less, &secret), -ENOMEM);
    assert_null(secret);
}

static void test_null(void **state)
{
    (void)state;
    assert_null(secret_ref(NULL));
    assert_null(secret_unref(NULL));
    assert_int_equal(secret_size(NULL), 0);
    assert_string_equal(secret_reveal(NULL), "");
    assert_true(secret_equal(NULL, NULL));
    assert_false(secret_equal_bytes(NULL, "", 0));
    assert_false(secret_equal_bytes(NULL, NULL, 0));
}

static void test_take(void **state)
{
    _cleanup_(secret_unrefp) Secret *secret = NULL, *empty = NULL;
    Buffer buffer = BUFFER_INIT(100);

    (void)state;
    assert_int_equal(buffer_append_string(&buffer, "head:token"), 0);
    buffer_consume(&buffer, 5);
    assert_int_equal(secret_new_take(&buffer, &secret), 0);
    assert_int_equal(secret_size(secret), 5);
    assert_string_equal(secret_reveal(secret), "token");
    assert_int_equal(buffer_size(&buffer), 0);
    assert_null(buffer_data(&buffer));
    assert_int_equal(secret_new_take(&buffer, &empty), 0);
    assert_int_equal(secret_size(empty), 0);
    buffer_deinit(&buffer);
}

static void test_references(void **state)
{
    Secret *secret = NULL, *second;

    (void)state;
    assert_int_equal(secret_new("token", 5, &secret), 0);
    second = secret_ref(secret);
    assert_ptr_equal(second, secret);
    assert_null(secret_unref(secret));
    assert_string_equal(secret_reveal(second), "token"); /* still there */
    assert_null(secret_unref(second));
}

static void test_equal(void **state)
{
    _cleanup_(secret_unrefp) Secret *a = NULL, *same = NULL, *last = NULL, *first = NULL,
                                    *longer = NULL;

    (void)state;
    assert_int_equal(secret_new("to\0ken", 6, &a), 0);
    assert_int_equal(secret_new("to\0ken", 6, &same), 0);
    assert_int_equal(secret_new("to\0kem", 6, &last), 0);
    assert_int_equal(secret_new("\x80o\0ken", 6, &first), 0);
    assert_int_equal(secret_new("to\0ken", 7, &longer), 0);
    assert_true(secret_equal(a, a));
    assert_true(secret_equal(a, same));
    assert_false(secret_equal(a, last));
    assert_false(secret_equal(a, first));
    assert_false(secret_equal(a, longer));
    assert_false(secret_equal(longer, a));
    assert_true(secret_equal_bytes(a, "to\0ken", 6));
    assert_false(secret_equal_bytes(a, "to\0ken", 5));
    assert_false(secret_equal_bytes(a, "to\0ken", 7));
    assert_false(secret_equal_bytes(a, "to\0keN", 6));
    assert_false(secret_equal_bytes(a, "", 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new),   cmocka_unit_test(test_empty),
        cmocka_unit_test(test_huge),  cmocka_unit_test(test_null),
        cmocka_unit_test(test_take),  cmocka_unit_test(test_references),
        cmocka_unit_test(test_equal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
