"""The reading of a function's definition: its parameters and how it is called."""

import ast
from dataclasses import replace
from typing import Final

from policy.breaking.surface.decorators import decorator_name, decorators_of, is_known_decorator
from policy.breaking.surface.elements import (
    AnyFunction,
    Binding,
    Function,
    Module,
    Parameter,
    Passing,
    Result,
)
from policy.breaking.surface.resolution.names import Names
from policy.breaking.surface.returned import of_expression, promised_by, returned_by
from policy.breaking.surface.statements import own_nodes, yields

#: Decorators that look at the type of the first argument, which must be given by position.
_BY_TYPE: Final = frozenset({"functools.singledispatch", "functools.singledispatchmethod"})
#: Methods whose first argument is the class although they have no decorator.
_IMPLICIT_BINDINGS: Final = {
    "__new__": Binding.CLASS,
    "__init_subclass__": Binding.CLASS,
    "__class_getitem__": Binding.CLASS,
}


def function_of(
    node: AnyFunction, decorator_names: list[str], module: Module, names: Names, *, in_class: bool
) -> Function:
    """Return what callers see of a function; ``decorator_names`` are those of its decorators."""
    decorators = decorators_of(node.decorator_list, names)
    returned = returned_by(node, decorator_names, names, may_yield=module.may_yield)
    function = Function(
        line=node.lineno,
        parameters=parameters_of(node.args, names),
        returns=node.returns,
        decorators=tuple(d for d in decorators if d not in ("staticmethod", "classmethod")),
        result=returned.result,
        returns_result_of=returned.of,
        promised=promised_by(node.returns, names),
        returns_data=returned.is_data,
        is_opaque=not all(is_known_decorator(each, names) for each in node.decorator_list),
    )
    for decorator in reversed(node.decorator_list):
        function = _wrapped(function, decorator, names, may_yield=module.may_yield)
    if in_class:
        function = bound(function, _binding_of(node.name, decorator_names))
    if function.parameters and not _BY_TYPE.isdisjoint(decorator_names):
        first = replace(function.parameters[0], passing=Passing.POSITIONAL)
        function = replace(function, parameters=(first, *function.parameters[1:]))
    return function


def _wrapped(function: Function, decorator: ast.expr, names: Names, *, may_yield: bool) -> Function:
    """Return what a decorator of the module makes of the function, if it returns an inner one.

    An inner function that ends with a call of the function returns what that returns.
    """
    maker: ast.stmt | ast.Lambda | None
    maker = names.definition(decorator_name(decorator, names))
    if isinstance(decorator, ast.Call) and isinstance(maker, AnyFunction):
        maker = returned_function(maker)
    inner = returned_function(maker) if isinstance(maker, AnyFunction) else None
    if not isinstance(inner, AnyFunction) or not isinstance(maker, AnyFunction):
        return function
    taken = {each.arg for each in maker.args.args}
    if inner.args.vararg is None and inner.args.kwarg is None:
        function = replace(function, parameters=parameters_of(inner.args, names))
    else:
        function = replace(function, parameters=_left_open(function.parameters, inner, taken))
    returned = returned_by(inner, [], names, may_yield=may_yield)
    match inner.body[-1]:
        case ast.Return(value=ast.Call(func=called)):
            is_of_function = isinstance(called, ast.Name) and called.id in taken
        case _:
            is_of_function = returned.result is Result.VALUE
    if is_of_function and returned.result is Result.VALUE:
        return function
    return replace(
        function,
        result=returned.result,
        returns_result_of=returned.of,
        returns_data=returned.is_data,
    )


def _left_open(
    parameters: tuple[Parameter, ...], inner: AnyFunction, names: set[str]
) -> tuple[Parameter, ...]:
    """Return the parameters that callers fill, if an inner function passes something of its own.

    What it passes by position is none of them, what it passes by name is optional. ``names`` are
    those under which it may call the function that it wraps.
    """
    for node in own_nodes(inner):
        match node:
            case ast.Call(func=ast.Name(id=name), args=given, keywords=keywords) if name in names:
                own = len(inner.args.posonlyargs) + len(inner.args.args)
                count = sum(not isinstance(each, ast.Starred) for each in given)
                by_name = {each.arg for each in keywords}
                left = parameters[:own] + parameters[max(own, count) :]
                return tuple(
                    replace(each, default=each.default or ast.Constant(...))
                    if each.name in by_name and not each.is_extra
                    else each
                    for each in left
                )
    return parameters


def returned_function(maker: AnyFunction) -> ast.stmt | ast.Lambda | None:
    """Return the inner function that a function returns at its end."""
    match maker.body[-1]:
        case ast.Return(value=ast.Lambda() as made):
            return made
        case ast.Return(value=ast.Name(id=name)):
            inner = (each for each in maker.body if isinstance(each, AnyFunction))
            return next((each for each in inner if each.name == name), None)
    return None


def lambda_of(node: ast.Lambda, names: Names) -> Function:
    """Return what callers see of a lambda."""
    is_generator = yields(node)
    returned = of_expression(node.body, node.args, names)
    return Function(
        node.lineno,
        parameters_of(node.args, names),
        result=Result.GENERATOR if is_generator else returned.result,
        returns_result_of=None if is_generator else returned.of,
        returns_data=returned.is_data and not is_generator,
    )


def bound(function: Function, binding: Binding) -> Function:
    """Return the function as a method; ``self`` or ``cls`` is no parameter for callers."""
    if binding not in (Binding.INSTANCE, Binding.CLASS):
        return replace(function, binding=binding)
    parameters = function.parameters
    first = parameters[0] if parameters and parameters[0].is_positional else None
    rest = parameters[1:] if first else parameters
    return replace(function, parameters=rest, binding=binding, first=first)


def _binding_of(name: str, decorator_names: list[str]) -> Binding:
    if "staticmethod" in decorator_names:
        return Binding.STATIC
    if "classmethod" in decorator_names:
        return Binding.CLASS
    return _IMPLICIT_BINDINGS.get(name, Binding.INSTANCE)


def parameters_of(arguments: ast.arguments, names: Names) -> tuple[Parameter, ...]:
    """Return the parameters in the order of the source, with constants in place of names."""
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
    defaults += [names.resolved(each) for each in arguments.defaults]
    parameters = [
        Parameter(
            each.arg,
            Passing.POSITIONAL if index < len(arguments.posonlyargs) else Passing.EITHER,
            default,
            each.annotation,
        )
        for index, (each, default) in enumerate(zip(positional, defaults, strict=True))
    ]
    if (extra := arguments.vararg) is not None:
        parameters.append(Parameter(extra.arg, Passing.EXTRA_POSITIONAL, None, extra.annotation))
    for each, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        known = None if default is None else names.resolved(default)
        parameters.append(Parameter(each.arg, Passing.KEYWORD, known, each.annotation))
    if (extra := arguments.kwarg) is not None:
        parameters.append(Parameter(extra.arg, Passing.EXTRA_KEYWORD, None, extra.annotation))
    return tuple(parameters)
