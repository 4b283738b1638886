"""A real peer: smsd sends through Kannel to a network that Kannel's own fakesmsc plays, and gets the receipts
(SMS-15, SMS-12)."""

import json

import pytest

from kannel import UNPACKED, Kannel
from platform_setup import get, put, put_route, send, set_up, wait_for
from provider import call_back
from smsd import ROOT
from webhook import until

if not (UNPACKED / "sbin/bearerbox").exists():
    pytest.fail("Kannel is not there: run tests/install", pytrace=False)


@pytest.fixture
def kannel(tmp_path):
    peer = Kannel(tmp_path / "kannel")
    yield peer
    peer.close()


def product(smsd, kannel, password="secret-of-smsd"):
    found = json.loads((ROOT / "man/examples/kannel.json").read_text())
    found["gateway"]["variables"].update(
        api=kannel.url, callback_url=f"http://127.0.0.1:{smsd.port}/v1/callbacks/kannel")
    found["gateway"]["secrets"] = {"user_password": password, "callback_token": "a token & more"}
    return {**found, "channel": "provider"}


def test_messages_go_through_kannel_and_their_receipts_come_back(smsd, kannel):
    """SMS-15: a provider by configuration alone, from submit to receipt."""
    set_up(smsd)
    put(smsd, "/v1/products/kannel", product(smsd, kannel))
    put_route(smsd, "kannel")
    texts = {f"+4915112340{n}": text for n, text in
             enumerate(["Hello", "Grüße & 100 % = {1+1}", "您好 \U0001f600", "x" * 60], start=101)}
    messages = {to: send(smsd, to, content=text) for to, text in texts.items()}
    for message in messages.values():
        body = wait_for(smsd, message, "delivered")
        assert [event["status"] for event in body["events"]] == ["queued", "sending", "sent", "delivered"]
    assert sorted(kannel.received()) == sorted(("Acme", to, text) for to, text in texts.items())
    assert call_back(smsd, "kannel", query=f"token=wrong&id={message}&status=2")[0] == 403


def test_what_kannel_refuses_is_tried_again_when_its_password_is_right(smsd, kannel):
    """SMS-10: a wrong password is the operator's fault, not the message's."""
    set_up(smsd)
    put(smsd, "/v1/products/kannel", product(smsd, kannel, password="wrong-password"))
    put_route(smsd, "kannel")
    message = send(smsd, "+4915112340111")
    wait_for(smsd, message, "queued", until=lambda body: body["attempts"] == 1)
    put(smsd, "/v1/products/kannel", product(smsd, kannel))
    smsd.advance(5)
    wait_for(smsd, message, "delivered")
    assert get(smsd, message)["attempts"] == 2
    assert "wrong-password" not in smsd.said()


def test_what_people_say_comes_through_kannel(smsd, tmp_path):
    """SMS-18: as the manual says that Kannel is to be told."""
    set_up(smsd)
    peer = Kannel(tmp_path / "kannel", callback=(
        f"http://127.0.0.1:{smsd.port}/v1/callbacks/kannel?token=a+token+%%26+more&received=%I&from=%p&to=%P&text=%a"))
    try:
        put(smsd, "/v1/products/kannel", product(smsd, peer))
        peer.say("4915112340111", "33333", "Stop")
        one, = until(lambda: smsd.get("/v1/messages/received").body["data"], "the message")
        assert (one["from"], one["to"], one["content"], one["action"]) == ("+4915112340111", "33333", "Stop", "stop")
        assert one["provider_id"], "Kannel's own id"
        assert smsd.get("/v1/blocklist/+4915112340111").body["reason"] == "opted_out"
    finally:
        peer.close()
