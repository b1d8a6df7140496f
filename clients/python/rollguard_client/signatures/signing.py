"""What this client signs: deployments and commands, with a key in a file.

Signing needs ``rollguard-client[signatures]``.
"""

from pathlib import Path
from typing import Any, Final

from rollguard_client.errors import Misconfigured
from rollguard_client.messages.deployment import Deployment
from rollguard_client.messages.rollback import RollbackCommand
from rollguard_client.settings.settings import Settings
from rollguard_client.signatures.header import KafkaHeaders, SignatureHeader
from rollguard_client.signatures.statements import statement_of

_VARIABLE: Final = "ROLLGUARD_SIGNING_KEY"
_SERVICES: Final = ("awskms:", "gcpkms:", "azurekms:", "hv:", "hsm:")


class Signatures:
    """Signs what this client publishes, as its settings want it."""

    def __init__(self, settings: Settings) -> None:
        """Read the key. Raises Misconfigured if it cannot be used, or if the extra is missing.

        Without a key nothing is signed: an engine that publishes executions alone needs none.
        """
        self._settings = settings
        self._key: Any = None
        if settings.signatures != "off" and settings.signing_key is not None:
            self._key = _signer(settings.signing_key)

    def headers(self, message: Deployment | RollbackCommand, value: bytes) -> KafkaHeaders | None:
        """Return the headers of a record with this message and value.

        Raises Misconfigured if signatures are required and there is no key.
        """
        if self._key is None:
            if self._settings.signatures == "require":
                raise Misconfigured(
                    f"{_VARIABLE} must name the private key by which we sign, because "
                    "ROLLGUARD_SIGNATURES is require"
                )
            return None
        statement = statement_of(self._settings.topic_prefix, message, value)
        signature = self._key.sign(statement.signed_bytes)
        sig = SignatureHeader.base64(bytes.fromhex(signature.signature))
        return SignatureHeader(keyid=self._key.public_key.keyid, sig=sig).as_headers()


def missing_extra(variable: str, error: ImportError) -> Misconfigured:
    """Return the error of a client without the packages that sign and verify."""
    return Misconfigured(
        f"{variable} needs `pip install rollguard-client[signatures]` ({error.name} is missing)"
    )


def _signer(where: str) -> Any:
    """Return the signer with the Ed25519 key in a PEM file that only its user may read."""
    if where.startswith(_SERVICES):
        raise Misconfigured(f"{_VARIABLE}: the client signs with a key in a file, not by {where}")
    try:
        from rollguard_client.signatures.keys import read_private_key
    except ImportError as error:
        raise missing_extra(_VARIABLE, error) from None
    return read_private_key(Path(where))
