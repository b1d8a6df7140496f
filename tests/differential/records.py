"""Pairs of versions of a class with fields: dataclasses, attrs, named tuples and models."""

from dataclasses import dataclass, replace
from random import Random
from typing import Final

from tests.differential.pair import Pair
from tests.differential.parameters import (
    KEYWORD,
    POSITIONAL,
    Parameters,
    changed_parameters,
    random_parameters,
    with_needed_defaults,
)
from tests.differential.spelling import indented, placed

_IMPORTS: Final = """\
import collections
import dataclasses
import functools
import os
import sys
import typing

import attr
import attrs
import msgspec
import pydantic
import typing_extensions
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple
"""
_FAMILIES: Final = ("dataclass", "dataclass", "dataclass", "named tuple", "model", "struct")


@dataclass(frozen=True)
class _Record:
    """A class with fields: its constructor's parameters, and what instances have besides."""

    family: str
    parameters: Parameters
    #: Attributes that are set after construction, in a `__post_init__`.
    computed: frozenset[str] = frozenset()
    #: Fields that the constructor does not take, each with a default.
    left_out: frozenset[str] = frozenset()
    constants: frozenset[str] = frozenset()
    has_base: bool = False
    options: frozenset[str] = frozenset()
    #: Whether keyword-only fields follow a mark instead of being described.
    is_marked: bool = False

    def written_options(self, *more: str) -> str:
        """Return the options of a decorator in parentheses."""
        return f"({', '.join([*more, *(f'{each}=True' for each in sorted(self.options))])})"


def record_pair(random: Random) -> Pair:
    """Return two versions of a class ``P``."""
    family = random.choice(_FAMILIES)
    old = _Record(family, _fitting(family, random_parameters(random)))
    for _ in range(random.choice((0, 0, 1, 2))):
        old = _with_extra(random, old)
    new = old
    for _ in range(random.choice((0, 1, 1, 2))):
        if random.random() < 0.3:
            new = _with_extra(random, new)
        else:
            changed = changed_parameters(random, new.parameters)
            new = replace(new, parameters=_fitting(family, changed))
    made = f"m.P({old.parameters.minimal_call()})"
    return Pair(_source(random, old), _source(random, new), tuple(_calls(old)), made)


def _fitting(family: str, parameters: Parameters) -> Parameters:
    """Return parameters that a constructor made of fields may have."""
    named = [
        replace(each, passing=1 if each.passing == POSITIONAL else each.passing)
        for each in parameters.named
    ]
    if family in ("named tuple", "model"):
        named = [replace(each, passing=KEYWORD if family == "model" else 1) for each in named]
    return Parameters(with_needed_defaults(named))


def _with_extra(random: Random, old: _Record) -> _Record:
    """Return the record with something added besides its parameters, or with that taken away."""
    match random.choice(("computed", "left out", "constant", "base", "option", "mark")):
        case "computed" if old.family == "dataclass":
            return replace(old, computed=old.computed ^ {random.choice(("total", "_total"))})
        case "left out" if old.family == "dataclass":
            return replace(old, left_out=old.left_out ^ {random.choice(("cache", "_cache"))})
        case "option" if old.family == "dataclass":
            return replace(old, options=old.options ^ {random.choice(("frozen", "order"))})
        case "mark":
            return replace(old, is_marked=not old.is_marked)
        case "constant":
            return replace(old, constants=old.constants ^ {random.choice(("LIMIT", "_LIMIT"))})
        case "base" if old.family in ("dataclass", "model", "struct"):
            return replace(old, has_base=not old.has_base)
    return old


def _calls(record: _Record) -> list[str]:
    calls = [f"fields_of(m.P({arguments}))" for arguments in record.parameters.calls()]
    made = f"m.P({record.parameters.minimal_call()})"
    names = [each.name for each in record.parameters.named]
    names += [*record.computed, *record.left_out, *record.constants]
    calls += [f"{made}.{name}" for name in names if not name.startswith("_")]
    calls += [f"isinstance({made}, {base}) or 1 / 0" for base in ("tuple", "dict", "object")]
    calls.append(f"isinstance({made}, __import__('msgspec').Struct) or 1 / 0")
    calls += [f"hash({made})", f"{made} == {made}", f"{made} < {made}"]
    if record.family == "named tuple":
        calls += [f"{made}[{index}]" for index in range(len(names))]
    return calls


def _source(random: Random, record: _Record) -> str:
    writers = {
        "dataclass": (_dataclass, _dataclass, _attrs, _make_dataclass),
        "named tuple": (_named_tuple, _named_tuple_call),
        "model": (_model,),
        "struct": (_struct,),
    }
    definition = random.choice(writers[record.family])(random, record)
    return _IMPORTS + placed(random, definition, "class P:\n    decoy = 1\n")


def _body(fields: list[str], record: _Record) -> str:
    lines = [*fields, *(f"{name}: ClassVar[int] = 1" for name in sorted(record.constants))]
    lines += [f"{name}: int = field(init=False, default=5)" for name in sorted(record.left_out)]
    if record.computed:
        lines.append("def __post_init__(self):")
        written = "self.{} = 1"
        if "frozen" in record.options:
            written = "object.__setattr__(self, '{}', 1)"
        lines += [f"    {written.format(name)}" for name in sorted(record.computed)]
    return indented("\n".join(lines or ["pass"]) + "\n")


def _split(random: Random, record: _Record) -> tuple[list[str], list[str]]:
    """Return the fields of a base and those of the class itself, as lines of a dataclass."""
    lines = []
    is_marked = record.is_marked and not record.has_base
    for each in record.parameters.named:
        options = [] if each.default is None else [f"default={each.default}"]
        if each.passing == KEYWORD and is_marked:
            lines += ["_: dataclasses.KW_ONLY"] * ("_: dataclasses.KW_ONLY" not in lines)
        elif each.passing == KEYWORD:
            options.append("kw_only=True")
        elif random.random() < 0.2:
            options.append("kw_only=False")
        line = f"{each.name}: int"
        if options == [f"default={each.default}"] and random.random() < 0.7:
            line += f" = {each.default}"
        elif options:
            line += f" = field({', '.join(options)})"
        lines.append(line)
    cut = random.randint(0, len(lines)) if record.has_base else 0
    return lines[:cut], lines[cut:]


def _dataclass(random: Random, record: _Record) -> str:
    options = record.written_options()
    before, decorator = random.choice(
        (
            *[("", f"@dataclass{options}")] * 3,
            ("", f"@dataclasses.dataclass{options}"),
            ("_record = dataclass\n", f"@_record{options}"),
            (f"_record = dataclass{options}\n", "@_record"),
            (f"_record = functools.partial{record.written_options('dataclass')}\n", "@_record"),
            (f"def _record(cls): return dataclass{options}(cls)\n", "@_record"),
            (f"def _record(cls): return dataclass{record.written_options('cls')}\n", "@_record"),
        )
    )
    inherited, own = _split(random, record)
    base = ""
    if record.has_base:
        before += f"{decorator}\nclass _Base:\n{_body(inherited, _Record('', Parameters()))}"
        base = "(_Base)"
    return f"{before}{decorator}\nclass P{base}:\n{_body(own, record)}"


def _make_dataclass(random: Random, record: _Record) -> str:
    if record.computed or record.constants or record.left_out or record.has_base or record.options:
        return _dataclass(random, record)
    items = []
    for each in record.parameters.named:
        options = [] if each.default is None else [f"default={each.default}"]
        options += ["kw_only=True"] * (each.passing == KEYWORD)
        described = f", field({', '.join(options)})" if options else ""
        items.append(f"({each.name!r}, int{described})")
    return f"P = dataclasses.make_dataclass('P', [{', '.join(items)}])\n"


def _attrs(random: Random, record: _Record) -> str:
    decorator, call = random.choice(
        (
            ("@attrs.define", "attrs.field"),
            ("@attrs.define(slots=False)", "attrs.field"),
            ("@attr.s", "attr.ib"),
            ("@attr.s(auto_attribs=True)", "attr.ib"),
            ("@attr.dataclass", "attr.ib"),
        )
    )
    if record.computed or record.left_out or record.constants or record.has_base or record.options:
        return _dataclass(random, record)
    lines = []
    for each in record.parameters.named:
        options = [] if each.default is None else [f"default={each.default}"]
        options += ["kw_only=True"] * (each.passing == KEYWORD)
        is_annotated = decorator != "@attr.s"
        annotation = ": int" if is_annotated else ""
        described = f" = {call}({', '.join(options)})" if options or not is_annotated else ""
        lines.append(f"{each.name}{annotation}{described}")
    return f"{decorator}\nclass P:\n{_body(lines, record)}"


def _plain_lines(record: _Record) -> list[str]:
    return [
        f"{each.name}: int" + ("" if each.default is None else f" = {each.default}")
        for each in record.parameters.named
    ]


def _named_tuple(random: Random, record: _Record) -> str:
    base = random.choice(("NamedTuple", "typing.NamedTuple", "typing_extensions.NamedTuple"))
    body = _body(_plain_lines(record), replace(record, constants=frozenset()))
    constants = "".join(f"    {name} = 1\n" for name in sorted(record.constants))
    return f"class P({base}):\n{body}{constants}"


def _named_tuple_call(random: Random, record: _Record) -> str:
    named = record.parameters.named
    names = [each.name for each in named]
    if not names or record.constants:
        return _named_tuple(random, record)
    defaults = [each.default for each in named if each.default is not None]
    end = f", defaults={defaults})" if defaults else ")"
    listed = random.choice((repr(" ".join(names)), repr(names), repr(", ".join(names))))
    call = random.choice(
        (
            f"collections.namedtuple('P', {listed}{end}",
            f"collections.namedtuple(typename='P', field_names={listed}{end}",
        )
    )
    return random.choice((f"P = {call}\n", f"class P({call}): pass\n"))


def _model(random: Random, record: _Record) -> str:
    lines = []
    for each in record.parameters.named:
        default = each.default
        spellings = [f"{each.name}: int" + ("" if default is None else f" = {default}")]
        spellings.append(
            f"{each.name}: int = pydantic.Field({'...' if default is None else default})"
        )
        if default is not None:
            spellings.append(
                f"{each.name}: typing.Annotated[int, pydantic.Field(default={default})]"
            )
        lines.append(random.choice(spellings))
    cut = random.randint(0, len(lines)) if record.has_base else 0
    inherited, base = "", "pydantic.BaseModel"
    if record.has_base:
        inherited = f"class _Base({base}):\n{_body(lines[:cut], _Record('', Parameters()))}"
        base = "_Base"
    return f"{inherited}class P({base}):\n{_body(lines[cut:], record)}"


def _struct(random: Random, record: _Record) -> str:
    named = record.parameters.named
    is_keyword = bool(named) and all(each.passing == KEYWORD for each in named)
    if is_keyword != any(each.passing == KEYWORD for each in named):
        return _dataclass(random, replace(record, family="dataclass"))
    options = ", kw_only=True" if is_keyword else ""
    return f"class P(msgspec.Struct{options}):\n{_body(_plain_lines(record), record)}"
