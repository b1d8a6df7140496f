"""The trust file: which key may say what, in whose name, and when.

It is JSON, and is distributed with the configuration, never through Kafka. Several keys of one role
and name may be valid at once, so that a new key can be in use before the old one ends. Pure, but
for ``read_trust_file``.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Literal, get_args

import msgspec
from securesystemslib.exceptions import UnverifiedSignatureError, VerificationError
from securesystemslib.signer import Key, Signature

from rollguard_client.errors import Misconfigured
from rollguard_client.files.closed_files import WRITING, content_of, reason_of
from rollguard_client.messages.deployment import Author
from rollguard_client.messages.fields import Time, time_text, utc
from rollguard_client.signatures.statements import KeyRole, canonical_json

ROLES: Final[Sequence[KeyRole]] = get_args(KeyRole)
Validity = Literal["valid", "not yet", "over"]
_MAX_BYTES: Final = 1024**2
"""A trust file with thousands of keys."""
_COMMON: Final = ("role", "name", "key", "not_before", "not_after")
_OF_AUTHOR: Final = ("kind", "tools")
_MOST_OF_NAME: Final = 255


@dataclass(frozen=True)
class TrustedKey:
    """An entry of the file: a key, in one role."""

    role: KeyRole
    name: str
    key: Key
    not_before: datetime | None = None
    not_after: datetime | None = None

    def validity(self, at: datetime) -> Validity:
        """Return whether the key is valid at a time."""
        if self.not_before is not None and at < self.not_before:
            return "not yet"
        return "over" if self.not_after is not None and at > self.not_after else "valid"

    def to_data(self) -> dict[str, Any]:
        """Return the entry as JSON has it."""
        bounds = {"not_before": self.not_before, "not_after": self.not_after}
        return {
            "key": self.key.to_dict(),
            "name": self.name,
            **{name: None if at is None else time_text(at) for name, at in bounds.items()},
            "role": self.role,
        }


@dataclass(frozen=True)
class AuthorKey(TrustedKey):
    """The key of an author: of a person, or of a machine that writes tools."""

    kind: Author = "human"
    tools: Sequence[str] = ()
    """The tools that the author may deploy, as names or globs."""

    def may_deploy(self, tool_name: str) -> bool:
        """Return whether the author may deploy the tool."""
        return any(fnmatchcase(tool_name, each) for each in self.tools)

    def to_data(self) -> dict[str, Any]:
        """Return the entry as JSON has it."""
        return super().to_data() | {"kind": self.kind, "tools": list(self.tools)}


@dataclass(frozen=True)
class TrustFile:
    """The content of the file."""

    keys: Sequence[TrustedKey]
    require_author: Sequence[str] = ()
    """The tools, as names or globs, that a registry loads only if their author has signed them."""

    @classmethod
    def from_bytes(cls, content: bytes) -> "TrustFile":
        """Read the file. Raises Misconfigured that names every entry that is wrong."""
        try:
            data = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise Misconfigured(f"Invalid JSON: {error}") from None
        return cls.from_data(data)

    @classmethod
    def from_data(cls, data: Any) -> "TrustFile":
        """Read what the file has as JSON. Raises as ``from_bytes`` does."""
        if not isinstance(data, Mapping):
            raise Misconfigured("must be an object")
        faults = _extra_in(data, ("keys", "require_author"), "")
        keys: list[TrustedKey] = []
        given = data.get("keys")
        if not isinstance(given, list):
            faults.append("keys: must be a list of entries")
            given = []
        for index, each in enumerate(given):
            entry, wrong = entry_of(each, f"keys.{index}")
            faults += wrong
            if entry is not None:
                keys.append(entry)
        required = data.get("require_author", [])
        faults += _not_texts(required, "require_author")
        if not faults:
            faults = _repeated(keys)
        if faults:
            raise Misconfigured("; ".join(faults))
        return cls(tuple(keys), tuple(required))

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
        entries = [
            {name: value for name, value in each.to_data().items() if value is not None}
            for each in self.keys
        ]
        said = {"keys": entries, "require_author": list(self.require_author)}
        return json.dumps(said, indent=2, ensure_ascii=False).encode() + b"\n"

    @cached_property
    def _by_id(self) -> dict[tuple[KeyRole, str], TrustedKey]:
        return {(each.role, each.key.keyid): each for each in self.keys}


def read_trust_file(file: Path) -> TrustFile:
    """Read the trust file. Raises Misconfigured, also if others may write to it."""
    try:
        return TrustFile.from_bytes(content_of(file, WRITING, _MAX_BYTES))
    except (OSError, ValueError, Misconfigured) as error:
        raise Misconfigured(f"ROLLGUARD_TRUST {file}: {reason_of(error)}") from None


def entry_of(given: Any, place: str = "") -> tuple[TrustedKey | None, list[str]]:
    """Return the entry that is given as JSON has it, or what is wrong with it.

    ``place`` is where it stands in the file.
    """
    if not isinstance(given, Mapping):
        return None, [f"{place}: must be an object"]
    role = given.get("role")
    if role not in ROLES:
        return None, [f"{place}: its role must be one of {', '.join(ROLES)}"]
    place = f"{place}.{role}" if place else str(role)
    known = (*_COMMON, *(_OF_AUTHOR if role == "author" else ()))
    faults = _extra_in(given, known, f"{place}.")
    read: dict[str, Any] = {"role": role}
    for name, reads in (
        ("name", _name),
        ("key", _public_key),
        ("not_before", _time),
        ("not_after", _time),
        *((("kind", _kind), ("tools", _tools)) if role == "author" else ()),
    ):
        try:
            read[name] = reads(given.get(name))
        except ValueError as error:  # noqa: PERF203 - all faults are named
            faults.append(f"{place}.{name}: {error}")
    if faults:
        return None, faults
    begins, ends = read["not_before"], read["not_after"]
    if begins and ends and begins >= ends:
        return None, [f"{place}: not_before must be before not_after"]
    return (AuthorKey(**read) if role == "author" else TrustedKey(**read)), []


def _extra_in(given: Mapping[str, Any], known: Sequence[str], place: str) -> list[str]:
    return [f"{place}{name}: Extra fields are not permitted" for name in given if name not in known]


def _not_texts(given: Any, place: str) -> list[str]:
    if isinstance(given, list | tuple) and all(isinstance(each, str) for each in given):
        return []
    return [f"{place}: must be a list of texts"]


def _repeated(keys: Iterable[TrustedKey]) -> list[str]:
    seen: set[tuple[KeyRole, str]] = set()
    faults = []
    for index, each in enumerate(keys):
        if (place := (each.role, each.key.keyid)) in seen:
            faults.append(f"keys.{index}: the same key is {each.role} already")
        seen.add(place)
    return faults


def _name(given: Any) -> str:
    if not isinstance(given, str) or not 1 <= len(given) <= _MOST_OF_NAME:
        raise ValueError(f"must be a text of 1 to {_MOST_OF_NAME} characters")
    return given


def _kind(given: Any) -> Author:
    if given not in get_args(Author):
        raise ValueError(f"must be one of {', '.join(get_args(Author))}")
    kind: Author = given
    return kind


def _tools(given: Any) -> Sequence[str]:
    if _not_texts(given, "") or not given:
        raise ValueError("must be a list of at least one name or glob")
    return tuple(given)


def _time(given: Any) -> datetime | None:
    """Return a time with an offset, which may be given as a text or as a ``datetime``."""
    if given is None:
        return None
    try:
        return utc(msgspec.convert(given, Time))
    except msgspec.ValidationError:
        raise ValueError(
            "must be an RFC 3339 time with an offset, such as 2026-01-31T12:00:00Z"
        ) from None


def _public_key(given: Any) -> Key:
    """Read a public key as TUF writes it. Its id is computed, so that it cannot be another's."""
    if isinstance(given, Key):
        return given
    public = given.get("keyval") if isinstance(given, Mapping) else None
    if not isinstance(public, Mapping):
        public = {}
    texts = {name: given[name] for name in ("keytype", "scheme") if name in given} if public else {}
    said = {**texts, "keyval": {"public": public.get("public")}}
    if len(said) != 3 or not all(
        isinstance(each, str) for each in (*texts.values(), public.get("public"))
    ):
        raise ValueError('no public key: {"keytype": …, "scheme": …, "keyval": {"public": …}}')
    try:
        # ``from_dict`` changes its argument
        key = Key.from_dict(key_id_of(said), {**said, "keyval": dict(said["keyval"])})
        key.verify_signature(Signature(key.keyid, "00" * 64), b"")
    except VerificationError as error:
        raise ValueError(f"no public key of this type: {error.__cause__ or error}") from None
    except UnverifiedSignatureError:
        pass  # it can be used, and has not signed this
    return key


def key_id_of(public: Mapping[str, Any]) -> str:
    """Return the id of a public key: the SHA-256 of its JSON."""
    return sha256(canonical_json(public)).hexdigest()


def validity_text(key: TrustedKey, at: datetime) -> str:
    """Return in words why a key is not valid at a time."""
    bounds = {
        "not yet": ("not valid before", key.not_before),
        "over": ("not valid after", key.not_after),
    }
    text, bound = bounds[key.validity(at)]
    assert bound is not None, "only a bound makes a key invalid"
    return f"{text} {time_text(bound)}"
