"""A token is of one instance on one platform: it is not given out for another one that happens to have its name."""

import json

import pytest

from harness.site import OWNER
from harness.wait import stays_true, wait_until


def start_slowly(site):
    """A daemon whose platform takes its time, and what it serves meanwhile is what it has on disk."""
    site.platform.fault("delay", method="GET", path="/instances", ms=600)
    daemon = site.start()
    wait_until(lambda: site.instances()["one"]["state"] == "lookingUp", "it is being looked up")
    return daemon


def provision(site):
    site.simple("one")
    daemon = site.start()
    token = site.token("one")
    site.wait_for_state("one", "ready")
    daemon.stop()
    return token


def test_the_token_of_another_account_is_not_served(site):
    old = provision(site)
    user, organization = site.secrets.new("the other user secret"), site.secrets.new("the other organization secret")
    site.platform.settings(addAccount={"user": user, "organization": organization})
    site.account("other", user=user, organization=organization)
    site.instance("one", account="other")
    start_slowly(site)
    assert site.ask("one") == "io.elementd.NotReady"
    assert not site.instances()["one"]["hasToken"]
    token = site.token("one")
    assert {row["user"]: row["token"] for row in site.platform.instances()} == {site.user: old, user: token}


def test_the_token_of_another_element_is_not_served(site):
    old = provision(site)
    site.instance("one", {"element": {"key": "sendgrid"}, "name": "one", "configuration": {"api.key": "any-key-will-do"}})
    start_slowly(site)
    assert site.ask("one") == "io.elementd.NotReady"
    assert not site.instances()["one"]["hasToken"]
    token = site.token("one")
    assert {row["element"]: row["token"] for row in site.platform.instances()} == {"anything": old, "sendgrid": token}


def test_what_was_changed_back_is_served_at_once(site):
    """Nothing was created meanwhile, so the record is as good as before."""
    old = provision(site)
    site.instance("one", {"element": {"key": "sendgrid"}, "name": "one", "configuration": {"api.key": "any-key-will-do"}})
    start_slowly(site).kill()
    site.instance("one")
    site.start()
    assert site.ask("one") == old
    assert len(site.platform.posts()) == 1


@pytest.mark.parametrize("answer", ["tag", "id"])
def test_an_answer_about_another_instance_is_not_taken_over(site, answer):
    """A platform, or a cache before it, may mix them up."""
    token = provision(site)
    [there] = site.platform.instances()
    document = site.document()
    document["records"][0].pop("verifiedUSec")
    site.records_file.write_text(json.dumps(document))
    others = {"id": there["id"], "token": site.tokens.new("a token of somebody else"), "element": {"key": "anything"},
              "tags": [f"elementd.{OWNER}", f"elementd.{OWNER}.one"]}
    others |= {"tag": {"tags": [f"elementd.{OWNER}", f"elementd.{OWNER}.two"]}, "id": {"id": there["id"] + 1}}[answer]
    site.platform.fault("body", method="GET", path="/instances/*", text=json.dumps(others), count=-1)
    site.start()
    wait_until(lambda: "another instance" in (site.instances()["one"]["problem"] or ""), "the answer was looked at")
    assert site.ask("one") == token and site.record("one")["token"] == token
    site.platform.forget_faults()
    wait_until(lambda: not site.instances()["one"]["problem"], "it is verified after all")
    assert site.ask("one") == token and len(site.platform.posts()) == 1


def test_a_creation_that_was_answered_with_the_id_of_another_instance(site):
    """Seen when its broken answer is confirmed: the token that was created stays, the other one's is never served."""
    site.simple("one")
    [other] = site.platform.plant(element="anything", name="two", tags=[f"elementd.{OWNER}", f"elementd.{OWNER}.two"])
    site.platform.fault("id", method="POST", path="/instances", raw=str(other))
    site.platform.fault("broken-json", method="POST", path="/instances")
    site.start()
    wait_until(lambda: "another instance" in (site.instances()["one"]["problem"] or ""), "the confirmation was looked at")
    foreign = site.platform.instance(other)["token"]
    stays_true(lambda: site.ask("one") != foreign, "it is not served as one's", 0.3)
    assert site.record("one").get("token") != foreign
    assert len(site.platform.posts()) == 1
