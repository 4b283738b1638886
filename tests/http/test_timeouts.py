"""Slow, silent and hostile clients: every wait for a client ends, none of them holds up others (OPS-7). The waits
are cut short by options; a deadline is told at most a tick (0.1 s) late, more on a busy machine."""

import time

import pytest

from wire import chunked, get, post

LATE_SECONDS_MAX = 2  # what a test allows on top


class Stopwatch:
    def __enter__(self):
        self.started = time.monotonic()
        return self

    def __exit__(self, *_):
        self.seconds = time.monotonic() - self.started

    def is_about(self, seconds):
        return seconds - 0.02 <= self.seconds < seconds + LATE_SECONDS_MAX


def test_a_connection_that_sends_nothing_is_closed(start):
    server = start(idle_timeout_ms=300)
    with server.connect() as client, Stopwatch() as watch:
        assert client.rest() == b""
    assert watch.is_about(0.3)


def test_a_connection_is_closed_when_idle_since_its_last_request(start):
    server = start(idle_timeout_ms=500)
    with server.connect() as client:
        for _ in range(4):
            time.sleep(0.25)  # longer together than one may be idle
            client.send(get())
            client.reply()
        with Stopwatch() as watch:
            assert client.rest() == b""
    assert watch.is_about(0.5)


@pytest.mark.parametrize("beginning", ["G", "\r\n", get()[:-2]])
def test_headers_that_do_not_end_are_refused(start, beginning):
    server = start(header_timeout_ms=300)
    with server.connect() as client:
        client.send(beginning)
        with Stopwatch() as watch:
            reply = client.reply()
        assert (reply.status, reply.code) == (408, "request_timeout")
        assert client.rest() == b""
    assert watch.is_about(0.3)


def test_headers_that_trickle_are_refused_all_the_same(start):
    server = start(header_timeout_ms=500)
    with server.connect() as client, Stopwatch() as watch:
        client.send("GET / HTTP/1.1\r\nHost: test\r\n")
        while client.is_silent(0.05):
            client.send_quietly("X: y\r\n")
        assert client.reply().code == "request_timeout"
    assert watch.is_about(0.5)


def test_the_time_for_headers_begins_with_each_request(start):
    server = start(header_timeout_ms=400)
    with server.connect() as client:
        for _ in range(4):
            client.send(get()[:-2])
            time.sleep(0.2)
            client.send("\r\n" + get()[:10])
            assert client.reply().status == 200
            time.sleep(0.2)
            client.send(get()[10:])
            assert client.reply().status == 200


@pytest.mark.parametrize("request_", [post(body="x" * 10)[:-5], chunked(body="5\r\nhe"), chunked(body="5;a"),
                                      chunked(body="0\r\nX: y")])
def test_a_silent_body_is_refused(start, request_):
    server = start(body_timeout_ms=300)
    with server.connect() as client:
        client.send(request_)
        with Stopwatch() as watch:
            assert client.reply().code == "request_timeout"
    assert watch.is_about(0.3)


def test_a_body_may_take_long_as_long_as_it_goes_on(start):
    server = start(body_timeout_ms=400, header_timeout_ms=400, idle_timeout_ms=400)
    with server.connect() as client:
        client.send(post(body="x" * 10)[:-10])
        for _ in range(10):
            time.sleep(0.1)
            client.send("x")
        assert "body=xxxxxxxxxx\n" in client.reply().text


def test_a_held_or_deferred_reply_is_not_the_clients_delay(start):
    server = start(header_timeout_ms=100, body_timeout_ms=100, idle_timeout_ms=300)
    with server.connect() as held, server.connect() as deferred:
        held.send(get("/held/1"))
        deferred.send(get("/later/x"))
        time.sleep(1)
        server.ask("/release/1")
        server.ask("/answer/x/0")
        assert held.reply().text == "held 1"
        assert deferred.reply().text == "later x"
        with Stopwatch() as watch:
            assert held.rest() == deferred.rest() == b""
    assert watch.is_about(0.3)


def test_a_client_that_does_not_read_is_cut(start):
    server = start(write_timeout_ms=500)
    with server.connect() as client:
        client.send(get("/big/30000000"))
        with Stopwatch() as watch:
            server.wait_until_asked(lambda: server.metric("smsd_http_connections") == 1)
        with pytest.raises((AssertionError, ConnectionError)):
            client.reply()
    assert watch.is_about(0.5)


def test_a_client_that_reads_too_slowly_is_cut(start):
    server = start(write_timeout_ms=500)
    with server.connect() as client:
        client.send(get("/big/100000000"))
        received = 0

        def is_cut():
            nonlocal received  # goes on all the time, but would take many seconds
            received += len(client.socket.recv(200_000))
            return server.metric("smsd_http_connections") == 1

        with Stopwatch() as watch:
            server.wait_until_asked(is_cut)
        assert received + len(client.rest()) < 100_000_000
    assert watch.is_about(0.5)


def test_a_client_that_reads_slowly_but_in_time_gets_everything(start):
    server = start(write_timeout_ms=5000)
    with server.connect() as client:
        client.send(get("/big/10000000") + get("/b"))
        time.sleep(0.5)
        assert len(client.reply().body) == 10000000
        assert "path=/b\n" in client.reply().text


def test_a_closed_connection_lingers_only_so_long(start):
    server = start()
    with server.connect() as client:
        client.send(get(headers="Connection: close\r\n"))
        client.reply()
        client.rest()  # the server has closed its end, this end stays open
        assert server.metric("smsd_http_connections") == 2
        with Stopwatch() as watch:
            server.wait_until_asked(lambda: server.metric("smsd_http_connections") == 1)
    assert watch.is_about(2) or watch.seconds < 2


def test_slow_clients_do_not_hold_up_others(start):
    server = start(header_timeout_ms=5000)
    slow = [server.connect() for _ in range(100)]
    for client in slow:
        client.send("POST /x HTTP/1.1\r\nHost: test\r\nX: ")
    with server.connect() as client, Stopwatch() as watch:
        for _ in range(100):
            client.send(get())
            client.reply()
    assert watch.seconds < 2
    for client in slow:
        client.close()


def test_an_idle_server_does_not_wake_up(start):
    server = start(idle_timeout_ms=60000)
    with server.connect() as client:  # with and without a connection
        client.send(get())
        client.reply()
        before = server.wakeups()
        time.sleep(1.5)
        assert server.wakeups() - before <= 1
    time.sleep(0.2)
    before = server.wakeups()
    time.sleep(1.5)
    assert server.wakeups() - before == 0
