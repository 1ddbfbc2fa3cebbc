#pragma once

/*
 * Child: a test in a process of its own.
 */

#include <stdbool.h>

/*
 * Runs `test` in a child, where it must return true. For what stays until the process ends: the child ends by a signal then,
 * since what is lost on purpose would be reported by a sanitizer or valgrind at any other end.
 */
void child_assert(bool (*test)(void *userdata), void *userdata);
