#pragma once

/*
 * HTTP answer: status, headers and body, and the ways in which its delivery may go wrong on purpose.
 *
 * A plain value; http_conn_answer() turns it into bytes.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

/* An answer: a list of 200 instances with the largest configurations, or all requests seen so far. */
#define HTTP_ANSWER_BODY_MAX ((size_t)512 * 1024 * 1024)

/* Extra header lines of one answer. */
#define HTTP_ANSWER_HEADERS_MAX (1024 * 1024)

typedef struct HttpAnswer {
    unsigned status;
    const char
        *content_type; /* static or borrowed; NULL: JSON, or nothing where the body is empty */
    Buffer headers;    /* whole lines */
    Buffer body;
    bool is_closing; /* close the connection after it */

    /* Deliberate faults; zero is the plain delivery. */
    bool is_raw;       /* the body is all that is sent, without a head */
    bool is_truncated; /* only send_max bytes of the body, then close */
    size_t send_max;
    bool is_chunked;
    bool is_last_chunk_omitted; /* … and close */
    size_t chunk_size;          /* 0: the whole body is one */
    uint64_t filler;            /* so many spaces follow the body */
    uint64_t bytes_per_sec;     /* 0: at once */
} HttpAnswer;

#define HTTP_ANSWER_INIT                                                                           \
    ((HttpAnswer){                                                                                 \
        .status = 200,                                                                             \
        .headers = BUFFER_INIT(HTTP_ANSWER_HEADERS_MAX),                                           \
        .body = BUFFER_INIT(HTTP_ANSWER_BODY_MAX),                                                 \
    })

/* The answer is then empty and usable again. */
void http_answer_deinit(HttpAnswer *answer);

/* Adds one header line; bytes of `value` that would end the line are left out. 0, BUFFER_E_FULL or -ENOMEM. */
int http_answer_add_header(HttpAnswer *answer, const char *name, const char *value);

/* Status line and all header lines with the empty one after them. 0, BUFFER_E_FULL or -ENOMEM. */
int http_answer_format_head(const HttpAnswer *answer, Buffer *head);
