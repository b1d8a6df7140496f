"""The reading of what a call returns: a value, a coroutine, a generator, or what another call does.

Only the ``return`` at the end of a function is looked at.
"""

import ast
import inspect
import itertools
from dataclasses import dataclass
from typing import Final

from policy.breaking.surface.elements import AnyFunction, Imported, Result
from policy.breaking.surface.resolution.names import Names
from policy.breaking.surface.resolution.standard_library import standard_object
from policy.breaking.surface.statements import yields

_DECORATORS: Final = {
    "contextlib.contextmanager": Result.CONTEXT_MANAGER,
    "contextlib.asynccontextmanager": Result.ASYNC_CONTEXT_MANAGER,
    "types.coroutine": Result.COROUTINE,
}
#: What Python has whose results give their items one by one, as a generator does.
_ITERATORS: Final = (
    *(enumerate, filter, iter, map, reversed, zip),
    *(each for each in vars(itertools).values() if isinstance(each, type)),
)
_PROMISES: Final = {
    "collections.abc.Awaitable": Result.COROUTINE,
    "collections.abc.Coroutine": Result.COROUTINE,
    "collections.abc.Iterator": Result.ITERATOR,
    "collections.abc.Generator": Result.ITERATOR,
    "collections.abc.AsyncIterator": Result.ASYNC_GENERATOR,
    "collections.abc.AsyncGenerator": Result.ASYNC_GENERATOR,
}
#: Expressions that give no context manager.
_DATA: Final = (
    *(ast.Constant, ast.JoinedStr, ast.List, ast.Dict, ast.Set, ast.Tuple, ast.Compare, ast.BinOp),
    *(ast.ListComp, ast.DictComp, ast.SetComp),
)


@dataclass(frozen=True, slots=True)
class Returned:
    """The result of a call.

    ``of`` is the dotted name of the function whose result it is; one that begins with a dot is a
    method of the same class. None if it is of no other function. ``is_data`` tells what is
    certainly no context manager.
    """

    result: Result = Result.VALUE
    of: str | None = None
    is_data: bool = False


def returned_by(
    node: AnyFunction, decorator_names: list[str], names: Names, *, may_yield: bool
) -> Returned:
    """Return what a call of the function returns, or what reading a property gives."""
    for decorator in decorator_names:
        if decorator in _DECORATORS:
            return Returned(_DECORATORS[decorator])
    is_generator = may_yield and yields(node)
    if isinstance(node, ast.AsyncFunctionDef):
        return Returned(Result.ASYNC_GENERATOR if is_generator else Result.COROUTINE)
    if is_generator:
        return Returned(Result.GENERATOR)
    match node.body[-1]:
        case ast.Return(value=ast.expr() as value):
            found = of_expression(value, node.args, names)
            return Returned() if found.of and _is_local(found.of, node) else found
    return Returned()


def _is_local(name: str, node: AnyFunction) -> bool:
    """Return whether the function itself assigns the name."""
    stored = (each for each in ast.walk(node) if isinstance(each, ast.Name))
    return any(each.id == name and isinstance(each.ctx, ast.Store) for each in stored)


def of_expression(value: ast.expr, arguments: ast.arguments, names: Names) -> Returned:
    """Return what an expression gives that a function or lambda with these arguments returns."""
    match value:
        case ast.GeneratorExp(generators=generators):
            is_async = any(each.is_async for each in generators)
            return Returned(Result.ASYNC_GENERATOR if is_async else Result.GENERATOR)
        case ast.Call(func=ast.Name() | ast.Attribute() as function):
            return _of_call(function, arguments, names)
    return Returned(is_data=isinstance(value, _DATA))


def _of_call(function: ast.expr, arguments: ast.arguments, names: Names) -> Returned:
    positional = [*arguments.posonlyargs, *arguments.args]
    own = {each.arg for each in (*positional, *arguments.kwonlyargs)}
    match function:
        case ast.Attribute(value=ast.Name(id=owner), attr=name) if owner in own:
            is_method = owner == positional[0].arg if positional else False
            return Returned(of=f".{name}") if is_method else Returned()
        case ast.Name(id=name) if name in own:
            return Returned()
    dotted = names.dotted(function)
    if dotted is None:
        return Returned()
    known = names.bound(dotted.partition(".")[0])
    is_foreign = known is None or isinstance(known, Imported)
    return Returned(_of_standard(dotted) if is_foreign else Result.VALUE, of=dotted)


def _of_standard(dotted: str) -> Result:
    """Return what a function or class of the standard library gives when it is called."""
    found = standard_object(dotted)
    if inspect.iscoroutinefunction(found):
        return Result.COROUTINE
    if inspect.isasyncgenfunction(found):
        return Result.ASYNC_GENERATOR
    if inspect.isgeneratorfunction(found):
        return Result.GENERATOR
    is_iterator = any(found is each for each in _ITERATORS)
    return Result.ITERATOR if is_iterator else Result.VALUE


def promised_by(annotation: ast.expr | None, names: Names) -> Result | None:
    """Return what the annotation says of the result, if that is more than a value."""
    node = annotation.value if isinstance(annotation, ast.Subscript) else annotation
    return _PROMISES.get(names.dotted(node) or "") if node is not None else None
