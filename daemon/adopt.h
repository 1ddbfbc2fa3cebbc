#pragma once

/*
 * Adopt: looking up what the platform has of ours, and taking over what was found.
 */

#include "daemon/reconcile.h"

/* Looks up all that carries our tag; no look-up of the gate may be under way. */
void adopt_look_up(Reconciler *reconciler, Gate *gate, usec_t now);

/*
 * While the first configuration is read, of which `common` is known: looks up for its account, if there is just one. `common` is
 * borrowed until adopt_begin(). 0 or -ENOMEM.
 */
int adopt_look_up_early(Reconciler *reconciler, const Config *common, usec_t now);

/* `config` has been read: what was looked up for another owner counts no more. Another account loses its gate by itself. */
void adopt_check_early(Reconciler *reconciler, const Config *config);

/* The registry has been filled: what has been looked up early, and not too early, is used if somebody needs it. */
void adopt_begin(Reconciler *reconciler, usec_t now);

/* Makes what the last look-up has found for the entry its instance. */
void adopt_found(Reconciler *reconciler, Entry *entry, usec_t now);
