"""The history of an account, from every side (BILL-11): pages, filters, the balance at a past moment, each
held against a list of what was done."""

import random

import pytest

from contract import pages, topup

SECOND = 1000


def do(smsd, account, number):
    """One movement of the account, of a kind that follows from its number. What its answer says of it."""
    kind = number % 5
    if kind in (0, 1):
        answer = smsd.post(f"/v1/accounts/{account}/topups", {"amount": 50 + number})
    elif kind == 2:
        answer = smsd.post(f"/v1/accounts/{account}/payouts", {"amount": 3})
    elif kind == 3:
        answer = smsd.post("/v1/charges", {"account": account, "amount": 7, "reference": f"r{number}"})
    else:
        answer = smsd.post("/v1/transfers", {"from": account, "to": "other", "amount": 2})
    assert answer.status == 201, answer
    body = answer.body
    return {"balance": body.get("from_balance", body.get("balance")),
            "type": ("topup", "topup", "payout", "charge", "transfer")[kind]}


def history(smsd, account, count, advance=None):
    """Makes that many movements; the entries as the whole list shows them, oldest first."""
    told = []
    for number in range(count):
        told.append(do(smsd, account, number))
        if advance and number % advance == advance - 1:
            smsd.advance(60)
    rows = pages(smsd, f"/v1/accounts/{account}/entries", 500)[::-1]
    assert [{name: row[name] for name in ("balance", "type")} for row in rows] == told
    return rows


def page(smsd, account, **query):
    answer = smsd.get(f"/v1/accounts/{account}/entries?" + "&".join(f"{name}={value}" for name, value in query.items()))
    assert answer.status == 200, answer
    return answer.body


def all_of(smsd, account, limit, **query):
    """Every row of a filtered list, page by page; a page may be partial, or even empty, and have a next."""
    rows, after = [], {}
    for _ in range(100000):
        body = page(smsd, account, limit=limit, **query, **after)
        assert len(body["data"]) <= limit
        rows += body["data"]
        if body["next"] is None:
            return rows
        after = {"after": body["next"]}
    raise AssertionError("the pages do not end")


def balance_at(smsd, account, at):
    answer = smsd.get(f"/v1/accounts/{account}/balance?at={at}")
    assert answer.status == 200, answer
    assert set(answer.body) == {"account", "at", "balance"}
    return answer.body["balance"]


def test_a_history_adds_up(smsd):
    """BILL-11: each entry's balance is the one before it and its amount."""
    before = 0
    for row in history(smsd, "A", 150):
        before += row["amount"]
        assert row["balance"] == before
    assert smsd.get("/v1/accounts/A").body["balance"] == before


@pytest.mark.parametrize("limit", [1, 7, 64, 149, 150, 151, 500])
def test_pages_of_any_size_are_the_same_list(smsd, limit):
    rows = history(smsd, "A", 150)
    assert all_of(smsd, "A", limit) == rows[::-1]
    assert all_of(smsd, "A", limit, type="charge") == [row for row in rows[::-1] if row["type"] == "charge"]


def test_filters_are_what_they_say(smsd):
    """BILL-11: by type and time, alone and together."""
    rows = history(smsd, "A", 200, advance=3)[::-1]
    times = sorted({row["created_at"] for row in rows})
    dice = random.Random(3)
    for _ in range(60):
        query, wanted = {}, rows
        if dice.random() < 0.6:
            query["created_from"] = dice.choice(times)
            wanted = [row for row in wanted if row["created_at"] >= query["created_from"]]
        if dice.random() < 0.6:
            query["created_to"] = dice.choice(times)
            wanted = [row for row in wanted if row["created_at"] < query["created_to"]]
        if dice.random() < 0.6:
            query["type"] = dice.choice(["topup", "payout", "charge", "transfer", "refund", "packet_send"])
            wanted = [row for row in wanted if row["type"] == query["type"]]
        assert all_of(smsd, "A", dice.choice([3, 50, 500]), **query) == wanted, query


def test_entries_made_between_pages_move_nothing(smsd):
    """BILL-11: cursors are stable under inserts."""
    rows = history(smsd, "A", 60)[::-1]
    seen, after, number = [], {}, 1000
    while True:
        body = page(smsd, "A", limit=7, **after)
        seen += body["data"]
        if body["next"] is None:
            break
        after = {"after": body["next"]}
        for _ in range(9):
            do(smsd, "A", number)
            number += 1
    assert seen == rows
    filtered, after = [], {}
    while True:
        body = page(smsd, "A", limit=4, type="payout", created_to=rows[0]["created_at"], **after)
        filtered += body["data"]
        if body["next"] is None:
            break
        after = {"after": body["next"]}
        do(smsd, "A", 2)
    assert filtered == [row for row in rows if row["type"] == "payout" and row["created_at"] < rows[0]["created_at"]]


def test_cursors_survive_a_restart(smsd):
    rows = history(smsd, "A", 30)[::-1]
    first = page(smsd, "A", limit=10)
    smsd.kill9()
    smsd.start()
    do(smsd, "A", 0)
    second = page(smsd, "A", limit=10, after=first["next"])
    smsd.restart()
    third = page(smsd, "A", limit=10, after=second["next"])
    assert first["data"] + second["data"] + third["data"] == rows and third["next"] is None


def test_a_cursor_of_another_account_shows_nothing_of_it(smsd):
    topup(smsd, "A", 1)
    topup(smsd, "A", 2)
    topup(smsd, "B", 3)
    topup(smsd, "B", 4)
    after = page(smsd, "A", limit=1)["next"]
    answer = smsd.get(f"/v1/accounts/B/entries?limit=10&after={after}")
    assert answer.status == 422 or all(row["account"] == "B" for row in answer.body["data"])


def test_rare_entries_are_found_behind_many_others(smsd):
    """BILL-11: a filter that matches little; a page may then be partial, and the pages still make the list."""
    topup(smsd, "A", 10 ** 6)
    assert smsd.post("/v1/accounts/A/payouts", {"amount": 1}).status == 201
    for _ in range(6):
        items = [{"account": "A", "amount": 1}] * 2000
        assert smsd.post("/v1/charges/batch", items).body["succeeded"] == 2000
    topup(smsd, "A", 5)
    assert [row["amount"] for row in all_of(smsd, "A", 50, type="topup")] == [5, 10 ** 6]
    assert [row["amount"] for row in all_of(smsd, "A", 1, type="payout")] == [-1]
    assert all_of(smsd, "A", 500, type="refund") == []
    rows = all_of(smsd, "A", 500)
    assert len(rows) == 12003 and len({row["id"] for row in rows}) == 12003


def test_the_balance_at_every_moment(smsd):
    """BILL-11: the balance at a past moment, whatever happened since, across marks, restarts and kills."""
    rows = history(smsd, "A", 330, advance=2)
    smsd.restart()
    for number in range(40):
        do(smsd, "B", number)
    smsd.kill9()
    smsd.start()
    wanted = {}
    for row in rows:
        wanted[row["created_at"]] = row["balance"]  # the last one of that millisecond
    for at, balance in wanted.items():
        assert balance_at(smsd, "A", at) == balance, at
    assert balance_at(smsd, "A", "2021-01-01T00:00:00Z") == 0
    assert balance_at(smsd, "A", "2999-01-01T00:00:00.000Z") == rows[-1]["balance"]
    moments = sorted(wanted)
    for before, after in zip(moments, moments[1:]):
        just_before = earlier(after)
        if before < just_before < after:
            assert balance_at(smsd, "A", just_before) == wanted[before], just_before


def earlier(time):
    """A millisecond before, where that is within the same second; otherwise the time itself."""
    milliseconds = int(time[20:23])
    return f"{time[:20]}{milliseconds - 1:03}Z" if milliseconds > 0 else time


def test_a_moment_may_be_written_as_rfc_3339_has_it(smsd):
    made = topup(smsd, "A", 100)["created_at"]
    smsd.advance(3600)
    topup(smsd, "A", 1)
    assert balance_at(smsd, "A", made) == 100
    assert balance_at(smsd, "A", made.replace("Z", "%2B00:00")) == 100
    assert smsd.get("/v1/accounts/A/balance").body["balance"] == 101


@pytest.mark.parametrize("at", ["yesterday", "2026-13-01T00:00:00Z", "1700000000", "", "2026-01-01"])
def test_what_is_no_time_is_refused(shared, account, at):
    topup(shared, account, 1)
    assert shared.get(f"/v1/accounts/{account}/balance?at={at}").status == 422


def test_drains_refunds_and_captures_are_in_the_history(smsd):
    """BILL-11, BILL-4: `count` says how many charges an entry covers, `source` where it comes from."""
    topup(smsd, "A", 1000)
    queued = [smsd.post("/v1/charges", {"account": "A", "amount": amount, "mode": "queued"}).body for amount in (1, 2)]
    smsd.advance(60)
    smsd.advance(1)  # else what comes next may be of the drain's millisecond
    held = smsd.post("/v1/holds", {"account": "A", "amount": 50}).body
    assert smsd.post(f"/v1/holds/{held['id']}/capture", {"amount": 40}).status == 200
    refunded = smsd.post(f"/v1/charges/{queued[1]['id']}/refunds", {}).body
    sent = smsd.post("/v1/transfers", {"from": "A", "to": "B", "amount": 5, "reference": "lunch"}).body
    rows = page(smsd, "A", limit=10)["data"]
    assert [(row["type"], row["amount"], row["count"]) for row in rows] == [
        ("transfer", -5, 1), ("refund", 2, 1), ("charge", -40, 1), ("charge", -3, 2), ("topup", 1000, 1)]
    assert [row["source"] for row in rows[:3]] == [sent["id"], queued[1]["id"], held["id"]]
    assert rows[1]["id"] == refunded["id"] and rows[0]["reference"] == "lunch"
    shown = smsd.get(f"/v1/charges/{queued[0]['id']}").body
    assert shown["entry"] == rows[3]["id"]
    assert balance_at(smsd, "A", rows[3]["created_at"]) == 997
