/*
 * Fuzzes the JSON reader, the tree and the writer, against rules that hold for any input:
 *
 *  - the reader takes exactly what a plain recogniser takes that shares nothing with it (below), so neither
 *    yajl's leniency nor a mistake around it goes unseen;
 *  - events are balanced, their strings are UTF-8, their numbers are numbers, their places lead to them;
 *  - a document that is cut off tells what the whole one tells, up to some event;
 *  - what is read, written and read again is the same tree, and written once more the same bytes.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_value.h"
#include "base/json_writer.h"
#include "base/limits.h"
#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);          \
            abort();                                                                               \
        }                                                                                          \
    } while (false)

enum {
    EVENTS_MAX = 4096,      /* that are compared one by one */
    LOCATE_BYTES_MAX = 512, /* of a document in which each position is looked up */
    PATH_BYTES_MAX = 128,   /* as the reader's own */
};

/* ---- the recogniser ---- */

typedef struct Scan {
    const char *text;
    size_t size;
    size_t at;
    bool has_comments;
} Scan;

static bool scan_has(const Scan *scan, const char *bytes)
{
    size_t n = strlen(bytes);

    return scan->size - scan->at >= n && memcmp(scan->text + scan->at, bytes, n) == 0;
}

static int scan_peek(const Scan *scan)
{
    return scan->at < scan->size ? (unsigned char)scan->text[scan->at] : -1;
}

static bool scan_take(Scan *scan, char c)
{
    if (scan_peek(scan) != (unsigned char)c)
        return false;
    scan->at++;
    return true;
}

/* Blanks and comments; false at a comment that is not closed. */
static bool scan_blank(Scan *scan)
{
    for (;;) {
        int c = scan_peek(scan);

        if (c == ' ' || (c >= '\t' && c <= '\r')) {
            scan->at++;
        } else if (scan->has_comments && scan_has(scan, "//")) {
            while (scan->at < scan->size && scan->text[scan->at] != '\n')
                scan->at++;
        } else if (scan->has_comments && scan_has(scan, "/*")) {
            scan->at += 2;
            while (scan->at < scan->size && !scan_has(scan, "*/"))
                scan->at++;
            if (!scan_has(scan, "*/"))
                return false;
            scan->at += 2;
        } else {
            return true;
        }
    }
}

static bool scan_digits(Scan *scan)
{
    size_t start = scan->at;

    while (scan_peek(scan) >= '0' && scan_peek(scan) <= '9')
        scan->at++;
    return scan->at > start;
}

static bool scan_number(Scan *scan)
{
    (void)scan_take(scan, '-');
    if (!scan_take(scan, '0') && !scan_digits(scan))
        return false;
    if (scan_take(scan, '.') && !scan_digits(scan))
        return false;
    if (scan_take(scan, 'e') || scan_take(scan, 'E')) {
        if (!scan_take(scan, '+'))
            (void)scan_take(scan, '-');
        return scan_digits(scan);
    }
    return true;
}

/* The four digits of an escape, or -1. */
static int scan_hex4(Scan *scan)
{
    char digits[5] = "", *end;
    long number;

    if (scan->size - scan->at < 4)
        return -1;
    memcpy(digits, scan->text + scan->at, 4);
    if (strspn(digits, "0123456789abcdefABCDEF") != 4)
        return -1;
    number = strtol(digits, &end, 16);
    scan->at += 4;
    return (int)number;
}

static bool scan_escape(Scan *scan)
{
    int c = scan_peek(scan), unit;

    scan->at++;
    if (c < 0)
        return false;
    if (c != 'u')
        return c != 0 && strchr("\"\\/bfnrt", c);
    unit = scan_hex4(scan);
    if (unit < 0 || (unit >= 0xDC00 && unit <= 0xDFFF))
        return false;
    if (unit < 0xD800 || unit > 0xDFFF)
        return true;
    if (!scan_has(scan, "\\u"))
        return false;
    scan->at += 2;
    unit = scan_hex4(scan);
    return unit >= 0xDC00 && unit <= 0xDFFF;
}

/* One character of more than a byte, by what it decodes to. */
static bool scan_character(Scan *scan)
{
    static const unsigned long least[] = {0, 0, 0x80, 0x800, 0x10000};
    int c = scan_peek(scan);
    size_t n = c >= 0xF8 ? 0 : c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : c >= 0xC0 ? 2 : 0;
    unsigned long character;

    if (n == 0 || scan->size - scan->at < n)
        return false;
    character = (unsigned)c & (0x7Fu >> n);
    for (size_t i = 1; i < n; i++) {
        unsigned char next = (unsigned char)scan->text[scan->at + i];

        if (next < 0x80 || next > 0xBF)
            return false;
        character = character * 64 + (next - 0x80);
    }
    scan->at += n;
    return character >= least[n] && character <= 0x10FFFF &&
           (character < 0xD800 || character > 0xDFFF);
}

static bool scan_string(Scan *scan)
{
    if (!scan_take(scan, '"'))
        return false;
    for (;;) {
        int c = scan_peek(scan);

        if (c < 0x20)
            return false;
        if (scan_take(scan, '"'))
            return true;
        if (scan_take(scan, '\\')) {
            if (!scan_escape(scan))
                return false;
        } else if (c >= 0x80) {
            if (!scan_character(scan))
                return false;
        } else {
            scan->at++;
        }
    }
}

static bool scan_value(Scan *scan, unsigned depth);

static bool scan_container(Scan *scan, unsigned depth, bool is_object)
{
    char close = is_object ? '}' : ']';

    if (depth == JSON_DEPTH_MAX || !scan_blank(scan))
        return false;
    if (scan_take(scan, close))
        return true;
    for (;;) {
        if (is_object &&
            (!scan_string(scan) || !scan_blank(scan) || !scan_take(scan, ':') || !scan_blank(scan)))
            return false;
        if (!scan_value(scan, depth + 1) || !scan_blank(scan))
            return false;
        if (scan_take(scan, close))
            return true;
        if (!scan_take(scan, ',') || !scan_blank(scan))
            return false;
    }
}

static bool scan_value(Scan *scan, unsigned depth)
{
    static const char *const words[] = {"true", "false", "null"};

    for (size_t i = 0; i < 3; i++)
        if (scan_has(scan, words[i])) {
            scan->at += strlen(words[i]);
            return true;
        }
    if (scan_take(scan, '{'))
        return scan_container(scan, depth, true);
    if (scan_take(scan, '['))
        return scan_container(scan, depth, false);
    return scan_peek(scan) == '"' ? scan_string(scan) : scan_number(scan);
}

static bool scan_document(const char *text, size_t size, bool has_comments)
{
    Scan scan = {text ? text : "", size, 0, has_comments};

    return scan_blank(&scan) && scan_value(&scan, 0) && scan_blank(&scan) && scan.at == size;
}

/* ---- events ---- */

typedef struct Listener {
    const char *text;
    size_t size;
    unsigned depth;
    size_t n_events;
    uint64_t hash;             /* of all events so far, without their positions */
    uint64_t list[EVENTS_MAX]; /* the hash after each event */
    bool has_root_number;
    size_t last_at; /* offset of the event before */
} Listener;

static void listener_hash(Listener *listener, const void *data, size_t size)
{
    const unsigned char *bytes = data;

    for (size_t i = 0; i < size; i++)
        listener->hash = (listener->hash ^ bytes[i]) * 1099511628211U; /* FNV-1a */
    listener->hash = (listener->hash ^ size ^ 0x100) * 1099511628211U;
}

/* The offset of a position, counted afresh. Bytes inside a character have no place of their own. */
static size_t locate(const char *text, size_t size, JsonPosition at)
{
    unsigned line = 1, column = 1;

    for (size_t i = 0; i <= size; i++) {
        if (i < size && ((unsigned char)text[i] & 0xC0) == 0x80)
            continue;
        if (line == at.line && column == at.column)
            return i;
        column++;
        if (i < size && text[i] == '\n') {
            line++;
            column = 1;
        }
    }
    CHECK(false);
    return size;
}

static void listener_check_place(Listener *listener, const JsonEvent *event)
{
    static const char begins[] = {
        [JSON_NULL] = 'n', [JSON_STRING] = '"', [JSON_ARRAY] = '[', [JSON_OBJECT] = '{'};
    const char *text = listener->text;
    size_t at = event->at;
    char c;

    CHECK(at < listener->size);
    CHECK(at > listener->last_at || listener->n_events == 0);
    CHECK((event->key != NULL) == (event->key_at > 0));
    if (event->key)
        CHECK(event->key_at > listener->last_at && event->key_at < at &&
              text[event->key_at] == '"');
    listener->last_at = at;
    if (listener->size <= LOCATE_BYTES_MAX)
        CHECK(locate(text, listener->size, json_locate(text, 0, (JsonPosition){1, 1}, at)) == at);
    c = text[at];
    if (event->kind == JSON_EVENT_CLOSE)
        CHECK(c == (event->type == JSON_OBJECT ? '}' : ']'));
    else if (event->type == JSON_NUMBER)
        CHECK(listener->size - at >= event->size &&
              memcmp(text + at, event->text, event->size) == 0);
    else if (event->type == JSON_BOOLEAN)
        CHECK(c == (event->boolean ? 't' : 'f'));
    else
        CHECK(c == begins[event->type]);
}

static void listener_check_value(const JsonEvent *event)
{
    if (event->type == JSON_STRING)
        CHECK(utf8_is_valid(event->text, event->size));
    if (event->type == JSON_NUMBER) {
        Scan scan = {event->text, event->size, 0, false};
        int64_t number = 0;

        CHECK(scan_number(&scan) && scan.at == event->size);
        if (json_parse_int64(event->text, event->size, &number) == 0) {
            char digits[32];
            int n = snprintf(digits, sizeof(digits), "%lld", (long long)number);

            CHECK((size_t)n == event->size ? memcmp(digits, event->text, event->size) == 0
                                           : event->size == 2 && memcmp(event->text, "-0", 2) == 0);
        }
    }
}

static int listener_on_event(void *userdata, const JsonEvent *event)
{
    Listener *listener = userdata;
    unsigned char head[4] = {(unsigned char)event->kind, (unsigned char)event->type, event->boolean,
                             event->key != NULL};

    if (event->kind == JSON_EVENT_CLOSE)
        listener->depth--;
    CHECK(event->depth == listener->depth && event->depth <= JSON_DEPTH_MAX);
    if (event->kind == JSON_EVENT_OPEN)
        listener->depth++;
    CHECK((event->kind == JSON_EVENT_VALUE) ==
          (event->type != JSON_ARRAY && event->type != JSON_OBJECT));
    CHECK(!event->path || strlen(event->path) <= PATH_BYTES_MAX);
    CHECK(!event->path || (event->depth == 0) == (*event->path == '\0'));
    CHECK(!event->key || utf8_is_valid(event->key, event->key_size));
    listener_check_place(listener, event);
    listener_check_value(event);

    listener_hash(listener, head, sizeof(head));
    listener_hash(listener, event->path ? event->path : "?", event->path ? strlen(event->path) : 1);
    listener_hash(listener, event->key, event->key_size);
    listener_hash(listener, event->text, event->size);
    if (listener->n_events < EVENTS_MAX)
        listener->list[listener->n_events] = listener->hash;
    listener->n_events++;
    listener->has_root_number = event->depth == 0 && event->type == JSON_NUMBER;
    return 0;
}

/* Reads a copy of exactly that size, so that a byte read too far is seen. */
static int listen(Listener *listener, const char *text, size_t size, unsigned flags)
{
    char *copy = malloc(size > 0 ? size : 1);
    JsonError error;
    int r;

    CHECK(copy);
    if (size > 0)
        memcpy(copy, text, size);
    memset(listener, 0, offsetof(Listener, list));
    listener->text = copy;
    listener->size = size;
    listener->last_at = 0;
    r = json_read(copy, size, flags, listener_on_event, listener, &error);
    CHECK(r == 0 || r == JSON_E_SYNTAX);
    CHECK(r != 0 || listener->depth == 0);
    if (r == JSON_E_SYNTAX) {
        CHECK(error.message[0] && memchr(error.message, '\0', sizeof(error.message)));
        CHECK(!strpbrk(error.message, "\r\n"));
        (void)locate(copy, size, error.at);
    }
    free(copy);
    return r;
}

static Listener whole, other;

static void check_prefix(const char *text, size_t size, unsigned flags)
{
    (void)listen(&other, text, size, flags);
    if (other.has_root_number)
        return; /* nobody can tell whether that is the whole number */
    CHECK(other.n_events <= whole.n_events);
    if (other.n_events > 0 && other.n_events <= EVENTS_MAX)
        CHECK(other.list[other.n_events - 1] == whole.list[other.n_events - 1]);
}

/* ---- trees ---- */

static void check_same_tree(const JsonValue *a, const JsonValue *b)
{
    const JsonValue *other_child = b->first;
    size_t n = 0;

    CHECK(a->type == b->type && a->boolean == b->boolean && a->n_children == b->n_children);
    CHECK(a->size == b->size && a->key_size == b->key_size && !a->key == !b->key &&
          !a->text == !b->text);
    CHECK(!a->key || memcmp(a->key, b->key, a->key_size + 1) == 0);
    CHECK(!a->text || memcmp(a->text, b->text, a->size + 1) == 0);
    JSON_VALUE_FOREACH(child, a) {
        CHECK(other_child);
        check_same_tree(child, other_child);
        other_child = other_child->next;
        n++;
    }
    CHECK(!other_child && n == a->n_children);
}

static void write_tree(const JsonValue *value, Buffer *buffer)
{
    JsonWriter writer;

    json_writer_begin(&writer, buffer);
    json_writer_value(&writer, value);
    CHECK(json_writer_end(&writer) == 0);
}

static void check_tree(const char *text, size_t size, unsigned flags, bool is_good)
{
    Arena arena = ARENA_INIT(json_value_arena_max(size));
    Buffer once = BUFFER_INIT(6 * size + 64), twice = BUFFER_INIT(6 * size + 64);
    JsonValue *value = NULL, *again = NULL;
    const JsonValue *duplicate;
    int r;

    r = json_value_parse(&arena, text, size, flags, &value, NULL);
    CHECK(r == (is_good ? 0 : JSON_E_SYNTAX));
    if (is_good) {
        CHECK(json_value_find_duplicate(value, &duplicate) == 0);
        write_tree(value, &once);
        CHECK(scan_document(buffer_data(&once), buffer_size(&once), false));
        arena.max += json_value_arena_max(buffer_size(&once));
        r = json_value_parse(&arena, buffer_data(&once), buffer_size(&once), 0, &again, NULL);
        CHECK(r == 0);
        check_same_tree(value, again);
        write_tree(again, &twice);
        CHECK(buffer_size(&once) == buffer_size(&twice));
        CHECK(memcmp(buffer_data(&once), buffer_data(&twice), buffer_size(&once)) == 0);
    }
    buffer_deinit(&once);
    buffer_deinit(&twice);
    arena_deinit(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned comments[] = {0, JSON_COMMENTS};
    const char *text = (const char *)data;

    for (size_t i = 0; i < 2; i++) {
        bool is_good = scan_document(text, size, comments[i] != 0);
        size_t cut = size > 0 ? (data[size / 2] * 31 + size / 2) % size : 0;

        CHECK(listen(&whole, text, size, comments[i]) == (is_good ? 0 : JSON_E_SYNTAX));
        check_prefix(text, cut, comments[i]);
        check_prefix(text, size > 0 ? size - 1 : 0, comments[i]);
        check_tree(text, size, comments[i], is_good);
    }
    return 0;
}
