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
