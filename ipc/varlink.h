#pragma once

/*
 * Varlink messages: text to call or reply, and back. Pure: no socket, no loop.
 *
 * A message is one JSON object; on a stream each is followed by one NUL byte. Parsing is strict, as
 * systemd's is: unknown or duplicate keys at the top level, wrong types, `more` together with
 * `oneway` are refused.
 *
 * Source: https://varlink.org/Method-Call; systemd src/shared/varlink.c for what the specification leaves open
 */

#include <stdbool.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/json_value.h"
#include "base/json_writer.h"

enum {
    VARLINK_E_INVALID = 1, /* no Varlink message: the connection cannot go on */
    VARLINK_E_FULL,        /* the buffer's ceiling; its content is as before */
};

/* Errors of every Varlink service. The last two come from systemd, and its clients know them. */
#define VARLINK_INTERFACE_NOT_FOUND    "org.varlink.service.InterfaceNotFound"
#define VARLINK_METHOD_NOT_FOUND       "org.varlink.service.MethodNotFound"
#define VARLINK_METHOD_NOT_IMPLEMENTED "org.varlink.service.MethodNotImplemented"
#define VARLINK_INVALID_PARAMETER      "org.varlink.service.InvalidParameter"
#define VARLINK_PERMISSION_DENIED      "org.varlink.service.PermissionDenied"
#define VARLINK_EXPECTED_MORE          "org.varlink.service.ExpectedMore"

typedef struct VarlinkCall {
    const char *method;          /* "io.elementd.GetToken"; in the arena */
    const JsonValue *parameters; /* an object, or NULL when there are none */
    bool more;
    bool oneway;
    bool upgrade;
} VarlinkCall;

typedef struct VarlinkReply {
    const char *error;           /* NULL: no error; in the arena */
    const JsonValue *parameters; /* an object, or NULL when there are none */
    bool continues;
} VarlinkReply;

/* `text` has `size` bytes without the NUL. 0, VARLINK_E_INVALID or -ENOMEM. What is returned lives in `arena`. */
int varlink_parse_call(Arena *arena, const char *text, size_t size, VarlinkCall *ret_call);
int varlink_parse_reply(Arena *arena, const char *text, size_t size, VarlinkReply *ret_reply);

/* The same for any call, without ipc/quick.h, which takes the most frequent ones. */
int varlink_parse_any_call(Arena *arena, const char *text, size_t size, VarlinkCall *ret_call);

/*
 * Writing, a message at a time: begin, then the members of `parameters` through the writer, then end, which
 * appends the NUL. On failure the buffer is as it was before begin. 0, VARLINK_E_FULL or -ENOMEM (-EINVAL for a
 * string that is not UTF-8) from end; begin never fails.
 */
typedef struct VarlinkWriter {
    JsonWriter json;
    size_t begin; /* size of the buffer before the message */
    bool continues;
} VarlinkWriter;

void varlink_begin_call(VarlinkWriter *writer, Buffer *buffer, const char *method, bool more,
                        bool oneway);
void varlink_begin_reply(VarlinkWriter *writer, Buffer *buffer, bool continues);
void varlink_begin_error(VarlinkWriter *writer, Buffer *buffer, const char *error);
int varlink_end(VarlinkWriter *writer);
