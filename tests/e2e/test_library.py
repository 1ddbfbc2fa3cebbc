"""libelementd as those have it who build on it: installed, found by pkg-config, in C and in C++."""

import os
import re
import shutil
import subprocess

import pytest

from harness.install import install
from harness.process import BUILD
from harness.tables import ROOT, library, source
from harness.wait import wait_until

LIBRARY = BUILD / "libelementd.so.0"
PREFIX = "/opt/elementd"
SANITIZE = ["-fsanitize=address,undefined"] if os.environ.get("ELEMENTD_VARIANT") == "asan" else []


def output(*command, **variables):
    done = subprocess.run([str(part) for part in command], env=os.environ | variables, check=False, timeout=300, cwd=ROOT,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# --- what it shows -----------------------------------------------------------------

def exported():
    return {line.split()[-1] for line in output("nm", "-D", "--defined-only", LIBRARY).splitlines()}


def test_it_exports_its_header_and_no_more():
    functions = library()["functions"]
    mapped = set(re.findall(r"^    (elementd_\w+);$", source("ipc/client/libelementd.map"), re.M))
    assert len(functions) == source("ipc/client/elementd.h").count("ELEMENTD_PUBLIC ") - 1  # its definition
    assert mapped == functions
    assert exported() == {"ELEMENTD_0"} | {f"{name}@@ELEMENTD_0" for name in functions}


def test_its_name_has_its_version():
    assert re.findall(r"\(SONAME\).*\[(.*)\]", output("readelf", "-d", LIBRARY)) == ["libelementd.so.0"]
    assert "soname 0" in source("ipc/client/elementd.h")


def needed(file):
    return {re.sub(r"\.so.*", "", name) for name in re.findall(r"\(NEEDED\).*\[(.*)\]", output("readelf", "-d", file))}


def test_it_loads_nothing_but_yajl():
    """Nor does elementctl, each start of which would pay for it."""
    assert {name for name in needed(LIBRARY) if not re.match(r"lib(asan|ubsan|c)$", name)} == {"libyajl"}
    assert {name for name in needed(BUILD / "elementctl") if not re.match(r"lib(asan|ubsan|c)$", name)} <= {
        "libyajl", "libelementd"}
    for file in LIBRARY, BUILD / "elementctl":
        loaded = output("ldd", file)
        assert not re.search(r"lib(curl|event|sodium|systemd|ssl)", loaded), loaded


# --- the example, against what is installed ------------------------------------------

@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    if not shutil.which("pkg-config"):
        pytest.skip("pkg-config is not installed")
    folder = tmp_path_factory.mktemp("installed")
    install(folder, PREFIX)
    return folder


def compile_example(installed, folder, compiler, *options):
    if not shutil.which(compiler):
        pytest.skip(f"{compiler} is not installed")
    package = {"PKG_CONFIG_SYSROOT_DIR": str(installed), "PKG_CONFIG_PATH": f"{installed}{PREFIX}/lib/pkgconfig"}
    assert output("pkg-config", "--modversion", "elementd", **package) == re.search(r"^VERSION := (.*\n)", source("Makefile"), re.M)[1]
    flags = output("pkg-config", "--cflags", "--libs", "elementd", **package).split()
    assert flags == [f"-I{installed}{PREFIX}/include", f"-L{installed}{PREFIX}/lib", "-lelementd"]
    program = folder / "token"
    output(compiler, *options, "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-x", "c++" if "++" in compiler else "c",
           ROOT / "examples/token.c", "-x", "none", *flags, *SANITIZE, f"-Wl,-rpath,{installed}{PREFIX}/lib", "-o", program)
    return program


def change_token(site):
    """Behind our back, and told to elementd."""
    row, = site.platform.instances()
    new = site.tokens.new("the next token")
    site.platform.call("POST", f"/instances/{row['id']}/token", {"token": new})
    site.connect().call("ReportRejected", instance="one", token=row["token"])
    return new


@pytest.mark.parametrize("compiler, options", [("gcc", ["-std=c99", "-D_POSIX_C_SOURCE=200809L"]), ("g++", ["-std=c++11"])],
                         ids=["C", "C++"])
def test_the_example(site, installed, tmp_path, compiler, options):
    program = compile_example(installed, tmp_path, compiler, *options)
    site.simple("one")
    daemon = site.start()
    token = site.token("one")
    with open(tmp_path / "output", "wb") as told:
        process = subprocess.Popen([program, "one", site.socket], stdin=subprocess.PIPE, stdout=told, stderr=told)

    def lines():
        return (tmp_path / "output").read_text().splitlines()

    try:
        wait_until(lambda: lines() == [token, token], "it has the token, and the watch's")
        new = change_token(site)
        wait_until(lambda: lines() == [token, token, new], "it is told of the next token")
        daemon.kill()
        site.start()
        wait_until(lambda: lines() == [token, token, new, new], "it watches on after a restart")
        process.stdin.close()
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()


def test_the_example_says_what_is_wrong(site, installed, tmp_path):
    program = compile_example(installed, tmp_path, "gcc")
    assert site.run([program]).returncode == 2
    done = site.run([program, "one", site.root / "nothing"])
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "cannot reach elementd: elementd is not running\n")
    site.simple("one")
    site.start()
    done = site.run([program, "another", site.socket])
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "another: no such instance is declared\n")
