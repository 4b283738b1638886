"""Bodies on their way: what all clients' bodies may take together (OPS-8), and bodies that the handler takes as they
come."""

import time

import pytest

from wire import SECONDS_MAX, chunked, get, post

BODY = bytes(range(256)) * 4000
NO_ROOM = (503, "overloaded")


def sum_of(data):
    total = 0
    for byte in data:
        total = (total * 31 + byte) % (1 << 64)
    return total


BODY_SUM = sum_of(BODY)


def head_for(size, path="/"):
    return f"POST {path} HTTP/1.1\r\nHost: test\r\nContent-Length: {size}\r\n\r\n".encode()


def chunks_of(data, size):
    pieces = [data[at:at + size] for at in range(0, len(data), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\nX-Trailer: 1\r\n\r\n"


def in_pieces(client, data, sizes):
    at = 0
    for i in range(len(data)):
        size = sizes[i % len(sizes)]
        client.send(data[at:at + size])
        client.wait_until_acknowledged() if i % 10 == 0 else client.wait_until_read()
        at += size
        if at >= len(data):
            return


def has_answer(client):
    client.socket.settimeout(0.2)
    try:
        return client.has_more()
    except TimeoutError:
        return False
    finally:
        client.socket.settimeout(SECONDS_MAX)


def test_bodies_together_are_bounded_and_who_needs_more_is_refused(start):
    server = start(body_bytes_max=4_000_000, input_bytes_max=3_000_000)
    before = int(server.ask("/memory"))
    clients = [server.connect() for _ in range(8)]
    for client in clients:
        client.send(head_for(2_000_000))
        client.send_quietly(b"x" * 1_000_000)  # 8 MB of bodies that do not end
    server.wait_until_asked(lambda: server.metric("smsd_http_shed_total") >= 4)
    time.sleep(0.2)
    assert int(server.ask("/memory")) - before < 3_500_000
    refused = server.metric("smsd_http_shed_total")
    answered = 0
    for client in clients:
        if has_answer(client):
            reply = client.reply()
            assert (reply.status, reply.code) == NO_ROOM
            assert (reply.headers["retry-after"], reply.headers["connection"]) == ("1", "close")
            answered += 1
    assert 0 < refused == answered < len(clients)
    for client in clients:
        client.close()


def test_room_comes_back_with_those_who_leave(start):
    server = start(body_bytes_max=4_000_000, input_bytes_max=1_500_000)
    with server.connect() as first, server.connect() as second:
        first.send(head_for(3_000_000) + b"x" * 700_000)  # at most twice as much is set apart for it
        first.wait_until_acknowledged()
        for _ in range(8):  # turns of the loop, each of which reads 256 KiB: by now it was read, not only received
            server.ask("/held/0")
        second.send(head_for(1_000_000) + b"x" * 450_000)
        second.send_quietly(b"x" * 450_000)
        reply = second.reply()
        assert (reply.status, reply.code) == NO_ROOM
        assert server.ask("/held/0") == "held 0"  # what needs no room is served
    server.wait_until_asked(lambda: server.metric("smsd_http_connections") == 1)
    with server.connect() as third:
        in_pieces(third, head_for(600_000) + b"x" * 600_000, [100_000])
        assert third.reply().status == 200


def test_requests_that_wait_for_their_turn_need_room_too(start):
    """A client pipelines behind a request that is not answered: it is refused in its turn, not before."""
    server = start(input_bytes_max=20_000)
    with server.connect() as client:
        client.send(get("/later/a") + post("/", "x" * 21_000) * 3)  # which the server's kernel takes, unread
        client.wait_until_acknowledged()
        assert client.is_silent(0.1)
        server.ask("/answer/a/0")
        assert client.reply().text == "later a"
        reply = client.reply()
        assert (reply.status, reply.code) == NO_ROOM
        assert client.rest() == b""


@pytest.mark.parametrize("sizes", [[50_000], [1, 7, 100_000], [300_000, 3, 2, 1]], ids=str)
@pytest.mark.parametrize("framed", [lambda: head_for(len(BODY), "/taken") + BODY,
                                    lambda: chunked("/taken").encode() + chunks_of(BODY, 70_001),
                                    lambda: chunked("/taken").encode() + chunks_of(BODY, 999)],
                         ids=["length", "chunks", "small chunks"])
def test_a_body_that_is_taken_as_it_comes_is_the_same_however_it_comes(start, framed, sizes):
    server = start(body_bytes_max=len(BODY))
    with server.connect() as client:
        for _ in range(2):  # and what follows on the connection is not touched
            in_pieces(client, framed() + get("/held/0").encode(), sizes)
            early, rest, total = map(int, client.reply().text.split())
            assert (early + rest, total) == (len(BODY), BODY_SUM)
            assert early > 0
            assert client.reply().text == "held 0"
    assert server.ask("/abandoned") == "0"


def test_a_body_that_comes_at_once_is_not_taken_apart(start):
    server = start()
    with server.connect() as client:
        client.send(post("/taken", "abc") + chunked("/taken", "3\r\nabc\r\n0\r\n\r\n"))
        for _ in range(2):
            assert client.reply().text == f"0 3 {sum_of(b'abc')}"


def test_memory_does_not_grow_with_a_body_that_is_taken(start):
    server = start(body_bytes_max=100_000_000, input_bytes_max=1_000_000, variant="debug")
    before = int(server.ask("/memory"))
    with server.connect() as client:
        client.send(head_for(60_000_000, "/taken"))
        for i in range(59):
            client.send(b"x" * 1_000_000)
            if i % 10 == 0:
                assert int(server.ask("/memory")) - before < 1_000_000
        client.send(b"x" * 1_000_000)
        early, rest, _ = map(int, client.reply().text.split())
        assert early + rest == 60_000_000


@pytest.mark.parametrize("size, chunks", [(1001, [600, 400, 1]), (1500, [1000, 500])], ids=str)
def test_what_was_taken_counts_towards_the_bodys_limit(start, size, chunks):
    server = start(body_bytes_max=1000)
    with server.connect() as client:
        client.send(chunked("/taken"))
        for count in chunks[:-1]:
            client.send(f"{count:x}\r\n" + "x" * count + "\r\n")
            client.wait_until_acknowledged()
        client.send(f"{chunks[-1]:x}\r\n" + "x" * chunks[-1] + "\r\n0\r\n\r\n")
        reply = client.reply()
        assert (size > 1000, reply.status, reply.code) == (True, 413, "body_too_large")
    assert server.ask("/abandoned") == "1"


def test_a_handler_without_room_refuses_before_the_body_is_read(start):
    server = start()
    with server.connect() as client:
        client.send(head_for(1000, "/no-room") + b"x" * 10)
        reply = client.reply()
        assert (reply.status, reply.code, reply.headers["retry-after"]) == (*NO_ROOM, "1")
        assert client.rest() == b""


def reset(client):
    client.close()


def half_close(client):
    client.finish()
    assert client.rest() == b""


def break_a_chunk(client):
    client.send("zz\r\n")
    assert client.reply().status == 400


def fall_silent(client):
    assert client.reply().status == 408


@pytest.mark.parametrize("end", [reset, half_close, break_a_chunk, fall_silent], ids=lambda end: end.__name__)
def test_a_request_that_never_becomes_whole_is_abandoned_once(start, end):
    server = start(body_timeout_ms=300)
    with server.connect() as client:
        client.send(chunked("/taken", "3\r\nabc\r\n"))
        client.wait_until_acknowledged()
        end(client)
    server.wait_until_asked(lambda: server.ask("/abandoned") == "1")
    server.wait_until_asked(lambda: server.metric("smsd_http_connections") == 1)
    assert server.ask("/abandoned") == "1"


def test_a_request_cut_by_the_servers_end_is_abandoned(start):
    """Its data would be a leak, which the sanitizer would tell at the end."""
    server = start(grace_ms=100)
    with server.connect() as client:
        client.send(chunked("/taken", "3\r\nabc\r\n"))
        client.wait_until_acknowledged()
        server.terminate()
        assert server.wait() == (0, "")
