#pragma once

/*
 * Instance: one declared element instance. One file of instances.d, checked, with its secrets filled in.
 */

#include "base/acl.h"
#include "base/digest.h"
#include "base/secret.h"
#include "config/account.h"

/* What happens on the platform when the file goes. */
typedef enum InstanceRemoval {
    INSTANCE_KEEP,
    INSTANCE_DELETE,
} InstanceRemoval;

typedef struct Instance {
    char *name;
    char *file;
    char *element;          /* element.key; NULL in a broken file */
    char *account_name;     /* never NULL */
    const Account *account; /* of the same Config; NULL when there is none of that name */

    /*
     * Who may have the token, and the whole header. A list that cannot be read is empty: root only. When the
     * file is silent, `allow` is a copy of the settings' list.
     */
    Acl allow;
    Acl allow_authorization;
    InstanceRemoval on_remove;

    /*
     * The body of POST /instances as it goes out: all keys but `elementd` as written, references and "$$"
     * replaced, the two ownership tags added. NULL in a broken file.
     */
    Secret *body;

    Digest labels_digest; /* of name and tags: what a PATCH changes */
    Digest body_digest;   /* of all the rest: what a PUT changes */

    char *problem; /* NULL, or the first of its problems, formatted: nothing may be provisioned then */
} Instance;

/* NULL is fine; works on a half-built one. Returns NULL. */
Instance *instance_free(Instance *instance);

DEFINE_FREEP(Instance, instance_free)

/* Whether `name` can name an instance or an account: [A-Za-z0-9][A-Za-z0-9._-]{0,63}. */
bool instance_name_is_valid(const char *name);
