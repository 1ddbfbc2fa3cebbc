#pragma once

/*
 * Terms: on which terms an instance's token is given: what it is of, who may have it, and what goes with it.
 *
 * A value shared by reference, as a shared text is (base/shared.h): thousands of instances have the same. Changeable until
 * it is shared; one thread at a time.
 */

#include "base/acl.h"
#include "base/cleanup.h"
#include "base/secret.h"
#include "base/shared.h"

typedef struct Terms {
    unsigned n_refs;
    const char *element; /* element.key, shared; NULL: its file does not say it well */
    const char *account; /* its name, shared */
    Acl allow;           /* who may have the token */
    Acl allow_authorization;
    Secret *user; /* of the account; NULL while that cannot be used, as the next */
    Secret *organization;
} Terms;

/* An empty one, which lets nobody in, with one reference. 0 or -ENOMEM. */
int terms_new(Terms **ret_terms);

/* NULL is fine for both. terms_unref() returns NULL. */
Terms *terms_ref(Terms *terms);
Terms *terms_unref(Terms *terms);

DEFINE_FREEP(Terms, terms_unref)

/* Whether they say the same. */
bool terms_equal(const Terms *a, const Terms *b);

/* Makes `*terms` a reference to `like` instead, which may be NULL, where that says the same. */
void terms_share(Terms **terms, Terms *like);

/* Nothing, and lets nobody in: for what is not declared. Static storage; never to be referenced or changed. */
extern const Terms terms_none;
