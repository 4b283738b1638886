"""Money is neither lost nor made: 64 clients with every kind of command, smsd killed among them again and again
(BILL-3, BILL-9, BILL-12, OPS-7). SMSD_KILLS sets how often, SMSD_SEED what the dice say."""

import collections
import os
import random
import time

from contract import pages
from smsd import Smsd
from traffic import ACCOUNTS, HOLD_SECONDS, Traffic, expected_balances

KILLS = int(os.environ.get("SMSD_KILLS", "12"))


def come_to_rest(smsd):
    """Every account active, every queue drained, every hold captured, released or expired."""
    for number in range(ACCOUNTS):
        assert smsd.patch(f"/v1/accounts/acc{number}", {"status": "active"}).status == 200
    smsd.advance(HOLD_SECONDS + 1)
    smsd.advance(1)


def check_accounts(smsd, traffic):
    """Each account has exactly what the answers say; the entries that lead there, by id."""
    entries = {}
    for name, balance in expected_balances(traffic).items():
        shown = smsd.get(f"/v1/accounts/{name}").body
        assert (shown["balance"], shown["held"], shown["pending"]) == (balance, 0, 0), name
        rows = pages(smsd, f"/v1/accounts/{name}/entries", 500)
        assert sum(row["amount"] for row in rows) == balance
        for row, before in zip(rows, [*rows[1:], None]):
            assert row["balance"] - row["amount"] == (before["balance"] if before else 0), row
        for row in rows:
            assert row["id"] not in entries
            entries[row["id"]] = row
    return entries


def check_history(traffic, entries):
    """What was done is there once, and nothing else is."""
    done = collections.defaultdict(list)
    for kind, _, answer in traffic.done():
        done[kind].append(answer)
    by_type = collections.defaultdict(list)
    for row in entries.values():
        by_type[row["type"]].append(row)
    for kind, entry_type, others in (("topups", "topup", ACCOUNTS), ("payouts", "payout", 0), ("refunds", "refund", 0)):
        found = {row["id"] for row in by_type[entry_type]}
        assert {answer["id"] for answer in done[kind]} <= found
        assert len(done[kind]) + others == len(found)
    covered = sum(row["count"] for row in by_type["charge"])
    assert covered == len(done["charges"]) + len(done["capture"])
    assert len({answer["id"] for answer in done["charges"]}) == len(done["charges"])
    assert sorted(row["source"] for row in by_type["transfer"]) == \
        sorted(2 * [answer["id"] for answer in done["transfers"]])
    return done


def check_charges(smsd, done, entries, sample):
    """Each charge has its entry and says what of it was refunded."""
    refunded = collections.Counter()
    for answer in done["refunds"]:
        refunded[answer["source"]] += answer["amount"]
    charges = random.Random(1).sample(done["charges"], min(sample, len(done["charges"])))
    found = smsd.pipeline([("GET", f"/v1/charges/{one['id']}", None) for one in charges])
    for one, answer in zip(charges, found):
        shown = answer.body
        assert shown["status"] == "settled" and shown["amount"] == one["amount"]
        assert shown["reference"] == one["reference"] and shown["refunded"] == refunded[one["id"]]
        assert entries[shown["entry"]]["account"] == one["account"]


def test_nothing_is_lost_or_doubled_when_smsd_is_killed_under_all_kinds_of_commands(tmp_path):
    """BILL-12, OPS-7: the books are what the clients were told."""
    seed = int(os.environ.get("SMSD_SEED", time.time_ns() % 10 ** 6))
    print(f"SMSD_SEED={seed}")
    moments = random.Random(seed)
    smsd = Smsd(tmp_path, options=["--checkpoint-interval-ms", "150", "--charges-drain-interval-ms", "40",
                                   "--charges-drain-max", "25"], first_start=True).start()
    traffic = Traffic(smsd, seed=seed)
    for _ in range(KILLS):
        traffic.until_killed_after(moments.uniform(0.1, 0.7))
        smsd.start()
        traffic.settle()
        audit = smsd.get("/v1/audit").body
        assert audit["ok"] is True and audit["sum"] == 0, audit
    traffic.check_replays(300)
    come_to_rest(smsd)
    entries = check_accounts(smsd, traffic)
    done = check_history(traffic, entries)
    kinds = ("topups", "payouts", "charges", "transfers", "holds", "capture", "release", "refunds")
    assert all(done[kind] for kind in kinds), "some kind of command was never done"
    check_charges(smsd, done, entries, 400)
    audit = smsd.get("/v1/audit").body
    amounts = {kind: sum(row["amount"] for row in entries.values() if row["type"] == kind)
               for kind in ("topup", "payout", "charge", "refund", "transfer")}
    assert audit["ok"] is True and (audit["held"], audit["pending"]) == (0, 0)
    assert audit["world"] == -amounts["topup"] - amounts["payout"]
    assert audit["revenue"] == -amounts["charge"] - amounts["refund"] and amounts["transfer"] == 0
    print(f"{traffic.answered} requests, {len(entries)} entries")
    smsd.close()
