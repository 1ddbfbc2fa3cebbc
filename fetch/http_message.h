#pragma once

/*
 * A request and its answer, as daemon/http.h and fetch/fetch.h take and give them.
 */

#include <stdbool.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/secret.h"

/* All is borrowed for the call that starts it alone, but `body`, of which a reference is taken. */
typedef struct HttpRequest {
    const char *method;
    const char *url;             /* https, or http to a loopback address */
    const Secret *authorization; /* value of the Authorization header */
    Secret *body;                /* JSON, or NULL */
    const char *ca_file;         /* NULL: the system's certificates */
    usec_t timeout;              /* for all of it, from connecting to the last byte */
} HttpRequest;

/* Why there is no whole answer, as far as that makes a difference to a person. */
typedef enum HttpFailure {
    HTTP_FAILURE_OTHER,            /* or none */
    HTTP_FAILURE_CERTIFICATE,      /* the server's is not trusted */
    HTTP_FAILURE_CERTIFICATE_TIME, /* the server's is not valid at the time that our clock shows */
} HttpFailure;

typedef struct HttpAnswer {
    int status;       /* 0: none came */
    bool is_complete; /* the body is all that the server announced; false when there is no answer */
    bool is_sent;     /* the server can have seen the request's body */
    Buffer body;      /* what came of it */
    usec_t retry_after; /* 0: none; at most RETRY_AFTER_MAX_USEC */
    char *next_page;    /* value of Elements-Next-Page-Token, or NULL */
    char *problem;      /* why there is no whole answer, in words; NULL when there is one */
    HttpFailure failure;
} HttpAnswer;

/* Called on the loop, never before the start returns. The slot is gone. `answer` is the caller's until the return. */
typedef void (*HttpHandler)(void *userdata, HttpAnswer *answer);
