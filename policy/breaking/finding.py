"""One difference between two versions of a tool's code, and the sentence that describes it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

#: breaking: a call or a read that worked may now fail, or may give something of another kind.
#: risky: it still works, but may mean something else. note: no caller has to care.
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
    "enum_value_changed",
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
    "became_abstract",
    "became_unhashable",
    "base_class_removed",
    "base_class_changed",
    "parameter_removed",
    "parameter_renamed",
    "parameter_moved",
    "parameter_made_required",
    "parameter_made_keyword_only",
    "parameter_made_positional_only",
    "parameter_name_taken",
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
    #: The dotted name inside the module, such as "Parser.execute"; "" is the module itself.
    object: str
    #: The old and the new state as Python text, cut if long; None if there is none.
    old: str | None
    new: str | None
    #: One sentence on one line. It names the object, and the old and new state if they help.
    sentence: str
    #: The line in the new code, or in the old code if the object was removed; counted from 1. None
    #: if it is not known.
    line: int | None
    #: Counted from 1. Known only for code that does not parse.
    column: int | None = None


def new_finding(
    kind: Kind,
    object_name: str,
    sentence: str,
    line: int | None,
    *,
    old: str | None = None,
    new: str | None = None,
    column: int | None = None,
) -> Finding:
    """Return a finding with the severity of its kind, all texts cut to their limits."""
    old, new = (None if text is None else one_line(text) for text in (old, new))
    object_name, sentence = _cut(object_name, _MAX_NAME), _cut(sentence, _MAX_SENTENCE)
    return Finding(kind, severity_of(kind), object_name, old, new, sentence, line, column)


def severity_of(kind: Kind) -> Severity:
    """Return how much a change of this kind matters."""
    if kind in _RISKY:
        return "risky"
    return "note" if kind in _NOTES else "breaking"


def is_breaking(findings: Iterable[Finding]) -> bool:
    """Return whether at least one finding is breaking."""
    return any(finding.severity == "breaking" for finding in findings)


def sentences(findings: Iterable[Finding]) -> list[str]:
    """Return the sentences for people: those of breaking findings, then those of risky ones.

    Notes are left out. If there are more than ``MAX_SENTENCES``, a last sentence says how many are
    left out, because a version with all its sentences must fit into one Kafka record.
    """
    ranks = {"breaking": 0, "risky": 1}
    ranked = [finding for finding in findings if finding.severity in ranks]
    ranked.sort(key=lambda finding: ranks[finding.severity])
    lines = [finding.sentence for finding in ranked[:MAX_SENTENCES]]
    if len(ranked) > MAX_SENTENCES:
        lines.append(f"There are {len(ranked) - MAX_SENTENCES} more.")
    return lines


def one_line(text: str, max_characters: int = _MAX_SHOWN) -> str:
    """Return text of the code as one printable line, cut if it is longer than the maximum.

    White space becomes single spaces, and characters that are not printable become escapes.
    """
    line = " ".join(text[: 2 * max_characters].split())
    line = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in line)
    return _cut(line, max_characters)


def _cut(text: str, max_characters: int) -> str:
    return text if len(text) <= max_characters else text[: max_characters - 1] + "…"
