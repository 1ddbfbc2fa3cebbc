/*
 * elementctl rejected: the token that the platform has refused, from stdin, since arguments are seen by everybody
 * (/proc/PID/cmdline).
 */

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/limits.h"
#include "ipc/client/ctl_failure.h"

/* Whether the first line is there, up to its end; *ret_size is its length. */
static bool ctl_rejected_has_line(const Buffer *line, size_t *ret_size)
{
    const char *data = buffer_data(line);
    const char *end = data ? memchr(data, '\n', buffer_size(line)) : NULL;

    *ret_size = end ? (size_t)(end - data) : buffer_size(line);
    return end != NULL;
}

/* Reads the first line into `line`, followed by a NUL. 0, BUFFER_E_FULL or -errno. */
static int ctl_rejected_read(Buffer *line)
{
    size_t size;

    while (!ctl_rejected_has_line(line, &size)) {
        char *space;
        ssize_t n;
        int r;

        /* The last byte is for the NUL, and the one before it for the end of the longest line. */
        if (buffer_room(line) == 1)
            return BUFFER_E_FULL;
        r = buffer_reserve(line, buffer_room(line) - 1, &space);
        if (r < 0)
            return r;
        n = read(STDIN_FILENO, space, buffer_room(line) - 1);
        if (n == 0)
            break;
        if (n > 0)
            buffer_commit(line, (size_t)n);
        else if (errno != EINTR)
            return error_errno();
    }
    buffer_truncate(line, size);
    return buffer_append(line, "", 1);
}

/* CTL_OK, or what was said. */
static CtlStatus ctl_rejected_get(const char *instance, Buffer *line)
{
    int r;

    if (isatty(STDIN_FILENO))
        ctl_failure_say("the token that was refused, and Enter:");
    r = ctl_rejected_read(line);
    if (r < 0)
        ctl_failure_say("cannot read the token: %s", error_text(r));
    else if (r != 0)
        ctl_failure_say("what came on standard input is longer than a token can be");
    else if (buffer_size(line) <= 1)
        ctl_failure_say("no token came on standard input; try: "
                        "printf '%%s\\n' \"$token\" | elementctl rejected %s",
                        instance);
    else if (strlen(buffer_data(line)) + 1 != buffer_size(line))
        ctl_failure_say("what came on standard input is no token");
    else
        return CTL_OK;
    return CTL_OTHER;
}

CtlStatus ctl_rejected(const Ctl *ctl)
{
    _cleanup_(buffer_deinit) Buffer line = BUFFER_INIT(TOKEN_BYTES_MAX + 2);
    _cleanup_(elementd_closep) elementd *daemon = NULL;
    const char *instance = ctl->arguments[0];
    CtlStatus status;
    int r;

    status = ctl_rejected_get(instance, &line);
    if (status == CTL_OK)
        status = ctl_failure_connect(ctl, &daemon);
    if (status != CTL_OK)
        return status;
    r = elementd_report_rejected(daemon, instance, buffer_data(&line));
    return r == 0 ? CTL_OK : ctl_failure_report(ctl, daemon, r, instance, &ctl_failure_token_right);
}
