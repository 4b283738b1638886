"""Receipts as providers bring them (SMS-12), through the callback: early, twice, spelt otherwise, of parts, of
nobody; and what comes to a callback that is no receipt at all."""

import base64
import random
import threading
import time

import pytest

from platform_setup import get, metric, put_product, put_route, send, set_up, wait_for
from provider import Provider, call_back

DE = "+4915112340"
TOKEN = {"token": "the secret of ours"}
CALLBACK = {"secret_at": {"field": "token"}, "secret": TOKEN["token"],
            "receipts": {"id": {"field": "id"}, "status": {"field": "status"}, "error": {"field": "why"},
                         "statuses": {"DELIVRD": "delivered", "UNDELIV": "undelivered", "EXPIRED": "expired",
                                      "REJECTD": "rejected", "ACCEPTD": "accepted"}}}


def gateway(provider, **fields):
    return {"type": "http", "send": {"url": provider.url, "form": {"to": "{to}", "id": "{id}"}},
            "answer": {"id": {"json": "/ids/*"}}, "callback": {**CALLBACK, **fields}}


def receipt(smsd, provider_id, status="DELIVRD", product="far", **fields):
    return call_back(smsd, product, form={**TOKEN, "id": provider_id, "status": status, **fields})[0]


@pytest.fixture
def far(smsd):
    """A provider that names messages as `far.ids` says."""
    set_up(smsd)
    provider = Provider(lambda request: (200, {"ids": provider.ids}))
    provider.ids = ["1a2B"]
    put_product(smsd, "far", gateway(provider))
    put_route(smsd, "far")
    yield provider
    provider.close()


def accepted(smsd, provider, *ids, content="Hello"):
    provider.ids = list(ids)
    message = send(smsd, DE + "111", content=content)
    return wait_for(smsd, message, "sent", "delivered")["id"]


@pytest.mark.parametrize("word, status, error", [
    ("DELIVRD", "delivered", None), ("delivrd", "delivered", None), ("UNDELIV", "undelivered", "undelivered"),
    ("EXPIRED", "undelivered", "expired_at_provider"), ("REJECTD", "undelivered", "rejected_at_provider"),
    ("ACCEPTD", "sent", None), ("a new word", "sent", None)])
def test_a_providers_words_become_statuses(smsd, far, word, status, error):
    message = accepted(smsd, far, "m1")
    assert receipt(smsd, "m1", word, why="000") == 200
    body = get(smsd, message)
    assert (body["status"], body["error"]) == (status, error)


def test_a_receipt_before_the_answer_finds_its_message(smsd):
    """SMS-12: the provider is faster with the receipt than with its answer to the submit."""
    def answer(request):
        assert receipt(smsd, "early") == 200
        return 200, {"ids": ["early"]}
    set_up(smsd)
    with Provider(answer) as provider:
        put_product(smsd, "far", gateway(provider))
        put_route(smsd, "far")
        body = wait_for(smsd, send(smsd, DE + "111"), "delivered")
        assert [event["status"] for event in body["events"]] == ["queued", "sending", "sent", "delivered"]


def test_a_receipt_that_comes_twice_counts_once(smsd, far):
    message = accepted(smsd, far, "m2")
    assert [receipt(smsd, "m2") for _ in range(3)] == [200] * 3
    assert receipt(smsd, "m2", "UNDELIV") == 200, "too late to change anything"
    body = get(smsd, message)
    assert body["status"] == "delivered"
    assert [event["status"] for event in body["events"] if not event["error"]].count("delivered") == 1


@pytest.mark.parametrize("said, told", [
    ("aBcDeF01", "ABCDEF01"),     # another case
    ("123456", "000123456"),      # leading zeros
    ("0000123456", "123456"),
    ("1A2B3C4D", "439041101"),    # hexadecimal when accepted, decimal when delivered
    ("439041101", "1a2b3c4d"),    # and the other way round
])
def test_another_spelling_of_an_id_finds_its_message(smsd, far, said, told):
    """SMS-12: another case, radix, or leading zeros."""
    message = accepted(smsd, far, said)
    assert receipt(smsd, told) == 200
    assert get(smsd, message)["status"] == "delivered"


def test_parts_make_one_status(smsd, far):
    """SMS-12: delivered is delivered in all parts; one that is not is enough."""
    message = accepted(smsd, far, "p1", "p2", "p3", content="x" * 400)
    for part in ("p3", "p1", "p3"):
        assert receipt(smsd, part) == 200
    assert get(smsd, message)["status"] == "sent"
    assert receipt(smsd, "p2") == 200
    assert get(smsd, message)["status"] == "delivered"

    broken = accepted(smsd, far, "q1", "q2", content="x" * 200)
    assert receipt(smsd, "q1") == 200 and receipt(smsd, "q2", "UNDELIV") == 200
    assert get(smsd, broken)["status"] == "undelivered"


def test_a_receipt_of_nobody_is_kept_for_an_hour_then_counted(smsd, far):
    assert receipt(smsd, "nobody") == 200
    assert metric(smsd, "smsd_receipts_unknown_total") == 0
    smsd.advance(3590)
    message = accepted(smsd, far, "nobody")
    assert get(smsd, message)["status"] == "delivered"
    assert receipt(smsd, "nobody else") == 200
    smsd.advance(3601)
    assert metric(smsd, "smsd_receipts_unknown_total") == 1


def test_a_receipt_of_an_archived_message_changes_nothing(smsd, far):
    """SMS-19: it finds nobody, and is counted as the others of nobody are."""
    message = accepted(smsd, far, "m1")
    assert receipt(smsd, "m1") == 200
    before = get(smsd, message)
    smsd.advance(2 * 86400)
    assert metric(smsd, "smsd_messages_archived_total") == 1
    assert receipt(smsd, "m1", "UNDELIV") == 200
    assert get(smsd, message) == before
    smsd.advance(3601)
    assert metric(smsd, "smsd_receipts_unknown_total") == 1


def test_a_receipt_is_durable_before_its_answer(smsd, far):
    """OPS-7: a provider that was answered does not come again."""
    message = accepted(smsd, far, "m3")
    assert receipt(smsd, "m3") == 200
    smsd.kill9()
    smsd.start()
    assert get(smsd, message)["status"] == "delivered"


def test_the_id_of_one_product_is_nothing_to_another(smsd, far):
    message = accepted(smsd, far, "m4")
    put_product(smsd, "near", gateway(far))
    assert receipt(smsd, "m4", product="near") == 200
    assert get(smsd, message)["status"] == "sent"


# --- who may ------------------------------------------------------------------------------------------------------

def test_a_callback_proves_to_be_the_providers(smsd, far):
    message = accepted(smsd, far, "m5")
    form = {"id": "m5", "status": "DELIVRD"}
    for query in ("", "token=", "token=the+secret+of+our", "token=the+secret+of+ours%00", "Token=the+secret+of+ours"):
        assert call_back(smsd, "far", form=form, query=query)[0] == 403, query
    assert call_back(smsd, "nobody", form={**TOKEN, **form})[0] == 404
    put_product(smsd, "box", {"type": "sandbox"})
    assert call_back(smsd, "box", form={**TOKEN, **form})[0] == 401
    assert get(smsd, message)["status"] == "sent"
    assert metric(smsd, "smsd_callbacks_forbidden_total") == 5
    assert TOKEN["token"] not in smsd.said()
    assert call_back(smsd, "far", form=form, query="token=the+secret+of+ours")[0] == 200


def test_basic_authentication_and_addresses(smsd, far):
    right = {"Authorization": "Basic " + base64.b64encode(b"us:and them").decode()}
    wrong = {"Authorization": "Basic " + base64.b64encode(b"us:and then").decode()}
    form = {**TOKEN, "id": "x", "status": "DELIVRD"}
    put_product(smsd, "far", gateway(far, basic={"user": "us", "password": "and them"}, addresses=["127.0.0.0/8"]))
    assert call_back(smsd, "far", form=form)[0] == 403
    assert call_back(smsd, "far", form=form, headers=wrong)[0] == 403
    assert call_back(smsd, "far", form=form, headers={"Authorization": "Basic %%%"})[0] == 403
    assert call_back(smsd, "far", form=form, headers=right)[0] == 200
    put_product(smsd, "far", gateway(far, addresses=["192.0.2.1", "2001:db8::/32"]))
    assert call_back(smsd, "far", form=form)[0] == 403


@pytest.mark.parametrize("body, content_type", [
    (b"", None), (b"\x00\xff\xfe", "application/octet-stream"), (b"[" * 5000, "application/json"),
    (b'{"id":', "application/json"), (b"id=%", "application/x-www-form-urlencoded"),
    (b"&&&===&%zz=%", "application/x-www-form-urlencoded"), (b"a=1&" * 20000, "application/x-www-form-urlencoded"),
    (b"id=" + b"x" * 100000 + b"&status=DELIVRD", "application/x-www-form-urlencoded"),
    (b"id=&status=DELIVRD", "application/x-www-form-urlencoded"),
    (b"<xml/>", "text/xml")])
def test_what_is_no_receipt_is_refused_and_harms_nobody(smsd, far, body, content_type):
    headers = {"Content-Type": content_type} if content_type else {}
    status, _ = call_back(smsd, "far", body=body, query="token=the+secret+of+ours", headers=headers, method="POST")
    assert status == 422
    message = accepted(smsd, far, "m6")
    assert receipt(smsd, "m6") == 200
    assert get(smsd, message)["status"] == "delivered"


def test_noise_harms_nobody(smsd, far):
    """Bytes of all kinds, with and without the secret, while messages come and go."""
    noise = random.Random(1)
    message = accepted(smsd, far, "m7")
    for _ in range(200):
        body = bytes(noise.choice(b'&=%+{}[]",:0aZ\x00\xff\n') for _ in range(noise.randrange(300)))
        kind = noise.choice(["application/x-www-form-urlencoded", "application/json", "text/plain"])
        query = noise.choice(["", "token=the+secret+of+ours", "%", "&id=&&status", "token"])
        assert call_back(smsd, "far", body=body, query=query, headers={"Content-Type": kind},
                         method="POST")[0] in (200, 403, 422)
    assert receipt(smsd, "m7") == 200
    assert get(smsd, message)["status"] == "delivered"


def test_many_receipts_at_once(smsd, far):
    ids = [f"r{n}" for n in range(40)]
    messages = []
    for provider_id in ids:
        messages.append(accepted(smsd, far, provider_id))
    threads = [threading.Thread(target=receipt, args=(smsd, provider_id)) for provider_id in ids * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    deadline = time.monotonic() + 30
    while any(get(smsd, message)["status"] != "delivered" for message in messages):
        assert time.monotonic() < deadline
