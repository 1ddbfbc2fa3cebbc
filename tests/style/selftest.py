#!/usr/bin/python3
"""Shows each rule of check.py a tree that breaks it, and a like one that does not."""

import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
import check  # noqa: E402

ONCE = "#pragma once\n"
LAYOUT = "BasedOnStyle: LLVM\n"
MARK = check.UNFINISHED[0]

# (rule, what it shows, files of the tree, what one breach says; None: no breach)
CASES = [
    ("arrows", "base includes config", {"base/a.c": '#include "config/b.h"\n', "config/b.h": ONCE}, "base/a.c:1:"),
    ("arrows", "ipc includes daemon", {"ipc/a.h": '\n#include "daemon/b.h"\n', "daemon/b.h": ONCE}, "ipc/a.h:2:"),
    ("arrows", "ipc includes its client", {"ipc/a.c": '#include "ipc/client/b.h"\n', "ipc/client/b.h": ONCE}, "ipc/a.c:1:"),
    ("arrows", "the client includes the configuration",
     {"ipc/client/a.c": '#include "config/b.h"\n#include "config/element.h"\n', "config/b.h": ONCE, "config/element.h": ONCE},
     "ipc/client/a.c:1:"),
    ("arrows", "the client includes the catalogue of elements",
     {"ipc/client/a.c": '#include "config/element.h"\n', "config/element.h": ONCE}, None),
    ("arrows", "daemon includes a test", {"daemon/a.c": '#include "tests/b.h"\n', "tests/b.h": ONCE}, "daemon/a.c:1:"),
    ("arrows", "an include without its folder", {"base/a.c": '#include "b.h"\n', "base/b.h": ONCE}, "base/a.c:1:"),
    ("arrows", "daemon includes all, a comment nothing",
     {"daemon/a.c": '#include "ipc/b.h"\n#include "base/b.h"\n/*\n#include "tests/b.h"\n*/\n',
      "ipc/b.h": ONCE, "base/b.h": ONCE, "tests/b.h": ONCE}, None),
    ("arrows", "a test includes all", {"tests/unit/a.c": '#include "daemon/b.h"\n', "daemon/b.h": ONCE}, None),
    ("doors", "curl in the engine", {"daemon/engine.c": "#include <curl/curl.h>\n"}, "daemon/engine.c:1:"),
    ("doors", "yajl outside base", {"config/a.c": "#include <yajl/yajl_parse.h>\n"}, "config/a.c:1:"),
    ("doors", "systemd in ipc/frame.c", {"ipc/frame.c": "#include <systemd/sd-login.h>\n"}, "ipc/frame.c:1:"),
    ("doors", "libevent in ipc/frame.c", {"ipc/frame.c": "#include <event2/event.h>\n"}, "ipc/frame.c:1:"),
    ("doors", "sodium outside base", {"daemon/a.c": "#include <sodium.h>\n"}, "daemon/a.c:1:"),
    ("doors", "openssl outside the tests", {"daemon/http.c": "#include <openssl/ssl.h>\n"}, "daemon/http.c:1:"),
    ("doors", "each behind its door",
     {"fetch/fetch.c": "#include <curl/curl.h>\n", "base/json.c": "#include <yajl/yajl_parse.h>\n",
      "ipc/peer.c": "#include <systemd/sd-login.h>\n", "ipc/conn.c": "#include <event2/event.h>\n",
      "tests/sandbox/a.c": "#include <openssl/ssl.h>\n"}, None),
    ("rings", "two headers",
     {"base/a.h": '#include "base/b.h"\n', "base/b.h": '#include "base/a.h"\n'}, "base/a.h -> base/b.h -> base/a.h"),
    ("rings", "a diamond",
     {"base/a.h": '#include "base/b.h"\n#include "base/c.h"\n', "base/b.h": '#include "base/d.h"\n',
      "base/c.h": '#include "base/d.h"\n', "base/d.h": ONCE}, None),
    ("own-header", "second place",
     {"base/a.c": '#include <stdio.h>\n#include "base/a.h"\n', "base/a.h": ONCE}, "base/a.c:1:"),
    ("own-header", "nowhere", {"base/a.c": "int a;\n", "base/a.h": ONCE}, "base/a.c:1:"),
    ("own-header", "no header", {"base/a.c": "#include <stdio.h>\n"}, None),
    ("headers", "a type unknown", {"base/a.h": ONCE + "size_t a(void);\n"}, "base/a.h:1:"),
    ("headers", "no guard", {"base/a.h": "struct a {\n    int b;\n};\n"}, "base/a.h:1:"),
    ("headers", "the public one is no C99",
     {"ipc/client/elementd.h": ONCE + "typedef typeof(1) Number;\n"}, "ipc/client/elementd.h:1:"),
    ("headers", "complete", {"base/a.h": ONCE + "#include <stddef.h>\nsize_t a(void);\n"}, None),
    ("format", "crooked", {".clang-format": LAYOUT, "base/a.c": "int  a ;\n"}, "base/a.c:1:"),
    ("format", "straight", {".clang-format": LAYOUT, "base/a.c": "int a;\n"}, None),
    ("calls", "sprintf", {"base/a.c": "\nint x = sprintf(a, b);\n"}, "base/a.c:2: sprintf()"),
    ("calls", "yajl_tree", {"base/a.c": "x = yajl_tree_parse (a);\n"}, "yajl_tree_parse"),
    ("calls", "names that only contain one, words, tests",
     {"base/a.c": '/* strcpy() */ x = "atoi(1)"; file_system(a); a->system(b); snprintf(a, 1, "x");\n',
      "tests/unit/a.c": "system(a);\n"}, None),
    ("unfinished", "a mark", {"base/a.c": f"/* {MARK}: later */\n"}, "base/a.c:1:"),
    ("unfinished", "a word that contains it", {"base/a.c": f"/* {MARK}S */\n"}, None),
    ("traces", "somebody's home", {"NOTES": "see /home/" + "joe/elementd\n"}, "NOTES:1:"),
    ("traces", "the checkout's folder", {"NOTES": "see @ROOT@/base\n"}, "NOTES:1:"),
    ("traces", "ordinary paths", {"NOTES": "/etc/elementd, ${DIR}/home/x/, ProtectHome= hides /home and /root\n"}, None),
]


def run_case(rule, files, expected):
    """Returns what is wrong, or None."""
    with tempfile.TemporaryDirectory(prefix="style-") as folder:
        # Two levels down, so that the checkout has a folder of its own to be named by.
        root = Path(folder) / "checkout"
        root.mkdir()
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace("@ROOT@", str(root.resolve())), encoding="utf-8")
        breaches = list(check.RULES[rule](check.Tree(root)))
    if expected is None:
        return f"reported, but is fine: {breaches}" if breaches else None
    return None if any(expected in breach for breach in breaches) else f"not reported: {breaches}"


def main():
    n_failed = 0
    print(f"1..{len(CASES) + 1}")
    for number, (rule, title, files, expected) in enumerate(CASES, 1):
        title = f"{rule} {'accepts' if expected is None else 'rejects'}: {title}"
        try:
            wrong = run_case(rule, files, expected)
        except check.Skip as reason:
            print(f"ok {number} - {title} # SKIP {reason}")
            continue
        n_failed += wrong is not None
        print(f"{'not ' if wrong else ''}ok {number} - {title}")
        if wrong:
            print(f"# {wrong}")
    untested = set(check.RULES) - {case[0] for case in CASES if case[3] is not None}
    n_failed += bool(untested)
    print(f"{'not ' if untested else ''}ok {len(CASES) + 1} - every rule has a tree that breaks it {untested or ''}")
    return 1 if n_failed else 0


if __name__ == "__main__":
    sys.exit(main())
