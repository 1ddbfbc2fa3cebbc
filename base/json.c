#include "base/json.h"

#include <assert.h>
#include <errno.h>
#include <setjmp.h>
#include <string.h>

#include <yajl/yajl_parse.h>

#include "base/arena.h"
#include "base/json_error.h"
#include "base/json_text.h"
#include "base/limits.h"
#include "base/utf8.h"

/* Longer than any path that is looked for in the platform's answers. */
#define JSON_PATH_BYTES_MAX 128

/*
 * Memory of one reading: yajl's handle and stacks; and, as a multiple of the text, all sizes of the buffer
 * into which it unescapes strings and which it doubles (4), and copies of escaped keys (1).
 */
#define JSON_ARENA_BASE   65536
#define JSON_ARENA_FACTOR 6

typedef struct JsonFrame {
    JsonType type;
    size_t path_size; /* of the container's own path */
} JsonFrame;

typedef struct JsonReader {
    JsonText text;
    bool has_paths;
    JsonHandler handler;
    void *userdata;

    yajl_handle yajl;
    Arena arena;
    jmp_buf no_memory;

    JsonFrame frames[JSON_DEPTH_MAX];
    unsigned depth;
    char path[JSON_PATH_BYTES_MAX + 1];
    size_t path_size; /* above JSON_PATH_BYTES_MAX: too long */
    bool is_root_read;

    const char *key; /* of the member whose value comes next */
    size_t key_size;
    size_t key_at;

    size_t token_end; /* offset behind the last token that yajl told of */

    JsonErrorRefusal refusal; /* why what yajl took is refused all the same */
    size_t refused_at;
} JsonReader;

const char *json_type_name(JsonType type)
{
    switch (type) {
    case JSON_NULL:
        return "null";
    case JSON_BOOLEAN:
        return "boolean";
    case JSON_NUMBER:
        return "number";
    case JSON_STRING:
        return "string";
    case JSON_ARRAY:
        return "array";
    case JSON_OBJECT:
        return "object";
    }
    assert(false);
    return NULL;
}

/*
 * ---- memory ----
 *
 * yajl does not look at what malloc() returns. So a failure leaves it by longjmp(): it is plain C, all
 * it holds is in the arena, and none of our callbacks is on the stack when it allocates.
 */

static void *json_malloc(void *context, size_t size)
{
    JsonReader *reader = context;
    size_t *memory = arena_alloc(&reader->arena, size + 2 * sizeof(size_t));

    if (!memory)
        longjmp(reader->no_memory, 1);
    memory[0] = size;
    return memory + 2;
}

static void *json_realloc(void *context, void *old, size_t size)
{
    size_t *memory = json_malloc(context, size);

    if (old) {
        size_t old_size = ((size_t *)old)[-2];

        memcpy(memory, old, old_size < size ? old_size : size);
    }
    return memory;
}

static void json_free(void *context, void *memory)
{
    (void)context;
    (void)memory; /* with the arena */
}

/* Whether `text` is a part of the document, and not something that yajl has made of it. */
static bool json_is_inside(const JsonReader *reader, const unsigned char *text)
{
    const char *bytes = (const char *)text;

    return bytes >= reader->text.bytes && bytes < reader->text.bytes + reader->text.size;
}

/* ---- positions ---- */

JsonPosition json_locate(const char *text, size_t start, JsonPosition start_at, size_t offset)
{
    JsonPosition at = start_at;

    assert(start <= offset);
    for (size_t i = start; i < offset; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c == '\n') {
            at.line++;
            at.column = 1;
        } else if ((c & 0xC0) != 0x80) { /* not inside a UTF-8 character */
            at.column++;
        }
    }
    return at;
}

/* Takes note of the token that yajl has just read, and returns where it ends. */
static size_t json_take_token(JsonReader *reader)
{
    size_t end = yajl_get_bytes_consumed(reader->yajl);

    /* A number as the whole document ends with the blank that is read behind it. */
    reader->token_end = end > reader->token_end ? end : reader->text.size;
    return reader->token_end;
}

/* The same for a string of which yajl has made `string`; returns where its first quote is. */
static size_t json_take_string(JsonReader *reader, const unsigned char *string)
{
    size_t end = json_take_token(reader);

    return json_is_inside(reader, string) ? (size_t)((const char *)string - reader->text.bytes) - 1
                                          : json_text_string_start(&reader->text, end);
}

/* What yajl took is refused, at `offset`; its callback then ends the reading. */
static void json_refuse(JsonReader *reader, JsonErrorRefusal refusal, size_t offset)
{
    reader->refusal = refusal;
    reader->refused_at = offset;
}

/* ---- paths ---- */

static void json_path_append(JsonReader *reader, const char *text, size_t size)
{
    for (size_t i = 0; i < size && reader->path_size <= JSON_PATH_BYTES_MAX; i++)
        reader->path[reader->path_size++] = text[i];
}

static void json_path_append_key(JsonReader *reader, const char *key, size_t size)
{
    json_path_append(reader, "/", 1);
    if (size > 0 && memchr(key, '\0', size)) {
        reader->path_size = JSON_PATH_BYTES_MAX + 1; /* it would look like a shorter key */
        return;
    }
    for (size_t i = 0; i < size && reader->path_size <= JSON_PATH_BYTES_MAX; i++) {
        const char *escape = key[i] == '~'   ? "~0"
                             : key[i] == '/' ? "~1"
                             : key[i] == '[' ? "~2"
                                             : NULL;

        if (escape)
            json_path_append(reader, escape, 2);
        else
            json_path_append(reader, key + i, 1);
    }
}

/* Sets the path of the value that begins now, from its container. */
static void json_path_enter(JsonReader *reader)
{
    if (!reader->has_paths)
        return;
    if (reader->depth == 0) {
        reader->path_size = 0;
    } else {
        const JsonFrame *frame = &reader->frames[reader->depth - 1];

        reader->path_size = frame->path_size;
        if (frame->type == JSON_ARRAY)
            json_path_append(reader, "/[]", 3);
        else
            json_path_append_key(reader, reader->key, reader->key_size);
    }
}

static const char *json_path(JsonReader *reader)
{
    if (!reader->has_paths || reader->path_size > JSON_PATH_BYTES_MAX)
        return NULL;
    reader->path[reader->path_size] = '\0';
    return reader->path;
}

/* ---- texts ---- */

/*
 * yajl lets pass what only looks like UTF-8, and makes something of half a pair; both would go on as
 * bytes that no other JSON parser takes. So the string that it has just read is looked at in the document.
 */
static bool json_check_string(JsonReader *reader, size_t quote, bool is_decoded)
{
    const JsonText *text = &reader->text;
    size_t start = quote + 1, end = reader->token_end - 1, at;

    at = start + utf8_prefix(text->bytes + start, end - start);
    if (at < end) {
        json_refuse(reader, JSON_ERROR_BAD_UTF8, at);
        return false;
    }
    at = is_decoded ? json_text_find_half_pair(text, start, end) : end;
    if (at < end) {
        json_refuse(reader, JSON_ERROR_HALF_PAIR, at);
        return false;
    }
    return true;
}

/* ---- events ---- */

/* yajl wants 1 to go on. */
static int json_emit(JsonReader *reader, JsonEvent *event)
{
    event->depth = reader->depth;
    event->path = json_path(reader);
    if (event->kind != JSON_EVENT_CLOSE) {
        event->key = reader->key;
        event->key_size = reader->key_size;
        event->key_at = reader->key_at;
        reader->key = NULL;
        reader->key_size = 0;
        reader->key_at = 0;
    }
    if (reader->depth == 0 && event->kind != JSON_EVENT_OPEN)
        reader->is_root_read = true;
    return reader->handler(reader->userdata, event) == 0;
}

static int json_emit_value(JsonReader *reader, JsonEvent *event)
{
    event->kind = JSON_EVENT_VALUE;
    json_path_enter(reader);
    return json_emit(reader, event);
}

static int json_on_null(void *context)
{
    JsonEvent event = {.type = JSON_NULL};

    event.at = json_take_token(context) - strlen("null");
    return json_emit_value(context, &event);
}

static int json_on_boolean(void *context, int value)
{
    JsonEvent event = {.type = JSON_BOOLEAN, .boolean = value != 0};

    event.at = json_take_token(context) - strlen(value ? "true" : "false");
    return json_emit_value(context, &event);
}

static int json_on_number(void *context, const char *digits, size_t size)
{
    JsonEvent event = {.type = JSON_NUMBER, .text = digits, .size = size};

    event.at = json_take_token(context) - size;
    return json_emit_value(context, &event);
}

static int json_on_string(void *context, const unsigned char *text, size_t size)
{
    JsonEvent event = {.type = JSON_STRING, .text = (const char *)text, .size = size};

    event.at = json_take_string(context, text);
    return json_check_string(context, event.at, !json_is_inside(context, text)) &&
           json_emit_value(context, &event);
}

static int json_open(JsonReader *reader, JsonType type)
{
    JsonEvent event = {.kind = JSON_EVENT_OPEN, .type = type, .at = json_take_token(reader) - 1};

    if (reader->depth == JSON_DEPTH_MAX) {
        json_refuse(reader, JSON_ERROR_TOO_DEEP, event.at);
        return 0;
    }
    json_path_enter(reader);
    if (!json_emit(reader, &event))
        return 0;
    reader->frames[reader->depth++] = (JsonFrame){.type = type, .path_size = reader->path_size};
    return 1;
}

static int json_close(JsonReader *reader, JsonType type)
{
    JsonEvent event = {.kind = JSON_EVENT_CLOSE, .type = type, .at = json_take_token(reader) - 1};

    assert(reader->depth > 0);
    reader->depth--;
    reader->path_size = reader->frames[reader->depth].path_size;
    return json_emit(reader, &event);
}

static int json_on_start_map(void *context)
{
    return json_open(context, JSON_OBJECT);
}

static int json_on_end_map(void *context)
{
    return json_close(context, JSON_OBJECT);
}

static int json_on_start_array(void *context)
{
    return json_open(context, JSON_ARRAY);
}

static int json_on_end_array(void *context)
{
    return json_close(context, JSON_ARRAY);
}

static int json_on_key(void *context, const unsigned char *key, size_t size)
{
    JsonReader *reader = context;
    bool is_decoded = !json_is_inside(reader, key);

    reader->key_at = json_take_string(reader, key);
    if (!json_check_string(reader, reader->key_at, is_decoded))
        return 0;
    /* It stands in yajl's decoding buffer, which the next string overwrites. */
    if (is_decoded) {
        key = (unsigned char *)arena_strndup(&reader->arena, (const char *)key, size);
        if (!key)
            longjmp(reader->no_memory, 1);
    }
    reader->key = (const char *)key;
    reader->key_size = size;
    return 1;
}

static const yajl_callbacks json_callbacks = {
    .yajl_null = json_on_null,
    .yajl_boolean = json_on_boolean,
    .yajl_number = json_on_number,
    .yajl_string = json_on_string,
    .yajl_start_map = json_on_start_map,
    .yajl_map_key = json_on_key,
    .yajl_end_map = json_on_end_map,
    .yajl_start_array = json_on_start_array,
    .yajl_end_array = json_on_end_array,
};

/* ---- reading ---- */

/* yajl takes the beginning of any token behind the document for a token that is still to come. */
static bool json_is_trailed(JsonReader *reader)
{
    size_t offset = json_text_skip_blank(&reader->text, reader->token_end);

    if (offset == reader->text.size)
        return false;
    json_refuse(reader,
                json_text_is_comment(&reader->text, offset) ? JSON_ERROR_OPEN_COMMENT
                                                            : JSON_ERROR_TRAILING,
                offset);
    return true;
}

/* Whether the whole document begins as a number. */
static bool json_is_number(const JsonReader *reader)
{
    size_t start = json_text_skip_blank(&reader->text, 0);

    return !reader->is_root_read && start < reader->text.size &&
           memchr("-0123456789", reader->text.bytes[start], 11);
}

/* `read_end` is how far yajl had read, and `is_unfinished` that it found nothing wrong up to there. */
static void json_explain(JsonReader *reader, size_t read_end, bool is_unfinished,
                         JsonError *ret_error)
{
    JsonErrorFacts facts = {
        .text = &reader->text,
        .token_end = reader->token_end,
        .refusal = reader->refusal,
        .refused_at = reader->refused_at,
        .is_unfinished = is_unfinished,
        .read_end = read_end,
    };

    if (reader->refusal == JSON_ERROR_NOT_REFUSED && !is_unfinished)
        facts.words = (const char *)yajl_get_error(reader->yajl, 0, NULL, 0);
    json_error_explain(&facts, ret_error);
}

/* Reads in a function of its own, so that longjmp() leaves none of its caller's variables undefined. */
static int json_run(JsonReader *reader, JsonError *ret_error)
{
    static const unsigned char blank = ' ';
    yajl_alloc_funcs allocator = {json_malloc, json_realloc, json_free, reader};
    yajl_status status;
    size_t offset;

    if (setjmp(reader->no_memory) != 0)
        return -ENOMEM;
    reader->yajl = yajl_alloc(&json_callbacks, &allocator, reader);
    if (reader->text.has_comments)
        (void)yajl_config(reader->yajl, yajl_allow_comments, 1);
    status = yajl_parse(reader->yajl, (const unsigned char *)reader->text.bytes, reader->text.size);
    offset = yajl_get_bytes_consumed(reader->yajl);
    if (status == yajl_status_ok && json_is_number(reader)) {
        /* yajl ends a number only when something follows it. */
        status = yajl_parse(reader->yajl, &blank, 1);
        offset = reader->text.size;
    }
    if (status == yajl_status_client_canceled && reader->refusal == JSON_ERROR_NOT_REFUSED)
        return JSON_E_STOPPED;
    if (status == yajl_status_ok && reader->is_root_read && !json_is_trailed(reader))
        return 0;
    if (ret_error)
        json_explain(reader, offset, status == yajl_status_ok, ret_error);
    return JSON_E_SYNTAX;
}

int json_read(const char *text, size_t size, unsigned flags, JsonHandler handler, void *userdata,
              JsonError *ret_error)
{
    JsonReader reader = {
        .text = {text ? text : "", size, (flags & JSON_COMMENTS) != 0},
        .has_paths = (flags & JSON_NO_PATHS) == 0,
        .handler = handler,
        .userdata = userdata,
    };
    int r;

    if (size > (SIZE_MAX - JSON_ARENA_BASE) / JSON_ARENA_FACTOR)
        return -ENOMEM;
    arena_init(&reader.arena, JSON_ARENA_BASE + JSON_ARENA_FACTOR * size);
    r = json_run(&reader, ret_error);
    arena_deinit(&reader.arena);
    return r;
}

int json_parse_int64(const char *digits, size_t size, int64_t *ret_number)
{
    bool is_negative = size > 0 && digits[0] == '-';
    int64_t number = 0;

    if (size == (size_t)is_negative)
        return -ERANGE;
    for (size_t i = is_negative; i < size; i++) {
        if (digits[i] < '0' || digits[i] > '9')
            return -ERANGE;
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_sub_overflow(number, digits[i] - '0', &number))
            return -ERANGE;
    }
    if (!is_negative && number == INT64_MIN)
        return -ERANGE;
    *ret_number = is_negative ? number : -number;
    return 0;
}
