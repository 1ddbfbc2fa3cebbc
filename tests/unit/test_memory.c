/*
 * What base/ does when there is no memory, and what it leaves in the memory that it gives back.
 *
 * Each operation below runs with the first allocation failing, then with the second and so on, until it gets through: every
 * failure must be -ENOMEM and must leak nothing (tests/unit/heap.h).
 */

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/acl.h"
#include "base/arena.h"
#include "base/buffer.h"
#include "base/file.h"
#include "base/json_value.h"
#include "base/json_writer.h"
#include "base/paths.h"
#include "base/secret.h"
#include "tests/unit/heap.h"

/* ---- failing ---- */

static int run_acl(void)
{
    Acl acl = {}, copy = {};
    int r;

    r = acl_add(&acl, "user:1000");
    if (r == 0)
        r = acl_add(&acl, "unit:*.service");
    if (r == 0)
        r = acl_copy(&acl, &copy);
    acl_deinit(&copy);
    acl_deinit(&acl);
    return r;
}

static int run_buffer(void)
{
    Buffer buffer = BUFFER_INIT(100000);
    char *space;
    int r;

    r = buffer_append_string(&buffer, "text");
    if (r == 0)
        r = buffer_printf(&buffer, "%300d", 1);
    if (r == 0)
        r = buffer_reserve(&buffer, 5000, &space);
    buffer_deinit(&buffer);
    return r;
}

static int run_secret(void)
{
    _cleanup_(secret_unrefp) Secret *secret = NULL, *taken = NULL;
    Buffer buffer = BUFFER_INIT(1000);
    int r;

    r = secret_new("secret", 6, &secret);
    if (r == 0)
        r = buffer_append_string(&buffer, "secret");
    if (r == 0) {
        r = secret_new_take(&buffer, &taken);
        if (buffer_size(&buffer) != 0) /* wiped either way */
            r = -EIO;
    }
    buffer_deinit(&buffer);
    return r;
}

static int ignore_event(void *userdata, const JsonEvent *event)
{
    (void)userdata;
    (void)event;
    return 0;
}

/* Escapes in keys and strings, nesting beyond yajl's first stack, and a text of many blocks. */
static const char *make_document(void)
{
    static char text[40000];

    if (!*text) {
        size_t n = (size_t)snprintf(text, sizeof(text),
                                    "{\"a\\n\":[[[[[[[[[[1]]]]]]]]]],\"b\":\"\\n");

        memset(text + n, 'x', 20000);
        (void)snprintf(text + n + 20000, sizeof(text) - n - 20000, "\",\"c\\t\":null}");
    }
    return text;
}

static int run_json_read(void)
{
    const char *text = make_document();

    return json_read(text, strlen(text), JSON_COMMENTS, ignore_event, NULL, NULL);
}

/* A broken document: what it says is made of memory too. */
static int run_json_error(void)
{
    static const char text[] = "{\"a\\n\": tru}";
    JsonError error;
    int r;

    r = json_read(text, strlen(text), 0, ignore_event, NULL, &error);
    return r == JSON_E_SYNTAX ? 0 : r;
}

/* yajl keeps the token that a document breaks off in. */
static int run_json_unfinished(void)
{
    const char *text = make_document();
    int r;

    r = json_read(text, strlen(text) - 100, 0, ignore_event, NULL, NULL);
    return r == JSON_E_SYNTAX ? 0 : r;
}

static int run_json_value(void)
{
    static const char text[] =
        "{\"a\\n\":[1,{\"b\":\"\\u0000\"}],\"c\":null,\"d\":{\"e\":1,\"e\":2}}";
    const JsonValue *duplicate = NULL;
    Arena arena = ARENA_INIT(100000);
    JsonValue *value = NULL;
    int r;

    r = json_value_parse(&arena, text, strlen(text), 0, &value, NULL);
    if (r == 0)
        r = json_value_find_duplicate(value->last, &duplicate);
    if (r == 0 && !duplicate)
        r = -EIO;
    arena_deinit(&arena);
    return r;
}

static int run_json_writer(void)
{
    Buffer buffer = BUFFER_INIT(100000);
    JsonWriter writer;
    int r;

    json_writer_begin(&writer, &buffer);
    json_writer_open_array(&writer);
    for (int i = 0; i < 1000; i++)
        json_writer_string(&writer, "a\ntext");
    json_writer_close_array(&writer);
    r = json_writer_end(&writer);
    buffer_deinit(&buffer);
    return r;
}

static int run_paths(void)
{
    Paths paths = {}, copy = {};
    char *path;
    int r;

    r = paths_init(&paths, NULL);
    paths_deinit(&paths);
    if (r == 0)
        r = paths_init(&paths, "/srv/elementd");
    if (r == 0)
        r = paths_copy(&paths, &copy);
    paths_deinit(&copy);
    paths_deinit(&paths);
    if (r == 0) {
        path = paths_join("/a/longer/path/than/fits/what/the/library/has/at/hand", "b");
        r = path ? 0 : -ENOMEM;
        free(path);
    }
    return r;
}

static int run_file(void)
{
    Buffer buffer = BUFFER_INIT(100000);
    int r;

    r = file_read(AT_FDCWD, "/proc/self/mountinfo", &buffer, NULL);
    buffer_deinit(&buffer);
    return r;
}

static void test_failing(void **state)
{
    static const HeapOperation operations[] = {
        run_acl,        run_buffer,      run_secret,
        run_json_read,  run_json_error,  run_json_unfinished,
        run_json_value, run_json_writer, run_file,
    };

    (void)state;
    heap_skip_others();
    for (size_t i = 0; i < N_ELEMENTS(operations); i++)
        heap_assert_survives(operations[i]);
    heap_assert_survives_but(run_paths, true);
}

/* An allocation that failed leaves the buffer with what it held. */
static void test_failing_buffer(void **state)
{
    Buffer buffer = BUFFER_INIT(100000);
    char *space = NULL;

    (void)state;
    heap_skip_others();
    assert_int_equal(buffer_append_string(&buffer, "held"), 0);
    heap_arm(1, false);
    assert_int_equal(buffer_printf(&buffer, "%1000d", 1), -ENOMEM);
    assert_int_equal(buffer_reserve(&buffer, 1000, &space), -ENOMEM);
    assert_int_equal(buffer_append(&buffer, make_document(), 1000), -ENOMEM);
    heap_disarm();
    assert_null(space);
    assert_int_equal(buffer_size(&buffer), 4);
    assert_memory_equal(buffer_data(&buffer), "held", 4);
    assert_int_equal(buffer_append_string(&buffer, " on"), 0);
    assert_memory_equal(buffer_data(&buffer), "held on", 7);
    buffer_deinit(&buffer);
}

/* ---- wiping ---- */

/* Without this one, the others would prove nothing. */
static void test_marker_is_seen(void **state)
{
    char *volatile memory;

    (void)state;
    heap_skip_others();
    heap_arm(0, false);
    memory = malloc(100);
    memcpy(memory, "......" HEAP_MARKER, strlen(HEAP_MARKER) + 7);
    /* The compiler thinks that what is freed next need not be written first. */
    __asm__ volatile("" : : : "memory");
    free(memory);
    heap_disarm();
    assert_int_equal(heap.n_marked, 1);
}

static int wipe_secret(void)
{
    Secret *secret = NULL, *second;
    int r;

    r = secret_new(HEAP_MARKER, strlen(HEAP_MARKER), &secret);
    second = secret_ref(secret);
    (void)secret_unref(secret);
    (void)secret_unref(second);
    return r;
}

static int wipe_secret_take(void)
{
    Buffer buffer = BUFFER_INIT(1000);
    Secret *secret = NULL;
    int r;

    r = buffer_append_string(&buffer, "head " HEAP_MARKER);
    buffer_consume(&buffer, 5);
    if (r == 0)
        r = secret_new_take(&buffer, &secret);
    (void)secret_unref(secret);
    return r;
}

/* It grows, is consumed, moved to the front, cut, cleared. */
static int wipe_buffer(void)
{
    Buffer buffer = BUFFER_INIT(100000);
    char *space;
    int r = 0;

    for (int i = 0; r == 0 && i < 2000; i++) {
        r = buffer_append_string(&buffer, HEAP_MARKER);
        if (i % 3 == 2)
            buffer_consume(&buffer, 20);
    }
    if (r == 0)
        r = buffer_printf(&buffer, "%s%5000d", HEAP_MARKER, 1);
    buffer_truncate(&buffer, 10);
    buffer_clear(&buffer);
    if (r == 0)
        r = buffer_append_string(&buffer, HEAP_MARKER);
    buffer_clear(&buffer);
    if (r == 0)
        r = buffer_reserve(&buffer, 100, &space);
    if (r == 0) {
        memcpy(space, HEAP_MARKER, strlen(HEAP_MARKER));
        buffer_commit(&buffer, strlen(HEAP_MARKER));
    }
    buffer_deinit(&buffer);
    return r;
}

static int wipe_arena(void)
{
    Arena arena = ARENA_INIT(1000000);
    bool is_full = false;

    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < 500; k++)
            is_full |= !arena_strndup(&arena, HEAP_MARKER, strlen(HEAP_MARKER));
        arena_reset(&arena);
    }
    is_full |= !arena_strndup(&arena, HEAP_MARKER, strlen(HEAP_MARKER));
    arena_deinit(&arena);
    return is_full ? -ENOMEM : 0;
}

/* In keys, plain and escaped, in strings, cut off and refused. */
static int wipe_json(void)
{
    static const char *const texts[] = {
        "{\"" HEAP_MARKER "\":\"" HEAP_MARKER "\",\"\\n" HEAP_MARKER "\":\"\\n" HEAP_MARKER "\"}",
        "{\"a\":\"\\n" HEAP_MARKER "\",\"b\":\"" HEAP_MARKER,
        "[\"\\n" HEAP_MARKER "\\ud800\"]",
        "[\"\\n" HEAP_MARKER "\" x]",
    };
    int r = 0;

    for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
        Arena arena = ARENA_INIT(100000);
        JsonValue *value = NULL;
        JsonError error;

        r = json_value_parse(&arena, texts[i], strlen(texts[i]), 0, &value, &error);
        arena_deinit(&arena);
        if (r != (i == 0 ? 0 : JSON_E_SYNTAX))
            return -EIO;
    }
    return 0;
}

static int wipe_json_writer(void)
{
    _cleanup_(secret_unrefp) Secret *secret = NULL;
    Buffer buffer = BUFFER_INIT(100000);
    JsonWriter writer;
    int r;

    r = secret_new("\n" HEAP_MARKER, strlen(HEAP_MARKER) + 1, &secret);
    json_writer_begin(&writer, &buffer);
    json_writer_open_array(&writer);
    for (int i = 0; r == 0 && i < 200; i++)
        json_writer_secret(&writer, secret);
    json_writer_close_array(&writer);
    if (r == 0)
        r = json_writer_end(&writer);
    buffer_deinit(&buffer);
    return r;
}

static void test_wiping(void **state)
{
    static const HeapOperation operations[] = {
        wipe_secret, wipe_secret_take, wipe_buffer, wipe_arena, wipe_json, wipe_json_writer,
    };

    (void)state;
    heap_skip_others();
    for (size_t i = 0; i < N_ELEMENTS(operations); i++)
        heap_assert_wiped(operations[i]);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failing),
        cmocka_unit_test(test_failing_buffer),
        cmocka_unit_test(test_marker_is_seen),
        cmocka_unit_test(test_wiping),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
