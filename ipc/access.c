#include "ipc/access.h"

bool access_is_root(const Peer *peer)
{
    return peer->uid == 0;
}

/* Only then are the peer's groups and unit worth system calls. */
static unsigned access_needs(const Acl *acl)
{
    unsigned needs = 0;

    for (size_t i = 0; i < acl->n_entries; i++) {
        if (acl->entries[i].kind == ACL_GROUP)
            needs |= PEER_GROUPS;
        else if (acl->entries[i].kind == ACL_UNIT)
            needs |= PEER_UNIT;
    }
    return needs;
}

int access_check_subject(const Acl *acl, const AclSubject *subject, const AclEntry **ret_entry)
{
    const AclEntry *entry = NULL;

    if (subject->uid != 0) {
        entry = acl ? acl_match(acl, subject) : NULL;
        if (!entry)
            return ACCESS_E_DENIED;
    }
    if (ret_entry)
        *ret_entry = entry;
    return 0;
}

int access_check(const Acl *acl, Peer *peer, const AclEntry **ret_entry)
{
    AclSubject subject;
    int r;

    r = peer_subject(peer, acl && !access_is_root(peer) ? access_needs(acl) : 0, &subject);
    return r < 0 ? r : access_check_subject(acl, &subject, ret_entry);
}

int access_check_unit(const Acl *acl, const char *unit, const AclEntry **ret_entry)
{
    /* No user and no group has this id, so only unit: entries and "any" are left to match. */
    const AclSubject subject = {.uid = (uid_t)-1, .gid = (gid_t)-1, .unit = unit};

    return access_check_subject(acl, &subject, ret_entry);
}
