"""Constructors that classes get from their fields: dataclasses, named tuples and the like."""

import ast
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from policy.breaking.surface.elements import Parameter, Passing, is_public
from policy.breaking.surface.expressions import path_of

_DECORATORS: Final = frozenset(
    {"dataclasses.dataclass", "pydantic.dataclasses.dataclass"}
    | {f"{package}.{name}" for package in ("attr", "attrs") for name in ("define", "frozen")}
)
#: Bases whose subclasses have fields, and how the constructor takes these.
_BASES: Final = {
    "typing.NamedTuple": Passing.EITHER,
    "msgspec.Struct": Passing.EITHER,
    "pydantic.BaseModel": Passing.KEYWORD,
}
#: Calls that describe a field instead of giving its default.
_DESCRIPTIONS: Final = frozenset(
    {"dataclasses.field", "attr.field", "attrs.field", "msgspec.field", "pydantic.Field"}
)
_DEFAULTS: Final = frozenset({"default", "default_factory", "factory"})

Imports = Mapping[str, str]


def fields_of(
    node: ast.ClassDef, ancestors: Collection[str], imports: Imports
) -> tuple[Parameter, ...] | None:
    """The parameters that the class's own fields give its constructor, as the source has them;
    None for a class without such fields. ``ancestors`` are the names of its bases and theirs.
    """
    for decorator in node.decorator_list:
        options = decorator.keywords if isinstance(decorator, ast.Call) else []
        name = decorator.func if isinstance(decorator, ast.Call) else decorator
        if path_of(name, imports) in _DECORATORS:
            if _is(options, "init", False):
                return None
            passing = Passing.KEYWORD if _is(options, "kw_only", True) else Passing.EITHER
            return tuple(_fields(node, passing, imports))
    for base in _BASES.keys() & ancestors:
        keyword = _is(node.keywords, "kw_only", True)
        return tuple(_fields(node, Passing.KEYWORD if keyword else _BASES[base], imports))
    return None


def _fields(node: ast.ClassDef, passing: Passing, imports: Imports) -> Iterator[Parameter]:
    for statement in node.body:
        match statement:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=value):
                kind = _annotation_path(annotation, imports)
                if kind == "dataclasses.KW_ONLY":
                    passing = Passing.KEYWORD
                elif kind != "typing.ClassVar":
                    yield from _field(name, annotation, value, passing, imports)


def _field(
    name: str,
    annotation: ast.expr,
    value: ast.expr | None,
    passing: Passing,
    imports: Imports,
) -> Iterator[Parameter]:
    if isinstance(value, ast.Call) and path_of(value.func, imports) in _DESCRIPTIONS:
        if _is(value.keywords, "init", False):
            return
        if _is(value.keywords, "kw_only", True):
            passing = Passing.KEYWORD
        value = _default(value)
    yield Parameter(name, passing, value, annotation)


def _default(description: ast.Call) -> ast.expr | None:
    given: list[ast.expr] = [each.value for each in description.keywords if each.arg in _DEFAULTS]
    given += description.args[:1]  # pydantic's first
    if not given or (isinstance(given[0], ast.Constant) and given[0].value is ...):
        return None
    return given[0]


def _is(options: list[ast.keyword], name: str, value: bool) -> bool:
    return any(
        each.arg == name and isinstance(each.value, ast.Constant) and each.value.value is value
        for each in options
    )


def _annotation_path(annotation: ast.expr, imports: Imports) -> str | None:
    if isinstance(annotation, ast.Subscript):
        annotation = annotation.value
    return path_of(annotation, imports)


def fields_of_call(call: ast.Call, imports: Imports) -> tuple[Parameter, ...] | None:
    """The parameters of what ``namedtuple("P", "x y")`` or ``NamedTuple("P", [("x", int)])``
    makes; None for any other call, and for names that cannot be read.
    """
    match path_of(call.func, imports), call.args:
        case "collections.namedtuple", [_, listed, *_]:
            names = _listed_names(listed)
        case "typing.NamedTuple", [_, ast.List(elts=pairs)]:
            names = _names(
                [pair.elts[0] for pair in pairs if isinstance(pair, ast.Tuple) and pair.elts]
            )
        case _:
            return None
    if not names:
        return None
    defaults: list[ast.expr | None] = [None] * len(names)
    for option in call.keywords:
        if option.arg == "defaults" and isinstance(option.value, ast.Tuple | ast.List):
            given = option.value.elts[-len(names) :]
            defaults[len(names) - len(given) :] = given
    return tuple(
        Parameter(name, Passing.EITHER, default, None)
        for name, default in zip(names, defaults, strict=True)
        if is_public(name)
    )


def _listed_names(listed: ast.expr) -> list[str]:
    match listed:
        case ast.Constant(value=str(text)):
            return _names([ast.Constant(each) for each in text.replace(",", " ").split()])
        case ast.List(elts=parts) | ast.Tuple(elts=parts):
            return _names(parts)
    return []


def _names(parts: list[ast.expr]) -> list[str]:
    """The texts; none where one of the parts is something else."""
    names = [each.value for each in parts if isinstance(each, ast.Constant)]
    texts = [name for name in names if isinstance(name, str) and name.isidentifier()]
    return texts if len(texts) == len(parts) else []
