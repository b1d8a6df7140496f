"""The traces of changes: the spans of what the applier does about a deployment or a command.

The members of a group are changed together, so they share the times. A group that fails is tried
again later; only the attempt that succeeds has spans, and what was before it is in the span `wait`.
"""

import time
from collections.abc import Sequence
from typing import Any, Final, Literal, NamedTuple

from agents.applier.waiting.attempts import Request, RequestMessage
from agents.traces.messaging import processing, sending
from agents.traces.span import Attributes
from agents.traces.tracer import Tracer, Work
from rollguard_client.traces import attributes as names
from rollguard_client.traces.context import trace_context_in
from schemas.deployment import Deployment, DeploymentOutcome
from schemas.rollback import RollbackOutcome
from schemas.settings import Settings
from streams.topics import Topics, group_of

Outcome = DeploymentOutcome | RollbackOutcome
Sent = Literal["activation", "version", "outcome"]
Step = Literal["decided", "committed", "activation", "version", "outcome"]
SENT: Final[Sequence[Sent]] = ("activation", "version", "outcome")
"""What is published of a change, in its order."""

_DATABASE: Final[Attributes] = {"db.system.name": "postgresql", "db.operation.name": "COMMIT"}


class _Source(NamedTuple):
    """Where a change was asked for, as the conventions for messaging want it."""

    topic: str
    partition: int
    offset: int


class TraceChanges:
    """Begins the traces of groups of changes."""

    def __init__(self, tracer: Tracer, settings: Settings) -> None:
        self._tracer = tracer
        self._topics = Topics.of(settings)
        self._group = group_of(settings, "applier")

    def begin(self, group: Sequence[Request[RequestMessage]]) -> "GroupTrace":
        """Return the trace of a group, an attempt at which begins now."""
        return GroupTrace(self._tracer, self._topics, self._group, group)


class GroupTrace:
    """The times of one attempt at a group, and the headers of what is published of it."""

    def __init__(
        self,
        tracer: Tracer,
        topics: Topics,
        consumer_group: str,
        group: Sequence[Request[Any]],
    ) -> None:
        self._tracer = tracer
        self._topics = topics
        self._consumer_group = consumer_group
        self._work = {each.tool_name: _work_of(tracer, each) for each in group}
        self._requests = {each.tool_name: each for each in group}
        self._began_ns = time.time_ns()
        self._reached_ns: dict[Step, int] = {}
        self._sent: set[tuple[str, Sent]] = set()

    def reached(self, step: Step) -> None:
        """Note that this is done for all members now."""
        self._reached_ns[step] = time.time_ns()

    def headers(self, tool_name: str, sent: Sent) -> list[tuple[str, bytes]]:
        """Return the headers of a record that is published about a member, and note that it is."""
        self._sent.add((tool_name, sent))
        return self._work[tool_name].part(sent).headers

    def end(self, outcomes: Sequence[Outcome]) -> None:
        """Make the spans of the members, each of which has an outcome."""
        now_ns = time.time_ns()
        for outcome in outcomes:
            request, work = self._requests[outcome.tool_name], self._work[outcome.tool_name]
            if work.has_span:
                about = _about(outcome)
                self._end_processing(request, work, about, now_ns)
                self._end_parts(request, work, about)
                self._end_sending(request, work, about)

    def _end_processing(
        self, request: Request[Any], work: Work, about: Attributes, now_ns: int
    ) -> None:
        topic, _ = self._topics_of(request)
        source = _Source(topic, request.partition, request.offset)
        attributes = processing(source, self._consumer_group), about
        begin_ns = _begin_ns(request)
        self._tracer.end(work, f"process {topic}", "consumer", begin_ns, now_ns, attributes)

    def _end_parts(self, request: Request[Any], work: Work, about: Attributes) -> None:
        began_ns, decided_ns = self._began_ns, self._reached_ns["decided"]
        committed_ns = self._reached_ns["committed"]
        end = self._tracer.end
        end(work.part("wait"), "wait", "internal", _begin_ns(request), began_ns, (about,))
        end(work.part("decide"), "decide", "internal", began_ns, decided_ns, (about,))
        commit = work.part("commit")
        end(commit, "commit", "client", decided_ns, committed_ns, (_DATABASE, about))

    def _end_sending(self, request: Request[Any], work: Work, about: Attributes) -> None:
        _, outcomes = self._topics_of(request)
        tool_name, began_ns = request.tool_name, self._reached_ns["committed"]
        to = {
            "activation": self._topics.executions,
            "version": self._topics.versions,
            "outcome": outcomes,
        }
        for sent in SENT:
            if (tool_name, sent) in self._sent:
                topic, sent_ns = to[sent], self._reached_ns[sent]
                attributes = sending(topic, tool_name), about
                self._tracer.end(
                    work.part(sent), f"send {topic}", "producer", began_ns, sent_ns, attributes
                )
                began_ns = sent_ns

    def _topics_of(self, request: Request[Any]) -> tuple[str, str]:
        """Return the topic of a request, and that of its outcome."""
        if isinstance(request.message, Deployment):
            return self._topics.deployments, self._topics.deployment_outcomes
        return self._topics.commands, self._topics.outcomes


def _begin_ns(request: Request[Any]) -> int:
    return request.at_ms * 1_000_000


def _work_of(tracer: Tracer, request: Request[RequestMessage]) -> Work:
    asked, place = type(request.message).__name__, f"{request.partition}/{request.offset}"
    name = f"{asked} {request.tool_name} {place} {request.at_ms}"
    return tracer.work(name, trace_context_in(request.headers))


def _about(outcome: Outcome) -> Attributes:
    about: dict[str, str | int | None] = {
        names.TOOL: outcome.tool_name,
        names.OUTCOME: outcome.status,
    }
    if isinstance(outcome, RollbackOutcome):
        about |= {
            names.COMMAND_ID: str(outcome.command_id),
            names.REASON: outcome.reason,
            names.TIER: outcome.tier,
            names.REJECTION: outcome.rejection,
            names.FROM_VERSION: outcome.from_version_id,
            names.TO_VERSION: outcome.to_version_id,
        }
    else:
        about |= {
            names.DEPLOYMENT_ID: str(outcome.deployment_id),
            names.VERSION: outcome.version_id,
        }
    return {name: value for name, value in about.items() if value is not None}
