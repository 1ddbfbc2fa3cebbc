#pragma once

/*
 * HTTP: a request in, an answer out, on the loop.
 *
 * A wall: it knows nothing else of the daemon, and behind it is another process, elementd-http (fetch/), which is
 * started by systemd or by us (daemon/http_helper.h), with the first request or before it (http_prepare()), and holds all
 * that has to do with the network. What that process says is believed as
 * far as an answer of the platform is: a frame that breaks a rule ends it, and so does a request that gets no answer.
 *
 * A request is sent once: libcurl is kept from repeating one (fetch/fetch.h), and when the process has ended, nobody
 * repeats what had been handed over to it whole. Such a request with a body counts as sent (`is_sent`), and its outcome as
 * unknown; one that was not handed over waits for the next process.
 *
 * Limits: HTTP_REQUESTS_MAX, HTTP_REQUEST_BODY_BYTES_MAX, HTTP_BODY_BYTES_MAX, HTTP_TURN_BYTES_MAX,
 * HTTP_START_PAUSE_USEC, HTTP_GRACE_USEC
 */

#include <event2/event.h>

#include "base/cleanup.h"
#include "fetch/http_message.h"

typedef struct Http Http;
typedef struct HttpSlot HttpSlot;

/* At most `n_connections` connections are open. 0 or -errno. */
int http_new(struct event_base *base, unsigned n_connections, Http **ret_http);

/* From now on at most so many; those that are open beyond that close when they are idle. */
void http_set_connections(Http *http, unsigned n_connections);

/* Starts the other process soon, so that the first request does not wait for it. */
void http_prepare(Http *http);

/* All slots must be gone. Ends the other process. NULL is fine. Returns NULL. */
Http *http_free(Http *http);

DEFINE_FREEP(Http, http_free)

/* 0 or -errno: then nothing was sent and the handler is not called. Starts no process itself: the loop does. */
int http_start(Http *http, const HttpRequest *request, HttpHandler handler, void *userdata,
               HttpSlot **ret_slot);

/* Cancels: the handler is not called. NULL is fine. Returns NULL. */
HttpSlot *http_slot_free(HttpSlot *slot);

DEFINE_FREEP(HttpSlot, http_slot_free)
