"""Where the packages of the extra ``embedded`` are installed."""

from importlib.util import find_spec
from pathlib import Path

from schemas.errors import Misconfigured


def package_folder(module: str, distribution: str) -> Path:
    """Return the folder of an installed package without importing it.

    Misconfigured if the package is not installed.
    """
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise Misconfigured(f"{distribution} is not installed: pip install 'rollguard[embedded]'")
    return Path(spec.origin).parent
