#pragma once

/*
 * io.elementd: the methods for whoever runs this host: reloading, retrying, and what is left over on the platform.
 *
 * The table of ipc/methods.c lets root alone call them, and only those whose operation the daemon has.
 *
 * Limits: RELOAD_WAIT_USEC
 * Source: ipc/io.elementd.varlink
 */

#include "ipc/call.h"

#define OPERATE_INVALID_CONFIGURATION "io.elementd.InvalidConfiguration"

/* For the table of ipc/methods.c. */
int operate_reload(Call *call);
int operate_retry(Call *call);
int operate_list_orphans(Call *call);
