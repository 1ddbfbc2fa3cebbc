#pragma once

/*
 * An HTTP server that does what a test tells it, byte by byte, on the test's own loop.
 *
 * It answers the requests that arrive, in their order over all connections, with the turns that were queued for it;
 * when there are none left, they wait for the next to be added. Nothing but the length of a request is understood.
 */

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include "base/buffer.h"
#include "base/clock.h"

/* How long something that must happen may take. */
#define ORIGIN_PATIENCE_USEC (30 * USEC_PER_SEC)

enum {
    ORIGIN_TURNS_MAX = 512,
    ORIGIN_REQUESTS_MAX = 512,
};

/* When a turn is taken. */
typedef enum OriginWhen {
    ORIGIN_AT_REQUEST, /* all of a request has come */
    ORIGIN_AT_HEAD,    /* its head has come, and a byte of its body; none is read after that */
    ORIGIN_AT_ACCEPT,  /* a connection has come; no byte is read */
} OriginWhen;

/* What follows the answer. */
typedef enum OriginEnd {
    ORIGIN_KEEP,  /* the next request */
    ORIGIN_CLOSE, /* an orderly end */
    ORIGIN_RESET, /* a reset; what has not been read is lost */
    ORIGIN_HANG,  /* nothing */
} OriginEnd;

typedef struct OriginTurn {
    OriginWhen when;
    const char *answer; /* borrowed; NULL: nothing */
    size_t size;        /* 0: strlen(answer) */
    OriginEnd end;
} OriginTurn;

typedef struct OriginRequest {
    unsigned connection; /* 0, 1, … */
    Buffer text;         /* with a NUL behind it that does not belong to it */
} OriginRequest;

typedef struct Origin {
    struct event_base *base; /* borrowed */
    int fd;
    unsigned port;
    struct event *event;
    LIST_HEAD(OriginConns, OriginConn) conns;
    OriginTurn turns[ORIGIN_TURNS_MAX];
    size_t n_turns;
    size_t n_taken;
    OriginRequest requests[ORIGIN_REQUESTS_MAX]; /* that have come whole */
    size_t n_requests;
    unsigned n_accepted;
    unsigned n_open;
    unsigned n_open_max;
    unsigned n_ended; /* by the other side */
} Origin;

/* Listens on a port of the loopback address. The caller's. */
Origin *origin_new(struct event_base *base);

/* Returns NULL. */
Origin *origin_free(Origin *origin);

/* Listens no more: who connects is refused. */
void origin_refuse(Origin *origin);

void origin_add(Origin *origin, const OriginTurn *turn);

/* Queues an answer to a request, after which the connection is kept. */
void origin_answer(Origin *origin, const char *answer);

/* The text of a request that has come, NUL-terminated. */
const char *origin_request(const Origin *origin, size_t i);

/* "http://127.0.0.1:PORT/PATH" in static storage. */
const char *origin_url(const Origin *origin, const char *path);

/* Runs the loop until *number is at least `n`; fails when that takes too long. */
void origin_await(const Origin *origin, const unsigned *number, unsigned n);
void origin_await_requests(const Origin *origin, size_t n);

/* Runs the loop for so long. */
void origin_idle(const Origin *origin, usec_t period);
