/*
 * The guard: what accept4() says comes back, and what was taken up outlives this process until its peer has been told.
 */

#include "ipc/guard.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"

#define PATIENCE_MSEC 10000

static int listening_fd = -1;
static struct sockaddr_un address;
static socklen_t address_size;

/* ---- in the place of the C library's ---- */

typedef enum Moment {
    MOMENT_NONE,
    MOMENT_BEFORE, /* accept4() */
    MOMENT_AFTER,
    MOMENT_GUARDED, /* guard_accept() has returned */
    MOMENT_OVER,    /* guard_end(), too */
} Moment;

static Moment dies_at;   /* when the process that uses the guard is killed */
static pid_t dies;       /* that process */
static int accept_error; /* what accept4() fails with; 0: it does not */
static int clone_error;
static pid_t accepted_by;

static void die_at(Moment moment)
{
    if (dies_at == moment)
        (void)kill(dies, SIGKILL);
}

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): glibc's parameters have other names */
int accept4(int fd, struct sockaddr *restrict peer, socklen_t *restrict size, int flags)
{
    int accepted;

    accepted_by = getpid();
    if (accept_error != 0) {
        errno = accept_error;
        return -1;
    }
    die_at(MOMENT_BEFORE);
    accepted = (int)syscall(SYS_accept4, fd, peer, size, flags);
    die_at(MOMENT_AFTER);
    return accepted;
}

int clone(int (*function)(void *), void *stack, int flags, void *argument, ...)
{
    int (*real)(int (*)(void *), void *, int, void *, ...);
    va_list list;
    pid_t *parent, *child;
    void *tls;

    if (clone_error != 0) {
        errno = clone_error;
        return -1;
    }
    va_start(list, argument);
    parent = va_arg(list, pid_t *);
    tls = va_arg(list, void *);
    child = va_arg(list, pid_t *);
    va_end(list);
    *(void **)&real = dlsym(RTLD_NEXT, "clone");
    return real(function, stack, flags, argument, parent, tls, child);
}

/* ---- the stage ---- */

static void say_sorry(int fd)
{
    (void)send(fd, "sorry", 5, MSG_NOSIGNAL);
}

static int setup(void **state)
{
    const char *variant = getenv("ELEMENTD_VARIANT");

    (void)state;
    if (variant && strcmp(variant, "valgrind") == 0) {
        print_message("valgrind knows no process that shares its parent's memory and goes on\n");
        return 0;
    }
    dies_at = MOMENT_NONE;
    accept_error = clone_error = 0;
    accepted_by = 0;
    listening_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    address = (struct sockaddr_un){.sun_family = AF_UNIX};
    address_size = sizeof(address);
    return bind(listening_fd, (struct sockaddr *)&address, sizeof(sa_family_t)) < 0 ||
           getsockname(listening_fd, (struct sockaddr *)&address, &address_size) < 0 ||
           listen(listening_fd, 8) < 0;
}

static int teardown(void **state)
{
    (void)state;
    if (listening_fd >= 0)
        (void)close(listening_fd);
    listening_fd = -1;
    return 0;
}

static void need_guards(void)
{
    if (listening_fd < 0)
        skip();
}

static int connect_there(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, address_size), 0);
    return fd;
}

/* All that it is sent until the end. */
static void expect(int fd, const char *text)
{
    struct pollfd pollfd = {.fd = fd, .events = POLLIN};
    char read_here[64] = {};
    size_t size = 0;
    ssize_t n;

    do {
        assert_int_equal(poll(&pollfd, 1, PATIENCE_MSEC), 1);
        n = recv(fd, read_here + size, sizeof(read_here) - 1 - size, 0);
        assert_true(n >= 0);
        size += (size_t)n;
    } while (n > 0);
    assert_string_equal(read_here, text);
}

static void expect_open(int fd)
{
    char byte;

    assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
}

/* It does not end, given the time to. */
static void expect_guarded(void)
{
    for (int i = 0; i < 20; i++) {
        siginfo_t ended = {};

        assert_int_equal(
            waitid(P_PID, (id_t)accepted_by, &ended, WEXITED | WNOHANG | WNOWAIT | __WALL), 0);
        assert_int_equal(ended.si_pid, 0);
        (void)usleep(1000);
    }
}

static void expect_no_children(void)
{
    assert_int_equal(waitpid(-1, NULL, __WALL | WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

/* ---- what accept4() says ---- */

static void test_accept(void **state)
{
    _cleanup_(guard_freep) Guard *guard = NULL;

    (void)state;
    need_guards();
    assert_int_equal(guard_new(say_sorry, &guard), 0);
    for (int i = 0; i < 3; i++) {
        int peer = connect_there(), fd = guard_accept(guard, listening_fd);

        assert_true(fd >= 0);
        assert_int_not_equal(accepted_by, getpid());
        assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
        assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        /* Somebody else's signals are no reason to give it up. */
        assert_int_equal(kill(accepted_by, SIGTERM), 0);
        assert_int_equal(kill(accepted_by, SIGUSR1), 0);
        expect_guarded();
        expect_open(peer);
        guard_end(guard);
        expect_no_children();
        guard_end(guard);
        expect_open(peer);
        assert_int_equal(send(fd, "x", 1, 0), 1);
        close(fd);
        expect(peer, "x");
        close(peer);
    }
}

static void test_nobody_there(void **state)
{
    _cleanup_(guard_freep) Guard *guard = NULL;

    (void)state;
    need_guards();
    assert_int_equal(guard_new(say_sorry, &guard), 0);
    assert_int_equal(guard_accept(guard, listening_fd), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(accepted_by, 0);
    guard_end(guard);
    expect_no_children();
}

static void test_errors(void **state)
{
    static const int errors[] = {EAGAIN, EMFILE, ENFILE, ENOBUFS, ENOMEM, ECONNABORTED, EPERM};
    _cleanup_(guard_freep) Guard *guard = NULL;
    int peer, fd;

    (void)state;
    need_guards();
    assert_int_equal(guard_new(say_sorry, &guard), 0);
    peer = connect_there();
    for (size_t i = 0; i < N_ELEMENTS(errors); i++) {
        accept_error = errors[i];
        errno = 0;
        assert_int_equal(guard_accept(guard, listening_fd), -1);
        assert_int_equal(errno, errors[i]);
        assert_int_not_equal(accepted_by, getpid());
        expect_no_children();
    }
    accept_error = 0;
    fd = guard_accept(guard, listening_fd);
    assert_true(fd >= 0);
    guard_end(guard);
    close(fd);
    close(peer);
}

/* No process can be had: it is taken up by this one, which says the same. */
static void test_no_guard(void **state)
{
    static const int errors[] = {EAGAIN, ENOMEM, EPERM, ENOSYS};
    _cleanup_(guard_freep) Guard *guard = NULL;

    (void)state;
    need_guards();
    assert_int_equal(guard_new(say_sorry, &guard), 0);
    for (size_t i = 0; i < N_ELEMENTS(errors); i++) {
        int peer = connect_there(), fd;

        clone_error = errors[i];
        accept_error = EMFILE;
        assert_int_equal(guard_accept(guard, listening_fd), -1);
        assert_int_equal(errno, EMFILE);
        accept_error = 0;
        fd = guard_accept(guard, listening_fd);
        assert_true(fd >= 0);
        assert_int_equal(accepted_by, getpid());
        guard_end(guard);
        expect_no_children();
        expect_open(peer);
        close(fd);
        close(peer);
    }
}

/* Signals are blocked no longer than it takes. */
static void test_mask(void **state)
{
    _cleanup_(guard_freep) Guard *guard = NULL;
    sigset_t before, after;
    int peer, fd;

    (void)state;
    need_guards();
    assert_int_equal(guard_new(say_sorry, &guard), 0);
    peer = connect_there();
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &before), 0);
    fd = guard_accept(guard, listening_fd);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &after), 0);
    assert_memory_equal(&before, &after, _NSIG / 8);
    guard_end(guard);
    close(fd);
    close(peer);
}

/* ---- a kill ---- */

/* A process that takes up one connection, and is killed at `moment`. */
static void take_up_and_die(Moment moment)
{
    Guard *guard;

    dies = getpid();
    dies_at = moment;
    if (guard_new(say_sorry, &guard) < 0 || guard_accept(guard, listening_fd) < 0)
        _exit(1);
    die_at(MOMENT_GUARDED);
    guard_end(guard);
    die_at(MOMENT_OVER);
    _exit(2);
}

static void test_kill(void **state)
{
    static const struct {
        Moment moment;
        const char *words; /* what its peer is told */
    } cases[] = {
        {MOMENT_BEFORE, "sorry"},
        {MOMENT_AFTER, "sorry"},
        {MOMENT_GUARDED, "sorry"},
        {MOMENT_OVER, ""},
    };

    (void)state;
    need_guards();
    /* The guard becomes our child when its parent is dead. */
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        int peer = connect_there(), status;
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0) {
            (void)close(peer);
            take_up_and_die(cases[i].moment);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        expect(peer, cases[i].words);
        close(peer);
        while (waitpid(-1, NULL, __WALL) > 0)
            ;
        expect_no_children();
    }
}

static void *take_up(void *guard)
{
    return guard_accept(guard, listening_fd) < 0 ? NULL : guard;
}

/* The thread that took it up ends, which is told to the guard as the end of a process is; but that comes later. */
static void test_end_of_thread(void **state)
{
    int peer, ready[2], status;
    char byte;
    pid_t pid;

    (void)state;
    need_guards();
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    peer = connect_there();
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        Guard *guard;
        pthread_t thread;
        void *taken_up;

        (void)close(peer);
        if (guard_new(say_sorry, &guard) < 0 ||
            pthread_create(&thread, NULL, take_up, guard) != 0 ||
            pthread_join(thread, &taken_up) != 0 || !taken_up || write(ready[1], "", 1) != 1)
            _exit(1);
        for (;;)
            (void)pause();
    }
    (void)close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    (void)usleep(20 * 1000);
    expect_open(peer);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    expect(peer, "sorry");
    close(peer);
    close(ready[0]);
    while (waitpid(-1, NULL, __WALL) > 0)
        ;
}

static int other_pipe[2];

/* Nothing else of the dead process is open any more. */
static void say_what_is_open(int fd)
{
    struct pollfd pollfd = {.fd = other_pipe[1]};

    (void)poll(&pollfd, 1, 0);
    (void)send(fd, pollfd.revents & POLLNVAL ? "none" : "some", 4, MSG_NOSIGNAL);
}

static void test_descriptors(void **state)
{
    (void)state;
    need_guards();
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    for (int i = 0; i < 2; i++) {
        int peer = connect_there(), status, low = dup(STDERR_FILENO);
        pid_t pid;

        assert_int_equal(pipe2(other_pipe, O_CLOEXEC), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            Guard *guard;

            /* Once the first that is free is above the other one, and once below. */
            (void)close(peer);
            if (i == 1)
                (void)close(low);
            if (guard_new(say_what_is_open, &guard) == 0 && guard_accept(guard, listening_fd) >= 0)
                (void)kill(getpid(), SIGKILL);
            _exit(1);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        expect(peer, "none");
        close(peer);
        close(low);
        close(other_pipe[0]);
        close(other_pipe[1]);
        while (waitpid(-1, NULL, __WALL) > 0)
            ;
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_accept),        TEST(test_nobody_there), TEST(test_errors),
        TEST(test_no_guard),      TEST(test_mask),         TEST(test_kill),
        TEST(test_end_of_thread), TEST(test_descriptors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
