#pragma once

/*
 * Reconciler: brings what is declared and what the platform has together, one step after the other.
 *
 * Start, timer, finished request and finished commit all end in reconciler_entry(), for one entry or for all:
 * it gathers the facts, asks plan_next(), has the step carried out (daemon/steps.h), and shows the result.
 *
 * Single-threaded, on the loop; never blocks.
 */

#include "daemon/engine.h"
#include "daemon/gate.h"
#include "daemon/registry.h"

/* What the reconciler needs of its owner. */
typedef struct ReconcilerOperations {
    /* Clients see something else of `entry` than before. */
    void (*changed)(void *userdata, Entry *entry);

    /* Records have changed, or something is due earlier than was said: look at registry and `due` soon. */
    void (*wake)(void *userdata);
} ReconcilerOperations;

typedef struct Reconciler {
    Registry *registry;
    Gates *gates;
    Engine *engine;
    const ReconcilerOperations *operations;
    void *userdata;
    const Config *common; /* what is known of the first configuration while that is read, or NULL */

    usec_t due;            /* the earliest time at which reconciler_tick() has something to do */
    char *store_problem;   /* why the last commit failed, or NULL */
    Trouble store_trouble; /* its kind */
    usec_t store_since;    /* realtime: since when commits fail */
    usec_t store_retry;    /* boot-time clock: when the next one is due */
    bool is_stopping;      /* nothing new is begun */
    unsigned n_begun;      /* creations whose intent is recorded and whose answer is not in */
    struct EntryQueue waiting; /* for room to begin a creation */
    struct EntryQueue turns;   /* to be verified, one after the other */
    usec_t next_turn;          /* not before */
    Entry *turn;               /* whose turn it is now, or NULL */
    bool has_ended;            /* some entries are over */
} Reconciler;

/* All is borrowed, and must live as long as the reconciler. */
void reconciler_init(Reconciler *reconciler, Registry *registry, Gates *gates, Engine *engine,
                     const ReconcilerOperations *operations, void *userdata);

/* Cancels what is under way. Its outcome is then unknown, as after a crash. */
void reconciler_deinit(Reconciler *reconciler);

void reconciler_all(Reconciler *reconciler);

/*
 * Makes `config` what is declared, for the start and for each reload alike (registry_apply()), and lets go of what was
 * under way for something else. Clients are told by the caller, by `change` of each entry; then follows
 * reconciler_all(). 0, or -ENOMEM: then nothing has changed.
 */
int reconciler_apply(Reconciler *reconciler, Config *config);

/* A program was told 401 with `token`: to be verified soon, unless that token is not the one that is served any more. */
void reconciler_report(Reconciler *reconciler, Entry *entry, const char *token, size_t size);

/*
 * Whatever the entry or its account waits for, or has failed with, is tried again soon. Of a creation under another owner
 * this is a person's word that it has come to nothing.
 */
void reconciler_retry(Reconciler *reconciler, Entry *entry);

/* Everything that is due by now; sets `due` anew. */
void reconciler_tick(Reconciler *reconciler);

/*
 * A commit has ended: `error` is 0 or -errno, and `before` the generation that was durable before it. To be called after
 * registry_committed() or registry_not_committed().
 */
void reconciler_committed(Reconciler *reconciler, uint64_t before, int error);

/* ---- for the steps (daemon/steps.h) ---- */

void reconciler_entry(Reconciler *reconciler, Entry *entry);

/* All entries of the gate's account. */
void reconciler_gate(Reconciler *reconciler, const Gate *gate);

const Settings *reconciler_settings(const Reconciler *reconciler);

/* Whether what became of the entry's POST can be seen by another owner's tag alone. */
bool reconciler_is_elsewhere(const Reconciler *reconciler, const Entry *entry);

/* Cancels what is under way for the entry. */
void reconciler_cancel(Entry *entry);

/* The entry is neither declared nor recorded any more: it goes when nobody looks. */
void reconciler_end(Reconciler *reconciler, Entry *entry);

/* registry_put(), and a commit soon when it is urgent. */
void reconciler_put(Reconciler *reconciler, Entry *entry, Record *record, bool is_urgent);

/* gate_pause(), for what `answer` says, and gate_open(); each is told when it is news. */
void reconciler_pause(Reconciler *reconciler, Gate *gate, const PlatformAnswer *answer);
void reconciler_open(Reconciler *reconciler, Gate *gate);

/* ---- for the end ---- */

/* Begins nothing more and cancels all but creations that have been sent. How many of those there are. */
unsigned reconciler_stop(Reconciler *reconciler);
