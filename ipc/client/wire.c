#include "ipc/client/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/limits.h"

/* The first read has room for a token; later ones for what a list sends. */
#define WIRE_READ_MIN 4096
#define WIRE_READ_MAX (256 * 1024)

void wire_init(Wire *wire)
{
    *wire = (Wire){.fd = -1, .input = BUFFER_INIT(REPLY_BYTES_MAX)};
}

void wire_close(Wire *wire)
{
    closep(&wire->fd);
    wire->fd = -1;
    buffer_deinit(&wire->input);
    wire->n_searched = wire->message_size = 0;
}

static usec_t wire_left(usec_t deadline)
{
    usec_t now = clock_boottime();

    return deadline > now ? deadline - now : 0;
}

/* ---- connecting ---- */

bool wire_is_usable(const Wire *wire)
{
    char byte;

    /* Only a connection that is open and silent has nothing to read and no error. */
    return wire->fd >= 0 && recv(wire->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
           (errno == EAGAIN || errno == EINTR);
}

/*
 * A connect() that does not block fails with EAGAIN where the listener's queue is full, and nothing can be polled
 * for room in it (unix(7)); so it blocks, within the time that SO_SNDTIMEO sets.
 */
static int wire_connect_fd(int fd, const struct sockaddr_un *address, usec_t deadline)
{
    for (;;) {
        usec_t left = wire_left(deadline);
        struct timeval limit = {.tv_sec = (time_t)(left / USEC_PER_SEC),
                                .tv_usec = (suseconds_t)(left % USEC_PER_SEC)};

        /* 0 would be for ever. */
        if (left == 0)
            limit.tv_usec = 1;
        if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0)
            return error_errno();
        if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
            return 0;
        switch (errno) {
        case EINTR:
            continue;
        case EAGAIN:
            return ELEMENTD_E_TIMEOUT;
        case ENOENT:
        case ENOTDIR:
        case ECONNREFUSED:
            return ELEMENTD_E_NO_DAEMON;
        case EACCES:
        case EPERM:
            return ELEMENTD_E_DENIED;
        }
        return error_errno();
    }
}

int wire_connect(Wire *wire, const char *path, usec_t deadline)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    _cleanup_(closep) int fd = -1;
    int r;

    if (strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, strlen(path));
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return error_errno();
    r = wire_connect_fd(fd, &address, deadline);
    if (r != 0)
        return r;
    if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
        return error_errno();
    wire->fd = TAKE_FD(fd);
    return 0;
}

/* ---- messages ---- */

/* Waits for `events`, an error or the end of the connection. 0, ELEMENTD_E_TIMEOUT or -errno. */
static int wire_wait(const Wire *wire, short events, usec_t deadline)
{
    for (;;) {
        struct pollfd poll_fd = {.fd = wire->fd, .events = events};
        usec_t left = wire_left(deadline);
        struct timespec limit = {.tv_sec = (time_t)(left / USEC_PER_SEC),
                                 .tv_nsec = (long)(left % USEC_PER_SEC * 1000)};
        int r;

        r = ppoll(&poll_fd, 1, &limit, NULL);
        if (r > 0)
            return 0;
        if (r < 0 && errno != EINTR)
            return error_errno();
        if (left == 0)
            return ELEMENTD_E_TIMEOUT;
    }
}

/* What became of a send or recv that failed: 0 to try it again. */
static int wire_check(const Wire *wire, short events, usec_t deadline)
{
    switch (errno) {
    case EINTR:
        return 0;
    case EAGAIN:
        return wire_wait(wire, events, deadline);
    case EPIPE:
    case ECONNRESET:
        return ELEMENTD_E_CLOSED;
    }
    return error_errno();
}

int wire_send(Wire *wire, const void *data, size_t size, usec_t deadline)
{
    const char *left = data;

    while (size > 0) {
        ssize_t n = send(wire->fd, left, size, MSG_NOSIGNAL);

        if (n < 0) {
            int r = wire_check(wire, POLLOUT, deadline);

            if (r != 0)
                return r;
            continue;
        }
        left += n;
        size -= (size_t)n;
    }
    return 0;
}

/* Reads what there is, waiting for the first of it. */
static int wire_read(Wire *wire, usec_t deadline)
{
    size_t held = buffer_size(&wire->input), room = buffer_room(&wire->input);
    size_t size = held < WIRE_READ_MIN ? WIRE_READ_MIN : held;
    char *space;
    ssize_t n;
    int r;

    if (room == 0)
        return ELEMENTD_E_PROTOCOL;
    if (size > WIRE_READ_MAX)
        size = WIRE_READ_MAX;
    if (size > room)
        size = room;
    r = buffer_reserve(&wire->input, size, &space);
    if (r < 0)
        return r;
    while ((n = recv(wire->fd, space, size, 0)) < 0) {
        r = wire_check(wire, POLLIN, deadline);
        if (r != 0)
            return r;
    }
    if (n == 0)
        return ELEMENTD_E_CLOSED;
    buffer_commit(&wire->input, (size_t)n);
    return 0;
}

int wire_receive(Wire *wire, usec_t deadline, const char **ret_text, size_t *ret_size)
{
    for (;;) {
        const char *data = buffer_data(&wire->input);
        size_t held = buffer_size(&wire->input), n = held - wire->n_searched;
        const char *end = n > 0 ? memchr(data + wire->n_searched, '\0', n) : NULL;
        int r;

        if (end) {
            *ret_text = data;
            *ret_size = (size_t)(end - data);
            wire->message_size = *ret_size + 1;
            return 0;
        }
        wire->n_searched = held;
        r = wire_read(wire, deadline);
        if (r != 0)
            return r;
    }
}

bool wire_has_more(const Wire *wire)
{
    return buffer_size(&wire->input) > wire->message_size;
}

void wire_done(Wire *wire)
{
    if (wire_has_more(wire))
        buffer_consume(&wire->input, wire->message_size);
    else
        buffer_clear(&wire->input);
    wire->n_searched = wire->message_size = 0;
}
