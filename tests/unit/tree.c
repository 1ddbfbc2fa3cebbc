#include "tests/unit/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

int tree_setup(void **state)
{
    Tree *tree = calloc(1, sizeof(*tree));
    const char *tmp = getenv("TMPDIR");

    if (!tree)
        return -1;
    if (!tmp || strlen(tmp) > 32)
        tmp = "/tmp";
    (void)snprintf(tree->path, sizeof(tree->path), "%s/test_tree.XXXXXX", tmp);
    *state = tree;
    return mkdtemp(tree->path) && chmod(tree->path, 0755) == 0 ? 0 : -1;
}

static int tree_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

int tree_teardown(void **state)
{
    Tree *tree = *state;
    int r;

    /* A test that failed may have left us as another user. */
    if (seteuid(getuid()) < 0)
        return -1;
    r = nftw(tree->path, tree_remove_one, 16, FTW_DEPTH | FTW_PHYS);

    free(tree);
    return r;
}

const char *tree_path(const Tree *tree, const char *name)
{
    static char paths[4][512];
    static unsigned next;
    char *path = paths[next++ % 4];
    int n = snprintf(path, sizeof(paths[0]), "%s/%s", tree->path, name);

    assert_true(n > 0 && (size_t)n < sizeof(paths[0]));
    return path;
}

/* Makes the folders above the file `path`, whatever the umask. */
static void tree_make_folders(const char *path)
{
    char folder[512];

    for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        (void)snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path);
        if (mkdir(folder, 0755) == 0)
            assert_int_equal(chmod(folder, 0755), 0);
        else
            assert_int_equal(errno, EEXIST);
    }
}

void tree_put_bytes(const Tree *tree, const char *name, const void *data, size_t size, mode_t mode)
{
    const char *path = tree_path(tree, name);
    int fd;

    tree_make_folders(path);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, size), size);
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
}

void tree_put(const Tree *tree, const char *name, const char *text, mode_t mode)
{
    tree_put_bytes(tree, name, text, strlen(text), mode);
}

void tree_put_again(const Tree *tree, const char *name, const char *existing)
{
    const char *path = tree_path(tree, name);

    tree_make_folders(path);
    assert_int_equal(link(tree_path(tree, existing), path), 0);
}

void tree_link(const Tree *tree, const char *name, const char *target)
{
    const char *path = tree_path(tree, name);

    tree_make_folders(path);
    assert_int_equal(symlink(target, path), 0);
}
