#pragma once

/*
 * Entry: an instance that is declared or recorded, with its state.
 *
 * There are thousands, nearly all of them at rest: what an entry has only while something goes on with it, or after something
 * went wrong, is its work, which comes with the first need of it and goes when there is none any more.
 *
 * Times are of the boot-time clock unless they are said to be realtime.
 */

#include <stdbool.h>
#include <sys/queue.h>

#include "config/instance.h"
#include "daemon/engine.h"
#include "daemon/gate.h"
#include "daemon/plan.h"
#include "daemon/record.h"
#include "ipc/served.h"

/* What the last registry_apply() has made of an entry. */
typedef enum EntryChange {
    ENTRY_SAME,
    ENTRY_ADDED,
    ENTRY_CHANGED,
    ENTRY_REMOVED, /* not declared any more */
} EntryChange;

/* The line of the reconciler in which it waits. */
typedef enum EntryLine {
    ENTRY_IN_NO_LINE,
    ENTRY_WAITS_FOR_ROOM, /* to be created */
    ENTRY_WAITS_FOR_TURN, /* to be verified */
} EntryLine;

typedef struct EntryWork {
    EngineTask *task;    /* unless the entry is not busy */
    usec_t intent_until; /* until when the platform may work on a POST of which nothing is known */
    usec_t reported;     /* when a report of a rejected token last had it verified; 0: never */

    PlatformInstance found; /* by the last look-up; id 0 and no token: nothing */
    bool is_found;
    char *
        duplicates; /* words about instances on the platform beside the one that was taken, or NULL */

    char *problem;   /* the last thing that went wrong, or NULL */
    Trouble trouble; /* its kind */
    usec_t troubled; /* realtime: since when it goes wrong in that way */

    /* Of the request that creates or changes it, under way or the last one. */
    uint64_t sent_epoch; /* of its gate */
    Digest sent_body;
    Digest sent_labels;
} EntryWork;

typedef struct Entry {
    Served
        served; /* what clients see, with a reference of the name and the token; see registry_publish() */
    const Instance *want; /* of the registry's Config; NULL: recorded, but not declared */
    Gate
        *gate; /* of its account, or of its record's when it is not declared; NULL: there is none */
    uint64_t epoch; /* of `gate`, as it was when the entry was last described */

    Record *record; /* newest, or NULL */
    uint64_t
        generation; /* in which `record` last changed in a way that must be durable; 0: never */

    /* As in PlanFacts, the first three. */
    usec_t retry;
    usec_t verify;
    usec_t wanted;
    usec_t due; /* when reconciling is due again; USEC_INFINITY: on a change only */

    EntryWork *work; /* never NULL, and to be changed through entry_work() alone */
    TAILQ_ENTRY(Entry) line_link;

    uint32_t index; /* in the registry */
    EntryLine line : 2;
    EntryChange change : 2;
    PlanBusy busy : 2;
    bool is_fresh : 1;       /* made by the registry_apply() that is under way */
    bool is_over : 1;        /* neither declared nor recorded any more: goes with registry_reap() */
    bool is_token_news : 1;  /* `served.token` has changed since registry_publish() */
    bool is_post_unsent : 1; /* the record's intent is ours, and no POST has gone out for it */
    bool
        is_foreign : 1; /* the record is of another account, platform or element than is declared now */
    bool is_doubted : 1; /* the platform does not know the token's instance any more */
    bool is_urgent : 1;  /* to be verified out of turn */
    bool is_counted : 1; /* among the creations that are begun (reconciler) */
} Entry;

TAILQ_HEAD(EntryQueue, Entry);

/* Neither declared nor recorded, and due at `now`; takes a reference of `name`, which is shared. 0 or -ENOMEM. */
int entry_new(const char *name, usec_t now, Entry **ret_entry);

/* Nothing may be under way for it. NULL is fine. Returns NULL. */
Entry *entry_free(Entry *entry);

DEFINE_FREEP(Entry, entry_free)

/* The entry's work, to be changed: that which it has, or it gets one, empty. Borrowed; NULL: no memory. */
EntryWork *entry_work(Entry *entry);

/* Lets go of work in which there is nothing any more at `now`. */
void entry_rest(Entry *entry, usec_t now);

/* What the last look-up has found does not count any more. */
void entry_forget_found(Entry *entry);

/* NULL: there is none any more. Copied; without memory the problem has no words, or is not known at all. */
void entry_set_problem(Entry *entry, Trouble trouble, const char *words);
