"""Cutting the power: what a disk may hold then, after each of the calls that a daemon has made.

libfaults records them with their content (tests/faults/faults.h). The model of the file system knows what POSIX
promises and no more: a file's content is certain after fsync() of the file, a name in a directory after fsync() of
the directory. All else is lost, half there or there, each for itself and in any combination; but what was renamed is
never under neither name, and of two that were exchanged no name is without a file.
"""

import itertools
import os
from dataclasses import dataclass, field
from pathlib import PurePath

FILE, DIRECTORY = "file", "directory"  # what fsync() makes certain

# Above so many combinations, those that matter most are looked at instead of all.
COMBINATIONS_MAX = 512


@dataclass
class Deed:
    usec: int  # realtime
    function: str
    path: str
    origin: str
    inode: int
    offset: int
    result: int
    content: bytes


def read_record(path):
    """All deeds of a record, oldest first."""
    deeds = []
    for line in path.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        usec, function, target, origin, inode, offset, result, content = line.split("\t")
        assert content or int(result) <= 0 or function not in ("write", "send"), f"too long to be recorded: {line}"
        deeds.append(Deed(int(usec), function, target, origin, int(inode), int(offset), int(result), bytes.fromhex(content)))
    return deeds


@dataclass(eq=False)
class File:
    durable: bytes = b""
    written: list = field(default_factory=list)  # (offset, bytes) since the last sync; (0, None): emptied

    def content(self):
        data = bytearray(self.durable)
        for offset, piece in self.written:
            if piece is None:
                data.clear()
                continue
            data.extend(bytes(max(0, offset + len(piece) - len(data))))
            data[offset:offset + len(piece)] = piece
        return bytes(data)

    def after_cut(self):
        """Whole, lost, half, or as long as it was to be but without its content."""
        whole = self.content()
        return list(dict.fromkeys([whole, self.durable, whole[:len(self.durable) + (len(whole) - len(self.durable)) // 2],
                                   self.durable + bytes(max(0, len(whole) - len(self.durable)))]))


class Disk:
    """A file system below `root`; what is not in `promises` is never made certain by a sync."""

    def __init__(self, root, promises=(FILE, DIRECTORY)):
        self.root, self.promises = PurePath(root), promises
        self.files = {}    # by inode
        self.durable = {}  # path -> File, or None for a directory
        self.now = {}
        self.pending = []  # (directory, alternatives), each alternative a dict of path -> File, None or "gone"

    def load(self, directory):
        """What lies there already is certain, with its content."""
        self.durable[str(directory)] = self.now[str(directory)] = None
        for path in directory.iterdir():
            file = self.files.setdefault(path.stat().st_ino, File(path.read_bytes()))
            self.durable[str(path)] = self.now[str(path)] = file

    def change(self, *alternatives):
        """Of one directory; the first one is what happened, the others what may be left of it beside nothing."""
        for path, what in alternatives[0].items():
            self.now.pop(path, None)
            if what != "gone":
                self.now[path] = what
        self.pending.append((PurePath(next(iter(alternatives[0]))).parent, [*alternatives, {}]))

    def sync(self, deed):
        directory = PurePath(deed.path)
        if deed.inode in self.files and FILE in self.promises:
            file = self.files[deed.inode]
            file.durable, file.written = file.content(), []
        elif deed.inode not in self.files and DIRECTORY in self.promises:
            for where, alternatives in self.pending:
                if where == directory:
                    self.apply(self.durable, alternatives[0])
            self.pending = [row for row in self.pending if row[0] != directory]

    @staticmethod
    def apply(names, changes):
        for path, what in changes.items():
            names.pop(path, None)
            if what != "gone":
                names[path] = what

    def carry_out(self, deed):
        if deed.result < 0 or self.root not in PurePath(deed.path).parents:
            return
        path, origin = deed.path, deed.origin
        if deed.function == "mkdir":
            self.change({path: None})
        elif deed.function == "create":
            if path not in self.now:
                self.files[deed.inode] = File()
                self.change({path: self.files[deed.inode]})
        elif deed.function == "truncate":
            if deed.inode in self.files:
                self.files[deed.inode].written.append((0, None))
        elif deed.function == "write":
            if deed.inode in self.files:
                self.files[deed.inode].written.append((deed.offset, deed.content))
        elif deed.function in ("fsync", "fdatasync"):
            self.sync(deed)
        elif deed.function == "link":
            self.change({path: self.now[origin]})
        elif deed.function == "rename":
            file = self.now[origin]
            self.change({path: file, origin: "gone"}, {path: file})
        elif deed.function == "exchange":
            one, other = self.now[origin], self.now[path]
            self.change({path: one, origin: other}, {path: one}, {origin: other})
        elif deed.function == "unlink":
            self.change({path: "gone"})
        else:
            raise AssertionError(f"the model does not know {deed.function}")

    def choices(self):
        """Which alternative of each pending change is left."""
        options = [range(len(alternatives)) for _, alternatives in self.pending]
        n = 1
        for option in options:
            n *= len(option)
        if n <= COMBINATIONS_MAX:
            yield from itertools.product(*options)
            return
        nothing = [len(option) - 1 for option in options]
        for i in range(len(options) + 1):
            yield tuple([0] * i + nothing[i:])  # the first ones
        for i, option in enumerate(options):
            for j in option:
                yield tuple([0] * i + [j] + [0] * (len(options) - i - 1))  # all but one
                yield tuple(nothing[:i] + [j] + nothing[i + 1:])  # one alone

    def after_cut(self):
        """Every state in which it may come back: dicts of path -> bytes, or None for a directory."""
        for choice in self.choices():
            names = dict(self.durable)
            for (_, alternatives), i in zip(self.pending, choice):
                self.apply(names, alternatives[i])
            names = {path: what for path, what in names.items() if self.is_reached(path, names)}
            files = list(dict.fromkeys(what for what in names.values() if what))
            for contents in itertools.product(*(file.after_cut() for file in files)):
                content = dict(zip(files, contents))
                yield {path: content[what] if what else None for path, what in names.items()}

    def is_reached(self, path, names):
        """No directory above it is missing that was made here; those from before are certain."""
        made = {other for other, what in itertools.chain(self.durable.items(), self.now.items()) if what is None}
        return all(str(above) in names for above in PurePath(path).parents if str(above) in made)


@dataclass
class Cut:
    """One state after a cut."""
    after: list       # how many calls had been made, first and last
    files: dict       # name below the state directory -> bytes; None: there is no state directory
    given: frozenset  # names of instances whose tokens a client had been given by then
    created: frozenset  # names of instances that the platform had by then

    def describe(self):
        held = "no directory" if self.files is None else ", ".join(f"{name} ({len(content)} bytes)"
                                                                   for name, content in sorted(self.files.items()))
        return f"after calls {self.after[0]}-{self.after[-1]} [{held or 'nothing'}]; given {sorted(self.given)}"


def power_cuts(deeds, site, disk, given=()):
    """Every different state after any of the deeds, oldest first. `site` is where they were done, `disk` what was there
    before, and is what there is after them; the tokens of `given` had been given out before."""
    instances = site.platform.instances()
    cuts, given = {}, set(given)
    for number, deed in enumerate(deeds, 1):
        if deed.function == "send" and deed.path.startswith("unix:"):
            given |= {row["name"] for row in instances if row["token"].encode() in deed.content.replace(b"\\/", b"/")}
        disk.carry_out(deed)
        created = frozenset(row["name"] for row in instances if row["createdUSec"] <= deed.usec)
        for names in disk.after_cut():
            below = {os.path.basename(path): content for path, content in names.items()
                     if os.path.dirname(path) == str(site.state)}
            files = below if str(site.state) in names or str(site.state) not in disk.now else None
            key = (None if files is None else frozenset(files.items()), created)
            cut = cuts.setdefault(key, Cut([number], files, frozenset(), created))
            cut.after[1:] = [number]
            cut.given = frozenset(given)  # the most that had been given out with this on the disk
    return list(cuts.values())
