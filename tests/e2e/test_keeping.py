"""What is done about instances that there are: verified in turn, at a rejected token at once, never in a burst."""

import json
import os

import pytest

from harness.site import CTL_OK, CTL_OTHER, OWNER
from harness.varlink import VarlinkError
from harness.wait import stays_true, wait_until


def our_tags(name):
    return [f"elementd.{OWNER}", f"elementd.{OWNER}.{name}"]


def ready(site, name="one"):
    token = site.token(name)
    site.wait_for_state(name, "ready")
    return token


def verifications(site):
    return [row for row in site.platform.requests("GET", "/instances/*") if row["path"] != "/instances"]


def report(site, name, token):
    with site.connect() as varlink:
        return varlink.call("ReportRejected", instance=name, token=token)


def change_token(site, name="one"):
    """On the platform, behind the daemon's back; the new token."""
    [there] = [row for row in site.platform.instances() if row["name"] == name]
    site.platform.call("POST", f"/instances/{there['id']}/token", {})
    return site.platform.instance(there["id"])["token"]


# --- a rejected token ---

def test_a_rejected_token_is_verified_at_once(site):
    site.simple()
    site.start()
    old = ready(site)
    new = change_token(site)
    assert report(site, "one", old) == {}
    wait_until(lambda: site.ask("one") == new, "the new token is served")
    assert site.record("one")["token"] == new
    assert len(verifications(site)) == 1


def test_by_elementctl(site):
    site.simple()
    site.start()
    old = ready(site)
    new = change_token(site)
    assert site.ctl("rejected", "one", text=old + "\n").returncode == CTL_OK
    wait_until(lambda: site.ask("one") == new, "the new token is served")
    assert site.ctl("rejected", "one", text="").returncode == CTL_OTHER


def test_only_the_token_that_is_served_is_worth_a_question(site):
    site.simple()
    site.start()
    token = ready(site)
    for wrong in ("another", token + "x", token[:-1], "x"):
        report(site, "one", wrong)
    stays_true(lambda: verifications(site) == [], "nothing is asked", 0.3)


def test_reports_that_arrive_together_are_seen_to_at_once(site):
    site.simple()
    site.start()
    token = ready(site)
    call = {"method": "io.elementd.ReportRejected", "parameters": {"instance": "one", "token": token}}
    with site.connect() as varlink:
        varlink.send_bytes(20 * (json.dumps(call).encode() + b"\0"))
        for _ in range(20):
            varlink.receive()
    wait_until(lambda: [row["status"] for row in verifications(site)] == [200], "it is asked once")


def test_a_rejected_token_is_no_weapon(site):
    """However often it is reported: one question in half a minute, and one at a time."""
    site.simple("one", "two")
    site.start()
    token = ready(site)
    ready(site, "two")
    site.platform.fault("delay-after", method="GET", path="/instances/*", ms=300)
    with site.connect() as varlink:
        for _ in range(500):
            varlink.send("io.elementd.ReportRejected", {"instance": "one", "token": token})
            varlink.receive()
        wait_until(lambda: [row["status"] for row in verifications(site)] == [200], "it is asked once")
        for _ in range(500):
            varlink.send("io.elementd.ReportRejected", {"instance": "one", "token": token}, oneway=True)
        varlink.call("GetToken", instance="one")
    stays_true(lambda: len(verifications(site)) == 1, "and no more", 0.5)
    # It is remembered, for when its time has come; and others have a question of their own.
    assert site.ask("one") == token
    report(site, "two", site.ask("two"))
    wait_until(lambda: len(verifications(site)) == 2, "another instance is asked about")


def test_whoever_may_not_have_a_token_may_not_report_it(site):
    if os.geteuid() != 0:
        pytest.skip("needs root, to be somebody else")
    site.simple()
    site.start()
    token = ready(site)
    with site.connect_as(12345, 12345) as other:
        with pytest.raises(VarlinkError, match="PermissionDenied"):
            other.call("ReportRejected", instance="one", token=token)
    assert verifications(site) == []


def test_a_report_while_the_account_is_paused_waits_like_all(site):
    site.simple()
    daemon = site.start()
    token = ready(site)
    site.platform.fault("status", method="GET", status=401, message="Invalid secrets", count=-1)
    report(site, "one", token)
    daemon.wait_for_log("account default: ")
    number = len(site.platform.requests())
    for _ in range(20):
        report(site, "one", token)
    stays_true(lambda: len(site.platform.requests()) <= number + 1, "nothing more goes out but the probe", 0.5)
    assert site.ask("one") == token


def test_creations_that_a_refused_verification_calls_back_wait_for_the_account(site):
    """They do not look as if they were under way, nor take the room of other accounts."""
    site.simple("one", parallel=2, request_timeout_sec=20)
    daemon = site.start()
    token = ready(site)
    site.platform.fault("delay", method="GET", path="/instances/*", ms=3000)
    site.platform.fault("status", method="GET", path="/instances/*", status=401, message="Invalid secrets", retry_after="3600")
    site.platform.fault("delay", method="POST", ms=6000)
    report(site, "one", token)
    wait_until(lambda: site.platform.requests("GET", "/instances/*"), "it is verified")
    names = ["two", "three", "four"]
    for name in names:
        site.instance(name)
    site.reload()
    wait_until(lambda: [site.instances()[name]["state"] for name in names] == ["creating"] * 3, "all are in line")
    daemon.wait_for_log("account default: ")
    wait_until(lambda: [site.instances()[name]["state"] for name in names].count("waiting") == 2, "two wait", timeout=2)
    assert len(site.platform.posts()) == 2, "that of the first, and one that was under way"


# --- retry ---

def test_retry_does_not_wait(site):
    site.simple()
    site.platform.fault("status", method="POST", status=503, retry_after="600")
    site.start()
    row = site.wait_for_state("one", "waiting")
    assert row["retryUSec"]
    assert site.ctl("retry", "one").returncode == CTL_OK
    assert site.token("one", timeout=5)


def test_retry_of_a_paused_account_is_its_probe(site):
    site.simple()
    site.platform.fault("status", method="GET", status=429, retry_after="600")
    site.start()
    site.wait_for_state("one", "waiting")
    assert site.ctl("retry", "one").returncode == CTL_OK
    assert site.token("one", timeout=5)


def test_retry_of_what_has_failed(site):
    site.simple()
    site.platform.fault("status", method="POST", status=400, message="the vendor is ill")
    site.start()
    site.wait_for_state("one", "failed")
    assert site.ctl("retry", "one").returncode == CTL_OK
    assert site.token("one", timeout=5)
    assert len(site.platform.instances()) == 1


def test_retry_makes_no_second_instance(site):
    """The platform may still be working on the first: that is waited for, however often somebody insists."""
    site.simple(request_timeout_sec=1)
    site.platform.fault("late-commit", method="POST", ms=1200)
    site.start(env={"ELEMENTD_TEST_WORK_SEC": "3"})
    wait_until(lambda: [row["outcome"] for row in site.platform.posts()] == ["late-commit"], "its answer is lost")
    for _ in range(20):
        assert site.ctl("retry", "one").returncode == CTL_OK
    assert site.token("one")
    assert len(site.platform.instances()) == len(site.platform.posts()) == 1


# --- gone, disabled ---

def test_gone_on_the_platform(site):
    """404: looked up, and created again; once."""
    site.simple()
    daemon = site.start()
    old = ready(site)
    [there] = site.platform.instances()
    site.platform.remove(there["id"])
    report(site, "one", old)
    token = wait_until(lambda: site.ask("one") not in (old, "io.elementd.NotReady") and site.ask("one"), "it is created again")
    assert [row["token"] for row in site.platform.instances()] == [token]
    assert "does not know it any more" in daemon.output()
    kinds = [row["method"] + " " + row["path"] for row in site.platform.requests()]
    assert kinds[2:] == [f"GET /instances/{there['id']}", "GET /instances", "POST /instances"]


def test_gone_after_its_change_was_refused(site):
    """The refusal was of the change; what is declared now is created, or refused by itself."""
    site.simple()
    site.start()
    old = ready(site)
    [there] = site.platform.instances()
    site.platform.fault("status", method="PUT", path="/instances/*", status=400, message="not now")
    site.instance("one", {"element": {"key": "anything"}, "name": "one", "configuration": {"key": "new"}})
    site.reload()
    site.wait_for_state("one", "failed")
    site.platform.remove(there["id"])
    report(site, "one", old)
    wait_until(lambda: site.ask("one") not in (old, "io.elementd.NotReady"), "it is created again")
    site.wait_for_state("one", "ready")
    assert [row["configuration"]["key"] for row in site.platform.instances()] == ["new"]


def test_moved_on_the_platform(site):
    """404 for the id, but the look-up finds one with our tag."""
    site.simple()
    site.start()
    old = ready(site)
    [there] = site.platform.instances()
    site.platform.remove(there["id"])
    [other] = site.platform.plant(element="anything", name="one", tags=our_tags("one"))
    report(site, "one", old)
    wait_until(lambda: site.ask("one") == site.platform.instance(other)["token"], "that is taken over")
    assert len(site.platform.posts()) == 1


def test_disabled_and_enabled_again(site):
    site.simple()
    daemon = site.start()
    token = ready(site)
    [there] = site.platform.instances()
    site.platform.call("POST", f"/instances/{there['id']}/disable", {})
    report(site, "one", token)
    row = site.wait_for_state("one", "disabled")
    assert row["hasToken"] and site.ask("one") == token
    assert len([line for line in daemon.output().splitlines() if "disabled it" in line and ": debug: " not in line]) == 1
    # An answer that breaks off before it comes to that does not undo it.
    site.platform.fault("broken-json", method="GET", path="/instances/*")
    assert site.ctl("retry", "one").returncode == CTL_OK
    wait_until(lambda: len(verifications(site)) == 2, "it is asked again")
    stays_true(lambda: site.instances()["one"]["state"] == "disabled", "it stays disabled", 0.2)
    site.platform.call("POST", f"/instances/{there['id']}/enable", {})
    assert site.ctl("retry", "one").returncode == CTL_OK
    site.wait_for_state("one", "ready")
    assert site.ask("one") == token


def test_a_change_of_a_disabled_one_waits_until_it_is_enabled(site):
    site.simple()
    site.start()
    token = ready(site)
    [there] = site.platform.instances()
    site.platform.call("POST", f"/instances/{there['id']}/disable", {})
    report(site, "one", token)
    site.wait_for_state("one", "disabled")
    site.instance("one", {"element": {"key": "anything"}, "name": "renamed", "configuration": {"key": "new"}})
    site.reload()
    stays_true(lambda: site.platform.requests("P*", "/instances/*") == [], "nothing is sent", 0.3)
    site.platform.call("POST", f"/instances/{there['id']}/enable", {})
    assert site.ctl("retry", "one").returncode == CTL_OK
    wait_until(lambda: site.platform.instance(there["id"])["name"] == "renamed", "the change is sent")


# --- duplicates and strangers ---

def test_duplicates_are_told_in_state_log_and_list(site):
    site.simple()
    ids = [site.platform.plant(element="anything", name="one", tags=our_tags("one"))[0] for _ in range(3)]
    daemon = site.start()
    site.token("one")
    row = site.wait_for_state("one", "ready")
    assert row["id"] == min(ids)
    assert all(str(i) in row["problem"] for i in sorted(ids)[1:]), row
    assert {row["id"]: row["reason"] for row in site.orphans().values()} == dict.fromkeys(sorted(ids)[1:], "duplicate")
    assert "more than one instance" in daemon.output()
    table = site.ctl("orphans").stdout
    assert all(str(i) in table for i in sorted(ids)[1:]) and "duplicate" in table
    listed = json.loads(site.ctl("--json", "orphans").stdout)
    assert len(listed["orphans"] if isinstance(listed, dict) else listed) == 2
    assert len(site.platform.instances()) == 3 and site.platform.requests("DELETE") == []


def test_unclaimed_instances_are_told(site):
    """They carry our tag, and nobody has declared them: from before an accident, perhaps."""
    site.simple()
    [stranger] = site.platform.plant(element="anything", name="x", tags=our_tags("nobody"))
    [nameless] = site.platform.plant(element="anything", name="y", tags=[f"elementd.{OWNER}"])
    [foreign] = site.platform.plant(element="anything", name="z", tags=["elementd.otherhost", "elementd.otherhost.one"])
    site.start()
    ready(site)
    orphans = site.orphans()
    assert set(orphans) == {stranger, nameless} and foreign not in orphans
    assert {row["reason"] for row in orphans.values()} == {"unclaimed"}
    assert orphans[stranger]["instance"] == "nobody" and "instance" not in orphans[nameless]
    # Whoever declares one gets it.
    site.instance("nobody")
    site.reload()
    assert site.token("nobody") == site.platform.instance(stranger)["token"]
    assert set(site.orphans()) == {nameless}


# --- spread ---

def make_overdue(site, names):
    """As after a long sleep: all were verified longer ago than the interval."""
    document = site.document()
    for row in document["records"]:
        if row["name"] in names:
            row["verifiedUSec"] = 1
    site.records_file.write_text(json.dumps(document))


def gaps(rows):
    times = sorted(row["startedUSec"] for row in rows)
    return [later - earlier for earlier, later in zip(times, times[1:])]


@pytest.mark.timeout(90)
def test_overdue_verifications_take_turns(site):
    names = [f"n{i:03}" for i in range(100)]
    site.simple(*names, verify_interval_sec=10, parallel=50)
    site.start()
    for name in names:
        site.token(name, timeout=30)
    wait_until(lambda: all(row["state"] == "ready" for row in site.instances().values()), "all are ready", pause=0.1)
    site.daemon.stop()
    make_overdue(site, names)
    site.platform.forget_requests()
    site.start()
    rows = wait_until(lambda: len(verifications(site)) >= 60 and verifications(site), "they are verified", pause=0.1)
    # 10 s for 100 of them, at twice that rate: one in 50 ms. The loop may be late with one, and be quick with the next.
    assert min(sum(gaps(rows)[i:i + 10]) for i in range(len(gaps(rows)) - 10)) > 300_000, sorted(gaps(rows))
    assert site.platform.stats()["maxConcurrent"] <= 50


@pytest.mark.timeout(90)
def test_after_an_outage_requests_come_back_spread(site):
    """One probe for all; then creations up to the ceiling, and verifications in turn."""
    names = [f"n{i:02}" for i in range(30)]
    site.simple(*names, verify_interval_sec=10, parallel=4)
    port = site.platform.port
    site.platform.stop()
    site.start()
    wait_until(lambda: all(row["state"] == "waiting" for row in site.instances().values()), "all wait", pause=0.1)
    assert site.platform.port == port
    site.platform.start()
    for name in names:
        site.token(name, timeout=40)
    requests = site.platform.requests()
    assert requests[0]["method"] == "GET" and requests[0]["path"] == "/instances", "a look-up is the probe"
    assert requests[0]["finishedUSec"] <= requests[1]["startedUSec"], "and it is alone"
    assert site.platform.stats()["maxConcurrent"] <= 4
    assert len(site.platform.posts()) == 30
