"""The keys of a run, made for it, and what they sign.

Ann is a person, and an author of all tools. The machine is an author of all tools. The robot is an
author of other tools only, so its key is one that an attacker may have, as is an engine's own.
"""

from pathlib import Path
from typing import Final

from rollguard_client.signatures.header import KafkaHeaders
from schemas.deployment import Deployment
from schemas.errors import Rejected
from schemas.message import Message
from schemas.rollback import RollbackCommand
from schemas.settings import Settings
from tests.support.inputs.signing import entry, signer, trust, write_files

PERSON: Final = "ann"
AUTHORS: Final = {"human": "ann", "autonomous": "machine"}
_SIGNED_IN: Final[dict[str, type[Message]]] = {
    "tool-deployments": Deployment,
    "rollback-commands": RollbackCommand,
}
KEY_OF_ROLE: Final = {"applier": "applier", "detector": "detector", "recorder": None}


def write_keys(folder: Path) -> None:
    """Write the trust file, and the private keys of the workers."""
    trusted = trust(entry("machine", "author", kind="autonomous"))
    write_files(folder, "applier", "detector", trusted=trusted)


async def signature_of(message: Message, value: bytes, by: str) -> KafkaHeaders:
    """Return the headers of a record that this key has signed. The topics have no prefix."""
    return await signer(by).headers(message, value) or []


class HonestSigner:
    """Signs what honest producers send, if the workers require it."""

    def __init__(self, settings: Settings) -> None:
        self._signs = settings.signatures == "require"

    async def headers(self, message: Message, value: bytes) -> KafkaHeaders:
        """Return the headers of a record: those of the author, or of the person who commands."""
        if not self._signs or not isinstance(message, Deployment | RollbackCommand):
            return []
        by = PERSON
        if isinstance(message, Deployment) and not message.is_answer:
            by = AUTHORS[message.created_by]
        return await signature_of(message, value, by)

    async def headers_of_value(self, topic: str, value: bytes | None) -> KafkaHeaders:
        """Do the same for a value that may be bad. What cannot be read cannot be signed."""
        kind = _SIGNED_IN.get(topic)
        if kind is None or value is None:
            return []
        try:
            return await self.headers(kind.from_bytes(value), value)
        except Rejected:
            return []
