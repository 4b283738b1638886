"""Webhooks on their way to a receiver (SMS-20, BILL-14): signed as Standard Webhooks has it, retried for three
days, held up by nobody, and none lost."""

import base64
import collections
import datetime
import hmac
import json
import os
import random
import re
import socket
import struct
import threading
import time

import pytest

from contract import is_time, new_key, topup
from receiver import Receiver, verified
from rows import Rows, build
from smsd import ROOT, Smsd

DELAYS = [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400]  # seconds: src/engine/webhook_delay.def
DAY = 86400
WAIT_SECONDS_MAX = 30


@pytest.fixture
def receiver():
    one = Receiver()
    yield one
    one.close()


@pytest.fixture
def start(tmp_path):
    """Starts a smsd whose webhooks go to `url`, if there is one; further options behind it."""
    started = []

    def start_one(url, *options, private=True):
        allowed = ["--webhooks-allow-private"] if private else []
        started.append(Smsd(tmp_path, options=[*allowed, *options]).start())
        if url:
            send_to(started[0], url)
        return started[0]

    yield start_one
    for smsd in started:
        smsd.close()


def send_to(smsd, url):
    """Has webhooks from now on go there."""
    answer = smsd.request("PUT", "/v1/settings/webhook_url", {"value": url})
    assert answer.status in (200, 201), answer


def cross(smsd, account="A", count=1):
    """Makes `count` webhooks: so many times the balance goes below the threshold."""
    smsd.post("/v1/accounts", {"id": account, "low_balance": 50})
    requests = [("POST", f"/v1/accounts/{account}/{what}", {"amount": 100}) for what in ("topups", "payouts")]
    answers = smsd.pipeline(requests * count)
    assert all(answer.status == 201 for answer in answers)


def webhooks(smsd, query=""):
    answer = smsd.get(f"/v1/webhooks?limit=500{query}")
    assert answer.status == 200, answer
    return answer.body["data"]


def until(what, described):
    """Waits until `what()` is true; what it was."""
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while True:
        found = what()
        if found:
            return found
        assert time.monotonic() < deadline, f"never: {described}"
        time.sleep(0.01)


def settled(smsd, status, count=1):
    """Waits until so many have that status; these."""
    def look():
        found = webhooks(smsd, f"&status={status}")
        return found if len(found) >= count else None
    return until(look, f"{count} {status}: {webhooks(smsd)}")


def one(smsd, webhook):
    return smsd.get(f"/v1/webhooks/{webhook['id']}").body


def endpoint(smsd):
    found, = smsd.get("/v1/webhooks/endpoints").body["data"]
    return found


def attempted(smsd, webhook, count):
    """Waits until the webhook has been attempted so often and what came of it is known."""
    def look():
        found = one(smsd, webhook)
        return found if found["attempts"] >= count else None
    return until(look, f"{count} attempts: {one(smsd, webhook)}")


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def new_secret(smsd):
    answer = smsd.post("/v1/webhooks/secret")
    assert answer.status == 201, answer
    return answer.body["secret"]


# What is sent.

def test_it_is_signed_so_that_the_reference_library_takes_it(start, receiver):
    """SMS-20, BILL-14."""
    smsd = start(receiver.url())
    secret = new_secret(smsd)
    cross(smsd)
    hook, = receiver.wait()
    told, = settled(smsd, "delivered")
    payload, = verified([hook], secret)
    assert set(payload) == {"type", "timestamp", "data"}
    assert payload["type"] == told["type"] == "account.low_balance"
    assert payload["timestamp"] == told["timestamp"] and is_time(payload["timestamp"])
    assert payload["data"] == told["data"] == {"account": "A", "balance": 0, "low_balance": 50}
    assert hook.headers["webhook-id"] == told["id"] and told["id"].startswith("whk_")
    assert hook.headers["content-type"] == "application/json"
    assert abs(int(hook.headers["webhook-timestamp"]) - time.time()) < 60
    assert told["attempts"] == 1 and told["last_status"] == 200 and told["error"] is None
    assert told["url"] == receiver.url() and told["next_attempt_at"] is None and is_time(told["finished_at"])


def test_a_product_that_runs_low_is_told_of(start, receiver):
    """SMS-3: delivered as the others are."""
    smsd = start(receiver.url())
    for path, thing in (("channels/wind", {"name": "Wind"}),
                        ("products/wind.cn", {"channel": "wind", "gateway": {"type": "sandbox"}, "price": 5,
                                              "low_warn": 100})):
        answer = smsd.request("PUT", f"/v1/{path}", thing)
        assert answer.status == 201, answer
    for delta in (150, -60):
        assert smsd.post("/v1/products/wind.cn/quota", {"delta": delta, "reason": "test"}).status == 201
    payload = json.loads(receiver.wait()[0].body)
    assert payload["type"] == "product.low_quota"
    assert payload["data"] == {"product": "wind.cn", "quota": 90, "low_warn": 100}


def test_a_changed_body_time_or_id_does_not_pass(start, receiver):
    """The counter-proof of the signature."""
    smsd = start(receiver.url())
    secret = new_secret(smsd)
    cross(smsd)
    hook, = receiver.wait()
    wrong = [hook._replace(body=hook.body.replace(b"50", b"51")),
             hook._replace(headers={**hook.headers, "webhook-id": hook.headers["webhook-id"][:-1] + "x"}),
             hook._replace(headers={**hook.headers,
                                    "webhook-timestamp": str(int(hook.headers["webhook-timestamp"]) + 1)})]
    assert verified([hook, *wrong], secret)[1:] == [None, None, None]
    assert verified([hook], new_secret(smsd)) == [None]


def test_the_manual_tells_how_to_verify_it(start, receiver):
    """The Python of man/smsd-api.7 itself."""
    page = (ROOT / "man/smsd-api.7").read_text()
    code = re.search(r"^def is_ours\(.*?(?=^\.Ed$)", page, re.MULTILINE | re.DOTALL).group()
    manual = {"base64": base64, "hmac": hmac, "time": time}
    exec(code, manual)  # pylint: disable=exec-used
    smsd = start(receiver.url())
    secret = new_secret(smsd)
    cross(smsd)
    hook, = receiver.wait()
    assert manual["is_ours"](secret, hook.headers, hook.body)
    assert not manual["is_ours"](secret, hook.headers, hook.body + b" ")
    assert not manual["is_ours"](new_secret(smsd), hook.headers, hook.body)


def test_the_old_secret_signs_too_for_a_day(start, receiver):
    smsd = start(receiver.url())
    old, new = new_secret(smsd), new_secret(smsd)
    cross(smsd)
    hook, = receiver.wait()
    assert len(hook.headers["webhook-signature"].split(" ")) == 2
    assert None not in verified([hook], old) + verified([hook], new)
    smsd.advance(DAY)
    cross(smsd)
    hook = receiver.wait(2)[1]
    assert len(hook.headers["webhook-signature"].split(" ")) == 1
    assert verified([hook], old) == [None] and None not in verified([hook], new)


def test_a_secret_is_shown_once_and_survives(start, receiver):
    smsd = start(receiver.url())
    first = smsd.post("/v1/webhooks/secret", idempotency="K").body
    again = smsd.post("/v1/webhooks/secret", idempotency="K")
    assert again.replayed and again.body == {**first, "secret": None}
    smsd.restart()
    cross(smsd)
    assert None not in verified(receiver.wait(), first["secret"])
    assert first["secret"] not in smsd.said() and smsd.get("/v1/webhooks/secret").status == 404


# Retries.

def test_it_is_retried_for_three_days_and_then_given_up(start, receiver):
    """SMS-20: by the table of delays, with the same id and body, and a signature of its own each time."""
    receiver.answers["/hook"] = 500
    smsd = start(receiver.url())
    secret = new_secret(smsd)
    cross(smsd)
    webhook, = webhooks(smsd)
    waited = []
    for count, delay in enumerate(DELAYS, 1):
        found = attempted(smsd, webhook, count)
        assert found["status"] == "pending" and found["error"] == "status" and found["last_status"] == 500
        assert len(receiver.at()) == count
        waited.append(moment(found["next_attempt_at"]) - moment(found["history"][-1]["at"]))
        assert delay <= waited[-1] <= delay * 1.1
        smsd.advance(int(waited[-1]) + 1)
    found = attempted(smsd, webhook, len(DELAYS) + 1)
    assert found["status"] == "failed" and found["next_attempt_at"] is None
    assert [attempt["status"] for attempt in found["history"]] == [500] * 10
    assert 3 * DAY <= sum(waited) <= 4 * DAY
    hooks = receiver.at()
    assert len(hooks) == 10 and None not in verified(hooks, secret)
    assert len({(hook.headers["webhook-id"], hook.body) for hook in hooks}) == 1
    times = [int(hook.headers["webhook-timestamp"]) for hook in hooks]
    assert times[-1] - times[0] >= 3 * DAY
    smsd.advance(5 * DAY)
    assert len(receiver.at()) == 10


def test_many_that_failed_together_do_not_come_back_together(start, receiver):
    receiver.answers["/hook"] = 500
    smsd = start(receiver.url())
    cross(smsd, count=20)
    until(lambda: all(webhook["attempts"] == 1 for webhook in webhooks(smsd)), "20 attempts")
    found = [one(smsd, webhook) for webhook in webhooks(smsd)]
    waits = {round(moment(each["next_attempt_at"]) - moment(each["history"][0]["at"]), 3) for each in found}
    assert len(waits) > 10


def test_it_is_delivered_when_the_receiver_is_back(start, receiver):
    answers = iter([500, 404, 204])
    receiver.answers["/hook"] = lambda _hook: next(answers)
    smsd = start(receiver.url())
    cross(smsd)
    webhook, = webhooks(smsd)
    attempted(smsd, webhook, 1)
    smsd.advance(6)
    attempted(smsd, webhook, 2)
    smsd.advance(331)
    found = attempted(smsd, webhook, 3)
    assert found["status"] == "delivered" and found["last_status"] == 204 and found["error"] is None
    assert [attempt["status"] for attempt in found["history"]] == [500, 404, 204]


def test_a_receiver_that_is_not_there_is_an_attempt_that_failed(start):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    smsd = start(f"http://127.0.0.1:{port}/hook")
    cross(smsd)
    found = attempted(smsd, webhooks(smsd)[0], 1)
    assert found["status"] == "pending" and found["error"] == "connect" and found["last_status"] is None


@pytest.mark.parametrize("status, said, least, most", [
    (503, "7200", 7200, 7920),
    (429, "7200", 7200, 7920),
    (503, "1", 5, 6),  # not sooner than the table
    (503, "9999999", DAY, 1.1 * DAY),  # not later than a day
    (503, "soon", 5, 6),
    (500, "7200", 5, 6),
])
def test_retry_after_is_honoured_within_bounds(start, receiver, status, said, least, most):
    receiver.answers["/hook"] = (status, {"Retry-After": said})
    smsd = start(receiver.url())
    cross(smsd)
    found = attempted(smsd, webhooks(smsd)[0], 1)
    assert least <= moment(found["next_attempt_at"]) - moment(found["history"][0]["at"]) <= most + 0.001


def test_redirects_are_not_followed(start, receiver):
    receiver.answers["/hook"] = (302, {"Location": receiver.url("/other")})
    smsd = start(receiver.url())
    cross(smsd)
    found = attempted(smsd, webhooks(smsd)[0], 1)
    assert found["status"] == "pending" and found["last_status"] == 302
    assert receiver.at("/other") == []


def test_an_answer_that_does_not_come_is_a_timeout(start, receiver):
    ended = threading.Event()
    receiver.answers["/hook"] = lambda _hook: ended.wait() and 200
    smsd = start(receiver.url(), "--webhooks-timeout-ms", "200")
    cross(smsd)
    found = attempted(smsd, webhooks(smsd)[0], 1)
    ended.set()
    assert found["status"] == "pending" and found["error"] == "timeout"
    assert found["history"][0]["took_ms"] >= 100


# Endpoints.

def test_an_endpoint_that_is_gone_is_disabled_until_an_operator_enables_it(start, receiver):
    """SMS-20: 410."""
    receiver.answers["/hook"] = 410
    smsd = start(receiver.url("/hook?tenant=7"))
    cross(smsd)
    found, = settled(smsd, "failed")
    assert found["error"] == "gone" and found["last_status"] == 410
    there = endpoint(smsd)
    assert there["url"] == receiver.url() and there["status"] == "disabled" and there["disabled_by"] == "gone"
    assert smsd.events("webhook_endpoint_gone")
    cross(smsd)
    later = webhooks(smsd)[0]
    assert later["status"] == "failed" and later["error"] == "endpoint_disabled" and later["attempts"] == 0
    assert smsd.post(f"/v1/webhooks/{later['id']}/replay").code == "endpoint_disabled"
    assert len(receiver.at()) == 1

    receiver.answers["/hook"] = 200
    enabled = smsd.patch(f"/v1/webhooks/endpoints/{there['id']}", {"status": "enabled"})
    assert enabled.status == 200 and enabled.body["status"] == "enabled" and enabled.body["disabled_by"] is None
    assert smsd.post(f"/v1/webhooks/{later['id']}/replay").status == 201
    assert receiver.wait(2)[1].path == "/hook?tenant=7"


def test_what_waits_for_a_disabled_endpoint_fails(start, receiver):
    receiver.answers["/hook"] = 500
    smsd = start(receiver.url())
    cross(smsd)
    attempted(smsd, webhooks(smsd)[0], 1)
    found = smsd.patch(f"/v1/webhooks/endpoints/{endpoint(smsd)['id']}", {"status": "disabled"})
    assert found.status == 200 and found.body["disabled_by"] == "operator" and found.body["pending"] == 1
    smsd.advance(6)
    found, = webhooks(smsd)
    assert found["status"] == "failed" and found["error"] == "endpoint_disabled"
    assert endpoint(smsd)["pending"] == 0 and len(receiver.at()) == 1


def test_what_was_ready_for_a_disabled_endpoint_fails(start, receiver):
    ended = threading.Event()
    receiver.answers["/hook"] = lambda _hook: ended.wait() and 200
    smsd = start(receiver.url(), "--webhooks-endpoint-in-flight-max", "1")
    cross(smsd, count=5)
    receiver.wait()
    smsd.patch(f"/v1/webhooks/endpoints/{endpoint(smsd)['id']}", {"status": "disabled"})
    ended.set()
    assert len(settled(smsd, "failed", 4)) == 4
    assert len(settled(smsd, "delivered")) == 1 and len(receiver.at()) == 1


def test_no_more_requests_at_once_than_an_endpoint_may_have(start, receiver):
    ended = threading.Event()
    receiver.answers["/hook"] = lambda _hook: ended.wait(10) and 200
    smsd = start(receiver.url(), "--webhooks-endpoint-in-flight-max", "3")
    cross(smsd, count=12)
    receiver.wait(3)
    assert len(webhooks(smsd, "&status=pending")) == 12
    ended.set()
    settled(smsd, "delivered", 12)
    assert receiver.most_under_way["/hook"] == 3


def test_a_slow_endpoint_does_not_hold_up_another(start, receiver):
    """SMS-20."""
    ended = threading.Event()
    receiver.answers["/slow"] = lambda _hook: ended.wait(20) and 200
    smsd = start(receiver.url("/slow"))
    cross(smsd, count=40)
    receiver.wait(8, "/slow")
    send_to(smsd, receiver.url("/quick"))
    cross(smsd, "B", count=40)
    assert len(settled(smsd, "delivered", 40)) == len(receiver.at("/quick")) == 40
    assert not ended.is_set() and len(webhooks(smsd, "&status=pending")) == 40
    ended.set()
    settled(smsd, "delivered", 80)


def test_one_that_waits_in_line_until_its_days_are_over_fails(start, receiver):
    ended = threading.Event()
    receiver.answers["/hook"] = lambda _hook: ended.wait(20) and 500
    smsd = start(receiver.url(), "--webhooks-endpoint-in-flight-max", "1")
    cross(smsd, count=2)
    receiver.wait()
    smsd.advance(4 * DAY)
    assert [found["error"] for found in webhooks(smsd)] == ["expired", "expired"]
    assert {found["status"] for found in webhooks(smsd)} == {"failed"}
    ended.set()  # what came of it comes too late
    cross(smsd)
    receiver.wait(2)
    assert len(webhooks(smsd, "&status=failed")) == 2


def test_more_endpoints_than_are_remembered_get_theirs_all_the_same(start, receiver):
    smsd = start("", "--webhooks-endpoints-max", "2", "--webhooks-in-flight-max", "3")
    receiver.answers["/3"] = 500
    for number in range(9):
        send_to(smsd, receiver.url(f"/{number}"))
        cross(smsd, count=5)
    settled(smsd, "delivered", 40)
    until(lambda: all(found["attempts"] for found in webhooks(smsd)), "an attempt of each")
    assert [len(receiver.at(f"/{number}")) for number in range(9)] == [5] * 9


# Where webhooks may not go.

FORBIDDEN_HOSTS = ["127.0.0.1", "127.9.9.9", "[::1]", "169.254.169.254", "10.1.2.3", "172.16.0.1", "192.168.1.1",
                   "100.64.0.1", "0.0.0.0", "[::]", "[::ffff:127.0.0.1]", "[::ffff:10.0.0.1]", "[fe80::1]",
                   "[fd00::1]", "[64:ff9b::7f00:1]", "2130706433", "0x7f000001", "0x7f.1", "017700000001", "127.1",
                   "localhost", "LOCALHOST"]


@pytest.mark.parametrize("host", FORBIDDEN_HOSTS)
def test_an_address_that_is_not_public_is_not_called(start, host):
    """SMS-20: whatever way it is spelt, and whatever name resolves to it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        smsd = start(f"https://{host}:{listener.getsockname()[1]}/hook", private=False)
        cross(smsd)
        found = attempted(smsd, webhooks(smsd)[0], 1)
        assert found["error"] in ("forbidden_address", "resolve", "forbidden_url") and found["last_status"] is None
        with pytest.raises(BlockingIOError):
            listener.accept()


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost", "[::ffff:127.0.0.1]"])
def test_it_is_the_address_that_forbids(start, host):
    smsd = start(f"https://{host}:8443/hook", private=False)
    cross(smsd)
    assert attempted(smsd, webhooks(smsd)[0], 1)["error"] == "forbidden_address"


@pytest.mark.parametrize("url", ["https://example.com:25/hook", "https://user@example.com/", "https:///hook",
                                 "https://example.com/#part", "ftp://example.com/", "https://:443/"])
def test_a_url_that_is_not_allowed_is_refused(shared, url):
    answer = shared.request("PUT", "/v1/settings/webhook_url", {"value": url})
    assert answer.status == 422 and answer.pointers == ["/value"]


def test_plain_http_is_not_called(start):
    smsd = start("http://example.com/hook", private=False)
    cross(smsd)
    found = attempted(smsd, webhooks(smsd)[0], 1)
    assert found["error"] == "forbidden_url" and found["status"] == "pending"


# Nothing is lost.

def test_what_was_not_delivered_survives_a_restart(start, receiver):
    receiver.answers["/hook"] = 500
    smsd = start(receiver.url())
    cross(smsd)
    first = attempted(smsd, webhooks(smsd)[0], 1)
    smsd.restart()
    assert one(smsd, first) == first
    receiver.answers["/hook"] = 200
    smsd.advance(6)
    found = attempted(smsd, first, 2)
    assert found["status"] == "delivered" and len({hook.headers["webhook-id"] for hook in receiver.at()}) == 1


def test_killed_again_and_again_every_webhook_is_delivered_at_least_once(start, receiver):
    """SMS-20, OPS-7: with the id it had before."""
    smsd = start(receiver.url())
    for number in range(6):
        cross(smsd, count=30)
        if number % 2:
            receiver.wait(len(receiver.at()) + 1)
        smsd.kill9()
        smsd.start()
    settled(smsd, "delivered", 180)
    assert {hook.headers["webhook-id"] for hook in receiver.at()} == {found["id"] for found in webhooks(smsd)}
    assert len(webhooks(smsd)) == 180


@pytest.mark.parametrize("end", [Smsd.kill9, Smsd.stop])
def test_what_was_under_way_at_the_end_is_sent_again_with_its_id(start, receiver, end):
    """SMS-20: at least once."""
    ended = threading.Event()
    receiver.answers["/hook"] = lambda _hook: ended.wait(20) and 200
    smsd = start(receiver.url())
    cross(smsd)
    receiver.wait()
    end(smsd)
    ended.set()
    smsd.start()
    first, again = receiver.wait(2)[:2]
    assert first.headers["webhook-id"] == again.headers["webhook-id"] and first.body == again.body
    settled(smsd, "delivered")


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


def test_whatever_happens_the_rows_fit_together(start, receiver, tmp_path):
    """Receivers that answer this and that, replays, endpoints disabled and enabled, days that pass, kills."""
    seed = int(os.environ.get("SMSD_SEED", time.time_ns() % 10 ** 6))
    print(f"SMSD_SEED={seed}")
    chance = random.Random(seed)
    answers = [200, 200, 204, 500, 410, (503, {"Retry-After": "4000"}), 302]
    receiver.answers = {f"/{number}": lambda _hook: chance.choice(answers) for number in range(4)}
    smsd = start("")
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


# What is kept, shown and said again.

def test_a_replay_says_the_same_under_a_new_id(start, receiver):
    """SMS-20: replayable."""
    smsd = start(receiver.url())
    cross(smsd)
    webhook, = settled(smsd, "delivered")
    answer = smsd.post(f"/v1/webhooks/{webhook['id']}/replay", idempotency="K")
    again = smsd.post(f"/v1/webhooks/{webhook['id']}/replay", idempotency="K")
    assert answer.status == 201 and again.replayed and again.body["id"] == answer.body["id"]
    assert answer.body["replay_of"] == webhook["id"] != answer.body["id"]
    first, second = receiver.wait(2)
    assert first.body == second.body and second.headers["webhook-id"] == answer.body["id"]
    assert len(settled(smsd, "delivered", 2)) == 2


def test_what_nobody_wanted_can_be_replayed_once_there_is_a_url(start, receiver):
    smsd = start("")
    cross(smsd)
    webhook, = webhooks(smsd)
    assert webhook["status"] == "no_url" and webhook["url"] is None and webhook["endpoint"] is None
    assert smsd.post(f"/v1/webhooks/{webhook['id']}/replay").code == "no_webhook_url"
    send_to(smsd, receiver.url())
    assert smsd.post(f"/v1/webhooks/{webhook['id']}/replay").status == 201
    assert json.loads(receiver.wait()[0].body)["data"]["account"] == "A"


def test_what_an_older_smsd_kept_is_still_there(start, receiver, tmp_path):
    """Rows of version 1 had no URL, and nobody sent them."""
    smsd = start("")
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


def test_what_is_done_with_is_kept_for_a_while(start, receiver):
    """Delivered ones a day, failed ones thirty; an endpoint as long as any webhook names it."""
    smsd = start(receiver.url())
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


def test_lists_are_filtered(start, receiver):
    smsd = start(receiver.url())
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


def test_counters_tell_what_came_of_them(start, receiver):
    """OPS-4"""
    smsd = start(receiver.url())
    cross(smsd, count=2)
    settled(smsd, "delivered", 2)
    receiver.answers["/hook"] = 410
    cross(smsd)
    settled(smsd, "failed")
    metrics = smsd.get("/metrics").raw.decode()
    for line in ("smsd_webhook_attempts_total 3", "smsd_webhooks_delivered_total 2", "smsd_webhooks_failed_total 1"):
        assert line in metrics.splitlines()


def test_topups_without_a_threshold_tell_nobody(start, receiver):
    smsd = start(receiver.url())
    topup(smsd, "A", 100)
    assert webhooks(smsd) == [] and smsd.get("/v1/webhooks/endpoints").body["data"] == []
    assert receiver.at() == []
