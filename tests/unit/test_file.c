#include "base/file.h"

#include <dirent.h>
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
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"

#define NOBODY 65534

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

/* Runs on as an ordinary user, to whom modes mean something; skips the test where that cannot be. */
static bool become_nobody(void)
{
    if (geteuid() != 0)
        return false;
    if (seteuid(NOBODY) < 0) {
        print_message("cannot give up root here\n");
        skip();
    }
    return true;
}

static void become_root(bool was_root)
{
    if (was_root)
        assert_int_equal(seteuid(0), 0);
}

/* A directory of its own for each test. */
typedef struct Directory {
    char path[64];
    int fd;
} Directory;

static int setup(void **state)
{
    Directory *directory = calloc(1, sizeof(*directory));
    const char *tmp = getenv("TMPDIR");

    if (!tmp || strlen(tmp) > 32)
        tmp = "/tmp";
    (void)snprintf(directory->path, sizeof(directory->path), "%s/test_file.XXXXXX", tmp);
    if (!mkdtemp(directory->path))
        return -1;
    directory->fd = open(directory->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *state = directory;
    return directory->fd < 0 ? -1 : 0;
}

static int teardown(void **state)
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

static void put(int dirfd, const char *name, const void *data, size_t size)
{
    _cleanup_(closep) int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, size), size);
}

static void assert_content(int dirfd, const char *name, const char *expected)
{
    Buffer buffer = BUFFER_INIT(1000);

    assert_int_equal(file_read(dirfd, name, &buffer, NULL), 0);
    assert_int_equal(buffer_size(&buffer), strlen(expected));
    if (*expected)
        assert_memory_equal(buffer_data(&buffer), expected, strlen(expected));
    buffer_deinit(&buffer);
}

static void assert_missing(int dirfd, const char *name)
{
    assert_int_equal(faccessat(dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW), -1);
    assert_int_equal(errno, ENOENT);
}

/* Where a commit went well, nothing is left but an empty file for the next one. */
static void assert_spare(int dirfd, const char *name)
{
    struct stat st;

    assert_int_equal(fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
    assert_true(S_ISREG(st.st_mode));
    assert_int_equal(st.st_size, 0);
    assert_int_equal(st.st_mode & 077, 0);
}

static int replace(int dirfd, const char *name, const char *text)
{
    struct iovec piece = {(char *)text, strlen(text)};

    return file_replace(dirfd, name, true, &piece, 1);
}

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

        put(directory->fd, "f", bytes, size);
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

    put(directory->fd, "f", "abc", 3);
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

    put(directory->fd, "f", "", 0);
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

    put(directory->fd, "f", "abc", 3);
    assert_int_equal(fchmodat(directory->fd, "f", 0, 0), 0);
    assert_int_equal(fchmod(directory->fd, 0755), 0);
    was_root = become_nobody();
    r = file_read(directory->fd, "f", &buffer, NULL);
    become_root(was_root);
    assert_int_equal(r, -EACCES);
    buffer_deinit(&buffer);
}

static void test_read_symlink(void **state)
{
    Directory *directory = *state;
    struct stat st;
    Buffer buffer = BUFFER_INIT(10);

    put(directory->fd, "f", "abc", 3);
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
    struct stat own = {.st_mode = S_IFREG | 0644, .st_uid = NOBODY};
    struct stat others = {.st_mode = S_IFREG | 0644, .st_uid = 1000};
    bool was_root = become_nobody(), is_foreign[3];

    (void)state;
    own.st_uid = geteuid();
    others.st_uid = geteuid() + 1;
    is_foreign[0] = file_is_foreign(&roots);
    is_foreign[1] = file_is_foreign(&own);
    is_foreign[2] = file_is_foreign(&others);
    become_root(was_root);
    assert_false(is_foreign[0]);
    assert_false(is_foreign[1]);
    assert_true(is_foreign[2]);
}

/* ---- file_replace() ---- */

static void assert_mode(int dirfd, const char *name, mode_t mode)
{
    struct stat st;

    assert_int_equal(fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
    assert_int_equal(st.st_mode, S_IFREG | mode);
}

static void test_replace(void **state)
{
    Directory *directory = *state;
    mode_t mask = umask(0); /* not even then are others let in */

    assert_int_equal(replace(directory->fd, "r", "one"), 0);
    assert_content(directory->fd, "r", "one");
    assert_missing(directory->fd, "r~");
    assert_missing(directory->fd, "r.new");
    assert_mode(directory->fd, "r", 0600);

    assert_int_equal(replace(directory->fd, "r", "the second"), 0);
    assert_content(directory->fd, "r", "the second");
    assert_content(directory->fd, "r~", "one");

    assert_int_equal(replace(directory->fd, "r", ""), 0);
    assert_content(directory->fd, "r", "");
    assert_content(directory->fd, "r~", "the second");
    assert_spare(directory->fd, "r.new");
    assert_mode(directory->fd, "r", 0600);
    assert_mode(directory->fd, "r~", 0600);

    /* A mode that someone widened does not come back. */
    assert_int_equal(fchmodat(directory->fd, "r", 0666, 0), 0);
    assert_int_equal(replace(directory->fd, "r", "four"), 0);
    assert_mode(directory->fd, "r", 0600);
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
    assert_content(directory->fd, "r", "");
    pieces[0].iov_len = pieces[1].iov_len = 0;
    assert_int_equal(file_replace(directory->fd, "r", true, pieces, 2), 0);
    assert_content(directory->fd, "r", "");
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
        assert_content(directory->fd, "r", "onea second3");
    }
}

/* The order is what makes it durable: content before the name, the name before success. */
static void test_replace_order(void **state)
{
    Directory *directory = *state;

    assert_int_equal(replace(directory->fd, "r", "one"), 0);
    memset(&disk, 0, sizeof(disk));
    assert_int_equal(replace(directory->fd, "r", "two"), 0);
    assert_string_equal(disk.calls, "sync:file link:r.old rename:r~ rename:r sync:directory ");
    memset(&disk, 0, sizeof(disk));
    assert_int_equal(replace(directory->fd, "r", "three"), 0);
    assert_string_equal(disk.calls, "sync:file exchange:r~ exchange:r sync:directory ");
}

/* Three files serve for good: none is made, and none removed. */
static void test_replace_exchanges(void **state)
{
    static const char *const names[] = {"r", "r~", "r.new"};
    Directory *directory = *state;
    ino_t inodes[3], sum = 0;

    for (size_t i = 0; i < 3; i++)
        assert_int_equal(replace(directory->fd, "r", "some"), 0);
    for (size_t i = 0; i < 3; i++) {
        struct stat st;

        assert_int_equal(fstatat(directory->fd, names[i], &st, 0), 0);
        inodes[i] = st.st_ino;
        sum += st.st_ino;
    }
    assert_true(inodes[0] != inodes[1] && inodes[1] != inodes[2] && inodes[0] != inodes[2]);
    for (char text[] = "a longer one"; text[0] < 'k'; text[0]++) {
        ino_t now = 0;

        assert_int_equal(replace(directory->fd, "r", text), 0);
        assert_content(directory->fd, "r", text);
        text[0]--;
        assert_content(directory->fd, "r~", text[0] < 'a' ? "some" : text);
        text[0]++;
        assert_spare(directory->fd, "r.new");
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
        assert_int_equal(replace(directory->fd, "r", "some"), 0);
    assert_int_equal(linkat(directory->fd, "r.new", directory->fd, "victim", 0), 0);
    assert_int_equal(replace(directory->fd, "r", "more"), 0);
    assert_content(directory->fd, "victim", "");

    /* The older document has two names: it is not emptied under the one. */
    assert_int_equal(unlinkat(directory->fd, "victim", 0), 0);
    assert_int_equal(linkat(directory->fd, "r~", directory->fd, "victim", 0), 0);
    assert_int_equal(replace(directory->fd, "r", "most"), 0);
    assert_content(directory->fd, "r", "most");
    assert_content(directory->fd, "r~", "more");
    assert_content(directory->fd, "victim", "some");

    assert_int_equal(replace(directory->fd, "r", "other"), 0);
    put(directory->fd, "r.new", "half", 4);
    fd = openat(directory->fd, "r.new",
                O_RDONLY | O_CLOEXEC); /* so that its number is not used again */
    assert_int_equal(replace(directory->fd, "r", "short"), 0);
    assert_int_equal(fstat(fd, &before), 0);
    assert_int_equal(close(fd), 0);
    assert_content(directory->fd, "r", "short");
    assert_int_equal(fstatat(directory->fd, "r", &after, 0), 0);
    assert_true(before.st_ino != after.st_ino);
    assert_spare(directory->fd, "r.new");
}

/* Either exchange fails, or there is none on this file system: then it is done by links, as well. */
static void test_replace_without_exchange(void **state)
{
    Directory *directory = *state;

    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(replace(directory->fd, "r", "older"), 0);
        assert_int_equal(replace(directory->fd, "r", "old"), 0);
        memset(&disk, 0, sizeof(disk));
        disk.has_no_exchange = i == 2;
        disk.fails = i < 2 ? "exchange" : NULL;
        disk.fails_after = i;
        assert_int_equal(replace(directory->fd, "r", "new"), 0);
        assert_non_null(strstr(disk.calls, "link:r.old rename:r~ rename:r sync:directory "));
        memset(&disk, 0, sizeof(disk));
        assert_content(directory->fd, "r", "new");
        assert_content(directory->fd, "r~", "old");
        assert_mode(directory->fd, "r", 0600);
        assert_missing(directory->fd, "r.new");
    }
}

/* What has been exchanged cannot be exchanged back: that is no commit, and what lies there for the next one is no document. */
static void test_replace_half_exchanged(void **state)
{
    Directory *directory = *state;

    assert_int_equal(replace(directory->fd, "r", "older"), 0);
    assert_int_equal(replace(directory->fd, "r", "old"), 0);
    memset(&disk, 0, sizeof(disk));
    disk.fails = "exchange";
    disk.fails_after = 1;
    disk.fails_again = 1;
    assert_int_equal(replace(directory->fd, "r", "new"), -EIO);
    memset(&disk, 0, sizeof(disk));
    assert_content(directory->fd, "r", "old");
    assert_missing(directory->fd, "r.new");
    assert_int_equal(replace(directory->fd, "r", "newer"), 0);
    assert_content(directory->fd, "r", "newer");
    assert_content(directory->fd, "r~", "old");
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

    assert_int_equal(replace(directory->fd, "r", "older"), 0);
    assert_int_equal(replace(directory->fd, "r", "old"), 0);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        memset(&disk, 0, sizeof(disk));
        disk.has_no_exchange = !rows[i].is_exchangeable;
        disk.fails = rows[i].call;
        disk.fails_after = rows[i].after;
        assert_int_equal(replace(directory->fd, "r", "new"), -EIO);
        disk.fails = NULL;
        assert_content(directory->fd, "r", "old");
        assert_missing(directory->fd, "r.new");
    }
    /* Only the last is too late. */
    memset(&disk, 0, sizeof(disk));
    disk.fails = "sync";
    disk.fails_after = 1;
    assert_int_equal(replace(directory->fd, "r", "new"), -EIO);
    memset(&disk, 0, sizeof(disk));
    assert_content(directory->fd, "r", "new");
    assert_content(directory->fd, "r~", "old");
    assert_mode(directory->fd, "r", 0400);
}

/* Read before it is known to be durable: whoever relies on it can make sure. */
static void test_settle(void **state)
{
    Directory *directory = *state;
    struct stat st;

    assert_int_equal(replace(directory->fd, "r", "one"), 0);
    assert_int_equal(fstatat(directory->fd, "r", &st, 0), 0);
    assert_false(file_is_unsettled(&st));
    disk.fails = "sync";
    disk.fails_after = 1;
    assert_int_equal(replace(directory->fd, "r", "two"), -EIO);
    assert_int_equal(fstatat(directory->fd, "r", &st, 0), 0);
    assert_true(file_is_unsettled(&st));

    /* Both syncs must work. */
    for (size_t i = 0; i < 2; i++) {
        disk.fails_after = i;
        assert_int_equal(file_settle(directory->fd, "r"), -EIO);
        assert_mode(directory->fd, "r", 0400);
    }
    memset(&disk, 0, sizeof(disk));
    assert_int_equal(file_settle(directory->fd, "r"), 0);
    assert_string_equal(disk.calls, "sync:file sync:directory ");
    assert_mode(directory->fd, "r", 0600);
    assert_int_equal(file_settle(directory->fd, "nothing"), -ENOENT);
}

/* What is there is not worth keeping: the one before stays, and nothing is ever without one of them. */
static void test_replace_keeps_the_older(void **state)
{
    Directory *directory = *state;
    struct iovec piece = {(char *)"new", 3};

    put(directory->fd, "r", "bro", 3);
    put(directory->fd, "r~", "good", 4);
    memset(&disk, 0, sizeof(disk));
    assert_int_equal(file_replace(directory->fd, "r", false, &piece, 1), 0);
    assert_string_equal(disk.calls, "sync:file rename:r sync:directory ");
    assert_content(directory->fd, "r", "new");
    assert_content(directory->fd, "r~", "good");

    assert_int_equal(unlinkat(directory->fd, "r", 0), 0);
    assert_int_equal(replace(directory->fd, "r", "newer"), 0);
    assert_content(directory->fd, "r~", "good");

    /* Both are the same file, since a run was killed between the link and the new one; and its leftover. */
    assert_int_equal(unlinkat(directory->fd, "r~", 0), 0);
    assert_int_equal(linkat(directory->fd, "r", directory->fd, "r~", 0), 0);
    put(directory->fd, "r.old", "x", 1);
    assert_int_equal(replace(directory->fd, "r", "newest"), 0);
    assert_content(directory->fd, "r", "newest");
    assert_content(directory->fd, "r~", "newer");
    assert_missing(directory->fd, "r.old");
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

    put(directory->fd, "r", "old", 3);
    put(directory->fd, "r.new", "half of a docu", 14);
    put(directory->fd, "r~", "older", 5);
    put(directory->fd, "victim", "victim", 6);
    assert_int_equal(replace(directory->fd, "r", "new"), 0);
    assert_content(directory->fd, "r", "new");
    assert_content(directory->fd, "r~", "old");
    assert_spare(directory->fd, "r.new");

    assert_int_equal(unlinkat(directory->fd, "r.new", 0), 0);
    assert_int_equal(symlinkat("victim", directory->fd, "r.new"), 0);
    assert_int_equal(unlinkat(directory->fd, "r~", 0), 0);
    assert_int_equal(symlinkat("victim", directory->fd, "r~"), 0);
    assert_int_equal(replace(directory->fd, "r", "newer"), 0);
    assert_content(directory->fd, "r", "newer");
    assert_content(directory->fd, "r~", "new");
    assert_mode(directory->fd, "r", 0600);
    assert_mode(directory->fd, "r~", 0600);
    assert_content(directory->fd, "victim", "victim");

    /* A hard link to something else is cut, not written through. */
    assert_int_equal(linkat(directory->fd, "victim", directory->fd, "r.new", 0), 0);
    assert_int_equal(replace(directory->fd, "r", "newest"), 0);
    assert_content(directory->fd, "victim", "victim");
    assert_content(directory->fd, "r", "newest");
}

/* The document itself is a link: it is replaced, what it led to stays. */
static void test_replace_symlink(void **state)
{
    Directory *directory = *state;
    char target[16] = {};

    put(directory->fd, "victim", "victim", 6);
    assert_int_equal(symlinkat("victim", directory->fd, "r"), 0);
    assert_int_equal(replace(directory->fd, "r", "new"), 0);
    assert_mode(directory->fd, "r", 0600);
    assert_content(directory->fd, "r", "new");
    assert_content(directory->fd, "victim", "victim");
    assert_int_equal(readlinkat(directory->fd, "r~", target, sizeof(target)), 6);
}

/* Something that cannot be removed stands where a file must go. */
static void test_replace_blocked(void **state)
{
    Directory *directory = *state;

    put(directory->fd, "r", "old", 3);
    assert_int_equal(mkdirat(directory->fd, "r.new", 0700), 0);
    assert_true(replace(directory->fd, "r", "new") < 0);
    assert_content(directory->fd, "r", "old");
    assert_missing(directory->fd, "r~");
    assert_int_equal(unlinkat(directory->fd, "r.new", AT_REMOVEDIR), 0);

    assert_int_equal(mkdirat(directory->fd, "r~", 0700), 0);
    assert_true(replace(directory->fd, "r", "new") < 0);
    assert_content(directory->fd, "r", "old");
    assert_missing(directory->fd, "r.new"); /* no secret lies about */
    assert_int_equal(unlinkat(directory->fd, "r~", AT_REMOVEDIR), 0);

    assert_int_equal(unlinkat(directory->fd, "r", 0), 0);
    assert_int_equal(mkdirat(directory->fd, "r", 0700), 0);
    assert_true(replace(directory->fd, "r", "new") < 0);
    assert_missing(directory->fd, "r.new");
}

static void test_replace_full(void **state)
{
    Directory *directory = *state;
    struct rlimit before, small;
    int r;

    put(directory->fd, "r", "old", 3);
    put(directory->fd, "r~", "older", 5);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = (struct rlimit){4, before.rlim_max};
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    r = replace(directory->fd, "r", "12345");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(r, -EFBIG);
    assert_content(directory->fd, "r", "old");
    assert_content(directory->fd, "r~", "older");
    assert_missing(directory->fd, "r.new");

    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    r = replace(directory->fd, "r", "1234");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    (void)signal(SIGXFSZ, SIG_DFL);
    assert_int_equal(r, 0);
    assert_content(directory->fd, "r", "1234");
}

static void test_replace_read_only(void **state)
{
    Directory *directory = *state;
    bool was_root;
    int r;

    put(directory->fd, "r", "old", 3);
    assert_int_equal(fchmod(directory->fd, 0555), 0);
    was_root = become_nobody();
    r = replace(directory->fd, "r", "new");
    become_root(was_root);
    assert_int_equal(r, -EACCES);
    assert_int_equal(fchmod(directory->fd, 0755), 0);
    assert_content(directory->fd, "r", "old");
    assert_missing(directory->fd, "r.new");
    assert_missing(directory->fd, "r~");
}

static void test_replace_nowhere(void **state)
{
    Directory *directory = *state;
    _cleanup_(closep) int fd = -1;

    assert_int_equal(replace(-1, "r", "new"), -EBADF);
    /* The directory was removed under us. */
    assert_int_equal(mkdirat(directory->fd, "gone", 0700), 0);
    fd = openat(directory->fd, "gone", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(unlinkat(directory->fd, "gone", AT_REMOVEDIR), 0);
    assert_int_equal(replace(fd, "r", "new"), -ENOENT);
}

/* The longest name that leaves room for ".new". */
static void test_replace_long_name(void **state)
{
    Directory *directory = *state;
    char name[NAME_MAX - 4];

    memset(name, 'n', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(replace(directory->fd, name, "new"), 0);
    assert_content(directory->fd, name, "new");
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

    put(directory->fd, "f", "abc", 3);
    assert_int_equal(make_directory(directory, "f", 0700), -ENOTDIR);
    assert_int_equal(make_directory(directory, "f/a", 0700), -ENOTDIR);
    assert_int_equal(make_directory(directory, "f/a/b", 0700), -ENOTDIR);
    assert_content(directory->fd, "f", "abc");
    /* A link to a directory is as good as one, and one to nowhere is none. */
    assert_int_equal(symlinkat(".", directory->fd, "link"), 0);
    assert_int_equal(make_directory(directory, "link", 0700), 0);
    assert_int_equal(make_directory(directory, "link/a", 0700), 0);
    assert_directory(directory->fd, "a", 0700);
    assert_int_equal(symlinkat("none", directory->fd, "dangling"), 0);
    assert_int_equal(make_directory(directory, "dangling", 0700), -ENOENT);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

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
        TEST(test_replace_short_writes),
        TEST(test_replace_order),
        TEST(test_replace_exchanges),
        TEST(test_replace_spare),
        TEST(test_replace_without_exchange),
        TEST(test_replace_half_exchanged),
        TEST(test_replace_fails),
        TEST(test_settle),
        TEST(test_replace_keeps_the_older),
        TEST(test_sync_directory),
        TEST(test_replace),
        TEST(test_replace_pieces),
        TEST(test_replace_large),
        TEST(test_replace_leftovers),
        TEST(test_replace_symlink),
        TEST(test_replace_blocked),
        TEST(test_replace_full),
        TEST(test_replace_read_only),
        TEST(test_replace_nowhere),
        TEST(test_replace_long_name),
        TEST(test_make_directory),
        TEST(test_make_directory_blocked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
