"""Decisions about a group of rollback commands, which are stored in one transaction."""

from collections.abc import Callable, Mapping, Sequence

from agents.applier.comparisons import CodePair, Comparisons
from agents.applier.rollbacks.fleet_brake import with_fleet_brake
from agents.applier.rollbacks.fleet_outages import with_outages
from agents.applier.rollbacks.pending_rollbacks import (
    PendingCommand,
    pending_commands,
    with_rollbacks,
    with_targets,
)
from agents.comparer.fair_comparer import FairComparer
from db.executions.queries import errors_of
from db.executions.verdicts import bad_verdicts_before
from db.postgres.locks import tool_transaction
from db.postgres.pool import Connection, Pool, acquire
from db.rollbacks.applying import Decision, TargetBreaks, apply_decisions
from db.rollbacks.facts import codes, stored_commands
from policy.breaking.finding import is_breaking, sentences
from policy.decision.rule_texts import WhyNot, why_not_by_limit, why_not_in_outage
from policy.deployments.stops import begins_wait
from policy.rollbacks.explanations import (
    DecidingVerdict,
    bad_verdicts_in,
    decided_by,
    explanation_of,
    most_frequent,
    verdict_that_decided,
)
from policy.rollbacks.rejections import is_planned, status_of
from schemas.explanation import Explanation, SeenError
from schemas.rollback import RollbackCommand, RollbackOutcome
from schemas.rules.fleet import FleetRules
from schemas.rules.outages import OutageRules
from schemas.rules.rules import Rules


class DecideRollbacks:
    """Decides and applies one group of commands, each of another tool."""

    def __init__(
        self,
        comparer: FairComparer,
        rules_of: Callable[[str], Rules],
        commands: Sequence[RollbackCommand],
        errors: Mapping[str, Sequence[SeenError]],
        fleet: FleetRules,
        outages: OutageRules,
        decided: Callable[[], None],
    ) -> None:
        """``errors`` are those that the commands came with, by tool.

        ``decided`` is called when the commands are decided, before the decisions are stored.
        """
        self._decided = decided
        self._errors = errors
        self._rules_of = rules_of
        self._commands = commands
        self._fleet = fleet
        self._outages = outages
        self._comparisons = Comparisons(comparer)

    async def compare(self, pool: Pool) -> None:
        """Compare the code of targets under policy `guarded`, before the tools are locked.

        Raises Retryable, and NotCompared (``agents.applier.comparisons``).
        """
        planned = [
            each for each in self._commands if is_planned(each, self._rules_of(each.tool_name))
        ]
        if not planned:
            return
        async with acquire(pool) as conn:
            stored = await stored_commands(conn, planned)
            pending = await with_targets(conn, pending_commands(planned, stored, self._rules_of))
            pairs = await self._pairs(conn, pending)
        await self._comparisons.compare(pairs)

    async def roll_back(self, conn: Connection) -> list[RollbackOutcome]:
        """Apply the commands in one transaction, all of them or none; return their outcomes.

        A command that has an outcome already changes nothing and gets the same outcome again. The
        exceptions are held commands that a person answers now, or whose time to be answered is
        over. Raises Retryable, and NotCompared if code must be compared that was not compared
        before the tools were locked.
        """
        tools = [command.tool_name for command in self._commands]
        assert len(set(tools)) == len(tools), "commands of one tool need an order"
        async with tool_transaction(conn, *tools):
            stored = await stored_commands(conn, self._commands)
            outcomes = {tool: each.outcome for tool, each in stored.items()}
            pending = pending_commands(self._commands, stored, self._rules_of)
            decisions = await self._decide(conn, pending) if pending else []
            self._decided()
            if decisions:
                outcomes |= await apply_decisions(conn, decisions)
        return [outcomes[tool] for tool in tools]

    async def _decide(self, conn: Connection, pending: Sequence[PendingCommand]) -> list[Decision]:
        known = await with_outages(conn, await with_targets(conn, pending), self._outages)
        known = await with_rollbacks(conn, known)
        self._comparisons.require(await self._pairs(conn, known))
        decisions = [self._decision(each, await self._explanation(conn, each)) for each in known]
        return await with_fleet_brake(conn, decisions, self._rules_of, self._fleet)

    async def _explanation(self, conn: Connection, pending: PendingCommand) -> Explanation | None:
        """Return what the command rests on; None if it is stored already, or a person's.

        Errors that the detector did not know are read from Postgres, as far as they are there.
        """
        command, verdicts = pending.command, list[DecidingVerdict]()
        if pending.is_held or command.tier == "manual":
            return None
        errors = self._errors.get(command.tool_name, ())
        if command.reason == "judged_bad":
            verdicts, errors = await _verdicts_of(conn, command, errors)
        elif not errors:
            ids = decided_by(command.details)
            errors = most_frequent(await errors_of(conn, command.tool_name, ids))
        breaks = () if pending.current is None else pending.current.breaking_changes
        return explanation_of(
            command, pending.rules, errors, breaks, verdicts, self._why_not(pending)
        )

    def _why_not(self, pending: PendingCommand) -> WhyNot | None:
        """Return the numbers because of which the command is rejected, if there are any."""
        match pending.rejection:
            case "outage":
                return why_not_in_outage(self._outages)
            case "budget" | "cooldown" as limit:
                return why_not_by_limit(limit, pending.rules)
            case _:
                return None

    def _decision(self, pending: PendingCommand, explanation: Explanation | None) -> Decision:
        if pending.rejection is not None:
            return Decision(
                pending.command,
                "rejected",
                pending.rejection,
                pending.is_held,
                explanation=explanation,
            )
        breaks = self._breaks(pending)
        return Decision(
            pending.command,
            status_of(pending.command, breaks is not None and breaks.is_breaking, pending.rules),
            None,
            pending.is_held,
            pending.current,
            pending.target,
            pending.choice,
            breaks,
            pending.rules.hold_expires_s,
            explanation,
            begins_wait=begins_wait(pending.command.tier, pending.rules),
        )

    def _breaks(self, pending: PendingCommand) -> TargetBreaks | None:
        """Return what the target breaks; None if its code is not compared."""
        if not pending.is_compared:
            return None
        found = self._comparisons.known_findings(pending.version_ids)
        return TargetBreaks(is_breaking(found), sentences(found))

    async def _pairs(
        self, conn: Connection, pending: Sequence[PendingCommand]
    ) -> Mapping[str, CodePair]:
        """Return the code that must still be compared, by tool; none for a rejected command."""
        missing = {
            each.tool_name: each.version_ids
            for each in pending
            if each.is_compared
            and each.version_ids is not None
            and not self._comparisons.is_known(each.version_ids)
            and each.rejection is None
        }
        code = await codes(
            conn, [(tool, version_id) for tool, ids in missing.items() for version_id in ids]
        )
        return {
            tool: CodePair((current, target), code[current], code[target])
            for tool, (current, target) in missing.items()
            if current in code and target in code
        }


async def _verdicts_of(
    conn: Connection, command: RollbackCommand, seen: Sequence[SeenError]
) -> tuple[list[DecidingVerdict], list[SeenError]]:
    """Return the bad verdicts that decided, and why they were given.

    The newest of them comes with the command, and why it was given may be in ``seen``. Those before
    it are read from Postgres, as far as they are recorded.
    """
    newest = verdict_that_decided(command.details)
    verdicts, number = [newest] if newest else [], bad_verdicts_in(command.details)
    if command.from_version_id is None or number <= len(verdicts):
        return verdicts, list(seen)
    before = await bad_verdicts_before(
        conn,
        command.tool_name,
        command.from_version_id,
        newest and newest.verdict_id,
        number - len(verdicts),
    )
    verdicts += [DecidingVerdict(each.verdict_id, each.execution_id) for each in before]
    return verdicts, most_frequent((each.why for each in before if each.why), seen)
