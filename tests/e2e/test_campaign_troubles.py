"""What an operator meets with campaigns (SMS-14, OPS-7): drafts that nobody confirms, a provider that is down, webhooks
that nobody takes, and what /metrics says meanwhile."""

import json

from campaign import change, confirmed, create, get, numbers, upload, wait_for
from platform_setup import metric, put_product, put_route, sandbox, set_up, wait_metric
from provider import Provider
from smsd import Smsd
from test_sending import http


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


def gauges(smsd):
    """What /metrics says of campaigns that have not ended, and of their recipients."""
    counts = {status: metric(smsd, f'smsd_campaigns{{status="{status}"}}')
              for status in ("draft", "scheduled", "running", "paused", "canceling")}
    counts = {status: count for status, count in counts.items() if count}
    return counts, metric(smsd, "smsd_campaign_recipients_waiting")


def test_metrics_tell_how_campaigns_do(tmp_path):
    """OPS-4: by status, and how many recipients wait; also after a kill, and of each end."""
    smsd = Smsd(tmp_path).start()
    set_up(smsd)
    sandbox(smsd, rate_per_second=1)
    create(smsd)
    drafts = [create(smsd) for _ in range(3)]
    for draft in drafts:
        upload(smsd, draft, numbers(5))
    assert gauges(smsd) == ({"draft": 4}, 0)
    running = confirmed(smsd, numbers(1000))
    left = get(smsd, running)["left"]
    assert 0 < left < 1000
    assert gauges(smsd) == ({"draft": 4, "running": 1}, left)
    assert metric(smsd, "smsd_campaign_recipients_submitted_total") == 1000 - left
    change(smsd, running, "pause")
    smsd.kill9()
    smsd.start()
    assert gauges(smsd) == ({"draft": 4, "paused": 1}, left)
    change(smsd, drafts[0], "cancel")
    change(smsd, running, "cancel")
    wait_for(smsd, running, "canceled")
    assert gauges(smsd) == ({"draft": 3}, 0)
    assert metric(smsd, 'smsd_campaigns_ended_total{status="canceled"}') == 2
    smsd.request("PATCH", "/v1/routes/sandbox-DE-general", {"status": "disabled"})
    change(smsd, drafts[1], "confirm")
    wait_for(smsd, drafts[1], "paused")
    assert gauges(smsd) == ({"draft": 2, "paused": 1}, 5) and metric(smsd, "smsd_campaigns_stuck_total") == 1
    smsd.advance(31 * 86400)
    assert gauges(smsd) == ({"paused": 1}, 5)
    assert metric(smsd, 'smsd_campaigns_ended_total{status="expired"}') == 2
    smsd.restart()
    assert gauges(smsd) == ({"paused": 1}, 5)
    smsd.close()


def test_a_provider_that_is_down_while_a_campaign_runs(smsd):
    """SMS-14, SMS-15, OPS-7: the circuit opens and few messages wait, however many recipients there are; it is told
    once; when the provider is back the campaign goes on, and each recipient has one message."""
    set_up(smsd)
    provider = Provider()
    port = provider.port
    gateway = http(provider, circuit={"failures": 3, "open_ms": 20000}, window=1)
    provider.close()
    put_product(smsd, "far", gateway, on_unknown="resend")
    put_route(smsd, "far")
    campaign = confirmed(smsd, numbers(500))
    wait_metric(smsd, 'smsd_product_circuit{product="far"}', 2)
    smsd.advance(10)
    body = get(smsd, campaign)
    assert body["status"] == "running"
    assert body["submitted"] <= 64 and body["left"] == 500 - body["submitted"]
    assert metric(smsd, "smsd_campaign_recipients_waiting") == body["left"]
    assert metric(smsd, 'smsd_product_answers_total{product="far",answer="retry"}') == 3
    assert [event["state"] for event in smsd.events("circuit_changed")] == ["open"]
    assert len([event for event in smsd.events() if event["level"] in ("warning", "error")]) <= 2, smsd.said()
    with Provider(port=port) as back:
        for _ in range(12):
            smsd.advance(20)
        wait_for(smsd, campaign, "finished")
        wait_for(smsd, campaign, "finished", until=lambda body: body["messages"]["sent"] == 500)
        assert sorted(request.json["to"] for request in back.requests) == sorted(numbers(500))


def test_webhooks_that_nobody_takes_while_a_campaign_finishes(tmp_path, receiver):
    """SMS-14, SMS-20, OPS-7: sending is not held up, a receiver that is down is asked seldom, and gets all of them once
    it is back."""
    smsd = Smsd(tmp_path, options=["--webhooks-allow-private"]).start()
    set_up(smsd)
    sandbox(smsd)
    receiver.answers["/down"] = 503
    campaign = confirmed(smsd, numbers(300), message_callback_url=receiver.url("/down"))
    wait_for(smsd, campaign, "finished", until=lambda body: body["messages"]["delivered"] == 300)
    smsd.advance(60)
    assert len(receiver.at("/down")) < 100
    assert [event for event in smsd.events() if event["level"] in ("warning", "error") and
            event["event"] != "test_clock"] == []
    receiver.answers["/down"] = 200
    smsd.advance(12 * 3600)  # longer than any of their delays
    wait_metric(smsd, "smsd_webhooks_delivered_total", 600)
    taken = {json.loads(hook.body)["data"]["id"] for hook in receiver.at("/down")}
    assert len(taken) == 300
    smsd.close()
