"""Quiet hours (SMS-18): marketing waits for the recipient's morning, by the clock of the country's time zone; codes
and notices do not. The test clock is put to the evening, or to where clocks are changed."""

import datetime
import threading
import zoneinfo

import pytest

import campaign as campaigns
from platform_setup import (COMPANY, START_MONEY, WAIT_SECONDS_MAX, body_of, get, metric, put, put_product, put_route, sandbox, send,
                            set_up, wait_for)
from provider import Provider
from smsd import Smsd

DE, CN, US = "+4915112340001", "+8613800000001", "+12125550001"
BERLIN, SHANGHAI = zoneinfo.ZoneInfo("Europe/Berlin"), zoneinfo.ZoneInfo("Asia/Shanghai")
COUNTRIES = {
    "DE": {"name": "Germany", "calling_code": 49, "timezones": ["Europe/Berlin"]},
    "CN": {"name": "China", "calling_code": 86, "number_lengths": [11], "timezones": ["Asia/Shanghai"]},
    "US": {"name": "United States", "calling_code": 1, "number_lengths": [10],
           "timezones": ["America/New_York", "America/Los_Angeles", "808=Pacific/Honolulu"]},
}


def now(smsd):
    return datetime.datetime.fromisoformat(smsd.advance(0).body["now"].replace("Z", "+00:00"))


def go_to(smsd, zone, hour, minute=0, day=None):
    """Moves the clock forward to the next time that it shows so there, or to that of the day."""
    at = now(smsd)
    there = datetime.datetime.combine(day or at.astimezone(zone).date(), datetime.time(hour, minute), zone)
    while there <= at:
        assert day is None, f"{there} is past"
        there = datetime.datetime.combine(there.date() + datetime.timedelta(days=1), there.time(), zone)
    smsd.advance(int((there - at).total_seconds()) + 1)
    return there


def local(text, zone=BERLIN):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(zone)


def clock(text, zone=BERLIN):
    return local(text, zone).strftime("%H:%M:%S")


@pytest.fixture
def platform(smsd):
    set_up(smsd)
    for alpha2, country in COUNTRIES.items():
        put(smsd, f"/v1/countries/{alpha2}", country)
    sandbox(smsd)
    put_route(smsd, "sandbox", country="US")
    return smsd


def test_marketing_in_the_evening_is_scheduled_for_the_morning(platform):
    """SMS-18: and goes then, without anybody asking."""
    evening = go_to(platform, BERLIN, 21, 30)
    body = get(platform, send(platform, DE, "marketing"))
    assert body["status"] == "scheduled" and clock(body["send_at"]) == "08:00:00"
    assert local(body["send_at"]).date() == evening.date() + datetime.timedelta(days=1)
    assert local(body["expire_at"]) - local(body["send_at"]) == datetime.timedelta(days=1)
    go_to(platform, BERLIN, 8)
    sent = wait_for(platform, body["id"], "delivered")
    assert sent["attempts"] == 1 and clock(sent["sent_at"]) >= "08:00:00"


def test_codes_and_notices_are_never_held(platform):
    """SMS-18"""
    go_to(platform, BERLIN, 3)
    for kind in ("verification", "notice"):
        assert get(platform, send(platform, DE, kind))["send_at"] is None
    assert wait_for(platform, send(platform, DE, "notice"), "delivered")


def test_marketing_by_day_goes_at_once(platform):
    go_to(platform, BERLIN, 8)
    assert wait_for(platform, send(platform, DE, "marketing"), "delivered")["send_at"] is None
    go_to(platform, BERLIN, 20, 59)
    assert wait_for(platform, send(platform, DE, "marketing"), "delivered")


def test_the_recipients_clock_counts_not_ours(platform):
    """SMS-18: zones to the east and to the west of UTC, at one moment."""
    go_to(platform, zoneinfo.ZoneInfo("UTC"), 13, 30)
    assert clock(get(platform, send(platform, CN, "marketing"))["send_at"], zoneinfo.ZoneInfo("Asia/Shanghai")) == "08:00:00"
    assert get(platform, send(platform, DE, "marketing"))["send_at"] is None
    # New York is up, Los Angeles is not yet: nobody knows where a number of theirs is.
    assert clock(get(platform, send(platform, US, "marketing"))["send_at"],
                 zoneinfo.ZoneInfo("America/Los_Angeles")) == "08:00:00"
    # But of one in Hawaii everybody knows.
    assert clock(get(platform, send(platform, "+18085550001", "marketing"))["send_at"],
                 zoneinfo.ZoneInfo("Pacific/Honolulu")) == "08:00:00"


def test_a_time_that_was_asked_for_is_moved_too(platform):
    go_to(platform, BERLIN, 12)
    night = (now(platform) + datetime.timedelta(hours=14)).isoformat(timespec="seconds")
    body = get(platform, send(platform, DE, "marketing", send_at=night))
    assert clock(body["send_at"]) == "08:00:00"
    body = get(platform, send(platform, DE, "notice", send_at=night))
    assert local(body["send_at"]) == local(night)


def test_what_would_expire_before_the_morning_is_refused_for_nothing(platform):
    """SMS-18: with a code of its own, and nothing is paid."""
    go_to(platform, BERLIN, 22)
    before = platform.get("/v1/accounts/money").body["balance"]
    early, late = ((now(platform) + datetime.timedelta(hours=hours)).isoformat(timespec="seconds") for hours in (9, 11))
    refused = platform.post("/v1/messages", body_of(DE, "marketing", expire_at=early))
    assert (refused.status, refused.code) == (409, "quiet_hours")
    assert platform.get("/v1/accounts/money").body["balance"] == before
    assert get(platform, send(platform, DE, "marketing", expire_at=late))["status"] == "scheduled"


def test_the_preview_tells_the_time(platform):
    go_to(platform, BERLIN, 22)
    answer = platform.post("/v1/messages/preview", body_of(DE, "marketing"))
    assert answer.status == 200 and clock(answer.body["send_at"]) == "08:00:00", answer


@pytest.mark.parametrize("country, kind, expected", [
    ("12:00-13:30", "marketing", "13:30:00"), ("none", "marketing", None), ("12:00-13:30", "notice", None)])
def test_a_country_has_hours_of_its_own(platform, country, kind, expected):
    put(platform, "/v1/countries/DE", {**COUNTRIES["DE"], "quiet_hours": country})
    go_to(platform, BERLIN, 12, 15)
    body = get(platform, send(platform, DE, kind))
    assert (body["send_at"] and clock(body["send_at"])) == expected


def test_the_setting_is_for_all_countries_that_say_nothing(platform):
    put(platform, "/v1/settings/quiet_hours", {"value": "11:00-15:00"})
    go_to(platform, BERLIN, 12)
    assert clock(get(platform, send(platform, DE, "marketing"))["send_at"]) == "15:00:00"
    put(platform, "/v1/settings/quiet_hours", {"value": "none"})
    go_to(platform, BERLIN, 23)
    assert get(platform, send(platform, DE, "marketing"))["send_at"] is None
    answer = platform.put("/v1/settings/quiet_hours", {"value": "11-15"})
    assert answer.status == 422 and answer.pointers == ["/value"]


def test_a_country_without_zones_has_no_quiet_hours(smsd):
    set_up(smsd)
    sandbox(smsd)
    go_to(smsd, BERLIN, 23)
    assert get(smsd, send(smsd, DE, "marketing"))["send_at"] is None


@pytest.mark.parametrize("zones, pointers", [
    (["Europe/Nowhere"], ["/timezones/0"]), (["Europe/Berlin", "151=Europe/Nowhere"], ["/timezones/1"]),
    (["../../etc/passwd"], ["/timezones/0"]), (["Europe"], ["/timezones/0"]), (["zone.tab"], ["/timezones/0"]),
    (["=Europe/Berlin"], ["/timezones/0"]), (["x=Europe/Berlin"], ["/timezones/0"]), ([""], ["/timezones/0"]),
    (["Europe/Berlin\nUTC0"], ["/timezones/0"]), ([], ["/timezones"]), ("Europe/Berlin", ["/timezones"])])
def test_a_zone_that_nobody_knows_is_refused(shared, zones, pointers):
    answer = shared.put("/v1/countries/DE", {**COUNTRIES["DE"], "timezones": zones})
    assert answer.status == 422 and answer.pointers == pointers, answer


def test_zones_and_hours_are_shown_as_they_were_put(shared):
    body = {**COUNTRIES["US"], "quiet_hours": "20:00-09:00"}
    put(shared, "/v1/countries/US", body)
    shown = shared.get("/v1/countries/US").body
    assert shown["timezones"] == body["timezones"] and shown["quiet_hours"] == "20:00-09:00"
    answer = shared.put("/v1/countries/US", {**body, "quiet_hours": "20:00-20:00"})
    assert answer.status == 422 and answer.pointers == ["/quiet_hours"]


def test_a_campaign_waits_for_the_morning(platform):
    """SMS-14, SMS-18: whenever it was confirmed, and of each recipient by his own clock."""
    go_to(platform, BERLIN, 23)
    germans, chinese = campaigns.numbers(20), [f"+86138000{n:05}" for n in range(101, 121)]
    campaign = campaigns.create(platform, kind="marketing")
    campaigns.upload(platform, campaign, germans + chinese)
    campaigns.change(platform, campaign, "confirm")
    campaigns.wait_for(platform, campaign, "running", until=lambda body: body["asleep"] == 40)
    go_to(platform, SHANGHAI, 8)
    body = campaigns.wait_for(platform, campaign, "running",
                              until=lambda body: body["messages"].get("delivered") == 20)
    assert (body["submitted"], body["left"], body["asleep"], body["progress"]) == (20, 20, 20, 50)
    listed = campaigns.recipients_of(platform, campaign)
    assert [row["to"] for row in listed if row["status"] == "asleep"] == germans
    assert [row["to"] for row in listed if row["status"] == "submitted"] == chinese
    go_to(platform, BERLIN, 8)
    campaigns.wait_for(platform, campaign, "finished", until=lambda body: body["messages"].get("delivered") == 40)


def test_a_campaign_over_zones_that_is_killed_paused_and_resumed(tmp_path):
    """SMS-14, SMS-18, SMS-22: who is awake is sent to though more sleep than may wait; in the end each recipient has
    got one message, none of them by night, and the money is right."""
    log = tmp_path / "sandbox.log"
    smsd = Smsd(tmp_path, options=["--sandbox-log", str(log)]).start()
    set_up(smsd)
    for alpha2, country in COUNTRIES.items():
        put(smsd, f"/v1/countries/{alpha2}", country)
    sandbox(smsd, on_unknown="resend")
    go_to(smsd, SHANGHAI, 12)  # five or six in the morning in Berlin
    germans, chinese = campaigns.numbers(200), [f"+86138000{n:05}" for n in range(101, 121)]
    campaign = campaigns.confirmed(smsd, germans + chinese)
    campaigns.wait_for(smsd, campaign, "running",
                       until=lambda body: body["messages"]["delivered"] == 20 and body["asleep"] == 200)
    assert campaigns.money(smsd)["held"] == 200 * campaigns.PRICE
    smsd.kill9()
    smsd.start()
    campaigns.change(smsd, campaign, "pause")
    go_to(smsd, BERLIN, 8)
    assert campaigns.get(smsd, campaign)["asleep"] == 200
    campaigns.change(smsd, campaign, "resume")
    campaigns.wait_for(smsd, campaign, "running", "finished", until=lambda body: body["submitted"] > 40)
    smsd.kill9()
    smsd.start()
    finished = campaigns.wait_for(smsd, campaign, "finished")
    assert (finished["submitted"], finished["asleep"]) == (220, 0)
    messages = {row["message"] for row in campaigns.recipients_of(smsd, campaign)}
    assert len(messages) == 220 and set(campaigns.given(log)) == messages
    campaigns.check_money(smsd, finished, START_MONEY)
    smsd.close()


# Days on which the clocks are changed.

@pytest.mark.parametrize("month, offset_hours", [(3, 2), (10, 1)])
def test_the_morning_after_the_clocks_were_changed_is_at_eight(platform, month, offset_hours):
    """SMS-18: the night of the last Sunday of March is an hour shorter, of October an hour longer."""
    year = now(platform).year + 1
    sunday = max(day for day in (datetime.date(year, month, day) for day in range(25, 32)) if day.weekday() == 6)
    go_to(platform, BERLIN, 21, 30, sunday - datetime.timedelta(days=1))
    there = local(get(platform, send(platform, DE, "marketing"))["send_at"])
    assert there.strftime("%H:%M") == "08:00" and there.date() == sunday
    assert there.utcoffset() == datetime.timedelta(hours=offset_hours)


# In the outbox when the night comes.

@pytest.fixture
def waiting(smsd):
    """A provider that is given one message at a time. After hold() it has one and does not answer, so whatever is
    sent then waits in the outbox, until let_go()."""
    set_up(smsd)
    for alpha2, country in COUNTRIES.items():
        put(smsd, f"/v1/countries/{alpha2}", country)
    gate = threading.Event()

    def answer(request):
        gate.wait(WAIT_SECONDS_MAX)
        return 200, {"id": request.form["id"]}

    def hold():
        before = len(provider.requests)
        gate.clear()
        send(smsd, DE, "notice")
        provider.wait(before + 1)
    gate.set()
    provider = Provider(answer)
    provider.hold, provider.let_go = hold, gate.set
    put_product(smsd, "far", {"type": "http", "window": 1, "send": {"url": provider.url, "form": {"id": "{id}"}},
                              "answer": {"id": {"json": "/id"}}})
    put_route(smsd, "far")
    go_to(smsd, BERLIN, 20, 30)
    yield provider
    gate.set()
    provider.close()


def test_marketing_that_the_night_finds_in_the_outbox_waits_there(smsd, waiting):
    """SMS-18: it is not sent, and nobody tries; what else waits is. It goes in the morning, once."""
    late = (now(smsd) + datetime.timedelta(hours=30)).isoformat(timespec="seconds")
    wait_for(smsd, send(smsd, DE, "marketing", expire_at=late), "sent")
    waiting.hold()
    held = [send(smsd, DE, "marketing", expire_at=late) for _ in range(40)]
    notice = send(smsd, DE, "notice", expire_at=late)
    assert {get(smsd, message)["status"] for message in held} == {"queued"}
    go_to(smsd, BERLIN, 21, 30)
    waiting.let_go()
    wait_for(smsd, notice, "sent")
    bodies = [wait_for(smsd, message, "queued", until=lambda body: len(body["events"]) > 1) for message in held]
    commands = metric(smsd, "smsd_commands_total")
    for _ in range(3):
        smsd.advance(60)
    bodies = [get(smsd, message) for message in held]
    assert {(body["status"], body["attempts"]) for body in bodies} == {("queued", 0)}
    assert all(body["events"][-1]["detail"] == "waits for the end of quiet hours" for body in bodies)
    assert all(len(body["events"]) == 2 for body in bodies), "each was moved once"
    assert metric(smsd, "smsd_commands_total") - commands < 20, "nobody looks at them again and again"
    assert len(waiting.requests) == 3
    smsd.restart()
    go_to(smsd, BERLIN, 8)
    for message in held:
        assert wait_for(smsd, message, "sent")["attempts"] == 1
    assert len(waiting.requests) == 43


def test_marketing_that_would_not_see_the_morning_fails_and_is_refunded(smsd, waiting):
    """SMS-18"""
    waiting.hold()
    early = (now(smsd) + datetime.timedelta(hours=5)).isoformat(timespec="seconds")
    message = send(smsd, DE, "marketing", expire_at=early)
    go_to(smsd, BERLIN, 21, 30)
    waiting.let_go()
    body = wait_for(smsd, message, "failed")
    assert (body["error"], body["attempts"]) == ("quiet_hours", 0)
    entries = smsd.get("/v1/accounts/money/entries?limit=500").body["data"]
    assert sum(entry["amount"] for entry in entries if entry["source"] == message) == 0
    assert [entry["type"] for entry in entries if entry["source"] == message] == ["message_refund", "message"]
    assert len(waiting.requests) == 1


def test_what_waits_for_the_morning_can_be_canceled(smsd, waiting):
    waiting.hold()
    message = send(smsd, DE, "marketing")
    go_to(smsd, BERLIN, 21, 30)
    waiting.let_go()
    wait_for(smsd, message, "queued", until=lambda body: len(body["events"]) == 2)
    assert smsd.post(f"/v1/messages/{message}/cancel").status == 200
    assert get(smsd, message)["status"] == "canceled"
    assert smsd.get(f"/v1/messages?company={COMPANY}&status=queued").body["data"] == []
