"""Version management in Python: ToolVersionManager and DeploymentMonitor."""

from importlib.util import find_spec

for _module in ("aiohttp", "asyncpg", "tenacity"):
    if find_spec(_module) is None:
        raise ModuleNotFoundError(
            f"version management needs {_module}: pip install 'rollguard[postgres]'", name=_module
        )
