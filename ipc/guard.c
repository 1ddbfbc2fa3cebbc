#include "ipc/guard.h"

#include <assert.h>
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the handler needs, and what a sanitizer or tests/faults add to that. */
#define GUARD_STACK_BYTES (128 * 1024)

/* Wakes the guard, which never handles it. */
#define GUARD_SIGNAL SIGUSR1

/* Guard.state, which the kernel sets to 0 when the guard ends (CLONE_CHILD_CLEARTID). */
enum { GUARD_ENDED = 0, GUARD_STARTED = 1, GUARD_ACCEPTED = 2 };

struct Guard {
    GuardHandler on_death;
    pid_t self;       /* this process */
    pid_t pid;        /* of the guard; 0: there is none */
    int listening_fd; /* for it */
    int fd;           /* what it has taken up */
    int error;        /* or why not; 0 and no descriptor: it did not come to that */
    sigset_t signal;  /* GUARD_SIGNAL */
    _Atomic int state;
    _Atomic bool is_over; /* nothing is to be guarded any more */
    _Alignas(16) char stack[GUARD_STACK_BYTES];
};

/* ---- in the guard: errno and all that is thread-local is the daemon's, which sleeps while `state` is GUARD_STARTED ---- */

static void guard_close_all_but(int fd)
{
    /* It has but one thread left to it, and the table to itself. */
    if (fd > STDERR_FILENO + 1)
        (void)close_range(STDERR_FILENO + 1, (unsigned)fd - 1, 0);
    (void)close_range((unsigned)fd + 1, ~0U, 0);
}

static int guard_run(void *userdata)
{
    Guard *guard = userdata;

    if (prctl(PR_SET_PDEATHSIG, GUARD_SIGNAL) < 0 || getppid() != guard->self)
        return 1;
    guard->fd = accept4(guard->listening_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (guard->fd < 0) {
        guard->error = errno;
        return 1;
    }
    atomic_store(&guard->state, GUARD_ACCEPTED);
    (void)syscall(SYS_futex, &guard->state, FUTEX_WAKE, 1, NULL, NULL, 0);
    /* When its parent's thread has ended the parent may be another one, which ends too: then there is one more signal. */
    while (!atomic_load(&guard->is_over)) {
        if (getppid() != guard->self) {
            guard_close_all_but(guard->fd);
            guard->on_death(guard->fd);
            break;
        }
        /* Not by libc, for which it is a cancellation point: it would write what is the daemon's thread's. */
        (void)syscall(SYS_rt_sigtimedwait, &guard->signal, NULL, NULL, _NSIG / 8);
    }
    return 0;
}

/* ---- in the daemon ---- */

static void guard_reap(Guard *guard)
{
    while (waitpid(guard->pid, NULL, __WCLONE) < 0 && errno == EINTR)
        ;
    guard->pid = 0;
}

/* Returns when the guard has a connection, or has ended without one. */
static int guard_start(Guard *guard, int fd)
{
    sigset_t all, before;

    guard->self = getpid();
    guard->listening_fd = fd;
    guard->fd = -1;
    guard->error = 0;
    atomic_store(&guard->is_over, false);
    atomic_store(&guard->state, GUARD_STARTED);
    /* The guard's for good; ours until it has an answer, since a handler would share errno with it. */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    guard->pid = clone(guard_run, guard->stack + sizeof(guard->stack),
                       CLONE_VM | CLONE_FILES | CLONE_CHILD_CLEARTID, guard, NULL, NULL,
                       &guard->state);
    if (guard->pid < 0)
        guard->pid = 0;
    while (guard->pid > 0 && atomic_load(&guard->state) == GUARD_STARTED)
        (void)syscall(SYS_futex, &guard->state, FUTEX_WAIT, GUARD_STARTED, NULL, NULL, 0);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return guard->pid > 0 ? 0 : -EAGAIN;
}

int guard_accept(Guard *guard, int fd)
{
    struct pollfd pollfd = {.fd = fd, .events = POLLIN};

    assert(guard->pid == 0);
    /* A guard for nothing would be as expensive as one for a connection. */
    if (poll(&pollfd, 1, 0) == 0) {
        errno = EAGAIN;
        return -1;
    }
    if (guard_start(guard, fd) == 0) {
        if (guard->fd >= 0)
            return guard->fd;
        guard_reap(guard);
        if (guard->error != 0) {
            errno = guard->error;
            return -1;
        }
    }
    return accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

void guard_end(Guard *guard)
{
    if (guard->pid == 0)
        return;
    atomic_store(&guard->is_over, true);
    (void)kill(guard->pid, GUARD_SIGNAL);
    guard_reap(guard);
}

int guard_new(GuardHandler on_death, Guard **ret_guard)
{
    Guard *guard = calloc(1, sizeof(*guard));

    if (!guard)
        return -ENOMEM;
    guard->on_death = on_death;
    (void)sigemptyset(&guard->signal);
    (void)sigaddset(&guard->signal, GUARD_SIGNAL);
    *ret_guard = guard;
    return 0;
}

Guard *guard_free(Guard *guard)
{
    if (!guard)
        return NULL;
    assert(guard->pid == 0);
    free(guard);
    return NULL;
}
