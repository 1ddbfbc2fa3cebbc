#include "base/arena.h"

#include <assert.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_BLOCK_MIN 4096

struct ArenaBlock {
    ArenaBlock *next;
    size_t capacity;
    size_t used;
    alignas(max_align_t) char data[];
};

void arena_init(Arena *arena, size_t max)
{
    *arena = ARENA_INIT(max);
}

static void arena_free_blocks(ArenaBlock *block)
{
    while (block) {
        ArenaBlock *next = block->next;

        explicit_bzero(block->data, block->used);
        free(block);
        block = next;
    }
}

void arena_deinit(Arena *arena)
{
    arena_free_blocks(arena->blocks);
    arena->blocks = NULL;
    arena->size = 0;
}

void arena_reset(Arena *arena)
{
    ArenaBlock *kept = arena->blocks;

    if (!kept)
        return;
    arena_free_blocks(kept->next);
    explicit_bzero(kept->data, kept->used);
    kept->next = NULL;
    kept->used = 0;
    arena->size = 0;
}

static int arena_grow(Arena *arena, size_t size)
{
    size_t capacity = arena->blocks ? arena->blocks->capacity * 2 : ARENA_BLOCK_MIN;
    ArenaBlock *block;

    if (capacity > 1024 * 1024)
        capacity = 1024 * 1024;
    if (capacity < size)
        capacity = size;
    block = malloc(sizeof(*block) + capacity);
    if (!block)
        return -1;
    *block = (ArenaBlock){.next = arena->blocks, .capacity = capacity};
    arena->blocks = block;
    return 0;
}

void *arena_alloc(Arena *arena, size_t size)
{
    void *memory;

    if (size > arena->max || size > SIZE_MAX / 2) /* the sums below must not wrap round */
        return NULL;
    size = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    if (size > arena->max - arena->size)
        return NULL;
    if (!arena->blocks || size > arena->blocks->capacity - arena->blocks->used)
        if (arena_grow(arena, size) < 0)
            return NULL;
    assert(arena->blocks->used + size <= arena->blocks->capacity);
    memory = arena->blocks->data + arena->blocks->used;
    arena->blocks->used += size;
    arena->size += size;
    return memset(memory, 0, size);
}

char *arena_strndup(Arena *arena, const char *text, size_t size)
{
    char *copy = size < SIZE_MAX ? arena_alloc(arena, size + 1) : NULL;

    if (copy && size > 0)
        memcpy(copy, text, size);
    return copy;
}
