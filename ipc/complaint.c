#include "ipc/complaint.h"

#include "systemd/messages.h"

void complaint_log(LogRate *rate, usec_t now, const Peer *peer, const char *what, const char *why)
{
    unsigned n_suppressed;

    if (!log_rate_allows(rate, now, &n_suppressed))
        return;
    if (n_suppressed > 0)
        log_event(LOG_NOTICE, MESSAGE_LEFT_OUT, "%s: %u more like this were not logged", what,
                  n_suppressed);
    log_event(LOG_NOTICE, MESSAGE_CLIENT, "%s (uid %u, pid %d): %s", what, (unsigned)peer->uid,
              (int)peer->pid, why);
}
