#pragma once

/*
 * What a list of problems says, against what it should say.
 */

#include "config/problem.h"

/*
 * Asserts that `problems`, each formatted and ended by a newline, are `expected`. "ROOT" at the begin of a line of
 * `expected` stands for `root`, which may be NULL.
 */
void told_assert(const Problems *problems, const char *root, const char *expected);

/* As told_assert(), and empties the list. */
void told_assert_all(Problems *problems, const char *root, const char *expected);
