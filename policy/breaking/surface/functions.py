"""From the definition of a function, in source, to how it is called."""

import ast
from typing import Final

from policy.breaking.surface.elements import Binding, Function, Module, Parameter, Passing
from policy.breaking.surface.expressions import Imports, decorator_text, path_of
from policy.breaking.surface.statements import AnyFunction, yields

#: Decorators that say nothing to a caller.
_SILENT: Final = frozenset(
    f"{module}.{name}"
    for module in ("typing", "typing_extensions")
    for name in ("final", "override", "no_type_check", "runtime_checkable")
)
_MANAGERS: Final = frozenset({"contextlib.contextmanager", "contextlib.asynccontextmanager"})
#: Methods that take the class or no instance although no decorator says so.
_IMPLICIT: Final = {
    "__new__": Binding.CLASS,
    "__init_subclass__": Binding.CLASS,
    "__class_getitem__": Binding.CLASS,
}


def decorator_path(node: ast.expr, imports: Imports) -> str:
    """The dotted name of what decorates; "" where it has none."""
    return path_of(node.func if isinstance(node, ast.Call) else node, imports) or ""


def decorators_of(nodes: list[ast.expr], imports: Imports) -> tuple[str, ...]:
    """Those that a caller may notice."""
    texts = (decorator_text(each, imports) for each in nodes)
    return tuple(text for text in texts if text not in _SILENT)


def function_of(node: AnyFunction, paths: list[str], module: Module, in_class: bool) -> Function:
    """What callers see of it; ``paths`` are the names of its decorators."""
    parameters = parameters_of(node.args)
    binding = Binding.NOTHING
    if in_class:
        binding = _IMPLICIT.get(node.name, Binding.INSTANCE)
        if "staticmethod" in paths:
            binding = Binding.STATIC
        elif "classmethod" in paths:
            binding = Binding.CLASS
    if binding in (Binding.INSTANCE, Binding.CLASS):
        parameters = unbound(parameters)
    decorators = decorators_of(node.decorator_list, module.imports)
    return Function(
        line=node.lineno,
        parameters=parameters,
        returns=node.returns,
        decorators=tuple(d for d in decorators if d not in ("staticmethod", "classmethod")),
        is_async=isinstance(node, ast.AsyncFunctionDef),
        is_generator=module.may_yield and _MANAGERS.isdisjoint(paths) and yields(node),
        binding=binding,
    )


def parameters_of(arguments: ast.arguments) -> tuple[Parameter, ...]:
    """The parameters in the order of the source."""
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
    defaults += arguments.defaults
    found = [
        Parameter(
            each.arg,
            Passing.POSITIONAL if place < len(arguments.posonlyargs) else Passing.EITHER,
            default,
            each.annotation,
        )
        for place, (each, default) in enumerate(zip(positional, defaults, strict=True))
    ]
    if (extra := arguments.vararg) is not None:
        found.append(Parameter(extra.arg, Passing.EXTRA_POSITIONAL, None, extra.annotation))
    for each, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        found.append(Parameter(each.arg, Passing.KEYWORD, default, each.annotation))
    if (extra := arguments.kwarg) is not None:
        found.append(Parameter(extra.arg, Passing.EXTRA_KEYWORD, None, extra.annotation))
    return tuple(found)


def unbound(parameters: tuple[Parameter, ...]) -> tuple[Parameter, ...]:
    """Without the first, which the call fills by itself."""
    return parameters[1:] if parameters and parameters[0].is_positional else parameters
