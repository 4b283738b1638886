"""Thousands of users at once on red packets (PKT-14), and smsd killed in the middle. SMSD_CONNECTIONS sets
how many connections there are, SMSD_KILLS how many kills the last test makes."""

import collections
import os
import random
import time

import pytest

from contract import balance, topup
from rush import OPENING, Rush
from smsd import Smsd, variant

CONNECTIONS = int(os.environ.get("SMSD_CONNECTIONS", "3000" if variant() == "release" else "600"))
KILLS = int(os.environ.get("SMSD_KILLS", "10"))


def send(smsd, sender, amount, count, **fields):
    answer = smsd.post("/v1/packets", {"sender": sender, "amount": amount, "count": count, **fields})
    assert answer.status == 201, answer
    return answer.body


@pytest.fixture
def crowded(tmp_path):
    """A smsd that lets a user grab as often as a test wants."""
    server = Smsd(tmp_path, options=["--packets-grabs-per-minute", "100000"]).start()
    yield server
    server.close()


def test_everybody_at_once_on_one_packet(crowded):
    """PKT-14: 3,000 users at once on one packet of 1,000 shares: no over-issue, no lost share, no double grab.
    Each asks twice, and the second answer is the first one's."""
    shares = CONNECTIONS // 3
    topup(crowded, "A", 1000000)
    sent = send(crowded, "A", 1000000, shares)
    rush = Rush(crowded)
    rush.go([[(sent["id"], f"u{n}", {})] * 2 for n in range(CONNECTIONS)])
    by_user = collections.defaultdict(list)
    for told in rush.answers:
        by_user[told.user].append(told)
    assert len(by_user) == CONNECTIONS and all(len(both) == 2 for both in by_user.values())
    winners = {user: both for user, both in by_user.items() if both[0].status == 200}
    assert len(winners) == shares
    for first, second in winners.values():
        assert (first.body["outcome"], second.body["outcome"]) == ("grabbed", "already_grabbed")
        assert (first.body["amount"], first.body["share"]) == (second.body["amount"], second.body["share"])
    assert {told.body["code"] for user, both in by_user.items() if user not in winners for told in both} == \
        {"packet_empty"}
    credited = rush.check([sent])
    assert sum(credited.values()) == 1000000 and set(credited) == set(winners)
    assert crowded.get(f"/v1/packets/{sent['id']}").body["status"] == "empty"


def test_one_user_over_many_connections_gets_one_share(crowded):
    """PKT-5, PKT-14."""
    topup(crowded, "A", 1000)
    sent = send(crowded, "A", 1000, 100)
    rush = Rush(crowded)
    rush.go([[(sent["id"], f"u{n % 7}", {})] for n in range(CONNECTIONS)])
    outcomes = collections.Counter(told.body["outcome"] for told in rush.answers)
    assert outcomes == {"grabbed": 7, "already_grabbed": CONNECTIONS - 7}
    rush.check([sent])


def test_everybody_at_once_on_many_packets(crowded):
    """PKT-14: 1,000 packets at once, grabbed, reserved and opened; all money is accounted for, and what is
    left goes back."""
    count = CONNECTIONS // 3
    topup(crowded, "A", 100 * count)
    answers = crowded.pipeline([("POST", "/v1/packets", {"sender": "A", "amount": 100, "count": 5})] *
                               min(count, 1000))
    packets = [answer.body for answer in answers]
    assert {answer.status for answer in answers} == {201}
    chance = random.Random(3)
    plans = []
    for number in range(CONNECTIONS):
        plan, user = [], f"u{number}"
        for sent in chance.sample(packets, 3):
            plan += [(sent["id"], user, {}), (sent["id"], user, {})] if number % 3 else \
                [(sent["id"], user, {"open": False}), (sent["id"], user, OPENING if number % 2 else {})]
        plans.append(plan)
    rush = Rush(crowded)
    rush.go(plans)
    assert {told.body.get("outcome", told.body.get("code")) for told in rush.answers} <= \
        {"grabbed", "already_grabbed", "reserved", "packet_empty", "not_reserved"}
    credited = rush.check(packets)
    crowded.advance(86400)
    left = 100 * count - sum(credited.values())
    assert balance(crowded, "A") == left
    audit = crowded.get("/v1/audit").body
    assert audit["ok"] is True and audit["packets"] == 0
    assert crowded.post("/v1/jobs/packet_sweep/run").body["done"] == 0


def test_killed_in_the_middle_of_a_rush(tmp_path):
    """PKT-9, PKT-14, PKT-10: kill -9 while everybody grabs: no share lost, none doubled, each refund once."""
    seed = int(os.environ.get("SMSD_SEED", time.time_ns() % 10 ** 6))
    print(f"SMSD_SEED={seed}")
    chance = random.Random(seed)
    smsd = Smsd(tmp_path, options=["--packets-grabs-per-minute", "100000", "--checkpoint-interval-ms", "100"],
                first_start=True).start()
    topup(smsd, "A", 10 ** 9)
    rush, packets = Rush(smsd), []
    users = min(CONNECTIONS, 300)
    for _ in range(KILLS):
        packets += [send(smsd, "A", 10000, 100, expires_in=chance.choice((86400, 3600))) for _ in range(5)]
        plans = []
        for number in range(users):
            user = f"u{number}"
            plans.append([(sent["id"], user, fields)
                          for sent in chance.sample(packets[-5:], 5)
                          for fields in ([{}, {}] if number % 4 else [{"open": False}, OPENING])])
        rush.go(plans, kill_after=chance.uniform(0.0, 0.3))
        smsd.wait_end()
        smsd.start()
        rush.check(packets)
    assert len([told for told in rush.answers if told.status == 200]) > KILLS, "there was no rush to speak of"
    refunds_survive_a_kill(smsd, rush, packets)
    smsd.close()


def refunds_survive_a_kill(smsd, rush, packets):
    """Time passes for all of them, smsd is killed again, and each packet was refunded once."""
    credited = sum(rush.check(packets).values())
    smsd.advance(3600)
    smsd.kill9()
    smsd.start()
    smsd.advance(86400)
    smsd.kill9()
    smsd.start()
    rush.check(packets)
    assert balance(smsd, "A") == 10 ** 9 - credited
    refunds = [row for row in smsd.get("/v1/accounts/A/entries?type=packet_refund&limit=500").body["data"]]
    assert len({row["source"] for row in refunds}) == len(refunds)
    assert smsd.get("/v1/audit").body["packets"] == 0
    assert smsd.post("/v1/jobs/packet_sweep/run").body["done"] == 0
