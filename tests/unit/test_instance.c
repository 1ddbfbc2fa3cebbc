#include "config/instance.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/limits.h"
#include "tests/unit/told.h"
#include "tests/unit/tree.h"

/* What no message may hold. */
#define CANARY "s3cr3t-canary"

static const DigestKey key = {.bytes = {1, 2, 3}};

static Account default_account = {.name = (char *)"default"};
static Account eu_account = {.name = (char *)"eu"};
static Account *const accounts[] = {&default_account, &eu_account};

/* What a file is checked with: root and unit:a in the settings' list, two accounts, the owner "me". */
typedef struct Context {
    Settings settings;
    InstanceContext context;
} Context;

static void context_init(Context *context)
{
    *context = (Context){
        .settings = {.owner = (char *)"me"},
        .context = {.accounts = accounts, .n_accounts = N_ELEMENTS(accounts), .key = &key},
    };
    context->context.settings = &context->settings;
    assert_int_equal(acl_add(&context->settings.allow, "unit:a.service"), 0);
}

static Instance *parse_with(const Context *context, const char *text, bool is_world_readable,
                            const char *told)
{
    DocumentSource source = {
        .name = "i",
        .file = "i.json",
        .text = text,
        .size = strlen(text),
        .is_world_readable = is_world_readable,
    };
    Problems problems = {};
    Instance *instance = NULL;

    assert_int_equal(instance_parse(&source, &context->context, &problems, &instance), 0);
    for (size_t i = 0; i < problems.n_items; i++)
        assert_null(strstr(problems.items[i].message, CANARY));
    if (problems.n_errors > 0) {
        assert_non_null(instance->problem);
        assert_null(instance->body);
    }
    told_assert_all(&problems, NULL, told);
    assert_string_equal(instance->name, "i");
    assert_string_equal(instance->file, "i.json");
    return instance;
}

static Instance *parse_mode(const char *text, bool is_world_readable, const char *told)
{
    Context context;
    Instance *instance;

    context_init(&context);
    instance = parse_with(&context, text, is_world_readable, told);
    acl_deinit(&context.settings.allow);
    return instance;
}

static Instance *parse(const char *text, const char *told)
{
    return parse_mode(text, false, told);
}

/* Asserts the body that a file makes, and that nothing is told. */
static void assert_body(const char *text, const char *body)
{
    _cleanup_(instance_freep) Instance *instance = parse(text, "");

    assert_null(instance->problem);
    assert_string_equal(secret_reveal(instance->body), body);
}

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

#define ELEMENT "\"element\": {\"key\": \"jira\"}"
#define TAGS    "\"tags\":[\"elementd.me\",\"elementd.me.i\"]"

static void test_smallest(void **state)
{
    _cleanup_(instance_freep) Instance *instance = parse("{" ELEMENT "}", "");

    (void)state;
    assert_string_equal(instance->element, "jira");
    assert_string_equal(instance->account_name, "default");
    assert_ptr_equal(instance->account, &default_account);
    assert_acl(&instance->allow, "unit:a.service");
    assert_acl(&instance->allow_authorization, "");
    assert_int_equal(instance->on_remove, INSTANCE_KEEP);
    assert_string_equal(secret_reveal(instance->body), "{\"element\":{\"key\":\"jira\"}," TAGS "}");
    assert_null(instance->problem);
}

static void test_ours(void **state)
{
    _cleanup_(instance_freep) Instance *instance = parse(
        "{\"elementd\": {\"account\": \"eu\", \"allow\": [\"user:0\", \"unit:b*\"],\n"
        "\"allow-authorization\": [\"any\"], \"on-remove\": \"delete\"}, " ELEMENT "}",
        "");

    (void)state;
    assert_string_equal(instance->account_name, "eu");
    assert_ptr_equal(instance->account, &eu_account);
    assert_acl(&instance->allow, "user:0 unit:b*");
    assert_acl(&instance->allow_authorization, "any");
    assert_int_equal(instance->on_remove, INSTANCE_DELETE);
    assert_string_equal(secret_reveal(instance->body), "{\"element\":{\"key\":\"jira\"}," TAGS "}");
}

/* ---- the documented sample ---- */

static char *read_sample(void)
{
    Buffer buffer = BUFFER_INIT(4096);
    char *text;

    assert_int_equal(file_read(AT_FDCWD, "tests/data/instance.json", &buffer, NULL), 0);
    text = strndup(buffer_data(&buffer), buffer_size(&buffer));
    buffer_deinit(&buffer);
    assert_non_null(text);
    return text;
}

/* As it stands in the platform's documentation. */
static void test_sample(void **state)
{
    _cleanup_(freep) char *text = read_sample();
    _cleanup_(instance_freep) Instance *instance = parse_mode(
        text, true,
        "i.json:6:22: placeholder <INSERT_JIRA_USERNAME> is left in: replace it by the value\n"
        "i.json:7:22: placeholder <INSERT_JIRA_PASSWORD> is left in: replace it by the value\n"
        "i.json:8:21: placeholder <INSERT_JIRA_SUBDOMAIN_URL> is left in: replace it by the value\n"
        "i.json:11:5: placeholder <INSERT_TAGS> is left in: replace it by the value\n"
        "i.json:13:11: placeholder <INSERT_INSTANCE_NAME> is left in: replace it by the value\n");

    (void)state;
    assert_string_equal(instance->element, "jira");
    assert_string_equal(
        instance->problem,
        "i.json:6:22: placeholder <INSERT_JIRA_USERNAME> is left in: replace it by the value");
}

/* With all that stands in angle brackets replaced by "x". */
static void test_sample_filled_in(void **state)
{
    _cleanup_(freep) char *text = read_sample();
    char *to = text;

    (void)state;
    for (const char *from = text; *from; from++) {
        if (*from == '<') {
            *to++ = 'x';
            from = strchr(from, '>');
        } else {
            *to++ = *from;
        }
    }
    *to = '\0';
    assert_body(text, "{\"element\":{\"key\":\"jira\"},"
                      "\"configuration\":{\"jira.username\":\"x\",\"jira.password\":\"x\","
                      "\"jira.api.url\":\"x\"},"
                      "\"tags\":[\"x\",\"elementd.me\",\"elementd.me.i\"],\"name\":\"x\"}");
}

/* ---- the body ---- */

/* Order, digits and unknown keys stay; comments and `elementd` go. */
static void test_body_as_written(void **state)
{
    (void)state;
    assert_body(
        "{ // ours\n\"z\": [1.10, 1e3, 12345678901234567890, -0.0, 1E+2, {\"elementd\": null}],\n"
        "\"elementd\": {},\n" ELEMENT ", /* c */ \"name\": \"\\u00e9 \\\" \\\\ / \\n\",\n"
        "\"configuration\": {\"b\": true, \"a\": null, \"n\": 2.50, \"s\": \"\", \"jira.x\": false},\n"
        "\"tags\": [\"b\", \"a\", \"b\"], \"a\": {}, \"e\": [], \"retrieveObjects\": false}",
        "{\"z\":[1.10,1e3,12345678901234567890,-0.0,1E+2,{\"elementd\":null}],"
        "\"element\":{\"key\":\"jira\"},\"name\":\"\xC3\xA9 \\\" \\\\ / \\n\","
        "\"configuration\":{\"b\":true,\"a\":null,\"n\":2.50,\"s\":\"\",\"jira.x\":false},"
        "\"tags\":[\"b\",\"a\",\"b\",\"elementd.me\",\"elementd.me.i\"],\"a\":{},\"e\":[],"
        "\"retrieveObjects\":false}");
}

/* Nothing of what an element needs is known here. */
static void test_body_is_open(void **state)
{
    (void)state;
    assert_body("{\"element\": {\"id\": 5, \"key\": \"no-such-element\", \"x\": [1]}, \"tags\": [],"
                "\"providerData\": {\"code\": \"c\"}}",
                "{\"element\":{\"id\":5,\"key\":\"no-such-element\",\"x\":[1]},"
                "\"tags\":[\"elementd.me\",\"elementd.me.i\"],\"providerData\":{\"code\":\"c\"}}");
}

static void test_body_references(void **state)
{
    const Tree *tree = *state;

    tree_put(tree, "credentials/jira", "p\"\\\n\xC3\xA9\n", 0400);
    tree_put(tree, "credentials/tag", "t\n", 0400);
    tree_put(tree, "credentials/key", "jira\n", 0400);
    (void)setenv("CREDENTIALS_DIRECTORY", tree_path(tree, "credentials"), 1);
    assert_body(
        "{\"element\": {\"key\": \"${credential:key}\"}, \"name\": \"$$1\",\n"
        "\"configuration\": {\"p\": \"<${credential:jira}>\", \"$k\": \"v\"},\n"
        "\"tags\": [\"${credential:tag}\"], \"deep\": [{\"x\": [\"${credential:tag}$$\"]}],\n"
        "\"elementd\": {\"allow\": [\"unit:$a${credential:none}\"]}}",
        "{\"element\":{\"key\":\"jira\"},\"name\":\"$1\","
        "\"configuration\":{\"p\":\"<p\\\"\\\\\\n\xC3\xA9>\",\"$k\":\"v\"},"
        "\"tags\":[\"t\",\"elementd.me\",\"elementd.me.i\"],\"deep\":[{\"x\":[\"t$\"]}]}");
    (void)unsetenv("CREDENTIALS_DIRECTORY");
}

typedef struct Row {
    const char *text;
    const char *told;
} Row;

static void assert_rows(const Row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        _cleanup_(instance_freep) Instance *instance = parse(rows[i].text, rows[i].told);

        assert_non_null(instance->problem);
        assert_string_equal(instance->account_name, "default");
    }
}

static void test_body_broken(void **state)
{
#define NO_KEY  "\"element.key\" must be the key of an element, such as \"jira\"\n"
#define OUR_TAG "tags that begin with \"elementd.\" are added by elementd itself\n"
    static const Row rows[] = {
        {"{}", "i.json:1:1: \"element\" is missing\n"},
        {"{\"element\": \"" CANARY "\"}",
         "i.json:1:13: \"element\" must be an object, but is a string\n"},
        {"{\"element\": {}}", "i.json:1:13: \"element.key\" is missing\n"},
        {"{\"element\": {\"key\": 5}}",
         "i.json:1:21: \"element.key\" must be a string, but is a number\n"},
        {"{\"element\": {\"key\": \"\"}}", "i.json:1:21: " NO_KEY},
        {"{\"element\": {\"key\": \"a\\u0000b\"}}", "i.json:1:21: " NO_KEY},
        {"{\"element\": {\"key\": \"<INSERT_KEY>\"}}",
         "i.json:1:21: placeholder <INSERT_KEY> is left in: replace it by the value\n"},
        {"{\"element\": {\"key\": \"$" CANARY "\"}}",
         "i.json:1:21: \"$\" begins a reference: write \"$$\" for a dollar sign\n"},
        {"{" ELEMENT ",\n\"name\": 5,\n\"tags\": \"" CANARY "\",\n\"configuration\": []}",
         "i.json:2:9: \"name\" must be a string, but is a number\n"
         "i.json:3:9: \"tags\" must be an array, but is a string\n"
         "i.json:4:18: \"configuration\" must be an object, but is an array\n"},
        {"{" ELEMENT ",\n\"tags\": [\"a\", 5, null],\n"
         "\"configuration\": {\"a\": [], \"b\": {\"c\": \"" CANARY "\"}}}",
         "i.json:2:15: \"tags\" must hold strings, but this is a number\n"
         "i.json:2:18: \"tags\" must hold strings, but this is null\n"
         "i.json:3:24: \"a\" in \"configuration\" must be a string, boolean, number or null, but is an "
         "array\n"
         "i.json:3:33: \"b\" in \"configuration\" must be a string, boolean, number or null, but is an "
         "object\n"},
        {"{" ELEMENT ",\n\"tags\": [\"elementd.me\", \"elementd\", \"elementd.\", \"Elementd.x\"]}",
         "i.json:2:10: " OUR_TAG "i.json:2:37: " OUR_TAG},
        {"{" ELEMENT ",\n\"configuration\": {\"a\": \"1\", \"a\": \"" CANARY "\"}, \"name\": \"\", "
         "\"name\": \"\"}",
         "i.json:2:29: duplicate key \"a\": it stands already at 2:19\n"
         "i.json:2:64: duplicate key \"name\": it stands already at 2:52\n"},
        /* Curly quotes, as pasted from a web page. */
        {"{" ELEMENT ",\n\"configuration\": {“a”: \"" CANARY "\"}}",
         "i.json:2:19: left curly quote U+201C: use the straight quote \"\n"},
        {"{" ELEMENT ",\n\"configuration\": {\"a\": \"" CANARY "\",}}",
         "i.json:2:40: invalid object key (must be a string)\n"},
        {"[\"" CANARY "\"]", "i.json:1:1: the document must be an object, but is an array\n"},
    };

    (void)state;
    assert_rows(rows, N_ELEMENTS(rows));
#undef NO_KEY
#undef OUR_TAG
}

static void test_tag_by_reference(void **state)
{
    const Tree *tree = *state;

    tree_put(tree, "credentials/tag", "elementd.other\n", 0400);
    (void)setenv("CREDENTIALS_DIRECTORY", tree_path(tree, "credentials"), 1);
    instance_free(
        parse("{" ELEMENT ", \"tags\": [\"${credential:tag}\"]}",
              "i.json:1:39: tags that begin with \"elementd.\" are added by elementd itself\n"));
    (void)unsetenv("CREDENTIALS_DIRECTORY");
}

/* What a file becomes: as large as may be, and larger by a byte. */
static void test_body_limit(void **state)
{
    const Tree *tree = *state;
    _cleanup_(freep) char *part = malloc(REFERENCE_BYTES_MAX);
    size_t size = strlen("{\"element\":{\"key\":\"jira\"},\"x\":\"\"," TAGS "}");
    char text[1024];

    assert_non_null(part);
    memset(part, 'x', REFERENCE_BYTES_MAX);
    tree_put_bytes(tree, "full", part, REFERENCE_BYTES_MAX, 0600);
    for (int i = 0; i < 2; i++) {
        /* 15 of the largest references, and one that fills up the rest. */
        size_t rest = BODY_BYTES_MAX - size - 15 * (size_t)REFERENCE_BYTES_MAX + (size_t)i;
        _cleanup_(instance_freep) Instance *instance = NULL;
        int n;

        tree_put_bytes(tree, "rest", part, rest, 0600);
        n = snprintf(text, sizeof(text), "{" ELEMENT ",\"x\":\"");
        for (int k = 0; k < 15; k++)
            n += snprintf(text + n, sizeof(text) - (size_t)n, "${file:%s/full}", tree->path);
        assert_true((size_t)n < sizeof(text));
        (void)snprintf(text + n, sizeof(text) - (size_t)n, "${file:%s/rest}\"}", tree->path);
        instance = parse(text, i == 0
                                   ? ""
                                   : "i.json:1:1: the body is larger than 1048576 bytes with its "
                                     "references replaced\n");
        assert_int_equal(secret_size(instance->body), i == 0 ? BODY_BYTES_MAX : 0);
    }
    /* Above the ceiling already before it is written. */
    tree_put_bytes(tree, "rest", part, REFERENCE_BYTES_MAX, 0600);
    {
        int n = snprintf(text, sizeof(text), "{" ELEMENT ",\"x\":[\"a\",\n\"");

        for (int k = 0; k < 16; k++)
            n += snprintf(text + n, sizeof(text) - (size_t)n, "${file:%s/full}", tree->path);
        (void)snprintf(text + n, sizeof(text) - (size_t)n, "\", \"$$\"]}");
    }
    {
        char *dollar = strstr(text, "\", \"$$\"]}");
        _cleanup_(instance_freep) Instance *instance = NULL;
        char told[128];

        (void)snprintf(told, sizeof(told),
                       "i.json:2:%zu: larger than 1048576 bytes with its references replaced\n",
                       (size_t)(dollar - strchr(text, '\n')) + 3);
        instance = parse(text, told);
    }
}

/* ---- secrets in plain text ---- */

static void test_plain_secrets(void **state)
{
#define PLAIN                                                                                      \
    "\" looks like a secret in plain text in a file that everyone may read: use "                  \
    "${credential:NAME}, or chmod 0640 the file\n"
    static const char *const secret_keys[] = {
        "jira.password", "oauth.api.key", "oauth.api.secret", "api_key",       "apikey",
        "APIKey",        "clientSecret",  "token_id",         "api-token",     "private.key",
        "consumer_key",  "credentials",   "signature.key",    "User.PassWord",
    };
    static const char *const plain_keys[] = {
        "username", "jira.api.url", "subdomain", "event.notification.enabled",
        "keyboard", "scope",        "k",
    };
    char text[256], told[256];

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(secret_keys); i++) {
        _cleanup_(instance_freep) Instance *open = NULL, *closed = NULL;

        (void)snprintf(text, sizeof(text),
                       "{" ELEMENT ", \"configuration\": {\n\"%s\":\n\"" CANARY "\"}}",
                       secret_keys[i]);
        (void)snprintf(told, sizeof(told), "i.json:3:1: warning: \"%s" PLAIN, secret_keys[i]);
        open = parse_mode(text, true, told);
        closed = parse_mode(text, false, "");
        assert_null(open->problem);
        assert_non_null(open->body);
    }
    for (size_t i = 0; i < N_ELEMENTS(plain_keys); i++) {
        (void)snprintf(text, sizeof(text), "{" ELEMENT ", \"configuration\": {\"%s\": \"x\"}}",
                       plain_keys[i]);
        instance_free(parse_mode(text, true, ""));
    }
    /* Neither empty, nor a number, nor outside of `configuration`. */
    instance_free(parse_mode("{" ELEMENT ", \"password\": \"x\", \"configuration\": "
                             "{\"password\": \"\", \"token\": 5, \"secret\": null}}",
                             true, ""));
    /* A dollar by "$$" is as plain as any. */
    instance_free(parse_mode("{" ELEMENT ", \"configuration\": {\n\"password\": \"a$$b\"}}", true,
                             "i.json:2:13: warning: \"password" PLAIN));
#undef PLAIN
}

static void test_referenced_secrets(void **state)
{
    const Tree *tree = *state;
    char text[512], told[512];

    tree_put(tree, "open", CANARY, 0644);
    (void)snprintf(text, sizeof(text),
                   "{" ELEMENT
                   ", \"name\": \"${file:%s/open}\", \"configuration\": {\n\"password\": "
                   "\"${file:%s/open}\"}}",
                   tree->path, tree->path);
    (void)snprintf(
        told, sizeof(told),
        "i.json:2:13: warning: ${file:%s/open}: everyone may read this secret: chmod 0640 the "
        "file\n",
        tree->path);
    instance_free(parse_mode(text, true, told));
}

/* ---- elementd ---- */

static void test_ours_broken(void **state)
{
    static const Row rows[] = {
        {"{" ELEMENT ", \"elementd\": \"" CANARY "\"}",
         "i.json:1:42: \"elementd\" must be an object, but is a string\n"},
        {"{" ELEMENT ", \"elementd\": {\"on-remove\": \"" CANARY "\"}}",
         "i.json:1:56: \"elementd.on-remove\" must be \"keep\" or \"delete\"\n"},
        {"{" ELEMENT ",\n\"elementd\": {\"allow\": \"any\", \"acount\": \"" CANARY
         "\", \"on-remove\": 1,"
         " \"x\": 2}}",
         "i.json:2:23: \"elementd.allow\" must be an array, but is a string\n"
         "i.json:2:30: unknown key \"elementd.acount\"; did you mean \"elementd.account\"?\n"
         "i.json:2:70: \"elementd.on-remove\" must be a string, but is a number\n"
         "i.json:2:73: unknown key \"elementd.x\"; there are \"elementd.account\", \"elementd.allow\", "
         "\"elementd.allow-authorization\", \"elementd.on-remove\"\n"},
        {"{" ELEMENT ",\n\"elementd\": {\"account\": \"a\\u0000\"}}",
         "i.json:2:25: \"elementd.account\" must not hold a NUL character\n"},
        {"{" ELEMENT ",\n\"elementd\": {\"account\": \"<INSERT_ACCOUNT>\"}}",
         "i.json:2:25: placeholder <INSERT_ACCOUNT> is left in: replace it by the value\n"},
    };

    (void)state;
    assert_rows(rows, N_ELEMENTS(rows));
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
        {"{" ELEMENT ", \"elementd\": {\"on-remove\": \"keep\"}}", "", "unit:a.service", ""},
        {"{" ELEMENT ", \"name\": 5}", "i.json:1:38: \"name\" must be a string, but is a number\n",
         "unit:a.service", ""},
        /* Said: the file's list alone, also when it is empty or something else is broken. */
        {"{" ELEMENT ", \"elementd\": {\"allow\": []}}", "", "", ""},
        {"{\"elementd\": {\"allow\": [\"user:0\"]}}", "i.json:1:1: \"element\" is missing\n",
         "user:0", ""},
        {"{" ELEMENT ", \"elementd\": {\"allow\": [\"any\"], \"account\": 5}}",
         "i.json:1:72: \"elementd.account\" must be a string, but is a number\n", "any", ""},
        /* A broken list is empty, and the other one is not. */
        {"{" ELEMENT ", \"elementd\": {\"allow\": [\"any\", \"" CANARY "\"], "
         "\"allow-authorization\": [\"user:0\"]}}",
         "i.json:1:60: " FORMS, "", "user:0"},
        {"{" ELEMENT ", \"elementd\": {\"allow\": 5}}",
         "i.json:1:52: \"elementd.allow\" must be an array, but is a number\n", "", ""},
        {"{" ELEMENT ", \"elementd\": {\"allow\": [\"user:0\"], \"allow\": [\"any\"]}}",
         "i.json:1:64: duplicate key \"allow\": it stands already at 1:43\n", "", ""},
        /* Not silent, though no list can be made out. */
        {"{" ELEMENT ", \"elementd\": {\"alow\": [\"user:0\"]}}",
         "i.json:1:43: unknown key \"elementd.alow\"; did you mean \"elementd.allow\"?\n", "", ""},
        {"{" ELEMENT ", \"elementd\": []}",
         "i.json:1:42: \"elementd\" must be an object, but is an array\n", "", ""},
        {"{" ELEMENT ", \"elementd\": {\"allow\": [\"user:0\"}}",
         "i.json:1:61: after array element, I expect ',' or ']'\n", "", ""},
        {"{" ELEMENT ", \"elementd\": {}, \"elementd\": {\"allow\": [\"user:0\"]}}",
         "i.json:1:46: duplicate key \"elementd\": it stands already at 1:30\n", "", ""},
        {"{" ELEMENT ", \"elemented\": {\"allow\": [\"user:0\"]}}",
         "i.json:1:30: unknown key \"elemented\"; did you mean \"elementd\"?\n", "", ""},
        /* An entry for someone who does not exist stays, and lets in nobody. */
        {"{" ELEMENT ", \"elementd\": {\"allow\": [\"user:no-such-user\"]}}",
         "i.json:1:53: warning: no such user or group: the entry lets in nobody until there is one and the "
         "configuration is loaded again\n",
         "user:no-such-user", ""},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        _cleanup_(instance_freep) Instance *instance = parse(rows[i].text, rows[i].told);

        assert_acl(&instance->allow, rows[i].allow);
        assert_acl(&instance->allow_authorization, rows[i].allow_authorization);
    }
#undef FORMS
}

/* `elementd` misspelled would be sent away with its lists; other unknown keys are the platform's. */
static void test_misspelled(void **state)
{
    static const Row rows[] = {
        {"{" ELEMENT ", \"elementD\": {\"on-remove\": \"delete\"}}",
         "i.json:1:30: unknown key \"elementD\"; did you mean \"elementd\"?\n"},
        {"{" ELEMENT ", \"elements\": {\"account\": \"eu\"}}",
         "i.json:1:30: unknown key \"elements\"; did you mean \"elementd\"?\n"},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        instance_free(parse(rows[i].text, rows[i].told));
    instance_free(parse("{" ELEMENT ", \"elements\": {\"x\": 1, \"allow\": []}}", ""));
    instance_free(parse("{" ELEMENT ", \"elements\": {}, \"elementD\": 5}", ""));
}

/* ---- accounts, owner ---- */

static void test_no_account(void **state)
{
    _cleanup_(instance_freep) Instance *other = NULL, *silent = NULL, *none = NULL;
    Context context;

    (void)state;
    context_init(&context);
    other = parse_with(
        &context, "{" ELEMENT ",\n\"elementd\": {\"account\": \"" CANARY "\"}}", false,
        "i.json:2:25: there is no such account; accounts.d declares \"default\", \"eu\"\n");
    assert_string_equal(other->account_name, CANARY);
    assert_null(other->account);

    context.context.accounts = accounts + 1;
    context.context.n_accounts = 1;
    silent = parse_with(&context, "\n{" ELEMENT "}", false,
                        "i.json:1:1: there is no account \"default\", which is used when "
                        "\"elementd.account\" is not set; accounts.d declares \"eu\"\n");
    assert_string_equal(silent->account_name, "default");
    assert_null(silent->account);

    context.context.n_accounts = 0;
    none = parse_with(&context, "{" ELEMENT ",\n\"elementd\": {\"account\": \"eu\"}}", false,
                      "i.json:2:25: there is no such account; accounts.d declares none\n");
    assert_null(none->account);
    acl_deinit(&context.settings.allow);
}

/* The names of many accounts do not fit a message. */
static void test_many_accounts(void **state)
{
    Account many[64] = {};
    Account *pointers[64];
    char names[64][16];
    _cleanup_(instance_freep) Instance *instance = NULL;
    Context context;

    (void)state;
    for (size_t i = 0; i < 64; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "account-%02zu", i);
        many[i].name = names[i];
        pointers[i] = &many[i];
    }
    context_init(&context);
    context.context.accounts = pointers;
    context.context.n_accounts = 64;
    instance = parse_with(
        &context, "{" ELEMENT ",\n\"elementd\": {\"account\": \"x\"}}", false,
        "i.json:2:25: there is no such account; accounts.d declares \"account-00\", \"account-01\", "
        "\"account-02\", \"account-03\", \"account-04\", \"account-05\", \"account-06\", \"account-07\", "
        "\"account-08\", \"account-09\", \"account-10\", \"account-11\", \"account-12\", \"account-13\", "
        "\"account-14\", \"account-15\", \"account-16\", \"account-17\", …\n");
    acl_deinit(&context.settings.allow);
}

/* A broken account is told of once, with its own file; but whoever uses it has a problem. */
static void test_broken_account(void **state)
{
    Account broken = {.name = (char *)"default", .problem = (char *)"default.json:2:3: bad"};
    Account *const all[] = {&broken};
    _cleanup_(instance_freep) Instance *instance = NULL, *also = NULL;
    Context context;

    (void)state;
    context_init(&context);
    context.context.accounts = all;
    context.context.n_accounts = 1;
    instance = parse_with(&context, "{" ELEMENT "}", false, "");
    assert_string_equal(instance->problem,
                        "the account \"default\" cannot be used: default.json:2:3: bad");
    assert_ptr_equal(instance->account, &broken);
    also = parse_with(&context, "{}", false, "i.json:1:1: \"element\" is missing\n");
    assert_string_equal(also->problem, "i.json:1:1: \"element\" is missing");
    acl_deinit(&context.settings.allow);
}

static void test_no_owner(void **state)
{
    _cleanup_(instance_freep) Instance *instance = NULL;
    Context context;

    (void)state;
    context_init(&context);
    context.settings.owner = NULL;
    context.settings.problem = (char *)"elementd.json:1:1: bad";
    instance = parse_with(&context, "{" ELEMENT "}", false, "");
    assert_null(instance->body);
    assert_string_equal(instance->problem, "the settings cannot be used: elementd.json:1:1: bad");
    acl_deinit(&context.settings.allow);
}

/* ---- digests ---- */

#define DIGEST_BASE                                                                                \
    "{\"element\": {\"key\": \"jira\"}, \"configuration\": {\"a\": \"1\", \"b\": 2}, "             \
    "\"tags\": [\"x\"], \"name\": \"n\"}"

typedef struct DigestRow {
    const char *text;
    bool is_label_same;
    bool is_body_same;
} DigestRow;

static void test_digests(void **state)
{
    static const DigestRow rows[] = {
        {DIGEST_BASE, true, true},
        /* Layout, comments, escapes and our key do not matter. */
        {"{//c\n\"element\":{\"key\":\"j\\u0069ra\"},\"configuration\":{\"a\":\"1\",\"b\":2},"
         "\"tags\":[ \"x\" ],\n\"name\":\"n\", \"elementd\": {\"on-remove\": \"delete\"}}",
         true, true},
        /* Nor does where labels stand among the rest. */
        {"{\"tags\": [\"x\"], \"element\": {\"key\": \"jira\"}, \"name\": \"n\", "
         "\"configuration\": {\"a\": \"1\", \"b\": 2}}",
         true, true},
        {"{\"element\": {\"key\": \"jira\"}, \"configuration\": {\"a\": \"1\", \"b\": 2}, "
         "\"tags\": [\"x\"], \"name\": \"m\"}",
         false, true},
        {"{\"element\": {\"key\": \"jira\"}, \"configuration\": {\"a\": \"1\", \"b\": 2}, "
         "\"tags\": [\"x\", \"y\"], \"name\": \"n\"}",
         false, true},
        {"{\"element\": {\"key\": \"jira\"}, \"configuration\": {\"a\": \"1\", \"b\": 2}, "
         "\"name\": \"n\"}",
         false, true},
        {"{\"element\": {\"key\": \"jira\"}, \"configuration\": {\"a\": \"2\", \"b\": 2}, "
         "\"tags\": [\"x\"], \"name\": \"n\"}",
         true, false},
        {"{\"element\": {\"key\": \"jira\"}, \"configuration\": {\"a\": \"1\", \"b\": 2.0}, "
         "\"tags\": [\"x\"], \"name\": \"n\"}",
         true, false},
        {"{\"element\": {\"key\": \"jirb\"}, \"configuration\": {\"a\": \"1\", \"b\": 2}, "
         "\"tags\": [\"x\"], \"name\": \"n\"}",
         true, false},
        {"{\"element\": {\"key\": \"jira\", \"id\": 1}, \"configuration\": {\"a\": \"1\", \"b\": 2}, "
         "\"tags\": [\"x\"], \"name\": \"n\"}",
         true, false},
        {"{\"element\": {\"key\": \"jira\"}, \"configuration\": {\"a\": \"1\", \"b\": 2}, "
         "\"tags\": [\"x\"], \"name\": \"n\", \"more\": null}",
         true, false},
    };
    _cleanup_(instance_freep) Instance *base = parse(DIGEST_BASE, "");
    static const Digest zero;

    (void)state;
    assert_false(digest_equal(&base->labels_digest, &zero));
    assert_false(digest_equal(&base->body_digest, &zero));
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        _cleanup_(instance_freep) Instance *instance = parse(rows[i].text, "");

        assert_int_equal(digest_equal(&instance->labels_digest, &base->labels_digest),
                         rows[i].is_label_same);
        assert_int_equal(digest_equal(&instance->body_digest, &base->body_digest),
                         rows[i].is_body_same);
    }
}

/* They depend on the key, and on what references hold; not on the owner, which has a tag of its own. */
static void test_digest_of_references(void **state)
{
    const Tree *tree = *state;
    static const DigestKey other_key = {.bytes = {9}};
    Digest seen[3];
    Context context;

    context_init(&context);
    (void)setenv("CREDENTIALS_DIRECTORY", tree_path(tree, "credentials"), 1);
    for (size_t i = 0; i < N_ELEMENTS(seen); i++) {
        _cleanup_(instance_freep) Instance *instance = NULL;

        tree_put(tree, "credentials/p", i == 1 ? "two" : "one", 0600);
        context.settings.owner = (char *)(i == 2 ? "you" : "me");
        instance = parse_with(
            &context, "{" ELEMENT ", \"configuration\": {\"p\": \"${credential:p}\"}}", false, "");
        seen[i] = instance->body_digest;
    }
    assert_false(digest_equal(&seen[0], &seen[1]));
    assert_true(digest_equal(&seen[0], &seen[2]));
    context.context.key = &other_key;
    {
        _cleanup_(instance_freep) Instance *instance = parse_with(
            &context, "{" ELEMENT ", \"configuration\": {\"p\": \"${credential:p}\"}}", false, "");

        assert_false(digest_equal(&seen[0], &instance->body_digest));
    }
    (void)unsetenv("CREDENTIALS_DIRECTORY");
    acl_deinit(&context.settings.allow);
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

#define test(name) cmocka_unit_test_setup_teardown(name, tree_setup, tree_teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        test(test_smallest),
        test(test_ours),
        test(test_sample),
        test(test_sample_filled_in),
        test(test_body_as_written),
        test(test_body_is_open),
        test(test_body_references),
        test(test_body_broken),
        test(test_tag_by_reference),
        test(test_body_limit),
        test(test_plain_secrets),
        test(test_referenced_secrets),
        test(test_ours_broken),
        test(test_allow),
        test(test_misspelled),
        test(test_no_account),
        test(test_many_accounts),
        test(test_broken_account),
        test(test_no_owner),
        test(test_digests),
        test(test_digest_of_references),
        test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
