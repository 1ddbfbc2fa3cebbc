#pragma once

/*
 * History: every request that the API has seen, for tests to look at.
 *
 * An entry begins when its request is complete and goes on changing until it is answered; it is shared
 * between the history and whoever works on it, so that the history may be cleared at any time.
 *
 * Limits: HISTORY_*_MAX; above them the oldest entries go
 */

#include "base/json_writer.h"
#include "tests/sandbox/http_request.h"

#define HISTORY_ENTRIES_MAX 100000
#define HISTORY_BYTES_MAX   ((size_t)256 * 1024 * 1024)

/* Shown of one body; what is longer is cut off. */
#define HISTORY_BODY_MAX (64 * 1024)

typedef struct HistoryEntry HistoryEntry;

struct HistoryEntry {
    unsigned n_refs;
    HistoryEntry *next;
    uint64_t number;
    HttpRequest *request; /* owned */
    const char *path;     /* below the API's prefix; borrowed from the request */
    size_t size;          /* bytes that it is charged with */
    unsigned status;      /* 0: none was sent */
    const char *outcome;  /* static: "pending", "answered", "reset", … */
    usec_t finished;      /* realtime, 0: not yet */
    int64_t instance;     /* created, changed or removed by it; 0: none */
};

typedef struct History {
    HistoryEntry *first;
    HistoryEntry *last;
    size_t n_entries;
    size_t size;
    uint64_t n_seen;
} History;

/* Which entries are wanted; NULL: any. Globs, see fnmatch(3). */
typedef struct HistoryFilter {
    const char *method;
    const char *path;
    uint64_t after; /* number */
} HistoryFilter;

/* Takes the request. *ret_entry is a reference of the caller's. 0, or -ENOMEM with the request still the caller's. */
int history_add(History *history, HttpRequest *request, const char *path, HistoryEntry **ret_entry);

/* Drops the caller's reference. Returns NULL. */
HistoryEntry *history_unref(HistoryEntry *entry);

void history_clear(History *history);

/* A JSON array, oldest first. Text that is not UTF-8 is shown with "?". */
void history_write(JsonWriter *writer, const History *history, const HistoryFilter *filter);
