"""The statements that are signed: what a message says, as bytes that are the same everywhere.

A statement is the payload of a DSSE envelope (https://github.com/secure-systems-lab/dsse). It is
JSON as RFC 8785 writes it: one object, its names sorted, without spaces, in UTF-8. The payload type
is part of what is signed, so that a signature of one kind of message is none of another kind.
``docs/security.md`` of the server shows each statement. Pure.

The server has classes of its own for the same messages, and registers them with ``spoken``.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial, singledispatch
from hashlib import sha256
from typing import Any, Final, Literal, NamedTuple

import msgspec

from rollguard_client.messages.deployment import Deployment, ToolVersion, code_hash_of
from rollguard_client.messages.execution import Activation
from rollguard_client.messages.fields import time_text
from rollguard_client.messages.rollback import RollbackCommand

KeyRole = Literal["author", "applier", "detector", "person"]

DEPLOYMENT: Final = "application/vnd.rollguard.deployment+json"
ACTIVATION: Final = "application/vnd.rollguard.activation+json"
DEPLOYMENT_ANSWER: Final = "application/vnd.rollguard.deployment-answer+json"
TOOL_VERSION: Final = "application/vnd.rollguard.tool-version+json"
ROLLBACK_COMMAND: Final = "application/vnd.rollguard.rollback-command+json"

_encode: Final = msgspec.json.Encoder(order="sorted").encode


class Statement(NamedTuple):
    """The bytes that are signed, and their type."""

    payload_type: str
    payload: bytes

    @property
    def signed_bytes(self) -> bytes:
        """The bytes that a key signs: the pre-authentication encoding of DSSE."""
        kind = self.payload_type.encode()
        return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(self.payload), self.payload)


class Spoken(NamedTuple):
    """What a kind of message says in its statement beside what all say, and who may say it."""

    payload_type: str
    role: KeyRole
    said: Callable[[], dict[str, Any]]

    def statement(self, namespace: str, tool_name: str, value: bytes) -> Statement:
        """Return the statement of a record with this value."""
        common = {
            "namespace": namespace,
            "tool_name": tool_name,
            "value_sha256": sha256(value).hexdigest(),
        }
        return Statement(self.payload_type, canonical_json(common | self.said()))


def statement_of(
    namespace: str, message: Any, value: bytes, signed_at: datetime | None = None
) -> Statement:
    """Return the statement of a message.

    ``namespace`` is the prefix of the topics, and ``value`` the value of the record, every byte of
    which is signed. ``signed_at`` is given for an Activation and a ToolVersion.
    """
    return spoken(message, signed_at).statement(namespace, message.tool_name, value)


def role_that_says(message: Any) -> KeyRole:
    """Return the role whose keys may say this.

    A detector commands automatic rollbacks. A person commands the others, and answers held ones and
    held deployments.
    """
    return spoken(message, None).role


@singledispatch
def spoken(message: Any, _signed_at: datetime | None) -> Spoken:
    """Return what a message says in its statement. Raises TypeError if it is never signed."""
    raise TypeError(f"{type(message).__name__} is never signed")


@spoken.register
def deployment_spoken(message: Deployment, _signed_at: datetime | None) -> Spoken:
    """Return what a deployment says, or a person's answer to one that is held."""
    if message.is_answer:
        # A type of its own: what a person dismisses must never count as signed by its author.
        return Spoken(DEPLOYMENT_ANSWER, "person", partial(_answer_said, message))
    return Spoken(DEPLOYMENT, "author", partial(_deployment_said, message))


def _answer_said(message: Deployment) -> dict[str, Any]:
    return {
        "answer": "dismissed" if message.dismissed_by is not None else "approved",
        "code_hash": code_hash_of(message.code),
        "deployment_id": str(message.deployment_id),
    }


def _deployment_said(message: Deployment) -> dict[str, Any]:
    return {
        "code_hash": code_hash_of(message.code),
        "deployment_id": str(message.deployment_id),
        "deployed_at": time_text(message.deployed_at),
        "improvement_type": message.improvement_type,
    }


@spoken.register
def command_spoken(message: RollbackCommand, _signed_at: datetime | None) -> Spoken:
    """Return what a rollback command says."""
    is_of_person = message.is_answer or message.tier == "manual"
    role: KeyRole = "person" if is_of_person else "detector"
    return Spoken(ROLLBACK_COMMAND, role, lambda: {"command_id": str(message.command_id)})


@spoken.register
def activation_spoken(message: Activation, signed_at: datetime | None) -> Spoken:
    """Return what an activation says."""
    return Spoken(ACTIVATION, "applier", partial(_current_said, message, signed_at))


@spoken.register
def version_spoken(message: ToolVersion, signed_at: datetime | None) -> Spoken:
    """Return what a current version says."""
    return Spoken(TOOL_VERSION, "applier", partial(_current_said, message, signed_at))


def _current_said(message: Activation | ToolVersion, signed_at: datetime | None) -> dict[str, Any]:
    by = message.activated_by
    return {
        "version_id": message.version_id,
        "version_number": message.version_number,
        "code_hash": message.code_hash,
        "activation": message.activation,
        "activated_at": time_text(message.activated_at),
        "activated_by": {"kind": by.kind, "id": str(by.id)},
        "author": message.author,
        "signed_at": None if signed_at is None else time_text(signed_at),
    }


def canonical_json(said: Mapping[str, Any]) -> bytes:
    """Return the JSON of RFC 8785 for an object of texts, whole numbers, nulls and objects."""
    return _encode(said)
