#include "ipc/server.h"

#include <assert.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "ipc/alarm.h"
#include "ipc/conn.h"
#include "ipc/listener.h"

/* How late an overdue connection may be found out: a sixth of the shortest deadline, CONN_REQUEST_USEC. */
#define SERVER_SWEEP_USEC (5 * USEC_PER_SEC)

static_assert(SERVER_PRIORITIES == CONN_N_PRIORITIES, "the loop has those that connections need");

struct Server {
    ConnShared shared;
    Listener *listeners[SERVER_LISTENERS_MAX];
    size_t n_listeners;
    Alarm *sweep; /* set while there are connections, and until it finds none */
};

static void server_on_sweep(void *userdata);

int server_new(struct event_base *base, const ServerOperations *operations, void *userdata,
               Server **ret_server)
{
    _cleanup_(server_freep) Server *server = NULL;
    int r;

    if ((event_base_get_features(base) & EV_FEATURE_ET) == 0)
        return -EOPNOTSUPP;
    server = calloc(1, sizeof(*server));
    if (!server)
        return -ENOMEM;
    r = conn_shared_init(&server->shared, base, operations, userdata);
    if (r < 0)
        return r;
    r = alarm_new(base, server_on_sweep, server, &server->sweep);
    if (r < 0)
        return r;
    *ret_server = TAKE_PTR(server);
    return 0;
}

static void server_deafen(Server *server)
{
    while (server->n_listeners > 0)
        (void)listener_free(server->listeners[--server->n_listeners]);
}

/* Lets go of listeners and connections, of each by `end`, which frees it. */
static void server_end(Server *server, void (*end)(Conn *conn))
{
    Conn *conn;

    server_deafen(server);
    while ((conn = conn_next(&server->shared, NULL)))
        end(conn);
    alarm_clear(server->sweep);
}

static void server_drop(Conn *conn)
{
    (void)conn_free(conn);
}

Server *server_free(Server *server)
{
    if (!server)
        return NULL;
    if (server->sweep) {
        server_end(server, server_drop);
        (void)alarm_free(server->sweep);
    }
    conn_shared_deinit(&server->shared);
    free(server);
    return NULL;
}

/* Of those that are still to be heard out: fills both arrays in, and returns how many; `ret_until`: the last one's time. */
static nfds_t server_find_unheard(Server *server, usec_t now, struct pollfd *fds, Conn **conns,
                                  usec_t *ret_until)
{
    nfds_t n = 0;

    *ret_until = 0;
    for (Conn *conn = conn_next(&server->shared, NULL); conn;
         conn = conn_next(&server->shared, conn)) {
        usec_t until = conn_farewell(conn);

        if (until <= now)
            continue;
        if (until > *ret_until)
            *ret_until = until;
        conns[n] = conn;
        fds[n++] = (struct pollfd){.fd = conn_fd(conn), .events = POLLIN};
    }
    return n;
}

/*
 * Clients whose connections were accepted, and that have not said yet what they want: closed now, they would be sent away.
 * Those that come later wait in the queue of the socket, for the next process if systemd holds it.
 *
 * Not by the loop: there is nothing else to be done any more, and it is over after CONN_FAREWELL_USEC, whatever they send: who
 * begins one request after the other would put off his own time for ever. They are heard in turn.
 */
static void server_hear_out(Server *server)
{
    size_t n_max = server->shared.n_conns + 1;
    _cleanup_(freep) struct pollfd *fds = calloc(n_max, sizeof(*fds));
    _cleanup_(freep) Conn **conns = calloc(n_max, sizeof(*conns));
    usec_t until, now = clock_boottime(), end = clock_add(now, CONN_FAREWELL_USEC);
    nfds_t n, next = 0;

    if (!fds || !conns)
        return;
    for (; now < end && (n = server_find_unheard(server, now, fds, conns, &until)) > 0;
         now = clock_boottime()) {
        until = until < end ? until : end;
        if (poll(fds, n, (int)((until - now) / USEC_PER_MSEC) + 1) <= 0)
            continue;
        /* One, and then anew: what it asks for may end others. */
        for (nfds_t i = 0; i < n; i++) {
            nfds_t turn = (next + i) % n;

            if (fds[turn].revents != 0) {
                conn_hear(conns[turn]);
                next = turn + 1;
                break;
            }
        }
    }
}

void server_stop(Server *server)
{
    server_deafen(server);
    server_hear_out(server);
    server_end(server, conn_stop);
}

/* ---- connections ---- */

static void server_on_sweep(void *userdata)
{
    Server *server = userdata;

    server_sweep(server, clock_boottime());
    if (server->shared.n_conns == 0)
        alarm_clear(server->sweep);
}

void server_sweep(Server *server, usec_t now)
{
    Conn *next;

    for (Conn *conn = conn_next(&server->shared, NULL); conn; conn = next) {
        next = conn_next(&server->shared, conn);
        conn_sweep(conn, now);
    }
}

void server_serve(Server *server, int fd, Peer *peer)
{
    conn_open(&server->shared, fd, peer);
    /* Where that fails there is no memory: the next connection tries again. */
    if (server->shared.n_conns > 0 && !alarm_is_set(server->sweep))
        (void)alarm_set(server->sweep, SERVER_SWEEP_USEC, SERVER_SWEEP_USEC);
}

static void server_on_accept(void *userdata, int fd)
{
    Server *server = userdata;
    Peer peer;

    /* It fails for a peer that has gone already. */
    if (peer_init(&peer, fd) < 0)
        (void)close(fd);
    else
        server_serve(server, fd, &peer);
}

int server_listen(Server *server, int fd)
{
    int r;

    if (server->n_listeners == SERVER_LISTENERS_MAX) {
        (void)close(fd);
        return -EMFILE;
    }
    r = listener_new(server->shared.base, fd, NULL, server_on_accept, server,
                     &server->listeners[server->n_listeners]);
    if (r < 0)
        return r;
    server->n_listeners++;
    return 0;
}

unsigned server_n_connections(const Server *server)
{
    return server->shared.n_conns;
}

/* ---- news ---- */

void server_changed(Server *server, Served *served)
{
    call_shared_changed(&server->shared.sessions.calls, served);
}

void server_removed(Server *server, Served *served)
{
    call_shared_removed(&server->shared.sessions.calls, served);
}

void server_reloaded(Server *server)
{
    call_shared_reloaded(&server->shared.sessions.calls);
}

void server_described(Server *server)
{
    call_shared_described(&server->shared.sessions.calls);
}
