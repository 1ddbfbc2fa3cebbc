#pragma once

/*
 * Access: whether a peer may have something. Root always may; else the list decides.
 */

#include "base/acl.h"
#include "ipc/peer.h"

enum {
    ACCESS_E_DENIED = 1,
};

bool access_is_root(const Peer *peer);

/*
 * 0, ACCESS_E_DENIED, or -errno when the peer's groups cannot be found out. *ret_entry, which may be NULL, is the
 * entry that let the peer in; NULL for root. Borrowed from `acl`; a NULL `acl` is an empty one.
 */
int access_check(const Acl *acl, Peer *peer, const AclEntry **ret_entry);

/* The same of anybody, without a peer. 0 or ACCESS_E_DENIED. */
int access_check_subject(const Acl *acl, const AclSubject *subject, const AclEntry **ret_entry);

/*
 * The same of a unit that the system's manager asks for, whoever that unit runs as: unit: entries and "any" may let it in,
 * user: and group: entries do not, and it is not root. 0 or ACCESS_E_DENIED.
 */
int access_check_unit(const Acl *acl, const char *unit, const AclEntry **ret_entry);
