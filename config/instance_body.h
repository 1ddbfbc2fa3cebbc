#pragma once

/*
 * The body of an instance, read anew from its file when it is to be sent.
 *
 * A loaded configuration has the digests of bodies alone (config/instance.h). The file is found, trusted and filled in as
 * when it was loaded, but only what makes its body is looked at: who may have the token, and whether there is such an
 * account, has nothing to do with it. A file that has become something else meanwhile has other digests.
 *
 * Uses no global state and nothing of any Config, so it may run on any thread. Blocking: reads files.
 */

#include "base/digest.h"
#include "base/paths.h"
#include "base/secret.h"
#include "base/trouble.h"
#include "config/document.h"

typedef struct InstanceBody {
    Secret *body; /* of POST /instances, as it goes out */
    Digest labels_digest;
    Digest body_digest; /* of all the rest, as in Instance */
} InstanceBody;

/* Fine on a zeroed struct. */
void instance_body_deinit(InstanceBody *body);

/*
 * The body that the text of a file makes for `owner`, with what is wrong with it added to `problems`: where they have an
 * error, the body is none. 0 or -ENOMEM.
 */
int instance_body_parse(const DocumentSource *source, const char *owner, const DigestKey *key,
                        Problems *problems, InstanceBody *ret_body);

enum {
    INSTANCE_BODY_E_ABSENT = 1, /* there is no file, or it is masked */
    INSTANCE_BODY_E_UNUSABLE,   /* it cannot be read, must not be used, or makes no body */
};

/*
 * The body that the file of the instance `name`, which is valid, makes for `owner`. With INSTANCE_BODY_E_UNUSABLE, and only
 * then, *ret_problem is the first of what is wrong, formatted, which the caller frees, and *ret_trouble its kind.
 * 0, INSTANCE_BODY_E_* or -ENOMEM.
 */
int instance_body_read(const Paths *paths, const char *name, const char *owner,
                       const DigestKey *key, InstanceBody *ret_body, char **ret_problem,
                       Trouble *ret_trouble);
