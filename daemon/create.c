#include "daemon/create.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/backoff.h"
#include "base/cleanup.h"
#include "daemon/remove.h"
#include "daemon/step.h"
#include "systemd/log.h"
#include "systemd/messages.h"

void create_intend(Reconciler *reconciler, Entry *entry, usec_t now)
{
    _cleanup_(record_unrefp) Record *record = step_edit(entry);

    if (!record || remove_replaced(reconciler, entry, now) < 0 ||
        record_set_string(&record->rare->owner, reconciler_settings(reconciler)->owner) < 0) {
        step_retry_soon(entry);
        return;
    }
    step_describe(record, entry);
    /* The platform has said that the instance is not there: neither is its token. */
    record->token = secret_unref(record->token);
    record->id = 0;
    record->verified = 0;
    record->is_disabled = false;
    record->rare->intent = clock_realtime();
    entry->is_doubted = false;
    entry->is_foreign = false;
    entry->is_post_unsent = true;
    reconciler_put(reconciler, entry, TAKE_PTR(record), true);
}

/* ---- what became of it ---- */

static void create_succeeded(Reconciler *reconciler, Entry *entry, PlatformAnswer *answer)
{
    usec_t now = clock_boottime();
    PlatformInstance *instance = answer->instances;
    Record *record = step_edit(entry);
    char words[96];

    if (!record) {
        /* The look-up will find it. */
        entry->wanted = now;
        step_retry_soon(entry);
        return;
    }
    record->id = instance->id;
    secret_unref(record->token);
    record->token = TAKE_PTR(instance->token);
    record->is_disabled = instance->is_disabled;
    record->verified = answer->is_unconfirmed ? 0 : clock_realtime();
    step_settle(entry, record);
    step_schedule_verify(reconciler, entry, now);
    if (answer->is_unconfirmed)
        entry->verify = now;
    (void)snprintf(words, sizeof(words), "created on the platform as instance %" PRId64 "%s",
                   record->id, answer->is_unconfirmed ? " (its answer was broken: verifying)" : "");
    step_log(LOG_NOTICE, entry, MESSAGE_TOKEN_OBTAINED, NULL, words);
    remove_succeeded(reconciler, entry, record);
    reconciler_put(reconciler, entry, record, true);
}

/* What became of the POST is not known, and the platform may go on with it for as long as a request may take. */
static void create_lost(Reconciler *reconciler, Entry *entry, const PlatformAnswer *answer)
{
    usec_t now = clock_boottime(), wait = reconciler->registry->work_time;
    Record *record = step_edit(entry);

    if (record) {
        record->rare->delay = backoff_next(record->rare->delay, digest_random());
        if (wait < record->rare->delay)
            wait = record->rare->delay;
    }
    if (wait < answer->retry_after)
        wait = answer->retry_after;
    entry->work->intent_until = clock_add(now, wait);
    entry->wanted = now;
    entry_set_problem(entry, answer->trouble, answer->problem);
    step_log(LOG_WARNING, entry, MESSAGE_INSTANCE_UNKNOWN, answer->request_id,
             answer->problem ? answer->problem : "the outcome of its creation is unknown");
    if (!record)
        return; /* the intent stands in the record that there is */
    record->rare->attempts++;
    reconciler_put(reconciler, entry, record, true);
}

/* For good, as far as the body goes that the record's intent was about. */
static void create_fail(Reconciler *reconciler, Entry *entry, Trouble trouble, const char *problem)
{
    Record *record = step_edit(entry);

    if (!record ||
        record_set_failure(record, trouble, problem ? problem : "refused by the platform") < 0) {
        record_unref(record);
        step_retry_soon(entry);
        return;
    }
    step_not_created(entry, record);
    record->rare->attempts++;
    reconciler_put(reconciler, entry, record, true);
}

/* Whether what was sent is still what is declared. */
static bool create_is_current(const Entry *entry)
{
    return entry->want && entry->want->has_body &&
           digest_equal(&entry->want->body_digest, &entry->work->sent_body);
}

static void create_on_explained(void *userdata, void *subject, PlatformAnswer *answer)
{
    Reconciler *reconciler = userdata;
    Entry *entry = subject;
    _cleanup_(freep) char *missing = NULL;
    _cleanup_(freep) char *problem = NULL;

    entry->work->task = NULL;
    entry->busy = PLAN_BUSY_NO;
    if (answer->outcome == PLATFORM_DONE && create_is_current(entry) &&
        platform_find_missing(&answer->keys, answer->body, &missing) == 0 && missing &&
        asprintf(&problem, "%s; missing in \"configuration\": %s",
                 entry->work->problem ? entry->work->problem : "refused", missing) < 0)
        problem = NULL;
    if (problem)
        create_fail(reconciler, entry, TROUBLE_MISSING_KEYS, problem);
    else
        create_fail(reconciler, entry, entry->work->trouble, entry->work->problem);
    reconciler_entry(reconciler, entry);
}

/* A refused creation: before it is called failed, the platform is asked which keys the element requires. */
static void create_explain(Reconciler *reconciler, Entry *entry, const PlatformAnswer *answer)
{
    PlatformQuestion question;

    step_set_refusal(entry, answer);
    if (!create_is_current(entry) || !entry->gate || reconciler->is_stopping) {
        create_fail(reconciler, entry, entry->work->trouble, entry->work->problem);
        return;
    }
    question = (PlatformQuestion){
        .method = PLATFORM_EXPLAIN,
        .account = entry->gate->account,
        .body = answer->body,
        .element = entry->want->terms->element,
        .timeout = reconciler_settings(reconciler)->request_timeout,
    };
    if (engine_ask(reconciler->engine, &question, NULL, create_on_explained, entry,
                   &entry->work->task) == 0)
        entry->busy = PLAN_BUSY_CREATING;
    else
        create_fail(reconciler, entry, entry->work->trouble, entry->work->problem);
}

/* Not this instance's problem, but its account's. */
static void create_unauthorized(Reconciler *reconciler, Entry *entry, const PlatformAnswer *answer)
{
    Record *record = step_edit(entry);

    if (record) {
        step_not_created(entry, record);
        reconciler_put(reconciler, entry, record, true);
    }
    step_unauthorized(reconciler, entry, answer);
}

static void create_on_answer(void *userdata, void *subject, PlatformAnswer *answer)
{
    Reconciler *reconciler = userdata;
    Entry *entry = subject;

    entry->work->task = NULL;
    entry->busy = PLAN_BUSY_NO;
    /* The platform works on it no more, unless that is not known: so it is even where no memory is left to note more. */
    entry->work->intent_until = clock_boottime();
    switch (answer->outcome) {
    case PLATFORM_DONE:
        create_succeeded(reconciler, entry, answer);
        break;
    case PLATFORM_ABSENT: /* platform_read() gives none for a creation */
    case PLATFORM_REFUSED:
        create_explain(reconciler, entry, answer);
        break;
    case PLATFORM_FORBIDDEN:
        step_set_refusal(entry, answer);
        create_fail(reconciler, entry, entry->work->trouble, entry->work->problem);
        break;
    case PLATFORM_UNAUTHORIZED:
        create_unauthorized(reconciler, entry, answer);
        break;
    case PLATFORM_BUSY:
        step_back_off(reconciler, entry, answer, STEP_LEAVES_NO_POST);
        break;
    case PLATFORM_UNKNOWN:
        create_lost(reconciler, entry, answer);
        break;
    }
    reconciler_entry(reconciler, entry);
}

/* ---- sending it ---- */

/* From here on a POST may have gone out. */
static void create_on_started(void *userdata, void *subject)
{
    Entry *entry = subject;

    (void)userdata;
    entry->is_post_unsent = false;
}

void create_post(Reconciler *reconciler, Entry *entry)
{
    PlatformQuestion question = {
        .method = PLATFORM_CREATE,
        .account = entry->gate->account,
        .owner = reconciler_settings(reconciler)->owner,
        .instance = entry->want,
        .timeout = reconciler_settings(reconciler)->request_timeout,
    };

    EntryWork *work = step_note_sent(entry);

    if (!work || engine_ask(reconciler->engine, &question, create_on_started, create_on_answer,
                            entry, &work->task) < 0)
        step_retry_soon(entry);
    else
        entry->busy = PLAN_BUSY_CREATING;
}
