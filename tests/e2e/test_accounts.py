"""Accounts: what they look like, lists, many at once, what is refused (BILL-6, BILL-7)."""

import pytest

from contract import ACCOUNT, ENTRY, LIST, balance, is_time, pages, topup


def test_an_account_has_exactly_the_contracts_members(shared, account):
    made = shared.post("/v1/accounts", {"id": account, "credit_limit": 7, "low_balance": 3})
    assert made.status == 201
    assert set(made.body) == ACCOUNT
    assert is_time(made.body["created_at"]) and is_time(made.body["updated_at"])
    got = shared.get(f"/v1/accounts/{account}")
    assert got.status == 200
    assert got.body == made.body


def test_available_is_balance_and_credit_less_what_is_set_apart(shared, account):
    """BILL-6: balance, held, pending and available."""
    shared.post("/v1/accounts", {"id": account, "credit_limit": 70})
    topup(shared, account, 100)
    shown = shared.get(f"/v1/accounts/{account}").body
    assert shown["available"] == shown["balance"] + shown["credit_limit"] - shown["held"] - shown["pending"] == 170


def test_a_top_up_answers_with_its_entry(shared, account):
    answer = shared.post(f"/v1/accounts/{account}/topups", {"amount": 100, "reference": "bank 1"})
    assert answer.status == 201
    entry = answer.body
    assert set(entry) == ENTRY
    assert (entry["account"], entry["type"], entry["amount"], entry["balance"]) == (account, "topup", 100, 100)
    assert entry["reference"] == "bank 1"
    assert entry["id"].startswith("ent_") and is_time(entry["created_at"])


def test_a_payout_answers_with_its_entry_and_the_money_goes_to_the_world(smsd):
    topup(smsd, "A", 100)
    answer = smsd.post("/v1/accounts/A/payouts", {"amount": 40, "reference": "bank 2"})
    assert answer.status == 201
    assert set(answer.body) == ENTRY
    assert (answer.body["type"], answer.body["amount"], answer.body["balance"]) == ("payout", -40, 60)
    assert answer.body["reference"] == "bank 2"
    audit = smsd.get("/v1/audit").body
    assert audit["world"] == -60 and audit["ok"] is True


@pytest.mark.parametrize("name", ["a", "A" * 64, "u-1_2.3:4@5+6", "0", "+8613800138000", "a@b.example"])
def test_an_account_may_be_named(shared, name):
    made = shared.post("/v1/accounts", {"id": name})
    assert made.status == 201 and made.body["id"] == name
    assert shared.get(f"/v1/accounts/{name}").body["id"] == name
    assert topup(shared, name, 5)["account"] == name


@pytest.mark.parametrize("name", ["", "A" * 65, "@world", "@mine", "a b", "a/b", "ä", "a\n", 5, None, ["a"]])
def test_an_account_may_not_be_named(shared, name):
    made = shared.post("/v1/accounts", {"id": name})
    assert made.status == 422 and made.code == "invalid"
    assert made.pointers == ["/id"]


def test_an_escaped_id_in_the_path_is_the_same_account(shared):
    topup(shared, "path@user+1", 5)
    assert shared.get("/v1/accounts/path%40user%2B1").body["id"] == "path@user+1"


def test_what_is_wrong_with_a_new_account_is_said_all_at_once(shared):
    made = shared.post("/v1/accounts", {"id": "a b", "credit_limit": -1, "low_balance": "x"})
    assert made.status == 422 and made.code == "invalid"
    assert made.pointers == ["/credit_limit", "/id", "/low_balance"]


@pytest.mark.parametrize("change, pointer", [
    ({"status": "closed"}, "/status"), ({"status": 1}, "/status"), ({"credit_limit": -1}, "/credit_limit"),
    ({"credit_limit": 1.5}, "/credit_limit"), ({"packets_blocked": "yes"}, "/packets_blocked"),
    ({"credit_limit": 9007199254740992}, "/credit_limit"),
])
def test_a_change_that_is_wrong_is_refused(shared, account, change, pointer):
    topup(shared, account, 5)
    before = shared.get(f"/v1/accounts/{account}").body
    answer = shared.patch(f"/v1/accounts/{account}", change)
    assert answer.status == 422 and answer.pointers == [pointer]
    assert shared.get(f"/v1/accounts/{account}").body == before


@pytest.mark.parametrize("member", ["id", "currency", "balance"])
def test_what_may_not_change_is_refused(shared, account, member):
    topup(shared, account, 5)
    assert shared.patch(f"/v1/accounts/{account}", {member: 5}).status == 422
    assert balance(shared, account) == 5


def test_a_change_shows_in_updated_at(smsd):
    created = smsd.post("/v1/accounts", {"id": "A"}).body
    smsd.advance(60)
    changed = smsd.patch("/v1/accounts/A", {"credit_limit": 5}).body
    assert changed["created_at"] == created["created_at"]
    assert changed["updated_at"] > created["updated_at"]


def test_the_list_is_newest_first_and_stable_under_inserts(smsd):
    names = [f"u{number}" for number in range(25)]
    for name in names:
        smsd.post("/v1/accounts", {"id": name})
    first = smsd.get("/v1/accounts?limit=10").body
    assert set(first) == LIST
    for name in ("late1", "late2"):
        smsd.post("/v1/accounts", {"id": name})
    second = smsd.get(f"/v1/accounts?limit=10&after={first['next']}").body
    third = smsd.get(f"/v1/accounts?limit=10&after={second['next']}").body
    seen = [row["id"] for page in (first, second, third) for row in page["data"] if row["id"][0] != "@"]
    assert seen == names[::-1]
    assert set(first["data"][0]) == ACCOUNT


def test_the_list_has_50_rows_unless_told_and_500_at_most(smsd):
    for number in range(60):
        smsd.post("/v1/accounts", {"id": f"u{number}"})
    assert len(smsd.get("/v1/accounts").body["data"]) == 50
    users = [row for row in pages(smsd, "/v1/accounts", 500) if row["id"][0] != "@"]
    assert len(users) == 60
    for limit in ("0", "501", "-1", "x", "1.5"):
        assert smsd.get(f"/v1/accounts?limit={limit}").status == 422, limit


def test_a_cursor_that_was_never_given_is_refused(shared):
    for path in ("/v1/accounts", "/v1/accounts/cursor.user/entries"):
        topup(shared, "cursor.user", 1)
        assert shared.get(f"{path}?after=nonsense%21").status == 422


def test_many_accounts_are_looked_up_at_once(shared):
    names = [f"many{number}" for number in range(1000)]
    for name in names[::100]:
        topup(shared, name, 7)
    answer = shared.post("/v1/accounts/lookup", {"accounts": names})
    assert answer.status == 200
    found = {row["id"]: row for row in answer.body["data"] if row and "balance" in row}
    assert set(found) == set(names[::100])
    assert all(set(row) == ACCOUNT and row["balance"] == 7 for row in found.values())


def test_more_than_a_thousand_are_refused(shared):
    answer = shared.post("/v1/accounts/lookup", {"accounts": [f"u{number}" for number in range(1001)]})
    assert answer.status == 422 and answer.pointers == ["/accounts"]


@pytest.mark.parametrize("name", ["@world", "@revenue", "@packets"])
def test_a_client_can_neither_open_nor_charge_nor_pay_a_system_account(smsd, name):
    """BILL-12: system accounts move only as the other side of a user's movement."""
    topup(smsd, "A", 100)
    smsd.post("/v1/charges", {"account": "A", "amount": 60})
    before = smsd.get("/v1/audit").body
    attempts = [
        smsd.post("/v1/accounts", {"id": name}),
        smsd.post("/v1/charges", {"account": name, "amount": 1}),
        smsd.post(f"/v1/accounts/{name}/topups", {"amount": 1}),
        smsd.post(f"/v1/accounts/{name}/payouts", {"amount": 1}),
        smsd.patch(f"/v1/accounts/{name}", {"status": "frozen"}),
        smsd.patch(f"/v1/accounts/{name}", {"credit_limit": 5}),
    ]
    assert all(400 <= answer.status < 500 for answer in attempts), attempts
    after = smsd.get("/v1/audit").body
    assert {**before, "checked_at": 0} == {**after, "checked_at": 0}
    assert after["revenue"] == 60
