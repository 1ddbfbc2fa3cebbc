#pragma once

/*
 * JSON tree: a document in an arena, with the place of every key and value in its text.
 *
 * For configuration, requests and replies: documents that are small and are looked at more than once.
 * All nodes and strings belong to the arena that was passed in.
 *
 * Limits: JSON_DEPTH_MAX, and the arena's ceiling
 */

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/json.h"

typedef struct JsonValue JsonValue;

struct JsonValue {
    JsonType type;
    bool boolean;
    size_t at;       /* offset of the value in the text, see json_locate() */
    size_t key_at;   /* of its key, when it is a member of an object */
    const char *key; /* NUL-terminated, NULL when it is no member */
    size_t key_size;
    const char *text; /* string or the digits of a number; NUL-terminated, a string may hold NULs */
    size_t size;
    JsonValue *first; /* children, in the order of the document */
    JsonValue *last;
    JsonValue *next; /* sibling */
    size_t n_children;
};

#define JSON_VALUE_FOREACH(child, parent)                                                          \
    for (const JsonValue *child = (parent)->first; child; child = child->next)

/*
 * What a tree may take, as a multiple of its text and more: what costs most is `0,` again and again, a node and
 * its digits, 112 bytes for 2. The constant is for the smallest documents, and one block of an arena.
 */
#define JSON_VALUE_ARENA_FACTOR 64
#define JSON_VALUE_ARENA_BASE   4096

/*
 * The ceiling of an arena that is for one document of `text_size` bytes, whatever it holds: json_value_parse() then
 * does not fail at it. Whoever puts more into the arena adds to it.
 */
static inline size_t json_value_arena_max(size_t text_size)
{
    if (text_size > (SIZE_MAX - JSON_VALUE_ARENA_BASE) / JSON_VALUE_ARENA_FACTOR)
        return SIZE_MAX;
    return JSON_VALUE_ARENA_BASE + JSON_VALUE_ARENA_FACTOR * text_size;
}

/*
 * Reads one document into `arena`. 0, JSON_E_SYNTAX (with *ret_error, which may be NULL), or -ENOMEM,
 * also at the arena's ceiling.
 */
int json_value_parse(Arena *arena, const char *text, size_t size, unsigned flags,
                     JsonValue **ret_value, JsonError *ret_error);

/* The first member of that name, or NULL: also when `object` is NULL or is no object. */
const JsonValue *json_value_find(const JsonValue *object, const char *key);

/*
 * A member of `object` whose key occurred before it, or NULL in *ret_duplicate. 0 or -ENOMEM. Takes n log n steps,
 * since the document may be hostile.
 */
int json_value_find_duplicate(const JsonValue *object, const JsonValue **ret_duplicate);

/* Whether `value` is a string without NULs, so that its text may be used as a C string. */
bool json_value_is_text(const JsonValue *value);
