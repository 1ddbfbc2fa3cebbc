#include "ipc/peer.h"

#include <errno.h>
#include <grp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/limits.h"

#define PEER_PIDFD 77 /* SO_PEERPIDFD */

/* ---- a kernel and a libsystemd of our own ---- */

static bool has_peerpidfd; /* else the kernel is one before 6.5 */
static const char *unit;   /* of whichever process; NULL: it fails with unit_error */
static int unit_error;
static pid_t ends_meanwhile; /* this process ends while its cgroup is read; 0: none does */
static unsigned n_units;     /* times that it was asked for */
static socklen_t n_groups;   /* that the peer is said to be in; 0: as many as it is */

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): glibc's parameters have other names */
int getsockopt(int fd, int level, int name, void *restrict value, socklen_t *restrict size)
{
    if (name == PEER_PIDFD && !has_peerpidfd) {
        errno = ENOPROTOOPT;
        return -1;
    }
    if (name == SO_PEERGROUPS && n_groups > 0) {
        bool has_room = *size >= n_groups * sizeof(gid_t);

        *size = n_groups * (socklen_t)sizeof(gid_t);
        if (has_room)
            memset(value, 0, *size);
        errno = ERANGE;
        return has_room ? 0 : -1;
    }
    return (int)syscall(SYS_getsockopt, fd, level, name, value, size);
}

int sd_pid_get_unit(pid_t pid, char **ret_unit);

int sd_pid_get_unit(pid_t pid, char **ret_unit)
{
    (void)pid;
    n_units++;
    if (ends_meanwhile > 0) {
        (void)kill(ends_meanwhile, SIGKILL);
        (void)waitpid(ends_meanwhile, NULL, 0);
        ends_meanwhile = 0;
    }
    if (!unit)
        return unit_error;
    *ret_unit = strdup(unit);
    return *ret_unit ? 0 : -ENOMEM;
}

static void test_self(void **state)
{
    _cleanup_(freep) gid_t *groups = NULL;
    AclSubject subject;
    Peer peer;
    int fds[2], n;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(peer_init(&peer, fds[0]), 0);
    assert_int_equal(peer.uid, getuid());
    assert_int_equal(peer.gid, getgid());
    assert_int_equal(peer.pid, getpid());

    assert_int_equal(peer_subject(&peer, 0, &subject), 0);
    assert_int_equal(subject.uid, getuid());
    assert_int_equal(subject.gid, getgid());
    assert_int_equal(subject.n_groups, 0);
    assert_null(subject.unit);

    n = getgroups(0, NULL);
    assert_true(n >= 0);
    groups = calloc((size_t)n + 1, sizeof(*groups));
    assert_int_equal(getgroups(n, groups), n);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(peer_subject(&peer, PEER_GROUPS, &subject), 0);
        assert_int_equal(subject.n_groups, n);
        if (n > 0)
            assert_memory_equal(subject.groups, groups, (size_t)n * sizeof(*groups));
    }
    peer_deinit(&peer);
    close(fds[0]);
    close(fds[1]);
}

/* In a child, since groups cannot be got back: 0 if all is as it should be. */
static int child_with_groups(size_t n)
{
    gid_t groups[300];
    AclSubject subject;
    int fds[2];
    Peer peer;

    for (size_t i = 0; i < n; i++)
        groups[i] = (gid_t)(5000 + i);
    if (setgroups(n, groups) < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
        return 1;
    if (peer_init(&peer, fds[0]) < 0 || peer_subject(&peer, PEER_GROUPS, &subject) < 0)
        return 2;
    if (subject.n_groups != n || (n > 0 && subject.groups[n - 1] != 5000 + n - 1))
        return 3;
    peer_deinit(&peer);
    close(fds[0]);
    close(fds[1]);
    return 0;
}

/* More groups than are asked for at first. */
static void test_many_groups(void **state)
{
    static const size_t counts[] = {0, 1, 64, 65, 300};

    (void)state;
    if (geteuid() != 0)
        skip();
    for (size_t i = 0; i < N_ELEMENTS(counts); i++) {
        pid_t pid = fork();
        int status;

        assert_true(pid >= 0);
        if (pid == 0)
            _exit(child_with_groups(counts[i]));
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
    }
}

/* No kernel has more of them; one that says so lets nobody in by a group. */
static void test_most_groups(void **state)
{
    int fds[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    for (n_groups = PEER_GROUPS_MAX; n_groups <= PEER_GROUPS_MAX + 1; n_groups++) {
        AclSubject subject;
        Peer peer;

        assert_int_equal(peer_init(&peer, fds[0]), 0);
        assert_int_equal(peer_subject(&peer, PEER_GROUPS, &subject),
                         n_groups <= PEER_GROUPS_MAX ? 0 : -ERANGE);
        if (n_groups <= PEER_GROUPS_MAX)
            assert_int_equal(subject.n_groups, PEER_GROUPS_MAX);
        peer_deinit(&peer);
    }
    n_groups = 0;
    close(fds[0]);
    close(fds[1]);
}

static void test_not_connected(void **state)
{
    Peer peer;
    int fd;

    (void)state;
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(peer_init(&peer, fd), -ENOTCONN);
    close(fd);
    assert_int_equal(peer_init(&peer, fd), -EBADF);
}

/* ---- units ---- */

static int setup_unit(void **state)
{
    (void)state;
    has_peerpidfd = true;
    unit = "x.service";
    unit_error = -ENODATA;
    ends_meanwhile = 0;
    n_units = 0;
    return 0;
}

/* The peer of a socket to a child that waits to be killed. */
static pid_t connect_child(int *ret_fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t size = sizeof(sa_family_t); /* the kernel finds a name */
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    pid_t pid;

    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    size = sizeof(address);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(listen(listener, 1), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);

        (void)alarm(30); /* in case the test fails and leaves it behind */
        if (connect(fd, (struct sockaddr *)&address, size) < 0)
            _exit(1);
        for (;;)
            (void)pause();
    }
    *ret_fd = accept(listener, NULL, NULL);
    assert_true(*ret_fd >= 0);
    close(listener);
    return pid;
}

static void end_child(pid_t pid)
{
    int status;

    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
}

static void expect_unit(Peer *peer, const char *expected)
{
    const char *found = peer_find_unit(peer);

    if (!expected)
        assert_null(found);
    else
        assert_string_equal(found ? found : "none", expected);
}

/* Whether or not the kernel keeps a handle with the socket. */
static void test_unit(void **state)
{
    int self = (int)syscall(SYS_pidfd_open, getpid(), 0);

    (void)state;
    if (self < 0) {
        print_message("no pidfd_open(2) here: valgrind did not know it before 3.21\n");
        skip();
    }
    close(self);
    for (int i = 0; i < 2; i++) {
        AclSubject subject;
        pid_t child;
        Peer peer;
        int fd;

        has_peerpidfd = i == 0;
        child = connect_child(&fd);
        assert_int_equal(peer_init(&peer, fd), 0);
        assert_int_equal(peer.pid, child);
        n_units = 0;
        assert_int_equal(peer_subject(&peer, PEER_GROUPS, &subject), 0);
        assert_null(subject.unit);
        assert_int_equal(n_units, 0);
        expect_unit(&peer, "x.service");
        unit = "y.service";
        expect_unit(&peer, "x.service"); /* once a connection */
        assert_int_equal(n_units, 1);
        unit = "x.service";
        peer_deinit(&peer);

        /* It ends while its cgroup is read: whose that was is not known. */
        assert_int_equal(peer_init(&peer, fd), 0);
        ends_meanwhile = child;
        expect_unit(&peer, NULL);
        assert_int_equal(ends_meanwhile, 0);
        peer_deinit(&peer);

        /* It has ended: its number may be somebody else's. */
        assert_int_equal(peer_init(&peer, fd), 0);
        expect_unit(&peer, NULL);
        peer_deinit(&peer);
        close(fd);
    }
}

/* Without a handle from the kernel: the process of that number began after the connection was there. */
static void test_unit_of_a_later_process(void **state)
{
    pid_t child;
    Peer peer;
    int fd;

    (void)state;
    has_peerpidfd = false;
    child = connect_child(&fd);
    assert_int_equal(peer_init(&peer, fd), 0);
    peer.seen_at = 1;
    expect_unit(&peer, NULL);
    assert_int_equal(n_units, 0);
    peer_deinit(&peer);
    end_child(child);
    close(fd);
}

static void test_unit_unknown(void **state)
{
    char name[UNIT_NAME_BYTES_MAX + 2];
    AclSubject subject;
    pid_t child;
    Peer peer;
    int fd;

    (void)state;
    child = connect_child(&fd);
    assert_int_equal(peer_init(&peer, fd), 0);
    unit = NULL;
    expect_unit(&peer, NULL);
    peer_deinit(&peer);

    assert_int_equal(peer_init(&peer, fd), 0);
    unit_error = -ENOMEM;
    assert_int_equal(peer_subject(&peer, PEER_UNIT, &subject), -ENOMEM);
    unit = "x.service";
    expect_unit(&peer, "x.service"); /* it is asked again */
    peer_deinit(&peer);

    memset(name, 'x', sizeof(name));
    for (size_t size = UNIT_NAME_BYTES_MAX; size <= UNIT_NAME_BYTES_MAX + 1; size++) {
        assert_int_equal(peer_init(&peer, fd), 0);
        name[size] = '\0';
        unit = name;
        expect_unit(&peer, size <= UNIT_NAME_BYTES_MAX ? name : NULL);
        name[size] = 'x';
        peer_deinit(&peer);
    }

    /* A process that our namespace does not know. */
    assert_int_equal(peer_init(&peer, fd), 0);
    unit = "x.service";
    peer.pid = 0;
    expect_unit(&peer, NULL);
    peer_deinit(&peer);
    end_child(child);
    close(fd);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_self),
        cmocka_unit_test(test_many_groups),
        cmocka_unit_test(test_most_groups),
        cmocka_unit_test(test_not_connected),
        cmocka_unit_test_setup(test_unit, setup_unit),
        cmocka_unit_test_setup(test_unit_of_a_later_process, setup_unit),
        cmocka_unit_test_setup(test_unit_unknown, setup_unit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
