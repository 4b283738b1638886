"""What replies look like, in which order they leave and when: pipelining (BILL-15), held and deferred replies,
keep-alive and closing."""

import email.utils
import re
import time

import pytest

from wire import chunked, get, post


def test_a_reply_has_date_type_and_length(shared_server):
    with shared_server.connect() as client:
        client.send(get("/a"))
        reply = client.reply()
    assert reply.headers["content-type"] == "text/plain"
    assert int(reply.headers["content-length"]) == len(reply.body)
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", reply.headers["date"])
    assert abs(email.utils.parsedate_to_datetime(reply.headers["date"]).timestamp() - time.time()) < 5
    assert "connection" not in reply.headers


def test_the_date_moves_on(shared_server):
    with shared_server.connect() as client:
        dates = set()
        for _ in range(30):
            client.send(get())
            dates.add(client.reply().headers["date"])
            time.sleep(0.1)
    assert 3 <= len(dates) <= 4


def test_a_head_request_is_answered_without_the_body_but_with_its_length(shared_server):
    with shared_server.connect() as client:
        client.send("HEAD /big/123 HTTP/1.1\r\nHost: test\r\n\r\n" + get("/behind"))
        assert client.reply(is_head=True).headers["content-length"] == "123"
        assert "path=/behind\n" in client.reply().text


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_a_body_has_no_length_either(shared_server, status):
    with shared_server.connect() as client:
        client.send(get(f"/status/{status}") + get("/behind"))
        reply = client.reply()
        assert reply.status == status
        assert not {"content-length", "content-type"} & set(reply.headers)
        assert "path=/behind\n" in client.reply().text


def test_a_reply_without_a_body_says_so(shared_server):
    with shared_server.connect() as client:
        client.send(get("/status/202"))
        assert client.reply().headers["content-length"] == "0"


# Keep-alive.

@pytest.mark.parametrize("version, headers, says, stays", [
    ("1.1", "", None, True),
    ("1.1", "Connection: keep-alive\r\n", None, True),
    ("1.1", "Connection: close\r\n", "close", False),
    ("1.1", "Connection: foo, CLOSE \t, bar\r\n", "close", False),
    ("1.1", "Connection: foo\r\nConnection: close\r\n", "close", False),
    ("1.1", "Connection: close\t\r\n", "close", False),
    ("1.1", "Connection: closed\r\n", None, True),
    ("1.1", "Connection: keep-alive, close\r\n", "close", False),
    ("1.1", "Connection: ,,\r\n", None, True),
    ("1.0", "", "close", False),
    ("1.0", "Connection: keep-alive\r\n", "keep-alive", True),
    ("1.0", "Connection: Keep-Alive\r\n", "keep-alive", True),
    ("1.0", "Connection: keep-alive, close\r\n", "close", False),
    ("1.0", "Connection: keep-aliver\r\n", "close", False),
])
def test_keep_alive(shared_server, version, headers, says, stays):
    with shared_server.connect() as client:
        client.send(get("/a", headers, version) + get("/b"))
        assert client.reply().headers.get("connection") == says
        assert (client.rest() == b"") if not stays else ("path=/b\n" in client.reply().text)


def test_http_1_0_may_come_without_a_host(shared_server):
    with shared_server.connect() as client:
        client.send("GET /a HTTP/1.0\r\n\r\n")
        assert "path=/a\n" in client.reply().text
        assert client.rest() == b""


def test_garbage_behind_connection_close_is_ignored(shared_server):
    with shared_server.connect() as client:
        client.send(get("/a", "Connection: close\r\n") + "garbage\n\0" * 1000)
        assert client.reply().status == 200
        assert client.rest() == b""


def test_a_handler_may_close(shared_server):
    with shared_server.connect() as client:
        client.send(get("/close") + get("/b"))
        assert client.reply().headers["connection"] == "close"
        assert client.rest() == b""


def test_a_client_that_closes_its_end_still_gets_its_replies(shared_server):
    with shared_server.connect() as client:
        client.send(get("/a") + get("/b") + "GET /half")
        client.finish()
        assert "path=/a\n" in client.reply().text
        assert "path=/b\n" in client.reply().text
        assert client.rest() == b""


# Pipelining. BILL-15

def test_pipelined_requests_are_answered_in_order(shared_server):
    count = 3000
    with shared_server.connect() as client:
        client.send("".join(post(f"/{i}", f"body {i}") for i in range(count)))
        for i in range(count):
            assert client.reply().text == f"method=POST\npath=/{i}\nbody=body {i}\n"


def test_pipelined_requests_of_all_kinds_are_answered_in_order(start):
    server = start()
    requests = [get, post, lambda path: post(path, "x" * 30_000),
                lambda path: chunked(path, "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n")]
    data = "".join(requests[i % 4](f"/{i}") for i in range(200)).encode()
    with server.connect() as client:
        for at in range(0, len(data), 7919):
            client.send(data[at:at + 7919])
        for i in range(200):
            assert f"path=/{i}\n" in client.reply().text


# Holding.

def test_a_held_reply_leaves_when_it_is_released(start):
    server = start()
    with server.connect() as client:
        client.send(get("/held/5"))
        assert client.is_silent(0.1)
        server.ask("/release/4")
        assert client.is_silent(0.1)
        server.ask("/release/5")
        assert client.reply().text == "held 5"


def test_a_reply_held_by_what_was_released_already_leaves_at_once(start):
    server = start()
    server.ask("/release/5")
    assert server.ask("/held/5") == "held 5"
    server.ask("/release/3")  # an older one does not count
    assert server.ask("/held/4") == "held 4"


def test_replies_behind_a_held_one_wait_with_it(start):
    server = start()
    with server.connect() as client:
        client.send(get("/held/2") + get("/a") + get("/held/1") + get("/held/4") + get("/b"))
        server.ask("/release/1")
        assert client.is_silent(0.1)
        server.ask("/release/3")
        assert client.reply().text == "held 2"
        assert "path=/a\n" in client.reply().text
        assert client.reply().text == "held 1"
        assert client.is_silent(0.1)
        server.ask("/release/4")
        assert client.reply().text == "held 4"
        assert "path=/b\n" in client.reply().text


def test_replies_before_a_held_one_do_not_wait(start):
    server = start()
    with server.connect() as client:
        client.send(get("/a") + get("/held/1"))
        assert "path=/a\n" in client.reply().text
        assert client.is_silent(0.1)
        server.ask("/release/1")
        assert client.reply().text == "held 1"


def test_further_requests_are_handled_while_a_reply_is_held(start):
    server = start()
    with server.connect() as client:
        client.send(get("/held/1"))
        client.send(get("/release/1"))  # by the second request of the same connection
        assert client.reply().text == "held 1"
        assert client.reply().status == 200


def test_a_handler_may_release_its_own_connection_in_the_same_read(start):
    server = start()
    with server.connect() as client:
        client.send(get("/held/1") + get("/release/1") + get("/held/2") + get("/release/2"))
        assert [client.reply().text for _ in range(4)] == ["held 1", "", "held 2", ""]


def test_many_connections_are_released_at_once(start):
    server = start()
    clients = [server.connect() for _ in range(200)]
    for i, client in enumerate(clients):
        client.send(get(f"/held/{1 + i % 2}"))
    server.ask("/release/1")
    for client in clients[::2]:
        assert client.reply().text == "held 1"
    assert clients[1].is_silent(0.05)
    clients[3].close()
    server.ask("/release/2")
    for i, client in enumerate(clients[1::2]):
        assert i == 1 or client.reply().text == "held 2"
    for client in clients:
        client.close()


@pytest.mark.parametrize("is_unix", [False, True])
def test_a_held_reply_whose_client_has_gone_does_no_harm(start, tmp_path, is_unix):
    # Writing to a Unix socket whose peer has closed raises SIGPIPE, unless one asks not to.
    server = start(addresses=["127.0.0.1:0", f"unix:{tmp_path}/socket"])
    with server.connect(server.unix_address if is_unix else server.address) as client:
        client.send(get("/held/1") * 3)
    time.sleep(0.1)
    server.ask("/release/1")
    assert server.ask("/held/1") == "held 1"


def test_close_behind_a_held_reply_waits_for_it(start):
    server = start()
    with server.connect() as client:
        client.send(get("/held/1", "Connection: close\r\n"))
        assert client.is_silent(0.1)
        server.ask("/release/1")
        assert client.reply().text == "held 1"
        assert client.rest() == b""


def test_a_refusal_waits_behind_a_held_reply(start):
    server = start()
    with server.connect() as client:
        client.send(get("/held/1") + "garbage\r\n")
        assert client.is_silent(0.1)
        server.ask("/release/1")
        assert client.reply().text == "held 1"
        assert client.reply().code == "malformed_request"
        assert client.rest() == b""


# Deferring.

def test_a_deferred_reply_leaves_when_it_is_answered(start):
    server = start()
    with server.connect() as client:
        client.send(get("/later/x"))
        assert client.is_silent(0.1)
        server.ask("/answer/x/0")
        assert client.reply().text == "later x"
        client.send(get("/b"))
        assert "path=/b\n" in client.reply().text


def test_requests_behind_a_deferred_one_wait_unhandled(start):
    server = start()
    with server.connect() as client:
        client.send(get("/later/x") + get("/release/7") + get("/later/y") + get("/b"))
        client.send(get("/c"))
        assert client.is_silent(0.1)
        server.ask("/answer/x/7")  # held by 7, which the request behind it releases
        assert client.reply().text == "later x"
        assert client.reply().text == ""
        assert client.is_silent(0.1)
        server.ask("/answer/y/0")
        assert client.reply().text == "later y"
        assert "path=/b\n" in client.reply().text
        assert "path=/c\n" in client.reply().text


def test_a_deferred_reply_may_be_held_as_well(start):
    server = start()
    with server.connect() as client:
        client.send(get("/later/x"))
        server.wait_until_asked(lambda: server.metric("smsd_http_connections") == 2)
        server.ask("/answer/x/3")
        assert client.is_silent(0.1)
        server.ask("/release/3")
        assert client.reply().text == "later x"


def test_a_reply_may_be_deferred_and_answered_at_once(start):
    server = start()
    with server.connect() as client:
        client.send(get("/at-once") * 3 + get("/b"))
        for _ in range(3):
            reply = client.reply()
            assert (reply.text, reply.headers["x-at-once"]) == ("at once", "yes")
        assert "path=/b\n" in client.reply().text


def test_a_deferred_reply_whose_client_has_gone_is_dropped(start):
    server = start()
    with server.connect() as client:
        client.send(get("/later/x"))
        time.sleep(0.1)
    time.sleep(0.1)
    server.ask("/answer/x/0")
    assert server.ask("/held/0") == "held 0"


def test_a_deferred_head_request_and_close_are_remembered(start):
    server = start()
    with server.connect() as client:
        client.send("HEAD /later/x HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
        time.sleep(0.1)
        server.ask("/answer/x/0")
        reply = client.reply(is_head=True)
        assert (reply.headers["content-length"], reply.headers["connection"]) == ("7", "close")
        assert client.rest() == b""


def test_a_client_that_closes_its_end_still_gets_its_deferred_reply(start):
    server = start()
    with server.connect() as client:
        client.send(get("/later/x") + get("/b"))
        client.finish()
        time.sleep(0.1)
        server.ask("/answer/x/0")
        assert client.reply().text == "later x"
        assert "path=/b\n" in client.reply().text
        assert client.rest() == b""


# The handler's own.

def test_a_connection_keeps_the_handlers_data_and_gives_it_back(start):
    server = start()
    with server.connect() as client, server.connect() as other:
        client.send(get("/count") * 2)
        other.send(get("/count"))
        assert [client.reply().text, client.reply().text, other.reply().text] == ["1", "2", "1"]
        assert server.ask("/ended") == "0"
    server.wait_until_asked(lambda: server.ask("/ended") == "2")


def test_requests_and_errors_are_counted(start):
    server = start()
    before = server.metric("smsd_http_requests_total")
    with server.connect() as client:
        client.send(get() * 5 + get("/status/503") + "garbage\r\n")
        for _ in range(7):
            client.reply()
    assert server.metric("smsd_http_requests_total") == before + 1 + 7
    assert server.metric("smsd_http_client_errors_total") == 1
    assert server.metric("smsd_http_server_errors_total") == 1
    assert server.metric("smsd_http_request_duration_seconds_count") == before + 1 + 7 + 4 - 1
