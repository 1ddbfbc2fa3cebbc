/*
 * Echo server: the least that a server of one thread can do for each message, to be measured beside the others.
 *
 * epoll, one read and one send for each wake-up, nothing parsed, nothing looked up, nothing kept.
 *
 *     echo SOCKET
 */

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ECHO_BYTES_MAX  65536
#define ECHO_EVENTS_MAX 64

static void echo_fail(const char *what)
{
    (void)fprintf(stderr, "echo: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

static int echo_listen(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0 || strlen(path) >= sizeof(address.sun_path))
        echo_fail("socket");
    memcpy(address.sun_path, path, strlen(path));
    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 4096) < 0)
        echo_fail("listen");
    return fd;
}

static void echo_watch(int epoll_fd, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        echo_fail("epoll_ctl");
}

/* False: the peer has gone. What does not fit into the socket at once does not happen with our load generator. */
static bool echo_serve(int fd)
{
    static char bytes[ECHO_BYTES_MAX];
    ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

    if (n < 0 && errno == EAGAIN)
        return true;
    return n > 0 && send(fd, bytes, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL) == n;
}

/* Reads at once, as ours does: most clients have sent by now what they connected for. */
static void echo_accept(int epoll_fd, int listening_fd)
{
    for (;;) {
        int fd = accept4(listening_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd < 0)
            return;
        if (echo_serve(fd))
            echo_watch(epoll_fd, fd);
        else
            (void)close(fd);
    }
}

int main(int argc, char **argv)
{
    struct epoll_event events[ECHO_EVENTS_MAX];
    int listening_fd, epoll_fd = epoll_create1(EPOLL_CLOEXEC);

    if (argc != 2 || epoll_fd < 0) {
        (void)fputs("usage: echo SOCKET\n", stderr);
        return EXIT_FAILURE;
    }
    listening_fd = echo_listen(argv[1]);
    echo_watch(epoll_fd, listening_fd);
    for (;;) {
        int n = epoll_wait(epoll_fd, events, ECHO_EVENTS_MAX, -1);

        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;

            if (fd == listening_fd)
                echo_accept(epoll_fd, fd);
            else if (!echo_serve(fd))
                (void)close(fd);
        }
    }
}
