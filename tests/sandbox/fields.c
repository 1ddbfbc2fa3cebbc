#include "tests/sandbox/fields.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int fields_fail(FieldsError *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static int fields_fail(FieldsError *error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(error->message, sizeof(error->message), format, arguments);
    va_end(arguments);
    return FIELDS_E_INVALID;
}

static const Field *fields_find(const FieldsTarget *targets, size_t n, const JsonValue *member,
                                void **ret_target)
{
    for (size_t i = 0; i < n; i++)
        for (const Field *field = targets[i].fields; field->key; field++)
            if (strlen(field->key) == member->key_size &&
                memcmp(field->key, member->key, member->key_size) == 0) {
                *ret_target = targets[i].target;
                return field;
            }
    return NULL;
}

/* Names what is known, as far as there is room. */
static int fields_fail_unknown(const FieldsTarget *targets, size_t n, const char *key,
                               FieldsError *error)
{
    size_t used;

    (void)fields_fail(error, "Unknown key \"%.64s\"; known are", key);
    used = strlen(error->message);
    for (size_t i = 0; i < n; i++)
        for (const Field *field = targets[i].fields; field->key; field++) {
            if (used + strlen(field->key) + 3 > sizeof(error->message))
                return FIELDS_E_INVALID;
            used += (size_t)snprintf(error->message + used, sizeof(error->message) - used, " %s",
                                     field->key);
        }
    return FIELDS_E_INVALID;
}

static int fields_read_int(const Field *field, const JsonValue *value, int64_t *target,
                           FieldsError *error)
{
    int64_t number;

    if (value->type != JSON_NUMBER || json_parse_int64(value->text, value->size, &number) < 0 ||
        number < field->min || number > field->max)
        return fields_fail(error, "\"%s\" must be an integer from %" PRId64 " to %" PRId64,
                           field->key, field->min, field->max);
    *target = number;
    return 0;
}

static int fields_read_choice(const Field *field, const JsonValue *value, int *target,
                              FieldsError *error)
{
    if (json_value_is_text(value))
        for (int i = 0; field->choices[i]; i++)
            if (strcmp(field->choices[i], value->text) == 0) {
                *target = i;
                return 0;
            }
    (void)fields_fail(error, "\"%s\" must be one of", field->key);
    for (int i = 0; field->choices[i]; i++) {
        size_t used = strlen(error->message);

        (void)snprintf(error->message + used, sizeof(error->message) - used, " %s",
                       field->choices[i]);
    }
    return FIELDS_E_INVALID;
}

static bool fields_are_texts(const JsonValue *value)
{
    if (value->type != JSON_ARRAY)
        return false;
    JSON_VALUE_FOREACH(item, value)
        if (!json_value_is_text(item))
            return false;
    return true;
}

/* What a value of a type that is kept as it is must be; in words where it is not. */
static const char *fields_check(const Field *field, const JsonValue *value)
{
    switch (field->type) {
    case FIELD_TEXT:
        return json_value_is_text(value) ? NULL : "a string without NULs";
    case FIELD_BOOL:
        return value->type == JSON_BOOLEAN ? NULL : "true or false";
    case FIELD_STRING:
        return value->type == JSON_STRING ? NULL : "a string";
    case FIELD_OBJECT:
        return value->type == JSON_OBJECT ? NULL : "an object";
    case FIELD_TEXTS:
        return fields_are_texts(value) ? NULL : "an array of strings without NULs";
    case FIELD_SCALAR:
        return value->type == JSON_NUMBER || json_value_is_text(value)
                   ? NULL
                   : "a number or a string without NULs";
    case FIELD_INT:
    case FIELD_CHOICE:
        return NULL;
    }
    assert(false);
    return NULL;
}

static int fields_read_one(const Field *field, const JsonValue *value, void *target,
                           FieldsError *error)
{
    char *place = (char *)target + field->offset;
    const char *wanted = fields_check(field, value);

    if (wanted)
        return fields_fail(error, "\"%s\" must be %s, not %s", field->key, wanted,
                           json_type_name(value->type));
    switch (field->type) {
    case FIELD_TEXT:
        *(const char **)place = value->text;
        return 0;
    case FIELD_INT:
        return fields_read_int(field, value, (int64_t *)place, error);
    case FIELD_BOOL:
        *(bool *)place = value->boolean;
        return 0;
    case FIELD_CHOICE:
        return fields_read_choice(field, value, (int *)place, error);
    case FIELD_STRING:
    case FIELD_OBJECT:
    case FIELD_TEXTS:
    case FIELD_SCALAR:
        *(const JsonValue **)place = value;
        return 0;
    }
    assert(false);
    return 0;
}

int fields_read(const JsonValue *object, const FieldsTarget *targets, size_t n,
                FieldsError *ret_error)
{
    const JsonValue *duplicate;
    int r;

    if (!object || object->type != JSON_OBJECT)
        return fields_fail(ret_error, "A JSON object is wanted here");
    r = json_value_find_duplicate(object, &duplicate);
    if (r < 0)
        return r;
    if (duplicate)
        return fields_fail(ret_error, "\"%.64s\" stands twice", duplicate->key);
    JSON_VALUE_FOREACH(member, object) {
        void *target;
        const Field *field = fields_find(targets, n, member, &target);

        if (!field)
            return fields_fail_unknown(targets, n, member->key, ret_error);
        r = fields_read_one(field, member, target, ret_error);
        if (r != 0)
            return r;
    }
    for (size_t i = 0; i < n; i++)
        for (const Field *field = targets[i].fields; field->key; field++)
            if (field->is_required && !json_value_find(object, field->key))
                return fields_fail(ret_error, "\"%s\" is missing", field->key);
    return 0;
}
