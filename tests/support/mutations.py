"""Good messages and mutations of them.

Each mutation knows its fate: ``good`` (it must count), ``bad`` (it must be a dead letter) or
``open`` (the contract does not say, or chance decides: it must be one of the two, and not both).
The fate comes from the contract's section 'Validity', and not from the product.
"""

import json
import string
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final, Literal, NamedTuple
from uuid import UUID

from streams.partitions import partition_of

Fate = Literal["good", "bad", "open"]
Fields = dict[str, Any]
Kind = Literal["execution", "deployment", "command"]

ID_OF: Final[dict[Kind, str]] = {
    "execution": "execution_id",
    "deployment": "deployment_id",
    "command": "command_id",
}
TIME_OF: Final[dict[Kind, str]] = {
    "execution": "executed_at",
    "deployment": "deployed_at",
    "command": "issued_at",
}


class Case(NamedTuple):
    """One record to be sent.

    ``fields`` are those of the good message. ``partition`` None is the partition of the key.
    ``codec`` compresses the batch.
    """

    name: str
    kind: Kind
    fate: Fate
    key: bytes | None
    value: bytes | None
    fields: Fields
    partition: int | None = None
    codec: str | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


class Raw(NamedTuple):
    """A JSON text in the place of a value: a number that Python would write in another way."""

    text: str


# --- values that replace a good value ------------------------------------------------------------

WRONG_TYPES: Final[dict[str, list[Any]]] = {
    "text": [None, 0, -1.5, True, [], ["a"], {}, {"a": 1}, Raw("1e400"), Raw("NaN")],
    "uuid": [None, 7, "", "7", "not-a-uuid", "0" * 31, "0" * 33, True, [], {}, "g" * 32,
             "123e4567-e89b-12d3-a456-42661417400", " 123e4567-e89b-12d3-a456-426614174000"],
    "bool": [None, 0, 1, "true", "false", "True", "", [], {}, 1.0, Raw("NaN")],
    "version": [0, -1, Raw("-0"), 2**31, 2**63, 10**400, Raw("1e400"), 1.5, "1", "", True, [], {},
                Raw("NaN"), Raw("-Infinity"), Raw("1e-400")],
    "number": [Raw("NaN"), Raw("Infinity"), Raw("-Infinity"), Raw("1e400"), Raw("-1e400"),
               10**400, Raw("9" * 5000), "5", "", True, [], {}, "NaN"],
    "time": [
        None, 0, 1769860800, 1769860800.5, True, [], {}, "", "now", "2026-01-31",
        "2026-01-31T12:00:00", "2026-01-31 12:00:00", "2026-01-31T12:00Z", "2026-01-31T12Z",
        "20260131T120000Z", "2026-01-31T12:00:00+0530", "2026-01-31T12:00:00+05",
        "2026-01-31T12:00:00 Z", " 2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z\n",
        "2026-01-31T12:00:00,5Z", "2026-01-31T12:00:00.Z", "2026-13-01T00:00:00Z",
        "2026-00-10T00:00:00Z", "2026-02-30T00:00:00Z", "2025-02-29T00:00:00Z",
        "2026-01-31T24:00:00Z", "2026-01-31T23:60:00Z", "2026-01-31T23:59:61Z",
        "2026-01-31T12:00:00+24:00", "2026-01-31T12:00:00+99:99", "2026-01-31T12:00:00−05:00",
        "２０２６-01-31T12:00:00Z", "2026-01-31T12:00:00Z[Europe/Berlin]", "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+23:59", "0000-01-01T00:00:00Z", "-001-01-01T00:00:00Z",
        "1969-12-31T23:59:59.999999Z", "1970-01-01T00:00:00+00:01", "10000-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999999-23:59", "2026-01-31T12:00:00\u0000Z",
        "2026-W05-6T12:00:00Z", "2026-031T12:00:00Z", "+2026-01-31T12:00:00Z",
    ],
    "name": [None, 7, "", "n" * 256, "数" * 256, "a\0b", "\0", True, [], {}, "lone \ud800"],
    "code": [None, 7, True, [], {}, "a\0b", "x" * 524_289, "é" * 262_145, "lone \udfff"],
    "author": [None, "", "robot", "Human", "HUMAN", "human ", 1, [], {}],
    "kind": ["", "remark", "Execution", "EXECUTION", "activation", "execution\0", 1, True, [], {}],
    "improvement": [None, 7, "i" * 51, "a\0b", True, [], {}],
    "tier": [None, "", "slow", "Immediate", "manual ", 1, [], {}],
    "reason": [None, "", "because", "Manual", 1, [], {}],
    "details": [7, "x", [], True, Raw("NaN"), Raw("1e400")],
    "breaks": [7, "x", {}, True, [7], [{}], [{"reason": "r"}], [{"kind": "k"}], [None]],
}  # fmt: skip
"""By the sort of the field: what the contract forbids there."""

RIGHT: Final[dict[str, list[Any]]] = {
    "text?": [None, "", "plain", "x" * 255, "数" * 255, "\0", "\ud800 alone", "\u202e\x1b[31m"],
    "error?": [None, "", "TypeError: no", "\0" * 10, "x" * 100_000, "\ud800\udc00 \udfff",
               "é" * 9000, "Traceback (most recent call last):\n  x\nKeyError: 'TypeErrorCount'"],
    "version?": [None, 2**31 - 1],
    "number?": [None, 0, Raw("-0"), Raw("-0.0"), 1e308, 5e-324, Raw("1e-400"), 10**15, 10**300,
                Raw("1E+2"), -5.5],
    "bool": [True, False],
    "time": ["1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000001Z", "1999-12-31T23:59:59.9Z",
             "2020-02-29T00:00:00.123456789+05:30", "2024-01-31t12:00:00z", "2024-01-31 12:00:00Z",
             "2024-01-31T12:00:00-00:00", "2024-01-31T12:00:00+23:59", "2024-01-31T12:00:00-23:59",
             "1970-01-01T12:00:00+12:00"],
    "kind?": [None, "execution"],
    "reason?": [None, "", "why", "w" * 60_000, "\0", "lone \ud800"],
    "code": ["", "\n", "def execute(:\n", "(" * 5_000, "x = 1\r\n", "# 🛡 é", "'\\\\x00'",
             "x" * 524_288, "[" * 200 + "]" * 200, "\ufeffx = 1", "async def f(): yield\n\tbad"],
    "author": ["human", "autonomous"],
    "improvement": ["", "bug_fix", "i" * 50, "数" * 50],
    "breaks?": [None, [], [{"kind": "k", "reason": "r"}], [{"object": "o", "reason": "\0\ud800"}]],
    "tier": ["immediate", "fast", "standard", "manual"],
    "reason": ["consecutive_failures", "signature_change", "complete_failure", "high_failure_rate",
               "success_rate_drop", "regression", "manual"],
    "activation?": [None, 1, 2**31 - 1],
    "details": [{}, {"recent": "no list"}, {"recent": ["x", 7, None]}, {"\0": "\ud800"},
                {"n": 10**400, "f": 1e308}, {"deep": [[[[[[{}]]]]]]}, {"": {"": ""}}],
}  # fmt: skip
"""By the sort of the field: what is strange there, and good."""

SORTS: Final[dict[Kind, dict[str, tuple[str | None, str | None]]]] = {
    "execution": {
        "kind": ("kind", "kind?"),
        "execution_id": ("uuid", None),
        "tool_name": ("name", None),
        "version_id": ("version", "version?"),
        "success": ("bool", "bool"),
        "error": ("text", "error?"),
        "error_type": ("text", "text?"),
        "executed_at": ("time", "time"),
        "duration_ms": ("number", "number?"),
        "session_id": ("text", "text?"),
    },
    "deployment": {
        "deployment_id": ("uuid", None),
        "tool_name": ("name", None),
        "code": ("code", "code"),
        "created_by": ("author", "author"),
        "improvement_type": ("improvement", "improvement"),
        "improvement_reason": ("text", "reason?"),
        "deployed_at": ("time", "time"),
        "accepted_breaks": ("breaks", "breaks?"),
    },
    "command": {
        "command_id": ("uuid", None),
        "tool_name": ("name", None),
        "from_version_id": ("version", "version?"),
        "from_activation": ("version", "activation?"),
        "to_version_id": ("version", "version?"),
        "tier": ("tier", "tier"),
        "reason": ("reason", "reason"),
        "details": ("details", "details"),
        "issued_by": ("text", None),
        "issued_at": ("time", "time"),
    },
}
"""Of each field: what is wrong there, and what is strange but right."""

OPTIONAL: Final = frozenset(
    {"kind", "version_id", "error", "error_type", "duration_ms", "session_id", "improvement_reason",
     "accepted_breaks", "from_version_id", "from_activation", "to_version_id"}
)  # fmt: skip
"""Null is the same as absent there."""
ABSENT_IS_GOOD: Final = OPTIONAL | {"details"}


def text_of(fields: Fields) -> str:
    """Return the fields as a JSON text; :class:`Raw` ones stay as they are."""
    return _text(fields)


def _text(value: Any) -> str:
    if isinstance(value, Raw):
        return value.text
    if isinstance(value, dict):
        pairs = (f"{json.dumps(name)}: {_text(each)}" for name, each in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_text, value)) + "]"
    return json.dumps(value)


def _unescaped(fields: Fields) -> str:
    """JSON with its characters as they are; a lone surrogate has no UTF-8, and is replaced."""
    text = json.dumps(fields, ensure_ascii=False)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


# --- good messages --------------------------------------------------------------------------------


def good(kind: Kind, tool: str, random: Random, now: datetime, version_id: int) -> Fields:
    """Return a plain good message of ``now``; a command names ``version_id`` as its target."""
    fields: Fields = {
        ID_OF[kind]: str(UUID(int=random.getrandbits(128), version=4)),
        "tool_name": tool,
        TIME_OF[kind]: now.isoformat(),
    }
    if kind == "execution":
        fields |= {"success": True, "session_id": "s", "duration_ms": 1.5}
    elif kind == "deployment":
        code = f"def execute(x):\n    return {random.randrange(5)}\n"
        fields |= {"code": code, "created_by": "human", "improvement_type": "bug_fix"}
    else:
        fields |= {"to_version_id": version_id, "tier": "manual", "reason": "manual"}
        fields |= {"details": {"reason": "x"}, "issued_by": "someone"}
    return fields


# --- mutations ------------------------------------------------------------------------------------


class Mutant(NamedTuple):
    """A changed message: ``value`` where it was changed as bytes, else ``fields`` as JSON."""

    name: str
    fate: Fate
    fields: Fields
    value: bytes | None = None
    as_bytes: bool = False
    key: bytes | None = None
    has_key: bool = False
    elsewhere: bool = False
    codec: str | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


Mutation = Callable[[Kind, Fields, Random], Mutant]


def wrong_value(kind: Kind, fields: Fields, random: Random) -> Mutant:
    field, (wrong, _) = random.choice(list(SORTS[kind].items()))
    values = WRONG_TYPES[str(wrong)]
    if field in OPTIONAL:
        values = [value for value in values if value is not None]
    value = random.choice(values)
    name = f"{field} = {_text(value)[:40]}"
    if field == "tool_name" and isinstance(value, str) and "\ud800" not in value:
        # its key and partition are right: the name alone is wrong
        return Mutant(name, "bad", fields | {field: value}, key=value.encode(), has_key=True)
    return Mutant(name, "bad", fields | {field: value})


def strange_value(kind: Kind, fields: Fields, random: Random) -> Mutant:
    choices = [(field, right) for field, (_, right) in SORTS[kind].items() if right is not None]
    field, right = random.choice(choices)
    value = random.choice(RIGHT[right])
    return Mutant(f"{field} = {_text(value)[:40]}", "good", fields | {field: value})


def absent(kind: Kind, fields: Fields, random: Random) -> Mutant:
    field = random.choice(list(fields))
    fate: Fate = "good" if field in ABSENT_IS_GOOD else "bad"
    return Mutant(f"without {field}", fate, {n: v for n, v in fields.items() if n != field})


def too_long(kind: Kind, fields: Fields, random: Random) -> Mutant:
    """Exceed what the contract limits in executions; it does not limit other messages' texts."""
    field = {"execution": "session_id", "deployment": "improvement_reason", "command": "issued_by"}
    size = random.choice([256, 70_000, 1_000_000])
    fate: Fate = "bad" if kind == "execution" else "open"
    return Mutant(f"{field[kind]}: {size}", fate, fields | {field[kind]: "z" * size})


def unknown_fields(kind: Kind, fields: Fields, random: Random) -> Mutant:
    unknown: list[Any] = [
        None, {}, [], "x" * 5_000, "\ud800", "\0", 10**400, Raw("1e400"), Raw("-0"), 1e308,
        Raw("[" * 100 + "]" * 100), {"tool_name": "other", "success": "no"}, True,
    ]  # fmt: skip
    name = random.choice(["caller", "input_hash", "", "\0", "\ud83d", "Success", "tool name", "🛡"])
    value = random.choice(unknown)
    changed = {name: value, **fields} if random.random() < 0.5 else fields | {name: value}
    return Mutant(f"unknown {name!r} = {_text(value)[:30]}", "good", changed)


def unknown_extreme(kind: Kind, fields: Fields, random: Random) -> Mutant:
    """JSON lets a reader limit the depth and the size of numbers; NaN is no JSON at all."""
    depth = random.choice([190, 250, 450, 600, 960, 1_000, 10_000, 100_000])
    opened, closed = random.choice([("[", "]"), ('{"a":', "}")])
    text = opened * depth + "1" + closed * depth
    fate: Fate = "good" if depth <= 500 - 2 else "bad"
    if random.random() < 0.2:
        text, fate = random.choice(["9" * 5_000, "NaN", "-Infinity"]), "open"
    return Mutant(f"unknown extreme {text[:5]} {len(text)}", fate, fields | {"extra": Raw(text)})


def deep(kind: Kind, fields: Fields, random: Random) -> Mutant:
    """Send nothing but nesting, or nesting in the place of a text."""
    depth = random.choice([10, 200, 1_000, 10_000, 100_000])
    opened, closed = random.choice([("[", "]"), ('{"a":', "}"), ("[", "")])
    text = opened * depth + ("1" if opened != "[" else "") + closed * depth
    if random.random() < 0.5:
        return Mutant(f"deep {depth}", "bad", fields, text.encode(), as_bytes=True)
    return Mutant(f"tool_name deep {depth}", "bad", fields | {"tool_name": Raw(text)})


def layout(kind: Kind, fields: Fields, random: Random) -> Mutant:
    """Write the same message in another way."""
    shuffled = dict(random.sample(list(fields.items()), len(fields)))
    texts = {
        "shuffled": json.dumps(shuffled),
        "indented": json.dumps(fields, indent=2),
        "dense": json.dumps(fields, separators=(",", ":")),
        "padded": "\r\n\t " + json.dumps(fields) + " \n" * 50,
        "UTF-8": _unescaped(fields | {"extra": "é数🛡"}),
        "escaped": json.dumps(fields).replace("tool_name", "\\u0074ool_name"),
        "solidus": json.dumps(fields | {"extra": "/"}).replace("/", "\\/"),
        "twice the same": json.dumps(fields)[:-1]
        + f', "tool_name": {_text(fields["tool_name"])}}}',
        "upper case id": json.dumps(fields | {ID_OF[kind]: fields[ID_OF[kind]].upper()}),
    }
    name = random.choice(list(texts))
    return Mutant(name, "good", fields, texts[name].encode(), as_bytes=True)


def twice_different(kind: Kind, fields: Fields, random: Random) -> Mutant:
    """Write a name twice: JSON does not say which value holds."""
    field = random.choice(list(fields))
    other = random.choice(["x", 7, None, fields[field]])
    text = text_of(fields)[:-1] + f", {json.dumps(field)}: {_text(other)}}}"
    return Mutant(f"twice {field}", "open", fields, text.encode(), as_bytes=True)


def other_ids(kind: Kind, fields: Fields, random: Random) -> Mutant:
    """UUIDs as some libraries write them; the contract says 'UUID strings'."""
    plain = fields[ID_OF[kind]]
    written = random.choice(
        [plain.replace("-", ""), f"{{{plain}}}", f"urn:uuid:{plain}", f"URN:UUID:{plain}"]
    )
    return Mutant(f"id {written[:10]}", "open", fields | {ID_OF[kind]: written})


def no_json(kind: Kind, fields: Fields, random: Random) -> Mutant:
    text = json.dumps(fields)
    texts = [
        "", " ", "null", "true", "0", "-1", '""', "[]", "{}", "NaN", "{", "}", "[1, 2]", '"x', "\0",
        text[:-1] + ",}", text.replace('"', "'"), text + text, text + "x", "[" + text + "]",
        text + "\0", "// x\n" + text, text[:-1] + ', "x": 007}', text[:-1] + ', "x": +1}',
        text[:-1] + ', "x": .5}', text[:-1] + ', "x": 0x10}', text[:-1] + ', "x": tru}',
        text[:-1] + ', "x": "a\nb"}', text[:-1] + ', "x": "\0"}', text[:-1] + ', "x": "\\q"}',
        text[:-1] + ', "x": "\\u12"}', text[:-1] + ', x: 1}', text[:-1] + ', 1: 1}',
        text * (2 + 200_000 // len(text)), json.dumps(text),
        text[:-1] + ', "x"}', text.replace(":", "="),
    ]  # fmt: skip
    place = random.randrange(len(texts) + 5)
    if place >= len(texts):  # cut anywhere
        cut = text[: random.randrange(1, len(text) - 1)]
        return Mutant(f"cut at {len(cut)}", "bad", fields, cut.encode(), as_bytes=True)
    return Mutant(f"no JSON {place}", "bad", fields, texts[place].encode(), as_bytes=True)


def no_utf_8(kind: Kind, fields: Fields, random: Random) -> Mutant:
    text = _unescaped(fields | {"extra": "é"})
    codecs = ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be")
    encoded = {codec: text.encode(codec) for codec in codecs}
    encoded["raw"] = text.encode().replace(b"\xc3\xa9", b"\xff\xfe")
    encoded["overlong"] = text.encode().replace(b"\xc3\xa9", b"\xc0\xaf")
    encoded["half"] = text.encode().replace(b"\xc3\xa9", b"\xc3")
    encoded["latin-1"] = text.encode().replace(b"\xc3\xa9", b"\xe9")
    name = random.choice(list(encoded))
    return Mutant(name, "bad", fields, encoded[name], as_bytes=True)


def nearly_utf_8(kind: Kind, fields: Fields, random: Random) -> Mutant:
    """Add a byte order mark, which a reader may ignore, or write surrogates as UTF-8."""
    text = _unescaped(fields | {"extra": "é"}).encode()
    mark = random.random() < 0.5
    value = b"\xef\xbb\xbf" + text if mark else text.replace(b"\xc3\xa9", b"\xed\xa0\x80")
    return Mutant("byte order mark" if mark else "CESU-8", "open", fields, value, as_bytes=True)


def random_bytes(kind: Kind, fields: Fields, random: Random) -> Mutant:
    value = random.randbytes(random.choice([1, 2, 7, 100, 5_000]))
    if random.random() < 0.3:
        dead_letters = string.printable + '{}[]",:0123456789eE-+\\u\0'
        value = "".join(random.choices(dead_letters, k=random.choice([5, 50, 500]))).encode()
    return Mutant("random bytes", "bad", fields, value, as_bytes=True)


def flipped(kind: Kind, fields: Fields, random: Random) -> Mutant:
    """Change some bits, bytes or stretches of a good message at random."""
    value = bytearray(text_of(fields).encode())
    for _ in range(random.choice([1, 1, 1, 2, 5])):
        at = random.randrange(len(value))
        match random.randrange(4):
            case 0:
                value[at] ^= 1 << random.randrange(8)
            case 1:
                del value[at : at + random.randrange(1, 9)]
            case 2:
                value[at:at] = random.randbytes(random.randrange(1, 5))
            case _:
                value[at:at] = value[at : at + random.randrange(1, 30)]
        value = value or bytearray(b"x")
    return Mutant("flipped", "open", fields, bytes(value), as_bytes=True)


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
    return Mutant("wrong partition", "bad", fields, elsewhere=True)


def transported(kind: Kind, fields: Fields, random: Random) -> Mutant:
    """Compressed, or with headers: it is the same message."""
    codec = random.choice([None, "gzip", "snappy", "lz4", "zstd"])
    headers = (("trace", b"\xff\0"), ("", b""), ("trace", b"x" * 2_000))
    return Mutant(f"codec {codec}", "good", fields, codec=codec, headers=() if codec else headers)


def ahead(kind: Kind, fields: Fields, random: Random) -> Mutant:
    """Send a time that is ahead: up to 30 s are allowed."""
    seconds = random.choice([30, 100, 7_200, 10**7])
    time = datetime.now(UTC) + timedelta(seconds=seconds)
    fate: Fate = "good" if seconds <= 60 else "bad"
    return Mutant(f"{seconds} s ahead", fate, fields | {TIME_OF[kind]: time.isoformat()})


def leap_second(kind: Kind, fields: Fields, random: Random) -> Mutant:
    """RFC 3339 knows it; hardly any clock or library does."""
    return Mutant("leap second", "open", fields | {TIME_OF[kind]: "2016-12-31T23:59:60Z"})


def huge(kind: Kind, fields: Fields, random: Random) -> Mutant:
    """As large as a record may be."""
    size = random.choice([1_048_576, 3_000_000])
    if random.random() < 0.5:
        return Mutant("huge junk", "bad", fields, b"x" * size, as_bytes=True)
    return Mutant("huge unknown", "good", fields | {"extra": "x" * size})


def unchanged(kind: Kind, fields: Fields, random: Random) -> Mutant:
    return Mutant("good", "good", fields)


WEIGHTS: Final[dict[Mutation, int]] = {
    wrong_value: 30,
    strange_value: 15,
    absent: 5,
    too_long: 1,
    unknown_fields: 6,
    unknown_extreme: 3,
    deep: 4,
    layout: 6,
    twice_different: 3,
    other_ids: 2,
    no_json: 12,
    no_utf_8: 4,
    nearly_utf_8: 2,
    random_bytes: 8,
    flipped: 12,
    tombstone: 2,
    wrong_key: 6,
    wrong_partition: 3,
    transported: 4,
    ahead: 3,
    leap_second: 1,
    unchanged: 20,
}


def cases(
    kind: Kind,
    tools: list[str],
    count: int,
    random: Random,
    partitions: int,
    version_ids: dict[str, int],
    large: int = 0,
) -> Iterator[Case]:
    """Yield ``count`` records, ``large`` of them as large as they may be.

    Their times are now, a moment apart.
    """
    mutations: list[Mutation] = random.choices(
        list(WEIGHTS), weights=list(WEIGHTS.values()), k=count - large
    )
    mutations[: len(WEIGHTS)] = list(WEIGHTS)[: len(mutations)]
    mutations += [huge] * large
    random.shuffle(mutations)
    start = datetime.now(UTC) - timedelta(seconds=20)
    for number, mutation in enumerate(mutations):
        tool = random.choice(tools)
        now = start + timedelta(microseconds=number * 100)
        fields = good(kind, tool, random, now, version_ids.get(tool, 1))
        while random.random() < 0.3:  # strange as well
            strange = strange_value(kind, fields, random).fields
            if not any(isinstance(value, Raw) for value in strange.values()):
                fields = strange
        yield _case(kind, mutation(kind, fields, random), partitions)


def _case(kind: Kind, mutant: Mutant, partitions: int) -> Case:
    fields = mutant.fields
    value = mutant.value if mutant.as_bytes else text_of(fields).encode()
    key = mutant.key if mutant.has_key else _key_of(fields)
    partition = None
    if mutant.elsewhere or key is None:
        home = 0 if key is None else partition_of(key, partitions)
        partition = (home + 1) % partitions
    return Case(
        name=mutant.name,
        kind=kind,
        fate=mutant.fate,
        key=key,
        value=value,
        fields=fields,
        partition=partition,
        codec=mutant.codec,
        headers=mutant.headers,
    )


def _key_of(fields: Fields) -> bytes:
    tool = fields.get("tool_name")
    return tool.encode(errors="replace") if isinstance(tool, str) else b"fuzz"
