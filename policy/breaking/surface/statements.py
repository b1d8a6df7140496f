"""The statements and nodes of one scope: those inside blocks, not those of inner functions."""

import ast
from collections.abc import Iterator
from typing import NamedTuple

AnyFunction = ast.FunctionDef | ast.AsyncFunctionDef


class ScopeStatement(NamedTuple):
    """A statement of a scope, outside of all blocks or in one."""

    statement: ast.stmt
    #: Whether it runs instead of an earlier one: in an ``else``, ``except`` or later ``case``.
    is_alternative: bool


class Assignment(NamedTuple):
    """One target that is assigned, with the annotation and the value if there are any."""

    target: ast.expr
    annotation: ast.expr | None
    value: ast.expr | None


def scope_statements(body: list[ast.stmt]) -> Iterator[ScopeStatement]:
    """Yield the statements that may bind names in this scope, in the order of the source.

    A statement with blocks comes before the statements in them. What only a script run or a type
    checker sees is left out.
    """
    waiting = [ScopeStatement(each, is_alternative=False) for each in reversed(body)]
    while waiting:  # no recursion, because a chain of ``elif`` may be long
        current = waiting.pop()
        yield current
        for block, is_alternative in reversed(list(_blocks(current.statement))):
            is_inner_alternative = current.is_alternative or is_alternative
            waiting += [ScopeStatement(each, is_inner_alternative) for each in reversed(block)]


def _blocks(statement: ast.stmt) -> Iterator[tuple[list[ast.stmt], bool]]:
    """Yield the blocks of a statement, and whether each runs instead of an earlier one."""
    match statement:
        case ast.If():
            if not _is_not_for_callers(statement.test):
                yield statement.body, False
            yield statement.orelse, True
        case ast.Try() | ast.TryStar():
            yield statement.body, False
            for handler in statement.handlers:
                yield handler.body, True
            yield statement.orelse, False
            yield statement.finalbody, False
        case ast.For() | ast.AsyncFor() | ast.While():
            yield statement.body, False
            yield statement.orelse, False
        case ast.With() | ast.AsyncWith():
            yield statement.body, False
        case ast.Match():
            for index, each in enumerate(statement.cases):
                yield each.body, index > 0


def _is_not_for_callers(test: ast.expr) -> bool:
    """Return whether the condition is ``__name__ == …`` or ``TYPE_CHECKING``."""
    match test:
        case ast.Compare(left=ast.Name(id="__name__")):
            return True
        case ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING"):
            return True
    return False


def bound_names(target: ast.expr) -> Iterator[ast.Name]:
    """Yield the names that the target of an assignment binds, those in an unpacking included."""
    waiting = [target]
    while waiting:
        match waiting.pop():
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                waiting += reversed(parts)
            case ast.Starred(value=part):
                waiting.append(part)
            case ast.Name() as name:
                yield name


def yields(function: AnyFunction) -> bool:
    """Return whether the function is a generator."""
    return any(isinstance(node, ast.Yield | ast.YieldFrom) for node in _own_nodes(function))


def assignments(function: AnyFunction) -> Iterator[Assignment]:
    """Yield each assignment in the function's body, one for each part of an unpacking."""
    for node in _own_nodes(function):
        match node:
            case ast.Assign():
                for target in node.targets:
                    for part in _unpacked(target):
                        yield Assignment(part, None, node.value)
            case ast.AnnAssign():
                yield Assignment(node.target, node.annotation, node.value)


def _own_nodes(function: AnyFunction) -> Iterator[ast.AST]:
    """Yield the nodes of the function's body, without those inside its functions and classes."""
    waiting: list[ast.AST] = list(reversed(function.body))
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, AnyFunction | ast.Lambda | ast.ClassDef):
            waiting += reversed(list(ast.iter_child_nodes(node)))


def _unpacked(target: ast.expr) -> Iterator[ast.expr]:
    if isinstance(target, ast.Tuple | ast.List):
        for part in target.elts:
            yield from _unpacked(part)
    else:
        yield target
