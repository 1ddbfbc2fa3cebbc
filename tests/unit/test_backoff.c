#include "base/backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"

/* Anything uniform will do; xorshift64*, so that a failure can be repeated. */
static uint64_t next_random(void)
{
    static uint64_t x = 88172645463325252U;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    return x * 2685821657736338717U;
}

/* The first pause is between one minimum and three of them. */
static void test_first(void **state)
{
    (void)state;
    assert_int_equal(backoff_next(0, 0), RETRY_MIN_USEC);
    assert_int_equal(backoff_next(0, 2 * RETRY_MIN_USEC), 3 * RETRY_MIN_USEC);
    assert_int_equal(backoff_next(0, 2 * RETRY_MIN_USEC + 1), RETRY_MIN_USEC);
    assert_int_equal(backoff_next(RETRY_MIN_USEC - 1, 2 * RETRY_MIN_USEC), 3 * RETRY_MIN_USEC);
}

/* `random` that lands on the longest pause after `previous`. */
static usec_t longest_after(usec_t previous)
{
    usec_t longest = 0;

    for (int i = 0; i < 20000; i++) {
        usec_t pause = backoff_next(previous, next_random());

        assert_in_range(pause, RETRY_MIN_USEC, RETRY_MAX_USEC);
        if (pause > longest)
            longest = pause;
    }
    return longest;
}

static void test_ceiling(void **state)
{
    usec_t third = RETRY_MAX_USEC / 3;

    (void)state;
    /* Three times a third, less one usec, is the last that is below the ceiling. */
    assert_int_equal(backoff_next(third - 1, 3 * (third - 1) - RETRY_MIN_USEC), 3 * (third - 1));
    assert_int_equal(backoff_next(third - 1, 3 * (third - 1) - RETRY_MIN_USEC + 1), RETRY_MIN_USEC);
    assert_int_equal(backoff_next(third, RETRY_MAX_USEC - RETRY_MIN_USEC), RETRY_MAX_USEC);
    assert_int_equal(backoff_next(third + 1, RETRY_MAX_USEC - RETRY_MIN_USEC), RETRY_MAX_USEC);
    assert_int_equal(backoff_next(RETRY_MAX_USEC, RETRY_MAX_USEC - RETRY_MIN_USEC), RETRY_MAX_USEC);
    assert_int_equal(backoff_next(RETRY_MAX_USEC, RETRY_MAX_USEC - RETRY_MIN_USEC + 1),
                     RETRY_MIN_USEC);
    /* A stored pause that nobody can have made. */
    assert_int_equal(backoff_next(USEC_INFINITY, RETRY_MAX_USEC - RETRY_MIN_USEC), RETRY_MAX_USEC);
    assert_in_range(backoff_next(USEC_INFINITY, UINT64_MAX), RETRY_MIN_USEC, RETRY_MAX_USEC);
}

static void test_spread(void **state)
{
    usec_t pause = 0;

    (void)state;
    assert_in_range(longest_after(0), 2900 * USEC_PER_MSEC, 3 * USEC_PER_SEC);
    assert_in_range(longest_after(10 * USEC_PER_SEC), 29 * USEC_PER_SEC, 30 * USEC_PER_SEC);
    assert_in_range(longest_after(RETRY_MAX_USEC), 299 * USEC_PER_SEC, RETRY_MAX_USEC);
    /* A chain of them stays inside for ever, and comes near both ends. */
    usec_t least = USEC_INFINITY, most = 0;

    for (int i = 0; i < 100000; i++) {
        pause = backoff_next(pause, next_random());
        assert_in_range(pause, RETRY_MIN_USEC, RETRY_MAX_USEC);
        least = pause < least ? pause : least;
        most = pause > most ? pause : most;
    }
    assert_in_range(least, RETRY_MIN_USEC, 2 * USEC_PER_SEC);
    assert_in_range(most, 290 * USEC_PER_SEC, RETRY_MAX_USEC);
}

static void test_jitter(void **state)
{
    (void)state;
    assert_int_equal(backoff_jitter(1000, 0), 900);
    assert_int_equal(backoff_jitter(1000, 100), 1000);
    assert_int_equal(backoff_jitter(1000, 200), 1100);
    assert_int_equal(backoff_jitter(1000, 201), 900);
    assert_int_equal(backoff_jitter(0, UINT64_MAX), 0);
    assert_int_equal(backoff_jitter(9, UINT64_MAX), 9); /* a tenth of which is nothing */
    for (int i = 0; i < 10000; i++)
        assert_in_range(backoff_jitter(3600 * USEC_PER_SEC, next_random()), 3240 * USEC_PER_SEC,
                        3960 * USEC_PER_SEC);
}

/* What never comes does not come sooner for being jittered, and nothing wraps round to now. */
static void test_jitter_infinity(void **state)
{
    (void)state;
    assert_int_equal(backoff_jitter(USEC_INFINITY, 0), USEC_INFINITY);
    assert_int_equal(backoff_jitter(USEC_INFINITY, UINT64_MAX), USEC_INFINITY);
    assert_int_equal(backoff_jitter(USEC_INFINITY - 1, 2 * ((USEC_INFINITY - 1) / 10)),
                     USEC_INFINITY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first),           cmocka_unit_test(test_ceiling),
        cmocka_unit_test(test_spread),          cmocka_unit_test(test_jitter),
        cmocka_unit_test(test_jitter_infinity),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
