"""The test clock: time moves when told, is said on every answer, and never goes back."""

import datetime
import time

import pytest

from contract import topup
from smsd import ANSWER_SECONDS_MAX, Smsd


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def created(smsd):
    return moment(topup(smsd, "A", 1)["created_at"])


def test_time_moves_by_what_it_is_told(smsd):
    before = created(smsd)
    smsd.advance(86400)
    after = created(smsd)
    passed = (after - before).total_seconds()
    assert 86400 <= passed < 86400 + 60


def test_the_time_reached_survives_restart_and_kill(smsd):
    before = created(smsd)
    smsd.advance(15 * 86400)
    smsd.restart()
    smsd.advance(86400)
    smsd.kill9()
    smsd.start()
    passed = (created(smsd) - before).total_seconds()
    assert 16 * 86400 <= passed < 16 * 86400 + 120


def hold(smsd, seconds):
    answer = smsd.post("/v1/holds", {"account": "A", "amount": 1, "expires_in": seconds})
    assert answer.status == 201, answer
    return answer.body["id"]


def wait_until_nothing_is_held(smsd):
    deadline = time.monotonic() + ANSWER_SECONDS_MAX
    while smsd.get("/v1/accounts/A").body["held"] != 0:
        assert time.monotonic() < deadline, "what is due does not happen"
        time.sleep(0.02)


def test_what_becomes_due_after_time_was_moved_happens_at_its_time(smsd):
    """Also where what had been waited for before was past and gone by then."""
    topup(smsd, "A", 1)
    hold(smsd, 3601)
    smsd.advance(3600)
    wait_until_nothing_is_held(smsd)
    assert smsd.post(f"/v1/holds/{hold(smsd, 3600)}/release").status == 200
    smsd.advance(3700)
    hold(smsd, 1)
    wait_until_nothing_is_held(smsd)


@pytest.mark.parametrize("body", [{"seconds": -1}, {"seconds": 1.5}, {"seconds": "1"}, {}, {"seconds": 1, "hours": 1}])
def test_time_does_not_go_back_nor_by_halves(shared, body):
    before = created(shared)
    assert shared.post("/v1/test_clock/advance", body).status == 422
    assert 0 <= (created(shared) - before).total_seconds() < 60


def test_without_the_option_there_is_no_such_clock(tmp_path):
    server = Smsd(tmp_path, test_clock=False).start()
    assert server.post("/v1/test_clock/advance", {"seconds": 60}).status == 404
    server.close()


def test_it_is_said_loudly_at_start(shared):
    assert "WARNING: --test-clock" in shared.said()
