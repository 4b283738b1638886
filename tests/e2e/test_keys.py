"""API keys (OPS-2): made, listed, disabled; stored as hashes, the secret shown once."""

import stat

import pytest

from contract import charge, new_key, topup


def test_the_first_key_is_made_at_first_start_for_its_owner_only(shared):
    """OPS-2: the first key is made at first start."""
    path = shared.data_dir / "admin.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.name in shared.said(), "it says where the key lies"
    assert shared.admin_key not in shared.said(), "and does not say the key"
    assert shared.get("/v1/keys").status == 200


def test_the_first_key_stays_the_same(smsd):
    key = smsd.admin_key
    smsd.restart()
    assert smsd.admin_key == key
    assert smsd.get("/v1/keys", key=key).status == 200


def test_the_first_key_works_without_its_file(smsd):
    key = smsd.admin_key
    (smsd.data_dir / "admin.key").unlink()
    assert smsd.get("/v1/accounts", key=key).status == 200


def test_a_secret_is_shown_once(shared):
    made = shared.post("/v1/keys", {"name": "shop", "scopes": ["billing", "metrics"], "company": "acme"})
    assert made.status == 201
    assert made.body["id"].startswith("key_")
    assert (made.body["name"], made.body["company"]) == ("shop", "acme")
    assert sorted(made.body["scopes"]) == ["billing", "metrics"]
    secret = made.body["secret"]
    listed = shared.get("/v1/keys")
    assert listed.status == 200
    mine, = [row for row in listed.body["data"] if row["id"] == made.body["id"]]
    assert (mine["name"], mine["company"]) == ("shop", "acme")
    assert sorted(mine["scopes"]) == ["billing", "metrics"]
    assert secret.encode() not in listed.raw and "secret" not in mine
    assert secret not in shared.said()


def test_secrets_are_stored_as_hashes_only(smsd):
    _, secret = new_key(smsd, "billing")
    admin = smsd.admin_key
    smsd.stop()
    files = [path for path in smsd.data_dir.rglob("*") if path.is_file() and path.name != "admin.key"]
    contents = {path.name: path.read_bytes() for path in files}
    assert contents
    assert [name for name, data in contents.items() if secret.encode() in data or admin.encode() in data] == []


def test_a_disabled_key_is_out_at_once_and_may_come_back(smsd):
    number, secret = new_key(smsd, "billing")
    topup(smsd, "A", 100)
    assert charge(smsd, "A", 1, key=secret).status == 201
    changed = smsd.patch(f"/v1/keys/{number}", {"status": "disabled"})
    assert changed.status == 200 and changed.body["status"] == "disabled"
    answer = charge(smsd, "A", 1, key=secret)
    assert answer.status == 401 and answer.code == "unauthenticated"
    smsd.restart()
    assert charge(smsd, "A", 1, key=secret).status == 401
    assert smsd.patch(f"/v1/keys/{number}", {"status": "enabled"}).status == 200
    assert charge(smsd, "A", 1, key=secret).status == 201


def test_keys_survive_a_kill(smsd):
    _, secret = new_key(smsd, "billing")
    topup(smsd, "A", 100)
    smsd.kill9()
    smsd.start()
    assert charge(smsd, "A", 1, key=secret).status == 201


def test_the_admin_scope_is_all_scopes(shared):
    _, secret = new_key(shared, "admin")
    for path in ("/v1/accounts", "/v1/keys", "/metrics", "/v1/audit"):
        assert shared.get(path, key=secret).status == 200


def test_a_key_of_a_company_makes_no_keys_whatever_its_scopes(shared):
    # OPS-2: it would make one for every company. The same for what else is everybody's.
    secret = shared.post("/v1/keys", {"name": "own", "scopes": ["admin"], "company": "acme"}).body["secret"]
    assert shared.get("/v1/messages", key=secret).status == 200
    assert shared.post("/v1/keys", {"name": "all", "scopes": ["admin"]}, key=secret).status == 403
    assert shared.post("/v1/webhooks/secret", key=secret).code == "forbidden"
    for path in ("/v1/keys", "/v1/webhooks", "/v1/webhooks/endpoints", "/v1/jobs", "/v1/exceptions"):
        assert shared.get(path, key=secret).code == "forbidden", path


@pytest.mark.parametrize("body, pointers", [
    ({}, ["/name", "/scopes"]), ({"name": "x", "scopes": "billing"}, ["/scopes"]),
    ({"name": 5, "scopes": ["billing"]}, ["/name"]),
])
def test_a_key_that_is_wrong_is_refused(shared, body, pointers):
    answer = shared.post("/v1/keys", body)
    assert answer.status == 422 and answer.pointers == pointers


def test_a_scope_that_does_not_exist_is_refused(shared):
    answer = shared.post("/v1/keys", {"name": "x", "scopes": ["billing", "everything"]})
    assert answer.status == 422 and answer.code == "invalid"


def test_a_key_nobody_made_cannot_be_changed(shared):
    assert shared.patch("/v1/keys/key_0000000000001", {"status": "disabled"}).status == 404
