"""Nothing acknowledged is ever lost, and nothing is done twice, whenever smsd is killed (OPS-7, BILL-1,
BILL-9). SMSD_KILLS sets how many kills the first test makes."""

import os
import random
import time

from load import Load
from smsd import Smsd, running, spawn

KILLS = int(os.environ.get("SMSD_KILLS", "40"))
KILL_AFTER_SECONDS_MAX = 0.35


def test_killed_at_random_moments_under_load(tmp_path):
    """OPS-7: kill -9 at any point: every acknowledged write is there, no unacknowledged one half."""
    seed = int(os.environ.get("SMSD_SEED", time.time_ns() % 10 ** 6))
    print(f"SMSD_SEED={seed}")
    moments = random.Random(seed)
    # Checkpoints often, so that kills fall into them too.
    smsd = Smsd(tmp_path, first_start=True, options=["--checkpoint-interval-ms", "100"]).start()
    load = Load(smsd, seed=seed)
    acknowledged = 0
    for _ in range(KILLS):
        acknowledged += load.until_killed_after(moments.uniform(0.0, KILL_AFTER_SECONDS_MAX))
        smsd.wait_end()
        smsd.start()
        load.check()
    assert acknowledged > KILLS, "there was no load to speak of"
    load.check_history()
    smsd.close()


def test_killed_while_it_starts(tmp_path):
    """OPS-7: a recovery that is killed is begun again, and ends the same."""
    moments = random.Random(7)
    smsd = Smsd(tmp_path, first_start=True, options=["--checkpoint-interval-ms", "50"]).start()
    load = Load(smsd)
    for _ in range(8):
        load.until_killed_after(0.2)
        smsd.wait_end()
        for _ in range(3):
            start_and_kill(smsd, moments.uniform(0.0, 0.15))
        smsd.start()
        load.check()
    load.check_history()
    smsd.close()


def start_and_kill(smsd, seconds):
    with smsd.log_path.open("ab") as log:
        process = spawn(smsd.command(), smsd.environment, stderr=log, stdout=log)
    time.sleep(seconds)
    process.kill()
    process.wait()
    running.discard(process)


def test_a_killed_first_start_leaves_nothing_in_the_way(tmp_path):
    """OPS-2, OPS-7: whenever the first start is killed, the next one makes a working first key."""
    moments = random.Random(11)
    for number in range(12):
        smsd = Smsd(tmp_path / str(number), first_start=True)
        start_and_kill(smsd, moments.uniform(0.0, 0.2))
        smsd.start()
        assert smsd.post("/v1/accounts", {"id": "A"}).status == 201
        smsd.close()
