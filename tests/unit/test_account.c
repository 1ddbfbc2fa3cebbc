#include "config/account.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "tests/unit/declared.h"
#include "tests/unit/told.h"
#include "tests/unit/tree.h"

/* What no message may hold. */
#define CANARY "s3cr3t-canary"

static Account *parse(const char *text, bool is_world_readable, const char *told)
{
    DocumentSource source = {
        .name = "a",
        .file = "a.json",
        .text = text,
        .size = strlen(text),
        .is_world_readable = is_world_readable,
    };
    Problems problems = {};
    Account *account = NULL;
    size_t n_errors;

    assert_int_equal(account_parse(&source, &problems, &account), 0);
    n_errors = problems.n_errors;
    told_assert_all(&problems, NULL, told);
    assert_string_equal(account->name, "a");
    assert_int_equal(account->problem != NULL, n_errors > 0);
    if (account->problem)
        assert_null(strstr(account->problem, CANARY));
    return account;
}

static void test_fine(void **state)
{
    _cleanup_(account_freep) Account *account = parse(
        "// ours\n{\"url\": \"https://a.example/api/\", \"user\": \"u$$1+/=\", \"organization\": \"o\"}",
        false, "");

    (void)state;
    assert_string_equal(account->url, "https://a.example/api");
    assert_string_equal(secret_reveal(account->user), "u$1+/=");
    assert_string_equal(secret_reveal(account->organization), "o");
    assert_null(account->ca_file);
}

static void test_references(void **state)
{
    const Tree *tree = *state;
    _cleanup_(account_freep) Account *account = NULL;
    char text[512];

    tree_put(tree, "credentials/user", "u-secret\n", 0400);
    tree_put(tree, "organization", "o-secret\n", 0640);
    (void)setenv("CREDENTIALS_DIRECTORY", tree_path(tree, "credentials"), 1);
    (void)snprintf(text, sizeof(text),
                   "{\"url\": \"https://a\", \"user\": \"${credential:user}\", "
                   "\"organization\": \"${file:%s/organization}\"}",
                   tree->path);
    account = parse(text, true, "");
    (void)unsetenv("CREDENTIALS_DIRECTORY");
    assert_string_equal(secret_reveal(account->user), "u-secret");
    assert_string_equal(secret_reveal(account->organization), "o-secret");
}

/* A literal secret that everyone may read is told of; the account is used. */
static void test_world_readable(void **state)
{
    _cleanup_(account_freep) Account *account = parse(
        "{\"url\": \"https://a\",\n\"user\": \"" CANARY "\",\n\"organization\": \"" CANARY "\"}",
        true,
        "a.json:2:9: warning: \"user\" is a secret in plain text in a file that everyone may read: use "
        "${credential:NAME}, or chmod 0640 the file\n"
        "a.json:3:17: warning: \"organization\" is a secret in plain text in a file that everyone may "
        "read: use ${credential:NAME}, or chmod 0640 the file\n");

    (void)state;
    assert_null(account->problem);
}

static void test_broken(void **state)
{
    static const char *const rows[][2] = {
        {"{}", "a.json:1:1: \"url\" is missing\n"
               "a.json:1:1: \"user\" is missing\n"
               "a.json:1:1: \"organization\" is missing\n"},
        {"{\"url\": \"http://" CANARY ".example\",\n\"user\": \"u\",\n\"organization\": 5,\n"
         "\"organisation\": \"" CANARY "\"}",
         "a.json:1:9: \"url\" must begin with https://, since secrets are sent to it (http:// only to "
         "localhost, 127.0.0.0/8 and [::1])\n"
         "a.json:3:17: \"organization\" must be a string, but is a number\n"
         "a.json:4:1: unknown key \"organisation\"; did you mean \"organization\"?\n"},
        {"{\"url\": \"https://a\\u0000" CANARY "\", \"user\": \"<INSERT_USER_SECRET>\",\n"
         "\"organization\": \"${env:" CANARY "}\"}",
         "a.json:1:9: \"url\" must not hold a NUL character\n"
         "a.json:1:49: placeholder <INSERT_USER_SECRET> is left in: replace it by the value\n"
         "a.json:2:17: ${env:…}: environment variables leak to children and logs, so there are only "
         "${credential:NAME} and ${file:/PATH}\n"},
        {"{\"url\": \"https://a\", \"user\": \"$" CANARY "\", \"organization\": \"${" CANARY "\"}",
         "a.json:1:30: \"$\" begins a reference: write \"$$\" for a dollar sign\n"
         "a.json:1:64: \"${\" without \"}\": write \"$$\" for a dollar sign\n"},
        {"{\"url\": \"https://a\", \"user\": \"" CANARY "\" \"organization\": \"o\"}",
         "a.json:1:46: after key and value, inside map, I expect ',' or '}'\n"},
        {"{\"url\": \"https://a\", \"user\": \"" CANARY "”}",
         "a.json:1:44: right curly quote U+201D: use the straight quote \"\n"},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        _cleanup_(account_freep) Account *account = parse(rows[i][0], false, rows[i][1]);

        assert_non_null(account->problem);
    }
}

static void test_bad_secrets(void **state)
{
#define BLANKS "has white space around it: remove the spaces and line ends before and after it"
#define ODD    "must not hold control characters, line ends or other than ASCII characters"
    static const char *const rows[][2] = {
        {"", "must not be empty"},
        {" " CANARY, BLANKS},
        {CANARY " ", BLANKS},
        {CANARY "\\n", BLANKS},
        {"\\t" CANARY, BLANKS},
        {CANARY "\\r", BLANKS},
        {"a,Element " CANARY,
         "must not hold a comma, which the Authorization header uses to separate "
         "secrets"},
        {"a\\r\\nX: " CANARY, ODD},
        {"a\\u0001" CANARY, ODD},
        {"a\\u007f" CANARY, ODD},
        {"a\\u00a0" CANARY, ODD},
        {CANARY "\\u200b", ODD},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        _cleanup_(account_freep) Account *account = NULL;
        char text[256], told[256];

        (void)snprintf(text, sizeof(text),
                       "{\"url\": \"https://a\",\n\"organization\": \"o\", \"user\": \"%s\"}",
                       rows[i][0]);
        (void)snprintf(told, sizeof(told), "a.json:2:30: \"user\" %s\n", rows[i][1]);
        account = parse(text, false, told);
        assert_null(account->user);
    }
#undef BLANKS
#undef ODD
}

/* The file's own newline is dropped, a second one is not. */
static void test_credential_with_blanks(void **state)
{
    const Tree *tree = *state;

    tree_put(tree, "credentials/user", CANARY "\n\n", 0400);
    (void)setenv("CREDENTIALS_DIRECTORY", tree_path(tree, "credentials"), 1);
    account_free(
        parse("{\"url\": \"https://a\", \"user\": \"${credential:user}\", \"organization\": \"o\"}",
              false,
              "a.json:1:30: \"user\" has white space around it: remove the spaces and line ends "
              "before and after it\n"));
    (void)unsetenv("CREDENTIALS_DIRECTORY");
}

/* Asserts what is told of a ca-file; "" when it is taken. */
static void assert_ca_file(const char *path, const char *told)
{
    _cleanup_(account_freep) Account *account = NULL;
    char text[512], line[512];

    (void)snprintf(
        text, sizeof(text),
        "{\"url\": \"https://a\", \"user\": \"u\", \"organization\": \"o\",\n\"ca-file\": \"%s\"}",
        path);
    (void)snprintf(line, sizeof(line), "a.json:2:12: \"ca-file\" %s\n", told);
    account = parse(text, false, *told ? line : "");
    if (*told)
        assert_null(account->ca_file);
    else
        assert_string_equal(account->ca_file, path);
}

static void test_ca_file(void **state)
{
    const Tree *tree = *state;

    tree_put(tree, "ca.pem", "x", 0644);
    tree_put(tree, "open.pem", "x", 0666);
    assert_ca_file(tree_path(tree, "ca.pem"), "");
    assert_ca_file("", "must be an absolute path");
    assert_ca_file("ca.pem", "must be an absolute path");
    assert_ca_file("${file:/etc/x}", "is a path: references are not replaced in it");
    assert_ca_file(tree_path(tree, "none.pem"), "cannot be read: No such file or directory");
    assert_ca_file(tree->path, "is not a regular file");
    assert_ca_file(tree_path(tree, "open.pem"),
                   "is not used, since others than its owner may write it: chmod go-w it");
}

static void test_ca_file_closed(void **state)
{
    const Tree *tree = *state;

    if (geteuid() != 0) {
        print_message("only root can become another user\n");
        skip();
    }
    tree_put(tree, "ca.pem", "x", 0600);
    assert_int_equal(seteuid(65534), 0);
    assert_ca_file(tree_path(tree, "ca.pem"), "cannot be read: Permission denied");
    assert_int_equal(seteuid(0), 0);
}

static void test_unread(void **state)
{
    DocumentSource source = {.name = "a", .file = "a.json"};
    Problems problems = {};
    Account *account = NULL;

    (void)state;
    problems_add(&problems, PROBLEM_ERROR, "a.json", (JsonPosition){}, "cannot be read");
    assert_int_equal(account_parse(&source, &problems, &account), 0);
    assert_string_equal(account->problem, "a.json:1:1: cannot be read");
    problems_deinit(&problems);
    account_free(account);
    assert_null(account_free(NULL));
}

static void test_find(void **state)
{
    Account a = {.name = (char *)"a"}, b = {.name = (char *)"b"}, c = {.name = (char *)"c"};
    Account *const accounts[] = {&a, &b, &c};

    (void)state;
    assert_ptr_equal(account_find(accounts, 3, "a"), &a);
    assert_ptr_equal(account_find(accounts, 3, "b"), &b);
    assert_ptr_equal(account_find(accounts, 3, "c"), &c);
    assert_null(account_find(accounts, 3, "aa"));
    assert_null(account_find(accounts, 3, ""));
    assert_null(account_find(NULL, 0, "a"));
}

static Secret *equal_secret(const char *text)
{
    Secret *secret = NULL;

    if (text)
        assert_int_equal(secret_new(text, strlen(text), &secret), 0);
    return secret;
}

/* With its URL, user, organization and file of certificates. */
static Account *equal_account(const char *name, const char *const fields[4])
{
    Account *account = calloc(1, sizeof(*account));

    assert_non_null(account);
    account->name = declared_text(name);
    account->url = declared_text(fields[0]);
    account->user = equal_secret(fields[1]);
    account->organization = equal_secret(fields[2]);
    account->ca_file = fields[3] ? strdup(fields[3]) : NULL;
    return account;
}

/* The same platform, reached in the same way with the same secrets: one difference at a time. */
static void test_equal(void **state)
{
    static const char *const base[4] = {"https://a", "u", "o", NULL};
    static const struct {
        size_t field; /* of `base` */
        const char *text;
    } rows[] = {
        {0, "https://b"}, {0, "https://A"}, {1, "v"},  {1, "uu"},  {1, NULL},
        {2, "u"},         {2, "oo"},        {2, NULL}, {3, "/ca"}, {3, ""},
    };
    Account *a = equal_account("a", base), *b;

    (void)state;
    b = equal_account("another name", base);
    assert_true(account_equal(a, a));
    assert_true(account_equal(a, b));
    account_free(b);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        const char *fields[4];

        memcpy(fields, base, sizeof(fields));
        fields[rows[i].field] = rows[i].text;
        b = equal_account("a", fields);
        if (account_equal(a, b) || account_equal(b, a))
            fail_msg("row %zu", i);
        account_free(a);
        a = equal_account("a", fields);
        assert_true(account_equal(a, b));
        account_free(a);
        account_free(b);
        a = equal_account("a", base);
    }
    account_free(a);
}

/* The same secrets the other way round are others. */
static void test_equal_swapped(void **state)
{
    static const char *const fields[2][4] = {{"https://a", "x", "y", NULL},
                                             {"https://a", "y", "x", NULL}};
    Account *a = equal_account("a", fields[0]), *b = equal_account("a", fields[1]);

    (void)state;
    assert_false(account_equal(a, b));
    account_free(a);
    account_free(b);
}

#define test(name) cmocka_unit_test_setup_teardown(name, tree_setup, tree_teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        test(test_fine),    test(test_references),     test(test_world_readable),
        test(test_broken),  test(test_bad_secrets),    test(test_credential_with_blanks),
        test(test_ca_file), test(test_ca_file_closed), test(test_unread),
        test(test_find),    test(test_equal),          test(test_equal_swapped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
