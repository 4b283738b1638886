"""GET /v1/reports/messages (SMS-21): counted in the commits that change messages, summed by what is asked."""

import datetime

import pytest

from platform_setup import (COMPANY, body_of, put, put_product, put_route, sandbox, send, send_many, set_up,
                            to_midnight, wait_for)
from provider import Provider
from test_receipts import gateway, receipt

DE, CN = "+4915112340", "+861381234"
DAY_S = 86400


def report(smsd, query="", **how):
    answer = smsd.get(f"/v1/reports/messages?{query}", **how)
    assert answer.status == 200, answer
    return answer.body


def lines(smsd, query="", **how):
    return report(smsd, query, **how)["data"]


def only(smsd, query=""):
    """The one line that there is."""
    found = lines(smsd, query)
    assert len(found) == 1, found
    return found[0]


def counts(line):
    return {status: count for status, count in line["counts"].items() if count}


@pytest.fixture
def ready(smsd):
    to_midnight(smsd)
    set_up(smsd)
    sandbox(smsd)
    return smsd


def today(smsd):
    """As smsd has it, whose clock the test moves: a report goes up to tomorrow if not told otherwise."""
    tomorrow = datetime.date.fromisoformat(report(smsd)["created_to"][:10])
    return tomorrow - datetime.timedelta(days=1)


def test_a_message_is_counted_by_its_present_status(ready):
    """SMS-21"""
    assert lines(ready) == []
    delivered = send(ready, DE + "0001")
    undelivered = send(ready, DE + "0002")
    rejected = send(ready, DE + "0003")
    wait_for(ready, delivered, "delivered")
    wait_for(ready, undelivered, "undelivered")
    wait_for(ready, rejected, "rejected")
    line = only(ready)
    assert counts(line) == {"delivered": 1, "undelivered": 1, "rejected": 1}
    assert (line["total"], line["parts"], line["parts_taken"]) == (3, 3, 2)
    assert (line["charged"], line["refunded"]) == (15, 5)
    assert line["delivery_rate"] == 0.5
    assert 50 <= line["delivery_p50_ms"] == line["delivery_p99_ms"] <= 60000
    assert set(line["counts"]) == {"draft", "scheduled", "queued", "sending", "sent", "delivered", "undelivered",
                                   "failed", "canceled", "rejected"}


def test_how_long_half_nine_in_ten_and_nearly_all_have_taken(smsd):
    """SMS-21: of twenty, seventeen at once, two after a minute, one after an hour."""
    set_up(smsd)
    with Provider(lambda request: (200, {"ids": [request.form["id"]]})) as provider:
        put_product(smsd, "far", gateway(provider))
        put_route(smsd, "far")
        messages = send_many(smsd, [body_of(DE + "0001") for _ in range(20)])
        for message in messages:
            wait_for(smsd, message, "sent")
    for first, last, seconds in ((0, 17, 60), (17, 19, 3540), (19, 20, 0)):
        for message in messages[first:last]:
            assert receipt(smsd, message) == 200
        smsd.advance(seconds)
    line = only(smsd)
    assert line["delivery_p50_ms"] < 50000 < line["delivery_p90_ms"] < 500000 < line["delivery_p99_ms"], line


def test_nothing_delivered_has_no_rate_and_no_time(ready):
    later = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=3)
    send(ready, DE + "0009", send_at=later.strftime("%Y-%m-%dT%H:%M:%SZ"))
    line = only(ready)
    assert counts(line) == {"scheduled": 1}
    assert [line[name] for name in ("delivery_rate", "delivery_p50_ms", "delivery_p99_ms")] == [None] * 3


def test_an_operators_test_is_left_out(ready):
    """SMS-21, SMS-4: sent and charged, and in no report."""
    wait_for(ready, send(ready, DE + "0001", test=True), "delivered")
    assert lines(ready) == []


def test_lines_are_what_is_asked_for(ready):
    """SMS-21: by day, company, product, country, kind and status, alone or together."""
    put_product(ready, "other", {"type": "sandbox"})
    put_route(ready, "other", country="CN", kinds=("general",))
    put(ready, "/v1/companies/zeta", {"name": "Zeta", "account": "money"})
    put(ready, "/v1/routes/zeta", {"company": "zeta", "country": "DE", "kind": "general", "product": "sandbox"})
    sent = [send(ready, DE + "0001"), send(ready, DE + "0001", kind="marketing"),
            send(ready, DE + "0002", company="zeta"), send(ready, CN + "0001", content="x" * 161)]
    for message in sent:
        wait_for(ready, message, "delivered", "undelivered")

    def table(by, *fields):
        return [tuple(line[field] for field in fields) for line in lines(ready, f"by={by}")]
    assert table("company", "company", "total", "parts") == [(COMPANY, 3, 4), ("zeta", 1, 1)]
    assert table("country", "country", "total") == [("CN", 1), ("DE", 3)]
    assert table("kind", "kind", "total") == [("notice", 3), ("marketing", 1)]
    assert table("status", "status", "total", "parts") == [("delivered", 3, 4), ("undelivered", 1, 1)]
    assert table("country,kind", "country", "kind", "total") == [
        ("CN", "notice", 1), ("DE", "notice", 2), ("DE", "marketing", 1)]
    assert sum(total for _, total in table("product", "product", "total")) == 4
    assert table("day", "day", "total") == [(today(ready).isoformat(), 4)]
    assert [set(line) for line in lines(ready, "by=status,company")] == [
        {"company", "status", "total", "parts"}] * 2

    assert only(ready, "company=zeta")["total"] == 1
    assert only(ready, "country=CN")["total"] == 1
    assert only(ready, "kind=marketing")["total"] == 1
    assert only(ready, f"company={COMPANY}&country=DE")["total"] == 2
    assert lines(ready, "company=nobody") == lines(ready, "kind=verification") == []


def test_a_message_that_goes_by_another_product_is_counted_there(smsd):
    """SMS-13, SMS-21: where it was sent last, with all it has cost."""
    set_up(smsd)
    sandbox(smsd, "first")
    sandbox(smsd, "second")
    put_route(smsd, "first", sort=0, failover_on_undelivered=True)
    put_route(smsd, "second", sort=1)
    message = wait_for(smsd, send(smsd, DE + "0002"), "undelivered",
                       until=lambda body: body["product"] == "second")
    assert message["attempts"] == 2
    line, = lines(smsd, "by=product")
    assert (line["product"], line["charged"], counts(line)) == ("second", 5, {"undelivered": 1})


def test_days_are_those_of_utc_and_a_page_has_the_newest_first(ready):
    """SMS-21: a message is counted on the day on which it was made, whenever it ends."""
    waits = send(ready, DE + "0009")
    wait_for(ready, waits, "sent")
    first = today(ready)
    days = [first.isoformat()]
    for _ in range(4):
        ready.advance(DAY_S)
        days.insert(0, today(ready).isoformat())
        send(ready, DE + "0009")
    assert [line["day"] for line in lines(ready, "by=day")] == days
    oldest = lines(ready, "by=day")[-1]
    assert (oldest["day"], oldest["total"], oldest["counts"]["sent"]) == (days[-1], 1, 1)
    pages, after = [], ""
    while True:
        page = report(ready, f"by=day&limit=2{after}")
        pages.append([line["day"] for line in page["data"]])
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert pages == [days[:2], days[2:4], days[4:]]
    assert [line["day"] for line in lines(ready, f"by=day&created_from={days[3]}&created_to={days[1]}")] == days[2:4]
    assert only(ready, f"created_to={days[0]}T00:00:00Z")["total"] == 4


def test_pages_of_lines_without_a_day_are_whole_and_apart(ready):
    for country in ("CN", "DE"):
        wait_for(ready, send(ready, (CN if country == "CN" else DE) + "0001"), "delivered")
    first = report(ready, "by=country&limit=1")
    second = report(ready, f"by=country&limit=1&after={first['next']}")
    assert [line["country"] for line in first["data"] + second["data"]] == ["CN", "DE"]
    assert second["next"] is None


@pytest.mark.parametrize("query, pointer", [
    ("by=colour", "/by"), ("by=day,day", "/by"), ("by=", "/by"), ("created_from=yesterday", "/created_from"),
    ("created_from=2026-02-30", "/created_from"), ("created_to=2026-11-22T10:00:00Z", "/created_to"),
    ("created_from=2020-01-01&created_to=2026-01-01", "/created_from"),
    ("created_from=2026-01-02&created_to=2026-01-02", "/created_from"),
    ("after=xyz", "/after"), ("limit=501", "/limit"), ("kind=spam", "/kind"), ("country=Germany", "/country")])
def test_what_cannot_be_is_refused(shared, query, pointer):
    answer = shared.get(f"/v1/reports/messages?{query}")
    assert (answer.status, answer.body["code"]) == (422, "invalid"), answer
    assert [error["pointer"] for error in answer.body["errors"]] == [pointer]


def test_an_unknown_parameter_is_refused(shared):
    assert shared.get("/v1/reports/messages?colour=red").body["code"] == "unknown_field"


def test_a_key_of_a_company_sees_its_own(ready):
    """OPS-2"""
    put(ready, "/v1/companies/zeta", {"name": "Zeta", "account": "money"})
    put(ready, "/v1/routes/zeta", {"company": "zeta", "country": "DE", "kind": "general", "product": "sandbox"})
    key = ready.post("/v1/keys", {"name": "z", "scopes": ["messages"], "company": "zeta"}).body["secret"]
    for company in (COMPANY, COMPANY, "zeta"):
        send(ready, DE + "0001", company=company)
    assert [line["total"] for line in lines(ready, key=key)] == [1]
    assert [line["total"] for line in lines(ready, "company=zeta", key=key)] == [1]
    answer = ready.get(f"/v1/reports/messages?company={COMPANY}", key=key)
    assert (answer.status, answer.body["code"]) == (403, "forbidden")
    billing = ready.post("/v1/keys", {"name": "b", "scopes": ["billing"]}).body["secret"]
    assert ready.get("/v1/reports/messages", key=billing).status == 403


def test_counters_survive_a_kill_with_the_messages_they_count(ready):
    """SMS-21: one commit; `smsd verify` counts again when the test ends."""
    send_many(ready, [body_of(DE + "0001") for _ in range(300)])
    ready.kill9()
    ready.start()
    assert only(ready)["total"] == 300


def test_a_report_of_many_lines_is_the_sum_of_its_parts(smsd):
    """More rows than are read in a turn of the loop."""
    set_up(smsd)
    sandbox(smsd)
    companies = [f"c{i:03}" for i in range(150)]
    for company in companies:
        put(smsd, f"/v1/companies/{company}", {"name": company, "account": "money"})
        for country in ("DE", "CN"):
            put(smsd, f"/v1/routes/{company}-{country}",
                {"company": company, "country": country, "kind": "general", "product": "sandbox"})
    send_many(smsd, [body_of(number + "0009", company=company)
                     for company in companies for number in (DE, CN)])
    assert only(smsd)["total"] == 300
    found = lines(smsd, "by=company&limit=500")
    assert [(line["company"], line["total"]) for line in found] == [(company, 2) for company in companies]
    assert [line["company"] for line in lines(smsd, "by=company&limit=3")] == companies[:3]
