"""Mutations that change fields of a message; its JSON is correct."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from tests.support.mutations.message import ID_OF, TIME_OF, Fate, Fields, Kind, Raw, json_of
from tests.support.mutations.mutant import Mutant
from tests.support.mutations.values import ABSENT_IS_GOOD, OPTIONAL, SORTS, STRANGE, WRONG


def unchanged(kind: Kind, fields: Fields, random: Random) -> Mutant:
    return Mutant("good", "good", fields)


def wrong_value(kind: Kind, fields: Fields, random: Random) -> Mutant:
    field, (wrong, _) = random.choice(list(SORTS[kind].items()))
    values = WRONG[str(wrong)]
    if field in OPTIONAL:
        values = [value for value in values if value is not None]
    value = random.choice(values)
    name = f"{field} = {json_of(value)[:40]}"
    if field == "tool_name" and isinstance(value, str) and "\ud800" not in value:
        # The key and the partition fit the name, so that only the name itself is wrong.
        return Mutant(name, "bad", fields | {field: value}, key=value.encode(), has_key=True)
    return Mutant(name, "bad", fields | {field: value})


def strange_value(kind: Kind, fields: Fields, random: Random) -> Mutant:
    choices = [(field, right) for field, (_, right) in SORTS[kind].items() if right is not None]
    field, right = random.choice(choices)
    value = random.choice(STRANGE[right])
    return Mutant(f"{field} = {json_of(value)[:40]}", "good", fields | {field: value})


def absent(kind: Kind, fields: Fields, random: Random) -> Mutant:
    field = random.choice(list(fields))
    fate: Fate = "good" if field in ABSENT_IS_GOOD else "bad"
    return Mutant(f"without {field}", fate, {n: v for n, v in fields.items() if n != field})


def too_long(kind: Kind, fields: Fields, random: Random) -> Mutant:
    """Make a text long: the contract limits it in executions, and does not in other messages."""
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
    return Mutant(f"unknown {name!r} = {json_of(value)[:30]}", "good", changed)


def unknown_extreme(kind: Kind, fields: Fields, random: Random) -> Mutant:
    """Add a field with deep nesting, a large number or NaN.

    A JSON reader may limit the depth and the size of numbers; NaN is no JSON.
    """
    depth = random.choice([190, 250, 450, 600, 960, 1_000, 10_000, 100_000])
    opened, closed = random.choice([("[", "]"), ('{"a":', "}")])
    text = opened * depth + "1" + closed * depth
    fate: Fate = "good" if depth <= 500 - 2 else "bad"
    if random.random() < 0.2:
        text, fate = random.choice(["9" * 5_000, "NaN", "-Infinity"]), "open"
    return Mutant(f"unknown extreme {text[:5]} {len(text)}", fate, fields | {"extra": Raw(text)})


def other_ids(kind: Kind, fields: Fields, random: Random) -> Mutant:
    """Write the UUID as some libraries do; the contract says only 'UUID strings'."""
    plain = fields[ID_OF[kind]]
    written = random.choice(
        [plain.replace("-", ""), f"{{{plain}}}", f"urn:uuid:{plain}", f"URN:UUID:{plain}"]
    )
    return Mutant(f"id {written[:10]}", "open", fields | {ID_OF[kind]: written})


def ahead(kind: Kind, fields: Fields, random: Random) -> Mutant:
    """Set a time that is ahead of the clock: up to 60 s are allowed."""
    seconds = random.choice([30, 100, 7_200, 10**7])
    time = datetime.now(UTC) + timedelta(seconds=seconds)
    fate: Fate = "good" if seconds <= 60 else "bad"
    return Mutant(f"{seconds} s ahead", fate, fields | {TIME_OF[kind]: time.isoformat()})


def leap_second(kind: Kind, fields: Fields, random: Random) -> Mutant:
    """Set a leap second, which RFC 3339 allows, and which hardly any library accepts."""
    return Mutant("leap second", "open", fields | {TIME_OF[kind]: "2016-12-31T23:59:60Z"})
