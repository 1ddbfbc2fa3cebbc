"""What a disk can do to the records: none of it gives out a token that is not durable, or loses one that was.

Each is told once, with what to do, and where it ends, all goes on by itself. Power cuts are in test_power_cut.py, the
first commit on a bad disk is in test_crash.py.
"""

import contextlib
import json
import os
import shutil
import subprocess
import threading

import pytest

from harness.process import BUILD, Process
from harness.site import Daemon
from harness.sites import sites
from harness.users import drop, needs_root
from harness.wait import wait_until

NOBODY = 65534
NOT_READY = "io.elementd.NotReady"


def provision(site, *names):
    """So that each has its token; the daemon has ended."""
    site.simple(*names, request_timeout_sec=1)
    daemon = site.start()
    tokens = {name: site.token(name) for name in names}
    daemon.stop()
    return tokens


def lines(daemon, *words):
    """What it has told above debug that holds any of the words."""
    return [line for line in daemon.output().splitlines() if any(word in line for word in words) and ": debug:" not in line]


def is_well(site, tokens):
    """One instance of each, created once, whose tokens are served and on the disk."""
    for name, token in tokens.items():
        assert site.token(name, timeout=30) == token, name
        assert site.record(name)["token"] == token, name
    assert {row["name"]: row["token"] for row in site.platform.instances()} == tokens
    assert sorted(json.loads(post["body"])["name"] for post in site.platform.posts()) == sorted(tokens)


# --- a disk that fails ---

WRITE, SYNC, RENAME = "@(write|writev|pwrite)", "@(fsync|fdatasync)", "@(rename|renameat|renameat2)"

SYNCS = "fsync|fdatasync"

NO_EXCHANGE = "renameat2:error=EINVAL"  # as of a file system that cannot

# The rules, and what the operator is told of the last one.
FAULTS = {
    "full": (f"{WRITE}:path=records.json.new:error=ENOSPC", "No space left on device"),
    "full-halfway": (f"{WRITE}:path=records.json.new:short=300:error=ENOSPC", "No space left on device"),
    "quota": (f"{WRITE}:path=records.json.new:error=EDQUOT", "Disk quota exceeded"),
    "write": (f"{WRITE}:path=records.json.new:error=EIO", "Input/output error"),
    "sync": (f"{SYNC}:path=records.json.new:error=EIO", "Input/output error"),
    "link": (f"{NO_EXCHANGE};linkat:path=records.json*:error=EIO", "Input/output error"),
    "rename": (f"{RENAME}:path=records.json:error=EIO", "Input/output error"),
    "rename-old": (f"{RENAME}:path=records.json~:error=EIO", "Input/output error"),
    "sync-directory": (f"{SYNC}:path=*/lib/elementd:error=EIO", "Input/output error"),
    "sync-parent": (f"{SYNC}:path=*/var/lib:error=EIO", "Input/output error"),
    "read-only": ("@(open|openat):path=records.json.new:error=EROFS", "Read-only file system"),
    "read-only-unlink": ("@(open|openat):path=records.json.new:error=EROFS;unlinkat:path=records.json.new:error=EROFS",
                         "Read-only file system"),
}


def failures(daemon):
    """How many commits have failed: each fails at one call, which is tried every few seconds."""
    return len([call for call in daemon.faults.calls() if call.verdict.startswith("error=")])


def tells_once_and_ends_well(site, daemon, words, tokens, end):
    """Over several tries one line; when it is over, one more, and what had to wait comes."""
    assert site.instances()["new"]["problem"], "whoever asks is told too"
    [line] = lines(daemon, "cannot write", words)
    assert words in line and "next try in" in line and str(site.records_file) in line, line
    for name, token in tokens.items():
        assert site.ask(name) == token, "what was durable is served"
    end()
    tokens["new"] = site.token("new", timeout=60)
    is_well(site, tokens)
    assert len(lines(daemon, "can be written again")) == 1
    assert len(lines(daemon, "cannot write", words)) == 1


def spoil_before_the_intent(host, rule):
    return host.start(rule)


def spoil_before_the_token(host, rule):
    """The platform has created it, and its answer is on the way."""
    host.platform.fault("delay-after", method="POST", ms=400)
    daemon = host.start(faults=True)
    wait_until(lambda: len(host.platform.instances()) == 2, "the platform has created it")
    assert host.record("new")["intentUSec"]
    daemon.faults.set(rule)
    return daemon


@pytest.mark.timeout(200)  # many hosts at a time, on two processors and under a sanitizer
def test_each_failure_is_told_once_and_ends_by_itself():
    """Without a durable intent nothing is posted, and no token is given out before it is durable, or forgotten."""
    cases = [(fault, 1, spoil_before_the_intent) for fault in FAULTS]
    # The parent is synced once: before the first commit at the latest.
    cases += [(fault, 2, spoil_before_the_token) for fault in FAULTS if fault != "sync-parent"]
    with sites(cases) as hosts:
        tokens = {}
        for case, host in hosts.items():
            tokens[case] = provision(host, "old")
            host.instance("new")
        for (fault, _, spoil), host in hosts.items():
            spoil(host, FAULTS[fault][0])
        for case, host in hosts.items():
            fault, n_instances, _ = case
            wait_until(lambda: failures(host.daemon) >= 3, f"{fault} has happened in three commits", timeout=100)
            assert host.ask("new") == NOT_READY, case
            assert len(host.platform.instances()) == len(host.platform.posts()) == n_instances, case
            tells_once_and_ends_well(host, host.daemon, FAULTS[fault][1], tokens[case], host.daemon.faults.set)


@pytest.mark.parametrize("rules", [[], [f"{SYNC}:path=*/var/lib:error=EIO:count=1"]], ids=["well", "failed-once"])
def test_the_folder_above_is_synced_while_the_configuration_is_read(site, rules):
    """So that no commit waits for that. A failure then is not told yet: the first commit tries again."""
    daemon = site.start(*rules, faults=True)
    wait_until(lambda: daemon.faults.calls(SYNCS, "/var/lib$"), "it has been synced without a commit")
    assert not daemon.faults.calls(SYNCS, "records.json")
    site.simple("new")
    site.reload()
    site.token("new")
    assert [call.verdict.split("=")[0] for call in daemon.faults.calls(SYNCS, "/var/lib$")] == \
        (["error", "call"] if rules else ["call"])
    assert not lines(daemon, "cannot write")


def test_a_token_that_could_not_be_synced_is_not_given_out_by_the_next_run_either(site):
    """It can be read there, and a power cut could still take it away."""
    tokens = provision(site, "old")
    site.instance("new")
    site.platform.fault("delay-after", method="POST", ms=400)
    daemon = site.start(faults=True)
    wait_until(lambda: len(site.platform.instances()) == 2, "the platform has created it")
    daemon.faults.set(FAULTS["sync-directory"][0])
    wait_until(lambda: failures(daemon), "it could not be synced")
    assert site.record("new")["token"] and site.ask("new") == NOT_READY
    daemon.kill()
    daemon = site.start(FAULTS["sync-directory"][0])
    assert site.ask("new") == NOT_READY
    assert site.ask("old") == tokens["old"]
    assert len(lines(daemon, "cannot be synced")) == 1
    daemon.faults.set()
    tokens["new"] = site.token("new", timeout=60)
    is_well(site, tokens)
    [kept] = site.state.glob("records.json.broken-*")
    kept.chmod(0o600)


# --- real file systems ---

@contextlib.contextmanager
def mounted(target, *arguments):
    done = subprocess.run(["mount", *arguments, str(target)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(target)], check=True)


@needs_root
def test_a_file_system_that_is_really_full(site):
    site.state.mkdir(mode=0o700)
    with mounted(site.state, "-t", "tmpfs", "-o", "size=64k,mode=0700", "elementd-test"):
        tokens = provision(site, "old")
        site.instance("new")
        filler = site.state / "filler"
        with open(filler, "wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        daemon = site.start()
        daemon.wait_for_log("No space left on device")
        assert site.ask("new") == NOT_READY and len(site.platform.posts()) == 1
        tells_once_and_ends_well(site, daemon, "No space left on device", tokens, filler.unlink)
        daemon.stop()


@needs_root
def test_a_file_system_that_is_really_read_only(site):
    site.state.mkdir(mode=0o700)
    with mounted(site.state, "--bind", str(site.state)):
        def remount(how):
            subprocess.run(["mount", "-o", f"remount,bind,{how}", str(site.state)], check=True)

        tokens = provision(site, "old")
        site.instance("new")
        remount("ro")
        try:
            daemon = site.start()
            daemon.wait_for_log("Read-only file system")
            assert site.ask("new") == NOT_READY and len(site.platform.posts()) == 1
            tells_once_and_ends_well(site, daemon, "Read-only file system", tokens, lambda: remount("rw"))
        finally:
            remount("rw")
        daemon.stop()


# --- what is found in place of the document ---

def replace_document(site, content, mode=0o600):
    site.records_file.unlink()
    site.records_file.write_bytes(content)
    site.records_file.chmod(mode)


def edited(site, edit):
    document = site.document()
    edit(document)
    replace_document(site, json.dumps(document).encode())


def put_older(site):
    os.replace(site.state / "records.json~", site.records_file)


def put_symlink(site, target):
    site.records_file.unlink()
    site.records_file.symlink_to(target)


def put_copy_and_symlink(site):
    """It is where somebody has more room; the next commit ends that."""
    copy = site.directory / "elsewhere"
    shutil.copy2(site.records_file, copy)
    put_symlink(site, copy)


def put_directory(site):
    site.records_file.unlink()
    site.records_file.mkdir(mode=0o700)


def put_pipe(site):
    site.records_file.unlink()
    os.mkfifo(site.records_file, 0o600)


def truncate(site, share):
    os.truncate(site.records_file, int(site.records_file.stat().st_size * share))


def damage_in_the_middle(site):
    content = site.records_file.read_bytes()
    middle = len(content) // 2
    replace_document(site, content[:middle] + bytes(8) + content[middle + 8:])


# What is done to it, and what is told in words of it ("": there is nothing to be told).
SPOILT = {
    "damaged": (damage_in_the_middle, "records.json cannot be used (line 1, column"),
    "half": (lambda site: truncate(site, 0.5), "records.json cannot be used (line 1, column"),
    "empty": (lambda site: truncate(site, 0), "records.json cannot be used ("),
    "zeros": (lambda site: replace_document(site, bytes(1000)), "records.json cannot be used ("),
    "newer-version": (lambda site: edited(site, lambda document: document.update(version=2)), "version 2, this program knows 1"),
    "no-version": (lambda site: edited(site, lambda document: document.pop("version")), "version 0, this program knows 1"),
    "no-key": (lambda site: edited(site, lambda document: document.pop("key")), "it has no key"),
    "older": (put_older, ""),
    "older-alone": (lambda site: site.records_file.unlink(), "there is no records.json, only an older one"),
    "lost": (lambda site: (site.records_file.unlink(), (site.state / "records.json~").unlink()), ""),
    "bad-record": (lambda site: edited(site, lambda document: document["records"][0].update(id=0)), "1 records cannot be used"),
    "group-writable": (lambda site: site.records_file.chmod(0o620), "its mode is 0620"),
    "world-writable": (lambda site: site.records_file.chmod(0o666), "its mode is 0666"),
    "readable": (lambda site: site.records_file.chmod(0o644), "records.json had mode 0644, so that others may have read"),
    "directory-readable": (lambda site: site.state.chmod(0o755), "the directory of the records had mode 0755"),
    "owner": (lambda site: os.chown(site.records_file, NOBODY, -1), f"uid {NOBODY} owns it"),
    "symlink": (put_copy_and_symlink, ""),
    "symlink-to-nothing": (lambda site: put_symlink(site, "/nonexistent/records.json"), "it is a link to nothing"),
    "symlink-to-itself": (lambda site: put_symlink(site, "records.json"), "Too many levels of symbolic links"),
    "symlink-to-device": (lambda site: put_symlink(site, "/dev/zero"), "it is no regular file"),
    "directory": (put_directory, "it is no regular file"),
    "pipe": (put_pipe, "it is no regular file"),
    "unreadable-sector": (lambda site: None, "it cannot be read: Input/output error"),
}

TELLING = ("records.json", "records cannot", "directory of the records")


@needs_root
@pytest.mark.timeout(90)
def test_whatever_stands_there_instead_is_told_once_and_no_token_is_lost():
    """A document of before the last commit does; without any, the platform has them. The next run has nothing to tell."""
    with sites(SPOILT) as hosts:
        tokens = {}
        for name, host in hosts.items():
            host.platform.fault("delay", method="POST", name="two", ms=150)
            tokens[name] = provision(host, "one", "two")
            SPOILT[name][0](host)
        for name, host in hosts.items():
            rules = ["read:path=records.json:error=EIO"] if name == "unreadable-sector" else []
            host.start(*rules)
        for name, host in hosts.items():
            is_well(host, tokens[name])
            words = SPOILT[name][1]
            told = lines(host.daemon, *TELLING)
            assert len(told) == (1 if words else 0), f"{name}: {told}"
            assert words in "".join(told), f"{name}: {told}"
            host.daemon.stop()
            modes = {path.name: path.lstat().st_mode & 0o777 for path in host.state.iterdir() if not path.is_symlink()}
            assert modes["records.json"] == 0o600 and host.state.stat().st_mode & 0o777 == 0o700, f"{name}: {modes}"
            for path in host.state.glob("records.json.broken-*"):  # it was kept, and its mode too
                if path.is_file() and not path.is_symlink():
                    path.chmod(0o600)
            host.platform.stop()
            host.start()
            for instance, token in tokens[name].items():
                assert host.ask(instance) == token, name
            assert lines(host.daemon, *TELLING) == [], name
            host.platform.start()


# --- the directory ---

def start_as(site, uid):
    """elementd as another user, to whom all of the host belongs but what the test says."""
    program = site.directory / "elementd"
    if not program.exists():
        for name in ("elementd", "elementd-http"):
            shutil.copy(BUILD / name, site.directory / name)
    process = Process([program, f"--root={site.root}"], site.directory / "elementd.log", prepare=lambda: drop(uid, uid))
    site.daemons.append(Daemon(site, process, None))
    return site.daemon


def give(path, uid):
    for where, _, files in os.walk(path):
        for name in [".", *files]:
            os.chown(os.path.join(where, name), uid, uid, follow_symlinks=False)


@pytest.fixture
def unprivileged(site):
    """A host that nobody's daemon has provisioned."""
    site.simple("one", request_timeout_sec=1)
    site.state.mkdir(mode=0o700)
    give(site.root, NOBODY)
    daemon = start_as(site, NOBODY)
    site.wait_for_socket(daemon)
    site.token("one")
    daemon.stop()
    return site


def refuses(site, daemon, *words):
    """It ends at once, and says once what must be done."""
    assert daemon.process.wait(20) == 1
    [line] = lines(daemon, "cannot open the records")
    assert all(word in line for word in (str(site.state), *words)), line


@needs_root
def test_a_directory_of_another_user_is_left_to_them(unprivileged):
    """What root wrote there could not be read by them any more."""
    site = unprivileged
    before = sorted((path.name, path.stat().st_uid) for path in site.state.iterdir())
    refuses(site, site.start(wait=False), f"it belongs to uid {NOBODY} and we are uid 0; start elementd as that user")
    os.chown(site.state, 4711, 4711)
    site.state.chmod(0o777)
    refuses(site, start_as(site, NOBODY), f"it belongs to uid 4711 and we are uid {NOBODY}")
    assert sorted((path.name, path.stat().st_uid) for path in site.state.iterdir()) == before
    os.chown(site.state, NOBODY, NOBODY)
    site.platform.stop()
    site.wait_for_socket(start_as(site, NOBODY))
    assert site.ask("one") == site.record("one")["token"]
    assert len(lines(site.daemon, "the directory of the records had mode 0777")) == 1
    site.platform.start()


@needs_root
def test_a_directory_that_cannot_be_opened_or_made(unprivileged):
    site = unprivileged
    os.chown(site.state, 0, 0)
    refuses(site, start_as(site, NOBODY), "Permission denied", f"must be a directory of uid {NOBODY} with mode 0700")
    site.state.rename(site.directory / "kept")
    os.chown(site.state.parent, 0, 0)
    refuses(site, start_as(site, NOBODY), "Permission denied", f"must be a directory of uid {NOBODY} with mode 0700")
    site.state.write_text("")
    refuses(site, start_as(site, NOBODY), "Not a directory", f"must be a directory of uid {NOBODY} with mode 0700")
    site.state.unlink()
    (site.directory / "kept").rename(site.state)
    give(site.root, NOBODY)
    site.platform.stop()
    site.wait_for_socket(start_as(site, NOBODY))
    assert site.ask("one") == site.record("one")["token"]
    site.platform.start()


@needs_root
def test_a_directory_that_cannot_be_written(unprivileged):
    site = unprivileged
    token = site.record("one")["token"]
    site.instance("new")
    give(site.etc, NOBODY)
    site.state.chmod(0o500)
    daemon = start_as(site, NOBODY)
    site.wait_for_socket(daemon)
    daemon.wait_for_log("Permission denied")
    assert site.ask("new") == NOT_READY and len(site.platform.posts()) == 1
    tells_once_and_ends_well(site, daemon, "Permission denied", {"one": token}, lambda: site.state.chmod(0o700))


@needs_root
def test_a_document_that_root_has_taken(unprivileged):
    """As after a run by hand. It cannot be read, and what was in it is found on the platform."""
    site = unprivileged
    token = site.record("one")["token"]
    for path in site.state.iterdir():
        os.chown(path, 0, 0)
    daemon = start_as(site, NOBODY)
    site.wait_for_socket(daemon)
    is_well(site, {"one": token})
    [line] = lines(daemon, "records.json")
    assert "it cannot be read: Permission denied" in line and "kept as" in line, line


# --- two of them ---

def test_a_second_one_says_so_and_leaves_the_first_alone(site):
    tokens = provision(site, "one")
    first = site.start()
    before = site.records_file.stat().st_ino
    for _ in range(3):
        second = site.start(wait=False)
        assert second.process.wait(20) == 1
        [line] = lines(second, "")
        assert "another elementd is running" in line and str(site.state) in line, line
        assert site.ask("one") == tokens["one"] and first.is_running()
    assert site.records_file.stat().st_ino == before
    site.daemons = [first]


@pytest.mark.timeout(60)
def test_of_ten_that_start_at_once_one_runs(site):
    site.simple("one", "two")
    barrier, started = threading.Barrier(10), []

    def start():
        barrier.wait()
        started.append(Process([BUILD / "elementd", f"--root={site.root}"], site.directory / f"log{threading.get_ident()}",
                               {"ELEMENTD_TEST_WORK_SEC": "0"}))
        over.wait()

    over = threading.Event()  # they die with the thread that started them
    threads = [threading.Thread(target=start) for _ in range(10)]
    try:
        for thread in threads:
            thread.start()
        wait_until(lambda: len(started) == 10 and sum(not process.is_running() for process in started) == 9, "nine have ended")
        [first] = [process for process in started if process.is_running()]
        wait_until(site.socket.exists, "it listens")
        tokens = {name: site.token(name) for name in ("one", "two")}
        is_well(site, tokens)
        assert first.is_running()
        for process in started:
            if process is not first:
                assert process.wait() == 1
                [line] = process.output().splitlines()
                assert "another elementd is running" in line, line
        assert first.terminate() == 0
    finally:
        over.set()
        for thread in threads:
            thread.join(20)
