#pragma once

/*
 * Server: the Varlink socket, its connections and their calls.
 *
 * Owns listeners and connections. Asks the daemon through ServerOperations, and is told of changes
 * by server_changed() and server_removed(). Single-threaded, on the caller's loop.
 *
 * Limits: SERVER_LISTENERS_MAX, CONN_FAREWELL_USEC, and those of ipc/conn.h and ipc/listener.h
 */

#include <event2/event.h>

#include "base/cleanup.h"
#include "ipc/peer.h"
#include "ipc/served.h"
#include "ipc/server_operations.h"

typedef struct Server Server;

/* One socket unit may list several sockets; nobody has needed more than two. */
#define SERVER_LISTENERS_MAX 8

/* Priorities of the loop (event_base_priority_init()); to be set before anything is on it. */
#define SERVER_PRIORITIES 3

/*
 * `operations` and `userdata` must live as long as the server. 0 or -errno; -EOPNOTSUPP for a loop that cannot tell of
 * edges (EV_FEATURE_ET): libevent takes poll(2) where epoll(7) fails, and calls that wait would spin there.
 * -EBUSY for one without SERVER_PRIORITIES that has events to tell of already.
 */
int server_new(struct event_base *base, const ServerOperations *operations, void *userdata,
               Server **ret_server);

/*
 * Drops all connections without further ado. Not from inside ServerOperations; and while what it serves is still
 * there, or after server_removed() of it. NULL is fine. Returns NULL.
 */
Server *server_free(Server *server);

DEFINE_FREEP(Server, server_free)

/* Takes the listening socket `fd` over (also on failure) and accepts on it. 0 or -errno. */
int server_listen(Server *server, int fd);

/* Serves the connected socket `fd` of `peer`, as if it had been accepted; takes both over, whatever becomes of them. */
void server_serve(Server *server, int fd, Peer *peer);

/*
 * Accepts no more, answers what has come, with NotReady for calls that wait (InvalidConfiguration for those that
 * wait for a reload, PlatformUnavailable for those that wait for the platform), sends what is left to be sent as far as the
 * sockets take it now, and closes all connections.
 * Clients that have just connected, or begun to ask, are heard out: it returns after CONN_FAREWELL_USEC at the latest.
 * Idempotent.
 */
void server_stop(Server *server);

/*
 * Something in the daemon's part of `served` has changed, or it is new: answers the calls that waited for it, and tells
 * those that watch.
 */
void server_changed(Server *server, Served *served);

/* `served` is about to go: answers the calls that wait for it or watch it with NoSuchInstance, and finds it no more. */
void server_removed(Server *server, Served *served);

/* There is an answer of the platform: answers the calls that waited for it. ServerOperations.find_description() has it. */
void server_described(Server *server);

/* A reload is over: answers the calls that waited for it. ServerOperations.find_reload() has what came of it. */
void server_reloaded(Server *server);

/* Connections that are open. */
unsigned server_n_connections(const Server *server);

/* Closes connections that are overdue at `now` (boot-time clock). The server itself does so every few seconds. */
void server_sweep(Server *server, usec_t now);
