"""A warning about tools that ``ROLLGUARD_TOOLS`` names although they have no version."""

import structlog

from db.postgres.pool import Pool, acquire
from db.versions.reading import current_versions
from schemas.settings import Settings

log = structlog.get_logger()


async def warn_of_unknown_tools(pool: Pool, settings: Settings) -> None:
    """Log the tools that the settings name and that have no version. Raises Retryable.

    This is only a warning, because a tool may have its settings before its first version.
    """
    if not settings.tools:
        return
    async with acquire(pool) as conn:
        known = await current_versions(conn, list(settings.tools))
    if unknown := sorted(settings.tools.keys() - known.keys()):
        log.warning("unknown_tools_in_settings", tools=unknown, variable="ROLLGUARD_TOOLS")
