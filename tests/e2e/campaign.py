"""Campaigns by the line: making, filling, changing and waiting for them."""

import json
import uuid

from contract import pages
from platform_setup import COMPANY, read, wait_for_status

LINES = {"Content-Type": "application/x-ndjson"}
PRICE = 5  # of a part, as platform_setup has it


def new_key():
    """An Idempotency-Key."""
    return str(uuid.uuid4())


def create(smsd, **fields):
    body = {"company": COMPANY, "content": "Buy!", "kind": "marketing", **fields}
    answer = smsd.post("/v1/campaigns", body)
    assert answer.status == 201, answer
    assert answer.body["status"] == "draft"
    return answer.body["id"]


def numbers(count, start=0):
    """Recipients whom the sandbox delivers to."""
    return [f"+49151{start + n:05}123" for n in range(count)]


def as_lines(recipients):
    return "".join(json.dumps(one if isinstance(one, dict) else {"to": one}) + "\n" for one in recipients)


def upload(smsd, campaign, recipients, **how):
    answer = smsd.post(f"/v1/campaigns/{campaign}/recipients", as_lines(recipients), headers=LINES, **how)
    assert answer.status == 200, answer
    return answer.body


def change(smsd, campaign, what, **how):
    answer = smsd.post(f"/v1/campaigns/{campaign}/{what}", **how)
    assert answer.status == 200, answer
    return answer.body


def confirmed(smsd, recipients, **fields):
    """One that runs."""
    campaign = create(smsd, **fields)
    upload(smsd, campaign, recipients)
    change(smsd, campaign, "confirm")
    return campaign


def get(smsd, campaign):
    return read(smsd, f"/v1/campaigns/{campaign}")


def wait_for(smsd, campaign, *statuses, until=lambda body: True):
    """Waits until it has one of the statuses; the campaign."""
    return wait_for_status(smsd, f"/v1/campaigns/{campaign}", statuses, until)


def recipients_of(smsd, campaign):
    return pages(smsd, f"/v1/campaigns/{campaign}/recipients", 500)


def money(smsd, account="money"):
    return smsd.get(f"/v1/accounts/{account}").body


def check_money(smsd, body, before):
    """What the account has paid is what the campaign says, nothing is left set aside, and the books balance."""
    account = money(smsd)
    assert account["held"] == 0 and body["reserved"] == 0, (account, body)
    assert before - account["balance"] == body["charged"] - body["refunded"], (account, body)
    assert body["charged"] + body["released"] == body["amount"], body
    audit = smsd.get("/v1/audit").body
    assert audit["ok"] and audit["held"] == 0, audit
    assert sum(body["messages"].values()) == body["submitted"], body


def given(log):
    """The message ids that the sandbox was given, in order."""
    return [line.split()[0] for line in log.read_text().splitlines()] if log.exists() else []
