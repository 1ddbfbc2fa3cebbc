"""What goes wrong around the daemon: tables, from which a cycle takes what its dice say.

The platform never lies here about what it has: a 404 for a list, or another instance's answer, would make any client
create a second one. It only fails in every way in which a platform, or a network before it, can.
"""

from dataclasses import dataclass, field

HTML = "<html><body><h1>Bad gateway</h1></body></html>"

# A request that got lost is carried out within a second, all delays together...
LATE_MS_MAX = 400
# ...and for so long the daemon takes it to be possible (ELEMENTD_TEST_WORK_SEC). The rest is for a slow machine.
WORK_SECONDS = 2

CREATING = {"method": "POST", "path": "/instances"}
LISTING = {"method": "GET", "path": "/instances"}
READING = {"method": "GET", "path": "/instances/*"}


def creating(choose):
    """A POST: what counts is whether it was committed, and what its answer says of that."""
    ms = choose.randint(20, 300)
    when = choose.choice(("before", "after"))
    return CREATING | choose.choice((
        {"action": "delay", "ms": ms},
        {"action": "delay-after", "ms": ms},
        {"action": "hang", "when": when},
        {"action": "reset", "when": when},
        {"action": "close", "when": when},
        {"action": "late-commit", "ms": choose.randint(50, LATE_MS_MAX), "how": choose.choice(("reset", "close", "hang"))},
        {"action": "truncate", "bytes": choose.randint(0, 200)},
        {"action": "broken-json"},
        {"action": "omit-token"},
        {"action": "garbage", "text": "SSH-2.0-OpenSSH_9.2\r\n", "when": when},
        {"action": "body", "text": HTML, "contentType": "text/html"},
        {"action": "status", "status": choose.choice((408, 429, 500, 502, 504)), "commit": choose.random() < 0.5},
        {"action": "status", "status": choose.choice((429, 503)), "retry-after": choose.randint(1, 30)},
        {"action": "status", "status": 401},
    ))


def looking_up(choose):
    """A list: half of one is none."""
    return LISTING | choose.choice((
        {"action": "delay", "ms": choose.randint(20, 300)},
        {"action": "hang"},
        {"action": "reset"},
        {"action": "truncate", "bytes": choose.randint(0, 2000)},
        {"action": "chunked", "size": 100, "omitLast": True},
        {"action": "garbage", "text": "\x00\x01\x02"},
        {"action": "body", "text": "[{"},
        {"action": "status", "status": choose.choice((429, 500, 502, 503, 504)), "retry-after": choose.randint(1, 30)},
        {"action": "status", "status": 404, "body": HTML, "contentType": "text/html"},
        {"action": "status", "status": 401},
        {"action": "repeat-page"},
    ))


def verifying(choose):
    """One instance: a platform that denies one that it has is asked for the list."""
    return READING | choose.choice((
        {"action": "delay", "ms": choose.randint(20, 300)},
        {"action": "hang"},
        {"action": "reset"},
        {"action": "truncate", "bytes": choose.randint(0, 200)},
        {"action": "status", "status": choose.choice((404, 429, 500, 502, 503, 504))},
        {"action": "status", "status": 401},
        {"action": "omit-token"},
    ))


def denying(choose):
    """Instances that are there are said not to be, while the list cannot be had: no reason to create them again."""
    failure = choose.choice(({"action": "status", "status": 502}, {"action": "reset"}, {"action": "truncate", "bytes": 9}))
    return READING | {"action": "status", "status": 404}, LISTING | failure


def on_platform(choose):
    """The rules of one cycle, mostly none or a few."""
    rules = []
    for kind, likelihood in ((creating, 0.6), (creating, 0.3), (looking_up, 0.25), (verifying, 0.3)):
        if choose.random() < likelihood:
            rules.append(kind(choose) | {"skip": choose.choice((0, 0, 1, 5)), "count": choose.choice((1, 3, 10, -1))})
    if choose.random() < 0.08:
        rules += [rule | {"count": -1} for rule in denying(choose)]
    return rules


DISK = (
    "@(write|writev|pwrite):path=records.json.new:error=ENOSPC",
    "@(write|writev|pwrite):path=records.json.new:short=10:error=ENOSPC",
    "@(fsync|fdatasync):path=records.json.new:error=EIO",
    "@(fsync|fdatasync):path=*/lib/elementd:error=EIO",
    "@(rename|renameat|renameat2):path=records.json:error=EROFS",
    "@(open|openat):path=records.json.new:error=EMFILE",
    "@(fsync|fdatasync):delay=80ms",
)


# How a run ends, how often that is, and by which rules of tests/faults/. Where they do not come true, by the clock.
CHANGE = "@(fsync|fdatasync|ftruncate|rename*|linkat|unlink*|mkdirat|write|writev|pwrite|connect|send|sendto|sendmsg)"
SEND = "@(write|writev|send|sendto|sendmsg):path=tcp*"
POWER_CUT = "power cut"
TERM = "SIGTERM"
CLOCK = "kill -9 by the clock"
FIRST_POST = "kill -9 with the first POST"
ENDINGS = {
    CLOCK: (8, None),
    FIRST_POST: (1, None),
    "kill -9 before a call": (3, CHANGE + ":n={n}:kill=before"),
    "kill -9 after a call": (3, CHANGE + ":n={n}:kill=after"),
    "kill -9 with a request sent": (2, SEND + ":n={few}:kill=after"),
    "kill -9 before the records are replaced": (1, "rename*:path=records.json:n={few}:kill=before"),
    "kill -9 after the records are replaced": (1, "rename*:path=records.json:n={few}:kill=after"),
    # And what was not synced is gone; mostly at the worst moment for that.
    POWER_CUT: (2, "@(fsync|fdatasync):path=*/lib/elementd:n={few}:kill=before"),
    TERM: (2, None),
}
BY_CLOCK = (CLOCK, FIRST_POST, POWER_CUT)  # that need no system call to come true


def ending(choose):
    """Its name, and the rules for it."""
    name = choose.choices(list(ENDINGS), [often for often, _ in ENDINGS.values()])[0]
    rule = ENDINGS[name][1]
    return name, [rule.format(n=choose.randint(1, 250), few=choose.randint(1, 6))] if rule else []


def on_disk(choose):
    """Faults of the disk, for some commits."""
    if choose.random() >= 0.12:
        return []
    return [f"{choose.choice(DISK)}:n={choose.randint(1, 4)}:count={choose.randint(1, 4)}"]


def on_clock(cycle, choose):
    """Between two runs an hour passes, so that back-offs end and tokens are verified; or none, or it is yesterday."""
    hours = cycle + choose.choice((0, 0, 0, 0, 0, 0, -1, -24))
    return [f"clock_gettime:offset={hours * 3600}s"]


@dataclass
class Cycle:
    """All that the dice have said of one run of the daemon."""

    seconds: float
    ending: str = CLOCK
    daemon: list = field(default_factory=list)  # rules of tests/faults/
    platform: list = field(default_factory=list)  # rules of the sandbox
    settings: dict = field(default_factory=dict)  # of the sandbox
    n_meddled: tuple = (0, 0)  # instances that are changed or removed on the platform, before and during the run
    reload: bool = False  # the configuration changes during the run


def anything(number, choose):
    # Now and then long enough for a lost POST to be given up, which takes WORK_SECONDS.
    is_long = choose.random() < 0.05
    name, rules = (CLOCK, []) if is_long else ending(choose)
    return Cycle(
        seconds=WORK_SECONDS + 0.6 if is_long else choose.uniform(0.03, 0.3),
        ending=name,
        daemon=rules + on_disk(choose) + on_clock(number, choose),
        platform=on_platform(choose),
        settings={"delayMs": choose.choice((0, 5, 30, 100)), "pageSizeMax": choose.choice((200, 200, 20, 3))},
        n_meddled=tuple(choose.choice((0, 0, 0, 1, 2, 5)) for _ in range(2)),
        reload=choose.random() < 0.3,
    )


def lost_answers(number, choose):
    """
    The worst that an honest platform can do: no POST is answered, and each is carried out a little later. The first run
    ends with the first POST, on a slow disk; so the second one starts, and looks it up, before it is carried out.
    """
    is_first = number == 1
    return Cycle(
        seconds=5 if is_first else choose.uniform(0.3, 0.8),
        ending=FIRST_POST if is_first else CLOCK,
        daemon=["@(fsync|fdatasync):delay=100ms"] * is_first + on_clock(number, choose),
        platform=[CREATING | {"action": "late-commit", "ms": LATE_MS_MAX, "count": -1}],
    )


WEATHERS = {"anything": anything, "lost-answers": lost_answers}
