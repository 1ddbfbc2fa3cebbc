#include "ipc/access.h"

bool access_is_root(const Peer *peer)
{
    return peer->uid == 0;
}

/* Only then are the peer's groups worth a system call. */
static bool access_needs_groups(const Acl *acl)
{
    for (size_t i = 0; i < acl->n_entries; i++)
        if (acl->entries[i].kind == ACL_GROUP)
            return true;
    return false;
}

int access_check(const Acl *acl, Peer *peer, const AclEntry **ret_entry)
{
    const AclEntry *entry = NULL;
    AclSubject subject;
    int r;

    if (!access_is_root(peer)) {
        if (!acl)
            return ACCESS_E_DENIED;
        r = peer_subject(peer, access_needs_groups(acl), &subject);
        if (r < 0)
            return r;
        entry = acl_match(acl, &subject);
        if (!entry)
            return ACCESS_E_DENIED;
    }
    if (ret_entry)
        *ret_entry = entry;
    return 0;
}
