"""What the platform says of an element, through the daemon: DescribeElement, and elementctl template, which is made of it."""

import json
import re
import subprocess
import time

import pytest

from harness.process import environment
from harness.site import CTL_OK, CTL_OTHER
from harness.users import needs_root
from harness.varlink import VarlinkError
from harness.wait import wait_until
from test_template import PLACEHOLDER, without_comments

JIRA = [{"name": "jira.username", "isRequired": True, "isSecret": False},
        {"name": "jira.password", "isRequired": True, "isSecret": True},
        {"name": "jira.api.url", "isRequired": True, "isSecret": False}]
COMMON = [{"name": "event.notification.enabled", "isRequired": False, "isSecret": False, "default": "false"},
          {"name": "event.vendor.type", "isRequired": False, "isSecret": False, "default": "polling"},
          {"name": "event.notification.type", "isRequired": False, "isSecret": False, "default": "webhook"},
          {"name": "event.notification.callback.url", "isRequired": False, "isSecret": False},
          {"name": "filter.response.nulls", "isRequired": False, "isSecret": False, "default": "true"}]

UNAVAILABLE = "io.elementd.PlatformUnavailable"
DENIED = "org.varlink.service.PermissionDenied"

FROM_PLATFORM = '// The keys are what the platform itself asks for, by the account "default".\n'
FROM_CATALOGUE = "// The keys are those of the platform's documentation"
NOT_ASKED = "// The platform could not be asked: "


def configuration(element):
    return f"/elements/{element}/configuration"


def asked(site):
    """What the platform was asked of elements, in order."""
    return [request["path"] for request in site.platform.requests("GET", "/elements/*")]


def describe(site, element, **more):
    with site.connect() as varlink:
        return varlink.call("DescribeElement", element=element, **more)["keys"]


def answered(site, element):
    """The error's name and parameters, or None and the keys."""
    try:
        return None, describe(site, element)
    except VarlinkError as error:
        return error.name, error.parameters


def refused(site, element, **more):
    """The error's name and parameters."""
    with pytest.raises(VarlinkError) as error:
        describe(site, element, **more)
    return error.value.name, error.value.parameters


def quiet(site, **settings):
    """A daemon that asks for nothing by itself."""
    site.settings(**settings)
    site.account()
    return site.start()


def unavailable(site, element="jira"):
    name, parameters = refused(site, element)
    assert name == UNAVAILABLE
    return parameters["problem"]


# --- the method ---

@needs_root
def test_the_platforms_answer(site):
    quiet(site)
    assert describe(site, "jira") == JIRA + COMMON
    assert describe(site, "jira", account=None) == describe(site, "jira", account="default") == JIRA + COMMON
    assert describe(site, "anything") == COMMON
    # One with a default need not be given; a secret is told by its name, too.
    rows = {row["name"]: row for row in describe(site, "slack")}
    assert rows["oauth.scope"] == {"name": "oauth.scope", "isRequired": False, "isSecret": False, "default": "channels:read"}
    assert rows["oauth.api.key"] == {"name": "oauth.api.key", "isRequired": True, "isSecret": True}
    [request, *_] = site.platform.requests("GET", "/elements/*")
    assert "Element" not in json.dumps(request.get("headers", {}))
    assert site.platform.posts() == []


@needs_root
def test_what_cannot_be_asked(site):
    site.settings()
    site.account()
    site.write("accounts.d/broken.json", "{")
    site.start()
    assert refused(site, "no such") == ("io.elementd.NoSuchElement", {"element": "no such"})
    assert asked(site) == [configuration("no%20such")] or asked(site) == [configuration("no such")]
    for account in "nobody", "broken":
        assert refused(site, "jira", account=account) == ("io.elementd.NoSuchAccount", {"account": account})
    for element in "", ".", "..", "a" * 257:
        assert refused(site, element) == ("org.varlink.service.InvalidParameter", {"parameter": "element"})
    assert refused(site, "a" * 256)[0] == "io.elementd.NoSuchElement"
    assert len(asked(site)) == 2


@needs_root
def test_others_may_not_ask(site):
    quiet(site)
    with site.connect_as(61001, 61001) as varlink:
        for element in "jira", "..", "no such":
            with pytest.raises(VarlinkError) as error:
                varlink.call("DescribeElement", element=element)
            assert (error.value.name, error.value.parameters) == (DENIED, {})
    assert asked(site) == []


# --- answers that are none ---

def odd_keys():
    """Of which each must come out as JSON that says the same, or not at all."""
    return [{"key": "${file:/etc/shadow}", "required": True}, {"key": '"; rm -rf /; echo "', "required": True, "type": "PASSWORD"},
            {"key": "a\nb\x1b[2J", "defaultValue": "x"}, {"key": "dollar", "defaultValue": "${file:/etc/shadow} $$ $"},
            {"key": "lines", "defaultValue": "a\n} ]"}, {"key": "comment", "defaultValue": "*/ // \u202e"},
            {"key": "twice", "required": True}, {"key": "twice", "defaultValue": "x"}, {"key": ""}, {"key": 7}, 7, [], {},
            {"key": "secret", "type": "PASSWORD", "defaultValue": "of another"}]


HOSTILE = {
    "empty": ({"action": "body"}, "is no list of keys"),
    "html": ({"action": "body", "text": "<html></html>", "contentType": "text/html"}, "is no list of keys"),
    "null": ({"action": "body", "text": "null"}, "is no list of keys"),
    "another": ({"action": "body", "text": '{"configuration": {}, "id": 1}'}, "is no list of keys"),
    "bytes": ({"action": "body", "base64": "AP+A/g=="}, "is no list of keys"),
    "half": ({"action": "body", "text": '[{"key": "a", "required": true}'}, "is no list of keys"),
    "more": ({"action": "body", "text": "[]]"}, "is no list of keys"),
    "deep": ({"action": "body", "text": "[" * 1000 + "]" * 1000}, "is no list of keys"),
    "too-many": ({"action": "body", "text": json.dumps([{"key": f"k{i}"} for i in range(257)])}, "is no list of keys"),
    "cut": ({"action": "truncate", "bytes": 50}, "is no list of keys"),
    "huge": ({"action": "huge", "mib": 70}, "is no list of keys"),
    "unlike-http": ({"action": "garbage", "when": "after"}, "cannot reach the platform"),
    "reset": ({"action": "reset", "when": "before", "count": 2}, "cannot reach the platform"),
    # On a connection that was there before, it is asked once more.
    "closed": ({"action": "close", "when": "after", "count": 2}, "cannot reach the platform"),
    "hang": ({"action": "hang", "when": "before"}, "cannot reach the platform"),
    "302": ({"action": "status", "status": 302}, "HTTP 302"),
    "400": ({"action": "status", "status": 400}, "HTTP 400"),
    "401": ({"action": "status", "status": 401}, "HTTP 401"),
    "403": ({"action": "status", "status": 403}, "HTTP 403"),
    "404-html": ({"action": "status", "status": 404, "body": "<html></html>", "contentType": "text/html"}, "HTTP 404"),
    "429": ({"action": "status", "status": 429, "retry-after": "7"}, "HTTP 429"),
    "500": ({"action": "status", "status": 500}, "HTTP 500"),
    "503-html": ({"action": "status", "status": 503, "body": "<html></html>", "contentType": "text/html"}, "HTTP 503"),
}


@needs_root
def test_answers_that_are_none(site):
    quiet(site, request_timeout_sec=2)
    wrong = []
    for name, (rule, words) in HOSTILE.items():
        rule = dict(rule)
        site.platform.fault(rule.pop("action"), method="GET", path=configuration("jira"), **rule)
        error, parameters = answered(site, "jira")
        if error != UNAVAILABLE:
            wrong.append(f"{name}: {parameters}")
        elif words not in parameters["problem"] or ("retryUSec" in parameters) != (name == "429"):
            wrong.append(f"{name}: {error} {parameters}")
        elif name == "429" and not 3e6 < parameters["retryUSec"] - time.time() * 1e6 <= 7e6:
            wrong.append(f"{name}: {parameters}")
        # None of them is remembered, and none pauses the account.
        if describe(site, "jira") != JIRA + COMMON:
            wrong.append(f"after {name}")
    assert not wrong, "\n".join(wrong)
    assert len(asked(site)) == 2 * len(HOSTILE) + 2


@needs_root
def test_words_and_keys_that_repeat_our_secrets(site):
    quiet(site)
    text = json.dumps({"message": f"bad {site.user}", "requestId": "0" * 24, "providerMessage": site.organization})
    site.platform.fault("status", method="GET", path=configuration("jira"), status=403, body=text)
    assert "***" in unavailable(site)
    site.platform.fault("body", method="GET", path=configuration("jira"), text=json.dumps(
        [{"key": f"x {site.user}"}, {"key": "y", "defaultValue": f"<{site.organization}>"}]))
    assert describe(site, "jira") == [{"name": "x ***", "isRequired": False, "isSecret": False},
                                      {"name": "y", "isRequired": False, "isSecret": False, "default": "<***>"}]


@needs_root
def test_a_paused_account_is_not_asked(site):
    site.simple("one")
    site.platform.fault("status", method="GET", path="/instances", status=503, retry_after="600", count=-1)
    site.start()
    row = site.wait_for_state("one", "waiting")
    name, parameters = refused(site, "jira")
    assert name == UNAVAILABLE and 'the account "default" is paused: ' in parameters["problem"]
    assert row["problem"] in parameters["problem"] and abs(parameters["retryUSec"] - row["retryUSec"]) < 2e6
    assert asked(site) == []
    # Another one is.
    site.account("other")
    site.reload()
    assert describe(site, "jira", account="other") == JIRA + COMMON


# --- who waits ---

@needs_root
def test_one_at_a_time_for_each_account(site):
    site.settings()
    site.account()
    site.account("other")
    site.start()
    site.platform.fault("delay", method="GET", path="/elements/*", ms=1000, count=-1)
    questions = [("jira", "default"), ("slack", "default"), ("sfdc", "other"), ("zendesk", "default"), ("hubspot", "other")]
    calls = []
    for element, account in questions:
        calls.append(site.connect())
        calls[-1].send("io.elementd.DescribeElement", {"element": element, "account": account})
    begin = time.monotonic()
    site.instances()
    assert time.monotonic() - begin < 0.9, "nobody else waits for them"
    answers = [call.receive()["keys"] for call in calls]
    assert answers[0] == JIRA + COMMON and len({json.dumps(keys) for keys in answers}) == len(answers)
    requests = site.platform.requests("GET", "/elements/*")
    found = {request["path"].split("/")[2]: request["startedUSec"] for request in requests}
    for account in "default", "other":
        starts = [found[element] for element, its in questions if its == account]
        assert all(after - before >= 900_000 for before, after in zip(starts, starts[1:])), (account, starts)
    assert abs(found["sfdc"] - found["jira"]) < 800_000


@needs_root
def test_so_many_may_wait(site):
    quiet(site, request_timeout_sec=60)
    site.platform.fault("hang", method="GET", path="/elements/*", when="before", count=-1)
    calls = [site.connect() for _ in range(16)]
    for call in calls:
        call.send("io.elementd.DescribeElement", {"element": "jira"})
        wait_until(lambda: asked(site), "the first is asked")
    assert unavailable(site) == "too many questions about elements wait for an answer already"
    # One that leaves makes room, be it the one that is asked or one in line; and with the last there is none under way.
    for leaving in calls[0], calls[7]:
        leaving.close()
        wait_until(lambda: site.instances() == {}, "the daemon goes on")
        another = site.connect()
        another.send("io.elementd.DescribeElement", {"element": "jira"})
        calls.append(another)
        assert unavailable(site) == "too many questions about elements wait for an answer already"
    wait_until(lambda: len(asked(site)) == 2, "the next in line is asked")
    for call in calls:
        call.close()
    site.platform.call("DELETE", "/faults")
    wait_until(lambda: answered(site, "jira")[1] == JIRA + COMMON, "there is room, and nothing hangs")


@needs_root
def test_a_reload_has_it_asked_anew(site):
    """Of the account as it is by then, and not of one that is as it was."""
    quiet(site, request_timeout_sec=60)
    site.account("same")
    site.account("gone")
    site.reload()
    site.platform.fault("delay", method="GET", path=configuration("jira"), ms=1500, count=3)
    calls = {}
    for account in "default", "same", "gone":
        calls[account] = site.connect()
        calls[account].send("io.elementd.DescribeElement", {"element": "jira", "account": account})
    wait_until(lambda: len(asked(site)) == 3, "they are asked")
    other = site.start_platform()
    site.write("accounts.d/default.json", {"url": other.url, "user": site.user, "organization": site.organization})
    (site.etc / "accounts.d/gone.json").unlink()
    site.reload()
    with pytest.raises(VarlinkError) as error:
        calls["gone"].receive()
    assert (error.value.name, error.value.parameters) == ("io.elementd.NoSuchAccount", {"account": "gone"})
    assert calls["default"].receive()["keys"] == JIRA + COMMON
    assert len(other.requests("GET", "/elements/*")) == 1
    assert calls["same"].receive()["keys"] == JIRA + COMMON
    assert len(asked(site)) == 3


@needs_root
def test_a_stop_while_one_is_under_way(site):
    daemon = quiet(site, request_timeout_sec=60)
    site.platform.fault("hang", method="GET", path="/elements/*", when="before", count=-1)
    calls = [site.connect() for _ in range(2)]
    for call in calls:
        call.send("io.elementd.DescribeElement", {"element": "jira"})
    wait_until(lambda: asked(site), "it is asked")
    begin = time.monotonic()
    daemon.stop()
    assert time.monotonic() - begin < 4
    for call in calls:
        with pytest.raises(VarlinkError) as error:
            call.receive()
        assert error.value.name == UNAVAILABLE and "elementd was stopped" in error.value.parameters["problem"]


# --- templates ---

def template(site, element, *options, **more):
    done = site.ctl("template", element, *options, **more)
    assert (done.returncode, done.stderr) == (CTL_OK, "")
    return done.stdout


def with_optional(text):
    """What somebody has who takes away the "//" before each optional key."""
    return re.sub(r'^    // (".*",?)$', r"    \1", text, flags=re.MULTILINE)


def check(site, **files):
    """Whether elementd --check finds these instance files fine; their placeholders are filled in, and their credentials there."""
    folder = site.root / "run/credentials/elementd.service"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        text = PLACEHOLDER.sub("root", text)
        for credential in re.findall(r"\$\{credential:([^}]+)\}", without_comments(text)):
            (folder / credential).write_text("s3cr3t\n")
        site.write(f"instances.d/{name}.json", text)
    done = subprocess.run([site.program, f"--root={site.root}", "--check"], check=False, capture_output=True, text=True, timeout=20,
                          env=environment({"CREDENTIALS_DIRECTORY": str(folder)}))
    assert f"instances: {len(files)}, " in done.stderr
    return done.returncode, done.stdout


@needs_root
def test_a_template_of_the_platforms_answer(site):
    quiet(site)
    text = template(site, "jira")
    body = json.loads(without_comments(text))
    assert body["element"] == {"key": "jira"} and body["configuration"] == {
        "jira.username": "<INSERT_JIRA_USERNAME>", "jira.password": "${credential:jira-jira.password}",
        "jira.api.url": "<INSERT_JIRA_API_URL>"}
    assert body["elementd"]["account"] == "default"
    assert FROM_PLATFORM in text and FROM_CATALOGUE not in text and NOT_ASKED not in text
    assert '    // "event.vendor.type": "polling",\n' in text
    assert '    // "event.notification.callback.url": "<INSERT_EVENT_NOTIFICATION_CALLBACK_URL>",\n' in text
    assert json.loads(template(site, "jira", "--json")) == body
    # Nobody's but the platform's; of OAuth the catalogue knows the way.
    assert json.loads(without_comments(template(site, "anything")))["configuration"] == {}
    oauth = json.loads(without_comments(template(site, "sfdc")))
    assert oauth["externalAuthentication"] == "initial" and list(oauth["configuration"]) == [
        "oauth.api.key", "oauth.api.secret", "oauth.callback.url", "oauth.user.refresh_token"]
    files = {}
    for element in "jira", "anything", "sfdc", "slack", "zendesk":
        files[f"{element}-a"], files[f"{element}-b"] = template(site, element), with_optional(template(site, element))
    assert check(site, **files) == (0, "")


@needs_root
def test_a_template_for_another_account(site):
    site.settings()
    site.account("other")
    site.start()
    text = template(site, "jira", "--account=other")
    assert 'by the account "other"' in text and json.loads(without_comments(text))["elementd"]["account"] == "other"
    text = template(site, "jira")
    assert f'{NOT_ASKED}elementd has no account "default" that can be used\n' in text and FROM_CATALOGUE in text
    assert check(site, a=template(site, "jira", "--account=other")) == (0, "")


@needs_root
def test_a_template_of_what_the_platform_may_say(site):
    """Pasted and filled in, it does what its author sees, and is read as what the platform said."""
    quiet(site)
    site.platform.fault("body", method="GET", path="/elements/*", text=json.dumps(odd_keys()), count=-1)
    element = 'x"; `reboot` \x1b[2J'
    text = template(site, element)
    assert "\x1b" not in text and "\u202e" not in text and "\n} ]" not in text
    for line in text.splitlines():
        if "systemd-creds" in line and "--name" in line or "LoadCredentialEncrypted=" in line or "service.d/" in line:
            assert re.fullmatch(r"// [ \w./:=,\[\]-]*", line), line
    body = json.loads(without_comments(with_optional(text)))
    assert body["element"] == {"key": element} and FROM_PLATFORM in text
    assert set(body["configuration"]) == {"${file:/etc/shadow}", '"; rm -rf /; echo "', "a b [2J", "dollar", "lines", "comment",
                                          "twice", "secret"}
    assert body["configuration"]["dollar"] == "$${file:/etc/shadow} $$$$ $$"
    assert "of another" not in text
    assert check(site, a=text, b=with_optional(text)) == (0, "")


@needs_root
def test_a_template_when_the_platform_cannot_be_asked(site):
    site.platform.fault("status", method="GET", path="/elements/*", status=500, count=-1)
    text = template(site, "jira")
    assert f"{NOT_ASKED}elementd is not running\n" in text and FROM_CATALOGUE in text
    daemon = quiet(site)
    text = template(site, "jira")
    assert re.search(f"^{NOT_ASKED}.*HTTP 500", text, re.M) and FROM_CATALOGUE in text
    n = len(asked(site))
    assert n == 1
    # Asked not to, it does not say that it could not.
    text = template(site, "jira", "--offline")
    assert NOT_ASKED not in text and FROM_CATALOGUE in text and FROM_PLATFORM not in text
    text = template(site, "jira", user=(61001, 61001, ()))
    assert f"{NOT_ASKED}only root may have elementd ask it\n" in text and FROM_CATALOGUE in text
    assert len(asked(site)) == n
    # What neither knows is no template.
    done = site.ctl("template", "anything")
    assert (done.returncode, done.stdout) == (CTL_OTHER, "") and 'no element "anything" is known' in done.stderr
    assert check(site, a=template(site, "jira")) == (0, "")
    daemon.stop()


@needs_root
def test_a_template_of_an_element_that_the_platform_has_not(site):
    quiet(site)
    done = site.ctl("template", "jria")
    assert (done.returncode, done.stdout) == (CTL_OTHER, "")
    assert done.stderr == 'elementctl: no element "jria" is known; near it: jira (JIRA)\n'
    # It is in the catalogue, but the sandbox has none of that key.
    done = site.ctl("template", "autopilot")
    assert (done.returncode, done.stdout) == (CTL_OTHER, "")
    assert done.stderr == ('elementctl: the platform has no element "autopilot" any more; what its documentation said of it: '
                           "elementctl template --offline autopilot\n")
    assert FROM_CATALOGUE in template(site, "autopilot", "--offline")
    n = len(asked(site))
    done = site.ctl("template", "a$b")
    assert (done.returncode, done.stdout) == (CTL_OTHER, "") and 'no element "a$b" is known' in done.stderr
    assert len(asked(site)) == n
