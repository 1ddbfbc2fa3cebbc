#include "daemon/orphans.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

static Orphan *orphan_free(Orphan *orphan)
{
    if (!orphan)
        return NULL;
    engine_task_free(orphan->task);
    record_unref(orphan->record);
    free(orphan->problem);
    free(orphan);
    return NULL;
}

void orphans_deinit(Orphans *orphans)
{
    for (size_t i = 0; i < orphans->n_items; i++)
        orphan_free(orphans->items[i]);
    free(orphans->items);
    *orphans = (Orphans){};
}

static int orphan_compare(const Orphan *orphan, int64_t id, const char *url)
{
    if (orphan->record->id != id)
        return orphan->record->id < id ? -1 : 1;
    return strcmp(orphan->record->url, url);
}

/* Where it is, or where it would have to be. */
static size_t orphans_place(const Orphans *orphans, int64_t id, const char *url)
{
    size_t low = 0, high = orphans->n_items;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (orphan_compare(orphans->items[middle], id, url) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

Orphan *orphans_find(const Orphans *orphans, int64_t id, const char *url)
{
    size_t place = orphans_place(orphans, id, url);

    if (place == orphans->n_items || orphan_compare(orphans->items[place], id, url) != 0)
        return NULL;
    return orphans->items[place];
}

void orphans_set(Orphans *orphans, Orphan *orphan, Record *record, uint64_t generation)
{
    orphans->n_doomed += record->is_doomed;
    orphans->n_doomed -= orphan->record && orphan->record->is_doomed;
    record_unref(orphan->record);
    orphan->record = record;
    orphan->generation = generation;
}

/* 0, ORPHANS_E_FULL or -ENOMEM. */
static int orphans_insert(Orphans *orphans, const Record *record, Orphan **ret_orphan)
{
    size_t place = orphans_place(orphans, record->id, record->url);
    Orphan **items, *orphan;

    if (orphans->n_items == ORPHANS_MAX)
        return ORPHANS_E_FULL;
    items = reallocarray(orphans->items, orphans->n_items + 1, sizeof(*items));
    if (!items)
        return -ENOMEM;
    orphans->items = items;
    orphan = calloc(1, sizeof(*orphan));
    if (!orphan)
        return -ENOMEM;
    memmove(items + place + 1, items + place, (orphans->n_items - place) * sizeof(*items));
    items[place] = orphan;
    orphans->n_items++;
    *ret_orphan = orphan;
    return 0;
}

int orphans_add(Orphans *orphans, Record *record, uint64_t generation, usec_t now)
{
    Orphan *orphan = orphans_find(orphans, record->id, record->url);
    int r;

    assert(record->id > 0 && record->url && record->rare->orphan != RECORD_IN_USE &&
           !record->token);
    if (!orphan) {
        r = orphans_insert(orphans, record, &orphan);
        if (r != 0)
            return r;
    } else if (orphan->record->is_doomed) {
        record_unref(record);
        return 0;
    }
    orphan->added = now;
    orphan->is_listed = true;
    orphans_set(orphans, orphan, record, generation);
    return 0;
}

void orphans_remove(Orphans *orphans, Orphan *orphan)
{
    size_t place = orphans_place(orphans, orphan->record->id, orphan->record->url);

    assert(orphans->items[place] == orphan);
    orphans->n_doomed -= orphan->record->is_doomed;
    orphan_free(orphan);
    orphans->n_items--;
    memmove(orphans->items + place, orphans->items + place + 1,
            (orphans->n_items - place) * sizeof(*orphans->items));
}
