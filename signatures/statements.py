"""The statements that are signed: what a message says, as bytes that are the same everywhere.

A statement is the payload of a DSSE envelope (https://github.com/secure-systems-lab/dsse). It is
JSON as RFC 8785 writes it: one object, its names sorted, without spaces, in UTF-8. The payload type
is part of what is signed, so that a signature of one kind of message is none of another kind.
``docs/security.md`` shows each statement. Pure.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, NamedTuple

from schemas.deployment import Deployment, ToolVersion, code_hash_of
from schemas.execution import Activation
from schemas.fields import format_time
from schemas.rollback import RollbackCommand

SignedMessage = Deployment | Activation | ToolVersion | RollbackCommand
"""The messages that are signed. Executions never are."""

DEPLOYMENT: Final = "application/vnd.rollguard.deployment+json"
ACTIVATION: Final = "application/vnd.rollguard.activation+json"
DEPLOYMENT_ANSWER: Final = "application/vnd.rollguard.deployment-answer+json"
TOOL_VERSION: Final = "application/vnd.rollguard.tool-version+json"
ROLLBACK_COMMAND: Final = "application/vnd.rollguard.rollback-command+json"


class Statement(NamedTuple):
    """The bytes that are signed, and their type."""

    payload_type: str
    payload: bytes

    @property
    def signed_bytes(self) -> bytes:
        """The bytes that a key signs: the pre-authentication encoding of DSSE."""
        kind = self.payload_type.encode()
        return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(self.payload), self.payload)


def statement_of(
    namespace: str, message: SignedMessage, value: bytes, signed_at: datetime | None = None
) -> Statement:
    """Return the statement of a message.

    ``namespace`` is the prefix of the topics, and ``value`` the value of the record, every byte of
    which is signed. ``signed_at`` is given for an Activation and a ToolVersion.
    """
    payload_type, said = _said_by(message, signed_at)
    common = {
        "namespace": namespace,
        "tool_name": message.tool_name,
        "value_sha256": sha256(value).hexdigest(),
    }
    return Statement(payload_type, canonical_json(common | said))


def _said_by(message: SignedMessage, signed_at: datetime | None) -> tuple[str, dict[str, Any]]:
    """Return the type of the statement, and what it says beside what all statements say."""
    match message:
        case Deployment() if message.is_answer:
            # A type of its own: what a person dismisses must never count as signed by its author.
            return DEPLOYMENT_ANSWER, {
                "answer": "dismissed" if message.dismissed_by is not None else "approved",
                "code_hash": code_hash_of(message.code),
                "deployment_id": str(message.deployment_id),
            }
        case Deployment():
            return DEPLOYMENT, {
                "code_hash": code_hash_of(message.code),
                "deployment_id": str(message.deployment_id),
                "deployed_at": format_time(message.deployed_at),
                "improvement_type": message.improvement_type,
            }
        case RollbackCommand():
            return ROLLBACK_COMMAND, {"command_id": str(message.command_id)}
        case Activation() | ToolVersion():
            payload_type = ACTIVATION if isinstance(message, Activation) else TOOL_VERSION
            return payload_type, {
                "version_id": message.version_id,
                "version_number": message.version_number,
                "code_hash": message.code_hash,
                "activation": message.activation,
                "activated_at": format_time(message.activated_at),
                "activated_by": message.activated_by.model_dump(mode="json"),
                "author": message.author,
                "signed_at": None if signed_at is None else format_time(signed_at),
            }


def canonical_json(said: Mapping[str, Any]) -> bytes:
    """Return the JSON of RFC 8785 for an object of texts, whole numbers, nulls and objects."""
    return json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
