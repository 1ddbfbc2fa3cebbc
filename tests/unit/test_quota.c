#include "ipc/quota.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"

static Quota quota;
static QuotaCharge charges[CONNECTIONS_MAX + 1];

static int setup(void **state)
{
    (void)state;
    quota_init(&quota);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (size_t i = 0; i < CONNECTIONS_MAX + 1; i++)
        quota_release(&charges[i]);
    quota_deinit(&quota);
    return 0;
}

static void expect_share(QuotaKind kind, unsigned max)
{
    for (unsigned i = 0; i < max; i++)
        assert_int_equal(quota_charge(&quota, 1000, kind, &charges[i]), 0);
    assert_int_equal(quota_charge(&quota, 1000, kind, &charges[max]), QUOTA_E_USER);
    assert_null(charges[max].quota);

    /* Others have their own share, also one in the same chain. */
    assert_int_equal(quota_charge(&quota, 1000 + QUOTA_N_CHAINS, kind, &charges[max]), 0);
    quota_release(&charges[max]);

    quota_release(&charges[0]);
    quota_release(&charges[0]);
    assert_int_equal(quota_charge(&quota, 1000, kind, &charges[0]), 0);
    assert_int_equal(quota_charge(&quota, 1000, kind, &charges[max]), QUOTA_E_USER);
}

static void test_connections_of_a_user(void **state)
{
    (void)state;
    expect_share(QUOTA_CONNECTIONS, CONNECTIONS_PER_UID_MAX);
}

static void test_waiting_of_a_user(void **state)
{
    (void)state;
    expect_share(QUOTA_WAITING, WAITING_PER_UID_MAX);
}

static void test_watches_of_a_user(void **state)
{
    (void)state;
    expect_share(QUOTA_WATCHES, WATCHES_PER_UID_MAX);
}

static void test_kinds_are_apart(void **state)
{
    (void)state;
    for (unsigned i = 0; i < WAITING_PER_UID_MAX; i++)
        assert_int_equal(quota_charge(&quota, 1000, QUOTA_WAITING, &charges[i]), 0);
    assert_int_equal(quota_charge(&quota, 1000, QUOTA_CONNECTIONS, &charges[WAITING_PER_UID_MAX]),
                     0);
}

static void test_total(void **state)
{
    unsigned n = 0;

    (void)state;
    for (uid_t uid = 1; n < CONNECTIONS_MAX - CONNECTIONS_ROOT_RESERVE; n++) {
        if (quota_charge(&quota, uid, QUOTA_CONNECTIONS, &charges[n]) == QUOTA_E_USER)
            assert_int_equal(quota_charge(&quota, ++uid, QUOTA_CONNECTIONS, &charges[n]), 0);
    }
    /* What is left is root's. */
    assert_int_equal(quota_charge(&quota, 5000, QUOTA_CONNECTIONS, &charges[n]), QUOTA_E_TOTAL);
    for (; n < CONNECTIONS_MAX; n++)
        assert_int_equal(quota_charge(&quota, 0, QUOTA_CONNECTIONS, &charges[n]), 0);
    assert_int_equal(quota_charge(&quota, 0, QUOTA_CONNECTIONS, &charges[n]), QUOTA_E_TOTAL);
    quota_release(&charges[7]);
    assert_int_equal(quota_charge(&quota, 0, QUOTA_CONNECTIONS, &charges[7]), 0);
    assert_int_equal(quota_charge(&quota, 0, QUOTA_CONNECTIONS, &charges[n]), QUOTA_E_TOTAL);
}

static void test_unread_bytes_of_a_user(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(quota_charge(&quota,
                                      i < 2   ? 1000
                                      : i < 3 ? 1001
                                              : 0,
                                      QUOTA_CONNECTIONS, &charges[i]),
                         0);
    assert_int_equal(quota_hold(&charges[0], UNREAD_BYTES_PER_UID_MAX + 1), QUOTA_E_USER);
    assert_int_equal(quota_hold(&charges[0], UNREAD_BYTES_PER_UID_MAX - 7), 0);
    assert_int_equal(quota_hold(&charges[1], 8), QUOTA_E_USER);
    assert_int_equal(quota_hold(&charges[1], 7), 0);
    assert_int_equal(quota_hold(&charges[0], UNREAD_BYTES_PER_UID_MAX - 6), QUOTA_E_USER);
    assert_int_equal(quota_hold(&charges[0], UNREAD_BYTES_PER_UID_MAX - 8), 0);
    assert_int_equal(quota_hold(&charges[1], 8), 0);
    /* Another user has as much, and root more. */
    assert_int_equal(quota_hold(&charges[2], UNREAD_BYTES_PER_UID_MAX), 0);
    assert_int_equal(quota_hold(&charges[3], UNREAD_BYTES_PER_UID_MAX + 1), 0);
    /* Who goes gives back all that it held. */
    quota_release(&charges[0]);
    assert_int_equal(quota_hold(&charges[1], UNREAD_BYTES_PER_UID_MAX), 0);
}

static void test_unread_bytes_in_all(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++)
        assert_int_equal(quota_charge(&quota, i == 0 ? 0 : 1000, QUOTA_CONNECTIONS, &charges[i]),
                         0);
    assert_int_equal(quota_hold(&charges[0], (size_t)UNREAD_BYTES_MAX + 1), QUOTA_E_TOTAL);
    assert_int_equal(quota_hold(&charges[0], UNREAD_BYTES_MAX), 0);
    assert_int_equal(quota_hold(&charges[1], 1), QUOTA_E_TOTAL);
    assert_int_equal(quota_hold(&charges[0], UNREAD_BYTES_MAX - UNREAD_BYTES_ROOT_RESERVE - 1), 0);
    assert_int_equal(quota_hold(&charges[1], 1), 0);
    assert_int_equal(quota_hold(&charges[1], 2), QUOTA_E_TOTAL);
    assert_int_equal(quota_hold(&charges[0], UNREAD_BYTES_MAX - 1), 0);
}

static void test_busy_users(void **state)
{
    usec_t now = 1000 * TURN_WINDOW_USEC;

    (void)state;
    assert_int_equal(quota_charge(&quota, 1000, QUOTA_CONNECTIONS, &charges[0]), 0);
    assert_int_equal(quota_charge(&quota, 1000, QUOTA_CONNECTIONS, &charges[1]), 0);
    /* There is nobody else to wait for it. */
    assert_false(quota_has_several(&quota));
    assert_false(quota_spend(&charges[0], now, 10 * TURN_SHARE_USEC));
    now += 100 * TURN_WINDOW_USEC;

    assert_int_equal(quota_charge(&quota, 1001, QUOTA_CONNECTIONS, &charges[2]), 0);
    assert_true(quota_has_several(&quota));
    assert_false(quota_is_busy(&charges[0], now));
    assert_false(quota_spend(&charges[0], now, TURN_SHARE_USEC));
    assert_true(quota_spend(&charges[1], now, 1));
    assert_true(quota_is_busy(&charges[0], now));
    assert_false(quota_is_busy(&charges[2], now));
    /* Until the window is over, which leaves half of it. */
    assert_true(quota_is_busy(&charges[0], now + TURN_WINDOW_USEC - 1));
    assert_false(quota_is_busy(&charges[0], now + TURN_WINDOW_USEC));
    assert_true(quota_spend(&charges[0], now + TURN_WINDOW_USEC, TURN_SHARE_USEC / 2 + 1));
    /* It goes with the others. */
    quota_release(&charges[2]);
    assert_false(quota_is_busy(&charges[0], now + TURN_WINDOW_USEC));
}

static void test_root(void **state)
{
    (void)state;
    for (unsigned i = 0; i < CONNECTIONS_MAX; i++)
        assert_int_equal(quota_charge(&quota, 0, QUOTA_CONNECTIONS, &charges[i]), 0);
    assert_int_equal(quota_charge(&quota, 0, QUOTA_CONNECTIONS, &charges[CONNECTIONS_MAX]),
                     QUOTA_E_TOTAL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_connections_of_a_user, setup, teardown),
        cmocka_unit_test_setup_teardown(test_waiting_of_a_user, setup, teardown),
        cmocka_unit_test_setup_teardown(test_watches_of_a_user, setup, teardown),
        cmocka_unit_test_setup_teardown(test_kinds_are_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(test_total, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unread_bytes_of_a_user, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unread_bytes_in_all, setup, teardown),
        cmocka_unit_test_setup_teardown(test_busy_users, setup, teardown),
        cmocka_unit_test_setup_teardown(test_root, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
