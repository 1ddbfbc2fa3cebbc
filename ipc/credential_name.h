#pragma once

/*
 * Credential name: the address that systemd binds before it connects for a LoadCredential=, "\0HEX/unit/UNIT/ID". Pure.
 *
 * Whoever connects chooses its own address, so a name is a claim and no more: that the peer is the system's manager, at
 * work for that unit, is for ipc/credentials.c to see.
 *
 * Source: systemd src/core/exec-credential.c; HEX is a random number, not padded; names by unit_name_is_valid() and
 * credential_name_valid()
 */

#include <stddef.h>

/* No part can be longer than an address: sun_path of unix(7). */
#define CREDENTIAL_NAME_BYTES_MAX 107

enum {
    CREDENTIAL_NAME_E_SYNTAX = 1,
};

typedef struct CredentialName {
    char unit[CREDENTIAL_NAME_BYTES_MAX + 1];
    char id[CREDENTIAL_NAME_BYTES_MAX + 1]; /* what stands before the ":" in LoadCredential= */
} CredentialName;

/* `name` is what stands in sun_path, `size` bytes with the leading NUL. 0 or CREDENTIAL_NAME_E_SYNTAX. */
int credential_name_parse(const char *name, size_t size, CredentialName *ret_name);
