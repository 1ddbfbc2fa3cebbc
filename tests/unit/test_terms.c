#include "base/terms.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static Terms *make_terms(const char *element, const char *entry, const char *user)
{
    Terms *terms;

    assert_int_equal(terms_new(&terms), 0);
    if (element)
        assert_int_equal(shared_new(element, strlen(element), NULL, &terms->element), 0);
    assert_int_equal(shared_new("default", strlen("default"), NULL, &terms->account), 0);
    if (entry)
        assert_int_equal(acl_add(&terms->allow, entry), 0);
    if (user)
        assert_int_equal(secret_new(user, strlen(user), &terms->user), 0);
    return terms;
}

static void test_new_lets_nobody_in(void **state)
{
    _cleanup_(terms_unrefp) Terms *terms = NULL;

    (void)state;
    assert_int_equal(terms_new(&terms), 0);
    assert_int_equal(terms->allow.n_entries, 0);
    assert_int_equal(terms->allow_authorization.n_entries, 0);
    assert_null(terms->user);
    assert_null(terms_ref(NULL));
    assert_null(terms_unref(NULL));
}

/* Each thing that they say. */
static void test_equal(void **state)
{
    Terms *same[] = {make_terms("jira", "any", "u"), make_terms("jira", "any", "u")};
    Terms *others[] = {make_terms("sfdc", "any", "u"),    make_terms(NULL, "any", "u"),
                       make_terms("jira", "user:0", "u"), make_terms("jira", NULL, "u"),
                       make_terms("jira", "any", "v"),    make_terms("jira", "any", NULL),
                       make_terms("jira", "any", "u"),    make_terms("jira", "any", "u"),
                       make_terms("jira", "any", "u")};
    size_t n = N_ELEMENTS(others);

    (void)state;
    shared_unref(others[n - 3]->account);
    assert_int_equal(shared_new("eu", 2, NULL, &others[n - 3]->account), 0);
    assert_int_equal(acl_add(&others[n - 2]->allow_authorization, "any"), 0);
    assert_int_equal(secret_new("o", 1, &others[n - 1]->organization), 0);
    assert_true(terms_equal(same[0], same[1]));
    assert_true(terms_equal(same[0], same[0]));
    for (size_t i = 0; i < n; i++) {
        assert_false(terms_equal(same[0], others[i]));
        assert_false(terms_equal(others[i], same[0]));
        terms_unref(others[i]);
    }
    terms_unref(same[0]);
    terms_unref(same[1]);
}

static void test_share(void **state)
{
    _cleanup_(terms_unrefp) Terms *first = make_terms("jira", "any", "u");
    _cleanup_(terms_unrefp) Terms *second = make_terms("jira", "any", "u");
    _cleanup_(terms_unrefp) Terms *other = make_terms("sfdc", "any", "u");
    Terms *before = other;

    (void)state;
    terms_share(&second, NULL);
    assert_ptr_not_equal(second, first);
    terms_share(&second, first);
    assert_ptr_equal(second, first);
    assert_int_equal(first->n_refs, 2);
    terms_share(&other, first);
    assert_ptr_equal(other, before);
    terms_share(&second, second);
    assert_int_equal(first->n_refs, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_lets_nobody_in),
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_share),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
