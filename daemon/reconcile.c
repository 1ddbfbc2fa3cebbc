#include "daemon/reconcile.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "daemon/remove.h"
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
    const Config *config = reconciler->registry->config;

    return config ? &config->settings : &reconciler->common->settings;
}

/* ---- facts ---- */

static bool reconciler_has_room(const Reconciler *reconciler)
{
    /* What is not declared any more but still recorded counts too: the document must not outgrow its reader. */
    return !reconciler->is_stopping && reconciler->registry->n_entries <= INSTANCES_MAX &&
           reconciler->n_begun < RECONCILE_BEGUN_FACTOR * reconciler_settings(reconciler)->parallel;
}

/* `failure` holds for the body that it was about. */
static bool entry_is_failed(const Entry *entry)
{
    return entry->record && entry->record->rare->failure && entry->want &&
           entry->record->has_digests && !entry->is_foreign &&
           digest_equal(&entry->record->body_digest, &entry->want->body_digest) &&
           digest_equal(&entry->record->labels_digest, &entry->want->labels_digest);
}

static TroubleNote entry_config_problem(const Reconciler *reconciler, const Entry *entry)
{
    const Settings *settings = reconciler_settings(reconciler);

    if (!entry->want)
        return (TroubleNote){TROUBLE_OTHER, "not declared any more", 0};
    if (entry->want->problem)
        return (TroubleNote){entry->want->trouble, entry->want->problem, 0};
    if (settings->problem)
        return (TroubleNote){settings->trouble, settings->problem, 0};
    if (!entry->gate)
        return (TroubleNote){TROUBLE_CONFIGURATION, "its account cannot be used", 0};
    return (TroubleNote){};
}

static PlanIntent entry_intent(const Entry *entry)
{
    if (!entry->record || entry->record->rare->intent == 0)
        return PLAN_INTENT_NONE;
    return entry->is_post_unsent ? PLAN_INTENT_WRITTEN : PLAN_INTENT_UNKNOWN;
}

bool reconciler_is_elsewhere(const Reconciler *reconciler, const Entry *entry)
{
    const char *owner = reconciler_settings(reconciler)->owner;
    const Record *record = entry->record;

    return record && record->rare->intent != 0 && record->rare->owner && owner &&
           strcmp(record->rare->owner, owner) != 0;
}

static usec_t reconciler_look_up_pause(const Reconciler *reconciler)
{
    usec_t pause = reconciler_settings(reconciler)->request_timeout / RECONCILE_LOOK_UPS;

    if (pause < RECONCILE_LOOK_UP_MIN)
        return RECONCILE_LOOK_UP_MIN;
    return pause > RECONCILE_LOOK_UP_MAX ? RECONCILE_LOOK_UP_MAX : pause;
}

/* One after the other, and whoever has been reported at once. */
static bool reconciler_has_turn(const Reconciler *reconciler, const Entry *entry, usec_t now)
{
    if (entry->is_urgent || reconciler->turn == entry)
        return true;
    return now >= reconciler->next_turn && TAILQ_EMPTY(&reconciler->turns);
}

/* Whether what was sent for `record` is not what is declared now. */
static bool entry_is_body_stale(const Entry *entry)
{
    const Record *record = entry->record;

    /* After a failure nobody knows how much of the body the platform has taken. */
    return record->rare->failure || !digest_equal(&record->body_digest, &entry->want->body_digest);
}

static bool entry_is_labels_stale(const Entry *entry)
{
    return !digest_equal(&entry->record->labels_digest, &entry->want->labels_digest);
}

static PlanFacts reconciler_gather(const Reconciler *reconciler, const Entry *entry, usec_t now)
{
    const Record *record = entry->record;
    const Gate *gate = entry->gate;
    bool is_described = record && record->has_digests && entry->want && entry->want->has_body;

    return (PlanFacts){
        .now = now,
        .is_declared = entry->want != NULL,
        .is_removal_held = reconciler->registry->is_removal_held,
        .is_body_stale = is_described && entry_is_body_stale(entry),
        .is_labels_stale = is_described && entry_is_labels_stale(entry),
        .is_intent_stale = is_described && (entry->is_foreign || entry_is_body_stale(entry) ||
                                            entry_is_labels_stale(entry)),
        .is_broken = entry_config_problem(reconciler, entry).words != NULL,
        .has_token = record && record->token && !entry->is_foreign,
        .is_doubted = entry->is_doubted,
        .is_disabled = record && record->is_disabled && !entry->is_foreign,
        .is_failed = entry_is_failed(entry),
        .is_durable = registry_is_durable(reconciler->registry, entry),
        .is_served = record && secret_equal(record->token, entry->served.token),
        .is_serving = entry->served.token != NULL,
        .intent = entry_intent(entry),
        .is_intent_elsewhere = reconciler_is_elsewhere(reconciler, entry),
        .intent_until = entry->work->intent_until,
        .retry = entry->retry,
        .verify = entry->verify,
        .busy = entry->busy,
        .has_room = reconciler_has_room(reconciler),
        .has_turn = reconciler_has_turn(reconciler, entry, now),
        .is_store_well = !reconciler->store_problem,
        .wanted = entry->wanted,
        .has_account = gate != NULL,
        .is_paused = gate && gate->is_paused,
        .paused_until = gate ? gate->until : 0,
        .is_looking_up = gate && gate->task,
        .looked_up = gate ? gate->looked_up : 0,
        .look_up_pause = reconciler_look_up_pause(reconciler),
        .is_found = entry->work->is_found,
        .is_found_usable = entry->work->found.id != 0 && entry->work->found.token,
    };
}

/* ---- showing ---- */

/* What is wrong with it alone. */
static TroubleNote entry_problem(const Entry *entry)
{
    const Record *record = entry->record;

    /* What an earlier version has recorded was refused by the platform, of whatever kind it was. */
    if (entry_is_failed(entry))
        return (TroubleNote){record->rare->failure_trouble ? record->rare->failure_trouble
                                                           : TROUBLE_REFUSED,
                             record->rare->failure, record->rare->failed};
    if (entry->work->problem)
        return (TroubleNote){entry->work->trouble, entry->work->problem, entry->work->troubled};
    if (record && record->is_disabled && !entry->is_foreign)
        return (TroubleNote){TROUBLE_DISABLED, "the platform has disabled it", 0};
    return (TroubleNote){TROUBLE_DUPLICATES, entry->work->duplicates, 0};
}

static TroubleNote reconciler_problem(const Reconciler *reconciler, const Entry *entry,
                                      PlanProblem problem)
{
    const Gate *gate = entry->gate;

    switch (problem) {
    case PLAN_PROBLEM_NONE:
        return (TroubleNote){};
    case PLAN_PROBLEM_CONFIG:
        return entry_config_problem(reconciler, entry);
    case PLAN_PROBLEM_INSTANCE:
        return entry_problem(entry);
    case PLAN_PROBLEM_ACCOUNT:
        return (TroubleNote){gate->trouble, gate->problem, gate->since};
    case PLAN_PROBLEM_STORE:
        return (TroubleNote){reconciler->store_trouble, reconciler->store_problem,
                             reconciler->store_since};
    case PLAN_PROBLEM_OWNER:
        return (TroubleNote){
            TROUBLE_OWNER_CHANGED,
            "it was being created under another \"owner\", and what became of that is not known: set "
            "\"owner\" back until it is; or look on the platform for an instance with the tag of "
            "that owner, and retry (elementctl retry) when there is none",
            0};
    case PLAN_PROBLEM_UNUSABLE:
        return (TroubleNote){
            TROUBLE_UNUSABLE,
            "the platform has an instance with our tag for it, but shows no id or token that can "
            "be used, or it is of another element",
            0};
    }
    assert(false);
    return (TroubleNote){};
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
    log_full(LOG_ERR, &fields, "%s until its configuration changes: %s",
             entry->served.token ? "stays on the platform as it is" : "cannot be provisioned",
             problem ? problem : "unknown");
}

static void reconciler_show(Reconciler *reconciler, Entry *entry, const Plan *plan, usec_t now)
{
    ServedState before = entry->served.state;
    TroubleNote problem = reconciler_problem(reconciler, entry, plan->problem);

    if (!registry_publish(entry, plan, &problem, now))
        return;
    if (before != plan->state)
        reconciler_log(entry, before, plan, problem.words);
    if (entry->want)
        reconciler->operations->changed(reconciler->userdata, entry);
}

/* ---- the one place where everything ends ---- */

/* `entry`, or without one something else, is to be looked at again. */
static void reconciler_due(Reconciler *reconciler, Entry *entry, usec_t due)
{
    if (entry)
        entry->due = due;
    if (due < reconciler->due) {
        reconciler->due = due;
        reconciler->operations->wake(reconciler->userdata);
    }
}

/* Counts the creations that are begun; where one has ended, another may begin at the next tick. */
static void reconciler_account_room(Reconciler *reconciler, Entry *entry)
{
    /* While its account is paused, a creation that has not gone out may have to wait for days. */
    bool is_held = entry->is_over || (entry->gate && entry->gate->is_paused);
    bool is_begun = entry->busy == PLAN_BUSY_CREATING || (entry->is_post_unsent && !is_held);

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

/* What happens to the instance when its file goes is known by the record alone, at the next start. */
static void reconciler_note_removal(Reconciler *reconciler, Entry *entry)
{
    bool is_doomed;
    Record *record;

    if (!entry->want || !entry->record || entry->want->problem)
        return;
    /* What the file was about before, it can only spare. */
    is_doomed = entry->want->on_remove == INSTANCE_DELETE &&
                (entry->record->is_doomed || !entry->is_foreign);
    /* Without memory it is noted when the entry is looked at again. */
    if (entry->record->is_doomed == is_doomed || record_copy(entry->record, &record) < 0)
        return;
    record->is_doomed = is_doomed;
    reconciler_put(reconciler, entry, record, true);
}

static struct EntryQueue *reconciler_line(Reconciler *reconciler, EntryLine line)
{
    assert(line != ENTRY_IN_NO_LINE);
    return line == ENTRY_WAITS_FOR_ROOM ? &reconciler->waiting : &reconciler->turns;
}

static void reconciler_unqueue(Reconciler *reconciler, Entry *entry)
{
    if (entry->line == ENTRY_IN_NO_LINE)
        return;
    TAILQ_REMOVE(reconciler_line(reconciler, entry->line), entry, line_link);
    entry->line = ENTRY_IN_NO_LINE;
}

static void reconciler_queue(Reconciler *reconciler, Entry *entry, const Plan *plan)
{
    EntryLine line = plan->is_waiting_for_room   ? ENTRY_WAITS_FOR_ROOM
                     : plan->is_waiting_for_turn ? ENTRY_WAITS_FOR_TURN
                                                 : ENTRY_IN_NO_LINE;

    /* Who does not wait any more leaves when it is his turn. */
    if (line == ENTRY_IN_NO_LINE || line == entry->line)
        return;
    reconciler_unqueue(reconciler, entry);
    TAILQ_INSERT_TAIL(reconciler_line(reconciler, line), entry, line_link);
    entry->line = line;
    if (line == ENTRY_WAITS_FOR_TURN)
        reconciler_due(reconciler, NULL, reconciler->next_turn);
}

/* Verifications begin at twice the rate that keeps all of them up to date, and no faster. */
static void reconciler_take_turn(Reconciler *reconciler, Entry *entry, usec_t now)
{
    size_t n = reconciler->registry->n_declared;
    usec_t pace = reconciler_settings(reconciler)->verify_interval / (2 * (n > 0 ? n : 1));

    if (!entry->is_urgent)
        reconciler->next_turn = clock_add(now, pace < VERIFY_PACE_USEC ? pace : VERIFY_PACE_USEC);
    entry->is_urgent = false;
}

void reconciler_entry(Reconciler *reconciler, Entry *entry)
{
    usec_t now = clock_boottime();
    PlanFacts facts;
    Plan plan;

    if (entry->is_over)
        return;
    reconciler_note_removal(reconciler, entry);
    /* Each step changes the facts that led to it, so this ends; the ceiling is for the day on which that is not so. */
    for (unsigned i = 0; i < 8; i++) {
        reconciler_account_room(reconciler, entry);
        facts = reconciler_gather(reconciler, entry, now);
        plan = plan_next(&facts);
        if (plan.step == PLAN_REST || reconciler->is_stopping)
            break;
        reconciler_show(reconciler, entry, &plan, now);
        if (plan.step == PLAN_VERIFY)
            reconciler_take_turn(reconciler, entry, now);
        steps_carry_out(reconciler, entry, plan.step, now);
        if (entry->is_over)
            return;
    }
    reconciler_account_room(reconciler, entry);
    if (plan.step != PLAN_REST)
        plan.due = clock_add(now, RETRY_MIN_USEC);
    reconciler_show(reconciler, entry, &plan, now);
    reconciler_due(reconciler, entry, plan.due);
    reconciler_queue(reconciler, entry, &plan);
    entry_rest(entry, now);
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
        reconciler_unqueue(reconciler, next);
        reconciler_entry(reconciler, next);
    }
}

/* Likewise with turns; who does not verify after all costs none. */
static void reconciler_give_turns(Reconciler *reconciler, usec_t now)
{
    while (now >= reconciler->next_turn && (reconciler->turn = TAILQ_FIRST(&reconciler->turns))) {
        reconciler_unqueue(reconciler, reconciler->turn);
        reconciler_entry(reconciler, reconciler->turn);
    }
    reconciler->turn = NULL;
}

/* Entries that are over go where nobody holds on to them. */
static void reconciler_reap(Reconciler *reconciler)
{
    if (!reconciler->has_ended)
        return;
    reconciler->has_ended = false;
    registry_reap(reconciler->registry);
}

void reconciler_tick(Reconciler *reconciler)
{
    Registry *registry = reconciler->registry;
    usec_t now = clock_boottime(), due;

    reconciler->due = USEC_INFINITY;
    for (size_t i = 0; i < registry->n_entries; i++)
        if (registry->entries[i]->due <= now)
            reconciler_entry(reconciler, registry->entries[i]);
    reconciler_fill_room(reconciler);
    reconciler_give_turns(reconciler, now);
    due = remove_tick(reconciler, now);
    reconciler_reap(reconciler);
    for (size_t i = 0; i < registry->n_entries; i++)
        if (registry->entries[i]->due < due)
            due = registry->entries[i]->due;
    if (!TAILQ_EMPTY(&reconciler->turns) && reconciler->next_turn < due)
        due = reconciler->next_turn;
    reconciler->due = due;
}

/* ---- what is declared ---- */

void reconciler_cancel(Entry *entry)
{
    if (entry->work->task)
        entry->work->task = engine_task_free(entry->work->task);
    entry->busy = PLAN_BUSY_NO;
}

void reconciler_end(Reconciler *reconciler, Entry *entry)
{
    reconciler_unqueue(reconciler, entry);
    entry->is_over = true;
    reconciler_account_room(reconciler, entry);
    reconciler->has_ended = true;
    reconciler->operations->wake(reconciler->userdata);
}

/* What was asked for something else than is declared now, and can be left: it has no effect, or has not been sent. */
static void reconciler_let_go(Entry *entry, bool is_elsewhere)
{
    if (entry->change == ENTRY_SAME && !is_elsewhere)
        return;
    if (entry->busy == PLAN_BUSY_VERIFYING ||
        (entry->busy == PLAN_BUSY_CREATING && entry->is_post_unsent) ||
        (entry->busy == PLAN_BUSY_UPDATING && !engine_task_is_started(entry->work->task)))
        reconciler_cancel(entry);
}

int reconciler_apply(Reconciler *reconciler, Config *config)
{
    Registry *registry = reconciler->registry;
    Orphans *orphans = &registry->orphans;
    usec_t now = clock_boottime();
    int r;

    r = registry_apply(registry, config, reconciler->gates, now);
    if (r < 0)
        return r;
    for (size_t i = 0; i < registry->n_entries; i++) {
        Entry *entry = registry->entries[i];

        reconciler_let_go(entry, entry->work->sent_epoch != entry->epoch);
    }
    /* By which secrets they were asked for is not known any more, and asking twice does no harm. */
    for (size_t i = 0; i < orphans->n_items; i++)
        orphans->items[i]->task = engine_task_free(orphans->items[i]->task);
    engine_set_parallel(reconciler->engine, config->settings.parallel);
    return 0;
}

void reconciler_report(Reconciler *reconciler, Entry *entry, const char *token, size_t size)
{
    usec_t now = clock_boottime(), next = clock_add(entry->work->reported, REPORT_PAUSE_USEC);
    bool is_due = entry->work->reported == 0 || now >= next;

    /* Of an old token all is known already, and one verification at a time is enough. */
    if (!secret_equal_bytes(entry->served.token, token, size) || entry->busy != PLAN_BUSY_NO)
        return;
    if (is_due && entry_work(entry)) {
        LogFields fields = registry_log_fields(entry, MESSAGE_TOKEN_REJECTED);

        log_full(LOG_NOTICE, &fields,
                 "a program says that its token was refused: it is verified now");
        entry->work->reported = now;
        entry->is_urgent = true;
        next = now;
    }
    if (entry->verify > next)
        entry->verify = next;
    /* What is due sooner stays so: another report may come before the first has been seen to. */
    if (entry->due > next)
        reconciler_due(reconciler, entry, next);
}

void reconciler_retry(Reconciler *reconciler, Entry *entry)
{
    usec_t now = clock_boottime();
    bool is_elsewhere = reconciler_is_elsewhere(reconciler, entry);
    _cleanup_(record_unrefp) Record *record = NULL;

    if (entry->record && (entry->record->rare->failure || entry->record->rare->retry != 0 ||
                          entry->record->rare->delay != 0 || is_elsewhere)) {
        if (record_copy(entry->record, &record) < 0)
            return;
        /* What was refused has not reached the platform: it differs from what is declared. */
        if (record->rare->failure && record->token)
            record->body_digest = (Digest){};
        (void)record_set_failure(record, TROUBLE_NONE, NULL);
        record->rare->retry = 0;
        record->rare->delay = 0;
        /* A person says that there is none. */
        if (is_elsewhere) {
            record->rare->intent = 0;
            shared_replace(&record->rare->owner, NULL);
        }
        reconciler_put(reconciler, entry, TAKE_PTR(record), true);
    }
    entry_set_problem(entry, TROUBLE_NONE, NULL);
    entry->retry = 0;
    entry->verify = now;
    entry->is_urgent = true;
    entry->wanted = now;
    if (entry->gate)
        gate_probe(entry->gate, now);
    reconciler_due(reconciler, entry, now);
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

    if (gate_pause(gate, answer->trouble, answer->problem, answer->retry_after, now))
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

void reconciler_committed(Reconciler *reconciler, uint64_t before, int error)
{
    bool was_well = !reconciler->store_problem;

    free(reconciler->store_problem);
    reconciler->store_problem = NULL;
    reconciler->store_trouble = error < 0 ? trouble_of_disk(error) : TROUBLE_NONE;
    reconciler->store_retry = clock_add(clock_boottime(), STORE_RETRY_USEC);
    if (was_well)
        reconciler->store_since = clock_realtime();
    if (error < 0 && asprintf(&reconciler->store_problem,
                              "the records cannot be written (%s), so nothing new is created",
                              error_text(error)) < 0)
        reconciler->store_problem = NULL;
    if (!was_well || error < 0) {
        reconciler_all(reconciler);
        return;
    }
    for (size_t i = 0; i < reconciler->registry->n_entries; i++)
        if (reconciler->registry->entries[i]->generation > before)
            reconciler_entry(reconciler, reconciler->registry->entries[i]);
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
    TAILQ_INIT(&reconciler->turns);
}

/* Look-ups and removals. */
static void reconciler_cancel_shared(Reconciler *reconciler)
{
    Orphans *orphans = &reconciler->registry->orphans;

    for (size_t i = 0; i < reconciler->gates->n_items; i++)
        reconciler->gates->items[i]->task = engine_task_free(reconciler->gates->items[i]->task);
    for (size_t i = 0; i < orphans->n_items; i++)
        orphans->items[i]->task = engine_task_free(orphans->items[i]->task);
}

void reconciler_deinit(Reconciler *reconciler)
{
    if (!reconciler->registry)
        return;
    for (size_t i = 0; i < reconciler->registry->n_entries; i++) {
        reconciler_unqueue(reconciler, reconciler->registry->entries[i]);
        reconciler_cancel(reconciler->registry->entries[i]);
    }
    reconciler_cancel_shared(reconciler);
    free(reconciler->store_problem);
    *reconciler = (Reconciler){};
}

unsigned reconciler_stop(Reconciler *reconciler)
{
    unsigned n_sent = 0;

    reconciler->is_stopping = true;
    reconciler_cancel_shared(reconciler);
    for (size_t i = 0; i < reconciler->registry->n_entries; i++) {
        Entry *entry = reconciler->registry->entries[i];

        if (entry->busy == PLAN_BUSY_CREATING && engine_task_is_started(entry->work->task)) {
            n_sent++;
            continue;
        }
        reconciler_cancel(entry);
    }
    return n_sent;
}
