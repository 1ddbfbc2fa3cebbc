#include "ipc/changes.h"

#include <stddef.h>

/* ---- slots ---- */

static uint64_t changes_bit(size_t slot)
{
    return UINT64_C(1) << (slot % 64);
}

static bool changes_is_taken(const ChangesSet *set, size_t slot)
{
    return (set->words[slot / 64] & changes_bit(slot)) != 0;
}

/* False: all are taken. */
static bool changes_take_slot(Changes *changes, uint32_t *ret_slot)
{
    for (size_t i = 0; i < CHANGES_SLOTS; i++) {
        size_t slot = (changes->next_slot + i) % CHANGES_SLOTS;

        if (changes_is_taken(&changes->slots, slot))
            continue;
        changes->slots.words[slot / 64] |= changes_bit(slot);
        changes->next_slot = slot + 1;
        *ret_slot = (uint32_t)slot;
        return true;
    }
    return false;
}

bool changes_set_has(const ChangesSet *set, const Served *served)
{
    return served->change > 0 && changes_is_taken(set, served->slot);
}

void changes_set_add(ChangesSet *set, const Served *served)
{
    set->words[served->slot / 64] |= changes_bit(served->slot);
}

/* ---- the list ---- */

void changes_init(Changes *changes)
{
    *changes = (Changes){};
    TAILQ_INIT(&changes->instances);
}

void changes_deinit(Changes *changes)
{
    Served *served;

    while ((served = TAILQ_FIRST(&changes->instances)))
        changes_remove(changes, served);
}

void changes_note(Changes *changes, Served *served)
{
    if (served->change > 0)
        TAILQ_REMOVE(&changes->instances, served, change_link);
    else if (!changes_take_slot(changes, &served->slot))
        return;
    TAILQ_INSERT_TAIL(&changes->instances, served, change_link);
    served->change = ++changes->n;
}

void changes_remove(Changes *changes, Served *served)
{
    if (served->change == 0)
        return;
    TAILQ_REMOVE(&changes->instances, served, change_link);
    changes->slots.words[served->slot / 64] &= ~changes_bit(served->slot);
    served->change = 0;
}

const Served *changes_find(const Changes *changes, uint64_t seen)
{
    const Served *found = NULL, *served;

    TAILQ_FOREACH_REVERSE(served, &changes->instances, ChangesList, change_link)
    {
        /* cppcheck-suppress uninitvar; TAILQ_FOREACH_REVERSE() sets it */
        if (served->change <= seen)
            break;
        found = served;
    }
    return found;
}

const Served *changes_next(const Served *served)
{
    return TAILQ_NEXT(served, change_link);
}
