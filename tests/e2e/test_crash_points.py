"""smsd dies at each place its source names as a good one to die at (src/store/crash_point.def), and nothing
acknowledged is lost (OPS-7). A build without crash points (release) is not tested here."""

import re
import signal

import pytest

from load import Load
from smsd import ROOT, Smsd, StartFailed, variant

DECLARED = ROOT / "src/store/crash_point.def"
POINTS = re.findall(r'^CRASH_POINT\("([^"]+)"', DECLARED.read_text(), re.MULTILINE) if DECLARED.exists() else []

# How a point is reached: the passages to let go by before dying, how many connections charge, and how often
# each at the most. One connection makes a batch a charge: the quickest way through segments.
QUICK = {"passages": (1, 5), "connections": 16, "requests_max": 400}
SEGMENTS = {"passages": (1,), "connections": 1, "requests_max": 60000}
WAYS = [
    ("journal.switch.", SEGMENTS), ("journal.recycle.", SEGMENTS), ("journal.prepare.", SEGMENTS),
    ("journal.append.", {**QUICK, "passages": (1, 2, 30)}), ("checkpoint.", QUICK),
    ("recovery.", {**QUICK, "passages": (1,)}), ("journal.tail.", {**QUICK, "passages": (1,)}),
    ("create.", {**QUICK, "passages": (1,)}),
]
OPTIONS = ["--checkpoint-interval-ms", "100"]


def cases():
    for point in POINTS:
        way = next((way for prefix, way in WAYS if point.startswith(prefix)), QUICK)
        for passage in way["passages"]:
            yield pytest.param(point, passage, way, id=f"{point}:{passage}")


def run_until_it_dies(smsd, load, way):
    """Its exit status; None if it never came to the point."""
    try:
        smsd.start()
    except StartFailed as failed:
        return failed.status
    if load is None:
        load = Load(smsd)
    load.until_dead(connections=way["connections"], requests_max=way["requests_max"])
    if smsd.process.poll() is None:
        return None
    return smsd.wait_end()


@pytest.mark.skipif(variant() == "release", reason="a release build has no crash points")
@pytest.mark.parametrize("point, passage, way", cases())
def test_it_dies_there_and_loses_nothing(tmp_path, point, passage, way):
    smsd = Smsd(tmp_path, options=OPTIONS)
    load = None
    if not point.startswith("create."):
        smsd.start()
        load = Load(smsd)
        load.until_killed_after(0.1, connections=16)
        smsd.wait_end()
    smsd.environment = {"SMSD_CRASH_POINT": f"{point}:{passage}"}
    status = run_until_it_dies(smsd, load, way)
    assert status == -signal.SIGKILL, f"{point} was not reached (status {status})\n{smsd.said()}"
    smsd.environment = {}
    smsd.start()
    if load is None:
        load = Load(smsd)
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
