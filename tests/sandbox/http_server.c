#include "tests/sandbox/http_server.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/listener.h>
#include <event2/util.h>

#include "base/error.h"

#define HTTP_SERVER_BACKLOG 4096

struct HttpServer {
    struct event_base *base; /* borrowed */
    struct evconnlistener *listener;
    SSL_CTX *tls;
    HttpConnList conns;
    HttpConnHooks hooks;
    HttpServerHandler handler;
    void *userdata;
    HttpServerStats stats;
    unsigned port;
    char url[96];
};

static void http_server_on_request(void *userdata, HttpRequest *request)
{
    HttpServer *server = userdata;

    server->handler(server->userdata, request);
}

static void http_server_on_handshake(void *userdata, bool is_resumed)
{
    HttpServer *server = userdata;

    server->stats.handshakes++;
    server->stats.resumptions += is_resumed;
}

static void http_server_on_close(void *userdata)
{
    HttpServer *server = userdata;

    if (server->listener)
        (void)evconnlistener_enable(server->listener);
}

static void http_server_on_accept(struct evconnlistener *listener, evutil_socket_t fd,
                                  struct sockaddr *address, int address_size, void *userdata)
{
    HttpServer *server = userdata;
    SSL *ssl = NULL;
    int on = 1;

    (void)address;
    (void)address_size;
    server->stats.connections++;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (server->tls) {
        ssl = SSL_new(server->tls);
        if (!ssl) {
            (void)evutil_closesocket(fd);
            return;
        }
    }
    (void)http_conn_new(server->base, fd, ssl, server->stats.connections, &server->conns,
                        &server->hooks);
    if (server->conns.n >= HTTP_SERVER_CONNECTIONS_MAX)
        (void)evconnlistener_disable(listener);
}

/* Out of descriptors: pause until a connection ends. */
static void http_server_on_accept_error(struct evconnlistener *listener, void *userdata)
{
    HttpServer *server = userdata;

    if (server->conns.n > 0)
        (void)evconnlistener_disable(listener);
}

static int http_server_load_tls(HttpServer *server, const HttpServerConfig *config,
                                const char **ret_what)
{
    *ret_what = "The certificate and its key cannot be used";
    server->tls = SSL_CTX_new(TLS_server_method());
    if (!server->tls)
        return -ENOMEM;
    if (SSL_CTX_set_min_proto_version(server->tls, TLS1_2_VERSION) != 1 ||
        SSL_CTX_use_certificate_chain_file(server->tls, config->tls_cert) != 1 ||
        SSL_CTX_use_PrivateKey_file(server->tls, config->tls_key, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(server->tls) != 1)
        return -EINVAL;
    return 0;
}

static int http_server_learn_address(HttpServer *server)
{
    struct sockaddr_storage address = {};
    socklen_t size = sizeof(address);
    char host[INET6_ADDRSTRLEN], port[8];

    if (getsockname(evconnlistener_get_fd(server->listener), (struct sockaddr *)&address, &size) <
        0)
        return error_errno();
    if (getnameinfo((struct sockaddr *)&address, size, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return -EINVAL;
    server->port = (unsigned)strtoul(port, NULL, 10);
    (void)snprintf(server->url, sizeof(server->url),
                   strchr(host, ':') ? "%s://[%s]:%s" : "%s://%s:%s",
                   server->tls ? "https" : "http", host, port);
    return 0;
}

/* "ADDR:PORT" or "[ADDR]:PORT", both in numbers. 0 or -errno; the caller frees the result. */
static int http_server_parse_address(const char *text, struct addrinfo **ret_address)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
                             .ai_socktype = SOCK_STREAM};
    const char *colon = strrchr(text, ':');
    bool is_bracketed = *text == '[' && colon && colon > text && colon[-1] == ']';
    char host[INET6_ADDRSTRLEN];
    size_t size;

    if (!colon)
        return -EINVAL;
    size = (size_t)(colon - text) - 2 * is_bracketed;
    if (size == 0 || size >= sizeof(host))
        return -EINVAL;
    memcpy(host, text + is_bracketed, size);
    host[size] = '\0';
    return getaddrinfo(host, colon + 1, &hints, ret_address) == 0 ? 0 : -EINVAL;
}

static int http_server_listen(HttpServer *server, const HttpServerConfig *config,
                              const char **ret_what)
{
    struct addrinfo *address = NULL;
    int r;

    *ret_what = "The address to listen on is not ADDR:PORT";
    r = http_server_parse_address(config->listen, &address);
    if (r < 0)
        return r;
    *ret_what = "Cannot listen";
    server->listener = evconnlistener_new_bind(
        server->base, http_server_on_accept, server,
        LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE, HTTP_SERVER_BACKLOG,
        address->ai_addr, (int)address->ai_addrlen);
    r = server->listener ? 0 : error_errno();
    freeaddrinfo(address);
    if (r < 0)
        return r;
    evconnlistener_set_error_cb(server->listener, http_server_on_accept_error);
    return http_server_learn_address(server);
}

int http_server_new(struct event_base *base, const HttpServerConfig *config,
                    HttpServerHandler handler, void *userdata, HttpServer **ret_server,
                    const char **ret_what)
{
    _cleanup_(http_server_freep) HttpServer *server = NULL;
    int r;

    *ret_what = "Cannot serve";
    server = calloc(1, sizeof(*server));
    if (!server)
        return -ENOMEM;
    *server = (HttpServer){
        .base = base,
        .hooks = {http_server_on_request, http_server_on_handshake, http_server_on_close, server},
        .handler = handler,
        .userdata = userdata,
    };
    if (config->tls_cert) {
        r = http_server_load_tls(server, config, ret_what);
        if (r < 0)
            return r;
    }
    r = http_server_listen(server, config, ret_what);
    if (r < 0)
        return r;
    *ret_server = TAKE_PTR(server);
    return 0;
}

HttpServer *http_server_free(HttpServer *server)
{
    if (!server)
        return NULL;
    if (server->listener)
        evconnlistener_free(TAKE_PTR(server->listener));
    while (server->conns.first)
        (void)http_conn_free(server->conns.first);
    SSL_CTX_free(server->tls);
    free(server);
    return NULL;
}

const char *http_server_url(const HttpServer *server)
{
    return server->url;
}

unsigned http_server_port(const HttpServer *server)
{
    return server->port;
}

HttpServerStats http_server_stats(const HttpServer *server)
{
    HttpServerStats stats = server->stats;

    stats.n_open = server->conns.n;
    return stats;
}
