#pragma once

/*
 * Arena: memory that is given back all at once.
 *
 * For what lives exactly as long as one document, message or request. Has a
 * ceiling, and wipes what it held before it gives it back, since most documents
 * here hold secrets.
 */

#include <stddef.h>

typedef struct ArenaBlock ArenaBlock;

typedef struct Arena {
    ArenaBlock *blocks; /* newest first */
    size_t size;        /* bytes handed out, with their alignment */
    size_t max;
} Arena;

#define ARENA_INIT(ceiling) ((Arena){.max = (ceiling)})

/* An empty arena that hands out at most `max` bytes. */
void arena_init(Arena *arena, size_t max);

/* Wipes and frees all; the arena is then empty and usable again, with its ceiling. */
void arena_deinit(Arena *arena);

/* As arena_deinit(), but keeps one block, so that an arena reused per message does not allocate. */
void arena_reset(Arena *arena);

/* `size` zeroed bytes aligned for any type; NULL at the ceiling or without memory. */
void *arena_alloc(Arena *arena, size_t size);

/* A NUL-terminated copy of `size` bytes, which may hold NULs; NULL as arena_alloc(). */
char *arena_strndup(Arena *arena, const char *text, size_t size);
