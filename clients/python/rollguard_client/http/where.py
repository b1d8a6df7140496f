"""Which console is asked: the one that is given, or the one that the settings name."""

from rollguard_client.errors import Misconfigured
from rollguard_client.http.console import Console
from rollguard_client.settings.settings import Settings, load_settings


def console_of(
    execution_store: object = None,
    url: str | None = None,
    token: str | None = None,
    settings: Settings | None = None,
) -> Console:
    """Return the console. Misconfigured if neither an argument nor a setting names one.

    ``execution_store`` may be settings, as for the other managers; anything else is ignored. The
    token of the settings goes to the address of the settings alone.
    """
    if settings is None and isinstance(execution_store, Settings):
        settings = execution_store
    if url is not None:
        wait_s = load_settings().wait_s if settings is None else settings.wait_s
        return Console(url, token, wait_s=wait_s)
    given = settings or load_settings()
    if given.url is None:
        raise Misconfigured("there is no console: set ROLLGUARD_URL, or give url=")
    return Console(given.url, given.token if token is None else token, wait_s=given.wait_s)
