#include "base/acl.h"

#include <dlfcn.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/limits.h"

#define NOBODY_HAS "elementd-test-nobody-has-this-name"

/* What getpwnam_r() returns, for 0 what it does. */
static int name_service_error;

int getpwnam_r(const char *name, struct passwd *space, char *line, size_t size,
               struct passwd **ret_entry)
{
    __typeof__(&getpwnam_r) real = dlsym(RTLD_NEXT, "getpwnam_r");

    if (name_service_error == 0)
        return real(name, space, line, size, ret_entry);
    *ret_entry = NULL;
    return name_service_error;
}

/* The list of these entries, of which none may be refused. */
static Acl make_acl(const char *first, ...)
{
    Acl acl = {};
    va_list more;

    va_start(more, first);
    for (const char *text = first; text; text = va_arg(more, const char *))
        assert_int_equal(acl_add(&acl, text), 0);
    va_end(more);
    return acl;
}

static void assert_match(const Acl *acl, AclSubject subject, const char *expected)
{
    const AclEntry *entry = acl_match(acl, &subject);

    if (expected) {
        assert_non_null(entry);
        assert_string_equal(entry->text, expected);
    } else {
        assert_null(entry);
    }
}

static void test_empty(void **state)
{
    Acl acl = {};

    (void)state;
    assert_match(&acl, (AclSubject){.uid = 0, .gid = 0, .unit = "a.service"}, NULL);
    acl_deinit(&acl);
    acl_deinit(&acl);
}

static void test_syntax(void **state)
{
    static const char *const refused[] = {
        "",     "user",   "user:",   "group:", "unit:",    "ANY",   "Any",    "any ",  " any",
        "any:", "anyone", "all",     "User:1", "users:1",  "uid:1", ":",      ":1",    "*",
        "1000", "root",   " user:1", "gid:1",  "everyone", "unit",  "@wheel", "group", "unit :x",
    };
    Acl acl = {};

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(refused); i++) {
        assert_int_equal(acl_add(&acl, refused[i]), ACL_E_SYNTAX);
        assert_int_equal(acl.n_entries, 0);
    }
    acl_deinit(&acl);
}

static void test_as_written(void **state)
{
    Acl acl = make_acl("user:0", "group:0", "unit:a*.service", "any", NULL);
    static const AclKind kinds[] = {ACL_USER, ACL_GROUP, ACL_UNIT, ACL_ANY};
    static const char *const texts[] = {"user:0", "group:0", "unit:a*.service", "any"};

    (void)state;
    assert_int_equal(acl.n_entries, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(acl.entries[i].kind, kinds[i]);
        assert_string_equal(acl.entries[i].text, texts[i]);
        assert_false(acl.entries[i].is_unknown);
    }
    acl_deinit(&acl);
    assert_int_equal(acl.n_entries, 0);
    assert_null(acl.entries);
}

static void test_numbers(void **state)
{
    Acl acl = make_acl("user:1000", "group:2000", "user:007", "user:4294967294", NULL);
    const gid_t groups[] = {5, 2000}, others[] = {1000, 7};

    (void)state;
    assert_match(&acl, (AclSubject){.uid = 1000}, "user:1000");
    assert_match(&acl, (AclSubject){.uid = 1001}, NULL);
    assert_match(&acl, (AclSubject){.uid = 7}, "user:007");
    assert_match(&acl, (AclSubject){.uid = UINT32_MAX - 1}, "user:4294967294");
    assert_match(&acl, (AclSubject){.uid = 1, .gid = 2000}, "group:2000");
    assert_match(&acl, (AclSubject){.uid = 1, .groups = groups, .n_groups = 2}, "group:2000");
    assert_match(&acl, (AclSubject){.uid = 1, .groups = groups, .n_groups = 1}, NULL);
    /* A uid is no gid. */
    assert_match(&acl, (AclSubject){.uid = 2000, .gid = 1000, .groups = others, .n_groups = 2},
                 NULL);
    /* Root is nobody special here. */
    assert_match(&acl, (AclSubject){.uid = 0}, NULL);
    acl_deinit(&acl);
}

/* (uid_t)-1 is what "no uid" looks like: it must never match, and larger numbers must not wrap round. */
static void test_numbers_too_large(void **state)
{
    static const char *const texts[] = {
        "user:4294967295",
        "group:4294967295",
        "user:4294967296",
        "group:4294967296",
        "user:4294968296",
        "user:18446744073709551615",
        "user:18446744073709551616",
        "user:99999999999999999999999999999999",
        "user:-1",
        "user:+1",
        "user: 1",
        "user:0x1",
        "user:1 ",
    };
    const gid_t groups[] = {UINT32_MAX, 0, 1, 1000};
    Acl acl = {};

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
        assert_int_equal(acl_add(&acl, texts[i]), ACL_E_UNKNOWN);
        assert_int_equal(acl.n_entries, i + 1);
        assert_true(acl.entries[i].is_unknown);
    }
    for (size_t i = 0; i < N_ELEMENTS(groups); i++)
        assert_match(&acl, (AclSubject){groups[i], groups[i], groups, N_ELEMENTS(groups), "1"},
                     NULL);
    acl_deinit(&acl);
}

static void test_names(void **state)
{
    Acl acl = make_acl("user:root", "group:root", NULL);

    (void)state;
    assert_int_equal(acl.entries[0].id, 0);
    assert_int_equal(acl.entries[1].id, 0);
    assert_match(&acl, (AclSubject){.uid = 0, .gid = 5}, "user:root");
    assert_match(&acl, (AclSubject){.uid = 5, .gid = 0}, "group:root");
    assert_match(&acl, (AclSubject){.uid = 5, .gid = 5}, NULL);
    acl_deinit(&acl);
}

/* Added, so that it can be shown, and matches nobody: not even uid 0, which its id happens to be. */
static void test_unknown(void **state)
{
    const gid_t groups[] = {0};
    Acl acl = {};

    (void)state;
    assert_null(getpwnam(NOBODY_HAS));
    assert_null(getgrnam(NOBODY_HAS));
    assert_int_equal(acl_add(&acl, "user:" NOBODY_HAS), ACL_E_UNKNOWN);
    assert_int_equal(acl_add(&acl, "group:" NOBODY_HAS), ACL_E_UNKNOWN);
    assert_int_equal(acl.n_entries, 2);
    assert_string_equal(acl.entries[0].text, "user:" NOBODY_HAS);
    assert_true(acl.entries[0].is_unknown);
    assert_true(acl.entries[1].is_unknown);
    assert_match(&acl, (AclSubject){.uid = 0, .groups = groups, .n_groups = 1}, NULL);
    acl_deinit(&acl);
}

/* A directory that is down says nothing of whom it knows. */
static void test_no_answer(void **state)
{
    static const struct {
        int error;
        int expected;
    } rows[] = {
        {ENOENT, ACL_E_UNKNOWN},
        {ESRCH, ACL_E_UNKNOWN},
        {EBADF, ACL_E_UNKNOWN},
        {EPERM, ACL_E_UNKNOWN},
        {EIO, ACL_E_UNREACHABLE},
        {EAGAIN, ACL_E_UNREACHABLE},
        {ECONNREFUSED, ACL_E_UNREACHABLE},
        {EMFILE, ACL_E_UNREACHABLE},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        Acl acl = {};

        name_service_error = rows[i].error;
        assert_int_equal(acl_add(&acl, "user:root"), rows[i].expected);
        name_service_error = 0;
        assert_int_equal(acl.n_entries, 1);
        assert_match(&acl, (AclSubject){.uid = 0, .gid = 5}, NULL);
        acl_deinit(&acl);
    }
}

static void assert_unit(const char *pattern, const char *unit, bool is_match)
{
    Acl acl = make_acl(pattern, NULL);

    assert_match(&acl, (AclSubject){.uid = 5, .gid = 5, .unit = unit}, is_match ? pattern : NULL);
    acl_deinit(&acl);
}

static void test_units(void **state)
{
    (void)state;
    assert_unit("unit:a.service", "a.service", true);
    assert_unit("unit:a.service", "a.servic", false);
    assert_unit("unit:a.service", "a.service2", false);
    assert_unit("unit:a.service", "aXservice", false);
    assert_unit("unit:a.service", "", false);
    assert_unit("unit:a.service", NULL, false);
    assert_unit("unit:*", "a.service", true);
    assert_unit("unit:*", NULL, false);
    assert_unit("unit:app-*.service", "app-1.service", true);
    assert_unit("unit:app-*.service", "app-.service", true);
    assert_unit("unit:app-*.service", "other-app-1.service", false);
    assert_unit("unit:app-*.service", "app-1.socket", false);
    assert_unit("unit:app@?.service", "app@1.service", true);
    assert_unit("unit:app@?.service", "app@12.service", false);
    assert_unit("unit:app@[12].service", "app@2.service", true);
    assert_unit("unit:app@[12].service", "app@3.service", false);
    assert_unit("unit:app@[.service", "app@[.service", true); /* not closed: itself */
}

/* systemd-escape(1) writes "\x2d" into unit names: there the backslash is a character like any other. */
static void test_units_escaped(void **state)
{
    (void)state;
    assert_unit("unit:a\\x2db.service", "a\\x2db.service", true);
    assert_unit("unit:a\\x2db.service", "ax2db.service", false);
    assert_unit("unit:a\\x2d*.service", "a\\x2db.service", true);
    assert_unit("unit:\\*", "*", false);
    assert_unit("unit:\\*", "\\anything", true);
}

static void test_any(void **state)
{
    Acl acl = make_acl("any", NULL);

    (void)state;
    assert_match(&acl, (AclSubject){.uid = 0}, "any");
    assert_match(&acl, (AclSubject){.uid = 65534, .gid = 65534}, "any");
    acl_deinit(&acl);
}

static void test_first_match(void **state)
{
    Acl acl = make_acl("unit:a*", "user:5", "group:6", "any", NULL);

    (void)state;
    assert_match(&acl, (AclSubject){.uid = 5, .gid = 6, .unit = "ab"}, "unit:a*");
    assert_match(&acl, (AclSubject){.uid = 5, .gid = 6, .unit = "b"}, "user:5");
    assert_match(&acl, (AclSubject){.uid = 6, .gid = 6}, "group:6");
    assert_match(&acl, (AclSubject){.uid = 6, .gid = 5}, "any");
    acl_deinit(&acl);
}

static void test_ceiling(void **state)
{
    Acl acl = {};
    char text[32];

    (void)state;
    for (unsigned i = 0; i < ACL_ENTRIES_MAX; i++) {
        (void)snprintf(text, sizeof(text), "user:%u", 10000 + i);
        assert_int_equal(acl_add(&acl, text), 0);
    }
    assert_int_equal(acl.n_entries, ACL_ENTRIES_MAX);
    assert_match(&acl, (AclSubject){.uid = 10000 + ACL_ENTRIES_MAX - 1}, text);
    assert_int_equal(acl_add(&acl, "any"), ACL_E_FULL);
    assert_int_equal(acl_add(&acl, "user:" NOBODY_HAS), ACL_E_FULL);
    assert_int_equal(acl.n_entries, ACL_ENTRIES_MAX);
    assert_match(&acl, (AclSubject){.uid = 10000 + ACL_ENTRIES_MAX}, NULL);
    acl_deinit(&acl);
    assert_int_equal(acl_add(&acl, "any"), 0); /* empty and usable again */
    acl_deinit(&acl);
}

static void test_copy(void **state)
{
    Acl acl = make_acl("user:1000", "unit:a*", NULL), copy = {}, empty = {};

    (void)state;
    assert_int_equal(acl_add(&acl, "user:" NOBODY_HAS), ACL_E_UNKNOWN);
    assert_int_equal(acl_copy(&acl, &copy), 0);
    acl_deinit(&acl); /* the copy holds nothing of it */
    assert_int_equal(copy.n_entries, 3);
    assert_match(&copy, (AclSubject){.uid = 1000}, "user:1000");
    assert_match(&copy, (AclSubject){.uid = 1, .unit = "ab"}, "unit:a*");
    assert_true(copy.entries[2].is_unknown);
    assert_int_equal(acl_add(&copy, "any"), 0); /* it can grow on */
    acl_deinit(&copy);

    assert_int_equal(acl_copy(&empty, &copy), 0);
    assert_int_equal(copy.n_entries, 0);
    acl_deinit(&copy);
}

/* The same entries in the same order, that mean the same. */
static void test_equal(void **state)
{
    Acl rows[] = {
        {},
        make_acl("user:1000", NULL),
        make_acl("user:1001", NULL),
        make_acl("group:1000", NULL),
        make_acl("unit:1000", NULL),
        make_acl("any", NULL),
        make_acl("user:01000", NULL), /* the same number, written otherwise */
        make_acl("user:1000", "any", NULL),
        make_acl("any", "user:1000", NULL),
        make_acl("user:1000", "any", "any", NULL),
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        for (size_t j = 0; j < N_ELEMENTS(rows); j++) {
            Acl copy = {};

            assert_int_equal(acl_copy(&rows[j], &copy), 0);
            if (acl_equal(&rows[i], &copy) != (i == j))
                fail_msg("lists %zu and %zu", i, j);
            acl_deinit(&copy);
        }
    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        acl_deinit(&rows[i]);
}

/* A name that has come to be another user, or nobody, means something else, however it is written. */
static void test_equal_meaning(void **state)
{
    Acl a = make_acl("user:1000", NULL), b = make_acl("user:1000", NULL);

    (void)state;
    b.entries[0].id = 1001;
    assert_false(acl_equal(&a, &b));
    b.entries[0].id = 1000;
    assert_true(acl_equal(&a, &b));
    b.entries[0].is_unknown = true;
    assert_false(acl_equal(&a, &b));
    a.entries[0].is_unknown = true;
    assert_true(acl_equal(&a, &b));
    acl_deinit(&a);
    acl_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_syntax),
        cmocka_unit_test(test_as_written),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_numbers_too_large),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_no_answer),
        cmocka_unit_test(test_units),
        cmocka_unit_test(test_units_escaped),
        cmocka_unit_test(test_any),
        cmocka_unit_test(test_first_match),
        cmocka_unit_test(test_ceiling),
        cmocka_unit_test(test_copy),
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_equal_meaning),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
