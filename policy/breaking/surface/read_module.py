"""The reading of source code into the surface of a module, without running it.

If a name is bound more than once, the last binding counts. One exception: a binding in an ``else``,
an ``except`` or a later ``case`` counts only if the earlier one is missing or is an import. What
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
from policy.breaking.surface.expressions import Imports, decorator_text, dotted_name
from policy.breaking.surface.fields import fields_of, fields_of_call
from policy.breaking.surface.functions import (
    decorator_name,
    decorators_of,
    function_of,
    parameters_of,
    without_first,
)
from policy.breaking.surface.inheritance import ancestors
from policy.breaking.surface.statements import (
    AnyFunction,
    assignments,
    bound_names,
    scope_statements,
)

_PROPERTIES: Final = frozenset({"property", "abc.abstractproperty"})
_CACHED_PROPERTIES: Final = frozenset({"functools.cached_property"})
_OVERLOADS: Final = frozenset({"typing.overload", "typing_extensions.overload"})


def read_module(code: str) -> Module:
    """Return the surface of a module. Raises what ``ast.parse`` raises."""
    body = ast.parse(code).body
    module = Module(exports=exports_of(body), may_yield="yield" in code)
    _ScopeReader(module, "", module.members).read(body)
    return module


class _ScopeReader:
    """A reader of one scope, the module or a class, that binds its names in ``members``.

    ``class_path`` is the dotted name of the class; "" for the module.
    """

    def __init__(self, module: Module, class_path: str, members: dict[str, Member]) -> None:
        self._module = module
        self._class_path = class_path
        self._members = members
        #: The attributes that any method sets on the instance.
        self.set_by_methods: set[str] = set()
        self._is_alternative = False

    def read(self, body: list[ast.stmt]) -> None:
        """Bind the names that the statements of the body bind."""
        for statement, self._is_alternative in scope_statements(body):
            match statement:
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    self._define_function(statement)
                case ast.ClassDef():
                    self._define_class(statement)
                case ast.Import() | ast.ImportFrom():
                    self._import(statement)
                case ast.Delete():
                    self._delete(statement)
                case _:
                    self._assign(statement)

    @property
    def _in_class(self) -> bool:
        return bool(self._class_path)

    def _path_of(self, name: str) -> str:
        return f"{self._class_path}.{name}" if self._class_path else name

    def _bind(self, name: str, member: Member) -> None:
        known = self._members.get(name)
        if known is None or isinstance(known, Imported) or not self._is_alternative:
            self._members[name] = member

    def _define_function(self, node: AnyFunction) -> None:
        decorators = [decorator_name(each, self._module.imports) for each in node.decorator_list]
        for decorator in decorators:
            if decorator in _PROPERTIES or decorator in _CACHED_PROPERTIES:
                is_settable = decorator in _CACHED_PROPERTIES
                self._bind(node.name, Property(node.lineno, node.returns, is_settable))
                return
            if decorator.endswith((".setter", ".deleter", ".getter")):
                self._define_accessor(node, is_setter=decorator.endswith(".setter"))
                return
        if not _OVERLOADS.isdisjoint(decorators) and node.name in self._members:
            return
        function = function_of(node, decorators, self._module, in_class=self._in_class)
        if function.binding is Binding.INSTANCE:
            self._bind_attributes_set_by(node)
        self._bind(node.name, function)

    def _define_accessor(self, node: AnyFunction, *, is_setter: bool) -> None:
        base = self._members.get(node.name)
        if not isinstance(base, Property):
            base = Property(node.lineno, None, is_settable=False)
        self._members[node.name] = replace(base, is_settable=base.is_settable or is_setter)

    def _bind_attributes_set_by(self, method: AnyFunction) -> None:
        """Note the attributes that a method sets on its instance; bind those of ``__init__``."""
        positional = [*method.args.posonlyargs, *method.args.args]
        if not positional:
            return
        instance = positional[0].arg
        for target, annotation, value in assignments(method):
            match target:
                case ast.Attribute(value=ast.Name(id=owner), attr=name) if owner == instance:
                    self.set_by_methods.add(name)
                    if method.name == "__init__":
                        self._bind_attribute(name, Value(target.lineno, annotation, value))

    def _bind_attribute(self, name: str, attribute: Value) -> None:
        known = self._members.get(name)
        if known is None:
            self._members[name] = attribute
        elif isinstance(known, Value) and known.value is None:
            annotation = known.annotation or attribute.annotation
            self._members[name] = replace(attribute, line=known.line, annotation=annotation)

    def _define_class(self, node: ast.ClassDef) -> None:
        path = self._path_of(node.name)
        members: dict[str, Member] = {}
        class_reader = _ScopeReader(self._module, path, members)
        class_reader.read(node.body)
        imports = self._module.imports
        bases = [_base_name(each, imports) for each in node.bases]
        defined = Class(
            name=path,
            line=node.lineno,
            bases=tuple(base for base in bases if base is not None),
            decorators=decorators_of(node.decorator_list, imports),
            members=members,
            set_by_methods=frozenset(class_reader.set_by_methods),
        )
        if "__init__" not in members:
            fields = fields_of(node, ancestors(defined, self._module), imports)
            defined = replace(defined, fields=fields)
        self._bind(node.name, defined)

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        for each in node.names:
            if each.name == "*":
                continue
            name = each.asname or each.name.partition(".")[0]
            if isinstance(node, ast.ImportFrom):
                path = f"{'.' * node.level}{node.module or ''}.{each.name}"
            else:
                path = each.name if each.asname else name
            self._module.imports.setdefault(name, path)
            self._bind(name, Imported(node.lineno, is_assigned=False))

    def _delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            if isinstance(target, ast.Name):
                self._members.pop(target.id, None)

    def _assign(self, statement: ast.stmt) -> None:
        """Bind the names of an assignment or of a ``type`` statement; ignore other statements."""
        match statement:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    self._assign_target(target, value)
            case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=value):
                self._bind(name, self._assigned(name, statement.lineno, annotation, value))
            case _ if type(statement).__name__ == "TypeAlias":  # only Python 3.12 and later have it
                self._bind(vars(statement)["name"].id, Value(statement.lineno, None, None))

    def _assign_target(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Name):
            self._bind(target.id, self._assigned(target.id, target.lineno, None, value))
            return
        for name in bound_names(target):
            self._bind(name.id, Value(name.lineno, None, value))

    def _assigned(
        self, name: str, line: int, annotation: ast.expr | None, value: ast.expr | None
    ) -> Member:
        """Return what a name stands for after this assignment.

        That is a value, unless the assigned expression makes a function, a property or a class, or
        is another name of something known.
        """
        imports = self._module.imports
        match value:
            case ast.Lambda():
                return self._as_method(Function(line, parameters_of(value.args)))
            case ast.Name(id=other):
                known = self._members.get(other) or self._module.members.get(other)
                if isinstance(known, Imported):
                    return Imported(line, is_assigned=True)
                if isinstance(known, Function):
                    return self._as_method(known)
                if known is not None and not isinstance(known, Value):
                    return known
            case ast.Attribute():
                root = (dotted_name(value, {}) or "").partition(".")[0]
                if root in imports:
                    return Imported(line, is_assigned=True)
            case ast.Call() if dotted_name(value.func, imports) == "property":
                has_setter = len(value.args) > 1 or any(k.arg == "fset" for k in value.keywords)
                return Property(line, None, has_setter)
            case ast.Call() if (fields := fields_of_call(value, imports)) is not None:
                members: dict[str, Member] = {
                    each.name: Value(line, each.annotation, each.default) for each in fields
                }
                bases = ("typing.NamedTuple",)
                return Class(self._path_of(name), line, bases, (), members, fields)
        return Value(line, annotation, value)

    def _as_method(self, function: Function) -> Function:
        """Return the function as a member of this scope: in a class it is a method of instances."""
        if not self._in_class or function.binding is not Binding.NOTHING:
            return function
        parameters = without_first(function.parameters)
        return replace(function, parameters=parameters, binding=Binding.INSTANCE)


def _base_name(node: ast.expr, imports: Imports) -> str | None:
    """Return the dotted name of a base; None for one that makes no difference."""
    if isinstance(node, ast.Subscript):
        node = node.value
    name = dotted_name(node, imports)
    if name in ("object", "typing.Generic", "typing_extensions.Generic"):
        return None
    return name or decorator_text(node, imports)
