"""The reading of source code into the surface of a module, without running it.

If a name is bound more than once, the last binding counts. One exception: where it cannot be told
which branch runs, a binding in an ``else``, an ``except`` or a later ``case`` counts only if the
earlier one is missing or is an import. What only a script run or a type checker sees
(``if __name__ == …``, ``if TYPE_CHECKING``) does not exist for callers, nor does what another
Python or platform would run.
"""

import ast
from dataclasses import replace
from typing import Final

from policy.breaking.surface.assigned import AssignedReader
from policy.breaking.surface.bindings import (
    entries_of_globals,
    imported_names,
    is_globals,
    named_expressions,
)
from policy.breaking.surface.class_statement import (
    bases_of,
    bind_given,
    decorated_again,
    drop_ignored,
    is_checkable,
    is_unhashable,
    metaclass_of,
    with_fields,
)
from policy.breaking.surface.decorators import (
    decorator_name,
    decorators_of,
    is_property,
    is_property_of_a_library,
)
from policy.breaking.surface.elements import (
    AnyFunction,
    Binding,
    Class,
    Imported,
    Member,
    Module,
    Property,
    Value,
)
from policy.breaking.surface.exports import exports_of
from policy.breaking.surface.expressions import expression_text
from policy.breaking.surface.fields.declared import with_defaults
from policy.breaking.surface.functional import (
    NO_ANNOTATION,
    class_statement_of,
    makes_class,
)
from policy.breaking.surface.functions import function_of
from policy.breaking.surface.resolution.names import Names
from policy.breaking.surface.returned import returned_by
from policy.breaking.surface.statements import (
    bound_names,
    is_unpacked_one_by_one,
    key_text,
    scope_statements,
)

_ABSTRACT: Final = frozenset({"abc.abstractmethod", "abc.abstractproperty"})
_OVERLOAD: Final = "typing.overload"
#: Names that a module assigns for a type checker, which takes them for true.
_FOR_TYPE_CHECKERS: Final = frozenset({"MYPY", "TYPE_CHECKING"})
_NO_BASES: Final = frozenset({"object", "typing.Generic"})


def read_module(code: str) -> Module:
    """Return the surface of a module. Raises what ``ast.parse`` raises."""
    body = ast.parse(without_byte_order_mark(code)).body
    module = Module(may_yield="yield" in code, has_named_expressions=":=" in code)
    reader = _ScopeReader(module, "", module.members)
    reader.read(body)
    module.exports = exports_of(body, reader.names.conditions)
    return module


def without_byte_order_mark(code: str) -> str:
    """Return the code without a byte order mark at its start, which Python skips in a file."""
    return code.removeprefix("\ufeff")


class _ScopeReader:
    """A reader of one scope, the module or a class, that binds its names in ``members``.

    ``class_path`` is the dotted name of the class; "" for the module.
    """

    def __init__(self, module: Module, class_path: str, members: dict[str, Member]) -> None:
        self._module = module
        self._class_path = class_path
        self._members = members
        self.names = Names(module, members)
        self._assigned = AssignedReader(module, self.names, in_class=bool(class_path))
        #: The definitions of methods and of setters, by their names.
        self.methods: dict[str, AnyFunction] = {}
        #: The names of abstract methods and properties.
        self.abstract: set[str] = set()
        self._is_alternative = False
        self._is_certain = True
        #: Names that an import binds only where a type checker or another Python reads it.
        self._imported_elsewhere: set[str] = set()
        self._overloaded: set[str] = set()

    def read(self, body: list[ast.stmt]) -> None:
        """Bind the names that the statements of the body bind."""
        for statement, is_alternative, is_certain, is_dead in scope_statements(
            body, self.names.conditions
        ):
            self._is_alternative, self._is_certain = is_alternative, is_certain
            if self._module.has_named_expressions and not is_dead:
                for name, value in named_expressions(statement):
                    self.assign(name, value)
            match statement:
                case ast.Import() | ast.ImportFrom():
                    self._import(statement, is_dead=is_dead)
                case _ if is_dead:
                    continue
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    self._define_function(statement)
                case ast.ClassDef():
                    self._define_class(statement)
                case ast.Delete():
                    self._delete(statement)
                case ast.Expr(value=ast.Call() as call):
                    self._update_globals(call)
                case _:
                    self._assign(statement)

    def _path_of(self, name: str) -> str:
        return f"{self._class_path}.{name}" if self._class_path else name

    def _bind(self, name: str, member: Member) -> None:
        known = self._members.get(name)
        is_import = isinstance(known, Imported) and not known.is_assigned
        is_value = isinstance(member, Value | Imported)
        stands_in = is_value and (is_import or name in self._imported_elsewhere)
        if stands_in and (self._is_alternative or not is_import):
            alias = None if is_import else member.alias  # type: ignore[union-attr]
            self._members[name] = Imported(member.line, is_assigned=False, alias=alias)
        elif known is None or is_import or not self._is_alternative or name in self._overloaded:
            self._members[name] = member
            if is_import and self._is_alternative and not self._class_path:
                self._module.stand_ins.add(name)
        elif isinstance(known, Value):
            self._members[name] = replace(known, is_certain=False)
        self._overloaded.discard(name)

    def _define_function(self, node: AnyFunction) -> None:
        decorators = [decorator_name(each, self.names) for each in node.decorator_list]
        if not _ABSTRACT.isdisjoint(decorators):
            self.abstract.add(node.name)
        for decorator in decorators:
            is_settable = is_property_of_a_library(decorator)
            if is_property(decorator) or is_settable:
                made = self._property(node, decorators, is_settable=is_settable)
                is_of_instance = not is_settable or decorator.endswith("cached_property")
                self._bind(node.name, replace(made, is_of_instance=is_of_instance))
                return
            if decorator.endswith((".setter", ".deleter", ".getter")):
                self._define_accessor(node, is_setter=decorator.endswith(".setter"))
                return
        is_overload = _OVERLOAD in decorators
        if is_overload and node.name in self._members:
            return
        in_class = bool(self._class_path)
        function = function_of(node, decorators, self._module, self.names, in_class=in_class)
        if in_class and function.binding is not Binding.STATIC:
            self.methods[node.name] = node
        self._module.nodes[self._path_of(node.name)] = node
        self._bind(node.name, function)
        if is_overload:
            self._overloaded.add(node.name)

    def _property(self, node: AnyFunction, decorators: list[str], *, is_settable: bool) -> Property:
        may_yield = self._module.may_yield
        returned = returned_by(node, decorators, self.names, may_yield=may_yield)
        return Property(node.lineno, node.returns, is_settable, returned.result, returned.of)

    def _define_accessor(self, node: AnyFunction, *, is_setter: bool) -> None:
        base = self._members.get(node.name)
        if not isinstance(base, Property):
            base = Property(node.lineno, None, is_settable=False)
        self._members[node.name] = replace(base, is_settable=base.is_settable or is_setter)
        if is_setter:
            self.methods[node.name] = node

    def _define_class(self, node: ast.ClassDef) -> None:
        path = self._path_of(node.name)
        members: dict[str, Member] = {}
        reader = _ScopeReader(self._module, path, members)
        reader.read(node.body)
        drop_ignored(members)
        self._module.nodes[path] = node
        bind_given(node, members, self.names)
        base_nodes = bases_of(node, self.names)
        bases = [self._base_name(each, path, index) for index, each in enumerate(base_nodes)]
        defined = Class(
            name=path,
            line=node.lineno,
            bases=tuple(base for base in bases if base not in _NO_BASES),
            decorators=decorators_of(node.decorator_list, self.names),
            members=members,
            methods=reader.methods,
            abstract=frozenset(reader.abstract),
            metaclass=metaclass_of(node, self.names),
            is_unhashable=is_unhashable(members),
            is_checkable=is_checkable(node, bases, self.names),
        )
        self._bind(node.name, with_fields(node, defined, self._module, self.names, reader.names))

    def _base_name(self, node: ast.expr, path: str, index: int) -> str:
        """Return the dotted name of a base; one that a call makes is defined as a private class."""
        if isinstance(node, ast.Subscript):
            node = node.value
        node = self.names.resolved(node)
        if isinstance(node, ast.Subscript):
            node = node.value
        name = f"_base_{index}_of_{path.replace('.', '_')}"
        statement = class_statement_of(name, node, self.names)
        if statement is None:
            return self.names.dotted(node) or expression_text(node)
        _ScopeReader(self._module, "", self._module.members).read([statement])
        return name

    def _import(self, node: ast.Import | ast.ImportFrom, *, is_dead: bool) -> None:
        for name, path in imported_names(node):
            if name == "*":
                self._module.unread.update([] if is_dead else [f"from {path} import *"])
                continue
            is_first = name in self._imported_elsewhere and name not in self._members
            if is_first and not is_dead:
                self._module.imports[name] = path
            self._module.imports.setdefault(name, path)
            if is_dead:
                self._imported_elsewhere.add(name)
            else:
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
                known = None if annotation is NO_ANNOTATION else annotation
                self._assign_name(name, statement.lineno, known, value)
            case ast.AugAssign(target=ast.Name(id=name), op=op, value=value):
                bound = self._members.get(name)
                if isinstance(bound, Value) and bound.value is not None:
                    changed = ast.copy_location(ast.BinOp(bound.value, op, value), value)
                    self._members[name] = replace(bound, value=changed, alias=None)
            case _ if type(statement).__name__ == "TypeAlias":  # only Python 3.12 and later have it
                alias = vars(statement)
                self._bind(alias["name"].id, Value(statement.lineno, None, alias["value"]))

    def _update_globals(self, call: ast.Call) -> None:
        """Bind the names that ``globals().update(…)`` binds, as far as they can be read."""
        for name, value in entries_of_globals(call):
            self._bind_entry(name, value)

    def _bind_entry(self, name: str | None, value: ast.expr) -> None:
        if name is None:
            self._module.unread.add("globals()")
        else:
            self._assign_name(name, value.lineno, None, value)

    def _assign_target(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Name):
            self._assign_name(target.id, target.lineno, None, value)
            return
        if is_unpacked_one_by_one(target, value):
            for part, given in zip(target.elts, value.elts, strict=True):  # type: ignore[attr-defined]
                self._assign_target(part, given)
            return
        match target:
            case ast.Subscript(value=names, slice=key) if is_globals(names):
                self._bind_entry(key_text(key), value)
            case ast.Attribute(attr=name):
                self._assign_attribute(target, name, value)
        for bound in bound_names(target):
            self._bind(bound.id, Value(bound.lineno, None, value))

    def _assign_attribute(self, target: ast.Attribute, name: str, value: ast.expr) -> None:
        """Bind an attribute of a class, or the defaults of a named tuple."""
        owner = target.value
        if name == "__defaults__" and isinstance(owner, ast.Attribute) and owner.attr == "__new__":
            owner = owner.value
        known = self._members.get(owner.id) if isinstance(owner, ast.Name) else None
        if not isinstance(known, Class) or self._is_alternative:
            return
        if owner is target.value:
            _ScopeReader(self._module, known.name, known.members).assign(name, value)
        elif known.fields:
            self._members[known.name] = with_defaults(known, self.names.resolved(value))

    def assign(self, name: str, value: ast.expr) -> None:
        """Bind a name as an assignment of the value does."""
        self._assign_name(name, value.lineno, None, value)

    def _assign_name(
        self, name: str, line: int, annotation: ast.expr | None, value: ast.expr | None
    ) -> None:
        statement = class_statement_of(name, value, self.names)
        statement = statement or decorated_again(name, value, self._module, self.names)
        if statement is not None:
            self._define_class(statement)
            return
        function = self.names.definition(value.id) if isinstance(value, ast.Name) else None
        if self._class_path and isinstance(function, AnyFunction):
            self.methods[name] = function
        member: Member
        if name in _FOR_TYPE_CHECKERS:
            member = Imported(line, is_assigned=False)
        elif makes_class(value, self.names):  # it is not known what is in it
            member = Imported(line, is_assigned=True, value=value)
        else:
            member = self._assigned.member(line, annotation, value, is_certain=self._is_certain)
        self._bind(name, member)
