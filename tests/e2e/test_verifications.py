"""Verification codes over the wire (SMS-17). Codes are read where a recipient reads them: in what the provider was
given. To the millisecond caps and attempts are told in unit/engine_verification.c and by the simulator; here a client
sees them by the test clock, with some seconds to spare for a machine that is slow."""

import itertools
import re
import threading

import pytest

from contract import is_time, topup
from platform_setup import metric, wait_for
from provider import Provider
from smsd import Smsd
from webhook import send_to, until, webhooks

VERIFICATION = {"id", "company", "to", "status", "message", "code_length", "wrong_checks", "created_at", "expires_at",
                "ended_at"}
SPARE = 10  # seconds that a slow machine may take between two requests
# Each in a block of numbers of its own, and none that the sandbox knows.
blocks = itertools.count(1380)


def number():
    return f"+86{next(blocks)}0001234"


def put(smsd, path, body):
    answer = smsd.put(f"/v1/{path}", body)
    assert answer.status in (200, 201), answer


def setting(smsd, name, value):
    put(smsd, f"settings/verification_{name}", {"value": str(value)})


def furnish(smsd, gateway=None):
    topup(smsd, "purse", 100000)
    put(smsd, "countries/CN", {"name": "China", "calling_code": 86, "number_lengths": [11], "number_prefixes": ["1"]})
    put(smsd, "channels/sand", {"name": "Sand"})
    put(smsd, "products/box", {"channel": "sand", "gateway": gateway or {"type": "sandbox"}, "price": 3})
    for company in ("acme", "other"):
        put(smsd, f"companies/{company}", {"name": company, "account": "purse"})
        put(smsd, f"routes/{company}", {"company": company, "country": "CN", "kind": "verification", "product": "box"})
    put(smsd, "templates/code", {"content": "Your code is {code}.", "kind": "verification"})
    put(smsd, "templates/twice", {"content": "{name}: {code} ({code})", "kind": "verification"})
    put(smsd, "templates/note", {"content": "Dear {code}", "kind": "notice"})
    put(smsd, "templates/none", {"content": "No code", "kind": "verification"})


@pytest.fixture
def platform(tmp_path):
    """With the sandbox's log beside the data directory: what a provider was given."""
    smsd = Smsd(tmp_path, options=["--sandbox-log", str(tmp_path / "sandbox.log"), "--webhooks-allow-private"]).start()
    furnish(smsd)
    yield smsd
    smsd.close()


def ask(smsd, to, company="acme", **fields):
    """The answer, whatever it is."""
    how = {name: fields.pop(name) for name in ("key", "idempotency") if name in fields}
    return smsd.post("/v1/verifications", {"to": to, "company": company, "template": "code", **fields}, **how)


def make(smsd, to, **fields):
    answer = ask(smsd, to, **fields)
    assert answer.status == 202, answer
    return answer.body


def text_of(smsd, verification):
    """What was sent to the recipient."""
    def look():
        path = smsd.folder / "sandbox.log"
        for line in path.read_text().splitlines() if path.exists() else []:
            fields = line.split(" ", 5)
            if fields[0] == verification["message"] and len(fields) == 6:
                return fields[5]
        return None
    return until(look, f"{verification['message']} in the sandbox's log")


def code_of(smsd, verification):
    return re.search(r"\d{4,}", text_of(smsd, verification)).group()


def check(smsd, to, code, **fields):
    how = {name: fields.pop(name) for name in ("key", "idempotency") if name in fields}
    return smsd.post("/v1/verifications/check", {"to": to, "code": code, **fields}, **how)


def is_valid(smsd, to, code, **fields):
    answer = check(smsd, to, code, **fields)
    assert answer.status == 200, answer
    assert (answer.body["verification"] is not None) == answer.body["valid"]
    return answer.body["valid"]


def wrong(code):
    return f"{(int(code) + 1) % 10 ** len(code):0{len(code)}}"


def get(smsd, verification):
    answer = smsd.get(f"/v1/verifications/{verification['id']}")
    assert answer.status == 200, answer
    assert set(answer.body) == VERIFICATION
    return answer.body


def refused(answer, code, field=None):
    """A 429, and why; how long it lasts."""
    assert (answer.status, answer.code) == (429, code), answer
    if field:
        assert answer.pointers == [field], answer
    return int(answer.headers["retry-after"])


def new_key(smsd, company):
    answer = smsd.post("/v1/keys", {"name": company, "scopes": ["messages"], "company": company})
    assert answer.status == 201, answer
    return answer.body["secret"]


# --- making and checking


def test_a_code_is_made_sent_and_checked_once(platform):
    """SMS-17"""
    to = number()
    made = make(platform, to, code_length=8, client_reference="sign-in 7")
    assert set(made) == VERIFICATION
    assert made["id"].startswith("ver_") and made["message"].startswith("msg_")
    assert (made["company"], made["to"], made["status"], made["code_length"]) == ("acme", to, "pending", 8)
    assert is_time(made["created_at"]) and is_time(made["expires_at"]) and made["ended_at"] is None
    text = text_of(platform, made)
    assert re.fullmatch(r"Your code is \d{8}\.", text)
    message = wait_for(platform, made["message"], "delivered")
    assert (message["kind"], message["content"], message["template"]) == ("verification", None, "code")
    assert message["client_reference"] == "sign-in 7"
    code = code_of(platform, made)
    assert not is_valid(platform, to, wrong(code)) and not is_valid(platform, to, code[:-1])
    assert get(platform, made)["wrong_checks"] == 2
    answer = check(platform, to, code)
    assert answer.body == {"valid": True, "verification": made["id"]}
    assert get(platform, made)["status"] == "verified" and is_time(get(platform, made)["ended_at"])
    assert not is_valid(platform, to, code), "a code is good once"


def test_a_code_stands_wherever_its_template_has_it(platform):
    put(platform, "companies/acme", {"name": "acme", "account": "purse", "signature": "艾克米"})
    text = text_of(platform, make(platform, number(), template="twice", params={"name": "您好"}, code_length=4))
    code = re.search(r"\d{4}", text).group()
    assert text == f"【艾克米】您好: {code} ({code})" and code != "0000"


def test_codes_are_good_for_as_long_as_they_say(platform):
    """SMS-17: ten minutes, or what the setting or the client says."""
    one, two, three, four = number(), number(), number(), number()
    codes = {to: code_of(platform, make(platform, to)) for to in (one, two)}
    setting(platform, "valid_seconds", 300)
    codes[three] = code_of(platform, make(platform, three))
    late = make(platform, four, expires_in=900)
    codes[four] = code_of(platform, late)
    platform.advance(300)
    assert not is_valid(platform, three, codes[three])
    platform.advance(300 - SPARE)
    assert is_valid(platform, one, codes[one])
    platform.advance(SPARE)
    assert not is_valid(platform, two, codes[two])
    platform.advance(300 - SPARE)
    assert get(platform, late)["status"] == "pending" and is_valid(platform, four, codes[four])


def test_the_next_code_ends_the_one_before(platform):
    to = number()
    first = make(platform, to)
    before = code_of(platform, first)
    platform.advance(60)
    second = make(platform, to)
    after = code_of(platform, second)
    assert get(platform, first)["status"] == "replaced"
    assert before == after or not is_valid(platform, to, before)
    assert is_valid(platform, to, after)


def test_a_code_that_waited_too_long_is_not_sent(tmp_path):
    """The code that replaces one that waits takes it back at once; one whose time is over is not sent. Neither is
    paid for, nor counted as unused."""
    go_on = threading.Event()

    def answer(request):
        go_on.wait(60)
        return 200, {"id": request.json["id"]}
    with Provider(answer) as provider:
        smsd = Smsd(tmp_path).start()
        furnish(smsd, {"type": "http", "window": 1,
                       "send": {"url": provider.url, "json": {"id": "{id}", "text": "{text}"}},
                       "answer": {"id": {"json": "/id"}}})
        make(smsd, number())
        provider.wait(1)
        to = number()
        first = make(smsd, to)
        smsd.advance(60)
        second = make(smsd, to)
        assert smsd.get(f"/v1/messages/{first['message']}").body["status"] == "canceled"
        assert smsd.get(f"/v1/messages/{second['message']}").body["status"] == "queued"
        smsd.advance(600)
        message = smsd.get(f"/v1/messages/{second['message']}").body
        assert (message["status"], message["error"]) == ("failed", "expired")
        assert get(smsd, second)["status"] == "expired"
        assert smsd.get("/v1/accounts/purse").body["balance"] == 100000 - 3
        go_on.set()
        assert ask(smsd, to).status == 202
        provider.wait(2)
        assert len(provider.requests) == 2
        smsd.close()


def test_what_a_verification_may_not_be(platform):
    to = number()
    assert ask(platform, to, template="note").code == "unsuitable_template"
    assert ask(platform, to, template="none").code == "unsuitable_template"
    assert ask(platform, to, template="nothing").code == "template_not_found"
    assert ask(platform, to, params={"code": "1234"}).pointers == ["/params/code"]
    assert ask(platform, to, template="twice").pointers == ["/params/name"]
    answer = ask(platform, "+8699")
    assert (answer.status, answer.code, answer.pointers) == (422, "invalid_number", ["/to"])
    for fields, pointer in (({"code_length": 3}, "/code_length"), ({"code_length": 11}, "/code_length"),
                            ({"expires_in": 0}, "/expires_in"), ({"expires_in": 3601}, "/expires_in"),
                            ({"ip_address": "1.2.3"}, "/ip_address"), ({"ip_address": "::g"}, "/ip_address")):
        assert ask(platform, to, **fields).pointers == [pointer]
    assert platform.post("/v1/verifications/check", {"to": "12", "code": "1"}).pointers == ["/to"]
    assert platform.post("/v1/verifications/check", {"to": to, "code": ""}).pointers == ["/code"]
    assert check(platform, to, "123456", company="nobody").code == "company_not_found"
    assert platform.get("/v1/verifications/ver_0000000000000").code == "verification_not_found"
    assert platform.post("/v1/accounts/purse/payouts", {"amount": 100000}).status == 201
    assert ask(platform, to).code == "insufficient_funds"
    topup(platform, "purse", 100)
    make(platform, to)


# --- nobody else's


def test_a_companys_key_neither_checks_nor_sees_the_others_code(platform):
    """SMS-17: nor does what it checks wrongly count for the other, or stand before the other's code."""
    to, acme, other = number(), new_key(platform, "acme"), new_key(platform, "other")
    made = make(platform, to, key=acme)
    code = code_of(platform, made)
    assert ask(platform, to, key=other).status == 403
    assert check(platform, to, code, key=other, company="acme").status == 403
    assert platform.get(f"/v1/verifications/{made['id']}", key=other).code == "verification_not_found"
    for _ in range(5):
        assert not is_valid(platform, to, code, key=other)
    before = metric(platform, "smsd_verification_attempts_refused_total")
    refused(check(platform, to, code, key=other), "too_many_attempts")
    assert metric(platform, "smsd_verification_attempts_refused_total") == before + 1
    assert platform.get(f"/v1/verifications/{made['id']}", key=acme).body["wrong_checks"] == 0
    assert not is_valid(platform, to, wrong(code)), "a key of no company means the code that there is"
    assert get(platform, made)["wrong_checks"] == 1
    assert is_valid(platform, to, code, key=acme)


def test_a_code_lies_in_no_row_journal_or_log(tmp_path):
    """SMS-17: not after a kill, not after a checkpoint and an orderly end, whatever was asked under whichever key."""
    with Provider() as provider:
        smsd = Smsd(tmp_path).start()
        furnish(smsd, {"type": "http", "send": {"url": provider.url, "json": {"text": "{text}", "params": "{params}"}}})
        codes = []
        for place in range(4):
            to = number()
            make(smsd, to, code_length=10, idempotency=f"make {place}", callback_url="http://127.0.0.1:80/x")
            codes.append(re.search(r"\d{10}", provider.wait(place + 1)[place].json["text"]).group())
            assert codes[-1] in provider.requests[place].json["params"]
            if place % 2 == 0:
                assert is_valid(smsd, to, codes[-1], idempotency=f"check {place}")
        smsd.kill9()
        expect_nowhere(smsd, codes)
        smsd.start()
        assert is_valid(smsd, to, codes[-1]), "it is as good after a kill"
        smsd.stop()
        expect_nowhere(smsd, codes)
        smsd.close()


def expect_nowhere(smsd, codes):
    files = [path for path in smsd.data_dir.rglob("*") if path.is_file()] + [smsd.log_path]
    assert any(path.name == "data.mdb" for path in files) and any(path.suffix == ".segment" for path in files)
    found_text = False
    for path in files:
        data = path.read_bytes()
        found_text = found_text or b"Your code is 0000000000." in data
        for code in codes:
            assert code.encode() not in data, f"{path} holds a code"
    assert found_text, "the texts themselves are there, with zeros"


# --- caps


def test_a_number_gets_one_code_a_minute_five_an_hour_ten_a_day(platform):
    """SMS-17: rolling, refused for exactly as long as Retry-After says, and a kill forgets nothing."""
    to = number()
    for _ in range(4):
        make(platform, to)
        left = refused(ask(platform, to), "too_many_codes", "/to")
        assert 60 - SPARE < left <= 60
        platform.advance(left - SPARE)
        assert refused(ask(platform, to), "too_many_codes", "/to") <= SPARE
        platform.advance(SPARE)
    make(platform, to)
    left = refused(ask(platform, to), "too_many_codes", "/to")
    assert 3600 - 240 - 2 * SPARE < left <= 3600 - 240
    platform.kill9()
    platform.start()
    assert left - SPARE < refused(ask(platform, to), "too_many_codes") <= left
    platform.advance(left)
    for _ in range(5):
        make(platform, to)
        platform.advance(1200)
    answer = ask(platform, to)
    assert answer.body["errors"][0]["detail"].endswith("in a day")
    left = refused(answer, "too_many_codes", "/to")
    assert left > 86400 - 3600 - 5 * 1200 - SPARE
    platform.advance(left)
    counted = [metric(platform, f'smsd_verifications_refused_total{{cap="number_{cap}"}}')
               for cap in ("minute", "hour", "day")]
    make(platform, to)
    refused(ask(platform, to), "too_many_codes", "/to")
    assert counted == [0, 1, 1], "since the kill"
    assert metric(platform, 'smsd_verifications_refused_total{cap="number_minute"}') == 1


def test_caps_are_over_all_companies_and_set_by_settings(platform):
    to = number()
    make(platform, to)
    refused(ask(platform, to, company="other"), "too_many_codes")
    setting(platform, "per_minute", 2)
    make(platform, to, company="other")
    refused(ask(platform, to), "too_many_codes")


def test_a_code_that_nobody_got_does_not_count(platform):
    """The provider refuses …0003 for good: the money comes back, and so does the place in the cap."""
    to = number()[:-4] + "0003"
    for _ in range(3):
        wait_for(platform, make(platform, to)["message"], "rejected")
    assert platform.get("/v1/accounts/purse").body["balance"] == 100000


def test_an_address_has_a_cap(platform):
    """SMS-17: of IPv6 the /64 counts, and IPv4 is the same however it is written."""
    setting(platform, "address_per_hour", 2)
    make(platform, number(), ip_address="192.0.2.1")
    make(platform, number(), ip_address="::ffff:192.0.2.1")
    for same in ("192.0.2.1", "::ffff:c000:201", "64:ff9b::192.0.2.1", "2002:c000:201:77::1"):
        left = refused(ask(platform, number(), ip_address=same), "too_many_codes", "/ip_address")
        assert 3600 - SPARE <= left <= 3660
    make(platform, number(), ip_address="192.0.2.2")
    make(platform, number(), ip_address="2001:db8:1:2::1")
    make(platform, number(), ip_address="2001:db8:1:2:ffff::1")
    refused(ask(platform, number(), ip_address="2001:db8:1:2:0:1::"), "too_many_codes", "/ip_address")
    make(platform, number(), ip_address="2001:db8:1:3::1")
    make(platform, number())
    platform.advance(left)
    make(platform, number(), ip_address="192.0.2.1")


def test_a_prefix_has_a_cap(platform):
    """SMS-17: many numbers of one block, whoever asks, are pumping."""
    setting(platform, "prefix_per_hour", 3)
    block = number()[:-4]
    for tail in range(3):
        make(platform, f"{block}{5000 + tail}", ip_address=f"192.0.2.{tail}")
    left = refused(ask(platform, f"{block}6000", company="other"), "too_many_codes", "/to")
    assert 3600 - SPARE <= left <= 3660
    make(platform, number())
    platform.advance(left)
    make(platform, f"{block}6000")


# --- guessing


def test_a_code_may_be_guessed_at_five_times(platform):
    """SMS-17: then not even the right one is taken."""
    to = number()
    made = make(platform, to)
    code = code_of(platform, made)
    for _ in range(5):
        assert not is_valid(platform, to, wrong(code))
    left = refused(check(platform, to, code), "too_many_attempts")
    assert 600 - SPARE < left <= 600
    assert get(platform, made)["status"] == "locked"
    platform.advance(60)
    assert is_valid(platform, to, code_of(platform, make(platform, to))), "another code may be tried"
    platform.advance(60)
    again = make(platform, to)
    platform.advance(left)
    assert not is_valid(platform, to, code), "and the one before is not good again"
    assert get(platform, again)["status"] == "expired"


def test_checks_do_not_tell_whether_there_is_a_code(platform):
    """SMS-17: nobody learns by them who is about to sign in."""
    known, unknown = number(), number()
    code = wrong(code_of(platform, make(platform, known)))
    for _ in range(5):
        assert check(platform, known, code).raw == check(platform, unknown, code).raw
    lefts = [refused(check(platform, to, code), "too_many_attempts") for to in (known, unknown)]
    assert abs(lefts[0] - lefts[1]) <= SPARE
    platform.advance(max(lefts))
    assert check(platform, known, code).raw == check(platform, unknown, code).raw


def test_new_codes_do_not_buy_guesses_without_end(platform):
    """SMS-17: twenty wrong ones a day, over all codes; then there is neither check nor code until the first of them
    is a day old."""
    to = number()
    for _ in range(4):
        code = code_of(platform, make(platform, to))
        for _ in range(5):
            assert not is_valid(platform, to, wrong(code))
        platform.advance(60)
    platform.advance(600)
    left = refused(check(platform, to, code), "too_many_attempts")
    assert 86400 - 900 - 6 * SPARE < left < 86400 - 800
    assert abs(refused(ask(platform, to), "too_many_attempts") - left) <= SPARE
    platform.kill9()
    platform.start()
    platform.advance(left)
    assert is_valid(platform, to, code_of(platform, make(platform, to)))


# --- replays


def test_a_replayed_request_makes_no_second_code(platform):
    """SMS-17, BILL-9: the same key is answered the same, also after a kill, and counts once."""
    to = number()
    first = ask(platform, to, idempotency="K1")
    code = code_of(platform, first.body)
    platform.kill9()
    platform.start()
    second = ask(platform, to, idempotency="K1")
    assert (second.status, second.raw, second.replayed) == (202, first.raw, True)
    assert ask(platform, to, idempotency="K1", test=True).code == "idempotency_key_reused"
    assert len(platform.get(f"/v1/messages?to={to[1:]}").body["data"]) == 1
    refused(ask(platform, to, idempotency="K2"), "too_many_codes")
    for _ in range(7):
        assert not is_valid(platform, to, wrong(code), idempotency="wrong")
    assert get(platform, first.body)["wrong_checks"] == 1
    assert is_valid(platform, to, code, idempotency="right")
    again = check(platform, to, code, idempotency="right")
    assert again.body["valid"] and again.replayed
    assert not is_valid(platform, to, code)
    platform.advance(60)
    assert ask(platform, to, idempotency="K2").status == 202, "what was refused by a cap was not kept"


# --- pumping


def pump(smsd, block, count, used=0):
    """So many codes to a block of numbers, of which some are checked; then their time is over."""
    for tail in range(count):
        to = f"{block}{5000 + tail}"
        made = make(smsd, to)
        if tail < used:
            assert is_valid(smsd, to, code_of(smsd, made))
    smsd.advance(601)


def test_codes_that_are_never_used_are_told_as_pumping(platform, receiver):
    """SMS-17: once an hour for a prefix, signed, and as a metric."""
    send_to(platform, receiver.url())
    for name, value in (("pumping_unused", 4), ("pumping_percent", 80), ("per_minute", 100), ("per_hour", 100)):
        setting(platform, name, value)
    healthy, pumped = number()[:-4], number()[:-4]
    pump(platform, healthy, 6, used=2)
    pump(platform, pumped, 3)
    assert metric(platform, "smsd_verification_pumping_total") == 0
    pump(platform, pumped, 2)
    told, = webhooks(platform, "&type=verification.pumping")
    assert told["data"]["prefix"] == pumped and told["data"]["unused"] == 4 and told["data"]["verified"] == 0
    assert told["data"]["minutes"] == 60 and is_time(told["data"]["at"])
    until(lambda: receiver.at(), "the webhook")
    pump(platform, pumped, 5)
    assert metric(platform, "smsd_verification_pumping_total") == 1, "once an hour"
    platform.advance(3600)
    pump(platform, pumped, 5)
    assert metric(platform, "smsd_verification_pumping_total") == 2
    assert metric(platform, 'smsd_verifications_unused_total{status="expired"}') == 19


def rows_of(smsd):
    """How many rows the tables of verifications have, of a smsd that is not running."""
    rows = {table: int(count) for table, count in re.findall(r"table (verification\w*): (\d+) rows", smsd.verify())}
    assert len(rows) == 4
    return rows


def test_a_day_later_nothing_is_left(platform):
    """Everything a verification was counted in goes with it."""
    made = make(platform, number(), ip_address="192.0.2.9")
    assert not is_valid(platform, number(), "123456")
    platform.stop()
    assert rows_of(platform) == {"verification": 2, "verification_number": 2, "verification_to": 1,
                                 "verification_rate": 2}
    platform.start()
    platform.advance(600)
    platform.advance(86400 - 600 - SPARE)
    assert get(platform, made)["status"] == "expired"
    platform.advance(SPARE)
    assert platform.get(f"/v1/verifications/{made['id']}").code == "verification_not_found"
    platform.stop()
    assert not any(rows_of(platform).values())
    platform.start()


def test_nothing_is_left_after_a_standstill_either(platform):
    """A day and more in which nothing ran: what ends late is counted late, and forgotten all the same."""
    make(platform, number(), ip_address="192.0.2.9")
    platform.advance(3 * 86400)
    platform.advance(2 * 3600)
    platform.stop()
    assert not any(rows_of(platform).values())
    platform.start()
