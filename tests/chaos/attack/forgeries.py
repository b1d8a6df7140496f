"""Forgeries: records that an attacker makes up, and what must become of each.

A forged record carries a header that says this. The product does not know these headers; the audit
leaves the records out, so that all it demands follows from the honest records alone.
"""

from typing import Final, NamedTuple

from rollguard_client.signatures.header import HEADER as SIGNATURE
from rollguard_client.signatures.header import KafkaHeaders
from schemas.message import Message

POISON: Final = "poison"
"""The header of a record that must become a dead letter; its value is the cause."""
UNANSWERED: Final = "unanswered"
"""The header of a bad deployment that must have no outcome."""
FORGED: Final = "forged"
"""The header of every forged record. One of `tool-versions` becomes no dead letter, because only
engines read that topic; no engine may use it."""


class Forgery(NamedTuple):
    """A record to send; without ``headers`` it is one that counts as any other."""

    topic: str
    tool: str
    """The key of the record."""
    value: bytes | None
    headers: KafkaHeaders = []  # noqa: RUF012 (it is never changed)


def refused(
    topic: str, message: Message, cause: str, signature: KafkaHeaders, tool: str
) -> Forgery:
    """Return a record that must be a dead letter and nothing else."""
    return refused_value(topic, tool, message.to_bytes(), cause, signature)


def refused_value(
    topic: str, tool: str, value: bytes, cause: str, signature: KafkaHeaders | None = None
) -> Forgery:
    """Do the same for any value."""
    headers = [*refusal_headers(cause), *(signature or [])]
    return Forgery(topic, tool, value, headers)


def refusal_headers(cause: str) -> KafkaHeaders:
    """Return the headers of a record that must be a dead letter with this cause."""
    return [(POISON, cause.encode()), (UNANSWERED, b""), (FORGED, b"")]


def unused(tool: str, value: bytes | None, signature: KafkaHeaders) -> Forgery:
    """Return a record of `tool-versions` that no engine may use."""
    return Forgery("tool-versions", tool, value, [(FORGED, b""), *signature])


def signature_in(headers: KafkaHeaders) -> KafkaHeaders:
    """Return the signature among the headers of a record."""
    return [(name, value) for name, value in headers if name == SIGNATURE]
