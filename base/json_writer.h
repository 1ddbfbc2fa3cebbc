#pragma once

/*
 * JSON writer: compact JSON into a buffer.
 *
 * Our own and not yajl's generator, which hands over each comma by a call of its own: a commit of 10,000 records
 * spent most of its time there.
 *
 * The first failure sticks: calls after it do nothing, and json_writer_end() returns it, so that a
 * writer reads as what it writes. Strings are checked to be UTF-8.
 *
 *     json_writer_begin(&writer, &buffer);
 *     json_writer_open_object(&writer);
 *     json_writer_key(&writer, "id");
 *     json_writer_int(&writer, 42);
 *     json_writer_close_object(&writer);
 *     r = json_writer_end(&writer);
 */

#include "base/buffer.h"
#include "base/json_value.h"
#include "base/secret.h"

/* Containers in one another; a call too many is a bug. What is read has JSON_DEPTH_MAX. */
#define JSON_WRITER_DEPTH_MAX 64

enum {
    JSON_WRITER_E_FULL = 1, /* the buffer's ceiling */
    JSON_WRITER_E_TEXT,     /* a string is not UTF-8 */
};

typedef struct JsonWriter {
    Buffer *buffer; /* borrowed */
    uint64_t
        objects; /* a bit for each open container, the innermost lowest: whether it is an object */
    unsigned depth; /* how many are open */
    bool has_items; /* there is something in the innermost, or the document is complete */
    bool has_key;   /* of the member whose value comes next */
    int error;
} JsonWriter;

/* Appends to `buffer`, which stays the caller's. Must be followed by json_writer_end(). */
void json_writer_begin(JsonWriter *writer, Buffer *buffer);

/* 0, JSON_WRITER_E_* or -ENOMEM; after an error `buffer` holds an unfinished document. */
int json_writer_end(JsonWriter *writer);

void json_writer_open_object(JsonWriter *writer);
void json_writer_close_object(JsonWriter *writer);
void json_writer_open_array(JsonWriter *writer);
void json_writer_close_array(JsonWriter *writer);
void json_writer_key(JsonWriter *writer, const char *key);
void json_writer_null(JsonWriter *writer);
void json_writer_boolean(JsonWriter *writer, bool value);
void json_writer_int(JsonWriter *writer, int64_t value);
void json_writer_uint(JsonWriter *writer, uint64_t value);
void json_writer_string(JsonWriter *writer, const char *text); /* NULL is written as null */
void json_writer_text(JsonWriter *writer, const char *text, size_t size);
void json_writer_number(JsonWriter *writer, const char *digits, size_t size);
void json_writer_secret(JsonWriter *writer, const Secret *secret);

/* A whole tree as it was read, numbers with their digits. */
void json_writer_value(JsonWriter *writer, const JsonValue *value);
