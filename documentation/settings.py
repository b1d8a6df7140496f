"""The reference of the settings: environment variable, type, default, unit and meaning."""

from functools import cache
from typing import Final

from documentation.markdown import code, prose, table
from schemas.configuration.bridge_settings import BridgeSettings
from schemas.configuration.proxy_settings import ProxySettings
from schemas.configuration.setting_sources import FILE_VARIABLE
from schemas.configuration.settings_report import SettingInForce, settings_in_force
from schemas.files.state_folder import AS_WRITTEN, state_folder
from schemas.rules.fleet import FleetRules
from schemas.rules.outages import OutageRules
from schemas.rules.rules import Rules
from schemas.settings import Settings

_HEAD: Final = ("variable", "type", "default", "unit", "meaning")
_FILE: Final = (
    code(FILE_VARIABLE),
    "path",
    "",
    "",
    "A file of settings, one `NAME=value` a line. Only the environment may set this variable.",
)


def settings_by_group() -> dict[str, list[SettingInForce]]:
    """Return all settings: of a deployment, then those of each group."""
    defaults = Settings.model_construct(
        rules=Rules(),
        outages=OutageRules(),
        fleet=FleetRules(),
        bridge=BridgeSettings(),
        proxy=ProxySettings(),
    )
    groups: dict[str, list[SettingInForce]] = {
        "Connections and processes": [],
        "Rules: for all tools, or for single ones": [],
        "Outages: for all tools": [],
        "The fleet's brake: for all tools": [],
        "The bridge": [],
        "A proxy before the console": [],
    }
    everywhere, rules, outages, fleet, bridge, proxy = groups.values()
    for setting in settings_in_force(defaults):
        if setting.is_rule:
            rules.append(setting)
        elif setting.name in OutageRules.model_fields:
            outages.append(setting)
        elif setting.name in FleetRules.model_fields:
            fleet.append(setting)
        elif setting.name in BridgeSettings.model_fields:
            bridge.append(setting)
        elif setting.name in ProxySettings.model_fields:
            proxy.append(setting)
        else:
            everywhere.append(setting)
    return groups


@cache
def variables() -> frozenset[str]:
    """Return the names of all environment variables that the product reads."""
    settings = (setting for group in settings_by_group().values() for setting in group)
    return frozenset(setting.variable for setting in settings) | {FILE_VARIABLE}


def settings_reference() -> str:
    """Return the tables of all settings."""
    parts = []
    for heading, settings in settings_by_group().items():
        rows = [
            (code(each.variable), each.type, code(_default(each)), each.unit, prose(each.meaning))
            for each in settings
        ]
        parts += [f"## {heading}", table(_HEAD, rows)]
    return "\n\n".join([*parts, "## The file of settings", table(_HEAD, [_FILE])])


def _default(setting: SettingInForce) -> str:
    """Return the default as every user has it: the folder is another one for each."""
    return AS_WRITTEN if setting.default == str(state_folder()) else setting.default
