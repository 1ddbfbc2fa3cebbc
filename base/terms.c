#include "base/terms.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

const Terms terms_none = {.account = ""};

int terms_new(Terms **ret_terms)
{
    Terms *terms = calloc(1, sizeof(*terms));

    if (!terms)
        return -ENOMEM;
    terms->n_refs = 1;
    *ret_terms = terms;
    return 0;
}

Terms *terms_ref(Terms *terms)
{
    if (terms) {
        assert(terms->n_refs > 0);
        terms->n_refs++;
    }
    return terms;
}

Terms *terms_unref(Terms *terms)
{
    if (!terms)
        return NULL;
    assert(terms->n_refs > 0);
    if (--terms->n_refs > 0)
        return NULL;
    shared_unref(terms->element);
    shared_unref(terms->account);
    acl_deinit(&terms->allow);
    acl_deinit(&terms->allow_authorization);
    secret_unref(terms->user);
    secret_unref(terms->organization);
    free(terms);
    return NULL;
}

static bool terms_is_same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

bool terms_equal(const Terms *a, const Terms *b)
{
    return a == b ||
           (terms_is_same_text(a->element, b->element) &&
            terms_is_same_text(a->account, b->account) && acl_equal(&a->allow, &b->allow) &&
            acl_equal(&a->allow_authorization, &b->allow_authorization) &&
            secret_equal(a->user, b->user) && secret_equal(a->organization, b->organization));
}

void terms_share(Terms **terms, Terms *like)
{
    Terms *before = *terms;

    if (!like || !terms_equal(before, like))
        return;
    *terms = terms_ref(like);
    terms_unref(before);
}
