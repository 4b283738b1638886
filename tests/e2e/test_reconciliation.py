"""POST /v1/reports/reconciliations (SMS-21): a provider's statement, line by line, against our messages."""

import json
import time

import pytest

from platform_setup import get, metric, put_product, put_route, sandbox, send, set_up, wait_for, wait_metric
from provider import Provider
from smsd import ANSWER_SECONDS_MAX, answer_of
from test_receipts import gateway, receipt

DE = "+4915112340111"
CSV, NDJSON = {"Content-Type": "text/csv"}, {"Content-Type": "application/x-ndjson"}
PATH = "/v1/reports/reconciliations?product=far"
LINES_MAX = 500000


@pytest.fixture
def far(smsd):
    """A provider that names messages as `far.ids` says."""
    set_up(smsd)
    provider = Provider(lambda request: (200, {"ids": provider.ids}))
    put_product(smsd, "far", gateway(provider))
    put_route(smsd, "far")
    provider.smsd = smsd
    yield provider
    provider.close()


def accepted(far, *ids, status=None, **fields):
    """A message that the provider has named so, and whose receipts say `status`."""
    far.ids = list(ids)
    message = send(far.smsd, DE, **fields)
    wait_for(far.smsd, message, "sent")
    for provider_id in ids if status else ():
        assert receipt(far.smsd, provider_id, status) == 200
    return message


def reconcile(smsd, body, headers, query=""):
    answer = smsd.request("POST", PATH + query, body, headers=headers)
    assert answer.status == 200, answer
    return answer.body


def csv(far, text, query=""):
    return reconcile(far.smsd, text, CSV, query)


def ndjson(far, *lines, query=""):
    return reconcile(far.smsd, "".join(json.dumps(line) + "\n" for line in lines), NDJSON, query)


def found(answer):
    """matched, only theirs, only ours, different"""
    return answer["matched"], *(answer[name]["count"] for name in ("only_theirs", "only_ours", "different"))


def test_a_statement_is_held_against_our_messages_line_by_line(far):
    """SMS-21: what is only theirs, only ours, different in status or in parts."""
    accepted(far, "m1", status="DELIVRD")
    missed = accepted(far, "m2", status="DELIVRD")
    other_status = accepted(far, "m3", status="UNDELIV")
    other_parts = accepted(far, "m4")
    answer = ndjson(far, {"provider_id": "m1", "status": "delivered", "parts": 1},
                    {"provider_id": "m3", "status": "delivered", "parts": 1},
                    {"provider_id": "m4", "status": "sent", "parts": 2},
                    {"provider_id": "x9", "status": "undelivered", "parts": 3})
    assert (answer["product"], answer["lines"], answer["invalid"], answer["errors"]) == ("far", 4, 0, [])
    assert found(answer) == (1, 1, 1, 2)
    assert answer["only_theirs"]["items"] == [
        {"line": 4, "provider_id": "x9", "status": "undelivered", "parts": 3}]
    ours, = answer["only_ours"]["items"]
    assert ours == {"message": missed, "status": "delivered", "parts": 1,
                    "created_at": get(far.smsd, missed)["created_at"]}
    assert answer["different"]["items"] == [
        {"line": 2, "provider_id": "m3", "message": other_status, "ours": {"status": "undelivered", "parts": 1},
         "theirs": {"status": "delivered", "parts": 1}},
        {"line": 3, "provider_id": "m4", "message": other_parts, "ours": {"status": "sent", "parts": 1},
         "theirs": {"status": "sent", "parts": 2}}]
    assert not any(answer[name]["is_cut"] for name in ("only_theirs", "only_ours", "different"))
    assert metric(far.smsd, "smsd_reconciliations_total") == 1
    assert metric(far.smsd, "smsd_reconciliation_differences_total") == 4


def test_csv_is_read_as_the_standard_has_it(far):
    """RFC 4180: quotes, doubled ones, commas and line ends within, CRLF; and a byte order mark."""
    accepted(far, 'a"b', status="DELIVRD")
    accepted(far, "c,d", status="DELIVRD")
    accepted(far, "plain", status="UNDELIV")
    answer = csv(far, '\ufeff"note","provider_id",status,"parts"\r\n'
                      '"said ""yes"",\r\nthen no","a""b",delivered,1\r\n'
                      ',"c,d","DELIVRD",1\r\n'
                      '\r\n'
                      'x, plain ,Undeliv, 1')
    assert (answer["lines"], answer["invalid"], answer["errors"]) == (3, 0, [])
    assert found(answer) == (3, 0, 0, 0)


def test_csv_in_pieces_is_the_same(far):
    """However the bytes come."""
    accepted(far, "p1", status="DELIVRD")
    text = '\ufeffprovider_id,status\r\n"p1","deliv""ered"\r\n"p2",delivered\r\n'.encode()
    filler = b"".join(b"none%d,delivered\r\n" % i for i in range(20000))
    connection = far.smsd.unix_connection()
    headers = {"Authorization": f"Bearer {far.smsd.admin_key}", **CSV}
    connection.request("POST", PATH, iter([text[:2], text[2:3], text[3:30], text[30:], filler]), headers,
                       encode_chunked=True)
    answer = answer_of(connection.getresponse()).body
    connection.close()
    assert answer["lines"] == 20002
    assert found(answer) == (1, 20001, 0, 0)
    assert answer["unknown_statuses"] == 1
    assert answer["only_theirs"]["is_cut"] and len(answer["only_theirs"]["items"]) == 1000
    assert answer["only_theirs"]["items"][0]["provider_id"] == "p2"


def test_lf_alone_and_no_end_of_the_last_line_are_fine(far):
    accepted(far, "p1", status="DELIVRD")
    assert found(csv(far, "id\np1")) == (1, 0, 0, 0)


def test_columns_may_have_other_names(far):
    accepted(far, "p1", status="DELIVRD")
    assert found(csv(far, "Message SID,Price,State,Segments\nP1,0.07,Success,1\n",
                     "&id_column=message%20sid&status_column=State&parts_column=segments"
                     "&delivered=ok,%20SUCCESS")) == (1, 0, 0, 0)
    assert found(ndjson(far, {"sid": "p1", "state": "success", "price": [0.07]},
                        query="&id_column=sid&status_column=state&delivered=Success")) == (1, 0, 0, 0)


@pytest.mark.parametrize("ours, theirs", [
    ("aBcDeF01", "ABCDEF01"), ("123456", "000123456"), ("0000123456", "123456"),
    ("1A2B3C4D", "439041101"),  # hexadecimal when accepted, decimal on the statement
    ("439041101", "1a2b3c4d"),  # and the other way round
])
def test_another_spelling_of_an_id_is_the_same_id(far, ours, theirs):
    """SMS-12, SMS-21: another case, radix, or leading zeros."""
    message = accepted(far, ours)
    answer = csv(far, f"id,status\n{theirs},delivered\n")
    assert found(answer) == (0, 0, 0, 1)
    item, = answer["different"]["items"]
    assert (item["provider_id"], item["message"]) == (theirs, message)


def test_the_radix_is_the_statements_not_a_lines(far):
    """SMS-21: 16 is a line of nobody's, not message 10 read as hexadecimal."""
    for provider_id in ("10", "11", "12"):
        accepted(far, provider_id, status="DELIVRD")
    answer = csv(far, "id,status\n11,delivered\n12,delivered\n16,delivered\n")
    assert found(answer) == (2, 1, 1, 0)
    assert answer["only_theirs"]["items"][0]["provider_id"] == "16"


def test_hexadecimal_ids_that_look_decimal_are_found_on_a_decimal_statement(far):
    """4660 is what the statement calls 1234; there is a 4660 of ours, too, which it calls 18016."""
    first = accepted(far, "1234", status="DELIVRD")
    accepted(far, "4660", status="DELIVRD")
    accepted(far, "ff01", status="DELIVRD")
    answer = csv(far, "id,status\n4660,undelivered\n18016,delivered\n65281,delivered\n")
    assert found(answer) == (2, 0, 0, 1)
    assert answer["different"]["items"][0]["message"] == first


def test_numbers_are_ids_too(far):
    accepted(far, "4711", status="DELIVRD")
    assert found(ndjson(far, {"id": 4711, "parts": "1"})) == (1, 0, 0, 0)


def test_a_message_of_several_parts_is_one_message(far):
    """SMS-12, SMS-21: a line for each part."""
    message = accepted(far, "a1", "a2", "a3", content="x" * 400, status="DELIVRD")
    whole = "id,status\na1,delivered\na2,delivered\na3,delivered\n"
    assert found(csv(far, whole)) == (1, 0, 0, 0)
    assert found(csv(far, "id,status,parts\na1,delivered,3\n")) == (1, 0, 0, 0), "all of them on the first line"
    for text, status, parts in ((whole.replace("a2,delivered\n", ""), "delivered", 2),
                                (whole.replace("a2,delivered", "a2,failed"), "undelivered", 3),
                                (whole + "a3,delivered\n", "delivered", 4)):
        answer = csv(far, text)
        assert found(answer) == (0, 0, 0, 1), text
        item, = answer["different"]["items"]
        assert item["message"] == message and item["ours"] == {"status": "delivered", "parts": 3}
        assert item["theirs"] == {"status": status, "parts": parts}


def test_one_id_for_all_parts_stands_for_all_of_them(far):
    accepted(far, "w1", content="x" * 400, status="DELIVRD")
    assert found(csv(far, "id\nw1\n")) == (1, 0, 0, 0)
    assert found(csv(far, "id,parts\nw1,3\n")) == (1, 0, 0, 0)
    assert csv(far, "id\nw1\nW1\n")["different"]["items"][0]["theirs"] == {"status": None, "parts": 6}, \
        "on the statement twice, paid for twice"


def test_an_operators_test_is_neither_missed_nor_theirs_alone(far):
    """SMS-4, SMS-21: it was sent, so the statement has it; reports do not."""
    accepted(far, "t1", status="DELIVRD", test=True)
    assert found(csv(far, "id\n")) == (0, 0, 0, 0)
    answer = csv(far, "id,status\nt1,undelivered\n")
    assert (found(answer), answer["tests"]) == ((0, 0, 0, 0), 1)


def test_a_word_that_nobody_knows_is_told_and_the_id_still_found(far):
    accepted(far, "p1", status="DELIVRD")
    answer = csv(far, "id,status\np1,成功\np2,\n")
    assert found(answer) == (1, 1, 0, 0)
    assert (answer["invalid"], answer["unknown_statuses"]) == (0, 1)
    assert answer["errors"] == [{"line": 2, "code": "unknown_status", "detail": "成功"}]


def test_what_is_wrong_with_a_line_is_told_and_the_next_one_taken(far):
    accepted(far, "p1", status="DELIVRD")
    answer = csv(far, f"id,status,parts\n,delivered,1\n{'x' * 65},,\np1,delivered,many\n{'y' * 5000},,\n"
                      "p1,delivered,1\n")
    assert (answer["lines"], answer["invalid"]) == (5, 4)
    assert [(error["line"], error["code"]) for error in answer["errors"]] == [
        (2, "invalid"), (3, "invalid"), (4, "invalid"), (5, "invalid")]
    assert found(answer) == (1, 0, 0, 0)
    answer = reconcile(far.smsd, '{"id":"p1"\n[1]\n\n{"id":null}\n{"id":"' + "z" * 300000 + '"}\n{"id":"p1"}',
                       NDJSON)
    assert (answer["lines"], answer["invalid"]) == (5, 4)
    assert [(error["line"], error["code"]) for error in answer["errors"]] == [
        (1, "malformed_json"), (2, "invalid"), (4, "invalid"), (5, "invalid")]
    assert found(answer) == (1, 0, 0, 0)


def test_a_quote_that_is_never_closed_costs_no_more_than_it_must(far):
    accepted(far, "p1", status="DELIVRD")
    answer = csv(far, 'id,note\nq1,"never\n' + "".join(f"r{i},\n" for i in range(2000)) + "p1,\n")
    assert answer["invalid"] == 1 and answer["errors"][0]["line"] == 2
    assert answer["matched"] == 1


def test_errors_are_listed_up_to_a_hundred(far):
    answer = csv(far, "id,status\n" + ",\n" * 250)
    assert (answer["invalid"], len(answer["errors"])) == (250, 100)


def test_only_what_was_made_in_the_period_is_missed(far):
    """An id is looked for in all there is."""
    accepted(far, "p1", status="DELIVRD")
    accepted(far, "p2", status="DELIVRD")
    answer = csv(far, "id\np1\n", "&created_from=2025-01-01&created_to=2025-01-03")
    assert found(answer) == (1, 0, 0, 0)
    assert (answer["created_from"], answer["created_to"]) == ("2025-01-01T00:00:00.000Z", "2025-01-03T00:00:00.000Z")
    assert found(csv(far, "id\np1\n")) == (1, 0, 1, 0)


def test_what_no_provider_has_taken_is_not_missed(far):
    far.answer = lambda request: (400, {})
    message = send(far.smsd, DE)
    wait_for(far.smsd, message, "rejected", "failed", "queued")
    assert found(csv(far, "id\n")) == (0, 0, 0, 0)


def test_what_has_gone_on_by_another_product_is_found_and_not_missed(far):
    """SMS-13: its first product carried it, and says so."""
    smsd = far.smsd
    sandbox(smsd, "next")
    put_route(smsd, "far", sort=0, failover_on_undelivered=True)
    put_route(smsd, "next", sort=1)
    first, second = accepted(far, "f1"), accepted(far, "f2")
    for provider_id in ("f1", "f2"):
        assert receipt(smsd, provider_id, "UNDELIV") == 200
    for message in (first, second):
        wait_for(smsd, message, "delivered", until=lambda body: body["product"] == "next")
    assert found(csv(far, "id,status\nf1,undelivered\n")) == (1, 0, 0, 0)
    assert csv(far, "id,status\nf2,delivered\n")["different"]["items"][0]["ours"]["status"] == "undelivered"


def test_other_products_are_not_looked_at(far):
    smsd = far.smsd
    accepted(far, "p1", status="DELIVRD")
    sandbox(smsd, "next")
    answer = smsd.request("POST", "/v1/reports/reconciliations?product=next", "id\np1\n", headers=CSV)
    assert found(answer.body) == (0, 1, 0, 0)


def test_too_many_lines_are_refused(far):
    """SMS-21, OPS-8: memory is bounded, and it is said what to do."""
    body = b"id\n" + b"".join(b"%d\n" % i for i in range(LINES_MAX + 1))
    answer = far.smsd.request("POST", PATH, body, headers=CSV)
    assert (answer.status, answer.body["code"]) == (413, "body_too_large")
    assert "500000" in answer.body["detail"]
    assert far.smsd.get("/healthz").status == 200


@pytest.mark.parametrize("headers", [{"Content-Type": "application/json"}, {"Content-Type": "text/plain"}])
def test_another_type_is_refused(far, headers):
    answer = far.smsd.request("POST", PATH, "[]", headers=headers)
    assert (answer.status, answer.body["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("query, status, code, pointer", [
    ("", 422, "invalid", "/product"), ("product=nobody", 404, "product_not_found", None),
    ("product=far&created_from=x", 422, "invalid", "/created_from"),
    ("product=far&colour=red", 422, "unknown_field", "/colour")])
@pytest.mark.parametrize("size", [1, 400000])
def test_what_cannot_be_is_refused_however_long_the_body(far, query, status, code, pointer, size):
    answer = far.smsd.request("POST", f"/v1/reports/reconciliations?{query}", "id\n" + "a\n" * size, headers=CSV)
    assert (answer.status, answer.body["code"]) == (status, code), answer
    if pointer:
        assert [error["pointer"] for error in answer.body["errors"]] == [pointer]


def test_csv_needs_a_header(far):
    for text in ("", "a,b\n1,2\n", "\n\n"):
        answer = far.smsd.request("POST", PATH, text, headers=CSV)
        assert (answer.status, answer.body["code"]) == (422, "invalid"), text


def test_a_key_of_a_company_may_not(far):
    """OPS-2: a statement is of everybody's messages."""
    key = far.smsd.post("/v1/keys", {"name": "a", "scopes": ["messages"], "company": "acme"}).body["secret"]
    assert far.smsd.request("POST", PATH, "id\n", headers=CSV, key=key).status == 403


def test_a_refusal_under_a_key_is_the_same_however_the_body_comes(far):
    """BILL-9: what is wrong shows while the body still comes, and is kept only once it has."""
    headers = {"Authorization": f"Bearer {far.smsd.admin_key}", "Idempotency-Key": "K", **CSV}
    text = b"id\n" + b"a\n" * 50000
    for replayed in (None, "true"):
        connection = far.smsd.unix_connection()
        connection.request("POST", PATH.replace("far", "none"), iter([text[:3], text[3:50000], text[50000:]]), headers,
                           encode_chunked=True)
        answer = answer_of(connection.getresponse())
        connection.close()
        assert (answer.status, answer.body["code"]) == (404, "product_not_found")
        assert answer.headers.get("idempotent-replayed") == replayed


def test_nothing_is_left_of_a_client_that_goes_away(far):
    """Two at once is all there may be: those that were cut off do not count."""
    smsd = far.smsd
    for _ in range(3):
        connection = smsd.unix_connection()
        connection.putrequest("POST", PATH)
        for name, value in {"Authorization": f"Bearer {smsd.admin_key}", "Content-Length": "1000000", **CSV}.items():
            connection.putheader(name, value)
        connection.endheaders()
        connection.send(b"id\n" + b"a\n" * 100000)
        connection.close()
    deadline = time.monotonic() + ANSWER_SECONDS_MAX
    while smsd.request("POST", PATH, "id\n", headers=CSV).status == 503:
        assert time.monotonic() < deadline, "they still count"


def test_what_is_history_is_found_compared_and_missed_as_well(far):
    """SMS-19, SMS-21: wherever a message is, in whatever spelling its id."""
    smsd = far.smsd
    accepted(far, "00A1", status="DELIVRD")
    missed = accepted(far, "A2", status="DELIVRD")
    different = accepted(far, "A3", "A4", content="x" * 200, status="DELIVRD")
    accepted(far, "A5", test=True, status="DELIVRD")
    smsd.advance(2 * 86400)
    assert smsd.post("/v1/jobs/archive/run").status == 200
    wait_metric(smsd, "smsd_messages_archived_total", 4)
    accepted(far, "B1", status="DELIVRD")
    before = smsd.get("/v1/reports/messages?by=day,status").body["data"]
    for text, radix in (("id,parts\na1,1\na3,1\na5,1\nb1,1\nc1,1\n", 16),
                        ("id,parts\n161,1\n163,1\n165,1\n177,1\n193,1\n", 10)):
        answer = csv(far, text)
        assert found(answer) == (2, 1, 1, 1), radix
        assert answer["tests"] == 1
        assert answer["only_ours"]["items"][0]["message"] == missed
        item, = answer["different"]["items"]
        assert (item["message"], item["ours"]["parts"], item["theirs"]["parts"]) == (different, 2, 1)
    assert [(line["status"], line["total"]) for line in before] == [("delivered", 1), ("delivered", 3)], \
        "counters stay when messages go"
