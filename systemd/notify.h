#pragma once

/*
 * What the service manager is told of us: ready, status, reloading, stopping, alive.
 *
 * All calls do nothing when nobody listens ($NOTIFY_SOCKET unset). None can block for long: the socket is a datagram
 * socket of the manager's.
 *
 * Source: sd_notify(3), sd_watchdog_enabled(3); FDSTORE=1 in sd_pid_notify_with_fds(3), FileDescriptorStoreMax= in
 * systemd.service(5)
 */

#include <stdbool.h>

#include "base/clock.h"

/* Whether anybody listens. */
bool notify_is_on(void);

void notify_ready(void);

/* STATUS=: one line for `systemctl status`. */
void notify_status(const char *status);

/* RELOADING=1 with its time stamp; notify_ready() must follow, whatever the reload's outcome. */
void notify_reloading(void);

void notify_stopping(void);

void notify_watchdog(void);

/*
 * Has the manager keep a copy of `fd`: should this process end, activation_take_kept() of the next one finds it under `name`.
 * The manager forgets it when both directions of the connection are shut down, and when the service is stopped.
 */
void notify_keep_fd(int fd, const char *name);

/* How often notify_watchdog() is due: half of what the manager waits for; 0 when it does not watch. */
usec_t notify_watchdog_interval(void);
