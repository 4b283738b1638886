"""The catalogue (SMS-1): companies, countries, channels, products, templates, routes, scenes, settings; and the
quotas of products (SMS-3)."""

import json

import pytest

from contract import LIST, is_time, new_key, pages, topup
from smsd import ROOT

STAMPS = {"status", "changed_by", "created_at", "updated_at"}

# Each kind: a thing with every field, as it is shown; then what a thing with only the required fields shows.
FULL = {
    "countries/CN": {"name": "China", "calling_code": 86, "region": "Asia", "number_lengths": [11],
                     "number_prefixes": ["13", "15"], "signature_required": True,
                     "timezones": ["Asia/Shanghai", "99=Asia/Urumqi"], "quiet_hours": "22:00-07:30"},
    "companies/acme": {"name": "Acme Ltd", "account": "purse", "signature": "艾克米", "countries": ["CN"]},
    "channels/wind": {"name": "Wind", "sort": 3, "signature_supported": False, "timezone": "Asia/Shanghai"},
    "products/wind.cn": {"channel": "wind", "name": "Wind in China", "countries": ["CN"],
                         "gateway": {"type": "http", "send": {"url": "https://wind.example/send",
                                                              "json": {"to": "{to}", "a": [1, True, None]}}},
                         "price": 45, "rate_per_second": 100, "batch": {"max": 50, "wait_ms": 200},
                         "low_warn": 1000, "low_switch": 100, "on_unknown": "resend", "part_length": 67},
    "scenes/login": {"name": "Signing in"},
    "templates/code": {"title": "Code", "content": "您的验证码 {code}", "translation": "Your code {code}",
                       "scene": "login", "kind": "verification", "companies": ["acme"]},
    "routes/acme.cn": {"company": "acme", "country": "CN", "kind": "verification", "product": "wind.cn",
                       "weight": 70, "sort": 2, "failover_on_undelivered": True},
    "settings/webhook_url": {"value": "https://acme.example/hooks"},
}
LEAST = {
    "countries/SG": ({"name": "Singapore", "calling_code": 65},
                     {"region": None, "number_lengths": None, "number_prefixes": None, "signature_required": False,
                      "timezones": None, "quiet_hours": None}),
    "companies/small": ({"name": "Small", "account": "purse"}, {"signature": None, "countries": None}),
    "channels/rain": ({"name": "Rain"}, {"sort": 0, "signature_supported": True, "timezone": None}),
    "products/rain": ({"channel": "rain", "gateway": {"type": "sandbox"}, "price": 0},
                      {"name": None, "countries": None, "rate_per_second": None, "batch": {"max": 1, "wait_ms": 0},
                       "low_warn": 0, "low_switch": 0, "on_unknown": "query", "part_length": None}),
    "scenes/sale": ({"name": "Sale"}, {}),
    "templates/news": ({"content": "News", "kind": "marketing"},
                       {"title": None, "translation": None, "scene": None, "companies": None}),
    "routes/small.sg": ({"company": "small", "country": "SG", "kind": "general", "product": "rain"},
                        {"weight": 1, "sort": 0, "failover_on_undelivered": False}),
}
KINDS = [path.split("/")[0] for path in FULL]


def fill(smsd):
    topup(smsd, "purse", 1000)
    for path, fields in FULL.items():
        assert smsd.put(f"/v1/{path}", fields).status == 201, path


@pytest.fixture(scope="module")
def filled(shared):
    """Everything of FULL is there; tests add what they change themselves."""
    fill(shared)
    return shared


def fields_of(body):
    return {name: value for name, value in body.items() if name not in STAMPS | {"id", "quota"}}


def put(smsd, path, fields, status=None):
    answer = smsd.put(f"/v1/{path}", fields)
    assert answer.status == status or status is None and answer.status in (200, 201), answer
    return answer.body


def new_product(smsd, name, **fields):
    return put(smsd, f"products/{name}", {"channel": "wind", "gateway": {"type": "sandbox"}, "price": 1, **fields})


def company_key(smsd, company):
    answer = smsd.post("/v1/keys", {"name": company, "scopes": ["catalog"], "company": company})
    return answer.body["secret"]


# --- each kind -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("path", FULL)
def test_a_thing_shows_every_field_it_was_given(filled, path):
    """SMS-1: with status, who and when."""
    answer = filled.get(f"/v1/{path}")
    assert answer.status == 200
    assert answer.body["id"] == path.split("/")[1]
    assert fields_of(answer.body) == FULL[path]
    assert answer.body["status"] == "enabled" and answer.body["changed_by"].startswith("key_")
    assert is_time(answer.body["created_at"]) and is_time(answer.body["updated_at"])


@pytest.mark.parametrize("path", LEAST)
def test_fields_that_were_not_given_are_shown_as_what_they_then_are(filled, path):
    for least in ("countries/SG", "companies/small", "channels/rain", "products/rain"):
        put(filled, least, LEAST[least][0])
    given, others = LEAST[path]
    body = put(filled, path, given)
    assert fields_of(body) == {**given, **others}
    nulls = {name: None for name, value in others.items() if value is None}
    assert fields_of(put(filled, path, {**given, **nulls}, 200)) == {**given, **others}, "null is not given"


@pytest.mark.parametrize("path", FULL)
def test_a_put_is_201_when_new_and_200_after(filled, path):
    kind, name = path.split("/")
    answer = filled.put(f"/v1/{path}", FULL[path])
    assert answer.status == 200 and answer.body["id"] == name
    if kind not in ("settings", "countries"):
        assert filled.put(f"/v1/{kind}/new.{name}", FULL[path]).status == 201
        assert filled.put(f"/v1/{kind}/new.{name}", FULL[path]).status == 200


@pytest.mark.parametrize("path, least", zip(FULL, LEAST))
def test_a_put_is_the_whole_thing(filled, path, least):
    """What is left out is gone."""
    given, others = LEAST[least]
    least = {name: FULL[path][name] for name in given}
    assert fields_of(put(filled, path, least, 200)) == {**least, **others}
    assert fields_of(put(filled, path, FULL[path], 200)) == FULL[path]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_there_is_said_by_its_kind(filled, kind):
    singular = kind.removesuffix("s") if kind not in ("companies", "countries") else kind.removesuffix("ies") + "y"
    for answer in (filled.get(f"/v1/{kind}/nobody"), filled.patch(f"/v1/{kind}/nobody", {"status": "disabled"}),
                   filled.get(f"/v1/{kind}/nobody/changes"), filled.get(f"/v1/{kind}/{'x' * 200}")):
        assert answer.status == 404 and answer.code == f"{singular}_not_found"


def test_what_is_not_there_has_no_quota(filled):
    assert filled.get("/v1/products/nobody/quota").code == "product_not_found"
    answer = filled.post("/v1/products/nobody/quota", {"delta": 1, "reason": "x"})
    assert answer.status == 404 and answer.code == "product_not_found"


def test_the_rows_of_countries_that_come_along_are_taken(smsd):
    lines = (ROOT / "man/examples/countries.ndjson").read_text().splitlines()
    assert len(lines) > 50
    for line in lines:
        fields = json.loads(line)
        name = fields.pop("alpha2")
        shown = put(smsd, f"countries/{name}", fields, 201)
        assert {field: shown[field] for field in fields} == fields


# --- what is wrong ---------------------------------------------------------------------------------------------------

WRONG = [
    ("companies/x", {}, ["/account", "/name"]),
    ("companies/x", {"name": "", "account": "@world", "signature": " x", "countries": []},
     ["/account", "/countries", "/name", "/signature"]),
    ("companies/x", {"name": "x", "account": "nobody"}, ["/account"]),
    ("companies/x", {"name": "x", "account": "purse", "countries": ["CN", "cn", "XX"]},
     ["/countries/1"]),
    ("companies/x", {"name": "x", "account": "purse", "countries": ["CN", "XX"]}, ["/countries/1"]),
    ("companies/x", {"name": "x" * 129, "account": None, "signature": 5, "countries": "CN"},
     ["/account", "/countries", "/name", "/signature"]),
    ("companies/x", {"name": "x", "account": "purse", "countries": [5, None, "CN", "", ["CN"]]},
     ["/countries/0", "/countries/1", "/countries/3", "/countries/4"]),
    ("companies/x", {"name": "x", "account": "purse", "countries": ["CN"] * 301}, ["/countries"]),
    ("companies/@x", {"name": "x", "account": "purse"}, ["/id"]),
    ("companies/" + "x" * 65, {"name": "x", "account": "purse"}, ["/id"]),
    ("countries/cn", {"name": "China", "calling_code": 86}, ["/id"]),
    ("countries/CHN", {}, ["/calling_code", "/id", "/name"]),
    ("countries/DE", {"name": "Germany", "calling_code": 0, "number_lengths": [], "number_prefixes": ["1a", ""],
                      "signature_required": "no"},
     ["/calling_code", "/number_lengths", "/number_prefixes/0", "/number_prefixes/1", "/signature_required"]),
    ("countries/DE", {"name": "Germany", "calling_code": "49", "number_lengths": [10, 16, 0, "11", 1.5],
                      "number_prefixes": ["15", "x"], "region": ""},
     ["/calling_code", "/number_lengths/1", "/number_lengths/2", "/number_lengths/3", "/number_lengths/4",
      "/number_prefixes/1", "/region"]),
    ("countries/DE", {"name": "Germany", "calling_code": 49, "number_lengths": 10}, ["/number_lengths"]),
    ("channels/x", {"sort": -1, "signature_supported": 1, "timezone": "Asia Shanghai"},
     ["/name", "/signature_supported", "/sort", "/timezone"]),
    ("products/x", {}, ["/channel", "/gateway", "/price"]),
    ("products/x", {"channel": "wind", "gateway": {}, "price": 1}, ["/gateway/type"]),
    ("products/x", {"channel": "wind", "gateway": {"type": "pigeon"}, "price": -1}, ["/gateway/type", "/price"]),
    ("products/x", {"channel": "wind", "gateway": [], "price": 1}, ["/gateway"]),
    ("products/x", {"channel": "wind", "gateway": {"type": "http", "send": {"url": "http://x/",
                                                                            "json": {"n": [1.5, 10 ** 30]}}},
                    "price": 1}, ["/gateway/send/json/n/0", "/gateway/send/json/n/1"]),
    ("products/x", {"channel": "wind", "gateway": {"type": "http", "send": {"url": "http://x/" + "x" * 3500}},
                    "price": 1}, ["/gateway"]),
    ("products/x", {"channel": "nobody", "gateway": {"type": "sandbox"}, "price": 1, "countries": ["XX", "CN"],
                    "rate_per_second": 0, "batch": {"max": 0, "wait_ms": 70000}, "low_warn": -1, "low_switch": 1.5,
                    "on_unknown": "hope", "part_length": 0},
     ["/batch/max", "/batch/wait_ms", "/channel", "/countries/0", "/low_switch", "/low_warn", "/on_unknown",
      "/part_length", "/rate_per_second"]),
    ("products/x", {"channel": "wind", "gateway": {"type": "sandbox"}, "price": 1, "batch": 5}, ["/batch"]),
    ("templates/x", {"title": "", "translation": 5, "scene": "nothing", "kind": "spam", "companies": ["nobody"]},
     ["/companies/0", "/content", "/kind", "/scene", "/title", "/translation"]),
    ("templates/x", {"content": "x" * 3001, "kind": "notice"}, ["/content"]),
    ("templates/x", {"content": "Your code {code", "kind": "notice"}, ["/content"]),
    ("companies/x", {"name": "x", "account": "purse", "signature": "【x】"}, ["/signature"]),
    ("routes/x", {}, ["/company", "/country", "/kind", "/product"]),
    ("routes/x", {"company": "nobody", "country": "XX", "kind": "notice", "product": "nothing", "weight": 0,
                  "sort": -1, "failover_on_undelivered": None},
     ["/company", "/country", "/kind", "/product", "/sort", "/weight"]),
    ("routes/x", {"company": "acme", "country": "CN", "kind": "general", "product": "wind.cn", "weight": 1000001},
     ["/weight"]),
    ("scenes/x", {"name": None}, ["/name"]),
    ("settings/webhook_url", {}, ["/value"]),
    ("settings/webhook_url", {"value": "ftp://acme.example"}, ["/value"]),
    ("settings/webhook_url", {"value": "https://acme.example/a b"}, ["/value"]),
]


@pytest.mark.parametrize("path, body, pointers", WRONG)
def test_all_that_is_wrong_is_said_at_once(filled, path, body, pointers):
    before = filled.get(f"/v1/{path}")
    answer = filled.put(f"/v1/{path}", body)
    assert answer.status == 422 and answer.code == "invalid", answer
    assert answer.pointers == pointers
    assert filled.get(f"/v1/{path}").raw == before.raw or before.status == 404


@pytest.mark.parametrize("path", FULL)
def test_an_unknown_field_is_refused_by_name(filled, path):
    answer = filled.put(f"/v1/{path}", {**FULL[path], "colour": "red"})
    assert answer.status == 422 and answer.code == "unknown_field" and answer.pointers == ["/colour"]
    answer = filled.put(f"/v1/{path}", {**FULL[path], "status": "disabled"})
    assert answer.code == "unknown_field", "the status is PATCH's"


def test_an_unknown_field_within_is_refused_by_name(filled):
    answer = filled.put("/v1/products/wind.cn", {**FULL["products/wind.cn"], "batch": {"most": 5}})
    assert answer.code == "unknown_field" and answer.pointers == ["/batch/most"]


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_body_nothing_is_put(filled, kind):
    name = {"countries": "CN", "settings": "webhook_url"}.get(kind, "x")
    assert filled.put(f"/v1/{kind}/{name}").status == 400
    assert filled.put(f"/v1/{kind}/{name}", []).status == 422


def test_a_setting_that_nobody_knows_is_not_found(filled):
    answer = filled.put("/v1/settings/webhook_uri", {"value": "https://acme.example"})
    assert answer.status == 404 and answer.code == "setting_not_found"


def test_what_is_too_large_in_all_is_refused(filled):
    for number in range(50):
        put(filled, f"companies/{'c' * 60}{number}", FULL["companies/acme"])
    answer = filled.put("/v1/templates/x", {
        "content": "x" * 3000, "translation": "y" * 1400, "kind": "notice",
        "companies": [f"{'c' * 60}{number}" for number in range(50)]})
    assert answer.status == 422 and answer.pointers == [""]


def test_a_route_may_not_lead_to_what_is_void(filled):
    new_product(filled, "gone")
    filled.patch("/v1/products/gone", {"status": "void"})
    answer = filled.put("/v1/routes/x", {**FULL["routes/acme.cn"], "product": "gone"})
    assert answer.status == 422 and answer.pointers == ["/product"]


# --- status ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", KINDS)
def test_a_status_is_patched(smsd, kind):
    """SMS-1: enabled, disabled or void; void is for good."""
    fill(smsd)
    path, = [f"/v1/{path}" for path in FULL if path.startswith(kind)]
    for status in ("disabled", "disabled", "enabled", "disabled"):
        answer = smsd.patch(path, {"status": status})
        assert answer.status == 200 and answer.body["status"] == status
        assert smsd.get(path).raw == answer.raw
    answer = smsd.put(path, FULL[path.removeprefix("/v1/")])
    assert answer.status == 200 and answer.body["status"] == "disabled", "a put does not enable"
    assert smsd.patch(path, {"status": "void"}).body["status"] == "void"
    assert smsd.patch(path, {"status": "void"}).status == 200
    for answer in (smsd.patch(path, {"status": "enabled"}), smsd.put(path, FULL[path.removeprefix("/v1/")])):
        assert answer.status == 409 and answer.code == "void"
    assert smsd.get(path).body["status"] == "void"


@pytest.mark.parametrize("body, pointers", [
    ({}, ["/status"]), ({"status": "off"}, ["/status"]), ({"status": None}, ["/status"]),
    ({"status": "enabled", "name": "x"}, ["/name"]),
])
def test_nothing_but_a_status_is_patched(filled, body, pointers):
    answer = filled.patch("/v1/companies/acme", body)
    assert answer.status == 422 and answer.pointers == pointers


# --- who and when ----------------------------------------------------------------------------------------------------

def test_each_change_says_who_made_it_and_when(smsd):
    """SMS-1"""
    fill(smsd)
    mine, secret = new_key(smsd, "catalog")
    first = smsd.get("/v1/companies/acme").body
    smsd.advance(60)
    changed = smsd.put("/v1/companies/acme", {**FULL["companies/acme"], "name": "Other", "signature": None}, key=secret)
    assert changed.body["changed_by"] == mine != first["changed_by"]
    assert changed.body["created_at"] == first["created_at"] and changed.body["updated_at"] > first["updated_at"]
    smsd.advance(60)
    smsd.patch("/v1/companies/acme", {"status": "disabled"})
    rows = pages(smsd, "/v1/companies/acme/changes", 2)
    assert [(row["action"], row["fields"], row["status"], row["changed_by"]) for row in rows] == [
        ("status", [], "disabled", first["changed_by"]), ("changed", ["name", "signature"], "enabled", mine),
        ("created", [], "enabled", first["changed_by"])]
    assert [row["created_at"] for row in rows] == sorted((row["created_at"] for row in rows), reverse=True)
    assert rows[1]["created_at"] == changed.body["updated_at"] and len({row["id"] for row in rows}) == 3


def test_what_changes_nothing_is_no_change(smsd):
    fill(smsd)
    before = smsd.get("/v1/products/wind.cn").raw
    smsd.advance(60)
    smsd.put("/v1/products/wind.cn", FULL["products/wind.cn"])
    smsd.patch("/v1/products/wind.cn", {"status": "enabled"})
    assert smsd.get("/v1/products/wind.cn").raw == before
    assert len(smsd.get("/v1/products/wind.cn/changes").body["data"]) == 1


def test_everything_survives_restart_and_kill(smsd):
    """OPS-7"""
    fill(smsd)
    smsd.patch("/v1/routes/acme.cn", {"status": "disabled"})
    smsd.post("/v1/products/wind.cn/quota", {"delta": 5000, "reason": "bought"})
    asked = [f"/v1/{path}{tail}" for path in FULL for tail in ("", "/changes")] + ["/v1/products/wind.cn/quota"]
    seen = {path: smsd.get(path).raw for path in asked}
    smsd.kill9()
    smsd.start()
    assert {path: smsd.get(path).raw for path in asked} == seen
    smsd.restart()
    assert {path: smsd.get(path).raw for path in asked} == seen
    assert smsd.get("/v1/routes/acme.cn").body["status"] == "disabled"


# --- lists -----------------------------------------------------------------------------------------------------------

def test_lists_are_newest_first_and_paged(smsd):
    fill(smsd)
    for number in range(12):
        put(smsd, f"scenes/s{number}", {"name": f"scene {number}"}, 201)
    wanted = [f"s{number}" for number in range(11, -1, -1)] + ["login"]
    for limit in (1, 5, 13, 500):
        rows = pages(smsd, "/v1/scenes", limit)
        assert [row["id"] for row in rows] == wanted
    assert rows[0] == smsd.get("/v1/scenes/s11").body
    first = smsd.get("/v1/scenes?limit=3").body
    put(smsd, "scenes/later", {"name": "later"}, 201)
    second = smsd.get(f"/v1/scenes?limit=3&after={first['next']}").body
    assert [row["id"] for row in second["data"]] == wanted[3:6], "an insert moves nothing"


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_listed(filled, kind):
    answer = filled.get(f"/v1/{kind}?limit=500")
    assert answer.status == 200 and set(answer.body) == LIST
    assert answer.body["data"] and all(row["id"] for row in answer.body["data"])
    assert filled.get(f"/v1/{kind}?status=void&limit=500").status == 200
    assert filled.get(f"/v1/{kind}?colour=red").code == "unknown_field"
    assert filled.get(f"/v1/{kind}?status=off").pointers == ["/status"]
    assert filled.get(f"/v1/{kind}?limit=501").pointers == ["/limit"]
    assert filled.get(f"/v1/{kind}?after=x").pointers == ["/after"]


def test_lists_are_filtered(smsd):
    fill(smsd)
    for least in ("countries/SG", "companies/small", "channels/rain", "products/rain", "templates/news",
                  "routes/small.sg"):
        put(smsd, least, LEAST[least][0], 201)
    smsd.patch("/v1/routes/small.sg", {"status": "disabled"})

    def ids(path):
        return [row["id"] for row in smsd.get(f"/v1/{path}").body["data"]]
    assert ids("routes?company=acme") == ["acme.cn"] and ids("routes?country=SG") == ["small.sg"]
    assert ids("routes?company=acme&country=SG") == [] and ids("routes?product=rain") == ["small.sg"]
    assert ids("routes?kind=verification") == ["acme.cn"] and ids("routes?status=disabled") == ["small.sg"]
    assert ids("products?channel=wind") == ["wind.cn"]
    assert ids("products?country=SG") == ["rain"], "which serves every country"
    assert ids("products?country=CN") == ["rain", "wind.cn"]
    assert ids("templates?company=small") == ["news"] and ids("templates?company=acme") == ["news", "code"]
    assert smsd.get("/v1/routes?kind=notice").pointers == ["/kind"]
    assert ids("products?on_unknown=query") == ["rain"]
    assert ids("templates?scene=login") == ["code"] and ids("templates?kind=marketing") == ["news"]


# --- gateways' secrets -----------------------------------------------------------------------------------------------

def gateway_with(*, password, token, secret, inner, key):
    receipts = {"status": {"field": 'a "quoted" name'}, "statuses": {"1": "delivered"}}
    return {"type": "http", "variables": {"user": "u"}, "secrets": {"inner": inner},
            "send": {"url": "https://wind.example/", "form": {"to": "{to}"},
                     "auth": {"type": "basic", "user": "u", "password": password},
                     "signature": {"hash": "hmac_sha1", "key": key, "over": "{body}", "header": "X"}},
            "query": {"request": {"url": "https://wind.example/", "form": {"id": "{id}"},
                                  "auth": {"type": "bearer", "token": token}}, "receipts": receipts},
            "callback": {"secret_at": {"field": "s"}, "secret": secret, "receipts": receipts}}


SECRET = gateway_with(password="p4ss", token="t0p", secret="s1s2s3s4", inner="deep", key="k3y")
MASKED = gateway_with(**{name: "********" for name in ("password", "token", "secret", "inner", "key")})


def test_secrets_of_a_gateway_are_never_shown(smsd):
    """OPS-4: nor in the log."""
    fill(smsd)
    shown = [smsd.put("/v1/products/x", {**FULL["products/wind.cn"], "gateway": SECRET}), smsd.get("/v1/products/x"),
             smsd.patch("/v1/products/x", {"status": "disabled"}), smsd.get("/v1/products")]
    for answer in shown:
        for secret in (b"t0p", b"s1s2s3s4", b"p4ss", b"deep", b"k3y"):
            assert secret not in answer.raw
    assert shown[1].body["gateway"] == MASKED
    assert "p4ss" not in smsd.said()


def test_a_mask_that_comes_back_leaves_the_secret(smsd):
    fill(smsd)
    new_product(smsd, "x", gateway=SECRET)
    changes = len(smsd.get("/v1/products/x/changes").body["data"])
    new_product(smsd, "x", gateway=MASKED)
    assert len(smsd.get("/v1/products/x/changes").body["data"]) == changes, "it is what it was"
    new_product(smsd, "x", gateway={**MASKED, "secrets": {"inner": "new"}})
    assert len(smsd.get("/v1/products/x/changes").body["data"]) == changes + 1
    answer = smsd.put("/v1/products/y", {"channel": "wind", "price": 1, "gateway": MASKED})
    assert answer.status == 422
    assert answer.pointers == ["/gateway/callback/secret", "/gateway/query/request/auth/token",
                               "/gateway/secrets/inner", "/gateway/send/auth/password", "/gateway/send/signature/key"]


# --- quotas ----------------------------------------------------------------------------------------------------------

def change(smsd, product, delta, reason="bought", **how):
    return smsd.post(f"/v1/products/{product}/quota", {"delta": delta, "reason": reason}, **how)


def test_a_product_is_not_counted_until_its_quota_is_set(filled):
    """SMS-3"""
    assert new_product(filled, "fresh")["quota"] is None
    assert change(filled, "fresh", 500).body["before"] == 0
    assert filled.get("/v1/products/fresh").body["quota"] == 500


def test_a_change_of_quota_says_everything(smsd):
    """SMS-3: before, delta, after, who, why, and when."""
    fill(smsd)
    mine, secret = new_key(smsd, "catalog")
    answer = change(smsd, "wind.cn", 3000, "order 17", key=secret)
    assert answer.status == 201
    assert {name: value for name, value in answer.body.items() if name not in ("id", "created_at")} == {
        "product": "wind.cn", "cause": "change", "before": 0, "delta": 3000, "after": 3000, "reason": "order 17",
        "changed_by": mine}
    assert answer.body["id"].startswith("quo_") and is_time(answer.body["created_at"])
    second = change(smsd, "wind.cn", -1000, "refunded")
    assert (second.body["before"], second.body["after"]) == (3000, 2000)
    assert pages(smsd, "/v1/products/wind.cn/quota", 1) == [second.body, answer.body]
    assert pages(smsd, "/v1/products/wind.cn/quota", 50) == [second.body, answer.body]


def test_a_quota_never_falls_below_zero(filled):
    """SMS-3"""
    new_product(filled, "floor")
    for delta, status in ((-1, 409), (10, 201), (-11, 409), (-10, 201), (-1, 409)):
        assert change(filled, "floor", delta).status == status
    answer = change(filled, "floor", -1)
    assert answer.code == "quota_below_zero"
    assert filled.get("/v1/products/floor").body["quota"] == 0
    assert change(filled, "floor", 2 ** 53 - 1).status == 201
    assert change(filled, "floor", 1).code == "amount_out_of_range"


@pytest.mark.parametrize("body, pointers", [
    ({}, ["/delta", "/reason"]), ({"delta": 0, "reason": "x"}, ["/delta"]), ({"delta": 1.5, "reason": ""}, ["/delta", "/reason"]),
    ({"delta": 2 ** 53, "reason": "x" * 129}, ["/delta", "/reason"]), ({"delta": 1, "reason": "x", "by": "me"}, ["/by"]),
])
def test_a_change_of_quota_that_is_wrong_is_refused(filled, body, pointers):
    answer = filled.post("/v1/products/wind.cn/quota", body)
    assert answer.status == 422 and answer.pointers == pointers


def test_a_change_of_quota_under_a_key_is_made_once(filled):
    """BILL-9"""
    new_product(filled, "once")
    first = change(filled, "once", 5, idempotency="quota")
    again = change(filled, "once", 5, idempotency="quota")
    assert again.replayed and again.raw == first.raw
    assert filled.get("/v1/products/once").body["quota"] == 5
    assert change(filled, "once", 6, idempotency="quota").code == "idempotency_key_reused"


def test_an_operator_who_takes_the_quota_below_low_warn_is_told_once(smsd):
    """SMS-3: one warning a crossing, and again after it recovered."""
    fill(smsd)

    def told():
        return [row["data"] for row in smsd.get("/v1/webhooks").body["data"] if row["type"] == "product.low_quota"]
    change(smsd, "wind.cn", 1000)
    assert told() == []
    change(smsd, "wind.cn", -1)
    assert told() == [{"product": "wind.cn", "quota": 999, "low_warn": 1000}]
    change(smsd, "wind.cn", -500)
    assert len(told()) == 1
    change(smsd, "wind.cn", 501)
    change(smsd, "wind.cn", -2)
    assert [row["quota"] for row in told()] == [998, 999]


def test_what_is_void_has_its_quota_no_more(filled):
    new_product(filled, "voided")
    filled.patch("/v1/products/voided", {"status": "void"})
    assert change(filled, "voided", 1).code == "void"


# --- who may ---------------------------------------------------------------------------------------------------------

def test_the_catalogue_has_a_scope_of_its_own(filled):
    """OPS-2"""
    _, billing = new_key(filled, "billing", "messages")
    _, catalog = new_key(filled, "catalog")
    for path in FULL:
        assert filled.get(f"/v1/{path}", key=billing).status == 403
        assert filled.put(f"/v1/{path}", FULL[path], key=billing).status == 403
        assert filled.get(f"/v1/{path}", key=catalog).status == 200
        assert filled.put(f"/v1/{path}", FULL[path], key=catalog).status == 200


def test_a_key_of_a_company_sees_what_is_its_own(smsd):
    """OPS-2: its company, its routes, the templates it may use, and what is everybody's."""
    fill(smsd)
    for least in ("countries/SG", "companies/small", "channels/rain", "products/rain", "templates/news",
                  "routes/small.sg"):
        put(smsd, least, LEAST[least][0], 201)
    key = company_key(smsd, "small")

    def ids(kind):
        return [row["id"] for row in smsd.get(f"/v1/{kind}", key=key).body["data"]]
    assert ids("companies") == ["small"] and ids("routes") == ["small.sg"] and ids("templates") == ["news"]
    assert ids("countries") == ["SG", "CN"] and ids("scenes") == ["login"]
    for path, status in (("companies/acme", 404), ("routes/acme.cn", 404), ("templates/code", 404),
                         ("companies/small", 200), ("routes/small.sg", 200), ("templates/news", 200),
                         ("countries/CN", 200), ("scenes/login", 200), ("products/rain", 403), ("products", 403),
                         ("channels/wind", 403), ("settings", 403), ("products/rain/quota", 403),
                         ("companies/acme/changes", 404), ("companies/small/changes", 200)):
        assert smsd.get(f"/v1/{path}", key=key).status == status, path


def test_a_key_of_a_company_changes_nothing(filled):
    key = company_key(filled, "acme")
    for path in FULL:
        for answer in (filled.put(f"/v1/{path}", FULL[path], key=key),
                       filled.patch(f"/v1/{path}", {"status": "disabled"}, key=key)):
            assert answer.status == 403 and answer.code == "forbidden"
    assert change(filled, "wind.cn", 1, key=key).status == 403
