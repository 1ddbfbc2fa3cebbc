"""elements-sandbox, and its control interface (tests/sandbox/README.md)."""

import http.client
import json
import ssl
from urllib.parse import urlencode

from harness.process import BUILD, Process
from harness.wait import wait_until

PREFIX = "/elements/api-v2"


class Sandbox:
    """The platform. It keeps its state in a file, so that it can go and come back on the same port."""

    def __init__(self, directory, user, organization, certificate=None, options=()):
        self.directory = directory
        self.user, self.organization = user, organization
        self.certificate = certificate
        self.options = list(options)
        self.port = 0
        self.process = None
        self.start()

    def start(self):
        port_file = self.directory / "port"
        port_file.unlink(missing_ok=True)
        command = [BUILD / "elements-sandbox", f"--listen=127.0.0.1:{self.port}", f"--user={self.user}",
                   f"--organization={self.organization}", f"--state={self.directory / 'state'}",
                   f"--port-file={port_file}", "--die-with-parent", *self.options]
        if self.certificate:
            command += [f"--tls-cert={self.certificate.chain}", f"--tls-key={self.certificate.key}"]
        self.process = Process(command, self.directory / "sandbox.log")

        def is_listening():
            assert self.process.is_running(), f"the sandbox ended: {self.process.output()}"
            return port_file.exists()

        wait_until(is_listening, "the sandbox listens")
        self.port = int(port_file.read_text())

    def stop(self):
        status = self.process.terminate()
        report = self.process.sanitizer_report()
        assert not report, report
        assert status == 0, f"the sandbox ended with {status}: {self.process.output()}"

    @property
    def url(self):
        return f"{'https' if self.certificate else 'http'}://127.0.0.1:{self.port}{PREFIX}"

    # --- control ---

    def call(self, method, path, document=None, /, **query):
        if self.certificate:
            context = ssl._create_unverified_context()
            connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=20, context=context)
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        query = {key: value for key, value in query.items() if value is not None}
        body = None if document is None else json.dumps(document)
        try:
            connection.request(method, "/_sandbox" + path + ("?" + urlencode(query) if query else ""), body,
                               {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        assert answer.status == 200, f"{method} {path}: {answer.status} {text.decode(errors='replace')}"
        return json.loads(text)

    def requests(self, method=None, path=None, after=None):
        """Those that have come so far, oldest first; method and path are globs."""
        return self.call("GET", "/requests", None, method=method, path=path, after=after)

    def posts(self):
        return self.requests("POST", "/instances")

    def forget_requests(self):
        self.call("DELETE", "/requests")

    def instances(self):
        return self.call("GET", "/instances")

    def instance(self, instance_id):
        return self.call("GET", f"/instances/{instance_id}")

    def plant(self, **instance):
        """Instances that were there before; their ids."""
        return self.call("POST", "/instances", instance)["ids"]

    def remove(self, instance_id):
        self.call("DELETE", f"/instances/{instance_id}")

    def fault(self, action, **rule):
        """A rule; by default for one request. Names with _ stand for those with - ."""
        rule = {key.replace("_", "-"): value for key, value in rule.items()}
        return self.call("POST", "/faults", {"action": action} | rule)["ids"][0]

    def faults(self):
        return self.call("GET", "/faults")

    def forget_faults(self):
        self.call("DELETE", "/faults")

    def settings(self, **settings):
        return self.call("POST", "/settings", settings)

    def stats(self):
        return self.call("GET", "/stats")
