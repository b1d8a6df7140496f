"""Why a rollback was not carried out, in a sentence for a person."""

from collections.abc import Mapping
from typing import Final

from rollguard.value_texts import hold_text, version_text
from schemas.rollback import RollbackOutcome

_REJECTIONS: Final[Mapping[str, str]] = {
    "unknown_version": "{tool} has no version with the id {named}",
    "not_current": "the version that was to be replaced is not the current one of {tool}",
    "already_current": "{target} of {tool} is the current one already",
    "pinned": "the current version of {tool} is pinned",
    "expired": "nobody approved it in time",
    "dismissed": "a person dismissed it",
    "no_previous_version": "{tool} has no trusted version to go back to",
    "outage": "many tools failed at once, so the failures of {tool} say nothing about its version",
    "budget": "{tool} was rolled back automatically as often as it may be for now",
    "cooldown": "{tool} was rolled back automatically only just now",
}


def why_not_applied(
    outcome: RollbackOutcome, target: int | None, target_number: int | None = None
) -> str:
    """Return a sentence that says why a command was not applied.

    ``target`` is the id of the version that the command named, with its number if that is known;
    None if it named none.
    """
    tool = repr(outcome.tool_name)
    if outcome.status == "held":
        why = f" ({hold_text(outcome.hold_reason)})" if outcome.hold_reason else ""
        return f"waits for a person{why}: rollguard approve {outcome.command_id}"
    if outcome.status == "observed":
        return f"only observed: {tool} stays as it is"
    text = _REJECTIONS.get(outcome.rejection or "", "rejected: {rejection}")
    return text.format(
        tool=tool,
        target=version_text(target_number or outcome.to_version_number, target),
        named=target or outcome.from_version_id,
        rejection=outcome.rejection,
    )
