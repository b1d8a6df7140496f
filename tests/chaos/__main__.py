"""``python -m tests.chaos``: one run for each seed; the exit code is 1 if an invariant broke."""

import asyncio
import logging
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import structlog
import typer

from schemas.rules.rules import PolicyName
from tests.chaos.run import Plan, Report, run
from tests.chaos.stack import Mode


def main(
    seed: Annotated[
        list[int] | None, typer.Option(help="May be repeated. Without it a new seed is drawn.")
    ] = None,
    seconds: Annotated[float, typer.Option(help="How long faults are caused.")] = 120,
    tools: int = 200,
    rate: Annotated[float, typer.Option(help="Records per second.")] = 150,
    refused_s: Annotated[
        float, typer.Option(help="How long connections to Postgres are refused.")
    ] = 60,
    policy: Annotated[PolicyName, typer.Option(help="The policy of all tools.")] = "seed",
    signatures: Annotated[
        Mode, typer.Option(help="Whether they are required. If so, an attacker is at work.")
    ] = "require",
    keep: Annotated[bool, typer.Option(help="Keep the folder even if the run passed.")] = False,
) -> None:
    """Cause every kind of fault, then audit the results."""
    failed = False
    for each in seed or [random.SystemRandom().randrange(10**6)]:
        plan = Plan(each, seconds, tools, rate, refused_s, policy, signatures)
        folder = Path(tempfile.mkdtemp(prefix=f"rollguard-chaos-{each}-"))
        logging.basicConfig(filename=folder / "harness.log", force=True)
        structlog.configure(logger_factory=structlog.stdlib.LoggerFactory())
        print(f"seed {each}: {plan}", flush=True)
        begin = time.monotonic()
        report = asyncio.run(run(plan, folder))
        _print(report, time.monotonic() - begin)
        if report.passed and not keep:
            shutil.rmtree(folder)
        else:
            print(f"logs and ledger: {folder}")
        failed = failed or not report.passed
    sys.exit(failed)


def _print(report: Report, took_s: float) -> None:
    print(f"seed {report.plan.seed}, {took_s:.0f} s: {report.faults.total()} faults:")
    for kind, count in sorted(report.faults.items()):
        print(f"  {count:3} {kind}")
    print(
        f"checked {report.executions} executions and {report.verdicts} verdicts of "
        f"{report.records} records sent, {report.commands} rollback commands, "
        f"{report.poison} poison, transactions "
        f"{dict(report.transactions)}; "
        f"no lag after {report.catch_up_s or float('nan'):.1f} s"
    )
    verbs = ", ".join(f"{verb} {times}" for verb, times in sorted(report.verbs.items()))
    print(f"a person used verbs {report.verbs.total()} times: {verbs}")
    print(f"the detector commanded because of {dict(report.reasons)}")
    print(f"held deployments: {dict(report.waits)}")
    if report.attacks:
        print(f"{report.attacks.total()} attacks with {report.forged} forged records:")
        for kind, count in sorted(report.attacks.items()):
            print(f"  {count:3} {kind}")
    print(f"{report.misplaced} records were forwarded, {report.copies} times")
    print(f"{report.refused} records were refused")
    for violation in report.violations[:50]:
        print(f"  BROKEN {violation}")
    print("every invariant held" if report.passed else f"{len(report.violations)} violations")


if __name__ == "__main__":
    typer.run(main)
