#include "daemon/entry_index.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "daemon/registry.h"

/* At least a third of the slots stays free, so that what is not there is soon known not to be. */
#define ENTRY_INDEX_SLOTS_MIN 16

/* By words, and the rest as one; multiplied by 2^64 divided by the golden ratio, as Knuth has it (TAOCP 3, 6.4). */
static uint32_t entry_index_hash(const char *name, size_t size)
{
    const uint64_t factor = UINT64_C(0x9E3779B97F4A7C15);
    uint64_t hash = size, word = 0;

    for (; size >= sizeof(word); size -= sizeof(word), name += sizeof(word)) {
        memcpy(&word, name, sizeof(word));
        hash = (hash ^ word) * factor;
        hash ^= hash >> 32;
    }
    word = 0;
    memcpy(&word, name, size);
    hash = (hash ^ word) * factor;
    return (uint32_t)(hash >> 32);
}

int entry_index_init(EntryIndex *ret_index, size_t n)
{
    size_t n_slots = ENTRY_INDEX_SLOTS_MIN;

    while (n_slots < n + n / 2)
        n_slots *= 2;
    *ret_index = (EntryIndex){.slots = calloc(n_slots, sizeof(EntryIndexSlot)), .n_slots = n_slots};
    return ret_index->slots ? 0 : -ENOMEM;
}

void entry_index_deinit(EntryIndex *index)
{
    free(index->slots);
    *index = (EntryIndex){};
}

static size_t entry_index_next(const EntryIndex *index, size_t slot)
{
    return (slot + 1) & (index->n_slots - 1);
}

void entry_index_fill(EntryIndex *index, Entry *const *entries, size_t n)
{
    assert(n < index->n_slots);
    memset(index->slots, 0, index->n_slots * sizeof(*index->slots));
    index->entries = entries;
    for (size_t i = 0; i < n; i++) {
        uint32_t hash = entry_index_hash(entries[i]->served.name, strlen(entries[i]->served.name));
        size_t slot = hash & (index->n_slots - 1);

        while (index->slots[slot].place != 0)
            slot = entry_index_next(index, slot);
        index->slots[slot] = (EntryIndexSlot){.hash = hash, .place = (uint32_t)i + 1};
    }
}

static bool entry_index_is_named(const Entry *entry, const char *name, size_t size)
{
    return strncmp(entry->served.name, name, size) == 0 && entry->served.name[size] == '\0';
}

Entry *entry_index_find(const EntryIndex *index, const char *name, size_t size)
{
    uint32_t hash;
    size_t slot;

    /* No name has a NUL in it, and a text that has one must not be taken for what is before it. */
    if (index->n_slots == 0 || size > NAME_BYTES_MAX || memchr(name, '\0', size))
        return NULL;
    hash = entry_index_hash(name, size);
    for (slot = hash & (index->n_slots - 1); index->slots[slot].place != 0;
         slot = entry_index_next(index, slot)) {
        Entry *entry = index->entries[index->slots[slot].place - 1];

        if (index->slots[slot].hash == hash && entry_index_is_named(entry, name, size))
            return entry;
    }
    return NULL;
}
