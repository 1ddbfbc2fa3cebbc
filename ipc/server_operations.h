#pragma once

/*
 * Server operations: what ipc/ asks the daemon, a struct of functions that the daemon fills in.
 *
 * So nothing in ipc/ knows registry or store, and a test brings a backend of twenty lines.
 */

#include "ipc/served.h"

/* Called on the loop; none may block or call back into the server. */
typedef struct ServerOperations {
    /* The instance of that name (`size` bytes, not NUL-terminated), or NULL. */
    Served *(*find)(void *userdata, const char *name, size_t size);

    /* The instance behind `previous` in the order of names, the first one for NULL; NULL at the end. */
    Served *(*next)(void *userdata, const Served *previous);
} ServerOperations;
