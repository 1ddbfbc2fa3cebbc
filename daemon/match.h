#pragma once

/*
 * Match: whose are the instances that a look-up has found.
 *
 * By our tag alone (names are not unique on the platform), and by the element, so that an instance of another
 * element is not taken for the one that is declared. Of several that can be used the lowest id is taken; the others
 * are told, never deleted.
 */

#include "daemon/gate.h"
#include "daemon/registry.h"

/*
 * Sets `found` and `duplicates` of all entries of `gate` that need a look-up, from its rows, which are gone then; and
 * brings the orphans of its platform up to date. 0, or -ENOMEM: then nothing is known of what the look-up has found, and it
 * counts as none.
 */
int match_rows(Registry *registry, Gate *gate, usec_t now);
