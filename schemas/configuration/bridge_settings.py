"""The settings of the bridge, which makes executions of the spans of OpenTelemetry."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.fields import NewToolName


class BridgeSettings(BaseModel):
    """What `rollguard worker bridge` reads, and which spans it takes for executions."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    bridge_topic: str = Field("otlp_spans", pattern=r"^[A-Za-z0-9._-]{1,249}$")
    """Bridge: the topic of the OpenTelemetry Collector's Kafka exporter, its whole name. The prefix
    of our own topics is not added."""
    bridge_mcp: Literal["skip", "client", "server"] = "skip"
    """Bridge: which spans of MCP count, beside those of frameworks. A call of a tool may have a
    span of the framework, one of the MCP client and one of the MCP server, and must count once.
    ``skip`` takes neither of the two; ``client`` or ``server`` takes that one, for calls that have
    no span of a framework."""
    bridge_rename: dict[str, NewToolName] = Field(default_factory=dict)
    """Bridge: the names of tools in Rollguard, by their names in spans: JSON, such as
    ``{"fetch_url": "fetch"}``. A name that is not in it stays as it is."""
    bridge_caller: str | None = Field(None, max_length=255)
    """Bridge: the attribute of a span that says who called the tool, such as ``enduser.id``. It is
    not read from the resource: with a service's name all sessions would be one caller."""
    bridge_http: bool = False
    """Bridge: whether it takes spans over HTTP, too: ``POST /v1/traces`` on the port of the
    worker."""
