#pragma once

/*
 * Methods: the table of all that can be called, and the checks that stand before each answer.
 *
 * A new method is a row here, a function in the file of its interface, and a line in the .varlink
 * file. Name, permission, parameters and instance are checked by the row, so that a function is reached only by a
 * caller who may call it, and with arguments of their types.
 *
 * Source: https://varlink.org/Service; systemd src/shared/varlink.h for PermissionDenied and ExpectedMore
 */

#include "ipc/call.h"

typedef enum MethodType {
    METHOD_NONE,     /* ends a row's parameters */
    METHOD_TEXT,     /* a string without NULs */
    METHOD_INSTANCE, /* the same, and the name of an instance: goes into Call.served */
    METHOD_ID,       /* an integer that a user or a group may have */
    METHOD_IDS,      /* an array of those */
    METHOD_TIMEOUT,  /* an integer from 0: goes into Call.timeout, WAIT_MAX_USEC at most */
} MethodType;

typedef struct MethodParameter {
    const char *name;
    MethodType type;
    bool is_optional; /* may be absent or null */
} MethodParameter;

/* What a caller needs. */
typedef enum MethodAccess {
    METHOD_ANYBODY,
    METHOD_ALLOWED,    /* by the instance's "allow" */
    METHOD_AUTHORIZED, /* by its "allow-authorization" */
    METHOD_ROOT,
} MethodAccess;

typedef struct Method {
    const char *name;
    MethodParameter parameters[CALL_ARGUMENTS_MAX + 1];
    MethodAccess access;
    int (*answer)(Call *call); /* 0, CALL_E_* or -errno; NULL: described, but not implemented */
    bool is_stream;            /* must be called with `more` */
    bool has_effect;           /* besides its answer: carried out for `oneway`, too */
    size_t
        operation; /* the member of ServerOperations that it needs; NULL there: not implemented */
} Method;

/* Answers `message`, or says that it must wait. 0, CALL_E_* or -errno, then nothing is left in `call->reply`. */
int methods_call(Call *call, const VarlinkCall *message);

/*
 * Answers a call that methods_call() let wait; permission is decided again, and an instance that was removed is not
 * found any more. With a timeout of 0 it is the last time. A watch is asked so as soon as it is let wait, and anything
 * but CALL_E_WAIT ends it. 0, CALL_E_* or -errno.
 */
int methods_call_again(Call *call);
