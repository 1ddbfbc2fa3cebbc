#include "base/json_writer.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <yajl/yajl_gen.h>

#include "base/utf8.h"

/* yajl's generator with its empty buffer; with a print callback nothing else is allocated. */
#define JSON_WRITER_ARENA 8192

static void *json_writer_malloc(void *context, size_t size)
{
    return arena_alloc(context, size);
}

static void *json_writer_realloc(void *context, void *old, size_t size)
{
    (void)old;
    return arena_alloc(context, size);
}

static void json_writer_free(void *context, void *memory)
{
    (void)context;
    (void)memory; /* with the arena */
}

static void json_writer_fail(JsonWriter *writer, int error)
{
    if (writer->error == 0)
        writer->error = error;
}

static void json_writer_print(void *context, const char *text, size_t size)
{
    JsonWriter *writer = context;
    int r;

    if (writer->error != 0)
        return;
    r = buffer_append(writer->buffer, text, size);
    if (r != 0)
        json_writer_fail(writer, r == BUFFER_E_FULL ? JSON_WRITER_E_FULL : r);
}

void json_writer_begin(JsonWriter *writer, Buffer *buffer)
{
    yajl_alloc_funcs allocator = {json_writer_malloc, json_writer_realloc, json_writer_free,
                                  &writer->arena};

    *writer = (JsonWriter){.buffer = buffer, .arena = ARENA_INIT(JSON_WRITER_ARENA)};
    /* yajl_gen_alloc() does not look at all that it allocates: make sure of the one block first. */
    if (!arena_alloc(&writer->arena, 1)) {
        writer->error = -ENOMEM;
        return;
    }
    writer->generator = yajl_gen_alloc(&allocator);
    if (!writer->generator) {
        writer->error = -ENOMEM;
        return;
    }
    (void)yajl_gen_config(writer->generator, yajl_gen_print_callback, json_writer_print, writer);
}

int json_writer_end(JsonWriter *writer)
{
    arena_deinit(&writer->arena);
    writer->generator = NULL;
    return writer->error;
}

/* Not ok is a call in the wrong order, which is a bug. That the buffer is full the printing has noted. */
static void json_writer_check(yajl_gen_status status)
{
    assert(status == yajl_gen_status_ok);
    (void)status;
}

void json_writer_open_object(JsonWriter *writer)
{
    if (writer->error == 0)
        json_writer_check(yajl_gen_map_open(writer->generator));
}

void json_writer_close_object(JsonWriter *writer)
{
    if (writer->error == 0)
        json_writer_check(yajl_gen_map_close(writer->generator));
}

void json_writer_open_array(JsonWriter *writer)
{
    if (writer->error == 0)
        json_writer_check(yajl_gen_array_open(writer->generator));
}

void json_writer_close_array(JsonWriter *writer)
{
    if (writer->error == 0)
        json_writer_check(yajl_gen_array_close(writer->generator));
}

void json_writer_text(JsonWriter *writer, const char *text, size_t size)
{
    if (writer->error != 0)
        return;
    if (utf8_is_valid(text, size)) /* yajl's own check lets overlong forms and surrogates pass */
        json_writer_check(yajl_gen_string(writer->generator, (const unsigned char *)text, size));
    else
        json_writer_fail(writer, JSON_WRITER_E_TEXT);
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

void json_writer_null(JsonWriter *writer)
{
    if (writer->error == 0)
        json_writer_check(yajl_gen_null(writer->generator));
}

void json_writer_boolean(JsonWriter *writer, bool value)
{
    if (writer->error == 0)
        json_writer_check(yajl_gen_bool(writer->generator, value));
}

void json_writer_number(JsonWriter *writer, const char *digits, size_t size)
{
    if (writer->error == 0)
        json_writer_check(yajl_gen_number(writer->generator, digits, size));
}

void json_writer_int(JsonWriter *writer, int64_t value)
{
    char digits[24];
    int n = snprintf(digits, sizeof(digits), "%lld", (long long)value);

    json_writer_number(writer, digits, (size_t)n);
}

void json_writer_uint(JsonWriter *writer, uint64_t value)
{
    char digits[24];
    int n = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)value);

    json_writer_number(writer, digits, (size_t)n);
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
