#include "base/trouble.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_names(void **state)
{
    (void)state;
    assert_null(trouble_name(TROUBLE_NONE));
    for (int i = TROUBLE_OTHER; i < TROUBLE_N; i++) {
        const char *name = trouble_name((Trouble)i);

        assert_non_null(name);
        assert_int_equal(trouble_find(name, strlen(name)), i);
        assert_int_equal(trouble_find(name, strlen(name) - 1), TROUBLE_OTHER);
    }
    assert_int_equal(trouble_find("diskFuller", 8), TROUBLE_DISK_FULL);
    assert_int_equal(trouble_find("diskFuller", 10), TROUBLE_OTHER);
    assert_int_equal(trouble_find("", 0), TROUBLE_OTHER);
}

static void test_disk(void **state)
{
    (void)state;
    assert_int_equal(trouble_of_disk(-ENOSPC), TROUBLE_DISK_FULL);
    assert_int_equal(trouble_of_disk(-EDQUOT), TROUBLE_DISK_FULL);
    assert_int_equal(trouble_of_disk(-EIO), TROUBLE_DISK_FAILING);
    assert_int_equal(trouble_of_disk(-EROFS), TROUBLE_DISK_FAILING);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_disk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
