#pragma once

/*
 * Calls of elementctl that the library has no function for: a method, and its reply as a tree.
 */

#include "base/cleanup.h"
#include "base/json_value.h"
#include "base/json_writer.h"
#include "ipc/client/ctl.h"

typedef struct CtlReply {
    char *text;
    Arena arena;
    JsonValue *parameters; /* an object, in `arena` */
} CtlReply;

/*
 * Connects and calls `method`, with `instance` unless it is NULL; the method itself may take `timeout`. CTL_OK, or what
 * was said. Fine to deinit after either.
 */
CtlStatus ctl_call(const Ctl *ctl, const char *method, const char *instance, usec_t timeout,
                   CtlReply *ret_reply);

/* The same with more parameters: `write` adds members behind the instance. */
CtlStatus ctl_call_with(const Ctl *ctl, const char *method, const char *instance,
                        void (*write)(JsonWriter *json, const void *userdata), const void *userdata,
                        usec_t timeout, CtlReply *ret_reply);

/*
 * The same, and says nothing: the library's outcome, or -errno. Then *ret_daemon, which is the caller's to close after
 * either, has elementd_last_error(); NULL: there was no connection.
 */
int ctl_call_try(const Ctl *ctl, const char *method, const char *instance,
                 void (*write)(JsonWriter *json, const void *userdata), const void *userdata,
                 usec_t timeout, elementd **ret_daemon, CtlReply *ret_reply);

/* The same without a word about what went wrong, on a connection that there is. 0, -errno, or any ELEMENTD_E_*. */
int ctl_call_on(elementd *daemon, const char *method, CtlReply *ret_reply);

void ctl_reply_deinit(CtlReply *reply);

/* A member's text, or NULL. */
const char *ctl_reply_text(const JsonValue *object, const char *key);

/* A member's number; 0 where there is none. */
int64_t ctl_reply_number(const JsonValue *object, const char *key);
