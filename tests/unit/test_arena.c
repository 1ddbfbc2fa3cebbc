#include "base/arena.h"

#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define UNIT alignof(max_align_t)

static void assert_zeroed(const char *memory, size_t size)
{
    for (size_t i = 0; i < size; i++)
        assert_int_equal(memory[i], 0);
}

static void test_alignment_and_zeroes(void **state)
{
    Arena arena = ARENA_INIT(1024 * 1024);
    char *last = NULL;

    (void)state;
    for (size_t size = 1; size < 300; size++) {
        char *memory = arena_alloc(&arena, size);

        assert_non_null(memory);
        assert_ptr_not_equal(memory, last);
        assert_int_equal((uintptr_t)memory % UNIT, 0);
        assert_zeroed(memory, size);
        memset(memory, 'x', size); /* the next one is zeroed all the same */
        last = memory;
    }
    arena_deinit(&arena);
}

/* What was handed out stays where it is and as it is while the arena grows. */
static void test_blocks_stay(void **state)
{
    enum { N = 500, SIZE = 64 };
    Arena arena = ARENA_INIT(N * SIZE);
    char *memory[N];

    (void)state;
    for (int i = 0; i < N; i++) {
        memory[i] = arena_alloc(&arena, SIZE);
        assert_non_null(memory[i]);
        memset(memory[i], i & 0x7F, SIZE);
    }
    assert_null(arena_alloc(&arena, 1));
    for (int i = 0; i < N; i++)
        for (int k = 0; k < SIZE; k++)
            assert_int_equal(memory[i][k], i & 0x7F);
    arena_deinit(&arena);
}

static void test_ceiling(void **state)
{
    Arena arena;

    (void)state;
    arena_init(&arena, 6 * UNIT);
    assert_null(arena_alloc(&arena, 6 * UNIT + 1));
    assert_int_equal(arena.size, 0);
    assert_non_null(arena_alloc(&arena, 2 * UNIT));
    assert_null(arena_alloc(&arena, 4 * UNIT + 1));
    assert_int_equal(arena.size, 2 * UNIT); /* a refusal costs nothing */
    assert_non_null(arena_alloc(&arena, 3 * UNIT + 1));
    assert_int_equal(arena.size, 6 * UNIT);
    assert_null(arena_alloc(&arena, 1));
    assert_non_null(arena_alloc(&arena, 0)); /* nothing is always there */
    arena_deinit(&arena);

    /* Empty and usable again, with its ceiling. */
    assert_int_equal(arena.size, 0);
    assert_non_null(arena_alloc(&arena, 6 * UNIT));
    assert_null(arena_alloc(&arena, 1));
    arena_deinit(&arena);
    arena_deinit(&arena);
}

/* The alignment counts: a ceiling that it does not divide is not reached. */
static void test_ceiling_unaligned(void **state)
{
    Arena arena = ARENA_INIT(UNIT + 1);

    (void)state;
    assert_null(arena_alloc(&arena, UNIT + 1));
    assert_non_null(arena_alloc(&arena, 1));
    assert_null(arena_alloc(&arena, 1));
    arena_deinit(&arena);

    arena_init(&arena, 0);
    assert_null(arena_alloc(&arena, 1));
    arena_deinit(&arena);
}

/* Sizes that would wrap round to small ones. */
static void test_huge(void **state)
{
    Arena arena = ARENA_INIT(SIZE_MAX);

    (void)state;
    for (size_t less = 0; less < 4 * UNIT; less++)
        assert_null(arena_alloc(&arena, SIZE_MAX - less));
    assert_null(arena_strndup(&arena, "", SIZE_MAX));
    assert_null(arena_strndup(&arena, "", SIZE_MAX - 1));
    assert_int_equal(arena.size, 0);
    assert_non_null(arena_alloc(&arena, 1));
    arena_deinit(&arena);
}

static void test_reset(void **state)
{
    Arena arena = ARENA_INIT(64 * 1024);
    char *first;

    (void)state;
    arena_reset(&arena); /* never used: fine */
    first = arena_alloc(&arena, 100);
    assert_non_null(first);
    memset(first, 'x', 100);
    arena_reset(&arena);
    assert_int_equal(arena.size, 0);
    /* The one block is kept, so no allocation: the same place, wiped. */
    assert_ptr_equal(arena_alloc(&arena, 100), first);
    assert_zeroed(first, 100);

    /* Of several, one is kept, and the whole ceiling is there again. */
    for (int round = 0; round < 3; round++) {
        size_t n = 0;

        arena_reset(&arena);
        while (arena_alloc(&arena, 1000))
            n++;
        assert_int_equal(n, 64 * 1024 / 1008);
    }
    arena_deinit(&arena);
}

static void test_strndup(void **state)
{
    Arena arena = ARENA_INIT(2 * UNIT);
    char *copy;

    (void)state;
    copy = arena_strndup(&arena, "a\0bc", 3);
    assert_memory_equal(copy, "a\0b\0", 4);
    copy = arena_strndup(&arena, NULL, 0);
    assert_string_equal(copy, "");
    assert_null(arena_strndup(&arena, "", 0));
    arena_deinit(&arena);

    /* The NUL counts too. */
    assert_null(arena_strndup(&arena, "0123456789abcdef0123456789abcdef", 2 * UNIT));
    assert_non_null(arena_strndup(&arena, "0123456789abcdef0123456789abcdef", 2 * UNIT - 1));
    arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alignment_and_zeroes),
        cmocka_unit_test(test_blocks_stay),
        cmocka_unit_test(test_ceiling),
        cmocka_unit_test(test_ceiling_unaligned),
        cmocka_unit_test(test_huge),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_strndup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
