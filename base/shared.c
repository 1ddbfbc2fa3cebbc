#include "base/shared.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct Shared {
    unsigned n_refs;
    char text[];
} Shared;

/* Constness is for the holders; the count is ours. */
static Shared *shared_head(const char *shared)
{
    return (Shared *)(void *)(shared - offsetof(Shared, text));
}

int shared_new(const char *text, size_t size, const char *like, const char **ret_shared)
{
    Shared *shared;

    if (like && strncmp(like, text, size) == 0 && like[size] == '\0') {
        *ret_shared = shared_ref(like);
        return 0;
    }
    if (size > SIZE_MAX - sizeof(*shared) - 1)
        return -ENOMEM;
    shared = malloc(sizeof(*shared) + size + 1);
    if (!shared)
        return -ENOMEM;
    shared->n_refs = 1;
    memcpy(shared->text, text, size);
    shared->text[size] = '\0';
    *ret_shared = shared->text;
    return 0;
}

const char *shared_ref(const char *shared)
{
    if (shared) {
        assert(shared_head(shared)->n_refs > 0);
        shared_head(shared)->n_refs++;
    }
    return shared;
}

const char *shared_unref(const char *shared)
{
    if (!shared)
        return NULL;
    assert(shared_head(shared)->n_refs > 0);
    if (--shared_head(shared)->n_refs == 0)
        free(shared_head(shared));
    return NULL;
}

void shared_replace(const char **field, const char *shared)
{
    const char *old = *field;

    *field = shared_ref(shared);
    shared_unref(old);
}
