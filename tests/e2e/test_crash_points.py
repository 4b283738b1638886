"""smsd dies at each place its source names as a good one to die at (src/store/crash_point.def), and nothing
acknowledged is lost (OPS-7). A build without crash points (release) is not tested here."""

import re
import shutil
import signal
import subprocess

import pytest

from journal_file import tear
from load import Load
from smsd import ROOT, Smsd, StartFailed, variant

DECLARED = ROOT / "src/store/crash_point.def"
POINTS = re.findall(r'^CRASH_POINT\("([^"]+)"', DECLARED.read_text(), re.MULTILINE) if DECLARED.exists() else []

# Points, the passages to let go by before dying, and what leads there (a function below).
WAYS = [
    ("create.", (1,), "start"),
    ("recovery.before_checkpoint", (1,), "replay much"),
    ("recovery.", (1,), "start"),
    ("journal.tail.", (1,), "find a torn tail"),
    ("journal.append.", (1, 2, 30), "charge"),
    ("journal.recycle.", (1,), "fill segment 2"),
    ("journal.", (1,), "fill segment 1"),
    ("checkpoint.", (1, 5), "charge"),
    ("history.", (), "test_archive.py goes there"),
]
NOT_HERE = {
    "checkpoint.before_commit": "one generation must change more pages than LMDB takes in a transaction",
    "checkpoint.after_commit": "the same",
}
OPTIONS = ["--checkpoint-interval-ms", "100"]
NO_CHECKPOINT = ["--checkpoint-interval-ms", "3600000"]
SMALL_GENERATIONS = [*NO_CHECKPOINT, "--overlay-bytes-max", "16777216"]
SEGMENT_BYTES = 64 << 20
CHARGES_AT_ONCE = 10000


def cases():
    for point in POINTS:
        passages, way = next(row[1:] for row in WAYS if point.startswith(row[0]))
        for passage in passages if point not in NOT_HERE else ():
            yield pytest.param(point, passage, way, id=f"{point}:{passage}")


@pytest.fixture(scope="module")
def nearly_full(tmp_path_factory):
    """Data directories whose first, or second, segment is nearly full, and the load that made them so."""
    found = {}
    smsd = Smsd(tmp_path_factory.mktemp("full"), options=OPTIONS, first_start=True).start()
    load = Load(smsd)
    earlier = 0
    for segment in (1, 2):
        while earlier + journal_bytes(smsd) < (segment - 0.1) * SEGMENT_BYTES:
            load.fill(CHARGES_AT_ONCE)
        earlier += journal_bytes(smsd)
        smsd.kill9()
        copied = smsd.folder / str(segment)
        shutil.copytree(smsd.data_dir, copied)
        found[segment] = copied, load.filled
        smsd.start()
    smsd.close()
    yield found
    for copied, _ in found.values():
        shutil.rmtree(copied)


def journal_bytes(smsd):
    """What it has written to its journal since it started."""
    return int(smsd.get("/metrics").raw.decode().split("\nsmsd_journal_bytes_total ")[1].split()[0])


def prepare(way, smsd, nearly_full):
    """A smsd that ran, was killed, and has what the way needs to find."""
    filled = 0
    if way.startswith("fill"):
        copied, filled = nearly_full[int(way[-1])]
        shutil.copytree(copied, smsd.data_dir)
    smsd.options = NO_CHECKPOINT if way == "replay much" else OPTIONS
    smsd.start()
    load = Load(smsd)
    load.filled = load.filled_max = filled
    if way == "replay much":
        load.fill(5 * CHARGES_AT_ONCE)
    load.until_killed_after(0.1, connections=16)
    smsd.wait_end()
    if way == "find a torn tail":
        tear(smsd)
    if way == "replay much":
        smsd.options = SMALL_GENERATIONS
    return load


def lead_to(way, smsd, load):
    """Starts it and makes it do what passes the point. Its exit status; None if it still runs."""
    try:
        smsd.start()
        if way == "charge":
            load.until_dead(connections=16, requests_max=400)
        if way.startswith("fill"):
            load.fill(8 * CHARGES_AT_ONCE)
        return smsd.wait_end(3)
    except StartFailed as failed:
        return failed.status
    except subprocess.TimeoutExpired:
        return None


@pytest.mark.skipif(variant() == "release", reason="a release build has no crash points")
@pytest.mark.parametrize("point, passage, way", cases())
def test_it_dies_there_and_loses_nothing(tmp_path, nearly_full, point, passage, way):
    smsd = Smsd(tmp_path, options=OPTIONS, first_start=True)
    load = None if point.startswith("create.") else prepare(way, smsd, nearly_full)
    smsd.environment = {"SMSD_CRASH_POINT": f"{point}:{passage}"}
    status = lead_to(way, smsd, load)
    assert status == -signal.SIGKILL, f"{point} was not reached (status {status})\n{smsd.said()}"
    smsd.environment = {}
    smsd.start()
    load = load or Load(smsd)
    load.check()
    load.until_killed_after(0.1, connections=16)  # and what it left is good to go on with
    smsd.wait_end()
    smsd.start()
    load.check()
    load.check_history()
    smsd.close()


def test_every_point_that_is_declared_is_passed_somewhere():
    assert POINTS
    source = "".join(path.read_text() for path in (ROOT / "src").rglob("*.c"))
    assert [point for point in POINTS if f'crash_point("{point}")' not in source] == []
