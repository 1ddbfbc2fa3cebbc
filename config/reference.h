#pragma once

/*
 * References: secrets that a string names instead of holding them.
 *
 *     ${credential:NAME}   a file in $CREDENTIALS_DIRECTORY
 *     ${file:/abs/path}    any other file
 *     $$                   a dollar sign
 *
 * One trailing newline of the file is dropped. What is read must be UTF-8 without NUL. Environment variables
 * are refused with the reason: children inherit them, and others may read them.
 *
 * Blocking: reads files. Limits: REFERENCE_BYTES_MAX, BODY_BYTES_MAX
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "config/document.h"

enum {
    REFERENCE_E_BROKEN = 1, /* cannot be replaced; all that is wrong was added to the problems */
};

/*
 * Appends `text` to `expanded` with its references replaced. `at` is where in the document problems stand. With
 * `is_secret`, a ${file:…} that everyone may read is warned of. *ret_is_reference: whether it holds one, readable
 * or not. 0, REFERENCE_E_BROKEN or -ENOMEM.
 */
int reference_expand(Document *document, size_t at, const char *text, size_t size, bool is_secret,
                     Buffer *expanded, bool *ret_is_reference);
