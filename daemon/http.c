#include "daemon/http.h"

#include <assert.h>
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <unistd.h>

#include <curl/curl.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/limits.h"

/* Of the whole time of a request, at most this goes into reaching the server. */
#define HTTP_CONNECT_USEC (30 * USEC_PER_SEC)

/*
 * libcurl keeps the certificates of a CA file this long. After a certificate was refused it is asked to read them
 * anew for as long, so that a corrected file counts at the next try.
 */
#define HTTP_CA_CACHE_USEC (300 * USEC_PER_SEC)

#define HTTP_USER_AGENT "elementd/" ELEMENTD_VERSION

/*
 * libcurl's sockets are in an epoll set of their own, of which the loop sees one descriptor: a turn of the loop takes one
 * step of one request. A TLS handshake has steps of half a millisecond, and when many requests start or are answered
 * together, clients would wait for all of them. In the same way a turn starts one request.
 */
struct Http {
    CURLM *multi;
    CURLSH
    *share; /* TLS sessions: the second connection to a server costs a fraction of the first */
    int epoll_fd;
    struct event *sockets; /* on epoll_fd */
    struct event *timer;
    struct event *start;
    TAILQ_HEAD(HttpSlots, HttpSlot) starting; /* not handed to libcurl yet */
    usec_t fresh_until; /* until then (boot-time clock) the CA file is read for each connection */
    bool has_ca_bundle; /* see http_has_ca_bundle() */
    unsigned n_slots;
};

struct HttpSlot {
    Http *http;
    CURL *easy;
    bool is_starting; /* in `starting` */
    bool is_added;    /* to the multi handle */
    TAILQ_ENTRY(HttpSlot) link;
    struct curl_slist *headers;
    Secret *body;
    size_t body_offset;
    Buffer answer_body;
    bool is_too_big;
    char error[CURL_ERROR_SIZE];
    HttpHandler handler;
    void *userdata;
};

/* ---- memory: libcurl's copies of headers and bodies are wiped when it frees them ---- */

static void http_free_memory(void *memory)
{
    if (memory)
        explicit_bzero(memory, malloc_usable_size(memory));
    free(memory);
}

/* realloc() may leave the old bytes behind. */
static void *http_realloc(void *old, size_t size)
{
    size_t old_size = old ? malloc_usable_size(old) : 0;
    void *memory;

    if (old && size <= old_size)
        return old;
    memory = malloc(size);
    if (!memory)
        return NULL;
    if (old)
        memcpy(memory, old, old_size);
    http_free_memory(old);
    return memory;
}

/* ---- libcurl's sockets and timer on the loop ---- */

static const struct timeval http_next_turn = {0, 0};

static void http_finish_all(Http *http);

static void http_on_sockets(evutil_socket_t epoll_fd, short what, void *userdata)
{
    Http *http = userdata;
    struct epoll_event event;
    int action = 0, n_running;

    (void)what;
    /* One of them. The kernel puts it behind the others that are ready, so each gets its turn. */
    if (epoll_wait(epoll_fd, &event, 1, 0) != 1)
        return;
    if (event.events & EPOLLIN)
        action |= CURL_CSELECT_IN;
    if (event.events & EPOLLOUT)
        action |= CURL_CSELECT_OUT;
    if (event.events & (EPOLLERR | EPOLLHUP))
        action |= CURL_CSELECT_IN | CURL_CSELECT_OUT; /* which tells libcurl what is wrong */
    (void)curl_multi_socket_action(http->multi, event.data.fd, action, &n_running);
    http_finish_all(http);
}

static void http_drive(Http *http)
{
    int n_running;

    (void)curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &n_running);
    http_finish_all(http);
}

static void http_on_timer(evutil_socket_t fd, short what, void *userdata)
{
    (void)fd;
    (void)what;
    http_drive(userdata);
}

static int http_on_set_timer(CURLM *multi, long timeout_msec, void *userdata)
{
    Http *http = userdata;
    struct timeval timeout = {timeout_msec / 1000, timeout_msec % 1000 * 1000};

    (void)multi;
    if (timeout_msec < 0)
        return event_del(http->timer);
    return event_add(http->timer, &timeout);
}

/* CURLMOPT_SOCKETFUNCTION(3): -1 ends the transfers of this handle with an error. */
static int http_on_set_socket(CURL *easy, curl_socket_t fd, int what, void *userdata,
                              void *socket_data)
{
    Http *http = userdata;
    struct epoll_event event = {.data.fd = fd};

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        /* Before libcurl closes it, but a socket that it did not open is not in the set any more. */
        (void)epoll_ctl(http->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
        return 0;
    }
    if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
        event.events |= EPOLLIN;
    if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
        event.events |= EPOLLOUT;
    if (epoll_ctl(http->epoll_fd, socket_data ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) < 0)
        return -1;
    (void)curl_multi_assign(http->multi, fd, http); /* "is in the set" */
    return 0;
}

/* ---- one request ---- */

static size_t http_on_answer_body(char *data, size_t size, size_t n, void *userdata)
{
    HttpSlot *slot = userdata;
    int r;

    r = buffer_append(&slot->answer_body, data, size * n);
    if (r == BUFFER_E_FULL)
        slot->is_too_big = true;
    return r == 0 ? size * n : 0;
}

/* Gives the body once, from its first to its last byte: see the head of http.h. */
static size_t http_on_request_body(char *space, size_t size, size_t n, void *userdata)
{
    HttpSlot *slot = userdata;
    size_t left = secret_size(slot->body) - slot->body_offset;
    size_t given = left < size * n ? left : size * n;

    memcpy(space, secret_reveal(slot->body) + slot->body_offset, given);
    slot->body_offset += given;
    return given;
}

static int http_add_header(HttpSlot *slot, const char *header)
{
    struct curl_slist *headers = curl_slist_append(slot->headers, header);

    if (!headers)
        return -ENOMEM;
    slot->headers = headers;
    return 0;
}

static int http_add_headers(HttpSlot *slot, const HttpRequest *request)
{
    _cleanup_(buffer_deinit) Buffer line = BUFFER_INIT(HTTP_HEADER_BYTES_MAX);
    int r;

    r = buffer_append_string(&line, "Authorization: ");
    if (r == 0)
        r = buffer_append(&line, secret_reveal(request->authorization),
                          secret_size(request->authorization));
    if (r == 0)
        r = buffer_append(&line, "", 1);
    if (r != 0)
        return r < 0 ? r : -EMSGSIZE;
    r = http_add_header(slot, buffer_data(&line));
    if (r == 0)
        r = http_add_header(slot, "Accept: application/json");
    if (r == 0 && request->body)
        r = http_add_header(slot, "Content-Type: application/json");
    if (r == 0 && request->body)
        r = http_add_header(slot,
                            "Expect:"); /* no waiting for a 100 that old gateways never send */
    return r;
}

/* Keeps the first failure; only a libcurl that was built without a feature has any. */
#define HTTP_SET(option, value)                                                                    \
    do {                                                                                           \
        if (code == CURLE_OK)                                                                      \
            code = curl_easy_setopt(slot->easy, (option), (value));                                \
    } while (false)

static CURLcode http_set_request(HttpSlot *slot, const HttpRequest *request)
{
    CURLcode code = CURLE_OK;

    HTTP_SET(CURLOPT_URL, request->url);
    if (request->body) {
        HTTP_SET(CURLOPT_POST, 1L);
        HTTP_SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)secret_size(request->body));
        HTTP_SET(CURLOPT_READFUNCTION, http_on_request_body);
        HTTP_SET(CURLOPT_READDATA, slot);
    }
    HTTP_SET(CURLOPT_CUSTOMREQUEST, request->method);
    HTTP_SET(CURLOPT_HTTPHEADER, slot->headers);
    HTTP_SET(CURLOPT_WRITEFUNCTION, http_on_answer_body);
    HTTP_SET(CURLOPT_WRITEDATA, slot);
    HTTP_SET(CURLOPT_ERRORBUFFER, slot->error);
    HTTP_SET(CURLOPT_PRIVATE, slot);
    HTTP_SET(CURLOPT_SHARE, slot->http->share);
    return code;
}

static CURLcode http_set_transport(HttpSlot *slot, const HttpRequest *request)
{
    bool is_tls = strncmp(request->url, "https:", 6) == 0;
    usec_t connect = request->timeout < HTTP_CONNECT_USEC ? request->timeout : HTTP_CONNECT_USEC;
    bool is_fresh = clock_boottime() < slot->http->fresh_until;
    CURLcode code = CURLE_OK;

    HTTP_SET(CURLOPT_PROTOCOLS_STR, is_tls ? "https" : "http");
    HTTP_SET(CURLOPT_FOLLOWLOCATION, 0L);
    HTTP_SET(CURLOPT_NOSIGNAL, 1L);
    HTTP_SET(CURLOPT_QUICK_EXIT, 1L); /* do not wait for a name lookup that hangs in its thread */
    HTTP_SET(CURLOPT_USERAGENT, HTTP_USER_AGENT);
    HTTP_SET(CURLOPT_TIMEOUT_MS, (long)(request->timeout / USEC_PER_MSEC));
    HTTP_SET(CURLOPT_CONNECTTIMEOUT_MS, (long)(connect / USEC_PER_MSEC));
    HTTP_SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    /* TLS tells at once whether connections can be shared; without it that shows in the first answer only. */
    HTTP_SET(CURLOPT_PIPEWAIT, is_tls ? 1L : 0L);
    HTTP_SET(CURLOPT_SSL_VERIFYPEER, 1L);
    HTTP_SET(CURLOPT_SSL_VERIFYHOST, 2L);
    HTTP_SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    /* Of no matter where it fails: a TLS library without such a cache reads the file each time. */
    (void)curl_easy_setopt(slot->easy, CURLOPT_CA_CACHE_TIMEOUT,
                           is_fresh ? 0L : (long)(HTTP_CA_CACHE_USEC / USEC_PER_SEC));
    /* The named authority alone: what else the system trusts must not speak for this platform. */
    if (request->ca_file)
        HTTP_SET(CURLOPT_CAINFO, request->ca_file);
    if (request->ca_file || slot->http->has_ca_bundle)
        HTTP_SET(CURLOPT_CAPATH, NULL);
    if (!is_tls) /* only ever a loopback address: its secrets must not go to a proxy */
        HTTP_SET(CURLOPT_PROXY, "");
    return code;
}

int http_start(Http *http, const HttpRequest *request, HttpHandler handler, void *userdata,
               HttpSlot **ret_slot)
{
    _cleanup_(http_slot_freep) HttpSlot *slot = NULL;
    int r;

    slot = malloc(sizeof(*slot));
    if (!slot)
        return -ENOMEM;
    *slot = (HttpSlot){
        .http = http,
        .body = secret_ref(request->body),
        .answer_body = BUFFER_INIT(HTTP_BODY_BYTES_MAX),
        .handler = handler,
        .userdata = userdata,
    };
    http->n_slots++;
    slot->easy = curl_easy_init();
    if (!slot->easy)
        return -ENOMEM;
    r = http_add_headers(slot, request);
    if (r < 0)
        return r;
    if (http_set_request(slot, request) != CURLE_OK ||
        http_set_transport(slot, request) != CURLE_OK)
        return -ENOTSUP;
    if (event_add(http->start, &http_next_turn) < 0)
        return -ENOMEM;
    TAILQ_INSERT_TAIL(&http->starting, slot, link);
    slot->is_starting = true;
    *ret_slot = TAKE_PTR(slot);
    return 0;
}

HttpSlot *http_slot_free(HttpSlot *slot)
{
    if (!slot)
        return NULL;
    if (slot->is_starting)
        TAILQ_REMOVE(&slot->http->starting, slot, link);
    if (slot->is_added)
        (void)curl_multi_remove_handle(slot->http->multi, slot->easy);
    if (slot->easy)
        curl_easy_cleanup(slot->easy);
    curl_slist_free_all(slot->headers);
    secret_unref(slot->body);
    buffer_deinit(&slot->answer_body);
    assert(slot->http->n_slots > 0);
    slot->http->n_slots--;
    free(slot);
    return NULL;
}

/* ---- the answer ---- */

static usec_t http_retry_after(CURL *easy)
{
    curl_off_t seconds = 0;

    /* Seconds or a date, as seconds from now. */
    if (curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &seconds) != CURLE_OK || seconds <= 0)
        return 0;
    if ((usec_t)seconds > RETRY_AFTER_MAX_USEC / USEC_PER_SEC)
        return RETRY_AFTER_MAX_USEC;
    return (usec_t)seconds * USEC_PER_SEC;
}

/* NULL in *ret_token when there is none: but only when that is sure, since no next page means "that is all". */
static int http_next_page(CURL *easy, char **ret_token)
{
    struct curl_header *header;
    const char *value;
    CURLHcode code;

    code = curl_easy_header(easy, "Elements-Next-Page-Token", 0, CURLH_HEADER, -1, &header);
    if (code != CURLHE_OK && code != CURLHE_MISSING && code != CURLHE_NOHEADERS)
        return -EIO;
    if (code != CURLHE_OK)
        return 0;
    /* libcurl 7.88 gives the end of the line as the value of an empty header. */
    value = header->value + strspn(header->value, " \t\r\n");
    if (!*value)
        return 0;
    *ret_token = strdup(value);
    return *ret_token ? 0 : -ENOMEM;
}

static char *http_problem(const HttpSlot *slot, CURLcode code)
{
    char *problem;
    int r;

    if (code == CURLE_OK)
        return NULL;
    if (slot->is_too_big)
        r = asprintf(&problem, "the answer is larger than %d MiB",
                     HTTP_BODY_BYTES_MAX / 1024 / 1024);
    else if (code == CURLE_SEND_FAIL_REWIND)
        r = asprintf(&problem, "the connection broke while the request was being sent");
    else
        r = asprintf(&problem, "%s", *slot->error ? slot->error : curl_easy_strerror(code));
    return r < 0 ? NULL : problem;
}

static void http_finish(HttpSlot *slot, CURLcode code)
{
    HttpHandler handler = slot->handler;
    void *userdata = slot->userdata;
    HttpAnswer answer = {
        .is_complete = code == CURLE_OK,
        .is_sent = !slot->body || slot->body_offset > 0,
        .body = slot->answer_body,
        .problem = http_problem(slot, code),
    };
    long status = 0;

    (void)curl_easy_getinfo(slot->easy, CURLINFO_RESPONSE_CODE, &status);
    answer.status = (int)status;
    if (status != 0) {
        answer.retry_after = http_retry_after(slot->easy);
        if (http_next_page(slot->easy, &answer.next_page) < 0)
            answer.is_complete = false;
    }
    if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE)
        slot->http->fresh_until = clock_add(clock_boottime(), HTTP_CA_CACHE_USEC);
    slot->answer_body = BUFFER_INIT(HTTP_BODY_BYTES_MAX);
    http_slot_free(slot);
    handler(userdata, &answer);
    buffer_deinit(&answer.body);
    free(answer.next_page);
    free(answer.problem);
}

/* A handler may start and cancel requests: each turn asks libcurl anew. */
static void http_finish_all(Http *http)
{
    CURLMsg *message;
    int n_left;

    while ((message = curl_multi_info_read(http->multi, &n_left))) {
        CURLcode code = message->data.result;
        char *slot = NULL;

        if (message->msg != CURLMSG_DONE)
            continue;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &slot);
        http_finish((HttpSlot *)slot, code);
    }
}

/* Hands the next request to libcurl. */
static void http_on_start(evutil_socket_t fd, short what, void *userdata)
{
    Http *http = userdata;
    HttpSlot *slot = TAILQ_FIRST(&http->starting);

    (void)fd;
    (void)what;
    if (!slot)
        return;
    TAILQ_REMOVE(&http->starting, slot, link);
    slot->is_starting = false;
    /* An event that was added before can be added again. */
    if (!TAILQ_EMPTY(&http->starting))
        (void)event_add(http->start, &http_next_turn);
    slot->is_added = curl_multi_add_handle(http->multi, slot->easy) == CURLM_OK;
    if (slot->is_added)
        http_drive(http); /* not by the timer, which each addition would put off */
    else
        http_finish(slot, CURLE_OUT_OF_MEMORY);
}

/* ---- the multi handle ---- */

static int http_init_library(void)
{
    static bool is_initialised = false;

    if (is_initialised)
        return 0;
    if (curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, http_free_memory, http_realloc, strdup,
                             calloc) != CURLE_OK)
        return -ENOMEM;
    is_initialised = true;
    return 0;
}

/*
 * Whether the system's certificates are in one file. libcurl keeps what it read of a file, but of nothing once a
 * directory is named too, as it is in Debian's build: then each connection reads all of them, 28 ms on the loop. Both hold
 * the same certificates, update-ca-certificates(8) sees to that.
 */
static bool http_has_ca_bundle(void)
{
    const curl_version_info_data *version = curl_version_info(CURLVERSION_NOW);

    return version->age >= CURLVERSION_SEVENTH && version->cainfo &&
           access(version->cainfo, R_OK) == 0;
}

void http_set_connections(Http *http, unsigned n_connections)
{
    static const CURLMoption options[] = {
        CURLMOPT_MAX_HOST_CONNECTIONS,
        CURLMOPT_MAX_TOTAL_CONNECTIONS,
        CURLMOPT_MAXCONNECTS,
    };

    for (size_t i = 0; i < N_ELEMENTS(options); i++) {
        CURLMcode code = curl_multi_setopt(http->multi, options[i], (long)n_connections);

        assert(code == CURLM_OK); /* they are older than what we build with, and take any number */
    }
}

static int http_set_options(Http *http)
{
    if (curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, http_on_set_socket) != CURLM_OK ||
        curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http) != CURLM_OK ||
        curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, http_on_set_timer) != CURLM_OK ||
        curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http) != CURLM_OK ||
        curl_multi_setopt(http->multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX) != CURLM_OK)
        return -ENOTSUP;
    return 0;
}

int http_new(struct event_base *base, unsigned n_connections, Http **ret_http)
{
    _cleanup_(http_freep) Http *http = NULL;
    int r;

    r = http_init_library();
    if (r < 0)
        return r;
    http = malloc(sizeof(*http));
    if (!http)
        return -ENOMEM;
    *http = (Http){.epoll_fd = -1, .has_ca_bundle = http_has_ca_bundle()};
    TAILQ_INIT(&http->starting);
    http->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (http->epoll_fd < 0)
        return error_errno();
    http->sockets = event_new(base, http->epoll_fd, EV_READ | EV_PERSIST, http_on_sockets, http);
    http->timer = evtimer_new(base, http_on_timer, http);
    http->start = evtimer_new(base, http_on_start, http);
    http->multi = curl_multi_init();
    http->share = curl_share_init();
    if (!http->sockets || !http->timer || !http->start || !http->multi || !http->share ||
        event_add(http->sockets, NULL) < 0)
        return -ENOMEM;
    /* Of no matter where it fails: then each connection has a whole handshake. */
    (void)curl_share_setopt(http->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
    r = http_set_options(http);
    if (r < 0)
        return r;
    http_set_connections(http, n_connections);
    *ret_http = TAKE_PTR(http);
    return 0;
}

Http *http_free(Http *http)
{
    if (!http)
        return NULL;
    assert(http->n_slots == 0);
    /* Closing connections calls back for their sockets and the timer. */
    if (http->multi)
        (void)curl_multi_cleanup(http->multi);
    if (http->share)
        (void)curl_share_cleanup(http->share);
    if (http->sockets)
        event_free(http->sockets);
    if (http->timer)
        event_free(http->timer);
    if (http->start)
        event_free(http->start);
    closep(&http->epoll_fd);
    free(http);
    return NULL;
}
