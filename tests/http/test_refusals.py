"""What the server refuses by itself: each row is a request as raw bytes, and the status and code it gets. Behind
a refusal the connection closes, and nothing behind the request is looked at."""

import pytest

from wire import chunked, get, post

MALFORMED = (400, "malformed_request")
LINE = "GET / HTTP/1.1\r\n"
HOST = "Host: test\r\n"


def head(headers, line=LINE):
    return line + HOST + headers + "\r\n"


# sentence: (request, (status, code))
REFUSED = {
    # Line ends.
    "a bare LF behind the request line": ("GET / HTTP/1.1\nHost: test\r\n\r\n", MALFORMED),
    "a bare LF behind a header": ("GET / HTTP/1.1\r\nHost: test\n\r\n", MALFORMED),
    "a bare LF for the empty line": ("GET / HTTP/1.1\r\nHost: test\r\n\n", MALFORMED),
    "bare LFs only": ("GET / HTTP/1.1\nHost: test\n\n", MALFORMED),
    "a bare LF before the request line": ("\n" + get(), MALFORMED),
    "a bare CR in a header": (head("X: a\rb\r\n"), MALFORMED),
    "a bare CR behind the request line": ("GET / HTTP/1.1\rHost: test\r\n\r\n", MALFORMED),
    "CR CR LF": ("GET / HTTP/1.1\r\r\nHost: test\r\n\r\n", MALFORMED),
    # Request line.
    "two spaces before the target": ("GET  / HTTP/1.1\r\nHost: test\r\n\r\n", MALFORMED),
    "two spaces behind the target": ("GET /  HTTP/1.1\r\nHost: test\r\n\r\n", MALFORMED),
    "a tab before the target": ("GET\t/ HTTP/1.1\r\nHost: test\r\n\r\n", MALFORMED),
    "a space behind the version": ("GET / HTTP/1.1 \r\nHost: test\r\n\r\n", MALFORMED),
    "a space before the method": (" GET / HTTP/1.1\r\nHost: test\r\n\r\n", MALFORMED),
    "a space in the target": ("GET /a b HTTP/1.1\r\nHost: test\r\n\r\n", MALFORMED),
    "no target": ("GET HTTP/1.1\r\nHost: test\r\n\r\n", MALFORMED),
    "HTTP/0.9": ("GET /\r\n\r\n", MALFORMED),
    "HTTP/0.9 said aloud": ("GET / HTTP/0.9\r\nHost: test\r\n\r\n", MALFORMED),
    "HTTP/2.0": ("GET / HTTP/2.0\r\nHost: test\r\n\r\n", MALFORMED),
    "HTTP/1.2": ("GET / HTTP/1.2\r\nHost: test\r\n\r\n", MALFORMED),
    "HTTP/1.10": ("GET / HTTP/1.10\r\nHost: test\r\n\r\n", MALFORMED),
    "a version in lower case": ("GET / http/1.1\r\nHost: test\r\n\r\n", MALFORMED),
    "another protocol": ("GET / RTSP/1.0\r\nHost: test\r\n\r\n", MALFORMED),
    "the HTTP/2 preface": ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", MALFORMED),
    "a TLS hello": ("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", MALFORMED),
    "a method nobody knows": ("BREW / HTTP/1.1\r\nHost: test\r\n\r\n", MALFORMED),
    "a method in lower case": ("get / HTTP/1.1\r\nHost: test\r\n\r\n", MALFORMED),
    "garbage": ("\x00\x01\x02\x03", MALFORMED),
    "a control character in the target": ("GET /\x01 HTTP/1.1\r\nHost: test\r\n\r\n", MALFORMED),
    "NUL in the target": ("GET /\x00 HTTP/1.1\r\nHost: test\r\n\r\n", MALFORMED),
    "a byte above 127 in the target": ("GET /\xe9 HTTP/1.1\r\nHost: test\r\n\r\n", MALFORMED),
    "a fragment": ("GET /a#b HTTP/1.1\r\nHost: test\r\n\r\n", MALFORMED),
    "* with another method than OPTIONS": ("GET * HTTP/1.1\r\nHost: test\r\n\r\n", MALFORMED),
    "* with something behind it": ("OPTIONS *x HTTP/1.1\r\nHost: test\r\n\r\n", MALFORMED),
    "a URL of another scheme": ("GET ftp://test/ HTTP/1.1\r\nHost: test\r\n\r\n", MALFORMED),
    "a URL without a host": ("GET http:///a HTTP/1.1\r\nHost: test\r\n\r\n", MALFORMED),
    "a URL with a user": ("GET http://u@test/ HTTP/1.1\r\nHost: test\r\n\r\n", MALFORMED),
    "a target without a slash": ("GET a HTTP/1.1\r\nHost: test\r\n\r\n", MALFORMED),
    "CONNECT": ("CONNECT test:443 HTTP/1.1\r\nHost: test:443\r\n\r\n", (405, "method_not_allowed")),
    # Headers.
    "a space before the colon": (head("X : a\r\n"), MALFORMED),
    "a space before the colon of Content-Length": (head("Content-Length : 0\r\n"), MALFORMED),
    "a tab before the colon": (head("X\t: a\r\n"), MALFORMED),
    "an empty header name": (head(": a\r\n"), MALFORMED),
    "a header without a colon": (head("X\r\n"), MALFORMED),
    "a space in a header name": (head("X Y: a\r\n"), MALFORMED),
    "a folded header that looks like a header": (head("X: a\r\n Content-Length: 5\r\n"), MALFORMED),
    "a folded header": (head("X: a\r\n b\r\n"), MALFORMED),
    "a header folded by a tab": (head("X: a\r\n\tb\r\n"), MALFORMED),
    "a folded empty header": (head("X:\r\n b\r\n"), MALFORMED),
    "a folded Transfer-Encoding": (head("Transfer-Encoding:\r\n chunked\r\n", "POST / HTTP/1.1\r\n"), MALFORMED),
    "a folded Content-Length": (head("Content-Length:\r\n 5\r\n", "POST / HTTP/1.1\r\n"), MALFORMED),
    "whitespace before the first header": ("GET / HTTP/1.1\r\n Host: test\r\n\r\n", MALFORMED),
    "NUL in a header": (head("X: a\x00b\r\n"), MALFORMED),
    "NUL in a header's name": (head("X\x00Y: a\r\n"), MALFORMED),
    "a control character in a header": (head("X: a\x07b\r\n"), MALFORMED),
    "DEL in a header": (head("X: a\x7fb\r\n"), MALFORMED),
    "a control character in Connection": (head("Connection: \x01\r\n"), MALFORMED),
    "no Host": ("GET / HTTP/1.1\r\n\r\n", MALFORMED),
    "two Hosts": (head(HOST), MALFORMED),
    "two Hosts in HTTP/1.0": (get(headers=HOST, version="1.0"), MALFORMED),
    "an empty Host": ("GET / HTTP/1.1\r\nHost:\r\n\r\n", MALFORMED),
    "a Host with a path": ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", MALFORMED),
    "a Host with a user": ("GET / HTTP/1.1\r\nHost: u@test\r\n\r\n", MALFORMED),
    "two names in Host": ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", MALFORMED),
    "a URL but no Host": ("GET http://test/ HTTP/1.1\r\n\r\n", MALFORMED),
    "two Authorizations": (head("Authorization: Bearer a\r\nAuthorization: Bearer b\r\n"), MALFORMED),
    "two Content-Types": (head("Content-Type: a/b\r\nContent-Type: a/b\r\n"), MALFORMED),
    # Lengths.
    "Content-Length twice, the same": (head("Content-Length: 1\r\nContent-Length: 1\r\n") + "x", MALFORMED),
    "Content-Length twice, different": (head("Content-Length: 1\r\nContent-Length: 2\r\n") + "xx", MALFORMED),
    "Content-Length: +5": (head("Content-Length: +5\r\n") + "12345", MALFORMED),
    "Content-Length: -1": (head("Content-Length: -1\r\n"), MALFORMED),
    "Content-Length: 5,5": (head("Content-Length: 5,5\r\n") + "12345", MALFORMED),
    "Content-Length: 5 5": (head("Content-Length: 5 5\r\n") + "12345", MALFORMED),
    "Content-Length: 0x5": (head("Content-Length: 0x5\r\n") + "12345", MALFORMED),
    "Content-Length: 5.0": (head("Content-Length: 5.0\r\n") + "12345", MALFORMED),
    "an empty Content-Length": (head("Content-Length:\r\n"), MALFORMED),
    "a Content-Length of 2^64": (head("Content-Length: 18446744073709551616\r\n"), MALFORMED),
    "a Content-Length of 30 digits": (head("Content-Length: " + "9" * 30 + "\r\n"), MALFORMED),
    "Content-Length and Transfer-Encoding": (
        chunked(headers="Content-Length: 5\r\n", body="0\r\n\r\n"), MALFORMED),
    "Transfer-Encoding and Content-Length": (
        post(headers="Transfer-Encoding: chunked\r\n", body="0\r\n\r\n"), MALFORMED),
    # Codings.
    "Transfer-Encoding: identity": (head("Transfer-Encoding: identity\r\n"), MALFORMED),
    "Transfer-Encoding: gzip, chunked": (head("Transfer-Encoding: gzip, chunked\r\n") + "0\r\n\r\n", MALFORMED),
    "Transfer-Encoding: chunked, gzip": (head("Transfer-Encoding: chunked, gzip\r\n") + "0\r\n\r\n", MALFORMED),
    "Transfer-Encoding: chunked, chunked": (
        head("Transfer-Encoding: chunked, chunked\r\n") + "0\r\n\r\n", MALFORMED),
    "Transfer-Encoding twice": (
        head("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n", MALFORMED),
    "Transfer-Encoding: xchunked": (head("Transfer-Encoding: xchunked\r\n") + "0\r\n\r\n", MALFORMED),
    "Transfer-Encoding: chunked;q=1": (head("Transfer-Encoding: chunked;q=1\r\n") + "0\r\n\r\n", MALFORMED),
    "Transfer-Encoding in quotes": (head('Transfer-Encoding: "chunked"\r\n') + "0\r\n\r\n", MALFORMED),
    "an empty Transfer-Encoding": (head("Transfer-Encoding:\r\n") + "0\r\n\r\n", MALFORMED),
    "Transfer-Encoding in HTTP/1.0": (
        get(headers="Transfer-Encoding: chunked\r\n", version="1.0") + "0\r\n\r\n", MALFORMED),
    # Chunks.
    "a chunk size that is no number": (chunked(body="x\r\n"), MALFORMED),
    "a chunk size with a sign": (chunked(body="+5\r\n12345\r\n0\r\n\r\n"), MALFORMED),
    "a chunk size with 0x": (chunked(body="0x5\r\n12345\r\n0\r\n\r\n"), MALFORMED),
    "an empty chunk size": (chunked(body="\r\n"), MALFORMED),
    "a space behind the chunk size": (chunked(body="5 \r\n12345\r\n0\r\n\r\n"), MALFORMED),
    "a chunk line that ends in LF": (chunked(body="5\n12345\r\n0\r\n\r\n"), MALFORMED),
    "a chunk shorter than its size": (chunked(body="5\r\n123\r\n0\r\n\r\n"), MALFORMED),
    "a chunk longer than its size": (chunked(body="5\r\n123456\r\n0\r\n\r\n"), MALFORMED),
    "a chunk that ends in LF": (chunked(body="5\r\n12345\n0\r\n\r\n"), MALFORMED),
    "a chunk size of 2^64": (chunked(body="10000000000000000\r\n"), MALFORMED),
    "a chunk size of endless zeros": (chunked(body="0" * 300), MALFORMED),
    "a chunk extension of 300 bytes": (chunked(body="5;a=" + "b" * 300 + "\r\n12345\r\n0\r\n\r\n"), MALFORMED),
    "a chunk extension with a control character": (chunked(body="5;a=\x01\r\n12345\r\n0\r\n\r\n"), MALFORMED),
    "trailers that end in LF": (chunked(body="0\r\n\n"), MALFORMED),
    "a trailer that ends in LF": (chunked(body="0\r\nX: a\n\r\n"), MALFORMED),
    "a folded trailer": (chunked(body="0\r\nX: a\r\n b\r\n\r\n"), MALFORMED),
    "a trailer without a name": (chunked(body="0\r\n: a\r\n\r\n"), MALFORMED),
    "NUL in a trailer": (chunked(body="0\r\nX: \x00\r\n\r\n"), MALFORMED),
    # Expectations.
    "an expectation nobody knows": (post(headers="Expect: 200-ok\r\n"), (417, "expectation_failed")),
    "a known and an unknown expectation": (
        post(headers="Expect: 100-continue\r\nExpect: more\r\n"), (417, "expectation_failed")),
    # Sizes: the server of this file takes 1000 bytes of head and of body.
    "a target that is too long": (f"GET /{'a' * 1000} HTTP/1.1\r\nHost: test\r\n\r\n", (431, "headers_too_large")),
    "headers that are too long": (head(f"X: {'a' * 1000}\r\n"), (431, "headers_too_large")),
    "too many headers": (head("X: a\r\n" * 200), (431, "headers_too_large")),
    "a head that never ends": ("GET /" + "a" * 2000, (431, "headers_too_large")),
    "empty lines without end": ("\r\n" * 1000, (431, "headers_too_large")),
    "trailers that are too long": (chunked(body=f"0\r\nX: {'a' * 1000}\r\n\r\n"), (431, "headers_too_large")),
    "a body that is too large": (post(body="x" * 1001), (413, "body_too_large")),
    "a body too large for its path": (post("/small", body="x" * 11), (413, "body_too_large")),
    "a body of 2^63 bytes": (head("Content-Length: 9223372036854775808\r\n"), (413, "body_too_large")),
    "a chunk that is too large": (chunked(body="3e9\r\n"), (413, "body_too_large")),
    "a chunk of 2^64 - 1 bytes": (chunked(body="ffffffffffffffff\r\n"), (413, "body_too_large")),
    "chunks that are too large together": (
        chunked("/small", body="8\r\n12345678\r\n3\r\n123\r\n0\r\n\r\n"), (413, "body_too_large")),
    "a body that is too large, expecting 100": (
        head("Content-Length: 1001\r\nExpect: 100-continue\r\n", "POST / HTTP/1.1\r\n"), (413, "body_too_large")),
}


@pytest.mark.parametrize("sentence", REFUSED)
def test_is_refused(shared_server, sentence):
    request, expected = REFUSED[sentence]
    with shared_server.connect() as client:
        client.send(request + get("/behind"))
        reply = client.reply()
        assert (reply.status, reply.code) == expected
        assert reply.headers["connection"] == "close"
        assert client.rest() == b""


@pytest.mark.parametrize("sentence", REFUSED)
def test_is_refused_byte_by_byte_after_a_good_request(shared_server, sentence):
    request, expected = REFUSED[sentence]
    with shared_server.connect(shared_server.unix_address) as client:
        client.send(get("/before"))
        assert client.reply().status == 200
        for byte in request.encode("latin-1"):
            try:
                client.send(bytes([byte]))
            except OSError:  # refused before all of it was sent
                break
            client.wait_until_read()
        client.send_quietly(get("/behind"))
        reply = client.reply()
        assert (reply.status, reply.code) == expected
        assert client.rest() == b""


def test_a_refusal_says_what_is_allowed_instead_of_connect(shared_server):
    with shared_server.connect() as client:
        client.send("CONNECT test:443 HTTP/1.1\r\nHost: test:443\r\n\r\n")
        assert "POST" in client.reply().headers["allow"]


def test_a_refusal_of_a_head_request_has_no_body(shared_server):
    with shared_server.connect() as client:
        client.send("HEAD /small HTTP/1.1\r\nHost: test\r\nContent-Length: 11\r\n\r\n")
        reply = client.reply(is_head=True)
        assert (reply.status, client.rest()) == (413, b"")


def test_the_handler_knows_the_path_of_a_refusal_once_its_head_is_good(shared_server):
    with shared_server.connect() as client:
        client.send(post("/small", body="x" * 11))
        assert '"path":"/small"' in client.reply().text
    with shared_server.connect() as client:
        client.send(chunked("/known", body="1\r\nx\r\n"))
        assert client.is_silent(0.05)  # the head has moved into the connection's own storage
        client.send("nonsense")
        assert '"path":"/known"' in client.reply().text


def test_requests_before_a_refusal_are_answered_first(shared_server):
    with shared_server.connect() as client:
        client.send(get("/one") + get("/two") + "garbage\r\n" + get("/three"))
        assert "path=/one\n" in client.reply().text
        assert "path=/two\n" in client.reply().text
        assert client.reply().code == "malformed_request"
        assert client.rest() == b""


def test_a_refused_client_that_keeps_sending_still_reads_the_refusal(shared_server):
    # Closing with bytes unread would reset the connection and take the reply away.
    with shared_server.connect() as client:
        client.send(post(body="x" * 1001))
        for _ in range(20):
            client.send(b"x" * 65536)
        client.finish()
        assert client.reply().code == "body_too_large"
        assert client.rest() == b""


def test_a_client_that_sends_for_ever_behind_a_refusal_is_cut(shared_server):
    with shared_server.connect() as client:
        client.send("garbage\r\n\r\n")
        sent = 0
        with pytest.raises(OSError):
            while sent < 64 * 1024 * 1024:
                client.send(b"x" * 65536)
                sent += 65536
