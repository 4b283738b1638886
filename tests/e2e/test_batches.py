"""Batches of charges (BILL-10): each item with its own outcome, or all or nothing."""

import json
import threading
import time

import pytest

from contract import CHARGE, balance, new_key, topup
from smsd import Smsd

ITEMS_MAX = 10000
BATCH = {"results", "succeeded", "failed"}


def post(smsd, items, *, atomic=False, lines=False, path="/v1/charges/batch", **how):
    """A batch as an array, or as lines. Items that are texts go as they are."""
    texts = [item if isinstance(item, str) else json.dumps(item) for item in items]
    body = "\n".join(texts) + "\n" if lines else "[" + ",".join(texts) + "]"
    headers = {"Content-Type": "application/x-ndjson"} if lines else {}
    return smsd.post(path + "?atomic=true" * atomic, body, headers=headers, **how)


def outcomes(answer):
    return [(result["status"], result["body"].get("code") or result["body"].get("status"))
            for result in answer.body["results"]]


def item(account, amount, **more):
    return {"account": account, "amount": amount, **more}


@pytest.mark.parametrize("lines", [False, True], ids=["array", "lines"])
def test_each_item_is_answered_as_the_single_call_would_be(shared, account, lines):
    """BILL-10: in the order of the request, each with its own outcome."""
    topup(shared, account, 100)
    answer = post(shared, [item(account, 30, reference="one"), item(account, 71), item("nobody.there", 1),
                           item(account, 0), item(account, 70, mode="now"), item(account, 1)], lines=lines)
    assert answer.status == 200 and set(answer.body) == BATCH
    assert outcomes(answer) == [(201, "settled"), (402, "insufficient_funds"), (404, "account_not_found"),
                                (422, "invalid"), (201, "settled"), (402, "insufficient_funds")]
    assert (answer.body["succeeded"], answer.body["failed"]) == (2, 4)
    first, last = answer.body["results"][0]["body"], answer.body["results"][4]["body"]
    assert set(first) == CHARGE and set(last) == CHARGE
    assert (first["account"], first["amount"], first["reference"], first["balance"]) == (account, 30, "one", 70)
    assert last["balance"] == 0 and first["id"] < last["id"]
    refused = answer.body["results"][3]["body"]
    assert [error["pointer"] for error in refused["errors"]] == ["/amount"]
    assert shared.get(f"/v1/charges/{first['id']}").body["amount"] == 30
    assert balance(shared, account) == 0


def test_all_kinds_of_wrong_items_leave_the_others_alone(shared, account):
    topup(shared, account, 100)
    wrong = [{"account": account}, {"amount": 5}, item(account, 1, tip=5), item(account, "5"), item(account, 1.5),
             item("@revenue", 1), item(account, 1, mode="later"), item(account, 1, idempotency_key=""), 5, None, [],
             item(account, 1, reference=5)]
    mixed = [one for bad in wrong for one in (bad, item(account, 1))]
    answer = post(shared, mixed)
    assert answer.status == 200
    assert [status for status, _ in outcomes(answer)][1::2] == [201] * len(wrong)
    assert set(status for status, _ in outcomes(answer)[::2]) <= {400, 422}
    assert answer.body["results"][4]["body"]["code"] == "unknown_field"
    assert balance(shared, account) == 100 - len(wrong)


@pytest.mark.parametrize("lines", [False, True], ids=["array", "lines"])
def test_atomic_is_all(shared, account, lines):
    """BILL-10: or all-or-nothing."""
    topup(shared, account, 100)
    answer = post(shared, [item(account, 30), item(account, 70)], atomic=True, lines=lines)
    assert answer.status == 200 and set(answer.body) == BATCH
    assert outcomes(answer) == [(201, "settled")] * 2
    assert [result["body"]["balance"] for result in answer.body["results"]] == [70, 0]
    assert (answer.body["succeeded"], answer.body["failed"]) == (2, 0)
    assert balance(shared, account) == 0


def test_atomic_is_or_nothing(smsd):
    """BILL-10: one that fails takes all with it, and the answer says for each what it would have been."""
    topup(smsd, "A", 100)
    topup(smsd, "B", 100)
    before = smsd.get("/v1/audit").body
    answer = post(smsd, [item("A", 60, idempotency_key="a1"), item("B", 5), item("A", 41), item("A", 40, mode="queued"),
                         item("C", 1)], atomic=True)
    assert answer.status == 409 and answer.code == "batch_failed"
    assert outcomes(answer) == [(201, "settled"), (201, "settled"), (402, "insufficient_funds"), (202, "queued"),
                                (404, "account_not_found")]
    for account in ("A", "B"):
        shown = smsd.get(f"/v1/accounts/{account}").body
        assert (shown["balance"], shown["pending"], shown["available"]) == (100, 0, 100)
        assert len(smsd.get(f"/v1/accounts/{account}/entries").body["data"]) == 1
    for result in answer.body["results"][:2]:
        assert smsd.get(f"/v1/charges/{result['body']['id']}").status == 404
    after = smsd.get("/v1/audit").body
    assert {**before, "checked_at": 0} == {**after, "checked_at": 0}
    again = post(smsd, [item("A", 7, idempotency_key="a1")])
    assert outcomes(again) == [(201, "settled")], "a key of a batch that was not done is free"
    smsd.advance(60)
    assert smsd.get("/v1/accounts/A").body["balance"] == 93


@pytest.mark.parametrize("bad", ["{", '{"account":"A","amount":1', "null", '{"account":"A","amount":0}', '{"a":1}'])
def test_atomic_with_an_item_that_is_no_charge_is_nothing(shared, account, bad):
    topup(shared, account, 100)
    answer = post(shared, [item(account, 1), bad, item(account, 1)], atomic=True, lines=True)
    assert answer.status in (400, 409, 422)
    assert balance(shared, account) == 100


def test_atomic_counts_what_its_own_items_have_taken(shared, account):
    topup(shared, account, 100)
    assert post(shared, [item(account, 60), item(account, 41)], atomic=True).status == 409
    assert post(shared, [item(account, 60, mode="queued"), item(account, 41)], atomic=True).status == 409
    assert balance(shared, account) == 100
    assert post(shared, [item(account, 60), item(account, 40)], atomic=True).status == 200
    assert balance(shared, account) == 0


@pytest.mark.parametrize("atomic", [False, True], ids=["one_by_one", "atomic"])
def test_ten_thousand_items_are_one_batch(smsd, atomic):
    """BILL-10: up to 10,000 charges in one request, and each of its items as large as it may be."""
    topup(smsd, "A", 10 ** 9)
    items = [item("A", number % 7 + 1, reference=f"{number:0128}", idempotency_key=f"{number:064}")
             for number in range(ITEMS_MAX)]
    answer = post(smsd, items, atomic=atomic)
    assert answer.status == 200
    assert (answer.body["succeeded"], answer.body["failed"]) == (ITEMS_MAX, 0)
    bodies = [result["body"] for result in answer.body["results"]]
    assert [body["amount"] for body in bodies] == [one["amount"] for one in items]
    assert [body["reference"] for body in bodies] == [one["reference"] for one in items]
    ids = [body["id"] for body in bodies]
    assert ids == sorted(ids) and len(set(ids)) == ITEMS_MAX
    assert balance(smsd, "A") == bodies[-1]["balance"] == 10 ** 9 - sum(one["amount"] for one in items)
    again = post(smsd, items, atomic=atomic)
    assert again.body == answer.body, "under the same keys each item is the same charge"
    assert smsd.get("/v1/audit").body["ok"] is True


@pytest.mark.parametrize("lines", [False, True], ids=["array", "lines"])
@pytest.mark.parametrize("atomic", [False, True], ids=["one_by_one", "atomic"])
def test_one_item_too_many_does_nothing(shared, account, lines, atomic):
    """BILL-10: up to 10,000, not one more."""
    topup(shared, account, 10 ** 6)
    answer = post(shared, [item(account, 1)] * (ITEMS_MAX + 1), atomic=atomic, lines=lines)
    assert answer.status in (413, 422), answer
    assert balance(shared, account) == 10 ** 6


@pytest.mark.parametrize("bad", ["{", "}", "x", '{"account":"A","amount":}', '{"account":"A" "amount":1}', "[1,2",
                                 '{"account":"A","amount":1}}', '"', '{"account":"\\u00', "{'account':'A'}"])
def test_a_malformed_line_is_its_own_affair(shared, account, bad):
    """BILL-10: a malformed item in the middle."""
    topup(shared, account, 100)
    answer = post(shared, [item(account, 1), bad, item(account, 2)], lines=True)
    assert answer.status == 200
    assert outcomes(answer) == [(201, "settled"), (400, "malformed_json"), (201, "settled")]
    assert balance(shared, account) == 97


def test_an_empty_line_is_no_item(shared, account):
    topup(shared, account, 100)
    one = json.dumps(item(account, 1))
    answer = shared.post("/v1/charges/batch", f"\n{one}\r\n\n  {one}  \n{one}",
                         headers={"Content-Type": "application/x-ndjson"})
    assert answer.status == 200 and outcomes(answer) == [(201, "settled")] * 3
    assert balance(shared, account) == 97


@pytest.mark.parametrize("body", ["", "[", "]", "[%s", "[%s,", "[%s,]", "[,%s]", "[%s]]", "[%s] x", "[%s][%s]", "%s",
                                  "[%s,,%s]", "[%s %s]", '"%s"', "null", "[%s}", "{%s}"])
def test_a_malformed_array_does_nothing(shared, account, body):
    """BILL-10: what is no array is refused whole."""
    topup(shared, account, 100)
    one = json.dumps(item(account, 1))
    answer = shared.post("/v1/charges/batch", body.replace("%s", one))
    if answer.status == 200:  # taken for an array of which some items are malformed
        assert body.startswith("[") and answer.body["failed"] > 0
        assert balance(shared, account) == 100 - answer.body["succeeded"]
    else:
        assert answer.status in (400, 422), answer
        assert balance(shared, account) == 100


def test_a_key_of_an_item_charges_once(shared, account):
    """BILL-9, BILL-10: each item's own idempotency_key does for the item what the header does for a call."""
    topup(shared, account, 100)
    first = post(shared, [item(account, 10, idempotency_key=f"{account}-1"), item(account, 20)])
    again = post(shared, [item(account, 20), item(account, 10, idempotency_key=f"{account}-1")])
    assert first.body["results"][0] == again.body["results"][1]
    assert balance(shared, account) == 100 - 10 - 20 - 20
    other = post(shared, [item(account, 11, idempotency_key=f"{account}-1"), item(account, 1)])
    assert outcomes(other) == [(422, "idempotency_key_reused"), (201, "settled")]
    twice = post(shared, [item(account, 5, idempotency_key=f"{account}-2"), item(account, 5, idempotency_key=f"{account}-2")])
    assert twice.body["results"][0] == twice.body["results"][1]
    assert balance(shared, account) == 44


def test_a_refused_item_is_refused_again_under_its_key(shared, account):
    topup(shared, account, 10)
    asked = [item(account, 11, idempotency_key=f"{account}-1")]
    assert outcomes(post(shared, asked)) == [(402, "insufficient_funds")]
    topup(shared, account, 10)
    assert outcomes(post(shared, asked)) == [(402, "insufficient_funds")]
    assert balance(shared, account) == 20


def test_keys_of_items_belong_to_the_api_key(shared, account):
    topup(shared, account, 100)
    _, other = new_key(shared, "billing")
    asked = [item(account, 10, idempotency_key=f"{account}-1")]
    mine, theirs = post(shared, asked), post(shared, asked, key=other)
    assert mine.body["results"][0]["body"]["id"] != theirs.body["results"][0]["body"]["id"]
    assert balance(shared, account) == 80


@pytest.mark.parametrize("lines", [False, True], ids=["array", "lines"])
@pytest.mark.parametrize("atomic", [False, True], ids=["one_by_one", "atomic"])
def test_the_whole_batch_is_replayed_under_its_key(smsd, lines, atomic):
    """BILL-9, BILL-10: the first answer, status and body, also after a kill."""
    topup(smsd, "A", 100)
    items = [item("A", 10), item("A", 10), item("A", 20, mode="queued"), item("A", 5, idempotency_key="own")]
    how = {"atomic": atomic, "lines": lines, "idempotency": "B1"}
    if not atomic:
        items += [item("A", 1000), item("nobody", 1)]
    first = post(smsd, items, **how)
    assert first.status == 200 and first.body["succeeded"] == 4 and not first.replayed
    assert first.body["results"][0]["body"]["id"] != first.body["results"][1]["body"]["id"]
    topup(smsd, "A", 5000)
    again = post(smsd, items, **how)
    assert again.replayed and (again.status, again.raw) == (first.status, first.raw)
    other = post(smsd, items[:-1], **how)
    assert other.status == 422 and other.code == "idempotency_key_reused"
    smsd.kill9()
    smsd.start()
    again = post(smsd, items, **how)
    assert again.replayed and (again.status, again.raw) == (first.status, first.raw)
    smsd.advance(60)
    assert balance(smsd, "A") == 5055


def test_a_failed_atomic_batch_is_replayed_under_its_key(smsd):
    """BILL-9, BILL-10: a refusal is kept and replayed, also when it would be granted now, also after a kill."""
    topup(smsd, "A", 100)
    items = [item("A", 60, idempotency_key="own"), item("A", 60), item("A", 0), item("nobody", 1),
             item("A", 10, mode="queued")]
    first = post(smsd, items, atomic=True, idempotency="B1")
    assert first.status == 409 and first.code == "batch_failed" and not first.replayed
    topup(smsd, "A", 100)
    topup(smsd, "nobody", 100)
    again = post(smsd, items, atomic=True, idempotency="B1")
    assert again.replayed and (again.status, again.raw) == (first.status, first.raw)
    smsd.kill9()
    smsd.start()
    again = post(smsd, items, atomic=True, idempotency="B1")
    assert again.replayed and (again.status, again.raw) == (first.status, first.raw)
    other = post(smsd, items[:1], atomic=True, idempotency="B1")
    assert other.status == 422 and other.code == "idempotency_key_reused"
    assert balance(smsd, "A") == 200
    done = post(smsd, [items[0], items[1]], atomic=True, idempotency="B2")
    assert done.status == 200 and not done.replayed and balance(smsd, "A") == 80
    smsd.advance(24 * 3600)
    again = post(smsd, items, atomic=True, idempotency="B1")
    assert again.status == 409 and not again.replayed


def test_a_refused_batch_leaves_its_key_free(smsd):
    topup(smsd, "A", 100)
    assert smsd.post("/v1/charges/batch", "[", idempotency="B1").status == 400
    assert post(smsd, [item("A", 1)] * (ITEMS_MAX + 1), idempotency="B2").status in (413, 422)
    answer = post(smsd, [item("A", 1)], idempotency="B2")
    assert answer.status == 200 and not answer.replayed
    assert balance(smsd, "A") == 99


def test_queued_items_are_queued(tmp_path):
    """BILL-2, BILL-10: `mode:"queued"` in a batch."""
    smsd = Smsd(tmp_path, options=["--charges-drain-interval-ms", "3600000"]).start()
    topup(smsd, "A", 100)
    answer = post(smsd, [item("A", 30, mode="queued"), item("A", 20), item("A", 50, mode="queued"),
                         item("A", 1, mode="queued")])
    assert outcomes(answer) == [(202, "queued"), (201, "settled"), (202, "queued"), (402, "insufficient_funds")]
    shown = smsd.get("/v1/accounts/A").body
    assert (shown["balance"], shown["pending"], shown["available"]) == (80, 80, 0)
    smsd.advance(3600)
    rows = smsd.get("/v1/accounts/A/entries").body["data"]
    assert [(row["amount"], row["count"]) for row in rows] == [(-80, 2), (-20, 1), (100, 1)]
    for place in (0, 2):
        shown = smsd.get(f"/v1/charges/{answer.body['results'][place]['body']['id']}").body
        assert (shown["status"], shown["entry"]) == ("settled", rows[0]["id"])
    smsd.close()


def test_a_batch_of_many_accounts(shared):
    names = [f"batch.user.{number}" for number in range(200)]
    for answer in shared.pipeline([("POST", f"/v1/accounts/{name}/topups", {"amount": 100}) for name in names]):
        assert answer.status == 201
    answer = post(shared, [item(name, 1 + number % 3) for number in range(10) for name in names])
    assert answer.body["succeeded"] == 2000
    found = shared.post("/v1/accounts/lookup", {"accounts": names}).body["data"]
    assert {row["balance"] for row in found} == {100 - sum(1 + number % 3 for number in range(10))}


def test_a_large_batch_holds_nobody_up(smsd):
    """BILL-10: others are served while it runs."""
    topup(smsd, "A", 10 ** 9)
    topup(smsd, "B", 10 ** 9)
    done = []
    batch = threading.Thread(target=lambda: done.append(post(smsd, [item("A", 1)] * ITEMS_MAX)))
    batch.start()
    served = 0
    while not done:
        assert smsd.post("/v1/charges", item("B", 1)).status == 201
        served += not done
    batch.join()
    assert done[0].body["succeeded"] == ITEMS_MAX
    assert served > 0, "nothing was served before the batch was over"


def test_a_batch_that_was_cut_off_by_a_kill_is_finished_under_its_key(tmp_path):
    """BILL-10, OPS-7: whatever of it was done is not done again."""
    smsd = Smsd(tmp_path).start()
    items = [item(f"A{number % 5}", 1 + number % 3) for number in range(ITEMS_MAX)]
    for number in range(5):
        topup(smsd, f"A{number}", 10 ** 6)
    for turn, seconds in enumerate((0.0, 0.02, 0.05, 0.1, 0.2)):
        expected = {f"A{number}": balance(smsd, f"A{number}") for number in range(5)}
        sender = threading.Thread(target=send_quietly, args=(smsd, items, f"B{turn}"))
        sender.start()
        time.sleep(seconds)
        smsd.kill9()
        sender.join()
        smsd.start()
        answer = post(smsd, items, idempotency=f"B{turn}")
        assert answer.status == 200 and answer.body["succeeded"] == ITEMS_MAX
        assert len({result["body"]["id"] for result in answer.body["results"]}) == ITEMS_MAX
        for one in items:
            expected[one["account"]] -= one["amount"]
        assert {name: balance(smsd, name) for name in expected} == expected
    smsd.close()


def send_quietly(smsd, items, key):
    try:
        post(smsd, items, idempotency=key)
    except OSError:
        pass  # it was killed, as it should be


@pytest.mark.parametrize("query", ["atomic=yes", "atomic=", "atomic=1", "atomik=true"])
def test_a_query_that_is_wrong_does_nothing(shared, account, query):
    topup(shared, account, 100)
    answer = post(shared, [item(account, 1)], path=f"/v1/charges/batch?{query}")
    assert answer.status == 422
    assert balance(shared, account) == 100


def test_another_media_type_is_refused(shared, account):
    topup(shared, account, 100)
    answer = shared.post("/v1/charges/batch", json.dumps([item(account, 1)]), headers={"Content-Type": "text/csv"})
    assert answer.status == 415
    assert balance(shared, account) == 100
