"""The system that the settings name: through a console if they name one, directly otherwise."""

from rollguard.systems.system import System
from schemas.settings import Settings


def system_of(settings: Settings) -> System:
    """Return the system. Nothing is connected before something is asked."""
    if settings.url is None:
        from rollguard.systems.direct.system import DirectSystem

        return DirectSystem(settings)
    from rollguard.systems.remote.system import RemoteSystem
    from rollguard_client.http.console import Console

    token = None if settings.token is None else settings.token.get_secret_value()
    return RemoteSystem(Console(settings.url, token, wait_s=settings.wait_s))
