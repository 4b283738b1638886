"""What is bounded: connections, descriptors, memory for one client and for ten thousand that are idle (OPS-8)."""

import resource
import socket
import time

import pytest

from wire import get, post

BUSY = (503, "overloaded")


def descriptors(count):
    """Limits the process to so many open files."""
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))


def test_connections_beyond_the_limit_are_told_to_come_back(start):
    server = start(connections_max=3)
    clients = [server.connect() for _ in range(3)]
    for client in clients:
        client.send(get())
        assert client.reply().status == 200
    with server.connect() as client:
        client.send(get())
        reply = client.reply()
        assert (reply.status, reply.code) == BUSY
        assert (reply.headers["retry-after"], reply.headers["connection"]) == ("1", "close")
        assert client.rest() == b""
    clients.pop().close()
    server.wait_until_asked(lambda: server.is_served())
    assert server.metric("smsd_http_shed_total") >= 1
    for client in clients:
        client.send(get())
        assert client.reply().status == 200
        client.close()


def test_who_is_turned_away_may_finish_its_request_before_it_reads(start):
    server = start(connections_max=1)
    with server.connect() as first, server.connect() as client:
        first.send(get())
        assert first.reply().status == 200
        for _ in range(5):  # would fail on a connection that was just closed
            client.send(post("/a", "x" * 1000))
            time.sleep(0.02)
        assert client.reply().status == 503


def test_those_turned_away_do_not_take_the_places_of_others(start):
    server = start(connections_max=2)
    first = server.connect()
    first.send(get())
    assert first.reply().status == 200
    second = server.connect()
    second.send(get())
    assert second.reply().status == 200
    turned_away = [server.connect() for _ in range(300)]  # and they do not close
    for client in turned_away:
        assert client.reply().status == 503
    second.close()
    server.wait_until_asked(lambda: server.is_served())
    for client in [first, *turned_away]:
        client.close()


def test_without_descriptors_clients_are_refused_and_the_loop_does_not_spin(start):
    server = start(limits=descriptors(40))
    clients = []
    for _ in range(60):
        clients.append(server.connect())  # the backlog takes them all
    time.sleep(0.3)
    before = server.processor_seconds()
    time.sleep(1)
    assert server.processor_seconds() - before < 0.3
    answers = []
    for client in clients:
        client.send_quietly(get())
    for client in clients[:20]:  # have been accepted before descriptors ran out
        answers.append(client.reply().status)
    assert set(answers) == {200}
    client = clients[-1]
    for other in clients[:-1]:
        other.close()
    assert client.reply().status == 200  # who waited is served in the end
    client.close()
    assert server.metric("smsd_http_shed_total") > 0
    server.terminate()
    status, errors = server.wait()
    told = errors.count('"accept_failed"')
    assert (status, errors.count("\n")) == (0, told)
    assert 1 <= told <= 3  # once a shortage (those who close end one, who waited begin one), not 10 times a second


def test_a_client_that_does_not_read_is_not_read_from_either(start):
    server = start(reply_bytes_max=100_000, write_timeout_ms=3000)
    with server.connect() as client:
        client.socket.setblocking(False)
        sent = 0
        quiet_since = time.monotonic()
        while time.monotonic() - quiet_since < 0.5:
            try:
                sent += client.socket.send(get("/big/10000").encode() * 100)
                quiet_since = time.monotonic()
            except BlockingIOError:
                time.sleep(0.01)
            assert sent < 50_000_000
        # Had it gone on, it would hold 10,000 bytes for each request of some 40.
        replies = server.metric("smsd_http_requests_total")
        assert replies < 5000


def test_a_client_that_reads_in_the_end_gets_all_its_replies(start):
    server = start(reply_bytes_max=100_000)
    count = 2000
    with server.connect() as client:
        client.send("".join(get(f"/big/{10_000 + i}") for i in range(count)))
        time.sleep(0.3)
        for i in range(count):
            assert len(client.reply().body) == 10_000 + i


def test_ten_thousand_idle_connections_cost_little(start):
    count = 10_000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < count + 1000:
        pytest.skip(f"only {hard} descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count + 1000), hard))
    server = start(variant="debug")
    server.ask("/memory")
    before, resident_before = int(server.ask("/memory")), server.resident_bytes()
    clients = []
    for _ in range(count):
        clients.append(server.connect())
        if len(clients) % 2 == 0:
            clients[-1].send(post("/a", "x" * 1000))  # half of them have been used
    for client in clients[1::2]:
        assert client.reply().status == 200
    each = (int(server.ask("/memory")) - before) / count
    resident = (server.resident_bytes() - resident_before) / count
    print(f"an idle connection: {each:.0f} bytes allocated, {resident:.0f} bytes resident")
    assert each < 640
    for client in clients:
        client.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    server.wait_until_asked(lambda: server.metric("smsd_http_connections") == 1)
    assert int(server.ask("/memory")) - before < count * 32  # given back, but for the loop's own table


def test_a_connection_that_is_reset_does_no_harm(start):
    server = start()
    for _ in range(50):
        client = server.connect()
        client.send(get("/big/1000000") * 3)
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()  # resets it, in the midst of the replies
    assert server.ask("/held/0") == "held 0"
