#pragma once

/*
 * Early: on a start without records, looks up what the platform has of ours while thousands of files are still read.
 *
 * What is declared has no token then, so that the platform has to be looked up in any case. Who its owner is and which accounts
 * there are is read apart from the instances, by a loader of its own. Only for one account, and not while one is recorded as
 * paused: that is for the look-up to respect which comes with the rest. What comes of this one is recorded with the first commit: a
 * run that ends before that leaves no pause to the next.
 */

#include <event2/event.h>

#include "base/paths.h"
#include "config/config.h"
#include "daemon/reconcile.h"
#include "daemon/store.h"

typedef struct Early Early;

/*
 * `records` are those of the earlier run; they and `paths` are not needed any more when this returns. `reconciler`, whose gates and
 * registry are empty, must live as long. 0, with NULL in *ret_early where there is nothing to do early, or -errno: then all comes with the rest.
 */
int early_start(const Paths *paths, const Snapshot *records, struct event_base *base,
                Reconciler *reconciler, Early **ret_early);

/* Begins no look-up any more. NULL is fine. */
void early_stop(Early *early);

/*
 * `config` has been read, but the registry not filled: what was looked up for another owner counts no more. Another account loses
 * its gate by itself. NULL is fine.
 */
void early_check(Early *early, const Config *config);

/*
 * The registry has been filled: what has been looked up, and not too early, is used if somebody needs it; and no look-up begins any
 * more. NULL is fine.
 */
void early_end(Early *early, usec_t now);

/* After early_end(), or when nobody uses the reconciler any more. NULL is fine. Returns NULL. */
Early *early_free(Early *early);

DEFINE_FREEP(Early, early_free)
