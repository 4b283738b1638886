"""A receiver of webhooks under the tests' control: answers each path as it is told, keeps what came, and has
signatures verified by the reference library of Standard Webhooks (the npm package `standardwebhooks`)."""

import collections
import http.server
import json
import pathlib
import subprocess
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
WAIT_SECONDS_MAX = 30

# What came: `headers` have lower-case names, `body` is bytes.
Hook = collections.namedtuple("Hook", "path headers body")


class Receiver:
    """`answers[path]` is a status, (status, headers), or a function of the hook that returns one of these
    and may take its time; 200 where nothing is said."""

    def __init__(self, tls=None):
        """`tls`: an SSLContext, for https."""
        self.answers = {}
        self.hooks = []
        self.changed = threading.Condition()
        self.under_way = collections.Counter()  # by path
        self.most_under_way = collections.Counter()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler_of(self))
        self.server.daemon_threads = True
        self.scheme = "https" if tls else "http"
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True,
                                                 do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def url(self, path="/hook"):
        return f"{self.scheme}://127.0.0.1:{self.port}{path}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def take(self, hook):
        path = hook.path.partition("?")[0]
        with self.changed:
            self.hooks.append(hook)
            self.under_way[path] += 1
            self.most_under_way[path] = max(self.most_under_way[path], self.under_way[path])
            self.changed.notify_all()
        answer = self.answers.get(path, 200)
        answer = answer(hook) if callable(answer) else answer
        with self.changed:
            self.under_way[path] -= 1
        return answer if isinstance(answer, tuple) else (answer, {})

    def at(self, path="/hook"):
        """What came to the path so far, in order."""
        with self.changed:
            return [hook for hook in self.hooks if hook.path.partition("?")[0] == path]

    def wait(self, count=1, path="/hook"):
        """Waits until at least so many came to the path; all of them."""
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        with self.changed:
            while True:
                found = [hook for hook in self.hooks if hook.path.partition("?")[0] == path]
                if len(found) >= count:
                    return found
                left = deadline - time.monotonic()
                assert left > 0, f"{len(found)} of {count} webhooks came to {path}"
                self.changed.wait(left)


def handler_of(receiver):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle(self):
            try:
                super().handle()
            except OSError:
                pass  # smsd has gone, or did not trust the certificate

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hook = Hook(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            status, headers = receiver.take(hook)
            try:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()
            except OSError:
                self.close_connection = True  # smsd has gone

        def log_message(self, *_arguments):
            pass

    return Handler


def verified(hooks, secret, at=None):
    """What the reference library reads from each: its payload, or None if it refuses the signature. `at` is the
    time it takes for now, in seconds; by default each hook's own."""
    asked = {"secret": secret, "hooks": [{"headers": hook.headers, "body": hook.body.decode(),
                                          "at": at or int(hook.headers["webhook-timestamp"])} for hook in hooks]}
    done = subprocess.run(["node", str(ROOT / "tests/e2e/verify_webhooks.js")], input=json.dumps(asked), text=True,
                          capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
