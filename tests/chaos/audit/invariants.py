"""What must hold after a run, whatever happened in it. Each check yields what it found broken."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec
from aiokafka.structs import ConsumerRecord

from schemas.execution import Activation, Execution
from schemas.rollback import RollbackCommand
from tests.chaos.audit.books import Books, refused_id
from tests.chaos.audit.expected import expected_of_guarded, expected_of_seed


class Violation(NamedTuple):
    """Which invariant broke, for which tool (or topic), where, and how."""

    invariant: str
    tool: str
    where: str
    text: str

    def __str__(self) -> str:
        return f"{self.invariant}: {self.tool} at {self.where}: {self.text}"


Check = Callable[[Books], Iterator[Violation]]


def violations(books: Books, acknowledged: dict[str, set[UUID]]) -> list[Violation]:
    """All that is broken; empty is what it must be."""
    found = [violation for check in CHECKS for violation in check(books)]
    return found + list(_nothing_acknowledged_is_lost(books, acknowledged))


def _nothing_acknowledged_is_lost(
    books: Books, acknowledged: dict[str, set[UUID]]
) -> Iterator[Violation]:
    """The broker keeps its word: else nothing below means anything."""
    there = {
        "tool-executions": {
            entry.execution_id
            for log in books.logs.values()
            for _, entry in log
            if isinstance(entry, Execution)
        },
        "tool-deployments": {each.deployment_id for _, each in books.deployments},
        "rollback-commands": {each.command_id for _, each in books.commands},
    }
    for topic, ids in acknowledged.items():
        for lost in ids - there[topic]:
            yield Violation("broker", topic, str(lost), "acknowledged, but not in the topic")


def metrics(books: Books) -> Iterator[Violation]:
    """Per version, exactly what was published once for it; and each execution is stored once."""
    expected: dict[int, Counter[bool]] = defaultdict(Counter)
    stored = {row["execution_id"]: row for row in books.tables["executions"]}
    owner = {row["version_id"]: row["tool_name"] for row in books.tables["versions"]}
    for tool, log in books.logs.items():
        current: Activation | None = None
        seen: set[UUID] = set()
        for record, entry in log:
            if isinstance(entry, Activation):
                if current is None or current.activation < entry.activation:
                    current = entry
                continue
            if entry.execution_id in seen:
                continue
            seen.add(entry.execution_id)
            version_id = entry.version_id or (current.version_id if current else None)
            if version_id is not None and owner.get(version_id) == tool:
                expected[version_id][entry.success] += 1
            row = stored.pop(entry.execution_id, None)
            where = f"{record.partition}:{record.offset}"
            if row is None:
                yield Violation("metrics", tool, where, f"{entry.execution_id} is not stored")
            elif (row["version_id"], row["success"]) != (version_id, entry.success):
                text = f"stored as {row['version_id']}, {row['success']}; is {version_id}"
                yield Violation("metrics", tool, where, text)
    for row in stored.values():
        yield Violation("metrics", row["tool_name"], str(row["execution_id"]), "is not in the log")
    for row in books.tables["versions"]:
        counts = expected[row["version_id"]]
        rate = counts[True] / counts.total() if counts.total() else None
        if (row["total_executions"], row["success_rate"]) != (counts.total(), rate):
            yield Violation(
                "metrics",
                row["tool_name"],
                f"version {row['version_id']}",
                f"{row['total_executions']}, {row['success_rate']} in Postgres; "
                f"{counts.total()}, {rate} by the log",
            )


def decisions(books: Books) -> Iterator[Violation]:
    """The commands are those that the policy demands of each log, with the same details; and the
    detector's windows are what its log says.
    """
    issued: dict[str, dict[UUID, RollbackCommand]] = defaultdict(dict)
    for record, command in books.commands:
        if command.issued_by != "detector":
            continue
        known = issued[command.tool_name].setdefault(command.command_id, command)
        if known != command:
            where = f"{record.partition}:{record.offset}"
            text = f"{command.command_id} was issued before, otherwise"
            yield Violation("decisions", command.tool_name, where, text)
    demands = expected_of_seed if books.settings.rules.policy == "seed" else expected_of_guarded
    for tool, expected in demands(books):
        there = issued.pop(tool, {})
        for record, demanded in expected.commands:
            where = f"{record.partition}:{record.offset}"
            answer = there.get(demanded.command_id)
            if answer is None:
                text = f"{demanded.reason} demands {demanded.command_id}: not commanded"
                yield Violation("decisions", tool, where, text)
            elif answer != demanded:
                yield Violation("decisions", tool, where, f"commanded {answer}, not {demanded}")
            there.pop(demanded.command_id, demanded)
        for command in there.values():
            yield Violation("decisions", tool, str(command.command_id), "no rule demands it")
        found = expected.shown_in(books.health.get(tool, {}))
        if found != expected.health:
            yield Violation("windows", tool, "the table", f"{found}, not {expected.health}")
    for tool, rest in issued.items():
        yield Violation("decisions", tool, str(list(rest)), "commanded for a tool without a log")


def outcomes(books: Books) -> Iterator[Violation]:
    """Each command and each deployment has one outcome, the same in the topic and in Postgres."""
    commands = {command.command_id: command.tool_name for _, command in books.commands}
    rows = {
        row["command_id"]: (row["status"], row["rejection"]) for row in books.tables["rollbacks"]
    }
    said = _said(
        (each.command_id, (each.status, each.rejection)) for each in books.rollback_outcomes
    )
    yield from _same("command", commands, rows, said)
    deployments = {each.deployment_id: each.tool_name for _, each in books.deployments}
    for _, record in books.poison.values():
        if record.topic == "tool-deployments" and (bad := refused_id(record)) is not None:
            deployments[bad] = "?"
    kept = {row["deployment_id"]: row["outcome"] for row in books.tables["deployments"]}
    told = _said((each.deployment_id, each.model_dump_json()) for each in books.deployment_outcomes)
    yield from _same("deployment", deployments, kept, told)


def _said(outcomes: Iterable[tuple[UUID, Any]]) -> dict[UUID, set[Any]]:
    said = defaultdict(set)
    for of, outcome in outcomes:
        said[of].add(outcome)
    return said


def _same(
    kind: str, asked: dict[UUID, str], kept: dict[UUID, Any], said: dict[UUID, set[Any]]
) -> Iterator[Violation]:
    for each, tool in asked.items():
        if each not in kept:
            yield Violation("outcomes", tool, f"{kind} {each}", "has no row in Postgres")
        if len(said.get(each, ())) != 1:
            text = f"has {len(said.get(each, ()))} different outcomes"
            yield Violation("outcomes", tool, f"{kind} {each}", text)
        elif kind == "command" and said[each] != {kept.get(each)}:
            text = f"{said[each]} in the topic, {kept.get(each)} in Postgres"
            yield Violation("outcomes", tool, f"{kind} {each}", text)
    for stray in (kept.keys() | said.keys()) - asked.keys():
        yield Violation("outcomes", "?", f"{kind} {stray}", "nobody asked for it")


def versions(books: Books) -> Iterator[Violation]:
    """`tool-versions` says what Postgres says: to a reader who keeps the largest activation, and to
    one who comes after compaction; numbers have no gaps; one version is current.
    """
    newest: dict[str, Any] = {}
    last: dict[str, Any] = {}
    for _, version in books.versions:
        tool = version.tool_name
        last[tool] = version
        if tool not in newest or newest[tool].activation < version.activation:
            newest[tool] = version
    rows: dict[str, list[Any]] = defaultdict(list)
    for row in books.tables["versions"]:
        rows[row["tool_name"]].append(row)
    for tool in rows.keys() | newest.keys():
        numbers = [row["version_number"] for row in rows[tool]]
        if numbers != list(range(1, len(numbers) + 1)):
            yield Violation("versions", tool, "Postgres", f"numbers {numbers}")
        current = [row for row in rows[tool] if row["is_current"]]
        if len(current) != 1:
            yield Violation("versions", tool, "Postgres", f"{len(current)} are current")
            continue
        for name, said in (("the topic", newest.get(tool)), ("its last record", last.get(tool))):
            if said is None or any(
                getattr(said, column) != current[0][column]
                for column in ("version_id", "version_number", "activation", "code", "code_hash")
            ):
                shown = said and (said.version_id, said.activation)
                kept = (current[0]["version_id"], current[0]["activation"])
                yield Violation("versions", tool, name, f"says {shown}, Postgres {kept}")


def rows(books: Books) -> Iterator[Violation]:
    """What compaction keeps of the detector's table, each tool's last row, is the one that has read
    furthest. A row is an array that begins with the offset.
    """
    furthest: dict[tuple[int, bytes], int] = {}
    last: dict[tuple[int, bytes], tuple[int, ConsumerRecord]] = {}
    for record in books.rows:
        read_to = msgspec.msgpack.decode(record.value)[0]
        place = record.partition, record.key  # each partition has a row of what is known of outages
        furthest[place] = max(read_to, furthest.get(place, -1))
        last[place] = read_to, record
    for place, (read_to, record) in last.items():
        if read_to != furthest[place]:
            where = f"{record.partition}:{record.offset} of the changelog"
            text = f"has read to {read_to}, an earlier row to {furthest[place]}"
            yield Violation("rows", record.key.decode(), where, text)


def dead_letters(books: Books) -> Iterator[Violation]:
    """Exactly the poison, each at least once, with the right cause."""
    causes = defaultdict(list)
    for dead_letter in books.dead_letters:
        causes[(dead_letter.topic, dead_letter.partition, dead_letter.offset)].append(
            dead_letter.error
        )
    for place, (cause, _) in books.poison.items():
        errors = causes.pop(place, [])
        where = f"{place[1]}:{place[2]}"
        if not errors:
            yield Violation("dead letters", place[0], where, f"poison ({cause}) has no dead letter")
        for error in errors:
            if cause not in error:
                yield Violation("dead letters", place[0], where, f"{error!r} is not about {cause}")
    for place, errors in causes.items():
        where = f"{place[1]}:{place[2]}"
        yield Violation("dead letters", place[0], where, f"good, but rejected: {errors[0]}")


CHECKS: Final[tuple[Check, ...]] = (metrics, decisions, outcomes, versions, rows, dead_letters)
