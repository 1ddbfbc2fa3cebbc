#include "tests/sandbox/http_conn.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <openssl/err.h>

#include "tests/sandbox/http_reader.h"

/* Input that is held unread: a head at its ceiling, to tell one from a head that is past it. */
#define HTTP_CONN_UNREAD_MAX (HTTP_REQUEST_HEAD_MAX + 64 * 1024)

/* Moved at a time. */
#define HTTP_CONN_PIECE 65536

/* Slow answers are sent in so many steps a second. */
#define HTTP_CONN_SLOW_HZ 20

/* How long a client whose request was refused unread may go on sending before it is cut off. */
#define HTTP_CONN_LINGER_SEC 2

typedef enum HttpConnState {
    HTTP_CONN_READING,   /* a request */
    HTTP_CONN_SERVING,   /* the request is with whoever serves it */
    HTTP_CONN_SENDING,   /* the answer is going out */
    HTTP_CONN_LINGERING, /* input is thrown away until the client goes */
} HttpConnState;

struct HttpConn {
    HttpConn *next;
    HttpConn *previous;
    HttpConnList *list;
    const HttpConnHooks *hooks;
    struct bufferevent *bev;
    SSL *ssl; /* belongs to bev */
    struct event *timer;
    uint64_t number;
    HttpConnState state;

    HttpReader reader;
    HttpRequest *request; /* borrowed, while it is served */

    struct evbuffer *pending; /* of the answer, not yet given to bev */
    uint64_t filler;
    uint64_t bytes_per_sec;
    bool is_chunked;
    bool is_last_chunk_due;
    bool is_closing;
    bool is_refused;
};

/* ---- ending ---- */

HttpConn *http_conn_free(HttpConn *conn)
{
    if (!conn)
        return NULL;
    if (conn->request)
        conn->request->conn = NULL;
    http_reader_deinit(&conn->reader);
    if (conn->previous)
        conn->previous->next = conn->next;
    else
        conn->list->first = conn->next;
    if (conn->next)
        conn->next->previous = conn->previous;
    conn->list->n--;
    if (conn->timer)
        event_free(conn->timer);
    if (conn->pending)
        evbuffer_free(conn->pending);
    if (conn->bev)
        bufferevent_free(conn->bev);
    conn->hooks->on_close(conn->hooks->userdata);
    free(conn);
    return NULL;
}

static void http_conn_say_goodbye(HttpConn *conn)
{
    if (conn->ssl && SSL_is_init_finished(conn->ssl)) {
        (void)SSL_shutdown(conn->ssl);
        ERR_clear_error();
    }
}

/* As a server that is content: TLS says goodbye before TCP does. */
static void http_conn_close(HttpConn *conn)
{
    http_conn_say_goodbye(conn);
    (void)http_conn_free(conn);
}

static void http_conn_reset(HttpConn *conn)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};

    (void)setsockopt(bufferevent_getfd(conn->bev), SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    (void)http_conn_free(conn);
}

/* ---- sending ---- */

static void http_conn_process(HttpConn *conn);

static void http_conn_arm(HttpConn *conn, time_t sec, suseconds_t usec)
{
    struct timeval delay = {.tv_sec = sec, .tv_usec = usec};

    (void)evtimer_add(conn->timer, &delay);
}

static bool http_conn_is_all_given(const HttpConn *conn)
{
    return evbuffer_get_length(conn->pending) == 0 && conn->filler == 0;
}

static void http_conn_add_body(HttpConn *conn, const char *data, size_t size)
{
    if (size == 0)
        return;
    if (conn->is_chunked)
        (void)evbuffer_add_printf(conn->pending, "%zx\r\n", size);
    (void)evbuffer_add(conn->pending, data, size);
    if (conn->is_chunked)
        (void)evbuffer_add(conn->pending, "\r\n", 2);
}

/* Filler is made as it goes out, so that an answer of gigabytes takes no memory. */
static void http_conn_add_filler(HttpConn *conn)
{
    static char spaces[HTTP_CONN_PIECE];
    size_t size = conn->filler < sizeof(spaces) ? (size_t)conn->filler : sizeof(spaces);

    if (spaces[0] == '\0')
        memset(spaces, ' ', sizeof(spaces));
    http_conn_add_body(conn, spaces, size);
    conn->filler -= size;
}

static void http_conn_pump(HttpConn *conn)
{
    size_t size = SIZE_MAX;

    if (evbuffer_get_length(conn->pending) == 0 && conn->filler > 0)
        http_conn_add_filler(conn);
    if (conn->filler == 0 && conn->is_last_chunk_due) {
        (void)evbuffer_add(conn->pending, "0\r\n\r\n", 5);
        conn->is_last_chunk_due = false;
    }
    if (conn->bytes_per_sec > 0) {
        size = (size_t)(conn->bytes_per_sec / HTTP_CONN_SLOW_HZ);
        size = size > 0 ? size : 1;
    }
    if (size < evbuffer_get_length(conn->pending))
        (void)evbuffer_remove_buffer(conn->pending, bufferevent_get_output(conn->bev), size);
    else
        (void)evbuffer_add_buffer(bufferevent_get_output(conn->bev), conn->pending);
}

/* The answer is out. */
static void http_conn_finish(HttpConn *conn)
{
    if (conn->is_refused) { /* closing with bytes unread would reset, and the answer be lost */
        conn->state = HTTP_CONN_LINGERING;
        http_conn_say_goodbye(conn);
        (void)shutdown(bufferevent_getfd(conn->bev), SHUT_WR);
        http_conn_arm(conn, HTTP_CONN_LINGER_SEC, 0);
        http_conn_process(conn);
    } else if (conn->is_closing) {
        http_conn_close(conn);
    } else {
        conn->state = HTTP_CONN_READING;
        http_conn_process(conn);
    }
}

static void http_conn_on_written(struct bufferevent *bev, void *userdata)
{
    HttpConn *conn = userdata;

    (void)bev;
    /* Output: what drained was a "100 Continue" before the answer. */
    if (conn->state != HTTP_CONN_SENDING ||
        evbuffer_get_length(bufferevent_get_output(conn->bev)) > 0)
        return;
    if (http_conn_is_all_given(conn))
        http_conn_finish(conn);
    else if (conn->bytes_per_sec >= HTTP_CONN_SLOW_HZ)
        http_conn_arm(conn, 0, 1000000 / HTTP_CONN_SLOW_HZ);
    else if (conn->bytes_per_sec > 0)
        http_conn_arm(conn, conn->bytes_per_sec == 1,
                      (suseconds_t)(1000000 / conn->bytes_per_sec % 1000000));
    else
        http_conn_pump(conn);
}

static void http_conn_on_timer(evutil_socket_t fd, short events, void *userdata)
{
    HttpConn *conn = userdata;

    (void)fd;
    (void)events;
    if (conn->state == HTTP_CONN_LINGERING)
        http_conn_close(conn);
    else
        http_conn_pump(conn);
}

static void http_conn_add_answer(HttpConn *conn, const HttpAnswer *answer, bool is_head_only)
{
    const char *body = buffer_data(&answer->body);
    size_t size = buffer_size(&answer->body);
    size_t piece = answer->chunk_size > 0 ? answer->chunk_size : SIZE_MAX;
    Buffer head = BUFFER_INIT(HTTP_ANSWER_HEADERS_MAX + 1024);

    if (!answer->is_raw && http_answer_format_head(answer, &head) == 0)
        (void)evbuffer_add(conn->pending, buffer_data(&head), buffer_size(&head));
    buffer_deinit(&head);
    if (is_head_only)
        return;
    if (answer->is_truncated && size > answer->send_max)
        size = answer->send_max;
    conn->is_chunked = answer->is_chunked && !answer->is_raw;
    for (size_t i = 0; i < size; i += piece < size - i ? piece : size - i)
        http_conn_add_body(conn, body + i, piece < size - i ? piece : size - i);
    conn->filler = answer->is_truncated ? 0 : answer->filler;
    conn->is_last_chunk_due = conn->is_chunked && !answer->is_last_chunk_omitted &&
                              !answer->is_truncated;
}

static void http_conn_send(HttpConn *conn, const HttpAnswer *answer, bool is_head_only)
{
    conn->state = HTTP_CONN_SENDING;
    conn->bytes_per_sec = answer->bytes_per_sec;
    conn->is_closing = answer->is_closing;
    http_conn_add_answer(conn, answer, is_head_only);
    http_conn_pump(conn);
    if (evbuffer_get_length(bufferevent_get_output(conn->bev)) == 0)
        http_conn_finish(conn); /* nothing to send: no callback would come */
}

bool http_conn_answer(HttpRequest *request, const HttpAnswer *answer)
{
    HttpConn *conn = request->conn;
    HttpAnswer actual = *answer; /* borrows its buffers */

    if (!conn)
        return false;
    assert(conn->state == HTTP_CONN_SERVING);
    actual.is_closing |= !request->is_keep_alive || answer->is_raw || answer->is_truncated ||
                         answer->is_last_chunk_omitted;
    request->conn = NULL;
    conn->request = NULL;
    http_conn_send(conn, &actual, strcmp(request->method, "HEAD") == 0);
    return true;
}

bool http_conn_abort(HttpRequest *request, HttpAbort how)
{
    HttpConn *conn = request->conn;

    if (!conn)
        return false;
    switch (how) {
    case HTTP_ABORT_CLOSE:
        (void)http_conn_free(conn);
        break;
    case HTTP_ABORT_RESET:
        http_conn_reset(conn);
        break;
    }
    assert(!request->conn);
    return true;
}

void http_conn_forget(HttpConn *conn)
{
    assert(conn->state == HTTP_CONN_SERVING);
    conn->request = NULL;
}

/* ---- reading ---- */

static void http_conn_serve(HttpConn *conn)
{
    HttpRequest *request = http_reader_take(&conn->reader);

    conn->request = request;
    request->conn = conn;
    request->connection = conn->number;
    conn->state = HTTP_CONN_SERVING;
    conn->hooks->on_request(conn->hooks->userdata, request);
    /* The connection may be gone. */
}

/* A request that cannot be read to its end. */
static void http_conn_refuse(HttpConn *conn)
{
    HttpAnswer answer = HTTP_ANSWER_INIT;

    answer.status = conn->reader.status;
    answer.is_closing = true;
    (void)buffer_printf(&answer.body,
                        "{\"requestId\":\"000000000000000000000000\",\"message\":\"%s\"}",
                        conn->reader.message);
    conn->is_refused = true;
    http_conn_send(conn, &answer, false);
    http_answer_deinit(&answer);
}

static void http_conn_process(HttpConn *conn)
{
    struct evbuffer *input = bufferevent_get_input(conn->bev);

    if (conn->state == HTTP_CONN_LINGERING)
        (void)evbuffer_drain(input, evbuffer_get_length(input));
    if (conn->state != HTTP_CONN_READING)
        return;
    switch (http_reader_read(&conn->reader, input)) {
    case HTTP_READER_WAITS:
        if (http_reader_wants_continue(&conn->reader))
            (void)bufferevent_write(conn->bev, "HTTP/1.1 100 Continue\r\n\r\n", 25);
        break;
    case HTTP_READER_COMPLETE:
        http_conn_serve(conn);
        break;
    case HTTP_READER_REFUSES:
        http_conn_refuse(conn);
        break;
    }
}

/* ---- the bufferevent ---- */

static void http_conn_on_read(struct bufferevent *bev, void *userdata)
{
    (void)bev;
    http_conn_process(userdata);
}

static void http_conn_on_event(struct bufferevent *bev, short events, void *userdata)
{
    HttpConn *conn = userdata;

    (void)bev;
    if (events & BEV_EVENT_CONNECTED)
        conn->hooks->on_handshake(conn->hooks->userdata, SSL_session_reused(conn->ssl) == 1);
    else
        (void)http_conn_free(conn);
}

int http_conn_new(struct event_base *base, int fd, SSL *ssl, uint64_t number, HttpConnList *list,
                  const HttpConnHooks *hooks)
{
    int options = BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS;
    HttpConn *conn = calloc(1, sizeof(*conn));

    if (conn)
        *conn = (HttpConn){.list = list, .hooks = hooks, .number = number, .ssl = ssl};
    if (conn && ssl)
        conn->bev = bufferevent_openssl_socket_new(base, fd, ssl, BUFFEREVENT_SSL_ACCEPTING,
                                                   options);
    else if (conn)
        conn->bev = bufferevent_socket_new(base, fd, options);
    if (!conn || !conn->bev) {
        SSL_free(ssl);
        (void)close(fd);
        free(conn);
        return -ENOMEM;
    }
    conn->next = list->first;
    if (conn->next)
        conn->next->previous = conn;
    list->first = conn;
    list->n++;
    conn->timer = evtimer_new(base, http_conn_on_timer, conn);
    conn->pending = evbuffer_new();
    if (!conn->timer || !conn->pending) {
        (void)http_conn_free(conn);
        return -ENOMEM;
    }
    if (ssl)
        bufferevent_openssl_set_allow_dirty_shutdown(conn->bev, 1);
    bufferevent_setwatermark(conn->bev, EV_READ, 0, HTTP_CONN_UNREAD_MAX);
    bufferevent_setcb(conn->bev, http_conn_on_read, http_conn_on_written, http_conn_on_event, conn);
    (void)bufferevent_enable(conn->bev, EV_READ | EV_WRITE);
    return 0;
}
