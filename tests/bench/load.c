/*
 * Load generator: one request, over and over, on UNIX stream sockets; prints requests a second.
 *
 * Knows nothing of protocols: the request is given, the reply is learnt from a first exchange, and each later one must be
 * the same to the byte. So any server can be measured with the same client, and a wrong answer counts as
 * a failure, not as a fast answer.
 *
 *     load CONNECTIONS DEPTH REQUESTS ROUNDS [--reconnect] SOCKET REQUEST-FILE [SOCKET REQUEST-FILE]...
 *
 * In each round every server is given so many REQUESTS, one server after the other, each first in its turn; a line for a
 * round has a number for each. All from this one process, so that where its memory lies is the same for all, and in short
 * rounds, so that a machine that becomes slower does so for all. DEPTH requests are under way on each connection. With
 * --reconnect each request has a connection of its own.
 */

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define LOAD_MESSAGE_BYTES_MAX 4096
#define LOAD_CONNECTIONS_MAX   1024
#define LOAD_DEPTH_MAX         64
#define LOAD_SERVERS_MAX       8
#define LOAD_WARM_UP           20 /* one of so many requests more, before a round is timed */

typedef struct Message {
    char bytes[LOAD_MESSAGE_BYTES_MAX];
    size_t size;
} Message;

typedef struct Client {
    int fd;
    unsigned n_open; /* requests without a reply */
    size_t received; /* bytes of the current reply */
} Client;

/* What one server is given. */
typedef struct Load {
    struct sockaddr_un address;
    Message request;
    Message reply;
    Message burst; /* DEPTH requests in one piece */
    unsigned depth;
    bool is_reconnect;
    unsigned long n_left; /* requests to be sent */
    unsigned long n_done;
    Client clients[LOAD_CONNECTIONS_MAX];
    unsigned n_clients;
    int epoll_fd;
} Load;

static void load_fail(const char *what)
{
    (void)fprintf(stderr, "load: %s: %s\n", what, errno ? strerror(errno) : "wrong reply");
    exit(EXIT_FAILURE);
}

static int load_connect(const Load *load)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || connect(fd, (const struct sockaddr *)&load->address, sizeof(load->address)) < 0)
        load_fail("connect");
    return fd;
}

static void load_send(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = send(fd, bytes, size, MSG_NOSIGNAL);

        if (n <= 0)
            load_fail("send");
        bytes += n;
        size -= (size_t)n;
    }
}

/* Learns the reply: all that comes until the server has been silent for a moment. */
static void load_learn(Load *load)
{
    struct timeval patience = {0, 300000};
    int fd = load_connect(load);

    load_send(fd, load->request.bytes, load->request.size);
    for (;;) {
        ssize_t n = recv(fd, load->reply.bytes + load->reply.size,
                         sizeof(load->reply.bytes) - load->reply.size, 0);

        if (n <= 0)
            break;
        load->reply.size += (size_t)n;
        if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0)
            load_fail("setsockopt");
    }
    (void)close(fd);
    if (load->reply.size == 0 || load->reply.size == sizeof(load->reply.bytes))
        load_fail("no reply to learn");
}

static void load_watch(Load *load, Client *client)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};

    if (epoll_ctl(load->epoll_fd, EPOLL_CTL_ADD, client->fd, &event) < 0)
        load_fail("epoll_ctl");
}

/* Brings what is under way up to DEPTH; in one piece, as a pipelining client does. */
static void load_fill(Load *load, Client *client)
{
    unsigned n = load->depth - client->n_open;

    if (n > load->n_left)
        n = (unsigned)load->n_left;
    if (n == 0)
        return;
    load_send(client->fd, load->burst.bytes, n * load->request.size);
    client->n_open += n;
    load->n_left -= n;
}

static void load_replace(Load *load, Client *client)
{
    (void)close(client->fd);
    client->fd = load_connect(load);
    load_watch(load, client);
}

/* Checks what has come against the one right reply, over and over. */
static void load_check(Load *load, Client *client, const char *bytes, size_t size)
{
    while (size > 0) {
        size_t left = load->reply.size - client->received;
        size_t n = size < left ? size : left;

        errno = 0;
        if (client->n_open == 0 || memcmp(load->reply.bytes + client->received, bytes, n) != 0)
            load_fail("receive");
        bytes += n;
        size -= n;
        client->received += n;
        if (client->received == load->reply.size) {
            client->received = 0;
            client->n_open--;
            load->n_done++;
        }
    }
}

static void load_receive(Load *load, Client *client)
{
    static char bytes[65536];
    ssize_t n = recv(client->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0)
        load_fail("receive");
    load_check(load, client, bytes, (size_t)n);
    if (client->n_open > 0)
        return;
    if (load->is_reconnect && load->n_left > 0)
        load_replace(load, client);
    load_fill(load, client);
}

static void load_run(Load *load, unsigned long n_requests)
{
    static struct epoll_event events[LOAD_CONNECTIONS_MAX];

    load->n_left = n_requests;
    load->n_done = 0;
    for (unsigned i = 0; i < load->n_clients; i++) {
        if (load->is_reconnect)
            load_replace(load, &load->clients[i]);
        load_fill(load, &load->clients[i]);
    }
    while (load->n_done < n_requests) {
        int n = epoll_wait(load->epoll_fd, events, LOAD_CONNECTIONS_MAX, 10000);

        if (n == 0)
            errno = ETIMEDOUT;
        if (n <= 0)
            load_fail("wait");
        for (int i = 0; i < n; i++)
            load_receive(load, events[i].data.ptr);
    }
    assert(load->n_done == n_requests);
}

/* Requests a second. */
static double load_measure(Load *load, unsigned long n_requests)
{
    struct timespec begin, end;
    double seconds;

    load_run(load, n_requests / LOAD_WARM_UP + 1);
    (void)clock_gettime(CLOCK_MONOTONIC, &begin);
    load_run(load, n_requests);
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    seconds = (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
    return (double)n_requests / seconds;
}

static void load_read_request(Load *load, const char *path)
{
    FILE *file = fopen(path, "re");

    if (!file)
        load_fail(path);
    load->request.size = fread(load->request.bytes, 1, sizeof(load->request.bytes), file);
    (void)fclose(file);
    if (load->request.size == 0 || load->request.size * load->depth > sizeof(load->burst.bytes))
        load_fail("request");
    for (unsigned i = 0; i < load->depth; i++) {
        memcpy(load->burst.bytes + load->burst.size, load->request.bytes, load->request.size);
        load->burst.size += load->request.size;
    }
}

static void load_init(Load *load, const char *socket, const char *request)
{
    if (strlen(socket) >= sizeof(load->address.sun_path))
        load_fail("socket");
    load->address.sun_family = AF_UNIX;
    memcpy(load->address.sun_path, socket, strlen(socket));
    load->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (load->epoll_fd < 0)
        load_fail("epoll_create1");
    load_read_request(load, request);
    load_learn(load);
    for (unsigned i = 0; i < load->n_clients; i++) {
        load->clients[i] = (Client){.fd = load_connect(load)};
        load_watch(load, &load->clients[i]);
    }
}

static unsigned long load_number(const char *text, unsigned long max)
{
    unsigned long number = strtoul(text, NULL, 10);

    errno = EINVAL;
    if (number == 0 || number > max)
        load_fail(text);
    return number;
}

int main(int argc, char **argv)
{
    static Load loads[LOAD_SERVERS_MAX];
    double speeds[LOAD_SERVERS_MAX];
    int n_given = argc > 5 && strcmp(argv[5], "--reconnect") == 0 ? 6 : 5;
    unsigned n_servers = argc > n_given ? (unsigned)(argc - n_given) / 2 : 0;
    unsigned long n_requests, n_rounds;

    if (n_servers == 0 || n_servers > LOAD_SERVERS_MAX || (argc - n_given) % 2 != 0) {
        (void)fputs("usage: load CONNECTIONS DEPTH REQUESTS ROUNDS [--reconnect] "
                    "SOCKET REQUEST-FILE [SOCKET REQUEST-FILE]...\n",
                    stderr);
        return EXIT_FAILURE;
    }
    n_requests = load_number(argv[3], 1000UL * 1000 * 1000);
    n_rounds = load_number(argv[4], 1000UL * 1000);
    for (unsigned i = 0; i < n_servers; i++) {
        loads[i].n_clients = (unsigned)load_number(argv[1], LOAD_CONNECTIONS_MAX);
        loads[i].depth = (unsigned)load_number(argv[2], LOAD_DEPTH_MAX);
        loads[i].is_reconnect = n_given == 6;
        load_init(&loads[i], argv[n_given + 2 * (int)i], argv[n_given + 2 * (int)i + 1]);
    }
    for (unsigned long round = 0; round < n_rounds; round++) {
        for (unsigned long i = round; i < round + n_servers; i++)
            speeds[i % n_servers] = load_measure(&loads[i % n_servers], n_requests);
        for (unsigned i = 0; i < n_servers; i++)
            (void)printf("%.0f%c", speeds[i], i + 1 < n_servers ? ' ' : '\n');
    }
    return EXIT_SUCCESS;
}
