/*
 * Reading files, whose they are, and making folders.
 */

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "tests/unit/directory.h"

/* ---- file_read() ---- */

/* At the ceiling and one past it, around the sizes at which it is read in pieces. */
static void test_read_sizes(void **state)
{
    static const size_t sizes[] = {0, 1, 4095, 4096, 4097, 8192, 12345, 100000};
    Directory *directory = *state;
    char *bytes = malloc(100000);

    for (size_t i = 0; i < 100000; i++)
        bytes[i] = (char)(i * 7 + i / 256);
    for (size_t i = 0; i < N_ELEMENTS(sizes); i++) {
        size_t size = sizes[i];
        Buffer buffer = BUFFER_INIT(size);
        struct stat st;

        directory_put(directory->fd, "f", bytes, size);
        assert_int_equal(file_read(directory->fd, "f", &buffer, &st), 0);
        assert_int_equal(st.st_size, size);
        assert_true(S_ISREG(st.st_mode));
        assert_int_equal(buffer_size(&buffer), size);
        if (size > 0)
            assert_memory_equal(buffer_data(&buffer), bytes, size);
        buffer_deinit(&buffer);

        if (size > 0) {
            buffer_init(&buffer, size - 1);
            memset(&st, 0, sizeof(st));
            assert_int_equal(file_read(directory->fd, "f", &buffer, &st), FILE_E_TOO_BIG);
            assert_int_equal(st.st_size, size);
            buffer_deinit(&buffer);
        }
        buffer_init(&buffer, size + 1);
        assert_int_equal(file_read(directory->fd, "f", &buffer, NULL), 0);
        assert_int_equal(buffer_size(&buffer), size);
        buffer_deinit(&buffer);
    }
    free(bytes);
}

/* Files of the kernel say that they are empty. */
static void test_read_proc(void **state)
{
    Buffer buffer = BUFFER_INIT(64 * 1024), exact;
    struct stat st;
    size_t size;

    (void)state;
    assert_int_equal(file_read(AT_FDCWD, "/proc/version", &buffer, &st), 0);
    assert_int_equal(st.st_size, 0);
    size = buffer_size(&buffer);
    assert_true(size > 10);
    assert_memory_equal(buffer_data(&buffer), "Linux", 5);

    buffer_init(&exact, size);
    assert_int_equal(file_read(AT_FDCWD, "/proc/version", &exact, NULL), 0);
    assert_int_equal(buffer_size(&exact), size);
    buffer_deinit(&exact);
    buffer_init(&exact, size - 1);
    assert_int_equal(file_read(AT_FDCWD, "/proc/version", &exact, NULL), FILE_E_TOO_BIG);
    buffer_deinit(&exact);
    buffer_init(&exact, 0);
    assert_int_equal(file_read(AT_FDCWD, "/proc/version", &exact, NULL), FILE_E_TOO_BIG);
    buffer_deinit(&exact);
    buffer_deinit(&buffer);
}

/* What the buffer holds already stays, and counts. */
static void test_read_appends(void **state)
{
    Directory *directory = *state;
    Buffer buffer = BUFFER_INIT(7);

    directory_put(directory->fd, "f", "abc", 3);
    assert_int_equal(buffer_append_string(&buffer, "1234"), 0);
    assert_int_equal(file_read(directory->fd, "f", &buffer, NULL), 0);
    assert_int_equal(buffer_size(&buffer), 7);
    assert_memory_equal(buffer_data(&buffer), "1234abc", 7);
    assert_int_equal(file_read(directory->fd, "f", &buffer, NULL), FILE_E_TOO_BIG);
    buffer_deinit(&buffer);
}

static void test_read_missing(void **state)
{
    Directory *directory = *state;
    Buffer buffer = BUFFER_INIT(10);

    directory_put(directory->fd, "f", "", 0);
    assert_int_equal(file_read(directory->fd, "none", &buffer, NULL), -ENOENT);
    assert_int_equal(file_read(directory->fd, "", &buffer, NULL), -ENOENT);
    assert_int_equal(file_read(directory->fd, "none/f", &buffer, NULL), -ENOENT);
    assert_int_equal(file_read(directory->fd, "f/f", &buffer, NULL), -ENOTDIR);
    assert_int_equal(symlinkat("none", directory->fd, "dangling"), 0);
    assert_int_equal(file_read(directory->fd, "dangling", &buffer, NULL), -ENOENT);
    assert_int_equal(symlinkat("loop", directory->fd, "loop"), 0);
    assert_int_equal(file_read(directory->fd, "loop", &buffer, NULL), -ELOOP);
    assert_int_equal(buffer_size(&buffer), 0);
    buffer_deinit(&buffer);
}

/* What may not be read is no other kind of file. */
static void test_read_forbidden(void **state)
{
    Directory *directory = *state;
    Buffer buffer = BUFFER_INIT(10);
    bool was_root;
    int r;

    directory_put(directory->fd, "f", "abc", 3);
    assert_int_equal(fchmodat(directory->fd, "f", 0, 0), 0);
    assert_int_equal(fchmod(directory->fd, 0755), 0);
    was_root = directory_give_up_root();
    r = file_read(directory->fd, "f", &buffer, NULL);
    directory_take_root(was_root);
    assert_int_equal(r, -EACCES);
    buffer_deinit(&buffer);
}

static void test_read_symlink(void **state)
{
    Directory *directory = *state;
    struct stat st;
    Buffer buffer = BUFFER_INIT(10);

    directory_put(directory->fd, "f", "abc", 3);
    assert_int_equal(symlinkat("f", directory->fd, "link"), 0);
    assert_int_equal(file_read(directory->fd, "link", &buffer, &st), 0);
    assert_true(S_ISREG(st.st_mode)); /* of the file, not of the link */
    assert_memory_equal(buffer_data(&buffer), "abc", 3);
    buffer_deinit(&buffer);
}

static void assert_not_regular(int dirfd, const char *name, mode_t type)
{
    Buffer buffer = BUFFER_INIT(10);
    struct stat st = {};

    assert_int_equal(file_read(dirfd, name, &buffer, &st), FILE_E_NOT_REGULAR);
    assert_int_equal(st.st_mode & S_IFMT, type);
    assert_int_equal(buffer_size(&buffer), 0);
    assert_int_equal(file_read(dirfd, name, &buffer, NULL), FILE_E_NOT_REGULAR);
    buffer_deinit(&buffer);
}

static void test_read_not_regular(void **state)
{
    Directory *directory = *state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    _cleanup_(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_not_regular(directory->fd, ".", S_IFDIR);
    assert_not_regular(AT_FDCWD, "/dev/null", S_IFCHR);
    assert_not_regular(AT_FDCWD, "/dev/zero", S_IFCHR);
    assert_int_equal(mkfifoat(directory->fd, "pipe", 0600), 0);
    (void)alarm(10); /* a pipe that nobody writes must not hang */
    assert_not_regular(directory->fd, "pipe", S_IFIFO);
    (void)alarm(0);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", directory->path);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_not_regular(directory->fd, "socket", S_IFSOCK);
    assert_int_equal(symlinkat("socket", directory->fd, "link"), 0);
    assert_not_regular(directory->fd, "link", S_IFSOCK);
}

/* ---- file_is_foreign() ---- */

static void test_is_foreign(void **state)
{
    static const struct {
        mode_t mode;
        bool is_foreign;
    } cases[] = {
        {0600, false}, {0644, false}, {0444, false}, {0755, false}, {0777 & ~022, false},
        {0620, true},  {0602, true},  {0666, true},  {0020, true},  {0002, true},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        struct stat st = {.st_mode = S_IFREG | cases[i].mode, .st_uid = geteuid()};

        assert_int_equal(file_is_foreign(&st), cases[i].is_foreign);
        st.st_uid = 0;
        assert_int_equal(file_is_foreign(&st), cases[i].is_foreign);
        st.st_uid = geteuid() + 1;
        assert_true(file_is_foreign(&st));
    }
}

/* To an ordinary user: root's files are as good as one's own. */
static void test_is_foreign_to_nobody(void **state)
{
    struct stat roots = {.st_mode = S_IFREG | 0644, .st_uid = 0};
    struct stat own = {.st_mode = S_IFREG | 0644, .st_uid = DIRECTORY_NOBODY};
    struct stat others = {.st_mode = S_IFREG | 0644, .st_uid = 1000};
    bool was_root = directory_give_up_root(), is_foreign[3];

    (void)state;
    own.st_uid = geteuid();
    others.st_uid = geteuid() + 1;
    is_foreign[0] = file_is_foreign(&roots);
    is_foreign[1] = file_is_foreign(&own);
    is_foreign[2] = file_is_foreign(&others);
    directory_take_root(was_root);
    assert_false(is_foreign[0]);
    assert_false(is_foreign[1]);
    assert_true(is_foreign[2]);
}

/* ---- file_make_directory() ---- */

/* Makes PATH below the test's directory, and says what came of it. */
static int make_directory(const Directory *directory, const char *path, mode_t mode)
{
    char whole[300];

    (void)snprintf(whole, sizeof(whole), "%s/%s", directory->path, path);
    return file_make_directory(whole, mode);
}

static void assert_directory(int dirfd, const char *path, mode_t mode)
{
    struct stat st;

    assert_int_equal(fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW), 0);
    assert_int_equal(st.st_mode, S_IFDIR | mode);
}

/* The mode is the one that was asked for, whatever the umask; what is there keeps its own. */
static void test_make_directory(void **state)
{
    Directory *directory = *state;
    mode_t mask = umask(0077);

    assert_int_equal(make_directory(directory, "a/b/c", 0711), 0);
    assert_directory(directory->fd, "a", 0755);
    assert_directory(directory->fd, "a/b", 0755);
    assert_directory(directory->fd, "a/b/c", 0711);
    assert_int_equal(make_directory(directory, "a/b", 0700), 0);
    assert_directory(directory->fd, "a/b", 0755);
    assert_int_equal(make_directory(directory, "a/b/d", 0700), 0);
    assert_directory(directory->fd, "a/b/d", 0700);
    (void)umask(0);
    assert_int_equal(make_directory(directory, "a/b/e", 0700), 0);
    assert_directory(directory->fd, "a/b/e", 0700);
    /* Slashes that mean nothing do not make the last one a parent. */
    assert_int_equal(make_directory(directory, "a//b///f//", 0700), 0);
    assert_directory(directory->fd, "a/b/f", 0700);
    (void)umask(mask);
    assert_int_equal(file_make_directory("/", 0700), 0);
    assert_int_equal(file_make_directory("", 0700), -ENOENT);
    for (const char *const *path =
             (const char *const[]){"a/b/c", "a/b/d", "a/b/e", "a/b/f", "a/b", NULL};
         *path; path++)
        assert_int_equal(unlinkat(directory->fd, *path, AT_REMOVEDIR), 0);
}

static void test_make_directory_blocked(void **state)
{
    Directory *directory = *state;

    directory_put(directory->fd, "f", "abc", 3);
    assert_int_equal(make_directory(directory, "f", 0700), -ENOTDIR);
    assert_int_equal(make_directory(directory, "f/a", 0700), -ENOTDIR);
    assert_int_equal(make_directory(directory, "f/a/b", 0700), -ENOTDIR);
    directory_assert_content(directory->fd, "f", "abc");
    /* A link to a directory is as good as one, and one to nowhere is none. */
    assert_int_equal(symlinkat(".", directory->fd, "link"), 0);
    assert_int_equal(make_directory(directory, "link", 0700), 0);
    assert_int_equal(make_directory(directory, "link/a", 0700), 0);
    assert_directory(directory->fd, "a", 0700);
    assert_int_equal(symlinkat("none", directory->fd, "dangling"), 0);
    assert_int_equal(make_directory(directory, "dangling", 0700), -ENOENT);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, directory_setup, directory_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_read_sizes),
        TEST(test_read_proc),
        TEST(test_read_appends),
        TEST(test_read_missing),
        TEST(test_read_forbidden),
        TEST(test_read_symlink),
        TEST(test_read_not_regular),
        TEST(test_is_foreign),
        TEST(test_is_foreign_to_nobody),
        TEST(test_make_directory),
        TEST(test_make_directory_blocked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
