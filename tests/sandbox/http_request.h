#pragma once

/*
 * HTTP request: what a client asked, whole.
 *
 * Filled in line by line by the connection that reads it, then handed to whoever serves it. It may
 * outlive its connection: a server goes on working on a request whose client has gone.
 *
 * Limits: HTTP_REQUEST_*_MAX below
 * Source: RFC 9112
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/clock.h"

/* Request line and header lines together: an Authorization header with a token of 64 KiB fits. */
#define HTTP_REQUEST_HEAD_MAX (256 * 1024)

/* Header lines. */
#define HTTP_REQUEST_HEADERS_MAX 128

/* The platform takes 8 MB; what is larger is answered 413. */
#define HTTP_REQUEST_BODY_MAX (8 * 1024 * 1024)

enum {
    HTTP_REQUEST_E_MALFORMED = 1,
    HTTP_REQUEST_E_TOO_MANY, /* HTTP_REQUEST_HEADERS_MAX */
};

typedef struct HttpConn HttpConn;

typedef struct HttpHeader {
    char *name;
    char *value;
} HttpHeader;

typedef struct HttpRequest {
    char *method;
    char *target; /* as sent */
    char *path;   /* of the target, still percent-encoded */
    char *query;  /* "" where there is none */
    HttpHeader *headers;
    size_t n_headers;
    Buffer body;
    bool is_keep_alive;
    usec_t started;      /* realtime, when the head was complete */
    uint64_t connection; /* its number, from 1 */
    HttpConn *conn;      /* borrowed; NULL once the client is gone or answered */
} HttpRequest;

/* An empty request. 0 or -ENOMEM. */
int http_request_new(HttpRequest **ret_request);

/* NULL is fine. Returns NULL. A connection that still waits for an answer then waits forever. */
HttpRequest *http_request_free(HttpRequest *request);

DEFINE_FREEP(HttpRequest, http_request_free)

/* "POST /path?query HTTP/1.1". 0, HTTP_REQUEST_E_MALFORMED or -ENOMEM. */
int http_request_parse_line(HttpRequest *request, const char *line);

/* "Name: value". 0, HTTP_REQUEST_E_* or -ENOMEM. */
int http_request_parse_header(HttpRequest *request, const char *line);

/* The first header of that name in any case, or NULL; borrowed. */
const char *http_request_find_header(const HttpRequest *request, const char *name);

/* Whether header `name` lists `word`, in any case. */
bool http_request_has_word(const HttpRequest *request, const char *name, const char *word);
