#pragma once

/*
 * Adopt: looking up what the platform has of ours, and taking over what was found.
 */

#include "daemon/reconcile.h"

/* Looks up all that carries our tag; no look-up of the gate may be under way. */
void adopt_look_up(Reconciler *reconciler, Gate *gate, usec_t now);

/*
 * Says of each of the account's entries what the look-up has found for it. Whether there was memory for that; else the gate is
 * paused.
 */
bool adopt_match(Reconciler *reconciler, Gate *gate, usec_t now);

/* Makes what the last look-up has found for the entry its instance. */
void adopt_found(Reconciler *reconciler, Entry *entry, usec_t now);
