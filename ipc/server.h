#pragma once

/*
 * Server: the Varlink socket, its connections and their calls.
 *
 * Owns listeners and connections. Asks the daemon through ServerOperations, and is told of changes
 * by server_changed() and server_removed(). Single-threaded, on the caller's loop.
 *
 * Limits: CONNECTIONS_MAX, CONNECTIONS_PER_UID_MAX, WAITING_PER_UID_MAX, REQUEST_BYTES_MAX,
 * REPLY_BYTES_MAX, CONN_UNREAD_BYTES_MAX, CONN_IDLE_USEC, CONN_REQUEST_USEC
 */

#include <event2/event.h>

#include "ipc/served.h"

typedef struct Server Server;

/* What the daemon can be asked. Called on the loop; none may block or call back into the server. */
typedef struct ServerOperations {
    /* The instance of that name (`size` bytes, not NUL-terminated), or NULL. */
    Served *(*find)(void *userdata, const char *name, size_t size);

    /* The instance behind `previous` in the order of names, the first one for NULL; NULL at the end. */
    Served *(*next)(void *userdata, const Served *previous);
} ServerOperations;

/* `operations` and `userdata` must live as long as the server. 0 or -errno. */
int server_new(struct event_base *base, const ServerOperations *operations, void *userdata,
               Server **ret_server);

/* Drops all connections without further ado. NULL is fine. Returns NULL. */
Server *server_free(Server *server);

DEFINE_FREEP(Server, server_free)

/* Takes the listening socket `fd` over (also on failure) and accepts on it. 0 or -errno. */
int server_listen(Server *server, int fd);

/*
 * Accepts no more, answers what has been read, with NotReady for calls that wait, and sends what is left to be sent
 * as far as the sockets take it now.
 */
void server_stop(Server *server);

/* Something in the daemon's part of `served` has changed: answers the calls that waited for it. */
void server_changed(Server *server, Served *served);

/* `served` is about to go: answers the calls that wait for it with NoSuchInstance. */
void server_removed(Server *server, Served *served);

/* Connections that are open. */
unsigned server_n_connections(const Server *server);
