"""Processes in the cgroup of a systemd unit, made by hand: what the kernel says of them is what counts."""

import ctypes
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

CGROUPS = Path("/sys/fs/cgroup")

# As systemd does it for LoadCredential=, and says what it got: the size, and what of it is no filler.
CLIENT = r"""
import secrets, socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind("\0%x/unit/%s/%s" % (secrets.randbits(64), sys.argv[2], sys.argv[3]))
s.connect(sys.argv[1])
s.shutdown(socket.SHUT_WR)
size, text = 0, b""
while piece := s.recv(65536):
    size, text = size + len(piece), text + piece.strip(b"\0")
print(size, text.decode())
"""


def hierarchies():
    """Where cgroups of the service manager are made: version 2, hybrid, or both of hybrid's."""
    if (CGROUPS / "cgroup.procs").exists():
        return [CGROUPS]
    return [path for path in (CGROUPS / "unified", CGROUPS / "systemd") if (path / "cgroup.procs").exists()]


def unit_of_this_process():
    unit = ctypes.c_char_p()
    try:
        library = ctypes.CDLL("libsystemd.so.0")
    except OSError:
        return None
    return unit.value.decode() if library.sd_pid_get_unit(0, ctypes.byref(unit)) >= 0 and unit.value else None


@contextmanager
def cgroup(path):
    """A function for preexec_fn that enters the cgroup `path`, which is there for as long as the block runs."""
    made = []
    try:
        for hierarchy in hierarchies():
            folder = hierarchy
            for part in Path(path).parts:
                folder = folder / part
                if not folder.exists():
                    folder.mkdir()
                    made.append(folder)
    except OSError as error:
        for folder in reversed(made):
            folder.rmdir()
        pytest.skip(f"no cgroup can be made here: {error}")

    def enter():
        for hierarchy in hierarchies():
            (hierarchy / path / "cgroup.procs").write_text(str(os.getpid()))

    try:
        yield enter
    finally:
        for folder in reversed(made):
            folder.rmdir()


def needs_units():
    if os.geteuid() != 0:
        pytest.skip("only root can enter the cgroup of a unit")
    with cgroup("system.slice/elementd-probe.service") as enter:
        probe = subprocess.run([sys.executable, "-c", "import sys; sys.path.insert(0, sys.argv[1])\n"
                                "from harness.units import unit_of_this_process; print(unit_of_this_process())",
                                str(Path(__file__).resolve().parent.parent)],
                               preexec_fn=enter, stdout=subprocess.PIPE, text=True, timeout=20)
    if probe.stdout.strip() != "elementd-probe.service":
        pytest.skip(f"libsystemd does not see units in the cgroups here: {probe.stdout.strip()}")


def start_loading(path, unit, credential, enter=None, uid=0):
    def prepare():
        if enter:
            enter()
        if uid:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)

    return subprocess.Popen([sys.executable, "-c", CLIENT, str(path), unit, credential], preexec_fn=prepare,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def load(path, unit, credential, enter=None, uid=0):
    """What the unit gets, or None for what makes systemd fail it."""
    client = start_loading(path, unit, credential, enter, uid)
    return finish_loading(client)


def finish_loading(client, timeout=20):
    output, errors = client.communicate(timeout=timeout)
    assert client.returncode == 0, errors
    size, text = output.rstrip("\n").split(" ", 1)
    if int(size) > 1 << 20 and not text:
        return None
    assert int(size) == len(text), "a part of a credential"
    return text
