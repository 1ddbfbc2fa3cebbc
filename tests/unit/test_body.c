#include "config/body.h"

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
#include "tests/unit/parsed.h"
#include "tests/unit/tree.h"

/* Asserts the body that a file makes, and that nothing is told. */
static void assert_body(const char *text, const char *body)
{
    _cleanup_(instance_freep) Instance *instance = parsed(text, "");
    _cleanup_(secret_unrefp) Secret *made = parsed_body(text);

    assert_null(instance->problem);
    assert_string_equal(secret_reveal(made), body);
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
    _cleanup_(instance_freep) Instance *instance = parsed_mode(
        text, true,
        "i.json:6:22: placeholder <INSERT_JIRA_USERNAME> is left in: replace it by the value\n"
        "i.json:7:22: placeholder <INSERT_JIRA_PASSWORD> is left in: replace it by the value\n"
        "i.json:8:21: placeholder <INSERT_JIRA_SUBDOMAIN_URL> is left in: replace it by the value\n"
        "i.json:11:5: placeholder <INSERT_TAGS> is left in: replace it by the value\n"
        "i.json:13:11: placeholder <INSERT_INSTANCE_NAME> is left in: replace it by the value\n");

    (void)state;
    assert_string_equal(instance->terms->element, "jira");
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
        "\"elementd\": {},\n" PARSED_ELEMENT ", /* c */ \"name\": \"\\u00e9 \\\" \\\\ / \\n\",\n"
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
        "{\"element\": {\"key\": \"jira\"}, \"name\": \"$$1\",\n"
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
        _cleanup_(instance_freep) Instance *instance = parsed(rows[i].text, rows[i].told);

        assert_non_null(instance->problem);
        assert_string_equal(instance->terms->account, "default");
    }
}

static void test_body_broken(void **state)
{
#define NO_KEY  "\"element.key\" must be the key of an element, such as \"jira\"\n"
#define OUR_TAG "tags that begin with \"elementd.\" are added by elementd itself\n"
    static const Row rows[] = {
        {"{}", "i.json:1:1: \"element\" is missing\n"},
        {"{\"element\": \"" PARSED_CANARY "\"}",
         "i.json:1:13: \"element\" must be an object, but is a string\n"},
        {"{\"element\": {}}", "i.json:1:13: \"element.key\" is missing\n"},
        {"{\"element\": {\"key\": 5}}",
         "i.json:1:21: \"element.key\" must be a string, but is a number\n"},
        {"{\"element\": {\"key\": \"\"}}", "i.json:1:21: " NO_KEY},
        {"{\"element\": {\"key\": \"a\\u0000b\"}}", "i.json:1:21: " NO_KEY},
        {"{\"element\": {\"key\": \"<INSERT_KEY>\"}}",
         "i.json:1:21: placeholder <INSERT_KEY> is left in: replace it by the value\n"},
        /* An element's name is shown to everybody, so it must not come out of a secret. */
        {"{\"element\": {\"key\": \"$$jira\"}}",
         "i.json:1:21: references are not replaced in \"element.key\"\n"},
        {"{\"element\": {\"key\": \"$" PARSED_CANARY "\"}}",
         "i.json:1:21: references are not replaced in \"element.key\"\n"
         "i.json:1:21: \"$\" begins a reference: write \"$$\" for a dollar sign\n"},
        {"{" PARSED_ELEMENT ",\n\"name\": 5,\n\"tags\": \"" PARSED_CANARY
         "\",\n\"configuration\": []}",
         "i.json:2:9: \"name\" must be a string, but is a number\n"
         "i.json:3:9: \"tags\" must be an array, but is a string\n"
         "i.json:4:18: \"configuration\" must be an object, but is an array\n"},
        {"{" PARSED_ELEMENT ",\n\"tags\": [\"a\", 5, null],\n"
         "\"configuration\": {\"a\": [], \"b\": {\"c\": \"" PARSED_CANARY "\"}}}",
         "i.json:2:15: \"tags\" must hold strings, but this is a number\n"
         "i.json:2:18: \"tags\" must hold strings, but this is null\n"
         "i.json:3:24: \"a\" in \"configuration\" must be a string, boolean, number or null, but is an "
         "array\n"
         "i.json:3:33: \"b\" in \"configuration\" must be a string, boolean, number or null, but is an "
         "object\n"},
        {"{" PARSED_ELEMENT
         ",\n\"tags\": [\"elementd.me\", \"elementd\", \"elementd.\", \"Elementd.x\"]}",
         "i.json:2:10: " OUR_TAG "i.json:2:37: " OUR_TAG},
        {"{" PARSED_ELEMENT ",\n\"configuration\": {\"a\": \"1\", \"a\": \"" PARSED_CANARY
         "\"}, \"name\": \"\", "
         "\"name\": \"\"}",
         "i.json:2:29: duplicate key \"a\": it stands already at 2:19\n"
         "i.json:2:64: duplicate key \"name\": it stands already at 2:52\n"},
        /* Curly quotes, as pasted from a web page. */
        {"{" PARSED_ELEMENT ",\n\"configuration\": {“a”: \"" PARSED_CANARY "\"}}",
         "i.json:2:19: left curly quote U+201C: use the straight quote \"\n"},
        {"{" PARSED_ELEMENT ",\n\"configuration\": {\"a\": \"" PARSED_CANARY "\",}}",
         "i.json:2:40: invalid object key (must be a string)\n"},
        {"[\"" PARSED_CANARY "\"]",
         "i.json:1:1: the document must be an object, but is an array\n"},
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
        parsed("{" PARSED_ELEMENT ", \"tags\": [\"${credential:tag}\"]}",
               "i.json:1:39: tags that begin with \"elementd.\" are added by elementd itself\n"));
    (void)unsetenv("CREDENTIALS_DIRECTORY");
}

/* What a file becomes: as large as may be, and larger by a byte. */
static void test_body_limit(void **state)
{
    const Tree *tree = *state;
    _cleanup_(freep) char *part = malloc(REFERENCE_BYTES_MAX);
    size_t size = strlen("{\"element\":{\"key\":\"jira\"},\"x\":\"\"," PARSED_TAGS "}");
    char text[1024];

    assert_non_null(part);
    memset(part, 'x', REFERENCE_BYTES_MAX);
    tree_put_bytes(tree, "full", part, REFERENCE_BYTES_MAX, 0600);
    for (int i = 0; i < 2; i++) {
        /* 15 of the largest references, and one that fills up the rest. */
        size_t rest = BODY_BYTES_MAX - size - 15 * (size_t)REFERENCE_BYTES_MAX + (size_t)i;
        _cleanup_(instance_freep) Instance *instance = NULL;
        _cleanup_(secret_unrefp) Secret *body = NULL;
        int n;

        tree_put_bytes(tree, "rest", part, rest, 0600);
        n = snprintf(text, sizeof(text), "{" PARSED_ELEMENT ",\"x\":\"");
        for (int k = 0; k < 15; k++)
            n += snprintf(text + n, sizeof(text) - (size_t)n, "${file:%s/full}", tree->path);
        assert_true((size_t)n < sizeof(text));
        (void)snprintf(text + n, sizeof(text) - (size_t)n, "${file:%s/rest}\"}", tree->path);
        instance = parsed(text, i == 0
                                    ? ""
                                    : "i.json:1:1: the body is larger than 1048576 bytes with its "
                                      "references replaced\n");
        assert_int_equal(instance->has_body, i == 0);
        body = parsed_body(text);
        assert_int_equal(secret_size(body), i == 0 ? BODY_BYTES_MAX : 0);
    }
    /* Above the ceiling already before it is written. */
    tree_put_bytes(tree, "rest", part, REFERENCE_BYTES_MAX, 0600);
    {
        int n = snprintf(text, sizeof(text), "{" PARSED_ELEMENT ",\"x\":[\"a\",\n\"");

        for (int k = 0; k < 16; k++)
            n += snprintf(text + n, sizeof(text) - (size_t)n, "${file:%s/full}", tree->path);
        (void)snprintf(text + n, sizeof(text) - (size_t)n, "\", \"$$\"]}");
    }
    {
        char *dollar = strstr(text, "\", \"$$\"]}");
        char told[128];

        (void)snprintf(told, sizeof(told),
                       "i.json:2:%zu: larger than 1048576 bytes with its references replaced\n",
                       (size_t)(dollar - strchr(text, '\n')) + 3);
        instance_free(parsed(text, told));
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
        "APIKey",        "clientSecret",  "token_id",         "api-token",     "private.pem",
        "private.key",   "consumer_key",  "credentials",      "signature.key", "User.PassWord",
    };
    static const char *const plain_keys[] = {
        "username", "jira.api.url", "subdomain", "event.notification.enabled",
        "keyboard", "scope",        "k",
    };
    char text[256], told[256];

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(secret_keys); i++) {
        _cleanup_(instance_freep) Instance *open = NULL;

        (void)snprintf(text, sizeof(text),
                       "{" PARSED_ELEMENT ", \"configuration\": {\n\"%s\":\n\"" PARSED_CANARY
                       "\"}}",
                       secret_keys[i]);
        (void)snprintf(told, sizeof(told), "i.json:3:1: warning: \"%s" PLAIN, secret_keys[i]);
        open = parsed_mode(text, true, told);
        instance_free(parsed_mode(text, false, ""));
        assert_null(open->problem);
        assert_true(open->has_body);
    }
    for (size_t i = 0; i < N_ELEMENTS(plain_keys); i++) {
        (void)snprintf(text, sizeof(text),
                       "{" PARSED_ELEMENT ", \"configuration\": {\"%s\": \"x\"}}", plain_keys[i]);
        instance_free(parsed_mode(text, true, ""));
    }
    /* Neither empty, nor a number, nor outside of `configuration`. */
    instance_free(parsed_mode("{" PARSED_ELEMENT ", \"password\": \"x\", \"configuration\": "
                              "{\"password\": \"\", \"token\": 5, \"secret\": null}}",
                              true, ""));
    /* A dollar by "$$" is as plain as any. */
    instance_free(parsed_mode("{" PARSED_ELEMENT ", \"configuration\": {\n\"password\": \"a$$b\"}}",
                              true, "i.json:2:13: warning: \"password" PLAIN));
#undef PLAIN
}

static void test_referenced_secrets(void **state)
{
    const Tree *tree = *state;
    char text[512], told[512];

    tree_put(tree, "open", PARSED_CANARY, 0644);
    (void)snprintf(text, sizeof(text),
                   "{" PARSED_ELEMENT
                   ", \"name\": \"${file:%s/open}\", \"configuration\": {\n\"password\": "
                   "\"${file:%s/open}\"}}",
                   tree->path, tree->path);
    (void)snprintf(
        told, sizeof(told),
        "i.json:2:13: warning: ${file:%s/open}: everyone may read this secret: chmod 0640 the "
        "file\n",
        tree->path);
    instance_free(parsed_mode(text, true, told));
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
    _cleanup_(instance_freep) Instance *base = parsed(DIGEST_BASE, "");
    static const Digest zero;

    (void)state;
    assert_false(digest_equal(&base->labels_digest, &zero));
    assert_false(digest_equal(&base->body_digest, &zero));
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        _cleanup_(instance_freep) Instance *instance = parsed(rows[i].text, "");

        assert_int_equal(digest_equal(&instance->labels_digest, &base->labels_digest),
                         rows[i].is_label_same);
        assert_int_equal(digest_equal(&instance->body_digest, &base->body_digest),
                         rows[i].is_body_same);
    }
}

/* Records keep digests: another value for the same file would look like a changed file to every installation. */
static void test_digest_values(void **state)
{
    _cleanup_(instance_freep) Instance *instance = parsed(
        "{ // what is sent of it: see below\n\"name\": \"n\", \"element\": {\"key\": \"j\\u0069ra\"},"
        "\"elementd\": {\"on-remove\": \"delete\"}, \"configuration\":\n{\"a\": \"$$1 \\n\\/\\u00E9\","
        "\"b\": 2.50, \"c\": null, \"d\": true}, \"tags\": [\"x\"], \"z\": [1E3, {}]}",
        "");
    char hex[DIGEST_HEX_SIZE];

    (void)state;
    /*
     * By hashlib.blake2b(text.encode(), digest_size=16, key=bytes([1, 2, 3] + 29 * [0])).hexdigest() of
     * {"element":{"key":"jira"},"configuration":{"a":"$1 \n/\xC3\xA9","b":2.50,"c":null,"d":true},"z":[1E3,{}]}
     * and of {"name":"n","tags":["x","elementd.me","elementd.me.i"]}
     */
    digest_format(&instance->body_digest, hex);
    assert_string_equal(hex, "5d3658b822e8ea0f206456e84130c3d6");
    digest_format(&instance->labels_digest, hex);
    assert_string_equal(hex, "48a09f1981e93f099bd548b44ea6ab80");
}

/* That of the body depends on the key, and on what references hold; not on the owner, who is in the tags. */
static void test_digest_of_references(void **state)
{
    const Tree *tree = *state;
    static const DigestKey other_key = {.bytes = {9}};
    Digest seen[3];
    ParsedContext context;

    parsed_context_init(&context);
    (void)setenv("CREDENTIALS_DIRECTORY", tree_path(tree, "credentials"), 1);
    for (size_t i = 0; i < N_ELEMENTS(seen); i++) {
        _cleanup_(instance_freep) Instance *instance = NULL;

        tree_put(tree, "credentials/p", i == 1 ? "two" : "one", 0600);
        context.settings.owner = (char *)(i == 2 ? "you" : "me");
        instance = parsed_with(
            &context, "{" PARSED_ELEMENT ", \"configuration\": {\"p\": \"${credential:p}\"}}",
            false, "");
        seen[i] = instance->body_digest;
    }
    assert_false(digest_equal(&seen[0], &seen[1]));
    assert_true(digest_equal(&seen[0], &seen[2]));
    context.context.key = &other_key;
    {
        _cleanup_(instance_freep) Instance *instance = parsed_with(
            &context, "{" PARSED_ELEMENT ", \"configuration\": {\"p\": \"${credential:p}\"}}",
            false, "");

        assert_false(digest_equal(&seen[0], &instance->body_digest));
    }
    (void)unsetenv("CREDENTIALS_DIRECTORY");
    acl_deinit(&context.settings.allow);
}

/* The tags name the owner and the instance, so another of either is another digest of labels, and of those alone. */
static void test_digest_of_owner(void **state)
{
    _cleanup_(instance_freep) Instance *base = parsed(DIGEST_BASE, "");
    _cleanup_(instance_freep) Instance *other = NULL;
    ParsedContext context;

    (void)state;
    parsed_context_init(&context);
    context.settings.owner = (char *)"you";
    other = parsed_with(&context, DIGEST_BASE, false, "");
    assert_false(digest_equal(&base->labels_digest, &other->labels_digest));
    assert_true(digest_equal(&base->body_digest, &other->body_digest));
    acl_deinit(&context.settings.allow);
}

/* ---- labels ---- */

static void assert_labels(const char *text, const char *expected)
{
    _cleanup_(secret_unrefp) Secret *body = parsed_body(text), *labels = NULL;

    assert_int_equal(body_format_labels(body, &labels), 0);
    assert_string_equal(secret_reveal(labels), expected);
    assert_int_equal(secret_size(labels), strlen(expected));
}

/* Its name, when it has one, and all tags; nothing else, so that a PATCH changes nothing else. */
static void test_labels(void **state)
{
    (void)state;
    assert_labels("{" PARSED_ELEMENT "}", "{" PARSED_TAGS "}");
    assert_labels(DIGEST_BASE,
                  "{\"tags\":[\"x\",\"elementd.me\",\"elementd.me.i\"],\"name\":\"n\"}");
    assert_labels("{\"name\": \"\\u00e4 \\\"b\\\"\", " PARSED_ELEMENT
                  ", \"configuration\": {\"name\": \"no\", \"tags\": \"no\"}}",
                  "{\"name\":\"\xC3\xA4 \\\"b\\\"\"," PARSED_TAGS "}");
}

/* Nearly all of the largest body may be a name: what fits there fits here. */
static void test_labels_largest(void **state)
{
    static const char before[] = "{" PARSED_ELEMENT ", \"name\": \"", after[] = "\"}";
    size_t size = CONFIG_FILE_BYTES_MAX - 512;
    _cleanup_(freep) char *text = calloc(1, sizeof(before) + size + sizeof(after));
    _cleanup_(secret_unrefp) Secret *body = NULL, *labels = NULL;

    (void)state;
    assert_non_null(text);
    memcpy(text, before, sizeof(before) - 1);
    memset(text + sizeof(before) - 1, 'n', size);
    memcpy(text + sizeof(before) - 1 + size, after, sizeof(after));
    body = parsed_body(text);
    assert_int_equal(body_format_labels(body, &labels), 0);
    assert_int_equal(secret_size(labels), strlen("{\"name\":\"\"," PARSED_TAGS "}") + size);
}

#define test(name) cmocka_unit_test_setup_teardown(name, tree_setup, tree_teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
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
        test(test_digests),
        test(test_digest_values),
        test(test_digest_of_references),
        test(test_digest_of_owner),
        test(test_labels),
        test(test_labels_largest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
