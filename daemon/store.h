#pragma once

/*
 * Store: all records as one small document on the disk, replaced whole.
 *
 * The loop hands over snapshots; a thread of the store's own writes them, so that the loop never waits for
 * a disk. One commit is under way at a time: what changes meanwhile goes into the next, so changes that
 * arrive together share one. A commit that returned 0 is durable (file and directory synced).
 *
 * The directory is locked: a second daemon is told so. A document that cannot be read is kept under
 * another name, and the one before it is tried.
 *
 * Limits: RECORDS_BYTES_MAX, INSTANCES_MAX
 */

#include <event2/event.h>

#include "base/digest.h"
#include "daemon/record.h"

#define STORE_FILE "records.json"

enum {
    STORE_E_LOCKED = 1, /* another process has the directory */
};

/* The pause of one account's requests, which survives a restart so that a restart loop does not hammer. */
typedef struct Pause {
    char *account; /* its name */
    unsigned attempts;
    usec_t delay;
    usec_t retry;  /* realtime */
    char *problem; /* why; NULL: not known */
    Trouble trouble;
    usec_t since; /* realtime: when that began; 0: not known */
} Pause;

/* Frees what it points at, and zeroes it. */
void pause_deinit(Pause *pause);

/* What a document says. Owns what it points at; one reference of each record. */
typedef struct Snapshot {
    DigestKey key;
    Record **records;
    size_t n_records;
    Record **orphans;
    size_t n_orphans;
    Pause *pauses;
    size_t n_pauses;
} Snapshot;

void snapshot_deinit(Snapshot *snapshot);

/* How a load went; words for the log are the caller's business. */
typedef struct StoreLoad {
    Snapshot snapshot;
    bool is_new; /* there was no document: the key is a fresh one */
    bool
        is_recovered; /* the newest document could not be used: later changes than the snapshot's are lost */
    char *problem;     /* NULL, or what was wrong with it and where it is now */
    char *warning;     /* NULL, or what others may have read, and that it is mended */
    unsigned n_broken; /* records in it that could not be used */
} StoreLoad;

void store_load_deinit(StoreLoad *load);

typedef struct Store Store;

/* Told on the loop: the snapshot of `generation` is durable (`error` 0), or could not be written (-errno). */
typedef void (*StoreHandler)(void *userdata, uint64_t generation, int error);

/*
 * Opens `directory`, making it (mode 0700) when it is missing, locks it, and reads what it holds. Blocking: for
 * start. 0, STORE_E_LOCKED or -errno; then only ret_load->problem is set, to what must be done about the directory,
 * or NULL.
 */
int store_new(const char *directory, struct event_base *base, StoreHandler handler, void *userdata,
              Store **ret_store, StoreLoad *ret_load);

/* Waits for the commit that is under way, whose handler is not called any more. NULL is fine. Returns NULL. */
Store *store_free(Store *store);

DEFINE_FREEP(Store, store_free)

bool store_is_busy(const Store *store);

/* Begins a commit; the store must not be busy. Takes what `snapshot` holds and leaves it empty. */
void store_commit(Store *store, Snapshot *snapshot, uint64_t generation);

/* As store_commit(), but waits for it and calls no handler: for the end. The store must not be busy. 0 or -errno. */
int store_commit_now(Store *store, Snapshot *snapshot);

/* Waits for the commit that is under way, if any; its handler is called before the return. */
void store_wait(Store *store);
