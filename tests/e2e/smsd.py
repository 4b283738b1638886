"""One smsd process under test: started on ports of its own over a data directory of its own, spoken to over
the wire, killed, restarted and stopped. What the contract says of every answer is checked on every answer
here, so that no test has to. SMSD_BINARY names the binary (default: the sanitize build)."""

import atexit
import ctypes
import functools
import http.client
import io
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
START_SECONDS_MAX = 60
STOP_SECONDS_MAX = 60
ANSWER_SECONDS_MAX = 60
SANITIZER_SPEAKS = re.compile(r"(?:ERROR|WARNING): \w*Sanitizer|SUMMARY: \w*Sanitizer|: runtime error: ")
PR_SET_PDEATHSIG = 1
THREAD_MAP_BYTES = str(1 << 34)  # the thread sanitizer leaves no room for the map that is the default

running = set()  # every process under way, to be killed when the tests end


def binary_path():
    return pathlib.Path(os.environ.get("SMSD_BINARY", ROOT / "build/sanitize/smsd"))


def variant():
    """Which build is under test: "release", "debug", "sanitize" or "thread"."""
    folder = binary_path().parent.name
    return folder if folder in ("debug", "sanitize", "thread") else "release"


class StartFailed(Exception):
    """smsd ended instead of listening."""

    def __init__(self, status, said):
        super().__init__(f"smsd exited with status {status}:\n{said}")
        self.status = status
        self.said = said


class Answer:
    """One HTTP answer. `body` is the JSON value, strictly read; `replayed` tells an idempotent replay."""

    def __init__(self, status, headers, raw):
        self.status = status
        self.headers = headers  # names in lower case
        self.raw = raw

    @property
    def body(self):
        return json.loads(self.raw, object_pairs_hook=unrepeated)

    @property
    def code(self):
        return self.body.get("code") if self.is_problem else None

    @property
    def is_problem(self):
        return self.headers.get("content-type", "").startswith("application/problem+json")

    @property
    def replayed(self):
        return self.headers.get("idempotent-replayed") == "true"

    @property
    def pointers(self):
        """Where a 422 says the errors are."""
        return sorted(error["pointer"] for error in self.body.get("errors", []))

    def __repr__(self):
        return f"<{self.status} {'(replayed) ' if self.replayed else ''}{self.raw.decode(errors='replace')}>"


def unrepeated(pairs):
    names = [name for name, _ in pairs]
    assert len(names) == len(set(names)), f"an object names a member twice: {names}"
    return dict(pairs)


def check_everywhere(answer, has_test_clock):
    """What holds for each answer (API.md, "Everywhere")."""
    assert answer.headers.get("x-request-id"), f"no X-Request-Id: {answer}"
    assert has_test_clock == ("x-test-clock" in answer.headers), f"X-Test-Clock: {answer}"
    if answer.status < 400:
        assert not answer.is_problem, answer
    elif answer.raw:
        assert answer.is_problem, f"an error is a problem+json: {answer.headers} {answer}"
        problem = answer.body
        assert problem["type"] == "about:blank" and problem["status"] == answer.status, answer
        assert problem["title"] and re.fullmatch(r"[a-z][a-z0-9_]*", problem["code"]), answer
        for error in problem.get("errors", []):
            assert error["pointer"] == "" or error["pointer"].startswith("/"), answer
            assert error["detail"], answer
    if answer.status in (429, 503):
        assert answer.headers.get("retry-after"), f"no Retry-After: {answer}"


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def answer_of(response):
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, headers, response.read())


@functools.cache
def blank(binary):
    """A data directory as a first start leaves it, made once and copied for most tests: its journal is 128 MiB
    of zeros, and writing them took longer than many a test. In copies they are holes; so tests of kills and of
    faulty disks have theirs made by the start they see (`first_start`)."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="smsd-blank-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    first = Smsd(folder, binary=binary, test_clock=False, first_start=True).start()
    deadline = time.monotonic() + START_SECONDS_MAX
    while len(segments := [path for path in (first.data_dir / "journal").iterdir() if path.name != "preparing"]) < 2:
        assert time.monotonic() < deadline, segments
        time.sleep(0.01)
    first.stop()
    copy_data(first.data_dir, folder / "blank", "--sparse=always")
    shutil.rmtree(first.data_dir)
    return folder / "blank"


def copy_data(data_dir, to, *options):
    """Of a smsd that is not running; what is a hole in it stays one."""
    subprocess.run(["cp", "-a", *options, data_dir, to], check=True)


class Smsd:
    """`options` are further arguments of the command line; `environment` further variables. `first_start`: there
    is no data directory before the first start."""

    def __init__(self, folder, *, options=(), environment=None, test_clock=True, binary=None, data_dir=None,
                 first_start=False):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.data_dir = pathlib.Path(data_dir or self.folder / "data")
        self.socket_path = self.folder / "smsd.sock"
        self.log_path = self.folder / "smsd.log"
        self.binary = str(binary or binary_path())
        self.options = list(options)
        self.environment = dict(environment or {})
        self.test_clock = test_clock
        self.first_start = first_start or data_dir is not None
        self.process = None
        self.host = self.port = None
        self.log_start = 0  # where in the log the present process began
        self.connections = threading.local()
        self.generation = 0  # counts starts: connections to an earlier process are void

    # Starting and ending.

    def command(self):
        return [self.binary, "--data-dir", str(self.data_dir), "--listen", "127.0.0.1:0",
                "--listen", f"unix:{self.socket_path}", *(["--test-clock"] if self.test_clock else []),
                *(["--map-bytes-max", THREAD_MAP_BYTES] if variant() == "thread" else []), *self.options]

    def start(self):
        """Starts it and waits until it serves. Raises StartFailed if it ends instead."""
        assert self.process is None, "already running"
        if not self.first_start and not self.data_dir.exists():
            copy_data(blank(self.binary), self.data_dir)
        self.log_start = self.log_path.stat().st_size if self.log_path.exists() else 0
        self.generation += 1
        with self.log_path.open("ab") as log:
            self.process = spawn(self.command(), self.environment, stderr=log, stdout=log)
        deadline = time.monotonic() + START_SECONDS_MAX
        while not self.is_ready():
            if self.process.poll() is not None:
                raise StartFailed(self.wait_end(), self.said())
            assert time.monotonic() < deadline, f"not ready after {START_SECONDS_MAX} s:\n{self.said()}"
            time.sleep(0.005)
        return self

    def is_ready(self):
        """Does it listen, and serve? Finds out where it listens."""
        addresses = self.listening()
        if len(addresses) < 2:
            return False
        tcp = next(address for address in addresses if not address.startswith("unix:"))
        self.host, port = tcp.rsplit(":", 1)
        self.port = int(port)
        try:
            return self.get("/readyz", key=None).status == 200
        except (OSError, http.client.HTTPException):
            return False  # it ended meanwhile, as start() will see

    def said(self):
        """What the present process, or the last one, wrote."""
        if not self.log_path.exists():
            return ""
        with self.log_path.open("rb") as log:
            log.seek(self.log_start)
            return log.read().decode(errors="replace")

    def events(self, name=None):
        """The JSON lines of the log, or those of one event."""
        found = []
        for line in self.said().splitlines(keepends=True):
            if line.startswith("{") and line.endswith("\n"):
                event = json.loads(line)
                if name in (None, event.get("event")):
                    found.append(event)
        return found

    def listening(self):
        return [event["address"] for event in self.events("listening")]

    def reap(self, seconds=STOP_SECONDS_MAX):
        status = self.process.wait(timeout=seconds)
        running.discard(self.process)
        return status

    def wait_end(self, seconds=STOP_SECONDS_MAX):
        """Waits for it to end by itself; its exit status, negative for a signal."""
        status, self.process = self.reap(seconds), None
        return status

    def kill9(self):
        self.process.kill()
        self.wait_end()

    def stop(self, with_signal=signal.SIGTERM):
        """Asks it to end: it must do so with status 0 and without a word from a sanitizer."""
        self.hang_up()
        self.process.send_signal(with_signal)
        try:
            status = self.wait_end()
        except subprocess.TimeoutExpired:
            self.kill9()
            raise AssertionError(f"still there {STOP_SECONDS_MAX} s after the signal:\n{self.said()}") from None
        assert status == 0, f"ended with status {status}:\n{self.said()}"
        self.check_log()

    def restart(self):
        if self.process:
            self.stop()
        return self.start()

    def check_log(self):
        found = SANITIZER_SPEAKS.search(self.said())
        assert not found, self.said()

    def verify(self):
        """`smsd verify` over the data directory of a smsd that is not running; its summary."""
        done = run(["verify", "--data-dir", str(self.data_dir)], self.binary)
        assert done.returncode == 0, f"verify: status {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def close(self, keep=False):
        """Ends it the orderly way if it runs, verifies what it leaves behind, and unless told to keep it
        removes it: a journal takes 128 MiB."""
        if self.process:
            self.stop()
        self.verify()
        if not keep:
            shutil.rmtree(self.data_dir)

    # Speaking to it.

    @property
    def admin_key(self):
        return (self.data_dir / "admin.key").read_text().strip()

    def connection(self):
        """This thread's connection to the present process."""
        kept = self.connections
        if getattr(kept, "generation", None) != self.generation:
            kept.connection = http.client.HTTPConnection(self.host, self.port, timeout=ANSWER_SECONDS_MAX)
            kept.generation = self.generation
        return kept.connection

    def hang_up(self):
        """Closes this thread's connection, so that smsd need not wait for it."""
        if getattr(self.connections, "generation", None) == self.generation:
            self.connections.connection.close()

    def request(self, method, path, body=None, *, key="admin", idempotency=None, headers=None,
                connection=None):
        """One request. `body`: a value written as JSON, or text or bytes sent as they are. `key`: "admin",
        another bearer key, or None for none. A connection that breaks is not tried again."""
        connection = connection or self.connection()
        sent = {"Authorization": f"Bearer {self.admin_key if key == 'admin' else key}"} if key else {}
        if body is not None:
            sent["Content-Type"] = "application/json"
            body = body if isinstance(body, (str, bytes)) else json.dumps(body)
            body = body.encode() if isinstance(body, str) else body
        if idempotency is not None:
            sent["Idempotency-Key"] = idempotency
        sent.update(headers or {})
        try:
            connection.request(method, path, body, sent)
            answer = answer_of(connection.getresponse())
        except (OSError, http.client.HTTPException):
            connection.close()
            self.complain_if_dead(f"{method} {path}")
            raise
        check_everywhere(answer, self.test_clock)
        return answer

    def complain_if_dead(self, what):
        if self.process and self.process.poll() is not None:
            raise ConnectionError(f"{what}: smsd ended with {self.process.returncode}:\n{self.said()}")

    def get(self, path, **how):
        return self.request("GET", path, **how)

    def post(self, path, body=None, **how):
        return self.request("POST", path, body, **how)

    def put(self, path, body=None, **how):
        return self.request("PUT", path, body, **how)

    def patch(self, path, body=None, **how):
        return self.request("PATCH", path, body, **how)

    def unix_connection(self):
        return UnixConnection(str(self.socket_path), ANSWER_SECONDS_MAX)

    def advance(self, seconds):
        """Moves the test clock; everything that falls due has run when this returns."""
        answer = self.post("/v1/test_clock/advance", {"seconds": seconds})
        assert answer.status == 200, answer
        return answer

    def request_bytes(self, method, path, body=None, *, key="admin", headers=()):
        """A request as it goes over the wire, for pipelining."""
        body = b"" if body is None else json.dumps(body).encode()
        lines = [f"{method} {path} HTTP/1.1", "Host: smsd", f"Content-Length: {len(body)}"]
        if key:
            lines.append(f"Authorization: Bearer {self.admin_key if key == 'admin' else key}")
        if body:
            lines.append("Content-Type: application/json")
        return "\r\n".join([*lines, *headers, "", ""]).encode() + body

    def exchange(self, sent, count=None):
        """Sends bytes over a connection of their own. The answers: `count` of them, or all until smsd
        closes the connection."""
        answers = []
        with socket.create_connection((self.host, self.port), timeout=ANSWER_SECONDS_MAX) as stream:
            sender = threading.Thread(target=send_quietly, args=(stream, sent), daemon=True)
            sender.start()
            reader = PipelineReader(stream)
            while count is None or len(answers) < count:
                answer = reader.answer()
                if answer is None:
                    break
                check_everywhere(answer, self.test_clock)
                answers.append(answer)
            sender.join(ANSWER_SECONDS_MAX)
        return answers

    def pipeline(self, requests):
        """Sends (method, path, body[, headers]) requests all at once over one connection; the answers in
        order."""
        sent = b"".join(self.request_bytes(*request[:3], headers=request[3] if len(request) > 3 else ())
                        for request in requests)
        answers = self.exchange(sent, len(requests))
        assert len(answers) == len(requests), f"{len(answers)} answers to {len(requests)} requests"
        return answers


class PipelineReader:
    """Reads answers from one connection, one behind the other."""

    def __init__(self, stream):
        self.file = stream.makefile("rb")

    def makefile(self, *_arguments):
        return Unclosed(self.file)

    def answer(self):
        """None at the end of the connection."""
        try:
            if not self.file.peek(1):
                return None
        except ConnectionResetError:
            return None
        response = http.client.HTTPResponse(self)
        response.begin()
        return answer_of(response)


class Unclosed(io.BufferedIOBase):
    """A reader that survives the response it is lent to."""

    def __init__(self, file):
        super().__init__()
        self.file = file

    def read(self, size=-1):
        return self.file.read(size)

    def readinto(self, buffer):
        return self.file.readinto(buffer)

    def readline(self, size=-1):
        return self.file.readline(size)


def send_quietly(stream, sent):
    try:
        stream.sendall(sent)
    except OSError:
        pass  # the answer to what was sent tells why


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def sanitizer_environment():
    return {"ASAN_OPTIONS": "detect_leaks=1:exitcode=99", "UBSAN_OPTIONS": "print_stacktrace=1",
            "LSAN_OPTIONS": "exitcode=99"}


def spawn(command, environment=None, **how):
    process = subprocess.Popen(command, env={**os.environ, **sanitizer_environment(), **(environment or {})},
                               stdin=subprocess.DEVNULL, preexec_fn=die_with_parent, **how)
    running.add(process)
    return process


def run(arguments, binary=None, environment=None, seconds=STOP_SECONDS_MAX):
    """smsd with these arguments, to its end."""
    return subprocess.run([str(binary or binary_path()), *arguments], capture_output=True, text=True,
                          env={**os.environ, **sanitizer_environment(), **(environment or {})},
                          timeout=seconds, check=False, preexec_fn=die_with_parent)


def kill_leftovers():
    for process in list(running):
        process.kill()
        process.wait()
        running.discard(process)
