"""The comparison of two values or properties of the same name."""

from collections.abc import Iterator

from policy.breaking.added_removed import noun_of
from policy.breaking.annotations import same_annotation
from policy.breaking.finding import Finding, new_finding, one_line
from policy.breaking.results import compare_results, result_in
from policy.breaking.surface.elements import Module, Property, Result, Value
from policy.breaking.surface.expressions import expression_text


def compare_attributes(
    name: str,
    old: Value | Property,
    new: Value | Property,
    old_module: Module,
    new_module: Module,
) -> Iterator[Finding]:
    """Find what differs between two attributes; ``name`` is dotted."""
    yield from _compare_access(name, old, new)
    was, now = (
        result_in(each, module) if isinstance(each, Property) else Result.VALUE
        for each, module in ((old, old_module), (new, new_module))
    )
    yield from compare_results(name, was, now, new.line)
    if old.annotation is None or new.annotation is None:
        return
    if not same_annotation(old.annotation, new.annotation, old_module, new_module):
        old_text, new_text = expression_text(old.annotation), expression_text(new.annotation)
        sentence = f"{name} is {one_line(new_text)}, which was {one_line(old_text)}."
        yield new_finding(
            "attribute_annotation_changed", name, sentence, new.line, old=old_text, new=new_text
        )


def _compare_access(name: str, old: Value | Property, new: Value | Property) -> Iterator[Finding]:
    if isinstance(new, Property) and not new.is_settable:
        if isinstance(old, Value) or old.is_settable:
            sentence = f"{name} can no longer be set."
            old_noun, new_noun = noun_of(old), noun_of(new)
            yield new_finding(
                "setter_removed", name, sentence, new.line, old=old_noun, new=new_noun
            )
    elif isinstance(old, Value) and isinstance(new, Value) and old.value and not new.value:
        sentence = f"{name} has no value any more."
        yield new_finding("value_removed", name, sentence, new.line, old=expression_text(old.value))
    elif isinstance(old, Value) and old.value and not old.is_of_instance and new.is_of_instance:
        sentence = f"{name} can no longer be read on the class, but on its instances alone."
        yield new_finding("value_removed", name, sentence, new.line, old=expression_text(old.value))
