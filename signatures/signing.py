"""Signing with the private key of this process, from a file or a key management service."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from securesystemslib.signer import SIGNER_FOR_URI_SCHEME, CryptoSigner, Key
from securesystemslib.signer import Signer as PrivateKey

from rollguard_client.signatures.header import Authorship, KafkaHeaders, SignatureHeader
from rollguard_client.signatures.keys import VARIABLE, read_private_key
from rollguard_client.signatures.statements import KeyRole
from rollguard_client.signatures.trust_file import TrustFile, validity_text
from rollguard_client.signatures.verifying import short_id
from schemas.deployment import ToolVersion
from schemas.errors import Misconfigured, Retryable
from schemas.execution import Activation
from schemas.message import Message
from signatures.statements import SignedMessage, statement_of


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
            authorship = Authorship.from_bytes(message.authorship.encode())
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
