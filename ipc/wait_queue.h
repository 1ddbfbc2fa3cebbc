#pragma once

/*
 * Wait queue: the calls that wait for one thing: for an instance, for the end of a reload, or for the platform.
 *
 * Apart from ipc/wait.h, so that what is waited for need not know calls.
 */

#include <sys/queue.h>

struct Wait;

typedef TAILQ_HEAD(WaitQueue, Wait) WaitQueue;
