#include "daemon/gate.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/backoff.h"
#include "base/cleanup.h"
#include "base/limits.h"

void gate_drop_rows(Gate *gate)
{
    for (size_t i = 0; i < gate->n_rows; i++)
        platform_instance_deinit(&gate->rows[i]);
    free(gate->rows);
    gate->rows = NULL;
    gate->n_rows = 0;
}

static Gate *gate_free(Gate *gate)
{
    if (!gate)
        return NULL;
    engine_task_free(gate->task);
    gate_drop_rows(gate);
    free(gate->page);
    free(gate->problem);
    free(gate);
    return NULL;
}

void gates_deinit(Gates *gates)
{
    for (size_t i = 0; i < gates->n_items; i++)
        gate_free(gates->items[i]);
    free(gates->items);
    *gates = (Gates){};
}

/* ---- which there are ---- */

static Gate *gates_find_named(const Gates *gates, const char *account_name)
{
    size_t low = 0, high = gates->n_items;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(account_name, gates->items[middle]->account->name);

        if (order == 0)
            return gates->items[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

Gate *gates_find(const Gates *gates, const Account *account)
{
    for (size_t i = 0; i < gates->n_items; i++)
        if (gates->items[i]->account == account)
            return gates->items[i];
    return NULL;
}

Gate *gates_find_platform(const Gates *gates, const char *account_name, const char *url)
{
    Gate *gate = account_name ? gates_find_named(gates, account_name) : NULL;

    return gate && url && strcmp(gate->account->url, url) == 0 ? gate : NULL;
}

void gate_forget_look_up(Gate *gate)
{
    gate_drop_rows(gate);
    gate->looked_up = 0;
}

void gate_renew(Gate *gate)
{
    gate->task = engine_task_free(gate->task);
    gate_forget_look_up(gate);
    (void)gate_open(gate);
}

/* `account` is its account from now on; it has none so far when it is a fresh one. */
static void gate_set_account(Gate *gate, const Account *account, uint64_t *last_epoch)
{
    bool is_same = gate->account && account_equal(gate->account, account);

    if (gate->account && !is_same)
        gate_renew(gate);
    if (!is_same)
        gate->epoch = ++*last_epoch;
    gate->account = account;
}

/* The gates of `config`, those that there are and fresh ones, which have no account yet. NULL without memory. */
static Gate **gates_collect(const Gates *gates, const Config *config)
{
    Gate **items = calloc(config->n_accounts + 1, sizeof(Gate *));
    size_t n = 0;

    for (size_t i = 0; items && i < config->n_accounts; i++) {
        if (config->accounts[i]->problem)
            continue;
        items[n] = gates_find_named(gates, config->accounts[i]->name);
        if (!items[n])
            items[n] = calloc(1, sizeof(Gate));
        if (items[n++])
            continue;
        for (size_t j = 0; j + 1 < n; j++)
            if (!items[j]->account)
                free(items[j]);
        free(items);
        return NULL;
    }
    return items;
}

int gates_apply(Gates *gates, const Config *config)
{
    Gates after = {.items = gates_collect(gates, config), .last_epoch = gates->last_epoch};

    if (!after.items)
        return -ENOMEM;
    for (size_t i = 0; i < config->n_accounts; i++)
        if (!config->accounts[i]->problem)
            gate_set_account(after.items[after.n_items++], config->accounts[i], &after.last_epoch);
    for (size_t i = 0; i < gates->n_items; i++)
        if (gates_find(&after, gates->items[i]->account) != gates->items[i])
            gate_free(gates->items[i]);
    free(gates->items);
    *gates = after;
    return 0;
}

void gates_renew(Gates *gates)
{
    for (size_t i = 0; i < gates->n_items; i++) {
        gate_renew(gates->items[i]);
        gates->items[i]->epoch = ++gates->last_epoch;
    }
}

static int gate_restore(Gate *gate, const Pause *pause, usec_t now)
{
    gate->is_paused = true;
    gate->attempts = pause->attempts;
    gate->delay = pause->delay < RETRY_AFTER_MAX_USEC ? pause->delay : RETRY_AFTER_MAX_USEC;
    gate->until = clock_add(now, clock_left(pause->retry, gate->delay, clock_realtime()));
    free(gate->problem);
    gate->problem = strdup(pause->problem ? pause->problem : "paused since before the last start");
    gate->trouble = pause->trouble ? pause->trouble : TROUBLE_OTHER;
    gate->since = pause->since;
    gate->is_restored = true;
    return gate->problem ? 0 : -ENOMEM;
}

int gates_restore(Gates *gates, const Snapshot *snapshot, usec_t now)
{
    for (size_t i = 0; i < gates->n_items; i++)
        for (size_t j = 0; j < snapshot->n_pauses; j++) {
            int r;

            if (strcmp(snapshot->pauses[j].account, gates->items[i]->account->name) != 0)
                continue;
            r = gate_restore(gates->items[i], &snapshot->pauses[j], now);
            if (r < 0)
                return r;
            break;
        }
    return 0;
}

int gates_snapshot(const Gates *gates, Snapshot *snapshot, usec_t now)
{
    usec_t realtime = clock_realtime();

    assert(!snapshot->pauses);
    if (gates->n_items == 0)
        return 0;
    snapshot->pauses = calloc(gates->n_items, sizeof(*snapshot->pauses));
    if (!snapshot->pauses)
        return -ENOMEM;
    for (size_t i = 0; i < gates->n_items; i++) {
        const Gate *gate = gates->items[i];
        Pause *pause = &snapshot->pauses[snapshot->n_pauses];

        if (!gate->is_paused)
            continue;
        *pause = (Pause){
            .account = strdup(gate->account->name),
            .attempts = gate->attempts,
            .delay = gate->delay,
            .retry = gate->until > now ? clock_add(realtime, gate->until - now) : realtime,
            .problem = gate->problem ? strdup(gate->problem) : NULL,
            .trouble = gate->trouble,
            .since = gate->since,
        };
        snapshot->n_pauses++;
        if (!pause->account || (gate->problem && !pause->problem))
            return -ENOMEM;
    }
    return 0;
}

bool gate_pause(Gate *gate, Trouble trouble, const char *problem, usec_t retry_after, usec_t now)
{
    bool is_news = !gate->is_paused || gate->is_restored || !gate->problem || !problem ||
                   strcmp(gate->problem, problem) != 0;
    bool is_pausing = gate->is_paused && gate->until > now;

    /* Answers to what was under way when it was paused are no tries of their own. */
    if (!is_pausing) {
        gate->attempts++;
        gate->delay = backoff_next(gate->delay, digest_random());
        gate->until = clock_add(now, gate->delay);
    }
    if (!gate->is_paused || gate->trouble != trouble)
        gate->since = clock_realtime();
    gate->trouble = trouble;
    gate->is_paused = true;
    gate->is_restored = false;
    if (gate->until < clock_add(now, retry_after)) {
        gate->delay = retry_after;
        gate->until = clock_add(now, retry_after);
    }
    if (is_news) {
        free(gate->problem);
        gate->problem = problem ? strdup(problem) : NULL;
    }
    return is_news;
}

bool gate_open(Gate *gate)
{
    bool was_paused = gate->is_paused;

    gate->is_paused = false;
    gate->is_restored = false;
    gate->trouble = TROUBLE_NONE;
    gate->attempts = 0;
    gate->delay = 0;
    gate->until = 0;
    free(gate->problem);
    gate->problem = NULL;
    return was_paused;
}

void gate_probe(Gate *gate, usec_t now)
{
    if (gate->is_paused && gate->until > now)
        gate->until = now;
}

int gate_look_up_next(Gate *gate, Engine *engine, const char *owner, usec_t timeout,
                      EngineHandler handler)
{
    PlatformQuestion question = {
        .method = PLATFORM_LIST,
        .account = gate->account,
        .owner = owner,
        .page = gate->page,
        .timeout = timeout,
    };

    assert(!gate->task);
    return engine_ask(engine, &question, NULL, handler, gate, &gate->task);
}

/* From the first page on. */
static void gate_begin_pass(Gate *gate)
{
    gate_drop_rows(gate);
    free(gate->page);
    gate->page = NULL;
    gate->n_pages = 0;
    gate->last_fingerprint = gate->fingerprint;
    gate->fingerprint = 0;
}

int gate_look_up(Gate *gate, Engine *engine, const char *owner, usec_t timeout,
                 EngineHandler handler, usec_t now)
{
    gate_begin_pass(gate);
    gate->n_passes = 0;
    gate->begin = now;
    return gate_look_up_next(gate, engine, owner, timeout, handler);
}

/* Spreads the bits of an id, so that sums of them tell sets of ids apart. Source: splitmix64, its finalizer. */
static uint64_t gate_mix(uint64_t id)
{
    id = (id ^ id >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    id = (id ^ id >> 27) * UINT64_C(0x94d049bb133111eb);
    return id ^ id >> 31;
}

/* Keeps the rows that carry our tag: the platform's own filter is not relied on. */
static int gate_take_rows(Gate *gate, PlatformAnswer *answer)
{
    PlatformInstance *rows;

    if (answer->n_instances == 0)
        return 0;
    rows = reallocarray(gate->rows, gate->n_rows + answer->n_instances, sizeof(*rows));
    if (!rows)
        return -ENOMEM;
    gate->rows = rows;
    for (size_t i = 0; i < answer->n_instances; i++) {
        gate->fingerprint += gate_mix((uint64_t)answer->instances[i].id + 1);
        if (!answer->instances[i].is_owned)
            continue;
        gate->rows[gate->n_rows++] = answer->instances[i];
        answer->instances[i] = (PlatformInstance){};
    }
    return 0;
}

/* The last page of a pass has come: is that enough? */
static GateProgress gate_end_pass(Gate *gate, PlatformAnswer *answer)
{
    bool is_confirmed = gate->n_passes > 0 && gate->fingerprint == gate->last_fingerprint;

    gate->n_passes++;
    if (gate->n_pages == 1 || is_confirmed) {
        gate->looked_up = gate->begin;
        return GATE_DONE;
    }
    if (gate->n_passes < PLATFORM_PASSES_MAX) {
        gate_begin_pass(gate);
        return GATE_MORE;
    }
    free(answer->problem);
    answer->problem = strdup("the platform's list of instances changes all the time");
    return GATE_FAILED;
}

int gate_take_page(Gate *gate, PlatformAnswer *answer, GateProgress *ret_progress)
{
    bool is_same_page;
    int r;

    gate->task = NULL; /* gone before its handler is called */
    *ret_progress = GATE_FAILED;
    if (answer->outcome != PLATFORM_DONE)
        return 0;
    r = gate_take_rows(gate, answer);
    if (r < 0)
        return r;
    is_same_page = gate->page && answer->next_page && strcmp(gate->page, answer->next_page) == 0;
    free(gate->page);
    gate->page = TAKE_PTR(answer->next_page);
    gate->n_pages++;
    if (!gate->page) {
        *ret_progress = gate_end_pass(gate, answer);
    } else if (is_same_page || gate->n_pages >= PLATFORM_PAGES_MAX ||
               gate->n_rows > INSTANCES_MAX) {
        free(answer->problem);
        answer->problem = strdup("the platform's list of instances does not end");
    } else {
        *ret_progress = GATE_MORE;
    }
    return 0;
}
