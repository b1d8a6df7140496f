"""One run: the stack, the workload and the faults, and then the audit."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from schemas.rules.rules import PolicyName
from tests.chaos.audit.check import violations
from tests.chaos.audit.final_state import read_final_state
from tests.chaos.audit.invariants.violation import Violation
from tests.chaos.audit.lag import wait_until_none
from tests.chaos.engines import Engines
from tests.chaos.faults import POSTGRES_REFUSED, inflict, schedule
from tests.chaos.person import Person
from tests.chaos.stack import PRODUCT, ROLES, Mode, Stack
from tests.chaos.workload import Workload

CATCH_UP_S = 180.0
"""The lag must be 0 within this time after the last fault."""
_CALM_S = 5.0
"""The workload goes on for this time after the last fault."""


@dataclass(frozen=True)
class Plan:
    """The settings of a run. The same seed gives the same workload and the same faults."""

    seed: int
    seconds: float
    tools: int = 200
    rate: float = 150.0
    refused_s: float = 60.0
    policy: PolicyName = "seed"
    signatures: Mode = "require"
    """If they are required, an attacker is at work."""


@dataclass
class Report:
    """The result of a run."""

    plan: Plan
    faults: Counter[str] = field(default_factory=Counter)
    records: int = 0
    executions: int = 0
    commands: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    """Why the detector issued commands."""
    verdicts: int = 0
    waits: Counter[str] = field(default_factory=Counter)
    """What became of deployments that were held."""
    poison: int = 0
    attacks: Counter[str] = field(default_factory=Counter)
    verbs: Counter[str] = field(default_factory=Counter)
    """How often a person used each verb."""
    forged: int = 0
    misplaced: int = 0
    copies: int = 0
    """How many records were forwarded, and how many copies there are of them."""
    refused: int = 0
    transactions: Counter[str] = field(default_factory=Counter)
    catch_up_s: float | None = None
    violations: list[Violation] = field(default_factory=list)
    events: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return not self.violations


async def run(plan: Plan, folder: Path, worker_program: Sequence[str] = PRODUCT) -> Report:
    """Run the plan, and write the logs and the ledger into the folder."""
    report = Report(plan)
    keep_rows = plan.seed % 2 == 1  # detectors keep them on disk, or read their changelog
    async with (
        Stack(
            folder,
            worker_program,
            keep_rows=keep_rows,
            policy=plan.policy,
            signatures=plan.signatures,
        ) as stack,
        Engines(stack.settings) as engines,
    ):
        begin = time.monotonic()
        stack.say = lambda text: _note(report, begin, text)  # type: ignore[method-assign]
        for role in ROLES:
            stack.add(role)
        workload = Workload(stack.settings, engines, plan.seed, plan.tools, plan.rate)
        person = Person(stack.settings, engines, plan.seed)
        working = asyncio.gather(workload.run(), person.run())
        try:
            await _cause_faults(plan, stack, report)
            await asyncio.sleep(_CALM_S)
        finally:
            workload.stop()
            person.stop()
            await working
        report.verbs = person.done
        await _judge(report, stack, workload, engines)
    _write_ledger(folder, report)
    return report


async def _cause_faults(plan: Plan, stack: Stack, report: Report) -> None:
    """Cause faults in rounds until the time is over; the first round is always complete."""
    faults = schedule(plan.seed, plan.refused_s)
    meanwhile: list[asyncio.Task[None]] = []
    end = time.monotonic() + plan.seconds
    await asyncio.sleep(5)
    is_first = True
    while is_first or time.monotonic() < end:
        for fault in faults.round():
            if not is_first and time.monotonic() > end:
                break
            stack.say(f"fault: {fault}")
            report.faults[fault.kind] += 1
            inflicted = inflict(fault, stack)
            if fault.kind == POSTGRES_REFUSED:
                meanwhile.append(asyncio.create_task(inflicted))
            else:
                await inflicted
            await asyncio.sleep(faults.pause_s())
        await asyncio.gather(*meanwhile)
        meanwhile.clear()
        is_first = False


async def _judge(report: Report, stack: Stack, workload: Workload, engines: Engines) -> None:
    stack.say("waiting until there is no lag")
    try:
        report.catch_up_s = await wait_until_none(stack.settings, CATCH_UP_S)
    except TimeoutError:
        text = f"not zero {CATCH_UP_S:.0f} s after the last fault"
        report.violations.append(Violation("lag", "all", "the groups", text))
    await asyncio.sleep(stack.refresh_s if stack.refresh_s < CATCH_UP_S else 0)
    stack.say("reading topics and tables")
    state = await read_final_state(
        stack.settings, stack.postgres.socket_dsn, stack.one("detector").url, engines
    )
    report.records = workload.sent
    report.transactions = workload.transactions.results
    report.executions = len(state.tables["executions"])
    report.commands = len(state.tables["rollbacks"])
    detected = {each.key: each for _, each in state.commands if each.issued_by == "detector"}
    report.reasons = Counter(each.reason for each in detected.values())
    report.waits = Counter(row["status"] for row in state.tables["held_deployments"])
    report.verdicts = len(state.tables["verdicts"])
    report.poison = len(state.poison)
    report.forged = state.forged
    report.misplaced, report.copies = len(state.misplaced), len(state.copies)
    report.refused = len({(each.topic, each.partition, each.offset) for each in state.dead_letters})
    if workload.attacker is not None:
        report.attacks = workload.attacker.attacks
    report.violations += violations(state, workload.acknowledged)
    report.violations += [
        Violation("restarts", *end, "ended by itself") for end in stack.unexpected_ends
    ]


def _note(report: Report, begin: float, text: str) -> None:
    line = f"{time.monotonic() - begin:7.1f} s  {text}"
    report.events.append(line)
    print(line, flush=True)


def _write_ledger(folder: Path, report: Report) -> None:
    """Write the run as lines of JSON: the plan, the events, and the violations."""
    with (folder / "ledger.jsonl").open("w") as ledger:
        for line in (
            {"seed": report.plan.seed, "plan": str(report.plan)},
            *({"event": event} for event in report.events),
            *({"violation": violation._asdict()} for violation in report.violations),
        ):
            print(json.dumps(line), file=ledger)
