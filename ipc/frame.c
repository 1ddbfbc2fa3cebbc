#include "ipc/frame.h"

#include <assert.h>
#include <string.h>

#include "base/limits.h"

/* Read at a time: many requests, and little enough to be kept with each of 4096 idle connections. */
#define FRAME_READ_BYTES 4096

void frame_init(Frame *frame)
{
    *frame = (Frame){.bytes = BUFFER_INIT(REQUEST_BYTES_MAX + 1)};
}

void frame_deinit(Frame *frame)
{
    buffer_deinit(&frame->bytes);
    frame_init(frame);
}

int frame_reserve(Frame *frame, char **ret_space, size_t *ret_size)
{
    size_t size = buffer_room(&frame->bytes);
    int r;

    assert(!frame->has_message && size > 0);
    if (size > FRAME_READ_BYTES)
        size = FRAME_READ_BYTES;
    r = buffer_reserve(&frame->bytes, size, ret_space);
    assert(r != BUFFER_E_FULL);
    if (r < 0)
        return r;
    *ret_size = size;
    return 0;
}

void frame_commit(Frame *frame, size_t size)
{
    buffer_commit(&frame->bytes, size);
}

int frame_next(Frame *frame, const char **ret_text, size_t *ret_size)
{
    const char *text = buffer_data(&frame->bytes);
    size_t size = buffer_size(&frame->bytes);

    if (!frame->has_message) {
        size_t n = size - frame->n_searched;
        const char *end = n > 0 ? memchr(text + frame->n_searched, '\0', n) : NULL;

        if (!end) {
            frame->n_searched = size;
            return size > REQUEST_BYTES_MAX ? FRAME_E_TOO_BIG : FRAME_E_PARTIAL;
        }
        frame->has_message = true;
        frame->message_size = (size_t)(end - text);
    }
    *ret_text = text;
    *ret_size = frame->message_size;
    return 0;
}

void frame_done(Frame *frame)
{
    assert(frame->has_message);
    buffer_consume(&frame->bytes, frame->message_size + 1);
    if (frame_is_empty(frame))
        buffer_clear(&frame->bytes);
    frame->has_message = false;
    frame->message_size = 0;
    frame->n_searched = 0;
}

bool frame_is_empty(const Frame *frame)
{
    return buffer_size(&frame->bytes) == 0;
}
