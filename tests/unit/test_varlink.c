#include "ipc/varlink.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/json_value.h"
#include "base/limits.h"

#define ARENA_MAX (4 * 1024 * 1024)

typedef struct CallCase {
    const char *text;
    const char *method;
    int outcome;
    bool has_parameters;
    bool more;
    bool oneway;
    bool upgrade;
} CallCase;

static const CallCase call_cases[] = {
    {"{\"method\":\"a.B\"}", "a.B", 0, false, false, false, false},
    {" { \"method\" : \"a.B\" } ", "a.B", 0, false, false, false, false},
    {"{\"method\":\"a.B\",\"parameters\":{}}", "a.B", 0, true, false, false, false},
    {"{\"parameters\":{\"x\":1},\"method\":\"a.B\"}", "a.B", 0, true, false, false, false},
    {"{\"method\":\"a.B\",\"parameters\":null}", "a.B", 0, false, false, false, false},
    {"{\"method\":\"a.B\",\"more\":true}", "a.B", 0, false, true, false, false},
    {"{\"method\":\"a.B\",\"oneway\":true}", "a.B", 0, false, false, true, false},
    {"{\"method\":\"a.B\",\"upgrade\":true}", "a.B", 0, false, false, false, true},
    {"{\"method\":\"a.B\",\"more\":false,\"oneway\":true}", "a.B", 0, false, false, true, false},
    {"{\"m\\u0065thod\":\"a.B\"}", "a.B", 0, false, false, false, false},
    {"{\"method\":\"\"}", "", 0, false, false, false, false},

    {"", NULL, VARLINK_E_INVALID, false, false, false, false},
    {" ", NULL, VARLINK_E_INVALID, false, false, false, false},
    {"{}", NULL, VARLINK_E_INVALID, false, false, false, false},
    {"[]", NULL, VARLINK_E_INVALID, false, false, false, false},
    {"\"method\"", NULL, VARLINK_E_INVALID, false, false, false, false},
    {"1", NULL, VARLINK_E_INVALID, false, false, false, false},
    {"null", NULL, VARLINK_E_INVALID, false, false, false, false},
    {"{\"method\":\"a.B\"}{}", NULL, VARLINK_E_INVALID, false, false, false, false},
    {"{\"method\":\"a.B\",}", NULL, VARLINK_E_INVALID, false, false, false, false},
    {"{\"method\":\"a.B\"} // comment", NULL, VARLINK_E_INVALID, false, false, false, false},
    {"{\"method\":1}", NULL, VARLINK_E_INVALID, false, false, false, false},
    {"{\"method\":null}", NULL, VARLINK_E_INVALID, false, false, false, false},
    {"{\"method\":\"a\\u0000.B\"}", NULL, VARLINK_E_INVALID, false, false, false, false},
    {"{\"method\":\"a.B\",\"method\":\"a.B\"}", NULL, VARLINK_E_INVALID, false, false, false,
     false},
    {"{\"method\":\"a.B\",\"parameters\":{},\"parameters\":{}}", NULL, VARLINK_E_INVALID, false,
     false, false, false},
    {"{\"method\":\"a.B\",\"parameters\":null,\"parameters\":{}}", NULL, VARLINK_E_INVALID, false,
     false, false, false},
    {"{\"method\":\"a.B\",\"parameters\":[]}", NULL, VARLINK_E_INVALID, false, false, false, false},
    {"{\"method\":\"a.B\",\"parameters\":\"\"}", NULL, VARLINK_E_INVALID, false, false, false,
     false},
    {"{\"method\":\"a.B\",\"more\":1}", NULL, VARLINK_E_INVALID, false, false, false, false},
    {"{\"method\":\"a.B\",\"more\":null}", NULL, VARLINK_E_INVALID, false, false, false, false},
    {"{\"method\":\"a.B\",\"more\":true,\"more\":true}", NULL, VARLINK_E_INVALID, false, false,
     false, false},
    {"{\"method\":\"a.B\",\"more\":true,\"oneway\":true}", NULL, VARLINK_E_INVALID, false, false,
     false, false},
    {"{\"method\":\"a.B\",\"Method\":\"a.B\"}", NULL, VARLINK_E_INVALID, false, false, false,
     false},
    {"{\"method\":\"a.B\",\"error\":\"a.B\"}", NULL, VARLINK_E_INVALID, false, false, false, false},
    {"{\"method\":\"a.B\",\"method\\u0000\":\"a.B\"}", NULL, VARLINK_E_INVALID, false, false, false,
     false},
    {"{\"method\":\"a.B\",\"\":true}", NULL, VARLINK_E_INVALID, false, false, false, false},
    {"{\"method\":\"\xff\"}", NULL, VARLINK_E_INVALID, false, false, false, false},
};

static void test_parse_call(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(call_cases); i++) {
        const CallCase *c = &call_cases[i];
        _cleanup_(arena_deinit) Arena arena = ARENA_INIT(ARENA_MAX);
        VarlinkCall call;
        int r;

        memset(&call, 0x55, sizeof(call));
        r = varlink_parse_call(&arena, c->text, strlen(c->text), &call);
        if (r != c->outcome)
            fail_msg("%s: %d instead of %d", c->text, r, c->outcome);
        if (r != 0)
            continue;
        assert_string_equal(call.method, c->method);
        assert_int_equal(call.parameters != NULL, c->has_parameters);
        assert_int_equal(call.more, c->more);
        assert_int_equal(call.oneway, c->oneway);
        assert_int_equal(call.upgrade, c->upgrade);
    }
}

/* No beginning of a message is a message, and none is read beyond its end. */
static void test_parse_prefixes(void **state)
{
    static const char text[] = "{\"method\":\"io.elementd.GetToken\",\"parameters\":"
                               "{\"instance\":\"j\\u00e9\",\"timeoutUSec\":-1.5e3},\"more\":false}";

    (void)state;
    for (size_t size = 0; size < sizeof(text); size++) {
        _cleanup_(arena_deinit) Arena arena = ARENA_INIT(ARENA_MAX);
        _cleanup_(freep) char *exact = malloc(size > 0 ? size : 1);
        VarlinkCall call;

        memcpy(exact, text, size);
        assert_int_equal(varlink_parse_call(&arena, exact, size, &call),
                         size == sizeof(text) - 1 ? 0 : VARLINK_E_INVALID);
    }
}

/* `depth` arrays in each other, as a parameter: 2 levels more in all. */
static int parse_nested(unsigned depth)
{
    _cleanup_(arena_deinit) Arena arena = ARENA_INIT(ARENA_MAX);
    _cleanup_(buffer_deinit) Buffer text = BUFFER_INIT(1024 * 1024);
    VarlinkCall call;

    assert_int_equal(buffer_append_string(&text, "{\"method\":\"a.B\",\"parameters\":{\"x\":"), 0);
    for (unsigned i = 0; i < depth; i++)
        assert_int_equal(buffer_append_string(&text, "["), 0);
    for (unsigned i = 0; i < depth; i++)
        assert_int_equal(buffer_append_string(&text, "]"), 0);
    assert_int_equal(buffer_append_string(&text, "}}"), 0);
    return varlink_parse_call(&arena, buffer_data(&text), buffer_size(&text), &call);
}

static void test_parse_depth(void **state)
{
    (void)state;
    assert_int_equal(parse_nested(JSON_DEPTH_MAX - 2), 0);
    assert_int_equal(parse_nested(JSON_DEPTH_MAX - 1), VARLINK_E_INVALID);
    assert_int_equal(parse_nested(30000), VARLINK_E_INVALID);
}

/* What costs most memory for its length still fits what the server allows for a request. */
static void test_parse_expensive(void **state)
{
    static const char *const pieces[] = {"0,", "[],", "\"\",", "{},"};

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(pieces); i++) {
        _cleanup_(arena_deinit) Arena arena = ARENA_INIT(json_value_arena_max(REQUEST_BYTES_MAX));
        _cleanup_(buffer_deinit) Buffer text = BUFFER_INIT(REQUEST_BYTES_MAX);
        VarlinkCall call;

        assert_int_equal(buffer_append_string(&text, "{\"method\":\"a.B\",\"parameters\":{\"x\":["),
                         0);
        while (buffer_room(&text) > strlen(pieces[i]) + 4)
            assert_int_equal(buffer_append_string(&text, pieces[i]), 0);
        assert_int_equal(buffer_append_string(&text, "0]}}"), 0);
        assert_int_equal(varlink_parse_call(&arena, buffer_data(&text), buffer_size(&text), &call),
                         0);
    }
}

static void test_parse_no_memory(void **state)
{
    static const char text[] = "{\"method\":\"a.B\"}";
    _cleanup_(arena_deinit) Arena arena = ARENA_INIT(16);
    VarlinkCall call;

    (void)state;
    assert_int_equal(varlink_parse_call(&arena, text, strlen(text), &call), -ENOMEM);
}

typedef struct ReplyCase {
    const char *text;
    const char *error;
    int outcome;
    bool has_parameters;
    bool continues;
} ReplyCase;

static const ReplyCase reply_cases[] = {
    {"{}", NULL, 0, false, false},
    {"{\"parameters\":{}}", NULL, 0, true, false},
    {"{\"parameters\":null}", NULL, 0, false, false},
    {"{\"parameters\":{},\"continues\":true}", NULL, 0, true, true},
    {"{\"parameters\":{},\"continues\":false}", NULL, 0, true, false},
    {"{\"error\":\"a.B\"}", "a.B", 0, false, false},
    {"{\"error\":\"a.B\",\"parameters\":{\"x\":1}}", "a.B", 0, true, false},

    {"", NULL, VARLINK_E_INVALID, false, false},
    {"[]", NULL, VARLINK_E_INVALID, false, false},
    {"{\"error\":null}", NULL, VARLINK_E_INVALID, false, false},
    {"{\"error\":1}", NULL, VARLINK_E_INVALID, false, false},
    {"{\"error\":\"a.B\",\"continues\":true}", NULL, VARLINK_E_INVALID, false, false},
    {"{\"error\":\"a.B\",\"error\":\"a.B\"}", NULL, VARLINK_E_INVALID, false, false},
    {"{\"method\":\"a.B\"}", NULL, VARLINK_E_INVALID, false, false},
    {"{\"parameters\":1}", NULL, VARLINK_E_INVALID, false, false},
    {"{\"continues\":\"true\"}", NULL, VARLINK_E_INVALID, false, false},
};

static void test_parse_reply(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(reply_cases); i++) {
        const ReplyCase *c = &reply_cases[i];
        _cleanup_(arena_deinit) Arena arena = ARENA_INIT(ARENA_MAX);
        VarlinkReply reply;
        int r;

        memset(&reply, 0x55, sizeof(reply));
        r = varlink_parse_reply(&arena, c->text, strlen(c->text), &reply);
        if (r != c->outcome)
            fail_msg("%s: %d instead of %d", c->text, r, c->outcome);
        if (r != 0)
            continue;
        assert_int_equal(reply.error != NULL, c->error != NULL);
        if (c->error)
            assert_string_equal(reply.error, c->error);
        assert_int_equal(reply.parameters != NULL, c->has_parameters);
        assert_int_equal(reply.continues, c->continues);
    }
}

/* ---- writing ---- */

static void expect_written(const Buffer *buffer, const char *text)
{
    assert_int_equal(buffer_size(buffer), strlen(text) + 1);
    assert_memory_equal(buffer_data(buffer), text, strlen(text) + 1);
}

static void test_write(void **state)
{
    _cleanup_(buffer_deinit) Buffer buffer = BUFFER_INIT(1024);
    VarlinkWriter writer;

    (void)state;
    varlink_begin_call(&writer, &buffer, "a.B", false, false);
    assert_int_equal(varlink_end(&writer), 0);
    expect_written(&buffer, "{\"method\":\"a.B\",\"parameters\":{}}");
    buffer_clear(&buffer);

    varlink_begin_call(&writer, &buffer, "a.B", true, false);
    json_writer_key(&writer.json, "x");
    json_writer_int(&writer.json, -1);
    assert_int_equal(varlink_end(&writer), 0);
    expect_written(&buffer, "{\"method\":\"a.B\",\"more\":true,\"parameters\":{\"x\":-1}}");
    buffer_clear(&buffer);

    varlink_begin_call(&writer, &buffer, "a.B", false, true);
    assert_int_equal(varlink_end(&writer), 0);
    expect_written(&buffer, "{\"method\":\"a.B\",\"oneway\":true,\"parameters\":{}}");
    buffer_clear(&buffer);

    varlink_begin_reply(&writer, &buffer, false);
    json_writer_key(&writer.json, "x");
    json_writer_text(&writer.json, "\0\"", 2);
    assert_int_equal(varlink_end(&writer), 0);
    expect_written(&buffer, "{\"parameters\":{\"x\":\"\\u0000\\\"\"}}");
    buffer_clear(&buffer);

    varlink_begin_reply(&writer, &buffer, true);
    assert_int_equal(varlink_end(&writer), 0);
    expect_written(&buffer, "{\"parameters\":{},\"continues\":true}");
    buffer_clear(&buffer);

    varlink_begin_error(&writer, &buffer, "a.B");
    assert_int_equal(varlink_end(&writer), 0);
    expect_written(&buffer, "{\"error\":\"a.B\",\"parameters\":{}}");
}

/* At every ceiling below its length a message is left out whole; at its length, with the NUL, it is there. */
static void test_write_full(void **state)
{
    static const char text[] = "{\"parameters\":{\"x\":\"y\"},\"continues\":true}";

    (void)state;
    for (size_t max = 0; max <= sizeof(text); max++) {
        _cleanup_(buffer_deinit) Buffer buffer = BUFFER_INIT(3 + max);
        VarlinkWriter writer;
        int r;

        assert_int_equal(buffer_append(&buffer, "abc", 3), 0);
        varlink_begin_reply(&writer, &buffer, true);
        json_writer_key(&writer.json, "x");
        json_writer_string(&writer.json, "y");
        r = varlink_end(&writer);
        assert_int_equal(r, max < sizeof(text) ? VARLINK_E_FULL : 0);
        assert_int_equal(buffer_size(&buffer), 3 + (r == 0 ? sizeof(text) : 0));
        assert_memory_equal(buffer_data(&buffer), "abc", 3);
    }
}

static void test_write_no_utf8(void **state)
{
    _cleanup_(buffer_deinit) Buffer buffer = BUFFER_INIT(1024);
    VarlinkWriter writer;

    (void)state;
    varlink_begin_reply(&writer, &buffer, false);
    json_writer_key(&writer.json, "x");
    json_writer_string(&writer.json, "\xff");
    assert_int_equal(varlink_end(&writer), -EINVAL);
    assert_int_equal(buffer_size(&buffer), 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse_call),      cmocka_unit_test(test_parse_prefixes),
        cmocka_unit_test(test_parse_depth),     cmocka_unit_test(test_parse_expensive),
        cmocka_unit_test(test_parse_no_memory), cmocka_unit_test(test_parse_reply),
        cmocka_unit_test(test_write),           cmocka_unit_test(test_write_full),
        cmocka_unit_test(test_write_no_utf8),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
