#include "base/shared.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_new(void **state)
{
    char text[] = "https://example.com";
    const char *shared;

    (void)state;
    assert_int_equal(shared_new(text, 5, NULL, &shared), 0);
    memset(text, 'x', sizeof(text)); /* a copy of its own */
    assert_string_equal(shared, "https");
    assert_null(shared_unref(shared));
    assert_int_equal(shared_new("", 0, NULL, &shared), 0);
    assert_string_equal(shared, "");
    assert_null(shared_unref(shared));
}

/* What says the same is the same; a text that only begins so is not, either way. */
static void test_like(void **state)
{
    static const char *const others[] = {"https:", "http", "httpX", ""};
    const char *like, *shared;

    (void)state;
    assert_int_equal(shared_new("https", 5, NULL, &like), 0);
    assert_int_equal(shared_new("https://", 5, like, &shared), 0);
    assert_ptr_equal(shared, like);
    assert_null(shared_unref(like));
    assert_string_equal(shared, "https"); /* the other reference holds it */
    for (size_t i = 0; i < N_ELEMENTS(others); i++) {
        const char *other;

        assert_int_equal(shared_new(others[i], strlen(others[i]), shared, &other), 0);
        assert_ptr_not_equal(other, shared);
        assert_string_equal(other, others[i]);
        shared_unref(other);
    }
    shared_unref(shared);
}

static void test_references(void **state)
{
    const char *one, *field = NULL;

    (void)state;
    assert_null(shared_ref(NULL));
    assert_null(shared_unref(NULL));
    assert_int_equal(shared_new("one", 3, NULL, &one), 0);
    shared_replace(&field, one);
    assert_ptr_equal(field, one);
    shared_replace(&field, field); /* by itself: still there */
    shared_unref(one);
    assert_string_equal(field, "one");
    shared_replace(&field, NULL);
    assert_null(field);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new),
        cmocka_unit_test(test_like),
        cmocka_unit_test(test_references),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
