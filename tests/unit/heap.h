#pragma once

/*
 * Heap: a malloc() of the program's own, in front of glibc's, that can fail at the n-th call from now on, counts what is not yet
 * freed, and looks for a marker in what is freed. It is defined here: for the one file of a program that tests by it.
 *
 * Sanitizers and valgrind bring their own malloc(); there a test says so and skips.
 */

#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What is looked for in memory that is given back. */
#define HEAP_MARKER "s3cr3t-m4rk3r"

/* volatile: compilers take it for granted that malloc() neither reads nor writes a program's variables. */
static volatile struct {
    bool is_armed;
    size_t n_calls;  /* allocations since it was armed */
    size_t fail_at;  /* the first that fails, from 1, as do all after it; 0: none */
    bool fail_once;  /* only that one */
    size_t n_live;   /* allocated less freed since it was armed */
    size_t n_marked; /* blocks freed with the marker in them */
} heap;

#if defined(__SANITIZE_ADDRESS__)
#define HEAP_IS_OURS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HEAP_IS_OURS 0
#endif
#endif
#ifndef HEAP_IS_OURS
#define HEAP_IS_OURS 1
#endif

#if HEAP_IS_OURS

/* glibc names the parameters in its own way. */
/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */

#define HEAP_EXPORT __attribute__((visibility("default")))

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *memory, size_t size);
void __libc_free(void *memory);

static bool heap_fails(void)
{
    if (!heap.is_armed)
        return false;
    heap.n_calls++;
    if (heap.fail_at == 0 || heap.n_calls < heap.fail_at ||
        (heap.fail_once && heap.n_calls > heap.fail_at)) {
        heap.n_live++;
        return false;
    }
    errno = ENOMEM;
    return true;
}

static void heap_look(void *memory)
{
    if (heap.is_armed && memory) {
        heap.n_live--;
        if (memmem(memory, malloc_usable_size(memory), HEAP_MARKER, strlen(HEAP_MARKER)))
            heap.n_marked++;
    }
}

HEAP_EXPORT void *malloc(size_t size)
{
    return heap_fails() ? NULL : __libc_malloc(size);
}

HEAP_EXPORT void *calloc(size_t n, size_t size)
{
    return heap_fails() ? NULL : __libc_calloc(n, size);
}

/* What fits stays where it is, which never fails; what does not always moves, to be looked at. */
HEAP_EXPORT void *realloc(void *memory, size_t size)
{
    size_t old = memory ? malloc_usable_size(memory) : 0;
    void *moved;

    if (memory && size <= old)
        return memory;
    moved = heap_fails() ? NULL : __libc_malloc(size);
    if (moved && memory) {
        memcpy(moved, memory, old);
        heap_look(memory);
        __libc_free(memory);
    }
    return moved;
}

HEAP_EXPORT void *reallocarray(void *memory, size_t n, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(n, size, &total)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(memory, total);
}

HEAP_EXPORT void free(void *memory)
{
    heap_look(memory);
    __libc_free(memory);
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */

#endif

/* From now on allocations are counted, and that at `fail_at` (from 1; 0: none) fails, with all after it unless `fail_once`. */
static inline void heap_arm(size_t fail_at, bool fail_once)
{
    heap.n_calls = heap.n_live = heap.n_marked = 0;
    heap.fail_at = fail_at;
    heap.fail_once = fail_once;
    heap.is_armed = true;
}

static inline void heap_disarm(void)
{
    heap.is_armed = false;
}

/* Whether the functions above are the ones that are called. */
static inline bool heap_is_ours(void)
{
    void *volatile memory;
    bool is_ours;

    heap_arm(1, false);
    memory = malloc(16);
    heap_disarm();
    is_ours = HEAP_IS_OURS && !memory;
    free(memory);
    return is_ours;
}

/* Says why, and skips, where it is not. */
static inline void heap_skip_others(void)
{
    if (heap_is_ours())
        return;
    print_message(
        "malloc() is a sanitizer's or valgrind's: cannot make it fail, nor look at what is freed\n");
    skip();
}

/* 0 when it got through; it frees all that it made, either way. */
typedef int (*HeapOperation)(void);

/* asprintf(3) finds another way where it can: what makes paths by it may get through in spite of a failure. */
static inline void heap_assert_survives_but(HeapOperation operation, bool may_get_through)
{
    for (int once = 0; once < 2; once++) {
        size_t n = 0;
        int r;

        do {
            heap_arm(++n, once);
            r = operation();
            heap_disarm();
            assert_int_equal(heap.n_live, 0);
            if (heap.n_calls >= n && (r != 0 || !may_get_through))
                assert_int_equal(r, -ENOMEM);
            assert_true(n < 1000);
        } while (heap.n_calls >= n);
        assert_int_equal(r, 0);
        assert_true(n > 1); /* it does allocate */
    }
}

static inline void heap_assert_survives(HeapOperation operation)
{
    heap_assert_survives_but(operation, false);
}

/* It leaves the marker in nothing that it gives back. */
static inline void heap_assert_wiped(HeapOperation operation)
{
    heap_arm(0, false);
    assert_int_equal(operation(), 0);
    heap_disarm();
    assert_int_equal(heap.n_marked, 0);
    assert_true(heap.n_calls > 0);
    assert_int_equal(heap.n_live, 0);
}
