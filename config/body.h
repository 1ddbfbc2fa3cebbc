#pragma once

/*
 * Body: what an instance file sends to the platform.
 *
 * All keys but `elementd` go out as they stand in the file: in their order, numbers with their digits. What the
 * platform needs for which element is not known here, since it changes (GET /elements/{key}/configuration
 * knows); only what every body has is checked.
 */

#include <stdbool.h>

#include "base/digest.h"
#include "base/secret.h"
#include "config/document.h"

/* The key of an instance file that is ours and not the platform's. */
#define BODY_OUR_KEY "elementd"

/* Whether a key of `configuration` looks as if its value were a secret: by a word in it, or since it ends in "key". */
bool body_key_looks_secret(const char *key);

/*
 * Checks the body in `document`, and replaces the references of its strings in the tree. *ret_element, which the
 * caller unrefs (base/shared.h), is element.key, or NULL when that is broken. 0 (there may be problems) or -ENOMEM.
 */
int body_check(Document *document, const char **ret_element);

/*
 * Writes the body that body_check() found fine: all keys but `elementd` as written, references and "$$" replaced, with
 * the tags "elementd.OWNER" and "elementd.OWNER.INSTANCE" added. ret_body may be NULL, for its digests alone. The digests are over the compact JSON of `name` and all `tags` (so another owner is another digest), and over all
 * the rest as the file says it, so that neither layout nor comments matter. 0, or BODY_E_TOO_BIG with its problem added, or -ENOMEM.
 */
enum {
    BODY_E_TOO_BIG = 1, /* BODY_BYTES_MAX */
};

int body_write(Document *document, const char *owner, const char *instance, const DigestKey *key,
               Secret **ret_body, Digest *ret_labels_digest, Digest *ret_body_digest);

/* The part of such a body that a PATCH takes: its name, if it has one, and its tags. The caller's. 0 or -ENOMEM. */
int body_format_labels(const Secret *body, Secret **ret_labels);
