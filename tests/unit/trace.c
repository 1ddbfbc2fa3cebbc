#include "tests/unit/trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"

#define TRACE_BYTES_MAX (1024 * 1024)

static void trace_bytes(Trace *trace, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        assert_int_equal(bytes[i] ? buffer_append(&trace->text, bytes + i, 1)
                                  : buffer_append_string(&trace->text, "\\0"),
                         0);
}

static void trace_word(Trace *trace, const char *word)
{
    trace_bytes(trace, word, strlen(word));
}

static void trace_value(Trace *trace, const JsonEvent *event)
{
    switch (event->type) {
    case JSON_NULL:
        trace_word(trace, "= null");
        break;
    case JSON_BOOLEAN:
        trace_word(trace, event->boolean ? "= true" : "= false");
        break;
    case JSON_NUMBER:
        trace_word(trace, "= ");
        trace_bytes(trace, event->text, event->size);
        break;
    case JSON_STRING:
        trace_word(trace, "= \"");
        trace_bytes(trace, event->text, event->size);
        trace_word(trace, "\"");
        break;
    case JSON_ARRAY:
    case JSON_OBJECT:
        fail();
    }
}

static void trace_position(Trace *trace, const char *word, size_t offset)
{
    JsonPosition at = json_locate(trace->source, 0, (JsonPosition){1, 1}, offset);

    assert_int_equal(buffer_printf(&trace->text, "%s%u:%u", word, at.line, at.column), 0);
}

static int trace_event(void *userdata, const JsonEvent *event)
{
    Trace *trace = userdata;
    bool is_object = event->type == JSON_OBJECT;

    if (event->kind == JSON_EVENT_CLOSE)
        trace->depth--;
    assert_int_equal(event->depth, trace->depth);
    if (event->key) {
        trace_bytes(trace, event->key, event->key_size);
        trace_word(trace, ": ");
    }
    trace_word(trace, event->path ? event->path : "?");
    trace_word(trace, event->path && !*event->path ? "" : " ");
    switch (event->kind) {
    case JSON_EVENT_OPEN:
        trace_word(trace, is_object ? "{" : "[");
        trace->depth++;
        break;
    case JSON_EVENT_CLOSE:
        trace_word(trace, is_object ? "}" : "]");
        break;
    case JSON_EVENT_VALUE:
        trace_value(trace, event);
        break;
    }
    if (trace->source)
        trace_position(trace, " @", event->at);
    if (trace->source && event->key)
        trace_position(trace, " key ", event->key_at);
    trace_word(trace, "\n");
    trace->n_events++;
    return trace->n_events == trace->stop_at ? 1 : 0;
}

/* Reads a copy of its own, of exactly this size, so that a sanitizer sees each byte too far. */
int trace_read(Trace *trace, const char *text, size_t size, unsigned flags, JsonError *ret_error)
{
    _cleanup_(freep) char *copy = malloc(size > 0 ? size : 1);
    JsonError error;
    int r;

    *trace = (Trace){.text = BUFFER_INIT(TRACE_BYTES_MAX), .stop_at = trace->stop_at};
    assert_non_null(copy);
    if (size > 0)
        memcpy(copy, text, size);
    if (flags & TRACE_POSITIONS)
        trace->source = copy;
    memset(&error, 0x55, sizeof(error));
    r = json_read(copy, size, flags & ~TRACE_POSITIONS, trace_event, trace, &error);
    assert_int_equal(buffer_append(&trace->text, "", 1), 0);
    if (r == JSON_E_SYNTAX) {
        /* One line of words, at a place in the document. */
        assert_in_range(strnlen(error.message, sizeof(error.message)), 5,
                        sizeof(error.message) - 1);
        assert_null(strpbrk(error.message, "\r\n"));
        assert_true(error.at.line >= 1 && error.at.line <= size + 1);
        assert_true(error.at.column >= 1 && error.at.column <= size + 1);
        if (ret_error)
            *ret_error = error;
    } else {
        assert_int_equal(error.message[0], 0x55); /* not touched */
        if (r == 0)
            assert_int_equal(trace->depth, 0);
    }
    return r;
}

int trace_ignore(void *userdata, const JsonEvent *event)
{
    (void)userdata;
    (void)event;
    return 0;
}

void trace_assert_events_of(const char *text, size_t size, unsigned flags, const char *expected)
{
    Trace trace = {};

    assert_int_equal(trace_read(&trace, text, size, flags, NULL), 0);
    assert_string_equal(buffer_data(&trace.text), expected);
    buffer_deinit(&trace.text);
}

void trace_assert_events(const char *text, const char *expected)
{
    trace_assert_events_of(text, strlen(text), 0, expected);
}

void trace_assert_error_of(const char *text, size_t size, unsigned flags, unsigned line,
                           unsigned column, const char *words)
{
    JsonError error = {};
    Trace trace = {};

    assert_int_equal(trace_read(&trace, text, size, flags, &error), JSON_E_SYNTAX);
    if (error.at.line != line || error.at.column != column || !strstr(error.message, words))
        fail_msg("\"%s\": %u:%u: %s; expected %u:%u: %s", text, error.at.line, error.at.column,
                 error.message, line, column, words);
    buffer_deinit(&trace.text);
    /* Nobody has to want to know why. */
    assert_int_equal(json_read(text, size, flags, trace_ignore, NULL, NULL), JSON_E_SYNTAX);
}

void trace_assert_error(const char *text, unsigned line, unsigned column, const char *words)
{
    trace_assert_error_of(text, strlen(text), 0, line, column, words);
}

void trace_assert_commented_error(const char *text, unsigned line, unsigned column,
                                  const char *words)
{
    trace_assert_error_of(text, strlen(text), JSON_COMMENTS, line, column, words);
}
