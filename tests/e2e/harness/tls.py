"""Certificates made by openssl(1), as an operator with an authority of their own would."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Certificate:
    chain: Path
    key: Path


class Authority:
    def __init__(self, directory, name):
        self.directory, self.name = directory, name
        self.certificate = directory / f"{name}.pem"
        self.key = directory / f"{name}.key"
        self.run("req", "-x509", *self.new_key(self.key), "-out", self.certificate, "-days", "2",
                 "-subj", f"/CN=elementd test authority {name}",
                 "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")

    @staticmethod
    def new_key(path):
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", path]

    @staticmethod
    def run(*arguments):
        done = subprocess.run(["openssl", *map(str, arguments)], stdin=subprocess.DEVNULL, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30)
        assert done.returncode == 0, f"openssl {arguments[0]}: {done.stdout}"

    def issue(self, name, host="IP:127.0.0.1"):
        key, chain = self.directory / f"{name}.key", self.directory / f"{name}.pem"
        request, extensions = self.directory / f"{name}.csr", self.directory / f"{name}.ext"
        self.run("req", *self.new_key(key), "-out", request, "-subj", "/CN=elements-sandbox")
        extensions.write_text(f"subjectAltName={host}\nbasicConstraints=CA:FALSE\n")
        self.run("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key, "-days", "2",
                 "-set_serial", str(int.from_bytes(name.encode()[:8], "big")), "-extfile", extensions, "-out", chain)
        return Certificate(chain, key)
