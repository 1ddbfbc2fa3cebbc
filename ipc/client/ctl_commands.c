#include "ipc/client/ctl_commands.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"

#define CTL_ASKING (CTL_OPTION_ROOT | CTL_OPTION_SOCKET | CTL_OPTION_JSON)

static const CtlCommand ctl_commands_table[] = {
    {"token", "NAME", 1, 1, CTL_ASKING | CTL_OPTION_WAIT, ctl_token,
     "print the token of an instance"},
    {"authorization", "NAME", 1, 1, CTL_ASKING | CTL_OPTION_WAIT, ctl_token_authorization,
     "print the whole value of its Authorization header"},
    {"list", "", 0, 0, CTL_ASKING, ctl_list, "list the instances that you may use"},
    {"status", "[NAME]", 0, 1, CTL_ASKING, ctl_status,
     "say what is wrong and what to do, of all or one"},
    {"watch", "[NAME]", 0, 1, CTL_ASKING, ctl_watch,
     "print a line for each change, until interrupted"},
    {"wait", "[NAME...]", 0, SIZE_MAX, CTL_OPTION_ROOT | CTL_OPTION_SOCKET | CTL_OPTION_TIMEOUT,
     ctl_wait, "wait until those, or all, have a token"},
    {"rejected", "NAME", 1, 1, CTL_OPTION_ROOT | CTL_OPTION_SOCKET, ctl_rejected,
     "verify a token that was refused; it is read from stdin"},
    {"explain", "NAME", 1, 1, CTL_ASKING | CTL_OPTION_USER | CTL_OPTION_UNIT, ctl_explain,
     "tell which entry lets you or another in"},
    {"retry", "NAME", 1, 1, CTL_OPTION_ROOT | CTL_OPTION_SOCKET, ctl_operate_retry,
     "try again now what waits or has failed (root)"},
    {"reload", "", 0, 0, CTL_ASKING, ctl_operate_reload,
     "apply the configuration, all of it or nothing (root)"},
    {"orphans", "", 0, 0, CTL_ASKING, ctl_operate_orphans,
     "list what is left over on the platform (root)"},
    {"check", "", 0, 0, CTL_OPTION_ROOT | CTL_OPTION_JSON, ctl_check,
     "check the configuration, without elementd"},
    {"template", "[ELEMENT]", 0, 1,
     CTL_ASKING | CTL_OPTION_LIST | CTL_OPTION_ACCOUNT | CTL_OPTION_OFFLINE, ctl_template,
     "print an instance file to fill in, or list the elements"},
};

static const struct {
    CtlStatus status;
    const char *help;
} ctl_commands_statuses[] = {
    {CTL_OK, "done"},
    {CTL_OTHER, "bad usage, or anything else"},
    {CTL_NO_INSTANCE, "no such instance is declared"},
    {CTL_NOT_READY, "not ready; try later"},
    {CTL_FAILED, "failed; needs a person"},
    {CTL_DENIED, "permission denied"},
    {CTL_NO_DAEMON, "elementd is not running, or does not answer"},
};

const CtlCommand *ctl_commands_find(const char *name)
{
    for (size_t i = 0; i < N_ELEMENTS(ctl_commands_table); i++)
        if (strcmp(ctl_commands_table[i].name, name) == 0)
            return &ctl_commands_table[i];
    return NULL;
}

/* Arguments are counted and never told: one too many may be a secret. */
int ctl_commands_check(const CtlCommand *command, const CtlOptions *options, size_t n_arguments,
                       Buffer *complaint)
{
    const char *option = ctl_options_name(options->given & ~command->options);
    int r;

    if (option)
        r = buffer_printf(complaint, "%s takes no --%s", command->name, option);
    else if (n_arguments < command->n_min)
        r = buffer_printf(complaint, "%s needs %s", command->name, command->usage);
    else if (n_arguments > command->n_max)
        r = buffer_printf(complaint, "too many arguments: %s takes %s", command->name,
                          command->n_max > 0 ? command->usage : "none");
    else
        return 0;
    return r < 0 ? r : CTL_OPTIONS_E_USAGE;
}

int ctl_commands_help(Buffer *help)
{
    int r;

    r = buffer_append_string(help, "Usage: elementctl [OPTION...] COMMAND [ARGUMENT]\n\n"
                                   "Gets tokens from elementd, and shows how its instances are.\n\n"
                                   "Commands:\n");
    for (size_t i = 0; i < N_ELEMENTS(ctl_commands_table) && r == 0; i++) {
        const CtlCommand *command = &ctl_commands_table[i];

        r = buffer_printf(help, "  %s %-*s %s\n", command->name, (int)(21 - strlen(command->name)),
                          command->usage, command->help);
    }
    if (r == 0)
        r = buffer_append_string(help, "\nOptions, before or after the command:\n");
    if (r == 0)
        r = ctl_options_help(help);
    if (r == 0)
        r = buffer_append_string(help, "\nExit status:\n");
    for (size_t i = 0; i < N_ELEMENTS(ctl_commands_statuses) && r == 0; i++)
        r = buffer_printf(help, "  %d  %s\n", ctl_commands_statuses[i].status,
                          ctl_commands_statuses[i].help);
    return r;
}
