#include "tests/unit/client_server.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static size_t client_server_count_fds(void)
{
    DIR *directory = opendir("/proc/self/fd");
    size_t n = 0;

    assert_non_null(directory);
    while (readdir(directory))
        n++;
    (void)closedir(directory);
    return n;
}

int client_server_setup(void **state)
{
    ClientServer *server = calloc(1, sizeof(*server));
    void *tree;

    if (!server || tree_setup(&tree) != 0)
        return -1;
    server->tree = tree;
    (void)snprintf(server->path, sizeof(server->path), "%s/s", server->tree->path);
    server->n_fds = client_server_count_fds();
    *state = server;
    return 0;
}

int client_server_teardown(void **state)
{
    ClientServer *server = *state;
    void *tree = server->tree;
    bool is_leaking;

    client_server_stop(server);
    is_leaking = client_server_count_fds() != server->n_fds;
    free(server);
    return tree_teardown(&tree) | (is_leaking ? -1 : 0);
}

/* One request, without its NUL, as far as it fits. False at the end of the connection. */
static bool client_server_read(ClientServer *server, int fd)
{
    char *request = server->requests[server->n_requests];
    size_t size = 0;
    char byte;

    while (read(fd, &byte, 1) == 1) {
        if (byte == '\0') {
            if (server->n_requests + 1 < CLIENT_REQUESTS_MAX)
                server->n_requests++;
            return true;
        }
        if (size + 1 < sizeof(server->requests[0]))
            request[size++] = byte;
    }
    return false;
}

/* The client may have gone meanwhile: that is the client's business. */
static void client_server_answer(int fd, const ClientTurn *turn)
{
    size_t size = turn->size > 0 ? turn->size : turn->reply ? strlen(turn->reply) + 1 : 0;
    size_t step = turn->is_slow ? 1 : size;

    (void)usleep(turn->delay_ms * 1000);
    for (size_t sent = 0; sent < size;) {
        ssize_t n = send(fd, turn->reply + sent, step < size - sent ? step : size - sent,
                         MSG_NOSIGNAL);

        if (n < 0)
            return;
        sent += (size_t)n;
    }
}

static void client_server_set_fd(ClientServer *server, int fd)
{
    (void)pthread_mutex_lock(&server->lock);
    if (server->fd >= 0)
        (void)close(server->fd);
    server->fd = fd;
    (void)pthread_mutex_unlock(&server->lock);
}

static void *client_server_run(void *argument)
{
    ClientServer *server = argument;
    size_t turn = 0;
    int fd;

    while ((fd = accept(server->listen_fd, NULL, NULL)) >= 0) {
        bool is_last = false;

        client_server_set_fd(server, fd);
        server->n_connections++;
        while (!is_last && client_server_read(server, fd)) {
            if (turn == server->n_turns)
                break;
            client_server_answer(fd, &server->turns[turn]);
            is_last = server->turns[turn].is_last;
            turn++;
        }
        client_server_set_fd(server, -1);
    }
    return NULL;
}

void client_server_start(ClientServer *server, const ClientTurn *turns, size_t n_turns)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    assert_int_equal(pthread_mutex_init(&server->lock, NULL), 0);
    server->fd = -1;
    server->turns = turns;
    server->n_turns = n_turns;
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", server->path);
    server->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(server->listen_fd >= 0);
    assert_int_equal(bind(server->listen_fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(server->listen_fd, 8), 0);
    assert_int_equal(pthread_create(&server->thread, NULL, client_server_run, server), 0);
    server->is_running = true;
}

void client_server_stop(ClientServer *server)
{
    if (!server->is_running)
        return;
    (void)shutdown(server->listen_fd, SHUT_RDWR);
    (void)pthread_mutex_lock(&server->lock);
    if (server->fd >= 0)
        (void)shutdown(server->fd, SHUT_RDWR);
    (void)pthread_mutex_unlock(&server->lock);
    assert_int_equal(pthread_join(server->thread, NULL), 0);
    (void)close(server->listen_fd);
    (void)pthread_mutex_destroy(&server->lock);
    server->is_running = false;
}

elementd *client_server_open(ClientServer *server, const ClientTurn *turns, size_t n_turns)
{
    elementd *daemon = NULL;

    client_server_start(server, turns, n_turns);
    assert_int_equal(elementd_open(server->path, &daemon), 0);
    return daemon;
}

void client_server_close(ClientServer *server, elementd *daemon)
{
    elementd_close(daemon);
    client_server_stop(server);
}

void client_server_assert_token(elementd *daemon, const char *expected)
{
    char *token = NULL;

    assert_int_equal(elementd_get_token(daemon, "x", 0, &token, NULL, NULL), 0);
    assert_string_equal(token, expected);
    elementd_free_secret(token);
}
