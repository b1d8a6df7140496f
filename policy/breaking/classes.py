"""How two classes differ in what they are: decorators, bases, and how they are called."""

from collections.abc import Iterator
from typing import Final

from policy.breaking.finding import Finding, Kind, found, shown
from policy.breaking.functions import compare_decorators
from policy.breaking.parameters import Change, parameter_changes
from policy.breaking.surface.elements import Class, Module, is_public
from policy.breaking.surface.inheritance import (
    ancestors,
    constructor,
    has_unknown_base,
    members_of,
    public_bases,
)

_ENUMS: Final = frozenset(
    f"enum.{name}" for name in ("Enum", "IntEnum", "StrEnum", "Flag", "IntFlag", "ReprEnum")
)


class Side:
    """A class in its module, then or now, with what it has from its bases."""

    def __init__(self, this: Class, module: Module) -> None:
        self.this = this
        self.module = module
        #: All members by name, each with the class that gives it.
        self.members = members_of(this, module)
        self.ancestors = ancestors(this, module)
        #: How it is called; None where nothing in the file says it.
        self.constructor = constructor(this, module)
        #: Whether its attributes are members of an enumeration.
        self.is_enum = not _ENUMS.isdisjoint(self.ancestors)

    @property
    def fields(self) -> set[str]:
        """The names of the fields that its constructor is made from."""
        built = self.constructor
        return {each.name for each in built.parameters} if built and built.has_fields else set()


def compare_classes(name: str, then: Side, now: Side) -> Iterator[Finding]:
    """All that differs between them but their members; ``name`` is dotted."""
    old, new = then.this, now.this
    yield from compare_decorators(name, old.decorators, new.decorators, new.line)
    yield from _bases(name, then, now)
    if not then.is_enum:
        yield from _constructors(name, then, now)


def _bases(name: str, then: Side, now: Side) -> Iterator[Finding]:
    old, new = public_bases(then.this, then.module), public_bases(now.this, now.module)
    lost = [base for base in old if base not in now.ancestors]
    gained = [base for base in new if base not in then.ancestors]
    was, is_now, line = ", ".join(old) or None, ", ".join(new) or None, now.this.line
    instead = ", ".join(base for base in new if base not in old)
    for base in lost:
        kind: Kind = "base_class_changed" if instead else "base_class_removed"
        but = f", but from {shown(instead)}" if instead else ""
        sentence = f"{name} is no longer derived from {base}{but}."
        yield found(kind, name, sentence, line, old=was, new=is_now)
    if gained and not lost:
        sentence = f"{name} is now derived from {shown(', '.join(gained))} too."
        yield found("base_class_added", name, sentence, line, old=was, new=is_now)


def _constructors(name: str, then: Side, now: Side) -> Iterator[Finding]:
    old, new = then.constructor, now.constructor
    if old is not None and new is not None and is_told_of_base(old.owner, new.owner, then, now):
        return
    if old is not None and new is None and has_unknown_base(now.this, now.module):
        sentence = f"{name}() lost the __init__ of its own."
        yield found("method_removed", f"{name}.__init__", sentence, old.line)
        return
    line = now.this.line if new is None else new.line
    for change in parameter_changes(
        () if old is None else old.parameters,
        () if new is None else new.parameters,
        then.module.imports,
        now.module.imports,
    ):
        is_field = old is not None and old.has_fields and new is not None and new.has_fields
        if is_field and change.kind in ("parameter_removed", "parameter_renamed"):
            yield _field_finding(name, change, then, now)
        else:
            sentence = f"{name}() {change.says}."
            place = f"{name}.__init__"
            yield found(change.kind, place, sentence, line, old=change.old, new=change.new)


def _field_finding(name: str, change: Change, then: Side, now: Side) -> Finding:
    place = f"{name}.{change.name}"
    if change.kind == "parameter_renamed":
        _, renamed = now.members[change.new or ""]
        sentence = f"{name} calls its field '{change.old}' now '{change.new}'."
        return found("field_renamed", place, sentence, renamed.line, old=change.old, new=change.new)
    _, lost = then.members[change.name]
    sentence = f"{name} lost its field '{change.name}'."
    return found("field_removed", place, sentence, lost.line, old=change.old)


def is_told_of_base(old: Class, new: Class, then: Side, now: Side) -> bool:
    """Whether what these two owners have is told of a public base that both classes share."""
    return old.name == new.name and new is not now.this and is_shared_base(old, then, now)


def is_shared_base(owner: Class, then: Side, now: Side) -> bool:
    """Whether the owner of a member then is a public base, and is one now."""
    is_base = owner is not then.this and is_public(owner.name)
    return is_base and owner.name in now.ancestors
