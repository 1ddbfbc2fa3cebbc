#pragma once

/*
 * Entry index: finds an entry by its name, in the same time among ten thousand as among ten.
 *
 * A hash table with open addressing, made anew when the entries change, which is rare: at a reload, and when one goes. Names
 * are chosen by whoever writes the configuration, so nobody can make them collide who could not do worse.
 */

#include <stddef.h>
#include <stdint.h>

struct Entry;

typedef struct EntryIndexSlot {
    uint32_t hash;
    uint32_t place; /* in `entries`, from 1 on; 0: free */
} EntryIndexSlot;

typedef struct EntryIndex {
    EntryIndexSlot *slots;
    size_t n_slots;               /* a power of 2, or 0: empty */
    struct Entry *const *entries; /* borrowed */
} EntryIndex;

/* One with room for `n` entries, at most INSTANCES_MAX twice; it knows none. 0 or -ENOMEM. */
int entry_index_init(EntryIndex *ret_index, size_t n);

void entry_index_deinit(EntryIndex *index);

/* From now on it knows these `n`, for which it has room, and whose names differ; the array must stay until it is told others. */
void entry_index_fill(EntryIndex *index, struct Entry *const *entries, size_t n);

/* Borrowed, or NULL. `name` may hold anything. */
struct Entry *entry_index_find(const EntryIndex *index, const char *name, size_t size);
