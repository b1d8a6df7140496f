"""A version, as a registry needs it: the client and the server have classes of their own."""

from typing import Any, Protocol, TypeVar

from rollguard_client.messages.deployment import code_hash_of


class Version(Protocol):
    """A current version of a tool, with its code."""

    @property
    def tool_name(self) -> str: ...  # noqa: D102
    @property
    def version_id(self) -> int: ...  # noqa: D102
    @property
    def version_number(self) -> int: ...  # noqa: D102
    @property
    def activation(self) -> int: ...  # noqa: D102
    @property
    def code(self) -> str: ...  # noqa: D102
    @property
    def code_hash(self) -> str: ...  # noqa: D102

    def to_bytes(self) -> bytes:
        """Return the value of its record."""


V = TypeVar("V", bound=Version)


def is_genuine(version: Version) -> bool:
    """Return whether the code has the hash that the version names."""
    try:
        return code_hash_of(version.code) == version.code_hash
    except UnicodeEncodeError:
        return False


def named(version: Version) -> dict[str, Any]:
    """Return the fields by which the log names a version."""
    return {
        "tool": version.tool_name,
        "version_id": version.version_id,
        "version_number": version.version_number,
    }
