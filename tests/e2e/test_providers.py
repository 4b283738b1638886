"""The ready-made configurations of man/examples, each against a server that holds to what the provider's manual
says of requests, signatures and answers (SMS-15, SMS-12)."""

import base64
import hashlib
import hmac
import json
import re
import urllib.parse
from datetime import datetime, timezone

import pytest

from platform_setup import get, put, put_route, send, set_up, wait_for
from provider import Provider, call_back
from smsd import ROOT

TO = "+4915112340123"
TO_CN = "+8613812340123"


def example(name, provider, secrets, **variables):
    """The product as the example has it, but for the provider's address and who we are."""
    product = json.loads((ROOT / "man/examples" / f"{name}.json").read_text())
    gateway = product["gateway"]
    assert set(variables) <= set(gateway["variables"]) and set(secrets) == set(gateway["secrets"])
    gateway["variables"].update(variables, api=provider.url)
    gateway["secrets"] = secrets
    product["channel"] = "provider"
    return product


@pytest.fixture
def sending(smsd):
    set_up(smsd)
    return smsd


def quote(text):
    return urllib.parse.quote(text, safe="-_.~")


# --- Twilio -------------------------------------------------------------------------------------------------------

SID = "AC" + "0123456789abcdef" * 2
TOKEN = "a token of Twilio & ours"
TWILIO_URL = "https://sms.acme.example/v1/callbacks/twilio"


def twilio(request):
    """POST and GET of the Message resource, 2010-04-01."""
    if request.basic != f"{SID}:{TOKEN}":
        return 401, {"code": 20003, "message": "Authenticate", "status": 401}
    if request.method == "GET":
        sid = request.path.removesuffix(".json").rsplit("/", 1)[1]
        assert re.fullmatch("SM[0-9a-f]{32}", sid), sid
        return 200, {"sid": sid, "status": "delivered", "error_code": None}
    assert request.path == f"/2010-04-01/Accounts/{SID}/Messages.json"
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    form = request.form
    assert set(form) == {"To", "From", "Body", "StatusCallback"} and form["StatusCallback"] == TWILIO_URL
    if not re.fullmatch(r"\+[1-9][0-9]{6,14}", form["To"]) or form["To"].endswith("003"):
        return 400, {"code": 21211, "message": "Invalid 'To' Phone Number", "status": 400}
    if form["To"].endswith("005"):
        return 429, {"code": 20429, "message": "Too Many Requests", "status": 429}
    return 201, {"sid": "SM" + hashlib.md5(form["To"].encode()).hexdigest(), "status": "queued", "error_code": None,
                 "error_message": None, "num_segments": "1", "body": form["Body"]}


def twilio_signature(url, form, token=TOKEN):
    text = url + "".join(name + form[name] for name in sorted(form))
    return base64.b64encode(hmac.new(token.encode(), text.encode(), "sha1").digest()).decode()


def test_twilio(sending):
    with Provider(twilio) as provider:
        product = example("twilio", provider, {"auth_token": TOKEN}, account_sid=SID, callback_url=TWILIO_URL)
        put(sending, "/v1/products/twilio", product)
        put_route(sending, "twilio")
        message = send(sending, TO, content="1 & 1 = 2; ü%€\n\U0001f600")
        wait_for(sending, message, "sent")
        assert provider.requests[-1].form["Body"] == "1 & 1 = 2; ü%€\n\U0001f600"

        form = {"MessageSid": "SM" + hashlib.md5(TO.encode()).hexdigest(), "MessageStatus": "sent",
                "AccountSid": SID, "From": "+15005550006", "To": TO, "ApiVersion": "2010-04-01"}
        signed = {"X-Twilio-Signature": twilio_signature(TWILIO_URL, form)}
        assert call_back(sending, "twilio", form=form, headers=signed)[0] == 204
        assert get(sending, message)["status"] == "sent"
        form["MessageStatus"] = "delivered"
        assert call_back(sending, "twilio", form=form, headers=signed)[0] == 403, "signed for another form"
        wrong = {"X-Twilio-Signature": twilio_signature(TWILIO_URL, form, "another token")}
        assert call_back(sending, "twilio", form=form, headers=wrong)[0] == 403
        assert call_back(sending, "twilio", form=form)[0] == 403
        assert get(sending, message)["status"] == "sent"
        signed = {"x-twilio-signature": twilio_signature(TWILIO_URL + "?a=1", form)}
        assert call_back(sending, "twilio", form=form, query="a=1", headers=signed) == (204, "")
        assert get(sending, message)["status"] == "delivered"

        refused = wait_for(sending, send(sending, "+4915112340003"), "rejected")
        assert refused["events"][-1]["detail"] == "Invalid 'To' Phone Number"
        # SMS-12: no receipt comes, so after a while the provider is asked, also by the next smsd.
        silent = wait_for(sending, send(sending, "+4915112340007"), "sent")["id"]
        sending.advance(200)
        assert get(sending, silent)["status"] == "sent"
        sending.kill9()
        sending.start()
        sending.advance(200)
        assert get(sending, silent)["status"] == "delivered"
        throttled = send(sending, "+4915112340005")
        wait_for(sending, throttled, "queued", until=lambda body: body["error"] == "throttled")


# --- Vonage -------------------------------------------------------------------------------------------------------

VONAGE_SECRET = "my signature secret"


def vonage_signature(form):
    text = "".join(f"&{name}={re.sub('[&=]', '_', form[name])}" for name in sorted(form) if name != "sig")
    return hashlib.md5((text + VONAGE_SECRET).encode()).hexdigest()


def vonage(request):
    """POST /sms/json with a signature instead of api_secret."""
    assert request.path == "/sms/json"
    form = request.form
    assert form["api_key"] == "abcd1234" and "api_secret" not in form
    assert abs(int(form["timestamp"]) - datetime.now(timezone.utc).timestamp()) < 300
    if form["sig"] != vonage_signature(form):
        return 200, {"message-count": "1", "messages": [{"status": "14", "error-text": "Invalid Signature"}]}
    assert re.fullmatch("[1-9][0-9]{6,14}", form["to"])
    assert form["type"] == ("text" if form["text"].isascii() else "unicode")
    if form["to"].endswith("003"):
        return 200, {"message-count": "1", "messages": [{"status": "6", "error-text": "Unroutable message"}]}
    parts = 2 if len(form["text"]) > 160 else 1
    return 200, {"message-count": str(parts),
                 "messages": [{"to": form["to"], "message-id": f"0A000000{form['to'][-4:]}{n:X}", "status": "0",
                               "remaining-balance": "3.14159265", "message-price": "0.03330000"}
                              for n in range(parts)]}


def vonage_receipt(message_id, status="delivered", **fields):
    form = {"msisdn": TO[1:], "to": "Acme", "network-code": "26201", "messageId": message_id, "price": "0.0333",
            "status": status, "scts": "2611212300", "err-code": "0", "message-timestamp": "2026-11-21 23:00:00",
            "api-key": "abcd1234", "timestamp": "1795302000", "nonce": "6eb8a1f1-e1e2", **fields}
    return {**form, "sig": vonage_signature(form)}


def test_vonage(sending):
    with Provider(vonage) as provider:
        product = example("vonage", provider, {"signature_secret": VONAGE_SECRET}, api_key="abcd1234")
        put(sending, "/v1/products/vonage", product)
        put_route(sending, "vonage")
        one = send(sending, TO, content="a=b & c")
        wait_for(sending, one, "sent")
        assert provider.requests[-1].form["text"] == "a=b & c"
        assert provider.requests[-1].form["client-ref"] == one
        query = urllib.parse.urlencode(vonage_receipt("0A00000001230"))
        assert call_back(sending, "vonage", query=query) == (200, "")  # its default is GET
        assert get(sending, one)["status"] == "delivered"

        # SMS-12: two parts have one status, made of both.
        two = send(sending, "+4915112340124", content="x" * 200)
        assert wait_for(sending, two, "sent")["parts"] == 2
        assert call_back(sending, "vonage", form=vonage_receipt("0A00000001240"))[0] == 200
        assert get(sending, two)["status"] == "sent"
        forged = {**vonage_receipt("0A00000001241"), "status": "failed"}
        assert call_back(sending, "vonage", form=forged)[0] == 403
        assert call_back(sending, "vonage", form=vonage_receipt("0A00000001241"))[0] == 200
        assert get(sending, two)["status"] == "delivered"
        rejected = wait_for(sending, send(sending, "+4915112340003"), "rejected")
        assert rejected["events"][-1]["detail"] == "Unroutable message"


# --- Alibaba Cloud ------------------------------------------------------------------------------------------------

ALIYUN_SECRET = "testSecret"
CALLBACK_TOKEN = "a long random text"


class Aliyun:
    """SendSms of 2017-05-25 in the RPC style."""

    def __init__(self):
        self.nonces = set()

    def __call__(self, request):
        form = request.form
        canonical = "&".join(f"{quote(name)}={quote(form[name])}" for name in sorted(form) if name != "Signature")
        text = f"{request.method}&%2F&{quote(canonical)}"
        signature = hmac.new(f"{ALIYUN_SECRET}&".encode(), text.encode(), "sha1").digest()
        assert request.path == "/" and form["Action"] == "SendSms" and form["Version"] == "2017-05-25"
        if form["Signature"] != base64.b64encode(signature).decode():
            return 400, {"Code": "SignatureDoesNotMatch", "Message": "Specified signature is not matched"}
        if form["SignatureNonce"] in self.nonces:
            return 400, {"Code": "SignatureNonceUsed", "Message": "Specified signature nonce was used already."}
        self.nonces.add(form["SignatureNonce"])
        at = datetime.strptime(form["Timestamp"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
        assert abs((at - datetime.now(timezone.utc)).total_seconds()) < 900
        if form["TemplateCode"] != "SMS_71390007" or form["SignName"] != "阿里云":
            return 200, {"Code": "isv.SMS_TEMPLATE_ILLEGAL", "Message": "模版不合法"}
        assert json.loads(form["TemplateParam"]) == {"code": "12 34", "product": "Dy\"sms"}
        return 200, {"Code": "OK", "Message": "OK", "RequestId": "F655A8D5", "BizId": "9006197469364984400^0"}


def test_aliyun(sending):
    with Provider(Aliyun()) as provider:
        secrets = {"access_key_secret": ALIYUN_SECRET, "callback_token": CALLBACK_TOKEN}
        put(sending, "/v1/products/aliyun", example("aliyun", provider, secrets, access_key_id="testId"))
        put(sending, "/v1/channels/provider", {"name": "Aliyun", "signature_supported": False})
        put_route(sending, "aliyun", country="CN")
        put(sending, "/v1/templates/SMS_71390007", {"content": "您的{product}验证码为{code},请勿泄露", "kind": "notice"})
        put(sending, "/v1/templates/SMS_1", {"content": "{code}", "kind": "notice"})
        body = {"company": "acme", "to": TO_CN, "signature": "阿里云"}
        answer = sending.post("/v1/messages", {**body, "template": "SMS_71390007",
                                               "params": {"code": "12 34", "product": "Dy\"sms"}})
        message = answer.body["id"]
        wait_for(sending, message, "sent")
        assert provider.requests[-1].form["PhoneNumbers"] == TO_CN[1:]
        assert provider.requests[-1].form["OutId"] == message

        report = [{"phone_number": TO_CN[1:], "send_time": "2026-11-21 23:00:00", "report_time": "2026-11-21 23:00:02",
                   "success": True, "err_code": "DELIVERED", "err_msg": "用户接收成功", "sms_size": "1",
                   "biz_id": "9006197469364984400^0", "out_id": message},
                  {"success": False, "err_code": "MOBILE_NOT_ON_SERVICE", "biz_id": "of somebody else"}]
        assert call_back(sending, "aliyun", body=report, query="token=wrong")[0] == 403
        assert call_back(sending, "aliyun", body=report)[0] == 403
        token = urllib.parse.urlencode({"token": CALLBACK_TOKEN})
        assert call_back(sending, "aliyun", body=report, query=token) == (200, '{"code":0,"msg":"OK"}')
        assert get(sending, message)["status"] == "delivered"

        answer = sending.post("/v1/messages", {**body, "template": "SMS_1", "params": {"code": "1"}})
        refused = wait_for(sending, answer.body["id"], "rejected")
        assert refused["events"][-1]["detail"] == "isv.SMS_TEMPLATE_ILLEGAL"


@pytest.mark.parametrize("name", ["twilio", "vonage", "aliyun"])
def test_the_secrets_of_an_example_are_not_shown(sending, name):
    product = json.loads((ROOT / "man/examples" / f"{name}.json").read_text())
    product["channel"] = "provider"
    shown = put(sending, f"/v1/products/{name}", product)["gateway"]
    assert set(shown["secrets"].values()) == {"********"}
    for secret in product["gateway"]["secrets"].values():
        assert secret not in json.dumps(shown) and secret not in sending.said()
