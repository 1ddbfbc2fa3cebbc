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

    def poll(self):
        """All messages so far, each a list of its lines."""
        while True:
            try:
                self.messages.append(self.socket.recv(65536).decode().splitlines())
            except BlockingIOError:
                return self.messages

    def lines(self, prefix):
        return [line for message in self.poll() for line in message if line.startswith(prefix)]

    def wait_for(self, prefix):
        return wait_until(lambda: self.lines(prefix), f"the service manager is told {prefix}")

    def close(self):
        self.socket.close()
