"""A Varlink client that hides nothing: JSON, a NUL after each message, one socket."""

import json
import socket

TIMEOUT = 20.0


class VarlinkError(Exception):
    def __init__(self, name, parameters):
        super().__init__(f"{name} {parameters}")
        self.name, self.parameters = name, parameters


class Varlink:
    def __init__(self, connected):
        """Takes a connected socket."""
        self.socket = connected
        self.socket.settimeout(TIMEOUT)
        self.unread = b""

    @classmethod
    def connect(cls, path):
        connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            connected.settimeout(TIMEOUT)
            connected.connect(str(path))
        except BaseException:
            connected.close()
            raise
        return cls(connected)

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send_bytes(self, data):
        self.socket.sendall(data)

    def send(self, method, parameters=None, **flags):
        """A call; flags are more, oneway, upgrade. `parameters` None: left out."""
        message = {"method": method} | ({} if parameters is None else {"parameters": parameters}) | flags
        self.send_bytes(json.dumps(message).encode() + b"\0")

    def receive_bytes(self):
        """One message without its NUL; None when the other end has closed."""
        while b"\0" not in self.unread:
            data = self.socket.recv(65536)
            if not data:
                assert not self.unread, f"the connection ended within a message: {self.unread!r}"
                return None
            self.unread += data
        message, _, self.unread = self.unread.partition(b"\0")
        return message

    def receive(self):
        """The parameters of the next reply; raises VarlinkError where it is one."""
        message = self.receive_bytes()
        assert message is not None, "the daemon closed the connection instead of answering"
        reply = json.loads(message)
        if "error" in reply:
            raise VarlinkError(reply["error"], reply.get("parameters", {}))
        return reply.get("parameters", {})

    def call(self, method, **parameters):
        """Of io.elementd where the method has no interface of its own."""
        self.send(method if "." in method else f"io.elementd.{method}", parameters)
        return self.receive()

    def token(self, instance, **parameters):
        return self.call("GetToken", instance=instance, **parameters)["token"]
