"""Pairs of versions of a class: its constructor, methods, attributes, and bases."""

from dataclasses import dataclass, replace
from random import Random
from typing import Final

from tests.differential.pair import Pair
from tests.differential.parameters import Parameters, changed_parameters, random_parameters
from tests.differential.spelling import indented, placed

_IMPORTS: Final = """\
import abc
import collections
import collections.abc
import functools
import json
import os
import socket
import sys
import typing
from functools import cached_property

def _seen(values):
    return {name: value for name, value in values.items() if name not in ("self", "cls")}

class _lazy:
    def __init__(self, f): self.f = f
    def __get__(self, instance, owner): return 1 if instance is None else self.f(instance)
"""
#: Names of bases: those in one line are the same class, or abstract ones that behave alike.
_BASES: Final = (
    ("",),
    ("object",),
    ("ValueError",),
    ("OSError", "IOError", "EnvironmentError", "os.error", "socket.error"),
    ("KeyError",),
    ("LookupError",),
    ("Exception",),
    ("TimeoutError", "socket.timeout"),
    ("list", "typing.List[int]"),
    ("dict", "typing.Dict[str, int]"),
    ("collections.OrderedDict", "typing.OrderedDict[str, int]"),
    ("collections.abc.Sized", "typing.Sized"),
    ("abc.ABC",),
    ("_Base",),
    ("Shared",),
)
_STANDARD: Final = (
    *("ValueError", "OSError", "KeyError", "LookupError", "Exception", "TimeoutError", "list"),
    *("dict", "collections.OrderedDict", "collections.abc.Sized", "collections.abc.Mapping"),
    *("abc.ABC", "m.Shared"),
)
_KINDS: Final = (
    *("method", "method", "static", "class", "property", "settable", "cached", "value"),
    *("coroutine", "generator", "async property", "generator property", "in init", "in helper"),
    *("in new", "unset"),
)
_ATTRIBUTES: Final = frozenset({"value", "in init", "in helper", "in new"})
_NAMES: Final = ("run", "rows", "size", "items", "_hidden")
_SPECIAL: Final = {
    "__len__": "(self): return 1",
    "__iter__": "(self): return iter(())",
    "__call__": "(self): return 1",
    "__repr__": "(self): return ''",
    "__eq__": "(self, other): return True",
    "__hash__": "(self): return 1",
    "__contains__": "(self, key): return True",
    "__lt__": "(self, other): return True",
}


@dataclass(frozen=True)
class _Member:
    kind: str
    parameters: Parameters
    #: The class that has it: the class itself, or one of its bases.
    owner: str = "C"


@dataclass(frozen=True)
class _Class:
    base: tuple[str, ...]
    init: Parameters | None
    members: tuple[tuple[str, _Member], ...]
    special: frozenset[str] = frozenset()


def class_pair(random: Random) -> Pair:
    """Return two versions of a class ``C``."""
    init = random_parameters(random) if random.random() < 0.5 else None
    names = random.sample(_NAMES, random.randint(1, 4))
    members = tuple((name, _member(random)) for name in names)
    special = frozenset(name for name in _SPECIAL if random.random() < 0.15)
    old = new = _Class(random.choice(_BASES), init, members, special)
    for _ in range(random.choice((0, 1, 1, 2))):
        new = _changed(random, new)
    made = f"m.C({old.init.minimal_call() if old.init else ''})"
    return Pair(_source(random, old), _source(random, new), tuple(_calls(old, made)), made)


def _member(random: Random) -> _Member:
    owner = random.choice(("C", "C", "C", "_Base", "Shared"))
    return _Member(random.choice(_KINDS), random_parameters(random), owner)


def _changed(random: Random, old: _Class) -> _Class:
    members = dict(old.members)
    name = random.choice(list(members))
    free = [each for each in _NAMES if each not in members]
    change = random.choice(
        ("base", "init", "init", "special", "add", "remove", "rename", "kind", "parameters", "move")
    )
    match change:
        case "base":
            return replace(old, base=random.choice(_BASES))
        case "init":
            is_kept = old.init is not None and random.random() < 0.7
            changed = changed_parameters(random, old.init) if is_kept and old.init else None
            return replace(old, init=changed or random_parameters(random) if is_kept else None)
        case "special":
            return replace(old, special=old.special ^ {random.choice(list(_SPECIAL))})
        case "add" if free:
            members[random.choice(free)] = _member(random)
        case "remove" if len(members) > 1:
            del members[name]
        case "rename" if free:
            members[random.choice(free)] = members.pop(name)
        case "kind":
            members[name] = replace(members[name], kind=random.choice(_KINDS))
        case "parameters":
            changed = changed_parameters(random, members[name].parameters)
            members[name] = replace(members[name], parameters=changed)
        case "move":
            members[name] = replace(members[name], owner=random.choice(("C", "_Base", "Shared")))
    return replace(old, members=tuple(members.items()))


def _calls(old: _Class, own: str) -> list[str]:
    made = own
    calls = [f"m.C({arguments})" for arguments in ("", "1", "1, 2", "[(1, 2)]")]
    calls.append("m.C(a=1)")
    calls += [f"m.Shared({arguments})" for arguments in ("", "1", "z=1")]
    for name in _NAMES[:-1]:
        calls += [f"{made}.{name}", f"{made}.{name}()"]
    if old.init is not None:
        calls += [f"getattr(m.C({arguments}), '_init', {{}})" for arguments in old.init.calls()]
    for name, member in old.members:
        if name.startswith("_"):
            continue
        made = "m.Shared()" if member.owner == "Shared" else own
        calls += [f"{made}.{name}", f"{made}.{name} + 1", f"len({made}.{name})"]
        calls += [f"{made.partition('(')[0]}.{name} + 1"] * (member.kind == "value")
        calls += [f"setattr({made}, {name!r}, 1)"] * (
            member.kind in {*_ATTRIBUTES, "settable", "cached"}
        )
        for arguments in member.parameters.calls():
            calls += [f"{made}.{name}({arguments})"]
            calls += [f"{made.partition('(')[0]}.{name}({arguments})"] * (
                member.kind in ("static", "class")
            )
    made = own
    calls += [f"isinstance({made}, {base}) or 1 / 0" for base in _STANDARD]
    calls += [f"{call}({made})" for call in ("len", "repr", "hash", "bool", "callable")]
    calls.append(f"iter({made}) is None")
    calls += [f"{made}()", f"{made} == 1", f"{made} < 1", f"1 in {made}"]
    return calls


def _source(random: Random, this: _Class) -> str:
    base = random.choice(this.base)
    shared = _body(random, this, "Shared", None)
    private = _body(random, this, "_Base", None)
    definition = f"class Shared:\n{shared}class _Base:\n{private}"
    if base and "[" not in base and random.random() < 0.3:
        definition += f"_Alias = {base}\n"
        base = "_Alias"
    head = f"({base})" if base else ""
    definition += f"class C{head}:\n{_body(random, this, 'C', this.init)}"
    decoy = "class C:\n    def run(self, decoy): return decoy\n"
    return _IMPORTS + placed(random, definition, decoy)


def _body(random: Random, this: _Class, owner: str, init: Parameters | None) -> str:
    members = [(name, member) for name, member in this.members if member.owner == owner]
    lines = [_definition(random, name, member) for name, member in members]
    if owner == "C":
        lines += [f"def {name}{_SPECIAL[name]}" for name in sorted(this.special)]
    chosen = {
        kind: [name for name, member in members if member.kind == kind]
        for kind in ("in init", "in helper", "in new")
    }
    if chosen["in new"]:
        lines.append("def __new__(cls, *args, **kwargs):\n    made = super().__new__(cls)")
        lines += [f"    made.{name} = 1" for name in chosen["in new"]]
        lines.append("    return made")
    if chosen["in helper"]:
        lines.append("def _fill(self):")
        lines += [f"    self.{name} = 1" for name in chosen["in helper"]]
    if init is not None or chosen["in init"] or chosen["in helper"]:
        first = "self" if init is None else init.text("self")
        lines.append(f"def __init__({first}):\n    self._init = _seen(locals())")
        lines += [f"    self.{name} = 1" for name in chosen["in init"]]
        lines += ["    self._fill()"] * bool(chosen["in helper"])
    return indented("\n".join(lines or ["pass"]) + "\n")


def _definition(random: Random, name: str, member: _Member) -> str:
    """Return the definition of a member; of one that a method sets, perhaps a declaration."""
    written = random.choice(_WRITTEN.get(member.kind, ("pass", "pass", "{name}: int")))
    parameters = member.parameters
    return written.format(
        name=name,
        own=parameters.text(),
        bound=parameters.text("self"),
        of_class=parameters.text("cls"),
    )


_WRITTEN: Final = {
    "method": (
        "def {name}({bound}): return _seen(locals())",
        "{name} = lambda {bound}: _seen(locals())",
        "def _m_{name}({bound}): return _seen(locals())\n{name} = _m_{name}",
    ),
    "static": (
        "@staticmethod\ndef {name}({own}): return _seen(locals())",
        "{name} = staticmethod(lambda {own}: _seen(locals()))",
    ),
    "class": ("@classmethod\ndef {name}({of_class}): return _seen(locals())",),
    "property": (
        "@property\ndef {name}(self): return 1",
        "{name} = property(lambda self: 1)",
    ),
    "settable": (
        "@property\ndef {name}(self): return 1\n@{name}.setter\ndef {name}(self, value): pass",
        "{name} = property(lambda self: 1, lambda self, value: None)",
    ),
    "cached": (
        "@cached_property\ndef {name}(self): return 1",
        "@functools.cached_property\ndef {name}(self): return 1",
    ),
    "value": ("{name} = 1", "{name}: int = 1"),
    "coroutine": ("async def {name}({bound}): return _seen(locals())",),
    "generator": ("def {name}({bound}): yield _seen(locals())",),
    "async property": ("@property\nasync def {name}(self): return 1",),
    "generator property": ("@property\ndef {name}(self): yield 1",),
    "unset": ("{name}: int",),
}
