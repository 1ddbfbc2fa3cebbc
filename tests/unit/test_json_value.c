#include "base/json_value.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/limits.h"

#define ARENA_MAX ((size_t)1024 * 1024)

/* The tree of `text`, which is gone when this returns: a tree must not point into it. */
static const JsonValue *parse(Arena *arena, const char *text, unsigned flags)
{
    size_t size = strlen(text);
    _cleanup_(freep) char *copy = malloc(size > 0 ? size : 1);
    JsonValue *value = NULL;

    assert_non_null(copy);
    memcpy(copy, text, size);
    assert_int_equal(json_value_parse(arena, copy, size, flags, &value, NULL), 0);
    assert_non_null(value);
    memset(copy, 'x', size);
    return value;
}

static void assert_text(const JsonValue *value, JsonType type, const char *text, size_t size)
{
    assert_non_null(value);
    assert_int_equal(value->type, type);
    assert_int_equal(value->size, size);
    assert_memory_equal(value->text, text, size + 1); /* with the NUL */
}

static void test_scalars(void **state)
{
    Arena arena = ARENA_INIT(ARENA_MAX);
    const JsonValue *value;

    (void)state;
    assert_int_equal(parse(&arena, "null", 0)->type, JSON_NULL);
    value = parse(&arena, "true", 0);
    assert_int_equal(value->type, JSON_BOOLEAN);
    assert_true(value->boolean);
    assert_false(parse(&arena, "false", 0)->boolean);
    assert_text(parse(&arena, "-1.50e400", 0), JSON_NUMBER, "-1.50e400", 9);
    assert_text(parse(&arena, "\"\"", 0), JSON_STRING, "", 0);
    value = parse(&arena, "\"a\\u0000\\n\"", 0);
    assert_text(value, JSON_STRING, "a\0\n", 3);
    assert_null(value->key);
    assert_null(value->first);
    assert_null(value->next);
    arena_deinit(&arena);
}

static void test_tree(void **state)
{
    Arena arena = ARENA_INIT(ARENA_MAX);
    const JsonValue *root, *list, *child;

    (void)state;
    root = parse(&arena, "{\"list\":[1,\"two\",[],{\"in\\u0000ner\":null}],\"\":{},\"last\":true}",
                 0);
    assert_int_equal(root->type, JSON_OBJECT);
    assert_int_equal(root->n_children, 3);
    assert_ptr_equal(root->last, root->first->next->next);
    assert_null(root->last->next);

    list = root->first;
    assert_string_equal(list->key, "list");
    assert_int_equal(list->key_size, 4);
    assert_int_equal(list->n_children, 4);
    child = list->first;
    assert_text(child, JSON_NUMBER, "1", 1);
    assert_null(child->key);
    child = child->next;
    assert_text(child, JSON_STRING, "two", 3);
    child = child->next;
    assert_int_equal(child->type, JSON_ARRAY);
    assert_int_equal(child->n_children, 0);
    assert_null(child->first);
    child = child->next;
    assert_ptr_equal(child, list->last);
    assert_int_equal(child->first->key_size, 6);
    assert_memory_equal(child->first->key, "in\0ner", 7);
    assert_int_equal(child->first->type, JSON_NULL);

    child = list->next;
    assert_string_equal(child->key, "");
    assert_int_equal(child->type, JSON_OBJECT);
    assert_true(root->last->boolean);
    arena_deinit(&arena);
}

static void test_foreach(void **state)
{
    Arena arena = ARENA_INIT(ARENA_MAX);
    char seen[8] = "";
    size_t n = 0;

    (void)state;
    JSON_VALUE_FOREACH(child, parse(&arena, "[\"c\",\"a\",\"b\"]", 0))
        seen[n++] = child->text[0];
    assert_string_equal(seen, "cab");
    JSON_VALUE_FOREACH(child, parse(&arena, "[]", 0))
        fail();
    arena_deinit(&arena);
}

static void assert_position(const char *text, size_t offset, unsigned line, unsigned column)
{
    JsonPosition at = json_locate(text, 0, (JsonPosition){1, 1}, offset);

    assert_int_equal(at.line, line);
    assert_int_equal(at.column, column);
}

static void test_positions(void **state)
{
    static const char text[] = "// é\n{ \"a\": [1,\n  {\"b\" : \"é\"}]}";
    Arena arena = ARENA_INIT(ARENA_MAX);
    const JsonValue *root = parse(&arena, text, JSON_COMMENTS), *value;

    (void)state;
    assert_position(text, root->at, 2, 1);
    assert_int_equal(root->key_at, 0);
    value = root->first;
    assert_position(text, value->key_at, 2, 3);
    assert_position(text, value->at, 2, 8);
    assert_position(text, value->first->at, 2, 9);
    assert_int_equal(value->first->key_at, 0); /* an element has no key */
    value = value->last->first;
    assert_position(text, value->key_at, 3, 4);
    assert_position(text, value->at, 3, 10);
    arena_deinit(&arena);
}

static void test_errors(void **state)
{
    Arena arena = ARENA_INIT(ARENA_MAX);
    JsonValue *value = NULL;
    JsonError error;

    (void)state;
    assert_int_equal(json_value_parse(&arena, "[1,\n }", 6, 0, &value, &error), JSON_E_SYNTAX);
    assert_int_equal(error.at.line, 2);
    assert_int_equal(error.at.column, 2);
    assert_int_equal(json_value_parse(&arena, "[1", 2, 0, &value, NULL), JSON_E_SYNTAX);
    assert_int_equal(json_value_parse(&arena, "", 0, 0, &value, NULL), JSON_E_SYNTAX);
    assert_int_equal(json_value_parse(&arena, NULL, 0, 0, &value, NULL), JSON_E_SYNTAX);
    assert_int_equal(json_value_parse(&arena, "[] []", 5, 0, &value, NULL), JSON_E_SYNTAX);
    assert_int_equal(json_value_parse(&arena, "[/**/]", 6, 0, &value, NULL), JSON_E_SYNTAX);
    assert_null(value); /* written on success only */
    assert_int_equal(json_value_parse(&arena, "[/**/]", 6, JSON_COMMENTS, &value, NULL), 0);
    assert_non_null(value);
    arena_deinit(&arena);
}

static void test_depth(void **state)
{
    Arena arena = ARENA_INIT(ARENA_MAX);
    char text[2 * JSON_DEPTH_MAX + 2];
    const JsonValue *value;
    JsonValue *none = NULL;
    unsigned depth = 1;

    (void)state;
    memset(text, '[', JSON_DEPTH_MAX);
    memset(text + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
    text[2 * JSON_DEPTH_MAX] = '\0';
    for (value = parse(&arena, text, 0); value->first; value = value->first)
        depth++;
    assert_int_equal(depth, JSON_DEPTH_MAX);
    memset(text, '[', JSON_DEPTH_MAX + 1);
    memset(text + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
    assert_int_equal(json_value_parse(&arena, text, sizeof(text), 0, &none, NULL), JSON_E_SYNTAX);
    assert_null(none);
    arena_deinit(&arena);
}

/* An arena with any ceiling below what the tree takes says so, and one with that is enough. */
static void test_arena_ceilings(void **state)
{
    static const char text[] =
        "{\"a\\n\":[1,\"two\",{\"b\":null}],\"c\":\"a longer text than fits a unit\",\"and a longer key\":null}";
    Arena arena = ARENA_INIT(ARENA_MAX);
    size_t needed;

    (void)state;
    (void)parse(&arena, text, 0);
    needed = arena.size;
    assert_true(needed > 500);
    arena_deinit(&arena);
    for (size_t max = 0; max < needed; max++) {
        JsonValue *value = NULL;
        JsonError error = {.message = "untouched"};

        arena_init(&arena, max);
        assert_int_equal(json_value_parse(&arena, text, strlen(text), 0, &value, &error), -ENOMEM);
        assert_null(value);
        assert_string_equal(error.message, "untouched");
        assert_true(arena.size <= max);
        arena_deinit(&arena);
    }
    arena_init(&arena, needed);
    (void)parse(&arena, text, 0);
    arena_deinit(&arena);
}

static void assert_fits(const char *text, size_t size)
{
    Arena arena = ARENA_INIT(json_value_arena_max(size));
    JsonValue *value = NULL;

    assert_int_equal(json_value_parse(&arena, text, size, 0, &value, NULL), 0);
    arena_deinit(&arena);
}

/* The ceiling is enough for what costs most, however much there is of it. */
static void test_arena_max(void **state)
{
    static const char *const pieces[] = {"0,", "{},", "\"\",", "[],", "{\"\":0},", "{\"\\n\":0},"};
    static const char *const smallest[] = {"0", "{}", "[0]", "\"\"", "{\"\":0}", "[[[[0]]]]"};
    static const size_t sizes[] = {1, 2, 40, 100, 5000};
    Buffer text = BUFFER_INIT(100000);

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(smallest); i++)
        assert_fits(smallest[i], strlen(smallest[i]));
    for (size_t i = 0; i < N_ELEMENTS(pieces) * N_ELEMENTS(sizes); i++) {
        buffer_clear(&text);
        assert_int_equal(buffer_append_string(&text, "["), 0);
        for (size_t k = 0; k < sizes[i % N_ELEMENTS(sizes)]; k++)
            assert_int_equal(buffer_append_string(&text, pieces[i / N_ELEMENTS(sizes)]), 0);
        assert_int_equal(buffer_append_string(&text, "0]"), 0);
        assert_fits(buffer_data(&text), buffer_size(&text));
    }
    buffer_deinit(&text);

    assert_true(json_value_arena_max(SIZE_MAX / 128) < SIZE_MAX);
    assert_true(json_value_arena_max(SIZE_MAX / 64) == SIZE_MAX);
    assert_true(json_value_arena_max(SIZE_MAX) == SIZE_MAX);
}

static void test_find(void **state)
{
    Arena arena = ARENA_INIT(ARENA_MAX);
    const JsonValue *object = parse(&arena, "{\"a\\u0000b\":0,\"a\":1,\"ab\":2,\"a\":3,\"\":4}", 0);
    const JsonValue *array = parse(&arena, "[1]", 0), *text = parse(&arena, "\"a\"", 0);

    (void)state;
    assert_string_equal(json_value_find(object, "a")->text, "1"); /* the first, and not "a\0b" */
    assert_string_equal(json_value_find(object, "ab")->text, "2");
    assert_string_equal(json_value_find(object, "")->text, "4");
    assert_null(json_value_find(object, "b"));
    assert_null(json_value_find(object, "abc"));
    assert_null(json_value_find(object, "A"));
    assert_null(json_value_find(array, "a"));
    assert_null(json_value_find(array, ""));
    assert_null(json_value_find(text, "a"));
    assert_null(json_value_find(NULL, "a"));
    arena_deinit(&arena);
}

/* The duplicate of an object, as the digits that are its value; NULL: none. */
static void assert_duplicate(const char *text, const char *expected)
{
    Arena arena = ARENA_INIT(ARENA_MAX);
    const JsonValue *object = parse(&arena, text, 0), *duplicate = object;

    assert_int_equal(json_value_find_duplicate(object, &duplicate), 0);
    if (expected) {
        assert_non_null(duplicate);
        assert_string_equal(duplicate->text, expected);
    } else {
        assert_null(duplicate);
    }
    arena_deinit(&arena);
}

static void test_duplicates(void **state)
{
    const JsonValue *duplicate = (const JsonValue *)&duplicate;

    (void)state;
    assert_duplicate("{}", NULL);
    assert_duplicate("{\"a\":1}", NULL);
    assert_duplicate("{\"a\":1,\"b\":2}", NULL);
    assert_duplicate("{\"a\":1,\"a\":2}", "2");
    assert_duplicate("{\"a\":1,\"a\":2,\"a\":3}", "2"); /* the first that repeats */
    assert_duplicate("{\"z\":1,\"a\":2,\"z\":3,\"a\":4}", "3");
    assert_duplicate("{\"a\":1,\"z\":2,\"z\":3,\"a\":4}", "3");
    assert_duplicate("{\"a\":1,\"\\u0061\":2}", "2"); /* as they are, not as they are written */
    assert_duplicate("{\"\":1,\"a\":2,\"\":3}", "3");
    assert_duplicate("{\"a\":1,\"A\":2,\"ab\":3,\"b\":4,\"aa\":5}", NULL);
    assert_duplicate("{\"a\\u0000b\":1,\"a\\u0000c\":2,\"a\":3,\"a\\u0000\":4}", NULL);
    assert_duplicate("{\"a\\u0000b\":1,\"a\\u0000b\":2}", "2");
    assert_duplicate("{\"a\":{\"b\":1},\"c\":{\"b\":2}}", NULL); /* each object for itself */
    assert_duplicate("[1,1]", NULL);
    assert_duplicate("\"a\"", NULL);
    assert_int_equal(json_value_find_duplicate(NULL, &duplicate), 0);
    assert_null(duplicate);
}

/* Many keys, hostile or not, take no time worth mentioning: a test of its own would be quadratic here. */
static void test_many_members(void **state)
{
    enum { N = 100000 };
    Buffer text = BUFFER_INIT(32 * N);
    Arena arena = ARENA_INIT(json_value_arena_max(32 * (size_t)N));
    const JsonValue *duplicate = NULL;
    JsonValue *object = NULL;

    (void)state;
    assert_int_equal(buffer_append_string(&text, "{"), 0);
    for (int i = 0; i < N; i++)
        assert_int_equal(buffer_printf(&text, "\"key%d\":%d,", i % (N - 1), i), 0);
    buffer_truncate(&text, buffer_size(&text) - 1);
    assert_int_equal(buffer_append_string(&text, "}"), 0);
    assert_int_equal(
        json_value_parse(&arena, buffer_data(&text), buffer_size(&text), 0, &object, NULL), 0);
    assert_int_equal(json_value_find_duplicate(object, &duplicate), 0);
    assert_int_equal(object->n_children, N);
    assert_ptr_equal(duplicate, object->last);
    arena_deinit(&arena);
    buffer_deinit(&text);
}

static void test_is_text(void **state)
{
    Arena arena = ARENA_INIT(ARENA_MAX);

    (void)state;
    assert_true(json_value_is_text(parse(&arena, "\"a\"", 0)));
    assert_true(json_value_is_text(parse(&arena, "\"\"", 0)));
    assert_false(json_value_is_text(parse(&arena, "\"\\u0000\"", 0)));
    assert_false(json_value_is_text(parse(&arena, "\"a\\u0000\"", 0)));
    assert_false(json_value_is_text(parse(&arena, "1", 0)));
    assert_false(json_value_is_text(parse(&arena, "[\"a\"]", 0)));
    assert_false(json_value_is_text(NULL));
    arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scalars),        cmocka_unit_test(test_tree),
        cmocka_unit_test(test_foreach),        cmocka_unit_test(test_positions),
        cmocka_unit_test(test_errors),         cmocka_unit_test(test_depth),
        cmocka_unit_test(test_arena_ceilings), cmocka_unit_test(test_arena_max),
        cmocka_unit_test(test_find),           cmocka_unit_test(test_duplicates),
        cmocka_unit_test(test_many_members),   cmocka_unit_test(test_is_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
