"""Certificates for the tests of TLS, made by openssl in a folder of their own: an authority and what it signs."""

import datetime
import pathlib
import subprocess


class Authority:
    def __init__(self, folder, name="authority"):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.file = self.folder / f"{name}.pem"
        self._key(name)
        self._run("req", "-x509", "-new", "-key", self.folder / f"{name}.key", "-days", "2", "-subj", f"/CN={name}",
                  "-addext", "basicConstraints=critical,CA:true", "-out", self.file)

    @staticmethod
    def _run(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)

    def _key(self, name, kind="ec"):
        path = self.folder / f"{name}.key"
        chosen = ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"] if kind == "rsa" else [
            "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
        self._run("genpkey", *chosen, "-out", path)
        return path

    def sign(self, name, hosts=("DNS:localhost", "IP:127.0.0.1", "IP:::1"), days=("-1", "2"), kind="ec"):
        """Files of a certificate and its key. `days`: valid from and until, counted from today."""
        key = self._key(name, kind)
        request, certificate = self.folder / f"{name}.csr", self.folder / f"{name}.pem"
        self._run("req", "-new", "-key", key, "-subj", f"/CN={name}", "-addext",
                  "subjectAltName=" + ",".join(hosts), "-out", request)
        configuration = self.folder / f"{name}.cnf"
        configuration.write_text(f"[ca]\ndefault_ca=a\n[a]\ndatabase={self.folder}/{name}.index\n"
                                 f"serial={self.folder}/{name}.serial\nnew_certs_dir={self.folder}\n"
                                 "default_md=sha256\npolicy=p\ncopy_extensions=copy\nunique_subject=no\n"
                                 "[p]\ncommonName=supplied\n")
        (self.folder / f"{name}.index").write_text("")
        (self.folder / f"{name}.serial").write_text("01\n")
        start, end = (time_of(int(day)) for day in days)
        self._run("ca", "-batch", "-notext", "-config", configuration, "-cert", self.file, "-keyfile",
                  self.folder / f"{self.name}.key", "-in", request, "-out", certificate, "-startdate", start,
                  "-enddate", end)
        return certificate, key


def time_of(days):
    moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)
    return moment.strftime("%y%m%d%H%M%SZ")
