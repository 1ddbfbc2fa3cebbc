/*
 * Starts a service as its manager does, and tells when it said what: one line for each sd_notify(3) message, with the
 * microseconds since exec.
 *
 *     notified SOCKET COMMAND [ARGUMENT...]
 *
 * The first line is "PID". Ends with the service, which dies with it; SIGTERM is passed on. The clock is read in the
 * child just before execve(2), so that forking a large parent does not count.
 */

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pid_t notified_pid;

static void notified_fail(const char *what)
{
    (void)fprintf(stderr, "notified: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

static uint64_t notified_now(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void notified_on_signal(int number)
{
    if (notified_pid > 0)
        (void)kill(notified_pid, number);
}

static int notified_bind(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || strlen(path) >= sizeof(address.sun_path))
        notified_fail("socket");
    memcpy(address.sun_path, path, strlen(path));
    (void)unlink(path);
    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        notified_fail(path);
    return fd;
}

static void notified_run(const char *path, char **command, uint64_t *started)
{
    (void)signal(SIGTERM, SIG_DFL);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    /* Its stdout is not ours, whose lines are read. */
    if (setenv("NOTIFY_SOCKET", path, 1) < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
        notified_fail("setenv");
    *started = notified_now();
    (void)execv(command[0], command);
    notified_fail(command[0]);
}

/* Whether there may be more: the service has not ended yet. */
static int notified_receive(int fd, uint64_t started)
{
    char text[4096];
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    uint64_t now;
    char *line, *next;
    ssize_t n;

    if (poll(&poll_fd, 1, 100) <= 0)
        return waitpid(notified_pid, NULL, WNOHANG) == 0;
    now = notified_now();
    n = recv(fd, text, sizeof(text) - 1, 0);
    if (n <= 0)
        return 1;
    text[n] = '\0';
    for (next = text; (line = strsep(&next, "\n"));)
        if (*line)
            (void)printf("%" PRIu64 " %s\n", now - started, line);
    (void)fflush(stdout);
    return 1;
}

int main(int argc, char **argv)
{
    uint64_t *started;
    int fd;

    if (argc < 3) {
        (void)fputs("usage: notified SOCKET COMMAND [ARGUMENT...]\n", stderr);
        return EXIT_FAILURE;
    }
    started = mmap(NULL, sizeof(*started), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                   0);
    if (started == MAP_FAILED)
        notified_fail("mmap");
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0); /* with the benchmark, however that ends */
    fd = notified_bind(argv[1]);
    (void)signal(SIGTERM, notified_on_signal);
    notified_pid = fork();
    if (notified_pid < 0)
        notified_fail("fork");
    if (notified_pid == 0)
        notified_run(argv[1], argv + 2, started);
    (void)printf("%d\n", (int)notified_pid);
    (void)fflush(stdout);
    while (notified_receive(fd, *started))
        ;
    return EXIT_SUCCESS;
}
