#pragma once

/*
 * Plain text in JSON: what stands in a string as it is.
 *
 * Pure, and eight bytes at a time: nearly all that is read and written is plain.
 *
 * Source: RFC 8259, section 7
 */

#include <stdbool.h>
#include <stddef.h>

/*
 * How many bytes of `text`, from its start on, need no escape: neither control characters (below 0x20) nor quotes nor
 * backslashes. *ret_is_ascii, which may be NULL, says whether all of those are ASCII; whether others are UTF-8 is not looked at.
 */
size_t json_plain_size(const char *text, size_t size, bool *ret_is_ascii);
