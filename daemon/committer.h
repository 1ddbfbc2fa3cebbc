#pragma once

/*
 * Committer: decides when what has changed is written, and says what came of it.
 *
 * One change that comes alone goes out at once. While answers are expected a commit waits for more of them, and after one that has
 * failed for STORE_RETRY_USEC.
 */

#include "daemon/engine.h"
#include "daemon/gate.h"
#include "daemon/registry.h"
#include "daemon/store.h"

typedef struct Committer {
    Store *store;
    Registry *registry;
    const Gates *gates;
    const Engine *engine;
    const char *folder;
    DigestKey key;
    usec_t begin;        /* of the last commit */
    usec_t after;        /* no commit before, since the last one failed; 0: at once */
    usec_t gather_until; /* no commit before, unless no answer is expected */
    int error;           /* of the last commit */
} Committer;

/* All but the key, which is copied, are borrowed and live as long; `folder`, where the records are, is for messages. */
void committer_init(Committer *committer, Store *store, const DigestKey *key, Registry *registry,
                    const Gates *gates, const Engine *engine, const char *folder);

/* Begins a commit, if something has changed, none is under way and it is time. */
void committer_run(Committer *committer, usec_t now);

/* When committer_run() may begin one, if that is later than `now`, which is that of its last call; else USEC_INFINITY. */
usec_t committer_due(const Committer *committer, usec_t now);

/* For the store: a commit of all up to `generation` is over; `error` is 0 or -errno. The registry is told. */
void committer_done(Committer *committer, uint64_t generation, int error);

/*
 * At the end: what no commit has taken up yet is written for the next run, and waited for; and so is, before that, a commit that is
 * under way, of which the store tells its handler.
 */
void committer_finish(Committer *committer);
