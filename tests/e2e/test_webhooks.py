"""What a client is to be told of: the balance that went below its threshold (BILL-14). The stories are in
stories/low_balance.story."""

from contract import LIST, is_time, new_key, topup


def told(smsd):
    answer = smsd.get("/v1/webhooks")
    assert answer.status == 200 and set(answer.body) == LIST
    return answer.body["data"]


def test_it_says_whose_balance_went_below_what(smsd):
    """BILL-14: with the balance as it was at the crossing."""
    smsd.post("/v1/accounts", {"id": "A", "low_balance": 50})
    topup(smsd, "A", 100)
    smsd.post("/v1/charges", {"account": "A", "amount": 70})
    smsd.post("/v1/charges", {"account": "A", "amount": 20})
    one, = told(smsd)
    assert one["type"] == "account.low_balance" and is_time(one["created_at"])
    assert one["data"] == {"account": "A", "balance": 30, "low_balance": 50}


def test_a_batch_of_many_charges_crosses_once(smsd):
    """BILL-14: not one per charge."""
    smsd.post("/v1/accounts", {"id": "A", "low_balance": 500})
    topup(smsd, "A", 1000)
    answer = smsd.post("/v1/charges/batch", [{"account": "A", "amount": 1}] * 900)
    assert answer.body["succeeded"] == 900
    one, = told(smsd)
    assert one["data"]["balance"] == 499


def test_a_batch_that_was_not_done_crosses_nothing(smsd):
    smsd.post("/v1/accounts", {"id": "A", "low_balance": 50})
    topup(smsd, "A", 100)
    answer = smsd.post("/v1/charges/batch?atomic=true", [{"account": "A", "amount": 60}] * 2)
    assert answer.status == 409
    assert told(smsd) == []


def test_a_replay_crosses_nothing(smsd):
    smsd.post("/v1/accounts", {"id": "A", "low_balance": 50})
    topup(smsd, "A", 100)
    for _ in range(3):
        assert smsd.post("/v1/charges", {"account": "A", "amount": 60}, idempotency="K").status == 201
    assert len(told(smsd)) == 1


def test_as_many_as_there_were_crossings(smsd):
    smsd.post("/v1/accounts", {"id": "A", "low_balance": 50})
    for _ in range(60):
        topup(smsd, "A", 100)
        smsd.post("/v1/accounts/A/payouts", {"amount": 100})
    assert smsd.get("/v1/accounts/A").body["balance"] == 0
    found, after = [], ""
    while after is not None:
        body = smsd.get(f"/v1/webhooks?limit=7{after}").body
        found += body["data"]
        after = f"&after={body['next']}" if body["next"] else None
    assert len(found) == 60 and len({one["id"] for one in found}) == 60


def test_it_is_an_operators_affair(smsd):
    _, secret = new_key(smsd, "billing")
    assert smsd.get("/v1/webhooks", key=secret).status == 403
