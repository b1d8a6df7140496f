"""Random lists of parameters, changes of them, and the calls that a list accepts."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from random import Random
from typing import Final

NAMES: Final = ("a", "b", "c", "d", "e")
POSITIONAL, EITHER, KEYWORD = range(3)


@dataclass(frozen=True)
class Parameter:
    """One parameter that takes one argument."""

    name: str
    passing: int = EITHER
    default: int | None = None


@dataclass(frozen=True)
class Parameters:
    """A list of parameters in an order that Python accepts."""

    named: tuple[Parameter, ...] = ()
    takes_any_positional: bool = False
    takes_any_keyword: bool = False

    def text(self, first: str = "") -> str:
        """Return the list as source, ``first`` (such as ``self``) included."""
        parts = [first] if first else []
        for passing in (POSITIONAL, EITHER, KEYWORD):
            if passing == KEYWORD:
                is_star_needed = any(each.passing == KEYWORD for each in self.named)
                parts += ["*rest"] if self.takes_any_positional else ["*"] * is_star_needed
            chosen = [each for each in self.named if each.passing == passing]
            for each in chosen:
                parts.append(each.name if each.default is None else f"{each.name}={each.default}")
            if passing == POSITIONAL and chosen:
                parts.append("/")
        return ", ".join([*parts, *(["**more"] if self.takes_any_keyword else [])])

    def calls(self) -> Iterator[str]:
        """Yield argument lists that the parameters accept, each way to give each argument."""
        ordered = [each for each in self.named if each.passing != KEYWORD]
        for count in range(len(ordered) + 1):
            given = [str(10 + index) for index in range(count)]
            if any(each.default is None for each in ordered[count:] if each.passing == POSITIONAL):
                continue
            open_names = [each for each in self.named if each not in ordered[:count]]
            open_names = [each for each in open_names if each.passing != POSITIONAL]
            for chosen in product((True, False), repeat=len(open_names)):
                pairs = list(zip(open_names, chosen, strict=True))
                if any(each.default is None and not is_given for each, is_given in pairs):
                    continue
                chosen_names = [each.name for each, is_given in pairs if is_given]
                keywords = [f"{name}={20 + i}" for i, name in enumerate(chosen_names)]
                yield ", ".join(given + keywords)
                taken = {each.name for each in self.named if each.passing != POSITIONAL}
                if self.takes_any_keyword:
                    for name in sorted({*NAMES, "self", "z"} - taken):
                        yield ", ".join([*given, *keywords, f"{name}=30"])
                if self.takes_any_positional and count == len(ordered):
                    yield ", ".join([*given, "40", *keywords])
                    yield ", ".join([*given, "40, 41, 42, 43, 44", *keywords])

    def minimal_call(self) -> str:
        """Return the arguments that no call may leave out."""
        needed = [each for each in self.named if each.default is None]
        return ", ".join("1" if p.passing != KEYWORD else f"{p.name}=1" for p in needed)


def random_parameters(random: Random) -> Parameters:
    """Return up to four parameters."""
    names = random.sample(NAMES, random.choice((0, 1, 1, 2, 2, 3, 4)))
    named = [Parameter(name, random.choice((0, 1, 1, 1, 1, 2)), _default(random)) for name in names]
    return _in_order(Parameters(tuple(named), random.random() < 0.15, random.random() < 0.2))


def changed_parameters(random: Random, old: Parameters) -> Parameters:
    """Return the parameters after one random change; sometimes it changes nothing."""
    named = list(old.named)
    at = random.randrange(len(named)) if named else 0
    free = [name for name in NAMES if name not in {each.name for each in named}]
    match random.choice(("remove", "add", "rename", "swap", "pass", "default", "rest", "more")):
        case "remove" if named:
            del named[at]
        case "add" if free:
            added = Parameter(random.choice(free), random.choice((0, 1, 1, 2)), _default(random))
            named.insert(random.randint(0, len(named)), added)
        case "rename" if named and free:
            named[at] = replace(named[at], name=random.choice(free))
        case "swap" if len(named) > 1:
            random.shuffle(named)
        case "pass" if named:
            named[at] = replace(named[at], passing=random.randrange(3))
        case "default" if named:
            named[at] = replace(named[at], default=_default(random))
        case "rest":
            return replace(old, takes_any_positional=not old.takes_any_positional)
        case "more":
            return replace(old, takes_any_keyword=not old.takes_any_keyword)
    return _in_order(replace(old, named=tuple(named)))


def _default(random: Random) -> int | None:
    return random.choice((None, 7))


def _in_order(parameters: Parameters) -> Parameters:
    """Return the parameters by passing, with the defaults that Python asks for."""
    named = sorted(parameters.named, key=lambda each: each.passing)
    return replace(parameters, named=with_needed_defaults(named))


def with_needed_defaults(named: Iterable[Parameter]) -> tuple[Parameter, ...]:
    """Return the parameters so that after one with a default all positional ones have one, too."""
    found: list[Parameter] = []
    has_default = False
    for each in named:
        is_positional = each.passing != KEYWORD
        needs_one = is_positional and has_default and each.default is None
        found.append(replace(each, default=8) if needs_one else each)
        has_default = has_default or (is_positional and each.default is not None)
    return tuple(found)
