#pragma once

/*
 * What the JSON reader told, as text, so that a test can say it in one literal: an event a line, as
 *
 *     PATH {          opens, likewise [
 *     PATH }          closes, likewise ]
 *     PATH = VALUE    null, true, 12, "text" (bytes as they are, NUL as \0)
 *
 * with "KEY: " before it where there is a key and, with TRACE_POSITIONS, " @LINE:COLUMN" (and " key LINE:COLUMN")
 * behind it. A path that is NULL is "?".
 */

#include <stddef.h>

#include "base/buffer.h"
#include "base/json.h"

/* A flag of trace_read() and trace_assert_*_of(), beside those of json_read(). */
#define TRACE_POSITIONS (1U << 16)

typedef struct Trace {
    Buffer text;
    const char *source; /* what is read, when positions are to be told */
    unsigned depth;
    size_t n_events;
    size_t stop_at; /* the event whose handler says no, from 1; 0: none */
} Trace;

/*
 * What json_read() returns. Whatever that is, `text` of the trace is to be released by the caller, and ends with a
 * NUL. Of the trace before the call only `stop_at` counts; `ret_error` may be NULL.
 */
int trace_read(Trace *trace, const char *text, size_t size, unsigned flags, JsonError *ret_error);

/* A handler that takes all events. */
int trace_ignore(void *userdata, const JsonEvent *event);

/* Asserts that a document makes just these events. */
void trace_assert_events_of(const char *text, size_t size, unsigned flags, const char *expected);
void trace_assert_events(const char *text, const char *expected);

/* Asserts that a document is none because of an error there, whose message has `words` in it. */
void trace_assert_error_of(const char *text, size_t size, unsigned flags, unsigned line,
                           unsigned column, const char *words);
void trace_assert_error(const char *text, unsigned line, unsigned column, const char *words);

/* The same with comments allowed. */
void trace_assert_commented_error(const char *text, unsigned line, unsigned column,
                                  const char *words);
