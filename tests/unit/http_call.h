#pragma once

/*
 * A request to a server that a test holds in its hand (tests/unit/origin.h), and what came of it.
 */

#include "daemon/http.h"
#include "tests/unit/origin.h"

/* Answers as they stand on the wire. */
#define OK_ANSWER   "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
#define HEAD(lines) "HTTP/1.1 200 OK\r\n" lines "\r\n"

typedef struct HttpFixture {
    struct event_base *base;
    Http *http;
    Origin *origin;
    Secret *authorization;
} HttpFixture;

/* One request, and what came of it. */
typedef struct HttpCall {
    HttpSlot *slot;
    unsigned n_answers;
    int status;
    bool is_complete;
    bool is_sent;
    char *body;
    size_t size;
    usec_t retry_after;
    char *next_page;
    char *problem;
    struct HttpCall *cancels; /* another, to be cancelled when this one is answered */
} HttpCall;

/* For cmocka. */
int http_call_setup(void **state);
int http_call_teardown(void **state);

/* The same, for a test that needs a ceiling of its own: so many connections at most. */
void http_call_setup_with(void **state, unsigned n_connections);

/* A body of so many bytes; the caller's. */
Secret *http_call_body(size_t size);

/* Starts a request: a POST when there is a body. `call` must stay where it is until http_call_deinit(). */
void http_call_start_url(HttpFixture *fixture, HttpCall *call, const char *url, Secret *body,
                         usec_t timeout);
void http_call_start(HttpFixture *fixture, HttpCall *call, Secret *body);
void http_call_await(HttpFixture *fixture, HttpCall *call);

/* Cancels what is under way, and forgets all. */
void http_call_deinit(HttpCall *call);

/* A whole request; a POST with a body of so many bytes. */
HttpCall http_call_get(HttpFixture *fixture);
HttpCall http_call_post(HttpFixture *fixture, size_t size);

/* How many POSTs have come. */
unsigned http_call_count_posts(const Origin *origin);
