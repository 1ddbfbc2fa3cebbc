#include "systemd/activation.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <systemd/sd-daemon.h>

#include "base/cleanup.h"
#include "base/error.h"

static int activation_check(int fd, bool is_listening)
{
    int flags;

    if (sd_is_socket_unix(fd, SOCK_STREAM, is_listening, NULL, 0) <= 0)
        return -EINVAL;
    flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return error_errno();
    return 0; /* sd_listen_fds() has set close-on-exec */
}

/* The first one of that name from `position` on. */
static int activation_find(const char *name, bool is_listening, int position, int *ret_fd)
{
    char **names = NULL;
    int n, r, found = -1;

    /* The variables stay, so that each socket can be asked for by its name. */
    n = sd_listen_fds_with_names(0, &names);
    if (n < 0)
        return n;
    for (int i = 0; i < n; i++) {
        if (found < 0 && i >= position && strcmp(names[i], name) == 0)
            found = SD_LISTEN_FDS_START + i;
        free(names[i]);
    }
    free(names);
    if (found >= 0) {
        r = activation_check(found, is_listening);
        if (r < 0)
            return r;
    }
    *ret_fd = found;
    return 0;
}

int activation_take(const char *name, int *ret_fd)
{
    return activation_find(name, true, 0, ret_fd);
}

int activation_take_kept(const char *name, int *position, int *ret_fd)
{
    int fd, r;

    r = activation_find(name, false, *position, &fd);
    if (r < 0)
        return r;
    if (fd >= 0)
        *position = fd - SD_LISTEN_FDS_START + 1;
    *ret_fd = fd;
    return 0;
}
