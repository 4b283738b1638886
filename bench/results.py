"""The report: a table for the terminal and bench/RESULTS.md, from the same figures."""

import os
import pathlib
import platform
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
import time

import scenarios

COLUMNS = ("scenario", "conns × depth", "a second", "p50 ms", "p99 ms", "p99.9 ms", "max ms", "CPU µs", "instructions")


def figure(value, digits=2):
    return "–" if value is None else f"{value:,.{digits}f}"


def one_line(scenario, result):
    return (f"{scenario.name}: {result['items_rate']:,.0f}/s  p50 {figure(result['p50_ms'])}  "
            f"p99 {figure(result['p99_ms'])}  p99.9 {figure(result.get('p999_ms'))} ms  "
            f"CPU {figure(result['cpu_us'])} µs a request")


def mean(rounds, field):
    values = [result[field] for result in rounds if result.get(field) is not None]
    return statistics.mean(values) if values else None


def worst(rounds, field):
    values = [result[field] for result in rounds if result.get(field) is not None]
    return max(values) if values else None


class Report:
    def __init__(self, chosen, measured, failures, absent, versions, options):
        self.chosen = chosen
        self.measured = measured
        self.failures = failures
        self.absent = absent
        self.versions = versions
        self.options = options

    def why_not(self, scenario):
        if scenario.name in self.failures:
            return "FAILED: " + self.failures[scenario.name].splitlines()[0]
        return self.absent.get(scenario.server, "not measured")

    def rate_text(self, scenario, rounds):
        text = figure(mean(rounds, "items_rate"), 0)
        if len(rounds) > 1:
            rates = [result["items_rate"] for result in rounds]
            text += f" ({min(rates):,.0f}–{max(rates):,.0f})"
        return text if scenario.per == "charge" else f"{text} {scenario.per}s"

    def row(self, scenario):
        rounds = self.measured[scenario.name]
        name = (scenario.name, f"{scenario.connections} × {scenario.depth}")
        if not rounds:
            return (*name, self.why_not(scenario)[:200])
        return (*name, self.rate_text(scenario, rounds), figure(worst(rounds, "p50_ms")),
                figure(worst(rounds, "p99_ms")), figure(worst(rounds, "p999_ms")), figure(worst(rounds, "max_ms")),
                figure(mean(rounds, "cpu_us")), figure(mean(rounds, "instructions"), 0))

    def judged(self, goal):
        """(what was reached, whether that is enough); None where it cannot be told."""
        own = self.measured[goal.scenario]
        if not own:
            return None
        if not goal.peers:
            value = worst(own, goal.field) if goal.field.endswith("_ms") else mean(own, goal.field)
            is_met = value < goal.bound if goal.field.endswith("_ms") else value >= goal.bound
            return f"{value:,.2f} ms" if goal.field.endswith("_ms") else f"{value:,.0f}/s", is_met
        peers = [mean(self.measured[name], goal.field) for name in goal.peers if self.measured[name]]
        if not peers:
            return None
        ratio = mean(own, goal.field) / max(peers)
        return f"{ratio:.2f} times", ratio >= goal.times

    def goal_rows(self):
        for goal in scenarios.GOALS:
            judged = self.judged(goal)
            wanted = f"{goal.times} times" if goal.peers else f"{goal.bound:,}"
            if judged is None:
                yield goal.text, wanted, "–", "not measured"
            else:
                yield goal.text, wanted, judged[0], "met" if judged[1] else "MISSED"

    def table(self):
        rows = [COLUMNS, *(self.row(scenario) for scenario in self.chosen)]
        goals = [("goal", "wanted", "reached", ""), *self.goal_rows()]
        return aligned(rows) + "\n\n" + aligned(goals)

    def document(self):
        return DOCUMENT.format(
            arguments="".join(" " + shlex.quote(argument) for argument in sys.argv[1:]), source=source(),
            date=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()), machine=machine(self.options.directory),
            versions="\n".join(f"- {name}: {version}" for name, version in self.versions.items()),
            seconds=f"{self.options.seconds:g}", warm_up=f"{self.options.warm_up:g}",
            rounds=self.options.rounds, accounts=f"{self.options.accounts:,}",
            quick=QUICK if self.options.quick else "",
            table=markdown([COLUMNS, *(self.row(scenario) for scenario in self.chosen)]),
            goals=markdown([("goal", "wanted", "reached", ""), *self.goal_rows()]),
            bytes=self.reply_bytes(), commands=self.commands(),
            caveats="\n".join(f"- {caveat}" for caveat in scenarios.CAVEATS))

    def reply_bytes(self):
        texts = [f"{scenario.name} {self.measured[scenario.name][0]['reply_bytes']:.0f}"
                 for scenario in self.chosen
                 if self.measured[scenario.name] and "reply_bytes" in self.measured[scenario.name][0]]
        return ", ".join(texts) or "not measured"

    def commands(self):
        return "\n".join(f"{scenario.name}: {self.measured[scenario.name][0]['command']}"
                         for scenario in self.chosen if self.measured[scenario.name])


QUICK = "\n**A quick run: too short to be taken for a result.**\n"

DOCUMENT = """# Results

Written by `bench/run{arguments}` on {date}. Figures of another machine are other figures; ratios travel better.
{quick}
## Machine and versions

{machine}
- source: {source}
{versions}

The server is pinned to one core with all its processes, the load to another. {accounts} accounts, chosen at
random for each charge. {rounds} round(s) in turns, {seconds} s each after {warm_up} s of warming up.

## Table

{table}

A second: mean of the rounds (least and most). Latencies: the worse round's. CPU: the server's user and
system time for each request. Instructions: in user space, for each request.

Bytes of a reply: {bytes}.

## Goals

{goals}

## What is not equal

{caveats}

## Commands

Run from `bench/` by the runner, which starts, fills and stops the servers (`bench/servers.py` has their
settings):

```
{commands}
```
"""


def padded(rows):
    width = max(len(row) for row in rows)
    return [tuple(map(str, row)) + ("",) * (width - len(row)) for row in rows]


def aligned(rows):
    rows = padded(rows)
    # A sentence in place of figures does not widen its column.
    sizes = [max(len(row[i]) for row in rows if len(row[i]) <= 50) for i in range(len(rows[0]))]
    return "\n".join("  ".join(text.ljust(size) for text, size in zip(row, sizes)).rstrip() for row in rows)


def markdown(rows):
    rows = padded(rows)
    rows.insert(1, ("---",) + ("---:",) * (len(rows[0]) - 1))
    return "\n".join("| " + " | ".join(text.replace("|", "\\|") for text in row) + " |" for row in rows)


def sync_ms(directory):
    """Median time of writing 4 KiB and fdatasync, in a file that is there already."""
    with tempfile.TemporaryFile(dir=directory) as file:
        file.write(bytes(1 << 20))
        os.fsync(file.fileno())
        times = []
        for number in range(200):
            begun = time.perf_counter()
            os.pwrite(file.fileno(), os.urandom(4096), number % 256 * 4096)
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - begun)
    return statistics.median(times) * 1e3


def source():
    """The commit that was measured."""
    done = subprocess.run(["git", "describe", "--always", "--dirty=, with changes"], cwd=pathlib.Path(__file__).parent,
                          capture_output=True, text=True, check=False)
    return f"commit {done.stdout.strip()}" if done.returncode == 0 else "not in git"


def found(path, pattern):
    match = re.search(pattern, pathlib.Path(path).read_text(), re.MULTILINE)
    return match.group(1).strip() if match else "unknown"


def machine(directory):
    memory_gib = int(found("/proc/meminfo", r"^MemTotal: +(\d+)")) / (1 << 20)
    return "\n".join((
        f"- {os.cpu_count()} × {found('/proc/cpuinfo', r'^model name.*: (.*)')}, {memory_gib:.0f} GiB, "
        f"Linux {platform.release()}",
        f"- fdatasync of 4 KiB: {sync_ms(directory):.2f} ms (median of 200)"))
