/*
 * The address that a unit's connection comes from: whatever it is, what is taken from it is a unit and an ID that put together
 * make that address again, so nothing of it was overlooked.
 */

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "ipc/credential_name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char tail[sizeof(CredentialName) + 16];
    CredentialName name;
    int n;

    if (credential_name_parse((const char *)data, size, &name) != 0)
        return 0;
    assert(!strchr(name.unit, '/') && !strchr(name.id, '/') && *name.unit && *name.id);
    n = snprintf(tail, sizeof(tail), "/unit/%s/%s", name.unit, name.id);
    assert(n > 0 && (size_t)n + 2 <= size && (size_t)n + 17 >= size);
    assert(memcmp(data + size - (size_t)n, tail, (size_t)n) == 0);
    return 0;
}
