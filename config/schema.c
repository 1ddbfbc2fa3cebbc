#include "config/schema.h"

#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/limits.h"

/* Keys that are longer than this are near to none of ours. */
#define SCHEMA_KEY_MAX 64

/* ---- unknown keys ---- */

size_t schema_distance(const char *a, size_t a_size, const char *b, size_t b_size)
{
    size_t rows[3][SCHEMA_KEY_MAX + 1];
    size_t *before = rows[0], *above = rows[1], *row = rows[2];

    if (a_size > SCHEMA_KEY_MAX || b_size > SCHEMA_KEY_MAX)
        return SIZE_MAX;
    for (size_t k = 0; k <= b_size; k++)
        row[k] = k;
    for (size_t i = 1; i <= a_size; i++) {
        size_t *oldest = before;

        before = above;
        above = row;
        row = oldest;
        row[0] = i;
        for (size_t k = 1; k <= b_size; k++) {
            size_t best = above[k - 1] + (a[i - 1] != b[k - 1]);

            if (above[k] + 1 < best)
                best = above[k] + 1;
            if (row[k - 1] + 1 < best)
                best = row[k - 1] + 1;
            if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1] &&
                before[k - 2] + 1 < best)
                best = before[k - 2] + 1;
            row[k] = best;
        }
    }
    return row[b_size];
}

static const SchemaKey *schema_find(const Schema *schema, const JsonValue *member)
{
    for (size_t i = 0; i < schema->n_keys; i++)
        if (member->key_size == strlen(schema->keys[i].name) &&
            memcmp(member->key, schema->keys[i].name, member->key_size) == 0)
            return &schema->keys[i];
    return NULL;
}

bool schema_knows(const Schema *schema, const JsonValue *member)
{
    return schema_find(schema, member) != NULL;
}

static const SchemaKey *schema_find_nearest(const Schema *schema, const JsonValue *member)
{
    const SchemaKey *nearest = NULL;
    size_t nearest_distance = SIZE_MAX;

    for (size_t i = 0; i < schema->n_keys; i++) {
        const char *name = schema->keys[i].name;
        size_t size = strlen(name);
        size_t distance = schema_distance(member->key, member->key_size, name, size);

        /* A third of it wrong is a slip; more is another word. */
        if (distance < nearest_distance && distance <= (size < 6 ? 2 : size / 3)) {
            nearest = &schema->keys[i];
            nearest_distance = distance;
        }
    }
    return nearest;
}

static void schema_report_unknown(const Schema *schema, Document *document, const JsonValue *member)
{
    const SchemaKey *nearest = schema_find_nearest(schema, member);
    char known[PROBLEM_BYTES_MAX] = "";
    size_t n = 0;

    if (nearest) {
        document_error(document, member->key_at, "unknown key \"%s%.64s\"; did you mean \"%s%s\"?",
                       schema->prefix, member->key, schema->prefix, nearest->name);
        return;
    }
    for (size_t i = 0; i < schema->n_keys && n < sizeof(known); i++)
        n += (size_t)snprintf(known + n, sizeof(known) - n, "%s\"%s%s\"", i > 0 ? ", " : "",
                              schema->prefix, schema->keys[i].name);
    document_error(document, member->key_at, "unknown key \"%s%.64s\"; there are %s",
                   schema->prefix, member->key, known);
}

/* ---- known keys ---- */

static void schema_report_type(const Schema *schema, const SchemaKey *key, Document *document,
                               const JsonValue *value)
{
    const char *found = document_type_words(value->type);

    if (key->type == JSON_NUMBER)
        document_error(document, value->at, "\"%s%s\" must be a number from %u to %u, but is %s",
                       schema->prefix, key->name, key->min, key->max, found);
    else
        document_error(document, value->at, "\"%s%s\" must be %s, but is %s", schema->prefix,
                       key->name, document_type_words(key->type), found);
}

static int schema_check_key(const Schema *schema, const SchemaKey *key, Document *document,
                            const JsonValue *object, void *target)
{
    const JsonValue *value = NULL;

    JSON_VALUE_FOREACH(member, object) {
        if (member->key_size != strlen(key->name) ||
            memcmp(member->key, key->name, member->key_size) != 0)
            continue;
        if (value)
            return 0; /* twice */
        value = member;
    }
    if (!value) {
        if (key->is_required)
            document_error(document, object->at, "\"%s%s\" is missing", schema->prefix, key->name);
        return 0;
    }
    if (value->type != key->type) {
        schema_report_type(schema, key, document, value);
        return 0;
    }
    if (!key->set || document_has_placeholder(value))
        return 0;
    if (value->type == JSON_STRING && !json_value_is_text(value)) {
        document_error(document, value->at, "\"%s%s\" must not hold a NUL character",
                       schema->prefix, key->name);
        return 0;
    }
    return key->set(key, document, value, target);
}

int schema_check(const Schema *schema, Document *document, const JsonValue *object, void *target)
{
    if (!schema->is_open)
        JSON_VALUE_FOREACH(member, object)
            if (!schema_find(schema, member))
                schema_report_unknown(schema, document, member);
    for (size_t i = 0; i < schema->n_keys; i++) {
        int r = schema_check_key(schema, &schema->keys[i], document, object, target);

        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- setters ---- */

int schema_set_unsigned(const SchemaKey *key, Document *document, const JsonValue *value,
                        void *target)
{
    int64_t number;

    if (json_parse_int64(value->text, value->size, &number) < 0 || number < key->min ||
        number > key->max)
        document_error(document, value->at, "\"%s\" must be a whole number from %u to %u",
                       key->name, key->min, key->max);
    else
        *(unsigned *)((char *)target + key->offset) = (unsigned)number;
    return 0;
}

/* "1.5" in microseconds; what is finer than them is left out. */
static bool schema_parse_seconds(const char *digits, size_t size, usec_t *ret_usec)
{
    const char *point = memchr(digits, '.', size);
    size_t n = point ? (size_t)(point - digits) : size;
    usec_t fraction = 0, unit = USEC_PER_SEC;
    int64_t seconds;

    if (json_parse_int64(digits, n, &seconds) < 0 || seconds < 0 || seconds > UINT32_MAX ||
        digits[0] == '-')
        return false;
    for (size_t i = n + 1; i < size; i++) {
        if (digits[i] < '0' || digits[i] > '9')
            return false;
        unit /= 10;
        fraction += unit * (usec_t)(digits[i] - '0');
    }
    *ret_usec = (usec_t)seconds * USEC_PER_SEC + fraction;
    return true;
}

int schema_set_seconds(const SchemaKey *key, Document *document, const JsonValue *value,
                       void *target)
{
    usec_t usec;

    if (!schema_parse_seconds(value->text, value->size, &usec) || usec < key->min * USEC_PER_SEC ||
        usec > key->max * USEC_PER_SEC)
        document_error(
            document, value->at,
            "\"%s\" must be a number of seconds from %u to %u, such as 60 or 0.5, without exponent",
            key->name, key->min, key->max);
    else
        *(usec_t *)((char *)target + key->offset) = usec;
    return 0;
}
