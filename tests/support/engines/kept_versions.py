"""The versions that an engine with these settings keeps."""

import structlog

from rollguard_client.registry.kept_versions import KeptVersions
from schemas.deployment import ToolVersion
from schemas.settings import Settings
from streams.topics import Topics


def kept_versions(settings: Settings) -> KeptVersions[ToolVersion]:
    """Return the kept versions of the server's registry."""
    topic = Topics.of(settings).versions
    return KeptVersions(settings.data_dir, topic, ToolVersion.from_bytes, structlog.get_logger())
