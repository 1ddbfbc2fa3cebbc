#pragma once

/*
 * Frame: messages out of a stream of bytes, each ended by one NUL. Pure: no socket, no loop.
 *
 * Bytes are read straight into its space; messages are looked at where they lie, one after the other,
 * and wiped when they are done with. No byte is searched twice, however the stream is cut up.
 *
 * Limits: REQUEST_BYTES_MAX
 * Source: https://varlink.org/Method-Call, "terminated with a single NUL byte"
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"

enum {
    FRAME_E_PARTIAL = 1, /* no whole message: read more */
    FRAME_E_TOO_BIG,     /* more than REQUEST_BYTES_MAX without a NUL: the stream cannot go on */
};

typedef struct Frame {
    Buffer bytes;
    size_t n_searched; /* of `bytes`, without a NUL among them */
    size_t message_size;
    bool has_message; /* the first message is whole, and not done with */
} Frame;

void frame_init(Frame *frame);

/* Wipes and frees; the frame is then empty and usable again. */
void frame_deinit(Frame *frame);

/*
 * Where the next bytes go and how many may; frame_commit() then says how many have come. Only while there is no whole
 * message, so that there is room for at least one byte. 0 or -ENOMEM.
 */
int frame_reserve(Frame *frame, char **ret_space, size_t *ret_size);
void frame_commit(Frame *frame, size_t size);

/* The first message, without its NUL, until frame_done(). 0 or FRAME_E_*; the same again when asked again. */
int frame_next(Frame *frame, const char **ret_text, size_t *ret_size);

/* Wipes and drops the message that frame_next() has returned. */
void frame_done(Frame *frame);

/* Whether any byte is held. */
bool frame_is_empty(const Frame *frame);
