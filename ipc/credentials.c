#include "ipc/credentials.h"

#include <assert.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "base/limits.h"
#include "ipc/access.h"
#include "ipc/complaint.h"
#include "ipc/credential_name.h"
#include "ipc/guard.h"
#include "ipc/instances.h"
#include "ipc/listener.h"
#include "ipc/wait.h"
#include "systemd/log.h"
#include "systemd/messages.h"
#include "systemd/notify.h"

/* Lines about units in a minute: a host may start hundreds at once. Who only claims to be one gets COMPLAINT_BURST. */
#define CREDENTIAL_LOG_BURST 1000

/*
 * The mark of a connection that an answer was begun on, kept with the socket itself so that the next run sees it too.
 * Nothing is ever received here, so this option has no other effect.
 */
#define CREDENTIAL_MARK 2

#define CREDENTIAL_AUTHORIZATION ".authorization"

typedef enum CredentialState {
    CREDENTIAL_NEW,
    CREDENTIAL_WAITING,
    CREDENTIAL_FILLING, /* refused: it is sent more than it may take */
} CredentialState;

typedef enum CredentialResult {
    CREDENTIAL_GIVEN,
    CREDENTIAL_WAITS, /* no decision yet */
    CREDENTIAL_GONE,
    CREDENTIAL_MALFORMED,
    CREDENTIAL_FORGED,
    CREDENTIAL_UNKNOWN,
    CREDENTIAL_DENIED,
    CREDENTIAL_FAILED,
    CREDENTIAL_TIMEOUT,
    CREDENTIAL_STOPPED,
    CREDENTIAL_INTERRUPTED,
    CREDENTIAL_TOO_LARGE,
    CREDENTIAL_TOO_MANY,
    CREDENTIAL_ERROR,
} CredentialResult;

/* The name is ELEMENTD_RESULT=. */
static const struct {
    const char *name;
    int level;
    const char *words;
} credential_results[] = {
    [CREDENTIAL_GIVEN] = {"given", LOG_INFO, "was given"},
    [CREDENTIAL_WAITS] = {"waits", LOG_DEBUG, "there is no token yet, the unit waits"},
    [CREDENTIAL_GONE] = {"gone", LOG_NOTICE, "the unit has stopped waiting"},
    [CREDENTIAL_MALFORMED] = {"malformed", LOG_WARNING,
                              "refused: the peer has no name as systemd's LoadCredential= has it"},
    [CREDENTIAL_FORGED] = {"forged", LOG_WARNING,
                           "refused: the peer is not root at work for that unit, but says so"},
    [CREDENTIAL_UNKNOWN] = {"unknown", LOG_WARNING,
                            "refused, so the unit fails: no such instance is declared"},
    [CREDENTIAL_DENIED] =
        {"denied", LOG_WARNING,
         "refused, so the unit fails: no unit: entry of the instance's list lets it in"},
    [CREDENTIAL_FAILED] = {"failed", LOG_WARNING,
                           "cannot be given, so the unit fails: the instance has failed"},
    [CREDENTIAL_TIMEOUT] = {"timeout", LOG_WARNING,
                            "cannot be given, so the unit fails: there is still no token, and "
                            "credential-wait-sec has passed"},
    [CREDENTIAL_STOPPED] = {"stopped", LOG_WARNING,
                            "cannot be given, so the unit fails: elementd is being stopped"},
    [CREDENTIAL_INTERRUPTED] = {"interrupted", LOG_WARNING,
                                "may have been given in part when elementd ended before, so the "
                                "unit fails"},
    [CREDENTIAL_TOO_LARGE] = {"too-large", LOG_WARNING,
                              "cannot be given, so the unit fails: it is too large"},
    [CREDENTIAL_TOO_MANY] = {"too-many", LOG_WARNING, "refused: too many connections of that user"},
    [CREDENTIAL_ERROR] =
        {"error", LOG_ERR,
         "cannot be given, so the unit fails: no memory, or an error of the system"},
};

typedef struct Credential {
    TAILQ_ENTRY(Credential) link;
    Credentials *owner;
    QuotaCharge charge;
    int fd;
    Peer peer;
    CredentialName name; /* empty until it has been parsed */
    CredentialState state;
    Wait wait;    /* active while it waits */
    usec_t since; /* boot-time clock: when it entered its state */
    size_t n_filled;
    struct event *event;
} Credential;

struct Credentials {
    struct event_base *base;
    const ServerOperations *operations;
    void *userdata;
    Guard *guard; /* NULL: nobody is there to be handed a connection */
    Listener *listener;
    Quota quota;
    TAILQ_HEAD(CredentialList, Credential) list;
    usec_t wait;
    LogRate log_units;
    LogRate log_others;
};

static void credential_on_event(evutil_socket_t fd, short what, void *userdata);
static void credential_on_change(Wait *wait);

/* ---- the log ---- */

/* Whether the unit fails for it, or would if it were one. */
static bool credential_is_none(CredentialResult result)
{
    return result != CREDENTIAL_GIVEN && result != CREDENTIAL_WAITS && result != CREDENTIAL_GONE;
}

static void credential_log(const Credential *credential, CredentialResult result)
{
    Credentials *owner = credential->owner;
    bool is_unit = credential->name.unit[0] && result != CREDENTIAL_FORGED;
    LogRate *rate = is_unit ? &owner->log_units : &owner->log_others;
    const Served *served = credential->wait.call.served;
    const LogFields fields = {
        .message_id = credential_is_none(result) ? MESSAGE_CREDENTIAL_NONE : MESSAGE_CREDENTIAL,
        .instance = served ? served->name : NULL,
        .unit = credential->name.unit[0] ? credential->name.unit : NULL,
        .credential = credential->name.id[0] ? credential->name.id : NULL,
        .result = credential_results[result].name,
    };
    unsigned n_suppressed;

    if (!log_is_on(credential_results[result].level) ||
        !log_rate_allows(rate, clock_boottime(), &n_suppressed))
        return;
    if (n_suppressed > 0)
        log_event(LOG_NOTICE, MESSAGE_LEFT_OUT, "%u more lines about credentials were not logged",
                  n_suppressed);
    if (fields.unit)
        log_full(credential_results[result].level, &fields,
                 "credential \"%s\" of %s (uid %u, pid %d): %s", fields.credential, fields.unit,
                 (unsigned)credential->peer.uid, (int)credential->peer.pid,
                 credential_results[result].words);
    else
        log_full(credential_results[result].level, &fields, "credential (uid %u, pid %d): %s",
                 (unsigned)credential->peer.uid, (int)credential->peer.pid,
                 credential_results[result].words);
}

/* ---- the socket ---- */

static bool credential_is_peer_gone(int fd)
{
    struct pollfd pollfd = {.fd = fd};

    return poll(&pollfd, 1, 0) > 0 && (pollfd.revents & (POLLHUP | POLLERR)) != 0;
}

static bool credential_is_marked(int fd)
{
    int mark = 0;
    socklen_t size = sizeof(mark);

    return getsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &mark, &size) < 0 || mark == CREDENTIAL_MARK;
}

static int credential_mark(int fd)
{
    static const int mark = CREDENTIAL_MARK;

    return setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &mark, sizeof(mark)) < 0 ? error_errno() : 0;
}

/* Sends of the filler what the socket takes. True when there is nothing more to be sent. */
static bool credential_send_filler(int fd, size_t *n_filled)
{
    static const char filler[64 * 1024];

    while (*n_filled < CREDENTIAL_FILLER_BYTES) {
        size_t left = CREDENTIAL_FILLER_BYTES - *n_filled;
        ssize_t n = send(fd, filler, left < sizeof(filler) ? left : sizeof(filler),
                         MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno != EAGAIN; /* it has read enough, and closed */
        *n_filled += (size_t)n;
    }
    return true;
}

/* The same for when the loop cannot be waited for: until `deadline` (boot-time clock) at most. */
static bool credential_fill_now(int fd, size_t n_filled, usec_t deadline)
{
    while (!credential_send_filler(fd, &n_filled)) {
        struct pollfd pollfd = {.fd = fd, .events = POLLOUT};
        usec_t now = clock_boottime();

        if (now >= deadline)
            return false;
        (void)poll(&pollfd, 1, (int)((deadline - now) / USEC_PER_MSEC) + 1);
    }
    return true;
}

/* ---- beginning and end ---- */

static Credential *credential_free(Credential *credential)
{
    Credentials *owner;

    if (!credential)
        return NULL;
    owner = credential->owner;
    wait_end(&credential->wait);
    if (credential->charge.quota) {
        TAILQ_REMOVE(&owner->list, credential, link);
        quota_release(&credential->charge);
        if (owner->listener)
            listener_go_on(owner->listener);
    }
    if (credential->event)
        event_free(credential->event);
    peer_deinit(&credential->peer);
    (void)close(credential->fd);
    free(credential);
    return NULL;
}

/* The end of what the peer reads: close() would be none while systemd has a copy, which it drops with this. */
static void credential_end(Credential *credential)
{
    (void)shutdown(credential->fd, SHUT_RDWR);
    (void)credential_free(credential);
}

static usec_t credential_deadline(const Credential *credential)
{
    if (credential->state == CREDENTIAL_FILLING)
        return clock_add(credential->since, CREDENTIAL_FILL_USEC);
    return clock_add(credential->since, credential->owner->wait);
}

/*
 * Has the loop tell of what the state waits for. A change of a socket that waits is told once (EV_ET), as in ipc/conn.c: the
 * peer has ended its sending, so it would be reported as readable without end.
 */
static int credential_arm(Credential *credential)
{
    short events = EV_PERSIST | EV_WRITE | (credential->state == CREDENTIAL_WAITING ? EV_ET : 0);
    usec_t deadline = credential_deadline(credential), now = clock_boottime();
    usec_t left = deadline > now ? deadline - now : 0;
    const struct timeval timeout = {
        .tv_sec = (time_t)(left / USEC_PER_SEC),
        .tv_usec = (suseconds_t)(left % USEC_PER_SEC),
    };

    credential->wait.begin = credential->since;
    credential->wait.end = deadline;
    if (event_get_events(credential->event) != events &&
        (event_del(credential->event) < 0 ||
         event_assign(credential->event, credential->owner->base, credential->fd, events,
                      credential_on_event, credential) < 0))
        return -EINVAL;
    return event_add(credential->event, &timeout) < 0 ? -ENOMEM : 0;
}

/* The one place that sets the state. Without memory for it, it ends badly, but closed. */
static void credential_set_state(Credential *credential, CredentialState state)
{
    if (credential->state != state)
        credential->since = clock_boottime();
    credential->state = state;
    if (credential_arm(credential) == 0)
        return;
    (void)credential_fill_now(credential->fd, credential->n_filled,
                              clock_add(clock_boottime(), CREDENTIAL_HURRY_USEC));
    credential_end(credential);
}

/* ---- the answer ---- */

/* The instance that the credential is of, and which of its secrets it is. */
static Served *credential_find(const Credential *credential, bool *ret_is_authorization)
{
    static const size_t suffix = sizeof(CREDENTIAL_AUTHORIZATION) - 1;
    const Credentials *owner = credential->owner;
    const char *id = credential->name.id;
    size_t size = strlen(id);
    Served *served = owner->operations->find(owner->userdata, id, size);

    *ret_is_authorization = false;
    if (served && !served->is_removed)
        return served;
    if (size <= suffix || strcmp(id + size - suffix, CREDENTIAL_AUTHORIZATION) != 0)
        return NULL;
    *ret_is_authorization = true;
    served = owner->operations->find(owner->userdata, id, size - suffix);
    return served && !served->is_removed ? served : NULL;
}

/* What there is to be sent, if it is all there. */
static CredentialResult credential_format(const Served *served, bool is_authorization,
                                          Buffer *answer)
{
    int r;

    if (!served->token ||
        (is_authorization && (!served->terms->user || !served->terms->organization)))
        return served->state == SERVED_FAILED ? CREDENTIAL_FAILED : CREDENTIAL_WAITS;
    if (is_authorization)
        r = instances_format_authorization(served, answer);
    else
        r = buffer_append(answer, secret_reveal(served->token), secret_size(served->token));
    return r == BUFFER_E_FULL ? CREDENTIAL_TOO_LARGE : r < 0 ? CREDENTIAL_ERROR : CREDENTIAL_GIVEN;
}

/* All of it at once: a part of it, and then a kill, would be taken for the whole. */
static CredentialResult credential_send(const Credential *credential, const Buffer *answer)
{
    ssize_t n;

    if (credential_mark(credential->fd) < 0)
        return CREDENTIAL_ERROR;
    do
        n = send(credential->fd, buffer_data(answer), buffer_size(answer),
                 MSG_DONTWAIT | MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EPIPE || errno == ECONNRESET ? CREDENTIAL_GONE : CREDENTIAL_ERROR;
    return (size_t)n == buffer_size(answer) ? CREDENTIAL_GIVEN : CREDENTIAL_TOO_LARGE;
}

/* Decides, and gives what may be given. */
static CredentialResult credential_answer(Credential *credential)
{
    _cleanup_(buffer_deinit) Buffer answer = BUFFER_INIT(CREDENTIAL_BYTES_MAX);
    bool is_authorization;
    Served *served = credential_find(credential, &is_authorization);
    CredentialResult result;

    credential->wait.call.served = served;
    if (!served)
        return CREDENTIAL_UNKNOWN;
    if (access_check_unit(is_authorization ? &served->terms->allow_authorization
                                           : &served->terms->allow,
                          credential->name.unit, NULL) != 0)
        return CREDENTIAL_DENIED;
    result = credential_format(served, is_authorization, &answer);
    return result == CREDENTIAL_GIVEN ? credential_send(credential, &answer) : result;
}

static int credential_begin_wait(Credential *credential)
{
    Served *served = credential->wait.call.served;
    /* The deadline is credential_deadline()'s; this one only has to be there. */
    const Call call = {
        .peer = &credential->peer,
        .served = served,
        .queue = &served->waits,
        .timeout = WAIT_MAX_USEC,
    };

    credential->wait.unit = credential->name.unit;
    credential->wait.credential = credential->name.id;
    return wait_begin(&credential->wait, &call, &credential->owner->quota, credential->since);
}

/* Carries out what was decided; frees the credential unless there is something to wait for. */
static void credential_conclude(Credential *credential, CredentialResult result)
{
    if (result == CREDENTIAL_WAITS && clock_boottime() >= credential_deadline(credential))
        result = CREDENTIAL_TIMEOUT;
    if (result == CREDENTIAL_WAITS && credential_begin_wait(credential) != 0)
        result = CREDENTIAL_ERROR;
    if (result != CREDENTIAL_WAITS || credential->state == CREDENTIAL_NEW)
        credential_log(credential, result);
    if (result == CREDENTIAL_WAITS)
        credential_set_state(credential, CREDENTIAL_WAITING);
    else if (result == CREDENTIAL_GIVEN || result == CREDENTIAL_GONE ||
             credential_send_filler(credential->fd, &credential->n_filled))
        credential_end(credential);
    else
        credential_set_state(credential, CREDENTIAL_FILLING);
}

/* ---- wake-ups: each may free the credential as its last act ---- */

static void credential_on_change(Wait *wait)
{
    Credential *credential = (Credential *)((char *)wait - offsetof(Credential, wait));

    /* Back into the queue if need be: of another instance, when the names have changed. */
    wait_end(wait);
    credential_conclude(credential, credential_answer(credential));
}

static void credential_on_event(evutil_socket_t fd, short what, void *userdata)
{
    Credential *credential = userdata;
    bool is_late = clock_boottime() >= credential_deadline(credential);

    (void)what;
    if (credential->state == CREDENTIAL_FILLING) {
        if (credential_send_filler(fd, &credential->n_filled) || is_late)
            credential_end(credential);
        return;
    }
    if (!is_late && !credential_is_peer_gone(fd)) {
        credential_set_state(credential, CREDENTIAL_WAITING);
        return;
    }
    wait_end(&credential->wait);
    credential_conclude(credential,
                        credential_is_peer_gone(fd) ? CREDENTIAL_GONE : CREDENTIAL_TIMEOUT);
}

/* ---- who is asking ---- */

/* Whether it is the system's manager, at work for the unit that it names. */
static CredentialResult credential_check_peer(Credential *credential)
{
    struct sockaddr_un address;
    socklen_t size = sizeof(address);
    const char *unit;

    if (getpeername(credential->fd, (struct sockaddr *)&address, &size) < 0 ||
        size < offsetof(struct sockaddr_un, sun_path) || size > sizeof(address) ||
        credential_name_parse(address.sun_path, size - offsetof(struct sockaddr_un, sun_path),
                              &credential->name) != 0)
        return CREDENTIAL_MALFORMED;
    if (!access_is_root(&credential->peer))
        return CREDENTIAL_FORGED;
    unit = peer_find_unit(&credential->peer);
    if (!unit || strcmp(unit, credential->name.unit) != 0)
        return credential_is_peer_gone(credential->fd) ? CREDENTIAL_GONE : CREDENTIAL_FORGED;
    return CREDENTIAL_GIVEN;
}

/* 0, QUOTA_E_* or -errno; takes `fd` over on success only, so that else it can be filled. */
static int credential_new(Credentials *owner, int fd, Peer *peer, Credential **ret_credential)
{
    Credential *credential = calloc(1, sizeof(*credential));
    int r;

    if (!credential)
        return -ENOMEM;
    credential->event = event_new(owner->base, fd, EV_PERSIST | EV_WRITE, credential_on_event,
                                  credential);
    r = credential->event
            ? quota_charge(&owner->quota, peer->uid, QUOTA_CREDENTIALS, &credential->charge)
            : -ENOMEM;
    if (r != 0) {
        if (credential->event)
            event_free(credential->event);
        free(credential);
        return r;
    }
    credential->owner = owner;
    credential->fd = fd;
    credential->peer = *peer;
    credential->since = peer->seen_at;
    credential->wait.on_change = credential_on_change;
    TAILQ_INSERT_TAIL(&owner->list, credential, link);
    if (owner->listener && owner->quota.n[QUOTA_CREDENTIALS] >= CREDENTIALS_MAX)
        listener_hold(owner->listener);
    *ret_credential = credential;
    return 0;
}

/* It never became one: whoever it is, it does not get an empty credential. */
static void credential_turn_away(Credentials *owner, int fd, const Peer *peer,
                                 CredentialResult result)
{
    const Credential nobody = {.owner = owner, .peer = *peer};

    credential_log(&nobody, result);
    /* Who is not systemd is not worth stopping the loop for. */
    (void)credential_fill_now(
        fd, 0, peer->uid == 0 ? clock_add(clock_boottime(), CREDENTIAL_HURRY_USEC) : 0);
    (void)shutdown(fd, SHUT_RDWR);
    (void)close(fd);
}

static void credentials_take(Credentials *credentials, int fd, bool is_resumed)
{
    Credential *credential;
    CredentialResult result;
    Peer peer;
    int r;

    /* It fails for a peer that has gone already. */
    if (peer_init(&peer, fd) < 0) {
        (void)close(fd);
        return;
    }
    r = credential_new(credentials, fd, &peer, &credential);
    if (r != 0) {
        credential_turn_away(credentials, fd, &peer,
                             r < 0 ? CREDENTIAL_ERROR : CREDENTIAL_TOO_MANY);
        return;
    }
    result = credential_check_peer(credential);
    if (result == CREDENTIAL_GIVEN)
        result = is_resumed && credential_is_marked(fd) ? CREDENTIAL_INTERRUPTED
                                                        : credential_answer(credential);
    credential_conclude(credential, result);
}

void credentials_resume(Credentials *credentials, int fd)
{
    credentials_take(credentials, fd, true);
}

/* In the guard: a kill came before systemd had been handed the connection, and nobody else will ever answer on it. */
static void credentials_on_death(int fd)
{
    static const char words[] = "elementd: a credential cannot be given, so the unit fails: "
                                "elementd was killed as it took up the connection\n";

    /* systemd may have it already: should this be ended too, the next run is not to go on with it. */
    (void)credential_mark(fd);
    (void)credential_fill_now(fd, 0, clock_add(clock_boottime(), CREDENTIAL_FILL_USEC));
    (void)shutdown(fd, SHUT_RDWR);
    if (write(STDERR_FILENO, words, sizeof(words) - 1) < 0)
        return; /* who would be told? */
}

static int credentials_accept(void *userdata, int fd)
{
    Credentials *credentials = userdata;

    return guard_accept(credentials->guard, fd);
}

static void credentials_on_accept(void *userdata, int fd)
{
    Credentials *credentials = userdata;

    /* Before anything else: from here on a kill does not close it, and until here the guard has it. */
    notify_keep_fd(fd, CREDENTIALS_KEPT_NAME);
    if (credentials->guard)
        guard_end(credentials->guard);
    credentials_take(credentials, fd, false);
}

/* ---- all of them ---- */

int credentials_new(struct event_base *base, const ServerOperations *operations, void *userdata,
                    Credentials **ret_credentials)
{
    _cleanup_(credentials_freep) Credentials *credentials = NULL;

    if ((event_base_get_features(base) & EV_FEATURE_ET) == 0)
        return -EOPNOTSUPP;
    credentials = calloc(1, sizeof(*credentials));
    if (!credentials)
        return -ENOMEM;
    credentials->base = base;
    credentials->operations = operations;
    credentials->userdata = userdata;
    credentials->log_units = (LogRate){.interval = COMPLAINT_INTERVAL,
                                       .burst = CREDENTIAL_LOG_BURST};
    credentials->log_others = COMPLAINT_RATE_INIT;
    quota_init(&credentials->quota);
    TAILQ_INIT(&credentials->list);
    *ret_credentials = TAKE_PTR(credentials);
    return 0;
}

Credentials *credentials_free(Credentials *credentials)
{
    Credential *credential;

    if (!credentials)
        return NULL;
    credentials->listener = listener_free(credentials->listener);
    while ((credential = TAILQ_FIRST(&credentials->list)))
        (void)credential_free(credential);
    quota_deinit(&credentials->quota);
    guard_free(credentials->guard);
    free(credentials);
    return NULL;
}

void credentials_set_wait(Credentials *credentials, usec_t wait)
{
    Credential *credential, *next;

    credentials->wait = wait;
    for (credential = TAILQ_FIRST(&credentials->list); credential; credential = next) {
        next = TAILQ_NEXT(credential, link);
        if (credential->state == CREDENTIAL_WAITING)
            credential_set_state(credential, CREDENTIAL_WAITING);
    }
}

int credentials_listen(Credentials *credentials, int fd)
{
    int r;

    assert(!credentials->listener);
    if (notify_is_on() && guard_new(credentials_on_death, &credentials->guard) < 0) {
        (void)close(fd);
        return -ENOMEM;
    }
    r = listener_new(credentials->base, fd, credentials->guard ? credentials_accept : NULL,
                     credentials_on_accept, credentials, &credentials->listener);
    if (r == 0 && credentials->quota.n[QUOTA_CREDENTIALS] >= CREDENTIALS_MAX)
        listener_hold(credentials->listener);
    return r;
}

void credentials_stop(Credentials *credentials)
{
    usec_t deadline = clock_add(clock_boottime(), CREDENTIAL_HURRY_USEC);
    Credential *credential;

    credentials->listener = listener_free(credentials->listener);
    while ((credential = TAILQ_FIRST(&credentials->list))) {
        if (credential->state == CREDENTIAL_WAITING)
            credential_log(credential, CREDENTIAL_STOPPED);
        /* Who has not read it all is left to systemd, whose copy the next run gets if there is one. */
        if (credential_fill_now(credential->fd, credential->n_filled, deadline))
            credential_end(credential);
        else
            (void)credential_free(credential);
    }
}

unsigned credentials_n_connections(const Credentials *credentials)
{
    return credentials->quota.n[QUOTA_CREDENTIALS];
}
