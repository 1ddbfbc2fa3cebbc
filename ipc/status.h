#pragma once

/*
 * io.elementd.GetStatus: what is wrong beyond single instances, with the records, the settings and the accounts; and
 * which units wait for a credential.
 *
 * Of accounts and settings root alone is told: names of accounts, paths, and words of the platform. Whoever may have an
 * instance learns of what concerns it from the instance.
 */

#include "ipc/call.h"

/* For the table of ipc/methods.c. */
int status_get(Call *call);
