/* Which rules are in force, the log of calls, and what a verdict does to a call. */

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "tests/faults/faults.h"

#define INJECT_FILE_MAX    (64 * 1024)
#define INJECT_EXIT_STATUS 99

/* Out of the way of the descriptors that systemd passes, and of a program that counts its own. */
#define INJECT_LOG_FD_MIN 200

static _Atomic(FaultsTable *) inject_table;
static atomic_flag inject_is_reading = ATOMIC_FLAG_INIT;
static struct stat inject_stat; /* of the file that was read; under inject_is_reading */
static const char *inject_file;
static pid_t inject_pid; /* of the program */
static int inject_log_fd = -1;

/* ---- rules ---- */

static void inject_fail(const char *what, const char *about)
{
    char text[512];
    int n = snprintf(text, sizeof(text), "libfaults: %s: %s\n", what, about);

    (void)syscall(SYS_write, STDERR_FILENO, text,
                  (size_t)n < sizeof(text) ? (size_t)n : sizeof(text));
    _exit(INJECT_EXIT_STATUS);
}

/* elementd-http is a part of the elementd that started it. */
static bool inject_is_part(void)
{
    return strcmp(program_invocation_short_name, "elementd-http") == 0;
}

static pid_t inject_whole(void)
{
    return inject_is_part() ? getppid() : inject_pid;
}

/* Where the calls of both are counted, for these rules; without it each counts its own. */
static void inject_share_counters(FaultsTable *table)
{
    char path[FAULTS_OBJECT_MAX];
    size_t size = sizeof(table->n_seen_alone);
    void *memory = MAP_FAILED;
    int fd;

    (void)snprintf(path, sizeof(path), "%s.%d.%llu.%lld.%ld.seen", inject_file, (int)inject_whole(),
                   (unsigned long long)inject_stat.st_ino, (long long)inject_stat.st_mtim.tv_sec,
                   inject_stat.st_mtim.tv_nsec);
    fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    if (syscall(SYS_ftruncate, fd, size) == 0)
        memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)syscall(SYS_close, fd);
    if (memory != MAP_FAILED)
        table->n_seen = memory;
}

/* A table is never freed: another thread may be looking at it, and there are few. */
static void inject_read(const char *text)
{
    FaultsTable *table;
    char *copy;
    const char *wrong;
    size_t size = text ? strlen(text) : 0;
    ssize_t n = 0;

    table = mmap(NULL, sizeof(*table) + size + INJECT_FILE_MAX + 2, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (table == MAP_FAILED)
        inject_fail("mmap", strerrorname_np(errno));
    table->n_seen = table->n_seen_alone;
    copy = (char *)(table + 1);
    memcpy(copy, text ? text : "", size);
    copy[size] = ' ';
    if (inject_file) {
        int fd = (int)syscall(SYS_openat, AT_FDCWD, inject_file, O_RDONLY | O_CLOEXEC);

        if (fd >= 0) {
            (void)fstat(fd, &inject_stat);
            inject_share_counters(table);
            n = syscall(SYS_read, fd, copy + size + 1, (size_t)INJECT_FILE_MAX);
            (void)syscall(SYS_close, fd);
        }
    }
    copy[size + 1 + (size_t)(n > 0 ? n : 0)] = '\0';
    if (faults_rules_parse(table, copy, &wrong) < 0)
        inject_fail("a rule that makes no sense", wrong);
    atomic_store(&inject_table, table);
}

static bool inject_is_changed(void)
{
    struct stat st;

    return inject_file && stat(inject_file, &st) == 0 &&
           (st.st_ino != inject_stat.st_ino || st.st_size != inject_stat.st_size ||
            st.st_mtim.tv_sec != inject_stat.st_mtim.tv_sec ||
            st.st_mtim.tv_nsec != inject_stat.st_mtim.tv_nsec);
}

/* Whoever comes while another one reads goes on with the old rules. */
static FaultsTable *inject_current(void)
{
    if (inject_file && !atomic_flag_test_and_set(&inject_is_reading)) {
        if (inject_is_changed())
            inject_read(getenv("ELEMENTD_FAULTS"));
        atomic_flag_clear(&inject_is_reading);
    }
    return atomic_load(&inject_table);
}

__attribute__((constructor)) static void inject_start(void)
{
    const char *log = getenv("ELEMENTD_FAULTS_LOG");
    int fd;

    inject_pid = getpid();
    inject_file = getenv("ELEMENTD_FAULTS_FILE");
    if (log && *log) {
        fd = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC,
                          0600);
        if (fd < 0)
            inject_fail(log, strerrorname_np(errno));
        inject_log_fd = fcntl(fd, F_DUPFD_CLOEXEC, INJECT_LOG_FD_MIN);
        if (inject_log_fd < 0)
            inject_log_fd = fd;
        else
            (void)syscall(SYS_close, fd);
    }
    inject_read(getenv("ELEMENTD_FAULTS"));
}

/* ---- what a call is about ---- */

static void inject_format_address(const struct sockaddr *address, socklen_t size, char *object)
{
    if (size >= sizeof(struct sockaddr_in) && address->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)address;
        const uint8_t *b = (const uint8_t *)&in->sin_addr;

        (void)snprintf(object, FAULTS_OBJECT_MAX, "tcp:%u.%u.%u.%u:%u", b[0], b[1], b[2], b[3],
                       ntohs(in->sin_port));
    } else if (size >= sizeof(struct sockaddr_in6) && address->sa_family == AF_INET6) {
        (void)snprintf(object, FAULTS_OBJECT_MAX, "tcp:inet6:%u",
                       ntohs(((const struct sockaddr_in6 *)address)->sin6_port));
    } else if (size >= sizeof(address->sa_family) && address->sa_family == AF_UNIX) {
        const struct sockaddr_un *un = (const struct sockaddr_un *)address;
        size_t prefix = offsetof(struct sockaddr_un, sun_path);

        (void)snprintf(object, FAULTS_OBJECT_MAX, "unix:%.*s",
                       size > prefix ? (int)(size - prefix) : 0, un->sun_path);
    } else {
        (void)snprintf(object, FAULTS_OBJECT_MAX, "socket");
    }
}

static void inject_format_fd(int fd, char *object)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof(address);
    char link[64];
    ssize_t n;

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = syscall(SYS_readlinkat, AT_FDCWD, link, object, (size_t)FAULTS_OBJECT_MAX - 1);
    object[n > 0 ? n : 0] = '\0';
    if (strncmp(object, "socket:", 7) != 0)
        return;
    /* The end that has a name: of our listener's connections that is this one. */
    if (syscall(SYS_getpeername, fd, &address, &size) < 0 || size <= sizeof(sa_family_t)) {
        size = sizeof(address);
        if (syscall(SYS_getsockname, fd, &address, &size) < 0)
            return;
    }
    inject_format_address((struct sockaddr *)&address, size, object);
}

static void inject_format_path(int fd, const char *path, char *object)
{
    size_t used = 0;

    object[0] = '\0';
    if (path[0] != '/') {
        if (fd == AT_FDCWD) {
            if (syscall(SYS_getcwd, object, (size_t)FAULTS_OBJECT_MAX - 2) < 0)
                object[0] = '\0';
        } else {
            inject_format_fd(fd, object);
        }
        used = strlen(object);
        object[used++] = '/';
    }
    (void)snprintf(object + used, FAULTS_OBJECT_MAX - used, "%s", path);
}

void faults_format_object(int fd, const char *path, char *ret_object)
{
    if (path)
        inject_format_path(fd, path, ret_object);
    else
        inject_format_fd(fd, ret_object);
}

/* ---- verdicts ---- */

static void inject_log(const char *function, const char *object, size_t size,
                       const FaultsVerdict *verdict)
{
    char line[FAULTS_OBJECT_MAX + 256], what[64] = "call";
    struct timespec now;
    int n;

    (void)syscall(SYS_clock_gettime, CLOCK_BOOTTIME, &now);
    if (verdict->kill != FAULTS_KILL_NONE)
        (void)snprintf(what, sizeof(what), "kill=%s",
                       verdict->kill == FAULTS_KILL_BEFORE ? "before" : "after");
    else if (verdict->error != 0)
        (void)snprintf(what, sizeof(what), "error=%s", strerrorname_np(verdict->error));
    else if (verdict->short_max != SIZE_MAX)
        (void)snprintf(what, sizeof(what), "short=%zu", verdict->short_max);
    else if (verdict->delay_usec > 0)
        (void)snprintf(what, sizeof(what), "delay=%lldus", (long long)verdict->delay_usec);
    n = snprintf(line, sizeof(line), "%lld\t%ld\t%s\t%s\t%zu\t%s\n",
                 (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000, syscall(SYS_gettid),
                 function, object, size, what);
    if (n > 0)
        (void)syscall(SYS_write, inject_log_fd, line,
                      (size_t)n < sizeof(line) ? (size_t)n : sizeof(line));
}

/* Returns in a process of the program's own making, which is there to outlive it. */
static void inject_die(void)
{
    if (inject_is_part() && getppid() > 1)
        (void)syscall(SYS_kill, getppid(), SIGKILL);
    (void)syscall(SYS_kill, inject_pid, SIGKILL);
    while (getpid() == inject_pid)
        (void)pause();
}

static void inject_sleep(int64_t usec)
{
    struct timespec left = {usec / 1000000, usec % 1000000 * 1000};

    while (syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &left, &left) < 0 && errno == EINTR)
        ;
}

static FaultsVerdict inject_judge(FaultsTable *table, const char *function, const char *object,
                                  size_t size)
{
    FaultsVerdict verdict = FAULTS_VERDICT_INIT;

    faults_rules_apply(table, function, object, &verdict);
    if (inject_log_fd >= 0)
        inject_log(function, object, size, &verdict);
    if (verdict.delay_usec > 0)
        inject_sleep(verdict.delay_usec);
    if (verdict.kill == FAULTS_KILL_BEFORE)
        inject_die();
    return verdict;
}

FaultsVerdict faults_begin(const char *function, int fd, const char *path, size_t size)
{
    int saved = errno;
    FaultsTable *table = inject_current();
    FaultsVerdict verdict = FAULTS_VERDICT_INIT;
    char object[FAULTS_OBJECT_MAX] = "";

    if (table && (table->n_rules > 0 || inject_log_fd >= 0)) {
        if (table->has_path || inject_log_fd >= 0)
            faults_format_object(fd, path, object);
        verdict = inject_judge(table, function, object, size);
    }
    errno = saved;
    return verdict;
}

FaultsVerdict faults_begin_address(const char *function, const struct sockaddr *address,
                                   socklen_t address_size, size_t size)
{
    int saved = errno;
    FaultsTable *table = inject_current();
    FaultsVerdict verdict = FAULTS_VERDICT_INIT;
    char object[FAULTS_OBJECT_MAX] = "";

    if (table && (table->n_rules > 0 || inject_log_fd >= 0)) {
        inject_format_address(address, address_size, object);
        verdict = inject_judge(table, function, object, size);
    }
    errno = saved;
    return verdict;
}

long faults_end(const FaultsVerdict *verdict, long result)
{
    if (verdict->kill == FAULTS_KILL_AFTER)
        inject_die();
    if (verdict->error != 0) {
        errno = verdict->error;
        return -1;
    }
    return result;
}

int64_t faults_clock_offset(void)
{
    int saved = errno;
    FaultsTable *table = inject_current();
    int64_t offset = table ? faults_rules_clock_offset(table) : 0;

    errno = saved;
    return offset;
}
