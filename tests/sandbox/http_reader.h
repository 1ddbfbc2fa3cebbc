#pragma once

/*
 * HTTP request reader: bytes as they arrive to one request at a time.
 *
 * Owns the request until it is complete. Takes both kinds of body, by length and chunked; an unread byte
 * after a request stays in the input.
 *
 * Limits: HTTP_REQUEST_*_MAX
 * Source: RFC 9112
 */

#include <event2/buffer.h>

#include "tests/sandbox/http_request.h"

typedef enum HttpReaderState {
    HTTP_READER_LINE,
    HTTP_READER_HEADERS,
    HTTP_READER_BODY,
    HTTP_READER_CHUNK_SIZE,
    HTTP_READER_CHUNK_DATA,
    HTTP_READER_CHUNK_END,
    HTTP_READER_TRAILERS,
} HttpReaderState;

typedef enum HttpReaderResult {
    HTTP_READER_WAITS,    /* for more bytes */
    HTTP_READER_COMPLETE, /* http_reader_take() gives the request */
    HTTP_READER_REFUSES,  /* with status and message; nothing more can be read */
} HttpReaderResult;

/* All zero: nothing was read. */
typedef struct HttpReader {
    HttpReaderState state;
    HttpRequest *request; /* owned, NULL between two */
    size_t head_size;
    uint64_t left; /* of the body, or of the chunk */
    bool is_continue_wanted;
    unsigned status;     /* of a refusal */
    const char *message; /* static */
} HttpReader;

/* Frees what was begun. */
void http_reader_deinit(HttpReader *reader);

/* Consumes from `input` what belongs to the request. */
HttpReaderResult http_reader_read(HttpReader *reader, struct evbuffer *input);

/* The complete request, which is then the caller's; the reader is ready for the next one. */
HttpRequest *http_reader_take(HttpReader *reader);

/* Whether the client waits for "100 Continue" before its body; true once a request. */
bool http_reader_wants_continue(HttpReader *reader);
