#include "daemon/record.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "config/instance.h"

/* Of all records that have nothing of it. In memory that cannot be written. */
static const RecordRare record_plain = {};

static bool record_is_plain(const Record *record)
{
    return record->rare == &record_plain;
}

int record_new(const char *name, Record **ret_record)
{
    _cleanup_(record_unrefp) Record *record = NULL;

    record = calloc(1, sizeof(*record));
    if (!record)
        return -ENOMEM;
    record->n_refs = 1;
    record->rare = calloc(1, sizeof(*record->rare));
    if (!record->rare || record_set_string(&record->name, name) < 0)
        return -ENOMEM;
    *ret_record = TAKE_PTR(record);
    return 0;
}

int record_set_string(const char **field, const char *value)
{
    const char *shared = NULL;
    int r;

    if (value) {
        r = shared_new(value, strlen(value), *field, &shared);
        if (r < 0)
            return r;
    }
    shared_unref(*field);
    *field = shared;
    return 0;
}

int record_set_failure(Record *record, Trouble trouble, const char *failure)
{
    int r = record_set_string(&record->rare->failure, failure);

    if (r < 0)
        return r;
    record->rare->failure_trouble = failure ? trouble : TROUBLE_NONE;
    record->rare->failed = failure ? clock_realtime() : 0;
    return 0;
}

int record_copy(const Record *record, Record **ret_record)
{
    Record *copy = malloc(sizeof(*copy));
    RecordRare *rare = malloc(sizeof(*rare));

    if (!copy || !rare) {
        free(copy);
        free(rare);
        return -ENOMEM;
    }
    *rare = *record->rare;
    *copy = *record;
    copy->rare = rare;
    copy->n_refs = 1;
    secret_ref(copy->token);
    shared_ref(copy->name);
    shared_ref(copy->account);
    shared_ref(copy->url);
    shared_ref(copy->element);
    shared_ref(rare->owner);
    shared_ref(rare->failure);
    *ret_record = copy;
    return 0;
}

void record_finish(Record *record)
{
    const RecordRare *rare = record->rare;

    assert(record->n_refs == 1);
    if (record_is_plain(record) || rare->orphan != RECORD_IN_USE || rare->is_outgoing ||
        rare->since != 0 || rare->intent != 0 || rare->owner || rare->attempts != 0 ||
        rare->failure_trouble != TROUBLE_NONE || rare->delay != 0 || rare->retry != 0 ||
        rare->failure || rare->failed != 0)
        return;
    free(record->rare);
    record->rare = (RecordRare *)&record_plain;
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
    shared_unref(record->name);
    shared_unref(record->account);
    shared_unref(record->url);
    shared_unref(record->element);
    secret_unref(record->token);
    if (record->rare && !record_is_plain(record)) {
        shared_unref(record->rare->owner);
        shared_unref(record->rare->failure);
        free(record->rare);
    }
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
    RECORD_TROUBLE,
} RecordType;

typedef struct RecordField {
    const char *key;
    size_t key_size;
    RecordType type;
    bool is_rare; /* of RecordRare */
    size_t offset;
    size_t max; /* bytes of a string or secret */
} RecordField;

#define RECORD_FIELD(key, type, member, max)                                                       \
    {                                                                                              \
        key, sizeof(key) - 1, type, false, offsetof(Record, member), max                           \
    }
#define RECORD_RARE_FIELD(key, type, member, max)                                                  \
    {                                                                                              \
        key, sizeof(key) - 1, type, true, offsetof(RecordRare, member), max                        \
    }

static const RecordField record_fields[] = {
    RECORD_FIELD("name", RECORD_STRING, name, NAME_BYTES_MAX),
    RECORD_FIELD("id", RECORD_ID, id, 0),
    RECORD_FIELD("token", RECORD_SECRET, token, TOKEN_BYTES_MAX),
    RECORD_FIELD("account", RECORD_STRING, account, NAME_BYTES_MAX),
    RECORD_FIELD("url", RECORD_STRING, url, CONFIG_FILE_BYTES_MAX),
    RECORD_FIELD("element", RECORD_STRING, element, CONFIG_FILE_BYTES_MAX),
    RECORD_FIELD("verifiedUSec", RECORD_USEC, verified, 0),
    RECORD_FIELD("bodyDigest", RECORD_DIGEST, body_digest, 0),
    RECORD_FIELD("labelsDigest", RECORD_DIGEST, labels_digest, 0),
    RECORD_FIELD("disabled", RECORD_FLAG, is_disabled, 0),
    RECORD_FIELD("doomed", RECORD_FLAG, is_doomed, 0),
    RECORD_RARE_FIELD("outgoing", RECORD_FLAG, is_outgoing, 0),
    RECORD_RARE_FIELD("orphan", RECORD_ORPHAN, orphan, 0),
    RECORD_RARE_FIELD("sinceUSec", RECORD_USEC, since, 0),
    RECORD_RARE_FIELD("intentUSec", RECORD_USEC, intent, 0),
    RECORD_RARE_FIELD("owner", RECORD_STRING, owner, NAME_BYTES_MAX),
    RECORD_RARE_FIELD("attempts", RECORD_COUNT, attempts, 0),
    RECORD_RARE_FIELD("delayUSec", RECORD_USEC, delay, 0),
    RECORD_RARE_FIELD("retryUSec", RECORD_USEC, retry, 0),
    RECORD_RARE_FIELD("failure", RECORD_STRING, failure, 4 * PROBLEM_BYTES_MAX),
    RECORD_RARE_FIELD("failureKind", RECORD_TROUBLE, failure_trouble, 0),
    RECORD_RARE_FIELD("failedUSec", RECORD_USEC, failed, 0),
};

static const char *const record_orphan_words[] = {
    [RECORD_REMOVED] = "removed",
    [RECORD_REPLACED] = "replaced",
    [RECORD_DUPLICATE] = "duplicate",
    [RECORD_UNCLAIMED] = "unclaimed",
};

static const void *record_value(const Record *record, const RecordField *field)
{
    const char *part = field->is_rare ? (const char *)record->rare : (const char *)record;

    return part + field->offset;
}

/* ---- writing: what is zero is left out ---- */

static void record_write_digest(const Record *record, const RecordField *field, JsonWriter *writer)
{
    char hex[DIGEST_HEX_SIZE];

    if (!record->has_digests)
        return;
    digest_format(record_value(record, field), hex);
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
    const void *value = record_value(record, field);

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
    case RECORD_TROUBLE:
        record_write_text(field, trouble_name(*(const Trouble *)value), writer);
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

static int record_read_text(const RecordField *field, const JsonEvent *event, const char *like,
                            const char **value)
{
    const char *text;
    int r;

    if (event->type != JSON_STRING || event->size > field->max ||
        memchr(event->text, '\0', event->size))
        return RECORD_E_BROKEN;
    r = shared_new(event->text, event->size, like, &text);
    if (r < 0)
        return r;
    shared_unref(*value);
    *value = text;
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

static const char *record_text(const Record *record, const RecordField *field)
{
    return record ? *(const char *const *)record_value(record, field) : NULL;
}

static int record_read_field(Record *record, const Record *previous, const RecordField *field,
                             const JsonEvent *event)
{
    void *value = (void *)record_value(record, field);
    int64_t number = 0;
    int r;

    switch (field->type) {
    case RECORD_STRING:
        return record_read_text(field, event, record_text(previous, field), value);
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
    case RECORD_TROUBLE:
        if (event->type != JSON_STRING)
            return RECORD_E_BROKEN;
        *(Trouble *)value = trouble_find(event->text, event->size);
        return 0;
    }
    assert(false);
    return -EINVAL;
}

void record_reader_deinit(RecordReader *reader)
{
    record_unref(reader->record);
    record_unref(reader->previous);
    *reader = (RecordReader){.path = reader->path};
}

/* A token and its id go together; of an orphan the id is all that is of use, with the platform that knows it. */
static bool record_is_sound(const Record *record, bool is_orphan)
{
    if (record->name && !instance_name_is_valid(record->name))
        return false;
    if (is_orphan)
        return record->rare->orphan != RECORD_IN_USE && record->id != 0 && record->url &&
               !record->token;
    return record->rare->orphan == RECORD_IN_USE && record->name &&
           (record->id != 0) == (record->token != NULL);
}

int record_reader_open(RecordReader *reader)
{
    reader->record = record_unref(reader->record);
    reader->is_broken = false;
    reader->next_field = 0;
    return record_new(NULL, &reader->record);
}

int record_reader_member(RecordReader *reader, const char *key, size_t key_size,
                         const JsonEvent *event)
{
    /* They nearly always come in the order of the table, in which they are written. */
    for (size_t n = 0; n < N_ELEMENTS(record_fields); n++) {
        size_t i = (reader->next_field + n) % N_ELEMENTS(record_fields);
        const RecordField *field = &record_fields[i];
        int r;

        if (key_size != field->key_size || memcmp(key, field->key, key_size) != 0)
            continue;
        reader->next_field = i + 1;
        r = record_read_field(reader->record, reader->previous, field, event);
        if (r == RECORD_E_BROKEN)
            reader->is_broken = true;
        return r < 0 ? r : 0;
    }
    return 0;
}

int record_reader_close(RecordReader *reader, Record **ret_record)
{
    bool is_orphan = strcmp(reader->path, RECORD_ORPHAN_PATH) == 0;

    if (reader->is_broken || !record_is_sound(reader->record, is_orphan)) {
        reader->record = record_unref(reader->record);
        return RECORD_E_BROKEN;
    }
    record_finish(reader->record);
    record_unref(reader->previous);
    reader->previous = record_ref(reader->record);
    *ret_record = TAKE_PTR(reader->record);
    return 0;
}

int record_reader_take(RecordReader *reader, const JsonEvent *event, Record **ret_record)
{
    const char *key;

    *ret_record = NULL;
    if (!event->path || strncmp(event->path, reader->path, strlen(reader->path)) != 0)
        return 0;
    key = event->path + strlen(reader->path);
    if (*key == '\0') {
        if (event->type != JSON_OBJECT)
            return event->kind == JSON_EVENT_CLOSE ? 0 : RECORD_E_BROKEN;
        if (event->kind == JSON_EVENT_OPEN)
            return record_reader_open(reader);
        return record_reader_close(reader, ret_record);
    }
    /* A field that opens an array or object is of the wrong type, as any other. */
    if (!reader->record || event->kind == JSON_EVENT_CLOSE)
        return 0;
    return record_reader_member(reader, key + 1, strlen(key + 1), event);
}
