"""The other end of the HTTP client, played by hand: what it accepts, reads and answers is the test's to say.
And the program that calls."""

import socket
import struct
import subprocess
import threading

SECONDS_MAX = 20


class Request:
    def __init__(self, line, headers, body):
        self.method, self.target, self.version = line.split(" ")
        self.headers = headers  # (name, value) in order
        self.body = body

    def header(self, name):
        values = [value for other, value in self.headers if other.lower() == name.lower()]
        assert len(values) <= 1, self.headers
        return values[0] if values else None


class Peer:
    """One connection of the client's."""

    def __init__(self, connected):
        self.socket = connected
        self.socket.settimeout(SECONDS_MAX)
        self.pending = b""

    def _more(self):
        piece = self.socket.recv(1 << 16)
        self.pending += piece
        return len(piece) != 0

    def request(self):
        """The next request, whole."""
        while b"\r\n\r\n" not in self.pending:
            assert self._more(), f"closed before a request: {self.pending!r}"
        head, self.pending = self.pending.split(b"\r\n\r\n", 1)
        line, *lines = head.decode("latin-1").split("\r\n")
        headers = [tuple(line.split(": ", 1)) for line in lines]
        size = int(dict((name.lower(), value) for name, value in headers).get("content-length", "0"))
        while len(self.pending) < size:
            assert self._more(), "closed in the middle of a request"
        body, self.pending = self.pending[:size], self.pending[size:]
        return Request(line, headers, body)

    def some(self):
        """Whatever the client has sent so far."""
        self._more()

    def send(self, data):
        self.socket.sendall(data.encode("latin-1") if isinstance(data, str) else data)
        return self

    def send_quietly(self, data):
        """The client may have closed already."""
        try:
            self.send(data)
        except OSError:
            pass

    def answer(self, body="", status="200 OK", headers=""):
        return self.send(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n{body}")

    def is_closed(self):
        """Waits until the client closes; False: it sends something."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def close(self):
        self.socket.close()

    def reset(self):
        """As if the machine had gone."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


class Provider:
    """Listens; the test accepts. `context`: of ssl, for TLS."""

    def __init__(self, host="127.0.0.1", context=None, name=None, backlog=64):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.socket(family)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((host, 0))
        self.socket.listen(backlog)
        self.socket.settimeout(SECONDS_MAX)
        self.port = self.socket.getsockname()[1]
        self.context = context
        shown = name or (f"[{host}]" if ":" in host else host)
        self.url = f"{'https' if context else 'http'}://{shown}:{self.port}"

    def accept_raw(self):
        return self.socket.accept()[0]

    def accept(self):
        connected = self.accept_raw()
        connected.settimeout(SECONDS_MAX)
        return Peer(self.context.wrap_socket(connected, server_side=True) if self.context else connected)

    def nobody_connects(self, seconds=0.2):
        self.socket.settimeout(seconds)
        try:
            self.socket.accept()
            return False
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(SECONDS_MAX)

    def close(self):
        self.socket.close()


class Done:
    """How a call ended."""

    def __init__(self, words):
        self.name, self.error, was_sent, status, self.detail, headers, body = words
        self.was_sent = was_sent == "1"
        self.status = int(status)
        self.headers = [tuple(header.split(":", 1)) for header in headers.split(",") if header]
        self.body = bytes.fromhex(body)

    @property
    def text(self):
        return self.body.decode("latin-1")

    def __repr__(self):
        return f"<{self.error} {self.detail!r} was_sent={self.was_sent} {self.status} {self.body[:200]!r}>"


class Caller:
    """tests/http/caller.c at work. Its output is read as it comes, so that it never waits for us."""

    def __init__(self, program, options):
        arguments = [f"{name}={value}" for name, value in options.items()]
        self.process = subprocess.Popen([program, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        self.ended = {}
        self.said = []
        self.changed = threading.Condition()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            words = line.rstrip("\n").split("\t")
            with self.changed:
                if words[0] == "done":
                    assert words[1] not in self.ended, f"{words[1]} ended twice"
                    self.ended[words[1]] = Done(words[1:])
                else:
                    self.said.append(words)
                self.changed.notify_all()

    def tell(self, *words):
        self.tell_at_once(words)

    def tell_at_once(self, *lines):
        """They are obeyed one behind the other, with nothing in between."""
        self.process.stdin.write("".join("\t".join(words) + "\n" for words in lines))
        self.process.stdin.flush()

    def call(self, name, url, *options, method="GET"):
        self.tell("call", name, method, url, *options)

    def cancel(self, name):
        self.tell("cancel", name)

    def done(self, name):
        """Waits for the call's end."""
        with self.changed:
            assert self.changed.wait_for(lambda: name in self.ended, SECONDS_MAX), f"{name} does not end"
            return self.ended[name]

    def connections(self):
        """How many the client has. All that was told before has been done by then."""
        with self.changed:
            before = len(self.said)
            self.tell("connections")
            assert self.changed.wait_for(lambda: len(self.said) > before, SECONDS_MAX)
            return int(self.said[-1][1])

    def finish(self):
        """Exit status and what it said on the way out: the loop must have come to its end by itself."""
        self.process.stdin.close()
        try:
            status = self.process.wait(SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = "it did not end"
        self.reader.join(SECONDS_MAX)
        return status, self.process.stderr.read()
