"""The loader that imports the code of a version into this process."""

import linecache
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType

from rollguard_client.messages.deployment import ToolVersion
from rollguard_client.registry.loading import Call


class ModuleLoader:
    """Loads a version as a module of this process, and calls its function ``entry``.

    The module has a file with its code, so that ``__file__`` and ``inspect`` work. What the code
    does at its import happens in the engine's process: it is isolated from nothing.
    """

    def __init__(self, folder: Path, entry: str = "execute") -> None:
        self._folder = folder
        self._entry = entry

    def load(self, version: ToolVersion) -> Call:
        """Import the code. Raises what it raises, and AttributeError without the function."""
        file = self._folder / f"{version.code_hash}.py"
        name = f"rollguard_tool_{version.code_hash[:16]}_{version.activation}"
        module = _module(name, file, version.code)
        call = getattr(module, self._entry)
        if not callable(call):
            raise TypeError(f"{self._entry} is a {type(call).__name__}, no function")
        found: Call = call
        return found


def _module(name: str, file: Path, code: str) -> ModuleType:
    try:
        if not file.exists() or file.read_text("utf-8") != code:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file.write_text(code, "utf-8")
    except OSError:  # without the file, tracebacks and inspect have the code all the same
        linecache.cache[str(file)] = (len(code), None, code.splitlines(keepends=True), str(file))
    loader = _Source(name, str(file), code)
    spec = spec_from_file_location(name, file, loader=loader)
    assert spec is not None
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


class _Source(SourceFileLoader):
    """Runs the code that it was given, whatever is in the file, and keeps no bytecode."""

    def __init__(self, name: str, path: str, code: str) -> None:
        super().__init__(name, path)
        self._code = code

    def get_source(self, fullname: str) -> str:
        """Return the code of the version."""
        return self._code

    def get_code(self, fullname: str) -> CodeType:
        """Compile the code of the version."""
        return compile(self._code.removeprefix("\ufeff"), self.path, "exec", dont_inherit=True)
