#include "ipc/client/elementd.h"

/*
 * A call makes its request, has it exchanged for a reply (on a connection made anew where the old one has
 * ended), and takes out of the reply what its caller wants. The reply lives in the handle's arena: an
 * error stays there for elementd_last_error(), all else is wiped before the call returns.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/json_value.h"
#include "base/json_writer.h"
#include "base/limits.h"
#include "ipc/client/answer.h"
#include "ipc/client/wire.h"
#include "ipc/varlink.h"

#define ELEMENTD_SOCKET "/run/elementd/io.elementd"

/* A daemon that restarts is back within a second or two; one that starves for longer is not worth waiting for. */
#define ELEMENTD_PATIENCE_USEC (10 * USEC_PER_SEC)

/* Who ends a call within so long refuses it; later it was a restart. */
#define ELEMENTD_AT_ONCE_USEC (100 * USEC_PER_MSEC)

struct elementd {
    char *path;
    usec_t patience;
    Wire wire;
    Arena arena;                /* of the last reply */
    elementd_error error;       /* of the last call; its strings live in `arena` */
    elementd_problem *problems; /* those of `error` */
};

struct elementd_instances {
    Arena arena;
    elementd_instance *rows;
    size_t n_rows;
};

/* ---- opening and closing ---- */

void elementd_close(elementd *daemon)
{
    if (!daemon)
        return;
    wire_close(&daemon->wire);
    arena_deinit(&daemon->arena);
    free(daemon->problems);
    free(daemon->path);
    free(daemon);
}

DEFINE_FREEP(elementd, elementd_close)

/* Takes `path` over, which may be NULL for want of memory. */
static int elementd_open_taken(char *path, elementd **ret_daemon)
{
    _cleanup_(elementd_closep) elementd *daemon = calloc(1, sizeof(*daemon));
    int r;

    if (!daemon) {
        free(path);
        return -ENOMEM;
    }
    wire_init(&daemon->wire);
    daemon->path = path;
    daemon->patience = ELEMENTD_PATIENCE_USEC;
    if (!path)
        return -ENOMEM;
    r = wire_connect(&daemon->wire, path, clock_add(clock_boottime(), daemon->patience));
    if (r != 0)
        return r;
    *ret_daemon = TAKE_PTR(daemon);
    return 0;
}

int elementd_open(const char *path, elementd **ret_daemon)
{
    if (!ret_daemon)
        return -EINVAL;
    return elementd_open_taken(strdup(path ? path : ELEMENTD_SOCKET), ret_daemon);
}

/*
 * Not base/paths.h: the $RUNTIME_DIRECTORY that systemd set for this process is the one of the program that uses
 * the library, and not the daemon's.
 */
int elementd_open_root(const char *root, elementd **ret_daemon)
{
    char *path;

    if (!ret_daemon)
        return -EINVAL;
    if (!root)
        root = "";
    if (asprintf(&path, "%s%s", root, ELEMENTD_SOCKET) < 0)
        return -ENOMEM;
    return elementd_open_taken(path, ret_daemon);
}

void elementd_set_patience(elementd *daemon, uint64_t patience_usec)
{
    daemon->patience = patience_usec;
}

int elementd_fd(const elementd *daemon)
{
    return daemon->wire.fd;
}

/* ---- exchanging a request for a reply ---- */

/* Copies the reply out of the wire, into an arena that its tree is certain to fit. */
static int elementd_parse(elementd *daemon, const char *text, size_t size, VarlinkReply *ret_reply)
{
    int r;

    arena_deinit(&daemon->arena);
    arena_init(&daemon->arena, json_value_arena_max(size));
    r = varlink_parse_reply(&daemon->arena, text, size, ret_reply);
    if (r < 0)
        return r;
    return r != 0 ? ELEMENTD_E_PROTOCOL : 0;
}

/* Connects, unless that is done, and sends. */
static int elementd_send(elementd *daemon, const Buffer *request, usec_t deadline)
{
    int r = 0;

    if (!wire_is_usable(&daemon->wire)) {
        wire_close(&daemon->wire);
        r = wire_connect(&daemon->wire, daemon->path, deadline);
    }
    if (r == 0)
        r = wire_send(&daemon->wire, buffer_data(request), buffer_size(request), deadline);
    return r;
}

/* One try. Any failure leaves the wire closed, so that a late answer cannot be taken for the next call's. */
static int elementd_try(elementd *daemon, const Buffer *request, usec_t deadline,
                        VarlinkReply *ret_reply)
{
    const char *text;
    size_t size;
    int r;

    r = elementd_send(daemon, request, deadline);
    if (r == 0)
        r = wire_receive(&daemon->wire, deadline, &text, &size);
    if (r == 0)
        r = elementd_parse(daemon, text, size, ret_reply);
    /* One reply was asked for: nothing belongs behind it. */
    if (r == 0 && (ret_reply->continues || wire_has_more(&daemon->wire)))
        r = ELEMENTD_E_PROTOCOL;
    if (r == 0)
        wire_done(&daemon->wire);
    else
        wire_close(&daemon->wire);
    return r;
}

/* Keeps the problems that an error has, those that can be read. 0 or -ENOMEM. */
static int elementd_keep_problems(elementd *daemon, const JsonValue *parameters)
{
    const JsonValue *array = json_value_find(parameters, "problems");
    size_t n = 0;

    if (!array || array->type != JSON_ARRAY || array->n_children == 0)
        return 0;
    daemon->problems = calloc(array->n_children, sizeof(*daemon->problems));
    if (!daemon->problems)
        return -ENOMEM;
    JSON_VALUE_FOREACH(object, array) {
        if (answer_read_problem(object, &daemon->problems[n]) == 0)
            n++;
    }
    daemon->error.problems = daemon->problems;
    daemon->error.n_problems = n;
    return 0;
}

/* The outcome of an error, which is kept for elementd_last_error(). */
static int elementd_take_error(elementd *daemon, const VarlinkReply *reply)
{
    int outcome = answer_read_error(reply, &daemon->error);
    int r;

    r = elementd_keep_problems(daemon, reply->parameters);
    return r < 0 ? r : outcome;
}

/*
 * `timeout` is what the method itself may take. Another try bridges each restart of the daemon; no method of it does harm
 * when it is called twice. Who closes the connection at once, and again, does so for another reason.
 * 0 with a reply that is no error, ELEMENTD_E_* or -errno.
 */
static int elementd_exchange(elementd *daemon, const Buffer *request, usec_t timeout,
                             VarlinkReply *ret_reply)
{
    usec_t deadline = clock_add(clock_boottime(), clock_add(timeout, daemon->patience));
    unsigned n_closed = 0; /* at once, one after the other */
    int r;

    do {
        usec_t begin = clock_boottime();

        r = elementd_try(daemon, request, deadline, ret_reply);
        n_closed = clock_boottime() - begin < ELEMENTD_AT_ONCE_USEC ? n_closed + 1 : 0;
    } while (r == ELEMENTD_E_CLOSED && n_closed < 2);
    if (r == 0 && ret_reply->error)
        r = elementd_take_error(daemon, ret_reply);
    return r;
}

/* What the last call left is not to be taken for this one's. */
static void elementd_begin(elementd *daemon)
{
    daemon->error = (elementd_error){};
    free(daemon->problems);
    daemon->problems = NULL;
    arena_deinit(&daemon->arena);
}

/* Ends a request. 0, -EINVAL (a string is not UTF-8), -EMSGSIZE or -ENOMEM. */
static int elementd_end_request(VarlinkWriter *writer)
{
    int r = varlink_end(writer);

    return r == VARLINK_E_FULL ? -EMSGSIZE : r;
}

/* Calls a method about an instance, once. As elementd_exchange(). */
static int elementd_ask_once(elementd *daemon, const char *method, const char *instance,
                             usec_t timeout, VarlinkReply *ret_reply)
{
    _cleanup_(buffer_deinit) Buffer request = BUFFER_INIT(REQUEST_BYTES_MAX);
    VarlinkWriter writer;
    int r;

    elementd_begin(daemon);
    varlink_begin_call(&writer, &request, method, false, false);
    json_writer_key(&writer.json, "instance");
    json_writer_string(&writer.json, instance);
    if (timeout > 0) {
        json_writer_key(&writer.json, "timeoutUSec");
        json_writer_uint(&writer.json, timeout);
    }
    r = elementd_end_request(&writer);
    if (r != 0)
        return r;
    return elementd_exchange(daemon, &request, timeout, ret_reply);
}

/*
 * Calls a method about an instance, waiting for it. A daemon that is stopped says "not ready" to those who wait, before
 * their time is over: they are asked for again, of the next one. As elementd_exchange().
 */
static int elementd_ask(elementd *daemon, const char *method, const char *instance, usec_t timeout,
                        VarlinkReply *ret_reply)
{
    usec_t begin = clock_boottime(), now = begin, end;
    int r;

    elementd_begin(daemon);
    if (!instance)
        return -EINVAL;
    if (timeout > WAIT_MAX_USEC)
        timeout = WAIT_MAX_USEC;
    end = clock_add(begin, timeout);
    do {
        begin = now;
        r = elementd_ask_once(daemon, method, instance, end > now ? end - now : 0, ret_reply);
        now = clock_boottime();
    } while (r == ELEMENTD_E_NOT_READY && clock_add(now, ELEMENTD_AT_ONCE_USEC) < end &&
             now - begin >= ELEMENTD_AT_ONCE_USEC);
    return r;
}

/* ---- tokens ---- */

/* Copies a secret for the caller, who may not want it. 0 or -ENOMEM. */
static int elementd_hand_out(const char *secret, char **ret_secret)
{
    char *copy;

    if (!ret_secret)
        return 0;
    copy = strdup(secret);
    if (!copy)
        return -ENOMEM;
    *ret_secret = copy;
    return 0;
}

int elementd_get_token(elementd *daemon, const char *instance, uint64_t timeout_usec,
                       char **ret_token, int64_t *ret_id, uint64_t *ret_verified_usec)
{
    AnswerToken token;
    VarlinkReply reply;
    int r;

    r = elementd_ask(daemon, "io.elementd.GetToken", instance, timeout_usec, &reply);
    if (r != 0)
        return r;
    r = answer_read_token(reply.parameters, &token);
    if (r == 0)
        r = elementd_hand_out(token.token, ret_token);
    arena_deinit(&daemon->arena);
    if (r != 0)
        return r;
    if (ret_id)
        *ret_id = token.id;
    if (ret_verified_usec)
        *ret_verified_usec = token.verified_usec;
    return 0;
}

int elementd_get_authorization(elementd *daemon, const char *instance, uint64_t timeout_usec,
                               char **ret_authorization)
{
    const char *authorization;
    VarlinkReply reply;
    int r;

    r = elementd_ask(daemon, "io.elementd.GetAuthorization", instance, timeout_usec, &reply);
    if (r != 0)
        return r;
    r = answer_read_authorization(reply.parameters, &authorization);
    if (r == 0)
        r = elementd_hand_out(authorization, ret_authorization);
    arena_deinit(&daemon->arena);
    return r;
}

int elementd_report_rejected(elementd *daemon, const char *instance, const char *token)
{
    _cleanup_(buffer_deinit) Buffer request = BUFFER_INIT(REQUEST_BYTES_MAX);
    VarlinkWriter writer;
    VarlinkReply reply;
    int r;

    elementd_begin(daemon);
    if (!instance || !token)
        return -EINVAL;
    varlink_begin_call(&writer, &request, "io.elementd.ReportRejected", false, false);
    json_writer_key(&writer.json, "instance");
    json_writer_string(&writer.json, instance);
    json_writer_key(&writer.json, "token");
    json_writer_string(&writer.json, token);
    r = elementd_end_request(&writer);
    if (r != 0)
        return r;
    r = elementd_exchange(daemon, &request, 0, &reply);
    if (r == 0)
        arena_deinit(&daemon->arena);
    return r;
}

void elementd_free_secret(char *secret)
{
    if (!secret)
        return;
    explicit_bzero(secret, strlen(secret));
    free(secret);
}

/* ---- instances ---- */

void elementd_instances_free(elementd_instances *instances)
{
    if (!instances)
        return;
    arena_deinit(&instances->arena);
    free(instances->rows);
    free(instances);
}

DEFINE_FREEP(elementd_instances, elementd_instances_free)

/* Takes the reply's arena over, in which the strings are. */
static int elementd_instances_new(const JsonValue *array, Arena *arena,
                                  elementd_instances **ret_instances)
{
    _cleanup_(elementd_instances_freep) elementd_instances *instances = NULL;
    int r;

    if (!array || array->type != JSON_ARRAY)
        return ELEMENTD_E_PROTOCOL;
    instances = calloc(1, sizeof(*instances));
    if (!instances)
        return -ENOMEM;
    if (array->n_children > 0) {
        instances->rows = calloc(array->n_children, sizeof(*instances->rows));
        if (!instances->rows)
            return -ENOMEM;
    }
    JSON_VALUE_FOREACH(object, array) {
        r = answer_read_instance(object, &instances->rows[instances->n_rows]);
        if (r != 0)
            return r;
        instances->n_rows++;
    }
    instances->arena = *arena;
    *arena = ARENA_INIT(0);
    *ret_instances = TAKE_PTR(instances);
    return 0;
}

int elementd_list_instances(elementd *daemon, elementd_instances **ret_instances)
{
    _cleanup_(buffer_deinit) Buffer request = BUFFER_INIT(REQUEST_BYTES_MAX);
    VarlinkWriter writer;
    VarlinkReply reply;
    int r;

    elementd_begin(daemon);
    if (!ret_instances)
        return -EINVAL;
    varlink_begin_call(&writer, &request, "io.elementd.ListInstances", false, false);
    r = elementd_end_request(&writer);
    if (r == 0)
        r = elementd_exchange(daemon, &request, 0, &reply);
    if (r != 0)
        return r;
    r = elementd_instances_new(json_value_find(reply.parameters, "instances"), &daemon->arena,
                               ret_instances);
    arena_deinit(&daemon->arena);
    return r;
}

size_t elementd_instances_count(const elementd_instances *instances)
{
    return instances->n_rows;
}

const elementd_instance *elementd_instances_get(const elementd_instances *instances, size_t index)
{
    return index < instances->n_rows ? &instances->rows[index] : NULL;
}

/* ---- watching ---- */

/* A handle of its own, whose connection is used up by the one call. */
struct elementd_watch {
    elementd *daemon;
    Buffer request;
    elementd_instance row; /* the last one, whose strings are in the handle's arena */
};

void elementd_watch_close(elementd_watch *watch)
{
    if (!watch)
        return;
    elementd_close(watch->daemon);
    buffer_deinit(&watch->request);
    free(watch);
}

DEFINE_FREEP(elementd_watch, elementd_watch_close)

/* Connects and asks, within the patience. As elementd_open(); after a failure there is no connection. */
static int elementd_watch_begin(elementd_watch *watch)
{
    elementd *daemon = watch->daemon;
    int r;

    r = elementd_send(daemon, &watch->request, clock_add(clock_boottime(), daemon->patience));
    if (r != 0)
        wire_close(&daemon->wire);
    return r;
}

/* `instance` NULL: a method without parameters. */
static int elementd_watch_new(const elementd *daemon, const char *method, const char *instance,
                              elementd_watch **ret_watch)
{
    _cleanup_(elementd_watch_closep) elementd_watch *watch = calloc(1, sizeof(*watch));
    VarlinkWriter writer;
    int r;

    if (!watch)
        return -ENOMEM;
    watch->request = BUFFER_INIT(REQUEST_BYTES_MAX);
    varlink_begin_call(&writer, &watch->request, method, true, false);
    if (instance) {
        json_writer_key(&writer.json, "instance");
        json_writer_string(&writer.json, instance);
    }
    r = elementd_end_request(&writer);
    if (r == 0)
        r = elementd_open(daemon->path, &watch->daemon);
    if (r != 0)
        return r;
    watch->daemon->patience = daemon->patience;
    r = elementd_watch_begin(watch);
    /* A daemon that goes at once is back for the first elementd_watch_next_…(). */
    if (r != 0 && r != ELEMENTD_E_CLOSED)
        return r;
    *ret_watch = TAKE_PTR(watch);
    return 0;
}

int elementd_watch_token(const elementd *daemon, const char *instance, elementd_watch **ret_watch)
{
    if (!instance || !ret_watch)
        return -EINVAL;
    return elementd_watch_new(daemon, "io.elementd.WatchToken", instance, ret_watch);
}

int elementd_watch_instances(const elementd *daemon, elementd_watch **ret_watch)
{
    if (!ret_watch)
        return -EINVAL;
    return elementd_watch_new(daemon, "io.elementd.WatchInstances", NULL, ret_watch);
}

int elementd_watch_fd(const elementd_watch *watch)
{
    return elementd_fd(watch->daemon);
}

const elementd_error *elementd_watch_last_error(const elementd_watch *watch)
{
    return elementd_last_error(watch->daemon);
}

/* Takes a message of the watch: news, or the error that ends it. */
static int elementd_watch_take(elementd *daemon, const char *text, size_t size,
                               VarlinkReply *ret_reply)
{
    int r;

    r = elementd_parse(daemon, text, size, ret_reply);
    wire_done(&daemon->wire);
    if (r == 0 && ret_reply->error)
        return elementd_take_error(daemon, ret_reply);
    return r == 0 && !ret_reply->continues ? ELEMENTD_E_PROTOCOL : r;
}

/* The next news. As elementd_watch_next_token(). */
static int elementd_watch_next(elementd_watch *watch, usec_t timeout, VarlinkReply *ret_reply)
{
    usec_t deadline = clock_add(clock_boottime(), timeout);
    elementd *daemon = watch->daemon;
    const char *text;
    size_t size;
    int r = 0;

    elementd_begin(daemon);
    if (daemon->wire.fd < 0)
        r = elementd_watch_begin(watch);
    if (r != 0)
        return r;
    r = wire_receive(&daemon->wire, deadline, &text, &size);
    if (r == ELEMENTD_E_TIMEOUT)
        return r;
    if (r == 0)
        r = elementd_watch_take(daemon, text, size, ret_reply);
    if (r != 0)
        wire_close(&daemon->wire);
    return r;
}

int elementd_watch_next_token(elementd_watch *watch, uint64_t timeout_usec, char **ret_token,
                              int64_t *ret_id)
{
    AnswerToken token = {};
    VarlinkReply reply;
    char *copy = NULL;
    int r;

    r = elementd_watch_next(watch, timeout_usec, &reply);
    if (r != 0)
        return r;
    r = answer_read_news(reply.parameters, &token);
    if (r == 0 && token.token)
        r = elementd_hand_out(token.token, ret_token ? &copy : NULL);
    arena_deinit(&watch->daemon->arena);
    if (r != 0) {
        /* It would not be told again: the next call begins anew. */
        wire_close(&watch->daemon->wire);
        return r;
    }
    if (ret_token)
        *ret_token = copy;
    if (ret_id)
        *ret_id = token.id;
    return 0;
}

int elementd_watch_next_instance(elementd_watch *watch, uint64_t timeout_usec,
                                 const elementd_instance **ret_instance)
{
    VarlinkReply reply;
    int r;

    r = elementd_watch_next(watch, timeout_usec, &reply);
    if (r != 0)
        return r;
    r = answer_read_instance(json_value_find(reply.parameters, "instance"), &watch->row);
    if (r != 0) {
        wire_close(&watch->daemon->wire);
        return r;
    }
    if (ret_instance)
        *ret_instance = &watch->row;
    return 0;
}

/* ---- errors ---- */

const elementd_error *elementd_last_error(const elementd *daemon)
{
    return &daemon->error;
}

static const char *const elementd_words[] = {
    [0] = "done",
    [ELEMENTD_E_NO_DAEMON] = "elementd is not running",
    [ELEMENTD_E_TIMEOUT] = "elementd did not answer in time",
    [ELEMENTD_E_CLOSED] = "elementd ended the connection without an answer",
    [ELEMENTD_E_PROTOCOL] = "what answered is not elementd",
    [ELEMENTD_E_NO_SUCH_INSTANCE] = "no such instance is declared",
    [ELEMENTD_E_NOT_READY] = "the instance has no token yet",
    [ELEMENTD_E_FAILED] = "the instance failed, and needs a person",
    [ELEMENTD_E_DENIED] = "permission denied",
    [ELEMENTD_E_REMOTE] = "elementd refused the call",
};

const char *elementd_strerror(int error)
{
    if (error < 0)
        return error_text(error);
    if ((size_t)error < N_ELEMENTS(elementd_words))
        return elementd_words[error];
    return "unknown outcome";
}

/* ---- anything else ---- */

/* Copies the members of a JSON object given as text into a call. -EINVAL when it is none. */
static int elementd_write_parameters(VarlinkWriter *writer, const char *parameters)
{
    _cleanup_(arena_deinit) Arena arena = ARENA_INIT(json_value_arena_max(REQUEST_BYTES_MAX));
    JsonValue *object;
    int r;

    if (!parameters)
        return 0;
    if (strlen(parameters) > REQUEST_BYTES_MAX)
        return -EMSGSIZE;
    r = json_value_parse(&arena, parameters, strlen(parameters), 0, &object, NULL);
    if (r < 0)
        return r;
    if (r != 0 || object->type != JSON_OBJECT)
        return -EINVAL;
    JSON_VALUE_FOREACH(member, object) {
        json_writer_key(&writer->json, member->key);
        json_writer_value(&writer->json, member);
    }
    return 0;
}

static int elementd_write_call(Buffer *request, const char *method, const char *parameters)
{
    VarlinkWriter writer;
    int r, e;

    varlink_begin_call(&writer, request, method, false, false);
    r = elementd_write_parameters(&writer, parameters);
    e = elementd_end_request(&writer);
    return r != 0 ? r : e;
}

/* The reply's parameters as text, for the caller. 0, -errno or ELEMENTD_E_PROTOCOL. */
static int elementd_format_reply(const JsonValue *parameters, char **ret_reply)
{
    _cleanup_(buffer_deinit) Buffer text = BUFFER_INIT(2 * REPLY_BYTES_MAX);
    JsonWriter writer;
    int r;

    json_writer_begin(&writer, &text);
    if (parameters) {
        json_writer_value(&writer, parameters);
    } else {
        json_writer_open_object(&writer);
        json_writer_close_object(&writer);
    }
    r = json_writer_end(&writer);
    if (r == 0)
        r = buffer_append(&text, "", 1);
    if (r != 0)
        return r < 0 ? r : ELEMENTD_E_PROTOCOL;
    return elementd_hand_out(buffer_data(&text), ret_reply);
}

int elementd_call(elementd *daemon, const char *method, const char *parameters,
                  uint64_t timeout_usec, char **ret_reply)
{
    _cleanup_(buffer_deinit) Buffer request = BUFFER_INIT(REQUEST_BYTES_MAX);
    VarlinkReply reply;
    int r;

    elementd_begin(daemon);
    if (!method)
        return -EINVAL;
    r = elementd_write_call(&request, method, parameters);
    if (r == 0)
        r = elementd_exchange(daemon, &request, timeout_usec, &reply);
    if (r != 0)
        return r;
    r = elementd_format_reply(reply.parameters, ret_reply);
    arena_deinit(&daemon->arena);
    return r;
}
