"""The HTTP client's connections: kept and limited, lost and timed out, calls canceled; where it may not go."""

import select
import socket
import time

import pytest

from provider import SECONDS_MAX


def exchange(client, name, peer, url, *options, method="GET"):
    """A call that is answered over this connection."""
    client.call(name, url, *options, method=method)
    request = peer.request()
    peer.answer(name)
    assert client.done(name).text == name
    return request


def kept(client, there):
    """A connection that has answered one call."""
    client.call("first", there.url)
    peer = there.accept()
    peer.request()
    peer.answer()
    assert client.done("first").status == 200
    return peer


def test_a_connection_serves_one_call_after_another(caller, provider):
    there = provider()
    client = caller()
    peer = kept(client, there)
    for name in "abc":
        exchange(client, name, peer, there.url, "body=x", method="POST")
    assert client.connections() == 1


def test_a_fresh_call_has_a_connection_of_its_own(caller, provider):
    there = provider()
    client = caller()
    peer = kept(client, there)
    client.call("a", there.url, "fresh")
    other = there.accept()
    other.request()
    other.answer("a")
    assert client.done("a").text == "a"
    exchange(client, "b", other, there.url)  # the last used first
    peer.close()


@pytest.mark.parametrize("answer", [
    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 204 No Content\r\n\r\nx",
])
def test_what_is_not_to_be_kept_is_closed(caller, provider, answer):
    there = provider()
    client = caller()
    client.call("a", there.url)
    peer = there.accept()
    peer.request()
    peer.send(answer)
    assert client.done("a").error == "ok"
    assert peer.is_closed()
    assert client.connections() == 0


def test_http_1_0_may_ask_to_keep_it(caller, provider):
    there = provider()
    client = caller()
    client.call("a", there.url)
    peer = there.accept()
    peer.request()
    peer.send("HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n")
    assert client.done("a").error == "ok"
    exchange(client, "b", peer, there.url)


def test_bytes_nobody_asked_for_end_a_kept_connection(caller, provider):
    there = provider()
    client = caller()
    peer = kept(client, there)
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
    assert peer.is_closed()
    client.call("b", there.url)
    other = there.accept()
    other.request()
    other.answer("good")
    assert client.done("b").text == "good"


def test_an_idle_connection_is_closed_after_a_while(caller, provider):
    there = provider()
    client = caller(idle_timeout_ms=100)
    peer = kept(client, there)
    assert peer.is_closed()
    assert client.connections() == 0


# A kept connection that the peer closes just when a request comes. To have it so, the peer reads the request first.

@pytest.mark.parametrize("end", ["close", "reset"])
@pytest.mark.parametrize("method, options", [("GET", []), ("PUT", ["body=x"]), ("POST", ["body=x", "idempotent"])])
def test_a_request_that_may_be_repeated_is_sent_again(caller, provider, end, method, options):
    there = provider()
    client = caller()
    peer = kept(client, there)
    client.call("a", there.url, *options, method=method)
    first = peer.request()
    getattr(peer, end)()
    other = there.accept()
    second = other.request()
    assert (first.method, first.headers, first.body) == (second.method, second.headers, second.body)
    other.answer("again")
    done = client.done("a")
    assert (done.error, done.text, done.was_sent) == ("ok", "again", True)


@pytest.mark.parametrize("end", ["close", "reset"])
def test_a_request_that_may_not_be_repeated_is_not(caller, provider, end):
    there = provider()
    client = caller()
    peer = kept(client, there)
    client.call("a", there.url, "body=x", method="POST")
    peer.request()
    getattr(peer, end)()
    done = client.done("a")
    assert (done.error, done.was_sent) == ("closed", True)
    assert there.nobody_connects()


def test_it_is_sent_again_once(caller, provider):
    there = provider()
    client = caller()
    peer = kept(client, there)
    client.call("a", there.url)
    peer.request()
    peer.close()
    other = there.accept()
    other.request()
    other.close()
    done = client.done("a")
    assert (done.error, done.was_sent) == ("closed", True)
    assert there.nobody_connects()


def test_not_after_the_first_byte_of_an_answer(caller, provider):
    there = provider()
    client = caller()
    peer = kept(client, there)
    client.call("a", there.url)
    peer.request()
    peer.send("H").close()
    done = client.done("a")
    assert (done.error, done.was_sent) == ("closed", True)
    assert there.nobody_connects()


def test_not_on_a_new_connection(caller, provider):
    there = provider()
    client = caller()
    client.call("a", there.url)
    peer = there.accept()
    peer.request()
    peer.close()
    done = client.done("a")
    assert (done.error, done.was_sent) == ("closed", True)
    assert there.nobody_connects()


def test_sent_stays_sent_when_sending_again_finds_nobody(caller, provider):
    there = provider()
    client = caller()
    peer = kept(client, there)
    client.call("a", there.url)
    peer.request()
    there.close()
    peer.close()
    done = client.done("a")
    assert (done.error, done.was_sent) == ("connect", True)


def test_a_kept_connection_that_has_been_closed_is_not_used(caller, provider):
    there = provider()
    client = caller()
    peer = kept(client, there)
    peer.close()
    while client.connections() != 0:
        pass
    client.call("a", there.url, "body=x", method="POST")
    other = there.accept()
    assert other.request().body == b"x"
    other.answer("ok")
    done = client.done("a")
    assert (done.error, done.text) == ("ok", "ok")


# Limits.

def answer_one(peers):
    """Whoever is free gets the next call: two answers at once are read in either order."""
    ready = [peer for peer in peers if peer.pending] or [
        peer for peer in peers if peer.socket in select.select([peer.socket for peer in peers], [], [], SECONDS_MAX)[0]]
    assert ready, "no request comes"
    ready[0].answer(ready[0].request().target)


def test_no_more_connections_to_a_host_than_allowed(caller, provider):
    there = provider()
    client = caller(connections_per_host_max=2)
    for name in "abcd":
        client.call(name, there.url + "/" + name)
    peers = [there.accept(), there.accept()]
    assert there.nobody_connects()
    assert client.connections() == 2
    for _ in range(4):
        answer_one(peers)
    assert [client.done(name).text for name in "abcd"] == ["/a", "/b", "/c", "/d"]


def test_hosts_share_what_there_is(caller, provider):
    one, other = provider(), provider()
    client = caller(connections_max=2)
    peer = kept(client, one)
    client.call("a", one.url)
    client.call("b", other.url)
    client.call("c", other.url)
    peer.request()
    second = other.accept()
    second.request()
    assert other.nobody_connects()
    peer.answer("a")  # the connection is idle then and makes room
    third = other.accept()
    third.request()
    third.answer("c")
    second.answer("b")
    assert [client.done(name).text for name in "abc"] == ["a", "b", "c"]
    assert peer.is_closed()
    assert client.connections() == 2


def test_who_waits_is_bounded(caller, provider):
    there = provider()
    client = caller(connections_per_host_max=1, waiting_max=2)
    for name in "abcd":
        client.call(name, there.url)
    done = client.done("d")
    assert (done.error, done.was_sent) == ("overloaded", False)
    peer = there.accept()
    for name in "abc":
        peer.request()
        peer.answer(name)
        assert client.done(name).text == name


def test_a_lost_connection_gives_its_place_to_who_waits(caller, provider):
    there = provider()
    client = caller(connections_per_host_max=1)
    client.call("a", there.url)
    client.call("b", there.url)
    peer = there.accept()
    peer.request()
    peer.close()
    assert client.done("a").error == "closed"
    other = there.accept()
    other.request()
    other.answer("b")
    assert client.done("b").text == "b"


def test_many_calls_at_once(caller, provider):
    """Each has its own answer, over few connections."""
    there = provider()
    client = caller(connections_per_host_max=8)
    count = 1000
    for number in range(count):
        client.call(f"n{number}", f"{there.url}/{number}")
    peers = [there.accept() for _ in range(8)]
    for _ in range(count):
        answer_one(peers)
    assert [client.done(f"n{number}").text for number in range(count)] == [f"/{number}" for number in range(count)]
    assert client.connections() == 8


# Time.

def test_an_answer_has_its_time(caller, provider):
    there = provider()
    client = caller()
    client.call("a", there.url, "timeout_ms=200")
    peer = there.accept()
    peer.request()
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab")
    done = client.done("a")
    assert (done.error, done.was_sent) == ("timeout", True)
    assert peer.is_closed()


def test_trickling_wins_no_time(caller, provider):
    there = provider()
    client = caller(timeout_ms=300)
    client.call("a", there.url)
    peer = there.accept()
    peer.request()
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while "a" not in client.ended:
        peer.send_quietly("x")
        time.sleep(0.01)
    assert client.done("a").error == "timeout"


def test_waiting_in_line_takes_time_too(caller, provider):
    there = provider()
    client = caller(connections_per_host_max=1)
    client.call("a", there.url)
    client.call("b", there.url, "timeout_ms=100")
    peer = there.accept()
    peer.request()
    done = client.done("b")
    assert (done.error, done.was_sent) == ("timeout", False)
    peer.answer("a")
    assert client.done("a").text == "a"


def test_connecting_has_its_time(caller, provider):
    there = provider(backlog=0)
    fillers = []
    try:
        for _ in range(4):  # nobody accepts, so that further ones are not answered
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", there.port))
            fillers.append(filler)
        client = caller(connect_timeout_ms=200)
        client.call("a", there.url)
        done = client.done("a")
        assert (done.error, done.was_sent) == ("timeout", False)
    finally:
        for filler in fillers:
            filler.close()


# Nobody there.

def test_nobody_listens(caller, provider):
    there = provider()
    there.close()
    client = caller()
    client.call("a", there.url)
    done = client.done("a")
    assert (done.error, done.was_sent) == ("connect", False)
    assert "refused" in done.detail


def test_a_name_without_an_address(caller):
    client = caller()
    client.call("a", "http://nobody.invalid/")
    done = client.done("a")
    assert (done.error, done.was_sent) == ("resolve", False)


def test_ipv6(caller, provider):
    there = provider("::1")
    client = caller()
    client.call("a", there.url)
    peer = there.accept()
    assert peer.request().header("Host") == f"[::1]:{there.port}"
    peer.answer("six")
    assert client.done("a").text == "six"


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_name_s_addresses_are_tried_in_order(caller, provider, host):
    """localhost has one or two; somebody listens on one of them."""
    if host not in {address[0] for *_, address in socket.getaddrinfo("localhost", 80)}:
        pytest.skip("localhost has no such address here")
    there = provider(host, name="localhost")
    client = caller()
    client.call("a", there.url)
    peer = there.accept()
    peer.request()
    peer.answer("here")
    assert client.done("a").text == "here"


# Where it may not go.

@pytest.mark.parametrize("host", [
    "127.0.0.1", "127.1", "0x7f.0.0.1", "2130706433", "localhost", "LOCALHOST", "[::1]", "[::ffff:127.0.0.1]",
    "0.0.0.0", "0", "10.0.0.1", "169.254.169.254", "192.168.1.1", "[fe80::1]", "[fd00::1]", "[64:ff9b::7f00:1]",
])
def test_addresses_that_are_not_public_are_not_connected_to(caller, provider, host):
    there = provider()
    client = caller()
    client.call("a", f"http://{host}:{there.port}/", "public")
    done = client.done("a")
    assert (done.error, done.was_sent) == ("forbidden_address", False)
    assert there.nobody_connects(0.02)


def test_a_connection_made_with_leave_serves_nobody_without(caller, provider):
    there = provider()
    client = caller()
    peer = kept(client, there)
    client.call("a", there.url, "public")
    assert client.done("a").error == "forbidden_address"
    exchange(client, "b", peer, there.url)


# Canceling: nothing is told, and who waits goes on.

@pytest.mark.parametrize("stage", ["connecting", "waiting", "sent", "answering"])
def test_a_call_may_be_canceled_at_every_stage(caller, provider, stage):
    there = provider()
    client = caller(connections_per_host_max=1)
    call = ("call", "a", "GET", there.url)
    if stage == "connecting":
        client.tell_at_once(call, ("cancel", "a"))
    elif stage == "waiting":
        peer = kept(client, there)
        client.call("first in line", there.url)
        client.tell_at_once(call, ("cancel", "a"))
        peer.request()
        peer.answer()
        assert client.done("first in line").error == "ok"
        peer.close()
    else:
        client.tell(*call)
        peer = there.accept()
        peer.request()
        if stage == "answering":
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")
            client.connections()
        client.cancel("a")
        assert peer.is_closed()
    client.call("next", there.url)
    while "next" not in client.ended:
        peer = there.accept()
        try:
            peer.request()
        except AssertionError:
            continue  # it was connected when it was canceled
        peer.answer("next")
        client.done("next")
    assert client.done("next").text == "next"
    assert "a" not in client.ended


def test_an_invalid_call_may_be_canceled(caller):
    client = caller()
    client.call("a", "no url", "on_done=cancel b")
    client.call("b", "no url")
    assert client.done("a").error == "invalid"
    assert client.connections() == 0
    assert "b" not in client.ended


def test_a_call_being_resolved_may_be_canceled(caller):
    client = caller()
    client.call("a", "http://localhost:1/")
    client.cancel("a")
    assert client.connections() == 0


@pytest.mark.parametrize("is_answered", [True, False])
def test_on_done_may_send_and_cancel(caller, provider, is_answered):
    there = provider()
    client = caller(connections_per_host_max=2)
    client.call("a", there.url, f"on_done=cancel c;call b GET {there.url}")
    peer = there.accept()
    peer.request()
    client.call("c", there.url)
    other = there.accept()
    other.request()
    client.call("d", there.url)
    if is_answered:
        peer.answer("a")
    else:
        peer.close()
        peer = there.accept()
    assert client.done("a").error == ("ok" if is_answered else "closed")
    assert other.is_closed()
    last = there.accept()
    for one, name in ((peer, "d"), (last, "b")):  # d was in line before b
        one.request()
        one.answer(name)
        assert client.done(name).text == name
    assert "c" not in client.ended


def test_freeing_it_inside_of_on_done(caller, provider):
    there = provider()
    client = caller()
    peer = kept(client, there)
    client.call("a", there.url, "on_done=free")
    client.call("b", there.url)
    other = there.accept()
    other.request()
    peer.request()
    peer.answer()
    assert client.done("a").status == 200
    assert other.is_closed()
    assert peer.is_closed()
    assert "b" not in client.ended


def test_freeing_it_with_calls_at_every_stage(caller, provider):
    there = provider()
    client = caller(connections_per_host_max=2)
    peer = kept(client, there)
    client.call("sent", there.url)
    client.call("connecting", there.url)
    client.call("waiting", there.url)
    client.call("invalid", "no url")
    client.call("resolving", "http://localhost:1/")
    client.tell("free")
    peer.request()
    assert peer.is_closed()
    assert client.finish() == (0, "")
    assert set(client.ended) == {"first"}
