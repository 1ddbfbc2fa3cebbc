#pragma once

/*
 * Base64 as the platform writes its secrets and tokens: RFC 4648 section 4, with padding.
 */

#include <stddef.h>

#include "base/buffer.h"

enum {
    BASE64_E_MALFORMED = 1,
};

/* A new NUL-terminated string that the caller frees; NULL without memory. */
char *base64_format(const void *data, size_t size);

/* Appends what `text` stands for. 0, BASE64_E_MALFORMED, or -ENOMEM also at the buffer's ceiling. */
int base64_parse(const char *text, size_t size, Buffer *buffer);
