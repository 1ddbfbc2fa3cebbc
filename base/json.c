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
#include "base/utf8.h"

/* Longer than any path that is looked for in the platform's answers. */
#define JSON_PATH_BYTES_MAX 128

/*
 * Memory of one reading: yajl's handle and stacks; and, as a multiple of the text, all sizes of the buffer
 * into which it unescapes strings and which it doubles (4), and copies of escaped keys (1).
 */
#define JSON_ARENA_BASE   65536
#define JSON_ARENA_FACTOR 6

/* Number to string literal, of what a macro stands for. */
#define JSON_QUOTE(number)  #number
#define JSON_DIGITS(number) JSON_QUOTE(number)

#define JSON_BAD_UTF8 "bytes that are not UTF-8"
#define JSON_TOO_DEEP "nested deeper than " JSON_DIGITS(JSON_DEPTH_MAX) " levels"

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

    const char *key; /* of the member whose value comes next */
    size_t key_size;
    JsonPosition key_at;

    size_t token_end; /* offset behind the last token that yajl told of */
    size_t scanned;   /* offset up to which `position` has counted */
    JsonPosition position;

    const char *refusal; /* why what yajl took is refused all the same, or NULL */
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

    return bytes >= reader->text && bytes < reader->text + reader->size;
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

static bool json_is_blank(char c)
{
    return memchr(" \t\r\n\v\f", c, 6); /* yajl's idea of it, wider than the RFC's */
}

/* Skips blanks and, where they are allowed, comments from `offset` on; stops at one that is not closed. */
static size_t json_skip_blank(const JsonReader *reader, size_t offset)
{
    const char *text = reader->text;
    size_t size = reader->size;

    while (offset < size) {
        const char *end;

        if (json_is_blank(text[offset])) {
            offset++;
            continue;
        }
        if (!(reader->flags & JSON_COMMENTS) || size - offset < 2 || text[offset] != '/')
            break;
        if (text[offset + 1] == '/') {
            end = memchr(text + offset, '\n', size - offset);
            offset = end ? (size_t)(end - text) + 1 : size;
        } else if (text[offset + 1] == '*') {
            end = memmem(text + offset + 2, size - offset - 2, "*/", 2);
            if (!end)
                break;
            offset = (size_t)(end - text) + 2;
        } else {
            break;
        }
    }
    return offset;
}

/* Skips all that may stand between two tokens that yajl tells of, from `offset` on. */
static size_t json_skip_between(const JsonReader *reader, size_t offset)
{
    offset = json_skip_blank(reader, offset);
    while (offset < reader->size && (reader->text[offset] == ',' || reader->text[offset] == ':'))
        offset = json_skip_blank(reader, offset + 1);
    return offset;
}

/* Takes note of the token that yajl has just read. It begins behind the one before and what is between. */
static JsonPosition json_locate_token(JsonReader *reader)
{
    size_t before = reader->token_end, end = yajl_get_bytes_consumed(reader->yajl);

    /* A number as the whole document ends with the blank that is read behind it. */
    reader->token_end = end > before ? end : reader->size;
    if (!(reader->flags & JSON_POSITIONS))
        return (JsonPosition){};
    return json_locate(reader, json_skip_between(reader, before));
}

/* Where the string begins whose closing quote is before `end`: at the nearest quote that is not escaped. */
static size_t json_string_start(const JsonReader *reader, size_t end)
{
    size_t start = end - 1, n_escapes;

    do {
        n_escapes = 0;
        while (start > 0 && reader->text[start - 1] != '"')
            start--;
        if (start == 0)
            break;
        start--;
        while (n_escapes < start && reader->text[start - 1 - n_escapes] == '\\')
            n_escapes++;
    } while (n_escapes % 2 != 0);
    return start;
}

/* What yajl took is refused, for `reason`, at `offset`; its callback then ends the reading. */
static void json_refuse(JsonReader *reader, const char *reason, size_t offset)
{
    reader->refusal = reason;
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

/* ---- texts ---- */

static unsigned json_parse_hex4(const char *digits)
{
    unsigned number = 0;

    for (size_t i = 0; i < 4; i++) {
        char c = digits[i];

        number = number << 4 | (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return number;
}

/* The offset of the first \u escape of half a surrogate pair in what stands between quotes, or `end`. */
static size_t json_find_half_pair(const char *text, size_t start, size_t end)
{
    size_t i = start;

    while (i < end) {
        unsigned unit = 0;

        if (text[i] != '\\') {
            i++;
            continue;
        }
        if (text[i + 1] != 'u') {
            i += 2;
            continue;
        }
        unit = json_parse_hex4(text + i + 2);
        if ((unit & 0xF800) != 0xD800) {
            i += 6;
            continue;
        }
        if ((unit & 0x0400) != 0 || end - i < 12 || memcmp(text + i + 6, "\\u", 2) != 0 ||
            (json_parse_hex4(text + i + 8) & 0xFC00) != 0xDC00)
            return i;
        i += 12;
    }
    return end;
}

/*
 * yajl lets pass what only looks like UTF-8, and makes something of half a pair; both would go on as
 * bytes that no other JSON parser takes. So the string that it has just read is looked at in the document.
 */
static bool json_check_string(JsonReader *reader, const unsigned char *text, size_t size)
{
    bool is_decoded = !json_is_inside(reader, text);
    size_t start, end, at;

    start = is_decoded ? json_string_start(reader, reader->token_end) + 1
                       : (size_t)((const char *)text - reader->text);
    end = is_decoded ? reader->token_end - 1 : start + size;
    at = start + utf8_prefix(reader->text + start, end - start);
    if (at < end) {
        json_refuse(reader, JSON_BAD_UTF8, at);
        return false;
    }
    at = is_decoded ? json_find_half_pair(reader->text, start, end) : end;
    if (at < end) {
        json_refuse(reader, "half of a surrogate pair: \\uD800 to \\uDFFF come in twos", at);
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
        reader->key_at = (JsonPosition){};
    }
    if (reader->depth == 0 && event->kind != JSON_EVENT_OPEN)
        reader->is_root_read = true;
    return reader->handler(reader->userdata, event) == 0;
}

static int json_emit_value(JsonReader *reader, JsonEvent event)
{
    event.kind = JSON_EVENT_VALUE;
    json_path_enter(reader);
    return json_emit(reader, &event);
}

static int json_on_null(void *context)
{
    return json_emit_value(context,
                           (JsonEvent){.type = JSON_NULL, .at = json_locate_token(context)});
}

static int json_on_boolean(void *context, int value)
{
    JsonEvent event = {.type = JSON_BOOLEAN, .boolean = value != 0};

    event.at = json_locate_token(context);
    return json_emit_value(context, event);
}

static int json_on_number(void *context, const char *digits, size_t size)
{
    JsonEvent event = {.type = JSON_NUMBER, .text = digits, .size = size};

    event.at = json_locate_token(context);
    return json_emit_value(context, event);
}

static int json_on_string(void *context, const unsigned char *text, size_t size)
{
    JsonEvent event = {.type = JSON_STRING, .text = (const char *)text, .size = size};

    event.at = json_locate_token(context);
    return json_check_string(context, text, size) && json_emit_value(context, event);
}

static int json_open(JsonReader *reader, JsonType type)
{
    JsonEvent event = {.kind = JSON_EVENT_OPEN, .type = type, .at = json_locate_token(reader)};

    if (reader->depth == JSON_DEPTH_MAX) {
        json_refuse(reader, JSON_TOO_DEEP, reader->token_end - 1);
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

    reader->key_at = json_locate_token(reader);
    if (!json_check_string(reader, key, size))
        return 0;
    /* A key with an escape in it stands in yajl's decoding buffer, which the next string overwrites. */
    if (!json_is_inside(reader, key)) {
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

/* ---- errors ---- */

typedef struct JsonLookalike {
    const char *bytes;
    const char *words;
    bool is_double_quote; /* so that it may be why a string did not end where it was meant to */
} JsonLookalike;

/* What word processors and web pages put where JSON wants plain characters. */
static const JsonLookalike json_lookalikes[] = {
    {"\xE2\x80\x9C", "left curly quote U+201C: use the straight quote \"", true},
    {"\xE2\x80\x9D", "right curly quote U+201D: use the straight quote \"", true},
    {"\xE2\x80\x9E", "low quote U+201E: use the straight quote \"", true},
    {"\xC2\xAB", "guillemet U+00AB: use the straight quote \"", true},
    {"\xC2\xBB", "guillemet U+00BB: use the straight quote \"", true},
    {"\xE2\x80\x98", "left single curly quote U+2018: use the straight double quote \"", false},
    {"\xE2\x80\x99", "right single curly quote U+2019: use the straight double quote \"", false},
    {"'", "single quote: use the straight double quote \"", false},
    {"\xC2\xA0", "no-break space U+00A0: use a plain space", false},
    {"\xE2\x80\x8B", "zero-width space U+200B: remove it", false},
    {"\xEF\xBB\xBF", "byte order mark U+FEFF: remove it", false},
};

static const JsonLookalike *json_find_lookalike(const JsonReader *reader, size_t offset)
{
    for (size_t i = 0; i < N_ELEMENTS(json_lookalikes); i++) {
        size_t n = strlen(json_lookalikes[i].bytes);

        if (n <= reader->size - offset &&
            memcmp(reader->text + offset, json_lookalikes[i].bytes, n) == 0)
            return &json_lookalikes[i];
    }
    return NULL;
}

/* The double quote that is none between two offsets; *ret_offset tells where. */
static const JsonLookalike *json_find_quote(const JsonReader *reader, size_t start, size_t end,
                                            size_t *ret_offset)
{
    for (size_t i = start; i < end; i++) {
        const JsonLookalike *lookalike = json_find_lookalike(reader, i);

        if (lookalike && lookalike->is_double_quote) {
            *ret_offset = i;
            return lookalike;
        }
    }
    return NULL;
}

/*
 * The look-alike that explains an error at `offset`. A string that a curly quote was to close runs on: to
 * the end of its line, which is an error, or to the next straight quote, which was to open another string.
 * Then what that other string holds stands right behind it, where nothing but a separator may.
 */
static const JsonLookalike *json_find_cause(const JsonReader *reader, size_t offset,
                                            size_t *ret_offset)
{
    const JsonLookalike *lookalike = json_find_lookalike(reader, offset);
    size_t last = reader->token_end, next = json_skip_between(reader, last);

    if (lookalike) {
        *ret_offset = offset;
        return lookalike;
    }
    if (next < offset && reader->text[next] == '"')
        lookalike = json_find_quote(reader, next + 1, offset, ret_offset);
    if (!lookalike && last > 0 && last < reader->size && reader->text[last - 1] == '"' &&
        !json_is_blank(reader->text[last]) && !memchr(",:]}/", reader->text[last], 5))
        lookalike = json_find_quote(reader, json_string_start(reader, last), last, ret_offset);
    return lookalike;
}

static bool json_is_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+' ||
           c == '-' || c == '.';
}

static size_t json_word_start(const JsonReader *reader, size_t end)
{
    while (end > reader->token_end && json_is_word(reader->text[end - 1]))
        end--;
    return end;
}

/* Where the token begins that ends at `end` and that stands where it may not. */
static size_t json_token_start(const JsonReader *reader, size_t end)
{
    size_t start = json_word_start(reader, end);

    if (end == 0 || start < end)
        return start;
    return reader->text[end - 1] == '"' ? json_string_start(reader, end) : end - 1;
}

/*
 * yajl's words for the error without "parse error: " before and a full stop behind them. *offset, how far
 * yajl had read, becomes where the mistake begins: a token in the wrong place was read to its end.
 */
static void json_explain_yajl(JsonReader *reader, size_t *offset, char *ret_message, size_t size)
{
    const char *words = (const char *)yajl_get_error(reader->yajl, 0, NULL, 0);
    const char *colon = words ? strstr(words, ": ") : NULL;
    bool is_lexical = words && strncmp(words, "lexical", 7) == 0;
    size_t n;

    words = colon ? colon + 2 : "invalid JSON";
    if (strncmp(words, "after key and value", 19) == 0 || strncmp(words, "trailing", 8) == 0) {
        *offset = json_skip_blank(reader, reader->token_end);
    } else if (!is_lexical) {
        *offset = json_token_start(reader, *offset);
    } else if (strncmp(words, "invalid char in", 15) == 0) {
        *offset -= *offset > 0;
    } else if (strncmp(words, "invalid string in", 17) == 0) {
        *offset = json_word_start(reader, *offset);
        words = "a word that is none of true, false and null";
    } else if (strncmp(words, "invalid bytes", 13) == 0) {
        size_t start = json_skip_between(reader, reader->token_end);

        *offset = start + utf8_prefix(reader->text + start, *offset - start);
        words = JSON_BAD_UTF8;
    }
    n = strcspn(words, "\n");
    n -= n > 0 && words[n - 1] == '.';
    (void)snprintf(ret_message, size, "%.*s", (int)n, words);
}

/* `offset` is how far yajl had read, and `is_unfinished` that it found nothing wrong up to there. */
static void json_explain(JsonReader *reader, size_t offset, bool is_unfinished, JsonError *error)
{
    const JsonLookalike *lookalike;
    const char *words = NULL;

    if (reader->refusal) {
        words = reader->refusal;
        offset = reader->refused_at;
    } else if (json_skip_blank(reader, 0) == reader->size) {
        words = "empty document";
        offset = 0;
    } else if (is_unfinished) {
        offset = json_skip_between(reader, reader->token_end);
        if (offset + 1 < reader->size && memcmp(reader->text + offset, "/*", 2) == 0) {
            words = "a comment that is not closed";
        } else {
            words = "the document ends before it is complete";
            offset = reader->size;
        }
    } else {
        json_explain_yajl(reader, &offset, error->message, sizeof(error->message));
    }
    lookalike = reader->refusal ? NULL : json_find_cause(reader, offset, &offset);
    if (lookalike)
        words = lookalike->words;
    if (words)
        (void)snprintf(error->message, sizeof(error->message), "%s", words);
    reader->scanned = 0;
    reader->position = (JsonPosition){1, 1};
    error->at = json_locate(reader, offset);
}

/* ---- reading ---- */

/* yajl takes the beginning of any token behind the document for a token that is still to come. */
static bool json_is_trailed(JsonReader *reader)
{
    size_t offset = json_skip_blank(reader, reader->token_end);

    if (offset == reader->size)
        return false;
    json_refuse(reader,
                reader->size - offset >= 2 && memcmp(reader->text + offset, "/*", 2) == 0
                    ? "a comment that is not closed"
                    : "trailing garbage",
                offset);
    return true;
}

/* Whether the whole document begins as a number. */
static bool json_is_number(const JsonReader *reader)
{
    size_t start = json_skip_blank(reader, 0);

    return !reader->is_root_read && start < reader->size &&
           memchr("-0123456789", reader->text[start], 11);
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
    if (reader->flags & JSON_COMMENTS)
        (void)yajl_config(reader->yajl, yajl_allow_comments, 1);
    status = yajl_parse(reader->yajl, (const unsigned char *)reader->text, reader->size);
    offset = yajl_get_bytes_consumed(reader->yajl);
    if (status == yajl_status_ok && json_is_number(reader)) {
        /* yajl ends a number only when something follows it. */
        status = yajl_parse(reader->yajl, &blank, 1);
        offset = reader->size;
    }
    if (status == yajl_status_client_canceled && !reader->refusal)
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
