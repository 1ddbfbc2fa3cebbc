#pragma once

/*
 * Sandbox: all of it, and what happens to each request.
 *
 * What is below the API's prefix becomes an exchange, what is below the control prefix is answered at once.
 */

#include <stdio.h>

#include "tests/sandbox/fault.h"
#include "tests/sandbox/history.h"
#include "tests/sandbox/http_server.h"
#include "tests/sandbox/world.h"

typedef struct Exchange Exchange;

typedef struct Sandbox {
    struct event_base *base; /* borrowed */
    HttpServer *server;
    World world;
    Faults faults;
    History history;
    FILE *log;           /* one line a request; NULL: none */
    Exchange *exchanges; /* under way */
    size_t n_exchanges;
    size_t max_exchanges; /* the most that were under way at a time */
    uint64_t n_requests;
} Sandbox;

typedef struct SandboxConfig {
    HttpServerConfig http;
    const char *user;
    const char *organization;
    const char *state;     /* NULL: memory only */
    const char *log;       /* NULL: none */
    const char *tags_mode; /* "and" or "or"; NULL: or */
    int64_t delay_ms;
    bool is_sample_answer;
} SandboxConfig;

/* Listens. 0 or -errno, *ret_what says in static words what failed; sandbox_deinit() either way. */
int sandbox_init(Sandbox *sandbox, struct event_base *base, const SandboxConfig *config,
                 const char **ret_what);
void sandbox_deinit(Sandbox *sandbox);
