#pragma once

/*
 * Instance: one declared element instance. One file of instances.d, checked with its secrets filled in, of which it
 * keeps none.
 */

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/shared.h"
#include "base/terms.h"
#include "config/account.h"
#include "config/document.h"
#include "config/settings.h"

/* Where their files are, in each of the trees. */
#define INSTANCE_FOLDER "instances.d"

/* What happens on the platform when the file goes. */
typedef enum InstanceRemoval {
    INSTANCE_KEEP,
    INSTANCE_DELETE,
} InstanceRemoval;

typedef struct Instance {
    const char *name; /* shared (base/shared.h) */

    /*
     * `allow` in them says who may have the token, `allow_authorization` who the whole header. A list that cannot be read is
     * empty: root only. When the file is silent, `allow` is a copy of the settings' list; a file in which a list may have
     * been meant, but cannot be made out (no JSON, an unknown key of ours), is not silent.
     */
    Terms *terms;
    const Account *account; /* of the same Config; NULL when there is none of that name */

    Digest labels_digest; /* of name and tags: what a PATCH changes; zero without a body */
    Digest body_digest;   /* of all the rest: what a PUT changes; zero without a body */

    /*
     * NULL, or the first of its errors, formatted: nothing may be provisioned then. Also set when its account is
     * broken or there is no owner; without it there are a body, an element and an account.
     */
    char *problem;
    Trouble trouble; /* the kind of `problem` */
    InstanceRemoval on_remove : 8;

    /*
     * The file makes a body of POST /instances: not a broken file, and none does while the settings have no owner.
     * It is not kept, since it holds secrets: whoever sends it reads it anew (config/instance_body.h), and knows by
     * the digests whether it still is the one that was loaded.
     */
    bool has_body;
} Instance;

/* NULL is fine; works on a half-built one. Returns NULL. */
Instance *instance_free(Instance *instance);

DEFINE_FREEP(Instance, instance_free)

/* Whether both, which can be used, mean the same: to the platform, and to whoever asks for the token. */
bool instance_equal(const Instance *a, const Instance *b);

/* Whether `name` can name an instance or an account: [A-Za-z0-9][A-Za-z0-9._-]{0,63}. */
bool instance_name_is_valid(const char *name);

/* What an instance file is checked against. All is borrowed, and `accounts` until the instance is freed. */
typedef struct InstanceContext {
    const Settings *settings;
    Account *const *accounts; /* by name */
    size_t n_accounts;
    const DigestKey *key;
    const Instance
        *previous; /* of the same Config, to share terms with where they say the same; or NULL */
} InstanceContext;

/*
 * The instance that `source` declares, broken or not. `problems` are those of this file, with what reading it
 * added; they come back in the order of their positions. Blocks (referenced files, names). 0 or -ENOMEM.
 */
int instance_parse(const DocumentSource *source, const InstanceContext *context, Problems *problems,
                   Instance **ret_instance);
