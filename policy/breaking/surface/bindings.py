"""The names that imports and ``globals()`` bind."""

import ast
from collections.abc import Iterator

from policy.breaking.surface.resolution.standard_library import names_of_all
from policy.breaking.surface.statements import key_text


def imported_names(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    """Yield each name that the statement binds, and the dotted name of what it stands for.

    If the names cannot be told, the name is ``*``, and what follows is the module.
    """
    for each in node.names:
        name = each.asname or each.name.partition(".")[0]
        if isinstance(node, ast.Import):
            yield name, each.name if each.asname else name
            continue
        module = f"{'.' * node.level}{node.module or ''}"
        known = names_of_all(module) if each.name == "*" else []
        if known:
            yield from ((name, f"{module}.{name}") for name in known)
        else:
            yield name, module if each.name == "*" else f"{module}.{each.name}"


def entries_of_globals(call: ast.Call) -> Iterator[tuple[str | None, ast.expr]]:
    """Yield what ``globals().update(…)`` binds; the name is None if it cannot be read."""
    match call.func:
        case ast.Attribute(value=names, attr="update") if is_globals(names):
            pass
        case _:
            return
    for keyword in call.keywords:
        yield keyword.arg, keyword.value
    for each in call.args:
        if isinstance(each, ast.Dict):
            for key, value in zip(each.keys, each.values, strict=True):
                yield key_text(key), value
        else:
            yield None, each


def is_globals(node: ast.expr) -> bool:
    """Return whether the expression is the dict of the names of the module."""
    match node:
        case ast.Call(func=ast.Name(id="globals" | "locals" | "vars"), args=[]):
            return True
    return False


def named_expressions(statement: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    """Yield what each ``:=`` in the statement binds; those in its blocks are left out."""
    match statement:
        case ast.If(test=node) | ast.While(test=node) | ast.Expr(value=node):
            waiting: list[ast.AST] = [node]
        case ast.Assign(value=node) | ast.AnnAssign(value=ast.expr() as node):
            waiting = [node]
        case _:
            return
    while waiting:
        match waiting.pop():
            case ast.NamedExpr(target=target, value=value):
                yield target.id, value
                waiting.append(value)
            case ast.Lambda():
                continue
            case part:
                waiting += ast.iter_child_nodes(part)
