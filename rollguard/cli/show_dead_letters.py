"""What ``dead-letters`` and ``replay`` print."""

import sys
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from db.replays import RecordPosition, Replay
from rollguard.operations.dead_letters import BadRecord, Listed, text_of
from rollguard.operations.replay import Replays, told
from rollguard.printing import pairs, print_json, print_table, printable


def dead_letters(found: Listed, as_json: bool) -> None:
    """Bad records, the last rejected first."""
    _tell_unknown(found)
    if as_json:
        print_json([_data(record, found.replays) for record in found.records])
        return
    print_table(
        ("rejected at, id", "tool", "cause"),
        (_line_of(record, found.replays) for record in found.records),
        title=f"{len(found.records)} of {found.matching} bad records, the last rejected first",
    )


def _tell_unknown(found: Listed) -> None:
    if found.passed_over:
        print(f"rollguard: {found.passed_over} records are no dead letters", file=sys.stderr)
    if found.unknown:
        print(f"rollguard: what was replayed is not known: {found.unknown}", file=sys.stderr)


def _line_of(
    record: BadRecord, known: Mapping[RecordPosition, Replay]
) -> tuple[str, str | None, str]:
    replay = known.get(record.place)
    times = f", {record.times} times" if record.times > 1 else ""
    cause = (
        f"{record.error[:300]}\n{record.role}{times}",
        told(replay) if replay else "",
    )
    return (
        f"{record.rejected_at:%Y-%m-%d %H:%M:%S}\n{record.place}",
        record.key_text,
        "\n".join(line for line in cause if line),
    )


def dead_letter(found: tuple[Listed, bytes | None], as_json: bool) -> None:
    """One bad record with all that is kept of it: text where it is UTF-8, else in hex (in JSON
    always in base64 as well).
    """
    listed, value = found
    _tell_unknown(listed)
    [record] = listed.records
    replay = listed.replays.get(record.place)
    if as_json:
        print_json(
            _data(record, listed.replays)
            | {"first_rejected_at": record.first_rejected_at}
            | _bytes_data("key", record.key)
            | _bytes_data("value", value)
        )
        return
    pairs(
        {
            "id": record.place,
            "cause": record.error,
            "role": record.role,
            "rejected at": record.rejected_at,
            "first rejected at": record.first_rejected_at,
            "dead letters": record.times,
            "replay": told(replay) if replay else None,
            "key": _shown(record.key),
            "value": "the first 1 MiB:" if record.truncated else "",
        }
    )
    print(_shown(value))


def _data(record: BadRecord, known: Mapping[RecordPosition, Replay]) -> dict[str, Any]:
    replay = known.get(record.place)
    return {
        "id": str(record.place),
        **record.place._asdict(),
        "role": record.role,
        "key": record.key_text,
        "error": record.error,
        "rejected_at": record.rejected_at,
        "times": record.times,
        "truncated": record.truncated,
        "replayed_at": replay.at if replay else None,
        "replayed_to": str(replay.to) if replay and replay.to else None,
    }


def _bytes_data(name: str, data: bytes | None) -> dict[str, str | None]:
    return {
        name: text_of(data),
        f"{name}_base64": None if data is None else b64encode(data).decode(),
    }


def _shown(data: bytes | None) -> str:
    if data is None:
        return "none"
    text = text_of(data)
    return f"{data.hex(' ')} (hex)" if text is None else printable(text)


def replays(done: Replays, as_json: bool) -> None:
    """What was published again; what was not, and why, on stderr."""
    if as_json:
        print_json(
            {
                "replayed": [
                    {
                        "id": str(each.place),
                        "to": str(each.to),
                        "deployment_id": each.deployment_id,
                    }
                    for each in done.replayed
                ],
                "refused": [
                    {"id": str(each.place), "reason": each.reason} for each in done.refused
                ],
            }
        )
    else:
        for each in done.replayed:
            anew = (
                f", deployed as {each.deployment_id} (the outcome of the id it had stays `refused`)"
                if each.deployment_id
                else ""
            )
            print(printable(f"{each.place} replayed as {each.to}{anew}"))
        print(f"replayed {len(done.replayed)} records")
    for refused in done.refused:
        print(printable(f"rollguard: {refused.place}: {refused.reason}"), file=sys.stderr)
