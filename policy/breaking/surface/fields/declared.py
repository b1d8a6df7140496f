"""The fields that a class declares, as the parameters of the constructor that they make."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace

from policy.breaking.surface.elements import AnyFunction, Class, Parameter, Passing
from policy.breaking.surface.fields.configuration import (
    Config,
    Declaration,
    config_of,
    declarations_in,
    generated_alias,
)
from policy.breaking.surface.fields.descriptions import description_of, is_described, parsed
from policy.breaking.surface.fields.makers import Library, Maker
from policy.breaking.surface.resolution.names import Names
from policy.breaking.surface.statements import key_text


@dataclass(frozen=True, slots=True)
class DeclaredField:
    """One field, with the parameters of the constructor that set it."""

    name: str
    #: What a caller reads if nothing else is set; None if there is nothing then.
    default: ast.expr | None
    parameters: tuple[Parameter, ...]
    is_attribute: bool = True


def declared_fields(
    node: ast.ClassDef, maker: Maker, names: Names, ancestors: set[str]
) -> Iterator[DeclaredField]:
    """Yield the fields in the order of the source."""
    config = config_of(node, names, ancestors) if maker.library is Library.PYDANTIC else Config()
    is_keyword = maker.is_set("kw_only", True) or maker.library is Library.PYDANTIC
    passing = Passing.KEYWORD if is_keyword else Passing.EITHER
    declarations = [each for statement in node.body for each in declarations_in(statement)]
    these = maker.options.get("these")
    if isinstance(these, ast.Dict):
        pairs = zip(these.keys, these.values, strict=True)
        declarations += [Declaration(k, False, None, v) for key, v in pairs if (k := key_text(key))]
    described_only = _are_described_only(declarations, maker, names)
    for each in declarations:
        kind = _annotated_kind(each.annotation, names)
        if kind == "dataclasses.KW_ONLY":
            passing = Passing.KEYWORD
        elif _is_field(each, kind, maker, described_only, names):
            yield _field(each, passing, kind, node, maker, names, config)


def _are_described_only(declarations: list[Declaration], maker: Maker, names: Names) -> bool:
    """Return whether only names with a description such as ``attr.ib()`` are fields."""
    if maker.library is not Library.ATTRS or maker.is_set("auto_attribs", True):
        return False
    if not maker.is_set("auto_attribs", None):
        return True
    return any(not each.is_annotated and is_described(each.value, names) for each in declarations)


def _is_field(
    declared: Declaration, kind: str, maker: Maker, described_only: bool, names: Names
) -> bool:
    if kind == "typing.ClassVar":
        return False
    if described_only:
        return is_described(declared.value, names)
    is_private = maker.library is Library.PYDANTIC and declared.name.startswith("_")
    return declared.is_annotated and not is_private


def _field(
    declared: Declaration,
    passing: Passing,
    kind: str,
    node: ast.ClassDef,
    maker: Maker,
    names: Names,
    config: Config,
) -> DeclaredField:
    name, annotation = declared.name, declared.annotation
    description = description_of(declared.value, annotation, names)
    default = description.default
    if maker.library is Library.ATTRS and default is None and _has_default_method(node, name):
        default = ast.Name(f"<what the default method of {name} returns>")
    if description.is_keyword is not None:
        passing = Passing.KEYWORD if description.is_keyword else Passing.EITHER
    is_attribute = kind != "dataclasses.InitVar"
    found: list[Parameter] = []
    arguments = _argument_names(name, description.aliases, maker, config)
    if description.is_argument:
        field = name if is_attribute else None
        others = arguments[1:]
        found.append(Parameter(arguments[0], passing, default, annotation, field, others))
        # Either name will do, so that the others are not needed by themselves.
        optional = default or ast.Constant(None)
        found += [Parameter(each, Passing.KEYWORD, optional, annotation, field) for each in others]
    return DeclaredField(name, default, tuple(found), is_attribute)


def _argument_names(
    name: str, aliases: tuple[str, ...], maker: Maker, config: Config
) -> tuple[str, ...]:
    """Return the names under which the constructor takes the field; usually one."""
    if not aliases and config.generator:
        aliases = (generated_alias(name, config.generator),)
    if aliases:
        return (name, *aliases) if config.takes_names_too else aliases
    return (name.lstrip("_") or name,) if maker.library is Library.ATTRS else (name,)


def with_defaults(this: Class, defaults: ast.expr) -> Class:
    """Return the class after ``__new__.__defaults__ = …``, which gives its last fields defaults."""
    if not isinstance(defaults, ast.Tuple) or this.fields is None:
        return this
    parameters = this.fields.parameters
    given = [None] * (len(parameters) - len(defaults.elts)) + defaults.elts
    changed = [
        each if default is None else replace(each, default=default)
        for each, default in zip(parameters, given[-len(parameters) :], strict=True)
    ]
    return replace(this, fields=replace(this.fields, parameters=tuple(changed)))


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
