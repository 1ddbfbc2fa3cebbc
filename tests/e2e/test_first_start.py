"""The first start on a host: there are no records, so whatever is declared is looked up, while its file may still be read."""

import json

import pytest

from harness.site import OWNER
from harness.wait import stays_true, wait_until

READS_LATE = "@(open|openat|openat64):path=*instances.d/one.json:delay={}"

# By the thread that reads all of the configuration, which begins before the one that reads what instances have in common.
READS_LATER = "@(open|openat|openat64):path=*{}:count=1:delay=600ms"


def start_late(site, delay="1500ms", wait_for_look_up=True):
    """A host whose only instance file takes long to read."""
    daemon = site.start(READS_LATE.format(delay), wait=False)
    if wait_for_look_up:
        wait_until(lambda: site.platform.requests("GET"), "it has looked up")
        assert "has been loaded" not in daemon.output(), "while the file was read"
    return daemon


def test_it_looks_up_while_files_are_read(site):
    site.simple("one")
    start_late(site)
    site.token("one")
    assert [request["method"] for request in site.platform.requests()] == ["GET", "POST"]


def test_what_is_found_early_is_adopted(site):
    site.simple("one")
    [found] = site.platform.plant(element="anything", tags=[f"elementd.{OWNER}", f"elementd.{OWNER}.one"])
    site.platform.plant(element="anything", tags=[f"elementd.{OWNER}", f"elementd.{OWNER}.other"])
    start_late(site)
    assert site.token("one") == site.platform.instance(found)["token"]
    assert site.instances()["one"]["id"] == found
    assert not site.platform.posts()
    assert len(site.platform.requests("GET")) == 1
    assert [row["reason"] for row in site.orphans().values()] == ["unclaimed"]


def test_a_look_up_that_takes_longer_than_the_files_is_waited_for(site):
    site.simple("one")
    site.platform.fault("delay", method="GET", ms=3000)
    start_late(site)
    site.token("one")
    assert [request["method"] for request in site.platform.requests()] == ["GET", "POST"]


def test_pages_are_asked_for_early_too(site):
    site.simple("one", "two")
    for number in range(150):
        site.platform.plant(element="anything",
                            tags=[f"elementd.{OWNER}", f"elementd.{OWNER}.{'two' if number == 140 else f'gone{number}'}"])
    start_late(site)
    site.token("one")
    site.token("two")
    assert [json.loads(post["body"])["tags"][-1] for post in site.platform.posts()] == [f"elementd.{OWNER}.one"]


def start_with_late(site, file):
    """It has looked up by what `file` says, and reads that once more in a moment."""
    for _ in range(10):
        daemon = site.start(READS_LATER.format(file), wait=False)
        wait_until(lambda: site.platform.requests("GET"), "it has looked up")
        if "has been loaded" not in daemon.output():
            return daemon
        daemon.stop()  # what was late was the other thread, which reads that file alone
        site.forget_state()
        site.platform.forget_requests()
    raise AssertionError("the thread that reads all of the configuration was never the first")


def test_another_account_than_was_read_first_is_looked_up_anew(site):
    """What the first platform has is not what this one has."""
    site.simple("one")
    other = site.start_platform()
    site.platform.plant(element="anything", tags=[f"elementd.{OWNER}", f"elementd.{OWNER}.one"])
    daemon = start_with_late(site, "accounts.d/default.json")
    site.account(url=other.url, user=other.user, organization=other.organization)
    site.wait_for_socket(daemon)
    site.token("one")
    assert [request["method"] for request in other.requests()] == ["GET", "POST"]
    assert not site.platform.posts()


def test_another_owner_than_was_read_first_is_looked_up_anew(site):
    site.simple("one")
    site.platform.plant(element="anything", tags=[f"elementd.{OWNER}", f"elementd.{OWNER}.one"])
    daemon = start_with_late(site, "/elementd.json")
    site.settings(owner="another")
    site.wait_for_socket(daemon)
    site.token("one")
    [post] = site.platform.posts()
    assert json.loads(post["body"])["tags"] == ["elementd.another", "elementd.another.one"]
    assert len(site.platform.requests("GET")) == 2


def test_what_was_found_long_ago_is_looked_up_anew(site):
    """Reading took six seconds, in which the platform's instance has gone."""
    site.simple("one")
    [gone] = site.platform.plant(element="anything", tags=[f"elementd.{OWNER}", f"elementd.{OWNER}.one"])
    daemon = start_late(site, "6s")
    site.platform.remove(gone)
    site.wait_for_socket(daemon)
    site.token("one")
    assert [request["method"] for request in site.platform.requests()] == ["GET", "GET", "POST"]


def test_a_failure_is_told_once_and_not_asked_for_again(site):
    site.simple("one")
    site.platform.fault("status", method="GET", status=503, retry_after="3600", count=-1)
    daemon = start_late(site)
    site.wait_for_socket(daemon)
    row = site.instances()["one"]
    assert row["state"] == "waiting" and "503" in row["problem"], row
    assert daemon.output().count("account default: ") == 1
    assert not site.platform.posts()
    assert len(site.platform.requests("GET")) == 1
    site.platform.forget_faults()
    with site.connect() as varlink:
        varlink.call("Retry", instance="one")
    site.token("one")


def test_a_failure_is_forgotten_where_nobody_needs_the_account(site):
    """Nobody would ever try again."""
    site.simple("one")
    site.write("instances.d/one.json", "{")
    site.platform.fault("status", method="GET", status=503, retry_after="3600")
    daemon = start_late(site)
    site.wait_for_socket(daemon)
    site.undeclare("one")
    site.instance("two")
    site.reload()
    site.token("two")


def with_records(site):
    daemon = site.start()
    site.token("one")
    daemon.stop()
    site.platform.forget_requests()
    site.instance("two")


ELSEWHERE = {
    "two accounts": lambda site: site.account("other"),
    "a broken account": lambda site: site.write("accounts.d/default.json", "{"),
    "no owner": lambda site: site.settings(owner="not \"fit\""),
    "records": with_records,
}


@pytest.mark.parametrize("prepare", ELSEWHERE.values(), ids=ELSEWHERE.keys())
def test_it_waits_for_the_files_where_it_cannot_know_better(site, prepare):
    site.simple("one")
    prepare(site)
    daemon = site.start(READS_LATE.format("900ms"), wait=False)
    stays_true(lambda: not site.platform.requests(), "nothing is asked", 0.5)
    assert "has been loaded" not in daemon.output()
    site.wait_for_socket(daemon)


def test_without_files_nothing_is_asked(site):
    site.simple("one")
    site.undeclare("one")
    site.start()
    stays_true(lambda: not site.platform.requests(), "nothing is asked", 0.3)


def test_sigterm_while_files_are_read_ends_the_early_look_up(site):
    site.simple("one")
    site.platform.fault("hang", method="GET")
    daemon = start_late(site, "1500ms")
    daemon.stop()
    assert not site.platform.posts()
    site.platform.forget_faults()
    site.start()
    site.token("one")
    assert len(site.platform.posts()) == 1
