"""Logs of a partition in which everything happens that the log can say of an execution."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final
from uuid import UUID

from schemas.execution import Activation
from schemas.fields import time_of
from schemas.later_verdict import LaterVerdict
from schemas.rollback import automatic_command_id
from schemas.rules.rules import PolicyName
from schemas.settings import Settings, load_settings
from tests.support.policy.partition_logs import BEGIN_MS, ORIGINS, PartitionLogWriter, Record

SEED_TOOL: Final = "tool-0"
"""This tool has policy `seed`, whatever the others have."""
_STEPS: Final = 700
_ERRORS: Final = ("KeyError", "TypeError", "ValueError", "TimeoutError")


def mixed_settings(policy: PolicyName) -> Settings:
    """Return settings under which few executions condemn a version, by each test."""
    return load_settings(
        policy=policy,
        alpha=0.05,
        signature_alpha=0.05,
        false_alarm_executions=30,
        judged_bad_alpha=0.3,
        slower_alpha=0.3,
        slower_tolerance=1.0,
        warm_up_executions=1,
        baseline_executions=3,
        compared_span_s=300,
        enforce=("costlier",),
        caller_errors=("ValueError",),
        environment_errors=("TimeoutError",),
        tools={SEED_TOOL: {"policy": "seed"}},
    )


@dataclass
class _Tool:
    """What a tool does at the moment."""

    name: str
    activation: Activation
    fails: float = 0.0
    slow: int = 1
    dear: int = 1
    bad: float = 0.0
    judged: int = 0
    versions: list[int] = field(default_factory=lambda: [1])


class _MixedLog:
    def __init__(self, seed: str, tools: Sequence[str]) -> None:
        self._random = Random(seed)
        self.writer = PartitionLogWriter()
        self._at_ms = BEGIN_MS
        self._tools = [_Tool(name, self.writer.deploy(name, BEGIN_MS)) for name in tools]
        self._is_outage = False

    def step(self) -> None:
        random, tool = self._random, self._random.choice(self._tools)
        self._at_ms += random.choice((0, 100, 1_000, 4_000))
        what = random.random()
        if what < 0.01:
            self._is_outage = random.random() < 0.2
        elif what < 0.03:
            self._activate(tool)
        elif what < 0.035:
            self._answer(tool)
        elif what < 0.2:
            self._judge(tool)
        else:
            self._run(tool)

    def _activate(self, tool: _Tool) -> None:
        random = self._random
        if random.random() < 0.7:
            tool.activation = self.writer.deploy(tool.name, self._at_ms)
            tool.versions.append(tool.activation.version_id)
        else:
            version = random.choice(tool.versions)
            tool.activation = self.writer.deploy(tool.name, self._at_ms, "rollback", version)
        tool.fails = random.choice((0.0, 0.0, 0.0, 0.05, 0.5, 1.0))
        tool.slow, tool.dear = random.choice((1, 1, 4)), random.choice((1, 1, 4))
        tool.bad = random.choice((0.0, 0.05, 0.9))

    def _answer(self, tool: _Tool) -> None:
        """Say that the first command about the activation was dismissed, or withdrawn."""
        current = tool.activation
        of = current.tool_name, current.version_id, current.activation
        said = {self._random.choice(("dismissed", "outage")): automatic_command_id(*of, 1)}
        self.writer.append(self._at_ms, current.model_copy(update=said))

    def _judge(self, tool: _Tool) -> None:
        """Append a verdict: mostly a new one, on the current version, of just now."""
        random = self._random
        tool.judged += random.random() < 0.8
        verdict = LaterVerdict(
            verdict_id=UUID(int=max(tool.judged, 1)),
            execution_id=UUID(int=random.choice((len(self.writer.log), 10**9))),
            tool_name=tool.name,
            version_id=random.choice((*[tool.activation.version_id] * 6, 1, 999)),
            bad=random.random() < tool.bad,
            by="judge",
            judged_at=time_of((self._at_ms - random.choice((0, 0, 0, 60_000))) * 1_000),
        )
        self.writer.append(self._at_ms, verdict)

    def _run(self, tool: _Tool) -> None:
        random = self._random
        success = random.random() >= (0.9 if self._is_outage else tool.fails)
        self.writer.run(
            tool.name,
            self._at_ms,
            success,
            random.choice(_ERRORS),
            random.choice((None, "one", "two")),
            None if success else random.choice(ORIGINS),
            version_id=random.choice((None, tool.activation.version_id)),
            duration_ms=random.choice((None, *[100.0 * tool.slow * random.uniform(0.8, 1.2)] * 9)),
            cost=random.choice((None, *[tool.dear * random.uniform(0.9, 1.1)] * 4)),
        )


def mixed_log(seed: str, tools: Sequence[str]) -> list[Record]:
    """Return a random log of these tools.

    Versions fail, are slow or dear, and are judged bad; some failures are not the tool's.
    Verdicts come late, twice, and about unknown executions and versions. There are outages, and
    answers to commands.
    """
    log = _MixedLog(seed, tools)
    for _ in range(_STEPS):
        log.step()
    return log.writer.log
