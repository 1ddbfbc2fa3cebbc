#include "ipc/peer.h"

#include <errno.h>
#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"

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

    assert_int_equal(peer_subject(&peer, false, &subject), 0);
    assert_int_equal(subject.uid, getuid());
    assert_int_equal(subject.gid, getgid());
    assert_int_equal(subject.n_groups, 0);
    assert_null(subject.unit);

    n = getgroups(0, NULL);
    assert_true(n >= 0);
    groups = calloc((size_t)n + 1, sizeof(*groups));
    assert_int_equal(getgroups(n, groups), n);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(peer_subject(&peer, true, &subject), 0);
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
    if (peer_init(&peer, fds[0]) < 0 || peer_subject(&peer, true, &subject) < 0)
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

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_self),
        cmocka_unit_test(test_many_groups),
        cmocka_unit_test(test_not_connected),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
