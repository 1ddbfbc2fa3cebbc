"""Ways in which a daemon could be led to create an instance that is there, or is about to be there."""

import json

import pytest

from harness.gateway import Gateway
from harness.site import OWNER
from harness.wait import stays_true, wait_until

# In JSON and with a message, but not the platform's: there is no request id.
GATEWAYS_404 = {"action": "status", "status": 404, "body": '{"message": "no Route matched with those values"}'}

OTHER_ELEMENT = {"element": {"key": "sendgrid"}, "name": "one", "configuration": {"api.key": "any-key-will-do"}}


def is_the_only_one(site, name="one"):
    """One instance, created by one POST, and it is the one that is served."""
    token = site.token(name, timeout=30)
    assert [row["token"] for row in site.platform.instances()] == [token]
    assert len(site.platform.posts()) == 1


def provision(site):
    """One instance, as it should be; the daemon has ended."""
    site.simple("one")
    daemon = site.start()
    token = site.token("one")
    site.wait_for_state("one", "ready")
    daemon.stop()
    return token


def edit_document(site, edit):
    """Changes records.json by hand while no daemon runs."""
    document = site.document()
    edit(document)
    site.records_file.write_text(json.dumps(document))


def kill_during_a_post(site):
    """The platform goes on with it for about a second, for which nobody waits any more."""
    site.simple("one", request_timeout_sec=2)
    site.platform.settings(delayMs=1200)
    daemon = site.start()
    wait_until(site.platform.posts, "something is posted")
    daemon.kill()
    assert site.platform.instances() == []


# --- who says that it is not there ---

def test_a_gateways_404_does_not_make_an_instance_absent(site):
    """Neither for the instance itself nor for the list that is looked through next."""
    token = provision(site)
    edit_document(site, lambda document: document["records"][0].pop("verifiedUSec"))
    site.platform.fault(method="GET", path="/instances/*", count=-1, **GATEWAYS_404)
    site.platform.fault(method="GET", path="/instances", count=-1, **GATEWAYS_404)
    site.start()
    wait_until(lambda: "404" in (site.instances()["one"]["problem"] or ""), "the verification has failed")
    row = site.instances()["one"]
    assert row["state"] == "ready" and row["retryUSec"], row
    stays_true(lambda: len(site.platform.posts()) == 1, "nothing is created", 0.4)
    assert site.ask("one") == token
    site.platform.forget_faults()
    wait_until(lambda: not site.instances()["one"]["problem"], "it is verified after all")
    is_the_only_one(site)


def test_a_gateways_404_is_no_empty_list(site):
    token = provision(site)
    site.forget_state()
    site.platform.fault(method="GET", path="/instances", **GATEWAYS_404)
    site.start()
    assert "404" in site.wait_for_state("one", "waiting")["problem"]
    assert site.token("one") == token
    is_the_only_one(site)


def test_a_list_that_shows_no_tags_does_not_say_that_nothing_is_ours(site):
    token = provision(site)
    site.forget_state()
    [there] = site.platform.instances()
    row = {"id": there["id"], "token": token, "name": "one", "element": {"key": "anything"}}
    site.platform.fault("body", method="GET", path="/instances", text=json.dumps([row]))
    site.start()
    assert "tags" in site.wait_for_state("one", "waiting")["problem"]
    is_the_only_one(site)


def test_a_row_that_shows_no_token_is_waited_for(site):
    """It is there; whoever cannot use it tells, and looks again by itself."""
    token = provision(site)
    site.forget_state()
    site.platform.fault("omit-token", method="GET", path="/instances")
    daemon = site.start()
    row = site.wait_for_state("one", "waiting")
    assert "our tag" in row["problem"] and row["retryUSec"], row
    daemon.stop()
    site.start()
    assert site.token("one") == token
    is_the_only_one(site)


def test_a_row_that_two_pages_show_is_no_duplicate(site):
    """Rows move while pages are read. Nobody may be told to delete the only one."""
    provision(site)
    site.forget_state()
    rule = site.platform.fault("repeat-page", method="GET", path="/instances")
    daemon = site.start()
    is_the_only_one(site)
    assert [fault["applied"] for fault in site.platform.faults() if fault["id"] == rule] == [1]
    assert site.wait_for_state("one", "ready")["problem"] is None
    assert "left over" not in daemon.output()


# --- what a run finds that another one has left ---

def test_an_account_whose_url_is_spelt_differently_does_not_end_an_intent(site):
    kill_during_a_post(site)
    site.account(url=site.platform.url.replace("127.0.0.1", "localhost"))
    site.start()
    is_the_only_one(site)


def test_a_mistyped_url_does_not_lose_the_record(site):
    token = provision(site)
    site.account(url=site.platform.url.replace(f":{site.platform.port}/", ":9/"))
    daemon = site.start()
    site.wait_for_state("one", "waiting")
    assert site.ask("one") == "io.elementd.NotReady", "it is not of that platform"
    daemon.stop()
    assert site.record("one")["token"] == token
    site.account()
    site.platform.forget_requests()
    site.start()
    assert site.ask("one") == token
    assert site.platform.posts() == [] and len(site.platform.instances()) == 1


def damage_document(site):
    site.records_file.write_text("x")


def damage_record(site):
    edit_document(site, lambda document: document["records"][0].update(attempts=-1))


@pytest.mark.parametrize("end", ["kill", "stop"])
@pytest.mark.parametrize("damage", [damage_document, damage_record])
def test_records_that_are_damaged_during_a_post_and_two_runs_after_it(site, damage, end):
    """They may have held an intent. The first run ends before it has written anything, and its successor must not take
    itself for the first ever."""
    kill_during_a_post(site)
    damage(site)
    if end == "kill":
        site.start("fsync:delay=20s").kill()
    else:
        site.start().stop()
    site.start()
    is_the_only_one(site)


# --- what becomes of a POST ---

HTML = ("text/html", "<html><body>blocked</body></html>")
JSON = ("application/json", '{"message": "upstream connect error"}')

GIVES_UP = {
    "g403": (403, *HTML), "g404": (404, *HTML), "g405": (405, *HTML), "g413": (413, *HTML), "g429": (429, *HTML),
    "g500": (500, *HTML), "g502": (502, *HTML), "g503": (503, *HTML), "g504": (504, *HTML),
    "j404": (404, *JSON), "j503": (503, *JSON),
}


def test_a_gateway_that_gives_up_while_the_platform_goes_on(site):
    """Its word for a POST settles nothing, whatever it says: later than its first back-off, there it is."""
    site.simple(*GIVES_UP, request_timeout_sec=6)
    with Gateway(site.platform, GIVES_UP, late=3.5) as gateway:
        site.account(url=gateway.url)
        site.start()
        wait_until(lambda: not gateway.gives_up, "all are posted")
        tokens = {name: site.token(name, timeout=30) for name in GIVES_UP}
    assert {row["name"]: row["token"] for row in site.platform.instances()} == tokens
    assert len(site.platform.instances()) == len(site.platform.posts()) == len(GIVES_UP)


def test_a_platform_that_works_for_longer_than_request_timeout(site):
    """request-timeout-sec says how long we wait for an answer, and nothing about what the platform does meanwhile."""
    site.simple("one", request_timeout_sec=1)
    site.platform.settings(delayMs=3000)
    site.start(env={"ELEMENTD_TEST_WORK_SEC": "4"})
    is_the_only_one(site)


def test_a_put_off_that_may_have_been_none_is_not_hammered(site):
    """500 with Retry-After: it may have been carried out, and there is no point in coming earlier than told."""
    site.simple("one", request_timeout_sec=1)
    site.platform.fault("status", method="POST", status=500, retry_after="60", count=-1)
    site.start()
    assert "500" in site.wait_for_state("one", "waiting")["problem"]
    stays_true(lambda: len(site.platform.posts()) == 1, "it is posted once", 3)


# --- other elements ---

def test_an_element_that_was_changed_and_a_reply_that_was_lost(site):
    """Its successor is found; the one from before is neither taken for it nor a reason for a third one."""
    old = provision(site)
    site.instance("one", OTHER_ELEMENT)
    site.platform.fault("close", when="after", method="POST")
    daemon = site.start()
    wait_until(lambda: len(site.platform.instances()) == 2, "its successor is created")
    daemon.kill()
    site.start()
    token = site.token("one")
    assert token != old
    assert {row["element"]: row["token"] for row in site.platform.instances()} == {"anything": old, "sendgrid": token}
    assert len(site.platform.posts()) == 2


def test_one_with_our_tag_but_of_another_element_is_no_reason_to_create_one(site):
    """Nobody here knows why it is there: a person must look at it."""
    site.simple("one")
    site.platform.plant(element="sendgrid", name="one", tags=[f"elementd.{OWNER}", f"elementd.{OWNER}.one"])
    site.start()
    row = site.wait_for_state("one", "waiting")
    assert "another element" in row["problem"] and row["retryUSec"], row
    stays_true(lambda: not site.platform.posts(), "nothing is created", 0.4)
    assert not site.instances()["one"]["hasToken"]


# --- while it waits ---

def test_one_that_shows_while_its_creation_waits_in_line(site):
    """For a slot, behind that of another one; a look-up for a third one comes first."""
    site.simple("zero", parallel=1)
    site.start()
    site.token("zero")
    site.wait_for_state("zero", "ready")
    site.platform.fault("delay", method="POST", name="one", ms=700)
    site.instance("one")
    site.instance("two")
    site.reload()
    wait_until(lambda: len(site.platform.posts()) == 2, "one is being created")
    wait_until(lambda: site.record("two"), "two is about to be")
    tags = [f"elementd.{OWNER}", f"elementd.{OWNER}.two"]
    site.platform.plant(element="anything", name="two", tags=tags)
    site.instance("three")
    site.reload()
    for name in ("one", "two", "three"):
        site.token(name)
    assert site.ours().count(("two", "anything")) == 1


# --- owners ---

def test_another_owner_while_it_is_looked_up(site):
    """What the one before has not got, the one of now may have."""
    site.simple("zero")
    site.start()
    site.token("zero")
    [planted] = site.platform.plant(element="anything", name="one", tags=["elementd.other", "elementd.other.one"])
    site.platform.fault("delay", method="GET", path="/instances", ms=500)
    site.instance("one")
    site.reload()
    wait_until(lambda: any(fault["applied"] for fault in site.platform.faults()), "it is being looked up")
    site.settings(owner="other")
    site.reload()
    assert site.token("one") == site.platform.instance(planted)["token"]
    assert len(site.platform.posts()) == 1
