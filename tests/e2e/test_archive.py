"""The archive (SMS-19): messages that are done with move to history, and whoever reads sees no difference; kills in
between lose nothing and show nothing twice; what is past its days is dropped. The fixtures end with `smsd verify`,
which holds history against the rows."""

import datetime
import random
import signal
import threading
import time

import pytest

from platform_setup import (COMPANY, body_of, get, metric, put, put_product, sandbox, send, send_many, set_up,
                            to_midnight)
from smsd import Smsd, run, variant
from contract import LIST, pages

DAY = 86400
LATER = f"{datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=300):%Y-%m-%dT00:00:00Z}"
WHOLE = {"template", "content", "callback_url", "events"}  # what a list leaves out
ENDINGS = {"0001": "delivered", "0002": "undelivered", "0003": "rejected", "0009": "sent"}


def archived(smsd):
    return metric(smsd, "smsd_messages_archived_total")


def run_archive(smsd):
    answer = smsd.post("/v1/jobs/archive/run")
    assert answer.status == 200, answer
    return answer.body


def furnish(smsd):
    """Early in a day: two companies, two products, one for each."""
    to_midnight(smsd)
    set_up(smsd)
    sandbox(smsd)
    put_product(smsd, "second", {"type": "sandbox"})
    put(smsd, "/v1/companies/other", {"name": "Other", "account": "money"})
    put(smsd, "/v1/routes/other-DE", {"company": "other", "country": "DE", "kind": "general", "product": "second"})


@pytest.fixture
def platform(smsd):
    furnish(smsd)
    return smsd


# --- the same for whoever reads


def send_of_a_day(smsd, day):
    """Messages with every ending, of two companies, to few recipients; by id, as they are shown once settled."""
    bodies = []
    for i in range(3):
        for ending in ENDINGS:
            company = "other" if (i + day) % 3 == 0 else COMPANY
            bodies.append(body_of(f"+4915{i}000{ending}", company=company, content=f"Nr. {i} of {day}",
                                  client_reference=f"{day}/{i}/{ending}"))
    ids = send_many(smsd, bodies)
    canceled = send(smsd, "+491510000001", send_at=LATER)
    code = send(smsd, "+491520000001", "verification")
    assert smsd.post(f"/v1/messages/{canceled}/cancel").status == 200
    smsd.advance(60)
    return {message: get(smsd, message) for message in [*ids, canceled, code]}


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """Four days of messages, the older ones archived, the younger ones not; what was shown of each before."""
    smsd = Smsd(tmp_path_factory.mktemp("mixed")).start()
    furnish(smsd)
    before = {}
    for day in range(4):
        before |= send_of_a_day(smsd, day)
        smsd.advance(DAY - 60)
    smsd.advance(1200)
    for message, shown in before.items():
        if shown["status"] == "sent":  # those of the first day have stopped waiting for their receipts
            before[message] |= {"finished_at": get(smsd, message)["finished_at"]}
    yield smsd, before
    smsd.close()


def test_the_archive_takes_what_is_done_with(mixed):
    """SMS-19: delivered, undelivered, rejected, canceled a day ago, and `sent` a day after their 72 hours."""
    smsd, before = mixed
    assert {shown["status"] for shown in before.values()} == {*ENDINGS.values(), "canceled"}
    done = [shown for shown in before.values()
            if shown["status"] != "sent" or shown["client_reference"].startswith("0/")]
    assert archived(smsd) == len(done) < len(before)
    assert metric(smsd, "smsd_archive_success_timestamp_seconds") > time.time() + 2 * DAY, "by smsd's own clock"
    assert metric(smsd, "smsd_history_days") == 4
    assert metric(smsd, "smsd_history_bytes") > 0
    assert smsd.get("/v1/audit").body["ok"] is True


def test_an_archived_message_is_shown_as_before(mixed):
    """SMS-19: with its text, its events and all."""
    smsd, before = mixed
    for message, shown in before.items():
        assert get(smsd, message) == shown


FILTERS = [
    "",
    "to=%2B491510000001",
    "to=%2B491510000009&status=sent",
    "status=delivered",
    "status=rejected",
    "company=other",
    "company=acme&product=sandbox&status=undelivered",
    "product=second",
    "to=%2B491500000002&company=other",
    "status=canceled",
    "status=queued",
]


def matches(shown, query):
    wanted = dict(part.split("=") for part in query.split("&")) if query else {}
    return all(shown[name] == value.replace("%2B", "+") for name, value in wanted.items())


def expected(before, query, first="", last="~"):
    return [{name: value for name, value in shown.items() if name not in WHOLE}
            for shown in sorted(before.values(), key=lambda shown: shown["id"], reverse=True)
            if matches(shown, query) and first <= shown["created_at"] < last]


@pytest.mark.parametrize("query", FILTERS)
@pytest.mark.parametrize("limit", [1, 3, 7, 500])
def test_lists_go_over_the_border_of_rows_and_history(mixed, query, limit):
    """SMS-19: one cursor, newest first, nothing twice and nothing left out, whatever is asked for."""
    smsd, before = mixed
    assert pages(smsd, f"/v1/messages?{query}", limit) == expected(before, query)


def test_lists_of_a_time_are_of_that_time(mixed):
    """SMS-19: created_from and created_to within history, across its days, and across the border."""
    smsd, before = mixed
    moments = sorted(shown["created_at"] for shown in before.values())
    for first, last in [(3, 9), (5, 40), (20, len(moments) - 1), (45, len(moments) - 1)]:
        span = f"created_from={moments[first]}&created_to={moments[last]}"
        for limit in (4, 500):
            assert pages(smsd, f"/v1/messages?{span}", limit) == expected(before, "", moments[first], moments[last])


def test_a_page_goes_through_so_many_days_of_history(platform):
    """SMS-19: a list of somebody to whom little was sent has pages without anything, and goes on to what there is."""
    rare = send(platform, "+491510000001")
    for _ in range(34):
        platform.advance(DAY)
        send(platform, "+491520000001")
    platform.advance(DAY)  # all are delivered by then
    platform.advance(2 * DAY)
    assert metric(platform, "smsd_history_days") == 35
    first = platform.get("/v1/messages?to=%2B491510000001").body
    assert first["data"] == [] and first["next"] is not None
    second = platform.get(f"/v1/messages?to=%2B491510000001&after={first['next']}").body
    assert [message["id"] for message in second["data"]] == [rare] and second["next"] is None
    # Those that are full do not end early.
    whole = platform.get("/v1/messages?to=%2B491520000001&limit=20").body
    assert len(whole["data"]) == 20 and len(pages(platform, "/v1/messages?to=%2B491520000001", 20)) == 34


def test_an_archived_message_is_its_companys(mixed):
    smsd, before = mixed
    key = smsd.post("/v1/keys", {"name": "other", "scopes": ["messages"], "company": "other"}).body["secret"]
    for message, shown in before.items():
        assert smsd.get(f"/v1/messages/{message}", key=key).status == (200 if shown["company"] == "other" else 404)
    assert pages(smsd, "/v1/messages", 5, key=key) == expected(before, "company=other")
    assert smsd.get("/v1/messages?company=acme", key=key).status == 403


def test_what_was_never_there_is_not_found(mixed):
    smsd, before = mixed
    message = min(before)
    for last in "0123456789":
        answer = smsd.get(f"/v1/messages/{message[:-1]}{last}")
        assert answer.status == (200 if f"{message[:-1]}{last}" in before else 404), answer
        if answer.status == 404:
            assert answer.code == "message_not_found"


def test_an_archived_message_cannot_be_canceled_or_replayed(mixed):
    """SMS-19: answered as what is done with: 409, and with a key the same again."""
    smsd, before = mixed
    message = next(message for message, shown in before.items() if shown["status"] == "delivered")
    for _ in range(2):
        answer = smsd.post(f"/v1/messages/{message}/cancel", idempotency="cancel")
        assert (answer.status, answer.code) == (409, "not_cancelable")
    assert answer.replayed
    answer = smsd.post(f"/v1/messages/{message}/replay")
    assert (answer.status, answer.code) == (409, "message_archived")


def test_a_cancel_is_answered_as_the_first_time(smsd):
    """BILL-9, SMS-19: under its key, also once the message is history."""
    smsd.options = ["--archive-after-ms", "1000"]
    smsd.restart()
    furnish(smsd)
    message = send(smsd, "+491510000001", send_at=LATER)
    first = smsd.post(f"/v1/messages/{message}/cancel", idempotency="once")
    assert first.status == 200
    smsd.advance(1200)
    assert archived(smsd) == 1
    again = smsd.post(f"/v1/messages/{message}/cancel", idempotency="once")
    assert again.replayed and again.body == first.body


def test_an_exception_that_is_owed_keeps_its_message(platform):
    """A refund that the account cannot take (its currency's range is full) waits for an operator, and so does the
    message."""
    smsd = platform
    message = send(smsd, "+491510000001", send_at=LATER)
    top = 9007199254740991 - smsd.get("/v1/accounts/money").body["balance"]
    assert smsd.post("/v1/accounts/money/topups", {"amount": top}).status == 201
    assert smsd.post(f"/v1/messages/{message}/cancel").status == 200
    smsd.advance(3 * DAY)
    assert archived(smsd) == 0
    exception = smsd.get("/v1/exceptions").body["data"][0]
    assert smsd.post("/v1/accounts/money/payouts", {"amount": 1000}).status == 201
    assert smsd.post(f"/v1/exceptions/{exception['id']}/retry").status == 200
    run_archive(smsd)
    assert archived(smsd) == 1
    assert get(smsd, message)["status"] == "canceled"


# --- kills


COUNT = 300
NOT_YET = ["--archive-after-ms", "31536000000"]
NOW = ["--archive-after-ms", "1000"]


def filled(tmp_path, options):
    """A smsd that has COUNT messages of three days, and what is shown of them."""
    smsd = Smsd(tmp_path, options=options).start()
    furnish(smsd)
    for first in range(0, COUNT, COUNT // 3):
        send_many(smsd, [body_of(f"+4915{i % 7}000{list(ENDINGS)[i % 3]}") for i in range(first, first + COUNT // 3)])
        smsd.advance(60)
        smsd.advance(DAY - 60)
    before = pages(smsd, "/v1/messages", 500)
    assert len(before) == COUNT
    return smsd, before


def check_after_kill(smsd, before, random_of=random):
    """All are there once, and whole."""
    assert pages(smsd, "/v1/messages", 97) == before
    for shown in random_of.sample(before, 5):
        assert {name: value for name, value in get(smsd, shown["id"]).items() if name not in WHOLE} == shown


POINTS = [("history.make.before_rename", 1), ("history.make.before_rename", 2), ("history.make.after_rename", 1),
          ("history.append.before_commit", 1), ("history.append.before_commit", 2),
          ("history.append.after_commit", 1), ("history.append.after_commit", 2),
          ("journal.append.before_write", 2), ("journal.append.after_write", 2), ("journal.append.after_sync", 2)]


def run_until_dead(smsd, path, body=None):
    """Whether it was answered first."""
    try:
        return smsd.post(path, body).status == 200
    except OSError:
        pass
    except Exception as broken:  # http.client's
        assert "Disconnected" in type(broken).__name__ or "BadStatusLine" in type(broken).__name__, broken
    return False


@pytest.mark.skipif(variant() == "release", reason="a release build has no crash points")
def test_kill_between_any_two_steps_loses_nothing(tmp_path):
    """SMS-19, OPS-7: dead at each named point of an archive's run; whatever is shown is what was, and the next run
    goes on."""
    smsd, before = filled(tmp_path, NOT_YET)
    smsd.stop()
    smsd.options = NOW
    for point, passage in POINTS:
        smsd.environment = {"SMSD_CRASH_POINT": f"{point}:{passage}"}
        smsd.start()
        run_until_dead(smsd, "/v1/jobs/archive/run")
        assert smsd.wait_end(10) == -signal.SIGKILL, point
        smsd.environment = {}
        smsd.verify()
        smsd.start()
        check_after_kill(smsd, before)
        smsd.stop()
    smsd.start()
    assert run_archive(smsd)["failed"] == 0
    assert metric(smsd, "smsd_history_days") == 3
    check_after_kill(smsd, before)
    smsd.close()


@pytest.mark.skipif(variant() == "release", reason="a release build has no crash points")
@pytest.mark.parametrize("point", ["history.drop.before_unlink", "history.drop.after_unlink"])
def test_kill_while_a_day_is_dropped(tmp_path, point):
    """SMS-19: the day is gone, or will be with the next run; what was charged for it stays right."""
    smsd, before = filled(tmp_path, ["--history-days", "4"])
    smsd.advance(DAY)
    assert metric(smsd, "smsd_history_days") == 3
    smsd.stop()
    smsd.environment = {"SMSD_CRASH_POINT": f"{point}:1"}
    smsd.start()
    run_until_dead(smsd, "/v1/test_clock/advance", {"seconds": DAY})
    assert smsd.wait_end(10) == -signal.SIGKILL
    smsd.environment = {}
    smsd.verify()
    smsd.start()
    smsd.advance(1200)
    assert metric(smsd, "smsd_history_days") == 2
    assert pages(smsd, "/v1/messages", 500) == before[:COUNT * 2 // 3]
    assert smsd.get("/v1/audit").body["ok"] is True
    smsd.close()


def test_kills_at_any_moment_lose_nothing(tmp_path):
    """SMS-19, SMS-22: kill -9 while it runs, each time later, until it is done before."""
    chance = random.Random(19)
    smsd, before = filled(tmp_path, NOT_YET)
    smsd.stop()
    smsd.options = NOW
    kills, seconds, is_done = 0, 0.002, False
    while not is_done:
        smsd.start()
        killer = threading.Timer(seconds * chance.uniform(1, 2), smsd.process.kill)
        killer.start()
        is_done = run_until_dead(smsd, "/v1/jobs/archive/run")
        killer.join()
        smsd.wait_end()
        smsd.start()
        check_after_kill(smsd, before, chance)
        smsd.stop()
        smsd.verify()
        kills, seconds = kills + 1, seconds * 2
    assert kills > 2, "it was done before there was a kill to speak of"
    smsd.start()
    run_archive(smsd)
    assert metric(smsd, "smsd_history_days") == 3
    check_after_kill(smsd, before, chance)
    smsd.close()


# --- retention, receipts, damage


def test_what_is_past_its_days_is_dropped(tmp_path):
    """SMS-19: a day at a time, by the day on which messages were made; money stays as it was."""
    smsd = Smsd(tmp_path, options=["--history-days", "3"]).start()
    furnish(smsd)
    messages = []
    for _ in range(3):
        messages.append(send(smsd, "+491510000001"))
        smsd.advance(60)
        smsd.advance(DAY - 60)
    smsd.advance(1200)
    assert [smsd.get(f"/v1/messages/{message}").status for message in messages] == [200, 200, 200]
    money = smsd.get("/v1/accounts/money").body["balance"]
    for gone in (1, 2, 3):
        smsd.advance(DAY)
        statuses = [smsd.get(f"/v1/messages/{message}").status for message in messages]
        assert statuses == [404] * gone + [200] * (3 - gone)
        assert [shown["id"] for shown in pages(smsd, "/v1/messages", 2)] == messages[gone:][::-1]
    assert metric(smsd, "smsd_history_days") == 0 and metric(smsd, "smsd_history_bytes") == 0
    assert list((smsd.data_dir / "history").iterdir()) == []
    assert smsd.get("/v1/accounts/money").body["balance"] == money
    assert smsd.get("/v1/audit").body["ok"] is True
    smsd.close()


def damage(path, marked, change):
    data = bytearray(path.read_bytes())
    assert data.count(marked) == 1
    at = data.index(marked)
    data[at:at + len(marked)] = change(marked)
    path.write_bytes(data)


def test_a_damaged_day_is_told_and_leaves_the_others(tmp_path):
    """SMS-19, OPS-7: reads of it fail, all else goes on, and verify names it."""
    smsd = Smsd(tmp_path).start()
    furnish(smsd)
    marked, near = (send(smsd, "+491510000001", content=text) for text in ("a marked text", "beside it"))
    smsd.advance(60)
    smsd.advance(2 * DAY)
    other = send(smsd, "+491510000001")
    smsd.advance(60)
    smsd.advance(2 * DAY)
    smsd.stop()
    first, second = sorted((smsd.data_dir / "history").iterdir())
    whole = first.read_bytes()
    damage(first, b"a marked text", lambda text: text[::-1])
    smsd.start()
    answer = smsd.get(f"/v1/messages/{marked}")
    assert (answer.status, answer.code) == (500, "internal")
    assert get(smsd, near)["content"] == "beside it"
    assert get(smsd, other)["status"] == "delivered"
    assert smsd.get("/v1/messages").status == 500
    since = get(smsd, other)["created_at"]
    assert [shown["id"] for shown in pages(smsd, f"/v1/messages?created_from={since}", 50)] == [other]
    failures = metric(smsd, "smsd_history_failures_total")
    for _ in range(20):
        assert smsd.get(f"/v1/messages/{marked}").status == 500
    assert metric(smsd, "smsd_history_failures_total") == failures + 20
    assert [event["day"] for event in smsd.events("history_failed")] == [first.stem], "told once"
    smsd.stop()
    done = run(["verify", "--data-dir", str(smsd.data_dir)])
    assert done.returncode == 1 and first.stem in done.stdout + done.stderr
    first.write_bytes(whole[:8192])
    smsd.start()
    assert smsd.get(f"/v1/messages/{near}").status == 500
    smsd.stop()
    assert run(["verify", "--data-dir", str(smsd.data_dir)]).returncode == 1
    first.unlink()
    done = run(["verify", "--data-dir", str(smsd.data_dir)])
    assert done.returncode == 1 and first.stem in done.stdout + done.stderr
    smsd.start()
    assert run_archive(smsd)["failed"] == 1
    assert run_archive(smsd)["failed"] == 2
    assert [(event["day"], event["days"]) for event in smsd.events("history_missing")] == [(first.stem, 1)]
    assert len([event for event in smsd.events("job_ended") if event["level"] == "warning"]) == 1
    first.mkdir()
    assert smsd.get(f"/v1/messages/{near}").status == 404, "nobody reads a file that came while it ran"
    smsd.restart()
    assert smsd.get(f"/v1/messages/{near}").status == 500
    first.rmdir()
    smsd.stop()
    first.write_bytes(whole)
    smsd.start()
    assert get(smsd, marked)["content"] == "a marked text"
    smsd.close()


def test_without_room_messages_stay_rows(tmp_path):
    """SMS-19, OPS-7: what history cannot take stays, is shown as ever, and goes once it can."""
    smsd = Smsd(tmp_path).start()
    furnish(smsd)
    message = send(smsd, "+491510000001")
    smsd.advance(60)
    (smsd.data_dir / "history").rmdir()
    (smsd.data_dir / "history").write_text("in the way")
    before = get(smsd, message)
    smsd.advance(2 * DAY)
    assert archived(smsd) == 0 and metric(smsd, "smsd_history_failures_total") > 0
    assert get(smsd, message) == before
    (smsd.data_dir / "history").unlink()
    (smsd.data_dir / "history").mkdir()
    smsd.advance(1200)
    assert archived(smsd) == 1
    assert get(smsd, message) == before
    smsd.close()


def test_a_list_that_is_empty_is_a_list(platform):
    assert set(platform.get("/v1/messages?company=other&status=failed").body) == LIST
