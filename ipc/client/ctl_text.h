#pragma once

/*
 * Text for a terminal: what a daemon, a platform or a user may have put into it cannot move the cursor, change a
 * colour, or reorder what is read. Pure.
 *
 * Source: ECMA-48 (C0 and C1 controls), Unicode Standard Annex 9 (bidirectional controls)
 */

#include <stddef.h>

#include "base/buffer.h"

/* Appends `text` with "?" for each control character and each byte that is not UTF-8. 0, BUFFER_E_FULL or -ENOMEM. */
int ctl_text_append(Buffer *buffer, const char *text);

/* As above for JSON, which must be UTF-8: there they become \uXXXX, which says the same. Ends of lines stay. */
int ctl_text_append_json(Buffer *buffer, const char *json, size_t size);

/* Whether all of `text` would be appended as it is. */
bool ctl_text_is_plain(const char *text);

/* The columns that `text` takes, one a character. */
size_t ctl_text_width(const char *text);

/* How many bytes the first `width` characters have; all, when there are no more. */
size_t ctl_text_cut(const char *text, size_t width);
