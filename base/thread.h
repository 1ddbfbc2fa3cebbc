#pragma once

/*
 * Thread: one that does some work of its own beside the loop.
 */

#include <pthread.h>

/* As pthread_create(3), but with all signals blocked in the thread, since they are the loop's. 0 or -errno. */
int thread_start(pthread_t *ret_thread, void *(*function)(void *argument), void *argument);
