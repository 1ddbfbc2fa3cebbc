#pragma once

/*
 * An answer of the platform as HTTP gave it to us, and what platform_read() makes of it.
 */

#include "daemon/platform.h"

/* Outcomes, for tables of them. */
#define OK           PLATFORM_DONE
#define ABSENT       PLATFORM_ABSENT
#define REFUSED      PLATFORM_REFUSED
#define UNAUTHORIZED PLATFORM_UNAUTHORIZED
#define FORBIDDEN    PLATFORM_FORBIDDEN
#define BUSY         PLATFORM_BUSY
#define UNKNOWN      PLATFORM_UNKNOWN

/* What was asked, by owner "o" of the instance 42, and the answer. All is borrowed. */
typedef struct Ask {
    PlatformMethod method;
    const char *text;
    size_t size; /* 0: strlen(text) */
    int status;
    usec_t retry_after;
    const char *next_page;
    const char *problem;
    bool is_broken;   /* the connection ended before the body */
    bool is_not_sent; /* nothing of the request's body had left */
} Ask;

/* The caller releases it; see platform_answer_deinit(). */
PlatformAnswer ask_read(const Ask *ask);

void ask_assert_outcome(const Ask *ask, PlatformOutcome expected);

/* A body as HTTP collects it; the caller releases it. */
Buffer ask_body_of_bytes(const char *text, size_t size);
Buffer ask_body_of(const char *text);
