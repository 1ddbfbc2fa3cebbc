#include "config/instance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "tests/unit/parsed.h"

/* Entries of a list as "a b c". */
static void assert_acl(const Acl *acl, const char *expected)
{
    char text[256] = "";

    for (size_t i = 0; i < acl->n_entries; i++) {
        size_t n = strlen(text);

        (void)snprintf(text + n, sizeof(text) - n, "%s%s", i > 0 ? " " : "", acl->entries[i].text);
    }
    assert_string_equal(text, expected);
}

static void test_smallest(void **state)
{
    _cleanup_(instance_freep) Instance *instance = parsed("{" PARSED_ELEMENT "}", "");

    (void)state;
    assert_string_equal(instance->terms->element, "jira");
    assert_string_equal(instance->terms->account, "default");
    assert_ptr_equal(instance->account, &parsed_default_account);
    assert_acl(&instance->terms->allow, "unit:a.service");
    assert_acl(&instance->terms->allow_authorization, "");
    assert_int_equal(instance->on_remove, INSTANCE_KEEP);
    assert_true(instance->has_body);
    assert_null(instance->problem);
}

static void test_ours(void **state)
{
    static const char text[] =
        "{\"elementd\": {\"account\": \"eu\", \"allow\": [\"user:0\", \"unit:b*\"],\n"
        "\"allow-authorization\": [\"any\"], \"on-remove\": \"delete\"}, " PARSED_ELEMENT "}";
    _cleanup_(instance_freep) Instance *instance = parsed(text, "");
    _cleanup_(secret_unrefp) Secret *body = parsed_body(text);

    (void)state;
    assert_string_equal(instance->terms->account, "eu");
    assert_ptr_equal(instance->account, &parsed_eu_account);
    assert_acl(&instance->terms->allow, "user:0 unit:b*");
    assert_acl(&instance->terms->allow_authorization, "any");
    assert_int_equal(instance->on_remove, INSTANCE_DELETE);
    assert_string_equal(secret_reveal(body), "{\"element\":{\"key\":\"jira\"}," PARSED_TAGS "}");
}

typedef struct Row {
    const char *text;
    const char *told;
} Row;

static void assert_rows(const Row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        _cleanup_(instance_freep) Instance *instance = parsed(rows[i].text, rows[i].told);

        assert_non_null(instance->problem);
        assert_string_equal(instance->terms->account, "default");
    }
}

/* ---- elementd ---- */

static void test_ours_broken(void **state)
{
    static const Row rows[] = {
        {"{" PARSED_ELEMENT ", \"elementd\": \"" PARSED_CANARY "\"}",
         "i.json:1:42: \"elementd\" must be an object, but is a string\n"},
        {"{" PARSED_ELEMENT ", \"elementd\": {\"on-remove\": \"" PARSED_CANARY "\"}}",
         "i.json:1:56: \"elementd.on-remove\" must be \"keep\" or \"delete\"\n"},
        {"{" PARSED_ELEMENT ",\n\"elementd\": {\"allow\": \"any\", \"acount\": \"" PARSED_CANARY
         "\", \"on-remove\": 1,"
         " \"x\": 2}}",
         "i.json:2:23: \"elementd.allow\" must be an array, but is a string\n"
         "i.json:2:30: unknown key \"elementd.acount\"; did you mean \"elementd.account\"?\n"
         "i.json:2:70: \"elementd.on-remove\" must be a string, but is a number\n"
         "i.json:2:73: unknown key \"elementd.x\"; there are \"elementd.account\", \"elementd.allow\", "
         "\"elementd.allow-authorization\", \"elementd.on-remove\"\n"},
        {"{" PARSED_ELEMENT ",\n\"elementd\": {\"account\": \"a\\u0000\"}}",
         "i.json:2:25: \"elementd.account\" must not hold a NUL character\n"},
        {"{" PARSED_ELEMENT ",\n\"elementd\": {\"account\": \"<INSERT_ACCOUNT>\"}}",
         "i.json:2:25: placeholder <INSERT_ACCOUNT> is left in: replace it by the value\n"},
    };

    (void)state;
    assert_rows(rows, N_ELEMENTS(rows));
}

/* An account that is not well said is not the default one. */
static void test_account_broken(void **state)
{
    static const Row rows[] = {
        {"{" PARSED_ELEMENT ",\n\"elementd\": {\"account\": 5}}",
         "i.json:2:25: \"elementd.account\" must be a string, but is a number\n"},
        {"{" PARSED_ELEMENT ",\n\"elementd\": {\"account\": \"eu\", \"account\": \"eu\"}}",
         "i.json:2:31: duplicate key \"account\": it stands already at 2:14\n"},
    };

    (void)state;
    assert_rows(rows, N_ELEMENTS(rows));
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        _cleanup_(instance_freep) Instance *instance = parsed(rows[i].text, rows[i].told);

        assert_null(instance->account);
    }
}

typedef struct AllowRow {
    const char *text;
    const char *told;
    const char *allow;
    const char *allow_authorization;
} AllowRow;

/* Who goes on getting the token that is there, while the file is broken. */
static void test_allow(void **state)
{
#define FORMS "an entry must be \"user:NAME\", \"group:NAME\", \"unit:GLOB\" or \"any\"\n"
    static const AllowRow rows[] = {
        /* Silent: the settings' list, also when something else is broken. */
        {"{" PARSED_ELEMENT ", \"elementd\": {\"on-remove\": \"keep\"}}", "", "unit:a.service", ""},
        {"{" PARSED_ELEMENT ", \"name\": 5}",
         "i.json:1:38: \"name\" must be a string, but is a number\n", "unit:a.service", ""},
        /* Said: the file's list alone, also when it is empty or something else is broken. */
        {"{" PARSED_ELEMENT ", \"elementd\": {\"allow\": []}}", "", "", ""},
        {"{\"elementd\": {\"allow\": [\"user:0\"]}}", "i.json:1:1: \"element\" is missing\n",
         "user:0", ""},
        {"{" PARSED_ELEMENT ", \"elementd\": {\"allow\": [\"any\"], \"account\": 5}}",
         "i.json:1:72: \"elementd.account\" must be a string, but is a number\n", "any", ""},
        /* A broken list is empty, and the other one is not. */
        {"{" PARSED_ELEMENT ", \"elementd\": {\"allow\": [\"any\", \"" PARSED_CANARY "\"], "
         "\"allow-authorization\": [\"user:0\"]}}",
         "i.json:1:60: " FORMS, "", "user:0"},
        {"{" PARSED_ELEMENT ", \"elementd\": {\"allow\": 5}}",
         "i.json:1:52: \"elementd.allow\" must be an array, but is a number\n", "", ""},
        {"{" PARSED_ELEMENT ", \"elementd\": {\"allow\": [\"user:0\"], \"allow\": [\"any\"]}}",
         "i.json:1:64: duplicate key \"allow\": it stands already at 1:43\n", "", ""},
        /* Not silent, though no list can be made out. */
        {"{" PARSED_ELEMENT ", \"elementd\": {\"alow\": [\"user:0\"]}}",
         "i.json:1:43: unknown key \"elementd.alow\"; did you mean \"elementd.allow\"?\n", "", ""},
        {"{" PARSED_ELEMENT ", \"elementd\": []}",
         "i.json:1:42: \"elementd\" must be an object, but is an array\n", "", ""},
        {"{" PARSED_ELEMENT ", \"elementd\": {\"allow\": [\"user:0\"}}",
         "i.json:1:61: after array element, I expect ',' or ']'\n", "", ""},
        {"{" PARSED_ELEMENT ", \"elementd\": {}, \"elementd\": {\"allow\": [\"user:0\"]}}",
         "i.json:1:46: duplicate key \"elementd\": it stands already at 1:30\n", "", ""},
        {"{" PARSED_ELEMENT ", \"elemented\": {\"allow\": [\"user:0\"]}}",
         "i.json:1:30: unknown key \"elemented\"; did you mean \"elementd\"?\n", "", ""},
        /* An entry for someone who does not exist stays, and lets in nobody. */
        {"{" PARSED_ELEMENT ", \"elementd\": {\"allow\": [\"user:no-such-user\"]}}",
         "i.json:1:53: warning: no such user or group: the entry lets in nobody until there is one and the "
         "configuration is loaded again\n",
         "user:no-such-user", ""},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        _cleanup_(instance_freep) Instance *instance = parsed(rows[i].text, rows[i].told);

        assert_acl(&instance->terms->allow, rows[i].allow);
        assert_acl(&instance->terms->allow_authorization, rows[i].allow_authorization);
    }
#undef FORMS
}

/* `elementd` misspelled would be sent away with its lists; other unknown keys are the platform's. */
static void test_misspelled(void **state)
{
    static const Row rows[] = {
        {"{" PARSED_ELEMENT ", \"elementD\": {\"on-remove\": \"delete\"}}",
         "i.json:1:30: unknown key \"elementD\"; did you mean \"elementd\"?\n"},
        {"{" PARSED_ELEMENT ", \"elements\": {\"account\": \"eu\"}}",
         "i.json:1:30: unknown key \"elements\"; did you mean \"elementd\"?\n"},
        {"{" PARSED_ELEMENT ", \"elements\": {\"x\": 1, \"allow\": []}}",
         "i.json:1:30: unknown key \"elements\"; did you mean \"elementd\"?\n"},
        {"{" PARSED_ELEMENT ", \"ELEMENTD\": 5}",
         "i.json:1:30: unknown key \"ELEMENTD\"; did you mean \"elementd\"?\n"},
        {"{" PARSED_ELEMENT ", \"allow\": []}",
         "i.json:1:30: \"allow\" belongs into \"elementd\"\n"},
        {"{" PARSED_ELEMENT ", \"Allow-Authorization\": []}",
         "i.json:1:30: \"Allow-Authorization\" belongs into \"elementd\"\n"},
        {"{" PARSED_ELEMENT ", \"ON-Remove\": \"keep\"}",
         "i.json:1:30: \"ON-Remove\" belongs into \"elementd\"\n"},
        {"{\"element\": {\"key\": \"jira\", \"elementd\": {\"allow\": []}}}",
         "i.json:1:29: \"elementd\" belongs to the top of the file\n"},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        Instance *instance = parsed(rows[i].text, rows[i].told);

        /* Whatever it was to say of access, it was not the default list. */
        assert_int_equal(instance->terms->allow.n_entries, 0);
        instance_free(instance);
    }
    instance_free(parsed("{" PARSED_ELEMENT ", \"elements\": {\"x\": 1, \"y\": []}}", ""));
    instance_free(parsed("{" PARSED_ELEMENT ", \"elements\": {}, \"elemental\": 5}", ""));
}

/* ---- accounts, owner ---- */

static void test_no_account(void **state)
{
    _cleanup_(instance_freep) Instance *other = NULL, *silent = NULL, *none = NULL;
    ParsedContext context;

    (void)state;
    parsed_context_init(&context);
    other = parsed_with(
        &context, "{" PARSED_ELEMENT ",\n\"elementd\": {\"account\": \"" PARSED_CANARY "\"}}",
        false, "i.json:2:25: there is no such account; accounts.d declares \"default\", \"eu\"\n");
    assert_string_equal(other->terms->account, PARSED_CANARY);
    assert_null(other->account);

    context.context.accounts = parsed_accounts + 1;
    context.context.n_accounts = 1;
    silent = parsed_with(&context, "\n{" PARSED_ELEMENT "}", false,
                         "i.json:1:1: there is no account \"default\", which is used when "
                         "\"elementd.account\" is not set; accounts.d declares \"eu\"\n");
    assert_string_equal(silent->terms->account, "default");
    assert_null(silent->account);

    context.context.n_accounts = 0;
    none = parsed_with(&context, "{" PARSED_ELEMENT ",\n\"elementd\": {\"account\": \"eu\"}}",
                       false, "i.json:2:25: there is no such account; accounts.d declares none\n");
    assert_null(none->account);
    acl_deinit(&context.settings.allow);
}

/* The names of many accounts do not fit a message. */
static void test_many_accounts(void **state)
{
    Account many[64] = {};
    Account *pointers[64];
    char names[64][16];
    ParsedContext context;

    (void)state;
    for (size_t i = 0; i < 64; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "account-%02zu", i);
        many[i].name = names[i];
        pointers[i] = &many[i];
    }
    parsed_context_init(&context);
    context.context.accounts = pointers;
    context.context.n_accounts = 64;
    instance_free(parsed_with(
        &context, "{" PARSED_ELEMENT ",\n\"elementd\": {\"account\": \"x\"}}", false,
        "i.json:2:25: there is no such account; accounts.d declares \"account-00\", \"account-01\", "
        "\"account-02\", \"account-03\", \"account-04\", \"account-05\", \"account-06\", \"account-07\", "
        "\"account-08\", \"account-09\", \"account-10\", \"account-11\", \"account-12\", \"account-13\", "
        "\"account-14\", \"account-15\", \"account-16\", \"account-17\", …\n"));
    acl_deinit(&context.settings.allow);
}

/* A broken account is told of once, with its own file; but whoever uses it has a problem. */
static void test_broken_account(void **state)
{
    Account broken = {.name = (char *)"default", .problem = (char *)"default.json:2:3: bad"};
    Account *const all[] = {&broken};
    _cleanup_(instance_freep) Instance *instance = NULL, *also = NULL;
    ParsedContext context;

    (void)state;
    parsed_context_init(&context);
    context.context.accounts = all;
    context.context.n_accounts = 1;
    instance = parsed_with(&context, "{" PARSED_ELEMENT "}", false, "");
    assert_string_equal(instance->problem,
                        "the account \"default\" cannot be used: default.json:2:3: bad");
    assert_ptr_equal(instance->account, &broken);
    also = parsed_with(&context, "{}", false, "i.json:1:1: \"element\" is missing\n");
    assert_string_equal(also->problem, "i.json:1:1: \"element\" is missing");
    acl_deinit(&context.settings.allow);
}

static void test_no_owner(void **state)
{
    _cleanup_(instance_freep) Instance *instance = NULL;
    ParsedContext context;

    (void)state;
    parsed_context_init(&context);
    context.settings.owner = NULL;
    context.settings.problem = (char *)"elementd.json:1:1: bad";
    instance = parsed_with(&context, "{" PARSED_ELEMENT "}", false, "");
    assert_false(instance->has_body);
    assert_string_equal(instance->problem, "the settings cannot be used: elementd.json:1:1: bad");
    acl_deinit(&context.settings.allow);
}

/* ---- comparing ---- */

/* One difference at a time: to the platform, to whoever asks for the token, or to what becomes of it. */
static void test_equal(void **state)
{
    static const char *const texts[] = {
        "{" PARSED_ELEMENT "}",
        "{" PARSED_ELEMENT ", \"name\": \"n\"}",
        "{" PARSED_ELEMENT ", \"tags\": [\"t\"]}",
        "{" PARSED_ELEMENT ", \"configuration\": {}}",
        "{\"element\": {\"key\": \"jira\", \"id\": 1}}",
        "{\"element\": {\"key\": \"github\"}}",
        "{" PARSED_ELEMENT ", \"elementd\": {\"account\": \"eu\"}}",
        "{" PARSED_ELEMENT ", \"elementd\": {\"allow\": []}}",
        "{" PARSED_ELEMENT ", \"elementd\": {\"allow\": [\"unit:a.service\", \"user:0\"]}}",
        "{" PARSED_ELEMENT ", \"elementd\": {\"allow-authorization\": [\"unit:a.service\"]}}",
        "{" PARSED_ELEMENT ", \"elementd\": {\"on-remove\": \"delete\"}}",
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(texts); i++)
        for (size_t j = 0; j < N_ELEMENTS(texts); j++) {
            _cleanup_(instance_freep) Instance *a = parsed(texts[i], "");
            _cleanup_(instance_freep) Instance *b = parsed(texts[j], "");

            if (instance_equal(a, b) != (i == j))
                fail_msg("%s and %s", texts[i], texts[j]);
        }
}

/* What is said otherwise, or left to the settings, may mean the same. */
static void test_equal_meaning(void **state)
{
    static const char *const texts[] = {
        "{//c\n\"element\":{\"key\":\"j\\u0069ra\"}}",
        "{" PARSED_ELEMENT ", \"elementd\": {}}",
        "{" PARSED_ELEMENT ", \"elementd\": {\"account\": \"default\", \"on-remove\": \"keep\"}}",
        "{" PARSED_ELEMENT
        ", \"elementd\": {\"allow\": [\"unit:a.service\"], \"allow-authorization\": []}}",
    };
    _cleanup_(instance_freep) Instance *base = parsed("{" PARSED_ELEMENT "}", "");

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
        _cleanup_(instance_freep) Instance *instance = parsed(texts[i], "");

        assert_true(instance_equal(base, instance));
    }
}

/* Another platform under the same name, or the same one by other secrets; and other words of the settings. */
static void test_equal_around(void **state)
{
    Account here = {.name = (char *)"default", .url = (char *)"https://a"};
    Account there = {.name = (char *)"default", .url = (char *)"https://b"};
    Account again = {.name = (char *)"default", .url = (char *)"https://a"};
    Account *const accounts[] = {&here, &there, &again};
    Instance *instances[5] = {};

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(instances); i++) {
        ParsedContext context;

        parsed_context_init(&context);
        context.context.accounts = &accounts[i < 3 ? i : 0];
        context.context.n_accounts = 1;
        if (i == 3)
            context.settings.owner = (char *)"you";
        if (i == 4)
            assert_int_equal(acl_add(&context.settings.allow, "any"), 0);
        instances[i] = parsed_with(&context, "{" PARSED_ELEMENT "}", false, "");
        acl_deinit(&context.settings.allow);
    }
    assert_false(instance_equal(instances[0], instances[1]));
    assert_true(instance_equal(instances[0], instances[2]));
    assert_false(instance_equal(instances[0], instances[3]));
    assert_false(instance_equal(instances[0], instances[4]));
    for (size_t i = 0; i < N_ELEMENTS(instances); i++)
        instance_free(instances[i]);
}

/* ---- names ---- */

static void test_names(void **state)
{
    static const char *const good[] = {"a", "0", "Z9", "a.b", "a_b-c", "a..b", "a-"};
    static const char *const bad[] = {"",    ".",        ".a",  "-a",  "_a", "a b",
                                      "a/b", "\xC3\xA9", "a\n", "a:b", "a@b"};
    char longest[66];

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(good); i++)
        assert_true(instance_name_is_valid(good[i]));
    for (size_t i = 0; i < N_ELEMENTS(bad); i++)
        assert_false(instance_name_is_valid(bad[i]));
    memset(longest, 'a', 65);
    longest[65] = '\0';
    assert_false(instance_name_is_valid(longest));
    longest[64] = '\0';
    assert_true(instance_name_is_valid(longest));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_smallest),       cmocka_unit_test(test_ours),
        cmocka_unit_test(test_ours_broken),    cmocka_unit_test(test_account_broken),
        cmocka_unit_test(test_allow),          cmocka_unit_test(test_misspelled),
        cmocka_unit_test(test_no_account),     cmocka_unit_test(test_many_accounts),
        cmocka_unit_test(test_broken_account), cmocka_unit_test(test_no_owner),
        cmocka_unit_test(test_names),          cmocka_unit_test(test_equal),
        cmocka_unit_test(test_equal_meaning),  cmocka_unit_test(test_equal_around),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
