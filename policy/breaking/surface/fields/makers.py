"""The decorators and bases that make a class of fields, under whatever name the module uses."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from policy.breaking.surface.elements import AnyFunction
from policy.breaking.surface.resolution.names import Names
from policy.breaking.surface.statements import key_text


class Library(Enum):
    """Whose rules say what a field is."""

    DATACLASSES = "dataclasses"
    ATTRS = "attrs"
    NAMED_TUPLE = "named tuple"
    PYDANTIC = "pydantic"
    MSGSPEC = "msgspec"


@dataclass(frozen=True, slots=True)
class Maker:
    """What makes a class of fields, with its options."""

    library: Library
    options: dict[str, ast.expr] = field(default_factory=dict)

    def is_set(self, option: str, value: bool | None) -> bool:
        """Return whether the option is given with this value."""
        node = self.options.get(option)
        return isinstance(node, ast.Constant) and node.value is value

    def freezes(self) -> bool:
        """Return whether a field can be set by the constructor alone."""
        return self.library is Library.NAMED_TUPLE or self.is_set("frozen", True)

    def takes_hash_away(self) -> bool:
        """Return whether instances cannot be hashed, because they are compared by their fields."""
        if self.library not in (Library.DATACLASSES, Library.ATTRS, Library.MSGSPEC):
            return False
        keeps = (("frozen", True), ("unsafe_hash", True), ("hash", True), ("eq", False))
        return not any(self.is_set(*option) for option in keeps)


_TRUE: Final = ast.Constant(True)
#: The decorators, and the options that each has by itself.
_DECORATORS: Final[dict[str, Maker]] = {
    "dataclasses.dataclass": Maker(Library.DATACLASSES),
    "pydantic.dataclasses.dataclass": Maker(Library.DATACLASSES),
    "attr.dataclass": Maker(Library.ATTRS, {"auto_attribs": _TRUE, "order": _TRUE}),
    **{
        f"attr.{name}": Maker(Library.ATTRS, {"order": _TRUE})
        for name in ("s", "attrs", "attributes")
    },
    **{
        f"{package}.{name}": Maker(Library.ATTRS, {"auto_attribs": ast.Constant(None)})
        for package in ("attr", "attrs")
        for name in ("define", "mutable")
    },
    **{
        f"{package}.frozen": Maker(
            Library.ATTRS, {"auto_attribs": ast.Constant(None), "frozen": _TRUE}
        )
        for package in ("attr", "attrs")
    },
}
#: Bases whose subclasses have fields, all of them or the direct ones only.
_BASES: Final = {
    "pydantic.BaseModel": Library.PYDANTIC,
    "pydantic.main.BaseModel": Library.PYDANTIC,
    "pydantic_settings.BaseSettings": Library.PYDANTIC,
    "sqlmodel.SQLModel": Library.PYDANTIC,
    "msgspec.Struct": Library.MSGSPEC,
}
_TRANSFORM: Final = "typing.dataclass_transform"


def maker_of(
    node: ast.ClassDef, bases: tuple[str, ...], ancestors: set[str], names: Names
) -> Maker | None:
    """Return what makes the class one of fields; None if nothing does."""
    for decorator in node.decorator_list:
        if (maker := maker_in(decorator, names)) is not None:
            return maker
    options = {str(each.arg): each.value for each in node.keywords}
    if "typing.NamedTuple" in bases:
        return Maker(Library.NAMED_TUPLE, options)
    for base, library in _BASES.items():
        if base in ancestors:
            return Maker(library, options)
    for base in ancestors:
        for marked in _marked_by(base, names):
            transforms = [each for each in _transforms(marked, names) if marked is not node]
            if transforms:
                return Maker(Library.DATACLASSES, transforms[0] | options)
    return None


def _marked_by(base: str, names: Names) -> Iterator[ast.ClassDef]:
    """Yield the definitions of a base and of its metaclass, either of which may be marked."""
    defined = names.definition(base)
    if isinstance(defined, ast.ClassDef):
        yield defined
        for each in defined.keywords:
            metaclass = names.definition(names.dotted(each.value) or "")
            if each.arg == "metaclass" and isinstance(metaclass, ast.ClassDef):
                yield metaclass


def maker_in(decorator: ast.expr, names: Names) -> Maker | None:
    """Return what the decorator makes of a class; None if it makes no class of fields.

    It may be another name of `dataclass`, `partial(dataclass, …)`, or a function of the module that
    applies `dataclass`.
    """
    name, options = applied(decorator, names)
    if name in _DECORATORS:
        known = _DECORATORS[name]
        return Maker(known.library, known.options | options)
    function = names.definition(name)
    if not isinstance(function, AnyFunction):
        return None
    for defaults in _transforms(function, names):
        return Maker(Library.DATACLASSES, defaults | options)
    for call in ast.walk(function):
        if isinstance(call, ast.Call):
            name, given = applied(call, names)
            if name in _DECORATORS:
                known = _DECORATORS[name]
                return Maker(known.library, known.options | given | options)
    return None


def applied(decorator: ast.expr, names: Names) -> tuple[str, dict[str, ast.expr]]:
    """Return the dotted name of what is applied, and its keywords; "" if it has no name."""
    node = names.resolved(decorator)
    options: dict[str, ast.expr] = {}
    while isinstance(node, ast.Call):
        options = _options(node.keywords, names) | options
        is_partial = names.dotted(node.func) == "functools.partial" and node.args
        node = names.resolved(node.args[0]) if is_partial else node.func
    return names.dotted(node) or "", options


def _options(keywords: list[ast.keyword], names: Names) -> dict[str, ast.expr]:
    """Return the keywords, with those of a dict that is given by ``**``."""
    options: dict[str, ast.expr] = {}
    for each in keywords:
        if each.arg is not None:
            options[each.arg] = each.value
            continue
        match names.resolved(each.value):
            case ast.Dict(keys=keys, values=values):
                pairs = zip(keys, values, strict=True)
                options |= {name: value for key, value in pairs if (name := key_text(key))}
    return options


def _transforms(node: AnyFunction | ast.ClassDef, names: Names) -> Iterator[dict[str, ast.expr]]:
    """Yield the options that `dataclass_transform` sets, if it marks the function or class."""
    for decorator in node.decorator_list:
        name, options = applied(decorator, names)
        if name == _TRANSFORM:
            yield {"kw_only": options["kw_only_default"]} if "kw_only_default" in options else {}
