"""The test clock: time moves when told, is said on every answer, and never goes back."""

import datetime

import pytest

from contract import topup
from smsd import Smsd


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
