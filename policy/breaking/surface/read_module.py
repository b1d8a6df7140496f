"""From source to surface: reads what callers can reach, and runs none of it.

Where a name is bound in more than one place the last one counts, but what an ``else``, an
``except`` or a later ``case`` binds gives way to what stands before it, if that is no import. What
only a script run or a type checker sees (``if __name__ == …``, ``if TYPE_CHECKING``) does not exist
for callers.
"""

import ast
from dataclasses import replace
from typing import Final

from policy.breaking.surface.elements import (
    Binding,
    Class,
    Function,
    Imported,
    Member,
    Module,
    Property,
    Value,
)
from policy.breaking.surface.exports import exports_of
from policy.breaking.surface.expressions import Imports, decorator_text, path_of
from policy.breaking.surface.fields import fields_of, fields_of_call
from policy.breaking.surface.functions import (
    decorator_path,
    decorators_of,
    function_of,
    parameters_of,
    unbound,
)
from policy.breaking.surface.inheritance import ancestors
from policy.breaking.surface.statements import AnyFunction, assignments, bound_names, statements

_PROPERTIES: Final = frozenset({"property", "abc.abstractproperty"})
_CACHED_PROPERTIES: Final = frozenset({"functools.cached_property"})
_OVERLOADS: Final = frozenset({"typing.overload", "typing_extensions.overload"})


def read(code: str) -> Module:
    """The surface of a module. Raises what ``ast.parse`` raises."""
    body = ast.parse(code).body
    module = Module(exports=exports_of(body), may_yield="yield" in code)
    _Reader(module, "", module.members).read(body)
    return module


class _Reader:
    """Reads one body, the module's or a class's, into ``members``."""

    def __init__(self, module: Module, path: str, members: dict[str, Member]) -> None:
        self._module = module
        self._path = path
        self._members = members
        self._set_by_methods: set[str] = set()
        self._conditional = False

    def read(self, body: list[ast.stmt]) -> None:
        """Bind what the statements of the body bind."""
        for statement, self._conditional in statements(body):
            match statement:
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    self._function(statement)
                case ast.ClassDef():
                    self._class(statement)
                case ast.Import() | ast.ImportFrom():
                    self._import(statement)
                case ast.Assign():
                    for target in statement.targets:
                        self._assign(target, statement.value)
                case ast.AnnAssign(target=ast.Name(id=name)):
                    self._value(name, statement, statement.annotation, statement.value)
                case ast.Delete():
                    for target in statement.targets:
                        if isinstance(target, ast.Name):
                            self._members.pop(target.id, None)
                case _ if type(statement).__name__ == "TypeAlias":  # from Python 3.12
                    self._bind(vars(statement)["name"].id, Value(statement.lineno, None, None))

    @property
    def _in_class(self) -> bool:
        return bool(self._path)

    def _bind(self, name: str, member: Member) -> None:
        known = self._members.get(name)
        if known is None or isinstance(known, Imported) or not self._conditional:
            self._members[name] = member

    def _function(self, node: AnyFunction) -> None:
        paths = [decorator_path(each, self._module.imports) for each in node.decorator_list]
        for path in paths:
            if path in _PROPERTIES or path in _CACHED_PROPERTIES:
                settable = path in _CACHED_PROPERTIES
                self._bind(node.name, Property(node.lineno, node.returns, settable))
                return
            if path.endswith((".setter", ".deleter", ".getter")):
                self._accessor(node, is_setter=path.endswith(".setter"))
                return
        if not _OVERLOADS.isdisjoint(paths) and node.name in self._members:
            return
        function = function_of(node, paths, self._module, self._in_class)
        if self._in_class:
            self._set_on_self(node, function.binding)
        self._bind(node.name, function)

    def _accessor(self, node: AnyFunction, *, is_setter: bool) -> None:
        base = self._members.get(node.name)
        if not isinstance(base, Property):
            base = Property(node.lineno, None, is_settable=False)
        self._members[node.name] = replace(base, is_settable=base.is_settable or is_setter)

    def _class(self, node: ast.ClassDef) -> None:
        path = f"{self._path}.{node.name}" if self._path else node.name
        members: dict[str, Member] = {}
        inner = _Reader(self._module, path, members)
        inner.read(node.body)
        imports = self._module.imports
        bases = tuple(base for each in node.bases if (base := _base_of(each, imports)) is not None)
        known = Class(
            name=path,
            line=node.lineno,
            bases=bases,
            decorators=decorators_of(node.decorator_list, imports),
            members=members,
            set_by_methods=frozenset(inner._set_by_methods),
        )
        if "__init__" not in members:
            known = replace(known, fields=fields_of(node, ancestors(known, self._module), imports))
        self._bind(node.name, known)

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        for each in node.names:
            name = each.asname or each.name.partition(".")[0]
            if isinstance(node, ast.ImportFrom):
                path = f"{'.' * node.level}{node.module or ''}.{each.name}"
            else:
                path = each.name if each.asname else name
            if name != "*":
                self._module.imports.setdefault(name, path)
                self._bind(name, Imported(node.lineno, is_given=False))

    def _assign(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Name):
            self._value(target.id, target, None, value)
            return
        for name in bound_names(target):
            self._bind(name.id, Value(name.lineno, None, value))

    def _value(
        self,
        name: str,
        node: ast.stmt | ast.expr,
        annotation: ast.expr | None,
        value: ast.expr | None,
    ) -> None:
        self._bind(name, self._meaning(name, node.lineno, annotation, value))

    def _meaning(
        self, name: str, line: int, annotation: ast.expr | None, value: ast.expr | None
    ) -> Member:
        """What a name assigned this value is: another name for something, or a value."""
        imports = self._module.imports
        match value:
            case ast.Lambda():
                return self._as_method(Function(line, parameters_of(value.args)))
            case ast.Name(id=other):
                known = self._members.get(other) or self._module.members.get(other)
                if isinstance(known, Imported):
                    return Imported(line, is_given=True)
                if isinstance(known, Function):
                    return self._as_method(known)
                if known is not None and not isinstance(known, Value):
                    return known
            case ast.Attribute():
                root = (path_of(value, {}) or "").partition(".")[0]
                if root in imports:
                    return Imported(line, is_given=True)
            case ast.Call() if path_of(value.func, imports) == "property":
                has_setter = len(value.args) > 1 or any(k.arg == "fset" for k in value.keywords)
                return Property(line, None, has_setter)
            case ast.Call() if (fields := fields_of_call(value, imports)) is not None:
                members: dict[str, Member] = {
                    each.name: Value(line, each.annotation, each.default) for each in fields
                }
                path = f"{self._path}.{name}" if self._path else name
                return Class(path, line, ("typing.NamedTuple",), (), members, fields)
        return Value(line, annotation, value)

    def _as_method(self, function: Function) -> Function:
        """A function given to a class is a method of its instances."""
        if not self._in_class or function.binding is not Binding.NOTHING:
            return function
        parameters = unbound(function.parameters)
        return replace(function, parameters=parameters, binding=Binding.INSTANCE)

    def _set_on_self(self, node: AnyFunction, binding: Binding) -> None:
        """Note the attributes that a method sets on its instance; those of ``__init__`` are the
        class's.
        """
        positional = [*node.args.posonlyargs, *node.args.args]
        if binding is not Binding.INSTANCE or not positional:
            return
        for target, annotation, value in assignments(node):
            match target:
                case ast.Attribute(value=ast.Name(id=owner), attr=name):
                    if owner != positional[0].arg:
                        continue
                    self._set_by_methods.add(name)
                    if node.name == "__init__":
                        self._instance_attribute(name, Value(target.lineno, annotation, value))

    def _instance_attribute(self, name: str, attribute: Value) -> None:
        known = self._members.get(name)
        if known is None:
            self._members[name] = attribute
        elif isinstance(known, Value) and known.value is None:
            annotation = known.annotation or attribute.annotation
            self._members[name] = replace(attribute, line=known.line, annotation=annotation)


def _base_of(node: ast.expr, imports: Imports) -> str | None:
    if isinstance(node, ast.Subscript):
        node = node.value
    path = path_of(node, imports)
    if path in ("object", "typing.Generic", "typing_extensions.Generic"):
        return None
    return path or decorator_text(node, imports)
