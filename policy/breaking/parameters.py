"""What two lists of parameters mean for calls written for the first."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from policy.breaking.annotations import same_annotation
from policy.breaking.finding import Kind, shown
from policy.breaking.surface.elements import Parameter, Passing
from policy.breaking.surface.expressions import Imports, text_of

_STARS: Final = {Passing.EXTRA_POSITIONAL: "*", Passing.EXTRA_KEYWORD: "**"}


@dataclass(frozen=True, slots=True)
class Change:
    """One fact. ``says`` is the rest of a sentence that begins with the function."""

    kind: Kind
    #: The parameter, by its old name if it had one; "" for their order.
    name: str
    says: str
    old: str | None = None
    new: str | None = None


@dataclass(frozen=True, slots=True)
class _Pair:
    """A parameter then and now. One renamed has the same place and another name."""

    old: Parameter
    new: Parameter

    @property
    def is_renamed(self) -> bool:
        return self.old.name != self.new.name


def parameter_changes(
    old: Sequence[Parameter],
    new: Sequence[Parameter],
    old_imports: Imports,
    new_imports: Imports,
) -> Iterator[Change]:
    """All that differs. What follows from one fact (a parameter inserted in front moves the
    others) is not told again.
    """
    pairs = _pairs(old, new)
    paired = {pair.old for pair in pairs}
    yield from _lost([each for each in old if each not in paired], old, new)
    yield from _gained(pairs, old, new)
    yield from _moved(pairs, new)
    for pair in pairs:
        yield from _changed(pair, old_imports, new_imports)


def _pairs(old: Sequence[Parameter], new: Sequence[Parameter]) -> list[_Pair]:
    by_name = {each.name: each for each in new if not each.is_extra}
    by_star = {each.passing: each for each in new if each.is_extra}
    match = {
        each: other
        for each in old
        if (other := by_star.get(each.passing) if each.is_extra else by_name.get(each.name))
    }
    taken = set(match.values())
    for before, after in zip(_positional(old), _positional(new), strict=False):
        if before not in match and after not in taken:
            match[before] = after
    return [_Pair(each, match[each]) for each in old if each in match]


def _positional(parameters: Sequence[Parameter]) -> list[Parameter]:
    return [each for each in parameters if each.is_positional]


def _lost(
    lost: Sequence[Parameter], old: Sequence[Parameter], new: Sequence[Parameter]
) -> Iterator[Change]:
    places = {each: place for place, each in enumerate(_positional(old))}
    stars = {each.passing for each in new if each.is_extra}
    behind = len(_positional(new))
    for each in lost:
        by_keyword = each.passing in (Passing.EITHER, Passing.KEYWORD)
        needed = {Passing.EXTRA_KEYWORD} if by_keyword else set()
        if each.is_positional:
            needed.add(Passing.EXTRA_POSITIONAL)
        name = _name(each)
        if not each.is_extra and needed <= stars and places.get(each, behind) >= behind:
            says = f"takes '{name}' among any others now, no longer by name"
            yield Change("parameter_now_variadic", each.name, says, name)
        else:
            what = "any further arguments" if each.is_extra else "the parameter"
            yield Change(
                "parameter_removed", each.name, f"no longer takes {what} '{name}'", _written(each)
            )


def _gained(
    pairs: Sequence[_Pair], old: Sequence[Parameter], new: Sequence[Parameter]
) -> Iterator[Change]:
    before = {pair.new: pair.old for pair in pairs}
    positional = _positional(new)
    # Arguments given by position may reach everything up to here.
    reach = len(positional)
    if not any(each.passing is Passing.EXTRA_POSITIONAL for each in old):
        reached = [each in before and before[each].is_positional for each in positional]
        reach = max((place + 1 for place, is_old in enumerate(reached) if is_old), default=0)
    inserted = set(positional[:reach])
    for each in new:
        name, text = each.name, _written(each)
        if each in before:
            if each in inserted and not before[each].is_positional and not each.is_extra:
                says = f"takes '{name}' by position now, before others that were"
                yield Change("parameter_moved", name, says, new=text)
        elif each.is_required:
            says = f"needs a new parameter '{name}'"
            yield Change("required_parameter_added", name, says, new=text)
        elif each in inserted:
            says = f"takes a new parameter '{shown(text)}' before others that are given by position"
            yield Change("optional_parameter_inserted", name, says, new=text)
        else:
            says = f"takes a new optional parameter '{shown(text)}'"
            yield Change("optional_parameter_added", name, says, new=text)


def _moved(pairs: Sequence[_Pair], new: Sequence[Parameter]) -> Iterator[Change]:
    both = [pair for pair in pairs if pair.old.is_positional and pair.new.is_positional]
    places = {each: place for place, each in enumerate(new)}
    after = sorted(both, key=lambda pair: places[pair.new])
    if both != after:
        was = ", ".join(pair.old.name for pair in both)
        now = ", ".join(pair.new.name for pair in after)
        says = f"takes its parameters in another order: ({shown(was)}) is now ({shown(now)})"
        yield Change("parameter_moved", "", says, was, now)


def _changed(pair: _Pair, old_imports: Imports, new_imports: Imports) -> Iterator[Change]:
    old, new = pair.old, pair.new
    if not old.is_extra:
        yield from _passing(pair)
        if old.is_required != new.is_required:
            kind: Kind = "parameter_made_required" if new.is_required else "parameter_made_optional"
            needs = "needs" if new.is_required else "no longer needs"
            says = f"{needs} the parameter '{new.name}'"
            yield Change(kind, old.name, says, _written(old), _written(new))
    if pair.is_renamed and not old.is_extra:
        return  # what else differs belongs to the new parameter
    yield from _default(pair)
    if old.annotation is None or new.annotation is None:
        return
    if not same_annotation(old.annotation, new.annotation, old_imports, new_imports):
        was, now = text_of(old.annotation), text_of(new.annotation)
        says = f"takes '{_name(new)}' as {shown(now)}, which was {shown(was)}"
        yield Change("parameter_annotation_changed", old.name, says, was, now)


def _passing(pair: _Pair) -> Iterator[Change]:
    old, new = pair.old, pair.new
    if old.is_positional and not new.is_positional:
        says = f"takes '{new.name}' by keyword alone"
        kind: Kind = "parameter_made_keyword_only"
    elif old.passing is Passing.POSITIONAL:
        return  # its name never mattered
    elif new.passing is Passing.POSITIONAL:
        says = f"takes '{old.name}' by position alone"
        kind = "parameter_made_positional_only"
    elif pair.is_renamed:
        says = f"calls its parameter '{old.name}' now '{new.name}'"
        yield Change("parameter_renamed", old.name, says, old.name, new.name)
        return
    else:
        return
    yield Change(kind, old.name, says, old.passing.value, new.passing.value)


def _default(pair: _Pair) -> Iterator[Change]:
    if pair.old.default is None or pair.new.default is None:
        return
    was, now = text_of(pair.old.default), text_of(pair.new.default)
    if was != now:
        says = f"takes {shown(now)} where '{pair.new.name}' is not given, which was {shown(was)}"
        yield Change("default_changed", pair.old.name, says, was, now)


def _name(parameter: Parameter) -> str:
    return _STARS.get(parameter.passing, "") + parameter.name


def _written(parameter: Parameter) -> str:
    text = _name(parameter)
    return text if parameter.default is None else f"{text}={text_of(parameter.default)}"
