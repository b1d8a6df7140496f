"""Mutations of the record of a message: its key, partition, headers and compression."""

import json
from random import Random

from tests.support.mutations.message import ID_OF, Fields, Kind
from tests.support.mutations.mutant import Mutant


def tombstone(kind: Kind, fields: Fields, random: Random) -> Mutant:
    value = random.choice([None, b""])
    return Mutant("tombstone", "bad", fields, value, as_bytes=True)


def wrong_key(kind: Kind, fields: Fields, random: Random) -> Mutant:
    tool: str = fields["tool_name"]
    keys: list[bytes | None] = [
        None, b"", b"\0", b"\xff\xfe", b"other", b"k" * 2_000, tool.encode() + b"\0",
        b" " + tool.encode(), tool.upper().encode() + b"x", json.dumps(tool).encode(),
        tool.encode("utf-16"), fields[ID_OF[kind]].encode(),
    ]  # fmt: skip
    key = random.choice(keys)
    return Mutant(f"key {key!r:.30}", "bad", fields, key=key, has_key=True)


def wrong_partition(kind: Kind, fields: Fields, random: Random) -> Mutant:
    return Mutant("wrong partition", "good", fields, elsewhere=True)


def transported(kind: Kind, fields: Fields, random: Random) -> Mutant:
    """Send the same message compressed, or with headers."""
    codec = random.choice([None, "gzip", "snappy", "lz4", "zstd"])
    headers = (("trace", b"\xff\0"), ("", b""), ("trace", b"x" * 2_000))
    return Mutant(f"codec {codec}", "good", fields, codec=codec, headers=() if codec else headers)
