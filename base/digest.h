#pragma once

/*
 * Keyed digest: tells a changed secret document from an unchanged one without keeping it.
 *
 * Keyed, because a document whose only unknown is a short password could otherwise be guessed from its
 * digest. The one place, with random numbers, where libsodium is used.
 *
 * Source: libsodium, crypto_generichash (BLAKE2b)
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIGEST_BYTES     16
#define DIGEST_KEY_BYTES 32

/* Buffers for the hexadecimal forms, with their NUL. */
#define DIGEST_HEX_SIZE     (2 * DIGEST_BYTES + 1)
#define DIGEST_KEY_HEX_SIZE (2 * DIGEST_KEY_BYTES + 1)

typedef struct Digest {
    uint8_t bytes[DIGEST_BYTES];
} Digest;

typedef struct DigestKey {
    uint8_t bytes[DIGEST_KEY_BYTES];
} DigestKey;

/* A fresh random key. */
DigestKey digest_key_random(void);

Digest digest_compute(const DigestKey *key, const void *data, size_t size);
bool digest_equal(const Digest *a, const Digest *b);

/* Lower-case hexadecimal, into and from exactly as many digits as it takes. The parsers return false otherwise. */
void digest_format(const Digest *digest, char ret_hex[static DIGEST_HEX_SIZE]);
bool digest_parse(const char *hex, size_t size, Digest *ret_digest);
void digest_key_format(const DigestKey *key, char ret_hex[static DIGEST_KEY_HEX_SIZE]);
bool digest_key_parse(const char *hex, size_t size, DigestKey *ret_key);

/* Uniform over all of uint64_t; from the kernel's random numbers, never blocks after early boot. */
uint64_t digest_random(void);
