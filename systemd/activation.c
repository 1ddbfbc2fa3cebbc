#include "systemd/activation.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <systemd/sd-daemon.h>

#include "base/cleanup.h"
#include "base/error.h"

static int activation_check(int fd)
{
    int flags;

    if (sd_is_socket_unix(fd, SOCK_STREAM, 1, NULL, 0) <= 0)
        return -EINVAL;
    flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return error_errno();
    return 0; /* sd_listen_fds() has set close-on-exec */
}

int activation_take(const char *name, int *ret_fd)
{
    char **names = NULL;
    int n, r, found = -1;

    /* The variables stay, so that each socket can be asked for by its name. */
    n = sd_listen_fds_with_names(0, &names);
    if (n < 0)
        return n;
    for (int i = 0; i < n; i++) {
        if (found < 0 && strcmp(names[i], name) == 0)
            found = SD_LISTEN_FDS_START + i;
        free(names[i]);
    }
    free(names);
    if (found < 0) {
        *ret_fd = -1;
        return 0;
    }
    r = activation_check(found);
    if (r < 0)
        return r;
    *ret_fd = found;
    return 0;
}
