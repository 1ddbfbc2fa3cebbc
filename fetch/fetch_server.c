#include "fetch/fetch_server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "base/error.h"
#include "fetch/fetch.h"
#include "fetch/http_wire.h"

typedef struct FetchJob {
    FetchServer *server;
    uint64_t id;
    FetchSlot *slot; /* NULL once it is answered */
    HttpAnswer answer;
    bool is_answered; /* in `answered`, else in `running` */
    TAILQ_ENTRY(FetchJob) link;
} FetchJob;

TAILQ_HEAD(FetchJobs, FetchJob);

struct FetchServer {
    int fd;
    Fetch *fetch;
    struct event *readable;
    struct event *writable;
    struct FetchJobs running;
    struct FetchJobs answered; /* not told, or not all of it */
    unsigned n_jobs;
    Buffer input;
    Buffer output; /* frames that are on their way */
    FetchServerEnded ended;
    void *userdata;
};

/* ---- jobs ---- */

static void fetch_job_free(FetchJob *job)
{
    FetchServer *server = job->server;

    TAILQ_REMOVE(job->is_answered ? &server->answered : &server->running, job, link);
    server->n_jobs--;
    fetch_slot_free(job->slot);
    buffer_deinit(&job->answer.body);
    free(job->answer.next_page);
    free(job->answer.problem);
    free(job);
}

/* It has an answer, which is told when the socket takes it. */
static void fetch_job_answer(FetchJob *job)
{
    FetchServer *server = job->server;

    TAILQ_REMOVE(&server->running, job, link);
    job->is_answered = true;
    TAILQ_INSERT_TAIL(&server->answered, job, link);
    (void)event_add(server->writable, NULL);
}

static void fetch_job_on_answer(void *userdata, HttpAnswer *answer)
{
    FetchJob *job = userdata;

    job->slot = NULL;
    job->answer = *answer;
    *answer = (HttpAnswer){};
    fetch_job_answer(job);
}

static void fetch_job_fail(FetchJob *job, int error)
{
    job->answer = (HttpAnswer){.problem = strdup(error_text(error))};
    fetch_job_answer(job);
}

/* ---- what is asked ---- */

static int fetch_server_start(FetchServer *server, const HttpWireFrame *frame, FetchJob *job)
{
    _cleanup_(secret_unrefp) Secret *authorization = NULL, *body = NULL;
    HttpRequest request = {
        .method = frame->method.data,
        .url = frame->url.data,
        .ca_file = frame->ca_file.data,
        .timeout = frame->timeout,
    };
    int r;

    r = secret_new(frame->authorization.data, frame->authorization.size, &authorization);
    if (r == 0 && frame->body.data)
        r = secret_new(frame->body.data, frame->body.size, &body);
    if (r < 0)
        return r;
    request.authorization = authorization;
    request.body = body;
    return fetch_start(server->fetch, &request, fetch_job_on_answer, job, &job->slot);
}

static int fetch_server_request(FetchServer *server, const HttpWireFrame *frame)
{
    FetchJob *job;
    int r;

    if (server->n_jobs == HTTP_REQUESTS_MAX)
        return -EPROTO;
    job = malloc(sizeof(*job));
    if (!job)
        return -ENOMEM;
    *job = (FetchJob){.server = server, .id = frame->id};
    TAILQ_INSERT_TAIL(&server->running, job, link);
    server->n_jobs++;
    r = fetch_server_start(server, frame, job);
    if (r < 0)
        fetch_job_fail(job, r);
    return 0;
}

/* One that was answered meanwhile is not under way any more, and nothing is changed about its answer. */
static void fetch_server_cancel(FetchServer *server, uint64_t id)
{
    FetchJob *job;

    TAILQ_FOREACH(job, &server->running, link) {
        /* cppcheck-suppress uninitvar; the loop's macro sets it */
        if (job->id != id)
            continue;
        job->slot = fetch_slot_free(job->slot);
        fetch_job_fail(job, -ECANCELED);
        return;
    }
}

static int fetch_server_take(FetchServer *server, const HttpWireFrame *frame)
{
    switch (frame->type) {
    case HTTP_WIRE_REQUEST:
        return fetch_server_request(server, frame);
    case HTTP_WIRE_CANCEL:
        fetch_server_cancel(server, frame->id);
        return 0;
    case HTTP_WIRE_CONNECTIONS:
        fetch_set_connections(server->fetch, frame->number);
        return 0;
    case HTTP_WIRE_HELLO:
    case HTTP_WIRE_PIECE:
    case HTTP_WIRE_END:
        break; /* do not come from there, see http_wire_parse() */
    }
    return -EPROTO;
}

static int fetch_server_read(FetchServer *server)
{
    char *space;
    ssize_t n;
    int r;

    r = buffer_reserve(&server->input, HTTP_TURN_BYTES_MAX, &space);
    if (r != 0)
        return r < 0 ? r : -EPROTO;
    n = recv(server->fd, space, HTTP_TURN_BYTES_MAX, MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : error_errno();
    if (n == 0)
        return -EPIPE;
    buffer_commit(&server->input, (size_t)n);
    for (;;) {
        HttpWireFrame frame;
        size_t size;

        r = http_wire_parse(&server->input, HTTP_WIRE_FAR, &frame, &size);
        if (r == HTTP_WIRE_E_MORE)
            return 0;
        r = r == 0 ? fetch_server_take(server, &frame) : -EPROTO;
        if (r < 0)
            return r;
        buffer_consume(&server->input, size);
        if (buffer_size(&server->input) == 0)
            buffer_clear(&server->input);
    }
}

static void fetch_server_on_readable(evutil_socket_t fd, short what, void *userdata)
{
    FetchServer *server = userdata;
    int r;

    (void)fd;
    (void)what;
    r = fetch_server_read(server);
    if (r < 0)
        server->ended(server->userdata, r == -EPIPE || r == -ECONNRESET ? 0 : r);
}

/* ---- what is told ---- */

/* "That is all" must not be said where a next page is announced that cannot be told. */
static int fetch_server_put_end(FetchServer *server, FetchJob *job)
{
    int r;

    r = http_wire_put_end(&server->output, job->id, &job->answer);
    if (r != BUFFER_E_FULL || !job->answer.next_page)
        return r;
    free(job->answer.next_page);
    free(job->answer.problem);
    job->answer.next_page = NULL;
    job->answer.problem = strdup("the answer names a next page that no request can ask for");
    job->answer.is_complete = false;
    return http_wire_put_end(&server->output, job->id, &job->answer);
}

/* The next frame of the first answer. */
static int fetch_server_put(FetchServer *server)
{
    FetchJob *job = TAILQ_FIRST(&server->answered);
    size_t size = buffer_size(&job->answer.body);
    int r;

    if (size > HTTP_PIECE_BYTES_MAX)
        size = HTTP_PIECE_BYTES_MAX;
    if (size > 0) {
        r = http_wire_put_piece(&server->output, job->id, buffer_data(&job->answer.body), size);
        if (r == 0)
            buffer_consume(&job->answer.body, size);
        return r;
    }
    r = fetch_server_put_end(server, job);
    if (r == 0)
        fetch_job_free(job);
    return r;
}

static int fetch_server_write(FetchServer *server)
{
    ssize_t n;
    int r = 0;

    while (r == 0 && !TAILQ_EMPTY(&server->answered) &&
           buffer_size(&server->output) < HTTP_PIECE_BYTES_MAX)
        r = fetch_server_put(server);
    if (r != 0)
        return r < 0 ? r : -EPROTO;
    n = send(server->fd, buffer_data(&server->output), buffer_size(&server->output),
             MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : error_errno();
    buffer_consume(&server->output, (size_t)n);
    return 0;
}

static void fetch_server_on_writable(evutil_socket_t fd, short what, void *userdata)
{
    FetchServer *server = userdata;
    int r;

    (void)fd;
    (void)what;
    r = fetch_server_write(server);
    if (r < 0) {
        server->ended(server->userdata, r == -EPIPE || r == -ECONNRESET ? 0 : r);
        return;
    }
    if (buffer_size(&server->output) > 0 || !TAILQ_EMPTY(&server->answered))
        (void)event_add(server->writable, NULL);
}

/* ---- the server ---- */

int fetch_server_new(struct event_base *base, int fd, FetchServerEnded ended, void *userdata,
                     FetchServer **ret_server)
{
    _cleanup_(fetch_server_freep) FetchServer *server = NULL;
    int r;

    server = malloc(sizeof(*server));
    if (!server)
        return -ENOMEM;
    *server = (FetchServer){
        .fd = fd,
        .input = BUFFER_INIT(HTTP_WIRE_TO_FAR_BYTES_MAX + HTTP_TURN_BYTES_MAX),
        .output = BUFFER_INIT(HTTP_PIECE_BYTES_MAX + HTTP_WIRE_TO_NEAR_BYTES_MAX),
        .ended = ended,
        .userdata = userdata,
    };
    TAILQ_INIT(&server->running);
    TAILQ_INIT(&server->answered);
    r = fetch_new(base, 1, &server->fetch); /* how many is told before the first request */
    if (r == 0)
        r = http_wire_put_number(&server->output, HTTP_WIRE_HELLO, HTTP_WIRE_VERSION);
    if (r < 0)
        return r;
    server->readable = event_new(base, fd, EV_READ | EV_PERSIST, fetch_server_on_readable, server);
    server->writable = event_new(base, fd, EV_WRITE, fetch_server_on_writable, server);
    if (!server->readable || !server->writable || event_add(server->readable, NULL) < 0 ||
        event_add(server->writable, NULL) < 0)
        return -ENOMEM;
    *ret_server = TAKE_PTR(server);
    return 0;
}

FetchServer *fetch_server_free(FetchServer *server)
{
    if (!server)
        return NULL;
    while (!TAILQ_EMPTY(&server->running))
        fetch_job_free(TAILQ_FIRST(&server->running));
    while (!TAILQ_EMPTY(&server->answered))
        fetch_job_free(TAILQ_FIRST(&server->answered));
    fetch_free(server->fetch);
    if (server->readable)
        event_free(server->readable);
    if (server->writable)
        event_free(server->writable);
    buffer_deinit(&server->input);
    buffer_deinit(&server->output);
    free(server);
    return NULL;
}
