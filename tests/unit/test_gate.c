/*
 * Gates: pauses with their bounds, across a restart too; and look-ups over pages that may not end.
 */

#include "daemon/gate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "tests/unit/declared.h"

#define NOW (1000 * USEC_PER_SEC)

/* Such a pause is over at NOW, however it was drawn. */
#define PAUSED_LONG_AGO 1
#define YEAR            (365 * 24 * 3600 * USEC_PER_SEC)
#define PATIENCE        USEC_PER_SEC /* what a test may take between two looks at the wall clock */

typedef struct Fixture {
    struct event_base *base;
    Engine *engine;
    Config *config;
    Snapshot snapshot;
    Gates gates;
    Gate *gate; /* of the first account */
} Fixture;

static int setup(void **state)
{
    Fixture *fixture = calloc(1, sizeof(*fixture));

    fixture->base = event_base_new();
    assert_int_equal(engine_new(fixture->base, 1, NULL, fixture, &fixture->engine), 0);
    fixture->config = declared_new();
    declared_add_account(fixture->config, "default", "http://127.0.0.1:1/elements/api-v2");
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    Fixture *fixture = *state;

    gates_deinit(&fixture->gates);
    snapshot_deinit(&fixture->snapshot);
    engine_free(fixture->engine);
    event_base_free(fixture->base);
    config_unref(fixture->config);
    free(fixture);
    return 0;
}

static void make_gates(Fixture *fixture)
{
    assert_int_equal(gates_apply(&fixture->gates, fixture->config), 0);
    assert_int_equal(gates_restore(&fixture->gates, &fixture->snapshot, NOW), 0);
    fixture->gate = fixture->gates.items[0];
}

static void add_pause(Fixture *fixture, const char *account, usec_t delay, usec_t retry)
{
    Snapshot *snapshot = &fixture->snapshot;

    snapshot->pauses = reallocarray(snapshot->pauses, snapshot->n_pauses + 1,
                                    sizeof(*snapshot->pauses));
    snapshot->pauses[snapshot->n_pauses++] = (Pause){
        .account = strdup(account),
        .attempts = 3,
        .delay = delay,
        .retry = retry,
    };
}

/* ---- which there are ---- */

static void test_accounts(void **state)
{
    Fixture *fixture = *state;
    Account *broken = declared_add_account(fixture->config, "e", "");
    const Account *last = declared_add_account(fixture->config, "f", "https://example.com");

    broken->problem = strdup("broken");
    make_gates(fixture);
    assert_int_equal(fixture->gates.n_items, 2);
    assert_ptr_equal(gates_find(&fixture->gates, fixture->config->accounts[0]), fixture->gate);
    assert_null(gates_find(&fixture->gates, broken));
    assert_ptr_equal(gates_find(&fixture->gates, last), fixture->gates.items[1]);
    assert_null(gates_find(&fixture->gates, NULL));
    assert_false(fixture->gate->is_paused);
    assert_int_equal(fixture->gate->looked_up, 0);
}

static void test_no_accounts(void **state)
{
    Config *config = declared_new();
    Snapshot snapshot = {};
    Gates gates = {};

    (void)state;
    assert_int_equal(gates_apply(&gates, config), 0);
    assert_int_equal(gates_restore(&gates, &snapshot, NOW), 0);
    assert_null(gates_find(&gates, NULL));
    assert_int_equal(gates_snapshot(&gates, &snapshot, NOW), 0);
    assert_int_equal(snapshot.n_pauses, 0);
    gates_deinit(&gates);
    gates_deinit(&gates);
    config_unref(config);
}

/* ---- another configuration ---- */

/* By its name a gate stays, with its pause and what was looked up; unless it is another platform, or has other secrets. */
static void test_apply(void **state)
{
    Fixture *fixture = *state;
    Config *after = declared_new();
    const Account *same, *moved;
    Account *renewed;
    Gate *gates[4];

    declared_add_account(fixture->config, "e", "https://example.com/a");
    declared_add_account(fixture->config, "f", "https://example.com/a");
    declared_add_account(fixture->config, "g", "https://example.com/a");
    make_gates(fixture);
    for (size_t i = 0; i < 4; i++) {
        gates[i] = fixture->gates.items[i];
        (void)gate_pause(gates[i], TROUBLE_UNREACHABLE, "no", 0, NOW);
        gates[i]->looked_up = NOW;
        assert_int_equal(gates[i]->epoch, i + 1);
    }
    declared_add_account(after, "a-new", "https://example.com/a");
    moved = declared_add_account(after, "default", "https://example.com/b");
    same = declared_add_account(after, "e", "https://example.com/a");
    renewed = declared_add_account(after, "f", "https://example.com/a");
    renewed->user = secret_unref(renewed->user);
    renewed->user = declared_secret("other");
    assert_int_equal(gates_apply(&fixture->gates, after), 0);
    config_unref(fixture->config);
    fixture->config = after;

    assert_int_equal(fixture->gates.n_items, 4);
    assert_false(fixture->gates.items[0]->is_paused);
    assert_ptr_equal(gates_find(&fixture->gates, moved), gates[0]);
    assert_ptr_equal(gates_find(&fixture->gates, same), gates[1]);
    assert_ptr_equal(gates_find(&fixture->gates, renewed), gates[2]);
    assert_true(gates[1]->is_paused);
    assert_int_equal(gates[1]->looked_up, NOW);
    assert_int_equal(gates[1]->epoch, 2);
    for (size_t i = 0; i < 3; i += 2) {
        assert_false(gates[i]->is_paused);
        assert_int_equal(gates[i]->looked_up, 0);
        assert_true(gates[i]->epoch > 4);
    }
    assert_ptr_equal(gates_find_platform(&fixture->gates, "e", "https://example.com/a"), gates[1]);
    assert_null(gates_find_platform(&fixture->gates, "e", "https://example.com/b"));
    assert_null(gates_find_platform(&fixture->gates, "g", "https://example.com/a"));
    assert_null(gates_find_platform(&fixture->gates, NULL, "https://example.com/a"));
    assert_null(gates_find_platform(&fixture->gates, "e", NULL));
}

static void test_probe(void **state)
{
    Fixture *fixture = *state;

    make_gates(fixture);
    gate_probe(fixture->gate, NOW);
    assert_false(fixture->gate->is_paused);
    (void)gate_pause(fixture->gate, TROUBLE_UNREACHABLE, "no", 10 * USEC_PER_SEC, NOW);
    gate_probe(fixture->gate, NOW + 1);
    assert_true(fixture->gate->is_paused);
    assert_int_equal(fixture->gate->until, NOW + 1);
    gate_probe(fixture->gate, NOW + 2);
    assert_int_equal(fixture->gate->until, NOW + 1);
}

/* ---- pauses ---- */

/* Each is between the shortest and three times the one before, up to the longest; and they do grow. */
static void test_pause_grows(void **state)
{
    Fixture *fixture = *state;
    Gate *gate;
    usec_t longest = 0, now = NOW;

    make_gates(fixture);
    gate = fixture->gate;
    for (int round = 0; round < 100; round++) {
        usec_t before = RETRY_MIN_USEC;

        for (unsigned i = 1; i <= 20; i++) {
            usec_t top = before > RETRY_MAX_USEC / 3 ? RETRY_MAX_USEC : 3 * before;

            now = gate->until > now ? gate->until : now;
            (void)gate_pause(gate, TROUBLE_UNREACHABLE, "no", 0, now);
            assert_true(gate->is_paused);
            assert_int_equal(gate->attempts, i);
            assert_in_range(gate->delay, RETRY_MIN_USEC, top);
            assert_int_equal(gate->until, now + gate->delay);
            /* What was under way when it was paused comes back meanwhile: no try of its own. */
            (void)gate_pause(gate, TROUBLE_UNREACHABLE, "no", 0, gate->until - 1);
            assert_int_equal(gate->until, now + gate->delay);
            assert_int_equal(gate->attempts, i);
            before = gate->delay;
            longest = longest > before ? longest : before;
        }
        assert_true(gate_open(gate));
    }
    assert_true(longest > RETRY_MAX_USEC / 2);
}

/* Not all of many that failed together come back together. */
static void test_pause_is_spread(void **state)
{
    Fixture *fixture = *state;
    usec_t least = USEC_INFINITY, most = 0;

    make_gates(fixture);
    for (int i = 0; i < 200; i++) {
        (void)gate_pause(fixture->gate, TROUBLE_UNREACHABLE, "no", 0, NOW);
        least = fixture->gate->delay < least ? fixture->gate->delay : least;
        most = fixture->gate->delay > most ? fixture->gate->delay : most;
        (void)gate_open(fixture->gate);
    }
    assert_true(least < RETRY_MIN_USEC + RETRY_MIN_USEC / 2);
    assert_true(most > 2 * RETRY_MIN_USEC);
}

static void test_retry_after(void **state)
{
    Fixture *fixture = *state;
    Gate *gate;

    make_gates(fixture);
    gate = fixture->gate;
    (void)gate_pause(gate, TROUBLE_UNREACHABLE, "no", RETRY_AFTER_MAX_USEC, NOW);
    assert_int_equal(gate->delay, RETRY_AFTER_MAX_USEC);
    assert_int_equal(gate->until, NOW + RETRY_AFTER_MAX_USEC);
    /* It is a floor, not the pause: a platform that says 1 µs gets no storm. */
    (void)gate_open(gate);
    (void)gate_pause(gate, TROUBLE_UNREACHABLE, "no", 1, NOW);
    assert_in_range(gate->delay, RETRY_MIN_USEC, 3 * RETRY_MIN_USEC);
    /* After a long one the own ones have their ceiling again. */
    (void)gate_pause(gate, TROUBLE_UNREACHABLE, "no", RETRY_AFTER_MAX_USEC, NOW);
    assert_int_equal(gate->until, NOW + RETRY_AFTER_MAX_USEC);
    (void)gate_pause(gate, TROUBLE_UNREACHABLE, "no", 0, gate->until);
    assert_in_range(gate->delay, RETRY_MIN_USEC, RETRY_MAX_USEC);
}

static void test_news(void **state)
{
    Fixture *fixture = *state;
    char words[] = "no";
    Gate *gate;

    make_gates(fixture);
    gate = fixture->gate;
    assert_false(gate_open(gate));
    assert_true(gate_pause(gate, TROUBLE_UNREACHABLE, words, 0, NOW));
    words[0] = 'g';
    assert_string_equal(gate->problem, "no"); /* a copy */
    assert_true(gate_pause(gate, TROUBLE_UNREACHABLE, words, 0, NOW));
    assert_false(gate_pause(gate, TROUBLE_UNREACHABLE, words, 0, NOW));
    assert_true(gate_pause(gate, TROUBLE_UNREACHABLE, NULL, 0, NOW));
    assert_null(gate->problem);
    assert_true(gate_open(gate));
    assert_false(gate->is_paused);
    assert_int_equal(gate->attempts, 0);
    assert_int_equal(gate->delay, 0);
    assert_int_equal(gate->until, 0);
    assert_null(gate->problem);
    assert_true(gate_pause(gate, TROUBLE_UNREACHABLE, words, 0, NOW));
}

/* Since when it is so, and of which kind; tries in between do not matter. */
static void test_since(void **state)
{
    Fixture *fixture = *state;
    usec_t before = clock_realtime();
    Gate *gate;

    make_gates(fixture);
    gate = fixture->gate;
    (void)gate_pause(gate, TROUBLE_UNREACHABLE, "no", 0, NOW);
    assert_in_range(gate->since, before, clock_realtime());
    assert_int_equal(gate->trouble, TROUBLE_UNREACHABLE);
    gate->since = 7;
    (void)gate_pause(gate, TROUBLE_UNREACHABLE, "other words", 0, gate->until);
    assert_int_equal(gate->since, 7);
    (void)gate_pause(gate, TROUBLE_SECRETS_REFUSED, "no", 0, gate->until);
    assert_int_equal(gate->trouble, TROUBLE_SECRETS_REFUSED);
    assert_in_range(gate->since, before, clock_realtime());
    assert_true(gate_open(gate));
    assert_int_equal(gate->trouble, TROUBLE_NONE);
    gate->since = 7;
    (void)gate_pause(gate, TROUBLE_SECRETS_REFUSED, "no", 0, NOW);
    assert_in_range(gate->since, before, clock_realtime());
}

/* ---- across a restart ---- */

/* What was wrong, and since when; and each run tells it once. */
static void test_restored_trouble(void **state)
{
    Fixture *fixture = *state;
    Pause *pause = calloc(1, sizeof(*pause));

    assert_non_null(pause);
    *pause = (Pause){
        .account = strdup("default"),
        .problem = strdup("no"),
        .trouble = TROUBLE_SECRETS_REFUSED,
        .since = 7,
    };
    fixture->snapshot.pauses = pause;
    fixture->snapshot.n_pauses = 1;
    make_gates(fixture);
    assert_string_equal(fixture->gate->problem, "no");
    assert_int_equal(fixture->gate->trouble, TROUBLE_SECRETS_REFUSED);
    assert_true(gate_pause(fixture->gate, TROUBLE_SECRETS_REFUSED, "no", 0, NOW));
    assert_false(gate_pause(fixture->gate, TROUBLE_SECRETS_REFUSED, "no", 0, NOW));
    assert_int_equal(fixture->gate->since, 7);
}

/* However the wall clock has jumped, the wait is never longer than what was recorded. */
static void test_restored(void **state)
{
    usec_t realtime = clock_realtime();
    const struct {
        usec_t delay, retry, left;
    } rows[] = {
        {30 * USEC_PER_SEC, realtime + 20 * USEC_PER_SEC, 20 * USEC_PER_SEC},
        {30 * USEC_PER_SEC, realtime - 1, 0},
        {30 * USEC_PER_SEC, 0, 0},
        {30 * USEC_PER_SEC, realtime + YEAR, 30 * USEC_PER_SEC},
        {30 * USEC_PER_SEC, USEC_INFINITY, 30 * USEC_PER_SEC},
        {0, realtime + YEAR, 0},
        /* A delay that nobody could have drawn. */
        {YEAR, realtime + YEAR, RETRY_AFTER_MAX_USEC},
        {USEC_INFINITY, USEC_INFINITY, RETRY_AFTER_MAX_USEC},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        Fixture *fixture;
        usec_t least = rows[i].left > PATIENCE ? NOW + rows[i].left - PATIENCE : NOW;

        assert_int_equal(setup((void **)&fixture), 0);
        add_pause(fixture, "other", YEAR, USEC_INFINITY);
        add_pause(fixture, "default", rows[i].delay, rows[i].retry);
        make_gates(fixture);
        assert_true(fixture->gate->is_paused);
        assert_int_equal(fixture->gate->attempts, 3);
        assert_in_range(fixture->gate->until, least, NOW + rows[i].left);
        assert_true(fixture->gate->delay <= RETRY_AFTER_MAX_USEC);
        assert_non_null(fixture->gate->problem);
        teardown((void **)&fixture);
    }
}

static void test_snapshot(void **state)
{
    Fixture *fixture = *state;
    Snapshot snapshot = {};
    usec_t realtime;

    declared_add_account(fixture->config, "open", "https://example.com");
    declared_add_account(fixture->config, "over", "https://example.com");
    make_gates(fixture);
    (void)gate_pause(fixture->gates.items[0], TROUBLE_UNREACHABLE, "no", 20 * USEC_PER_SEC, NOW);
    (void)gate_pause(fixture->gates.items[2], TROUBLE_UNREACHABLE, "no", 0, PAUSED_LONG_AGO);
    realtime = clock_realtime();
    assert_int_equal(gates_snapshot(&fixture->gates, &snapshot, NOW), 0);
    assert_int_equal(snapshot.n_pauses, 2);
    assert_string_equal(snapshot.pauses[0].account, "default");
    assert_int_equal(snapshot.pauses[0].attempts, 1);
    assert_int_equal(snapshot.pauses[0].delay, 20 * USEC_PER_SEC);
    assert_in_range(snapshot.pauses[0].retry, realtime + 20 * USEC_PER_SEC,
                    realtime + 20 * USEC_PER_SEC + PATIENCE);
    assert_string_equal(snapshot.pauses[0].problem, "no");
    assert_int_equal(snapshot.pauses[0].trouble, TROUBLE_UNREACHABLE);
    assert_in_range(snapshot.pauses[0].since, realtime - PATIENCE, realtime);
    assert_string_equal(snapshot.pauses[1].account, "over");
    assert_in_range(snapshot.pauses[1].retry, realtime, realtime + PATIENCE);
    snapshot_deinit(&snapshot);
}

/* ---- look-ups ---- */

static void on_page(void *userdata, void *subject, PlatformAnswer *answer)
{
    (void)userdata;
    (void)subject;
    (void)answer;
    fail_msg("the loop does not run");
}

static void look_up(Fixture *fixture, usec_t now)
{
    assert_int_equal(gate_look_up(fixture->gate, fixture->engine, "o", USEC_PER_SEC, on_page, now),
                     0);
    assert_non_null(fixture->gate->task);
}

/* A page with these rows, of ours or not; the answer is the test's. */
static PlatformAnswer page_of(int64_t first_id, size_t n, bool is_owned, const char *next)
{
    PlatformAnswer answer = {
        .instances = calloc(n + 1, sizeof(*answer.instances)),
        .n_instances = n,
        .next_page = next ? strdup(next) : NULL,
    };

    for (size_t i = 0; i < n; i++) {
        answer.instances[i].id = first_id + (int64_t)i;
        answer.instances[i].is_owned = is_owned;
        answer.instances[i].name = strdup("x");
        answer.instances[i].token = declared_secret("t");
    }
    return answer;
}

/* As the engine does it: the task is gone before its handler is called. */
static GateProgress take(Fixture *fixture, PlatformAnswer *answer)
{
    GateProgress progress = GATE_MORE;

    fixture->gate->task = engine_task_free(fixture->gate->task);
    assert_int_equal(gate_take_page(fixture->gate, answer, &progress), 0);
    assert_null(fixture->gate->task);
    return progress;
}

static GateProgress take_page(Fixture *fixture, int64_t first_id, size_t n, const char *next)
{
    PlatformAnswer answer = page_of(first_id, n, true, next);
    GateProgress progress = take(fixture, &answer);

    platform_answer_deinit(&answer);
    return progress;
}

static void next_page(Fixture *fixture)
{
    assert_int_equal(gate_look_up_next(fixture->gate, fixture->engine, "o", USEC_PER_SEC, on_page),
                     0);
}

static void test_one_page(void **state)
{
    Fixture *fixture = *state;

    make_gates(fixture);
    look_up(fixture, NOW);
    assert_int_equal(fixture->gate->looked_up, 0);
    assert_int_equal(take_page(fixture, 1, 2, NULL), GATE_DONE);
    assert_int_equal(fixture->gate->looked_up, NOW);
    assert_int_equal(fixture->gate->n_rows, 2);
    assert_int_equal(fixture->gate->rows[1].id, 2);
    assert_string_equal(secret_reveal(fixture->gate->rows[1].token), "t");
    /* The next one begins anew, and until it is complete the one before counts. */
    look_up(fixture, NOW + 5);
    assert_int_equal(fixture->gate->n_rows, 0);
    assert_int_equal(fixture->gate->looked_up, NOW);
    assert_int_equal(take_page(fixture, 0, 0, NULL), GATE_DONE);
    assert_int_equal(fixture->gate->looked_up, NOW + 5);
    assert_int_equal(fixture->gate->n_rows, 0);
}

/* It began when its first page was asked for, not its last. */
static void test_pages(void **state)
{
    Fixture *fixture = *state;

    make_gates(fixture);
    look_up(fixture, NOW);
    assert_int_equal(take_page(fixture, 1, 2, "p2"), GATE_MORE);
    assert_string_equal(fixture->gate->page, "p2");
    assert_int_equal(fixture->gate->looked_up, 0);
    next_page(fixture);
    assert_int_equal(take_page(fixture, 0, 0, "p3"), GATE_MORE); /* empty, and not the last */
    next_page(fixture);
    assert_int_equal(take_page(fixture, 3, 1, NULL), GATE_MORE); /* once more, to be sure */
    assert_int_equal(fixture->gate->looked_up, 0);
    assert_null(fixture->gate->page);
    next_page(fixture);
    assert_int_equal(take_page(fixture, 1, 2, "p2"), GATE_MORE);
    next_page(fixture);
    assert_int_equal(take_page(fixture, 3, 1, NULL), GATE_DONE);
    assert_int_equal(fixture->gate->looked_up, NOW);
    assert_int_equal(fixture->gate->n_rows, 3);
    assert_null(fixture->gate->page);
    for (int i = 0; i < 3; i++)
        assert_int_equal(fixture->gate->rows[i].id, i + 1);
}

/* The platform's own filter is not relied on. */
static void test_foreign_rows(void **state)
{
    Fixture *fixture = *state;
    PlatformAnswer answer = page_of(1, 3, false, NULL);

    make_gates(fixture);
    answer.instances[1].is_owned = true;
    look_up(fixture, NOW);
    assert_int_equal(take(fixture, &answer), GATE_DONE);
    assert_int_equal(fixture->gate->n_rows, 1);
    assert_int_equal(fixture->gate->rows[0].id, 2);
    platform_answer_deinit(&answer);
}

/* Half a look-up says nothing: neither rows nor a time. */
static void test_page_fails(void **state)
{
    static const PlatformOutcome outcomes[] = {PLATFORM_ABSENT,       PLATFORM_REFUSED,
                                               PLATFORM_UNAUTHORIZED, PLATFORM_FORBIDDEN,
                                               PLATFORM_BUSY,         PLATFORM_UNKNOWN};
    Fixture *fixture = *state;

    make_gates(fixture);
    look_up(fixture, NOW);
    assert_int_equal(take_page(fixture, 1, 1, NULL), GATE_DONE);
    for (size_t i = 0; i < N_ELEMENTS(outcomes); i++) {
        PlatformAnswer answer = page_of(1, 1, true, NULL);

        answer.outcome = outcomes[i];
        look_up(fixture, NOW + 5);
        assert_int_equal(take_page(fixture, 1, 2, "p2"), GATE_MORE);
        next_page(fixture);
        assert_int_equal(take(fixture, &answer), GATE_FAILED);
        assert_int_equal(fixture->gate->looked_up, NOW);
        platform_answer_deinit(&answer);
    }
    /* The one after it begins at the first page. */
    look_up(fixture, NOW + 9);
    assert_null(fixture->gate->page);
    assert_int_equal(fixture->gate->n_pages, 0);
    assert_int_equal(fixture->gate->n_rows, 0);
    assert_int_equal(take_page(fixture, 1, 1, NULL), GATE_DONE);
    assert_int_equal(fixture->gate->n_rows, 1);
}

static void assert_endless(Fixture *fixture, PlatformAnswer *answer)
{
    assert_int_equal(take(fixture, answer), GATE_FAILED);
    assert_string_equal(answer->problem, "the platform's list of instances does not end");
    assert_int_equal(fixture->gate->looked_up, 0);
    platform_answer_deinit(answer);
}

static void test_same_page_again(void **state)
{
    Fixture *fixture = *state;
    PlatformAnswer answer = page_of(1, 1, true, "p2");

    make_gates(fixture);
    look_up(fixture, NOW);
    assert_int_equal(take_page(fixture, 1, 1, "p2"), GATE_MORE);
    next_page(fixture);
    assert_endless(fixture, &answer);
}

/* A row that slipped from one page to the one before is missed by one pass: two in a row must have shown the same. */
static void test_pages_that_change(void **state)
{
    Fixture *fixture = *state;

    make_gates(fixture);
    look_up(fixture, NOW);
    for (int i = 0; i < PLATFORM_PASSES_MAX; i++) {
        PlatformAnswer last = page_of(i + 2, 1, true, NULL);

        assert_int_equal(take_page(fixture, 1, 1, "p2"), GATE_MORE);
        next_page(fixture);
        if (i + 1 < PLATFORM_PASSES_MAX) {
            assert_int_equal(take(fixture, &last), GATE_MORE);
            next_page(fixture);
        } else {
            assert_int_equal(take(fixture, &last), GATE_FAILED);
            assert_non_null(strstr(last.problem, "changes all the time"));
        }
        platform_answer_deinit(&last);
    }
    assert_int_equal(fixture->gate->looked_up, 0);

    /* The same again twice at last: that is enough, and so is a single page at once. */
    look_up(fixture, NOW + 1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(take_page(fixture, 1, 1, "p2"), GATE_MORE);
        next_page(fixture);
        assert_int_equal(take_page(fixture, i == 0 ? 2 : 3, 1, NULL),
                         i < 2 ? GATE_MORE : GATE_DONE);
        if (i < 2)
            next_page(fixture);
    }
    look_up(fixture, NOW + 2);
    assert_int_equal(take_page(fixture, 1, 1, "p2"), GATE_MORE);
    next_page(fixture);
    assert_int_equal(take_page(fixture, 2, 1, NULL), GATE_MORE);
    next_page(fixture);
    assert_int_equal(take_page(fixture, 1, 1, NULL), GATE_DONE);
    assert_int_equal(fixture->gate->looked_up, NOW + 2);
}

/* So many pages, and not one more; two of them in turn, so that it is not the same one again. */
static void test_pages_ceiling(void **state)
{
    for (int is_last = 0; is_last < 2; is_last++) {
        Fixture *fixture;
        PlatformAnswer answer = page_of(1, 0, true, is_last ? NULL : "p0");

        (void)state;
        assert_int_equal(setup((void **)&fixture), 0);
        make_gates(fixture);
        look_up(fixture, NOW);
        for (int i = 1; i < PLATFORM_PAGES_MAX; i++) {
            assert_int_equal(take_page(fixture, 1, 0, i % 2 ? "p1" : "p2"), GATE_MORE);
            next_page(fixture);
        }
        if (is_last) {
            assert_int_equal(take(fixture, &answer), GATE_MORE); /* the second pass */
            platform_answer_deinit(&answer);
        } else {
            assert_endless(fixture, &answer);
        }
        teardown((void **)&fixture);
    }
}

static void test_rows_ceiling(void **state)
{
    Fixture *fixture = *state;
    PlatformAnswer answer = page_of(0, 1, true, "p3");

    make_gates(fixture);
    look_up(fixture, NOW);
    assert_int_equal(take_page(fixture, 1, INSTANCES_MAX, "p2"), GATE_MORE);
    next_page(fixture);
    assert_endless(fixture, &answer);
}

/* A look-up under way goes with its gate. */
static void test_deinit_cancels(void **state)
{
    Fixture *fixture = *state;

    make_gates(fixture);
    look_up(fixture, NOW);
    gates_deinit(&fixture->gates);
    assert_true(event_base_loop(fixture->base, EVLOOP_NONBLOCK) >= 0);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_accounts),
        TEST(test_no_accounts),
        TEST(test_apply),
        TEST(test_probe),
        TEST(test_pause_grows),
        TEST(test_pause_is_spread),
        TEST(test_retry_after),
        TEST(test_news),
        TEST(test_since),
        TEST(test_restored_trouble),
        cmocka_unit_test(test_restored),
        TEST(test_snapshot),
        TEST(test_one_page),
        TEST(test_pages),
        TEST(test_foreign_rows),
        TEST(test_page_fails),
        TEST(test_same_page_again),
        TEST(test_pages_that_change),
        cmocka_unit_test(test_pages_ceiling),
        TEST(test_rows_ceiling),
        TEST(test_deinit_cancels),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
