#include "daemon/record.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "config/instance.h"

int record_new(const char *name, Record **ret_record)
{
    _cleanup_(record_unrefp) Record *record = NULL;

    record = calloc(1, sizeof(*record));
    if (!record)
        return -ENOMEM;
    record->n_refs = 1;
    if (name) {
        record->name = strdup(name);
        if (!record->name)
            return -ENOMEM;
    }
    *ret_record = TAKE_PTR(record);
    return 0;
}

int record_set_string(char **field, const char *value)
{
    char *copy = NULL;

    if (value) {
        copy = strdup(value);
        if (!copy)
            return -ENOMEM;
    }
    free(*field);
    *field = copy;
    return 0;
}

int record_copy(const Record *record, Record **ret_record)
{
    _cleanup_(record_unrefp) Record *copy = NULL;

    copy = malloc(sizeof(*copy));
    if (!copy)
        return -ENOMEM;
    *copy = *record;
    copy->n_refs = 1;
    copy->token = secret_ref(record->token);
    copy->name = copy->account = copy->url = copy->element = copy->failure = copy->owner = NULL;
    if (record_set_string(&copy->name, record->name) < 0 ||
        record_set_string(&copy->account, record->account) < 0 ||
        record_set_string(&copy->url, record->url) < 0 ||
        record_set_string(&copy->element, record->element) < 0 ||
        record_set_string(&copy->failure, record->failure) < 0 ||
        record_set_string(&copy->owner, record->owner) < 0)
        return -ENOMEM;
    *ret_record = TAKE_PTR(copy);
    return 0;
}

Record *record_ref(Record *record)
{
    if (record) {
        assert(record->n_refs > 0);
        record->n_refs++;
    }
    return record;
}

Record *record_unref(Record *record)
{
    if (!record)
        return NULL;
    assert(record->n_refs > 0);
    if (--record->n_refs > 0)
        return NULL;
    free(record->name);
    free(record->account);
    free(record->url);
    free(record->element);
    free(record->failure);
    free(record->owner);
    secret_unref(record->token);
    free(record);
    return NULL;
}

/* ---- the table of fields ---- */

typedef enum RecordType {
    RECORD_STRING,
    RECORD_SECRET,
    RECORD_ID,
    RECORD_USEC,
    RECORD_COUNT,
    RECORD_FLAG,
    RECORD_DIGEST,
    RECORD_ORPHAN,
} RecordType;

typedef struct RecordField {
    const char *key;
    RecordType type;
    size_t offset;
    size_t max; /* bytes of a string or secret */
} RecordField;

static const RecordField record_fields[] = {
    {"name", RECORD_STRING, offsetof(Record, name), NAME_BYTES_MAX},
    {"id", RECORD_ID, offsetof(Record, id), 0},
    {"token", RECORD_SECRET, offsetof(Record, token), TOKEN_BYTES_MAX},
    {"account", RECORD_STRING, offsetof(Record, account), NAME_BYTES_MAX},
    {"url", RECORD_STRING, offsetof(Record, url), CONFIG_FILE_BYTES_MAX},
    {"element", RECORD_STRING, offsetof(Record, element), CONFIG_FILE_BYTES_MAX},
    {"verifiedUSec", RECORD_USEC, offsetof(Record, verified), 0},
    {"bodyDigest", RECORD_DIGEST, offsetof(Record, body_digest), 0},
    {"labelsDigest", RECORD_DIGEST, offsetof(Record, labels_digest), 0},
    {"disabled", RECORD_FLAG, offsetof(Record, is_disabled), 0},
    {"doomed", RECORD_FLAG, offsetof(Record, is_doomed), 0},
    {"outgoing", RECORD_FLAG, offsetof(Record, is_outgoing), 0},
    {"orphan", RECORD_ORPHAN, offsetof(Record, orphan), 0},
    {"sinceUSec", RECORD_USEC, offsetof(Record, since), 0},
    {"intentUSec", RECORD_USEC, offsetof(Record, intent), 0},
    {"owner", RECORD_STRING, offsetof(Record, owner), NAME_BYTES_MAX},
    {"attempts", RECORD_COUNT, offsetof(Record, attempts), 0},
    {"delayUSec", RECORD_USEC, offsetof(Record, delay), 0},
    {"retryUSec", RECORD_USEC, offsetof(Record, retry), 0},
    {"failure", RECORD_STRING, offsetof(Record, failure), 4 * PROBLEM_BYTES_MAX},
};

static const char *const record_orphan_words[] = {
    [RECORD_REMOVED] = "removed",
    [RECORD_REPLACED] = "replaced",
    [RECORD_DUPLICATE] = "duplicate",
    [RECORD_UNCLAIMED] = "unclaimed",
};

/* ---- writing: what is zero is left out ---- */

static void record_write_digest(const Record *record, const RecordField *field, JsonWriter *writer)
{
    char hex[DIGEST_HEX_SIZE];

    if (!record->has_digests)
        return;
    digest_format((const Digest *)((const char *)record + field->offset), hex);
    json_writer_key(writer, field->key);
    json_writer_string(writer, hex);
}

static void record_write_text(const RecordField *field, const char *text, JsonWriter *writer)
{
    if (!text || !*text)
        return;
    json_writer_key(writer, field->key);
    json_writer_string(writer, text);
}

static void record_write_number(const RecordField *field, uint64_t number, JsonWriter *writer)
{
    if (number == 0)
        return;
    json_writer_key(writer, field->key);
    json_writer_uint(writer, number);
}

static void record_write_field(const Record *record, const RecordField *field, JsonWriter *writer)
{
    const void *value = (const char *)record + field->offset;

    switch (field->type) {
    case RECORD_STRING:
        record_write_text(field, *(char *const *)value, writer);
        return;
    case RECORD_SECRET:
        if (*(Secret *const *)value) {
            json_writer_key(writer, field->key);
            json_writer_secret(writer, *(Secret *const *)value);
        }
        return;
    case RECORD_ID:
        record_write_number(field, (uint64_t) * (const int64_t *)value, writer);
        return;
    case RECORD_USEC:
        record_write_number(field, *(const usec_t *)value, writer);
        return;
    case RECORD_COUNT:
        record_write_number(field, *(const unsigned *)value, writer);
        return;
    case RECORD_FLAG:
        record_write_number(field, *(const bool *)value, writer);
        return;
    case RECORD_DIGEST:
        record_write_digest(record, field, writer);
        return;
    case RECORD_ORPHAN:
        record_write_text(field, record_orphan_words[*(const RecordOrphan *)value], writer);
        return;
    }
}

void record_write(const Record *record, JsonWriter *writer)
{
    json_writer_open_object(writer);
    for (size_t i = 0; i < N_ELEMENTS(record_fields); i++)
        record_write_field(record, &record_fields[i], writer);
    json_writer_close_object(writer);
}

/* ---- reading ---- */

/* Each sets the field from the event: 0, RECORD_E_BROKEN or -ENOMEM. */

static int record_read_text(const RecordField *field, const JsonEvent *event, void *value)
{
    char *text;

    if (event->type != JSON_STRING || event->size > field->max ||
        memchr(event->text, '\0', event->size))
        return RECORD_E_BROKEN;
    text = strndup(event->text, event->size);
    if (!text)
        return -ENOMEM;
    free(*(char **)value);
    *(char **)value = text;
    return 0;
}

static int record_read_secret(const RecordField *field, const JsonEvent *event, Secret **value)
{
    if (event->type != JSON_STRING || event->size == 0 || event->size > field->max)
        return RECORD_E_BROKEN;
    secret_unref(*value);
    *value = NULL;
    return secret_new(event->text, event->size, value);
}

static int record_read_number(const JsonEvent *event, int64_t max, int64_t *ret_number)
{
    int64_t number;

    if (event->type != JSON_NUMBER || json_parse_int64(event->text, event->size, &number) < 0 ||
        number < 0 || number > max)
        return RECORD_E_BROKEN;
    *ret_number = number;
    return 0;
}

static int record_read_digest(Record *record, const JsonEvent *event, Digest *value)
{
    if (event->type != JSON_STRING || !digest_parse(event->text, event->size, value))
        return RECORD_E_BROKEN;
    record->has_digests = true;
    return 0;
}

static int record_read_orphan(const JsonEvent *event, RecordOrphan *value)
{
    if (event->type != JSON_STRING)
        return RECORD_E_BROKEN;
    for (size_t i = RECORD_IN_USE + 1; i < N_ELEMENTS(record_orphan_words); i++)
        if (event->size == strlen(record_orphan_words[i]) &&
            memcmp(event->text, record_orphan_words[i], event->size) == 0) {
            *value = (RecordOrphan)i;
            return 0;
        }
    return RECORD_E_BROKEN;
}

static int record_read_field(Record *record, const RecordField *field, const JsonEvent *event)
{
    void *value = (char *)record + field->offset;
    int64_t number = 0;
    int r;

    switch (field->type) {
    case RECORD_STRING:
        return record_read_text(field, event, value);
    case RECORD_SECRET:
        return record_read_secret(field, event, value);
    case RECORD_DIGEST:
        return record_read_digest(record, event, value);
    case RECORD_ID:
        r = record_read_number(event, INT64_MAX, &number);
        *(int64_t *)value = number;
        return r;
    case RECORD_USEC:
        r = record_read_number(event, INT64_MAX, &number);
        *(usec_t *)value = (usec_t)number;
        return r;
    case RECORD_COUNT:
        r = record_read_number(event, UINT32_MAX, &number);
        *(unsigned *)value = (unsigned)number;
        return r;
    case RECORD_FLAG:
        r = record_read_number(event, 1, &number);
        *(bool *)value = number == 1;
        return r;
    case RECORD_ORPHAN:
        return record_read_orphan(event, value);
    }
    assert(false);
    return -EINVAL;
}

void record_reader_deinit(RecordReader *reader)
{
    record_unref(reader->record);
    *reader = (RecordReader){.path = reader->path};
}

/* A token and its id go together; of an orphan the id is all that is of use, with the platform that knows it. */
static bool record_is_sound(const Record *record, bool is_orphan)
{
    if (record->name && !instance_name_is_valid(record->name))
        return false;
    if (is_orphan)
        return record->orphan != RECORD_IN_USE && record->id != 0 && record->url && !record->token;
    return record->orphan == RECORD_IN_USE && record->name &&
           (record->id != 0) == (record->token != NULL);
}

static int record_reader_finish(RecordReader *reader, Record **ret_record)
{
    bool is_orphan = strcmp(reader->path, RECORD_ORPHAN_PATH) == 0;
    bool is_usable = !reader->is_broken && record_is_sound(reader->record, is_orphan);

    if (is_usable)
        *ret_record = TAKE_PTR(reader->record);
    record_reader_deinit(reader);
    return is_usable ? 0 : RECORD_E_BROKEN;
}

int record_reader_take(RecordReader *reader, const JsonEvent *event, Record **ret_record)
{
    const char *key;
    int r;

    *ret_record = NULL;
    if (!event->path || strncmp(event->path, reader->path, strlen(reader->path)) != 0)
        return 0;
    key = event->path + strlen(reader->path);
    if (*key == '\0') {
        if (event->type != JSON_OBJECT)
            return event->kind == JSON_EVENT_CLOSE ? 0 : RECORD_E_BROKEN;
        if (event->kind == JSON_EVENT_OPEN)
            return record_new(NULL, &reader->record);
        return record_reader_finish(reader, ret_record);
    }
    /* A field that opens an array or object is of the wrong type, as any other. */
    if (!reader->record || event->kind == JSON_EVENT_CLOSE)
        return 0;
    /* They nearly always come in the order of the table, in which they are written. */
    for (size_t n = 0; n < N_ELEMENTS(record_fields); n++) {
        size_t i = (reader->next_field + n) % N_ELEMENTS(record_fields);

        if (strcmp(key + 1, record_fields[i].key) != 0)
            continue;
        reader->next_field = i + 1;
        r = record_read_field(reader->record, &record_fields[i], event);
        if (r == RECORD_E_BROKEN)
            reader->is_broken = true;
        return r < 0 ? r : 0;
    }
    return 0;
}
