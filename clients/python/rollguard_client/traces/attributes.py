"""The names of the attributes of our spans, besides those of OpenTelemetry's conventions."""

from typing import Final

from rollguard_client.spans import tool_spans

TOOL: Final = "rollguard.tool"
"""Not that of ``spans.tool_spans``, which says of the span of a call who publishes it."""
VERSION: Final = tool_spans.VERSION
COMMAND_ID: Final = "rollguard.command_id"
DEPLOYMENT_ID: Final = "rollguard.deployment_id"
REASON: Final = "rollguard.reason"
TIER: Final = "rollguard.tier"
OUTCOME: Final = "rollguard.outcome"
REJECTION: Final = "rollguard.rejection"
FROM_VERSION: Final = "rollguard.from_version_id"
TO_VERSION: Final = "rollguard.to_version_id"
VERSION_NUMBER: Final = "rollguard.version_number"
ACTIVATION: Final = "rollguard.activation"
ACTIVATED_BY_KIND: Final = "rollguard.activated_by.kind"
ACTIVATED_BY_ID: Final = "rollguard.activated_by.id"
NAMES: Final = frozenset(
    {
        TOOL,
        COMMAND_ID,
        DEPLOYMENT_ID,
        REASON,
        TIER,
        OUTCOME,
        REJECTION,
        FROM_VERSION,
        TO_VERSION,
        VERSION,
        VERSION_NUMBER,
        ACTIVATION,
        ACTIVATED_BY_KIND,
        ACTIVATED_BY_ID,
    }
)
