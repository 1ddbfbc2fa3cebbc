#include "base/json_writer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"

static void assert_written(const Buffer *buffer, const char *expected)
{
    assert_int_equal(buffer_size(buffer), strlen(expected));
    assert_memory_equal(buffer_data(buffer), expected, strlen(expected));
}

/* A document of every kind of call, in order. */
static void write_all(JsonWriter *writer)
{
    _cleanup_(secret_unrefp) Secret *secret = NULL;

    assert_int_equal(secret_new("s\"cret", 6, &secret), 0);
    json_writer_open_object(writer);
    json_writer_key(writer, "null");
    json_writer_null(writer);
    json_writer_key(writer, "yes");
    json_writer_boolean(writer, true);
    json_writer_key(writer, "no");
    json_writer_boolean(writer, false);
    json_writer_key(writer, "int");
    json_writer_open_array(writer);
    json_writer_int(writer, 0);
    json_writer_int(writer, -1);
    json_writer_int(writer, INT64_MIN);
    json_writer_int(writer, INT64_MAX);
    json_writer_uint(writer, UINT64_MAX);
    json_writer_number(writer, "0.10", 4);
    json_writer_number(writer, "1e400junk", 5);
    json_writer_close_array(writer);
    json_writer_key(writer, "");
    json_writer_open_object(writer);
    json_writer_close_object(writer);
    json_writer_key(writer, "empty");
    json_writer_open_array(writer);
    json_writer_open_array(writer);
    json_writer_close_array(writer);
    json_writer_close_array(writer);
    json_writer_key(writer, "k\"\n");
    json_writer_string(writer, "a\"\\/\b\f\n\r\t\x1f\x7f é😀");
    json_writer_key(writer, "none");
    json_writer_string(writer, NULL);
    json_writer_key(writer, "text");
    json_writer_text(writer, "a\0b", 3);
    json_writer_key(writer, "no text");
    json_writer_text(writer, NULL, 0);
    json_writer_key(writer, "secret");
    json_writer_secret(writer, secret);
    json_writer_key(writer, "no secret");
    json_writer_secret(writer, NULL);
    json_writer_close_object(writer);
}

static const char all[] =
    "{\"null\":null,\"yes\":true,\"no\":false,\"int\":[0,-1,-9223372036854775808,"
    "9223372036854775807,18446744073709551615,0.10,1e400],\"\":{},\"empty\":[[]],\"k\\\"\\n\":"
    "\"a\\\"\\\\/\\b\\f\\n\\r\\t\\u001F\x7f é😀\",\"none\":null,\"text\":\"a\\u0000b\","
    "\"no text\":\"\",\"secret\":\"s\\\"cret\",\"no secret\":\"\"}";

static void test_every_kind(void **state)
{
    Buffer buffer = BUFFER_INIT(1000);
    JsonWriter writer;

    (void)state;
    json_writer_begin(&writer, &buffer);
    write_all(&writer);
    assert_int_equal(json_writer_end(&writer), 0);
    assert_written(&buffer, all);
    buffer_deinit(&buffer);
}

/* It appends, and a second document begins anew. */
static void test_appends(void **state)
{
    Buffer buffer = BUFFER_INIT(100);
    JsonWriter writer;

    (void)state;
    assert_int_equal(buffer_append_string(&buffer, "head "), 0);
    for (int i = 0; i < 2; i++) {
        json_writer_begin(&writer, &buffer);
        json_writer_int(&writer, i);
        assert_int_equal(json_writer_end(&writer), 0);
    }
    assert_written(&buffer, "head 01");
    buffer_deinit(&buffer);
}

/* Any ceiling below the document's size is an error that sticks, and the exact one is enough. */
static void test_ceilings(void **state)
{
    JsonWriter writer;

    (void)state;
    for (size_t max = 0; max <= strlen(all); max++) {
        Buffer buffer = BUFFER_INIT(max);

        json_writer_begin(&writer, &buffer);
        write_all(&writer);
        if (max < strlen(all)) {
            assert_int_equal(json_writer_end(&writer), JSON_WRITER_E_FULL);
            assert_true(buffer_size(&buffer) <= max);
            if (buffer_size(&buffer) > 0)
                assert_memory_equal(buffer_data(&buffer), all, buffer_size(&buffer));
        } else {
            assert_int_equal(json_writer_end(&writer), 0);
            assert_written(&buffer, all);
        }
        buffer_deinit(&buffer);
    }
}

/* Nothing is written behind the text that did not fit, though a shorter one would. */
static void test_full_sticks(void **state)
{
    Buffer buffer = BUFFER_INIT(12);
    JsonWriter writer;

    (void)state;
    json_writer_begin(&writer, &buffer);
    json_writer_open_array(&writer);
    json_writer_int(&writer, 1);
    json_writer_number(&writer, "12345678901234567890", 20);
    json_writer_int(&writer, 2);
    json_writer_string(&writer, "\xFF"); /* a later error does not replace the first */
    json_writer_close_array(&writer);
    assert_int_equal(json_writer_end(&writer), JSON_WRITER_E_FULL);
    assert_written(&buffer, "[1,");
    buffer_deinit(&buffer);
}

static void assert_bad_text(const char *text, size_t size)
{
    _cleanup_(secret_unrefp) Secret *secret = NULL;
    Buffer buffer = BUFFER_INIT(100);
    JsonWriter writer;

    assert_int_equal(secret_new(text, size, &secret), 0);
    json_writer_begin(&writer, &buffer);
    json_writer_open_array(&writer);
    json_writer_text(&writer, text, size);
    json_writer_int(&writer, 1);
    json_writer_close_array(&writer);
    assert_int_equal(json_writer_end(&writer), JSON_WRITER_E_TEXT);
    assert_written(&buffer, "[");
    buffer_clear(&buffer);

    json_writer_begin(&writer, &buffer);
    json_writer_secret(&writer, secret);
    assert_int_equal(json_writer_end(&writer), JSON_WRITER_E_TEXT);
    assert_int_equal(buffer_size(&buffer), 0);
    if (!memchr(text, '\0', size)) {
        char key[32] = {};

        memcpy(key, text, size);
        json_writer_begin(&writer, &buffer);
        json_writer_open_object(&writer);
        json_writer_key(&writer, key);
        json_writer_null(&writer);
        json_writer_close_object(&writer);
        assert_int_equal(json_writer_end(&writer), JSON_WRITER_E_TEXT);
        assert_written(&buffer, "{");
    }
    buffer_deinit(&buffer);
}

static void test_bad_utf8(void **state)
{
    (void)state;
    assert_bad_text("\x80", 1);
    assert_bad_text("a\xFF", 2);
    assert_bad_text("a\xC3", 2); /* cut off */
    assert_bad_text("\xE2\x82", 2);
    assert_bad_text("\xC3(", 2);
    assert_bad_text("\xC0\x80", 2);     /* overlong */
    assert_bad_text("\xED\xA0\x80", 3); /* half of a surrogate pair */
    assert_bad_text("\xF4\x90\x80\x80", 4);
    assert_bad_text("\0\xFE", 2);
}

/* Calls after an error do nothing, in whatever order they come. */
static void test_calls_after_error(void **state)
{
    Buffer buffer = BUFFER_INIT(100);
    JsonWriter writer;

    (void)state;
    json_writer_begin(&writer, &buffer);
    json_writer_string(&writer, "\xFF");
    json_writer_close_object(&writer);
    json_writer_close_array(&writer);
    write_all(&writer);
    write_all(&writer);
    assert_int_equal(json_writer_end(&writer), JSON_WRITER_E_TEXT);
    assert_int_equal(buffer_size(&buffer), 0);
    buffer_deinit(&buffer);
}

/* What is read and written again is what it was, but for blanks. */
static void assert_round_trip(const char *text, const char *expected)
{
    Arena arena = ARENA_INIT(1024 * 1024);
    Buffer buffer = BUFFER_INIT(1024 * 1024);
    JsonValue *value = NULL;
    JsonWriter writer;

    assert_int_equal(json_value_parse(&arena, text, strlen(text), 0, &value, NULL), 0);
    json_writer_begin(&writer, &buffer);
    json_writer_value(&writer, value);
    assert_int_equal(json_writer_end(&writer), 0);
    assert_written(&buffer, expected);
    buffer_deinit(&buffer);
    arena_deinit(&arena);
}

static void test_round_trips(void **state)
{
    static const char *const same[] = {
        "null",
        "true",
        "false",
        "0",
        "-0",
        "[-0,0.10,1e400,-1E-400,1e+05,-0.0e-0]",
        "[123456789012345678901234567890,0.1000000000000000055511151231257827]",
        "\"\"",
        "[]",
        "{}",
        "{\"b\":1,\"a\":2,\"b\":3,\"\":[{}]}", /* order and duplicates stay */
        "[\"\\u0000\\u001F\\\"\\\\\",\"é€😀\xEF\xBB\xBF\"]",
        "{\"\\u0000\":{\"\\n\":[[],[[]],{\"x\":{}}]}}",
    };
    char deep[2 * JSON_DEPTH_MAX + 1] = "";

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(same); i++)
        assert_round_trip(same[i], same[i]);
    assert_round_trip(" { \"a\\u0062\\/\" : [ \"\\ud83d\\ude00\" , 1 ] }\n", "{\"ab/\":[\"😀\",1]}");
    memset(deep, '[', JSON_DEPTH_MAX);
    memset(deep + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
    assert_round_trip(deep, deep);
    assert_round_trip(all, all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind),  cmocka_unit_test(test_appends),
        cmocka_unit_test(test_ceilings),    cmocka_unit_test(test_full_sticks),
        cmocka_unit_test(test_bad_utf8),    cmocka_unit_test(test_calls_after_error),
        cmocka_unit_test(test_round_trips),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
