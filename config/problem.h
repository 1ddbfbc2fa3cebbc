#pragma once

/*
 * Problems of the configuration: what is wrong, where, in words that say what to do.
 *
 * A load collects all of them and never stops at the first. Messages never hold the value of a string of
 * the configuration, since that may be a secret; keys, names of references and placeholders they do.
 * Each file is checked with a list of its own, which is then put in the order of positions and moved to
 * the list of the whole load.
 *
 * Limits: PROBLEMS_MAX, PROBLEM_BYTES_MAX
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/json.h"
#include "base/trouble.h"

typedef enum ProblemSeverity {
    PROBLEM_WARNING, /* told, but what it is about is used */
    PROBLEM_ERROR,   /* what it is about cannot be used */
} ProblemSeverity;

typedef struct Problem {
    ProblemSeverity severity;
    char *file;      /* full path; UTF-8 */
    JsonPosition at; /* 1:1 for a problem of a whole file */
    char *message;   /* one line; UTF-8 */
    Trouble trouble;
} Problem;

typedef struct Problems {
    Problem *items; /* in the order in which they were found: by file, then by position */
    size_t n_items;
    size_t capacity;
    size_t n_errors;       /* of all, also of those that were not kept */
    size_t n_dropped;      /* found after PROBLEMS_MAX were kept; errors go before warnings */
    bool is_out_of_memory; /* one could not be kept: the load as a whole fails with -ENOMEM */
} Problems;

/* Fine on a zeroed struct; it is then empty and usable again. */
void problems_deinit(Problems *problems);

/*
 * A zero position stands for 1:1. Whatever a file may put into a message or a path (ends of lines, escape
 * sequences, bytes that are not UTF-8) stands there as "?". A message that is too long ends in "…".
 */
void problems_add(Problems *problems, ProblemSeverity severity, const char *file, JsonPosition at,
                  const char *format, ...) __attribute__((format(printf, 5, 6)));

/* The same for a problem of another kind than TROUBLE_CONFIGURATION. */
void problems_add_of(Problems *problems, ProblemSeverity severity, Trouble trouble,
                     const char *file, JsonPosition at, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

/*
 * Ends the list of one file: puts it in the order of positions (those of one position stay as they are) and
 * formats the first error as problem_format() into *ret_error, which the caller frees, its kind in *ret_trouble; NULL and
 * TROUBLE_NONE when there are warnings only. 0 or -ENOMEM.
 */
int problems_close(Problems *problems, char **ret_error, Trouble *ret_trouble);

/* Moves all of `from` behind those of `to`; `from` is then empty. */
void problems_move(Problems *to, Problems *from);

/* "FILE:LINE:COLUMN: message", with "warning: " before the message of a warning; the caller frees. NULL without memory. */
char *problem_format(const Problem *problem);
