#include "base/digest.h"

#include <assert.h>
#include <string.h>

#include <sodium.h>

/* libsodium wants this before anything else where threads may meet; it is cheap after the first time. */
static void digest_prepare(void)
{
    int r;

    r = sodium_init();
    assert(r >= 0); /* fails only where there are no random numbers to be had */
}

DigestKey digest_key_random(void)
{
    DigestKey key;

    digest_prepare();
    randombytes_buf(key.bytes, sizeof(key.bytes));
    return key;
}

Digest digest_compute(const DigestKey *key, const void *data, size_t size)
{
    Digest digest;
    int r;

    digest_prepare();
    r = crypto_generichash(digest.bytes, sizeof(digest.bytes), data, size, key->bytes,
                           sizeof(key->bytes));
    assert(r == 0); /* fails only for sizes that it does not support */
    return digest;
}

bool digest_equal(const Digest *a, const Digest *b)
{
    return sodium_memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/* One more than the value of each lower-case hexadecimal digit; 0 for what is none. */
static const uint8_t digest_hex_values[256] = {
    ['0'] = 1, ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9, ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
};

/*
 * `size` digits, all lower-case hexadecimal, into `n` bytes; whether they are that. Not by sodium_hex2bin(), whose
 * constant time is as much as all else of a record takes, and which takes both cases.
 */
static bool digest_parse_hex(const char *hex, size_t size, uint8_t *ret_bytes, size_t n)
{
    const unsigned char *digits = (const unsigned char *)hex;
    bool is_hex = true;

    if (size != 2 * n)
        return false;
    for (size_t i = 0; i < size; i++)
        is_hex &= digest_hex_values[digits[i]] != 0;
    if (!is_hex)
        return false;
    for (size_t i = 0; i < n; i++)
        ret_bytes[i] = (uint8_t)((digest_hex_values[digits[2 * i]] - 1) << 4 |
                                 (digest_hex_values[digits[2 * i + 1]] - 1));
    return true;
}

void digest_format(const Digest *digest, char ret_hex[static DIGEST_HEX_SIZE])
{
    (void)sodium_bin2hex(ret_hex, DIGEST_HEX_SIZE, digest->bytes, sizeof(digest->bytes));
}

bool digest_parse(const char *hex, size_t size, Digest *ret_digest)
{
    return digest_parse_hex(hex, size, ret_digest->bytes, sizeof(ret_digest->bytes));
}

void digest_key_format(const DigestKey *key, char ret_hex[static DIGEST_KEY_HEX_SIZE])
{
    (void)sodium_bin2hex(ret_hex, DIGEST_KEY_HEX_SIZE, key->bytes, sizeof(key->bytes));
}

bool digest_key_parse(const char *hex, size_t size, DigestKey *ret_key)
{
    return digest_parse_hex(hex, size, ret_key->bytes, sizeof(ret_key->bytes));
}

uint64_t digest_random(void)
{
    uint64_t random;

    digest_prepare();
    randombytes_buf(&random, sizeof(random));
    return random;
}
