"""Each check finds what it is there for: it is shown a small tree with one thing wrong, and the same tree
put right."""

import pathlib
import shutil
import subprocess

import pytest

CHECKS = pathlib.Path(__file__).resolve().parent
ROOT = CHECKS.parent.parent

LONG_FUNCTION = "int noun_step(int count)\n{\n" + "    count++;\n" * 70 + "    return count;\n}\n"
FINE = "int noun_step(int count)\n{\n    return count + 1;\n}\n"

# check, file, what is wrong in it, the finding that is expected, and the same put right (None: no file)
CASES = [
    ("rooms", "src/engine/noun.c", "#include <uv.h>\n", "src/engine/noun.c:1: engine may not include <uv.h>",
     '#include "base/arena.h"\n'),
    ("rooms", "src/engine/noun.c", "#include <time.h>\n", "src/engine/noun.c:1: engine is pure",
     "#include <string.h>\n"),
    ("rooms", "src/engine/noun.c", "int now(void)\n{\n    return time(0);\n}\n", "src/engine/noun.c:3: engine is pure",
     "/* the time( is told */\n"),
    ("rooms", "src/engine/noun.c", '\n#include "store/store.h"\n', "src/engine/noun.c:2: engine may not",
     '\n#include "store/txn.h"\n'),
    ("rooms", "src/api/noun.c", '#include "store/txn.h"\n', "src/api/noun.c:1: api may not include",
     '#include "engine/command.h"\n'),
    ("rooms", "src/api/noun.c", '#include "engine/handler.h"\n', "is private to its room", None),
    ("rooms", "src/api/noun.c", '#include "http/client.h"\n', "src/api/noun.c:1: api may not include",
     '#include "http/server.h"\n'),
    ("rooms", "src/http/noun.c", "#  include <lmdb.h>\n", "src/http/noun.c:1: http may not include <lmdb.h>",
     "#  include <llhttp.h>\n"),
    ("rooms", "src/config/noun.h", '#include "json/read.h"\n', "config may not include", None),
    ("rooms", "src/base/noun.c", '#include "engine/row.h"\n', "base may not include", None),
    ("rooms", "src/base/noun.c", '#include "noun.h"\n', 'must be written as "room/file"', None),
    ("rooms", "src/attic/noun.c", "", "attic is not a room", None),
    ("format", "src/base/noun.c", "int noun( int count ) { return count; }\n",
     "src/base/noun.c:1: not formatted", FINE),
    ("size", "src/base/noun.c", LONG_FUNCTION, "src/base/noun.c:2: noun_step has 73 lines", FINE),
    ("size", "tests/unit/noun.c", "\n" * 601, "tests/unit/noun.c:601: 601 lines", "\n" * 600),
    ("words", "src/base/string_util.c", "", "src/base/string_util.c:1: a file is named", None),
    ("words", "src/misc/noun.c", "", "src/misc/noun.c:1: a file is named", None),
    ("words", "src/base/noun.c", "/* TO" "DO */\n", "src/base/noun.c:1: no notes", "/* to do */\n"),
    ("words", "src/base/noun.c", "/* see #" "12 */\n", "no issue numbers", "/* see &#38; */\n"),
    ("words", "man/noun.7", "in /ho" "me/someone/smsd\n", "no path of one machine", "in /var/lib/smsd\n"),
    ("words", "src/base/noun.h", "typedef struct noun noun;\n", "no typedef", "/* typedef struct noun noun; */\n"),
    ("words", "src/base/noun.h", "struct noun_t {\n    int count;\n};\n", "names ending in _t", "size_t noun;\n"),
    ("words", "src/base/noun.h", "typedef int (*noun_t)(void);\n", "names ending in _t", None),
    ("defs", "src/base/error.def", 'ERROR(A, -1, "a")\nERROR(B, -1, "b")\n',
     "src/base/error.def:2: -1 stands in line 1 already", 'ERROR(A, -1, "a")\nERROR(B, -2, "b")\n'),
    ("defs", "src/store/noun.def", "ROW(A, 1)\n/* ROW(B, 2) */\nROW(A, 2)\n",
     "src/store/noun.def:3: A stands in line 1 already", "ROW(A, 1)\n/* ROW(A, 2) */\n"),
    ("defs", "src/api/route.def", 'GET("/v1/a, b", x(1), y)\nGET("/v1/a, b", x(1), z)\n',
     'src/api/route.def:2: "/v1/a, b", x(1) stands in line 1', 'GET("/v1/a", x(1), y)\nGET("/v1/b", x(1), z)\n'),
    ("man", "man/noun.7", ".Dd $Mdocdate$\n.Dt NOUN 7\n.Os\n.Sh NAME\n.Nm noun\n.Nd a noun\n.Xr verb 8\n",
     "man/noun.7:7: STYLE: referenced manual not found: Xr verb 8",
     ".Dd $Mdocdate$\n.Dt NOUN 7\n.Os\n.Sh NAME\n.Nm noun\n.Nd a noun\n"),
    ("documents", "src/README.md", "what `noun_step` does\n", "src/README.md:1: there is no noun_step",
     "what `step` does\n"),
    ("documents", "README.md", "    make VARIANT=debug noun\n", "README.md:1: make has no target noun", "    make\n"),
    ("documents", "README.md", "[a noun](#the-noun)\n", "README.md:1: no heading is #the-noun",
     "[a noun](#the-noun)\n\n# The noun\n"),
    ("documents", "src/store/table.def", "TABLE(NOUN, 1, ORDERED, 16)\n",
     "src/store/table.def:1: src/README.md does not explain NOUN", "/* TABLE(NOUN, 1, ORDERED, 16) */\n"),
    ("shell", "run.sh", "#!/bin/sh\necho $1\n", "run.sh:2", '#!/bin/sh\necho "$1"\n'),
    ("shell", "noun.py", "x = = 1\n", "noun.py:1: Python:", "x = 1\n"),
    ("tidy", "src/base/noun.c", "#include <stdlib.h>\nint noun(int *p);\nint noun(int *p)\n{\n    free(p);\n"
     "    return *p;\n}\n", "src/base/noun.c:6: Use of memory after it is freed", FINE),
    ("cppcheck", "src/base/noun.c", "int noun(void)\n{\n    int a[2] = {0, 0};\n    return a[2];\n}\n",
     "src/base/noun.c:4: Array 'a[2]'", FINE),
]


def run_check(check, root):
    return subprocess.run([str(CHECKS / check), "--root", str(root)], capture_output=True, text=True,
                          check=False)


@pytest.mark.parametrize("check, name, wrong, finding, right", CASES,
                         ids=[f"{case[0]}-{number}" for number, case in enumerate(CASES)])
def test_a_check_names_file_line_and_rule(tmp_path, check, name, wrong, finding, right):
    for settings in (".clang-format", ".clang-tidy"):
        shutil.copy(ROOT / settings, tmp_path)
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(wrong)
    done = run_check(check, tmp_path)
    assert done.returncode == 1, done.stderr
    assert finding in done.stdout

    if right is None:
        path.unlink()
    else:
        path.write_text(right)
    done = run_check(check, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_stale_generated_file_is_found(tmp_path):
    generator = tmp_path / "man/generate"
    generator.parent.mkdir()
    generator.write_text("#!/bin/sh\n[ \"$1\" = --check ] && cmp table.txt man/table.txt\n")
    generator.chmod(0o755)
    (tmp_path / "table.txt").write_text("one\n")
    (tmp_path / "man/table.txt").write_text("two\n")
    done = run_check("fresh", tmp_path)
    assert done.returncode == 1
    assert "man/generate:1: generated files are stale" in done.stdout

    (tmp_path / "man/table.txt").write_text("one\n")
    assert run_check("fresh", tmp_path).returncode == 0


def test_a_requirement_without_a_test_fails_only_when_asked_for(tmp_path):
    relaxed = subprocess.run([str(CHECKS / "requirements")], capture_output=True, text=True, check=False)
    assert relaxed.returncode == 0
    assert "BILL-1 " in relaxed.stdout
    strict = subprocess.run([str(CHECKS / "requirements"), "--strict", "BILL-999"], capture_output=True,
                            text=True, check=False)
    assert strict.returncode == 1
    assert "BILL-999: no such requirement" in strict.stdout
