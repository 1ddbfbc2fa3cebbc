#pragma once

/*
 * Call: one call while it is answered: who asks, what for, and where the answer goes. Pure: no socket, no loop.
 *
 * What answers calls (ipc/methods.h and what its table names) sees this and nothing of connections.
 */

#include <stdbool.h>

#include "ipc/changes.h"
#include "ipc/peer.h"
#include "ipc/served.h"
#include "ipc/server_operations.h"
#include "ipc/varlink.h"

/* What a function that answers returns besides 0 (answered) and -errno (drop the connection). */
enum {
    CALL_E_WAIT =
        1, /* ask again when `queue` is told or `timeout` has passed; only a watch or a list has written */
    CALL_E_FULL, /* the answer is larger than a reply may be */
};

#define CALL_ARGUMENTS_MAX 4

struct Method;

/* What the calls of a server share. */
typedef struct CallShared {
    const ServerOperations *operations;
    void *userdata;
    WaitQueue reloads;      /* calls that wait for the end of a reload */
    WaitQueue descriptions; /* calls that wait for what the platform says of an element */
    WaitQueue watches;      /* calls that watch all instances */
    WaitQueue lists;        /* calls of which a part of the reply is written */
    Changes changes;
    const Served *
        leaving; /* the instance that is removed just now, while its watches are told; NULL: none */
} CallShared;

/* How far a watch has told what it watches. Owned by the call; call_end() releases it. */
typedef struct CallWatch {
    bool
        is_behind; /* there is more to tell, also of a list: ask again as soon as call_has_room() */

    /* ---- of one instance ---- */
    bool has_told; /* anything, namely these: */
    Secret *token;
    int64_t id;

    /* ---- of all ---- */
    uint64_t seen;    /* the number of the last change that was looked at */
    ChangesSet *told; /* those that the caller knows; NULL: not begun yet */
} CallWatch;

/*
 * How far a list of instances is written. It goes in order of names, so who is there all the time is in it once, whatever
 * comes and goes meanwhile.
 */
typedef struct CallList {
    const Served *next; /* the one to be written next; NULL: none is left */
    bool has_rows;
    size_t size; /* bytes of the reply so far */
} CallList;

/* All but the watch is borrowed. What lives in the message's arena is gone when a call that waited is asked again. */
typedef struct Call {
    CallShared *shared;
    Peer *peer;
    Buffer *reply;

    /* ---- filled in by methods_call(), by the method's table row ---- */
    const struct Method *method;
    const VarlinkCall *message; /* NULL when asked again */
    const JsonValue
        *arguments[CALL_ARGUMENTS_MAX]; /* in the row's order; NULL: not given, or asked again */
    Served *served;                     /* the instance that it is about, or NULL */
    usec_t timeout;                     /* 0: answer now, CALL_E_WAIT is no answer */

    /* ---- filled in by the method itself ---- */
    WaitQueue *queue; /* that it waits in, with CALL_E_WAIT */
    uint64_t reload;  /* the number of the reload that it waits for */
    uint64_t
        description; /* the number of the description that it waits for, until call_end(); 0: none */
    bool is_watch;   /* goes on telling: CALL_E_WAIT even without a timeout */
    bool is_list;    /* a part of its one reply is written: CALL_E_WAIT even without a timeout */
    CallList list;
    CallWatch watch;
} Call;

void call_shared_init(CallShared *shared, const ServerOperations *operations, void *userdata);

/* Asserts that no call waits any more. */
void call_shared_deinit(CallShared *shared);

/* Has the call wait in `queue`: returns CALL_E_WAIT, which the method returns. */
int call_wait(Call *call, WaitQueue *queue);

/* The same for a watch, which may write only when it is asked again. */
int call_begin_watch(Call *call, WaitQueue *queue);

/* The same for a list that has more to write, and may write then: it is asked again as a watch that is behind. */
int call_continue_list(Call *call);

/* Releases what a watch holds, and lets go of a description. Fine on any call. */
void call_end(Call *call);

/* Whether a peer that has not taken these replies yet may be given more. */
bool call_has_room(const Buffer *replies);

/* What server_changed(), server_removed(), server_reloaded() and server_described() say; see ipc/server.h. */
void call_shared_changed(CallShared *shared, Served *served);
void call_shared_removed(CallShared *shared, Served *served);
void call_shared_reloaded(CallShared *shared);
void call_shared_described(CallShared *shared);

/* Begins the reply; then its members through the writer, then call_end_reply(). */
void call_begin_reply(Call *call, VarlinkWriter *writer);

/* 0, CALL_E_FULL or -errno; also for what varlink_begin_error() has begun. */
int call_end_reply(VarlinkWriter *writer);

/* Begins the reply with a list, the member `name`, which is left open for its elements. */
void call_begin_list(Call *call, VarlinkWriter *writer, const char *name);

/* Ends the list that is open, and with it the reply: 0, CALL_E_FULL or -errno, as call_end_reply(). */
int call_end_list(VarlinkWriter *writer);

/* Answers without members. 0, CALL_E_FULL or -errno. */
int call_answer_empty(Call *call);

/* Answers with an error without members, or with the one member `name`. 0, CALL_E_FULL or -errno. */
int call_error(Call *call, const char *error);
int call_error_about(Call *call, const char *error, const char *name, const char *text,
                     size_t size);
