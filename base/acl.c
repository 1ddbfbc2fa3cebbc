#include "base/acl.h"

#include <assert.h>
#include <fnmatch.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/limits.h"

/* A line of passwd or group: groups of a directory service list thousands of members. */
#define ACL_LINE_BYTES_MAX (1024 * 1024)

typedef int (*AclLookup)(const char *name, char *line, size_t size, unsigned *ret_id);

void acl_deinit(Acl *acl)
{
    for (size_t i = 0; i < acl->n_entries; i++)
        free(acl->entries[i].text);
    free(acl->entries);
    *acl = (Acl){};
}

/* Why there is no entry, by what getpwnam_r(3) returns: "not found" has many errors, and 0. */
static int acl_explain(int error)
{
    static const int not_found[] = {0, ENOENT, ESRCH, EBADF, EPERM};

    if (error == ERANGE)
        return -ERANGE;
    for (size_t i = 0; i < N_ELEMENTS(not_found); i++)
        if (error == not_found[i])
            return ACL_E_UNKNOWN;
    return ACL_E_UNREACHABLE;
}

static int acl_lookup_user(const char *name, char *line, size_t size, unsigned *ret_id)
{
    struct passwd entry, *found = NULL;
    int r;

    r = getpwnam_r(name, &entry, line, size, &found);
    if (found)
        *ret_id = found->pw_uid;
    return found ? 0 : acl_explain(r);
}

static int acl_lookup_group(const char *name, char *line, size_t size, unsigned *ret_id)
{
    struct group entry, *found = NULL;
    int r;

    r = getgrnam_r(name, &entry, line, size, &found);
    if (found)
        *ret_id = found->gr_gid;
    return found ? 0 : acl_explain(r);
}

/* A number is an id even where a user has that name, as in chown(1)'s "+1000"; (uid_t)-1 is nobody's. */
static bool acl_parse_id(const char *text, unsigned *ret_id)
{
    unsigned long long id;
    char *end;

    if (strspn(text, "0123456789") != strlen(text) || !*text)
        return false;
    errno = 0;
    id = strtoull(text, &end, 10);
    if (errno != 0 || id >= UINT32_MAX)
        return false;
    *ret_id = (unsigned)id;
    return true;
}

static int acl_resolve(const char *name, AclLookup lookup, unsigned *ret_id)
{
    if (acl_parse_id(name, ret_id))
        return 0;
    for (size_t size = 1024; size <= ACL_LINE_BYTES_MAX; size *= 4) {
        _cleanup_(freep) char *line = malloc(size);
        int r;

        if (!line)
            return -ENOMEM;
        r = lookup(name, line, size, ret_id);
        if (r != -ERANGE)
            return r;
    }
    return ACL_E_UNKNOWN;
}

typedef struct AclPrefix {
    const char *prefix;
    AclKind kind;
    AclLookup lookup;
} AclPrefix;

static const AclPrefix acl_prefixes[] = {
    {"user:", ACL_USER, acl_lookup_user},
    {"group:", ACL_GROUP, acl_lookup_group},
    {"unit:", ACL_UNIT, NULL},
};

static int acl_parse(const char *text, AclEntry *ret_entry)
{
    if (strcmp(text, "any") == 0) {
        *ret_entry = (AclEntry){.kind = ACL_ANY};
        return 0;
    }
    for (size_t i = 0; i < N_ELEMENTS(acl_prefixes); i++) {
        const AclPrefix *known = &acl_prefixes[i];
        size_t n = strlen(known->prefix);
        AclEntry entry = {.kind = known->kind};
        int r = 0;

        if (strncmp(text, known->prefix, n) != 0)
            continue;
        if (!text[n])
            return ACL_E_SYNTAX;
        if (known->lookup)
            r = acl_resolve(text + n, known->lookup, &entry.id);
        if (r < 0)
            return r;
        entry.is_unknown = r != 0;
        *ret_entry = entry;
        return r;
    }
    return ACL_E_SYNTAX;
}

int acl_add(Acl *acl, const char *text)
{
    AclEntry entry, *entries;
    int r;

    if (acl->n_entries == ACL_ENTRIES_MAX)
        return ACL_E_FULL;
    r = acl_parse(text, &entry);
    if (r < 0 || r == ACL_E_SYNTAX)
        return r;
    entries = reallocarray(acl->entries, acl->n_entries + 1, sizeof(*entries));
    if (!entries)
        return -ENOMEM;
    acl->entries = entries;
    entry.text = strdup(text);
    if (!entry.text)
        return -ENOMEM;
    acl->entries[acl->n_entries++] = entry;
    return r;
}

int acl_copy(const Acl *acl, Acl *ret_copy)
{
    Acl copy = {};

    assert(ret_copy->n_entries == 0);
    if (acl->n_entries > 0) {
        copy.entries = calloc(acl->n_entries, sizeof(*copy.entries));
        if (!copy.entries)
            return -ENOMEM;
    }
    for (; copy.n_entries < acl->n_entries; copy.n_entries++) {
        copy.entries[copy.n_entries] = acl->entries[copy.n_entries];
        copy.entries[copy.n_entries].text = strdup(acl->entries[copy.n_entries].text);
        if (!copy.entries[copy.n_entries].text) {
            acl_deinit(&copy);
            return -ENOMEM;
        }
    }
    *ret_copy = copy;
    return 0;
}

bool acl_equal(const Acl *a, const Acl *b)
{
    if (a->n_entries != b->n_entries)
        return false;
    for (size_t i = 0; i < a->n_entries; i++)
        if (a->entries[i].id != b->entries[i].id ||
            a->entries[i].is_unknown != b->entries[i].is_unknown ||
            strcmp(a->entries[i].text, b->entries[i].text) != 0)
            return false;
    return true;
}

static bool acl_entry_match(const AclEntry *entry, const AclSubject *subject)
{
    if (entry->is_unknown)
        return false;
    switch (entry->kind) {
    case ACL_USER:
        return entry->id == subject->uid;
    case ACL_GROUP:
        if (entry->id == subject->gid)
            return true;
        for (size_t i = 0; i < subject->n_groups; i++)
            if (entry->id == subject->groups[i])
                return true;
        return false;
    case ACL_UNIT:
        /* No escapes, as systemd's own globs: names hold backslashes ("a\\x2db.service"). */
        return subject->unit &&
               fnmatch(entry->text + strlen("unit:"), subject->unit, FNM_NOESCAPE) == 0;
    case ACL_ANY:
        return true;
    }
    assert(false);
    return false;
}

const AclEntry *acl_match(const Acl *acl, const AclSubject *subject)
{
    for (size_t i = 0; i < acl->n_entries; i++)
        if (acl_entry_match(&acl->entries[i], subject))
            return &acl->entries[i];
    return NULL;
}
