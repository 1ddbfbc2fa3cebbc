#include "fetch/fetch.h"

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
#define FETCH_CONNECT_USEC (30 * USEC_PER_SEC)

/*
 * libcurl keeps the certificates of a CA file this long. After a certificate was refused it is asked to read them
 * anew for as long, so that a corrected file counts at the next try.
 */
#define FETCH_CA_CACHE_USEC (300 * USEC_PER_SEC)

/*
 * The least that libcurl takes for the bodies that it sends, in place of 64 KiB: it has such a buffer made for each request,
 * and all of it is wiped after that (fetch_free_memory()). What is larger goes in several pieces.
 */
#define FETCH_UPLOAD_BYTES 16384L

/* Steps of requests that have begun after which one more begins all the same, so that a server that dribbles keeps none waiting. */
#define FETCH_STEPS_MAX 64

#define FETCH_USER_AGENT "elementd/" ELEMENTD_VERSION

/*
 * libcurl's sockets are in an epoll set of their own, of which the loop sees one descriptor: a turn of the loop takes one
 * step of one request, and one more is started when nothing else is to be done, or after FETCH_STEPS_MAX. No client waits
 * for that; but connections that begin together would all end their handshakes late, and most have whole ones: OpenSSL is done
 * with a TLS session when the first handshake by it ends (1.3), and the next session comes after that. (50 at once, measured:
 * 49 whole ones; the middle one of them ended after 46 ms, instead of 33 where those that have begun go first.)
 */
struct Fetch {
    CURLM *multi;
    CURLSH
    *share; /* TLS sessions: the second connection to a server costs a fraction of the first */
    int epoll_fd;
    struct event *sockets; /* on epoll_fd */
    struct event *timer;
    struct event *start;
    TAILQ_HEAD(FetchSlots, FetchSlot) starting; /* not handed to libcurl yet */
    unsigned n_steps;                           /* since one of those was */
    usec_t fresh_until; /* until then (boot-time clock) the CA file is read for each connection */
    bool has_ca_bundle; /* see fetch_has_ca_bundle() */
    unsigned n_slots;
};

struct FetchSlot {
    Fetch *fetch;
    CURL *easy;
    bool is_starting; /* in `starting` */
    bool is_added;    /* to the multi handle */
    TAILQ_ENTRY(FetchSlot) link;
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

static void fetch_free_memory(void *memory)
{
    if (memory)
        explicit_bzero(memory, malloc_usable_size(memory));
    free(memory);
}

/* realloc() may leave the old bytes behind. */
static void *fetch_realloc(void *old, size_t size)
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
    fetch_free_memory(old);
    return memory;
}

/* ---- libcurl's sockets and timer on the loop ---- */

static const struct timeval fetch_next_turn = {0, 0};

static void fetch_begin_next(Fetch *fetch);
static void fetch_finish_all(Fetch *fetch);

static void fetch_count_step(Fetch *fetch)
{
    if (++fetch->n_steps >= FETCH_STEPS_MAX)
        fetch_begin_next(fetch);
}

static void fetch_on_sockets(evutil_socket_t epoll_fd, short what, void *userdata)
{
    Fetch *fetch = userdata;
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
    (void)curl_multi_socket_action(fetch->multi, event.data.fd, action, &n_running);
    fetch_finish_all(fetch);
    fetch_count_step(fetch);
}

static void fetch_drive(Fetch *fetch)
{
    int n_running;

    (void)curl_multi_socket_action(fetch->multi, CURL_SOCKET_TIMEOUT, 0, &n_running);
    fetch_finish_all(fetch);
}

static void fetch_on_timer(evutil_socket_t fd, short what, void *userdata)
{
    (void)fd;
    (void)what;
    fetch_drive(userdata);
    fetch_count_step(userdata);
}

static int fetch_on_set_timer(CURLM *multi, long timeout_msec, void *userdata)
{
    Fetch *fetch = userdata;
    struct timeval timeout = {timeout_msec / 1000, timeout_msec % 1000 * 1000};

    (void)multi;
    if (timeout_msec < 0)
        return event_del(fetch->timer);
    return event_add(fetch->timer, &timeout);
}

/* CURLMOPT_SOCKETFUNCTION(3): -1 ends the transfers of this handle with an error. */
static int fetch_on_set_socket(CURL *easy, curl_socket_t fd, int what, void *userdata,
                               void *socket_data)
{
    Fetch *fetch = userdata;
    struct epoll_event event = {.data.fd = fd};

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        /* Before libcurl closes it, but a socket that it did not open is not in the set any more. */
        (void)epoll_ctl(fetch->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
        return 0;
    }
    if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
        event.events |= EPOLLIN;
    if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
        event.events |= EPOLLOUT;
    if (epoll_ctl(fetch->epoll_fd, socket_data ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) < 0)
        return -1;
    (void)curl_multi_assign(fetch->multi, fd, fetch); /* "is in the set" */
    return 0;
}

/* ---- one request ---- */

static size_t fetch_on_answer_body(char *data, size_t size, size_t n, void *userdata)
{
    FetchSlot *slot = userdata;
    int r;

    r = buffer_append(&slot->answer_body, data, size * n);
    if (r == BUFFER_E_FULL)
        slot->is_too_big = true;
    return r == 0 ? size * n : 0;
}

/* Gives the body once, from its first to its last byte: see the head of fetch.h. */
static size_t fetch_on_request_body(char *space, size_t size, size_t n, void *userdata)
{
    FetchSlot *slot = userdata;
    size_t left = secret_size(slot->body) - slot->body_offset;
    size_t given = left < size * n ? left : size * n;

    memcpy(space, secret_reveal(slot->body) + slot->body_offset, given);
    slot->body_offset += given;
    return given;
}

static int fetch_add_header(FetchSlot *slot, const char *header)
{
    struct curl_slist *headers = curl_slist_append(slot->headers, header);

    if (!headers)
        return -ENOMEM;
    slot->headers = headers;
    return 0;
}

static int fetch_add_headers(FetchSlot *slot, const HttpRequest *request)
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
    r = fetch_add_header(slot, buffer_data(&line));
    if (r == 0)
        r = fetch_add_header(slot, "Accept: application/json");
    if (r == 0 && request->body)
        r = fetch_add_header(slot, "Content-Type: application/json");
    if (r == 0 && request->body)
        r = fetch_add_header(slot,
                             "Expect:"); /* no waiting for a 100 that old gateways never send */
    return r;
}

/* Keeps the first failure; only a libcurl that was built without a feature has any. */
#define FETCH_SET(option, value)                                                                   \
    do {                                                                                           \
        if (code == CURLE_OK)                                                                      \
            code = curl_easy_setopt(slot->easy, (option), (value));                                \
    } while (false)

static CURLcode fetch_set_request(FetchSlot *slot, const HttpRequest *request)
{
    CURLcode code = CURLE_OK;

    FETCH_SET(CURLOPT_URL, request->url);
    if (request->body) {
        FETCH_SET(CURLOPT_POST, 1L);
        FETCH_SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)secret_size(request->body));
        FETCH_SET(CURLOPT_READFUNCTION, fetch_on_request_body);
        FETCH_SET(CURLOPT_READDATA, slot);
        FETCH_SET(CURLOPT_UPLOAD_BUFFERSIZE, FETCH_UPLOAD_BYTES);
    }
    FETCH_SET(CURLOPT_CUSTOMREQUEST, request->method);
    FETCH_SET(CURLOPT_HTTPHEADER, slot->headers);
    FETCH_SET(CURLOPT_WRITEFUNCTION, fetch_on_answer_body);
    FETCH_SET(CURLOPT_WRITEDATA, slot);
    FETCH_SET(CURLOPT_ERRORBUFFER, slot->error);
    FETCH_SET(CURLOPT_PRIVATE, slot);
    FETCH_SET(CURLOPT_SHARE, slot->fetch->share);
    return code;
}

static CURLcode fetch_set_transport(FetchSlot *slot, const HttpRequest *request)
{
    bool is_tls = strncmp(request->url, "https:", 6) == 0;
    usec_t connect = request->timeout < FETCH_CONNECT_USEC ? request->timeout : FETCH_CONNECT_USEC;
    bool is_fresh = clock_boottime() < slot->fetch->fresh_until;
    CURLcode code = CURLE_OK;

    FETCH_SET(CURLOPT_PROTOCOLS_STR, is_tls ? "https" : "http");
    FETCH_SET(CURLOPT_FOLLOWLOCATION, 0L);
    FETCH_SET(CURLOPT_NOSIGNAL, 1L);
    FETCH_SET(CURLOPT_QUICK_EXIT, 1L); /* do not wait for a name lookup that hangs in its thread */
    FETCH_SET(CURLOPT_USERAGENT, FETCH_USER_AGENT);
    FETCH_SET(CURLOPT_TIMEOUT_MS, (long)(request->timeout / USEC_PER_MSEC));
    FETCH_SET(CURLOPT_CONNECTTIMEOUT_MS, (long)(connect / USEC_PER_MSEC));
    FETCH_SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    /* TLS tells at once whether connections can be shared; without it that shows in the first answer only. */
    FETCH_SET(CURLOPT_PIPEWAIT, is_tls ? 1L : 0L);
    FETCH_SET(CURLOPT_SSL_VERIFYPEER, 1L);
    FETCH_SET(CURLOPT_SSL_VERIFYHOST, 2L);
    FETCH_SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    /* Of no matter where it fails: a TLS library without such a cache reads the file each time. */
    (void)curl_easy_setopt(slot->easy, CURLOPT_CA_CACHE_TIMEOUT,
                           is_fresh ? 0L : (long)(FETCH_CA_CACHE_USEC / USEC_PER_SEC));
    /* The named authority alone: what else the system trusts must not speak for this platform. */
    if (request->ca_file)
        FETCH_SET(CURLOPT_CAINFO, request->ca_file);
    if (request->ca_file || slot->fetch->has_ca_bundle)
        FETCH_SET(CURLOPT_CAPATH, NULL);
    if (!is_tls) /* only ever a loopback address: its secrets must not go to a proxy */
        FETCH_SET(CURLOPT_PROXY, "");
    return code;
}

int fetch_start(Fetch *fetch, const HttpRequest *request, HttpHandler handler, void *userdata,
                FetchSlot **ret_slot)
{
    _cleanup_(fetch_slot_freep) FetchSlot *slot = NULL;
    int r;

    slot = malloc(sizeof(*slot));
    if (!slot)
        return -ENOMEM;
    *slot = (FetchSlot){
        .fetch = fetch,
        .body = secret_ref(request->body),
        .answer_body = BUFFER_INIT(HTTP_BODY_BYTES_MAX),
        .handler = handler,
        .userdata = userdata,
    };
    fetch->n_slots++;
    slot->easy = curl_easy_init();
    if (!slot->easy)
        return -ENOMEM;
    r = fetch_add_headers(slot, request);
    if (r < 0)
        return r;
    if (fetch_set_request(slot, request) != CURLE_OK ||
        fetch_set_transport(slot, request) != CURLE_OK)
        return -ENOTSUP;
    if (event_add(fetch->start, &fetch_next_turn) < 0)
        return -ENOMEM;
    TAILQ_INSERT_TAIL(&fetch->starting, slot, link);
    slot->is_starting = true;
    *ret_slot = TAKE_PTR(slot);
    return 0;
}

FetchSlot *fetch_slot_free(FetchSlot *slot)
{
    if (!slot)
        return NULL;
    if (slot->is_starting)
        TAILQ_REMOVE(&slot->fetch->starting, slot, link);
    if (slot->is_added)
        (void)curl_multi_remove_handle(slot->fetch->multi, slot->easy);
    if (slot->easy)
        curl_easy_cleanup(slot->easy);
    curl_slist_free_all(slot->headers);
    secret_unref(slot->body);
    buffer_deinit(&slot->answer_body);
    assert(slot->fetch->n_slots > 0);
    slot->fetch->n_slots--;
    free(slot);
    return NULL;
}

/* ---- the answer ---- */

static usec_t fetch_retry_after(CURL *easy)
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
static int fetch_next_page(CURL *easy, char **ret_token)
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

static char *fetch_problem(const FetchSlot *slot, CURLcode code)
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

/*
 * What libcurl's TLS library says of a certificate that it refused for its dates: OpenSSL X509_V_ERR_CERT_NOT_YET_VALID and
 * X509_V_ERR_CERT_HAS_EXPIRED, which are numbers, and GnuTLS GNUTLS_CERT_NOT_ACTIVATED and GNUTLS_CERT_EXPIRED, bits.
 */
static bool fetch_is_out_of_time(long result)
{
    static const long numbers[] = {9, 10}, bits = 1L << 9 | 1L << 10;

    for (size_t i = 0; i < N_ELEMENTS(numbers); i++)
        if (result == numbers[i])
            return true;
    return (result & bits) != 0;
}

static HttpFailure fetch_failure(CURL *easy, CURLcode code)
{
    long result = 0;

    if (code == CURLE_SSL_CACERT_BADFILE) /* no certificates in it */
        return HTTP_FAILURE_CERTIFICATE;
    if (code != CURLE_PEER_FAILED_VERIFICATION)
        return HTTP_FAILURE_OTHER;
    (void)curl_easy_getinfo(easy, CURLINFO_SSL_VERIFYRESULT, &result);
    return fetch_is_out_of_time(result) ? HTTP_FAILURE_CERTIFICATE_TIME : HTTP_FAILURE_CERTIFICATE;
}

static void fetch_finish(FetchSlot *slot, CURLcode code)
{
    HttpHandler handler = slot->handler;
    void *userdata = slot->userdata;
    HttpAnswer answer = {
        .is_complete = code == CURLE_OK,
        .is_sent = !slot->body || slot->body_offset > 0,
        .body = slot->answer_body,
        .problem = fetch_problem(slot, code),
        .failure = fetch_failure(slot->easy, code),
    };
    long status = 0;

    (void)curl_easy_getinfo(slot->easy, CURLINFO_RESPONSE_CODE, &status);
    answer.status = (int)status;
    if (status != 0) {
        answer.retry_after = fetch_retry_after(slot->easy);
        if (fetch_next_page(slot->easy, &answer.next_page) < 0)
            answer.is_complete = false;
    }
    if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE)
        slot->fetch->fresh_until = clock_add(clock_boottime(), FETCH_CA_CACHE_USEC);
    slot->answer_body = BUFFER_INIT(HTTP_BODY_BYTES_MAX);
    fetch_slot_free(slot);
    handler(userdata, &answer);
    buffer_deinit(&answer.body);
    free(answer.next_page);
    free(answer.problem);
}

/* A handler may start and cancel requests: each turn asks libcurl anew. */
static void fetch_finish_all(Fetch *fetch)
{
    CURLMsg *message;
    int n_left;

    while ((message = curl_multi_info_read(fetch->multi, &n_left))) {
        CURLcode code = message->data.result;
        char *slot = NULL;

        if (message->msg != CURLMSG_DONE)
            continue;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &slot);
        fetch_finish((FetchSlot *)slot, code);
    }
}

/* Hands the next request to libcurl, if there is one. */
static void fetch_begin_next(Fetch *fetch)
{
    FetchSlot *slot = TAILQ_FIRST(&fetch->starting);

    fetch->n_steps = 0;
    if (!slot)
        return;
    TAILQ_REMOVE(&fetch->starting, slot, link);
    slot->is_starting = false;
    /* An event that was added before can be added again. */
    if (!TAILQ_EMPTY(&fetch->starting))
        (void)event_add(fetch->start, &fetch_next_turn);
    slot->is_added = curl_multi_add_handle(fetch->multi, slot->easy) == CURLM_OK;
    if (slot->is_added)
        fetch_drive(fetch); /* not by the timer, which each addition would put off */
    else
        fetch_finish(slot, CURLE_OUT_OF_MEMORY);
}

static void fetch_on_start(evutil_socket_t fd, short what, void *userdata)
{
    (void)fd;
    (void)what;
    fetch_begin_next(userdata);
}

/* ---- the multi handle ---- */

static int fetch_init_library(void)
{
    static bool is_initialised = false;

    if (is_initialised)
        return 0;
    if (curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, fetch_free_memory, fetch_realloc, strdup,
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
static bool fetch_has_ca_bundle(void)
{
    const curl_version_info_data *version = curl_version_info(CURLVERSION_NOW);

    return version->age >= CURLVERSION_SEVENTH && version->cainfo &&
           access(version->cainfo, R_OK) == 0;
}

void fetch_set_connections(Fetch *fetch, unsigned n_connections)
{
    static const CURLMoption options[] = {
        CURLMOPT_MAX_HOST_CONNECTIONS,
        CURLMOPT_MAX_TOTAL_CONNECTIONS,
        CURLMOPT_MAXCONNECTS,
    };

    for (size_t i = 0; i < N_ELEMENTS(options); i++) {
        CURLMcode code = curl_multi_setopt(fetch->multi, options[i], (long)n_connections);

        assert(code == CURLM_OK); /* they are older than what we build with, and take any number */
    }
}

static int fetch_set_options(Fetch *fetch)
{
    if (curl_multi_setopt(fetch->multi, CURLMOPT_SOCKETFUNCTION, fetch_on_set_socket) != CURLM_OK ||
        curl_multi_setopt(fetch->multi, CURLMOPT_SOCKETDATA, fetch) != CURLM_OK ||
        curl_multi_setopt(fetch->multi, CURLMOPT_TIMERFUNCTION, fetch_on_set_timer) != CURLM_OK ||
        curl_multi_setopt(fetch->multi, CURLMOPT_TIMERDATA, fetch) != CURLM_OK ||
        curl_multi_setopt(fetch->multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX) != CURLM_OK)
        return -ENOTSUP;
    return 0;
}

int fetch_new(struct event_base *base, unsigned n_connections, Fetch **ret_fetch)
{
    _cleanup_(fetch_freep) Fetch *fetch = NULL;
    int r;

    if (event_base_get_npriorities(base) < FETCH_PRIORITIES)
        return -EINVAL;
    r = fetch_init_library();
    if (r < 0)
        return r;
    fetch = malloc(sizeof(*fetch));
    if (!fetch)
        return -ENOMEM;
    *fetch = (Fetch){.epoll_fd = -1, .has_ca_bundle = fetch_has_ca_bundle()};
    TAILQ_INIT(&fetch->starting);
    fetch->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (fetch->epoll_fd < 0)
        return error_errno();
    fetch->sockets = event_new(base, fetch->epoll_fd, EV_READ | EV_PERSIST, fetch_on_sockets,
                               fetch);
    fetch->timer = evtimer_new(base, fetch_on_timer, fetch);
    fetch->start = evtimer_new(base, fetch_on_start, fetch);
    fetch->multi = curl_multi_init();
    fetch->share = curl_share_init();
    if (!fetch->sockets || !fetch->timer || !fetch->start || !fetch->multi || !fetch->share ||
        event_priority_set(fetch->start, event_base_get_npriorities(base) - 1) < 0 ||
        event_add(fetch->sockets, NULL) < 0)
        return -ENOMEM;
    /* Of no matter where it fails: then each connection has a whole handshake. */
    (void)curl_share_setopt(fetch->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
    r = fetch_set_options(fetch);
    if (r < 0)
        return r;
    fetch_set_connections(fetch, n_connections);
    *ret_fetch = TAKE_PTR(fetch);
    return 0;
}

Fetch *fetch_free(Fetch *fetch)
{
    if (!fetch)
        return NULL;
    assert(fetch->n_slots == 0);
    /* Closing connections calls back for their sockets and the timer. */
    if (fetch->multi)
        (void)curl_multi_cleanup(fetch->multi);
    if (fetch->share)
        (void)curl_share_cleanup(fetch->share);
    if (fetch->sockets)
        event_free(fetch->sockets);
    if (fetch->timer)
        event_free(fetch->timer);
    if (fetch->start)
        event_free(fetch->start);
    closep(&fetch->epoll_fd);
    free(fetch);
    return NULL;
}
