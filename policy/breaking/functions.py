"""The comparison of two functions or methods of the same name."""

from collections.abc import Iterator

from policy.breaking.annotations import same_annotation
from policy.breaking.finding import Finding, Kind, new_finding, one_line
from policy.breaking.parameters import compare_parameters
from policy.breaking.surface.elements import Binding, Function, Module
from policy.breaking.surface.expressions import expression_text


def compare_functions(
    name: str, old: Function, new: Function, old_module: Module, new_module: Module
) -> Iterator[Finding]:
    """Find what differs between two functions for their callers; ``name`` is dotted."""
    yield from _compare_calls(name, old, new)
    for change in compare_parameters(
        old.parameters, new.parameters, old_module.imports, new_module.imports
    ):
        yield change.finding(name, f"{name}()", new.line)
    yield from _compare_returns(name, old, new, old_module, new_module)
    yield from compare_decorators(name, old.decorators, new.decorators, new.line)


def compare_decorators(
    name: str, old: tuple[str, ...], new: tuple[str, ...], line: int
) -> Iterator[Finding]:
    """Find a difference between the decorators, or between their orders: one finding at most."""
    if old != new:
        old_text, new_text = _listed(old), _listed(new)
        sentence = f"{name} is decorated with {one_line(new_text)}, which was {one_line(old_text)}."
        yield new_finding("decorator_changed", name, sentence, line, old=old_text, new=new_text)


def _listed(decorators: tuple[str, ...]) -> str:
    return " ".join(f"@{decorator}" for decorator in decorators) or "nothing"


def _compare_calls(name: str, old: Function, new: Function) -> Iterator[Finding]:
    """Find what changes for every call, whatever its arguments are."""
    if old.is_async != new.is_async:
        kind: Kind = "became_async" if new.is_async else "became_sync"
        was, now = _def_keyword(old), _def_keyword(new)
        how = "has to be awaited" if new.is_async else "can no longer be awaited"
        sentence = f"{name}() {how}: '{was}' became '{now}'."
        yield new_finding(kind, name, sentence, new.line, old=was, new=now)
    if old.is_generator != new.is_generator:
        kind = "became_generator" if new.is_generator else "no_longer_generator"
        how = "yields its results" if new.is_generator else "no longer yields its results"
        was, now = _result_keyword(old), _result_keyword(new)
        sentence = f"{name}() {how}: '{was}' became '{now}'."
        yield new_finding(kind, name, sentence, new.line, old=was, new=now)
    if new.binding is Binding.INSTANCE and old.binding in (Binding.CLASS, Binding.STATIC):
        was, now = old.binding.value, new.binding.value
        sentence = f"{name}() can no longer be called on the class: {was} became {now}."
        yield new_finding("became_instance_method", name, sentence, new.line, old=was, new=now)


def _def_keyword(function: Function) -> str:
    return "async def" if function.is_async else "def"


def _result_keyword(function: Function) -> str:
    return "yield" if function.is_generator else "return"


def _compare_returns(
    name: str, old: Function, new: Function, old_module: Module, new_module: Module
) -> Iterator[Finding]:
    if old.returns is None or new.returns is None:
        return  # calls work as before
    if not same_annotation(old.returns, new.returns, old_module.imports, new_module.imports):
        old_text, new_text = expression_text(old.returns), expression_text(new.returns)
        sentence = f"{name}() returns {one_line(new_text)}, which was {one_line(old_text)}."
        yield new_finding(
            "return_annotation_changed", name, sentence, new.line, old=old_text, new=new_text
        )
