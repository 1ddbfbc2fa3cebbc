"""What the platform may answer instead of a token, and what becomes of it."""

import json
from pathlib import Path

import pytest

from harness.site import CTL_FAILED, CTL_NOT_READY, OWNER
from harness.wait import stays_true, wait_until

DATA = Path(__file__).resolve().parents[1] / "data"


# --- errors that need a person ---

@pytest.mark.parametrize("says", ["which are missing", "nothing useful"])
def test_a_missing_key_fails_and_each_missing_key_is_named(site, says):
    site.settings()
    site.account()
    site.instance("helpdesk", {"element": {"key": "jira"}, "configuration": {"jira.username": "ops"}, "name": "helpdesk"})
    site.instance("other")
    if says == "nothing useful":
        site.platform.fault("status", method="POST", element="jira", status=400, count=-1,
                            message="The request could not be understood.")
    site.start()
    row = site.wait_for_state("helpdesk", "failed")
    assert "jira.password" in row["problem"] and "jira.api.url" in row["problem"], row["problem"]
    assert "jira.username" not in row["problem"]
    if says == "nothing useful":
        assert "could not be understood" in row["problem"]
    assert row["retryUSec"] is None and not row["hasToken"]
    done = site.ctl("token", "helpdesk")
    assert done.returncode == CTL_FAILED and done.stdout == ""
    assert "jira.password" in done.stderr and "jira.api.url" in done.stderr
    site.token("other")
    assert len([post for post in site.platform.posts() if "jira" in post["body"]]) == 1, "it is not tried again"


def test_a_refusal_tells_the_platforms_request_id_and_words(site):
    site.simple("one")
    site.platform.fault("status", method="POST", status=422, message="The vendor said no.", count=-1)
    daemon = site.start()
    row = site.wait_for_state("one", "failed")
    assert "The vendor said no." in row["problem"]
    daemon.wait_for_log("The vendor said no.")


def test_secrets_in_a_platforms_message_are_not_shown(site):
    """A platform that repeats what it was sent must not take it to the log."""
    site.settings()
    site.account()
    body = site.instance("one")
    password = body["configuration"]["password"]
    site.platform.fault("status", method="POST", status=400, count=-1,
                        message=f"Invalid password '{password}' for user '{site.user}'.")
    site.start()
    row = site.wait_for_state("one", "failed")
    assert password[:24] not in row["problem"] and site.user[:24] not in row["problem"], row["problem"]
    assert "Invalid password" in row["problem"]


@pytest.mark.parametrize("secret", ["-----BEGIN KEY-----\nMIIEvQIBADANB\n-----END KEY-----\n", 84711234567])
def test_secrets_of_more_than_one_line_and_numbers_are_not_shown_either(site, secret):
    site.settings()
    site.account()
    site.instance("one", {"element": {"key": "anything"}, "name": "one", "configuration": {"key": secret}})
    site.platform.fault("status", method="POST", status=400, count=-1, message=f"The key {secret} is bad.")
    daemon = site.start()
    problem = site.wait_for_state("one", "failed")["problem"]
    assert "The key *** is bad." in problem, problem
    daemon.wait_for_log("is bad")
    daemon.stop()
    for text in (problem, daemon.output(), site.records_file.read_text()):
        assert "MIIEvQIBADANB" not in text and "84711234567" not in text


PAUSED = "nothing is created or changed meanwhile"


def test_a_burst_of_401_is_one_pause_and_calls_back_what_was_not_sent(site):
    names = [f"new{i:02}" for i in range(12)]
    site.simple(*names, parallel=4)
    site.platform.fault("delay", method="POST", ms=300, count=-1)
    site.platform.fault("status", method="POST", status=401, count=-1)
    site.platform.fault("status", method="GET", status=401, skip=1, count=-1)
    daemon = site.start()
    for name in names:
        site.wait_for_state(name, "waiting")
    wait_until(lambda: len([post for post in site.platform.posts() if post["status"]]) == 4, "all that were sent are answered")
    daemon.stop()
    [pause] = site.document()["pauses"]
    assert pause["attempts"] == 1, pause
    assert daemon.output().count(PAUSED) == 1
    assert len(site.platform.posts()) == 4, "only those that were under way"


def test_a_problem_that_stays_the_same_is_logged_once(site):
    """Whatever number the platform gives to the request that had it."""
    site.simple("one")
    site.platform.settings(revokeAccount={"user": site.user, "organization": site.organization})
    daemon = site.start()
    wait_until(lambda: any(pause["attempts"] == 2 for pause in (site.document() or {}).get("pauses", [])), "two tries")
    assert len(site.platform.requests()) == 2
    assert daemon.output().count(PAUSED) == 1


def test_bad_account_secrets_create_nothing_and_cached_tokens_go_on(site):
    """With one probe at a time for the account, however many instances wait; right secrets end it."""
    site.simple("old")
    daemon = site.start()
    token = site.token("old")
    daemon.stop()
    site.platform.settings(revokeAccount={"user": site.user, "organization": site.organization})
    news = [f"new{i}" for i in range(5)]
    for name in news:
        site.instance(name)
    site.platform.forget_requests()
    site.start()
    for name in news:
        site.wait_for_state(name, "waiting")

    # The first pauses are drawn from 1 s, and from 1 s to 3 s.
    stays_true(lambda: site.ask("old") == token, "the cached token is served", 2.5)
    requests = site.platform.requests()
    assert 1 <= len(requests) <= 4, [request["target"] for request in requests]
    assert {request["method"] for request in requests} == {"GET"}
    starts = [request["startedUSec"] for request in requests]
    assert all(later - earlier > 900_000 for earlier, later in zip(starts, starts[1:])), "each probe backs off"
    row = site.instances()["new0"]
    assert "401" in row["problem"] or "secret" in row["problem"], row["problem"]
    assert row["retryUSec"]
    done = site.ctl("token", "new0")
    assert done.returncode == CTL_NOT_READY and done.stdout == ""

    site.platform.settings(changeAccount={"user": site.user, "organization": site.organization,
                                          "newUser": site.user, "newOrganization": site.organization})
    tokens = {name: site.token(name) for name in news}
    assert len(set(tokens.values())) == 5 and len(site.platform.instances()) == 6


# --- errors that pass ---

@pytest.mark.parametrize("status", [503, 429])
def test_retry_after_is_honoured(site, status):
    site.simple("one")
    site.platform.fault("status", method="POST", status=status, retry_after="3")
    site.start()
    row = site.wait_for_state("one", "waiting")
    assert str(status) in row["problem"], row["problem"]
    token = site.token("one")

    first, second = site.platform.posts()
    told = first["finishedUSec"] + 3_000_000
    assert second["startedUSec"] >= told - 50_000
    assert second["startedUSec"] <= told + 3_000_000, "not much later either"
    assert abs(row["retryUSec"] - told) < 1_500_000
    between = [request for request in site.platform.requests() if first["startedUSec"] < request["startedUSec"] < told - 50_000]
    assert between == [], "it was asked to wait with everything"
    assert [row["token"] for row in site.platform.instances()] == [token]


# What becomes of the answer to a POST, and whether the platform has carried it out.
LOST_ANSWERS = {
    "reset-before": (False, {"action": "reset"}),
    "reset-after": (True, {"action": "reset", "when": "after"}),
    "close-before": (False, {"action": "close"}),
    "close-after": (True, {"action": "close", "when": "after"}),
    "hang-before": (False, {"action": "hang"}),
    "hang-after": (True, {"action": "hang", "when": "after"}),
    # The platform goes on working on a request whose client has gone.
    "late-commit": (True, {"action": "late-commit", "ms": 1000, "how": "reset"}),
    "late-commit-hang": (True, {"action": "late-commit", "ms": 1500, "how": "hang"}),
    "truncated-before-id": (True, {"action": "truncate", "bytes": 3}),
    "truncated-in-id": (True, {"action": "truncate", "bytes": 7}),
    "truncated-before-token": (True, {"action": "truncate", "bytes": 30}),
    "empty-answer": (True, {"action": "body"}),
    "html-answer": (True, {"action": "body", "text": "<html>Welcome</html>", "contentType": "text/html"}),
    "not-http": (True, {"action": "garbage", "when": "after"}),
    "no-token": (True, {"action": "omit-token"}),
    "500-before": (False, {"action": "status", "status": 500}),
    "500-after": (True, {"action": "status", "status": 500, "commit": True}),
    "502-html": (True, {"action": "status", "status": 502, "commit": True, "body": "<html>Bad Gateway</html>",
                        "contentType": "text/html"}),
    "504-after": (True, {"action": "status", "status": 504, "commit": True}),
    "408-after": (True, {"action": "status", "status": 408, "commit": True}),
}


def test_whatever_becomes_of_the_answer_one_instance_remains(site):
    """All at once, each with an instance and a fault of its own."""
    site.simple(*LOST_ANSWERS, parallel=64, request_timeout_sec=2)
    for name, (_, rule) in LOST_ANSWERS.items():
        site.platform.fault(method="POST", name=name, **rule)
    site.start()
    tokens = {name: site.token(name, timeout=40) for name in LOST_ANSWERS}

    there = {name: [row for row in site.platform.instances() if row["name"] == name] for name in LOST_ANSWERS}
    wrong = [f"{name}: {len(rows)} instances" for name, rows in there.items() if len(rows) != 1]
    wrong += [f"{name}: another token is served" for name, rows in there.items() if rows and rows[0]["token"] != tokens[name]]
    for name, (is_committed, _) in LOST_ANSWERS.items():
        posts = [post for post in site.platform.posts() if json.loads(post["body"])["name"] == name]
        if len(posts) != (1 if is_committed else 2):
            wrong.append(f"{name}: {len(posts)} POSTs")
        # Before it is created again, the time in which the platform may still carry it out has passed.
        if len(posts) == 2 and posts[1]["startedUSec"] - posts[0]["startedUSec"] < 1_900_000:
            wrong.append(f"{name}: created again after {(posts[1]['startedUSec'] - posts[0]['startedUSec']) / 1e6:.1f} s")
    assert not wrong, "\n".join(wrong)


def test_an_answer_that_ends_after_the_token_is_good_enough(site):
    """Cut off, or without the last chunk, but id and token were there: no second look at the list is needed."""
    site.simple("cut", "unchunked")
    site.platform.fault("truncate", method="POST", name="cut", bytes=250)
    site.platform.fault("chunked", method="POST", name="unchunked", omitLast=True)
    site.start()
    tokens = {name: site.token(name) for name in ("cut", "unchunked")}
    assert {row["name"]: row["token"] for row in site.platform.instances()} == tokens
    assert len(site.platform.posts()) == 2
    lists = site.platform.requests("GET", "/instances")
    assert len(lists) == 1, "only the look-up before creating"


def test_the_documented_answer_which_is_not_json_keeps_the_token_and_is_confirmed(site):
    site.start_platform(options=["--sample-answer"])
    site.settings()
    site.account()
    site.jira("helpdesk")
    site.start()
    token = site.token("helpdesk")
    [instance] = site.platform.instances()
    assert instance["token"] == token and len(site.platform.posts()) == 1
    assert site.wait_for_state("helpdesk", "ready")["id"] == instance["id"]
    wait_until(lambda: site.instances()["helpdesk"]["verifiedUSec"], "the token is confirmed")
    assert len(site.platform.requests("GET", f"/instances/{instance['id']}")) == 1


def test_the_published_sample_answer_byte_for_byte(site):
    """Its id and token stand before the break."""
    site.simple("one")
    token = "AfYuaYxrBBbeSsE47JUwnOW/wYoBOx+rKoYh7rmd5lg="
    site.tokens.add("the published token", token)
    site.platform.plant(id=1234, element="jira", name="Test", token=token, tags=["not ours, to be found by its id alone"])
    site.platform.fault("status", method="POST", status=200, commit=False, body=(DATA / "answer-invalid.json").read_text())
    site.start()
    assert site.token("one") == token
    assert site.wait_for_state("one", "ready")["id"] == 1234
    wait_until(lambda: site.instances()["one"]["verifiedUSec"], "the token is confirmed")
    assert len(site.platform.posts()) == 1


@pytest.mark.parametrize("end", ["stop", "kill"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_back_off_survives_a_restart(site, method, end):
    """Whoever was told to wait does not come back at once because it was restarted."""
    site.simple("one")
    site.platform.fault("status", method=method, path="/instances", status=503, retry_after="3")
    daemon = site.start()
    retry = site.wait_for_state("one", "waiting")["retryUSec"]
    if end == "stop":
        daemon.stop()
    else:
        wait_until(lambda: site.records_file.exists() and "retryUSec" in site.records_file.read_text(),
                   "the back-off is on disk")
        daemon.kill()
    site.platform.forget_requests()
    site.start()
    row = site.wait_for_state("one", "waiting")
    assert abs(row["retryUSec"] - retry) < 200_000
    site.token("one")
    assert site.platform.requests()[0]["startedUSec"] >= retry - 50_000


def test_retries_back_off(site):
    """A platform that is down is not asked more and more."""
    site.simple("one", "two", "three")
    site.platform.fault("status", status=500, count=-1)
    site.start()
    site.wait_for_state("one", "waiting")
    stays_true(lambda: len(site.platform.requests()) <= 6, "few requests in 3 s", 3)
    assert site.platform.posts() == []


def test_a_platform_that_is_not_there_is_waited_for(site):
    site.simple("one")
    platform = site.platform
    platform.stop()
    daemon = site.start()
    row = site.wait_for_state("one", "waiting")
    assert "onnect" in row["problem"], row["problem"]
    assert row["retryUSec"]
    platform.start()
    assert site.token("one") == platform.instances()[0]["token"]
    assert daemon.is_running()


# --- one bad thing among good ones ---

def test_a_bad_instance_file_does_not_stop_the_others(site):
    site.simple("good")
    files = {"syntax": '{"element": {"key": "jira"},}', "curly": '{“element”: {"key": "jira"}}', "empty-object": "{}",
             "twice": '{"element": {"key": "a"}, "element": {"key": "b"}}',
             "typo": '{"element": {"key": "anything"}, "elementd": {"alow": []}}',
             "reference": '{"element": {"key": "anything"}, "configuration": {"p": "${file:/nonexistent/secret}"}}',
             "account": '{"element": {"key": "anything"}, "elementd": {"account": "nobody"}}'}
    paths = {name: site.write(f"instances.d/{name}.json", text) for name, text in files.items()}
    site.start()
    assert site.token("good")
    for name, path in paths.items():
        row = site.wait_for_state(name, "failed")
        assert str(path) in row["problem"], row
    assert "alow" in site.instances()["typo"]["problem"] and "allow" in site.instances()["typo"]["problem"]
    assert len(site.platform.instances()) == 1
    for done in (site.check(), site.ctl("check")):
        assert done.returncode == 1
        for path in paths.values():
            assert f"{path}:" in done.stdout + done.stderr


def test_a_bad_account_file_does_not_stop_other_accounts(site):
    site.simple("good")
    site.write("accounts.d/broken.json", {"url": "http://elsewhere.example", "user": site.user, "organization": site.organization})
    site.instance("bad", account="broken")
    site.start()
    assert site.token("good")
    assert "broken.json" in site.wait_for_state("bad", "failed")["problem"]


@pytest.mark.parametrize("text", ["{", '{"owner": "testhost", "paralel": 3}', '{"owner": 7}'])
def test_with_broken_settings_nothing_is_created_and_cached_tokens_go_on(site, text):
    """Who we are on the platform may be what is broken."""
    site.simple("old")
    daemon = site.start()
    token = site.token("old")
    daemon.stop()
    site.instance("new")
    site.write("elementd.json", text)
    site.platform.forget_requests()
    daemon = site.start()
    assert site.ask("old") == token
    stays_true(lambda: not site.platform.posts(), "nothing is created", 0.7)
    assert not site.instances()["new"]["hasToken"]
    assert "elementd.json" in (site.instances()["new"]["problem"] or "")
    assert "elementd.json:" in daemon.output()
    assert site.check().returncode == 1


def test_instances_of_another_owner_are_not_adopted_after_the_owner_changed(site):
    """Two hosts with the same declarations share nothing."""
    site.simple("one")
    daemon = site.start()
    token = site.token("one")
    daemon.stop()
    site.forget_state()
    site.settings(owner=f"{OWNER}2")
    site.start()
    assert site.token("one") != token
    assert len(site.platform.instances()) == 2
