#pragma once

/*
 * A stand-in for the daemon behind the server: a few instances that a test sets as it likes.
 */

#include "ipc/served.h"
#include "ipc/server_operations.h"

enum {
    BACKEND_INSTANCES_MAX = 2000,
};

typedef struct BackendInstance {
    Served served;
    Terms terms;
    Secret *token;
    TroubleNote problem;
} BackendInstance;

typedef struct Backend {
    BackendInstance instances[BACKEND_INSTANCES_MAX];
    size_t n;
    size_t n_finds; /* times that an instance was looked for */
    size_t n_nexts; /* times that the next one was asked for */
    size_t call_at; /* at which of these `on_next` is called, from inside the server; 0: never */
    void (*on_next)(void);

    /* What was asked for last, and how often. */
    Served *rejected;
    char rejected_token[64];
    size_t n_rejected;
    Served *retried;
    size_t n_retried;
    uint64_t n_reloads; /* the number of the last one */

    /* Descriptions: the names in the last question, the answer to all, and from which number on it is not there yet. */
    char described[64];
    uint64_t
        n_descriptions; /* 0 before the first; none is given a number above `descriptions_max` */
    uint64_t descriptions_max;
    uint64_t n_descriptions_there;
    ServedDescription description;
    unsigned n_forgotten; /* each number once */

    uint64_t n_reloads_over;
    ServedReload reload; /* what comes of each */
    const ServedOrphan *orphans;
    size_t n_orphans;
    const ServedTrouble *troubles;
    size_t n_troubles;
} Backend;

/* For ServerOperations; userdata is the Backend. */
extern const ServerOperations backend_operations;

void backend_init(Backend *backend);
void backend_deinit(Backend *backend);

/* A pending instance without a token; `allow` and `allow_authorization` are one entry each, or NULL. */
Served *backend_add(Backend *backend, const char *name, const char *allow,
                    const char *allow_authorization);

/* NULL takes the token away. Saying server_changed() is the test's part. */
void backend_set_token(Backend *backend, Served *served, const char *token);

/* Its terms, to be changed by the test; what it puts there the test frees. */
Terms *backend_terms(Backend *backend, const Served *served);

/* Of no kind, and nobody knows since when; `words` stay the test's, NULL takes it away. */
void backend_set_problem(Backend *backend, Served *served, const char *words);

/* Makes `allow` the one entry of the list, or none for NULL. */
void backend_set_allow(Backend *backend, Served *served, const char *allow);
