#pragma once

/*
 * Secret: bytes that must not be shown.
 *
 * The type is opaque, so that printing or copying one by accident does not
 * compile; its bytes come out through secret_reveal() alone, which a reader can
 * search for. Immutable, shared by reference count (one thread at a time), and
 * wiped when the last reference goes.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/cleanup.h"

typedef struct Secret Secret;

/* Copies `size` bytes. The caller wipes its own copy. 0 or -ENOMEM. */
int secret_new(const void *data, size_t size, Secret **ret_secret);

/* Moves what `buffer` holds into a secret. 0 or -ENOMEM; either way `buffer` is wiped and empty after it. */
int secret_new_take(Buffer *buffer, Secret **ret_secret);

/* Takes another reference; NULL stays NULL. */
Secret *secret_ref(Secret *secret);

/* Drops a reference and wipes with the last one. NULL is fine. Returns NULL. */
Secret *secret_unref(Secret *secret);

DEFINE_FREEP(Secret, secret_unref)

/* In bytes; 0 for NULL. */
size_t secret_size(const Secret *secret);

/* The bytes, followed by a NUL that does not count; borrowed from `secret`. "" for NULL. */
const char *secret_reveal(const Secret *secret);

/* In constant time for equal sizes; two NULLs are equal. */
bool secret_equal(const Secret *a, const Secret *b);

/* As secret_equal(), against bytes that are not in a secret (a caller's claim). */
bool secret_equal_bytes(const Secret *secret, const void *data, size_t size);
