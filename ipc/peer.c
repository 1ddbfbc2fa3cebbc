#include "ipc/peer.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <systemd/sd-login.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/limits.h"

/* Enough for nearly everybody; who is in more groups is asked about twice. */
#define PEER_GROUPS_GUESS 64

/* Of Linux 6.5, and younger than many a libc. */
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

/* /proc/PID/stat has 52 numbers and a name of up to 64 bytes. */
#define PEER_STAT_BYTES_MAX 2048

int peer_init(Peer *ret_peer, int fd)
{
    struct ucred credentials;
    socklen_t size = sizeof(credentials);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0)
        return error_errno();
    /* What the kernel says of a socket that is not connected. */
    if (size != sizeof(credentials) || credentials.uid == (uid_t)-1)
        return -ENOTCONN;
    *ret_peer = (Peer){
        .fd = fd,
        .uid = credentials.uid,
        .gid = credentials.gid,
        .pid = credentials.pid,
        .seen_at = clock_boottime(),
    };
    return 0;
}

void peer_deinit(Peer *peer)
{
    free(peer->groups);
    free(peer->unit);
    *peer = (Peer){.fd = -1};
}

static int peer_load_groups(Peer *peer)
{
    socklen_t size = PEER_GROUPS_GUESS * sizeof(gid_t);

    for (;;) {
        _cleanup_(freep) gid_t *groups = malloc(size);
        socklen_t given = size;

        if (!groups)
            return -ENOMEM;
        if (getsockopt(peer->fd, SOL_SOCKET, SO_PEERGROUPS, groups, &given) == 0) {
            peer->groups = TAKE_PTR(groups);
            peer->n_groups = given / sizeof(gid_t);
            return 0;
        }
        /* A kernel without them: then the peer counts as being in none, which lets nobody in. */
        if (errno == ENOPROTOOPT || errno == ENODATA)
            return 0;
        if (errno != ERANGE || given <= size || given > PEER_GROUPS_MAX * sizeof(gid_t))
            return error_errno();
        size = given;
    }
}

/* ---- the unit ---- */

/* When the process `pid` began (boot-time clock, rounded down to a tick), or USEC_INFINITY when that is not known. */
static usec_t peer_find_start(pid_t pid)
{
    char path[64], stat[PEER_STAT_BYTES_MAX];
    _cleanup_(closep) int fd = -1;
    unsigned long long ticks;
    const char *rest;
    ssize_t n;

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return USEC_INFINITY;
    n = read(fd, stat, sizeof(stat) - 1);
    if (n < 0)
        return USEC_INFINITY;
    stat[n] = '\0';
    /* The name, in parentheses, may hold spaces and parentheses. What is sought is the 20th field behind it. */
    rest = strrchr(stat, ')');
    if (!rest ||
        sscanf(rest + 1,
               " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
               &ticks) != 1)
        return USEC_INFINITY;
    return (usec_t)ticks * (USEC_PER_SEC / (usec_t)sysconf(_SC_CLK_TCK));
}

/*
 * A handle on the peer's process that its number's next owner cannot take over, or -1. Where the kernel does not keep one
 * with the socket, the process that has the number now is taken, unless it began only after the connection was there.
 */
static int peer_open_process(const Peer *peer)
{
    socklen_t size = sizeof(int);
    int pidfd = -1;

    if (peer->pid <= 0)
        return -1;
    if (getsockopt(peer->fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &size) == 0)
        return pidfd;
    if (errno != ENOPROTOOPT)
        return -1;
    pidfd = pidfd_open(peer->pid, 0);
    if (pidfd >= 0 && peer_find_start(peer->pid) > peer->seen_at)
        (void)close(TAKE_FD(pidfd));
    return pidfd;
}

static bool peer_is_alive(int pidfd)
{
    struct pollfd process = {.fd = pidfd, .events = POLLIN};

    return poll(&process, 1, 0) == 0;
}

/*
 * As long as the process lives its number is its own, so what is read by number and then found alive was its own.
 * sd_pid_get_unit() tells the system unit, which for what runs below a user's manager is that manager's.
 */
static int peer_load_unit(Peer *peer)
{
    _cleanup_(closep) int pidfd = peer_open_process(peer);
    _cleanup_(freep) char *unit = NULL;
    int r;

    if (pidfd < 0)
        return 0;
    r = sd_pid_get_unit(peer->pid, &unit);
    if (r == -ENOMEM)
        return r;
    if (r >= 0 && unit && strlen(unit) <= UNIT_NAME_BYTES_MAX && peer_is_alive(pidfd))
        peer->unit = TAKE_PTR(unit);
    return 0;
}

const char *peer_find_unit(Peer *peer)
{
    AclSubject subject;

    return peer_subject(peer, PEER_UNIT, &subject) == 0 ? subject.unit : NULL;
}

int peer_subject(Peer *peer, unsigned needs, AclSubject *ret_subject)
{
    int r;

    if ((needs & PEER_GROUPS) && !peer->has_groups) {
        r = peer_load_groups(peer);
        if (r < 0)
            return r;
        peer->has_groups = true;
    }
    if ((needs & PEER_UNIT) && !peer->has_unit) {
        r = peer_load_unit(peer);
        if (r < 0)
            return r;
        peer->has_unit = true;
    }
    *ret_subject = (AclSubject){
        .uid = peer->uid,
        .gid = peer->gid,
        .groups = peer->groups,
        .n_groups = peer->n_groups,
        .unit = peer->unit,
    };
    return 0;
}
