#pragma once

/*
 * The options of elementctl: a table, and a parser that takes them before and after the command. Pure.
 *
 * "--name=VALUE" and "--name VALUE" for those that must have a value, "--name[=VALUE]" for those that may have
 * one; "--" ends them. Names are not abbreviated, so that a new one never changes what an old script says.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/clock.h"

enum {
    CTL_OPTIONS_E_USAGE = 1,
};

/* Bits, so that a command's row can say which it takes. All take --help and --version. */
enum {
    CTL_OPTION_ROOT = 1 << 0,
    CTL_OPTION_SOCKET = 1 << 1,
    CTL_OPTION_JSON = 1 << 2,
    CTL_OPTION_WAIT = 1 << 3,
    CTL_OPTION_HELP = 1 << 4,
    CTL_OPTION_VERSION = 1 << 5,
    CTL_OPTION_TIMEOUT = 1 << 6,
    CTL_OPTION_LIST = 1 << 7,
    CTL_OPTION_USER = 1 << 8,
    CTL_OPTION_UNIT = 1 << 9,
    CTL_OPTION_ACCOUNT = 1 << 10,
    CTL_OPTION_OFFLINE = 1 << 11,
};

typedef struct CtlOptions {
    unsigned given; /* bits */
    const char *root;
    const char *socket;
    usec_t wait;      /* how long to wait for a token; 0 without --wait */
    const char *user; /* a name or a number */
    const char *unit;
    const char *account;
    usec_t timeout; /* how long the command may take, with --timeout */
} CtlOptions;

static inline bool ctl_options_has(const CtlOptions *options, unsigned bit)
{
    return (options->given & bit) != 0;
}

/*
 * Reads argv[1] and on, and moves what is no option to its begin: argv[0] to argv[*ret_n - 1]. 0, -ENOMEM, or
 * CTL_OPTIONS_E_USAGE with the reason appended to `complaint`, a line that may hold anything that argv held.
 */
int ctl_options_parse(int argc, char *argv[], CtlOptions *ret_options, size_t *ret_n,
                      Buffer *complaint);

/* The first option of `bits` as the user writes it: "--wait"; static storage, NULL for none. */
const char *ctl_options_name(unsigned bits);

/* Appends the options' part of the help text. 0, BUFFER_E_FULL or -ENOMEM. */
int ctl_options_help(Buffer *help);
