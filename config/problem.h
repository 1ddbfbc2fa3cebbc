#pragma once

/*
 * Problems of the configuration: what is wrong, where, in words that say what to do.
 *
 * A load collects all of them and never stops at the first. Messages never hold the value of a string of
 * the configuration, since that may be a secret; keys, names of references and placeholders they do.
 *
 * Limits: PROBLEMS_MAX
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/json.h"

typedef enum ProblemSeverity {
    PROBLEM_WARNING, /* told, but what it is about is used */
    PROBLEM_ERROR,   /* what it is about cannot be used */
} ProblemSeverity;

typedef struct Problem {
    ProblemSeverity severity;
    char *file;
    JsonPosition at; /* 1:1 for a problem of a whole file */
    char *message;   /* one line */
} Problem;

typedef struct Problems {
    Problem *items; /* in the order in which they were found: by file, then by position */
    size_t n_items;
    size_t n_errors;  /* of all, also of those that were not kept */
    size_t n_dropped; /* found after PROBLEMS_MAX were kept */
    bool is_out_of_memory; /* one could not be kept: the load as a whole fails with -ENOMEM */
} Problems;

/* Fine on a zeroed struct; it is then empty and usable again. */
void problems_deinit(Problems *problems);

/* A zero position stands for 1:1. */
void problems_add(Problems *problems, ProblemSeverity severity, const char *file, JsonPosition at,
                  const char *format, ...) __attribute__((format(printf, 5, 6)));

/* "FILE:LINE:COLUMN: message", with "warning: " before the message of a warning; the caller frees. NULL without memory. */
char *problem_format(const Problem *problem);
