"""Fixtures of the end-to-end tests; what they are made of is in harness/."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness.process import BUILD  # noqa: E402
from harness.site import Site  # noqa: E402
from harness.tls import Authority  # noqa: E402

LOG_LINES = 60  # of each log, in the report of a failed test


def pytest_configure(config):
    # For whoever calls pytest without tests/run, whose plugin knows the marker.
    config.addinivalue_line("markers", "timeout(seconds): what this test may take")


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("tls"), "authority")


@pytest.fixture
def site(request):
    """A host and its platform; whatever they leave behind is looked through when the test ends."""
    # Only where it is asked for: making certificates takes a while.
    authority = request.getfixturevalue("authority") if "authority" in request.fixturenames else None
    for program in ("elementd", "elementctl", "elements-sandbox"):
        assert (BUILD / program).exists(), f"{program} is not built"
    site = Site(authority)
    try:
        yield site
        complaints = site.close()
        if complaints:
            request.node.logs = site.logs()
            pytest.fail("\n".join(complaints), pytrace=False)
    finally:
        site.remove()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows what the daemon and the sandbox had to say."""
    report = (yield).get_result()
    site = getattr(item, "funcargs", {}).get("site")
    if not report.failed or not site:
        return
    for title, text in getattr(item, "logs", None) or site.logs():
        lines = [line for line in text.splitlines() if "debug: Connection " not in line]
        report.sections.append((title, "\n".join(lines[-LOG_LINES:])))
