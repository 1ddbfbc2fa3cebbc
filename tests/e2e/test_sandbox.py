"""That the stand-in for the platform behaves as the platform does, and misbehaves as it is told."""

import base64
import http.client
import json
import re
import socket
import ssl
import time
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest

from harness.process import BUILD, Process
from harness.sandbox import PREFIX, Sandbox
from harness.wait import wait_until

USER, ORGANIZATION = "a-user/secret+=", "an-organization/secret+="
BODY = {"element": {"key": "jira"}, "name": "helpdesk", "tags": ["production", "elementd.o"],
        "configuration": {"jira.username": "ops", "jira.password": "hush", "jira.api.url": "https://x.example"}}
SAMPLE = Path(__file__).resolve().parents[1] / "data/answer-invalid.json"


class Client:
    """What a user of the platform does."""

    def __init__(self, sandbox, user=USER, organization=ORGANIZATION):
        self.sandbox = sandbox
        self.secrets = f"User {user}, Organization {organization}"

    def call(self, method, path, document=None, authorization=None, body=None, timeout=10, headers=None, **query):
        """Status, headers, body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.sandbox.port, timeout=timeout)
        if document is not None:
            body = json.dumps(document)
        sent = {"Authorization": authorization or self.secrets, "Content-Type": "application/json"} | (headers or {})
        target = PREFIX + path + ("?" + urlencode(query, doseq=True) if query else "")
        try:
            connection.request(method, target, body, sent)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def good(self, *arguments, **keywords):
        """The document of an answer that must be 200."""
        status, _, body = self.call(*arguments, **keywords)
        assert status == 200, f"{status} {body}"
        return json.loads(body) if body else None

    def bad(self, status, *arguments, **keywords):
        """The message of an answer that must be of that status, and of the platform's form."""
        actual, _, body = self.call(*arguments, **keywords)
        assert actual == status, f"{actual} {body}"
        error = json.loads(body)
        assert re.fullmatch("[0-9a-f]{24}", error["requestId"])
        return error["message"]

    def create(self, **changes):
        return self.good("POST", "/instances", BODY | changes)

    def exchange(self, request, timeout=10):
        """Raw bytes there and back, until the server closes."""
        with socket.create_connection(("127.0.0.1", self.sandbox.port), timeout) as connection:
            connection.sendall(request)
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
            return answer


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    sandbox = Sandbox(tmp_path_factory.mktemp("sandbox"), USER, ORGANIZATION)
    yield sandbox
    sandbox.stop()


@pytest.fixture
def client(sandbox):
    """With a platform that knows of nothing."""
    sandbox.forget_faults()
    # Not even of what an earlier test's client has not waited for.
    wait_until(lambda: sandbox.stats()["underWay"] == 0, "the platform is at rest")
    sandbox.call("DELETE", "/instances")
    sandbox.forget_requests()
    sandbox.settings(delayMs=0, tagsMode="or", tagsAsObjects=False, pageSizeMax=200, sampleAnswer=False)
    return Client(sandbox)


# --- The platform ---------------------------------------------------------------


def test_an_instance_lives_and_dies(sandbox, client):
    made = client.create(name="<b>help</b>desk")
    assert made["name"] == "helpdesk" and made["element"]["key"] == "jira" and made["tags"] == BODY["tags"]
    assert len(base64.b64decode(made["token"], validate=True)) == 32
    assert made["valid"] and not made["disabled"] and "createdDate" in made
    assert set(made["configuration"].values()) == {"********"}
    assert sandbox.instance(made["id"])["configuration"] == BODY["configuration"]
    path = f"/instances/{made['id']}"
    assert client.good("GET", path) == made

    changed = client.good("PATCH", path, {"tags": ["other"], "name": "new"})
    assert (changed["id"], changed["token"], changed["tags"], changed["name"]) == (
        made["id"], made["token"], ["other"], "new")
    assert sandbox.instance(made["id"])["configuration"] == BODY["configuration"]
    real = {"jira.username": "ops", "jira.password": "new", "jira.api.url": "u", "filter.response.nulls": False}
    assert client.good("PUT", path, BODY | {"configuration": real})["token"] == made["token"]
    assert sandbox.instance(made["id"])["configuration"] == real

    assert client.good("DELETE", path) is None
    assert str(made["id"]) in client.bad(404, "DELETE", path)
    client.bad(404, "GET", path)


def test_every_post_creates(client, sandbox):
    first, second = client.create(), client.create()
    assert first["id"] != second["id"] and first["token"] != second["token"]
    seen = sandbox.posts()
    assert [post["instance"] for post in seen] == [first["id"], second["id"]]
    assert json.loads(seen[0]["body"]) == BODY and seen[0]["status"] == 200
    assert seen[0]["headers"]["authorization"] == client.secrets
    assert seen[0]["startedUSec"] <= seen[0]["finishedUSec"]
    assert seen[0]["connection"] < seen[1]["connection"]


@pytest.mark.parametrize("status,words,document", [
    (400, "jira.password, jira.api.url", BODY | {"configuration": {"jira.username": "u", "jira.password": ""}}),
    (404, "nosuch", BODY | {"element": {"key": "nosuch"}}),
    (400, "element", {"name": "x"}),
    (400, "element.key", BODY | {"element": "jira"}),
    (400, "tags", BODY | {"tags": [1]}),
    (400, "flat", BODY | {"configuration": BODY["configuration"] | {"deep": {}}}),
    (400, "name", BODY | {"name": 1}),
    (400, "JSON object", [BODY]),
])
def test_what_the_platform_refuses(client, sandbox, status, words, document):
    assert words in client.bad(status, "POST", "/instances", document)
    assert sandbox.instances() == []


def test_refusals_of_form(client):
    client.bad(400, "POST", "/instances", body='{"element":')
    client.bad(415, "POST", "/instances", BODY, headers={"Content-Type": "text/plain"})
    client.bad(405, "PATCH", "/elements/jira")
    client.bad(404, "GET", "/nosuch")
    client.bad(400, "GET", "/instances", pageSize=0)
    client.bad(400, "GET", "/instances", nextPage="nosuch")
    document = BODY | {"configuration": BODY["configuration"] | {"jira.password": "refused-by-vendor"}}
    status, _, body = client.call("POST", "/instances", document)
    assert status == 400 and json.loads(body)["providerMessage"]


def test_listing(client, sandbox):
    assert client.bad(404, "GET", "/instances")
    ids = sandbox.plant(count=5, start=1, name="Plant {i}", tags=["all", "number {i}+"])
    assert [row["id"] for row in client.good("GET", "/instances")] == ids
    rows = client.good("GET", "/instances", **{"tags[]": "number 3+"})
    assert [(row["id"], row["name"], row["tags"]) for row in rows] == [(ids[2], "Plant 3", ["all", "number 3+"])]
    assert rows[0]["token"] == sandbox.instance(ids[2])["token"]
    assert [row["id"] for row in client.good("GET", "/instances", searchText="plant 4")] == [ids[3]]
    client.bad(404, "GET", "/instances", **{"tags[]": "number"})
    several = {"tags[]": ["number 1+", "all"]}
    assert len(client.good("GET", "/instances", **several)) == 5
    sandbox.settings(tagsMode="and", tagsAsObjects=True)
    assert [row["tags"][1]["name"] for row in client.good("GET", "/instances", **several)] == ["number 1+"]


def test_pages(client, sandbox):
    ids = sandbox.plant(count=450, tags=["all"])
    found, page, sizes = [], None, []
    while True:
        query = {"tags[]": "all", "pageSize": 1000} | ({"nextPage": page} if page else {})
        _, headers, body = client.call("GET", "/instances", **query)
        rows = json.loads(body)
        found += [row["id"] for row in rows]
        sizes.append(len(rows))
        page = headers.get("Elements-Next-Page-Token")
        if not page:
            break
        assert quote(page, safe="") != page  # so that a client which forgets to escape it is seen
    assert found == ids and sizes == [200, 200, 50]


def test_authorization(client, sandbox):
    made = client.create()
    user, organization = USER, ORGANIZATION
    parts = [f"User {user}", f"Organization {organization}", f"Element {made['token']}"]
    client.good("GET", "/instances", authorization=", ".join(reversed(parts)))
    assert client.good("GET", "/ping", authorization=f"{parts[2]},{parts[0]}")["endpoint"] == "jira"
    words = "Invalid Organization or User secret, or invalid Element token provided."
    for wrong in ("User x", parts[0], f"{parts[0]}, Organization x", f"User x, {parts[1]}", "Bearer x",
                  f"{parts[0]}, {parts[1]}, Element x"):
        assert client.bad(401, "GET", "/instances", authorization=wrong) == words
    sandbox.call("POST", f"/instances/{made['id']}/token", {"token": "rotated"})
    assert client.bad(401, "GET", "/ping", authorization=", ".join(parts)) == words
    assert client.good("GET", f"/instances/{made['id']}")["token"] == "rotated"


def test_disabled(client, sandbox):
    made = client.create()
    with_token = f"{client.secrets}, Element {made['token']}"
    client.good("DELETE", f"/instances/{made['id']}/enabled")
    assert client.good("GET", f"/instances/{made['id']}")["disabled"]
    client.bad(403, "GET", "/ping", authorization=with_token)
    client.good("PUT", f"/instances/{made['id']}/enabled")
    client.good("GET", "/ping", authorization=with_token)
    sandbox.call("POST", f"/instances/{made['id']}/disable")
    client.bad(403, "GET", "/instances", authorization=with_token)


def test_calls_without_id_act_on_the_element_token(client, sandbox):
    kept, lost = client.create(), client.create()
    with_token = f"{client.secrets}, Element {lost['token']}"
    client.bad(400, "DELETE", "/instances")
    assert client.good("PATCH", "/instances", {"name": "hit"}, authorization=with_token)["id"] == lost["id"]
    client.good("DELETE", "/instances", authorization=with_token)
    assert [instance["id"] for instance in sandbox.instances()] == [kept["id"]]


def test_users_see_their_own(client, sandbox):
    made = client.create()
    sandbox.settings(addAccount={"user": "u2", "organization": "o2"})
    other = Client(sandbox, "u2", "o2")
    other.bad(404, "GET", "/instances")
    other.bad(404, "DELETE", f"/instances/{made['id']}")
    mine = sandbox.plant(user="u2", organization="o2", name="mine")
    assert [row["id"] for row in other.good("GET", "/instances")] == mine
    sandbox.settings(revokeAccount={"user": "u2", "organization": "o2"})
    other.bad(401, "GET", "/instances")
    sandbox.settings(changeAccount={"user": "u2", "organization": "o2", "newUser": "u3", "newOrganization": "o3"})
    assert [row["id"] for row in Client(sandbox, "u3", "o3").good("GET", "/instances")] == mine


def test_elements(client, sandbox):
    assert client.good("GET", "/elements/jira")["name"] == "JIRA"
    keys = {key["key"]: key for key in client.good("GET", "/elements/jira/configuration")}
    assert keys["jira.password"]["required"] and keys["event.notification.enabled"]["defaultValue"] == "false"
    client.bad(404, "GET", "/elements/no%2Fsuch/configuration")
    client.good("POST", "/instances", {"element": {"key": "anything"}})
    sandbox.settings(requireConfiguration={"element": "drifting", "keys": ["base.url"]})
    assert "base.url" in client.bad(400, "POST", "/instances", {"element": {"key": "drifting"}})


# --- HTTP -----------------------------------------------------------------------


def test_http(client):
    head = f"POST {PREFIX}/instances HTTP/1.1\r\nHost: x\r\nAuthorization: {client.secrets}\r\n" \
           "Content-Type: application/json\r\n"
    body = json.dumps(BODY)
    chunks = f"Transfer-Encoding: chunked\r\n\r\n5\r\n{body[:5]}\r\n{len(body) - 5:x};x=y\r\n{body[5:]}\r\n0\r\n\r\n"
    last = f"Connection: close\r\nExpect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    answer = client.exchange((head + chunks + head + last).encode())  # two of them, pipelined
    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert len(client.sandbox.instances()) == 2
    for request, status in ((b"nonsense\r\n\r\n", 400), (b"GET / HTTP/1.1\r\n: x\r\n\r\n", 400),
                            (b"GET / HTTP/1.1\r\nA:" + b"x" * 300000 + b"\r\n\r\n", 431),
                            (b"GET / HTTP/1.1\r\n" + b"A:x\r\n" * 200 + b"\r\n", 431),
                            (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
                            (b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", 413),
                            (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", 400)):
        assert client.exchange(request).startswith(b"HTTP/1.1 %d " % status)


def test_tls(authority, tmp_path):
    sandbox = Sandbox(tmp_path, "u", "o", certificate=authority.issue("platform"))
    context = ssl.create_default_context(cafile=authority.certificate)
    connection = http.client.HTTPSConnection("127.0.0.1", sandbox.port, timeout=10, context=context)
    connect = sandbox.stats()["connections"]
    for _ in range(3):
        connection.request("GET", PREFIX + "/elements/jira", headers={"Authorization": "User u, Organization o"})
        assert connection.getresponse().read()
    stats = sandbox.stats()
    assert stats["connections"] == connect + 2 and stats["tlsHandshakes"] == stats["connections"]
    sandbox.fault("reset", when="after")
    with pytest.raises(OSError):
        connection.request("GET", PREFIX + "/elements/jira", headers={"Authorization": "User u, Organization o"})
        connection.getresponse()
    connection.close()
    sandbox.stop()


def test_state_survives(tmp_path):
    sandbox = Sandbox(tmp_path, "u", "o")
    client = Client(sandbox, "u", "o")
    kept, lost = client.create(), client.create()
    client.good("DELETE", f"/instances/{lost['id']}")
    client.good("PATCH", f"/instances/{kept['id']}", {"name": "n\u00e9w"})
    before = sandbox.instances()
    sandbox.process.kill()  # what was answered is kept even so
    sandbox.start()
    assert sandbox.instances() == before and before[0]["name"] == "n\u00e9w"
    assert client.create()["id"] > lost["id"]
    sandbox.stop()


def test_sample_answer(tmp_path):
    sandbox = Sandbox(tmp_path, "u", "o", options=["--sample-answer"])
    _, _, body = Client(sandbox, "u", "o").call("POST", "/instances", BODY)
    made = sandbox.instances()[0]
    expected = SAMPLE.read_bytes()
    for key, old in (("id", b"1234"), ("name", b'"Test"'), ("token", b'"AfYuaYxrBBbeSsE47JUwnOW/wYoBOx+rKoYh7rmd5lg="')):
        assert old in expected
        expected = expected.replace(old, json.dumps(made[key]).encode(), 1)
    assert body == expected
    with pytest.raises(ValueError):
        json.loads(body)
    sandbox.stop()


def test_options(tmp_path):
    def run(*options):
        process = Process([BUILD / "elements-sandbox", *options], tmp_path / "log")
        return process.wait(), process.output()

    assert run("--help")[0] == 0 and "--state=FILE" in run("--help")[1]
    assert run("--version")[0] == 0
    for wrong in (["--nosuch"], ["word"], ["--tls-cert=x"], ["--delay-ms=-1"], ["--listen=nowhere"],
                  ["--tags-mode=xor"], ["--state=/nosuch/state"], ["--tls-cert=/nosuch", "--tls-key=/nosuch"]):
        status, output = run(*wrong)
        assert status == 1 and output, wrong


# --- Faults ---------------------------------------------------------------------


def lost(client, timeout=0.5):
    """How a POST whose answer does not come ends."""
    try:
        client.call("POST", "/instances", BODY, timeout=timeout)
    except http.client.RemoteDisconnected:  # which is a ConnectionResetError too
        return "close"
    except ConnectionResetError:
        return "reset"
    except TimeoutError:
        return "hang"
    return "answer"


@pytest.mark.parametrize("when,committed", [("before", 0), ("after", 1)])
@pytest.mark.parametrize("action", ["reset", "close", "hang"])
def test_lost_answers(client, sandbox, action, when, committed):
    sandbox.fault(action, when=when, method="POST", path="/instances")
    assert lost(client) == action
    assert len(sandbox.instances()) == committed
    post = sandbox.posts()[0]
    assert post["outcome"] == action and post["status"] is None and (post["instance"] is not None) == bool(committed)
    client.create()


def test_late_commit(client, sandbox):
    for number, how in enumerate(("reset", "close", "hang")):
        sandbox.fault("late-commit", ms=700, how=how)
        assert lost(client) != "answer"
        assert len(sandbox.instances()) == number
        wait_until(lambda: len(sandbox.instances()) == number + 1, "the lost request is carried out")


def test_a_request_is_worked_on_when_its_client_has_gone(client, sandbox):
    sandbox.settings(delayMs=700)
    assert lost(client, timeout=0.2) == "hang" and sandbox.instances() == []
    wait_until(sandbox.instances, "the lost request is carried out")
    assert len(sandbox.instances()) == 1 and sandbox.posts()[0]["outcome"] == "gone"


@pytest.mark.parametrize("action,committed", [("delay", 0), ("delay-after", 1)])
def test_delays(client, sandbox, action, committed):
    sandbox.fault(action, ms=600)
    assert lost(client, timeout=0.2) == "hang" and len(sandbox.instances()) == committed
    sandbox.fault(action, ms=300)
    start = time.monotonic()
    client.create()
    assert time.monotonic() - start >= 0.3


def test_status_and_combinations(client, sandbox):
    sandbox.fault("status", status=429, retry_after=7)
    sandbox.fault("status", status=503, commit=True, message="busy", headers={"X-A": "b"})
    sandbox.fault("status", status=400, body="<html>", contentType="text/html", providerMessage="no")
    status, headers, body = client.call("POST", "/instances", BODY)
    assert status == 429 and headers["Retry-After"] == "7" and json.loads(body)["requestId"]
    assert sandbox.instances() == []
    sandbox.fault("delay", ms=1, count=-1)
    sandbox.fault("retry-after", value="Wed, 21 Oct 2026 07:28:00 GMT")
    status, headers, body = client.call("POST", "/instances", BODY)
    assert status == 503 and json.loads(body)["message"] == "busy" and headers["X-A"] == "b"
    assert headers["Retry-After"] == "Wed, 21 Oct 2026 07:28:00 GMT" and len(sandbox.instances()) == 1
    status, headers, body = client.call("POST", "/instances", BODY)
    assert status == 400 and body == b"<html>" and headers["Content-Type"] == "text/html"
    assert [(rule["applied"], rule["left"]) for rule in sandbox.faults()] == [(1, 0)] * 3 + [(2, -1), (1, 0)]
    sandbox.fault("status", status=202, commit=True)
    status, _, body = client.call("POST", "/instances", BODY)
    assert status == 202 and json.loads(body)["id"]
    sandbox.fault("redirect", location="http://127.0.0.1:1/")
    status, headers, _ = client.call("GET", "/instances")
    assert status == 302 and headers["Location"] == "http://127.0.0.1:1/"


def test_rules_match_what_they_say(client, sandbox):
    sandbox.fault("status", status=500, method="P*", path="/instances", element="j*", name="second", skip=1, count=2)
    names = ["first", "second", "second", "first", "second", "second"]
    statuses = [client.call("POST", "/instances", BODY | {"name": name})[0] for name in names]
    assert statuses == [200, 200, 500, 200, 500, 200]
    sandbox.fault("status", status=500, query="*searchText=x*", count=-1)
    assert client.call("GET", "/instances")[0] == 200
    assert client.call("GET", "/instances", searchText="x")[0] == 500


def test_bodies(client, sandbox):
    for rule, expected in (({}, b""), ({"text": "[1"}, b"[1"), ({"base64": "/w=="}, b"\xff"),
                           ({"size": 3}, b"AAA")):
        sandbox.fault("body", **rule)
        status, _, body = client.call("POST", "/instances", BODY)
        assert status == 200 and body == expected
    assert len(sandbox.instances()) == 4
    sandbox.fault("broken-json")
    _, _, body = client.call("POST", "/instances", BODY)
    made = sandbox.instances()[-1]
    assert f'"id":{made["id"]}'.encode() in body and made["token"].encode() in body.split(b"<a href")[0]
    with pytest.raises(ValueError):
        json.loads(body)
    sandbox.fault("garbage")
    assert b"HTTP" not in client.exchange(f"GET {PREFIX}/instances HTTP/1.1\r\n\r\n".encode())


def test_values(client, sandbox):
    for action, rule, key, expected in (
            ("token", {"text": "a\0b"}, "token", "a\0b"), ("token", {"raw": "null"}, "token", None),
            ("token", {"size": 1024 * 1024}, "token", "A" * 1024 * 1024), ("id", {"raw": '"12"'}, "id", "12"),
            ("id", {"raw": "1.5"}, "id", 1.5), ("id", {"raw": "-1"}, "id", -1),
            ("tags-objects", {}, "tags", [{"id": 1, "name": "production"}, {"id": 2, "name": "elementd.o"}])):
        sandbox.fault(action, **rule)
        assert client.create()[key] == expected
    sandbox.fault("omit-token")
    assert "token" not in client.create()
    sandbox.fault("token", base64="/w==")
    assert b'"token":"\xff"' in client.call("POST", "/instances", BODY)[2]
    sandbox.fault("repeat-page")
    _, headers, body = client.call("GET", "/instances", pageSize=2)
    again = client.good("GET", "/instances", pageSize=2, nextPage=headers["Elements-Next-Page-Token"])
    assert again == json.loads(body)


def test_delivery(client, sandbox):
    sandbox.fault("truncate", bytes=10)
    with pytest.raises(http.client.IncompleteRead) as error:
        client.create()
    assert len(error.value.partial) == 10 and error.value.expected > 100
    sandbox.fault("chunked", size=7)
    _, headers, body = client.call("POST", "/instances", BODY)
    assert headers["Transfer-Encoding"] == "chunked" and json.loads(body)["id"]
    sandbox.fault("chunked", omitLast=True)
    with pytest.raises(http.client.IncompleteRead):
        client.create()
    for coding in ([], ["chunked"]):
        sandbox.fault("huge", mib=20)
        for action in coding:
            sandbox.fault(action)
        _, _, body = client.call("POST", "/instances", BODY)
        assert len(body) > 20 * 1024 * 1024 and json.loads(body)["id"]
    sandbox.fault("slow", bytesPerSec=2000)
    sandbox.fault("body", text="x" * 1000)
    start = time.monotonic()
    assert client.call("POST", "/instances", BODY)[2] == b"x" * 1000
    assert time.monotonic() - start >= 0.3


# --- Control --------------------------------------------------------------------


@pytest.mark.parametrize("path,document,words", [
    ("/faults", {"action": "nosuch"}, "late-commit"),
    ("/faults", {"action": "delay"}, '"ms" is missing'),
    ("/faults", {"action": "delay", "ms": -1}, "an integer from 0"),
    ("/faults", {"action": "delay", "ms": 1, "status": 1}, 'Unknown key "status"'),
    ("/faults", {"action": "hang", "when": "never"}, "before after"),
    ("/faults", {"action": "body", "text": "a", "size": 1}, "Only one"),
    ("/faults", {"action": "body", "base64": "a"}, "malformed"),
    ("/faults", [[]], "action"),
    ("/faults", {"ms": 1}, '"action"'),
    ("/instances", {"nam": "x"}, 'Unknown key "nam"'),
    ("/instances", {"tags": [1]}, "array of strings"),
    ("/instances", {"user": "nosuch", "organization": "x"}, "no such account"),
    ("/settings", {"delay": 1}, "delayMs"),
    ("/settings", {"tagsMode": "xor"}, "and or"),
    ("/settings", {"addAccount": {"user": "x"}}, '"organization" is missing'),
])
def test_control_bodies_are_checked(client, sandbox, path, document, words):
    with pytest.raises(AssertionError, match=re.escape(words).replace('"', r'\\"')):
        sandbox.call("POST", path, document)
    assert sandbox.instances() == [] and sandbox.faults() == []


def test_control(client, sandbox):
    ids = sandbox.plant(element="anything", name="n{i}", token="t{i}", id=70000, count=2, disabled=True,
                        configuration={"k": "v{i}"}, createdUSec=1000000)
    assert ids == [70000, 70001]
    planted = sandbox.instance(70001)
    assert (planted["name"], planted["token"], planted["configuration"], planted["disabled"]) == (
        "n1", "t1", {"k": "v1"}, True)
    assert client.good("GET", "/instances/70001")["createdDate"] == "1970-01-01T00:00:01Z"
    sandbox.remove(70000)
    client.good("PUT", "/instances/70001/enabled")
    seen = sandbox.requests()
    assert [(request["method"], request["path"]) for request in seen] == [
        ("GET", "/instances/70001"), ("PUT", "/instances/70001/enabled")]
    assert sandbox.requests(path="*enabled") == seen[1:] == sandbox.requests(after=seen[0]["number"])
    stats = sandbox.stats()
    assert stats["connections"] > 0 and stats["tlsHandshakes"] == 0 and stats["underWay"] == 0
    assert stats["instances"] == 1 and stats["maxConcurrent"] >= 1


def test_many_at_a_time(client, sandbox):
    sandbox.settings(delayMs=300)
    created = sandbox.stats()["created"]
    body = json.dumps({"element": {"key": "anything"}})
    request = f"POST {PREFIX}/instances HTTP/1.1\r\nAuthorization: {client.secrets}\r\n" \
              f"Content-Type: application/json\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    connections = [socket.create_connection(("127.0.0.1", sandbox.port), 30) for _ in range(400)]
    for connection in connections:
        connection.sendall(request.encode())
    for connection in connections:
        assert connection.recv(16) == b"HTTP/1.1 200 OK\r"
        connection.close()
    stats = sandbox.stats()
    assert stats["created"] == created + 400 and stats["maxConcurrent"] > 100


def test_quit(tmp_path):
    sandbox = Sandbox(tmp_path, "u", "o", options=[f"--log={tmp_path / 'requests.log'}"])
    Client(sandbox, "u", "o").create()
    sandbox.call("POST", "/quit")
    assert sandbox.process.wait() == 0 and not sandbox.process.sanitizer_report()
    assert "POST /instances 200 answered" in (tmp_path / "requests.log").read_text()
