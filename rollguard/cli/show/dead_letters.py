"""The output of ``dead-letters`` and ``replay``."""

from collections.abc import Mapping
from typing import Any

from db.replays import RecordPosition, Replay
from rollguard.operations.dead_letters.bad_records import BadRecord, text_of
from rollguard.operations.dead_letters.causes import Causes
from rollguard.operations.dead_letters.dead_letters import BadRecordInFull, BadRecordList
from rollguard.operations.dead_letters.replay import Replays
from rollguard.operations.dead_letters.replay_checks import replay_text
from rollguard.printing import print_json, print_line, print_note, print_pairs, print_table
from schemas.printable import printable


def show_dead_letters(found: BadRecordList, as_json: bool) -> None:
    """Print bad records, the last rejected first."""
    _print_warnings(found)
    if as_json:
        print_json([found.data_of(record) for record in found.records])
        return
    print_table(
        (("rejected at", "id"), "tool", ("cause", "role", "times", "replay")),
        (_row_of(record, found.replays) for record in found.records),
        title=f"{len(found.records)} of {found.matching} bad records, the last rejected first",
    )


def show_causes(found: Causes, as_json: bool) -> None:
    """Print why bad records were rejected, and how many."""
    for note in found.notes:
        print_note(note)
    if as_json:
        print_json([cause.data() for cause in found.causes])
        return
    print_table(
        (
            *(("last rejected at", "newest"), ("records", "not published"), ("topic", "role")),
            *("tools", "cause"),
        ),
        (
            (
                cause.rejected_at,
                str(cause.newest.position),
                cause.records,
                f"and {cause.unpublished} more" if cause.unpublished else "",
                cause.topic,
                cause.role,
                list(cause.tools),
                cause.cause,
            )
            for cause in found.causes
        ),
    )


def _print_warnings(found: BadRecordList) -> None:
    for note in found.notes:
        print_note(note)
    if found.unpublished:
        print_note(_unpublished_text(found.unpublished))


def _unpublished_text(number: int) -> str:
    return (
        f"{number} more bad records between these have no dead letter, because too many came at "
        "once: they were counted (rollguard_bad_records_total), and cannot be replayed"
    )


def _row_of(record: BadRecord, known: Mapping[RecordPosition, Replay]) -> tuple[Any, ...]:
    replay = known.get(record.position)
    return (
        record.rejected_at,
        str(record.position),
        record.key_text,
        record.error,
        record.role,
        f"{record.times} times" if record.times > 1 else "",
        replay_text(replay) if replay else "",
    )


def show_dead_letter(found: BadRecordInFull, as_json: bool) -> None:
    """Print one bad record with all of it that is kept.

    Key and value are printed as text if they are UTF-8, otherwise in hex. JSON has them in base64
    as well.
    """
    listed, value = found.listed, found.value
    _print_warnings(listed)
    if as_json:
        print_json(found.data())
        return
    [record] = listed.records
    replay = listed.replays.get(record.position)
    print_pairs(
        {
            "id": str(record.position),
            "cause": record.error,
            "role": record.role,
            "rejected at": record.rejected_at,
            "first rejected at": record.first_rejected_at,
            "dead letters": record.times,
            "replay": replay_text(replay) if replay else None,
            "key": _shown(record.key),
            "bad records before it without a dead letter": record.unpublished or None,
            "value": _cut_text(record, value),
        }
    )
    print(_shown(value))


def _cut_text(record: BadRecord, value: bytes | None) -> str:
    """Say how much of the value is kept, if it is not all of it."""
    return f"the first {len(value)} bytes:" if record.truncated and value is not None else ""


def _shown(data: bytes | None) -> str:
    if data is None:
        return "none"
    text = text_of(data)
    return f"{data.hex(' ')} (hex)" if text is None else printable(text, keep_lines=True)


def show_replays(done: Replays, as_json: bool) -> None:
    """Print what was published again; on stderr, what was not, and why."""
    if as_json:
        print_json(done.data())
    else:
        for each in done.replayed:
            anew = (
                f", deployed as {each.deployment_id} (the outcome of the id it had stays `refused`)"
                if each.deployment_id
                else ""
            )
            print_line(f"{each.position} replayed as {each.to}{anew}")
        print_line(f"replayed {len(done.replayed)} records")
    for refused in done.refused:
        print_note(f"{refused.position}: {refused.reason}")
    if done.unpublished:
        print_note(_unpublished_text(done.unpublished))
