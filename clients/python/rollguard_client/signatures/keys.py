"""Private keys in files that only their user may read."""

from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from securesystemslib.signer import CryptoSigner

from rollguard_client.errors import Misconfigured
from rollguard_client.files.closed_files import ANY_USE, content_of, reason_of

VARIABLE: Final = "ROLLGUARD_SIGNING_KEY"
_MAX_BYTES: Final = 64 * 1024


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
