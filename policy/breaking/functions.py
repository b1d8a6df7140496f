"""The comparison of two functions or methods of the same name."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from policy.breaking.annotations import same_annotation
from policy.breaking.finding import Finding, new_finding, one_line
from policy.breaking.parameters import compare_first, compare_parameters
from policy.breaking.results import (
    MANAGERS,
    are_alike,
    compare_results,
    entered_now,
    promised_result,
    result_in,
)
from policy.breaking.surface.elements import Binding, Function, Module, Passing
from policy.breaking.surface.expressions import expression_text


def compare_functions(
    name: str, old: Function, new: Function, old_module: Module, new_module: Module
) -> Iterator[Finding]:
    """Find what differs between two functions for their callers; ``name`` is dotted."""
    yield from _compare_calls(name, old, new, old_module, new_module)
    if _is_operator(name):
        old, new = _by_position(old), _by_position(new)
    for change in compare_parameters(old.parameters, new.parameters, old_module, new_module):
        yield change.finding(name, f"{name}()", new.line)
    for change in compare_first(old.first, new.first, old.parameters):
        yield change.finding(name, f"{name}()", new.line)
    yield from _compare_returns(name, old, new, old_module, new_module)
    yield from compare_decorators(name, old.decorators, new.decorators, new.line)


#: Special methods that are called with arguments by name.
_CALLED_BY_NAME: Final = frozenset({"__call__", "__init__", "__new__", "__init_subclass__"})


def _is_operator(name: str) -> bool:
    """Return whether Python itself calls the method, which gives all arguments by position."""
    last = name.rpartition(".")[2]
    return last.startswith("__") and last.endswith("__") and last not in _CALLED_BY_NAME


def _by_position(function: Function) -> Function:
    either, position = Passing.EITHER, Passing.POSITIONAL
    parameters = (
        replace(each, passing=position) if each.passing is either else each
        for each in function.parameters
    )
    return replace(function, parameters=tuple(parameters))


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


def _compare_calls(
    name: str, old: Function, new: Function, old_module: Module, new_module: Module
) -> Iterator[Finding]:
    """Find what changes for every call, whatever its arguments are."""
    was, now = result_in(old, old_module), result_in(new, new_module)
    promised = (
        promised_result(name, old, was, old_module),
        promised_result(name, new, now, new_module),
    )
    if not are_alike(*promised):
        yield from compare_results(f"{name}()", was, now, new.line)
    if old.returns_data and now in MANAGERS:
        yield entered_now(name, now, new.line)
    if new.binding is Binding.INSTANCE and old.binding in (Binding.CLASS, Binding.STATIC):
        before, after = old.binding.value, new.binding.value
        sentence = f"{name}() can no longer be called on the class: {before} became {after}."
        yield new_finding("became_instance_method", name, sentence, new.line, old=before, new=after)


def _compare_returns(
    name: str, old: Function, new: Function, old_module: Module, new_module: Module
) -> Iterator[Finding]:
    if old.returns is None or new.returns is None:
        return  # calls work as before
    if not same_annotation(old.returns, new.returns, old_module, new_module):
        old_text, new_text = expression_text(old.returns), expression_text(new.returns)
        sentence = f"{name}() returns {one_line(new_text)}, which was {one_line(old_text)}."
        yield new_finding(
            "return_annotation_changed", name, sentence, new.line, old=old_text, new=new_text
        )
