"""The split of a packet, computed again from what smsd publishes: written after smsd-api(7), section
"Fairness", not after smsd's code. `commitment` is what is known at send; when the packet is closed its
`seed` is told, and `shares` are then what everybody must have got."""

import hashlib


class Words:
    """64-bit numbers: SHA-256 of the seed and a block number of 8 bytes, four to a block."""

    def __init__(self, seed):
        self.seed = seed
        self.block = 0
        self.left = []

    def next(self):
        if not self.left:
            digest = hashlib.sha256(self.seed + self.block.to_bytes(8, "big")).digest()
            self.left = [int.from_bytes(digest[at:at + 8], "big") for at in (0, 8, 16, 24)]
            self.block += 1
        return self.left.pop(0)

    def below(self, count):
        """0 … count-1, each as likely as any other."""
        whole = 2 ** 64 // count * count
        word = self.next()
        while word >= whole:
            word = self.next()
        return word % count


def double_mean(words, left, count):
    return 1 + words.below(2 * left // count - 1)


def gaussian(words, left, count):
    total = 0
    for _ in range(3):
        word = words.next()
        while word:
            total += word & 0xffff
            word >>= 16
    # To the nearest of left/count * (1 + (total - mean) / deviation / 3), halves up.
    share = (2 * left * (3 * 65536 + total - 393210) + 3 * 65536 * count) // (2 * 3 * 65536 * count)
    return min(max(share, 1), 2 * left // count - 1)


def equal(_words, left, count):
    return -(-left // count)


RULES = {"double_mean": double_mean, "gaussian": gaussian, "equal": equal}


def shares(rule, amount, count, seed):
    """In the order in which they are handed out. `seed` in hexadecimal, as smsd publishes it."""
    words = Words(bytes.fromhex(seed))
    drawn = []
    left = amount
    for still in range(count, 1, -1):
        drawn.append(RULES[rule](words, left, still))
        left -= drawn[-1]
    drawn.append(left)
    for at in range(count - 1, 0, -1):
        other = words.below(at + 1)
        drawn[at], drawn[other] = drawn[other], drawn[at]
    return drawn


def commitment(rule, amount, count, seed):
    return hashlib.sha256(f"smsd-packet-1 {rule} {amount} {count} {seed}".encode()).hexdigest()
