#include "daemon/match.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "systemd/log.h"
#include "systemd/messages.h"

static bool match_is_wanted(const Entry *entry, const Gate *gate)
{
    return entry->gate == gate && entry->want &&
           (!entry->record || !entry->record->token || entry->is_foreign || entry->is_doubted);
}

static void match_forget(Entry *entry)
{
    platform_instance_deinit(&entry->found);
    entry->is_found = false;
    free(entry->duplicates);
    entry->duplicates = NULL;
}

/*
 * Adds one more id to those that are left over. Not the one that is used: rows move from page to page while others come
 * and go, so one may be listed twice. And none for a row without an id, by which nobody could delete anything.
 */
static void match_add_duplicate(Entry *entry, int64_t id, int64_t used_id)
{
    char *ids;

    if (id == 0 || id == used_id)
        return;
    if (asprintf(&ids, "%s%s%" PRId64, entry->duplicates ? entry->duplicates : "",
                 entry->duplicates ? ", " : "", id) < 0)
        return;
    free(entry->duplicates);
    entry->duplicates = ids;
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

/* The one from before the element was changed: of no use, and no reason not to create its successor. */
static bool match_is_replaced(const Entry *entry, const PlatformInstance *row)
{
    const Record *record = entry->record;

    if (!record || match_is_of_element(row, entry->want->element))
        return false;
    return (row->id != 0 && row->id == record->replaced_id) ||
           (entry->is_foreign && match_is_of_element(row, record->element));
}

static void match_row(Entry *entry, PlatformInstance *row)
{
    PlatformInstance *found = &entry->found;

    if (match_is_replaced(entry, row))
        return;
    /* With our tag, but nobody knows why it is of another element: it is there, and cannot be used. */
    if (!match_is_of_element(row, entry->want->element))
        row->token = secret_unref(row->token);
    if (entry->is_found && !match_is_better(row, found)) {
        match_add_duplicate(entry, row->id, found->id);
        return;
    }
    if (entry->is_found)
        match_add_duplicate(entry, found->id, row->id);
    platform_instance_deinit(found);
    *found = *row;
    *row = (PlatformInstance){};
    entry->is_found = true;
    /* What was about to be created is there: the POST must not go out any more. */
    entry->is_post_unsent = false;
}

/* Puts words around the ids. */
static void match_tell_duplicates(Entry *entry)
{
    LogFields fields;
    char *words;

    if (!entry->duplicates)
        return;
    if (asprintf(&words,
                 "the platform has more than one instance with our tag: %" PRId64
                 " is used; left over, for you to delete there: %s",
                 entry->found.id, entry->duplicates) < 0)
        return;
    free(entry->duplicates);
    entry->duplicates = words;
    fields = registry_log_fields(entry, MESSAGE_DUPLICATES);
    log_full(LOG_WARNING, &fields, "%s", words);
}

void match_rows(Registry *registry, Gate *gate)
{
    for (size_t i = 0; i < registry->n_entries; i++)
        if (match_is_wanted(registry->entries[i], gate))
            match_forget(registry->entries[i]);
    for (size_t i = 0; i < gate->n_rows; i++) {
        const char *name = gate->rows[i].name;
        Entry *entry = name ? registry_find(registry, name, strlen(name)) : NULL;

        if (entry && match_is_wanted(entry, gate))
            match_row(entry, &gate->rows[i]);
    }
    for (size_t i = 0; i < registry->n_entries; i++)
        if (match_is_wanted(registry->entries[i], gate))
            match_tell_duplicates(registry->entries[i]);
    gate_drop_rows(gate);
}
