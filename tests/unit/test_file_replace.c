/*
 * Replacing a file: what is there afterwards, whatever was there before.
 */

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "tests/unit/directory.h"

static void test_replace(void **state)
{
    Directory *directory = *state;
    mode_t mask = umask(0); /* not even then are others let in */

    assert_int_equal(directory_replace(directory->fd, "r", "one"), 0);
    directory_assert_content(directory->fd, "r", "one");
    directory_assert_missing(directory->fd, "r~");
    directory_assert_missing(directory->fd, "r.new");
    directory_assert_mode(directory->fd, "r", 0600);

    assert_int_equal(directory_replace(directory->fd, "r", "the second"), 0);
    directory_assert_content(directory->fd, "r", "the second");
    directory_assert_content(directory->fd, "r~", "one");

    assert_int_equal(directory_replace(directory->fd, "r", ""), 0);
    directory_assert_content(directory->fd, "r", "");
    directory_assert_content(directory->fd, "r~", "the second");
    directory_assert_spare(directory->fd, "r.new");
    directory_assert_mode(directory->fd, "r", 0600);
    directory_assert_mode(directory->fd, "r~", 0600);

    /* A mode that someone widened does not come back. */
    assert_int_equal(fchmodat(directory->fd, "r", 0666, 0), 0);
    assert_int_equal(directory_replace(directory->fd, "r", "four"), 0);
    directory_assert_mode(directory->fd, "r", 0600);
    (void)umask(mask);
}

static void test_replace_pieces(void **state)
{
    enum { N = 2 * IOV_MAX + 7 };
    static struct iovec pieces[N];
    static char expected[N];
    Directory *directory = *state;
    Buffer buffer = BUFFER_INIT(N);
    size_t n = 0;

    /* More than one writev(2) takes, some of them empty, the first and the last too. */
    for (size_t i = 0; i < N; i++) {
        expected[n] = (char)('a' + i % 26);
        pieces[i] = (struct iovec){&expected[n], i % 3 != 0};
        n += pieces[i].iov_len;
    }
    pieces[N - 1].iov_len = 0;
    n -= (N - 1) % 3 != 0;
    assert_int_equal(file_replace(directory->fd, "r", true, pieces, N), 0);
    assert_int_equal(file_read(directory->fd, "r", &buffer, NULL), 0);
    assert_int_equal(buffer_size(&buffer), n);
    assert_memory_equal(buffer_data(&buffer), expected, n);
    buffer_deinit(&buffer);

    assert_int_equal(file_replace(directory->fd, "r", true, NULL, 0), 0);
    directory_assert_content(directory->fd, "r", "");
    pieces[0].iov_len = pieces[1].iov_len = 0;
    assert_int_equal(file_replace(directory->fd, "r", true, pieces, 2), 0);
    directory_assert_content(directory->fd, "r", "");
}

/* Three files serve for good: none is made, and none removed. */
static void test_replace_exchanges(void **state)
{
    static const char *const names[] = {"r", "r~", "r.new"};
    Directory *directory = *state;
    ino_t inodes[3], sum = 0;

    for (size_t i = 0; i < 3; i++)
        assert_int_equal(directory_replace(directory->fd, "r", "some"), 0);
    for (size_t i = 0; i < 3; i++) {
        struct stat st;

        assert_int_equal(fstatat(directory->fd, names[i], &st, 0), 0);
        inodes[i] = st.st_ino;
        sum += st.st_ino;
    }
    assert_true(inodes[0] != inodes[1] && inodes[1] != inodes[2] && inodes[0] != inodes[2]);
    for (char text[] = "a longer one"; text[0] < 'k'; text[0]++) {
        ino_t now = 0;

        assert_int_equal(directory_replace(directory->fd, "r", text), 0);
        directory_assert_content(directory->fd, "r", text);
        text[0]--;
        directory_assert_content(directory->fd, "r~", text[0] < 'a' ? "some" : text);
        text[0]++;
        directory_assert_spare(directory->fd, "r.new");
        for (size_t i = 0; i < 3; i++) {
            struct stat st;

            assert_int_equal(fstatat(directory->fd, names[i], &st, 0), 0);
            now += st.st_ino;
        }
        assert_int_equal(now, sum);
    }
}

/* Killed at any moment of it: a spare that is not empty, or not ours alone, is not written through. */
static void test_replace_spare(void **state)
{
    Directory *directory = *state;
    struct stat before, after;
    int fd;

    for (size_t i = 0; i < 3; i++)
        assert_int_equal(directory_replace(directory->fd, "r", "some"), 0);
    assert_int_equal(linkat(directory->fd, "r.new", directory->fd, "victim", 0), 0);
    assert_int_equal(directory_replace(directory->fd, "r", "more"), 0);
    directory_assert_content(directory->fd, "victim", "");

    /* The older document has two names: it is not emptied under the one. */
    assert_int_equal(unlinkat(directory->fd, "victim", 0), 0);
    assert_int_equal(linkat(directory->fd, "r~", directory->fd, "victim", 0), 0);
    assert_int_equal(directory_replace(directory->fd, "r", "most"), 0);
    directory_assert_content(directory->fd, "r", "most");
    directory_assert_content(directory->fd, "r~", "more");
    directory_assert_content(directory->fd, "victim", "some");

    assert_int_equal(directory_replace(directory->fd, "r", "other"), 0);
    directory_put(directory->fd, "r.new", "half", 4);
    fd = openat(directory->fd, "r.new",
                O_RDONLY | O_CLOEXEC); /* so that its number is not used again */
    assert_int_equal(directory_replace(directory->fd, "r", "short"), 0);
    assert_int_equal(fstat(fd, &before), 0);
    assert_int_equal(close(fd), 0);
    directory_assert_content(directory->fd, "r", "short");
    assert_int_equal(fstatat(directory->fd, "r", &after, 0), 0);
    assert_true(before.st_ino != after.st_ino);
    directory_assert_spare(directory->fd, "r.new");
}

/* Larger than a pipe or a page cache would take at once. */
static void test_replace_large(void **state)
{
    const size_t size = 3 * 1024 * 1024 + 1;
    Directory *directory = *state;
    Buffer buffer = BUFFER_INIT(2 * size);
    char *bytes = malloc(size);
    struct iovec pieces[2] = {{bytes, size}, {bytes, size}};

    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)(i * 31 + i / 997);
    assert_int_equal(file_replace(directory->fd, "r", true, pieces, 2), 0);
    assert_int_equal(file_read(directory->fd, "r", &buffer, NULL), 0);
    assert_int_equal(buffer_size(&buffer), 2 * size);
    assert_memory_equal(buffer_data(&buffer), bytes, size);
    assert_memory_equal(buffer_data(&buffer) + size, bytes, size);
    buffer_deinit(&buffer);
    free(bytes);
}

/* What a crash left in the way is removed; a link that somebody laid there is not followed. */
static void test_replace_leftovers(void **state)
{
    Directory *directory = *state;

    directory_put(directory->fd, "r", "old", 3);
    directory_put(directory->fd, "r.new", "half of a docu", 14);
    directory_put(directory->fd, "r~", "older", 5);
    directory_put(directory->fd, "victim", "victim", 6);
    assert_int_equal(directory_replace(directory->fd, "r", "new"), 0);
    directory_assert_content(directory->fd, "r", "new");
    directory_assert_content(directory->fd, "r~", "old");
    directory_assert_spare(directory->fd, "r.new");

    assert_int_equal(unlinkat(directory->fd, "r.new", 0), 0);
    assert_int_equal(symlinkat("victim", directory->fd, "r.new"), 0);
    assert_int_equal(unlinkat(directory->fd, "r~", 0), 0);
    assert_int_equal(symlinkat("victim", directory->fd, "r~"), 0);
    assert_int_equal(directory_replace(directory->fd, "r", "newer"), 0);
    directory_assert_content(directory->fd, "r", "newer");
    directory_assert_content(directory->fd, "r~", "new");
    directory_assert_mode(directory->fd, "r", 0600);
    directory_assert_mode(directory->fd, "r~", 0600);
    directory_assert_content(directory->fd, "victim", "victim");

    /* A hard link to something else is cut, not written through. */
    assert_int_equal(linkat(directory->fd, "victim", directory->fd, "r.new", 0), 0);
    assert_int_equal(directory_replace(directory->fd, "r", "newest"), 0);
    directory_assert_content(directory->fd, "victim", "victim");
    directory_assert_content(directory->fd, "r", "newest");
}

/* The document itself is a link: it is replaced, what it led to stays. */
static void test_replace_symlink(void **state)
{
    Directory *directory = *state;
    char target[16] = {};

    directory_put(directory->fd, "victim", "victim", 6);
    assert_int_equal(symlinkat("victim", directory->fd, "r"), 0);
    assert_int_equal(directory_replace(directory->fd, "r", "new"), 0);
    directory_assert_mode(directory->fd, "r", 0600);
    directory_assert_content(directory->fd, "r", "new");
    directory_assert_content(directory->fd, "victim", "victim");
    assert_int_equal(readlinkat(directory->fd, "r~", target, sizeof(target)), 6);
}

/* Something that cannot be removed stands where a file must go. */
static void test_replace_blocked(void **state)
{
    Directory *directory = *state;

    directory_put(directory->fd, "r", "old", 3);
    assert_int_equal(mkdirat(directory->fd, "r.new", 0700), 0);
    assert_true(directory_replace(directory->fd, "r", "new") < 0);
    directory_assert_content(directory->fd, "r", "old");
    directory_assert_missing(directory->fd, "r~");
    assert_int_equal(unlinkat(directory->fd, "r.new", AT_REMOVEDIR), 0);

    assert_int_equal(mkdirat(directory->fd, "r~", 0700), 0);
    assert_true(directory_replace(directory->fd, "r", "new") < 0);
    directory_assert_content(directory->fd, "r", "old");
    directory_assert_missing(directory->fd, "r.new"); /* no secret lies about */
    assert_int_equal(unlinkat(directory->fd, "r~", AT_REMOVEDIR), 0);

    assert_int_equal(unlinkat(directory->fd, "r", 0), 0);
    assert_int_equal(mkdirat(directory->fd, "r", 0700), 0);
    assert_true(directory_replace(directory->fd, "r", "new") < 0);
    directory_assert_missing(directory->fd, "r.new");
}

static void test_replace_full(void **state)
{
    Directory *directory = *state;
    struct rlimit before, small;
    int r;

    directory_put(directory->fd, "r", "old", 3);
    directory_put(directory->fd, "r~", "older", 5);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = (struct rlimit){4, before.rlim_max};
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    r = directory_replace(directory->fd, "r", "12345");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(r, -EFBIG);
    directory_assert_content(directory->fd, "r", "old");
    directory_assert_content(directory->fd, "r~", "older");
    directory_assert_missing(directory->fd, "r.new");

    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    r = directory_replace(directory->fd, "r", "1234");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    (void)signal(SIGXFSZ, SIG_DFL);
    assert_int_equal(r, 0);
    directory_assert_content(directory->fd, "r", "1234");
}

static void test_replace_read_only(void **state)
{
    Directory *directory = *state;
    bool was_root;
    int r;

    directory_put(directory->fd, "r", "old", 3);
    assert_int_equal(fchmod(directory->fd, 0555), 0);
    was_root = directory_give_up_root();
    r = directory_replace(directory->fd, "r", "new");
    directory_take_root(was_root);
    assert_int_equal(r, -EACCES);
    assert_int_equal(fchmod(directory->fd, 0755), 0);
    directory_assert_content(directory->fd, "r", "old");
    directory_assert_missing(directory->fd, "r.new");
    directory_assert_missing(directory->fd, "r~");
}

static void test_replace_nowhere(void **state)
{
    Directory *directory = *state;
    _cleanup_(closep) int fd = -1;

    assert_int_equal(directory_replace(-1, "r", "new"), -EBADF);
    /* The directory was removed under us. */
    assert_int_equal(mkdirat(directory->fd, "gone", 0700), 0);
    fd = openat(directory->fd, "gone", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(unlinkat(directory->fd, "gone", AT_REMOVEDIR), 0);
    assert_int_equal(directory_replace(fd, "r", "new"), -ENOENT);
}

/* The longest name that leaves room for ".new". */
static void test_replace_long_name(void **state)
{
    Directory *directory = *state;
    char name[NAME_MAX - 4];

    memset(name, 'n', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(directory_replace(directory->fd, name, "new"), 0);
    directory_assert_content(directory->fd, name, "new");
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, directory_setup, directory_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_replace_exchanges), TEST(test_replace_spare),   TEST(test_replace),
        TEST(test_replace_pieces),    TEST(test_replace_large),   TEST(test_replace_leftovers),
        TEST(test_replace_symlink),   TEST(test_replace_blocked), TEST(test_replace_full),
        TEST(test_replace_read_only), TEST(test_replace_nowhere), TEST(test_replace_long_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
