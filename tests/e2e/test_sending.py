"""Messages go out: what the sandbox's numbers do, and who goes next (SMS-10, SMS-11, SMS-13, SMS-15, SMS-16,
SMS-22). SMSD_MESSAGES sets how many messages wait when smsd is killed."""

import os
import random
import time

import pytest

from platform_setup import (START_MONEY, body_of, get, metric, put_product, put_route, sandbox, send, send_many,
                            set_up, wait_for, wait_metric)
from provider import Provider
from smsd import Smsd

MESSAGES = int(os.environ.get("SMSD_MESSAGES", "3000"))
DE = "+4915112340"


@pytest.fixture
def sending(smsd):
    set_up(smsd)
    return smsd


def statuses(body):
    """What became of it, in order, each once."""
    seen = []
    for event in body["events"]:
        if event["status"] not in seen:
            seen.append(event["status"])
    return seen


def http(provider, **fields):
    """The simplest HTTP provider there can be."""
    return {"type": "http",
            "send": {"url": provider.url + "/send", "json": {"id": "{id}", "to": "{to}", "text": "{text}"}},
            "answer": {"id": {"json": "/id"}, "error": {"json": "/error"}}, **fields}


def query(provider):
    return {"request": {"method": "GET", "url": provider.url + "/status", "query": {"id": "{id}"}},
            "absent": {"status": 404},
            "receipts": {"id": {"json": "/id"}, "status": {"json": "/status"}, "statuses": {"done": "delivered"}}}


# --- the sandbox's numbers ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("digits, status, attempts, error", [
    ("001", "delivered", 1, None),
    ("002", "undelivered", 1, "undelivered"),
    ("003", "rejected", 1, "refused_by_provider"),
    ("007", "delivered", 1, None),
    ("008", "delivered", 1, None),
    ("009", "sent", 1, None),
    ("123", "delivered", 1, None),
])
def test_what_the_sandbox_does_with_a_number(sending, digits, status, attempts, error):
    """SMS-15: the last four digits decide."""
    sandbox(sending)
    body = wait_for(sending, send(sending, DE + digits), status)
    assert (body["attempts"], body["error"], body["product"]) == (attempts, error, "sandbox")
    money = sending.get("/v1/accounts/money").body["balance"]
    assert money == START_MONEY - (0 if status == "rejected" else 5)  # SMS-8


def test_a_message_refused_twice_is_accepted_the_third_time(sending):
    """SMS-10: backoff before another attempt at the same product."""
    sandbox(sending)
    message = send(sending, DE + "004")
    wait_for(sending, message, "queued", until=lambda body: body["attempts"] == 1)
    sending.advance(5)
    assert (get(sending, message)["status"], get(sending, message)["attempts"]) == ("queued", 2)
    sending.advance(31)
    body = wait_for(sending, message, "delivered")
    assert body["attempts"] == 3


def test_a_throttled_message_waits_and_is_no_failure(sending):
    sandbox(sending)
    message = send(sending, DE + "005")
    wait_for(sending, message, "queued", until=lambda body: body["attempts"] == 1)
    for _ in range(6):
        sending.advance(60)
    body = get(sending, message)
    assert body["status"] == "queued" and body["error"] == "throttled" and body["attempts"] > 4


@pytest.mark.parametrize("kind, on_unknown, status", [
    ("verification", "resend", "failed"), ("notice", "drop", "failed"), ("notice", "query", "failed"),
    ("notice", "resend", "queued")])
def test_no_answer_within_the_timeout_is_an_unknown_outcome(sending, kind, on_unknown, status):
    """SMS-11: a code is dropped, other messages as the product says; the sandbox cannot be asked."""
    sandbox(sending, on_unknown=on_unknown)
    message = send(sending, DE + "006", kind)
    assert wait_for(sending, message, "sending")["attempts"] == 1
    sending.advance(29)
    assert get(sending, message)["status"] == "sending"
    sending.advance(2)
    body = get(sending, message)
    assert (body["status"], body["error"]) == (status, "unknown_outcome")


def test_a_receipt_before_the_answer_and_one_that_comes_twice_count_once(sending):
    """SMS-12."""
    sandbox(sending)
    for digits in ("007", "008"):
        message = send(sending, DE + digits)
        wait_for(sending, message, "delivered")
        sending.advance(1)
        assert [event["status"] for event in get(sending, message)["events"]].count("delivered") == 1


# --- another way --------------------------------------------------------------------------------------------------

def test_what_one_provider_refuses_for_now_goes_by_the_next_route(sending):
    """SMS-10: after its attempts the message goes again, by another route where one exists."""
    with Provider(lambda request: (500, {"error": "ill"})) as ill, Provider() as well:
        put_product(sending, "ill", http(ill))
        put_product(sending, "well", http(well))
        put_route(sending, "ill", sort=1)
        put_route(sending, "well", sort=2)
        message = send(sending, DE + "111")
        for attempt, seconds in ((1, 5), (2, 30)):
            wait_for(sending, message, "queued", until=lambda body, n=attempt: body["attempts"] == n)
            sending.advance(seconds)
        body = wait_for(sending, message, "sent")
        assert (body["product"], body["attempts"]) == ("well", 4)
        assert (len(ill.requests), len(well.requests)) == (3, 1)
        assert "ill" in [event["detail"] for event in body["events"]]


def test_what_fails_everywhere_fails_and_is_refunded(sending):
    """SMS-10, SMS-8."""
    with Provider(lambda request: (500, {"error": "ill"})) as ill:
        put_product(sending, "ill", http(ill, circuit={"failures": 100}))
        put_route(sending, "ill")
        message = send(sending, DE + "111", "verification")
        for attempt, seconds in enumerate((1, 6, 300, 1, 6), start=1):
            ill.wait(attempt)
            wait_for(sending, message, "queued", until=lambda body, n=attempt: body["attempts"] == n)
            sending.advance(seconds)
        body = wait_for(sending, message, "failed")
        assert (body["error"], body["attempts"]) == ("unreachable", 6)
        assert sending.get("/v1/accounts/money").body["balance"] == START_MONEY


def test_undelivered_fails_over_where_the_route_says_so(sending):
    """SMS-13."""
    sandbox(sending)
    put_route(sending, "sandbox", failover_on_undelivered=True)
    with Provider() as other:
        put_product(sending, "other", http(other))
        put_route(sending, "other", sort=1)
        message = send(sending, DE + "002")
        body = wait_for(sending, message, "sent", until=lambda body: body["product"] == "other")
        assert body["attempts"] == 2 and len(other.requests) == 1


# --- the circuit --------------------------------------------------------------------------------------------------

def test_a_provider_that_is_down_is_left_alone_until_it_is_back(sending):
    """SMS-15: the circuit opens, what waits is not lost, probes close it again."""
    provider = Provider()
    port = provider.port
    gateway = http(provider, circuit={"failures": 3, "open_ms": 20000}, window=1)
    provider.close()
    put_product(sending, "far", gateway, on_unknown="resend")
    put_route(sending, "far")
    messages = [send(sending, DE + f"{n:03}") for n in range(100, 110)]
    wait_metric(sending, 'smsd_product_circuit{product="far"}', 2)
    assert metric(sending, 'smsd_product_answers_total{product="far",answer="retry"}') == 3
    with Provider(port=port) as back:
        sending.advance(19)
        assert not back.requests
        for _ in range(8):
            sending.advance(20)
        for message in messages:
            wait_for(sending, message, "sent")
        assert metric(sending, 'smsd_product_circuit{product="far"}') == 0
        ids = [request.json["id"] for request in back.requests]
        assert sorted(ids) == sorted(messages)
    changes = [event["state"] for event in sending.events("circuit_changed")]
    assert changes[0] == "open" and changes[-1] == "closed"


def test_a_code_does_not_wait_for_a_provider_that_is_down(sending):
    """SMS-10, SMS-15: with the circuit open it goes by the next route, without being tried on the wire."""
    provider = Provider()
    gateway = http(provider, circuit={"failures": 1, "open_ms": 3600000})
    provider.close()
    put_product(sending, "far", gateway)
    put_route(sending, "far", sort=1)
    send(sending, DE + "100")
    wait_metric(sending, 'smsd_product_circuit{product="far"}', 2)
    with Provider() as near:
        put_product(sending, "near", http(near))
        put_route(sending, "near", sort=2)
        code, notice = send(sending, DE + "111", "verification"), send(sending, DE + "112")
        for attempt, seconds in ((1, 1), (2, 6)):
            wait_for(sending, code, "queued", until=lambda body, n=attempt: body["attempts"] == n)
            sending.advance(seconds)
        body = wait_for(sending, code, "sent")
        assert (body["product"], body["attempts"]) == ("near", 4)
        assert "circuit open" in [event["detail"] for event in body["events"]]
        assert get(sending, notice)["status"] == "queued" and get(sending, notice)["attempts"] == 0
        assert metric(sending, 'smsd_product_answers_total{product="far",answer="retry"}') == 1


# --- rate, lanes, batches, window ---------------------------------------------------------------------------------

def test_no_more_are_sent_than_the_rate_allows(sending):
    """SMS-15: 20 a second in bursts of two."""
    with Provider() as provider:
        put_product(sending, "slow", http(provider), rate_per_second=20)
        put_route(sending, "slow")
        send_many(sending, [body_of(DE + f"{n:03}") for n in range(100, 130)])
        requests = provider.wait(30)
        assert requests[-1].at - requests[0].at >= (30 - 2 - 1) / 20 * 0.9


def test_a_code_does_not_wait_behind_a_campaign(sending):
    """SMS-16: what was queued long before it is marketing, and waits for it."""
    with Provider() as provider:
        put_product(sending, "slow", http(provider), rate_per_second=40)
        put_route(sending, "slow")
        send_many(sending, [body_of(DE + f"{n:03}", "marketing", "Buy!") for n in range(100, 500)])
        provider.wait(10)
        code = send(sending, DE + "999", "verification", "Your code")
        sent_by_then = len(provider.requests)
        wait_for(sending, code, "sent")
        place = [request.json["id"] for request in provider.requests].index(code)
        assert place <= sent_by_then + 8, f"{place - sent_by_then} others were sent before it"
        assert place < 300


def test_a_campaign_and_notices_share_what_codes_leave(sending):
    """SMS-16: three notices to one of marketing, while both wait."""
    with Provider() as provider:
        put_product(sending, "slow", http(provider), rate_per_second=200)
        put_route(sending, "slow")
        send_many(sending, [body_of(DE + f"{n:03}", kind, kind)
                            for n in range(100, 200) for kind in ("marketing", "notice")])
        kinds = [request.json["text"] for request in provider.wait(100)[20:100]]
        assert 8 <= kinds.count("marketing") <= 40, kinds


def test_messages_are_gathered_for_a_provider_that_takes_batches(sending):
    """SMS-15: up to n, or after t; each answer finds its message."""
    def answer(request):
        items = request.json["messages"]
        return 200, {"results": [{"ref": item["ref"], "ok": not item["to"].endswith("3"), "id": "b" + item["ref"]}
                                 for item in reversed(items)]}
    with Provider(answer) as provider:
        gateway = {"type": "http",
                   "send": {"url": provider.url + "/batch",
                            "json": {"n": 1, "messages": {"$each": {"to": "{to}", "ref": "{id}",
                                                                      "parts": "{parts|number}"}}}},
                   "answer": {"items": "/results", "reference": {"json": "/ref"}, "id": {"json": "/id"},
                              "rules": [{"when": {"json": "/ok", "is": "false"}, "result": "refused"},
                                        {"when": {"status": 200}, "result": "accepted"}]}}
        put_product(sending, "bulk", gateway, batch={"max": 5, "wait_ms": 30000})
        put_route(sending, "bulk")
        messages = send_many(sending, [body_of(DE + f"{n}") for n in range(110, 122)])
        requests = provider.wait(2)
        assert [len(request.json["messages"]) for request in requests] == [5, 5]
        assert requests[0].json["messages"][0]["parts"] == 1
        sending.advance(31)
        assert len(provider.wait(3)[2].json["messages"]) == 2
        for n, message in enumerate(messages):
            wait_for(sending, message, "rejected" if (110 + n) % 10 == 3 else "sent")


def accept_all(request):
    """What a provider of batches answers who takes every message, under our id."""
    return 200, {"results": [{"ref": item["ref"], "id": item["ref"]} for item in request.json["messages"]]}


def put_bulk(smsd, provider, **fields):
    """A product that gathers messages, with its route."""
    gateway = {"type": "http",
               "send": {"url": provider.url, "json": {"messages": {"$each": {"to": "{to}", "ref": "{id}"}}}},
               "answer": {"items": "/results", "reference": {"json": "/ref"}, "id": {"json": "/id"}}}
    put_product(smsd, "bulk", gateway, **fields)
    put_route(smsd, "bulk")


def test_a_code_does_not_wait_for_a_batch_to_be_full(sending):
    """SMS-4, SMS-16."""
    with Provider(accept_all) as provider:
        put_bulk(sending, provider, batch={"max": 50, "wait_ms": 60000})
        waiting = send(sending, DE + "130")
        wait_for(sending, send(sending, DE + "131", "verification"), "sent")
        assert get(sending, waiting)["status"] == "queued" and len(provider.requests) == 1
        sending.advance(60)
        wait_for(sending, waiting, "sent")


def test_what_is_gathered_for_a_batch_may_be_canceled_and_is_not_lost_by_a_kill(sending):
    """SMS-15, SMS-22: it waits in the outbox, and is with no gateway yet."""
    with Provider(accept_all) as provider:
        put_bulk(sending, provider, batch={"max": 50, "wait_ms": 30000}, on_unknown="drop")
        messages = send_many(sending, [body_of(DE + f"{n}") for n in range(140, 180)])
        assert all(sending.post(f"/v1/messages/{message}/cancel", {}).status == 200 for message in messages[:5])
        sending.kill9()
        sending.start()
        more = send_many(sending, [body_of(DE + f"{n}") for n in range(200, 240)])
        for message in [*messages[5:], *more[:15]]:
            wait_for(sending, message, "sent")
        assert [len(request.json["messages"]) for request in provider.requests] == [50]
        sending.advance(31)
        for message in more[15:]:
            wait_for(sending, message, "sent")
        assert [len(request.json["messages"]) for request in provider.requests] == [50, 25]


def test_what_waits_for_a_product_that_is_disabled_goes_when_it_is_enabled(sending):
    with Provider() as provider:
        put_product(sending, "idle", http(provider))
        put_route(sending, "idle")
        at = sending.advance(0).body["now"]
        message = sending.post("/v1/messages", body_of(DE + "111", send_at=at[:-5] + "Z"))
        assert message.status in (202, 422), message
        provider.wait(message.status == 202)
        sending.patch("/v1/products/idle", {"status": "disabled"})
        assert sending.post("/v1/messages", body_of(DE + "112")).code == "no_route"
        sending.patch("/v1/products/idle", {"status": "enabled"})
        wait_for(sending, send(sending, DE + "113"), "sent")


def test_of_changes_to_a_product_within_a_millisecond_the_last_counts(sending):
    with Provider() as provider:
        put_product(sending, "idle", http(provider))
        put_route(sending, "idle")
        messages = []
        for number in range(50):
            sending.patch("/v1/products/idle", {"status": "disabled"})
            sending.patch("/v1/products/idle", {"status": "enabled"})
            messages.append(send(sending, f"{DE}{200 + number}"))
        for message in messages:
            wait_for(sending, message, "sent")


# --- kills --------------------------------------------------------------------------------------------------------

class Memory:
    """A provider that remembers whom it was sent, answers slowly, and can be asked."""

    def __init__(self):
        self.seen = {}

    def __call__(self, request):
        if request.path == "/status":
            known = self.seen.get(request.query["id"])
            return (200, {"id": "m" + request.query["id"], "status": "pending"}) if known else (404, {})
        message = request.json["id"]
        self.seen[message] = self.seen.get(message, 0) + 1
        time.sleep(random.uniform(0, 0.02))
        return 200, {"id": "m" + message}


@pytest.mark.parametrize("has_it, requests", [(True, 1), (False, 2)])
def test_a_provider_that_hangs_up_is_asked_what_it_has(sending, has_it, requests):
    """SMS-11, SMS-12: no answer is an unknown outcome; what the provider has is sent, what it has not goes again."""
    sent = []

    def answer(request):
        if request.path == "/status":
            return (200, {"id": "m1", "status": "pending"}) if has_it else (404, {})
        sent.append(request.json["id"])
        return (0, None) if len(sent) == 1 else (200, {"id": "m1"})

    with Provider(answer) as provider:
        put_product(sending, "far", http(provider, query=query(provider)), on_unknown="query")
        put_route(sending, "far")
        message = send(sending, DE + "131")
        deadline = time.monotonic() + 30
        while get(sending, message)["status"] != "sent":
            assert time.monotonic() < deadline, get(sending, message)
            sending.advance(1)
        assert sent == [message] * requests


@pytest.mark.parametrize("on_unknown", ["query", "drop"])
def test_killed_with_messages_waiting_and_under_way(tmp_path, on_unknown):
    """SMS-22, SMS-11: after kill -9 none is lost and none is sent twice. Asked, the provider tells which it has;
    not asked, those that were under way are given up as unknown."""
    memory = Memory()
    moments = random.Random(len(on_unknown))
    smsd = Smsd(tmp_path, options=["--checkpoint-interval-ms", "200"]).start()
    with Provider(memory) as provider:
        set_up(smsd)
        put_product(smsd, "far", http(provider, window=32, query=query(provider)), on_unknown=on_unknown)
        put_route(smsd, "far")
        messages = send_many(smsd, [body_of(f"+49151{n:08}") for n in range(MESSAGES)])
        for _ in range(4):
            time.sleep(moments.uniform(0.1, 0.5))
            smsd.kill9()
            smsd.start()
        deadline = time.monotonic() + 60 + MESSAGES / 200
        for message in messages:
            while get(smsd, message)["status"] not in ("sent", "failed"):
                assert time.monotonic() < deadline, get(smsd, message)
                smsd.advance(1)
                time.sleep(0.05)
        ended = {message: get(smsd, message) for message in messages}
    twice = [message for message, times in memory.seen.items() if times > 1]
    assert not twice, f"{len(twice)} were sent twice"
    for message, body in ended.items():
        if on_unknown == "query":
            assert body["status"] == "sent" and memory.seen.get(message) == 1, body
        elif body["status"] == "sent":
            assert memory.seen.get(message) == 1, body
        else:
            assert body["error"] == "unknown_outcome", body
    if on_unknown == "drop":
        assert any(body["status"] == "failed" for body in ended.values()), "nothing was under way at any kill"
    smsd.close()


def test_what_was_given_to_the_sandbox_is_counted_once_across_kills(tmp_path):
    """SMS-22: the sandbox's log, which the kill does not touch, names no attempt twice."""
    log = tmp_path / "sandbox.log"
    smsd = Smsd(tmp_path, options=["--sandbox-log", str(log)]).start()
    set_up(smsd)
    sandbox(smsd, rate_per_second=2000)
    messages = send_many(smsd, [body_of(f"+49151{n:05}123") for n in range(MESSAGES)])
    for _ in range(3):
        time.sleep(0.2)
        smsd.kill9()
        smsd.start()
    for message in messages:
        wait_for(smsd, message, "sent", "delivered", "failed")
    lines = log.read_text().splitlines()
    assert len(lines) == len({tuple(line.split()[:2]) for line in lines}), "an attempt was made twice"
    given = {line.split()[0] for line in lines}
    for message in messages:
        body = get(smsd, message)
        assert body["status"] in ("delivered", "sent") or body["error"] == "unknown_outcome", body
        assert message in given or body["error"] == "unknown_outcome", body
    smsd.close()


def test_on_stop_answers_are_waited_for(tmp_path):
    """SMS-15: SIGTERM takes no more, and what is under way gets its answer."""
    def answer(request):
        time.sleep(0.3)
        return 200, {"id": "x" + request.json["id"]}
    smsd = Smsd(tmp_path).start()
    with Provider(answer) as provider:
        set_up(smsd)
        put_product(smsd, "far", http(provider, window=4))
        put_route(smsd, "far")
        messages = send_many(smsd, [body_of(DE + f"{n}") for n in range(100, 120)])
        provider.wait(4)
        smsd.restart()
        requests = len(provider.requests)
        assert requests >= 4
        for message in messages:
            wait_for(smsd, message, "sent")
        ids = [request.json["id"] for request in provider.requests]
        assert sorted(ids) == sorted(messages)
    smsd.close()
