"""The rows of a smsd that is not running, read and changed through edit_rows.c; and the hash chain over its
entries, computed from what src/engine/chain.h says of it."""

import pathlib
import re
import struct
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SOURCES = ["tests/e2e/edit_rows.c", *(f"src/store/{name}.c" for name in ("tree", "tree_writer", "lmdb_row", "leaf_index", "table", "file")),
           *(f"src/base/{name}.c" for name in ("buffer", "clock", "crc32c", "digits", "error", "log", "metric",
                                               "time_text", "utf8"))]


def build(folder):
    """Compiles the program; its path."""
    program = pathlib.Path(folder) / "edit_rows"
    subprocess.run(["gcc", "-std=c11", "-O1", "-D_GNU_SOURCE", "-Isrc", "-o", str(program), *SOURCES, "-llmdb", "-lpthread"],
                   cwd=ROOT, check=True)
    return program


def table_numbers():
    text = (ROOT / "src/store/table.def").read_text()
    return {name: int(number) for name, number in re.findall(r"^TABLE\((\w+), (\d+),", text, re.MULTILINE)}


class Rows:
    """Tables by their names in table.def; keys and values are bytes."""

    def __init__(self, program, data_dir):
        self.command = [str(program), str(data_dir)]
        self.tables = table_numbers()

    def run(self, *arguments):
        done = subprocess.run([*self.command, *map(str, arguments)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def all(self, table):
        """Key -> value, in the order of the keys."""
        lines = self.run("list", self.tables[table]).splitlines()
        return {bytes.fromhex(key): bytes.fromhex(value) for key, value in (line.split(" ") for line in lines)}

    def put(self, table, key, value):
        self.run("put", self.tables[table], key.hex(), value.hex())

    def delete(self, table, key):
        self.run("delete", self.tables[table], key.hex())


class Packed:
    """A stored struct and what lies behind it: members by name."""

    NAMES = ()
    FORMAT = ""

    def __init__(self, value):
        size = struct.calcsize(self.FORMAT)
        self.__dict__.update(zip(self.NAMES, struct.unpack(self.FORMAT, value[:size])))
        self.rest = value[size:]

    def pack(self):
        return struct.pack(self.FORMAT, *(getattr(self, name) for name in self.NAMES)) + self.rest


class Entry(Packed):
    """struct entry_row and the reference."""

    NAMES = ("version", "type", "reference_size", "source_type", "count", "account", "counter", "source", "previous",
             "amount", "balance", "chain")
    FORMAT = "<BBBBIQQQQqqQ"


class Account(Packed):
    """struct account_row."""

    NAMES = ("version", "status", "flags", "currency", "zero", "number", "balance", "held", "pending", "credit_limit",
             "low_balance", "entry_last", "entry_count", "updated_ms")
    FORMAT = "<BBB3s2sQqqqqqQQq"


class Hold(Packed):
    """struct hold_row."""

    NAMES = ("version", "status", "zero", "number", "account", "amount", "captured", "entry", "expires_ms", "closed_ms")
    FORMAT = "<BB6sQQqqQqq"


def key_of(number):
    return struct.pack(">Q", number)


def number_of(key):
    return struct.unpack(">Q", key)[0]


def id_of(prefix, number):
    """As base/id.h writes it."""
    digits = "0123456789abcdefghjkmnpqrstvwxyz"
    return prefix + "".join(digits[number >> shift & 31] for shift in range(60, -1, -5))


# SHA-256's compression function (FIPS 180-4), which hashlib does not offer by itself.

PRIMES = [n for n in range(2, 312) if all(n % d for d in range(2, n))]
MASK = 0xffffffff


def root_bits(prime, power):
    """The first 32 bits of the fraction of the square (2) or cube (3) root."""
    low, high = 0, prime << 32
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle ** power <= prime << 32 * power else (low, middle)
    return low & MASK


INITIAL = [root_bits(prime, 2) for prime in PRIMES[:8]]
CONSTANTS = [root_bits(prime, 3) for prime in PRIMES[:64]]


def rotate(word, by):
    return (word >> by | word << 32 - by) & MASK


def compress(state, block):
    words = list(struct.unpack(">16I", block))
    for i in range(16, 64):
        s0 = rotate(words[i - 15], 7) ^ rotate(words[i - 15], 18) ^ words[i - 15] >> 3
        s1 = rotate(words[i - 2], 17) ^ rotate(words[i - 2], 19) ^ words[i - 2] >> 10
        words.append((words[i - 16] + s0 + words[i - 7] + s1) & MASK)
    a, b, c, d, e, f, g, h = state
    for constant, word in zip(CONSTANTS, words):
        s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)
        first = (h + s1 + (e & f ^ ~e & g) + constant + word) & MASK
        s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)
        second = (s0 + (a & b ^ a & c ^ b & c)) & MASK
        a, b, c, d, e, f, g, h = (first + second) & MASK, a, b, c, (d + first) & MASK, e, f, g
    return [(x + y) & MASK for x, y in zip(state, (a, b, c, d, e, f, g, h))]


class Chain:
    """BILL-13: the value over the entries stepped so far."""

    def __init__(self):
        self.state = INITIAL

    def step(self, number, value):
        """With an entry's row; what its `chain` must be."""
        entry = Entry(value)
        entry.chain = number
        text = entry.pack()
        text += bytes(-len(text) % 64)
        for start in range(0, len(text), 64):
            self.state = compress(self.state, text[start:start + 64])
        return self.state[0] | self.state[1] << 32

    @property
    def head(self):
        """As TABLE_META has it."""
        return struct.pack("<8I", *self.state)
