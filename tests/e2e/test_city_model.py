"""CITY-3 to CITY-12 against a plain model: made-up signals over simulated weeks, by several clients at once, while
cities are changed, rebuilt, and smsd is killed in the middle of requests. Each answer must be the model's, to the
last signal. SMSD_SIGNALS says how many (24,000), SMSD_SEED which.

    SMSD_SIGNALS=1000000 SMSD_BINARY=build/smsd /usr/bin/python3 -m pytest tests/e2e/test_city_model.py
"""

import concurrent.futures
import dataclasses
import datetime
import http.client
import json
import os
import random
import time
import urllib.parse

from contract import balance
from platform_setup import COMPANY, START_MONEY, put, sandbox, set_up

SIGNALS = int(os.environ.get("SMSD_SIGNALS", "24000"))
SEED = int(os.environ.get("SMSD_SEED", time.time_ns()))
CLIENTS = 4
DAY = 86400
HALF_AN_HOUR = 1800
MARGIN = 120  # seconds; the model knows smsd's clock only so well
NDJSON = {"Content-Type": "application/x-ndjson"}
PERCENTS = (30, 60)
CODES = "hz", "sh", "bj.north", "cd", "xa", "sent", "tiny", "town"
GROUPS = {"hz": "west", "town": "west", "cd": "west"}
PRICE = 5
WINDOWS = 1, 2, 3, 7, 15, 2, 15, 1  # which stay: a longer one would count no visit that is deleted already
MIDDLES = [{"lat": 30 + n * 1.5, "lon": 100.25 + n} for n in range(len(CODES))]
NOWHERE = {"lat": -40.5, "lon": 12}
BAD_LINES = (("{", "malformed_json"), ("[]", "invalid"), ('{"mobile":"+8613800000000"}', "invalid"),
             ('{"mobile":"8613800000000","city":"hz"}', "invalid"),
             ('{"mobile":"+8613800000000","city":"nowhere"}', "city_not_found"),
             ('{"mobile":"+8613800000000","city":"hz","speed":1}', "unknown_field"))


def fails(user):
    """The sandbox rejects what is sent to them."""
    return user % 8 == 3


def is_blocked(user):
    return user % 16 == 5


def mobile(user):
    return f"+8613{user:05}" + ("0003" if fails(user) else "1234")


def text_of(second):
    return datetime.datetime.fromtimestamp(second, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def second_of(text):
    return int(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp())


# --- the model ---------------------------------------------------------------------------------------------------


class Unsure(Exception):
    """The answer hangs on a second of smsd's clock that the model does not know."""


@dataclasses.dataclass
class Visit:
    first: int
    last_day: int = 0  # 0: the mark was taken away
    last: int = 0  # the first sight of that day
    decided: int = 0  # then, or up to MARGIN later
    decision: str = ""
    sent: int | None = None  # likewise; None: nothing, or it has failed


def is_before(at, moment):
    """Of a moment of smsd's clock: `moment`, or up to MARGIN later."""
    if moment <= at < moment + MARGIN:
        raise Unsure
    return at < moment


@dataclasses.dataclass
class Model:
    """What the requirements say: who was where, what was decided of it, and sent."""

    cities: dict = dataclasses.field(default_factory=dict)  # as they were put
    visits: dict = dataclasses.field(default_factory=dict)  # by user and city
    decided: dict = dataclasses.field(default_factory=dict)  # by user: (at, city, decision, now), newest last
    percent: dict = dataclasses.field(default_factory=dict)  # by user: the least that lets them in
    welcomed: dict = dataclasses.field(default_factory=dict)  # by group and user: city, when, its window
    under_way: list = dataclasses.field(default_factory=list)  # visits whose message will fail
    sent: int = 0  # and will not fail

    def is_grouped(self, user, code, at):
        """CITY-8: another city of the group has sent a message that stands."""
        other, sent, days = self.welcomed.get((GROUPS.get(code), user), (code, 0, 0))
        if other == code or self.visits[user, other].sent != sent:
            return False
        return is_before(at, sent + min(days, self.cities[code]["window_days"]) * DAY)

    def decide(self, user, code, at, label):
        """CITY-5, CITY-9."""
        city = self.cities[code]
        if not city["enabled"]:
            return "disabled"
        if city["labels"] and label not in city["labels"]:
            return "not_labelled"
        if city["rollout_percent"] < self.percent[user]:
            return "not_rolled_out"
        if city["company"] is None:
            return "no_message"
        if self.is_grouped(user, code, at):
            return "grouped"
        if is_blocked(user):
            return "excluded"
        return "refused" if city["company"] == "poor" else "message"

    def is_new(self, visit, code, at):
        """CITY-4, CITY-5."""
        city = self.cities[code]
        if visit is None:
            return True
        if is_before(at, visit.decided + HALF_AN_HOUR):
            return False
        if city["basis"] == "seen":
            return visit.last_day <= at // DAY - city["window_days"]
        return visit.sent is None or not is_before(at, visit.sent + city["window_days"] * DAY)

    def is_asked_for(self, visit, code, now):
        return visit.last_day > (now - DAY) // DAY - self.cities[code]["window_days"]

    def mark(self, user, code, visit, decision, now):
        visit.decided, visit.decision = now, decision
        if decision == "refused":
            visit.last_day = 0  # no mark, so that it is tried again
        if decision != "message":
            return
        visit.sent = now
        if code in GROUPS:
            self.welcomed[GROUPS[code], user] = code, now, self.cities[code]["window_days"]
        if fails(user):
            self.under_way.append(visit)
        else:
            self.sent += 1

    def see(self, user, code, at, label, now):
        """What a signal counts as."""
        visit = self.visits.get((user, code))
        is_new = self.is_new(visit, code, at)
        decision = self.decide(user, code, at, label) if is_new else None
        if is_new and visit is None:
            visit = self.visits[user, code] = Visit(first=at)
        if at // DAY > visit.last_day and (is_new or visit.last_day != 0):
            visit.last_day, visit.last = at // DAY, max(at, visit.last)
        if not is_new:
            return "repeats"
        self.mark(user, code, visit, decision, now)
        self.decided.setdefault(user, []).append((at, code, decision, now))
        return "first_visits" if decision in ("no_message", "message") else "skipped"

    def fail(self):
        """CITY-5: what failed takes its mark along."""
        for visit in self.under_way:
            visit.sent = None
            if visit.decision == "message":
                visit.last_day = 0
        self.under_way = []


# --- requests ----------------------------------------------------------------------------------------------------


class MadeUp:
    """Signals of some users, and what the answer to them must be."""

    def __init__(self, model, chance, now):
        self.model = model
        self.chance = chance
        self.now = now

    def time(self, user, code):
        """Mostly lately, and around the moments at which an answer turns."""
        chance, now = self.chance, self.now
        visit = self.model.visits.get((user, code))
        at = now - chance.choice((0, 1, 5, 60, HALF_AN_HOUR, chance.randrange(DAY - MARGIN)))
        if chance.random() < 0.2:
            at = now // DAY * DAY + chance.randrange(-2, 3)
        elif visit is not None and chance.random() < 0.3:
            moments = [visit.decided + HALF_AN_HOUR]
            if visit.sent is not None:
                moments.append(visit.sent + WINDOWS[CODES.index(code)] * DAY)
            at = chance.choice(moments) + chance.choice((-1, MARGIN))
        return at if now - DAY + MARGIN < at <= now else now

    def signal(self, users, label, counts):
        """One that the model is sure of, as the members of a line."""
        while True:
            user, code = self.chance.choice(users), self.chance.choice(CODES)
            if fails(user) and code in GROUPS:
                continue  # whether a group has sent something would hang on when the failure is heard of
            at = self.time(user, code)
            try:
                counts[self.model.see(user, code, at, label, self.now)] += 1
            except Unsure:
                continue
            return {"mobile": mobile(user), **self.place(code), "at": text_of(at)}

    def place(self, code):
        if self.chance.random() < 0.8:
            return {"city": code}
        return MIDDLES[CODES.index(code)]

    def line(self, users, counts):
        """One line, and its error's code."""
        chance = self.chance
        label = chance.choice(("beta", "staff", "bet"))
        labelled = {"label": label} if chance.random() < 0.6 else {}
        kind = chance.randrange(200)
        if kind < 2:
            counts["invalid"] += 1
            return chance.choice(BAD_LINES)
        if kind < 4:
            counts["invalid"] += 1
            at = self.now + (-DAY - MARGIN if kind == 2 else 300 + MARGIN)
            line = {"mobile": mobile(chance.choice(users)), **self.place(chance.choice(CODES)), "at": text_of(at)}
            return json.dumps(line), "signal_late" if kind == 2 else "signal_early"
        if kind == 4:
            counts["skipped"] += 1
            return json.dumps({"mobile": mobile(chance.choice(users)), **NOWHERE}), None
        return json.dumps({**self.signal(users, label if labelled else None, counts), **labelled}), None

    def request(self, users, count):
        """The body, and what it must be answered with."""
        counts = {"first_visits": 0, "repeats": 0, "skipped": 0, "invalid": 0}
        made = [self.line(users, counts) for _ in range(count)]
        errors = [(line, code) for line, (_, code) in enumerate(made, 1) if code is not None]
        counts["accepted"] = counts["first_visits"] + counts["repeats"] + counts["skipped"]
        return "\n".join(text for text, _ in made), counts, errors[:100]


class Client:
    """Sends requests one after the other, each under a key of its own, again when smsd is gone."""

    def __init__(self, smsd, number):
        self.smsd = smsd
        self.number = number
        self.sent = self.broken_off = 0
        self.connection = smsd.unix_connection()  # whose address outlives a kill

    def send(self, body):
        self.sent += 1
        is_broken_off = False
        deadline = time.monotonic() + 120
        while True:
            try:
                answer = self.smsd.post("/v1/signals", body, headers=NDJSON, connection=self.connection,
                                        idempotency=f"client {self.number}, request {self.sent}")
            except (OSError, http.client.HTTPException):
                assert time.monotonic() < deadline
                self.broken_off += not is_broken_off
                is_broken_off = True
                time.sleep(0.01)
                continue
            if answer.status == 503:
                time.sleep(0.05)
                continue
            assert answer.status == 200, answer
            return answer.body


def check_answer(answer, counts, errors):
    assert {name: answer[name] for name in counts} == counts
    assert [(error["line"], error["code"]) for error in answer["errors"]] == errors


# --- a run -------------------------------------------------------------------------------------------------------


class Run:
    def __init__(self, smsd, signals, seed):
        self.smsd = smsd
        self.chance = random.Random(seed)
        self.model = Model()
        self.clients = [Client(smsd, n) for n in range(CLIENTS)]
        self.lines = 250 if signals < 100000 else 1000
        self.rounds = max(1, signals // (CLIENTS * self.lines))
        self.users = 120 if signals < 100000 else 8000
        self.kills = self.restarts = self.rebuilds = 0

    def set_up(self):
        """What messages need; a company without money; and who may not be sent to."""
        set_up(self.smsd)
        sandbox(self.smsd, on_unknown="resend", price=PRICE)  # so that a kill fails none
        assert self.smsd.post("/v1/accounts/nothing/topups", {"amount": PRICE - 1}).status == 201
        put(self.smsd, "/v1/companies/poor", {"name": "Poor", "account": "nothing"})
        put(self.smsd, "/v1/routes/poor", {"company": "poor", "country": "CN", "kind": "general", "product": "sandbox"})
        put(self.smsd, "/v1/templates/hello", {"content": "Welcome to {city}", "kind": "notice"})
        for user in filter(is_blocked, range(self.users)):
            put(self.smsd, f"/v1/blocklist/{urllib.parse.quote(mobile(user))}", {})

    def put(self, code):
        chance = self.chance
        number = CODES.index(code)
        company = chance.choice((None, COMPANY, COMPANY, COMPANY, "poor"))
        city = {"name": code.title(), "capacity": chance.choice((1, 10, 1000)), "enabled": chance.random() < 0.9,
                "areas": [{**MIDDLES[number], "radius_m": 1000}, {**MIDDLES[number - 1], "radius_m": 2000}],
                "basis": "sent" if code in ("sent", "xa") else "seen", "group": GROUPS.get(code),
                "window_days": WINDOWS[number],
                "rollout_percent": chance.choice((0, *PERCENTS, 100, 100)),
                "labels": chance.choice(([], [], ["beta"], ["staff", "beta"])),
                "company": company, "template": company and "hello"}
        answer = self.smsd.put(f"/v1/cities/{code}", city)
        assert answer.status == 200, answer
        self.model.cities[code] = city
        return answer

    def now(self):
        """smsd's, or a little before it."""
        answer = self.put(self.chance.choice(CODES))
        return second_of(answer.body["updated_at"])

    def learn_percents(self):
        """CITY-9: who is in at which percent is smsd's choice; that they are the same everywhere, the model's."""
        for percent in PERCENTS:
            body = {"name": "learnt", "capacity": 1000, "enabled": True, "rollout_percent": percent}
            assert self.smsd.put(f"/v1/cities/learn.{percent}", body).status == 200
        for user in range(self.users):
            self.model.percent[user] = 100
            for percent in reversed(PERCENTS):
                line = json.dumps({"mobile": mobile(user), "city": f"learn.{percent}"})
                answer = self.smsd.post("/v1/signals", line, headers=NDJSON).body
                assert answer["first_visits"] + answer["skipped"] == 1
                if answer["first_visits"] == 1:
                    assert self.model.percent[user] == PERCENTS[-1] or percent == PERCENTS[-1], "in at 30, not at 60"
                    self.model.percent[user] = percent
            self.model.decided[user] = [None] * len(PERCENTS)
        for percent in PERCENTS:
            share = sum(self.model.percent[user] <= percent for user in range(self.users)) / self.users
            assert abs(share - percent / 100) < 5 * (0.25 / self.users) ** 0.5, f"{share} of all at {percent} %"

    def rebuild_some(self):
        """While signals go on."""
        if self.chance.random() < 0.5:
            self.rebuilds += 1
            assert self.smsd.post(f"/v1/cities/{self.chance.choice(CODES)}/rebuild", {}).status == 202

    def restart_some(self):
        if self.chance.random() < 0.1:
            self.smsd.restart()
            self.restarts += 1

    def kill_some(self):
        if self.chance.random() < 0.25:
            time.sleep(self.chance.random() * self.lines / 10000)
            self.smsd.kill9()
            self.smsd.start()
            self.kills += 1

    def has_messages(self, status, since):
        after = ""
        while True:
            path = f"/v1/messages?status={status}&created_from={text_of(since)}&limit=1{after}"
            answer = self.smsd.get(path).body
            if answer["data"] or answer["next"] is None:
                return bool(answer["data"])
            after = f"&after={answer['next']}"

    def wait_for_messages(self, since):
        """Until all of this round have gone: then what fails has failed, and what was paid is paid."""
        deadline = time.monotonic() + 120
        for status in ("queued", "sending"):
            while self.has_messages(status, since):
                assert time.monotonic() < deadline
                time.sleep(0.02)
        self.model.fail()
        assert balance(self.smsd, "money") == START_MONEY - PRICE * self.model.sent

    def round(self):
        began, now = time.monotonic(), self.now()
        made_up = MadeUp(self.model, self.chance, now)
        made = []
        for n in range(CLIENTS):  # to each its own users, so that no order between clients matters
            users = range(n, self.users, CLIENTS)
            made.append(made_up.request(users, self.lines))
        with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
            self.rebuild_some()
            answers = [pool.submit(client.send, body) for client, (body, _, _) in zip(self.clients, made)]
            self.kill_some()
            for answer, (_, counts, errors) in zip(answers, made):
                check_answer(answer.result(), counts, errors)
        assert time.monotonic() - began < MARGIN, "too slow to tell"
        self.wait_for_messages(now)
        self.restart_some()
        self.smsd.advance(self.chance.choice((60, 1000, 1800, 20000, 20000, DAY, DAY, 2 * DAY, 5 * DAY)))

    def check_visit(self, user, code, now):
        found = self.smsd.get(f"/v1/cities/{code}/visits/{urllib.parse.quote(mobile(user))}").body
        visit = self.model.visits.get((user, code))
        if visit is None:
            assert found == {"seen": False, "first_seen_at": None, "last_seen_at": None, "message": None,
                             "in_filter": found["in_filter"]}, found
        elif self.model.is_asked_for(visit, code, now):
            assert found["seen"] and found["in_filter"] in (True, None), found
            assert fails(user) or second_of(found["last_seen_at"]) == visit.last, found

    def check_trace(self, user, now):
        """CITY-10: the last sixteen of thirty days."""
        found = self.smsd.get(f"/v1/traces?mobile={urllib.parse.quote(mobile(user))}").body["data"]
        wanted = self.model.decided[user][-16:]
        recent = [decision for decision in wanted if decision is not None and decision[3] > now - 30 * DAY + MARGIN]
        assert len(recent) <= len(found) <= len(wanted), found
        for item, decision in zip(found, reversed(wanted)):
            if decision is None:
                continue
            assert (second_of(item["at"]), item["city"], item["decision"]) == decision[:3], found
            assert 0 <= second_of(item["decided_at"]) - decision[3] < MARGIN
            assert (item["message"] is not None) == (item["decision"] == "message"), item
            if item["message"] is not None:
                assert (item["message_status"] == "rejected") == fails(user), item

    def check_all(self):
        now = self.now()
        for user in self.chance.sample(range(self.users), min(self.users, 200)):
            self.check_trace(user, now)
            for code in CODES:
                self.check_visit(user, code, now)

    def go(self):
        self.set_up()
        self.learn_percents()
        for code in CODES:
            self.put(code)
        for _ in range(self.rounds):
            self.round()
        self.check_all()


def test_made_up_signals_are_what_a_plain_model_says_to_the_last(smsd):
    """CITY-3, CITY-4, CITY-5, CITY-6, CITY-7, CITY-8, CITY-9, CITY-10, CITY-12: also across kills, restarts, rebuilds
    and changes of cities, and an Idempotency-Key finds what was run of a request that a kill has broken off. What
    was paid is what messages cost that have not failed."""
    run = Run(smsd, SIGNALS, SEED)
    print(f"again: SMSD_SIGNALS={SIGNALS} SMSD_SEED={SEED}")
    run.go()
    print(f"{run.rounds * CLIENTS * run.lines} signals, {run.model.sent} messages, {run.kills} kills, "
          f"{run.restarts} restarts, {run.rebuilds} rebuilds, {sum(client.broken_off for client in run.clients)} requests broken off")


def check_crowd(smsd, people, kills):
    """One city far beyond its capacity: its table grows and splits, its filter gets further parts."""
    assert smsd.put("/v1/cities/crowd", {"name": "Crowd", "capacity": 1000, "enabled": True}).status == 200
    body = "\n".join(json.dumps({"mobile": f"+8618{n:09}", "city": "crowd"}) for n in range(people))
    for repeat in range(3 + kills):
        answer = smsd.post("/v1/signals", body, headers=NDJSON).body
        assert (answer["first_visits"], answer["repeats"]) == ((people, 0) if repeat == 0 else (0, people)), answer
        if repeat == 1:
            assert smsd.post("/v1/jobs/city_rebuild/run", {}).status == 200
        if repeat > 1:
            smsd.kill9()
            smsd.start()
    deadline = time.monotonic() + 60
    while (filter_ := smsd.get("/v1/cities/crowd").body["filter"]) is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert filter_["keys"] == people and filter_["misjudgement_estimate"] <= 2e-4, filter_


def test_a_crowd_is_known_to_the_last(smsd):
    """CITY-2, CITY-3, CITY-7: nobody is missed and nobody twice, while memory grows, after a rebuild, after kills."""
    check_crowd(smsd, 30000, 2)
