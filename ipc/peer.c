#include "ipc/peer.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/limits.h"

/* Enough for nearly everybody; who is in more groups is asked about twice. */
#define PEER_GROUPS_GUESS 64

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
    };
    return 0;
}

void peer_deinit(Peer *peer)
{
    free(peer->groups);
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

int peer_subject(Peer *peer, bool with_groups, AclSubject *ret_subject)
{
    int r;

    if (with_groups && !peer->has_groups) {
        r = peer_load_groups(peer);
        if (r < 0)
            return r;
        peer->has_groups = true;
    }
    *ret_subject = (AclSubject){
        .uid = peer->uid,
        .gid = peer->gid,
        .groups = peer->groups,
        .n_groups = peer->n_groups,
        .unit = NULL,
    };
    return 0;
}
