#pragma once

/*
 * Wire: what elementd and elementd-http say to each other, as bytes and back. Pure.
 *
 * A frame is its length (32 bits, of what follows), its type (8 bits), the id of the request (64 bits), and the
 * fields of its type, all little-endian; texts come with their size. The far end begins with a greeting. Each request
 * that was handed over whole has exactly one end, also when it was cancelled; before it come the pieces of the answer's
 * body. An id is used once.
 *
 * Neither end believes the other: sizes have ceilings, texts are texts, and what is left over in a frame breaks it.
 *
 * Limits: HTTP_METHOD_BYTES_MAX, HTTP_URL_BYTES_MAX, HTTP_AUTHORIZATION_BYTES_MAX, HTTP_CA_FILE_BYTES_MAX,
 * HTTP_REQUEST_BODY_BYTES_MAX, HTTP_PIECE_BYTES_MAX, HTTP_NEXT_PAGE_BYTES_MAX, HTTP_PROBLEM_BYTES_MAX
 */

#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "fetch/http_message.h"

enum {
    HTTP_WIRE_E_MORE = 1, /* the frame is not there whole */
    HTTP_WIRE_E_BROKEN,   /* no frame that may come from there */
};

/* Changes with what is said: a daemon that outlives an update must not talk to a program that means something else. */
#define HTTP_WIRE_VERSION 2

#define HTTP_WIRE_PREFIX_BYTES 13

/* The largest of each direction, whole. */
#define HTTP_WIRE_TO_FAR_BYTES_MAX                                                                 \
    (HTTP_WIRE_PREFIX_BYTES + 64 + HTTP_METHOD_BYTES_MAX + HTTP_URL_BYTES_MAX +                    \
     HTTP_AUTHORIZATION_BYTES_MAX + HTTP_CA_FILE_BYTES_MAX + HTTP_REQUEST_BODY_BYTES_MAX)
#define HTTP_WIRE_TO_NEAR_BYTES_MAX                                                                \
    (HTTP_WIRE_PREFIX_BYTES + 64 + HTTP_PIECE_BYTES_MAX + HTTP_NEXT_PAGE_BYTES_MAX +               \
     HTTP_PROBLEM_BYTES_MAX)

typedef enum HttpWireType {
    /* To the far end. */
    HTTP_WIRE_REQUEST = 1,
    HTTP_WIRE_CANCEL,
    HTTP_WIRE_CONNECTIONS, /* at most so many from now on */
    /* To the near end. */
    HTTP_WIRE_HELLO = 64,
    HTTP_WIRE_PIECE, /* of the body */
    HTTP_WIRE_END,   /* of the request, with all of the answer but its body */
} HttpWireType;

typedef enum HttpWireEnd {
    HTTP_WIRE_FAR,  /* the frame is for the far end */
    HTTP_WIRE_NEAR, /* for the near end */
} HttpWireEnd;

/* Bytes within the buffer that was parsed; `data` is NULL when there are none, "" when they are no bytes. */
typedef struct HttpWireBytes {
    const char *data;
    size_t size;
} HttpWireBytes;

typedef struct HttpWireFrame {
    HttpWireType type;
    uint64_t id;     /* 0 where it is about no request */
    uint32_t number; /* CONNECTIONS: how many; HELLO: the version */
    /* REQUEST. Method, url and ca_file end with a NUL, which does not count. */
    HttpWireBytes method;
    HttpWireBytes url;
    HttpWireBytes ca_file;
    HttpWireBytes authorization;
    HttpWireBytes body; /* PIECE: of the answer */
    usec_t timeout;
    /* END. Both are UTF-8 without control characters. */
    int status;
    bool is_complete;
    bool is_sent;
    HttpFailure failure;
    usec_t retry_after;
    HttpWireBytes next_page;
    HttpWireBytes problem;
} HttpWireFrame;

/*
 * The frame at the beginning of `input`, which has *ret_size bytes; what it points at lives until `input` is changed.
 * 0 or HTTP_WIRE_E_*.
 */
int http_wire_parse(const Buffer *input, HttpWireEnd end, HttpWireFrame *ret_frame,
                    size_t *ret_size);

/*
 * Each appends one frame: 0, BUFFER_E_FULL when it is larger than `output` or a rule of this protocol allows, or
 * -ENOMEM; then `output` is as it was.
 */
int http_wire_put_number(Buffer *output, HttpWireType type, uint32_t number);
int http_wire_put_cancel(Buffer *output, uint64_t id);
int http_wire_put_piece(Buffer *output, uint64_t id, const char *data, size_t size);

/* All but the bytes of the body, which the frame ends with: these the caller sends after it. */
int http_wire_put_request(Buffer *output, uint64_t id, const HttpRequest *request);

/* A problem that is no clean text goes as far as it is one. */
int http_wire_put_end(Buffer *output, uint64_t id, const HttpAnswer *answer);
