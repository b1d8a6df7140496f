"""The signatures of a process, as its settings want them: off, warn or require.

If they are off, nothing of this room is imported, and nothing is signed or checked.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import structlog

from rollguard_client.signatures.header import KafkaHeaders
from rollguard_client.signatures.statements import KeyRole, role_that_says
from rollguard_client.signatures.trust_file import read_trust_file
from rollguard_client.signatures.verifying import SignedRecord
from schemas.errors import Misconfigured, Unverified
from schemas.execution import Activation
from schemas.settings import Settings
from signatures.signing import Signer, private_key_of
from signatures.statements import SignedMessage
from signatures.verifying import M, Verifier

log = structlog.get_logger()


def _count_nothing(_: str) -> None:
    return


@dataclass
class Signatures:
    """The keys with which a process checks and signs."""

    mode: Literal["warn", "require"]
    verifier: Verifier
    signer: Signer | None
    """None if the process has no private key, because it publishes nothing that is signed."""
    count: Callable[[str], None] = field(default=_count_nothing)
    """Called with the kind of each message that does not verify."""

    @property
    def are_required(self) -> bool:
        """Whether a message that does not verify is refused."""
        return self.mode == "require"

    def checked(self, record: SignedRecord, message: M) -> M:
        """Return the message, with the names that its key gives.

        If it does not verify: with `require` this raises Unverified; with `warn` it is logged, and
        the message is returned as it is.
        """
        try:
            return self.verifier.verified(record, message)
        except Unverified as error:
            self.count(type(message).__name__)
            if self.are_required:
                raise
            log_unverified(message, error)
            return without_adoption(message)

    async def signed(self, message: SignedMessage, value: bytes) -> KafkaHeaders | None:
        """Return the headers of a record with this message and value.

        With `warn` a process without a key signs nothing. Raises Misconfigured if our key is of
        another role, Unverified if it is that of an author who may not deploy the tool, Retryable
        if a key management service does not answer.
        """
        if self.signer is None and not self.are_required:
            return None
        signer = self.require_signer(role_that_says(message))
        self.verifier.require_may_say(signer.key_id, message)
        return await signer.headers(message, value)

    def require_signer(self, role: KeyRole) -> Signer:
        """Return the signer for what this role says. Raises Misconfigured if there is none."""
        if self.signer is None:
            raise Misconfigured(
                f"ROLLGUARD_SIGNING_KEY must name the private key by which the {role} signs, "
                f"because ROLLGUARD_SIGNATURES is {self.mode}"
            )
        self.signer.require_role(self.verifier.trust, role)
        return self.signer


def log_unverified(message: SignedMessage, error: Unverified) -> None:
    """Log a message that does not verify and is used all the same, because of `warn`."""
    log.warning(
        "signature_unverified",
        message=type(message).__name__,
        tool=message.tool_name,
        error=str(error)[:300],
    )


def without_adoption(message: M) -> M:
    """Return the message as it is obeyed if nobody is known to have signed it."""
    if isinstance(message, Activation) and message.adopts:
        return message.model_copy(update={"adopts": None})
    return message


def load_signatures(settings: Settings) -> Signatures:
    """Return the signatures that the settings want. Raises Misconfigured."""
    assert settings.signatures != "off", "ask signatures_of"
    if settings.trust is None:
        raise Misconfigured(
            f"ROLLGUARD_SIGNATURES={settings.signatures} needs ROLLGUARD_TRUST, the trust file"
        )
    trust, signer = read_trust_file(settings.trust), None
    if settings.signing_key is not None:
        key = private_key_of(settings.signing_key, settings.signing_key_id, trust)
        signer = Signer(key, settings.topic_prefix)
    return Signatures(settings.signatures, Verifier(trust, settings.topic_prefix), signer)
