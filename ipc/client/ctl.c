#include "ipc/client/ctl.h"

/*
 * elementctl's main(): reads the command line, looks at the terminal, runs the command.
 */

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "ipc/client/ctl_commands.h"
#include "ipc/client/ctl_failure.h"
#include "ipc/client/ctl_output.h"

/* What is said of a bad command line. */
#define CTL_COMPLAINT_BYTES_MAX 4096

/* A closed stdout must not become the socket, and take the token; written to, it fails as it should. */
static void ctl_protect_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            (void)open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

/*
 * No core holds a token. The limit is 1, not 0: 0 does not keep one from a program that core_pattern pipes to,
 * 1 does either (fs/coredump.c of Linux).
 */
static void ctl_forbid_core(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_CORE, &limit) < 0)
        return;
    if (limit.rlim_cur > 1) {
        limit.rlim_cur = 1;
        (void)setrlimit(RLIMIT_CORE, &limit);
    }
}

/* Colour as https://no-color.org has it. */
static void ctl_look_at_terminal(Ctl *ctl)
{
    const char *no_colour = getenv("NO_COLOR");
    const char *terminal = getenv("TERM");
    struct winsize size = {};

    ctl->is_terminal = isatty(STDOUT_FILENO);
    if (!ctl->is_terminal)
        return;
    ctl->has_colour = !(no_colour && *no_colour) && terminal && *terminal &&
                      strcmp(terminal, "dumb") != 0;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
        ctl->width = size.ws_col;
}

static CtlStatus ctl_print_help(const Ctl *ctl)
{
    _cleanup_(buffer_deinit) Buffer help = BUFFER_INIT(CTL_COMPLAINT_BYTES_MAX);
    _cleanup_(ctl_output_deinit) CtlOutput output;

    ctl_output_init(&output, ctl);
    output.error = ctl_commands_help(&help);
    ctl_output_printf(&output, "%.*s", (int)buffer_size(&help), buffer_data(&help));
    return ctl_output_end(&output);
}

static CtlStatus ctl_print_version(const Ctl *ctl)
{
    _cleanup_(ctl_output_deinit) CtlOutput output;

    ctl_output_init(&output, ctl);
    ctl_output_printf(&output, "elementctl %s\n", ELEMENTD_VERSION);
    return ctl_output_end(&output);
}

static CtlStatus ctl_complain(const Buffer *complaint)
{
    ctl_failure_say("%.*s; see: elementctl --help", (int)buffer_size(complaint),
                    buffer_data(complaint));
    return CTL_OTHER;
}

static CtlStatus ctl_run(Ctl *ctl, int argc, char *argv[])
{
    _cleanup_(buffer_deinit) Buffer complaint = BUFFER_INIT(CTL_COMPLAINT_BYTES_MAX);
    const CtlCommand *command;
    size_t n;

    if (ctl_options_parse(argc, argv, &ctl->options, &n, &complaint) != 0)
        return ctl_complain(&complaint);
    if (ctl_options_has(&ctl->options, CTL_OPTION_HELP))
        return ctl_print_help(ctl);
    if (ctl_options_has(&ctl->options, CTL_OPTION_VERSION))
        return ctl_print_version(ctl);
    if (n == 0) {
        ctl_failure_say("what to do? see: elementctl --help");
        return CTL_OTHER;
    }
    command = ctl_commands_find(argv[0]);
    if (!command) {
        ctl_failure_say("unknown command \"%.100s\"; see: elementctl --help", argv[0]);
        return CTL_OTHER;
    }
    if (ctl_commands_check(command, &ctl->options, n - 1, &complaint) != 0)
        return ctl_complain(&complaint);
    ctl->command = command->name;
    ctl->arguments = argv + 1;
    ctl->n_arguments = n - 1;
    return command->run(ctl);
}

int main(int argc, char *argv[])
{
    Ctl ctl = {};

    ctl_protect_descriptors();
    ctl_forbid_core();
    ctl_look_at_terminal(&ctl);
    return ctl_run(&ctl, argc, argv);
}
