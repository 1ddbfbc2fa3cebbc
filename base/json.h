#pragma once

/*
 * JSON reader: events with offsets and paths, over yajl's callbacks.
 *
 * The one way in which this project reads JSON. A caller gets each value as it
 * is read, with its path, and keeps what it wants: so an answer of many
 * megabytes costs no more memory than the fields that are looked for, and a
 * document that breaks in the middle has still told what stood before the break.
 * base/json_value.h builds a tree where one is wanted.
 *
 * yajl is given one bounded text at a time (CVE-2022-24795) and allocates from an
 * arena that is wiped; its tree API is not used (CVE-2023-33460). Numbers keep
 * their digits.
 *
 * Limits: JSON_DEPTH_MAX
 * Source: RFC 8259; yajl/yajl_parse.h of yajl 2.1
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    JSON_E_SYNTAX =
        1,          /* not JSON, not UTF-8 or nested too deeply; what stood before was delivered */
    JSON_E_STOPPED, /* the callback said so */
};

typedef enum JsonType {
    JSON_NULL,
    JSON_BOOLEAN,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT,
} JsonType;

/* "null", "boolean", …; static storage. */
const char *json_type_name(JsonType type);

/* Where something begins; lines and columns count from 1, columns count characters. */
typedef struct JsonPosition {
    unsigned line;
    unsigned column;
} JsonPosition;

/*
 * The position of the byte at `offset` of `text`. Counting goes on from that at `start`, which is not behind it and is at
 * `start_at`; the first byte is at 1:1.
 */
JsonPosition json_locate(const char *text, size_t start, JsonPosition start_at, size_t offset);

typedef struct JsonError {
    JsonPosition at;
    char message[160]; /* one line, never holds text of the document beyond one character */
} JsonError;

typedef enum JsonEventKind {
    JSON_EVENT_VALUE, /* null, boolean, number or string */
    JSON_EVENT_OPEN,  /* array or object begins */
    JSON_EVENT_CLOSE, /* array or object ends */
} JsonEventKind;

typedef struct JsonEvent {
    JsonEventKind kind;
    JsonType type;
    unsigned depth; /* 0 for the document itself */

    /*
     * Path from the document: "" itself, "/key" a member, "/[]" any element of an array. In keys "~",
     * "/" and "[" stand as "~0", "~1" (RFC 6901) and "~2". NULL below a path that is too long for any
     * that a caller could look for, and below a key that holds a NUL. Always NULL with JSON_NO_PATHS.
     */
    const char *path;

    /* The key of a member, not NUL-terminated, else NULL. */
    const char *key;
    size_t key_size;
    size_t key_at;

    /* String: its bytes, valid UTF-8, may hold NULs; number: its digits. Not NUL-terminated. */
    const char *text;
    size_t size;
    bool boolean;
    size_t at; /* offset in the text at which it begins; as that of the key, counted in bytes */
} JsonEvent;

/*
 * Return 0 to go on; anything else ends the reading with JSON_E_STOPPED. What `event` points at lives
 * until the return.
 */
typedef int (*JsonHandler)(void *userdata, const JsonEvent *event);

enum {
    JSON_COMMENTS = 1 << 0, /* allow // and slash-star comments */
    JSON_NO_PATHS = 1 << 1, /* all paths are NULL: for who does not look at them */
};

/*
 * Reads `size` bytes as one document. 0, JSON_E_SYNTAX (with *ret_error, which may be NULL), JSON_E_STOPPED,
 * or -ENOMEM. A number that the text may have cut off at its end is never delivered, unless it is all that the
 * document holds.
 */
int json_read(const char *text, size_t size, unsigned flags, JsonHandler handler, void *userdata,
              JsonError *ret_error);

/* The digits of a JSON number as an integer: 0 or -ERANGE for fractions, exponents and what does not fit. */
int json_parse_int64(const char *digits, size_t size, int64_t *ret_number);
