#pragma once

/*
 * Trust: who else may write or read a file that is used, in words.
 *
 * Whoever may write a file of the configuration decides who gets tokens, so such a file is not used.
 * Whoever may read it has the secrets that stand in it.
 */

#include <stdbool.h>
#include <sys/stat.h>

/*
 * Why a file must not be used, as the end of a sentence about it ("others may write it: …"), or NULL when it
 * may; static storage.
 */
const char *trust_refusal(const struct stat *st);

/* Whether every user of the host may read it (if its directories let them). */
bool trust_is_world_readable(const struct stat *st);

/* Whether it is /dev/null. */
bool trust_is_null_device(const struct stat *st);
