"""The examples of README.md are run as they stand there, but for the places: a host of ours, and the sandbox for the platform.

What only a real host has is stood in for by small scripts: sudo, systemctl, systemd-creds, systemd-sysusers.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections import namedtuple

import pytest

from harness.install import install
from harness.process import BUILD, environment
from harness.site import CTL_OK
from harness.tables import ROOT
from harness.units import cgroup, load, needs_units
from harness.users import needs_root
from harness.wait import wait_until

README = (ROOT / "README.md").read_text()
SANITIZE = "-fsanitize=address,undefined" if os.environ.get("ELEMENTD_VARIANT") == "asan" else ""  # as the library is
PREFIX = "/opt/elementd"
PLATFORM = "https://api.cloud-elements.com/elements/api-v2"
UNIT = "helpdesk.service"
HELPDESK = "games"  # a user that each Debian has, for the one of the examples

# A fenced block: its language, its text, and the last words before it, which name the file that it is.
Block = namedtuple("Block", "language text before")


def blocks():
    found = []
    for match in re.finditer(r"^( *)```(\w*)\n(.*?)^\1```$", README, re.M | re.S):
        indent, language, text = match.groups()
        lines = [line.removeprefix(indent) for line in text.splitlines()]
        found.append(Block(language, "\n".join(lines) + "\n", README[:match.start()].rstrip().splitlines()[-1]))
    return found


BLOCKS = blocks()
# In this order; whoever adds one adds what runs it.
(TRY, BUILD_IT, SECRETS, DROP_IN, ACCOUNT, TEMPLATE, INSTANCE, START, LATER, TROUBLE, SERVICE, SHELL, C, COMPILE, PYTHON) = BLOCKS


def test_each_block_has_what_runs_it():
    assert [block.language for block in BLOCKS] == ["sh", "sh", "sh", "ini", "json", "sh", "json", "sh", "sh", "", "ini", "sh", "c",
                                                    "sh", "python"]
    assert not re.search(r"^(    |\t)[a-z]", re.sub(r"```.*?```", "", README, flags=re.S), re.M), "an example that is not fenced"


# --- the host of the examples ---

SCRIPTS = {
    "elementctl": '[ "$1" = template ] && exec {ctl} "$@"\nexec {ctl} --root={root} "$@"',
    "sudo": 'if [ "$1" = -u ]; then [ "$2" = helpdesk ] || exit 1; shift 2\n'
            '    [ "$1" = elementctl ] && shift && exec setpriv --reuid={user} --regid={user} --clear-groups {copy} --root={root} "$@"\n'
            'fi\nexec "$@"',
    "systemctl": 'echo "systemctl $*" >>{log}',
    "systemd-sysusers": 'echo "systemd-sysusers $*" >>{log}',
    # Reads the secret as the real one does, and needs no key of the host.
    "systemd-creds": '[ "$1" = encrypt ] && [ "$2" = "--name=${{4##*/}}" ] && [ "$3" = - ] && cat >"$4"',
    "make": 'echo "make $*" >>{log}',
}


class Host:
    """A site, with the places of the examples moved below its root, and the scripts before all else."""

    def __init__(self, site):
        self.site = site
        self.log = site.directory / "commands"
        self.bin = site.directory / "shell"
        self.bin.mkdir()
        self.given = None
        site.ctl("list", user=(61001, 61001, ()))  # puts elementctl where other users may run it
        for name, text in SCRIPTS.items():
            script = self.bin / name
            script.write_text("#!/bin/sh\n" + text.format(ctl=BUILD / "elementctl", copy=site.directory / "bin/elementctl",
                                                          root=site.root, log=self.log, user=HELPDESK) + "\n")
            script.chmod(0o755)

    def place(self, text):
        text = re.sub(r"(?<![\w.])/(etc|run/elementd)/", lambda match: f"{self.site.root}{match[0]}", text)
        return re.sub(r"\b(user[:=])helpdesk\b", rf"\1{HELPDESK}", text.replace(PLATFORM, self.site.platform.url))

    def sh(self, text, stdin="", cwd=None):
        done = subprocess.run(["/bin/sh", "-euc", self.place(text)], input=stdin, capture_output=True, text=True, check=False,
                              env=environment({"PATH": f"{self.bin}:{os.environ['PATH']}"}), cwd=cwd, timeout=60)
        assert done.returncode == 0, (text, done)
        return done.stdout

    def write(self, block):
        """The file that the words before the block name."""
        path = re.match(r" *`(/etc/[\w./-]+)`", block.before)[1]
        self.site.write("placed", self.place(block.text))
        target = self.site.root / path.lstrip("/")
        os.replace(self.site.etc / "placed", target)
        return target

    def set_up(self):
        """Steps 1 to 3 of the first use; the credentials, where the running service would have them."""
        secrets = {"user-secret": self.site.user, "organization-secret": self.site.organization}
        for line in SECRETS.text.splitlines():
            name = re.search(r" encrypt --name=([\w-]+) ", line)
            self.sh(line, stdin=secrets.pop(name[1]) + "\n" if name else "")
        assert not secrets
        given = self.site.root / "run/credentials/elementd.service"
        given.mkdir(parents=True, mode=0o700)
        for name, path in re.findall(r"^LoadCredentialEncrypted=([\w-]+):(\S+)$", self.write(DROP_IN).read_text(), re.M):
            shutil.copy(path, given / name)
        self.write(ACCOUNT)
        self.write(INSTANCE)
        self.site.write("jira-password", self.site.secrets.new("the password") + "\n")
        return given

    def start(self):
        self.given = self.set_up()
        self.site.start(env={"CREDENTIALS_DIRECTORY": str(self.given)})

    def close(self):
        """The site looks for secrets below run/ when it ends: those that systemd would have there go before."""
        if self.given:
            shutil.rmtree(self.given)


@pytest.fixture
def host(site):
    if not shutil.which("setpriv"):
        pytest.skip("setpriv (util-linux) is not installed")
    host = Host(site)
    yield host
    host.close()


# --- building ---

def make_help():
    if not shutil.which("make"):
        pytest.skip("make is not installed")
    done = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    return re.findall(r"^  ([a-z-]+) +\S", done.stdout, re.M)


def test_make_help_lists_all_there_is():
    database = subprocess.run(["make", "-npq", "help"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    phony = set(re.search(r"^\.PHONY: (.*)$", database, re.M)[1].split()) - {"FORCE"}
    targets = make_help()
    assert len(targets) == len(set(targets)) and set(targets) == phony


def test_what_is_built_and_tried(host):
    targets = make_help()
    for line in TRY.text.splitlines():
        assert shlex.split(line, comments=True)[1] in targets, line
    host.sh(BUILD_IT.text)
    assert host.log.read_text().splitlines() == ["make ", "make install PREFIX=/usr", "systemd-sysusers ", "systemctl daemon-reload"]


def test_a_template(host):
    template = host.sh(TEMPLATE.text)
    assert '"key": "jira"' in template
    elements = subprocess.run([BUILD / "elementctl", "template", "--list"], capture_output=True, text=True, check=True).stdout
    assert f"lists the {len(elements.splitlines()) - 1} elements" in README, "one line is the header"


# --- the first use ---

@needs_root
def test_the_first_use(host):
    host.start()
    site = host.site
    for line in START.text.splitlines():
        output = host.sh(line)
        if "elementctl token" in line:
            [instance] = site.platform.instances()
            assert output == instance["token"] + "\n" and instance["element"] == "jira"
        if "elementctl status" in line:
            assert output == "the only instance is ready\n"
    assert host.log.read_text() == "systemctl daemon-reload\nsystemctl enable --now elementd\n"
    outputs = [host.sh(line) for line in LATER.text.splitlines()]
    assert "token: allowed by user:" in outputs[2]


def test_status_in_trouble(site):
    """What is shown there is what is said, but for the cause and the times."""
    site.settings()
    site.account(url="http://127.0.0.1:1/elements/api-v2")
    for name in ("billing", "helpdesk-jira"):
        site.instance(name)
    site.start()
    for name in ("billing", "helpdesk-jira"):
        site.wait_for_state(name, "waiting")
    said = site.ctl("status").stdout.replace(str(site.root), "")

    def shape(text):
        text = re.sub(r"(cannot reach the platform: ).*?(; since)", r"\1CAUSE\2", text)
        return re.sub(r"\d\d:\d\d:\d\d \([^)]*\)", "TIME", text)
    assert shape(said) == shape(TROUBLE.text) and "CAUSE; since TIME; next try at TIME" in shape(said)


# --- for programs ---

@needs_root
def test_the_unit(host):
    needs_units()
    host.start()
    lines = re.findall(r"^LoadCredential=([\w.-]+):(\S+)$", host.place(SERVICE.text), re.M)
    assert lines and "%d/" + lines[0][0] in SERVICE.text
    with cgroup(f"system.slice/{UNIT}") as enter:
        token = host.site.token("helpdesk-jira")
        for credential, path in lines:
            assert path == str(host.site.root / "run/elementd/credentials")
            assert load(path, UNIT, credential, enter) == token


def test_shell(host, tmp_path):
    if not shutil.which("curl"):
        pytest.skip("curl is not installed")
    site = host.site
    host.start()
    token = site.token("helpdesk-jira")
    host.sh(SHELL.text, cwd=tmp_path)
    [ping] = site.platform.requests("GET", "/ping")
    assert ping["status"] == 200 and json.loads((tmp_path / "answer.json").read_text())
    # When the token has been changed, it is reported, and the next run has the new one.
    [instance] = site.platform.instances()
    site.platform.call("POST", f"/instances/{instance['id']}/token", {})
    host.sh(SHELL.text, cwd=tmp_path)
    wait_until(lambda: site.ask("helpdesk-jira") != token, "the new token is there")
    host.sh(SHELL.text, cwd=tmp_path)
    assert [ping["status"] for ping in site.platform.requests("GET", "/ping")] == [200, 401, 200]


def test_c(site, tmp_path):
    for tool in ("cc", "pkg-config"):
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not installed")
    install(tmp_path, PREFIX)
    site.jira("helpdesk-jira")
    site.settings()
    site.account()
    site.start()
    (tmp_path / "token.c").write_text(C.text.replace("elementd_open(NULL,", f'elementd_open("{site.socket}",'))
    env = environment({"PKG_CONFIG_SYSROOT_DIR": str(tmp_path), "PKG_CONFIG_PATH": f"{tmp_path}{PREFIX}/lib/pkgconfig"})
    subprocess.run(["/bin/sh", "-euc", COMPILE.text.replace("cc ", f"cc {SANITIZE} ", 1)], cwd=tmp_path, env=env, check=True, timeout=60)
    env = environment({"LD_LIBRARY_PATH": f"{tmp_path}{PREFIX}/lib"})
    done = subprocess.run([tmp_path / "token"], env=env, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, site.token("helpdesk-jira") + "\n", "")


def test_python(site):
    site.jira("helpdesk-jira")
    site.settings()
    site.account()
    site.start()
    text = PYTHON.text.replace("/run/elementd/io.elementd", str(site.socket))
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == CTL_OK, done.stderr
    assert site.token("helpdesk-jira") in done.stdout
