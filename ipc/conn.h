#pragma once

/*
 * Connection: the socket of one client, and when the loop tells of it.
 *
 * Each wake-up makes at most one read and one send: what has come is given to the session (ipc/session.h), which
 * answers it, and what it answered is sent at once; the loop is asked for room to write only when the socket
 * is full. While a call waits or watches, nothing is read.
 *
 * A new connection is read from at once, and once more at the end of the turn, before the loop is asked to tell of it: a
 * client that wanted one thing has gone by then, and what epoll was to be told twice it need not be told at all.
 *
 * While there are several users, the time that each wake-up takes is held against its user. The connections of a user
 * who is busy have a lower priority: they are served when nobody else is to be, and after each TURN_SLICE_USEC the loop looks
 * whether somebody else is. So however much one user asks for, another one waits for no more than that.
 *
 * A connection ends at the end of a wake-up, in one place: because the peer has gone, because it broke a rule, or because
 * something failed; the latter two are logged. A peer that only ends its sending still gets its answers.
 *
 * Limits: CONNECTIONS_MAX, CONNECTIONS_PER_UID_MAX, UNREAD_BYTES_PER_UID_MAX, UNREAD_BYTES_MAX, CONN_IDLE_USEC, CONN_REQUEST_USEC,
 * CONN_FAREWELL_USEC, TURN_SLICE_USEC, and those of ipc/session.h
 */

#include <event2/event.h>

#include "ipc/session.h"

/* Of the loop, which needs so many. */
#define CONN_N_PRIORITIES 3

typedef struct Conn Conn;

/* What the connections of a server share; outlives them, and stays where it is. */
typedef struct ConnShared {
    struct event_base *base;
    SessionShared sessions;
    TAILQ_HEAD(Conns, Conn) conns;
    unsigned n_conns;
    TAILQ_HEAD(ConnsFresh, Conn) fresh; /* new ones that the loop does not know yet */
    struct event *settle;               /* looks at those once more, at the end of the turn */
    usec_t slice;                       /* spent on busy users since the loop last looked around */
    LogRate log_ends;
    LogRate log_refusals;
} ConnShared;

/* 0 or -errno, -EBUSY: the loop has too few priorities, and events to tell of; conn_shared_deinit() is due in any case. */
int conn_shared_init(ConnShared *shared, struct event_base *base,
                     const ServerOperations *operations, void *userdata);

/* Asserts that there are no connections any more. */
void conn_shared_deinit(ConnShared *shared);

/* The one behind `previous`, the first one for NULL; NULL at the end. */
Conn *conn_next(const ConnShared *shared, const Conn *previous);

/*
 * Serves the connected, non-blocking socket `fd`, whose other end is `peer`: takes both over, whatever becomes of
 * them, and reads at once. What keeps it from being served is logged here.
 */
void conn_open(ConnShared *shared, int fd, Peer *peer);

/* Closes at once. NULL is fine. Returns NULL. */
Conn *conn_free(Conn *conn);

/*
 * Until when a request of it is to be awaited although the server stops (boot-time clock; CONN_FAREWELL_USEC): it has
 * connected and not asked yet, or begun to ask. 0: it has what it asked for.
 */
usec_t conn_farewell(const Conn *conn);

/* The socket, for poll(2). */
int conn_fd(const Conn *conn);

/* A wake-up: reads and answers what has come, and may free the connection. */
void conn_hear(Conn *conn);

/* Answers what has come, lets nothing wait any more, sends what the socket takes now, and frees. */
void conn_stop(Conn *conn);

/* Frees the connection if its next step was due before `now` (boot-time clock). */
void conn_sweep(Conn *conn, usec_t now);
