"""elementctl status says what is wrong and what to do about it, for all that goes wrong most.

A row of the table brings a host into its trouble, and says what a person is told: one line for the cause, with since when and
the next try where there is one, and one that begins with what to do. The JSON form says the same.
"""

import json
import re
import time

import pytest

from harness.site import CTL_DENIED, CTL_FAILED, CTL_NO_DAEMON, CTL_NOT_READY, CTL_OK
from harness.tls import Authority
from harness.units import cgroup, finish_loading, needs_units, start_loading
from harness.users import needs_root
from harness.wait import wait_until

SINCE = r"; since (\d\d:\d\d:\d\d|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) \((just now|\d+ (s|min) ago)\)"
NEXT = r"; next try at (\d\d:\d\d:\d\d|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) \((now|in \d+ (s|min))\)"
SINCE_THEN = r"; since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \(.*\); next try at .*"  # by another clock than ours
TO_DO = "    to do: "

YEAR = 365 * 24 * 3600


# --- troubles: each brings `site` into one ---

def no_account(site):
    site.settings()
    site.instance("helpdesk")
    site.start()
    site.wait_for_state("helpdesk", "failed")


def wrong_secrets(site):
    site.simple("helpdesk")
    site.platform.settings(revokeAccount={"user": site.user, "organization": site.organization})
    site.start()
    site.wait_for_state("helpdesk", "waiting")


def platform_down(site):
    site.simple("helpdesk", "other")
    site.platform.stop()
    site.start()
    site.wait_for_state("helpdesk", "waiting")
    site.wait_for_state("other", "waiting")


def missing_keys(site):
    site.settings()
    site.account()
    site.instance("helpdesk", {"element": {"key": "jira"}, "configuration": {"jira.username": "ops"}, "name": "helpdesk"})
    site.start()
    site.wait_for_state("helpdesk", "failed")


def unreadable_file(site):
    site.settings()
    site.account()
    site.instance("helpdesk", {"element": {"key": "anything"}, "configuration": {"password": "${file:/nonexistent/password}"}})
    site.start()
    site.wait_for_state("helpdesk", "failed")


def unreadable_credential(site):
    site.settings()
    site.account(user="${credential:user-secret}")
    site.instance("helpdesk")
    site.start()
    site.wait_for_state("helpdesk", "failed")


def disabled(site):
    site.simple("helpdesk")
    daemon = site.start()
    site.token("helpdesk")
    [instance] = site.platform.instances()
    site.platform.call("POST", f"/instances/{instance['id']}/disable")
    assert site.ctl("retry", "helpdesk").returncode == CTL_OK
    site.wait_for_state("helpdesk", "disabled")
    assert daemon.is_running()


def untrusted_certificate(site):
    authority = Authority(site.directory, "platforms")
    other = Authority(site.directory, "others")
    site.start_platform(authority.issue("server"))
    site.settings()
    site.account(ca_file=str(other.certificate))
    site.instance("helpdesk")
    site.start()
    site.wait_for_state("helpdesk", "waiting")


def no_certificates(site):
    authority = Authority(site.directory, "platforms")
    site.start_platform(authority.issue("server"))
    site.settings()
    site.account(ca_file=str(site.write("corp.pem", "no certificate\n")))
    site.instance("helpdesk")
    site.start()
    site.wait_for_state("helpdesk", "waiting")


def wrong_clock(direction):
    def bring(site):
        authority = Authority(site.directory, "platforms")
        site.start_platform(authority.issue("server"))
        site.settings()
        site.account(ca_file=str(authority.certificate))
        site.instance("helpdesk")
        site.start(f"clock_gettime:offset={direction}{YEAR}s")
        site.wait_for_state("helpdesk", "waiting")
    return bring


def full_disk(site):
    site.simple("helpdesk", "other")
    site.start("@(write|writev|pwrite):path=records.json.new:error=ENOSPC")
    site.wait_for_state("helpdesk", "waiting")
    site.wait_for_state("other", "waiting")


def refused(site):
    site.simple("helpdesk")
    site.platform.fault("status", method="POST", status=422, message="The vendor said no.", count=-1)
    site.start()
    site.wait_for_state("helpdesk", "failed")


def syntax(site):
    site.simple("good")
    site.write("instances.d/helpdesk.json", '{"element": {"key": "jira"},}')
    site.start()
    site.token("good")
    site.wait_for_state("helpdesk", "failed")


ETC = "{root}/etc/elementd"

# Kind: the trouble, the exit status, the cause (a regular expression), what follows it, and how advice begins.
TROUBLES = {
    "no-account": ("noAccount", no_account, CTL_FAILED, r"elementd \(for helpdesk\): no account is declared", SINCE,
                   f"edit {ETC}/accounts.d/default.json: "),
    "wrong-secrets": ("secretsRefused", wrong_secrets, CTL_FAILED, r"account default \(for helpdesk\): .*\(HTTP 401\)",
                      SINCE + NEXT, f"edit {ETC}/accounts.d/default.json, "),
    "platform-down": ("unreachable", platform_down, CTL_NOT_READY,
                      r"account default \(for helpdesk, other\): cannot reach the platform: .*", SINCE + NEXT,
                      f'check "url" in {ETC}/accounts.d/default.json, '),
    "missing-keys": ("missingKeys", missing_keys, CTL_FAILED,
                     r'helpdesk: .*missing in "configuration": jira.password, jira.api.url', SINCE,
                     f"edit {ETC}/instances.d/helpdesk.json: "),
    "unreadable-file": ("fileUnreadable", unreadable_file, CTL_FAILED,
                        r"helpdesk: /.*/instances\.d/helpdesk\.json:6:17: \$\{file:/nonexistent/password\}: cannot be read: "
                        "No such file or directory", SINCE, "ls -l that file: "),
    "unreadable-credential": ("credentialUnreadable", unreadable_credential, CTL_FAILED,
                              r"account default \(for helpdesk\): /.*/accounts\.d/default\.json:3:11: "
                              r"\$\{credential:user-secret\}: this process was given no credentials.*", SINCE,
                              "sudo systemctl edit elementd, "),
    "disabled": ("disabled", disabled, CTL_FAILED, "helpdesk: the platform has disabled it.*", SINCE,
                 "enable the instance on the platform; then: sudo elementctl retry helpdesk"),
    "untrusted-certificate": ("certificateUntrusted", untrusted_certificate, CTL_FAILED,
                              r"account default \(for helpdesk\): cannot reach the platform: .*certificate.*", SINCE + NEXT,
                              f'edit {ETC}/accounts.d/default.json: "ca-file" '),
    "no-certificates": ("certificateUntrusted", no_certificates, CTL_FAILED,
                        r"account default \(for helpdesk\): cannot reach the platform: .*corp\.pem.*", SINCE + NEXT,
                        f'edit {ETC}/accounts.d/default.json: "ca-file" '),
    "clock-ahead": ("certificateTime", wrong_clock(""), CTL_FAILED,
                    r"account default \(for helpdesk\): cannot reach the platform: .*certificate has expired", SINCE_THEN,
                    "timedatectl shows the clock of this host, which may be wrong: "),
    "clock-behind": ("certificateTime", wrong_clock("-"), CTL_FAILED,
                     r"account default \(for helpdesk\): cannot reach the platform: .*certificate is not yet valid", SINCE_THEN,
                     "timedatectl shows the clock of this host, which may be wrong: "),
    "full-disk": ("diskFull", full_disk, CTL_FAILED,
                  r"elementd \(for helpdesk, other\): the records cannot be written \(No space left on device\), "
                  "so nothing new is created", SINCE + NEXT, "df -h {root}/var/lib/elementd: "),
    "refused": ("refused", refused, CTL_FAILED, r"helpdesk: The vendor said no\. \(HTTP 422\).*", SINCE,
                f"edit {ETC}/instances.d/helpdesk.json as the platform says; "),
    "syntax": ("configuration", syntax, CTL_FAILED, r"helpdesk: /.*/instances\.d/helpdesk\.json:1:\d+: .*", SINCE,
               "edit that file at that place, then: sudo elementctl check"),
}


def entries(done):
    """Cause and advice of each thing that was told."""
    lines = done.stdout.splitlines()
    found = [(lines[i - 1], line.removeprefix(TO_DO)) for i, line in enumerate(lines) if line.startswith(TO_DO)]
    assert all(not cause.startswith(" ") for cause, _ in found), done.stdout
    return found


@pytest.mark.parametrize("name", TROUBLES)
def test_status_says_what_is_wrong_and_what_to_do(site, name):
    kind, bring, status, cause, rest, advice = TROUBLES[name]
    bring(site)
    done = site.ctl("status")
    [told] = entries(done)
    assert re.fullmatch(cause + rest, told[0]), told[0]
    assert told[1].startswith(advice.format(root=site.root)), told[1]
    assert (done.returncode, done.stderr) == (status, "")
    document = json.loads(site.ctl("status", "--json").stdout)
    [trouble] = document["troubles"]
    assert trouble["kind"] == kind and trouble["advice"] == told[1] and "helpdesk" in trouble["instances"]
    assert trouble["problem"] in told[0]
    assert ("retryUSec" in trouble) == ("next try" in told[0])
    # Of the one instance, too, with the same advice.
    done = site.ctl("status", "helpdesk")
    lines = done.stdout.splitlines()
    assert lines[-2].startswith("   problem  ") and lines[-1] == "     to do  " + told[1], done.stdout
    assert done.returncode == status
    assert json.loads(site.ctl("status", "helpdesk", "--json").stdout)["problemKind"] == kind


def test_the_cause_of_many_is_told_once_and_all_else_beside_it(site):
    """Also of what is only under way, and where a token is served all the same."""
    site.settings()
    site.account()
    site.account("eu", url="http://127.0.0.1:1/elements/api-v2")
    names = [f"eu{i:02}" for i in range(10)]
    for name in names:
        site.instance(name, account="eu")
    site.account("us", url="http://127.0.0.1:1/elements/api-v2")
    site.instance("us", account="us")
    site.instance("busy")
    site.platform.fault("hang", method="POST", name="busy", count=-1)
    site.start()
    for name in names:
        site.wait_for_state(name, "waiting")
    site.wait_for_state("us", "waiting")
    site.wait_for_state("busy", "creating")
    done = site.ctl("status")
    assert done.stdout.startswith("12 instances: 1 creating, 11 waiting\n\n"), done.stdout
    (cause, _), (other, _), (under_way, wait) = entries(done)
    assert other.startswith("account us (for us): cannot reach the platform: ")
    assert cause.startswith(f"account eu (for {', '.join(names[:8])} and 2 more): cannot reach the platform: ")
    assert (under_way, wait) == ("busy (creating): under way, and nothing is wrong so far", "elementctl wait")
    assert done.returncode == CTL_NOT_READY
    eu, us = json.loads(site.ctl("status", "--json").stdout)["troubles"]
    assert (eu["instances"], us["instances"]) == (names, ["us"])
    # Of another account than one's own nothing is told.
    assert "eu" not in site.ctl("status", "busy").stdout


def test_all_that_is_well_says_so(site):
    site.simple("helpdesk")
    site.start()
    site.token("helpdesk")
    done = site.ctl("status")
    assert (done.returncode, done.stdout) == (CTL_OK, "the only instance is ready\n")
    assert json.loads(site.ctl("status", "--json").stdout)["troubles"] == []
    assert site.ctl("status", "helpdesk").returncode == CTL_OK


def test_what_is_wrong_is_told_also_when_no_instance_suffers_from_it(site):
    """A disk that is full while all have their tokens; accounts that nothing uses; no account and no instance."""
    site.simple("helpdesk")
    site.account("broken", url="ftp://example.com")
    daemon = site.start(faults=True)
    site.token("helpdesk")
    daemon.faults.set("@(write|writev|pwrite):path=records.json.new:error=ENOSPC")
    site.platform.call("POST", f"/instances/{site.platform.instances()[0]['id']}/token", {})
    assert site.ctl("retry", "helpdesk").returncode == CTL_OK

    def told():
        found = entries(site.ctl("status"))
        return found if len(found) == 2 else None
    (disk, _), (account, edit) = wait_until(told, "the disk is full")
    assert "records cannot be written" in disk and site.instances()["helpdesk"]["hasToken"]
    assert re.match(r"account broken: /.*/accounts\.d/broken\.json:2:\d+: ", account) and edit.startswith("edit that file ")
    daemon.faults.set()
    wait_until(lambda: len(entries(site.ctl("status"))) == 1, "the disk has room again")
    daemon.stop()
    for path in ("instances.d/helpdesk.json", "accounts.d/default.json", "accounts.d/broken.json"):
        (site.etc / path).unlink()
    site.start()
    done = site.ctl("status")
    assert done.stdout.startswith("no instance is declared")
    [(cause, _)] = entries(done)
    assert cause == "elementd: no account is declared" and done.returncode == CTL_FAILED


@pytest.mark.parametrize("bring, name", [(platform_down, "unreachable"), (missing_keys, "missingKeys")])
def test_since_when_survives_tries_and_restarts(site, bring, name):
    bring(site)
    since = site.instances()["helpdesk"]["problemSinceUSec"]
    problem = site.instances()["helpdesk"]["problem"]
    if bring is platform_down:
        wait_until(lambda: (site.document() or {"pauses": []})["pauses"], "the pause is on disk")
    time.sleep(2.5)  # a try or two
    assert site.instances()["helpdesk"]["problemSinceUSec"] == since
    site.daemon.stop()
    site.start()
    row = wait_until(lambda: (rows := site.instances())["helpdesk"]["problem"] and rows["helpdesk"], "it is told again")
    assert (row["problemKind"], row["problemSinceUSec"], row["problem"]) == (name, since, problem)


def test_what_is_wrong_stays_to_be_seen_while_the_platform_is_tried_again(site):
    site.simple("helpdesk")
    site.platform.fault("status", method="GET", status=503, retry_after="1")
    site.platform.fault("hang", method="GET", count=-1)
    site.start()
    site.wait_for_state("helpdesk", "waiting")
    site.wait_for_state("helpdesk", "lookingUp")
    [(cause, advice)] = entries(site.ctl("status"))
    assert re.fullmatch(r"account default \(for helpdesk\): .*503.*" + SINCE, cause), cause
    assert advice.startswith("wait, elementd goes on trying")


# --- of whom ---

@needs_root
def test_who_may_have_one_instance_is_told_of_its_troubles_alone(site):
    site.settings()
    site.account(url="http://127.0.0.1:1/elements/api-v2")
    site.account("eu", url="http://127.0.0.1:2/elements/api-v2")
    site.instance("mine", allow=["user:61001"])
    site.instance("yours", account="eu")
    site.start()
    site.wait_for_state("mine", "waiting")
    site.wait_for_state("yours", "waiting")
    done = site.ctl("status", user=(61001, 61001, ()))
    [(cause, advice)] = entries(done)
    assert cause.startswith("mine: cannot reach the platform: ") and advice.startswith('check "url" in ')
    assert done.returncode == CTL_NOT_READY
    words = done.stdout.replace(str(site.root), "")  # whose name may have any letters
    assert "eu" not in words and "yours" not in words


# --- no answer at all ---

def told_on_stderr(done):
    cause, advice = done.stderr.splitlines()
    assert cause.startswith("elementctl: ") and advice.startswith(TO_DO)
    return cause.removeprefix("elementctl: "), advice.removeprefix(TO_DO)


def test_the_daemon_is_not_running(site):
    done = site.ctl("status")
    assert (done.returncode, done.stdout) == (CTL_NO_DAEMON, "")
    assert told_on_stderr(done) == (f"elementd is not running (no socket at {site.socket})", f"elementd --root={site.root}")
    done = site.ctl("status", "--json")
    [trouble] = json.loads(done.stdout)["troubles"]
    assert done.returncode == CTL_NO_DAEMON and trouble["kind"] == "noDaemon" and trouble["instances"] == []
    assert (trouble["problem"], trouble["advice"]) == told_on_stderr(done)


@needs_root
def test_the_caller_may_not_open_the_socket(site):
    site.simple("helpdesk")
    site.start()
    site.socket.chmod(0o600)
    done = site.ctl("status", user=(61001, 61001, ()))
    assert (done.returncode, done.stdout) == (CTL_DENIED, "")
    cause, advice = told_on_stderr(done)
    assert cause == f"you (uid 61001) may not open the socket {site.socket}" and advice.startswith("sudo elementctl status; ")
    done = site.ctl("status", "--json", user=(61001, 61001, ()))
    assert json.loads(done.stdout)["troubles"][0]["kind"] == "noPermission"


# --- units ---

UNIT = "elementd-e2e.service"


def test_a_unit_waits_for_a_credential(site):
    needs_units()
    site.settings(credential_wait_sec=600)
    site.account(url="http://127.0.0.1:1/elements/api-v2")
    site.instance("helpdesk", allow=["any"])
    site.start()
    site.wait_for_state("helpdesk", "waiting")
    program = site.connect()
    program.send("io.elementd.GetToken", {"instance": "helpdesk", "timeoutUSec": 600_000_000})
    with cgroup(f"system.slice/{UNIT}") as enter:
        client = start_loading(site.root / "run/elementd/credentials", UNIT, "helpdesk", enter)
        (cause, _), (waits, advice) = wait_until(lambda: len(found := entries(site.ctl("status"))) == 2 and found, "the unit waits")
        assert "cannot reach the platform" in cause
        assert re.fullmatch(UNIT + ' waits for the credential "helpdesk"' + SINCE + NEXT.replace("next try", "fails"), waits), waits
        assert "(in 9 min)" in waits
        assert advice.startswith("elementctl wait helpdesk: ") and advice.endswith(f"sudo systemctl restart {UNIT}")
        lines = site.ctl("status", "helpdesk").stdout.splitlines()
        assert lines[-2].startswith(f"      unit  {UNIT} waits for ") and lines[-1] == "     to do  " + advice
        [unit] = [trouble for trouble in json.loads(site.ctl("status", "--json").stdout)["troubles"] if "unit" in trouble]
        assert (unit["kind"], unit["unit"], unit["credential"], unit["instances"]) == ("unitWaits", UNIT, "helpdesk", ["helpdesk"])
        assert 590e6 < unit["untilUSec"] - unit["sinceUSec"] < 610e6
        site.daemon.stop()
        assert finish_loading(client) is None
