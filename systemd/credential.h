#pragma once

/*
 * Credentials that systemd passes to the service: files in $CREDENTIALS_DIRECTORY.
 *
 * Source: systemd.exec(5), LoadCredential=; https://systemd.io/CREDENTIALS
 */

#include <stdbool.h>

#include "base/buffer.h"

enum {
    CREDENTIAL_E_NONE = 1, /* no such credential, or the service was given none at all */
    CREDENTIAL_E_TOO_BIG,  /* more than the buffer's ceiling */
};

/* Whether `name` can name a credential: a file name without '/', not "." or "..", at most 255 bytes. */
bool credential_name_is_valid(const char *name);

/* Reads the credential into `buffer`. Blocking. 0, CREDENTIAL_E_* or -errno. */
int credential_read(const char *name, Buffer *buffer);
