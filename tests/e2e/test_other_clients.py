"""Clients that others wrote, as Debian ships them, against the real daemon.

Debian 12 has Varlink's own library for Go (golang-github-varlink-go-dev) and its generator of code
(varlink-go); both are here. It has neither libvarlink with its tool `varlink`, nor a Varlink for Python
or Rust; its systemd (252) is older than varlinkctl, which came with 255.
"""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.process import die_with_parent, environment
from harness.tables import ROOT, source
from harness.wait import wait_until

# The first of them compiles Go's own libraries.
pytestmark = pytest.mark.timeout(300)

GOPATH = Path("/usr/share/gocode")
GENERATOR = "varlink-go-interface-generator"

SERVICE, OURS = "org.varlink.service", "io.elementd"


def need(condition, package):
    if not condition:
        pytest.skip(f"{package} is not installed: packaging/install-deps test")


class Go:
    """What compiles the programs of tests/clients: nothing is fetched, and nothing is left behind."""

    def __init__(self, folder):
        need(shutil.which("go"), "golang-go")
        need((GOPATH / "src/github.com/varlink/go/varlink").is_dir(), "golang-github-varlink-go-dev")
        self.folder = folder

    def build(self, name):
        program = self.folder / name
        variables = environment({"GOPATH": f"{self.folder}:{GOPATH}", "GOCACHE": str(self.folder / "cache"),
                                 "GO111MODULE": "off", "GOENV": "off", "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"})
        done = subprocess.run(["go", "build", "-o", program, ROOT / f"tests/clients/{name}.go"], env=variables, cwd="/",
                              check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=280)
        assert done.returncode == 0, done.stdout + done.stderr
        return program


@pytest.fixture(scope="session")
def go(tmp_path_factory):
    return Go(tmp_path_factory.mktemp("go"))


@pytest.fixture(scope="session")
def library(go):
    return go.build("library")


@pytest.fixture(scope="session")
def generated(go):
    """Of the interface as it is; that the daemon serves this text is shown by the library's test."""
    need(shutil.which(GENERATOR), "varlink-go")
    package = go.folder / "src/ioelementd"
    package.mkdir(parents=True)
    shutil.copy(ROOT / f"ipc/{OURS}.varlink", package)
    subprocess.run([GENERATOR, package / f"{OURS}.varlink"], check=True, cwd=package, timeout=60)
    assert (package / "ioelementd.go").exists()
    return go.build("generated")


class Client:
    """A client that prints JSON lines, started in a test's folder."""

    def __init__(self, folder, *command):
        self.output = folder / f"output{len(list(folder.iterdir()))}"
        with open(self.output, "wb") as output:
            self.process = subprocess.Popen([str(part) for part in command], stdin=subprocess.PIPE, stdout=output,
                                            stderr=output, env=environment(), cwd="/", text=True,
                                            preexec_fn=die_with_parent)
        self.n_read = 0

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def lines(self):
        return self.output.read_text().split("\n")[:-1]

    def read(self):
        """The next line."""
        def has_more():
            assert len(self.lines()) > self.n_read or self.process.poll() is None, self.output.read_text()
            return len(self.lines()) > self.n_read
        wait_until(has_more, "the client prints a line")
        self.n_read += 1
        return json.loads(self.lines()[self.n_read - 1])

    def ask(self, do, name=None, count=1, **parameters):
        self.tell(json.dumps({"do": do, "name": name, "count": count, "parameters": parameters}))
        return self.read()

    def end(self):
        """Its input ends, and so must it, with nothing more to say."""
        self.process.stdin.close()
        assert self.process.wait(20) == 0, self.output.read_text()
        assert len(self.lines()) == self.n_read, self.lines()[self.n_read:]


@pytest.fixture
def start(site, tmp_path):
    started = []

    def start_client(program, *arguments):
        started.append(Client(tmp_path, program, f"unix:{site.socket}", *arguments))
        return started[-1]

    yield start_client
    for client in started:
        client.process.kill()
        client.process.wait()


def change_token(site):
    """On the platform alone: nobody tells elementd."""
    row, = site.platform.instances()
    new = site.tokens.new("the next token")
    site.platform.call("POST", f"/instances/{row['id']}/token", {"token": new})
    return new


def declared(kind):
    return re.findall(rf"^{kind} (\w+)", source(f"ipc/{OURS}.varlink"), re.M)


# --- the library -------------------------------------------------------------------

def test_the_library_learns_of_the_service(site, library, start):
    site.simple("one")
    site.start()
    client = start(library)
    info = client.ask("info")
    assert info == site.connect().call(f"{SERVICE}.GetInfo")
    assert info["product"] and info["version"] and set(info["interfaces"]) == {SERVICE, OURS}
    described = client.ask("describe", OURS)
    assert described == {"text": source(f"ipc/{OURS}.varlink"), "name": OURS,
                         "doc": "Hands out the tokens of the element instances that this host declares.",
                         "types": declared("type"), "methods": declared("method"), "errors": declared("error")}
    assert {"GetToken", "WatchToken"} <= set(described["methods"]) and "NoSuchInstance" in described["errors"]
    described = client.ask("describe", SERVICE)
    assert described["name"] == SERVICE and described["methods"] == ["GetInfo", "GetInterfaceDescription"]
    assert client.ask("describe", "com.example")["error"] == f"{SERVICE}.InterfaceNotFound"
    client.end()


def test_the_library_calls(site, library, start):
    site.simple("one", "two")
    site.start()
    tokens = {name: site.token(name) for name in ("one", "two")}
    client = start(library)
    for name, token in tokens.items():
        reply = client.ask("call", f"{OURS}.GetToken", instance=name, timeoutUSec=20_000_000)["reply"]
        assert reply["token"] == token and reply["id"] == site.instances()[name]["id"]
    rows = client.ask("call", f"{OURS}.ListInstances")["reply"]["instances"]
    assert {row["name"]: row["state"] for row in rows} == {"one": "ready", "two": "ready"}
    assert client.ask("call", f"{OURS}.GetToken", instance="nothing") == {
        "error": f"{OURS}.NoSuchInstance", "type": "Error", "parameters": {"instance": "nothing"}}
    assert client.ask("call", f"{OURS}.GetToken") == {
        "error": f"{SERVICE}.InvalidParameter", "type": "InvalidParameter", "parameters": {"parameter": "instance"}}
    assert client.ask("call", f"{OURS}.GetNothing") == {
        "error": f"{SERVICE}.MethodNotFound", "type": "MethodNotFound", "parameters": {"method": f"{OURS}.GetNothing"}}
    assert client.ask("call", f"{OURS}.WatchToken", instance="one")["error"] == f"{SERVICE}.ExpectedMore"
    # An error has not cost it the connection.
    assert client.ask("call", f"{OURS}.GetToken", instance="one")["reply"]["token"] == tokens["one"]
    client.end()


@pytest.mark.parametrize("how", ["call", "oneway"])
def test_the_library_watches_and_reports(site, library, start, how):
    site.simple("one")
    site.start()
    token, instance_id = site.token("one"), site.instances()["one"]["id"]
    watching, client = start(library), start(library)
    assert watching.ask("watch", f"{OURS}.WatchToken", count=2, instance="one") == {
        "reply": {"token": token, "id": instance_id}, "continues": True}
    new = change_token(site)
    reported = client.ask(how, f"{OURS}.ReportRejected", instance="one", token=token)
    assert reported == ({"reply": {}} if how == "call" else {"sent": f"{OURS}.ReportRejected"})
    assert watching.read() == {"reply": {"token": new, "id": instance_id}, "continues": True}
    # A oneway call has no reply, not even an error: what comes next is the next call's.
    if how == "oneway":
        client.ask(how, f"{OURS}.ReportRejected", instance="nothing", token=token)
    assert client.ask("call", f"{OURS}.GetToken", instance="one")["reply"]["token"] == new
    client.end()
    watching.end()


# --- generated code ------------------------------------------------------------------

def test_generated_code(site, generated, start):
    site.simple("one")
    site.start()
    client = start(generated, "one")
    row, = wait_until(lambda: [row for row in site.platform.instances() if row["token"]], "there is a token")
    assert client.read() == {"token": row["token"], "id": row["id"]}
    assert client.read() == {"error": "NoSuchInstance", "instance": "nothing"}
    listed, = client.read()["instances"]
    ours = {key: value for key, value in site.instances()["one"].items() if value is not None}
    assert listed == ours and (ours["state"], ours["hasToken"], ours["id"]) == ("ready", True, row["id"])
    assert client.read() == {"token": row["token"], "id": row["id"], "continues": True}
    new = change_token(site)
    client.tell("report it")
    assert client.read() == {"token": new, "id": row["id"], "continues": True}
    client.end()
