"""The trust file: which key may say what, in whose name, and when.

It is JSON, and is distributed with the configuration, never through Kafka. Several keys of one role
and name may be valid at once, so that a new key can be in use before the old one ends. Pure.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from functools import cached_property
from hashlib import sha256
from typing import Annotated, Any, Final, Literal, Self, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationError,
    model_validator,
)
from securesystemslib.exceptions import UnverifiedSignatureError, VerificationError
from securesystemslib.signer import Key, Signature

from schemas.deployment import Author as AuthorKind
from schemas.errors import Misconfigured
from schemas.fields import Time, format_time
from schemas.message import explain
from signatures.statements import canonical_json

KeyRole = Literal["author", "applier", "detector", "person"]
ROLES: Final[Sequence[KeyRole]] = get_args(KeyRole)
Validity = Literal["valid", "not yet", "over"]


def _public_key(value: object) -> Key:
    """Read a public key as TUF writes it. Its id is computed, so that it cannot be another's."""
    if isinstance(value, Key):
        return value
    match value:
        case {"keytype": str(keytype), "scheme": str(scheme), "keyval": {"public": str(public)}}:
            given = {"keytype": keytype, "scheme": scheme, "keyval": {"public": public}}
        case _:
            raise ValueError('no public key: {"keytype": …, "scheme": …, "keyval": {"public": …}}')
    try:
        # ``from_dict`` changes its argument
        key = Key.from_dict(key_id_of(given), dict(given))
        key.verify_signature(Signature(key.keyid, "00" * 64), b"")
    except VerificationError as error:
        raise ValueError(f"no public key of this type: {error.__cause__ or error}") from None
    except UnverifiedSignatureError:
        pass  # it can be used, and has not signed this
    return key


def key_id_of(public: Mapping[str, Any]) -> str:
    """Return the id of a public key: the SHA-256 of its JSON."""
    return sha256(canonical_json(public)).hexdigest()


PublicKey = Annotated[
    Key, PlainValidator(_public_key), PlainSerializer(lambda key: key.to_dict(), return_type=dict)
]
Name = Annotated[str, Field(min_length=1, max_length=255)]


class _Strict(BaseModel):
    model_config = ConfigDict(
        strict=True, frozen=True, extra="forbid", arbitrary_types_allowed=True
    )


class _TrustedKey(_Strict):
    """What all entries of the file have."""

    key: PublicKey
    name: Name
    not_before: Time | None = None
    not_after: Time | None = None

    @model_validator(mode="after")
    def _begins_before_it_ends(self) -> Self:
        if self.not_before and self.not_after and self.not_before >= self.not_after:
            raise ValueError("not_before must be before not_after")
        return self

    def validity(self, at: datetime) -> Validity:
        """Return whether the key is valid at a time."""
        if self.not_before is not None and at < self.not_before:
            return "not yet"
        return "over" if self.not_after is not None and at > self.not_after else "valid"


class AuthorKey(_TrustedKey):
    """The key of an author: of a person, or of a machine that writes tools."""

    role: Literal["author"]
    kind: AuthorKind
    tools: list[str] = Field(min_length=1)
    """The tools that the author may deploy, as names or globs."""

    def may_deploy(self, tool_name: str) -> bool:
        """Return whether the author may deploy the tool."""
        return any(fnmatchcase(tool_name, each) for each in self.tools)


class ApplierKey(_TrustedKey):
    """The key of the applier, which says what is current."""

    role: Literal["applier"]


class DetectorKey(_TrustedKey):
    """The key of the detector, which commands automatic rollbacks."""

    role: Literal["detector"]


class PersonKey(_TrustedKey):
    """The key of a person, who commands rollbacks, and answers what is held."""

    role: Literal["person"]


TrustedKey = Annotated[
    AuthorKey | ApplierKey | DetectorKey | PersonKey, Field(discriminator="role")
]


class TrustFile(_Strict):
    """The content of the file."""

    keys: list[TrustedKey]
    require_author: list[str] = []
    """The tools, as names or globs, that a registry loads only if their author has signed them."""

    @model_validator(mode="after")
    def _no_key_twice(self) -> Self:
        seen = set()
        for index, each in enumerate(self.keys):
            if (place := (each.role, each.key.keyid)) in seen:
                raise ValueError(f"keys.{index}: the same key is {each.role} already")
            seen.add(place)
        return self

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read the file. Raises Misconfigured that names every entry that is wrong."""
        try:
            return cls.model_validate_json(content)
        except ValidationError as error:
            raise Misconfigured(explain(error)) from None

    def key(self, role: KeyRole, key_id: str) -> TrustedKey | None:
        """Return the entry of a key in a role; None if there is none."""
        return self._by_id.get((role, key_id))

    def entries(self, key_id: str) -> list[TrustedKey]:
        """Return all entries of a key."""
        return [each for each in self.keys if each.key.keyid == key_id]

    def is_of_machine(self, key_id: str) -> bool:
        """Return whether the key is that of a machine that deploys."""
        author = self.key("author", key_id)
        return isinstance(author, AuthorKey) and author.kind == "autonomous"

    def requires_author(self, tool_name: str) -> bool:
        """Return whether a registry loads the tool only if its author has signed it."""
        return any(fnmatchcase(tool_name, each) for each in self.require_author)

    def to_bytes(self) -> bytes:
        """Return the content of the file, for people to read."""
        return self.model_dump_json(indent=2, exclude_none=True).encode() + b"\n"

    @cached_property
    def _by_id(self) -> dict[tuple[KeyRole, str], TrustedKey]:
        return {(each.role, each.key.keyid): each for each in self.keys}


def validity_text(key: TrustedKey, at: datetime) -> str:
    """Return in words why a key is not valid at a time."""
    bounds = {
        "not yet": ("not valid before", key.not_before),
        "over": ("not valid after", key.not_after),
    }
    text, bound = bounds[key.validity(at)]
    assert bound is not None, "only a bound makes a key invalid"
    return f"{text} {format_time(bound)}"
