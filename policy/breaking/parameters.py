"""The comparison of two lists of parameters: what the new one means for calls made for the old."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from policy.breaking.annotations import same_annotation
from policy.breaking.finding import Finding, Kind, new_finding, one_line
from policy.breaking.surface.elements import Module, Parameter, Passing
from policy.breaking.surface.expressions import expression_text

_STARS: Final = {Passing.EXTRA_POSITIONAL: "*", Passing.EXTRA_KEYWORD: "**"}


@dataclass(frozen=True, slots=True)
class ParameterChange:
    """One difference between two lists of parameters."""

    kind: Kind
    #: The parameter's old name, or its new name if it is new; "" for a change of the order.
    name: str
    #: A sentence without its subject, which is the function, and without the full stop.
    predicate: str
    old: str | None = None
    new: str | None = None

    def finding(self, object_name: str, subject: str, line: int) -> Finding:
        """Return the finding; its sentence begins with the subject."""
        sentence = f"{subject} {self.predicate}."
        return new_finding(self.kind, object_name, sentence, line, old=self.old, new=self.new)


@dataclass(frozen=True, slots=True)
class _Pair:
    """An old parameter and the new one that gets its arguments; renamed if the names differ."""

    old: Parameter
    new: Parameter

    @property
    def is_renamed(self) -> bool:
        return self.old.name != self.new.name


def compare_parameters(
    old: Sequence[Parameter],
    new: Sequence[Parameter],
    old_module: Module,
    new_module: Module,
) -> Iterator[ParameterChange]:
    """Find what differs between two lists of parameters.

    What follows from one change is not a second one: a parameter that is inserted before others
    moves them, but only the insertion is reported.
    """
    pairs = _pairs(old, new)
    paired = {pair.old for pair in pairs}
    yield from _removed([each for each in old if each not in paired], old, new)
    yield from _added(pairs, old, new)
    yield from _reordered(pairs, new)
    yield from _names_taken(pairs, old)
    for pair in pairs:
        yield from _changed(pair, old_module, new_module)


def _pairs(old: Sequence[Parameter], new: Sequence[Parameter]) -> list[_Pair]:
    """Pair the parameters by name; the rest, if positional, by their index.

    ``*`` parameters are paired with each other whatever their names are, and so are ``**`` ones.
    """
    by_name = {each.name: each for each in new if not each.is_extra}
    by_passing = {each.passing: each for each in new if each.is_extra}
    new_of = {
        each: found
        for each in old
        if (found := by_passing.get(each.passing) if each.is_extra else by_name.get(each.name))
    }
    taken = set(new_of.values())
    for before, after in zip(_positional(old), _positional(new), strict=False):
        if before not in new_of and after not in taken:
            new_of[before] = after
    return [_Pair(each, new_of[each]) for each in old if each in new_of]


def _positional(parameters: Sequence[Parameter]) -> list[Parameter]:
    return [each for each in parameters if each.is_positional]


def _removed(
    unpaired: Sequence[Parameter], old: Sequence[Parameter], new: Sequence[Parameter]
) -> Iterator[ParameterChange]:
    extras = {each.passing for each in new if each.is_extra}
    # The old parameters whose arguments by position now reach a named parameter, not ``*``.
    reach_named = set(_positional(old)[: len(_positional(new))])
    for parameter in unpaired:
        name = _starred_name(parameter)
        if _extras_needed(parameter) <= extras and parameter not in reach_named:
            predicate = f"takes '{name}' among any others now, no longer by name"
            yield ParameterChange("parameter_now_variadic", parameter.name, predicate, name)
        else:
            noun = "any further arguments" if parameter.is_extra else "the parameter"
            predicate = f"no longer takes {noun} '{name}'"
            text = _written(parameter)
            yield ParameterChange("parameter_removed", parameter.name, predicate, text)


def _extras_needed(parameter: Parameter) -> set[Passing]:
    """Return which of ``*`` and ``**`` must be there to take all that the parameter took.

    A ``*`` or ``**`` that was removed can only be replaced by itself.
    """
    if parameter.is_extra:
        return {parameter.passing}
    needed = set()
    if parameter.passing in (Passing.EITHER, Passing.KEYWORD):
        needed.add(Passing.EXTRA_KEYWORD)
    if parameter.is_positional:
        needed.add(Passing.EXTRA_POSITIONAL)
    return needed


def _added(
    pairs: Sequence[_Pair], old: Sequence[Parameter], new: Sequence[Parameter]
) -> Iterator[ParameterChange]:
    old_of = {pair.new: pair.old for pair in pairs}
    reachable = _reachable_by_position(old_of, old, new)
    names = {each.name for each in old}
    for parameter in new:
        name, text = parameter.name, _written(parameter)
        if parameter in old_of:
            became_positional = parameter in reachable and not old_of[parameter].is_positional
            if became_positional and not parameter.is_extra:
                predicate = f"takes '{name}' by position now, before others that were"
                yield ParameterChange("parameter_moved", name, predicate, new=text)
        elif parameter.is_required and not names.intersection(parameter.alternatives):
            predicate = f"needs a new parameter '{name}'"
            yield ParameterChange("required_parameter_added", name, predicate, new=text)
        elif parameter in reachable:
            predicate = (
                f"takes a new parameter '{one_line(text)}' before others that are given by position"
            )
            yield ParameterChange("optional_parameter_inserted", name, predicate, new=text)
        else:
            predicate = f"takes a new optional parameter '{one_line(text)}'"
            yield ParameterChange("optional_parameter_added", name, predicate, new=text)


def _reachable_by_position(
    old_of: dict[Parameter, Parameter], old: Sequence[Parameter], new: Sequence[Parameter]
) -> set[Parameter]:
    """Return the new parameters that positional arguments of calls for the old list may reach."""
    positional = _positional(new)
    if any(each.passing is Passing.EXTRA_POSITIONAL for each in old):
        return set(positional)
    was_positional = [each in old_of and old_of[each].is_positional for each in positional]
    end = max((index + 1 for index, was in enumerate(was_positional) if was), default=0)
    return set(positional[:end])


def _reordered(pairs: Sequence[_Pair], new: Sequence[Parameter]) -> Iterator[ParameterChange]:
    positional = [pair for pair in pairs if pair.old.is_positional and pair.new.is_positional]
    index_of = {parameter: index for index, parameter in enumerate(new)}
    in_new_order = sorted(positional, key=lambda pair: index_of[pair.new])
    if positional != in_new_order:
        was = ", ".join(pair.old.name for pair in positional)
        now = ", ".join(pair.new.name for pair in in_new_order)
        predicate = (
            f"takes its parameters in another order: ({one_line(was)}) is now ({one_line(now)})"
        )
        yield ParameterChange("parameter_moved", "", predicate, was, now)


def _names_taken(pairs: Sequence[_Pair], old: Sequence[Parameter]) -> Iterator[ParameterChange]:
    """Find parameters that now have a name which calls could give among the ``**`` arguments."""
    extra = next((each for each in old if each.passing is Passing.EXTRA_KEYWORD), None)
    for pair in pairs if extra else ():
        if pair.old.passing is Passing.POSITIONAL and pair.new.passing is Passing.EITHER:
            yield name_taken(pair.new.name, extra)


def name_taken(name: str, extra: Parameter | None) -> ParameterChange:
    """Return the change that a name of the ``**`` arguments is the one of a parameter now."""
    among = f" among '**{extra.name}'" if extra else ""
    predicate = f"takes '{name}' by name too, which calls could give{among}"
    return ParameterChange("parameter_name_taken", name, predicate, None, name)


def compare_first(
    old: Parameter | None, new: Parameter | None, old_parameters: Sequence[Parameter]
) -> Iterator[ParameterChange]:
    """Find that ``self`` or ``cls`` takes a name that calls could give among ``**`` arguments."""
    extra = next((each for each in old_parameters if each.passing is Passing.EXTRA_KEYWORD), None)
    if extra is None or new is None or new.passing is not Passing.EITHER:
        return
    if old is None or old.passing is Passing.POSITIONAL or old.name != new.name:
        yield name_taken(new.name, extra)


def _changed(pair: _Pair, old_module: Module, new_module: Module) -> Iterator[ParameterChange]:
    old, new = pair.old, pair.new
    if not old.is_extra:
        yield from _compare_passing(pair)
        if old.is_required != new.is_required:
            kind: Kind = "parameter_made_required" if new.is_required else "parameter_made_optional"
            verb = "needs" if new.is_required else "no longer needs"
            predicate = f"{verb} the parameter '{new.name}'"
            yield ParameterChange(kind, old.name, predicate, _written(old), _written(new))
    if pair.is_renamed and not old.is_extra:
        return  # its default and its annotation are those of a new parameter
    yield from _compare_defaults(pair)
    if old.annotation is None or new.annotation is None:
        return
    if not same_annotation(old.annotation, new.annotation, old_module, new_module):
        was, now = expression_text(old.annotation), expression_text(new.annotation)
        predicate = f"takes '{_starred_name(new)}' as {one_line(now)}, which was {one_line(was)}"
        yield ParameterChange("parameter_annotation_changed", old.name, predicate, was, now)


def _compare_passing(pair: _Pair) -> Iterator[ParameterChange]:
    old, new = pair.old, pair.new
    if old.is_positional and not new.is_positional:
        predicate = f"takes '{new.name}' by keyword alone"
        kind: Kind = "parameter_made_keyword_only"
    elif old.passing is Passing.POSITIONAL:
        return  # no call could use its name
    elif new.passing is Passing.POSITIONAL:
        predicate = f"takes '{old.name}' by position alone"
        kind = "parameter_made_positional_only"
    elif pair.is_renamed:
        predicate = f"calls its parameter '{old.name}' now '{new.name}'"
        yield ParameterChange("parameter_renamed", old.name, predicate, old.name, new.name)
        return
    else:
        return
    yield ParameterChange(kind, old.name, predicate, old.passing.value, new.passing.value)


def _compare_defaults(pair: _Pair) -> Iterator[ParameterChange]:
    if pair.old.default is None or pair.new.default is None:
        return
    was, now = expression_text(pair.old.default), expression_text(pair.new.default)
    if was != now:
        predicate = (
            f"takes {one_line(now)} where '{pair.new.name}' is not given, which was {one_line(was)}"
        )
        yield ParameterChange("default_changed", pair.old.name, predicate, was, now)


def _starred_name(parameter: Parameter) -> str:
    return _STARS.get(parameter.passing, "") + parameter.name


def _written(parameter: Parameter) -> str:
    """Return the parameter as source: its name, with stars and default but without annotation."""
    name = _starred_name(parameter)
    if parameter.default is None:
        return name
    return f"{name}={expression_text(parameter.default)}"
