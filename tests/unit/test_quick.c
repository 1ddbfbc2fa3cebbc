#include "ipc/quick.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"

#define ARENA_MAX 65536

/* As nearly all clients write it. */
#define TOKEN_CALL                                                                                 \
    "{\"method\":\"io.elementd.GetToken\",\"parameters\":{\"instance\":\"help desk-1\"}}"

#define CALL(parameters) "{\"method\":\"a.B\",\"parameters\":" parameters "}"

static int parse(Arena *arena, const char *text, VarlinkCall *ret_call)
{
    return quick_parse_call(arena, text, strlen(text), ret_call);
}

static void expect_member(const JsonValue *value, JsonType type, const char *key, const char *text)
{
    assert_non_null(value);
    assert_int_equal(value->type, type);
    assert_string_equal(value->key, key);
    assert_int_equal(value->key_size, strlen(key));
    assert_string_equal(value->text, text);
    assert_int_equal(value->size, strlen(text));
}

static void test_what_it_takes(void **state)
{
    static const char *const texts[] = {
        CALL("{\"i\":\"x y\",\"n\":120}"),
        " { \"method\" : \"a.B\" , \"parameters\" : { \"i\" : \"x y\" , \"n\" : 120 } } ",
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
        _cleanup_(arena_deinit) Arena arena = ARENA_INIT(ARENA_MAX);
        const JsonValue *parameters;
        VarlinkCall call;

        assert_int_equal(parse(&arena, texts[i], &call), 0);
        assert_string_equal(call.method, "a.B");
        assert_false(call.more || call.oneway || call.upgrade);
        parameters = call.parameters;
        assert_int_equal(parameters->type, JSON_OBJECT);
        assert_int_equal(parameters->n_children, 2);
        expect_member(parameters->first, JSON_STRING, "i", "x y");
        expect_member(parameters->last, JSON_NUMBER, "n", "120");
        assert_ptr_equal(parameters->first->next, parameters->last);
        assert_null(parameters->last->next);
    }
}

static void test_a_call_for_a_token(void **state)
{
    _cleanup_(arena_deinit) Arena arena = ARENA_INIT(ARENA_MAX);
    VarlinkCall call;

    (void)state;
    assert_int_equal(parse(&arena, TOKEN_CALL, &call), 0);
    assert_string_equal(call.method, "io.elementd.GetToken");
    assert_false(call.more || call.oneway || call.upgrade);
    assert_int_equal(call.parameters->n_children, 1);
    expect_member(call.parameters->first, JSON_STRING, "instance", "help desk-1");
    assert_ptr_equal(call.parameters->first, call.parameters->last);
    assert_int_equal(parse(&arena, CALL("{\"instance\":\"\"}"), &call), 0);
    expect_member(call.parameters->first, JSON_STRING, "instance", "");
}

/* What of a call of one parameter can be compared. */
static void expect_same(const VarlinkCall *one, const VarlinkCall *other)
{
    const JsonValue *a = one->parameters->first, *b = other->parameters->first;

    assert_string_equal(one->method, other->method);
    assert_int_equal(one->parameters->n_children, other->parameters->n_children);
    assert_true(a && b);
    assert_int_equal(a->type, b->type);
    assert_string_equal(a->key, b->key);
    assert_int_equal(a->size, b->size);
    assert_memory_equal(a->text, b->text, a->size);
}

/* With any other byte at any place of it, it is still refused, or understood, as by the general parser. */
static void test_a_call_for_a_token_with_one_other_byte(void **state)
{
    char text[] = TOKEN_CALL;
    unsigned n_taken = 0;

    (void)state;
    for (size_t i = 0; i < strlen(TOKEN_CALL); i++) {
        for (int byte = 0; byte < 256; byte++) {
            _cleanup_(arena_deinit) Arena arena = ARENA_INIT(ARENA_MAX);
            VarlinkCall call, other;

            text[i] = (char)byte;
            if (quick_parse_call(&arena, text, strlen(TOKEN_CALL), &call) != 0)
                continue;
            n_taken++;
            assert_int_equal(varlink_parse_any_call(&arena, text, strlen(TOKEN_CALL), &other), 0);
            expect_same(&call, &other);
        }
        text[i] = TOKEN_CALL[i];
    }
    assert_true(n_taken > 1000); /* letters in the method, the key and the name */
}

/* Each is well taken by the general parser, or well refused. */
static void test_what_it_leaves(void **state)
{
    static const char *const texts[] = {
        "",
        "{",
        "{}",
        "[]",
        "{\"method\":\"a.B\"}",
        "{\"method\":\"a.B\",\"more\":true}",
        "{\"parameters\":{\"i\":\"x\"},\"method\":\"a.B\"}",
        "{\"method\":1,\"parameters\":{\"i\":\"x\"}}",
        "{\"methods\":\"a.B\",\"parameters\":{\"i\":\"x\"}}",
        "{\"method\":\"a.B\",\"parameter\":{\"i\":\"x\"}}",
        "{\"method\":\"a.B\",\"parameters\":{\"i\":\"x\"},\"more\":true}",
        "{\"method\":\"a.B\",\"parameters\":{\"i\":\"x\"}",
        CALL("{\"i\":\"x\"}") "x",
        CALL("{}"),
        CALL("null"),
        CALL("{\"i\":null}"),
        CALL("{\"i\":true}"),
        CALL("{\"i\":{}}"),
        CALL("{\"i\":\"x\",}"),
        CALL("{\"i\" \"x\"}"),
        CALL("{i:\"x\"}"),
        CALL("{\"i\":\"\\u0078\"}"),
        CALL("{\"i\":\"x\ty\"}"),
        CALL("{\"i\":\"\xc3\xa9\"}"),
        CALL("{\"i\":\"x\"\n}"),
        CALL("{\"n\":-1}"),
        CALL("{\"n\":1.0}"),
        CALL("{\"n\":1e1}"),
        CALL("{\"n\":01}"),
        CALL("{\"n\":}"),
        CALL("{\"n\":1 2}"),
        CALL("{\"n\":1234567890123456789}"),
        CALL("{\"a\":1,\"b\":2,\"c\":3}"),
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
        _cleanup_(arena_deinit) Arena arena = ARENA_INIT(ARENA_MAX);
        VarlinkCall call;

        if (parse(&arena, texts[i], &call) != QUICK_E_OTHER)
            fail_msg("taken: %s", texts[i]);
        assert_int_equal(arena.size, 0);
    }
}

static void test_edges(void **state)
{
    _cleanup_(arena_deinit) Arena arena = ARENA_INIT(ARENA_MAX);
    VarlinkCall call;

    (void)state;
    assert_int_equal(parse(&arena, CALL("{\"n\":0}"), &call), 0);
    assert_int_equal(parse(&arena, CALL("{\"n\":123456789012345678}"), &call), 0);
    assert_int_equal(parse(&arena, CALL("{\"a\":1,\"b\":2}"), &call), 0);
    assert_int_equal(parse(&arena, "{\"method\":\"\",\"parameters\":{\"\":\"\"}}", &call), 0);
    expect_member(call.parameters->first, JSON_STRING, "", "");
    assert_string_equal(call.method, "");
    /* The same key twice is for whoever knows the parameters to refuse. */
    assert_int_equal(parse(&arena, CALL("{\"i\":\"x\",\"i\":\"y\"}"), &call), 0);
    expect_member(call.parameters->last, JSON_STRING, "i", "y");
}

/* Nothing behind the message's end is looked at, and what it says there ends no string. */
static void expect_none_of_a_beginning(const char *text)
{
    for (size_t size = 0; size < strlen(text); size++) {
        _cleanup_(arena_deinit) Arena arena = ARENA_INIT(ARENA_MAX);
        _cleanup_(freep) char *copy = malloc(
            size > 0 ? size : 1); /* so that a sanitizer sees a look past it */
        VarlinkCall call;

        memcpy(copy, text, size);
        assert_int_equal(quick_parse_call(&arena, copy, size, &call), QUICK_E_OTHER);
    }
}

static void test_every_beginning(void **state)
{
    (void)state;
    expect_none_of_a_beginning(CALL("{\"i\":\"x\",\"n\":1}"));
    expect_none_of_a_beginning(TOKEN_CALL);
}

/* The next request may be there already. */
static void test_every_beginning_with_the_rest_behind_it(void **state)
{
    static const char text[] = CALL("{\"i\":\"x\"}");

    (void)state;
    for (size_t size = 0; size < strlen(text); size++) {
        _cleanup_(arena_deinit) Arena arena = ARENA_INIT(ARENA_MAX);
        VarlinkCall call;

        assert_int_equal(quick_parse_call(&arena, text, size, &call), QUICK_E_OTHER);
    }
}

static void test_no_memory(void **state)
{
    _cleanup_(arena_deinit) Arena arena = ARENA_INIT(64);
    VarlinkCall call;

    (void)state;
    assert_int_equal(parse(&arena, CALL("{\"i\":\"x\"}"), &call), -ENOMEM);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_it_takes),
        cmocka_unit_test(test_a_call_for_a_token),
        cmocka_unit_test(test_a_call_for_a_token_with_one_other_byte),
        cmocka_unit_test(test_what_it_leaves),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_every_beginning),
        cmocka_unit_test(test_every_beginning_with_the_rest_behind_it),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
