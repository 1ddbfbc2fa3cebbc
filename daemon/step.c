#include "daemon/step.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/backoff.h"
#include "base/cleanup.h"
#include "base/limits.h"
#include "systemd/log.h"
#include "systemd/messages.h"

void step_log(int level, const Entry *entry, const char *message_id, const char *request_id,
              const char *text)
{
    LogFields fields = registry_log_fields(entry, message_id);

    fields.request_id = request_id;
    log_full(level, &fields, "%s", text);
}

Record *step_edit(const Entry *entry)
{
    Record *record;

    return registry_edit(entry, &record) < 0 ? NULL : record;
}

void step_retry_soon(Entry *entry)
{
    entry->retry = clock_add(clock_boottime(), RETRY_MIN_USEC);
}

void step_set_refusal(Entry *entry, const PlatformAnswer *answer)
{
    char *words;

    if (!answer->problem || !answer->request_id ||
        asprintf(&words, "%s; request %s", answer->problem, answer->request_id) < 0) {
        entry_set_problem(entry, answer->trouble, answer->problem);
        return;
    }
    entry_set_problem(entry, answer->trouble, words);
    free(words);
}

void step_describe(Record *record, const Entry *entry)
{
    record->has_digests = true;
    record->body_digest = entry->want->body_digest;
    record->labels_digest = entry->want->labels_digest;
    record->is_doomed = entry->want->on_remove == INSTANCE_DELETE;
    shared_replace(&record->account, entry->want->terms->account);
    shared_replace(&record->url, entry->gate->account->url);
    shared_replace(&record->element, entry->want->terms->element);
    (void)record_set_failure(record, TROUBLE_NONE, NULL);
}

void step_settle(Entry *entry, Record *record)
{
    record->rare->intent = 0;
    shared_replace(&record->rare->owner, NULL);
    record->rare->attempts = 0;
    record->rare->delay = 0;
    record->rare->retry = 0;
    entry->retry = 0;
    entry->is_post_unsent = false;
    entry->is_foreign = registry_is_foreign(entry, record);
    entry->is_doubted = false;
    entry_set_problem(entry, TROUBLE_NONE, NULL);
}

void step_schedule_verify(const Reconciler *reconciler, Entry *entry, usec_t now)
{
    usec_t interval = reconciler_settings(reconciler)->verify_interval;

    entry->verify = clock_add(now, backoff_jitter(interval, digest_random()));
}

void step_not_created(Entry *entry, Record *record)
{
    record->rare->intent = 0;
    shared_replace(&record->rare->owner, NULL);
    entry->is_post_unsent = false;
    entry->wanted = clock_boottime();
}

void step_back_off(Reconciler *reconciler, Entry *entry, const PlatformAnswer *answer,
                   StepAftermath aftermath)
{
    /* A verification that has to wait is not worth a commit of its own. */
    bool is_urgent = aftermath != STEP_CHANGES_NOTHING;
    usec_t now = clock_boottime();
    Record *record = step_edit(entry);
    char *words;

    if (!record) {
        step_retry_soon(entry);
        return;
    }
    record->rare->delay = backoff_next(record->rare->delay, digest_random());
    if (record->rare->delay < answer->retry_after)
        record->rare->delay = answer->retry_after;
    if (aftermath == STEP_LEAVES_A_CHANGE && record->rare->delay < reconciler->registry->work_time)
        record->rare->delay = reconciler->registry->work_time;
    /* For the next run nothing has changed since it has loaded its files. */
    record->rare->retry = answer->trouble == TROUBLE_FILE_CHANGED
                              ? 0
                              : clock_add(clock_realtime(), record->rare->delay);
    record->rare->attempts++;
    entry->retry = clock_add(now, record->rare->delay);
    if (aftermath == STEP_LEAVES_NO_POST)
        step_not_created(entry, record);
    if (answer->problem &&
        (!entry->work->problem || strcmp(entry->work->problem, answer->problem) != 0) &&
        asprintf(&words, "%s; next try in %" PRIu64 " s", answer->problem,
                 (record->rare->delay + USEC_PER_SEC - 1) / USEC_PER_SEC) >= 0) {
        step_log(LOG_WARNING, entry, MESSAGE_INSTANCE_WAITING, answer->request_id, words);
        free(words);
    }
    entry_set_problem(entry, answer->trouble, answer->problem);
    reconciler_put(reconciler, entry, record, is_urgent);
}

EntryWork *step_note_sent(Entry *entry)
{
    EntryWork *work = entry_work(entry);

    if (!work)
        return NULL;
    work->sent_epoch = entry->gate->epoch;
    work->sent_body = entry->want->body_digest;
    work->sent_labels = entry->want->labels_digest;
    return work;
}

/* Creations of a paused account that have not gone out yet do not. */
static void step_call_back(Reconciler *reconciler, const Gate *gate)
{
    for (size_t i = 0; i < reconciler->registry->n_entries; i++) {
        Entry *entry = reconciler->registry->entries[i];

        if (entry->gate == gate && entry->busy == PLAN_BUSY_CREATING && entry->is_post_unsent)
            reconciler_cancel(entry);
    }
}

void step_unauthorized(Reconciler *reconciler, Entry *entry, const PlatformAnswer *answer)
{
    if (!entry->gate || entry->gate->epoch != entry->work->sent_epoch)
        return;
    reconciler_pause(reconciler, entry->gate, answer);
    step_call_back(reconciler, entry->gate);
    reconciler_gate(reconciler, entry->gate); /* who was called back waits for the account now */
}

bool step_take_token(Entry *entry, Record *record, Secret *token)
{
    bool is_changed = token && !secret_equal(record->token, token);

    if (is_changed)
        step_log(LOG_NOTICE, entry, MESSAGE_TOKEN_CHANGED, NULL,
                 "the platform has another token for it now, which is taken over");
    if (token) {
        secret_unref(record->token);
        record->token = token;
    }
    return is_changed;
}
