"""The explanation of an automatic rollback: what its author needs to make a better version."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

from policy.breaking.finding import one_line
from policy.decision.rule_texts import (
    WhyNot,
    evidence_text,
    quality_text,
    rule_text,
    thresholds_of,
)
from policy.weighing.evidence_summary import summary_of
from policy.weighing.quality_summary import quality_summary_of
from schemas.explanation import MAX_ERROR_CHARACTERS, MAX_ERRORS, Explanation, SeenError
from schemas.fields import uuid_of
from schemas.rollback import Reason, RollbackCommand
from schemas.rules.rules import Rules

_MOST_IDS: Final = 100
MOST_VERDICTS: Final = 50
"""So many later verdicts are named at most, each with its execution."""
_MOST_CHANGES: Final = 50
_CHANGES_BYTES: Final = 8 * 1024
"""With ids and errors of at most 5 KiB each, the whole stays below 16 KiB."""
_MOST_COUNT: Final = 2**63 - 1


class DecidingVerdict(NamedTuple):
    """A later verdict, and the execution that it is about."""

    verdict_id: UUID
    execution_id: UUID


_NAMES: Final = DecidingVerdict._fields


def explanation_of(
    command: RollbackCommand,
    rules: Rules,
    errors: Sequence[SeenError],
    breaking_changes: Sequence[str],
    verdicts: Sequence[DecidingVerdict] = (),
    why_not: WhyNot | None = None,
) -> Explanation | None:
    """Return the explanation of a command; None for a person's command, which has its reason.

    ``rules`` are those in force, ``errors`` those of the executions that decided, and
    ``breaking_changes`` those of the version that is rolled back. ``verdicts`` are the later
    verdicts that decided, the newest first. ``why_not`` says why the command is not carried out,
    if numbers decide that.
    """
    if command.tier == "manual":
        return None
    explanation = Explanation(
        rule=rule_text(command.tier, command.reason, rules),
        evidence=evidence_of(command.details, command.reason),
        thresholds=dict(thresholds_of(command.tier, command.reason, rules)),
        executions=_count(command.details.get("executions")),
        failures=_count(command.details.get("failures")),
        errors=list(errors[:MAX_ERRORS]),
        breaking_changes=_that_fit(breaking_changes),
        decided_by=_ids_of(verdicts) if verdicts else decided_by(command.details),
    )
    return explanation if why_not is None else not_carried_out(explanation, why_not)


def not_carried_out(explanation: Explanation, why_not: WhyNot) -> Explanation:
    """Return the explanation of a rollback that was decided and is not carried out."""
    return explanation.model_copy(
        update={
            "rule": f"{explanation.rule}; but {why_not.text}",
            "thresholds": {**explanation.thresholds, **why_not.thresholds},
        }
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


def verdict_that_decided(details: Mapping[str, Any]) -> DecidingVerdict | None:
    """Return the later verdict at which the command was decided; None if it was no verdict."""
    named = details.get("later_verdict")
    ids = [uuid_of(named.get(name)) for name in _NAMES] if isinstance(named, dict) else []
    known = [each for each in ids if each is not None]
    return DecidingVerdict(*known) if len(known) == len(_NAMES) else None


def bad_verdicts_in(details: Mapping[str, Any]) -> int:
    """Return how many bad verdicts decided; at most those that an explanation names."""
    quality = quality_summary_of(details, "judged_bad")
    return 0 if quality is None else max(0, min(quality.seen.found, MOST_VERDICTS))


def _ids_of(verdicts: Sequence[DecidingVerdict]) -> list[UUID]:
    """Return the ids of the verdicts, then those of the executions that they are about."""
    named = verdicts[:MOST_VERDICTS]
    ids = [each.verdict_id for each in named] + [each.execution_id for each in named]
    return list(dict.fromkeys(ids))


def most_frequent(errors: Iterable[str], seen: Iterable[SeenError] = ()) -> list[SeenError]:
    """Return the most frequent errors, at most three; of equally frequent ones the first.

    ``seen`` are counted already; they come first.
    """
    counted = Counter[str]()
    for each in seen:
        counted[each.error] += each.executions
    counted.update(shown_error(each) for each in errors)
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
