"""The fields that a class declares, as the parameters of the constructor that they make."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from policy.breaking.surface.elements import AnyFunction, Parameter, Passing
from policy.breaking.surface.fields.descriptions import description_of, is_described, parsed
from policy.breaking.surface.fields.makers import Library, Maker
from policy.breaking.surface.functional import NO_ANNOTATION
from policy.breaking.surface.resolution.names import Names


@dataclass(frozen=True, slots=True)
class DeclaredField:
    """One field, with the parameters of the constructor that set it."""

    name: str
    #: What a caller reads if nothing else is set; None if there is nothing then.
    default: ast.expr | None
    parameters: tuple[Parameter, ...]
    is_attribute: bool = True


class _Declaration(NamedTuple):
    name: str
    is_annotated: bool
    annotation: ast.expr | None
    value: ast.expr | None


def declared_fields(node: ast.ClassDef, maker: Maker, names: Names) -> Iterator[DeclaredField]:
    """Yield the fields in the order of the source."""
    is_keyword = maker.is_set("kw_only", True) or maker.library is Library.PYDANTIC
    passing = Passing.KEYWORD if is_keyword else Passing.EITHER
    declarations = [each for statement in node.body for each in _declarations(statement)]
    described_only = _are_described_only(declarations, maker, names)
    for each in declarations:
        kind = _annotated_kind(each.annotation, names)
        if kind == "dataclasses.KW_ONLY":
            passing = Passing.KEYWORD
        elif _is_field(each, kind, maker, described_only, names):
            yield _field(each, passing, kind, node, maker, names)


def _declarations(statement: ast.stmt) -> Iterator[_Declaration]:
    match statement:
        case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=value):
            known = None if annotation is NO_ANNOTATION else annotation
            yield _Declaration(name, True, known, value)
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            yield _Declaration(name, False, None, value)


def _are_described_only(declarations: list[_Declaration], maker: Maker, names: Names) -> bool:
    """Return whether only names with a description such as ``attr.ib()`` are fields."""
    if maker.library is not Library.ATTRS or maker.is_set("auto_attribs", True):
        return False
    if not maker.is_set("auto_attribs", None):
        return True
    return any(not each.is_annotated and is_described(each.value, names) for each in declarations)


def _is_field(
    declared: _Declaration, kind: str, maker: Maker, described_only: bool, names: Names
) -> bool:
    if kind == "typing.ClassVar":
        return False
    if described_only:
        return is_described(declared.value, names)
    is_private = maker.library is Library.PYDANTIC and declared.name.startswith("_")
    return declared.is_annotated and not is_private


def _field(
    declared: _Declaration,
    passing: Passing,
    kind: str,
    node: ast.ClassDef,
    maker: Maker,
    names: Names,
) -> DeclaredField:
    name, annotation = declared.name, declared.annotation
    description = description_of(declared.value, annotation, names)
    default = description.default
    if maker.library is Library.ATTRS and default is None and _has_default_method(node, name):
        default = ast.Name(f"<what the default method of {name} returns>")
    if description.is_keyword is not None:
        passing = Passing.KEYWORD if description.is_keyword else Passing.EITHER
    is_attribute = kind != "dataclasses.InitVar"
    parameters = [
        Parameter(each, passing, default, annotation, name if is_attribute else None)
        for each in _argument_names(name, description.alias, node, maker)
        if description.is_argument
    ]
    for extra in parameters[1:]:  # either name will do, so that neither is needed by itself
        index = parameters.index(extra)
        parameters[index] = Parameter(
            extra.name, Passing.KEYWORD, default or ast.Constant(None), annotation, extra.field
        )
    return DeclaredField(name, default, tuple(parameters), is_attribute)


def _argument_names(
    name: str, alias: str | None, node: ast.ClassDef, maker: Maker
) -> tuple[str, ...]:
    """Return the names under which the constructor takes the field; usually one."""
    if alias is not None:
        is_pydantic = maker.library is Library.PYDANTIC
        return (name, alias) if is_pydantic and _takes_names_too(node) else (alias,)
    return (name.lstrip("_") or name,) if maker.library is Library.ATTRS else (name,)


def _takes_names_too(node: ast.ClassDef) -> bool:
    """Return whether a model's configuration says that a field with an alias keeps its name."""
    options = {"populate_by_name", "validate_by_name", "allow_population_by_field_name"}
    for statement in node.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id="model_config")], value=ast.Call() as call):
                given = {str(each.arg): each.value for each in call.keywords}
            case ast.Assign(targets=[ast.Name(id="model_config")], value=ast.Dict() as entries):
                pairs = zip(entries.keys, entries.values, strict=True)
                given = {str(key.value): v for key, v in pairs if isinstance(key, ast.Constant)}
            case ast.ClassDef(name="Config", body=body):
                given = {d.name: d.value for each in body for d in _declarations(each) if d.value}
            case _:
                continue
        chosen = [value for option, value in given.items() if option in options]
        if any(isinstance(each, ast.Constant) and each.value for each in chosen):
            return True
    return False


def _has_default_method(node: ast.ClassDef, name: str) -> bool:
    """Return whether a method is decorated with ``@name.default``, as attrs has it."""
    for each in node.body:
        for decorator in each.decorator_list if isinstance(each, AnyFunction) else ():
            match decorator:
                case ast.Attribute(value=ast.Name(id=owner), attr="default") if owner == name:
                    return True
    return False


def _annotated_kind(annotation: ast.expr | None, names: Names) -> str:
    """Return the dotted name of an annotation without its arguments; "" if it has none."""
    node = parsed(annotation)
    if isinstance(node, ast.Subscript):
        if names.dotted(node.value) == "typing.Annotated" and isinstance(node.slice, ast.Tuple):
            return _annotated_kind(node.slice.elts[0], names)
        node = node.value
    return (names.dotted(node) or "") if node is not None else ""
