#ifndef ELEMENTD_H
#define ELEMENTD_H

/*
 * libelementd: the tokens of this host's Cloud Elements instances, for programs in C and C++.
 *
 * elementd, a daemon, keeps the element instances provisioned that this host declares, and hands each one's
 * token to the processes that its configuration allows. This library asks it, over its UNIX socket:
 *
 *     elementd *daemon = NULL;
 *     char *token = NULL;
 *     int r;
 *
 *     r = elementd_open(NULL, &daemon);
 *     if (r == 0)
 *         r = elementd_get_token(daemon, "helpdesk-jira", 30 * 1000000, &token, NULL, NULL);
 *     if (r == 0)
 *         use_it(token);
 *     else
 *         fprintf(stderr, "no token: %s\n", elementd_strerror(r));
 *     elementd_free_secret(token);
 *     elementd_close(daemon);
 *
 * Do not keep a token for longer than the work at hand: ask again, which costs microseconds, since the daemon
 * answers from memory, and gets you the new token when the platform has changed it.
 *
 * What functions return: 0, done; a positive ELEMENTD_E_*, an outcome to act on; a negative errno, something
 * broke here (-ENOMEM, -EINVAL for a bad argument, -ENAMETOOLONG for a socket's path, ...). Outputs are written
 * with 0 only, and those that you do not want may be NULL.
 *
 * Threads: a handle may be used by one thread at a time, whichever; several handles do not disturb each other.
 * After fork(2) a handle belongs to the process that opened it. There is no global state, no signal is raised
 * (not even SIGPIPE) or needed, and no descriptor survives execve(2). Calls go on after a signal (EINTR).
 *
 * Times are microseconds; moments are since the epoch (CLOCK_REALTIME). Strings are UTF-8, and what
 * elementd says may hold control characters: do not print it to a terminal as it is.
 *
 * Compatibility: soname 0. Structs are made by the library only, and get new members at their ends.
 */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define ELEMENTD_PUBLIC __attribute__((__visibility__("default")))
#else
#define ELEMENTD_PUBLIC
#endif

enum {
    ELEMENTD_E_NO_DAEMON = 1, /* nobody listens at the socket: start elementd, or try later */
    ELEMENTD_E_TIMEOUT,       /* no answer in time */
    ELEMENTD_E_CLOSED,   /* elementd ended the connection at once instead of answering, twice */
    ELEMENTD_E_PROTOCOL, /* what answers there does not speak as elementd should */
    ELEMENTD_E_NO_SUCH_INSTANCE, /* none of that name is declared */
    ELEMENTD_E_NOT_READY,        /* it has no token yet: try later, or with a timeout */
    ELEMENTD_E_FAILED,           /* it has no token, and will not until a person acts */
    ELEMENTD_E_DENIED,           /* the configuration does not allow you, or the socket's mode */
    ELEMENTD_E_REMOTE, /* another error of elementd's: elementd_last_error() has its name */
};

/* A connection to elementd. */
typedef struct elementd elementd;

/* ---- opening and closing ---- */

/*
 * Connects to the elementd whose socket is at `path`; NULL: /run/elementd/io.elementd. Waits up to ten seconds
 * where the socket's queue is full. A connection that ends later (the daemon restarts; it closes those that idle for
 * ten minutes) is made again by the next call, and by one that waits: it goes on waiting with the next elementd, however
 * often that is. 0, ELEMENTD_E_NO_DAEMON, _DENIED, _TIMEOUT or -errno.
 */
ELEMENTD_PUBLIC int elementd_open(const char *path, elementd **ret_daemon);

/* As elementd_open(NULL, …) for the host whose files are below `root`; NULL or "": this one. */
ELEMENTD_PUBLIC int elementd_open_root(const char *root, elementd **ret_daemon);

/* Disconnects and frees all that the handle holds. NULL is fine. */
ELEMENTD_PUBLIC void elementd_close(elementd *daemon);

/*
 * How long a call waits for elementd to say anything, over the time that the call itself asks it to wait; ten
 * seconds at first. At its end the call returns ELEMENTD_E_TIMEOUT.
 */
ELEMENTD_PUBLIC void elementd_set_patience(elementd *daemon, uint64_t patience_usec);

/*
 * The descriptor, to be polled for input: that it is readable between calls means that the connection has
 * ended. Not to be read, written or closed; may be another one after each call; -1: not connected now.
 */
ELEMENTD_PUBLIC int elementd_fd(const elementd *daemon);

/* ---- asking ---- */

/*
 * The token of `instance`. Waits until there is one, up to `timeout_usec`: 0 asks without waiting, and
 * elementd itself ends the wait after an hour. A wait that ends without a token returns ELEMENTD_E_NOT_READY.
 *
 * *ret_token is yours, and must be released by elementd_free_secret(). *ret_id is the instance's on the platform.
 * *ret_verified_usec is when the platform last confirmed the token, 0: not since elementd got it.
 *
 * 0, -errno, or any ELEMENTD_E_*.
 */
ELEMENTD_PUBLIC int elementd_get_token(elementd *daemon, const char *instance,
                                       uint64_t timeout_usec, char **ret_token, int64_t *ret_id,
                                       uint64_t *ret_verified_usec);

/*
 * The whole value of the HTTP header Authorization for `instance`: "User …, Organization …, Element …". As
 * elementd_get_token(), but the configuration must allow it of its own, since the header holds the account's secrets.
 */
ELEMENTD_PUBLIC int elementd_get_authorization(elementd *daemon, const char *instance,
                                               uint64_t timeout_usec, char **ret_authorization);

/*
 * Says that the platform refused `token` of `instance` with 401: when it is the one that elementd serves, elementd
 * verifies it now, and a token that it then gets instead is told to those who watch. Does not wait for that. 0, -errno, or
 * any ELEMENTD_E_*.
 */
ELEMENTD_PUBLIC int elementd_report_rejected(elementd *daemon, const char *instance,
                                             const char *token);

/* Wipes and frees what these functions returned. NULL is fine. */
ELEMENTD_PUBLIC void elementd_free_secret(char *secret);

/* ---- instances ---- */

/* One instance, as elementd tells of it; all of it lives as long as the list that it came in. */
typedef struct elementd_instance {
    const char *name;
    const char *element; /* "" where its file is too broken to say */
    const char *account;
    const char
        *state; /* "pending", "lookingUp", "creating", "ready", "waiting", "failed", "disabled" */
    int64_t id; /* on the platform; 0: none yet */
    int has_token;          /* it is served, whatever the state */
    uint64_t since_usec;    /* when it entered the state */
    uint64_t verified_usec; /* when the platform last confirmed the token; 0: never */
    uint64_t retry_usec;    /* when the next try is due; 0: none is */
    uint64_t attempts;      /* tries in this state */
    const char *problem;    /* what is wrong, in words; NULL: nothing */
    const char *
        problem_kind; /* which sort of thing: "unreachable", "missingKeys", ...; see io.elementd(7); or NULL */
    uint64_t problem_since_usec; /* when that began to go wrong; 0: not known */
} elementd_instance;

typedef struct elementd_instances elementd_instances;

/* The instances that the caller may see; root sees all. 0, -errno, or any ELEMENTD_E_* that is not of one instance. */
ELEMENTD_PUBLIC int elementd_list_instances(elementd *daemon, elementd_instances **ret_instances);

ELEMENTD_PUBLIC size_t elementd_instances_count(const elementd_instances *instances);

/* The instance at `index` from 0, or NULL past the last. */
ELEMENTD_PUBLIC const elementd_instance *elementd_instances_get(const elementd_instances *instances,
                                                                size_t index);

/* NULL is fine. */
ELEMENTD_PUBLIC void elementd_instances_free(elementd_instances *instances);

/* ---- watching ---- */

/*
 * A call that goes on telling, on a connection of its own: first how things are now, then each change. Who asks late
 * gets what is true by then, and not every step.
 *
 *     elementd_watch *watch = NULL;
 *
 *     r = elementd_watch_token(daemon, "helpdesk-jira", &watch);
 *     while (r == 0) {
 *         r = elementd_watch_next_token(watch, UINT64_MAX, &token, NULL);
 *         if (r == 0)
 *             use_it(token);
 *         elementd_free_secret(token);
 *         token = NULL;
 *         if (r == ELEMENTD_E_CLOSED)
 *             r = 0;
 *     }
 *     elementd_watch_close(watch);
 */
typedef struct elementd_watch elementd_watch;

/*
 * Begin to watch, at the socket and with the patience of `daemon`, which may be closed before the watch. What elementd
 * itself thinks of it is the outcome of the first elementd_watch_next_…(). 0, ELEMENTD_E_NO_DAEMON, _DENIED, _TIMEOUT or
 * -errno.
 */
ELEMENTD_PUBLIC int elementd_watch_token(const elementd *daemon, const char *instance,
                                         elementd_watch **ret_watch);
ELEMENTD_PUBLIC int elementd_watch_instances(const elementd *daemon, elementd_watch **ret_watch);

/* Disconnects and frees. NULL is fine. */
ELEMENTD_PUBLIC void elementd_watch_close(elementd_watch *watch);

/*
 * The descriptor, to be polled for input: then take all that has come, with a timeout of 0, until ELEMENTD_E_TIMEOUT. Not
 * to be read, written or closed; may be another one after each call; -1: not connected, call at once.
 */
ELEMENTD_PUBLIC int elementd_watch_fd(const elementd_watch *watch);

/*
 * Wait for the next news, up to `timeout_usec`; 0 takes only what has come, UINT64_MAX waits for ever. At its end they
 * return ELEMENTD_E_TIMEOUT, and the watch goes on. Any other failure ends it: ELEMENTD_E_CLOSED when elementd restarts,
 * _NO_SUCH_INSTANCE when the instance is not declared or was removed, _DENIED, and so on. The next call begins it anew.
 *
 * *ret_token is yours as that of elementd_get_token(), NULL while there is none.
 *
 * *ret_instance lives until the next call with the watch. Where an instance goes that was told of, or that the caller may
 * not see any more, the outcome is ELEMENTD_E_NO_SUCH_INSTANCE, elementd_watch_last_error() names it, and the watch
 * that the next call begins tells of all that are left.
 */
ELEMENTD_PUBLIC int elementd_watch_next_token(elementd_watch *watch, uint64_t timeout_usec,
                                              char **ret_token, int64_t *ret_id);
ELEMENTD_PUBLIC int elementd_watch_next_instance(elementd_watch *watch, uint64_t timeout_usec,
                                                 const elementd_instance **ret_instance);

/* ---- errors ---- */

/* A mistake in the configuration. */
typedef struct elementd_problem {
    const char *file;
    uint64_t line; /* from 1, as the column */
    uint64_t column;
    const char *message;
} elementd_problem;

/* What elementd said of the last call, as far as it did; members that it did not send are NULL or 0. */
typedef struct elementd_error {
    const char *
        name; /* of the Varlink error, such as "io.elementd.NotReady"; NULL: elementd did not refuse */
    const char *instance;
    const char *state;                /* as in elementd_instance */
    const char *problem;              /* why, in words */
    uint64_t retry_usec;              /* when elementd's next try is due */
    const elementd_problem *problems; /* of io.elementd.InvalidConfiguration */
    size_t n_problems;
} elementd_error;

/* Never NULL; lives until the next call with the handle, or with the watch. */
ELEMENTD_PUBLIC const elementd_error *elementd_last_error(const elementd *daemon);
ELEMENTD_PUBLIC const elementd_error *elementd_watch_last_error(const elementd_watch *watch);

/* Words for what a function returned, without a full stop; static storage. */
ELEMENTD_PUBLIC const char *elementd_strerror(int error);

/* ---- anything else ---- */

/*
 * Calls any method that elementd's Varlink interfaces describe, and that has one reply. `parameters` is a JSON
 * object, or NULL for none. *ret_reply is a JSON object; it may hold a token, and is released by
 * elementd_free_secret(). When the connection ends before the answer has come, the call is made a second time.
 *
 *     elementd_call(daemon, "org.varlink.service.GetInfo", NULL, 0, &reply);
 *
 * `timeout_usec` is how long the method itself may take, over the patience. 0, -errno (-EINVAL: `parameters` is no
 * JSON object; -EMSGSIZE: it is too long) or any ELEMENTD_E_*.
 */
ELEMENTD_PUBLIC int elementd_call(elementd *daemon, const char *method, const char *parameters,
                                  uint64_t timeout_usec, char **ret_reply);

#ifdef __cplusplus
}
#endif

#endif
