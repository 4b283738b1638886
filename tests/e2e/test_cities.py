"""City welcome, as far as it needs no messages: cities, signals, visits, traces (CITY-…)."""

import datetime
import json
import time

from contract import new_key, pages
from platform_setup import metric

SHANGHAI = {"lat": 31.2304, "lon": 121.4737, "radius_m": 40000}
CITY = {"code", "name", "group", "capacity", "misjudgement", "areas", "company", "template", "params", "basis", "window_days", "rollout_percent",
        "labels", "enabled", "created_at", "updated_at", "filter"}
FILTER = {"bytes", "bits_per_key", "hashes", "keys", "fill", "misjudgement_estimate", "rebuilt_at", "rebuilding"}
DAY = 86400


def put(smsd, code, **fields):
    body = {"name": code.title(), "capacity": 10000, "enabled": True, **fields}
    answer = smsd.request("PUT", f"/v1/cities/{code}", body)
    assert answer.status == 200, answer
    return answer.body


def city(smsd, code):
    answer = smsd.get(f"/v1/cities/{code}")
    assert answer.status == 200, answer
    return answer.body


def mobile(n):
    return f"+86138{n:08}"


def lines(signals):
    return "\n".join(signal if isinstance(signal, str) else json.dumps(signal) for signal in signals)


def send(smsd, signals, **how):
    answer = smsd.post("/v1/signals", lines(signals), headers={"Content-Type": "application/x-ndjson"}, **how)
    assert answer.status == 200, answer
    return answer.body


def counts(answer):
    return tuple(answer[name] for name in ("first_visits", "repeats", "skipped", "invalid"))


def now(smsd, code):
    """smsd's idea of now, and what it is as text."""
    text = put(smsd, code)["updated_at"]
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def at(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def rebuild(smsd):
    assert smsd.post("/v1/jobs/city_rebuild/run", {}).status == 200


# CITY-8, CITY-2


def test_a_city_is_what_was_put(shared):
    body = {"name": "Shanghai 上海", "capacity": 20000, "misjudgement": 0.001, "areas": [SHANGHAI], "group": "east",
            "basis": "sent", "window_days": 7, "rollout_percent": 25, "labels": ["vip", "staff é"], "enabled": False}
    answer = shared.request("PUT", "/v1/cities/put.sha", body)
    assert answer.status == 200 and set(answer.body) == CITY, answer
    assert {**answer.body, **body} == answer.body
    filter_ = answer.body["filter"]
    assert set(filter_) == FILTER and filter_["keys"] == 0 and filter_["fill"] == 0
    assert filter_["bytes"] <= 5 * 20000 and 14 < filter_["bits_per_key"] < 17
    assert city(shared, "put.sha") == answer.body
    assert put(shared, "put.sha")["created_at"] == answer.body["created_at"], "the same city"
    assert city(shared, "put.sha")["labels"] == [] and city(shared, "put.sha")["window_days"] == 15


def test_what_is_wrong_with_a_city_is_said_at_once(shared):
    answer = shared.request("PUT", "/v1/cities/wrong", {
        "capacity": 0, "misjudgement": 0.5, "areas": [], "basis": "felt", "rollout_percent": 101, "window_days": 0})
    assert answer.status == 422 and set(answer.pointers) == {
        "/name", "/capacity", "/misjudgement", "/basis", "/rollout_percent", "/window_days", "/enabled"}, answer
    answer = shared.request("PUT", "/v1/cities/wrong", {
        "name": "x", "capacity": 1, "enabled": True, "areas": [SHANGHAI, {"lat": 91, "lon": 0, "radius_m": 0}]})
    assert answer.status == 422 and set(answer.pointers) == {"/areas/1/lat", "/areas/1/radius_m"}, answer
    assert shared.request("PUT", "/v1/cities/@x", {"name": "x", "capacity": 1, "enabled": True}).status == 422
    assert shared.get("/v1/cities/wrong").code == "city_not_found"
    assert shared.post("/v1/cities/wrong/rebuild", {}).code == "city_not_found"
    assert shared.get("/v1/cities", key=new_key(shared, "billing")[1]).status == 403


def test_cities_are_listed_newest_first(smsd):
    for n in range(7):
        put(smsd, f"list.{n}")
    found = [row["code"] for row in pages(smsd, "/v1/cities", 3)]
    assert found == [f"list.{n}" for n in reversed(range(7))]


def test_a_cursor_that_no_list_returned_does_no_harm(shared):
    put(shared, "cursor")
    for after in ("0000000000000", "0000000000001", "fzzzzzzzzzzzz"):
        assert shared.get(f"/v1/cities?after={after}").status == 200
    assert shared.get("/v1/cities?after=0000000000000").body == {"data": [], "next": None}


# CITY-1, CITY-3, CITY-4, CITY-12


def test_the_first_sight_is_a_visit_and_the_next_a_repeat(shared):
    put(shared, "first")
    answer = send(shared, [{"mobile": mobile(1), "city": "first"}, {"mobile": mobile(2), "city": "first"},
                           {"mobile": mobile(1), "city": "first"}])
    assert answer == {"accepted": 3, "first_visits": 2, "repeats": 1, "skipped": 0, "invalid": 0,
                      "invalid_by_code": {}, "errors": []}
    assert counts(send(shared, [{"mobile": mobile(1), "city": "first"}])) == (0, 1, 0, 0)
    visit = shared.get(f"/v1/cities/first/visits/{mobile(1)}").body
    assert visit["seen"] and visit["in_filter"] and visit["first_seen_at"] == visit["last_seen_at"]
    assert visit["message"] is None
    stranger = shared.get(f"/v1/cities/first/visits/{mobile(999)}").body
    assert stranger == {"seen": False, "first_seen_at": None, "last_seen_at": None, "message": None,
                        "in_filter": False}


def test_several_cities_are_several_visits(shared):
    put(shared, "one")
    put(shared, "two")
    assert counts(send(shared, [{"mobile": mobile(5), "city": code} for code in ("one", "two", "one")])) == (2, 1, 0, 0)


def test_a_position_is_the_city_of_the_smallest_area_around_it(shared):
    put(shared, "region", areas=[{"lat": -31, "lon": 121, "radius_m": 300000}])
    put(shared, "town", areas=[{"lat": -31.2304, "lon": 121.4737, "radius_m": 20000},
                               {"lat": 0, "lon": 180, "radius_m": 5000}])
    here = {"mobile": mobile(6)}
    assert counts(send(shared, [{**here, "lat": -31.25, "lon": 121.5}, {**here, "city": "town"},
                                {**here, "lat": -32, "lon": 121}, {**here, "lat": 0.01, "lon": -179.99},
                                {**here, "lat": 10, "lon": 10}])) == (2, 2, 1, 0)
    put(shared, "town", areas=[])
    assert counts(send(shared, [{"mobile": mobile(7), "lat": -31.25, "lon": 121.5}])) == (1, 0, 0, 0)
    assert shared.get(f"/v1/cities/region/visits/{mobile(7)}").body["seen"]


def test_a_bad_line_is_told_and_the_others_are_taken(shared):
    put(shared, "lines")
    moment = now(shared, "lines")
    bad = ["{", '{"mobile":"+8613800000000"}', '{"mobile":"13800000000","city":"lines"}',
           '{"mobile":"+8613800000000","city":"nowhere"}', '{"mobile":"+8613800000000","city":"lines","town":1}',
           '{"mobile":"+8613800000000","city":"lines","lat":1,"lon":1}', '{"mobile":"+8613800000000","lat":1}',
           json.dumps({"mobile": mobile(1), "city": "lines", "at": "yesterday"}),
           json.dumps({"mobile": mobile(1), "city": "lines", "at": at(moment - datetime.timedelta(hours=25))}),
           json.dumps({"mobile": mobile(1), "city": "lines", "at": at(moment + datetime.timedelta(minutes=10))}),
           "[]", '{"mobile":"' + "1" * 5000 + '"}', '{"mobile":"+8613800000000","city":null}']
    codes = ["malformed_json", "invalid", "invalid", "city_not_found", "unknown_field", "invalid", "invalid", "invalid",
             "signal_late", "signal_early", "invalid", "invalid", "invalid"]
    good = json.dumps({"mobile": mobile(10), "city": "lines"})
    mixed = [line for line in bad for line in (line, good)] + ["", "  "]
    answer = send(shared, mixed)
    assert [error["code"] for error in answer["errors"]] == codes, answer
    assert [error["line"] for error in answer["errors"]] == list(range(1, 2 * len(bad), 2))
    assert counts(answer) == (1, len(bad) - 1, 0, len(bad)) and answer["accepted"] == len(bad)
    assert len(send(shared, bad[:1] * 250)["errors"]) == 100


def test_null_in_a_line_is_as_not_given(shared):
    put(shared, "nulls", areas=[SHANGHAI])
    here = {"lat": SHANGHAI["lat"], "lon": SHANGHAI["lon"]}
    nulls = [{"mobile": mobile(20), "city": "nulls", "lat": None, "lon": None, "at": None, "label": None},
             {"mobile": mobile(21), "city": None, **here, "label": None},
             {"mobile": mobile(22), "city": None, "lat": 0, "lon": None}]
    answer = send(shared, nulls)
    assert counts(answer) == (2, 0, 0, 1) and answer["errors"][0]["line"] == 3, answer


def test_the_short_way_and_the_parser_mean_the_same(shared):
    put(shared, "ways")
    spelled = ['{"mobile":"+8613800000001","city":"ways"}', '{"mobile":"+861380000000\\u0031","city":"ways"}',
               '{"city":"\\u0077ays","mobile":"+8613800000001"}', ' { "mobile" : "+8613800000001" , "city":"ways"}\r',
               '{"mobile":"+8613800000001","city":"ways","label":"é"}']
    assert counts(send(shared, spelled)) == (1, 4, 0, 0)


def test_ten_thousand_lines_in_any_pieces(shared):
    put(shared, "many")
    signals = [{"mobile": mobile(n % 9000), "city": "many"} for n in range(10000)]
    assert counts(send(shared, signals)) == (9000, 1000, 0, 0)
    body = lines(signals).encode()
    pieces = [body[n:n + 997] for n in range(0, len(body), 997)]
    chunked = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    head = (f"POST /v1/signals HTTP/1.1\r\nHost: smsd\r\nAuthorization: Bearer {shared.admin_key}\r\n"
            "Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n").encode()
    answer = shared.exchange(head + chunked, 1)[0]
    assert answer.status == 200 and counts(answer.body) == (0, 10000, 0, 0), answer
    assert city(shared, "many")["filter"]["keys"] == 9000


def test_a_request_that_breaks_off_holds_nothing_up(shared):
    put(shared, "broken")
    body = lines([{"mobile": mobile(n), "city": "broken"} for n in range(20000)]).encode()
    head = (f"POST /v1/signals HTTP/1.1\r\nHost: smsd\r\nAuthorization: Bearer {shared.admin_key}\r\n"
            f"Content-Length: {len(body) + 100}\r\n\r\n").encode()
    for _ in range(10):
        connection = shared.unix_connection()
        connection.connect()
        connection.sock.sendall(head + body)
        connection.close()
    put(shared, "broken.not")
    assert counts(send(shared, [{"mobile": mobile(1), "city": "broken.not"}])) == (1, 0, 0, 0)


# BILL-9 for signals


def test_a_repeated_key_counts_once(shared):
    put(shared, "key")
    signals = [{"mobile": mobile(n), "city": "key"} for n in range(300)]
    signals.insert(200, {"mobile": mobile(1), "city": "key", "at": "2020-01-01T00:00:00Z"})
    first = send(shared, signals, idempotency="signals 1")
    answer = shared.post("/v1/signals", lines(signals), idempotency="signals 1",
                         headers={"Content-Type": "application/x-ndjson"})
    assert answer.body == first and answer.replayed and counts(first) == (300, 0, 0, 1)
    other = shared.post("/v1/signals", lines(signals[:-1]), idempotency="signals 1",
                        headers={"Content-Type": "application/x-ndjson"})
    assert other.code == "idempotency_key_reused"


# CITY-9, CITY-10


def test_who_is_not_let_in_is_skipped_and_not_new_later(shared):
    put(shared, "roll", rollout_percent=30)
    signals = [{"mobile": mobile(n), "city": "roll"} for n in range(2000)]
    before = metric(shared, "smsd_signals_skipped_total")
    first, repeats, skipped, _ = counts(send(shared, signals))
    assert metric(shared, "smsd_signals_skipped_total") == before + skipped
    assert repeats == 0 and first + skipped == 2000 and 500 < first < 700
    let_in = {n for n in range(2000) if trace(shared, n)[0]["decision"] == "no_message"} if first < 700 else set()
    assert len(let_in) == first
    put(shared, "roll", rollout_percent=100)
    assert counts(send(shared, signals)) == (0, 2000, 0, 0)
    put(shared, "roll.more", rollout_percent=60)
    send(shared, [{**signal, "city": "roll.more"} for signal in signals])
    more = {n for n in range(2000) if trace(shared, n)[0]["decision"] == "no_message"}
    assert let_in < more, "the same users, and others"


def trace(smsd, n):
    answer = smsd.get(f"/v1/traces?mobile={mobile(n).replace('+', '%2B')}")
    assert answer.status == 200, answer
    return answer.body["data"]


def test_labels_and_the_switch(shared):
    put(shared, "label", labels=["beta", "staff"])
    base = 50000
    answer = send(shared, [{"mobile": mobile(base), "city": "label", "label": "beta"},
                           {"mobile": mobile(base + 1), "city": "label", "label": "bet"},
                           {"mobile": mobile(base + 2), "city": "label"},
                           {"mobile": mobile(base + 3), "city": "label", "label": "staff"}])
    assert counts(answer) == (2, 0, 2, 0)
    put(shared, "label", enabled=False)
    assert counts(send(shared, [{"mobile": mobile(base + 4), "city": "label"}])) == (0, 0, 1, 0)
    decided = [trace(shared, base + n)[0]["decision"] for n in range(5)]
    assert decided == ["no_message", "not_labelled", "not_labelled", "no_message", "disabled"]
    item = trace(shared, base)[0]
    assert set(item) == {"at", "city", "decision", "reason", "code", "message", "message_status", "last_seen_at",
                         "decided_at"} and item["city"] == "label"
    assert trace(shared, 777777) == []
    assert shared.get("/v1/traces").status == 422 and shared.get("/v1/traces?mobile=12").status == 422


def test_a_trace_keeps_the_last_sixteen(shared):
    for n in range(20):
        put(shared, f"trace.{n}")
        send(shared, [{"mobile": mobile(60000), "city": f"trace.{n}"}])
    last = [f"trace.{n}" for n in range(19, 3, -1)]
    assert [item["city"] for item in trace(shared, 60000)] == last
    # It is a list as others are, and a number in a query or path needs no plus.
    for spelled in ("%2B", "+", ""):
        path = f"/v1/traces?mobile={spelled}{mobile(60000)[1:]}"
        assert [item["city"] for item in pages(shared, path, 3)] == last
    assert shared.get(f"/v1/cities/trace.1/visits/{mobile(60000)[1:]}").body["seen"]


def test_decisions_of_one_moment_are_paged(shared):
    for n in range(5):
        put(shared, f"at.once.{n}")
    send(shared, [{"mobile": mobile(60001), "city": f"at.once.{n}"} for n in range(5)])
    found = pages(shared, f"/v1/traces?mobile={mobile(60001)[1:]}", 1)
    assert [item["city"] for item in found] == [f"at.once.{n}" for n in (4, 3, 2, 1, 0)]


# CITY-4, CITY-6, CITY-7


def test_the_window_is_by_days_and_is_prolonged_by_each(smsd):
    put(smsd, "window")
    moment = now(smsd, "window")
    start = moment.replace(hour=0, minute=0, second=10) + datetime.timedelta(days=1)
    smsd.advance(int((start - moment).total_seconds()))
    see = [{"mobile": mobile(1), "city": "window"}]
    assert counts(send(smsd, see)) == (1, 0, 0, 0)
    smsd.advance(14 * DAY)
    assert counts(send(smsd, see)) == (0, 1, 0, 0), "the fifteenth day"
    smsd.advance(14 * DAY)
    assert counts(send(smsd, see)) == (0, 1, 0, 0), "seen again in between"
    smsd.advance(15 * DAY)
    assert counts(send(smsd, see)) == (1, 0, 0, 0)
    smsd.advance(40 * DAY)
    rebuild(smsd)
    assert not smsd.get(f"/v1/cities/window/visits/{mobile(1)}").body["seen"], "its row was deleted"
    assert city(smsd, "window")["filter"]["keys"] == 0


def test_a_rebuild_makes_one_part_of_an_outgrown_filter(smsd):
    put(smsd, "grow", capacity=1000)
    signals = [{"mobile": mobile(n), "city": "grow"} for n in range(5000)]
    send(smsd, signals)
    grown = city(smsd, "grow")["filter"]
    assert grown["keys"] == 5000 and grown["misjudgement_estimate"] <= 2e-4 and grown["rebuilt_at"] is None
    assert smsd.post("/v1/cities/grow/rebuild", {}).status == 202
    rebuild(smsd)
    filter_ = city(smsd, "grow")["filter"]
    assert filter_["keys"] == 5000 and filter_["bytes"] < grown["bytes"] and filter_["rebuilt_at"]
    assert counts(send(smsd, signals)) == (0, 5000, 0, 0)


def test_nobody_is_forgotten_or_greeted_twice_by_a_kill(smsd):
    """CITY-7: memory is made again from the rows; until it is, the rows are asked."""
    put(smsd, "kill")
    for n in range(4):
        signals = [{"mobile": mobile(1000 * n + i), "city": "kill"} for i in range(1000)]
        assert counts(send(smsd, signals)) == (1000, 0, 0, 0)
        smsd.kill9()
        smsd.start()
        known = [{"mobile": mobile(i), "city": "kill"} for i in range(1000 * n + 1000)]
        assert counts(send(smsd, known)) == (0, len(known), 0, 0)
    deadline = time.monotonic() + 30
    while city(smsd, "kill")["filter"] is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert counts(send(smsd, known)) == (0, len(known), 0, 0)
    assert city(smsd, "kill")["filter"]["keys"] == 4000
