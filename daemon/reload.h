#pragma once

/*
 * Reload: what came of applying a configuration, kept for whoever has asked for it.
 */

#include "daemon/registry.h"
#include "ipc/server_operations.h"

typedef struct Reload {
    uint64_t number; /* of the last one that is over; 0: there was none */
    ServedReload served;
    Arena arena; /* of all that `served` points at */
} Reload;

void reload_init(Reload *reload);
void reload_deinit(Reload *reload);

/* Reload `number` was applied: by the `change` of the entries. Without memory, names are missing. */
void reload_set_applied(Reload *reload, uint64_t number, const Registry *registry);

/* … or refused, for the errors in `problems`. */
void reload_set_refused(Reload *reload, uint64_t number, const Problems *problems);

/* … or not even tried; `file` is what could not be read. */
void reload_set_failed(Reload *reload, uint64_t number, const char *file, const char *message);

/* Of reload `number`: NULL when it is not over; the newest, when others have come behind it. */
const ServedReload *reload_find(const Reload *reload, uint64_t number);
