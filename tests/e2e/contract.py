"""The shapes the contract promises, as data, and what reads them."""

import re

ACCOUNT = {"id", "currency", "balance", "held", "pending", "available", "credit_limit", "low_balance",
           "status", "packets_blocked", "created_at", "updated_at"}
ENTRY = {"id", "account", "type", "amount", "balance", "count", "reference", "source", "created_at"}
CHARGE = {"id", "account", "amount", "reference", "status", "balance", "entry", "created_at"}
AUDIT = {"chain_head", "ok", "accounts", "sum", "world", "revenue", "packets", "held", "pending", "checked_at"}
LIST = {"data", "next"}

AMOUNT_MAX = 9007199254740991  # 2^53 - 1
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def is_time(text):
    return isinstance(text, str) and TIME.fullmatch(text) is not None


def pages(smsd, path, limit, **how):
    """Every row of a list, a page after the other."""
    rows, after = [], ""
    while True:
        answer = smsd.get(f"{path}{'&' if '?' in path else '?'}limit={limit}{after}", **how)
        assert answer.status == 200, answer
        assert set(answer.body) == LIST, answer
        assert len(answer.body["data"]) <= limit
        rows += answer.body["data"]
        if answer.body["next"] is None:
            return rows
        assert answer.body["data"], "an empty page has no next"
        after = f"&after={answer.body['next']}"


def topup(smsd, account, amount, **how):
    answer = smsd.post(f"/v1/accounts/{account}/topups", {"amount": amount}, **how)
    assert answer.status == 201, answer
    return answer.body


def charge(smsd, account, amount, **how):
    """The answer, whatever it is."""
    return smsd.post("/v1/charges", {"account": account, "amount": amount}, **how)


def balance(smsd, account):
    answer = smsd.get(f"/v1/accounts/{account}")
    assert answer.status == 200, answer
    return answer.body["balance"]


def new_key(smsd, *scopes, name="test"):
    """A new API key's id and secret."""
    answer = smsd.post("/v1/keys", {"name": name, "scopes": list(scopes)})
    assert answer.status == 201, answer
    return answer.body["id"], answer.body["secret"]
