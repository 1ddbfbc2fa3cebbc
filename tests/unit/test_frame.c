#include "ipc/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/limits.h"

/* Gives `size` bytes to the frame, as many at a time as it takes, at most `piece`; what a socket does. */
static size_t feed_once(Frame *frame, const char *data, size_t size, size_t piece)
{
    size_t room;
    char *space;

    assert_int_equal(frame_reserve(frame, &space, &room), 0);
    assert_true(room > 0);
    if (size > room)
        size = room;
    if (size > piece)
        size = piece;
    memcpy(space, data, size);
    frame_commit(frame, size);
    return size;
}

static void expect_message(Frame *frame, const char *expected, size_t size)
{
    const char *text;
    size_t n;

    for (int i = 0; i < 2; i++) { /* the same again when asked again */
        assert_int_equal(frame_next(frame, &text, &n), 0);
        assert_int_equal(n, size);
        assert_memory_equal(text, expected, size);
    }
    frame_done(frame);
}

static void expect_none(Frame *frame, int outcome)
{
    const char *text;
    size_t size;

    assert_int_equal(frame_next(frame, &text, &size), outcome);
}

static void test_empty(void **state)
{
    _cleanup_(frame_deinit) Frame frame;

    (void)state;
    frame_init(&frame);
    assert_true(frame_is_empty(&frame));
    expect_none(&frame, FRAME_E_PARTIAL);
}

static void test_messages_in_one_piece(void **state)
{
    static const char stream[] = "one\0two\0\0thr"; /* an empty one, and one that is not whole */
    _cleanup_(frame_deinit) Frame frame;

    (void)state;
    frame_init(&frame);
    assert_int_equal(feed_once(&frame, stream, sizeof(stream) - 1, SIZE_MAX), sizeof(stream) - 1);
    expect_message(&frame, "one", 3);
    expect_message(&frame, "two", 3);
    expect_message(&frame, "", 0);
    expect_none(&frame, FRAME_E_PARTIAL);
    assert_false(frame_is_empty(&frame));
    feed_once(&frame, "ee", 3, SIZE_MAX);
    expect_message(&frame, "three", 5);
    assert_true(frame_is_empty(&frame));
}

static void test_byte_by_byte(void **state)
{
    static const char stream[] = "one\0two\0\0three";
    static const char *const messages[] = {"one", "two", "", "three"};
    _cleanup_(frame_deinit) Frame frame;
    size_t n = 0;

    (void)state;
    frame_init(&frame);
    for (size_t i = 0; i < sizeof(stream); i++) {
        feed_once(&frame, stream + i, 1, 1);
        if (stream[i] == '\0') {
            expect_message(&frame, messages[n], strlen(messages[n]));
            n++;
        } else {
            expect_none(&frame, FRAME_E_PARTIAL);
        }
    }
    assert_int_equal(n, N_ELEMENTS(messages));
}

/* A message of `size` bytes, then its NUL, in pieces of `piece`. */
static int feed_message(Frame *frame, size_t size, size_t piece)
{
    _cleanup_(freep) char *message = malloc(size + 1);
    const char *text;
    size_t n, sent = 0;
    int r;

    memset(message, 'x', size);
    message[size] = '\0';
    do {
        sent += feed_once(frame, message + sent, size + 1 - sent, piece);
        r = frame_next(frame, &text, &n);
    } while (r == FRAME_E_PARTIAL && sent < size + 1);
    if (r == 0) {
        assert_int_equal(n, size);
        assert_memory_equal(text, message, size);
    }
    return r;
}

static void test_largest(void **state)
{
    static const size_t pieces[] = {SIZE_MAX, 4096, 4095, 1000};

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(pieces); i++) {
        _cleanup_(frame_deinit) Frame frame;

        frame_init(&frame);
        assert_int_equal(feed_message(&frame, REQUEST_BYTES_MAX, pieces[i]), 0);
        frame_done(&frame);
        /* What was read before does not count. */
        assert_int_equal(feed_message(&frame, REQUEST_BYTES_MAX, pieces[i]), 0);
        frame_done(&frame);
        assert_int_equal(feed_message(&frame, REQUEST_BYTES_MAX + 1, pieces[i]), FRAME_E_TOO_BIG);
    }
}

/* One byte past the largest is told as soon as it has come, with no NUL in sight. */
static void test_too_big_is_told_at_once(void **state)
{
    _cleanup_(frame_deinit) Frame frame;
    size_t sent = 0;

    (void)state;
    frame_init(&frame);
    while (sent < REQUEST_BYTES_MAX) {
        static const char some[1024] = {[0 ... 1023] = 'x'};

        sent += feed_once(&frame, some, REQUEST_BYTES_MAX - sent, sizeof(some));
        expect_none(&frame, FRAME_E_PARTIAL);
    }
    feed_once(&frame, "x", 1, 1);
    expect_none(&frame, FRAME_E_TOO_BIG);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_messages_in_one_piece),
        cmocka_unit_test(test_byte_by_byte),
        cmocka_unit_test(test_largest),
        cmocka_unit_test(test_too_big_is_told_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
