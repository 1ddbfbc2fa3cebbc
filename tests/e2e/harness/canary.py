"""Secrets that can be found again: each test's have letters that occur nowhere else.

Whatever a test's processes print or write is searched for them when the test ends.
"""

import secrets
import stat
import string

ALPHABET = string.ascii_letters + string.digits


class Canaries:
    """Secrets that were handed out: none of them may ever be seen."""

    def __init__(self):
        self.names = {}  # what to search for -> what it is

    def new(self, name):
        """A secret of the platform's kind: its + / = must survive URLs, headers and JSON."""
        core = "".join(secrets.choice(ALPHABET) for _ in range(24))
        self.names[core] = name
        return f"{core}+/x9=="

    def add(self, name, secret):
        """One that somebody else made; the longest part that no quoting changes is searched for."""
        words = "".join(c if c in ALPHABET else " " for c in secret).split()
        longest = max(words, key=len, default="")
        if len(longest) >= 8:
            self.names[longest] = name

    def found_in(self, data):
        data = data if isinstance(data, bytes) else data.encode()
        return sorted({name for core, name in self.names.items() if core.encode() in data})


def search_files(directory, canaries, is_allowed):
    """Lines that say which file holds what it must not; is_allowed(path, mode) grants all of one file."""
    complaints = []
    for path in sorted(directory.rglob("*")):
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode) or is_allowed(path, stat.S_IMODE(status.st_mode)):
            continue
        for name in canaries.found_in(path.read_bytes()):
            complaints.append(f"{path} (mode {stat.S_IMODE(status.st_mode):04o}) holds {name}")
    return complaints
