"""Where it listens, and how it stops."""

import os
import socket
import stat
import time

import pytest

from wire import get, post

ERR_INVALID, ERR_ADDRESS = -8, -10


def test_several_addresses_at_once(start, tmp_path):
    path = tmp_path / "socket"
    server = start(addresses=["127.0.0.1:0", "[::1]:0", f"unix:{path}"])
    assert server.said[0].startswith("listening 127.0.0.1:")
    assert server.said[1].startswith("listening [::1]:")
    assert server.said[2] == f"listening unix:{path}"
    for line in server.said:
        with server.connect(line.partition(" ")[2]) as client:
            client.send(get("/a"))
            assert "path=/a\n" in client.reply().text


def test_a_unix_socket_is_for_owner_and_group(start, tmp_path):
    path = tmp_path / "socket"
    before = os.umask(0o077)
    try:
        start(addresses=[f"unix:{path}"])
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o660


def test_a_stale_unix_socket_is_replaced(start, tmp_path):
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    server = start(addresses=[f"unix:{path}"])
    assert server.ask("/held/0") == "held 0"


def test_a_unix_socket_in_use_is_left_alone(start, tmp_path):
    path = tmp_path / "socket"
    first = start(addresses=[f"unix:{path}"])
    second = start(addresses=["127.0.0.1:0", f"unix:{path}"])
    assert second.said[1].startswith(f"failed {ERR_ADDRESS} ")
    assert first.ask("/held/0") == "held 0"


def test_a_file_in_the_way_is_left_alone(start, tmp_path):
    path = tmp_path / "socket"
    path.write_text("kept")
    server = start(addresses=["127.0.0.1:0", f"unix:{path}"])
    assert server.said[1].startswith(f"failed {ERR_ADDRESS} ")
    assert path.read_text() == "kept"


def test_an_address_in_use_is_said(start):
    first = start()
    second = start(addresses=["127.0.0.1:0", first.address])
    assert second.said[1] == f"failed {ERR_ADDRESS} Address already in use"


def test_an_address_can_be_taken_again_at_once(start):
    first = start()
    client = first.connect()
    client.send(get())
    client.reply()
    first.terminate()
    client.rest()
    assert first.wait() == (0, "")
    second = start(addresses=[first.address])
    assert second.ask("/held/0") == "held 0"
    client.close()


@pytest.mark.parametrize("address", [
    ":8080", "8080", "localhost:8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:80x",
    "127.0.0.1:080800", "127.0.0.256:80", "::1:80", "[::1]", "[::1:80", "[127.0.0.1]:80", "[]:80", "", "unix:",
    "unix:" + "x" * 108, "1" * 100 + ":80", "*:80"])
def test_what_is_no_address_is_refused_with_a_reason(start, address):
    server = start(addresses=["127.0.0.1:0", address])
    error, _, why = server.said[1].removeprefix("failed ").partition(" ")
    assert int(error) == ERR_INVALID
    assert len(why) > 20


def test_a_folder_that_does_not_exist_is_said(start, tmp_path):
    server = start(addresses=["127.0.0.1:0", f"unix:{tmp_path}/none/socket"])
    assert server.said[1] == f"failed {ERR_ADDRESS} No such file or directory"


# Stopping.

def test_it_stops_at_once_when_nobody_is_there(start):
    server = start(grace_ms=60000)
    started = time.monotonic()
    server.terminate()
    assert server.wait() == (0, "")
    assert time.monotonic() - started < 5


def test_a_unix_socket_goes_with_the_server(start, tmp_path):
    path = tmp_path / "socket"
    server = start(addresses=[f"unix:{path}"])
    server.terminate()
    assert server.wait() == (0, "")
    assert not path.exists()


def test_idle_connections_close_when_it_stops(start):
    server = start(grace_ms=60000)
    clients = [server.connect() for _ in range(20)]
    for client in clients[::2]:
        client.send(get())
        client.reply()
    server.terminate()
    for client in clients:
        assert client.rest() == b""
        client.close()
    assert server.wait() == (0, "")


def test_no_new_connections_are_taken_while_it_stops(start):
    server = start(grace_ms=1000)
    with server.connect() as client:
        client.send(get("/later/x"))
        client.wait_until_acknowledged()
        server.terminate()
        with pytest.raises(ConnectionRefusedError):
            while True:
                server.connect().close()
                time.sleep(0.01)


def test_a_request_that_has_begun_is_answered_when_it_stops(start):
    server = start(grace_ms=60000)
    with server.connect() as client:
        client.send(post("/a", "hello")[:-3])
        client.wait_until_acknowledged()
        server.terminate()
        assert client.is_silent(0.2)
        client.send("llo")
        reply = client.reply()
        assert "body=hello\n" in reply.text
        assert reply.headers["connection"] == "close"
        assert client.rest() == b""
    assert server.wait() == (0, "")


def test_a_held_reply_leaves_before_it_stops(start):
    server = start(grace_ms=60000)
    with server.connect() as client, server.connect() as other:
        client.send(get("/held/1"))
        other.send(get("/release/1")[:-2])
        client.wait_until_acknowledged()
        other.wait_until_acknowledged()
        server.terminate()
        assert client.is_silent(0.2)
        other.send("\r\n")
        assert other.reply().headers["connection"] == "close"
        assert client.reply().text == "held 1"
        assert client.rest() == b""
    assert server.wait() == (0, "")


def test_what_is_left_after_the_grace_is_cut(start):
    server = start(grace_ms=300)
    with server.connect() as held, server.connect() as begun, server.connect() as deferred:
        held.send(get("/held/1"))
        begun.send(get()[:5])
        deferred.send(get("/later/x"))
        for client in held, begun, deferred:
            client.wait_until_acknowledged()
        started = time.monotonic()
        server.terminate()
        assert held.rest() == begun.rest() == deferred.rest() == b""
        assert 0.25 < time.monotonic() - started < 5
    assert server.wait() == (0, "")


def test_pipelined_requests_are_all_answered_when_it_stops(start):
    server = start(grace_ms=60000)
    with server.connect() as client:
        client.send("".join(post(f"/{i}", "x" * 1000) for i in range(5000)))
        server.terminate()
        answered = 0
        while client.pending or client.has_more():
            assert f"path=/{answered}\n" in client.reply().text
            answered += 1
        assert answered > 0
    assert server.wait() == (0, "")
