#pragma once

/*
 * Fetch server: what is asked by the frames of a socket is fetched, and the answers go back.
 *
 * The far end of daemon/http.c. It serves one socket, says nothing to anybody else, and believes what it reads as far as
 * fetch/http_wire.h does: a frame that breaks a rule ends it.
 *
 * Limits: HTTP_REQUESTS_MAX, HTTP_TURN_BYTES_MAX
 */

#include <event2/event.h>

#include "base/cleanup.h"

typedef struct FetchServer FetchServer;

/* Called on the loop, once: the other end has gone (`error` 0), or nothing can go on (-errno). */
typedef void (*FetchServerEnded)(void *userdata, int error);

/*
 * Greets. `fd` is non-blocking and stays the caller's, who closes it after the server is freed. `base` needs FETCH_PRIORITIES
 * (fetch/fetch.h). 0 or -errno.
 */
int fetch_server_new(struct event_base *base, int fd, FetchServerEnded ended, void *userdata,
                     FetchServer **ret_server);

/* Cancels all that is under way. NULL is fine. Returns NULL. */
FetchServer *fetch_server_free(FetchServer *server);

DEFINE_FREEP(FetchServer, fetch_server_free)
