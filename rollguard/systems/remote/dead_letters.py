"""Records that could not be used, asked of a console and published again by it."""

from base64 import b64decode
from collections.abc import Mapping
from functools import partial
from typing import Any, Final
from uuid import UUID

from db.replays import RecordPosition, Replay
from rollguard.operations.dead_letters.bad_records import (
    BadRecord,
    DeadLetterFilter,
    parse_position,
)
from rollguard.operations.dead_letters.causes import Cause, Causes
from rollguard.operations.dead_letters.dead_letters import BadRecordInFull, BadRecordList
from rollguard.operations.dead_letters.replay import NotReplayed, Replayed, Replays
from rollguard.systems.remote.reading import Answers
from rollguard_client.http.console import in_path
from rollguard_client.http.problems import error_of
from schemas.fields import format_time, parse_time

_AT_ONCE: Final = 500
_REPLAY_S: Final = 300.0
_UNAVAILABLE: Final = 503


class RemoteDeadLetters:
    """Records that could not be used."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    async def matching(self, wanted: DeadLetterFilter, limit: int) -> BadRecordList:
        """Return those that match, the last rejected first."""
        found = BadRecordList([], 0, 0, {}, [])
        pages = self._answers.all_pages("/dead-letters", "dead_letters", limit, **_selected(wanted))
        async for page in pages:
            found = self._answers.understood(partial(_more, found), page)
        return found

    async def causes(self, wanted: DeadLetterFilter) -> Causes:
        """Return why those that match were rejected, that with the newest record first."""
        selected = {name: value for name, value in _selected(wanted).items() if name != "cause"}
        found = await self._answers.get("/dead-letters/causes", _causes, **selected)
        if wanted.cause is None:
            return found
        return found._replace(causes=[each for each in found.causes if each.cause == wanted.cause])

    async def in_full(self, position: RecordPosition) -> BadRecordInFull:
        """Return one of them with its value."""
        return await self._answers.get(f"/dead-letters/{in_path(str(position))}", _in_full)

    async def replay(self, wanted: DeadLetterFilter, done: Replays, *, force: bool) -> None:
        """Publish those that match again; the result for each is added to ``done``."""
        body = _selected(wanted) if wanted.position is None else {"id": str(wanted.position)}
        body = (body or {"all": True}) | {"force": force, "limit": _AT_ONCE}
        cursor = None
        while True:
            path = "/dead-letters/replay"
            answer = await self._answers.console.send(
                "POST", path, body | {"cursor": cursor}, also=(_UNAVAILABLE,), wait_s=_REPLAY_S
            )
            if answer.status == _UNAVAILABLE:
                known = answer.data.get("known")
                if known is not None:
                    self._answers.understood(lambda data: _add(done, data), known)
                raise error_of(self._answers.console.url, path, answer, has_token=True)
            self._answers.understood(lambda data: _add(done, data), answer.data)
            cursor = answer.data.get("next_cursor")
            if cursor is None:
                return


def _selected(wanted: DeadLetterFilter) -> dict[str, Any]:
    """Return what a filter selects by, as the API calls it."""
    fields = wanted._asdict()
    del fields["position"]
    if wanted.since is not None:
        fields["since"] = format_time(wanted.since)
    return {name: value for name, value in fields.items() if value is not None}


def _causes(data: Mapping[str, Any]) -> Causes:
    return Causes([_cause(each) for each in data["causes"]], data["notes"])


def _cause(data: Mapping[str, Any]) -> Cause:
    """Return a cause; of its newest record no more is known than its id and its error."""
    newest = parse_position(data["newest"])
    rejected_at = parse_time(data["rejected_at"])
    return Cause(
        data["cause"],
        data["topic"],
        data["role"],
        records=data["records"],
        unpublished=data["unpublished"],
        first_rejected_at=parse_time(data["first_rejected_at"]),
        rejected_at=rejected_at,
        tools=data["tools"],
        newest=BadRecord(
            position=newest,
            role=data["role"],
            error=data["error"],
            key=None,
            truncated=False,
            first_rejected_at=rejected_at,
            rejected_at=rejected_at,
            times=1,
            dead_letter=newest,
        ),
    )


def _more(so_far: BadRecordList, page: Mapping[str, Any]) -> BadRecordList:
    """Return the list with another page of it."""
    records = [_record(each) for each in page["dead_letters"]]
    return BadRecordList(
        [*so_far.records, *records],
        page["matching"],
        page["unpublished"],
        {**so_far.replays, **_replays(page["dead_letters"])},
        list(dict.fromkeys([*so_far.notes, *page["notes"]])),
    )


def _in_full(data: Mapping[str, Any]) -> BadRecordInFull:
    record, replays = _record(data), _replays([data])
    listed = BadRecordList([record], 1, record.unpublished, replays, data["notes"])
    return BadRecordInFull(listed, _bytes(data["value_base64"]))


def _record(data: Mapping[str, Any]) -> BadRecord:
    """Return a record of a list; only one in full says when it was rejected first."""
    position = RecordPosition(data["topic"], int(data["partition"]), int(data["offset"]))
    rejected_at = parse_time(data["rejected_at"])
    first = data.get("first_rejected_at")
    key = data["key"]
    return BadRecord(
        position=position,
        role=data["role"],
        error=data["error"],
        key=_bytes(data["key_base64"]) if "key_base64" in data else key and key.encode(),
        truncated=data["truncated"],
        first_rejected_at=rejected_at if first is None else parse_time(first),
        rejected_at=rejected_at,
        times=data["times"],
        dead_letter=position,
        unpublished=data["unpublished"],
    )


def _replays(records: Any) -> dict[RecordPosition, Replay]:
    return {
        parse_position(each["id"]): Replay(
            parse_time(each["replayed_at"]),
            None if each["replayed_to"] is None else parse_position(each["replayed_to"]),
        )
        for each in records
        if each["replayed_at"] is not None
    }


def _add(done: Replays, data: Mapping[str, Any]) -> None:
    done.replayed += [
        Replayed(
            parse_position(each["id"]),
            parse_position(each["to"]),
            None if each["deployment_id"] is None else UUID(each["deployment_id"]),
        )
        for each in data["replayed"]
    ]
    done.refused += [
        NotReplayed(parse_position(each["id"]), each["reason"]) for each in data["refused"]
    ]
    done.unpublished += data["unpublished"]


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else b64decode(text)
