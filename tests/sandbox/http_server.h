#pragma once

/*
 * HTTP/1.1 server: a listener, its connections, and TLS where a certificate is given.
 *
 * Limits: HTTP_SERVER_CONNECTIONS_MAX
 */

#include "tests/sandbox/http_conn.h"

/* Above it the listener pauses: connections queue in the kernel. */
#define HTTP_SERVER_CONNECTIONS_MAX 16384

typedef struct HttpServer HttpServer;

typedef struct HttpServerConfig {
    const char *listen;   /* "ADDR:PORT"; port 0: any */
    const char *tls_cert; /* file with the chain; NULL: plain HTTP */
    const char *tls_key;
} HttpServerConfig;

typedef struct HttpServerStats {
    uint64_t connections; /* accepted so far */
    uint64_t handshakes;  /* of TLS, completed */
    uint64_t resumptions; /* of these, of an earlier session */
    size_t n_open;
} HttpServerStats;

typedef void (*HttpServerHandler)(void *userdata, HttpRequest *request);

/*
 * Listens. `handler` takes each request and answers it by http_conn_answer() or http_conn_abort(), at once
 * or later. 0 or -errno; *ret_what then says in static words what failed.
 */
int http_server_new(struct event_base *base, const HttpServerConfig *config,
                    HttpServerHandler handler, void *userdata, HttpServer **ret_server,
                    const char **ret_what);

/* Closes all connections: no request then has one. NULL is fine. Returns NULL. */
HttpServer *http_server_free(HttpServer *server);

DEFINE_FREEP(HttpServer, http_server_free)

/* "http://ADDR:PORT" or "https://…", of the socket itself; borrowed. */
const char *http_server_url(const HttpServer *server);
unsigned http_server_port(const HttpServer *server);

HttpServerStats http_server_stats(const HttpServer *server);
