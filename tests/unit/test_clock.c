#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

static void test_clocks_advance(void **state)
{
    usec_t boot = clock_boottime(), real = clock_realtime();

    (void)state;
    assert_true(boot > 0);
    assert_true(clock_boottime() >= boot);
    /* Realtime may be stepped at any moment, but it is near time(2) and not the time since boot. */
    assert_true(real / USEC_PER_SEC + 5 > (usec_t)time(NULL));
    assert_true(real / USEC_PER_SEC < (usec_t)time(NULL) + 5);
}

static void test_add(void **state)
{
    (void)state;
    assert_int_equal(clock_add(1, 2), 3);
    assert_int_equal(clock_add(USEC_INFINITY - 1, 1), USEC_INFINITY);
    assert_int_equal(clock_add(USEC_INFINITY - 2, 1), USEC_INFINITY - 1);
    assert_int_equal(clock_add(USEC_INFINITY - 1, 2), USEC_INFINITY);
    assert_int_equal(clock_add(USEC_INFINITY, 0), USEC_INFINITY);
    assert_int_equal(clock_add(0, USEC_INFINITY), USEC_INFINITY);
    assert_int_equal(clock_add(USEC_INFINITY, USEC_INFINITY), USEC_INFINITY);
}

static void test_left(void **state)
{
    static const struct {
        usec_t until, delay, now, left;
    } cases[] = {
        {1000, 300, 700, 300},         /* just begun */
        {1000, 300, 900, 100},         /* on the way */
        {1000, 300, 999, 1},           /* one short of due */
        {1000, 300, 1000, 0},          /* due */
        {1000, 300, 1001, 0},          /* overdue */
        {1000, 300, USEC_INFINITY, 0}, /* the wall clock jumped ahead */
        {1000, 300, 699, 300},         /* it jumped back by one */
        {1000, 300, 0, 300},           /* it jumped back by all */
        {USEC_INFINITY, 300, 0, 300},  /* a nonsense moment was stored */
        {1000, 0, 0, 0},               /* no delay is never waited for */
        {USEC_INFINITY, USEC_INFINITY, 5, USEC_INFINITY - 5},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(clock_left(cases[i].until, cases[i].delay, cases[i].now), cases[i].left);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clocks_advance),
        cmocka_unit_test(test_add),
        cmocka_unit_test(test_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
