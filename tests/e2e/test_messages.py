"""Messages as a client sees them: what a submit answers, costs and refuses, lists, cancel, batches. What becomes of
one on its way is told in unit/engine_message.c and unit/engine_receipt.c. Messages that a test wants to find waiting
are for later, so that no gateway takes them."""

import datetime
import itertools
import json

import pytest

from contract import LIST, balance, is_time, pages, topup

MESSAGE = {"id", "company", "to", "country", "status", "kind", "parts", "encoding", "price", "amount", "product",
           "attempts", "client_reference", "test", "error", "created_at", "send_at", "expire_at", "sent_at",
           "finished_at"}
PRICE = 3
TODAY = datetime.datetime.now(datetime.timezone.utc)


def in_days(days):
    return f"{TODAY + datetime.timedelta(days=days):%Y-%m-%dT00:00:00.000Z}"


MUCH_LATER = in_days(300)
numbers = itertools.count(13800000000)


def put(smsd, path, body):
    answer = smsd.put(f"/v1/{path}", body)
    assert answer.status in (200, 201), answer


def furnish(smsd, company="acme", money=1000):
    """What it takes to send: an account with money, a company, countries, a product, routes, templates."""
    topup(smsd, f"{company}-purse", money)
    put(smsd, "countries/CN", {"name": "China", "calling_code": 86, "number_lengths": [11], "number_prefixes": ["1"]})
    put(smsd, "countries/SG", {"name": "Singapore", "calling_code": 65, "signature_required": True})
    put(smsd, "countries/DE", {"name": "Germany", "calling_code": 49})
    put(smsd, f"companies/{company}",
        {"name": company, "account": f"{company}-purse", "countries": ["CN", "SG"]})
    put(smsd, "channels/sand", {"name": "Sand"})
    put(smsd, "products/box", {"channel": "sand", "gateway": {"type": "sandbox"}, "price": PRICE})
    for kind in ("verification", "general"):
        put(smsd, f"routes/{company}-{kind}", {"company": company, "country": "CN", "kind": kind, "product": "box"})
    put(smsd, "templates/code", {"content": "Your code is {code}", "kind": "verification"})
    put(smsd, "templates/note", {"content": "Dear {name}, {what}", "kind": "notice"})


@pytest.fixture
def platform(smsd):
    furnish(smsd)
    return smsd


def notice(**fields):
    return {"company": "acme", "to": f"+86{next(numbers)}", "content": "Hello", "kind": "notice", **fields}


def waiting(**fields):
    return notice(send_at=MUCH_LATER, **fields)


def submit(smsd, body, **how):
    answer = smsd.post("/v1/messages", body, **how)
    assert answer.status == 202, answer
    return answer.body


# --- submit


def test_a_submit_is_accepted_charged_and_found(platform):
    """SMS-4, SMS-8: one commit, one entry, and the message is there."""
    sent = submit(platform, waiting(client_reference="order 7", test=True))
    assert set(sent) == MESSAGE
    assert sent["id"].startswith("msg_") and sent["status"] == "scheduled" and sent["country"] == "CN"
    assert (sent["parts"], sent["encoding"], sent["price"], sent["amount"]) == (1, "gsm7", PRICE, PRICE)
    assert (sent["product"], sent["client_reference"], sent["test"]) == ("box", "order 7", True)
    assert (sent["attempts"], sent["error"], sent["sent_at"], sent["finished_at"]) == (0, None, None, None)
    assert is_time(sent["created_at"]) and sent["send_at"] == MUCH_LATER
    assert balance(platform, "acme-purse") == 1000 - PRICE
    found = platform.get(f"/v1/messages/{sent['id']}").body
    assert {name: found[name] for name in MESSAGE} == sent
    assert found["content"] == "Hello" and found["template"] is None
    assert [event["status"] for event in found["events"]] == ["scheduled"]
    entry = platform.get("/v1/accounts/acme-purse/entries?type=message").body["data"][0]
    assert (entry["amount"], entry["source"]) == (-PRICE, sent["id"])


def test_without_a_time_it_is_queued_at_once(platform):
    sent = submit(platform, notice())
    assert sent["status"] == "queued" and sent["send_at"] is None


def test_a_time_that_is_past_is_now(platform):
    assert submit(platform, notice(send_at="2020-01-01T00:00:00Z"))["status"] == "queued"


def test_a_template_is_filled_in(platform):
    """SMS-5: and what a code says is not shown to anybody but its recipient."""
    body = {"company": "acme", "to": "+8613800000001", "template": "note", "params": {"name": "Li", "what": "中文"},
            "send_at": MUCH_LATER}
    note = platform.get(f"/v1/messages/{submit(platform, body)['id']}").body
    assert (note["content"], note["encoding"], note["kind"]) == ("Dear Li, 中文", "ucs2", "notice")
    body |= {"template": "code", "params": {"code": "4711"}}
    code = platform.get(f"/v1/messages/{submit(platform, body)['id']}").body
    assert (code["content"], code["template"], code["kind"]) == (None, "code", "verification")


def test_what_cannot_be_paid_is_not_kept(platform):
    """SMS-8: 402, nothing kept."""
    platform.post("/v1/accounts/acme-purse/payouts", {"amount": 1000 - PRICE + 1})
    answer = platform.post("/v1/messages", notice())
    assert (answer.status, answer.code) == (402, "insufficient_funds")
    assert platform.get("/v1/messages").body["data"] == []
    assert balance(platform, "acme-purse") == PRICE - 1


@pytest.mark.parametrize("change, status, code", [
    ({"company": "nobody"}, 404, "company_not_found"),
    ({"content": None, "kind": None, "template": "none"}, 404, "template_not_found"),
    ({"to": "13812345678"}, 422, "invalid_number"),
    ({"to": "+861381234567"}, 422, "invalid_number"),
    ({"to": "+8621123456789"}, 422, "invalid_number"),
    ({"to": "+5511912345678"}, 422, "invalid_number"),
    ({"to": "+4915112345678"}, 403, "country_not_allowed"),
    ({"to": "+6581234567"}, 422, "signature_required"),
    ({"to": "+6581234567", "signature": "Acme"}, 409, "no_route"),
    ({"content": "x" * 1531}, 422, "too_long"),
    ({"content": None, "kind": None, "template": "code"}, 422, "missing_parameter"),
    ({"content": None, "kind": None, "template": "code", "params": {"code": "1", "cod": "2"}}, 422, "unknown_parameter"),
    ({"expire_at": "2020-01-01T00:00:00Z"}, 422, "invalid"),
    ({"send_at": "2120-01-01T00:00:00Z"}, 422, "invalid"),
    ({"send_at": "tomorrow"}, 422, "invalid"),
    ({"callback_url": "ftp://client.example/"}, 422, "invalid"),
    ({"kind": None}, 422, "invalid"),
    ({"template": "code"}, 422, "invalid"),
    ({"content": None}, 422, "invalid"),
    ({"params": {"code": 1}, "content": None, "kind": None, "template": "code"}, 422, "invalid"),
    ({"kind": "gossip"}, 422, "invalid"),
    ({"text": "Hello"}, 422, "unknown_field"),
])
def test_a_submit_is_refused_for_what_is_wrong(shared_platform, change, status, code):
    answer = shared_platform.post("/v1/messages", notice() | change)
    assert (answer.status, answer.code) == (status, code), answer


@pytest.fixture(scope="module")
def shared_platform(shared):
    furnish(shared)
    return shared


def test_everything_wrong_is_said_at_once(shared_platform):
    answer = shared_platform.post("/v1/messages", {
        "company": "acme", "to": "+86999", "template": "note", "params": {"nom": "x", "what": "y"},
        "expire_at": "2020-01-01T00:00:00Z"})
    assert (answer.status, answer.code) == (422, "invalid")
    assert sorted(answer.pointers) == ["/expire_at", "/params/name", "/params/nom", "/to"]


def test_the_same_key_is_one_message(platform):
    """BILL-9: the first answer again, and one charge."""
    body = waiting()
    first = platform.post("/v1/messages", body, idempotency="K")
    platform.post(f"/v1/messages/{first.body['id']}/cancel")
    second = platform.post("/v1/messages", body, idempotency="K")
    assert second.replayed and second.body == first.body
    assert platform.post("/v1/messages", waiting(), idempotency="K").code == "idempotency_key_reused"
    assert len(platform.get("/v1/messages").body["data"]) == 1


def test_a_preview_keeps_nothing(platform):
    body = notice(content="中" * 71)
    seen = platform.post("/v1/messages/preview", body)
    assert seen.status == 200
    assert (seen.body["parts"], seen.body["encoding"], seen.body["amount"]) == (2, "ucs2", 2 * PRICE)
    assert (seen.body["content"], seen.body["product"], seen.body["country"]) == ("中" * 71, "box", "CN")
    assert balance(platform, "acme-purse") == 1000
    assert platform.get("/v1/messages").body["data"] == []
    refused = platform.post("/v1/messages/preview", notice(to="+86999"))
    assert (refused.status, refused.code, refused.pointers) == (422, "invalid_number", ["/to"])


# --- batches


def test_a_batch_answers_each_item_as_a_single_call_would(platform):
    items = [notice(), notice(to="+86999"), notice(company="nobody"), notice(text="?"), notice(idempotency_key="k")]
    answer = platform.post("/v1/messages/batch", items)
    assert answer.status == 200, answer
    results = answer.body["results"]
    assert [result["status"] for result in results] == [202, 422, 404, 422, 202]
    assert set(results[0]["body"]) == MESSAGE
    assert results[1]["body"]["code"] == "invalid_number"
    assert results[1]["body"]["errors"][0]["pointer"] == "/to"
    assert (answer.body["succeeded"], answer.body["failed"]) == (2, 3)
    assert balance(platform, "acme-purse") == 1000 - 2 * PRICE
    again = platform.post("/v1/messages/batch", items[4:])
    assert again.body["results"][0]["body"]["id"] == results[4]["body"]["id"]
    assert balance(platform, "acme-purse") == 1000 - 2 * PRICE


def test_an_atomic_batch_is_all_or_none(platform):
    items = [waiting() for _ in range(5)]
    answer = platform.post("/v1/messages/batch?atomic=true", items + [notice(to="+86999")])
    assert (answer.status, answer.code) == (409, "batch_failed")
    assert answer.body["results"][5]["body"]["errors"][0]["pointer"] == "/to"
    assert platform.get("/v1/messages").body["data"] == [] and balance(platform, "acme-purse") == 1000
    answer = platform.post("/v1/messages/batch?atomic=true", items)
    assert answer.body["succeeded"] == 5
    assert len(platform.get("/v1/messages").body["data"]) == 5


def test_an_atomic_batch_has_room_up_to_a_bound(platform):
    """OPS-8: more than a transaction holds is refused, and harms nobody."""
    topup(platform, "acme-purse", 10**6)
    put(platform, "templates/long", {"content": "x" * 1500, "kind": "notice"})
    item = {"company": "acme", "to": "+8613800000001", "template": "long", "params": {}}
    answer = platform.post("/v1/messages/batch?atomic=true", [item] * 10000)
    assert (answer.status, answer.code) == (409, "batch_failed")
    assert {result["status"] for result in answer.body["results"]} == {202, 413}
    assert platform.get("/v1/messages").body["data"] == []
    assert platform.post("/v1/messages/batch?atomic=true", [item] * 5000).body["succeeded"] == 5000


def test_a_batch_has_room_for_texts_up_to_a_bound(platform):
    """OPS-8: ten thousand codes have room; of what is too much, the items beyond are refused."""
    topup(platform, "acme-purse", 10**6)
    code = {"company": "acme", "to": "+8613800000001", "template": "code", "params": {"code": "471100"}}
    assert platform.post("/v1/messages/batch", [code] * 10000).body["succeeded"] == 10000
    lines = "\n".join(json.dumps(notice(content="x" * 1500, client_reference=f"{number}" + " " * 100))
                      for number in range(9999))
    answer = platform.request("POST", "/v1/messages/batch", lines, headers={"Content-Type": "application/x-ndjson"})
    statuses = [result["status"] for result in answer.body["results"]]
    assert answer.status == 200 and set(statuses) == {202, 413}
    assert statuses == sorted(statuses) and statuses.count(202) > 3000


# --- of one that is there


def test_what_waits_can_be_canceled_and_is_refunded(platform):
    sent = submit(platform, waiting())
    answer = platform.post(f"/v1/messages/{sent['id']}/cancel")
    assert (answer.status, answer.body["status"]) == (200, "canceled")
    assert is_time(answer.body["finished_at"])
    assert balance(platform, "acme-purse") == 1000
    again = platform.post(f"/v1/messages/{sent['id']}/cancel")
    assert (again.status, again.code) == (409, "not_cancelable")
    entry = platform.get("/v1/accounts/acme-purse/entries?type=message_refund").body["data"][0]
    assert (entry["amount"], entry["source"]) == (PRICE, sent["id"])
    found = platform.get(f"/v1/messages/{sent['id']}").body
    assert [event["status"] for event in found["events"]] == ["scheduled", "canceled"]


def test_its_webhooks_are_told_again(platform):
    sent = submit(platform, waiting(callback_url="https://client.example/sms"))
    assert platform.post(f"/v1/messages/{sent['id']}/replay").code == "conflict"
    platform.post(f"/v1/messages/{sent['id']}/cancel")
    assert platform.post(f"/v1/messages/{sent['id']}/replay").status == 200
    told = platform.get("/v1/webhooks").body["data"]
    assert [(one["type"], one["data"]["id"], one["data"]["status"]) for one in told] == \
        [("message.status", sent["id"], "canceled")] * 2
    silent = submit(platform, waiting())
    assert platform.post(f"/v1/messages/{silent['id']}/replay").code == "no_callback"


@pytest.mark.parametrize("path", ["", "/cancel", "/replay"])
def test_one_that_is_not_there_is_not_found(shared_platform, path):
    for name in ("msg_0000000000000", "cmp_0000000000000", "x"):
        method = "POST" if path else "GET"
        answer = shared_platform.request(method, f"/v1/messages/{name}{path}")
        assert (answer.status, answer.code) == (404, "message_not_found")


# --- lists


def test_lists_by_what_is_asked_for(platform):
    furnish(platform, company="other")
    ours = [submit(platform, waiting(to="+8613811111111"))["id"] for _ in range(3)]
    theirs = submit(platform, waiting(company="other", to="+8613811111111"))["id"]
    away = submit(platform, waiting(to="+8613822222222"))["id"]
    platform.post(f"/v1/messages/{ours[0]}/cancel")

    def listed(query):
        return [message["id"] for message in pages(platform, f"/v1/messages?{query}", 2)]

    assert listed("") == [away, theirs, *reversed(ours)]
    assert listed("to=%2B8613811111111") == [theirs, *reversed(ours)]
    assert listed("to=8613811111111&company=acme") == list(reversed(ours))
    assert listed("company=other") == [theirs]
    assert listed("company=acme&status=canceled") == [ours[0]]
    assert listed("status=scheduled&to=+8613822222222") == [away]
    assert listed("product=box&company=other") == [theirs]
    assert listed("product=none") == [] and listed("company=none") == []
    assert listed("created_from=2099-01-01T00:00:00Z") == []
    assert listed("created_to=2099-01-01T00:00:00Z&company=other") == [theirs]
    assert platform.get("/v1/messages?status=lost").status == 422
    assert platform.get("/v1/messages?to=abc").status == 422


def test_a_page_looks_at_so_many_and_no_more(platform):
    """OPS-8: a filter that lets little through ends a page early, and the next goes on."""
    topup(platform, "acme-purse", 10**6)
    first = submit(platform, waiting())["id"]
    platform.post(f"/v1/messages/{first}/cancel")
    platform.post("/v1/messages/batch", [waiting() for _ in range(2500)])
    page = platform.get("/v1/messages?status=canceled")
    assert set(page.body) == LIST and page.body["data"] == [] and page.body["next"]
    page = platform.get(f"/v1/messages?status=canceled&after={page.body['next']}")
    assert [message["id"] for message in page.body["data"]] == [first] and page.body["next"] is None


def test_a_key_of_a_company_uses_its_own_only(platform):
    """OPS-2"""
    furnish(platform, company="other")
    key = platform.post("/v1/keys", {"name": "acme's", "scopes": ["messages"], "company": "acme"}).body["secret"]
    theirs = submit(platform, waiting(company="other"))["id"]
    ours = submit(platform, waiting(), key=key)["id"]
    refusal = platform.post("/v1/messages", waiting(company="other"), key=key)
    assert refusal.code == "forbidden"
    assert platform.post("/v1/messages/preview", waiting(company="other"), key=key).code == "forbidden"
    answer = platform.post("/v1/messages/batch", [waiting(company="other"), waiting()], key=key)
    assert [result["status"] for result in answer.body["results"]] == [403, 202]
    assert answer.body["results"][0]["body"] == refusal.body, "as the single call would have been answered"
    assert platform.get(f"/v1/messages/{theirs}", key=key).code == "message_not_found"
    assert platform.post(f"/v1/messages/{theirs}/cancel", key=key).code == "message_not_found"
    assert {message["company"] for message in platform.get("/v1/messages", key=key).body["data"]} == {"acme"}
    assert platform.get("/v1/messages?company=other", key=key).code == "forbidden"
    assert platform.get(f"/v1/messages/{ours}", key=key).status == 200


# --- the blocklist


def test_a_blocked_number_gets_nothing(platform):
    """SMS-18"""
    body = notice(to="+8613899999999")
    marketing = body | {"kind": "marketing"}
    assert platform.get("/v1/blocklist/+8613899999999").status == 404
    answer = platform.put("/v1/blocklist/+8613899999999", {"reason": "opted_out", "note": "STOP"})
    assert answer.status == 200
    assert (answer.body["mobile"], answer.body["reason"], answer.body["note"]) == \
        ("+8613899999999", "opted_out", "STOP")
    assert platform.post("/v1/messages", marketing).code == "blocked_number"
    assert platform.post("/v1/messages", body).status == 202
    assert platform.put("/v1/blocklist/8613899999999", {}).body["reason"] == "blocked"
    answer = platform.post("/v1/messages", body)
    assert (answer.status, answer.code) == (403, "blocked_number")
    assert platform.request("DELETE", "/v1/blocklist/%2B8613899999999").status == 204
    assert platform.request("DELETE", "/v1/blocklist/%2B8613899999999").status == 404
    assert platform.post("/v1/messages", marketing).status == 202
    assert platform.put("/v1/blocklist/abc", {}).code == "invalid_number"


# --- time and restart


def test_its_time_comes_also_after_a_kill(platform):
    """SMS-22: what waits is there after a kill, each once, and goes on when its time has come."""
    topup(platform, "acme-purse", 10**5)
    items = [notice(send_at=in_days(200)) for _ in range(1500)]
    accepted = [result["body"]["id"] for result in platform.post("/v1/messages/batch", items).body["results"]]
    soon = [submit(platform, notice(send_at=in_days(1)))["id"]]
    platform.kill9()
    platform.start()
    found = [message["id"] for message in pages(platform, "/v1/messages?company=acme", 500)]
    assert sorted(found) == sorted(accepted + soon) and len(set(found)) == len(found)
    platform.advance(2 * 86400)
    assert platform.get(f"/v1/messages/{soon[0]}").body["status"] != "scheduled"
    assert platform.get(f"/v1/messages/{accepted[0]}").body["status"] == "scheduled"


def test_the_sweep_is_a_job(platform):
    """SMS-10, OPS-9"""
    submit(platform, waiting())
    answer = platform.post("/v1/jobs/message_sweep/run", {})
    assert answer.status == 200 and answer.body["interval_ms"] == 300000 and answer.body["failed"] == 0
