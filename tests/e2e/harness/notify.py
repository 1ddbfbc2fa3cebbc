"""The service manager's end of sd_notify(3)."""

import os
import socket

from harness.wait import wait_until


class NotifyListener:
    def __init__(self, directory):
        self.path = directory / "notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        self.socket.bind(str(self.path))
        os.chmod(self.path, 0o666)
        self.messages = []
        self.kept = []

    def poll(self):
        """All messages so far, each a list of its lines. Descriptors that come with them are kept."""
        while True:
            try:
                text, fds, _, _ = socket.recv_fds(self.socket, 65536, 16)
            except BlockingIOError:
                return self.messages
            self.messages.append(text.decode().splitlines())
            self.kept += fds

    def lines(self, prefix):
        return [line for message in self.poll() for line in message if line.startswith(prefix)]

    def wait_for(self, prefix):
        return wait_until(lambda: self.lines(prefix), f"the service manager is told {prefix}")

    def close(self):
        self.poll()
        for fd in self.kept:
            os.close(fd)
        self.socket.close()
