#pragma once

/*
 * Peer: who is at the other end of a UNIX socket, as the kernel says it.
 *
 * User and group are those of the moment when the peer connected, so a process that passes its socket on
 * passes its rights on, as with any open file. Supplementary groups are asked for only when a list
 * names groups. The systemd unit is not found out yet: AclSubject.unit is NULL, and unit: entries match nobody.
 *
 * Limits: PEER_GROUPS_MAX
 * Source: unix(7), SO_PEERCRED; socket(7), SO_PEERGROUPS
 */

#include <stdbool.h>
#include <sys/types.h>

#include "base/acl.h"

typedef struct Peer {
    int fd; /* borrowed; open as long as the peer is asked about */
    uid_t uid;
    gid_t gid;
    pid_t pid; /* for the log only: it may be another process by now */
    gid_t *groups;
    size_t n_groups;
    bool has_groups; /* they have been asked for */
} Peer;

/* 0 or -errno; release with peer_deinit(). */
int peer_init(Peer *ret_peer, int fd);

/* Fine on a zeroed struct. */
void peer_deinit(Peer *peer);

/* What a list may be asked about, with the supplementary groups if `with_groups`; borrowed from the peer. 0 or -errno. */
int peer_subject(Peer *peer, bool with_groups, AclSubject *ret_subject);
