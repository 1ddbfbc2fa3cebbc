"""pytest plugin of tests/run: reports each test on a pipe, and ends one that hangs.

A test may take ELEMENTD_TEST_SECONDS, or what it says by @pytest.mark.timeout(SECONDS).
Then it fails where it stands, and its fixtures are torn down; tests/run kills a
session that does not even do that. (Debian does not ship pytest-timeout everywhere.)
"""

import json
import os
import signal

import pytest

REPORT_FD = int(os.environ["ELEMENTD_REPORT_FD"])
SECONDS = float(os.environ.get("ELEMENTD_TEST_SECONDS", "60"))
TEARDOWN_SECONDS = 30

times = {}


def send(name, outcome, detail="", seconds=0.0):
    line = json.dumps({"name": name, "outcome": outcome, "detail": detail, "seconds": seconds})
    os.write(REPORT_FD, line.encode() + b"\n")


def pytest_configure(config):
    os.set_inheritable(REPORT_FD, False)
    config.addinivalue_line("markers", "timeout(seconds): what this test may take")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    marker = item.get_closest_marker("timeout")
    seconds = marker.args[0] if marker else SECONDS

    def on_alarm(_signal, _frame):
        pytest.fail(f"took longer than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, on_alarm)
    # It goes on ringing, for the case that the teardown hangs too.
    signal.setitimer(signal.ITIMER_REAL, seconds, TEARDOWN_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def reason_of(report):
    if hasattr(report, "wasxfail"):
        return f"expected to fail: {report.wasxfail}"
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    return str(report.longrepr)


def detail_of(report):
    parts = [report.longreprtext]
    parts += [f"--- {title} ---\n{text}" for title, text in report.sections]
    return "\n".join(parts)


def pytest_runtest_logreport(report):
    seconds = times[report.nodeid] = times.get(report.nodeid, 0.0) + report.duration
    if report.failed:
        name = report.nodeid if report.when == "call" else f"{report.nodeid} ({report.when})"
        send(name, "failed", detail_of(report), seconds)
    elif report.skipped:
        send(report.nodeid, "skipped", reason_of(report), seconds)
    elif report.when == "call":
        send(report.nodeid, "passed", "", seconds)


def pytest_collectreport(report):
    if report.failed:
        send(report.nodeid or "collection", "failed", report.longreprtext)
    elif report.skipped:
        send(report.nodeid, "skipped", reason_of(report))
