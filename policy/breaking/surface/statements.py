"""The statements and nodes of one scope: those inside blocks, not those of inner functions."""

import ast
from collections.abc import Iterator
from typing import NamedTuple

from policy.breaking.surface.elements import AnyFunction
from policy.breaking.surface.resolution.conditions import UNKNOWN, Conditions


class ScopeStatement(NamedTuple):
    """A statement of a scope, outside of all blocks or in one."""

    statement: ast.stmt
    #: Whether it runs instead of an earlier one: in an ``else``, ``except`` or later ``case``.
    is_alternative: bool = False
    #: Whether it runs in any case, as far as the running Python and platform decide.
    is_certain: bool = True
    #: Whether it never runs for callers: what only a script or a type checker sees.
    is_dead: bool = False


def scope_statements(body: list[ast.stmt], conditions: Conditions) -> Iterator[ScopeStatement]:
    """Yield the statements that may bind names in this scope, in the order of the source.

    A statement with blocks comes before the statements in them. Its conditions are decided after
    the statements before it have been handled, because these may bind names that it uses.
    """
    waiting = [ScopeStatement(each) for each in reversed(body)]
    while waiting:  # no recursion, because a chain of ``elif`` may be long
        current = waiting.pop()
        yield current
        for block in reversed(list(_blocks(current.statement, conditions))):
            waiting += [
                ScopeStatement(
                    each,
                    current.is_alternative or block.is_alternative,
                    current.is_certain and block.is_certain,
                    current.is_dead or block.is_dead,
                )
                for each in reversed(block.body)
            ]


class _Block(NamedTuple):
    """A block of a statement, with what holds for each statement in it."""

    body: list[ast.stmt]
    is_alternative: bool = False
    is_certain: bool = True
    is_dead: bool = False


def _blocks(statement: ast.stmt, conditions: Conditions) -> Iterator[_Block]:
    match statement:
        case ast.If(test=test, body=body, orelse=orelse):
            yield from _branches(conditions.is_true(test), body, orelse)
        case ast.Try() | ast.TryStar():
            yield from _blocks_of_try(statement, conditions)
        case ast.While(test=test, body=body, orelse=orelse):
            is_dead = conditions.is_true(test) is False
            yield _Block(body, is_certain=False, is_dead=is_dead)
            yield _Block(orelse, is_certain=is_dead)
        case ast.For() | ast.AsyncFor():
            yield _Block(statement.body, is_certain=False)
            yield _Block(statement.orelse, is_certain=False)
        case ast.With() | ast.AsyncWith():
            yield _Block(statement.body)
        case ast.Match():
            yield from _cases(statement, conditions)


def _branches(truth: bool | None, body: list[ast.stmt], orelse: list[ast.stmt]) -> Iterator[_Block]:
    is_known = truth is not None
    yield _Block(body, is_certain=is_known, is_dead=truth is False)
    yield _Block(orelse, is_alternative=not is_known, is_certain=is_known, is_dead=truth is True)


def _blocks_of_try(statement: ast.Try | ast.TryStar, conditions: Conditions) -> Iterator[_Block]:
    """Yield the blocks; of a block of imports it may be known whether they succeed."""
    success = conditions.imports_succeed(statement.body)
    is_known = success is not None
    yield _Block(statement.body, is_certain=is_known, is_dead=success is False)
    for index, handler in enumerate(statement.handlers):
        is_alternative = not is_known or index > 0
        is_certain = success is False and index == 0
        yield _Block(handler.body, is_alternative, is_certain, is_dead=success is True)
    yield _Block(statement.orelse, is_certain=is_known, is_dead=success is False)
    yield _Block(statement.finalbody)


def _cases(statement: ast.Match, conditions: Conditions) -> Iterator[_Block]:
    subject = conditions.value_of(statement.subject)
    is_taken: bool | None = False  # whether an earlier case is taken; None if that is not known
    for index, each in enumerate(statement.cases):
        matches = None if each.guard else _matches(each.pattern, subject, conditions)
        is_certain = is_taken is False and matches is True
        is_dead = is_taken is True or matches is False
        yield _Block(each.body, index > 0 and not is_certain, is_certain, is_dead)
        if is_taken is False and matches is not False:
            is_taken = matches


def _matches(pattern: ast.pattern, subject: object, conditions: Conditions) -> bool | None:
    """Return whether the pattern matches the subject; None if that cannot be told."""
    match pattern:
        case ast.MatchAs(pattern=None):
            return True
        case ast.MatchValue(value=value) if subject is not UNKNOWN:
            expected = conditions.value_of(value)
            return None if expected is UNKNOWN else subject == expected
        case ast.MatchOr(patterns=patterns):
            results = [_matches(each, subject, conditions) for each in patterns]
            return True if True in results else None if None in results else False
    return None


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


def is_unpacked_one_by_one(target: ast.expr, value: ast.expr) -> bool:
    """Return whether an assignment such as ``a, b = 1, 2`` gives each name one of the values."""
    pair = ast.Tuple | ast.List
    if not isinstance(target, pair) or not isinstance(value, pair):
        return False
    is_starred = any(isinstance(each, ast.Starred) for each in (*target.elts, *value.elts))
    return len(target.elts) == len(value.elts) and not is_starred


def key_text(node: ast.expr | None) -> str | None:
    """Return the text that a key is; None for any other expression."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return None


def yields(function: AnyFunction | ast.Lambda) -> bool:
    """Return whether the function is a generator."""
    return any(isinstance(node, ast.Yield | ast.YieldFrom) for node in own_nodes(function))


def own_nodes(function: AnyFunction | ast.Lambda) -> Iterator[ast.AST]:
    """Yield the nodes of the function's body, without those inside its functions and classes."""
    body = [function.body] if isinstance(function, ast.Lambda) else function.body
    waiting: list[ast.AST] = list(reversed(body))
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, AnyFunction | ast.Lambda | ast.ClassDef):
            waiting += reversed(list(ast.iter_child_nodes(node)))


def unpacked(target: ast.expr) -> Iterator[ast.expr]:
    """Yield the parts of the target of an assignment; the target itself if it has none."""
    if isinstance(target, ast.Tuple | ast.List):
        for part in target.elts:
            yield from unpacked(part)
    elif isinstance(target, ast.Starred):
        yield from unpacked(target.value)
    else:
        yield target
