"""Red packets: shapes, limits, proofs and exceptions that stories cannot say well (PKT-…)."""

import concurrent.futures
import datetime
import re
import time

import pytest

import split
from contract import AMOUNT_MAX, balance, is_time, new_key, pages, topup
from smsd import Smsd

PACKET = {"id", "sender", "kind", "split", "amount", "count", "remaining_amount", "remaining_count", "status",
          "group", "greeting", "commitment", "seed", "refunded_amount", "created_at", "expires_at", "emptied_at",
          "closed_at", "grabs"}
GRAB = {"packet", "user", "outcome", "amount", "share", "balance", "grabbed_at"}
GRAB_OF_PACKET = {"user", "amount", "share", "grabbed_at", "best"}
EXCEPTION = {"id", "type", "status", "subject", "account", "amount", "code", "attempts", "created_at", "tried_at",
             "closed_at"}


def send(smsd, sender, amount, count, **fields):
    answer = smsd.post("/v1/packets", {"sender": sender, "amount": amount, "count": count, **fields})
    assert answer.status == 201, answer
    return answer.body


def grab(smsd, packet, user, **fields):
    """The answer, whatever it is."""
    return smsd.post(f"/v1/packets/{packet}/grab", {"user": user, **fields})


def details(smsd, packet):
    answer = smsd.get(f"/v1/packets/{packet}")
    assert answer.status == 200, answer
    return answer.body


def job(smsd, name):
    return next(row for row in smsd.get("/v1/jobs").body["data"] if row["name"] == name)


def sweep(smsd):
    """How many lost packets the safety net has found by now, this very run included."""
    answer = smsd.post("/v1/jobs/packet_sweep/run")
    assert answer.status == 200, answer
    return answer.body["done"]


def test_a_packet_has_exactly_the_contracts_members(shared, account):
    """PKT-1, PKT-11."""
    topup(shared, account, 100)
    sent = send(shared, account, 100, 3, group="room.1", greeting="恭喜发财 🧧")
    assert set(sent) == PACKET and sent["grabs"] == []
    assert sent["id"].startswith("pkt_") and sent["greeting"] == "恭喜发财 🧧" and sent["group"] == "room.1"
    assert is_time(sent["created_at"]) and is_time(sent["expires_at"])
    assert re.fullmatch("[0-9a-f]{64}", sent["commitment"])
    assert details(shared, sent["id"]) == sent


def test_a_grab_has_exactly_the_contracts_members(shared, account, other):
    topup(shared, account, 100)
    packet = send(shared, account, 100, 1)["id"]
    answer = grab(shared, packet, other)
    assert answer.status == 200 and set(answer.body) == GRAB
    body = answer.body
    assert (body["packet"], body["user"], body["outcome"], body["amount"], body["share"], body["balance"]) == \
        (packet, other, "grabbed", 100, 1, 100)
    assert is_time(body["grabbed_at"])


def test_details_tell_who_got_what_and_whose_luck_was_best(shared, account):
    """PKT-11: who got what and when, best luck, time to empty."""
    topup(shared, account, 1000)
    packet = send(shared, account, 1000, 5)["id"]
    got = {}
    for number in range(5):
        assert not any(row["best"] for row in details(shared, packet)["grabs"]), "luck is told when all is settled"
        body = grab(shared, packet, f"{account}-{number}").body
        got[body["user"]] = body
    shown = details(shared, packet)
    assert shown["status"] == "empty" and is_time(shown["emptied_at"]) and is_time(shown["closed_at"])
    assert [row["share"] for row in shown["grabs"]] == [1, 2, 3, 4, 5]
    assert all(set(row) == GRAB_OF_PACKET for row in shown["grabs"])
    for row in shown["grabs"]:
        assert {name: row[name] for name in ("amount", "share", "grabbed_at")} == \
            {name: got[row["user"]][name] for name in ("amount", "share", "grabbed_at")}
    amounts = [row["amount"] for row in shown["grabs"]]
    assert sum(amounts) == 1000 and min(amounts) >= 1
    assert [row["best"] for row in shown["grabs"]] == [at == amounts.index(max(amounts)) for at in range(5)]


def test_details_of_a_large_packet_are_whole(smsd):
    """PKT-11: more grabs than one turn of the loop writes."""
    topup(smsd, "A", 10000)
    packet = send(smsd, "A", 10000, 1000)["id"]
    answers = smsd.pipeline([("POST", f"/v1/packets/{packet}/grab", {"user": f"u{n}"}) for n in range(1000)])
    assert {answer.status for answer in answers} == {200}
    grabs = details(smsd, packet)["grabs"]
    assert [(row["user"], row["amount"], row["share"]) for row in grabs] == \
        [(f"u{n}", answers[n].body["amount"], n + 1) for n in range(1000)]
    assert sum(row["best"] for row in grabs) == 1


def test_lists_are_paged_whole_and_without_repeats(shared, account, other):
    """PKT-11."""
    topup(shared, account, 1000)
    sent = [send(shared, account, 10, 1, group=f"{account}.g")["id"] for _ in range(23)]
    for packet in sent[::2]:
        grab(shared, packet, other)
    for query, expected in ((f"sender={account}", sent), (f"group={account}.g", sent), (f"user={other}", sent[::2])):
        rows = pages(shared, f"/v1/packets?{query}", 5)
        assert [row["id"] for row in rows] == expected[::-1]
    own = pages(shared, f"/v1/packets?user={other}", 500)
    assert all([(mine["user"], mine["amount"]) for mine in row["grabs"]] == [(other, 10)] for row in own)


@pytest.mark.parametrize("rule", ["double_mean", "gaussian"])
@pytest.mark.parametrize("amount, count", [(1000, 10), (7, 7), (2000000, 3), (101, 1), (2000000, 300)])
def test_anyone_can_recompute_the_shares(smsd, rule, amount, count):
    """PKT-12: the commitment binds the split at send, the seed is told at the close, and the shares follow
    from it by an implementation that shares nothing with smsd's."""
    topup(smsd, "A", amount)
    sent = send(smsd, "A", amount, count, split=rule)
    got = []
    for number in range(count):
        assert details(smsd, sent["id"])["seed"] is None
        got.append(grab(smsd, sent["id"], f"u{number}").body["amount"])
    closed = details(smsd, sent["id"])
    assert closed["commitment"] == sent["commitment"] == split.commitment(rule, amount, count, closed["seed"])
    assert got == split.shares(rule, amount, count, closed["seed"])


def test_an_expired_packet_is_proved_too(smsd):
    """PKT-12: what nobody grabbed is in the proof as well."""
    topup(smsd, "A", 1001)
    sent = send(smsd, "A", 1001, 7, split="gaussian")
    got = [grab(smsd, sent["id"], f"u{number}").body["amount"] for number in range(3)]
    smsd.advance(86400)
    closed = details(smsd, sent["id"])
    shares = split.shares("gaussian", 1001, 7, closed["seed"])
    assert got == shares[:3] and closed["refunded_amount"] == sum(shares[3:])
    assert closed["commitment"] == split.commitment("gaussian", 1001, 7, closed["seed"])


def test_two_packets_are_split_differently(shared, account, other):
    topup(shared, account, 2000)
    seeds = set()
    for _ in range(2):
        packet = send(shared, account, 1000, 1)["id"]
        grab(shared, packet, other)
        seeds.add(details(shared, packet)["seed"])
    assert len(seeds) == 2


def test_a_send_under_a_key_is_sent_once(shared, account):
    """BILL-9, PKT-1: the replay is the first answer, commitment included, byte for byte."""
    topup(shared, account, 300)
    body = {"sender": account, "amount": 100, "count": 3, "group": "g", "greeting": "hi"}
    first = shared.post("/v1/packets", body, idempotency=f"{account}-send")
    grab(shared, first.body["id"], f"{account}-u")
    again = shared.post("/v1/packets", body, idempotency=f"{account}-send")
    assert again.replayed and again.status == 201 and again.raw == first.raw
    assert balance(shared, account) == 200


def test_a_grab_under_a_key_is_replayed(shared, account, other):
    topup(shared, account, 100)
    packet = send(shared, account, 100, 2)["id"]
    path = f"/v1/packets/{packet}/grab"
    first = shared.post(path, {"user": other}, idempotency=f"{other}-grab")
    again = shared.post(path, {"user": other}, idempotency=f"{other}-grab")
    assert again.replayed and again.raw == first.raw and first.body["outcome"] == "grabbed"
    assert shared.post(path, {"user": account}, idempotency=f"{other}-grab").code == "idempotency_key_reused"


def test_a_grab_under_a_key_is_replayed_when_the_packet_is_over(smsd):
    """BILL-9, PKT-6: what is known in memory does not stand before a key's first answer."""
    topup(smsd, "A", 100)
    packet = send(smsd, "A", 100, 1, expires_in=3600)["id"]
    path = f"/v1/packets/{packet}/grab"
    first = {user: smsd.post(path, {"user": user}, idempotency=f"key of {user}") for user in ("B", "C")}
    assert first["B"].body["outcome"] == "grabbed" and first["C"].code == "packet_empty"
    for _ in range(2):
        for user, answer in first.items():
            again = smsd.post(path, {"user": user}, idempotency=f"key of {user}")
            assert again.replayed and (again.status, again.raw) == (answer.status, answer.raw)
        smsd.advance(3600)
    assert grab(smsd, packet, "B").code == "packet_expired"


def test_one_user_racing_himself_gets_one_share(shared, account, other):
    """PKT-5: at most one share, however many requests race; each is answered with it."""
    topup(shared, account, 100)
    packet = send(shared, account, 100, 50)["id"]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: grab(shared, packet, other), range(100)))
    assert {answer.status for answer in answers} == {200}
    outcomes = [answer.body["outcome"] for answer in answers]
    assert outcomes.count("grabbed") == 1 and outcomes.count("already_grabbed") == 99
    assert len({(answer.body["amount"], answer.body["share"]) for answer in answers}) == 1
    assert details(shared, packet)["remaining_count"] == 49
    assert balance(shared, other) == answers[0].body["amount"]


def test_a_packet_needs_its_scope(shared, account):
    _, key = new_key(shared, "packets")
    _, wrong = new_key(shared, "billing")
    assert shared.get("/v1/packets", key=key).status == 200
    assert shared.get("/v1/packets", key=wrong).code == "forbidden"
    assert shared.get("/v1/exceptions", key=key).code == "forbidden"
    assert shared.get("/v1/packets", key=None).code == "unauthenticated"


def test_all_that_is_wrong_with_a_packet_is_said_at_once(shared, account):
    answer = shared.post("/v1/packets", {"sender": account, "amount": 2000001, "count": 10001, "kind": "equal",
                                         "split": "gaussian", "recipients": ["a", "b"]})
    assert answer.status == 422
    assert answer.pointers == ["/amount", "/amount", "/count", "/recipients", "/split"]


def test_a_named_recipient_must_be_an_account_id(shared, account):
    answer = shared.post("/v1/packets", {"sender": account, "amount": 10, "count": 1, "kind": "exclusive",
                                         "recipients": ["b", "@world"]})
    assert answer.status == 422 and answer.pointers == ["/recipients/1"]


def test_a_packet_may_name_thousands_of_recipients(smsd):
    """PKT-2: the largest list there may be, in one commit."""
    topup(smsd, "A", 20000)
    named = [f"member.{number:05}" for number in range(10000)]
    sent = send(smsd, "A", 20000, 10000, kind="exclusive", recipients=named)
    assert grab(smsd, sent["id"], named[0]).body["amount"] == 2
    assert grab(smsd, sent["id"], named[-1]).body["outcome"] == "grabbed"
    assert grab(smsd, sent["id"], "member.1").code == "not_a_recipient"
    answer = smsd.post("/v1/packets", {"sender": "A", "amount": 10, "count": 1, "kind": "exclusive",
                                       "recipients": named + ["one.more"]})
    assert answer.status == 422 and answer.pointers == ["/recipients"]


def test_a_user_grabs_so_often_in_a_minute_and_no_oftener(smsd):
    """PKT-13: per user per minute; another user is not concerned, and a minute later it is over."""
    topup(smsd, "A", 100)
    packet = send(smsd, "A", 100, 2)["id"]
    answers = [grab(smsd, packet, "B") for _ in range(120)]
    assert {answer.status for answer in answers} == {200}
    limited = grab(smsd, packet, "B")
    assert limited.status == 429 and limited.code == "rate_limited"
    assert 1 <= int(limited.headers["retry-after"]) <= 60
    assert grab(smsd, packet, "C").status == 200
    smsd.advance(60)
    assert grab(smsd, packet, "B").status == 200


def test_a_sender_has_so_many_open_packets_and_no_more(tmp_path):
    """PKT-13: open packets of a sender; a closed one makes room."""
    smsd = Smsd(tmp_path, options=["--packets-open-max", "3"]).start()
    topup(smsd, "A", 100)
    sent = [send(smsd, "A", 10, 1, expires_in=3600)["id"] for _ in range(3)]
    fields = {"sender": "A", "amount": 10, "count": 1}
    refused = smsd.post("/v1/packets", fields, idempotency="k")
    assert refused.status == 429 and refused.code == "rate_limited"
    assert grab(smsd, sent[0], "B").status == 200
    again = smsd.post("/v1/packets", fields, idempotency="k")
    assert again.status == 201 and not again.replayed, "what was never done is not replayed"
    assert smsd.post("/v1/packets", fields).status == 429
    smsd.advance(3600)
    assert [smsd.post("/v1/packets", fields).status for _ in range(3)] == [201, 201, 429]
    smsd.close()


def test_an_empty_packet_is_refused_from_memory(smsd):
    """PKT-6: the refusal does not reach the engine: no command is run for it."""
    topup(smsd, "A", 100)
    packet = send(smsd, "A", 100, 20)["id"]
    for number in range(20):
        grab(smsd, packet, f"u{number}")

    def counts():
        text = smsd.get("/metrics").raw.decode()
        return [int(re.search(rf"^{name} (\d+)", text, re.MULTILINE).group(1))
                for name in ("smsd_commands_total", "smsd_packet_grabs_refused_total")]

    commands, refused = counts()
    answers = [grab(smsd, packet, f"late{number}") for number in range(200)]
    assert {answer.code for answer in answers} == {"packet_empty"}
    commands_after, refused_after = counts()
    turned_away = refused_after - refused
    assert turned_away >= 160, "nearly all: the filter of users may send a few on"
    assert commands_after - commands == 200 - turned_away
    assert [grab(smsd, packet, f"u{number}").body["outcome"] for number in range(20)] == ["already_grabbed"] * 20
    smsd.advance(86400)
    commands, refused = counts()
    assert {grab(smsd, packet, user).code for user in ("u1", "late1")} == {"packet_expired"}
    assert counts() == [commands, refused + 2]


def test_expiry_is_carried_out_within_a_second_by_itself(tmp_path):
    """PKT-10: within a second of the due time in normal running, without anybody asking."""
    smsd = Smsd(tmp_path, test_clock=False).start()
    topup(smsd, "A", 1000)
    sent = [send(smsd, "A", 10, 2, expires_in=1 + number % 2) for number in range(20)]
    time.sleep(3.2)
    late = []
    for packet in sent:
        shown = details(smsd, packet["id"])
        assert shown["status"] == "refunded" and shown["refunded_amount"] == 10, shown
        moments = [datetime.datetime.fromisoformat(shown[name].replace("Z", "+00:00"))
                   for name in ("expires_at", "closed_at")]
        late.append((moments[1] - moments[0]).total_seconds())
    assert 0 <= min(late) and max(late) < 1, late
    print(f"expiry carried out {max(late) * 1000:.0f} ms after its time at the latest")
    assert balance(smsd, "A") == 1000
    assert sweep(smsd) == 0
    smsd.close()


def test_a_credit_that_cannot_be_applied_is_an_exception(smsd):
    """PKT-15: the share stays reserved for its user; an operator retries, and it is credited once."""
    topup(smsd, "A", 100)
    topup(smsd, "rich", AMOUNT_MAX - 5)
    packet = send(smsd, "A", 100, 1)["id"]
    answer = grab(smsd, packet, "rich")
    assert answer.status == 200 and answer.body["outcome"] == "reserved" and answer.body["amount"] is None
    listed = smsd.get("/v1/exceptions").body["data"]
    assert len(listed) == 1 and set(listed[0]) == EXCEPTION
    exception = listed[0]
    assert (exception["type"], exception["status"], exception["account"], exception["subject"],
            exception["amount"], exception["code"], exception["attempts"]) == \
        ("packet_grab", "open", "rich", packet, 100, "amount_out_of_range", 1)
    retried = smsd.post(f"/v1/exceptions/{exception['id']}/retry")
    assert retried.status == 200 and (retried.body["status"], retried.body["attempts"]) == ("open", 2)
    assert smsd.post("/v1/accounts/rich/payouts", {"amount": 1000}).status == 201
    retried = smsd.post(f"/v1/exceptions/{exception['id']}/retry")
    assert retried.status == 200 and retried.body["status"] == "resolved" and is_time(retried.body["closed_at"])
    assert balance(smsd, "rich") == AMOUNT_MAX - 5 - 1000 + 100
    assert details(smsd, packet)["status"] == "empty"
    for change in ("retry", "close"):
        assert smsd.post(f"/v1/exceptions/{exception['id']}/{change}").code == "conflict"
    assert smsd.get(f"/v1/exceptions/{exception['id']}").body == retried.body


def test_a_share_whose_credit_failed_can_be_opened_later(smsd):
    """PKT-15, PKT-8."""
    topup(smsd, "A", 100)
    topup(smsd, "rich", AMOUNT_MAX)
    packet = send(smsd, "A", 100, 1)["id"]
    assert grab(smsd, packet, "rich").body["outcome"] == "reserved"
    assert smsd.post(f"/v1/packets/{packet}/open", {"user": "rich"}).body["outcome"] == "reserved"
    assert smsd.post("/v1/accounts/rich/payouts", {"amount": 1000}).status == 201
    assert smsd.post(f"/v1/packets/{packet}/open", {"user": "rich"}).body["outcome"] == "grabbed"
    exception, = smsd.get("/v1/exceptions").body["data"]
    assert (exception["status"], exception["attempts"]) == ("resolved", 2)


def test_a_credit_that_failed_is_void_when_the_packet_closes(smsd):
    """PKT-15, PKT-8: the share is the sender's again; a retry finds that out."""
    topup(smsd, "A", 100)
    topup(smsd, "rich", AMOUNT_MAX)
    packet = send(smsd, "A", 100, 1)["id"]
    grab(smsd, packet, "rich")
    smsd.advance(86400)
    assert balance(smsd, "A") == 100
    exception, = smsd.get("/v1/exceptions").body["data"]
    assert smsd.post(f"/v1/exceptions/{exception['id']}/retry").body["status"] == "closed"
    assert balance(smsd, "rich") == AMOUNT_MAX


def test_a_refund_given_up_stays_in_the_packet_until_it_is_retried(smsd):
    """PKT-15: closing ends the tries, not the money; PKT-10: a refund is made once."""
    topup(smsd, "A", 100)
    packet = send(smsd, "A", 100, 1)["id"]
    topup(smsd, "A", AMOUNT_MAX)
    smsd.advance(86400)
    assert details(smsd, packet)["status"] == "expired"
    exception, = smsd.get("/v1/exceptions").body["data"]
    assert smsd.post(f"/v1/exceptions/{exception['id']}/close").body["status"] == "closed"
    assert smsd.post(f"/v1/exceptions/{exception['id']}/close").code == "conflict"
    smsd.post("/v1/accounts/A/payouts", {"amount": 1000})
    smsd.advance(3600)
    assert details(smsd, packet)["status"] == "expired"
    assert smsd.get("/v1/audit").body["packets"] == 100
    assert smsd.post(f"/v1/exceptions/{exception['id']}/retry").body["status"] == "resolved"
    shown = details(smsd, packet)
    assert (shown["status"], shown["refunded_amount"], shown["remaining_amount"]) == ("refunded", 100, 0)
    assert balance(smsd, "A") == AMOUNT_MAX - 1000 + 100
    assert smsd.get("/v1/audit").body["ok"] is True
    assert sweep(smsd) == 0


@pytest.mark.parametrize("path", ["exc_0000000000001", "nonsense"])
def test_an_exception_nobody_noted_is_not_found(shared, path):
    assert shared.get(f"/v1/exceptions/{path}").code == "not_found"
    assert shared.post(f"/v1/exceptions/{path}/retry").code == "not_found"


def test_many_packets_expire_in_slices_and_are_refunded_once(smsd):
    """PKT-10: all due in the same second; the safety net has nothing to do."""
    count = 2000
    senders = [f"s{number}" for number in range(count)]
    topups = [("POST", f"/v1/accounts/{sender}/topups", {"amount": 10}) for sender in senders]
    sends = [("POST", "/v1/packets", {"sender": sender, "amount": 10, "count": 2}) for sender in senders]
    for requests in (topups, sends):
        for start in range(0, count, 500):
            answers = smsd.pipeline(requests[start:start + 500])
            assert {answer.status for answer in answers} == {201}
    assert smsd.get("/v1/audit").body["packets"] == count * 10
    before = job(smsd, "due")["done"]
    smsd.advance(86400 + 60)
    assert job(smsd, "due")["done"] - before == count
    audit = smsd.get("/v1/audit").body
    assert audit["ok"] is True and audit["packets"] == 0
    rows = pages(smsd, "/v1/packets", 500)
    assert len(rows) == count and {(row["status"], row["refunded_amount"]) for row in rows} == {("refunded", 10)}
    assert sweep(smsd) == 0
    smsd.advance(86400)
    assert smsd.get("/v1/accounts/s0/entries").body["data"][0]["type"] == "packet_refund"
    assert len(smsd.get("/v1/accounts/s0/entries").body["data"]) == 3
