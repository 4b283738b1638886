"""A provider over HTTP, played by the test: notes what it is sent, answers as it is told, calls back."""

import base64
import http.client
import http.server
import json
import threading
import time
import urllib.parse

WAIT_SECONDS_MAX = 60


class Request:
    """One request as it came."""

    def __init__(self, handler, body):
        self.method = handler.command
        self.path, _, self.raw_query = handler.path.partition("?")
        self.query = dict(urllib.parse.parse_qsl(self.raw_query, keep_blank_values=True))
        self.headers = {name.lower(): value for name, value in handler.headers.items()}
        self.body = body
        self.at = time.monotonic()

    @property
    def form(self):
        return dict(urllib.parse.parse_qsl(self.body.decode(), keep_blank_values=True, strict_parsing=True))

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def basic(self):
        scheme, _, rest = self.headers.get("authorization", "").partition(" ")
        return base64.b64decode(rest).decode() if scheme == "Basic" else None


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request, client_address):
        pass  # who was killed while it was answered hangs up


class Provider:
    """`answer(request)` returns a status and a body: bytes, a text, or what is written as JSON. None as the
    body of status 0 hangs up without an answer."""

    def __init__(self, answer=None, port=0):
        self.answer = answer or (lambda request: (200, {"id": f"p{len(self.requests)}"}))
        self.requests = []
        self.changed = threading.Condition()
        provider = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def answer_it(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                request = Request(self, body)
                with provider.changed:
                    provider.requests.append(request)
                    provider.changed.notify_all()
                status, said = provider.answer(request)
                if status == 0:
                    self.close_connection = True
                    return
                said = json.dumps(said) if isinstance(said, (dict, list)) else said
                said = said.encode() if isinstance(said, str) else said
                self.send_response(status)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            do_GET = do_POST = do_PUT = answer_it

            def log_message(self, *_arguments):
                pass

        self.server = Server(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def wait(self, count, what=lambda request: True):
        """Waits until so many requests of that kind have come; they."""
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        with self.changed:
            while True:
                found = [request for request in self.requests if what(request)]
                if len(found) >= count:
                    return found
                assert self.changed.wait(deadline - time.monotonic()), f"only {len(found)} of {count} requests came"

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.close()


def call_back(smsd, product, *, form=None, body=None, query="", headers=None, method=None):
    """A callback as a provider makes it; status and text of the answer."""
    connection = http.client.HTTPConnection(smsd.host, smsd.port, timeout=WAIT_SECONDS_MAX)
    sent = dict(headers or {})
    if form is not None:
        body = urllib.parse.urlencode(form)
        sent.setdefault("Content-Type", "application/x-www-form-urlencoded")
    elif isinstance(body, (dict, list)):
        body = json.dumps(body)
        sent.setdefault("Content-Type", "application/json")
    method = method or ("GET" if body is None else "POST")
    connection.request(method, f"/v1/callbacks/{product}" + (f"?{query}" if query else ""), body, sent)
    answer = connection.getresponse()
    text = answer.read().decode(errors="replace")
    connection.close()
    return answer.status, text
