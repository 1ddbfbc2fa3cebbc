"""kill -9 at every point of a provisioning: in the end there is one instance, and its token is served."""

import json

import pytest

from harness.site import Site
from harness.wait import wait_until

# Calls that change something outside the process; what openat() creates is seen before the write that follows.
CHANGES = ["fsync", "fdatasync", "ftruncate", "rename", "renameat", "renameat2", "linkat", "unlink", "unlinkat",
           "mkdirat", "write", "writev", "pwrite", "connect", "send", "sendto", "sendmsg"]
ANY_CHANGE = f"@({'|'.join(CHANGES)})"

HOSTS = 8  # at a time

# To the platform, on a connection of its own, so that the n-th request is the n-th call.
SENDS = "@(write|writev|send|sendto|sendmsg):path=tcp*"


def provisioned(site, names=("one",)):
    """How the story must end, whatever happened: told as a list of what is wrong."""
    wrong = []
    for name in names:
        token = site.token(name, timeout=30)
        rows = [row for row in site.platform.instances() if row["name"] == name]
        if len(rows) != 1:
            wrong.append(f"{name} has {len(rows)} instances on the platform")
        elif rows[0]["token"] != token:
            wrong.append(f"the token served for {name} is not the instance's")
        record = site.record(name)
        if not record or record.get("token") != token:
            wrong.append(f"the token served for {name} is not on disk")
    return wrong


def is_recorded(site, names=("one",)):
    return all((site.record(name) or {}).get("token") for name in names)


def has_intent(site):
    record = site.record("one")
    return bool(record and record.get("intentUSec") and not record.get("token"))


def crash_at(site, *rules):
    site.simple("one", request_timeout_sec=1)
    site.start(*rules, wait=False).wait_for_death()


def test_killed_before_the_intent_is_durable(site):
    crash_at(site, "renameat:path=records.json:kill=before")
    assert not has_intent(site) and site.platform.posts() == []
    site.start()
    assert provisioned(site) == []
    assert len(site.platform.posts()) == 1


def test_killed_between_intent_and_post(site):
    # The look-up is the first request.
    crash_at(site, f"{SENDS}:n=2:kill=before")
    assert has_intent(site) and site.platform.posts() == [] and len(site.platform.requests("GET")) == 1
    site.start()
    assert provisioned(site) == []
    assert len(site.platform.posts()) == 1


def test_killed_between_the_header_of_the_post_and_its_body(site):
    crash_at(site, f"{SENDS}:n=2:kill=after")
    assert has_intent(site) and site.platform.posts() == []
    site.start()
    assert provisioned(site) == []
    assert len(site.platform.posts()) == 1


def test_killed_between_post_and_answer(site):
    """The platform carries the request out when nobody waits for it any more."""
    site.platform.settings(delayMs=600)
    crash_at(site, f"{SENDS}:n=3:kill=after")
    wait_until(site.platform.posts, "the platform works on it")
    assert has_intent(site) and site.platform.instances() == []
    site.start()
    assert provisioned(site) == []
    assert len(site.platform.posts()) == 1


def test_killed_between_answer_and_record(site):
    site.platform.fault("delay-after", method="POST", ms=400)
    site.simple("one", request_timeout_sec=2)
    daemon = site.start(faults=True)
    wait_until(has_intent_of(site), "the intent is durable")
    daemon.faults.set("renameat:path=records.json:kill=before")
    daemon.wait_for_death()
    assert has_intent(site) and len(site.platform.instances()) == 1
    site.start()
    assert provisioned(site) == []
    assert len(site.platform.posts()) == 1


def has_intent_of(site):
    return lambda: has_intent(site)


@pytest.mark.parametrize("moment", ["renameat:path=records.json:kill=after", "fsync:path=*/elementd:kill=after"])
def test_killed_between_record_and_serving(site, moment):
    """Then even the platform is not needed any more."""
    site.platform.fault("delay-after", method="POST", ms=400)
    site.simple("one", request_timeout_sec=2)
    daemon = site.start(faults=True)
    wait_until(has_intent_of(site), "the intent is durable")
    daemon.faults.set(moment)
    with site.connect() as waiting:
        waiting.send("io.elementd.GetToken", {"instance": "one", "timeoutUSec": 20_000_000})
        daemon.wait_for_death()
        with pytest.raises((AssertionError, ConnectionError)):
            waiting.receive()  # nobody was given what might not have been durable
    record = site.record("one")
    [instance] = site.platform.instances()
    assert record["token"] == instance["token"]
    site.platform.stop()
    site.start()
    assert site.ask("one") == instance["token"]
    site.platform.start()
    assert len(site.platform.posts()) == 0, "the sandbox counts from its start"


def test_killed_by_hand_while_the_platform_is_creating(site):
    """Again and again, at moments that nobody chose."""
    site.simple("one", "two", "three", request_timeout_sec=2)
    site.platform.settings(delayMs=300)
    for pause in (0.05, 0.15, 0.3, 0.4):
        daemon = site.start()
        posts = len(site.platform.posts())
        try:
            wait_until(lambda: len(site.platform.posts()) > posts, "something is posted", timeout=pause)
        except AssertionError:
            pass  # that is a moment too
        daemon.kill()
    site.start()
    tokens = {name: site.token(name, timeout=30) for name in ("one", "two", "three")}
    assert {row["name"]: row["token"] for row in site.platform.instances()} == tokens
    assert len(site.platform.instances()) == 3


def calls_of_a_provisioning(names):
    """How many calls one undisturbed provisioning makes that a crash could come between."""
    site = Site()
    try:
        site.simple(*names)
        daemon = site.start(wait=False, faults=True)
        wait_until(lambda: is_recorded(site, names), "the records are there")
        for name in names:
            site.wait_for_state(name, "ready")
        return len(daemon.faults.calls("|".join(CHANGES)))
    finally:
        site.remove()


def kill_at(number, moment, names):
    """A host whose daemon is on its way to that call."""
    host = Site()
    try:
        host.simple(*names, request_timeout_sec=1)
        host.start(f"{ANY_CHANGE}:n={number}:kill={moment}", wait=False)
    except BaseException:
        host.remove()
        raise
    return host


def killed_or_done(host, names):
    """Whether it was killed; if not, it is now."""
    ended = host.daemon.process
    wait_until(lambda: not ended.is_running() or is_recorded(host, names), "it gets somewhere")
    is_killed = not ended.is_running()
    ended.kill()
    return is_killed


@pytest.mark.timeout(150)
@pytest.mark.parametrize("names", [("one",), ("one", "two", "three")], ids=["alone", "sharing-commits"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_at_each_call_in_turn(moment, names):
    """Several hosts at a time, since they mostly wait."""
    n_calls = calls_of_a_provisioning(names)
    assert 10 < n_calls < 400, n_calls
    wrong, n_killed = [], 0
    for first in range(1, n_calls + 1, HOSTS):
        hosts = {}
        try:
            for number in range(first, min(first + HOSTS, n_calls + 1)):
                hosts[number] = kill_at(number, moment, names)
            for host in hosts.values():
                n_killed += killed_or_done(host, names)
                host.start()
            for number, host in hosts.items():
                wrong += [f"call {number}: {what}" for what in provisioned(host, names) + host.close()]
        finally:
            for host in hosts.values():
                host.remove()
    assert not wrong, "\n".join(wrong)
    # The last ones may come after what is waited for.
    assert n_killed > n_calls * 3 // 4, f"{n_killed} of {n_calls}"


# --- the disk ---

DISK_FAULTS = {
    "full": "@(write|writev|pwrite):path=records.json.new:error=ENOSPC",
    "full-halfway": "@(write|writev|pwrite):path=records.json.new:short=10:error=ENOSPC",
    "not-synced": "@(fsync|fdatasync):path=records.json.new:error=EIO",
    "not-renamed": "@(rename|renameat|renameat2):path=records.json:error=EROFS",
    "directory-not-synced": "@(fsync|fdatasync):path=*/lib/elementd:error=EIO",
    "not-opened": "@(open|openat):path=records.json.new:error=EMFILE",
}


@pytest.mark.parametrize("fault", DISK_FAULTS)
def test_without_a_durable_intent_nothing_is_posted(site, fault):
    site.simple("one")
    daemon = site.start(DISK_FAULTS[fault])
    wait_until(lambda: [call for call in daemon.faults.calls() if call.verdict.startswith("error=")], "the fault happened")
    name = {"full": "space", "full-halfway": "space", "not-renamed": "ead-only"}.get(fault, "")
    daemon.wait_for_log(name or "records.json")
    # Long enough for a POST to come if it were to.
    assert site.ask("one") == "io.elementd.NotReady"
    wait_until(lambda: site.platform.requests("GET") or site.instances()["one"]["problem"], "it got as far as it may")
    assert site.platform.posts() == []
    row = site.instances()["one"]
    assert not row["hasToken"] and row["state"] != "failed", row
    assert daemon.is_running()
    site.search_for_secrets()


def test_a_disk_that_has_room_again_is_used_again(site):
    site.simple("one")
    daemon = site.start(DISK_FAULTS["full"])
    daemon.wait_for_log("space")
    daemon.faults.set()
    assert site.token("one") == site.platform.instances()[0]["token"]
    assert len(site.platform.posts()) == 1


def test_a_token_that_cannot_be_written_is_not_served_and_not_lost(site):
    site.simple("one")
    site.platform.fault("delay-after", method="POST", ms=300)
    daemon = site.start(faults=True)
    wait_until(lambda: has_intent(site), "the intent is durable")
    daemon.faults.set(DISK_FAULTS["full"])
    wait_until(lambda: [call for call in daemon.faults.calls() if call.verdict.startswith("error=")], "the fault happened")
    assert site.ask("one") == "io.elementd.NotReady"
    assert site.record("one").get("token") is None
    daemon.faults.set()
    assert site.token("one") == site.platform.instances()[0]["token"]
    assert site.record("one")["token"] == site.platform.instances()[0]["token"]
    assert len(site.platform.posts()) == 1


def test_old_records_are_kept_beside_the_new_ones(site):
    """At no moment is there no whole document."""
    site.simple("one")
    site.start()
    site.token("one")
    assert json.loads((site.state / "records.json~").read_text())["version"] == 1
    assert not (site.state / "records.json.new").exists()
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in site.state.iterdir()}
    assert set(modes.values()) == {"0o600"}, modes
    assert site.state.stat().st_mode & 0o777 == 0o700
