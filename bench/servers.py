"""The servers that are measured: how each is started on a port with an empty directory, filled with accounts,
and stopped. Each is configured to be as fast as it can be while keeping what it has acknowledged."""

import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.request

import costs
import scenarios

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
LOAD = ROOT / "build/bench/load"
POSTGRESQL_PROGRAMS = "/usr/lib/postgresql/15/bin"
BALANCE = 1000000000
PACKETS_PER_SENDER = 500
AMOUNT = 10  # of a charge, in requests/ and peers/
START_SECONDS_MAX = 120
SEED_ITEMS = 1000  # users a request
SEED_USERS = 100  # a command
FILTER_BITS_PER_USER = 22
REDIS_FILTER_BITS_MAX = 1 << 32


class Failure(Exception):
    """A server or a client did not do what it should."""


def run(command, **options):
    """Standard output of a command that must succeed."""
    done = subprocess.run(list(map(str, command)), text=True, capture_output=True, check=False, **options)
    if done.returncode != 0:
        raise Failure(f"{command[0]}: exit status {done.returncode}: {(done.stderr or done.stdout)[-600:]}")
    return done.stdout


class Server:
    """A server under way. `wrapper` goes before its command (pinning, callgrind)."""

    name = None
    def __init__(self, directory, port, wrapper):
        self.directory = pathlib.Path(directory)
        self.port = port
        self.wrapper = list(wrapper)
        self.process = None
        self.placeholders = {}  # for the options of scenarios
        self.visits = 0  # users known in the city

    @property
    def target(self):
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self):
        return self.process.pid

    @classmethod
    def missing(cls):
        """Why this server cannot be measured here, or None."""
        return None if shutil.which(cls.program) else f"{cls.program} is not installed (bench/install)"

    def start(self):
        self.directory.mkdir(parents=True)
        self.prepare()
        self.restart()

    def restart(self):
        log = open(self.directory / "output", "w")
        command = [*self.as_user(), *self.wrapper, *self.command()]
        self.process = subprocess.Popen(list(map(str, command)), stdout=log, stderr=subprocess.STDOUT,
                                        stdin=subprocess.DEVNULL)
        log.close()
        deadline = time.monotonic() + START_SECONDS_MAX
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise Failure(f"{self.name} does not start: {self.output()}")
            time.sleep(0.05)

    def stop(self):
        if self.process is None or self.process.poll() is not None:
            return
        costs.resume(self.pid)
        self.process.send_signal(self.stop_signal)
        try:
            self.process.wait(timeout=120)
        except subprocess.TimeoutExpired:
            costs.signal_tree(self.pid, signal.SIGKILL)
            self.process.wait()

    def output(self):
        return (self.directory / "output").read_text(errors="replace")[-600:]

    stop_signal = signal.SIGTERM

    @staticmethod
    def as_user():
        """What makes it another user's process, before everything else."""
        return []

    def prepare(self):
        """Writes what the server needs before it starts."""

    def is_ready(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            return True
        except OSError:
            return False

    def fill(self, accounts, core):
        """Makes the accounts u00000000 … with a balance each."""

    def fill_visits(self, visits, core):
        """Makes the users 8613800000000 … known in the city."""

    def load_options(self):
        """What our generator needs to be let in."""
        return []

    def check(self, charges):
        """After the load: fails if what is kept is not what was answered, that many charges."""

    def send_packets(self, count):
        """A file of the ids of so many new packets of PACKET_SHARES shares."""
        path = self.directory / f"packets-{time.monotonic_ns()}"
        path.write_text("".join(f"{packet}\n" for packet in self.new_packets(count)))
        return path

    def seed(self, core, *options):
        """By our generator, pinned like any load."""
        run(["taskset", "-c", core, LOAD, "--target", self.target, *options])


class Smsd(Server):
    name = "smsd"
    program = os.environ.get("SMSD", str(ROOT / "build/smsd"))

    @classmethod
    def missing(cls):
        return None if os.access(cls.program, os.X_OK) else "build/smsd is not built"

    @classmethod
    def version(cls):
        return run([cls.program, "--version"]).strip()

    def command(self):
        # Sized for ten million accounts charged at random, as the others are: a larger generation of rows in
        # memory folds more charges into each page that a checkpoint writes.
        command = [self.program, "--data-dir", self.directory / "data", "--listen", self.target,
                   "--overlay-bytes-max", 4 << 30, "--journal-bytes-max", 16 << 30]
        # valgrind has less address space to give than the store asks for as the bound of its file.
        return command + (["--map-bytes-max", 1 << 30] if "valgrind" in self.wrapper else [])

    def is_ready(self):
        """Its first answer to /readyz that is 200."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                return b" 200 " in connection.recv(64)
        except OSError:
            return False

    def authorization(self):
        return "Bearer " + (self.directory / "data/admin.key").read_text().strip()

    def load_options(self):
        return ["--header", f"Authorization: {self.authorization()}"]

    def check(self, charges):
        request = urllib.request.Request(f"http://{self.target}/v1/audit",
                                         headers={"Authorization": self.authorization()})
        with urllib.request.urlopen(request, timeout=600) as answer:
            audit = json.load(answer)
        if not audit["ok"] or abs(audit["revenue"]) + audit["pending"] != charges * AMOUNT:
            raise Failure(f"{charges} charges of {AMOUNT} were answered, but the audit says {audit}")

    def fill(self, accounts, core):
        self.seed(core, *self.load_options(), "--request", HERE / "requests/topup.http", "--expect", "201",
                  "--connections", 64, "--depth", 32, "--requests", accounts, "--name", "top-ups")


    def fill_visits(self, visits, core):
        self.request("PUT", "/v1/cities/310000", {"name": "Shanghai", "capacity": visits, "enabled": True})
        self.seed(core, *self.load_options(), "--request", HERE / "requests/visit.http", "--item-form", "ndjson",
                  "--items", SEED_ITEMS, "--expect-text", '"invalid":0', "--connections", 8, "--depth", 2,
                  "--requests", -(-visits // SEED_ITEMS), "--name", "visits")
        known = self.request("GET", "/v1/cities/310000")["filter"]["keys"]
        if known != -(-visits // SEED_ITEMS) * SEED_ITEMS:
            raise Failure(f"{visits} users were seen, but the city knows {known}")

    def request(self, method, path, body=None):
        connection = http.client.HTTPConnection(self.target, timeout=600)
        connection.request(method, path, None if body is None else json.dumps(body),
                           {"Authorization": self.authorization(), "Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status >= 300:
            raise Failure(f"{path}: {text.decode()}")
        return json.loads(text) if answer.headers.get_content_subtype() == "json" else text.decode()

    def make_catalogue(self, rate_per_second=None):
        """What a message of requests/message.http needs: it goes to the sandbox."""
        self.request("POST", "/v1/accounts/acme/topups", {"amount": 10**12})
        self.request("PUT", "/v1/countries/CN", {"name": "China", "calling_code": 86, "number_lengths": [11]})
        self.request("PUT", "/v1/companies/acme", {"name": "Acme", "account": "acme"})
        self.request("PUT", "/v1/channels/sandbox", {"name": "Sandbox"})
        self.put_product(rate_per_second)
        self.request("PUT", "/v1/routes/acme", {"company": "acme", "country": "CN", "kind": "general",
                                                "product": "sandbox", "weight": 1, "sort": 1})

    def put_product(self, rate_per_second=None):
        rate = {} if rate_per_second is None else {"rate_per_second": rate_per_second}
        self.request("PUT", "/v1/products/sandbox", {"channel": "sandbox", "name": "Sandbox", "price": 5, **rate,
                                                     "gateway": {"type": "sandbox"}})

    def ask(self, connection, path, body):
        connection.request("POST", path, json.dumps(body), {"Authorization": self.authorization(),
                                                            "Content-Type": "application/json"})
        answer = connection.getresponse()
        told = json.loads(answer.read())
        if answer.status >= 300:
            raise Failure(f"{path}: {told}")
        return told

    def new_packets(self, count, shares=scenarios.PACKET_SHARES):
        connection = http.client.HTTPConnection(self.target, timeout=60)
        for number in range(count):
            if number % PACKETS_PER_SENDER == 0:  # one sender may not have many open
                sender = f"sender{time.monotonic_ns()}"
                self.ask(connection, f"/v1/accounts/{sender}/topups", {"amount": BALANCE})
            yield self.ask(connection, "/v1/packets", {"sender": sender, "amount": 2 * shares, "count": shares})["id"]
        connection.close()

    def empty_packet(self):
        path = self.directory / "empty"
        packet, = self.new_packets(1, shares=1)
        connection = http.client.HTTPConnection(self.target, timeout=60)
        self.ask(connection, f"/v1/packets/{packet}/grab", {"user": "first"})
        path.write_text(f"{packet}\n")
        return path


class Nginx(Server):
    name = "nginx"
    program = "nginx"
    stop_signal = signal.SIGQUIT

    @classmethod
    def version(cls):
        shown = subprocess.run([cls.program, "-v"], capture_output=True, text=True, check=True)
        return shown.stderr.strip().removeprefix("nginx version: ")

    def prepare(self):
        # Under callgrind one process does it all.
        values = {"@DIRECTORY@": str(self.directory), "@PORT@": str(self.port),
                  "@MASTER@": "off" if "valgrind" in self.wrapper else "on"}
        text = (HERE / "peers/nginx.conf").read_text()
        for name, value in values.items():
            text = text.replace(name, value)
        (self.directory / "nginx.conf").write_text(text)
        self.directory.chmod(0o755)

    def command(self):
        return [self.program, "-p", self.directory, "-c", self.directory / "nginx.conf"]

    def load_options(self):
        # As long as smsd's key.
        return ["--header", "Authorization: Bearer sk_" + "0" * 32]


class Redis(Server):
    name = "redis"
    program = "redis-server"
    packets = 0

    @classmethod
    def version(cls):
        return "Redis " + re.search(r"v=(\S+)", run([cls.program, "--version"])).group(1)

    def command(self):
        return [self.program, "--bind", "127.0.0.1", "--port", self.port, "--dir", self.directory,
                "--save", "", "--appendonly", "yes", "--appendfsync", "always", "--daemonize", "no"]

    def ask(self, *words):
        return run(["redis-cli", "-p", self.port, *words]).strip()

    def is_ready(self):
        return super().is_ready() and self.ask("PING") == "PONG"

    def rewrite(self):
        """Its log anew, from which its growth counts, and then every command synced."""
        self.ask("BGREWRITEAOF")
        while "aof_rewrite_in_progress:1" in self.ask("INFO", "persistence"):
            time.sleep(0.2)
        self.ask("CONFIG", "SET", "appendfsync", "always", "auto-aof-rewrite-percentage", "100")

    def fill(self, accounts, core):
        """As values by hundreds, unsynced; then one rewrite, from which its growth counts."""
        self.ask("CONFIG", "SET", "appendfsync", "no", "auto-aof-rewrite-percentage", "0")
        pairs = 100
        self.seed(core, "--command", "MSET" + f" u{{next}} {BALANCE}" * pairs, "--connections", 8,
                  "--requests", -(-accounts // pairs))
        self.rewrite()
        self.placeholders["script"] = self.ask("SCRIPT", "LOAD", (HERE / "peers/charge.lua").read_text())
        self.placeholders["grab_script"] = self.ask("SCRIPT", "LOAD", (HERE / "peers/grab.lua").read_text())

    def fill_visits(self, visits, core):
        """Filter and set, by a hundred users a command; the filter has as many bits a user as smsd's."""
        self.placeholders["signal_script"] = self.ask("SCRIPT", "LOAD", (HERE / "peers/signal.lua").read_text())
        self.placeholders["filter_bits"] = min(visits * FILTER_BITS_PER_USER, REDIS_FILTER_BITS_MAX)
        self.ask("CONFIG", "SET", "appendfsync", "no", "auto-aof-rewrite-percentage", "0")
        users = " 86138{next}" * SEED_USERS
        for command in (f"EVALSHA {self.placeholders['signal_script']} 1 filter {self.placeholders['filter_bits']}",
                        "SADD visits"):
            self.seed(core, "--command", command + users, "--connections", 8, "--depth", 4,
                      "--requests", -(-visits // SEED_USERS))
        self.rewrite()

    def new_packets(self, count):
        for _ in range(count):
            self.packets += 1
            packet = f"pkt_{self.packets:013}"
            self.ask("EVAL", f"for i = 1, {scenarios.PACKET_SHARES} do redis.call('RPUSH', KEYS[1], 2) end", 1, packet)
            yield packet


class PostgreSQL(Server):
    name = "postgresql"
    program = f"{POSTGRESQL_PROGRAMS}/postgres"
    stop_signal = signal.SIGINT  # fast shutdown

    SETTINGS = {
        "listen_addresses": "127.0.0.1",
        "max_connections": "200",
        "synchronous_commit": "on",
        "fsync": "on",
        "full_page_writes": "on",
        "wal_compression": "lz4",
        "shared_buffers": "2GB",
        "max_wal_size": "8GB",
        "min_wal_size": "2GB",
        "checkpoint_timeout": "5min",
        "checkpoint_completion_target": "0.9",
        "huge_pages": "off",
        "jit": "off",
    }

    @classmethod
    def version(cls):
        return run([cls.program, "--version"]).strip().removeprefix("postgres ")

    @staticmethod
    def as_user():
        """PostgreSQL refuses to run as root."""
        if os.geteuid() != 0:
            return []
        return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]

    def prepare(self):
        if os.geteuid() == 0:
            shutil.chown(self.directory, "postgres", "postgres")
        run([*self.as_user(), f"{POSTGRESQL_PROGRAMS}/initdb", "--auth=trust", "--username=postgres",
             "--no-sync", "--locale=C", "--encoding=UTF8", "-D", self.directory / "data"],
            cwd=self.directory)
        settings = dict(self.SETTINGS, port=self.port, unix_socket_directories=self.directory)
        if "valgrind" in self.wrapper:  # what comes and goes by time is left out of the count
            settings.update(shared_buffers="128MB", autovacuum="off")
        with open(self.directory / "data/postgresql.conf", "a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())

    def command(self):
        return [self.program, "-D", self.directory / "data"]

    def is_ready(self):
        return super().is_ready() and subprocess.run(
            ["pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)], check=False).returncode == 0

    def ask(self, *options):
        return run(["psql", "-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", self.port,
                    "-U", "postgres", *options])

    def fill(self, accounts, core):
        """In one statement; then the statistics and a checkpoint, from which its load starts even."""
        self.ask("-f", HERE / "peers/charge.sql")
        self.ask("-c", "INSERT INTO accounts SELECT 'u' || lpad(n::text, 8, '0'), "
                       f"{BALANCE}, now() FROM generate_series(0, {accounts - 1}) n")
        self.ask("-c", "VACUUM ANALYZE")
        self.ask("-c", "CHECKPOINT")


SERVERS = {server.name: server for server in (Smsd, Nginx, Redis, PostgreSQL)}
