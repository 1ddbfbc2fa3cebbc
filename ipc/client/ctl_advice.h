#pragma once

/*
 * Advice: what to do about each kind of trouble: the command to type next, or the file to edit. A table, by the kind that
 * the daemon names (base/trouble.h), or that elementctl itself has met.
 */

#include "base/clock.h"
#include "ipc/client/ctl.h"

/* Kinds that elementctl meets without the daemon's word. */
#define CTL_ADVICE_NO_DAEMON     "noDaemon"
#define CTL_ADVICE_NO_ANSWER     "noAnswer"
#define CTL_ADVICE_NO_PERMISSION "noPermission"
#define CTL_ADVICE_UNIT_WAITS    "unitWaits"

/* What advice may be about; what is NULL is not known. */
typedef struct CtlSubject {
    const char *kind;
    const char *instance;
    const char *account;
    const char *unit;
} CtlSubject;

/* Whether `kind` has a row of its own. */
bool ctl_advice_knows(const char *kind);

/* As what a command exits that is about nothing else: CTL_NOT_READY goes on by itself, CTL_FAILED needs a person. */
CtlStatus ctl_advice_status(const char *kind);

/* Whether the cause is the host's, so that what single instances say of it is the same. */
bool ctl_advice_is_shared(const char *kind);

/* Appends one line, which begins with what to do. 0, BUFFER_E_FULL or -ENOMEM. */
int ctl_advice_append(const Ctl *ctl, const CtlSubject *subject, Buffer *words);
