"""Kannel: its bearerbox and smsbox on ports of their own, and its fakesmsc, which plays the network. The programs
come from Debian's packages, unpacked by tests/install and not installed: nothing of them starts by itself."""

import pathlib
import re
import socket
import subprocess
import time

from smsd import ROOT, running, spawn

UNPACKED = ROOT / "build/deps/kannel/usr"
START_SECONDS_MAX = 60

CONFIGURATION = """
group = core
admin-port = {admin}
admin-interface = 127.0.0.1
admin-password = secret-of-admin
smsbox-port = {box}
smsbox-interface = 127.0.0.1
box-allow-ip = 127.0.0.1
dlr-storage = internal

group = smsc
smsc = fake
smsc-id = fake
our-host = 127.0.0.1
port = {smsc}
connect-allow-ip = 127.0.0.1

group = smsbox
bearerbox-host = 127.0.0.1
bearerbox-port = {box}
sendsms-port = {sendsms}
sendsms-interface = 127.0.0.1

group = sendsms-user
username = smsd
password = secret-of-smsd
concatenation = true
max-messages = 10

group = sms-service
keyword = default
max-messages = 0
catch-all = true
{service}
"""


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Kannel:
    """`callback`: where it brings what people say; then there is no network before `say`."""

    def __init__(self, folder, callback=None):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir()
        names = ("admin", "box", "smsc", "sendsms")
        self.ports = dict(zip(names, free_ports(len(names))))
        configuration = self.folder / "kannel.conf"
        service = f'get-url = "{callback}"' if callback else 'text = "none"'
        configuration.write_text(CONFIGURATION.format(service=service, **self.ports))
        self.processes = []
        self.run("sbin/bearerbox", "-v", "1", str(configuration))
        self.wait_port("box")
        self.run("sbin/smsbox", "-v", "1", str(configuration))
        self.wait_port("sendsms")
        self.wait_port("smsc")
        self.network_log = None if callback else self.network("-m", "0", "1 2 text nop")

    @property
    def url(self):
        return f"http://127.0.0.1:{self.ports['sendsms']}"

    def network(self, *arguments):
        return self.run("lib/kannel/test/fakesmsc", "-H", "127.0.0.1", "-r", str(self.ports["smsc"]), "-i", "1000",
                        *arguments)

    def say(self, sender, recipient, text):
        """Somebody sends a message."""
        self.network("-m", "1", f"{sender} {recipient} text {text}")

    def run(self, program, *arguments):
        log = self.folder / (pathlib.Path(program).name + ".log")
        with log.open("wb") as output:
            self.processes.append(spawn([str(UNPACKED / program), *arguments], {}, stdout=output,
                                        stderr=subprocess.STDOUT))
        return log

    def said(self):
        return "\n".join(log.read_text(errors="replace")[-2000:] for log in self.folder.glob("*.log"))

    def wait_port(self, name):
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.ports[name]), timeout=1).close()
                return
            except OSError:
                assert time.monotonic() < deadline, self.said()
                time.sleep(0.05)

    def received(self):
        """What reached the network: (sender, recipient, text), each."""
        found = re.findall(r"Got message \d+: <(\S+) (\S+) ucs-2 (\S+)>", self.network_log.read_text(errors="replace"))
        return [(sender, to, ucs2_of(text).decode("utf-16-be")) for sender, to, text in found]

    def close(self):
        for process in reversed(self.processes):
            process.kill()
            process.wait()
            running.discard(process)


def ucs2_of(text):
    """Kannel's own way of writing bytes: %XX, + for a space, the rest as it is."""
    return re.sub(rb"%([0-9A-Fa-f]{2})", lambda match: bytes.fromhex(match.group(1).decode()),
                  text.encode().replace(b"+", b" "))
