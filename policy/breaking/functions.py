"""How two functions differ for those who call them."""

from collections.abc import Iterator

from policy.breaking.annotations import same_annotation
from policy.breaking.finding import Finding, Kind, found, shown
from policy.breaking.parameters import parameter_changes
from policy.breaking.surface.elements import Binding, Function, Module
from policy.breaking.surface.expressions import text_of


def compare_functions(
    name: str, old: Function, new: Function, before: Module, after: Module
) -> Iterator[Finding]:
    """All that differs between them; ``name`` is dotted, ``before`` and ``after`` their modules."""
    yield from _nature(name, old, new)
    changes = parameter_changes(old.parameters, new.parameters, before.imports, after.imports)
    for change in changes:
        sentence = f"{name}() {change.says}."
        yield found(change.kind, name, sentence, new.line, old=change.old, new=change.new)
    yield from _returns(name, old, new, before, after)
    yield from compare_decorators(name, old.decorators, new.decorators, new.line)


def _nature(name: str, old: Function, new: Function) -> Iterator[Finding]:
    if old.is_async != new.is_async:
        kind: Kind = "became_async" if new.is_async else "became_sync"
        was, now = _def(old), _def(new)
        how = "has to be awaited" if new.is_async else "can no longer be awaited"
        sentence = f"{name}() {how}: '{was}' became '{now}'."
        yield found(kind, name, sentence, new.line, old=was, new=now)
    if old.is_generator != new.is_generator:
        kind = "became_generator" if new.is_generator else "no_longer_generator"
        how = "yields its results" if new.is_generator else "no longer yields its results"
        was, now = _result(old), _result(new)
        sentence = f"{name}() {how}: '{was}' became '{now}'."
        yield found(kind, name, sentence, new.line, old=was, new=now)
    if new.binding is Binding.INSTANCE and old.binding in (Binding.CLASS, Binding.STATIC):
        was, now = old.binding.value, new.binding.value
        sentence = f"{name}() can no longer be called on the class: {was} became {now}."
        yield found("became_instance_method", name, sentence, new.line, old=was, new=now)


def _returns(
    name: str, old: Function, new: Function, before: Module, after: Module
) -> Iterator[Finding]:
    if old.returns is None or new.returns is None:
        return  # calls work as before
    if not same_annotation(old.returns, new.returns, before.imports, after.imports):
        was, now = text_of(old.returns), text_of(new.returns)
        sentence = f"{name}() returns {shown(now)}, which was {shown(was)}."
        yield found("return_annotation_changed", name, sentence, new.line, old=was, new=now)


def _def(function: Function) -> str:
    return "async def" if function.is_async else "def"


def _result(function: Function) -> str:
    return "yield" if function.is_generator else "return"


def compare_decorators(
    name: str, old: tuple[str, ...], new: tuple[str, ...], line: int
) -> Iterator[Finding]:
    """One finding where the decorators, or their order, differ."""
    if old != new:
        was, now = _listed(old), _listed(new)
        sentence = f"{name} is decorated with {shown(now)}, which was {shown(was)}."
        yield found("decorator_changed", name, sentence, line, old=was, new=now)


def _listed(decorators: tuple[str, ...]) -> str:
    return " ".join(f"@{each}" for each in decorators) or "nothing"
