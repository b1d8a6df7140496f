"""The resolution of names: what an expression of a module or class stands for."""

import ast
from collections.abc import Iterable, Mapping
from copy import copy
from typing import Final

from policy.breaking.surface.elements import Class, Imported, Member, Module, Value
from policy.breaking.surface.inheritance import ancestors, lineage
from policy.breaking.surface.resolution.comprehensions import BINDING, Comprehension, written_out
from policy.breaking.surface.resolution.conditions import Conditions
from policy.breaking.surface.resolution.folding import folded
from policy.breaking.surface.resolution.standard_library import canonical_name, known_ancestors

_MAX_NODES: Final = 300
_MAX_DEPTH: Final = 20
_LITERALS: Final = (ast.Constant, ast.Dict, ast.List, ast.Tuple)


class Names:
    """The names that are bound in a module, and in one of its classes if ``members`` are given."""

    def __init__(self, module: Module, members: Mapping[str, Member] | None = None) -> None:
        self._module = module
        self._members = module.members if members is None else members
        self.conditions = Conditions(self.dotted, self._certain_value, self._is_bound)

    def bound(self, name: str) -> Member | None:
        """Return what the name is bound to, in the class or in the module."""
        return self._members.get(name) or self._module.members.get(name)

    def dotted(self, node: ast.expr) -> str | None:
        """Return the full dotted name if the expression is a name or a chain of attributes.

        Two names of the same thing give the same dotted name, as far as it is known here. None for
        any other expression.
        """
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return None
        root, is_local = self._root(node.id)
        name = ".".join((root, *reversed(parts)))
        return name if is_local else canonical_name(name)

    def _root(self, name: str) -> tuple[str, bool]:
        """Return the dotted name that a name stands for, and whether that is of this module."""
        match self.bound(name):
            case Value(alias=str(alias)) | Imported(alias=str(alias)):
                return alias, alias.partition(".")[0] in self._module.members
            case Class(name=class_name):
                return class_name, True
            case None | Imported():
                return self._module.imports.get(name, name), False
        return name, True

    def definition(self, name: str) -> ast.stmt | None:
        """Return the statement that defines a class or a function of the module."""
        return self._module.nodes.get(name)

    def is_enum(self, name: str) -> bool:
        """Return whether the class of this name is an enumeration, as far as it is known."""
        known = self._module.member(name)
        if isinstance(known, Class):
            return "enum.Enum" in ancestors(lineage(known, self._module), self._module)
        return "enum.Enum" in known_ancestors(name)

    def _certain_value(self, node: ast.expr) -> ast.expr | None:
        known = self._known(node)
        return known.value if isinstance(known, Value) and known.is_certain else None

    def _is_bound(self, name: str) -> bool:
        return self.bound(name) is not None

    def _known(self, node: ast.expr) -> Member | None:
        """Return what a name, or an attribute of a class of the module, is bound to."""
        match node:
            case ast.Name(id=name):
                return self.bound(name)
            case ast.Attribute(attr=name):
                owner = self._module.member((self.dotted(node) or "").rpartition(".")[0])
                is_plain = isinstance(owner, Class) and not self.is_enum(owner.name)
                known = lineage(owner, self._module) if isinstance(owner, Class) else []
                found = (each.members[name] for each in known if name in each.members)
                return next(found, None) if is_plain else None
        return None

    def resolved(self, node: ast.expr) -> ast.expr:
        """Return the expression with constants of the module in the place of their names.

        Of a conditional expression only the part remains that the running Python takes.
        """
        if isinstance(node, ast.Constant):
            return node
        try:
            return _Resolution(self).of(node, _MAX_DEPTH)
        except RecursionError:
            return node

    def constant(self, node: ast.expr) -> ast.expr | None:
        """Return the value that a name or a chain of attributes stands for, if it is a constant."""
        known = self._known(node)
        if isinstance(node, ast.Attribute) and node.attr == "_fields" and known is None:
            owner = self._module.member((self.dotted(node) or "").rpartition(".")[0])
            fields = owner.fields.parameters if isinstance(owner, Class) and owner.fields else None
            return _texts(each.name for each in fields) if fields else None
        if isinstance(known, Value) and known.alias:  # such as _B after _B = _A
            known = self._module.members.get(known.alias)
        return known.value if isinstance(known, Value | Imported) and not known.alias else None


def _texts(names: Iterable[str]) -> ast.Tuple:
    return ast.Tuple([ast.Constant(name) for name in names], ast.Load())


class _Resolution:
    """One resolution, which gives up if the expression becomes too large."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._nodes_left = _MAX_NODES

    def of(self, node: ast.expr, depth: int) -> ast.expr:
        self._nodes_left -= 1
        if not depth or self._nodes_left < 0:
            raise RecursionError
        match node:
            case ast.Name() | ast.Attribute():
                value = self._names.constant(node)
                if value is not None:
                    return self.of(value, depth - 1)
                name = self._names.dotted(node)
                return node if name is None else ast.copy_location(ast.Name(name), node)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                truth = self._names.conditions.is_true(test)
                if truth is not None:
                    return self.of(body if truth else orelse, depth)
            case ast.Constant():
                return node
            case ast.Call(func=ast.Attribute(value=owner, attr=name)) if depth > 1:
                known = self.of(owner, depth - 1)
                if isinstance(known, _LITERALS):  # its method is none of the module
                    return folded(ast.Call(ast.Attribute(known, name), node.args, node.keywords))
        if isinstance(node, BINDING):
            return self._written_out(node, depth)
        return folded(self._with_parts(node, depth))

    def _written_out(self, node: ast.expr, depth: int) -> ast.expr:
        """Return the list or dict that a comprehension makes; what runs later stays as it is."""
        if not isinstance(node, Comprehension):
            return node

        def resolve(part: ast.expr) -> ast.expr:
            return self.of(part, depth - 1)

        found = written_out(node, resolve, self._names.conditions.is_true)
        return node if found is None else ast.copy_location(found, node)

    def _with_parts(self, node: ast.expr, depth: int) -> ast.expr:
        changed = copy(node)
        for name, value in ast.iter_fields(node):
            if isinstance(value, ast.expr):
                setattr(changed, name, self.of(value, depth - 1))
            elif isinstance(value, list):
                setattr(changed, name, [self._part(each, depth - 1) for each in value])
        return changed

    def _part(self, part: object, depth: int) -> object:
        if isinstance(part, ast.keyword):
            return ast.keyword(part.arg, self.of(part.value, depth))
        return self.of(part, depth) if isinstance(part, ast.expr) else part
