"""The parameters that several routes share, checked before anything is asked."""

from typing import Annotated, Any, Final
from urllib.parse import unquote
from uuid import UUID, uuid5

from fastapi import Depends, Header, Path, Query, Request
from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter

from console.admission.visitor import person
from console.services import Services
from rollguard.operations.rollbacks import id_beginning
from rollguard.operations.versions import VersionName
from schemas.fields import NewToolName, ShortLine, Time, storable

CURRENT: Final = "current"
"""What the current version of a tool is called in a path."""
_KEYS: Final = UUID("3b0c5f2e-52a6-5d0a-9a43-0f1d9f6ec8a7")
"""The namespace of the ids that follow from an ``Idempotency-Key``."""
_NEW: Final[TypeAdapter[str]] = TypeAdapter(NewToolName)


def decoded(raw: object) -> object:
    """Return a part of a path without its percent-encoding."""
    return unquote(raw, errors="strict") if isinstance(raw, str) else raw


def no_nul(text: str) -> str:
    """Return the text. ValueError if it has a NUL, which Postgres refuses."""
    if "\0" in text:
        raise ValueError("NUL is not allowed")
    return text


def _version_name(text: str) -> str:
    VersionName.of(text)
    return text


def _named_version(name: str) -> Any:
    return Query(
        alias=name,
        pattern=r"^[vV]?[0-9]{1,10}$",
        description="A version: its id (`7`) or its number (`v2`).",
        examples=["v2"],
    )


def services_of(request: Request) -> Services:
    """Return the services of the console."""
    services: Services = request.app.state.services
    return services


def id_of(key: str | None, tool: str, kind: str) -> UUID | None:
    """Return the id of the message that a key stands for; None without a key.

    The same key for the same tool gives the same id, whichever console is asked: so the message has
    its effect once, and its first outcome is the answer.
    """
    if key is None:
        return None
    return uuid5(_KEYS, f"{kind}\n{tool}\n{key}")


ServicesHere = Annotated[Services, Depends(services_of)]
ToolInPath = Annotated[
    str,
    BeforeValidator(decoded),
    AfterValidator(no_nul),
    Path(
        alias="tool",
        min_length=1,
        max_length=255,
        description="The name of a tool; a slash in it is `%2F`.",
        examples=["parser"],
    ),
]
NewToolInPath = Annotated[ToolInPath, AfterValidator(_NEW.validate_python)]
VersionInPath = Annotated[
    str,
    BeforeValidator(decoded),
    AfterValidator(_version_name),
    Path(
        alias="version",
        pattern=r"^[vV]?[0-9]{1,10}$",
        description="A version: its id (`7`) or its number (`v2`).",
        examples=["v2"],
    ),
]
VersionOrCurrentInPath = Annotated[
    str,
    BeforeValidator(decoded),
    Path(
        alias="version",
        pattern=rf"^([vV]?[0-9]{{1,10}}|{CURRENT})$",
        description="A version: its id (`7`), its number (`v2`), or `current`.",
        examples=["v2"],
    ),
]
IdBeginningInPath = Annotated[
    str,
    BeforeValidator(decoded),
    Path(
        pattern=r"^[0-9a-fA-F-]{1,36}$",
        description="An id, or its beginning.",
        examples=["8c0d3e9e"],
    ),
    AfterValidator(id_beginning),
]
DeploymentIdInPath = Annotated[
    UUID,
    Path(
        description="The id of a held deployment.",
        examples=["5f0e3f5a-2f5e-4a53-8d0c-7f6a1a0f5f02"],
    ),
]
ExecutionIdInPath = Annotated[
    UUID,
    Path(
        description="The id of an execution.",
        examples=["0b4c9bfa-1c8e-4b52-9a35-6f1df2f6a3de"],
    ),
]
CommandIdInPath = Annotated[
    UUID,
    Path(
        description="The id of a rollback command.",
        examples=["8c0d3e9e-6f0b-4c55-9d0e-3a1f5b7a9c11"],
    ),
]
OfTool = Annotated[
    str | None,
    AfterValidator(lambda name: name if name is None else no_nul(name)),
    Query(min_length=1, max_length=255, description="Only of this tool.", examples=["parser"]),
]
Limit = Annotated[int, Query(ge=1, le=500, description="List at most this many.")]
Cursor = Annotated[
    str | None,
    Query(max_length=2_000, description="`next_cursor` of the page before."),
]
Since = Annotated[
    Time | None, Query(description="Only since then (RFC 3339).", examples=["2026-01-31T12:00:00Z"])
]
Until = Annotated[
    Time | None, Query(description="Only until then (RFC 3339).", examples=["2026-01-31T13:00:00Z"])
]
FromVersion = Annotated[str, _named_version("from"), AfterValidator(_version_name)]
ToVersion = Annotated[str, _named_version("to"), AfterValidator(_version_name)]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        description="A text of your choice, a new one for each change. A request that is sent "
        "again with its key changes nothing, and gets the first outcome.",
        examples=["deploy-parser-42"],
    ),
]
Text = Annotated[str, AfterValidator(storable)]
Person = Annotated[ShortLine, Field(min_length=1, validate_default=True), AfterValidator(person)]
"""The name of who decides something: of whoever is known to ask, if somebody is."""
