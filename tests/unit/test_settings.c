#include "config/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "systemd/host.h"
#include "tests/unit/told.h"

/* Settings of `text`, which may be NULL for an absent file, with what is told of it. */
static Settings parse(const char *text, const char *told)
{
    DocumentSource source = {.name = "s", .file = "s.json", .text = text};
    Problems problems = {};
    Settings settings = {};
    size_t n_errors;

    if (text)
        source.size = strlen(text);
    assert_int_equal(settings_parse(text ? &source : NULL, "s.json", &problems, &settings), 0);
    n_errors = problems.n_errors;
    told_assert_all(&problems, NULL, told);
    if (n_errors > 0)
        assert_memory_equal(settings.problem, told, strlen(settings.problem));
    else
        assert_null(settings.problem);
    return settings;
}

static void assert_defaults(const Settings *settings)
{
    assert_int_equal(settings->allow.n_entries, 0);
    assert_int_equal(settings->parallel, 16);
    assert_int_equal(settings->request_timeout, 120 * USEC_PER_SEC);
    assert_int_equal(settings->verify_interval, 3600 * USEC_PER_SEC);
    assert_int_equal(settings->credential_wait, 60 * USEC_PER_SEC);
}

static void test_defaults(void **state)
{
    static const char *const texts[] = {NULL, "{}", "// nothing\n{ }\n"};
    char id[HOST_ID_SIZE];
    bool is_known = host_get_id(id) == 0;

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
        Settings settings = parse(
            texts[i], is_known ? ""
                               : "s.json:1:1: this host has no machine id by which the platform "
                                 "could know it: set \"owner\" to a name that no other host has\n");

        assert_defaults(&settings);
        if (is_known)
            assert_string_equal(settings.owner, id);
        else
            assert_null(settings.owner);
        settings_deinit(&settings);
    }
}

static void test_all(void **state)
{
    Settings settings = parse("{\"allow\": [\"user:0\", \"any\"], \"owner\": \"Host-1.a_b\", "
                              "\"parallel\": 256, \"request-timeout-sec\": 3600, "
                              "\"verify-interval-sec\": 2592000, \"credential-wait-sec\": 0.5}",
                              "");

    (void)state;
    assert_int_equal(settings.allow.n_entries, 2);
    assert_string_equal(settings.allow.entries[1].text, "any");
    assert_string_equal(settings.owner, "Host-1.a_b");
    assert_int_equal(settings.parallel, 256);
    assert_int_equal(settings.request_timeout, 3600 * USEC_PER_SEC);
    assert_int_equal(settings.verify_interval, 2592000 * USEC_PER_SEC);
    assert_int_equal(settings.credential_wait, 500 * USEC_PER_MSEC);
    settings_deinit(&settings);
}

static void test_ranges(void **state)
{
    Settings settings = parse("{\"owner\": \"a\",\n\"parallel\": 1,\n\"request-timeout-sec\": 1,\n"
                              "\"verify-interval-sec\": 10,\n\"credential-wait-sec\": 0}",
                              "");

    (void)state;
    assert_int_equal(settings.parallel, 1);
    assert_int_equal(settings.request_timeout, 1 * USEC_PER_SEC);
    assert_int_equal(settings.verify_interval, 10 * USEC_PER_SEC);
    assert_int_equal(settings.credential_wait, 0);
    settings_deinit(&settings);

    settings = parse(
        "{\"owner\": \"a\",\n\"parallel\": 0,\n\"request-timeout-sec\": 0.9,\n"
        "\"verify-interval-sec\": 9,\n\"credential-wait-sec\": 3601}",
        "s.json:2:13: \"parallel\" must be a whole number from 1 to 256\n"
        "s.json:3:24: \"request-timeout-sec\" must be a number of seconds from 1 to 3600, such as 60 or "
        "0.5, without exponent\n"
        "s.json:4:24: \"verify-interval-sec\" must be a number of seconds from 10 to 2592000, such as 60 "
        "or 0.5, without exponent\n"
        "s.json:5:24: \"credential-wait-sec\" must be a number of seconds from 0 to 3600, such as 60 or "
        "0.5, without exponent\n");
    assert_defaults(&settings);
    settings_deinit(&settings);

    settings = parse(
        "{\"owner\": \"a\",\n\"parallel\": 257,\n\"request-timeout-sec\": 3600.1,\n"
        "\"verify-interval-sec\": 2592001,\n\"credential-wait-sec\": -1}",
        "s.json:2:13: \"parallel\" must be a whole number from 1 to 256\n"
        "s.json:3:24: \"request-timeout-sec\" must be a number of seconds from 1 to 3600, such as 60 or "
        "0.5, without exponent\n"
        "s.json:4:24: \"verify-interval-sec\" must be a number of seconds from 10 to 2592000, such as 60 "
        "or 0.5, without exponent\n"
        "s.json:5:24: \"credential-wait-sec\" must be a number of seconds from 0 to 3600, such as 60 or "
        "0.5, without exponent\n");
    assert_defaults(&settings);
    settings_deinit(&settings);
}

/* An owner that is not well set does not give way to the host's: the platform would see another host. */
static void test_owner(void **state)
{
#define BAD_OWNER "s.json:1:11: \"owner\" must be 1 to 64 letters, digits, \".\", \"_\" and \"-\"\n"
    static const char *const rows[][2] = {
        {"{\"owner\": \"\"}", BAD_OWNER},
        {"{\"owner\": \"a b\"}", BAD_OWNER},
        {"{\"owner\": \"a/b\"}", BAD_OWNER},
        {"{\"owner\": \"\\u00e9\"}", BAD_OWNER},
        {"{\"owner\": \"a\\n\"}", BAD_OWNER},
        {"{\"owner\": \"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn\"}",
         BAD_OWNER},
        {"{\"owner\": 5}", "s.json:1:11: \"owner\" must be a string, but is a number\n"},
        {"{\"owner\": \"a\\u0000\"}", "s.json:1:11: \"owner\" must not hold a NUL character\n"},
        {"{\"owner\": \"a\", \"owner\": \"b\"}",
         "s.json:1:16: duplicate key \"owner\": it stands already at 1:2\n"},
        {"{\"owner\": \"<INSERT_OWNER>\"}",
         "s.json:1:11: placeholder <INSERT_OWNER> is left in: replace it by the value\n"},
        {"[]", "s.json:1:1: the document must be an object, but is an array\n"},
        {"{\"owner\": \"a\"", "s.json:1:14: the document ends before it is complete\n"},
    };
    Settings settings;

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        settings = parse(rows[i][0], rows[i][1]);
        assert_null(settings.owner);
        settings_deinit(&settings);
    }
    settings = parse(
        "{\"owner\": \"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn\"}", "");
    assert_int_equal(strlen(settings.owner), 64);
    settings_deinit(&settings);
#undef BAD_OWNER
}

/* All that is fine in a broken file is used. */
static void test_rest_is_used(void **state)
{
    Settings settings = parse(
        "{\"paralel\": 3, \"owner\": \"me\", \"parallel\": \"s3cr3t\", "
        "\"credential-wait-sec\": 5, \"allow\": [\"any\"]}",
        "s.json:1:2: unknown key \"paralel\"; did you mean \"parallel\"?\n"
        "s.json:1:43: \"parallel\" must be a number from 1 to 256, but is a string\n");

    (void)state;
    assert_string_equal(settings.owner, "me");
    assert_int_equal(settings.parallel, 16);
    assert_int_equal(settings.credential_wait, 5 * USEC_PER_SEC);
    assert_int_equal(settings.allow.n_entries, 1);
    settings_deinit(&settings);
}

static void test_allow(void **state)
{
#define FORMS "an entry must be \"user:NAME\", \"group:NAME\", \"unit:GLOB\" or \"any\""
    /* One broken entry empties the list: what it meant may have been less than the rest of it. */
    static const char *const rows[][2] = {
        {"\"any\", \"all\"", "s.json:1:36: " FORMS "\n"},
        {"\"any\", 5, null", "s.json:1:36: " FORMS ", but is a number\n"
                             "s.json:1:39: " FORMS ", but is null\n"},
        {"[\"any\"]", "s.json:1:29: " FORMS ", but is an array\n"},
        {"\"user:0\\u0000x\"", "s.json:1:29: " FORMS "\n"},
        {"\"any\", \"<INSERT_USER>\"",
         "s.json:1:36: placeholder <INSERT_USER> is left in: replace it by the value\n"},
    };
    Settings settings;

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        char text[256];

        (void)snprintf(text, sizeof(text), "{\"owner\": \"me\", \"allow\":   [%s]}", rows[i][0]);
        settings = parse(text, rows[i][1]);
        assert_int_equal(settings.allow.n_entries, 0);
        settings_deinit(&settings);
    }
    settings = parse("{\"owner\": \"me\", \"allow\": \"any\"}",
                     "s.json:1:26: \"allow\" must be an array, but is a string\n");
    assert_int_equal(settings.allow.n_entries, 0);
    settings_deinit(&settings);

    settings = parse(
        "{\"owner\": \"me\", \"allow\": [\"user:no-such-user\", \"any\"]}",
        "s.json:1:27: warning: no such user or group: the entry lets in nobody until there is "
        "one and the configuration is loaded again\n");
    assert_int_equal(settings.allow.n_entries, 2);
    assert_true(settings.allow.entries[0].is_unknown);
    settings_deinit(&settings);
#undef FORMS
}

/* A list of the most entries, and one of one more, which is no list. */
static void test_allow_limit(void **state)
{
    char text[4096];

    (void)state;
    for (int n_max = 256; n_max <= 257; n_max++) {
        int n = snprintf(text, sizeof(text), "{\"owner\": \"me\", \"allow\": [\"any\"");
        Settings settings;

        for (int i = 1; i < n_max; i++)
            n += snprintf(text + n, sizeof(text) - (size_t)n, ",\n\"any\"");
        (void)snprintf(text + n, sizeof(text) - (size_t)n, "]}");
        settings = parse(text, n_max == 256 ? "" : "s.json:257:1: more than 256 entries\n");
        assert_int_equal(settings.allow.n_entries, n_max == 256 ? 256 : 0);
        settings_deinit(&settings);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),     cmocka_unit_test(test_all),
        cmocka_unit_test(test_ranges),       cmocka_unit_test(test_owner),
        cmocka_unit_test(test_rest_is_used), cmocka_unit_test(test_allow),
        cmocka_unit_test(test_allow_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
