"""Received messages (SMS-18): through the callbacks of providers and the sandbox, kept and told once however often
they are told to us; and STOP and START, which change the blocklist."""

import json
import pathlib
import threading

import pytest

from platform_setup import COMPANY, body_of, get, metric, put, put_product, put_route, sandbox, send, set_up, wait_for
from provider import Provider, call_back
from receiver import Receiver
from smsd import Smsd
from webhook import send_to, settled, until

DE = "+4915112340"
CN = "+861380000"
SECRET = "the secret of ours"
RECEIVED = {"id": {"json": "/id"}, "from": {"json": "/from"}, "to": {"json": "/to"}, "content": {"json": "/text"}}


def callback(**fields):
    return {"secret_at": {"header": "X-Secret"}, "secret": SECRET, "received": RECEIVED, **fields}


def gateway(provider, **fields):
    return {"type": "http", "send": {"url": provider.url, "form": {"to": "{to}", "id": "{id}"}},
            "answer": {"id": {"json": "/id"}}, "callback": callback(**fields)}


def told(smsd, body, product="far", **how):
    return call_back(smsd, product, body=body, headers={"X-Secret": SECRET}, **how)[0]


def in_sandbox(smsd, body, **how):
    return smsd.post("/v1/callbacks/sandbox", body, **how)


def received(smsd, query="", **how):
    answer = smsd.get("/v1/messages/received" + query, **how)
    assert answer.status == 200, answer
    return answer.body["data"]


def blocked(smsd, mobile):
    answer = smsd.get(f"/v1/blocklist/{mobile}")
    assert answer.status in (200, 404)
    return answer.body["reason"] if answer.status == 200 else None


@pytest.fixture
def box(smsd):
    """With a sandbox."""
    set_up(smsd)
    sandbox(smsd)
    return smsd


@pytest.fixture
def far(smsd):
    """A provider over HTTP that brings messages."""
    set_up(smsd)
    with Provider() as provider:
        put_product(smsd, "far", gateway(provider))
        put_route(smsd, "far")
        yield provider


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.close()


# What is kept.

def test_a_message_is_kept_with_whom_it_answers(smsd, far):
    """SMS-18: the company is that of the last message to its sender by the same product."""
    message = wait_for(smsd, send(smsd, DE + "111", "marketing"), "sent")["id"]
    assert told(smsd, {"id": "m1", "from": DE + "111", "to": "33333", "text": "When do you open?\nMy 🐈 asks"}) == 200
    one, = received(smsd)
    assert one.pop("id").startswith("rcv_") and one.pop("received_at")
    assert one == {"product": "far", "company": COMPANY, "from": DE + "111", "to": "33333", "in_reply_to": message,
                   "content": "When do you open?\nMy 🐈 asks", "action": None, "provider_id": "m1"}


def test_of_a_stranger_nobody_knows_whom_he_writes_to(smsd, far):
    assert told(smsd, {"id": "m1", "from": DE + "999", "text": ""}) == 200
    one, = received(smsd)
    assert (one["company"], one["in_reply_to"], one["to"], one["content"]) == (None, None, None, "")
    assert smsd.get(f"/v1/messages/received/{one['id']}").body == one
    for other in ("rcv_0000000000000", "msg_" + one["id"][4:], "x"):
        assert smsd.get(f"/v1/messages/received/{other}").status == 404


DAY = 86400


def archive(smsd):
    """Whatever is done with becomes history."""
    before = metric(smsd, "smsd_messages_archived_total")
    for seconds in (2 * DAY, 1200):
        smsd.advance(seconds)
    assert metric(smsd, "smsd_messages_archived_total") > before


def test_a_message_may_answer_one_that_is_archived(smsd, far):
    """SMS-18, SMS-19: its company is found in history, as it would be among rows; of a stranger, and by another
    product, nothing is."""
    first, message = (send(smsd, DE + "111", "notice") for _ in range(2))
    wait_for(smsd, message, "sent")
    smsd.advance(3 * DAY)  # until its receipt is not waited for
    archive(smsd)
    put_product(smsd, "near", gateway(far))
    assert told(smsd, {"id": "m1", "from": DE + "111", "text": "Late, but thanks"}) == 200
    assert told(smsd, {"id": "m2", "from": DE + "112", "text": "Who are you?"}) == 200
    assert told(smsd, {"id": "m3", "from": DE + "111", "text": "Hello"}, product="near") == 200
    near, stranger, late = received(smsd)
    assert (late["company"], late["in_reply_to"]) == (COMPANY, message) and message > first
    assert (near["company"], near["in_reply_to"]) == (stranger["company"], stranger["in_reply_to"]) == (None, None)


def test_how_far_back_a_message_is_looked_for(smsd, far):
    """SMS-18: what was made in the last 31 days."""
    message = wait_for(smsd, send(smsd, DE + "111", "notice"), "sent")["id"]
    smsd.advance(3 * DAY)
    archive(smsd)
    smsd.advance(25 * DAY)
    assert told(smsd, {"from": DE + "111", "text": "In time"}) == 200
    smsd.advance(3 * DAY)
    assert told(smsd, {"from": DE + "111", "text": "Too late"}) == 200
    assert [one["in_reply_to"] for one in received(smsd)] == [None, message]


def test_of_several_in_one_callback_each_answers_its_own(smsd, far):
    """SMS-18, SMS-19: from history and from rows, and a STOP before a START stays before it; the answer is the
    configured one. Told twice at once they are kept once."""
    put_product(smsd, "far", gateway(far, received={**RECEIVED, "items": "/all"},
                                     answer={"status": 200, "content_type": "text/plain", "body": "thanks"}))
    old = [wait_for(smsd, send(smsd, DE + to, "notice"), "sent")["id"] for to in ("111", "112")]
    smsd.advance(3 * DAY)
    archive(smsd)
    young = wait_for(smsd, send(smsd, DE + "113", "notice"), "sent")["id"]
    items = [{"id": f"m{place}", "from": DE + to, "text": text} for place, (to, text) in enumerate(
        [("111", "STOP"), ("113", "live"), ("112", "old"), ("114", "stranger"), ("111", "START")])]
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(
        call_back(smsd, "far", body={"all": items}, headers={"X-Secret": SECRET}))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [(200, "thanks")] * 4
    replies = {one["content"]: one["in_reply_to"] for one in received(smsd)}
    assert len(received(smsd)) == 5
    assert replies == {"STOP": old[0], "live": young, "old": old[1], "stranger": None, "START": old[0]}
    assert blocked(smsd, DE + "111") is None


def test_what_is_told_twice_is_kept_once(smsd, far):
    """SMS-18: also at the same time, and after a kill. The same id with another text is another message."""
    body = {"id": "m1", "from": DE + "111", "text": "Hello"}
    threads = [threading.Thread(target=told, args=(smsd, body)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(received(smsd)) == 1
    smsd.kill9()
    smsd.start()
    assert told(smsd, body) == 200
    assert len(received(smsd)) == 1
    assert told(smsd, {**body, "text": "Hello again"}) == 200
    assert told(smsd, {**body, "from": DE + "112"}) == 200
    assert len(received(smsd)) == 3


def test_without_an_id_nobody_can_tell(smsd, far):
    for provider_id in ({}, {"id": ""}, {"id": "x" * 65}):
        for _ in range(2):
            assert told(smsd, {"from": DE + "111", "text": "Hello", **provider_id}) == 200
    assert [one["provider_id"] for one in received(smsd)] == [None] * 6


def test_they_are_kept_for_ninety_days(smsd, far):
    body = {"id": "m1", "from": DE + "111", "text": "Hello"}
    assert told(smsd, body) == 200
    smsd.advance(60 * 86400)
    assert told(smsd, {**body, "text": "Later"}) == 200
    smsd.advance(29 * 86400)
    assert [one["content"] for one in received(smsd)] == ["Later", "Hello"]
    smsd.advance(86400)
    assert [one["content"] for one in received(smsd)] == ["Later"]
    assert told(smsd, {**body, "text": "Later"}) == 200, "and is still known by its id"
    assert [one["content"] for one in received(smsd, f"?from={DE}111".replace("+", "%2B"))] == ["Later"]
    smsd.advance(59 * 86400)
    assert len(received(smsd)) == 1
    smsd.advance(86400)
    assert received(smsd) == []


@pytest.mark.parametrize("spelt, number", [
    ("+49 151-1234 0111", DE + "111"), ("4915112340111", DE + "111"), ("004915112340111", DE + "111"),
    (" 4915112340111", DE + "111"), (4915112340111, DE + "111"), ("+49 (151) 12340111", DE + "111")])
def test_a_sender_may_be_spelt_as_providers_do(smsd, far, spelt, number):
    assert told(smsd, {"from": spelt, "text": "Hello"}) == 200
    assert [one["from"] for one in received(smsd)] == [number]


@pytest.mark.parametrize("spelt, number", [
    ("13800000111", CN + "0111"), ("013800000111", CN + "0111"), ("+4915112340111", DE + "111"),
    ("008613800000111", CN + "0111")])
def test_a_national_number_gets_its_prefix(smsd, far, spelt, number):
    put_product(smsd, "far", gateway(far, received={**RECEIVED, "prefix": "+86"}))
    assert told(smsd, {"from": spelt, "text": "Hello"}) == 200
    assert [one["from"] for one in received(smsd)] == [number]


@pytest.mark.parametrize("body", [
    {"from": "ACME", "text": "x"}, {"from": "33333", "text": "x"}, {"text": "x"}, {"from": DE + "111"}, {"from": "", "text": ""},
    {"from": DE + "111", "text": {"a": 1}}, {"from": DE + "1" * 20, "text": "x"}, {}, [], "x", {"from": "+", "text": "x"},
    {"from": "00", "text": "x"}])
def test_what_is_no_message_is_refused(smsd, far, body):
    assert told(smsd, body) == 422
    assert received(smsd) == []


def test_a_text_is_kept_as_far_as_it_can_be(smsd, far):
    assert told(smsd, {"id": "long", "from": DE + "111", "text": "退" * 3000}) == 200
    assert told(smsd, {"id": "odd", "from": DE + "111", "text": "a\u0007b\tc"}) == 200
    odd, long = received(smsd)
    assert long["content"] == "退" * (2048 // 3)
    assert odd["content"] == "a b c"


def test_who_does_not_prove_to_be_the_provider_is_refused(smsd, far):
    status, _ = call_back(smsd, "far", body={"from": DE + "111", "text": "STOP"}, headers={"X-Secret": "a guess"})
    assert status == 403
    assert received(smsd) == [] and blocked(smsd, DE + "111") is None


# Callbacks that bring both, or several.

def test_receipts_and_messages_come_through_one_callback(smsd, far):
    put_product(smsd, "far", gateway(far, receipts={"id": {"json": "/id"}, "status": {"json": "/status"},
                                                    "statuses": {"ok": "delivered"}}))
    far.answer = lambda request: (200, {"id": "p7"})
    message = wait_for(smsd, send(smsd, DE + "111"), "sent")["id"]
    assert told(smsd, {"id": "p7", "status": "ok", "from": DE + "111"}) == 200
    assert get(smsd, message)["status"] == "delivered" and received(smsd) == []
    assert told(smsd, {"id": "q1", "from": DE + "111", "text": "thanks"}) == 200
    assert [one["content"] for one in received(smsd)] == ["thanks"]
    assert told(smsd, {"id": "q2"}) == 422


def test_several_messages_in_one_callback(smsd, far):
    put_product(smsd, "far", gateway(far, received={**RECEIVED, "items": "/list"}))
    items = [{"id": f"m{i}", "from": DE + f"{i:03}", "text": f"text {i}"} for i in range(300)]
    assert told(smsd, {"list": [*items[:150], {"from": "ACME", "text": "an advertisement"}, *items[150:]]}) == 200
    assert {one["content"] for one in received(smsd, "?limit=500")} == {item["text"] for item in items}


def test_what_a_condition_leaves_out_is_answered_and_ignored(smsd, far):
    put_product(smsd, "far", gateway(far, received={**RECEIVED, "only": {"json": "/type", "is": "mo"}}))
    assert told(smsd, {"type": "other", "from": DE + "111", "text": "STOP"}) == 200
    assert received(smsd) == []
    assert told(smsd, {"type": "mo", "from": DE + "111", "text": "Hello"}) == 200
    assert len(received(smsd)) == 1


@pytest.mark.parametrize("change, pointer", [
    ({"received": None, "receipts": None}, "/gateway/callback"),
    ({"received": {"content": {"json": "/text"}}}, "/gateway/callback/received/from"),
    ({"received": {"from": {"json": "/from"}}}, "/gateway/callback/received/content"),
    ({"received": {**RECEIVED, "prefix": "86"}}, "/gateway/callback/received/prefix"),
    ({"received": {**RECEIVED, "prefix": "+0"}}, "/gateway/callback/received/prefix"),
    ({"received": {**RECEIVED, "items": "list"}}, "/gateway/callback/received/items"),
    ({"received": {**RECEIVED, "form": {}}}, "/gateway/callback/received/form")])
def test_a_configuration_that_cannot_work_is_refused(smsd, far, change, pointer):
    config = gateway(far)
    config["callback"] = {name: value for name, value in {**config["callback"], **change}.items() if value is not None}
    answer = smsd.put("/v1/products/far", {"channel": "provider", "gateway": config, "price": 5})
    assert answer.status == 422 and answer.pointers == [pointer], answer


# Ready-made configurations, with callbacks as these providers make them.

EXAMPLES = pathlib.Path(__file__).resolve().parent.parent.parent / "man/examples"


def example(smsd, name, *, without_signature=False):
    config = json.loads((EXAMPLES / f"{name}.json").read_text())
    if without_signature:
        config["gateway"]["callback"].pop("signature")
        config["gateway"]["callback"]["addresses"] = ["127.0.0.1"]
    put(smsd, f"/v1/channels/{name}", {"name": name})
    put(smsd, f"/v1/products/{name}", config)


def test_twilio_brings_messages(smsd):
    set_up(smsd)
    example(smsd, "twilio", without_signature=True)
    status, _ = call_back(smsd, "twilio", form={
        "ToCountry": "US", "SmsMessageSid": "SM1", "NumMedia": "0", "SmsSid": "SM1", "SmsStatus": "received",
        "Body": "Stop", "To": "+15005550006", "MessageSid": "SM1", "AccountSid": "AC1", "From": "+12125550001"})
    assert status == 204
    one, = received(smsd)
    assert (one["from"], one["to"], one["content"], one["provider_id"], one["action"]) == (
        "+12125550001", "+15005550006", "Stop", "SM1", "stop")
    # Its receipts have no Body.
    status, _ = call_back(smsd, "twilio", form={"MessageSid": "SM2", "MessageStatus": "delivered", "To": "+12125550001",
                                                "From": "+15005550006", "SmsStatus": "delivered"})
    assert status == 204 and len(received(smsd)) == 1


def test_vonage_brings_messages(smsd):
    set_up(smsd)
    example(smsd, "vonage", without_signature=True)
    status, _ = call_back(smsd, "vonage", form={
        "msisdn": "447700900001", "to": "447700900000", "messageId": "0A00000123ABCD1", "text": "Hello world",
        "type": "text", "keyword": "HELLO", "message-timestamp": "2026-01-01 12:00:00"})
    assert status == 200
    one, = received(smsd)
    assert (one["from"], one["to"], one["content"]) == ("+447700900001", "447700900000", "Hello world")


def test_aliyun_brings_messages(smsd):
    set_up(smsd)
    example(smsd, "aliyun")
    status, text = call_back(smsd, "aliyun", query="token=a%20long%20random%20text%2C%20part%20of%20the%20callback%20URL", body=[
        {"send_time": "2026-09-01 00:00:00", "phone_number": "13800000001", "content": "ＴＤ", "sign_name": "阿里云",
         "dest_code": "1", "sequence_id": 1234567890},
        {"send_time": "2026-09-01 00:00:00", "phone_number": "13800000002", "content": "好的", "sign_name": "阿里云",
         "dest_code": "1", "sequence_id": 1234567891}])
    assert (status, json.loads(text)) == (200, {"code": 0, "msg": "OK"})
    assert {(one["from"], one["content"], one["action"]) for one in received(smsd)} == {
        ("+8613800000001", "ＴＤ", "stop"), ("+8613800000002", "好的", None)}
    assert blocked(smsd, "+8613800000001") == "opted_out"


def test_kannel_brings_messages(smsd):
    set_up(smsd)
    example(smsd, "kannel")
    status, _ = call_back(smsd, "kannel", query=(
        "token=a%20long%20random%20text%2C%20part%20of%20the%20callback%20URL&received=6f1c&from=%2B4915112340111&to=33333"
        "&text=H%C3%A4llo"))
    assert status == 200
    one, = received(smsd)
    assert (one["from"], one["to"], one["content"], one["provider_id"]) == (DE + "111", "33333", "Hällo", "6f1c")


# STOP and START.

@pytest.mark.parametrize("word", ["STOP", "stop.", " Unsubscribe ", "T", "td", "ＴＤ", "退订", "退 订", "ARRÊT", "Стоп"])
def test_a_stop_word_ends_marketing_and_nothing_else(box, word):
    """SMS-18"""
    assert in_sandbox(box, {"from": DE + "001", "content": word}).status == 204
    assert blocked(box, DE + "001") == "opted_out"
    refused = box.post("/v1/messages", body_of(DE + "001", "marketing"))
    assert (refused.status, refused.code) == (403, "blocked_number")
    assert wait_for(box, send(box, DE + "001", "notice"), "delivered")
    assert wait_for(box, send(box, DE + "001", "verification"), "delivered")
    assert wait_for(box, send(box, DE + "101", "marketing"), "delivered"), "to another"


def test_a_start_word_begins_it_again(box):
    """SMS-18"""
    for word, reason in (("STOP", "opted_out"), ("Please", "opted_out"), ("Start", None), ("stop", "opted_out"), ("订阅", None)):
        assert in_sandbox(box, {"from": DE + "001", "content": word}).status == 204
        assert blocked(box, DE + "001") == reason
    assert wait_for(box, send(box, DE + "001", "marketing"), "delivered")


@pytest.mark.parametrize("reason", ["blocked", "opted_out"])
def test_what_an_operator_has_put_on_the_list_stays_there(box, reason):
    """SMS-18: neither does START take it away, nor STOP make less of it."""
    put_answer = box.put(f"/v1/blocklist/{DE}001", {"reason": reason, "note": "by hand"})
    for word in ("START", "STOP", "START"):
        assert in_sandbox(box, {"from": DE + "001", "content": word}).status == 204
        assert box.get(f"/v1/blocklist/{DE}001").body == put_answer.body


def test_a_stop_word_that_is_told_again_does_nothing_again(box):
    """SMS-18: a provider repeats a STOP after its sender has come back."""
    stop = {"id": "s1", "from": DE + "001", "content": "STOP"}
    assert in_sandbox(box, stop).status == 204
    assert in_sandbox(box, {"id": "s2", "from": DE + "001", "content": "START"}).status == 204
    assert in_sandbox(box, stop).status == 204
    assert blocked(box, DE + "001") is None


def test_marketing_that_waits_when_its_recipient_opts_out_is_not_sent(box):
    """SMS-18"""
    put_product(box, "sandbox", {"type": "sandbox"}, rate_per_second=1)
    waiting = [send(box, DE + f"{i:03}", "marketing") for i in range(101, 106)] + [send(box, DE + "001", "marketing")]
    assert in_sandbox(box, {"from": DE + "001", "content": "STOP"}).status == 204
    put_product(box, "sandbox", {"type": "sandbox"})
    body = wait_for(box, waiting[-1], "failed", "delivered")
    assert (body["status"], body["error"]) == ("failed", "blocked_number")


def test_the_words_are_settings(box):
    put(box, "/v1/settings/stop_words", {"value": "basta, genug"})
    put(box, "/v1/settings/start_words", {"value": "weiter"})
    for word, reason in (("STOP", None), ("Basta!", "opted_out"), ("START", "opted_out"), ("WEITER", None), ("Genug", "opted_out")):
        assert in_sandbox(box, {"from": DE + "001", "content": word}).status == 204
        assert blocked(box, DE + "001") == reason
    for value in ("a,,b", "!", "a" * 33):
        answer = box.put("/v1/settings/stop_words", {"value": value})
        assert answer.status == 422 and answer.pointers == ["/value"]


def test_they_are_counted(box):
    for word in ("STOP", "Hello", "START"):
        assert in_sandbox(box, {"id": word, "from": DE + "001", "content": word}).status == 204
        assert in_sandbox(box, {"id": word, "from": DE + "001", "content": word}).status == 204
    assert metric(box, "smsd_messages_received_total") == 3
    assert metric(box, "smsd_messages_received_stops_total") == 1
    assert metric(box, "smsd_messages_received_starts_total") == 1


# The sandbox.

def test_sandbox_numbers_answer_stop_and_start(box):
    """SMS-15, SMS-18: …0010 answers STOP, …0011 START."""
    message = send(box, "+4915100000010", "marketing")
    assert wait_for(box, message, "delivered")
    until(lambda: blocked(box, "+4915100000010"), "the STOP")
    one, = received(box)
    assert (one["content"], one["to"], one["in_reply_to"], one["company"], one["action"]) == (
        "STOP", "sandbox", message, COMPANY, "stop")
    assert wait_for(box, send(box, "+4915100000011", "notice"), "delivered")
    until(lambda: len(received(box)) == 2, "the START")
    assert received(box)[0]["action"] == "start"


def test_the_sandbox_wants_an_api_key(box):
    """It has no provider that could prove to be one, and STOP is not for everybody to say."""
    body = {"from": DE + "001", "content": "STOP"}
    assert in_sandbox(box, body, key=None).status == 401
    key = box.post("/v1/keys", {"name": "billing", "scopes": ["billing"]}).body["secret"]
    assert in_sandbox(box, body, key=key).status == 403
    assert received(box) == []
    key = box.post("/v1/keys", {"name": "messages", "scopes": ["messages"]}).body["secret"]
    assert in_sandbox(box, body, key=key).status == 204
    assert in_sandbox(box, {"from": "x", "content": "STOP"}, key=key).status == 422


# Lists.

def test_the_list_is_filtered_and_paged(box):
    put(box, "/v1/companies/other", {"name": "Other", "account": "money"})
    put(box, "/v1/routes/other", {"company": "other", "country": "DE", "kind": "general", "product": "sandbox"})
    put_product(box, "second", {"type": "sandbox"})
    wait_for(box, send(box, DE + "101"), "delivered")
    wait_for(box, send(box, DE + "102", company="other"), "delivered")
    for i in range(6):
        assert in_sandbox(box, {"from": DE + f"{101 + i % 3}", "content": str(i)}).status == 204
    assert box.post("/v1/callbacks/second", {"from": DE + "101", "content": "second"}).status == 204

    def contents(query):
        return [one["content"] for one in received(box, query)]
    assert contents("") == ["second", "5", "4", "3", "2", "1", "0"]
    assert contents(f"?from={DE}101".replace("+", "%2B")) == ["second", "3", "0"]
    assert contents(f"?from={DE[1:]}101&product=sandbox") == ["3", "0"]
    assert contents(f"?company={COMPANY}") == ["3", "0"] and contents("?company=other") == ["4", "1"]
    assert contents("?product=second") == ["second"] and contents("?company=nobody") == []
    assert contents("?created_to=2020-01-01T00:00:00Z") == [] == contents("?created_from=2099-01-01T00:00:00Z")
    first = box.get("/v1/messages/received?limit=3").body
    assert [one["content"] for one in first["data"]] == ["second", "5", "4"]
    rest = box.get(f"/v1/messages/received?limit=4&after={first['next']}").body
    assert [one["content"] for one in rest["data"]] == ["3", "2", "1", "0"] and rest["next"] is None
    assert box.get("/v1/messages/received?from=x").status == 422
    # A company's key sees what was written to that company.
    key = box.post("/v1/keys", {"name": "k", "scopes": ["messages"], "company": "other"}).body["secret"]
    assert [one["content"] for one in received(box, key=key)] == ["4", "1"]
    assert box.get(f"/v1/messages/received?company={COMPANY}", key=key).status == 403
    assert box.get(f"/v1/messages/received/{first['data'][0]['id']}", key=key).status == 404


# The webhook.

def test_a_message_is_told_once_and_whole(tmp_path, receiver):
    """SMS-18, SMS-20: to the setting's webhook_url, with all of its text; and the same in a replay."""
    smsd = Smsd(tmp_path, options=["--webhooks-allow-private"]).start()
    set_up(smsd)
    sandbox(smsd)
    send_to(smsd, receiver.url())
    message = wait_for(smsd, send(smsd, DE + "001", "marketing"), "delivered")["id"]
    text = "退订之前我想问一个问题。" * 30
    body = {"id": "m1", "from": DE + "001", "to": "33333", "content": text}
    for _ in range(2):
        assert in_sandbox(smsd, body).status == 204
    hook, = receiver.wait()
    said = json.loads(hook.body)
    one, = received(smsd)
    assert said["type"] == "message.received"
    data = said["data"]
    assert data.pop("at") == one["received_at"] == said["timestamp"]
    assert data == {"id": one["id"], "product": "sandbox", "company": COMPANY, "from": DE + "001", "to": "33333",
                    "content": text, "action": None, "in_reply_to": message}
    webhook, = settled(smsd, "delivered")
    assert smsd.post(f"/v1/webhooks/{webhook['id']}/replay").status == 201
    assert json.loads(receiver.wait(2)[1].body)["data"]["content"] == text
    assert in_sandbox(smsd, {"from": DE + "555", "content": "Stop"}).status == 204
    data = json.loads(receiver.wait(3)[2].body)["data"]
    assert (data["action"], data["company"], data["to"], data["in_reply_to"]) == ("stop", None, None, None)
    smsd.close()
