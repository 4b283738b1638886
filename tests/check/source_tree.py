"""What the checks share: which files there are, and how a finding is printed. A check is a program that
prints one line a finding, `path:line: rule`, and exits 1 if there was one. --root looks at another tree
(tests/check/test_checks.py shows each check one that is wrong)."""

import argparse
import pathlib
import re
import subprocess
import sys

TEXT_SUFFIXES = {".c", ".h", ".def", ".py", ".sh", ".md", ".story", ".yml", ".yaml", ".js", ".css", ".html",
                 ".1", ".5", ".7", ".8", ".service", ".json", ".txt", ".lua", ".conf", ""}


class SourceTree:
    """The files of one tree that are kept under version control, or would be."""

    def __init__(self, description):
        parser = argparse.ArgumentParser(description=description)
        parser.add_argument("--root", type=pathlib.Path,
                            default=pathlib.Path(__file__).resolve().parent.parent.parent)
        self.root = parser.parse_args().root
        self.findings = 0

    def files(self, pattern=""):
        """Paths relative to the root that match the regular expression, sorted."""
        listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=self.root,
                                capture_output=True, check=False)
        if listed.returncode == 0:
            names = listed.stdout.decode().split("\0")
        else:  # an unpacked archive
            names = [str(path.relative_to(self.root)) for path in self.root.rglob("*") if path.is_file()]
            names = [name for name in names if not name.startswith(("build/", "data/", ".git/"))]
        found = {name for name in names if name and re.search(pattern, name)}
        return sorted(name for name in found if (self.root / name).is_file())

    def c_files(self):
        return self.files(r"^(src|tests|bench)/.*\.[ch]$")

    def text_files(self):
        return [name for name in self.files() if pathlib.Path(name).suffix in TEXT_SUFFIXES]

    def lines(self, name):
        """(number, line) of a file, from 1."""
        text = (self.root / name).read_text(errors="replace")
        return enumerate(text.splitlines(), 1)

    def finding(self, name, line, rule):
        self.findings += 1
        print(f"{name}:{line}: {rule}")

    def finish(self):
        sys.exit(1 if self.findings else 0)


def without_comments(text):
    """The same text with comments and string literals blanked, lines kept."""
    pattern = r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'"
    return re.sub(pattern, lambda match: re.sub(r"[^\n]", " ", match.group()), text, flags=re.DOTALL)
