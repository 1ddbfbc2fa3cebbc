#include "config/account.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/limits.h"
#include "config/reference.h"
#include "config/schema.h"
#include "config/trust.h"
#include "config/url.h"

Account *account_free(Account *account)
{
    if (!account)
        return NULL;
    shared_unref(account->name);
    shared_unref(account->url);
    secret_unref(account->user);
    secret_unref(account->organization);
    free(account->ca_file);
    free(account->problem);
    free(account);
    return NULL;
}

/* ---- keys ---- */

static int account_set_url(const SchemaKey *key, Document *document, const JsonValue *value,
                           void *target)
{
    _cleanup_(freep) char *url = NULL;
    Account *account = target;
    const char *reason;
    int r;

    r = url_parse(value->text, &url, &reason);
    if (r == 0)
        return shared_new(url, strlen(url), NULL, &account->url);
    if (r != -EINVAL)
        return r;
    document_error(document, value->at, "\"%s\" %s", key->name, reason);
    return 0;
}

/* What is wrong with a secret that has to stand in a header "User …, Organization …", or NULL. */
static const char *account_check_secret(const char *text, size_t size)
{
    static const char blanks[] = " \t\r\n";

    if (size == 0)
        return "must not be empty";
    if (strchr(blanks, text[0]) || strchr(blanks, text[size - 1]))
        return "has white space around it: remove the spaces and line ends before and after it";
    if (memchr(text, ',', size))
        return "must not hold a comma, which the Authorization header uses to separate secrets";
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)text[i] < ' ' || (unsigned char)text[i] >= 0x7F)
            return "must not hold control characters, line ends or other than ASCII characters";
    return NULL;
}

static int account_take_secret(const SchemaKey *key, Document *document, const JsonValue *value,
                               Buffer *expanded, Secret **ret_secret)
{
    const char *reason = account_check_secret(buffer_data(expanded), buffer_size(expanded));

    if (!reason)
        return secret_new_take(expanded, ret_secret);
    document_error(document, value->at, "\"%s\" %s", key->name, reason);
    return 0;
}

static int account_set_secret(const SchemaKey *key, Document *document, const JsonValue *value,
                              void *target)
{
    Buffer expanded = BUFFER_INIT(BODY_BYTES_MAX);
    bool is_reference = false;
    int r;

    r = reference_expand(document, value->at, value->text, value->size, true, &expanded,
                         &is_reference);
    if (r == 0)
        r = account_take_secret(key, document, value, &expanded,
                                (Secret **)((char *)target + key->offset));
    if (r >= 0 && value->size > 0 && !is_reference && document->source->is_world_readable)
        document_warning(document, value->at,
                         "\"%s\" is a secret in plain text in a file that everyone may read: use "
                         "${credential:NAME}, or chmod 0640 the file",
                         key->name);
    buffer_deinit(&expanded);
    return r < 0 ? r : 0;
}

static int account_set_ca_file(const SchemaKey *key, Document *document, const JsonValue *value,
                               void *target)
{
    Account *account = target;
    struct stat st;

    if (strstr(value->text, "${")) {
        document_error(document, value->at, "\"%s\" is a path: references are not replaced in it",
                       key->name);
        return 0;
    }
    if (value->text[0] != '/') {
        document_error(document, value->at, "\"%s\" must be an absolute path", key->name);
        return 0;
    }
    /* By the effective ids, as the file will be opened. */
    if (stat(value->text, &st) < 0 || faccessat(AT_FDCWD, value->text, R_OK, AT_EACCESS) < 0) {
        document_error_of(document, TROUBLE_FILE_UNREADABLE, value->at, "\"%s\" cannot be read: %s",
                          key->name, error_text(errno));
        return 0;
    }
    if (!S_ISREG(st.st_mode)) {
        document_error(document, value->at, "\"%s\" is not a regular file", key->name);
        return 0;
    }
    if (trust_refusal(&st)) {
        document_error(document, value->at, "\"%s\" is not used, since %s", key->name,
                       trust_refusal(&st));
        return 0;
    }
    account->ca_file = strdup(value->text);
    return account->ca_file ? 0 : -ENOMEM;
}

static const SchemaKey account_keys[] = {
    {"url", JSON_STRING, .is_required = true, .set = account_set_url},
    {"user", JSON_STRING, .is_required = true, .set = account_set_secret,
     .offset = offsetof(Account, user)},
    {"organization", JSON_STRING, .is_required = true, .set = account_set_secret,
     .offset = offsetof(Account, organization)},
    {"ca-file", JSON_STRING, .set = account_set_ca_file},
};

static const Schema account_schema = {
    .keys = account_keys,
    .n_keys = N_ELEMENTS(account_keys),
    .prefix = "",
};

/* ---- the whole ---- */

static int account_read(Account *account, const DocumentSource *source, Problems *problems)
{
    Document document;
    int r;

    r = document_init(&document, source, problems);
    if (r == 0)
        r = schema_check(&account_schema, &document, document.root, account);
    document_deinit(&document);
    return r < 0 ? r : 0;
}

int account_parse(const DocumentSource *source, Problems *problems, Account **ret_account)
{
    _cleanup_(account_freep) Account *account = calloc(1, sizeof(*account));
    int r;

    if (!account)
        return -ENOMEM;
    r = shared_new(source->name, strlen(source->name), NULL, &account->name);
    if (r < 0)
        return r;
    r = account_read(account, source, problems);
    if (r < 0)
        return r;
    r = problems_close(problems, &account->problem, &account->trouble);
    if (r < 0)
        return r;
    if (!account->problem && (!account->url || !account->user || !account->organization)) {
        /* A check that is missing costs this account, not the daemon. */
        account->problem = strdup("it cannot be used");
        account->trouble = TROUBLE_OTHER;
        if (!account->problem)
            return -ENOMEM;
    }
    *ret_account = TAKE_PTR(account);
    return 0;
}

static int account_compare(const void *name, const void *member)
{
    const Account *const *account = member;

    return strcmp(name, (*account)->name);
}

const Account *account_find(Account *const *accounts, size_t n_accounts, const char *name)
{
    Account *const *found = NULL;

    if (n_accounts > 0)
        found = bsearch(name, accounts, n_accounts, sizeof(Account *), account_compare);
    return found ? *found : NULL;
}

static bool account_text_equal(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

bool account_equal(const Account *a, const Account *b)
{
    return account_text_equal(a->url, b->url) && account_text_equal(a->ca_file, b->ca_file) &&
           secret_equal(a->user, b->user) && secret_equal(a->organization, b->organization);
}
