"""The keys of signatures: make one, show one, and list those of the trust file."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from securesystemslib.signer import CryptoSigner, Key

from rollguard.operations.republish import republish_versions
from rollguard_client.files.own_files import replace, write_new
from rollguard_client.signatures.keys import read_private_key
from rollguard_client.signatures.statements import KeyRole
from rollguard_client.signatures.trust_file import (
    TrustedKey,
    TrustFile,
    Validity,
    entry_of,
    read_trust_file,
)
from schemas.deployment import Author
from schemas.errors import Misconfigured, Rejected
from schemas.settings import Settings
from signatures.signing import private_key_of


class NewKey(NamedTuple):
    """What the trust file will say of a new key."""

    roles: Sequence[KeyRole]
    name: str
    kind: Author
    tools: Sequence[str]
    not_before: datetime | None
    not_after: datetime | None


class ListedKey(NamedTuple):
    """An entry of the trust file."""

    entry: TrustedKey
    validity: Validity
    is_ours: bool
    """Whether it is the key of ``ROLLGUARD_SIGNING_KEY``."""


class ShownKey(NamedTuple):
    """A public key, and the roles that the trust file gives it."""

    key: Key
    roles: Sequence[KeyRole]


def generate(settings: Settings, new: NewKey, file: Path) -> list[TrustedKey]:
    """Write a new private key into a file, and its public key into the trust file.

    The trust file is made if it is missing. Return its new entries. Raises Rejected if the file of
    the private key exists, so that no key is lost; Misconfigured if a file cannot be written.
    """
    if file.exists():
        raise Rejected(f"{file} exists already: a private key is never overwritten")
    trust_file = _trust_path(settings)
    trust = read_trust_file(trust_file) if trust_file.exists() else TrustFile(())
    private_key = CryptoSigner.generate_ed25519()
    entries = _entries_of(new, private_key.public_key)
    changed = TrustFile((*trust.keys, *entries), trust.require_author)
    # The public key comes first: without its private key it does no harm, and a private key that
    # nobody trusts would not be made again.
    _replace(trust_file, changed.to_bytes())
    try:
        _write_new(file, private_key.private_bytes)
    except BaseException:
        _replace(trust_file, trust.to_bytes())
        raise
    return entries


def shown(settings: Settings, file: Path | None) -> ShownKey:
    """Return the public key of a private one: of the file, or else of our own."""
    trust = _trust_if_any(settings)
    if file is not None:
        key: Key = read_private_key(file).public_key
    else:
        key = _own_key(settings, trust)
    return ShownKey(key, [each.role for each in trust.entries(key.keyid)])


def listed(settings: Settings) -> list[ListedKey]:
    """Return the entries of the trust file, in its order."""
    trust, now = read_trust_file(_trust_path(settings)), datetime.now(UTC)
    ours = None if settings.signing_key is None else _own_key(settings, trust).keyid
    return [ListedKey(each, each.validity(now), each.key.keyid == ours) for each in trust.keys]


async def adopt(settings: Settings) -> int:
    """Sign and publish the current version of every tool, and return how many.

    Its activation takes the place of any other in the tool's log, so it mends the rows of the
    detector and of the recorder that a forged activation has poisoned. It needs a key of the
    applier. Raises Misconfigured if signatures are off.
    """
    if settings.signatures == "off":
        raise Misconfigured("ROLLGUARD_SIGNATURES is off: nothing would be signed")
    return await republish_versions(settings, adopts=True)


def _own_key(settings: Settings, trust: TrustFile) -> Key:
    if settings.signing_key is None:
        raise Misconfigured("ROLLGUARD_SIGNING_KEY is not set: name the FILE of a private key")
    return private_key_of(settings.signing_key, settings.signing_key_id, trust).public_key


def _trust_path(settings: Settings) -> Path:
    if settings.trust is None:
        raise Misconfigured("ROLLGUARD_TRUST is not set: it names the trust file")
    return settings.trust


def _trust_if_any(settings: Settings) -> TrustFile:
    if settings.trust is None or not settings.trust.exists():
        return TrustFile(())
    return read_trust_file(settings.trust)


def _entries_of(new: NewKey, key: Key) -> list[TrustedKey]:
    """Return an entry of the key for each of its roles. Raises Rejected."""
    common: dict[str, Any] = {
        "key": key,
        "name": new.name,
        "not_before": new.not_before,
        "not_after": new.not_after,
    }
    author = {"kind": new.kind, "tools": list(new.tools)}
    entries = []
    for role in dict.fromkeys(new.roles):
        more = author if role == "author" else {}
        entry, faults = entry_of(common | {"role": role} | more)
        if entry is None:
            raise Rejected("; ".join(faults))
        entries.append(entry)
    return entries


def _write_new(file: Path, content: bytes) -> None:
    """Write a file that only its user may read, and that did not exist."""
    try:
        write_new(file, content)
    except FileExistsError:
        raise Rejected(f"{file} exists already: a private key is never overwritten") from None
    except OSError as error:
        raise Misconfigured(f"{file}: {error.strerror}") from None


def _replace(file: Path, content: bytes) -> None:
    """Write a file as a whole, for all to read."""
    try:
        replace(file, content, mode=0o644)
    except OSError as error:
        raise Misconfigured(f"ROLLGUARD_TRUST {file}: {error.strerror}") from None
