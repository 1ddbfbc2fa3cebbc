"""The wall clock jumps by a year, forward or back, while the daemon runs or between two runs: nothing bursts or stalls.

All times that are compared are of the sandbox, whose clock does not jump.
"""

import itertools
import json
import time

import pytest

from harness.sites import sites
from harness.varlink import Varlink, VarlinkError
from harness.wait import wait_until

YEAR = 365 * 24 * 3600
FORWARD, BACK = f"clock_gettime:offset={YEAR}s", f"clock_gettime:offset=-{YEAR}s"
JUMPS = {"forward": FORWARD, "back": BACK}
RUNNING, BETWEEN = "running", "between"
CASES = list(itertools.product(JUMPS, (RUNNING, BETWEEN)))

LATE = 1.5  # what a loaded machine may add


def jump(host, case, env=None):
    """When it jumped, or when the run began that finds it so."""
    direction, moment = case
    before = time.time()
    if moment == RUNNING:
        host.daemon.faults.set(JUMPS[direction])
        host.instances()  # it is told a time, and sees that it has jumped
    else:
        host.daemon.stop()
        host.start(JUMPS[direction], env=env)
    return before


def seconds(requests, key="startedUSec"):
    return [request[key] / 1e6 for request in requests]


# --- verification ---

INTERVAL = 10
N = 12
NAMES = [f"one{i:02}" for i in range(N)]


def verifications(host):
    """When each instance was looked at."""
    times = {row["id"]: [] for row in host.platform.instances()}
    for request in host.platform.requests("GET", "/instances/*"):
        times[int(request["path"].rpartition("/")[2])].append(request["startedUSec"] / 1e6)
    return times


@pytest.mark.timeout(90)
def test_verifications_neither_burst_nor_stall():
    with sites(CASES) as hosts:
        created, since = {}, {}
        for case, host in hosts.items():
            host.simple(*NAMES, verify_interval_sec=INTERVAL)
            host.start(faults=True)
            for name in NAMES:
                host.token(name)
            created[case] = max(seconds(host.platform.posts(), "finishedUSec"))
        for case, host in hosts.items():
            since[case] = jump(host, case)
        for case, host in hosts.items():
            wait_until(lambda: all(verifications(host).values()), f"{case}: each is verified", timeout=2 * INTERVAL)
        for case, host in hosts.items():
            firsts = [times[0] for times in verifications(host).values()]
            if case[1] == RUNNING:
                # The interval with its jitter of a tenth, as if nothing had happened.
                first_post = min(seconds(host.platform.posts()))
                assert first_post + 0.9 * INTERVAL - 0.1 <= min(firsts), case
                assert max(firsts) <= created[case] + 1.1 * INTERVAL + LATE, case
            else:
                assert max(firsts) <= since[case] + 1.1 * INTERVAL + LATE, case
            assert max(firsts) - min(firsts) > 0.1, f"{case}: all at once"
            # The second time comes an interval later, and not at once.
            gaps = [times[1] - times[0] for times in verifications(host).values() if len(times) > 1]
            assert all(gap > 0.9 * INTERVAL - 0.1 for gap in gaps), (case, gaps)
            assert len(host.platform.posts()) == N and len(host.platform.requests("GET", "/instances")) == 1, case


@pytest.mark.timeout(60)
def test_restarts_do_not_put_a_verification_off_for_ever():
    """What was verified in the future has to be verified again all the same."""
    with sites(JUMPS) as hosts:
        for direction, host in hosts.items():
            host.simple("one", verify_interval_sec=INTERVAL)
            daemon = host.start()
            host.token("one")
            daemon.stop()
        begin = time.time()
        while time.time() < begin + 1.1 * INTERVAL + LATE:
            for direction, host in hosts.items():
                host.start(JUMPS[direction])
            time.sleep(1.5)
            for host in hosts.values():
                host.daemon.stop()
        for direction, host in hosts.items():
            n = len(host.platform.requests("GET", "/instances/*"))
            assert 1 <= n <= 2, f"{direction}: {n}"


# --- waiting ---

RETRY_AFTER = 4
# Whose back-off it is, what was put off, and how long it takes at least and at most.
PUT_OFF = {
    "instance": ("POST", {"retry_after": str(RETRY_AFTER)}, RETRY_AFTER, RETRY_AFTER),
    "account": ("GET", {"retry_after": str(RETRY_AFTER)}, RETRY_AFTER, RETRY_AFTER),
    "account-drawn": ("GET", {}, 1, 3),
}


def put_off(host, what):
    """It has been told to come again later; when that was."""
    method, rule, _, _ = PUT_OFF[what]
    host.simple("one", request_timeout_sec=1)
    host.platform.fault("status", method=method, path="/instances", status=503, **rule)
    host.start(faults=True)
    host.wait_for_state("one", "waiting")
    wait_until(lambda: "retryUSec" in json.dumps(host.document()), "the back-off is on disk")
    return host.platform.requests(method, "/instances")[0]["finishedUSec"] / 1e6


@pytest.mark.timeout(60)
def test_a_back_off_is_neither_shortened_nor_prolonged():
    """Of an instance and of an account; as Retry-After says, or drawn."""
    cases = list(itertools.product(JUMPS, (RUNNING, BETWEEN), PUT_OFF))
    with sites(cases) as hosts:
        finished, since = {}, {}
        for case, host in hosts.items():
            finished[case] = put_off(host, case[2])
            since[case] = jump(host, case[:2])
        for case, host in hosts.items():
            _, moment, what = case
            method, _, least, most = PUT_OFF[what]
            host.token("one")
            tries = seconds(host.platform.requests(method, "/instances"))
            # Between two runs a year may have passed indeed; one that has gone back says nothing.
            until = finished[case] + most if moment == RUNNING else since[case] + most
            assert tries[1] <= until + LATE, (case, tries[1] - finished[case])
            if moment == RUNNING:
                assert tries[1] >= finished[case] + least - 0.05, (case, tries[1] - finished[case])
            assert len(host.platform.posts()) == (2 if what == "instance" else 1), case
            assert len(host.platform.requests("GET", "/instances")) <= 3, case
            assert len(host.platform.instances()) == 1, case


@pytest.mark.timeout(60)
def test_restarts_do_not_prolong_a_back_off():
    with sites(itertools.product(JUMPS, ("instance", "account"))) as hosts:
        for case, host in hosts.items():
            put_off(host, case[1])
            host.daemon.stop()
        begin, is_last = time.time(), False
        while not is_last:
            is_last = time.time() >= begin + RETRY_AFTER + LATE  # a run, however short, in which it is over
            for case, host in hosts.items():
                host.start(JUMPS[case[0]])
            time.sleep(0.7)
            for host in hosts.values():
                host.daemon.stop()
        for case, host in hosts.items():
            assert len(host.platform.instances()) == 1, case


# --- a creation whose outcome is unknown ---

WORK = 3


@pytest.mark.timeout(60)
def test_a_lost_creation_is_neither_repeated_early_nor_given_up():
    """The platform may still be working on it, whatever the clock says."""
    with sites(CASES) as hosts:
        since = {}
        for case, host in hosts.items():
            host.simple("one", request_timeout_sec=1)
            host.platform.fault("close", method="POST")
            env = {"ELEMENTD_TEST_WORK_SEC": str(WORK)}
            host.start(faults=True, env=env)
            host.wait_for_state("one", "waiting")
            since[case] = jump(host, case, env)
        for case, host in hosts.items():
            host.token("one")
            first, second = seconds(host.platform.posts())
            begin = first if case[1] == RUNNING else since[case]
            assert begin + WORK - 0.1 <= second <= begin + WORK + 1 + LATE, (case, second - begin)
            assert len(host.platform.requests("GET", "/instances")) <= WORK + 4, case


# --- clients ---

def test_a_client_waits_as_long_as_it_wants_to_and_an_idle_one_stays():
    with sites(JUMPS) as hosts:
        for direction, host in hosts.items():
            host.simple("one")
            host.platform.fault("hang", count=-1)
            host.start(faults=True)
            idle = host.connect()
            with Varlink.connect(host.socket) as waiting:
                begin = time.monotonic()
                waiting.send("io.elementd.GetToken", {"instance": "one", "timeoutUSec": 1_500_000})
                jump(host, (direction, RUNNING))
                with pytest.raises(VarlinkError, match="NotReady"):
                    waiting.receive()
                assert 1.4 < time.monotonic() - begin < 1.5 + LATE, direction
            assert idle.call("ListInstances")["instances"], direction
            host.daemon.kill()
