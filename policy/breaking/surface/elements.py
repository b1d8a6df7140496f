"""The elements of a surface: a module, its functions, classes and values, and their members."""

import ast
from dataclasses import dataclass
from dataclasses import field as field_
from enum import Enum

AnyFunction = ast.FunctionDef | ast.AsyncFunctionDef


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
    #: The attribute that it sets, if it is a field of a class such as a dataclass.
    field: str | None = None
    #: Other names under which it takes its argument.
    alternatives: tuple[str, ...] = ()

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


class Result(Enum):
    """What a call returns or a property gives; the value is how the source writes it."""

    VALUE = "return"
    COROUTINE = "async def"
    GENERATOR = "yield"
    ITERATOR = "an iterator"
    ASYNC_GENERATOR = "async def with yield"
    CONTEXT_MANAGER = "contextmanager"
    ASYNC_CONTEXT_MANAGER = "asynccontextmanager"


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    """A function: a ``def``, an ``async def`` or a lambda with a name.

    ``parameters`` are those that callers fill, without ``self`` or ``cls``, which is ``first``.
    """

    line: int
    parameters: tuple[Parameter, ...]
    returns: ast.expr | None = None
    decorators: tuple[str, ...] = ()
    result: Result = Result.VALUE
    binding: Binding = Binding.NOTHING
    first: Parameter | None = None
    #: The function of the same module whose result it returns, or with a dot before it the method
    #: of the same class; None if there is none.
    returns_result_of: str | None = None
    #: What its annotation says of the result, if that is more than a value.
    promised: Result | None = None
    #: Whether it returns a literal or a computed value, which is certainly no context manager.
    returns_data: bool = False
    #: Whether a decorator that is not known here may make anything of it, such as a property.
    is_opaque: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Property:
    """An attribute that is computed when it is read."""

    line: int
    annotation: ast.expr | None
    is_settable: bool
    result: Result = Result.VALUE
    #: As in `Function`.
    returns_result_of: str | None = None
    #: Whether the class itself has something else under the name, as far as it is known.
    is_of_instance: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """A constant, an attribute of a class or an instance, or a field.

    ``value`` is None if the name is only declared. ``alias`` is the dotted name of what it is
    another name for; None if it is not. ``is_certain``: no condition decides about it.
    ``is_of_instance``: a method sets it, so that the class itself does not have it.
    """

    line: int
    annotation: ast.expr | None
    value: ast.expr | None
    alias: str | None = None
    is_certain: bool = False
    is_of_instance: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Imported:
    """A name that stands for something of another module, of which nothing is known here.

    If an assignment gives the name (``is_assigned``), it is meant for callers. If an import
    statement binds it, it is meant for the module itself. ``alias`` is the dotted name of the
    thing, ``value`` the expression that makes it.
    """

    line: int
    is_assigned: bool
    alias: str | None = None
    value: ast.expr | None = None


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields that a class itself declares, as the parameters of a constructor.

    ``makes_constructor`` is False if the class has an ``__init__``, or none is to be made; a class
    that is derived from it has the fields all the same.
    """

    parameters: tuple[Parameter, ...]
    makes_constructor: bool = True
    #: Whether only the constructor sets them.
    are_frozen: bool = False
    #: Whether a field that is declared again moves to the end (attrs) or stays (dataclasses).
    move_if_declared_again: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Class:
    """A class, as its own definition says it.

    ``bases`` are dotted names without type arguments; ``object`` and ``Generic`` are left out.
    ``fields`` are those of classes such as dataclasses; None for any other class.
    """

    name: str
    line: int
    bases: tuple[str, ...]
    decorators: tuple[str, ...]
    members: "dict[str, Member]"
    fields: Fields | None = None
    #: The definitions of its methods and of the setters of its properties.
    methods: dict[str, AnyFunction] = field_(default_factory=dict)
    #: The members that a derived class must define before it can be called.
    abstract: frozenset[str] = frozenset()
    metaclass: str | None = None
    #: Whether it takes away that instances can be hashed, as an ``__eq__`` does.
    is_unhashable: bool = False
    #: Whether ``isinstance`` works with it; a protocol must be marked for that.
    is_checkable: bool = True


Member = Function | Class | Property | Value | Imported


@dataclass(slots=True, eq=False)
class Module:
    """A module's surface.

    ``exports`` are the names in ``__all__``; None if the module has none or it cannot be read.
    ``imports`` give the dotted name that each imported name stands for.
    """

    members: dict[str, Member] = field_(default_factory=dict)
    imports: dict[str, str] = field_(default_factory=dict)
    exports: list[str] | None = None
    #: The definitions of its classes and functions, for what is made of them later.
    nodes: dict[str, ast.stmt] = field_(default_factory=dict)
    #: The statements that may bind names which cannot be read, such as ``from x import *``.
    unread: set[str] = field_(default_factory=set)
    #: Functions and classes that stand in for an import, which is not meant for callers.
    stand_ins: set[str] = field_(default_factory=set)
    #: False if the source has no ``:=``, so that no expression must be searched for one.
    has_named_expressions: bool = True
    #: False if the source has no ``yield``, so that no function must be searched for one.
    may_yield: bool = True

    def is_public(self, name: str) -> bool:
        """Return whether callers may use this name of the module or of one of its classes."""
        return is_public(name) or name in (self.exports or ())

    def member(self, dotted: str) -> "Member | None":
        """Return the function, class or value of this name; a class may be inside another one."""
        if "." not in dotted:
            return self.members.get(dotted)
        first, *rest = dotted.split(".")
        found = self.members.get(first)
        for part in rest:
            found = found.members.get(part) if isinstance(found, Class) else None
        return found


#: Special names whose removal no caller notices. ``__all__`` has a comparison of its own.
_UNNOTICED = frozenset({"__all__", "__slots__", "__doc__", "__annotations__"})


def is_public(name: str) -> bool:
    """Return whether a name is for callers.

    Special names such as ``__len__`` are, because operators and built-in functions use them.
    """
    is_special = name.startswith("__") and name.endswith("__") and len(name) > 4
    return name not in _UNNOTICED if is_special else not name.startswith("_")
