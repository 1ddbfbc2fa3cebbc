"""Being somebody else: a connection made by another user, as the kernel sees it."""

import array
import os
import signal
import socket

import pytest

from harness.process import die_with_parent
from harness.varlink import Varlink

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def drop(uid, gid, groups=()):
    os.setgroups(list(groups))
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)


class OtherUser:
    """A process that belongs to somebody else, connects, and lends us its connection while it lives."""

    def __init__(self, path, uid, gid, groups=()):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self.pid = os.fork()
        if self.pid == 0:
            try:
                drop(uid, gid, groups)
                die_with_parent()
                connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                connected.connect(str(path))
                fds = array.array("i", [connected.fileno()])
                theirs.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
                while True:
                    signal.pause()
            finally:
                os._exit(1)
        theirs.close()
        with ours:
            ours.settimeout(20)
            _, ancillary, _, _ = ours.recvmsg(1, socket.CMSG_SPACE(4))
        assert ancillary, f"uid {uid} could not connect"
        self.varlink = Varlink(socket.socket(fileno=array.array("i", ancillary[0][2])[0]))

    def close(self):
        self.varlink.close()
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)

    def __enter__(self):
        return self.varlink

    def __exit__(self, *_):
        self.close()
