#include "base/thread.h"

#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

/* A tenth of the weight of the loop, where both want the same processor. */
#define THREAD_NICE 10

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

void thread_stand_back(void)
{
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), THREAD_NICE);
    (void)sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){});
}
