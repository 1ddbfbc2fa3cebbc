#pragma once

/*
 * Peer: who is at the other end of a UNIX socket, as the kernel says it.
 *
 * User and group are those of the moment when the peer connected, so a process that passes its socket on
 * passes its rights on, as with any open file. Supplementary groups and the systemd unit are asked for only when a
 * list names groups or units, and once; neither takes longer than reading a file of /proc.
 *
 * The unit is that of the cgroup which the process that connected is in when it is asked for: a unit of the system, never
 * one of a user's manager. When it cannot be made out (the process has ended, /proc does not show it, it is in no unit)
 * there is none, which lets nobody in.
 *
 * Limits: PEER_GROUPS_MAX, UNIT_NAME_BYTES_MAX
 * Source: unix(7), SO_PEERCRED; socket(7), SO_PEERGROUPS; SO_PEERPIDFD since Linux 6.5; sd_pid_get_unit(3)
 */

#include <stdbool.h>
#include <sys/types.h>

#include "base/acl.h"
#include "base/clock.h"

typedef struct Peer {
    int fd; /* borrowed; open as long as the peer is asked about */
    uid_t uid;
    gid_t gid;
    pid_t pid;      /* for the log only: it may be another process by now */
    usec_t seen_at; /* boot-time clock: when it was there already */
    gid_t *groups;
    size_t n_groups;
    bool has_groups; /* they have been asked for */
    char *unit;      /* NULL: none, or not known */
    bool has_unit;   /* it has been asked for */
} Peer;

/* What peer_subject() is to find out beyond user and group: bits. */
enum {
    PEER_GROUPS = 1 << 0,
    PEER_UNIT = 1 << 1,
};

/* 0 or -errno; release with peer_deinit(). */
int peer_init(Peer *ret_peer, int fd);

/* Fine on a zeroed struct. */
void peer_deinit(Peer *peer);

/* What a list may be asked about, with what it `needs`; borrowed from the peer. 0 or -errno. */
int peer_subject(Peer *peer, unsigned needs, AclSubject *ret_subject);

/* Its unit, borrowed from the peer, or NULL. */
const char *peer_find_unit(Peer *peer);
