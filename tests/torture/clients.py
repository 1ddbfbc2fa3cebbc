"""Clients that never stop asking: several connections, each with a call under way.

One thread and a select(): what a daemon had sent before it was killed is still read afterwards, so no token that got
out is overlooked.
"""

import json
import select
import time

from harness.varlink import Varlink

N_CONNECTIONS = 5
TICK_SECONDS = 0.004  # between two questions of a connection


class Client:
    """One connection, on which calls are answered in the order in which they were made."""

    def __init__(self, path):
        self.varlink = Varlink.connect(path)
        self.asked = []
        self.is_open = True

    def ask(self, name, seconds):
        self.asked.append(name)
        try:
            self.varlink.send("io.elementd.GetToken", {"instance": name, "timeoutUSec": int(seconds * 1e6)})
        except OSError:
            pass  # it is dead; what it had answered before is still to be read

    def answers(self):
        """(name, token or None) of what has come."""
        try:
            data = self.varlink.socket.recv(1 << 20)
        except ConnectionError:
            data = b""
        if not data:
            self.is_open = False
            self.varlink.close()
        *messages, self.varlink.unread = (self.varlink.unread + data).split(b"\0")
        return [(self.asked.pop(0), json.loads(message).get("parameters", {}).get("token")) for message in messages]


class Clients:
    def __init__(self, path, names, choose, promises):
        self.path, self.names, self.choose, self.promises = path, names, choose, promises
        self.clients = []
        self.n_answers = 0

    def run(self, until, is_over):
        """Asks until that moment, or until something is over."""
        while time.monotonic() < until and not is_over():
            self.connect()
            for client in self.clients:
                if not client.asked:
                    client.ask(self.choose.choice(self.names), self.choose.choice((0, 0.05, 0.5)))
            self.read(TICK_SECONDS)

    def finish(self):
        """All that the daemon, which has ended, had still sent."""
        while self.clients:
            self.read(1)

    def connect(self):
        """The first one asks for everything at once: whatever was given out before must be served from the start."""
        while len(self.clients) < N_CONNECTIONS:
            try:
                client = Client(self.path)
            except OSError:
                return  # it does not listen yet
            if not self.clients:
                for name in self.names:
                    client.ask(name, 0)
            self.clients.append(client)

    def read(self, seconds):
        ready, _, _ = select.select([client.varlink.socket for client in self.clients], [], [], seconds)
        for client in [client for client in self.clients if client.varlink.socket in ready]:
            for name, token in client.answers():
                self.promises.answered(name, token)
                self.n_answers += 1
        self.clients = [client for client in self.clients if client.is_open]
        # The others of this moment are answered too before the next questions.
        if ready and seconds == TICK_SECONDS:
            time.sleep(TICK_SECONDS)
