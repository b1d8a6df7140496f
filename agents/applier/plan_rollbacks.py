"""Plans for automatic rollbacks under policy `guarded`: the target, what it breaks, what stops it.

Made twice: before the tools' locks, so that code is compared while nobody waits, and under them,
where what was compared is known already, but for tools that were changed since.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from agents.applier.in_time import COMPARE_GROUP_S, those_in_time
from agents.comparer.code_comparer import CodeComparer
from db.postgres.pool import Connection, Pool, acquire
from db.rollbacks.plans import Plan, Standing, automatic_rollbacks, codes, undecided
from db.rollbacks.trust import Candidate, Leaving, Target, ways_back
from policy.breaking.finding import Finding, is_breaking, sentences
from policy.decision.policies import policy_for
from policy.decision.rollback_limits import rollback_limit
from policy.decision.targets import VersionCounts, choose_target, replaced_counts
from schemas.rollback import RollbackCommand, TargetChoice
from schemas.settings import Settings

CANDIDATES: Final = 16
"""So many trusted versions back are looked at for one that has earned its health."""


class _Way(NamedTuple):
    """A command, the version that it is about, and, where it names no target, the one chosen."""

    command: RollbackCommand
    current: Standing
    target: Target | None = None
    choice: TargetChoice | None = None

    @property
    def ends(self) -> tuple[int, int] | None:
        """The ids of the version that is left and of the one that it leads to, if to any."""
        to = self.command.to_version_id or (self.target and self.target.version_id)
        return None if to is None else (self.current.version_id, to)


class PlanRollbacks:
    """Plans for one group of commands, each of another tool."""

    def __init__(
        self, comparer: CodeComparer, settings: Settings, commands: Sequence[RollbackCommand]
    ) -> None:
        self._comparer = comparer
        self._commands = commands
        self._rules = {
            command.tool_name: rules
            for command in commands
            for rules in [settings.rules_of(command.tool_name)]
            if policy_for(rules).plans_rollbacks and command.tier != "manual"
        }
        """Of the tools for whose commands plans are made."""
        self._known: dict[tuple[int, int], list[Finding]] = {}
        """What the second version breaks against the first, by their ids: a version keeps its code.
        """

    async def begin(self, pool: Pool) -> Sequence[RollbackCommand]:
        """Compare for ``COMPARE_GROUP_S``; leave those commands that were not come to, and return
        the others. Raises Retryable.
        """
        if not self._rules:
            return self._commands
        async with acquire(pool) as conn:
            ways = {way.command.tool_name: way for way in await self._ways(conn)}
            code = await self._codes(conn, list(ways.values()))

        async def compare(command: RollbackCommand) -> None:
            if command.tool_name in ways:
                await self._findings(ways[command.tool_name], code)

        self._commands = await those_in_time(self._commands, compare, COMPARE_GROUP_S)
        return self._commands

    async def plans(self, conn: Connection) -> dict[str, Plan]:
        """The plans, by tool, for the commands that are still to be decided. Under the tools' locks
        they are of what is changed then. Raises Retryable.
        """
        ways = await self._ways(conn)
        code = await self._codes(conn, ways)
        asked = [(way.command, self._rules[way.command.tool_name]) for way in ways]
        before = await automatic_rollbacks(conn, asked)
        return {
            way.command.tool_name: self._plan(
                way, await self._findings(way, code), before.get(way.command.tool_name, ())
            )
            for way in ways
        }

    def _plan(self, way: _Way, findings: list[Finding], before: Sequence[datetime]) -> Plan:
        command, rules = way.command, self._rules[way.command.tool_name]
        breaks = is_breaking(findings)
        is_free = command.approved_by is not None  # a person has decided, and knows what it breaks
        return Plan(
            way.target,
            way.choice,
            sentences(findings),
            breaks,
            rollback_limit=None if is_free else rollback_limit(before, command.issued_at, rules),
            is_held=breaks and rules.hold_breaking_targets and not is_free,
        )

    async def _ways(self, conn: Connection) -> list[_Way]:
        commands = [each for each in self._commands if each.tool_name in self._rules]
        if not commands:
            return []
        standing = await undecided(conn, commands)
        commands = [each for each in commands if each.tool_name in standing]
        leaving = [
            Leaving(each.tool_name, current.version_id, current.code_hash)
            for each in commands
            if each.to_version_id is None
            for current in [standing[each.tool_name]]
        ]
        back = await ways_back(conn, leaving, CANDIDATES)
        return [
            self._way(each, standing[each.tool_name], back.get(each.tool_name, ()))
            for each in commands
        ]

    def _way(self, command: RollbackCommand, current: Standing, back: Sequence[Candidate]) -> _Way:
        seen = [VersionCounts(each.executions, each.successes) for each in back]
        recorded = VersionCounts(current.executions, current.successes)
        replaced = replaced_counts(command.details, recorded)
        chosen = choose_target(seen, replaced, self._rules[command.tool_name])
        if chosen is None:
            return _Way(command, current)
        candidate, choice = chosen
        return _Way(command, current, back[candidate].target, choice)

    async def _codes(self, conn: Connection, ways: Sequence[_Way]) -> Mapping[int, str]:
        """The code that is still to be compared, by the versions' ids."""
        return await codes(
            conn,
            [
                (way.command.tool_name, version_id)
                for way in ways
                if way.ends is not None and way.ends not in self._known
                for version_id in way.ends
            ],
        )

    async def _findings(self, way: _Way, code: Mapping[int, str]) -> list[Finding]:
        """What the target breaks; nothing where there is none, which is then rejected."""
        if way.ends is None:
            return []
        if way.ends not in self._known:
            old, new = map(code.get, way.ends)
            if new is None:
                return []
            self._known[way.ends] = await self._comparer.compare(old, new)
        return self._known[way.ends]
