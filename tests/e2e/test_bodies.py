"""Bodies are read when they are sent: only what was loaded goes out, and nothing of it stays in memory."""

import json
import re
import time

import pytest

from harness.site import CTL_FAILED
from harness.wait import stays_true, wait_until

FOREVER = {"ELEMENTD_TEST_WORK_SEC": "120"}  # what a creation whose outcome is not known would wait for
RELOAD = "reload elementd (systemctl reload elementd)"


def body(**configuration):
    return {"element": {"key": "anything"}, "name": "one", "configuration": configuration}


def start_slowly(site, *rules, ms=600, **more):
    """A daemon that has loaded its files, and has yet to look up what there is before it sends any of them."""
    site.platform.fault("delay", method="GET", path="/instances", ms=ms)
    daemon = site.start(*rules, **more)
    wait_until(lambda: site.instances()["one"]["state"] == "lookingUp", "it is being looked up")
    return daemon


def edit_the_file(site, file):
    site.instance("one", body(password=site.secrets.new("the edited password")))
    return (f"instances.d/{file.name}, or a file that it refers to, has changed since the configuration was loaded: {RELOAD}",
            site.instance("one", body(password=site.secrets.new("the last password")))["configuration"]["password"])


def change_what_it_refers_to(site, file):
    password = site.secrets.new("the new password")
    (site.directory / "password").write_text(password)
    return (f"instances.d/{file.name}, or a file that it refers to, has changed since the configuration was loaded: {RELOAD}",
            password)


def break_the_file(site, file):
    site.write("instances.d/one.json", "{")
    return (f"{file}:1:2: the document ends before it is complete; that was not so when the configuration was loaded: "
            f"mend it, and then {RELOAD}", None)


def delete_the_file(site, file):
    site.undeclare("one")
    return (f"instances.d/{file.name} has gone since the configuration was loaded: put it back, or {RELOAD}", None)


def refer(site):
    """The instance, whose password is in another file."""
    site.simple()
    file = site.directory / "password"
    file.write_text(site.secrets.new("the loaded password"))
    file.chmod(0o600)
    site.instance("one", body(password=f"${{file:{file}}}"))
    return site.etc / "instances.d/one.json"


@pytest.mark.parametrize("change", [edit_the_file, change_what_it_refers_to, break_the_file, delete_the_file],
                         ids=lambda change: change.__name__)
def test_what_was_not_loaded_is_not_sent(site, change):
    """It waits, says what to do, and does that at once when it is done; nothing was sent, so nothing is waited for."""
    file = refer(site)
    daemon = start_slowly(site, env=FOREVER)
    words, password = change(site, file)
    row = site.wait_for_state("one", "waiting")
    assert row["problem"] == words and row["problemKind"] == "fileChanged" and row["retryUSec"]
    daemon.wait_for_log(words + "; next try in ")
    done = site.ctl("status")
    assert done.returncode == CTL_FAILED
    assert re.search(f"one: {re.escape(words)}; since .*; next try", done.stdout), done.stdout
    assert f"to do: sudo elementctl check && sudo elementctl reload: {file}, or a file that it refers to, " in done.stdout
    site.ctl("retry", "one")
    wait_until(lambda: site.instances()["one"]["attempts"] >= 2, "it was tried again")
    assert site.platform.posts() == []
    wait_until(lambda: not site.record("one").get("intentUSec"), "no creation is recorded as under way")
    if change == break_the_file:
        site.instance("one", body(password=(password := site.secrets.new("the mended password"))))
    assert site.reload()["changed" if password else "removed"] == ["one"]
    if not password:
        wait_until(lambda: "one" not in site.instances(), "it is not declared any more")
        assert site.platform.posts() == []
        return
    site.token("one")
    [post] = site.platform.posts()
    assert json.loads(post["body"])["configuration"]["password"] == password


def test_a_file_that_is_put_back_is_sent(site):
    file = refer(site)
    start_slowly(site)
    text = file.read_text()
    file.unlink()
    site.wait_for_state("one", "waiting")
    site.write("instances.d/one.json", text)
    site.ctl("retry", "one")
    site.token("one")
    assert len(site.platform.posts()) == 1


def test_others_and_the_account_are_not_held_up(site):
    refer(site)
    site.instance("two")
    start_slowly(site)
    site.undeclare("one")
    site.token("two")
    site.wait_for_state("one", "waiting")
    assert site.instances()["two"]["state"] == "ready"
    [trouble] = json.loads(site.ctl("status", "--json").stdout)["troubles"]
    assert (trouble["kind"], trouble["instances"]) == ("fileChanged", ["one"])  # and not that of an account
    site.instance("three")
    assert site.reload() == {"added": ["three"], "changed": [], "removed": ["one"]}
    site.token("three")


def test_the_next_run_does_not_wait_for_what_it_has_read(site):
    """The back-off of the run before was about files that this one has loaded as they are."""
    site.simple()
    site.instance("one", body(key="loaded"))
    daemon = start_slowly(site)
    site.instance("one", body(key="edited"))
    site.wait_for_state("one", "waiting")
    wait_until(lambda: (site.record("one") or {}).get("attempts"), "it is recorded")
    assert not site.record("one").get("retryUSec")
    daemon.stop()
    site.start()
    site.token("one", timeout=5)
    [post] = site.platform.posts()
    assert json.loads(post["body"])["configuration"] == {"key": "edited"}


def test_a_person_begins_the_back_off_anew(site):
    refer(site)
    daemon = start_slowly(site)
    delete_the_file(site, site.etc / "instances.d/one.json")
    site.wait_for_state("one", "waiting")
    daemon.stop()
    document = site.document()
    document["records"][0]["delayUSec"] = 300_000_000
    site.records_file.write_text(json.dumps(document))
    site.instance("one", body(key="value"))
    start_slowly(site)
    site.undeclare("one")
    site.wait_for_state("one", "waiting")
    site.ctl("retry", "one")
    wait_until(lambda: site.instances()["one"]["attempts"] == 3, "it was tried again")
    assert site.instances()["one"]["retryUSec"] < (time.time() + 4) * 1e6


def test_a_change_of_one_that_is_served(site):
    """What was loaded could not be sent at once; by the time it could, the file was another one."""
    site.simple()
    site.instance("one", body(key="1"))
    site.start()
    token = site.token("one")
    site.wait_for_state("one", "ready")
    site.platform.fault("status", method="PUT", status=429, retry_after=3600)
    site.instance("one", body(key="2"))
    site.reload()
    wait_until(lambda: site.instances()["one"]["problem"], "the platform does not take it now")
    site.instance("one", body(key="3"))
    site.ctl("retry", "one")
    wait_until(lambda: site.instances()["one"].get("problemKind") == "fileChanged", "it does not go out")
    assert site.ask("one") == token
    assert len(site.platform.requests("PUT")) == 1 and site.platform.instances()[0]["configuration"]["key"] == "1"
    site.reload()
    wait_until(lambda: site.platform.instances()[0]["configuration"]["key"] == "3", "the newest one is there")
    assert [json.loads(put["body"])["configuration"]["key"] for put in site.platform.requests("PUT")] == ["2", "3"]
    assert site.ask("one") == token and len(site.platform.posts()) == 1


# --- a file system that hangs ---

HANGS = "@(open|openat|openat64):path=*instances.d/one.json:delay={}"


def test_a_file_that_hangs_holds_nobody_up(site):
    """Neither the loop nor creations whose bodies are there; what comes behind it is read behind it."""
    site.simple("one", "two")
    daemon = start_slowly(site, faults=True)
    daemon.faults.set(HANGS.format("1500ms"))
    wait_until(lambda: len(daemon.faults.calls("open.*", "instances.d/one.json$")) == 2, "it is being read")
    assert site.instances()["one"]["state"] == "creating" and site.platform.posts() == []
    tokens = [site.token(name) for name in ("one", "two")]
    assert sorted(tokens) == sorted(row["token"] for row in site.platform.instances())
    assert len(site.platform.posts()) == 2


def test_the_end_does_not_wait_for_a_file_that_hangs(site):
    """And the creation whose intent is on disk has not been sent: the next run makes one of it."""
    site.simple()
    daemon = start_slowly(site, faults=True)
    daemon.faults.set(HANGS.format("60s"))
    site.wait_for_state("one", "creating")
    stays_true(lambda: site.instances()["one"]["state"] == "creating", "it is being read", 0.3)
    daemon.stop()
    assert site.record("one")["intentUSec"] and site.platform.posts() == []
    site.start()
    site.token("one")
    assert len(site.platform.posts()) == 1


# --- what stays ---

SHADOW = 1 << 30  # bytes: what a sanitizer maps to keep books in has terabytes, and nothing else has as much


def memory_of(pid):
    """All of what it can write."""
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            place, rights = line.split()[:2]
            begin, end = (int(part, 16) for part in place.split("-"))
            if "rw" in rights and "[v" not in line and end - begin < SHADOW:
                memory.seek(begin)
                yield memory.read(end - begin)


def test_no_password_stays_in_memory(site):
    """Neither of an instance that was created nor of one that was found, once nothing is under way."""
    site.simple("one", "two")
    daemon = site.start()
    try:
        assert site.user.encode() in b"".join(memory_of(daemon.pid))  # it is looked for at the right place
    except PermissionError:
        pytest.skip("the memory of a process that is not dumpable can be read by root alone")
    for name in ("one", "two"):
        site.token(name)
        site.wait_for_state(name, "ready")
    passwords = [row["configuration"]["password"].encode() for row in site.platform.instances()]
    assert len(passwords) == 2
    for _ in range(2):
        memory = b"".join(memory_of(daemon.pid))
        assert [password for password in passwords if password in memory] == []
        daemon.stop()
        daemon = site.start()
        site.wait_for_state("one", "ready")
