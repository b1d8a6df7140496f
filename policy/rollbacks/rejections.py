"""The rejections of rollback commands, in the order in which they are given. Pure.

Postgres says what is (``db.rollbacks.facts``); the functions here say what follows from it.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from policy.decision.policies import policy_for
from policy.rollbacks.rollback_limits import rollback_limit
from schemas.rollback import Mode, Rejection, RollbackCommand, Status
from schemas.rules.rules import Rules

_STATUS_OF_MODE: Final[dict[Mode | None, Status]] = {
    None: "applied",
    "hold": "held",
    "observe": "observed",
}


class CurrentActivation(NamedTuple):
    """The version of a tool that is current, and which activation of the tool that is."""

    version_id: int
    activation: int


class CommandFacts(NamedTuple):
    """The facts about a command and its tool when the command is decided."""

    is_expired: bool = False
    """Whether the command was held and nobody answered it in time."""
    current: CurrentActivation | None = None
    """None for a tool without versions."""
    known_version_ids: Collection[int] = ()
    """The ids that the command names and that are ids of versions of its tool."""
    is_pinned: bool = False
    """Whether a pin of the tool is in force."""
    has_target: bool = True
    """Whether there is a version to roll back to. True until it is known that there is none. False,
    too, if an automatic command names a version whose code a person has rejected since."""
    is_outage: bool = False
    """Whether many tools of all partitions failed when the command was issued. False until it is
    read."""
    automatic_rollbacks: Sequence[datetime] = ()
    """When the applied automatic rollbacks of the tool were issued. Empty until they are read."""


def rejection_of(command: RollbackCommand, facts: CommandFacts, rules: Rules) -> Rejection | None:
    """Return the first rejection that holds, None if the command is not rejected.

    The order is that of the contract (sections 1 and 9). Facts that are not read yet have
    defaults that reject nothing, so a rejection that is found without them is final.
    """
    current = facts.current
    in_order: tuple[tuple[Rejection, bool], ...] = (
        ("expired", facts.is_expired),
        ("dismissed", command.dismissed_by is not None),
        ("unknown_version", not named_version_ids(command) <= set(facts.known_version_ids)),
        ("not_current", not _is_about(command, current)),
        ("no_previous_version", current is None),
        (
            "already_current",
            current is not None and command.to_version_id == current.version_id,
        ),
        ("pinned", facts.is_pinned and command.is_by_machine),
        ("no_previous_version", not facts.has_target),
    )
    for rejection, holds in in_order:
        if holds:
            return rejection
    if has_rollback_limits(command, rules):
        if facts.is_outage:
            return "outage"
        return rollback_limit(facts.automatic_rollbacks, command.issued_at, rules)
    return None


def status_of(command: RollbackCommand, is_breaking_change: bool, rules: Rules) -> Status:
    """Return the status of a command that is not rejected.

    A command that a person approves is applied. Otherwise its mode decides; a command without a
    mode is held if its target breaks callers and the rules of the tool hold such a rollback.
    """
    if command.is_answer:
        return "applied"
    mode = command.mode
    if mode is None and is_breaking_change and rules.hold_breaking_targets:
        mode = "hold"
    return _STATUS_OF_MODE[mode]


def named_version_ids(command: RollbackCommand) -> set[int]:
    """Return the ids of the versions that the command names: none, one or two."""
    named = command.from_version_id, command.to_version_id
    return {version_id for version_id in named if version_id is not None}


def is_planned(command: RollbackCommand, rules: Rules) -> bool:
    """Whether the policy of the tool plans the rollback: an automatic one under policy `guarded`.

    It then chooses the target, compares the code, and limits how often the tool is rolled back.
    """
    return command.tier != "manual" and policy_for(rules).plans_rollbacks


def has_rollback_limits(command: RollbackCommand, rules: Rules) -> bool:
    """Whether budget and cooldown limit the command: not if a person has approved it."""
    return command.is_by_machine and is_planned(command, rules)


def _is_about(command: RollbackCommand, current: CurrentActivation | None) -> bool:
    """Whether the version and the activation that the command names, if any, are current."""
    return command.from_version_id in (None, current and current.version_id) and (
        command.from_activation in (None, current and current.activation)
    )
