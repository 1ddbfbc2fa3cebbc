#include "base/json_writer.h"

#include <assert.h>
#include <string.h>

#include "base/json_plain.h"
#include "base/utf8.h"

static void json_writer_fail(JsonWriter *writer, int error)
{
    if (writer->error == 0)
        writer->error = error;
}

static void json_writer_put(JsonWriter *writer, const char *text, size_t size)
{
    int r;

    if (writer->error != 0)
        return;
    r = buffer_append(writer->buffer, text, size);
    if (r != 0)
        json_writer_fail(writer, r == BUFFER_E_FULL ? JSON_WRITER_E_FULL : r);
}

void json_writer_begin(JsonWriter *writer, Buffer *buffer)
{
    *writer = (JsonWriter){.buffer = buffer};
}

int json_writer_end(JsonWriter *writer)
{
    return writer->error;
}

/* ---- order: a call in the wrong one is a bug ---- */

static bool json_writer_is_in_object(const JsonWriter *writer)
{
    return writer->depth > 0 && (writer->objects & 1) != 0;
}

/* Before a value or a key: whether a comma has to divide it from the one before it. */
static bool json_writer_is_divided(JsonWriter *writer)
{
    bool is_divided = !writer->has_key && writer->has_items;

    assert(writer->has_key || writer->depth > 0 || !writer->has_items);
    if (!writer->has_key)
        writer->has_items = true;
    writer->has_key = false;
    return is_divided;
}

static void json_writer_next(JsonWriter *writer)
{
    if (json_writer_is_divided(writer))
        json_writer_put(writer, ",", 1);
}

static void json_writer_next_value(JsonWriter *writer)
{
    assert(writer->has_key || !json_writer_is_in_object(writer));
    json_writer_next(writer);
}

static void json_writer_open(JsonWriter *writer, bool is_object)
{
    if (writer->error != 0)
        return;
    json_writer_next_value(writer);
    assert(writer->depth < JSON_WRITER_DEPTH_MAX);
    writer->depth++;
    writer->objects = writer->objects << 1 | is_object;
    writer->has_items = false;
    json_writer_put(writer, is_object ? "{" : "[", 1);
}

static void json_writer_close(JsonWriter *writer, bool is_object)
{
    if (writer->error != 0)
        return;
    assert(writer->depth > 0 && json_writer_is_in_object(writer) == is_object && !writer->has_key);
    writer->depth--;
    writer->objects >>= 1;
    writer->has_items = true;
    json_writer_put(writer, is_object ? "}" : "]", 1);
}

void json_writer_open_object(JsonWriter *writer)
{
    json_writer_open(writer, true);
}

void json_writer_close_object(JsonWriter *writer)
{
    json_writer_close(writer, true);
}

void json_writer_open_array(JsonWriter *writer)
{
    json_writer_open(writer, false);
}

void json_writer_close_array(JsonWriter *writer)
{
    json_writer_close(writer, false);
}

/* ---- strings ---- */

static void json_writer_escape(JsonWriter *writer, unsigned char c)
{
    static const char digits[] = "0123456789ABCDEF";
    static const char letters[] = {['"'] = '"',  ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f',
                                   ['\n'] = 'n', ['\r'] = 'r',  ['\t'] = 't'};
    const char letter[] = {'\\', letters[c]};
    const char number[] = {'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]};

    if (letters[c])
        json_writer_put(writer, letter, sizeof(letter));
    else
        json_writer_put(writer, number, sizeof(number));
}

/* Nearly all strings: those without anything to escape, which go in at once with all that is around them. */
static void json_writer_plain(JsonWriter *writer, const char *text, size_t size, bool is_key)
{
    bool is_divided = json_writer_is_divided(writer);
    size_t whole = is_divided + 1 + size + 1 + is_key;
    char *space;
    int r;

    r = buffer_reserve(writer->buffer, whole, &space);
    if (r != 0) {
        json_writer_fail(writer, r == BUFFER_E_FULL ? JSON_WRITER_E_FULL : r);
        return;
    }
    if (is_divided)
        *space++ = ',';
    *space++ = '"';
    if (size > 0)
        memcpy(space, text, size);
    space[size] = '"';
    if (is_key)
        space[size + 1] = ':';
    buffer_commit(writer->buffer, whole);
}

/* `n` bytes, from its start on, need no escape. */
static void json_writer_quote(JsonWriter *writer, const char *text, size_t size, size_t n)
{
    json_writer_put(writer, "\"", 1);
    for (;;) {
        json_writer_put(writer, text, n);
        text += n;
        size -= n;
        if (size == 0)
            break;
        json_writer_escape(writer, (unsigned char)*text++);
        size--;
        n = json_plain_size(text, size, NULL);
    }
    json_writer_put(writer, "\"", 1);
}

void json_writer_text(JsonWriter *writer, const char *text, size_t size)
{
    bool is_key = json_writer_is_in_object(writer) && !writer->has_key, is_ascii;
    size_t n;

    if (writer->error != 0)
        return;
    n = json_plain_size(text, size, &is_ascii);
    if (n == size && is_ascii) {
        json_writer_plain(writer, text, size, is_key);
    } else if (!utf8_is_valid(text, size)) {
        json_writer_fail(writer, JSON_WRITER_E_TEXT);
    } else {
        json_writer_next(writer);
        json_writer_quote(writer, text, size, n);
        if (is_key)
            json_writer_put(writer, ":", 1);
    }
    writer->has_key = is_key;
}

void json_writer_key(JsonWriter *writer, const char *key)
{
    json_writer_text(writer, key, strlen(key));
}

void json_writer_string(JsonWriter *writer, const char *text)
{
    if (text)
        json_writer_text(writer, text, strlen(text));
    else
        json_writer_null(writer);
}

void json_writer_secret(JsonWriter *writer, const Secret *secret)
{
    json_writer_text(writer, secret_reveal(secret), secret_size(secret));
}

/* ---- the rest ---- */

static void json_writer_literal(JsonWriter *writer, const char *text, size_t size)
{
    if (writer->error != 0)
        return;
    json_writer_next_value(writer);
    json_writer_put(writer, text, size);
}

void json_writer_null(JsonWriter *writer)
{
    json_writer_literal(writer, "null", 4);
}

void json_writer_boolean(JsonWriter *writer, bool value)
{
    json_writer_literal(writer, value ? "true" : "false", value ? 4 : 5);
}

void json_writer_number(JsonWriter *writer, const char *digits, size_t size)
{
    json_writer_literal(writer, digits, size);
}

/* Not by snprintf(3), which takes longer than all the rest of a record. */
static void json_writer_digits(JsonWriter *writer, uint64_t value, bool is_negative)
{
    char digits[24];
    size_t start = sizeof(digits);

    do {
        digits[--start] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    if (is_negative)
        digits[--start] = '-';
    json_writer_number(writer, digits + start, sizeof(digits) - start);
}

void json_writer_int(JsonWriter *writer, int64_t value)
{
    json_writer_digits(writer, value < 0 ? -(uint64_t)value : (uint64_t)value, value < 0);
}

void json_writer_uint(JsonWriter *writer, uint64_t value)
{
    json_writer_digits(writer, value, false);
}

static void json_writer_scalar(JsonWriter *writer, const JsonValue *value)
{
    switch (value->type) {
    case JSON_NULL:
        json_writer_null(writer);
        break;
    case JSON_BOOLEAN:
        json_writer_boolean(writer, value->boolean);
        break;
    case JSON_NUMBER:
        json_writer_number(writer, value->text, value->size);
        break;
    case JSON_STRING:
        json_writer_text(writer, value->text, value->size);
        break;
    case JSON_ARRAY:
    case JSON_OBJECT:
        assert(false);
    }
}

/* As deep as the reader's JSON_DEPTH_MAX lets a tree be. */
void json_writer_value(JsonWriter *writer, const JsonValue *value)
{
    bool is_object = value->type == JSON_OBJECT;

    if (!is_object && value->type != JSON_ARRAY) {
        json_writer_scalar(writer, value);
        return;
    }
    if (is_object)
        json_writer_open_object(writer);
    else
        json_writer_open_array(writer);
    JSON_VALUE_FOREACH(child, value) {
        if (is_object)
            json_writer_text(writer, child->key, child->key_size);
        json_writer_value(writer, child);
    }
    if (is_object)
        json_writer_close_object(writer);
    else
        json_writer_close_array(writer);
}
