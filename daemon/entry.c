#include "daemon/entry.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

/* Of all entries at rest. In memory that cannot be written. Should one be asked for its POST, that is never over. */
static const EntryWork entry_no_work = {.intent_until = USEC_INFINITY};

static bool entry_has_work(const Entry *entry)
{
    return entry->work != &entry_no_work;
}

/* All entries at rest share what none of them may change. */
static void entry_set_no_work(Entry *entry)
{
    entry->work = (EntryWork *)&entry_no_work;
}

static void entry_free_work(Entry *entry)
{
    EntryWork *work = entry->work;

    assert(!work->task);
    if (!entry_has_work(entry))
        return;
    platform_instance_deinit(&work->found);
    free(work->duplicates);
    free(work->problem);
    free(work);
    entry_set_no_work(entry);
}

int entry_new(const char *name, usec_t now, Entry **ret_entry)
{
    Entry *entry = calloc(1, sizeof(*entry));

    if (!entry)
        return -ENOMEM;
    served_init(&entry->served);
    entry->served.name = shared_ref(name);
    entry->served.since = clock_realtime();
    entry->wanted = now;
    entry->due = now;
    entry_set_no_work(entry);
    *ret_entry = entry;
    return 0;
}

Entry *entry_free(Entry *entry)
{
    if (!entry)
        return NULL;
    served_deinit(&entry->served);
    shared_unref(entry->served.name);
    secret_unref(entry->served.token);
    free(entry->served.problem);
    record_unref(entry->record);
    entry_free_work(entry);
    free(entry);
    return NULL;
}

EntryWork *entry_work(Entry *entry)
{
    EntryWork *work;

    if (entry_has_work(entry))
        return entry->work;
    work = malloc(sizeof(*work));
    if (!work)
        return NULL;
    *work = entry_no_work;
    entry->work = work;
    return work;
}

/* Whether the platform may still be working on a POST, which is over at a time that must not be forgotten. */
static bool entry_has_unknown_post(const Entry *entry)
{
    return entry->record && entry->record->rare->intent != 0 && !entry->is_post_unsent;
}

void entry_rest(Entry *entry, usec_t now)
{
    const EntryWork *work = entry->work;

    if (work->task || work->is_found || work->duplicates || work->problem ||
        entry_has_unknown_post(entry) ||
        (work->reported != 0 && now < clock_add(work->reported, REPORT_PAUSE_USEC)))
        return;
    entry_free_work(entry);
}

void entry_forget_found(Entry *entry)
{
    if (!entry_has_work(entry))
        return;
    platform_instance_deinit(&entry->work->found);
    entry->work->is_found = false;
}

void entry_set_problem(Entry *entry, Trouble trouble, const char *words)
{
    EntryWork *work = words || entry_has_work(entry) ? entry_work(entry) : NULL;
    char *copy;

    if (!work)
        return;
    copy = words ? strdup(words) : NULL;
    if (!words)
        trouble = TROUBLE_NONE;
    /* The same over and over again is one trouble, since it began. */
    if (trouble != work->trouble)
        work->troubled = words ? clock_realtime() : 0;
    work->trouble = trouble;
    free(work->problem);
    work->problem = copy;
}
