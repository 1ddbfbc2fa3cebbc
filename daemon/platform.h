#pragma once

/*
 * Platform: what we ask of Cloud Elements and what its answers mean. Pure both ways: question to request,
 * answer to outcome; no socket, no clock, no log.
 *
 * Here, and only here, is known what a status means for which question, what may be believed of an answer,
 * and that the platform's JSON may break in the middle.
 *
 * Limits: TOKEN_BYTES_MAX, PROBLEM_BYTES_MAX, PLATFORM_PAGE_ROWS, PLATFORM_KEYS_MAX and what goes with it
 * Source: the platform's documentation and test suite; what is not documented is not relied on
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/secret.h"
#include "base/trouble.h"
#include "config/account.h"
#include "config/instance.h"
#include "daemon/http.h"

typedef enum PlatformMethod {
    PLATFORM_LIST,    /* GET /instances?tags[]=elementd.OWNER, one page */
    PLATFORM_READ,    /* GET /instances/{id} */
    PLATFORM_CREATE,  /* POST /instances */
    PLATFORM_UPDATE,  /* PUT /instances/{id}: all of it */
    PLATFORM_RELABEL, /* PATCH /instances/{id}: name and tags */
    PLATFORM_DELETE,  /* DELETE /instances/{id} */
    PLATFORM_EXPLAIN, /* GET /elements/{key}/configuration */
} PlatformMethod;

#define PLATFORM_N_METHODS (PLATFORM_EXPLAIN + 1)

/* A question; which fields count depends on the method. All is borrowed, but what http_start() takes a reference of. */
typedef struct PlatformQuestion {
    PlatformMethod method;
    const Account *account;
    const char *owner; /* list */
    const char *page;  /* list: the next-page token of the page before, or NULL */
    const char *name; /* of one that is there: INSTANCE; a tag that names another is not believed */
    int64_t id;       /* of one that is there: never 0, without it the platform would take any */
    Secret *token;    /* the one that is known, so that no message shows it; may be NULL */
    /* Create, update, relabel: what is sent; explain: what was refused, so that no message shows it. */
    Secret *body;
    const Instance
        *instance;       /* or, with `owner`, whose body is to be read and sent (daemon/engine.h) */
    const char *element; /* explain */
    usec_t timeout;
} PlatformQuestion;

typedef enum PlatformOutcome {
    PLATFORM_DONE,         /* as asked */
    PLATFORM_ABSENT,       /* there is none of that id; a list that is empty is DONE */
    PLATFORM_REFUSED,      /* permanent: the same question will be refused again */
    PLATFORM_UNAUTHORIZED, /* bad user or organization secret */
    PLATFORM_FORBIDDEN,    /* disabled, or a privilege is missing */
    PLATFORM_BUSY,         /* not carried out, worth another try later */
    PLATFORM_UNKNOWN, /* perhaps carried out, or still being: a creation must be looked up before it is tried again */
} PlatformOutcome;

/* An instance as the platform describes it. Zeroed where it says nothing, or nothing that can be used. */
typedef struct PlatformInstance {
    int64_t id;    /* 0: none, or no positive integer */
    Secret *token; /* NULL: none, or none that could be sent in a header */
    char *element; /* element.key */
    char *name;    /* INSTANCE of its tag elementd.OWNER.INSTANCE; NULL when it is not ours */
    bool is_owned; /* carries the tag elementd.OWNER */
    bool has_tags; /* some are shown: without, nothing can be said about whose it is */
    bool is_disabled;
    bool says_disabled; /* `is_disabled` is the platform's word, and not for want of one */
} PlatformInstance;

void platform_instance_deinit(PlatformInstance *instance);

/* A key of an element's configuration. Texts are lines. */
typedef struct PlatformKey {
    char *name;
    bool is_required;    /* and the platform has no default for it */
    bool is_secret;      /* by its type, or by its name */
    char *default_value; /* NULL: none, none that is a line, or that of a secret */
} PlatformKey;

typedef struct PlatformKeys {
    PlatformKey *items; /* in the platform's order, of each name the first */
    size_t n_items;
    bool is_whole; /* it is JSON to its end, with a list in it of no more than PLATFORM_KEYS_MAX */
} PlatformKeys;

void platform_keys_deinit(PlatformKeys *keys);

typedef struct PlatformAnswer {
    PlatformOutcome outcome;
    PlatformInstance *
        instances; /* list: all rows; delete and explain: none; else one, of which an update may lack the token */
    size_t n_instances;
    char *next_page; /* list: the token of the next page, or NULL on the last */
    bool
        is_unconfirmed; /* one instance: what was needed of it was read, then the answer broke; keys: they are not whole */
    PlatformKeys keys;  /* explain */
    usec_t retry_after; /* 0: the platform did not say */
    char *request_id;   /* the platform's, or NULL */
    char *
        problem; /* one line for a person, unless DONE; holds nothing that was sent in confidence */
    Trouble trouble; /* the kind of `problem` */
    Secret *body;    /* what the engine has sent with the question, or NULL */
} PlatformAnswer;

void platform_answer_deinit(PlatformAnswer *answer);

/* The request for a question: `url` is the caller's to free, `authorization` to unref. 0 or -ENOMEM. */
int platform_format(const PlatformQuestion *question, HttpRequest *ret_request, char **ret_url,
                    Secret **ret_authorization);

/*
 * What `http` means as an answer to `question`, of which page and timeout do not count, and of its account the
 * secrets alone. Total: whatever the platform sent, there is an outcome. 0 or -ENOMEM; release with
 * platform_answer_deinit().
 */
int platform_read(const PlatformQuestion *question, const HttpAnswer *http,
                  PlatformAnswer *ret_answer);

/*
 * Those of `keys` that are required and that the `configuration` of `body` does not set, joined by ", "; NULL in
 * *ret_missing when there are none. At most PROBLEM_BYTES_MAX: then it ends in "…". 0 or -ENOMEM.
 */
int platform_find_missing(const PlatformKeys *keys, const Secret *body, char **ret_missing);
