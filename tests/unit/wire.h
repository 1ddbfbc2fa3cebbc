#pragma once

/*
 * A server on a real loop, and clients at the far ends of real sockets, who are said to be of whatever user a test
 * needs. Each function runs the loop as long as what it is named for takes.
 */

#include "base/clock.h"
#include "ipc/server.h"
#include "tests/unit/backend.h"
#include "tests/unit/messages.h"

/* How long something that must happen may take. */
#define WIRE_PATIENCE_USEC (10 * USEC_PER_SEC)

#define GET(name)         GET_TOKEN("\"instance\":\"" name "\"")
#define WAIT_FOR(name)    GET_TOKEN("\"instance\":\"" name "\",\"timeoutUSec\":3600000000")
#define NEWS_TOKEN(token) NEWS("\"token\":\"" token "\",\"id\":42")
#define TOKEN(token)      "{\"parameters\":{\"token\":\"" token "\",\"id\":42}}"
#define PENDING(name)                                                                              \
    ERROR("io.elementd.NotReady", "\"instance\":\"" name "\",\"state\":\"pending\"")

extern struct event_base *wire_loop;
extern Backend wire_backend;
extern Server *wire_server;

/* For cmocka. */
int wire_setup(void **state);
int wire_teardown(void **state);

/* An instance that lets anybody in and has a token. */
Served *wire_add_ready(const char *name, const char *token);

/* Runs the loop until nothing more is to be done at once. */
void wire_settle(void);

/* Hands `fd` to the server, as a peer of `uid`. */
void wire_serve(int fd, uid_t uid);

/* A new client of `uid`; its socket, which is the caller's. */
int wire_connect(uid_t uid);

/* Sends: bytes, or a message with its NUL. */
void wire_say_bytes(int fd, const char *data, size_t size);
void wire_say(int fd, const char *text);

/* Just this is read next: bytes, a message with its NUL, nothing, or the end (which closes `fd`). */
void wire_expect_bytes(int fd, const char *data, size_t size);
void wire_expect(int fd, const char *text);
void wire_expect_nothing(int fd);
void wire_expect_end(int fd);

/* So many connections are open when nothing more is to be done. */
void wire_expect_connections(unsigned n);
