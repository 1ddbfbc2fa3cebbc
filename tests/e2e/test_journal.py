"""What is in the journal: the kinds of events, and the catalogue that explains each of them (journalctl -x)."""

import re
import shutil
import subprocess

import pytest

from harness.install import install
from harness.tables import ROOT, source

MESSAGES = dict(re.findall(r'^#define (MESSAGE_\w+) +"([0-9a-f]{32})"$', source("systemd/messages.h"), re.M))
FIELDS = set(re.findall(r'\{"(\w+)", offsetof', source("systemd/log.c")))
CODE = {path.relative_to(ROOT).as_posix(): path.read_text()
        for folder in ("base", "systemd", "config", "ipc", "fetch", "daemon") for path in sorted((ROOT / folder).rglob("*.c"))}


def catalogue():
    """The entries: id -> (header, body)."""
    entries = {}
    for part in re.split(r"^-- ", source("systemd/elementd.catalog"), flags=re.M)[1:]:
        head, body = part.split("\n\n", 1)
        number, *lines = head.split("\n")
        assert number not in entries, number
        entries[number] = dict(line.split(": ", 1) for line in lines), body.strip()
    return entries


def test_each_kind_of_event_has_an_id_of_its_own_and_is_logged():
    assert len(set(MESSAGES.values())) == len(MESSAGES) == source("systemd/messages.h").count("#define")
    used = {name for text in CODE.values() for name in re.findall(r"\bMESSAGE_[A-Z_]+\b", text)} & set(MESSAGES)
    assert used == set(MESSAGES)


def test_the_catalogue_has_each_of_them_and_no_other():
    assert set(catalogue()) == set(MESSAGES.values())


@pytest.mark.parametrize("name", MESSAGES)
def test_an_entry_says_what_happened_and_what_to_do(name):
    header, body = catalogue()[MESSAGES[name]]
    assert set(header) == {"Subject", "Defined-By", "Documentation"}
    assert 10 < len(header["Subject"]) < 90 and header["Documentation"] == "man:elementd(8)"
    cause, *remedy = body.split("\n\n")
    assert len(cause) > 20 and len(remedy) == 1 and len(remedy[0]) > 15
    assert set(re.findall(r"@(\w+)@", header["Subject"] + body)) <= FIELDS
    assert max(map(len, body.splitlines())) <= 80


def test_nothing_is_logged_without_an_id():
    """Above debug. By way of step_log() and remove_log() it is an argument."""
    for name, text in CODE.items():
        assert re.findall(r"log_full\(\s*LOG_(?!DEBUG)\w+,\s*NULL", text) == [], name
        for call in re.findall(r"\b(?:log_event|step_log|remove_log)\(([^;]*);", text):
            if not call.startswith(("int level", "level")):
                assert re.search(r"\bMESSAGE_[A-Z_]+\b", call), (name, call)


def test_the_manual_has_the_fields():
    page = source("packaging/man/elementd.8").split(".Sh JOURNAL")[1].split(".Sh")[0]
    assert set(re.findall(r"^\.It Sy (\w+)", page, re.M)) == {field for field in FIELDS if field.startswith("ELEMENTD_")}


def test_journalctl_takes_it_as_it_is_installed(tmp_path):
    if not shutil.which("journalctl"):
        pytest.skip("there is no journalctl")
    install(tmp_path, "/usr")
    assert (tmp_path / "usr/lib/systemd/catalog/elementd.catalog").read_text() == source("systemd/elementd.catalog")
    (tmp_path / "var/lib/systemd/catalog").mkdir(parents=True)

    def journalctl(option):
        done = subprocess.run(["journalctl", f"--root={tmp_path}", option], capture_output=True, text=True, check=True)
        return done.stdout, done.stderr

    assert journalctl("--update-catalog") == ("", "")
    listed = dict(line.split(" ", 1) for line in journalctl("--list-catalog")[0].splitlines())
    assert {number: subject.removeprefix("elementd: ") for number, subject in listed.items()} == \
        {number: header["Subject"] for number, (header, _) in catalogue().items()}
