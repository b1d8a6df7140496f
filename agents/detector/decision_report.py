"""The report of what a detector judged and decided, on ``/metrics`` and in its log."""

from collections import Counter as Counts
from collections.abc import Iterable, Mapping
from typing import Final, get_args

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram

from agents.detector.busiest_tools import BusiestTools
from agents.detector.outage_report import OutageReport
from agents.metrics.durations import FROM_1_MS, TwoClocks
from policy.decision.fold import DecidedCommand
from policy.decision.policies import Policies
from policy.decision.policy import Policy
from schemas.fields import micros_of
from schemas.rules.rules import PolicyName

log = structlog.get_logger()

_FROM_EXECUTION: Final = "execution_to_command"
_FROM_RECORD: Final = "record_to_command"


class DecisionReport:
    """Counts what a detector does with executions. Each batch is counted at once.

    A batch that is read again after a crash is counted again.
    """

    def __init__(
        self, registry: CollectorRegistry, outages: OutageReport, metrics_tools: int
    ) -> None:
        self.outages: Final = outages
        """The report of outages."""
        self.busiest: Final = BusiestTools(metrics_tools) if metrics_tools else None
        """What counts the executions of single tools, if somebody wants that."""
        if self.busiest is not None:
            registry.register(self.busiest)
        records = Counter(
            "rollguard_judged_records",
            "records of `tool-executions` that the detector has counted: executions, later "
            "verdicts and activations of tools that were deployed, by the policy of the tool",
            labelnames=["policy"],
            registry=registry,
        )
        self._records: Final[Mapping[str, Counter]] = {
            policy: records.labels(policy) for policy in get_args(PolicyName)
        }
        self._unknown = Counter(
            "rollguard_unknown_tool_executions",
            "executions of tools that were never deployed, which nobody judges",
            registry=registry,
        )
        self._commands = Counter(
            "rollguard_rollback_commands",
            "rollback commands that the detector published; `mode` is `enforce`, `hold` (a person "
            "decides), or `observe` (a dry run)",
            labelnames=["policy", "reason", "tier", "mode"],
            registry=registry,
        )
        self._from_execution = Histogram(
            "rollguard_execution_to_command_seconds",
            "time from the execution that decided (`issued_at` of the command: the time that "
            "engines gave the newest execution, or Kafka's of the record if that is earlier) until "
            "Kafka has acknowledged the command",
            buckets=FROM_1_MS,
            registry=registry,
        )
        self._from_record = Histogram(
            "rollguard_record_to_command_seconds",
            "time from the Kafka timestamp of the record that decided until Kafka has acknowledged "
            "the command",
            buckets=FROM_1_MS,
            registry=registry,
        )
        self._clocks = TwoClocks(registry, _FROM_EXECUTION, _FROM_RECORD)

    def judged(self, records: Mapping[Policy, int], unknown: int) -> None:
        """Count the records of a batch, by policy, and executions of tools that nobody deployed."""
        for policy, number in records.items():
            self._records[policy.rules.policy].inc(number)
        if unknown:
            self._unknown.inc(unknown)
            log.info("executions_of_unknown_tools", executions=unknown)

    def commanded(
        self, decided: Iterable[DecidedCommand], policies: Policies, acknowledged_s: float
    ) -> None:
        """Report commands that Kafka acknowledged at this time, in seconds since the epoch."""
        numbers: Counts[tuple[str, str, str, str]] = Counts()
        for _, at_ms, command in decided:
            mode = command.mode or "enforce"
            policy = policies.of(command.tool_name).rules.policy
            numbers[policy, command.reason, command.tier, mode] += 1
            since_s = acknowledged_s - micros_of(command.issued_at) / 1e6
            self._clocks.observe(_FROM_EXECUTION, self._from_execution, since_s)
            from_record_s = acknowledged_s - at_ms / 1_000
            self._clocks.observe(_FROM_RECORD, self._from_record, from_record_s)
            log.info(
                "rollback_commanded",
                tool=command.tool_name,
                from_version=command.from_version_id,
                activation=command.from_activation,
                tier=command.tier,
                reason=command.reason,
                executions=command.details["executions"],
                failures=command.details["failures"],
                command=str(command.command_id),
                latency_ms=round(from_record_s * 1_000, 1),
            )
        for labels, number in numbers.items():
            self._commands.labels(*labels).inc(number)
