"""What clients get over the socket, who they may be, and how long it takes."""

import json
import os
import socket
import statistics
import time

import pytest

from harness.process import BUILD
from harness.site import CTL_DENIED, CTL_NO_DAEMON, CTL_NO_INSTANCE, CTL_NOT_READY, CTL_OK
from harness.users import needs_root
from harness.varlink import Varlink, VarlinkError
from harness.wait import wait_until

DENIED = "org.varlink.service.PermissionDenied"

# Two users and groups that every Linux system has, and numbers that have no name.
NOBODY, DAEMON = (65534, 65534), (1, 1)
STRANGER, GROUP = (61001, 61001), 61777


def denied(varlink, method, **parameters):
    with pytest.raises(VarlinkError) as error:
        varlink.call(method, **parameters)
    return error.value.name == DENIED


# --- who ---

@needs_root
def test_two_users_get_what_they_are_allowed_and_no_more(site):
    site.settings()
    site.account()
    site.instance("hers", allow=["user:daemon"])
    site.instance("his", allow=[f"user:{STRANGER[0]}"])
    site.instance("ours", allow=["user:daemon", f"user:{STRANGER[0]}"])
    site.instance("nobodys", allow=[])
    site.start()
    tokens = {name: site.token(name) for name in ("hers", "his", "ours", "nobodys")}
    assert tokens == {row["name"]: row["token"] for row in site.platform.instances()}, "root may have all"
    for (uid, gid), allowed in ((DAEMON, {"hers", "ours"}), (STRANGER, {"his", "ours"})):
        with site.connect_as(uid, gid) as varlink:
            for name, token in tokens.items():
                if name in allowed:
                    assert varlink.token(name) == token
                else:
                    assert denied(varlink, "GetToken", instance=name), name
                assert denied(varlink, "GetAuthorization", instance=name), name
            assert {row["name"] for row in varlink.call("ListInstances")["instances"]} == allowed


@needs_root
def test_groups_any_and_defaults_let_in_whom_they_name(site):
    site.settings(allow=["user:nobody"])
    site.account()
    body = {"element": {"key": "anything"}}
    site.write("instances.d/default.json", body)
    site.instance("primary", body, allow=[f"group:{STRANGER[1]}"])
    site.instance("supplementary", body, allow=[f"group:{GROUP}"])
    site.instance("named", body, allow=["group:daemon"])
    site.instance("open", body, allow=["any"])
    site.start()
    names = ["default", "primary", "supplementary", "named", "open"]
    for name in names:
        site.token(name)
    people = {
        "nobody": ((*NOBODY, ()), {"default", "open"}),
        "a stranger": ((*STRANGER, ()), {"primary", "open"}),
        "a member": ((61002, 61002, (GROUP,)), {"supplementary", "open"}),
        "by a named group": ((61002, 61002, (DAEMON[1],)), {"named", "open"}),
        "in both": ((*STRANGER, (GROUP, DAEMON[1])), {"primary", "supplementary", "named", "open"}),
    }
    for who, (identity, allowed) in people.items():
        with site.connect_as(*identity) as varlink:
            served = set()
            for name in names:
                try:
                    varlink.token(name)
                    served.add(name)
                except VarlinkError as error:
                    assert error.name == DENIED
            assert served == allowed, who


@needs_root
def test_the_authorization_header_is_for_whom_it_is_allowed(site):
    site.settings()
    site.account()
    site.instance("one", allow=[f"user:{STRANGER[0]}", "user:daemon"], allow_authorization=["user:daemon"])
    site.start()
    header = f"User {site.user}, Organization {site.organization}, Element {site.token('one')}"
    with site.connect() as varlink:
        assert varlink.call("GetAuthorization", instance="one")["authorization"] == header
    with site.connect_as(*DAEMON) as varlink:
        assert varlink.call("GetAuthorization", instance="one")["authorization"] == header
    with site.connect_as(*STRANGER) as varlink:
        assert denied(varlink, "GetAuthorization", instance="one")
    done = site.ctl("authorization", "one", user=(*DAEMON, ()))
    assert done.returncode == CTL_OK and done.stdout == header + "\n"
    assert site.ctl("authorization", "one", user=(*STRANGER, ())).returncode == CTL_DENIED


@needs_root
def test_elementctl_as_other_users(site):
    site.settings()
    site.account()
    site.instance("one", allow=["user:daemon"])
    site.start()
    token = site.token("one")
    done = site.ctl("token", "one", user=(*DAEMON, ()))
    assert (done.returncode, done.stdout, done.stderr) == (CTL_OK, token + "\n", "")
    done = site.ctl("token", "one", user=(*STRANGER, ()))
    assert done.returncode == CTL_DENIED and done.stdout == "" and "one" in done.stderr
    done = site.ctl("--json", "list", user=(*STRANGER, ()))
    assert done.returncode == CTL_OK and "one" not in done.stdout


@needs_root
def test_a_refusal_reveals_nothing_of_the_state(site):
    """Not even whether there is a token, and it does not wait."""
    site.settings()
    site.account()
    site.instance("one", allow=[])
    site.platform.fault("hang", count=-1)
    site.start()
    with site.connect_as(*STRANGER) as varlink:
        start = time.monotonic()
        assert denied(varlink, "GetToken", instance="one", timeoutUSec=30_000_000)
        assert time.monotonic() - start < 10


# --- what ---

def test_get_token_waits_and_is_answered_when_the_token_comes(site):
    site.simple("one")
    site.platform.fault("delay", method="POST", ms=600)
    site.start()
    start = time.monotonic()
    waiting = [site.connect() for _ in range(5)]
    for varlink in waiting:
        varlink.send("io.elementd.GetToken", {"instance": "one", "timeoutUSec": 20_000_000})
    waiting[0].close()  # somebody gives up
    answers = [varlink.receive() for varlink in waiting[1:]]
    took = time.monotonic() - start
    [instance] = site.platform.instances()
    for answer in answers:
        assert answer["token"] == instance["token"] and answer["id"] == instance["id"]
    # By then it is durable.
    assert site.record("one")["token"] == instance["token"]
    assert took < 5, "as soon as it is there, and not when the time has passed"


def test_get_token_without_a_timeout_is_not_ready_at_once(site):
    site.simple("one")
    site.platform.fault("hang", count=-1)
    site.start()
    wait_until(site.platform.requests, "the platform is asked")
    with site.connect() as varlink:
        with pytest.raises(VarlinkError) as error:
            varlink.token("one")
        assert error.value.name == "io.elementd.NotReady"
        assert error.value.parameters["instance"] == "one"
        assert error.value.parameters["state"] in ("pending", "lookingUp")
        start = time.monotonic()
        with pytest.raises(VarlinkError) as error:
            varlink.token("one", timeoutUSec=400_000)
        assert error.value.name == "io.elementd.NotReady"
        assert 0.35 < time.monotonic() - start < 5
    done = site.ctl("token", "one")
    assert done.returncode == CTL_NOT_READY and done.stdout == "" and "one" in done.stderr
    done = site.ctl("token", "one", "--wait=1")
    assert done.returncode == CTL_NOT_READY


def test_not_ready_says_why_and_when_it_is_tried_again(site):
    site.simple("one")
    site.platform.fault("status", method="POST", status=503, retry_after="600", count=-1)
    site.start()
    row = site.wait_for_state("one", "waiting")
    with site.connect() as varlink:
        with pytest.raises(VarlinkError) as error:
            varlink.token("one")
    assert error.value.name == "io.elementd.NotReady"
    assert error.value.parameters == {"instance": "one", "state": "waiting", "retryUSec": row["retryUSec"],
                                      "problem": row["problem"]}
    assert 500e6 < row["retryUSec"] - time.time() * 1e6 < 700e6


def test_failed_and_no_such_instance_say_which(site):
    site.simple("good")
    site.write("instances.d/bad.json", "{")
    site.start()
    with site.connect() as varlink:
        for timeout in ({}, {"timeoutUSec": 30_000_000}):
            with pytest.raises(VarlinkError) as error:
                varlink.token("bad", **timeout)
            assert error.value.name == "io.elementd.Failed"
            assert error.value.parameters["instance"] == "bad" and "bad.json:1:" in error.value.parameters["problem"]
            with pytest.raises(VarlinkError) as error:
                varlink.token("nothing", **timeout)
            assert error.value.name == "io.elementd.NoSuchInstance"
            assert error.value.parameters == {"instance": "nothing"}
    assert site.ctl("token", "nothing").returncode == CTL_NO_INSTANCE


def test_list_shows_all_there_is_to_know_of_each(site):
    site.simple("good")
    site.write("instances.d/bad.json", '{"element": {"key": "jira"}, "tags": 7}')
    before = time.time()
    site.start()
    site.token("good")
    good, bad = site.wait_for_state("good", "ready"), site.instances()["bad"]
    [instance] = site.platform.instances()
    assert list(site.instances()) == ["bad", "good"]
    expected = {"name": "good", "element": "anything", "account": "default", "state": "ready", "id": instance["id"],
                "hasToken": True, "retryUSec": None, "problem": None}
    assert expected.items() <= good.items()
    assert before * 1e6 < good["sinceUSec"] <= time.time() * 1e6
    assert bad["state"] == "failed" and not bad["hasToken"] and "tags" in bad["problem"] and bad["element"] == "jira"
    assert "token" not in good
    listed = json.loads(site.ctl("--json", "list").stdout)
    rows = listed["instances"] if isinstance(listed, dict) else listed
    assert [row["name"] for row in rows] == ["bad", "good"]
    plain = site.ctl("list").stdout
    assert "good" in plain and "ready" in plain and "bad" in plain and "failed" in plain and "\x1b" not in plain
    assert "tags" in site.ctl("status", "bad").stdout


def test_the_service_tells_about_itself_as_varlink_asks(site):
    site.simple("one")
    site.start()
    with site.connect() as varlink:
        info = varlink.call("org.varlink.service.GetInfo")
        assert set(info) == {"vendor", "product", "version", "url", "interfaces"}
        assert sorted(info["interfaces"]) == ["io.elementd", "org.varlink.service"]
        for interface in info["interfaces"]:
            text = varlink.call("org.varlink.service.GetInterfaceDescription", interface=interface)["description"]
            assert f"\ninterface {interface}\n" in "\n" + text
        errors = {
            ("org.varlink.service.GetInterfaceDescription", "interface", "io.nothing"): ("InterfaceNotFound", {"interface": "io.nothing"}),
            ("io.nothing.GetToken", None, None): ("InterfaceNotFound", {"interface": "io.nothing"}),
            ("io.elementd.Nothing", None, None): ("MethodNotFound", {"method": "io.elementd.Nothing"}),
            ("io.elementd.GetToken", None, None): ("InvalidParameter", {"parameter": "instance"}),
            ("io.elementd.GetToken", "instance", 7): ("InvalidParameter", {"parameter": "instance"}),
            ("io.elementd.WatchToken", "instance", "one"): ("ExpectedMore", {}),
        }
        for (method, key, value), (name, parameters) in errors.items():
            with pytest.raises(VarlinkError) as error:
                varlink.call(method, **({key: value} if key else {}))
            if method == "io.elementd.WatchToken" and error.value.name.endswith("MethodNotImplemented"):
                continue
            assert (error.value.name, error.value.parameters) == (f"org.varlink.service.{name}", parameters), method


def test_calls_may_be_pipelined_and_torn_apart(site):
    """Answers come in order, whatever the pieces in which the calls arrive."""
    site.simple("one", "two")
    site.start()
    tokens = {name: site.token(name) for name in ("one", "two")}
    names = ["one", "two", "two", "one"] * 25
    calls = b"".join(json.dumps({"method": "io.elementd.GetToken", "parameters": {"instance": name}}).encode() + b"\0"
                     for name in names)
    with site.connect() as varlink:
        varlink.send_bytes(calls)
        assert [varlink.receive()["token"] for _ in names] == [tokens[name] for name in names]
    with site.connect() as varlink:
        varlink.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        for offset in range(0, len(calls), 7):
            varlink.send_bytes(calls[offset:offset + 7])
        assert [varlink.receive()["token"] for _ in names] == [tokens[name] for name in names]


def test_a_call_that_waits_holds_back_those_behind_it_and_nobody_else(site):
    site.simple("slow", "fast")
    site.platform.fault("hang", method="POST", name="slow", count=-1)
    site.start()
    token = site.token("fast")
    with site.connect() as varlink:
        varlink.send("io.elementd.GetToken", {"instance": "slow", "timeoutUSec": 500_000})
        varlink.send("io.elementd.GetToken", {"instance": "fast"})
        varlink.send("io.elementd.GetToken", {"instance": "fast"}, oneway=True)
        varlink.send("org.varlink.service.GetInfo")
        assert site.ask("fast") == token
        with pytest.raises(VarlinkError) as error:
            varlink.receive()
        assert error.value.name == "io.elementd.NotReady"
        assert varlink.receive()["token"] == token
        assert "interfaces" in varlink.receive(), "oneway has no answer"


def test_bytes_that_are_no_message_cost_the_connection_and_nothing_else(site):
    site.simple("one")
    site.start()
    token = site.token("one")
    for garbage in (b"\0", b"{\0", b"[]\0", b'{"method":7}\0', b"GET / HTTP/1.1\r\n\r\n\0", b"\xff\xfe\0",
                    b'{"method":"io.elementd.GetToken","parameters":[]}\0'):
        with Varlink.connect(site.socket) as varlink:
            varlink.send_bytes(garbage)
            try:
                answer = varlink.receive_bytes()
                assert answer is None or b'"error"' in answer, garbage
            except ConnectionError:
                pass
    assert site.ask("one") == token


# --- how fast ---

def latencies(site, expected, n_calls, is_over=lambda: True):
    """Seconds that GetToken takes: so many calls on one connection and on new ones, and more until it is over."""
    found = []
    deadline = time.monotonic() + 20
    with Varlink.connect(site.socket) as varlink:
        while len(found) < n_calls or not is_over():
            assert time.monotonic() < deadline, "it is not over"
            for _ in range(20):
                start = time.monotonic()
                assert varlink.token("one") == expected
                found.append(time.monotonic() - start)
            start = time.monotonic()
            assert site.ask("one") == expected
            found.append(time.monotonic() - start)
    return found


def assert_undisturbed(quiet, disturbed, pause):
    """
    Not a measurement: a call that waits for the disk or the platform takes at least as long as the pause that
    was injected there. So any call well below it has not waited, and the bound is a fifth of the pause, which
    a busy machine does not reach by itself. The medians may differ by what two busy processors explain.
    """
    assert max(disturbed) < pause / 5, f"slowest {max(disturbed):.3f} s (undisturbed {max(quiet):.3f} s)"
    assert statistics.median(disturbed) < 10 * statistics.median(quiet) + 0.005
    assert sorted(disturbed)[len(disturbed) * 99 // 100] < pause / 10


def provision_one(site):
    site.simple("one")
    daemon = site.start()
    token = site.token("one")
    site.wait_for_state("one", "ready")
    daemon.stop()
    return token


def test_tokens_are_served_at_the_same_latency_while_the_platform_hangs(site):
    token = provision_one(site)
    site.platform.fault("hang", count=-1)
    for name in ("two", "three", "four"):
        site.instance(name)
    site.platform.forget_requests()
    site.start()
    quiet = latencies(site, token, 300)
    wait_until(site.platform.requests, "the platform hangs with a request")
    disturbed = latencies(site, token, 600)
    assert_undisturbed(quiet, disturbed, 0.5)
    assert not site.instances()["two"]["hasToken"]


def test_tokens_are_served_at_the_same_latency_while_a_commit_takes_half_a_second(site):
    token = provision_one(site)
    daemon = site.start(faults=True)
    site.wait_for_state("one", "ready")
    quiet = latencies(site, token, 300)
    daemon.stop()

    # Its intents and tokens are what is being committed meanwhile.
    for name in ("two", "three", "four"):
        site.instance(name)
    site.platform.settings(delayMs=100)
    daemon = site.start("@(fsync|fdatasync):delay=500ms")
    begin = time.clock_gettime(time.CLOCK_BOOTTIME) * 1e6

    disturbed = latencies(site, token, 300, lambda: all(row["hasToken"] for row in site.instances().values()))
    end = time.clock_gettime(time.CLOCK_BOOTTIME) * 1e6
    commits = [call for call in daemon.faults.calls("fsync|fdatasync")
               if call.verdict.startswith("delay") and begin < call.usec and call.usec + 500_000 < end]
    assert len(commits) >= 2, "there was a commit meanwhile"
    assert_undisturbed(quiet, disturbed, 0.5)


# --- elementctl ---

def test_elementctl_without_a_daemon(site):
    site.simple("one")
    for command in (("token", "one"), ("list",), ("status",)):
        done = site.ctl(*command)
        assert done.returncode == CTL_NO_DAEMON and done.stdout == "" and "elementd" in done.stderr, command


def test_elementctl_waits_for_a_token(site):
    site.simple("one")
    site.platform.fault("delay", method="POST", ms=400)
    site.start()
    done = site.ctl("token", "one", "--wait=20")
    assert (done.returncode, done.stdout) == (CTL_OK, site.platform.instances()[0]["token"] + "\n")


# --- watching ---

def test_a_watch_is_told_of_the_token_when_it_comes(site):
    site.simple("one")
    site.platform.fault("delay", method="POST", ms=600)
    site.start()
    with site.connect() as varlink, site.connect() as all_of_them:
        varlink.send("io.elementd.WatchToken", {"instance": "one"}, more=True)
        all_of_them.send("io.elementd.WatchInstances", more=True)
        assert json.loads(varlink.receive_bytes()) == {"parameters": {}, "continues": True}
        told = json.loads(varlink.receive_bytes())
        instance = site.platform.instances()[0]
        assert told == {"parameters": {"token": instance["token"], "id": instance["id"]}, "continues": True}
        states = []
        while not states or states[-1] != ("ready", True):
            row = json.loads(all_of_them.receive_bytes())["parameters"]["instance"]
            states.append((row["state"], row["hasToken"]))
        assert ("creating", False) in states


def test_elementctl_waits_for_all(site):
    site.simple("one", "two")
    site.platform.fault("delay", method="POST", ms=400)
    site.start()
    done = site.ctl("wait", "--timeout=20")
    assert (done.returncode, done.stdout, done.stderr) == (CTL_OK, "", "")
    assert {row["hasToken"] for row in site.instances().values()} == {True}
    done = site.ctl("wait", "one", "three", "--timeout=20")
    assert done.returncode == CTL_NO_INSTANCE and '"three"' in done.stderr


def test_elementctl_gives_up_waiting(site):
    site.simple("one")
    site.platform.fault("hang", method="POST")
    site.start()
    done = site.ctl("wait", "--timeout=1")
    assert done.returncode == CTL_NOT_READY and '"one" has no token yet; it is creating' in done.stderr


def test_the_client_library_links_no_more_than_it_needs():
    """libcurl costs every start of a command milliseconds."""
    linked = os.popen(f"ldd '{BUILD}/elementctl' '{BUILD}/libelementd.so'").read()
    assert "libyajl" in linked and "libcurl" not in linked and "libsystemd" not in linked
