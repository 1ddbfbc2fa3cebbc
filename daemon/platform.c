#include "daemon/platform.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/limits.h"
#include "daemon/platform_hide.h"
#include "daemon/platform_reader.h"

void platform_instance_deinit(PlatformInstance *instance)
{
    secret_unref(instance->token);
    free(instance->element);
    free(instance->name);
    *instance = (PlatformInstance){};
}

void platform_answer_deinit(PlatformAnswer *answer)
{
    for (size_t i = 0; i < answer->n_instances; i++)
        platform_instance_deinit(&answer->instances[i]);
    free(answer->instances);
    free(answer->next_page);
    platform_keys_deinit(&answer->keys);
    free(answer->request_id);
    free(answer->problem);
    secret_unref(answer->body);
    *answer = (PlatformAnswer){};
}

/* ---- question to request ---- */

/* Percent-encodes all but the unreserved characters of RFC 3986. */
static int platform_append_encoded(Buffer *url, const char *text)
{
    int r = 0;

    for (; *text && r == 0; text++) {
        unsigned char c = (unsigned char)*text;

        if (isascii(c) && (isalnum(c) || strchr("-._~", c)))
            r = buffer_append(url, text, 1);
        else
            r = buffer_printf(url, "%%%02X", c);
    }
    return r;
}

/* What goes out for a method; the path is platform_format_path()'s. */
typedef struct PlatformVerb {
    const char *verb;
    bool has_body; /* and an effect, so that a lost answer leaves open whether it was carried out */
} PlatformVerb;

static const PlatformVerb platform_verbs[PLATFORM_N_METHODS] = {
    [PLATFORM_LIST] = {"GET", false},     [PLATFORM_READ] = {"GET", false},
    [PLATFORM_CREATE] = {"POST", true},   [PLATFORM_UPDATE] = {"PUT", true},
    [PLATFORM_RELABEL] = {"PATCH", true}, [PLATFORM_DELETE] = {"DELETE", false},
    [PLATFORM_EXPLAIN] = {"GET", false},
};

static int platform_format_path(const PlatformQuestion *question, Buffer *url)
{
    int r = 0;

    switch (question->method) {
    case PLATFORM_LIST:
        r = buffer_append_string(url, "/instances?tags%5B%5D=elementd.");
        if (r == 0)
            r = platform_append_encoded(url, question->owner);
        if (r == 0)
            r = buffer_printf(url, "&pageSize=%d", PLATFORM_PAGE_ROWS);
        if (r == 0 && question->page)
            r = buffer_append_string(url, "&nextPage=");
        if (r == 0 && question->page)
            r = platform_append_encoded(url, question->page);
        return r;
    case PLATFORM_READ:
    case PLATFORM_UPDATE:
    case PLATFORM_RELABEL:
    case PLATFORM_DELETE:
        assert(question->id > 0);
        return buffer_printf(url, "/instances/%" PRId64, question->id);
    case PLATFORM_CREATE:
        return buffer_append_string(url, "/instances");
    case PLATFORM_EXPLAIN:
        r = buffer_append_string(url, "/elements/");
        if (r == 0)
            r = platform_append_encoded(url, question->element);
        if (r == 0)
            r = buffer_append_string(url, "/configuration");
        return r;
    }
    assert(false);
    return -EINVAL;
}

/* User and Organization alone: with an Element token, calls without an id act on that token's instance. */
static int platform_format_authorization(const Account *account, Secret **ret_authorization)
{
    _cleanup_(buffer_deinit) Buffer text = BUFFER_INIT(HTTP_HEADER_BYTES_MAX);
    int r;

    r = buffer_printf(&text, "User %s, Organization %s", secret_reveal(account->user),
                      secret_reveal(account->organization));
    if (r != 0)
        return -ENOMEM;
    return secret_new_take(&text, ret_authorization);
}

int platform_format(const PlatformQuestion *question, HttpRequest *ret_request, char **ret_url,
                    Secret **ret_authorization)
{
    const PlatformVerb *verb = &platform_verbs[question->method];
    _cleanup_(buffer_deinit) Buffer url = BUFFER_INIT(HTTP_HEADER_BYTES_MAX);
    int r;

    r = buffer_append_string(&url, question->account->url);
    if (r == 0)
        r = platform_format_path(question, &url);
    if (r == 0)
        r = buffer_append(&url, "", 1);
    if (r != 0)
        return -ENOMEM;
    r = platform_format_authorization(question->account, ret_authorization);
    if (r < 0)
        return r;
    *ret_url = strdup(buffer_data(&url));
    if (!*ret_url) {
        *ret_authorization = secret_unref(*ret_authorization);
        return -ENOMEM;
    }
    *ret_request = (HttpRequest){
        .method = verb->verb,
        .url = *ret_url,
        .authorization = *ret_authorization,
        .body = verb->has_body ? question->body : NULL,
        .ca_file = question->account->ca_file,
        .timeout = question->timeout,
    };
    return 0;
}

/* ---- answer to outcome ---- */

typedef struct PlatformStatus {
    int status;
    PlatformOutcome outcome;
    const char *words;
} PlatformStatus;

/*
 * What a status means when the platform itself says it. Whatever may come from something that is still working, or has
 * finished, is UNKNOWN: the platform uses 413 and 429 for "took too long", and gateways 503 for a lost upstream.
 */
static const PlatformStatus platform_statuses[] = {
    {400, PLATFORM_REFUSED, "bad request"},
    {401, PLATFORM_UNAUTHORIZED, "invalid user or organization secret"},
    {402, PLATFORM_FORBIDDEN, "payment required"},
    {403, PLATFORM_FORBIDDEN, "forbidden"},
    {404, PLATFORM_ABSENT, "not found"},
    {405, PLATFORM_REFUSED, "method not allowed"},
    {406, PLATFORM_REFUSED, "not acceptable"},
    {408, PLATFORM_UNKNOWN, "request timed out"},
    {409, PLATFORM_UNKNOWN, "conflict"},
    {413, PLATFORM_UNKNOWN, "too large, or took too long"},
    {415, PLATFORM_REFUSED, "unsupported media type"},
    {422, PLATFORM_REFUSED, "unprocessable"},
    {429, PLATFORM_UNKNOWN, "too many requests, or took too long"},
    {500, PLATFORM_UNKNOWN, "internal error of the platform"},
    {502, PLATFORM_UNKNOWN, "bad gateway"},
    {503, PLATFORM_UNKNOWN, "service unavailable"},
    {504, PLATFORM_UNKNOWN, "gateway timed out"},
};

/* Of these three a Retry-After makes a clear word: not now, come back then. */
static bool platform_is_put_off(const HttpAnswer *http)
{
    return http->retry_after > 0 &&
           (http->status == 413 || http->status == 429 || http->status == 503);
}

static PlatformOutcome platform_classify_status(const HttpAnswer *http, const char **ret_words)
{
    int status = http->status;

    for (size_t i = 0; i < N_ELEMENTS(platform_statuses); i++) {
        if (platform_statuses[i].status != status)
            continue;
        *ret_words = platform_statuses[i].words;
        return platform_is_put_off(http) ? PLATFORM_BUSY : platform_statuses[i].outcome;
    }
    if (status >= 300 && status < 400) {
        *ret_words = "redirect, which is not followed: check the account's \"url\"";
        return PLATFORM_REFUSED;
    }
    *ret_words = "unexpected status";
    return status >= 400 && status < 500 ? PLATFORM_REFUSED : PLATFORM_UNKNOWN;
}

/* Who says so: the platform signs its errors with a request id, gateways in front of it do not. */
static bool platform_is_believed(PlatformOutcome outcome, const PlatformError *error)
{
    switch (outcome) {
    case PLATFORM_ABSENT: /* a gateway's 404, or that of a wrong URL, must not lead to a second instance */
        return error->message && error->request_id;
    case PLATFORM_REFUSED:
    case PLATFORM_FORBIDDEN:
        return error->message || error->request_id;
    case PLATFORM_DONE:
    case PLATFORM_UNAUTHORIZED:
    case PLATFORM_BUSY:
    case PLATFORM_UNKNOWN:
        return true;
    }
    assert(false);
    return false;
}

/* What a status means depends on what was asked, and on who says it. */
static PlatformOutcome platform_adjust(PlatformMethod method, PlatformOutcome outcome,
                                       const PlatformError *error)
{
    if (!platform_is_believed(outcome, error))
        return platform_verbs[method].has_body ? PLATFORM_UNKNOWN : PLATFORM_BUSY;
    if (outcome != PLATFORM_ABSENT)
        return outcome;
    if (method == PLATFORM_LIST) /* so it calls an empty list */
        return PLATFORM_DONE;
    return method == PLATFORM_CREATE ? PLATFORM_REFUSED : PLATFORM_ABSENT;
}

static int platform_set_problem(PlatformAnswer *answer, Trouble trouble, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int platform_set_problem(PlatformAnswer *answer, Trouble trouble, const char *format, ...)
{
    char problem[PROBLEM_BYTES_MAX + 128];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(problem, sizeof(problem), format, arguments);
    va_end(arguments);
    platform_reader_trim(problem);
    answer->trouble = trouble;
    free(answer->problem);
    answer->problem = strdup(problem);
    return answer->problem ? 0 : -ENOMEM;
}

static Trouble platform_transport_trouble(HttpFailure failure)
{
    switch (failure) {
    case HTTP_FAILURE_OTHER:
        break;
    case HTTP_FAILURE_CERTIFICATE:
        return TROUBLE_CERTIFICATE_UNTRUSTED;
    case HTTP_FAILURE_CERTIFICATE_TIME:
        return TROUBLE_CERTIFICATE_TIME;
    }
    return TROUBLE_UNREACHABLE;
}

/* No answer, or one that is no HTTP: whether it was sent decides. */
static int platform_read_transport(const PlatformQuestion *question, const HttpAnswer *http,
                                   PlatformAnswer *answer)
{
    bool is_sent = platform_verbs[question->method].has_body && http->is_sent;

    answer->outcome = is_sent ? PLATFORM_UNKNOWN : PLATFORM_BUSY;
    return platform_set_problem(
        answer, is_sent ? TROUBLE_OUTCOME_UNKNOWN : platform_transport_trouble(http->failure),
        "%s: %s", is_sent ? "the platform's answer was lost" : "cannot reach the platform",
        http->problem ? http->problem : "no answer");
}

static Trouble platform_outcome_trouble(PlatformOutcome outcome)
{
    switch (outcome) {
    case PLATFORM_REFUSED:
        return TROUBLE_REFUSED;
    case PLATFORM_UNAUTHORIZED:
        return TROUBLE_SECRETS_REFUSED;
    case PLATFORM_FORBIDDEN:
        return TROUBLE_FORBIDDEN;
    case PLATFORM_DONE:
    case PLATFORM_ABSENT:
    case PLATFORM_BUSY:
    case PLATFORM_UNKNOWN:
        break;
    }
    return TROUBLE_PLATFORM_FAILING;
}

static int platform_read_error(const PlatformQuestion *question, const HttpAnswer *http,
                               PlatformAnswer *answer)
{
    _cleanup_(platform_error_deinit) PlatformError error = {};
    PlatformOutcome outcome;
    const char *words;
    int r;

    r = platform_reader_read_error(&http->body, &error);
    if (r < 0)
        return r;
    outcome = platform_classify_status(http, &words);
    answer->outcome = platform_adjust(question->method, outcome, &error);
    if (answer->outcome == PLATFORM_DONE)
        return 0;
    if ((error.message && platform_hide(question, error.message) < 0) ||
        (error.provider_message && platform_hide(question, error.provider_message) < 0))
        return -ENOMEM;
    answer->request_id = TAKE_PTR(error.request_id);
    return platform_set_problem(
        answer, platform_outcome_trouble(answer->outcome), "%.*s (HTTP %d)%s%.*s",
        PROBLEM_BYTES_MAX / 2, error.message ? error.message : words, http->status,
        error.provider_message ? "; the vendor says: " : "", PROBLEM_BYTES_MAX / 2,
        error.provider_message ? error.provider_message : "");
}

/* Whether every row shows whose it is. */
static bool platform_is_tagged(const PlatformAnswer *answer)
{
    for (size_t i = 0; i < answer->n_instances; i++)
        if (!answer->instances[i].has_tags)
            return false;
    return true;
}

static int platform_read_list(const HttpAnswer *http, PlatformAnswer *answer, bool is_whole)
{
    if (!http->is_complete || !is_whole) {
        /* Half a list, or none, would make "not there" of what is there. */
        answer->outcome = PLATFORM_BUSY;
        return platform_set_problem(answer, TROUBLE_PLATFORM_FAILING,
                                    "the platform's list of instances is broken%s%s",
                                    http->problem ? ": " : "", http->problem ? http->problem : "");
    }
    if (!platform_is_tagged(answer)) {
        /* We asked for tagged ones: one that shows no tags may be any of ours. */
        answer->outcome = PLATFORM_BUSY;
        return platform_set_problem(answer, TROUBLE_PLATFORM_FAILING,
                                    "the platform's list of instances shows no tags");
    }
    if (http->next_page) {
        answer->next_page = strdup(http->next_page);
        if (!answer->next_page)
            return -ENOMEM;
    }
    answer->outcome = PLATFORM_DONE;
    return 0;
}

/* Whether `instance` is, by all that it says, the one that was asked for by its id. */
static bool platform_is_same(const PlatformQuestion *question, const PlatformInstance *instance)
{
    if (question->method == PLATFORM_CREATE) /* it was asked for by no id */
        return true;
    return instance->id == question->id &&
           !(instance->name && question->name && strcmp(instance->name, question->name) != 0);
}

static int platform_read_one(const PlatformQuestion *question, const HttpAnswer *http,
                             PlatformAnswer *answer, bool is_whole)
{
    const PlatformInstance *instance = answer->n_instances == 1 ? answer->instances : NULL;
    /* What was changed keeps its token; that the answer shows it is not promised anywhere. */
    bool is_change = question->method == PLATFORM_UPDATE || question->method == PLATFORM_RELABEL;

    if (!instance || instance->id == 0 || (!instance->token && !is_change)) {
        answer->outcome = PLATFORM_UNKNOWN;
        return platform_set_problem(answer, TROUBLE_PLATFORM_FAILING,
                                    "the platform's answer (HTTP %d) holds no usable %s%s%s",
                                    http->status, instance && instance->id ? "token" : "id",
                                    http->problem ? ": " : "", http->problem ? http->problem : "");
    }
    if (!platform_is_same(question, instance)) {
        answer->outcome = PLATFORM_UNKNOWN;
        return platform_set_problem(answer, TROUBLE_PLATFORM_FAILING,
                                    "the platform answered for another instance");
    }
    answer->outcome = PLATFORM_DONE;
    answer->is_unconfirmed = !is_whole || !http->is_complete;
    return 0;
}

static int platform_read_success(const PlatformQuestion *question, const HttpAnswer *http,
                                 PlatformAnswer *answer)
{
    PlatformInstances instances;
    int r;

    answer->outcome = PLATFORM_DONE;
    if (question->method == PLATFORM_DELETE) /* its body is documented to be empty */
        return 0;
    if (question->method == PLATFORM_EXPLAIN) {
        r = platform_reader_read_keys(&http->body, &answer->keys);
        answer->is_unconfirmed = !answer->keys.is_whole || !http->is_complete;
        return r;
    }
    r = platform_reader_read_instances(&http->body, question->owner, &instances);
    answer->instances = instances.items;
    answer->n_instances = instances.n_items;
    if (r < 0)
        return r;
    if (question->method == PLATFORM_LIST)
        return platform_read_list(http, answer, instances.is_whole && instances.is_array);
    return platform_read_one(question, http, answer, instances.is_whole);
}

int platform_read(const PlatformQuestion *question, const HttpAnswer *http,
                  PlatformAnswer *ret_answer)
{
    _cleanup_(platform_answer_deinit) PlatformAnswer answer = {.retry_after = http->retry_after};
    int r;

    if (http->status == 0)
        r = platform_read_transport(question, http, &answer);
    else if (http->status >= 200 && http->status < 300)
        r = platform_read_success(question, http, &answer);
    else
        r = platform_read_error(question, http, &answer);
    if (r < 0)
        return r;
    *ret_answer = answer;
    answer = (PlatformAnswer){};
    return 0;
}
