"""Every kind of answer to every request: where it leads, and that it never leads to a second instance.

One daemon for each request; each case is an instance of it, which meets its own fault once.
"""

import json

import pytest

from harness.site import OWNER
from harness.wait import wait_until

STATUSES = [204, 301, 302, 400, 401, 402, 403, 404, 405, 406, 408, 409, 410, 413, 415, 418, 422, 429,
            500, 501, 502, 503, 504]

# A clear word of the platform about this request; all else is tried again.
REFUSALS = {400, 402, 403, 404, 405, 406, 410, 415, 418, 422}

HTML = {"body": "<html><body>no</body></html>", "contentType": "text/html"}


def errors():
    """Each status as the platform words it, and as something before it does."""
    for status in STATUSES:
        if status >= 400:
            yield f"{status}-platform", {"action": "status", "status": status}
        yield f"{status}-html", {"action": "status", "status": status, **HTML}
    # JSON, but not the platform's: it has no request id.
    yield "404-json", {"action": "status", "status": 404, "body": '{"message": "no Route matched with those values"}'}
    for status in (413, 429, 500, 503):
        yield f"{status}-later", {"action": "status", "status": status, "retry-after": "1"}


def broken():
    """Answers that say that all is well, and do not show what."""
    yield "empty", {"action": "body"}
    yield "html", {"action": "body", "text": HTML["body"], "contentType": HTML["contentType"]}
    yield "null", {"action": "body", "text": "null"}
    yield "types", {"action": "body", "text": '{"id": "1", "token": 2, "tags": {}, "element": []}'}
    yield "bytes", {"action": "body", "base64": "AP+A/g=="}
    yield "unlike-http", {"action": "garbage", "when": "after"}
    yield "no-token", {"action": "omit-token"}
    yield "cut", {"action": "truncate", "bytes": 5}
    yield "huge", {"action": "huge", "mib": 70}


def losses():
    for action in ("reset", "close", "hang"):
        for when in ("before", "after"):
            yield f"{action}-{when}", {"action": action, "when": when}


def names(site, *kinds):
    """Settings, and for each case an instance in the account that a 401 would pause for it alone."""
    cases = {f"c{name}": rule for kind in kinds for name, rule in kind}
    site.settings(parallel=128, request_timeout_sec=2)
    site.account()
    for name in cases:
        account = "default"
        if "401" in name:
            account = name
            site.account(name)
        site.instance(name, account=account)
    return cases


def number_of(rows):
    """How many there are of each name."""
    counts = {}
    for row in rows:
        counts[row["name"]] = counts.get(row["name"], 0) + 1
    return counts


def posted(site):
    return [json.loads(post["body"]) for post in site.platform.posts()]


def settled(site, cases):
    """All rows, once none of them waits for anything."""
    def rows():
        found = site.instances()
        return found if all(found[name]["state"] in ("ready", "failed", "disabled") for name in cases) else None
    return wait_until(rows, "all have come to an end", timeout=40, pause=0.1)


def test_answers_to_a_creation(site):
    cases = names(site, errors(), broken(), losses())
    # Carried out, whatever was said.
    for status in (*REFUSALS, 408, 429, 500, 502, 503, 504):
        cases[f"done-{status}"] = {"action": "status", "status": status, "commit": True, **HTML}
        site.instance(f"done-{status}")
    for name, rule in cases.items():
        site.platform.fault(rule.pop("action"), method="POST", path="/instances", name=name, **rule)
    site.start()
    rows, wrong = settled(site, cases), []
    there, tries = number_of(site.platform.instances()), number_of(posted(site))
    tokens = {row["name"]: row["token"] for row in site.platform.instances()}
    for name in cases:
        is_refused = name.endswith("-platform") and int(name[1:4]) in REFUSALS
        expected = ("failed", 0, 1) if is_refused else ("ready", 1, tries[name])
        found = (rows[name]["state"], there.get(name, 0), tries[name])
        if found != expected or tries[name] > 2:
            wrong.append(f"{name}: {found}: {rows[name]['problem']}")
        elif not is_refused and site.ask(name) != tokens[name]:
            wrong.append(f"{name}: another token is served")
    assert not wrong, "\n".join(wrong)


def test_answers_to_a_verification(site):
    """None of them takes a token away, and none makes another instance."""
    cases = names(site, errors(), broken(), losses())
    daemon = site.start()
    settled(site, cases)
    daemon.stop()
    document = site.document()
    ids = {row["name"]: row["id"] for row in document["records"]}
    tokens = {row["name"]: row["token"] for row in document["records"]}
    for row in document["records"]:
        del row["verifiedUSec"]
    site.records_file.write_text(json.dumps(document))
    for name, rule in cases.items():
        site.platform.fault(rule.pop("action"), method="GET", path=f"/instances/{ids[name]}", **rule)
    site.start()
    assert {name: site.ask(name) for name in cases} == tokens

    def verified():
        rows = site.instances()
        return rows if all(rows[name]["verifiedUSec"] or rows[name]["state"] == "disabled" for name in cases) else None
    rows = wait_until(verified, "all are verified", timeout=40, pause=0.1)
    assert {name: site.ask(name) for name in cases} == tokens
    disabled = {name for name in cases if rows[name]["state"] == "disabled"}
    assert disabled == {"c402-platform", "c403-platform"}
    assert len(site.platform.posts()) == len(site.platform.instances()) == len(cases)


def fault_each(site, cases, method, ids):
    for name, rule in cases.items():
        rule = dict(rule)
        site.platform.fault(rule.pop("action"), method=method, path=f"/instances/{ids[name]}", **rule)


# A 404 in the platform's own words means that there is none: looked up, it is found after all, and changed then.
REFUSED_CHANGES = REFUSALS - {402, 403, 404}


def refuses_change(name):
    return name.endswith("-platform") and int(name[1:4]) in REFUSED_CHANGES


def check_answers_to_a_change(site, method, change, is_changed):
    """Whatever is said: one instance each, its token served all the while, and the change there unless it was refused."""
    cases = names(site, errors(), broken(), losses())
    site.start()
    settled(site, cases)
    ids = {row["name"]: row["id"] for row in site.platform.instances()}
    tokens = {name: site.ask(name) for name in cases}
    fault_each(site, cases, method, ids)
    for name in cases:
        account = name if "401" in name else "default"
        site.instance(name, change(name), account=account)
    assert sorted(site.reload()["changed"]) == sorted(cases)
    assert {name: site.ask(name) for name in cases} == tokens

    def wrong():
        there, rows = {row["id"]: row for row in site.platform.instances()}, site.instances()
        for name in cases:
            row, is_refused = rows[name], refuses_change(name)
            # Those that are disabled, by a word that is taken back by the next verification, wait for that.
            if row["state"] != ("failed" if is_refused else "ready") and "402" not in name and "403" not in name:
                yield f"{name}: {row['state']}: {row['problem']}"
            elif is_changed(there[ids[name]]) is is_refused and row["state"] != "disabled":
                yield f"{name}: {row['state']}, the platform has {there[ids[name]]}"

    try:
        wait_until(lambda: not list(wrong()), "all have come to an end", timeout=45, pause=0.2)
    except AssertionError:
        raise AssertionError("\n".join(wrong())) from None
    assert {name: site.ask(name) for name in cases} == tokens
    assert len(site.platform.posts()) == len(site.platform.instances()) == len(cases)
    disabled = {name for name, row in site.instances().items() if row["state"] == "disabled"}
    assert disabled == {"c402-platform", "c403-platform"}


@pytest.mark.timeout(120)
def test_answers_to_an_update(site):
    check_answers_to_a_change(
        site, "PUT", lambda name: {"element": {"key": "anything"}, "name": name, "configuration": {"key": "new"}},
        lambda row: row["configuration"].get("key") == "new")


@pytest.mark.timeout(120)
def test_answers_to_a_relabelling(site):
    def relabelled(name):
        body = json.loads((site.etc / f"instances.d/{name}.json").read_text())
        del body["elementd"]
        return body | {"tags": ["new"]}
    check_answers_to_a_change(site, "PATCH", relabelled, lambda row: "new" in row["tags"])


@pytest.mark.timeout(120)
def test_answers_to_a_removal(site):
    """In the end it is gone, unless the platform has refused that, or says that it is gone."""
    cases = names(site, errors(), broken(), losses())
    for name in cases:
        site.instance(name, account=name if "401" in name else "default", on_remove="delete")
    site.instance("stays")
    site.start()
    settled(site, cases)
    ids = {row["name"]: row["id"] for row in site.platform.instances()}
    fault_each(site, cases, "DELETE", ids)
    for name in cases:
        site.undeclare(name)
    assert sorted(site.reload()["removed"]) == sorted(cases)
    refused = {ids[name] for name in cases if name.endswith("-platform") and int(name[1:4]) in REFUSALS - {404}}
    # A success that is a lie cannot be told from one.
    lied_about = {ids[name] for name in ("c204-html", "c404-platform")}
    names_by_id = {number: name for name, number in ids.items()}

    def wrong():
        there = {row["id"] for row in site.platform.instances()}
        # The next look-up sees through the lies.
        orphans = {row["id"]: row for row in site.orphans().values() if row["id"] not in lied_about}
        for number in there ^ (refused | lied_about | {ids["stays"]}):
            yield f"{names_by_id[number]}: {'still' if number in there else 'not'} there: {orphans.get(number)}"
        for number in set(orphans) ^ refused:
            yield f"{names_by_id[number]}: {'' if number in orphans else 'no'} orphan: {orphans.get(number)}"

    try:
        wait_until(lambda: not list(wrong()), f"all but {len(refused)} are gone", timeout=45, pause=0.2)
    except AssertionError:
        raise AssertionError("\n".join(wrong())) from None
    assert not any(row["isDeleting"] for row in site.orphans().values())
    assert site.token("stays") and site.document()["records"][0]["name"] == "stays"


@pytest.mark.timeout(120)
def test_answers_to_the_question_what_is_required(site):
    """It explains a refusal, and nothing hangs on it."""
    cases = names(site, errors(), broken(), losses())
    site.platform.fault("status", method="POST", path="/instances", status=400, message="something is missing", count=-1)
    for rule in cases.values():
        rule = dict(rule)
        site.platform.fault(rule.pop("action"), method="GET", path="/elements/anything/configuration", **rule)
    site.start()
    rows = wait_until(lambda: (found := site.instances()) and
                      all(found[name]["state"] == "failed" for name in cases) and found, "all are refused", timeout=45, pause=0.2)
    assert all("something is missing" in rows[name]["problem"] for name in cases)
    assert len(site.platform.posts()) == len(cases) and site.platform.instances() == []


# An empty list in the platform's own words is the one thing that allows a creation.
ALLOWED = {"404-platform"}


def test_answers_to_a_look_up(site):
    """An account for each, whose look-ups meet them in any order: whoever has met one finds its instance after all."""
    rules = [rule for kind in (errors(), broken(), losses()) for name, rule in kind if name not in ALLOWED]
    site.settings(parallel=128, request_timeout_sec=2)
    cases = [f"c{i}" for i in range(len(rules))]
    for name in cases:
        site.account(name)
        site.instance(name, account=name)
        site.platform.plant(element="anything", name=name, tags=[f"elementd.{OWNER}", f"elementd.{OWNER}.{name}"])
    for rule in rules:
        site.platform.fault(rule.pop("action"), method="GET", path="/instances", **rule)
    site.start()
    tokens = {row["name"]: row["token"] for row in site.platform.instances()}
    stuck = []

    def adopted():
        # A row without a token is there and cannot be used: that one waits for longer.
        rows = site.instances()
        stuck[:] = [f"{name}: {rows[name]['state']}: {rows[name]['problem']}" for name in cases
                    if not rows[name]["hasToken"] and "our tag" not in (rows[name]["problem"] or "")]
        return not stuck
    try:
        wait_until(adopted, "all are adopted", timeout=30, pause=0.1)
    except AssertionError:
        raise AssertionError("\n".join(stuck)) from None
    unused = [fault for fault in site.platform.faults() if not fault["applied"]]
    assert not unused, unused
    rows = site.instances()
    assert {name: site.ask(name) for name in cases if rows[name]["hasToken"]}.items() <= tokens.items()
    assert site.platform.posts() == [] and len(site.platform.instances()) == len(cases)
