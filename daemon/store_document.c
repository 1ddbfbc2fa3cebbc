#include "daemon/store_document.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/json_writer.h"
#include "base/limits.h"
#include "config/instance.h"

/* ---- writing ---- */

static void store_document_write_pause(const Pause *pause, JsonWriter *writer)
{
    json_writer_open_object(writer);
    json_writer_key(writer, "account");
    json_writer_string(writer, pause->account);
    json_writer_key(writer, "attempts");
    json_writer_uint(writer, pause->attempts);
    json_writer_key(writer, "delayUSec");
    json_writer_uint(writer, pause->delay);
    json_writer_key(writer, "retryUSec");
    json_writer_uint(writer, pause->retry);
    json_writer_close_object(writer);
}

int store_document_format(const Snapshot *snapshot, Buffer *text)
{
    char key[DIGEST_KEY_HEX_SIZE];
    JsonWriter writer;
    int r;

    digest_key_format(&snapshot->key, key);
    json_writer_begin(&writer, text);
    json_writer_open_object(&writer);
    json_writer_key(&writer, "version");
    json_writer_int(&writer, STORE_DOCUMENT_VERSION);
    json_writer_key(&writer, "key");
    json_writer_string(&writer, key);
    json_writer_key(&writer, "pauses");
    json_writer_open_array(&writer);
    for (size_t i = 0; i < snapshot->n_pauses; i++)
        store_document_write_pause(&snapshot->pauses[i], &writer);
    json_writer_close_array(&writer);
    json_writer_key(&writer, "records");
    json_writer_open_array(&writer);
    for (size_t i = 0; i < snapshot->n_records; i++)
        record_write(snapshot->records[i], &writer);
    json_writer_close_array(&writer);
    json_writer_close_object(&writer);
    explicit_bzero(key, sizeof(key));
    r = json_writer_end(&writer);
    if (r == JSON_WRITER_E_TEXT)
        return -EILSEQ;
    return r == JSON_WRITER_E_FULL ? STORE_DOCUMENT_E_FULL : r;
}

/* ---- reading ---- */

typedef struct DocumentReader {
    Snapshot snapshot;
    size_t n_records_allocated;
    RecordReader record;
    Pause pause;
    int64_t version;
    bool has_key;
    unsigned n_broken;
    bool is_too_many;
    int error;
} DocumentReader;

static void document_reader_deinit(DocumentReader *reader)
{
    snapshot_deinit(&reader->snapshot);
    record_reader_deinit(&reader->record);
    free(reader->pause.account);
}

static int document_reader_add_record(DocumentReader *reader, Record *record)
{
    Snapshot *snapshot = &reader->snapshot;

    if (snapshot->n_records == INSTANCES_MAX) {
        record_unref(record);
        reader->is_too_many = true;
        return -1;
    }
    if (snapshot->n_records == reader->n_records_allocated) {
        size_t n = reader->n_records_allocated > 0 ? 2 * reader->n_records_allocated : 64;
        Record **records = reallocarray(snapshot->records, n, sizeof(*records));

        if (!records) {
            record_unref(record);
            return -ENOMEM;
        }
        snapshot->records = records;
        reader->n_records_allocated = n;
    }
    snapshot->records[snapshot->n_records++] = record;
    return 0;
}

static int document_reader_add_pause(DocumentReader *reader)
{
    Snapshot *snapshot = &reader->snapshot;
    Pause *pauses;

    if (!reader->pause.account || snapshot->n_pauses == ACCOUNTS_MAX) {
        free(reader->pause.account);
        reader->pause = (Pause){};
        return 0;
    }
    pauses = reallocarray(snapshot->pauses, snapshot->n_pauses + 1, sizeof(*pauses));
    if (!pauses)
        return -ENOMEM;
    snapshot->pauses = pauses;
    snapshot->pauses[snapshot->n_pauses++] = reader->pause;
    reader->pause = (Pause){};
    return 0;
}

static int64_t document_reader_number(const JsonEvent *event)
{
    int64_t number;

    if (event->type != JSON_NUMBER || json_parse_int64(event->text, event->size, &number) < 0 ||
        number < 0)
        return 0;
    return number;
}

/* A pause that is not understood is none: it is a courtesy, not a fact. */
static int document_reader_take_pause(DocumentReader *reader, const JsonEvent *event,
                                      const char *key)
{
    if (*key == '\0')
        return event->kind == JSON_EVENT_CLOSE ? document_reader_add_pause(reader) : 0;
    if (event->kind != JSON_EVENT_VALUE)
        return 0;
    if (strcmp(key, "/account") == 0 && event->type == JSON_STRING && event->size > 0 &&
        event->size <= NAME_BYTES_MAX && !reader->pause.account) {
        reader->pause.account = strndup(event->text, event->size);
        return reader->pause.account ? 0 : -ENOMEM;
    }
    if (strcmp(key, "/attempts") == 0)
        reader->pause.attempts = (unsigned)document_reader_number(event);
    else if (strcmp(key, "/delayUSec") == 0)
        reader->pause.delay = (usec_t)document_reader_number(event);
    else if (strcmp(key, "/retryUSec") == 0)
        reader->pause.retry = (usec_t)document_reader_number(event);
    return 0;
}

static int document_reader_take(DocumentReader *reader, const JsonEvent *event)
{
    static const char pause_path[] = "/pauses/[]";
    Record *record;
    int r;

    if (!event->path)
        return 0;
    r = record_reader_take(&reader->record, event, &record);
    if (r == RECORD_E_BROKEN) {
        reader->n_broken++;
        return 0;
    }
    if (r < 0)
        return r;
    if (record)
        return document_reader_add_record(reader, record);
    if (strncmp(event->path, pause_path, strlen(pause_path)) == 0)
        return document_reader_take_pause(reader, event, event->path + strlen(pause_path));
    if (strcmp(event->path, "/version") == 0)
        reader->version = document_reader_number(event);
    else if (strcmp(event->path, "/key") == 0 && event->type == JSON_STRING)
        reader->has_key = digest_key_parse(event->text, event->size, &reader->snapshot.key);
    return 0;
}

static int document_reader_on_event(void *userdata, const JsonEvent *event)
{
    DocumentReader *reader = userdata;

    reader->error = document_reader_take(reader, event);
    return reader->error;
}

static int document_reader_check(const DocumentReader *reader, int outcome, const JsonError *error,
                                 char **ret_problem)
{
    int r = 0;

    if (outcome < 0 || (outcome == JSON_E_STOPPED && !reader->is_too_many))
        return -ENOMEM;
    if (outcome == JSON_E_STOPPED)
        r = asprintf(ret_problem, "more than %d records", INSTANCES_MAX);
    else if (outcome == JSON_E_SYNTAX)
        r = asprintf(ret_problem, "line %u, column %u: %s", error->at.line, error->at.column,
                     error->message);
    else if (reader->version != STORE_DOCUMENT_VERSION)
        r = asprintf(ret_problem, "version %lld, this program knows %d", (long long)reader->version,
                     STORE_DOCUMENT_VERSION);
    else if (!reader->has_key)
        r = asprintf(ret_problem, "it has no key");
    else
        return 0;
    if (r < 0) {
        *ret_problem = NULL;
        return -ENOMEM;
    }
    return STORE_DOCUMENT_E_BROKEN;
}

int store_document_parse(const char *text, size_t size, Snapshot *snapshot, unsigned *ret_n_broken,
                         char **ret_problem)
{
    _cleanup_(document_reader_deinit) DocumentReader reader = {};
    JsonError error = {};
    int r;

    r = json_read(text, size, 0, document_reader_on_event, &reader, &error);
    r = document_reader_check(&reader, r, &error, ret_problem);
    if (r != 0)
        return r;
    *snapshot = reader.snapshot;
    reader.snapshot = (Snapshot){};
    *ret_n_broken = reader.n_broken;
    return 0;
}
