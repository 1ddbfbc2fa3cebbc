#include "fetch/fetch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
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

static const char answer_at_once[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
static const char answer_by_bytes[] = "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n";

/* A server that answers the first client that connects, and leaves the others waiting. */
typedef struct Origin {
    int listener;
    int connection; /* -1: none yet */
    struct event *accept;
    struct event *read;
    struct event *write;
    const char *answer;
    char url[64];
} Origin;

/* Whether somebody has connected whom it has not taken. */
static bool origin_is_wanted(const Origin *origin)
{
    struct pollfd pollfd = {.fd = origin->listener, .events = POLLIN};

    return poll(&pollfd, 1, 0) == 1;
}

/* One byte for each turn of the loop, so that the client always has a step to take. */
static void origin_on_writable(evutil_socket_t fd, short what, void *userdata)
{
    const Origin *origin = userdata;

    (void)what;
    assert_int_equal(send(fd, " ", 1, MSG_NOSIGNAL), 1);
    if (origin_is_wanted(origin))
        (void)event_base_loopbreak(event_get_base(origin->accept));
}

static void origin_on_read(evutil_socket_t fd, short what, void *userdata)
{
    const Origin *origin = userdata;
    char request[4096];

    (void)what;
    if (recv(fd, request, sizeof(request), MSG_DONTWAIT) <= 0)
        return;
    assert_int_equal(send(fd, origin->answer, strlen(origin->answer), MSG_NOSIGNAL),
                     strlen(origin->answer));
    if (origin->answer == answer_by_bytes)
        assert_int_equal(event_add(origin->write, NULL), 0);
}

static void origin_add(struct event *event)
{
    assert_non_null(event);
    assert_int_equal(event_priority_set(event, 0), 0); /* it never keeps the client waiting */
    assert_int_equal(event_add(event, NULL), 0);
}

static void origin_on_accept(evutil_socket_t fd, short what, void *userdata)
{
    static const int one = 1;
    Origin *origin = userdata;
    struct event_base *base = event_get_base(origin->accept);

    (void)what;
    origin->connection = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(origin->connection >= 0);
    assert_int_equal(setsockopt(origin->connection, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)),
                     0);
    origin->read = event_new(base, origin->connection, EV_READ | EV_PERSIST, origin_on_read,
                             origin);
    origin->write = event_new(base, origin->connection, EV_WRITE | EV_PERSIST, origin_on_writable,
                              origin);
    origin_add(origin->read);
}

static void origin_init(Origin *origin, struct event_base *base, const char *answer)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(address);

    *origin = (Origin){.connection = -1, .answer = answer};
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
    if (origin->write)
        event_free(origin->write);
    if (origin->connection >= 0)
        (void)close(origin->connection);
    (void)close(origin->listener);
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

/* Two requests at once, until the first is answered or the second connects. The status of the first. */
static int run_two(const char *answer, bool *ret_has_second_connected)
{
    _cleanup_(secret_unrefp) Secret *authorization = NULL;
    Caller caller = {.base = event_base_new()};
    FetchSlot *first, *second;
    HttpRequest request = {.method = "GET", .timeout = 30 * USEC_PER_SEC};
    Origin origin;
    Fetch *fetch;

    assert_int_equal(event_base_priority_init(caller.base, FETCH_PRIORITIES), 0);
    assert_int_equal(fetch_new(caller.base, 16, &fetch), 0);
    assert_int_equal(secret_new("User u", 6, &authorization), 0);
    origin_init(&origin, caller.base, answer);
    request.authorization = authorization;
    request.url = origin.url;
    assert_int_equal(fetch_start(fetch, &request, on_answer, &caller, &first), 0);
    assert_int_equal(fetch_start(fetch, &request, on_no_answer, NULL, &second), 0);
    assert_int_equal(event_base_dispatch(caller.base), 0);
    *ret_has_second_connected = origin_is_wanted(&origin);
    if (caller.status == 0)
        fetch_slot_free(first);
    fetch_slot_free(second);
    fetch_free(fetch);
    origin_deinit(&origin);
    event_base_free(caller.base);
    return caller.status;
}

/* If it need not wait for anybody, the first goes to its end before the second connects. */
static void test_what_has_begun_goes_first(void **state)
{
    bool has_second_connected;

    (void)state;
    assert_int_equal(run_two(answer_at_once, &has_second_connected), 200);
    assert_false(has_second_connected);
}

/* But not for ever. */
static void test_nobody_waits_for_one_that_dribbles(void **state)
{
    bool has_second_connected;

    (void)state;
    assert_int_equal(run_two(answer_by_bytes, &has_second_connected), 0);
    assert_true(has_second_connected);
}

static void test_too_few_priorities(void **state)
{
    struct event_base *base = event_base_new();
    Fetch *fetch = NULL;

    (void)state;
    assert_int_equal(fetch_new(base, 16, &fetch), -EINVAL);
    assert_null(fetch);
    event_base_free(base);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_has_begun_goes_first),
        cmocka_unit_test(test_nobody_waits_for_one_that_dribbles),
        cmocka_unit_test(test_too_few_priorities),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
