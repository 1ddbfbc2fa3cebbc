#pragma once

/*
 * Create: from the intent to the token, or to what became of the POST.
 */

#include "daemon/reconcile.h"

/* Records that a POST of what is declared now is about to go out. */
void create_intend(Reconciler *reconciler, Entry *entry, usec_t now);

/* Sends it; the intent must be durable. */
void create_post(Reconciler *reconciler, Entry *entry);
