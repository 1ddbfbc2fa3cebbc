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
#include "base/thread.h"
#include "base/utf8.h"
#include "config/instance.h"

/*
 * Records are written in so many pieces at most, of so many at least, and the loop has its turn after each. More would make a commit
 * of thousands longer than creations can wait for (by time, once in 100 us: 5,000 were provisioned in 5.8 s instead of 5.4).
 */
#define STORE_DOCUMENT_PIECES    16
#define STORE_DOCUMENT_PIECE_MIN 64

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
    if (pause->problem) {
        json_writer_key(writer, "problem");
        json_writer_string(writer, pause->problem);
    }
    if (pause->trouble) {
        json_writer_key(writer, "kind");
        json_writer_string(writer, trouble_name(pause->trouble));
    }
    if (pause->since) {
        json_writer_key(writer, "sinceUSec");
        json_writer_uint(writer, pause->since);
    }
    json_writer_close_object(writer);
}

static void store_document_write_records(const char *key, Record *const *records, size_t n,
                                         JsonWriter *writer)
{
    size_t piece = n / STORE_DOCUMENT_PIECES;

    if (piece < STORE_DOCUMENT_PIECE_MIN)
        piece = STORE_DOCUMENT_PIECE_MIN;
    json_writer_key(writer, key);
    json_writer_open_array(writer);
    for (size_t i = 0; i < n; i++) {
        record_write(records[i], writer);
        if ((i + 1) % piece == 0)
            thread_give_way();
    }
    json_writer_close_array(writer);
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
    store_document_write_records("records", snapshot->records, snapshot->n_records, &writer);
    if (snapshot->n_orphans > 0)
        store_document_write_records("orphans", snapshot->orphans, snapshot->n_orphans, &writer);
    json_writer_close_object(&writer);
    explicit_bzero(key, sizeof(key));
    r = json_writer_end(&writer);
    if (r == JSON_WRITER_E_TEXT)
        return -EILSEQ;
    return r == JSON_WRITER_E_FULL ? STORE_DOCUMENT_E_FULL : r;
}

/* ---- reading ---- */

/* One of the two arrays of records, as it is read. */
typedef struct DocumentRecords {
    RecordReader reader;
    Record ***records; /* in the snapshot */
    size_t *n;
    size_t n_allocated;
} DocumentRecords;

typedef struct DocumentReader {
    Snapshot snapshot;
    DocumentRecords records[2]; /* in use, and orphans */
    Pause pause;
    int64_t version;
    bool has_key;
    unsigned n_broken;
    bool is_too_many;
    int error;
} DocumentReader;

static void document_reader_init(DocumentReader *reader)
{
    Snapshot *snapshot = &reader->snapshot;

    *reader = (DocumentReader){
        .records = {{{.path = RECORD_PATH}, &snapshot->records, &snapshot->n_records, 0},
                    {{.path = RECORD_ORPHAN_PATH}, &snapshot->orphans, &snapshot->n_orphans, 0}},
    };
}

static void document_reader_deinit(DocumentReader *reader)
{
    snapshot_deinit(&reader->snapshot);
    for (size_t i = 0; i < N_ELEMENTS(reader->records); i++)
        record_reader_deinit(&reader->records[i].reader);
    pause_deinit(&reader->pause);
}

static int document_reader_add_record(DocumentReader *reader, DocumentRecords *records,
                                      Record *record)
{
    if (*records->n == INSTANCES_MAX) {
        record_unref(record);
        reader->is_too_many = true;
        return -1;
    }
    if (*records->n == records->n_allocated) {
        size_t n = records->n_allocated > 0 ? 2 * records->n_allocated : 64;
        Record **more = reallocarray(*records->records, n, sizeof(*more));

        if (!more) {
            record_unref(record);
            return -ENOMEM;
        }
        *records->records = more;
        records->n_allocated = n;
    }
    (*records->records)[(*records->n)++] = record;
    return 0;
}

/* `r` is what reading it came to: see record_reader_take(). */
static int document_reader_end_record(DocumentReader *reader, DocumentRecords *records, int r,
                                      Record *record)
{
    if (r == RECORD_E_BROKEN) {
        reader->n_broken++;
        return 0;
    }
    return r < 0 || !record ? r : document_reader_add_record(reader, records, record);
}

static int document_reader_take_records(DocumentReader *reader, DocumentRecords *records,
                                        const JsonEvent *event)
{
    Record *record;
    int r;

    r = record_reader_take(&records->reader, event, &record);
    return document_reader_end_record(reader, records, r, record);
}

static int document_reader_add_pause(DocumentReader *reader)
{
    Snapshot *snapshot = &reader->snapshot;
    Pause *pauses;

    if (!reader->pause.account || snapshot->n_pauses == ACCOUNTS_MAX) {
        pause_deinit(&reader->pause);
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

/* The first of its kind, when it is a text of a sensible size. */
static int document_reader_take_text(const JsonEvent *event, size_t max, char **text)
{
    if (event->type != JSON_STRING || event->size == 0 || event->size > max || *text ||
        memchr(event->text, '\0', event->size))
        return 0;
    *text = strndup(event->text, event->size);
    return *text ? 0 : -ENOMEM;
}

/* A pause that is not understood is none: it is a courtesy, not a fact. */
static int document_reader_take_pause(DocumentReader *reader, const JsonEvent *event,
                                      const char *key)
{
    if (*key == '\0')
        return event->kind == JSON_EVENT_CLOSE ? document_reader_add_pause(reader) : 0;
    if (event->kind != JSON_EVENT_VALUE)
        return 0;
    if (strcmp(key, "/account") == 0)
        return document_reader_take_text(event, NAME_BYTES_MAX, &reader->pause.account);
    if (strcmp(key, "/problem") == 0)
        return document_reader_take_text(event, 4 * PROBLEM_BYTES_MAX, &reader->pause.problem);
    if (strcmp(key, "/kind") == 0 && event->type == JSON_STRING)
        reader->pause.trouble = trouble_find(event->text, event->size);
    else if (strcmp(key, "/sinceUSec") == 0)
        reader->pause.since = (usec_t)document_reader_number(event);
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

    if (!event->path)
        return 0;
    for (size_t i = 0; i < N_ELEMENTS(reader->records); i++) {
        int r = document_reader_take_records(reader, &reader->records[i], event);

        if (r != 0)
            return r;
    }
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

/*
 * ---- reading what we wrote ----
 *
 * yajl and the events made of it take four times as long as all else of a start with 10,000 records. So what
 * store_document_format() writes, to the byte (no blanks, no escapes, no pauses), is read by a scanner of our own, which
 * hands the same events to the same reader. At the first byte that it does not expect it gives up, and yajl reads all
 * of it anew: what a document means, and what is wrong with it, is decided there.
 */

typedef struct DocumentScan {
    const char *at;
    const char *end;
    DocumentReader *reader;
} DocumentScan;

/*
 * Whether there are neither control characters nor escapes: then a string ends at the next quote. By words of which
 * each byte's top bit says so; a byte above 0x7F is not one of either.
 */
static bool document_scan_is_plain(const char *text, size_t size)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = UINT64_C(0x8080808080808080);
    uint64_t found = 0, all = 0;
    size_t i = 0;

    for (; size - i >= sizeof(uint64_t); i += sizeof(uint64_t)) {
        uint64_t word, escape;

        memcpy(&word, text + i, sizeof(word));
        escape = word ^ ones * '\\';
        found |= ((word - ones * 0x20) & ~word) | ((escape - ones) & ~escape);
        all |= word;
    }
    if ((found & tops) != 0)
        return false;
    for (; i < size; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == '\\')
            return false;
        all |= (unsigned char)text[i];
    }
    return (all & tops) == 0 || utf8_is_valid(text, size); /* ASCII is */
}

static bool document_scan_take(DocumentScan *scan, const char *literal)
{
    size_t size = strlen(literal);

    if ((size_t)(scan->end - scan->at) < size || memcmp(scan->at, literal, size) != 0)
        return false;
    scan->at += size;
    return true;
}

static bool document_scan_string(DocumentScan *scan, const char **ret_text, size_t *ret_size)
{
    const char *quote;

    if (!document_scan_take(scan, "\""))
        return false;
    quote = memchr(scan->at, '"', (size_t)(scan->end - scan->at));
    if (!quote)
        return false;
    *ret_text = scan->at;
    *ret_size = (size_t)(quote - scan->at);
    scan->at = quote + 1;
    return true;
}

static bool document_scan_number(DocumentScan *scan, const char **ret_digits, size_t *ret_size)
{
    const char *start = scan->at;

    while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9')
        scan->at++;
    *ret_digits = start;
    *ret_size = (size_t)(scan->at - start);
    /* JSON has no leading zeros. */
    return *ret_size > 0 && (*start != '0' || *ret_size == 1);
}

/* A string or a whole number. */
static bool document_scan_value(DocumentScan *scan, JsonEvent *event)
{
    bool is_string = scan->at < scan->end && *scan->at == '"';

    event->kind = JSON_EVENT_VALUE;
    event->type = is_string ? JSON_STRING : JSON_NUMBER;
    return (is_string ? document_scan_string : document_scan_number)(scan, &event->text,
                                                                     &event->size);
}

static bool document_scan_tell(DocumentScan *scan, const char *path)
{
    JsonEvent event = {.path = path};

    return document_scan_value(scan, &event) && document_reader_on_event(scan->reader, &event) == 0;
}

static bool document_scan_member(DocumentScan *scan, RecordReader *reader)
{
    JsonEvent event = {};
    const char *key;
    size_t size;

    if (!document_scan_string(scan, &key, &size) || !document_scan_take(scan, ":") ||
        !document_scan_value(scan, &event))
        return false;
    scan->reader->error = record_reader_member(reader, key, size, &event);
    return scan->reader->error == 0;
}

static bool document_scan_record(DocumentScan *scan, DocumentRecords *records)
{
    Record *record = NULL;
    int r;

    if (!document_scan_take(scan, "{"))
        return false;
    scan->reader->error = record_reader_open(&records->reader);
    if (scan->reader->error < 0)
        return false;
    do {
        if (!document_scan_member(scan, &records->reader))
            return false;
    } while (document_scan_take(scan, ","));
    if (!document_scan_take(scan, "}"))
        return false;
    r = record_reader_close(&records->reader, &record);
    scan->reader->error = document_reader_end_record(scan->reader, records, r, record);
    return scan->reader->error == 0;
}

static bool document_scan_records(DocumentScan *scan, DocumentRecords *records)
{
    if (document_scan_take(scan, "]"))
        return true;
    do {
        if (!document_scan_record(scan, records))
            return false;
    } while (document_scan_take(scan, ","));
    return document_scan_take(scan, "]");
}

static bool document_scan_orphans(DocumentScan *scan)
{
    return !document_scan_take(scan, ",\"orphans\":[") ||
           document_scan_records(scan, &scan->reader->records[1]);
}

/* Whether all of it was read. */
static bool document_scan(DocumentReader *reader, const char *text, size_t size)
{
    DocumentScan scan = {.at = text, .end = text + size, .reader = reader};

    return size > 0 && document_scan_is_plain(text, size) &&
           document_scan_take(&scan, "{\"version\":") && document_scan_tell(&scan, "/version") &&
           document_scan_take(&scan, ",\"key\":") && document_scan_tell(&scan, "/key") &&
           document_scan_take(&scan, ",\"pauses\":[],\"records\":[") &&
           document_scan_records(&scan, &reader->records[0]) && document_scan_orphans(&scan) &&
           document_scan_take(&scan, "}") && scan.at == scan.end;
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
    _cleanup_(document_reader_deinit) DocumentReader reader;
    JsonError error = {};
    int r = 0;

    document_reader_init(&reader);
    if (!document_scan(&reader, text, size)) {
        document_reader_deinit(&reader);
        document_reader_init(&reader);
        r = json_read(text, size, 0, document_reader_on_event, &reader, &error);
    }
    r = document_reader_check(&reader, r, &error, ret_problem);
    if (r != 0)
        return r;
    *snapshot = reader.snapshot;
    reader.snapshot = (Snapshot){};
    *ret_n_broken = reader.n_broken;
    return 0;
}
