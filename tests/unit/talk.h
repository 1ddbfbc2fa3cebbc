#pragma once

/*
 * A session without a socket, and what is said to it and by it. There is one, the same for all that a program tests.
 */

#include "base/clock.h"
#include "ipc/session.h"
#include "tests/unit/backend.h"
#include "tests/unit/messages.h"

#define TALK_NOW (5 * USEC_PER_SEC) /* whenever something is said */

#define INVALID(parameter)                                                                         \
    ERROR("org.varlink.service.InvalidParameter", "\"parameter\":\"" parameter "\"")
#define DENIED ERROR("org.varlink.service.PermissionDenied", "")
#define UNIMPLEMENTED(method)                                                                      \
    ERROR("org.varlink.service.MethodNotImplemented", "\"method\":\"" method "\"")
#define DONE "{\"parameters\":{}}"

#define DESCRIBE(parameters) CALL("io.elementd.DescribeElement", parameters)
/* For a second. */
#define WAIT_FOR(name) GET_TOKEN("\"instance\":\"" name "\",\"timeoutUSec\":1000000")

typedef struct Talk {
    Backend backend;
    SessionShared shared;
    Peer peer; /* user and group 1000, of the unit a.service, until a test says otherwise */
    Session session;
    unsigned n_changes; /* times that the session was told of one */
} Talk;

extern Talk talk;

/* For cmocka. */
int talk_setup(void **state);
int talk_teardown(void **state);

/* What a session is to call at a change, as that of `talk` does. */
void talk_on_change(Wait *wait);

/* Says to the session: bytes, or a message with its NUL. */
void talk_say_bytes(const char *data, size_t size);
void talk_say(const char *text);

/* Exactly these messages were written, each with its NUL; one; none. They are then taken. */
void talk_expect_all(const char *const *texts, size_t n);
void talk_expect(const char *text);
void talk_expect_nothing(void);

/* Has the session hear that `served` has changed, or that it goes. */
void talk_change(Served *served);
void talk_remove(Served *served);
