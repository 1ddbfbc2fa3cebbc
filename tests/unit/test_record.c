/*
 * Records: written and read again the same, and each field broken in turn.
 */

#include "daemon/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/limits.h"

#define HEX_A "00112233445566778899aabbccddeeff"
#define HEX_B "ffeeddccbbaa99887766554433221100"

/* ---- a record by itself ---- */

static Secret *secret_of(const char *text)
{
    Secret *secret;

    assert_int_equal(secret_new(text, strlen(text), &secret), 0);
    return secret;
}

/* With all that a record of an instance that is in use can hold. */
static Record *record_full(void)
{
    Record *record;

    assert_int_equal(record_new("helpdesk-jira", &record), 0);
    assert_int_equal(record_set_string(&record->account, "eu"), 0);
    assert_int_equal(record_set_string(&record->url, "https://example.com/\xC3\xA4"), 0);
    assert_int_equal(record_set_string(&record->element, "jira"), 0);
    assert_int_equal(record_set_failure(record, TROUBLE_MISSING_KEYS, "no \"good\"\n"), 0);
    assert_true(record->rare->failed > 0);
    record->rare->failed = 1700000000000001;
    record->id = INT64_MAX;
    record->token = secret_of("t+/=");
    record->verified = 1;
    record->is_disabled = true;
    record->is_doomed = true;
    record->has_digests = true;
    assert_true(digest_parse(HEX_A, 32, &record->labels_digest));
    assert_true(digest_parse(HEX_B, 32, &record->body_digest));
    record->rare->intent = 1700000000000000;
    assert_int_equal(record_set_string(&record->rare->owner, "o"), 0);
    record->rare->attempts = UINT32_MAX;
    record->rare->delay = 300 * USEC_PER_SEC;
    record->rare->retry = INT64_MAX;
    return record;
}

/* With all that is known of an instance that nothing uses. */
static Record *record_orphan(RecordOrphan reason)
{
    Record *record;

    assert_int_equal(record_new("crm", &record), 0);
    assert_int_equal(record_set_string(&record->account, "eu"), 0);
    assert_int_equal(record_set_string(&record->url, "https://example.com"), 0);
    assert_int_equal(record_set_string(&record->element, "sfdc"), 0);
    record->id = 42;
    record->rare->orphan = reason;
    record->is_doomed = reason == RECORD_REMOVED;
    record->rare->since = 1700000000000000;
    return record;
}

static bool text_equal(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool record_equal(const Record *a, const Record *b)
{
    return text_equal(a->name, b->name) && text_equal(a->account, b->account) &&
           text_equal(a->url, b->url) && a->is_doomed == b->is_doomed &&
           a->rare->orphan == b->rare->orphan && a->rare->since == b->rare->since &&
           text_equal(a->element, b->element) && text_equal(a->rare->failure, b->rare->failure) &&
           a->rare->failure_trouble == b->rare->failure_trouble &&
           a->rare->failed == b->rare->failed && text_equal(a->rare->owner, b->rare->owner) &&
           a->id == b->id && secret_equal(a->token, b->token) && a->verified == b->verified &&
           a->is_disabled == b->is_disabled && a->has_digests == b->has_digests &&
           digest_equal(&a->labels_digest, &b->labels_digest) &&
           digest_equal(&a->body_digest, &b->body_digest) && a->rare->intent == b->rare->intent &&
           a->rare->attempts == b->rare->attempts && a->rare->delay == b->rare->delay &&
           a->rare->retry == b->rare->retry;
}

static void test_new(void **state)
{
    _cleanup_(record_unrefp) Record *record = NULL;
    _cleanup_(record_unrefp) Record *nameless = NULL;
    RecordRare rare = {};
    const Record empty = {.rare = &rare};

    (void)state;
    assert_int_equal(record_new("x", &record), 0);
    assert_int_equal(record->n_refs, 1);
    assert_string_equal(record->name, "x");
    assert_int_equal(record_new(NULL, &nameless), 0);
    assert_true(record_equal(nameless, &empty));
}

static void test_references(void **state)
{
    Record *record;

    (void)state;
    assert_int_equal(record_new("x", &record), 0);
    assert_ptr_equal(record_ref(record), record);
    assert_null(record_unref(record));
    assert_string_equal(record->name, "x");
    assert_null(record_unref(record));
    assert_null(record_unref(NULL));
    assert_null(record_ref(NULL));
}

/* A copy shares the token and the texts, and changing the one changes nothing of the other. */
static void test_copy(void **state)
{
    Record *record = record_full();
    _cleanup_(record_unrefp) Record *copy = NULL;
    _cleanup_(record_unrefp) Record *full = record_full();

    (void)state;
    assert_ptr_equal(record_ref(record), record);
    assert_int_equal(record_copy(record, &copy), 0);
    assert_int_equal(copy->n_refs, 1);
    assert_true(record_equal(record, copy));
    assert_ptr_equal(copy->token, record->token);
    assert_ptr_equal(copy->url, record->url);
    assert_int_equal(record_set_string(&copy->name, "other"), 0);
    assert_int_equal(record_set_string(&copy->url, NULL), 0);
    assert_null(copy->url);
    assert_true(record_equal(record, full));
    record_unref(record);
    record_unref(record);
    assert_string_equal(secret_reveal(copy->token), "t+/=");
}

/* Of what is not there, records share one; each thing that is there is kept, and a copy can be changed again. */
static void test_finish(void **state)
{
    const RecordRare *plain = NULL;

    (void)state;
    for (int i = 0; i <= 11; i++) {
        Record *record, *copy;
        RecordRare *rare;

        assert_int_equal(record_new("x", &record), 0);
        rare = record->rare;
        *rare = (RecordRare){
            .orphan = i == 1 ? RECORD_REMOVED : RECORD_IN_USE,
            .is_outgoing = i == 2,
            .since = i == 3,
            .intent = i == 4,
            .attempts = i == 5,
            .failure_trouble = i == 6 ? TROUBLE_REFUSED : TROUBLE_NONE,
            .delay = i == 7,
            .retry = i == 8,
            .failed = i == 9,
        };
        assert_int_equal(record_set_string(&rare->owner, i == 10 ? "o" : NULL), 0);
        assert_int_equal(record_set_string(&rare->failure, i == 11 ? "no" : NULL), 0);
        record_finish(record);
        if (i == 0)
            plain = record->rare;
        assert_true((record->rare == plain) == (i == 0));
        assert_true(i == 0 || record->rare == rare);
        record_finish(record);
        assert_int_equal(record_copy(record, &copy), 0);
        assert_true(record_equal(record, copy));
        copy->rare->intent = 7;
        assert_int_equal(record->rare->intent, i == 4);
        record_unref(copy);
        record_unref(record);
    }
}

/* ---- writing ---- */

static void write_to(const Record *record, Buffer *text)
{
    JsonWriter writer;

    json_writer_begin(&writer, text);
    record_write(record, &writer);
    assert_int_equal(json_writer_end(&writer), 0);
    assert_int_equal(buffer_append(text, "", 1), 0);
}

static void test_write(void **state)
{
    _cleanup_(record_unrefp) Record *full = record_full();
    _cleanup_(record_unrefp) Record *empty = NULL;
    _cleanup_(buffer_deinit) Buffer text = BUFFER_INIT(65536);

    (void)state;
    write_to(full, &text);
    assert_string_equal(
        buffer_data(&text),
        "{\"name\":\"helpdesk-jira\",\"id\":9223372036854775807,\"token\":\"t+/=\","
        "\"account\":\"eu\",\"url\":\"https://example.com/\xC3\xA4\",\"element\":\"jira\",\"verifiedUSec\":1,"
        "\"bodyDigest\":\"" HEX_B "\",\"labelsDigest\":\"" HEX_A "\",\"disabled\":1,\"doomed\":1,"
        "\"intentUSec\":1700000000000000,\"owner\":\"o\",\"attempts\":4294967295,\"delayUSec\":300000000,"
        "\"retryUSec\":9223372036854775807,\"failure\":\"no \\\"good\\\"\\n\","
        "\"failureKind\":\"missingKeys\",\"failedUSec\":1700000000000001}");
    buffer_clear(&text);
    assert_int_equal(record_new("x", &empty), 0);
    write_to(empty, &text);
    assert_string_equal(buffer_data(&text), "{\"name\":\"x\"}");
}

static const struct {
    RecordOrphan reason;
    const char *word;
} record_reasons[] = {
    {RECORD_REMOVED, "removed"},
    {RECORD_REPLACED, "replaced"},
    {RECORD_DUPLICATE, "duplicate"},
    {RECORD_UNCLAIMED, "unclaimed"},
};

static void test_write_orphan(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(record_reasons); i++) {
        _cleanup_(record_unrefp) Record *record = record_orphan(record_reasons[i].reason);
        _cleanup_(buffer_deinit) Buffer text = BUFFER_INIT(65536);
        char expected[256];

        (void)snprintf(expected, sizeof(expected),
                       "{\"name\":\"crm\",\"id\":42,\"account\":\"eu\","
                       "\"url\":\"https://example.com\",\"element\":\"sfdc\",%s"
                       "\"orphan\":\"%s\",\"sinceUSec\":1700000000000000}",
                       i == 0 ? "\"doomed\":1," : "", record_reasons[i].word);
        write_to(record, &text);
        assert_string_equal(buffer_data(&text), expected);
    }
}

/* ---- reading ---- */

typedef struct Reading {
    RecordReader reader;
    Record *records[4];
    size_t n;
    unsigned n_broken;
} Reading;

static int reading_on_event(void *userdata, const JsonEvent *event)
{
    Reading *reading = userdata;
    Record *record;
    int r;

    r = record_reader_take(&reading->reader, event, &record);
    assert_true(r == 0 || (r == RECORD_E_BROKEN && !record));
    reading->n_broken += r == RECORD_E_BROKEN;
    if (record) {
        assert_in_range(reading->n, 0, N_ELEMENTS(reading->records) - 1);
        reading->records[reading->n++] = record;
    }
    return 0;
}

/* Reads the records at `path` of a whole document, or of as much of it as there is. */
static Reading read_document(const char *path, const char *text)
{
    Reading reading = {.reader = {.path = path}};

    (void)json_read(text, strlen(text), 0, reading_on_event, &reading, NULL);
    record_reader_deinit(&reading.reader);
    return reading;
}

static void drop(Reading *reading)
{
    for (size_t i = 0; i < reading->n; i++)
        record_unref(reading->records[i]);
    *reading = (Reading){};
}

/* Reads a document with this one record. */
static Reading read_record(const char *record)
{
    char text[16384];

    assert_in_range(snprintf(text, sizeof(text), "{\"records\":[%s]}", record), 1,
                    sizeof(text) - 1);
    return read_document(RECORD_PATH, text);
}

/* … or with this one orphan. */
static Reading read_orphan(const char *record)
{
    char text[16384];

    assert_in_range(snprintf(text, sizeof(text), "{\"orphans\":[%s]}", record), 1,
                    sizeof(text) - 1);
    return read_document(RECORD_ORPHAN_PATH, text);
}

static void test_round_trip(void **state)
{
    _cleanup_(record_unrefp) Record *full = record_full();
    _cleanup_(record_unrefp) Record *empty = NULL;
    const Record *records[2];

    (void)state;
    assert_int_equal(record_new("x", &empty), 0);
    records[0] = full;
    records[1] = empty;
    for (size_t i = 0; i < N_ELEMENTS(records); i++) {
        _cleanup_(buffer_deinit) Buffer text = BUFFER_INIT(65536);
        Reading got;

        write_to(records[i], &text);
        got = read_record(buffer_data(&text));
        assert_int_equal(got.n, 1);
        assert_int_equal(got.n_broken, 0);
        assert_true(record_equal(got.records[0], records[i]));
        assert_int_equal(got.records[0]->n_refs, 1);
        drop(&got);
    }
}

static void test_round_trip_of_orphans(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(record_reasons); i++) {
        _cleanup_(record_unrefp) Record *record = record_orphan(record_reasons[i].reason);
        _cleanup_(buffer_deinit) Buffer text = BUFFER_INIT(65536);
        Reading got;

        write_to(record, &text);
        got = read_orphan(buffer_data(&text));
        assert_int_equal(got.n, 1);
        assert_int_equal(got.n_broken, 0);
        assert_true(record_equal(got.records[0], record));
        drop(&got);
    }
}

/* An id, the platform that knows it, and a reason are all that it takes: it may carry our tag and no name. */
static void test_orphans_fine(void **state)
{
    static const char *const texts[] = {
        "{\"id\":1,\"url\":\"u\",\"orphan\":\"removed\"}",
        "{\"orphan\":\"unclaimed\",\"url\":\"u\",\"id\":9223372036854775807}",
        "{\"id\":1,\"url\":\"u\",\"orphan\":\"removed\",\"orphan\":\"replaced\"}",
        "{\"id\":1,\"url\":\"u\",\"orphan\":\"duplicate\",\"doomed\":0,\"sinceUSec\":0}",
        ("{\"id\":1,\"url\":\"u\",\"orphan\":\"removed\",\"doomed\":1,\"attempts\":3,"
         "\"delayUSec\":5,\"retryUSec\":7,\"later\":[{\"token\":\"t\"}]}"),
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
        Reading got = read_orphan(texts[i]);

        if (got.n != 1 || got.n_broken != 0)
            fail_msg("%s: %zu records, %u broken", texts[i], got.n, got.n_broken);
        assert_null(got.records[0]->name);
        drop(&got);
    }
}

static void test_orphans_broken(void **state)
{
    static const char *const texts[] = {
        "{}",
        "7",
        "[]",
        /* As one that is in use. */
        "{\"name\":\"x\"}",
        "{\"name\":\"x\",\"id\":1,\"token\":\"t\",\"url\":\"u\"}",
        /* Without one of what it takes. */
        "{\"url\":\"u\",\"orphan\":\"removed\"}",
        "{\"id\":0,\"url\":\"u\",\"orphan\":\"removed\"}",
        "{\"id\":1,\"orphan\":\"removed\"}",
        "{\"id\":1,\"url\":\"u\"}",
        "{\"id\":1,\"url\":\"u\",\"doomed\":1,\"sinceUSec\":1}",
        /* Of an instance that nothing uses there is no token. */
        "{\"id\":1,\"url\":\"u\",\"orphan\":\"removed\",\"token\":\"t\"}",
        "{\"id\":1,\"url\":\"u\",\"orphan\":\"removed\",\"name\":\".x\"}",
        "{\"id\":-1,\"url\":\"u\",\"orphan\":\"removed\"}",
        /* A reason that is none, or that only a later version knows. */
        "{\"id\":1,\"url\":\"u\",\"orphan\":\"\"}",
        "{\"id\":1,\"url\":\"u\",\"orphan\":\"Removed\"}",
        "{\"id\":1,\"url\":\"u\",\"orphan\":\"remove\"}",
        "{\"id\":1,\"url\":\"u\",\"orphan\":\"removed \"}",
        "{\"id\":1,\"url\":\"u\",\"orphan\":\"removed\\u0000\"}",
        "{\"id\":1,\"url\":\"u\",\"orphan\":\"later\"}",
        "{\"id\":1,\"url\":\"u\",\"orphan\":1}",
        "{\"id\":1,\"url\":\"u\",\"orphan\":null}",
        "{\"id\":1,\"url\":\"u\",\"orphan\":[\"removed\"]}",
        "{\"id\":1,\"url\":\"u\",\"orphan\":\"removed\",\"orphan\":\"later\"}",
        "{\"id\":1,\"url\":\"u\",\"orphan\":\"removed\",\"doomed\":2}",
        "{\"id\":1,\"url\":\"u\",\"orphan\":\"removed\",\"doomed\":true}",
        "{\"id\":1,\"url\":\"u\",\"orphan\":\"removed\",\"sinceUSec\":-1}",
        "{\"id\":1,\"url\":\"u\",\"orphan\":\"removed\",\"sinceUSec\":\"1\"}",
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
        Reading got = read_orphan(texts[i]);

        if (got.n != 0 || got.n_broken != 1)
            fail_msg("%s: %zu records, %u broken", texts[i], got.n, got.n_broken);
        drop(&got);
    }
}

/* A name is enough, and what is not known is passed over, whatever it is. */
static void test_fine(void **state)
{
    static const char *const texts[] = {
        "{\"name\":\"x\"}",
        "{\"name\":\"x\",\"later\":{\"name\":\"y\",\"id\":[1,{\"token\":7}]},\"Name\":7,\"\":null}",
        "{\"later\":1,\"name\":\"x\"}",
        "{\"id\":1,\"token\":\"t\",\"name\":\"x\"}",
        "{\"name\":\"x\",\"token\":\"a\",\"token\":\"b\",\"id\":2,\"id\":1}", /* the last word counts */
        "{\"name\":\"x\",\"id\":0}",
        "{\"name\":\"x\",\"attempts\":0,\"disabled\":0}",
        "{\"name\":\"x\",\"nam\\u0000e\":7,\"name/\":7,\"/name\":7}",
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
        Reading got = read_record(texts[i]);

        if (got.n != 1 || got.n_broken != 0)
            fail_msg("%s: %zu records, %u broken", texts[i], got.n, got.n_broken);
        assert_string_equal(got.records[0]->name, "x");
        drop(&got);
    }
}

/* A record with something wrong is none: half of it would be worse. */
static void test_broken(void **state)
{
    static const char *const texts[] = {
        "{}",
        "{\"id\":1,\"token\":\"t\"}",
        "{\"name\":null}",
        "{\"name\":7}",
        "{\"name\":\"\"}",
        "{\"name\":\".x\"}",
        "{\"name\":\"x y\"}",
        "{\"name\":\"../x\"}",
        "{\"name\":\"x\\u0000\"}",
        "{\"name\":\"\\u00e4\"}",
        "{\"name\":\"x23456789.123456789.123456789.123456789.123456789.123456789.1234y\"}",
        "{\"name\":\"x\",\"name\":7}",
        "{\"name\":7,\"name\":\"x\"}",
        /* A token and its id go together. */
        "{\"name\":\"x\",\"id\":1}",
        "{\"name\":\"x\",\"token\":\"t\"}",
        "{\"name\":\"x\",\"token\":\"t\",\"id\":0}",
        "{\"name\":\"x\",\"token\":\"\",\"id\":1}",
        "{\"name\":\"x\",\"token\":7,\"id\":1}",
        "{\"name\":\"x\",\"token\":null,\"id\":1}",
        "{\"name\":\"x\",\"token\":\"t\",\"id\":-1}",
        "{\"name\":\"x\",\"token\":\"t\",\"id\":1.0}",
        "{\"name\":\"x\",\"token\":\"t\",\"id\":1e0}",
        "{\"name\":\"x\",\"token\":\"t\",\"id\":\"1\"}",
        "{\"name\":\"x\",\"token\":\"t\",\"id\":9223372036854775808}",
        "{\"name\":\"x\",\"url\":7}",
        "{\"name\":\"x\",\"url\":\"a\\u0000b\"}",
        "{\"name\":\"x\",\"element\":false}",
        "{\"name\":\"x\",\"failure\":7}",
        "{\"name\":\"x\",\"failureKind\":7}",
        "{\"name\":\"x\",\"verifiedUSec\":-1}",
        "{\"name\":\"x\",\"verifiedUSec\":\"1\"}",
        "{\"name\":\"x\",\"verifiedUSec\":9223372036854775808}",
        "{\"name\":\"x\",\"intentUSec\":0.5}",
        "{\"name\":\"x\",\"intentUSec\":null}",
        "{\"name\":\"x\",\"retryUSec\":true}",
        "{\"name\":\"x\",\"delayUSec\":-5}",
        "{\"name\":\"x\",\"attempts\":4294967296}",
        "{\"name\":\"x\",\"attempts\":-1}",
        "{\"name\":\"x\",\"disabled\":2}",
        "{\"name\":\"x\",\"disabled\":true}",
        "{\"name\":\"x\",\"doomed\":2}",
        "{\"name\":\"x\",\"doomed\":true}",
        "{\"name\":\"x\",\"sinceUSec\":-1}",
        "{\"name\":\"x\",\"account\":7}",
        /* One that is in use has no reason why it should not be. */
        "{\"name\":\"x\",\"orphan\":\"removed\"}",
        "{\"name\":\"x\",\"orphan\":\"later\"}",
        "{\"name\":\"x\",\"orphan\":\"\"}",
        "{\"name\":\"x\",\"id\":1,\"token\":\"t\",\"url\":\"u\",\"orphan\":\"replaced\"}",
        "{\"name\":\"x\",\"id\":1,\"url\":\"u\",\"orphan\":\"unclaimed\"}",
        "{\"name\":\"x\",\"bodyDigest\":\"\"}",
        "{\"name\":\"x\",\"bodyDigest\":\"0011\"}",
        "{\"name\":\"x\",\"bodyDigest\":\"" HEX_A "00\"}",
        "{\"name\":\"x\",\"bodyDigest\":\"g0112233445566778899aabbccddeeff\"}",
        "{\"name\":\"x\",\"labelsDigest\":7}",
        "\"x\"",
        "7",
        "null",
        "[]",
        "[{\"name\":\"x\"}]",
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
        Reading got = read_record(texts[i]);

        if (got.n != 0 || got.n_broken != 1)
            fail_msg("%s: %zu records, %u broken", texts[i], got.n, got.n_broken);
        drop(&got);
    }
}

/* A field that is no value, but an object or an array, is of the wrong type as any other. */
static void test_containers_as_fields(void **state)
{
    static const char *const keys[] = {
        "name",       "id",           "token",       "url",        "element",  "verifiedUSec",
        "bodyDigest", "labelsDigest", "disabled",    "intentUSec", "attempts", "delayUSec",
        "retryUSec",  "failure",      "account",     "doomed",     "orphan",   "sinceUSec",
        "owner",      "outgoing",     "failureKind", "failedUSec",
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(keys); i++)
        for (int is_array = 0; is_array < 2; is_array++) {
            char text[128];
            Reading got;

            (void)snprintf(text, sizeof(text), "{\"name\":\"x\",\"%s\":%s}", keys[i],
                           is_array ? "[1]" : "{\"name\":\"y\"}");
            got = read_record(text);
            if (got.n != 0 || got.n_broken != 1)
                fail_msg("%s: %zu records, %u broken", text, got.n, got.n_broken);
            drop(&got);
        }
}

/* One of the two digests alone: the other is zero, which is that of no body. */
static void test_one_digest(void **state)
{
    static const Digest zero;
    Reading got = read_record("{\"name\":\"x\",\"bodyDigest\":\"" HEX_A "\"}");

    (void)state;
    assert_int_equal(got.n, 1);
    assert_true(got.records[0]->has_digests);
    assert_true(digest_equal(&got.records[0]->labels_digest, &zero));
    drop(&got);
}

/* At the ceiling and one past it. */
static void test_sizes(void **state)
{
    static const struct {
        const char *before, *after;
        size_t max;
    } rows[] = {
        {"{\"name\":\"", "\"}", NAME_BYTES_MAX},
        {"{\"name\":\"x\",\"id\":1,\"token\":\"", "\"}", TOKEN_BYTES_MAX},
        {"{\"name\":\"x\",\"account\":\"", "\"}", NAME_BYTES_MAX},
        {"{\"name\":\"x\",\"failure\":\"", "\"}", 4 * PROBLEM_BYTES_MAX},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        for (size_t size = rows[i].max; size <= rows[i].max + 1; size++) {
            char text[8192];
            Reading got;

            (void)snprintf(text, sizeof(text), "%s%*s%s", rows[i].before, (int)size, "",
                           rows[i].after);
            memset(text + strlen(rows[i].before), 'x', size);
            got = read_record(text);
            assert_int_equal(got.n, size <= rows[i].max ? 1 : 0);
            assert_int_equal(got.n_broken, size <= rows[i].max ? 0 : 1);
            drop(&got);
        }
}

/* A broken one takes nothing with it, before or behind. */
static void test_several(void **state)
{
    Reading got = read_document(
        RECORD_PATH,
        "{\"x\":{\"records\":[{\"name\":\"no\"}]},\"records\":[{\"name\":\"a\",\"disabled\":1},"
        "{\"name\":\"b\",\"id\":1},7,{\"name\":\"c\"},{\"name\":\"d\",\"tok");

    (void)state;
    assert_int_equal(got.n, 2);
    assert_int_equal(got.n_broken, 2);
    assert_string_equal(got.records[0]->name, "a");
    assert_true(got.records[0]->is_disabled);
    assert_string_equal(got.records[1]->name, "c");
    assert_false(got.records[1]->is_disabled);
    drop(&got);
}

/* Each reader sees its own array alone. */
static void test_two_arrays(void **state)
{
    static const char text[] =
        "{\"orphans\":[{\"id\":1,\"url\":\"u\",\"orphan\":\"removed\"},{\"id\":2}],"
        "\"records\":[{\"name\":\"a\"},{\"name\":\"b\"}],\"orphansX\":[{\"id\":3}]}";
    Reading used = read_document(RECORD_PATH, text);
    Reading orphans = read_document(RECORD_ORPHAN_PATH, text);

    (void)state;
    assert_int_equal(used.n, 2);
    assert_int_equal(used.n_broken, 0);
    assert_string_equal(used.records[1]->name, "b");
    assert_int_equal(orphans.n, 1);
    assert_int_equal(orphans.n_broken, 1);
    assert_int_equal(orphans.records[0]->id, 1);
    drop(&used);
    drop(&orphans);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new),
        cmocka_unit_test(test_references),
        cmocka_unit_test(test_copy),
        cmocka_unit_test(test_finish),
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_fine),
        cmocka_unit_test(test_broken),
        cmocka_unit_test(test_containers_as_fields),
        cmocka_unit_test(test_one_digest),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_several),
        cmocka_unit_test(test_write_orphan),
        cmocka_unit_test(test_round_trip_of_orphans),
        cmocka_unit_test(test_orphans_fine),
        cmocka_unit_test(test_orphans_broken),
        cmocka_unit_test(test_two_arrays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
