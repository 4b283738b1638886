"""What a server's processes cost: who they are, their CPU time, and instructions per request."""

import os
import pathlib
import re
import signal
import subprocess

TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


def stat_fields(pid):
    """Fields of /proc/PID/stat from the third on (the second, a name, may hold anything)."""
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def process_tree(root):
    """The process and all its descendants that live."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                children.setdefault(int(stat_fields(entry)[1]), []).append(int(entry))
            except OSError:
                continue  # it has just ended
    tree = [root]
    for pid in tree:
        tree.extend(children.get(pid, []))
    return tree


def cpu_seconds(root):
    """Of the whole tree, with the children that have ended and were waited for."""
    ticks = 0
    for pid in process_tree(root):
        try:
            ticks += sum(int(field) for field in stat_fields(pid)[11:15])
        except OSError:
            continue
    return ticks / TICKS_A_SECOND


def signal_tree(root, number):
    for pid in process_tree(root):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def pause(root):
    """Stops a server that is not being measured, so that its timers cost the others nothing."""
    signal_tree(root, signal.SIGSTOP)


def resume(root):
    signal_tree(root, signal.SIGCONT)


class EventCount:
    """Counts an event of `perf stat` in a process tree while it is entered."""

    def __init__(self, root, event="instructions"):
        self.command = ["perf", "stat", "-x,", "-e", event, "-p", ",".join(map(str, process_tree(root)))]
        self.count = None

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stderr=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_exception):
        self.process.send_signal(signal.SIGINT)
        _, report = self.process.communicate()
        fields = report.strip().split(",")
        if re.fullmatch(r"[0-9.]+", fields[0]):
            self.count = float(fields[0])


def can_count_instructions():
    try:
        probe = subprocess.run(["perf", "stat", "-x,", "-e", "instructions", "true"], text=True,
                               capture_output=True, check=False)
    except FileNotFoundError:
        return False
    return re.match(r"[0-9]+,", probe.stderr) is not None


def callgrind(directory):
    """What to put before a server's command. Each of its processes leaves a file of its own."""
    return ["valgrind", "--tool=callgrind", "--trace-children=yes", "--error-limit=no",
            f"--callgrind-out-file={directory}/callgrind.%p", f"--log-file={directory}/valgrind.%p"]


def instructions_counted(directory):
    """The sum over the files that processes under callgrind left."""
    total = 0
    for path in pathlib.Path(directory).glob("callgrind.*"):
        found = re.search(r"^(?:totals|summary): (\d+)", path.read_text(errors="replace"), re.MULTILINE)
        total += int(found.group(1)) if found else 0
    return total
