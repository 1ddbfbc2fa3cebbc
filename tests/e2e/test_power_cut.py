"""The power is cut at any call: no token is lost that a client has, and nothing is created twice.

harness/power.py says what may be on the disk then. The platform loses no power: it has all instances that it has
created, even where the answer never came.
"""

import json
import shutil

import pytest

from harness.power import DIRECTORY, FILE, Disk, power_cuts, read_record
from harness.site import Site
from harness.wait import wait_until

NAMES = ("one", "two", "three")
AT_A_TIME = 12  # since they mostly wait


def record(site, *rules, **options):
    """Starts a daemon all of whose deeds are recorded."""
    return site.start(*rules, faults=True, env={"ELEMENTD_FAULTS_RECORD": str(site.directory / "record")}, **options)


def deeds_of(site):
    return read_record(site.directory / "record")


@pytest.fixture
def provisioned(site):
    """Where three instances were provisioned one after the other, each given to a client as soon as it was there."""
    site.simple(*NAMES, request_timeout_sec=1)
    for n, name in enumerate(NAMES):
        site.platform.fault("delay", method="POST", name=name, ms=300 * n)
    daemon = record(site)
    for name in NAMES:
        site.token(name)
    daemon.kill()
    return site


def host_after(original, cut, platform=None):
    """The host as it comes back; without a platform, one that had come no further at the cut, and never heard of what
    was under way."""
    host = Site()
    host.secrets, host.user, host.organization = original.secrets, original.user, original.organization
    if platform:
        host.platforms.append(platform)
    else:
        for row in original.platform.instances():
            if row["name"] in cut.created:
                host.platform.plant(**{key: row[key] for key in ("id", "element", "name", "tags", "token", "configuration")})
    shutil.copytree(original.etc, host.etc, dirs_exist_ok=True)
    host.account()
    if cut.files is not None:
        host.state.mkdir(mode=0o700)
        for name, content in cut.files.items():
            # The record of another address would be of another platform.
            content = content.replace(original.platform.url.encode(), host.platform.url.encode())
            (host.state / name).write_bytes(content)
            (host.state / name).chmod(0o600)
    return host


def wrong_with(host, cut, n_posts):
    """What must not be, told in words."""
    platform = host.platforms[0]
    wrong = [f"{name} was given out, and is not there when the daemon comes back" for name in cut.given
             if host.ask(name).startswith("io.elementd")]
    tokens = {name: host.token(name, timeout=30) for name in NAMES}
    rows = platform.instances()
    if {row["name"]: row["token"] for row in rows} != tokens or len(rows) != len(NAMES):
        wrong.append(f"the platform has {[row['name'] for row in rows]}, or other tokens than are served")
    wrong += [f"the token of {name} is served and not on the disk" for name in NAMES
              if (host.record(name) or {}).get("token") != tokens[name]]
    # Whatever was on the disk is neither looked for nor created.
    wrong += [f"{name} was given out, and was not on the disk any more" for name in cut.given
              if any(f"{name}: {what} on the platform as" in host.daemon.output() for what in ("found", "created"))]
    posted = [post["body"] for post in platform.posts()[n_posts:]]
    wrong += [f"{name} is created a second time" for name in cut.created
              if any(f'"name":"{name}"' in body.replace(" ", "") for body in posted)]
    return [f"{cut.describe()}: {what}" for what in wrong]


def check(original, cuts, is_end=True):
    """Lets the daemon come up after each of them; what is wrong."""
    wrong = []
    for first in range(0, len(cuts), AT_A_TIME):
        hosts = []
        n_posts = len(original.platform.posts()) if is_end else 0
        try:
            for cut in cuts[first:first + AT_A_TIME]:
                host = host_after(original, cut, original.platform if is_end else None)
                hosts.append((cut, host))
                host.start(wait=False)
            for cut, host in hosts:
                host.wait_for_socket(host.daemon)
                wrong += wrong_with(host, cut, n_posts)
                host.daemon.stop()
                if is_end:
                    host.platforms.clear()
                wrong += host.close()
        finally:
            for _, host in hosts:
                if is_end:
                    host.platforms.clear()
                host.remove()
    return wrong


def of_the_end(cuts):
    """The platform has carried out all that it was asked for: each state of the disk once."""
    found = {}
    for cut in cuts:  # a later one has more given out
        key = None if cut.files is None else frozenset(cut.files.items())
        found[key] = cut
        cut.created = frozenset(NAMES)
    return list(found.values())


@pytest.mark.timeout(120)
def test_at_every_call_of_a_provisioning(provisioned):
    cuts = power_cuts(deeds_of(provisioned), provisioned, Disk(provisioned.root))
    assert {len(cut.given) for cut in cuts} == {len(cut.created) for cut in cuts} == {0, 1, 2, 3}
    begun = [cut for cut in cuts if len(cut.created) < len(NAMES)]
    assert len(begun) > 40, "as many as there should be"
    wrong = check(provisioned, begun, is_end=False)
    end = of_the_end(cuts)
    assert len(end) > 40, "as many as there should be"
    wrong += check(provisioned, end)
    assert not wrong, "\n".join(wrong)


def remove_newest(site):
    site.records_file.unlink()


def damage_newest(site):
    """Its size is right, its content is not."""
    site.records_file.write_bytes(bytes(site.records_file.stat().st_size))


@pytest.mark.timeout(120)
@pytest.mark.parametrize("spoil", [remove_newest, damage_newest])
def test_at_every_call_when_only_the_older_document_is_left(provisioned, spoil):
    """Nothing takes its place before something better is there."""
    (provisioned.directory / "record").unlink()
    spoil(provisioned)
    disk = Disk(provisioned.root)
    disk.load(provisioned.state)
    older = json.loads((provisioned.state / "records.json~").read_text())["records"]
    given = [row["name"] for row in older if row.get("token")]
    assert given == ["one", "two"]
    daemon = record(provisioned)
    for name in NAMES:
        provisioned.token(name)
    daemon.kill()
    wrong = check(provisioned, of_the_end(power_cuts(deeds_of(provisioned), provisioned, disk, given)))
    assert not wrong, "\n".join(wrong)


@pytest.mark.timeout(120)
def test_after_a_crash_before_the_last_sync(site):
    """The next run reads what may not be on the disk, and must not give it out as if it were."""
    site.simple(*NAMES, request_timeout_sec=1)
    site.platform.fault("delay-after", method="POST", ms=300, count=-1)
    daemon = record(site)
    wait_until(lambda: site.record("three"), "the intents are durable")
    daemon.faults.set("fsync:path=*/elementd:kill=before")
    daemon.wait_for_death()
    assert site.record("one")["token"], "it can be seen, and was never synced"
    daemon = record(site)
    for name in NAMES:
        site.token(name)
    daemon.kill()
    wrong = check(site, of_the_end(power_cuts(deeds_of(site), site, Disk(site.root))))
    assert not wrong, "\n".join(wrong)


# --- that the check can fail ---

@pytest.mark.parametrize("promise", [FILE, DIRECTORY])
def test_without_a_sync_tokens_are_lost(provisioned, promise):
    """The same calls on a disk whose syncs do nothing, of files or of directories: then it must find what is wrong."""
    cuts = power_cuts(deeds_of(provisioned), provisioned, Disk(provisioned.root, {FILE, DIRECTORY} - {promise}))
    wrong = check(provisioned, [cut for cut in of_the_end(cuts) if cut.given][:AT_A_TIME])
    assert any("was not on the disk any more" in what for what in wrong), wrong
