"""The header `rollguard-signature` of a record: the signature and the id of its key, as JSON.

The statement that is signed does not travel: whoever checks the signature makes it from the
message. Only the time of the signature does, and with a version what its author has signed. Pure.
"""

from base64 import b64decode, b64encode
from collections.abc import Iterable
from typing import Annotated, Final

from msgspec import Meta
from msgspec.structs import force_setattr

from rollguard_client.errors import Rejected, Unverified
from rollguard_client.messages.fields import Sha256, Time, utc
from rollguard_client.messages.message import Message
from rollguard_client.signatures.statements import DEPLOYMENT, Statement

HEADER: Final = "rollguard-signature"
_MAX_BYTES: Final = 16 * 1024
"""The longest header that is read. The longest that is written has about 3 KiB."""

KafkaHeaders = list[tuple[str, bytes]]
Base64 = Annotated[str, Meta(pattern=r"^[A-Za-z0-9+/]+={0,2}\Z")]


class Authorship(Message, frozen=True, kw_only=True):
    """The deployment that an author has signed, kept with the version that it made."""

    keyid: Sha256
    sig: Base64
    payload: Base64
    """The statement of the deployment."""

    def __post_init__(self) -> None:
        """Check nothing: what is read was checked before, and what we make is right."""

    @classmethod
    def of(cls, keyid: str, sig: str, statement: Statement) -> "Authorship":
        """Return the authorship that a signed deployment states."""
        return cls(keyid=keyid, sig=sig, payload=b64encode(statement.payload).decode())

    @property
    def statement(self) -> Statement:
        """The statement that the author signed. Raises Unverified."""
        return Statement(DEPLOYMENT, bytes_of(self.payload))

    def to_text(self) -> str:
        """Return it as it is kept with a version."""
        return self.to_bytes().decode()


class SignatureHeader(Message, frozen=True, kw_only=True):
    """The value of the header."""

    keyid: Sha256
    sig: Base64
    signed_at: Time | None = None
    """When an Activation or a ToolVersion was signed."""
    authorship: Authorship | None = None
    """What the author of a ToolVersion has signed, if that is known."""

    def __post_init__(self) -> None:
        """Check the time alone: what is read was checked before, and what we make is right."""
        if self.signed_at is not None:
            force_setattr(self, "signed_at", utc(self.signed_at))

    @classmethod
    def among(cls, headers: Iterable[tuple[str, bytes | None]]) -> "SignatureHeader":
        """Return the signature among the headers of a record. Raises Unverified."""
        found = [value for name, value in headers if name == HEADER]
        if len(found) != 1:
            how_many = f"{len(found)} signatures" if found else "no signature"
            raise Unverified(f"the record has {how_many} (header {HEADER})")
        value = found[0] or b""
        if len(value) > _MAX_BYTES:
            raise Unverified(f"{HEADER}: {len(value)} bytes, at most {_MAX_BYTES} are allowed")
        try:
            return cls.from_bytes(value)
        except Rejected as error:
            raise Unverified(f"{HEADER}: {error}") from error

    @staticmethod
    def base64(sig: bytes) -> str:
        """Return a signature as the header has it."""
        return b64encode(sig).decode()

    def as_headers(self) -> KafkaHeaders:
        """Return the headers of a record that is sent."""
        return [(HEADER, self.to_bytes())]


def bytes_of(text: str) -> bytes:
    """Return what a text in base64 stands for. Raises Unverified."""
    try:
        return b64decode(text, validate=True)
    except ValueError:
        raise Unverified(f"{HEADER}: not base64") from None
