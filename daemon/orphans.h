#pragma once

/*
 * Orphans: instances on the platform that carry our tag and that nothing here uses.
 *
 * They come from files that went (with "on-remove": "keep"), from declarations that speak of something else now, from
 * duplicates, and from look-ups that show what nobody has declared. They are told, kept across restarts, and forgotten
 * when the platform does not list them any more. Deleted are those alone whose file said so: daemon/remove.h.
 *
 * Limits: ORPHANS_MAX
 */

#include "daemon/engine.h"
#include "daemon/record.h"

typedef struct Orphan {
    Record *record;      /* newest; immutable, as all records */
    uint64_t generation; /* of the registry, in which `record` last changed */

    /* Of this run; times of the boot-time clock. */
    usec_t added;
    usec_t retry;     /* not deleted before */
    EngineTask *task; /* its removal */
    bool is_listed;   /* the look-up that is being matched shows it */
    char *problem;    /* why it is still there, or NULL */
} Orphan;

typedef struct Orphans {
    Orphan **items; /* by id, then URL */
    size_t n_items;
    size_t n_doomed; /* to be deleted */
} Orphans;

enum {
    ORPHANS_E_FULL = 1, /* ORPHANS_MAX */
};

/* Cancels removals. Fine on a zeroed one. */
void orphans_deinit(Orphans *orphans);

/*
 * Adds the instance that `record` speaks of, which must have an id, a URL and a reason, and takes the reference of
 * `record`; in place of an orphan of that id and URL, unless that one is to be deleted already. 0, ORPHANS_E_FULL or
 * -ENOMEM: then the reference is still the caller's.
 */
int orphans_add(Orphans *orphans, Record *record, uint64_t generation, usec_t now);

/* Borrowed, or NULL. */
Orphan *orphans_find(const Orphans *orphans, int64_t id, const char *url);

/* Replaces the record of one that is there; takes the reference of `record`. */
void orphans_set(Orphans *orphans, Orphan *orphan, Record *record, uint64_t generation);

/* Frees it, and cancels its removal. */
void orphans_remove(Orphans *orphans, Orphan *orphan);
