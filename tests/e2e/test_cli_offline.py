"""elementctl without elementd: its usage, and what it makes of answers that a test wrote."""

import contextlib
import json
import os
import pty
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest

from harness.process import BUILD, environment

CTL = BUILD / "elementctl"
OK, OTHER, NO_INSTANCE, NOT_READY, FAILED, DENIED, NO_DAEMON = range(7)
COMMANDS = ["token", "authorization", "list", "status", "watch", "wait", "rejected", "retry", "reload",
            "orphans", "check", "explain", "template"]

TOKEN = {"parameters": {"token": "t0k3n=", "id": 7, "verifiedUSec": 5}}
AUTHORIZATION = {"parameters": {"authorization": "User u, Organization o, Element e"}}


def row(name, state="ready", **more):
    defaults = {"element": "jira", "account": "default", "hasToken": state == "ready", "sinceUSec": 1, "attempts": 0}
    return {"name": name, "state": state} | defaults | more


def listing(*rows):
    return {"parameters": {"instances": list(rows)}}


def error(name, **parameters):
    return {"error": name, "parameters": parameters}


class FakeDaemon:
    """Answers every call on the socket that a --root leads to with what it was given, and keeps the calls."""

    def __init__(self, root):
        self.root, self.answer, self.answers, self.calls = root, TOKEN, {}, []
        path = root / "run/elementd/io.elementd"
        path.parent.mkdir(parents=True)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(path))
        self.socket.listen(8)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def close(self):
        """With its thread, which might go on to accept at the same descriptor when it is the next test's."""
        self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join(10)
        self.socket.close()

    def serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=(connection,), daemon=True).start()

    def talk(self, connection):
        with connection, contextlib.suppress(BrokenPipeError, ConnectionResetError):  # a client that did not wait
            data = b""
            while part := connection.recv(65536):
                data += part
                while b"\0" in data:
                    call, data = data.split(b"\0", 1)
                    self.calls.append(json.loads(call))
                    answer = self.answers.get(self.calls[-1]["method"], self.answer)
                    if isinstance(answer, list):  # one a call, and the last one for ever
                        answer = answer.pop(0) if len(answer) > 1 else answer[0]
                    if isinstance(answer, tuple):  # after so many seconds
                        time.sleep(answer[0])
                        answer = answer[1]
                    if answer is None or isinstance(answer, float):  # closes, after so many seconds
                        time.sleep(answer or 0)
                        return
                    if isinstance(answer, dict):
                        answer = json.dumps(answer).encode()
                    connection.sendall(answer + b"\0")


@pytest.fixture
def root():
    # Not pytest's own folder: a socket's path must be short.
    path = Path(tempfile.mkdtemp(prefix="elementd-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def daemon(root):
    fake = FakeDaemon(root)
    yield fake
    fake.close()


def run(*arguments, program=CTL, env=None, **options):
    return subprocess.run([str(program), *map(str, arguments)], env=environment(env), check=False, timeout=20,
                          **({"stdin": subprocess.DEVNULL, "capture_output": True, "text": True} | options))


def ctl(daemon, *arguments, **options):
    return run(f"--root={daemon.root}", *arguments, **options)


def on_terminal(*arguments, env=None, columns=None):
    """Exit status and output of a run whose stdout and stderr are one terminal."""
    ours, theirs = pty.openpty()
    if columns:
        import fcntl
        import struct
        import termios
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen([str(CTL), *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=theirs,
                               stderr=theirs, env=environment({"TERM": "xterm"} | (env or {})))
    os.close(theirs)
    output = b""
    try:
        while part := os.read(ours, 65536):
            output += part
    except OSError:  # the last one has closed it
        pass
    os.close(ours)
    return process.wait(20), output.decode().replace("\r\n", "\n")


# --- usage -----------------------------------------------------------------------

@pytest.mark.parametrize("arguments", [
    [], ["bogus"], ["token"], ["token", "a", "b"], ["authorization"], ["list", "a"], ["status", "a", "b"], ["check", "a"],
    ["watch", "a", "b"], ["watch", "--timeout=1"], ["wait", "--json"], ["wait", "--timeout"], ["wait", "--timeout=x"],
    ["rejected"], ["rejected", "a", "b"], ["rejected", "a", "--json"], ["retry"], ["reload", "a"], ["orphans", "a"],
    ["template", "a", "b"], ["template", "jira", "--list"], ["template", "--root=/a"], ["template", "--offline"], ["list", "--list"],
    ["template", "jira", "--account=a/b"], ["template", "jira", "--account=.a"], ["template", "jira", "--account=" + "a" * 65],
    ["explain"], ["explain", "a", "b"], ["explain", "a", "--user="], ["token", "a", "--unit=a"],
    ["--bogus"], ["-x"], ["--root"], ["--json=1"], ["list", "--wait"], ["check", "--socket=/a"], ["--wait=x", "token", "a"],
], ids=" ".join)
def test_usage_errors(arguments):
    done = run(*arguments)
    assert done.returncode == OTHER
    assert done.stdout == ""
    assert done.stderr.startswith("elementctl: ") and done.stderr.endswith("see: elementctl --help\n")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["token", "--help"], ["--help", "bogus"]], ids=" ".join)
def test_help(arguments):
    done = run(*arguments)
    assert (done.returncode, done.stderr) == (OK, "")
    for word in COMMANDS + ["--root=DIR", "--socket=PATH", "--json", "--wait[=SEC]", "--version", "Exit status"]:
        assert word in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_version():
    done = run("--version")
    assert (done.returncode, done.stderr) == (OK, "")
    assert done.stdout.startswith("elementctl ") and done.stdout.count("\n") == 1


def test_surplus_arguments_are_not_told():
    """Somebody may have typed a secret there."""
    done = run("token", "name", "s3cr3t")
    assert done.returncode == OTHER and "s3cr3t" not in done.stderr


def test_a_hostile_argument_cannot_write_to_the_terminal():
    done = run("bad\033[31m\ncommand")
    assert done.returncode == OTHER
    assert '"bad?[31m?command"' in done.stderr and "\033" not in done.stderr


# --- no daemon ---------------------------------------------------------------------

@pytest.mark.parametrize("arguments", [["token", "a"], ["authorization", "a"], ["list"], ["watch"]], ids=" ".join)
def test_no_daemon(root, arguments):
    done = run(f"--root={root}", *arguments)
    assert (done.returncode, done.stdout) == (NO_DAEMON, "")
    assert done.stderr == (f"elementctl: elementd is not running (no socket at {root}/run/elementd/io.elementd); "
                           f"start it: elementd --root={root}\n")


def test_a_socket_that_nobody_listens_at(root):
    path = root / "socket"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
    done = run("list", "--socket", path)
    assert (done.returncode, done.stdout) == (NO_DAEMON, "")
    assert f"nobody listens at {path}" in done.stderr


def test_the_folder_of_another_service_is_not_the_daemons(root):
    """systemd tells each service of its own $RUNTIME_DIRECTORY."""
    done = run("list", env={"RUNTIME_DIRECTORY": str(root)})
    assert str(root) not in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_socket_that_one_may_not_open(daemon):
    copy = Path(tempfile.mkdtemp(prefix="elementd-"))
    try:
        copy.chmod(0o755)
        for file in [CTL, *BUILD.glob("libelementd.so*")]:
            shutil.copy(file, copy, follow_symlinks=True)
        done = ctl(daemon, "token", "a", program=copy / "elementctl",
                   preexec_fn=lambda: os.setresuid(65534, 65534, 65534))
    finally:
        shutil.rmtree(copy)
    assert (done.returncode, done.stdout) == (DENIED, "")
    assert "uid 65534) may not open the socket" in done.stderr


# --- tokens --------------------------------------------------------------------------

def test_token_stands_alone(daemon):
    done = ctl(daemon, "token", "a")
    assert (done.returncode, done.stdout, done.stderr) == (OK, "t0k3n=\n", "")
    assert daemon.calls == [{"method": "io.elementd.GetToken", "parameters": {"instance": "a"}}]


def test_authorization_stands_alone(daemon):
    daemon.answer = AUTHORIZATION
    done = ctl(daemon, "authorization", "a")
    assert (done.returncode, done.stdout, done.stderr) == (OK, "User u, Organization o, Element e\n", "")


def test_token_on_a_terminal_has_no_colour(daemon):
    assert on_terminal(f"--root={daemon.root}", "token", "a") == (OK, "t0k3n=\n")


def test_json(daemon):
    assert json.loads(ctl(daemon, "token", "a", "--json").stdout) == {"token": "t0k3n=", "id": 7, "verifiedUSec": 5}
    daemon.answer = AUTHORIZATION
    assert json.loads(ctl(daemon, "--json", "authorization", "a").stdout) == AUTHORIZATION["parameters"]


@pytest.mark.parametrize("options, timeout", [([], None), (["--wait"], 3600_000_000), (["--wait=2"], 2_000_000),
                                              (["--wait=0"], None)])
def test_wait(daemon, options, timeout):
    assert ctl(daemon, *options, "token", "a").returncode == OK
    assert daemon.calls[0]["parameters"].get("timeoutUSec") == timeout


def test_a_token_that_would_not_stay_on_its_line(daemon):
    daemon.answer = {"parameters": {"token": "t0k3n\n\033[2J", "id": 7}}
    done = ctl(daemon, "token", "a")
    assert (done.returncode, done.stdout) == (OTHER, "")
    assert "t0k3n" not in done.stderr and "--json" in done.stderr
    done = ctl(daemon, "token", "a", "--json")
    assert json.loads(done.stdout) == {"token": "t0k3n\n\033[2J", "id": 7} and "\033" not in done.stdout


def test_stdout_that_takes_nothing(daemon):
    with open("/dev/full", "wb") as full:
        done = ctl(daemon, "token", "a", capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == OTHER
    assert done.stderr == "elementctl: cannot print: No space left on device\n"


def test_a_client_waits_through_any_number_of_restarts(daemon):
    daemon.answer = [0.15, 0.15, 0.15, TOKEN]
    done = ctl(daemon, "token", "one", "--wait=10")
    assert (done.returncode, done.stdout, len(daemon.calls)) == (0, TOKEN["parameters"]["token"] + "\n", 4)


def test_a_client_waits_through_stops(daemon):
    """Of which it is told "not ready" before its time."""
    not_ready = error("io.elementd.NotReady", instance="one", state="waiting")
    daemon.answer = [(0.3, not_ready), (0.3, not_ready), TOKEN]
    done = ctl(daemon, "token", "one", "--wait=10")
    assert (done.returncode, done.stdout) == (0, TOKEN["parameters"]["token"] + "\n")
    waits = [call["parameters"]["timeoutUSec"] / 1e6 for call in daemon.calls]
    assert len(waits) == 3 and waits[0] == 10 and waits[0] - 0.3 >= waits[1] and waits[1] - 0.3 >= waits[2] > 5
    # At once, or when the time is over, it is what it says.
    for answer, least in ((0, not_ready), 0), ((1.1, not_ready), 1):
        daemon.answer, daemon.calls = answer, []
        begin = time.monotonic()
        done = ctl(daemon, "token", "one", "--wait=1")
        assert (done.returncode, done.stdout, len(daemon.calls)) == (3, "", 1) and least <= time.monotonic() - begin < 5


def test_a_client_that_is_refused_gives_up(daemon):
    daemon.answer = [0.15, None, None, TOKEN]
    done = ctl(daemon, "token", "one", "--wait=10")
    assert (done.returncode, done.stdout, len(daemon.calls)) == (6, "", 3)


def test_stdout_that_is_closed(daemon):
    """The socket must not take its place, and the token."""
    done = ctl(daemon, "token", "a", capture_output=False, stderr=subprocess.PIPE, preexec_fn=lambda: os.close(1))
    assert done.returncode == OTHER and "cannot print" in done.stderr
    time.sleep(0.05)
    assert len(daemon.calls) == 1


# --- refusals ---------------------------------------------------------------------------

@pytest.mark.parametrize("answer, status, words", [
    (error("io.elementd.NoSuchInstance", instance="a"), NO_INSTANCE,
     'no instance "a" is declared; those that are: elementctl list'),
    (error("io.elementd.NotReady", instance="a", state="creating"), NOT_READY,
     '"a" has no token yet; it is creating; to wait for it, add --wait'),
    (error("io.elementd.Failed", instance="a", problem="no\033[31m"), FAILED,
     '"a" failed: no?[31m; more: elementctl status a'),
    (error("io.elementd.Other"), OTHER, "elementd answered io.elementd.Other"),
    ({"parameters": {}}, OTHER, "does not speak as this version's elementd"),
    (b"garbage", OTHER, "does not speak as this version's elementd"),
], ids=["NoSuchInstance", "NotReady", "Failed", "another", "nothing", "garbage"])
@pytest.mark.parametrize("options", [[], ["--json"]], ids=["", "json"])
def test_refusals(daemon, answer, status, words, options):
    daemon.answer = answer
    done = ctl(daemon, *options, "token", "a")
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.startswith("elementctl: ") and done.stderr.endswith(words + "\n")


def test_denied(daemon):
    daemon.answer = error("org.varlink.service.PermissionDenied")
    for command, key in ("token", "allow"), ("authorization", "allow-authorization"):
        done = ctl(daemon, command, "a")
        assert (done.returncode, done.stdout) == (DENIED, "")
        assert f"uid {os.geteuid()}) may not have the " in done.stderr
        assert f'to "{key}" in "elementd" of {daemon.root}/etc/elementd/instances.d/a.json' in done.stderr


# --- watch and wait -----------------------------------------------------------------------

def news(*rows):
    """One answer to WatchInstances: the rows, each a reply that continues; an error ends them."""
    return b"\0".join(json.dumps(row if "error" in row else {"parameters": {"instance": row}, "continues": True}).encode()
                      for row in rows)


def gone(name):
    return error("io.elementd.NoSuchInstance", instance=name)


def watching(daemon, listed, *answers):
    daemon.answers = {"io.elementd.ListInstances": listing(*listed), "io.elementd.WatchInstances": list(answers)}


def test_watch(daemon):
    denied = error("io.elementd.TooManyWatches")
    watching(daemon, [], news(row("b", hasToken=True), row("a", "waiting", problem="no\033[2J network"), gone("b")),
             None, news(row("a", "ready"), denied))
    done = ctl(daemon, "watch")
    assert done.returncode == OTHER
    assert done.stderr == "elementctl: elementd answered io.elementd.TooManyWatches\n"
    lines = [line.split("  ", 1) for line in done.stdout.splitlines()]
    assert all(len(time.strptime(line[0], "%H:%M:%S")) == 9 for line in lines)
    assert [line[1] for line in lines] == ["b  ready  token", "a  waiting  no token  no?[2J network", "b  removed",
                                           "a  ready  token"]
    assert [call["method"].split(".")[-1] for call in daemon.calls] == ["ListInstances"] + ["WatchInstances"] * 3


def test_watch_one(daemon):
    watching(daemon, [row("a"), row("b")], news(row("b"), row("a", "failed"), gone("b")), news(row("a"), gone("a")))
    done = ctl(daemon, "watch", "a", "--json")
    assert (done.returncode, done.stderr) == (NO_INSTANCE, "")
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        row("a", "failed"), row("a"), {"name": "a", "isRemoved": True}]


def test_watch_what_is_not_there(daemon):
    watching(daemon, [row("b")])
    daemon.answers["io.elementd.GetToken"] = gone("a")
    for command in "watch", "wait":
        done = ctl(daemon, command, "a")
        assert (done.returncode, done.stdout) == (NO_INSTANCE, "")
        assert 'no instance "a" is declared' in done.stderr


def test_watch_without_a_daemon(root):
    for command in "watch", "wait":
        assert run(f"--root={root}", command).returncode == NO_DAEMON


def test_watch_prints_at_once(daemon):
    watching(daemon, [], news(row("a")))
    process = subprocess.Popen([str(CTL), f"--root={daemon.root}", "watch"], stdout=subprocess.PIPE, text=True,
                               env=environment())
    try:
        assert process.stdout.readline().endswith("  a  ready  token\n")
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


ABSENT = row("a", "creating", hasToken=False)


@pytest.mark.parametrize("arguments", [[], ["a"], ["b", "a", "a"], ["--timeout=10", "a"]], ids=" ".join)
def test_wait(daemon, arguments):
    watching(daemon, [ABSENT, row("b")], news(row("b"), ABSENT, row("z", "failed"), gone("z")), None,
             news(row("a", "waiting", hasToken=False), row("b"), row("a")))
    done = ctl(daemon, "wait", *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (OK, "", "")


def test_wait_for_none(daemon):
    watching(daemon, [], news(row("b")))
    assert ctl(daemon, "wait").returncode == OK


def test_wait_for_what_fails(daemon):
    """A token counts, whatever the state; without one, what has failed is not waited for."""
    watching(daemon, [row("a"), row("b")], news(row("a", "failed", hasToken=True), ABSENT | {"name": "b"},
                                                row("b", "failed", hasToken=False, problem="bad")))
    done = ctl(daemon, "wait", "a", "b")
    assert (done.returncode, done.stderr) == (FAILED, 'elementctl: "b" failed: bad; more: elementctl status b\n')


def test_wait_for_what_goes(daemon):
    watching(daemon, [ABSENT], news(ABSENT, gone("a")))
    done = ctl(daemon, "wait")
    assert (done.returncode, done.stderr) == (
        NO_INSTANCE, 'elementctl: no instance "a" is declared; those that are: elementctl list\n')


def test_wait_too_long(daemon):
    watching(daemon, [ABSENT, row("b")], news(ABSENT, row("b")))
    begin = time.monotonic()
    done = ctl(daemon, "wait", "--timeout=1")
    assert 1 <= time.monotonic() - begin < 5
    assert (done.returncode, done.stderr) == (
        NOT_READY, 'elementctl: "a" has no token yet; it is creating; more: elementctl status a\n')
    assert ctl(daemon, "wait", "b", "--timeout=0").returncode == OK


# --- reload, retry, rejected, orphans ------------------------------------------------------

def test_reload(daemon):
    daemon.answer = {"parameters": {"added": ["a", "b\033[2J"], "changed": [], "removed": ["c"]}}
    done = ctl(daemon, "reload")
    assert (done.returncode, done.stdout, done.stderr) == (OK, "added: a, b?[2J\nremoved: c\n", "")
    done = ctl(daemon, "reload", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (OK, daemon.answer["parameters"])
    assert daemon.calls == [{"method": "io.elementd.Reload", "parameters": {}}] * 2
    daemon.answer = {"parameters": {"added": [], "changed": [], "removed": []}}
    assert ctl(daemon, "reload").stdout == "nothing has changed\n"


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["", "json"])
def test_reload_that_fails(daemon, options):
    """This is what `systemctl reload` has in its journal."""
    daemon.answer = error("io.elementd.InvalidConfiguration", problems=[
        {"file": "/etc/elementd/a.json", "line": 3, "column": 7, "message": "unexpected \033[31m"},
        {"file": "/etc/elementd/b.json", "line": 1, "column": 1, "message": "cannot be read"}])
    done = ctl(daemon, "reload", *options)
    assert (done.returncode, done.stdout) == (OTHER, "")
    assert done.stderr.splitlines() == [
        "/etc/elementd/a.json:3:7: unexpected ?[31m",
        "/etc/elementd/b.json:1:1: cannot be read",
        "elementctl: nothing was applied; once it is mended: elementctl check && elementctl reload"]


@pytest.mark.parametrize("command", [["reload"], ["retry", "a"], ["orphans"]], ids=lambda command: command[0])
def test_for_root_only(daemon, command):
    daemon.answer = error("org.varlink.service.PermissionDenied")
    done = ctl(daemon, *command)
    assert (done.returncode, done.stdout) == (DENIED, "")
    assert done.stderr.endswith(f"may not do that, but root may; try: sudo elementctl {' '.join(command)}\n")


def test_retry(daemon):
    daemon.answer = {"parameters": {}}
    done = ctl(daemon, "retry", "a")
    assert (done.returncode, done.stdout, done.stderr) == (OK, "", "")
    assert daemon.calls == [{"method": "io.elementd.Retry", "parameters": {"instance": "a"}}]
    status, output = on_terminal(f"--root={daemon.root}", "retry", "a")
    assert (status, output) == (OK, 'elementctl: "a" is tried again; what comes of it: elementctl status a\n')
    daemon.answer = error("io.elementd.NoSuchInstance", instance="a")
    assert ctl(daemon, "retry", "a").returncode == NO_INSTANCE


TOKEN_MAX = 4096


@pytest.mark.parametrize("line, token", [
    ("t0k/+=\n", "t0k/+="), ("t0k\nmore\n", "t0k"), ("t0k", "t0k"), ("t" * TOKEN_MAX, "t" * TOKEN_MAX),
    ("t" * TOKEN_MAX + "\n", "t" * TOKEN_MAX), ('"\\', '"\\'),
], ids=["line", "lines", "no end", "longest", "longest line", "quotes"])
def test_rejected(daemon, line, token):
    daemon.answer = {"parameters": {}}
    done = ctl(daemon, "rejected", "a", stdin=None, input=line)
    assert (done.returncode, done.stdout, done.stderr) == (OK, "", "")
    assert daemon.calls == [{"method": "io.elementd.ReportRejected", "parameters": {"instance": "a", "token": token}}]


@pytest.mark.parametrize("line, words", [
    ("", "no token came on standard input; try: printf '%s\\n' \"$token\" | elementctl rejected a\n"),
    ("\n", "no token came on standard input; try: printf '%s\\n' \"$token\" | elementctl rejected a\n"),
    ("t\0t\n", "what came on standard input is no token\n"),
    ("t" * (TOKEN_MAX + 1), "what came on standard input is longer than a token can be\n"),
    ("t" * TOKEN_MAX * 3 + "\n", "what came on standard input is longer than a token can be\n"),
], ids=["nothing", "empty", "NUL", "too long", "far too long"])
def test_rejected_without_a_token(daemon, line, words):
    done = ctl(daemon, "rejected", "a", stdin=None, input=line)
    assert (done.returncode, done.stdout, done.stderr) == (OTHER, "", "elementctl: " + words)
    assert daemon.calls == []


def test_rejected_refused(daemon):
    daemon.answer = error("org.varlink.service.PermissionDenied")
    done = ctl(daemon, "rejected", "a", stdin=None, input="t0k\n")
    assert done.returncode == DENIED and "t0k" not in done.stderr
    assert done.stderr.endswith("a.json, then: elementctl reload\n")


def test_orphans(daemon):
    orphans = [{"id": 7, "url": "https://a", "account": "default", "element": "jira", "instance": "a", "reason": "removed",
                "sinceUSec": NOW - DAYS, "isDeleting": True, "problem": "no network"},
               {"id": 8, "url": "https://a", "reason": "unclaimed", "sinceUSec": NOW, "isDeleting": False}]
    daemon.answer = {"parameters": {"orphans": orphans}}
    done = ctl(daemon, "orphans")
    assert (done.returncode, done.stderr) == (OK, "")
    assert [line.split(None, 8) for line in done.stdout.splitlines()] == [
        ["ID", "INSTANCE", "REASON", "SINCE", "DELETING", "ELEMENT", "ACCOUNT", "URL", "PROBLEM"],
        ["7", "a", "removed", "3d", "yes", "jira", "default", "https://a", "no network"],
        ["8", "-", "unclaimed", done.stdout.splitlines()[2].split()[3], "no", "-", "-", "https://a", "-"]]
    done = ctl(daemon, "orphans", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (OK, orphans)
    daemon.answer = {"parameters": {"orphans": []}}
    status, output = on_terminal(f"--root={daemon.root}", "orphans", env={"NO_COLOR": "1"})
    assert status == OK and "nothing is left over on the platform" in output
    daemon.answer = {"parameters": {"orphans": {}}}
    assert ctl(daemon, "orphans").returncode == OTHER


# --- list and status ------------------------------------------------------------------------

NOW = int(time.time() * 1e6)
DAYS = 304_200_000_000  # three, and twelve and a half hours: it does not matter how long other tests took
ROWS = [
    row("zulu", id=12, verifiedUSec=NOW - DAYS),
    row("alpha", "waiting", retryUSec=NOW + DAYS, attempts=3, problem="no network", hasToken=True, id=3),
    row("mike", "failed", problem="a.json:1:2: \033]0;bad\007", element="", account=""),
]


def test_list(daemon):
    daemon.answer = listing(*ROWS)
    done = ctl(daemon, "list")
    assert (done.returncode, done.stderr) == (OK, "")
    assert [line.split(None, 7) for line in done.stdout.splitlines()] == [
        ["NAME", "STATE", "TOKEN", "ELEMENT", "ACCOUNT", "ID", "VERIFIED", "PROBLEM"],
        ["alpha", "waiting", "yes", "jira", "default", "3", "-", "no network"],
        ["mike", "failed", "no", "-", "-", "-", "-", "a.json:1:2: ?]0;bad?"],
        ["zulu", "ready", "yes", "jira", "default", "12", "3d", "-"],
    ]


def test_list_is_the_same_columns_when_it_is_empty(daemon):
    daemon.answer = listing()
    done = ctl(daemon, "list")
    assert (done.returncode, done.stderr) == (OK, "")
    assert done.stdout.split() == ["NAME", "STATE", "TOKEN", "ELEMENT", "ACCOUNT", "ID", "VERIFIED", "PROBLEM"]


def test_list_on_a_terminal(daemon):
    daemon.answer = listing(*ROWS, row("long", "failed", problem="x" * 200))
    arguments = [f"--root={daemon.root}", "list"]
    status, output = on_terminal(*arguments, columns=100)
    assert status == OK and "\033[32mready\033[0m" in output and "\033[31mfailed\033[0m" in output
    for env in {"NO_COLOR": "1"}, {"TERM": "dumb"}:
        status, output = on_terminal(*arguments, env=env, columns=100)
        assert status == OK and "\033" not in output
        assert max(map(len, output.splitlines())) == 100 and "xxx…\n" in output
    assert "\033" in on_terminal(*arguments, env={"NO_COLOR": ""})[1]


def test_list_json(daemon):
    daemon.answer = listing(*ROWS)
    done = ctl(daemon, "list", "--json")
    assert json.loads(done.stdout) == sorted(ROWS, key=lambda row: row["name"])
    assert "\033" not in done.stdout and "\007" not in done.stdout


def test_status(daemon):
    daemon.answer = listing(*ROWS)
    done = ctl(daemon, "status")
    assert (done.returncode, done.stderr) == (FAILED, "")
    lines = done.stdout.splitlines()
    assert lines[:2] == ["3 instances: 1 waiting, 1 failed, 1 ready", ""]
    assert lines[2].startswith("alpha: no network; next try at ") and lines[2].endswith(" (in 3 d 12 h)")
    assert lines[4] == "mike: a.json:1:2: ?]0;bad?"
    assert [line for line in lines[2:] if line.startswith("    to do: ")] == [lines[3], lines[5]] == [
        f"    to do: journalctl -u elementd tells more; to try again at once: sudo elementctl retry {name}"
        for name in ("alpha", "mike")]


def test_status_of_a_daemon_that_does_not_answer(daemon):
    """As one that systemd starts for each who asks, and that ends at once."""
    daemon.answer = None
    done = ctl(daemon, "status", "--json")
    assert done.returncode == NO_DAEMON
    cause, advice = done.stderr.splitlines()
    assert cause == "elementctl: elementd ended the connection without an answer"
    assert advice.startswith("    to do: systemctl status elementd, ")
    assert json.loads(done.stdout)["troubles"][0]["kind"] == "noAnswer"
    daemon.answer = {"parameters": {}}
    done = ctl(daemon, "status")
    assert done.returncode == OTHER and "does not speak as this version's elementd" in done.stderr


def test_status_of_troubles_that_a_later_daemon_tells_of(daemon):
    """Of kinds that are unknown, with members that are, and without what it cannot do without."""
    row_of_later = row("alpha", "waiting", problem="\033[2J", problemKind="ofLater", problemSinceUSec=NOW)
    daemon.answers = {"io.elementd.ListInstances": listing(row_of_later), "io.elementd.GetStatus": {"parameters": {
        "troubles": [{"kind": "later\033[2J", "problem": "no\033[2J", "later": [1]}, {"kind": 7}, 7, {"kind": "a"}],
        "waitingUnits": {"unit": 7}}}}
    done = ctl(daemon, "status")
    assert done.returncode == NOT_READY and "\033" not in done.stdout
    assert "elementd: no?[2J\n" in done.stdout and "alpha: ?[2J; since " in done.stdout
    assert done.stdout.count("    to do: journalctl -u elementd tells more; ") == 2
    for answer in {"parameters": {"troubles": 7}}, error("org.varlink.service.MethodNotFound", method="io.elementd.GetStatus"):
        daemon.answers["io.elementd.GetStatus"] = answer
        assert ctl(daemon, "status").stdout.count("    to do: ") == 1


@pytest.mark.parametrize("rows, words", [([ROWS[0]], "the only instance is ready\n"),
                                         ([row("a"), row("b")], "all 2 instances are ready\n")])
def test_status_when_all_is_well(daemon, rows, words):
    daemon.answer = listing(*rows)
    assert ctl(daemon, "status").stdout == words


def test_status_of_one(daemon):
    daemon.answer = listing(*ROWS)
    assert ctl(daemon, "status", "zulu").stdout.splitlines()[2:] == [
        "   element  jira, account default", "        id  12", "     token  served, verified 3 d 12 h ago",
        "  attempts  0"]
    lines = ctl(daemon, "status", "alpha").stdout.splitlines()
    assert lines[0] == "alpha" and lines[1].startswith("     state  waiting, for ")
    assert lines[2:6] == ["   element  jira, account default", "        id  3", "     token  served, not verified yet",
                          "  attempts  3"]
    assert lines[6].startswith("   problem  no network; next try at ") and lines[6].endswith(" (in 3 d 12 h)")
    assert lines[7].startswith("     to do  journalctl -u elementd tells more; ") and len(lines) == 8
    assert ctl(daemon, "status", "mike").stdout.splitlines()[-2] == "   problem  a.json:1:2: ?]0;bad?"


def test_status_json(daemon):
    daemon.answer = listing(*ROWS)
    document = json.loads(ctl(daemon, "status", "--json").stdout)
    first, second = document.pop("troubles")
    assert document == {"total": 3, "states": {"waiting": 1, "failed": 1, "ready": 1}, "notReady": [ROWS[1], ROWS[2]]}
    assert first.pop("advice").startswith("journalctl -u elementd") and second["problem"] == ROWS[2]["problem"]
    assert first == {"kind": "other", "account": "default", "problem": "no network", "retryUSec": NOW + DAYS,
                     "instances": ["alpha"]}
    assert json.loads(ctl(daemon, "status", "zulu", "--json").stdout) == ROWS[0] | {"troubles": []}


@pytest.mark.parametrize("answer, status", [(error("io.elementd.NoSuchInstance", instance="a"), NO_INSTANCE),
                                            (error("org.varlink.service.PermissionDenied"), DENIED),
                                            (TOKEN, NOT_READY)])
def test_status_of_one_that_is_not_listed(daemon, answer, status):
    daemon.answers = {"io.elementd.ListInstances": listing(), "io.elementd.GetToken": answer}
    done = ctl(daemon, "status", "a")
    assert (done.returncode, done.stdout) == (status, "")
    assert "t0k3n" not in done.stderr


# --- check -------------------------------------------------------------------------------------

def test_check_warns_of_units_that_would_hang(root):
    """Which they do with systemd before 256 and Type=simple."""
    unit = root / "etc/systemd/system/helpdesk.service"
    unit.parent.mkdir(parents=True)
    unit.write_text("[Service]\nExecStart=/x\nLoadCredential=a:/run/elementd/credentials\n")
    done = run("check", f"--root={root}")
    assert done.returncode == 1 and "problems: 1\n" in done.stderr
    assert done.stdout.startswith(f"{unit}:3:1: warning: helpdesk.service loads a credential of elementd and is of Type=simple: ")
    [problem] = json.loads(run("check", f"--root={root}", "--json").stdout)
    assert (problem["file"], problem["line"], problem["severity"]) == (str(unit), 3, "warning")
    dropin = root / "run/systemd/system/helpdesk.service.d/type.conf"
    dropin.parent.mkdir(parents=True)
    dropin.write_text("[Service]\nType=exec\n")
    done = run("check", f"--root={root}")
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("options", [[], ["--json"], ["--root=/a b"], ["--root", "/a", "--json"]], ids=" ".join)
@pytest.mark.parametrize("place", ["bin/elementd", "sbin/elementd"])
def test_check_is_the_daemons(root, options, place):
    """A stand-in, beside elementctl or in the sbin beside its folder, tells its arguments."""
    (root / "bin").mkdir()
    (root / "sbin").mkdir()
    for file in [CTL, *BUILD.glob("libelementd.so*")]:
        shutil.copy(file, root / "bin", follow_symlinks=True)
    program = root / place
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\nexit 41\n')
    program.chmod(0o755)
    done = run("check", *options, program=root / "bin/elementctl")
    expected = {"": [], "--json": ["--json"], "--root=/a b": ["--root=/a b"], "--root /a --json": ["--root=/a", "--json"]}
    assert done.returncode == 41
    assert done.stdout.splitlines() == ["--check", *expected[" ".join(options)]]
