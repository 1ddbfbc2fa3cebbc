#pragma once

/*
 * Server operations: what ipc/ asks the daemon, a struct of functions that the daemon fills in.
 *
 * So nothing in ipc/ knows registry or store, and a test brings a backend of twenty lines.
 */

#include "ipc/served.h"

/* A mistake in the configuration; all is borrowed. */
typedef struct ServedProblem {
    const char *file;
    unsigned line;
    unsigned column;
    const char *message;
} ServedProblem;

/* What came of a reload: lists of names, or problems and no change. All is borrowed from the daemon. */
typedef struct ServedReload {
    bool is_applied;
    const char *const *added; /* each NULL-terminated, in order of names */
    const char *const *changed;
    const char *const *removed;
    const ServedProblem *problems; /* when it was not applied; at least one */
    size_t n_problems;
} ServedReload;

/* Why nothing uses an instance on the platform that carries this host's tag. */
typedef enum ServedOrphanReason {
    SERVED_ORPHAN_REMOVED,   /* its file is gone */
    SERVED_ORPHAN_REPLACED,  /* its file speaks of another element, account or platform now */
    SERVED_ORPHAN_DUPLICATE, /* another one with the same tag is used */
    SERVED_ORPHAN_UNCLAIMED, /* found on the platform, and never declared as far as is known */
} ServedOrphanReason;

#define SERVED_ORPHAN_N_REASONS (SERVED_ORPHAN_UNCLAIMED + 1)

/* An instance on the platform that nothing uses. All is borrowed from the daemon, until the next turn of the loop. */
typedef struct ServedOrphan {
    int64_t id;
    const char *url;      /* of the platform */
    const char *account;  /* NULL: not known */
    const char *element;  /* NULL: not known */
    const char *instance; /* the name that it was created for, or NULL */
    ServedOrphanReason reason;
    usec_t since;        /* realtime: when it was found to be one */
    bool is_deleting;    /* it is being deleted, since its file said so */
    const char *problem; /* why it is still there, or NULL */
} ServedOrphan;

/* A key of an element's configuration. All is borrowed from the daemon. */
typedef struct ServedElementKey {
    const char *name;
    bool is_required; /* and the platform has no default for it */
    bool is_secret;
    const char *default_value; /* NULL: none, or that of a secret */
} ServedElementKey;

typedef enum ServedDescriptionResult {
    SERVED_DESCRIBED,
    SERVED_DESCRIPTION_NO_ACCOUNT, /* none of that name can be used */
    SERVED_DESCRIPTION_NO_ELEMENT, /* says the platform */
    SERVED_DESCRIPTION_UNAVAILABLE,
} ServedDescriptionResult;

/* What the platform says of an element. All is borrowed from the daemon. */
typedef struct ServedDescription {
    ServedDescriptionResult result;
    const char *element; /* as it was asked for */
    const char *account;
    const ServedElementKey *keys; /* SERVED_DESCRIBED */
    size_t n_keys;
    const char *problem; /* SERVED_DESCRIPTION_UNAVAILABLE */
    usec_t retry;        /* likewise; realtime, 0: not known */
} ServedDescription;

/* What is wrong beyond single instances. All is borrowed from the daemon, until the next turn of the loop. */
typedef struct ServedTrouble {
    Trouble trouble;     /* TROUBLE_NONE: nothing */
    const char *account; /* whose it is, or NULL */
    const char *problem;
    usec_t since;    /* realtime, 0: not known */
    usec_t retry;    /* realtime, 0: none due */
    bool is_private; /* for root alone */
} ServedTrouble;

/* Called on the loop; none may block or call back into the server, not even by a change that it makes. */
typedef struct ServerOperations {
    /* The instance of that name (`size` bytes, not NUL-terminated), or NULL. */
    Served *(*find)(void *userdata, const char *name, size_t size);

    /* The instance behind `previous` in the order of names, the first one for NULL; NULL at the end. */
    Served *(*next)(void *userdata, const Served *previous);

    /* A program was told 401 with `token` (`size` bytes): to be verified soon, when it is the one that is served. */
    void (*report_rejected)(void *userdata, Served *served, const char *token, size_t size);

    /* Whatever it waits for or has failed with: to be tried again soon. */
    void (*retry)(void *userdata, Served *served);

    /*
     * Has the configuration read anew, and applied when it is fine. Returns the number of a reload that begins after this
     * call; server_reloaded() tells when one is over.
     */
    uint64_t (*reload)(void *userdata);

    /* NULL: reload `number` is not over. Else what came of it; borrowed until the next turn of the loop. */
    const ServedReload *(*find_reload)(void *userdata, uint64_t number);

    /*
     * Has the platform asked, by an account, which configuration keys an element has; both names are copied. Returns the
     * number of the description, which is there until it is forgotten; 0: there are too many, or there is no memory.
     */
    uint64_t (*describe)(void *userdata, const char *element, const char *account);

    /*
     * NULL: description `number` is not there yet; server_described() tells when one is. Else borrowed until it is
     * forgotten.
     */
    const ServedDescription *(*find_description)(void *userdata, uint64_t number);

    /* Nobody wants it any more: what is under way for it is cancelled. */
    void (*forget_description)(void *userdata, uint64_t number);

    /* The i-th orphan, in a fixed order while the loop does not turn. False at the end. */
    bool (*find_orphan)(void *userdata, size_t i, ServedOrphan *ret_orphan);

    /* What may be wrong at the i-th place where something may be. False at the end. */
    bool (*find_trouble)(void *userdata, size_t i, ServedTrouble *ret_trouble);
} ServerOperations;
