"""OPS-3: the listener over TLS, as clients of all kinds meet it, and certificates exchanged while it runs."""

import http.client
import os
import pathlib
import signal
import socket
import ssl
import sys
import threading
import time

import pytest

import smsd as harness
from receiver import Receiver

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "http"))
from certificates import Authority  # noqa: E402

SECONDS_MAX = 30


class TlsSmsd(harness.Smsd):
    """One that serves TCP over TLS, and is spoken to so."""

    def __init__(self, folder, authority, certificate, key, options=()):
        super().__init__(folder, options=["--tls-cert", str(certificate), "--tls-key", str(key), *options])
        self.authority = authority

    def context(self, **settings):
        context = ssl.create_default_context(cafile=self.authority.file)
        for name, value in settings.items():
            setattr(context, name, value)
        return context

    def connection(self):
        kept = self.connections
        if getattr(kept, "generation", None) != self.generation:
            kept.connection = self.new_connection()
            kept.generation = self.generation
        return kept.connection

    def new_connection(self, **settings):
        return http.client.HTTPSConnection(self.host, self.port, timeout=SECONDS_MAX,
                                           context=self.context(**settings))

    def plain_socket(self):
        return socket.create_connection((self.host, self.port), timeout=SECONDS_MAX)

    def tls_socket(self, **settings):
        return self.context(**settings).wrap_socket(self.plain_socket(), server_hostname=self.host)

    def serial(self):
        """Of the certificate that a new connection is shown."""
        with self.tls_socket() as stream:
            return stream.getpeercert()["subject"][0][0][1]

    def wait_for(self, event, count=1):
        until = time.monotonic() + SECONDS_MAX
        while len(self.events(event)) < count:
            assert time.monotonic() < until, self.said()
            time.sleep(0.01)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def shared(tmp_path_factory, authority):
    folder = tmp_path_factory.mktemp("tls")
    server = TlsSmsd(folder, authority, *authority.sign("shared"), ["--header-timeout-ms", "500"]).start()
    yield server
    server.close()


@pytest.fixture
def files(tmp_path, authority):
    """A certificate and its key, as files of the test's own; put(name) puts another pair there."""
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"

    def put(name):
        made = authority.sign(name)
        certificate.write_bytes(made[0].read_bytes())
        key.write_bytes(made[1].read_bytes())

    put("first")
    return certificate, key, put


@pytest.fixture
def smsd(tmp_path, authority, files):
    server = TlsSmsd(tmp_path / "smsd", authority, files[0], files[1]).start()
    yield server
    server.close()


def test_a_charge_over_tls(shared, account):
    topup = shared.post(f"/v1/accounts/{account}/topups", {"amount": 100})
    assert topup.status == 201, topup
    charge = shared.post("/v1/charges", {"account": account, "amount": 30})
    assert (charge.status, charge.body["balance"]) == (201, 70)


def test_unix_sockets_stay_plain(shared):
    assert shared.get("/readyz", connection=shared.unix_connection(), key=None).status == 200


def test_tls_1_2_with_forward_secrecy_and_authenticated_encryption(shared):
    with shared.tls_socket() as stream:
        assert stream.version() == "TLSv1.2"
        cipher = stream.cipher()[0]
        assert cipher.startswith("ECDHE-") and ("GCM" in cipher or "CHACHA20" in cipher)


@pytest.mark.parametrize("cipher", [
    "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"])
def test_the_ciphers_that_are_spoken(shared, cipher):
    context = shared.context()
    context.set_ciphers(cipher)
    with context.wrap_socket(shared.plain_socket(), server_hostname=shared.host) as stream:
        assert stream.cipher()[0] == cipher


@pytest.mark.parametrize("ciphers", ["ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES256-SHA", "AES128-GCM-SHA256",
                                     "DHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-CCM"])
def test_the_ciphers_that_are_not(shared, ciphers):
    context = shared.context()
    context.set_ciphers(ciphers + ":@SECLEVEL=0")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError), shared.plain_socket() as stream:
        context.wrap_socket(stream, server_hostname=shared.host)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_older_versions_are_refused(shared, version):
    context = shared.context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    with pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION|protocol version"), shared.plain_socket() as stream:
        context.wrap_socket(stream, server_hostname=shared.host)


def test_http_1_1_is_what_alpn_agrees_on(shared):
    context = shared.context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with context.wrap_socket(shared.plain_socket(), server_hostname=shared.host) as stream:
        assert stream.selected_alpn_protocol() == "http/1.1"


def test_a_client_that_comes_back_resumes_its_session(shared):
    context = shared.context()
    with context.wrap_socket(shared.plain_socket(), server_hostname=shared.host) as first:
        session = first.session
        assert not first.session_reused
    with context.wrap_socket(shared.plain_socket(), server_hostname=shared.host, session=session) as second:
        assert second.session_reused


def read_to_end(stream):
    """Everything until the server closes or resets."""
    read = b""
    try:
        while piece := stream.recv(65536):
            read += piece
    except ConnectionResetError:
        pass
    return read


@pytest.mark.parametrize("sent", [
    b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\x00" * 100,
    b"\xff" * 20000,
    b"\x16\x03\x01\x00\x05hello",
    b"\x16\x03\x01\xff\xff" + b"x" * 65535,
    b"\x80\x2e\x01\x03\x01\x00\x15\x00\x00\x00\x10",
    os.urandom(4096),
])
def test_what_is_no_tls_is_closed_and_serves_nobody(shared, sent):
    with shared.plain_socket() as stream:
        stream.sendall(sent)
        assert b"HTTP" not in read_to_end(stream)
    assert shared.get("/healthz", key=None).status == 200


def client_hello(shared):
    """The first bytes of a client."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = shared.context().wrap_bio(incoming, outgoing, server_hostname=shared.host)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


@pytest.mark.parametrize("share", [0, 0.5, 1])
def test_a_handshake_that_stops_half_way_has_the_time_of_headers(shared, share):
    """DESIGN.md: silent clients cannot hold others up. The idle timeout is 75 s here, that of headers 0.5."""
    hello = client_hello(shared)
    with shared.plain_socket() as stream:
        stream.sendall(hello[:int(len(hello) * share)])
        began = time.monotonic()
        read_to_end(stream)
        assert time.monotonic() - began > 0.3


def test_a_connection_that_is_open_may_be_idle_for_longer(shared):
    with shared.tls_socket() as stream:
        time.sleep(1.2)  # well past the time that headers have
        stream.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert stream.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_requests_cut_into_records_of_a_byte(shared):
    with shared.tls_socket() as stream:
        stream.do_handshake()
        for byte in b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n":
            stream.sendall(bytes([byte]))
        assert read_to_end(stream).startswith(b"HTTP/1.1 200 ")


def test_many_requests_in_one_record_are_all_answered(shared):
    """More than is read in one go, so that what the library holds is read on without the socket saying so."""
    count = 200
    with shared.tls_socket() as stream:
        stream.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * count +
                       b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert read_to_end(stream).count(b"HTTP/1.1 200 ") == count + 1


def test_a_large_batch_goes_through(shared, account):
    shared.post(f"/v1/accounts/{account}/topups", {"amount": 10000})
    lines = [{"account": account, "amount": 1, "reference": "x" * 100} for _ in range(10000)]
    answer = shared.post("/v1/charges/batch", lines)
    assert answer.status == 200 and answer.body["succeeded"] == 10000


def test_the_end_is_told(shared):
    """Else nobody could tell a whole answer from one that was cut."""
    with shared.tls_socket() as stream:
        stream.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        read = b""
        while piece := stream.read(65536):
            read += piece
        assert read.startswith(b"HTTP/1.1 200 ")
        stream.unwrap()  # fails if the server's end was not told


def test_a_certificate_without_its_key_is_refused_at_start(tmp_path, authority):
    certificate, key = authority.sign("alone")
    _, other = authority.sign("another")
    for options, said in ((["--tls-cert", certificate], "together"), (["--tls-key", key], "together"),
                          (["--tls-cert", certificate, "--tls-key", other], "not that of"),
                          (["--tls-cert", tmp_path / "none", "--tls-key", key], "cannot use the certificate"),
                          (["--tls-cert", certificate, "--tls-key", certificate], "cannot use the key")):
        done = harness.run(["--data-dir", str(tmp_path / "data"), "--listen", "127.0.0.1:0", *map(str, options)])
        assert done.returncode in (1, 2) and said in done.stderr, done


def test_a_new_certificate_is_shown_after_sighup_and_old_connections_go_on(smsd, files, account):
    smsd.post(f"/v1/accounts/{account}/topups", {"amount": 100})
    assert smsd.serial() == "first"
    files[2]("second")
    assert smsd.serial() == "first"
    os.kill(smsd.process.pid, signal.SIGHUP)
    smsd.wait_for("certificate_loaded")
    assert smsd.serial() == "second"
    assert smsd.connection().sock.getpeercert()["subject"][0][0][1] == "first"
    assert smsd.post("/v1/charges", {"account": account, "amount": 1}).status == 201


def test_a_bad_pair_leaves_the_old_one(smsd, files):
    certificate, key, put = files
    put("second")
    key.write_text("-----BEGIN nothing")
    os.kill(smsd.process.pid, signal.SIGHUP)
    smsd.wait_for("certificate_refused")
    assert smsd.events("certificate_refused")[0]["level"] == "error"
    assert smsd.serial() == "first"
    put("third")
    os.kill(smsd.process.pid, signal.SIGHUP)
    smsd.wait_for("certificate_loaded")
    assert smsd.serial() == "third"


def test_certificates_are_exchanged_under_load(smsd, files, account):
    """Nobody sees an error, on new connections or old ones."""
    smsd.post(f"/v1/accounts/{account}/topups", {"amount": 1000000})
    is_over, failures, counts = threading.Event(), [], []

    def charge(is_keeping):
        count = 0
        connection = smsd.new_connection()
        try:
            while not is_over.is_set():
                answer = smsd.post("/v1/charges", {"account": account, "amount": 1}, connection=connection)
                assert answer.status == 201, answer
                count += 1
                if not is_keeping:
                    connection.close()
        except Exception as failure:  # whatever it is, the test tells of it
            failures.append(failure)
        connection.close()
        counts.append(count)

    threads = [threading.Thread(target=charge, args=(number % 2 == 0,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for number in range(8):
        files[2](f"number-{number}")
        os.kill(smsd.process.pid, signal.SIGHUP)
        smsd.wait_for("certificate_loaded", number + 1)
    is_over.set()
    for thread in threads:
        thread.join()
    assert not failures and min(counts) > 0
    balance = smsd.get(f"/v1/accounts/{account}").body["balance"]
    assert balance == 1000000 - sum(counts)


@pytest.mark.parametrize("is_known", [True, False])
def test_webhooks_go_over_tls_to_whom_the_ca_file_vouches_for(tmp_path, authority, is_known):
    receiver = Receiver()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.sign("receiver"))
    receiver.server.socket = context.wrap_socket(receiver.server.socket, server_side=True)
    known = ["--tls-ca-file", str(authority.file)] if is_known else []
    smsd = harness.Smsd(tmp_path, options=["--webhooks-allow-private", *known]).start()
    url = receiver.url().replace("http:", "https:")
    assert smsd.request("PUT", "/v1/settings/webhook_url", {"value": url}).status in (200, 201)
    smsd.post("/v1/accounts", {"id": "low", "low_balance": 50})
    smsd.post("/v1/accounts/low/topups", {"amount": 100})
    smsd.post("/v1/accounts/low/payouts", {"amount": 100})
    if is_known:
        assert len(receiver.wait()) == 1
    else:
        until = time.monotonic() + SECONDS_MAX
        while smsd.get("/v1/webhooks").body["data"][0]["error"] != "tls":
            assert time.monotonic() < until, smsd.get("/v1/webhooks")
            time.sleep(0.02)
        assert receiver.at() == []
    smsd.close()
    receiver.close()
