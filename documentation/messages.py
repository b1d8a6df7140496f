"""The reference of the messages: fields, an example that is valid, and the JSON Schema."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from types import NoneType
from typing import Any, Final, NamedTuple, get_args
from uuid import UUID

from pydantic.fields import FieldInfo

from documentation.markdown import code, code_block, prose, table
from documentation.source import attribute_docstrings
from schemas.dead_letter import DeadLetter
from schemas.deployment import Deployment, DeploymentOutcome, ToolVersion, code_hash_of
from schemas.engine_report import EngineReport
from schemas.execution import ActivatedBy, Activation, Execution
from schemas.later_verdict import LaterVerdict, verdict_id_of
from schemas.message import Message
from schemas.outage_notice import OutageNotice
from schemas.rollback import RollbackCommand, RollbackOutcome, automatic_command_id

_CODE: Final = "def execute(text):\n    return text.split()\n"
_AT: Final = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
_DEPLOYMENT: Final = UUID("5f3d7c1e-52a4-4d8e-9f0a-3f2f6f1f0a01")
_EXECUTION: Final = UUID("0b9a7c54-8f3b-4c1d-a1de-2f6f3d9c7e02")
_COMMAND: Final = automatic_command_id("words", 2, 2, 1)
_MADE_CURRENT: Final = ActivatedBy(kind="deployment", id=_DEPLOYMENT)


class Example(NamedTuple):
    """A message of the contract with the topic in which it stands."""

    topic: str
    message: Message


def examples() -> tuple[Example, ...]:
    """Return one valid message of each kind, about one tool in one story."""
    return (
        Example("tool-executions", _execution()),
        Example("tool-executions", _activation()),
        Example("tool-executions", _verdict()),
        Example("tool-deployments", _deployment()),
        Example("deployment-outcomes", _deployment_outcome()),
        Example("tool-versions", _tool_version()),
        Example("rollback-commands", _command()),
        Example("rollback-outcomes", _outcome()),
        Example("engine-reports", _engine_report()),
        Example("outages", OutageNotice(outage_partition=3, began_at=_AT)),
        Example("dead-letters", _dead_letter()),
    )


def messages_reference() -> str:
    """Return a section for each kind of message."""
    return "\n\n".join(part for example in examples() for part in _section(example))


def _section(example: Example) -> Iterator[str]:
    kind = type(example.message)
    yield f"## {kind.__name__}"
    yield f"Topic: `{example.topic}`. {prose(kind.__doc__ or '')}"
    texts = attribute_docstrings(kind)
    yield table(
        ("field", "type", "required", "meaning"),
        [
            (
                code(name),
                _kind(field),
                "yes" if field.is_required() else "",
                prose(field.description or texts.get(name) or MEANINGS[name]),
            )
            for name, field in kind.model_fields.items()
        ],
    )
    value = json.loads(example.message.to_bytes())
    yield code_block("json", json.dumps(value, indent=2, ensure_ascii=False))
    schema = json.dumps(kind.model_json_schema(), indent=2, ensure_ascii=False)
    block = code_block("json", schema)
    yield '??? note "JSON Schema"\n' + "\n".join(f"    {line}" for line in block.splitlines())


def _kind(field: FieldInfo) -> str:
    def said(annotation: Any) -> str:
        if annotation is NoneType:
            return "null"
        arguments = get_args(annotation)
        if isinstance(annotation, type) and not arguments:
            return _JSON_NAMES.get(annotation.__name__, annotation.__name__)
        if "Literal" in str(annotation)[:16]:
            return " or ".join(code(json.dumps(each)) for each in arguments)
        if str(annotation).startswith("list"):
            return f"list of {said(arguments[0])}"
        if str(annotation).startswith("dict"):
            return "object"
        return " or ".join(dict.fromkeys(said(each) for each in arguments if _is_type(each)))

    return said(field.annotation)


MEANINGS: Final = {
    "accepted_breaks": "The changes that break callers and that the author intends.",
    "activated_at": "The time of the deployment, of the command, or of its approval.",
    "activated_by": "The deployment or rollback that made the version current: `kind` and `id`.",
    "activation": "The number of the activation; activations of a tool are numbered from 1.",
    "applied_at": "The time at which the applier decided.",
    "breaking_changes": "The breaking and the risky changes, one sentence each.",
    "code": "The source text of the tool.",
    "code_hash": "The SHA-256 of the code in UTF-8, in hexadecimal digits.",
    "command_id": "The id of the command, within its tool. For an automatic command it is derived "
    "from tool, version, activation and attempt.",
    "created_by": "Who made the version: a person or a machine.",
    "deployed_at": "The time of the deployment.",
    "deployment_id": "The id of the deployment, within its tool.",
    "details": "The numbers that the decision rests on.",
    "engine_id": "The engine: letters, digits, `.`, `_` and `-`, at most 200; no other process has "
    "the same.",
    "executed_at": "The time of the execution.",
    "execution_id": "The id of the execution, within its tool; each id counts once.",
    "from_activation": "The activation that the command is about; an automatic command has one.",
    "from_version_id": "The version that is rolled back.",
    "improvement_reason": "Why the version was made.",
    "improvement_type": "What kind of change it is, such as `initial` or `bug_fix`.",
    "is_breaking_change": "Whether a change breaks callers.",
    "issued_at": "The time of the decision; of an automatic command in the time of the executions.",
    "issued_by": "Who decided: `detector`, `monitor`, or the name of a person.",
    "judged_at": "The time of the verdict.",
    "kind": "Which kind of entry of the log it is.",
    "mode": "`hold`: the rollback waits for a person. `observe`: a dry run.",
    "offset": "The offset of the bad record.",
    "partition": "The partition of the bad record.",
    "previous_version_id": "The version that this one replaced when it was deployed.",
    "reason": "The rule that held, what the evidence showed (`regression`, `judged_bad`, `slower`, "
    "`costlier`), or `manual`.",
    "rejected_at": "The time at which the record was rejected.",
    "session_id": "The session in which the tool was called.",
    "success": "Whether the execution succeeded.",
    "tier": "How urgent the rule is; `manual` for a person's command.",
    "to_version_id": "The version that becomes current; without it, the applier chooses one.",
    "to_version_number": "The number of the version that becomes current.",
    "tool_name": "The name of the tool.",
    "version_id": "The id of the version; it is unique over all tools.",
    "version_number": "The number of the version; versions of a tool are numbered from 1.",
}
"""The meaning of fields whose classes say nothing about them."""
_JSON_NAMES: Final = {
    "str": "string",
    "bool": "boolean",
    "int": "integer",
    "float": "number",
    "datetime": "time",
    "UUID": "UUID",
}


def _is_type(each: object) -> bool:
    return isinstance(each, type) or bool(get_args(each))


def _execution() -> Execution:
    return Execution(
        execution_id=_EXECUTION,
        tool_name="words",
        version_id=2,
        success=False,
        error="TypeError: missing 1 required positional argument: 'limit'",
        error_type="TypeError",
        executed_at=_AT,
        duration_ms=1.5,
        cost=0.002,
        session_id="4711",
        engine_id="host-7.example-4711",
    )


def _verdict() -> LaterVerdict:
    return LaterVerdict(
        verdict_id=verdict_id_of(_EXECUTION, "judge-1"),
        execution_id=_EXECUTION,
        tool_name="words",
        version_id=2,
        bad=True,
        by="judge-1",
        why="the last word is missing",
        judged_at=_AT,
    )


def _activation() -> Activation:
    return Activation(
        tool_name="words",
        version_id=2,
        version_number=2,
        previous_version_id=1,
        code_hash=code_hash_of(_CODE),
        activation=2,
        activated_at=_AT,
        activated_by=_MADE_CURRENT,
    )


def _deployment() -> Deployment:
    return Deployment(
        deployment_id=_DEPLOYMENT,
        tool_name="words",
        code=_CODE,
        created_by="autonomous",
        improvement_type="bug_fix",
        improvement_reason="be faster",
        deployed_at=_AT,
    )


def _deployment_outcome() -> DeploymentOutcome:
    return DeploymentOutcome(
        deployment_id=_DEPLOYMENT,
        tool_name="words",
        status="created",
        version_id=2,
        version_number=2,
        activation=2,
        is_breaking_change=False,
        breaking_changes=[],
        applied_at=_AT,
    )


def _tool_version() -> ToolVersion:
    return ToolVersion(
        tool_name="words",
        version_id=2,
        version_number=2,
        code=_CODE,
        code_hash=code_hash_of(_CODE),
        created_by="autonomous",
        improvement_type="bug_fix",
        improvement_reason="be faster",
        previous_version_id=1,
        is_breaking_change=False,
        breaking_changes=[],
        deployment_id=_DEPLOYMENT,
        activation=2,
        activated_at=_AT,
        activated_by=_MADE_CURRENT,
    )


def _command() -> RollbackCommand:
    return RollbackCommand(
        command_id=_COMMAND,
        tool_name="words",
        from_version_id=2,
        from_activation=2,
        tier="immediate",
        reason="signature_change",
        details={"executions": 2, "failures": 2, "success_rate": 0.0, "baseline": None},
        issued_by="detector",
        issued_at=_AT,
    )


def _outcome() -> RollbackOutcome:
    return RollbackOutcome(
        command_id=_COMMAND,
        tool_name="words",
        status="applied",
        from_version_id=2,
        to_version_id=1,
        to_version_number=1,
        reason="signature_change",
        tier="immediate",
        applied_at=_AT,
    )


def _engine_report() -> EngineReport:
    return EngineReport(
        engine_id="host-7.example-4711",
        tool_name="words",
        version_id=2,
        version_number=2,
        activation=2,
        ok=False,
        error="ModuleNotFoundError: No module named 'words_of'",
        error_type="ModuleNotFoundError",
        loaded_at=_AT,
    )


def _dead_letter() -> DeadLetter:
    return DeadLetter(
        role="detector",
        topic="tool-executions",
        partition=2,
        offset=1042,
        key="d29yZHM=",
        value="bm90IEpTT04=",
        error="not valid JSON",
        rejected_at=_AT,
    )
