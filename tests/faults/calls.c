/*
 * The functions that the program calls instead of libc's: each asks for the verdict and makes the system call
 * itself, so that nothing has to be looked up before it can be used.
 */

/* Here the real functions are defined, not the checked ones that fortification puts in their place. */
#undef _FORTIFY_SOURCE

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "tests/faults/faults.h"

/* What fortified callers and those compiled for large files call. */
ssize_t __read_chk(int fd, void *data, size_t size, size_t room);
ssize_t __recv_chk(int fd, void *data, size_t size, size_t room, int flags);
ssize_t __recvfrom_chk(int fd, void *data, size_t size, size_t room, int flags,
                       struct sockaddr *address, socklen_t *address_size);
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int fd, const char *path, int flags);
int __openat64_2(int fd, const char *path, int flags);

/* The system call, unless the verdict is an error. */
#define CALLS_RUN(verdict, ...)                                                                    \
    faults_end(&(verdict), (verdict).error != 0 ? -1 : syscall(__VA_ARGS__))

static size_t calls_limit(const FaultsVerdict *verdict, size_t size)
{
    return size < verdict->short_max ? size : verdict->short_max;
}

/* ---- what is recorded ---- */

/* Returns `result`, so that a call can end with it. */
static int calls_record_path(const char *function, int from_fd, const char *from, int fd,
                             const char *path, int result)
{
    FaultsDeed deed = {
        .function = function,
        .fd = fd,
        .path = path,
        .from_fd = from_fd,
        .from = from,
        .file_fd = -1,
        .result = result < 0 ? -errno : result,
    };

    faults_record(&deed);
    return result;
}

static int calls_record_fd(const char *function, int fd, int result)
{
    FaultsDeed deed = {
        .function = function,
        .fd = fd,
        .file_fd = fd,
        .result = result < 0 ? -errno : result,
    };

    faults_record(&deed);
    return result;
}

static ssize_t calls_record_content(const char *function, int fd, const struct iovec *pieces,
                                    size_t n, int64_t offset, ssize_t result)
{
    FaultsDeed deed = {
        .function = function,
        .fd = fd,
        .file_fd = fd,
        .pieces = pieces,
        .n_pieces = n,
        .offset = offset,
        .result = result < 0 ? -errno : result,
    };

    faults_record(&deed);
    return result;
}

static size_t calls_sum(const struct iovec *pieces, size_t n)
{
    size_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += pieces[i].iov_len;
    return sum;
}

static void calls_record_message(const char *function, int fd, const struct iovec *pieces, size_t n)
{
    FaultsDeed deed = {
        .function = function,
        .fd = fd,
        .file_fd = fd,
        .pieces = pieces,
        .n_pieces = n,
        .is_before = true,
        .result = (long)calls_sum(pieces, n),
    };

    faults_record(&deed);
}

/* ---- files ---- */

int fsync(int fd)
{
    FaultsVerdict verdict = faults_begin("fsync", fd, NULL, 0);

    return calls_record_fd("fsync", fd, (int)CALLS_RUN(verdict, SYS_fsync, fd));
}

int fdatasync(int fd)
{
    FaultsVerdict verdict = faults_begin("fdatasync", fd, NULL, 0);

    return calls_record_fd("fdatasync", fd, (int)CALLS_RUN(verdict, SYS_fdatasync, fd));
}

int ftruncate(int fd, off_t size)
{
    FaultsVerdict verdict = faults_begin("ftruncate", fd, NULL, (size_t)size);

    return (int)CALLS_RUN(verdict, SYS_ftruncate, fd, size);
}

static int calls_open(const char *function, int fd, const char *path, int flags, mode_t mode)
{
    FaultsVerdict verdict = faults_begin(function, fd, path, 0);

    int result = (int)CALLS_RUN(verdict, SYS_openat, fd, path, flags, mode);
    FaultsDeed deed = {
        .function = (flags & O_CREAT) ? "create" : "truncate",
        .fd = fd,
        .path = path,
        .file_fd = result,
        .result = result < 0 ? -errno : result,
    };

    if (flags & (O_CREAT | O_TRUNC))
        faults_record(&deed);
    return result;
}

static mode_t calls_mode(int flags, va_list list)
{
    return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(list, mode_t) : 0;
}

/* All four have the same tail of arguments. */
#define CALLS_DEFINE_OPEN(name)                                                                    \
    int name(const char *path, int flags, ...)                                                     \
    {                                                                                              \
        va_list list;                                                                              \
        mode_t mode;                                                                               \
                                                                                                   \
        va_start(list, flags);                                                                     \
        mode = calls_mode(flags, list);                                                            \
        va_end(list);                                                                              \
        return calls_open("open", AT_FDCWD, path, flags, mode);                                    \
    }

#define CALLS_DEFINE_OPENAT(name)                                                                  \
    int name(int fd, const char *path, int flags, ...)                                             \
    {                                                                                              \
        va_list list;                                                                              \
        mode_t mode;                                                                               \
                                                                                                   \
        va_start(list, flags);                                                                     \
        mode = calls_mode(flags, list);                                                            \
        va_end(list);                                                                              \
        return calls_open("openat", fd, path, flags, mode);                                        \
    }

CALLS_DEFINE_OPEN(open)
CALLS_DEFINE_OPEN(open64)
CALLS_DEFINE_OPENAT(openat)
CALLS_DEFINE_OPENAT(openat64)

int __open_2(const char *path, int flags)
{
    return calls_open("open", AT_FDCWD, path, flags, 0);
}

int __open64_2(const char *path, int flags)
{
    return calls_open("open", AT_FDCWD, path, flags, 0);
}

int __openat_2(int fd, const char *path, int flags)
{
    return calls_open("openat", fd, path, flags, 0);
}

int __openat64_2(int fd, const char *path, int flags)
{
    return calls_open("openat", fd, path, flags, 0);
}

static int calls_rename(const char *function, int from_fd, const char *from, int to_fd,
                        const char *to, unsigned flags)
{
    FaultsVerdict verdict = faults_begin(function, to_fd, to, 0);

    return calls_record_path(
        (flags & RENAME_EXCHANGE) ? "exchange" : "rename", from_fd, from, to_fd, to,
        (int)CALLS_RUN(verdict, SYS_renameat2, from_fd, from, to_fd, to, flags));
}

int rename(const char *from, const char *to)
{
    return calls_rename("rename", AT_FDCWD, from, AT_FDCWD, to, 0);
}

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    return calls_rename("renameat", from_fd, from, to_fd, to, 0);
}

int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
    return calls_rename("renameat2", from_fd, from, to_fd, to, flags);
}

int linkat(int from_fd, const char *from, int to_fd, const char *to, int flags)
{
    FaultsVerdict verdict = faults_begin("linkat", to_fd, to, 0);

    return calls_record_path("link", from_fd, from, to_fd, to,
                             (int)CALLS_RUN(verdict, SYS_linkat, from_fd, from, to_fd, to, flags));
}

int unlinkat(int fd, const char *path, int flags)
{
    FaultsVerdict verdict = faults_begin("unlinkat", fd, path, 0);

    return calls_record_path("unlink", -1, NULL, fd, path,
                             (int)CALLS_RUN(verdict, SYS_unlinkat, fd, path, flags));
}

int unlink(const char *path)
{
    FaultsVerdict verdict = faults_begin("unlink", AT_FDCWD, path, 0);

    return calls_record_path("unlink", -1, NULL, AT_FDCWD, path,
                             (int)CALLS_RUN(verdict, SYS_unlinkat, AT_FDCWD, path, 0));
}

int mkdirat(int fd, const char *path, mode_t mode)
{
    FaultsVerdict verdict = faults_begin("mkdirat", fd, path, 0);

    return calls_record_path("mkdir", -1, NULL, fd, path,
                             (int)CALLS_RUN(verdict, SYS_mkdirat, fd, path, mode));
}

int mkdir(const char *path, mode_t mode)
{
    FaultsVerdict verdict = faults_begin("mkdir", AT_FDCWD, path, 0);

    return calls_record_path("mkdir", -1, NULL, AT_FDCWD, path,
                             (int)CALLS_RUN(verdict, SYS_mkdirat, AT_FDCWD, path, mode));
}

/* ---- reading and writing ---- */

ssize_t read(int fd, void *data, size_t size)
{
    FaultsVerdict verdict = faults_begin("read", fd, NULL, size);

    return CALLS_RUN(verdict, SYS_read, fd, data, calls_limit(&verdict, size));
}

ssize_t __read_chk(int fd, void *data, size_t size, size_t room)
{
    if (size > room)
        __builtin_trap();
    return read(fd, data, size);
}

ssize_t write(int fd, const void *data, size_t size)
{
    FaultsVerdict verdict = faults_begin("write", fd, NULL, size);
    struct iovec piece = {(void *)data, size};

    calls_record_message("write", fd, &piece, 1);
    return calls_record_content(
        "write", fd, &piece, 1, -1,
        CALLS_RUN(verdict, SYS_write, fd, data, calls_limit(&verdict, size)));
}

ssize_t writev(int fd, const struct iovec *pieces, int n)
{
    size_t size = calls_sum(pieces, n > 0 ? (size_t)n : 0);
    FaultsVerdict verdict = faults_begin("writev", fd, NULL, size);

    ssize_t result;

    calls_record_message("write", fd, pieces, n > 0 ? (size_t)n : 0);
    /* Of the first piece only, which is a short write too. */
    if (n > 0 && verdict.short_max < size)
        result = CALLS_RUN(verdict, SYS_write, fd, pieces[0].iov_base,
                           calls_limit(&verdict, pieces[0].iov_len));
    else
        result = CALLS_RUN(verdict, SYS_writev, fd, pieces, n);
    return calls_record_content("write", fd, pieces, n > 0 ? (size_t)n : 0, -1, result);
}

static ssize_t calls_pwrite(int fd, const void *data, size_t size, off_t offset)
{
    FaultsVerdict verdict = faults_begin("pwrite", fd, NULL, size);

    struct iovec piece = {(void *)data, size};

    return calls_record_content(
        "write", fd, &piece, 1, offset,
        CALLS_RUN(verdict, SYS_pwrite64, fd, data, calls_limit(&verdict, size), offset));
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    return calls_pwrite(fd, data, size, offset);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset)
{
    return calls_pwrite(fd, data, size, offset);
}

/* ---- sockets ---- */

int connect(int fd, const struct sockaddr *address, socklen_t size)
{
    FaultsVerdict verdict = faults_begin_address("connect", address, size, 0);

    return (int)CALLS_RUN(verdict, SYS_connect, fd, address, size);
}

int accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
    FaultsVerdict verdict = faults_begin("accept4", fd, NULL, 0);

    return (int)CALLS_RUN(verdict, SYS_accept4, fd, address, size, flags);
}

int accept(int fd, struct sockaddr *address, socklen_t *size)
{
    FaultsVerdict verdict = faults_begin("accept", fd, NULL, 0);

    return (int)CALLS_RUN(verdict, SYS_accept4, fd, address, size, 0);
}

ssize_t send(int fd, const void *data, size_t size, int flags)
{
    FaultsVerdict verdict = faults_begin("send", fd, NULL, size);
    struct iovec piece = {(void *)data, size};

    calls_record_message("send", fd, &piece, 1);
    return CALLS_RUN(verdict, SYS_sendto, fd, data, calls_limit(&verdict, size), flags, NULL, 0);
}

ssize_t sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *address,
               socklen_t address_size)
{
    FaultsVerdict verdict = address ? faults_begin_address("sendto", address, address_size, size)
                                    : faults_begin("sendto", fd, NULL, size);

    return CALLS_RUN(verdict, SYS_sendto, fd, data, calls_limit(&verdict, size), flags, address,
                     address_size);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    size_t size = calls_sum(message->msg_iov, message->msg_iovlen);
    FaultsVerdict verdict = message->msg_name ? faults_begin_address("sendmsg", message->msg_name,
                                                                     message->msg_namelen, size)
                                              : faults_begin("sendmsg", fd, NULL, size);

    calls_record_message("send", fd, message->msg_iov, message->msg_iovlen);
    return CALLS_RUN(verdict, SYS_sendmsg, fd, message, flags);
}

ssize_t recv(int fd, void *data, size_t size, int flags)
{
    FaultsVerdict verdict = faults_begin("recv", fd, NULL, size);

    return CALLS_RUN(verdict, SYS_recvfrom, fd, data, calls_limit(&verdict, size), flags, NULL,
                     NULL);
}

ssize_t __recv_chk(int fd, void *data, size_t size, size_t room, int flags)
{
    if (size > room)
        __builtin_trap();
    return recv(fd, data, size, flags);
}

ssize_t recvfrom(int fd, void *data, size_t size, int flags, struct sockaddr *address,
                 socklen_t *address_size)
{
    FaultsVerdict verdict = faults_begin("recvfrom", fd, NULL, size);

    return CALLS_RUN(verdict, SYS_recvfrom, fd, data, calls_limit(&verdict, size), flags, address,
                     address_size);
}

ssize_t __recvfrom_chk(int fd, void *data, size_t size, size_t room, int flags,
                       struct sockaddr *address, socklen_t *address_size)
{
    if (size > room)
        __builtin_trap();
    return recvfrom(fd, data, size, flags, address, address_size);
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    FaultsVerdict verdict = faults_begin("recvmsg", fd, NULL,
                                         calls_sum(message->msg_iov, message->msg_iovlen));

    return CALLS_RUN(verdict, SYS_recvmsg, fd, message, flags);
}

/* ---- names: no system call, so libc's own is asked ---- */

int getaddrinfo(const char *restrict node, const char *restrict service,
                const struct addrinfo *restrict hints, struct addrinfo **restrict ret_addresses)
{
    static __typeof__(getaddrinfo) *_Atomic next;
    FaultsVerdict verdict = faults_begin("getaddrinfo", AT_FDCWD, node ? node : "", 0);

    if (!next)
        next = (__typeof__(getaddrinfo) *)dlsym(RTLD_NEXT, "getaddrinfo");
    if (faults_end(&verdict, 0) < 0 || !next)
        return EAI_SYSTEM;
    return next(node, service, hints, ret_addresses);
}

/* ---- the wall clock: only offset, never logged ---- */

static void calls_shift(struct timespec *now)
{
    int64_t offset = faults_clock_offset();
    int64_t nsec = now->tv_nsec + offset % 1000000 * 1000;

    now->tv_sec += offset / 1000000 + (nsec < 0 ? -1 : nsec >= 1000000000 ? 1 : 0);
    now->tv_nsec = nsec < 0 ? nsec + 1000000000 : nsec >= 1000000000 ? nsec - 1000000000 : nsec;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int r = (int)syscall(SYS_clock_gettime, clock, now);

    if (r == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        calls_shift(now);
    return r;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec precise;

    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &precise) < 0)
        return -1;
    *now = (struct timeval){precise.tv_sec, precise.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *ret_now)
{
    struct timespec precise;

    if (clock_gettime(CLOCK_REALTIME, &precise) < 0)
        return -1;
    if (ret_now)
        *ret_now = precise.tv_sec;
    return precise.tv_sec;
}
