"""HTTP providers by configuration alone (SMS-15): how requests look, what answers mean, what is refused when the
product is put."""

import hashlib
import hmac
import json
import socket
import threading

import pytest

from platform_setup import get, metric, put_product, put_route, send, send_many, body_of, set_up, wait_for
from provider import Provider

TO = "+4915112340123"
TEXT = 'Grüße "<&>" 1+1=2 \U0001f600'


@pytest.fixture
def sending(smsd):
    set_up(smsd)
    return smsd


def put_far(smsd, send, **fields):
    put_product(smsd, "far", {"type": "http", "send": send, **fields})
    put_route(smsd, "far")


def test_the_forms_a_request_can_have(sending):
    """What a text holds never changes what stands around it."""
    variables = {"variables": {"who": "A&B"}, "secrets": {"password_of_ours": "p&=/ü"}}
    with Provider() as provider:
        put_far(sending, {"method": "GET", "url": provider.url + "/a/{who}?x=1",
                          "query": {"t": "{text}", "p": "{password_of_ours}"}}, **variables)
        wait_for(sending, send(sending, TO, content=TEXT), "sent")
        put_far(sending, {"url": provider.url, "form": {"text": "{text}", "to": "00{to|digits}"},
                          "auth": {"type": "bearer", "token": "{password_of_ours|base64}"}}, **variables)
        wait_for(sending, send(sending, TO, content=TEXT), "sent")
        put_far(sending, {"method": "PUT", "url": provider.url, "headers": {"X-Kind": "{kind}", "X-Text": "{text}"},
                          "json": {"a": [{"text": "{text}"}, 1, True, None], "n": "{parts|number}", "{": "{{}}"}})
        wait_for(sending, send(sending, TO, content="two\r\nlines"), "sent")
        put_far(sending, {"url": provider.url, "body": "<sms to='{to}'>{text}</sms><u>{text|ucs2_hex}</u>",
                          "content_type": "text/xml; charset=utf-8", "escape": "xml"})
        wait_for(sending, send(sending, TO, content=TEXT), "sent")
        one, two, three, four = provider.requests
    assert (one.method, one.path) == ("GET", "/a/A%26B")
    assert one.query == {"x": "1", "t": TEXT, "p": "p&=/ü"}
    assert two.form == {"text": TEXT, "to": "00" + TO[1:]}
    assert two.headers["authorization"] == "Bearer cCY9L8O8"
    assert three.method == "PUT" and three.json == {"a": [{"text": "two\r\nlines"}, 1, True, None], "n": 1, "{": "{}"}
    assert three.headers["x-kind"] == "notice" and three.headers["x-text"] == "two  lines"
    assert four.headers["content-type"] == "text/xml; charset=utf-8"
    text = four.body.decode()
    assert text.startswith("<sms to='+4915112340123'>Grüße &#34;&#60;&#38;&#62;&#34; 1+1=2 \U0001f600</sms><u>")
    assert bytes.fromhex(text.split("<u>")[1].removesuffix("</u>")).decode("utf-16-be") == TEXT


def test_a_signature_in_a_header(sending):
    with Provider() as provider:
        put_far(sending, {"url": provider.url + "/v1/sms", "json": {"text": "{text}"},
                          "headers": {"X-Time": "{timestamp}"},
                          "signature": {"hash": "hmac_sha256", "key": "{key_of_ours}",
                                        "over": "{method}\n{path}\n{timestamp}\n{body}", "header": "X-Signature",
                                        "value": "sha256={signed}"}}, secrets={"key_of_ours": "k3y"})
        wait_for(sending, send(sending, TO, content=TEXT), "sent")
        request = provider.requests[0]
    signed = f"POST\n/v1/sms\n{request.headers['x-time']}\n".encode() + request.body
    assert request.headers["x-signature"] == "sha256=" + hmac.new(b"k3y", signed, hashlib.sha256).hexdigest()


@pytest.mark.parametrize("status, body, kind, result", [
    (200, {"id": "1"}, "notice", ("sent", None)),
    (200, {"no": "id"}, "notice", ("failed", "unknown_outcome")),
    (200, "not JSON", "notice", ("failed", "unknown_outcome")),
    (400, {"error": "bad"}, "notice", ("rejected", "refused_by_provider")),
    (401, {}, "notice", ("queued", "unreachable")),
    (429, {}, "notice", ("queued", "throttled")),
    (500, {}, "notice", ("queued", "unreachable")),
    (503, {}, "notice", ("queued", "unreachable")),
    (504, {}, "notice", ("failed", "unknown_outcome")),
    (302, {}, "notice", ("queued", "unreachable")),
])
def test_what_an_answer_means_where_no_rule_says_so(sending, status, body, kind, result):
    with Provider(lambda request: (status, body)) as provider:
        put_far(sending, {"url": provider.url, "form": {"to": "{to}"}}, answer={"id": {"json": "/id"}})
        message = send(sending, TO, kind)
        body = wait_for(sending, message, result[0], until=lambda body: body["attempts"] == 1)
        assert (body["status"], body["error"]) == result


def test_rules_and_places_of_answers(sending):
    """The first rule that holds decides; ids stand in JSON, headers or text."""
    answers = []
    with Provider(lambda request: answers[-1]) as provider:
        put_far(sending, {"url": provider.url, "form": {"to": "{to}"}},
                answer={"rules": [{"when": {"status": "2xx", "after": "OK:"}, "result": "accepted"},
                                  {"when": {"status": "2xx", "after": "ERR:", "until": ".", "is": ["7", 8]},
                                   "result": "throttled"},
                                  {"when": {"after": "ERR:"}, "result": "refused"},
                                  {"when": {"status": [200, 500]}, "result": "unknown"}],
                        "id": {"after": "OK:", "until": ";"}, "error": {"after": "ERR:", "until": "."}},
                callback={"addresses": ["127.0.0.1"],
                          "receipts": {"id": {"header": "X-Id"}, "status": {"after": "status="},
                                       "statuses": {"1": "delivered"}}})
        answers.append((200, "OK:a-17; more"))
        message = send(sending, TO)
        wait_for(sending, message, "sent")
        answer = sending.request("POST", "/v1/callbacks/far", b"status=1 at=2", key=None, headers={"X-ID": "A-17"})
        assert answer.status == 200
        assert get(sending, message)["status"] == "delivered"
        for said, status, error, detail in [
                ((200, "ERR:7."), "queued", "throttled", "7"), ((200, "ERR:9."), "rejected", "refused_by_provider", "9"),
                ((500, "ERR:\x01\xff."), "rejected", "refused_by_provider", None),
                ((200, "hm"), "failed", "unknown_outcome", None)]:
            answers.append(said)
            body = wait_for(sending, send(sending, TO), status, until=lambda body: body["attempts"] == 1)
            assert body["error"] == error
            assert detail is None or body["events"][-1]["detail"] == detail


def test_a_connection_that_ends_without_an_answer_is_not_tried_twice(sending):
    """SMS-11: the provider may have it."""
    with Provider(lambda request: (0, None)) as provider:
        for method, extra in (("POST", {"form": {"to": "{to}"}}), ("GET", {"query": {"to": "{to}"}})):
            put_far(sending, {"method": method, "url": provider.url, **extra})
            for _ in range(3):
                body = wait_for(sending, send(sending, TO), "failed")
                assert body["error"] == "unknown_outcome" and body["attempts"] == 1
        assert len(provider.requests) == 6


def test_the_window_bounds_what_is_under_way(sending):
    """SMS-15, OPS-8."""
    gate, most, now, lock = threading.Event(), [0], [0], threading.Lock()

    def answer(_request):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        gate.wait(20)
        with lock:
            now[0] -= 1
        return 200, {"id": "1"}
    with Provider(answer) as provider:
        put_far(sending, {"url": provider.url, "form": {"to": "{to}"}}, window=6)
        messages = send_many(sending, [body_of(TO) for _ in range(40)])
        provider.wait(5)
        code = send(sending, TO, "verification")
        provider.wait(6)
        assert metric(sending, 'smsd_product_in_flight{product="far"}') == 6
        assert get(sending, code)["status"] == "sending", "a code finds room beside a campaign"
        gate.set()
        for message in messages:
            wait_for(sending, message, "sent")
        assert most[0] <= 6


def test_what_is_under_way_ends_by_the_configuration_it_began_with(sending):
    gate = threading.Event()

    def answer(_request):
        gate.wait(20)
        return 200, {"old": "1"}
    with Provider(answer) as old, Provider(lambda request: (200, {"new": "2"})) as new:
        put_far(sending, {"url": old.url, "form": {"to": "{to}"}}, answer={"id": {"json": "/old"}})
        first = send(sending, TO)
        old.wait(1)
        put_far(sending, {"url": new.url, "form": {"to": "{to}"}}, answer={"id": {"json": "/new"}})
        wait_for(sending, send(sending, TO), "sent")
        gate.set()
        wait_for(sending, first, "sent")
        assert len(new.requests) == 1


SEND = {"url": "http://far.example/", "form": {"to": "{to}"}}
CALLBACK = {"addresses": ["10.0.0.0/8"], "receipts": {"status": {"field": "s"}, "statuses": {"1": "delivered"}}}


@pytest.mark.parametrize("gateway, pointers", [
    ({"type": "pigeon"}, ["/gateway/type"]),
    ({"type": "http"}, ["/gateway/send"]),
    ({"type": "sandbox", "send": SEND}, ["/gateway"]),
    ({"type": "http", "send": SEND, "speed": 1}, ["/gateway/speed"]),
    ({"type": "http", "send": SEND, "window": 0}, ["/gateway/window"]),
    ({"type": "http", "send": SEND, "circuit": {"percent": 101}}, ["/gateway/circuit/percent"]),
    ({"type": "http", "send": {**SEND, "url": "ftp://x/"}}, ["/gateway/send/url"]),
    ({"type": "http", "send": {**SEND, "url": "{to}"}}, ["/gateway/send/url"]),
    ({"type": "http", "send": {**SEND, "method": "BREW"}}, ["/gateway/send/method"]),
    ({"type": "http", "send": {**SEND, "json": {}}}, ["/gateway/send"]),
    ({"type": "http", "send": {**SEND, "method": "GET"}}, ["/gateway/send"]),
    ({"type": "http", "send": {**SEND, "headers": {"X Y": "1", "Z": 1}}},
     ["/gateway/send/headers/X Y", "/gateway/send/headers/Z"]),
    ({"type": "http", "send": {**SEND, "form": {"a": "{nobody}", "b": "{to"}}},
     ["/gateway/send/form/a", "/gateway/send/form/b"]),
    ({"type": "http", "send": {"url": "http://x/", "json": {"a": [{"b": "{to|loud}"}]}}}, ["/gateway/send/json/a/0/b"]),
    ({"type": "http", "send": {"url": "http://x/", "json": {"a": {"$each": "{to}"}, "b": {"$each": "{to}"}}}},
     ["/gateway/send/json/b"]),
    ({"type": "http", "send": {"url": "http://x/", "body": "{text}"}}, ["/gateway/send"]),
    ({"type": "http", "send": {**SEND, "auth": {"type": "basic", "token": "x"}}}, ["/gateway/send/auth"]),
    ({"type": "http", "send": SEND, "variables": {"Bad Name": "x", "ok": 1}},
     ["/gateway/variables/Bad Name", "/gateway/variables/ok"]),
    ({"type": "http", "send": SEND, "answer": {"id": {"json": "no/pointer"}}}, ["/gateway/answer/id/json"]),
    ({"type": "http", "send": SEND, "answer": {"id": {"json": "/a", "field": "b"}}}, ["/gateway/answer/id"]),
    ({"type": "http", "send": SEND, "answer": {"rules": [{"when": {"status": 99}, "result": "accepted"}]}},
     ["/gateway/answer/rules/0/when/status"]),
    ({"type": "http", "send": SEND, "answer": {"rules": [{"when": {}, "result": "perhaps"}]}},
     ["/gateway/answer/rules/0/result", "/gateway/answer/rules/0/when"]),
    ({"type": "http", "send": SEND, "callback": {"receipts": CALLBACK["receipts"]}}, ["/gateway/callback"]),
    ({"type": "http", "send": SEND, "callback": {**CALLBACK, "addresses": ["10.0.0.0/33", "here"]}},
     ["/gateway/callback/addresses/0", "/gateway/callback/addresses/1"]),
    ({"type": "http", "send": SEND, "callback": {**CALLBACK, "answer": {"status": 500}}},
     ["/gateway/callback/answer/status"]),
    ({"type": "http", "send": SEND,
      "callback": {**CALLBACK, "receipts": {"status": {"field": "s"}, "statuses": {"1": "gone"}}}},
     ["/gateway/callback/receipts/statuses/1"]),
    ({"type": "http", "send": SEND, "query": {"request": {"method": "GET", "url": "http://x/"},
                                              "receipts": CALLBACK["receipts"]}}, ["/gateway/query/request"]),
])
def test_a_configuration_that_cannot_work_is_refused_with_its_places(shared, gateway, pointers):
    shared.request("PUT", "/v1/channels/provider", {"name": "Provider"})
    answer = shared.request("PUT", "/v1/products/x", {"channel": "provider", "gateway": gateway, "price": 1})
    assert answer.status == 422
    assert answer.pointers == sorted(pointers), answer


def test_a_provider_that_cannot_be_reached_is_no_loss(sending):
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/"
    put_far(sending, {"url": url, "form": {"to": "{to}"}}, circuit={"failures": 100})
    message = send(sending, TO)
    body = wait_for(sending, message, "queued", until=lambda body: body["attempts"] == 1)
    assert body["error"] == "unreachable" and body["events"][-1]["detail"] == "connect"
    assert json.dumps(body).count(url) == 0
