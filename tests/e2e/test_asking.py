"""elementd-http, the process that asks the platform: what it may have, when it ends, and what its end does."""

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from harness.process import BUILD
from harness.wait import wait_until

# What a process may have of the environment, beside what is for tests.
VARIABLES = {"https_proxy", "no_proxy", "SSL_CERT_FILE", "LC_ALL", "TZ", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"}

INSTALLED = Path("/usr/local/libexec/elementd/elementd-http")


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def while_posting(site, *rules, ms=1500, env=None, **settings):
    """A daemon whose POST is being carried out, and the process that has sent it."""
    site.platform.fault("delay-after", method="POST", ms=ms)
    site.simple("one", **settings)
    daemon = site.start(*rules, env=env)
    wait_until(site.platform.posts, "the POST has come")
    pid = daemon.asking()
    assert pid
    return daemon, pid


def assert_gone(pid):
    begin = time.monotonic()
    wait_until(lambda: not is_alive(pid), "it has ended", timeout=2)
    assert time.monotonic() - begin < 1


def test_the_daemon_has_no_network_library():
    def needs(program):
        return subprocess.run(["ldd", BUILD / program], capture_output=True, text=True, check=True).stdout
    assert "libcurl" in needs("elementd-http")
    for library in ("libcurl", "libssl", "libnghttp2"):
        assert library not in needs("elementd"), library


def test_nothing_is_started_before_there_is_something_to_ask(site):
    site.settings()
    daemon = site.start()
    assert site.instances() == {} and daemon.asking() is None


def test_what_it_is_given(site):
    listening = socket.socket()
    given = {"NOTIFY_SOCKET": "/nowhere", "CREDENTIALS_DIRECTORY": "/nowhere", "STATE_DIRECTORY": "", "INVOCATION_ID": "1",
             "SSLKEYLOGFILE": str(site.directory / "keys"), "no_proxy": "*", "https_proxy": "http://127.0.0.1:1"}
    daemon, pid = while_posting(site, env=given)
    listening.close()
    names = {row.split(b"=")[0].decode() for row in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0") if row}
    assert {"no_proxy", "https_proxy", "LC_ALL"} <= names <= VARIABLES, names
    assert Path(f"/proc/{pid}/cmdline").read_bytes() == b"elementd-http\0"
    # stdio, its socket, and what it has opened for itself: no file.
    held = {int(path.name): os.readlink(path) for path in Path(f"/proc/{pid}/fd").iterdir()}
    assert held[3].startswith("socket:")
    for number, target in held.items():
        assert number <= 2 or target.startswith(("socket:", "anon_inode:", "pipe:")), held
    limits = Path(f"/proc/{pid}/limits").read_text()
    [cores] = [line.split() for line in limits.splitlines() if line.startswith("Max core file size")]
    assert cores[4:6] == ["0", "0"]
    assert os.stat(f"/proc/{pid}/mem").st_uid == 0
    assert "NoNewPrivs:\t1" in Path(f"/proc/{pid}/status").read_text()
    # And the daemon holds one descriptor more, not the other end too.
    own = [os.readlink(path) for path in Path(f"/proc/{daemon.pid}/fd").iterdir()]
    assert held[3] not in own
    assert not (site.directory / "keys").exists()


def test_the_daemon_is_killed_while_a_post_is_under_way(site):
    daemon, pid = while_posting(site)
    daemon.kill()
    assert_gone(pid)
    requests = len(site.platform.requests())
    time.sleep(2)
    assert len(site.platform.requests()) == requests and len(site.platform.instances()) == 1
    site.start()
    assert site.token("one", timeout=30) == site.platform.instances()[0]["token"]
    assert len(site.platform.posts()) == 1


def test_the_daemon_is_killed_while_a_name_is_looked_up(site):
    site.settings(request_timeout_sec=60)
    site.account(url="https://platform.example")
    site.instance("one")
    daemon = site.start("getaddrinfo:path=platform.example:delay=60s")
    wait_until(lambda: daemon.faults.calls("getaddrinfo", "platform.example"), "the name is looked up")
    pid = daemon.asking()
    daemon.kill()
    assert_gone(pid)


def test_it_is_killed_while_a_post_is_under_way(site):
    daemon, pid = while_posting(site)
    os.kill(pid, signal.SIGKILL)
    daemon.wait_for_log("the process that asks the platform has ended")
    # Its outcome is unknown: the platform is asked, and nothing is posted again.
    assert site.token("one", timeout=30) == site.platform.instances()[0]["token"]
    assert len(site.platform.posts()) == 1 and len(site.platform.instances()) == 1
    assert daemon.asking() not in (None, pid)


def test_it_is_killed_again_and_again(site):
    names = [f"many-{number}" for number in range(20)]
    site.platform.settings(delayMs=500)
    site.simple(*names, parallel=4)
    daemon = site.start()
    for _ in range(3):
        posts = len(site.platform.posts())
        wait_until(lambda so_far=posts: len(site.platform.posts()) > so_far, "one more is posted")
        pid = daemon.asking()
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda old=pid: daemon.asking() not in (None, old), "there is another")
    tokens = {name: site.token(name, timeout=50) for name in names}
    assert {row["name"]: row["token"] for row in site.platform.instances()} == tokens
    assert len(site.platform.instances()) == len(site.platform.posts()) == len(names)


def test_it_is_stopped_and_never_answers(site):
    """Then it counts as dead, after the time of the request and some more."""
    daemon, pid = while_posting(site, request_timeout_sec=2)
    os.kill(pid, signal.SIGSTOP)
    daemon.wait_for_log("the process that asks the platform does not answer in time")
    assert_gone(pid)
    assert site.token("one", timeout=30) == site.platform.instances()[0]["token"]
    assert len(site.platform.posts()) == 1


def test_signals_for_the_whole_service_are_not_for_it(site):
    """systemd sends them to all processes of it: what is under way is still waited for."""
    daemon, pid = while_posting(site)
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        os.kill(pid, number)
    daemon.stop()
    assert_gone(pid)
    assert site.record("one")["token"] == site.platform.instances()[0]["token"]


def test_it_cannot_be_started(site):
    if INSTALLED.exists():
        pytest.skip("elementd-http is installed, and would be found")
    site.program = site.directory / "elementd"
    shutil.copy(BUILD / "elementd", site.program)
    site.simple("one", "two")
    daemon = site.start()
    daemon.wait_for_log("cannot be started")
    row = wait_until(lambda: (site.instances()["one"]["problem"] or "") and site.instances()["one"], "the problem is told")
    assert "cannot be started: No such file or directory" in row["problem"], row
    time.sleep(2)
    assert daemon.is_running() and daemon.asking() is None
    told = [line for line in daemon.output().splitlines() if "tried anew with each request" in line]
    assert len(told) == 1, told
    # A program that is no such thing: it ends before it greets.
    broken = site.directory / "elementd-http"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    time.sleep(2)
    assert site.platform.requests() == []
    new = site.directory / "new"
    shutil.copy(BUILD / "elementd-http", new)
    os.replace(new, broken)
    for name in ("one", "two"):
        assert site.token(name, timeout=50)
    assert len(site.platform.posts()) == 2


def test_it_is_for_nobody_else():
    for arguments in ([], ["--help"]):
        done = subprocess.run([BUILD / "elementd-http", *arguments], capture_output=True, text=True, check=False, timeout=20,
                              stdin=subprocess.DEVNULL)
        assert done.returncode == 1 and "is started by elementd" in done.stderr
