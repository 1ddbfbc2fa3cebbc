#include "ipc/session.h"

#include <assert.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include "base/error.h"
#include "base/json_value.h"
#include "base/limits.h"
#include "ipc/complaint.h"
#include "ipc/methods.h"
#include "ipc/watch.h"

void session_shared_init(SessionShared *shared, const ServerOperations *operations, void *userdata)
{
    *shared = (SessionShared){
        .arena = ARENA_INIT(json_value_arena_max(REQUEST_BYTES_MAX)),
        .log_waits = COMPLAINT_RATE_INIT,
    };
    call_shared_init(&shared->calls, operations, userdata);
    quota_init(&shared->quota);
}

void session_shared_deinit(SessionShared *shared)
{
    call_shared_deinit(&shared->calls);
    quota_deinit(&shared->quota);
    arena_deinit(&shared->arena);
}

void session_init(Session *session, SessionShared *shared, Peer *peer,
                  void (*on_change)(Wait *wait))
{
    *session = (Session){
        .shared = shared,
        .peer = peer,
        .unsent = BUFFER_INIT(CONN_UNREAD_BYTES_MAX + REPLY_BYTES_MAX),
        .wait = {.on_change = on_change},
    };
    frame_init(&session->received);
}

Session *session_of_wait(Wait *wait)
{
    return (Session *)((char *)wait - offsetof(Session, wait));
}

void session_deinit(Session *session)
{
    wait_end(&session->wait);
    frame_deinit(&session->received);
    buffer_deinit(&session->unsent);
}

/* ---- what it needs ---- */

/* The first reason is the one that counts. */
static void session_break(Session *session, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void session_break(Session *session, const char *format, ...)
{
    va_list arguments;

    if (session->fault[0])
        return;
    va_start(arguments, format);
    (void)vsnprintf(session->fault, sizeof(session->fault), format, arguments);
    va_end(arguments);
}

SessionNeed session_need(Session *session)
{
    const char *text;
    size_t size;

    if (session->fault[0])
        return SESSION_NEEDS_END;
    if (session->wait.is_active)
        return session->wait.call.watch.is_behind ? SESSION_NEEDS_ROOM : SESSION_NEEDS_CHANGE;
    if (!call_has_room(&session->unsent) || frame_next(&session->received, &text, &size) == 0)
        return SESSION_NEEDS_ROOM;
    return SESSION_NEEDS_BYTES;
}

bool session_is_watching(const Session *session)
{
    return session->wait.is_active && session->wait.call.is_watch;
}

int session_reserve(Session *session, char **ret_space, size_t *ret_size)
{
    return frame_reserve(&session->received, ret_space, ret_size);
}

void session_commit(Session *session, size_t size)
{
    frame_commit(&session->received, size);
}

/* ---- answering ---- */

/* Takes in how a call was answered that does not wait any more. */
static void session_conclude(Session *session, int r)
{
    assert(r != CALL_E_WAIT);
    if (r == CALL_E_FULL)
        session_break(session, "a reply is longer than %d MiB", REPLY_BYTES_MAX / (1024 * 1024));
    else if (r != 0)
        session_break(session, "%s", error_text(r));
}

/* Lets the call wait; one too many for its user is answered as if it would not wait, and a watch by an error. */
static int session_begin_wait(Session *session, Call *call, usec_t now)
{
    int r;

    r = wait_begin(&session->wait, call, &session->shared->quota, now);
    if (r < 0) {
        call_end(call);
        return r;
    }
    if (r == 0) {
        if (call->is_watch)
            session_answer_again(session, false);
        return 0;
    }
    complaint_log(&session->shared->log_waits, now, session->peer, "Call not left waiting",
                  call->is_watch ? "there are too many watches already"
                                 : "too many calls of this user wait already");
    if (call->is_watch)
        return call_error(call, WATCH_TOO_MANY);
    call->timeout = 0;
    return methods_call_again(call);
}

static void session_answer(Session *session, const VarlinkCall *message, usec_t now)
{
    size_t before = buffer_size(&session->unsent);
    Call call = {
        .shared = &session->shared->calls,
        .peer = session->peer,
        .reply = &session->unsent,
    };
    int r;

    r = methods_call(&call, message);
    if (message->oneway) {
        /* Nobody is told, so there is nothing to wait for, either. */
        buffer_truncate(&session->unsent, before);
        return;
    }
    if (r == CALL_E_WAIT) {
        r = session_begin_wait(session, &call, now);
        assert(r != CALL_E_WAIT);
    }
    session_conclude(session, r);
}

static void session_answer_text(Session *session, const char *text, size_t size, usec_t now)
{
    VarlinkCall message;
    int r;

    r = varlink_parse_call(&session->shared->arena, text, size, &message);
    if (r == 0)
        session_answer(session, &message, now);
    else if (r == VARLINK_E_INVALID)
        session_break(session, "what it sent is no Varlink call");
    else
        session_break(session, "%s", error_text(r));
    arena_reset(&session->shared->arena);
}

void session_advance(Session *session, usec_t now)
{
    size_t before = buffer_size(&session->unsent);
    const char *text;
    size_t size;
    int r = 0;

    if (session->wait.is_active && session->wait.call.watch.is_behind &&
        call_has_room(&session->unsent))
        session_answer_again(session, false);
    for (int n = 0; n < TURN_REQUESTS_MAX && !session->fault[0] && !session->wait.is_active &&
                    call_has_room(&session->unsent) &&
                    buffer_size(&session->unsent) - before <= TURN_BYTES_MAX;
         n++) {
        r = frame_next(&session->received, &text, &size);
        if (r != 0)
            break;
        session_answer_text(session, text, size, now);
        frame_done(&session->received);
        session->request_began = 0;
    }
    if (r == FRAME_E_TOO_BIG)
        session_break(session, "a request is longer than %d KiB", REQUEST_BYTES_MAX / 1024);
    else if (r == FRAME_E_PARTIAL && session->request_began == 0 &&
             !frame_is_empty(&session->received))
        session->request_began = now;
}

void session_answer_again(Session *session, bool is_last)
{
    int r;

    assert(session->wait.is_active && !(is_last && session_is_watching(session)));
    assert(!(is_last && session->wait.call.is_list));
    if (is_last)
        session->wait.call.timeout = 0;
    r = methods_call_again(&session->wait.call);
    if (r == CALL_E_WAIT) {
        assert(!is_last);
        return;
    }
    wait_end(&session->wait);
    session_conclude(session, r);
}

/* Whether there is something to answer that waits for nothing but its turn. */
static bool session_has_turn(Session *session)
{
    const char *text;
    size_t size;

    return !session->fault[0] && !session->wait.is_active && call_has_room(&session->unsent) &&
           frame_next(&session->received, &text, &size) == 0;
}

void session_stop(Session *session, usec_t now)
{
    do {
        session_advance(session, now);
        while (session->wait.is_active && !session_is_watching(session))
            session_answer_again(session, !session->wait.call.is_list);
    } while (session_has_turn(session));
}
