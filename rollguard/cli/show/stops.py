"""The output of the verbs about stops: pins, freezes, rejections and waits."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rollguard.operations.stops import RejectedVersion
from rollguard.printing import data_of, print_json, print_line, print_pairs, print_table
from rollguard.value_texts import stop_text, time_text, version_text
from schemas.stops import Pin, Stop, StopKind

_ALL: Final = "all tools"
_ENDED: Final[Mapping[StopKind, str]] = {
    "pin": "not pinned any more",
    "freeze": "not frozen any more",
    "wait": "autonomous deployments are allowed again",
    "rejection": "not rejected any more",
}
_UNTIL: Final[Mapping[StopKind, str]] = {
    "pin": "it is unpinned",
    "freeze": "it is unfrozen",
    "wait": "it is resumed, or a person deploys",
    "rejection": "a person deploys this code, or rolls back to it",
}


def show_pin(found: Pin, as_json: bool) -> None:
    """Print the pin that is in force."""
    if as_json:
        print_json(data_of(found))
        return
    print_pairs(
        {
            "pinned": found.tool_name or _ALL,
            "reason": found.reason,
            "by": found.pinned_by,
            "since": found.pinned_at,
            "until": found.expires_at or _UNTIL["pin"],
        }
    )


def show_unpinned(found: Pin, as_json: bool) -> None:
    """Print which pin was removed."""
    if as_json:
        print_json(data_of(found))
    else:
        print_line(f"{found.tool_name or _ALL}: {_ENDED['pin']}")


def show_pins(found: Sequence[Pin], as_json: bool) -> None:
    """Print a line for each pin."""
    if as_json:
        print_json([data_of(pin) for pin in found])
        return
    print_table(
        ("tool", "reason", "by", ("since", "until")),
        (
            (
                pin.tool_name or _ALL,
                pin.reason,
                pin.pinned_by,
                pin.pinned_at,
                pin.expires_at or _UNTIL["pin"],
            )
            for pin in found
        ),
    )


def show_stop(found: Stop, as_json: bool) -> None:
    """Print a stop that has begun."""
    if as_json:
        print_json(data_of(found))
    else:
        print_pairs(_values(found))


def show_ended(found: Stop, as_json: bool) -> None:
    """Print which stop has ended."""
    if as_json:
        print_json(data_of(found))
    else:
        print_line(f"{found.tool_name or _ALL}: {_ENDED[found.kind]}")


def show_rejected(found: RejectedVersion, as_json: bool) -> None:
    """Print the rejection, and what to do if the version is current."""
    if as_json:
        print_json(found.data())
        return
    print_pairs(_values(found.stop))
    if not found.is_current:
        return
    print_line(f"this version is current, and stays so; {_advice(found)}")


def _advice(found: RejectedVersion) -> str:
    if found.way_back is None:
        return "there is no trusted version to roll back to: deploy another one"
    tool, number = found.stop.tool_name, found.way_back.version_number
    return (
        f"`rollguard rollback {tool} v{number} --reason TEXT` rolls back to the nearest trusted one"
    )


def show_stops(found: Sequence[Stop], as_json: bool) -> None:
    """Print a line for each stop."""
    if as_json:
        print_json([data_of(each) for each in found])
        return
    print_table(
        ("kind", ("tool", "version"), ("reason", "by"), ("since", "until"), "ended"),
        (
            (
                each.kind,
                each.tool_name or _ALL,
                _version(each),
                each.reason,
                each.set_by,
                each.began_at,
                each.expires_at or _UNTIL[each.kind],
                ending_text(each),
            )
            for each in found
        ),
    )


def stop_texts(stops: Sequence[Stop]) -> list[str]:
    """Return a text for each stop: what it is, by whom, why, since and until when."""
    return [f"{stop_text(each)}{_comma(ending_text(each))}" for each in stops]


def ending_text(stop: Stop) -> str:
    """Say when and how a stop has ended; nothing if it is in force."""
    if stop.ended_at is None:
        return ""
    by = f" by {stop.ended_by}" if stop.ended_by else ""
    return f"{stop.ended_how} {time_text(stop.ended_at)}{by}"


def _comma(text: str) -> str:
    return text and f", {text}"


def _values(stop: Stop) -> dict[str, Any]:
    version = {"version": _version(stop)} if stop.kind == "rejection" else {}
    return {
        "kind": stop.kind,
        "tool": stop.tool_name or _ALL,
        **version,
        "reason": stop.reason,
        "by": stop.set_by,
        "since": stop.began_at,
        "until": stop.expires_at or _UNTIL[stop.kind],
    }


def _version(stop: Stop) -> str | None:
    if stop.version_id is None:
        return None
    return version_text(stop.version_number, stop.version_id)
