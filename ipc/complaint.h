#pragma once

/*
 * Complaint: a line in the log that a peer is the cause of. It says who, and no peer can flood the log with it.
 */

#include "ipc/peer.h"
#include "systemd/log.h"

/* So many lines of a kind in so long. */
#define COMPLAINT_BURST    10
#define COMPLAINT_INTERVAL (60 * USEC_PER_SEC)

#define COMPLAINT_RATE_INIT ((LogRate){.interval = COMPLAINT_INTERVAL, .burst = COMPLAINT_BURST})

/* "WHAT (uid, pid): WHY" at `now` (boot-time clock), if `rate` allows it; a rate each kind of line. */
void complaint_log(LogRate *rate, usec_t now, const Peer *peer, const char *what, const char *why);
