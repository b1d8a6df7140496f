"""The reading of a function's definition: its parameters and how it is called."""

import ast
from dataclasses import replace
from typing import Final

from policy.breaking.surface.decorators import decorators_of, is_known_decorator
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
from policy.breaking.surface.statements import yields

_RESULTS: Final = {
    "contextlib.contextmanager": Result.CONTEXT_MANAGER,
    "contextlib.asynccontextmanager": Result.ASYNC_CONTEXT_MANAGER,
    "types.coroutine": Result.COROUTINE,
}
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
    function = Function(
        line=node.lineno,
        parameters=parameters_of(node.args, names),
        returns=node.returns,
        decorators=tuple(d for d in decorators if d not in ("staticmethod", "classmethod")),
        result=result_of(node, decorator_names, module),
        returns_result_of=_delegate_of(node),
        is_opaque=not all(is_known_decorator(each, names) for each in node.decorator_list),
    )
    return bound(function, _binding_of(node.name, decorator_names)) if in_class else function


def result_of(node: AnyFunction, decorator_names: list[str], module: Module) -> Result:
    """Return what a call of the function returns, or what reading a property gives."""
    for decorator in decorator_names:
        if decorator in _RESULTS:
            return _RESULTS[decorator]
    is_generator = module.may_yield and yields(node)
    if isinstance(node, ast.AsyncFunctionDef):
        return Result.ASYNC_GENERATOR if is_generator else Result.COROUTINE
    match node.body[-1]:
        case ast.Return(value=ast.GeneratorExp(generators=generators)):
            is_async = any(each.is_async for each in generators)
            return Result.ASYNC_GENERATOR if is_async else Result.GENERATOR
    return Result.GENERATOR if is_generator else Result.VALUE


def _delegate_of(node: AnyFunction) -> str | None:
    """Return the name of the function whose result this one returns at its end."""
    match node.body[-1]:
        case ast.Return(value=ast.Call(func=ast.Name(id=name))):
            return name
    return None


def lambda_of(node: ast.Lambda, names: Names) -> Function:
    """Return what callers see of a lambda."""
    match node.body:
        case ast.GeneratorExp():
            result = Result.GENERATOR
        case _:
            result = Result.GENERATOR if yields(node) else Result.VALUE
    delegate = None
    match node.body:
        case ast.Call(func=ast.Name(id=name)):
            delegate = name
    parameters = parameters_of(node.args, names)
    return Function(node.lineno, parameters, result=result, returns_result_of=delegate)


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
