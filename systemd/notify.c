#include "systemd/notify.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <systemd/sd-daemon.h>

bool notify_is_on(void)
{
    return getenv("NOTIFY_SOCKET") != NULL;
}

void notify_ready(void)
{
    (void)sd_notify(0, "READY=1");
}

void notify_status(const char *status)
{
    (void)sd_notifyf(0, "STATUS=%s", status);
}

void notify_reloading(void)
{
    struct timespec now;

    /* sd_notify(3): MONOTONIC_USEC= is of CLOCK_MONOTONIC, which is not our boot-time clock. */
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
                     (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / 1000);
}

void notify_stopping(void)
{
    (void)sd_notify(0, "STOPPING=1");
}

void notify_watchdog(void)
{
    (void)sd_notify(0, "WATCHDOG=1");
}

usec_t notify_watchdog_interval(void)
{
    uint64_t interval;

    return sd_watchdog_enabled(0, &interval) > 0 ? interval / 2 : 0;
}

void notify_keep_fd(int fd, const char *name)
{
    char state[128];
    int n;

    n = snprintf(state, sizeof(state), "FDSTORE=1\nFDNAME=%s", name);
    if (n > 0 && (size_t)n < sizeof(state))
        (void)sd_pid_notify_with_fds(0, 0, state, &fd, 1);
}
