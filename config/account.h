#pragma once

/*
 * Account: a platform and who we are on it. One file of accounts.d, checked, with its secrets filled in.
 */

#include "base/cleanup.h"
#include "base/secret.h"
#include "base/shared.h"
#include "config/document.h"

typedef struct Account {
    const char *name; /* shared (base/shared.h) */
    const char *url;  /* shared; without a trailing slash; https, or http to a loopback address */
    Secret *user;
    Secret *organization;
    char *ca_file;   /* NULL: the system's certificates */
    char *problem;   /* NULL, or the first of its errors, formatted: it must not be used then */
    Trouble trouble; /* the kind of `problem` */
} Account;

/* NULL is fine; works on a half-built one. Returns NULL. */
Account *account_free(Account *account);

DEFINE_FREEP(Account, account_free)

/*
 * The account that `source` declares, broken or not. `problems` are those of this file, with what reading it
 * added; they come back in the order of their positions. Blocks (referenced files). 0 or -ENOMEM.
 */
int account_parse(const DocumentSource *source, Problems *problems, Account **ret_account);

/* By name in an array that is sorted by name, or NULL. Borrowed. */
const Account *account_find(Account *const *accounts, size_t n_accounts, const char *name);

/* Whether they are the same platform, reached with the same secrets in the same way, whatever their names. */
bool account_equal(const Account *a, const Account *b);
