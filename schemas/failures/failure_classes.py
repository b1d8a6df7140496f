"""Whose failure it is, and whether it is a signature error, by the settings' lists of classes.

Names alone are compared. Whether a class is a subclass of another one is not known here, because
the class itself is in the process that failed.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Final, Literal, Protocol

from schemas.failures.error_class import (
    MAX_LABEL,
    OPPOSITE,
    SIGNATURE_ERRORS,
    class_of,
    is_signature_error,
    label_of,
    leaf_of,
)
from schemas.failures.error_lines import dotted_name

ErrorOrigin = Literal["tool", "caller", "environment"]
"""Whose failure it is: the tool's, its caller's, or that of something that the tool depends on."""


class Failed(Protocol):
    """An execution that failed, as far as its class is read from it."""

    @property
    def error_origin(self) -> ErrorOrigin | None: ...  # noqa: D102
    @property
    def error_type(self) -> str | None: ...  # noqa: D102
    @property
    def error(self) -> str | None: ...  # noqa: D102


class ClassNames:
    """Class names, each with what it stands for.

    A name with a module (``httpx.ConnectTimeout``) means this class alone; but if a failure does
    not say the module, only the last parts are compared. A name without one means every class of
    this name. If the last part stands for several things, it stands for none.
    """

    def __init__(self, names: Iterable[tuple[str, str]]) -> None:
        self._exact: Final = dict(names)
        last: dict[str, set[str]] = {}
        for name, meaning in self._exact.items():
            last.setdefault(_last_of(name), set()).add(meaning)
        self._last: Final = {name: min(each) for name, each in last.items() if len(each) == 1}

    @property
    def last_parts(self) -> frozenset[str]:
        """The names without their modules."""
        return frozenset(map(_last_of, self._exact))

    def find(self, failure: Failed) -> str | None:
        """Return what the class of this failure stands for; None if it is not named."""
        given = failure.error_type
        name = class_of(given, failure.error)
        if name is None:
            return None
        dotted = dotted_name(given) if given and "." in given else name
        found = self._exact.get(dotted)
        if found is None:
            found = (self._last if dotted == name else self._exact).get(name)
        return found


class FailureClasses:
    """The origins and the signature errors of one tool's failures, by lists of class names."""

    def __init__(
        self,
        signature_errors: Collection[str],
        origins: Mapping[Literal["caller", "environment"], Collection[str]],
    ) -> None:
        """Take the names of signature errors, and of the failures of each origin but the tool."""
        self._is_usual: Final = frozenset(signature_errors) == SIGNATURE_ERRORS
        self._signature: Final = ClassNames((name, "signature") for name in signature_errors)
        self._leaves: Final = self._signature.last_parts
        self._origins: Final = ClassNames(
            (name, origin) for origin, names in origins.items() for name in names
        )
        self._names_origins: Final = any(origins.values())

    def origin_of(self, failure: Failed) -> ErrorOrigin:
        """Return whose failure it is: as its producer says, otherwise as its class says."""
        origin = failure.error_origin
        if origin is not None:
            return origin
        if self._names_origins:
            named = self._origins.find(failure)
            if named is not None:
                return "caller" if named == "caller" else "environment"
        return "tool"

    def label_of(self, failure: Failed) -> str:
        """Return what a row keeps of a failure (``schemas/failures/error_class.py``)."""
        label = label_of(failure.error_type, failure.error)[:MAX_LABEL]
        if self._is_usual or self._is_named(failure) == is_signature_error(label):
            return label
        return label + OPPOSITE

    def is_signature_error(self, failure: Failed) -> bool:
        """Return whether it failed in the way in which a call of a changed signature fails.

        An exception group did if one of its leaves is such an error.
        """
        if self._is_usual:
            return is_signature_error(label_of(failure.error_type, failure.error))
        return self._is_named(failure)

    def _is_named(self, failure: Failed) -> bool:
        if self._signature.find(failure) is not None:
            return True
        return leaf_of(failure.error_type, failure.error, self._leaves) != ""


def _last_of(name: str) -> str:
    return name.rpartition(".")[2]
