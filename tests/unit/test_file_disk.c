/*
 * Replacing a file on a disk that does less than it was asked for, or fails.
 */

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "tests/unit/directory.h"

/*
 * In front of the C library's calls of these names: to see in which order they come, to write less at a
 * time than was asked for, and to fail as a disk does.
 */
static struct {
    char calls[256];
    size_t write_max;   /* bytes that one writev() takes; 0: all */
    const char *fails;  /* the call that fails with EIO, */
    size_t fails_after; /* after so many that do not */
    size_t fails_again; /* and so many after it */
    bool has_no_exchange;
} disk;

ssize_t writev(int fd, const struct iovec *pieces, int n);
int fsync(int fd);
int linkat(int from_dirfd, const char *from, int to_dirfd, const char *to, int flags);
int renameat(int from_dirfd, const char *from, int to_dirfd, const char *to);
int renameat2(int from_dirfd, const char *from, int to_dirfd, const char *to, unsigned flags);

static bool disk_fails(const char *call, const char *what)
{
    size_t n = strlen(disk.calls);

    (void)snprintf(disk.calls + n, sizeof(disk.calls) - n, "%s%s%s ", call, *what ? ":" : "", what);
    if (!disk.fails || strcmp(call, disk.fails) != 0)
        return false;
    if (disk.fails_after > 0) {
        disk.fails_after--;
        return false;
    }
    if (disk.fails_again == 0)
        disk.fails_after = SIZE_MAX;
    else
        disk.fails_again--;
    errno = EIO;
    return true;
}

ssize_t writev(int fd, const struct iovec *pieces, int n)
{
    if (disk.fails && disk_fails("write", ""))
        return -1;
    if (disk.write_max == 0)
        return syscall(SYS_writev, fd, pieces, n);
    while (n > 1 && pieces->iov_len == 0) {
        pieces++;
        n--;
    }
    return write(fd, pieces->iov_base,
                 pieces->iov_len < disk.write_max ? pieces->iov_len : disk.write_max);
}

int fsync(int fd)
{
    struct stat st;

    assert_int_equal(fstat(fd, &st), 0);
    return disk_fails("sync", S_ISDIR(st.st_mode) ? "directory" : "file")
               ? -1
               : (int)syscall(SYS_fsync, fd);
}

int linkat(int from_dirfd, const char *from, int to_dirfd, const char *to, int flags)
{
    return disk_fails("link", to) ? -1
                                  : (int)syscall(SYS_linkat, from_dirfd, from, to_dirfd, to, flags);
}

int renameat(int from_dirfd, const char *from, int to_dirfd, const char *to)
{
    return disk_fails("rename", to)
               ? -1
               : (int)syscall(SYS_renameat2, from_dirfd, from, to_dirfd, to, 0);
}

int renameat2(int from_dirfd, const char *from, int to_dirfd, const char *to, unsigned flags)
{
    if (disk.has_no_exchange) {
        errno = EINVAL;
        return -1;
    }
    return disk_fails("exchange", to)
               ? -1
               : (int)syscall(SYS_renameat2, from_dirfd, from, to_dirfd, to, flags);
}

/* A disk that takes a few bytes at a time. */
static void test_replace_short_writes(void **state)
{
    Directory *directory = *state;

    for (size_t max = 1; max < 8; max++) {
        char text[] = "onea second3";
        struct iovec pieces[] = {{text, 0},     {text, 3},      {text + 3, 0},
                                 {text + 3, 8}, {text + 11, 1}, {text, 0}};

        disk.write_max = max;
        assert_int_equal(file_replace(directory->fd, "r", true, pieces, N_ELEMENTS(pieces)), 0);
        disk.write_max = 0;
        directory_assert_content(directory->fd, "r", "onea second3");
    }
}

/* The order is what makes it durable: content before the name, the name before success. */
static void test_replace_order(void **state)
{
    Directory *directory = *state;

    assert_int_equal(directory_replace(directory->fd, "r", "one"), 0);
    memset(&disk, 0, sizeof(disk));
    assert_int_equal(directory_replace(directory->fd, "r", "two"), 0);
    assert_string_equal(disk.calls, "sync:file link:r.old rename:r~ rename:r sync:directory ");
    memset(&disk, 0, sizeof(disk));
    assert_int_equal(directory_replace(directory->fd, "r", "three"), 0);
    assert_string_equal(disk.calls, "sync:file exchange:r~ exchange:r sync:directory ");
}

/* Either exchange fails, or there is none on this file system: then it is done by links, as well. */
static void test_replace_without_exchange(void **state)
{
    Directory *directory = *state;

    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(directory_replace(directory->fd, "r", "older"), 0);
        assert_int_equal(directory_replace(directory->fd, "r", "old"), 0);
        memset(&disk, 0, sizeof(disk));
        disk.has_no_exchange = i == 2;
        disk.fails = i < 2 ? "exchange" : NULL;
        disk.fails_after = i;
        assert_int_equal(directory_replace(directory->fd, "r", "new"), 0);
        assert_non_null(strstr(disk.calls, "link:r.old rename:r~ rename:r sync:directory "));
        memset(&disk, 0, sizeof(disk));
        directory_assert_content(directory->fd, "r", "new");
        directory_assert_content(directory->fd, "r~", "old");
        directory_assert_mode(directory->fd, "r", 0600);
        directory_assert_missing(directory->fd, "r.new");
    }
}

/* What has been exchanged cannot be exchanged back: that is no commit, and what lies there for the next one is no document. */
static void test_replace_half_exchanged(void **state)
{
    Directory *directory = *state;

    assert_int_equal(directory_replace(directory->fd, "r", "older"), 0);
    assert_int_equal(directory_replace(directory->fd, "r", "old"), 0);
    memset(&disk, 0, sizeof(disk));
    disk.fails = "exchange";
    disk.fails_after = 1;
    disk.fails_again = 1;
    assert_int_equal(directory_replace(directory->fd, "r", "new"), -EIO);
    memset(&disk, 0, sizeof(disk));
    directory_assert_content(directory->fd, "r", "old");
    directory_assert_missing(directory->fd, "r.new");
    assert_int_equal(directory_replace(directory->fd, "r", "newer"), 0);
    directory_assert_content(directory->fd, "r", "newer");
    directory_assert_content(directory->fd, "r~", "old");
}

/* Each step fails in turn: the document is the old one, whole, and nothing else lies about. */
static void test_replace_fails(void **state)
{
    static const struct {
        const char *call;
        size_t after;
        bool is_exchangeable;
    } rows[] = {
        {"write", 0, false}, {"write", 0, true},   {"sync", 0, false},   {"sync", 0, true},
        {"link", 0, false},  {"rename", 0, false}, {"rename", 1, false},
    };
    Directory *directory = *state;

    assert_int_equal(directory_replace(directory->fd, "r", "older"), 0);
    assert_int_equal(directory_replace(directory->fd, "r", "old"), 0);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        memset(&disk, 0, sizeof(disk));
        disk.has_no_exchange = !rows[i].is_exchangeable;
        disk.fails = rows[i].call;
        disk.fails_after = rows[i].after;
        assert_int_equal(directory_replace(directory->fd, "r", "new"), -EIO);
        disk.fails = NULL;
        directory_assert_content(directory->fd, "r", "old");
        directory_assert_missing(directory->fd, "r.new");
    }
    /* Only the last is too late. */
    memset(&disk, 0, sizeof(disk));
    disk.fails = "sync";
    disk.fails_after = 1;
    assert_int_equal(directory_replace(directory->fd, "r", "new"), -EIO);
    memset(&disk, 0, sizeof(disk));
    directory_assert_content(directory->fd, "r", "new");
    directory_assert_content(directory->fd, "r~", "old");
    directory_assert_mode(directory->fd, "r", 0400);
}

/* Read before it is known to be durable: whoever relies on it can make sure. */
static void test_settle(void **state)
{
    Directory *directory = *state;
    struct stat st;

    assert_int_equal(directory_replace(directory->fd, "r", "one"), 0);
    assert_int_equal(fstatat(directory->fd, "r", &st, 0), 0);
    assert_false(file_is_unsettled(&st));
    disk.fails = "sync";
    disk.fails_after = 1;
    assert_int_equal(directory_replace(directory->fd, "r", "two"), -EIO);
    assert_int_equal(fstatat(directory->fd, "r", &st, 0), 0);
    assert_true(file_is_unsettled(&st));

    /* Both syncs must work. */
    for (size_t i = 0; i < 2; i++) {
        disk.fails_after = i;
        assert_int_equal(file_settle(directory->fd, "r"), -EIO);
        directory_assert_mode(directory->fd, "r", 0400);
    }
    memset(&disk, 0, sizeof(disk));
    assert_int_equal(file_settle(directory->fd, "r"), 0);
    assert_string_equal(disk.calls, "sync:file sync:directory ");
    directory_assert_mode(directory->fd, "r", 0600);
    assert_int_equal(file_settle(directory->fd, "nothing"), -ENOENT);
}

/* What is there is not worth keeping: the one before stays, and nothing is ever without one of them. */
static void test_replace_keeps_the_older(void **state)
{
    Directory *directory = *state;
    struct iovec piece = {(char *)"new", 3};

    directory_put(directory->fd, "r", "bro", 3);
    directory_put(directory->fd, "r~", "good", 4);
    memset(&disk, 0, sizeof(disk));
    assert_int_equal(file_replace(directory->fd, "r", false, &piece, 1), 0);
    assert_string_equal(disk.calls, "sync:file rename:r sync:directory ");
    directory_assert_content(directory->fd, "r", "new");
    directory_assert_content(directory->fd, "r~", "good");

    assert_int_equal(unlinkat(directory->fd, "r", 0), 0);
    assert_int_equal(directory_replace(directory->fd, "r", "newer"), 0);
    directory_assert_content(directory->fd, "r~", "good");

    /* Both are the same file, since a run was killed between the link and the new one; and its leftover. */
    assert_int_equal(unlinkat(directory->fd, "r~", 0), 0);
    assert_int_equal(linkat(directory->fd, "r", directory->fd, "r~", 0), 0);
    directory_put(directory->fd, "r.old", "x", 1);
    assert_int_equal(directory_replace(directory->fd, "r", "newest"), 0);
    directory_assert_content(directory->fd, "r", "newest");
    directory_assert_content(directory->fd, "r~", "newer");
    directory_assert_missing(directory->fd, "r.old");
}

static void test_sync_directory(void **state)
{
    Directory *directory = *state;

    memset(&disk, 0, sizeof(disk));
    assert_int_equal(file_sync_directory(directory->fd, ".."), 0);
    assert_string_equal(disk.calls, "sync:directory ");
    assert_int_equal(file_sync_directory(directory->fd, "nothing"), -ENOENT);
    disk.fails = "sync";
    assert_int_equal(file_sync_directory(AT_FDCWD, "/"), -EIO);
    memset(&disk, 0, sizeof(disk));
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, directory_setup, directory_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_replace_short_writes),
        TEST(test_replace_order),
        TEST(test_replace_without_exchange),
        TEST(test_replace_half_exchanged),
        TEST(test_replace_fails),
        TEST(test_settle),
        TEST(test_replace_keeps_the_older),
        TEST(test_sync_directory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
