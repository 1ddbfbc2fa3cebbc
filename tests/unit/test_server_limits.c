/*
 * What the server grants at each limit, refuses one past it, and grants again after a release.
 */

#include "ipc/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/limits.h"
#include "tests/unit/wire.h"

/* ---- clocks of our own, for libevent and the alarm of the server too ---- */

static time_t clocks_ahead; /* seconds */

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): glibc's parameters have other names */
__attribute__((visibility("default"))) int clock_gettime(clockid_t id, struct timespec *now)
{
    int r = (int)syscall(SYS_clock_gettime, id, now);

    now->tv_sec += clocks_ahead;
    return r;
}

/* The timer that was set last, which our clocks alone end. */
static struct {
    int fd;
    usec_t due; /* 0: it is not set */
    usec_t period;
} timer;

static int timer_set(int fd, long nanoseconds)
{
    const struct itimerspec times = {.it_value.tv_nsec = nanoseconds};

    return (int)syscall(SYS_timerfd_settime, fd, 0, &times, NULL);
}

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): glibc's parameters have other names */
__attribute__((visibility("default"))) int timerfd_settime(int fd, int flags,
                                                           const struct itimerspec *times,
                                                           struct itimerspec *ret_before)
{
    usec_t delay = (usec_t)times->it_value.tv_sec * USEC_PER_SEC;

    assert_int_equal(flags, 0);
    assert_null(ret_before);
    timer.fd = fd;
    timer.due = delay > 0 ? clock_boottime() + delay : 0;
    timer.period = (usec_t)times->it_interval.tv_sec * USEC_PER_SEC;
    return timer_set(fd, 0);
}

static void pass(time_t seconds)
{
    clocks_ahead += seconds;
    if (timer.due == 0 || clock_boottime() < timer.due)
        return;
    timer.due = clock_boottime() + timer.period;
    assert_int_equal(timer_set(timer.fd, 1), 0);
}

/* ---- limits ---- */

/* Descriptors for `n` pairs, or false. */
static int allow_pairs(unsigned n)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 0;
    if (limit.rlim_cur < 2 * n + 64) {
        limit.rlim_cur = 2 * n + 64;
        return limit.rlim_cur <= limit.rlim_max && setrlimit(RLIMIT_NOFILE, &limit) == 0;
    }
    return 1;
}

static void test_connections_of_a_user(void **state)
{
    static int fds[CONNECTIONS_PER_UID_MAX];
    int other;

    (void)state;
    if (!allow_pairs(CONNECTIONS_PER_UID_MAX + 4))
        skip();
    (void)wire_add_ready("x", "t");
    for (int i = 0; i < CONNECTIONS_PER_UID_MAX; i++)
        fds[i] = wire_connect(1000);
    wire_expect_connections(CONNECTIONS_PER_UID_MAX);
    wire_expect_end(wire_connect(1000));
    wire_say(fds[CONNECTIONS_PER_UID_MAX - 1], GET("x"));
    wire_expect(fds[CONNECTIONS_PER_UID_MAX - 1], TOKEN("t"));
    other = wire_connect(1001);
    wire_say(other, GET("x"));
    wire_expect(other, TOKEN("t"));
    close(fds[0]);
    wire_settle();
    fds[0] = wire_connect(1000);
    wire_say(fds[0], GET("x"));
    wire_expect(fds[0], TOKEN("t"));
    wire_expect_end(wire_connect(1000));
    for (int i = 0; i < CONNECTIONS_PER_UID_MAX; i++)
        close(fds[i]);
    close(other);
    wire_expect_connections(0);
}

static void test_connections_in_all(void **state)
{
    static int fds[CONNECTIONS_MAX];

    (void)state;
    if (!allow_pairs(CONNECTIONS_MAX + 4))
        skip();
    (void)wire_add_ready("x", "t");
    for (int i = 0; i < CONNECTIONS_MAX; i++)
        fds[i] = wire_connect(0); /* root has no share of its own */
    wire_expect_connections(CONNECTIONS_MAX);
    wire_expect_end(wire_connect(0));
    wire_expect_end(wire_connect(1000));
    wire_say(fds[CONNECTIONS_MAX - 1], GET("x"));
    wire_expect(fds[CONNECTIONS_MAX - 1], TOKEN("t"));
    /* One that is given back is still root's. */
    close(fds[0]);
    wire_settle();
    wire_expect_end(wire_connect(1000));
    fds[0] = wire_connect(0);
    for (int i = 0; i <= CONNECTIONS_ROOT_RESERVE; i++)
        close(fds[i]);
    wire_settle();
    fds[0] = wire_connect(1000);
    wire_expect_end(wire_connect(1001));
    for (int i = 1; i <= CONNECTIONS_ROOT_RESERVE; i++)
        fds[i] = wire_connect(0);
    wire_expect_connections(CONNECTIONS_MAX);
    wire_expect_end(wire_connect(0));
    for (int i = 0; i < CONNECTIONS_MAX; i++)
        close(fds[i]);
    wire_expect_connections(0);
}

static void test_waits_of_a_user(void **state)
{
    static int fds[WAITING_PER_UID_MAX];
    Served *x = backend_add(&wire_backend, "x", "any", NULL);
    int fd;

    (void)state;
    if (!allow_pairs(WAITING_PER_UID_MAX + 4))
        skip();
    for (int i = 0; i < WAITING_PER_UID_MAX; i++) {
        fds[i] = wire_connect(1000);
        wire_say(fds[i], WAIT_FOR("x"));
    }
    wire_expect_nothing(fds[WAITING_PER_UID_MAX - 1]);
    fd = wire_connect(1000);
    wire_say(fd, WAIT_FOR("x"));
    wire_expect(fd, PENDING("x"));
    close(fds[0]);
    wire_settle();
    wire_say(fd, WAIT_FOR("x"));
    wire_expect_nothing(fd);
    backend_set_token(&wire_backend, x, "t");
    server_changed(wire_server, x);
    wire_expect(fd, TOKEN("t"));
    close(fd);
    for (int i = 1; i < WAITING_PER_UID_MAX; i++) {
        wire_expect(fds[i], TOKEN("t"));
        close(fds[i]);
    }
}

static void test_idle(void **state)
{
    usec_t before, after;
    int fd;

    (void)state;
    (void)wire_add_ready("x", "t");
    fd = wire_connect(1000);
    before = clock_boottime();
    wire_say(fd, GET("x"));
    wire_expect(fd, TOKEN("t"));
    after = clock_boottime();
    server_sweep(wire_server, before + CONN_IDLE_USEC - 1);
    wire_expect_connections(1);
    server_sweep(wire_server, after + CONN_IDLE_USEC);
    wire_expect_connections(0);
    wire_expect_end(fd);
}

static void test_unfinished_request(void **state)
{
    usec_t before, after;
    int fd;

    (void)state;
    fd = wire_connect(1000);
    before = clock_boottime();
    wire_say_bytes(fd, "{", 1);
    wire_settle();
    after = clock_boottime();
    server_sweep(wire_server, before + CONN_REQUEST_USEC - 1);
    wire_expect_connections(1);
    wire_say_bytes(fd, " ", 1); /* a byte now and then is no progress */
    wire_settle();
    server_sweep(wire_server, after + CONN_REQUEST_USEC);
    wire_expect_connections(0);
    wire_expect_end(fd);
}

/* Without being told to: while there are connections the server looks at them every few seconds. */
static void test_sweeps_by_itself(void **state)
{
    enum { IDLE = CONN_IDLE_USEC / USEC_PER_SEC };
    int fd, other;

    (void)state;
    (void)wire_add_ready("x", "t");
    fd = wire_connect(1000);
    wire_say(fd, GET("x"));
    wire_expect(fd, TOKEN("t"));
    pass(IDLE - 10);
    wire_expect_connections(1);
    other = wire_connect(1000);
    wire_settle();
    pass(5);
    wire_expect_connections(2);
    pass(10); /* 5 s late at most */
    wire_expect_connections(1);
    wire_expect_end(fd);
    wire_say(other, GET("x"));
    wire_expect(other, TOKEN("t"));
    close(other);
    wire_expect_connections(0);
}

/* A call that waits is not idle, nor is it the peer's fault. */
static void test_waiting_is_not_idle(void **state)
{
    int fd;

    (void)state;
    (void)backend_add(&wire_backend, "x", "any", NULL);
    fd = wire_connect(1000);
    wire_say(fd, WAIT_FOR("x"));
    wire_say_bytes(fd, "{", 1);
    wire_settle();
    server_sweep(wire_server, clock_boottime() + WAIT_MAX_USEC);
    wire_expect_connections(1);
    close(fd);
}

/* Nor is a watch to which nothing happens. */
static void test_watching_is_not_idle(void **state)
{
    Served *x = wire_add_ready("x", "t");
    int fds[2];

    (void)state;
    for (int i = 0; i < 2; i++) {
        fds[i] = wire_connect(1000);
        wire_say(fds[i], i == 0 ? WATCH_TOKEN("x") : WATCH_INSTANCES);
        wire_settle();
    }
    server_sweep(wire_server, clock_boottime() + 10 * CONN_IDLE_USEC);
    wire_expect_connections(2);
    server_changed(wire_server, x);
    server_sweep(wire_server, clock_boottime() + 10 * CONN_IDLE_USEC);
    wire_expect_connections(2);
    close(fds[0]);
    close(fds[1]);
}

/* A watch whose news are not taken ends, though there are ever more of them. */
static void test_news_not_taken(void **state)
{
    char problem[1001];
    Served *x = wire_add_ready("x", "t");
    usec_t full;
    int fd;

    (void)state;
    memset(problem, 'p', 1000);
    problem[1000] = '\0';
    backend_set_problem(&wire_backend, x, problem);
    fd = wire_connect(1000);
    wire_say(fd, WATCH_INSTANCES);
    wire_settle();
    for (int i = 0; i < 2000; i++) {
        server_changed(wire_server, x);
        (void)event_base_loop(wire_loop, EVLOOP_NONBLOCK);
    }
    full = clock_boottime();
    server_sweep(wire_server, full + CONN_IDLE_USEC - USEC_PER_SEC);
    wire_expect_connections(1);
    server_changed(wire_server, x);
    wire_settle();
    server_sweep(wire_server, full + CONN_IDLE_USEC);
    wire_expect_connections(0);
    close(fd);
}

/* The same where there is no more to tell, and all that is left to send is little. */
static void test_last_news_not_taken(void **state)
{
    enum { SIZE = CONN_UNREAD_BYTES_MAX / 2 };
    _cleanup_(freep) char *problem = malloc(SIZE + 1);
    Served *x = wire_add_ready("x", "t");
    int least = 1;

    (void)state;
    memset(problem, 'p', SIZE);
    problem[SIZE] = '\0';
    backend_set_problem(&wire_backend, x, problem);
    for (int is_taken = 0; is_taken < 2; is_taken++) {
        char news[4096];
        int fds[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
        assert_int_equal(setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &least, sizeof(least)), 0);
        wire_serve(fds[1], 1000);
        wire_say(fds[0], WATCH_INSTANCES);
        wire_settle();
        while (is_taken && recv(fds[0], news, sizeof(news), 0) > 0)
            wire_settle();
        server_sweep(wire_server, clock_boottime() + CONN_IDLE_USEC);
        wire_expect_connections(is_taken);
        close(fds[0]);
        wire_expect_connections(0);
    }
}

static void test_watches_of_a_user(void **state)
{
    static int fds[WATCHES_PER_UID_MAX];
    int fd;

    (void)state;
    (void)wire_add_ready("x", "t");
    for (int i = 0; i < WATCHES_PER_UID_MAX; i++) {
        fds[i] = wire_connect(1000);
        wire_say(fds[i], WATCH_TOKEN("x"));
        wire_expect(fds[i], NEWS_TOKEN("t"));
    }
    fd = wire_connect(1000);
    wire_say(fd, WATCH_TOKEN("x"));
    wire_expect(fd, "{\"error\":\"io.elementd.TooManyWatches\",\"parameters\":{}}");
    close(fds[0]);
    wire_settle();
    wire_say(fd, WATCH_TOKEN("x"));
    wire_expect(fd, NEWS_TOKEN("t"));
    close(fd);
    for (int i = 1; i < WATCHES_PER_UID_MAX; i++)
        close(fds[i]);
    wire_expect_connections(0);
}

static void test_replies_not_taken(void **state)
{
    _cleanup_(freep) char *problem = malloc(1024 * 1024 + 1);
    Served *x = wire_add_ready("x", "t");
    int fd;

    (void)state;
    memset(problem, 'p', 1024 * 1024);
    problem[1024 * 1024] = '\0';
    backend_set_problem(&wire_backend, x, problem);
    fd = wire_connect(1000);
    wire_say(fd, CALL("io.elementd.ListInstances", ""));
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    wire_expect_connections(1);
    server_sweep(wire_server, clock_boottime() + CONN_IDLE_USEC - USEC_PER_SEC);
    wire_expect_connections(1);
    server_sweep(wire_server, clock_boottime() + CONN_IDLE_USEC);
    wire_expect_connections(0);
    close(fd);
}

/* So much at most is unsent for one user; one byte more costs the connection that it is for, and no other. */
static void test_unread_bytes_of_a_user(void **state)
{
    enum { SIZE = 4 * 1024 * 1024, N = UNREAD_BYTES_PER_UID_MAX / SIZE };
    _cleanup_(freep) char *problem = malloc(SIZE + 1);
    Served *x = wire_add_ready("x", "t");
    int fds[N + 1], other;

    (void)state;
    memset(problem, 'p', SIZE);
    problem[SIZE] = '\0';
    backend_set_problem(&wire_backend, x, problem);
    /* The kernel takes some of each, so that this is below the limit. */
    for (int i = 0; i < N; i++) {
        fds[i] = wire_connect(1000);
        wire_say(fds[i], CALL("io.elementd.ListInstances", ""));
    }
    wire_expect_connections(N);
    fds[N] = wire_connect(1000);
    wire_say(fds[N], CALL("io.elementd.ListInstances", ""));
    wire_expect_connections(N);
    other = wire_connect(1001);
    wire_say(other, CALL("io.elementd.ListInstances", ""));
    wire_expect_connections(N + 1);
    close(fds[0]);
    wire_settle();
    close(fds[N]);
    fds[0] = wire_connect(1000);
    wire_say(fds[0], CALL("io.elementd.ListInstances", ""));
    wire_expect_connections(N + 1);
    for (int i = 0; i < N; i++)
        close(fds[i]);
    close(other);
    wire_expect_connections(0);
}

static int other_fd;
static size_t
    other_nexts; /* that the daemon was asked for on behalf of the busy user, from request to answer */
static bool other_has_answer;

static void say_as_other(void)
{
    other_nexts = wire_backend.n_nexts;
    wire_say_bytes(other_fd, GET("x"), sizeof(GET("x")));
}

static void on_begin(evutil_socket_t fd, short what, void *userdata)
{
    (void)fd;
    (void)what;
    (void)userdata;
    say_as_other();
}

static void on_answer(evutil_socket_t fd, short what, void *userdata)
{
    char byte;

    (void)what;
    (void)userdata;
    assert_int_equal(recv(fd, &byte, 1, 0), 1);
    other_nexts = wire_backend.n_nexts - other_nexts;
    other_has_answer = true;
}

/* How often the kernel has taken the processor from us. */
static long count_preemptions(void)
{
    struct rusage usage;

    assert_int_equal(getrusage(RUSAGE_THREAD, &usage), 0);
    return usage.ru_nivcsw;
}

/*
 * While a user asks for more than its share, another one waits for a slice of that, and not for the rest of it: whether it
 * asks between two turns of the loop, or in the middle of one that holds all connections of the busy user.
 */
static void test_turn_of_others(void **state)
{
    enum { N = 64, TRIES_MAX = 200 };
    static const struct timeval soon = {.tv_usec = 5000};
    const char *variant = getenv("ELEMENTD_VARIANT");
    struct event *begin, *answer;
    int fds[N], n_tries = 0;
    char byte;

    (void)state;
    if (variant && strcmp(variant, "valgrind") == 0) {
        print_message(
            "a turn is measured in microseconds, and valgrind takes fifty times as long\n");
        skip();
    }
    (void)wire_add_ready("x", "t");
    for (int i = 1; i < BACKEND_INSTANCES_MAX; i++)
        (void)backend_add(&wire_backend, "y", "any", NULL);
    other_fd = wire_connect(1001);
    begin = evtimer_new(wire_loop, on_begin, NULL);
    answer = event_new(wire_loop, other_fd, EV_READ, on_answer, NULL);
    for (int round = 0; round < 8; round++) {
        bool is_within = round % 2 == 1;
        size_t before = wire_backend.n_nexts;
        long n_preempted = count_preemptions();

        other_has_answer = false;
        /* Within the fifth turn of all of them, after a few: by then their user is known to be busy. */
        wire_backend.on_next = say_as_other;
        wire_backend.call_at = is_within ? before + (4 * N + 4) * TURN_LOOKS_MAX : 0;
        if (!is_within)
            assert_int_equal(event_add(begin, &soon), 0);
        assert_int_equal(event_add(answer, NULL), 0);
        for (int i = 0; i < N; i++) {
            fds[i] = wire_connect(1000);
            wire_say(fds[i], CALL("io.elementd.ListInstances", ""));
        }
        while (!other_has_answer)
            assert_true(event_base_loop(wire_loop, EVLOOP_NONBLOCK) >= 0);
        assert_true(wire_backend.n_nexts - before > (size_t)N * TURN_LOOKS_MAX);
        /* Turns are measured by the clock: time that the kernel gave to others is not theirs, so that round does not count. */
        if (other_nexts > N / 4 * TURN_LOOKS_MAX && count_preemptions() > n_preempted &&
            n_tries++ < TRIES_MAX)
            round--;
        else
            assert_in_range(other_nexts, 0, N / 4 * TURN_LOOKS_MAX);
        wire_settle();
        for (int i = 0; i < N; i++) {
            assert_int_equal(recv(fds[i], &byte, 1, MSG_DONTWAIT), 1);
            close(fds[i]);
        }
        /* The rest of the other's answer. */
        while (recv(other_fd, &byte, 1, MSG_DONTWAIT) == 1)
            ;
        wire_settle();
    }
    event_free(begin);
    event_free(answer);
    close(other_fd);
    wire_expect_connections(0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, wire_setup, wire_teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_connections_of_a_user),  TEST(test_connections_in_all),
        TEST(test_waits_of_a_user),        TEST(test_idle),
        TEST(test_unfinished_request),     TEST(test_waiting_is_not_idle),
        TEST(test_replies_not_taken),      TEST(test_watching_is_not_idle),
        TEST(test_last_news_not_taken),    TEST(test_news_not_taken),
        TEST(test_watches_of_a_user),      TEST(test_sweeps_by_itself),
        TEST(test_unread_bytes_of_a_user), TEST(test_turn_of_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
