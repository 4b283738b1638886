"""What an operator meets with campaigns (SMS-14, OPS-7): drafts that nobody confirms, a provider that is down, webhooks
that nobody takes, and what /metrics says meanwhile."""

import json

from campaign import create, get, numbers, upload
from platform_setup import sandbox, set_up
from smsd import Smsd


def test_a_draft_that_is_not_confirmed_is_forgotten(tmp_path, receiver):
    """SMS-14: after `campaigns_draft_days` without a change it is canceled, and says why; a kill changes nothing."""
    smsd = Smsd(tmp_path, options=["--campaigns-draft-days", "2", "--webhooks-allow-private"]).start()
    set_up(smsd)
    sandbox(smsd)
    before = smsd.get("/v1/accounts/money").body
    campaign = create(smsd, callback_url=receiver.url())
    upload(smsd, campaign, [*numbers(300), "none"])
    smsd.advance(86400)
    upload(smsd, campaign, numbers(1, start=300))
    smsd.kill9()
    smsd.start()
    smsd.advance(2 * 86400 - 3600)
    assert get(smsd, campaign)["status"] == "draft"
    smsd.advance(2 * 3600)
    body = get(smsd, campaign)
    assert (body["status"], body["reason"], body["recipients"]) == ("canceled", "campaign_expired", 301)
    for rows in ("recipients", "errors"):
        assert smsd.get(f"/v1/campaigns/{campaign}/{rows}").body["data"] == []
    answer = smsd.post(f"/v1/campaigns/{campaign}/confirm")
    assert (answer.status, answer.code) == (409, "campaign_expired")
    told = json.loads(receiver.wait()[0].body)["data"]
    assert (told["status"], told["reason"]) == ("canceled", "campaign_expired")
    assert smsd.get("/v1/accounts/money").body == before
    smsd.close()
