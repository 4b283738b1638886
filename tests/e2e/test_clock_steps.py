"""The system's clock steps (OPS-7): forward over what is due and over days of history, and back."""

import pathlib
import subprocess
import time

import pytest

from contract import balance, topup
from platform_setup import metric, sandbox, send, set_up, wait_for
from smsd import Smsd

HERE = pathlib.Path(__file__).resolve().parent
DAY = 86400


@pytest.fixture(scope="module")
def stepped_clock(tmp_path_factory):
    """The library of stepped_clock.c."""
    library = tmp_path_factory.mktemp("library") / "stepped_clock.so"
    subprocess.run(["gcc", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", str(library), str(HERE / "stepped_clock.c")],
                   check=True)
    return library


class Stepped(Smsd):
    """One whose system's clock the test sets, in a moment: a half-written file would be another time."""

    def __init__(self, tmp_path, library, **how):
        self.file = tmp_path / "step"
        self.step(0)
        super().__init__(tmp_path, environment={
            "LD_PRELOAD": str(library), "SMSD_CLOCK_STEP": str(self.file),
            "ASAN_OPTIONS": "verify_asan_link_order=0:detect_leaks=0:exitcode=99"}, test_clock=False, **how)

    def step(self, seconds):
        written = self.file.with_suffix(".new")
        written.write_text(str(seconds))
        written.rename(self.file)


def wait_balance(smsd, account, amount):
    deadline = time.monotonic() + 20
    while balance(smsd, account) != amount:
        assert time.monotonic() < deadline, f"still {balance(smsd, account)}"
        time.sleep(0.01)


def test_a_step_back_stops_nothing(tmp_path, stepped_clock):
    """OPS-7, BILL-2: what waits for its time still comes to it; entries go on from where they were; a restart in
    between changes nothing. Told once."""
    smsd = Stepped(tmp_path, stepped_clock).start()
    before = topup(smsd, "A", 1000)["created_at"]
    smsd.step(-10 * DAY)
    for spent in (1, 2):
        assert smsd.post("/v1/charges", {"account": "A", "amount": 1, "mode": "queued"}).status == 202
        wait_balance(smsd, "A", 1000 - spent)
        assert len(smsd.events("clock_ahead")) == 1
        assert abs(smsd.events("clock_ahead")[0]["seconds"] - 10 * DAY) < 100
        entries = smsd.get("/v1/accounts/A/entries").body["data"]
        assert [entry["created_at"] for entry in entries] == sorted(
            (entry["created_at"] for entry in entries), reverse=True)
        assert entries[0]["created_at"] > before
        smsd.restart()
    smsd.step(60)
    topup(smsd, "A", 1)
    assert smsd.events("clock_stepped") == []
    smsd.close()


def test_a_step_forward_drops_a_day_of_history_at_a_time(tmp_path, stepped_clock):
    """OPS-7, SMS-19: a clock that is wrong by years, for a run of the archive, costs a day of history and no more."""
    smsd = Stepped(tmp_path, stepped_clock, options=["--archive-after-ms", "1000"]).start()
    set_up(smsd)
    sandbox(smsd)
    messages = []
    for day in range(3):
        smsd.step(day * DAY)
        messages.append(send(smsd, "+491510000001"))
        wait_for(smsd, messages[-1], "delivered")
    smsd.step(3 * DAY)
    assert smsd.post("/v1/jobs/archive/run").status == 200
    assert metric(smsd, "smsd_history_days") == 3
    smsd.step(2000 * DAY)
    assert smsd.post("/v1/jobs/archive/run").status == 200
    assert smsd.get(f"/v1/messages/{messages[0]}").status == 404
    assert [smsd.get(f"/v1/messages/{message}").status for message in messages[1:]] == [200, 200]
    assert len(smsd.events("history_dropped")) == 1
    assert smsd.events("clock_stepped")[-1]["seconds"] > 1990 * DAY
    smsd.close()
