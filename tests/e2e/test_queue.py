"""Queued charges in numbers and races (BILL-2 to BILL-5); their stories are in stories/queue.story."""

import concurrent.futures
import random
import time

import pytest

from contract import CHARGE, balance, charge, pages, topup
from smsd import Smsd

DRAIN_MAX = 10000


def queue(smsd, account, amount, **more):
    return smsd.post("/v1/charges", {"account": account, "amount": amount, "mode": "queued", **more})


def queue_many(smsd, account, amounts):
    """In batches; the charges, in order."""
    made = []
    for start in range(0, len(amounts), 10000):
        items = [{"account": account, "amount": amount, "mode": "queued"} for amount in amounts[start:start + 10000]]
        answer = smsd.post("/v1/charges/batch", items)
        assert answer.status == 200 and answer.body["failed"] == 0
        made += [result["body"] for result in answer.body["results"]]
    return made


@pytest.fixture
def slow(tmp_path):
    """A smsd that drains an hour after the first charge of a queue: when its clock is moved."""
    smsd = Smsd(tmp_path, options=["--charges-drain-interval-ms", "3600000"]).start()
    yield smsd
    smsd.close()


def test_a_queued_charge_has_exactly_the_contracts_members(slow):
    """BILL-2: answered 202 at once."""
    topup(slow, "A", 100)
    answer = queue(slow, "A", 30, reference="order 17")
    assert answer.status == 202
    assert set(answer.body) == CHARGE
    assert (answer.body["account"], answer.body["amount"], answer.body["status"], answer.body["entry"]) == \
        ("A", 30, "queued", None)
    assert answer.body["id"].startswith("chg_") and answer.body["reference"] == "order 17"


def test_by_itself_a_queue_is_drained_soon(tmp_path):
    """BILL-5: within charges_drain_interval_ms of the first charge, with no clock to be moved by hand."""
    smsd = Smsd(tmp_path, test_clock=False).start()
    topup(smsd, "A", 100)
    made = queue(smsd, "A", 30).body
    deadline = time.monotonic() + 30
    while smsd.get(f"/v1/charges/{made['id']}").body["status"] == "queued":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert balance(smsd, "A") == 70
    smsd.close()


def test_what_became_due_while_it_was_down_is_drained_at_start(tmp_path):
    """BILL-2: the queue is durable, and so is its time."""
    smsd = Smsd(tmp_path, options=["--charges-drain-interval-ms", "300"], test_clock=False).start()
    topup(smsd, "A", 100)
    queue(smsd, "A", 30)
    smsd.kill9()
    time.sleep(0.4)
    smsd.start()
    deadline = time.monotonic() + 30
    while balance(smsd, "A") != 70:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    smsd.close()


def test_twenty_five_thousand_are_drained_in_sums(slow):
    """BILL-4: in sums of at most charges_drain_max charges, in order, each charge with its entry."""
    amounts = [1 + number % 9 for number in range(25000)]
    topup(slow, "A", sum(amounts) + 5)
    made = queue_many(slow, "A", amounts)
    assert slow.get("/v1/accounts/A").body["pending"] == sum(amounts)
    for _ in range(4):
        slow.advance(3600)
    entries = pages(slow, "/v1/accounts/A/entries?type=charge", 500)[::-1]
    assert [entry["count"] for entry in entries] == [DRAIN_MAX, DRAIN_MAX, 5000]
    for number, entry in enumerate(entries):
        assert -entry["amount"] == sum(amounts[number * DRAIN_MAX:(number + 1) * DRAIN_MAX])
    shown = slow.get("/v1/accounts/A").body
    assert (shown["balance"], shown["pending"], shown["available"]) == (5, 0, 5)
    places = sorted({0, 9999, 10000, 19999, 20000, 24999, *random.Random(5).sample(range(25000), 200)})
    found = slow.pipeline([("GET", f"/v1/charges/{made[place]['id']}", None) for place in places])
    for place, answer in zip(places, found):
        assert (answer.body["status"], answer.body["amount"]) == ("settled", amounts[place])
        assert answer.body["entry"] == entries[place // DRAIN_MAX]["id"]
    audit = slow.get("/v1/audit").body
    assert audit["ok"] is True and audit["revenue"] == sum(amounts) and audit["pending"] == 0


def test_an_account_with_much_queued_is_refunded_charge_by_charge(slow):
    """BILL-4, BILL-7: every charge still has its own id, status and reference."""
    topup(slow, "A", 10000)
    made = queue_many(slow, "A", [1 + number % 3 for number in range(300)])
    slow.advance(3600)
    for one in made[::7]:
        answer = slow.post(f"/v1/charges/{one['id']}/refunds", {})
        assert answer.status == 201 and answer.body["amount"] == one["amount"]
        assert answer.body["source"] == one["id"]
    for number, one in enumerate(made):
        refunded = slow.get(f"/v1/charges/{one['id']}").body["refunded"]
        assert refunded == (one["amount"] if number % 7 == 0 else 0)
    assert slow.get("/v1/audit").body["ok"] is True


def test_racing_charges_queued_and_not_never_overdraw(slow):
    """BILL-2, BILL-3: racing charges of both modes take exactly what is there."""
    topup(slow, "A", 100)

    def one(number):
        return queue(slow, "A", 7) if number % 2 else charge(slow, "A", 7)

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(one, range(96)))
    taken = [answer for answer in answers if answer.status in (201, 202)]
    assert len(taken) == 14
    assert {answer.code for answer in answers} - {None} == {"insufficient_funds"}
    assert slow.get("/v1/accounts/A").body["available"] == 2
    slow.advance(3600)
    assert balance(slow, "A") == 2


def test_the_order_of_the_queue_is_the_order_of_the_drains(tmp_path):
    """BILL-2: order within an account is kept, whatever comes in between."""
    smsd = Smsd(tmp_path, options=["--charges-drain-interval-ms", "3600000", "--charges-drain-max", "7"]).start()
    topup(smsd, "A", 10 ** 6)
    dice = random.Random(9)
    made = []
    for number in range(120):
        made.append(queue(smsd, "A", 1 + number).body["id"])
        if dice.random() < 0.1:
            charge(smsd, "A", 1)
        if dice.random() < 0.05:
            smsd.advance(3600)
        if dice.random() < 0.05:
            smsd.kill9()
            smsd.start()
        if dice.random() < 0.05:
            smsd.patch("/v1/accounts/A", {"status": "frozen"})
            smsd.advance(7200)
            smsd.patch("/v1/accounts/A", {"status": "active"})
    for _ in range(30):
        smsd.advance(3600)
    shown = [answer.body for answer in smsd.pipeline([("GET", f"/v1/charges/{number}", None) for number in made])]
    assert {one["status"] for one in shown} == {"settled"}
    entries = [one["entry"] for one in shown]
    assert entries == sorted(entries)
    rows = {row["id"]: row for row in pages(smsd, "/v1/accounts/A/entries?type=charge", 500)}
    for entry in set(entries):
        of_it = [one for one in shown if one["entry"] == entry]
        assert rows[entry]["count"] == len(of_it) <= 7
        assert -rows[entry]["amount"] == sum(one["amount"] for one in of_it)
    smsd.close()


def test_ten_thousand_queues_are_drained(slow):
    """BILL-5: many accounts with a charge each."""
    names = [f"q{number}" for number in range(10000)]
    for start in range(0, 10000, 500):
        answers = slow.pipeline([("POST", f"/v1/accounts/{name}/topups", {"amount": 10})
                                 for name in names[start:start + 500]])
        assert {answer.status for answer in answers} == {201}
    items = [{"account": name, "amount": 3, "mode": "queued"} for name in names]
    assert slow.post("/v1/charges/batch", items).body["succeeded"] == 10000
    assert slow.get("/v1/audit").body["pending"] == 30000
    slow.advance(3600)
    audit = slow.get("/v1/audit").body
    assert (audit["ok"], audit["pending"], audit["revenue"]) == (True, 0, 30000)
