#include "base/file.h"

#include <assert.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"

/* Read at a time where nobody knows how much there is. */
#define FILE_READ_SIZE 4096

static int file_read_all(int fd, size_t expected, Buffer *buffer)
{
    size_t piece = expected > 0 ? expected + 1 : FILE_READ_SIZE;
    size_t before = buffer_size(buffer);

    for (;;) {
        size_t room = buffer_room(buffer), asked;
        char *space, beyond;
        ssize_t n;
        int r;

        if (room == 0) {
            n = read(fd, &beyond, 1);
            if (n < 0 && errno == EINTR)
                continue;
            return n == 0 ? 0 : n > 0 ? FILE_E_TOO_BIG : error_errno();
        }
        r = buffer_reserve(buffer, room < piece ? room : piece, &space);
        if (r < 0)
            return r;
        assert(r == 0);
        asked = room < piece ? room : piece;
        n = read(fd, space, asked);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0 ? 0 : error_errno();
        buffer_commit(buffer, (size_t)n);
        /* All that there was when we looked, and the kernel had no byte more: not worth asking once more. */
        if (expected > 0 && buffer_size(buffer) - before == expected && (size_t)n < asked)
            return 0;
        piece = FILE_READ_SIZE;
    }
}

int file_read(int dirfd, const char *path, Buffer *buffer, struct stat *ret_stat)
{
    _cleanup_(closep) int fd = -1;
    struct stat st;

    /* O_NONBLOCK: opening a pipe that nobody writes must not hang. */
    fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        /* What cannot be opened at all for what it is: a socket, a device without a driver. */
        if (errno != ENXIO || fstatat(dirfd, path, &st, 0) < 0)
            return error_errno();
    } else if (fstat(fd, &st) < 0) {
        return error_errno();
    }
    if (ret_stat)
        *ret_stat = st;
    if (fd < 0 || !S_ISREG(st.st_mode))
        return FILE_E_NOT_REGULAR;
    if (st.st_size > 0 && (uintmax_t)st.st_size > buffer_room(buffer))
        return FILE_E_TOO_BIG;
    return file_read_all(fd, (size_t)st.st_size, buffer);
}

bool file_is_foreign(const struct stat *st)
{
    if (st->st_mode & (S_IWGRP | S_IWOTH))
        return true;
    return st->st_uid != 0 && st->st_uid != geteuid();
}

/* Writes all of `pieces`, which it changes on the way. */
static int file_write_all(int fd, struct iovec *pieces, size_t n)
{
    while (n > 0) {
        ssize_t written = writev(fd, pieces, n < IOV_MAX ? (int)n : IOV_MAX);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return error_errno();
        while (n > 0 && (size_t)written >= pieces->iov_len) {
            written -= (ssize_t)pieces->iov_len;
            pieces++;
            n--;
        }
        if (n > 0) {
            pieces->iov_base = (char *)pieces->iov_base + written;
            pieces->iov_len -= (size_t)written;
        }
    }
    return 0;
}

/* Of a document that can be seen, but of which nobody knows yet that it would be after a power cut. */
#define FILE_UNSETTLED ((mode_t)0400)
#define FILE_SETTLED   ((mode_t)0600)

/* Not in this way; another may do. */
#define FILE_OTHERWISE 1

/* Whether a file is ours alone, and known by no other name. */
static bool file_is_own(const struct stat *st)
{
    return S_ISREG(st->st_mode) && st->st_uid == geteuid() && st->st_nlink == 1;
}

/* The spare that file_exchange() left; -1 where there is none that can be used. */
static int file_open_spare(int dirfd, const char *name)
{
    _cleanup_(closep) int fd = openat(dirfd, name,
                                      O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0 || !file_is_own(&st) || st.st_size != 0 ||
        fchmod(fd, FILE_UNSETTLED) < 0)
        return -1;
    return TAKE_FD(fd);
}

static int file_write_new(int dirfd, const char *name, struct iovec *pieces, size_t n)
{
    _cleanup_(closep) int fd = file_open_spare(dirfd, name);
    int r;

    if (fd < 0) {
        /* A leftover of an earlier crash may be ours or a trap: never write through it. */
        if (unlinkat(dirfd, name, 0) < 0 && errno != ENOENT)
            return error_errno();
        fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                    FILE_UNSETTLED);
    }
    if (fd < 0)
        return error_errno();
    r = file_write_all(fd, pieces, n);
    if (r < 0)
        return r;
    if (fsync(fd) < 0)
        return error_errno();
    return close(TAKE_FD(fd)) < 0 ? error_errno() : 0;
}

/*
 * Keeps what `name` was by a second link, so that there is no moment without `name`. The one from before stays
 * until that link takes its place, and for good where there is no `name`: it may be all that is left.
 */
static int file_keep_old(int dirfd, const char *name)
{
    char link_name[NAME_MAX + 1], old_name[NAME_MAX + 1];
    int r = 0;

    (void)snprintf(link_name, sizeof(link_name), "%s.old", name);
    (void)snprintf(old_name, sizeof(old_name), "%s~", name);
    if (unlinkat(dirfd, link_name, 0) < 0 && errno != ENOENT)
        return error_errno();
    if (linkat(dirfd, name, dirfd, link_name, 0) < 0)
        return errno == ENOENT ? 0 : error_errno();
    if (renameat(dirfd, link_name, dirfd, old_name) < 0)
        r = error_errno();
    /* Also where all is well: renaming does nothing when both are the same file already, rename(2). */
    (void)unlinkat(dirfd, link_name, 0);
    return r;
}

static bool file_is_own_at(int dirfd, const char *name)
{
    struct stat st;

    return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && file_is_own(&st);
}

/*
 * As file_keep_old() and a rename, but no file is made and none is removed, which costs a file system more than all the
 * rest (measured with ext4: a third of a commit). `new_name` comes to be what "NAME~" was. In between, `name` is the old
 * document and "NAME~" the new one. 0; FILE_OTHERWISE where it cannot be: nothing has changed; or -errno: `name` is as it was,
 * and `new_name` is not the new document any more.
 */
static int file_exchange(int dirfd, const char *new_name, const char *name)
{
    char old_name[NAME_MAX + 1];

    (void)snprintf(old_name, sizeof(old_name), "%s~", name);
    if (!file_is_own_at(dirfd, old_name) || !file_is_own_at(dirfd, name))
        return FILE_OTHERWISE;
    if (renameat2(dirfd, new_name, dirfd, old_name, RENAME_EXCHANGE) < 0)
        return FILE_OTHERWISE;
    if (renameat2(dirfd, old_name, dirfd, name, RENAME_EXCHANGE) == 0)
        return 0;
    if (renameat2(dirfd, new_name, dirfd, old_name, RENAME_EXCHANGE) < 0)
        return error_errno();
    return FILE_OTHERWISE;
}

/* The same by links, where files cannot be exchanged. 0 or -errno. */
static int file_put_in_place(int dirfd, const char *new_name, const char *name, bool keep_old)
{
    int r = keep_old ? file_keep_old(dirfd, name) : 0;

    if (r == 0 && renameat(dirfd, new_name, dirfd, name) < 0)
        r = error_errno();
    return r;
}

/* Leaves nothing in what the next commit is to be written into. */
static void file_empty_spare(int dirfd, const char *name)
{
    _cleanup_(closep) int fd = openat(
        dirfd, name, O_WRONLY | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    if (fd < 0 || fchmod(fd, FILE_SETTLED) < 0)
        (void)unlinkat(dirfd, name, 0);
}

int file_replace(int dirfd, const char *name, bool keep_old, struct iovec *pieces, size_t n)
{
    char new_name[NAME_MAX + 1];
    bool is_exchanged;
    int r;

    assert(strlen(name) < NAME_MAX - 4);
    (void)snprintf(new_name, sizeof(new_name), "%s.new", name);
    r = file_write_new(dirfd, new_name, pieces, n);
    if (r == 0)
        r = keep_old ? file_exchange(dirfd, new_name, name) : FILE_OTHERWISE;
    is_exchanged = r == 0;
    if (r == FILE_OTHERWISE)
        r = file_put_in_place(dirfd, new_name, name, keep_old);
    if (r < 0) {
        (void)unlinkat(dirfd, new_name, 0);
        return r;
    }
    if (fsync(dirfd) < 0)
        return error_errno();
    /* Only saves the next reader a sync: not worth failing for. */
    (void)!fchmodat(dirfd, name, FILE_SETTLED, 0);
    if (is_exchanged)
        file_empty_spare(dirfd, new_name);
    return 0;
}

bool file_is_unsettled(const struct stat *st)
{
    return (st->st_mode & 07777) == FILE_UNSETTLED;
}

int file_settle(int dirfd, const char *name)
{
    _cleanup_(closep) int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0)
        return error_errno();
    if (fsync(fd) < 0 || fsync(dirfd) < 0)
        return error_errno();
    (void)!fchmod(fd, FILE_SETTLED);
    return 0;
}

int file_sync_directory(int dirfd, const char *path)
{
    _cleanup_(closep) int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return error_errno();
    return fsync(fd) < 0 ? error_errno() : 0;
}

/* The umask, which keeps our files private, is not meant for directories that others are to enter. */
static int file_make_one_directory(const char *path, mode_t mode)
{
    struct stat st;

    if (mkdir(path, mode) == 0)
        return chmod(path, mode) < 0 ? error_errno() : 0;
    if (errno != EEXIST || stat(path, &st) < 0)
        return error_errno();
    return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

int file_make_directory(const char *path, mode_t mode)
{
    _cleanup_(freep) char *part = strdup(path);

    if (!part)
        return -ENOMEM;
    for (size_t size = strlen(part); size > 1 && part[size - 1] == '/'; size--)
        part[size - 1] = '\0'; /* else the directory itself would be made as a parent */
    for (char *slash = strchr(part, '/'); slash; slash = strchr(slash + 1, '/')) {
        int r;

        if (slash == part)
            continue;
        *slash = '\0';
        r = file_make_one_directory(part, 0755);
        if (r < 0)
            return r;
        *slash = '/';
    }
    return file_make_one_directory(part, mode);
}
