"""Welcome messages: what a first visit becomes, what its message's end does to it, groups, batches, traces, kills
(CITY-3, CITY-4, CITY-5, CITY-8, CITY-10, CITY-11, CITY-12)."""

import datetime
import random

import pytest

from contract import balance, pages
from platform_setup import COMPANY, START_MONEY, get, metric, put, put_product, put_route, sandbox, set_up, wait_for
from provider import Provider
from test_cities import at, counts, lines, mobile, rebuild, send, trace

MINUTE, DAY = 60, 86400
BACK = ("failed", "canceled", "rejected")
WELCOME = {"company": COMPANY, "template": "hello"}


@pytest.fixture
def greeting(smsd):
    """A smsd with a company, a sandbox and a template."""
    return prepare(smsd)


def prepare(smsd):
    set_up(smsd)
    sandbox(smsd)
    put(smsd, "/v1/templates/hello", {"content": "Welcome to {city}", "kind": "notice"})
    return smsd


def put_city(smsd, code, **fields):
    return put(smsd, f"/v1/cities/{code}",
               {"name": code.title(), "capacity": 10000, "enabled": True, **WELCOME, **fields})


def see(smsd, code, *people):
    """The counts of one signal of each, now."""
    return counts(send(smsd, [{"mobile": mobile(n), "city": code} for n in people]))


def messages_to(smsd, n):
    answer = smsd.get(f"/v1/messages?to=%2B{mobile(n)[1:]}")
    assert answer.status == 200, answer
    return answer.body["data"]


def message_of(smsd, n):
    """The newest message that somebody's trace shows."""
    return trace(smsd, n)[0]["message"]


def expect_sums(smsd):
    """BILL-12, and what was paid is what was not given back."""
    audit = smsd.get("/v1/audit").body
    assert audit["ok"] and audit["sum"] == 0, audit


def problem(smsd, code, **fields):
    body = {"name": "x", "capacity": 1, "enabled": True, **fields}
    answer = smsd.request("PUT", f"/v1/cities/{code}", body)
    return answer.status, answer.code, set(answer.pointers or [])


# --- what a city sends ---------------------------------------------------------------------------------------------


def test_a_city_sends_what_it_was_put_to_send(greeting):
    put(greeting, "/v1/templates/guide", {"content": "{greeting} {city}, {what}", "kind": "marketing"})
    params = {"greeting": "你好", "what": 'a "guide"'}
    body = put_city(greeting, "guided", name="Guided", template="guide", params=params)
    assert (body["company"], body["template"], body["params"]) == (COMPANY, "guide", params)
    assert greeting.get("/v1/cities/guided").body == body
    assert greeting.get("/v1/cities").body["data"] == [body]
    see(greeting, "guided", 5)
    sent = get(greeting, message_of(greeting, 5))
    assert sent["kind"] == "marketing" and sent["company"] == COMPANY
    body = put_city(greeting, "guided", company=None, template=None)
    assert (body["company"], body["template"], body["params"]) == (None, None, {})
    assert see(greeting, "guided", 6) == (1, 0, 0, 0) and messages_to(greeting, 6) == []


def test_what_a_city_cannot_send_is_refused_when_it_is_put(greeting):
    put(greeting, "/v1/templates/code", {"content": "{code}", "kind": "verification"})
    put(greeting, "/v1/templates/two", {"content": "{a} and {b}", "kind": "notice"})
    put(greeting, "/v1/companies/other", {"name": "Other", "account": "money"})
    put(greeting, "/v1/templates/others", {"content": "x", "kind": "notice", "companies": ["other"]})
    assert problem(greeting, "p", company="nobody", template="hello") == (422, "invalid", {"/company"})
    assert problem(greeting, "p", company=COMPANY, template="none") == (422, "invalid", {"/template"})
    assert problem(greeting, "p", company=COMPANY) == (422, "invalid", {"/template"})
    assert problem(greeting, "p", template="hello") == (422, "invalid", {"/company"})
    assert problem(greeting, "p", params={"a": "x"}) == (422, "invalid", {"/params"})
    assert problem(greeting, "p", company=COMPANY, template="others") == (422, "invalid", {"/template"})
    assert problem(greeting, "p", company=COMPANY, template="two") == (
        422, "missing_parameter", {"/params/a", "/params/b"})
    assert problem(greeting, "p", company=COMPANY, template="two", params={"a": "1", "b": "2", "c": "3"}) == (
        422, "unknown_parameter", {"/params/c"})
    assert problem(greeting, "p", company=COMPANY, template="code", params={"code": "1"}) == (
        422, "invalid", {"/template"})
    assert problem(greeting, "p", company=COMPANY, template="hello", params={"city": 1}) == (
        422, "invalid", {"/params/city"})
    assert greeting.get("/v1/cities/p").code == "city_not_found"


def test_a_key_of_a_company_puts_and_feeds_its_own_cities(greeting):
    put(greeting, "/v1/companies/other", {"name": "Other", "account": "money"})
    answer = greeting.post("/v1/keys", {"name": "other", "scopes": ["signals"], "company": "other"})
    key = answer.body["secret"]
    put_city(greeting, "acmes")
    put_city(greeting, "others", company="other")
    body = {"name": "x", "capacity": 1, "enabled": True, "template": "hello"}
    assert greeting.request("PUT", "/v1/cities/x", {**body, "company": COMPANY}, key=key).status == 403
    assert greeting.request("PUT", "/v1/cities/acmes", {**body, "company": "other"}, key=key).status == 403
    assert greeting.request("PUT", "/v1/cities/others", {**body, "company": "other"}, key=key).status == 200
    answer = send(greeting, [{"mobile": mobile(1), "city": "acmes"}, {"mobile": mobile(1), "city": "others"}], key=key)
    assert counts(answer)[3] == 1 and answer["invalid_by_code"] == {"forbidden": 1} and answer["errors"][0]["line"] == 1
    see(greeting, "acmes", 1)
    assert {item["city"] for item in trace(greeting, 1)} == {"acmes", "others"}
    seen = greeting.get(f"/v1/traces?mobile=%2B{mobile(1)[1:]}", key=key).body["data"]
    assert [item["city"] for item in seen] == ["others"]


def test_a_key_of_a_company_sees_no_city_that_sends_for_another(greeting):
    # CITY-8, OPS-2: neither what is sent there nor who was there.
    put(greeting, "/v1/companies/other", {"name": "Other", "account": "money"})
    key = greeting.post("/v1/keys", {"name": "other", "scopes": ["signals"], "company": "other"}).body["secret"]
    put_city(greeting, "acmes")
    put_city(greeting, "others", company="other")
    put(greeting, "/v1/cities/nobodys", {"name": "Nobody's", "capacity": 1, "enabled": True})
    see(greeting, "acmes", 1)
    for method, path in [("GET", ""), ("GET", f"/visits/{mobile(1)}"), ("POST", "/rebuild")]:
        answer = greeting.request(method, f"/v1/cities/acmes{path}", key=key)
        assert (answer.status, answer.code) == (404, "city_not_found"), path
        for code in ("others", "nobodys"):
            assert greeting.request(method, f"/v1/cities/{code}{path}", key=key).status in (200, 202)
    assert [city["code"] for city in pages(greeting, "/v1/cities", 1, key=key)] == ["nobodys", "others"]
    assert [city["code"] for city in pages(greeting, "/v1/cities", 1)] == ["nobodys", "others", "acmes"]


# --- one message ---------------------------------------------------------------------------------------------------


def test_a_first_visit_is_one_message_that_is_delivered(greeting):
    """CITY-5, CITY-10: made, paid and marked in one commit, and told by the trace."""
    put_city(greeting, "sha", name="Shanghai")
    before = balance(greeting, "money")
    assert see(greeting, "sha", 11, 12, 11) == (2, 1, 0, 0)
    item = trace(greeting, 11)[0]
    assert (item["decision"], item["city"], item["code"]) == ("message", "sha", None)
    wait_for(greeting, item["message"], "delivered")
    wait_for(greeting, message_of(greeting, 12), "delivered")
    assert trace(greeting, 11)[0]["message_status"] == "delivered"
    visit = greeting.get(f"/v1/cities/sha/visits/{mobile(11)}").body
    assert visit["message"] == item["message"] and visit["seen"]
    assert trace(greeting, 11)[0]["last_seen_at"] == visit["last_seen_at"]
    assert [message["id"] for message in messages_to(greeting, 11)] == [item["message"]]
    assert before - balance(greeting, "money") == 2 * 5
    assert metric(greeting, "smsd_welcome_messages_total") == 2
    expect_sums(greeting)


def test_several_cities_a_day_are_several_messages(greeting):
    """CITY-5."""
    for code in ("a", "b", "c"):
        put_city(greeting, code)
    answer = send(greeting, [{"mobile": mobile(21), "city": code} for code in "abcabc"])
    assert counts(answer) == (3, 3, 0, 0)
    assert len({message["id"] for message in messages_to(greeting, 21)}) == 3


def test_a_request_that_is_repeated_sends_nothing_again(greeting):
    """BILL-9 for signals that make messages."""
    put_city(greeting, "key")
    signals = lines([{"mobile": mobile(n), "city": "key"} for n in range(3000, 3300)])
    how = {"headers": {"Content-Type": "application/x-ndjson"}, "idempotency": "once"}
    first = greeting.post("/v1/signals", signals, **how)
    assert first.body["first_visits"] == 300
    before = balance(greeting, "money")
    greeting.kill9()
    greeting.start()
    again = greeting.post("/v1/signals", signals, **how)
    assert first.body == again.body and again.replayed
    assert balance(greeting, "money") >= before, "nothing is paid again"
    assert all(len(messages_to(greeting, n)) == 1 for n in range(3000, 3300, 50))


# --- when it fails -------------------------------------------------------------------------------------------------


def test_a_message_that_fails_lets_the_next_signal_be_new(greeting):
    """CITY-5: the mark goes, in memory and in the row; but never twice within half an hour. CITY-3: with the
    filter saying that it is there."""
    put_city(greeting, "fail")
    before = balance(greeting, "money")
    assert see(greeting, "fail", 310003) == (1, 0, 0, 0)
    first = message_of(greeting, 310003)
    wait_for(greeting, first, "rejected")
    assert trace(greeting, 310003)[0]["message_status"] == "rejected"
    assert balance(greeting, "money") == before
    assert greeting.get(f"/v1/cities/fail/visits/{mobile(310003)}").body["in_filter"]
    greeting.advance(29 * MINUTE)
    assert see(greeting, "fail", 310003) == (0, 1, 0, 0)
    greeting.advance(2 * MINUTE)
    assert see(greeting, "fail", 310003) == (1, 0, 0, 0)
    assert message_of(greeting, 310003) != first
    wait_for(greeting, message_of(greeting, 310003), "rejected")
    assert metric(greeting, "smsd_welcome_withdrawn_total") == 2
    expect_sums(greeting)


def test_one_that_is_canceled_is_as_one_that_failed(greeting):
    """CITY-5."""
    put(greeting, "/v1/products/sandbox", {"channel": "provider", "gateway": {"type": "sandbox"}, "price": 5,
                                           "batch": {"max": 100, "wait_ms": 1000}, "rate_per_second": 1})
    put_city(greeting, "cancel")
    people = range(4000, 4010)
    assert see(greeting, "cancel", *people) == (10, 0, 0, 0)
    canceled = [n for n in people if greeting.post(f"/v1/messages/{message_of(greeting, n)}/cancel", {}).status == 200]
    assert canceled, "one a second goes"
    greeting.advance(31 * MINUTE)
    assert see(greeting, "cancel", *people) == (len(canceled), 10 - len(canceled), 0, 0)


def test_one_that_could_not_be_delivered_keeps_its_mark(greeting):
    """The provider has taken it and was paid."""
    put_city(greeting, "undelivered")
    assert see(greeting, "undelivered", 320002) == (1, 0, 0, 0)
    wait_for(greeting, message_of(greeting, 320002), "undelivered")
    greeting.advance(DAY)
    assert see(greeting, "undelivered", 320002) == (0, 1, 0, 0)


def test_who_could_not_be_paid_for_is_welcomed_when_there_is_money(greeting):
    """CITY-4: no money today does not mean never welcomed."""
    assert greeting.post("/v1/accounts/pennies/topups", {"amount": 11}).status == 201
    put(greeting, "/v1/companies/poor", {"name": "Poor", "account": "pennies"})
    put(greeting, "/v1/routes/poor", {"company": "poor", "country": "CN", "kind": "general", "product": "sandbox"})
    put_city(greeting, "poor", company="poor")
    assert see(greeting, "poor", 41, 42, 43) == (2, 0, 1, 0)
    item = trace(greeting, 43)[0]
    assert (item["decision"], item["code"], item["message"]) == ("refused", "insufficient_funds", None)
    greeting.post("/v1/accounts/pennies/topups", {"amount": 5})
    assert see(greeting, "poor", 43) == (0, 1, 0, 0)
    greeting.advance(31 * MINUTE)
    assert see(greeting, "poor", 41, 42, 43) == (1, 2, 0, 0)
    assert balance(greeting, "pennies") == 1
    assert metric(greeting, "smsd_welcome_refused_total") == 1
    expect_sums(greeting)


def test_who_has_opted_out_is_seen_and_left_alone(greeting):
    put_city(greeting, "block")
    assert greeting.request("PUT", f"/v1/blocklist/{mobile(44)}", {"reason": "blocked"}).status in (200, 201)
    assert see(greeting, "block", 44) == (0, 0, 1, 0)
    assert (trace(greeting, 44)[0]["decision"], trace(greeting, 44)[0]["code"]) == ("excluded", "blocked_number")
    assert greeting.request("DELETE", f"/v1/blocklist/{mobile(44)}").status in (200, 204)
    greeting.advance(31 * MINUTE)
    assert see(greeting, "block", 44) == (0, 1, 0, 0)


# --- windows and groups --------------------------------------------------------------------------------------------


def moment_of(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def test_by_messages_sent_the_window_is_exact_to_the_second(greeting):
    """CITY-4."""
    put_city(greeting, "sent", basis="sent", window_days=3)
    assert see(greeting, "sent", 51) == (1, 0, 0, 0)
    made = moment_of(trace(greeting, 51)[0]["decided_at"]).replace(microsecond=0)
    greeting.advance(2 * DAY)
    assert see(greeting, "sent", 51) == (0, 1, 0, 0)
    greeting.advance(DAY + 60)
    over = made + datetime.timedelta(days=3)
    for seconds, expected in ((-1, (0, 1, 0, 0)), (0, (1, 0, 0, 0))):
        moment = over + datetime.timedelta(seconds=seconds)
        assert counts(send(greeting, [{"mobile": mobile(51), "city": "sent", "at": at(moment)}])) == expected
    assert len(messages_to(greeting, 51)) == 2


def test_late_signals_do_not_make_two_messages_at_once(greeting):
    """CITY-5: however late they come, within half an hour there is one."""
    put_city(greeting, "late", window_days=1)
    now = moment_of(put_city(greeting, "late", window_days=1)["updated_at"])
    signals = [{"mobile": mobile(52), "city": "late", "at": at(now - datetime.timedelta(hours=hours))}
               for hours in (23, 11, 5, 0)]
    assert counts(send(greeting, signals)) == (1, 3, 0, 0)
    assert len(messages_to(greeting, 52)) == 1


def test_the_cities_of_a_group_send_one_message(greeting):
    """CITY-8."""
    for code in ("pudong", "puxi"):
        put_city(greeting, code, group="shanghai", window_days=2)
    put_city(greeting, "beijing")
    assert see(greeting, "pudong", 61, 620003) == (2, 0, 0, 0)
    assert see(greeting, "puxi", 61) == (0, 0, 1, 0)
    assert trace(greeting, 61)[0]["decision"] == "grouped"
    assert see(greeting, "beijing", 61) == (1, 0, 0, 0)
    wait_for(greeting, message_of(greeting, 620003), "rejected")
    assert see(greeting, "puxi", 620003) == (1, 0, 0, 0), "the other city's message has failed"
    greeting.advance(3 * DAY)
    assert see(greeting, "puxi", 61) == (1, 0, 0, 0)
    assert see(greeting, "pudong", 61) == (0, 0, 1, 0)


# --- batches -------------------------------------------------------------------------------------------------------


def test_decided_messages_are_gathered_for_a_provider_that_takes_batches(smsd):
    """CITY-11: up to n, or 30 s after the first."""
    def answer(request):
        return 200, {"results": [{"ref": item["ref"], "id": "w" + item["ref"]} for item in request.json["messages"]]}
    set_up(smsd)
    put(smsd, "/v1/templates/hello", {"content": "Welcome to {city}", "kind": "notice"})
    with Provider(answer) as provider:
        put_product(smsd, "bulk", {
            "type": "http",
            "send": {"url": provider.url + "/batch",
                     "json": {"messages": {"$each": {"to": "{to}", "ref": "{id}", "text": "{text}"}}}},
            "answer": {"items": "/results", "reference": {"json": "/ref"}, "id": {"json": "/id"}}},
            batch={"max": 100, "wait_ms": 30000})
        put_route(smsd, "bulk", country="CN", kinds=("general",))
        put_city(smsd, "gather", name="Gather")
        assert see(smsd, "gather", *range(230)) == (230, 0, 0, 0)
        full = provider.wait(2)
        assert [len(request.json["messages"]) for request in full] == [100, 100]
        assert {item["text"] for item in full[0].json["messages"]} == {"Welcome to Gather"}
        smsd.advance(29)
        see(smsd, "gather", 230)
        assert len(provider.requests) == 2
        smsd.advance(2)
        last = provider.wait(3)[2].json["messages"]
        assert len(last) == 31
        everybody = [item["to"] for request in provider.requests for item in request.json["messages"]]
        assert sorted(everybody) == sorted(mobile(n) for n in range(231))
        wait_for(smsd, message_of(smsd, 230), "sent")


# --- lines ---------------------------------------------------------------------------------------------------------


def test_what_is_wrong_with_lines_is_counted_by_code_beyond_the_first_hundred(greeting):
    """CITY-12."""
    put_city(greeting, "lines")
    now = moment_of(put_city(greeting, "lines")["updated_at"])
    late, early = (at(now + datetime.timedelta(hours=hours)) for hours in (-30, 1))
    bad = (["{"] * 60 + [{"mobile": mobile(1), "city": "nowhere"}] * 70 +
           [{"mobile": mobile(1), "city": "lines", "at": late}] * 80 +
           [{"mobile": mobile(1), "city": "lines", "at": early}] * 90 + [{"mobile": "1", "city": "lines"}] * 10)
    answer = send(greeting, [*bad, {"mobile": mobile(1), "city": "lines"}])
    assert counts(answer) == (1, 0, 0, 310) and len(answer["errors"]) == 100
    assert answer["invalid_by_code"] == {"malformed_json": 60, "city_not_found": 70, "signal_late": 80,
                                         "signal_early": 90, "invalid": 10}
    for name, count in (("malformed", 70), ("unknown_city", 70), ("late", 80), ("early", 90), ("invalid", 310)):
        assert metric(greeting, f"smsd_signals_{name}_total") == count


# --- traces --------------------------------------------------------------------------------------------------------


def test_a_trace_is_kept_for_thirty_days(greeting):
    """CITY-10: bounded."""
    put_city(greeting, "old", group="g", window_days=1)
    see(greeting, "old", 71)
    wait_for(greeting, message_of(greeting, 71), "delivered")
    greeting.advance(29 * DAY)
    assert greeting.post("/v1/jobs/trace_sweep/run", {}).status == 200
    assert greeting.post("/v1/jobs/archive/run", {}).status == 200
    assert trace(greeting, 71)[0]["message_status"] == "delivered", "of a message in history"
    greeting.advance(2 * DAY)
    assert greeting.post("/v1/jobs/trace_sweep/run", {}).status == 200
    assert trace(greeting, 71) == []


# --- kills ---------------------------------------------------------------------------------------------------------


class People:
    """Who was sent what, as it should be: a message when there is none that stands, and none within half an hour."""

    def __init__(self):
        self.decided, self.stands = {}, set()

    def see(self, who, now):
        if who in self.stands or now - self.decided.get(who, -DAY) < 30 * MINUTE:
            return False
        self.decided[who] = now
        self.stands.add(who)
        return True



@pytest.mark.parametrize("basis", ["seen", "sent"])
def test_nobody_is_missed_or_welcomed_twice_by_kills_and_failures(greeting, basis):
    """CITY-3, CITY-5, CITY-7: after kills, failures and rebuilds each signal is what the rows say."""
    made_up = random.Random(20261122)
    put_city(greeting, "kill", basis=basis)
    people, clock, messages, attempts = People(), 0, set(), 0
    crowd = [n * 10000 + kind for n in range(1, 40) for kind in (3, 1000)]
    for turn in range(8):
        seen = [made_up.choice(crowd) for _ in range(60)]
        expected = [people.see(who, clock) for who in seen]
        assert see(greeting, "kill", *seen)[:2] == (sum(expected), 60 - sum(expected))
        attempts += sum(expected)
        if turn % 2 == 0:
            greeting.kill9()
            greeting.start()
        for who in set(seen):
            messages.add(message_of(greeting, who))
            # What was with the sandbox at a kill is given up as unknown, or gets no receipt any more.
            if wait_for(greeting, message_of(greeting, who), "sent", "delivered", *BACK)["status"] in BACK:
                people.stands.discard(who)
        if turn % 3 == 0:
            rebuild(greeting)
        minutes = made_up.choice((5, 40))
        greeting.advance(minutes * MINUTE)
        clock += minutes * MINUTE
    assert len(messages) == attempts, "each decision is a message of its own"
    paid = sum(get(greeting, message)["status"] not in BACK for message in messages)
    assert balance(greeting, "money") == START_MONEY - 5 * paid
    expect_sums(greeting)
