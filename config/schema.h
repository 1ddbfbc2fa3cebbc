#pragma once

/*
 * Schema: the keys of an object as a table, and the one checker for all such tables.
 *
 * A new setting is a new row. The checker tells of keys that are unknown (with the nearest known one),
 * missing, or of another type than they should be. A key that stands twice is not used at all: which of the
 * two is meant nobody knows (config/document.h has told of it).
 */

#include <stdbool.h>
#include <stddef.h>

#include "config/document.h"

typedef struct SchemaKey SchemaKey;

struct SchemaKey {
    const char *name;
    JsonType type;
    bool is_required;

    /* Numbers: the range, both ends included. */
    unsigned min;
    unsigned max;

    /*
     * Puts a value of the right type into `target`; strings hold neither NULs nor placeholders. May add
     * problems. 0 or -ENOMEM. NULL: the type is all there is to check.
     */
    int (*set)(const SchemaKey *key, Document *document, const JsonValue *value, void *target);
    size_t offset; /* in `target`, for setters that serve several keys */
};

typedef struct Schema {
    const SchemaKey *keys;
    size_t n_keys;
    const char *prefix; /* before the keys in messages: "elementd." */
    bool is_open;       /* other keys may stand there as well */
} Schema;

/* Checks `object` and calls the setters, in the order of the table. 0 or -ENOMEM. */
int schema_check(const Schema *schema, Document *document, const JsonValue *object, void *target);

/* Whether `key` is in the table. */
bool schema_knows(const Schema *schema, const JsonValue *member);

/* Setters: a whole number into an unsigned; seconds, with a fraction or without, into a usec_t. */
int schema_set_unsigned(const SchemaKey *key, Document *document, const JsonValue *value,
                        void *target);
int schema_set_seconds(const SchemaKey *key, Document *document, const JsonValue *value,
                       void *target);

/* How many characters have to be put in, left out, replaced or swapped with their neighbour; SIZE_MAX above 64 bytes. */
size_t schema_distance(const char *a, size_t a_size, const char *b, size_t b_size);
