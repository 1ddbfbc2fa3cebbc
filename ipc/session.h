#pragma once

/*
 * Session: what one client says and is told, without its socket. Pure: bytes in, bytes out, no loop.
 *
 * Calls are answered in order, into the unsent bytes. What it cannot go on without is said by
 * session_need(), so that whoever owns the socket knows what to ask the loop for.
 *
 * Limits: TURN_REQUESTS_MAX, TURN_BYTES_MAX, WAITING_PER_UID_MAX, WATCHES_PER_UID_MAX, WATCHES_MAX, REQUEST_BYTES_MAX, REPLY_BYTES_MAX, CONN_UNREAD_BYTES_MAX
 */

#include "base/arena.h"
#include "ipc/frame.h"
#include "ipc/peer.h"
#include "ipc/quota.h"
#include "ipc/server_operations.h"
#include "ipc/wait.h"
#include "systemd/log.h"

/* What the sessions of a server share; outlives them, and stays where it is. */
typedef struct SessionShared {
    CallShared calls;
    Quota quota;
    Arena arena; /* of the message that is being answered; empty between two */
    LogRate log_waits;
} SessionShared;

typedef enum SessionNeed {
    SESSION_NEEDS_BYTES,  /* a request, or the rest of one: session_reserve() */
    SESSION_NEEDS_CHANGE, /* a call waits or watches: Wait.on_change(), or its deadline */
    SESSION_NEEDS_ROOM, /* a request or news for a watch are there, for when enough of `unsent` is gone */
    SESSION_NEEDS_END, /* broken, see `fault`: nothing more is answered */
} SessionNeed;

typedef struct Session {
    SessionShared *shared;
    Peer *peer;
    Frame received;
    Buffer unsent; /* replies that the peer has not taken; whoever sends consumes */
    Wait wait;
    usec_t
        request_began; /* when the first byte of an unfinished request was seen; 0: there is none */
    char fault[96];    /* why it is broken, in words for the log; "": it is not */
} Session;

void session_shared_init(SessionShared *shared, const ServerOperations *operations, void *userdata);

/* Asserts that there are no sessions any more. */
void session_shared_deinit(SessionShared *shared);

/* `on_change` as in ipc/wait.h; session_of_wait() tells whose it is. `peer` is borrowed. */
void session_init(Session *session, SessionShared *shared, Peer *peer,
                  void (*on_change)(Wait *wait));
Session *session_of_wait(Wait *wait);

/* Wipes all that is held. */
void session_deinit(Session *session);

SessionNeed session_need(Session *session);

/* Where what the peer sends goes, while SESSION_NEEDS_BYTES; see ipc/frame.h. 0 or -errno. */
int session_reserve(Session *session, char **ret_space, size_t *ret_size);
void session_commit(Session *session, size_t size);

/* Whether a call watches: what is behind it is not answered until the watch is refused. */
bool session_is_watching(const Session *session);

/*
 * Answers what has been read, as far as each call may be answered at `now` (boot-time clock), and has a watch or a list go
 * on; not more than is due in one turn. What is left after that is SESSION_NEEDS_ROOM.
 */
void session_advance(Session *session, usec_t now);

/* Asks again for the call that waits; with `is_last`, which is not for a watch or a list, it is answered in any case. */
void session_answer_again(Session *session, bool is_last);

/* Answers all that has been read, up to a watch if there is one, and lets nothing wait. */
void session_stop(Session *session, usec_t now);
