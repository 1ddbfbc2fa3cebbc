#pragma once

/*
 * Fetch: a request in, an answer out, on the loop. The one place where libcurl is used.
 *
 * One multi handle, connections reused, HTTP/2 where the server offers it, no redirects, TLS verified, bodies
 * bounded. It is the far end of daemon/http.h, in a process of its own.
 *
 * A request is sent once. libcurl repeats a request on a fresh connection when a reused one turns out to be dead; that it
 * cannot do here once a byte of the body has left, since the body cannot be rewound. So for a request with a
 * body `is_sent` tells whether the server can have acted on it.
 *
 * Limits: HTTP_BODY_BYTES_MAX, HTTP_HEADER_BYTES_MAX
 * Source: libcurl-multi(3), CURLMOPT_SOCKETFUNCTION(3), CURLOPT_SEEKFUNCTION(3)
 */

#include <event2/event.h>

#include "base/cleanup.h"
#include "fetch/http_message.h"

typedef struct Fetch Fetch;
typedef struct FetchSlot FetchSlot;

/* Priorities of the loop, so that requests that have begun go before those that have not: the last one is for these. */
#define FETCH_PRIORITIES 3

/*
 * At most `n_connections` connections are open. Initialises libcurl. 0 or -errno; -EINVAL for a loop with fewer than
 * FETCH_PRIORITIES.
 */
int fetch_new(struct event_base *base, unsigned n_connections, Fetch **ret_fetch);

/* From now on at most so many; those that are open beyond that close when they are idle. */
void fetch_set_connections(Fetch *fetch, unsigned n_connections);

/* All slots must be gone. NULL is fine. Returns NULL. */
Fetch *fetch_free(Fetch *fetch);

DEFINE_FREEP(Fetch, fetch_free)

/* 0 or -errno: then nothing was sent and the handler is not called. */
int fetch_start(Fetch *fetch, const HttpRequest *request, HttpHandler handler, void *userdata,
                FetchSlot **ret_slot);

/* Cancels: the handler is not called. NULL is fine. Returns NULL. */
FetchSlot *fetch_slot_free(FetchSlot *slot);

DEFINE_FREEP(FetchSlot, fetch_slot_free)
