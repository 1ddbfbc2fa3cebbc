#pragma once

/*
 * Wait: a call that waits, in the queue of what it waits for. Pure: the deadline is only noted, and whoever
 * embeds the wait keeps it.
 *
 * Limits: WAITING_PER_UID_MAX, WAIT_MAX_USEC, WATCHES_PER_UID_MAX, WATCHES_MAX
 */

#include "ipc/call.h"
#include "ipc/quota.h"

typedef struct Wait Wait;

struct Wait {
    TAILQ_ENTRY(Wait) link; /* in `call.queue` while it is active */
    Call call;
    usec_t deadline; /* boot-time clock; USEC_INFINITY for a watch */
    QuotaCharge charge;
    bool is_active;

    /* For a unit that waits for a credential, all borrowed while it is active; NULL: a call waits. */
    const char *unit;
    const char *credential;
    usec_t begin; /* of the unit's wait, and when it will be over; boot-time clock */
    usec_t end;

    /* What it waits for has changed, or goes: set by whoever embeds the wait. May end and free it, but no other. */
    void (*on_change)(Wait *wait);
};

/* Waits in `call->queue`, units before all others, on behalf of `call->peer`. 0, QUOTA_E_* or -ENOMEM. */
int wait_begin(Wait *wait, const Call *call, Quota *quota, usec_t now);

/* Waits no more. Fine on one that is not active. */
void wait_end(Wait *wait);

/* Tells all that wait in `queue` now; those that begin meanwhile are not told. */
void wait_tell_all(WaitQueue *queue);
