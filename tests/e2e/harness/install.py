"""`make install` of what is built, below a folder of the test's."""

import fcntl
import os
import shutil
import subprocess

import pytest

from .process import BUILD
from .tables import ROOT


def install(folder, prefix):
    """One at a time: tests run beside each other, and the files with the prefix in them are made in the build folder."""
    if not shutil.which("make"):
        pytest.skip("make is not installed")
    with open(BUILD / ".install-lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run(["make", "-s", "install", f"BUILD={os.path.relpath(BUILD, ROOT)}", f"DESTDIR={folder}",
                               f"PREFIX={prefix}"], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout
