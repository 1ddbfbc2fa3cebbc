#include "daemon/keep.h"

#include "base/cleanup.h"
#include "daemon/step.h"
#include "systemd/log.h"
#include "systemd/messages.h"

/* ---- what answers of both kinds say ---- */

/* The platform has said `is_disabled`, in words that a person can act on. */
static void keep_set_disabled(Entry *entry, Record *record, bool is_disabled,
                              const char *request_id, const char *words)
{
    if (is_disabled && !record->is_disabled)
        step_log(LOG_WARNING, entry, MESSAGE_INSTANCE_DISABLED, request_id, words);
    else if (!is_disabled && record->is_disabled)
        step_log(LOG_NOTICE, entry, MESSAGE_INSTANCE_ENABLED, request_id,
                 "the platform has enabled it again");
    record->is_disabled = is_disabled;
}

static void keep_disabled(Reconciler *reconciler, Entry *entry, const PlatformAnswer *answer)
{
    Record *record = step_edit(entry);

    if (!record) {
        step_retry_soon(entry);
        return;
    }
    keep_set_disabled(entry, record, true, answer->request_id, answer->problem);
    entry_set_problem(entry, TROUBLE_DISABLED, answer->problem);
    step_schedule_verify(reconciler, entry, clock_boottime());
    reconciler_put(reconciler, entry, record, true);
}

static void keep_doubt(Entry *entry, const PlatformAnswer *answer)
{
    entry->is_doubted = true;
    entry->wanted = clock_boottime();
    step_log(
        LOG_WARNING, entry, MESSAGE_INSTANCE_ABSENT, answer->request_id,
        "the platform does not know it any more: looking it up, to create it again if it is gone");
}

/* Takes in what the answer shows of the instance. Whether it must become durable now. */
static bool keep_take_instance(Entry *entry, Record *record, PlatformAnswer *answer)
{
    PlatformInstance *instance = answer->instances;
    bool was_disabled = record->is_disabled;
    bool is_changed = step_take_token(entry, record, TAKE_PTR(instance->token));

    /* An answer that broke off before it came to that has not said that it is enabled. */
    if (instance->says_disabled || !answer->is_unconfirmed)
        keep_set_disabled(entry, record, instance->is_disabled, NULL,
                          "the platform has disabled it: enable it there");
    return is_changed || record->is_disabled != was_disabled || record->rare->attempts > 0;
}

/* ---- verify ---- */

static void keep_verified(Reconciler *reconciler, Entry *entry, PlatformAnswer *answer)
{
    Record *record = step_edit(entry);
    bool is_urgent;

    if (!record) {
        step_retry_soon(entry);
        return;
    }
    /* Of one that was disabled more has been said. */
    if (entry->work->problem && !record->is_disabled)
        step_log(LOG_NOTICE, entry, MESSAGE_INSTANCE_WELL, NULL,
                 "its token can be verified again, and is good");
    is_urgent = keep_take_instance(entry, record, answer);
    record->verified = clock_realtime();
    step_settle(entry, record);
    step_schedule_verify(reconciler, entry, clock_boottime());
    reconciler_put(reconciler, entry, record, is_urgent);
}

static void keep_on_verified(void *userdata, void *subject, PlatformAnswer *answer)
{
    Reconciler *reconciler = userdata;
    Entry *entry = subject;

    entry->work->task = NULL;
    entry->busy = PLAN_BUSY_NO;
    switch (answer->outcome) {
    case PLATFORM_DONE:
        keep_verified(reconciler, entry, answer);
        break;
    case PLATFORM_ABSENT:
        keep_doubt(entry, answer);
        break;
    case PLATFORM_FORBIDDEN:
        keep_disabled(reconciler, entry, answer);
        break;
    case PLATFORM_UNAUTHORIZED:
        step_unauthorized(reconciler, entry, answer);
        break;
    case PLATFORM_REFUSED:
    case PLATFORM_BUSY:
    case PLATFORM_UNKNOWN:
        step_back_off(reconciler, entry, answer, STEP_CHANGES_NOTHING);
        break;
    }
    reconciler_entry(reconciler, entry);
}

/* ---- change ---- */

static void keep_changed(Reconciler *reconciler, Entry *entry, PlatformAnswer *answer)
{
    bool is_confirmed = answer->instances->token && !answer->is_unconfirmed;
    Record *record = step_edit(entry);

    if (!record) {
        step_retry_soon(entry);
        return;
    }
    (void)keep_take_instance(entry, record, answer);
    record->body_digest = entry->work->sent_body;
    record->labels_digest = entry->work->sent_labels;
    (void)record_set_failure(record, TROUBLE_NONE, NULL);
    step_settle(entry, record);
    step_log(LOG_NOTICE, entry, MESSAGE_INSTANCE_CHANGED, NULL,
             "changed on the platform, as its file has been");
    if (is_confirmed) {
        record->verified = clock_realtime();
        step_schedule_verify(reconciler, entry, clock_boottime());
    }
    reconciler_put(reconciler, entry, record, true);
}

/* For good, as far as this body goes; what the platform has stays as it is, and its token is served. */
static void keep_change_refused(Reconciler *reconciler, Entry *entry, const PlatformAnswer *answer)
{
    Record *record = step_edit(entry);

    step_set_refusal(entry, answer);
    if (!record || record_set_failure(record, entry->work->trouble,
                                      entry->work->problem ? entry->work->problem
                                                           : "refused by the platform") < 0) {
        record_unref(record);
        step_retry_soon(entry);
        return;
    }
    record->body_digest = entry->work->sent_body;
    record->labels_digest = entry->work->sent_labels;
    record->rare->attempts++;
    reconciler_put(reconciler, entry, record, true);
}

static void keep_on_changed(void *userdata, void *subject, PlatformAnswer *answer)
{
    Reconciler *reconciler = userdata;
    Entry *entry = subject;

    entry->work->task = NULL;
    entry->busy = PLAN_BUSY_NO;
    switch (answer->outcome) {
    case PLATFORM_DONE:
        keep_changed(reconciler, entry, answer);
        break;
    case PLATFORM_ABSENT:
        keep_doubt(entry, answer);
        break;
    case PLATFORM_FORBIDDEN:
        keep_disabled(reconciler, entry, answer);
        break;
    case PLATFORM_UNAUTHORIZED:
        step_unauthorized(reconciler, entry, answer);
        break;
    case PLATFORM_REFUSED:
        keep_change_refused(reconciler, entry, answer);
        break;
    case PLATFORM_BUSY:
        step_back_off(reconciler, entry, answer, STEP_CHANGES_NOTHING);
        break;
    case PLATFORM_UNKNOWN:
        step_back_off(reconciler, entry, answer, STEP_LEAVES_A_CHANGE);
        break;
    }
    reconciler_entry(reconciler, entry);
}

/* ---- asking ---- */

static void keep_ask(Reconciler *reconciler, Entry *entry, PlatformMethod method,
                     EngineHandler handler, PlanBusy busy)
{
    PlatformQuestion question = {
        .method = method,
        .account = entry->gate->account,
        .owner = reconciler_settings(reconciler)->owner,
        .name = entry->served.name,
        .id = entry->record->id,
        .token = entry->record->token,
        .instance = busy == PLAN_BUSY_UPDATING ? entry->want : NULL,
        .timeout = reconciler_settings(reconciler)->request_timeout,
    };

    EntryWork *work = step_note_sent(entry);

    if (!work || engine_ask(reconciler->engine, &question, NULL, handler, entry, &work->task) < 0)
        step_retry_soon(entry);
    else
        entry->busy = busy;
}

void keep_verify(Reconciler *reconciler, Entry *entry)
{
    keep_ask(reconciler, entry, PLATFORM_READ, keep_on_verified, PLAN_BUSY_VERIFYING);
}

void keep_update(Reconciler *reconciler, Entry *entry)
{
    keep_ask(reconciler, entry, PLATFORM_UPDATE, keep_on_changed, PLAN_BUSY_UPDATING);
}

void keep_relabel(Reconciler *reconciler, Entry *entry)
{
    keep_ask(reconciler, entry, PLATFORM_RELABEL, keep_on_changed, PLAN_BUSY_UPDATING);
}
