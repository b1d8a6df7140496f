"""The verb config: every setting in force, and where its value comes from."""

from rollguard.cli.options import Json


def config(as_json: Json = False) -> None:
    """Show every setting in force and where its value comes from; secrets are hidden."""
    from rollguard.cli.show.config import show_settings
    from schemas.configuration.setting_sources import given_settings
    from schemas.configuration.settings_report import settings_in_force
    from schemas.settings import SETTING_NAMES, load_settings

    settings = load_settings()
    report = settings_in_force(settings, given_settings(SETTING_NAMES))
    show_settings(report, settings, as_json)
