"""What units get by LoadCredential=, who may have it, and what elementctl explain says of that."""

import itertools
import os
import select
import subprocess
import time

import pytest

from harness.notify import NotifyListener
from harness.process import children
from harness.site import CTL_DENIED, CTL_NO_INSTANCE, CTL_OK
from harness.units import cgroup, finish_loading, load, needs_units, start_loading
from harness.users import needs_root
from harness.wait import stays_true, wait_until

UNIT = "elementd-e2e.service"
GROUP = f"system.slice/{UNIT}"
STRANGER = (61001, 61001, ())


@pytest.fixture
def unit():
    """Enters the cgroup of UNIT."""
    needs_units()
    with cgroup(GROUP) as enter:
        yield enter


def is_open(fd):
    """A connection of which neither end has said that it is over."""
    poll = select.poll()
    poll.register(fd, 0)
    return not poll.poll(0)


def credentials(site):
    return site.root / "run/elementd/credentials"


def test_a_unit_gets_what_its_entry_allows(site, unit):
    site.settings()
    site.account()
    site.instance("mine", allow=[f"unit:{UNIT}"])
    site.instance("header", allow=[], allow_authorization=["unit:elementd-*.service"])
    site.instance("mine.dotted", allow=["any"])
    site.instance("roots", allow=["user:root"])
    daemon = site.start()
    tokens = {name: site.token(name) for name in ("mine", "header", "mine.dotted", "roots")}
    path = credentials(site)
    assert oct(path.stat().st_mode)[-3:] == "600"

    assert load(path, UNIT, "mine", unit) == tokens["mine"]
    assert load(path, UNIT, "mine.dotted", unit) == tokens["mine.dotted"]
    assert load(path, UNIT, "header.authorization", unit) == (
        f"User {site.user}, Organization {site.organization}, Element {tokens['header']}")
    for refused in ("header", "mine.authorization", "roots", "nosuch", ".."):
        assert load(path, UNIT, refused, unit) is None, refused
    daemon.wait_for_log("no such instance is declared")
    daemon.wait_for_log("no unit: entry of the instance's list lets it in")


def test_a_name_is_no_proof(site, unit):
    site.settings()
    site.account()
    site.instance("mine", allow=[f"unit:{UNIT}"])
    daemon = site.start()
    token = site.token("mine")
    path = credentials(site)
    assert load(path, UNIT, "mine") is None, "root, but not of that unit"
    assert load(path, "other.service", "mine", unit) is None, "of a unit, but not of the one it names"
    for folder in (path, *path.parents):
        if folder.is_relative_to(site.directory):
            folder.chmod(folder.stat().st_mode | 0o007)  # as if the socket were open to all
    assert load(path, UNIT, "mine", unit, uid=STRANGER[0]) is None, "in that unit, but not root"
    assert load(path, UNIT, "mine", unit) == token
    daemon.wait_for_log("the peer is not root at work for that unit")


def test_units_of_a_user_are_no_units_of_the_system(site):
    needs_units()
    site.settings()
    site.account()
    site.instance("mine", allow=[f"unit:{UNIT}"])
    site.start()
    site.token("mine")
    inner = f"user.slice/user-{STRANGER[0]}.slice/user@{STRANGER[0]}.service/app.slice/{UNIT}"
    with cgroup(inner) as enter:
        assert load(credentials(site), UNIT, "mine", enter) is None


def test_processes_of_a_unit_get_the_token_by_varlink(site, unit):
    site.settings()
    site.account()
    site.instance("mine", allow=[f"unit:{UNIT}"])
    site.start()
    token = site.token("mine")
    site.ctl("list", user=STRANGER)  # puts elementctl where strangers may run it

    def ask(enter):
        def prepare():
            if enter:
                enter()
            os.setgroups([])
            os.setresgid(*[STRANGER[1]] * 3)
            os.setresuid(*[STRANGER[0]] * 3)

        return subprocess.run([site.directory / "bin/elementctl", f"--root={site.root}", "token", "mine"],
                              preexec_fn=prepare, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=20)

    done = ask(unit)
    assert (done.returncode, done.stdout) == (CTL_OK, token + "\n")
    assert ask(None).returncode == CTL_DENIED


def test_a_unit_waits_for_its_token(site, unit):
    site.settings(credential_wait_sec=30)
    site.account()
    site.instance("mine", allow=["any"])
    site.platform.fault("delay", method="POST", ms=700)
    site.start()
    token = finish_loading(start_loading(credentials(site), UNIT, "mine", unit))
    [instance] = site.platform.instances()
    assert token == instance["token"] == site.record("mine")["token"]


def test_a_reload_changes_how_long_units_wait(site, unit):
    site.settings(credential_wait_sec=60)
    site.account()
    site.instance("mine", allow=["any"])
    site.platform.fault("hang", count=-1)
    site.start()
    begin = time.monotonic()
    client = start_loading(credentials(site), UNIT, "mine", unit)
    time.sleep(0.5)
    assert client.poll() is None
    site.settings(credential_wait_sec=1)
    site.reload()
    assert finish_loading(client) is None
    assert 0.9 < time.monotonic() - begin < 15
    begin = time.monotonic()
    assert load(credentials(site), UNIT, "mine", unit) is None
    assert 0.9 < time.monotonic() - begin < 15


def test_a_unit_that_waits_is_failed_when_the_daemon_stops(site, unit):
    site.settings(credential_wait_sec=60)
    site.account()
    site.instance("mine", allow=["any"])
    site.platform.fault("hang", count=-1)
    daemon = site.start()
    client = start_loading(credentials(site), UNIT, "mine", unit)
    time.sleep(0.5)
    assert client.poll() is None
    daemon.stop()
    assert finish_loading(client) is None


# --- a kill, with a service manager that keeps what it is handed ---

@pytest.fixture
def manager(site):
    listener = NotifyListener(site.directory)
    yield listener
    listener.close()


def start_managed(site, manager):
    """elementd, once it has told its manager all that there is to be told."""
    daemon = site.start(env={"NOTIFY_SOCKET": str(manager.path)}, faults=True)
    site.wait_for_state("mine", "ready")
    known = -1
    while len(manager.poll()) != known:
        known = len(manager.messages)
        time.sleep(0.1)
    return daemon


def test_taking_up_a_connection_leaves_nothing_behind(site, manager, unit):
    site.settings()
    site.account()
    site.instance("mine", allow=["any"])
    daemon = start_managed(site, manager)
    for _ in range(3):
        assert load(credentials(site), UNIT, "mine", unit) == site.token("mine")
    manager.poll()
    assert len(manager.kept) == 3
    assert len(daemon.faults.calls("accept4", "/credentials$")) == 3
    assert all(call.thread != daemon.pid for call in daemon.faults.calls("accept4", "/credentials$"))
    stays_true(lambda: children(daemon.pid) in ([], [daemon.asking()]), "no process is left of it", 0.2)


@pytest.mark.parametrize("moment", ["accept4:path=credentials:kill=before", "accept4:path=credentials:kill=after",
                                    "sendmsg:path=notify:kill=before", "sendmsg:path=notify:kill=after"])
def test_a_kill_while_a_connection_is_taken_up_fails_the_unit(site, manager, unit, moment):
    site.settings()
    site.account()
    site.instance("mine", allow=["any"])
    daemon = start_managed(site, manager)
    daemon.faults.set(moment)
    assert load(credentials(site), UNIT, "mine", unit) is None
    daemon.wait_for_death()
    daemon.wait_for_log("elementd was killed as it took up the connection")


def test_a_kill_at_any_call_gives_no_empty_credential(site, manager, unit):
    """All, some of them or none of these calls are there, whatever becomes of the code: each is tried."""
    site.settings()
    site.account()
    site.instance("mine", allow=["any"])
    outcomes = []
    for number in itertools.count(1):
        daemon = start_managed(site, manager)
        daemon.faults.set(f"*:n={number}:kill=before")
        before = len(manager.kept)
        client = start_loading(credentials(site), UNIT, "mine", unit)
        wait_until(lambda: client.poll() is not None or not daemon.is_running(), "the unit has its answer, or elementd is dead")
        manager.poll()
        if not daemon.is_running() and len(manager.kept) > before and is_open(manager.kept[-1]):
            outcomes.append("kept")  # for the next run
            client.kill()
            client.communicate()
        elif client.wait(20) != 0:
            assert "ConnectionResetError" in client.stderr.read(), "it was not taken up"
            outcomes.append("queued")  # in a socket that would be the manager's
        else:
            outcomes.append("failed" if (token := finish_loading(client)) is None else "given")
            assert token in (None, site.record("mine")["token"])
        daemon.faults.set()
        time.sleep(0.1)
        if daemon.is_running():
            daemon.stop()
            break
    assert outcomes[-1] == "given"
    assert {"failed", "kept"} <= set(outcomes), outcomes


# --- elementctl explain ---

@needs_root
def test_explain(site):
    site.settings()
    site.account()
    site.instance("one", allow=["user:daemon", "group:61777", "unit:web@*.service"], allow_authorization=["user:61001"])
    site.start()
    site.token("one")

    done = site.ctl("explain", "one")
    assert done.returncode == CTL_OK and "token: allowed, as root always is" in done.stdout
    cases = [
        (["--user=daemon"], CTL_OK, "token: allowed by user:daemon", "authorization: denied"),
        (["--user=1"], CTL_OK, "token: allowed by user:daemon", "uid 1\n"),
        (["--user=nobody"], CTL_DENIED, 'token: denied, no entry of "allow" lets it in (it has user:daemon, group:61777, ',
         "authorization: denied"),
        (["--user=61001"], CTL_DENIED, "token: denied", "authorization: allowed by user:61001"),
        (["--unit=web@1.service"], CTL_OK, "token: allowed by unit:web@*.service", "asked by: web@1.service"),
        (["--unit=web.service"], CTL_DENIED, "token: denied", "authorization: denied"),
        (["--user=nobody", "--unit=web@1.service"], CTL_OK, "token: allowed by unit:web@*.service", "in web@1.service"),
    ]
    for arguments, status, *lines in cases:
        done = site.ctl("explain", "one", *arguments)
        assert done.returncode == status, (arguments, done)
        for line in lines:
            assert line in done.stdout, (arguments, done.stdout)
    assert site.ctl("explain", "nosuch").returncode == CTL_NO_INSTANCE
    assert "there is no user" in site.ctl("explain", "one", "--user=no-such-user").stderr

    # Others may ask for themselves, and see no more than that.
    done = site.ctl("explain", "one", user=(1, 1, ()))
    assert done.returncode == CTL_OK and "token: allowed by user:daemon" in done.stdout
    done = site.ctl("explain", "one", user=(*STRANGER[:2], (61777,)))
    assert done.returncode == CTL_OK and "token: allowed by group:61777" in done.stdout
    done = site.ctl("explain", "one", user=STRANGER)
    assert done.returncode == CTL_DENIED and "user:daemon" not in done.stdout
    assert site.ctl("explain", "one", "--user=daemon", user=STRANGER).returncode == CTL_DENIED


@needs_root
def test_explain_sees_that_the_socket_cannot_be_opened(site):
    site.settings()
    site.account()
    site.instance("one", allow=["any"])
    site.start()
    site.token("one")
    assert site.ctl("explain", "one", "--user=daemon").returncode == CTL_OK
    for path, mode in ((site.socket, 0o600), (site.socket.parent, 0o700)):
        before = path.stat().st_mode
        path.chmod(mode)
        done = site.ctl("explain", "one", "--user=daemon")
        path.chmod(before & 0o7777)
        assert done.returncode == CTL_DENIED
        assert f"cannot be opened, because of the mode of {path}\n" in done.stdout
        assert "token: allowed by any" in done.stdout
    assert wait_until(lambda: site.ctl("explain", "one", "--user=daemon").returncode == CTL_OK, "it can be opened again")
