"""Faults between the daemon and its system calls: build/tests/libfaults.so (tests/faults/faults.h)."""

import os
import re
import subprocess
from dataclasses import dataclass

from harness.process import BUILD


@dataclass
class Call:
    usec: int
    thread: int
    function: str
    object: str
    size: int
    verdict: str


class Faults:
    """Rules for one daemon, which may be changed while it runs, and the log of its calls."""

    def __init__(self, directory, name):
        self.control = directory / f"{name}.faults"
        self.log_file = directory / f"{name}.calls"

    def set(self, *rules):
        new = self.control.with_suffix(".new")
        new.write_text("\n".join(rules) + "\n")
        os.replace(new, self.control)

    def environment(self):
        preload = [str(BUILD / "tests/libfaults.so")]
        # A sanitizer's run-time must come first where it is a shared library.
        linked = subprocess.run(["ldd", BUILD / "elementd"], capture_output=True, text=True, check=True).stdout
        preload = re.findall(r"=> (\S*/lib[at]san\S*)", linked) + preload
        return {"LD_PRELOAD": ":".join(preload), "ELEMENTD_FAULTS_FILE": str(self.control),
                "ELEMENTD_FAULTS_LOG": str(self.log_file)}

    def calls(self, function=None, about=None):
        """Those made so far, by a regular expression on the function and on its object."""
        found = []
        text = self.log_file.read_text(errors="replace") if self.log_file.exists() else ""
        for line in text.splitlines():
            usec, thread, name, target, size, verdict = line.split("\t")
            call = Call(int(usec), int(thread), name, target, int(size), verdict)
            if (not function or re.fullmatch(function, name)) and (not about or re.search(about, target)):
                found.append(call)
        return found
