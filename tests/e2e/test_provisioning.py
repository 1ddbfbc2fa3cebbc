"""From a declared instance to a token: what goes to the platform, over what, and what is found again there."""

import json
import shutil
import socket
from pathlib import Path

import pytest

from harness.notify import NotifyListener
from harness.process import Process
from harness.sandbox import PREFIX
from harness.site import OWNER
from harness.sites import sites
from harness.wait import wait_until

DATA = Path(__file__).resolve().parents[1] / "data"


def our_tags(name):
    return [f"elementd.{OWNER}", f"elementd.{OWNER}.{name}"]


def test_two_instances_cost_one_post_each_exactly_as_documented(site):
    site.settings()
    site.account()
    bodies = {name: site.jira(name) for name in ("helpdesk", "backoffice")}
    site.start()
    tokens = {name: site.token(name) for name in bodies}

    posts = {json.loads(post["body"])["name"]: post for post in site.platform.posts()}
    assert len(site.platform.posts()) == 2 and set(posts) == set(bodies)
    for name, post in posts.items():
        assert json.loads(post["body"]) == bodies[name] | {"tags": ["production", *our_tags(name)]}
        assert post["target"] == PREFIX + "/instances"
        assert post["headers"]["authorization"] == f"User {site.user}, Organization {site.organization}"
        assert post["headers"]["content-type"].split(";")[0] == "application/json"
        assert "chunked" not in post["headers"].get("transfer-encoding", "")
    assert tokens == {row["name"]: row["token"] for row in site.platform.instances()}
    for request in site.platform.requests():
        assert "element" not in request["headers"]["authorization"].lower(), request["target"]


def test_the_body_goes_out_as_it_was_written(site):
    """Its keys in their order, its numbers with their digits, and nothing of ours."""
    site.settings()
    site.account()
    site.write("instances.d/one.json", """// comments are for people
        { "name": "one", "zeta": [1.10, 12345678901234567890, 1e2, -0, true, null],
          "elementd": { "allow": ["any"] },
          "configuration": { "b": 0.30000000000000000001, /* not sorted */ "a": "\\u00e4\\"\\\\ $$" },
          "element": { "key": "anything", "more": { "x": {} } } }""")
    site.start()
    site.token("one")
    [post] = site.platform.posts()
    assert "1.10" in post["body"] and "12345678901234567890" in post["body"] and "1e2" in post["body"]
    assert "0.30000000000000000001" in post["body"] and "elementd\":" not in post["body"].replace(" ", "")
    pairs = json.loads(post["body"], object_pairs_hook=list)
    assert [key for key, _ in pairs if key != "tags"] == ["name", "zeta", "configuration", "element"]
    assert dict(pairs)["configuration"][1] == ("a", "ä\"\\ $") or dict(pairs)["configuration"][1] == ["a", "ä\"\\ $"]
    assert json.loads(post["body"])["tags"] == our_tags("one")


def test_the_published_instance_file_is_refused_with_each_placeholder_named(site):
    site.settings()
    site.account()
    text = (DATA / "instance.json").read_text()
    file = site.write("instances.d/helpdesk.json", text)
    placeholders = ["<INSERT_JIRA_USERNAME>", "<INSERT_JIRA_PASSWORD>", "<INSERT_JIRA_SUBDOMAIN_URL>",
                    "<INSERT_TAGS>", "<INSERT_INSTANCE_NAME>"]
    for done in (site.check(), site.ctl("check")):
        assert done.returncode == 1, done.args
        said = (done.stdout + done.stderr).splitlines()
        for placeholder in placeholders:
            line = 1 + text[:text.index(placeholder)].count("\n")
            [problem] = [row for row in said if placeholder in row]
            assert problem.startswith(f"{file}:{line}:"), problem
    site.start()
    row = site.wait_for_state("helpdesk", "failed")
    assert str(file) in row["problem"] and "<INSERT_" in row["problem"]
    assert site.platform.requests() == []


def test_the_published_instance_file_filled_in_is_posted_as_documented(site):
    site.settings()
    site.account()
    text = (DATA / "instance.json").read_text()
    password = site.secrets.new("the password")
    for placeholder, value in {"<INSERT_JIRA_USERNAME>": "ops@example.com", "<INSERT_JIRA_PASSWORD>": password,
                               "<INSERT_JIRA_SUBDOMAIN_URL>": "https://example.atlassian.net",
                               "<INSERT_TAGS>": "production", "<INSERT_INSTANCE_NAME>": "Helpdesk"}.items():
        text = text.replace(placeholder, value)
    site.write("instances.d/helpdesk.json", text)
    assert site.check().returncode == 0
    site.start()
    site.wait_for_state("helpdesk", "ready")
    [post] = site.platform.posts()
    assert json.loads(post["body"]) == json.loads(text) | {"tags": ["production", *our_tags("helpdesk")]}


def test_secrets_come_from_credentials_and_files(site):
    site.settings()
    credentials = site.directory / "credentials"
    credentials.mkdir(mode=0o700)
    password = site.secrets.new("the password")
    for name, value in {"user": site.user, "organization": site.organization + "\n", "password": password + "\n"}.items():
        (credentials / name).write_text(value)
        (credentials / name).chmod(0o400)
    site.account(user="${credential:user}", organization=f"${{file:{credentials}/organization}}")
    site.instance("one", {"element": {"key": "anything"}, "name": "$${credential:user}",
                          "configuration": {"password": "${credential:password}", "both": "<${credential:password}>"}})
    site.start(env={"CREDENTIALS_DIRECTORY": str(credentials)})
    site.token("one")
    [post] = site.platform.posts()
    body = json.loads(post["body"])
    assert body["configuration"] == {"password": password, "both": f"<{password}>"}
    assert body["name"] == "${credential:user}"
    assert post["headers"]["authorization"] == f"User {site.user}, Organization {site.organization}"


# --- TLS ---

def test_over_https_with_a_private_authority(site, authority):
    site.start_platform(site.certificate())
    site.settings()
    site.account(ca_file=str(authority.certificate))
    site.instance("one")
    site.start()
    assert site.token("one") == site.platform.instances()[0]["token"]
    assert len(site.platform.posts()) == 1


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_over_http2_where_it_is_offered(site, authority):
    """nghttpx speaks HTTP/2 to the daemon and HTTP/1.1 to the platform; its log says what was spoken."""
    if not shutil.which("nghttpx"):
        pytest.skip("nghttpx is missing: packaging/install-deps test")
    certificate = site.certificate()
    port, log = free_port(), site.directory / "nghttpx.log"
    proxy = Process(["nghttpx", f"--frontend=127.0.0.1,{port}", f"--backend=127.0.0.1,{site.platform.port}",
                     "--workers=1", f"--accesslog-file={log}", "--accesslog-format=$request",
                     certificate.key, certificate.chain], site.directory / "nghttpx.out")
    try:
        site.settings()
        site.account(url=f"https://127.0.0.1:{port}/elements/api-v2", ca_file=str(authority.certificate))
        for i in range(20):
            site.instance(f"i{i}")
        site.start()
        for i in range(20):
            site.token(f"i{i}", timeout=20)
    finally:
        proxy.kill()
    assert len(site.platform.posts()) == 20
    lines = log.read_text().splitlines()
    assert len(lines) >= 21 and all(line.endswith("HTTP/2") for line in lines), lines[:3]


def test_a_wrong_authority_is_a_clear_transient_problem(site, authority, tmp_path):
    """And once the right one is there, all goes well without any more ado."""
    site.start_platform(site.certificate())
    site.settings()
    stranger = type(authority)(tmp_path, "stranger")
    trusted = site.directory / "corp.pem"
    trusted.write_bytes(stranger.certificate.read_bytes())
    site.account(ca_file=str(trusted))
    site.instance("one")
    daemon = site.start()
    row = site.wait_for_state("one", "waiting")
    assert "certificate" in row["problem"], row
    assert row["retryUSec"] and not row["hasToken"]
    assert site.platform.requests() == [], "nothing may be sent to whom nobody vouches for"
    daemon.wait_for_log("certificate")
    assert site.ctl("token", "one").returncode == 3

    trusted.write_bytes(authority.certificate.read_bytes())
    assert site.token("one") == site.platform.instances()[0]["token"]


def test_a_certificate_for_another_host_is_refused(site, authority):
    site.start_platform(site.certificate("DNS:elsewhere.example"))
    site.settings()
    site.account(ca_file=str(authority.certificate))
    site.instance("one")
    site.start()
    assert "certificate" in site.wait_for_state("one", "waiting")["problem"]
    assert site.platform.requests() == []


def test_a_redirect_is_not_followed(site):
    """It would take the secrets to whoever it names."""
    other = site.start_platform()
    target = site.start_platform()
    site.settings()
    site.account(url=other.url)
    site.instance("one")
    other.fault("redirect", location=target.url + "/instances", status=307, count=-1)
    site.start()
    row = site.wait_for_state("one", "waiting")
    assert "redirect" in row["problem"].lower() or "307" in row["problem"], row
    assert target.requests() == []


# --- finding again what was lost ---

@pytest.mark.parametrize("tags", ["strings", "objects"])
def test_a_fresh_state_directory_adopts_by_tag_across_pages(site, tags):
    """250 others of this host stand before ours, so that it is on a page of its own."""
    site.simple("one")
    site.platform.settings(tagsAsObjects=tags == "objects")
    site.platform.plant(element="anything", count=250, name="other{i}", tags=our_tags("other{i}"))
    token = site.secrets.new("the token that was lost")  # but the records may hold this one
    site.tokens.names[token[:24]] = site.secrets.names.pop(token[:24])
    [wanted] = site.platform.plant(element="anything", name="one", tags=["mine", *our_tags("one")], token=token)
    site.start()
    assert site.token("one") == token
    assert site.instances()["one"]["id"] == wanted
    assert site.platform.posts() == []
    pages = site.platform.requests("GET", "/instances")
    assert len(pages) >= 3 and all(f"elementd.{OWNER}" in page["query"] for page in pages)
    # Rows move while others come and go: only what two passes in a row show is believed.
    asked = [page["query"] for page in pages]
    assert asked[:len(asked) // 2] == asked[len(asked) // 2:] and len(set(asked)) == len(asked) // 2


def test_a_lost_record_is_found_again(site):
    """The whole way: created by us, lost by us, adopted by us."""
    site.simple("one", "two")
    daemon = site.start()
    tokens = {name: site.token(name) for name in ("one", "two")}
    daemon.stop()
    site.forget_state()
    site.start()
    assert {name: site.token(name) for name in tokens} == tokens
    assert len(site.platform.posts()) == 2 and len(site.platform.instances()) == 2


def test_what_is_tagged_for_another_host_or_name_is_left_alone(site):
    site.simple("one")
    site.platform.plant(element="anything", name="one", tags=["elementd.otherhost", "elementd.otherhost.one"])
    site.platform.plant(element="anything", name="one", tags=[f"elementd.{OWNER}", f"elementd.{OWNER}.one.more"])
    site.platform.plant(element="anything", name="one", tags=[f"elementd.{OWNER}.one.more", f"elementd.{OWNER}"])
    site.platform.plant(element="anything", name="one", tags=["production"])
    before = {row["id"] for row in site.platform.instances()}
    site.start()
    site.token("one")
    [created] = {row["id"] for row in site.platform.instances()} - before
    assert site.instances()["one"]["id"] == created


def test_of_two_matches_the_lowest_id_is_adopted_and_the_other_reported(site):
    site.simple("one")
    first, second = (site.platform.plant(element="anything", name="one", tags=our_tags("one"))[0] for _ in range(2))
    daemon = site.start()
    assert site.token("one") == site.platform.instance(min(first, second))["token"]
    daemon.wait_for_log(str(max(first, second)))
    assert [request["method"] for request in site.platform.requests()] == ["GET"], "nothing is created or deleted"
    assert len(site.platform.instances()) == 2


def test_after_a_restart_without_the_platform_the_first_token_is_served_without_a_request(site):
    site.simple("one", "two")
    daemon = site.start()
    tokens = {name: site.token(name) for name in ("one", "two")}
    daemon.stop()
    site.platform.stop()
    daemon = site.start("@(connect):path=tcp*:error=ENETUNREACH")
    assert site.ask("one") == tokens["one"]  # at once: GetToken does not wait
    assert site.ask("two") == tokens["two"]
    assert daemon.faults.calls("connect", "^tcp:") == []
    done = site.ctl("token", "one")
    assert done.returncode == 0 and done.stdout == tokens["one"] + "\n" and done.stderr == ""


def test_records_that_cannot_be_read_are_set_aside_and_the_tokens_adopted(site):
    site.simple("one")
    daemon = site.start()
    token = site.token("one")
    daemon.stop()
    broken = '{"version": 1, "records": [{"name": "one", "tok'
    for name in ("records.json", "records.json~"):
        if (site.state / name).exists():
            (site.state / name).write_text(broken)
    daemon = site.start()
    assert site.token("one") == token
    assert len(site.platform.posts()) == 1
    daemon.wait_for_log("records.json")
    kept = [path for path in site.state.iterdir() if path.read_text() == broken]
    assert kept, "what cannot be read is kept for whoever can"


def test_commits_that_wait_for_their_turn_are_not_forgotten(site):
    """Even if what comes between finding out that it is too early and setting the timer takes longer than that."""
    names = [f"i{n}" for n in range(40)]
    manager = NotifyListener(site.directory)
    site.simple(*names, parallel=3)
    site.platform.settings(delayMs=35)
    daemon = site.start("sendmsg:path=*notify:delay=50ms;fsync:delay=10ms", env={"NOTIFY_SOCKET": str(manager.path)},
                        wait=False)
    site.wait_for_socket(daemon)
    wait_until(lambda: manager.poll() and all(row["hasToken"] for row in site.instances().values()), "all have a token")
    manager.close()


def pause_between_commits(site, expected):
    """Milliseconds from the end of the first token's commit to the begin of the second's, which comes meanwhile."""
    sync = 100
    site.simple("first", "second", *expected, parallel=3)
    for name, ms in {"first": 300, "second": 400, **expected}.items():
        site.platform.fault("delay", method="POST", name=name, ms=ms)
    daemon = site.start(f"fsync:delay={sync}ms")
    site.token("first")
    site.token("second")
    files = daemon.faults.calls("fsync", r"records\.json\.new$")
    folders = daemon.faults.calls("fsync", "elementd$")
    assert len(files) == 3, "of the intents, and of each token"
    end = next(call for call in folders if call.usec > files[1].usec)
    return (files[2].usec - end.usec) / 1000 - sync


def test_a_commit_waits_for_company_while_answers_are_expected(site):
    """So that of many answers several share one, and the disk has its peace in between."""
    assert pause_between_commits(site, {"third": 5000}) >= 45


def test_the_last_commit_waits_for_nobody():
    """One of three tries, since the machine may be slow."""
    with sites(range(3)) as hosts:
        pauses = [pause_between_commits(host, {}) for host in hosts.values()]
    assert min(pauses) < 45, pauses
