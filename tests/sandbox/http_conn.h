#pragma once

/*
 * HTTP connection: bytes to requests and answers to bytes, over a bufferevent with or without TLS.
 *
 * One request at a time: the next one of a pipeline is read when the answer is out. A connection frees
 * itself when the client goes, when an answer ends it or when it is aborted, and tells its owner.
 *
 * Source: RFC 9112
 */

#include <stdbool.h>
#include <stdint.h>

#include <event2/bufferevent.h>
#include <openssl/ssl.h>

#include "tests/sandbox/http_answer.h"
#include "tests/sandbox/http_request.h"

typedef enum HttpAbort {
    HTTP_ABORT_CLOSE, /* FIN, and no TLS close_notify */
    HTTP_ABORT_RESET, /* RST */
} HttpAbort;

/* What a connection tells its owner. All are called from the loop. */
typedef struct HttpConnHooks {
    void (*on_request)(void *userdata, HttpRequest *request); /* takes the request */
    void (*on_handshake)(void *userdata, bool is_resumed);
    void (*on_close)(void *userdata); /* one has been freed */
    void *userdata;
} HttpConnHooks;

/* All connections of an owner. */
typedef struct HttpConnList {
    HttpConn *first;
    size_t n;
} HttpConnList;

/*
 * Takes `fd` and `ssl` (NULL: plain), also on failure, and joins `list`, where it stays until it is freed.
 * `hooks` is borrowed. 0 or -ENOMEM.
 */
int http_conn_new(struct event_base *base, int fd, SSL *ssl, uint64_t number, HttpConnList *list,
                  const HttpConnHooks *hooks);

/* Closes at once. NULL is fine. Returns NULL. */
HttpConn *http_conn_free(HttpConn *conn);

/*
 * Answers `request`, which stays the caller's and no longer has a connection. False when the client had
 * gone before.
 */
bool http_conn_answer(HttpRequest *request, const HttpAnswer *answer);

/* Ends the connection of `request` without an answer. False as above. */
bool http_conn_abort(HttpRequest *request, HttpAbort how);

/* For http_request_free() alone: its connection waits forever. */
void http_conn_forget(HttpConn *conn);
