"""The reading of a function's definition: its parameters and how it is called."""

import ast
from collections.abc import Iterable
from typing import Final

from policy.breaking.surface.elements import Binding, Function, Module, Parameter, Passing
from policy.breaking.surface.expressions import Imports, decorator_text, dotted_name
from policy.breaking.surface.statements import AnyFunction, yields

#: Decorators that change nothing for callers.
_UNNOTICED_DECORATORS: Final = frozenset(
    f"{module}.{name}"
    for module in ("typing", "typing_extensions")
    for name in ("final", "override", "no_type_check", "runtime_checkable")
)
_CONTEXT_MANAGERS: Final = frozenset(
    {"contextlib.contextmanager", "contextlib.asynccontextmanager"}
)
#: Methods whose first argument is the class although they have no decorator.
_IMPLICIT_BINDINGS: Final = {
    "__new__": Binding.CLASS,
    "__init_subclass__": Binding.CLASS,
    "__class_getitem__": Binding.CLASS,
}


def function_of(
    node: AnyFunction, decorator_names: list[str], module: Module, *, in_class: bool
) -> Function:
    """Return what callers see of a function; ``decorator_names`` are those of its decorators."""
    parameters = parameters_of(node.args)
    binding = _binding_of(node.name, decorator_names) if in_class else Binding.NOTHING
    if binding in (Binding.INSTANCE, Binding.CLASS):
        parameters = without_first(parameters)
    decorators = decorators_of(node.decorator_list, module.imports)
    return Function(
        line=node.lineno,
        parameters=parameters,
        returns=node.returns,
        decorators=tuple(d for d in decorators if d not in ("staticmethod", "classmethod")),
        is_async=isinstance(node, ast.AsyncFunctionDef),
        is_generator=module.may_yield
        and _CONTEXT_MANAGERS.isdisjoint(decorator_names)
        and yields(node),
        binding=binding,
    )


def _binding_of(name: str, decorator_names: list[str]) -> Binding:
    if "staticmethod" in decorator_names:
        return Binding.STATIC
    if "classmethod" in decorator_names:
        return Binding.CLASS
    return _IMPLICIT_BINDINGS.get(name, Binding.INSTANCE)


def decorator_name(node: ast.expr, imports: Imports) -> str:
    """Return the dotted name of a decorator, without its arguments; "" if it has no name."""
    return dotted_name(node.func if isinstance(node, ast.Call) else node, imports) or ""


def decorators_of(nodes: Iterable[ast.expr], imports: Imports) -> tuple[str, ...]:
    """Return the texts of the decorators that a caller may notice."""
    texts = (decorator_text(each, imports) for each in nodes)
    return tuple(text for text in texts if text not in _UNNOTICED_DECORATORS)


def parameters_of(arguments: ast.arguments) -> tuple[Parameter, ...]:
    """Return the parameters in the order of the source."""
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
    defaults += arguments.defaults
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
        parameters.append(Parameter(each.arg, Passing.KEYWORD, default, each.annotation))
    if (extra := arguments.kwarg) is not None:
        parameters.append(Parameter(extra.arg, Passing.EXTRA_KEYWORD, None, extra.annotation))
    return tuple(parameters)


def without_first(parameters: tuple[Parameter, ...]) -> tuple[Parameter, ...]:
    """Return a method's parameters without ``self`` or ``cls``, which Python passes by itself."""
    return parameters[1:] if parameters and parameters[0].is_positional else parameters
