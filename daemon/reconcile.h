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

    usec_t due;          /* the earliest time at which reconciler_tick() has something to do */
    char *store_problem; /* why the last commit failed, or NULL */
    bool is_stopping;    /* nothing new is begun */
    unsigned n_begun;    /* creations whose intent is recorded and whose answer is not in */
    struct EntryQueue waiting; /* for room to begin a creation */
} Reconciler;

/* All is borrowed, and must live as long as the reconciler. */
void reconciler_init(Reconciler *reconciler, Registry *registry, Gates *gates, Engine *engine,
                     const ReconcilerOperations *operations, void *userdata);

/* Cancels what is under way. Its outcome is then unknown, as after a crash. */
void reconciler_deinit(Reconciler *reconciler);

void reconciler_all(Reconciler *reconciler);

/* Everything that is due by now; sets `due` anew. */
void reconciler_tick(Reconciler *reconciler);

/* A commit has ended: `error` is 0 or -errno. To be called after registry_committed() or registry_not_committed(). */
void reconciler_committed(Reconciler *reconciler, int error);

/* ---- for the steps (daemon/steps.h) ---- */

void reconciler_entry(Reconciler *reconciler, Entry *entry);

/* All entries of the gate's account. */
void reconciler_gate(Reconciler *reconciler, const Gate *gate);

const Settings *reconciler_settings(const Reconciler *reconciler);

/* registry_put(), and a commit soon when it is urgent. */
void reconciler_put(Reconciler *reconciler, Entry *entry, Record *record, bool is_urgent);

/* gate_pause(), for what `answer` says, and gate_open(); each is told when it is news. */
void reconciler_pause(Reconciler *reconciler, Gate *gate, const PlatformAnswer *answer);
void reconciler_open(Reconciler *reconciler, Gate *gate);

/* ---- for the end ---- */

/* Begins nothing more and cancels all but creations that have been sent. How many of those there are. */
unsigned reconciler_stop(Reconciler *reconciler);
