"""The manual pages: well formed, and about all that there is, and about nothing that there is not."""

import re
import shutil
import subprocess

import pytest

from harness.install import install
from harness.process import BUILD, environment
from harness.tables import (ROOT, ctl_commands, ctl_options, ctl_statuses, elementd_options, library, schema_keys, source,
                            table, varlink)

PAGES = {path.name: path.read_text() for path in sorted((ROOT / "packaging/man").iterdir())}
EVERY_PAGE = ["elementctl.1", "elementd-account.5", "elementd-instance.5", "elementd.8", "elementd.json.5", "io.elementd.7",
              "libelementd.3"]


def items(page, macro, text=None):
    """What the page's lists have by this macro: the first word of each item, and all names that stand before its comma."""
    found = re.findall(rf"^\.It {macro} (.*)$", PAGES[page] if text is None else text, re.M)
    return [re.split(r"[ ,]", line)[0] for line in found]


def item(page, macro, name):
    """The text below one item, up to the next."""
    found = re.search(rf"^\.It {macro} {re.escape(name)}\b.*\n((?:(?!\.It|\.El).*\n)*)", PAGES[page], re.M)
    assert found, f"{page} has no {name}"
    return found[1]


def options(page):
    """Names of all options that have an item, without their dashes; a single letter is one too."""
    lines = re.findall(r"^\.It (Fl .*)$", PAGES[page], re.M)
    return [name.lstrip("-") for line in lines for name in re.findall(r"Fl (-?[\w-]+)", line)]


def test_pages():
    assert list(PAGES) == EVERY_PAGE


@pytest.mark.parametrize("page", EVERY_PAGE)
def test_lint(page):
    if not shutil.which("mandoc"):
        pytest.skip("mandoc is not installed")
    done = subprocess.run(["mandoc", "-Tlint", "-Wstyle", ROOT / "packaging/man" / page], capture_output=True, text=True, check=False)
    # It looks for other pages on this system, which may have none.
    complaints = [line for line in (done.stdout + done.stderr).splitlines()
                  if "referenced manual not found" not in line and "mandoc.db" not in line]
    assert complaints == []


@pytest.mark.parametrize("page", EVERY_PAGE)
def test_references(page):
    """To our own pages, which are there, and to a few of the system's."""
    name, section = page.rsplit(".", 1)
    assert f".Dt {name.upper()} {section}\n" in PAGES[page] and f".Nm {name}\n" in PAGES[page]
    for title, number in re.findall(r"^\.Xr (\S+) (\d)", PAGES[page], re.M):
        assert f"{title}.{number}" in PAGES or not re.search("element", title), f"{page}: {title}({number})"


# --- programs ------------------------------------------------------------------------

def test_options_of_elementd():
    assert sorted(options("elementd.8")) == sorted(elementd_options())
    said = subprocess.run([BUILD / "elementd", "--help"], env=environment(), capture_output=True, text=True, check=True).stdout
    for name in elementd_options():
        assert f"--{name}" in said
    arguments = {name for name, takes in elementd_options().items() if takes == "required"}
    assert arguments == set(re.findall(r"^\.It Fl -([\w-]+) Ns = Ns Ar", PAGES["elementd.8"], re.M))


def test_options_of_elementctl():
    known = ctl_options()
    assert sorted(options("elementctl.1")) == sorted([*known, "h"])
    assert {name for name, row in known.items() if row.value == "must"} == set(
        re.findall(r"^\.It Fl -([\w-]+) Ns = Ns Ar", PAGES["elementctl.1"], re.M))
    assert {name for name, row in known.items() if row.value == "may"} == set(
        re.findall(r"^\.It Fl -([\w-]+) Ns Op = Ns Ar", PAGES["elementctl.1"], re.M))


def test_commands_of_elementctl():
    usages = {"NAME": "Ar name", "[NAME]": "Op Ar name", "[NAME...]": "Op Ar name ...", "[ELEMENT]": "Op Ar element", "": ""}
    lines = dict(re.findall(r"^\.It Cm (\S+) ?(.*)$", PAGES["elementctl.1"], re.M))
    assert lines == {name: usages[row.usage] for name, row in ctl_commands().items()}
    assert list(lines) == list(ctl_commands()), "in the order of the help"
    for name, row in ctl_commands().items():
        assert ("For root." in item("elementctl.1", "Cm", name)) == row.help.endswith("(root)"), name


def test_exit_statuses():
    section = PAGES["elementctl.1"].split(".Sh EXIT STATUS")[1].split(".Sh")[0]
    found = dict(re.findall(r"^\.It (\d)\n((?:(?!\.It|\.El).*\n)+)", section, re.M))
    words = {int(number): re.sub(r"\.Nm elementd\n", "elementd ", text).strip().rstrip(".").lower() for number, text in found.items()}
    assert words == ctl_statuses()


# --- the configuration -----------------------------------------------------------------

def test_keys_of_the_settings():
    assert sorted(items("elementd.json.5", "Cm")) == sorted(schema_keys("config/settings.c", "settings_keys[] ="))


def test_ranges_and_defaults_of_the_settings():
    text = source("config/settings.c")
    defaults = {name.replace("_", "-"): int(value) for name, value in re.findall(r"\.(\w+) = (\d+)(?: \* USEC_PER_SEC)?,", text)}
    rows = re.findall(r'\{"([\w-]+)", JSON_NUMBER, \.min = ([\d *]+), \.max = ([\d *]+),', table("config/settings.c", "settings_keys[] ="))
    assert len(rows) == table("config/settings.c", "settings_keys[] =").count("JSON_NUMBER")
    for name, low, high in rows:
        low, high = (eval(number) for number in (low, high))  # products
        assert f"From {low} to {high}; default {defaults[name.removesuffix('-sec')]}." in item("elementd.json.5", "Cm", name)


def test_keys_of_an_account():
    keys = schema_keys("config/account.c", "account_keys[] =")
    assert sorted(items("elementd-account.5", "Cm")) == sorted(keys)
    body = table("config/account.c", "account_keys[] =")
    for name in keys:
        is_required = re.search(rf'\{{"{name}"[^{{}}]*is_required = true', body) is not None
        assert ("; required" in item("elementd-account.5", "Cm", name)) == is_required, name


def test_keys_of_an_instance():
    keys = schema_keys("config/body.c", "body_keys[] =") | schema_keys("config/instance.c", "instance_root_keys[] =")
    keys |= {f"element.{key}" for key in schema_keys("config/body.c", "body_element_keys[] =")}
    keys |= {f"elementd.{key}" for key in schema_keys("config/instance.c", "instance_keys[] =")}
    assert sorted(items("elementd-instance.5", "Cm")) == sorted(keys)
    words = set(re.findall(r'\{"(\w+)", INSTANCE_', source("config/instance.c")))
    assert set(re.findall(r"^\.Dq (\w+)", item("elementd-instance.5", "Cm", "elementd.on-remove"), re.M)) == words


def test_forms_of_access_and_references():
    page = PAGES["elementd-instance.5"]
    forms = set(re.findall(r'\\"(\w+)(?::\w+)?\\"', re.search(r"#define ALLOW_FORMS (.*)", source("config/allow.c"))[1]))
    access = page.split(".Ss ACCESS")[1].split(".Ss")[0]
    assert {word.rstrip(":\\&") for word in items(None, "Sy", access)} == forms
    kinds = set(re.findall(r'\{"(\w+):", reference_read', source("config/reference.c")))
    references = page.split(".Ss REFERENCES")[1].split(".Ss")[0]
    assert set(re.findall(r"^\.It Sy \${(\w+):", references, re.M)) == kinds and ".It Sy $$\n" in references


def test_the_examples_of_files_pass_the_check(tmp_path):
    etc = tmp_path / "etc/elementd"
    credentials = tmp_path / "run/credentials/elementd.service"
    for folder in etc / "accounts.d", etc / "instances.d", credentials:
        folder.mkdir(parents=True)
    for page, name in (("elementd.json.5", "elementd.json"), ("elementd-account.5", "accounts.d/default.json"),
                       ("elementd-instance.5", "instances.d/helpdesk-jira.json")):
        text = re.search(r"\.Sh EXAMPLES\n\.Bd[^\n]*\n(.*?)\.Ed", PAGES[page], re.S)[1]
        text = text.replace("user:helpdesk", "user:root").replace("group:integrations", "group:root")
        (etc / name).write_text(text)
        (etc / name).chmod(0o640)
        for credential in re.findall(r"\${credential:([^}]+)}", text):
            (credentials / credential).write_text("s3cr3t\n")
    done = subprocess.run([BUILD / "elementctl", f"--root={tmp_path}", "check"], env=environment(), capture_output=True,
                          text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "") and "instances: 1, accounts: 1" in done.stderr


# --- the interface and the library --------------------------------------------------------

@pytest.mark.parametrize("kind, macro", [("method", "Ic"), ("error", "Er"), ("type", "Vt")])
def test_the_interface(kind, macro):
    known = varlink()[kind]
    assert known and items("io.elementd.7", macro) == list(known)
    for name, members in known.items():
        line = re.search(rf"^\.It {macro} {name}\b.*\n", PAGES["io.elementd.7"], re.M)[0]
        text = line + item("io.elementd.7", macro, name)
        found = [word for names in re.findall(r"\bFa ((?:[\w?]+|,| )+)", text) for word in re.findall(r"\w+", names)]
        assert set(found) - {"Fa", "Pc"} == members, name


def test_functions_of_the_library():
    synopsis = PAGES["libelementd.3"].split(".Sh SYNOPSIS")[1].split(".Sh")[0]
    assert sorted(re.findall(r"^\.F[no] (\w+)", synopsis, re.M)) == sorted(library()["functions"])
    text = re.sub(r"/\*.*?\*/|ELEMENTD_PUBLIC", "", source("ipc/client/elementd.h"), flags=re.S)
    for name, arguments in re.findall(r"(elementd_\w+)\(([^)]*)\);", text):
        expected = [" ".join(argument.split()) for argument in arguments.split(",")]
        line = re.search(rf'^\.Fn {name} (".*)$', synopsis, re.M)
        block = re.search(rf"^\.Fo {name}\n(.*?)\.Fc", synopsis, re.M | re.S)
        assert re.findall(r'"([^"]*)"', (line or block)[1]) == expected, name


def test_outcomes_and_structs_of_the_library():
    assert sorted(items("libelementd.3", "Dv")) == sorted(library()["outcomes"])
    structs = library()["structs"]
    assert sorted(items("libelementd.3", "Vt")) == sorted(structs)
    for name, members in structs.items():
        assert set(re.findall(r"\w+", item("libelementd.3", "Vt", name).removeprefix(".Fa"))) == members, name


# --- files --------------------------------------------------------------------------------

def test_they_are_installed(tmp_path):
    install(tmp_path, "/usr")
    for page in EVERY_PAGE:
        assert (tmp_path / f"usr/share/man/man{page[-1]}" / page).read_text() == PAGES[page]
    for name in "usr/share/elementd/io.elementd.varlink", "usr/share/bash-completion/completions/elementctl", \
            "usr/share/zsh/site-functions/_elementctl", "usr/share/fish/vendor_completions.d/elementctl.fish":
        assert (tmp_path / name).is_file()
