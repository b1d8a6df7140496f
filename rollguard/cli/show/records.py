"""The output of ``record``, ``verdict``, ``prune`` and ``erase``."""

from collections.abc import Sequence

from rollguard.operations.erase import Erasure, KafkaKeeps
from rollguard.operations.prune import Pruned
from rollguard.operations.records import BadLine, Recorded
from rollguard.printing import print_json, print_line, print_note
from rollguard.value_texts import time_text
from schemas.later_verdict import LaterVerdict


def show_recorded(done: Recorded, as_json: bool, version: str | None = None) -> None:
    """Print what was published, and of which version if one was named.

    Which lines were bad, stderr says already.
    """
    if as_json:
        print_json(
            {
                "published": [str(each) for each in done.published],
                "rejected": [line._asdict() for line in done.bad],
            }
        )
    elif len(done.published) == 1 and not done.bad:
        of_version = "" if version is None else f" of {version}"
        print_line(f"published {done.published[0]}{of_version}")
    else:
        print_line(f"published {len(done.published)} executions")


def show_verdict(verdict: LaterVerdict, as_json: bool) -> None:
    """Print which verdict was published."""
    if as_json:
        print_json(verdict.model_dump(mode="json"))
        return
    said = "bad" if verdict.bad else "good"
    print_line(
        f"published {verdict.verdict_id}: {verdict.execution_id} of {verdict.tool_name} was "
        f"{said}, says {verdict.by}"
    )


def show_bad_line(line: BadLine) -> None:
    """Print on stderr which line is no execution, and why."""
    print_note(f"line {line.number}: {line.error}")


def show_pruned(found: Pruned, as_json: bool) -> None:
    """Print how many executions and later verdicts were removed."""
    if as_json:
        print_json(
            {
                "before": found.before,
                "executions": found.executions,
                "tools": found.by_tool,
                "verdicts": found.verdicts,
            }
        )
        return
    print_line(f"removed {_pruned_text(found)}")


def show_to_prune(found: Pruned) -> None:
    """Print on stderr what a prune would remove."""
    for tool, executions in found.by_tool.items():
        print_note(f"{tool}: {executions} executions")
    print_note(f"removes {_pruned_text(found)}")


def _pruned_text(found: Pruned) -> str:
    verdicts = f", and {found.verdicts} later verdicts" if found.verdicts else ""
    return (
        f"{found.executions} executions of {len(found.by_tool)} tools, executed before "
        f"{time_text(found.before)}{verdicts}; metrics stay"
    )


def show_erased(done: Erasure, kept: Sequence[KafkaKeeps], as_json: bool) -> None:
    """Print how many executions were erased, and until when Kafka keeps their records."""
    if as_json:
        print_json(
            {
                done.whose: done.value,
                "executions": done.executions,
                "tools": done.by_tool,
                "kafka_keeps": {each.topic: each.until for each in kept},
            }
        )
        return
    print_line(
        f"erased {done.executions} executions of {len(done.by_tool)} tools: errors, sessions, "
        "callers and hashes of inputs; metrics stay"
    )
    for each in kept:
        until = "for a time that is not known" if each.until is None else time_text(each.until)
        word = "" if each.until is None else "until about "
        print_line(f"Kafka keeps what {each.topic} has now {word}{until}")
