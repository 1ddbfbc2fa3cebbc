#pragma once

/*
 * Changes: all instances in the order in which they last changed, so that a watch needs a number and no queue. Pure.
 *
 * Each change has a number, from 1. Whoever has seen all up to a number finds what has changed since at the end of the
 * list: each instance once, as it is now, however often it has changed. A new watch has seen 0.
 *
 * While it is listed, an instance has a slot, by which a set (a bit each) tells it from the others.
 *
 * Limits: CHANGES_SLOTS
 */

#include "base/limits.h"
#include "ipc/served.h"

/* Twice what may be declared: a reload may tell of the new ones before the old ones go. */
#define CHANGES_SLOTS (2 * INSTANCES_MAX)

typedef struct ChangesSet {
    uint64_t words[CHANGES_SLOTS / 64];
} ChangesSet;

typedef struct Changes {
    TAILQ_HEAD(ChangesList, Served) instances; /* by Served.change */
    uint64_t n;                                /* the number of the last change */
    ChangesSet slots;                          /* those that are taken */
    size_t next_slot;                          /* where a free one is looked for first */
} Changes;

void changes_init(Changes *changes);

/* Lists no instance any more; those that still are must still be there. */
void changes_deinit(Changes *changes);

/* `served` has changed, or is new. Without a free slot it is not listed, and no watch tells of it. */
void changes_note(Changes *changes, Served *served);

/* Lists `served` no more, and gives its slot to another one. Fine on one that is not listed. */
void changes_remove(Changes *changes, Served *served);

/* The oldest change that came after `seen`, and the one after `served`; NULL: there is none. */
const Served *changes_find(const Changes *changes, uint64_t seen);
const Served *changes_next(const Served *served);

/* Sets begin zeroed. One that is not listed is in no set. */
bool changes_set_has(const ChangesSet *set, const Served *served);
void changes_set_add(ChangesSet *set, const Served *served);
