#pragma once

/*
 * Manager: owns everything of the daemon, in the order in which it is built, and runs the loop.
 *
 * All that happens ends in one deferred turn of the loop (manager_settle()): what became due is reconciled, what
 * changed is committed together, and the timer is set anew.
 */

#include "base/cleanup.h"
#include "base/paths.h"

typedef struct Manager Manager;

enum {
    MANAGER_E_LOCKED = 1, /* another elementd has the state directory */
    MANAGER_E_TOLD,       /* it cannot be, and why has been logged */
};

/* Loads the records and opens the sockets. `paths` must live as long. 0, MANAGER_E_* or -errno. */
int manager_new(const Paths *paths, Manager **ret_manager);

/* NULL is fine; works on a half-built one. Returns NULL. */
Manager *manager_free(Manager *manager);

DEFINE_FREEP(Manager, manager_free)

/* Says that it is ready, loads the configuration, and serves until SIGTERM or SIGINT. 0 or -errno. */
int manager_run(Manager *manager);
