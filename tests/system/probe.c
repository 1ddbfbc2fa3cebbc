/*
 * What a process may do: it tries all that is in a table, and a line on stdout says what came of each.
 *
 * Run by tests/system/rows/60-sandbox in the place of a service's program, under all settings of its unit. What succeeds is
 * undone, or had no effect to begin with; each is tried by a process of its own, which may be killed for it.
 *
 *   NAME done
 *   NAME refused REASON
 *
 * What it works with comes from the environment: PROBE_PID, a process of another user; PROBE_PORT, on which something
 * listens on 127.0.0.1.
 */

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/timex.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/keyctl.h>

#define PROBE_MARK "elementd-probe"

#define PROBE_FILE_MODE 0600

static int probe_number(const char *variable)
{
    const char *value = getenv(variable);

    return value ? (int)strtol(value, NULL, 10) : 0;
}

/* ---- files: 0 or -1 with errno, as all below ---- */

static int probe_write(const char *folder)
{
    char path[256];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/" PROBE_MARK "-new", folder);
    fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, PROBE_FILE_MODE);
    if (fd < 0)
        return -1;
    (void)close(fd);
    return unlink(path);
}

static int probe_append(const char *path)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);

    return fd < 0 ? -1 : close(fd);
}

static int probe_read(const char *path)
{
    char byte;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return -1;
    return read(fd, &byte, 1) == 1 ? close(fd) : -1;
}

static int probe_make_group(const char *folder)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/" PROBE_MARK, folder);
    return mkdir(path, 0755) < 0 ? -1 : rmdir(path);
}

static int probe_set_uid_bit(const char *folder)
{
    char path[256];
    int fd, r;

    (void)snprintf(path, sizeof(path), "%s/" PROBE_MARK "-suid", folder);
    fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, PROBE_FILE_MODE);
    if (fd < 0)
        return -1;
    r = fchmod(fd, S_ISUID | 0755);
    (void)close(fd);
    (void)unlink(path);
    return r;
}

static int probe_mknod(const char *folder)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/" PROBE_MARK "-device", folder);
    return mknod(path, S_IFCHR | PROBE_FILE_MODE, makedev(1, 3)) < 0 ? -1 : unlink(path);
}

static int probe_mount(const char *target)
{
    return mount("tmpfs", target, "tmpfs", 0, NULL) < 0 ? -1 : umount(target);
}

static int probe_chroot(const char *folder)
{
    return chroot(folder);
}

/* ---- other processes ---- */

static int probe_signal(const char *argument)
{
    (void)argument;
    return kill(probe_number("PROBE_PID"), 0);
}

static int probe_trace(const char *argument)
{
    int pid = probe_number("PROBE_PID");

    (void)argument;
    if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0)
        return -1;
    return 0; /* let go of when this process ends */
}

static int probe_read_memory(const char *argument)
{
    char path[64];

    (void)argument;
    (void)snprintf(path, sizeof(path), "/proc/%d/mem", probe_number("PROBE_PID"));
    return probe_append(path);
}

static int probe_read_group(const char *argument)
{
    char path[64];

    (void)argument;
    (void)snprintf(path, sizeof(path), "/proc/%d/cgroup", probe_number("PROBE_PID"));
    return probe_read(path);
}

/* ---- networks ---- */

static int probe_socket(int family, int type, int protocol)
{
    int fd = socket(family, type | SOCK_CLOEXEC, protocol);

    return fd < 0 ? -1 : close(fd);
}

static int probe_inet(const char *argument)
{
    (void)argument;
    return probe_socket(AF_INET, SOCK_STREAM, 0);
}

static int probe_inet6(const char *argument)
{
    (void)argument;
    return probe_socket(AF_INET6, SOCK_DGRAM, 0);
}

static int probe_unix(const char *argument)
{
    (void)argument;
    return probe_socket(AF_UNIX, SOCK_STREAM, 0);
}

static int probe_raw(const char *argument)
{
    (void)argument;
    return probe_socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
}

static int probe_packet(const char *argument)
{
    (void)argument;
    return probe_socket(AF_PACKET, SOCK_RAW, 0);
}

static int probe_netlink(const char *argument)
{
    (void)argument;
    return probe_socket(AF_NETLINK, SOCK_RAW, 0);
}

static int probe_connect(const char *argument)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)probe_number("PROBE_PORT")),
        .sin_addr = {htonl(INADDR_LOOPBACK)},
    };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)argument;
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        return -1;
    return close(fd);
}

static int probe_connect_local(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        return -1;
    return close(fd);
}

/* ---- the kernel, and what this process is ---- */

static int probe_new_users(const char *argument)
{
    (void)argument;
    return unshare(CLONE_NEWUSER);
}

static int probe_new_mounts(const char *argument)
{
    (void)argument;
    return unshare(CLONE_NEWNS);
}

static int probe_new_network(const char *argument)
{
    (void)argument;
    return unshare(CLONE_NEWNET);
}

static int probe_map_code(const char *argument)
{
    void *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
                      -1, 0);

    (void)argument;
    return code == MAP_FAILED ? -1 : 0;
}

static int probe_protect_code(const char *argument)
{
    void *data = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)argument;
    return data == MAP_FAILED ? -1 : mprotect(data, 4096, PROT_READ | PROT_EXEC);
}

static int probe_realtime(const char *argument)
{
    const struct sched_param parameters = {.sched_priority = 1};

    (void)argument;
    return sched_setscheduler(0, SCHED_FIFO, &parameters);
}

/* The time that it is: of the clock this changes nothing. */
static int probe_clock(const char *argument)
{
    struct timespec now;

    (void)argument;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return clock_settime(CLOCK_REALTIME, &now);
}

static int probe_clock_rate(const char *argument)
{
    struct timex nothing = {};

    (void)argument;
    return adjtimex(&nothing) < 0 ? -1 : 0;
}

static int probe_host_name(const char *argument)
{
    char name[256];

    (void)argument;
    return gethostname(name, sizeof(name)) < 0 ? -1 : sethostname(name, strlen(name));
}

/* What is no module: who may load one is told so. */
static int probe_module(const char *argument)
{
    (void)argument;
    if (syscall(SYS_init_module, "", 0, "") == 0)
        return 0;
    return errno == ENOEXEC ? 0 : -1;
}

static int probe_kernel_log(const char *argument)
{
    (void)argument;
    return klogctl(10, NULL, 0) < 0 ? -1 : 0; /* SYSLOG_ACTION_SIZE_BUFFER */
}

static int probe_keyring(const char *argument)
{
    (void)argument;
    return syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_PROCESS_KEYRING, 1) < 0 ? -1 : 0;
}

static int probe_personality(const char *argument)
{
    (void)argument;
    return personality(ADDR_NO_RANDOMIZE) < 0 ? -1 : 0;
}

static int probe_lock_memory(const char *argument)
{
    static char byte;

    (void)argument;
    return mlock(&byte, 1);
}

static int probe_other_user(const char *argument)
{
    (void)argument;
    return setresuid(1, 1, 1);
}

static int probe_be_root(const char *argument)
{
    (void)argument;
    return setresuid(0, 0, 0);
}

/* Whether a program with the set-user-ID bit would be what that says. */
static int probe_gain(const char *argument)
{
    (void)argument;
    errno = EPERM;
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0 ? 0 : -1;
}

static int probe_capability(const char *argument)
{
    (void)argument;
    for (unsigned long i = 0; prctl(PR_CAPBSET_READ, i, 0, 0, 0) >= 0; i++)
        if (prctl(PR_CAPBSET_READ, i, 0, 0, 0) > 0)
            return 0;
    errno = EPERM;
    return -1;
}

static int probe_core(const char *argument)
{
    const struct rlimit limit = {4096, 4096};

    (void)argument;
    return setrlimit(RLIMIT_CORE, &limit);
}

/* ---- all of them ---- */

static const struct {
    const char *name;
    int (*attempt)(const char *argument);
    const char *argument;
} probes[] = {
    {"write-etc", probe_write, "/etc"},
    {"write-configuration", probe_append, "/etc/elementd/elementd.json"},
    {"write-usr", probe_write, "/usr/lib"},
    {"write-var", probe_write, "/var/lib"},
    {"write-run", probe_write, "/run"},
    {"write-sockets", probe_write, "/run/elementd"},
    {"write-own-state", probe_write, "/var/lib/elementd"},
    {"write-cgroups", probe_make_group, "/sys/fs/cgroup/system.slice"},
    {"write-sysctl", probe_append, "/proc/sys/kernel/domainname"},
    {"read-own-configuration", probe_read, "/etc/elementd/user"},
    {"read-instances", probe_read, "/etc/elementd/instances.d/jira.json"},
    {"read-records", probe_read, "/var/lib/elementd/records.json"},
    {"read-shadow", probe_read, "/etc/shadow"},
    {"read-home", probe_read, "/home/" PROBE_MARK "/file"},
    {"read-root", probe_read, "/root/" PROBE_MARK},
    {"read-others-state", probe_read, "/var/lib/" PROBE_MARK "/file"},
    {"read-tmp", probe_read, "/tmp/" PROBE_MARK},
    {"read-kernel", probe_read, "/proc/cmdline"},
    {"set-user-id-bit", probe_set_uid_bit, "/tmp"},
    {"make-device", probe_mknod, "/tmp"},
    {"mount", probe_mount, "/tmp"},
    {"chroot", probe_chroot, "/"},
    {"see-process", probe_read, "/proc/1/comm"},
    {"read-others-cgroup", probe_read_group, NULL},
    {"signal-others", probe_signal, NULL},
    {"trace-others", probe_trace, NULL},
    {"write-others-memory", probe_read_memory, NULL},
    {"socket-inet", probe_inet, NULL},
    {"socket-inet6", probe_inet6, NULL},
    {"socket-unix", probe_unix, NULL},
    {"socket-raw", probe_raw, NULL},
    {"socket-packet", probe_packet, NULL},
    {"socket-netlink", probe_netlink, NULL},
    {"connect", probe_connect, NULL},
    {"connect-as-client", probe_connect_local, "/run/elementd/io.elementd"},
    {"new-users", probe_new_users, NULL},
    {"new-mounts", probe_new_mounts, NULL},
    {"new-network", probe_new_network, NULL},
    {"map-code", probe_map_code, NULL},
    {"protect-code", probe_protect_code, NULL},
    {"realtime", probe_realtime, NULL},
    {"set-clock", probe_clock, NULL},
    {"adjust-clock", probe_clock_rate, NULL},
    {"set-host-name", probe_host_name, NULL},
    {"load-module", probe_module, NULL},
    {"kernel-log", probe_kernel_log, NULL},
    {"keyring", probe_keyring, NULL},
    {"personality", probe_personality, NULL},
    {"lock-memory", probe_lock_memory, NULL},
    {"other-user", probe_other_user, NULL},
    {"be-root", probe_be_root, NULL},
    {"gain-privileges", probe_gain, NULL},
    {"capability", probe_capability, NULL},
    {"core", probe_core, NULL},
};

#define N_PROBES (sizeof(probes) / sizeof(probes[0]))

static void probe_run(size_t i)
{
    pid_t pid;
    int status = 0;

    (void)fflush(stdout);
    pid = fork();
    if (pid == 0)
        _exit(probes[i].attempt(probes[i].argument) == 0 ? 0 : errno > 0 ? errno : EPERM);
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        (void)printf("%s lost %s\n", probes[i].name, strerror(errno));
    else if (WIFSIGNALED(status))
        (void)printf("%s refused by signal %d\n", probes[i].name, WTERMSIG(status));
    else if (WEXITSTATUS(status) == 0)
        (void)printf("%s done\n", probes[i].name);
    else
        (void)printf("%s refused %s\n", probes[i].name, strerror(WEXITSTATUS(status)));
}

int main(void)
{
    for (size_t i = 0; i < N_PROBES; i++)
        probe_run(i);
    return 0;
}
