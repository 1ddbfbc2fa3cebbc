"""Reload: all of the configuration or nothing, and what each kind of change does on the platform."""

import json
import os
import signal

import pytest

from harness.notify import NotifyListener
from harness.site import CTL_OK, OWNER
from harness.varlink import VarlinkError
from harness.wait import stays_true, wait_until

NOTHING = {"added": [], "changed": [], "removed": []}


def ready(site, *names):
    """Tokens of all of them, once the daemon has nothing left to do for them."""
    names = names or ("one",)
    tokens = {name: site.token(name) for name in names}
    for name in names:
        site.wait_for_state(name, "ready")
    return tokens if len(names) > 1 else tokens[names[0]]


def body(name="one", **more):
    return {"element": {"key": "anything"}, "name": name, "configuration": {"key": "value"}} | more


def writes(site, after=0):
    """What the platform was told since, without what it was asked."""
    return [(row["method"], row["path"]) for row in site.platform.requests(after=after) if row["method"] != "GET"]


def last_number(site):
    return max((row["number"] for row in site.platform.requests()), default=0)


def refused(site):
    with pytest.raises(VarlinkError) as caught:
        site.reload()
    assert caught.value.name == "io.elementd.InvalidConfiguration"
    return caught.value.parameters["problems"]


# --- all or nothing ---

def test_nothing_has_changed(site):
    site.simple("one")
    site.start()
    ready(site)
    before = last_number(site)
    assert [site.reload() for _ in range(3)] == [NOTHING] * 3
    stays_true(lambda: last_number(site) == before, "nothing is asked of the platform", 0.3)


def test_lists(site):
    site.simple("same", "changed", "removed", "broken-by-and-by")
    site.start()
    ready(site, "same", "changed", "removed")
    site.instance("added-b")
    site.instance("added-a")
    site.instance("changed", body("other name"))
    site.undeclare("removed")
    assert site.reload() == {"added": ["added-a", "added-b"], "changed": ["changed"], "removed": ["removed"]}
    assert set(site.instances()) == {"same", "changed", "broken-by-and-by", "added-a", "added-b"}
    assert site.ask("removed") == "io.elementd.NoSuchInstance"
    assert site.token("added-a")


def test_one_problem_and_nothing_is_applied(site):
    site.simple("one", "two")
    daemon = site.start()
    tokens = ready(site, "one", "two")
    before = last_number(site)
    site.instance("three")
    site.undeclare("two")
    site.instance("one", body("another name"))
    site.write("instances.d/four.json", '{"element": {"key": "anything"},\n "elementd": {"alow": []}}')
    site.write("instances.d/five.json", "{")
    site.write("accounts.d/other.json", '{"url": 5}')
    problems = refused(site)
    files = [os.path.basename(problem["file"]) for problem in problems]
    assert set(files) == {"four.json", "five.json", "other.json"}
    assert all(problem["line"] > 0 and problem["column"] > 0 and problem["message"] for problem in problems)
    assert {name: site.ask(name) for name in tokens} == tokens
    assert set(site.instances()) == {"one", "two"}
    assert last_number(site) == before
    assert "was not applied" in daemon.output()
    # Mended, it is applied as a whole.
    for path in ("instances.d/four.json", "instances.d/five.json", "accounts.d/other.json"):
        (site.etc / path).unlink()
    assert site.reload() == {"added": ["three"], "changed": ["one"], "removed": ["two"]}


def test_a_warning_is_no_problem(site):
    site.simple("one")
    site.start()
    ready(site)
    site.write("instances.d/one.json", body(configuration={"password": site.secrets.new("a world-readable password")}), 0o644)
    assert site.reload()["changed"] == ["one"]


def test_a_hangup_does_the_same(site):
    site.simple("one")
    daemon = site.start()
    ready(site)
    site.instance("two")
    os.kill(daemon.pid, signal.SIGHUP)
    wait_until(lambda: "two" in site.instances(), "the new one is there")
    site.write("instances.d/three.json", "{")
    os.kill(daemon.pid, signal.SIGHUP)
    daemon.wait_for_log("was not applied")
    assert "three.json:1:2" in daemon.output()
    assert set(site.instances()) == {"one", "two"}


def test_the_service_manager_is_told_in_pairs(site):
    site.simple("one")
    listener = NotifyListener(site.directory)
    daemon = site.start(env={"NOTIFY_SOCKET": str(listener.path)})
    listener.wait_for("READY=1")
    ready(site)
    site.reload()
    site.write("instances.d/two.json", "{")
    refused(site)
    os.kill(daemon.pid, signal.SIGHUP)
    os.kill(daemon.pid, signal.SIGHUP)
    wait_until(lambda: len(listener.lines("RELOADING=1")) >= 3 and
               len(listener.lines("READY=1")) == len(listener.lines("RELOADING=1")) + 1, "they come in pairs")
    words = [line for message in listener.poll() for line in message if line in ("READY=1", "RELOADING=1")]
    assert words == ["READY=1"] + ["RELOADING=1", "READY=1"] * (len(words) // 2)
    listener.close()


def test_only_root_reloads(site):
    if os.geteuid() != 0:
        pytest.skip("needs root, to be somebody else")
    site.simple("one")
    site.start()
    with site.connect_as(12345, 12345) as other:
        with pytest.raises(VarlinkError, match="PermissionDenied"):
            other.call("Reload")


def test_elementctl_tells_what_came_of_it(site):
    site.simple("one")
    site.start()
    site.instance("two")
    done = site.ctl("reload")
    assert done.returncode == CTL_OK and "two" in done.stdout
    site.write("instances.d/three.json", "{")
    done = site.ctl("reload")
    assert done.returncode == 1 and "three.json:1:2: " in done.stderr, done.stderr


def test_names_that_hang_disturb_nobody(site):
    """The name service is asked on a thread; meanwhile everything goes on, and another reload waits for its turn."""
    site.simple("one")
    listener = NotifyListener(site.directory)
    site.start("@(open|openat|openat64):path=*instances.d/slow.json:delay=700ms",
               env={"NOTIFY_SOCKET": str(listener.path)})
    token = ready(site)
    site.instance("slow")
    first, second = site.connect(), site.connect()
    first.send("io.elementd.Reload")
    listener.wait_for("RELOADING=1")
    second.send("io.elementd.Reload")
    for _ in range(50):
        assert site.ask("one") == token
    assert first.receive()["added"] == ["slow"]
    assert second.receive() == NOTHING
    listener.close()


# --- what a change does on the platform ---

def test_name_and_tags_are_patched(site):
    site.simple()
    site.instance("one", body(tags=["production"]))
    site.start()
    token = ready(site)
    before = last_number(site)
    site.instance("one", body("another name", tags=["staging", "second"]))
    assert site.reload()["changed"] == ["one"]
    wait_until(lambda: site.platform.instances()[0]["name"] == "another name", "it is renamed")
    [there] = site.platform.instances()
    assert sorted(there["tags"]) == sorted(["staging", "second", f"elementd.{OWNER}", f"elementd.{OWNER}.one"])
    assert writes(site, before) == [("PATCH", f"/instances/{there['id']}")]
    assert site.ask("one") == token == there["token"]
    # It is known to be done, also to the next run.
    site.wait_for_state("one", "ready")
    assert site.reload() == NOTHING
    site.daemon.stop()
    site.start()
    stays_true(lambda: len(writes(site, before)) == 1, "nothing is sent twice", 0.3)


def test_configuration_is_put_with_its_real_values(site):
    site.simple()
    old, new = site.secrets.new("the old password"), site.secrets.new("the new password")
    site.instance("one", body(configuration={"password": old, "number": 1.50}))
    site.start()
    token = ready(site)
    before = last_number(site)
    site.instance("one", body(configuration={"password": new, "number": 1.50}))
    site.reload()
    [there] = wait_until(lambda: [row for row in site.platform.instances() if row["configuration"]["password"] == new],
                         "the new password is there")
    assert writes(site, before) == [("PUT", f"/instances/{there['id']}")]
    assert f"elementd.{OWNER}.one" in there["tags"]
    assert "Element" not in site.platform.requests("PUT")[0]["headers"]["authorization"]
    assert site.ask("one") == token


def test_a_referenced_secret_that_has_changed_is_put(site):
    site.simple()
    file = site.directory / "password"
    file.write_text(site.secrets.new("the first password") + "\n")
    file.chmod(0o600)
    site.instance("one", body(configuration={"password": f"${{file:{file}}}"}))
    site.start()
    ready(site)
    new = site.secrets.new("the second password")
    file.write_text(new + "\n")
    assert site.reload()["changed"] == ["one"]
    wait_until(lambda: site.platform.instances()[0]["configuration"]["password"] == new, "the new password is there")


def test_what_changed_while_nobody_looked_is_put_at_the_start(site):
    site.simple()
    site.instance("one", body())
    site.start()
    token = ready(site)
    site.daemon.stop()
    site.instance("one", body(configuration={"key": "another"}))
    site.start()
    assert site.ask("one") == token
    wait_until(lambda: site.platform.instances()[0]["configuration"]["key"] == "another", "the change is there")
    assert len(site.platform.instances()) == 1 and site.ask("one") == token


def test_a_changed_token_in_the_answer_is_taken_over(site):
    site.simple()
    site.instance("one", body())
    site.start()
    ready(site)
    [there] = site.platform.instances()
    site.platform.call("POST", f"/instances/{there['id']}/token", {})
    site.instance("one", body(configuration={"key": "another"}))
    site.reload()
    new = site.platform.instances()[0]["token"]
    wait_until(lambda: site.ask("one") == new, "the new token is served")
    assert site.record("one")["token"] == new


def test_a_refused_change_leaves_all_as_it_is(site):
    site.simple()
    site.instance("one", body())
    site.start()
    token = ready(site)
    site.instance("one", body(configuration={"key": "refused-by-vendor"}))
    site.reload()
    row = site.wait_for_state("one", "failed")
    assert "HTTP 400" in row["problem"] and row["hasToken"]
    assert site.ask("one") == token
    before = last_number(site)
    stays_true(lambda: writes(site, before) == [], "it is not tried again by itself", 0.3)
    # By hand it is, and once more after a change of labels alone, since nobody knows what was taken of it.
    assert site.ctl("retry", "one").returncode == CTL_OK
    wait_until(lambda: [method for method, _ in writes(site, before)] == ["PUT"], "it is tried again")
    site.wait_for_state("one", "failed")
    site.instance("one", body("renamed", configuration={"key": "refused-by-vendor"}))
    site.reload()
    wait_until(lambda: [row["status"] for row in site.platform.requests("P*", after=before)] == [400, 400],
               "it is tried with the name")
    site.wait_for_state("one", "failed")
    site.instance("one", body(configuration={"key": "accepted"}))
    site.reload()
    wait_until(lambda: site.platform.instances()[0]["configuration"]["key"] == "accepted", "it is accepted")
    site.wait_for_state("one", "ready")
    assert site.ask("one") == token


def test_another_element_is_created_and_the_old_one_kept(site):
    site.simple()
    site.start()
    old = ready(site)
    [before] = site.platform.instances()
    site.instance("one", {"element": {"key": "sendgrid"}, "name": "one", "configuration": {"api.key": "any-key-will-do"}})
    assert site.reload()["changed"] == ["one"]
    token = site.token("one")
    assert token != old
    assert site.ours() == [("one", "anything"), ("one", "sendgrid")]
    [orphan] = site.orphans().values()
    assert (orphan["id"], orphan["reason"], orphan["isDeleting"]) == (before["id"], "replaced", False)
    # It is known to the next run, too.
    site.wait_for_state("one", "ready")
    site.daemon.kill()
    site.start()
    assert list(site.orphans()) == [before["id"]] and site.ask("one") == token


def test_another_element_is_created_and_the_old_one_deleted(site):
    site.simple()
    site.instance("one", on_remove="delete")
    site.start()
    old = ready(site)
    body_of_new = {"element": {"key": "sendgrid"}, "name": "one", "configuration": {"api.key": "any-key-will-do"}}
    site.platform.fault("delay", method="POST", ms=400)
    site.instance("one", body_of_new, on_remove="delete")
    site.reload()
    wait_until(lambda: len(site.platform.posts()) == 2, "the new one is being created")
    assert site.ours() == [("one", "anything")], "the old one stays until the new one is there"
    assert site.token("one") != old
    wait_until(lambda: site.ours() == [("one", "sendgrid")], "the old one is deleted")
    wait_until(lambda: site.orphans() == {}, "nothing is left over")


def test_changed_back_before_the_new_one_could_be_created(site):
    site.simple()
    original = body()
    site.instance("one", original, on_remove="delete")
    site.start()
    token = ready(site)
    site.instance("one", {"element": {"key": "sendgrid"}, "name": "one", "configuration": {}}, on_remove="delete")
    site.reload()
    site.wait_for_state("one", "failed")
    site.instance("one", original, on_remove="delete")
    site.reload()
    assert site.token("one") == token
    assert site.orphans() == {} and site.ours() == [("one", "anything")]


def test_what_was_left_there_is_not_deleted_later(site):
    """It was replaced while its file said "keep"; that the file says "delete" since then is about its successor."""
    site.simple()
    site.instance("one", body())
    site.start()
    ready(site)
    other = {"element": {"key": "sendgrid"}, "name": "one", "configuration": {"api.key": "any-key-will-do"}}
    site.instance("one", other)
    site.reload()
    token = ready(site)
    site.instance("one", other, on_remove="delete")
    site.reload()
    # Its successor has to be created once more.
    [successor] = [row["id"] for row in site.platform.instances() if row["element"] == "sendgrid"]
    site.platform.remove(successor)
    site.connect().call("ReportRejected", instance="one", token=token)
    wait_until(lambda: site.ours() == [("one", "anything"), ("one", "sendgrid")], "it is created again")
    ready(site)
    stays_true(lambda: site.platform.requests("DELETE") == [], "nothing is deleted", 0.3)
    assert [row["isDeleting"] for row in site.orphans().values()] == [False]


@pytest.mark.parametrize("removal", ["keep", "delete"])
def test_changed_back_while_the_new_one_was_being_created(site, removal):
    site.simple()
    site.instance("one", body(), on_remove="delete")
    site.start()
    token = ready(site)
    site.platform.fault("delay", method="POST", ms=500)
    other = {"element": {"key": "sendgrid"}, "name": "one", "configuration": {"api.key": "any-key-will-do"}}
    site.instance("one", other, on_remove="delete")
    site.reload()
    wait_until(lambda: len(site.platform.posts()) == 2, "the new one is being created")
    site.instance("one", body(), on_remove=removal)
    site.reload()
    wait_until(lambda: site.ask("one") == token, "the old one is taken over")
    left = [("one", "anything")] + [("one", "sendgrid")] * (removal == "keep")
    wait_until(lambda: site.ours() == left, "the new one goes, if anything")
    assert site.ask("one") == token and len(site.platform.posts()) == 2


# --- removal ---

def test_removed_and_kept(site):
    site.simple("one", "two")
    site.start()
    tokens = ready(site, "one", "two")
    [one] = [row["id"] for row in site.platform.instances() if row["name"] == "one"]
    site.undeclare("one")
    assert site.reload()["removed"] == ["one"]
    assert site.ask("one") == "io.elementd.NoSuchInstance" and site.ask("two") == tokens["two"]
    orphan = site.orphans()[one]
    assert (orphan["reason"], orphan["isDeleting"], orphan["instance"]) == ("removed", False, "one")
    wait_until(lambda: site.record("one") is None, "its token is forgotten")
    assert str(one) in site.ctl("orphans").stdout
    assert len(site.platform.instances()) == 2
    # Declared again, it is taken over, and created no second time.
    site.instance("one")
    assert site.reload()["added"] == ["one"]
    assert site.token("one") == tokens["one"]
    assert site.orphans() == {} and len(site.platform.posts()) == 2


def test_removed_and_kept_and_declared_again_with_another_element(site):
    """Why the one from before is there is known: it is neither taken nor a reason to wait for a person."""
    site.simple("two")
    site.instance("one")
    site.start()
    ready(site, "one", "two")
    site.undeclare("one")
    site.reload()
    wait_until(lambda: site.record("one") is None, "its token is forgotten")
    other = {"element": {"key": "sendgrid"}, "name": "one", "configuration": {"api.key": "any-key-will-do"}}
    site.instance("one", other, on_remove="delete")
    site.reload()
    assert site.token("one")
    assert site.ours() == [("one", "anything"), ("one", "sendgrid"), ("two", "anything")]
    assert [row["reason"] for row in site.orphans().values()] == ["removed"]


def test_removed_and_deleted(site):
    site.simple("two")
    site.instance("one", on_remove="delete")
    site.start()
    tokens = ready(site, "one", "two")
    site.undeclare("one")
    site.reload()
    wait_until(lambda: site.ours() == [("two", "anything")], "it is deleted on the platform")
    wait_until(lambda: site.orphans() == {}, "nothing is left over")
    assert site.ask("two") == tokens["two"]


@pytest.mark.parametrize("how", ["removed", "empty", "null"])
def test_masked_while_nobody_looked(site, how):
    """What is to happen then is in the record alone."""
    site.simple("two")
    site.instance("one", on_remove="delete")
    site.start()
    ready(site, "one", "two")
    site.daemon.stop()
    file = site.etc / "instances.d/one.json"
    file.unlink()
    if how == "empty":
        site.write("instances.d/one.json", "")
    elif how == "null":
        file.symlink_to("/dev/null")
    site.start()
    wait_until(lambda: site.ours() == [("two", "anything")], "it is deleted on the platform")
    wait_until(lambda: site.orphans() == {} and site.record("one") is None, "nothing is left over")


def test_on_remove_alone_was_changed(site):
    """By a reload, and nothing was sent for it; the file goes while nobody looks."""
    site.simple("two")
    site.instance("one", body(), on_remove="delete")
    site.start()
    ready(site, "one", "two")
    before = last_number(site)
    site.instance("one", body(), on_remove="keep")
    assert site.reload()["changed"] == ["one"]
    wait_until(lambda: not site.record("one").get("doomed"), "it is noted")
    site.daemon.kill()
    site.undeclare("one")
    site.start()
    wait_until(lambda: len(site.orphans()) == 1, "it is an orphan")
    assert writes(site, before) == [] and len(site.platform.instances()) == 2


def test_the_last_word_of_a_file_is_keep(site):
    """It came with another element, which could not be looked up before the file went."""
    site.simple("two")
    site.instance("one", body(), on_remove="delete")
    site.start()
    ready(site, "one", "two")
    site.platform.fault("status", method="GET", path="/instances", status=503, count=-1)
    other = {"element": {"key": "sendgrid"}, "name": "one", "configuration": {"api.key": "any-key-will-do"}}
    site.instance("one", other, on_remove="keep")
    site.reload()
    site.wait_for_state("one", "waiting")
    site.undeclare("one")
    site.reload()
    wait_until(lambda: site.record("one") is None, "it is forgotten")
    site.platform.forget_faults()
    stays_true(lambda: site.platform.requests("DELETE") == [], "nothing is deleted", 0.5)
    assert [row["isDeleting"] for row in site.orphans().values()] == [False]


@pytest.mark.parametrize("damage", ["folder", "unreadable", "tree"])
def test_a_configuration_that_is_not_there_removes_nothing(site, damage):
    """As when /etc is not what it should be at the start: nothing is deleted, nothing is forgotten."""
    site.simple("two")
    site.instance("one", on_remove="delete")
    site.start()
    tokens = ready(site, "one", "two")
    site.daemon.stop()
    before = last_number(site)
    instances, away = site.etc / "instances.d", site.directory / "away"
    instances.rename(away)
    if damage == "unreadable":
        instances.write_text("no folder")
    elif damage == "tree":
        site.etc.rename(site.directory / "etc-away")
    site.start()
    assert site.ask("one") == "io.elementd.NoSuchInstance"
    stays_true(lambda: writes(site, before) == [] and site.record("one")["token"] == tokens["one"], "nothing happens", 0.3)
    assert site.orphans() == {}
    if damage == "tree":
        (site.directory / "etc-away").rename(site.etc)
    elif damage == "unreadable":
        instances.unlink()
    away.rename(instances)
    assert set(site.reload()["added"]) == {"one", "two"}
    assert {name: site.ask(name) for name in tokens} == tokens and writes(site, before) == []


def test_a_removal_that_the_platform_does_not_take_now(site):
    """Tried again, also by the next run; and in the end it is gone."""
    site.simple("two")
    site.instance("one", on_remove="delete")
    site.start()
    ready(site, "one", "two")
    site.platform.fault("status", method="DELETE", status=503, count=-1)
    site.undeclare("one")
    site.reload()
    wait_until(lambda: site.platform.requests("DELETE"), "it is tried")
    [orphan] = wait_until(lambda: [row for row in site.orphans().values() if row.get("problem")], "its problem is told")
    assert orphan["isDeleting"] and "503" in orphan["problem"]
    site.daemon.kill()
    site.platform.forget_faults()
    site.start()
    wait_until(lambda: site.ours() == [("two", "anything")] and site.orphans() == {}, "it is deleted")


def test_a_removal_that_is_refused_is_left_to_a_person(site):
    site.simple("two")
    site.instance("one", on_remove="delete")
    site.start()
    ready(site, "one", "two")
    site.platform.fault("status", method="DELETE", status=403, message="you may not")
    site.undeclare("one")
    site.reload()
    [orphan] = wait_until(lambda: [row for row in site.orphans().values() if row.get("problem")], "its problem is told")
    assert not orphan["isDeleting"] and "you may not" in orphan["problem"]
    assert len(site.platform.requests("DELETE")) == 1
    # Whoever deletes it there ends the matter, with the next look-up.
    site.platform.remove(orphan["id"])
    site.instance("three")
    site.reload()
    site.token("three")
    assert site.orphans() == {}


def test_removed_while_its_creation_is_under_way(site):
    site.simple("two")
    site.start()
    ready(site, "two")
    site.platform.settings(delayMs=400)
    site.instance("one", on_remove="delete")
    site.reload()
    wait_until(lambda: len(site.platform.posts()) == 2, "it is being created")
    site.undeclare("one")
    site.reload()
    wait_until(lambda: [row["status"] for row in site.platform.posts()] == [200, 200], "it is created all the same")
    wait_until(lambda: site.ours() == [("two", "anything")] and site.orphans() == {}, "and deleted again")
    assert site.record("one") is None


def test_creations_that_are_taken_back_leave_their_room_to_others(site):
    """Their files go while they wait in line."""
    site.simple("zero", parallel=1)
    site.start()
    ready(site, "zero")
    site.platform.fault("delay", method="PUT", ms=500)
    site.instance("zero", body("another name"))
    for name in ("one", "two"):
        site.instance(name)
    site.reload()
    wait_until(lambda: site.record("one") and site.record("two"), "both are about to be created")
    for name in ("one", "two"):
        site.undeclare(name)
    site.instance("three")
    site.reload()
    assert site.token("three")
    assert site.ours() == [("three", "anything"), ("zero", "anything")]


@pytest.mark.parametrize("removal", ["keep", "delete"])
def test_removed_while_nobody_knows_what_became_of_its_creation(site, removal):
    site.simple("two")
    site.start(env={"ELEMENTD_TEST_WORK_SEC": "1"})
    ready(site, "two")
    site.platform.fault("late-commit", method="POST", ms=500)
    site.settings(request_timeout_sec=1)
    site.instance("one", on_remove=removal)
    site.reload()
    wait_until(lambda: [row["outcome"] for row in site.platform.posts()][1:] == ["late-commit"], "its answer is lost")
    wait_until(lambda: site.instances()["one"]["state"] != "creating", "that is known")
    site.undeclare("one")
    site.reload()
    if removal == "delete":
        wait_until(lambda: len(site.platform.requests("DELETE")) == 1, "it is found and deleted")
        wait_until(lambda: site.ours() == [("two", "anything")] and site.orphans() == {}, "nothing is left over")
    else:
        wait_until(lambda: [row["reason"] for row in site.orphans().values()] == ["removed"], "it is found and kept", pause=0.2)
    assert len(site.platform.posts()) == 2 and site.record("one") is None


def test_removed_while_something_else_has_its_tag(site):
    """What became of its creation is not known; what is there is of another element, and none of its making."""
    site.simple("two")
    site.start(env={"ELEMENTD_TEST_WORK_SEC": "1"})
    ready(site, "two")
    site.platform.fault("reset", method="POST")
    site.instance("one", on_remove="delete")
    site.reload()
    wait_until(lambda: len(site.platform.posts()) == 2, "its creation is lost")
    site.platform.plant(element="sendgrid", name="one", tags=[f"elementd.{OWNER}", f"elementd.{OWNER}.one"])
    site.undeclare("one")
    site.reload()
    wait_until(lambda: site.record("one") is None, "it is forgotten")
    stays_true(lambda: site.platform.requests("DELETE") == [], "nothing is deleted", 0.5)


def test_too_many_orphans_are_told(site):
    """Without a note of it, nothing is forgotten, and nothing created in its place."""
    site.simple("one", "two")
    site.start()
    ready(site, "one", "two")
    site.daemon.stop()
    document = site.document()
    document["orphans"] = [{"id": 10 ** 6 + i, "account": "gone", "url": site.platform.url, "element": "anything",
                            "orphan": "removed", "sinceUSec": 1} for i in range(16384)]
    site.records_file.write_text(json.dumps(document))
    daemon = site.start()
    site.instance("one", {"element": {"key": "sendgrid"}, "name": "one", "configuration": {"api.key": "any-key-will-do"}})
    site.undeclare("two")
    site.reload()
    wait_until(lambda: "too many orphans" in (site.instances()["one"]["problem"] or ""), "it is told to clients")

    def complaints():
        return [line for line in daemon.output().splitlines() if "too many orphans" in line and "debug: " not in line]

    wait_until(lambda: len(complaints()) == 2, "and in the log")
    stays_true(lambda: len(complaints()) == 2, "once for each", 1.5)
    assert site.record("two") and len(site.platform.posts()) == 2


# --- accounts ---

def test_new_secrets_take_effect(site):
    site.simple("one")
    daemon = site.start()
    token = ready(site)
    user, organization = site.secrets.new("the new user secret"), site.secrets.new("the new organization secret")
    site.platform.settings(changeAccount={"user": site.user, "organization": site.organization,
                                          "newUser": user, "newOrganization": organization})
    site.instance("two")
    site.reload()
    wait_until(lambda: site.instances()["two"]["state"] == "waiting", "the old secrets are refused")
    daemon.wait_for_log("account default: ")
    assert site.ask("one") == token
    site.account(user=user, organization=organization)
    assert set(site.reload()["changed"]) == {"one", "two"}
    # At once, whatever the pause of the old ones was.
    assert site.token("two", timeout=5) and site.ask("one") == token
    assert len(site.platform.instances()) == 2


def test_revoked_secrets_stop_all_changes_and_are_told_once(site):
    site.simple("one", "two", verify_interval_sec=60)
    daemon = site.start()
    tokens = ready(site, "one", "two")
    site.platform.settings(revokeAccount={"user": site.user, "organization": site.organization})
    before = last_number(site)
    site.instance("one", body("renamed"))
    site.instance("three")
    site.reload()
    daemon.wait_for_log("account default: ")
    wait_until(lambda: len(site.platform.requests(after=before)) >= 3, "it is probed now and then")
    assert all(row["method"] == "GET" or row["status"] == 401 for row in site.platform.requests(after=before))
    assert len(site.platform.instances()) == 2 and not [row for row in site.platform.instances() if row["name"] == "renamed"]
    assert {name: site.ask(name) for name in tokens} == tokens
    told = [line for line in daemon.output().splitlines() if "account default: " in line and "warning" in line]
    assert len(told) == 1, told


def test_what_a_paused_account_was_about_to_create_takes_no_room(site):
    site.settings(parallel=1)
    bad = {"user": site.secrets.new("another user secret"), "organization": site.secrets.new("another organization secret")}
    site.account("bad", **bad)
    site.account("good")
    site.platform.settings(addAccount=bad)
    site.instance("zero", body("zero"), account="bad")
    site.start()
    token = ready(site, "zero")
    # While the one slot is taken by a verification, two creations get in line behind it.
    site.platform.fault("delay", method="GET", path="/instances", ms=300)
    site.platform.fault("delay", method="GET", path="/instances/*", ms=700)
    for name in ("one", "two"):
        site.instance(name, account="bad")
    site.reload()
    site.connect().call("ReportRejected", instance="zero", token=token)
    wait_until(lambda: site.record("one") and site.record("two"), "both are about to be created")
    site.platform.settings(revokeAccount=bad)
    wait_until(lambda: "401" in (site.instances()["zero"]["problem"] or ""), "the account is paused")
    assert len(site.platform.posts()) == 1
    site.instance("three", account="good")
    site.reload()
    assert site.token("three")


def test_another_url_is_another_platform(site):
    site.simple("one")
    site.start()
    old = ready(site)
    second = site.start_platform()
    site.account(url=second.url)
    assert site.reload()["changed"] == ["one"]
    token = site.token("one")
    assert token != old and [row["token"] for row in second.instances()] == [token]
    [orphan] = site.orphans().values()
    assert orphan["url"] == site.platform.url and orphan["reason"] == "replaced"
    assert len(site.platform.instances()) == 1, "the old one stays"


def test_an_instance_that_two_urls_lead_to_is_not_deleted(site):
    """Two accounts are one and the same; what one of them uses, the other takes for what was replaced."""
    site.simple("two")
    site.account("other", url=site.platform.url.replace("127.0.0.1", "localhost"))
    site.start()
    ready(site, "two")
    site.platform.fault("delay-after", method="POST", name="one", ms=700)
    site.instance("one", body(), on_remove="delete")
    site.reload()
    wait_until(lambda: ("one", "anything") in site.ours(), "it is there, and nobody knows its id yet")
    site.instance("three", account="other")
    site.reload()
    tokens = ready(site, "three", "one", "two")
    stays_true(lambda: site.platform.requests("DELETE") == [], "nothing is deleted", 0.3)
    assert {name: site.ask(name) for name in tokens} == tokens


def test_another_url_of_the_same_platform_and_back(site):
    site.simple("two")
    site.instance("one", body(), on_remove="delete")
    site.start()
    tokens = ready(site, "one", "two")
    for url in (site.platform.url.replace("127.0.0.1", "localhost"), site.platform.url):
        site.account(url=url)
        site.reload()
        assert ready(site, "one", "two") == tokens
    stays_true(lambda: site.platform.requests("DELETE") == [], "nothing is deleted", 0.3)
    assert ready(site, "one", "two") == tokens and len(site.platform.posts()) == 2


def test_the_account_goes_with_its_instances(site):
    site.simple("one")
    site.account("other")
    site.instance("two", account="other")
    site.start()
    ready(site, "one", "two")
    (site.etc / "accounts.d/other.json").unlink()
    [problem] = refused(site)
    assert os.path.basename(problem["file"]) == "two.json"
    site.undeclare("two")
    assert site.reload()["removed"] == ["two"]
    assert len(site.orphans()) == 1


# --- rights ---

def test_a_right_that_is_taken_away_is_gone_at_once(site):
    if os.geteuid() != 0:
        pytest.skip("needs root, to be somebody else")
    site.simple()
    site.instance("one", body(), allow=["user:12345"])
    site.start()
    token = ready(site)
    with site.connect_as(12345, 12345) as other:
        assert other.call("GetToken", instance="one")["token"] == token
        site.instance("one", body(), allow=[])
        assert site.reload()["changed"] == ["one"]
        with pytest.raises(VarlinkError, match="PermissionDenied"):
            other.call("GetToken", instance="one")
    assert writes(site) == [("POST", "/instances")], "the platform has nothing to do with it"


def test_settings_take_effect(site):
    """What instances inherit, and how many requests are in flight."""
    site.settings(parallel=1)
    site.account()
    site.write("instances.d/silent.json", {"element": {"key": "anything"}})
    site.instance("one")
    site.start()
    ready(site, "silent", "one")
    assert site.platform.stats()["maxConcurrent"] == 1
    site.settings(parallel=8, allow=["user:12345"])
    for i in range(8):
        site.instance(f"more{i}")
    site.platform.settings(delayMs=300)
    assert site.reload()["changed"] == ["silent"]
    ready(site, *(f"more{i}" for i in range(8)))
    assert 4 <= site.platform.stats()["maxConcurrent"] <= 8


@pytest.mark.parametrize("how", ["reload", "restart"])
@pytest.mark.parametrize("out", ["back", "retry"])
def test_another_owner_while_nobody_knows_what_became_of_a_creation(site, how, out):
    """No look-up by the new owner's tag would show it: until a person says more, nothing is created."""
    work = {"ELEMENTD_TEST_WORK_SEC": "1"}
    site.simple("zero", request_timeout_sec=1)
    site.start(env=work)
    ready(site, "zero")
    site.platform.fault("reset", when="after", method="POST")
    site.platform.fault("status", method="GET", path="/instances", status=503, skip=1)
    site.instance("one", body("one"))
    site.reload()
    wait_until(lambda: [row["outcome"] for row in site.platform.posts()][1:] == ["reset"], "its answer is lost")
    wait_until(lambda: site.instances()["one"]["state"] != "creating", "that is known")
    site.settings(owner="newowner", request_timeout_sec=1)
    if how == "reload":
        site.reload()
    else:
        site.daemon.kill()
        site.start(env=work)
    row = site.wait_for_state("one", "failed")
    assert "owner" in row["problem"]
    stays_true(lambda: len(site.platform.posts()) == 2, "nothing is created", 2)
    if out == "back":
        site.settings(request_timeout_sec=1)
        site.reload()
        assert site.token("one") in [row["token"] for row in site.platform.instances()]
        assert len(site.platform.posts()) == 2
    else:
        assert site.ctl("retry", "one").returncode == CTL_OK
        assert site.token("one") and len(site.platform.posts()) == 3


# --- many ---

@pytest.mark.timeout(120)
def test_a_storm_of_reloads_leaks_nothing(site):
    """A thousand in a row, with something added and removed now and then; memory and descriptors stay."""
    site.simple("one", "two")
    daemon = site.start()
    ready(site, "one", "two")

    def size():
        with open(f"/proc/{daemon.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def storm(n):
        connection = site.connect()
        for i in range(n):
            if i % 100 == 0:
                site.instance("three", body("three", tags=[str(i)]))
            elif i % 100 == 50:
                site.undeclare("three")
            connection.call("Reload")
        connection.close()

    storm(200)
    site.undeclare("three") if (site.etc / "instances.d/three.json").exists() else None
    site.reload()
    files, before = len(os.listdir(f"/proc/{daemon.pid}/fd")), size()
    storm(1000)
    site.undeclare("three") if (site.etc / "instances.d/three.json").exists() else None
    site.reload()
    wait_until(lambda: len(os.listdir(f"/proc/{daemon.pid}/fd")) <= files + 2, "descriptors are given back")
    grown = size() - before
    if os.environ.get("ELEMENTD_VARIANT") != "asan":  # which keeps what was freed, and tells of leaks at the end
        assert grown < 1024 * 1024, f"{grown} bytes more"
    assert len([row for row in site.ours() if row[0] == "three"]) <= 1
    assert {row["reason"] for row in site.orphans().values()} <= {"removed"}
