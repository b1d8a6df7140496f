"""Pairs of versions of an enumeration: its members, their values, and its base."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Final

from tests.differential.pair import Pair
from tests.differential.spelling import indented, placed

_IMPORTS: Final = "import enum\nimport os\nimport sys\nimport typing\nfrom enum import *\n"
_NAMES: Final = ("RED", "GREEN", "BLUE", "CYAN", "PINK")
_KINDS: Final = (*("Enum", "IntEnum", "StrEnum", "Flag", "IntFlag", "str, Enum", "int, Enum"),)


@dataclass(frozen=True)
class _Enumeration:
    """Its members in their order; a value of None is one that Python counts."""

    kind: str
    members: tuple[tuple[str, object], ...]
    methods: frozenset[str] = frozenset()


def enum_pair(random: Random) -> Pair:
    """Return two versions of an enumeration ``E``."""
    kind = random.choice(_KINDS)
    names = random.sample(_NAMES, random.randint(1, 4))
    is_counted = random.random() < 0.5
    members = tuple((name, None if is_counted else _value(random, kind)) for name in names)
    methods = frozenset(name for name in ("shown", "size") if random.random() < 0.3)
    old = new = _Enumeration(kind, members, methods)
    for _ in range(random.choice((0, 1, 1, 2))):
        new = _changed(random, new)
    old_source = _source(random, old)
    return Pair(old_source, _source(random, new), tuple(_calls(old, old_source)))


def _value(random: Random, kind: str) -> object:
    if "str" in kind or "Str" in kind:
        return random.choice(("x", "y", "z"))
    if "Flag" in kind:
        return random.choice((1, 2, 4, 8))
    return random.randint(1, 6) if "nt" in kind else random.choice((1, 2, "x", ("x", 1), None, 3.5))


def _changed(random: Random, old: _Enumeration) -> _Enumeration:
    members = list(old.members)
    at = random.randrange(len(members))
    free = [name for name in _NAMES if name not in dict(members)]
    match random.choice(("add", "append", "remove", "rename", "value", "order", "kind", "methods")):
        case "add" | "append" as where if free:
            index = at if where == "add" else len(members)
            value = None if members[0][1] is None else _value(random, old.kind)
            members.insert(index, (random.choice(free), value))
        case "remove" if len(members) > 1:
            del members[at]
        case "rename" if free:
            members[at] = (random.choice(free), members[at][1])
        case "value":
            members[at] = (members[at][0], _value(random, old.kind))
        case "order":
            random.shuffle(members)
        case "kind":
            return replace(old, kind=random.choice(_KINDS))
        case "methods":
            return replace(old, methods=old.methods ^ {random.choice(("shown", "size"))})
    return replace(old, members=tuple(members))


def _source(random: Random, enum: _Enumeration) -> str:
    spellings: list[Callable[[_Enumeration], str]] = [_as_class, _as_class_by_alias]
    if not enum.methods:
        spellings.append(_as_call)
    definition = random.choice(spellings)(enum)
    return _IMPORTS + placed(random, definition, "class E(Enum):\n    DECOY = 1\n")


def _as_class(enum: _Enumeration, base: str | None = None) -> str:
    body = "".join(
        f"{name} = {'auto()' if value is None else repr(value)}\n" for name, value in enum.members
    )
    if "shown" in enum.methods:
        body += "def shown(self): return self.name\n"
    if "size" in enum.methods:
        body += "@property\ndef size(self): return 1\n"
    return f"class E({base or enum.kind}):\n{indented(body)}"


def _as_class_by_alias(enum: _Enumeration) -> str:
    *mixin, kind = enum.kind.split(", ")
    return f"_Base = enum.{kind}\n{_as_class(enum, ', '.join([*mixin, '_Base']))}"


def _as_call(enum: _Enumeration) -> str:
    *mixin, kind = enum.kind.split(", ")
    end = f", type={mixin[0]})\n" if mixin else ")\n"
    names = [name for name, _ in enum.members]
    if all(value is None for _, value in enum.members):
        listed = repr(" ".join(names))
    else:
        pairs = ((name, "auto()" if value is None else repr(value)) for name, value in enum.members)
        listed = f"{{{', '.join(f'{name!r}: {value}' for name, value in pairs)}}}"
    return f"E = {kind}('E', {listed}{end}"


def _calls(enum: _Enumeration, source: str) -> list[str]:
    """Return the reads of the members, and the calls that look them up by their values."""
    module: dict[str, Any] = {}
    try:
        exec(source, module)
    except Exception:
        return []
    bases = ("int", "str", *(f"enum.{name}" for name in _KINDS if "," not in name))
    calls = ["list(m.E)", *(f"issubclass(m.E, {base}) or 1 / 0" for base in bases)]
    for name, member in module["E"].__members__.items():
        calls += [
            f"m.E.{name}",
            f"m.E[{name!r}]",
            f"m.E({member.value!r})",
            f"m.E({member.value!r}) is m.E.{name} or 1 / 0",
        ]
        calls += [f"m.E.{name}.shown()"] * ("shown" in enum.methods)
        calls += [f"m.E.{name}.size"] * ("size" in enum.methods)
    return calls
