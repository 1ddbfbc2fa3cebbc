#!/usr/bin/python3
"""The rules of the house that a script can check.

    tests/style/check.py [--root DIR] [RULE...]

Prints TAP: one line a rule, and below it each breach as FILE:LINE: words. A rule is a
function from a tree to its breaches, so that selftest.py can show each one a bad tree.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# Which folder may include from which; the picture is in ARCHITECTURE.md.
MAY_INCLUDE = {
    "base": {"base"},
    "systemd": {"systemd", "base"},
    "config": {"config", "base", "systemd"},
    "ipc": {"ipc", "base", "systemd"},
    "ipc/client": {"ipc/client", "ipc", "base", "systemd"},
    "fetch": {"fetch", "base"},
    "daemon": {"daemon", "fetch", "ipc", "config", "systemd", "base"},
}

# Headers that may be included against that table: what is behind them is data, and brings nothing else along.
MAY_INCLUDE_TOO = {"ipc/client": {"config/element.h"}}

# One library, one door: where the headers of each may be included. tests/ may include all.
DOORS = {
    "curl/": ["fetch/fetch.c"],
    "yajl/": ["base/"],
    "sodium": ["base/"],
    "systemd/": ["systemd/", "ipc/peer.c"],
    "event2/": ["ipc/alarm.", "ipc/conn.", "ipc/listener.", "ipc/credentials.", "ipc/server.", "daemon/", "fetch/"],
    "openssl/": [],
    "cmocka.h": [],
}

# A source whose own header has another name.
OWN_HEADER = {"ipc/client/libelementd.c": "ipc/client/elementd.h"}

# Calls that do not say how much they write, hide an error, or run a shell.
BANNED_CALLS = ["strcpy", "strcat", "sprintf", "vsprintf", "gets", "strtok", "atoi", "atol", "system",
                "popen", "mktemp", "tmpnam", "alloca", "yajl_tree_parse"]

UNFINISHED = ["TO" + "DO", "FIX" + "ME", "XX" + "X"]

COMMENT = r"//[^\n]*|/\*.*?\*/"
STRING = r'"(?:\\.|[^"\\\n])*"' + r"|'(?:\\.|[^'\\\n])*'"
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.M)


class Skip(Exception):
    """The rule cannot be checked here; says why."""


class Tree:
    """The files of a checkout, by path relative to its root."""

    def __init__(self, root):
        self.root = Path(root).resolve()

    def sources(self, suffixes=(".c", ".h"), tests=True):
        tops = ["base", "systemd", "config", "ipc", "fetch", "daemon"] + (["tests"] if tests else [])
        found = [p for top in tops for p in self.root.glob(top + "/**/*") if p.suffix in suffixes and p.is_file()]
        return sorted(p.relative_to(self.root).as_posix() for p in found)

    def everything(self):
        """All files that are, or would be, committed."""
        listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                                cwd=self.root, capture_output=True, check=False)
        if listed.returncode == 0 and (self.root / ".git").exists():
            names = [os.fsdecode(name) for name in listed.stdout.split(b"\0") if name]
        else:
            names = [p.relative_to(self.root).as_posix() for p in self.root.rglob("*")]
            names = [name for name in names if not name.startswith(("build/", ".git/"))]
        return sorted(name for name in set(names) if (self.root / name).is_file())

    def text(self, name):
        return (self.root / name).read_text(encoding="utf-8", errors="replace")

    def code(self, name, strings=True):
        """The text with comments (and the inside of strings) blanked; lines stay where they are."""
        def blank(match):
            is_comment = match.group(0).startswith("/")
            if not is_comment and strings:
                return match.group(0)
            return re.sub(r"[^\n]", " ", match.group(0))
        return re.sub(COMMENT + "|" + STRING, blank, self.text(name), flags=re.S)

    def includes(self, name):
        """(line, is ours, what) of each #include."""
        code = self.code(name)
        for match in INCLUDE.finditer(code):
            yield code.count("\n", 0, match.start()) + 1, match.group(1) == '"', match.group(2)


def folder_of(name):
    return os.path.dirname(name)


def rule_arrows(tree):
    """includes follow the may-include table"""
    for name in tree.sources():
        folder = folder_of(name)
        for line, is_ours, what in tree.includes(name):
            if not is_ours:
                continue
            if not (tree.root / what).is_file():
                yield f'{name}:{line}: no file "{what}"; ours are included with their folder'
            elif not folder.startswith("tests") and what not in MAY_INCLUDE_TOO.get(folder, ()) and \
                    folder_of(what) not in MAY_INCLUDE.get(folder, ()):
                yield f'{name}:{line}: {folder}/ may not include from {folder_of(what)}/ ("{what}")'


def rule_doors(tree):
    """each library is included behind its own door only"""
    for name in tree.sources(tests=False):
        for line, is_ours, what in tree.includes(name):
            for library, doors in DOORS.items():
                if not is_ours and what.startswith(library) and not name.startswith(tuple(doors)):
                    yield f"{name}:{line}: <{what}> may be included in {', '.join(doors) or 'tests/'} only"


def rule_rings(tree):
    """no header includes itself through others"""
    graph = {name: [what for _, is_ours, what in tree.includes(name) if is_ours] for name in tree.sources((".h",))}
    done, rings = set(), []

    def visit(name, path):
        if name in path:
            rings.append(path[path.index(name):] + [name])
        elif name in graph and name not in done:
            for what in graph[name]:
                visit(what, path + [name])
            done.add(name)

    for name in graph:
        visit(name, [])
    for ring in rings:
        yield f"{ring[0]}:1: includes itself: {' -> '.join(ring)}"


def rule_own_header(tree):
    """each source includes its own header first"""
    for name in tree.sources((".c",)):
        own = OWN_HEADER.get(name, name[:-2] + ".h")
        if not (tree.root / own).is_file():
            continue
        first = next(iter(tree.includes(name)), (1, True, None))
        if first[2] != own:
            yield f'{name}:{first[0]}: the first include is not its own header "{own}"'


def rule_headers(tree):
    """each header compiles alone, and twice"""
    compiler = os.environ.get("CC", "gcc").split()
    if not shutil.which(compiler[0]):
        raise Skip(f"no {compiler[0]}")
    packages = ["libcurl", "yajl", "libsystemd", "libsodium", "libevent_core", "cmocka", "openssl"]
    flags = subprocess.run(["pkg-config", "--cflags"] + packages, capture_output=True, text=True, check=False)
    gnu = ["-std=gnu17", "-D_GNU_SOURCE", "-x", "c"]
    jobs = [(name, compiler + gnu) for name in tree.sources((".h",))]
    # The public header is for others, who may have plain C99 or C++.
    public = "ipc/client/elementd.h"
    if (tree.root / public).is_file():
        jobs.append((public, compiler + ["-std=c99", "-pedantic", "-x", "c"]))
        if shutil.which("g++"):
            jobs.append((public, ["g++", "-x", "c++"]))

    def compile_alone(job):
        name, command = job
        command = command + ["-I.", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", *flags.stdout.split(), "-"]
        program = f'#include "{name}"\n#include "{name}"\nint nothing;\n'
        done = subprocess.run(command, cwd=tree.root, input=program, capture_output=True, text=True, check=False)
        return [] if done.returncode == 0 else [f"{name}:1: does not compile alone", *done.stderr.splitlines()[:8]]

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for breaches in pool.map(compile_alone, jobs):
            yield from breaches


def rule_format(tree):
    """clang-format would change nothing (make format)"""
    if not shutil.which("clang-format"):
        raise Skip("no clang-format")
    names = tree.sources()
    if names:
        command = ["clang-format", "--dry-run", "-Werror", "--style=file", *names]
        done = subprocess.run(command, cwd=tree.root, capture_output=True, text=True, check=False)
        where = re.findall(r"^(\S+?:\d+):\d+: (?:error|warning): code should be", done.stderr, re.M)
        yield from (f"{place}: not as clang-format lays it out" for place in dict.fromkeys(where))
        if done.returncode != 0 and not where:
            yield done.stderr.strip()


def rule_calls(tree):
    """no banned call outside the tests"""
    calls = re.compile(r"(?<![\w.>])(" + "|".join(BANNED_CALLS) + r")\s*\(")
    for name in tree.sources(tests=False):
        for number, line in enumerate(tree.code(name, strings=False).splitlines(), 1):
            for match in calls.finditer(line):
                yield f"{name}:{number}: {match.group(1)}() is banned here"


def rule_unfinished(tree):
    """nothing is marked as unfinished"""
    marks = re.compile(r"\b(" + "|".join(UNFINISHED) + r")\b")
    for name in tree.sources((".c", ".h", ".py", ".sh", ".mk", ".in")):
        for number, line in enumerate(tree.text(name).splitlines(), 1):
            match = marks.search(line)
            if match:
                yield f"{name}:{number}: {match.group(1)}"


def rule_traces(tree):
    """no file tells where it was written"""
    patterns = [r"/home/\w+/", r"/root/\w"]
    # The checkout's own folder, and its first part, unless any system or this tree has that name too.
    usual = {"home", "root", "usr", "tmp", "var", "srv", "opt", "mnt", "run", "etc", "dev", "build", "src"}
    usual |= {path.name for path in tree.root.iterdir()}
    if len(tree.root.parts) > 2:
        patterns.append(re.escape(str(tree.root)) + r"\b")
        if tree.root.parts[1] not in usual:
            patterns.append("/" + re.escape(tree.root.parts[1]) + "/")
    traces = re.compile(r"(?<![\w.@})%*$-])(" + "|".join(patterns) + ")")
    for name in tree.everything():
        if b"\0" in (tree.root / name).read_bytes()[:8192]:
            continue
        for number, line in enumerate(tree.text(name).splitlines(), 1):
            match = traces.search(line)
            if match:
                yield f"{name}:{number}: names a folder of some machine: {match.group(0)}"


RULES = {name[5:].replace("_", "-"): rule for name, rule in list(globals().items()) if name.startswith("rule_")}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", default=Path(__file__).resolve().parents[2])
    parser.add_argument("rules", nargs="*", metavar="RULE", help="one of: " + " ".join(RULES))
    arguments = parser.parse_args()
    tree = Tree(arguments.root)
    names = arguments.rules or list(RULES)
    n_failed = 0
    print(f"1..{len(names)}")
    for number, name in enumerate(names, 1):
        rule = RULES[name]
        try:
            breaches = list(rule(tree))
        except Skip as reason:
            print(f"ok {number} - {name} # SKIP {reason}")
            continue
        n_failed += bool(breaches)
        print(f"{'not ' if breaches else ''}ok {number} - {name}: {rule.__doc__}")
        for breach in breaches:
            print(f"# {breach}")
    return 1 if n_failed else 0


if __name__ == "__main__":
    sys.exit(main())
