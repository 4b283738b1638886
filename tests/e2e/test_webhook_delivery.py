"""Webhooks on their way to a receiver (SMS-20, BILL-14): signed as Standard Webhooks has it, retried for three
days, held up by nobody, and none lost."""

import base64
import hmac
import json
import re
import socket
import threading
import time

import pytest

from contract import is_time
from platform_setup import COMPANY, sandbox, set_up
from receiver import verified
from smsd import ROOT, Smsd
from webhook import DAY, attempted, cross, endpoint, moment, new_secret, one, send_to, settled, until, webhooks

DELAYS = [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400]  # seconds: src/engine/webhook_delay.def


# What is sent.

def test_it_is_signed_so_that_the_reference_library_takes_it(start_telling, receiver):
    """SMS-20, BILL-14."""
    smsd = start_telling(receiver.url())
    secret = new_secret(smsd)
    cross(smsd)
    hook, = receiver.wait()
    told, = settled(smsd, "delivered")
    payload, = verified([hook], secret)
    assert set(payload) == {"type", "timestamp", "data"}
    assert payload["type"] == told["type"] == "account.low_balance"
    assert payload["timestamp"] == told["timestamp"] and is_time(payload["timestamp"])
    assert payload["data"] == told["data"] == {"account": "A", "balance": 0, "low_balance": 50}
    assert hook.headers["webhook-id"] == told["id"] and told["id"].startswith("whk_")
    assert hook.headers["content-type"] == "application/json"
    assert abs(int(hook.headers["webhook-timestamp"]) - time.time()) < 60
    assert told["attempts"] == 1 and told["last_status"] == 200 and told["error"] is None
    assert told["url"] == receiver.url() and told["next_attempt_at"] is None and is_time(told["finished_at"])


def test_a_product_that_runs_low_is_told_of(start_telling, receiver):
    """SMS-3: delivered as the others are."""
    smsd = start_telling(receiver.url())
    for path, thing in (("channels/wind", {"name": "Wind"}),
                        ("products/wind.cn", {"channel": "wind", "gateway": {"type": "sandbox"}, "price": 5,
                                              "low_warn": 100})):
        answer = smsd.request("PUT", f"/v1/{path}", thing)
        assert answer.status == 201, answer
    for delta in (150, -60):
        assert smsd.post("/v1/products/wind.cn/quota", {"delta": delta, "reason": "test"}).status == 201
    payload = json.loads(receiver.wait()[0].body)
    assert payload["type"] == "product.low_quota"
    assert payload["data"] == {"product": "wind.cn", "quota": 90, "low_warn": 100}


def test_a_message_tells_its_callback_what_became_of_it(start_telling, receiver):
    """SMS-20: as it was at that moment, with the client's own reference."""
    smsd = start_telling("")
    secret = new_secret(smsd)
    set_up(smsd)
    sandbox(smsd)
    ends = {"4915112340001": "delivered", "4915112340002": "undelivered"}
    for to, reference in (("4915112340001", "order 7"), ("4915112340002", None)):
        answer = smsd.post("/v1/messages", {"company": COMPANY, "to": f"+{to}", "content": "Hello", "kind": "notice",
                                            "callback_url": receiver.url(), "client_reference": reference})
        assert answer.status == 202, answer

    def ended():
        found = {payload["data"]["to"][1:]: payload for payload in verified(receiver.at(), secret)
                 if payload["data"]["status"] in ends.values()}
        return found if len(found) == len(ends) else None

    found = until(ended, "both ends")
    assert {to: payload["data"]["status"] for to, payload in found.items()} == ends
    assert found["4915112340001"]["data"]["client_reference"] == "order 7"
    assert found["4915112340002"]["data"]["client_reference"] is None
    assert all(payload["type"] == "message.status" and payload["data"]["company"] == COMPANY and
               payload["data"]["at"] == payload["timestamp"] for payload in found.values())


def test_a_changed_body_time_or_id_does_not_pass(start_telling, receiver):
    """The counter-proof of the signature."""
    smsd = start_telling(receiver.url())
    secret = new_secret(smsd)
    cross(smsd)
    hook, = receiver.wait()
    wrong = [hook._replace(body=hook.body.replace(b"50", b"51")),
             hook._replace(headers={**hook.headers, "webhook-id": hook.headers["webhook-id"][:-1] + "x"}),
             hook._replace(headers={**hook.headers,
                                    "webhook-timestamp": str(int(hook.headers["webhook-timestamp"]) + 1)})]
    assert verified([hook, *wrong], secret)[1:] == [None, None, None]
    assert verified([hook], new_secret(smsd)) == [None]


def test_the_manual_tells_how_to_verify_it(start_telling, receiver):
    """The Python of man/smsd-api.7 itself."""
    page = (ROOT / "man/smsd-api.7").read_text()
    code = re.search(r"^def is_ours\(.*?(?=^\.Ed$)", page, re.MULTILINE | re.DOTALL).group()
    manual = {"base64": base64, "hmac": hmac, "time": time}
    exec(code, manual)  # pylint: disable=exec-used
    smsd = start_telling(receiver.url())
    secret = new_secret(smsd)
    cross(smsd)
    hook, = receiver.wait()
    assert manual["is_ours"](secret, hook.headers, hook.body)
    assert not manual["is_ours"](secret, hook.headers, hook.body + b" ")
    assert not manual["is_ours"](new_secret(smsd), hook.headers, hook.body)


def test_the_old_secret_signs_too_for_a_day(start_telling, receiver):
    smsd = start_telling(receiver.url())
    old, new = new_secret(smsd), new_secret(smsd)
    cross(smsd)
    hook, = receiver.wait()
    assert len(hook.headers["webhook-signature"].split(" ")) == 2
    assert None not in verified([hook], old) + verified([hook], new)
    smsd.advance(DAY)
    cross(smsd)
    hook = receiver.wait(2)[1]
    assert len(hook.headers["webhook-signature"].split(" ")) == 1
    assert verified([hook], old) == [None] and None not in verified([hook], new)


def test_a_secret_is_shown_once_and_survives(start_telling, receiver):
    smsd = start_telling(receiver.url())
    first = smsd.post("/v1/webhooks/secret", idempotency="K").body
    again = smsd.post("/v1/webhooks/secret", idempotency="K")
    assert again.replayed and again.body == {**first, "secret": None}
    smsd.restart()
    cross(smsd)
    assert None not in verified(receiver.wait(), first["secret"])
    assert first["secret"] not in smsd.said() and smsd.get("/v1/webhooks/secret").status == 404


# Retries.

def test_it_is_retried_for_three_days_and_then_given_up(start_telling, receiver):
    """SMS-20: by the table of delays, with the same id and body, and a signature of its own each time."""
    receiver.answers["/hook"] = 500
    smsd = start_telling(receiver.url())
    secret = new_secret(smsd)
    cross(smsd)
    webhook, = webhooks(smsd)
    waited = []
    for count, delay in enumerate(DELAYS, 1):
        found = attempted(smsd, webhook, count)
        assert found["status"] == "pending" and found["error"] == "status" and found["last_status"] == 500
        assert len(receiver.at()) == count
        waited.append(moment(found["next_attempt_at"]) - moment(found["history"][-1]["at"]))
        assert delay <= waited[-1] <= delay * 1.1
        smsd.advance(int(waited[-1]) + 1)
    found = attempted(smsd, webhook, len(DELAYS) + 1)
    assert found["status"] == "failed" and found["next_attempt_at"] is None
    assert [attempt["status"] for attempt in found["history"]] == [500] * 10
    assert 3 * DAY <= sum(waited) <= 4 * DAY
    hooks = receiver.at()
    assert len(hooks) == 10 and None not in verified(hooks, secret)
    assert len({(hook.headers["webhook-id"], hook.body) for hook in hooks}) == 1
    times = [int(hook.headers["webhook-timestamp"]) for hook in hooks]
    assert times[-1] - times[0] >= 3 * DAY
    smsd.advance(5 * DAY)
    assert len(receiver.at()) == 10


def test_many_that_failed_together_do_not_come_back_together(start_telling, receiver):
    receiver.answers["/hook"] = 500
    smsd = start_telling(receiver.url())
    cross(smsd, count=20)
    until(lambda: all(webhook["attempts"] == 1 for webhook in webhooks(smsd)), "20 attempts")
    found = [one(smsd, webhook) for webhook in webhooks(smsd)]
    waits = {round(moment(each["next_attempt_at"]) - moment(each["history"][0]["at"]), 3) for each in found}
    assert len(waits) > 10


def test_it_is_delivered_when_the_receiver_is_back(start_telling, receiver):
    answers = iter([500, 404, 204])
    receiver.answers["/hook"] = lambda _hook: next(answers)
    smsd = start_telling(receiver.url())
    cross(smsd)
    webhook, = webhooks(smsd)
    attempted(smsd, webhook, 1)
    smsd.advance(6)
    attempted(smsd, webhook, 2)
    smsd.advance(331)
    found = attempted(smsd, webhook, 3)
    assert found["status"] == "delivered" and found["last_status"] == 204 and found["error"] is None
    assert [attempt["status"] for attempt in found["history"]] == [500, 404, 204]


def test_a_receiver_that_is_not_there_is_an_attempt_that_failed(start_telling):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    smsd = start_telling(f"http://127.0.0.1:{port}/hook")
    cross(smsd)
    found = attempted(smsd, webhooks(smsd)[0], 1)
    assert found["status"] == "pending" and found["error"] == "connect" and found["last_status"] is None


@pytest.mark.parametrize("status, said, least, most", [
    (503, "7200", 7200, 7920),
    (429, "7200", 7200, 7920),
    (503, "1", 5, 6),  # not sooner than the table
    (503, "9999999", DAY, 1.1 * DAY),  # not later than a day
    (503, "soon", 5, 6),
    (500, "7200", 5, 6),
])
def test_retry_after_is_honoured_within_bounds(start_telling, receiver, status, said, least, most):
    receiver.answers["/hook"] = (status, {"Retry-After": said})
    smsd = start_telling(receiver.url())
    cross(smsd)
    found = attempted(smsd, webhooks(smsd)[0], 1)
    assert least <= moment(found["next_attempt_at"]) - moment(found["history"][0]["at"]) <= most + 0.001


def test_redirects_are_not_followed(start_telling, receiver):
    receiver.answers["/hook"] = (302, {"Location": receiver.url("/other")})
    smsd = start_telling(receiver.url())
    cross(smsd)
    found = attempted(smsd, webhooks(smsd)[0], 1)
    assert found["status"] == "pending" and found["last_status"] == 302
    assert receiver.at("/other") == []


def test_an_answer_that_does_not_come_is_a_timeout(start_telling, receiver):
    ended = threading.Event()
    receiver.answers["/hook"] = lambda _hook: ended.wait() and 200
    smsd = start_telling(receiver.url(), "--webhooks-timeout-ms", "200")
    cross(smsd)
    found = attempted(smsd, webhooks(smsd)[0], 1)
    ended.set()
    assert found["status"] == "pending" and found["error"] == "timeout"
    assert found["history"][0]["took_ms"] >= 100


# Endpoints.

def test_an_endpoint_that_is_gone_is_disabled_until_an_operator_enables_it(start_telling, receiver):
    """SMS-20: 410."""
    receiver.answers["/hook"] = 410
    smsd = start_telling(receiver.url("/hook?tenant=7"))
    cross(smsd)
    found, = settled(smsd, "failed")
    assert found["error"] == "gone" and found["last_status"] == 410
    there = endpoint(smsd)
    assert there["url"] == receiver.url() and there["status"] == "disabled" and there["disabled_by"] == "gone"
    assert smsd.events("webhook_endpoint_gone")
    cross(smsd)
    later = webhooks(smsd)[0]
    assert later["status"] == "failed" and later["error"] == "endpoint_disabled" and later["attempts"] == 0
    assert smsd.post(f"/v1/webhooks/{later['id']}/replay").code == "endpoint_disabled"
    assert len(receiver.at()) == 1

    receiver.answers["/hook"] = 200
    enabled = smsd.patch(f"/v1/webhooks/endpoints/{there['id']}", {"status": "enabled"})
    assert enabled.status == 200 and enabled.body["status"] == "enabled" and enabled.body["disabled_by"] is None
    assert smsd.post(f"/v1/webhooks/{later['id']}/replay").status == 201
    assert receiver.wait(2)[1].path == "/hook?tenant=7"


def test_what_waits_for_a_disabled_endpoint_fails(start_telling, receiver):
    receiver.answers["/hook"] = 500
    smsd = start_telling(receiver.url())
    cross(smsd)
    attempted(smsd, webhooks(smsd)[0], 1)
    found = smsd.patch(f"/v1/webhooks/endpoints/{endpoint(smsd)['id']}", {"status": "disabled"})
    assert found.status == 200 and found.body["disabled_by"] == "operator" and found.body["pending"] == 1
    smsd.advance(6)
    found, = webhooks(smsd)
    assert found["status"] == "failed" and found["error"] == "endpoint_disabled"
    assert endpoint(smsd)["pending"] == 0 and len(receiver.at()) == 1


def test_what_was_ready_for_a_disabled_endpoint_fails(start_telling, receiver):
    ended = threading.Event()
    receiver.answers["/hook"] = lambda _hook: ended.wait() and 200
    smsd = start_telling(receiver.url(), "--webhooks-endpoint-in-flight-max", "1")
    cross(smsd, count=5)
    receiver.wait()
    smsd.patch(f"/v1/webhooks/endpoints/{endpoint(smsd)['id']}", {"status": "disabled"})
    ended.set()
    assert len(settled(smsd, "failed", 4)) == 4
    assert len(settled(smsd, "delivered")) == 1 and len(receiver.at()) == 1


def test_no_more_requests_at_once_than_an_endpoint_may_have(start_telling, receiver):
    ended = threading.Event()
    receiver.answers["/hook"] = lambda _hook: ended.wait(10) and 200
    smsd = start_telling(receiver.url(), "--webhooks-endpoint-in-flight-max", "3")
    cross(smsd, count=12)
    receiver.wait(3)
    assert len(webhooks(smsd, "&status=pending")) == 12
    ended.set()
    settled(smsd, "delivered", 12)
    assert receiver.most_under_way["/hook"] == 3


def test_an_endpoint_that_fails_gets_one_request_at_a_time(start_telling, receiver):
    later = []

    def answer(_hook):
        if len(receiver.at()) > 4:
            later.append(receiver.under_way["/hook"])
            time.sleep(0.02)
        return 500

    receiver.answers["/hook"] = answer
    smsd = start_telling(receiver.url(), "--webhooks-endpoint-in-flight-max", "4")
    cross(smsd, count=12)
    until(lambda: endpoint(smsd)["failures"] == 12, "12 failures")
    assert len(later) >= 8 and set(later) == {1}


def test_a_slow_endpoint_does_not_hold_up_another(start_telling, receiver):
    """SMS-20."""
    ended = threading.Event()
    receiver.answers["/slow"] = lambda _hook: ended.wait(20) and 200
    smsd = start_telling(receiver.url("/slow"))
    cross(smsd, count=40)
    receiver.wait(8, "/slow")
    send_to(smsd, receiver.url("/quick"))
    cross(smsd, "B", count=40)
    assert len(settled(smsd, "delivered", 40)) == len(receiver.at("/quick")) == 40
    assert not ended.is_set() and len(webhooks(smsd, "&status=pending")) == 40
    ended.set()
    settled(smsd, "delivered", 80)


def test_one_that_waits_in_line_until_its_days_are_over_fails(start_telling, receiver):
    ended = threading.Event()
    receiver.answers["/hook"] = lambda _hook: ended.wait(20) and 500
    smsd = start_telling(receiver.url(), "--webhooks-endpoint-in-flight-max", "1")
    cross(smsd, count=2)
    receiver.wait()
    smsd.advance(4 * DAY)
    assert [found["error"] for found in webhooks(smsd)] == ["expired", "expired"]
    assert {found["status"] for found in webhooks(smsd)} == {"failed"}
    ended.set()  # what came of it comes too late
    cross(smsd)
    receiver.wait(2)
    assert len(webhooks(smsd, "&status=failed")) == 2


def test_more_endpoints_than_are_remembered_get_theirs_all_the_same(start_telling, receiver):
    smsd = start_telling("", "--webhooks-endpoints-max", "2", "--webhooks-in-flight-max", "3")
    receiver.answers["/3"] = 500
    for number in range(9):
        send_to(smsd, receiver.url(f"/{number}"))
        cross(smsd, count=5)
    settled(smsd, "delivered", 40)
    until(lambda: all(found["attempts"] for found in webhooks(smsd)), "an attempt of each")
    assert [len(receiver.at(f"/{number}")) for number in range(9)] == [5] * 9


# Nothing is lost.

def test_what_was_not_delivered_survives_a_restart(start_telling, receiver):
    receiver.answers["/hook"] = 500
    smsd = start_telling(receiver.url())
    cross(smsd)
    first = attempted(smsd, webhooks(smsd)[0], 1)
    smsd.restart()
    assert one(smsd, first) == first
    receiver.answers["/hook"] = 200
    smsd.advance(6)
    found = attempted(smsd, first, 2)
    assert found["status"] == "delivered" and len({hook.headers["webhook-id"] for hook in receiver.at()}) == 1


def test_killed_again_and_again_every_webhook_is_delivered_at_least_once(start_telling, receiver):
    """SMS-20, OPS-7: with the id it had before."""
    smsd = start_telling(receiver.url())
    for number in range(6):
        before = len(receiver.at())
        cross(smsd, count=30)
        if number % 2:
            receiver.wait(before + 1)
        smsd.kill9()
        smsd.start()
    settled(smsd, "delivered", 180)
    assert {hook.headers["webhook-id"] for hook in receiver.at()} == {found["id"] for found in webhooks(smsd)}
    assert len(webhooks(smsd)) == 180


@pytest.mark.parametrize("end", [Smsd.kill9, Smsd.stop])
def test_what_was_under_way_at_the_end_is_sent_again_with_its_id(start_telling, receiver, end):
    """SMS-20: at least once."""
    ended = threading.Event()
    receiver.answers["/hook"] = lambda _hook: ended.wait(20) and 200
    smsd = start_telling(receiver.url())
    cross(smsd)
    receiver.wait()
    end(smsd)
    ended.set()
    smsd.start()
    first, again = receiver.wait(2)[:2]
    assert first.headers["webhook-id"] == again.headers["webhook-id"] and first.body == again.body
    settled(smsd, "delivered")
