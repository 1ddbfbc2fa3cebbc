#include "base/json.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <yajl/yajl_parse.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/limits.h"

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
    const char *text;
    size_t size;
    unsigned flags;
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
    bool is_too_deep;

    const char *key; /* of the member whose value comes next */
    size_t key_size;
    JsonPosition key_at;

    size_t token_end; /* offset behind the last token */
    size_t scanned;   /* offset up to which `line` and `column` have counted */
    JsonPosition position;
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

/* ---- positions ---- */

/* The position of `offset`, which must not be before the last one asked for. */
static JsonPosition json_locate(JsonReader *reader, size_t offset)
{
    assert(offset >= reader->scanned && offset <= reader->size);
    for (size_t i = reader->scanned; i < offset; i++) {
        unsigned char c = (unsigned char)reader->text[i];

        if (c == '\n') {
            reader->position.line++;
            reader->position.column = 1;
        } else if ((c & 0xC0) != 0x80) { /* not inside a UTF-8 character */
            reader->position.column++;
        }
    }
    reader->scanned = offset;
    return reader->position;
}

/* Skips what may stand between two tokens, from `offset` on. */
static size_t json_skip_blank(const JsonReader *reader, size_t offset)
{
    const char *text = reader->text;
    size_t size = reader->size;

    while (offset < size) {
        if (memchr(" \t\r\n\v\f,:", text[offset], 8)) {
            offset++;
        } else if (text[offset] == '/' && offset + 1 < size && text[offset + 1] == '/') {
            const char *end = memchr(text + offset, '\n', size - offset);

            offset = end ? (size_t)(end - text) + 1 : size;
        } else if (text[offset] == '/' && offset + 1 < size && text[offset + 1] == '*') {
            const char *end = memmem(text + offset + 2, size - offset - 2, "*/", 2);

            offset = end ? (size_t)(end - text) + 2 : size;
        } else {
            break;
        }
    }
    return offset;
}

/* Where the token begins that yajl has just read: behind the one before it and what may stand between. */
static JsonPosition json_locate_token(JsonReader *reader)
{
    size_t start;

    if (!(reader->flags & JSON_POSITIONS))
        return (JsonPosition){};
    start = json_skip_blank(reader, reader->token_end);
    reader->token_end = yajl_get_bytes_consumed(reader->yajl);
    if (reader->token_end > reader->size)
        reader->token_end = reader->size;
    return json_locate(reader, start < reader->scanned ? reader->scanned : start);
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
    if (reader->path_size > JSON_PATH_BYTES_MAX)
        return NULL;
    reader->path[reader->path_size] = '\0';
    return reader->path;
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
    }
    if (reader->depth == 0 && event->kind != JSON_EVENT_OPEN)
        reader->is_root_read = true;
    return reader->handler(reader->userdata, event) == 0;
}

static int json_emit_value(JsonReader *reader, JsonEvent event)
{
    event.kind = JSON_EVENT_VALUE;
    event.at = json_locate_token(reader);
    json_path_enter(reader);
    return json_emit(reader, &event);
}

static int json_on_null(void *context)
{
    return json_emit_value(context, (JsonEvent){.type = JSON_NULL});
}

static int json_on_boolean(void *context, int value)
{
    return json_emit_value(context, (JsonEvent){.type = JSON_BOOLEAN, .boolean = value != 0});
}

static int json_on_number(void *context, const char *digits, size_t size)
{
    return json_emit_value(context, (JsonEvent){.type = JSON_NUMBER, .text = digits, .size = size});
}

static int json_on_string(void *context, const unsigned char *text, size_t size)
{
    return json_emit_value(
        context, (JsonEvent){.type = JSON_STRING, .text = (const char *)text, .size = size});
}

static int json_open(JsonReader *reader, JsonType type)
{
    JsonEvent event = {.kind = JSON_EVENT_OPEN, .type = type, .at = json_locate_token(reader)};

    if (reader->depth == JSON_DEPTH_MAX) {
        reader->is_too_deep = true;
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
    JsonEvent event = {.kind = JSON_EVENT_CLOSE, .type = type, .at = json_locate_token(reader)};

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

    /* A key with an escape in it stands in yajl's decoding buffer, which the next string overwrites. */
    if ((const char *)key < reader->text || (const char *)key >= reader->text + reader->size) {
        key = (unsigned char *)arena_strndup(&reader->arena, (const char *)key, size);
        if (!key)
            longjmp(reader->no_memory, 1);
    }
    reader->key = (const char *)key;
    reader->key_size = size;
    reader->key_at = json_locate_token(reader);
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

/* ---- errors ---- */

typedef struct JsonLookalike {
    const char *bytes;
    const char *name;
    const char *instead;
} JsonLookalike;

/* What word processors and web pages put where JSON wants plain characters. */
static const JsonLookalike json_lookalikes[] = {
    {"\xE2\x80\x9C", "left curly quote U+201C", "the straight quote \""},
    {"\xE2\x80\x9D", "right curly quote U+201D", "the straight quote \""},
    {"\xE2\x80\x9E", "low quote U+201E", "the straight quote \""},
    {"\xE2\x80\x98", "left single curly quote U+2018", "the straight quote \""},
    {"\xE2\x80\x99", "right single curly quote U+2019", "the straight quote \""},
    {"\xC2\xAB", "guillemet U+00AB", "the straight quote \""},
    {"\xC2\xBB", "guillemet U+00BB", "the straight quote \""},
    {"\xC2\xA0", "no-break space U+00A0", "a plain space"},
    {"\xE2\x80\x8B", "zero-width space U+200B", "nothing"},
    {"\xEF\xBB\xBF", "byte order mark U+FEFF", "nothing"},
    {"'", "single quote", "the straight double quote \""},
};

static const JsonLookalike *json_find_lookalike(const char *text, size_t size)
{
    for (size_t i = 0; i < N_ELEMENTS(json_lookalikes); i++) {
        size_t n = strlen(json_lookalikes[i].bytes);

        if (n <= size && memcmp(text, json_lookalikes[i].bytes, n) == 0)
            return &json_lookalikes[i];
    }
    return NULL;
}

/* A string that was closed by a curly quote runs on to the next straight one: look for the cause before the break. */
static size_t json_find_cause(const JsonReader *reader, size_t offset)
{
    size_t start = offset;

    if (offset < reader->size &&
        json_find_lookalike(reader->text + offset, reader->size - offset))
        return offset;
    while (start > 0 && offset - start < 4096)
        start--;
    for (size_t i = start; i < offset; i++)
        if (memcmp(reader->text + i, "\xE2\x80", offset - i < 2 ? offset - i : 2) == 0 &&
            json_find_lookalike(reader->text + i, reader->size - i))
            return i;
    return offset;
}

/* yajl's own words for the error, without its "parse error: " and line end. */
static void json_yajl_message(JsonReader *reader, char *ret_message, size_t size)
{
    const char *words = (const char *)yajl_get_error(reader->yajl, 0, NULL, 0);
    const char *colon = words ? strstr(words, ": ") : NULL;
    size_t n;

    words = colon ? colon + 2 : words ? words : "invalid JSON";
    n = strcspn(words, "\n");
    (void)snprintf(ret_message, size, "%.*s", (int)(n < size ? n : size - 1), words);
}

static void json_explain(JsonReader *reader, size_t offset, JsonError *error)
{
    const JsonLookalike *lookalike;

    if (offset > reader->size)
        offset = reader->size;
    if (reader->is_too_deep) {
        (void)snprintf(error->message, sizeof(error->message), "nested deeper than %d levels",
                       JSON_DEPTH_MAX);
    } else if (reader->size == 0) {
        (void)snprintf(error->message, sizeof(error->message), "empty document");
    } else {
        offset = json_find_cause(reader, offset);
        lookalike = json_find_lookalike(reader->text + offset, reader->size - offset);
        if (lookalike)
            (void)snprintf(error->message, sizeof(error->message), "%s: use %s", lookalike->name,
                           lookalike->instead);
        else if (offset >= reader->size)
            (void)snprintf(error->message, sizeof(error->message),
                           "the document ends before it is complete");
        else
            json_yajl_message(reader, error->message, sizeof(error->message));
    }
    reader->scanned = 0;
    reader->position = (JsonPosition){1, 1};
    error->at = json_locate(reader, offset);
}

/* ---- reading ---- */

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
    if (reader->flags & JSON_COMMENTS)
        (void)yajl_config(reader->yajl, yajl_allow_comments, 1);
    status = yajl_parse(reader->yajl, (const unsigned char *)reader->text, reader->size);
    offset = yajl_get_bytes_consumed(reader->yajl);
    if (status == yajl_status_ok && reader->depth == 0 && !reader->is_root_read) {
        /* A number as the whole document is complete only when something follows it. */
        status = yajl_parse(reader->yajl, &blank, 1);
        offset = reader->size;
    }
    if (status == yajl_status_client_canceled && !reader->is_too_deep)
        return JSON_E_STOPPED;
    if (status == yajl_status_ok && reader->is_root_read)
        return 0;
    if (ret_error)
        json_explain(reader, status == yajl_status_ok ? reader->size : offset, ret_error);
    return JSON_E_SYNTAX;
}

int json_read(const char *text, size_t size, unsigned flags, JsonHandler handler, void *userdata,
              JsonError *ret_error)
{
    JsonReader reader = {
        .text = text ? text : "",
        .size = size,
        .flags = flags,
        .handler = handler,
        .userdata = userdata,
        .position = {1, 1},
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
