#pragma once

/*
 * Byte buffer with a ceiling, that wipes.
 *
 * Bytes are appended at the end and consumed from the front. A buffer never
 * holds more than `max` bytes, and whatever it held is overwritten when it is
 * consumed, moved or freed, since requests, replies and bodies carry secrets.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    BUFFER_E_FULL = 1, /* the bytes would exceed the ceiling; nothing was appended */
};

typedef struct Buffer {
    char *memory; /* owned; NULL while nothing was ever appended */
    size_t capacity;
    size_t start; /* the first byte that is not consumed */
    size_t end;   /* one past the last */
    size_t max;
} Buffer;

#define BUFFER_INIT(ceiling) ((Buffer){.max = (ceiling)})

/* An empty buffer that holds at most `max` bytes. */
void buffer_init(Buffer *buffer, size_t max);

/* Wipes and frees; the buffer is then empty and usable again, with its ceiling. */
void buffer_deinit(Buffer *buffer);

/* The bytes held, valid until the buffer is next changed; not NUL-terminated; NULL when none ever were. */
static inline char *buffer_data(const Buffer *buffer)
{
    return buffer->memory ? buffer->memory + buffer->start : NULL;
}

static inline size_t buffer_size(const Buffer *buffer)
{
    return buffer->end - buffer->start;
}

/* How many bytes may still be appended. */
static inline size_t buffer_room(const Buffer *buffer)
{
    return buffer->max - buffer_size(buffer);
}

/* Appends all or nothing: 0, BUFFER_E_FULL or -ENOMEM. What is appended must not be in the buffer itself. */
int buffer_append(Buffer *buffer, const void *data, size_t size);
int buffer_append_string(Buffer *buffer, const char *text);
int buffer_printf(Buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * Makes room for `size` more bytes and returns where they go, for a read() straight into the
 * buffer; buffer_commit() then says how many arrived. 0, BUFFER_E_FULL or -ENOMEM.
 */
int buffer_reserve(Buffer *buffer, size_t size, char **ret_space);
void buffer_commit(Buffer *buffer, size_t size);

/* Wipes and drops the first `size` bytes, of which there must be that many. */
void buffer_consume(Buffer *buffer, size_t size);

/* Wipes and drops the last bytes so that `size` remain, of which there must be that many. */
void buffer_truncate(Buffer *buffer, size_t size);

/* Drops all bytes that are held; gives large memory back, keeps small memory for reuse. */
void buffer_clear(Buffer *buffer);
