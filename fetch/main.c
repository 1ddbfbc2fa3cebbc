/*
 * elementd-http: asks the platform, for elementd, which has it started (daemon/http_helper.h).
 *
 * It lives as long as its socket, and no longer than elementd. Nothing is kept, and nothing is logged: what is wrong goes
 * back over the socket. It does not end by the signals that systemd sends to all of a service when that is stopped:
 * elementd still waits for the answers that are under way.
 */

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/thread.h"
#include "fetch/fetch.h"
#include "fetch/fetch_server.h"

/* HTTP_HELPER_FD in daemon/http_helper.h; SD_LISTEN_FDS_START in sd_listen_fds(3). */
#define MAIN_FD 3

static void main_protect(void)
{
    static const int ignored[] = {SIGTERM, SIGINT, SIGHUP, SIGPIPE};
    static const struct rlimit no_core = {0, 0};
    sigset_t none;

    /* Also when a thread hangs in a name lookup. Who has ended before this is seen by the end of the socket. */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)prctl(PR_SET_DUMPABLE, 0);
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    (void)setrlimit(RLIMIT_CORE, &no_core);
    (void)umask(0077);
    /* Tokens that are there are served first, while many handshakes keep the processors busy here. */
    thread_stand_back();
    for (size_t i = 0; i < N_ELEMENTS(ignored); i++)
        (void)signal(ignored[i], SIG_IGN);
    /* They came to us blocked, so that none of them was too early. */
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* At once: nothing here is worth a farewell, and a thread may hang in a name lookup. */
static void main_on_ended(void *userdata, int error)
{
    (void)userdata;
    _exit(error < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}

static bool main_is_started_by_daemon(void)
{
    int domain;
    socklen_t size = sizeof(domain);

    return getsockopt(MAIN_FD, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX &&
           fcntl(MAIN_FD, F_SETFD, FD_CLOEXEC) == 0;
}

int main(int argc, char **argv)
{
    struct event_base *base;
    FetchServer *server;

    (void)argv;
    if (argc > 1 || !main_is_started_by_daemon()) {
        (void)fputs("elementd-http is started by elementd, and takes no arguments.\n", stderr);
        return EXIT_FAILURE;
    }
    main_protect();
    base = event_base_new();
    if (!base || event_base_priority_init(base, FETCH_PRIORITIES) < 0 ||
        fetch_server_new(base, MAIN_FD, main_on_ended, NULL, &server) < 0)
        return EXIT_FAILURE;
    (void)event_base_dispatch(base);
    return EXIT_FAILURE;
}
