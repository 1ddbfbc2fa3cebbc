#pragma once

/*
 * Thread: one that does some work of its own beside the loop.
 */

#include <pthread.h>

/* As pthread_create(3), but with all signals blocked in the thread, since they are the loop's. 0 or -errno. */
int thread_start(pthread_t *ret_thread, void *(*function)(void *argument), void *argument);

/*
 * Lets the calling thread, and none of the others, stand back for threads that have clients to serve: what it does takes
 * milliseconds of a processor, and it would take that of the loop the moment that it is woken (measured: a p99 of 2.4 ms
 * instead of 1). Source: setpriority(2), by which each thread of Linux has a nice value of its own; SCHED_BATCH in sched(7).
 */
void thread_stand_back(void);
