#include "ipc/wait.h"

#include <assert.h>

int wait_begin(Wait *wait, const Call *call, Quota *quota, usec_t now)
{
    int r = 0;

    assert(!wait->is_active && call->queue &&
           (call->is_watch || call->is_list || call->timeout > 0));
    /* A list is over soon, unless its peer does not read; then its connection is. */
    if (!call->is_list)
        r = quota_charge(quota, call->peer->uid, call->is_watch ? QUOTA_WATCHES : QUOTA_WAITING,
                         &wait->charge);
    if (r != 0)
        return r;
    wait->call = *call;
    wait->deadline = call->is_watch || call->is_list ? USEC_INFINITY
                                                     : clock_add(now, call->timeout);
    wait->is_active = true;
    if (wait->unit)
        TAILQ_INSERT_HEAD(call->queue, wait, link);
    else
        TAILQ_INSERT_TAIL(call->queue, wait, link);
    return 0;
}

void wait_end(Wait *wait)
{
    if (!wait->is_active)
        return;
    TAILQ_REMOVE(wait->call.queue, wait, link);
    quota_release(&wait->charge);
    call_end(&wait->call);
    wait->is_active = false;
}

void wait_tell_all(WaitQueue *queue)
{
    WaitQueue told = TAILQ_HEAD_INITIALIZER(told);
    Wait *wait;

    TAILQ_CONCAT(&told, queue, link);
    while ((wait = TAILQ_FIRST(&told))) {
        /* Back in its place first: on_change() may end it there, or leave it. */
        TAILQ_REMOVE(&told, wait, link);
        TAILQ_INSERT_TAIL(queue, wait, link);
        wait->on_change(wait);
    }
}
