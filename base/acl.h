#pragma once

/*
 * Access list: who may have something, as the configuration says it.
 *
 * A plain value: names are resolved to ids when the list is made, at load, so that a decision needs no
 * name lookup. That root always may is the business of whoever decides (ipc/access.h), not of the list.
 *
 * Limits: ACL_ENTRIES_MAX
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/cleanup.h"

enum {
    ACL_E_SYNTAX = 1,  /* not user:NAME|UID, group:NAME|GID, unit:GLOB or any */
    ACL_E_UNKNOWN,     /* no such user, group or number: the entry was added, and matches nobody */
    ACL_E_UNREACHABLE, /* who knows users or groups gave no answer: likewise */
    ACL_E_FULL,        /* ACL_ENTRIES_MAX */
};

typedef enum AclKind {
    ACL_USER,
    ACL_GROUP,
    ACL_UNIT,
    ACL_ANY,
} AclKind;

typedef struct AclEntry {
    AclKind kind;
    bool is_unknown; /* user or group that does not exist, as far as is known: matches nobody */
    unsigned id;     /* uid or gid */
    char *text;      /* as written: "user:helpdesk" */
} AclEntry;

typedef struct Acl {
    AclEntry *entries;
    size_t n_entries;
} Acl;

/* Whom a list is asked about. All is borrowed. A unit matches by glob(7) without escapes. */
typedef struct AclSubject {
    uid_t uid;
    gid_t gid;
    const gid_t *groups; /* supplementary */
    size_t n_groups;
    const char *unit; /* system unit, NULL when there is none or it is not known */
} AclSubject;

/* Releases the entries; the list is then empty and usable again. */
void acl_deinit(Acl *acl);

/* Adds one entry, looking its name up by getpwnam_r(3) or getgrnam_r(3), which may block. 0, ACL_E_* or -errno. */
int acl_add(Acl *acl, const char *text);

/* 0 or -ENOMEM; *ret_copy must be empty. */
int acl_copy(const Acl *acl, Acl *ret_copy);

/* Whether they have the same entries, in the same order and with the same meaning. */
bool acl_equal(const Acl *a, const Acl *b);

/* The first entry that matches, or NULL: then nobody but root may. */
const AclEntry *acl_match(const Acl *acl, const AclSubject *subject);
