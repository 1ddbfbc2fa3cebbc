#include "ipc/access.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"

typedef struct AccessCase {
    const char *entries[3];
    uid_t uid;
    gid_t gid;
    gid_t group;         /* the one supplementary group */
    const char *allowed; /* by this entry; "": by being root; NULL: not */
    const char *unit;
} AccessCase;

static const AccessCase cases[] = {
    {{}, 0, 0, 0, "", NULL},
    {{}, 1000, 1000, 1000, NULL, NULL},
    {{}, 1000, 0, 0, NULL, NULL}, /* root's group is not root */
    {{"user:1000"}, 1000, 5, 5, "user:1000", NULL},
    {{"user:1000"}, 1001, 1000, 1000, NULL, NULL},
    {{"user:1000"}, 0, 0, 0, "", NULL}, /* root needs no entry */
    {{"group:50"}, 1000, 50, 5, "group:50", NULL},
    {{"group:50"}, 1000, 5, 50, "group:50", NULL},
    {{"group:50"}, 50, 5, 5, NULL, NULL},
    {{"any"}, 1000, 5, 5, "any", NULL},
    {{"user:1", "group:50", "any"}, 1000, 5, 50, "group:50", NULL}, /* the first that matches */
    {{"user:1", "group:51", "any"}, 1000, 5, 50, "any", NULL},
    {{"unit:*"}, 1000, 5, 5, NULL, NULL}, /* the unit is not known */
    {{"unit:a.service"}, 1000, 5, 5, "unit:a.service", "a.service"},
    {{"unit:a.service"}, 1000, 5, 5, NULL, "b.service"},
    {{"unit:a.service"}, 1000, 5, 5, NULL, "aa.service"},
    {{"unit:a@*.service"}, 1000, 5, 5, "unit:a@*.service", "a@1.service"},
    {{"unit:b.service", "user:1000"}, 1000, 5, 5, "user:1000", "a.service"},
    {{"unit:*.service"}, 1000, 5, 5, "unit:*.service", "user@1000.service"},
};

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        const AccessCase *c = &cases[i];
        gid_t *groups = malloc(sizeof(*groups));
        Peer peer = {.fd = -1,
                     .uid = c->uid,
                     .gid = c->gid,
                     .groups = groups,
                     .n_groups = 1,
                     .has_groups = true,
                     .unit = c->unit ? strdup(c->unit) : NULL,
                     .has_unit = true};
        const AclEntry *entry = NULL;
        Acl acl = {};
        int r;

        *groups = c->group;
        for (size_t j = 0; j < N_ELEMENTS(c->entries) && c->entries[j]; j++)
            assert_int_equal(acl_add(&acl, c->entries[j]), 0);
        r = access_check(&acl, &peer, &entry);
        if (r != (c->allowed ? 0 : ACCESS_E_DENIED))
            fail_msg("case %zu: %d", i, r);
        if (c->allowed && *c->allowed)
            assert_string_equal(entry->text, c->allowed);
        else
            assert_null(entry);
        assert_int_equal(access_check(&acl, &peer, NULL), r);
        acl_deinit(&acl);
        peer_deinit(&peer);
    }
}

static void test_no_list(void **state)
{
    Peer root = {.fd = -1}, other = {.fd = -1, .uid = 1000};

    (void)state;
    assert_int_equal(access_check(NULL, &root, NULL), 0);
    assert_int_equal(access_check(NULL, &other, NULL), ACCESS_E_DENIED);
}

/* Groups are looked for only where a list names groups: here there is no socket to ask. */
static void test_groups_only_when_needed(void **state)
{
    Peer peer = {.fd = -1, .uid = 1000};
    Acl acl = {};

    (void)state;
    assert_int_equal(acl_add(&acl, "user:1000"), 0);
    assert_int_equal(access_check(&acl, &peer, NULL), 0);
    assert_false(peer.has_groups);
    assert_int_equal(acl_add(&acl, "group:50"), 0);
    assert_true(access_check(&acl, &peer, NULL) < 0);
    assert_false(peer.has_unit);
    acl_deinit(&acl);
}

/* What systemd asks for in the name of a unit is not asked by root, and by no user. */
static void test_unit(void **state)
{
    static const struct {
        const char *entries[2];
        const char *unit;
        const char *allowed;
    } units[] = {
        {{}, "a.service", NULL},
        {{"user:0", "group:0"}, "a.service", NULL},
        {{"user:0", "unit:a.service"}, "a.service", "unit:a.service"},
        {{"unit:a.service"}, "b.service", NULL},
        {{"unit:a*"}, "ab.service", "unit:a*"},
        {{"any"}, "b.service", "any"},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(units); i++) {
        const AclEntry *entry = NULL;
        Acl acl = {};
        int r;

        for (size_t j = 0; j < N_ELEMENTS(units[i].entries) && units[i].entries[j]; j++)
            assert_int_equal(acl_add(&acl, units[i].entries[j]), 0);
        r = access_check_unit(&acl, units[i].unit, &entry);
        if (r != (units[i].allowed ? 0 : ACCESS_E_DENIED))
            fail_msg("case %zu: %d", i, r);
        if (units[i].allowed)
            assert_string_equal(entry->text, units[i].allowed);
        acl_deinit(&acl);
    }
    assert_int_equal(access_check_unit(NULL, "a.service", NULL), ACCESS_E_DENIED);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_no_list),
        cmocka_unit_test(test_groups_only_when_needed),
        cmocka_unit_test(test_unit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
