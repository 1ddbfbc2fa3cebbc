#include "config/reference.h"

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
#include "base/limits.h"
#include "tests/unit/told.h"
#include "tests/unit/tree.h"

#define NOBODY 65534

/* `text` with `root` in the place of each "ROOT". */
static void put_root(char *ret_text, size_t size, const char *text, const char *root)
{
    const char *found;
    size_t n = 0;

    for (; (found = strstr(text, "ROOT")); text = found + strlen("ROOT"))
        n += (size_t)snprintf(ret_text + n, size - n, "%.*s%s", (int)(found - text), text, root);
    n += (size_t)snprintf(ret_text + n, size - n, "%s", text);
    assert_true(n < size);
}

/*
 * Replaces the references of `text`, in which "ROOT" stands for the tree. Asserts what comes of it (NULL: it is
 * broken) and what is told.
 */
static void assert_expanded(const Tree *tree, const char *text, bool is_secret,
                            const char *expanded, const char *told)
{
    DocumentSource source = {.name = "f", .file = "f", .text = "\n\n\n here", .size = 8};
    Problems problems = {};
    Document document = {.source = &source, .problems = &problems};
    Buffer buffer = BUFFER_INIT(BODY_BYTES_MAX);
    char with_root[1024], told_with_root[1024];
    bool is_reference;
    int r;

    put_root(with_root, sizeof(with_root), text, tree->path);
    put_root(told_with_root, sizeof(told_with_root), told, tree->path);
    r = reference_expand(&document, 4, with_root, strlen(with_root), is_secret, &buffer,
                         &is_reference);
    told_assert_all(&problems, NULL, told_with_root);
    assert_int_equal(r, expanded ? 0 : REFERENCE_E_BROKEN);
    assert_int_equal(is_reference, strstr(with_root, "${") != NULL);
    if (expanded) {
        assert_int_equal(buffer_size(&buffer), strlen(expanded));
        if (*expanded)
            assert_memory_equal(buffer_data(&buffer), expanded, strlen(expanded));
    }
    buffer_deinit(&buffer);
}

static void test_plain(void **state)
{
    static const char *const rows[][2] = {
        {"", ""},       {"abc", "abc"},   {"$$", "$"},        {"a$$b$$", "a$b$"},
        {"$$$$", "$$"}, {"{}}{", "{}}{"}, {"a b\n", "a b\n"},
    };
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        assert_expanded(*state, rows[i][0], true, rows[i][1], "");
    /* "$$" before "{" is a dollar before a brace. */
    {
        DocumentSource source = {.name = "f", .file = "f", .text = ""};
        Problems problems = {};
        Document document = {.source = &source, .problems = &problems};
        Buffer buffer = BUFFER_INIT(64);
        bool is_reference = true;

        assert_int_equal(
            reference_expand(&document, 0, "$${file:/x}\0$$", 14, true, &buffer, &is_reference), 0);
        assert_false(is_reference);
        assert_int_equal(buffer_size(&buffer), 12);
        assert_memory_equal(buffer_data(&buffer), "${file:/x}\0$", 12);
        told_assert_all(&problems, NULL, "");
        buffer_deinit(&buffer);
    }
}

#define LONE    "f:4:2: \"$\" begins a reference: write \"$$\" for a dollar sign\n"
#define UNENDED "f:4:2: \"${\" without \"}\": write \"$$\" for a dollar sign\n"
#define UNKNOWN                                                                                    \
    "f:4:2: \"${\" begins a reference of no known kind: there are ${credential:NAME} and "         \
    "${file:/PATH}; write \"$$\" for a dollar sign\n"
#define ENVIRONMENT                                                                                \
    "f:4:2: ${env:…}: environment variables leak to children and logs, so there are only "       \
    "${credential:NAME} and ${file:/PATH}\n"
#define NO_NAME "f:4:2: ${credential:…}: the name of a credential is a file name without \"/\"\n"
#define NO_PATH "f:4:2: ${file:…}: the path must be absolute\n"

/* None of the texts is shown: a password with a dollar in it looks like this. */
static void test_broken(void **state)
{
    static const char *const rows[][2] = {
        {"s3cr3t$", LONE},
        {"$s3cr3t", LONE},
        {"$ $", LONE LONE},
        {"$$$", LONE},
        {"${s3cr3t", UNENDED},
        {"${", UNENDED},
        {"${credential:s3cr3t", UNENDED},
        {"${s3cr3t}", UNKNOWN},
        {"${}", UNKNOWN},
        {"${Credential:s3cr3t}", UNKNOWN},
        {"${ credential:s3cr3t}", UNKNOWN},
        {"${env:s3cr3t}", ENVIRONMENT},
        {"${credential:}", NO_NAME},
        {"${credential:..}", NO_NAME},
        {"${credential:a/s3cr3t}", NO_NAME},
        {"${file:}", NO_PATH},
        {"${file:s3cr3t}", NO_PATH},
        {"$a ${b} ${env:c} ${file:d} ${", LONE UNKNOWN ENVIRONMENT NO_PATH UNENDED},
    };

    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        assert_expanded(*state, rows[i][0], true, NULL, rows[i][1]);
}

static void test_nul(void **state)
{
    DocumentSource source = {.name = "f", .file = "f", .text = ""};
    Problems problems = {};
    Document document = {.source = &source, .problems = &problems};
    Buffer buffer = BUFFER_INIT(64);
    bool is_reference;

    (void)state;
    assert_int_equal(
        reference_expand(&document, 0, "${file:/etc/\0x}", 15, true, &buffer, &is_reference),
        REFERENCE_E_BROKEN);
    told_assert_all(&problems, NULL, "f:1:1: NUL character in a reference\n");
    buffer_deinit(&buffer);
}

static void test_file(void **state)
{
    const Tree *tree = *state;

    tree_put(tree, "plain", "s3cr3t", 0600);
    tree_put(tree, "line", "s3cr3t\n", 0600);
    tree_put(tree, "lines", "a\nb\n\n", 0600);
    tree_put(tree, "utf8", "\xC3\xA9\n", 0600);
    tree_put(tree, "dollar", "${file:/x} $\n", 0600);
    tree_link(tree, "link", "plain");
    assert_expanded(tree, "${file:ROOT/plain}", true, "s3cr3t", "");
    assert_expanded(tree, "${file:ROOT/line}", true, "s3cr3t", "");
    assert_expanded(tree, "<${file:ROOT/lines}>$$", true, "<a\nb\n>$", "");
    assert_expanded(tree, "${file:ROOT/utf8}", true, "\xC3\xA9", "");
    assert_expanded(tree, "${file:ROOT/link}", true, "s3cr3t", "");
    /* What was read is not looked into again. */
    assert_expanded(tree, "${file:ROOT/dollar}", true, "${file:/x} $", "");
}

static void test_file_refused(void **state)
{
    const Tree *tree = *state;

    tree_put(tree, "empty", "", 0600);
    tree_put(tree, "newline", "\n", 0600);
    tree_put_bytes(tree, "nul", "s3cr3t\0x", 8, 0600);
    tree_put(tree, "latin1", "s3cr3t\xE9", 0600);
    tree_put(tree, "group", "s3cr3t", 0660);
    tree_put(tree, "others", "s3cr3t", 0602);
    assert_int_equal(mkfifo(tree_path(tree, "pipe"), 0600), 0);
    assert_expanded(tree, "${file:ROOT/none}", true, NULL,
                    "f:4:2: ${file:ROOT/none}: cannot be read: No such file or directory\n");
    assert_expanded(tree, "${file:ROOT}", true, NULL, "f:4:2: ${file:ROOT}: not a regular file\n");
    assert_expanded(tree, "${file:ROOT/pipe}", true, NULL,
                    "f:4:2: ${file:ROOT/pipe}: not a regular file\n");
    assert_expanded(tree, "${file:ROOT/empty}", true, NULL,
                    "f:4:2: ${file:ROOT/empty}: is empty\n");
    assert_expanded(tree, "${file:ROOT/newline}", true, NULL,
                    "f:4:2: ${file:ROOT/newline}: is empty\n");
    assert_expanded(tree, "${file:ROOT/nul}", true, NULL,
                    "f:4:2: ${file:ROOT/nul}: what it holds is not text (UTF-8 without NUL)\n");
    assert_expanded(tree, "${file:ROOT/latin1}", true, NULL,
                    "f:4:2: ${file:ROOT/latin1}: what it holds is not text (UTF-8 without NUL)\n");
    assert_expanded(
        tree, "${file:ROOT/group}", true, NULL,
        "f:4:2: ${file:ROOT/group}: not used, since others than its owner may write it: "
        "chmod go-w it\n");
    assert_expanded(
        tree, "${file:ROOT/others}", false, NULL,
        "f:4:2: ${file:ROOT/others}: not used, since others than its owner may write it: "
        "chmod go-w it\n");
}

static void test_file_of_another(void **state)
{
    const Tree *tree = *state;

    if (geteuid() != 0) {
        print_message("only root can give a file away\n");
        skip();
    }
    tree_put(tree, "other", "s3cr3t", 0600);
    assert_int_equal(chown(tree_path(tree, "other"), NOBODY, NOBODY), 0);
    assert_expanded(
        tree, "${file:ROOT/other}", true, NULL,
        "f:4:2: ${file:ROOT/other}: not used, since it belongs to neither root nor the service's "
        "user: chown it to root\n");
}

static void test_file_world_readable(void **state)
{
    const Tree *tree = *state;

    tree_put(tree, "open", "s3cr3t", 0644);
    tree_put(tree, "closed", "s3cr3t", 0640);
    assert_expanded(
        tree, "${file:ROOT/open}", true, "s3cr3t",
        "f:4:2: warning: ${file:ROOT/open}: everyone may read this secret: chmod 0640 the file\n");
    assert_expanded(tree, "${file:ROOT/open}", false, "s3cr3t", "");
    assert_expanded(tree, "${file:ROOT/closed}", true, "s3cr3t", "");
}

/* What one file may hold: at the limit and one past it. */
static void test_file_limit(void **state)
{
    const Tree *tree = *state;
    _cleanup_(freep) char *text = malloc(REFERENCE_BYTES_MAX + 2);

    assert_non_null(text);
    memset(text, 'x', REFERENCE_BYTES_MAX + 1);
    text[REFERENCE_BYTES_MAX] = '\0';
    tree_put(tree, "most", text, 0600);
    assert_expanded(tree, "${file:ROOT/most}", true, text, "");
    text[REFERENCE_BYTES_MAX] = 'x';
    text[REFERENCE_BYTES_MAX + 1] = '\0';
    tree_put(tree, "more", text, 0600);
    assert_expanded(tree, "${file:ROOT/more}", true, NULL,
                    "f:4:2: ${file:ROOT/more}: larger than 65536 bytes\n");
}

/* What a string may become: at the ceiling of its buffer and one past it. */
static void test_expanded_limit(void **state)
{
    DocumentSource source = {.name = "f", .file = "f", .text = ""};
    Problems problems = {};
    Document document = {.source = &source, .problems = &problems};
    bool is_reference;

    (void)state;
    for (size_t max = 3; max <= 4; max++) {
        Buffer buffer = BUFFER_INIT(max);

        assert_int_equal(reference_expand(&document, 0, "ab$$c", 5, true, &buffer, &is_reference),
                         max == 4 ? 0 : REFERENCE_E_BROKEN);
        told_assert_all(
            &problems, NULL,
            max == 4 ? "" : "f:1:1: larger than 1048576 bytes with its references replaced\n");
        buffer_deinit(&buffer);
    }
}

static void test_credential(void **state)
{
    const Tree *tree = *state;

    tree_put(tree, "credentials/jira", "s3cr3t\n", 0400);
    tree_put(tree, "credentials/odd name", "x", 0444);
    tree_put_bytes(tree, "credentials/nul", "\0", 1, 0400);
    (void)setenv("CREDENTIALS_DIRECTORY", tree_path(tree, "credentials"), 1);
    assert_expanded(tree, "a ${credential:jira} ${credential:jira}", true, "a s3cr3t s3cr3t", "");
    assert_expanded(tree, "${credential:odd name}", true, "x", "");
    assert_expanded(tree, "${credential:nul}", true, NULL,
                    "f:4:2: ${credential:nul}: what it holds is not text (UTF-8 without NUL)\n");
    assert_expanded(tree, "${credential:none}", true, NULL,
                    "f:4:2: ${credential:none}: there is no such credential; add "
                    "LoadCredential=none:PATH to the service and restart it\n");
    (void)unsetenv("CREDENTIALS_DIRECTORY");
    assert_expanded(
        tree, "${credential:jira}", true, NULL,
        "f:4:2: ${credential:jira}: this process was given no credentials; the service manager "
        "passes them to a service that has LoadCredential=jira:PATH\n");
}

static void test_credential_limit(void **state)
{
    const Tree *tree = *state;
    _cleanup_(freep) char *text = calloc(1, REFERENCE_BYTES_MAX + 2);

    assert_non_null(text);
    memset(text, 'x', REFERENCE_BYTES_MAX);
    tree_put(tree, "credentials/most", text, 0400);
    text[REFERENCE_BYTES_MAX] = 'x';
    tree_put(tree, "credentials/more", text, 0400);
    text[REFERENCE_BYTES_MAX] = '\0';
    (void)setenv("CREDENTIALS_DIRECTORY", tree_path(tree, "credentials"), 1);
    assert_expanded(tree, "${credential:most}", true, text, "");
    assert_expanded(tree, "${credential:more}", true, NULL,
                    "f:4:2: ${credential:more}: larger than 65536 bytes\n");
    (void)unsetenv("CREDENTIALS_DIRECTORY");
}

#define test(name) cmocka_unit_test_setup_teardown(name, tree_setup, tree_teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        test(test_plain),
        test(test_broken),
        test(test_nul),
        test(test_file),
        test(test_file_refused),
        test(test_file_of_another),
        test(test_file_world_readable),
        test(test_file_limit),
        test(test_expanded_limit),
        test(test_credential),
        test(test_credential_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
