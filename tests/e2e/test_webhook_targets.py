"""Where webhooks may not go (SMS-20): nobody has smsd call what only it can reach."""

import socket
import ssl
import sys

import pytest

from receiver import Receiver
from smsd import ROOT
from webhook import attempted, cross, send_to, settled, webhooks

sys.path.append(str(ROOT / "tests/http"))
from certificates import Authority  # noqa: E402

FORBIDDEN_HOSTS = ["127.0.0.1", "127.9.9.9", "[::1]", "169.254.169.254", "10.1.2.3", "172.16.0.1", "192.168.1.1",
                   "100.64.0.1", "0.0.0.0", "[::]", "[::ffff:127.0.0.1]", "[::ffff:10.0.0.1]", "[fe80::1]",
                   "[fd00::1]", "[64:ff9b::7f00:1]", "2130706433", "0x7f000001", "0x7f.1", "017700000001", "127.1",
                   "localhost", "LOCALHOST"]


@pytest.mark.parametrize("host", FORBIDDEN_HOSTS)
def test_an_address_that_is_not_public_is_not_called(start_telling, host):
    """SMS-20: whatever way it is spelt, and whatever name resolves to it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        smsd = start_telling(f"https://{host}:{listener.getsockname()[1]}/hook", private=False)
        cross(smsd)
        found = attempted(smsd, webhooks(smsd)[0], 1)
        assert found["error"] in ("forbidden_address", "resolve", "forbidden_url") and found["last_status"] is None
        with pytest.raises(BlockingIOError):
            listener.accept()


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost", "[::ffff:127.0.0.1]"])
def test_it_is_the_address_that_forbids(start_telling, host):
    smsd = start_telling(f"https://{host}:8443/hook", private=False)
    cross(smsd)
    assert attempted(smsd, webhooks(smsd)[0], 1)["error"] == "forbidden_address"


@pytest.mark.parametrize("url", ["https://example.com:25/hook", "https://user@example.com/", "https:///hook",
                                 "https://example.com/#part", "ftp://example.com/", "https://:443/"])
def test_a_url_that_is_not_allowed_is_refused(shared, url):
    answer = shared.request("PUT", "/v1/settings/webhook_url", {"value": url})
    assert answer.status == 422 and answer.pointers == ["/value"]


def test_plain_http_is_not_called(start_telling):
    smsd = start_telling("http://example.com/hook", private=False)
    cross(smsd)
    found = attempted(smsd, webhooks(smsd)[0], 1)
    assert found["error"] == "forbidden_url" and found["status"] == "pending"


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "authority")


@pytest.fixture
def receivers():
    """Makes receivers over TLS with certificates of these hosts."""
    made = []

    def make(authority, *hosts):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*authority.sign(f"receiver{len(made)}", hosts))
        made.append(Receiver(context))
        return made[-1]

    yield make
    for receiver in made:
        receiver.close()


def test_a_receiver_over_tls_proves_who_it_is(start_telling, authority, receivers):
    """SMS-20, OPS-3"""
    good, other = receivers(authority, "IP:127.0.0.1"), receivers(authority, "DNS:example.com")
    smsd = start_telling(good.url(), "--tls-ca-file", str(authority.file))
    cross(smsd)
    assert settled(smsd, "delivered")[0]["last_status"] == 200 and len(good.at()) == 1
    send_to(smsd, other.url())
    cross(smsd)
    assert attempted(smsd, webhooks(smsd)[0], 1)["error"] == "tls" and other.at() == []


def test_an_authority_that_nobody_has_heard_of_proves_nothing(start_telling, authority, receivers):
    receiver = receivers(authority, "IP:127.0.0.1")
    smsd = start_telling(receiver.url())
    cross(smsd)
    assert attempted(smsd, webhooks(smsd)[0], 1)["error"] == "tls" and receiver.at() == []
