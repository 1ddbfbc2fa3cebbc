#include "daemon/match.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/instance.h"
#include "systemd/log.h"
#include "systemd/messages.h"

/* Whether the entry needs to know whether there is an instance for it. */
static bool match_is_wanted(const Entry *entry, const Gate *gate)
{
    const Record *record = entry->record;

    if (entry->gate != gate)
        return false;
    if (!entry->want) /* what became of its last POST has to be known before it is forgotten */
        return record && record->rare->intent != 0;
    return !record || !record->token || entry->is_foreign || entry->is_doubted;
}

/* The element that it must be of, or NULL. */
static const char *match_element(const Entry *entry)
{
    return entry->want ? entry->want->terms->element : entry->record->element;
}

static void match_forget(Entry *entry)
{
    entry_forget_found(entry);
    if (!entry->work->duplicates)
        return;
    free(entry->work->duplicates);
    entry->work->duplicates = NULL;
}

/* ---- what nothing uses ---- */

typedef struct Match {
    Registry *registry;
    Gate *gate;
    usec_t now;
} Match;

static Orphan *match_find_orphan(const Match *match, int64_t id)
{
    return orphans_find(&match->registry->orphans, id, match->gate->account->url);
}

/* Says so once: not of one that is known already. Without memory it is found by the next look-up. */
static void match_add_orphan(const Match *match, const PlatformInstance *row, RecordOrphan reason)
{
    _cleanup_(record_unrefp) Record *record = NULL;
    const Account *account = match->gate->account;
    const char *name = row->name && instance_name_is_valid(row->name) ? row->name : NULL;
    Orphan *known = match_find_orphan(match, row->id);

    if (known) {
        known->is_listed = true;
        return;
    }
    if (row->id == 0 || record_new(name, &record) < 0 ||
        record_set_string(&record->element, row->element) < 0)
        return;
    shared_replace(&record->account, account->name);
    shared_replace(&record->url, account->url);
    record->id = row->id;
    record->rare->orphan = reason;
    record->rare->since = clock_realtime();
    if (orphans_add(&match->registry->orphans, record, match->registry->generation, match->now) !=
        0)
        return;
    TAKE_PTR(record);
    match->registry->has_changes = true;
}

/* The orphans of this platform that the look-up did not show are gone there. */
static void match_drop_orphans(const Match *match)
{
    Orphans *orphans = &match->registry->orphans;
    const Account *account = match->gate->account;

    for (size_t i = orphans->n_items; i > 0; i--) {
        Orphan *orphan = orphans->items[i - 1];

        if (orphan->is_listed || orphan->record->is_doomed || orphan->added >= match->gate->begin ||
            !orphan->record->account || strcmp(orphan->record->account, account->name) != 0 ||
            strcmp(orphan->record->url, account->url) != 0)
            continue;
        orphans_remove(orphans, orphan);
        match->registry->has_changes = true;
    }
}

/* ---- rows ---- */

/*
 * Adds one more id to those that are left over. Not the one that is used: rows move from page to page while others come
 * and go, so one may be listed twice. And none for a row without an id, by which nobody could delete anything.
 */
static void match_add_duplicate(const Match *match, Entry *entry, const PlatformInstance *row,
                                int64_t used_id)
{
    int64_t id = row->id;
    char *ids;

    if (id == 0 || id == used_id)
        return;
    match_add_orphan(match, row, RECORD_DUPLICATE);
    if (asprintf(&ids, "%s%s%" PRId64, entry->work->duplicates ? entry->work->duplicates : "",
                 entry->work->duplicates ? ", " : "", id) < 0)
        return;
    free(entry->work->duplicates);
    entry->work->duplicates = ids;
}

static bool match_is_usable(const PlatformInstance *row)
{
    return row->id != 0 && row->token;
}

/* One that can be used before one that cannot, then the lowest id. */
static bool match_is_better(const PlatformInstance *row, const PlatformInstance *found)
{
    if (match_is_usable(row) != match_is_usable(found))
        return match_is_usable(row);
    return row->id < found->id;
}

static bool match_is_of_element(const PlatformInstance *row, const char *element)
{
    return !row->element || !element || strcasecmp(row->element, element) == 0;
}

/*
 * The one from before the element was changed, be it that its file was gone meanwhile: of no use, and no reason not to
 * create its successor. And one that is being deleted.
 */
static bool match_is_replaced(const Match *match, const Entry *entry, const PlatformInstance *row)
{
    const Orphan *orphan = match_find_orphan(match, row->id);

    if (orphan && orphan->record->is_doomed)
        return true;
    if (match_is_of_element(row, match_element(entry)))
        return false;
    return (orphan && (orphan->record->rare->orphan == RECORD_REPLACED ||
                       orphan->record->rare->orphan == RECORD_REMOVED)) ||
           (entry->is_foreign && match_is_of_element(row, entry->record->element));
}

/* What a file that is gone had created: it goes with it, so nothing else must be taken for it. */
static bool match_may_be_its(const Entry *entry, const PlatformInstance *row)
{
    return entry->want || match_is_of_element(row, match_element(entry));
}

static void match_row(const Match *match, Entry *entry, PlatformInstance *row)
{
    PlatformInstance *found = &entry->work->found;

    if (match_is_replaced(match, entry, row))
        return;
    /* With our tag, but nobody knows why it is of another element: it is there, and cannot be used. */
    if (!match_is_of_element(row, match_element(entry)))
        row->token = secret_unref(row->token);
    if (entry->work->is_found && !match_is_better(row, found)) {
        match_add_duplicate(match, entry, row, found->id);
        return;
    }
    if (entry->work->is_found)
        match_add_duplicate(match, entry, found, row->id);
    platform_instance_deinit(found);
    *found = *row;
    *row = (PlatformInstance){};
    entry->work->is_found = true;
    /* What was about to be created is there: the POST must not go out any more, be it in line already. */
    if (entry->is_post_unsent && entry->busy == PLAN_BUSY_CREATING) {
        entry->work->task = engine_task_free(entry->work->task);
        entry->busy = PLAN_BUSY_NO;
    }
    /* And the platform works on none: when what is there turns out to be of no use and goes, it is created after all. */
    if (entry->is_post_unsent)
        entry->work->intent_until = 0;
    entry->is_post_unsent = false;
}

/* A row that no entry looks for: one that is in use, or an orphan. */
static void match_other(const Match *match, const Entry *entry, const PlatformInstance *row)
{
    const Record *record = entry ? entry->record : NULL;
    const char *url = match->gate->account->url;

    /* A record that does not say its platform is taken to be of this one, as registry_is_foreign() takes it. */
    if (record && record->id == row->id && (!record->url || strcmp(record->url, url) == 0))
        return;
    if (!entry || !entry->want)
        match_add_orphan(match, row, RECORD_UNCLAIMED);
    else if (entry->gate != match->gate)
        match_add_orphan(match, row, RECORD_REPLACED);
    else
        match_add_orphan(match, row, RECORD_DUPLICATE);
}

/* Puts words around the ids. */
static void match_tell_duplicates(Entry *entry)
{
    LogFields fields;
    char *words;

    if (!entry->work->duplicates)
        return;
    if (asprintf(&words,
                 "the platform has more than one instance with our tag: %" PRId64
                 " is used; left over, for you to delete there: %s",
                 entry->work->found.id, entry->work->duplicates) < 0)
        return;
    free(entry->work->duplicates);
    entry->work->duplicates = words;
    fields = registry_log_fields(entry, MESSAGE_DUPLICATES);
    log_full(LOG_WARNING, &fields, "%s (elementctl orphans)", words);
}

/* The entry that a row names, or NULL. */
static Entry *match_find(const Match *match, const PlatformInstance *row)
{
    return row->name ? registry_find(match->registry, row->name, strlen(row->name)) : NULL;
}

/* Whatever is found must be noted: what is not there is created. So nothing begins without room for all. 0 or -ENOMEM. */
static int match_make_room(const Match *match)
{
    for (size_t i = 0; i < match->gate->n_rows; i++) {
        Entry *entry = match_find(match, &match->gate->rows[i]);

        if (entry && match_is_wanted(entry, match->gate) && !entry_work(entry))
            return -ENOMEM;
    }
    return 0;
}

int match_rows(Registry *registry, Gate *gate, usec_t now)
{
    const Match match = {registry, gate, now};

    if (match_make_room(&match) < 0) {
        gate_forget_look_up(gate);
        return -ENOMEM;
    }

    for (size_t i = 0; i < registry->n_entries; i++)
        if (match_is_wanted(registry->entries[i], gate))
            match_forget(registry->entries[i]);
    for (size_t i = 0; i < registry->orphans.n_items; i++)
        registry->orphans.items[i]->is_listed = false;
    for (size_t i = 0; i < gate->n_rows; i++) {
        PlatformInstance *row = &gate->rows[i];
        Orphan *orphan = match_find_orphan(&match, row->id);
        Entry *entry = match_find(&match, row);

        if (orphan)
            orphan->is_listed = true;
        if (entry && match_is_wanted(entry, gate) && match_may_be_its(entry, row))
            match_row(&match, entry, row);
        else
            match_other(&match, entry, row);
    }
    match_drop_orphans(&match);
    for (size_t i = 0; i < registry->n_entries; i++)
        if (match_is_wanted(registry->entries[i], gate))
            match_tell_duplicates(registry->entries[i]);
    gate_drop_rows(gate);
    return 0;
}
