"""What calls such as ``field(default=1)`` say about a field."""

import ast
from dataclasses import dataclass
from typing import Final

from policy.breaking.surface.resolution.names import Names
from policy.breaking.surface.statements import key_text

#: Calls that describe a field and may give its default as an argument.
_DESCRIPTIONS: Final = frozenset(
    {"dataclasses.field", "msgspec.field", "pydantic.Field", "pydantic.fields.Field"}
    | {"sqlmodel.Field", "attr.field", "attrs.field", "attr.ib", "attr.attrib"}
)
_DEFAULTS: Final = ("default", "default_factory", "factory")
_NOTHING: Final = frozenset(
    {"dataclasses.MISSING", "attr.NOTHING", "attrs.NOTHING", "msgspec.NODEFAULT", "Ellipsis"}
    | {"pydantic_core.PydanticUndefined"}
)


@dataclass(frozen=True, slots=True)
class Description:
    """What is said about one field."""

    default: ast.expr | None
    #: The names of its argument, if that is not the name of the field.
    aliases: tuple[str, ...] = ()
    #: Whether the constructor takes it.
    is_argument: bool = True
    #: Whether it is keyword-only; None if nothing is said about that.
    is_keyword: bool | None = None


def is_described(value: ast.expr | None, names: Names) -> bool:
    """Return whether the value is a description of a field."""
    return isinstance(value, ast.Call) and names.dotted(value.func) in _DESCRIPTIONS


def description_of(
    value: ast.expr | None, annotation: ast.expr | None, names: Names
) -> Description:
    """Return what the value says, and what the descriptions in ``Annotated[…]`` say."""
    calls = [each for each in _metadata(annotation, names) if is_described(each, names)]
    default = None
    if is_described(value, names):
        calls.append(value)  # type: ignore[arg-type]
    elif value is not None:
        default = _known_default(value, names)
    options: dict[str, ast.expr] = {}
    for call in calls:
        assert isinstance(call, ast.Call)
        options |= {str(each.arg): each.value for each in call.keywords}
        if call.args:  # pydantic and attrs take the default by position too
            options["default"] = call.args[0]
    given = [options[name] for name in _DEFAULTS if name in options]
    if default is None and given:
        default = _known_default(given[0], names)
    return Description(
        default,
        _aliases(options.get("validation_alias"), names) or _aliases(options.get("alias"), names),
        _truth(options.get("init")) is not False,
        _truth(options.get("kw_only")),
    )


def _metadata(annotation: ast.expr | None, names: Names) -> list[ast.expr]:
    """Return what ``Annotated`` adds to a type."""
    match parsed(annotation):
        case ast.Subscript(value=value, slice=ast.Tuple(elts=[_, *metadata])):
            return metadata if names.dotted(value) == "typing.Annotated" else []
        case ast.Name() as name if (alias := names.constant(name)) is not None:
            return _metadata(alias, names) if isinstance(alias, ast.Subscript) else []
    return []


def parsed(annotation: ast.expr | None) -> ast.expr | None:
    """Return the expression in a quoted annotation; another annotation as it is."""
    match annotation:
        case ast.Constant(value=str(text)):
            try:
                return ast.parse(text.strip(), mode="eval").body
            except (SyntaxError, ValueError, MemoryError, RecursionError):
                return None
    return annotation


def _known_default(value: ast.expr, names: Names) -> ast.expr | None:
    is_nothing = isinstance(value, ast.Constant) and value.value is ...
    if is_nothing or names.dotted(value) in _NOTHING:
        return None
    return names.resolved(value)


def _aliases(node: ast.expr | None, names: Names) -> tuple[str, ...]:
    """Return the names that an alias gives, of which pydantic's ``AliasChoices`` has several."""
    node = None if node is None else names.resolved(node)
    if isinstance(node, ast.Call) and (names.dotted(node.func) or "").endswith("AliasChoices"):
        return tuple(text for each in node.args if (text := key_text(each)))
    text = key_text(node)
    return () if text is None else (text,)


def _truth(node: ast.expr | None) -> bool | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        return node.value
    return None
