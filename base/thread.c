#include "base/thread.h"

#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A tenth of the weight of the loop, where both want the same processor. */
#define THREAD_NICE 10

/* The longest and the shortest turn that can be asked for: whoever has a shorter one goes first when it is woken. */
#define THREAD_LONG_TURN_NSEC  (100 * UINT64_C(1000000))
#define THREAD_SHORT_TURN_NSEC (100 * UINT64_C(1000))
#define THREAD_USUAL_TURN_NSEC 0

/* struct sched_attr of sched_setattr(2): linux/sched/types.h cannot be included beside sched.h. */
typedef struct ThreadAttributes {
    uint32_t size;
    uint32_t policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period; /* ns */
} ThreadAttributes;

int thread_start(pthread_t *ret_thread, void *(*function)(void *argument), void *argument)
{
    sigset_t all, old;
    int r;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    r = pthread_create(ret_thread, NULL, function, argument);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    return -r;
}

void thread_leave(pthread_t thread)
{
    if (pthread_tryjoin_np(thread, NULL) != 0)
        (void)pthread_detach(thread);
}

static void thread_set(int policy, int nice, uint64_t turn)
{
    const ThreadAttributes attributes = {
        .size = sizeof(attributes),
        .policy = (uint32_t)policy,
        .nice = nice,
        .runtime = turn,
    };

    /* glibc has a function for it since 2.41. Where it is not allowed, the two that it stands for may be. */
    if (syscall(SYS_sched_setattr, 0, &attributes, 0) == 0)
        return;
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), nice);
    (void)sched_setscheduler(0, policy, &(struct sched_param){});
}

/* That of the service manager stays. */
static int thread_nice(void)
{
    return getpriority(PRIO_PROCESS, (id_t)gettid());
}

void thread_go_first(void)
{
    if (sched_getscheduler(0) == SCHED_OTHER) /* else the service manager has given it more */
        thread_set(SCHED_OTHER, thread_nice(), THREAD_SHORT_TURN_NSEC);
}

void thread_let_others_finish(void)
{
    thread_set(SCHED_BATCH, thread_nice(), THREAD_USUAL_TURN_NSEC);
}

void thread_stand_back(void)
{
    thread_set(SCHED_BATCH, THREAD_NICE, THREAD_LONG_TURN_NSEC);
}
