"""What callers can reach of a module: its functions, classes and values, and theirs."""

import ast
from dataclasses import dataclass, field
from enum import Enum


class Passing(Enum):
    """How a parameter takes its argument; the value is what a sentence calls it."""

    POSITIONAL = "positional-only"
    EITHER = "positional or keyword"
    EXTRA_POSITIONAL = "*"
    KEYWORD = "keyword-only"
    EXTRA_KEYWORD = "**"


@dataclass(frozen=True, slots=True, eq=False)
class Parameter:
    """One parameter of a function; without a default, and not an extra one, it is required."""

    name: str
    passing: Passing
    default: ast.expr | None
    annotation: ast.expr | None

    @property
    def is_extra(self) -> bool:
        """Whether it takes any number of arguments."""
        return self.passing in (Passing.EXTRA_POSITIONAL, Passing.EXTRA_KEYWORD)

    @property
    def is_positional(self) -> bool:
        """Whether one argument can reach it by position."""
        return self.passing in (Passing.POSITIONAL, Passing.EITHER)

    @property
    def is_required(self) -> bool:
        """Whether a call without it fails."""
        return self.default is None and not self.is_extra


class Binding(Enum):
    """What a call through the class or an instance puts in front of the arguments."""

    NOTHING = "a function"
    INSTANCE = "a method of instances"
    CLASS = "a class method"
    STATIC = "a static method"


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    """A ``def``, an ``async def`` or a named lambda. ``parameters`` are those that callers fill:
    without ``self`` or ``cls``.
    """

    line: int
    parameters: tuple[Parameter, ...]
    returns: ast.expr | None = None
    decorators: tuple[str, ...] = ()
    is_async: bool = False
    is_generator: bool = False
    binding: Binding = Binding.NOTHING


@dataclass(frozen=True, slots=True, eq=False)
class Property:
    """An attribute that is computed when read."""

    line: int
    annotation: ast.expr | None
    is_settable: bool


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """A constant, a class or instance attribute, or a field. ``value`` is None where it is only
    declared.
    """

    line: int
    annotation: ast.expr | None
    value: ast.expr | None


@dataclass(frozen=True, slots=True, eq=False)
class Imported:
    """A name from elsewhere: it exists, and what it is cannot be known here. ``is_given``: by an
    assignment, so that it is for callers; what an import statement binds is for the module.
    """

    line: int
    is_given: bool


@dataclass(frozen=True, slots=True, eq=False)
class Class:
    """A class. ``bases`` are dotted names without type arguments, ``object`` and ``Generic`` left
    out. ``fields`` are the constructor's parameters where the class has fields (dataclasses and
    the like) and no ``__init__``, without those of its bases.
    """

    name: str
    line: int
    bases: tuple[str, ...]
    decorators: tuple[str, ...]
    members: "dict[str, Member]"
    fields: tuple[Parameter, ...] | None = None
    #: Attributes that any of its methods sets on the instance.
    set_by_methods: frozenset[str] = frozenset()


Member = Function | Class | Property | Value | Imported


@dataclass(slots=True, eq=False)
class Module:
    """``exports`` are the names in ``__all__``, None where it has none or it cannot be read.
    ``imports`` give the dotted name that each imported name stands for.
    """

    members: dict[str, Member] = field(default_factory=dict)
    imports: dict[str, str] = field(default_factory=dict)
    exports: list[str] | None = None
    #: False where no function can be a generator, so that none has to be searched.
    may_yield: bool = True

    def is_public(self, name: str) -> bool:
        """Whether callers may use this name of the module or of one of its classes."""
        return is_public(name) or name in (self.exports or ())


#: Special names whose loss no caller notices; ``__all__`` is compared by itself.
_UNNOTICED = frozenset({"__all__", "__slots__", "__doc__", "__annotations__"})


def is_public(name: str) -> bool:
    """Whether a name is for callers; special names are, for operators and calls use them."""
    is_special = name.startswith("__") and name.endswith("__") and len(name) > 4
    return name not in _UNNOTICED if is_special else not name.startswith("_")
