#pragma once

/*
 * Failures in words: what is wrong, and the command to type next. To stderr, a line each, safe for a terminal.
 */

#include "base/cleanup.h"
#include "ipc/client/ctl.h"

/* Something that an instance's file gives to those that it lists. */
typedef struct CtlFailureRight {
    const char *what; /* "the token" */
    const char *list; /* the key: "allow" */
} CtlFailureRight;

extern const CtlFailureRight ctl_failure_token_right;
extern const CtlFailureRight ctl_failure_authorization_right;

typedef struct CtlFailure {
    int error;                     /* of libelementd */
    const elementd_error *details; /* NULL: there was no connection */
    const char *instance;          /* that was asked about, or NULL */
    const CtlFailureRight *right;  /* that was asked for, or NULL */
    usec_t now;                    /* realtime */
    bool is_cause_alone;           /* without the next command, where there was no connection */
} CtlFailure;

/*
 * "DIR/elementd/FOLDER/NAME.json", the one that counts; `folder` is "" or ends with a slash. The caller frees; NULL without
 * memory.
 */
char *ctl_failure_file(const Ctl *ctl, const char *folder, const char *name);

/* The exit status of a library's outcome. */
CtlStatus ctl_failure_status(int error);

/* Appends the words. 0, BUFFER_E_FULL or -ENOMEM. */
int ctl_failure_format(const Ctl *ctl, const CtlFailure *failure, Buffer *words);

/* Says it, and returns its exit status. All but `ctl` may be NULL. */
CtlStatus ctl_failure_report(const Ctl *ctl, const elementd *daemon, int error,
                             const char *instance, const CtlFailureRight *right);

/* The same with what elementd said of it at hand, NULL: nothing. */
CtlStatus ctl_failure_report_of(const Ctl *ctl, const elementd_error *details, int error,
                                const char *instance, const CtlFailureRight *right);

/* "elementctl: …", any words. */
void ctl_failure_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* "    to do: …", below what was said. */
void ctl_failure_advise(const char *format, ...) __attribute__((format(printf, 1, 2)));

DEFINE_FREEP(elementd, elementd_close)

/* Connects to the daemon that the options name. As elementd_open(). */
int ctl_failure_open(const Ctl *ctl, elementd **ret_daemon);

/* Connects to the daemon that the options name; CTL_OK, or what was said. */
CtlStatus ctl_failure_connect(const Ctl *ctl, elementd **ret_daemon);
