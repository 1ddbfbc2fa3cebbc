#include "base/buffer.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER_CAPACITY_MIN 256

/* Memory above this is given back by buffer_clear(): one large reply must not stay with its connection. */
#define BUFFER_KEEP_MAX 8192

void buffer_init(Buffer *buffer, size_t max)
{
    *buffer = BUFFER_INIT(max);
}

void buffer_deinit(Buffer *buffer)
{
    if (buffer->memory)
        explicit_bzero(buffer->memory, buffer->end);
    free(buffer->memory);
    buffer_init(buffer, buffer->max);
}

/* Moves what is held into memory of `capacity` bytes; realloc() would leave a copy behind. */
static int buffer_move(Buffer *buffer, size_t capacity)
{
    size_t size = buffer_size(buffer);
    char *memory = malloc(capacity);

    if (!memory)
        return -ENOMEM;
    if (size > 0)
        memcpy(memory, buffer_data(buffer), size);
    if (buffer->memory)
        explicit_bzero(buffer->memory, buffer->end);
    free(buffer->memory);
    buffer->memory = memory;
    buffer->capacity = capacity;
    buffer->start = 0;
    buffer->end = size;
    return 0;
}

/* Makes room for `size` bytes more, whatever the ceiling says. */
static int buffer_grow(Buffer *buffer, size_t size)
{
    size_t wanted, capacity;

    if (size <= buffer->capacity - buffer->end)
        return 0;
    wanted = buffer_size(buffer) + size;
    capacity = buffer->capacity > 0 ? buffer->capacity : BUFFER_CAPACITY_MIN;
    while (capacity < wanted)
        capacity = capacity > buffer->max / 2 ? wanted : capacity * 2;
    return buffer_move(buffer, capacity);
}

int buffer_reserve(Buffer *buffer, size_t size, char **ret_space)
{
    int r;

    if (size > buffer_room(buffer))
        return BUFFER_E_FULL;
    r = buffer_grow(buffer, size);
    if (r < 0)
        return r;
    *ret_space = buffer->memory ? buffer->memory + buffer->end : NULL; /* none for no bytes */
    return 0;
}

void buffer_commit(Buffer *buffer, size_t size)
{
    assert(size <= buffer->capacity - buffer->end);
    buffer->end += size;
}

int buffer_append(Buffer *buffer, const void *data, size_t size)
{
    char *space;
    int r;

    if (size == 0)
        return 0;
    r = buffer_reserve(buffer, size, &space);
    if (r != 0)
        return r;
    assert(space);
    memcpy(space, data, size);
    buffer_commit(buffer, size);
    return 0;
}

int buffer_append_string(Buffer *buffer, const char *text)
{
    return buffer_append(buffer, text, strlen(text));
}

int buffer_printf(Buffer *buffer, const char *format, ...)
{
    va_list arguments;
    int n, r;

    va_start(arguments, format);
    n = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (n < 0)
        return -EINVAL;
    if ((size_t)n > buffer_room(buffer))
        return BUFFER_E_FULL;
    /* One byte more than is committed, for the NUL that vsnprintf() insists on. */
    r = buffer_grow(buffer, (size_t)n + 1);
    if (r < 0)
        return r;
    va_start(arguments, format);
    (void)vsnprintf(buffer->memory + buffer->end, (size_t)n + 1, format, arguments);
    va_end(arguments);
    buffer_commit(buffer, (size_t)n);
    return 0;
}

void buffer_consume(Buffer *buffer, size_t size)
{
    assert(size <= buffer_size(buffer));
    if (size == 0)
        return;
    explicit_bzero(buffer_data(buffer), size);
    buffer->start += size;
    if (buffer->start == buffer->end)
        buffer->start = buffer->end = 0;
}

void buffer_truncate(Buffer *buffer, size_t size)
{
    size_t dropped;

    assert(size <= buffer_size(buffer));
    dropped = buffer_size(buffer) - size;
    if (dropped == 0)
        return;
    explicit_bzero(buffer->memory + buffer->end - dropped, dropped);
    buffer->end -= dropped;
}

void buffer_clear(Buffer *buffer)
{
    if (buffer->capacity > BUFFER_KEEP_MAX)
        buffer_deinit(buffer);
    else
        buffer_consume(buffer, buffer_size(buffer));
}
