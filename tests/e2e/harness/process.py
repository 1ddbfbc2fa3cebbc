"""Processes that end with the test, whose output is kept in a file."""

import ctypes
import os
import signal
import subprocess
from pathlib import Path

BUILD = Path(os.environ.get("ELEMENTD_BUILD") or Path(__file__).resolve().parents[3] / "build")

# What a child may inherit: nothing of the caller's session but what the sanitizers are told.
INHERITED = ("PATH", "LC_ALL", "TZ", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS")

REPORTS = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:", "WARNING: ThreadSanitizer",
           "Assertion `")

PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent():
    """To be run in a child between fork and exec."""
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def environment(extra=None):
    inherited = {key: os.environ[key] for key in INHERITED if key in os.environ}
    return {"PATH": os.defpath, "LC_ALL": "C.UTF-8"} | inherited | (extra or {})


def children(pid):
    """The processes whose parent that one is, but for zombies."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = path.read_text().rpartition(")")[2].split()[:2]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(parent) == pid and state != "Z":
            found.append(int(path.parent.name))
    return found


class Process:
    """One program, started by `command`; stdout and stderr go to `log`, which is added to."""

    def __init__(self, command, log, env=None, prepare=None, pass_fds=(), cwd="/"):
        self.log = Path(log)
        self.offset = self.log.stat().st_size if self.log.exists() else 0

        def before_exec():
            die_with_parent()
            if prepare:
                prepare()

        with open(self.log, "ab") as output:
            self.popen = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL,
                                          stdout=output, stderr=output, env=environment(env), cwd=cwd,
                                          preexec_fn=before_exec, pass_fds=pass_fds)

    @property
    def pid(self):
        return self.popen.pid

    def is_running(self):
        return self.popen.poll() is None

    def output(self):
        """What this process (not an earlier one with the same log) has printed."""
        return self.log.read_bytes()[self.offset:].decode(errors="replace")

    def sanitizer_report(self):
        text = self.output()
        return text if any(report in text for report in REPORTS) else ""

    def signal(self, number):
        self.popen.send_signal(number)

    def wait(self, timeout=20):
        return self.popen.wait(timeout)

    def kill(self):
        """kill -9."""
        if self.is_running():
            self.popen.kill()
        self.popen.wait()

    def terminate(self, timeout=20):
        """SIGTERM; the exit status."""
        if self.is_running():
            self.popen.terminate()
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"did not end within {timeout} s of SIGTERM:\n{self.output()}") from None
