#pragma once

/*
 * What is said of a document that is no JSON: the words, and the place to which they point.
 *
 * Internal to base/: base/json.c reads, and hands over what it knows when it cannot go on. yajl says where
 * it gave up, which is behind the mistake and now and then lines behind it; people need to know where the
 * mistake begins, and most of theirs are a quote or a blank that only looks like one.
 *
 * Pure: nothing is kept or allocated, nothing fails.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"
#include "base/json_text.h"

/* Why the reader takes no more of a text in which yajl finds nothing wrong. */
typedef enum JsonErrorRefusal {
    JSON_ERROR_NOT_REFUSED,
    JSON_ERROR_BAD_UTF8,
    JSON_ERROR_HALF_PAIR, /* \uD800 to \uDFFF alone */
    JSON_ERROR_TOO_DEEP,
    JSON_ERROR_OPEN_COMMENT,
    JSON_ERROR_TRAILING, /* something behind the document */
} JsonErrorRefusal;

/* What the reader knows; all of it is borrowed, and only for the call. */
typedef struct JsonErrorFacts {
    const JsonText *text;
    size_t token_end; /* offset behind the last token that was taken */

    JsonErrorRefusal refusal;
    size_t refused_at; /* where, when there is a refusal */

    /* When there is none: */
    bool is_unfinished; /* nothing is wrong but that the text ends, or holds no document at all */
    size_t read_end;    /* else offset behind the last byte that yajl looked at, */
    const char *words;  /* and what it says of it ("lexical error: …"), or NULL */
} JsonErrorFacts;

/* Fills in all of *ret_error. */
void json_error_explain(const JsonErrorFacts *facts, JsonError *ret_error);
