"""That the tests' own tools see what they are there to see."""

import json
import os
import subprocess
import sys
import time

import pytest

from harness.canary import Canaries
from harness.faults import Faults
from harness.process import BUILD, Process
from harness.site import Daemon, Site

# One of each of the calls that matter, told one a line.
CALLER = """
import os, sys, time
out = os.open("file.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
for name, call in [("write", lambda: os.write(out, b"0123456789")), ("write", lambda: os.write(out, b"0123456789")),
                   ("fsync", lambda: os.fsync(out)), ("rename", lambda: os.rename("file.new", "file"))]:
    start = time.monotonic()
    try:
        result = call()
    except OSError as error:
        result = error.strerror
    print(name, result, int((time.monotonic() - start) * 10), flush=True)
"""


def call_with(tmp_path, *rules):
    """What the caller prints, and its exit status."""
    faults = Faults(tmp_path, "caller")
    faults.set(*rules)
    preload = {"LD_PRELOAD": str(BUILD / "tests/libfaults.so"), "ELEMENTD_FAULTS_FILE": str(faults.control),
               "ELEMENTD_FAULTS_LOG": str(faults.log_file)}
    done = subprocess.run([sys.executable, "-S", "-c", CALLER], cwd=tmp_path, env=os.environ | preload, check=False,
                          capture_output=True, text=True, timeout=20)
    return done.stdout.splitlines(), done, faults


def test_faults_leave_alone_what_no_rule_is_about(tmp_path):
    lines, done, faults = call_with(tmp_path)
    assert lines == ["write 10 0", "write 10 0", "fsync None 0", "rename None 0"] and done.returncode == 0
    calls = [call.function for call in faults.calls(about="/file")]
    assert calls == ["open", "write", "write", "fsync", "rename"]


def test_faults_fail_delay_and_shorten_the_call_that_a_rule_names(tmp_path):
    lines, _, _ = call_with(tmp_path, "write:path=file.new:n=2:error=ENOSPC", "fsync:delay=300ms",
                            "rename:path=file:error=EIO")
    assert lines == ["write 10 0", "write No space left on device 0", "fsync None 3", "rename Input/output error 0"]
    lines, _, _ = call_with(tmp_path, "write:path=file.new:count=1:short=4")
    assert lines[:2] == ["write 4 0", "write 10 0"]


def test_faults_kill_before_or_after_the_call(tmp_path):
    lines, done, _ = call_with(tmp_path, "rename:kill=before")
    assert len(lines) == 3 and done.returncode == -9 and not (tmp_path / "file").exists()
    lines, done, _ = call_with(tmp_path, "rename:kill=after")
    assert len(lines) == 3 and done.returncode == -9 and (tmp_path / "file").exists()


def test_faults_refuse_a_rule_that_makes_no_sense(tmp_path):
    _, done, _ = call_with(tmp_path, "fsync:error=ENOTHING")
    assert done.returncode == 99 and "makes no sense: error" in done.stderr


def test_faults_move_the_wall_clock_only(tmp_path):
    faults = Faults(tmp_path, "clock")
    faults.set("clock_gettime:offset=-3600s")
    program = "import time; print(time.time(), time.monotonic())"
    done = subprocess.run([sys.executable, "-S", "-c", program], capture_output=True, text=True, check=True, timeout=20,
                          env=os.environ | {"LD_PRELOAD": str(BUILD / "tests/libfaults.so"),
                                            "ELEMENTD_FAULTS_FILE": str(faults.control)})
    wall, monotonic = map(float, done.stdout.split())
    assert abs(wall + 3600 - time.time()) < 60 and abs(monotonic - time.monotonic()) < 60


def test_canaries_are_found_in_any_quoting():
    canaries = Canaries()
    secret = canaries.new("the secret")
    assert canaries.found_in(json.dumps({"password": secret.replace("/", "\\/")})) == ["the secret"]
    assert canaries.found_in(secret.replace("+", "%2B").encode()) == ["the secret"]
    assert not canaries.found_in("nothing of the kind")


@pytest.fixture
def messy_site():
    """One whose end nobody looks at but the test."""
    site = Site()
    try:
        yield site
    finally:
        site.remove()


def fake_daemon(site, script, env=None):
    """Something that is taken for the daemon, and shows what the real one must not."""
    process = Process(["/bin/sh", "-c", script], site.directory / "elementd.log", env)
    daemon = Daemon(site, process, None)
    site.daemons.append(daemon)
    return daemon


@pytest.mark.parametrize("where", ["log", "environ", "cmdline", "state", "world-readable records", "report"])
def test_the_search_for_secrets_sees(messy_site, where):
    site = messy_site
    secret = site.secrets.new("a secret")
    token = site.secrets.new("a token of the platform")
    site.tokens.add("a token", token)
    site.state.mkdir(mode=0o700)
    script, env = "trap 'exit 0' TERM; while :; do sleep 0.05; done", None
    if where == "log":
        script = f"echo '{secret}'; {script}"
    elif where == "environ":
        env = {"SECRET": secret}
    elif where == "cmdline":
        script += f"; : {secret}"
    elif where == "state":
        site.records_file.write_text(secret)
        site.records_file.chmod(0o600)
    elif where == "world-readable records":
        site.records_file.write_text(token)
        site.records_file.chmod(0o644)
    else:
        script = f"echo '==1==ERROR: AddressSanitizer: heap-use-after-free'; {script}"
    daemon = fake_daemon(site, script, env)
    # Until the shell stands there: before, the child still looks as we do.
    while b"trap" not in open(f"/proc/{daemon.pid}/cmdline", "rb").read():
        time.sleep(0.01)
    assert site.close(), f"nothing was said of a secret in {where}"


def test_the_search_for_secrets_sees_nothing_where_there_is_nothing(messy_site):
    site = messy_site
    site.secrets.new("a secret")
    site.state.mkdir(mode=0o700)
    site.records_file.write_text("{}")
    fake_daemon(site, "trap 'exit 0' TERM; echo ready; while :; do sleep 0.05; done").wait_for_log("ready")
    assert site.close() == []
