"""Campaigns over the wire: from draft to finished, each refusal, uploads that break, kills (SMS-14), and codes beside
them (SMS-16). SMSD_RECIPIENTS sets how many recipients are killed with; SMSD_UPLOAD how many are uploaded while
memory is watched."""

import datetime
import json
import os
import pathlib
import random
import select
import time

import pytest

from campaign import (LINES, PRICE, as_lines, change, check_money, confirmed, create, get, given, money, new_key,
                      numbers, recipients_of, upload, wait_for)
from contract import pages
from platform_setup import COMPANY, START_MONEY, put, sandbox, send, set_up
from smsd import ANSWER_SECONDS_MAX, Smsd
from test_batch_streams import Sender, head, in_chunks
from test_faults import failing_sync  # noqa: F401, a fixture
from webhook import send_to

RECIPIENTS = int(os.environ.get("SMSD_RECIPIENTS", "600"))
UPLOAD = int(os.environ.get("SMSD_UPLOAD", "50000"))
MIB = 1 << 20


@pytest.fixture
def sending(smsd):
    set_up(smsd)
    return smsd


def slow(smsd, rate=50):
    """A product that sends so slowly that a campaign is still running whatever the test does."""
    sandbox(smsd, rate_per_second=rate)


# --- a life -------------------------------------------------------------------------------------------------------

def test_a_campaign_from_draft_to_finished(tmp_path):
    """SMS-14: nothing goes before it is confirmed; then each recipient gets one message."""
    log = tmp_path / "sandbox.log"
    smsd = Smsd(tmp_path, options=["--sandbox-log", str(log)]).start()
    set_up(smsd)
    sandbox(smsd)
    campaign = create(smsd, name="spring")
    assert upload(smsd, campaign, numbers(300)) == {"accepted": 300, "invalid": 0, "duplicates": 0, "errors": []}
    draft = get(smsd, campaign)
    assert (draft["recipients"], draft["parts"], draft["amount"]) == (300, 300, 300 * PRICE)
    assert given(log) == [] and money(smsd)["held"] == 0
    running = change(smsd, campaign, "confirm")
    assert running["status"] == "running" and running["reserved"] == 300 * PRICE
    finished = wait_for(smsd, campaign, "finished", until=lambda body: body["messages"]["delivered"] == 300)
    assert finished["progress"] == 100 and finished["left"] == 0 and finished["finished_at"]
    recipients = recipients_of(smsd, campaign)
    assert [row["to"] for row in recipients] == numbers(300)
    assert sorted(given(log)) == sorted(row["message"] for row in recipients)
    check_money(smsd, finished, START_MONEY)
    smsd.close()


def test_recipients_have_texts_of_their_own(sending):
    """SMS-14: parameters of a recipient go before those of the campaign."""
    sandbox(sending)
    put(sending, "/v1/templates/sale", {"content": "{name}: {percent}% off", "kind": "marketing"})
    campaign = create(sending, content=None, kind=None, template="sale", params={"percent": "10"})
    upload(sending, campaign, [{"to": numbers(2)[0], "params": {"name": "Ann"}, "client_reference": "r-1"},
                               {"to": numbers(2)[1], "params": {"name": "Bob", "percent": "20"}}])
    change(sending, campaign, "confirm")
    wait_for(sending, campaign, "finished")
    ann, bob = [sending.get(f"/v1/messages/{row['message']}").body
                for row in recipients_of(sending, campaign)]
    assert (ann["content"], ann["client_reference"]) == ("Ann: 10% off", "r-1")
    assert bob["content"] == "Bob: 20% off"


def test_it_waits_for_its_time(sending):
    sandbox(sending)
    answer = sending.post("/v1/campaigns", {"company": COMPANY, "content": "x", "kind": "notice"})
    assert answer.body["send_at"] is None
    now = datetime.datetime.fromisoformat(answer.headers["x-test-clock"].replace("Z", "+00:00"))
    campaign = create(sending, send_at=(now + datetime.timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ"))
    upload(sending, campaign, numbers(5))
    assert change(sending, campaign, "confirm")["status"] == "scheduled"
    assert money(sending)["held"] == 5 * PRICE
    sending.advance(1800)
    assert get(sending, campaign)["status"] == "scheduled"
    sending.advance(1800)
    wait_for(sending, campaign, "finished")


def test_who_has_opted_out_by_then_is_left_out(sending):
    """SMS-14, SMS-18: and the campaign is as done as if he had been sent to."""
    sandbox(sending)
    campaign = create(sending)
    upload(sending, campaign, numbers(4))
    put(sending, f"/v1/blocklist/{numbers(4)[2]}", {"reason": "opted_out"})
    change(sending, campaign, "confirm")
    finished = wait_for(sending, campaign, "finished", until=lambda body: body["messages"]["delivered"] == 3)
    assert (finished["refused"], finished["submitted"], finished["progress"]) == (1, 3, 100)
    assert [error["code"] for error in pages(sending, f"/v1/campaigns/{campaign}/errors", 5)] == ["blocked_number"]
    check_money(sending, finished, START_MONEY)


def test_webhooks_tell_what_becomes_of_it(smsd, receiver):
    smsd.stop()
    smsd.options += ["--webhooks-allow-private"]
    smsd.start()
    set_up(smsd)
    sandbox(smsd)
    send_to(smsd, receiver.url("/setting"))
    campaign = create(smsd, name="spring", callback_url=receiver.url("/campaign"),
                      message_callback_url=receiver.url("/message"))
    upload(smsd, campaign, numbers(3))
    change(smsd, campaign, "confirm")
    hooks = [json.loads(hook.body) for hook in receiver.wait(2, "/campaign")]
    assert {hook["type"] for hook in hooks} == {"campaign.status"}
    told = {hook["data"]["status"]: hook["data"] for hook in hooks}
    assert set(told) == {"running", "finished"}
    finished = told["finished"]
    assert (finished["id"], finished["company"], finished["name"]) == (campaign, COMPANY, "spring")
    assert (finished["recipients"], finished["submitted"], finished["charged"]) == (3, 3, 3 * PRICE)
    assert finished["reason"] is None
    messages = [json.loads(hook.body)["data"]["status"] for hook in receiver.wait(6, "/message")]
    assert sorted(messages) == ["delivered"] * 3 + ["sent"] * 3
    assert receiver.at("/setting") == []


# --- refusals -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("fields, status, code, pointers", [
    ({"company": "nobody"}, 404, "company_not_found", []),
    ({"content": None, "kind": None}, 422, "invalid", ["/template"]),
    ({"template": "code"}, 422, "invalid", ["/content"]),
    ({"content": None, "kind": None, "template": "none"}, 404, "template_not_found", []),
    ({"content": None, "kind": None, "template": "code"}, 422, "not_for_campaigns", []),
    ({"content": None, "kind": None, "template": "sale", "params": {"x": "y", "percent": "5", "z": "y"}}, 422, "unknown_parameter",
     ["/params/x", "/params/z"]),
    ({"kind": "verification"}, 422, "invalid", ["/kind"]),
    ({"kind": None}, 422, "invalid", ["/kind"]),
    ({"params": {"x": "y"}}, 422, "invalid", ["/params"]),
    ({"send_at": "2099-01-01T00:00:00Z"}, 422, "invalid", ["/send_at"]),
    ({"send_at": "tomorrow"}, 422, "invalid", ["/send_at"]),
    ({"callback_url": "ftp://x"}, 422, "invalid", ["/callback_url"]),
    ({"recipients": []}, 422, "unknown_field", ["/recipients"]),
])
def test_a_campaign_is_refused_for_what_is_wrong_with_it(sending, fields, status, code, pointers):
    put(sending, "/v1/templates/sale", {"content": "{percent}% off", "kind": "marketing"})
    put(sending, "/v1/templates/code", {"content": "{code}", "kind": "verification"})
    answer = sending.post("/v1/campaigns", {"company": COMPANY, "content": "Buy!", "kind": "marketing", **fields})
    assert (answer.status, answer.code, answer.pointers) == (status, code, pointers), answer
    assert sending.get("/v1/campaigns").body["data"] == []


def test_every_state_refuses_what_it_cannot_do(sending):
    """SMS-14: each call in each state."""
    slow(sending)
    refused = {}
    calls = ("recipients", "confirm", "pause", "resume", "cancel")

    def attempt(state, campaign, allowed):
        for call in calls:
            if call in allowed:
                continue
            body = as_lines(numbers(1)) if call == "recipients" else None
            answer = sending.post(f"/v1/campaigns/{campaign}/{call}", body)
            refused[state, call] = (answer.status, answer.code)
            assert get(sending, campaign)["status"] == state

    campaign = create(sending)
    attempt("draft", campaign, ("recipients", "cancel", "confirm"))
    assert sending.post(f"/v1/campaigns/{campaign}/confirm").code == "campaign_empty"
    upload(sending, campaign, numbers(2000))
    change(sending, campaign, "confirm")
    attempt("running", campaign, ("pause", "cancel"))
    change(sending, campaign, "pause")
    attempt("paused", campaign, ("resume", "cancel"))
    change(sending, campaign, "cancel")
    wait_for(sending, campaign, "canceled")
    attempt("canceled", campaign, ())
    small = confirmed(sending, numbers(1))
    wait_for(sending, small, "finished")
    attempt("finished", small, ())
    for state in ("running", "paused", "canceled", "finished"):
        assert refused[state, "recipients"] == refused[state, "confirm"] == (409, "campaign_not_draft")
    for state in ("draft", "paused", "canceled", "finished"):
        assert refused[state, "pause"] == (409, "campaign_not_running")
    for state in ("draft", "running", "canceled", "finished"):
        assert refused[state, "resume"] == (409, "campaign_not_paused")
    for state in ("canceled", "finished"):
        assert refused[state, "cancel"] == (409, "campaign_ended")
    for call in calls:
        assert sending.post(f"/v1/campaigns/cmp_0000000000000/{call}").code == "campaign_not_found"


def test_without_the_money_it_stays_a_draft(sending):
    """SMS-14: 402, and nothing is set aside."""
    sandbox(sending)
    sending.post("/v1/accounts/purse/topups", {"amount": 10 * PRICE - 1})
    put(sending, "/v1/companies/poor", {"name": "Poor", "account": "purse"})
    put(sending, "/v1/routes/poor", {"company": "poor", "country": "DE", "kind": "general", "product": "sandbox"})
    campaign = create(sending, company="poor")
    upload(sending, campaign, numbers(10))
    answer = sending.post(f"/v1/campaigns/{campaign}/confirm")
    assert (answer.status, answer.code) == (402, "insufficient_funds")
    assert get(sending, campaign)["status"] == "draft" and money(sending, "purse")["held"] == 0
    sending.post("/v1/accounts/purse/topups", {"amount": 1})
    change(sending, campaign, "confirm")
    answer = sending.post("/v1/accounts/purse/payouts", {"amount": 10 * PRICE})
    assert (answer.status, answer.code) == (402, "insufficient_funds"), "what is set aside was spent"
    wait_for(sending, campaign, "finished")
    assert money(sending, "purse")["balance"] == 0


def test_a_key_of_a_company_sees_only_its_own(sending):
    sandbox(sending)
    put(sending, "/v1/companies/other", {"name": "Other", "account": "money"})
    campaign = create(sending)
    mine, others = [sending.post("/v1/keys", {"name": "k", "scopes": ["messages"], "company": company}).body["secret"]
                    for company in (COMPANY, "other")]
    body = {"company": COMPANY, "content": "Buy!", "kind": "marketing"}
    assert sending.post("/v1/campaigns", body, key=others).status == 403
    assert sending.post("/v1/campaigns", body, key=mine).status == 201
    for path in (f"/v1/campaigns/{campaign}", f"/v1/campaigns/{campaign}/errors",
                 f"/v1/campaigns/{campaign}/recipients"):
        assert sending.get(path, key=mine).status == 200
        assert sending.get(path, key=others).code == "campaign_not_found"
    for call in ("recipients", "confirm", "pause", "resume", "cancel"):
        answer = sending.post(f"/v1/campaigns/{campaign}/{call}", as_lines(numbers(1)) if call == "recipients" else None,
                              key=others)
        assert (answer.status, answer.code) == (404, "campaign_not_found")
    assert get(sending, campaign)["recipients"] == 0
    assert sending.get("/v1/campaigns", key=others).body["data"] == []
    assert len(sending.get("/v1/campaigns", key=mine).body["data"]) == 2
    assert sending.get(f"/v1/campaigns?company={COMPANY}", key=others).status == 403


def test_a_repeated_key_confirms_once(sending):
    """BILL-9 for campaigns: the first answer again, whatever has become of it since."""
    sandbox(sending)
    campaign = create(sending)
    upload(sending, campaign, numbers(20))
    first = sending.post(f"/v1/campaigns/{campaign}/confirm", idempotency="c-1")
    wait_for(sending, campaign, "finished")
    again = sending.post(f"/v1/campaigns/{campaign}/confirm", idempotency="c-1")
    assert again.replayed and again.body == first.body and again.body["status"] == "running"
    other = create(sending)
    assert sending.post(f"/v1/campaigns/{other}/confirm", idempotency="c-1").code == "idempotency_key_reused"
    for what, code in (("pause", "campaign_not_running"), ("cancel", "campaign_ended")):
        key = new_key()
        answers = [sending.post(f"/v1/campaigns/{campaign}/{what}", idempotency=key) for _ in range(2)]
        assert [answer.code for answer in answers] == [code, code] and answers[1].replayed
    made = [sending.post("/v1/campaigns", {"company": COMPANY, "content": "x", "kind": "notice"}, idempotency="m-1")
            for _ in range(2)]
    assert made[0].body == made[1].body and made[1].replayed


# --- uploads ------------------------------------------------------------------------------------------------------

def test_recipients_come_in_several_requests(sending):
    """SMS-14: added one upload after another, in pieces of any size."""
    sandbox(sending)
    campaign = create(sending)
    path = f"/v1/campaigns/{campaign}/recipients"
    for start in range(0, 3000, 1000):
        body = as_lines(numbers(1000, start)).encode()
        with Sender(sending) as sender:
            sender.send(in_chunks(sending, body, path=path, type="application/x-ndjson"), (3001, 1, 17, 9973, 2))
            answer = sender.answer()
        assert answer.status == 200 and answer.body["accepted"] == 1000, answer
    assert upload(sending, campaign, numbers(3000))["duplicates"] == 3000
    body = get(sending, campaign)
    assert (body["recipients"], body["duplicates"], body["errors"]) == (3000, 3000, 0)
    assert [row["to"] for row in pages(sending, path, 500)] == numbers(3000)


@pytest.mark.parametrize("has_key", [True, False])
def test_an_upload_goes_on_after_a_broken_connection(sending, has_key):
    """SMS-14: what was taken stays; sent again under its key the answer is that of one whole upload, and without a
    key what was taken shows as duplicates."""
    sandbox(sending)
    campaign = create(sending)
    path = f"/v1/campaigns/{campaign}/recipients"
    recipients = numbers(4000)
    recipients[70] = "wrong"
    body = as_lines(recipients).encode()
    key = new_key() if has_key else None
    with Sender(sending) as sender:
        sender.send(head(sending, f"Content-Length: {len(body)}", path=path, type="application/x-ndjson", key=key)
                    + body[:len(body) // 2])
        deadline = time.monotonic() + ANSWER_SECONDS_MAX
        while get(sending, campaign)["recipients"] < 1900:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    taken = get(sending, campaign)["recipients"]
    assert taken < 2001
    again = upload(sending, campaign, recipients, idempotency=key)
    if has_key:
        assert (again["accepted"], again["duplicates"], again["invalid"]) == (3999, 0, 1)
    else:
        assert (again["accepted"], again["duplicates"], again["invalid"]) == (3999 - taken, taken, 1)
    assert [error["line"] for error in again["errors"]] == [71]
    assert get(sending, campaign)["recipients"] == 3999
    change(sending, campaign, "cancel")


def resident_anonymous(smsd):
    """Memory of its own, without the file that is mapped."""
    status = pathlib.Path(f"/proc/{smsd.process.pid}/status").read_text()
    return int(status.partition("RssAnon:")[2].split()[0]) * 1024


def test_memory_does_not_grow_with_an_upload(tmp_path):
    """SMS-14, OPS-8: rows in memory take what they may and the upload next to nothing, however long it is; it waits
    while rows are written. Kept in memory it would take UPLOAD KiB, and its rows as much again."""
    smsd = Smsd(tmp_path, options=["--overlay-bytes-max", str(16 * MIB), "--checkpoint-interval-ms", "500"],
                environment={"ASAN_OPTIONS": "detect_leaks=1:exitcode=99:quarantine_size_mb=1"}).start()
    set_up(smsd)
    sandbox(smsd)
    put(smsd, "/v1/templates/hello", {"content": "Hello {name}", "kind": "marketing"})
    campaign = create(smsd, content=None, kind=None, template="hello")
    before, most = resident_anonymous(smsd), [0]

    def pieces():
        """As a file would be read, memory noted on the way."""
        for first in range(0, UPLOAD, 500):
            yield "".join(json.dumps({"to": f"+49{n:09}", "params": {"name": "x" * 1000}}) + "\n"
                          for n in range(first, first + 500)).encode()
            most.append(resident_anonymous(smsd))

    connection = smsd.connection()
    connection.request("POST", f"/v1/campaigns/{campaign}/recipients", pieces(),
                       {"Authorization": f"Bearer {smsd.admin_key}", **LINES}, encode_chunked=True)
    answer = json.loads(connection.getresponse().read())
    assert answer.get("accepted") == UPLOAD, answer
    assert get(smsd, campaign)["recipients"] == UPLOAD
    assert max(most) - before < 72 * MIB, f"{before / MIB:.0f} MiB, then {max(most) / MIB:.0f} MiB"
    smsd.close()


def test_an_upload_waits_while_rows_cannot_be_written(tmp_path, failing_sync):
    """OPS-8: with the disk at a stand smsd stops reading, others are still served, and in the end all is taken."""
    held = tmp_path / "held"
    smsd = Smsd(tmp_path, options=["--overlay-bytes-max", str(16 * MIB)],
                environment={"LD_PRELOAD": str(failing_sync), "SMSD_HOLD_SYNC": str(held),
                             "ASAN_OPTIONS": "detect_leaks=1:exitcode=99:quarantine_size_mb=1:verify_asan_link_order=0"
                             }).start()
    set_up(smsd)
    sandbox(smsd)
    put(smsd, "/v1/templates/hello", {"content": "Hello {name}", "kind": "marketing"})
    campaign = create(smsd, content=None, kind=None, template="hello")
    before = resident_anonymous(smsd)
    body = as_lines({"to": f"+49{n:09}", "params": {"name": "x" * 1000}} for n in range(UPLOAD)).encode()
    held.touch()
    with Sender(smsd) as sender:
        sender.stream.setblocking(False)
        sent = head(smsd, f"Content-Length: {len(body)}", path=f"/v1/campaigns/{campaign}/recipients",
                    type="application/x-ndjson") + body
        at = 0
        with pytest.raises(BlockingIOError):  # for a second nothing more is taken
            while at < len(sent):
                at += send_within(sender.stream, sent[at:at + MIB], 1)
        assert at < len(sent) and resident_anonymous(smsd) - before < 72 * MIB
        assert smsd.get("/healthz").status == 200
        held.unlink()
        sender.stream.settimeout(ANSWER_SECONDS_MAX)
        sender.stream.sendall(sent[at:])
        answer = sender.answer()
    assert answer.status == 200 and answer.body["accepted"] == UPLOAD, answer
    smsd.close()


def send_within(stream, data, seconds):
    """How much of it was taken; BlockingIOError: nothing, for so long."""
    if not select.select([], [stream], [], seconds)[1]:
        raise BlockingIOError
    return stream.send(data)


# --- pause, resume, cancel ----------------------------------------------------------------------------------------

def test_a_pause_stops_and_a_resume_goes_on(tmp_path):
    """SMS-14: at most the window is sent after a pause; in the end each recipient has got one message."""
    log = tmp_path / "sandbox.log"
    smsd = Smsd(tmp_path, options=["--sandbox-log", str(log)]).start()
    set_up(smsd)
    slow(smsd, 200)
    campaign = confirmed(smsd, numbers(500))
    wait_for(smsd, campaign, "running", until=lambda body: body["messages"]["delivered"] > 20)
    paused = change(smsd, campaign, "pause")
    assert paused["left"] > 0 and paused["reserved"] == paused["left"] * PRICE
    put(smsd, "/v1/products/sandbox", {"channel": "provider", "gateway": {"type": "sandbox"}, "price": PRICE})
    at_rest = wait_for(smsd, campaign, "paused",
                       until=lambda body: body["messages"]["queued"] + body["messages"]["sending"] == 0)
    assert at_rest["submitted"] == paused["submitted"] == len(given(log))
    assert money(smsd)["held"] == paused["reserved"]
    change(smsd, campaign, "resume")
    finished = wait_for(smsd, campaign, "finished")
    assert len(given(log)) == len(set(given(log))) == 500
    check_money(smsd, finished, START_MONEY)
    smsd.close()


def test_a_cancel_takes_back_what_was_not_sent(tmp_path):
    """SMS-14: what waits is canceled and refunded, what was set aside comes back; what was sent is paid."""
    log = tmp_path / "sandbox.log"
    smsd = Smsd(tmp_path, options=["--sandbox-log", str(log)]).start()
    set_up(smsd)
    slow(smsd)
    campaign = confirmed(smsd, numbers(500))
    wait_for(smsd, campaign, "running", until=lambda body: body["messages"]["delivered"] > 5)
    assert change(smsd, campaign, "cancel")["reserved"] == 0
    canceled = wait_for(smsd, campaign, "canceled", until=lambda body: body["messages"]["sending"] == 0)
    assert canceled["messages"]["canceled"] > 0 and canceled["messages"]["queued"] == 0
    assert canceled["charged"] - canceled["refunded"] == len(given(log)) * PRICE
    check_money(smsd, canceled, START_MONEY)
    smsd.close()


def test_a_canceled_draft_sends_nothing(sending):
    sandbox(sending)
    campaign = create(sending)
    upload(sending, campaign, numbers(10))
    assert change(sending, campaign, "cancel")["status"] == "canceled"
    assert sending.get("/v1/messages").body["data"] == []


def test_it_pauses_by_itself_when_it_cannot_go_on(sending):
    """SMS-14: no route; it says why, and goes on where it was."""
    slow(sending)
    campaign = confirmed(sending, numbers(300))
    wait_for(sending, campaign, "running", until=lambda body: body["submitted"] > 0)
    sending.patch("/v1/routes/sandbox-DE-general", {"status": "disabled"})
    put(sending, "/v1/products/sandbox", {"channel": "provider", "gateway": {"type": "sandbox"}, "price": PRICE})
    paused = wait_for(sending, campaign, "paused")
    assert paused["reason"] == "no_route" and 0 < paused["submitted"] < 300
    assert money(sending)["held"] == paused["reserved"] == paused["left"] * PRICE
    sending.patch("/v1/routes/sandbox-DE-general", {"status": "enabled"})
    assert change(sending, campaign, "resume")["reason"] is None
    check_money(sending, wait_for(sending, campaign, "finished"), START_MONEY)


def test_what_fails_is_refunded_and_counted(sending):
    sandbox(sending)
    campaign = confirmed(sending, ["+4915112340003", "+4915112340002", *numbers(3)])
    finished = wait_for(sending, campaign, "finished", until=lambda body: body["messages"]["delivered"] == 3)
    assert finished["messages"]["rejected"] == finished["messages"]["undelivered"] == 1
    assert finished["refunded"] == PRICE
    check_money(sending, finished, START_MONEY)


# --- kills --------------------------------------------------------------------------------------------------------

def kill(smsd):
    smsd.kill9()
    smsd.start()


def test_killed_while_it_runs_each_recipient_gets_one_message(tmp_path):
    """SMS-14, SMS-22: none lost, none twice, money exact."""
    moments = random.Random(1)
    log = tmp_path / "sandbox.log"
    smsd = Smsd(tmp_path, options=["--sandbox-log", str(log), "--checkpoint-interval-ms", "200"]).start()
    set_up(smsd)
    sandbox(smsd, rate_per_second=RECIPIENTS // 2, on_unknown="drop")
    campaign = confirmed(smsd, numbers(RECIPIENTS))
    for _ in range(4):
        time.sleep(moments.uniform(0.1, 0.4))
        kill(smsd)
    finished = wait_for(smsd, campaign, "finished")
    recipients = recipients_of(smsd, campaign)
    sent = given(log)
    assert len(sent) == len(set(sent)), "a message was given to the provider twice"
    assert [row["to"] for row in recipients] == numbers(RECIPIENTS)
    assert len({row["message"] for row in recipients}) == finished["submitted"] == RECIPIENTS
    assert set(sent) <= {row["message"] for row in recipients}
    lost = RECIPIENTS - len(sent)  # what was under way at a kill is given up as unknown
    assert lost <= finished["messages"]["failed"]
    check_money(smsd, finished, START_MONEY)
    smsd.close()


def test_killed_while_it_is_canceled(tmp_path):
    """SMS-14: the cancel is done after the kill, and money is exact."""
    moments = random.Random(2)
    log = tmp_path / "sandbox.log"
    smsd = Smsd(tmp_path, options=["--sandbox-log", str(log)]).start()
    set_up(smsd)
    slow(smsd, 100)
    for round_ in range(3):
        before = money(smsd)["balance"]
        campaign = confirmed(smsd, numbers(300, 1000 * round_))
        wait_for(smsd, campaign, "running", until=lambda body: body["submitted"] > 0)
        change(smsd, campaign, "cancel")
        time.sleep(moments.uniform(0, 0.02))
        kill(smsd)
        canceled = wait_for(smsd, campaign, "canceled", until=lambda body: body["messages"]["sending"] == 0)
        check_money(smsd, canceled, before)
    assert len(given(log)) == len(set(given(log)))
    smsd.close()


def test_killed_while_recipients_come(tmp_path):
    """SMS-14: sent again under its key, the upload is as one that was never broken."""
    moments = random.Random(3)
    smsd = Smsd(tmp_path, options=["--checkpoint-interval-ms", "200"]).start()
    set_up(smsd)
    sandbox(smsd)
    campaign = create(smsd)
    path = f"/v1/campaigns/{campaign}/recipients"
    recipients = numbers(10 * RECIPIENTS)
    recipients[70] = "wrong"
    body, key = as_lines(recipients).encode(), new_key()
    for _ in range(3):
        sent = head(smsd, f"Content-Length: {len(body)}", path=path, type="application/x-ndjson", key=key)
        with Sender(smsd) as sender:
            sender.send(sent + body[:int(len(body) * moments.uniform(0.2, 0.9))])
            time.sleep(moments.uniform(0, 0.1))
            smsd.kill9()
        smsd.start()
    answer = upload(smsd, campaign, recipients, idempotency=key)
    assert (answer["accepted"], answer["invalid"], answer["duplicates"]) == (len(recipients) - 1, 1, 0)
    draft = get(smsd, campaign)
    assert (draft["recipients"], draft["errors"], draft["amount"]) == (len(recipients) - 1, 1,
                                                                      PRICE * (len(recipients) - 1))
    assert [error["line"] for error in answer["errors"]] == [71]
    assert upload(smsd, campaign, recipients, idempotency=key) == answer
    smsd.close()


# --- beside codes -------------------------------------------------------------------------------------------------

def test_a_code_goes_before_what_waits_of_a_campaign(tmp_path):
    """SMS-16: by the sandbox's log, of the same product."""
    log = tmp_path / "sandbox.log"
    smsd = Smsd(tmp_path, options=["--sandbox-log", str(log)]).start()
    set_up(smsd)
    slow(smsd, 20)
    campaign = confirmed(smsd, numbers(200))
    for _ in range(3):
        seen = len(given(log))
        wait_for(smsd, campaign, "running", until=lambda body: len(given(log)) > seen)
        code = send(smsd, "+4915177770123", "verification", "Your code")
        sent_by_then = len(given(log))
        wait_for(smsd, campaign, "running", until=lambda body: code in given(log))
        assert given(log).index(code) <= sent_by_then + 1
        assert get(smsd, campaign)["messages"]["queued"] > 0, "nothing waited that it could go before"
    change(smsd, campaign, "cancel")
    wait_for(smsd, campaign, "canceled")
    smsd.close()
