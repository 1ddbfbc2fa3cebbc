"""Completions of elementctl in three shells: all that may be typed, and nothing that may not."""

import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest

from harness.process import BUILD, environment
from harness.tables import ROOT, ctl_commands, ctl_options

COMPLETIONS = ROOT / "packaging/completions"
COMMANDS, OPTIONS = ctl_commands(), ctl_options()
EVERYWHERE = {"help", "version"}
INSTANCES = ["crm.main", "helpdesk-jira"]


def shell(name):
    """The folder of a shell; a test that needs one that is not here says so."""
    path = shutil.which(name)
    if not path:
        pytest.skip(f"{name} is not installed")
    return path


def run(*command, **variables):
    path = f"{BUILD}:{os.environ.get('PATH', os.defpath)}"
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run([str(part) for part in command], env=environment({"PATH": path, "HOME": home} | variables),
                              check=False, timeout=30, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


# Sources the file and fills in what readline does: $1 is the file, then the words; the last is at the cursor.
BASH = r"""
source "$1"; shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
complete -p elementctl | grep -q -- '-F _elementctl '
_elementctl 2> >(grep -v 'compopt: not currently executing' >&2)
((${#COMPREPLY[@]})) && printf '%s\n' "${COMPREPLY[@]}" || true
"""

# The completion system's own functions tell what they were given.
ZSH = r"""
file=$1; shift
words=("$@") CURRENT=$#
compadd() { print -rl -- ${(P)2} }
_arguments() {
    local given
    for given; do
        case $given in
        *:_elementctl_instances) [[ $CURRENT -ge 3 ]] && _elementctl_instances ;;
        *:_elementctl_elements) [[ $CURRENT -ge 3 ]] && _elementctl_elements ;;
        1:command:*) [[ -z $command ]] && print -rl -- $commands ;;
        --*) print -r -- ${${given%%\[*}%=*} ;;
        *--help*) print -r -- --help ;;
        esac
    done
    true
}
source $file
"""


def in_bash(*words):
    return {word.rstrip("=") for word in run(shell("bash"), "-c", BASH, "bash", COMPLETIONS / "elementctl.bash",
                                             "elementctl", *words)}


def in_zsh(*words):
    return set(run(shell("zsh"), "-f", "-c", ZSH, "zsh", COMPLETIONS / "elementctl.zsh", "elementctl", *words))


def in_fish(*words):
    line = " ".join(["elementctl", *words])
    script = f"source {COMPLETIONS}/elementctl.fish; complete -C'{line}'"
    return set(run(shell("fish"), "-N", "-c", script))


@pytest.fixture
def instances(request):
    """A socket at which ListInstances has these; the option that leads there."""
    folder = Path(tempfile.mkdtemp(prefix="elementd-"))
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "socket"))
    listener.listen(8)
    rows = [{"name": name, "element": "jira", "account": "default", "state": "ready", "hasToken": True, "sinceUSec": 1,
             "attempts": 0} for name in getattr(request, "param", INSTANCES)]

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                if connection.recv(65536):
                    connection.sendall(json.dumps({"parameters": {"instances": rows}}).encode() + b"\0")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"--socket={folder}/socket"
    listener.shutdown(socket.SHUT_RDWR)
    thread.join(10)
    listener.close()
    shutil.rmtree(folder)


def words_of(found):
    return {word.split("\t")[0].split(":")[0] for word in found if not word.startswith("-")}


def options_of(found):
    return {word.split("\t")[0].removeprefix("--").removesuffix("-").removesuffix("=") for word in found
            if word.startswith("--")}


@pytest.mark.parametrize("shell_name, option", [("bash", "-n"), ("zsh", "-n"), ("fish", "--no-execute")])
def test_syntax(shell_name, option):
    run(shell(shell_name), option, COMPLETIONS / f"elementctl.{shell_name}")


@pytest.mark.parametrize("complete", [in_bash, in_zsh, in_fish])
def test_all_commands(complete):
    found = complete("")
    assert words_of(found) == set(COMMANDS)
    if complete is in_bash:
        assert found == set(COMMANDS) and complete("re") == {"rejected", "retry", "reload"}
    elif complete is in_zsh:
        assert {word for word in found if ":" in word} == {f"{name}:{row.help}" for name, row in COMMANDS.items()}
    else:
        assert {word for word in found} == {f"{name}\t{row.help}" for name, row in COMMANDS.items()}


@pytest.mark.parametrize("complete", [in_bash, in_zsh, in_fish])
def test_the_options_of_each_command(complete):
    assert options_of(complete("--")) == set(OPTIONS)
    for name, row in COMMANDS.items():
        assert options_of(complete(name, "--")) == row.options | EVERYWHERE, name
    assert options_of(complete("--json", "template", "--")) == COMMANDS["template"].options | EVERYWHERE
    assert options_of(complete("--root", "wait", "list", "--")) == COMMANDS["list"].options | EVERYWHERE


@pytest.mark.parametrize("complete", [in_bash, in_zsh, in_fish])
def test_arguments(complete, instances):
    elements = {line.split("\t")[0] for line in (ROOT / "config/elements.tsv").read_text().splitlines() if line[0] != "#"}
    for name, row in COMMANDS.items():
        expected = set(INSTANCES) if "NAME" in row.usage else elements if "ELEMENT" in row.usage else set()
        found = complete(*([instances] if "socket" in row.options else []), name, "")
        assert words_of(found) == expected, name


@pytest.mark.parametrize("complete", [in_bash, in_fish])
def test_no_more_arguments_than_a_command_takes(complete, instances):
    assert complete(instances, "token", "helpdesk-jira", "") == set()
    assert complete(instances, "token", "--json", "h") == {"helpdesk-jira"}
    assert complete("template", "jira", "") == set()
    assert words_of(complete(instances, "wait", "helpdesk-jira", "c")) == {"crm.main"}


def test_values_in_bash(tmp_path, instances):
    """As readline has it: "=" is a word of its own."""
    (tmp_path / "a folder").mkdir()
    (tmp_path / "a file").touch()
    assert in_bash("--root", "=", f"{tmp_path}/a") == {f"{tmp_path}/a folder"}
    assert in_bash("--root", f"{tmp_path}/a") == {f"{tmp_path}/a folder"}
    assert in_bash("--socket", "=", f"{tmp_path}/a") == {f"{tmp_path}/a folder", f"{tmp_path}/a file"}
    assert in_bash("--timeout", "=") == set()
    assert in_bash("token", "--wait", "=") == set()
    option, path = instances.split("=")
    assert in_bash(option, "=", path, "token", "--wait", "=", "3", "") == set(INSTANCES)
    assert in_bash(option, "=", path, "token", "--wait", "") == set(INSTANCES)


RAN = Path(tempfile.gettempdir()) / f"elementd-ran-{os.getpid()}"


@pytest.mark.parametrize("instances", [[f"$(touch$IFS{RAN})", "good"]], indirect=True)
@pytest.mark.parametrize("complete", [in_bash, in_zsh, in_fish])
def test_nothing_that_a_daemon_says_is_run(complete, instances):
    assert "good" in complete(instances, "token", "")
    assert not RAN.exists()


@pytest.mark.parametrize("complete", [in_bash, in_fish])
def test_nothing_that_was_typed_is_run(complete, tmp_path):
    """What stands on the line is not expanded: only whoever presses the last key decides that."""
    if complete is in_bash:
        complete(f"--socket=$(touch {tmp_path}/a)", "token", "")
        complete("--socket", "=", f"`touch {tmp_path}/a`", "token", f"$(touch {tmp_path}/a)")
    complete("token", f"$(touch {tmp_path}/b)")
    assert list(tmp_path.iterdir()) == []
