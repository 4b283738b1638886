"""The HTTP client (http/client.h): what it sends, what it makes of answers, and what it tells."""

import pytest


def test_a_request_and_its_answer(caller, provider):
    there = provider()
    client = caller()
    client.call("a", there.url + "/messages?x=1", "header=Authorization:Bearer k", "body=hello", method="POST")
    peer = there.accept()
    request = peer.request()
    assert (request.method, request.target, request.version) == ("POST", "/messages?x=1", "HTTP/1.1")
    assert request.header("Host") == f"127.0.0.1:{there.port}"
    assert request.header("Authorization") == "Bearer k"
    assert request.header("Content-Length") == "5"
    assert request.body == b"hello"
    peer.answer("accepted", status="202 Accepted", headers="X-Id: 7\r\n")
    done = client.done("a")
    assert (done.error, done.status, done.text, done.was_sent) == ("ok", 202, "accepted", True)
    assert ("X-Id", "7") in done.headers


@pytest.mark.parametrize("suffix, target", [("", "/"), ("/", "/"), ("?a=b", "/?a=b"), ("/a?b", "/a?b")])
def test_the_target_is_path_and_query(caller, provider, suffix, target):
    there = provider()
    client = caller()
    client.call("a", there.url + suffix)
    peer = there.accept()
    assert peer.request().target == target
    peer.answer()
    assert client.done("a").status == 200


@pytest.mark.parametrize("url", [
    "", "ftp://127.0.0.1/", "http://", "http:///x", "http://user@127.0.0.1/", "http://127.0.0.1:/",
    "http://127.0.0.1:0/", "http://127.0.0.1:65536/", "http://127.0.0.1:8x/", "http://127.0.0.1/a b",
    "http://127.0.0.1/#f", "http://[::1/", "http://[::1]x/", "http://[127.0.0.1]/", "http://a%20b/", "http://-a/",
    "http://127.0.0.1/\u00e4", "http://" + "a" * 254 + "/", "http://127.0.0.1/" + "a" * 9000,
])
def test_what_is_no_url_is_not_called(caller, url):
    client = caller()
    client.call("a", url)
    done = client.done("a")
    assert (done.error, done.was_sent) == ("invalid", False)


@pytest.mark.parametrize("header", [
    "Host:x", "content-length:5", "Connection:close", "Transfer-Encoding:chunked", "Expect:100-continue",
    "Upgrade:h2c", ":x", "a b:x", "a:x\rSecond:y", "a:\x01", "a:\x7f",
])
def test_headers_that_frame_the_request_or_break_it_are_refused(caller, provider, header):
    there = provider()
    client = caller()
    client.call("a", there.url, f"header={header}")
    assert client.done("a").error == "invalid"
    assert there.nobody_connects(0.05)


@pytest.mark.parametrize("method", ["", "GET /", "CONNECT", "G\rT"])
def test_what_is_no_method_is_not_sent(caller, provider, method):
    there = provider()
    client = caller()
    client.call("a", there.url, method=method)
    assert client.done("a").error == "invalid"


@pytest.mark.parametrize("method, length", [("GET", None), ("DELETE", None), ("POST", "0"), ("PUT", "0")])
def test_a_request_without_a_body_says_so_where_one_is_expected(caller, provider, method, length):
    there = provider()
    client = caller()
    client.call("a", there.url, method=method)
    peer = there.accept()
    assert peer.request().header("Content-Length") == length
    peer.answer()
    assert client.done("a").status == 200


def test_a_large_request_goes_out_as_the_peer_takes_it(caller, provider):
    there = provider()
    client = caller()
    client.call("a", there.url, "big_body=5000000", method="POST")
    peer = there.accept()
    assert len(peer.request().body) == 5000000
    peer.answer("ok")
    assert client.done("a").text == "ok"


def answered(caller, provider, answer, *options, method="GET", is_closed=True, **client_options):
    """How a call ends whose answer is these bytes, a byte at a time and all at once."""
    there = provider()
    client = caller(**client_options)
    ends = []
    for name, step in (("whole", len(answer) or 1), ("bytes", 1)):
        client.call(name, there.url, "fresh", *options, method=method)
        peer = there.accept()
        peer.request()
        for at in range(0, len(answer), step):
            peer.send_quietly(answer[at:at + step])  # it may have heard enough
        if is_closed:
            peer.close()
        ends.append(client.done(name))
        if not is_closed:
            peer.close()
    whole, in_bytes = ends
    assert (whole.error, whole.status, whole.body, whole.headers) == (
        in_bytes.error, in_bytes.status, in_bytes.body, in_bytes.headers)
    return whole


@pytest.mark.parametrize("answer, status, body", [
    ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", 200, "abc"),
    ("HTTP/1.1 200\r\nContent-Length: 3\r\n\r\nabc", 200, "abc"),
    ("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", 200, "abc"),
    ("HTTP/1.1 500 Oh no\r\ncontent-length:3\r\n\r\nabc", 500, "abc"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n", 200, "abc"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\nY: 2\r\n\r\n", 200, "abc"),
    ("HTTP/1.1 204 No Content\r\n\r\n", 204, ""),
    ("HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n", 304, ""),
    ("HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", 301, ""),
    ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
     200, "x"),
])
def test_an_answer_ends_where_it_says(caller, provider, answer, status, body):
    done = answered(caller, provider, answer, is_closed=False)
    assert (done.error, done.status, done.text) == ("ok", status, body)


def test_a_body_may_end_with_the_connection(caller, provider):
    done = answered(caller, provider, "HTTP/1.1 200 OK\r\n\r\nall of it")
    assert (done.error, done.text) == ("ok", "all of it")


def test_an_answer_to_head_has_no_body(caller, provider):
    done = answered(caller, provider, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", method="HEAD", is_closed=False)
    assert (done.error, done.status, done.text) == ("ok", 200, "")
    assert ("Content-Length", "1000") in done.headers


def test_values_of_headers_are_trimmed(caller, provider):
    done = answered(caller, provider, "HTTP/1.1 200 OK\r\nA: \t b c \r\nEmpty:\r\nContent-Length: 0\r\n\r\n")
    assert done.headers[:2] == [("A", "b c"), ("Empty", "")]


@pytest.mark.parametrize("answer", [
    "SSH-2.0-OpenSSH_9.2\r\n",
    "\r\nHTTP/1.1 200 OK\r\n\r\n",
    "HTTP/2 200 OK\r\n\r\n",
    "HTTP/1.2 200 OK\r\n\r\n",
    "HTTP/1.1 2000 OK\r\n\r\n",
    "HTTP/1.1 20 OK\r\n\r\n",
    "HTTP/1.1 099 OK\r\n\r\n",
    "HTTP/1.1  200 OK\r\n\r\n",
    "HTTP/1.1 200 OK\n\n",
    "HTTP/1.1 200 OK\r\nA: b\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nA: b\rC: d\r\n\r\n",
    "HTTP/1.1 200 OK\r\nA: b\r\n folded\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
    "HTTP/1.1 200 OK\r\n: b\r\n\r\n",
    "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
    "HTTP/1.1 200 OK\r\nA\x00: b\r\n\r\n",
    "HTTP/1.1 200 OK\r\nA: b\x00c\r\n\r\n",
    "HTTP/1.1 200 OK\r\nA: b\x7fc\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
    "HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\na",
    "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\na",
    "HTTP/1.1 200 OK\r\nContent-Length: 0x1\r\n\r\na",
    "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\na",
    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nabc",
    "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\na",
    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
])
def test_what_is_ambiguous_or_no_http_is_malformed(caller, provider, answer):
    done = answered(caller, provider, answer, is_closed=False)
    assert (done.error, done.was_sent, done.status) == ("malformed", True, 0)


@pytest.mark.parametrize("answer", [
    "",
    "HTTP/1.1 200",
    "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n",
    "HTTP/1.1 100 Continue\r\n\r\n",
])
def test_an_answer_that_is_cut_short_is_none(caller, provider, answer):
    done = answered(caller, provider, answer)
    assert (done.error, done.was_sent, done.status) == ("closed", True, 0)


@pytest.mark.parametrize("answer", [
    "HTTP/1.1 200 OK\r\nA: " + "a" * 4096,
    "HTTP/1.1 200 " + "a" * 4096,
    "HTTP/1.1 100 Continue\r\n\r\n" * 200,
    "HTTP/1.1 200 OK\r\n" + "A: b\r\n" * 129 + "Content-Length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" + "x" * 1001,
    "HTTP/1.1 200 OK\r\n\r\n" + "x" * 1001,
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;" + "x" * 20000,
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + "A: b\r\n" * 4000,
])
def test_what_is_too_large_is_not_kept(caller, provider, answer):
    there = provider()
    client = caller(response_head_bytes_max=4096, response_bytes_max=1000)
    client.call("a", there.url)
    peer = there.accept()
    peer.request()
    peer.send(answer)
    done = client.done("a")
    assert (done.error, done.was_sent) == ("too_large", True)
    assert peer.is_closed()


def test_the_largest_body_that_fits(caller, provider):
    for framing in ("Content-Length: 1000\r\n\r\n" + "x" * 1000,
                    "Transfer-Encoding: chunked\r\n\r\n" + "1\r\nx\r\n" * 1000 + "0\r\n\r\n"):
        done = answered(caller, provider, "HTTP/1.1 200 OK\r\n" + framing, response_bytes_max=1000)
        assert (done.error, len(done.body)) == ("ok", 1000)


def test_an_answer_may_come_before_the_request_is_out(caller, provider):
    there = provider()
    client = caller()
    client.call("a", there.url, "big_body=50000000", method="POST")
    peer = there.accept()
    peer.some()
    peer.answer("no", status="413 Content Too Large")
    done = client.done("a")
    assert (done.error, done.status, done.text, done.was_sent) == ("ok", 413, "no", True)
    assert client.connections() == 0  # what is left of the request would be taken for the next one
