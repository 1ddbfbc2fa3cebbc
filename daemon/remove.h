#pragma once

/*
 * Remove: what becomes of an instance on the platform that is not declared any more.
 *
 * It turns into an orphan (daemon/orphans.h) in the same commit in which its record goes. With "on-remove": "delete" the
 * orphan is doomed, and deleted on the platform; a lost answer is asked for again, since deleting twice does no harm.
 */

#include "daemon/reconcile.h"

/* The file of `entry` is gone: makes an orphan of what it has, and the entry is over. */
void remove_forget(Reconciler *reconciler, Entry *entry, usec_t now);

/*
 * Before the entry's record speaks of something else: when it is foreign, its instance becomes an orphan, not doomed yet,
 * since the declaration may be changed back. 0, or -ENOMEM or -ENOBUFS: then the record must stay.
 */
int remove_replaced(Reconciler *reconciler, Entry *entry, usec_t now);

/*
 * The entry has an instance, that of its next record: it is no orphan. And if that is what is declared, those that it
 * replaced are done with: doomed where both files, the one of then and the one of now, say "delete".
 */
void remove_succeeded(Reconciler *reconciler, const Entry *entry, const Record *record);

/* Deletes what is doomed and due by `now`. When it is to be called again at the latest. */
usec_t remove_tick(Reconciler *reconciler, usec_t now);

/* Why `orphan` is still there, or NULL: it is kept. Borrowed until something changes. */
const char *remove_problem(const Reconciler *reconciler, const Orphan *orphan);
