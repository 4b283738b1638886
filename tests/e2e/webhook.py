"""Making webhooks, and waiting for what becomes of them."""

import datetime
import time

DAY = 86400
WAIT_SECONDS_MAX = 30


def send_to(smsd, url):
    """Has webhooks from now on go there."""
    answer = smsd.request("PUT", "/v1/settings/webhook_url", {"value": url})
    assert answer.status in (200, 201), answer


def cross(smsd, account="A", count=1):
    """Makes `count` webhooks: so many times the balance goes below the threshold."""
    smsd.post("/v1/accounts", {"id": account, "low_balance": 50})
    requests = [("POST", f"/v1/accounts/{account}/{what}", {"amount": 100}) for what in ("topups", "payouts")]
    answers = smsd.pipeline(requests * count)
    assert all(answer.status == 201 for answer in answers)


def webhooks(smsd, query=""):
    answer = smsd.get(f"/v1/webhooks?limit=500{query}")
    assert answer.status == 200, answer
    return answer.body["data"]


def until(what, described):
    """Waits until `what()` is true; what it was."""
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while True:
        found = what()
        if found:
            return found
        assert time.monotonic() < deadline, f"never: {described}"
        time.sleep(0.01)


def settled(smsd, status, count=1):
    """Waits until so many have that status; these."""
    def look():
        found = webhooks(smsd, f"&status={status}")
        return found if len(found) >= count else None
    return until(look, f"{count} {status}: {webhooks(smsd)}")


def one(smsd, webhook):
    return smsd.get(f"/v1/webhooks/{webhook['id']}").body


def endpoint(smsd):
    found, = smsd.get("/v1/webhooks/endpoints").body["data"]
    return found


def attempted(smsd, webhook, count):
    """Waits until the webhook has been attempted so often and what came of it is known."""
    def look():
        found = one(smsd, webhook)
        return found if found["attempts"] >= count else None
    return until(look, f"{count} attempts: {one(smsd, webhook)}")


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def new_secret(smsd):
    answer = smsd.post("/v1/webhooks/secret")
    assert answer.status == 201, answer
    return answer.body["secret"]
