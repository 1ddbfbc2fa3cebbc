#pragma once

/*
 * A daemon for the client's tests: a thread that answers each request with the next of a list of turns, however
 * badly, and keeps what it was asked.
 */

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "ipc/client/elementd.h"
#include "tests/unit/tree.h"

#define CLIENT_REQUESTS_MAX 8

typedef struct ClientTurn {
    const char *reply; /* NULL: none */
    size_t size;       /* 0: all of the string, and its NUL */
    bool is_slow;      /* a byte at a time */
    bool is_last;      /* the connection is closed after it */
    unsigned delay_ms; /* before it */
} ClientTurn;

typedef struct ClientServer {
    Tree *tree;
    char path[108]; /* sun_path */
    int listen_fd;
    pthread_t thread;
    pthread_mutex_t lock; /* of `fd` */
    int fd;               /* the connection; -1: none */
    bool is_running;
    const ClientTurn *turns;
    size_t n_turns;
    /* Written by the thread; to be read after client_server_stop(). */
    char requests[CLIENT_REQUESTS_MAX][512];
    size_t n_requests;
    size_t n_connections;
    size_t n_fds; /* that the process had open before */
} ClientServer;

/* cmocka's setup and teardown: *state is a ClientServer. The teardown fails when a descriptor was left open. */
int client_server_setup(void **state);
int client_server_teardown(void **state);

/* Listens, and takes the turns in their order; past the last it closes connections without an answer. */
void client_server_start(ClientServer *server, const ClientTurn *turns, size_t n_turns);

/* Also ends the connection that is there, so that a test that failed does not hang. */
void client_server_stop(ClientServer *server);

/* Starts, and connects to it; and ends both again. */
elementd *client_server_open(ClientServer *server, const ClientTurn *turns, size_t n_turns);
void client_server_close(ClientServer *server, elementd *daemon);

/* Asserts that the next turn is this token. */
void client_server_assert_token(elementd *daemon, const char *expected);
