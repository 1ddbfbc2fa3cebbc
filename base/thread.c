#include "base/thread.h"

#include <signal.h>

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
