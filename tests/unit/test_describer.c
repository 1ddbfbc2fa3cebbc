/*
 * Describer: how many questions there may be, whose turn it is, and what answers itself without the platform.
 */

#include "daemon/describer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "tests/unit/declared.h"

typedef struct Fixture {
    struct event_base *base;
    Engine *engine;
    Registry registry;
    Config *config;
    Gates gates;
    Describer describer;
    unsigned n_wakes;
} Fixture;

static void on_wake(void *userdata)
{
    Fixture *fixture = userdata;

    fixture->n_wakes++;
}

static int setup(void **state)
{
    Fixture *fixture = calloc(1, sizeof(*fixture));

    fixture->base = event_base_new();
    assert_int_equal(engine_new(fixture->base, 1, NULL, fixture, &fixture->engine), 0);
    fixture->config = declared_new();
    declared_add_account(fixture->config, "a", "http://127.0.0.1:1/elements/api-v2");
    declared_add_account(fixture->config, "b", "http://127.0.0.1:1/elements/api-v2");
    assert_int_equal(gates_apply(&fixture->gates, fixture->config), 0);
    fixture->registry.config = fixture->config;
    describer_init(&fixture->describer, &fixture->registry, &fixture->gates, fixture->engine,
                   on_wake, fixture);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    Fixture *fixture = *state;

    describer_deinit(&fixture->describer);
    describer_deinit(&fixture->describer);
    gates_deinit(&fixture->gates);
    engine_free(fixture->engine);
    event_base_free(fixture->base);
    config_unref(fixture->config);
    free(fixture);
    return 0;
}

/* So many may wait, whoever for, and one more when one is forgotten: what is under way, in line, or there. */
static void test_most(void **state)
{
    static const char *const accounts[] = {"a", "b", "nobody"};
    Fixture *fixture = *state;
    Describer *describer = &fixture->describer;
    uint64_t numbers[DESCRIPTIONS_MAX];

    for (size_t i = 0; i < DESCRIPTIONS_MAX; i++) {
        numbers[i] = describer_ask(describer, "e", accounts[i % 3]);
        assert_true(numbers[i] > 0);
        for (size_t j = 0; j < i; j++)
            assert_true(numbers[i] != numbers[j]);
    }
    assert_int_equal(describer_ask(describer, "e", "a"), 0);
    assert_int_equal(describer_ask(describer, "e", "nobody"), 0);
    for (size_t i = 0; i < 6; i++) {
        describer_forget(describer, numbers[i]);
        describer_forget(describer, numbers[i]);
        assert_null(describer_find(describer, numbers[i]));
        numbers[i] = describer_ask(describer, "e", accounts[i % 3]);
        assert_true(numbers[i] > 0);
        assert_int_equal(describer_ask(describer, "e", "a"), 0);
    }
    for (size_t i = 0; i < DESCRIPTIONS_MAX; i++)
        assert_int_equal(describer_find(describer, numbers[i]) != NULL,
                         strcmp(accounts[i % 3], "nobody") == 0);
}

static void test_no_account(void **state)
{
    Fixture *fixture = *state;
    Describer *describer = &fixture->describer;
    uint64_t number = describer_ask(describer, "e", "nobody");
    const ServedDescription *description = describer_find(describer, number);

    assert_non_null(description);
    assert_int_equal(description->result, SERVED_DESCRIPTION_NO_ACCOUNT);
    assert_string_equal(description->account, "nobody");
    assert_string_equal(description->element, "e");
    assert_int_equal(fixture->n_wakes, 1);
    assert_true(describer_take_news(describer));
    assert_false(describer_take_news(describer));
}

/* Not while it is paused; when the pause is over, whatever it was about. */
static void test_paused_account(void **state)
{
    Fixture *fixture = *state;
    Describer *describer = &fixture->describer;
    Gate *gate = gates_find(&fixture->gates, fixture->config->accounts[0]);
    const ServedDescription *description;
    usec_t now = clock_realtime();
    uint64_t number;

    (void)gate_pause(gate, TROUBLE_UNREACHABLE, "down", 100 * USEC_PER_SEC, clock_boottime());
    number = describer_ask(describer, "e", "a");
    description = describer_find(describer, number);
    assert_non_null(description);
    assert_int_equal(description->result, SERVED_DESCRIPTION_UNAVAILABLE);
    assert_string_equal(description->problem, "the account \"a\" is paused: down");
    assert_in_range(description->retry, now + 90 * USEC_PER_SEC, now + 110 * USEC_PER_SEC);
    gate_probe(gate, clock_boottime());
    assert_null(describer_find(describer, describer_ask(describer, "e", "a")));
    assert_true(gate->is_paused);
}

/* What was asked for an account that has gone, or come, is answered by what there is now. */
static void test_reload(void **state)
{
    Fixture *fixture = *state;
    Describer *describer = &fixture->describer;
    Config *config = declared_new();
    uint64_t a[2], b;

    a[0] = describer_ask(describer, "e", "a");
    a[1] = describer_ask(describer, "e", "a");
    b = describer_ask(describer, "e", "b");
    assert_false(describer_take_news(describer));
    declared_add_account(config, "b", "http://127.0.0.1:1/elements/api-v2");
    assert_int_equal(gates_apply(&fixture->gates, config), 0);
    fixture->registry.config = config;
    config_unref(fixture->config);
    fixture->config = config;
    describer_reloaded(describer);
    assert_true(describer_take_news(describer));
    for (int i = 0; i < 2; i++) {
        assert_non_null(describer_find(describer, a[i]));
        assert_int_equal(describer_find(describer, a[i])->result, SERVED_DESCRIPTION_NO_ACCOUNT);
    }
    assert_null(describer_find(describer, b));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_most),
        TEST(test_no_account),
        TEST(test_paused_account),
        TEST(test_reload),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
