"""The explanation of an automatic rollback: what its author needs to make a better version."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from policy.breaking.finding import one_line
from policy.decision.rule_texts import (
    evidence_text,
    outage_text,
    outage_thresholds,
    quality_text,
    rule_text,
    thresholds_of,
)
from policy.weighing.evidence_summary import summary_of
from policy.weighing.quality_summary import quality_summary_of
from schemas.explanation import MAX_ERROR_CHARACTERS, MAX_ERRORS, Explanation, SeenError
from schemas.fields import uuid_of
from schemas.outages import OutageRules
from schemas.rollback import Reason, RollbackCommand
from schemas.rules import Rules

_MOST_IDS: Final = 100
_MOST_CHANGES: Final = 50
_CHANGES_BYTES: Final = 8 * 1024
"""With ids and errors of at most 5 KiB each, the whole stays below 16 KiB."""
_MOST_COUNT: Final = 2**63 - 1


def explanation_of(
    command: RollbackCommand,
    rules: Rules,
    errors: Sequence[SeenError],
    breaking_changes: Sequence[str],
    outage: OutageRules | None = None,
) -> Explanation | None:
    """Return the explanation of a command; None for a person's command, which has its reason.

    ``rules`` are those in force, ``errors`` those of the executions that decided, and
    ``breaking_changes`` those of the version that is rolled back. ``outage`` are the numbers by
    which an outage was told, if the command is rejected because of one.
    """
    if command.tier == "manual":
        return None
    rule = rule_text(command.tier, command.reason, rules)
    thresholds = dict(thresholds_of(command.tier, command.reason, rules))
    if outage is not None:
        rule += f"; but this is an outage: {outage_text(outage)}"
        thresholds |= outage_thresholds(outage)
    return Explanation(
        rule=rule,
        evidence=evidence_of(command.details, command.reason),
        thresholds=thresholds,
        executions=_count(command.details.get("executions")),
        failures=_count(command.details.get("failures")),
        errors=list(errors[:MAX_ERRORS]),
        breaking_changes=_that_fit(breaking_changes),
        decided_by=decided_by(command.details),
    )


def evidence_of(details: Mapping[str, Any], reason: Reason) -> str | None:
    """Return what policy `guarded` compared, in words: the test that decided for this reason.

    None if the details have no evidence.
    """
    quality = quality_summary_of(details, reason)
    if quality is not None:
        return quality_text(reason, quality)
    summary = summary_of(details)
    return None if summary is None else evidence_text(summary)


def decided_by(details: Mapping[str, Any]) -> list[UUID]:
    """Return the ids of the executions that a command names; skip what is not an id."""
    recent = details.get("recent")
    ids = map(uuid_of, recent[:_MOST_IDS] if isinstance(recent, list) else [])
    return [each for each in ids if each is not None]


def most_frequent(errors: Iterable[str]) -> list[SeenError]:
    """Return the most frequent errors, at most three; of equally frequent ones the first."""
    counted = Counter(shown_error(each) for each in errors)
    return [SeenError(error=text, executions=n) for text, n in counted.most_common(MAX_ERRORS)]


def shown_error(error: str) -> str:
    """Return the error as it is shown: if it is a traceback, only its last line."""
    lines = error.strip().splitlines()
    text = lines[-1] if lines and lines[0].startswith("Traceback (") else error
    return one_line(text, MAX_ERROR_CHARACTERS)


def _that_fit(sentences: Sequence[str]) -> list[str]:
    left, fitting = _CHANGES_BYTES, []
    for sentence in sentences[:_MOST_CHANGES]:
        left -= len(sentence.encode()) + 4
        if left < 0:
            break
        fitting.append(sentence)
    return fitting


def _count(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_COUNT:
        return value
    return None
