"""Classes that are made by a call, as the class statements that they stand for.

`Enum("Color", "RED GREEN")`, `namedtuple`, `NamedTuple`, `TypedDict`, `make_dataclass`, `type` and
the like are read as if the class were written out.
"""

import ast
from collections.abc import Callable, Sequence
from keyword import iskeyword
from typing import Final

from policy.breaking.surface.resolution.names import Names

#: Stands for the annotation of a field that has none, because a class statement must have one.
NO_ANNOTATION: Final = ast.Constant(...)


class _NotReadable(Exception):
    """The call has arguments that cannot be read."""


def class_statement_of(name: str, value: ast.expr | None, names: Names) -> ast.ClassDef | None:
    """Return the statement that defines the class which a call makes.

    None for an expression that makes no class, or one whose arguments cannot be read.
    """
    maker = _maker_of(value, names)
    if not isinstance(value, ast.Call) or maker is None:
        return None
    if any(each.arg is None for each in value.keywords):
        return None
    try:
        node = maker(_Arguments(value, names))
    except _NotReadable:
        return None
    node.name = name
    ast.copy_location(node, value)
    for part in ast.walk(node):
        if "lineno" in part._attributes and not hasattr(part, "lineno"):
            ast.copy_location(part, value)
    return node


def makes_class(value: ast.expr | None, names: Names) -> bool:
    """Return whether the expression makes a class, also one that cannot be read."""
    return _maker_of(value, names) is not None


def _maker_of(
    value: ast.expr | None, names: Names
) -> "Callable[[_Arguments], ast.ClassDef] | None":
    if not isinstance(value, ast.Call):
        return None
    made_by = names.dotted(value.func) or ""
    if made_by == "type" and len(value.args) == 1:
        return None
    maker = _MAKERS.get(made_by)
    if maker is None and names.is_enum(made_by):
        has_names = len(value.args) > 1 or any(each.arg == "names" for each in value.keywords)
        maker = _enum if has_names else None
    return maker


class _Arguments:
    """The arguments of a call."""

    def __init__(self, call: ast.Call, names: Names) -> None:
        self.names = names
        self.function = call.func
        self._positional = call.args
        self.options = {str(each.arg): each.value for each in call.keywords}

    def take(self, index: int, *keywords: str) -> ast.expr | None:
        """Return an argument by its position or its keyword, with constants in place of names."""
        node = self._positional[index] if index < len(self._positional) else None
        for keyword in keywords:
            node = self.options.pop(keyword, None) if node is None else node
        return None if node is None else self.names.resolved(node)

    def needed(self, index: int, *keywords: str) -> ast.expr:
        node = self.take(index, *keywords)
        if node is None:
            raise _NotReadable
        return node


def _class(
    bases: Sequence[ast.expr], body: Sequence[ast.stmt], decorators: Sequence[ast.expr] = ()
) -> ast.ClassDef:
    node = ast.ClassDef(
        name="", bases=list(bases), keywords=[], body=list(body), decorator_list=list(decorators)
    )
    vars(node).setdefault("type_params", [])
    return node


def _field(
    name: str, annotation: ast.expr | None = None, value: ast.expr | None = None
) -> ast.AnnAssign:
    return ast.AnnAssign(ast.Name(name), annotation or NO_ANNOTATION, value, simple=1)


def _value(name: str, value: ast.expr) -> ast.Assign:
    return ast.Assign([ast.Name(name)], value)


def _dotted(name: str) -> ast.expr:
    package, _, rest = name.partition(".")
    node: ast.expr = ast.Name(package)
    for part in rest.split(".") if rest else ():
        node = ast.Attribute(node, part)
    return node


def _text(node: ast.expr | None) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
        return node.value
    raise _NotReadable


def _is_true(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and bool(node.value)


def _items(node: ast.expr | None) -> list[ast.expr]:
    if isinstance(node, ast.List | ast.Tuple):
        return node.elts
    if node is None:
        return []
    raise _NotReadable


def _pairs(node: ast.expr | None, names: Names) -> list[tuple[str, ast.expr]]:
    """Return the entries of a dict, written as a literal or as ``dict(x=1)``."""
    match node:
        case None:
            return []
        case ast.Dict(keys=keys, values=values):
            return [(_text(key), value) for key, value in zip(keys, values, strict=True)]
        case ast.Call(args=[], keywords=keywords) if names.dotted(node.func) == "dict":
            return [(each.arg or "", each.value) for each in keywords if each.arg]
    raise _NotReadable


def _words(node: ast.expr) -> list[str] | None:
    """Return the names in a text or in a list of texts; None if it is not that."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value.replace(",", " ").split()
    if isinstance(node, ast.List | ast.Tuple):
        texts = [each.value for each in node.elts if isinstance(each, ast.Constant)]
        words = [text for text in texts if isinstance(text, str)]
        return words if len(words) == len(node.elts) else None
    return None


def _enum(arguments: _Arguments) -> ast.ClassDef:
    listed = arguments.needed(1, "names")
    words, body = _words(listed), list[ast.stmt]()
    if words is not None:
        start = arguments.options.get("start")
        first = start.value if isinstance(start, ast.Constant) else 1
        if not isinstance(first, int) or (
            start is not None and not isinstance(start, ast.Constant)
        ):
            raise _NotReadable
        for index, word in enumerate(words):
            auto: ast.expr = ast.Call(_dotted("enum.auto"), [], [])
            number = ast.Constant(first + index)
            body.append(_value(word, auto if first == 1 else number))
    elif isinstance(listed, ast.List | ast.Tuple):
        for pair in listed.elts:
            name, value = (*_items(pair), None, None)[:2]
            body.append(_value(_text(name), value or NO_ANNOTATION))
    else:
        body += [_value(*pair) for pair in _pairs(listed, arguments.names)]
    mixin = arguments.options.get("type")
    return _class([*([mixin] if mixin else []), arguments.function], body)


def _namedtuple(arguments: _Arguments) -> ast.ClassDef:
    words = _words(arguments.needed(1, "field_names"))
    if not words:
        raise _NotReadable
    if _is_true(arguments.options.get("rename")):
        seen: set[str] = set()
        for index, word in enumerate(words):
            is_good = word.isidentifier() and not iskeyword(word) and word[0] != "_"
            words[index] = word if is_good and word not in seen else f"_{index}"
            seen.add(word)
    if not all(word.isidentifier() for word in words):
        raise _NotReadable
    given = _items(arguments.take(9, "defaults"))[-len(words) :]
    defaults = [None] * (len(words) - len(given)) + given
    fields = [_field(word, None, value) for word, value in zip(words, defaults, strict=True)]
    return _class([_dotted("typing.NamedTuple")], fields)


def _typed_namedtuple(arguments: _Arguments) -> ast.ClassDef:
    listed = arguments.take(1, "fields")
    pairs = [_items(each) for each in _items(listed)]
    fields = [_field(_text(pair[0]), pair[1]) for pair in pairs if len(pair) == 2]
    if listed is None:
        fields = [_field(*pair) for pair in arguments.options.items() if pair[0] != "typename"]
    if not fields:
        raise _NotReadable
    return _class([_dotted("typing.NamedTuple")], fields)


def _typed_dict(arguments: _Arguments) -> ast.ClassDef:
    listed = arguments.take(1, "fields")
    pairs = _pairs(listed, arguments.names) or list(arguments.options.items())
    fields = [_field(*pair) for pair in pairs if listed is not None or pair[0] != "total"]
    return _class([_dotted("typing.TypedDict")], fields)


def _listed_fields(listed: ast.expr) -> list[ast.stmt]:
    """Return the fields of a list whose items are a name, or a tuple (name, type, default)."""
    fields: list[ast.stmt] = []
    words = _words(listed)
    for item in _items(listed) if words is None else [ast.Constant(word) for word in words]:
        parts = item.elts if isinstance(item, ast.Tuple | ast.List) else [item]
        name, annotation, default = (*parts, None, None, None)[:3]
        fields.append(_field(_text(name), annotation, default))
    return fields


def _dataclass(arguments: _Arguments) -> ast.ClassDef:
    fields = _listed_fields(arguments.needed(1, "fields"))
    bases = _items(arguments.take(9, "bases"))
    for name in ("cls_name", "module"):
        arguments.options.pop(name, None)
    members = _pairs(arguments.take(9, "namespace"), arguments.names)
    options = [ast.keyword(*option) for option in arguments.options.items()]
    decorator = ast.Call(_dotted("dataclasses.dataclass"), [], options)
    return _class(bases, [*fields, *(_value(*pair) for pair in members)], [decorator])


def _struct(arguments: _Arguments) -> ast.ClassDef:
    fields = _listed_fields(arguments.needed(1, "fields"))
    bases = _items(arguments.take(9, "bases")) or [_dotted("msgspec.Struct")]
    node = _class(bases, fields)
    node.keywords = [ast.keyword(*option) for option in arguments.options.items()]
    return node


def _attrs_class(arguments: _Arguments) -> ast.ClassDef:
    listed = arguments.needed(1, "attrs")
    described: ast.expr = ast.Call(_dotted("attr.ib"), [], [])
    words = _words(listed)
    if words is not None:
        pairs = [(word, described) for word in words]
    else:
        pairs = _pairs(listed, arguments.names)
    bases = _items(arguments.take(2, "bases"))
    options = [ast.keyword(*option) for option in arguments.options.items() if option[0] != "name"]
    body = [_value(*pair) for pair in pairs]
    return _class(bases, body, [ast.Call(_dotted("attr.s"), [], options)])


def _model(arguments: _Arguments) -> ast.ClassDef:
    base = arguments.options.pop("__base__", None) or _dotted("pydantic.BaseModel")
    fields: list[ast.stmt] = []
    for name, described in arguments.options.items():
        if name.startswith("__") or name == "model_name":
            continue
        annotation, default = (*_items(described), None, None)[:2]
        fields.append(_field(name, annotation, default))
    return _class([base], fields)


def _type(arguments: _Arguments) -> ast.ClassDef:
    bases = _items(arguments.needed(1))
    members = _pairs(arguments.needed(2), arguments.names)
    return _class(bases, [_value(*pair) for pair in members])


def _new_class(arguments: _Arguments) -> ast.ClassDef:
    if arguments.take(3, "exec_body") is not None:
        raise _NotReadable
    return _class(_items(arguments.take(1, "bases")), [ast.Pass()])


_MAKERS: Final[dict[str, Callable[[_Arguments], ast.ClassDef]]] = {
    "collections.namedtuple": _namedtuple,
    "typing.NamedTuple": _typed_namedtuple,
    "typing.TypedDict": _typed_dict,
    "dataclasses.make_dataclass": _dataclass,
    "msgspec.defstruct": _struct,
    "attr.make_class": _attrs_class,
    "attrs.make_class": _attrs_class,
    "pydantic.create_model": _model,
    "type": _type,
    "types.new_class": _new_class,
}
