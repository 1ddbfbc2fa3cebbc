#include "base/secret.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct Secret {
    uint32_t n_refs;
    uint32_t size;
    char data[];
};

int secret_new(const void *data, size_t size, Secret **ret_secret)
{
    Secret *secret;

    if (size > UINT32_MAX - sizeof(*secret) - 1)
        return -ENOMEM;
    secret = malloc(sizeof(*secret) + size + 1);
    if (!secret)
        return -ENOMEM;
    secret->n_refs = 1;
    secret->size = (uint32_t)size;
    if (size > 0)
        memcpy(secret->data, data, size);
    secret->data[size] = '\0';
    *ret_secret = secret;
    return 0;
}

int secret_new_take(Buffer *buffer, Secret **ret_secret)
{
    int r;

    r = secret_new(buffer_data(buffer), buffer_size(buffer), ret_secret);
    buffer_deinit(buffer);
    return r;
}

Secret *secret_ref(Secret *secret)
{
    if (secret) {
        assert(secret->n_refs > 0);
        secret->n_refs++;
    }
    return secret;
}

Secret *secret_unref(Secret *secret)
{
    if (!secret)
        return NULL;
    assert(secret->n_refs > 0);
    if (--secret->n_refs == 0) {
        explicit_bzero(secret->data, secret->size);
        free(secret);
    }
    return NULL;
}

size_t secret_size(const Secret *secret)
{
    return secret ? secret->size : 0;
}

const char *secret_reveal(const Secret *secret)
{
    return secret ? secret->data : "";
}

bool secret_equal_bytes(const Secret *secret, const void *data, size_t size)
{
    const unsigned char *a = (const unsigned char *)secret_reveal(secret);
    const unsigned char *b = data;
    unsigned char difference = 0;

    if (!secret || secret->size != size)
        return false;
    for (size_t i = 0; i < size; i++)
        difference |= a[i] ^ b[i];
    return difference == 0;
}

bool secret_equal(const Secret *a, const Secret *b)
{
    if (a == b)
        return true;
    return a && b && secret_equal_bytes(a, b->data, b->size);
}
