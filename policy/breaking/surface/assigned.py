"""The reading of assigned expressions: what a name stands for after an assignment."""

import ast
import builtins
import sys
from dataclasses import replace
from typing import Final

from policy.breaking.surface.decorators import decorator_name, decorator_text, is_known_decorator
from policy.breaking.surface.elements import (
    AnyFunction,
    Binding,
    Class,
    Function,
    Imported,
    Member,
    Module,
    Parameter,
    Passing,
    Property,
    Value,
)
from policy.breaking.surface.functions import bound, function_of, lambda_of, returned_function
from policy.breaking.surface.resolution.names import Names
from policy.breaking.surface.resolution.standard_library import standard_class

_IMPORTS: Final = frozenset({"importlib.import_module", "__import__", "pytest.importorskip"})
_PROPERTIES: Final = frozenset({"property", "functools.cached_property"})
_PARTIALS: Final = frozenset({"functools.partial", "functools.partialmethod"})


class AssignedReader:
    """A reader of the expressions that one scope assigns to names."""

    def __init__(self, module: Module, names: Names, *, in_class: bool) -> None:
        self._module = module
        self._names = names
        self._in_class = in_class

    def member(
        self,
        line: int,
        annotation: ast.expr | None,
        value: ast.expr | None,
        *,
        is_certain: bool = False,
    ) -> Member:
        """Return what a name stands for after this assignment.

        That is a value, unless the assigned expression makes a function or a property, or is
        another name of something known.
        """
        made = None if value is None else self._made(line, value)
        if isinstance(made, Imported) and annotation is not None:
            made = None
        if isinstance(made, Function):
            return self._as_method(made)
        if made is not None:
            return made
        alias = None
        if isinstance(value, ast.Name | ast.Attribute):
            alias = self._names.dotted(value)
        return Value(line, annotation, value, alias, is_certain)

    def _made(self, line: int, value: ast.expr) -> Member | None:
        match value:
            case ast.Lambda():
                return lambda_of(value, self._names)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                truth = self._names.conditions.is_true(test)
                return self._made(line, orelse if truth is False else body)
            case ast.Name(id=name):
                return self._named(line, name)
            case ast.Attribute():
                return self._attribute(line, value)
            case ast.Call():
                return self._called(line, value)
        return None

    def _named(self, line: int, name: str) -> Member | None:
        known = self._names.bound(name)
        if isinstance(known, Imported):
            return Imported(line, is_assigned=True, alias=self._names.dotted(ast.Name(name)))
        if known is None and hasattr(builtins, name):
            return Imported(line, is_assigned=True, alias=name)
        return None if isinstance(known, Value) else known

    def _attribute(self, line: int, node: ast.Attribute) -> Member | None:
        """Return a method of a class or of an instance, or what is imported."""
        name = self._names.dotted(node) or ""
        if name.partition(".")[0] in self._module.members:
            found = self._module.member(name)
            if found is not None:
                is_method = isinstance(found, Function) and found.binding is Binding.INSTANCE
                return None if isinstance(found, Value) or is_method else _unbound(found)
        owner = self._class_of(node.value)
        method = owner.members.get(node.attr) if owner else None
        if isinstance(method, Function):
            return _unbound(method)
        root = node
        while isinstance(root, ast.Attribute):
            root = root.value  # type: ignore[assignment]
        is_import = isinstance(root, ast.Name) and (
            root.id in self._module.imports or not self._names.bound(root.id)
        )
        return Imported(line, is_assigned=True, alias=name or None) if is_import else None

    def _class_of(self, node: ast.expr) -> Class | None:
        """Return the class of the module of which the expression is an instance."""
        if isinstance(node, ast.Name):
            known = self._names.bound(node.id)
            node = known.value if isinstance(known, Value) and known.value else node
        if not isinstance(node, ast.Call):
            return None
        found = self._module.member(self._names.dotted(node.func) or "")
        return found if isinstance(found, Class) else None

    def _called(self, line: int, call: ast.Call) -> Member | None:
        name = self._names.dotted(call.func) or ""
        if name in _IMPORTS:
            return Imported(line, is_assigned=False)
        if name in _PROPERTIES:
            return self._property(line, name, call)
        owner = self._class_of(call)
        if owner is not None:
            method = owner.members.get("__call__")
            return _unbound(method) if isinstance(method, Function) else None
        inner = self._function_made_by(name)
        if inner is not None:
            return inner
        wrapped = self._function_in(call)
        if wrapped is not None:
            return self._wrapped(name, call, wrapped)
        return self._unknown_result(line, name, call)

    def _property(self, line: int, name: str, call: ast.Call) -> Property:
        given = dict(zip(("fget", "fset"), call.args, strict=False))
        given |= {str(each.arg): each.value for each in call.keywords}
        setter = given.get("fset", ast.Constant(None))
        is_settable = name != "property" or getattr(setter, "value", setter) is not None
        getter = given.get("fget") or given.get("func")
        made = self._made(line, getter) if getter else None
        if not isinstance(made, Function):
            return Property(line, None, is_settable)
        return Property(line, made.returns, is_settable, made.result, made.returns_result_of)

    def _function_made_by(self, name: str) -> Function | None:
        """Return the inner function that a function of the module returns."""
        maker = self._names.definition(name)
        made = returned_function(maker) if isinstance(maker, AnyFunction) else None
        if isinstance(made, ast.Lambda):
            return lambda_of(made, self._names)
        if not isinstance(made, AnyFunction):
            return None
        decorators = [decorator_name(each, self._names) for each in made.decorator_list]
        return function_of(made, decorators, self._module, self._names, in_class=False)

    def _function_in(self, call: ast.Call) -> Function | None:
        """Return the known function that is the first argument of the call."""
        if not call.args:
            return None
        first = call.args[0]
        made = self._made(first.lineno, first)
        return made if isinstance(made, Function) else None

    def _wrapped(self, name: str, call: ast.Call, function: Function) -> Member | None:
        """Return what a decorator makes of the function."""
        if name in _PARTIALS:
            return _partial(function, call)
        if self._in_class and name in ("staticmethod", "classmethod"):
            is_static = name == "staticmethod"
            return bound(function, Binding.STATIC if is_static else Binding.CLASS)
        if len(call.args) > 1:
            return None
        decorator = ast.Call(call.func, [], call.keywords) if call.keywords else call.func
        text = decorator_text(decorator, self._names)
        is_opaque = function.is_opaque or not is_known_decorator(call.func, self._names)
        return replace(function, decorators=(text, *function.decorators), is_opaque=is_opaque)

    def _unknown_result(self, line: int, name: str, call: ast.Call) -> Member | None:
        """Return something unknown for what a call of another library makes.

        It may be a function or a descriptor. What the standard library makes is a value, unless it
        can be called.
        """
        made = standard_class(name)
        package = name.partition(".")[0]
        is_local = package in self._module.members or hasattr(builtins, package)
        if made is not None:
            is_unknown = _has_call(made)
        else:
            is_unknown = bool(name) and not is_local and package not in sys.stdlib_module_names
        return Imported(line, is_assigned=True, value=call) if is_unknown else None

    def _as_method(self, function: Function) -> Function:
        """Return the function as a member of this scope: in a class it is a method of instances."""
        if not self._in_class or function.binding is not Binding.NOTHING:
            return function
        return bound(function, Binding.INSTANCE)


def _has_call(made: type) -> bool:
    """Return whether the instances of the class can be called."""
    return any("__call__" in vars(each) for each in made.__mro__)


def _unbound(member: Member) -> Member:
    """Return a method of a class or an instance as a function that callers call by itself."""
    if isinstance(member, Function):
        return replace(member, binding=Binding.NOTHING, first=None)
    return member


def _partial(function: Function, call: ast.Call) -> Function:
    """Return the function that takes the arguments that ``partial`` leaves open."""
    given = {each.arg: each.value for each in call.keywords}
    parameters: list[Parameter] = []
    skipped = len(call.args) - 1
    is_keyword = False
    for each in function.parameters:
        if each.is_positional and skipped:
            skipped -= 1
            continue
        if each.passing is Passing.EXTRA_POSITIONAL and is_keyword:
            continue
        is_given = each.name in given and not each.is_extra
        is_keyword = is_keyword or is_given
        passing = Passing.KEYWORD if is_keyword and each.is_positional else each.passing
        default = given[each.name] if is_given else each.default
        parameters.append(replace(each, passing=passing, default=default))
    return replace(function, parameters=tuple(parameters))
