#pragma once

/*
 * One directory for one test, held open, and what is in it. It goes with the test, and so must all in it but files
 * and empty folders. (A tree of files that are named by their paths is in tests/unit/tree.h.)
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define DIRECTORY_NOBODY 65534 /* an ordinary user */

typedef struct Directory {
    char path[64];
    int fd;
} Directory;

/* cmocka's setup and teardown: *state is a Directory. */
int directory_setup(void **state);
int directory_teardown(void **state);

/*
 * Runs on as DIRECTORY_NOBODY, to whom modes mean something; skips the test where that cannot be. Whether we were
 * root before, which directory_take_root() makes us again.
 */
bool directory_give_up_root(void);
void directory_take_root(bool was_root);

/* Writes a file (0644). */
void directory_put(int dirfd, const char *name, const void *data, size_t size);

/* What file_replace() of all of `text` returns. */
int directory_replace(int dirfd, const char *name, const char *text);

void directory_assert_content(int dirfd, const char *name, const char *expected);
void directory_assert_missing(int dirfd, const char *name);

/* Of a regular file. */
void directory_assert_mode(int dirfd, const char *name, mode_t mode);

/* Where a commit went well, nothing is left but an empty file for the next one. */
void directory_assert_spare(int dirfd, const char *name);
