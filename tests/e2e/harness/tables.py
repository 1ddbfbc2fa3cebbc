"""The tables of the sources, read out of them: what completions and man pages are compared with."""

import re
from collections import namedtuple
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

Option = namedtuple("Option", "name value usage help")  # value: "none", "may", "must"
Command = namedtuple("Command", "name usage n_min n_max options help")

STRING = r'"((?:[^"\\]|\\.)*)"'


def source(name):
    return (ROOT / name).read_text()


def table(name, declaration):
    """The body of the initializer that follows `declaration` in a source."""
    text = source(name)
    begin = text.index(declaration)
    begin = text.index("{", begin + len(declaration))
    return text[begin:text.index("\n}", begin)]


def ctl_options():
    body = table("ipc/client/ctl_options.c", "ctl_options_table[] =")
    rows = re.findall(rf"\{{{STRING},\s*CTL_OPTION_(NONE|MAY|MUST),\s*CTL_OPTION_\w+,\s*\w+,\s*{STRING},\s*{STRING}\}}", body)
    options = [Option(name, value.lower(), usage, words) for name, value, usage, words in rows]
    assert len(options) == body.count("CTL_OPTION_NONE,") + body.count("CTL_OPTION_MAY,") + body.count("CTL_OPTION_MUST,")
    return {option.name: option for option in options}


def ctl_commands():
    text = source("ipc/client/ctl_commands.c")
    body = table("ipc/client/ctl_commands.c", "ctl_commands_table[] =")
    asking = re.search(r"#define CTL_ASKING \((.*)\)", text)[1]
    rows = re.findall(rf"\{{{STRING},\s*{STRING},\s*(\w+),\s*(\w+),\s*([A-Z_ |\n]+),\s*\w+,\s*{STRING}\}}", body)
    commands = [Command(name, usage, int(n_min), 1000 if n_max == "SIZE_MAX" else int(n_max),
                        {bit.lower() for bit in re.findall(r"CTL_OPTION_(\w+)", bits.replace("CTL_ASKING", asking))}, words)
                for name, usage, n_min, n_max, bits, words in rows]
    assert len(commands) == len(re.findall(r"\{\"", body))
    return {command.name: command for command in commands}


def ctl_statuses():
    """Number and words of each exit status."""
    body = table("ipc/client/ctl_commands.c", "ctl_commands_statuses[] =")
    names = re.findall(r"^    (CTL_\w+)", re.search(r"typedef enum CtlStatus \{(.*?)\}", source("ipc/client/ctl.h"), re.S)[1], re.M)
    rows = re.findall(rf"\{{(CTL_\w+), {STRING}\}}", body)
    assert [name for name, _ in rows] == names
    return dict(enumerate(words for _, words in rows))


def elementd_options():
    body = table("daemon/main.c", "options_table[] =")
    return dict(re.findall(rf"\{{{STRING}, (required|no|optional)_argument", body))


def schema_keys(name, declaration):
    """The keys of a table of config/schema.h; BODY_OUR_KEY is "elementd"."""
    body = table(name, declaration).replace("BODY_OUR_KEY", '"elementd"')
    return set(re.findall(rf"\{{{STRING},\s*JSON_", body))


def varlink():
    """Methods, errors and types of io.elementd, each with the names of its members."""
    text = re.sub(r"#.*", "", source("ipc/io.elementd.varlink"))
    found = {"method": {}, "error": {}, "type": {}}
    for kind, name, rest in re.findall(r"^(method|error|type) (\w+)\s*(\(.*?)(?=^\w|\Z)", text, re.M | re.S):
        found[kind][name] = set(re.findall(r"(\w+):", rest))
    return found


def library():
    """Functions, types and outcomes of elementd.h."""
    text = re.sub(r"/\*.*?\*/", "", source("ipc/client/elementd.h"), flags=re.S)
    text = re.sub(r"^#.*", "", text, flags=re.M)
    return {
        "functions": set(re.findall(r"ELEMENTD_PUBLIC [^;(]*?(\w+)\(", text)),
        "outcomes": set(re.findall(r"ELEMENTD_E_\w+", text)),
        "structs": {name: set(re.findall(r"(\w+);", body))
                    for body, name in re.findall(r"typedef struct \w+ \{(.*?)\} (\w+);", text, re.S)},
    }
