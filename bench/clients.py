"""The clients that put load on a server: ours over HTTP and RESP, pgbench for PostgreSQL, and wrk to check
ours. Each runs pinned to a core of its own and returns a dict:

    rate, items_rate      a second: requests, and what they carry
    p50_ms p99_ms p999_ms max_ms
    replies_all           to everything it sent, warm-up included: what CPU time is divided by
    replies, statuses, client_us, reply_bytes     where the client tells them
"""

import json
import math
import os
import pathlib
import re
import shlex
import subprocess

import scenarios
import servers

PGBENCH_THREADS = 1
GRABS_A_SECOND_MAX = 80000
PACKETS_MIN = 4  # enough for counting instructions


def measure(scenario, server, plan, count=None):
    """Loads the server for plan.seconds or, for counting instructions, with `count` requests."""
    command = COMMANDS[scenario.client](scenario, server, plan, count)
    pinned = ["taskset", "-c", str(plan.load_core), *map(str, command)]
    done = subprocess.run(pinned, cwd=servers.HERE, text=True, capture_output=True, check=False)
    if done.returncode != 0:
        raise servers.Failure(f"{scenario.name}: {pathlib.Path(str(command[0])).name} exits with "
                              f"{done.returncode}: {(done.stderr or done.stdout).strip()[-600:]}")
    result = READERS[scenario.client](done.stdout, scenario, server, plan)
    result["command"] = shown(command)
    return result


def shown(command):
    """As it can be repeated by hand: no secrets, no place of this machine."""
    text = shlex.join(map(str, command)).replace(str(servers.ROOT) + "/", "")
    return re.sub(r"Bearer sk_\w+", "Bearer KEY", text)


def filled_in(option, values):
    """Only the names given: the generator's own placeholders stay."""
    for name, value in values.items():
        option = option.replace("{" + name + "}", str(value))
    return option


def packets_for(scenario, server, plan, count):
    """What the scenario's options ask for of {packets} and {empty}. As many packets as can be grabbed."""
    grabs = count or GRABS_A_SECOND_MAX * (plan.seconds + plan.warm_up)
    needed = max(PACKETS_MIN, math.ceil(grabs / scenarios.PACKET_SHARES) + 1)
    wanted = "".join(scenario.options)
    if "--id-around" in scenario.options:
        needed = max(needed, scenarios.PACKETS_AT_ONCE)
    return {**({"packets": server.send_packets(needed)} if "{packets}" in wanted else {}),
            **({"empty": server.empty_packet()} if "{empty}" in wanted else {})}


def load_command(scenario, server, plan, count):
    values = {"accounts": plan.accounts, "visits": server.visits, **server.placeholders, **packets_for(scenario, server, plan, count)}
    duration = ["--seconds", plan.seconds, "--warm-up", plan.warm_up, "--spin"]
    command = [servers.LOAD, "--target", server.target, "--name", scenario.name,
               "--connections", scenario.connections, "--depth", scenario.depth,
               *(["--requests", count] if count else duration), *server.load_options(),
               *(filled_in(option, values) for option in scenario.options)]
    if plan.histograms:
        command += ["--histogram", plan.histograms.resolve() / f"{scenario.name}.txt"]
    return command


def load_result(output, _scenario, _server, _plan):
    told = json.loads(output)
    latency = told["latency_us"]
    return {"rate": told["rate"], "items_rate": told["items_rate"], "items": told["items"],
            "p50_ms": latency["p50"] / 1e3, "p99_ms": latency["p99"] / 1e3, "p999_ms": latency["p999"] / 1e3,
            "max_ms": latency["max"] / 1e3, "replies": told["replies"], "replies_all": told["replies_all"],
            "statuses": told["statuses"], "client_us": told["client_us"],
            "reply_bytes": told["bytes_received"] / max(told["replies"], 1)}


def pgbench_log(server):
    return server.directory / "pgbench_log"


def pgbench_command(scenario, server, plan, count):
    for old in server.directory.glob("pgbench_log.*"):
        old.unlink()
    duration = ["-T", round(plan.warm_up + plan.seconds)]
    return ["pgbench", "-n", "-M", "prepared", "-f", servers.HERE / "peers/charge.pgbench", "-c",
            scenario.connections, "-j", PGBENCH_THREADS, "-D", f"accounts={plan.accounts}",
            *(["-t", max(1, count // scenario.connections)] if count else duration),
            "--log", f"--log-prefix={pgbench_log(server)}",
            "-h", "127.0.0.1", "-p", server.port, "-U", "postgres", "postgres"]


def pgbench_result(output, _scenario, server, plan):
    """Its log has a line a transaction: client, number, latency in µs, script, time in s and µs."""
    if not re.search(r"number of failed transactions: 0 ", output):
        raise servers.Failure(f"pgbench: {output[-600:]}")
    ended, latencies = [], []
    for path in server.directory.glob("pgbench_log.*"):
        for line in path.read_text().splitlines():
            fields = line.split()
            ended.append(int(fields[4]) + int(fields[5]) / 1e6)
            latencies.append(int(fields[2]) / 1e3)
    begin = min(ended) + plan.warm_up
    measured = sorted(latency for at, latency in zip(ended, latencies) if at >= begin)
    if not measured:
        measured = sorted(latencies)
        begin = min(ended)
    seconds = max(max(ended) - begin, 1e-6)

    def quantile(fraction):
        return measured[min(len(measured) - 1, int(fraction * len(measured)))]

    rate = len(measured) / seconds
    return {"rate": rate, "items_rate": rate, "items": 1, "p50_ms": quantile(0.5), "p99_ms": quantile(0.99),
            "p999_ms": quantile(0.999), "max_ms": measured[-1], "replies": len(measured),
            "replies_all": len(latencies)}


def wrk_command(scenario, server, plan, _count):
    return ["wrk", "-t", 1, "-c", scenario.connections, "-d", f"{max(1, round(plan.seconds))}s", "--latency",
            "-s", servers.HERE / "peers/charge.wrk.lua", f"http://{server.target}/v1/charges"]


def wrk_result(output, _scenario, _server, _plan):
    if re.search(r"Non-2xx|Socket errors", output):
        raise servers.Failure(f"wrk: {output[-600:]}")
    scale = {"us": 1e-3, "ms": 1, "s": 1e3}

    def latency(name):
        number, unit = re.search(rf"^ +{name} +([\d.]+)(us|ms|s)\b", output, re.MULTILINE).groups()
        return float(number) * scale[unit]

    rate = float(re.search(r"Requests/sec: +([\d.]+)", output).group(1))
    return {"rate": rate, "items_rate": rate, "items": 1, "p50_ms": latency("50%"), "p99_ms": latency("99%"),
            "replies_all": int(re.search(r"(\d+) requests in", output).group(1))}


COMMANDS = {"load": load_command, "load_redis": load_command, "pgbench": pgbench_command, "wrk": wrk_command}
READERS = {"load": load_result, "load_redis": load_result, "pgbench": pgbench_result, "wrk": wrk_result}
CAN_COUNT = {"load", "load_redis", "pgbench"}  # clients that can send just so many requests

if not os.access(servers.LOAD, os.X_OK):
    raise SystemExit(f"{servers.LOAD} is not built: make build/bench/load")
