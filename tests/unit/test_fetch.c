#include "fetch/fetch.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "base/cleanup.h"

static const char answer_text[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";

/* A server that answers the first client that connects, at once, and leaves the others waiting. */
typedef struct Origin {
    int listener;
    int connection; /* -1: none yet */
    struct event *accept;
    struct event *read;
    char url[64];
} Origin;

static void origin_on_read(evutil_socket_t fd, short what, void *userdata)
{
    char request[4096];

    (void)what;
    (void)userdata;
    if (recv(fd, request, sizeof(request), MSG_DONTWAIT) > 0)
        assert_int_equal(send(fd, answer_text, strlen(answer_text), MSG_NOSIGNAL),
                         strlen(answer_text));
}

static void origin_add(struct event *event)
{
    assert_non_null(event);
    assert_int_equal(event_priority_set(event, 0), 0); /* it never keeps the client waiting */
    assert_int_equal(event_add(event, NULL), 0);
}

static void origin_on_accept(evutil_socket_t fd, short what, void *userdata)
{
    Origin *origin = userdata;

    (void)what;
    origin->connection = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(origin->connection >= 0);
    origin->read = event_new(event_get_base(origin->accept), origin->connection,
                             EV_READ | EV_PERSIST, origin_on_read, origin);
    origin_add(origin->read);
}

static void origin_init(Origin *origin, struct event_base *base)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(address);

    *origin = (Origin){.connection = -1};
    origin->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(origin->listener >= 0);
    assert_int_equal(bind(origin->listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(origin->listener, 16), 0);
    assert_int_equal(getsockname(origin->listener, (struct sockaddr *)&address, &size), 0);
    (void)snprintf(origin->url, sizeof(origin->url), "http://127.0.0.1:%u/",
                   (unsigned)ntohs(address.sin_port));
    origin->accept = event_new(base, origin->listener, EV_READ, origin_on_accept, origin);
    origin_add(origin->accept);
}

static void origin_deinit(Origin *origin)
{
    event_free(origin->accept);
    if (origin->read)
        event_free(origin->read);
    if (origin->connection >= 0)
        (void)close(origin->connection);
    (void)close(origin->listener);
}

/* Whether somebody has connected whom it has not taken. */
static bool origin_is_wanted(const Origin *origin)
{
    struct pollfd pollfd = {.fd = origin->listener, .events = POLLIN};

    return poll(&pollfd, 1, 0) == 1;
}

typedef struct Caller {
    struct event_base *base;
    int status;
} Caller;

static void on_answer(void *userdata, HttpAnswer *answer)
{
    Caller *caller = userdata;

    caller->status = answer->status;
    assert_int_equal(event_base_loopbreak(caller->base), 0);
}

static void on_no_answer(void *userdata, HttpAnswer *answer)
{
    (void)userdata;
    fail_msg("answered with %d", answer->status);
}

/* The first of two goes to its end before the second connects, if it need not wait for anybody. */
static void test_what_has_begun_goes_first(void **state)
{
    _cleanup_(secret_unrefp) Secret *authorization = NULL;
    Caller caller = {.base = event_base_new()};
    FetchSlot *first, *second;
    HttpRequest request = {.method = "GET", .timeout = 30 * USEC_PER_SEC};
    Origin origin;
    Fetch *fetch;

    (void)state;
    assert_int_equal(event_base_priority_init(caller.base, FETCH_PRIORITIES), 0);
    assert_int_equal(fetch_new(caller.base, 16, &fetch), 0);
    assert_int_equal(secret_new("User u", 6, &authorization), 0);
    origin_init(&origin, caller.base);
    request.authorization = authorization;
    request.url = origin.url;
    assert_int_equal(fetch_start(fetch, &request, on_answer, &caller, &first), 0);
    assert_int_equal(fetch_start(fetch, &request, on_no_answer, NULL, &second), 0);
    assert_int_equal(event_base_dispatch(caller.base), 0);
    assert_int_equal(caller.status, 200);
    assert_false(origin_is_wanted(&origin));
    fetch_slot_free(second);
    fetch_free(fetch);
    origin_deinit(&origin);
    event_base_free(caller.base);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_has_begun_goes_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
