#include "daemon/http_helper.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"

#define HTTP_HELPER_NAME "elementd-http"

/* systemd/elementd-http.socket, for messages: its path says less. */
#define HTTP_HELPER_UNIT HTTP_HELPER_NAME ".socket"

/*
 * What passes, if it is set. Not SSLKEYLOGFILE, to which libcurl would write the keys of its connections. The last ones
 * are for tests; who sets our LD_PRELOAD rules us, so that it passes gives nothing away.
 */
static const char *const http_helper_variables[] = {
    "http_proxy",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "OPENSSL_CONF",
    "OPENSSL_MODULES",
    "OPENSSL_ENGINES",
    "LOCALDOMAIN",
    "RES_OPTIONS",
    "HOSTALIASES",
    "LANG",
    "LC_ALL",
    "TZ",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "ASAN_OPTIONS",
    "UBSAN_OPTIONS",
    "LSAN_OPTIONS",
    "ELEMENTD_FAULTS",
    "ELEMENTD_FAULTS_FILE",
    "ELEMENTD_FAULTS_LOG",
};

/* The strings are those of our own environment. */
static void http_helper_fill_environment(
    char *ret_environment[N_ELEMENTS(http_helper_variables) + 1])
{
    size_t n = 0;

    for (char **variable = environ; variable && *variable; variable++)
        for (size_t i = 0; i < N_ELEMENTS(http_helper_variables); i++) {
            size_t size = strlen(http_helper_variables[i]);

            if (strncmp(*variable, http_helper_variables[i], size) == 0 &&
                (*variable)[size] == '=' && n < N_ELEMENTS(http_helper_variables))
                ret_environment[n++] = *variable;
        }
    ret_environment[n] = NULL;
}

static const char *http_helper_set;

void http_helper_set_program(const char *path)
{
    http_helper_set = path;
}

/* An empty path: none. */
static struct sockaddr_un http_helper_address = {.sun_family = AF_UNIX};

void http_helper_set_socket(const char *path)
{
    size_t size = path ? strlen(path) : 0;

    memset(http_helper_address.sun_path, 0, sizeof(http_helper_address.sun_path));
    if (size < sizeof(http_helper_address.sun_path))
        memcpy(http_helper_address.sun_path, path ? path : "", size);
}

static bool http_helper_has_socket(void)
{
    return http_helper_address.sun_path[0] && access(http_helper_address.sun_path, F_OK) == 0;
}

/* Not waited for: systemd has started it when it greets. 0 or -errno. */
static int http_helper_connect(int *ret_fd)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return error_errno();
    if (connect(fd, (const struct sockaddr *)&http_helper_address, sizeof(http_helper_address)) <
        0) {
        int r = error_errno();

        (void)close(fd);
        return r;
    }
    *ret_fd = fd;
    return 0;
}

/* Looked up each time: in a build tree it may come later than we do. */
const char *http_helper_program(void)
{
    static char path[PATH_MAX + sizeof(HTTP_HELPER_NAME)];
    char *slash;
    ssize_t n;

    if (http_helper_has_socket())
        return HTTP_HELPER_UNIT;
    if (http_helper_set)
        return http_helper_set;
    n = readlink("/proc/self/exe", path, PATH_MAX);
    if (n > 0 && n < PATH_MAX) {
        path[n] = '\0';
        slash = strrchr(path, '/');
        if (slash) {
            memcpy(slash + 1, HTTP_HELPER_NAME, sizeof(HTTP_HELPER_NAME));
            if (access(path, X_OK) == 0)
                return path;
        }
    }
    return ELEMENTD_LIBEXECDIR "/" HTTP_HELPER_NAME;
}

/*
 * With signals blocked: until the program ignores them itself, one that goes to all of our control group would end it.
 * What we ignore it would inherit, and what we block.
 */
static int http_helper_set_signals(posix_spawnattr_t *attributes)
{
    sigset_t all, defaults;

    (void)sigfillset(&all);
    (void)sigemptyset(&defaults);
    (void)sigaddset(&defaults, SIGPIPE);
    (void)sigaddset(&defaults, SIGCHLD);
    (void)posix_spawnattr_setsigmask(attributes, &all);
    (void)posix_spawnattr_setsigdefault(attributes, &defaults);
    return -posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

static int http_helper_spawn(int socket, posix_spawn_file_actions_t *actions,
                             posix_spawnattr_t *attributes, pid_t *ret_pid)
{
    char name[] = HTTP_HELPER_NAME;
    char *arguments[] = {name, NULL};
    char *environment[N_ELEMENTS(http_helper_variables) + 1];
    int r;

    /* dup2() onto itself keeps the descriptor open in the other process, see posix_spawn_file_actions_adddup2(3). */
    r = -posix_spawn_file_actions_adddup2(actions, socket, HTTP_HELPER_FD);
    if (r == 0)
        r = -posix_spawn_file_actions_addclosefrom_np(actions, HTTP_HELPER_FD + 1);
    if (r == 0)
        r = http_helper_set_signals(attributes);
    if (r < 0)
        return r;
    http_helper_fill_environment(environment);
    return -posix_spawn(ret_pid, http_helper_program(), actions, attributes, arguments,
                        environment);
}

int http_helper_start(HttpHelper *helper)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int pair[2], r;

    if (http_helper_has_socket())
        return http_helper_connect(&helper->socket);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
        return error_errno();
    r = -posix_spawn_file_actions_init(&actions);
    if (r == 0) {
        r = -posix_spawnattr_init(&attributes);
        if (r == 0) {
            r = http_helper_spawn(pair[1], &actions, &attributes, &helper->pid);
            (void)posix_spawnattr_destroy(&attributes);
        }
        (void)posix_spawn_file_actions_destroy(&actions);
    }
    (void)close(pair[1]);
    if (r < 0) {
        (void)close(pair[0]);
        helper->pid = 0;
        return r;
    }
    helper->socket = pair[0];
    return 0;
}

void http_helper_kill(HttpHelper *helper)
{
    closep(&helper->socket);
    helper->socket = -1;
    if (helper->pid > 0)
        (void)kill(helper->pid, SIGKILL);
}

bool http_helper_reap(HttpHelper *helper)
{
    if (helper->pid > 0 && waitpid(helper->pid, NULL, WNOHANG) == 0)
        return false;
    helper->pid = 0;
    return true;
}

void http_helper_deinit(HttpHelper *helper)
{
    http_helper_kill(helper);
    while (helper->pid > 0 && waitpid(helper->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    helper->pid = 0;
}
