#pragma once

/*
 * Fields: a checked JSON object into a struct, by a table.
 *
 * The one way in which the control interface reads what it is given: every key is in a table or refused
 * by name, every value has its type and range checked. Members that are absent leave the struct as it was.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json_value.h"

enum {
    FIELDS_E_INVALID = 1, /* FieldsError says why */
};

typedef enum FieldType {
    FIELD_TEXT,   /* const char *: a string without NULs, borrowed from the object */
    FIELD_INT,    /* int64_t within min and max */
    FIELD_BOOL,   /* bool */
    FIELD_CHOICE, /* int: index into choices */
    FIELD_STRING, /* const JsonValue *, as are the following: borrowed from the object */
    FIELD_OBJECT,
    FIELD_TEXTS,  /* array of strings without NULs */
    FIELD_SCALAR, /* a string without NULs or a number */
} FieldType;

typedef struct Field {
    const char *key; /* NULL ends a table */
    FieldType type;
    bool is_required;
    size_t offset;
    int64_t min;
    int64_t max;
    const char *const *choices; /* ends with NULL */
} Field;

/* A table and the struct that its offsets are of. */
typedef struct FieldsTarget {
    const Field *fields;
    void *target;
} FieldsTarget;

typedef struct FieldsError {
    char message[512];
} FieldsError;

/*
 * Fills the `n` targets in from `object`, whose keys must be in one of their tables and occur once. 0, or
 * FIELDS_E_INVALID with the targets partly filled in, or -ENOMEM.
 */
int fields_read(const JsonValue *object, const FieldsTarget *targets, size_t n,
                FieldsError *ret_error);
