#pragma once

/*
 * elementctl: what its files share.
 *
 * main() reads the options (ctl_options.h), finds the command (ctl_commands.h) and runs it. A new command is a row
 * in the table of ctl_commands.c and a function declared here; a new option is a row in that of ctl_options.c.
 *
 * Commands print to stdout what they were asked for and nothing else, as a whole and once they have it
 * (ctl_output.h); what is wrong goes to stderr (ctl_failure.h) and into the exit status.
 */

#include "ipc/client/ctl_options.h"
#include "ipc/client/elementd.h"

/* The exit statuses, which scripts rely on. */
typedef enum CtlStatus {
    CTL_OK,
    CTL_OTHER, /* usage, or anything else */
    CTL_NO_INSTANCE,
    CTL_NOT_READY, /* try later */
    CTL_FAILED,    /* needs a person */
    CTL_DENIED,
    CTL_NO_DAEMON,
} CtlStatus;

typedef struct Ctl {
    CtlOptions options;
    const char *command; /* its name; NULL: none is run */
    char **arguments;    /* of the command, as many as its row allows; borrowed from main() */
    size_t n_arguments;
    bool is_terminal; /* stdout is one: tables are cut to its width */
    bool has_colour;
    size_t width; /* in columns; 0: not known */
} Ctl;

/* ---- a function a command ---- */

CtlStatus ctl_token(const Ctl *ctl);
CtlStatus ctl_token_authorization(const Ctl *ctl);
CtlStatus ctl_list(const Ctl *ctl);
CtlStatus ctl_status(const Ctl *ctl);
CtlStatus ctl_watch(const Ctl *ctl);
CtlStatus ctl_wait(const Ctl *ctl);
CtlStatus ctl_rejected(const Ctl *ctl);
CtlStatus ctl_operate_retry(const Ctl *ctl);
CtlStatus ctl_operate_reload(const Ctl *ctl);
CtlStatus ctl_operate_orphans(const Ctl *ctl);
CtlStatus ctl_explain(const Ctl *ctl);
CtlStatus ctl_check(const Ctl *ctl);
CtlStatus ctl_template(const Ctl *ctl);
