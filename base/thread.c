#include "base/thread.h"

#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* A tenth of the weight of the loop, where both want the same processor. */
#define THREAD_NICE 10

/* The longest turn that can be asked for: whoever has a shorter one goes first when it is woken. */
#define THREAD_SLICE_NSEC (100 * UINT64_C(1000000))

/* Longer by PR_SET_TIMERSLACK, prctl(2). */
#define THREAD_SLEEP_NSEC 50000

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

void thread_stand_back(void)
{
    const ThreadAttributes attributes = {
        .size = sizeof(attributes),
        .policy = SCHED_BATCH,
        .nice = THREAD_NICE,
        .runtime = THREAD_SLICE_NSEC,
    };

    /* glibc has a function for it since 2.41. Where it is not allowed, the two that it stands for may be. */
    if (syscall(SYS_sched_setattr, 0, &attributes, 0) == 0)
        return;
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), THREAD_NICE);
    (void)sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){});
}

void thread_give_way(void)
{
    static const struct timespec moment = {.tv_nsec = THREAD_SLEEP_NSEC};

    (void)nanosleep(&moment, NULL);
}
