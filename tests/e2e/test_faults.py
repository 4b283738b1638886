"""Disks that fail: a torn journal, a damaged one, a full one, one that cannot sync (OPS-7)."""

import errno
import os
import pathlib
import random
import re
import subprocess
import threading
import time

import pytest

from contract import balance, charge, topup
from journal_file import BLOCK, last_block, overwrite, written_segment
from load import Load
from smsd import Smsd, StartFailed, run
from webhook import send_to

HERE = pathlib.Path(__file__).resolve().parent


def killed_after_charges(tmp_path, count):
    """A smsd killed after a top-up of 1000 and `count` charges of 1, each a batch of its own; all of it
    lies in the journal only."""
    smsd = Smsd(tmp_path, first_start=True).start()
    topup(smsd, "A", 1000)
    for _ in range(count):
        assert charge(smsd, "A", 1).status == 201
    smsd.kill9()
    return smsd


TEARS = {
    "its last byte is lost": lambda path, data: overwrite(path, len(data) - 1, b"\0"),
    "its last bytes are garbled": lambda path, data: overwrite(path, len(data) - 8, b"\xa5" * 8),
    "its last block is garbled": lambda path, data: overwrite(path, last_block(data), random.Random(1).randbytes(BLOCK)),
    "its last block is zeros": lambda path, data: overwrite(path, last_block(data), b"\0" * BLOCK),
    "half of its last block is zeros": lambda path, data: overwrite(path, last_block(data) + 32, b"\0" * (BLOCK - 32)),
}


@pytest.mark.parametrize("tear", TEARS.values(), ids=TEARS.keys())
def test_a_torn_last_batch_is_cut(tmp_path, tear):
    """OPS-7: power cut in the middle of a write: the torn tail goes, all before it stays."""
    smsd = killed_after_charges(tmp_path, 20)
    tear(*written_segment(smsd))
    smsd.start()
    assert balance(smsd, "A") in (980, 981)
    assert smsd.get("/v1/audit").body["ok"] is True
    before = balance(smsd, "A")
    assert charge(smsd, "A", 1).status == 201
    smsd.kill9()
    smsd.start()
    assert balance(smsd, "A") == before - 1
    smsd.close()


@pytest.mark.parametrize("place", [0.3, 0.5, 0.8])
def test_damage_before_the_tail_refuses_to_start_and_says_where(tmp_path, place):
    """OPS-7: damage anywhere else refuses to start and says where."""
    smsd = killed_after_charges(tmp_path, 40)
    path, data = written_segment(smsd)
    offset = int(len(data) * place) // BLOCK * BLOCK + 16
    overwrite(path, offset, bytes(byte ^ 0x55 for byte in data[offset:offset + 8]))
    with pytest.raises(StartFailed) as refused:
        smsd.start()
    assert refused.value.status > 0
    assert path.name in refused.value.said
    places = [int(word) for word in re.findall(r"\d+", refused.value.said)]
    assert any(offset - BLOCK < at <= offset for at in places), refused.value.said
    done = run(["verify", "--data-dir", str(smsd.data_dir)])
    assert done.returncode == 1 and path.name in done.stdout + done.stderr

    overwrite(path, offset, data[offset:offset + 8])  # nothing was changed meanwhile
    smsd.start()
    assert balance(smsd, "A") == 960
    smsd.close()


def test_verify_finds_a_changed_entry(tmp_path):
    """BILL-13: verify finds a changed entry, wherever it lies."""
    smsd = Smsd(tmp_path, first_start=True).start()
    topup(smsd, "A", 1000)
    needle = b"needle-in-the-history"
    assert smsd.post("/v1/charges", {"account": "A", "amount": 1, "reference": needle.decode()}).status == 201
    smsd.stop()
    smsd.verify()
    changed = 0
    for path in smsd.data_dir.rglob("*"):
        data = path.read_bytes() if path.is_file() and "journal" not in path.parts else b""
        at = data.find(needle)
        while at >= 0:
            overwrite(path, at, b"N")
            changed += 1
            at = data.find(needle, at + 1)
    assert changed, "a stopped smsd has everything in its store"
    done = run(["verify", "--data-dir", str(smsd.data_dir)])
    assert done.returncode == 1
    assert done.stdout or done.stderr, "and says what is wrong"


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own, just large enough to begin with."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400m", "tmpfs", str(place)],
                             capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.skip("may not mount a file system")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(place):
    """Takes all the room there is; the file that does."""
    ballast = place / "ballast"
    file = os.open(ballast, os.O_WRONLY | os.O_CREAT)
    for size in (1 << 20, BLOCK):
        try:
            while os.write(file, b"\xff" * size):
                pass
        except OSError as error:
            assert error.errno == errno.ENOSPC
    os.close(file)
    return ballast


def test_a_full_disk_refuses_writes_and_heals(small_disk, tmp_path):
    """OPS-7: disk full: writes 503 storage_full, reads go on, heals when there is room."""
    smsd = Smsd(tmp_path, data_dir=small_disk / "data").start()
    topup(smsd, "A", 10 ** 9)
    ballast = fill(small_disk)
    spent, answer = 0, None
    while answer is None or answer.status == 201:
        answer = charge(smsd, "A", 1)
        spent += answer.status == 201
        assert spent < 200000, "the disk is never full"
    assert answer.status == 503 and answer.code == "storage_full"
    assert balance(smsd, "A") == 10 ** 9 - spent
    assert smsd.get("/v1/accounts/A/entries?limit=1").status == 200
    assert smsd.get("/healthz").status == 200

    ballast.unlink()
    deadline = time.monotonic() + 30
    while (answer := charge(smsd, "A", 1)).status == 503:
        assert time.monotonic() < deadline, "it does not heal"
        time.sleep(0.1)
    assert answer.status == 201
    assert balance(smsd, "A") == 10 ** 9 - spent - 1
    smsd.kill9()
    smsd.start()
    assert balance(smsd, "A") == 10 ** 9 - spent - 1
    smsd.close()


@pytest.fixture(scope="module")
def failing_sync(tmp_path_factory):
    """The library of failing_sync.c."""
    library = tmp_path_factory.mktemp("library") / "failing_sync.so"
    subprocess.run(["gcc", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", str(library), str(HERE / "failing_sync.c"),
                    "-ldl"], check=True)
    return library


def test_nobody_is_told_of_what_is_not_durable_yet(tmp_path, failing_sync, receiver):
    """SMS-20, BILL-14: a webhook leaves only when its event is sure to have happened, as a reply does."""
    held = tmp_path / "held"
    smsd = Smsd(tmp_path, first_start=True, options=["--webhooks-allow-private"], environment={
        "LD_PRELOAD": str(failing_sync), "SMSD_HOLD_SYNC": str(held),
        "ASAN_OPTIONS": "verify_asan_link_order=0:detect_leaks=0:exitcode=99"}).start()
    send_to(smsd, receiver.url())
    smsd.post("/v1/accounts", {"id": "A", "low_balance": 50})
    topup(smsd, "A", 100)
    held.touch()
    charge = threading.Thread(target=smsd.post, args=("/v1/charges", {"account": "A", "amount": 60}), daemon=True)
    charge.start()
    charge.join(0.3)
    assert charge.is_alive() and receiver.at() == []
    held.unlink()
    receiver.wait()
    charge.join()
    smsd.close()


@pytest.mark.parametrize("count", [1, 2, 10])
def test_a_sync_that_fails_ends_it_at_once(tmp_path, failing_sync, count):
    """OPS-7: fsync fails: exits at once, replies to nobody of that batch, recovers at start."""
    armed = tmp_path / "armed"
    smsd = Smsd(tmp_path, first_start=True, environment={
        "LD_PRELOAD": str(failing_sync), "SMSD_FAIL_SYNC": str(count), "SMSD_FAIL_SYNC_ARMED": str(armed),
        "ASAN_OPTIONS": "verify_asan_link_order=0:detect_leaks=0:exitcode=99"}).start()
    load = Load(smsd)
    armed.touch()
    load.until_dead(connections=16, requests_max=2000)
    status = smsd.wait_end(10)
    assert status > 0 and status != 99, smsd.said()
    assert "sync" in smsd.said() or "Input/output error" in smsd.said()
    smsd.environment = {}
    smsd.start()
    load.check()
    load.check_history()
    smsd.close()
