"""What an operator relies on: command line, health, metrics, signals, the lock, defaults (OPS-1, OPS-4)."""

import http.client
import os
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

import smsd as harness
from contract import balance, charge, new_key, topup
from smsd import Smsd, StartFailed, run

SAMPLE = re.compile(r'([a-z_][a-z0-9_]*)(\{[a-z_]+="[^"]*"(?:,[a-z_]+="[^"]*")*\})? (-?[0-9.e+-]+|[+-]Inf|NaN)')


def prometheus(text):
    """The samples of a Prometheus text 0.0.4: name and labels -> value. Each has a TYPE before it."""
    types, samples = {}, {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            assert name not in types, f"two TYPE lines: {name}"
            types[name] = kind
        elif line.startswith("# HELP ") or not line:
            continue
        else:
            found = SAMPLE.fullmatch(line)
            assert found, line
            name, labels, value = found.groups()
            family = re.sub(r"_(bucket|sum|count)$", "", name)
            assert types.get(name) in ("counter", "gauge") or types.get(family) == "histogram", line
            assert (name, labels) not in samples, f"twice: {line}"
            samples[name, labels] = float(value)
    return types, samples


def test_health_and_readiness_need_no_key(shared):
    """OPS-4: /healthz, /readyz."""
    assert shared.get("/healthz", key=None).status == 200
    assert shared.get("/readyz", key=None).status == 200


def test_metrics_are_prometheus_text(shared, account):
    """OPS-4: /metrics for Prometheus."""
    answer = shared.get("/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    types, before = prometheus(answer.raw.decode())
    assert types["smsd_http_requests_total"] == "counter"
    for _ in range(10):
        topup(shared, account, 1)
    types, after = prometheus(shared.get("/metrics").raw.decode())
    grown = {name[0] for name in after if after[name] > before.get(name, 0)}
    assert {"smsd_http_requests_total", "smsd_commands_total", "smsd_journal_batches_total"} <= grown
    for name, kind in types.items():
        if kind == "histogram":
            buckets = [value for (sample, _), value in after.items() if sample == f"{name}_bucket"]
            assert buckets == sorted(buckets)
            assert buckets[-1] == after[f"{name}_count", None], name


def test_the_log_is_lines_of_json(shared):
    """OPS-4: structured logs."""
    events = shared.events()
    assert events
    for event in events:
        assert {"time", "level", "event"} <= set(event)
        assert re.fullmatch(r"[a-z][a-z0-9_]*", event["event"])


def test_a_connection_is_kept_for_further_requests(shared, account):
    """BILL-15: keep-alive."""
    topup(shared, account, 100)
    connection = http.client.HTTPConnection(shared.host, shared.port, timeout=30)
    charge(shared, account, 1, connection=connection)
    stream = connection.sock
    assert stream is not None
    for _ in range(20):
        assert charge(shared, account, 1, connection=connection).status == 201
        assert connection.sock is stream
    connection.close()


def test_pipelined_requests_are_answered_in_order(shared, account):
    """BILL-15: pipelining."""
    topup(shared, account, 1000)
    requests = []
    for number in range(1, 101):
        requests.append(("POST", "/v1/charges", {"account": account, "amount": 1, "reference": f"r{number}"}))
        requests.append(("GET", f"/v1/accounts/{account}", None))
    answers = shared.pipeline(requests)
    for number in range(100):
        charged, read = answers[2 * number], answers[2 * number + 1]
        assert charged.status == 201 and charged.body["reference"] == f"r{number + 1}"
        assert charged.body["balance"] == read.body["balance"] == 1000 - number - 1


def test_a_pipelined_refusal_does_not_disturb_its_neighbours(shared, account):
    topup(shared, account, 10)
    body = {"account": account, "amount": 1}
    answers = shared.pipeline([("POST", "/v1/charges", body), ("POST", "/v1/charges", {**body, "amount": 99}),
                               ("GET", "/v1/nothing", None), ("POST", "/v1/charges", {"x": 1}),
                               ("POST", "/v1/charges", body)])
    assert [answer.status for answer in answers] == [201, 402, 404, 422, 201]
    assert balance(shared, account) == 8


def test_a_unix_socket_serves_the_same(shared, account):
    """BILL-15: a Unix socket."""
    topup(shared, account, 100)
    connection = shared.unix_connection()
    for left in (99, 98, 97):
        assert charge(shared, account, 1, connection=connection).body["balance"] == left
    connection.close()
    assert balance(shared, account) == 97


def test_many_connections_at_once_are_served(shared, account):
    topup(shared, account, 1000)
    connections = [http.client.HTTPConnection(shared.host, shared.port, timeout=60) for _ in range(100)]
    for connection in connections:
        connection.connect()
    for left, connection in enumerate(reversed(connections)):
        assert charge(shared, account, 1, connection=connection).body["balance"] == 999 - left
    for connection in connections:
        connection.close()


@pytest.mark.parametrize("signal_sent", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(smsd, signal_sent):
    """OPS-7: stop accepting, finish what is in flight, exit 0."""
    topup(smsd, "A", 100)
    idle = socket.create_connection((smsd.host, smsd.port))
    smsd.stop(signal_sent)
    assert idle.recv(1) == b""
    idle.close()
    with pytest.raises(OSError):
        socket.create_connection((smsd.host, smsd.port), timeout=5)
    smsd.start()
    assert balance(smsd, "A") == 100


def test_what_is_in_flight_is_finished_before_it_ends(smsd):
    topup(smsd, "A", 100000)
    acknowledged = []

    def load():
        connection = http.client.HTTPConnection(smsd.host, smsd.port, timeout=30)
        try:
            while True:
                acknowledged.append(charge(smsd, "A", 1, connection=connection).body["id"])
        except (OSError, http.client.HTTPException):
            connection.close()

    clients = [threading.Thread(target=load) for _ in range(8)]
    for client in clients:
        client.start()
    time.sleep(0.3)
    process, admin = smsd.process, smsd.admin_key
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    for client in clients:
        client.join(60)
    harness.running.discard(process)
    smsd.process = None
    assert admin == smsd.admin_key
    smsd.start()
    assert acknowledged
    found = smsd.pipeline([("GET", f"/v1/charges/{number}", None) for number in acknowledged])
    assert {answer.status for answer in found} == {200}
    assert balance(smsd, "A") <= 100000 - len(acknowledged)


def test_a_second_smsd_on_the_same_data_is_refused(smsd, tmp_path):
    """OPS-7: a lock on the data directory keeps a second smsd out."""
    topup(smsd, "A", 100)
    second = Smsd(tmp_path / "second", data_dir=smsd.data_dir)
    with pytest.raises(StartFailed) as refused:
        second.start()
    assert refused.value.status > 0
    assert "in use" in refused.value.said
    assert balance(smsd, "A") == 100
    done = run(["verify", "--data-dir", str(smsd.data_dir)])
    assert done.returncode != 0, "verify is for a smsd that is not running"


def test_version_and_help():
    version = run(["--version"])
    assert version.returncode == 0 and re.match(r"smsd \d+\.\d+", version.stdout)
    shown = run(["--help"])
    assert shown.returncode == 0
    for option in ("--data-dir", "--listen", "--test-clock", "verify"):
        assert option in shown.stdout
    assert max(len(line) for line in shown.stdout.splitlines()) <= 80
    assert "From 1 to 3650 days; default 30." in " ".join(shown.stdout.split())


@pytest.mark.parametrize("arguments", [["--nonsense"], ["nonsense"], ["--data-dir"], []])
def test_a_command_line_that_is_wrong_is_2(arguments):
    done = run(arguments)
    assert done.returncode == 2
    assert done.stderr and not done.stdout


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.1:99999", "nonsense:1", ":8080", "127.0.0.1:x"])
def test_an_address_that_is_wrong_is_refused(tmp_path, address):
    # What was built by then ends with the process: no leak.
    done = run(["--data-dir", str(tmp_path / "data"), "--listen", address],
               environment={"ASAN_OPTIONS": "detect_leaks=0"})
    assert done.returncode in (1, 2)
    assert "smsd: " in done.stderr and "address" in done.stderr


def test_it_listens_on_loopback_unless_told_otherwise(tmp_path):
    """OPS-1: loopback unless told otherwise. In a network of its own, where port 8080 is free."""
    if subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("may not make a network namespace")
    log = tmp_path / "log"
    command = (f"ip link set lo up; exec {harness.binary_path()} --data-dir {tmp_path / 'data'} "
               f"2>{log}")
    process = harness.spawn(["unshare", "-n", "sh", "-c", command])
    deadline = time.monotonic() + 30
    while not (log.exists() and '"listening"' in log.read_text()):
        assert process.poll() is None and time.monotonic() < deadline, log.read_text()
        time.sleep(0.02)
    listening = subprocess.run(["nsenter", "-t", str(process.pid), "-n", "ss", "-Hltn"], capture_output=True,
                               text=True, check=True).stdout.split()
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    harness.running.discard(process)
    assert [word for word in listening if word.endswith(":8080")] == ["127.0.0.1:8080"]
    assert not [word for word in listening if word.startswith(("0.0.0.0:8", "[::]:8"))]


def test_the_data_directory_is_for_its_owner_only(shared):
    assert shared.data_dir.stat().st_mode & 0o077 == 0


def test_verify_of_what_is_no_data_directory_fails(tmp_path):
    assert run(["verify", "--data-dir", str(tmp_path / "missing")]).returncode == 1


def test_no_secret_is_in_the_log(shared, account):
    """OPS-4: no secret in the logs."""
    _, secret = new_key(shared, "billing")
    topup(shared, account, 1, key=secret)
    shared.get("/v1/accounts", key=secret + "x")
    assert secret not in shared.said()
    assert shared.admin_key not in shared.said()


def test_hup_keeps_it_running(smsd):
    topup(smsd, "A", 1)
    os.kill(smsd.process.pid, signal.SIGHUP)
    assert topup(smsd, "A", 1)["balance"] == 2
