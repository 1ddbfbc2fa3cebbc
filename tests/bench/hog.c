/*
 * A user who takes all that one user may have, and goes on asking for as much as is answered.
 *
 *     hog SOCKET INSTANCE PENDING
 *
 * INSTANCE has a token and PENDING has none. Of the connections that a user may have, some watch, some wait, some leave
 * the replies to many ListInstances unread, some never finish a request, and the others keep 16 ListInstances or GetToken
 * under way each; meanwhile it connects again and again for what it is refused. Says "ready" when all of that is there, and
 * goes on until it is killed.
 */

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/limits.h"

#define HOG_DEPTH         16
#define HOG_REQUEST_BYTES 512

typedef struct Kind {
    const char *head; /* of the request */
    const char *tail; /* behind the name of an instance; NULL: the request has none */
    bool is_pending;  /* the one without a token */
    bool is_cut;      /* sent without its end */
    bool is_read;     /* and asked again as often as it was answered */
    unsigned depth;
    unsigned n;
} Kind;

#define HOG_LIST  "{\"method\":\"io.elementd.ListInstances\"}", NULL
#define HOG_WATCH "{\"method\":\"io.elementd.WatchInstances\",\"more\":true}", NULL
#define HOG_NAME  "{\"method\":\"io.elementd.GetToken\",\"parameters\":{\"instance\":\""
#define HOG_TOKEN HOG_NAME, "\"}}"
#define HOG_WAIT  HOG_NAME, "\",\"timeoutUSec\":3600000000}}"

/* All that a user may have: each kind at its limit, and the rest of the connections shared out. */
static const Kind hog_kinds[] = {
    {HOG_WATCH, false, false, false, 1, WATCHES_PER_UID_MAX},
    {HOG_WAIT, true, false, false, 1, WAITING_PER_UID_MAX},
    {HOG_LIST, false, false, false, HOG_DEPTH, 64},
    {HOG_TOKEN, false, true, false, 1, 32},
    {HOG_LIST, false, false, true, HOG_DEPTH, 48},
    {HOG_TOKEN, false, false, true, HOG_DEPTH, 48},
};

typedef struct Client {
    int fd;
    const Kind *kind;
    char request[HOG_REQUEST_BYTES];
    size_t size;
} Client;

static struct sockaddr_un hog_address = {.sun_family = AF_UNIX};

static void hog_fail(const char *what)
{
    (void)fprintf(stderr, "hog: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

static int hog_connect(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || connect(fd, (const struct sockaddr *)&hog_address, sizeof(hog_address)) < 0)
        hog_fail("connect");
    return fd;
}

static void hog_ask(Client *client, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        (void)send(client->fd, client->request, client->size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void hog_write_request(Client *client, const char *instance)
{
    const Kind *kind = client->kind;
    int n = snprintf(client->request, sizeof(client->request), "%s%s%s", kind->head,
                     kind->tail ? instance : "", kind->tail ? kind->tail : "");

    if (n < 0 || (size_t)n >= sizeof(client->request))
        hog_fail("request");
    client->size = (size_t)n + (kind->is_cut ? 0 : 1);
}

/* Whether it is still there. */
static bool hog_receive(Client *client)
{
    static char bytes[65536];
    ssize_t n = recv(client->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    unsigned n_replies = 0;

    if (n <= 0)
        return n < 0 && errno == EAGAIN;
    for (ssize_t i = 0; i < n; i++)
        n_replies += bytes[i] == '\0';
    hog_ask(client, n_replies);
    return true;
}

static void hog_open(Client *client, int epoll_fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};

    client->fd = hog_connect();
    if (client->kind->is_read && epoll_ctl(epoll_fd, EPOLL_CTL_ADD, client->fd, &event) < 0)
        hog_fail("epoll_ctl");
    hog_ask(client, client->kind->depth);
}

static void hog_run(int epoll_fd)
{
    struct epoll_event events[64];

    for (;;) {
        int n = epoll_wait(epoll_fd, events, N_ELEMENTS(events), 1);

        for (int i = 0; i < n; i++) {
            Client *client = events[i].data.ptr;

            if (!hog_receive(client)) {
                (void)close(client->fd);
                hog_open(client, epoll_fd);
            }
        }
        (void)close(hog_connect());
    }
}

int main(int argc, char **argv)
{
    static Client clients[CONNECTIONS_PER_UID_MAX];
    struct rlimit limit = {CONNECTIONS_PER_UID_MAX + 64, CONNECTIONS_PER_UID_MAX + 64};
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    size_t n = 0;

    if (argc != 4 || strlen(argv[1]) >= sizeof(hog_address.sun_path) || epoll_fd < 0) {
        (void)fputs("usage: hog SOCKET INSTANCE PENDING\n", stderr);
        return EXIT_FAILURE;
    }
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    memcpy(hog_address.sun_path, argv[1], strlen(argv[1]));
    for (size_t i = 0; i < N_ELEMENTS(hog_kinds); i++) {
        const Kind *kind = &hog_kinds[i];

        for (unsigned j = 0; j < kind->n && n < N_ELEMENTS(clients); j++, n++) {
            Client *client = &clients[n];

            client->kind = kind;
            hog_write_request(client, argv[kind->is_pending ? 3 : 2]);
            hog_open(client, epoll_fd);
        }
    }
    (void)puts("ready");
    (void)fflush(stdout);
    hog_run(epoll_fd);
}
