#include "daemon/http.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/error.h"
#include "base/limits.h"
#include "daemon/http_helper.h"
#include "fetch/http_wire.h"
#include "systemd/log.h"
#include "systemd/messages.h"

/*
 * The near end. Whatever is to be written is made one frame at a time, when the socket takes it, so that nothing piles up
 * here; whatever is read is believed as far as http_wire_parse() and the lists of slots allow.
 */

typedef enum HttpStage {
    HTTP_QUEUED,     /* the other process has not heard of it */
    HTTP_SENDING,    /* has a part of it, with which it can do nothing */
    HTTP_HANDED,     /* has all of it, and owes us its end */
    HTTP_CANCELLING, /* and is to hear that nobody waits for it any more */
    HTTP_CANCELLED,  /* has heard it, and owes us its end still */
    HTTP_ENDING,     /* of no process any more; its handler comes next */
} HttpStage;

TAILQ_HEAD(HttpSlots, HttpSlot);

struct HttpSlot {
    Http *http;
    uint64_t id;
    HttpStage stage;
    bool is_abandoned;      /* was cancelled: its owner knows it no more */
    bool is_unsent;         /* ENDING: no process has had all of it */
    struct HttpSlots *list; /* that it is in, or NULL */
    TAILQ_ENTRY(HttpSlot) link;
    Buffer head;  /* the frame but for the body, until it is sent */
    Secret *body; /* likewise */
    bool has_body;
    struct event *deadline;
    Buffer answer;
    HttpHandler handler;
    void *userdata;
};

typedef enum HttpState {
    HTTP_NONE,     /* no process, or one that is dying */
    HTTP_GREETING, /* started, and has not said anything */
    HTTP_READY,
} HttpState;

struct Http {
    struct event_base *base;
    HttpHelper helper;
    HttpState state;
    usec_t next_start;   /* boot-time clock */
    struct event *tend;  /* starts a process, or sees the end of one */
    struct event *again; /* reads on in the next turn of the loop */
    struct event *readable;
    struct event *writable;
    unsigned n_connections;
    bool is_connections_due; /* to be told */
    bool is_prepared;        /* the process is to be started, whether or not there is a request */
    bool is_failure_told;    /* in the log */
    uint64_t last_id;
    unsigned n_slots;   /* that have an owner */
    unsigned n_handed;  /* of which the process owes us the end */
    HttpSlot *sending;  /* whose frame is on its way, or NULL */
    size_t n_body_sent; /* of that frame, or of `output` */
    Buffer output;      /* another frame that is on its way */
    Buffer input;
    struct HttpSlots queued;
    struct HttpSlots handed; /* HANDED and CANCELLED */
    struct HttpSlots cancelling;
    struct HttpSlots ending;
};

static const struct timeval http_next_turn = {0, 0};

static struct timeval http_timeval(usec_t usec)
{
    return (struct timeval){(time_t)(usec / USEC_PER_SEC), (suseconds_t)(usec % USEC_PER_SEC)};
}

/* ---- slots ---- */

/* The only one to write `stage` and `list`; what each stage waits for is looked at by http_arm(). */
static void http_slot_set_stage(HttpSlot *slot, HttpStage stage)
{
    Http *http = slot->http;
    struct HttpSlots *lists[] = {
        [HTTP_QUEUED] = &http->queued,    [HTTP_SENDING] = NULL,
        [HTTP_HANDED] = &http->handed,    [HTTP_CANCELLING] = &http->cancelling,
        [HTTP_CANCELLED] = &http->handed, [HTTP_ENDING] = &http->ending,
    };

    if (slot->list)
        TAILQ_REMOVE(slot->list, slot, link);
    slot->stage = stage;
    slot->list = lists[stage];
    if (slot->list)
        TAILQ_INSERT_TAIL(slot->list, slot, link);
}

static void http_slot_destroy(HttpSlot *slot)
{
    if (slot->list)
        TAILQ_REMOVE(slot->list, slot, link);
    if (slot->deadline)
        event_free(slot->deadline);
    buffer_deinit(&slot->head);
    secret_unref(slot->body);
    buffer_deinit(&slot->answer);
    free(slot);
}

/* The owner has been told, or has told us. */
static void http_slot_abandon(HttpSlot *slot)
{
    assert(slot->http->n_slots > 0);
    slot->http->n_slots--;
    slot->is_abandoned = true;
    if (slot->deadline)
        (void)event_del(slot->deadline);
    buffer_deinit(&slot->answer);
}

/* Gives `answer` to the owner, and then all of it back. */
static void http_slot_finish(HttpSlot *slot, HttpAnswer *answer)
{
    HttpHandler handler = slot->handler;
    void *userdata = slot->userdata;

    answer->body = slot->answer;
    slot->answer = BUFFER_INIT(0);
    http_slot_abandon(slot);
    http_slot_destroy(slot);
    handler(userdata, answer);
    buffer_deinit(&answer->body);
    free(answer->next_page);
    free(answer->problem);
}

/* Ends it without an answer. What came of the body is of no use then. */
static void http_slot_fail(HttpSlot *slot, bool is_sent, const char *problem)
{
    HttpAnswer answer = {.is_sent = is_sent || !slot->has_body, .problem = strdup(problem)};

    buffer_deinit(&slot->answer);
    http_slot_finish(slot, &answer);
}

static HttpSlot *http_find_handed(const Http *http, uint64_t id)
{
    HttpSlot *slot;

    /* Some hundred at most, and the oldest are the likeliest. */
    TAILQ_FOREACH(slot, &http->handed, link)
        if (slot->id == id)
            return slot;
    TAILQ_FOREACH(slot, &http->cancelling, link)
        if (slot->id == id)
            return slot;
    return NULL;
}

/* ---- what is waited for ---- */

static bool http_has_to_write(const Http *http)
{
    return http->sending || buffer_size(&http->output) > 0 || http->is_connections_due ||
           !TAILQ_EMPTY(&http->cancelling) ||
           (!TAILQ_EMPTY(&http->queued) && http->n_handed < HTTP_REQUESTS_MAX);
}

/* After each change: asks the loop for what can go on. An event that was added before can be added again. */
static void http_arm(Http *http)
{
    usec_t now;
    struct timeval pause;

    if (http->state == HTTP_READY && http_has_to_write(http))
        (void)event_add(http->writable, NULL);
    if (http->state != HTTP_NONE ||
        (TAILQ_EMPTY(&http->queued) && !http->is_prepared && http->helper.pid == 0) ||
        evtimer_pending(http->tend, NULL))
        return;
    now = clock_boottime();
    pause = http_timeval(http->next_start > now ? http->next_start - now : 0);
    (void)event_add(http->tend, &pause);
}

/* ---- the end of the process ---- */

/* Those of `ending`, of which some may be cancelled by the handlers of the others. */
static void http_end_all(Http *http, bool is_sent, const char *problem)
{
    HttpSlot *slot;

    while ((slot = TAILQ_FIRST(&http->ending)))
        http_slot_fail(slot, is_sent && !slot->is_unsent, problem);
}

static void http_move_to_ending(struct HttpSlots *list)
{
    HttpSlot *slot, *next;

    for (slot = TAILQ_FIRST(list); slot; slot = next) {
        next = TAILQ_NEXT(slot, link);
        if (slot->is_abandoned)
            http_slot_destroy(slot);
        else
            http_slot_set_stage(slot, HTTP_ENDING);
    }
}

/*
 * Of a frame that was not whole the process has no use: the request waits for the next one, at the head of the line, from its
 * first byte on. Unless its time is over.
 */
static void http_take_back(Http *http)
{
    HttpSlot *slot = http->sending;

    http->sending = NULL;
    http->n_body_sent = 0;
    if (!slot)
        return;
    if (slot->is_abandoned) {
        http_slot_destroy(slot);
        return;
    }
    if (!evtimer_pending(slot->deadline, NULL)) {
        slot->is_unsent = true;
        http_slot_set_stage(slot, HTTP_ENDING);
        return;
    }
    http_slot_set_stage(slot, HTTP_QUEUED);
    TAILQ_REMOVE(&http->queued, slot, link);
    TAILQ_INSERT_HEAD(&http->queued, slot, link);
}

/* No process can be had: nothing that waits for one was sent. */
static void http_give_up(Http *http, const char *why)
{
    char problem[PATH_MAX + 256];

    (void)snprintf(problem, sizeof(problem), "%s, which asks the platform, cannot be started: %s",
                   http_helper_program(), why);
    if (!http->is_failure_told)
        log_event(LOG_ERR, MESSAGE_HTTP_FAILED, "%s; tried anew with each request", problem);
    http->is_failure_told = true;
    http_move_to_ending(&http->queued);
    http_end_all(http, false, problem);
    http_arm(http);
}

/*
 * The process has ended, or must: what it owed us will not come. Its zombie is waited for by http_on_tend(). `why` says
 * what it did.
 */
static void http_break(Http *http, const char *why)
{
    HttpState state = http->state;
    char problem[256];

    http->state = HTTP_NONE;
    (void)event_del(http->readable);
    (void)event_del(http->writable);
    (void)event_del(http->again);
    http_helper_kill(&http->helper);
    buffer_deinit(&http->input);
    buffer_deinit(&http->output);
    http_take_back(http);
    http->n_handed = 0;
    http_move_to_ending(&http->handed);
    http_move_to_ending(&http->cancelling);
    if (state == HTTP_GREETING) {
        http_give_up(http, why);
        return;
    }
    log_event(LOG_WARNING, MESSAGE_HTTP_ENDED,
              "the process that asks the platform %s; the next request starts another", why);
    (void)snprintf(problem, sizeof(problem), "the process that asks the platform %s", why);
    http_end_all(http, true, problem);
    http_arm(http);
}

/* A request that was not ended in its time. */
static void http_on_deadline(evutil_socket_t fd, short what, void *userdata)
{
    HttpSlot *slot = userdata;
    Http *http = slot->http;

    (void)fd;
    (void)what;
    if (slot->stage == HTTP_QUEUED && http->state == HTTP_NONE)
        http_slot_fail(slot, false,
                       "the process that asks the platform could not be started in time");
    else if (slot->stage == HTTP_QUEUED && http->state == HTTP_READY && !http->sending)
        http_slot_fail(slot, false, "too many requests are under way");
    else
        http_break(http, "does not answer in time");
}

/* ---- reading ---- */

static char *http_copy(HttpWireBytes bytes)
{
    return bytes.data ? strndup(bytes.data, bytes.size) : NULL;
}

/* 0, with *ret_slot and *ret_answer when it ended a request that has an owner; or -errno. */
static int http_take_end(Http *http, const HttpWireFrame *frame, HttpSlot *slot,
                         HttpSlot **ret_slot, HttpAnswer *ret_answer)
{
    HttpAnswer answer = {
        .status = frame->status,
        .is_complete = frame->is_complete,
        .is_sent = frame->is_sent || !slot->has_body,
        .failure = frame->failure,
        .retry_after = frame->retry_after,
        .next_page = http_copy(frame->next_page),
        .problem = http_copy(frame->problem),
    };

    assert(http->n_handed > 0);
    http->n_handed--;
    if (!slot->is_abandoned) {
        /* Without memory for it, "no next page" would mean "that is all". */
        if (frame->next_page.data && !answer.next_page)
            answer.is_complete = false;
        *ret_answer = answer;
        *ret_slot = slot;
        return 0;
    }
    free(answer.next_page);
    free(answer.problem);
    http_slot_destroy(slot);
    return 0;
}

static int http_take_piece(HttpSlot *slot, const HttpWireFrame *frame)
{
    int r;

    if (slot->is_abandoned)
        return 0;
    r = buffer_append(&slot->answer, frame->body.data, frame->body.size);
    return r > 0 ? -EMSGSIZE : r;
}

/* -EPROTO for what must not come now. */
static int http_take(Http *http, const HttpWireFrame *frame, HttpSlot **ret_slot,
                     HttpAnswer *ret_answer)
{
    HttpSlot *slot;

    if ((frame->type == HTTP_WIRE_HELLO) != (http->state == HTTP_GREETING))
        return -EPROTO;
    if (frame->type == HTTP_WIRE_HELLO) {
        if (frame->number != HTTP_WIRE_VERSION)
            return -EPROTO;
        http->state = HTTP_READY;
        http->is_failure_told = false;
        http_arm(http);
        return 0;
    }
    slot = http_find_handed(http, frame->id);
    if (!slot)
        return -EPROTO;
    return frame->type == HTTP_WIRE_PIECE ? http_take_piece(slot, frame)
                                          : http_take_end(http, frame, slot, ret_slot, ret_answer);
}

/* Some bytes from the socket. 0, or -errno: -EAGAIN when there are none, -EPIPE when there will be none. */
static int http_receive(Http *http, size_t *budget)
{
    size_t size = HTTP_TURN_BYTES_MAX < *budget ? HTTP_TURN_BYTES_MAX : *budget;
    char *space;
    ssize_t n;
    int r;

    r = buffer_reserve(&http->input, size, &space);
    if (r != 0)
        return r < 0 ? r : -EPROTO;
    n = recv(http->helper.socket, space, size, MSG_DONTWAIT);
    if (n <= 0)
        return n == 0 || errno == ECONNRESET ? -EPIPE : error_errno();
    buffer_commit(&http->input, (size_t)n);
    *budget -= (size_t)n;
    return 0;
}

/*
 * Goes on with what has come, until there is no more, HTTP_TURN_BYTES_MAX were read, or one request has ended: reading
 * what it says is work too, and clients wait. The rest has its turn after them.
 */
static int http_read(Http *http)
{
    size_t budget = HTTP_TURN_BYTES_MAX;

    for (;;) {
        HttpSlot *slot = NULL;
        HttpAnswer answer;
        HttpWireFrame frame;
        size_t size;
        int r = http_wire_parse(&http->input, HTTP_WIRE_NEAR, &frame, &size);

        if (r == HTTP_WIRE_E_BROKEN)
            return -EPROTO;
        if (r == HTTP_WIRE_E_MORE) {
            r = budget > 0 ? http_receive(http, &budget) : -EAGAIN;
            if (r < 0)
                return r == -EAGAIN || r == -EINTR ? 0 : r;
            continue;
        }
        r = http_take(http, &frame, &slot, &answer);
        if (r < 0)
            return r;
        buffer_consume(&http->input, size);
        if (buffer_size(&http->input) == 0)
            buffer_clear(&http->input);
        if (slot) {
            (void)event_add(http->again, &http_next_turn);
            http_arm(http); /* one more may be handed over */
            http_slot_finish(slot, &answer);
            return 0;
        }
    }
}

static const char *http_words(int error)
{
    if (error == -EPIPE)
        return "has ended";
    return error == -EPROTO || error == -EMSGSIZE ? "said what it must not say" : error_text(error);
}

static void http_on_readable(evutil_socket_t fd, short what, void *userdata)
{
    Http *http = userdata;
    int r;

    (void)fd;
    (void)what;
    r = http_read(http);
    if (r < 0)
        http_break(http, http_words(r));
}

/* ---- writing ---- */

/* What is next on its way; nothing when there is nothing. 0 or -errno. */
static int http_next_frame(Http *http)
{
    HttpSlot *slot;
    int r = 0;

    if (http->is_connections_due) {
        r = http_wire_put_number(&http->output, HTTP_WIRE_CONNECTIONS, http->n_connections);
        http->is_connections_due = r != 0;
    } else if ((slot = TAILQ_FIRST(&http->cancelling))) {
        r = http_wire_put_cancel(&http->output, slot->id);
        if (r == 0)
            http_slot_set_stage(slot, HTTP_CANCELLED);
    } else if ((slot = TAILQ_FIRST(&http->queued)) && http->n_handed < HTTP_REQUESTS_MAX) {
        http_slot_set_stage(slot, HTTP_SENDING);
        http->sending = slot;
        http->n_body_sent = 0;
    }
    return r > 0 ? -EMSGSIZE : r;
}

/* The head of a request stays, for another process, until the last byte has gone: so it is not consumed but skipped. */
static size_t http_pieces(Http *http, size_t max, struct iovec pieces[2])
{
    const Buffer *head = http->sending ? &http->sending->head : &http->output;
    size_t skip = http->n_body_sent, size = buffer_size(head), n = 0;
    size_t body = http->sending ? secret_size(http->sending->body) : 0;

    if (skip < size) {
        pieces[n].iov_base = buffer_data(head) + skip;
        pieces[n].iov_len = size - skip < max ? size - skip : max;
        max -= pieces[n++].iov_len;
        skip = size;
    }
    skip -= size;
    if (skip < body && max > 0) {
        pieces[n].iov_base = (char *)secret_reveal(http->sending->body) + skip;
        pieces[n].iov_len = body - skip < max ? body - skip : max;
        n++;
    }
    return n;
}

/* The frame has gone, whole. */
static void http_frame_done(Http *http)
{
    HttpSlot *slot = http->sending;

    http->n_body_sent = 0;
    http->sending = NULL;
    buffer_clear(&http->output);
    if (!slot)
        return;
    http->n_handed++;
    http_slot_set_stage(slot, slot->is_abandoned ? HTTP_CANCELLING : HTTP_HANDED);
    buffer_deinit(&slot->head);
    slot->body = secret_unref(slot->body);
}

static int http_write(Http *http)
{
    size_t budget = HTTP_TURN_BYTES_MAX;

    while (budget > 0) {
        struct iovec pieces[2];
        struct msghdr message = {.msg_iov = pieces};
        ssize_t n;
        int r;

        if (!http->sending && buffer_size(&http->output) == 0) {
            r = http_next_frame(http);
            if (r < 0)
                return r;
        }
        message.msg_iovlen = http_pieces(http, budget, pieces);
        if (message.msg_iovlen == 0)
            return -EAGAIN; /* nothing more to say */
        n = sendmsg(http->helper.socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0)
            return error_errno();
        http->n_body_sent += (size_t)n;
        budget -= (size_t)n;
        if (http_pieces(http, 1, pieces) == 0)
            http_frame_done(http);
    }
    return 0;
}

static void http_on_writable(evutil_socket_t fd, short what, void *userdata)
{
    Http *http = userdata;
    int r;

    (void)fd;
    (void)what;
    r = http_write(http);
    /*
     * Who does not listen any more may have said something before, and the reading end of the socket tells the rest:
     * answers, and then the end.
     */
    if (r == -EPIPE || r == -ECONNRESET)
        return;
    if (r < 0 && r != -EAGAIN && r != -EINTR) {
        http_break(http, http_words(r));
        return;
    }
    http_arm(http);
}

/* ---- the process ---- */

static int http_start_helper(Http *http)
{
    int r;

    http->is_prepared = false;
    http->next_start = clock_add(clock_boottime(), HTTP_START_PAUSE_USEC);
    r = http_helper_start(&http->helper);
    if (r < 0)
        return r;
    http->state = HTTP_GREETING;
    http->is_connections_due = true;
    buffer_init(&http->input, HTTP_WIRE_TO_NEAR_BYTES_MAX + HTTP_TURN_BYTES_MAX);
    buffer_init(&http->output, HTTP_WIRE_PREFIX_BYTES + 64);
    if (event_assign(http->readable, http->base, http->helper.socket, EV_READ | EV_PERSIST,
                     http_on_readable, http) < 0 ||
        event_assign(http->writable, http->base, http->helper.socket, EV_WRITE, http_on_writable,
                     http) < 0 ||
        event_add(http->readable, NULL) < 0)
        return -ENOMEM;
    log_debug("started %s as process %d", http_helper_program(), (int)http->helper.pid);
    return 0;
}

static void http_on_tend(evutil_socket_t fd, short what, void *userdata)
{
    Http *http = userdata;
    int r = 0;

    (void)fd;
    (void)what;
    if (!http_helper_reap(&http->helper)) {
        http->next_start = clock_add(clock_boottime(), HTTP_START_PAUSE_USEC);
        http_arm(http);
        return;
    }
    if (TAILQ_EMPTY(&http->queued) && !http->is_prepared)
        return;
    if (clock_boottime() <
        http->next_start) { /* the loop counts from the turn in which a timer is added */
        http_arm(http);
        return;
    }
    r = http_start_helper(http);
    if (r == 0)
        return;
    if (http->state == HTTP_GREETING)
        http_break(http, error_text(r));
    else
        http_give_up(http, error_text(r));
}

/* ---- what the header says ---- */

int http_start(Http *http, const HttpRequest *request, HttpHandler handler, void *userdata,
               HttpSlot **ret_slot)
{
    struct timeval timeout = http_timeval(clock_add(request->timeout, HTTP_GRACE_USEC));
    HttpSlot *slot;
    int r;

    slot = malloc(sizeof(*slot));
    if (!slot)
        return -ENOMEM;
    *slot = (HttpSlot){
        .http = http,
        .id = ++http->last_id,
        .head = BUFFER_INIT(HTTP_WIRE_TO_FAR_BYTES_MAX),
        .body = secret_ref(request->body),
        .has_body = request->body,
        .answer = BUFFER_INIT(HTTP_BODY_BYTES_MAX),
        .handler = handler,
        .userdata = userdata,
    };
    http->n_slots++;
    slot->deadline = evtimer_new(http->base, http_on_deadline, slot);
    r = slot->deadline ? http_wire_put_request(&slot->head, slot->id, request) : -ENOMEM;
    if (r == 0 && event_add(slot->deadline, &timeout) < 0)
        r = -ENOMEM;
    if (r != 0) {
        http_slot_abandon(slot);
        http_slot_destroy(slot);
        return r < 0 ? r : -EMSGSIZE;
    }
    http_slot_set_stage(slot, HTTP_QUEUED);
    http_arm(http);
    *ret_slot = slot;
    return 0;
}

HttpSlot *http_slot_free(HttpSlot *slot)
{
    if (!slot)
        return NULL;
    http_slot_abandon(slot);
    switch (slot->stage) {
    case HTTP_QUEUED:
    case HTTP_ENDING:
        http_slot_destroy(slot);
        return NULL;
    case HTTP_SENDING: /* the frame must go on to its end, then the other process is told */
        return NULL;
    case HTTP_HANDED:
        http_slot_set_stage(slot, HTTP_CANCELLING);
        http_arm(slot->http);
        return NULL;
    case HTTP_CANCELLING:
    case HTTP_CANCELLED:
        break;
    }
    assert(!"a slot is freed once");
    return NULL;
}

void http_set_connections(Http *http, unsigned n_connections)
{
    http->n_connections = n_connections;
    http->is_connections_due = true;
    http_arm(http);
}

void http_prepare(Http *http)
{
    http->is_prepared = true;
    http_arm(http);
}

int http_new(struct event_base *base, unsigned n_connections, Http **ret_http)
{
    _cleanup_(http_freep) Http *http = NULL;

    http = malloc(sizeof(*http));
    if (!http)
        return -ENOMEM;
    *http = (Http){.base = base, .helper = HTTP_HELPER_INIT, .n_connections = n_connections};
    TAILQ_INIT(&http->queued);
    TAILQ_INIT(&http->handed);
    TAILQ_INIT(&http->cancelling);
    TAILQ_INIT(&http->ending);
    http->tend = evtimer_new(base, http_on_tend, http);
    http->again = event_new(base, -1, 0, http_on_readable, http);
    /* Of which socket is said when there is one. */
    http->readable = event_new(base, -1, 0, http_on_readable, http);
    http->writable = event_new(base, -1, 0, http_on_writable, http);
    if (!http->tend || !http->again || !http->readable || !http->writable)
        return -ENOMEM;
    *ret_http = TAKE_PTR(http);
    return 0;
}

static void http_free_event(struct event *event)
{
    if (event)
        event_free(event);
}

Http *http_free(Http *http)
{
    if (!http)
        return NULL;
    assert(http->n_slots == 0);
    http_free_event(http->tend);
    http_free_event(http->again);
    http_free_event(http->readable);
    http_free_event(http->writable);
    http_helper_deinit(&http->helper);
    http_take_back(http);
    http_move_to_ending(&http->handed);
    http_move_to_ending(&http->cancelling);
    assert(TAILQ_EMPTY(&http->ending) && TAILQ_EMPTY(&http->queued));
    buffer_deinit(&http->input);
    buffer_deinit(&http->output);
    free(http);
    return NULL;
}
