"""What sending needs: a catalogue with one company that has money, countries, and products with routes."""

import datetime
import time

from smsd import ANSWER_SECONDS_MAX

WAIT_SECONDS_MAX = 60
COMPANY = "acme"
START_MONEY = 10**12

COUNTRIES = {
    "CN": {"name": "China", "calling_code": 86, "number_lengths": [11]},
    "DE": {"name": "Germany", "calling_code": 49},
}


def put(smsd, path, body):
    answer = smsd.request("PUT", path, body)
    assert answer.status in (200, 201), answer
    return answer.body


def set_up(smsd):
    """The catalogue without products."""
    assert smsd.post("/v1/accounts/money/topups", {"amount": START_MONEY}).status == 201
    for alpha2, country in COUNTRIES.items():
        put(smsd, f"/v1/countries/{alpha2}", country)
    put(smsd, "/v1/channels/provider", {"name": "Provider"})
    put(smsd, f"/v1/companies/{COMPANY}", {"name": "Acme", "account": "money"})


def to_midnight(smsd):
    """A little past the next one, so that a test of days does not begin at the end of one."""
    now = datetime.datetime.fromisoformat(smsd.advance(0).body["now"].replace("Z", "+00:00"))
    smsd.advance(86400 - (now.hour * 3600 + now.minute * 60 + now.second) + 60)


def put_product(smsd, name, gateway, **fields):
    body = {"channel": "provider", "gateway": gateway, "price": 5, **fields}
    return put(smsd, f"/v1/products/{name}", body)


def put_route(smsd, product, *, country="DE", kinds=("verification", "general"), sort=0, **fields):
    for kind in kinds:
        put(smsd, f"/v1/routes/{product}-{country}-{kind}",
            {"company": COMPANY, "country": country, "kind": kind, "product": product, "sort": sort, **fields})


def sandbox(smsd, name="sandbox", **fields):
    """A sandbox product with routes to everywhere."""
    gateway = fields.pop("gateway", {"type": "sandbox"})
    put_product(smsd, name, gateway, **fields)
    for country in COUNTRIES:
        put_route(smsd, name, country=country)


def body_of(to, kind="notice", content="Hello", **fields):
    return {"company": COMPANY, "to": to, "content": content, "kind": kind, **fields}


def send(smsd, to, kind="notice", content="Hello", **fields):
    """Submits a message; its id."""
    answer = smsd.post("/v1/messages", body_of(to, kind, content, **fields))
    assert answer.status == 202, answer
    return answer.body["id"]


def send_many(smsd, bodies):
    """Submits them in batches; their ids."""
    ids = []
    for first in range(0, len(bodies), 5000):
        answer = smsd.post("/v1/messages/batch", bodies[first:first + 5000])
        assert answer.status == 200 and answer.body["failed"] == 0, answer
        ids += [result["body"]["id"] for result in answer.body["results"]]
    return ids


def read(smsd, path):
    answer = smsd.get(path)
    assert answer.status == 200, answer
    return answer.body


def get(smsd, message):
    return read(smsd, f"/v1/messages/{message}")


def wait_for(smsd, message, *statuses, until=lambda body: True):
    """Waits until the message has one of the statuses; the message."""
    return wait_for_status(smsd, f"/v1/messages/{message}", statuses, until)


def wait_for_status(smsd, path, statuses, until):
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while True:
        body = read(smsd, path)
        if body["status"] in statuses and until(body):
            return body
        assert time.monotonic() < deadline, f"still {body}"
        time.sleep(0.01)


def metric(smsd, name):
    """The value of a metric, labels and all."""
    for line in smsd.get("/metrics").raw.decode().splitlines():
        if line.startswith(name + " "):
            return int(float(line.rsplit(" ", 1)[1]))
    return None


def wait_metric(smsd, name, value):
    deadline = time.monotonic() + ANSWER_SECONDS_MAX
    while metric(smsd, name) != value:
        assert time.monotonic() < deadline, f"{name} is {metric(smsd, name)}, not {value}"
        time.sleep(0.01)
