#pragma once

/*
 * What is read out of the platform's JSON: the few fields that are looked for, by their paths, as they pass.
 *
 * So an answer of many megabytes costs its fields alone, and one that breaks in the middle has told
 * what stood before the break. Nothing is believed beyond its documented type.
 */

#include <stdbool.h>

#include "base/buffer.h"
#include "daemon/platform.h"

typedef struct PlatformError {
    char *message; /* as it came, at most 16 times what is shown of it */
    char *provider_message;
    char *request_id; /* 24 hexadecimal digits */
} PlatformError;

void platform_error_deinit(PlatformError *error);

/* What an error body says; all NULL when it is no JSON (gateways answer HTML). 0 or -ENOMEM. */
int platform_reader_read_error(const Buffer *body, PlatformError *ret_error);

/*
 * The instances in `body`, which is one object or an array of them; `owner` may be NULL (then none is owned).
 * What was read before a break is returned, but in an array only rows that were complete. 0 or -ENOMEM.
 */
typedef struct PlatformInstances {
    PlatformInstance *items; /* the caller's, each to be deinitialised */
    size_t n_items;
    bool is_whole; /* it is JSON to its end */
    bool is_array;
} PlatformInstances;

int platform_reader_read_instances(const Buffer *body, const char *owner,
                                   PlatformInstances *ret_instances);

/* The keys of an element's configuration, as far as `body` has any. 0 or -ENOMEM. */
int platform_reader_read_keys(const Buffer *body, PlatformKeys *ret_keys);

/* Makes `text` one line of UTF-8 without control characters, in place. */
void platform_reader_trim(char *text);
