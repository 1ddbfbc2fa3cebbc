#include "ipc/client/ctl_failure.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "ipc/client/ctl_text.h"
#include "ipc/client/ctl_time.h"

/* A line on stderr: the longest problem that the daemon keeps, and our words around it. */
#define CTL_FAILURE_BYTES_MAX (16 * 1024)

/* An entry of getpwuid_r(3); directories make them long, but not this long. */
#define CTL_FAILURE_USER_BYTES_MAX 4096

const CtlFailureRight ctl_failure_token_right = {"the token", "allow"};
const CtlFailureRight ctl_failure_authorization_right = {"the whole authorization",
                                                         "allow-authorization"};

/* ---- a line ---- */

/* A line that is too long is said as far as it goes, and there is nobody to tell that stderr is full. */
static void ctl_failure_print(const char *begin, const char *text)
{
    _cleanup_(buffer_deinit) Buffer line = BUFFER_INIT(CTL_FAILURE_BYTES_MAX);

    (void)buffer_append_string(&line, begin);
    (void)ctl_text_append(&line, text);
    (void)fprintf(stderr, "%.*s\n", (int)buffer_size(&line), buffer_data(&line));
}

static void ctl_failure_print_list(const char *begin, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

static void ctl_failure_print_list(const char *begin, const char *format, va_list arguments)
{
    _cleanup_(freep) char *text = NULL;

    if (vasprintf(&text, format, arguments) < 0)
        text = NULL;
    else
        ctl_failure_print(begin, text);
}

void ctl_failure_say(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    ctl_failure_print_list("elementctl: ", format, arguments);
    va_end(arguments);
}

void ctl_failure_advise(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    ctl_failure_print_list("    to do: ", format, arguments);
    va_end(arguments);
}

/* As elementd --check has them, a line each. */
static void ctl_failure_print_problems(const elementd_error *details)
{
    for (size_t i = 0; i < details->n_problems; i++) {
        const elementd_problem *problem = &details->problems[i];
        _cleanup_(freep) char *text = NULL;

        if (asprintf(&text, "%s:%" PRIu64 ":%" PRIu64 ": %s", problem->file, problem->line,
                     problem->column, problem->message) < 0)
            text = NULL;
        ctl_failure_print("", text ? text : problem->message);
    }
}

/* ---- what was meant ---- */

static const char *ctl_failure_root(const Ctl *ctl)
{
    return ctl->options.root ? ctl->options.root : "";
}

char *ctl_failure_file(const Ctl *ctl, const char *folder, const char *name)
{
    static const char *const trees[] = {"/etc", "/run", "/usr/lib"};
    char *file;

    for (size_t i = 0; i < N_ELEMENTS(trees); i++) {
        if (asprintf(&file, "%s%s/elementd/%s%s.json", ctl_failure_root(ctl), trees[i], folder,
                     name) < 0)
            return NULL;
        if (faccessat(AT_FDCWD, file, F_OK, AT_EACCESS) == 0)
            return file;
        free(file);
    }
    /* It may well be there, where we may not look. */
    return asprintf(&file, "%s/etc/elementd/%s%s.json", ctl_failure_root(ctl), folder, name) < 0
               ? NULL
               : file;
}

/* Appends the name of the user that the daemon sees, or nothing where it has none. */
static int ctl_failure_append_user(Buffer *words)
{
    char memory[CTL_FAILURE_USER_BYTES_MAX];
    struct passwd entry, *found = NULL;

    if (getpwuid_r(geteuid(), &entry, memory, sizeof(memory), &found) != 0 || !found)
        return 0;
    return buffer_append_string(words, found->pw_name);
}

static int ctl_failure_append_socket(const Ctl *ctl, Buffer *words)
{
    if (ctl->options.socket)
        return buffer_append_string(words, ctl->options.socket);
    return buffer_printf(words, "%s/run/elementd/io.elementd", ctl_failure_root(ctl));
}

static bool ctl_failure_has_socket(const Ctl *ctl)
{
    _cleanup_(buffer_deinit) Buffer path = BUFFER_INIT(CTL_FAILURE_BYTES_MAX);

    return ctl_failure_append_socket(ctl, &path) == 0 && buffer_append(&path, "", 1) == 0 &&
           faccessat(AT_FDCWD, buffer_data(&path), F_OK, AT_EACCESS) == 0;
}

/* ---- words, a function an outcome; each returns as ctl_failure_format() ---- */

static int ctl_failure_no_daemon(const Ctl *ctl, const CtlFailure *failure, Buffer *words)
{
    int r;

    r = buffer_printf(words, "elementd is not running (%s ",
                      ctl_failure_has_socket(ctl) ? "nobody listens at" : "no socket at");
    if (r == 0)
        r = ctl_failure_append_socket(ctl, words);
    if (r == 0)
        r = buffer_append_string(words, ")");
    if (r != 0 || ctl->options.socket || failure->is_cause_alone)
        return r;
    if (ctl->options.root)
        return buffer_printf(words, "; start it: elementd --root=%s", ctl->options.root);
    return buffer_append_string(words, "; start it: systemctl start elementd");
}

static int ctl_failure_timeout(const Ctl *ctl, const CtlFailure *failure, Buffer *words)
{
    (void)ctl;
    return buffer_printf(words, "elementd does not answer%s",
                         failure->is_cause_alone ? "" : "; see: systemctl status elementd");
}

static int ctl_failure_closed(const Ctl *ctl, const CtlFailure *failure, Buffer *words)
{
    (void)ctl;
    return buffer_printf(words, "elementd ended the connection without an answer%s",
                         failure->is_cause_alone ? "" : "; see: journalctl -u elementd");
}

static int ctl_failure_protocol(const Ctl *ctl, const CtlFailure *failure, Buffer *words)
{
    int r;

    (void)failure;
    r = buffer_append_string(words, "what answers at ");
    if (r == 0)
        r = ctl_failure_append_socket(ctl, words);
    return r == 0 ? buffer_append_string(words, " does not speak as this version's elementd") : r;
}

static int ctl_failure_no_such_instance(const Ctl *ctl, const CtlFailure *failure, Buffer *words)
{
    (void)ctl;
    return buffer_printf(words, "no instance \"%s\" is declared; those that are: elementctl list",
                         failure->instance);
}

static int ctl_failure_not_ready(const Ctl *ctl, const CtlFailure *failure, Buffer *words)
{
    const elementd_error *details = failure->details;
    char when[CTL_TIME_SIZE];
    int r;

    r = buffer_printf(words, "\"%s\" has no token yet", failure->instance);
    if (r == 0 && details->state)
        r = buffer_printf(words, "; it is %s", details->state);
    if (r == 0 && details->problem)
        r = buffer_printf(words, ": %s", details->problem);
    if (r == 0 && details->retry_usec > 0) {
        ctl_time_format_due(details->retry_usec, failure->now, when);
        r = buffer_printf(words, "; next try %s", when);
    }
    if (r != 0)
        return r;
    if (ctl->options.wait > 0 || ctl_options_has(&ctl->options, CTL_OPTION_TIMEOUT) ||
        (details->state && strcmp(details->state, "disabled") == 0))
        return buffer_printf(words, "; more: elementctl status %s", failure->instance);
    return buffer_printf(words, "; to wait for it, add --wait");
}

static int ctl_failure_failed(const Ctl *ctl, const CtlFailure *failure, Buffer *words)
{
    const char *problem = failure->details->problem;

    (void)ctl;
    return buffer_printf(words, "\"%s\" failed: %s; more: elementctl status %s", failure->instance,
                         problem ? problem : "elementd does not say why", failure->instance);
}

/* Who you are, and the entry that is missing in which file. */
static int ctl_failure_denied(const Ctl *ctl, const CtlFailure *failure, Buffer *words)
{
    _cleanup_(buffer_deinit) Buffer user = BUFFER_INIT(CTL_FAILURE_USER_BYTES_MAX);
    _cleanup_(freep) char *file = NULL;
    unsigned uid = geteuid();
    int r;

    r = ctl_failure_append_user(&user);
    if (r == 0)
        r = buffer_printf(words, "you (%.*s%suid %u) ", (int)buffer_size(&user), buffer_data(&user),
                          buffer_size(&user) > 0 ? ", " : "", uid);
    if (r != 0)
        return r;
    if (!failure->details || !failure->details->name) {
        r = buffer_append_string(words, "may not open the socket ");
        return r == 0 ? ctl_failure_append_socket(ctl, words) : r;
    }
    if (!failure->right || !failure->instance)
        return buffer_printf(words, "may not do that, but root may; try: sudo elementctl %s%s%s",
                             ctl->command, failure->instance ? " " : "",
                             failure->instance ? failure->instance : "");
    file = ctl_failure_file(ctl, "instances.d/", failure->instance);
    if (!file)
        return -ENOMEM;
    if (buffer_size(&user) == 0 && (r = buffer_printf(&user, "%u", uid)) != 0)
        return r;
    return buffer_printf(words,
                         "may not have %s of \"%s\"; to change that, add \"user:%.*s\" to \"%s\" "
                         "in \"elementd\" of %s, then: elementctl reload",
                         failure->right->what, failure->instance, (int)buffer_size(&user),
                         buffer_data(&user), failure->right->list, file);
}

static int ctl_failure_remote(const Ctl *ctl, const CtlFailure *failure, Buffer *words)
{
    (void)ctl;
    if (failure->details->n_problems > 0)
        return buffer_append_string(words,
                                    "nothing was applied; once it is mended: elementctl check "
                                    "&& elementctl reload");
    return buffer_printf(words, "elementd answered %s", failure->details->name);
}

/* ---- the table ---- */

static const struct {
    int error;
    CtlStatus status;
    int (*format)(const Ctl *ctl, const CtlFailure *failure, Buffer *words);
} ctl_failures[] = {
    {ELEMENTD_E_NO_DAEMON, CTL_NO_DAEMON, ctl_failure_no_daemon},
    {ELEMENTD_E_TIMEOUT, CTL_NO_DAEMON, ctl_failure_timeout},
    {ELEMENTD_E_CLOSED, CTL_NO_DAEMON, ctl_failure_closed},
    {ELEMENTD_E_PROTOCOL, CTL_OTHER, ctl_failure_protocol},
    {ELEMENTD_E_NO_SUCH_INSTANCE, CTL_NO_INSTANCE, ctl_failure_no_such_instance},
    {ELEMENTD_E_NOT_READY, CTL_NOT_READY, ctl_failure_not_ready},
    {ELEMENTD_E_FAILED, CTL_FAILED, ctl_failure_failed},
    {ELEMENTD_E_DENIED, CTL_DENIED, ctl_failure_denied},
    {ELEMENTD_E_REMOTE, CTL_OTHER, ctl_failure_remote},
};

CtlStatus ctl_failure_status(int error)
{
    for (size_t i = 0; i < N_ELEMENTS(ctl_failures); i++)
        if (ctl_failures[i].error == error)
            return ctl_failures[i].status;
    return error == 0 ? CTL_OK : CTL_OTHER;
}

int ctl_failure_format(const Ctl *ctl, const CtlFailure *failure, Buffer *words)
{
    for (size_t i = 0; i < N_ELEMENTS(ctl_failures); i++)
        if (ctl_failures[i].error == failure->error)
            return ctl_failures[i].format(ctl, failure, words);
    return buffer_printf(words, "cannot ask elementd: %s", elementd_strerror(failure->error));
}

CtlStatus ctl_failure_report_of(const Ctl *ctl, const elementd_error *details, int error,
                                const char *instance, const CtlFailureRight *right)
{
    _cleanup_(buffer_deinit) Buffer words = BUFFER_INIT(CTL_FAILURE_BYTES_MAX);
    const CtlFailure failure = {
        .error = error,
        .details = details,
        .instance = instance,
        .right = right,
        .now = clock_realtime(),
    };

    if (failure.details)
        ctl_failure_print_problems(failure.details);
    if (ctl_failure_format(ctl, &failure, &words) == 0)
        ctl_failure_say("%.*s", (int)buffer_size(&words), buffer_data(&words));
    else
        ctl_failure_say("%s", elementd_strerror(error));
    return ctl_failure_status(error);
}

CtlStatus ctl_failure_report(const Ctl *ctl, const elementd *daemon, int error,
                             const char *instance, const CtlFailureRight *right)
{
    return ctl_failure_report_of(ctl, daemon ? elementd_last_error(daemon) : NULL, error, instance,
                                 right);
}

int ctl_failure_open(const Ctl *ctl, elementd **ret_daemon)
{
    if (ctl->options.socket)
        return elementd_open(ctl->options.socket, ret_daemon);
    return elementd_open_root(ctl->options.root, ret_daemon);
}

CtlStatus ctl_failure_connect(const Ctl *ctl, elementd **ret_daemon)
{
    int r = ctl_failure_open(ctl, ret_daemon);

    return r == 0 ? CTL_OK : ctl_failure_report(ctl, NULL, r, NULL, NULL);
}
