#pragma once

/*
 * Answer: what the daemon's replies hold, taken out of them by tables of members. Pure.
 *
 * Members that are not in a table are passed over, so that a later daemon may send more. All strings stay
 * where they are, in the arena of the reply.
 *
 * Source: ipc/io.elementd.varlink
 */

#include "ipc/client/elementd.h"
#include "ipc/varlink.h"

typedef struct AnswerToken {
    const char *token;
    int64_t id;
    uint64_t verified_usec;
} AnswerToken;

/* Each returns 0 or ELEMENTD_E_PROTOCOL: a member is missing or of a wrong type. `parameters` may be NULL. */
int answer_read_token(const JsonValue *parameters, AnswerToken *ret_token);
int answer_read_news(const JsonValue *parameters, AnswerToken *ret_token); /* token NULL: none */
int answer_read_authorization(const JsonValue *parameters, const char **ret_authorization);
int answer_read_problem(const JsonValue *object, elementd_problem *ret_problem);
int answer_read_instance(const JsonValue *object, elementd_instance *ret_instance);

/*
 * The outcome that an error stands for, ELEMENTD_E_*, and what it says of it, but for its problems. Lenient: that the call failed is more
 * important than a member that is missing or odd.
 */
int answer_read_error(const VarlinkReply *reply, elementd_error *ret_error);
