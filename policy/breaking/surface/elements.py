"""The elements of a surface: a module, its functions, classes and values, and their members."""

import ast
from dataclasses import dataclass, field
from enum import Enum


class Passing(Enum):
    """How a parameter takes its argument; the value is the name that a sentence uses."""

    POSITIONAL = "positional-only"
    EITHER = "positional or keyword"
    EXTRA_POSITIONAL = "*"
    KEYWORD = "keyword-only"
    EXTRA_KEYWORD = "**"


@dataclass(frozen=True, slots=True, eq=False)
class Parameter:
    """One parameter of a function."""

    name: str
    passing: Passing
    default: ast.expr | None
    annotation: ast.expr | None

    @property
    def is_extra(self) -> bool:
        """Whether it is a ``*`` or ``**``, which takes any number of arguments."""
        return self.passing in (Passing.EXTRA_POSITIONAL, Passing.EXTRA_KEYWORD)

    @property
    def is_positional(self) -> bool:
        """Whether it takes one argument by position."""
        return self.passing in (Passing.POSITIONAL, Passing.EITHER)

    @property
    def is_required(self) -> bool:
        """Whether a call without it fails."""
        return self.default is None and not self.is_extra


class Binding(Enum):
    """The first argument that Python passes by itself; the value is its name in a finding."""

    NOTHING = "a function"
    INSTANCE = "a method of instances"
    CLASS = "a class method"
    STATIC = "a static method"


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    """A function: a ``def``, an ``async def`` or a lambda with a name.

    ``parameters`` are those that callers fill, without ``self`` or ``cls``.
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
    """An attribute that is computed when it is read."""

    line: int
    annotation: ast.expr | None
    is_settable: bool


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """A constant, an attribute of a class or an instance, or a field.

    ``value`` is None if the name is only declared.
    """

    line: int
    annotation: ast.expr | None
    value: ast.expr | None


@dataclass(frozen=True, slots=True, eq=False)
class Imported:
    """A name that stands for something of another module, of which nothing is known here.

    If an assignment gives the name (``is_assigned``), it is meant for callers. If an import
    statement binds it, it is meant for the module itself.
    """

    line: int
    is_assigned: bool


@dataclass(frozen=True, slots=True, eq=False)
class Class:
    """A class, as its own definition says it.

    ``bases`` are dotted names without type arguments; ``object`` and ``Generic`` are left out.
    ``fields`` are the constructor's parameters if the class has fields (as dataclasses have) and
    no ``__init__``; those of its bases are not among them.
    """

    name: str
    line: int
    bases: tuple[str, ...]
    decorators: tuple[str, ...]
    members: "dict[str, Member]"
    fields: tuple[Parameter, ...] | None = None
    #: The attributes that any of its methods sets on the instance.
    set_by_methods: frozenset[str] = frozenset()


Member = Function | Class | Property | Value | Imported


@dataclass(slots=True, eq=False)
class Module:
    """A module's surface.

    ``exports`` are the names in ``__all__``; None if the module has none or it cannot be read.
    ``imports`` give the dotted name that each imported name stands for.
    """

    members: dict[str, Member] = field(default_factory=dict)
    imports: dict[str, str] = field(default_factory=dict)
    exports: list[str] | None = None
    #: False if the source has no ``yield``, so that no function must be searched for one.
    may_yield: bool = True

    def is_public(self, name: str) -> bool:
        """Return whether callers may use this name of the module or of one of its classes."""
        return is_public(name) or name in (self.exports or ())


#: Special names whose removal no caller notices. ``__all__`` has a comparison of its own.
_UNNOTICED = frozenset({"__all__", "__slots__", "__doc__", "__annotations__"})


def is_public(name: str) -> bool:
    """Return whether a name is for callers.

    Special names such as ``__len__`` are, because operators and built-in functions use them.
    """
    is_special = name.startswith("__") and name.endswith("__") and len(name) > 4
    return name not in _UNNOTICED if is_special else not name.startswith("_")
