"""Images of the cities' memory: what survives a restart and a kill, and what is not trusted (CITY-2, CITY-6, CITY-7)."""

import random
import shutil
import threading
import time

import pytest
from smsd import Smsd, copy_data
from platform_setup import metric
from platform_setup import put as put_thing
from test_cities import DAY, city, counts, mobile, put, rebuild, send
from test_welcome import MINUTE, message_of, prepare, put_city

VISITS = 3000


def signals(first, count, code="image"):
    return [{"mobile": mobile(n), "city": code} for n in range(first, first + count)]


def save(smsd):
    """Returns when it would be found after a kill."""
    answer = smsd.post("/v1/jobs/city_image/run", {})
    assert answer.status == 200, answer
    put(smsd, "durable")
    images = sorted((smsd.data_dir / "filters").iterdir())
    assert len(images) <= 2, "the one before goes with the next"
    return images[-1]


def wait_whole(smsd, code="image"):
    deadline = time.monotonic() + 30
    while city(smsd, code)["filter"] is None:
        assert time.monotonic() < deadline, smsd.said()
        time.sleep(0.01)


def read(smsd):
    """Whether the last start took the image, or what it had against it."""
    wait_whole(smsd)
    refused = smsd.events("city_image_refused")
    assert len(refused) + len(smsd.events("city_image_read")) <= 1
    return refused[0]["reason"] if refused else bool(smsd.events("city_image_read"))


def check_all_known(smsd, known, fresh):
    """Before and after memory is whole."""
    assert counts(send(smsd, signals(0, known))) == (0, known, 0, 0)
    wait_whole(smsd)
    assert counts(send(smsd, signals(0, known))) == (0, known, 0, 0)
    assert counts(send(smsd, signals(1000000 + fresh, 100))) == (100, 0, 0, 0)


@pytest.fixture(name="saved", scope="module")
def data_with_an_image(tmp_path_factory):
    """A directory with an image, and visits that came after it; stopped."""
    smsd = Smsd(tmp_path_factory.mktemp("saved")).start()
    put(smsd, "image")
    send(smsd, signals(0, VISITS))
    save(smsd)
    send(smsd, signals(VISITS, 100))
    put(smsd, "later")
    send(smsd, signals(0, 50, "later"))
    smsd.stop()
    return smsd


def copy_of(saved, tmp_path):
    smsd = Smsd(tmp_path)
    copy_data(saved.data_dir, smsd.data_dir)
    return smsd


def test_an_image_and_what_came_after_it_are_the_memory_after_a_restart(saved, tmp_path):
    """CITY-7; a city that came after the image is whole, too."""
    smsd = copy_of(saved, tmp_path).start()
    assert read(smsd) is True
    assert city(smsd, "image")["filter"]["keys"] == VISITS + 100
    assert metric(smsd, "smsd_cities") == 3 and metric(smsd, "smsd_cities_without_memory") == 0
    smsd.post("/v1/jobs/city_image/run", {})
    assert 0 <= time.time() - metric(smsd, "smsd_city_image_timestamp_seconds") < 3600
    assert 0 <= time.time() - metric(smsd, "smsd_cities_rebuilt_timestamp_seconds") < 3600
    assert metric(smsd, "smsd_cities_overgrown") == 0
    assert metric(smsd, "smsd_city_filter_fill_percent_max") == int(100 * city(smsd, "image")["filter"]["fill"])
    assert city(smsd, "later")["filter"]["keys"] == 50
    check_all_known(smsd, VISITS + 100, 0)
    assert counts(send(smsd, signals(0, 60, "later"))) == (10, 50, 0, 0)
    smsd.close()


def damage(data, place):
    return data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1:]


DAMAGES = {
    "missing": None,
    "empty": lambda data: b"",
    "cut": lambda data: data[:-1],
    "longer": lambda data: data + b"\0",
    "the head": lambda data: damage(data, 3),
    "the filter": lambda data: damage(data, 1000),
    "the table": lambda data: damage(data, len(data) - 100),
    "the last byte": lambda data: damage(data, len(data) - 1),
    "zeros": lambda data: bytes(len(data)),
}


@pytest.mark.parametrize("what", DAMAGES)
def test_a_damaged_image_is_not_trusted(saved, tmp_path, what):
    """CITY-7: the rows are asked, and memory is made again from them."""
    smsd = copy_of(saved, tmp_path)
    image, = (smsd.data_dir / "filters").glob("*.image")
    if DAMAGES[what] is None:
        image.unlink()
    else:
        image.write_bytes(DAMAGES[what](image.read_bytes()))
    smsd.start()
    assert isinstance(read(smsd), str)
    check_all_known(smsd, VISITS + 100, 0)
    smsd.close()


def test_an_image_of_other_rows_is_not_trusted(saved, tmp_path):
    """CITY-7: neither an older one of the same directory nor one of another."""
    smsd = copy_of(saved, tmp_path / "same").start()
    wait_whole(smsd)
    send(smsd, signals(VISITS + 100, 900))
    new = save(smsd)
    old, = (saved.data_dir / "filters").glob("*.image")
    assert new.name != old.name
    smsd.kill9()
    shutil.copy(old, new)
    smsd.start()
    assert isinstance(read(smsd), str)
    check_all_known(smsd, VISITS + 1000, 0)
    smsd.close()
    other = Smsd(tmp_path / "other", first_start=True).start()  # with an identity of its own
    put(other, "image")
    send(other, signals(5000, 100))
    own = save(other)
    other.kill9()
    shutil.copy(old, own)
    other.start()
    assert isinstance(read(other), str)
    assert counts(send(other, signals(5000, 200))) == (100, 100, 0, 0)
    other.close()


def test_kills_at_any_moment_lose_and_invent_no_visit(tmp_path):
    """CITY-7: with an image, while one is written, and with what came after it."""
    made_up = random.Random(7)
    smsd = Smsd(tmp_path).start()
    put(smsd, "image", capacity=500)
    known, images = set(), 0
    for _ in range(12):
        for _ in range(made_up.randrange(1, 4)):
            some = [made_up.randrange(6000) for _ in range(400)]
            new = len(set(some) - known)
            answer = send(smsd, [{"mobile": mobile(n), "city": "image"} for n in some])
            assert counts(answer) == (new, 400 - new, 0, 0)
            known |= set(some)
        if made_up.random() < 0.5:
            save(smsd)
        elif made_up.random() < 0.5:
            saver = threading.Thread(target=save_quietly, args=(smsd,))
            saver.start()
            time.sleep(made_up.random() / 200)
            smsd.kill9()
            saver.join()
        if smsd.process:
            smsd.kill9()
        smsd.start()
        if made_up.random() < 0.5:
            images += read(smsd) is True
    assert images > 0
    smsd.close()


def save_quietly(smsd):
    try:
        smsd.post("/v1/jobs/city_image/run", {}, connection=smsd.unix_connection())
    except (OSError, AssertionError):
        pass  # it was killed meanwhile


def test_an_image_is_only_written_when_much_is_not_in_the_last(tmp_path):
    smsd = Smsd(tmp_path).start()
    assert smsd.post("/v1/jobs/city_image/run", {}).status == 200
    assert not (smsd.data_dir / "filters").exists()
    put(smsd, "image")
    send(smsd, signals(0, 1600))
    first = save(smsd)
    send(smsd, signals(1600, 50))
    assert save(smsd) == first
    send(smsd, signals(1650, 100))
    second = save(smsd)
    assert second != first and second.stat().st_size > 1750 * 5
    smsd.close()


def test_an_image_older_than_a_day_is_read_and_made_anew(saved, tmp_path):
    """CITY-6: visits that no window asks for go, also where every start finds an image."""
    smsd = copy_of(saved, tmp_path).start()
    wait_whole(smsd)
    smsd.advance(40 * DAY)
    wait_whole(smsd)
    assert city(smsd, "image")["filter"]["keys"] == 0
    assert counts(send(smsd, signals(0, 10))) == (10, 0, 0, 0)
    smsd.close()


def test_a_mark_that_was_taken_away_after_the_image_stays_away(smsd):
    """CITY-5, CITY-7: its message was canceled, which the image does not know."""
    prepare(smsd)
    put_thing(smsd, "/v1/products/sandbox", {"channel": "provider", "gateway": {"type": "sandbox"}, "price": 5,
                                             "batch": {"max": 100, "wait_ms": 30000}, "rate_per_second": 1})
    put_city(smsd, "image")
    people = range(4000, 4020)
    see = [{"mobile": mobile(n), "city": "image"} for n in people]
    assert counts(send(smsd, see)) == (20, 0, 0, 0)
    save(smsd)
    canceled = [n for n in people if smsd.post(f"/v1/messages/{message_of(smsd, n)}/cancel", {}).status == 200]
    assert canceled
    smsd.kill9()
    smsd.start()
    assert read(smsd) is True
    smsd.advance(31 * MINUTE)
    assert counts(send(smsd, see)) == (len(canceled), 20 - len(canceled), 0, 0)


# CITY-6


def rebuilt(smsd):
    """How many visits all rebuilds have read."""
    return next(job["done"] for job in smsd.get("/v1/jobs").body["data"] if job["name"] == "city_rebuild")


def test_one_city_is_rebuilt_and_the_others_are_not(smsd):
    for code in ("one", "two"):
        put(smsd, code, capacity=100)
        send(smsd, signals(0, 500, code))
    before, done = city(smsd, "two"), rebuilt(smsd)
    assert smsd.post("/v1/cities/one/rebuild", {}).status == 202
    deadline = time.monotonic() + 30
    while city(smsd, "one")["filter"]["rebuilding"]:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    after = city(smsd, "one")["filter"]
    assert after["rebuilt_at"] and after["keys"] == 500 and after["bytes"] < before["filter"]["bytes"]
    assert city(smsd, "two") == before and rebuilt(smsd) == done + 500, "nor are their visits read"
    for code in ("one", "two"):
        assert counts(send(smsd, signals(0, 600, code))) == (100, 500, 0, 0)


def test_signals_pour_in_while_a_city_is_rebuilt(smsd):
    """CITY-6: each is answered as it would be otherwise, in the city and beside it."""
    for code in ("pour", "beside"):
        put(smsd, code, capacity=1000)
    stop = threading.Event()
    wrong = []

    def pour(code, first):
        connection, n = smsd.unix_connection(), first
        while not stop.is_set():
            batch = signals(n, 200, code) + signals(first, min(200, n - first), code)
            answer = send(smsd, batch, connection=connection)
            if counts(answer) != (200, len(batch) - 200, 0, 0):
                wrong.append(answer)
            n += 200
        poured.append((code, first, n))
        connection.close()

    poured = []
    threads = [threading.Thread(target=pour, args=how) for how in (("pour", 0), ("pour", 500000), ("beside", 0))]
    for thread in threads:
        thread.start()
    for number in range(8):
        assert smsd.post("/v1/cities/pour/rebuild", {}).status == 202
        if number == 4:
            rebuild(smsd)
            save(smsd)
        time.sleep(0.03)
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong and len(poured) == 3
    for code, first, end in poured:
        assert counts(send(smsd, signals(first, end - first, code))) == (0, end - first, 0, 0)


# CITY-2


def test_memory_of_all_cities_is_bounded(tmp_path):
    """A city that would need too much is refused; one that outgrows the bound has its rows asked, as right as before."""
    smsd = Smsd(tmp_path, options=["--cities-memory-bytes-max", "1048576"]).start()
    put(smsd, "image", capacity=50000)
    body = {"name": "Big", "capacity": 100000, "enabled": True}
    answer = smsd.request("PUT", "/v1/cities/big", body)
    assert (answer.status, answer.code) == (409, "cities_memory_full"), answer
    assert smsd.get("/v1/cities/big").status == 404
    answer = smsd.request("PUT", "/v1/cities/image", {**body, "capacity": 1000000})
    assert answer.code == "cities_memory_full" and city(smsd, "image")["capacity"] == 50000
    put(smsd, "small", capacity=1000)
    for n in range(20):
        assert counts(send(smsd, signals(n * 10000, 10000))) == (10000, 0, 0, 0)
    assert city(smsd, "image")["filter"] is None
    assert counts(send(smsd, signals(190000, 20000))) == (10000, 10000, 0, 0)
    assert counts(send(smsd, signals(0, 10, "small"))) == (10, 0, 0, 0) and city(smsd, "small")["filter"]["keys"] == 10
    assert not (smsd.data_dir / "filters").exists() and smsd.post("/v1/jobs/city_image/run", {}).status == 200
    assert [metric(smsd, f"smsd_{name}") for name in ("cities", "cities_without_memory", "city_image_timestamp_seconds")
            ] == [2, 1, 0]
    assert metric(smsd, "smsd_cities_memory_bytes") <= 1048576
    rebuild(smsd)
    assert city(smsd, "image")["filter"] is None and city(smsd, "small")["filter"]["keys"] == 10
    smsd.close()
