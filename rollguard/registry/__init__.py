"""The current tools of an engine: followed, checked, loaded and replaced while the engine runs."""

from rollguard.registry.loading import LoadedTool, Loader
from rollguard.registry.tool_registry import ToolRegistry

__all__ = ["LoadedTool", "Loader", "ToolRegistry"]
