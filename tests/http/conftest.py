"""An echo server a test, with the options the test asks for; or a program that calls, and who it calls.
HTTP_ECHO_SERVER names the server's program; without it it is the sanitizers' build, made when missing."""

import functools
import os
import pathlib
import signal
import subprocess
import time

import pytest

from provider import Caller, Provider
from wire import Client, get

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
STOP_SECONDS_MAX = 15


def program(variant="sanitize"):
    chosen = os.environ.get("HTTP_ECHO_SERVER")
    if chosen and variant == "sanitize":
        return pathlib.Path(chosen)
    return made("echo_server", variant)


@functools.cache
def made(name, variant="sanitize"):
    """Asked for by every test, so make looks once a run whether it is up to date."""
    path = pathlib.Path("build") / variant / "http" / name
    subprocess.run(["make", "-s", f"VARIANT={variant}", str(path)], cwd=ROOT, check=True)
    return ROOT / path


class Server:
    def __init__(self, addresses, options, variant, limits):
        arguments = [f"{name}={value}" for name, value in options.items()]
        self.process = subprocess.Popen([program(variant), *arguments, *addresses], preexec_fn=limits,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.is_terminated = self.is_waited_for = False
        self.said = [self.process.stdout.readline().strip() for _ in addresses]
        bound = [line.partition(" ")[2] for line in self.said]
        self.address, self.unix_address = bound[0], bound[-1]

    def connect(self, address=None):
        return Client(address or self.address)

    def ask(self, path):
        """The body of a GET on a connection of its own."""
        with self.connect() as client:
            client.send(f"GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
            return client.reply().text

    def metric(self, name):
        for line in self.ask("/metrics").splitlines():
            if line.startswith(name + " "):
                return int(line.split()[1])
        raise KeyError(name)

    def wait_until_asked(self, is_so):
        """What it asks costs the server a connection at a time, so not too often."""
        until = time.monotonic() + STOP_SECONDS_MAX
        while not is_so():
            assert time.monotonic() < until
            time.sleep(0.02)

    def is_served(self):
        """Is there room for another connection?"""
        with self.connect() as client:
            client.send(get())
            return client.reply().status == 200

    def processor_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def wakeups(self):
        """How often the loop's thread has given up the processor, once for each wait."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("\nvoluntary_ctxt_switches:")[2].split()[0])

    def resident_bytes(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024

    def terminate(self):
        if not self.is_terminated:
            self.process.send_signal(signal.SIGTERM)
        self.is_terminated = True

    def wait(self):
        """Exit status, and what it said on the way out (a sanitizer's report, for example)."""
        self.is_waited_for = True
        try:
            self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
        errors = self.process.stderr.read()
        return self.process.wait(), errors


@pytest.fixture
def start():
    """start(option=value, …, addresses=[…]) → Server. At the end each must stop cleanly."""
    started = []

    def start_one(addresses=("127.0.0.1:0",), variant="sanitize", limits=None, **options):
        server = Server(addresses, {"grace_ms": 1000, **options}, variant, limits)
        started.append(server)
        return server

    yield start_one
    for server in started:
        server.terminate()
    for server in started:
        if not server.is_waited_for:
            assert server.wait() == (0, "")


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory):
    """For tests that leave no traces: one server for the whole file."""
    path = tmp_path_factory.mktemp("http") / "socket"
    server = Server(("127.0.0.1:0", f"unix:{path}"), {"grace_ms": 100, "body_bytes_max": 1000, "header_bytes_max": 1000},
                    "sanitize", None)
    yield server
    server.terminate()
    assert server.wait() == (0, "")


@pytest.fixture
def caller():
    """caller(option=value, …) → Caller. At the end each must come to its end by itself, and in silence."""
    started = []

    def start_one(**options):
        started.append(Caller(made("caller"), options))
        return started[-1]

    yield start_one
    for one in started:
        assert one.finish() == (0, "")


@pytest.fixture
def provider():
    """provider(…) → Provider, closed at the end."""
    opened = []

    def open_one(*arguments, **options):
        opened.append(Provider(*arguments, **options))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()
