#include "daemon/reconcile.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "daemon/steps.h"
#include "systemd/log.h"
#include "systemd/messages.h"

/* Look-ups for a POST whose outcome is unknown: this many within request-timeout, but no closer and no rarer than this. */
#define RECONCILE_LOOK_UPS    8
#define RECONCILE_LOOK_UP_MIN (1 * USEC_PER_SEC)
#define RECONCILE_LOOK_UP_MAX (15 * USEC_PER_SEC)

/*
 * Creations that may be begun, as a multiple of those that can be in flight: the intents of the next ones become
 * durable while the platform works on these, and a crash leaves no more than that to be looked up.
 */
#define RECONCILE_BEGUN_FACTOR 2

const Settings *reconciler_settings(const Reconciler *reconciler)
{
    return &reconciler->registry->config->settings;
}

/* ---- facts ---- */

static bool reconciler_has_room(const Reconciler *reconciler)
{
    return !reconciler->is_stopping &&
           reconciler->n_begun < RECONCILE_BEGUN_FACTOR * reconciler_settings(reconciler)->parallel;
}

/* `failure` holds for the body that it was about. */
static bool entry_is_failed(const Entry *entry)
{
    return entry->record && entry->record->failure && entry->want && entry->record->has_digests &&
           !entry->is_foreign &&
           digest_equal(&entry->record->body_digest, &entry->want->body_digest) &&
           digest_equal(&entry->record->labels_digest, &entry->want->labels_digest);
}

static const char *entry_config_problem(const Reconciler *reconciler, const Entry *entry)
{
    const Settings *settings = reconciler_settings(reconciler);

    if (!entry->want)
        return "not declared any more";
    if (entry->want->problem)
        return entry->want->problem;
    if (settings->problem)
        return settings->problem;
    if (!entry->gate)
        return "its account cannot be used";
    return NULL;
}

static PlanIntent entry_intent(const Entry *entry)
{
    if (!entry->record || entry->record->intent == 0)
        return PLAN_INTENT_NONE;
    return entry->is_post_unsent ? PLAN_INTENT_WRITTEN : PLAN_INTENT_UNKNOWN;
}

static usec_t reconciler_look_up_pause(const Reconciler *reconciler)
{
    usec_t pause = reconciler_settings(reconciler)->request_timeout / RECONCILE_LOOK_UPS;

    if (pause < RECONCILE_LOOK_UP_MIN)
        return RECONCILE_LOOK_UP_MIN;
    return pause > RECONCILE_LOOK_UP_MAX ? RECONCILE_LOOK_UP_MAX : pause;
}

static PlanFacts reconciler_gather(const Reconciler *reconciler, const Entry *entry, usec_t now)
{
    const Record *record = entry->record;
    const Gate *gate = entry->gate;

    return (PlanFacts){
        .now = now,
        .is_broken = entry_config_problem(reconciler, entry) != NULL,
        .has_token = record && record->token && !entry->is_foreign,
        .is_doubted = entry->is_doubted,
        .is_disabled = record && record->is_disabled && !entry->is_foreign,
        .is_failed = entry_is_failed(entry),
        .is_durable = registry_is_durable(reconciler->registry, entry),
        .is_served = record && secret_equal(record->token, entry->token),
        .intent = entry_intent(entry),
        .intent_until = entry->intent_until,
        .retry = entry->retry,
        .verify = entry->verify,
        .busy = entry->busy,
        .has_room = reconciler_has_room(reconciler),
        .is_store_well = !reconciler->store_problem,
        .wanted = entry->wanted,
        .is_paused = gate && gate->is_paused,
        .paused_until = gate ? gate->until : 0,
        .is_looking_up = gate && gate->task,
        .looked_up = gate ? gate->looked_up : 0,
        .look_up_pause = reconciler_look_up_pause(reconciler),
        .is_found = entry->is_found,
        .is_found_usable = entry->found.id != 0 && entry->found.token,
    };
}

/* ---- showing ---- */

static const char *reconciler_problem(const Reconciler *reconciler, const Entry *entry,
                                      PlanProblem problem)
{
    switch (problem) {
    case PLAN_PROBLEM_NONE:
        return NULL;
    case PLAN_PROBLEM_CONFIG:
        return entry_config_problem(reconciler, entry);
    case PLAN_PROBLEM_INSTANCE:
        if (entry_is_failed(entry))
            return entry->record->failure;
        return entry->problem ? entry->problem : entry->duplicates;
    case PLAN_PROBLEM_ACCOUNT:
        return entry->gate->problem;
    case PLAN_PROBLEM_STORE:
        return reconciler->store_problem;
    case PLAN_PROBLEM_UNUSABLE:
        return "the platform has an instance with our tag for it, but shows no id or token that can "
               "be used, or it is of another element";
    }
    assert(false);
    return NULL;
}

static void reconciler_log(const Entry *entry, ServedState before, const Plan *plan,
                           const char *problem)
{
    LogFields fields = registry_log_fields(entry, NULL);

    log_full(LOG_DEBUG, &fields, "%s -> %s%s%s", served_state_name(before),
             served_state_name(plan->state), problem ? ": " : "", problem ? problem : "");
    /* Problems of the configuration have been told, all of them, when it was loaded. */
    if (plan->state != SERVED_FAILED || plan->problem == PLAN_PROBLEM_CONFIG)
        return;
    fields.message_id = MESSAGE_INSTANCE_FAILED;
    log_full(LOG_ERR, &fields, "cannot be provisioned until its configuration changes: %s",
             problem ? problem : "unknown");
}

static void reconciler_show(Reconciler *reconciler, Entry *entry, const Plan *plan, usec_t now)
{
    ServedState before = entry->served.state;
    const char *problem = reconciler_problem(reconciler, entry, plan->problem);

    if (!registry_publish(entry, plan, problem, now))
        return;
    if (before != plan->state)
        reconciler_log(entry, before, plan, problem);
    if (entry->want)
        reconciler->operations->changed(reconciler->userdata, entry);
}

/* ---- the one place where everything ends ---- */

static void reconciler_due(Reconciler *reconciler, Entry *entry, usec_t due)
{
    entry->due = due;
    if (due < reconciler->due) {
        reconciler->due = due;
        reconciler->operations->wake(reconciler->userdata);
    }
}

/* Counts the creations that are begun; where one has ended, another may begin at the next tick. */
static void reconciler_account_room(Reconciler *reconciler, Entry *entry)
{
    bool is_begun = entry->is_post_unsent || entry->busy == PLAN_BUSY_CREATING;

    if (is_begun == entry->is_counted)
        return;
    entry->is_counted = is_begun;
    if (is_begun) {
        reconciler->n_begun++;
        return;
    }
    assert(reconciler->n_begun > 0);
    reconciler->n_begun--;
    if (!TAILQ_EMPTY(&reconciler->waiting))
        reconciler->operations->wake(reconciler->userdata);
}

void reconciler_entry(Reconciler *reconciler, Entry *entry)
{
    usec_t now = clock_boottime();
    PlanFacts facts;
    Plan plan;

    /* Each step changes the facts that led to it, so this ends; the ceiling is for the day on which that is not so. */
    for (unsigned i = 0; i < 8; i++) {
        reconciler_account_room(reconciler, entry);
        facts = reconciler_gather(reconciler, entry, now);
        plan = plan_next(&facts);
        if (plan.step == PLAN_REST || reconciler->is_stopping)
            break;
        reconciler_show(reconciler, entry, &plan, now);
        steps_carry_out(reconciler, entry, plan.step, now);
    }
    reconciler_account_room(reconciler, entry);
    if (plan.step != PLAN_REST)
        plan.due = clock_add(now, RETRY_MIN_USEC);
    reconciler_show(reconciler, entry, &plan, now);
    reconciler_due(reconciler, entry, plan.due);
    if (plan.state == SERVED_PENDING && !facts.has_room && !entry->is_waiting_for_room) {
        TAILQ_INSERT_TAIL(&reconciler->waiting, entry, room_link);
        entry->is_waiting_for_room = true;
    }
}

void reconciler_gate(Reconciler *reconciler, const Gate *gate)
{
    Registry *registry = reconciler->registry;

    for (size_t i = 0; i < registry->n_entries; i++)
        if (registry->entries[i]->gate == gate)
            reconciler_entry(reconciler, registry->entries[i]);
}

void reconciler_all(Reconciler *reconciler)
{
    for (size_t i = 0; i < reconciler->registry->n_entries; i++)
        reconciler_entry(reconciler, reconciler->registry->entries[i]);
}

/* Those who wait for room get it in turn, as long as there is any; who does not need it any more leaves the line. */
static void reconciler_fill_room(Reconciler *reconciler)
{
    Entry *next;

    while (reconciler_has_room(reconciler) && (next = TAILQ_FIRST(&reconciler->waiting))) {
        TAILQ_REMOVE(&reconciler->waiting, next, room_link);
        next->is_waiting_for_room = false;
        reconciler_entry(reconciler, next);
    }
}

void reconciler_tick(Reconciler *reconciler)
{
    Registry *registry = reconciler->registry;
    usec_t now = clock_boottime(), due = USEC_INFINITY;

    reconciler->due = USEC_INFINITY;
    for (size_t i = 0; i < registry->n_entries; i++)
        if (registry->entries[i]->due <= now)
            reconciler_entry(reconciler, registry->entries[i]);
    reconciler_fill_room(reconciler);
    for (size_t i = 0; i < registry->n_entries; i++)
        if (registry->entries[i]->due < due)
            due = registry->entries[i]->due;
    reconciler->due = due;
}

/* ---- what changes ---- */

void reconciler_put(Reconciler *reconciler, Entry *entry, Record *record, bool is_urgent)
{
    registry_put(reconciler->registry, entry, record, is_urgent);
    if (is_urgent)
        reconciler->operations->wake(reconciler->userdata);
}

void reconciler_pause(Reconciler *reconciler, Gate *gate, const PlatformAnswer *answer)
{
    const LogFields fields = {
        .message_id = MESSAGE_ACCOUNT_PAUSED,
        .account = gate->account->name,
        .request_id = answer->request_id,
    };
    usec_t now = clock_boottime();

    if (gate_pause(gate, answer->problem, answer->retry_after, now))
        log_full(LOG_WARNING, &fields,
                 "account %s: %s; nothing is created or changed meanwhile, tokens go on being "
                 "served; next try in %" PRIu64 " s",
                 gate->account->name, answer->problem ? answer->problem : "out of memory",
                 (gate->until - now + USEC_PER_SEC - 1) / USEC_PER_SEC);
    reconciler->registry->has_changes = true;
    reconciler->operations->wake(reconciler->userdata);
}

void reconciler_open(Reconciler *reconciler, Gate *gate)
{
    const LogFields fields = {
        .message_id = MESSAGE_ACCOUNT_OPEN,
        .account = gate->account->name,
    };

    if (!gate_open(gate))
        return;
    log_full(LOG_NOTICE, &fields, "account %s: the platform answers again", gate->account->name);
    reconciler->registry->has_changes = true;
    reconciler->operations->wake(reconciler->userdata);
}

void reconciler_committed(Reconciler *reconciler, int error)
{
    free(reconciler->store_problem);
    reconciler->store_problem = NULL;
    if (error < 0 && asprintf(&reconciler->store_problem,
                              "the records cannot be written (%s), so nothing new is created",
                              error_text(error)) < 0)
        reconciler->store_problem = NULL;
    reconciler_all(reconciler);
}

/* ---- begin and end ---- */

void reconciler_init(Reconciler *reconciler, Registry *registry, Gates *gates, Engine *engine,
                     const ReconcilerOperations *operations, void *userdata)
{
    *reconciler = (Reconciler){
        .registry = registry,
        .gates = gates,
        .engine = engine,
        .operations = operations,
        .userdata = userdata,
        .due = USEC_INFINITY,
    };
    TAILQ_INIT(&reconciler->waiting);
}

void reconciler_deinit(Reconciler *reconciler)
{
    if (!reconciler->registry)
        return;
    for (size_t i = 0; i < reconciler->registry->n_entries; i++) {
        Entry *entry = reconciler->registry->entries[i];

        entry->task = engine_task_free(entry->task);
        entry->busy = PLAN_BUSY_NO;
    }
    for (size_t i = 0; i < reconciler->gates->n_items; i++)
        reconciler->gates->items[i].task = engine_task_free(reconciler->gates->items[i].task);
    free(reconciler->store_problem);
    *reconciler = (Reconciler){};
}

unsigned reconciler_stop(Reconciler *reconciler)
{
    unsigned n_sent = 0;

    reconciler->is_stopping = true;
    for (size_t i = 0; i < reconciler->gates->n_items; i++)
        reconciler->gates->items[i].task = engine_task_free(reconciler->gates->items[i].task);
    for (size_t i = 0; i < reconciler->registry->n_entries; i++) {
        Entry *entry = reconciler->registry->entries[i];

        if (entry->busy == PLAN_BUSY_CREATING && engine_task_is_started(entry->task)) {
            n_sent++;
            continue;
        }
        entry->task = engine_task_free(entry->task);
        entry->busy = PLAN_BUSY_NO;
    }
    return n_sent;
}
