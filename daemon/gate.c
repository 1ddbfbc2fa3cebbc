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

static void gate_deinit(Gate *gate)
{
    engine_task_free(gate->task);
    gate_drop_rows(gate);
    free(gate->page);
    free(gate->problem);
    *gate = (Gate){};
}

void gates_deinit(Gates *gates)
{
    for (size_t i = 0; i < gates->n_items; i++)
        gate_deinit(&gates->items[i]);
    free(gates->items);
    *gates = (Gates){};
}

/* Takes over what an earlier run had to wait for. */
static int gate_restore(Gate *gate, const Snapshot *snapshot, usec_t now)
{
    for (size_t i = 0; i < snapshot->n_pauses; i++) {
        const Pause *pause = &snapshot->pauses[i];

        if (strcmp(pause->account, gate->account->name) != 0)
            continue;
        gate->is_paused = true;
        gate->attempts = pause->attempts;
        gate->delay = pause->delay < RETRY_AFTER_MAX_USEC ? pause->delay : RETRY_AFTER_MAX_USEC;
        gate->until = clock_add(now, clock_left(pause->retry, gate->delay, clock_realtime()));
        gate->problem = strdup("paused since before the last start");
        return gate->problem ? 0 : -ENOMEM;
    }
    return 0;
}

int gates_init(Gates *gates, const Config *config, const Snapshot *snapshot, usec_t now)
{
    int r;

    *gates = (Gates){};
    if (config->n_accounts == 0)
        return 0;
    gates->items = calloc(config->n_accounts, sizeof(*gates->items));
    if (!gates->items)
        return -ENOMEM;
    for (size_t i = 0; i < config->n_accounts; i++) {
        if (config->accounts[i]->problem)
            continue;
        gates->items[gates->n_items].account = config->accounts[i];
        r = gate_restore(&gates->items[gates->n_items++], snapshot, now);
        if (r < 0) {
            gates_deinit(gates);
            return r;
        }
    }
    return 0;
}

Gate *gates_find(const Gates *gates, const Account *account)
{
    for (size_t i = 0; i < gates->n_items; i++)
        if (gates->items[i].account == account)
            return &gates->items[i];
    return NULL;
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
        const Gate *gate = &gates->items[i];
        Pause *pause = &snapshot->pauses[snapshot->n_pauses];

        if (!gate->is_paused)
            continue;
        *pause = (Pause){
            .account = strdup(gate->account->name),
            .attempts = gate->attempts,
            .delay = gate->delay,
            .retry = gate->until > now ? clock_add(realtime, gate->until - now) : realtime,
        };
        if (!pause->account)
            return -ENOMEM;
        snapshot->n_pauses++;
    }
    return 0;
}

bool gate_pause(Gate *gate, const char *problem, usec_t retry_after, usec_t now)
{
    bool is_news = !gate->is_paused || !gate->problem || !problem ||
                   strcmp(gate->problem, problem) != 0;
    bool is_pausing = gate->is_paused && gate->until > now;

    /* Answers to what was under way when it was paused are no tries of their own. */
    if (!is_pausing) {
        gate->attempts++;
        gate->delay = backoff_next(gate->delay, digest_random());
        gate->until = clock_add(now, gate->delay);
    }
    gate->is_paused = true;
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
    gate->attempts = 0;
    gate->delay = 0;
    gate->until = 0;
    free(gate->problem);
    gate->problem = NULL;
    return was_paused;
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

int gate_look_up(Gate *gate, Engine *engine, const char *owner, usec_t timeout,
                 EngineHandler handler, usec_t now)
{
    gate_drop_rows(gate);
    free(gate->page);
    gate->page = NULL;
    gate->n_pages = 0;
    gate->begin = now;
    return gate_look_up_next(gate, engine, owner, timeout, handler);
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
        if (!answer->instances[i].is_owned)
            continue;
        gate->rows[gate->n_rows++] = answer->instances[i];
        answer->instances[i] = (PlatformInstance){};
    }
    return 0;
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
        gate->looked_up = gate->begin;
        *ret_progress = GATE_DONE;
    } else if (is_same_page || gate->n_pages >= PLATFORM_PAGES_MAX ||
               gate->n_rows > INSTANCES_MAX) {
        free(answer->problem);
        answer->problem = strdup("the platform's list of instances does not end");
    } else {
        *ret_progress = GATE_MORE;
    }
    return 0;
}
