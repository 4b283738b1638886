"""What is wrong with the recipients of a campaign (SMS-14): told by the upload, listed, and downloaded as lines or as
a table."""

import csv
import io
import json

import pytest

from campaign import LINES, create, get, numbers, recipients_of, upload
from contract import pages
from platform_setup import put, sandbox, set_up


@pytest.fixture
def sending(smsd):
    set_up(smsd)
    return smsd


def test_what_is_wrong_with_lines_is_kept_and_can_be_downloaded(sending):
    """SMS-14: number, content, parts, signature: each line its own error, by line."""
    sandbox(sending)
    put(sending, "/v1/countries/SG", {"name": "Singapore", "calling_code": 65, "signature_required": True})
    put(sending, "/v1/templates/long", {"content": "{text}", "kind": "marketing"})
    campaign = create(sending, content=None, kind=None, template="long")
    good = {"to": numbers(1)[0], "params": {"text": "hello"}}
    lines = [json.dumps(good), "", "rubbish", json.dumps({**good, "to": "12345"}), json.dumps({"to": numbers(2)[1]}),
             json.dumps({**good, "to": numbers(3)[2], "params": {"text": "x" * 1000, "more": "y"}}),
             json.dumps({**good, "to": numbers(4)[3], "params": {"text": "\u597d" * 333}, "client_reference": "=1+1"}),
             json.dumps({**good, "to": "+6581234567"}), json.dumps({**good, "surprise": 1}), json.dumps({"params": {}}),
             json.dumps(good), json.dumps({**good, "params": {"text": "other"}}), "{" + " " * 20000, '"x"']
    answer = sending.post(f"/v1/campaigns/{campaign}/recipients", "\n".join(lines), headers=LINES)
    assert answer.status == 200, answer
    wrong = [(error["line"], error["code"], error["field"]) for error in answer.body["errors"]]
    assert wrong == [(3, "malformed_json", None), (4, "invalid_number", "to"), (5, "missing_parameter", "text"),
                     (6, "unknown_parameter", "more"), (8, "signature_required", "signature"),
                     (9, "unknown_field", "surprise"), (10, "invalid", "to"), (12, "duplicate", "to"),
                     (13, "invalid", None), (14, "invalid", None)], answer
    assert (answer.body["accepted"], answer.body["invalid"], answer.body["duplicates"]) == (2, 9, 2)
    assert [row["parts"] for row in recipients_of(sending, campaign)] == [1, 5]
    errors = f"/v1/campaigns/{campaign}/errors"
    listed = pages(sending, errors, 3)
    assert listed[::-1] == answer.body["errors"] and get(sending, campaign)["errors"] == 10
    as_json = sending.get(errors, headers={"Accept": "application/x-ndjson"})
    assert as_json.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(line) for line in as_json.raw.splitlines()] == answer.body["errors"]
    table = sending.get(errors, headers={"Accept": "text/csv"})
    rows = list(csv.DictReader(io.StringIO(table.raw.decode())))
    assert [(int(row["line"]), row["code"]) for row in rows] == [row[:2] for row in wrong]


def test_what_a_spreadsheet_would_compute_is_marked_as_text(sending):
    """Texts of strangers in a table that an operator opens; numbers stay numbers."""
    sandbox(sending)
    campaign = create(sending)
    given_as = ["=1+1", "+1+1", "-1+1", "@sum", "\t=1", "\r=1", "+4915", "a\"b", "0049"]
    upload(sending, campaign, given_as)
    table = sending.get(f"/v1/campaigns/{campaign}/errors", headers={"Accept": "text/csv"}).raw.decode()
    shown = [row["to"] for row in csv.DictReader(io.StringIO(table, newline=""))]
    assert shown == ["'" + text for text in given_as[:6]] + given_as[6:]


def test_a_long_list_of_errors_is_downloaded_in_parts(sending):
    sandbox(sending)
    campaign = create(sending)
    body = upload(sending, campaign, [f"0{n}" for n in range(4500)])
    assert body["invalid"] == 4500 and len(body["errors"]) == 100
    path, lines = f"/v1/campaigns/{campaign}/errors", []
    link = ""
    while link is not None:
        answer = sending.get(path + link, headers={"Accept": "application/x-ndjson"})
        lines += [json.loads(line)["line"] for line in answer.raw.splitlines()]
        link = answer.headers.get("link")
        link = link and link.partition("<")[2].partition(">")[0]
    assert lines == list(range(1, 4501))
