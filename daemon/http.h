#pragma once

/*
 * HTTP: a request in, an answer out, on the loop. The one place where libcurl is used.
 *
 * A wall: it knows nothing else of the daemon, so that it can become a process of its own. One multi
 * handle, connections reused, HTTP/2 where the server offers it, no redirects, TLS verified, bodies bounded.
 *
 * A request is sent once. libcurl repeats a request on a fresh connection when a reused one turns out to be dead; that it
 * cannot do here once a byte of the body has left, since the body cannot be rewound. So for a request with a
 * body `is_sent` tells whether the server can have acted on it.
 *
 * Limits: HTTP_BODY_BYTES_MAX, HTTP_HEADER_BYTES_MAX
 * Source: libcurl-multi(3), CURLMOPT_SOCKETFUNCTION(3), CURLOPT_SEEKFUNCTION(3)
 */

#include <event2/event.h>
#include <stdbool.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/secret.h"

typedef struct Http Http;
typedef struct HttpSlot HttpSlot;

/* All is borrowed for the call of http_start() alone, but `body`, of which a reference is taken. */
typedef struct HttpRequest {
    const char *method;
    const char *url;             /* https, or http to a loopback address */
    const Secret *authorization; /* value of the Authorization header */
    Secret *body;                /* JSON, or NULL */
    const char *ca_file;         /* NULL: the system's certificates */
    usec_t timeout;              /* for all of it, from connecting to the last byte */
} HttpRequest;

typedef struct HttpAnswer {
    int status;       /* 0: none came */
    bool is_complete; /* the body is all that the server announced; false when there is no answer */
    bool is_sent;     /* the server can have seen the request's body */
    Buffer body;      /* what came of it */
    usec_t retry_after; /* 0: none; at most RETRY_AFTER_MAX_USEC */
    char *next_page;    /* value of Elements-Next-Page-Token, or NULL */
    char *problem;      /* why there is no whole answer, in words; NULL when there is one */
} HttpAnswer;

/* Called on the loop, never before http_start() returns. The slot is gone. `answer` is the caller's until the return. */
typedef void (*HttpHandler)(void *userdata, HttpAnswer *answer);

/* At most `n_connections` connections are open. Initialises libcurl. 0 or -errno. */
int http_new(struct event_base *base, unsigned n_connections, Http **ret_http);

/* From now on at most so many; those that are open beyond that close when they are idle. */
void http_set_connections(Http *http, unsigned n_connections);

/* All slots must be gone. NULL is fine. Returns NULL. */
Http *http_free(Http *http);

DEFINE_FREEP(Http, http_free)

/* 0 or -errno: then nothing was sent and the handler is not called. */
int http_start(Http *http, const HttpRequest *request, HttpHandler handler, void *userdata,
               HttpSlot **ret_slot);

/* Cancels: the handler is not called. NULL is fine. Returns NULL. */
HttpSlot *http_slot_free(HttpSlot *slot);

DEFINE_FREEP(HttpSlot, http_slot_free)
