"""How smsd says no: problem details, statuses, codes, pointers; what it does with hostile bytes (OPS-7)."""

import gzip

import pytest

from contract import balance, charge, new_key, topup

GOOD = {"account": "errors", "amount": 1}


def test_a_problem_has_the_members_of_rfc_9457(shared):
    topup(shared, "poor", 1)
    answer = charge(shared, "poor", 2)
    assert answer.status == 402
    assert answer.headers["content-type"].startswith("application/problem+json")
    problem = answer.body
    assert problem["type"] == "about:blank" and problem["status"] == 402
    assert problem["code"] == "insufficient_funds"
    assert problem["title"] and problem["detail"]


@pytest.mark.parametrize("body", [
    "", "{", "}", "nonsense", '{"account":"A","amount":1', '{"account":"A","amount":1}}', '{"account":"A",}',
    "{'account':'A'}", '{"account":"A" "amount":1}', '{"account":"A","amount":1} x', '{"account":"A\n"}',
    '{"account":"\\u0000"}', '{"account":"\\ud800"}', '{"account":"\\x41"}', b'{"account":"\xff"}',
    b'{"account":"\xc0\x80"}', '{"a":' * 1000, "[" * 100000,
])
def test_what_is_no_json_is_malformed(shared, body):
    answer = shared.post("/v1/charges", body)
    assert answer.status == 400 and answer.code == "malformed_json"


def test_a_member_given_twice_is_malformed(shared):
    topup(shared, "errors", 10)
    before = balance(shared, "errors")
    answer = shared.post("/v1/charges", '{"account":"errors","amount":1,"amount":2}')
    assert answer.status == 400 and answer.code == "malformed_json"
    assert balance(shared, "errors") == before


@pytest.mark.parametrize("body", ["[]", '"text"', "5", "null", "true"])
def test_a_body_that_is_no_object_is_refused(shared, body):
    answer = shared.post("/v1/charges", body)
    assert answer.status in (400, 422)


def test_all_errors_of_the_fields_are_said_at_once(shared):
    answer = shared.post("/v1/charges", {"account": 5, "amount": 0, "mode": "later", "reference": ["x"]})
    assert answer.status == 422 and answer.code == "invalid"
    assert answer.pointers == ["/account", "/amount", "/mode", "/reference"]


def test_another_body_under_a_used_key_is_told_so_whatever_else_is_wrong_with_it(shared):
    # BILL-9
    topup(shared, "errors.key", 100)
    body = {"account": "errors.key", "amount": 30}
    assert shared.post("/v1/charges", body, idempotency="errors-1").status == 201
    for other in ({**body, "amount": -1}, {**body, "amont": 1}, {}, [], "{"):
        answer = shared.post("/v1/charges", other, idempotency="errors-1")
        assert (answer.status, answer.code) == (422, "idempotency_key_reused"), other
    assert shared.post("/v1/charges", {**body, "amount": -1}, idempotency="errors-2").code == "invalid"
    assert shared.post("/v1/charges", body, idempotency="errors-2").status == 201, "a 422 is not kept"
    assert shared.post("/v1/charges", body, idempotency="errors-1").replayed
    assert shared.get("/v1/accounts/errors.key").body["balance"] == 40


def test_missing_fields_are_named(shared):
    answer = shared.post("/v1/charges", {})
    assert answer.status == 422 and answer.code == "invalid"
    assert answer.pointers == ["/account", "/amount"]


@pytest.mark.parametrize("path, body", [
    ("/v1/charges", {**GOOD, "amuont": 2}), ("/v1/charges", {**GOOD, "Amount": 2}),
    ("/v1/accounts", {"id": "unknown.field", "colour": "red"}),
    ("/v1/accounts/errors/topups", {"amount": 1, "account": "A"}),
])
def test_an_unknown_field_is_refused_by_name(shared, path, body):
    topup(shared, "errors", 10)
    before = balance(shared, "errors")
    answer = shared.post(path, body)
    assert answer.status == 422 and answer.code == "unknown_field"
    assert answer.pointers == ["/" + list(body)[-1]]
    assert balance(shared, "errors") == before


def test_an_unknown_field_with_a_slash_has_an_escaped_pointer(shared):
    answer = shared.post("/v1/charges", {**GOOD, "a/b~c": 1})
    assert answer.pointers == ["/a~1b~0c"]


def test_without_a_key_nothing_is_answered(shared):
    """OPS-2: no key, or one nobody has, is 401."""
    for headers in ({}, {"Authorization": "Bearer"}, {"Authorization": "Bearer wrong"},
                    {"Authorization": f"Basic {shared.admin_key}"}, {"Authorization": shared.admin_key},
                    {"Authorization": f"Bearer {shared.admin_key}x"},
                    {"Authorization": f"Bearer {shared.admin_key[:-1]}"}):
        for method, path, body in (("GET", "/v1/accounts", None), ("POST", "/v1/charges", GOOD),
                                   ("GET", "/v1/audit", None), ("GET", "/metrics", None), ("GET", "/v1/keys", None)):
            answer = shared.request(method, path, body, key=None, headers=headers)
            assert answer.status == 401 and answer.code == "unauthenticated", (headers, path)
            assert answer.headers.get("www-authenticate", "").startswith("Bearer"), "RFC 9110, 15.5.2"


def test_a_key_without_the_scope_is_forbidden(shared):
    """OPS-2: 403 by scope."""
    topup(shared, "errors", 10)
    before = balance(shared, "errors")
    _, metrics = new_key(shared, "metrics")
    _, billing = new_key(shared, "billing")
    for method, path, body, key in (
            ("POST", "/v1/charges", GOOD, metrics), ("GET", "/v1/accounts/errors", None, metrics),
            ("GET", "/v1/audit", None, metrics), ("GET", "/metrics", None, billing),
            ("POST", "/v1/keys", {"name": "x", "scopes": ["admin"]}, billing), ("GET", "/v1/keys", None, billing),
            ("POST", "/v1/test_clock/advance", {"seconds": 1}, metrics)):
        answer = shared.request(method, path, body, key=key)
        assert answer.status == 403 and answer.code == "forbidden", (path, answer)
    assert balance(shared, "errors") == before
    assert shared.get("/metrics", key=metrics).status == 200
    assert shared.get("/v1/accounts/errors", key=billing).status == 200


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/", "/v1/nothing", "/v2/charges", "/v1/charge", "/V1/charges",
                                  "/v1/charges/", "/v1//charges", "/v1/accounts/A/nothing", "/v1/../v1/charges"])
def test_a_path_that_leads_nowhere_is_not_found(shared, path):
    answer = shared.get(path)
    assert answer.status == 404 and answer.code == "not_found"


@pytest.mark.parametrize("method, path, allowed", [
    ("DELETE", "/v1/charges", {"POST"}), ("PUT", "/v1/accounts/A", {"GET", "PATCH"}),
    ("POST", "/v1/audit", {"GET"}), ("GET", "/v1/accounts/A/topups", {"POST"}),
    ("POST", "/healthz", {"GET"}), ("DELETE", "/metrics", {"GET"}), ("PATCH", "/v1/keys", {"GET", "POST"}),
])
def test_a_method_a_resource_does_not_have_is_405_with_allow(shared, method, path, allowed):
    answer = shared.request(method, path)
    assert answer.status == 405
    assert allowed <= {name.strip() for name in answer.headers["allow"].split(",")}
    assert method not in answer.headers["allow"]


def test_a_body_that_is_too_large_is_refused_before_it_is_read(shared):
    head = (f"POST /v1/charges HTTP/1.1\r\nHost: smsd\r\nAuthorization: Bearer {shared.admin_key}\r\n"
            "Content-Type: application/json\r\nContent-Length: 1000000000\r\n\r\n{")
    answer, = shared.exchange(head.encode(), 1)
    assert answer.status == 413 and answer.code == "body_too_large"


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "application/x-www-form-urlencoded",
                                  "application/jsonp"])
def test_another_content_type_is_415(shared, kind):
    topup(shared, "errors", 10)
    before = balance(shared, "errors")
    answer = shared.post("/v1/charges", GOOD, headers={"Content-Type": kind})
    assert answer.status == 415
    assert balance(shared, "errors") == before


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "Application/JSON"])
def test_json_is_json_however_it_is_spelt(shared, kind):
    topup(shared, "errors", 10)
    assert shared.post("/v1/charges", GOOD, headers={"Content-Type": kind}).status == 201


@pytest.mark.parametrize("path, kind, body", [
    ("/v1/charges", "application/json", '{"account":"errors","amount":1}'),
    ("/v1/signals", "application/x-ndjson", '{"mobile":"+8613800000000","city":"packed"}'),
])
def test_a_body_that_is_packed_is_415(shared, path, kind, body):
    # RFC 9110, 15.5.16: and is not taken for lines that are all wrong.
    headers = {"Content-Type": kind, "Content-Encoding": "gzip"}
    answer = shared.post(path, gzip.compress(body.encode()), headers=headers)
    assert (answer.status, answer.code) == (415, "unsupported_media_type")
    assert answer.headers["accept-encoding"] == "identity"
    topup(shared, "errors", 10)
    assert shared.post(path, body, headers={**headers, "Content-Encoding": "identity"}).status < 300


@pytest.mark.parametrize("method, path, body", [
    ("POST", "/v1/charges", GOOD), ("GET", "/v1/accounts/errors", None), ("GET", "/v1/accounts", None),
    ("POST", "/v1/charges/batch", [GOOD]), ("POST", "/v1/signals", '{"mobile":"+8613800000000","city":"x"}'),
    ("POST", "/v1/keys", {"name": "x", "scopes": ["billing"]}), ("PATCH", "/v1/accounts/errors", {"credit_limit": 5}),
])
def test_a_parameter_nobody_knows_is_refused_and_nothing_done(shared, method, path, body):
    topup(shared, "errors", 10)
    before = shared.get("/v1/accounts/errors").body
    answer = shared.request(method, f"{path}?atomic%2F=true&x", body, idempotency="errors-query")
    assert (answer.status, answer.code) == (422, "unknown_field")
    assert answer.pointers == ["/atomic~1", "/x"]
    assert shared.get("/v1/accounts/errors").body == before
    assert shared.get("/healthz?from=a.balancer").status == 200


def test_a_request_id_is_echoed_or_made(shared):
    answer = shared.get("/healthz", headers={"X-Request-Id": "req-17"})
    assert answer.headers["x-request-id"] == "req-17"
    refused = shared.get("/v1/nothing", headers={"X-Request-Id": "req-18"})
    assert refused.headers["x-request-id"] == "req-18"
    made = {shared.get("/healthz").headers["x-request-id"] for _ in range(20)}
    assert len(made) == 20


HOSTILE = [
    b"GET /healthz HTTP/1.1\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"GET /healthz HTTP/2.0\r\nHost: a\r\n\r\n",
    b"GET /healthz\r\n\r\n",
    b"GET /healthz HTTP/1.1\nHost: a\n\n",
    b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nHost : a\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
    b"POST /v1/charges HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    b"POST /v1/charges HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /v1/charges HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n{}",
    b"POST /v1/charges HTTP/1.1\r\nHost: a\r\nContent-Length: +2\r\n\r\n{}",
    b"POST /v1/charges HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n{}",
    b"POST /v1/charges HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 64,
]


@pytest.mark.parametrize("sent", HOSTILE, ids=[f"bytes-{number}" for number in range(len(HOSTILE))])
def test_what_is_no_http_is_refused_and_the_connection_closed(shared, sent):
    """OPS-7: a hostile client is refused, and others go on."""
    answers = shared.exchange(sent + b"GET /healthz HTTP/1.1\r\nHost: smuggled\r\n\r\n")
    assert [answer.status for answer in answers] == [400], answers
    assert answers[0].headers.get("connection", "").lower() == "close"
    assert shared.get("/healthz").status == 200


def test_headers_that_are_too_large_are_refused(shared):
    answer, = shared.exchange(b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: " + b"a" * (1 << 20) + b"\r\n\r\n", 1)
    assert answer.status == 431
