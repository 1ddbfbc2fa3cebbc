"""elementctl template: what it prints is an instance file, once the placeholders are filled in."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.process import BUILD, environment

ROOT = Path(__file__).resolve().parents[2]
PLACEHOLDER = re.compile(r"<INSERT_[A-Z0-9_]+>")


def ctl(*arguments):
    return subprocess.run([str(BUILD / "elementctl"), *map(str, arguments)], env=environment(), check=False, timeout=20,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)


def elements():
    lines = (ROOT / "config/elements.tsv").read_text().splitlines()
    return {line.split("\t")[0]: line.split("\t") for line in lines if not line.startswith("#")}


def template(key, *options):
    done = ctl("template", key, *options)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def without_comments(text):
    """The comments of a template stand on lines of their own."""
    return "".join(line for line in text.splitlines(True) if not line.lstrip().startswith("//"))


def with_optional(text):
    """What somebody has who takes away the "//" before each optional key."""
    return re.sub(r'^    // (".*",)$', r"    \1", text, flags=re.MULTILINE)


@pytest.fixture
def root(tmp_path):
    for folder in "etc/elementd/instances.d", "etc/elementd/accounts.d", "run/credentials/elementd.service":
        (tmp_path / folder).mkdir(parents=True)
    account = {"url": "http://127.0.0.1:1", "user": "${credential:user}", "organization": "${credential:organization}"}
    (tmp_path / "etc/elementd/accounts.d/default.json").write_text(json.dumps(account))
    (tmp_path / "etc/elementd/elementd.json").write_text('{"owner": "host"}')
    return tmp_path


def declare(root, name, text):
    """The template's text as a file, and its credentials where systemd would have put them."""
    path = root / f"etc/elementd/instances.d/{name}.json"
    path.write_text(text)
    path.chmod(0o640)
    for credential in [*re.findall(r"\$\{credential:([^}]+)\}", without_comments(text)), "user", "organization"]:
        (root / "run/credentials/elementd.service" / credential).write_text("s3cr3t\n")


def test_each_element_passes_the_check_once_it_is_filled_in(root):
    n = 0
    for key in elements():
        text = template(key)
        for name, variant in (key, text), (f"{key}-optional", with_optional(text)):
            declare(root, name, PLACEHOLDER.sub("root", variant))
            n += 1
    done = ctl("check", f"--root={root}")
    assert (done.returncode, done.stdout) == (0, "")
    assert f"instances: {n}, " in done.stderr and n == 2 * 157


def test_the_check_tells_of_each_placeholder(root):
    declare(root, "a", template("jira"))
    done = ctl("check", f"--root={root}", "--json")
    problems = json.loads(done.stdout)
    assert done.returncode == 1
    assert [re.search(PLACEHOLDER, problem["message"])[0] for problem in problems] == [
        "<INSERT_NAME>", "<INSERT_USERNAME>", "<INSERT_BASE_URL>", "<INSERT_USER>"]


def test_the_check_reads_credentials_only_where_the_service_has_them(root):
    declare(root, "a", PLACEHOLDER.sub("root", template("jira")))
    shutil.rmtree(root / "run/credentials")
    done = ctl("check", f"--root={root}")
    assert done.returncode == 1 and "${credential:jira-password}: this process was given no credentials" in done.stdout


def test_all_secrets_are_references(root):
    for key, (_, _, authentication, required, _, secret) in elements().items():
        body = json.loads(without_comments(template(key)))
        assert body["element"] == {"key": key} and body["elementd"]["account"] == "default"
        expected = required.split(",") + (["oauth.user.refresh_token"] if authentication == "oauth2" else [])
        assert list(body["configuration"]) == expected
        for name, value in body["configuration"].items():
            is_secret = name in secret.split(",") or name == "oauth.user.refresh_token"
            assert value == f"${{credential:{key}-{name}}}" if is_secret else PLACEHOLDER.fullmatch(value)


def test_comments_say_where_the_keys_come_from_and_how_to_make_a_credential():
    text = template("jira")
    for words in ("keys are those of the platform's documentation", "may ask for others",
                  "systemd-creds encrypt --name=jira-password - /etc/credstore.encrypted/jira-password\n",
                  "LoadCredentialEncrypted=jira-password:/etc/credstore.encrypted/jira-password\n"):
        assert words in text
    assert max(map(len, text.splitlines())) <= 120
    assert "providerData" in template("twitter") and '"externalAuthentication": "initial"' in template("slack")
    assert "systemd-creds" not in template("quickbooksonprem")


def test_json_has_no_comments():
    for key in "jira", "quickbooks", "sfdc":
        assert json.loads(template(key, "--json")) == json.loads(without_comments(template(key)))


@pytest.mark.parametrize("word, near", [("jria", "near it: jira (JIRA)\n"), ("HubSpot CRM", "near it: hubspotcrm (HubSpot CRM)\n"),
                                        ("qwertz\033[2J", "those that are: elementctl template --list\n")])
def test_unknown(word, near):
    done = ctl("template", word)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f'elementctl: no element "{word}" is known; '.replace("\033", "?"))
    assert done.stderr.endswith(near)


def test_list():
    known = elements()
    done = ctl("template")
    assert (done.returncode, done.stderr, done.stdout) == (0, "", ctl("template", "--list").stdout)
    rows = [re.split(r"  +", line, maxsplit=2) for line in done.stdout.splitlines()]
    assert rows[0] == ["ELEMENT", "AUTHENTICATION", "NAME"]
    assert rows[1:] == [[key, row[2], row[1]] for key, row in known.items()]
    split = lambda cell: cell.split(",") if cell else []  # noqa: E731
    assert json.loads(ctl("template", "--list", "--json").stdout) == [
        {"key": key, "name": row[1], "authentication": row[2], "required": split(row[3]), "optional": split(row[4]),
         "secret": split(row[5])} for key, row in known.items()]
