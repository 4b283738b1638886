"""What every end-to-end test can ask for."""

import itertools

import pytest

import smsd as harness
from receiver import Receiver
from webhook import send_to


@pytest.fixture(scope="session", autouse=True)
def no_process_is_left():
    yield
    harness.kill_leftovers()


has_failed = pytest.StashKey[bool]()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if call.when == "call":
        item.stash[has_failed] = outcome.get_result().failed


@pytest.fixture
def smsd(tmp_path, request):
    """A smsd of the test's own, which may be killed and restarted. Whatever the test did, smsd must end
    in order and leave data that `smsd verify` accepts."""
    server = harness.Smsd(tmp_path).start()
    yield server
    server.close(keep=request.node.stash.get(has_failed, True))


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A smsd for all tests of a file that neither stop it nor move its clock nor need an empty one."""
    server = harness.Smsd(tmp_path_factory.mktemp("shared")).start()
    yield server
    server.close()


account_numbers = itertools.count(1)


@pytest.fixture
def account():
    """An account id that no other test uses."""
    return f"user.{next(account_numbers)}"


@pytest.fixture
def other():
    return f"user.{next(account_numbers)}"


@pytest.fixture
def receiver():
    one = Receiver()
    yield one
    one.close()


@pytest.fixture
def start_telling(tmp_path):
    """Starts a smsd whose webhooks go to `url`, if there is one; further options behind it."""
    started = []

    def start(url, *options, private=True):
        allowed = ["--webhooks-allow-private"] if private else []
        started.append(harness.Smsd(tmp_path, options=[*allowed, *options]).start())
        if url:
            send_to(started[0], url)
        return started[0]

    yield start
    for server in started:
        server.close()
