"""Charges, their history, the audit, and what happens when many come at once (BILL-1, BILL-9, BILL-11)."""

import concurrent.futures

import pytest

from contract import (AMOUNT_MAX, AUDIT, CHARGE, ENTRY, balance, charge, is_time, new_key, pages, topup)


def test_a_charge_has_exactly_the_contracts_members(shared, account):
    """BILL-1: accepted over HTTP and answered with the resulting balance."""
    topup(shared, account, 100)
    made = shared.post("/v1/charges", {"account": account, "amount": 30, "reference": "order 17", "mode": "now"})
    assert made.status == 201
    body = made.body
    assert set(body) == CHARGE
    assert (body["account"], body["amount"], body["status"], body["balance"]) == (account, 30, "settled", 70)
    assert body["reference"] == "order 17"
    assert body["id"].startswith("chg_") and body["entry"].startswith("ent_") and is_time(body["created_at"])


def test_a_charge_without_reference_has_the_same_members(shared, account):
    topup(shared, account, 100)
    body = charge(shared, account, 1).body
    assert set(body) == CHARGE and not body["reference"]


def test_a_charge_is_found_by_its_id(shared, account):
    topup(shared, account, 100)
    made = charge(shared, account, 30).body
    got = shared.get(f"/v1/charges/{made['id']}")
    assert got.status == 200
    assert {name: got.body[name] for name in CHARGE - {"balance"}} == \
        {name: made[name] for name in CHARGE - {"balance"}}


@pytest.mark.parametrize("number", ["chg_0000000000001", "chg_zzzzzzzzzzzzz", "chg_", "nonsense", "ent_0000000000001"])
def test_a_charge_nobody_made_is_not_found(shared, number):
    answer = shared.get(f"/v1/charges/{number}")
    assert answer.status == 404


def test_an_entry_has_exactly_the_contracts_members(shared, account):
    """BILL-11: entries of an account."""
    topup(shared, account, 100)
    made = shared.post("/v1/charges", {"account": account, "amount": 30, "reference": "order 17"}).body
    entry = shared.get(f"/v1/accounts/{account}/entries").body["data"][0]
    assert set(entry) == ENTRY
    assert (entry["id"], entry["account"], entry["type"], entry["amount"], entry["balance"], entry["count"]) == \
        (made["entry"], account, "charge", -30, 70, 1)
    assert entry["reference"] == "order 17" and is_time(entry["created_at"])


def test_ids_sort_as_they_were_made(shared, account):
    topup(shared, account, 100)
    made = [charge(shared, account, 1).body["id"] for _ in range(20)]
    assert made == sorted(made) and len(set(made)) == 20


def test_a_long_history_is_paged_whole_and_without_repeats(shared, account):
    topup(shared, account, 1000)
    requests = [("POST", "/v1/charges", {"account": account, "amount": 1})] * 130
    assert {answer.status for answer in shared.pipeline(requests)} == {201}
    rows = pages(shared, f"/v1/accounts/{account}/entries", 50)
    assert [row["balance"] for row in rows] == list(range(870, 1001))
    assert len({row["id"] for row in rows}) == 131


def test_history_is_filtered_by_time(smsd):
    """BILL-11: filtered by type and time; created_from and created_to bound what is shown."""
    times = []
    for amount in (1, 2, 3):
        times.append(topup(smsd, "A", amount)["created_at"])
        smsd.advance(3600)
    charge(smsd, "A", 4)

    def amounts(query):
        answer = smsd.get(f"/v1/accounts/A/entries?{query}")
        assert answer.status == 200, answer
        return [row["amount"] for row in answer.body["data"]]

    assert amounts(f"created_from={times[1]}") == [-4, 3, 2]
    assert 1 in amounts(f"created_to={times[1]}") and 3 not in amounts(f"created_to={times[1]}")
    assert amounts(f"created_from={times[1]}&created_to={times[2]}&type=charge") == []
    assert amounts(f"created_from={times[1]}&type=topup") == [3, 2]
    assert amounts("created_to=2000-01-01T00:00:00Z") == []
    assert amounts("created_from=2999-01-01T00:00:00Z") == []


@pytest.mark.parametrize("query", ["type=tip", "created_from=yesterday", "created_to=2026-13-01T00:00:00Z", "limit=0"])
def test_a_filter_that_is_wrong_is_refused(shared, account, query):
    topup(shared, account, 1)
    assert shared.get(f"/v1/accounts/{account}/entries?{query}").status == 422


def test_the_audit_has_the_contracts_members_and_balances(smsd):
    """BILL-12: the balances of all accounts sum to zero; GET /v1/audit computes it."""
    topup(smsd, "A", 100)
    charge(smsd, "A", 30)
    audit = smsd.get("/v1/audit")
    assert audit.status == 200
    assert set(audit.body) >= AUDIT
    assert audit.body["ok"] is True and is_time(audit.body["checked_at"])
    assert {name: audit.body[name] for name in ("sum", "world", "revenue", "packets", "held", "pending")} == \
        {"sum": 0, "world": -100, "revenue": 30, "packets": 0, "held": 0, "pending": 0}


def test_a_repeat_is_the_first_answer_byte_for_byte(shared, account):
    """BILL-9: the same key and body replays the first answer."""
    topup(shared, account, 100)
    first = charge(shared, account, 30, idempotency="bytes-1")
    again = charge(shared, account, 30, idempotency="bytes-1")
    assert not first.replayed and again.replayed
    assert (again.status, again.raw) == (first.status, first.raw)
    refused = charge(shared, account, 500, idempotency="bytes-2")
    again = charge(shared, account, 500, idempotency="bytes-2")
    assert refused.status == 402 and again.replayed
    assert (again.status, again.raw) == (refused.status, refused.raw)


def test_one_key_racing_itself_charges_once(shared, account):
    """BILL-9: however many requests race under one key, one of them charges."""
    topup(shared, account, 1000)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: charge(shared, account, 10, idempotency="race"), range(64)))
    assert {answer.status for answer in answers} == {201}
    assert len({answer.body["id"] for answer in answers}) == 1
    assert sum(not answer.replayed for answer in answers) == 1
    assert balance(shared, account) == 990


def test_racing_charges_never_overdraw(shared, account):
    """BILL-3: one writer an account; racing charges take exactly what is there."""
    topup(shared, account, 100)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: charge(shared, account, 7), range(64)))
    settled = [answer for answer in answers if answer.status == 201]
    assert len(settled) == 14
    assert {answer.code for answer in answers} - {None} == {"insufficient_funds"}
    assert sorted(answer.body["balance"] for answer in settled) == [100 - 7 * n for n in range(14, 0, -1)]
    assert balance(shared, account) == 2


@pytest.mark.parametrize("key", ["k", "K" * 64, "a/b?c=d&\"'\\~!", "0"])
def test_an_idempotency_key_is_1_to_64_printable_characters(shared, account, key):
    topup(shared, account, 100)
    assert charge(shared, account, 1, idempotency=key).status == 201
    assert charge(shared, account, 1, idempotency=key).replayed
    assert balance(shared, account) == 99


@pytest.mark.parametrize("key", ["K" * 65, "caf\xe9", "a\tb"])
def test_another_idempotency_key_is_refused(shared, account, key):
    topup(shared, account, 100)
    answer = charge(shared, account, 1, idempotency=key)
    assert answer.status in (400, 422)
    assert balance(shared, account) == 100


def test_two_idempotency_keys_in_one_request_are_refused(shared, account):
    topup(shared, account, 100)
    answer, = shared.pipeline([("POST", "/v1/charges", {"account": account, "amount": 1},
                                ("Idempotency-Key: a", "Idempotency-Key: b"))])
    assert answer.status in (400, 422)
    assert balance(shared, account) == 100


def test_keys_of_a_disabled_api_key_are_not_shared_with_its_successor(shared, account):
    """BILL-9: keys belong to the API key that used them."""
    topup(shared, account, 100)
    _, first = new_key(shared, "billing")
    _, second = new_key(shared, "billing")
    assert charge(shared, account, 10, key=first, idempotency="mine").status == 201
    answer = charge(shared, account, 10, key=second, idempotency="mine")
    assert answer.status == 201 and not answer.replayed
    assert balance(shared, account) == 80


AMOUNTS_REFUSED = ["0", "-1", "1.0", "1e3", "1E0", "0.5", '"5"', "true", "null", "[1]", "{}", "9007199254740992",
                   "9223372036854775807", "9223372036854775808", "18446744073709551617", "1e400", "-0"]


@pytest.mark.parametrize("amount", AMOUNTS_REFUSED)
@pytest.mark.parametrize("call", ["charge", "topup", "payout"])
def test_an_amount_is_a_whole_number_from_1(shared, call, amount):
    topup(shared, "amounts", 1)
    before = balance(shared, "amounts")
    path = "/v1/charges" if call == "charge" else f"/v1/accounts/amounts/{call}s"
    member = '"account":"amounts",' if call == "charge" else ""
    answer = shared.post(path, f'{{{member}"amount":{amount}}}')
    assert answer.status == 422 and answer.pointers == ["/amount"], answer
    assert answer.code in ("invalid", "amount_out_of_range")
    assert balance(shared, "amounts") == before


@pytest.mark.parametrize("amount", ["01", "+1", "1.", ".5", "0x10", "NaN", "Infinity", "1_000", "--1", ""])
def test_what_is_no_json_number_is_malformed(shared, amount):
    answer = shared.post("/v1/charges", f'{{"account":"A","amount":{amount}}}')
    assert answer.status == 400 and answer.code == "malformed_json"


def test_the_largest_amount_is_exact_to_the_last_unit(smsd):
    assert topup(smsd, "A", AMOUNT_MAX)["balance"] == AMOUNT_MAX
    assert balance(smsd, "A") == AMOUNT_MAX
    made = charge(smsd, "A", AMOUNT_MAX)
    assert made.status == 201 and made.body["amount"] == AMOUNT_MAX and made.body["balance"] == 0
    assert smsd.get("/v1/audit").body["revenue"] == AMOUNT_MAX


def test_a_balance_never_leaves_its_range(smsd):
    topup(smsd, "A", AMOUNT_MAX - 5)
    answer = smsd.post("/v1/accounts/A/topups", {"amount": 6})
    assert answer.status == 422 and answer.code == "amount_out_of_range"
    assert balance(smsd, "A") == AMOUNT_MAX - 5
    assert topup(smsd, "A", 5)["balance"] == AMOUNT_MAX
    assert smsd.get("/v1/audit").body["ok"] is True
