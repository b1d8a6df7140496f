"""The declarations in the body of a class, and the configuration of a pydantic model."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from policy.breaking.surface.functional import NO_ANNOTATION
from policy.breaking.surface.resolution.names import Names
from policy.breaking.surface.statements import key_text


class Declaration(NamedTuple):
    """A name that the body of a class annotates or assigns."""

    name: str
    is_annotated: bool
    annotation: ast.expr | None
    value: ast.expr | None


@dataclass(frozen=True, slots=True)
class Config:
    """The settings of a model that concern all its fields."""

    #: Whether a field with an alias keeps its own name.
    takes_names_too: bool = False
    #: The dotted name of the function that makes an alias of a name; "" if there is none.
    generator: str = ""
    #: Whether only the constructor sets them.
    freezes: bool = False


def declarations_in(statement: ast.stmt) -> Iterator[Declaration]:
    """Yield the declaration that a statement of the body is, if it is one."""
    match statement:
        case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=value):
            known = None if annotation is NO_ANNOTATION else annotation
            yield Declaration(name, True, known, value)
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            yield Declaration(name, False, None, value)


_NAMES_TOO = ("populate_by_name", "validate_by_name", "allow_population_by_field_name")


def config_of(node: ast.ClassDef, names: Names, ancestors: set[str]) -> Config:
    """Return the configuration of a model, with that of its bases in the module."""
    given: dict[str, ast.expr] = {}
    for base in sorted(ancestors):
        definition = names.definition(base)
        if isinstance(definition, ast.ClassDef):
            given |= _given_by(definition)
    given |= _given_by(node)
    generator = given.get("alias_generator")
    return Config(
        any(_is_set(given, option, True) for option in _NAMES_TOO),
        "" if generator is None else names.dotted(generator) or ast.dump(generator),
        _is_set(given, "frozen", True) or _is_set(given, "allow_mutation", False),
    )


def _is_set(given: dict[str, ast.expr], option: str, value: bool) -> bool:
    node = given.get(option)
    return isinstance(node, ast.Constant) and bool(node.value) is value


def _given_by(node: ast.ClassDef) -> dict[str, ast.expr]:
    """Return the options that a class gives: as keywords, in `model_config` or in `Config`."""
    given = {str(each.arg): each.value for each in node.keywords}
    for statement in node.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id="model_config")], value=value):
                given |= _options(value)
            case ast.AnnAssign(target=ast.Name(id="model_config"), value=ast.expr() as value):
                given |= _options(value)
            case ast.ClassDef(name="Config", body=body):
                found = [d for each in body for d in declarations_in(each)]
                given |= {each.name: each.value for each in found if each.value}
    return given


def _options(value: ast.expr) -> dict[str, ast.expr]:
    match value:
        case ast.Call(keywords=keywords):
            return {str(each.arg): each.value for each in keywords}
        case ast.Dict(keys=keys, values=values):
            pairs = zip(keys, values, strict=True)
            return {name: given for key, given in pairs if (name := key_text(key))}
    return {}


def generated_alias(name: str, generator: str) -> str:
    """Return the alias that a generator makes of the name of a field.

    That of a generator which is not known here is a text that no argument can have.
    """
    words = [word[:1].upper() + word[1:] for word in name.split("_")]
    match generator.rpartition(".")[2]:
        case "to_pascal":
            return "".join(words)
        case "to_camel":
            return "".join((name.partition("_")[0], *words[1:]))
    return f"<{generator} of {name}>"
