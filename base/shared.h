#pragma once

/*
 * Shared text: a string that many hold and none changes, freed when the last of them lets go.
 *
 * It is read as any other string; what makes it shared stands in front of it, so only what shared_new() gave may be
 * handed to the functions below. Thousands of records say the same of their account and platform.
 *
 * One thread at a time: a text and all who hold it belong to one thread, or go to another together.
 */

#include <stddef.h>

#include "base/cleanup.h"

/*
 * A text of `size` bytes, none of which is NUL, copied; or one more reference to `like`, which may be NULL, when that says the
 * same. 0 or -ENOMEM.
 */
int shared_new(const char *text, size_t size, const char *like, const char **ret_shared);

/* Takes another reference; NULL stays NULL. */
const char *shared_ref(const char *shared);

/* Drops a reference. NULL is fine. Returns NULL. */
const char *shared_unref(const char *shared);

/* Drops what `*field` holds and takes a reference to `shared` instead; either may be NULL. */
void shared_replace(const char **field, const char *shared);
