"""The journal as files, for tests that damage it. Batches begin on blocks; behind the last one are zeros."""

BLOCK = 4096


def written_segment(smsd):
    """The journal's file that holds something, and its content cut behind the last byte that is not zero.
    There is one as long as little was written."""
    found = []
    for path in sorted((smsd.data_dir / "journal").iterdir()):
        data = path.read_bytes().rstrip(b"\0")
        if data:
            found.append((path, data))
    assert len(found) == 1, [path for path, _ in found]
    return found[0]


def last_block(data):
    """Where the last block that holds something begins."""
    return (len(data) - 1) // BLOCK * BLOCK


def overwrite(path, offset, data):
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def tear(smsd):
    """Leaves behind the last batch what a write that was cut short would."""
    path, data = written_segment(smsd)
    overwrite(path, last_block(data) + BLOCK, b"\xa5" * 100)
