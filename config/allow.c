#include "config/allow.h"

#include <assert.h>

#include "base/acl.h"
#include "base/cleanup.h"
#include "base/limits.h"

#define ALLOW_FORMS "\"user:NAME\", \"group:NAME\", \"unit:GLOB\" or \"any\""

/* Whether the entry is in the list now, in *ret_is_good; 0 or -ENOMEM. */
static int allow_add(Acl *acl, Document *document, const JsonValue *entry, bool *ret_is_good)
{
    int r;

    *ret_is_good = false;
    if (entry->type != JSON_STRING) {
        document_error(document, entry->at, "an entry must be " ALLOW_FORMS ", but is %s",
                       document_type_words(entry->type));
        return 0;
    }
    if (document_has_placeholder(entry))
        return 0;
    r = json_value_is_text(entry) ? acl_add(acl, entry->text) : ACL_E_SYNTAX;
    if (r < 0)
        return r;
    if (r == ACL_E_SYNTAX)
        document_error(document, entry->at, "an entry must be " ALLOW_FORMS);
    else if (r == ACL_E_FULL)
        document_error(document, entry->at, "more than %d entries", ACL_ENTRIES_MAX);
    else if (r == ACL_E_UNKNOWN)
        document_warning(
            document, entry->at,
            "no such user or group: the entry lets in nobody until there is one and the "
            "configuration is loaded again");
    else if (r == ACL_E_UNREACHABLE)
        document_warning(
            document, entry->at,
            "whoever knows users and groups gives no answer now: the entry lets in nobody until "
            "the configuration is loaded again");
    *ret_is_good = r == 0 || r == ACL_E_UNREACHABLE || r == ACL_E_UNKNOWN;
    return r == ACL_E_FULL ? ACL_E_FULL : 0;
}

int allow_set(const SchemaKey *key, Document *document, const JsonValue *value, void *target)
{
    Acl *acl = (Acl *)((char *)target + key->offset);
    bool is_good = true;

    assert(acl->n_entries == 0);
    JSON_VALUE_FOREACH(entry, value) {
        bool is_entry_good;
        int r = allow_add(acl, document, entry, &is_entry_good);

        if (r < 0)
            return r;
        is_good = is_good && is_entry_good;
        if (r == ACL_E_FULL)
            break;
    }
    if (!is_good)
        acl_deinit(acl);
    return 0;
}
