/* What was done to files and what was said to clients, with its content, so that it can be done again in part. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "tests/faults/faults.h"

/* Content of one call. What does not fit is told by its absence: whoever reads it must look at the size. */
#define RECORD_CONTENT_MAX ((size_t)64 * 1024)

/* Above the log's descriptor. */
#define RECORD_FD_MIN 201

static int record_fd = -1;

__attribute__((constructor)) static void record_start(void)
{
    const char *file = getenv("ELEMENTD_FAULTS_RECORD");
    int fd;

    if (!file || !*file)
        return;
    fd = (int)syscall(SYS_openat, AT_FDCWD, file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    record_fd = fcntl(fd, F_DUPFD_CLOEXEC, RECORD_FD_MIN);
    (void)syscall(SYS_close, fd);
}

static size_t record_format_hex(const struct iovec *pieces, size_t n, size_t size, char *hex)
{
    static const char digits[] = "0123456789abcdef";
    size_t done = 0;

    if (size > RECORD_CONTENT_MAX)
        return 0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < pieces[i].iov_len && done < size; j++, done++) {
            uint8_t byte = ((const uint8_t *)pieces[i].iov_base)[j];

            hex[2 * done] = digits[byte >> 4];
            hex[2 * done + 1] = digits[byte & 15];
        }
    return 2 * done;
}

/* Of a file or directory; else 0. */
static unsigned long long record_inode(int fd, bool *ret_is_socket)
{
    struct stat st;

    *ret_is_socket = false;
    if (fd < 0 || fstat(fd, &st) < 0)
        return 0;
    *ret_is_socket = S_ISSOCK(st.st_mode);
    return S_ISREG(st.st_mode) || S_ISDIR(st.st_mode) ? st.st_ino : 0;
}

/* Apart, since it takes more of the stack than every caller has. */
__attribute__((noinline)) static void record_add(const FaultsDeed *deed)
{
    char line[3 * FAULTS_OBJECT_MAX + 2 * RECORD_CONTENT_MAX];
    char object[FAULTS_OBJECT_MAX] = "", from[FAULTS_OBJECT_MAX] = "";
    int saved = errno, n;
    bool is_socket;
    unsigned long long inode;
    int64_t offset = deed->offset;
    struct timespec now;

    inode = record_inode(deed->file_fd, &is_socket);
    /* Words count when they are said, deeds when they are done. */
    if ((inode == 0 && !is_socket && !deed->path) || is_socket != deed->is_before) {
        errno = saved;
        return;
    }
    if (offset < 0)
        offset = syscall(SYS_lseek, deed->file_fd, 0, SEEK_CUR) - deed->result;
    faults_format_object(deed->fd, deed->path, object);
    if (is_socket && strcmp(object, "unix:") == 0) {
        errno = saved; /* without a name: what elementd and elementd-http say to each other */
        return;
    }
    if (deed->from)
        faults_format_object(deed->from_fd, deed->from, from);
    (void)syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
    n = snprintf(line, sizeof(line), "%lld\t%s\t%s\t%s\t%llu\t%lld\t%ld\t",
                 (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000, deed->function, object, from,
                 inode, (long long)offset, deed->result);
    if (n > 0 && (size_t)n < 3 * FAULTS_OBJECT_MAX - 1) {
        size_t size = (size_t)n + record_format_hex(deed->pieces, deed->n_pieces,
                                                    deed->result > 0 ? (size_t)deed->result : 0,
                                                    line + n);

        line[size++] = '\n';
        (void)syscall(SYS_write, record_fd, line, size);
    }
    errno = saved;
}

void faults_record(const FaultsDeed *deed)
{
    if (record_fd >= 0)
        record_add(deed);
}
