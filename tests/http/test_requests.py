"""What the server takes: each row is a request as raw bytes and what the handler was told. Each is also sent cut
at every one of its bytes."""

import pytest

from wire import chunked, get, post

HEAD = "POST /p HTTP/1.1\r\nHost: test\r\n"

# sentence: (request, lines of the echo)
TAKEN = {
    "a plain GET": (get("/a"), ["method=GET", "path=/a"]),
    "an empty query": (get("/a?"), ["method=GET", "path=/a", "query="]),
    "a query with question marks": (get("/a?b=c?d"), ["method=GET", "path=/a", "query=b=c?d"]),
    "a percent-encoded path, as sent": (get("/a%2Fb%00"), ["method=GET", "path=/a%2Fb%00"]),
    "an empty line first": ("\r\n" + get("/a"), ["method=GET", "path=/a"]),
    "several empty lines first": ("\r\n\r\n\r\n" + get("/a"), ["method=GET", "path=/a"]),
    "PUT": ("PUT /a HTTP/1.1\r\nHost: test\r\n\r\n", ["method=PUT", "path=/a"]),
    "PATCH": ("PATCH /a HTTP/1.1\r\nHost: test\r\n\r\n", ["method=PATCH", "path=/a"]),
    "DELETE": ("DELETE /a HTTP/1.1\r\nHost: test\r\n\r\n", ["method=DELETE", "path=/a"]),
    "OPTIONS *": ("OPTIONS * HTTP/1.1\r\nHost: test\r\n\r\n", ["method=OPTIONS", "path=*"]),
    "a method of WebDAV": ("PROPFIND /a HTTP/1.1\r\nHost: test\r\n\r\n", ["method=OTHER", "path=/a"]),
    "TRACE": ("TRACE /a HTTP/1.1\r\nHost: test\r\n\r\n", ["method=OTHER", "path=/a"]),
    "a URL as the target": ("GET http://test:80/a?b HTTP/1.1\r\nHost: test\r\n\r\n",
                            ["method=GET", "path=/a", "query=b"]),
    "an https URL in capitals": ("GET HTTPS://test/a HTTP/1.1\r\nHost: test\r\n\r\n", ["method=GET", "path=/a"]),
    "a URL without a path": ("GET http://test HTTP/1.1\r\nHost: test\r\n\r\n", ["method=GET", "path=/"]),
    "a URL without a path but with a query": ("GET http://test?b HTTP/1.1\r\nHost: test\r\n\r\n",
                                              ["method=GET", "path=/", "query=b"]),
    "a URL with an IPv6 host": ("GET http://[::1]:80/a HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
                                ["method=GET", "path=/a"]),
    "a body": (post("/p", "hello"), ["method=POST", "path=/p", "body=hello"]),
    "a body of nothing": (post("/p", ""), ["method=POST", "path=/p", "body="]),
    "a body with line ends": (post("/p", "\r\n\r\n\n"), ["method=POST", "path=/p", "body=\r", "\r", "", ""]),
    "a body that looks like a request": (
        post("/p", "GET /q HTTP/1.1"), ["method=POST", "path=/p", "body=GET /q HTTP/1.1"]),
    "a GET with a body": (HEAD.replace("POST", "GET") + "Content-Length: 2\r\n\r\nhi",
                          ["method=GET", "path=/p", "body=hi"]),
    "a Content-Length with leading zeros": (HEAD + "Content-Length: 0005\r\n\r\nhello",
                                            ["method=POST", "path=/p", "body=hello"]),
    "the headers that matter": (
        HEAD + "Authorization: Bearer k\r\nContent-Type: a/b\r\nIdempotency-Key: i\r\nX-Request-Id: r\r\n"
        "Accept: c/d\r\n\r\n",
        ["method=POST", "path=/p", "authorization=Bearer k", "content_type=a/b", "idempotency_key=i",
         "request_id=r", "accept=c/d", "body="]),
    "the same in other cases": (
        "POST /p HTTP/1.1\r\nHOST: test\r\naUTHORIZATION: Bearer K\r\nCONTENT-TYPE: a/B\r\nidempotency-KEY: i\r\n"
        "x-request-ID: r\r\nACCEPT: c/d\r\n\r\n",
        ["method=POST", "path=/p", "authorization=Bearer K", "content_type=a/B", "idempotency_key=i",
         "request_id=r", "accept=c/d", "body="]),
    "headers whose names are nearly those": (
        get("/a", "Hosts: a\r\nHos: b\r\nhoste-k: 2\r\nContent-Lengthy: 5\r\nContent_Length: 5\r\n"
                  "Authorizatio\x6e-: x\r\nAuthorizatiom: x\r\nIdempotency_Key: x\r\nx.request.id: x\r\n"
                  "Transfer-Encodinh: chunked\r\nexpecu: 100\r\nTransfer~Encoding: x\r\n"),
        ["method=GET", "path=/a"]),
    "whitespace around values": (get("/a", "Accept: \t a b \t \r\nX-Request-Id:r\r\n"),
                                 ["method=GET", "path=/a", "request_id=r", "accept=a b"]),
    "an empty value": (get("/a", "Accept:\r\n"), ["method=GET", "path=/a", "accept="]),
    "a value of blanks": (get("/a", "Accept:  \t \r\n"), ["method=GET", "path=/a", "accept="]),
    "bytes above 127 in a header": (get("/a", "Accept: \xe4\xff\r\n"),
                                    ["method=GET", "path=/a", "accept=\xe4\xff"]),
    "several Idempotency-Keys, which the handler counts": (
        get("/a", "Idempotency-Key: i\r\nIdempotency-Key: j\r\n"),
        ["method=GET", "path=/a", "idempotency_key=i", "keys=2"]),
    "a Host with a port": ("GET /a HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", ["method=GET", "path=/a"]),
    "an offer of HTTP/2, which is declined by not accepting": (
        get("/a", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"),
        ["method=GET", "path=/a"]),
    "an offer of WebSocket with a body": (
        post("/p", "hello", "Connection: upgrade\r\nUpgrade: websocket\r\n"),
        ["method=POST", "path=/p", "body=hello"]),
    # Chunks.
    "one chunk": (chunked("/p", "5\r\nhello\r\n0\r\n\r\n"), ["method=POST", "path=/p", "body=hello"]),
    "several chunks": (chunked("/p", "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"),
                       ["method=POST", "path=/p", "body=hello"]),
    "no chunk but the last": (chunked("/p", "0\r\n\r\n"), ["method=POST", "path=/p", "body="]),
    "chunk sizes in both cases and with zeros": (
        chunked("/p", "00a\r\n0123456789\r\n0B\r\n0123456789a\r\n000\r\n\r\n"),
        ["method=POST", "path=/p", "body=01234567890123456789a"]),
    "Transfer-Encoding: CHUNKED": (
        chunked("/p", "1\r\nx\r\n0\r\n\r\n").replace("chunked", "CHUNKED"),
        ["method=POST", "path=/p", "body=x"]),
    "chunk extensions": (
        chunked("/p", '2;a;b=c\r\nhe\r\n3;d="e f"\r\nllo\r\n0;last\r\n\r\n'),
        ["method=POST", "path=/p", "body=hello"]),
    "chunks that hold line ends": (chunked("/p", "4\r\n\r\n\r\n\r\n2\r\n0\r\r\n0\r\n\r\n"),
                                   ["method=POST", "path=/p", "body=\r", "\r", "0\r"]),
    "trailers, which are dropped": (
        chunked("/p", "1\r\nx\r\n0\r\nContent-Length: 7\r\nHost: other\r\nAuthorization: y\r\n\r\n"),
        ["method=POST", "path=/p", "body=x"]),
}


def echoed(lines):
    return "".join(line + "\n" for line in lines)


def without_empty_body(text):
    """A body of nothing is there or not: no difference."""
    return text.removesuffix("body=\n")


@pytest.mark.parametrize("sentence", TAKEN)
def test_is_taken(shared_server, sentence):
    request, lines = TAKEN[sentence]
    with shared_server.connect() as client:
        client.send(request + get("/behind"))
        reply = client.reply()
        assert reply.status == 200
        assert without_empty_body(reply.text) == without_empty_body(echoed(lines))
        assert "path=/behind\n" in client.reply().text  # the connection is where it should be


@pytest.mark.parametrize("sentence", TAKEN)
def test_is_taken_however_it_is_cut(shared_server, sentence):
    request, lines = TAKEN[sentence]
    data = (request + get("/behind")).encode("latin-1")
    with shared_server.connect(shared_server.unix_address) as client:
        for cut in range(1, len(data)):
            client.send(data[:cut])
            client.wait_until_read()
            client.send(data[cut:])
            assert without_empty_body(client.reply().text) == without_empty_body(echoed(lines)), cut
            assert "path=/behind\n" in client.reply().text, cut


@pytest.mark.parametrize("sentence", TAKEN)
def test_is_taken_byte_by_byte(shared_server, sentence):
    request, lines = TAKEN[sentence]
    with shared_server.connect(shared_server.unix_address) as client:
        for byte in request.encode("latin-1"):
            client.send(bytes([byte]))
            client.wait_until_read()
        assert without_empty_body(client.reply().text) == without_empty_body(echoed(lines))


def test_a_large_body_arrives_whole(start):
    server = start(body_bytes_max=8_000_000)
    body = "".join(f"{i:07x}" for i in range(1_000_000))
    with server.connect() as client:
        for data in (post("/p", body), chunked("/p", in_chunks(body, 65_537)), chunked("/p", in_chunks(body, 999))):
            client.send(data + get("/behind"))
            assert client.reply().text == f"method=POST\npath=/p\nbody={body}\n"
            assert "path=/behind\n" in client.reply().text


def in_chunks(body, size):
    pieces = [body[i:i + size] for i in range(0, len(body), size)]
    return "".join(f"{len(piece):x}\r\n{piece}\r\n" for piece in pieces) + "0\r\n\r\n"


def test_a_client_that_expects_100_is_told_to_go_on(shared_server):
    with shared_server.connect() as client:
        client.send(HEAD + "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert client.reply().status == 100
        client.send("hello")
        assert "body=hello\n" in client.reply().text


def test_a_client_that_expects_100_for_chunks_is_told_to_go_on(shared_server):
    with shared_server.connect() as client:
        client.send(HEAD + "Transfer-Encoding: chunked\r\nExpect: 100-Continue\r\n\r\n")
        assert client.reply().status == 100
        client.send("5\r\nhello\r\n0\r\n\r\n")
        assert "body=hello\n" in client.reply().text


@pytest.mark.parametrize("sentence, request_", {
    "the body is there already": HEAD + "Content-Length: 5\r\nExpect: 100-continue\r\n\r\nhello",
    "there is no body": HEAD + "Content-Length: 0\r\nExpect: 100-continue\r\n\r\n",
    "the client speaks HTTP/1.0": HEAD.replace("1.1", "1.0") + "Content-Length: 1\r\nExpect: 100-continue\r\n\r\nx",
    "HTTP/1.0 expects what nobody knows": HEAD.replace("1.1", "1.0") + "Expect: more\r\n\r\n",
}.items())
def test_no_100_is_sent_if(shared_server, sentence, request_):
    with shared_server.connect() as client:
        client.send(request_)
        assert client.reply().status == 200, sentence
