#pragma once

/*
 * Serve: what ipc/ asks, answered from the registry or handed on; and the sockets on which it is asked.
 */

#include "daemon/describer.h"
#include "daemon/loader.h"
#include "daemon/reconcile.h"
#include "daemon/reload.h"
#include "ipc/server_operations.h"

/* Whom it is asked of; all is borrowed. */
typedef struct Serve {
    Registry *registry;
    Reconciler *reconciler;
    Loader *loader;
    const Reload *reload;
    Describer *describer;
} Serve;

/* Their userdata is a Serve. */
extern const ServerOperations serve_operations;

/*
 * The listening socket that systemd passed under `name`; else one bound to `file` in `directory` (made when it is
 * missing) with `mode`, in place of whatever an earlier run left there. 0 or -errno.
 */
int serve_open_socket(const char *name, const char *directory, const char *file, mode_t mode,
                      int *ret_fd);
