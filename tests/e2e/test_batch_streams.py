"""Batches that arrive slowly, in pieces, or not at all (BILL-10, OPS-8): what they do depends neither on how their
bytes were cut nor on how many there are."""

import json
import pathlib
import socket
import time

import pytest

import smsd as harness
from platform_setup import metric

PATH = "/v1/charges/batch"
ITEMS_MAX = 10_000
SMALL_LIMITS = ["--batches-max", "2"]


def items(account, count, start=0):
    return [{"account": account, "amount": 1 + i % 3, "reference": f"é {i}"} for i in range(start, start + count)]


def as_array(values):
    return json.dumps(values).encode()


def as_lines(values):
    return "\n".join(map(json.dumps, values)).encode()  # the last line without an end


def head(server, *headers, path=PATH, type="application/json", key=None):
    lines = [f"POST {path} HTTP/1.1", "Host: smsd", f"Authorization: Bearer {server.admin_key}",
             f"Content-Type: {type}", *headers]
    if key:
        lines.append(f"Idempotency-Key: {key}")
    return "\r\n".join([*lines, "", ""]).encode()


def with_length(server, body, **how):
    return head(server, f"Content-Length: {len(body)}", **how) + body


def in_chunks(server, body, size=1777, **how):
    pieces = [body[at:at + size] for at in range(0, len(body), size)]
    return (head(server, "Transfer-Encoding: chunked", **how)
            + b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n")


class Sender:
    def __init__(self, server):
        self.stream = socket.create_connection((server.host, server.port), timeout=harness.ANSWER_SECONDS_MAX)
        self.stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()

    def send(self, sent, sizes=(1 << 30,), pause=0.0):
        at = i = 0
        while at < len(sent):
            size = sizes[i % len(sizes)]
            self.stream.sendall(sent[at:at + size])
            at += size
            i += 1
            time.sleep(pause)

    def answer(self):
        return harness.PipelineReader(self.stream).answer()


def ask(server, sent, sizes=(1 << 30,), pause=0.0):
    with Sender(server) as sender:
        sender.send(sent, sizes, pause)
        return sender.answer()


def top_up(server, account, amount=1_000_000):
    assert server.post(f"/v1/accounts/{account}/topups", {"amount": amount}).status == 201


def balance(server, account):
    return server.get(f"/v1/accounts/{account}/balance").body["balance"]


def traces(server, account):
    audit = server.get("/v1/audit").body
    audit.pop("checked_at")
    return audit, server.get(f"/v1/accounts/{account}/entries").body


def without_ids(answer):
    """What must be the same of two batches that differ in their account's name only."""
    body = answer.body
    for result in body["results"]:
        for name in ("id", "entry", "account", "created_at"):
            result["body"].pop(name, None)
    return answer.status, body


def resident_bytes(server):
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


@pytest.mark.parametrize("framed", [with_length, in_chunks])
@pytest.mark.parametrize("written, type", [(as_array, "application/json"), (as_lines, "application/x-ndjson")],
                         ids=["array", "lines"])
def test_a_batch_in_odd_pieces_is_answered_as_one_that_comes_at_once(shared, account, other, framed, written, type):
    """BILL-10: 10,000 items, some of them refused."""
    answers = []
    for name, sizes, pause in ((account, (1 << 30,), 0), (other, (3001, 1, 17, 9973, 2), 0.0005)):
        top_up(shared, name, 15_000)  # runs out on the way
        batch = items(name, ITEMS_MAX)
        batch[7]["amount"] = 0
        batch[8]["surprise"] = True
        answers.append(without_ids(ask(shared, framed(shared, written(batch), type=type), sizes, pause)))
    assert answers[0] == answers[1]
    status, body = answers[0]
    assert status == 200 and len(body["results"]) == ITEMS_MAX
    assert 0 < body["failed"] < body["succeeded"]
    assert {result["body"]["code"] for result in body["results"] if result["status"] >= 400} == {
        "invalid", "unknown_field", "insufficient_funds"}
    assert balance(shared, account) == balance(shared, other)


def test_an_atomic_batch_in_pieces_does_all_or_nothing(shared, account):
    """BILL-10."""
    top_up(shared, account, 100)
    body = as_array(items(account, 100))
    refused = ask(shared, in_chunks(shared, body, path=PATH + "?atomic=true"), (997,), 0.001)
    assert (refused.status, refused.code) == (409, "batch_failed")
    assert balance(shared, account) == 100
    top_up(shared, account, 100)
    done = ask(shared, in_chunks(shared, body, path=PATH + "?atomic=true"), (997,), 0.001)
    assert (done.status, done.body["succeeded"]) == (200, 100)


def test_a_batch_cut_in_the_middle_leaves_no_trace(smsd):
    """Neither rows nor memory: a leak would be told by the sanitizer when smsd ends."""
    top_up(smsd, "a", 1000)
    before = traces(smsd, "a")
    for framed in (with_length, in_chunks):
        sent = framed(smsd, as_array(items("a", 1000)), key="cut")
        for fraction in (0.1, 0.5, 0.999):
            with Sender(smsd) as sender:
                sender.send(sent[:int(len(sent) * fraction)], (4096,), 0.001)
    time.sleep(0.2)
    assert traces(smsd, "a") == before
    done = ask(smsd, with_length(smsd, as_array(items("a", 10)), key="cut"))  # its key was not taken
    assert (done.status, done.body["succeeded"], done.replayed) == (200, 10, False)


def test_a_batch_under_way_does_not_outlive_the_server(smsd):
    smsd.options += ["--stop-grace-ms", "100"]
    smsd.restart()
    top_up(smsd, "a", 1000)
    with Sender(smsd) as sender:
        sender.send(with_length(smsd, as_array(items("a", 1000)))[:-1], (4096,), 0.001)
        smsd.process.send_signal(15)
        assert smsd.wait_end() == 0
        smsd.check_log()
    smsd.start()
    assert balance(smsd, "a") == 1000


def body_of_spaces(account, size):
    """Few items and much white space: in front of them, between them, behind them."""
    pieces = [json.dumps(item).encode() for item in items(account, 5)]
    space = b" \n\t\r" * (size // 28)
    return space + b"[" + space + (space + b"," + space).join(pieces[:2]) + b"," + b",".join(pieces[2:]) + space + b"]" \
        + space + space


def test_memory_does_not_grow_with_the_body(tmp_path, account):
    """BILL-10, OPS-8: 60 MB of body, resident memory looked at on the way."""
    server = harness.Smsd(tmp_path).start()
    top_up(server, account)
    warm = body_of_spaces(account, 2_000_000)
    assert ask(server, with_length(server, warm), (65536,)).body["succeeded"] == 5
    sent = with_length(server, body_of_spaces(account, 60_000_000))
    assert len(sent) > 59_000_000
    before, most = resident_bytes(server), 0
    with Sender(server) as sender:
        for at in range(0, len(sent), 1_000_000):
            sender.send(sent[at:at + 1_000_000])
            most = max(most, resident_bytes(server))
        answer = sender.answer()
    print(f"{harness.variant()}: resident before {before / 1e6:.1f} MB, at most {most / 1e6:.1f} MB")
    assert (answer.status, answer.body["succeeded"]) == (200, 5)
    assert most - before < 8_000_000
    server.close()


def test_the_idempotency_key_is_of_the_body_however_it_comes(shared, account):
    """BILL-9 for batches: streamed, at once and streamed otherwise are the same request."""
    top_up(shared, account)
    body = as_array(items(account, 2000))
    first = ask(shared, in_chunks(shared, body, key=f"{account}-k"), (5003, 11), 0.0005)
    assert (first.status, first.body["succeeded"], first.replayed) == (200, 2000, False)
    left = balance(shared, account)
    for framed, sizes in ((with_length, (1 << 30,)), (with_length, (3001, 1)), (in_chunks, (7919,))):
        again = ask(shared, framed(shared, body, key=f"{account}-k"), sizes, 0.0002)
        assert (again.status, again.raw, again.replayed) == (200, first.raw, True)
    changed = ask(shared, in_chunks(shared, body + b" ", key=f"{account}-k"), (5003, 11), 0.0005)
    assert (changed.status, changed.code) == (422, "idempotency_key_reused")
    assert balance(shared, account) == left


@pytest.mark.parametrize("spoil, code", [
    (lambda body: body[:-2], "malformed_json"),
    (lambda body: body + b"x", "malformed_json"),
    (lambda body: body[:-1] + b',{"x":"' + b"y" * 20000 + b'"}]', "malformed_json"),
], ids=["end", "behind", "too large"])
def test_a_batch_malformed_at_its_end_does_nothing(shared, account, spoil, code):
    top_up(shared, account, 5000)
    body = spoil(as_array(items(account, 1000)))
    answers = [ask(shared, framed(shared, body), sizes, 0.0005)
               for framed, sizes in ((with_length, (1 << 30,)), (with_length, (4001,)), (in_chunks, (4001, 3)))]
    assert {(answer.status, answer.code) for answer in answers} == {(400, code)}
    assert len({answer.raw for answer in answers}) == 1
    assert balance(shared, account) == 5000


def test_a_malformed_last_item_is_refused_alone_and_with_it_an_atomic_batch(shared, account):
    top_up(shared, account, 5000)
    body = as_array(items(account, 1000))[:-1] + b',{"account":}]'
    atomic = ask(shared, with_length(shared, body, path=PATH + "?atomic=true"), (4001, 3), 0.0005)
    assert (atomic.status, atomic.code) == (409, "batch_failed")
    assert balance(shared, account) == 5000
    single = ask(shared, in_chunks(shared, body), (4001, 3), 0.0005)
    assert (single.status, single.body["failed"], single.body["results"][-1]["body"]["code"]) == (200, 1, "malformed_json")


def test_a_batch_of_too_many_items_does_nothing(shared, account):
    top_up(shared, account, 50_000)
    answer = ask(shared, in_chunks(shared, as_array(items(account, ITEMS_MAX + 1))), (50_021,))
    assert (answer.status, answer.code) == (422, "invalid")
    assert balance(shared, account) == 50_000


def test_refusals_of_items_are_kept_in_bounded_memory(shared):
    """Items whose every problem would be as large as themselves: the later ones are told without details."""
    batch = [{"account": "a", "amount": 1, "x" * 15_000: 1} for _ in range(600)]
    answer = ask(shared, with_length(shared, as_array(batch)), (65536,), 0.0005)
    results = answer.body["results"]
    assert {(result["status"], result["body"]["code"]) for result in results} == {(422, "unknown_field")}
    assert len(results) == 600 and "errors" in results[0]["body"] and "errors" not in results[-1]["body"]
    assert len(answer.raw) < 3 << 20


def test_batches_beyond_the_limit_are_refused_before_they_are_read(tmp_path, account):
    """OPS-8."""
    server = harness.Smsd(tmp_path, options=SMALL_LIMITS).start()
    top_up(server, account)
    sent = with_length(server, as_array(items(account, 100)))
    under_way = [Sender(server) for _ in range(2)]
    for sender in under_way:
        sender.send(sent[:-1], (1000,), 0.002)
    with Sender(server) as third:
        third.send(sent[:-1000])
        answer = third.answer()
        assert (answer.status, answer.code, answer.headers["retry-after"]) == (503, "overloaded", "1")
    at_once = ask(server, sent)
    assert (at_once.status, at_once.code, at_once.headers["retry-after"]) == (503, "overloaded", "1")
    assert metric(server, "smsd_http_shed_total") == 2  # each once
    assert server.post("/v1/signals", []).code == "overloaded"
    assert metric(server, "smsd_http_shed_total") == 3
    assert server.get(f"/v1/accounts/{account}").status == 200
    for sender in under_way:
        sender.send(sent[-1:])
        assert sender.answer().body["succeeded"] == 100
        sender.stream.close()
    assert ask(server, sent).body["succeeded"] == 100
    server.close()


@pytest.mark.parametrize("change, status, code", [
    (lambda sent: sent.replace(b"Bearer ", b"Bearer x"), 401, "unauthenticated"),
    (lambda sent: sent.replace(b"application/json", b"text/plain"), 415, "unsupported_media_type"),
    (lambda sent: sent.replace(b"/batch", b"/batch?atomic=perhaps"), 422, "invalid"),
], ids=["key", "type", "query"])
def test_what_may_not_become_a_batch_is_refused_as_ever(shared, account, change, status, code):
    top_up(shared, account)
    before = balance(shared, account)
    answer = ask(shared, change(with_length(shared, as_array(items(account, 500)))), (2003,), 0.0005)
    assert (answer.status, answer.code) == (status, code)
    assert balance(shared, account) == before


def test_only_who_may_send_a_batch_may_send_a_large_one(shared):
    large = 20_000_000
    may = head(shared, f"Content-Length: {large}")
    with Sender(shared) as sender:
        sender.send(may.replace(b"Bearer ", b"Bearer x"))
        answer = sender.answer()
        assert (answer.status, answer.code) == (413, "body_too_large")
    with Sender(shared) as sender:
        sender.send(head(shared, "Content-Length: 70000000"))
        assert sender.answer().code == "body_too_large"
