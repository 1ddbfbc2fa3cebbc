#pragma once

/*
 * Worker: does jobs that may take their time, one after the other, each on a thread of its own.
 *
 * A job is whatever its maker wants it to be. While it is under way its thread has it alone: the loop touches nothing in it
 * but what is atomic, and the thread touches nothing else that may go before the process does. All else, and the job before
 * and afterwards, is the loop's.
 *
 * The loop never waits for a thread, not even for one that has said that it is done, since they stand back for it
 * (base/thread.h). The thread of the next job allocates where the last one did, and may hold a lock for that while it stands
 * back: what run() has made and others are to free is better copied in done(), before another job begins.
 */

#include <event2/event.h>

#include "base/cleanup.h"
#include "base/clock.h"

/* How long the end of a worker waits for a job that hangs: in a name service, or in a file system that is gone. */
#define WORKER_PATIENCE_USEC (2 * USEC_PER_SEC)

typedef struct Worker Worker;

typedef struct WorkerOperations {
    /* On the loop, while no job is under way: one may be begun. */
    void (*next)(void *userdata);
    /* On the thread; what comes of it is left in the job. */
    void (*run)(void *job);
    /* On the loop: the job has been done, and is lent. The next one may be begun. */
    void (*done)(void *userdata, void *job);
    /* On the loop, once for each job that was begun and not given up: after done(), or without it at the end. */
    void (*free)(void *job);
} WorkerOperations;

/* `operations` must live as long as the process. 0 or -errno. */
int worker_new(struct event_base *base, const WorkerOperations *operations, void *userdata,
               Worker **ret_worker);

/*
 * Nobody is told any more; not from within next() or done(). Waits for a job that is under way, and frees it; one that hangs is
 * given up after WORKER_PATIENCE_USEC: it goes on until the process ends, and all that it has stays its own, with the
 * descriptor by which it says that it is done. NULL is fine. Returns NULL.
 */
Worker *worker_free(Worker *worker);

DEFINE_FREEP(Worker, worker_free)

/* Has next() called, once and not before this returns; not at all if a job is under way then, since done() follows on that. */
void worker_wake(Worker *worker);

/* Begins a job; none may be under way. 0: it is the worker's. -errno: it is still the caller's, and another one may be begun. */
int worker_begin(Worker *worker, void *job);
