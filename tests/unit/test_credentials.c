/*
 * Credentials over real sockets: clients that bind a name as systemd does, of whatever user and in whatever unit a test needs.
 */

#include "ipc/credentials.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/limits.h"
#include "ipc/wait.h"
#include "systemd/log.h"
#include "tests/unit/backend.h"

#define PATIENCE_USEC (10 * USEC_PER_SEC)
#define SYSTEMD_MAX   (1024 * 1024) /* what it takes for a credential */

static struct event_base *loop;
static Backend backend;
static Credentials *credentials;
static struct sockaddr_un address;
static socklen_t address_size;
static unsigned n_clients;

/* ---- a kernel and a libsystemd of our own ---- */

static uid_t peer_uid;
static const char *peer_unit; /* NULL: none */
static unsigned n_answers;    /* send() calls that were no filler */
static bool is_cut;           /* the next one takes a byte only */
static time_t clocks_ahead;   /* seconds, of the clocks that the process sees */

/* libevent's, too. */
/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): glibc's parameters have other names */
__attribute__((visibility("default"))) int clock_gettime(clockid_t id, struct timespec *now)
{
    int r = (int)syscall(SYS_clock_gettime, id, now);

    now->tv_sec += clocks_ahead;
    return r;
}

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): glibc's parameters have other names */
int getsockopt(int fd, int level, int name, void *restrict value, socklen_t *restrict size)
{
    int r = (int)syscall(SYS_getsockopt, fd, level, name, value, size);

    if (r == 0 && level == SOL_SOCKET && name == SO_PEERCRED)
        ((struct ucred *)value)->uid = peer_uid;
    return r;
}

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): glibc's parameters have other names */
ssize_t send(int fd, const void *data, size_t size, int flags)
{
    if (size > 0 && *(const char *)data != '\0') {
        n_answers++;
        if (is_cut)
            size = 1;
    }
    return syscall(SYS_sendto, fd, data, size, flags, NULL, 0);
}

int sd_pid_get_unit(pid_t pid, char **ret_unit);

int sd_pid_get_unit(pid_t pid, char **ret_unit)
{
    (void)pid;
    if (!peer_unit)
        return -ENODATA;
    *ret_unit = strdup(peer_unit);
    return *ret_unit ? 0 : -ENOMEM;
}

/* ---- the stage ---- */

static int setup(void **state)
{
    int fd;

    (void)state;
    log_set_level(LOG_CRIT);
    peer_uid = 0;
    peer_unit = "a.service";
    n_answers = 0;
    is_cut = false;
    clocks_ahead = 0;
    loop = event_base_new();
    backend_init(&backend);
    if (credentials_new(loop, &backend_operations, &backend, &credentials) != 0)
        return -1;
    credentials_set_wait(credentials, 3600 * USEC_PER_SEC);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address = (struct sockaddr_un){.sun_family = AF_UNIX};
    address_size = sizeof(address);
    if (bind(fd, (struct sockaddr *)&address, sizeof(sa_family_t)) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &address_size) < 0 || listen(fd, 4096) < 0)
        return -1;
    return credentials_listen(credentials, fd);
}

static int teardown(void **state)
{
    (void)state;
    credentials = credentials_free(credentials);
    backend_deinit(&backend);
    event_base_free(loop);
    return 0;
}

static void settle(void)
{
    assert_true(event_base_loop(loop, EVLOOP_NONBLOCK) >= 0);
}

static void expect_connections(unsigned n)
{
    for (usec_t end = clock_boottime() + PATIENCE_USEC;
         credentials_n_connections(credentials) != n && clock_boottime() < end;)
        settle();
    settle();
    assert_int_equal(credentials_n_connections(credentials), n);
}

/* `rest` is what follows the number: "/unit/a.service/x". NULL: no name at all. */
static int connect_as(const char *rest)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), n;

    assert_true(fd >= 0);
    if (rest) {
        n = snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "%x%x%s", (unsigned)getpid(),
                     n_clients++, rest);
        assert_int_equal(bind(fd, (struct sockaddr *)&name,
                              (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n)),
                         0);
    }
    assert_int_equal(connect(fd, (struct sockaddr *)&address, address_size), 0);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    return fd;
}

static int ask(const char *id)
{
    char rest[128];

    (void)snprintf(rest, sizeof(rest), "/unit/a.service/%s", id);
    return connect_as(rest);
}

/* All until the end, of which the first bytes are kept; `fd` is closed. */
static size_t read_all(int fd, char *first, size_t max)
{
    usec_t end = clock_boottime() + PATIENCE_USEC;
    char piece[65536];
    size_t total = 0;

    while (clock_boottime() < end) {
        ssize_t n;

        settle();
        n = recv(fd, piece, sizeof(piece), MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
            continue;
        assert_true(n >= 0);
        if (n == 0)
            break;
        if (total < max)
            memcpy(first + total, piece, (size_t)n < max - total ? (size_t)n : max - total);
        total += (size_t)n;
    }
    assert_true(clock_boottime() < end);
    close(fd);
    return total;
}

static void expect(int fd, const char *credential)
{
    char first[256] = {};
    size_t n = read_all(fd, first, sizeof(first) - 1);

    assert_string_equal(first, credential);
    assert_int_equal(n, strlen(credential));
}

/* More than systemd takes, and nothing of what it asked for. */
static void expect_refused(int fd)
{
    static char first[SYSTEMD_MAX + 1];
    size_t n;

    memset(first, 'x', sizeof(first));
    n = read_all(fd, first, sizeof(first));
    assert_true(n > SYSTEMD_MAX);
    for (size_t i = 0; i < sizeof(first); i++)
        assert_int_equal(first[i], 0);
}

static void expect_nothing_yet(int fd)
{
    char byte;

    settle();
    assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
}

static Served *add(const char *name, const char *allow, const char *token)
{
    static Secret *user;
    Served *served = backend_add(&backend, name, allow, allow);
    Terms *terms = backend_terms(&backend, served);

    if (!user)
        assert_int_equal(secret_new("uu", 2, &user), 0);
    terms->user = terms->organization = user;
    backend_set_token(&backend, served, token);
    return served;
}

/* What server_changed() and server_removed() do to those that wait. */
static void tell(Served *served)
{
    Wait *wait = TAILQ_FIRST(&served->waits);

    assert_non_null(wait);
    wait->on_change(wait);
}

/* ---- what is given ---- */

static void test_given(void **state)
{
    (void)state;
    (void)add("x", "unit:a.service", "tx");
    (void)add("x.y", "any", "txy");
    expect(ask("x"), "tx");
    assert_int_equal(n_answers, 1);
    expect(ask("x.y"), "txy");
    expect(ask("x.authorization"), "User uu, Organization uu, Element tx");
    assert_int_equal(n_answers, 3); /* each in one write */
    expect(ask("x.y.authorization"), "User uu, Organization uu, Element txy");
    expect_connections(0);
}

/* An instance of the whole name comes first, and then its own list decides. */
static void test_name_like_an_authorization(void **state)
{
    (void)state;
    (void)add("x", "any", "tx");
    (void)add("x.authorization", "unit:a.service", "secret");
    expect(ask("x.authorization"), "secret");
    expect(ask("x.authorization.authorization"), "User uu, Organization uu, Element secret");
    peer_unit = "b.service";
    expect_refused(connect_as("/unit/b.service/x.authorization"));
}

static void test_several_at_once(void **state)
{
    Served *y;
    int fds[3];

    (void)state;
    (void)add("x", "any", "tx");
    y = add("y", "any", NULL);
    fds[0] = ask("y");
    fds[1] = ask("x");
    fds[2] = ask("y");
    expect(fds[1], "tx");
    expect_connections(2);
    backend_set_token(&backend, y, "ty");
    tell(y);
    tell(y);
    expect(fds[0], "ty");
    expect(fds[2], "ty");
    expect_connections(0);
}

/* ---- what is refused ---- */

static void test_refused(void **state)
{
    static const struct {
        const char *rest;
        const char *unit; /* of its cgroup */
        uid_t uid;
        bool is_given;
    } cases[] = {
        {"/unit/a.service/x", "a.service", 0, true},
        {"/unit/a.service/x", "a.service", 1000, false},
        {"/unit/a.service/x", "b.service", 0, false},
        {"/unit/a.service/x", NULL, 0, false},
        {"/unit/b.service/x", "a.service", 0, false},
        {"/unit/b.service/x", "b.service", 0, false}, /* not in the list */
        {"/unit/a.service/nosuch", "a.service", 0, false},
        {"/unit/a.service/nosuch.authorization", "a.service", 0, false},
        {"/unit/a.service/.authorization", "a.service", 0, false},
        {"/unit/a.service/x.Authorization", "a.service", 0, false},
        {"/unit/a.service/root", "a.service", 0, false}, /* for root, which is not the unit */
        {"/unit/a.service/nobody", "a.service", 0, false},
        {"/unit/a.service/failed", "a.service", 0, false},
        {"/user/a.service/x", "a.service", 0, false},
        {"/unit/a.service", "a.service", 0, false},
        {NULL, "a.service", 0, false},
    };

    (void)state;
    (void)add("x", "unit:a.service", "tx");
    (void)add("root", "user:0", "tr");
    (void)add("nobody", NULL, "tn");
    add("failed", "any", NULL)->state = SERVED_FAILED;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        peer_uid = cases[i].uid;
        peer_unit = cases[i].unit;
        n_answers = 0;
        if (cases[i].is_given)
            expect(connect_as(cases[i].rest), "tx");
        else
            expect_refused(connect_as(cases[i].rest));
        assert_int_equal(n_answers, cases[i].is_given);
    }
    expect_connections(0);
}

/* The socket takes a part only: the rest is not the credential's. */
static void test_cut(void **state)
{
    char first[2] = {};
    size_t n;

    (void)state;
    (void)add("x", "any", "tx");
    is_cut = true;
    n = read_all(ask("x"), first, 1);
    assert_string_equal(first, "t");
    assert_true(n > SYSTEMD_MAX);
}

/* ---- waiting ---- */

static void test_wait(void **state)
{
    Served *x = add("x", "any", NULL);
    int fd = ask("x");

    (void)state;
    expect_nothing_yet(fd);
    expect_connections(1);
    x->state = SERVED_CREATING;
    tell(x);
    expect_nothing_yet(fd);
    backend_set_token(&backend, x, "tx");
    tell(x);
    assert_true(TAILQ_EMPTY(&x->waits));
    expect(fd, "tx");
    expect_connections(0);
}

static void test_wait_in_vain(void **state)
{
    Served *x = add("x", "any", NULL);

    (void)state;
    for (int i = 0; i < 3; i++) {
        int fd = ask("x");

        expect_nothing_yet(fd);
        switch (i) {
        case 0:
            x->state = SERVED_FAILED;
            break;
        case 1:
            backend_set_allow(&backend, x, "unit:b.service");
            backend_set_token(&backend, x, "tx");
            break;
        case 2:
            x->is_removed = true;
            break;
        }
        tell(x);
        assert_true(TAILQ_EMPTY(&x->waits));
        expect_refused(fd);
        backend_set_token(&backend, x, NULL);
        backend_set_allow(&backend, x, "any");
    }
    expect_connections(0);
}

static void test_deadline(void **state)
{
    usec_t begin;
    int fd;

    (void)state;
    (void)add("x", "any", NULL);
    credentials_set_wait(credentials, 0);
    expect_refused(ask("x"));

    credentials_set_wait(credentials, 100 * USEC_PER_MSEC);
    begin = clock_boottime();
    fd = ask("x");
    expect_nothing_yet(fd);
    expect_refused(fd);
    assert_true(clock_boottime() - begin >= 100 * USEC_PER_MSEC);

    /* It is changed while a unit waits: counted since it came. */
    credentials_set_wait(credentials, 3600 * USEC_PER_SEC);
    begin = clock_boottime();
    fd = ask("x");
    expect_nothing_yet(fd);
    credentials_set_wait(credentials, 200 * USEC_PER_MSEC);
    expect_nothing_yet(fd);
    expect_refused(fd);
    assert_true(clock_boottime() - begin >= 200 * USEC_PER_MSEC);
    assert_true(clock_boottime() - begin < PATIENCE_USEC);

    fd = ask("x");
    expect_nothing_yet(fd);
    credentials_set_wait(credentials, 3600 * USEC_PER_SEC);
    begin = clock_boottime();
    while (clock_boottime() < begin + 300 * USEC_PER_MSEC)
        expect_nothing_yet(fd);
    credentials_set_wait(credentials, 0);
    expect_refused(fd);
    expect_connections(0);
}

static void test_gone(void **state)
{
    Served *x = add("x", "any", NULL);
    int fd = ask("x");

    (void)state;
    expect_connections(1);
    close(fd);
    expect_connections(0);
    assert_true(TAILQ_EMPTY(&x->waits));

    /* While it is being filled. */
    fd = ask("nosuch");
    expect_connections(1);
    close(fd);
    expect_connections(0);
}

/* ---- limits ---- */

/* The longest credential is given, in one write, and none that is longer. */
static void test_longest_credential(void **state)
{
    static const char head[] = "User ", middle[] = ", Organization ", tail[] = ", Element tx";
    enum { OURS = sizeof(head) + sizeof(middle) + sizeof(tail) - 3 };

    (void)state;
    for (size_t size = CREDENTIAL_BYTES_MAX; size <= CREDENTIAL_BYTES_MAX + 1; size++) {
        char *text = malloc(size), first[sizeof(head)] = {};
        Secret *user, *organization;
        Served *x;

        (void)teardown(NULL);
        (void)setup(NULL);
        memset(text, 'u', size);
        x = add("x", "any", "tx");
        assert_int_equal(secret_new(text, (size - OURS) / 2, &user), 0);
        assert_int_equal(secret_new(text, size - OURS - (size - OURS) / 2, &organization), 0);
        backend_terms(&backend, x)->user = user;
        backend_terms(&backend, x)->organization = organization;
        if (size > CREDENTIAL_BYTES_MAX) {
            expect_refused(ask("x.authorization"));
        } else {
            assert_int_equal(read_all(ask("x.authorization"), first, sizeof(first) - 1), size);
            assert_string_equal(first, head);
        }
        assert_int_equal(n_answers, size > CREDENTIAL_BYTES_MAX ? 0 : 1);
        secret_unref(user);
        secret_unref(organization);
        free(text);
    }
}

/* Who is refused and does not read it may take that long, and not a second more: by the timer, or when it reads a little. */
static void test_longest_fill(void **state)
{
    enum { LONGEST = CREDENTIAL_FILL_USEC / USEC_PER_SEC };
    static char piece[256 * 1024];

    (void)state;
    for (int is_reading = 0; is_reading < 2; is_reading++) {
        int fd = ask("nosuch");

        expect_connections(1);
        for (int i = 0; i < 2; i++) {
            clocks_ahead += i == 0 ? LONGEST - 1 : 1;
            if (is_reading)
                assert_true(recv(fd, piece, sizeof(piece), MSG_DONTWAIT) > 0);
            expect_connections(i == 0 ? 1 : 0);
        }
        /* It has got less than it would take for a credential, which is why that takes so long. */
        close(fd);
    }
}

static void test_most(void **state)
{
    static int fds[CREDENTIALS_MAX + 1];
    struct rlimit files;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    files.rlim_cur = files.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
    if (files.rlim_cur < 2 * CREDENTIALS_MAX + 64) {
        print_message("skipped: only %u descriptors\n", (unsigned)files.rlim_cur);
        skip();
    }
    (void)add("x", "any", NULL);
    (void)add("y", "any", "ty");
    for (int i = 0; i < CREDENTIALS_MAX; i++)
        fds[i] = ask("x");
    expect_connections(CREDENTIALS_MAX);
    fds[CREDENTIALS_MAX] = ask("y"); /* queues in the kernel */
    expect_nothing_yet(fds[CREDENTIALS_MAX]);
    expect_connections(CREDENTIALS_MAX);
    close(fds[0]);
    expect(fds[CREDENTIALS_MAX], "ty");
    expect_connections(CREDENTIALS_MAX - 1);
    expect(ask("y"), "ty");
    for (int i = 1; i < CREDENTIALS_MAX; i++)
        close(fds[i]);
    expect_connections(0);
}

static void test_most_of_a_user(void **state)
{
    int fds[CREDENTIALS_PER_UID_MAX + 1];

    (void)state;
    (void)add("y", "any", "ty");
    peer_uid = 1000;
    for (int i = 0; i < CREDENTIALS_PER_UID_MAX + 1; i++) {
        fds[i] = ask("y"); /* refused, but does not read */
        settle();
    }
    expect_connections(CREDENTIALS_PER_UID_MAX);
    peer_uid = 0;
    expect(ask("y"), "ty");
    for (int i = 0; i < CREDENTIALS_PER_UID_MAX + 1; i++)
        close(fds[i]);
    expect_connections(0);
}

/* ---- ends ---- */

/* What an earlier run left: it goes on, unless an answer may have been begun. */
static void test_resume(void **state)
{
    static const int mark = 2; /* CREDENTIAL_MARK */

    (void)state;
    (void)add("x", "any", "tx");
    for (int i = 0; i < 2; i++) {
        struct sockaddr_un name = address;
        int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), fd, kept;

        /* Another listener, which is the earlier run's. */
        assert_int_equal(bind(listener, (struct sockaddr *)&name, sizeof(sa_family_t)), 0);
        address_size = sizeof(address);
        assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &address_size), 0);
        assert_int_equal(listen(listener, 1), 0);
        fd = ask("x");
        kept = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        assert_true(kept >= 0);
        close(listener);
        if (i == 1)
            assert_int_equal(setsockopt(kept, SOL_SOCKET, SO_RCVLOWAT, &mark, sizeof(mark)), 0);
        credentials_resume(credentials, kept);
        if (i == 0)
            expect(fd, "tx");
        else
            expect_refused(fd);
    }
}

/* Those that wait, and those that have not read all yet, are failed before it returns. */
static void test_stop(void **state)
{
    pid_t pid;
    int fds[2], status;

    (void)state;
    (void)add("x", "any", NULL);
    fds[0] = ask("x");
    fds[1] = ask("nosuch");
    expect_connections(2);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char piece[65536];

        for (int i = 0; i < 2; i++) {
            size_t total = 0;
            ssize_t n;

            while ((n = recv(fds[i], piece, sizeof(piece), 0)) > 0)
                total += (size_t)n;
            if (n < 0 || total <= SYSTEMD_MAX)
                _exit(1);
        }
        _exit(0);
    }
    credentials_stop(credentials);
    assert_int_equal(credentials_n_connections(credentials), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    close(fds[0]);
    close(fds[1]);
    credentials_stop(credentials);
}

/* One that does not read delays it no longer than it may. */
static void test_stop_in_time(void **state)
{
    usec_t begin;
    int fd;

    (void)state;
    (void)add("x", "any", NULL);
    fd = ask("x");
    expect_connections(1);
    begin = clock_boottime();
    credentials_stop(credentials);
    assert_true(clock_boottime() - begin >= CREDENTIAL_HURRY_USEC);
    assert_true(clock_boottime() - begin < 2 * CREDENTIAL_HURRY_USEC);
    close(fd);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_given),
        TEST(test_name_like_an_authorization),
        TEST(test_several_at_once),
        TEST(test_refused),
        TEST(test_cut),
        TEST(test_wait),
        TEST(test_wait_in_vain),
        TEST(test_deadline),
        TEST(test_gone),
        TEST(test_longest_credential),
        TEST(test_longest_fill),
        TEST(test_most),
        TEST(test_most_of_a_user),
        TEST(test_resume),
        TEST(test_stop),
        TEST(test_stop_in_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
