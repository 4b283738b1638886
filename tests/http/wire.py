"""HTTP by hand: bytes out, replies in, nothing added or forgiven."""

import array
import fcntl
import json
import socket
import termios
import time

SECONDS_MAX = 20


class Reply:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers  # names in lower case
        self.body = body

    @property
    def text(self):
        return self.body.decode("latin-1")

    @property
    def code(self):
        """Of a problem body; None for another."""
        if self.headers.get("content-type") != "application/problem+json":
            return None
        return json.loads(self.body)["code"]


class Client:
    def __init__(self, address):
        if address.startswith("unix:"):
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.socket.settimeout(SECONDS_MAX)
            self.socket.connect(address[5:])
        else:
            host, _, port = address.rpartition(":")
            self.socket = socket.create_connection((host.strip("[]"), int(port)), SECONDS_MAX)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.pending = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data.encode("latin-1") if isinstance(data, str) else data)

    def wait_until_read(self):
        """Until the server has read what was sent; over TCP, until its kernel has it."""
        unread = array.array("i", [1])
        deadline = time.monotonic() + SECONDS_MAX
        while unread[0] != 0:
            assert time.monotonic() < deadline, f"{unread[0]} bytes are not taken"
            fcntl.ioctl(self.socket, termios.TIOCOUTQ, unread)
            time.sleep(0)

    def wait_until_acknowledged(self):
        """Until the peer's kernel has what was sent, and the peer a moment to read it."""
        self.wait_until_read()
        time.sleep(0.05)

    def has_more(self):
        return self._more()

    def send_quietly(self, data):
        """The server may have closed already."""
        try:
            self.send(data)
        except OSError:
            pass

    def finish(self):
        """Nothing more will be sent."""
        self.socket.shutdown(socket.SHUT_WR)

    def _more(self):
        piece = self.socket.recv(1 << 20)
        self.pending += piece
        return len(piece) != 0

    def _take(self, count):
        while len(self.pending) < count:
            assert self._more(), f"closed in the middle of a reply: {self.pending!r}"
        taken, self.pending = self.pending[:count], self.pending[count:]
        return taken

    def reply(self, is_head=False):
        """The next reply, checked for form."""
        while b"\r\n\r\n" not in self.pending:
            assert self._more(), f"closed before a reply: {self.pending!r}"
        head = self._take(self.pending.index(b"\r\n\r\n") + 4).decode("latin-1")
        status_line, *lines = head[:-4].split("\r\n")
        version, status, _reason = status_line.split(" ", 2)
        assert version == "HTTP/1.1"
        names = [line.partition(":")[0].lower() for line in lines]
        assert len(names) == len(set(names)), f"a header twice: {head}"
        headers = {line.partition(": ")[0].lower(): line.partition(": ")[2] for line in lines}
        size = 0 if is_head else int(headers.get("content-length", "0"))
        return Reply(int(status), headers, self._take(size))

    def rest(self):
        """Everything until the server closes."""
        while self._more():
            pass
        rest, self.pending = self.pending, b""
        return rest

    def is_silent(self, seconds):
        """Nothing comes for so long."""
        if self.pending:
            return False
        self.socket.settimeout(seconds)
        try:
            return self._more()  # False: closed
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(SECONDS_MAX)


def get(path="/", headers="", version="1.1"):
    return f"GET {path} HTTP/{version}\r\nHost: test\r\n{headers}\r\n"


def post(path="/", body="", headers=""):
    return f"POST {path} HTTP/1.1\r\nHost: test\r\nContent-Length: {len(body)}\r\n{headers}\r\n{body}"


def chunked(path="/", body="", headers=""):
    return f"POST {path} HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n{headers}\r\n{body}"
