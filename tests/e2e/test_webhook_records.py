"""What is kept of webhooks, shown, and said again (SMS-20)."""

import collections
import json
import os
import random
import struct
import time

from contract import new_key, topup
from rows import Rows, build
from webhook import DAY, cross, endpoint, send_to, settled, until, webhooks

WEBHOOK = struct.Struct("<BBBBBxHQ4qqQQqqqQ4BB3x")
ENDPOINT = struct.Struct("<BBBBHHQQQqqq")


def check_rows(table):
    """What must hold between the tables: exactly one row of the due index each, in the outbox what is ready,
    and an endpoint's counts."""
    number_of = struct.Struct(">Q").unpack
    due, outbox, kept, pending = {}, {}, collections.Counter(), collections.Counter()
    for key, value in table.all("WEBHOOK").items():
        number, row = number_of(key)[0], WEBHOOK.unpack_from(value)
        status, (at, endpoint, place, due_ms) = row[2], row[11:15]
        assert at > 0 and due_ms > 0 and (place == 0 or status == 1)
        due[struct.pack(">QBQ", due_ms, 8, number)] = b""
        if place:
            outbox[struct.pack(">QQ", endpoint, place)] = key
        if endpoint:
            kept[endpoint] += 1
            pending[endpoint] += status == 1
    assert {key: value for key, value in table.all("DUE").items() if key[8] == 8} == due
    assert table.all("WEBHOOK_OUTBOX") == outbox
    endpoints = {number_of(key)[0]: ENDPOINT.unpack_from(value) for key, value in table.all("WEBHOOK_ENDPOINT").items()}
    assert {number: row[6:8] for number, row in endpoints.items() if row[6] or row[1] == 1} == {
        number: (count, pending[number]) for number, count in kept.items()}
    assert len(table.all("WEBHOOK_ENDPOINT_URL")) == len(endpoints)


def test_whatever_happens_the_rows_fit_together(start_telling, receiver, tmp_path):
    """Receivers that answer this and that, replays, endpoints disabled and enabled, days that pass, kills."""
    seed = int(os.environ.get("SMSD_SEED", time.time_ns() % 10 ** 6))
    print(f"SMSD_SEED={seed}")
    chance = random.Random(seed)
    answers = [200, 200, 204, 500, 410, (503, {"Retry-After": "4000"}), 302]
    receiver.answers = {f"/{number}": lambda _hook: chance.choice(answers) for number in range(4)}
    smsd = start_telling("")
    program = build(tmp_path)

    def replay():
        for found in chance.sample(webhooks(smsd), min(3, len(webhooks(smsd)))):
            assert smsd.post(f"/v1/webhooks/{found['id']}/replay").status in (201, 409)

    def change_endpoint():
        for found in smsd.get("/v1/webhooks/endpoints").body["data"][:2]:
            smsd.patch(f"/v1/webhooks/endpoints/{found['id']}", {"status": chance.choice(["enabled", "disabled"])})

    def kill():
        smsd.kill9()
        smsd.start()

    steps = [lambda: cross(smsd, count=chance.randrange(1, 8)), replay, change_endpoint, kill,
             lambda: send_to(smsd, receiver.url(f"/{chance.randrange(4)}?{chance.random()}")),
             lambda: smsd.advance(chance.choice([1, 400, 10000, DAY, 3 * DAY, 20 * DAY]))]
    for _ in range(4):
        for _ in range(15):
            chance.choices(steps, [6, 2, 1, 1, 3, 4])[0]()
        smsd.stop()
        check_rows(Rows(program, smsd.data_dir))
        smsd.start()
    until(lambda: not webhooks(smsd, "&status=pending") or smsd.advance(DAY) is None, "an end of each")


def test_a_replay_says_the_same_under_a_new_id(start_telling, receiver):
    """SMS-20: replayable."""
    smsd = start_telling(receiver.url())
    cross(smsd)
    webhook, = settled(smsd, "delivered")
    answer = smsd.post(f"/v1/webhooks/{webhook['id']}/replay", idempotency="K")
    again = smsd.post(f"/v1/webhooks/{webhook['id']}/replay", idempotency="K")
    assert answer.status == 201 and again.replayed and again.body["id"] == answer.body["id"]
    assert answer.body["replay_of"] == webhook["id"] != answer.body["id"]
    first, second = receiver.wait(2)
    assert first.body == second.body and second.headers["webhook-id"] == answer.body["id"]
    assert len(settled(smsd, "delivered", 2)) == 2
    late = smsd.post(f"/v1/webhooks/{webhook['id']}/replay", idempotency="K")
    assert late.replayed and late.raw == answer.raw, "BILL-9: the first answer, whatever has happened since"


def test_what_nobody_wanted_can_be_replayed_once_there_is_a_url(start_telling, receiver):
    smsd = start_telling("")
    cross(smsd)
    webhook, = webhooks(smsd)
    assert webhook["status"] == "no_url" and webhook["url"] is None and webhook["endpoint"] is None
    assert smsd.post(f"/v1/webhooks/{webhook['id']}/replay").code == "no_webhook_url"
    send_to(smsd, receiver.url())
    assert smsd.post(f"/v1/webhooks/{webhook['id']}/replay").status == 201
    assert json.loads(receiver.wait()[0].body)["data"]["account"] == "A"


def test_what_an_older_smsd_kept_is_still_there(start_telling, receiver, tmp_path):
    """Rows of version 1 had no URL, and nobody sent them."""
    smsd = start_telling("")
    cross(smsd)
    webhook, = webhooks(smsd)
    smsd.stop()
    table = Rows(build(tmp_path), smsd.data_dir)
    (key, value), = table.all("WEBHOOK").items()
    subject, balance, threshold = struct.unpack_from("<8xQqq", value)
    table.put("WEBHOOK", key, struct.pack("<BB6xQqq", 1, 1, subject, balance - 7, threshold))
    for due in table.all("DUE"):
        table.delete("DUE", due)
    smsd.start()
    old, = webhooks(smsd)
    assert old == {**webhook, "data": {"account": "A", "balance": -7, "low_balance": 50}}
    send_to(smsd, receiver.url())
    assert smsd.post(f"/v1/webhooks/{old['id']}/replay").status == 201
    payload = json.loads(receiver.wait()[0].body)
    assert payload["data"] == old["data"] and payload["timestamp"] == old["created_at"]


def test_what_is_done_with_is_kept_for_a_while(start_telling, receiver):
    """Delivered ones a day, failed ones thirty; an endpoint as long as any webhook names it."""
    smsd = start_telling(receiver.url())
    cross(smsd)
    settled(smsd, "delivered")
    receiver.answers["/hook"] = 410
    cross(smsd)
    failed, = settled(smsd, "failed")
    smsd.patch(f"/v1/webhooks/endpoints/{endpoint(smsd)['id']}", {"status": "enabled"})
    smsd.advance(DAY)
    assert webhooks(smsd) == [failed] and endpoint(smsd)["kept"] == 1
    smsd.advance(29 * DAY)
    assert webhooks(smsd) == [] and smsd.get("/v1/webhooks/endpoints").body["data"] == []
    assert smsd.get(f"/v1/webhooks/{failed['id']}").status == 404


def test_lists_are_filtered(start_telling, receiver):
    smsd = start_telling(receiver.url())
    cross(smsd, count=3)
    settled(smsd, "delivered", 3)
    receiver.answers["/hook"] = 500
    cross(smsd)
    until(lambda: endpoint(smsd)["failures"] == 1, "a failure")
    assert [found["status"] for found in webhooks(smsd)] == ["pending", "delivered", "delivered", "delivered"]
    assert len(webhooks(smsd, "&status=delivered")) == 3 and len(webhooks(smsd, "&status=failed")) == 0
    assert len(webhooks(smsd, "&type=account.low_balance")) == 4 and webhooks(smsd, "&type=message.status") == []
    assert len(webhooks(smsd, f"&endpoint={endpoint(smsd)['id']}&status=pending")) == 1
    assert webhooks(smsd, "&endpoint=whe_0000000000000") == []
    for wrong in ("status=sent", "type=any", "endpoint=whk_0000000000000", "colour=red"):
        assert smsd.get(f"/v1/webhooks?{wrong}").status == 422


def test_what_is_not_there_is_404(shared):
    for path in ("whk_0000000000000", "whk_x", "endpoints/whe_0000000000000", "endpoints/x"):
        assert shared.get(f"/v1/webhooks/{path}").status == 404
    assert shared.post("/v1/webhooks/whk_0000000000000/replay").status == 404
    assert shared.patch("/v1/webhooks/endpoints/whe_0000000000000", {"status": "enabled"}).status == 404
    assert shared.patch("/v1/webhooks/endpoints/x", {"status": "enabled"}).status == 404


def test_they_are_an_operators_affair(shared):
    _, secret = new_key(shared, "billing", "messages")
    for method, path in (("GET", ""), ("GET", "/endpoints"), ("POST", "/secret"), ("GET", "/whk_0000000000000")):
        assert shared.request(method, f"/v1/webhooks{path}", key=secret).status == 403


def test_counters_tell_what_came_of_them(start_telling, receiver):
    """OPS-4"""
    smsd = start_telling(receiver.url())
    cross(smsd, count=2)
    settled(smsd, "delivered", 2)
    receiver.answers["/hook"] = 410
    cross(smsd)
    settled(smsd, "failed")
    metrics = smsd.get("/metrics").raw.decode()
    for line in ("smsd_webhook_attempts_total 3", "smsd_webhooks_delivered_total 2", "smsd_webhooks_failed_total 1"):
        assert line in metrics.splitlines()


def test_topups_without_a_threshold_tell_nobody(start_telling, receiver):
    smsd = start_telling(receiver.url())
    topup(smsd, "A", 100)
    assert webhooks(smsd) == [] and smsd.get("/v1/webhooks/endpoints").body["data"] == []
    assert receiver.at() == []
