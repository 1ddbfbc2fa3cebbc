#include "ipc/conn.h"

#include <assert.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/limits.h"
#include "ipc/complaint.h"

/* What the loop tells of for a connection from which nothing but a request is expected. */
#define CONN_READ_EVENTS (EV_PERSIST | EV_READ)

/* What the loop tells of first, of these. Everything else on it has libevent's default, the middle, as the listener. */
enum {
    CONN_PRIORITY = CONN_N_PRIORITIES / 2,
    CONN_PRIORITY_BUSY,
};

enum {
    CONN_E_UNREAD = 1, /* the user has more replies to take than a user may have, or all of them */
};

typedef enum ConnState {
    CONN_READING, /* a request, or the rest of one */
    CONN_WAITING, /* a call waits or watches; what comes behind it stays unread */
    CONN_BLOCKED, /* a request or news for a watch are there, but the peer must take replies first */
    CONN_FINISHING, /* the peer sends no more, but has replies to take */
    CONN_CLOSED,    /* freed at the end of the wake-up */
} ConnState;

struct Conn {
    TAILQ_ENTRY(Conn) link;
    TAILQ_ENTRY(Conn) fresh_link;
    bool is_fresh; /* among ConnShared.fresh */
    bool is_busy;  /* its event has the lower priority */
    ConnShared *shared;
    QuotaCharge charge;
    int fd;
    Peer peer;
    Session session;

    ConnState state;
    struct event *event;
    short armed;        /* what the loop tells of; 0: nothing */
    bool has_ended;     /* the peer sends no more */
    bool is_gone;       /* the peer takes no more, either */
    usec_t opened_at;   /* boot-time clock */
    usec_t now;         /* the same, of this wake-up */
    usec_t progress_at; /* when bytes last went to or fro */
};

static const char *conn_state_name(ConnState state)
{
    switch (state) {
    case CONN_READING:
        return "reading";
    case CONN_WAITING:
        return "waiting";
    case CONN_BLOCKED:
        return "blocked";
    case CONN_FINISHING:
        return "finishing";
    case CONN_CLOSED:
        return "closed";
    }
    assert(false);
    return NULL;
}

/* ---- what they share ---- */

static void conn_on_settle(evutil_socket_t fd, short what, void *userdata);

int conn_shared_init(ConnShared *shared, struct event_base *base,
                     const ServerOperations *operations, void *userdata)
{
    *shared = (ConnShared){
        .base = base,
        .log_ends = COMPLAINT_RATE_INIT,
        .log_refusals = COMPLAINT_RATE_INIT,
    };
    session_shared_init(&shared->sessions, operations, userdata);
    TAILQ_INIT(&shared->conns);
    TAILQ_INIT(&shared->fresh);
    /* It fails while there are events that the loop has lined up. */
    if (event_base_get_npriorities(base) < CONN_N_PRIORITIES &&
        event_base_priority_init(base, CONN_N_PRIORITIES) < 0)
        return -EBUSY;
    shared->settle = event_new(base, -1, 0, conn_on_settle, shared);
    return shared->settle ? 0 : -ENOMEM;
}

void conn_shared_deinit(ConnShared *shared)
{
    assert(TAILQ_EMPTY(&shared->conns) && TAILQ_EMPTY(&shared->fresh) && shared->n_conns == 0);
    session_shared_deinit(&shared->sessions);
    if (shared->settle)
        event_free(shared->settle);
}

Conn *conn_next(const ConnShared *shared, const Conn *previous)
{
    return previous ? TAILQ_NEXT(previous, link) : TAILQ_FIRST(&shared->conns);
}

/* ---- socket ---- */

/* 0 or -errno; that nothing has come is no error. */
static int conn_read(Conn *conn)
{
    char *space;
    size_t size;
    ssize_t n;
    int r;

    r = session_reserve(&conn->session, &space, &size);
    if (r < 0)
        return r;
    n = recv(conn->fd, space, size, MSG_DONTWAIT);
    if (n > 0) {
        session_commit(&conn->session, (size_t)n);
        conn->progress_at = conn->now;
    } else if (n == 0) {
        conn->has_ended = true;
    } else if (errno == ECONNRESET) {
        conn->is_gone = true; /* it closed without having read all */
    } else if (errno != EAGAIN && errno != EINTR) {
        return error_errno();
    }
    return 0;
}

/* 0 or -errno; that the socket is full is no error. */
static int conn_send(Conn *conn)
{
    Buffer *unsent = &conn->session.unsent;
    size_t size = buffer_size(unsent);
    ssize_t n;

    if (size == 0)
        return 0;
    n = send(conn->fd, buffer_data(unsent), size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0) {
        buffer_consume(unsent, (size_t)n);
        conn->progress_at = conn->now;
        if ((size_t)n == size)
            buffer_clear(unsent);
    } else if (errno == EPIPE || errno == ECONNRESET) {
        conn->is_gone = true;
    } else if (errno != EAGAIN && errno != EINTR) {
        return error_errno();
    }
    return 0;
}

/* Whether both directions are down: the peer has closed, and not only ended its sending. */
static bool conn_is_peer_gone(const Conn *conn)
{
    struct pollfd pollfd = {.fd = conn->fd};

    return poll(&pollfd, 1, 0) > 0 && (pollfd.revents & (POLLHUP | POLLERR)) != 0;
}

/* ---- state ---- */

static void conn_on_event(evutil_socket_t fd, short what, void *userdata);

/*
 * What the loop tells of in the state that the connection is in. While a call waits, each change of the socket
 * is told once (EV_ET): a peer that goes is reported as writable, unasked (EPOLLHUP in epoll_ctl(2)), and one
 * that has only ended its sending would be reported without end otherwise.
 */
static short conn_events(const Conn *conn)
{
    switch (conn->state) {
    case CONN_READING:
        return CONN_READ_EVENTS | (buffer_size(&conn->session.unsent) > 0 ? EV_WRITE : 0);
    case CONN_WAITING:
        return EV_PERSIST | EV_WRITE | EV_ET;
    case CONN_BLOCKED:
    case CONN_FINISHING:
        return EV_PERSIST | EV_WRITE;
    case CONN_CLOSED:
        break;
    }
    return 0;
}

static int conn_disarm(Conn *conn)
{
    if (conn->armed != 0 && event_del(conn->event) < 0)
        return -EIO;
    conn->armed = 0;
    return 0;
}

static int conn_priority(const Conn *conn)
{
    return conn->is_busy ? CONN_PRIORITY_BUSY : CONN_PRIORITY;
}

/* Has the loop tell of `events`, and of the deadline of a call that waits. 0 or -errno. */
static int conn_arm(Conn *conn, short events)
{
    bool is_waiting = conn->state == CONN_WAITING;
    usec_t deadline = conn->session.wait.deadline;
    bool has_deadline = is_waiting && deadline != USEC_INFINITY;
    usec_t left = has_deadline && deadline > conn->now ? deadline - conn->now : 0;
    struct timeval timeout = {
        .tv_sec = (time_t)(left / USEC_PER_SEC),
        .tv_usec = (suseconds_t)(left % USEC_PER_SEC),
    };
    int r;

    /* A watch may follow a call that had a deadline, and event_add() without one leaves the old one there. */
    if (events == conn->armed && !has_deadline)
        return is_waiting && event_remove_timer(conn->event) < 0 ? -EIO : 0;
    if (events != conn->armed) {
        r = conn_disarm(conn);
        if (r < 0)
            return r;
        if (event_assign(conn->event, conn->shared->base, conn->fd, events, conn_on_event, conn) <
                0 ||
            event_priority_set(conn->event, conn_priority(conn)) < 0)
            return -EINVAL;
    }
    /* For an event that is armed already, this moves its deadline and costs no system call. */
    if (event_add(conn->event, has_deadline ? &timeout : NULL) < 0)
        return -ENOMEM;
    conn->armed = events;
    return 0;
}

static void conn_leave_fresh(Conn *conn)
{
    if (!conn->is_fresh)
        return;
    TAILQ_REMOVE(&conn->shared->fresh, conn, fresh_link);
    conn->is_fresh = false;
}

/* The one place that sets the state. 0 or -errno. */
static int conn_set_state(Conn *conn, ConnState state)
{
    short events;

    if (conn->state != state)
        log_debug("Connection %d of uid %u: %s, now %s", conn->fd, (unsigned)conn->peer.uid,
                  conn_state_name(conn->state), conn_state_name(state));
    conn->state = state;
    events = conn_events(conn);
    if (conn->is_fresh && !conn->is_busy && events == CONN_READ_EVENTS)
        return 0;
    conn_leave_fresh(conn);
    return events != 0 ? conn_arm(conn, events) : conn_disarm(conn);
}

static ConnState conn_find_state(Conn *conn)
{
    if (conn->is_gone)
        return CONN_CLOSED;
    switch (session_need(&conn->session)) {
    case SESSION_NEEDS_BYTES:
        if (!conn->has_ended)
            return CONN_READING;
        return buffer_size(&conn->session.unsent) > 0 ? CONN_FINISHING : CONN_CLOSED;
    case SESSION_NEEDS_CHANGE:
        /* A call that waits is not held against a peer that reads slowly, but a watch might last for ever. */
        return session_is_watching(&conn->session) && buffer_size(&conn->session.unsent) > 0
                   ? CONN_BLOCKED
                   : CONN_WAITING;
    case SESSION_NEEDS_ROOM:
        return CONN_BLOCKED;
    case SESSION_NEEDS_END:
        return CONN_CLOSED;
    }
    assert(false);
    return CONN_CLOSED;
}

static void conn_log_end(Conn *conn, const char *why)
{
    complaint_log(&conn->shared->log_ends, conn->now, &conn->peer, "Connection closed", why);
}

/*
 * ---- turns ----
 *
 * A wake-up is never long; one that seems to be was one during which the process did not run, which is nobody's fault.
 */

#define CONN_SPENT_MAX (100 * (usec_t)1)

static void conn_rank(Conn *conn, bool is_busy)
{
    if (is_busy == conn->is_busy)
        return;
    conn->is_busy = is_busy;
    /* It fails for one that the loop has already lined up: then the next wake-up tries again. */
    if (conn->armed != 0 && event_priority_set(conn->event, conn_priority(conn)) < 0)
        conn->is_busy = !is_busy;
}

/* Holds what the wake-up has cost against the user. */
static void conn_account(Conn *conn)
{
    ConnShared *shared = conn->shared;
    usec_t now, spent;

    if (!quota_has_several(&shared->sessions.quota)) {
        conn_rank(conn, false);
        return;
    }
    now = clock_boottime();
    spent = now - conn->now < CONN_SPENT_MAX ? now - conn->now : CONN_SPENT_MAX;
    conn_rank(conn, quota_spend(&conn->charge, now, spent));
    if (!conn->is_busy)
        return;
    shared->slice += spent;
    if (shared->slice < TURN_SLICE_USEC)
        return;
    shared->slice = 0;
    (void)event_base_loopcontinue(shared->base);
}

/* ---- wake-ups: each ends here, and may free the connection as its last act ---- */

/* What the peer has not taken yet, after all was tried. 0 or CONN_E_UNREAD. */
static int conn_hold_unsent(Conn *conn)
{
    size_t size = buffer_size(&conn->session.unsent);

    if (size == conn->charge.n_bytes || quota_hold(&conn->charge, size) == 0)
        return 0;
    return CONN_E_UNREAD;
}

/* `r` is 0, or the -errno of what the wake-up did before. */
static void conn_advance(Conn *conn, int r)
{
    if (r == 0) {
        session_advance(&conn->session, conn->now);
        r = conn_send(conn);
    }
    if (r == 0)
        r = conn_hold_unsent(conn);
    conn_account(conn);
    if (r == 0)
        r = conn_set_state(conn, conn_find_state(conn));
    if (r == 0 && conn->state != CONN_CLOSED)
        return;
    if (r < 0)
        conn_log_end(conn, error_text(r));
    else if (r == CONN_E_UNREAD)
        conn_log_end(conn, "this user leaves too many replies unread");
    else if (conn->session.fault[0])
        conn_log_end(conn, conn->session.fault);
    (void)conn_free(conn);
}

static void conn_answer_again(Conn *conn, bool is_last)
{
    /* It was not idle while it waited; but one that has replies to take made no progress. */
    if (buffer_size(&conn->session.unsent) == 0)
        conn->progress_at = conn->now;
    session_answer_again(&conn->session, is_last);
}

static void conn_on_event(evutil_socket_t fd, short what, void *userdata)
{
    Conn *conn = userdata;
    int r = 0;

    (void)fd;
    conn->now = clock_boottime();
    if (conn->state == CONN_WAITING) {
        if (conn_is_peer_gone(conn))
            conn->is_gone = true;
        else if (conn->now >= conn->session.wait.deadline)
            conn_answer_again(conn, true);
    } else if (conn->state == CONN_READING && (what & EV_READ)) {
        r = conn_read(conn);
    }
    conn_advance(conn, r);
}

static void conn_on_change(Wait *wait)
{
    Conn *conn = (Conn *)((char *)session_of_wait(wait) - offsetof(Conn, session));

    conn->now = clock_boottime();
    conn_answer_again(conn, false);
    conn_advance(conn, 0);
}

/* ---- beginning and end ---- */

Conn *conn_free(Conn *conn)
{
    if (!conn)
        return NULL;
    if (conn->charge.quota) {
        TAILQ_REMOVE(&conn->shared->conns, conn, link);
        conn->shared->n_conns--;
    }
    conn_leave_fresh(conn);
    session_deinit(&conn->session);
    quota_release(&conn->charge);
    if (conn->event)
        event_free(conn->event);
    peer_deinit(&conn->peer);
    (void)close(conn->fd);
    free(conn);
    return NULL;
}

DEFINE_FREEP(Conn, conn_free)

/* 0, QUOTA_E_* or -errno; takes `fd` and `peer` over in any case. */
static int conn_new(ConnShared *shared, int fd, Peer *peer, Conn **ret_conn)
{
    _cleanup_(conn_freep) Conn *conn = calloc(1, sizeof(*conn));
    int r;

    if (!conn) {
        peer_deinit(peer);
        (void)close(fd);
        return -ENOMEM;
    }
    conn->shared = shared;
    conn->fd = fd;
    conn->peer = *peer;
    conn->peer.fd = fd;
    conn->opened_at = conn->now = conn->progress_at = clock_boottime();
    session_init(&conn->session, &shared->sessions, &conn->peer, conn_on_change);
    conn->event = event_new(shared->base, fd, EV_READ, conn_on_event, conn);
    if (!conn->event)
        return -ENOMEM;
    r = quota_charge(&shared->sessions.quota, peer->uid, QUOTA_CONNECTIONS, &conn->charge);
    if (r != 0)
        return r;
    TAILQ_INSERT_TAIL(&shared->conns, conn, link);
    shared->n_conns++;
    *ret_conn = TAKE_PTR(conn);
    return 0;
}

void conn_open(ConnShared *shared, int fd, Peer *peer)
{
    const Peer who = {.uid = peer->uid, .pid = peer->pid};
    const char *why = "";
    Conn *conn = NULL;
    int r;

    r = conn_new(shared, fd, peer, &conn);
    if (r == QUOTA_E_USER)
        why = "this user has too many connections already";
    else if (r == QUOTA_E_TOTAL)
        why = "there are too many connections already";
    else if (r < 0)
        why = error_text(r);
    if (!conn) {
        complaint_log(&shared->log_refusals, clock_boottime(), &who, "Connection refused", why);
        return;
    }
    if (quota_is_busy(&conn->charge, conn->now)) {
        /* Others first: what it has sent is for the loop to tell of. */
        conn->is_busy = true;
        conn_advance(conn, 0);
        return;
    }
    TAILQ_INSERT_TAIL(&shared->fresh, conn, fresh_link);
    conn->is_fresh = true;
    event_active(shared->settle, 0, 0);
    /* Most clients have sent by now what they connected for; that saves a wake-up. */
    conn_advance(conn, conn_read(conn));
}

static void conn_on_settle(evutil_socket_t fd, short what, void *userdata)
{
    ConnShared *shared = userdata;
    Conn *conn;

    (void)fd;
    (void)what;
    while ((conn = TAILQ_FIRST(&shared->fresh))) {
        conn_leave_fresh(conn);
        conn->now = clock_boottime();
        conn_advance(conn, conn_read(conn));
    }
}

usec_t conn_farewell(const Conn *conn)
{
    if (conn->state != CONN_READING)
        return 0;
    if (conn->session.request_began != 0)
        return clock_add(conn->session.request_began, CONN_FAREWELL_USEC);
    /* Bytes that went to or fro were a request, and its answer. */
    return conn->progress_at == conn->opened_at ? clock_add(conn->opened_at, CONN_FAREWELL_USEC)
                                                : 0;
}

int conn_fd(const Conn *conn)
{
    return conn->fd;
}

void conn_hear(Conn *conn)
{
    conn_on_event(conn->fd, EV_READ, conn);
}

void conn_stop(Conn *conn)
{
    /* What fails here would have ended it as well. */
    conn->now = clock_boottime();
    if (conn->state == CONN_READING)
        (void)conn_read(conn);
    session_stop(&conn->session, conn->now);
    (void)conn_send(conn);
    (void)conn_free(conn);
}

/* When the next step is due, and what to say when it does not come; NULL: it need not. */
static usec_t conn_deadline(const Conn *conn, const char **ret_why)
{
    *ret_why = NULL;
    switch (conn->state) {
    case CONN_READING:
        if (conn->session.request_began == 0)
            return clock_add(conn->progress_at, CONN_IDLE_USEC);
        *ret_why = "it began a request and did not finish it in time";
        return clock_add(conn->session.request_began, CONN_REQUEST_USEC);
    case CONN_BLOCKED:
    case CONN_FINISHING:
        *ret_why = "it did not take its replies in time";
        return clock_add(conn->progress_at, CONN_IDLE_USEC);
    case CONN_WAITING:
    case CONN_CLOSED:
        break;
    }
    return USEC_INFINITY;
}

void conn_sweep(Conn *conn, usec_t now)
{
    const char *why;

    if (now < conn_deadline(conn, &why))
        return;
    conn->now = now;
    if (why)
        conn_log_end(conn, why);
    (void)conn_free(conn);
}
