#pragma once

/*
 * A tree of files for one test, in a folder of its own that goes with it.
 */

#include <stddef.h>
#include <sys/types.h>

typedef struct Tree {
    char path[64]; /* of its root */
} Tree;

/* cmocka's setup and teardown: *state is a Tree. */
int tree_setup(void **state);
int tree_teardown(void **state);

/* The path of `name` below the root; static storage, four of them at a time. */
const char *tree_path(const Tree *tree, const char *name);

/* Writes a file, with the folders above it (0755). */
void tree_put(const Tree *tree, const char *name, const char *text, mode_t mode);
void tree_put_bytes(const Tree *tree, const char *name, const void *data, size_t size, mode_t mode);

/* Gives a file that was put as `existing` another name as well, which costs much less than another file. */
void tree_put_again(const Tree *tree, const char *name, const char *existing);

/* Makes a link `name` that leads to `target` as it stands. */
void tree_link(const Tree *tree, const char *name, const char *target);
