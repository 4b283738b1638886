"""OPS-3, towards providers: the HTTP client over TLS. Who cannot prove who it is gets no byte of a request."""

import socket
import ssl

import pytest

from certificates import Authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def own(authority):
    return authority.sign("own")


def context_of(pair, **settings):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    for name, value in settings.items():
        setattr(context, name, value)
    return context


@pytest.mark.parametrize("host, name", [("127.0.0.1", None), ("127.0.0.1", "localhost"), ("::1", None)])
@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_a_call_over_tls(caller, provider, authority, tmp_path, host, name, kind):
    pair = authority.sign(f"kind-{kind}", kind=kind)
    context = context_of(pair)
    context.set_alpn_protocols(["http/1.1"])
    there = provider(host, context, name)
    client = caller(ca_file=authority.file)
    client.call("a", there.url + "/x", "body=hello", method="POST")
    peer = there.accept()
    assert peer.request().body == b"hello"
    assert peer.socket.version() == "TLSv1.2"
    assert peer.socket.selected_alpn_protocol() == "http/1.1"
    cipher = peer.socket.cipher()[0]
    assert cipher.startswith("ECDHE-") and ("GCM" in cipher or "CHACHA20" in cipher)
    peer.answer("ok")
    assert client.done("a").text == "ok"


def test_the_name_asked_for_is_told(caller, provider, own, authority):
    told = []
    context = context_of(own)
    context.sni_callback = lambda _socket, name, _context: told.append(name)
    there = provider(context=context, name="localhost")
    client = caller(ca_file=authority.file)
    client.call("a", there.url)
    peer = there.accept()
    peer.request()
    peer.answer()
    assert client.done("a").status == 200
    assert told == ["localhost"]


def refused(caller, provider, authority, pair, detail, name="localhost", **settings):
    there = provider(context=context_of(pair, **settings), name=name)
    client = caller(ca_file=authority.file)
    client.call("a", there.url, "body=secret", method="POST")
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        there.accept()
    done = client.done("a")
    assert (done.error, done.was_sent) == ("tls", False)
    assert detail in done.detail
    assert client.connections() == 0


def test_a_certificate_for_another_name(caller, provider, authority):
    refused(caller, provider, authority, authority.sign("other", ["DNS:example.org"]), "another host")


def test_a_certificate_for_another_address(caller, provider, authority):
    refused(caller, provider, authority, authority.sign("address", ["DNS:localhost", "IP:127.0.0.2"]),
            "another host", name="127.0.0.1")


def test_the_common_name_does_not_make_up_for_the_names(caller, provider, authority):
    refused(caller, provider, authority, authority.sign("localhost", ["DNS:example.org"]), "another host")


def test_an_expired_certificate(caller, provider, authority):
    refused(caller, provider, authority, authority.sign("expired", days=("-3", "-1")), "has expired")


def test_a_certificate_of_the_future(caller, provider, authority):
    refused(caller, provider, authority, authority.sign("future", days=("1", "2")), "not valid yet")


def test_a_certificate_of_an_authority_nobody_knows(caller, provider, authority, tmp_path):
    refused(caller, provider, authority, Authority(tmp_path, "unknown").sign("own"), "not signed by")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tls_1_1_is_not_spoken(caller, provider, authority, own):
    context = context_of(own)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    there = provider(context=context, name="localhost")
    client = caller(ca_file=authority.file)
    client.call("a", there.url)
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        there.accept()
    assert client.done("a").error == "tls"


@pytest.mark.parametrize("ciphers", ["AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES128-SHA"])
def test_no_cipher_without_forward_secrecy_or_authentication(caller, provider, authority, own, ciphers):
    context = context_of(own)
    context.set_ciphers(ciphers)
    there = provider(context=context, name="localhost")
    client = caller(ca_file=authority.file)
    client.call("a", there.url)
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        there.accept()
    assert client.done("a").error == "tls"


def test_who_speaks_no_tls(caller, provider, authority):
    there = provider()
    client = caller(ca_file=authority.file)
    client.call("a", there.url.replace("http:", "https:"))
    peer = there.accept()
    peer.some()
    peer.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    done = client.done("a")
    assert (done.error, done.was_sent) == ("tls", False)


def test_who_goes_away_in_the_handshake(caller, provider, authority):
    there = provider()
    client = caller(ca_file=authority.file)
    client.call("a", there.url.replace("http:", "https:"))
    peer = there.accept()
    peer.some()
    peer.close()
    done = client.done("a")
    assert (done.error, done.was_sent) == ("tls", False)


def test_who_is_silent_in_the_handshake(caller, provider, authority):
    there = provider()
    client = caller(ca_file=authority.file, connect_timeout_ms=200)
    client.call("a", there.url.replace("http:", "https:"))
    peer = there.accept()
    done = client.done("a")
    assert (done.error, done.was_sent) == ("timeout", False)
    peer.close()


def test_without_a_ca_file_nobody_is_trusted(caller, provider, own, tmp_path):
    there = provider(context=context_of(own), name="localhost")
    client = caller(ca_file=tmp_path / "nowhere")
    client.call("a", there.url)
    done = client.done("a")
    assert (done.error, done.was_sent) == ("tls", False)
    assert there.nobody_connects()
    status, said = client.finish()
    assert status == 0 and '"ca_file_unusable"' in said


def test_a_body_that_only_the_end_ends_is_whole_if_the_end_is_told(caller, provider, own, authority):
    there = provider(context=context_of(own), name="localhost")
    client = caller(ca_file=authority.file)
    for name, is_told in (("told", True), ("cut", False)):
        client.call(name, there.url)
        peer = there.accept()
        peer.request()
        peer.send("HTTP/1.1 200 OK\r\n\r\nall of it?")
        if is_told:
            plain = peer.socket.unwrap()
            plain.close()
        else:
            socket.close(peer.socket.detach())
    assert (client.done("told").error, client.done("told").text) == ("ok", "all of it?")
    assert client.done("cut").error == "closed"


def test_large_bodies_both_ways(caller, provider, own, authority):
    there = provider(context=context_of(own), name="localhost")
    client = caller(ca_file=authority.file, response_bytes_max=10_000_000)
    for name in ("new", "kept"):
        client.call(name, there.url, "big_body=3000000", method="POST")
        if name == "new":
            peer = there.accept()
        assert len(peer.request().body) == 3000000
        peer.answer("y" * 5000000)
        assert client.done(name).body == b"y" * 5000000
    assert client.connections() == 1


def test_a_kept_connection_that_the_peer_ends_is_let_go(caller, provider, own, authority):
    there = provider(context=context_of(own), name="localhost")
    client = caller(ca_file=authority.file)
    client.call("a", there.url)
    peer = there.accept()
    peer.request()
    peer.answer()
    assert client.done("a").status == 200
    peer.socket.unwrap().close()
    while client.connections() != 0:
        pass
    client.call("b", there.url)
    peer = there.accept()
    peer.request()
    peer.answer()
    assert client.done("b").status == 200
