#pragma once

/*
 * Guard: accept4() in a way that a kill of this process cannot close what was taken up before its peer has been told.
 *
 * The connection is taken up by a process beside this one, which shares its descriptors and its memory and does nothing else:
 * it waits until it is told to end. When this process is killed meanwhile, the guard lets go of all descriptors but that one and
 * calls the handler. It ends no later than that. (CLONE_FILES, CLONE_VM; PR_SET_PDEATHSIG.)
 *
 * Not covered: what kills both at once, as SIGKILL to all processes of the service, or the kernel when it is out of memory,
 * which ends all that share the memory of the one it has chosen. Before Linux 5.16 a core dump did so, too: this process must
 * not be dumpable (PR_SET_DUMPABLE in prctl(2)).
 *
 * For one thread, the one of the loop, in whose errno the guard may leave EINTR when somebody stops it and lets it go on. Blocks
 * for as long as it takes to start a process, some 100 µs.
 * Source: clone(2), PR_SET_PDEATHSIG in prctl(2), futex(2)
 */

#include "base/cleanup.h"

typedef struct Guard Guard;

/*
 * Called in the guard, with this process dead: `fd` is the connection, and stdin, stdout and stderr are there still. It must not
 * allocate, nor take any lock: threads that ended may hold it for ever. All signals are blocked.
 */
typedef void (*GuardHandler)(int fd);

/* 0 or -ENOMEM. */
int guard_new(GuardHandler on_death, Guard **ret_guard);

/* guard_end() first. NULL is fine. Returns NULL. */
Guard *guard_free(Guard *guard);

DEFINE_FREEP(Guard, guard_free)

/*
 * As accept4() of the non-blocking `fd`, errno included; the connection is non-blocking and closed on exec. It is guarded from
 * then on, until guard_end(), which must be called before the next one. Where no guard can be had, it is taken up all the same.
 */
int guard_accept(Guard *guard, int fd);

/* The connection may be closed from now on. Idempotent, and also if none was taken up. */
void guard_end(Guard *guard);
