#include "daemon/reload.h"

#include <string.h>

#include "base/limits.h"

/* Names of all instances three times over, or PROBLEMS_MAX problems; a path may have 4 KiB. */
#define RELOAD_BYTES_MAX (16 * 1024 * 1024)

static const char *const reload_no_names[] = {NULL};

void reload_init(Reload *reload)
{
    *reload = (Reload){.arena = ARENA_INIT(RELOAD_BYTES_MAX)};
}

void reload_deinit(Reload *reload)
{
    arena_deinit(&reload->arena);
    reload_init(reload);
}

static void reload_begin(Reload *reload, uint64_t number, bool is_applied)
{
    arena_deinit(&reload->arena);
    reload->number = number;
    reload->served = (ServedReload){
        .is_applied = is_applied,
        .added = reload_no_names,
        .changed = reload_no_names,
        .removed = reload_no_names,
    };
}

static const char *const *reload_copy_names(Arena *arena, const Registry *registry,
                                            EntryChange change)
{
    size_t n = 0, n_copied = 0;
    const char **names;

    for (size_t i = 0; i < registry->n_entries; i++)
        n += registry->entries[i]->change == change;
    names = arena_alloc(arena, (n + 1) * sizeof(*names));
    if (!names)
        return reload_no_names;
    for (size_t i = 0; i < registry->n_entries && n_copied < n; i++) {
        const Entry *entry = registry->entries[i];

        if (entry->change != change)
            continue;
        names[n_copied] = arena_strndup(arena, entry->served.name, strlen(entry->served.name));
        if (!names[n_copied++])
            break;
    }
    return names;
}

void reload_set_applied(Reload *reload, uint64_t number, const Registry *registry)
{
    reload_begin(reload, number, true);
    reload->served.added = reload_copy_names(&reload->arena, registry, ENTRY_ADDED);
    reload->served.changed = reload_copy_names(&reload->arena, registry, ENTRY_CHANGED);
    reload->served.removed = reload_copy_names(&reload->arena, registry, ENTRY_REMOVED);
}

static const char *reload_copy_text(Arena *arena, const char *text)
{
    const char *copy = arena_strndup(arena, text, strlen(text));

    return copy ? copy : "out of memory";
}

/* Says that there is no memory for what there is to say. */
static void reload_set_without_memory(Reload *reload)
{
    static const ServedProblem problem = {"", 1, 1, "out of memory"};

    reload->served.problems = &problem;
    reload->served.n_problems = 1;
}

void reload_set_refused(Reload *reload, uint64_t number, const Problems *problems)
{
    ServedProblem *served;

    reload_begin(reload, number, false);
    served = arena_alloc(&reload->arena, (problems->n_items + 1) * sizeof(*served));
    if (!served) {
        reload_set_without_memory(reload);
        return;
    }
    reload->served.problems = served;
    for (size_t i = 0; i < problems->n_items; i++) {
        const Problem *problem = &problems->items[i];

        if (problem->severity != PROBLEM_ERROR)
            continue;
        served[reload->served.n_problems++] = (ServedProblem){
            .file = reload_copy_text(&reload->arena, problem->file),
            .line = problem->at.line,
            .column = problem->at.column,
            .message = reload_copy_text(&reload->arena, problem->message),
        };
    }
}

void reload_set_failed(Reload *reload, uint64_t number, const char *file, const char *message)
{
    ServedProblem *served;

    reload_begin(reload, number, false);
    served = arena_alloc(&reload->arena, sizeof(*served));
    if (!served) {
        reload_set_without_memory(reload);
        return;
    }
    *served = (ServedProblem){
        .file = reload_copy_text(&reload->arena, file),
        .line = 1,
        .column = 1,
        .message = reload_copy_text(&reload->arena, message),
    };
    reload->served.problems = served;
    reload->served.n_problems = 1;
}

const ServedReload *reload_find(const Reload *reload, uint64_t number)
{
    return reload->number >= number ? &reload->served : NULL;
}
