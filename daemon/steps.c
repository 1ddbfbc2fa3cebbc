#include "daemon/steps.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/backoff.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/limits.h"
#include "daemon/match.h"
#include "systemd/log.h"
#include "systemd/messages.h"

static void steps_log(int level, const Entry *entry, const char *message_id, const char *request_id,
                      const char *text)
{
    LogFields fields = registry_log_fields(entry, message_id);

    fields.request_id = request_id;
    log_full(level, &fields, "%s", text);
}

/* ---- records ---- */

/* A changeable copy of the entry's record, or a fresh one. NULL without memory. */
static Record *steps_edit(const Entry *entry)
{
    Record *record;
    int r;

    r = entry->record ? record_copy(entry->record, &record) : record_new(entry->name, &record);
    return r < 0 ? NULL : record;
}

/* Without memory nothing was done that was not written down: the entry tries again a little later. */
static void steps_retry_soon(Entry *entry)
{
    entry->retry = clock_add(clock_boottime(), RETRY_MIN_USEC);
}

static void steps_set_problem(Entry *entry, const char *problem)
{
    free(entry->problem);
    entry->problem = problem ? strdup(problem) : NULL;
}

/* A refusal is for a person: it names the platform's request, for its support. */
static void steps_set_refusal(Entry *entry, const PlatformAnswer *answer)
{
    char *words;

    if (!answer->problem || !answer->request_id ||
        asprintf(&words, "%s; request %s", answer->problem, answer->request_id) < 0) {
        steps_set_problem(entry, answer->problem);
        return;
    }
    free(entry->problem);
    entry->problem = words;
}

/* What `record` is about, from what is declared now. */
static int steps_describe(Record *record, const Entry *entry)
{
    record->has_digests = true;
    record->body_digest = entry->want->body_digest;
    record->labels_digest = entry->want->labels_digest;
    if (record_set_string(&record->account, entry->want->account_name) < 0 ||
        record_set_string(&record->url, entry->gate->account->url) < 0 ||
        record_set_string(&record->element, entry->want->element) < 0 ||
        record_set_string(&record->failure, NULL) < 0)
        return -ENOMEM;
    return 0;
}

/* Nothing is wrong any more, and nothing of the past counts. */
static void steps_settle(Entry *entry, Record *record)
{
    record->intent = 0;
    record->attempts = 0;
    record->delay = 0;
    record->retry = 0;
    entry->retry = 0;
    entry->is_post_unsent = false;
    entry->is_foreign = false;
    entry->is_doubted = false;
    steps_set_problem(entry, NULL);
}

static void steps_schedule_verify(Reconciler *reconciler, Entry *entry, usec_t now)
{
    usec_t interval = reconciler_settings(reconciler)->verify_interval;

    entry->verify = clock_add(now, backoff_jitter(interval, digest_random()));
}

/* ---- back-off ---- */

/* No POST is being worked on: the intent goes, and a look-up from now on decides. */
static void steps_not_created(Entry *entry, Record *record)
{
    record->intent = 0;
    entry->is_post_unsent = false;
    entry->wanted = clock_boottime();
}

/*
 * A transient problem of this instance: wait, by jitter or as long as the platform says. `is_over`: we know that
 * no POST is being worked on.
 */
static void steps_back_off(Reconciler *reconciler, Entry *entry, const PlatformAnswer *answer,
                           bool is_over)
{
    /* A verification that has to wait is not worth a commit of its own. */
    bool is_urgent = is_over;
    usec_t now = clock_boottime();
    Record *record = steps_edit(entry);
    char *words;

    if (!record) {
        steps_retry_soon(entry);
        return;
    }
    record->delay = backoff_next(record->delay, digest_random());
    if (record->delay < answer->retry_after)
        record->delay = answer->retry_after;
    record->retry = clock_add(clock_realtime(), record->delay);
    record->attempts++;
    entry->retry = clock_add(now, record->delay);
    if (is_over)
        steps_not_created(entry, record);
    if (answer->problem && (!entry->problem || strcmp(entry->problem, answer->problem) != 0) &&
        asprintf(&words, "%s; next try in %" PRIu64 " s", answer->problem,
                 (record->delay + USEC_PER_SEC - 1) / USEC_PER_SEC) >= 0) {
        steps_log(LOG_WARNING, entry, MESSAGE_INSTANCE_WAITING, answer->request_id, words);
        free(words);
    }
    steps_set_problem(entry, answer->problem);
    reconciler_put(reconciler, entry, record, is_urgent);
}

/* ---- look up ---- */

/* For an error of ours (negative), else for what the platform has said. */
static void steps_pause(Reconciler *reconciler, Gate *gate, int error, const PlatformAnswer *answer)
{
    const PlatformAnswer own = {.problem = (char *)error_text(error)};

    reconciler_pause(reconciler, gate, error < 0 ? &own : answer);
}

static void steps_on_page(void *userdata, void *subject, PlatformAnswer *answer)
{
    Reconciler *reconciler = userdata;
    Gate *gate = subject;
    const Settings *settings = reconciler_settings(reconciler);
    GateProgress progress;
    int r;

    r = gate_take_page(gate, answer, &progress);
    if (r == 0 && progress == GATE_MORE)
        r = gate_look_up_next(gate, reconciler->engine, settings->owner, settings->request_timeout,
                              steps_on_page);
    if (r < 0 || progress == GATE_FAILED) {
        steps_pause(reconciler, gate, r, answer);
    } else if (progress == GATE_DONE) {
        reconciler_open(reconciler, gate);
        match_rows(reconciler->registry, gate);
    } else {
        return;
    }
    reconciler_gate(reconciler, gate);
}

static void steps_look_up(Reconciler *reconciler, Entry *entry, usec_t now)
{
    const Settings *settings = reconciler_settings(reconciler);
    int r;

    r = gate_look_up(entry->gate, reconciler->engine, settings->owner, settings->request_timeout,
                     steps_on_page, now);
    if (r < 0)
        steps_pause(reconciler, entry->gate, r, NULL);
}

/* ---- adopt ---- */

static void steps_adopt(Reconciler *reconciler, Entry *entry, usec_t now)
{
    _cleanup_(record_unrefp) Record *record = steps_edit(entry);
    char words[96];

    /* An intent has said what the body was that may have made it. */
    if (!record || ((record->intent == 0 || !record->has_digests || entry->is_foreign) &&
                    steps_describe(record, entry) < 0)) {
        steps_retry_soon(entry);
        return;
    }
    record->id = entry->found.id;
    secret_unref(record->token);
    record->token = secret_ref(entry->found.token);
    record->is_disabled = entry->found.is_disabled;
    record->verified = clock_realtime();
    steps_settle(entry, record);
    steps_schedule_verify(reconciler, entry, now);
    (void)snprintf(words, sizeof(words),
                   "found on the platform as instance %" PRId64 ", taken over", record->id);
    steps_log(LOG_NOTICE, entry, MESSAGE_TOKEN_OBTAINED, NULL, words);
    reconciler_put(reconciler, entry, TAKE_PTR(record), true);
    platform_instance_deinit(&entry->found);
    entry->is_found = false;
}

/* ---- intend and create ---- */

static void steps_intend(Reconciler *reconciler, Entry *entry)
{
    _cleanup_(record_unrefp) Record *record = steps_edit(entry);

    if (!record || steps_describe(record, entry) < 0) {
        steps_retry_soon(entry);
        return;
    }
    if (entry->is_foreign && record->id != 0)
        record->replaced_id = record->id;
    /* The platform has said that the instance is not there: neither is its token. */
    record->token = secret_unref(record->token);
    record->id = 0;
    record->verified = 0;
    record->is_disabled = false;
    record->intent = clock_realtime();
    entry->is_doubted = false;
    entry->is_foreign = false;
    entry->is_post_unsent = true;
    reconciler_put(reconciler, entry, TAKE_PTR(record), true);
}

static void steps_created(Reconciler *reconciler, Entry *entry, PlatformAnswer *answer)
{
    usec_t now = clock_boottime();
    PlatformInstance *instance = answer->instances;
    Record *record = steps_edit(entry);
    char words[96];

    if (!record) {
        /* The look-up will find it. */
        entry->wanted = now;
        steps_retry_soon(entry);
        return;
    }
    record->id = instance->id;
    secret_unref(record->token);
    record->token = TAKE_PTR(instance->token);
    record->is_disabled = instance->is_disabled;
    record->verified = answer->is_unconfirmed ? 0 : clock_realtime();
    steps_settle(entry, record);
    steps_schedule_verify(reconciler, entry, now);
    if (answer->is_unconfirmed)
        entry->verify = now;
    (void)snprintf(words, sizeof(words), "created on the platform as instance %" PRId64 "%s",
                   record->id, answer->is_unconfirmed ? " (its answer was broken: verifying)" : "");
    steps_log(LOG_NOTICE, entry, MESSAGE_TOKEN_OBTAINED, NULL, words);
    reconciler_put(reconciler, entry, record, true);
}

/* What became of the POST is not known, and the platform may go on with it for as long as a request may take. */
static void steps_lost(Reconciler *reconciler, Entry *entry, const PlatformAnswer *answer)
{
    usec_t now = clock_boottime(), wait = reconciler->registry->work_time;
    Record *record = steps_edit(entry);

    if (record) {
        record->delay = backoff_next(record->delay, digest_random());
        if (wait < record->delay)
            wait = record->delay;
    }
    if (wait < answer->retry_after)
        wait = answer->retry_after;
    entry->intent_until = clock_add(now, wait);
    entry->wanted = now;
    steps_set_problem(entry, answer->problem);
    steps_log(LOG_WARNING, entry, MESSAGE_INSTANCE_UNKNOWN, answer->request_id,
              answer->problem ? answer->problem : "the outcome of its creation is unknown");
    if (!record)
        return; /* the intent stands in the record that there is */
    record->attempts++;
    reconciler_put(reconciler, entry, record, true);
}

static void steps_fail(Reconciler *reconciler, Entry *entry, const char *problem)
{
    Record *record = steps_edit(entry);

    entry->is_foreign = false;
    if (!record || steps_describe(record, entry) < 0 ||
        record_set_string(&record->failure, problem ? problem : "refused by the platform") < 0) {
        record_unref(record);
        steps_retry_soon(entry);
        return;
    }
    steps_not_created(entry, record);
    record->attempts++;
    reconciler_put(reconciler, entry, record, true);
}

static void steps_on_explained(void *userdata, void *subject, PlatformAnswer *answer)
{
    Reconciler *reconciler = userdata;
    Entry *entry = subject;
    _cleanup_(freep) char *missing = NULL;
    _cleanup_(freep) char *problem = NULL;

    entry->task = NULL;
    entry->busy = PLAN_BUSY_NO;
    if (answer->outcome == PLATFORM_DONE &&
        platform_find_missing(answer->required, entry->want->body, &missing) == 0 && missing &&
        asprintf(&problem, "%s; missing in \"configuration\": %s",
                 entry->problem ? entry->problem : "refused", missing) < 0)
        problem = NULL;
    steps_fail(reconciler, entry, problem ? problem : entry->problem);
    reconciler_entry(reconciler, entry);
}

/* A refused creation: before it is called failed, the platform is asked which keys the element requires. */
static void steps_explain(Reconciler *reconciler, Entry *entry, const PlatformAnswer *answer)
{
    PlatformQuestion question = {
        .method = PLATFORM_EXPLAIN,
        .account = entry->gate->account,
        .body = entry->want->body,
        .element = entry->want->element,
        .timeout = reconciler_settings(reconciler)->request_timeout,
    };

    steps_set_refusal(entry, answer);
    if (!reconciler->is_stopping && engine_ask(reconciler->engine, &question, NULL,
                                               steps_on_explained, entry, &entry->task) == 0)
        entry->busy = PLAN_BUSY_CREATING;
    else
        steps_fail(reconciler, entry, entry->problem);
}

/* Creations of a paused account that have not gone out yet do not. */
static void steps_call_back(Reconciler *reconciler, const Gate *gate)
{
    for (size_t i = 0; i < reconciler->registry->n_entries; i++) {
        Entry *entry = reconciler->registry->entries[i];

        if (entry->gate != gate || entry->busy != PLAN_BUSY_CREATING || !entry->is_post_unsent)
            continue;
        entry->task = engine_task_free(entry->task);
        entry->busy = PLAN_BUSY_NO;
    }
}

/* Not this instance's problem, but its account's. */
static void steps_unauthorized(Reconciler *reconciler, Entry *entry, const PlatformAnswer *answer)
{
    Record *record = steps_edit(entry);

    if (record) {
        steps_not_created(entry, record);
        reconciler_put(reconciler, entry, record, true);
    }
    reconciler_pause(reconciler, entry->gate, answer);
    steps_call_back(reconciler, entry->gate);
}

static void steps_on_created(void *userdata, void *subject, PlatformAnswer *answer)
{
    Reconciler *reconciler = userdata;
    Entry *entry = subject;

    entry->task = NULL;
    entry->busy = PLAN_BUSY_NO;
    switch (answer->outcome) {
    case PLATFORM_DONE:
        steps_created(reconciler, entry, answer);
        break;
    case PLATFORM_ABSENT: /* platform_read() gives none for a creation */
    case PLATFORM_REFUSED:
        steps_explain(reconciler, entry, answer);
        break;
    case PLATFORM_FORBIDDEN:
        steps_set_refusal(entry, answer);
        steps_fail(reconciler, entry, entry->problem);
        break;
    case PLATFORM_UNAUTHORIZED:
        steps_unauthorized(reconciler, entry, answer);
        break;
    case PLATFORM_BUSY:
        steps_back_off(reconciler, entry, answer, true);
        break;
    case PLATFORM_UNKNOWN:
        steps_lost(reconciler, entry, answer);
        break;
    }
    reconciler_entry(reconciler, entry);
    if (answer->outcome == PLATFORM_UNAUTHORIZED)
        reconciler_gate(reconciler, entry->gate);
}

/* From here on a POST may have gone out. */
static void steps_on_creation_started(void *userdata, void *subject)
{
    Entry *entry = subject;

    (void)userdata;
    entry->is_post_unsent = false;
}

static void steps_create(Reconciler *reconciler, Entry *entry)
{
    PlatformQuestion question = {
        .method = PLATFORM_CREATE,
        .account = entry->gate->account,
        .owner = reconciler_settings(reconciler)->owner,
        .body = entry->want->body,
        .timeout = reconciler_settings(reconciler)->request_timeout,
    };

    if (engine_ask(reconciler->engine, &question, steps_on_creation_started, steps_on_created,
                   entry, &entry->task) < 0)
        steps_retry_soon(entry);
    else
        entry->busy = PLAN_BUSY_CREATING;
}

/* ---- verify ---- */

static void steps_verified(Reconciler *reconciler, Entry *entry, PlatformAnswer *answer)
{
    PlatformInstance *instance = answer->instances;
    Record *record = steps_edit(entry);
    bool is_changed, is_urgent;

    if (!record) {
        steps_retry_soon(entry);
        return;
    }
    is_changed = !secret_equal(record->token, instance->token);
    is_urgent = is_changed || record->is_disabled != instance->is_disabled || record->attempts > 0;
    if (is_changed)
        steps_log(LOG_NOTICE, entry, MESSAGE_TOKEN_CHANGED, NULL,
                  "the platform has another token for it now, which is taken over");
    if (instance->is_disabled && !record->is_disabled)
        steps_log(LOG_WARNING, entry, MESSAGE_INSTANCE_DISABLED, NULL,
                  "the platform has disabled it: enable it there");
    secret_unref(record->token);
    record->token = TAKE_PTR(instance->token);
    record->is_disabled = instance->is_disabled;
    record->verified = clock_realtime();
    steps_settle(entry, record);
    steps_schedule_verify(reconciler, entry, clock_boottime());
    reconciler_put(reconciler, entry, record, is_urgent);
}

static void steps_disabled(Reconciler *reconciler, Entry *entry, const PlatformAnswer *answer)
{
    Record *record = steps_edit(entry);

    if (!record) {
        steps_retry_soon(entry);
        return;
    }
    if (!record->is_disabled)
        steps_log(LOG_WARNING, entry, MESSAGE_INSTANCE_DISABLED, answer->request_id,
                  answer->problem);
    record->is_disabled = true;
    steps_set_problem(entry, answer->problem);
    steps_schedule_verify(reconciler, entry, clock_boottime());
    reconciler_put(reconciler, entry, record, true);
}

static void steps_on_verified(void *userdata, void *subject, PlatformAnswer *answer)
{
    Reconciler *reconciler = userdata;
    Entry *entry = subject;

    entry->task = NULL;
    entry->busy = PLAN_BUSY_NO;
    switch (answer->outcome) {
    case PLATFORM_DONE:
        steps_verified(reconciler, entry, answer);
        break;
    case PLATFORM_ABSENT:
        entry->is_doubted = true;
        entry->wanted = clock_boottime();
        steps_log(LOG_WARNING, entry, MESSAGE_INSTANCE_ABSENT, answer->request_id,
                  "the platform does not know it any more: looking it up, to create it again if "
                  "it is gone");
        break;
    case PLATFORM_FORBIDDEN:
        steps_disabled(reconciler, entry, answer);
        break;
    case PLATFORM_UNAUTHORIZED:
        reconciler_pause(reconciler, entry->gate, answer);
        break;
    case PLATFORM_REFUSED:
    case PLATFORM_BUSY:
    case PLATFORM_UNKNOWN:
        steps_back_off(reconciler, entry, answer, false);
        break;
    }
    reconciler_entry(reconciler, entry);
}

static void steps_verify(Reconciler *reconciler, Entry *entry)
{
    PlatformQuestion question = {
        .method = PLATFORM_READ,
        .account = entry->gate->account,
        .owner = reconciler_settings(reconciler)->owner,
        .name = entry->name,
        .id = entry->record->id,
        .token = entry->record->token,
        .timeout = reconciler_settings(reconciler)->request_timeout,
    };

    if (engine_ask(reconciler->engine, &question, NULL, steps_on_verified, entry, &entry->task) < 0)
        steps_retry_soon(entry);
    else
        entry->busy = PLAN_BUSY_VERIFYING;
}

void steps_carry_out(Reconciler *reconciler, Entry *entry, PlanStep step, usec_t now)
{
    switch (step) {
    case PLAN_REST:
        return;
    case PLAN_LOOK_UP:
        steps_look_up(reconciler, entry, now);
        return;
    case PLAN_ADOPT:
        steps_adopt(reconciler, entry, now);
        return;
    case PLAN_INTEND:
        steps_intend(reconciler, entry);
        return;
    case PLAN_CREATE:
        steps_create(reconciler, entry);
        return;
    case PLAN_VERIFY:
        steps_verify(reconciler, entry);
        return;
    }
    assert(false);
}
