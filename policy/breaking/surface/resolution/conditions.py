"""The conditions that the running Python and platform decide, whatever a caller does.

`value_of` computes an expression as far as that is possible without running the code: literals,
comparisons, `sys.version_info`, `sys.platform`, `TYPE_CHECKING`, and names of the module that stand
for such an expression.
"""

import ast
import builtins
import operator
import os
import sys
from collections.abc import Callable, Iterable
from typing import Any, Final

from policy.breaking.surface.resolution.standard_library import is_importable, standard_object


class _Unknown:
    """The value of an expression that only running the code would tell."""


UNKNOWN: Final = _Unknown()


class _Thing:
    """A module or class of Python, of which nothing matters but that it is there."""

    def __eq__(self, other: object) -> bool:
        raise TypeError

    __hash__ = None  # type: ignore[assignment]


_THING: Final = _Thing()

#: Return the dotted name of an expression, the expression that a name or an attribute stands for,
#: and whether the module or class binds a name.
NameOf = Callable[[ast.expr], str | None]
ValueNamed = Callable[[ast.expr], ast.expr | None]
IsBound = Callable[[str], bool]

_SYSTEMS: Final = {"linux": "Linux", "darwin": "Darwin", "win32": "Windows"}
_FACTS: Final[dict[str, object]] = {
    "sys.version_info": sys.version_info,
    "sys.version": sys.version,
    "sys.hexversion": sys.hexversion,
    "sys.platform": sys.platform,
    "sys.maxsize": sys.maxsize,
    "sys.byteorder": sys.byteorder,
    "sys.implementation.name": sys.implementation.name,
    "os.name": os.name,
    "os.sep": os.sep,
    "typing.TYPE_CHECKING": False,
    "TYPE_CHECKING": False,
    "MYPY": False,
    "six.PY2": False,
    "six.PY3": True,
    "__debug__": True,
    "__name__": "a module that is imported",
}
_CALLS: Final[dict[str, object]] = {
    "platform.system": _SYSTEMS.get(sys.platform, UNKNOWN),
    "platform.python_implementation": {"cpython": "CPython", "pypy": "PyPy"}.get(
        sys.implementation.name, UNKNOWN
    ),
    "platform.python_version_tuple": tuple(str(part) for part in sys.version_info[:3]),
}
_COMPARISONS: Final[dict[type[ast.cmpop], Callable[[Any, Any], object]]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda part, whole: part in whole,
    ast.NotIn: lambda part, whole: part not in whole,
}
_TEXT_METHODS: Final = frozenset({"startswith", "endswith", "lower", "upper"})
_MAX_DEPTH: Final = 30


class Conditions:
    """The computation of expressions in one module."""

    def __init__(self, name_of: NameOf, value_named: ValueNamed, is_bound: IsBound) -> None:
        self._name_of = name_of
        self._value_named = value_named
        self._is_bound = is_bound

    def is_true(self, test: ast.expr) -> bool | None:
        """Return whether the condition holds; None if that cannot be told."""
        value = self.value_of(test)
        return None if value is UNKNOWN else bool(value)

    def value_of(self, node: ast.expr) -> Any:
        """Return the value of an expression; UNKNOWN if it cannot be told."""
        try:
            return self._value(node, _MAX_DEPTH)
        except Exception:  # whatever the computation raises, such as a TypeError
            return UNKNOWN

    def _value(self, node: ast.expr, depth: int) -> Any:
        if not depth:
            return UNKNOWN
        match node:
            case ast.Constant(value=value):
                return value
            case ast.Name() | ast.Attribute():
                return self._named(node, depth - 1)
            case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Set(elts=parts):
                return _all_known(self._value(part, depth - 1) for part in parts)
            case ast.Subscript(value=value, slice=index):
                return self._item(value, index, depth - 1)
            case ast.Call():
                return self._called(node, depth - 1)
        return self._operation(node, depth - 1)

    def _operation(self, node: ast.expr, depth: int) -> Any:
        match node:
            case ast.NamedExpr(value=named):
                return self._value(named, depth)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                value = self._value(operand, depth)
                return UNKNOWN if value is UNKNOWN else not value
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                value = self._value(operand, depth)
                return UNKNOWN if value is UNKNOWN else -value
            case ast.BoolOp(op=op, values=parts):
                return self._joined(isinstance(op, ast.Or), parts, depth)
            case ast.BinOp(left=left, op=ast.Pow() | ast.LShift() as op, right=right):
                return self._power(left, op, right, depth)
            case ast.Compare(left=left, ops=ops, comparators=others):
                return self._compared(left, ops, others, depth)
        return UNKNOWN

    def _named(self, node: ast.expr, depth: int) -> Any:
        if (value := self._value_named(node)) is not None:
            return self._value(value, depth)
        name = self._name_of(node) or ""
        if name in _FACTS:
            return _FACTS[name]
        owner, _, part = name.rpartition(".")
        if owner == "sys.version_info":
            return getattr(sys.version_info, part)
        is_module = is_importable(name) is True and name.partition(".")[0] != "sys"
        return _THING if is_module or isinstance(standard_object(name), type) else UNKNOWN

    def _joined(self, is_or: bool, parts: list[ast.expr], depth: int) -> Any:
        """Return the value of `and` or `or`, which one part alone may decide."""
        values = [self._value(part, depth) for part in parts]
        for value in values:
            if value is not UNKNOWN and bool(value) == is_or:
                return value
        return UNKNOWN if any(value is UNKNOWN for value in values) else values[-1]

    def _power(self, left: ast.expr, op: ast.operator, right: ast.expr, depth: int) -> Any:
        base, exponent = self._value(left, depth), self._value(right, depth)
        if isinstance(base, int) and isinstance(exponent, int) and 0 <= exponent <= 64:
            return base**exponent if isinstance(op, ast.Pow) else base << exponent
        return UNKNOWN

    def _compared(
        self, left: ast.expr, ops: list[ast.cmpop], others: list[ast.expr], depth: int
    ) -> Any:
        values = [self._value(each, depth) for each in (left, *others)]
        if any(value is UNKNOWN for value in values):
            return UNKNOWN
        pairs = zip(ops, values, values[1:], strict=False)
        return all(_COMPARISONS[type(op)](one, two) for op, one, two in pairs)

    def _item(self, value: ast.expr, index: ast.expr, depth: int) -> Any:
        whole = self._value(value, depth)
        if isinstance(index, ast.Slice):
            bounds = (index.lower, index.upper, index.step)
            parts = [None if each is None else self._value(each, depth) for each in bounds]
            position: Any = slice(*parts)
            is_known = UNKNOWN not in parts
        else:
            position = self._value(index, depth)
            is_known = position is not UNKNOWN
        return whole[position] if whole is not UNKNOWN and is_known else UNKNOWN

    def _called(self, call: ast.Call, depth: int) -> Any:
        if call.keywords:
            return UNKNOWN
        arguments = [self._value(each, depth) for each in call.args]
        name = self._name_of(call.func)
        if name == "hasattr" and len(arguments) == 2:
            return self._has(call.args[0], arguments[1])
        if name == "typing.cast":
            return arguments[-1]
        if any(value is UNKNOWN for value in arguments):
            return UNKNOWN
        if name == "bool" and arguments:
            return bool(arguments[0])
        if isinstance(call.func, ast.Attribute) and call.func.attr in _TEXT_METHODS:
            text = self._value(call.func.value, depth)
            return getattr(text, call.func.attr)(*arguments) if isinstance(text, str) else UNKNOWN
        return _CALLS.get(name or "", UNKNOWN) if not arguments else UNKNOWN

    def _has(self, owner: ast.expr, attribute: object) -> Any:
        name = self._name_of(owner)
        if name is None or not isinstance(attribute, str):
            return UNKNOWN
        if isinstance(found := standard_object(name), type):
            return hasattr(found, attribute)
        is_there = is_importable(name, attribute)
        return UNKNOWN if is_there is None else is_there

    def imports_succeed(self, body: list[ast.stmt]) -> bool | None:
        """Return whether a block of imports runs to its end; None if that is not known.

        A block that only tries whether a name is there, as in ``unicode`` or ``text = unicode``, is
        like an import. One that holds anything else is not known either, unless an import before
        it must fail.
        """
        is_known = True
        for statement in body:
            match statement:
                case ast.Import(names=names):
                    results = [is_importable(each.name) for each in names]
                case ast.ImportFrom(module=str(module), names=names, level=0):
                    results = [is_importable(module, each.name) for each in names]
                case ast.Expr(value=ast.Constant()) | ast.Pass():
                    continue
                case ast.Assign(value=ast.Constant()):
                    continue
                case (
                    ast.Expr(value=ast.Name() | ast.Attribute() as tried)
                    | ast.Assign(value=ast.Name() | ast.Attribute() as tried)
                ):
                    results = [self._is_there(tried)]
                case _:
                    return None
            if False in results:
                return False if is_known else None
            is_known = is_known and None not in results
        return True if is_known else None

    def _is_there(self, tried: ast.expr) -> bool | None:
        """Return whether a name or an attribute can be read; None if that is not known."""
        if isinstance(tried, ast.Name):
            return None if self._is_bound(tried.id) else hasattr(builtins, tried.id)
        owner, _, attribute = (self._name_of(tried) or "").rpartition(".")
        found = standard_object(owner) if owner else None
        return hasattr(found, attribute) if found is not None else is_importable(owner, attribute)


def _all_known(values: Iterable[Any]) -> Any:
    known = tuple(values)
    return UNKNOWN if any(value is UNKNOWN for value in known) else known
