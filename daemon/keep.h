#pragma once

/*
 * Keep: what is done about an instance that there is: it is verified, and changed when its declaration is.
 */

#include "daemon/reconcile.h"

/* Asks the platform whether the instance and its token are still as we know them. */
void keep_verify(Reconciler *reconciler, Entry *entry);

/* Sends the whole body, or its name and tags alone. */
void keep_update(Reconciler *reconciler, Entry *entry);
void keep_relabel(Reconciler *reconciler, Entry *entry);
