"""SIGHUP: the file of --config is read again; what may change while running changes, the rest is logged."""

import os
import signal
import socket
import time

import pytest

import smsd as harness

SECONDS_MAX = 30


class Configured(harness.Smsd):
    """One with a file of options."""

    def __init__(self, folder):
        self.file = folder / "smsd.conf"
        super().__init__(folder, options=["--config", str(self.file)])

    def write(self, **options):
        self.file.write_text("".join(f"{name} = {value}\n" for name, value in options.items()))

    def reload(self, **options):
        """Puts other options into the file and has it read; the events of it, as (event, option)."""
        self.write(**options)
        before = len(self.events())
        os.kill(self.process.pid, signal.SIGHUP)
        until = time.monotonic() + SECONDS_MAX
        while not any(event["event"].startswith("configuration_") for event in self.events()[before:]):
            assert time.monotonic() < until, self.said()
            time.sleep(0.01)
        return [(event["event"], event.get("option", event.get("reason"))) for event in self.events()[before:]
                if event["event"] not in ("log_reopened", "configuration_read")]


@pytest.fixture
def smsd(tmp_path):
    server = Configured(tmp_path)
    server.write(packets_shares_max=10)
    server.start()
    yield server
    server.close()


def test_limits_change_while_it_runs(smsd, account):
    smsd.post(f"/v1/accounts/{account}/topups", {"amount": 1000})
    packet = {"sender": account, "amount": 100, "count": 20}
    assert smsd.post("/v1/packets", packet).status == 422
    assert smsd.reload(packets_shares_max=20) == [("option_changed", "packets_shares_max")]
    assert smsd.post("/v1/packets", packet).status == 201
    assert smsd.reload() == [("option_changed", "packets_shares_max")]  # the default again


def test_timeouts_change_for_connections_to_come(smsd):
    assert smsd.reload(packets_shares_max=10, header_timeout_ms=100) == [("option_changed", "header_timeout_ms")]
    with socket.create_connection((smsd.host, smsd.port), timeout=SECONDS_MAX) as stream:
        stream.sendall(b"GET / HTTP/1.1\r\n")
        assert stream.recv(65536).startswith(b"HTTP/1.1 408 ")


def test_headers_may_become_larger(smsd):
    big = {"X-Big": "x" * 20000}
    assert smsd.get("/healthz", key=None, headers=big).status == 431
    smsd.reload(packets_shares_max=10, header_bytes_max=65536)
    for _ in range(2):
        assert smsd.get("/healthz", key=None, headers=big).status == 200


def test_the_log_s_level_changes(smsd):
    smsd.reload(packets_shares_max=10, log_level="debug")
    smsd.post("/v1/jobs/due/run")
    until = time.monotonic() + SECONDS_MAX
    while not smsd.events("job_ended"):
        assert time.monotonic() < until, smsd.said()
        time.sleep(0.01)


def test_what_cannot_change_is_said_and_stays(smsd):
    found = smsd.reload(packets_shares_max=10, journal_bytes_max=1000000000, listen="127.0.0.1:1", log_file="/nowhere",
                        body_bytes_max=2048)
    # --listen of the command line goes first, so it has not changed
    assert found == [("option_needs_restart", name) for name in ("log_file", "body_bytes_max", "journal_bytes_max")]
    assert smsd.get("/healthz", key=None).status == 200


@pytest.mark.parametrize("options", [{"packets_shares_max": 0}, {"nonsense": 1}, {"log_level": "loud"},
                                     {"tls_cert": "/x"}])
def test_a_file_that_is_wrong_changes_nothing(smsd, account, options):
    found = smsd.reload(**{"packets_open_max": 1, **options})
    assert [event for event, _ in found] == ["configuration_refused"]
    assert list(options)[0] in found[0][1]
    smsd.post(f"/v1/accounts/{account}/topups", {"amount": 1000})
    for _ in range(2):  # packets_open_max is what it was
        assert smsd.post("/v1/packets", {"sender": account, "amount": 10, "count": 1}).status == 201


def test_a_file_that_is_gone_changes_nothing(smsd):
    smsd.file.unlink()
    os.kill(smsd.process.pid, signal.SIGHUP)
    until = time.monotonic() + SECONDS_MAX
    while not smsd.events("configuration_refused"):
        assert time.monotonic() < until, smsd.said()
        time.sleep(0.01)
    assert smsd.get("/healthz", key=None).status == 200
