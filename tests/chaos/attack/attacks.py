"""The attacks: each makes records of what an attacker knows.

The attacker has what `docs/security.md` grants an engine: it writes to `tool-executions`,
`tool-deployments` and `rollback-commands`, and reads `tool-versions`. It has more than that: it
writes to `tool-versions`, has overheard records of honest producers, and has keys, but never one
that may say what it says.
"""

import json
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any, Final
from uuid import UUID

from aiokafka.structs import ConsumerRecord

from rollguard_client.signatures.header import HEADER as SIGNATURE
from rollguard_client.signatures.header import KafkaHeaders
from schemas.deployment import Deployment, ToolVersion, code_hash_of
from schemas.execution import Execution
from schemas.rollback import MAX_DETAILS_BYTES, RollbackCommand, automatic_command_id
from signatures.statements import SignedMessage
from tests.chaos.attack.forgeries import Forgery, refused, refused_value, signature_in, unused
from tests.chaos.attack.keys import signature_of
from tests.support.inputs.hostile import HOSTILE
from tests.support.inputs.messages import command_by_ann

GREATEST: Final = 2**31 - 1
EVIL: Final = "# fails 1.0 TypeError\nFORGED = True\n"
"""Code that would be rolled back, and that no engine may ever load."""
INVENTED: Final = (
    *(f"nobody-{number}" for number in range(40)),
    *(f"nobody{each}[35m" for each in sorted(HOSTILE - {"\0", "\ud800"})),
)
"""Names of tools that nobody has deployed; some would give commands to a terminal."""


@dataclass
class Knowledge:
    """The facts that the attacker knows."""

    versions: Mapping[str, ToolVersion]
    """The version of each tool that engines have in use."""
    version_records: deque[ConsumerRecord] = field(default_factory=lambda: deque(maxlen=500))
    """Records of `tool-versions`, with the signatures of the applier."""
    overheard: deque[Forgery] = field(default_factory=lambda: deque(maxlen=200))
    """Signed records of honest producers, whole."""

    def signature_for(self, topic: str, draw: Random) -> KafkaHeaders:
        """Return the signature of another record that this topic holds or follows from."""
        if topic in ("tool-executions", "tool-versions"):
            found = [signature_in(each.headers) for each in self.version_records]
        else:
            found = [signature_in(each.headers) for each in self.overheard if each.topic == topic]
        return draw.choice(found) if found else []


Attack = Callable[[Knowledge, str, Random], Awaitable[Sequence[Forgery]]]


async def _wrongly_signed(
    known: Knowledge, topic: str, message: SignedMessage, draw: Random, *others: str
) -> tuple[str, KafkaHeaders]:
    """Return headers that do not verify, and why. ``others`` are keys of other roles."""
    value, way = message.to_bytes(), draw.randrange(6)
    if way == 0:
        return "is not in the trust file", await signature_of(message, value, "stranger")
    if way == 1:
        return "is of the role", await signature_of(message, value, draw.choice(others))
    if way == 2:
        return "has 2 signatures", 2 * await signature_of(message, value, "stranger")
    if way == 3:
        return f"{SIGNATURE}: ", [(SIGNATURE, b'{"keyid": "\xff')]
    if way == 4 and (signature := known.signature_for(topic, draw)):
        return "is not one of this record", signature
    return "no signature", []


async def deploy(known: Knowledge, tool: str, draw: Random) -> Sequence[Forgery]:
    """Deploy in the name of somebody else, or another author's tool."""
    message, topic = _deployment(tool, draw), "tool-deployments"
    cause, signature = await _wrongly_signed(known, topic, message, draw, "applier", "detector")
    if draw.random() < 0.2:
        cause = "may not deploy"
        signature = await signature_of(message, message.to_bytes(), "robot")
    return [refused(topic, message, cause, signature, tool)]


async def activate(known: Knowledge, tool: str, draw: Random) -> Sequence[Forgery]:
    """Blind the detector and the recorder, for as long as nobody reaches this activation."""
    current = known.versions.get(tool)
    if current is None:
        return []
    message = current.as_activation().model_copy(
        update={
            "activation": draw.choice((_next(current), GREATEST)),
            "version_id": draw.choice((current.version_id + 1, 1, GREATEST)),
            "adopts": draw.choice((None, True)),
        }
    )
    topic = "tool-executions"
    cause, signature = await _wrongly_signed(known, topic, message, draw, "ann", "detector")
    return [refused(topic, message, cause, signature, tool)]


async def publish_version(known: Knowledge, tool: str, draw: Random) -> Sequence[Forgery]:
    """Run code on every engine, bring back an old version, or remove a tool."""
    current = known.versions.get(tool)
    if current is None:
        return []
    if draw.random() < 0.2:
        return [unused(tool, None, [])]
    if draw.random() < 0.3:
        old = draw.choice(known.version_records) if known.version_records else None
        return [] if old is None else [unused(old.key.decode(), old.value, list(old.headers))]
    message = current.model_copy(
        update={
            "activation": draw.choice((_next(current), GREATEST)),
            "code": EVIL,
            "code_hash": draw.choice((code_hash_of(EVIL), current.code_hash)),
        }
    )
    _, signature = await _wrongly_signed(known, "tool-versions", message, draw, "ann", "detector")
    return [unused(tool, message.to_bytes(), signature)]


async def command(known: Knowledge, tool: str, draw: Random) -> Sequence[Forgery]:
    """Order a rollback in the name of a person or of the detector, or answer a held one.

    The id is the one that the detector gives to its next command, to stop that one.
    """
    current = known.versions.get(tool)
    if current is None:
        return []
    coming = draw.choice((current.activation, _next(current)))
    public = automatic_command_id(tool, current.version_id, coming, 1)
    by_person = draw.random() < 0.4
    answer = draw.choice(({}, {}, {"approved_by": "ann"}, {"dismissed_by": "ann"}))
    fields: dict[str, Any] = {"tier": "manual", "reason": "manual"}
    if not by_person:
        fields = {"tier": "fast", "reason": "complete_failure", "from_activation": coming}
    message = command_by_ann(
        tool,
        command_id=public,
        from_version_id=current.version_id,
        to_version_id=draw.choice((None, 1, GREATEST)),
        issued_by=draw.choice(("ann", "detector")),
        **fields,
        **answer,
    )
    others = ("detector", "applier") if message.is_answer or by_person else ("ann", "applier")
    topic = "rollback-commands"
    cause, signature = await _wrongly_signed(known, topic, message, draw, *others)
    if "this record" in cause and not (message.is_answer or by_person):
        cause = "is of the role"  # a person's signature was overheard
    return [refused(topic, message, cause, signature, tool)]


async def replay(known: Knowledge, tool: str, draw: Random) -> Sequence[Forgery]:
    """Send what an honest producer has signed once more: as it was, and with another tool's key."""
    if not known.overheard:
        return []
    seen = draw.choice(known.overheard)
    if seen.tool == tool or draw.random() < 0.5:
        return [seen]
    assert seen.value is not None
    cause = "is not its tool_name"
    return [refused_value(seen.topic, tool, seen.value, cause, signature_in(seen.headers))]


async def invent(known: Knowledge, tool: str, draw: Random) -> Sequence[Forgery]:
    """Let tools fail that nobody has deployed. Such executions are stored, and say nothing."""
    found = []
    for _ in range(5):
        name = draw.choice(INVENTED)
        execution = Execution(
            execution_id=UUID(int=draw.getrandbits(128)),
            tool_name=name,
            version_id=draw.choice((None, 1, GREATEST)),
            success=False,
            error="TypeError: it failed",
            executed_at=datetime.now(UTC),
            session_id=f"session-{draw.getrandbits(32)}",
        )
        found.append(Forgery("tool-executions", name, execution.to_bytes()))
    return found


async def overload(known: Knowledge, tool: str, draw: Random) -> Sequence[Forgery]:
    """Send a command with details that are too large."""
    fields = json.loads(command_by_ann(tool, command_id=_id(draw)).to_bytes())
    fields["details"] = {"executions": "x" * MAX_DETAILS_BYTES}
    return [refused_value("rollback-commands", tool, json.dumps(fields).encode(), "details")]


async def break_lines(known: Knowledge, tool: str, draw: Random) -> Sequence[Forgery]:
    """Send texts that would forge lines of an output."""
    by = json.loads(command_by_ann(tool, command_id=_id(draw)).to_bytes()) | {
        "issued_by": "ann\nroot"
    }
    name = f"{tool}\u2028\x1b[35m"
    named = json.loads(_deployment(tool, draw).to_bytes()) | {"tool_name": name}
    return [
        refused_value("rollback-commands", tool, json.dumps(by).encode(), "issued_by"),
        refused_value("tool-deployments", name, json.dumps(named).encode(), "tool_name"),
    ]


ATTACKS: Final[Mapping[Attack, int]] = {
    deploy: 6,
    activate: 6,
    publish_version: 5,
    command: 8,
    replay: 6,
    invent: 4,
    overload: 1,
    break_lines: 1,
}
"""Each attack, and how often it happens compared with the others."""

NAMES: Final = (*(attack.__name__ for attack in ATTACKS), "take_id", "bomb")
"""The kinds of attacks by which they are counted."""


def take_id(message: Deployment | RollbackCommand, draw: Random) -> Forgery:
    """Return an unsigned record with the id of a message that is about to be sent."""
    forged: Deployment | RollbackCommand
    if isinstance(message, Deployment):
        topic, forged = "tool-deployments", message.model_copy(update={"code": EVIL})
    else:
        to_version_id = draw.choice((None, 1, GREATEST))
        topic, forged = (
            "rollback-commands",
            message.model_copy(update={"to_version_id": to_version_id}),
        )
    return refused(topic, forged, "no signature", [], message.tool_name)


def _next(current: ToolVersion) -> int:
    """Return the next activation. Engines that believe everybody may use the greatest one."""
    return min(current.activation + 1, GREATEST)


def _id(draw: Random) -> UUID:
    return UUID(int=draw.getrandbits(128))


def _deployment(tool: str, draw: Random) -> Deployment:
    return Deployment(
        deployment_id=_id(draw),
        tool_name=tool,
        code=EVIL,
        created_by="human",
        improvement_type="bug_fix",
        deployed_at=datetime.now(UTC),
    )
