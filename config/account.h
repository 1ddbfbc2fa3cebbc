#pragma once

/*
 * Account: a platform and who we are on it. One file of accounts.d, checked.
 */

#include "base/secret.h"

typedef struct Account {
    char *name;
    char *file;
    char *url; /* without a trailing slash; https, or http to a loopback address */
    Secret *user;
    Secret *organization;
    char *ca_file; /* NULL: the system's certificates */
    char *problem; /* NULL, or the first of its problems, formatted: it must not be used then */
} Account;

/* NULL is fine; works on a half-built one. Returns NULL. */
Account *account_free(Account *account);

DEFINE_FREEP(Account, account_free)
