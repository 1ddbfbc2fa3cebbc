#pragma once

/*
 * The commands of elementctl: a table, and what a command line comes to.
 */

#include "ipc/client/ctl.h"

typedef struct CtlCommand {
    const char *name;
    const char *usage; /* of its arguments: "NAME" */
    size_t n_min;      /* arguments */
    size_t n_max;
    unsigned options; /* bits of ctl_options.h */
    CtlStatus (*run)(const Ctl *ctl);
    const char *help;
} CtlCommand;

/* Borrowed, static storage; NULL: there is none of that name. */
const CtlCommand *ctl_commands_find(const char *name);

/*
 * Whether `command` can be run with these options and as many arguments; else what is wrong is appended to
 * `complaint`. 0, -ENOMEM or CTL_OPTIONS_E_USAGE.
 */
int ctl_commands_check(const CtlCommand *command, const CtlOptions *options, size_t n_arguments,
                       Buffer *complaint);

/* Appends the whole help text. 0, BUFFER_E_FULL or -ENOMEM. */
int ctl_commands_help(Buffer *help);
