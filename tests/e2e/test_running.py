"""The daemon as a service: ready, status, sockets it is given, signals, what it prints."""

import contextlib
import json
import os
import re
import signal
import socket
import sys
import threading
import time

import pytest

from harness.notify import NotifyListener
from harness.process import BUILD, Process
from harness.site import Daemon
from harness.varlink import Varlink, VarlinkError
from harness.wait import wait_until


@pytest.fixture
def manager(site):
    listener = NotifyListener(site.directory)
    yield listener
    listener.close()


# --- readiness ---

def test_ready_comes_before_any_network_and_with_a_hanging_platform(site, manager):
    site.simple("one", "two")
    site.platform.fault("hang", count=-1)
    daemon = site.start(env={"NOTIFY_SOCKET": str(manager.path)}, wait=False, faults=True)
    manager.wait_for("READY=1")
    wait_until(site.platform.requests, "the platform is asked")
    calls = daemon.faults.calls()
    notified = [number for number, call in enumerate(calls) if call.object == f"unix:{manager.path}"]
    connected = [number for number, call in enumerate(calls) if call.function == "connect" and call.object.startswith("tcp:")]
    ready = next(number for number, message in enumerate(manager.poll()) if "READY=1" in message)
    assert connected and notified[ready] < connected[0]
    assert site.ask("one") == "io.elementd.NotReady"
    assert len(manager.lines("READY=1")) == 1


def test_cached_tokens_are_served_when_ready_is_told(site, manager):
    site.simple("one")
    daemon = site.start()
    token = site.token("one")
    daemon.stop()
    site.platform.fault("hang", count=-1)
    # A client that asks as soon as it hears of it.
    site.start(env={"NOTIFY_SOCKET": str(manager.path)}, wait=False)
    manager.socket.setblocking(True)
    manager.socket.settimeout(20)
    while "READY=1" not in manager.socket.recv(65536).decode().splitlines():
        pass
    manager.socket.setblocking(False)
    assert site.ask("one") == token


def test_status_tells_counts(site, manager):
    site.simple("one", "two", "three")
    site.platform.fault("status", method="POST", name="three", status=503, retry_after="600", count=-1)
    site.write("instances.d/bad.json", "{")
    daemon = site.start(env={"NOTIFY_SOCKET": str(manager.path)})
    site.token("one")
    site.token("two")

    def counts():
        status = manager.lines("STATUS=")
        return status and sorted(map(int, re.findall(r"\b\d+\b", status[-1])))

    wait_until(lambda: counts() == [1, 1, 2, 4], "STATUS= counts four: two that are ready, one that failed, one that waits")
    daemon.stop()
    assert manager.lines("STOPPING=1")


def test_the_watchdog_is_fed(site, manager):
    site.simple("one")
    site.start(env={"NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": "400000"})
    wait_until(lambda: len(manager.lines("WATCHDOG=1")) >= 3, "the watchdog is fed again and again")


# --- sockets from the service manager ---

def activated(site, listener, env=None):
    """elementd with `listener` as its first passed descriptor, as systemd would start it."""
    program = ("import os, sys; os.dup2(int(sys.argv[1]), 3); os.environ['LISTEN_PID'] = str(os.getpid());"
               "os.execv(sys.argv[2], sys.argv[2:])")
    command = [sys.executable, "-I", "-S", "-c", program, listener.fileno(), BUILD / "elementd", f"--root={site.root}"]
    environment = {"LISTEN_FDS": "1", "LISTEN_FDNAMES": "varlink", "ELEMENTD_LOG_LEVEL": "debug"} | (env or {})
    process = Process(command, site.directory / "elementd.log", environment, pass_fds=[listener.fileno()])
    daemon = Daemon(site, process, None)
    site.daemons.append(daemon)
    return daemon


@pytest.fixture
def listener(site):
    site.socket.parent.mkdir(parents=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    listening.bind(str(site.socket))
    listening.listen(100)
    yield listening
    listening.close()


def test_clients_queue_in_a_passed_socket_while_the_daemon_is_away(site, listener):
    site.simple("one")
    early = site.connect()
    early.send("io.elementd.GetToken", {"instance": "one", "timeoutUSec": 20_000_000})
    daemon = activated(site, listener)
    token = early.receive()["token"]
    inode = os.stat(site.socket).st_ino
    daemon.stop()
    assert os.stat(site.socket).st_ino == inode, "the socket is not its own to remove"

    between = site.connect()
    between.send("io.elementd.GetToken", {"instance": "one"})
    daemon = activated(site, listener)
    assert between.receive()["token"] == token
    daemon.kill()
    after_crash = site.connect()
    after_crash.send("io.elementd.GetToken", {"instance": "one"})
    activated(site, listener)
    assert after_crash.receive()["token"] == token
    assert len(site.platform.posts()) == 1


def test_a_stale_socket_of_a_killed_daemon_is_replaced(site):
    site.simple("one")
    daemon = site.start()
    token = site.token("one")
    daemon.kill()
    assert site.socket.exists()
    site.start()
    assert site.ask("one") == token
    assert os.stat(site.socket).st_mode & 0o777 == 0o666


# --- ending ---

def test_sigterm_with_nothing_to_do(site):
    site.simple("one")
    daemon = site.start()
    site.token("one")
    start = time.monotonic()
    daemon.stop()
    assert time.monotonic() - start < 5


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_the_platform_creates_ends_it_well_and_nothing_is_lost(site, number):
    site.simple("one", request_timeout_sec=3)
    site.platform.fault("delay", method="POST", ms=700)
    daemon = site.start()
    wait_until(site.platform.posts, "the platform is creating")
    waiting = site.connect()
    waiting.send("io.elementd.GetToken", {"instance": "one", "timeoutUSec": 20_000_000})
    idle = site.connect()
    daemon.process.signal(number)
    assert daemon.process.wait(20) == 0, daemon.output()
    assert site.record("one")["token"], "what is in flight is waited for, and recorded"
    try:
        waiting.receive()  # the token, or NotReady, or the end: but no hanging and no torn message
    except (VarlinkError, AssertionError, ConnectionError):
        pass
    try:
        assert idle.receive_bytes() is None
    except ConnectionError:
        pass
    site.start()
    token = site.token("one", timeout=30)
    wait_until(lambda: not site.platform.stats()["underWay"], "the platform has ended its work")
    assert [row["token"] for row in site.platform.instances()] == [token]


def test_sigterm_while_the_platform_hangs(site):
    site.simple("one", "two", "three", request_timeout_sec=30)
    site.platform.fault("hang", count=-1)
    daemon = site.start()
    wait_until(site.platform.requests, "the platform hangs with a request")
    start = time.monotonic()
    daemon.stop()
    assert time.monotonic() - start < 15, "well within what a service manager waits"


def test_sigterm_while_the_disk_is_slow(site):
    """What is being written is written to its end."""
    site.simple("one", request_timeout_sec=1)
    daemon = site.start("@(fsync|fdatasync):delay=300ms")
    wait_until(lambda: daemon.faults.calls("fsync|fdatasync"), "something is being synced")
    daemon.stop()
    for path in site.state.iterdir():
        if path.name in ("records.json", "records.json~"):
            json.loads(path.read_text())
    site.start()
    site.token("one", timeout=30)
    assert len(site.platform.instances()) == 1


def test_two_daemons_do_not_share_a_host(site):
    """The second one must not take the first one's socket or records away."""
    site.simple("one")
    first = site.start()
    token = site.token("one")
    second = Process([BUILD / "elementd", f"--root={site.root}"], site.directory / "elementd.log")
    assert second.wait(20) != 0
    assert first.is_running() and site.ask("one") == token


# --- what it prints ---

def test_stderr_is_readable(site):
    """Whole printable lines, each about something that has a name; at the usual level only what matters."""
    site.simple("good")
    site.instance("helpdesk", {"element": {"key": "jira"}, "name": "Hilfe \u00fc"})
    site.write("instances.d/bad.json", '{"element": 7}')
    daemon = site.start(env={"ELEMENTD_LOG_LEVEL": "info"})
    site.token("good")
    problem = site.wait_for_state("helpdesk", "failed")["problem"]
    daemon.stop()
    lines = daemon.output().splitlines()
    assert lines and len(lines) < 40, lines
    for line in lines:
        assert line == "".join(c for c in line if c.isprintable()) and 10 < len(line) < 2000, line
    assert [line for line in lines if "helpdesk" in line and "jira.password" in line], problem
    assert len([line for line in lines if "jira.password" in line]) == 1, "each failure is logged once"
    assert [line for line in lines if re.search(r"bad\.json:1:\d+: ", line)]
    assert [line for line in lines if "good" in line]


def test_the_usual_questions(site):
    for option, expected in (("--version", r"elementd \d+\.\d+"), ("--help", r"--root")):
        done = site.run([BUILD / "elementd", option])
        assert done.returncode == 0 and re.search(expected, done.stdout) and done.stderr == ""
    done = site.run([BUILD / "elementd", "--nonsense"])
    assert done.returncode != 0 and done.stdout == "" and "nonsense" in done.stderr


def test_without_any_configuration_it_runs_and_serves_nothing(site):
    daemon = site.start()
    with Varlink.connect(site.socket) as varlink:
        assert varlink.call("ListInstances")["instances"] == []
    assert site.check().returncode == 0
    daemon.stop()


# --- a configuration that takes its time ---

SLOW = "@(open|openat|openat64):path=*instances.d/one.json:delay=900ms"


def test_ready_does_not_wait_for_the_configuration(site):
    """Files and names may have to come over a network: clients wait meanwhile, and nobody else."""
    site.simple("one")
    site.start()
    token = site.token("one")
    site.daemon.stop()
    listener = NotifyListener(site.directory)
    daemon = site.start(SLOW, env={"NOTIFY_SOCKET": str(listener.path)}, wait=False)
    listener.wait_for("READY=1")
    with site.connect() as varlink:
        began = time.monotonic()
        assert varlink.token("one") == token
        assert time.monotonic() - began > 0.4, "it was answered before it could be known who may have what"
    assert listener.lines("READY=1") == ["READY=1"] and not listener.lines("RELOADING")
    assert daemon.is_running()
    listener.close()


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGKILL])
def test_an_end_while_the_configuration_is_loaded_loses_nothing(site, signal_number):
    site.simple("one")
    site.start()
    token = site.token("one")
    site.daemon.stop()
    before = site.records_file.read_text()
    listener = NotifyListener(site.directory)
    daemon = site.start(SLOW, env={"NOTIFY_SOCKET": str(listener.path)}, wait=False)
    listener.wait_for("READY=1")
    os.kill(daemon.pid, signal_number)
    assert daemon.process.wait() in (0, -signal.SIGKILL)
    assert site.records_file.read_text() == before
    site.start()
    assert site.ask("one") == token and len(site.platform.posts()) == 1
    listener.close()


def test_nobody_holds_up_a_stop(site):
    """Who has just connected is heard out; not so one who goes on beginning requests."""
    site.simple()
    daemon = site.start()
    site.token("one")
    call = b'{"method":"org.varlink.service.GetInfo"}\0'
    is_over = threading.Event()

    def hold():
        with site.connect() as varlink, contextlib.suppress(OSError, AssertionError):
            varlink.send_bytes(call[:5])
            while not is_over.wait(0.05):
                varlink.send_bytes(call[5:] + call[:5])
                varlink.receive_bytes()

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        time.sleep(0.3)
        begin = time.monotonic()
        daemon.stop()
        assert time.monotonic() - begin < 3
    finally:
        is_over.set()
        thread.join()
