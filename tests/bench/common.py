"""What the benchmarks share: hosts with many instances, services that tell when they are ready, tables."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))

from harness.process import BUILD, environment  # noqa: E402
from harness.site import Site  # noqa: E402
from harness.tls import Authority  # noqa: E402

OWNER = "benchmark"


class Service:
    """A program that says READY=1, with the time (microseconds since exec) of each thing that it said."""

    def __init__(self, command, directory, env=None, prepare=None):
        path = directory / "notify"
        # In memory: on the disk that records are synced to, each line would wait for that, as none does in the journal.
        with tempfile.TemporaryFile(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as log:
            self.popen = subprocess.Popen([str(part) for part in (BUILD / "bench/notified", path, *command)],
                                          env=environment(env), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                          stderr=log, text=True, bufsize=1, preexec_fn=prepare)
        self.pid = int(self.popen.stdout.readline())
        self.said = []
        self.change = threading.Condition()
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        for line in self.popen.stdout:
            usec, text = line.rstrip("\n").split(" ", 1)
            with self.change:
                self.said.append((int(usec), text))
                self.change.notify_all()

    def heard(self, wanted):
        return next((usec for usec, text in self.said if wanted in text), None)

    def wait_for(self, wanted, seconds=60):
        """Seconds from exec until it said something with `wanted` in it."""
        with self.change:
            if not self.change.wait_for(lambda: self.heard(wanted) is not None, seconds):
                sys.exit(f"bench: no {wanted!r}; last was {self.said[-1:]}")
            return self.heard(wanted) / 1e6

    def ready(self):
        return self.wait_for("READY=1")

    def memory(self):
        """KiB by kind."""
        status = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return {line.split(":")[0]: int(line.split()[1]) for line in status if line.startswith(("VmRSS", "Rss"))}

    def stop(self):
        self.popen.terminate()
        self.popen.wait(30)


def body(number):
    """As the published instance file; each with secrets of its own."""
    return {"element": {"key": "jira"},
            "configuration": {"jira.username": f"ops{number}@example.com", "jira.password": f"pass-{number:08}-word",
                              "jira.api.url": f"https://example{number}.atlassian.net"},
            "tags": ["production"], "name": f"helpdesk {number}"}


def name(number):
    return f"helpdesk-jira-{number:05}"


def declare(site, numbers):
    folder = site.etc / "instances.d"
    for number in numbers:
        path = folder / f"{name(number)}.json"
        path.write_text(json.dumps(body(number) | {"elementd": {"allow": ["user:1000", "unit:helpdesk.service"]}},
                                   indent=2))
        path.chmod(0o640)


def start(site, env=None, prepare=None):
    return Service([BUILD / "elementd", f"--root={site.root}"], site.directory, env, prepare)


def wait_until_all_are_ready(service, n):
    return service.wait_for(f"STATUS={n} instance{'s' * (n != 1)}, {n} ready", 300)


def check_tokens(site, n):
    """All tokens are durable, and served as the platform gave them; what was measured was not nothing."""
    made = {row["id"]: row["token"] for row in site.platform.instances()}
    recorded = {row["name"]: row for row in site.document()["records"]}
    assert len(recorded) == n, f"{len(recorded)} records instead of {n}"
    for row in recorded.values():
        assert made[row["id"]] == row["token"]
    with site.connect() as varlink:
        for key, row in recorded.items():
            assert varlink.token(key) == row["token"]


def token_request(instance):
    """As libelementd writes it."""
    return json.dumps({"method": "io.elementd.GetToken", "parameters": {"instance": instance}},
                      separators=(",", ":")).encode() + b"\0"


def median(values):
    return statistics.median(values)


def verdict(value, most):
    return f"at most {most:g}: {'ok' if value <= most else 'MISSED'}"


def at_least(value, least):
    return f"at least {least:g}: {'ok' if value >= least else 'MISSED'}"


def row(*cells):
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


def header(*cells):
    row(*cells)
    row(*("---" for _ in cells))
