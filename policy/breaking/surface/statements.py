"""Statements and nodes of one scope: blocks opened up, inner functions left closed."""

import ast
from collections.abc import Iterator

AnyFunction = ast.FunctionDef | ast.AsyncFunctionDef


def statements(body: list[ast.stmt]) -> Iterator[tuple[ast.stmt, bool]]:
    """The statements that bind names in this scope, in the order of the source, blocks opened up;
    and whether each is an alternative to something before it.
    """
    waiting = [(each, False) for each in reversed(body)]
    while waiting:  # no recursion: a chain of ``elif`` may be long
        statement, is_alternative = waiting.pop()
        yield statement, is_alternative
        blocks = list(_blocks(statement))
        for block, alternative in reversed(blocks):
            waiting += [(each, is_alternative or alternative) for each in reversed(block)]


def _blocks(statement: ast.stmt) -> Iterator[tuple[list[ast.stmt], bool]]:
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
            for place, each in enumerate(statement.cases):
                yield each.body, place > 0


def _is_not_for_callers(test: ast.expr) -> bool:
    match test:
        case ast.Compare(left=ast.Name(id="__name__")):
            return True
        case ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING"):
            return True
    return False


def bound_names(target: ast.expr) -> Iterator[ast.Name]:
    """The names that an unpacking binds."""
    waiting = [target]
    while waiting:
        match waiting.pop():
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                waiting += reversed(parts)
            case ast.Starred(value=part):
                waiting.append(part)
            case ast.Name() as name:
                yield name


def _own_nodes(function: AnyFunction) -> Iterator[ast.AST]:
    """The nodes of the function's body, without those of functions and classes in it."""
    waiting: list[ast.AST] = list(reversed(function.body))
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, AnyFunction | ast.Lambda | ast.ClassDef):
            waiting += reversed(list(ast.iter_child_nodes(node)))


def yields(function: AnyFunction) -> bool:
    """Whether it is a generator."""
    return any(isinstance(node, ast.Yield | ast.YieldFrom) for node in _own_nodes(function))


def assignments(
    function: AnyFunction,
) -> Iterator[tuple[ast.expr, ast.expr | None, ast.expr | None]]:
    """Each target that the function assigns, with its annotation and value."""
    for node in _own_nodes(function):
        match node:
            case ast.Assign():
                for target in node.targets:
                    for part in _parts(target):
                        yield part, None, node.value
            case ast.AnnAssign():
                yield node.target, node.annotation, node.value


def _parts(target: ast.expr) -> Iterator[ast.expr]:
    if isinstance(target, ast.Tuple | ast.List):
        for part in target.elts:
            yield from _parts(part)
    else:
        yield target
