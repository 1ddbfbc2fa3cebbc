"""A site: one host that runs the daemon, in a folder of its own, and the platform that it talks to."""

import itertools
import json
import os
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path

from harness.canary import Canaries, search_files
from harness.faults import Faults
from harness.process import BUILD, REPORTS, Process, children, die_with_parent, environment
from harness.sandbox import Sandbox
from harness.users import OtherUser, drop
from harness.varlink import Varlink, VarlinkError
from harness.wait import wait_until

OWNER = "testhost"

# The exit statuses of elementctl.
CTL_OK, CTL_OTHER, CTL_NO_INSTANCE, CTL_NOT_READY, CTL_FAILED, CTL_DENIED, CTL_NO_DAEMON = range(7)


class Daemon:
    """One run of elementd."""

    def __init__(self, site, process, faults):
        self.site, self.process, self.faults = site, process, faults

    @property
    def pid(self):
        return self.process.pid

    def asking(self):
        """The process that asks the platform for it, or None."""
        found = children(self.pid)
        assert len(found) <= 1, found
        return found[0] if found else None

    def output(self):
        return self.process.output()

    def is_running(self):
        return self.process.is_running()

    def kill(self):
        self.site.look_at_process(self)
        self.process.kill()

    def stop(self):
        """SIGTERM, which must end it well."""
        self.site.look_at_process(self)
        status = self.process.terminate()
        assert not self.process.sanitizer_report(), self.process.sanitizer_report()
        assert status == 0, f"elementd ended with status {status}"

    def wait_for_death(self, timeout=20):
        """Until it has killed itself, by a rule of its faults."""
        status = self.process.wait(timeout)
        assert status == -9, f"elementd ended with status {status} instead of being killed:\n{self.output()}"

    def wait_for_log(self, text):
        wait_until(lambda: text in self.output(), f"elementd logs {text!r}")


class Site:
    def __init__(self, authority=None):
        # Not pytest's own folder: other users must get through to the socket, whose path must be short.
        self.directory = Path(tempfile.mkdtemp(prefix="elementd-"))
        self.directory.chmod(0o755)
        self.root = self.directory / "host"
        self.etc = self.root / "etc/elementd"
        self.state = self.root / "var/lib/elementd"
        self.socket = self.root / "run/elementd/io.elementd"
        self.records_file = self.state / "records.json"
        for path in (self.etc / "accounts.d", self.etc / "instances.d", self.root / "var/lib", self.root / "run"):
            path.mkdir(parents=True)
        self.authority = authority
        self.secrets = Canaries()  # which nothing may hold but the platform and the configuration
        self.tokens = Canaries()   # which the records may hold too
        self.user = self.secrets.new("the user secret")
        self.organization = self.secrets.new("the organization secret")
        self.program = BUILD / "elementd"
        self.platforms, self.daemons, self.connections, self.complaints = [], [], [], []

    # --- the platform ---

    def start_platform(self, certificate=None, options=()):
        directory = self.directory / f"platform{len(self.platforms)}"
        directory.mkdir(mode=0o700)
        platform = Sandbox(directory, self.user, self.organization, certificate, options)
        self.platforms.append(platform)
        return platform

    @property
    def platform(self):
        return self.platforms[0] if self.platforms else self.start_platform()

    # --- the configuration ---

    def undeclare(self, name):
        (self.etc / f"instances.d/{name}.json").unlink()

    def write(self, path, content, mode=0o640):
        """A file below etc/elementd, whole or not there; `content` is text or a JSON value."""
        file = self.etc / path
        file.parent.mkdir(parents=True, exist_ok=True)
        new = self.directory / "new-file"
        new.write_text(content if isinstance(content, str) else json.dumps(content, indent=2))
        new.chmod(mode)
        os.replace(new, file)
        return file

    def settings(self, **settings):
        defaults = {"owner": OWNER, "request-timeout-sec": 5}
        self.write("elementd.json", defaults | {key.replace("_", "-"): value for key, value in settings.items()})

    def account(self, name="default", **account):
        defaults = {"url": self.platform.url, "user": self.user, "organization": self.organization}
        self.write(f"accounts.d/{name}.json", defaults | {key.replace("_", "-"): value for key, value in account.items()})

    def instance(self, name, body=None, **ours):
        """An instance file; without a body, one of an element that asks for nothing. We may have its token."""
        if body is None:
            body = {"element": {"key": "anything"}, "name": name,
                    "configuration": {"password": self.secrets.new(f"the password of {name}")}}
        ours = {key.replace("_", "-"): value for key, value in ours.items()}
        ours.setdefault("allow", [f"user:{os.geteuid()}"])
        self.write(f"instances.d/{name}.json", body | {"elementd": ours})
        return body

    def jira(self, name, **ours):
        """The published instance file, filled in."""
        password = self.secrets.new(f"the password of {name}")
        body = {"element": {"key": "jira"},
                "configuration": {"jira.username": "ops@example.com", "jira.password": password,
                                  "jira.api.url": "https://example.atlassian.net"},
                "tags": ["production"], "name": name}
        return self.instance(name, body, **ours)

    def simple(self, *names, **settings):
        """Settings, the default account, and an instance of each name."""
        self.settings(**settings)
        self.account()
        for name in names or ("one",):
            self.instance(name)

    def certificate(self, host="IP:127.0.0.1"):
        return self.authority.issue(f"server{len(self.platforms)}-{self.directory.name}", host)

    # --- the daemon ---

    def start(self, *rules, env=None, arguments=(), wait=True, prepare=None, pass_fds=(), faults=False):
        """elementd, with faults where there are rules (or faults=True, to set some later)."""
        extra = {"ELEMENTD_LOG_LEVEL": "debug", "ELEMENTD_TEST_WORK_SEC": "0"}
        injected = None
        if rules or faults:
            injected = Faults(self.directory, f"daemon{len(self.daemons)}")
            injected.set(*rules)
            extra |= injected.environment()
        command = [self.program, f"--root={self.root}", *arguments]
        process = Process(command, self.directory / "elementd.log", extra | (env or {}), prepare, pass_fds)
        daemon = Daemon(self, process, injected)
        self.daemons.append(daemon)
        if wait:
            self.wait_for_socket(daemon)
        return daemon

    def wait_for_socket(self, daemon):
        def answers():
            assert daemon.is_running(), f"elementd ended with {daemon.process.wait()}:\n{daemon.output()}"
            try:
                with Varlink.connect(self.socket) as varlink:
                    return varlink.call("org.varlink.service.GetInfo")
            except (FileNotFoundError, ConnectionError):
                return None
        wait_until(answers, "elementd answers on its socket")

    @property
    def daemon(self):
        return self.daemons[-1]

    def check(self):
        """elementd --check"""
        return self.run([BUILD / "elementd", f"--root={self.root}", "--check"])

    # --- its clients ---

    def connect(self):
        varlink = Varlink.connect(self.socket)
        self.connections.append(varlink)
        return varlink

    def connect_as(self, uid, gid, groups=()):
        """A connection of another user, to be used in a with statement."""
        return OtherUser(self.socket, uid, gid, groups)

    def instances(self):
        """ListInstances: rows by name; what is left out of one is None."""
        absent = dict.fromkeys(("id", "verifiedUSec", "retryUSec", "problem"))
        with Varlink.connect(self.socket) as varlink:
            return {row["name"]: absent | row for row in varlink.call("ListInstances")["instances"]}

    def wait_for_state(self, name, state):
        """The instance's row once it is in that state."""
        def row():
            rows = self.instances()
            return rows[name] if rows.get(name, {}).get("state") == state else None
        try:
            return wait_until(row, f"{name} is {state}")
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {self.instances().get(name)}") from None

    def token(self, name, timeout=20):
        with Varlink.connect(self.socket) as varlink:
            return varlink.token(name, timeoutUSec=int(timeout * 1e6))

    def ask(self, name):
        """The token that is served at once, or the error's name."""
        with Varlink.connect(self.socket) as varlink:
            try:
                return varlink.token(name)
            except VarlinkError as error:
                return error.name

    def run(self, command, user=None, text=None, timeout=20):
        """A command to its end; its output. What it says on stderr is searched for secrets too."""
        prepare = (lambda: (drop(*user), die_with_parent())) if user else die_with_parent
        done = subprocess.run([str(part) for part in command], env=environment(), cwd="/", check=False,
                              input=text, stdin=None if text is not None else subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=timeout,
                              preexec_fn=prepare)
        with open(self.directory / "commands.log", "a", encoding="utf-8") as log:
            log.write(f"$ {' '.join(map(str, command))}\n{done.stderr}[exit status {done.returncode}]\n")
        return done

    def ctl(self, *arguments, user=None, text=None, timeout=20):
        """elementctl; as another user (uid, gid, groups) from a place where they may run it."""
        program = BUILD / "elementctl"
        if user:
            program = self.directory / "bin/elementctl"
            if not program.exists():
                program.parent.mkdir(mode=0o755)
                for file in [BUILD / "elementctl", *BUILD.glob("libelementd.so*")]:
                    shutil.copy(file, program.parent, follow_symlinks=True)
        return self.run([program, f"--root={self.root}", *arguments], user, text, timeout)

    def reload(self):
        """Reload: its lists; raises VarlinkError with the problems."""
        with Varlink.connect(self.socket) as varlink:
            return varlink.call("Reload")

    def orphans(self):
        """ListOrphans: rows by id."""
        with Varlink.connect(self.socket) as varlink:
            return {row["id"]: row for row in varlink.call("ListOrphans")["orphans"]}

    def ours(self):
        """What the platform has: (name of the instance by our tag, element) of each, sorted."""
        prefix = f"elementd.{OWNER}."
        return sorted((tag[len(prefix):], row["element"]) for row in self.platform.instances()
                      for tag in row["tags"] if tag.startswith(prefix))

    # --- the records ---

    def document(self):
        """records.json, or None before there is one."""
        return json.loads(self.records_file.read_text()) if self.records_file.exists() else None

    def record(self, name):
        """What the disk holds of an instance, or None."""
        document = self.document() or {"records": []}
        return next((row for row in document["records"] if row["name"] == name), None)

    def forget_state(self):
        """As on a new machine, or after an accident."""
        shutil.rmtree(self.state)

    # --- the end ---

    def look_at_process(self, daemon):
        """No secret stands where ps(1) or /proc shows it, and the process that asks the platform holds no file of ours."""
        asking = children(daemon.pid)
        for pid, name in itertools.product([daemon.pid, *asking], ("cmdline", "environ")):
            try:
                data = Path(f"/proc/{pid}/{name}").read_bytes()
            except (FileNotFoundError, ProcessLookupError):
                continue
            for secret in self.secrets.found_in(data) + self.tokens.found_in(data):
                self.complaints.append(f"/proc/{pid}/{name} holds {secret}")
        for pid in asking:
            for file in Path(f"/proc/{pid}/fd").glob("*"):
                try:
                    target = os.readlink(file)
                except (FileNotFoundError, ProcessLookupError):
                    continue
                if target.startswith(str(self.root)):
                    self.complaints.append(f"{target} is open in process {pid}")

    def learn_tokens(self):
        """All that the platform and the records know."""
        for platform in self.platforms:
            if platform.process.is_running():
                for instance in platform.instances():
                    self.tokens.add(f"the token of instance {instance['id']}", instance["token"])
        try:
            rows = (self.document() or {"records": []})["records"]
        except (ValueError, KeyError):
            rows = []
        for row in rows:
            if row.get("token"):
                self.tokens.add(f"the token of {row['name']}", row["token"])

    def search_for_secrets(self):
        for log in ("elementd.log", "commands.log"):
            path = self.directory / log
            data = path.read_bytes() if path.exists() else b""
            for secret in self.secrets.found_in(data) + self.tokens.found_in(data):
                self.complaints.append(f"{log} holds {secret}")
        for place in (self.root / "var", self.root / "run"):
            self.complaints += search_files(place, self.secrets, lambda path, mode: False)
            self.complaints += search_files(place, self.tokens,
                                            lambda path, mode: mode == 0o600 and path.parent == self.state)
        if self.state.exists() and stat.S_IMODE(self.state.stat().st_mode) & 0o077:
            self.complaints.append(f"{self.state} can be entered by others")

    def search_for_reports(self):
        for path in (self.directory / "elementd.log", self.directory / "commands.log"):
            text = path.read_text(errors="replace") if path.exists() else ""
            if any(report in text for report in REPORTS):
                self.complaints.append(f"{path.name} holds a sanitizer's report or a failed assertion")

    def attempt(self, function, *arguments):
        """One step of the end; what is wrong with it is told with the rest."""
        try:
            function(*arguments)
        except (AssertionError, OSError, subprocess.SubprocessError) as error:
            self.complaints.append(str(error))

    def close(self):
        """Ends all that was started, and returns what is wrong with what was left behind."""
        for connection in self.connections:
            connection.close()
        self.attempt(self.learn_tokens)
        for daemon in self.daemons:
            if daemon.is_running():
                self.attempt(daemon.stop)
        for platform in self.platforms:
            if platform.process.is_running():
                self.attempt(platform.stop)
        self.attempt(self.learn_tokens)
        self.attempt(self.search_for_secrets)
        self.attempt(self.search_for_reports)
        return self.complaints

    def logs(self):
        """(title, text) of each, for the report of a failed test."""
        found = []
        for path in [self.directory / "elementd.log", self.directory / "commands.log",
                     *self.directory.glob("platform*/sandbox.log")]:
            if path.exists() and path.stat().st_size:
                found.append((path.relative_to(self.directory).as_posix(), path.read_text(errors="replace")))
        return found

    def remove(self):
        for daemon in self.daemons:
            daemon.process.kill()
        for platform in self.platforms:
            platform.process.kill()
        shutil.rmtree(self.directory, ignore_errors=True)
