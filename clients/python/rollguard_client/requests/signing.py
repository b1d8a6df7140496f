"""Signatures of deployments and commands (``docs/security.md`` of the server has the statements).

Signing needs ``rollguard-client[signatures]``.
"""

import json
import os
import stat
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from rollguard_client.errors import Misconfigured
from rollguard_client.messages.deployment import Deployment, code_hash_of
from rollguard_client.messages.fields import time_text
from rollguard_client.messages.rollback import RollbackCommand
from rollguard_client.settings.settings import Settings

Headers = list[tuple[str, bytes]]
_HEADER: Final = "rollguard-signature"
_VARIABLE: Final = "ROLLGUARD_SIGNING_KEY"
_MAX_BYTES: Final = 64 * 1024
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

    def headers(self, message: Deployment | RollbackCommand, value: bytes) -> Headers | None:
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
        signature = self._key.sign(_signed_bytes(self._settings.topic_prefix, message, value))
        sig = b64encode(bytes.fromhex(signature.signature)).decode()
        header = {"keyid": self._key.public_key.keyid, "sig": sig}
        return [(_HEADER, json.dumps(header).encode())]


def _signed_bytes(namespace: str, message: Deployment | RollbackCommand, value: bytes) -> bytes:
    """Return what a key signs: the statement, in the pre-authentication encoding of DSSE."""
    said = {
        "namespace": namespace,
        "tool_name": message.tool_name,
        "value_sha256": sha256(value).hexdigest(),
    }
    if isinstance(message, Deployment):
        kind = b"application/vnd.rollguard.deployment+json"
        said |= {
            "code_hash": code_hash_of(message.code),
            "deployment_id": str(message.deployment_id),
            "deployed_at": time_text(message.deployed_at),
            "improvement_type": message.improvement_type,
        }
    else:
        kind = b"application/vnd.rollguard.rollback-command+json"
        said |= {"command_id": str(message.command_id)}
    payload = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def _signer(where: str) -> Any:
    """Return the signer with the Ed25519 key in a PEM file that only its user may read."""
    if where.startswith(_SERVICES):
        raise Misconfigured(f"{_VARIABLE}: the client signs with a key in a file, not by {where}")
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
        from securesystemslib.signer import CryptoSigner
    except ImportError as error:
        raise Misconfigured(
            f"{_VARIABLE} needs `pip install rollguard-client[signatures]` ({error.name} is "
            "missing)"
        ) from None
    try:
        key = load_pem_private_key(_content_of(Path(where)), None)
    except OSError as error:
        raise Misconfigured(f"{_VARIABLE} {where}: {error.strerror or error}") from None
    except (ValueError, TypeError):
        raise Misconfigured(
            f"{_VARIABLE} {where}: no private key (PEM, PKCS 8, no password)"
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise Misconfigured(f"{_VARIABLE} {where}: is no Ed25519 key")
    return CryptoSigner(key)


def _content_of(file: Path) -> bytes:
    """Read a file that other users cannot use. Raises OSError and Misconfigured."""
    with open(os.open(file, os.O_RDONLY | os.O_NONBLOCK), "rb") as opened:
        mode = os.fstat(opened.fileno()).st_mode
        if not stat.S_ISREG(mode):
            raise Misconfigured(f"{_VARIABLE} {file}: it is no file")
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            shown = f"{stat.S_IMODE(mode):04o}"
            raise Misconfigured(f"{_VARIABLE} {file}: other users may use it (mode {shown})")
        return opened.read(_MAX_BYTES)
