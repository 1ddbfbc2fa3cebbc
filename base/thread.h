#pragma once

/*
 * Thread: one that does some work of its own beside the loop.
 */

#include <pthread.h>

/* As pthread_create(3), but with all signals blocked in the thread, since they are the loop's. 0 or -errno. */
int thread_start(pthread_t *ret_thread, void *(*function)(void *argument), void *argument);

/*
 * Ends with a thread that has said that its work is done: as pthread_join(3) if it has ended by now, else it ends by itself.
 * One that stands back may take long to come to its end, and whoever serves clients must not wait for that (measured: 36 ms).
 */
void thread_leave(pthread_t thread);

/*
 * Lets the calling thread, and none of the others, stand back for threads that have clients to serve: what it does takes
 * milliseconds of a processor, and it would take that of the loop the moment that it is woken, and keep it until the next
 * tick of the kernel (measured: a p99 of 2.4 ms instead of 1). What it starts afterwards stands back as well.
 *
 * Source: sched_setattr(2); nice(2), a value that each thread of Linux has of its own; SCHED_BATCH in sched(7); "EEVDF
 * Scheduler" in the kernel's documentation: since 6.12, sched_runtime is the length of a turn, and the shorter one goes first.
 */
void thread_stand_back(void);

/*
 * Between two pieces of long work of a thread that stands back: sleeps for 50 us or little more, so that whoever waits for the
 * processor has it.
 *
 * The kernel alone does not see to that: what it had a thread wait for before, the thread may make up for in one piece, with the
 * loop awake and waiting (measured, Linux 6.18: 1 ms while 1,000 records are written). The price: on a processor that clients
 * keep busy, the thread has less than the share that it would have had.
 *
 * Source: "lag" in the documentation of the EEVDF scheduler. Not sched_yield(2): 6.18 has whoever yields forgo his next turns.
 */
void thread_give_way(void);
