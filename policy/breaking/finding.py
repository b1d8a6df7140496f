"""What is said of one difference between two versions of a tool's code."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

#: breaking: a call or a read that worked may now fail or give something of another kind;
#: risky: it may now mean something else; note: no caller has to care.
Severity = Literal["breaking", "risky", "note"]

Kind = Literal[
    "unparseable",
    "not_comparable",
    "previous_unparseable",
    "function_removed",
    "class_removed",
    "constant_removed",
    "method_removed",
    "attribute_removed",
    "enum_member_removed",
    "field_removed",
    "field_renamed",
    "value_removed",
    "setter_removed",
    "name_left_all",
    "kind_changed",
    "became_async",
    "became_sync",
    "became_generator",
    "no_longer_generator",
    "became_instance_method",
    "base_class_removed",
    "base_class_changed",
    "parameter_removed",
    "parameter_renamed",
    "parameter_moved",
    "parameter_made_required",
    "parameter_made_keyword_only",
    "parameter_made_positional_only",
    "required_parameter_added",
    "optional_parameter_inserted",
    "default_changed",
    "parameter_annotation_changed",
    "return_annotation_changed",
    "attribute_annotation_changed",
    "decorator_changed",
    "optional_parameter_added",
    "parameter_made_optional",
    "parameter_now_variadic",
    "base_class_added",
    "became_imported",
    "added",
]

_RISKY: Final[frozenset[Kind]] = frozenset(
    {
        "default_changed",
        "parameter_annotation_changed",
        "return_annotation_changed",
        "attribute_annotation_changed",
        "decorator_changed",
    }
)
_NOTES: Final[frozenset[Kind]] = frozenset(
    {
        "previous_unparseable",
        "optional_parameter_added",
        "parameter_made_optional",
        "parameter_now_variadic",
        "base_class_added",
        "became_imported",
        "added",
    }
)
_MAX_SHOWN: Final = 100
_MAX_NAME: Final = 255
_MAX_SENTENCE: Final = 300
MAX_SENTENCES: Final = 200


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference, and how much it matters to callers."""

    kind: Kind
    severity: Severity
    #: Dotted name inside the module, such as "Parser.execute"; "" is the module itself.
    object: str
    #: What it was and what it is, as Python text, cut where long; None where there is none.
    old: str | None
    new: str | None
    #: One sentence on one line; it names the object, and old and new where they tell something.
    sentence: str
    #: From 1, in the new code; for what was removed, in the old. None where it is not known.
    line: int | None
    #: From 1; known for code that does not parse alone.
    column: int | None = None


def found(
    kind: Kind,
    name: str,
    sentence: str,
    line: int | None,
    *,
    old: str | None = None,
    new: str | None = None,
    column: int | None = None,
) -> Finding:
    """A finding with the severity of its kind. ``name`` is the object's."""
    old, new = (None if text is None else shown(text) for text in (old, new))
    name, sentence = _cut(name, _MAX_NAME), _cut(sentence, _MAX_SENTENCE)
    return Finding(kind, severity_of(kind), name, old, new, sentence, line, column)


def severity_of(kind: Kind) -> Severity:
    """How much a change of this kind matters."""
    if kind in _RISKY:
        return "risky"
    return "note" if kind in _NOTES else "breaking"


def is_breaking(findings: Iterable[Finding]) -> bool:
    """Whether at least one is breaking."""
    return any(finding.severity == "breaking" for finding in findings)


def sentences(findings: Iterable[Finding]) -> list[str]:
    """What a person is told: the breaking ones, then the risky ones; no notes. Of more than
    ``MAX_SENTENCES`` the last says how many more there are: a version travels as one record.
    """
    ranks = {"breaking": 0, "risky": 1}
    told = [finding for finding in findings if finding.severity in ranks]
    told.sort(key=lambda each: ranks[each.severity])
    lines = [finding.sentence for finding in told[:MAX_SENTENCES]]
    if len(told) > MAX_SENTENCES:
        lines.append(f"There are {len(told) - MAX_SENTENCES} more.")
    return lines


def shown(text: str, most: int = _MAX_SHOWN) -> str:
    """Text of the code as a sentence may hold it: one printable line of at most ``most``
    characters.
    """
    line = " ".join(text[: 2 * most].split())
    line = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in line)
    return _cut(line, most)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
