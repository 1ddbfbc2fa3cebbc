#pragma once

/*
 * Registry: every instance that is declared or recorded, with its state, and the orphans. Sole owner of tokens and
 * records.
 *
 * An entry's record is always the newest one; what clients get is the newest that is durable. Changes
 * count up a generation, and a commit says up to which one everything is on disk.
 *
 * Limits: INSTANCES_MAX (declared, and recorded), ORPHANS_MAX
 */

#include <stdbool.h>

#include "config/config.h"
#include "daemon/entry.h"
#include "daemon/entry_index.h"
#include "daemon/gate.h"
#include "daemon/orphans.h"
#include "daemon/plan.h"
#include "daemon/store.h"
#include "systemd/log.h"

typedef struct Registry {
    Config *config;   /* a reference */
    usec_t work_time; /* for which the platform may go on with a creation that we lost touch with */
    Entry **entries;  /* by name */
    size_t n_entries;
    EntryIndex index; /* of them */
    size_t n_declared;
    Orphans orphans;
    bool
        is_removal_held; /* the configuration may be more than was seen: what is not in it is not taken for removed */
    uint64_t generation;         /* of the changes that are made now; begins at 1 */
    uint64_t durable_generation; /* everything up to it is on disk */
    bool has_changes;            /* that no commit has taken up yet */
} Registry;

void registry_init(Registry *registry);

/* No tasks may be under way, and nobody wait for an entry. Fine on a zeroed or half-filled one. */
void registry_deinit(Registry *registry);

/*
 * Fills an empty registry with what is recorded, all of which counts as durable, and then as registry_apply(). `now` is
 * of the boot-time clock. 0 or -ENOMEM.
 */
int registry_fill(Registry *registry, Config *config, StoreLoad *load, Gates *gates, usec_t now);

/*
 * Makes `config` (of which a reference is taken) what is declared, and its accounts the gates: for the start and for each
 * reload alike. Says in `change` of each entry what that means. Tokens that must not be given out any more are not shown
 * from then on; telling anybody is the caller's business. 0, or -ENOMEM: then nothing has changed.
 */
int registry_apply(Registry *registry, Config *config, Gates *gates, usec_t now);

/* Frees the entries that are over. None of them may be in a queue or have a task. */
void registry_reap(Registry *registry);

/* Borrowed; NULL when there is none. */
Entry *registry_find(const Registry *registry, const char *name, size_t size);

/* A changeable copy of the entry's newest record; where there is none, one that has but its name. 0 or -ENOMEM. */
int registry_edit(const Entry *entry, Record **ret_record);

/*
 * Makes `record` (whose reference is taken, also NULL) the newest of `entry`. `is_urgent`: it must become durable now; else it
 * goes with the next commit, and is served at once.
 */
void registry_put(Registry *registry, Entry *entry, Record *record, bool is_urgent);

/* Whether `record` speaks of something else than is declared now: then its token must not be given out. */
bool registry_is_foreign(const Entry *entry, const Record *record);

bool registry_is_durable(const Registry *registry, const Entry *entry);

/*
 * Ends the current generation: *ret_snapshot holds all records as they are now, and the return is the
 * generation to be reported by registry_committed() when it is durable. 0: no memory; nothing changed.
 */
uint64_t registry_snapshot(Registry *registry, Snapshot *ret_snapshot);

/* Everything up to `generation` is on disk: entries may be served from. */
void registry_committed(Registry *registry, uint64_t generation);

/* A commit failed: what it held is to be committed again. */
void registry_not_committed(Registry *registry);

/* Brings `entry->served` up to date with the entry and `plan`. Whether something that clients see has changed. */
bool registry_publish(Entry *entry, const Plan *plan, const TroubleNote *problem, usec_t now);

/* What a log line about the entry carries; all borrowed from it. */
LogFields registry_log_fields(const Entry *entry, const char *message_id);

/* How many declared entries are in each state. */
void registry_count(const Registry *registry, unsigned ret_counts[static SERVED_N_STATES]);
