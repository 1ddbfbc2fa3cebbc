"""What becomes of clients, and of the log, where there is too little or too much of something."""

import os
import resource
import socket
import time
from pathlib import Path

import pytest

from harness.varlink import Varlink
from harness.wait import wait_until

PAUSE_TOLD = "No connection can be taken up"


def spent(pid):
    """Seconds of a processor."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def settled_descriptors(daemon):
    """Those of the daemon, when they have been the same for a while."""
    seen = []

    def are_the_same():
        seen.append({int(name) for name in os.listdir(f"/proc/{daemon.pid}/fd")})
        return len(seen) >= 6 and all(numbers == seen[-1] for numbers in seen[-6:])
    wait_until(are_the_same, "no descriptor comes or goes", pause=0.1)
    return seen[-1]


def is_answered(varlink, timeout):
    varlink.socket.settimeout(timeout)
    try:
        return b'"interfaces"' in (varlink.receive_bytes() or b"")
    except socket.timeout:
        return False


def queue(site):
    """A client that has connected and asked, whether it was taken up or not."""
    varlink = site.connect()
    varlink.send("org.varlink.service.GetInfo")
    return varlink


def assert_it_pauses(site, daemon, known, shortage, end):
    """While `shortage` lasts, who is connected is served, who is not queues, and nothing spins; then all is as before."""
    shortage()
    waiting = queue(site)
    begin, processor = time.monotonic(), spent(daemon.pid)
    while time.monotonic() - begin < 1.5:
        assert known.token("one")
        time.sleep(0.05)
    assert not is_answered(waiting, 0.1)
    assert spent(daemon.pid) - processor < 0.5
    end()
    assert is_answered(waiting, 5)
    assert site.ask("one") == known.token("one")


def test_out_of_descriptors(site):
    """By the real limit of the process (EMFILE)."""
    site.simple("one")
    daemon = site.start()
    site.token("one")
    known = site.connect()
    assert known.token("one")
    limits = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
    # The lowest number that is not in use, once those that will be free again are.
    used = settled_descriptors(daemon)
    lowest = min(set(range(len(used) + 1)) - used)
    assert_it_pauses(site, daemon, known, lambda: resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (lowest, limits[1])),
                     lambda: resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, limits))
    assert daemon.output().count(PAUSE_TOLD) == 1
    assert "Too many open files" in daemon.output()


@pytest.mark.parametrize("error", ["ENFILE", "ENOMEM", "ENOBUFS"])
def test_the_system_has_no_more(site, error):
    site.simple("one")
    daemon = site.start(faults=True)
    site.token("one")
    known = site.connect()
    assert known.token("one")
    assert_it_pauses(site, daemon, known, lambda: daemon.faults.set(f"accept4:error={error}"), daemon.faults.set)
    assert daemon.output().count(PAUSE_TOLD) == 1


def test_peers_cannot_flood_the_log(site):
    site.simple("one")
    daemon = site.start()
    site.token("one")
    before = len(daemon.output())
    for number in range(200):
        with Varlink.connect(site.socket) as varlink:
            varlink.send_bytes(b"this is no message \x1b[2J %d\0" % number)
            assert varlink.receive_bytes() is None
    wait_until(lambda: "Connection closed" in daemon.output(), "it is told")
    said = daemon.output()[before:]
    lines = [line for line in said.splitlines() if "Connection" in line and "debug" not in line]
    assert len(lines) == 10 and all(f"(uid {os.geteuid()}, pid {os.getpid()}): " in line for line in lines), lines
    assert "\x1b" not in said and "no message" not in said
    assert site.ask("one") == site.token("one")
