#include "daemon/remove.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/backoff.h"
#include "base/cleanup.h"
#include "base/limits.h"
#include "daemon/adopt.h"
#include "daemon/step.h"
#include "systemd/log.h"
#include "systemd/messages.h"

static void remove_log(int level, const char *message_id, const Record *record,
                       const char *request_id, const char *text)
{
    const LogFields fields = {
        .message_id = message_id,
        .instance = record->name,
        .element = record->element,
        .account = record->account,
        .request_id = request_id,
    };

    log_full(level, &fields, "instance %" PRId64 " on the platform %s", record->id, text);
}

/* ---- becoming an orphan ---- */

/* What is left of `record` when its instance `id` is used no more; the caller's. NULL without memory. */
static Record *remove_make_orphan(const Record *record, int64_t id, RecordOrphan reason)
{
    Record *orphan;

    if (record_copy(record, &orphan) < 0)
        return NULL;
    orphan->id = id;
    orphan->token = secret_unref(orphan->token);
    orphan->rare->orphan = reason;
    orphan->rare->since = clock_realtime();
    orphan->verified = 0;
    orphan->is_disabled = false;
    orphan->has_digests = false;
    orphan->rare->intent = 0;
    orphan->rare->attempts = 0;
    orphan->rare->delay = 0;
    orphan->rare->retry = 0;
    shared_replace(&orphan->rare->failure, NULL);
    return orphan;
}

/* Where its file says "delete": doomed at once, or, when it is replaced, with its successor. 0, -ENOMEM or -ENOBUFS. */
static int remove_add(Reconciler *reconciler, const Record *record, int64_t id, RecordOrphan reason,
                      usec_t now)
{
    Record *orphan;
    int r;

    if (id == 0 || !record->url)
        return 0; /* nothing was created, as far as is known */
    orphan = remove_make_orphan(record, id, reason);
    if (!orphan)
        return -ENOMEM;
    orphan->is_doomed = record->is_doomed && reason == RECORD_REMOVED;
    orphan->rare->is_outgoing = record->is_doomed && reason == RECORD_REPLACED;
    r = orphans_add(&reconciler->registry->orphans, orphan, reconciler->registry->generation, now);
    if (r != 0) {
        record_unref(orphan);
        return r < 0 ? r : -ENOBUFS;
    }
    remove_log(LOG_NOTICE, MESSAGE_ORPHAN, record, NULL,
               record->is_doomed && reason == RECORD_REMOVED
                   ? "is deleted, since its file is gone"
                   : "is not used any more, and left there (elementctl orphans)");
    return 0;
}

/* Once; it is tried again all the time. */
static void remove_tell_full(Entry *entry)
{
    static const char words[] =
        "what it had on the platform cannot be noted, since there are too many orphans already: "
        "delete some there (elementctl orphans)";

    if (entry->work->problem && strcmp(entry->work->problem, words) == 0)
        return;
    entry_set_problem(entry, TROUBLE_OTHER, words);
    step_log(LOG_ERR, entry, MESSAGE_ORPHANS_FULL, NULL, words);
}

void remove_forget(Reconciler *reconciler, Entry *entry, usec_t now)
{
    const Record *record = entry->record;
    int64_t id = record && record->id != 0 ? record->id
                 : entry->work->is_found   ? entry->work->found.id
                                           : 0;
    int r = record ? remove_add(reconciler, record, id, RECORD_REMOVED, now) : 0;

    if (id == 0 && reconciler_is_elsewhere(reconciler, entry))
        step_log(LOG_WARNING, entry, MESSAGE_INSTANCE_UNKNOWN, NULL,
                 "what became of its creation under another \"owner\" is not known: if there is an "
                 "instance with the tag of that owner, it is there for nothing");
    if (r == -ENOBUFS)
        remove_tell_full(entry);
    if (r < 0)
        return; /* it is looked at again soon, since nothing has changed */
    reconciler_put(reconciler, entry, NULL, true);
    reconciler_end(reconciler, entry);
}

int remove_replaced(Reconciler *reconciler, Entry *entry, usec_t now)
{
    const Record *record = entry->record;
    int r;

    if (!record || !entry->is_foreign)
        return 0;
    if (record->id == 0 && record->rare->intent != 0 && !entry->is_post_unsent)
        step_log(
            LOG_WARNING, entry, MESSAGE_INSTANCE_UNKNOWN, NULL,
            "what became of its creation before its file was changed is not known: if there is "
            "an instance with our tag, it is there for nothing");
    r = remove_add(reconciler, record, record->id, RECORD_REPLACED, now);
    if (r == -ENOBUFS)
        remove_tell_full(entry);
    return r;
}

void remove_succeeded(Reconciler *reconciler, const Entry *entry, const Record *record)
{
    Orphans *orphans = &reconciler->registry->orphans;
    Orphan *same = record->url ? orphans_find(orphans, record->id, record->url) : NULL;

    if (same)
        orphans_remove(orphans, same);
    /* While it was created its file may have been changed, perhaps back to what one of them is. */
    if (entry->is_foreign)
        return;
    for (size_t i = 0; i < orphans->n_items; i++) {
        Orphan *orphan = orphans->items[i];
        Record *after;

        if (!orphan->record->rare->is_outgoing || !orphan->record->name ||
            strcmp(orphan->record->name, entry->served.name) != 0 ||
            record_copy(orphan->record, &after) < 0)
            continue;
        /* Of the same id: by another URL, it may be the very instance that is used now. */
        after->is_doomed = record->is_doomed && after->id != record->id;
        after->rare->is_outgoing = false;
        orphans_set(orphans, orphan, after, reconciler->registry->generation);
    }
}

/* ---- deleting ---- */

static Gate *remove_gate(const Reconciler *reconciler, const Orphan *orphan)
{
    return gates_find_platform(reconciler->gates, orphan->record->account, orphan->record->url);
}

const char *remove_problem(const Reconciler *reconciler, const Orphan *orphan)
{
    const Gate *gate = remove_gate(reconciler, orphan);

    if (orphan->problem)
        return orphan->problem;
    if (!orphan->record->is_doomed)
        return NULL;
    if (!gate)
        return "no account that is declared leads to its platform any more";
    return gate->is_paused ? gate->problem : NULL;
}

/* 0, or -ENOMEM: then it is as before. */
static int remove_change(Reconciler *reconciler, Orphan *orphan, bool is_doomed, usec_t delay)
{
    Record *record;

    if (record_copy(orphan->record, &record) < 0)
        return -ENOMEM;
    record->is_doomed = is_doomed;
    record->rare->delay = delay;
    record->rare->retry = delay > 0 ? clock_add(clock_realtime(), delay) : 0;
    record->rare->attempts++;
    orphans_set(&reconciler->registry->orphans, orphan, record, reconciler->registry->generation);
    reconciler->registry->has_changes = true;
    return 0;
}

static void remove_set_problem(Orphan *orphan, PlatformAnswer *answer)
{
    free(orphan->problem);
    orphan->problem = TAKE_PTR(answer->problem);
}

static void remove_back_off(Reconciler *reconciler, Orphan *orphan, PlatformAnswer *answer)
{
    usec_t delay = backoff_next(orphan->record->rare->delay, digest_random());

    if (delay < answer->retry_after)
        delay = answer->retry_after;
    orphan->retry = clock_add(clock_boottime(), delay);
    if (!orphan->problem)
        remove_log(LOG_WARNING, MESSAGE_ORPHAN_KEPT, orphan->record, answer->request_id,
                   "cannot be deleted now, and is tried again");
    remove_set_problem(orphan, answer);
    (void)remove_change(reconciler, orphan, true, delay);
}

/* The platform will not have it: from now on it is one that a person has to delete. */
static void remove_give_up(Reconciler *reconciler, Orphan *orphan, PlatformAnswer *answer)
{
    remove_log(LOG_ERR, MESSAGE_ORPHAN_KEPT, orphan->record, answer->request_id,
               answer->problem ? answer->problem : "refuses to be deleted");
    remove_set_problem(orphan, answer);
    if (remove_change(reconciler, orphan, false, 0) < 0)
        orphan->retry = clock_add(clock_boottime(), RETRY_MAX_USEC);
}

static void remove_on_deleted(void *userdata, void *subject, PlatformAnswer *answer)
{
    Reconciler *reconciler = userdata;
    Orphan *orphan = subject;

    orphan->task = NULL;
    switch (answer->outcome) {
    case PLATFORM_DONE:
    case PLATFORM_ABSENT:
        remove_log(LOG_NOTICE, MESSAGE_ORPHAN_DELETED, orphan->record, NULL, "is deleted");
        orphans_remove(&reconciler->registry->orphans, orphan);
        reconciler->registry->has_changes = true;
        break;
    case PLATFORM_REFUSED:
    case PLATFORM_FORBIDDEN:
        remove_give_up(reconciler, orphan, answer);
        break;
    case PLATFORM_UNAUTHORIZED:
        /* A gate that has begun anew has cancelled what was asked by its old secrets. */
        reconciler_pause(reconciler, remove_gate(reconciler, orphan), answer);
        break;
    case PLATFORM_BUSY:
    case PLATFORM_UNKNOWN:
        remove_back_off(reconciler, orphan, answer);
        break;
    }
    reconciler->operations->wake(reconciler->userdata);
}

static void remove_delete(Reconciler *reconciler, Orphan *orphan, const Gate *gate, usec_t now)
{
    const PlatformQuestion question = {
        .method = PLATFORM_DELETE,
        .account = gate->account,
        .id = orphan->record->id,
        .timeout = reconciler_settings(reconciler)->request_timeout,
    };

    if (engine_ask(reconciler->engine, &question, NULL, remove_on_deleted, orphan, &orphan->task) <
        0)
        orphan->retry = clock_add(now, RETRY_MIN_USEC);
}

/* What is to be deleted must be on disk as such, so that nobody takes it for one in use after a crash. */
static bool remove_is_durable(const Reconciler *reconciler, const Orphan *orphan)
{
    return orphan->generation <= reconciler->registry->durable_generation;
}

static bool remove_is_waiting(const Reconciler *reconciler, const Orphan *orphan)
{
    return orphan->record->is_doomed && !orphan->task && remove_is_durable(reconciler, orphan);
}

static usec_t remove_due(const Orphan *orphan, const Gate *gate)
{
    if (!gate)
        return USEC_INFINITY;
    return gate->is_paused && gate->until > orphan->retry ? gate->until : orphan->retry;
}

usec_t remove_tick(Reconciler *reconciler, usec_t now)
{
    const Orphans *orphans = &reconciler->registry->orphans;
    usec_t next = USEC_INFINITY;

    for (size_t i = 0; orphans->n_doomed > 0 && i < orphans->n_items; i++) {
        Orphan *orphan = orphans->items[i];
        Gate *gate;
        usec_t due;

        if (!remove_is_waiting(reconciler, orphan))
            continue;
        gate = remove_gate(reconciler, orphan);
        due = remove_due(orphan, gate);
        if (due > now) {
            next = due < next ? due : next;
            continue;
        }
        /* As for all, a paused account is asked one thing first. */
        if (!gate->is_paused)
            remove_delete(reconciler, orphan, gate, now);
        else if (!gate->task)
            adopt_look_up(reconciler, gate, now);
    }
    return next;
}
