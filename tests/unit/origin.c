#include "tests/unit/origin.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/http_helper.h"

typedef struct OriginConn {
    Origin *origin;
    LIST_ENTRY(OriginConn) link;
    unsigned number;
    int fd;
    struct event *event;
    Buffer input;
    const OriginTurn *turn; /* that is being carried out, or NULL */
    size_t n_written;
    bool is_silent;  /* hangs, or reads no more */
    bool is_waiting; /* a request has come, and no turn was left */
} OriginConn;

static void origin_conn_free(OriginConn *conn)
{
    LIST_REMOVE(conn, link);
    conn->origin->n_open--;
    event_free(conn->event);
    close(conn->fd);
    buffer_deinit(&conn->input);
    free(conn);
}

static void origin_conn_reset(OriginConn *conn)
{
    static const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

    assert_int_equal(setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
    origin_conn_free(conn);
}

static void origin_conn_on_event(evutil_socket_t fd, short what, void *userdata);

static void origin_conn_arm(OriginConn *conn, short what)
{
    event_del(conn->event);
    assert_int_equal(event_assign(conn->event, conn->origin->base, conn->fd, what | EV_PERSIST,
                                  origin_conn_on_event, conn),
                     0);
    assert_int_equal(event_add(conn->event, NULL), 0);
}

/* Writes what the socket takes of the answer; at its end comes what the turn says. */
static void origin_conn_write(OriginConn *conn)
{
    const OriginTurn *turn = conn->turn;
    size_t size = turn->size > 0 ? turn->size : turn->answer ? strlen(turn->answer) : 0;

    while (conn->n_written < size) {
        ssize_t n = send(conn->fd, turn->answer + conn->n_written, size - conn->n_written,
                         MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno == EAGAIN) {
            origin_conn_arm(conn, EV_WRITE);
            return;
        }
        if (n < 0) {
            origin_conn_free(conn); /* the other side has gone */
            return;
        }
        conn->n_written += (size_t)n;
    }
    conn->turn = NULL;
    switch (turn->end) {
    case ORIGIN_KEEP:
        origin_conn_arm(conn, EV_READ);
        return;
    case ORIGIN_CLOSE:
        origin_conn_free(conn);
        return;
    case ORIGIN_RESET:
        origin_conn_reset(conn);
        return;
    case ORIGIN_HANG:
        conn->is_silent = true;
        if (turn->when == ORIGIN_AT_REQUEST)
            origin_conn_arm(conn, EV_READ); /* sees the other side's end */
        else
            event_del(conn->event);
        return;
    }
}

/* Takes the next turn, when it is for this moment. Whether it was. */
static bool origin_conn_take(OriginConn *conn, OriginWhen when)
{
    Origin *origin = conn->origin;

    if (origin->n_taken == origin->n_turns || origin->turns[origin->n_taken].when != when)
        return false;
    conn->turn = &origin->turns[origin->n_taken++];
    conn->n_written = 0;
    return true;
}

/* How long the request is that the input begins with; 0: its head is not there yet. */
static size_t origin_request_size(const char *text, size_t size, size_t *ret_head)
{
    static const char length[] = "\r\nContent-Length: ";
    const char *end = memmem(text, size, "\r\n\r\n", 4);
    const char *at;

    if (!end)
        return 0;
    *ret_head = (size_t)(end - text) + 4;
    at = memmem(text, *ret_head, length, strlen(length));
    return *ret_head + (at ? strtoul(at + strlen(length), NULL, 10) : 0);
}

static void origin_conn_keep_request(OriginConn *conn, size_t size)
{
    Origin *origin = conn->origin;
    OriginRequest *request = &origin->requests[origin->n_requests];

    assert_in_range(origin->n_requests, 0, ORIGIN_REQUESTS_MAX - 1);
    *request = (OriginRequest){.connection = conn->number, .text = BUFFER_INIT(size + 1)};
    assert_int_equal(buffer_append(&request->text, buffer_data(&conn->input), size), 0);
    assert_int_equal(buffer_append(&request->text, "", 1), 0);
    buffer_truncate(&request->text, size);
    origin->n_requests++;
    buffer_consume(&conn->input, size);
}

static void origin_conn_look(OriginConn *conn)
{
    size_t head = 0;
    size_t size = origin_request_size(buffer_data(&conn->input), buffer_size(&conn->input), &head);

    if (conn->turn || conn->is_silent || conn->is_waiting || size == 0)
        return;
    /* With a byte of the body: until one has left, libcurl may send the request again, and does no harm. */
    if ((size == head || buffer_size(&conn->input) > head) &&
        origin_conn_take(conn, ORIGIN_AT_HEAD)) {
        conn->is_silent = true;
        origin_conn_write(conn);
        return;
    }
    if (buffer_size(&conn->input) < size)
        return;
    origin_conn_keep_request(conn, size);
    conn->is_waiting = !origin_conn_take(conn, ORIGIN_AT_REQUEST);
    if (!conn->is_waiting)
        origin_conn_write(conn);
}

static void origin_conn_on_event(evutil_socket_t fd, short what, void *userdata)
{
    OriginConn *conn = userdata;
    char bytes[65536];
    ssize_t n;

    if (what & EV_WRITE) {
        origin_conn_write(conn);
        return;
    }
    n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        conn->origin->n_ended++;
        origin_conn_free(conn);
        return;
    }
    assert_int_equal(buffer_append(&conn->input, bytes, (size_t)n), 0);
    origin_conn_look(conn);
}

static void origin_on_accept(evutil_socket_t fd, short what, void *userdata)
{
    Origin *origin = userdata;
    OriginConn *conn = calloc(1, sizeof(*conn));

    (void)what;
    assert_non_null(conn);
    *conn = (OriginConn){.origin = origin, .input = BUFFER_INIT(4 * 1024 * 1024)};
    conn->fd = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(conn->fd >= 0);
    conn->number = origin->n_accepted++;
    LIST_INSERT_HEAD(&origin->conns, conn, link);
    if (++origin->n_open > origin->n_open_max)
        origin->n_open_max = origin->n_open;
    conn->event = event_new(origin->base, conn->fd, EV_READ | EV_PERSIST, origin_conn_on_event,
                            conn);
    assert_non_null(conn->event);
    assert_int_equal(event_add(conn->event, NULL), 0);
    if (origin_conn_take(conn, ORIGIN_AT_ACCEPT)) {
        conn->is_silent = true;
        origin_conn_write(conn);
    }
}

/* The program beside the daemon's, which is two folders up. */
static void origin_name_program(void)
{
    static char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 64);

    assert_true(n > 0);
    path[n] = '\0';
    (void)snprintf(strrchr(path, '/'), 64, "/../../elementd-http");
    http_helper_set_program(path);
}

Origin *origin_new(struct event_base *base)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    Origin *origin = calloc(1, sizeof(*origin));

    assert_non_null(origin);
    origin_name_program();
    origin->base = base;
    LIST_INIT(&origin->conns);
    origin->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(origin->fd >= 0);
    assert_int_equal(bind(origin->fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(origin->fd, 512), 0);
    assert_int_equal(getsockname(origin->fd, (struct sockaddr *)&address, &size), 0);
    origin->port = ntohs(address.sin_port);
    origin->event = event_new(base, origin->fd, EV_READ | EV_PERSIST, origin_on_accept, origin);
    assert_non_null(origin->event);
    assert_int_equal(event_add(origin->event, NULL), 0);
    return origin;
}

void origin_refuse(Origin *origin)
{
    if (origin->fd < 0)
        return;
    event_free(origin->event);
    close(origin->fd);
    origin->fd = -1;
}

Origin *origin_free(Origin *origin)
{
    if (!origin)
        return NULL;
    while (!LIST_EMPTY(&origin->conns))
        origin_conn_free(LIST_FIRST(&origin->conns));
    for (size_t i = 0; i < origin->n_requests; i++)
        buffer_deinit(&origin->requests[i].text);
    origin_refuse(origin);
    free(origin);
    return NULL;
}

void origin_add(Origin *origin, const OriginTurn *turn)
{
    OriginConn *conn;

    assert_in_range(origin->n_turns, 0, ORIGIN_TURNS_MAX - 1);
    origin->turns[origin->n_turns++] = *turn;
    LIST_FOREACH(conn, &origin->conns, link)
        if (conn->is_waiting && origin_conn_take(conn, ORIGIN_AT_REQUEST)) {
            conn->is_waiting = false;
            origin_conn_write(conn);
            return;
        }
}

void origin_answer(Origin *origin, const char *answer)
{
    origin_add(origin, &(OriginTurn){.answer = answer});
}

const char *origin_request(const Origin *origin, size_t i)
{
    assert_in_range(i + 1, 1, origin->n_requests);
    return buffer_data(&origin->requests[i].text);
}

const char *origin_url(const Origin *origin, const char *path)
{
    static char url[256];

    assert_in_range(snprintf(url, sizeof(url), "http://127.0.0.1:%u/%s", origin->port, path), 1,
                    sizeof(url) - 1);
    return url;
}

/* One turn of the loop, that does not wait for ever. */
static void origin_turn(const Origin *origin, usec_t until)
{
    static const struct timeval tick = {.tv_usec = 10000};

    if (clock_boottime() > until)
        fail_msg("nothing happens");
    assert_int_equal(event_base_loopexit(origin->base, &tick), 0);
    assert_true(event_base_loop(origin->base, EVLOOP_ONCE) >= 0);
}

void origin_await(const Origin *origin, const unsigned *number, unsigned n)
{
    usec_t until = clock_boottime() + ORIGIN_PATIENCE_USEC;

    while (*number < n)
        origin_turn(origin, until);
}

void origin_await_requests(const Origin *origin, size_t n)
{
    usec_t until = clock_boottime() + ORIGIN_PATIENCE_USEC;

    while (origin->n_requests < n)
        origin_turn(origin, until);
}

void origin_idle(const Origin *origin, usec_t period)
{
    usec_t until = clock_boottime() + period;

    while (clock_boottime() < until)
        origin_turn(origin, USEC_INFINITY);
}
