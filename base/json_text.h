#pragma once

/*
 * The text of a JSON document as such: where its blanks, strings and words begin.
 *
 * Internal to base/: base/json.c reads by yajl, which tells of a token only where it ends, and of a string with escapes
 * asks here where it began. Pure functions on bytes, which hold nothing and of which none fails; the text need not
 * be JSON, nor UTF-8, except where one says what it takes for granted.
 *
 * Source: RFC 8259; blanks are those of yajl 2.1 (yajl_lex.c), which are more
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"

/* Borrowed from the caller of json_read(). All offsets are in bytes from `bytes` on and at most `size`. */
typedef struct JsonText {
    const char *bytes;
    size_t size;
    bool has_comments; /* whether // and slash-star comments count as blanks */
} JsonText;

bool json_text_is_blank(char c);

/* Behind the blanks that stand at `offset`, or `offset`. Stops at a comment that is not closed. */
size_t json_text_skip_blank(const JsonText *text, size_t offset);

/* Behind all that may stand between two tokens that yajl tells of: blanks, commas and colons. */
size_t json_text_skip_between(const JsonText *text, size_t offset);

/* Whether a slash-star comment begins at `offset`. Where skipping stopped, it is one that is not closed. */
bool json_text_is_comment(const JsonText *text, size_t offset);

/*
 * Where the string begins whose closing quote is before `end`, which is above 0: at the nearest quote that
 * is not escaped, or 0.
 */
size_t json_text_string_start(const JsonText *text, size_t end);

/* Where the letters, digits and signs begin that end at `end`; not before `start`. `end` when there are none. */
size_t json_text_word_start(const JsonText *text, size_t start, size_t end);

/*
 * The offset of the first \u escape that is half of a surrogate pair in [start, end), or `end`. Between these two
 * stands what a string holds, whose escapes were found to be whole.
 */
size_t json_text_find_half_pair(const JsonText *text, size_t start, size_t end);
