#include "tests/unit/directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/file.h"

bool directory_give_up_root(void)
{
    if (geteuid() != 0)
        return false;
    if (seteuid(DIRECTORY_NOBODY) < 0) {
        print_message("cannot give up root here\n");
        skip();
    }
    return true;
}

void directory_take_root(bool was_root)
{
    if (was_root)
        assert_int_equal(seteuid(0), 0);
}

int directory_setup(void **state)
{
    Directory *directory = calloc(1, sizeof(*directory));
    const char *tmp = getenv("TMPDIR");

    if (!tmp || strlen(tmp) > 32)
        tmp = "/tmp";
    (void)snprintf(directory->path, sizeof(directory->path), "%s/test_directory.XXXXXX", tmp);
    if (!mkdtemp(directory->path))
        return -1;
    directory->fd = open(directory->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *state = directory;
    return directory->fd < 0 ? -1 : 0;
}

int directory_teardown(void **state)
{
    Directory *directory = *state;
    DIR *entries = fdopendir(directory->fd);

    rewinddir(entries);
    for (struct dirent *entry; (entry = readdir(entries));)
        if (unlinkat(directory->fd, entry->d_name, 0) < 0)
            (void)unlinkat(directory->fd, entry->d_name, AT_REMOVEDIR);
    (void)closedir(entries);
    (void)rmdir(directory->path);
    free(directory);
    return 0;
}

void directory_put(int dirfd, const char *name, const void *data, size_t size)
{
    _cleanup_(closep) int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, size), size);
}

void directory_assert_content(int dirfd, const char *name, const char *expected)
{
    Buffer buffer = BUFFER_INIT(1000);

    assert_int_equal(file_read(dirfd, name, &buffer, NULL), 0);
    assert_int_equal(buffer_size(&buffer), strlen(expected));
    if (*expected)
        assert_memory_equal(buffer_data(&buffer), expected, strlen(expected));
    buffer_deinit(&buffer);
}

void directory_assert_missing(int dirfd, const char *name)
{
    assert_int_equal(faccessat(dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW), -1);
    assert_int_equal(errno, ENOENT);
}

void directory_assert_spare(int dirfd, const char *name)
{
    struct stat st;

    assert_int_equal(fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
    assert_true(S_ISREG(st.st_mode));
    assert_int_equal(st.st_size, 0);
    assert_int_equal(st.st_mode & 077, 0);
}

int directory_replace(int dirfd, const char *name, const char *text)
{
    struct iovec piece = {(char *)text, strlen(text)};

    return file_replace(dirfd, name, true, &piece, 1);
}

void directory_assert_mode(int dirfd, const char *name, mode_t mode)
{
    struct stat st;

    assert_int_equal(fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
    assert_int_equal(st.st_mode, S_IFREG | mode);
}
