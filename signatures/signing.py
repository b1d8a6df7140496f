"""Signing with the private key of this process, from a file or a key management service."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from securesystemslib.signer import SIGNER_FOR_URI_SCHEME, CryptoSigner, Key
from securesystemslib.signer import Signer as PrivateKey

from schemas.deployment import ToolVersion
from schemas.errors import Misconfigured, Retryable
from schemas.execution import Activation
from schemas.files.closed_files import ANY_USE, content_of, reason_of
from schemas.message import Message
from signatures.header import Authorship, KafkaHeaders, SignatureHeader
from signatures.statements import SignedMessage, statement_of
from signatures.trust_file import KeyRole, TrustFile, validity_text
from signatures.verifying import short_id

_MAX_BYTES: Final = 64 * 1024
VARIABLE: Final = "ROLLGUARD_SIGNING_KEY"


class Signer:
    """Signs messages with one private key. ``namespace`` is the prefix of the topics."""

    def __init__(self, private_key: PrivateKey, namespace: str) -> None:
        self._private_key = private_key
        self._namespace = namespace

    @property
    def key_id(self) -> str:
        """The id of the key."""
        return self._private_key.public_key.keyid

    async def headers(self, message: Message, value: bytes) -> KafkaHeaders | None:
        """Return the headers of a record with this message and value; None if it is not signed.

        Raises Retryable if a key management service does not answer.
        """
        if not isinstance(message, SignedMessage):
            return None
        if isinstance(self._private_key, CryptoSigner):
            return self._sign(message, value)
        return await asyncio.to_thread(self._sign, message, value)

    def _sign(self, message: SignedMessage, value: bytes) -> KafkaHeaders:
        signed_at = datetime.now(UTC) if isinstance(message, Activation | ToolVersion) else None
        statement = statement_of(self._namespace, message, value, signed_at)
        try:
            signature = self._private_key.sign(statement.signed_bytes)
        except Exception as error:  # each service raises errors of its own
            raise Retryable("the service with the signing key", repr(error)) from error
        sig = SignatureHeader.base64(bytes.fromhex(signature.signature))
        authorship = None
        if isinstance(message, ToolVersion) and message.authorship is not None:
            authorship = Authorship.model_validate_json(message.authorship)
        return SignatureHeader(
            keyid=self.key_id, sig=sig, signed_at=signed_at, authorship=authorship
        ).as_headers()

    def require_role(self, trust: TrustFile, role: KeyRole) -> None:
        """Raise Misconfigured unless the key may sign in this role now."""
        entry, now = trust.key(role, self.key_id), datetime.now(UTC)
        if entry is None:
            raise Misconfigured(
                f"{VARIABLE}: the trust file does not name the key {short_id(self.key_id)} as "
                f"{role}; `rollguard keys list` shows what it names"
            )
        if entry.validity(now) != "valid":
            raise Misconfigured(
                f"{VARIABLE}: the key {short_id(self.key_id)} is {validity_text(entry, now)}"
            )


def private_key_of(where: str, key_id: str | None, trust: TrustFile) -> PrivateKey:
    """Return the private key in a file, or of a key management service by its URI.

    The public key of a service's key is that of the trust file with ``key_id``. Raises
    Misconfigured.
    """
    scheme, is_uri, _ = where.partition(":")
    if not is_uri or scheme not in SIGNER_FOR_URI_SCHEME:
        return read_private_key(Path(where))
    if scheme == CryptoSigner.SCHEME:
        raise Misconfigured(f"{VARIABLE}: give the path of the file, without {scheme}:")
    entries = [] if key_id is None else trust.entries(key_id)
    if not entries:
        raise Misconfigured(
            "ROLLGUARD_SIGNING_KEY_ID must name a key of the trust file: its public key is that of "
            f"{VARIABLE}"
        )
    return _key_of_service(where, entries[0].key)


def _key_of_service(uri: str, public: Key) -> PrivateKey:
    try:
        return PrivateKey.from_priv_key_uri(uri, public)
    except Exception as error:  # each service raises errors of its own
        raise Misconfigured(f"{VARIABLE} {uri}: {error!r}") from error


def read_private_key(file: Path) -> CryptoSigner:
    """Return the Ed25519 key in a PEM file that only its user may read. Raises Misconfigured."""
    try:
        pem = content_of(file, ANY_USE, _MAX_BYTES)
    except (OSError, ValueError) as error:
        raise Misconfigured(f"{VARIABLE} {file}: {reason_of(error)}") from None
    try:
        key = load_pem_private_key(pem, None)
    except (ValueError, TypeError):
        raise Misconfigured(
            f"{VARIABLE} {file}: no private key (PEM, PKCS 8, no password)"
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise Misconfigured(f"{VARIABLE} {file}: is no Ed25519 key")
    return CryptoSigner(key)
