"""tests/torture/run for a short while: with the daemon as it is, and with two that break a promise each."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.process import BUILD, die_with_parent, environment

RUN = Path(__file__).resolve().parent.parent / "torture/run"


def torture(*options, program="elementd"):
    """Its exit status, how many promises of each kind were broken, and all that it said."""
    command = [sys.executable, RUN, f"--elementd={BUILD / program}", *options]
    done = subprocess.run(command, env=environment({"ELEMENTD_BUILD": str(BUILD)}), stdin=subprocess.DEVNULL, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=die_with_parent)
    result = re.findall(r"(\d+) ([^,]+)", done.stdout.splitlines()[-1])
    return done.returncode, {kind: int(count) for count, kind in result}, done.stdout


@pytest.mark.timeout(180)
@pytest.mark.parametrize("weather, cycles", [("anything", 60), ("lost-answers", 5)])
def test_nothing_is_lost_or_doubled(weather, cycles):
    status, broken, output = torture(f"--cycles={cycles}", f"--weather={weather}", "--seed=1")
    assert status == 0, output
    assert {"lost", "doubled", "served without being durable"} <= set(broken) and not any(broken.values()), output


@pytest.mark.timeout(120)
@pytest.mark.parametrize("switch, kinds", [
    ("no-intent", ("doubled", "posted without a durable intent")),
    ("no-look-up", ("doubled",)),
])
def test_it_can_fail(switch, kinds):
    """Each rule of daemon/plan.h, left out at compile time, is missed."""
    status, broken, output = torture("--cycles=5", "--instances=4", "--weather=lost-answers", "--seed=1",
                                     program=f"tests/torture/elementd-{switch}")
    assert status == 1, output
    for kind in kinds:
        assert broken[kind] > 0, output
