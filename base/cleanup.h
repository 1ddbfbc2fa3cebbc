#pragma once

/*
 * Scope-bound ownership.
 *
 * A variable that owns something is declared with _cleanup_() and starts as
 * NULL or -1, so every return path releases it. Ownership leaves a scope only
 * through TAKE_PTR() or TAKE_FD(), which read as what they do.
 */

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(function) __attribute__((cleanup(function)))

/* The value of `pointer`, which is NULL from then on. */
#define TAKE_PTR(pointer)                                                                          \
    ({                                                                                             \
        __typeof__(pointer) *take_from_ = &(pointer);                                              \
        __typeof__(pointer) taken_ = *take_from_;                                                  \
        *take_from_ = NULL;                                                                        \
        taken_;                                                                                    \
    })

/* The value of `fd`, which is -1 from then on. */
#define TAKE_FD(fd)                                                                                \
    ({                                                                                             \
        int *take_from_ = &(fd);                                                                   \
        int taken_ = *take_from_;                                                                  \
        *take_from_ = -1;                                                                          \
        taken_;                                                                                    \
    })

/* Defines foo_freep() for _cleanup_(), from a foo_free() that takes NULL. */
#define DEFINE_FREEP(type, function)                                                               \
    static inline void function##p(type **pointer)                                                 \
    {                                                                                              \
        function(*pointer);                                                                        \
    }

#define N_ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

static inline void freep(void *pointer)
{
    free(*(void **)pointer);
}

static inline void closep(const int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

static inline void fclosep(FILE **file)
{
    if (*file)
        (void)fclose(*file);
}
