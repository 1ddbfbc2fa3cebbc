#include "tests/sandbox/history.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"

HistoryEntry *history_unref(HistoryEntry *entry)
{
    if (!entry)
        return NULL;
    assert(entry->n_refs > 0);
    if (--entry->n_refs == 0) {
        (void)http_request_free(entry->request);
        free(entry);
    }
    return NULL;
}

static void history_drop_first(History *history)
{
    HistoryEntry *entry = history->first;

    assert(entry);
    history->first = entry->next;
    if (!history->first)
        history->last = NULL;
    entry->next = NULL;
    history->n_entries--;
    history->size -= entry->size;
    (void)history_unref(entry);
}

void history_clear(History *history)
{
    while (history->first)
        history_drop_first(history);
}

static size_t history_charge(const HttpRequest *request)
{
    size_t size = sizeof(HistoryEntry) + sizeof(*request) + 2 * strlen(request->target);

    for (size_t i = 0; i < request->n_headers; i++)
        size += strlen(request->headers[i].name) + strlen(request->headers[i].value) + 64;
    return size + buffer_size(&request->body);
}

int history_add(History *history, HttpRequest *request, const char *path, HistoryEntry **ret_entry)
{
    HistoryEntry *entry = calloc(1, sizeof(*entry));

    if (!entry)
        return -ENOMEM;
    *entry = (HistoryEntry){
        .n_refs = 2,
        .number = ++history->n_seen,
        .request = request,
        .path = path,
        .size = history_charge(request),
        .outcome = "pending",
    };
    if (history->last)
        history->last->next = entry;
    else
        history->first = entry;
    history->last = entry;
    history->n_entries++;
    history->size += entry->size;
    while (history->n_entries > HISTORY_ENTRIES_MAX || history->size > HISTORY_BYTES_MAX)
        history_drop_first(history);
    *ret_entry = entry;
    return 0;
}

/* ---- showing ---- */

static void history_write_text(JsonWriter *writer, const char *text, size_t size)
{
    char *plain;

    for (size_t i = 0; i < size; i++)
        if ((unsigned char)text[i] >= 0x80) {
            if (utf8_is_valid(text, size))
                break;
            plain = malloc(size);
            if (!plain) {
                json_writer_null(writer);
                return;
            }
            for (size_t j = 0; j < size; j++)
                plain[j] = (unsigned char)text[j] < 0x80 ? text[j] : '?';
            json_writer_text(writer, plain, size);
            free(plain);
            return;
        }
    json_writer_text(writer, text ? text : "", size);
}

static void history_write_member(JsonWriter *writer, const char *key, const char *text)
{
    json_writer_key(writer, key);
    history_write_text(writer, text, strlen(text));
}

static void history_write_number(JsonWriter *writer, const char *key, uint64_t number)
{
    json_writer_key(writer, key);
    if (number > 0)
        json_writer_uint(writer, number);
    else
        json_writer_null(writer);
}

static bool history_is_repeated(const HttpRequest *request, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (strcasecmp(request->headers[i].name, request->headers[index].name) == 0)
            return true;
    return false;
}

/* All values of one name, joined as RFC 9110 section 5.3 allows. */
static void history_write_header(JsonWriter *writer, const HttpRequest *request, const char *name)
{
    Buffer value = BUFFER_INIT(HTTP_REQUEST_HEAD_MAX + 2 * HTTP_REQUEST_HEADERS_MAX);

    for (size_t i = 0; i < request->n_headers; i++)
        if (strcasecmp(request->headers[i].name, name) == 0)
            (void)buffer_printf(&value, "%s%s", buffer_size(&value) > 0 ? ", " : "",
                                request->headers[i].value);
    history_write_text(writer, buffer_data(&value), buffer_size(&value));
    buffer_deinit(&value);
}

/* As an object with names in lower case. */
static void history_write_headers(JsonWriter *writer, const HttpRequest *request)
{
    json_writer_key(writer, "headers");
    json_writer_open_object(writer);
    for (size_t i = 0; i < request->n_headers; i++) {
        char name[128];
        size_t n = 0;

        if (history_is_repeated(request, i))
            continue;
        for (const char *c = request->headers[i].name; *c && n < sizeof(name); c++)
            name[n++] = (char)((unsigned char)*c < 0x80 ? tolower(*c) : '?');
        json_writer_text(writer, name, n);
        history_write_header(writer, request, request->headers[i].name);
    }
    json_writer_close_object(writer);
}

static void history_write_entry(JsonWriter *writer, const HistoryEntry *entry)
{
    const HttpRequest *request = entry->request;
    size_t size = buffer_size(&request->body);

    json_writer_open_object(writer);
    history_write_number(writer, "number", entry->number);
    history_write_member(writer, "method", request->method);
    history_write_member(writer, "path", entry->path);
    history_write_member(writer, "query", request->query);
    history_write_member(writer, "target", request->target);
    history_write_headers(writer, request);
    json_writer_key(writer, "body");
    history_write_text(writer, buffer_data(&request->body),
                       size < HISTORY_BODY_MAX ? size : HISTORY_BODY_MAX);
    json_writer_key(writer, "bodySize");
    json_writer_uint(writer, size);
    history_write_number(writer, "connection", request->connection);
    history_write_number(writer, "startedUSec", request->started);
    history_write_number(writer, "finishedUSec", entry->finished);
    history_write_number(writer, "status", entry->status);
    history_write_member(writer, "outcome", entry->outcome);
    json_writer_key(writer, "instance");
    if (entry->instance != 0)
        json_writer_int(writer, entry->instance);
    else
        json_writer_null(writer);
    json_writer_close_object(writer);
}

void history_write(JsonWriter *writer, const History *history, const HistoryFilter *filter)
{
    json_writer_open_array(writer);
    for (const HistoryEntry *entry = history->first; entry; entry = entry->next) {
        if (entry->number <= filter->after)
            continue;
        if (filter->method && fnmatch(filter->method, entry->request->method, 0) != 0)
            continue;
        if (filter->path && fnmatch(filter->path, entry->path, 0) != 0)
            continue;
        history_write_entry(writer, entry);
    }
    json_writer_close_array(writer);
}
