"""The reading of fields, of which a constructor is made: dataclasses, named tuples and the like."""

import ast
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Final

from policy.breaking.surface.elements import Parameter, Passing, is_public
from policy.breaking.surface.expressions import Imports, dotted_name

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
#: Calls that describe a field and may give its default as an argument.
_DESCRIPTIONS: Final = frozenset(
    {"dataclasses.field", "attr.field", "attrs.field", "msgspec.field", "pydantic.Field"}
)
_DEFAULT_OPTIONS: Final = frozenset({"default", "default_factory", "factory"})


def fields_of(
    node: ast.ClassDef, ancestors: Collection[str], imports: Imports
) -> tuple[Parameter, ...] | None:
    """Return the constructor's parameters that the class's own fields make up, in source order.

    None for a class that has no constructor made of fields. ``ancestors`` are the names of its
    bases and of their bases.
    """
    for decorator in node.decorator_list:
        options = decorator.keywords if isinstance(decorator, ast.Call) else []
        name = decorator.func if isinstance(decorator, ast.Call) else decorator
        if dotted_name(name, imports) in _DECORATORS:
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
                annotated = _name_without_arguments(annotation, imports)
                if annotated == "dataclasses.KW_ONLY":
                    passing = Passing.KEYWORD
                elif annotated != "typing.ClassVar":
                    field = Parameter(name, passing, value, annotation)
                    yield from _described(field, imports)


def _described(field: Parameter, imports: Imports) -> Iterator[Parameter]:
    """Yield the field, with what its description says, such as ``field(default=1)``.

    Yield nothing if the description takes it out of the constructor.
    """
    description = field.default
    if not isinstance(description, ast.Call) or (
        dotted_name(description.func, imports) not in _DESCRIPTIONS
    ):
        yield field
    elif not _is(description.keywords, "init", False):
        is_keyword = _is(description.keywords, "kw_only", True)
        passing = Passing.KEYWORD if is_keyword else field.passing
        yield replace(field, passing=passing, default=_default_in(description))


def _default_in(description: ast.Call) -> ast.expr | None:
    values: list[ast.expr] = [
        each.value for each in description.keywords if each.arg in _DEFAULT_OPTIONS
    ]
    values += description.args[:1]  # pydantic takes the default by position too
    if not values or (isinstance(values[0], ast.Constant) and values[0].value is ...):
        return None
    return values[0]


def _is(options: list[ast.keyword], name: str, value: bool) -> bool:
    return any(
        each.arg == name and isinstance(each.value, ast.Constant) and each.value.value is value
        for each in options
    )


def _name_without_arguments(annotation: ast.expr, imports: Imports) -> str | None:
    if isinstance(annotation, ast.Subscript):
        annotation = annotation.value
    return dotted_name(annotation, imports)


def fields_of_call(call: ast.Call, imports: Imports) -> tuple[Parameter, ...] | None:
    """Return the fields that a call such as ``namedtuple("P", "x y")`` gives a new class.

    ``NamedTuple("P", [("x", int)])`` is the other kind of call. None for any other call, and if the
    names cannot be read.
    """
    match dotted_name(call.func, imports), call.args:
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
    """Return the names that the constants hold; none if any part is not a name."""
    values = [each.value for each in parts if isinstance(each, ast.Constant)]
    names = [value for value in values if isinstance(value, str) and value.isidentifier()]
    return names if len(names) == len(parts) else []
