"""Disks that fail beside the store (OPS-7): history and images of the cities' memory on a full disk, and files of
somebody else in their folders."""

import pathlib
import time

from platform_setup import get, metric, sandbox, send, set_up, wait_for
from smsd import Smsd
from test_cities import put
from test_cities import send as send_signals
from test_city_images import signals, wait_whole
from test_faults import fill, small_disk  # noqa: F401, a fixture


def run_job(smsd, name):
    """How many runs of it have failed."""
    answer = smsd.post(f"/v1/jobs/{name}/run", {})
    assert answer.status == 200, answer
    return answer.body["failed"]


def until(is_so):
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def names(folder):
    return sorted(path.name for path in pathlib.Path(folder).iterdir())


def test_a_full_disk_holds_up_neither_history_nor_images_for_good(small_disk, tmp_path):
    """OPS-7, SMS-19, CITY-7: what has no room stays as it was and is tried again; told once; nothing is left over."""
    smsd = Smsd(tmp_path, data_dir=small_disk / "data", options=["--archive-after-ms", "1000"]).start()
    set_up(smsd)
    sandbox(smsd)
    put(smsd, "image")
    send_signals(smsd, signals(0, 3000))
    assert run_job(smsd, "city_image") == 0
    images = names(smsd.data_dir / "filters")
    send_signals(smsd, signals(3000, 3000))
    message = send(smsd, "+491510000001")
    before = wait_for(smsd, message, "delivered")
    ballast = fill(small_disk)
    for run in (1, 2, 3):
        assert run_job(smsd, "city_image") == run
    assert names(smsd.data_dir / "filters") == images
    until(lambda: run_job(smsd, "archive") > 1)
    assert metric(smsd, "smsd_messages_archived_total") == 0 and get(smsd, message) == before
    assert names(smsd.data_dir / "history") == []
    for event in ("city_image_failed", "history_failed"):
        told = smsd.events(event)
        assert len(told) == 1 and "space" in told[0]["reason"].lower(), told

    ballast.unlink()
    for job in ("archive", "city_image"):
        failed = run_job(smsd, job)
        assert run_job(smsd, job) == failed
    assert metric(smsd, "smsd_messages_archived_total") == 1 and get(smsd, message) == before
    assert names(smsd.data_dir / "filters") != images
    smsd.close()


def test_files_of_somebody_else_are_left_alone(tmp_path):
    """OPS-7: neither read, nor counted, nor deleted."""
    smsd = Smsd(tmp_path).start()
    set_up(smsd)
    sandbox(smsd)
    put(smsd, "image")
    send_signals(smsd, signals(0, 100))
    foreign = [smsd.data_dir / "filters" / "0000000000000001.image.copy", smsd.data_dir / "filters" / "my.image",
               smsd.data_dir / "history" / "notes", smsd.data_dir / "history" / "2001-02-31.mdb",
               smsd.data_dir / "history" / "2001-02-03.mdb.copy"]
    (smsd.data_dir / "filters").mkdir(exist_ok=True)
    for path in foreign:
        path.write_text("somebody else's")
    message = send(smsd, "+491510000001")
    smsd.advance(60)
    assert run_job(smsd, "city_image") == 0
    smsd.advance(2 * 86400)
    smsd.restart()
    wait_whole(smsd)
    assert run_job(smsd, "archive") == 0 and metric(smsd, "smsd_history_days") == 1
    assert get(smsd, message)["status"] == "delivered"
    assert [path.read_text() for path in foreign] == ["somebody else's"] * len(foreign)
    smsd.close()
