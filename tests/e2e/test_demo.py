"""That `make demo` shows what it should, to anybody."""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from harness.process import BUILD, die_with_parent, environment
from harness.users import drop, needs_root

TESTS = Path(__file__).resolve().parents[1]


def demo(build, tests, user=None):
    def prepare():
        if user:
            drop(*user)
        die_with_parent()

    return subprocess.run([tests / "demo/run"], env=environment({"ELEMENTD_BUILD": str(build)}), cwd="/", text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                          timeout=50, preexec_fn=prepare, start_new_session=True)


def assert_shown(done):
    assert done.returncode == 0, done.stdout
    assert '"jira.username": "ops@example.com"' in done.stdout, "what was declared"
    assert "POST /instances" in done.stdout, "what the platform saw"
    assert re.search(r"helpdesk-jira.*ready", done.stdout), "elementctl list"
    assert re.search(r"^ +[A-Za-z0-9+/]{43}=$", done.stdout, re.M), "the token"
    assert "\x1b" not in done.stdout


def test_the_demo_shows_the_token():
    assert_shown(demo(BUILD, TESTS))


def test_the_demo_says_when_it_failed(tmp_path):
    for program in ("elementd", "elementctl", "elements-sandbox"):
        (tmp_path / program).write_text("#!/bin/sh\necho this one is broken >&2; exit 7\n")
        (tmp_path / program).chmod(0o755)
    done = demo(tmp_path, TESTS)
    assert done.returncode != 0 and "this one is broken" in done.stdout


@needs_root
def test_the_demo_runs_as_an_ordinary_user():
    # From a place that everybody may enter, which a checkout need not be.
    place = Path(tempfile.mkdtemp(prefix="elementd-demo-test-"))
    try:
        place.chmod(0o755)
        build = place / "build"
        build.mkdir()
        for file in [*(BUILD / name for name in ("elementd", "elementd-http", "elementctl", "elements-sandbox")),
                     *BUILD.glob("libelementd.so*")]:
            shutil.copy(file, build)
        for folder in ("demo", "data"):
            shutil.copytree(TESTS / folder, place / "tests" / folder)
        os.system(f"chmod -R a+rX '{place}'")
        assert_shown(demo(build, place / "tests", (65534, 65534)))
    finally:
        shutil.rmtree(place)
