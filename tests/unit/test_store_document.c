/*
 * The records document: written and read again the same, and broken in every way.
 */

#include "daemon/store_document.h"

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

#define KEY "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

/* What a document says, taken apart for comparing. */
typedef struct Parsed {
    Snapshot snapshot;
    unsigned n_broken;
    char *problem;
    int r;
} Parsed;

static Parsed parse_bytes(const char *text, size_t size)
{
    Parsed parsed = {.n_broken = 99};

    parsed.r = store_document_parse(text, size, &parsed.snapshot, &parsed.n_broken,
                                    &parsed.problem);
    /* Just one of both, and nothing but that. */
    if (parsed.r == 0) {
        assert_null(parsed.problem);
    } else {
        assert_int_equal(parsed.r, STORE_DOCUMENT_E_BROKEN);
        assert_non_null(parsed.problem);
        assert_int_equal(parsed.n_broken, 99);
        assert_int_equal(parsed.snapshot.n_records, 0);
        assert_int_equal(parsed.snapshot.n_pauses, 0);
        assert_int_equal(parsed.snapshot.n_orphans, 0);
        assert_null(parsed.snapshot.records);
        assert_null(parsed.snapshot.orphans);
        assert_null(parsed.snapshot.pauses);
    }
    return parsed;
}

static Parsed parse(const char *text)
{
    return parse_bytes(text, strlen(text));
}

static void drop(Parsed *parsed)
{
    snapshot_deinit(&parsed->snapshot);
    free(parsed->problem);
    *parsed = (Parsed){};
}

static void format(const Snapshot *snapshot, Buffer *text)
{
    assert_int_equal(store_document_format(snapshot, text), 0);
    assert_int_equal(buffer_append(text, "", 1), 0);
}

/* ---- two readers ---- */

/* What was read, written again. */
static void tell(const Parsed *parsed, Buffer *text)
{
    format(&parsed->snapshot, text);
    assert_int_equal(buffer_printf(text, " %u", parsed->n_broken), 0);
}

/* One byte of a document as we write it is another: the scanner and yajl, to which a blank leads, see the same in it. */
static void test_readers_agree(void **state)
{
    static const char text[] =
        "{\"version\":1,\"key\":\"" KEY "\",\"pauses\":[],\"records\":[{\"name\":\"a\",\"id\":10,"
        "\"token\":\"t\",\"verifiedUSec\":5,\"bodyDigest\":\"000102030405060708090a0b0c0d0e0f\"},"
        "{\"name\":\"b\",\"id\":2,\"token\":\"\xC3\xA4\",\"disabled\":1}]}";
    static const char bytes[] = "\\\"{}[],:/~0019-. a\n\x01\x7F\xC3";
    char ours[sizeof(text)], yajls[sizeof(text) + 1] = " ";

    (void)state;
    for (size_t i = 0; i < strlen(text); i++) {
        for (size_t k = 0; k < strlen(bytes); k++) {
            _cleanup_(buffer_deinit) Buffer a = BUFFER_INIT(4096), b = BUFFER_INIT(4096);
            Parsed left, right;

            memcpy(ours, text, sizeof(text));
            ours[i] = bytes[k];
            memcpy(yajls + 1, ours, sizeof(ours));
            left = parse(ours);
            right = parse(yajls);
            assert_int_equal(left.r, right.r);
            if (left.r == 0) { /* else the column is one more */
                tell(&left, &a);
                tell(&right, &b);
                assert_int_equal(buffer_size(&a), buffer_size(&b));
                assert_memory_equal(buffer_data(&a), buffer_data(&b), buffer_size(&a));
            }
            drop(&left);
            drop(&right);
        }
    }
}

/* ---- round trip ---- */

static void test_empty(void **state)
{
    static const char text[] = "{\"version\":1,\"key\":\"" KEY "\",\"pauses\":[],\"records\":[]}";
    _cleanup_(buffer_deinit) Buffer written = BUFFER_INIT(4096);
    Snapshot snapshot = {};
    Parsed parsed;

    (void)state;
    assert_true(digest_key_parse(KEY, 64, &snapshot.key));
    format(&snapshot, &written);
    assert_string_equal(buffer_data(&written), text);
    parsed = parse(text);
    assert_int_equal(parsed.r, 0);
    assert_int_equal(parsed.n_broken, 0);
    assert_int_equal(parsed.snapshot.n_records, 0);
    assert_int_equal(parsed.snapshot.n_orphans, 0);
    assert_int_equal(parsed.snapshot.n_pauses, 0);
    assert_memory_equal(&parsed.snapshot.key, &snapshot.key, sizeof(snapshot.key));
    drop(&parsed);
}

static const char document_full[] =
    "{\"version\":1,\"key\":\"" KEY "\",\"pauses\":[{\"account\":\"default\",\"attempts\":3,"
    "\"delayUSec\":5000000,\"retryUSec\":1700000000000000,\"problem\":\"no \\\"network\\\"\","
    "\"kind\":\"unreachable\",\"sinceUSec\":1600000000000000},{\"account\":\"b\",\"attempts\":0,"
    "\"delayUSec\":0,\"retryUSec\":0}],\"records\":[{\"name\":\"a\",\"id\":1,\"token\":\"t+/=\"},"
    "{\"name\":\"b\",\"intentUSec\":7}]}";

static void test_round_trip(void **state)
{
    _cleanup_(buffer_deinit) Buffer written = BUFFER_INIT(4096);
    Parsed parsed = parse(document_full);
    const Snapshot *got = &parsed.snapshot;

    (void)state;
    assert_int_equal(parsed.r, 0);
    assert_int_equal(parsed.n_broken, 0);
    assert_int_equal(got->n_pauses, 2);
    assert_string_equal(got->pauses[0].account, "default");
    assert_int_equal(got->pauses[0].attempts, 3);
    assert_int_equal(got->pauses[0].delay, 5 * USEC_PER_SEC);
    assert_int_equal(got->pauses[0].retry, 1700000000000000);
    assert_string_equal(got->pauses[0].problem, "no \"network\"");
    assert_int_equal(got->pauses[0].trouble, TROUBLE_UNREACHABLE);
    assert_int_equal(got->pauses[0].since, 1600000000000000);
    assert_string_equal(got->pauses[1].account, "b");
    assert_null(got->pauses[1].problem);
    assert_int_equal(got->pauses[1].trouble, TROUBLE_NONE);
    assert_int_equal(got->n_records, 2);
    assert_string_equal(got->records[0]->name, "a");
    assert_string_equal(secret_reveal(got->records[0]->token), "t+/=");
    assert_int_equal(got->records[1]->rare->intent, 7);
    format(got, &written);
    assert_string_equal(buffer_data(&written), document_full);
    drop(&parsed);
}

static const char document_orphans[] =
    "{\"version\":1,\"key\":\"" KEY "\",\"pauses\":[],\"records\":[{\"name\":\"a\"}],\"orphans\":["
    "{\"name\":\"a\",\"id\":1,\"account\":\"eu\",\"url\":\"https://a\",\"doomed\":1,"
    "\"orphan\":\"removed\",\"sinceUSec\":7},{\"id\":1,\"url\":\"https://b\","
    "\"orphan\":\"unclaimed\"}]}";

static void test_round_trip_of_orphans(void **state)
{
    _cleanup_(buffer_deinit) Buffer written = BUFFER_INIT(4096);
    Parsed parsed = parse(document_orphans);
    const Snapshot *got = &parsed.snapshot;

    (void)state;
    assert_int_equal(parsed.r, 0);
    assert_int_equal(parsed.n_broken, 0);
    assert_int_equal(got->n_records, 1);
    assert_string_equal(got->records[0]->name, "a");
    assert_int_equal(got->n_orphans, 2);
    assert_string_equal(got->orphans[0]->name, "a");
    assert_true(got->orphans[0]->is_doomed);
    assert_int_equal(got->orphans[0]->rare->orphan, RECORD_REMOVED);
    assert_int_equal(got->orphans[0]->rare->since, 7);
    assert_string_equal(got->orphans[1]->url, "https://b");
    assert_int_equal(got->orphans[1]->rare->orphan, RECORD_UNCLAIMED);
    format(got, &written);
    assert_string_equal(buffer_data(&written), document_orphans);
    drop(&parsed);
}

/* Without orphans it is a document as before there were any, so that an older version reads it. */
static void test_no_orphans(void **state)
{
    Parsed parsed = parse("{\"version\":1,\"key\":\"" KEY
                          "\",\"records\":[{\"name\":\"a\"}],\"orphans\":[]}");
    _cleanup_(buffer_deinit) Buffer written = BUFFER_INIT(4096);

    (void)state;
    assert_int_equal(parsed.r, 0);
    assert_int_equal(parsed.snapshot.n_orphans, 0);
    format(&parsed.snapshot, &written);
    assert_string_equal(buffer_data(&written), "{\"version\":1,\"key\":\"" KEY
                                               "\",\"pauses\":[],\"records\":[{\"name\":\"a\"}]}");
    drop(&parsed);
}

/* The order of keys is no matter, and what later versions add is passed over. */
static void test_other_order(void **state)
{
    Parsed parsed = parse(
        " {\"later\":{\"records\":[{\"name\":\"no\"}],\"version\":2,\"key\":\"x\"},\"records\":["
        "{\"name\":\"a\",\"later\":[1]}],\"pauses\":[{\"later\":{\"account\":\"no\"},\"retryUSec\":1,"
        "\"account\":\"p\"}],\"key\":\"" KEY "\",\"version\":1}\n");

    (void)state;
    assert_int_equal(parsed.r, 0);
    assert_int_equal(parsed.snapshot.n_records, 1);
    assert_string_equal(parsed.snapshot.records[0]->name, "a");
    assert_int_equal(parsed.snapshot.n_pauses, 1);
    assert_string_equal(parsed.snapshot.pauses[0].account, "p");
    drop(&parsed);
}

/* ---- broken ---- */

static void assert_broken(const char *text, const char *words)
{
    Parsed parsed = parse(text);

    if (parsed.r == 0)
        fail_msg("%s: read", text);
    if (!strstr(parsed.problem, words))
        fail_msg("%s: %s", text, parsed.problem);
    drop(&parsed);
}

static void test_broken(void **state)
{
    (void)state;
    assert_broken("", "line 1, column 1: ");
    assert_broken("{", "line 1, column 2: ");
    assert_broken("[]", "version 0, this program knows 1");
    assert_broken("{}", "version 0, this program knows 1");
    assert_broken("null", "version 0");
    assert_broken("{\"version\":1}", "it has no key");
    assert_broken("{\"version\":2,\"key\":\"" KEY "\"}", "version 2, this program knows 1");
    assert_broken("{\"version\":-1,\"key\":\"" KEY "\"}", "version 0");
    assert_broken("{\"version\":\"1\",\"key\":\"" KEY "\"}", "version 0");
    assert_broken("{\"version\":1.0,\"key\":\"" KEY "\"}", "version 0");
    assert_broken("{\"version\":1,\"version\":3,\"key\":\"" KEY "\"}", "version 3");
    assert_broken("{\"version\":1,\"key\":null}", "it has no key");
    assert_broken("{\"version\":1,\"key\":\"\"}", "it has no key");
    assert_broken("{\"version\":1,\"key\":\"" KEY "00\"}", "it has no key");
    assert_broken("{\"version\":1,\"key\":\"" KEY "\",\"key\":\"x\"}", "it has no key");
    assert_broken("{\"version\":1,\"key\":[\"" KEY "\"]}", "it has no key");
    assert_broken("{\"version\":1,\"key\":\"" KEY "\"} x", "line 1, column 88");
    assert_broken("{\"version\":1,\"key\":\"" KEY "\",\n\"records\":[{\"name\":\"\xFF\"}]}",
                  "line 2, ");
    assert_broken("{\"version\":1,\"key\":\"" KEY "\"} // no comments", "line 1");
}

static const char *const documents[] = {document_full, document_orphans};

/* Cut off anywhere, it is none: a part of the records is not taken for all of them. */
static void test_each_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(documents); i++)
        for (size_t size = 0; size < strlen(documents[i]); size++) {
            char *text = malloc(size + 1); /* of just its size, so that reading past it is seen */
            Parsed parsed;

            memcpy(text, documents[i], size);
            parsed = parse_bytes(text, size);
            assert_int_equal(parsed.r, STORE_DOCUMENT_E_BROKEN);
            drop(&parsed);
            free(text);
        }
}

/* Any one byte changed: refused, or read as what it then says; never more records than there are. */
static void test_each_byte(void **state)
{
    static const char bytes[] = "\"{}[],:x0\\\x00\xFF";
    char text[sizeof(document_full)];

    (void)state;
    for (size_t i = 0; i < strlen(document_full); i++)
        for (size_t j = 0; j < sizeof(bytes) - 1; j++) {
            Parsed parsed;

            memcpy(text, document_full, sizeof(text));
            text[i] = bytes[j];
            parsed = parse_bytes(text, strlen(document_full));
            assert_in_range(parsed.snapshot.n_records, 0, 2);
            assert_in_range(parsed.snapshot.n_pauses, 0, 2);
            drop(&parsed);
        }
}

static void test_broken_records(void **state)
{
    Parsed parsed = parse("{\"version\":1,\"key\":\"" KEY "\",\"records\":[{\"name\":\"a\"},7,{},"
                          "{\"name\":\"b\",\"id\":1},{\"name\":\"c\"}]}");

    (void)state;
    assert_int_equal(parsed.r, 0);
    assert_int_equal(parsed.n_broken, 3);
    assert_int_equal(parsed.snapshot.n_records, 2);
    assert_string_equal(parsed.snapshot.records[0]->name, "a");
    assert_string_equal(parsed.snapshot.records[1]->name, "c");
    drop(&parsed);
}

/* What is broken is counted, wherever it stands; and what belongs into the other array is broken. */
static void test_broken_orphans(void **state)
{
    Parsed parsed = parse(
        "{\"version\":1,\"key\":\"" KEY "\",\"orphans\":[{\"name\":\"a\"},7,"
        "{\"id\":1,\"url\":\"u\",\"orphan\":\"removed\",\"token\":\"t\"},"
        "{\"id\":2,\"url\":\"u\",\"orphan\":\"removed\"},{\"id\":3,\"url\":\"u\"}],"
        "\"records\":[{\"name\":\"b\",\"id\":1,\"url\":\"u\",\"orphan\":\"removed\"},"
        "{\"name\":\"c\"}]}");

    (void)state;
    assert_int_equal(parsed.r, 0);
    assert_int_equal(parsed.n_broken, 5);
    assert_int_equal(parsed.snapshot.n_orphans, 1);
    assert_int_equal(parsed.snapshot.orphans[0]->id, 2);
    assert_int_equal(parsed.snapshot.n_records, 1);
    assert_string_equal(parsed.snapshot.records[0]->name, "c");
    drop(&parsed);
}

/* A pause that is not understood is none, and takes nothing with it. */
static void test_broken_pauses(void **state)
{
    Parsed parsed = parse(
        "{\"version\":1,\"key\":\"" KEY "\",\"pauses\":[{},7,null,[],[{\"account\":\"no\"}],"
        "{\"attempts\":9,\"delayUSec\":9,\"retryUSec\":9},{\"account\":\"\"},{\"account\":7},"
        "{\"account\":\"a23456789.123456789.123456789.123456789.123456789.123456789.12345\"},"
        "{\"account\":\"a\",\"attempts\":-1,\"delayUSec\":\"x\",\"retryUSec\":9223372036854775808},"
        "{\"account\":\"b\",\"attempts\":2}]}");

    (void)state;
    assert_int_equal(parsed.r, 0);
    assert_int_equal(parsed.n_broken, 0);
    assert_int_equal(parsed.snapshot.n_pauses, 2);
    assert_string_equal(parsed.snapshot.pauses[0].account, "a");
    assert_int_equal(parsed.snapshot.pauses[0].attempts, 0);
    assert_int_equal(parsed.snapshot.pauses[0].delay, 0);
    assert_int_equal(parsed.snapshot.pauses[0].retry, 0);
    assert_string_equal(parsed.snapshot.pauses[1].account, "b");
    assert_int_equal(parsed.snapshot.pauses[1].attempts, 2);
    assert_int_equal(parsed.snapshot.pauses[1].delay, 0);
    drop(&parsed);
}

/* ---- limits ---- */

/* A document with so many records, orphans and pauses. */
static void write_many(Buffer *text, int n_records, int n_orphans, int n_pauses)
{
    assert_int_equal(buffer_append_string(text, "{\"version\":1,\"key\":\"" KEY "\",\"records\":["),
                     0);
    for (int i = 0; i < n_records; i++)
        assert_int_equal(buffer_printf(text, "%s{\"name\":\"r%d\"}", i > 0 ? "," : "", i), 0);
    assert_int_equal(buffer_append_string(text, "],\"orphans\":["), 0);
    for (int i = 0; i < n_orphans; i++)
        assert_int_equal(buffer_printf(text, "%s{\"id\":%d,\"url\":\"u\",\"orphan\":\"removed\"}",
                                       i > 0 ? "," : "", i + 1),
                         0);
    assert_int_equal(buffer_append_string(text, "],\"pauses\":["), 0);
    for (int i = 0; i < n_pauses; i++)
        assert_int_equal(buffer_printf(text, "%s{\"account\":\"p%d\"}", i > 0 ? "," : "", i), 0);
    assert_int_equal(buffer_append_string(text, "]}"), 0);
}

static void test_ceilings(void **state)
{
    _cleanup_(buffer_deinit) Buffer text = BUFFER_INIT(8 * 1024 * 1024);
    Parsed parsed;

    (void)state;
    write_many(&text, INSTANCES_MAX, ORPHANS_MAX, ACCOUNTS_MAX);
    parsed = parse_bytes(buffer_data(&text), buffer_size(&text));
    assert_int_equal(parsed.r, 0);
    assert_int_equal(parsed.snapshot.n_records, INSTANCES_MAX);
    assert_int_equal(parsed.snapshot.n_orphans, ORPHANS_MAX);
    assert_int_equal(parsed.snapshot.n_pauses, ACCOUNTS_MAX);
    drop(&parsed);
    /* One more pause is dropped; one more record would be one that is lost. */
    buffer_clear(&text);
    write_many(&text, 1, 1, ACCOUNTS_MAX + 1);
    parsed = parse_bytes(buffer_data(&text), buffer_size(&text));
    assert_int_equal(parsed.r, 0);
    assert_int_equal(parsed.snapshot.n_pauses, ACCOUNTS_MAX);
    drop(&parsed);
    buffer_clear(&text);
    write_many(&text, INSTANCES_MAX + 1, 0, 0);
    parsed = parse_bytes(buffer_data(&text), buffer_size(&text));
    assert_int_equal(parsed.r, STORE_DOCUMENT_E_BROKEN);
    assert_string_equal(parsed.problem, "more than 16384 records");
    drop(&parsed);
    buffer_clear(&text);
    write_many(&text, 1, ORPHANS_MAX + 1, 0);
    parsed = parse_bytes(buffer_data(&text), buffer_size(&text));
    assert_int_equal(parsed.r, STORE_DOCUMENT_E_BROKEN);
    assert_string_equal(parsed.problem, "more than 16384 records");
    drop(&parsed);
}

static void test_format_is_full(void **state)
{
    Parsed parsed = parse(document_full);

    (void)state;
    for (size_t max = strlen(document_full); max >= strlen(document_full) - 1; max--) {
        _cleanup_(buffer_deinit) Buffer text = BUFFER_INIT(max);

        assert_int_equal(store_document_format(&parsed.snapshot, &text),
                         max < strlen(document_full) ? STORE_DOCUMENT_E_FULL : 0);
    }
    drop(&parsed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_readers_agree), cmocka_unit_test(test_empty),
        cmocka_unit_test(test_round_trip),    cmocka_unit_test(test_other_order),
        cmocka_unit_test(test_broken),        cmocka_unit_test(test_each_cut),
        cmocka_unit_test(test_each_byte),     cmocka_unit_test(test_broken_records),
        cmocka_unit_test(test_broken_pauses), cmocka_unit_test(test_round_trip_of_orphans),
        cmocka_unit_test(test_no_orphans),    cmocka_unit_test(test_broken_orphans),
        cmocka_unit_test(test_ceilings),      cmocka_unit_test(test_format_is_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
