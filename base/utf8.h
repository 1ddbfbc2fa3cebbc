#pragma once

/*
 * UTF-8: what a text is made of, so that none that is broken or invisible gets further than where it
 * is read.
 *
 * Overlong forms, surrogates and what lies above U+10FFFF are not UTF-8. A NUL is a character like others.
 *
 * Source: RFC 3629
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * How many bytes the character takes that `text` begins with; 0 when it is not UTF-8 or `size` is 0.
 * *ret_character is set only then when it is.
 */
size_t utf8_decode(const char *text, size_t size, uint32_t *ret_character);

/* How many of the first bytes are whole characters: `size` when all are. `text` may be NULL when `size` is 0. */
size_t utf8_prefix(const char *text, size_t size);

/* Whether all of it is UTF-8; so is no text at all. */
bool utf8_is_valid(const char *text, size_t size);

/* Whether the character would move the cursor, the line or the direction of writing: not fit for a message. */
bool utf8_is_control(uint32_t character);
